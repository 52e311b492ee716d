#!/bin/sh
# scenario.sh -- one scenario in our kernel, compared with upstream's.
#
# usage: tests/conformance/scenario.sh NAME [--anew | --stock]
#   (nothing)  against the recorded run of upstream
#   --anew     upstream is run now, and must also equal its recorded run
#   --stock    our kernel drives the stock xsnap-worker instead of ours
set -eu
name=$1
mode=${2:-}
build=${BUILD:-build}
scenario=tests/scenarios/$name
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export ZYGOTE_WORKER=$build/zygote-worker ZYGOTE_BUNDLES=$build/bundles ZYGOTE_CACHE=$build/cache

expected=$scenario/upstream.json.gz
set --
case $mode in
--anew)
    node tests/oracle/run-upstream.mjs "$scenario" "$work/upstream.json.gz"
    cmp "$work/upstream.json.gz" "$expected" || echo "upstream's own run has changed"
    expected=$work/upstream.json.gz
    ;;
--stock) set -- --stock \
    node_modules/@agoric/xsnap/xsnap-native/xsnap/build/bin/lin/release/xsnap-worker ;;
esac
"$build/tests/conformance/run_scenario" "$scenario" "$work/store" "$@" >"$work/ours.json"
node tests/conformance/compare.mjs "$expected" "$work/ours.json"
