#!/bin/sh
# What `make install` puts in place is enough to compile and run a host program:
# examples/host, against the installed header, library and pkg-config file alone.
set -u
build=${BUILD:-build}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
. tests/lib/check.sh

check "make install" make -s install BUILD="$build" DESTDIR="$dir/root"
pc=$(find "$dir/root" -name zygote.pc)
prefix=$(sed -n 's/^prefix=//p' "$pc")
root=$dir/root$prefix
for file in bin/zygote bin/zygote-worker include/zygote.h lib/libzygote.a \
    share/man/man1/zygote.1 share/man/man3/zygote.3 share/zygote/bundles/manifest.json; do
    check "$file is installed" test -f "$root/$file"
done

export PKG_CONFIG_PATH="${pc%/*}" PKG_CONFIG_SYSROOT_DIR="$dir/root"
version=$("$root/bin/zygote" --version)
check "pkg-config knows the version" test "zygote $(pkg-config --modversion zygote)" = "$version"

mkdir "$dir/src" && cp examples/host/host.c "$dir/src"
compile() {
    # shellcheck disable=SC2046 # several words
    (cd "$dir/src" && "$@" host.c $(pkg-config --cflags --libs zygote) -o host)
}
sanitize=
nm "$root/lib/libzygote.a" 2>/dev/null | grep -q __asan_ && sanitize=-fsanitize=address,undefined
check "the example compiles" compile gcc -std=c11 -Wall -Wextra -pedantic -Werror $sanitize

cat >"$dir/expected" <<EOF
$version
more than one block: yes
bootstrap: fulfilled "all are there"
greet: fulfilled "Hello, world!"
deposit: fulfilled {"@bigint":"10"}
deposit: rejected {"@error":{"name":"TypeError","message":"an amount is a bigint"}}
upgrade: fulfilled {"incarnationNumber":1}
greeter: no vat "greeter"
open: fulfilled "branch is open"
deposit: fulfilled {"@bigint":"100"}
north: has a root
south: has a root
deposit: fulfilled {"@bigint":"101"}
deposit: fulfilled {"@bigint":"102"}
north is a child of v5
south is a child of v5
deposit: fulfilled {"@bigint":"14"}
EOF
# An installation that was moved is found by the environment.
run() {
    ZYGOTE_WORKER="$root/bin/zygote-worker" ZYGOTE_BUNDLES="$root/share/zygote/bundles" \
        ZYGOTE_CACHE="${ZYGOTE_CACHE:-$build/test-cache}" \
        "$dir/src/host" "$dir/store" examples/host/config.json "$build/bundles/example-ledger.json" \
        >"$dir/printed"
}
check "the example runs" run
check "and prints what it should" diff "$dir/expected" "$dir/printed"
missing() {
    "$dir/src/host" "$dir/other" examples/host/config.json none
    [ $? = 3 ]
}
[ -e "$prefix/share/zygote/bundles" ] || check "it says what it does not find" missing

finish
