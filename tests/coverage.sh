#!/bin/sh
# Branch coverage of src/kernel by the tests over scripted vats; `make coverage` does.
#
#   tests/coverage.sh [-v] BUILD FLOOR TEST…
#
# BUILD was built with gcc's --coverage and without optimization.  Earlier counts are
# forgotten, each TEST is run (tests/run.sh), then one line per file is printed, with -v the
# ways not taken too, and last "branch coverage: N %".  Exit 1 if that is below FLOOR or a
# test failed.  What is counted: coverage.awk.
set -eu
verbose=0
if [ "${1-}" = -v ]; then
    verbose=1
    shift
fi
build=$1 floor=$2
shift 2
find "$build" -name '*.gcda' -delete
BUILD=$build tests/run.sh -j "${JOBS:-2}" -t 900 "$@"
find "$build/src/kernel" -name "*.gcda" | sort | xargs gcov -b -c -t 2>/dev/null |
    awk -v verbose="$verbose" -v floor="$floor" -v only='^src/kernel/' -f tests/coverage.awk
