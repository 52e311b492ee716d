// scenarios.mjs -- scenarios in our kernel, compared with upstream's.
//
// usage: node tests/conformance/scenarios.mjs [NAME...] [options]
//
//   NAME           folders of tests/scenarios, or paths of folders; none: all of them
//   --part I/N     of these the I-th of N parts
//   (nothing)      our kernel and worker, against the kept runs of upstream
//   --anew         upstream is run now, and must also equal its kept runs; the whole slog is
//                  compared, machines coming online and kernel consoles too
//   --stock        our kernel drives the stock xsnap-worker
//   --our-worker   upstream's kernel drives our worker, against its kept runs
//   --verbose      a line for every level
//   --keep DIR     leave stores, and whole runs as JSON, there
//
// A scenario passes if every level is equal (levels.mjs).  Ends with "N passed, N failed".
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { kept, readDump, writeDump } from '../oracle/stored.mjs';
import { readSlog, whole } from '../oracle/slog.mjs';
import { compare, report } from './levels.mjs';
import { bundles, ourWorker, root, runOurs, stockWorker } from './ours.mjs';

const modes = ['anew', 'stock', 'our-worker'];

const parseArguments = argv => {
    const options = { names: [], mode: 'kept' };
    for (let i = 0; i < argv.length; i += 1) {
        const name = argv[i].replace(/^--/, '');
        if (!argv[i].startsWith('--')) {
            options.names.push(name);
        } else if (modes.includes(name)) {
            options.mode = name;
        } else if (name === 'verbose') {
            options.verbose = true;
        } else if (name === 'part' || name === 'keep') {
            i += 1;
            options[name] = argv[i];
        } else {
            console.error(`scenarios.mjs: no such option: ${argv[i]}`);
            process.exit(2);
        }
    }
    return options;
};

const all = () => {
    const dir = path.join(root, 'tests/scenarios');
    return fs
        .readdirSync(dir)
        .filter(name => fs.existsSync(path.join(dir, name, 'config.json')))
        .sort();
};

const partOf = (names, part) => {
    const [i, n] = part.split('/').map(Number);
    return names.filter((_name, at) => at % n === i - 1);
};

const folderOf = name => (name.includes('/') ? path.resolve(name) : path.join(root, 'tests/scenarios', name));

const { names, mode, part, verbose = false, keep } = parseArguments(process.argv.slice(2));
const listed = names.length ? names : all();
const chosen = part ? partOf(listed, part) : listed;
const top = keep ? path.resolve(keep) : fs.mkdtempSync(path.join(os.tmpdir(), 'scenarios-'));
process.on('exit', () => keep || fs.rmSync(top, { recursive: true, force: true }));

const oracle =
    mode === 'anew' || mode === 'our-worker'
        ? await (await import('../oracle/upstream.mjs')).makeOracle({ bundles })
        : undefined;

// The two runs to compare.
const runs = async (folder, work) => {
    const file = path.join(folder, 'upstream.json.gz');
    const stored = () => readDump(file);
    if (mode === 'our-worker') {
        return [stored(), await oracle.run(folder, { worker: ourWorker })];
    }
    const store = path.join(work, 'store');
    if (mode !== 'anew') {
        return [stored(), runOurs(folder, store, ...(mode === 'stock' ? ['--stock', stockWorker] : []))];
    }
    const slog = path.join(work, 'upstream.slog');
    const theirs = await oracle.run(folder, { slog });
    const ours = runOurs(folder, store, '--preload');
    if (fs.existsSync(file)) {
        const again = JSON.stringify(kept(theirs)) === JSON.stringify(stored());
        if (!again) {
            throw Error("upstream's own run differs from the one that is kept: record it again");
        }
    }
    theirs.wholeSlog = readSlog(slog, whole);
    ours.wholeSlog = readSlog(`${store}.slog`, whole);
    return [theirs, ours];
};

let passed = 0;
let failed = 0;
for (const name of chosen) {
    const folder = folderOf(name);
    const title = path.basename(folder);
    const work = path.join(top, title);
    fs.mkdirSync(work, { recursive: true });
    let lines;
    let wrong = 1;
    try {
        // eslint-disable-next-line no-await-in-loop
        const [theirs, ours] = await runs(folder, work);
        if (keep) {
            writeDump(path.join(work, 'upstream.json'), theirs);
            writeDump(path.join(work, 'ours.json'), ours);
        }
        const results = compare(theirs, ours);
        wrong = results.filter(({ ok }) => !ok).length;
        lines = report(results, { verbose });
        if (!lines.length) {
            lines = [`ok      ${theirs.cranks.length} cranks`];
        }
    } catch (e) {
        lines = [`FAILED  ${e.message}`];
    }
    if (wrong) {
        failed += 1;
    } else {
        passed += 1;
    }
    for (const line of lines) {
        console.log(`${title.padEnd(24)} ${line}`);
    }
    if (wrong) {
        const again = mode === 'kept' ? '' : ` --${mode}`;
        console.log(`${''.padEnd(24)} again: tests/conformance/scenario.sh ${name}${again}`);
    }
    if (!keep) {
        fs.rmSync(work, { recursive: true, force: true });
    }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
