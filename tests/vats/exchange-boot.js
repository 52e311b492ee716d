// exchange-boot.js -- holds what vat-admin gave it where it outlives either kernel: in baggage.
import { E, Far } from '@endo/far';
import { makeScalarBigMapStore, provide } from '@agoric/vat-data';

export const buildRootObject = (_vatPowers, { tour } = {}, baggage) => {
    const table = name =>
        provide(baggage, name, () => makeScalarBigMapStore(name, { durable: true }));
    const nodes = table('nodes');
    const roots = table('roots');
    const kept = table('kept'); // service, meter, criticalVatKey, zygotes
    const ended = new Map(); // name -> how
    const pending = new Map(); // name -> promise
    const set = (store, key, value) => (store.has(key) ? store.set(key, value) : store.init(key, value));

    const settled = promise =>
        promise.then(
            value => harden({ value }),
            reason => harden({ reason: reason.message || reason.name }),
        );

    const self = Far('root', {
        async bootstrap(vats, devices) {
            const service = await E(vats.vatAdmin).createVatAdminService(devices.vatAdmin);
            kept.init('service', service);
            kept.init('key', await E(vats.vatAdmin).getCriticalVatKey());
            kept.init('meter', await E(service).createMeter(10n ** 10n, 5n));
            kept.init('unlimited', await E(service).createUnlimitedMeter());
            if (tour) {
                await self.create('ann', 5);
                await self.fork('ann', 'bob');
                await E(nodes.get('bob')).takeOffline();
                await self.zygotify('ann');
            }
        },
        async create(name, start, meter) {
            const cap = await E(kept.get('service')).getNamedBundleCap('counter');
            const more = meter ? { meter: kept.get(meter) } : {};
            const options = harden({ name, vatParameters: { start }, ...more });
            const { root, adminNode } = await E(kept.get('service')).createVat(cap, options);
            set(nodes, name, adminNode);
            set(roots, name, root);
            return E(root).read();
        },
        // Upstream goes on counting what its parameters name.
        createBad() {
            const vatParameters = { leaked: Far('leaked', {}), service: kept.get('service') };
            const options = harden({ name: 'bad', vatParameters });
            return settled(E(kept.get('service')).createVatByName('throws', options));
        },
        increment: (name, by) => E(roots.get(name)).increment(by),
        read: name => E(roots.get(name)).read(),
        async upgrade(name) {
            const cap = await E(kept.get('service')).getNamedBundleCap('counter');
            return E(nodes.get(name)).upgrade(cap, harden({ vatParameters: { start: 1 } }));
        },
        // Not waited for: whoever comes next finds it in the queue.
        upgradeLater(name) {
            const bundle = E(kept.get('service')).getNamedBundleCap('counter');
            const upgraded = bundle.then(cap => E(nodes.get(name)).upgrade(cap, harden({})));
            ended.set(name, settled(upgraded));
        },
        changeOptions: (name, options) => E(nodes.get(name)).changeOptions(options),
        watch(name) {
            ended.set(name, settled(E(nodes.get(name)).done()));
        },
        watched: name => ended.get(name),
        done: name => settled(E(nodes.get(name)).done()),
        terminate: (name, why) => E(nodes.get(name)).terminateWithFailure(Error(why)),
        meter: async () => {
            const { remaining, threshold } = await E(kept.get('meter')).get();
            return harden([remaining < 10n ** 10n, `${threshold}`]);
        },
        wait(bundleID) {
            pending.set(bundleID, settled(E(kept.get('service')).waitForBundleCap(bundleID)));
        },
        waited: bundleID => pending.get(bundleID),

        // of stores whose vats can be forked
        async fork(name, child, options = {}) {
            const node = kept.has(name) ? kept.get(name) : nodes.get(name);
            const made = await E(node).fork([], harden({ name: child, ...options }));
            set(nodes, child, made.adminNode);
            set(roots, child, made.root);
            return E(made.root).read();
        },
        adopt(name, root) {
            set(roots, name, root);
        },
        // Whoever asks from outside holds what comes back.
        give: name => roots.get(name),
        tryFork: name => settled(E(nodes.get(name)).fork([])),
        async zygotify(name) {
            set(kept, name, await E(nodes.get(name)).zygotify());
            return 'sealed';
        },

        // [[method, argument…]…], one after the other
        async all(calls) {
            const answers = [];
            for (const [method, ...args] of calls) {
                // eslint-disable-next-line no-await-in-loop
                answers.push((await self[method](...args)) ?? null);
            }
            return harden(answers);
        },
    });
    return self;
};
harden(buildRootObject);
