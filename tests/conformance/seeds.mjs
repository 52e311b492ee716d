// seeds.mjs -- generated scenarios in our kernel, compared with upstream's.
//
// usage: node tests/conformance/seeds.mjs [--part I/N]               against what is kept
//        node tests/conformance/seeds.mjs --anew [--part I/N]        upstream is run now
//        node tests/conformance/seeds.mjs --seed N                   one of them, anew, in full
//        node tests/conformance/seeds.mjs --record COUNT             keep what upstream does
//
//   ZYGOTE_SEEDS   how many with --anew (1000);  ZYGOTE_SEED   the first of them (1)
//
// A whole run is too big to keep for every seed: tests/scenarios/seeds.json.gz holds short
// hashes of each, made only by upstream: of the scenario, of every step with its cranks, and
// of each of the store's tables at the end.  With --anew the runs are laid side by side, and a
// failing scenario is made smaller, call by call and act by act, while it still fails.
// Scenarios are left in $BUILD/seeds.  Ends with "N passed, N failed".
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { readDump, writeDump } from '../oracle/stored.mjs';
import { generate, scriptText, writeScenario } from './generate.mjs';
import { compare, normal, report } from './levels.mjs';
import { build, bundles, root, runOurs } from './ours.mjs';

const file = path.join(root, 'tests/scenarios/seeds.json.gz');
const KEPT = 50;

const short = value =>
    createHash('sha256').update(typeof value === 'string' ? value : JSON.stringify(value)).digest('hex').slice(0, 8);

const scenarioHash = ({ config, script }) => short([config, scriptText(script)]);

// What is kept of a run: { steps, kvStore, … }.
const digestOf = run => {
    const { steps, cranks, activityhashes, slog: _s, wholeSlog: _w, ...tables } = normal(run);
    const stepDigests = steps.map((step, i) =>
        short([step, cranks.filter(crank => JSON.parse(crank)[0] === i), activityhashes[i]]),
    );
    return {
        cranks: cranks.length,
        steps: stepDigests.join(' '),
        ...Object.fromEntries(Object.entries(tables).map(([name, rows]) => [name, short(rows)])),
    };
};

const work = fs.mkdtempSync(path.join(os.tmpdir(), 'seeds-'));
process.on('exit', () => fs.rmSync(work, { recursive: true, force: true }));
const folder = (seed, suffix = '') => path.join(build, 'seeds', `${seed}${suffix}`);

const ours = dir => {
    const store = path.join(work, 'store');
    fs.rmSync(store, { recursive: true, force: true });
    return runOurs(dir, store);
};

let oracle;
const theirs = async dir => {
    oracle ||= await (await import('../oracle/upstream.mjs')).makeOracle({ bundles });
    return oracle.run(dir);
};

// -- against what is kept ------------------------------------------------------------------

// Undefined if equal, else where they first differ.
const checkKept = (seed, entry) => {
    const scenario = generate(seed);
    if (scenarioHash(scenario) !== entry.scenario) {
        return 'the generator makes another scenario of it: record again';
    }
    writeScenario(folder(seed), scenario);
    const { steps, ...rest } = digestOf(ours(folder(seed)));
    const expected = entry.steps.split(' ');
    const at = steps.split(' ').findIndex((hash, i) => hash !== expected[i]);
    if (at !== -1 || steps !== entry.steps) {
        return `step ${at} (${JSON.stringify(scenario.script[at])})`;
    }
    return Object.keys(rest).find(name => rest[name] !== entry[name]);
};

// -- anew ------------------------------------------------------------------------------------

const differs = async dir => {
    const results = compare(await theirs(dir), ours(dir));
    return results.some(({ ok }) => !ok) ? results : undefined;
};

// A kernel that cannot run it at all is not the failure that is looked for.
const stillFails = async (seed, config, script) => {
    const dir = folder(seed, '-smaller');
    writeScenario(dir, { config, script });
    try {
        return await differs(dir);
    } catch (e) {
        return undefined;
    }
};

// Scripts with one thing less, the big things first.
function* smaller(script) {
    for (let n = script.length >> 1; n >= 1; n >>= 1) {
        for (let i = script.length - n; i >= 0; i -= n) {
            yield [...script.slice(0, i), ...script.slice(i + n)];
        }
    }
    for (let i = script.length - 1; i >= 0; i -= 1) {
        const { method, args } = script[i];
        if (method === 'do' && args[0].length > 1) {
            for (let j = args[0].length - 1; j >= 0; j -= 1) {
                const acts = [...args[0].slice(0, j), ...args[0].slice(j + 1)];
                yield [...script.slice(0, i), { ...script[i], args: [acts] }, ...script.slice(i + 1)];
            }
        }
    }
}

