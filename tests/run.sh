#!/bin/sh
# Run test programs; `make check` does.
#
#   tests/run.sh [-j JOBS] [-t SECONDS] PROGRAM...
#
# A PROGRAM is a cmocka binary, a *.sh, a *.mjs, or anything that closes with a line
# "N passed, N failed"; in quotes it may carry arguments.  Each gets SECONDS (300) and a log
# in $BUILD/test-logs (BUILD: build).  One line per program as it ends, for a failed one the
# tail of its log and the command that runs it again; then what could not run ("skipped"),
# and alone on the last line
#
#   N passed, N failed
#
# where N counts single test cases.  A program that crashes, times out, or reports no tests
# is one failure, if it told of none.  Exit 1 if anything failed or nothing ran.
set -u
logs=${BUILD:-build}/test-logs

# What runs PROGRAM: printed, and used.
command_of() {
    case ${1%% *} in
    *.sh) echo "sh $1" ;;
    *.mjs | *.js) echo "node $1" ;;
    */*) echo "$1" ;;
    *) echo "./$1" ;;
    esac
}

# "passed failed skipped reported" of a log.  cmocka names what failed twice, the second
# time in its summary; of a script the last closing line counts.
count() {
    awk '
    /^\[=+\] Running/ { summary = 0; reported = 1 }
    /^\[=+\] [0-9]+ test\(s\) run/ { summary = 1 }
    /^\[  PASSED  \]/ { summary = 1 }
    /^\[       OK \]/ { passed++ }
    /^\[  SKIPPED \]/ && !summary { skipped++ }
    /^\[  FAILED  \]/ && !summary { failed++ }
    /^[0-9]+ passed, [0-9]+ failed$/ { closed = 1; p = $1; f = $3 }
    END {
        if (closed) { passed += p; failed += f; reported = 1 }
        print passed + 0, failed + 0, skipped + 0, reported + 0
    }' "$1"
}

# -- one program (the runner calls itself, through xargs) -------------------------------

if [ "${1-}" = --one ]; then
    limit=$2 program=$3
    # The same program with other arguments needs another log.
    log=$logs/$(printf %s "$program" | tr -c 'A-Za-z0-9._=-' '_').log
    command=$(command_of "$program")
    began=$(date +%s%N)
    set -f # arguments are split at spaces, and nothing else happens to them
    # shellcheck disable=SC2086
    CMOCKA_MESSAGE_OUTPUT=stdout timeout -k 5 "$limit" $command >"$log" 2>&1 </dev/null
    rc=$?
    ms=$((($(date +%s%N) - began) / 1000000))
    # shellcheck disable=SC2046
    set -- $(count "$log")
    passed=$1 failed=$2 skipped=$3 reported=$4 why=
    case $rc in
    0) ;;
    124 | 137) why="no end after $limit s" ;;
    *) [ "$failed" -gt 0 ] || why="exit $rc" ;;
    esac
    if [ -z "$why" ] && [ "$reported" = 0 ]; then why="reported no tests"; fi
    if [ -n "$why" ] && [ "$failed" = 0 ]; then failed=1; fi

    text=$(printf '%-4s %6d.%03d s  %s' "$([ "$failed" -gt 0 ] && echo FAIL || echo ok)" \
        $((ms / 1000)) $((ms % 1000)) "$program: $passed passed, $failed failed")
    [ "$skipped" = 0 ] || text="$text, $skipped skipped"
    [ -z "$why" ] || text="$text ($why)"
    if [ "$failed" -gt 0 ]; then
        text="$text
$(tail -n 40 "$log" | sed 's/^/    | /')
    log:   $log
    again: $command"
    fi
    printf '%s\n' "$text" # in one write, so that jobs do not mix
    echo "$passed $failed $skipped" >"$log.count"
    exit 0
fi

# -- all of them ------------------------------------------------------------------------

jobs=2 limit=300
while getopts j:t: opt; do
    case $opt in
    j) jobs=$OPTARG ;;
    t) limit=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
mkdir -p "$logs" && rm -f "$logs"/*.count
if [ $# -gt 0 ]; then
    printf '%s\0' "$@" | xargs -0 -n 1 -P "$jobs" sh "$0" --one "$limit"
fi
# Counted by file, so a job that vanished is missed here:
cat "$logs"/*.count 2>/dev/null | awk -v programs=$# '
    { passed += $1; failed += $2; skipped += $3 }
    END {
        if (NR < programs) {
            print programs - NR " programs left no result (named twice, or killed)"
            failed += programs - NR
        }
        if (skipped) print skipped " skipped"
        printf "%d passed, %d failed\n", passed, failed
        exit failed > 0 || passed == 0
    }'
