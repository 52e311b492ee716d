#!/bin/sh
# scenario.sh -- one scenario in our kernel, compared with upstream's, level by level.
#
# usage: tests/conformance/scenario.sh NAME [--anew | --stock | --our-worker] [--keep DIR]
#
#        tests/conformance/scenario.sh --seed N      a generated one, upstream run anew
#
# scenarios.mjs says what the options mean; this adds --verbose.
[ "$1" = --seed ] && exec node "$(dirname "$0")/seeds.mjs" "$@"
exec node "$(dirname "$0")/scenarios.mjs" --verbose "$@"
