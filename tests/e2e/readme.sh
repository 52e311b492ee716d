#!/bin/sh
# readme.sh -- the README's commands, run as written, answer as written.
set -eu
build=$(cd "${BUILD:-build}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work" run.slog' EXIT # a log that the README has written here
PATH=$build:$PATH
ZYGOTE_STORE=$work/store
ZYGOTE_CACHE=$build/cache
export PATH ZYGOTE_STORE ZYGOTE_CACHE

# Commands stand behind "$ ", what they print on stdout below them.
sed -n 's/^    //p' README.md | awk -v dir="$work" '
    /^\$ / { n++; print substr($0, 3) > (dir "/cmd." n); next }
    n > 0  { print > (dir "/out." n) }'
passed=0 failed=0 n=1
while [ -e "$work/cmd.$n" ]; do
    if grep -q '^export ' "$work/cmd.$n"; then
        n=$((n + 1))
        continue
    fi
    if sh "$work/cmd.$n" >"$work/got" 2>"$work/err" &&
        { [ ! -e "$work/out.$n" ] || cmp -s "$work/got" "$work/out.$n"; }; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not as the README says: $(cat "$work/cmd.$n")"
        cat "$work/got" "$work/err"
    fi
    n=$((n + 1))
done
[ "$passed" -ge 8 ] || { failed=$((failed + 1)); echo "only $passed commands were found"; }
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
