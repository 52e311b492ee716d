// points-bootstrap.js -- who makes and upgrades the vats of points-zcf.js.
import { E, Far } from '@endo/far';

export const buildRootObject = () => {
    let service;
    const vats = new Map(); // name -> { root, adminNode }
    const facets = new Map();
    const bundle = name => E(service).getNamedBundleCap(name);

    return Far('root', {
        async bootstrap(roots, devices) {
            service = await E(roots.vatAdmin).createVatAdminService(devices.vatAdmin);
            return 'ready';
        },
        async build(name) {
            const contractBundleCap = await bundle('contract');
            const zcf = await bundle('zcf');
            vats.set(name, await E(service).createVat(zcf, harden({ name, vatParameters: { contractBundleCap } })));
            return E(vats.get(name).root).evaluated();
        },
        async fork(parent, name) {
            vats.set(name, await E(vats.get(parent).adminNode).fork([], harden({ name })));
            return E(vats.get(name).root).evaluated();
        },
        async start(name) {
            facets.set(name, await E(vats.get(name).root).start(name));
            return name;
        },
        async upgrade(name) {
            const contractBundleCap = await bundle('contract2');
            const zcf = await bundle('zcf');
            const options = harden({ vatParameters: { contractBundleCap } });
            const { incarnationNumber } = await E(vats.get(name).adminNode).upgrade(zcf, options);
            return [incarnationNumber, await E(vats.get(name).root).evaluated()];
        },
        add: (name, by) => E(facets.get(name)).add(by),
    });
};
harden(buildRootObject);
