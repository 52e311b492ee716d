// run-upstream.mjs -- run a scenario under the unmodified upstream kernel.
//
// usage: node tests/oracle/run-upstream.mjs SCENARIO_DIR OUT.json[.gz]
//            [--bundles DIR] [--store DIR] [--trace FILE] [--slog FILE]
//
//   --bundles   where the built bundles are, or go (build/bundles)
//   --store     keep the store here, for the other kernel to open
//   --trace     every set and delete, in order: what the crankhash sees
//   --slog      the kernel's log, one JSON object a line
//
// A scenario is a folder:
//
//   config.json   as SwingSet's, and of ours: addVatAdmin, addComms, addVattp,
//                 addTimer (booleans), zygotes (false: upstream's vat-admin vat,
//                 true: ours), bootstrapArgs, maxVatsOnline.
//                 The kernel runs xs-workers unless it says otherwise.
//   script.json   a list of host calls:
//     { "op": "run" }                    until nothing is left to do
//     { "op": "step", "count": N }       N cranks
//     { "op": "queueToVatRoot", "vat", "method", "args", "as"? }
//     { "op": "queueToVatObject", "target": { "#slot": kref }, "method", "args", "as"? }
//     { "op": "resolution", "of"? }      of the message named so by `as`, or of the last
//     { "op": "send", "vat", "method", "args", "as"? }   the three: queue, run, resolution
//     { "op": "restart" }                commit, close, open again
//     { "op": "pinVatRoot", "vat" }
//     { "op": "terminateVat", "vatID", "reason" }
//     { "op": "reapAllVats" }, { "op": "snapshotAllVats" }
//     { "op": "changeKernelOptions", "options" }
//     { "op": "installBundle", "bundle": name of a built bundle }
//     { "op": "upgradeStaticVat", "vat", "bundle", "pauseFirst"?, "options"? }
//   args are plain JSON; { "#slot": kref, "iface"? } is a reference,
//   { "#bigint": digits } a bigint.  A method or argument may name an earlier
//   result's slot: { "#slotOf": name, "index"? }.
//
// `resolution` is kpStatus and, once settled, kpResolution: which takes away the
// host's reference to the promise, and so writes to the store.  Every op is
// followed by a commit.
import '@endo/init/pre-bundle-source.js';
import '@endo/init';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { kser, kslot } from '@agoric/kmarshal';
import { initSwingStore, openSwingStore } from '@agoric/swing-store';
import {
    initializeSwingset,
    loadSwingsetConfigFile,
    makeSwingsetController,
} from '@agoric/swingset-vat';
import Database from 'better-sqlite3';
import { buildBundles } from '../../js/build-bundles.mjs';
import { dumpKV, dumpStore, writeDump } from './store-dump.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

const usage = () => {
    console.error('usage: node tests/oracle/run-upstream.mjs SCENARIO_DIR OUT.json[.gz] [options]');
    process.exit(2);
};

const parseArguments = argv => {
    const options = { bundles: path.join(root, 'build/bundles') };
    const rest = [];
    for (let i = 0; i < argv.length; i += 1) {
        if (argv[i].startsWith('--')) {
            const name = argv[i].slice(2);
            if (!['bundles', 'store', 'trace', 'slog'].includes(name) || i + 1 >= argv.length) {
                usage();
            }
            i += 1;
            options[name] = path.resolve(argv[i]);
        } else {
            rest.push(argv[i]);
        }
    }
    if (rest.length !== 2) {
        usage();
    }
    const [scenario, out] = rest.map(name => path.resolve(name));
    return { ...options, scenario, out };
};

const versionOf = name => {
    const file = path.join(root, 'node_modules', name, 'package.json');
    return JSON.parse(fs.readFileSync(file, 'utf8')).version;
};

const packages = [
    '@agoric/swingset-vat',
    '@agoric/swing-store',
    '@agoric/swingset-liveslots',
    '@agoric/swingset-xsnap-supervisor',
    '@agoric/xsnap',
    '@agoric/xsnap-lockdown',
    '@agoric/zoe',
    '@agoric/kmarshal',
    '@endo/bundle-source',
];

const OUR_KEYS = [
    'addVatAdmin',
    'addComms',
    'addVattp',
    'addTimer',
    'zygotes',
    'bootstrapArgs',
    'maxVatsOnline',
];

// The config as upstream takes it, and the keys that are only ours.
const splitConfig = config => {
    const theirs = { ...config };
    const ours = {};
    for (const key of OUR_KEYS) {
        if (key in theirs) {
            ours[key] = theirs[key];
            delete theirs[key];
        }
    }
    theirs.defaultManagerType ||= 'xs-worker';
    return { theirs, ours };
};

