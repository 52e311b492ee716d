// The callee.
import { Fail } from '@endo/errors';
import { E, Far } from '@endo/far';
import { makePromiseKit } from '@endo/promise-kit';
import {
    defineKind,
    M,
    makeScalarBigMapStore,
    makeScalarBigSetStore,
    makeScalarBigWeakMapStore,
    prepareKind,
} from '@agoric/vat-data';

export const buildRootObject = (_powers, _parameters, baggage) => {
    baggage.init('kept', makeScalarBigMapStore('kept', { durable: true }));
    const kept = baggage.get('kept');
    let pending = makePromiseKit();

    const makeBox = number =>
        Far('box', {
            read: () => number,
            double: () => makeBox(number * 2),
        });

    const makeTally = prepareKind(baggage, 'tally', () => ({ count: 0 }), {
        add({ state }, by) {
            state.count += by;
            return state.count;
        },
    });
    const makeTemp = defineKind('temp', label => ({ label }), {
        label: ({ state }) => state.label,
    });

    const next = () => {
        const old = pending;
        pending = makePromiseKit();
        return old;
    };

    const root = Far('alice', {
        echo: value => value,
        makeBox,
        fail(message) {
            throw Error(message);
        },
        // the message is blanked out when it leaves the vat
        failRedacted: secret => Fail`cannot say ${secret}`,
        failWith: value => Promise.reject(value),

        later: () => pending.promise,
        release(number) {
            next().resolve(makeBox(number));
            return 'released';
        },
        refuse(message) {
            next().reject(Error(message));
            return 'refused';
        },
        releaseValue(value) {
            next().resolve(value);
            return 'released';
        },

        await: promises =>
            Promise.all(
                promises.map(p =>
                    E.when(
                        p,
                        fulfilled => harden({ fulfilled }),
                        reason => harden({ rejected: reason.message }),
                    ),
                ),
            ),

        async tellThrice(listener) {
            const answers = await Promise.all(
                ['one', 'two', 'three'].map(text => E(listener).tell(text)),
            );
            return answers.reduce((sum, n) => sum + n, 0);
        },

        keep(key, value) {
            if (kept.has(key)) {
                kept.set(key, value);
            } else {
                kept.init(key, value);
            }
        },
        kept: () => harden([...kept.entries()]),

        collections() {
            const set = makeScalarBigSetStore('numbers');
            for (const n of [10, 2, -3, 0.5, 7n, 'x', 'aa', true]) {
                set.add(n);
            }
            const map = makeScalarBigMapStore('by object');
            const boxes = [1, 2, 3].map(makeBox);
            boxes.forEach((box, i) => map.init(box, i));
            map.delete(boxes[1]);
            const weak = makeScalarBigWeakMapStore('weak');
            weak.init(boxes[0], makeTemp('first'));
            weak.init(boxes[2], makeTemp('third'));
            const tallies = [makeTally(), makeTally(), makeTally()];
            tallies.forEach((tally, i) => tally.add(i + 1));
            if (!baggage.has('tally')) {
                baggage.init('tally', tallies[1]);
            }
            const keys = [...set.keys()];
            set.clear(M.gte(3));
            return harden({
                keys,
                left: [...set.keys()],
                size: map.getSize(),
                third: weak.get(boxes[2]).label(),
                tally: baggage.get('tally').add(10),
            });
        },

        // a message to itself for every step
        async countDown(count) {
            return count > 0 ? E(root).countDown(count - 1) : 'lift-off';
        },
    });
    return root;
};
harden(buildRootObject);
