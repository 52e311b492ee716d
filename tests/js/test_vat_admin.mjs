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
const upstream = await import(
    '../../node_modules/@agoric/swingset-vat/src/vats/vat-admin/vat-vat-admin.js'
);

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
const boot = (device, again, build = buildRootObject) => {
    if (again) {
        // the stand-in for the device node is of this process only
        memory.fakeVomKit.cm.provideBaggage().delete('vatAdminDev');
    }
    memory = again
        ? reincarnate({ relaxDurabilityRules: true, ...flushIncarnation(memory) })
        : reincarnate({ relaxDurabilityRules: true });
    const baggage = memory.fakeVomKit.cm.provideBaggage();
    return build({ D: device.D }, undefined, baggage);
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
        // told to end, and not ended yet
        await rejects(E(answer.adminNode).fork(), 'vat terminated');
        await rejects(E(answer.adminNode).zygotify(), 'vat terminated');
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
        await rejects(E(adminNode).fork(), 'this kernel cannot do forkVat(): syscall.callNow failed: no');
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
            E(service).createVat(bundlecap, harden({ forkible: true })),
            'CreateVatOptions: unknown options "forkible"',
        );
        await rejects(
            E(service).createVat(bundlecap, harden({ name: 'a b' })),
            'CreateVatOptions: bad vat name "a b"',
        );
    },

    async 'a vat is taken offline, and every request answered in its turn'() {
        const { device, root, adminNode } = await setUp();
        const settled = [];
        const ask = name =>
            E(adminNode)
                .takeOffline()
                .then(
                    value => settled.push([name, value]),
                    error => settled.push([name, error.message]),
                );
        for (const name of ['one', 'two', 'three', 'four']) {
            void ask(name);
        }
        const turns = () => new Promise(resolve => setImmediate(resolve));
        await turns();
        assert.deepEqual(device.taken('takeOffline'), Array(4).fill(['takeOffline', 'v10']));
        await E(root).offlineCallback('v10', harden({}));
        await turns();
        assert.deepEqual(settled, [['one', undefined]]);
        await E(root).offlineCallback('v10', harden({ error: Error('no rest') }));
        await turns();
        assert.deepEqual(settled[1], ['two', 'no rest']);
        let quiet = false;
        const pause = E(root).pauseService();
        void pause.then(() => {
            quiet = true;
        });
        await turns();
        assert.equal(quiet, false);
        await E(root).vatTerminated('v10', false, 'bye');
        await turns();
        assert.deepEqual(settled.slice(2), [
            ['three', 'vat terminated'],
            ['four', 'vat terminated'],
        ]);
        assert.equal(await pause, true);
        await E(root).offlineCallback('v10', harden({})); // too late to matter
        await E(root).resumeService();
        await rejects(E(adminNode).takeOffline(), 'vat terminated');
    },

    async 'a vat that is not forkable is neither forked nor sealed, nor are such children'() {
        const { device, root, service, adminNode } = await setUp();
        const make = async (vatID, options) => {
            const made = E(service).createVat(bundlecap, harden(options));
            await null;
            await null;
            await E(root).newVatCallback(vatID, harden({ rootObject: Far('root', {}) }));
            return (await made).adminNode;
        };
        const fixed = await make('v11', { forkable: false });
        // the kernel, and upstream's vat-admin, know nothing of it
        assert.equal('forkable' in device.taken('createByBundleID')[1][2], false);
        await rejects(E(fixed).fork(), 'adminNode.fork: vat not forkable');
        await rejects(E(fixed).zygotify(), 'adminNode.zygotify: vat not forkable');
        await rejects(E(adminNode).fork([], harden({ forkable: 0 })), 'fork: forkable must be true or false');
        await rejects(
            E(service).createVat(bundlecap, harden({ forkable: 'no' })),
            'CreateVatOptions: forkable must be true or false',
        );
        const forked = E(adminNode).fork([], harden({ forkable: false }));
        await null;
        await null;
        assert.deepEqual(device.taken('forkVat'), [['forkVat', 'v10', [], {}]]);
        await E(root).newVatCallback('v12', harden({ newrefs: [] }));
        const child = (await forked).adminNode;
        await rejects(E(child).fork(), 'adminNode.fork: vat not forkable');
        assert.equal(await Promise.race([E(child).takeOffline(), null]), null);
        assert.equal(device.taken('forkVat').length, 1);
        assert.equal(device.taken('zygotifyVat').length, 0);
        // and of an old incarnation of vat-admin
        const again = memory.fakeVomKit.cm.provideBaggage().get('forkLimits');
        assert.deepEqual([...again.keys()], ['v11', 'v12']);
        await E(root).vatTerminated('v12', false, 'bye');
        assert.deepEqual([...again.keys()], ['v11']);
    },

    async 'descendants share what maxForks allows'() {
        const { root, service } = await setUp();
        let next = 11;
        const answer = async (asked, results = {}) => {
            const vatID = `v${next}`;
            next += 1;
            await null;
            await null;
            await E(root).newVatCallback(vatID, harden({ newrefs: [], ...results }));
            return (await asked).adminNode;
        };
        const create = options => answer(E(service).createVat(bundlecap, harden(options)));
        const fork = (node, options = {}) => answer(E(node).fork([], harden(options)));
        const refused = (node, left, options = {}) =>
            rejects(E(node).fork([], harden(options)), `too many vats: maxForks leaves ${left}`);
        const baggage = memory.fakeVomKit.cm.provideBaggage();
        const budgets = () => [...baggage.get('forkBudgets').entries()];

        await rejects(
            E(service).createVat(bundlecap, harden({ maxForks: -1 })),
            'CreateVatOptions: maxForks must be a natural number',
        );
        await rejects(
            E(service).createVat(bundlecap, harden({ maxForks: 2n })),
            'CreateVatOptions: maxForks must be a natural number',
        );
        const p = await create({ maxForks: 6 }); // v11
        const kid = await fork(p); // v12
        const grandkid = await fork(kid); // v13
        assert.deepEqual(budgets(), [['f1', { left: 4, vats: 3 }]]);
        // refused by the kernel: given back
        const failed = E(grandkid).fork([], harden({ maxForks: 2 }));
        const outcome = rejects(failed, 'vat is not quiescent');
        await answer(failed, { error: Error('vat is not quiescent') }).catch(() => {});
        await outcome;
        assert.deepEqual(budgets(), [['f1', { left: 4, vats: 3 }]]);
        // a budget of its own, which the parent's pays for
        await refused(kid, 4, { maxForks: 4 });
        const rich = await fork(kid, { maxForks: 1 }); // v15
        assert.deepEqual(budgets(), [
            ['f1', { left: 2, vats: 3 }],
            ['f3', { left: 1, vats: 1 }],
        ]);
        await fork(rich); // v16
        await refused(rich, 0);
        await fork(grandkid); // v17
        await fork(p); // v18
        await refused(p, 0);
        await refused(grandkid, 0);
        // the end of a vat gives nothing back
        await E(root).vatTerminated('v18', false, 'bye');
        await refused(p, 0);
        for (const vatID of ['v15', 'v16']) {
            // eslint-disable-next-line no-await-in-loop
            await E(root).vatTerminated(vatID, false, 'bye');
        }
        assert.deepEqual(budgets(), [['f1', { left: 0, vats: 4 }]]);
        // no fork at all, and one that was given nothing by a parent without limits
        const none = await create({ maxForks: 0 });
        await refused(none, 0);
        const free = await create({});
        const bound = await fork(free, { maxForks: 1 });
        await refused(await fork(bound), 0);
    },

    async 'limits outlive an upgrade, and a zygote has its vat\'s'() {
        const { device, root, service } = await setUp();
        const made = E(service).createVat(bundlecap, harden({ maxForks: 1 }));
        await null;
        await null;
        await E(root).newVatCallback('v11', harden({ rootObject: Far('root', {}) }));
        const { adminNode } = await made;
        const sealed = E(adminNode).zygotify();
        await null;
        await null;
        await E(root).zygoteCallback('v11', harden({}));
        const zygote = await sealed;
        const forked = E(zygote).fork();
        await null;
        await null;
        await E(root).newVatCallback('v12', harden({ newrefs: [] }));
        await forked;
        await rejects(E(zygote).fork(), 'too many vats: maxForks leaves 0');
        const next = boot(device, true);
        await E(next).createVatAdminService(Far('device', {}));
        const kept = memory.fakeVomKit.cm.provideBaggage();
        const again = kept.get('zygotes').get('v11');
        await rejects(E(again).fork(), 'too many vats: maxForks leaves 0');
        await E(next).vatTerminated('v11', false, 'bye');
        await E(next).vatTerminated('v12', false, 'bye');
        assert.equal(kept.get('forkLimits').getSize(), 0);
        assert.equal(kept.get('forkBudgets').getSize(), 0);
    },

    async 'admin nodes with limits are upstream\'s admin nodes'() {
        const { device, root, service } = await setUp();
        const made = E(service).createVat(bundlecap, harden({ maxForks: 1, forkable: true }));
        await null;
        await null;
        await E(root).newVatCallback('v11', harden({ rootObject: Far('root', {}) }));
        const { adminNode } = await made;
        const baggage = () => memory.fakeVomKit.cm.provideBaggage();
        baggage().init('test', adminNode);

        const next = boot(device, true, upstream.buildRootObject);
        await E(next).createVatAdminService(Far('device', {}));
        const node = baggage().get('test');
        const done = E(node).done();
        await assert.rejects(Promise.resolve(E(node).fork()), /target has no method "fork"/);
        await E(node).terminateWithFailure(Error('over'));
        assert.equal(device.taken('terminateWithFailure').at(-1)[1], 'v11');
        void done.catch(() => {});

        // and back: the limits are still there
        const again = boot(device, true);
        await E(again).createVatAdminService(Far('device', {}));
        await rejects(
            E(baggage().get('test')).fork([], harden({ maxForks: 1 })),
            'too many vats: maxForks leaves 1',
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
