// counter.js -- a vat with state of its own, in every place where a vat keeps state.
//
// The count lives twice: in the heap (goes with the heap snapshot) and in the
// baggage (goes with the vatstore).  A fork copies both; read() shows both, so
// that a copy that took only one of them would show.  Accounts are heap objects
// and jars durable ones: references to hand to fork() as `oldrefs`.
import { Fail } from '@endo/errors';
import { Far } from '@endo/far';
import { prepareKind } from '@agoric/vat-data';

export const buildRootObject = (_vatPowers, vatParameters = {}, baggage) => {
    const { start = 0 } = vatParameters;
    let heap = start;
    if (!baggage.has('count')) {
        baggage.init('count', start);
    }

    const read = () => harden({ heap, stored: baggage.get('count') });

    const makeJar = prepareKind(baggage, 'jar', label => ({ label, coins: 0 }), {
        put({ state }, coins) {
            state.coins += coins;
            return state.coins;
        },
        look: ({ state }) => `${state.label} has ${state.coins}`,
    });

    return Far('counter', {
        increment(by = 1) {
            Number.isSafeInteger(by) || Fail`increment by an integer, not ${by}`;
            heap += by;
            baggage.set('count', baggage.get('count') + by);
            return read();
        },
        read,
        makeAccount(owner) {
            let balance = 0;
            return Far('account', {
                deposit(amount) {
                    balance += amount;
                    return balance;
                },
                look: () => `${owner} has ${balance}`,
            });
        },
        makeJar: label => makeJar(label),
        fail(message) {
            throw Error(message);
        },
    });
};
harden(buildRootObject);
