// A vat that can be made, and can end in every way there is.
import { Far } from '@endo/far';

export const buildRootObject = (vatPowers, vatParameters = {}, baggage) => {
    const { throws, start = 0, friend } = vatParameters;
    if (throws) {
        throw Error(throws);
    }
    baggage.init('count', start);
    let heap = start;

    return Far('kid', {
        increment(by = 1) {
            heap += by;
            baggage.set('count', baggage.get('count') + by);
            return heap;
        },
        read: () => harden({ heap, stored: baggage.get('count'), parameters: vatParameters }),
        friend: () => friend,
        exit(value) {
            vatPowers.exitVat(value);
            return 'last words';
        },
        fail(message) {
            vatPowers.exitVatWithFailure(Error(message));
            return 'last words';
        },
        never: () => new Promise(() => {}),
        makeThing: name => Far('thing', { label: () => name }),
    });
};
harden(buildRootObject);
