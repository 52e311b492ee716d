// compare.mjs -- upstream's run of a scenario beside ours, from files.
//
// usage: node tests/conformance/compare.mjs UPSTREAM.json[.gz] OURS.json
//
// Prints a line for each kind of thing, the first difference with both sides, and
// "N passed, N failed".
import { readDump } from '../oracle/stored.mjs';
import { compare, report } from './levels.mjs';

const [theirs, ours] = process.argv.slice(2).map(readDump);
const results = compare(theirs, ours);
for (const line of report(results)) {
    console.log(line);
}
const failed = results.filter(({ ok }) => !ok).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
