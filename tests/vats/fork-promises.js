// fork-promises.js -- a vat that waits: for promises of others and its own, with callbacks
// in its heap and with watchers in its vatstore.
//
// What its callbacks hear is in the heap, and gone after an upgrade; what its watchers hear
// is noted in the vatstore, and stays.
import { Fail } from '@endo/errors';
import { E, Far } from '@endo/far';
import { makePromiseKit } from '@endo/promise-kit';
import {
    defineKind,
    makeScalarBigMapStore,
    makeScalarBigWeakSetStore,
    prepareKind,
    watchPromise,
} from '@agoric/vat-data';

const say = value => {
    if (value instanceof Error) {
        return value.message;
    }
    // how the kernel tells of promises that an upgrade cut off
    if (value && value.name === 'vatUpgraded') {
        return `${value.name}, ${value.upgradeMessage}`;
    }
    return typeof value === 'object' ? 'an object' : `${value}`;
};

export const buildRootObject = (_vatPowers, _vatParameters, baggage) => {
    const heard = [];
    const kits = new Map(); // promises of its own, by label
    for (const name of ['notes', 'kept']) {
        if (!baggage.has(name)) {
            baggage.init(name, makeScalarBigMapStore(name, { durable: true }));
        }
    }
    const notes = baggage.get('notes');
    const kept = baggage.get('kept');
    const note = text => notes.init(`${notes.getSize()}`.padStart(3, '0'), text);
    const makeWatcher = prepareKind(baggage, 'watcher', label => ({ label }), {
        onFulfilled: ({ state }, value) => note(`${state.label} gave ${say(value)}`),
        onRejected: ({ state }, reason) => note(`${state.label} broke: ${say(reason)}`),
    });
    const makeCoin = prepareKind(baggage, 'coin', worth => ({ worth }), {
        worth: ({ state }) => state.worth,
        polish: ({ state }) => {
            state.worth += 1;
            return state.worth;
        },
    });
    const makeBead = defineKind('bead', colour => ({ colour }), {
        colour: ({ state }) => state.colour,
        dye: ({ state }, colour) => {
            state.colour = colour;
            return colour;
        },
    });
    const beads = makeScalarBigMapStore('beads');
    const seen = makeScalarBigWeakSetStore('seen');
    const kit = label => kits.get(label) || Fail`no promise of mine is called ${label}`;

    const wait = (label, promise) => {
        E.when(
            promise,
            value => heard.push(`${label} gave ${say(value)}`),
            reason => heard.push(`${label} broke: ${say(reason)}`),
        );
        return 'waiting';
    };
    const watch = (label, promise) => {
        watchPromise(promise, makeWatcher(label));
        return 'watching';
    };

    return Far('promises', {
        heard: () => harden([...heard]),
        notes: () => harden([...notes.values()]),
        // promises of others
        wait,
        watch,
        // an answer that waits for one
        answer: async (label, promise) => {
            const value = await promise;
            heard.push(`${label} answers ${say(value)}`);
            return value;
        },
        // two messages, the second to the answer of the first, which is not there yet
        pipeline(label, target, gate) {
            const there = E(target).after(gate);
            return wait(label, E(there).hear(label));
        },
        // its own
        make(label) {
            kits.set(label, makePromiseKit());
            return 'made';
        },
        give: label => harden({ promise: kit(label).promise }),
        watchOwn: label => watch(label, kit(label).promise),
        waitOwn: label => wait(label, kit(label).promise),
        settle(label, value) {
            kit(label).resolve(value);
            return 'settled';
        },
        reject(label, reason) {
            kit(label).reject(Error(reason));
            return 'rejected';
        },
        // objects
        coin: (worth = 1) => makeCoin(worth),
        bead: (colour = 'blue') => makeBead(colour),
        trinket: () => Far('trinket', { shine: () => 'bright' }),
        keep(label, object) {
            kept.init(label, object);
            return kept.getSize();
        },
        lose(label) {
            kept.delete(label);
            return kept.getSize();
        },
        string(n) {
            for (let i = 0; i < n; i += 1) {
                beads.init(`b${beads.getSize()}`, makeBead('red'));
            }
            return beads.getSize();
        },
        unstring() {
            beads.clear();
            return beads.getSize();
        },
        // holds no more than a key: recognizes
        recognize(object) {
            seen.add(object);
            return seen.has(object);
        },
    });
};
harden(buildRootObject);
