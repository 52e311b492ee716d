// ledger.js -- an account whose balance survives an upgrade of its vat.
import { Far } from '@endo/far';

export const buildRootObject = (_vatPowers, { fee = 0n } = {}, baggage) => {
    if (!baggage.has('balance')) {
        baggage.init('balance', 0n);
    }
    return Far('ledger', {
        deposit(amount) {
            if (typeof amount !== 'bigint') {
                throw TypeError('an amount is a bigint');
            }
            baggage.set('balance', baggage.get('balance') + amount - fee);
            return baggage.get('balance');
        },
    });
};
harden(buildRootObject);
