// rom-boot.js -- the world around rom-vat.js: makes one, and forks what the host loaded.
import { E, Far } from '@endo/far';

export const buildRootObject = (_vatPowers, { bank }) => {
    let service;
    const vats = new Map();
    const things = new Map();
    const self = Far('root', {
        async bootstrap(roots, devices) {
            service = await E(roots.vatAdmin).createVatAdminService(devices.vatAdmin);
        },
        tell: (heap, stored) => harden([bank, heap, stored]),

        async make(name, metered) {
            const cap = await E(service).getNamedBundleCap('code');
            const meter = metered ? { meter: await E(service).createMeter(10n ** 9n, 0n) } : {};
            const vatParameters = { bank: self, cap };
            const vatcap = await E(service).getNamedBundleCap('rom');
            const options = harden({ name, vatParameters, ...meter });
            vats.set(name, await E(service).createVat(vatcap, options));
            things.set('stranger', Far('stranger', {}));
            await E(vats.get(name).root).meet(things.get('stranger'));
            things.set('jar', await E(vats.get(name).root).makeJar());
            things.set('echo', await E(vats.get(name).root).makeEcho());
            await E(things.get('jar')).put(3);
            return E(vats.get(name).root).work(7);
        },
        seal: name =>
            E(vats.get(name).adminNode)
                .zygotify()
                .then(() => 'sealed'),
        fork: (handle, child, ...oldrefs) =>
            E(handle)
                .fork(harden(oldrefs), harden({ name: child }))
                .then(answer => {
                    vats.set(child, answer);
                    return `${answer.refs.length} refs`;
                }),
        ask: (name, method, ...args) => E(vats.get(name).root)[method](...args),
        askRef: (name, at, method, ...args) => E(vats.get(name).refs[at])[method](...args),
        stranger: name => E(vats.get(name).root).knows(Far('stranger', {})),
        end: handle =>
            E(handle)
                .terminateWithFailure(Error('enough'))
                .then(() => 'told'),
    });
    return self;
};
harden(buildRootObject);
