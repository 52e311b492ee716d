#!/bin/sh
# Fuzz targets, one after the other; `make fuzz` does.
#
#   tests/fuzz/run.sh libfuzzer|plain SECONDS TARGET…
#
# A line for each: how many inputs it ran; for one that failed what it said last, and where
# the input is.  Ends "N passed, N failed", exit 1 if one failed.
set -u
with=$1 seconds=$2
shift 2
build=${BUILD:-build}
passed=0 failed=0
for target in "$@"; do
    new=$build/fuzz/$target log=$build/fuzz/$target.log corpus=tests/fuzz/corpus/$target
    mkdir -p "$new"
    if [ "$with" = libfuzzer ]; then
        dict=
        [ ! -f "tests/fuzz/$target.dict" ] || dict=-dict=tests/fuzz/$target.dict
        # The longest input is libFuzzer's own choice, from the corpus; 100 MB bodies are
        # test_faults.c's.
        "$build/fuzz/fuzz_$target" $dict -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 \
            -print_final_stats=1 -artifact_prefix="$build/fuzz/crash-$target-" "$new" "$corpus" >"$log" 2>&1
        rc=$?
        ran=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    else
        "$build/tests/fuzz/fuzz_$target" -t "$seconds" "$corpus" >"$log" 2>&1
        rc=$?
        ran=$(sed -n 's/^\([0-9]*\) passed.*/\1/p' "$log")
    fi
    if [ "$rc" = 0 ] && [ -n "$ran" ]; then
        passed=$((passed + 1))
        echo "ok   $target: $ran inputs"
    else
        failed=$((failed + 1))
        echo "FAIL $target (exit $rc): $log, $build/fuzz/crash-$target-* or fuzz_$target.last"
        tail -n 30 "$log" | cut -c1-300 | sed 's/^/    | /'
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
