#!/bin/sh
# setup.sh -- what the build needs, fetched.  Called by make before anything else; quick when
# all is there.
#
# Debian packages: installed when root, else the exact line to run is printed.
# npm packages: npm ci --ignore-scripts, from package-lock.json.
set -eu

packages="gcc make libc6-dev libsqlite3-dev libssl-dev zlib1g-dev libcmocka-dev pkgconf g++"
missing=""
for p in $packages; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $p"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ]; then
        echo "setup: installing$missing" >&2
        apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
    else
        echo "setup: Debian packages are missing.  Run:  sudo apt-get install$missing" >&2
        exit 1
    fi
fi

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "setup: Node.js 20 or later, with npm, is needed to fetch and bundle (not to run)." >&2
    echo "setup: install the nodejs package of your distribution, or one from nodejs.org" >&2
    exit 1
fi
major=$(node -p 'process.versions.node.split(".")[0]')
if [ "$major" -lt 20 ]; then
    echo "setup: Node.js 20 or later is needed to fetch and bundle; this one is $(node --version)." >&2
    echo "setup: get a newer one from nodejs.org, or: npm install -g n && n 20" >&2
    exit 1
fi

if [ ! -e node_modules/.package-lock.json ] ||
    ! cmp -s package-lock.json node_modules/.zygote-lock; then
    echo "setup: npm ci" >&2
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
    cp package-lock.json node_modules/.zygote-lock
fi
