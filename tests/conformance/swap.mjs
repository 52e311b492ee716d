// swap.mjs -- a scenario that stops at random cranks and goes on in the other kernel (C7).
//
// usage: node tests/conformance/swap.mjs [NAME...] [--verbose]
//
//   ZYGOTE_SEED   where it stops (1); the same seed stops at the same cranks
//
// The script gets restarts at random places, in the middle of runs too.  Upstream runs it
// alone, restarting there; then the two kernels take turns on one store, changing over where
// the restarts are, once with upstream first and once with ours.  All three must be equal on
// every level, at every step.  (Restarts, since a kernel keeps some things in memory only:
// what a restart loses, a change of kernels loses too.)
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { makeOracle } from '../oracle/upstream.mjs';
import { compare, report } from './levels.mjs';
import { bundles, root, runOurs } from './ours.mjs';
import { scriptText } from './generate.mjs';

// Those whose host keeps nothing that is not in the store.
const usual = [
    'minimal',
    'gc',
    'dynamic',
    'puppet-tour',
    'host-policy',
    'host-promises',
    'host-bundles',
    'message-patterns',
    'promise-states',
    'promise-cycles',
    'promise-pipelining',
    'promise-deciders',
    'gc-after-upgrade',
    'gc-weak',
    'restart-midway',
];

const makeRandom = seed => {
    let state = seed >>> 0;
    return n => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor((state / 2 ** 32) * n);
    };
};

// The script with restarts, and where they are.
const cut = (script, below) => {
    const out = [];
    const changes = [];
    const change = () => {
        changes.push(out.length);
        out.push({ op: 'restart' });
    };
    for (const [i, op] of script.entries()) {
        // what panicked can only be restarted, and says so itself
        const often = below(4) === 0 && !(script[i + 1] && script[i + 1].op === 'restart');
        if (op.op === 'send') {
            const { op: _op, ...rest } = op;
            out.push({ op: 'queueToVatRoot', ...rest });
            if (often) {
                out.push({ op: 'step', count: 1 + below(12) });
                change();
            }
            out.push({ op: 'run' }, { op: 'resolution' });
        } else if (op.op === 'run' && often) {
            out.push({ op: 'step', count: 1 + below(12) });
            change();
            out.push(op);
        } else {
            out.push(op);
            if (often && op.op !== 'restart') {
                change();
            }
        }
    }
    return { script: out, changes };
};

const top = fs.mkdtempSync(path.join(os.tmpdir(), 'swap-'));
process.on('exit', () => fs.rmSync(top, { recursive: true, force: true }));
const oracle = await makeOracle({ bundles });

// The kernels by turns; `first` begins.
const byTurns = async (dir, { script, changes }, first) => {
    const store = fs.mkdtempSync(path.join(top, 'store-'));
    fs.rmdirSync(store);
    const state = `${store}.state`;
    const ends = [...changes, script.length];
    let from = 0;
    let turn = first;
    const whole = { steps: [], cranks: [], slog: [] };
    let last;
    for (const to of ends) {
        if (from > 0) {
            // the restart itself is between two kernels
            whole.steps.push({ ...whole.steps.at(-1), restarted: true });
        }
        if (turn === 'upstream') {
            // eslint-disable-next-line no-await-in-loop
            last = await oracle.run(dir, { store, state, steps: [from, to] });
        } else {
            last = runOurs(dir, store, '--steps', `${from}`, `${to}`, '--state', state);
        }
        for (const key of ['steps', 'cranks', 'slog']) {
            whole[key].push(...last[key]);
        }
        from = to + 1;
        turn = turn === 'upstream' ? 'ours' : 'upstream';
    }
    fs.rmSync(store, { recursive: true, force: true });
    whole.steps = whole.steps.map(({ restarted, ...step }) =>
        restarted ? { op: 'restart', activityhash: step.activityhash } : step,
    );
    return { ...last, ...whole };
};

const check = async (name, seed) => {
    const source = path.join(root, 'tests/scenarios', name);
    const dir = path.join(top, name);
    fs.mkdirSync(dir, { recursive: true });
    const config = fs.readFileSync(path.join(source, 'config.json'), 'utf8');
    fs.writeFileSync(path.join(dir, 'config.json'), config.replaceAll('../../../build/bundles', bundles));
    const script = JSON.parse(fs.readFileSync(path.join(source, 'script.json'), 'utf8'));
    const made = cut(script, makeRandom(seed));
    fs.writeFileSync(path.join(dir, 'script.json'), scriptText(made.script));
    const alone = await oracle.run(dir);
    const out = [];
    for (const first of ['upstream', 'ours']) {
        // eslint-disable-next-line no-await-in-loop
        const results = compare(alone, await byTurns(dir, made, first));
        out.push({ first, changes: made.changes.length, results });
    }
    return out;
};

const argv = process.argv.slice(2);
const verbose = argv.includes('--verbose');
const named = argv.filter(name => !name.startsWith('--'));
const names = (named.length ? named : usual).filter(name =>
    fs.existsSync(path.join(root, 'tests/scenarios', name, 'config.json')),
);
const seed = Number(process.env.ZYGOTE_SEED || 1);
let passed = 0;
let failed = 0;
for (const name of names) {
    try {
        // eslint-disable-next-line no-await-in-loop
        for (const { first, changes, results } of await check(name, seed)) {
            const ok = results.every(it => it.ok);
            passed += ok ? 1 : 0;
            failed += ok ? 0 : 1;
            console.log(`${ok ? 'ok     ' : 'FAILED '} ${name}: ${first} first, ${changes} changes`);
            for (const line of report(results, { verbose })) {
                console.log(`    ${line}`);
            }
        }
    } catch (e) {
        failed += 1;
        console.log(`FAILED  ${name}: ${e.message}`);
    }
}
if (failed) {
    console.log(`again: ZYGOTE_SEED=${seed} node tests/conformance/swap.mjs`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
