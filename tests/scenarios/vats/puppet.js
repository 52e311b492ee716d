// puppet.js -- a vat that does what messages tell it to: the vats of most scenarios.
//
// Every puppet has a table of named values.  A message is a list of acts:
//
//   E(puppet).do([ ['make', 'x', 'virtual'], ['send', '$bob', 'take', ['x', '$x'], 'p'] ])
//
// Acts run one after another, in the turn of the message until the first that waits.  In
// a value, "$name" is the table's entry ("$$text" is the text "$text") and
//   { "@undefined": 1 }  { "@bigint": "5" }  { "@number": "NaN" }  { "@symbol": "name" }
//   { "@error": message, "name"? }  { "@tagged": [tag, payload] }  { "@unpassable": 1 }
// are what JSON cannot say.  "as" below is the name that a result is kept under, if given.
//
// The table
//   ['set', as, value]            ['drop', name...]
//   ['pick', value, key, as]      a property
//   ['keep', name]                in the baggage: there again after an upgrade
//   ['unkeep', name]
// Things
//   ['make', as, kind, label?]    ephemeral | virtual | durable | virtualPair | durablePair
//                                 (of a pair as.a and as.b: facets)
//   ['store', as, kind, options?] map | weakMap | set | weakSet of vat-data
//   ['call', target, method, args?, as?]   now: of a local thing or store.  What a store
//                                 iterates over comes as an array.
// Messages
//   ['send', target, method, args?, as?]   ['sendOnly', target, method, args?]
//   ['get', target, key, as?]     eventual property
//   ['device', node, method, args?, as?]   D(node).method(...args)
// Promises
//   ['promise', as]               ['resolve', name, value]    ['reject', name, value]
//   ['when', value, label]        its outcome goes to the log
//   ['watch', value, label]       the same by a durable watcher: survives an upgrade
//   ['await', value, as?]         waits; a rejection makes it fail
//   ['settle', value, as?]        waits; the value is a record of the outcome
// Control
//   ['return', value]             the answer to do()     ['throw', message]
//   ['try', act...]               a failure goes to the log and the next act runs
//   ['repeat', n, act...]         '#' in any text of the acts is the turn: 0, 1, …
//   ['log', value...]             ['same', a, b] logs whether they are
// Of the vat
//   ['exit', value?]   ['fail', value?]    ['console', text]
//   ['spin', n]   ['alloc', megabytes]   ['recurse']   ['loop']: of a vat with a meter, or it
//                                 never ends
// Vats, where the table has $svc (the vat admin service), as the bootstrap puppet's does
//   ['createVat', name, bundle, options?]  name is its root, name.admin its facet
//   ['upgrade', name, bundle, options?]    ['terminate', name, reason?]
//   ['changeOptions', name, options]       ['done', name]    the outcome is logged
//   ['meter', as, remaining, threshold]    ['unlimitedMeter', as]
//
// The root and things have do, take, give, drop, report (the log, which is then empty),
// echo, fail, never, forward, poke, label, hold, held, release; the root has incarnation too.
//
// vatParameters: name; table (names and values to begin with); acts (run while the vat is
// built); omit (durable kinds not to be defined again); facets (of durablePair); plain
// (bootstrap does not ask for the vat admin service); throws (a message: the vat cannot
// start); hang (never starts).
//
// Nothing is imported, so that the bundle is small: a vat of it starts in a few ms.
/* global HandledPromise, VatData, harden */

const far = (name, methods) => {
    const tag = {
        [Symbol.for('passStyle')]: { value: 'remotable' },
        [Symbol.toStringTag]: { value: `Alleged: ${name}` },
    };
    return harden(Object.create(harden(Object.create(Object.prototype, tag)), methods));
};
const properties = methods =>
    Object.fromEntries(
        Object.entries(methods).map(([key, value]) => [key, { value, enumerable: true }]),
    );
const makeFar = (name, methods) => far(name, properties(methods));

const tagged = (tag, payload) =>
    harden(
        Object.create(Object.prototype, {
            [Symbol.for('passStyle')]: { value: 'tagged' },
            [Symbol.toStringTag]: { value: tag },
            payload: { value: payload, enumerable: true },
        }),
    );

const makeError = (message, name = 'Error') =>
    harden(new { Error, RangeError, ReferenceError, SyntaxError, TypeError, URIError }[name](message));

