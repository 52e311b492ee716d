// test_vat_admin.mjs -- our vat-admin vat, driven by hand, without a kernel.
//
// The device records what it is asked and answers like the kernel's; the test
// plays the kernel's messages.  Virtual data is liveslots' own, over a Map.
import '@endo/init/debug.js';
import assert from 'node:assert/strict';
import { E, Far } from '@endo/far';
import { flushIncarnation, reincarnate } from '@agoric/swingset-liveslots/tools/setup-vat-data.js';

// after setup-vat-data: the vat finds its VatData when it is loaded
const { buildRootObject } = await import('../../js/vat-admin/vat-admin.js');

const makeDevice = () => {
    const calls = [];
    let nextVat = 10;
    let refusal;
    const answer = (method, args) => {
        calls.push([method, ...args]);
        if (refusal) {
            const message = refusal;
            refusal = undefined;
            throw Error(message);
        }
        switch (method) {
            case 'createByBundleID':
            case 'forkVat': {
                const vatID = `v${nextVat}`;
                nextVat += 1;
                return vatID;
            }
            case 'getBundleID':
                return 'b1-00';
            case 'createMeter':
                return 'm1';
            case 'upgradeVat':
                return 'up1';
            default:
                return undefined;
        }
    };
    return {
        calls,
        refuse: message => {
            refusal = message;
        },
        D: () => new Proxy({}, { get: (_, method) => (...args) => answer(method, args) }),
        taken: method => calls.filter(call => call[0] === method),
    };
};

let memory;
const boot = (device, again) => {
    if (again) {
        // the stand-in for the device node is of this process only
        memory.fakeVomKit.cm.provideBaggage().delete('vatAdminDev');
    }
    memory = again
        ? reincarnate({ relaxDurabilityRules: true, ...flushIncarnation(memory) })
        : reincarnate({ relaxDurabilityRules: true });
    const baggage = memory.fakeVomKit.cm.provideBaggage();
    return buildRootObject({ D: device.D }, undefined, baggage);
};

const bundlecap = Far('bundlecap', {});
const rejects = (promise, text) =>
    assert.rejects(Promise.resolve(promise), error => {
        assert.equal(error.message, text);
        return true;
    });

// A service, and the admin node and root of one running vat, v10.
const setUp = async () => {
    const device = makeDevice();
    const root = boot(device);
    const service = await E(root).createVatAdminService(Far('device', {}));
    const made = E(service).createVat(bundlecap, harden({ name: 'parent' }));
    const parentRoot = Far('parent root', {});
    await null;
    await E(root).newVatCallback('v10', harden({ rootObject: parentRoot }));
    const { adminNode } = await made;
    return { device, root, service, adminNode, parentRoot };
};

