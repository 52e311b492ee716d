// points-contract2.js -- the second version of points-contract.js: it counts on, double.
/* global VatData, harden */
export const setupInstallation = _baggage => 'version 2';

export const setupInstance = baggage => {
    VatData.defineDurableKind(baggage.get('tally'), () => ({ count: 0 }), {
        add: ({ state }, by) => {
            state.count += 2 * by;
            return state.count;
        },
    });
    return harden({ facet: baggage.get('facet') });
};
