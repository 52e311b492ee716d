// lib.mjs -- a peer kernel: @agoric/swingset-vat as npm has it, in this process.
//
// Import this first: it locks down.  The peer gets the very configs and bundles
// that ours gets (js/demo/*.json), with upstream's own vat-admin vat, xs-workers,
// and a store on disk.  A sample is clocked as ours is: from the message until
// nothing is left to do, commit outside.
import '@endo/init/pre-bundle-source.js';
import '@endo/init';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { kunser } from '@agoric/kmarshal';
import { initSwingStore } from '@agoric/swing-store';
import {
    initializeSwingset,
    loadSwingsetConfigFile,
    makeSwingsetController,
} from '@agoric/swingset-vat';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const now = () => performance.now();

// --name VALUE, numbers where the value is one
export const options = (defaults, argv = process.argv.slice(2)) => {
    const out = { build: 'build', ...defaults };
    for (let i = 0; i < argv.length; i += 2) {
        const name = argv[i].replace(/^--/, '');
        if (!(name in out) || i + 1 >= argv.length) {
            throw Error(`unexpected argument: ${argv[i]}`);
        }
        out[name] = typeof out[name] === 'number' ? Number(argv[i + 1]) : argv[i + 1];
    }
    return out;
};

// One line per quantity, as zygote-bench prints them.
export const emit = (id, samples) => {
    if (samples.length > 0) {
        process.stdout.write(`${JSON.stringify({ id, who: 'peer', samples })}\n`);
    }
};

const OUR_KEYS = ['zygotes', 'addVatAdmin', 'addComms', 'addVattp', 'addTimer', 'bootstrapArgs', 'limits'];

export const openKernel = async ({ build, config: file, maxVatsOnline = 1000, ...overrides }) => {
    const bundle = name =>
        JSON.parse(fs.readFileSync(path.resolve(root, build, 'bundles', `${name}.json`), 'utf8'));
    const config = { ...(await loadSwingsetConfigFile(path.resolve(root, file))), ...overrides };
    const ours = {};
    for (const key of OUR_KEYS) {
        ours[key] = config[key];
        delete config[key];
    }
    const kernelBundles = {
        adminDevice: bundle('sys-vatAdminDevice'),
        adminVat: bundle('sys-vatAdmin'),
        comms: bundle('sys-comms'),
        vattp: bundle('sys-vattp'),
        timer: bundle('sys-timer'),
    };
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'zygote-peer-'));
    const { kernelStorage, hostStorage, internal } = initSwingStore(dir);
    const initialisation = { kernelBundles };
    for (const key of ['addVatAdmin', 'addComms', 'addVattp', 'addTimer']) {
        if (ours[key] !== undefined) {
            initialisation[key] = ours[key];
        }
    }
    await initializeSwingset(config, ours.bootstrapArgs || [], kernelStorage, initialisation, { env: {} });
    await hostStorage.commit();
    const controller = await makeSwingsetController(kernelStorage, {}, {
        kernelBundle: bundle('oracle-kernel'),
        warehousePolicy: { maxVatsOnline },
        env: {},
    });
    await controller.run();
    await hostStorage.commit();

    const settle = kpid => {
        const status = controller.kpStatus(kpid);
        const value = kunser(controller.kpResolution(kpid));
        if (status !== 'fulfilled') {
            throw Error(`${kpid} is ${status}: ${value}`);
        }
        return value;
    };
    const timed = async queue => {
        const began = now();
        const kpid = queue();
        await controller.run();
        const ms = now() - began;
        return { ms, value: settle(kpid) };
    };
    return {
        controller,
        commit: () => hostStorage.commit(),
        // Pages that hold something, as ours are counted.
        storeBytes: () => {
            const pragma = name => internal.db.pragma(name, { simple: true });
            return (pragma('page_count') - pragma('freelist_count')) * pragma('page_size');
        },
        call: (method, ...args) => timed(() => controller.queueToVatRoot('bootstrap', method, args)),
        send: (target, method) => timed(() => controller.queueToVatObject(target, method, [])),
        close: async () => {
            await hostStorage.commit();
            await controller.shutdown();
            await hostStorage.close();
            fs.rmSync(dir, { recursive: true, force: true });
        },
    };
};

// PSS of this process's xsnap workers, by the name of their vat.
export const weighWorkers = () => {
    const out = {};
    for (const pid of fs.readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
        try {
            const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
            const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
            const [program, name] = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
            if (parent === process.pid && program.endsWith('xsnap-worker')) {
                const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
                out[name] = Number(rollup.match(/^Pss:\s+(\d+)/m)[1]);
            }
        } catch (e) {
            if (e.code !== 'ENOENT' && e.code !== 'ESRCH') {
                throw e;
            }
        }
    }
    return out;
};
