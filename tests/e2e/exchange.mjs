// exchange.mjs -- a store, and either kernel to make it with: for enable.mjs and leave.mjs.
//
// Without upstream's packages exchangeLab(true) says so and ends the process: skipped.
import '@endo/init/pre-bundle-source.js';
import '@endo/init';
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const build = path.resolve(process.env.BUILD || path.join(root, 'build'));
const bundles = process.env.ZYGOTE_BUNDLES || path.join(build, 'bundles');
const worker = 'node_modules/@agoric/xsnap/xsnap-native/xsnap/build/bin/lin/release/xsnap-worker';

const skip = why => {
    console.log(`[  SKIPPED ] ${why}; run tests/oracle/setup.sh`);
    console.log('0 passed, 0 failed');
    process.exit(0);
};

const bundleSpec = name => ({ bundleSpec: path.join(bundles, `${name}.json`) });
const theirConfig = {
    bootstrap: 'boot',
    defaultManagerType: 'xs-worker',
    defaultReapInterval: 'never',
    pinBootstrapRoot: true,
    vats: { boot: bundleSpec('test-exchange-boot') },
    bundles: { counter: bundleSpec('demo-counter'), throws: bundleSpec('test-cli-throws') },
};
const ours = { addComms: false, addVattp: false, addTimer: false };

// -- upstream's kernel -------------------------------------------------------------------

const loadUpstream = async () => {
    fs.existsSync(path.join(root, worker)) || skip('the stock xsnap-worker is not built');
    const load = async () => ({
        ...(await import('better-sqlite3').then(({ default: D }) => new D(':memory:').close())),
        ...(await import('@agoric/swing-store')),
        ...(await import('@agoric/swingset-vat')),
        ...(await import('@agoric/kmarshal')),
        ...(await import('../../js/build-bundles.mjs')),
    });
    const peers = await load().catch(e => skip(e.message.split('\n')[0]));
    await peers.buildBundles(bundles, ['oracle-kernel']);
    const read = name => JSON.parse(fs.readFileSync(path.join(bundles, `${name}.json`), 'utf8'));
    const { initSwingStore, openSwingStore, initializeSwingset, makeSwingsetController, kunser } =
        peers;

    const make = async dir => {
        const ss = initSwingStore(dir);
        const kernelBundles = {
            adminDevice: read('sys-vatAdminDevice'),
            adminVat: read('sys-vatAdmin'),
        };
        const config = { ...theirConfig, bundles: { ...theirConfig.bundles } };
        await initializeSwingset(config, [], ss.kernelStorage, { ...ours, kernelBundles }, { env: {} });
        await ss.hostStorage.commit();
        await ss.hostStorage.close();
    };
    // A session: send(), leave() in the queue, close().
    const open = async dir => {
        const ss = openSwingStore(dir);
        const controller = await makeSwingsetController(ss.kernelStorage, {}, {
            kernelBundle: read('oracle-kernel'),
            env: {},
        });
        await controller.run();
        const queue = (method, args) => controller.queueToVatRoot('boot', method, args);
        return {
            // The resolution as capdata, whose references this host then holds.
            async raw(method, ...args) {
                const kpid = queue(method, args);
                await controller.run();
                const status = controller.kpStatus(kpid);
                const answer = controller.kpResolution(kpid);
                assert.equal(status, 'fulfilled', `${method} ${JSON.stringify(args)}: ${answer.body}`);
                return answer;
            },
            async send(...args) {
                const answer = kunser(await this.raw(...args));
                return answer === undefined ? undefined : JSON.parse(JSON.stringify(answer));
            },
            leave: (method, ...args) => void queue(method, args),
            async close() {
                await ss.hostStorage.commit();
                await controller.shutdown();
                await ss.hostStorage.close();
            },
        };
    };
    return { make, open };
};

// -- a store ---------------------------------------------------------------------------------

// `byUpstream`: its kernel makes the store; with `tour` ours does, from a config with forks, in
// which bootstrap is about to do the tour of exchange-boot.js.
export const exchangeLab = async (byUpstream, { tour } = {}) => {
    const upstream = byUpstream ? await loadUpstream() : undefined;
    const top = fs.mkdtempSync(path.join(os.tmpdir(), 'zygote-exchange-'));
    process.on('exit', () => fs.rmSync(top, { recursive: true, force: true }));
    const at = name => path.join(top, name);
    const store = at('store');
    const program = path.join(build, 'zygote');
    const env = { ...process.env, ZYGOTE_CACHE: process.env.ZYGOTE_CACHE || `${build}/test-cache` };

    const zygote = (...args) => {
        const run = spawnSync(program, ['-q', '-C', store, ...args], { env, encoding: 'utf8' });
        return { exit: run.status, out: run.stdout, err: run.stderr };
    };
    const works = (...args) => {
        const { exit, out, err } = zygote(...args);
        assert.equal(exit, 0, `zygote ${args.join(' ')}: exit ${exit}: ${err}`);
        return out;
    };
    const send = (method, ...args) => {
        const text = works('send', 'boot', method, ...args.map(a => JSON.stringify(a)));
        return text.trim() === 'undefined' || text.trim() === '{"@undefined":true}'
            ? undefined
            : JSON.parse(text);
    };
    let passed = 0;
    const ok = what => {
        passed += 1;
        console.log(`ok - ${what}`);
    };
    const refused = (what, exit, text, ...args) => {
        const got = zygote(...args);
        assert.equal(got.exit, exit, `${what}: exit ${got.exit}: ${got.err}${got.out}`);
        assert(got.err.includes(text), `${what}: says ${got.err}`);
        ok(`refused: ${what}`);
    };

    // What makes the store until close(): upstream's kernel, or ours.
    let session;
    const open = async () => {
        session = await upstream.open(store);
    };
    const config = { ...theirConfig, ...ours, zygotes: !!tour };
    config.vats = { boot: { ...theirConfig.vats.boot, parameters: { tour: !!tour } } };
    fs.writeFileSync(at('config.json'), JSON.stringify(config));
    if (tour) {
        works('init', at('config.json'));
    } else if (upstream) {
        await upstream.make(store);
        await open();
    } else {
        works('run', at('config.json'));
    }
    const made = async (...args) => (session ? session.send(...args) : send(...args));
    const leave = async (...args) => (session ? session.leave(...args) : send(...args));
    const raw = async (...args) => session.raw(...args);
    const close = async () => {
        await session?.close();
        session = undefined;
    };
    const finish = () => console.log(`${passed} passed, 0 failed`);
    return {
        at, close, env, finish, leave, made, ok, open, program, raw, refused, send, store, top, upstream, works, zygote,
    };
};