// What JSON cannot say.
const specials = {
    '@undefined': () => undefined,
    '@bigint': digits => BigInt(digits),
    '@number': text => Number(text),
    '@symbol': name => (name.startsWith('@@') ? Symbol[name.slice(2)] : Symbol.for(name)),
    '@error': (message, { name }) => makeError(message, name),
    '@tagged': ([tag, payload]) => tagged(tag, payload),
    '@unpassable': () => () => {},
};

// Data about a value, which keeps nothing alive.
const describe = value => {
    if (typeof value !== 'object' || value === null) {
        return typeof value === 'symbol' ? String(value) : value;
    }
    if (value instanceof Error) {
        return `${value.name}: ${value.message}`;
    }
    if (Array.isArray(value)) {
        return value.map(describe);
    }
    if (value instanceof Promise) {
        return '[promise]';
    }
    if (value[Symbol.toStringTag]) {
        return `[${value[Symbol.toStringTag]}]`;
    }
    return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, describe(v)]));
};

const renumbered = (value, turn) => {
    if (typeof value === 'string') {
        return value.split('#').join(`${turn}`);
    }
    if (Array.isArray(value)) {
        return value.map(item => renumbered(item, turn));
    }
    // a thing is passed by, not copied
    if (value && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
        return Object.fromEntries(
            Object.entries(value).map(([key, v]) => [renumbered(key, turn), renumbered(v, turn)]),
        );
    }
    return value;
};

const ignore = () => {};
const send = (target, method, args = []) => {
    const p = HandledPromise.applyMethod(target, method, args);
    p.then(ignore, ignore);
    return p;
};

