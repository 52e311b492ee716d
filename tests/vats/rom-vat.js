// rom-vat.js -- a zygote with something of everything: objects and a bundlecap that it was
// given, one that it only recognizes, exports of either kind, state in heap and vatstore.
import { E, Far } from '@endo/far';
import { makeScalarBigWeakMapStore, prepareKind } from '@agoric/vat-data';

export const buildRootObject = ({ D }, { bank, cap }, baggage) => {
    const met = makeScalarBigWeakMapStore('met');
    const makeJar = prepareKind(baggage, 'jar', () => ({ coins: 0 }), {
        put({ state }, coins) {
            state.coins += coins;
            return state.coins;
        },
    });
    baggage.init('count', 0);
    let heap = 0;

    return Far('root', {
        async work(by) {
            heap += by;
            baggage.set('count', baggage.get('count') + by);
            return E(bank).tell(heap, baggage.get('count'));
        },
        meet(stranger) {
            met.init(stranger, 'met');
        },
        knows: stranger => met.has(stranger),
        code: () => D(cap).getBundleID(),
        makeJar: () => makeJar(),
        makeEcho: () => Far('echo', { echo: value => harden([heap, value]) }),
    });
};
harden(buildRootObject);
