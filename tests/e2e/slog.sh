#!/bin/sh
# The slog: what --slog writes, zygote slog reading and following it, zygote step.
. tests/e2e/lib.sh

store=$dir/store slog=$dir/run.slog
z() { "$zygote" -C "$store" "$@"; }

cat >"$dir/config.json" <<CONFIG
{ "bootstrap": "alice", "pinBootstrapRoot": true,
  "vats": { "alice": { "bundleSpec": "$build/bundles/test-cli.json" },
            "friend": { "bundleSpec": "$build/bundles/test-cli.json" } },
  "bundles": { "counter": { "bundleSpec": "$build/bundles/demo-counter.json" } } }
CONFIG

# EXPRESSION over `events`, the objects of a slog, must be true.
events() {
    node -e '
        const lines = require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n");
        const events = lines.map(line => JSON.parse(line));
        const of = type => events.filter(event => event.type === type);
        if (!eval(process.argv[2])) process.exit(1);' "$1" "$2" 2>/dev/null ||
        complain "the slog is not so that $2"
}

# -- step -----------------------------------------------------------------------------------

expect "step without a store" 3 z step
expect "init" 0 z init "$dir/config.json"
expect "one step" 0 z step --plain
[ "$(cut -f 1-4 "$out")" = "$(printf '0\trouting\tstartVat\tv1')" ] || complain "not crank 0"
expect "some steps, as JSON" 0 z step -n 4 --json --slog "$slog"
json stdout 'v.cranks === 4 && !v.quiescent && v.ran.length === 4'
json stdout 'v.ran.every((r, i) => r.crank === i + 1) && v.ran[0].kind === "routing"'
json stdout '(r => r.kind === "delivery" && r.event === "startVat" && r.vat === "v1" &&
    r.delivery === "startVat" && r.syscalls > 0 && r.computrons > 0 && !r.terminated)(v.ran[3])'
events "$slog" 'of("crank-finish").map(event => event.crankNum).join() === "1,2,3,4"'
expect "no steps" 2 z step -n 0

# -- what is written -------------------------------------------------------------------------

expect "run, appending" 0 z run --slog "$slog"
events "$slog" 'of("kernel-init-start").length === 2 && of("kernel-init-finish").length === 2'
events "$slog" 'of("crank-start").length === of("crank-finish").length && of("crank-start").length > 10'
events "$slog" 'of("deliver").length === of("deliver-result").length && of("syscall").length === of("syscall-result").length'
events "$slog" 'events.every(event => Object.keys(event)[0] === "type" && event.time > 1.7e9 && event.monotime >= 0)'
events "$slog" 'events.every(event => ("seconds" in event) === /(finish|result)$|^finish/.test(event.type))'
events "$slog" 'events.every(event => !("seconds" in event) || (event.seconds >= 0 && Object.keys(event).at(-1) === "seconds"))'
events "$slog" 'of("create-vat").every(event => event.name && event.vatSourceBundle.moduleFormat === "endoZipBase64")'
events "$slog" '!of("slogger-confused").length'
expect "send that is rejected" 4 z send alice fail '"on purpose"' --slog "$slog"
events "$slog" 'of("deliver").some(event => event.dispatch === "message" && event.vd[2].methargs.body.includes("on purpose"))'
events "$slog" 'of("deliver").some(event => event.replay && !("kd" in event) && !("crankNum" in event))'
expect "a file in no folder" 1 z send alice echo 1 --slog "$dir/nowhere/slog"
says "$dir/nowhere/slog"
if [ -e /dev/full ]; then
    expect "a full disk is a warning" 0 z send alice echo 1 --slog /dev/full
    says "no more is logged there"
    prints 1
fi
printf '{"type":"torn' >"$dir/torn.slog"
expect "a torn last line" 0 z send alice echo 1 --slog "$dir/torn.slog"
[ "$(sed -n 2p "$dir/torn.slog" | cut -c 1-9)" = '{"type":"' ] || complain "it ran into the next"

