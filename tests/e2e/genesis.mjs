// genesis.mjs -- a config makes the same kernel here as upstream: the activityhash after
// `zygote init`, which covers every key in the order it was written, equals that of
// initializeSwingset() for random configs with awkward names, options and parameters.
//
// usage: node tests/e2e/genesis.mjs [--long]   from the root of the repository
//        ZYGOTE_SEED=7 ZYGOTE_CONFIGS=100 node tests/e2e/genesis.mjs
//
// Bundling from source is what takes the time, and each side does it for itself.  With --long
// all that the fixed configs name is bundled; without, the vats of one, and the rest are
// bundles that the build has made of the same files.
import '@endo/init/pre-bundle-source.js';
import '@endo/init';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
    initializeSwingset,
    loadSwingsetConfigFile,
} from '@agoric/swingset-vat/src/controller/initializeSwingset.js';

const build = path.resolve(process.env.BUILD || 'build');
const zygote = path.resolve(process.env.ZYGOTE || path.join(build, 'zygote'));
const bundles = process.env.ZYGOTE_BUNDLES || path.join(build, 'bundles');
const sql = path.join(build, 'tests/e2e/sql');
const seed = Number(process.env.ZYGOTE_SEED || 1);
const long = process.argv[2] === '--long';
const count = Number(process.env.ZYGOTE_CONFIGS || (long ? 100 : 10));
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'genesis-'));
fs.symlinkSync(path.resolve('node_modules'), path.join(dir, 'node_modules'));

const read = name => JSON.parse(fs.readFileSync(path.join(bundles, `${name}.json`), 'utf8'));
const kernelBundles = {
    adminVat: read('sys-vatAdmin'),
    adminDevice: read('sys-vatAdminDevice'),
    vattp: read('sys-vattp'),
    timer: read('sys-timer'),
    comms: read('sys-comms'),
};

// Randomness from the seed alone.
let state;
const below = n => {
    state = createHash('sha256').update(state).digest();
    return state.readUInt32LE() % n;
};
const pick = list => list[below(list.length)];
const chance = n => below(n) === 0;

const NAMES = [
    'a', 'b', 'B', 'Z', 'aa', 'a.b', 'vat-1', '0', '1', '7', '10', '9', '007', '1.0', '-1', '1e3',
    '4294967294', '4294967295', '4294967296', 'zoe', 'x y', 'é', 'ß', '日本', '\u{1F600}', '\uFFFD',
    '\uE000', 'comms',
];
const FILES = ['demo-trivial', 'demo-counter', 'test-cli-throws', 'test-cli'];

const value = depth => {
    switch (below(depth > 2 ? 6 : 8)) {
        case 0: return null;
        case 1: return chance(2);
        case 2: return pick([0, -0, 1, -1.5, 1e21, 1e-7, 9007199254740993, 5e-324]);
        case 3: return pick(['', 'x', '#y', '!z', '+1', '\u0000', '\ud800', 'é', '"\\', '$0']);
        case 4: return [];
        case 5: return {};
        case 6: return Array.from({ length: below(4) }, () => value(depth + 1));
        default: return record(depth + 1);
    }
};
const record = depth => {
    const out = {};
    for (let n = below(4); n > 0; n -= 1) {
        out[pick(NAMES)] = value(depth);
    }
    return out;
};

const reap = () => (chance(3) ? 'never' : below(5));
const vatOptions = () => ({
    ...(chance(3) && { critical: chance(2) }),
    ...(chance(3) && { enablePipelining: chance(2) }),
    ...(chance(3) && { reapInterval: reap() }),
    ...(chance(3) && { reapGCKrefs: reap() }),
    ...(chance(3) && { neverReap: chance(2) }),
    ...(chance(3) && { managerType: pick(['xsnap', 'xs-worker']) }),
    ...(chance(4) && { enableDisavow: chance(2) }),
    ...(chance(4) && { enableSetup: false, useTranscript: true }),
});