const shrink = async (seed, config, script, tries) => {
    let smallest = script;
    let left = tries;
    for (let again = true; again && left > 0; ) {
        again = false;
        for (const candidate of smaller(smallest)) {
            left -= 1;
            if (left < 0) {
                break;
            }
            // eslint-disable-next-line no-await-in-loop
            if (await stillFails(seed, config, candidate)) {
                smallest = candidate;
                again = true;
                break;
            }
        }
    }
    return smallest;
};

const checkAnew = async (seed, verbose) => {
    const scenario = generate(seed);
    const dir = folder(seed);
    writeScenario(dir, scenario);
    const theirRun = await theirs(dir);
    const results = compare(theirRun, ours(dir));
    const lines = report(results, { verbose });
    if (results.every(({ ok }) => ok)) {
        return { lines: lines.length ? lines : [`ok      ${theirRun.cranks.length} cranks`] };
    }
    const tries = Number(process.env.ZYGOTE_SHRINK || 40);
    const smallest = await shrink(seed, scenario.config, scenario.script, tries);
    const out = folder(seed, '-smaller');
    writeScenario(out, { config: scenario.config, script: smallest });
    return { failed: true, lines: [...lines, `scenario: ${dir}`, `smaller:  ${out}`, scriptText(smallest)] };
};

// -- the whole ---------------------------------------------------------------------------------

const options = { part: '1/1' };
const argv = process.argv.slice(2);
for (let i = 0; i < argv.length; i += 1) {
    if (argv[i] === '--anew' || argv[i] === '--verbose') {
        options[argv[i].slice(2)] = true;
    } else if (['--part', '--seed', '--record'].includes(argv[i]) && i + 1 < argv.length) {
        i += 1;
        options[argv[i - 1].slice(2)] = argv[i];
    } else {
        console.error(`seeds.mjs: no such option: ${argv[i]}`);
        process.exit(2);
    }
}

const record = async count => {
    const { versions } = await import('../oracle/upstream.mjs');
    const entries = {};
    for (let seed = 1; seed <= count; seed += 1) {
        const scenario = generate(seed);
        writeScenario(folder(seed), scenario);
        // eslint-disable-next-line no-await-in-loop
        entries[seed] = { scenario: scenarioHash(scenario), ...digestOf(await theirs(folder(seed))) };
        console.log(`seed ${seed}: ${entries[seed].cranks} cranks`);
    }
    writeDump(file, { schema: 1, kernel: 'upstream', versions: versions(), seeds: entries });
};

const seedsOf = () => {
    const [i, n] = options.part.split('/').map(Number);
    const first = options.anew ? Number(process.env.ZYGOTE_SEED || 1) : 1;
    const count = options.anew ? Number(process.env.ZYGOTE_SEEDS || 1000) : KEPT;
    const all = Array.from({ length: count }, (_, at) => first + at);
    return options.seed ? [Number(options.seed)] : all.filter((_seed, at) => at % n === i - 1);
};

const main = async () => {
    if (options.record) {
        await record(Number(options.record));
        return 0;
    }
    const anew = options.anew || options.seed;
    const kept = anew ? undefined : readDump(file).seeds;
    let passed = 0;
    let failed = 0;
    for (const seed of seedsOf()) {
        let lines;
        let bad = true;
        try {
            if (anew) {
                // eslint-disable-next-line no-await-in-loop
                const result = await checkAnew(seed, options.verbose || !!options.seed);
                ({ lines } = result);
                bad = !!result.failed;
            } else {
                const where = checkKept(seed, kept[seed]);
                bad = where !== undefined;
                lines = bad
                    ? [`FAILED  first difference: ${where}`, 'in full: tests/conformance/scenario.sh --seed ' + seed]
                    : [`ok      ${kept[seed].cranks} cranks`];
            }
        } catch (e) {
            lines = [`FAILED  ${e.message}`, `scenario: ${folder(seed)}`];
        }
        for (const line of lines) {
            console.log(`seed ${`${seed}`.padEnd(6)} ${line}`);
        }
        passed += bad ? 0 : 1;
        failed += bad ? 1 : 0;
    }
    console.log(`${passed} passed, ${failed} failed`);
    return failed || !passed ? 1 : 0;
};

main().then(
    code => process.exit(code),
    e => {
        console.error(e);
        process.exit(1);
    },
);
