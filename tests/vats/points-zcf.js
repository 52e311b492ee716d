// points-zcf.js -- a contract facet in little: what ZCF does for a contract, and no more.
//
// It evaluates the contract's bundle while it is being made, so that it can be forked before
// it is an instance; start() makes it one.  After an upgrade an instance is one at once.
/* global globalThis */
import { Fail } from '@endo/errors';
import { Far } from '@endo/far';
import { importBundle } from '@endo/import-bundle';

const { VatData } = globalThis;

export const buildRootObject = async (vatPowers, { contractBundleCap }, baggage) => {
    const bundle = vatPowers.D(contractBundleCap).getBundle();
    const contract = await importBundle(bundle, { endowments: { VatData, harden, Far } });
    const evaluated = contract.setupInstallation(baggage);
    let instance = baggage.has('label') ? contract.setupInstance(baggage) : undefined;
    return Far('zcf', {
        evaluated: () => evaluated,
        start(label) {
            !instance || Fail`an instance already`;
            baggage.init('label', label);
            instance = contract.setupInstance(baggage);
            return instance.facet;
        },
        facet: () => instance.facet,
    });
};
harden(buildRootObject);
