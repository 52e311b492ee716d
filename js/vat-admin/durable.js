// durable.js -- the few things of @agoric/vat-data that vat-admin needs, straight
// from the VatData that liveslots gives every vat.
//
// The package brings patterns, exos and stores along: two thirds of the bundle, and
// of the time a store takes to start.  Names in baggage are the package's, so that
// either vat-admin, ours or upstream's, finds what the other left.
/* global globalThis */

const { VatData } = globalThis;
export const { makeScalarBigMapStore, makeScalarBigSetStore } = VatData;

export const provide = (baggage, key, make) => {
    if (!baggage.has(key)) {
        baggage.init(key, make(key));
    }
    return baggage.get(key);
};

const define = (baggage, name, init, methods, options) =>
    VatData.defineDurableKind(
        provide(baggage, `${name}_kindHandle`, () => VatData.makeKindHandle(name)),
        init,
        methods,
        options,
    );

// Methods take ({ state, self }, ...args).
export const prepareKind = (baggage, name, init, methods, options) =>
    define(baggage, name, init, methods, options);

// The one instance of a kind of its own, without state; methods take (...args).
export const prepareSingleton = (baggage, name, methods) => {
    const make = define(baggage, name, () => ({}), methods, { thisfulMethods: true });
    return provide(baggage, `${name}_singleton`, () => make());
};
