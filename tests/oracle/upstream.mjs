// upstream.mjs -- scenarios under the unmodified upstream kernel: the oracle.
//
//   const oracle = await makeOracle({ bundles: 'build/bundles' });
//   const run = await oracle.run(scenarioDir, { store, trace, slog, worker });
//
// A run is plain data: what the host calls returned, the hashes of every crank, the tables
// of the store.  tests/conformance/README.md describes scenarios; the options are
//
//   store     keep the store in this folder, for another kernel to open
//   trace     a file for every set and delete, in order: what the crankhash sees
//   slog      a file for the kernel's log, as JSON lines, with times but no clocks removed
//   worker    a program to start instead of the stock xsnap-worker
//   steps     [from, to]: only these host calls, and not `to`; unless from is 0 the store is
//             opened as another kernel left it
//   state     a file for what later host calls need to know of earlier ones
import '@endo/init/pre-bundle-source.js';
import '@endo/init';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { kser, kslot } from '@agoric/kmarshal';
import { initSwingStore, openSwingStore } from '@agoric/swing-store';
import { passableSymbolForName } from '@endo/pass-style';
import {
    initializeSwingset,
    loadSwingsetConfigFile,
    makeSwingsetController,
} from '@agoric/swingset-vat';
import { buildBundles } from '../../js/build-bundles.mjs';
import { makeDevices } from './devices.mjs';
import { makePolicy } from './policy.mjs';
import { comparable } from './slog.mjs';
import { dumpStore } from './store-dump.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

const versionOf = name => {
    const file = path.join(root, 'node_modules', name, 'package.json');
    return JSON.parse(fs.readFileSync(file, 'utf8')).version;
};

export const versions = () => {
    const out = { node: process.version.replace(/^v(\d+)\..*/, '$1') };
    for (const name of [
        '@agoric/swingset-vat',
        '@agoric/swing-store',
        '@agoric/swingset-liveslots',
        '@agoric/swingset-xsnap-supervisor',
        '@agoric/xsnap',
        '@agoric/xsnap-lockdown',
        '@agoric/zoe',
        '@agoric/kmarshal',
        '@endo/bundle-source',
    ]) {
        out[name] = versionOf(name);
    }
    return out;
};

