// compare.mjs -- does a run of ours leave behind what upstream's did?
//
// usage: node tests/oracle/compare.mjs EXPECTED.json[.gz] ACTUAL [LEVEL...]
//
// EXPECTED comes from run-upstream.mjs.  ACTUAL is a store (a folder), a dump of
// store-dump.mjs, or a dump that has `steps` and `cranks` as well.  What ACTUAL
// does not have is skipped, unless its level is asked for by name:
//
//   C1 results       status and resolution of every step
//   C2 transcripts   every item, and the spans
//   C3 snapshots     every snapshot in the store, and the bundles beside them
//   C4 kvStore       every key but local.* and activityhash
//   C6 hashes        crankhash and activityhash, crank by crank and step by step
//
// Prints the first differences of each, and how many there are.
import fs from 'node:fs';
import { dumpStore, readDump } from './store-dump.mjs';

const SHOWN = 3;
const [expectedFile, actualFile, ...asked] = process.argv.slice(2);
if (!actualFile) {
    console.error('usage: node tests/oracle/compare.mjs EXPECTED.json[.gz] ACTUAL [LEVEL...]');
    process.exit(2);
}
const expected = readDump(expectedFile);
const actual = fs.statSync(actualFile).isDirectory() ? dumpStore(actualFile) : readDump(actualFile);

const brief = value => {
    const text = value === undefined ? '(absent)' : JSON.stringify(value);
    return text.length > 400 ? `${text.slice(0, 400)}… (${text.length} characters)` : text;
};

// Where two texts part, when both are long.
const parting = (a, b) => {
    if (typeof a !== 'string' || typeof b !== 'string' || a.length < 200) {
        return '';
    }
    let i = 0;
    while (i < a.length && a[i] === b[i]) {
        i += 1;
    }
    const at = text => text.slice(Math.max(0, i - 60), i + 120);
    return `\n    from character ${i}:\n      expected …${at(a)}\n      actual   …${at(b)}`;
};

// Flattens a section into [name, value] entries that can be compared one by one.
const flatten = {
    results: ({ steps }) =>
        steps.map((step, i) => [
            `step ${i} ${step.op}`,
            [step.kpid, step.status, step.resolution?.body, step.resolution?.slots],
        ]),
    transcripts: ({ transcripts, spans }) => [
        ...Object.entries(transcripts).flatMap(([vatID, rows]) =>
            rows.flatMap(([position, incarnation, item]) => [
                [`${vatID} item ${position}`, item],
                [`${vatID} item ${position} incarnation`, incarnation],
            ]),
        ),
        ...Object.entries(spans).flatMap(([vatID, rows]) =>
            rows.map(row => [`${vatID} span ${row[0]}`, row]),
        ),
    ],
    snapshots: ({ snapshots, bundles }) => [
        ...Object.entries(snapshots).flatMap(([vatID, rows]) =>
            rows.map(([snapPos, hash, inUse, size]) => [
                `${vatID} snapshot ${snapPos}`,
                [hash, inUse, size],
            ]),
        ),
        ...Object.entries(bundles).map(([id, hash]) => [`bundle ${id.slice(0, 20)}…`, hash]),
    ],
    kvStore: ({ kvStore }) => Object.entries(kvStore).filter(([key]) => key !== 'activityhash'),
    hashes: ({ steps = [], cranks = [], kvStore }) => [
        ...cranks.map(crank => [
            `crank ${crank.crankNum} (step ${crank.step}: ${crank.type} ${crank.message} ` +
                `${crank.deliver || ''})`,
            [crank.crankhash, crank.activityhash],
        ]),
        ...steps.map((step, i) => [`after step ${i}`, step.activityhash]),
        ['activityhash at the end', kvStore.activityhash],
    ],
};
const levels = [
    ['C1', 'results', 'steps'],
    ['C2', 'transcripts', 'transcripts'],
    ['C3', 'snapshots', 'snapshots'],
    ['C4', 'kvStore', 'kvStore'],
    ['C6', 'hashes', 'kvStore'],
];

let passed = 0;
let failed = 0;
for (const [level, name, needs] of levels) {
    const wanted = asked.includes(level);
    if (asked.length ? !wanted : !actual[needs]) {
        continue;
    }
    if (!actual[needs]) {
        console.log(`${level} ${name}: missing from ${actualFile}`);
        failed += 1;
        continue;
    }
    // A dump of a store alone has no cranks and no steps to compare.
    const known =
        name === 'hashes' && !(actual.cranks && actual.steps)
            ? { kvStore: expected.kvStore, steps: actual.steps && expected.steps }
            : expected;
    const left = flatten[name](known);
    const right = new Map(flatten[name](actual));
    const differences = [];
    for (const [key, value] of left) {
        const other = right.get(key);
        if (JSON.stringify(value) !== JSON.stringify(other)) {
            differences.push(
                `  ${key}\n    expected ${brief(value)}\n    actual   ${brief(other)}` +
                    parting(value, other),
            );
        }
        right.delete(key);
    }
    for (const [key, value] of right) {
        differences.push(`  ${key}\n    expected (absent)\n    actual   ${brief(value)}`);
    }
    if (differences.length === 0) {
        console.log(`${level} ${name}: equal (${left.length})`);
        passed += 1;
    } else {
        console.log(`${level} ${name}: ${differences.length} differences`);
        console.log(differences.slice(0, SHOWN).join('\n'));
        failed += 1;
    }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
