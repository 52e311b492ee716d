# check.sh -- what shell tests count with.  Sourced; `dir` is the test's own folder.
#
#   check NAME COMMAND...   passed if COMMAND succeeds; what it said is shown if it does not
#   finish                  print "N passed, N failed" and end with the exit code for it
passed=0 failed=0

check() {
    name=$1
    shift
    if "$@" >"$dir/said" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not ok - $name"
        sed 's/^/#   /' "$dir/said" | tail -n 20
    fi
}

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}
