// compare.mjs -- upstream's run of a scenario beside ours.
//
// usage: node tests/conformance/compare.mjs UPSTREAM.json[.gz] OURS.json
//
// Compares what conformance means (levels C1 to C4 and C6): every step's result and
// activityhash, every crank's hashes, kvStore but local.*, transcripts and their spans,
// heap snapshot hashes, bundle IDs.  Prints a line for each, names the first
// difference of each kind with both sides, and ends with "N passed, N failed".
import fs from 'node:fs';
import zlib from 'node:zlib';

const [theirsFile, oursFile] = process.argv.slice(2);
const read = file => {
    const bytes = fs.readFileSync(file);
    return JSON.parse(file.endsWith('.gz') ? zlib.gunzipSync(bytes) : bytes);
};
const theirs = read(theirsFile);
const ours = read(oursFile);

const flatten = groups =>
    Object.entries(groups)
        .flatMap(([vatID, rows]) => rows.map(row => [vatID, ...row]))
        .sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] - b[1]));

const stepOf = ({ op, cranks, kpid, status, resolution, bundleID }) =>
    JSON.stringify([op, cranks, kpid, status, resolution, bundleID]);

const kinds = {
    'C1 results of host calls': [theirs.steps.map(stepOf), ours.steps.map(stepOf)],
    'C2 transcripts': [
        flatten(theirs.transcripts).map(r => JSON.stringify(r)),
        ours.transcripts.map(r => JSON.stringify(r)),
    ],
    'C2 transcript spans and hashes': [
        flatten(theirs.spans).map(r => JSON.stringify(r)),
        ours.spans.map(r => JSON.stringify(r)),
    ],
    'C3 heap snapshot hashes': [
        flatten(theirs.snapshots).map(r => JSON.stringify(r)),
        ours.snapshots.map(r => JSON.stringify(r)),
    ],
    'C4 kvStore': [
        Object.entries(theirs.kvStore)
            .filter(([key]) => key !== 'activityhash')
            .map(r => JSON.stringify(r))
            .sort(),
        ours.kvStore
            .filter(([key]) => key !== 'activityhash')
            .map(r => JSON.stringify(r))
            .sort(),
    ],
    'C4 bundles': [Object.keys(theirs.bundles).sort(), ours.bundles.map(r => r[0]).sort()],
    'C6 crank hashes': [
        theirs.cranks.map(c => JSON.stringify([c.step, c.crankNum, c.crankhash])),
        ours.cranks.map(c => JSON.stringify([c.step, c.crankNum, c.crankhash])),
    ],
    'C6 activityhash after each step': [
        theirs.steps.map(s => s.activityhash),
        ours.steps.map(s => s.activityhash),
    ],
};

let passed = 0;
let failed = 0;
const clip = text => (text === undefined ? '(nothing)' : text.slice(0, 2000));
for (const [kind, [a, b]] of Object.entries(kinds)) {
    let at = 0;
    while (at < Math.max(a.length, b.length) && a[at] === b[at]) {
        at += 1;
    }
    if (at === a.length && at === b.length) {
        passed += 1;
        console.log(`ok      ${kind}: ${a.length} equal`);
    } else {
        failed += 1;
        const wrong = a.filter((x, i) => x !== b[i]).length;
        console.log(`FAILED  ${kind}: first difference at ${at} of ${a.length} (${wrong} differ)`);
        console.log(`  upstream: ${clip(a[at])}\n  ours:     ${clip(b[at])}`);
    }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
