// The other side of every reference: makes objects to be held, holds objects
// that were made elsewhere.
import { Far } from '@endo/far';
import {
    defineKind,
    makeScalarBigMapStore,
    makeScalarBigWeakMapStore,
    makeScalarBigWeakSetStore,
    prepareKind,
} from '@agoric/vat-data';

export const buildRootObject = (_powers, _parameters, baggage) => {
    const own = new Map(); // name -> object of ours that is not to be collected
    const held = new Map(); // name -> object of theirs
    const recognized = new WeakMap();
    const weakStore = makeScalarBigWeakMapStore('weak store');
    const weakSet = makeScalarBigWeakSetStore('weak set');
    const strongStore = makeScalarBigMapStore('strong store');

    const makeVirtual = defineKind('virtual thing', name => ({ name }), {
        label: ({ state }) => state.name,
    });
    const makeDurable = prepareKind(baggage, 'durable thing', name => ({ name, other: null }), {
        label: ({ state }) => state.name,
        hold({ state }, other) {
            state.other = other;
        },
    });
    const makers = {
        heap: name => Far('heap thing', { label: () => name }),
        virtual: makeVirtual,
        durable: makeDurable,
    };

    return Far('maker', {
        make: (kind, name) => makers[kind](name),
        makeKept(kind, name) {
            if (!own.has(name)) {
                own.set(name, makers[kind](name));
            }
            return own.get(name);
        },
        letGo(name) {
            return own.delete(name);
        },

        hold(name, object) {
            held.set(name, object);
            return held.size;
        },
        giveBack: name => held.get(name),
        drop: name => held.delete(name),
        recognize(name, object) {
            recognized.set(object, name);
            weakStore.init(object, name);
            weakSet.add(object);
        },
        who: object => harden([recognized.get(object), weakStore.has(object), weakSet.has(object)]),
        store(name, object) {
            strongStore.init(name, object);
        },
        unstore(name) {
            strongStore.delete(name);
        },
        storeInDurable(name, object) {
            const durable = makeDurable(name);
            durable.hold(object);
            baggage.init(name, durable);
        },
        emptyDurable(name) {
            baggage.delete(name);
        },
        look: _object => 'seen',
        ping: () => 'pong',
    });
};
harden(buildRootObject);
