// cli.js -- the bootstrap vat of the command line's tests: what a host can be answered.
import { E, Far } from '@endo/far';
import { makePromiseKit } from '@endo/promise-kit';

export const buildRootObject = () => {
    let service;
    const kept = []; // roots and admin nodes: what nobody holds is collected

    return Far('root', {
        async bootstrap(vats, devices) {
            service = await E(vats.vatAdmin).createVatAdminService(devices.vatAdmin);
            kept.push(vats.friend);
            return 'ready';
        },
        echo: value => value,
        makeBox: content => Far('box', { read: () => content }),
        fail(message) {
            throw Error(message);
        },
        later: () => makePromiseKit().promise,
        async create(name, start) {
            const cap = await E(service).getNamedBundleCap('counter');
            const options = harden({ name, vatParameters: { start } });
            const { root, adminNode } = await E(service).createVat(cap, options);
            kept.push(root, adminNode);
            return name;
        },
        // what was created last ends
        finish: () => E(kept.at(-1)).terminateWithFailure(Error('finished')),
    });
};
harden(buildRootObject);