# -- reading ------------------------------------------------------------------------------------

expect "a slog for people" 0 "$zygote" slog "$slog"
prints ' v1 d1 deliver ["startVat",'
prints ' sc0 syscall ["vatstoreGet",'
awk 'length($0) > 400 { exit 1 }' "$out" || complain "a line was not cut"
expect "one vat's deliveries, as they are" 0 "$zygote" slog --json --vat v1 --type deliver "$slog"
cp "$out" "$dir/some.slog"
events "$dir/some.slog" 'events.every(event => event.type === "deliver" && event.vatID === "v1")'
grep -F '"type":"deliver",' "$slog" | grep -F '"vatID":"v1"' | cmp -s - "$out" || complain "other lines than the file's"
expect "from standard input" 0 sh -c '"$1" slog --json - <"$2" | cmp - "$2"' sh "$zygote" "$slog"
expect "no such file" 3 "$zygote" slog "$dir/none"
expect "what is no slog" 0 "$zygote" slog "$dir/config.json"
says "lines are not events"
silent

# -- forks ---------------------------------------------------------------------------------------

log=$dir/forks.slog
expect "a vat to fork" 0 z send alice create '"kid"' 1 --slog "$log"
expect "a fork" 0 z fork kid --name twin --slog "$log"
expect "a message to it" 0 z send twin increment 1 --slog "$log"
events "$log" 'of("fork-vat-start").length === 1 && of("fork-vat-finish").length === 1'
events "$log" '(f => /^v[0-9]+$/.test(f.vatID) && f.parentVatID !== f.vatID && f.vatstoreKeys > 0 && f.vatstoreBytes > 0 &&
    f.clistEntries > 0 && f.seconds > 0 && !("error" in f))(of("fork-vat-finish")[0])'
events "$log" '(v => of("create-vat").filter(e => e.vatID === v).every(e => e.forkedFrom && e.name === "twin" && !e.vatSourceBundle))(of("fork-vat-finish")[0].vatID)'
events "$log" '(v => of("clist").filter(e => e.vatID === v && e.crankNum === of("fork-vat-finish")[0].crankNum).length === of("fork-vat-finish")[0].clistEntries)(of("fork-vat-finish")[0].vatID)'
events "$log" 'of("page-in-start").length === of("page-in-finish").length && of("page-in-finish").every(e => e.seconds > 0 && ["image", "snapshot", "bundles"].includes(e.from))'
# from the first line to the last each machine that starts ends, and no other
events "$log" 'events.reduce((on, e) => on && (e.type === "page-in-finish" ? !on.has(e.vatID) && on.add(e.vatID) :
    e.type === "page-out" ? on.delete(e.vatID) && on : on), new Set()).size === 0'
expect "one kind of them" 0 "$zygote" slog --type page-in-finish "$log"
prints ' page-in-finish '
expect "a fork for people" 0 "$zygote" slog --type fork-vat-finish "$log"
prints ' fork-vat-finish v'

# -- following ----------------------------------------------------------------------------------

# FILE TEXT: wait until the file has the text.
appears() {
    i=0
    while ! grep -qF -- "$2" "$1"; do
        i=$((i + 1))
        [ $i -lt 300 ] || { complain "never seen: $2"; return; }
        sleep 0.1
    done
}

settle
name='follow' good=1
: >"$dir/live.slog"
"$zygote" slog -f "$dir/live.slog" --type crank-finish --json >"$dir/seen" 2>&1 &
follower=$!
"$zygote" -C "$store" send alice echo 2 --slog "$dir/live.slog" >"$out" 2>"$err" || complain "send failed"
appears "$dir/seen" "$(grep -F '"type":"crank-finish"' "$dir/live.slog" | tail -n 1)"
printf '{"type":"crank-finish","crankNum":-1}\n' >"$dir/live.slog" # shorter: begun anew
appears "$dir/seen" '"crankNum":-1'
kill $follower && wait $follower 2>/dev/null
finish
