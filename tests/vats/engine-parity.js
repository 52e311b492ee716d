// engine-parity.js -- the vat of tests/engine/test_parity.c.
//
// Each method leans on another part of the engine whose state could differ between two
// allocators: heap growth, big strings, weak references of liveslots, virtual collections,
// promises, regular expressions, errors.
/* global VatData */
import { E, Far } from '@endo/far';

export const buildRootObject = (vatPowers, vatParameters) => {
    let counter = 0;
    const kept = [];
    const seen = [];
    const store = VatData.makeScalarBigMapStore('parity');
    const makeCell = VatData.defineKind('cell', value => ({ value }), {
        get: ({ state }) => state.value,
        set: ({ state }, value) => {
            state.value = value;
        },
    });

    const spell = n => {
        const words = `${n} little words, ${n * 7} more`.match(/[a-z]+|\d+/g);
        return words.map(w => w.replace(/(.)(.*)/u, '$2$1')).sort().join('-');
    };

    return Far('root', {
        parameters: () => vatParameters,
        count: step => {
            counter += step;
            return counter;
        },
        language: n => {
            const big = 3n ** BigInt(n % 50);
            const map = new Map();
            for (let i = 0; i < 200; i += 1) {
                map.set(`k${(i * n) % 97}`, { i, odd: i % 2 === 1, half: i / 2 });
            }
            const text = JSON.stringify([...map.entries()]);
            const back = JSON.parse(text).filter(([, v]) => v.odd).length;
            const numbers = new Float64Array(100).map((_, i) => Math.sqrt(i * n));
            return [spell(n), `${big}`, text.length, back, `${numbers.reduce((a, b) => a + b)}`];
        },
        grow: count => {
            const block = [];
            for (let i = 0; i < count; i += 1) {
                block.push({ i, name: `object ${i}`, pair: [i, i + 1] });
            }
            kept.push(block);
            if (kept.length > 3) kept.shift();
            return kept.length;
        },
        text: size => {
            kept.push('zygote '.repeat(size));
            if (kept.length > 3) kept.shift();
            return kept[kept.length - 1].length;
        },
        keep: thing => {
            seen.push(thing);
            if (seen.length > 5) seen.shift();
            return seen.length;
        },
        make: label => Far(`made ${label}`, { label: () => label }),
        put: (key, value) => {
            if (store.has(key)) store.set(key, value);
            else store.init(key, value);
            return store.getSize();
        },
        cell: value => {
            const cell = makeCell(value);
            const key = `cell${value % 10}`;
            if (store.has(key)) store.set(key, cell);
            else store.init(key, cell);
            return cell;
        },
        ask: async (peer, question) => {
            const answer = await E(peer).answer(question);
            counter += 1;
            return [question, answer];
        },
        fail: why => {
            console.log('about to fail', why);
            throw TypeError(`cannot ${why}: ${spell(why.length)}`);
        },
    });
};
harden(buildRootObject);