const tests = {
    async 'fork hands over what it was given, and answers with the child'() {
        const { device, root, adminNode } = await setUp();
        const old = Far('old', {});
        const forked = E(adminNode).fork(harden([old, old]), harden({ name: 'kid', reapInterval: 3 }));
        await null;
        await null;
        assert.deepEqual(device.taken('forkVat'), [
            ['forkVat', 'v10', [old, old], { name: 'kid', reapInterval: 3 }],
        ]);
        const kid = Far('kid root', {});
        const young = Far('young', {});
        await E(root).newVatCallback('v11', harden({ rootObject: kid, newrefs: [young, young] }));
        const answer = await forked;
        assert.deepEqual(Object.keys(answer).sort(), ['adminNode', 'refs', 'root']);
        assert.equal(answer.root, kid);
        assert.deepEqual(answer.refs, [young, young]);
        assert.notEqual(answer.adminNode, adminNode);
        // the child is a vat like any other
        const ended = E(answer.adminNode).done();
        await E(answer.adminNode).terminateWithFailure(Error('enough'));
        assert.deepEqual(device.taken('terminateWithFailure')[0][1], 'v11');
        await E(root).vatTerminated('v11', true, Error('enough'));
        await rejects(ended, 'enough');
        await rejects(E(answer.adminNode).fork(), 'vat terminated');
        // and the parent still runs
        void E(adminNode).fork();
        await null;
        await null;
        assert.deepEqual(device.taken('forkVat')[1], ['forkVat', 'v10', [], {}]);
    },

    async 'a child may have no root'() {
        const { root, adminNode } = await setUp();
        const forked = E(adminNode).fork();
        await null;
        await null;
        await E(root).newVatCallback('v11', harden({ newrefs: [] }));
        const answer = await forked;
        assert.equal(answer.root, undefined);
        assert.deepEqual(answer.refs, []);
    },

    async 'what cannot be forked is refused by name'() {
        const { device, adminNode } = await setUp();
        const fork = (...args) => E(adminNode).fork(...harden(args));
        await rejects(fork('nonsense'), 'fork: oldrefs must be an array');
        await rejects(fork([1]), 'oldrefs[0] is not an export of this vat');
        const far = Far('far', {});
        await rejects(fork([far, Promise.resolve(far)]), 'oldrefs[1] is not an export of this vat');
        await rejects(
            fork([], { colour: 'red', size: 1 }),
            'fork() received unknown options: "colour,size"',
        );
        await rejects(fork([], [1]), 'fork: options must be a record, not "copyArray"');
        await rejects(fork([], { name: 'a b' }), 'fork: bad vat name "a b"');
        await rejects(fork([], { name: '' }), 'fork: bad vat name ""');
        const long = 'n'.repeat(200);
        await rejects(fork([], { name: long }), `fork: oversized vat name "${long}"`);
        await rejects(fork([], { name: 7 }), 'fork: name must be a string');
        await rejects(
            fork([], { promises: 'halve' }),
            'fork: promises must be "strict" or "share", not "halve"',
        );
        await rejects(fork([], { critical: far }), 'invalid criticalVatKey');
        await rejects(fork([], { meter: far }), 'fork: meter is not a meter of this service');
        await rejects(fork([], { reapInterval: -1 }), 'invalid reapInterval value');
        assert.deepEqual(device.taken('forkVat'), []);
    },

    async 'capabilities become what the kernel knows'() {
        const { device, root, service, adminNode } = await setUp();
        const critical = await E(root).getCriticalVatKey();
        const meter = await E(service).createMeter(100n, 10n);
        void E(adminNode).fork(
            [],
            harden({ critical, meter, promises: 'share', reapInterval: 'never' }),
        );
        await null;
        await null;
        assert.deepEqual(device.taken('forkVat')[0][3], {
            meterID: 'm1',
            critical: true,
            reapInterval: 'never',
            promises: 'share',
        });
    },

    async 'a fork that the kernel refuses leaves nothing'() {
        const { device, root, adminNode } = await setUp();
        device.refuse('syscall.callNow failed: no');
        await rejects(E(adminNode).fork(), 'syscall.callNow failed: no');
        const forked = E(adminNode).fork();
        await null;
        await null;
        await E(root).newVatCallback(
            'v11',
            harden({ error: Error('vat is not quiescent: 3 promises') }),
        );
        await rejects(forked, 'vat is not quiescent: 3 promises');
        assert.equal(await E(root).pauseService(), true);
        await rejects(E(adminNode).fork(), 'service not available, try again later');
        await rejects(E(adminNode).zygotify(), 'service not available, try again later');
    },

    async 'a pending fork keeps the service from being quiet'() {
        const { root, adminNode } = await setUp();
        const forked = E(adminNode).fork();
        await null;
        await null;
        let quiet = false;
        const pause = E(root).pauseService();
        void pause.then(() => {
            quiet = true;
        });
        await new Promise(resolve => setImmediate(resolve));
        assert.equal(quiet, false);
        await E(root).newVatCallback('v11', harden({ rootObject: Far('kid', {}), newrefs: [] }));
        await forked;
        assert.equal(await pause, true);
    },

    async 'a sealed vat is a zygote, once'() {
        const { device, root, adminNode } = await setUp();
        const [one, two] = [E(adminNode).zygotify(), E(adminNode).zygotify()];
        await new Promise(resolve => setImmediate(resolve));
        assert.deepEqual(device.taken('zygotifyVat'), [['zygotifyVat', 'v10']]);
        await E(root).zygoteCallback('v10', harden({}));
        const zygote = await one;
        assert.equal(await two, zygote);
        assert.equal(await E(adminNode).zygotify(), zygote);
        await rejects(E(adminNode).upgrade(bundlecap), 'vat is a zygote');
        await rejects(E(adminNode).changeOptions(harden({ reapInterval: 1 })), 'vat is a zygote');
        const forked = E(zygote).fork([], harden({ name: 'kid' }));
        await null;
        await null;
        assert.deepEqual(device.taken('forkVat'), [['forkVat', 'v10', [], { name: 'kid' }]]);
        const kid = Far('kid', {});
        await E(root).newVatCallback('v11', harden({ rootObject: kid, newrefs: [] }));
        assert.equal((await forked).root, kid);
        const done = E(zygote).done();
        await E(zygote).terminateWithFailure(Error('old'));
        await rejects(E(zygote).fork(), 'vat terminated');
        await E(root).vatTerminated('v10', true, Error('old'));
        await rejects(done, 'old');
        await rejects(E(adminNode).zygotify(), 'vat terminated');
    },

    async 'a vat that cannot be sealed stays what it was'() {
        const { root, adminNode } = await setUp();
        const sealed = E(adminNode).zygotify();
        await null;
        await null;
        await E(root).zygoteCallback('v10', harden({ error: Error('vat is not quiescent') }));
        await rejects(sealed, 'vat is not quiescent');
        const again = E(adminNode).zygotify();
        await null;
        await null;
        await E(root).vatTerminated('v10', false, 'bye');
        await rejects(again, 'vat terminated');
        // too late to matter
        await E(root).zygoteCallback('v10', harden({}));
    },

    async 'creation answers as it always did'() {
        const { device, root, service } = await setUp();
        const options = harden({ name: 'x', vatParameters: { a: 1 } });
        const bad = E(service).createVat(bundlecap, options);
        await null;
        await null;
        assert.deepEqual(device.taken('createByBundleID')[1][2], {
            name: 'x',
            meterID: undefined,
            managerType: undefined,
            vatParameters: { a: 1 },
            enableSetup: undefined,
            enablePipelining: undefined,
            useTranscript: undefined,
            reapInterval: undefined,
            critical: false,
        });
        // a vat that failed in startVat
        await E(root).vatTerminated('v11', true, Error('no luck'));
        await rejects(bad, 'Vat Creation Error: Error: no luck');
        await rejects(
            E(service).createVat(bundlecap, harden({ forkable: true })),
            'CreateVatOptions: unknown options "forkable"',
        );
        await rejects(
            E(service).createVat(bundlecap, harden({ name: 'a b' })),
            'CreateVatOptions: bad vat name "a b"',
        );
    },

    async 'an upgrade keeps vats and zygotes'() {
        const { device, root, adminNode } = await setUp();
        const sealed = E(adminNode).zygotify();
        await null;
        await null;
        await E(root).zygoteCallback('v10', harden({}));
        await sealed;
        const forked = E(adminNode).fork();
        void forked.catch(() => {});
        await null;
        await null;

        const next = boot(device, true);
        // nobody waits for it here, but the child is known
        await E(next).newVatCallback('v11', harden({ rootObject: Far('kid', {}), newrefs: [] }));
        await E(next).newVatCallback('v12', harden({ error: Error('of another time') }));
        const managed = memory.fakeVomKit.cm.provideBaggage().get('managedVats');
        assert.deepEqual([...managed.keys()], ['v10', 'v11']);
        assert.deepEqual(
            [...memory.fakeVomKit.cm.provideBaggage().get('zygotes').keys()],
            ['v10'],
        );
        await E(next).vatTerminated('v10', false, 'bye');
        assert.deepEqual([...managed.keys()], ['v11']);
        assert.equal(await E(next).pauseService(), true);
    },
};

let passed = 0;
let failed = 0;
for (const [name, test] of Object.entries(tests)) {
    try {
        // eslint-disable-next-line no-await-in-loop
        await test();
        passed += 1;
        process.stdout.write(`ok    ${name}\n`);
    } catch (e) {
        failed += 1;
        process.stdout.write(`FAIL  ${name}\n${e.stack}\n`);
    }
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exit(failed ? 1 : 0);