const namedBundles = (config, group) => {
    const out = {};
    for (const [name, desc] of Object.entries(config[group] || {}).sort()) {
        if (desc.bundleSpec) {
            const bundle = JSON.parse(fs.readFileSync(desc.bundleSpec, 'utf8'));
            out[name] = `b1-${bundle.endoZipBase64Sha512}`;
        } else {
            out[name] = desc.bundleName ? `bundleName ${desc.bundleName}` : 'from source';
        }
    }
    return out;
};

const sha256 = text => createHash('sha256').update(text).digest('hex');

const main = async () => {
    const { scenario, out, bundles, store, trace, slog } = parseArguments(process.argv.slice(2));
    const script = JSON.parse(fs.readFileSync(path.join(scenario, 'script.json'), 'utf8'));
    const configFile = path.join(scenario, 'config.json');

    // The bundles that the config names must be there before it is loaded.
    const wanted = ['sys-vatAdmin', 'sys-vatAdminDevice', 'sys-comms', 'sys-vattp', 'sys-timer'];
    const raw = JSON.parse(fs.readFileSync(configFile, 'utf8'));
    for (const group of ['vats', 'bundles', 'devices']) {
        for (const { bundleSpec } of Object.values(raw[group] || {})) {
            if (bundleSpec) {
                wanted.push(path.basename(bundleSpec, '.json'));
            }
        }
    }
    await buildBundles(bundles, [...wanted, 'vat-admin', 'oracle-kernel']);
    const bundle = name => JSON.parse(fs.readFileSync(path.join(bundles, `${name}.json`), 'utf8'));

    const { theirs: config, ours } = splitConfig(await loadSwingsetConfigFile(configFile));
    const kernelBundles = {
        adminDevice: bundle('sys-vatAdminDevice'),
        adminVat: bundle(ours.zygotes ? 'vat-admin' : 'sys-vatAdmin'),
        comms: bundle('sys-comms'),
        vattp: bundle('sys-vattp'),
        timer: bundle('sys-timer'),
    };
    const initialisation = { kernelBundles };
    for (const key of ['addVatAdmin', 'addComms', 'addVattp', 'addTimer']) {
        if (key in ours) {
            initialisation[key] = ours[key];
        }
    }
    const warehousePolicy = {};
    if (ours.maxVatsOnline !== undefined) {
        warehousePolicy.maxVatsOnline = ours.maxVatsOnline;
    }

    const dir = store || fs.mkdtempSync(path.join(os.tmpdir(), 'oracle-'));
    const storeOptions = trace ? { traceFile: trace } : {};
    if (trace) {
        fs.rmSync(trace, { force: true });
    }

    const cranks = [];
    const snapshotsSaved = [];
    let startOf = {};
    let stepIndex = -1; // -1: before the first op
    const slogFile = slog && fs.openSync(slog, 'w');
    const slogSender = entry => {
        if (slogFile) {
            const { time, monotime, seconds, ...stable } = entry;
            const text = JSON.stringify(stable, (_key, value) =>
                typeof value === 'bigint' ? Number(value) : value,
            );
            fs.writeSync(slogFile, `${text}\n`);
        }
        switch (entry.type) {
            case 'crank-start':
                startOf = { type: entry.crankType, message: entry.messageType };
                break;
            case 'deliver':
                startOf.deliver ||= `${entry.vatID} ${entry.vd[0]}`;
                break;
            case 'heap-snapshot-save':
                snapshotsSaved.push([entry.vatID, entry.hash]);
                break;
            case 'crank-finish':
                cranks.push({
                    step: stepIndex,
                    crankNum: Number(entry.crankNum),
                    ...startOf,
                    crankhash: entry.crankhash,
                    activityhash: entry.activityhash,
                });
                break;
            default:
        }
    };

    let ss = initSwingStore(dir, storeOptions);
    const bootstrapArgs = 'bootstrapArgs' in ours ? ours.bootstrapArgs : [];
    const bootKpid = await initializeSwingset(
        config,
        bootstrapArgs,
        ss.kernelStorage,
        initialisation,
        { env: {} },
    );
    const initialHash = ss.kernelStorage.getActivityhash();
    await ss.hostStorage.commit();
    const open = () =>
        makeSwingsetController(ss.kernelStorage, {}, {
            kernelBundle: bundle('oracle-kernel'),
            slogSender,
            warehousePolicy,
            env: {},
        });
    let controller = await open();

    const settled = {}; // name -> { kpid, slots }
    let last = 'bootstrap';
    settled.bootstrap = { kpid: bootKpid };

    const decode = value => {
        if (Array.isArray(value)) {
            return value.map(decode);
        }
        if (value && typeof value === 'object') {
            if ('#slot' in value) {
                return kslot(value['#slot'], value.iface);
            }
            if ('#slotOf' in value) {
                const { slots } = settled[value['#slotOf']];
                return kslot(slots[value.index || 0], value.iface);
            }
            if ('#bigint' in value) {
                return BigInt(value['#bigint']);
            }
            return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, decode(v)]));
        }
        return value;
    };

    const resolution = name => {
        const { kpid } = settled[name];
        const status = controller.kpStatus(kpid);
        if (status !== 'fulfilled' && status !== 'rejected') {
            return { kpid, status };
        }
        const data = controller.kpResolution(kpid);
        settled[name].slots = data.slots;
        return { kpid, status, resolution: data };
    };
    const queued = ({ as = 'last' }, kpid) => {
        settled[as] = { kpid };
        last = as;
        return { kpid };
    };
    const queueToRoot = op =>
        queued(op, controller.queueToVatRoot(op.vat, op.method, decode(op.args || [])));

    const ops = {
        run: async () => ({ cranks: await controller.run() }),
        step: async ({ count = 1 }) => {
            let done = 0;
            for (let i = 0; i < count; i += 1) {
                // eslint-disable-next-line no-await-in-loop
                done += await controller.step();
            }
            return { cranks: done };
        },
        queueToVatRoot: op => queueToRoot(op),
        queueToVatObject: op =>
            queued(
                op,
                controller.queueToVatObject(decode(op.target), op.method, decode(op.args || [])),
            ),
        resolution: ({ of = last }) => resolution(of),
        send: async op => {
            queueToRoot(op);
            const done = await controller.run();
            return { cranks: done, ...resolution(last) };
        },
        restart: async () => {
            await ss.hostStorage.commit();
            await controller.shutdown();
            await ss.hostStorage.close();
            ss = openSwingStore(dir, storeOptions);
            controller = await open();
            return {};
        },
        pinVatRoot: ({ vat }) => ({ kref: controller.pinVatRoot(vat) }),
        terminateVat: ({ vatID, reason }) => {
            controller.terminateVat(vatID, kser(decode(reason)));
            return {};
        },
        reapAllVats: () => {
            controller.reapAllVats();
            return {};
        },
        snapshotAllVats: async () => ({ vats: await controller.snapshotAllVats() }),
        changeKernelOptions: ({ options }) => {
            controller.changeKernelOptions(options);
            return {};
        },
        installBundle: async ({ bundle: name }) => {
            await buildBundles(bundles, [name]);
            return { bundleID: await controller.validateAndInstallBundle(harden(bundle(name))) };
        },
        upgradeStaticVat: async op => {
            await buildBundles(bundles, [op.bundle]);
            const bundleID = `b1-${bundle(op.bundle).endoZipBase64Sha512}`;
            const { vat, pauseFirst = false, options = {} } = op;
            return queued(op, controller.upgradeStaticVat(vat, pauseFirst, bundleID, { ...options }));
        },
    };

    const steps = [];
    for (const op of script) {
        stepIndex += 1;
        if (!ops[op.op]) {
            throw Error(`script.json: step ${stepIndex}: unknown op ${op.op}`);
        }
        // eslint-disable-next-line no-await-in-loop
        const result = await ops[op.op](op);
        // eslint-disable-next-line no-await-in-loop
        await ss.hostStorage.commit();
        const reader = new Database(path.join(dir, 'swingstore.sqlite'), { readonly: true });
        const kvHash = sha256(JSON.stringify(dumpKV(reader)));
        reader.close();
        const activityhash = controller.getActivityhash();
        steps.push({ op: op.op, ...result, activityhash, kvHash });
    }
    await controller.shutdown();
    await ss.hostStorage.close();

    const { vats: _v, bundles: _b, devices: _d, ...plain } = config;
    const settings = { ...plain, ...ours };
    const versions = { node: process.version.replace(/^v(\d+)\..*/, '$1') };
    for (const name of packages) {
        versions[name] = versionOf(name);
    }
    writeDump(out, {
        schema: 1,
        kernel: 'upstream',
        scenario: path.basename(scenario),
        versions,
        config: settings,
        bundleIDs: {
            vats: namedBundles(config, 'vats'),
            bundles: namedBundles(config, 'bundles'),
        },
        bootKpid,
        initialActivityhash: initialHash,
        steps,
        cranks,
        snapshotsSaved,
        ...dumpStore(dir),
    });
    if (!store) {
        fs.rmSync(dir, { recursive: true });
    }
    const failed = steps.filter(step => step.status && step.status !== 'fulfilled').length;
    console.error(
        `${path.basename(scenario)}: ${steps.length} steps, ${cranks.length} cranks, ` +
            `${failed} not fulfilled, activityhash ${steps.at(-1).activityhash.slice(0, 12)}…`,
    );
};

main().then(
    () => process.exit(0),
    e => {
        console.error(e);
        process.exit(1);
    },
);