const makeConfig = () => {
    const config = { bundles: {}, vats: {} };
    for (let n = below(4); n > 0; n -= 1) {
        config.bundles[pick(NAMES)] = { bundleSpec: path.join(bundles, `${pick(FILES)}.json`) };
    }
    const named = Object.keys(config.bundles);
    const flags = { addComms: chance(2), addVattp: chance(2), addTimer: chance(2) };
    for (let n = 1 + below(5); n > 0; n -= 1) {
        const source = chance(3) && named.length ? { bundleName: pick(named) }
            : chance(3) ? { bundle: read(pick(FILES)) }
            : { bundleSpec: path.join(bundles, `${pick(FILES)}.json`) };
        config.vats[pick(NAMES)] = {
            ...source,
            ...(chance(2) && { parameters: record(0) }),
            ...(chance(2) && { creationOptions: vatOptions() }),
        };
    }
    flags.addComms &&= !('comms' in config.vats); // upstream would overwrite it; ours refuses
    config.bootstrap = pick(Object.keys(config.vats));
    config.defaultManagerType = pick(['xsnap', 'xs-worker']);
    if (chance(3)) config.defaultReapInterval = reap();
    if (chance(3)) config.defaultReapGCKrefs = reap();
    if (chance(3)) config.snapshotInitial = 1 + below(9);
    if (chance(3)) config.snapshotInterval = 1 + below(300);
    if (chance(3)) config.relaxDurabilityRules = chance(2);
    if (chance(2)) config.pinBootstrapRoot = chance(2);
    return { config, flags, argv: Array.from({ length: below(3) }, () => pick(['x', 'é', '1', '--y'])) };
};

// Configs that are the same every time: what is bundled from source, and every device.
const demo = file => path.resolve('js/demo', file);
const built = name => ({ bundleSpec: path.join(bundles, `${name}.json`) });
const counter = long ? { sourceSpec: demo('counter.js') } : built('demo-counter');
const devices = path.resolve('node_modules/@agoric/swingset-vat/src/devices');
const device = (name, more) => ({
    ...(long ? { sourceSpec: path.join(devices, name, `device-${name}.js`) }
        : built(`sys-${name === 'vat-admin' ? 'vatAdmin' : name}Device`)),
    ...more,
});
const FIXED = [
    {
        config: {
            bootstrap: 'b',
            defaultManagerType: 'xs-worker',
            vats: {
                b: { sourceSpec: demo('counter.js') },
                named: { bundleName: 'n' },
                vattp: { sourceSpec: '@agoric/swingset-vat/src/vats/vattp/vat-vattp.js' },
            },
            bundles: { n: { sourceSpec: demo('trivial.js') } },
        },
    },
    {
        config: {
            bootstrap: 'b',
            defaultManagerType: 'xs-worker',
            includeDevDependencies: true,
            vats: { b: counter },
            bundles: { t: device('timer') },
            devices: {
                timer: { bundleName: 't', creationOptions: { unendowed: true } },
                7: device('bridge', { parameters: { b: 1, a: ['x', -0, 1e21], 3: null } }),
                'by any name': device('mailbox', { parameters: null }),
                bundle: device('bundle', {
                    parameters: [],
                    creationOptions: { deviceParameters: { gone: 1 }, unendowed: true },
                }),
                command: device('command', { creationOptions: {} }),
                loopbox: device('loopbox'),
            },
        },
        flags: { addTimer: true, addVattp: true },
    },
    {
        config: {
            bootstrap: 'b',
            defaultManagerType: 'xs-worker',
            vats: {
                b: counter,
                vatAdmin: { bundleSpec: path.join(bundles, 'sys-vatAdmin.json') },
            },
            devices: { vatAdmin: device('vat-admin', { parameters: { x: 1 } }) },
        },
        flags: { addVatAdmin: false },
    },
];
const NO_FLAGS = { addComms: false, addVattp: false, addTimer: false };

