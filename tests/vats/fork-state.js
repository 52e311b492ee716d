// fork-state.js -- a vat with state in every place where liveslots lets a vat keep some.
//
// Heap, baggage, virtual and durable objects, virtual and durable collections, weak
// collections of the heap and of the vatstore, imports held strongly, weakly and not at
// all.  Every method answers with plain values that tell all of it that can be told.
import { Fail } from '@endo/errors';
import { E, Far } from '@endo/far';
import {
    makeScalarBigMapStore,
    makeScalarBigWeakMapStore,
    makeScalarBigWeakSetStore,
    defineKind,
    prepareKind,
} from '@agoric/vat-data';

export const buildRootObject = (_vatPowers, vatParameters = {}, baggage) => {
    const { start = 0 } = vatParameters;
    let heap = start;
    const log = [];
    const kept = new Map(); // imports, by label
    const weak = new WeakMap(); // liveslots': keys may be imports
    const virtual = makeScalarBigMapStore('virtual');
    const weakStore = makeScalarBigWeakMapStore('weak store');
    const weakSet = makeScalarBigWeakSetStore('weak set');
    const makeCell = defineKind('cell', value => ({ value }), {
        get: ({ state }) => state.value,
        add: ({ state }, by) => {
            state.value += by;
            return state.value;
        },
    });
    const makePurse = prepareKind(baggage, 'purse', coins => ({ coins, holder: undefined }), {
        deposit: ({ state }, more) => {
            state.coins += more;
            return state.coins;
        },
        entrust: ({ state }, holder) => {
            state.holder = holder;
            return state.coins;
        },
        look: ({ state }) => [state.coins, !!state.holder],
    });
    if (!baggage.has('count')) {
        baggage.init('count', start);
        baggage.init('durable', makeScalarBigMapStore('durable', { durable: true }));
    }
    const durable = baggage.get('durable');
    let lastCell;

    const read = () =>
        harden({
            heap,
            stored: baggage.get('count'),
            log: log.length,
            kept: [...kept.keys()],
            virtual: virtual.getSize(),
            durable: durable.getSize(),
            cell: lastCell ? lastCell.get() : 'none',
        });

    return Far('state', {
        read,
        add(by = 1) {
            Number.isSafeInteger(by) || Fail`not an integer: ${by}`;
            heap += by;
            baggage.set('count', baggage.get('count') + by);
            log.push(`+${by}`);
            return read();
        },
        // `n` entries in each kind of collection, and garbage on the way
        fill(n) {
            for (let i = 0; i < n; i += 1) {
                const key = `k${heap}-${log.length}-${i}`;
                lastCell = makeCell(i);
                virtual.init(key, lastCell);
                durable.init(key, makePurse(i));
                weakStore.init(lastCell, key);
                weakSet.add(lastCell);
                weak.set(lastCell, key);
                log.push(Array.from({ length: 50 }, (_, j) => `${key}/${j}`).join());
            }
            return read();
        },
        // takes what was filled in out again, every second one
        thin() {
            let gone = 0;
            for (const key of [...virtual.keys()]) {
                gone += 1;
                if (gone % 2) {
                    const cell = virtual.get(key);
                    cell.add(1);
                    weakStore.delete(cell);
                    virtual.delete(key);
                    durable.get(key).deposit(2);
                    durable.delete(key);
                }
            }
            lastCell = undefined;
            log.splice(0, log.length >> 1);
            return read();
        },
        keep(label, object) {
            kept.set(label, object);
            return read();
        },
        // recognizable only: no method can tell, garbage collection can
        recognize(object) {
            weak.set(object, heap);
            weakStore.has(object) || weakStore.init(object, 'seen');
            return weak.has(object);
        },
        knows: object => [weak.has(object), weakStore.has(object)],
        drop(label) {
            kept.delete(label);
            return read();
        },
        // talks to an import, and to what it gets
        async talk(label, words) {
            const answer = await E(kept.get(label)).hear(words);
            log.push(`${words} -> ${answer}`);
            return `${words}`;
        },
        // promises of its own
        async turns(n) {
            let sum = 0;
            for (let i = 0; i < n; i += 1) {
                // eslint-disable-next-line no-await-in-loop
                sum += await Promise.resolve(i);
            }
            heap += sum;
            return read();
        },
        // waits for an answer that does not come
        hang(label) {
            void E(kept.get(label)).never();
            return 'hung';
        },
        // ends the machine, not just the method
        overflow() {
            const deeper = n => 1 + deeper(n + 1);
            return deeper(0);
        },
        // does not come back
        spin() {
            for (;;) {
                heap += 1;
            }
        },
        // exports
        purse: () => makePurse(heap),
        cell: () => {
            lastCell = makeCell(heap);
            return lastCell;
        },
        box() {
            let inside = heap;
            return Far('box', {
                put: more => {
                    inside += more;
                    return inside;
                },
            });
        },
        fail(message) {
            throw Error(message);
        },
        // spends some time: n rounds
        work(n) {
            let x = 1;
            for (let i = 0; i < n; i += 1) {
                x = (x * 31 + i) % 65537;
            }
            heap += x;
            return x;
        },
    });
};
harden(buildRootObject);
