#!/bin/sh
# Verbs on a store: results, errors and exit codes, the output of each as JSON.
. tests/e2e/lib.sh

bundles=$build/bundles
store=$dir/store
z() { "$zygote" -C "$store" "$@"; }

# STORE SQL: change a store behind the kernel's back.
sql() { "$build/tests/e2e/sql" "$1" "$2"; }

config() {
    cat >"$dir/config.json" <<EOF
{ "bootstrap": "alice", "pinBootstrapRoot": true,
  "vats": { "alice": { "bundleSpec": "$bundles/test-cli.json" },
            "friend": { "bundleSpec": "$bundles/test-cli.json" },
            "stranger": { "bundleSpec": "$bundles/test-cli.json" } },
  "bundles": { "counter": { "bundleSpec": "$bundles/demo-counter.json" } } }
EOF
}

# -- no store -----------------------------------------------------------------------------

for verb in ps tree dump audit run 'send alice echo' 'fork alice' 'zygotify alice'; do
    # shellcheck disable=SC2086
    expect "$verb without a store" 3 z $verb
    says "$store: no store there"
    [ ! -e "$store" ] || complain "it made one"
done
expect "no store, as JSON" 3 z ps --json
json stderr 'v.error.code === "NOT_FOUND" && v.error.exit === 3 && v.error.hint'
mkdir "$dir/file" && echo 'not a database, and quite long enough' >"$dir/file/swingstore.sqlite"
expect "not a database" 8 "$zygote" -C "$dir/file" ps
says "$dir/file"

# -- making one -----------------------------------------------------------------------------

config
expect "init" 0 z init "$dir/config.json" --json
json stdout 'v.schema === 1 && v.vats === 4 && v.zygotes === true'
expect "init where there is one" 1 z init "$dir/config.json"
says "there is a store already"
expect "ps before anything ran" 0 z ps
prints "vatAdmin"
expect "audit before anything ran" 0 z audit
expect "one crank" 0 z run --cranks 1 --json
json stdout 'v.cranks === 1 && v.quiescent === false'
expect "the rest" 0 z run --json
json stdout 'v.cranks > 3 && v.quiescent && v.bootstrap === "fulfilled" && v.status.vats === 4'
expect "nothing more to do" 0 z run --json
json stdout 'v.cranks === 0 && v.quiescent'
expect "bootstrap's result" 0 z run --result
prints '"ready"'
expect "it is given once" 0 z run --result
silent
expect "run with the same config" 0 z run -q "$dir/config.json"
[ ! -s "$err" ] || complain "a warning"
echo ' ' >>"$dir/config.json"
expect "run with a changed config" 0 z run "$dir/config.json"
says "is not what $store was made from"

# -- the time -----------------------------------------------------------------------------------

clock() { "$zygote" -C "$dir/clock" "$@"; }
cat >"$dir/clock.json" <<EOF
{ "bootstrap": "bootstrap", "pinBootstrapRoot": true,
  "vats": { "bootstrap": { "bundleSpec": "$bundles/vats-puppet.json", "parameters": { "plain": true } },
            "handlers": { "bundleSpec": "$bundles/vats-handler.json" } },
  "devices": { "alarm": { "bundleSpec": "$bundles/sys-timerDevice.json" },
               "bridge": { "bundleSpec": "$bundles/sys-bridgeDevice.json" } } }
EOF
expect "a timer is told the time" 0 clock run --time 10 --json "$dir/clock.json"
json stdout 'v.time === 10 && v.quiescent'
says "device bridge (d8, a bridge) is skipped: this host has no side for it"
expect "a vat asks to be woken" 0 clock send bootstrap do \
    '[["send","$handlers","make",["h"],"p"],["await","$p","h"],["device","$device.alarm","setWakeup",[12,"$h"],"t"],["return","$t"]]'
prints '{"@bigint":"12"}'
expect "not yet" 0 clock run --time 11
expect "it is woken" 0 clock run --time 12
says "the timer was told that it is 12"
expect "and says so" 0 clock send handlers report
prints '[["h","wake","12n"]]'
expect "time does not run backwards" 1 clock run --time 11
says "timer device alarm: time cannot run backwards"
expect "the clock is asked" 0 clock run --json
json stdout 'v.time > 1.7e9'
expect "a device without a host" 1 clock send bootstrap do '[["device","$device.bridge","callOutbound"]]'
says "this host has no side for it"

# -- send ---------------------------------------------------------------------------------------

