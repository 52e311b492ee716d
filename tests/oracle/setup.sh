#!/bin/sh
# setup.sh -- compile the native parts of the upstream peer inside node_modules.
#
# The conformance oracle runs the unmodified JavaScript kernel.  It needs three
# things that npm would normally compile or download in an install script, and
# install scripts are off: the stock xsnap-worker, better-sqlite3, microtime.
# Everything is built from the sources that npm unpacked, with the headers of
# the running node.  Nothing is downloaded.  When all three are there, nothing
# happens.  Two runs at once wait for each other.
#
# usage: setup.sh [--worker]      --worker: only the stock xsnap-worker
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
modules=$root/node_modules
xsnap=$modules/@agoric/xsnap
worker=$xsnap/xsnap-native/xsnap/build/bin/lin/release/xsnap-worker

[ -d "$xsnap" ] || { echo "setup.sh: run 'npm ci --ignore-scripts' first" >&2; exit 1; }

# One builder at a time; the lock goes when this shell ends.
exec 9>"$modules/.oracle-setup.lock"
flock 9

say() { echo "oracle setup: $*" >&2; }

# Runs a noisy command; its output is shown only when it fails.
quietly() {
    log=$(mktemp)
    if "$@" >"$log" 2>&1; then
        rm -f "$log"
    else
        tail -40 "$log" >&2
        say "failed: $*  (whole log: $log)"
        exit 1
    fi
}

if [ ! -x "$worker" ]; then
    say "compiling the stock xsnap-worker (about a minute)"
    # The command of the package's own src/build.js, for the release goal only.
    version=$(node -p "require('$xsnap/package.json').version")
    quietly make -C "$xsnap/xsnap-native/xsnap/makefiles/lin" -j2 -f xsnap-worker.mk \
        "MODDABLE=$xsnap/moddable" GOAL=release "XSNAP_VERSION=$version" \
        'CC=cc "-D__has_builtin(x)=1"'
fi
[ "${1:-}" = --worker ] && exit 0

# node-gyp comes with npm, the headers with node.
gyp=$(dirname "$(readlink -f "$(command -v npm)")")/../node_modules/node-gyp/bin/node-gyp.js
nodedir=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")

addon() {
    if (cd "$modules/$1" && node -e "$2") >/dev/null 2>&1; then
        return 0
    fi
    [ -e "$nodedir/include/node/node.h" ] || {
        say "no node headers in $nodedir/include/node"
        exit 1
    }
    [ -e "$gyp" ] || gyp=$(command -v node-gyp) || { say "no node-gyp beside npm"; exit 1; }
    say "compiling $1 (a minute or two)"
    (cd "$modules/$1" && quietly node "$gyp" rebuild --release --nodedir="$nodedir" -j 2)
}
addon better-sqlite3 'new (require("."))(":memory:").close()'
addon microtime 'require(".").now()'
