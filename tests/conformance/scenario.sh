#!/bin/sh
# scenario.sh -- one scenario in our kernel, compared with upstream's, level by level.
#
# usage: tests/conformance/scenario.sh NAME [--anew | --stock | --our-worker] [--keep DIR]
#
# scenarios.mjs says what the options mean; this adds --verbose.
exec node "$(dirname "$0")/scenarios.mjs" --verbose "$@"
