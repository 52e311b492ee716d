#!/bin/sh
# zygote store: a store with forks goes elsewhere and goes on; usage, refusals, JSON.
. tests/e2e/lib.sh

bundles=$build/bundles
store=$dir/store
z() { "$zygote" -C "$store" "$@"; }
y() { "$zygote" -C "$dir/other" "$@"; }

cat >"$dir/config.json" <<EOF
{ "bootstrap": "alice", "pinBootstrapRoot": true,
  "vats": { "alice": { "bundleSpec": "$bundles/test-cli.json" } },
  "bundles": { "counter": { "bundleSpec": "$bundles/demo-counter.json" } } }
EOF
expect "a store" 0 z run "$dir/config.json"

# -- usage ----------------------------------------------------------------------------------

expect "no action" 2 z store
expect "another action" 2 z store explode x
says "give export, import, repair or upgrade"
expect "export where to" 2 z store export
says "which directory?"
expect "upgrade takes none" 2 z store upgrade x
expect "another mode" 2 z store export --artifacts all "$dir/out"
says "operational, replay, archival or debug"
[ ! -e "$dir/out" ] || complain "it made one"
expect "no store to export" 3 y store export "$dir/out"
says "$dir/other: no store there"
expect "no export to import" 3 y store import "$dir/nowhere"
says "no such directory"
[ ! -e "$dir/other" ] || complain "it made a store"
expect "an empty directory is no export" 3 y store import "$dir"
says "export-manifest.json: no such file"
[ ! -e "$dir/other" ] || complain "it made a store"

# -- what is kept -----------------------------------------------------------------------------

# STORE SQL: what a query finds.
sql() { "$build/tests/e2e/sql" "$1" "$2"; }
closed='SELECT count(*) FROM transcriptItems i JOIN transcriptSpans s ON i.vatID = s.vatID
    AND i.position >= s.startPos AND i.position < s.endPos WHERE s.isCurrent IS NULL'
heaps='SELECT count(*) FROM snapshots WHERE inUse IS NULL AND compressedSnapshot IS NOT NULL'
for kept in transcripts snapshots; do
    case $kept in
    transcripts) keep='"keepTranscripts": true, "keepSnapshots": false' some=$closed none=$heaps ;;
    snapshots) keep='"keepTranscripts": false, "keepSnapshots": true' some=$heaps none=$closed ;;
    esac
    sed "s/^{/{ $keep, \"snapshotInterval\": 4, /" "$dir/config.json" >"$dir/keep.json"
    expect "a store that keeps $kept" 0 "$zygote" -C "$dir/$kept" run "$dir/keep.json"
    for i in 1 2 3 4 5 6; do
        "$zygote" -C "$dir/$kept" send alice echo $i >/dev/null 2>&1 || complain "send $i"
    done
    expect "$kept are there" 0 sql "$dir/$kept" "$some"
    [ "$(cat "$out")" -gt 1 ] || complain "none"
    expect "and nothing else" 0 sql "$dir/$kept" "$none"
    [ "$(cat "$out")" = 0 ] || complain "some"
done
expect "what was not kept is not exported" 3 "$zygote" -C "$dir/snapshots" store export \
    --artifacts archival "$dir/none"
says "items are missing from the whole transcript of v"
expect "the rest is" 0 "$zygote" -C "$dir/snapshots" store export --artifacts debug "$dir/rest"

# -- there and on ---------------------------------------------------------------------------

expect "a counter" 0 z send alice create '"ann"' 5
expect "its children" 0 z fork ann -n 3 --name 'kid-%d'
expect "one of them moves on" 0 z send kid-2 increment 2
expect "export" 0 z store export "$dir/out" --json
json stdout 'v.schema === 1 && v.records > 50 && v.artifacts > 3 && v.bytes > 100000'
expect "export over one" 1 z store export "$dir/out"
says "$dir/out"
expect "export, without a terminal" 0 z store export --artifacts archival "$dir/all"
[ "$(wc -l <"$err")" = 1 ] || complain "more than one line"
expect "import" 0 y store import "$dir/out" --json
json stdout 'v.schema === 1 && v.records > 50'
expect "import over one" 1 y store import "$dir/out" --json
json stderr 'v.error.exit === 1 && /already/.test(v.error.message) && v.error.hint'
expect "an audit of it" 0 y audit
expect "a child there" 0 y send kid-2 increment 1
prints 8
expect "and here" 0 z send kid-2 increment 1
prints 8
expect "a fork there" 0 y fork kid-1 -n 2 --name 'late-%d'
expect "which counts" 0 y send late-2 increment 1
prints 6
expect "what the old one says" 0 z send alice echo '[1,"x"]'
cp "$out" "$dir/old"
expect "what the new one says" 0 y send alice echo '[1,"x"]'
cmp -s "$out" "$dir/old" || complain "another answer"
expect "the audit after that" 0 y audit
expect "export again" 0 z store export "$dir/again"
expect "repair of nothing" 0 z store repair "$dir/again" --json
json stdout 'v.added === 0'
expect "repair from what is of another time" 5 z store repair "$dir/out"
says "the store's record differs"
expect "upgrade of nothing" 0 z store upgrade --json
json stdout 'v.modified === false'

finish