const OUR_KEYS = [
    'addVatAdmin',
    'addComms',
    'addVattp',
    'addTimer',
    'zygotes',
    'bootstrapArgs',
    'limits',
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

const system = ['sys-vatAdmin', 'sys-vatAdminDevice', 'sys-comms', 'sys-vattp', 'sys-timer'];

export const makeOracle = async ({ bundles }) => {
    const texts = new Map();
    const need = async names => {
        const missing = names.filter(name => !texts.has(name));
        if (missing.length) {
            await buildBundles(bundles, missing);
        }
        for (const name of missing) {
            texts.set(name, fs.readFileSync(path.join(bundles, `${name}.json`), 'utf8'));
        }
    };
    const bundle = name => JSON.parse(texts.get(name));
    await need([...system, 'vat-admin', 'oracle-kernel']);

    // The bundles that a config names must be there before it is loaded.
    const load = async scenario => {
        const file = path.join(scenario, 'config.json');
        const raw = JSON.parse(fs.readFileSync(file, 'utf8'));
        const specs = ['vats', 'bundles', 'devices']
            .flatMap(group => Object.values(raw[group] || {}))
            .flatMap(({ bundleSpec }) => (bundleSpec ? [path.basename(bundleSpec, '.json')] : []));
        await need(specs);
        const config = await loadSwingsetConfigFile(file);
        // Upstream finds the files that vats and bundles name, but not those of devices.
        for (const desc of Object.values(config.devices || {})) {
            desc.bundleSpec &&= path.resolve(scenario, desc.bundleSpec);
        }
        return splitConfig(config);
    };

    const run = async (scenario, options = {}) => {
        const { trace, slog, worker } = options;
        const script = JSON.parse(fs.readFileSync(path.join(scenario, 'script.json'), 'utf8'));
        const { theirs: config, ours } = await load(scenario);
        const initialisation = {
            kernelBundles: {
                adminDevice: bundle('sys-vatAdminDevice'),
                adminVat: bundle(ours.zygotes ? 'vat-admin' : 'sys-vatAdmin'),
                comms: bundle('sys-comms'),
                vattp: bundle('sys-vattp'),
                timer: bundle('sys-timer'),
            },
        };
        for (const key of ['addVatAdmin', 'addComms', 'addVattp', 'addTimer']) {
            if (key in ours) {
                initialisation[key] = ours[key];
            }
        }
        const warehousePolicy = {};
        if (ours.limits && ours.limits.maxVatsOnline) {
            warehousePolicy.maxVatsOnline = ours.limits.maxVatsOnline;
        }
        const dir = options.store || fs.mkdtempSync(path.join(os.tmpdir(), 'oracle-'));
        const storeOptions = trace ? { traceFile: trace } : {};
        if (trace) {
            fs.rmSync(trace, { force: true });
        }

        // -- what the kernel tells --

        const cranks = [];
        const entries = [];
        let startOf = {};
        let stepIndex = -1; // -1: before the first op
        const slogFile = slog && fs.openSync(slog, 'w');
        const slogSender = entry => {
            const stable = comparable(entry);
            if (stable) {
                entries.push(stable);
            }
            if (slogFile) {
                const number = (_key, value) =>
                    typeof value === 'bigint' ? Number(value) : value;
                fs.writeSync(slogFile, `${JSON.stringify(entry, number)}\n`);
            }
            switch (entry.type) {
                case 'crank-start':
                    startOf = { type: entry.crankType, message: entry.messageType };
                    break;
                case 'deliver':
                    if (!entry.replay) {
                        startOf.deliver ||= `${entry.vatID} ${entry.vd[0]}`;
                    }
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

        // -- the kernel --

        const later = options.steps && options.steps[0] > 0;
        let ss = (later ? openSwingStore : initSwingStore)(dir, storeOptions);
        const bootstrapArgs = 'bootstrapArgs' in ours ? ours.bootstrapArgs : [];
        const [from, to] = options.steps || [0, script.length];
        let bootKpid;
        if (from === 0) {
            bootKpid = await initializeSwingset(
                config,
                bootstrapArgs,
                ss.kernelStorage,
                initialisation,
                { env: {} },
            );
        }
        const initialActivityhash = ss.kernelStorage.getActivityhash();
        await ss.hostStorage.commit();
        const devices = makeDevices(config, () => ss.kernelStorage);
        const open = () =>
            makeSwingsetController(ss.kernelStorage, devices.endowments(), {
                kernelBundle: bundle('oracle-kernel'),
                slogSender,
                warehousePolicy,
                env: {},
                ...(worker
                    ? { spawn: (_program, args, rest) => spawn(worker, args, rest) }
                    : {}),
            });
        let controller = await open();
        let panicked = false;

        // -- arguments --

        const settled = {}; // name -> { kpid, slots }
        let last = 'bootstrap';
        if (from === 0) {
            settled.bootstrap = { kpid: bootKpid };
        } else {
            const before = JSON.parse(fs.readFileSync(options.state, 'utf8'));
            last = before.last;
            for (const { name, kpid, slots } of before.results) {
                settled[name] = { kpid, slots };
            }
        }

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
                if ('#symbol' in value) {
                    return passableSymbolForName(value['#symbol']);
                }
                if ('#error' in value) {
                    return Error(value['#error']);
                }
                return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, decode(v)]));
            }
            return value;
        };
        const kpidOf = ({ of = last, kpid }) => kpid || settled[of].kpid;

        // -- host calls --

        const resolution = op => {
            const kpid = kpidOf(op);
            const status = controller.kpStatus(kpid);
            if (status !== 'fulfilled' && status !== 'rejected') {
                return { kpid, status };
            }
            const { incref = true } = op;
            const data = controller.kpResolution(kpid, { incref });
            if (!op.kpid) {
                settled[op.of || last].slots = data.slots;
            }
            return { kpid, status, resolution: data };
        };
        const queued = ({ as = 'last' }, kpid) => {
            settled[as] = { kpid };
            last = as;
            return { kpid: kpid || null };
        };
        const policyOf = ({ resultPolicy }) => (resultPolicy ? [resultPolicy] : []);
        const queueToRoot = op =>
            queued(
                op,
                controller.queueToVatRoot(
                    op.vat,
                    decode(op.method),
                    decode(op.args || []),
                    ...policyOf(op),
                ),
            );
        // A run that fails has panicked: there is nothing more to ask of this kernel.
        const running = async (promise, more = () => ({})) => {
            try {
                return { cranks: await promise, ...more() };
            } catch (e) {
                panicked = true;
                return { panic: e.message, ...more() };
            }
        };
        const positions = {}; // name -> what reapAllVats said

        const ops = {
            ...devices.ops,
            run({ policy }) {
                if (!policy) {
                    return running(controller.run());
                }
                const made = makePolicy(policy);
                return running(controller.run(made.policy), made.result);
            },
            async step({ count = 1 }) {
                let done = 0;
                const steps = async () => {
                    for (let i = 0; i < count; i += 1) {
                        // eslint-disable-next-line no-await-in-loop
                        done += await controller.step();
                    }
                    return done;
                };
                return running(steps());
            },
            queueToVatRoot: op => queueToRoot(op),
            queueToVatObject: op =>
                queued(
                    op,
                    controller.queueToVatObject(
                        decode(op.target),
                        decode(op.method),
                        decode(op.args || []),
                        ...policyOf(op),
                    ),
                ),
            resolution,
            async send(op) {
                queueToRoot(op);
                const done = await running(controller.run());
                return panicked ? done : { ...done, ...resolution({}) };
            },
            kpRegisterInterest(op) {
                controller.kpRegisterInterest(kpidOf(op));
                return { kpid: kpidOf(op) };
            },
            kpStatus: op => ({ kpid: kpidOf(op), status: controller.kpStatus(kpidOf(op)) }),
            async restart() {
                if (!panicked) {
                    await ss.hostStorage.commit();
                }
                await controller.shutdown();
                await ss.hostStorage.close();
                ss = openSwingStore(dir, storeOptions);
                panicked = false;
                controller = await open();
                return {};
            },
            pinVatRoot: ({ vat }) => ({ kref: controller.pinVatRoot(vat) }),
            terminateVat({ vatID, reason }) {
                controller.terminateVat(vatID, kser(decode(reason)));
                return {};
            },
            reapAllVats({ previous, as }) {
                const after = controller.reapAllVats(...(previous ? [positions[previous]] : []));
                positions[as || 'last'] = after;
                return { positions: after };
            },
            snapshotAllVats: async () => ({ vats: await controller.snapshotAllVats() }),
            changeKernelOptions({ options: changes }) {
                controller.changeKernelOptions(changes);
                return {};
            },
            injectQueuedUpgradeEvents() {
                controller.injectQueuedUpgradeEvents();
                return {};
            },
            getStats: () => ({ stats: controller.getStats() }),
            dump() {
                const { log: _log, vatTables: _vats, ...dumped } = controller.dump();
                return { dump: dumped };
            },
            async installBundle({ bundle: name, edit = {}, id }) {
                await need([name]);
                const given = harden({ ...bundle(name), ...edit });
                return { bundleID: await controller.validateAndInstallBundle(given, id) };
            },
            async upgradeStaticVat(op) {
                await need([op.bundle]);
                const bundleID = op.bundleID || `b1-${bundle(op.bundle).endoZipBase64Sha512}`;
                const { vat, pauseFirst = false } = op;
                const given = decode(op.options || {});
                return queued(op, controller.upgradeStaticVat(vat, pauseFirst, bundleID, given));
            },
        };

        const steps = [];
        stepIndex = from - 1;
        for (const op of script.slice(from, to)) {
            stepIndex += 1;
            if (!ops[op.op]) {
                throw Error(`script.json: step ${stepIndex}: unknown op ${op.op}`);
            }
            if (panicked && op.op !== 'restart') {
                throw Error(`script.json: step ${stepIndex}: only restart after a panic`);
            }
            let result;
            try {
                // eslint-disable-next-line no-await-in-loop
                result = await ops[op.op](op);
            } catch (e) {
                if (!op.fails) {
                    throw Error(`step ${stepIndex} (${op.op}): ${e.message}`, { cause: e });
                }
                result = { error: e.message };
            }
            if (op.fails && result.error === undefined) {
                throw Error(`step ${stepIndex} (${op.op}) should fail, and did not`);
            }
            result = { ...result, ...devices.takeOut() };
            if (!panicked) {
                // eslint-disable-next-line no-await-in-loop
                await ss.hostStorage.commit();
                result = { ...result, activityhash: controller.getActivityhash() };
            }
            steps.push({ op: op.op, ...JSON.parse(JSON.stringify(result)) });
        }
        await controller.shutdown();
        await ss.hostStorage.close();
        if (slogFile) {
            fs.closeSync(slogFile);
        }
        if (options.state) {
            const results = Object.entries(settled).map(([name, { kpid, slots = [] }]) => ({
                name,
                kpid,
                slots,
            }));
            fs.writeFileSync(options.state, JSON.stringify({ last, results }));
        }
        const result = {
            schema: 2,
            kernel: 'upstream',
            scenario: path.basename(scenario),
            versions: versions(),
            bootKpid,
            initialActivityhash,
            steps,
            cranks,
            slog: entries,
            ...dumpStore(dir),
        };
        if (!options.store) {
            fs.rmSync(dir, { recursive: true });
        }
        return result;
    };
    return { run };
};
