// points-contract.js -- the contract that points-zcf.js runs, first version: a counter.
/* global VatData, harden, Far */
let evaluations = 0;

export const setupInstallation = _baggage => {
    evaluations += 1;
    return `version 1, evaluated ${evaluations} time`;
};

export const setupInstance = baggage => {
    if (!baggage.has('tally')) {
        baggage.init('tally', VatData.makeKindHandle('tally'));
    }
    const makeTally = VatData.defineDurableKind(baggage.get('tally'), () => ({ count: 0 }), {
        add: ({ state }, by) => {
            state.count += by;
            return state.count;
        },
    });
    if (!baggage.has('facet')) {
        baggage.init('facet', makeTally());
    }
    return harden({ facet: baggage.get('facet'), mortal: Far('mortal', {}) });
};
