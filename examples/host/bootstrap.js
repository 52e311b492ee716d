// bootstrap.js -- introduces the vats, and holds on to them.
import { E, Far } from '@endo/far';

export const buildRootObject = () => {
    const vats = [];
    let service;
    return Far('bootstrap', {
        async bootstrap(roots, devices) {
            // without this service no vat can be upgraded
            service = await E(roots.vatAdmin).createVatAdminService(devices.vatAdmin);
            vats.push(roots.ledger, roots.greeter); // what nobody holds is collected
            return 'all are there';
        },
        // Only vats that were made later can be forked.
        async open(name) {
            const code = await E(service).getNamedBundleCap('ledger');
            const { root, adminNode } = await E(service).createVat(code, { name });
            vats.push(root, adminNode);
            return `${name} is open`;
        },
    });
};
harden(buildRootObject);
