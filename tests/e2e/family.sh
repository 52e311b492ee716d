#!/bin/sh
# Families of vats on the command line: fork with its options, tree, diff.
. tests/e2e/lib.sh

store=$dir/store
z() { "$zygote" -C "$store" "$@"; }
sql() { "$build/tests/e2e/sql" "$store" "$1"; }

expect "a store" 0 z run js/demo/demo.json
expect "a vat" 0 z send bootstrap create '"ann"' 5
account=$(z send ann makeAccount '"ann"' 2>/dev/null | sed 's/.*"@ref":"\([^"]*\)".*/\1/')

# -- fork ----------------------------------------------------------------------------------------

expect "promises must be one or the other" 2 z fork ann --promises maybe
says "--promises must be strict or share, not maybe"
expect "no interval" 2 z fork ann --reap-interval 0
says "--reap-interval must be a whole number, 1 or more, or never, not 0"
expect "no such meter" 3 z fork ann --meter m77
says "there is no meter m77"
expect "a name no vat may have" 2 z fork ann --name 'two words'
says 'no vat may be called "two words"'
expect "children" 0 z fork ann -n 12 --name 'kid-%d' --ref "$account" --reap-interval never --promises share --json
json stdout 'v.schema === 1 && v.parent === "v3" && v.children.length === 12 &&
    v.children.every((c, i) => c.name === `kid-${i + 1}` && c.us > 0 && /^ko\d+$/.test(c.root) &&
        c.refs.length === 1 && /^ko\d+$/.test(c.refs[0]) && c.refs[0] !== c.root) &&
    new Set(v.children.flatMap(c => [c.root, ...c.refs])).size === 24'
kid=$(sql "SELECT substr(key, 1, instr(key, '.') - 1) FROM kvStore WHERE key LIKE 'v%.options' AND value LIKE '%\"kid-1\"%'")
expect "the child's root is the child" 0 z send "$(z fork ann --name other --plain 2>/dev/null | cut -f 4)" increment 3
prints '"heap":8'
[ "$(sql "SELECT json_extract(value, '\$.reapDirtThreshold.deliveries') FROM kvStore WHERE key = '$kid.options'")" = never ] ||
    complain "the reap interval"

# -- tree ------------------------------------------------------------------------------------------

expect "a tree" 0 env LC_ALL=C "$zygote" -C "$store" tree
prints "ann v3  "
prints "kid-3 "
prints "10 more (--all shows them)"
if grep -q kid-4 "$out"; then complain "a folded child"; fi
expect "all of it" 0 z tree --all
prints "kid-12 "
prints " deliveries since its fork at "
prints " cranks ago; store "
prints " shared"
expect "as a table" 0 z tree --plain
[ "$(awk -F '\t' 'NF == 11 && $4 == "v3"' "$out" | wc -l)" = 13 ] || complain "rows"
expect "a grandchild" 0 z fork kid-2 --name grandchild
expect "its parent ends" 0 z send bootstrap terminate '"ann"' '"enough"'
expect "and is still in the tree" 0 z tree
prints "v3  gone"
expect "as JSON" 0 z tree --json
json stdout '(() => {
    const ann = v.vats.find(x => x.vat === "v3"), kids = ann.children, kid = kids.find(x => x.name === "kid-2");
    const [g] = kid.children;
    return v.schema === 1 && ann.state === "gone" && kids.length === 13 && kid.own.deliveries === 0 &&
        kid.forkedFrom.vat === "v3" && kid.forkedFrom.incarnation === 0 && kid.forkedFrom.snapshot === kid.snapshot &&
        kid.own.cranksSinceFork > g.own.cranksSinceFork && kid.own.storeBytes < 16384 && kid.own.stateBytes > 0 &&
        kid.own.transcriptBytes > 0 && kid.own.snapshotUsers > 12 && kid.own.sharedBytes === kid.own.snapshotBytes &&
        g.name === "grandchild" && g.forkedFrom.vat === kid.vat && kids.find(x => x.name === "other").own.deliveries > 0;
})()'

# -- diff ------------------------------------------------------------------------------------------

before=$(cat "$store/swingstore.sqlite" | cksum)
expect "siblings of whom nothing is known" 0 z diff kid-3 kid-4
prints "kid-3 v6, sibling of kid-4 v7; they parted at position "
prints "heap: equal"
expect "one of them did something" 1 z diff kid-3 other --json
json stdout 'v.schema === 1 && v.equal === false && v.relation === "sibling" && v.a.name === "kid-3" && v.parted.vat === "v3" &&
    v.b.since > v.a.since && v.clist.length === 1 && v.clist[0].a.startsWith("R ko") && v.clist[0].b === null &&
    v.heap.same === false && v.heap.pages.different > 0 && v.heap.pages.equal > v.heap.pages.different &&
    v.vatstore.some(r => r.a.includes("#5") && r.b.includes("#8")) && v.options.some(r => r.key === "options.reapDirtThreshold")'
expect "a grandparent that is gone" 1 z diff other grandchild
prints "other "
prints ", relative of grandchild "
prints "  ! vc."
expect "as a table" 1 z diff other grandchild --plain
[ "$(grep -c '^vatstore	!	' "$out")" = 1 ] || complain "rows"
grep -q '^heap	!	' "$out" || complain "pages"
expect "no relatives" 9 z diff kid-1 bootstrap
says "are no relatives"
expect "itself" 9 z diff kid-1 kid-1
says "is one vat"
expect "nobody" 3 z diff kid-1 nobody
expect "the gone" 3 z diff kid-1 v3
settle
[ "$before" = "$(cat "$store/swingstore.sqlite" | cksum)" ] || { failed=$((failed + 1)); echo "not ok - diff wrote to the store"; }

expect "one of two does something" 0 z send kid-3 increment 7
expect "to which few pages bear witness" 1 z diff kid-3 kid-4 --json
json stdout 'v.heap.pages.different > 0 && v.heap.pages.equal > 100 * (v.heap.pages.different + v.heap.pages.onlyA + v.heap.pages.onlyB) &&
    v.clist.length === 0 && v.vatstore.length === 1 && v.a.since > v.b.since'
expect "the other does the same" 0 z send kid-4 increment 7
expect "so they are equal" 0 z diff kid-3 kid-4 --json
json stdout 'v.equal && v.heap.same && v.a.since === v.b.since && v.options.length + v.clist.length + v.vatstore.length === 0'
finish
