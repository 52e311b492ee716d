// limits-driver.js -- the bootstrap vat of tests/fork/test_limits.c: makes vats and forks with
// meters, keys and limits, and gives vats what they should never have: their own admin facets.
import { Fail, q } from '@endo/errors';
import { E, Far } from '@endo/far';

export const buildRootObject = () => {
    let service;
    let criticalVatKey;
    const meters = new Map();
    const vats = new Map(); // name -> { root, adminNode }

    const vat = name => vats.get(name) || Fail`no vat is called ${q(name)}`;

    // { meter: NAME, critical: true or 'forged', ...rest } with capabilities for names
    const meant = ({ meter, critical, ...rest }) => {
        const out = { ...rest };
        if (meter) {
            out.meter = meters.get(meter);
        }
        if (critical) {
            out.critical = critical === 'forged' ? Far('key', {}) : criticalVatKey;
        }
        return harden(out);
    };

    return Far('root', {
        async bootstrap(roots, devices) {
            service = await E(roots.vatAdmin).createVatAdminService(devices.vatAdmin);
            criticalVatKey = await E(roots.vatAdmin).getCriticalVatKey();
            return 'ready';
        },

        async meter(name, remaining) {
            meters.set(
                name,
                remaining === 'unlimited'
                    ? await E(service).createUnlimitedMeter()
                    : await E(service).createMeter(BigInt(remaining), 0n),
            );
            return 'made';
        },
        async left(name) {
            return `${(await E(meters.get(name)).get()).remaining}`;
        },

        async create(name, bundle, options = {}) {
            const bundlecap = await E(service).getNamedBundleCap(bundle);
            vats.set(name, await E(service).createVat(bundlecap, meant({ name, ...options })));
            return 'created';
        },
        async fork(parent, child, options = {}) {
            vats.set(child, await E(vat(parent).adminNode).fork([], meant({ name: child, ...options })));
            return 'forked';
        },
        zygotify: async name => {
            await E(vat(name).adminNode).zygotify();
            return 'sealed';
        },
        takeOffline: async name => {
            await E(vat(name).adminNode).takeOffline();
            return 'offline';
        },
        terminate: async name => {
            await E(vat(name).adminNode).terminateWithFailure(Error('enough'));
            return 'told';
        },

        ask: (name, method, ...args) => E(vat(name).root)[method](...args),
        // its own admin facet, or that of another
        light: (name, method, of = name, ...args) =>
            E(vat(name).root)[method](vat(of).adminNode, ...args),
    });
};
harden(buildRootObject);
