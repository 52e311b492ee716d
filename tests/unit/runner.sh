#!/bin/sh
# tests/run.sh counts what it should: made-up programs through it.
set -u
unset BUILD
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
cd "$dir" || exit 1

cat >good.sh <<'EOF'
echo "1 passed, 0 failed of the first part"
echo "3 passed, 0 failed"
EOF
echo 'echo "2 passed, 1 failed"; exit 1' >bad.sh
echo 'echo "2 passed, 1 failed"' >liar.sh
echo 'exit 0' >mute.sh
echo 'kill -SEGV $$' >crash.sh
echo 'echo "5 passed, 0 failed"; exit 3' >late.sh
echo 'sleep 30; echo "1 passed, 0 failed"' >slow.sh
echo '[ "$1" = x ] && echo "4 passed, 0 failed"' >args.sh
cat >cmocka.sh <<'EOF'
cat <<'END'
[==========] Running 3 test(s).
[ RUN      ] a
[       OK ] a
[ RUN      ] b
[  FAILED  ] b
[ RUN      ] c
[  SKIPPED ] c
[==========] 3 test(s) run.
[  PASSED  ] 1 test(s).
[  SKIPPED ] 1 test(s), listed below:
[  SKIPPED ] c
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] b
 1 FAILED TEST(S)
[==========] Running 1 test(s).
[ RUN      ] d
[       OK ] d
[==========] 1 test(s) run.
[  PASSED  ] 1 test(s).
END
exit 1
EOF

# NAME RC LAST-LINE ARGUMENTS...: what the runner returns and ends with.
expect() {
    name=$1 want_rc=$2 want=$3
    shift 3
    out=$(sh "$root/tests/run.sh" "$@" 2>&1)
    rc=$?
    last=$(printf '%s\n' "$out" | tail -n 1)
    if [ "$rc" = "$want_rc" ] && [ "$last" = "$want" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s: exit %s, want %s, "%s"\n%s\n' "$name" "$rc" "$want_rc" "$want" "$out"
    fi
}

expect nothing 1 "0 passed, 0 failed"
expect good 0 "3 passed, 0 failed" good.sh
expect arguments 0 "7 passed, 0 failed" good.sh "args.sh x"
expect bad 1 "5 passed, 1 failed" good.sh bad.sh
expect failure-without-exit 1 "2 passed, 1 failed" liar.sh
expect exit-without-failure 1 "5 passed, 1 failed" late.sh
expect mute 1 "3 passed, 1 failed" mute.sh good.sh
expect crash 1 "3 passed, 1 failed" good.sh crash.sh
expect missing 1 "3 passed, 1 failed" good.sh no-such-program
expect slow 1 "3 passed, 1 failed" -t 1 slow.sh good.sh
expect cmocka 1 "2 passed, 1 failed" -j 1 cmocka.sh
expect parallel 1 "13 passed, 4 failed" -j 4 \
    good.sh bad.sh cmocka.sh "args.sh x" mute.sh liar.sh
expect usage 2 "$(sh "$root/tests/run.sh" -z 2>&1 | tail -n 1)" -z

case $(BUILD=other sh "$root/tests/run.sh" bad.sh) in
*"| 2 passed, 1 failed"*"log:   other/test-logs/bad.sh.log"*"again: sh bad.sh"*)
    passed=$((passed + 1)) ;;
*) failed=$((failed + 1)) && echo "a failure is not explained" ;;
esac

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
