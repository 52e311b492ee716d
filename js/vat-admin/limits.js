// limits.js -- which vats may be forked, and how often.
//
// Said when a vat is made: createVat(cap, { forkable: false }), { maxForks: 3 }, and the
// same options of fork() for the child.  It stands beside the admin nodes, whose state is
// { vatID } as upstream has it:
//
//   forkLimits     vatID -> { forkable, budgetID }   only of vats that have a limit
//   forkBudgets    budgetID -> { left, vats }        forks left, and who draws on it
//   nextForkBudget (baggage) number of the next budgetID
//
// A child draws on its parent's budget as it runs on its parent's meter, unless it is given
// one of its own; that is paid out of the parent's.  So however a vat and its descendants
// pass their facets on, they make no more forks than the first of them was allowed.  A
// fork that is refused is given back; one that succeeded never is, also when the child ends.
//
// A facet that forks and does nothing else needs no help from here: a vat can make one.
import { b, Fail } from '@endo/errors';
import { isNat } from '@endo/nat';
import { makeScalarBigMapStore, provide } from './durable.js';

export const checkLimitOptions = (who, { forkable, maxForks }) => {
    forkable === undefined ||
        typeof forkable === 'boolean' ||
        Fail`${b(who)}: forkable must be true or false`;
    maxForks === undefined ||
        (typeof maxForks === 'number' && isNat(maxForks)) ||
        Fail`${b(who)}: maxForks must be a natural number`;
};

export const prepareLimits = baggage => {
    const durable = key =>
        provide(baggage, key, () => makeScalarBigMapStore(key, { durable: true }));
    const forkLimits = durable('forkLimits');
    const forkBudgets = durable('forkBudgets');
    // Where no vat was ever limited, looking costs nothing; nothing here grows with them.
    let some = forkLimits.getSize() > 0;

    const isLimited = vatID => some && forkLimits.has(vatID);
    const limitOf = vatID =>
        isLimited(vatID) ? forkLimits.get(vatID) : { forkable: true, budgetID: undefined };

    const change = (budgetID, left, vats) => {
        const old = forkBudgets.get(budgetID);
        forkBudgets.set(budgetID, harden({ left: old.left + left, vats: old.vats + vats }));
    };

    const makeBudget = left => {
        const n = provide(baggage, 'nextForkBudget', () => 1);
        baggage.set('nextForkBudget', n + 1);
        forkBudgets.init(`f${n}`, harden({ left, vats: 0 }));
        return `f${n}`;
    };

    const put = (vatID, forkable, budgetID) => {
        if (forkable && budgetID === undefined) {
            return;
        }
        forkLimits.init(vatID, harden({ forkable, budgetID }));
        some = true;
        if (budgetID !== undefined) {
            change(budgetID, 0, 1);
        }
    };

    // What a fork takes out of the parent's budget: itself, and what the child may make.
    const price = ({ maxForks = 0 }) => maxForks + 1;

    return harden({
        // of a vat made by createVat()
        limit(vatID, { forkable = true, maxForks }) {
            put(vatID, forkable, maxForks === undefined ? undefined : makeBudget(maxForks));
        },

        insistForkable(vatID, method) {
            limitOf(vatID).forkable || Fail`adminNode.${b(method)}: vat not forkable`;
        },

        insistAffordable(vatID, options) {
            const { budgetID } = limitOf(vatID);
            budgetID === undefined ||
                price(options) <= forkBudgets.get(budgetID).left ||
                Fail`too many vats: maxForks leaves ${b(forkBudgets.get(budgetID).left)}`;
        },

        charge(vatID, childID, options) {
            const { forkable = true, maxForks } = options;
            let { budgetID } = limitOf(vatID);
            if (budgetID !== undefined) {
                change(budgetID, -price(options), 0);
            }
            if (maxForks !== undefined) {
                budgetID = makeBudget(maxForks);
            }
            put(childID, forkable, budgetID);
        },

        // the fork was refused; the parent may have ended meanwhile
        refund(vatID, options) {
            const { budgetID } = limitOf(vatID);
            if (budgetID !== undefined) {
                change(budgetID, price(options), 0);
            }
        },

        forget(vatID) {
            if (!isLimited(vatID)) {
                return;
            }
            const { budgetID } = limitOf(vatID);
            forkLimits.delete(vatID);
            if (budgetID !== undefined) {
                change(budgetID, 0, -1);
                if (forkBudgets.get(budgetID).vats === 0) {
                    forkBudgets.delete(budgetID);
                }
            }
        },
    });
};
