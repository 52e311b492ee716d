#!/bin/sh
# tools/layers.awk: our tree is in order, and trees that are not are refused.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# In a directory with a src/.
check() {
    (cd "$1" && grep -rn '^ *# *include' --include='*.[ch]' src |
        awk -f "$root/tools/layers.awk")
}

# NAME WANT FILE INCLUDE...: a tree of one file with these includes; WANT is what is said.
expect() {
    name=$1 want=$2 file=$3
    shift 3
    rm -rf "$dir/src" && mkdir -p "$dir/$(dirname "$file")"
    for header; do echo "#include $header"; done >"$dir/$file"
    said=$(check "$dir")
    rc=$?
    if [ "$said" = "$want" ] && [ "$rc" = "$([ -z "$want" ] && echo 0 || echo 1)" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s: exit %s: %s\n' "$name" "$rc" "$said"
    fi
}

if check "$root"; then passed=1; else failed=1; fi

expect good "" src/kernel/a.c \
    '<assert.h>' '"kernel/b.h"' '"store/kv.h"' '"base/buf.h"' '"b.h"'
expect top "" src/cli/a.c '<stdio.h>' '"host/a.h"' '"worker/a.h"' '"kernel/a.h"'
expect engine "" src/engine/a.c '"xs.h"' '"xsSnapshot.h"' '"base/err.h"' '<stdio.h>'
expect sqlite "" src/store/a.c '<sqlite3.h>'
expect up "src/base/a.h:2: base/ may not include store/" \
    src/base/a.h '<stdio.h>' '"store/kv.h"'
expect stdio "src/kernel/a.c:2: kernel/ may not include stdio.h" \
    src/kernel/a.c '"base/buf.h"' '<stdio.h>'
expect sys "src/kernel/a.c:1: kernel/ may not include sys/stat.h" \
    src/kernel/a.c '<sys/stat.h>'
expect clock "src/kernel/a.c:1: kernel/ may not include time.h" src/kernel/a.c '<time.h>'
expect sqlite-elsewhere "src/kernel/a.c:1: only store/ includes sqlite3.h" \
    src/kernel/a.c '<sqlite3.h>'
expect xs-elsewhere "src/worker/a.c:1: only engine/ includes xsSnapshot.h" \
    src/worker/a.c '"xsSnapshot.h"'
expect engine-up "src/engine/a.c:1: engine/ may not include kernel/" \
    src/engine/a.c '"kernel/ids.h"'
expect kernel-up "src/kernel/a.c:1: kernel/ may not include worker/" \
    src/kernel/a.c '"worker/worker.h"'
expect sideways "src/host/a.c:1: host/ may not include engine/" \
    src/host/a.c '"engine/engine.h"'
expect dots "src/base/a.c:1: base/ may not include ../" src/base/a.c '"../store/kv.h"'
expect nowhere "src/other/a.c:1: belongs to no layer" src/other/a.c '<stdio.h>'
expect empty "layers.awk: no includes to check" src/base/a.c

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