// As much of a swing-store as genesis needs, hashing as the real one does.  (The real one
// wants a native module, which only the oracle's tests set up.)
const makeStorage = () => {
    const map = new Map();
    const texts = new Map();
    const sha256 = text => createHash('sha256').update(text).digest('hex');
    let log = '';
    const kvStore = {
        get: key => map.get(key),
        has: key => map.has(key),
        set(key, value) {
            log += `add\n${key}\n${value}\n`;
            map.set(key, value);
        },
        delete(key) {
            log += `delete\n${key}\n`;
            map.delete(key);
        },
        getNextKey(previous) {
            const bytes = key => Buffer.from(key, 'utf8');
            const after = [...map.keys()].filter(k => bytes(k).compare(bytes(previous)) > 0);
            return after.sort((p, n) => bytes(p).compare(bytes(n)))[0];
        },
    };
    const emitCrankHashes = () => {
        const crankhash = sha256(log);
        const old = map.get('activityhash') || '';
        const activityhash = sha256(`activityhash\n${old}\n${crankhash}\n`);
        map.set('activityhash', activityhash);
        log = '';
        return { crankhash, activityhash };
    };
    // local.* is kept, but not hashed
    const { set } = kvStore;
    kvStore.set = (key, value) =>
        key.startsWith('local.') ? void map.set(key, value) : set(key, value);
    return {
        kvStore,
        emitCrankHashes,
        bundleStore: {
            hasBundle: id => texts.has(id),
            addBundle: (id, bundle) => void texts.set(id, bundle),
        },
        transcriptStore: { initTranscript() {} },
        snapStore: {},
    };
};

const upstream = async (file, flags, argv) => {
    const config = await loadSwingsetConfigFile(file);
    const kernelStorage = makeStorage();
    const options = { kernelBundles, ...flags };
    await initializeSwingset(config, argv, kernelStorage, options, { env: {} });
    const { get } = kernelStorage.kvStore;
    return { names: get('vat.names'), hash: get('activityhash'), get };
};

const ours = (file, store, argv) => {
    const run = spawnSync(zygote, ['-C', store, 'init', file, '--', ...argv], {
        encoding: 'utf8',
        env: { ZYGOTE_CACHE: path.join(dir, 'cache'), ...process.env, ZYGOTE_BUNDLES: bundles },
    });
    if (run.status !== 0) {
        return { error: `exit ${run.status}: ${run.stderr}` };
    }
    const get = key => {
        const query = `SELECT value FROM kvStore WHERE key = '${key}'`;
        return spawnSync(sql, [store, query], { encoding: 'utf8' }).stdout.trimEnd();
    };
    return { names: get('vat.names'), hash: get('activityhash'), get };
};

let passed = 0;
let failed = 0;
for (let i = -FIXED.length; i < count; i += 1) {
    state = Buffer.from(`${seed} ${i}`);
    const { config, flags, argv } =
        i < 0 ? { argv: ['x'], ...FIXED[-1 - i], flags: { ...NO_FLAGS, ...FIXED[-1 - i].flags } }
        : makeConfig();
    const theirFile = path.join(dir, `${i}-upstream.json`);
    const ourFile = path.join(dir, `${i}.json`);
    fs.writeFileSync(theirFile, JSON.stringify(config));
    fs.writeFileSync(ourFile, JSON.stringify({ ...config, zygotes: false, ...flags }));
    // eslint-disable-next-line no-await-in-loop
    const want = await upstream(theirFile, flags, argv);
    const got = ours(ourFile, path.join(dir, `${i}`), argv);
    if (got.hash === want.hash) {
        passed += 1;
    } else {
        failed += 1;
        console.log(`not ok - config ${i} of seed ${seed}: ${ourFile} ${JSON.stringify(argv)}`);
        if (got.error) {
            console.log(`# ${got.error}`);
        } else {
            console.log(`# ours:     ${got.names}\n# upstream: ${want.names}`);
            for (let n = 1; want.get(`acceptanceQueue.${n}`); n += 1) {
                const key = `acceptanceQueue.${n}`;
                if (want.get(key) !== got.get(key)) {
                    console.log(`# ours:     ${got.get(key)}\n# upstream: ${want.get(key)}`);
                }
            }
        }
    }
}
if (!failed) {
    fs.rmSync(dir, { recursive: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed || !passed ? 1 : 0;
