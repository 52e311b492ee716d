#!/bin/sh
# zygote replay over real vats: all of it equal, and each kind of difference found and named.
. tests/e2e/lib.sh

store=$dir/store
z() { "$zygote" -C "$store" "$@"; }
sql() { "$build/tests/e2e/sql" "$store" "$1"; }

cat >"$dir/config.json" <<CONFIG
{ "bootstrap": "alice", "pinBootstrapRoot": true, "snapshotInterval": 12,
  "vats": { "alice": { "bundleSpec": "$build/bundles/test-cli.json" },
            "friend": { "bundleSpec": "$build/bundles/test-cli.json" } },
  "bundles": { "counter": { "bundleSpec": "$build/bundles/demo-counter.json" } } }
CONFIG

expect "replay without a store" 3 z replay all
expect "make a store" 0 z init "$dir/config.json"
expect "nothing has run: nothing to replay" 0 z replay all
silent
for i in 1 2 3 4 5; do z send alice echo "\"text number $i\"" >/dev/null 2>&1; done
expect "a dynamic vat" 0 z send alice create '"ann"' 5
expect "its child" 0 z fork ann --name bob
expect "the child is told something" 0 z send bob increment 3

# -- all is well ---------------------------------------------------------------------------------

expect "a grandchild" 0 z fork bob --name carol
expect "and that is told something" 0 z send carol increment 2

before=$(cat "$store/swingstore.sqlite" | cksum)
expect "a grandchild from genesis" 0 z replay carol --from-genesis --verify
prints "v4: positions 0 to "
prints ", then v5: positions 0 to "
prints "v6: its heap from genesis is that of its snapshot, "
expect "all of them" 0 z replay all --from-genesis --json
json stdout 'v.vats.every(r => r.divergence === null && r.start === 0) &&
    (r => r.legs.map(l => l.vat).join() === "v4,v5,v6" && r.heapInUse && r.heap.length === 64)(v.vats.find(r => r.vat === "v6"))'
expect "from genesis, and from a position" 2 z replay carol --from-genesis --from 3
says "only one of them"
expect "from the snapshots in use" 0 z replay all --verify
expect "whole lives" 0 z replay all --from 0 --verify --json
json stdout 'v.schema === 1 && v.vats.length === 6 && v.vats.every(r => r.divergence === null && r.start === 0)'
json stdout 'v.vats.find(r => r.vat === "v1").snapshots > 1 && v.vats.every(r => r.deliveries > 0)'
expect "a part of one" 0 z replay alice --from 1 --to 3 --json
json stdout 'v.vats.length === 1 && v.vats[0].start === 0 && v.vats[0].end === 3 && v.vats[0].deliveries === 2'
[ "$before" = "$(cat "$store/swingstore.sqlite" | cksum)" ] || complain "the store was written"
expect "no such vat" 3 z replay nobody
expect "no such position" 2 z replay alice --from 100000
expect "neither a number" 2 z replay alice --from early

# -- what was altered is found ----------------------------------------------------------------------

# Position of the delivery whose item has the text.
at() { sql "SELECT position FROM transcriptItems WHERE vatID = 'v1' AND item LIKE '%$1%' ORDER BY position LIMIT 1"; }
# POSITION EXPRESSION of the new item
alter() { sql "UPDATE transcriptItems SET item = $2 WHERE vatID = 'v1' AND position = $1"; }
keep() { cp "$store/swingstore.sqlite" "$dir/kept"; }
restore() { cp "$dir/kept" "$store/swingstore.sqlite"; }
keep

p=$(at 'text number 4')
alter "$p" "json_set(item, '\$.sc[0].s[1]', 'p-999')"
expect "one syscall altered" 5 z replay alice --from 0
says "replay of v1 diverged at transcript position $p, syscall 0: recorded"
says 'p-999'
expect "the same, as JSON" 5 z replay all --from 0 --json
json stdout "(r => r.divergence.position === $p && r.divergence.what === 'syscall' && r.divergence.syscall === 0 &&
    r.divergence.recorded.includes('p-999') && r.divergence.now.length > 0)(v.vats.find(r => r.vat === 'v1'))"
json stdout 'v.vats.filter(r => r.divergence === null).length === 5'
expect "before it all is well" 0 z replay alice --from 0 --to "$p"
restore

alter "$p" "json_remove(item, '\$.sc[0]')"
expect "one syscall fewer is recorded" 5 z replay alice --from 0
says "diverged at transcript position $p, syscall 0"
restore

alter "$p" "json_insert(item, '\$.sc[#]', json('{\"s\":[\"vatstoreGet\",\"more\"],\"r\":[\"ok\",null]}'))"
expect "one syscall more is recorded" 5 z replay alice --from 0
says 'recorded ["vatstoreGet","more"], now none'
restore

alter "$p" "json_set(item, '\$.r.metering.computrons', 7)"
expect "other computrons, and nobody asked" 0 z replay alice --from 0
expect "other computrons" 5 z replay alice --from 0 --verify
says "diverged at transcript position $p, computrons: recorded"
says '"computrons":7'
restore

s=$(at save-snapshot)
alter "$s" "json_set(item, '\$.r.snapshotID', '0000000000000000000000000000000000000000000000000000000000000000')"
expect "another heap snapshot" 5 z replay alice --from 0
says "diverged at transcript position $s, snapshot: recorded 0000"
restore

alter "$p" "substr(item, 1, 20)"
expect "a damaged item" 5 z replay alice --from 0
says "position $p"
restore

sql "DELETE FROM transcriptItems WHERE vatID = 'v1' AND position = $p"
expect "a missing item" 5 z replay alice --from 0
says "position $p"
restore

sql "DELETE FROM transcriptItems WHERE vatID = 'v1' AND position < $p"
expect "what was pruned cannot be started from" 3 z replay alice --from 0
says "v1 cannot be replayed from position 0"
expect "its last span still can" 0 z replay alice --verify
restore

sql "DELETE FROM transcriptItems WHERE vatID = 'v4' AND position < 3"
expect "an ancestor's items were pruned" 3 z replay carol --from-genesis
says "of the transcript of v4 were pruned; a store keeps them with keepTranscripts"
restore
expect "and all is well again" 0 z replay all --from 0 --verify

# The archive goes along, when the ancestor is gone, too.
expect "an ancestor ends" 0 z send alice finish
expect "and is gone" 3 z send ann increment 1
expect "from what is left" 0 z replay carol --from-genesis
expect "an export" 0 z store export "$dir/archive" --artifacts archival
expect "an import" 0 "$zygote" -C "$dir/other" store import "$dir/archive"
expect "elsewhere" 0 "$zygote" -C "$dir/other" replay carol --from-genesis
prints "v4: positions 0 to "
finish