# JSON [JSON]: what alice is sent comes back, as it was or as the second.
echo_value() {
    expect "echo $1" 0 z send alice echo "$1"
    [ "$(cat "$out")" = "${2:-$1}" ] || complain "not ${2:-$1}"
}
echo_value 5
echo_value -7
echo_value 1e21 1e+21
echo_value '"text \u0000 \ud800 é"' '"text \u0000 \ud800 é"'
echo_value '[1,"two",null,true,[]]'
echo_value '{"b":{"c":[]},"a":1}' '{"a":1,"b":{"c":[]}}'
echo_value '{"@bigint":"-123456789012345678901234567890"}'
echo_value '{"@number":"NaN"}'
echo_value '{"@number":"-Infinity"}'
echo_value '[{"@undefined":true}]'
echo_value '{"@undefined":true}' undefined
echo_value '{"@symbol":"@@asyncIterator"}'
echo_value '{"#symbol":"own"}' '{"@symbol":"own"}'
echo_value '{"@@ref":1,"@@@x":2}' '{"@@@x":2,"@@ref":1}'
expect "a reference comes back" 0 z send alice makeBox 21
box=$(sed 's/.*"@ref":"\(ko[0-9]*\)".*/\1/' "$out")
prints "{\"@ref\":\"$box\",\"iface\":\"box\"}"
expect "and can be talked to" 0 z send "$box" read
prints 21
echo_value "{\"@ref\":\"$box\"}" "{\"@ref\":\"$box\",\"iface\":\"box\"}"
echo_value "{\"#slot\":\"$box\"}" "{\"@ref\":\"$box\",\"iface\":\"box\"}"
echo_value '{"#bigint":"7"}' '{"@bigint":"7"}'
echo_value '{"##slot":1,"###":2,"@@#":3}' '{"###":2,"##slot":1,"@@#":3}'
echo_value '{"@error":{"name":"TypeError","message":"no"}}'
expect "a result as JSON" 0 z send alice makeBox 3 --json
json stdout 'v.state === "fulfilled" && v.capdata.body[0] === "#" && v.capdata.slots.length === 1'

expect "a rejection" 4 z send -q alice fail '"oops"'
says "rejected: Error: oops"
silent
expect "a rejection as JSON" 4 z send alice fail '"oops"' --json -q
json stdout 'v.state === "rejected" && v.capdata.body.includes("oops")'
json stderr 'v.error.code === "REJECTED" && v.error.exit === 4'
expect "no such method" 4 z send -q alice nothing
says "has no method"
expect "no answer" 1 z send alice later
says "nothing is left to do"
expect "no answer as JSON" 1 z send alice later --json
json stdout 'v.state === "unresolved"'
json stderr 'v.error.code === "UNRESOLVED"'
expect "a vat that another holds" 0 z send friend echo 1
expect "a vat that nobody holds" 3 z send stranger echo 1
says "nobody holds the root object of stranger"
expect "unknown vat" 3 z send alise echo 1
says 'no vat "alise"; did you mean "alice"?'
expect "unknown vat as JSON" 3 z send alise echo 1 --json
json stderr 'v.error.code === "NOT_FOUND"'
expect "unknown ID" 3 z send v99 echo 1
expect "unknown object" 3 z send ko9999 echo 1
says "ko9999"
expect "an argument that is not JSON" 2 z send alice echo 1 text
says "argument 2: not JSON: text"
expect "no such symbol" 2 z send alice echo '{"@symbol":"@@none"}'
expect "a method that is a symbol" 4 z send alice '{"@symbol":"@@iterator"}'
expect "a method that is no symbol" 2 z send alice '{"@symbol":7}'
expect "an unknown form" 2 z send alice echo '{"@thing":1}'
says '"@thing": unknown form'
expect "an error without a message" 2 z send alice echo '{"@error":{"name":"Error"}}'
says '"@error" takes a record'
expect "a promise that is not" 3 z send alice echo '{"@ref":"kp9999"}'
says 'there is no promise kp9999'
expect "a reference to nothing" 3 z send alice echo '[{"@ref":"ko9999"}]'
says "argument 1: "

# -- fork -----------------------------------------------------------------------------------------

expect "a counter" 0 z send alice create '"ann"' 5
expect "fork" 0 z fork ann -n 3 --name 'kid-%d' --plain
[ "$(wc -l <"$out")" = 3 ] || complain "not three lines"
[ "$(cut -f 2 "$out" | tr '\n' ' ')" = "kid-1 kid-2 kid-3 " ] || complain "other names"
expect "the child goes its own way" 0 z send kid-2 increment 2
prints '{"heap":7,"stored":7}'
expect "the parent does not know" 0 z send ann read
prints '{"heap":5,"stored":5}'
expect "names without %d" 0 z fork ann -n 2 --name twin --json
json stdout 'v.children.map(c => c.name).join() === "twin-1,twin-2" && v.children.every(c => c.us > 0)'
expect "an account" 0 z send ann makeAccount '"eve"'
account=$(sed 's/.*"@ref":"\(ko[0-9]*\)".*/\1/' "$out")
expect "fork with a reference" 0 z fork ann --ref "$account" --name heir --json
json stdout 'v.children[0].refs.length === 1 && /^ko\d+$/.test(v.children[0].refs[0])'
expect "fork with the reference of another" 9 z fork ann --ref "$box"
says "$box is not an export of"
expect "a static vat" 9 z fork alice
says "cannot be forked"
silent
expect "unknown vat to fork" 3 z fork anne
says 'no vat "anne"; did you mean "ann"?'
expect "two vats of one name" 0 z fork ann --name kid-1
expect "have to be told apart" 2 z send kid-1 read
says 'several vats are called "kid-1": '

