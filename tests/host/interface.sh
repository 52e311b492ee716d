#!/bin/sh
# The C interface by its header: each function is documented there and in zygote(3), is
# called by a test, and is all that the library exports; the header is C11 and C++.
set -u
build=${BUILD:-build}
header=include/zygote.h
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
. tests/lib/check.sh

# Text of the header without comments; names of its functions.
functions() {
    gcc -fpreprocessed -dD -E -P "$header" | tr '\n' ' ' |
        grep -o 'zygote_[a-z_]* *(' | tr -d ' (' | sort -u
}
functions >"$dir/functions"
count=$(wc -l <"$dir/functions")
check "the header has functions ($count)" test "$count" -gt 40

# A comment ends right above the declaration.
documented() {
    awk -v want="$1" '
    !/^ \*/ && !/^\/\*/ && $0 ~ "(^|[ *])" want "\\(" { found = 1; good = above == NR - 1 }
    /\*\/$/ { above = NR }
    END { exit !(found && good) }' "$header"
}

while read -r f; do
    check "$f: a comment in the header" documented "$f"
    check "$f: in zygote(3)" grep -qE "^\.(Fn|Fo|It Fn|It Fo) $f( |\$)" man/zygote.3
    check "$f: called by a test" grep -qE "\b$f\(" tests/host/test_api_*.c tests/host/fixture.c
done <"$dir/functions"

# Nothing in zygote(3) that there is not.
grep -oE '^\.(Fn|Fo|It Fn|It Fo) zygote_[a-z_]+' man/zygote.3 | sed 's/.* //' | sort -u >"$dir/manual"
check "zygote(3) has the header's functions" diff "$dir/functions" "$dir/manual"

nm -g --defined-only "$build/libzygote.a" | awk 'NF == 3 { print $3 }' | sort >"$dir/exported"
check "the library exports them and nothing else" diff "$dir/functions" "$dir/exported"

check "C11" gcc -std=c11 -Wall -Wextra -pedantic -Werror -fsyntax-only "$header"
check "C++" g++ -std=c++11 -Wall -Wextra -pedantic -Werror -fsyntax-only -x c++ "$header"
check "the versions agree" sh -c "
    set -- \$(sed -n 's/^#define ZYGOTE_VERSION_[A-Z]* //p' $header)
    grep -q \"define ZYGOTE_VERSION \\\"\$1.\$2.\$3\\\"\" $header"

finish
