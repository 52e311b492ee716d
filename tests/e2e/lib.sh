# shellcheck shell=sh
# lib.sh -- what the command line tests share.  Sourced, from the root of the repository.
#
#   expect NAME RC COMMAND...      run it; the exit code must be RC
#   says TEXT                      … and its standard error must hold TEXT
#   prints TEXT                    … and its standard output must
#   silent                         … and its standard output must be empty
#   json stdout|stderr EXPRESSION  … and it must be one JSON value v with EXPRESSION true
#   finish                         the closing line
#
# $zygote is the program, $dir an empty directory that goes away, $out and $err what the
# last command wrote.
set -u
build=${BUILD:-build}
zygote=${ZYGOTE:-$build/zygote}
case $zygote in /*) ;; *) zygote=$PWD/$zygote ;; esac
case $build in /*) ;; *) build=$PWD/$build ;; esac
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0 name='' good=1
out=$dir/.out err=$dir/.err
export ZYGOTE_CACHE="${ZYGOTE_CACHE:-$build/test-cache}"
unset ZYGOTE_STORE NO_COLOR 2>/dev/null || :

settle() {
    [ -n "$name" ] || return 0
    if [ "$good" = 1 ]; then
        passed=$((passed + 1))
        echo "ok - $name"
    else
        failed=$((failed + 1))
        echo "not ok - $name"
    fi
    name=
}

complain() {
    good=0
    echo "# $name: $1"
    sed 's/^/#   out: /' "$out" | head -n 5
    sed 's/^/#   err: /' "$err" | head -n 5
}

expect() {
    settle
    name=$1 want=$2 good=1
    shift 2
    "$@" >"$out" 2>"$err" </dev/null
    rc=$?
    [ "$rc" = "$want" ] || complain "exit $rc, not $want"
}

says() {
    grep -qF -- "$1" "$err" || complain "standard error lacks: $1"
}

prints() {
    grep -qF -- "$1" "$out" || complain "standard output lacks: $1"
}

silent() {
    [ ! -s "$out" ] || complain "something on standard output"
}

json() {
    file=$out
    [ "$1" = stdout ] || file=$err
    node -e '
        const v = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
        if (!eval(process.argv[2])) process.exit(1);' "$file" "$2" 2>/dev/null ||
        complain "$1 is not JSON with $2"
}

finish() {
    settle
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}
