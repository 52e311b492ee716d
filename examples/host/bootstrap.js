// bootstrap.js -- introduces the vats, and holds on to them.
import { E, Far } from '@endo/far';

export const buildRootObject = () => {
    const vats = [];
    return Far('bootstrap', {
        async bootstrap(roots, devices) {
            // without this service no vat can be upgraded
            await E(roots.vatAdmin).createVatAdminService(devices.vatAdmin);
            vats.push(roots.ledger, roots.greeter); // what nobody holds is collected
            return 'all are there';
        },
    });
};
harden(buildRootObject);