expect "zygotify" 0 z zygotify kid-3 --json
json stdout 'v.sealed === true && v.snapshot.length === 64'
expect "a zygote takes no part" 4 z send -q kid-3 read
says "vat is a zygote"
expect "a zygote twice" 9 z zygotify kid-3
expect "a zygote forks" 0 z fork kid-3 --name grandkid
expect "its child lives" 0 z send grandkid read
prints '{"heap":5,"stored":5}'

# -- looking ------------------------------------------------------------------------------------------

expect "ps --json" 0 z ps --json
json stdout 'v.vats.some(x => x.name === "kid-3" && x.state === "sealed" && /^v\d+$/.test(x.forkedFrom.vat))'
json stdout 'v.vats.every(x => x.deliveries > 0 && x.bundleID.startsWith("b1-"))'
expect "ps --plain" 0 z ps --plain
[ "$(awk -F '\t' '{ print NF }' "$out" | sort -u)" = 9 ] || complain "not nine columns"
expect "tree" 0 env LC_ALL=C "$zygote" -C "$store" tree
prints '`- grandkid v'
expect "tree in UTF-8" 0 env LC_ALL=C.UTF-8 "$zygote" -C "$store" tree
prints '└─ grandkid v'
expect "tree --json" 0 z tree --json
json stdout 'v.vats.find(x => x.name === "ann").children.find(x => x.name === "kid-3").children.length === 1'
expect "many children" 0 z fork ann -n 9 -q
expect "are folded" 0 z tree
prints "more (--all shows them)"
expect "but for --all" 0 z tree --all
if grep -q 'shows them' "$out"; then complain "folded"; fi
expect "dump" 0 z dump
json stdout 'v.kernelTable.length && v.promises && v.objects.length'
expect "dump --json" 0 z dump --json
json stdout 'v.schema === 1 && v.dump.kernelTable.length'
[ "$(wc -l <"$out")" = 1 ] || complain "not one line"
expect "audit --json" 0 z audit --json
json stdout 'v.schema === 1 && v.breaches.length === 0'

# -- two at once ---------------------------------------------------------------------------------------

expect "a store in use" 6 flock "$store/zygote.lock" "$zygote" -C "$store" run
says "$store: in use by"
expect "a store in use, as JSON" 6 flock "$store/zygote.lock" "$zygote" -C "$store" run --json
json stderr 'v.error.code === "BUSY" && v.error.exit === 6 && v.error.hint'
for verb in ps tree dump audit; do
    expect "$verb beside a writer" 0 flock "$store/zygote.lock" "$zygote" -C "$store" $verb
done

# -- damage -----------------------------------------------------------------------------------------------

damaged() {
    rm -rf "$dir/bad"
    mkdir "$dir/bad"
    cp "$store"/swingstore.sqlite* "$dir/bad/"
    sql "$dir/bad" "$1"
}
damaged "UPDATE kvStore SET value = '7,7' WHERE key = '$box.refCount'"
expect "a wrong reference count" 5 "$zygote" -C "$dir/bad" audit
prints "$box"
says "breach"
expect "a wrong reference count, as JSON" 5 "$zygote" -C "$dir/bad" audit --json
json stdout 'v.breaches.length > 0'
json stderr 'v.error.code === "INTEGRITY" && v.error.exit === 5'
damaged "DELETE FROM kvStore WHERE key = '$box.owner'"
expect "an object without its owner" 5 "$zygote" -C "$dir/bad" audit
damaged "UPDATE kvStore SET value = '4' WHERE key = 'version'"
expect "another schema version" 8 "$zygote" -C "$dir/bad" ps
says "schema version 4, not 3"
damaged "DELETE FROM kvStore"
expect "a store without a kernel" 8 "$zygote" -C "$dir/bad" ps
expect "an audit of it" 8 "$zygote" -C "$dir/bad" audit
damaged "DROP TABLE transcriptSpans"
expect "a table is missing" 8 "$zygote" -C "$dir/bad" run

# -- vats that fail -------------------------------------------------------------------------------------------

cat >"$dir/throws.json" <<EOF
{ "bootstrap": "b", "vats": { "b": { "bundleSpec": "$bundles/test-cli-throws.json" } } }
EOF
expect "a vat that cannot start" 4 "$zygote" -C "$dir/throws" run -q "$dir/throws.json"
[ "$(wc -l <"$err")" = 1 ] || complain "not one line"
expect "leaves a sound store" 0 "$zygote" -C "$dir/throws" audit
expect "no worker program" 3 env ZYGOTE_WORKER="$dir/none" "$zygote" -C "$store" run
says "no worker program at $dir/none"
expect "a worker that is none" 1 env ZYGOTE_WORKER=/bin/true "$zygote" -C "$store" send alice echo 1
[ "$(wc -l <"$err")" = 1 ] || complain "not one line"
expect "does no harm" 0 z audit
expect "the store goes on" 0 z send alice echo 1
prints 1

finish
