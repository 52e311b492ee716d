// One side of every reference.  After each delivery both vats bring out their
// dead, so that every drop and retire happens at a definite place.
import { E, Far } from '@endo/far';
import { makeScalarBigMapStore, makeScalarBigWeakMapStore } from '@agoric/vat-data';

export const buildRootObject = () => {
    let maker;
    const theirs = new Map(); // name -> object of the maker
    const ours = new Map(); // name -> object of ours
    const recognized = new WeakSet();
    const weakStore = makeScalarBigWeakMapStore('recognized');
    const strongStore = makeScalarBigMapStore('strong');

    return Far('root', {
        bootstrap(vats) {
            maker = vats.maker;
            return 'booted';
        },

        // ---- their objects, here ----------------------------------------------
        async take(kind, name) {
            theirs.set(name, await E(maker).make(kind, name));
            return E(theirs.get(name)).label();
        },
        async takeKept(kind, name) {
            theirs.set(name, await E(maker).makeKept(kind, name));
            return E(theirs.get(name)).label();
        },
        async recognize(name) {
            const object = theirs.get(name);
            recognized.add(object);
            weakStore.init(object, name);
            return weakStore.has(object);
        },
        isRecognized: name =>
            harden([recognized.has(theirs.get(name)), weakStore.has(theirs.get(name))]),
        store(name) {
            strongStore.init(name, theirs.get(name));
            return strongStore.getSize();
        },
        unstore(name) {
            strongStore.delete(name);
            return strongStore.getSize();
        },
        fetch(name) {
            theirs.set(name, strongStore.get(name));
            return E(theirs.get(name)).label();
        },
        drop(name) {
            return theirs.delete(name);
        },
        letGo: name => E(maker).letGo(name),
        sendHome: name => E(maker).look(theirs.get(name)),

        // ---- our objects, there -------------------------------------------------
        give(name) {
            ours.set(name, Far('our thing', { label: () => name }));
            return E(maker).hold(name, ours.get(name));
        },
        giveAndForget: name => E(maker).hold(name, Far('our lost thing', { label: () => name })),
        forget: name => ours.delete(name),
        async getBack(name) {
            const object = await E(maker).giveBack(name);
            return harden([object === ours.get(name), await E(object).label()]);
        },
        dropThere: name => E(maker).drop(name),
        recognizeThere(name) {
            if (!ours.has(name)) {
                ours.set(name, Far('our thing', { label: () => name }));
            }
            return E(maker).recognize(name, ours.get(name));
        },
        whoThere: name => E(maker).who(ours.get(name)),
        storeThere(name) {
            ours.set(name, Far('our stored thing', { label: () => name }));
            return E(maker).store(name, ours.get(name));
        },
        unstoreThere: name => E(maker).unstore(name),
        storeInDurable(name) {
            ours.set(name, Far('our durably held thing', { label: () => name }));
            return E(maker).storeInDurable(name, ours.get(name));
        },
        emptyDurable: name => E(maker).emptyDurable(name),

        async nothing() {
            return E(maker).ping();
        },
    });
};
harden(buildRootObject);
