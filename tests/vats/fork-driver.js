// fork-driver.js -- the bootstrap vat of tests/fork: makes vats, forks them, talks to them.
//
// Vats and objects are known by name.  An argument { thing: NAME } stands for the object
// of that name; an answer that is an object is kept as "VAT.METHOD" and answered as its
// name.  "VAT.root" is a vat's root.  A gate is a promise of this vat's own: a thing, too.
import { Fail, q } from '@endo/errors';
import { E, Far, passStyleOf } from '@endo/far';
import { makePromiseKit } from '@endo/promise-kit';

export const buildRootObject = () => {
    let service;
    const vats = new Map(); // name -> { root, adminNode, zygote }
    const things = new Map();
    const former = []; // what had a name before; held until release()
    const heard = []; // what vats told the listener
    const gates = new Map(); // name -> promise kit

    const vat = name => vats.get(name) || Fail`no vat is called ${q(name)}`;
    const thing = name => things.get(name) || Fail`nothing is called ${q(name)}`;
    const place = (name, answer) => {
        vats.set(name, answer);
        things.set(`${name}.root`, answer.root);
    };

    const meant = arg => {
        if (Array.isArray(arg)) {
            return harden(arg.map(meant));
        }
        return arg && typeof arg === 'object' && 'thing' in arg ? thing(arg.thing) : arg;
    };
    const ask = async (name, method, ...args) => {
        const answer = await E(thing(`${name}.root`))[method](...args.map(meant));
        if (passStyleOf(answer) === 'remotable') {
            former.push(things.get(`${name}.${method}`));
            things.set(`${name}.${method}`, answer);
            return `${name}.${method}`;
        }
        return answer;
    };

    return Far('root', {
        async bootstrap(roots, devices) {
            service = await E(roots.vatAdmin).createVatAdminService(devices.vatAdmin);
            return 'ready';
        },

        async create(name, bundle, options = {}) {
            const bundlecap = await E(service).getNamedBundleCap(bundle);
            place(name, await E(service).createVat(bundlecap, harden({ name, ...options })));
            return 'created';
        },

        // `refs`: names "PARENT.x"; each comes back as "CHILD.x".
        async fork(parent, child, refs = [], options = {}) {
            const { zygote, adminNode } = vat(parent);
            const { refs: renamed, ...answer } = await E(zygote || adminNode).fork(
                harden(refs.map(thing)),
                harden({ name: child, ...options }),
            );
            place(child, answer);
            refs.forEach((ref, i) => {
                things.set(`${child}.${ref.slice(ref.lastIndexOf('.') + 1)}`, renamed[i]);
            });
            return renamed.length;
        },
        async zygotify(name) {
            const zygote = await E(vat(name).adminNode).zygotify();
            vats.set(name, { ...vat(name), zygote });
            return 'sealed';
        },
        async upgrade(name, bundle, options = {}) {
            const bundlecap = await E(service).getNamedBundleCap(bundle);
            const { incarnationNumber } = await E(vat(name).adminNode).upgrade(
                bundlecap,
                harden(options),
            );
            return incarnationNumber;
        },
        terminate: (name, reason = 'because') =>
            E(vat(name).zygote || vat(name).adminNode)
                .terminateWithFailure(Error(reason))
                .then(() => 'told'),
        done: name =>
            E(vat(name).zygote || vat(name).adminNode)
                .done()
                .then(
                    value => ['done', value],
                    reason => ['failed', reason.message],
                ),

        ask,
        // The same message to each, one after the other; what it throws is an answer.
        async askAll(names, method, ...args) {
            const answers = [];
            for (const name of names) {
                // eslint-disable-next-line no-await-in-loop
                answers.push(await ask(name, method, ...args).catch(e => `threw ${e.message}`));
            }
            return harden(answers);
        },
        // The same message to the object that each calls `suffix`.
        async tellAll(names, suffix, method, ...args) {
            const answers = [];
            for (const name of names) {
                // eslint-disable-next-line no-await-in-loop
                answers.push(await E(thing(`${name}.${suffix}`))[method](...args.map(meant)));
            }
            return harden(answers);
        },
        tell: (name, method, ...args) => E(thing(name))[method](...args.map(meant)),
        make(name) {
            things.set(
                name,
                Far(`thing ${name}`, {
                    hear: words => {
                        heard.push(words);
                        return words.length;
                    },
                    name: () => name,
                    never: () => new Promise(() => {}),
                    after: gate => gates.get(gate).promise,
                }),
            );
            return name;
        },

        gate(name) {
            gates.set(name, makePromiseKit());
            things.set(name, gates.get(name).promise);
            return name;
        },
        open(name, value = 'open') {
            gates.get(name).resolve(meant(value));
            return 'opened';
        },
        shut(name, reason) {
            gates.get(name).reject(Error(reason));
            return 'shut';
        },
        // a message, and a promise that a vat gives away: what comes of them is heard later
        later(name, method, ...args) {
            E.when(
                ask(name, method, ...args),
                answer => heard.push(`${name}.${method}: ${answer}`),
                reason => heard.push(`${name}.${method} broke: ${reason.message}`),
            );
            return 'asked';
        },
        async take(name, label) {
            const { promise } = await E(thing(`${name}.root`)).give(label);
            E.when(
                promise,
                value => heard.push(`${name}.${label} gave ${value}`),
                reason => heard.push(`${name}.${label} broke: ${reason.message || reason.name}`),
            );
            return 'taken';
        },
        release: () => former.splice(0, former.length).length,
        heard: () => harden([...heard]),
        forget(...names) {
            for (const name of names) {
                things.delete(name);
                vats.delete(name);
            }
            return 'forgotten';
        },
    });
};
harden(buildRootObject);
