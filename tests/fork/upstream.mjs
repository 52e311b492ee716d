// upstream.mjs -- a store with forks under the unmodified upstream kernel, and back.
//
// usage: node tests/fork/upstream.mjs
//
// A family is made by our kernel.  Then there are two copies of its store: the same
// messages are run in one by upstream's kernel with stock workers, in the other by ours.
// The answers must be equal, and so must the stores afterwards: every key, transcript and
// snapshot hash.  Then upstream's copy is handed back to our kernel, which goes on with it.
//
// Needs what tests/oracle/setup.sh builds; says so and skips where it is not there.
import '@endo/init/pre-bundle-source.js';
import '@endo/init';
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const build = path.resolve(process.env.BUILD || path.join(root, 'build'));
const bundles = process.env.ZYGOTE_BUNDLES || path.join(build, 'bundles');

const skip = why => {
    console.log(`[  SKIPPED ] upstream: ${why}`);
    console.log('0 passed, 0 failed');
    process.exit(0);
};
const worker = 'node_modules/@agoric/xsnap/xsnap-native/xsnap/build/bin/lin/release/xsnap-worker';
fs.existsSync(path.join(root, worker)) ||
    skip('the stock xsnap-worker is not built; run tests/oracle/setup.sh');
const peers = async () => ({
    ...(await import('better-sqlite3').then(({ default: D }) => new D(':memory:').close())),
    ...(await import('@agoric/swing-store')),
    ...(await import('@agoric/swingset-vat')),
    ...(await import('@agoric/kmarshal')),
    ...(await import('../oracle/store-dump.mjs')),
    ...(await import('../../js/build-bundles.mjs')),
});
const { buildBundles, dumpStore, kunser, makeSwingsetController, openSwingStore } =
    await peers().catch(e => skip(`${e.message.split('\n')[0]}; run tests/oracle/setup.sh`));

const top = fs.mkdtempSync(path.join(os.tmpdir(), 'zygote-upstream-'));
process.on('exit', () => fs.rmSync(top, { recursive: true, force: true }));
const env = {
    ...process.env,
    ZYGOTE_BUNDLES: bundles,
    ZYGOTE_CACHE: path.join(top, 'cache'),
};

let passed = 0;
const ok = what => {
    passed += 1;
    console.log(`ok - ${what}`);
};

// -- ours: one process per message -------------------------------------------------

const zygote = (dir, ...args) => {
    const all = ['-q', '-C', dir, ...args];
    try {
        const stdio = ['ignore', 'pipe', 'pipe'];
        return execFileSync(path.join(build, 'zygote'), all, { env, stdio, encoding: 'utf8' });
    } catch (e) {
        throw Error(`zygote ${args.join(' ')}: exit ${e.status}: ${e.stderr}`);
    }
};
const ours = (dir, method, ...args) =>
    JSON.parse(zygote(dir, 'send', 'bootstrap', method, ...args.map(a => JSON.stringify(a))));

// -- theirs: the same, one controller per message ------------------------------------

await buildBundles(bundles, ['oracle-kernel']);
const kernelBundle = JSON.parse(fs.readFileSync(path.join(bundles, 'oracle-kernel.json'), 'utf8'));

const theirs = async (dir, method, ...args) => {
    const ss = openSwingStore(dir);
    const controller = await makeSwingsetController(ss.kernelStorage, {}, { kernelBundle, env: {} });
    const kpid = controller.queueToVatRoot('bootstrap', method, args);
    await controller.run();
    const status = controller.kpStatus(kpid);
    const answer = kunser(controller.kpResolution(kpid));
    await ss.hostStorage.commit();
    await controller.shutdown();
    await ss.hostStorage.close();
    assert.equal(status, 'fulfilled', `${method} ${JSON.stringify(args)}: ${answer}`);
    return answer;
};

// -- comparing ------------------------------------------------------------------------

const comparable = dir => {
    const dump = dumpStore(dir);
    for (const key of Object.keys(dump.kvStore)) {
        if (key.startsWith('host.')) {
            delete dump.kvStore[key];
        }
    }
    // Where there are forks a hash covers what is new of a long list, not all of it.
    delete dump.kvStore.activityhash;
    // Ours keeps the transcript of a dead vat for its descendants; upstream's does not.
    for (const vatID of Object.keys(dump.spans)) {
        if (!dump.spans[vatID].some(([, , , isCurrent]) => isCurrent)) {
            delete dump.spans[vatID];
            delete dump.transcripts[vatID];
        }
    }
    return dump;
};
const firstDifference = (a, b, where = '') => {
    if (Object.is(a, b)) {
        return undefined;
    }
    if (a && b && typeof a === 'object' && typeof b === 'object') {
        for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
            const found = firstDifference(a[key], b[key], `${where}/${key}`);
            if (found) {
                return found;
            }
        }
        return undefined;
    }
    const cut = x => `${JSON.stringify(x)}`.slice(0, 300);
    return `${where}: upstream ${cut(a)}, ours ${cut(b)}`;
};
const same = (a, b, what) => {
    const found = firstDifference(comparable(a), comparable(b));
    assert.equal(found, undefined, `${what}: ${found}`);
    ok(what);
};