export const buildRootObject = (vatPowers, vatParameters = {}, baggage) => {
    const { throws, hang, omit = [], facets = ['a', 'b'] } = vatParameters;
    const table = new Map(Object.entries(vatParameters.table || {}));
    const resolvers = new Map();
    let log = [];

    const provide = (key, make) => {
        if (!baggage.has(key)) {
            baggage.init(key, make());
        }
        return baggage.get(key);
    };
    const incarnation = baggage.has('incarnation') ? baggage.get('incarnation') + 1 : 0;
    if (incarnation) {
        baggage.set('incarnation', incarnation);
    } else {
        baggage.init('incarnation', 0);
    }
    const kept = provide('kept', () => VatData.makeScalarBigMapStore('kept', { durable: true }));

    // -- the table --

    const lookup = name => {
        if (table.has(name)) {
            return table.get(name);
        }
        if (kept.has(name)) {
            return kept.get(name);
        }
        throw Error(`no ${name}`);
    };
    const valueOf = value => {
        if (typeof value === 'string' && value.startsWith('$')) {
            return value.startsWith('$$') ? value.slice(1) : lookup(value.slice(1));
        }
        if (Array.isArray(value)) {
            return value.map(valueOf);
        }
        if (value && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
            const [key] = Object.keys(value);
            const special = Object.hasOwn(specials, key) && specials[key];
            return special
                ? special(valueOf(value[key]), value)
                : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, valueOf(v)]));
        }
        return value;
    };
    const passable = value => harden(valueOf(value));
    const put = (name, value) => {
        if (name !== undefined) {
            table.set(name, value);
        }
    };
    const note = (...entry) => {
        log.push(entry.map(describe));
    };
    const outcome = (value, label) =>
        HandledPromise.resolve(value).then(
            v => note(label, 'fulfilled', v),
            e => note(label, 'rejected', e),
        );

    // -- things --

    // eslint-disable-next-line no-use-before-define
    const perform = acts => performAll(acts);
    const common = {
        do: acts => perform(acts),
        take(name, value) {
            put(name, value);
        },
        give: name => lookup(name),
        drop(...names) {
            for (const name of names) {
                table.delete(name);
                resolvers.delete(name);
            }
        },
        report() {
            const said = log;
            log = [];
            return harden(said);
        },
        echo: (...args) => (args.length > 1 ? harden(args) : args[0]),
        fail(reason) {
            throw typeof reason === 'string' ? Error(reason) : reason;
        },
        never: () => new Promise(ignore),
        forward: (target, method, args = []) => send(target, method, args),
    };
    // of a thing whose state is { label, count, held }
    const stateful = {
        label: state => state.label,
        poke(state, by = 1) {
            state.count += by;
            return state.count;
        },
        hold(state, value) {
            state.held = value;
        },
        held: state => state.held,
        release(state) {
            state.held = undefined;
        },
    };
    const init = label => ({ label, count: 0, held: undefined });
    const behavior = {};
    for (const [name, method] of Object.entries(common)) {
        behavior[name] = (_context, ...args) => method(...args);
    }
    for (const [name, method] of Object.entries(stateful)) {
        behavior[name] = ({ state }, ...args) => method(state, ...args);
    }
    const ephemeral = (label, more = {}) => {
        const state = init(label);
        const methods = { ...common, ...more };
        for (const [name, method] of Object.entries(stateful)) {
            methods[name] = (...args) => method(state, ...args);
        }
        return makeFar(label, methods);
    };
    const both = names => Object.fromEntries(names.map(name => [name, behavior]));

    const durableKind = (name, define) => {
        if (!omit.includes(name)) {
            const handle = provide(`kind.${name}`, () => VatData.makeKindHandle(name));
            return define(handle);
        }
        return undefined;
    };
    const watching = {
        onFulfilled: (_context, value, label) => note(label, 'fulfilled', value),
        onRejected: (_context, reason, label) => note(label, 'rejected', reason),
    };
    const makers = {
        ephemeral,
        virtual: VatData.defineKind('virtual', init, behavior),
        virtualPair: VatData.defineKindMulti('virtualPair', init, both(['a', 'b'])),
        durable: durableKind('durable', h => VatData.defineDurableKind(h, init, behavior)),
        durablePair: durableKind('durablePair', h =>
            VatData.defineDurableKindMulti(h, init, both(facets)),
        ),
        watcher: durableKind('watcher', h => VatData.defineDurableKind(h, () => ({}), watching)),
    };
    const stores = {
        map: 'makeScalarBigMapStore',
        weakMap: 'makeScalarBigWeakMapStore',
        set: 'makeScalarBigSetStore',
        weakSet: 'makeScalarBigWeakSetStore',
    };

    // -- acts --

    const admin = (name, method, ...args) => send(lookup(`${name}.admin`), method, args);
    const bundleCap = bundle => send(lookup('svc'), 'getNamedBundleCap', [bundle]);

    // Each gets the act's parts; a promise that it returns is waited for, and nothing else
    // of what it returns is looked at.
    const verbs = {
        set: (as, value) => put(as, passable(value)),
        drop: (...names) => common.drop(...names),
        pick: (value, key, as) => put(as, valueOf(value)[key]),
        keep: name => (kept.has(name) ? kept.set : kept.init)(name, table.get(name)),
        unkeep: name => kept.delete(name),

        make(as, kind, label = as) {
            const made = makers[kind](label);
            if (kind.endsWith('Pair')) {
                for (const [facet, value] of Object.entries(made)) {
                    put(`${as}.${facet}`, value);
                }
            } else {
                put(as, made);
            }
        },
        store: (as, kind, options = {}) => put(as, VatData[stores[kind]](as, options)),
        call(target, method, args = [], as = undefined) {
            const found = valueOf(target)[method](...passable(args));
            const many = found && typeof found === 'object' && Symbol.iterator in found;
            put(as, many ? harden([...found]) : found);
        },

        send: (target, method, args = [], as = undefined) =>
            put(as, send(valueOf(target), valueOf(method), passable(args))),
        sendOnly: (target, method, args = []) =>
            HandledPromise.applyMethodSendOnly(valueOf(target), method, passable(args)),
        get(target, key, as) {
            const p = HandledPromise.get(valueOf(target), key);
            p.then(ignore, ignore);
            put(as, p);
        },
        device: (node, method, args = [], as = undefined) =>
            put(as, vatPowers.D(valueOf(node))[method](...passable(args))),

        promise(as) {
            const p = new Promise((resolve, reject) => resolvers.set(as, { resolve, reject }));
            p.then(ignore, ignore);
            put(as, p);
        },
        resolve: (name, value) => resolvers.get(name).resolve(passable(value)),
        reject: (name, value) => resolvers.get(name).reject(passable(value)),
        when(value, label) {
            outcome(valueOf(value), label);
        },
        watch: (value, label) =>
            VatData.watchPromise(valueOf(value), provide('watcher', () => makers.watcher()), label),
        await: (value, as) => HandledPromise.resolve(valueOf(value)).then(v => put(as, v)),
        settle: (value, as) =>
            HandledPromise.resolve(valueOf(value)).then(
                v => put(as, harden({ fulfilled: v })),
                e => put(as, harden({ rejected: e })),
            ),

        throw(message) {
            throw Error(message);
        },
        log: (...values) => note(...values.map(valueOf)),
        same: (a, b) => note('same', valueOf(a) === valueOf(b)),

        exit: value => vatPowers.exitVat(passable(value)),
        fail: value => vatPowers.exitVatWithFailure(passable(value)),
        console: text => console.log(text),
        spin(n) {
            for (let i = 0; i < n; i += 1);
        },
        loop() {
            for (;;);
        },
        alloc(megabytes) {
            const blocks = [];
            for (let i = 0; i < megabytes; i += 1) {
                blocks.push(new Uint8Array(2 ** 20));
            }
        },
        recurse: () => verbs.recurse() + 1,

        async createVat(name, bundle, options = {}) {
            const given = passable(options);
            const cap = await bundleCap(bundle);
            const made = send(lookup('svc'), 'createVat', [cap, given]);
            await made.then(
                ({ root, adminNode }) => {
                    put(name, root);
                    put(`${name}.admin`, adminNode);
                    note(`${name} created`);
                },
                e => note(`${name} not created`, e),
            );
        },
        async upgrade(name, bundle, options = {}) {
            const given = passable(options);
            const cap = await bundleCap(bundle);
            await outcome(admin(name, 'upgrade', cap, given), `${name} upgrade`);
        },
        terminate: (name, reason = 'terminated') =>
            outcome(admin(name, 'terminateWithFailure', passable(reason)), `${name} terminate`),
        changeOptions: (name, options) =>
            outcome(admin(name, 'changeOptions', passable(options)), `${name} options`),
        done(name) {
            outcome(admin(name, 'done'), `${name} done`);
        },
        meter: (as, remaining, threshold) =>
            send(lookup('svc'), 'createMeter', [BigInt(remaining), BigInt(threshold)]).then(m =>
                put(as, m),
            ),
        unlimitedMeter: as => send(lookup('svc'), 'createUnlimitedMeter').then(m => put(as, m)),
    };

    const failed = (verb, e) => Error(`${verb}: ${e && e.message ? e.message : e}`);
    // The parts that other acts are among.
    const nested = {
        return: value => ({ answer: passable(value) }),
        repeat(times, ...body) {
            const all = [];
            for (let turn = 0; turn < times; turn += 1) {
                all.push(...renumbered(body, turn));
            }
            // eslint-disable-next-line no-use-before-define
            return performFrom(all, 0);
        },
        try(...acts) {
            try {
                // eslint-disable-next-line no-use-before-define
                const done = performFrom(acts, 0);
                return done instanceof Promise ? done.catch(e => note('failed', e)) : done;
            } catch (e) {
                note('failed', e);
                return undefined;
            }
        },
    };
    // Of acts that do not wait, done in this turn: { answer } if they return.  Else a promise.
    const performFrom = (acts, start) => {
        for (let i = start; i < acts.length; i += 1) {
            const [verb, ...parts] = acts[i];
            let done;
            try {
                done = nested[verb] ? nested[verb](...parts) : verbs[verb](...parts);
            } catch (e) {
                throw failed(verb, e);
            }
            if (done instanceof Promise) {
                return done.then(
                    got => (nested[verb] && got && got.answer !== undefined ? got : performFrom(acts, i + 1)),
                    e => {
                        throw failed(verb, e);
                    },
                );
            }
            if (nested[verb] && done && done.answer !== undefined) {
                return done;
            }
        }
        return {};
    };
    const performAll = acts => {
        const done = performFrom(acts, 0);
        return done instanceof Promise ? done.then(({ answer }) => answer) : done.answer;
    };

    // -- the root --

    if (throws) {
        throw Error(throws);
    }
    const root = ephemeral(vatParameters.name || 'root', {
        bootstrap(vats, devices) {
            for (const [name, vat] of Object.entries(vats)) {
                put(name, vat);
            }
            for (const [name, device] of Object.entries(devices)) {
                put(`device.${name}`, device);
            }
            if (vats.vatAdmin && devices.vatAdmin && !vatParameters.plain) {
                put('svc', send(vats.vatAdmin, 'createVatAdminService', [devices.vatAdmin]));
            }
        },
        incarnation: () => incarnation,
    });
    put('self', root);
    put('baggage', baggage);
    const begun = performAll(vatParameters.acts || []);
    if (hang) {
        return new Promise(ignore);
    }
    return begun instanceof Promise ? begun.then(() => root) : root;
};
harden(buildRootObject);