// The messages, one by one, to upstream's kernel and to ours; then the stores are compared.
const converse = async (messages, upstream, our) => {
    for (const message of messages) {
        // eslint-disable-next-line no-await-in-loop
        const answer = await theirs(upstream, ...message);
        assert.deepEqual(JSON.parse(JSON.stringify(answer)), ours(our, ...message));
        ok(`the same answer to ${JSON.stringify(message)}`);
    }
    same(upstream, our, 'the same store: keys, transcripts, snapshots');
};

// -- the family -------------------------------------------------------------------------

const store = name => path.join(top, name);
const first = store('first');
zygote(first, 'run', path.join(root, 'js/demo/demo.json'));
for (const message of [
    ['create', 'ann', 5],
    ['makeJar', 'ann', 'jam'],
    ['makeAccount', 'ann', 'savings'],
    ['fork', 'ann', 'bob'],
    ['increment', 'ann', 2],
    ['forkWith', 'ann', 'cat', 'jam', 'jelly'],
    ['zygotify', 'bob'],
    ['fork', 'bob', 'dora'],
    ['fork', 'bob', 'never-ran'],
]) {
    ours(first, ...message);
}
fs.cpSync(first, store('upstream'), { recursive: true });
fs.cpSync(first, store('ours'), { recursive: true });

// Under upstream there are no seals, and no forks: what is asked keeps to what both know.
const conversation = [
    ['read', 'cat'],
    ['increment', 'cat', 10],
    ['increment', 'dora', 100],
    ['put', 'jelly', 4],
    ['look', 'jelly'],
    ['look', 'jam'],
    ['deposit', 'savings', 7],
    ['makeJar', 'dora', 'honey'],
    ['put', 'honey', 9],
    ['create', 'eve', 1],
    ['increment', 'never-ran', 3],
    ['terminate', 'ann', 'enough'],
    ['increment', 'cat', 1000],
    ['look', 'jelly'],
    ['read', 'dora'],
];
await converse(conversation, store('upstream'), store('ours'));

// -- and back ------------------------------------------------------------------------------

zygote(store('upstream'), 'audit');
ok('our audit of the store that upstream wrote');
for (const child of ['cat', 'dora', 'never-ran']) {
    zygote(store('ours'), 'replay', child, '--from-genesis', '--verify');
    assert.throws(() => zygote(store('upstream'), 'replay', child, '--from-genesis'), /exit 3: .* is gone/);
    ok(`${child} can be replayed from genesis where our kernel buried its ancestor`);
}
for (const message of [
    ['increment', 'cat', 1],
    ['forkWith', 'cat', 'fay', 'jelly', 'marmalade'],
    ['put', 'marmalade', 1],
    ['look', 'jelly'],
    ['fork', 'bob', 'gus'],
    ['increment', 'gus', 1],
    ['read', 'eve'],
]) {
    assert.deepEqual(ours(store('upstream'), ...message), ours(store('ours'), ...message));
    ok(`back: the same answer to ${JSON.stringify(message)}`);
}
zygote(store('upstream'), 'audit');
same(store('upstream'), store('ours'), 'back: the same store');

// -- promises in flight ----------------------------------------------------------------------

// A vat that waits, its child and its grandchild, which share what it waits for.
const waiting = store('waiting');
const g = name => ({ thing: name });
zygote(waiting, 'run', path.join(root, 'tests/fork/state.json'));
for (const message of [
    ['make', 'ear'],
    ...['g1', 'g2', 'w1', 'w2'].map(gate => ['gate', gate]),
    ['create', 'P', 'promises'],
    ['ask', 'P', 'wait', 'g1', g('g1')],
    ['later', 'P', 'answer', 'g1', g('g1')],
    ['ask', 'P', 'pipeline', 'ahead', g('ear'), 'g2'],
    ['ask', 'P', 'make', 'own'],
    ['take', 'P', 'own'],
    ['ask', 'P', 'watchOwn', 'own'],
    ['ask', 'P', 'watch', 'w1', g('w1')],
    ['ask', 'P', 'watch', 'w2', g('w2')],
    ['fork', 'P', 'C', [], { promises: 'share' }],
    ['fork', 'C', 'G', [], { promises: 'share' }],
]) {
    ours(waiting, ...message);
}
fs.cpSync(waiting, store('waiting-upstream'), { recursive: true });
await converse(
    [
        ['open', 'g1', 7],
        ['askAll', ['P', 'C', 'G'], 'heard'],
        ['open', 'g2', g('ear')],
        ['askAll', ['P', 'C', 'G'], 'heard'],
        ['ask', 'C', 'settle', 'own', 'one'],
        ['shut', 'w2', 'no more'],
        ['upgrade', 'G', 'promises'],
        ['askAll', ['P', 'C', 'G'], 'notes'],
        ['terminate', 'P', 'enough'],
        ['open', 'w1', g('C.root')],
        ['askAll', ['C', 'G'], 'notes'],
        ['heard'],
    ],
    store('waiting-upstream'),
    waiting,
);
zygote(store('waiting-upstream'), 'audit');
ok('our audit of what upstream made of shared promises');
console.log(`${passed} passed, 0 failed`);
