// generate.mjs -- a scenario out of a seed: random puppets and what they are told to do.
//
// usage: node tests/conformance/generate.mjs SEED DIR     writes DIR/config.json, script.json
//
// The same seed gives the same scenario, everywhere.  Its programs are puppet's acts
// (tests/scenarios/vats/puppet.js), so what a seed does can be read, cut down, and checked in.
//
// The generator keeps track of who should know which names, so that most acts mean something;
// where a vat has died or forgotten meanwhile, the act fails, and that is compared like the rest.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

// mulberry32
const makeRandom = seed => {
    let state = (seed * 2654435761 + 12345) >>> 0;
    const next = () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = state;
        t = Math.imul(t ^ (t >>> 15), t | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
    const below = n => Math.floor(next() * n);
    return {
        below,
        chance: p => next() < p,
        pick: list => list[below(list.length)],
        // { name: weight }
        weighted(weights) {
            const entries = Object.entries(weights);
            let at = next() * entries.reduce((sum, [, w]) => sum + w, 0);
            for (const [name, weight] of entries) {
                at -= weight;
                if (at < 0) {
                    return name;
                }
            }
            return entries[0][0];
        },
    };
};

// Acts that go through another puppet's hands: their "$names" are not its own.
const escaped = value => {
    if (typeof value === 'string') {
        return value.startsWith('$') ? `$${value}` : value;
    }
    if (Array.isArray(value)) {
        return value.map(escaped);
    }
    if (value && typeof value === 'object') {
        return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, escaped(v)]));
    }
    return value;
};

const OBJECTS = ['ephemeral', 'virtual', 'durable', 'virtualPair', 'durablePair'];

export const generate = seed => {
    const random = makeRandom(seed);
    const { below, chance, pick, weighted } = random;
    // What this seed is about: some features are off in each.
    const on = Object.fromEntries(
        ['dynamic', 'upgrade', 'terminate', 'meter', 'restart', 'policy', 'stores', 'watch', 'steps', 'static'].map(
            name => [name, chance(0.6)],
        ),
    );
    let serial = 0;
    const fresh = prefix => {
        serial += 1;
        return `${prefix}${serial}`;
    };

    // -- who there is --

    // names: name -> { is: 'object' | 'promise' | 'store', local, durable, kind }
    const makeVat = (name, isStatic) => ({
        name,
        isStatic,
        alive: true,
        metered: false,
        names: new Map(),
        kept: new Set(),
    });
    const vats = [makeVat('bootstrap', true)];
    const [boot] = vats;
    const statics = chance(0.6) ? ['ann'] : ['ann', 'bob'];
    for (const name of statics) {
        vats.push(makeVat(name, true));
        boot.names.set(name, { is: 'vat' });
    }
    const others = v => vats.filter(w => w !== v && w.alive);

    const namesOf = (v, test) => [...v.names].filter(([, it]) => test(it)).map(([name]) => name);
    const objects = v => namesOf(v, it => it.is === 'object');
    const promises = v => namesOf(v, it => it.is === 'promise');
    const mine = v => namesOf(v, it => it.is === 'promise' && it.local && !it.settled);
    // A name for `w` in the table of `v`, if it has one.
    const wayTo = (v, w) => (v.names.has(w.name) ? `$${w.name}` : undefined);

    // -- values --

    const scalar = () =>
        pick([1, 'text', true, null, -7, { '@bigint': '12' }, { '@undefined': 1 }, { '@error': 'an error' }]);
    const reference = v => {
        const all = [...objects(v), ...promises(v)];
        return all.length && chance(0.8) ? `$${pick(all)}` : scalar();
    };
    const value = v => {
        switch (below(5)) {
            case 0:
                return scalar();
            case 1:
                return [reference(v), reference(v)];
            case 2:
                return { a: reference(v), b: scalar() };
            default:
                return reference(v);
        }
    };

    // -- acts: each returns a list --

    const made = (v, kind) => {
        const name = fresh('x');
        const it = { is: 'object', local: true, kind, durable: kind.startsWith('durable') };
        if (kind.endsWith('Pair')) {
            v.names.set(`${name}.a`, it);
            v.names.set(`${name}.b`, it);
        } else {
            v.names.set(name, it);
        }
        return [['make', name, kind]];
    };
    const promised = (v, extra = {}) => {
        const name = fresh('p');
        v.names.set(name, { is: 'promise', ...extra });
        return name;
    };
    const call = (v, target) => {
        const as = promised(v);
        const [method, args] = pick([
            ['poke', [1]],
            ['label', []],
            ['echo', [value(v)]],
            ['echo', [value(v), value(v)]],
            ['hold', [value(v)]],
            ['held', []],
            ['release', []],
            ['fail', ['on purpose']],
            ['never', []],
            ['noSuchMethod', []],
        ]);
        return [['send', target, method, args, as]];
    };
    const acts = {
        make: v => made(v, pick(OBJECTS)),
        promise(v) {
            const name = promised(v, { local: true });
            return [['promise', name]];
        },
        give(v) {
            const to = others(v).filter(w => wayTo(v, w));
            const all = [...objects(v), ...promises(v)];
            if (!to.length || !all.length) {
                return acts.make(v);
            }
            const w = pick(to);
            const name = pick(all);
            w.names.set(name, { is: v.names.get(name).is, local: false });
            return [['send', wayTo(v, w), 'take', [name, `$${name}`]]];
        },
        introduce(v) {
            const known = others(v).filter(w => wayTo(v, w));
            if (known.length < 1) {
                return acts.make(v);
            }
            const to = pick(known);
            const who = chance(0.5) ? v : pick(known);
            to.names.set(who.name, { is: 'vat' });
            return [['send', wayTo(v, to), 'take', [who.name, who === v ? '$self' : wayTo(v, who)]]];
        },
        call(v) {
            const targets = objects(v);
            return targets.length ? call(v, `$${pick(targets)}`) : acts.make(v);
        },
        pipeline(v) {
            const targets = promises(v);
            return targets.length ? call(v, `$${pick(targets)}`) : acts.call(v);
        },
        callVat(v) {
            const known = others(v).filter(w => wayTo(v, w));
            return known.length ? call(v, wayTo(v, pick(known))) : acts.make(v);
        },
        forward(v) {
            const known = others(v).filter(w => wayTo(v, w));
            const targets = objects(v);
            if (!known.length || !targets.length) {
                return acts.make(v);
            }
            return [
                ['send', wayTo(v, pick(known)), 'forward', [`$${pick(targets)}`, 'echo', [value(v)]], promised(v)],
            ];
        },
        resolve(v) {
            const open = mine(v);
            if (!open.length) {
                return acts.promise(v);
            }
            const name = pick(open);
            v.names.get(name).settled = true;
            return [[chance(0.75) ? 'resolve' : 'reject', name, value(v)]];
        },
        // promises whose data name each other, settled in one turn
        cycle(v) {
            const names = Array.from({ length: 2 + below(2) }, () => promised(v, { local: true, settled: true }));
            const to = others(v).filter(w => wayTo(v, w));
            const out = names.map(name => ['promise', name]);
            if (to.length) {
                const w = pick(to);
                w.names.set(names[0], { is: 'promise' });
                out.push(['send', wayTo(v, w), 'take', [names[0], `$${names[0]}`]]);
                if (chance(0.5)) {
                    w.names.set(names[1], { is: 'promise' });
                    out.push(['send', wayTo(v, w), 'take', [names[1], `$${names[1]}`]]);
                }
            }
            names.forEach((name, i) => {
                const next = names[(i + 1) % names.length];
                out.push([chance(0.8) ? 'resolve' : 'reject', name, chance(0.8) ? [`$${next}`] : reference(v)]);
            });
            return out;
        },
        when(v) {
            const all = promises(v);
            return all.length ? [['when', `$${pick(all)}`, fresh('w')]] : acts.promise(v);
        },
        watch(v) {
            const all = promises(v);
            return all.length && on.watch ? [['watch', `$${pick(all)}`, fresh('w')]] : acts.when(v);
        },
        drop(v) {
            const all = [...v.names].filter(([, it]) => it.is !== 'vat').map(([name]) => name);
            const out = all.filter(() => chance(0.4)).slice(0, 6);
            for (const name of out) {
                v.names.delete(name);
                v.kept.delete(name);
            }
            return out.length ? [['drop', ...out]] : acts.make(v);
        },
        keep(v) {
            const all = namesOf(v, it => it.is === 'object' && it.durable);
            if (!all.length) {
                return made(v, 'durable');
            }
            const name = pick(all);
            v.kept.add(name);
            return [['keep', name]];
        },
        store(v) {
            if (!on.stores) {
                return acts.make(v);
            }
            const known = namesOf(v, it => it.is === 'store');
            const keys = objects(v);
            if (!known.length || chance(0.3)) {
                const name = fresh('s');
                const kind = pick(['map', 'weakMap']);
                v.names.set(name, { is: 'store', kind });
                return [['store', name, kind, chance(0.3) ? { durable: true } : {}]];
            }
            const name = pick(known);
            const weak = v.names.get(name).kind === 'weakMap';
            if (!keys.length) {
                return acts.make(v);
            }
            const key = `$${pick(keys)}`;
            const held = chance(0.5) ? 'data' : `$${pick(keys)}`;
            const act = pick([
                ['call', `$${name}`, 'init', [key, held]],
                ['call', `$${name}`, 'has', [key], fresh('b')],
                ['call', `$${name}`, 'delete', [key]],
                ...(weak ? [] : [['call', `$${name}`, 'keys', [], fresh('k')]]),
            ]);
            return [['try', act]];
        },
        many(v) {
            const to = others(v).filter(w => wayTo(v, w));
            if (!to.length) {
                return acts.make(v);
            }
            const name = fresh('m');
            const n = 2 + below(6);
            const w = pick(to);
            for (let i = 0; i < n; i += 1) {
                v.names.set(`${name}.${i}`, { is: 'object', local: true });
                w.names.set(`${name}.${i}`, { is: 'object', local: false });
            }
            return [
                [
                    'repeat',
                    n,
                    ['make', `${name}.#`, pick(['ephemeral', 'virtual', 'durable'])],
                    ['send', wayTo(v, w), 'take', [`${name}.#`, `$${name}.#`]],
                ],
            ];
        },
        spin: () => [['spin', 100 * (1 + below(20))]],
        log: v => [['log', reference(v)]],
        nothing: () => [['try', ['throw', 'thrown']]],
    };
    const weights = {
        make: 4,
        give: 6,
        introduce: 2,
        promise: 2,
        call: 4,
        pipeline: 3,
        callVat: 2,
        forward: 2,
        resolve: 4,
        cycle: 2,
        when: 2,
        watch: 1,
        drop: 4,
        keep: 1,
        store: 2,
        many: 1,
        spin: 1,
        log: 1,
        nothing: 0.5,
    };
    const program = v => {
        const out = [];
        const n = 2 + below(6);
        for (let i = 0; i < n; i += 1) {
            out.push(...acts[weighted(weights)](v));
        }
        if (chance(0.1)) {
            out.push(['return', value(v)]);
        } else if (chance(0.05)) {
            out.push(['throw', 'the end']);
        }
        return out;
    };

    // -- what the bootstrap puppet does about vats --

    const kids = () => vats.filter(v => !v.isStatic && v.alive);
    const lifecycle = {
        create() {
            if (!on.dynamic || vats.filter(v => !v.isStatic).length >= 3) {
                return program(boot);
            }
            const name = fresh('kid');
            const options = { name };
            const v = makeVat(name, false);
            const out = [];
            if (on.meter && chance(0.5)) {
                v.metered = true;
                options.meter = `$${name}.meter`;
                out.push(['meter', `${name}.meter`, `${10 ** (6 + below(2))}`, `${10 ** (3 + below(3))}`]);
            }
            if (chance(0.2)) {
                options.reapInterval = 1 + below(4);
            }
            if (chance(0.15)) {
                options.enablePipelining = true;
            }
            const vatParameters = { name };
            if (chance(0.5)) {
                vatParameters.table = { ann: '$ann' };
                v.names.set('ann', { is: 'vat' });
            }
            if (chance(0.1)) {
                vatParameters.throws = 'not to be';
                v.alive = false;
            }
            options.vatParameters = vatParameters;
            out.push(['createVat', name, 'puppet', options]);
            vats.push(v);
            if (v.alive) {
                boot.names.set(name, { is: 'vat' });
                if (chance(0.7)) {
                    out.push(['done', name]);
                }
            }
            return out;
        },
        end() {
            if (!on.terminate || !kids().length) {
                return program(boot);
            }
            const v = pick(kids());
            v.alive = false;
            return pick([
                [['terminate', v.name, scalar()]],
                [['send', `$${v.name}`, 'do', [[['exit', scalar()]]]]],
                [['send', `$${v.name}`, 'do', [[...escaped(program(v)), ['fail', scalar()]]], promised(boot)]],
                ...(v.metered ? [[['send', `$${v.name}`, 'do', [[['spin', 3000000]]], promised(boot)]]] : []),
            ]);
        },
        upgrade() {
            if (!on.upgrade || !kids().length) {
                return program(boot);
            }
            const v = pick(kids());
            const vatParameters = { name: v.name };
            const fails = weighted({ no: 8, omit: 1, throws: 1 });
            if (fails === 'omit') {
                vatParameters.omit = [pick(['durable', 'durablePair', 'watcher'])];
            } else if (fails === 'throws') {
                vatParameters.throws = 'not now';
            } else {
                for (const name of [...v.names.keys()]) {
                    if (!v.kept.has(name)) {
                        v.names.delete(name);
                    }
                }
            }
            return [['upgrade', v.name, pick(['puppet', 'puppet2']), { vatParameters }]];
        },
        options() {
            return kids().length
                ? [['changeOptions', pick(kids()).name, { reapInterval: chance(0.3) ? 'never' : 1 + below(5) }]]
                : program(boot);
        },
    };

    // -- host calls --

    const script = [{ op: 'run' }];
    const push = op => script.push(op);
    const asked = [];
    const policy = () => ({
        stop: { [pick(['crankComplete', 'emptyCrank', 'crankComplete', 'vatCreated', 'didCleanup'])]: 1 + below(6) },
        ...(chance(0.5)
            ? { cleanup: pick([[false], [{ default: 1 + below(5) }], [{ default: 3 }, false], [{ default: 9, exports: 1 }]]) }
            : {}),
    });
    const queue = (v, list) => {
        const as = fresh('r');
        asked.push(as);
        const acting = v.isStatic
            ? { vat: v.name, args: [list] }
            : { vat: 'bootstrap', args: [[['send', `$${v.name}`, 'do', [escaped(list)], promised(boot)]]] };
        push({ op: 'queueToVatRoot', vat: acting.vat, method: 'do', args: acting.args, as });
    };
    const hostCalls = {
        messages() {
            const n = 1 + below(3);
            for (let i = 0; i < n; i += 1) {
                const v = pick(vats.filter(w => w.alive));
                queue(v, program(v));
            }
            hostCalls.proceed();
        },
        lifecycle() {
            queue(boot, lifecycle[weighted({ create: 4, end: 2, upgrade: 3, options: 1 })]());
            hostCalls.proceed();
        },
        proceed() {
            const how = weighted({ run: 6, step: on.steps ? 2 : 0, policy: on.policy ? 2 : 0, wait: 1 });
            if (how === 'run') {
                push({ op: 'run' });
            } else if (how === 'step') {
                push({ op: 'step', count: 1 + below(9) });
            } else if (how === 'policy') {
                push({ op: 'run', policy: policy() });
            }
        },
        resolution() {
            if (asked.length) {
                push({ op: 'resolution', of: asked.splice(below(asked.length), 1)[0] });
            }
        },
        restart() {
            if (on.restart && script.filter(({ op }) => op === 'restart').length < 2) {
                push({ op: 'restart' });
            }
        },
        reap() {
            push({ op: 'reapAllVats' });
            hostCalls.proceed();
        },
        snapshot: () => push({ op: 'snapshotAllVats' }),
        change() {
            push({
                op: 'changeKernelOptions',
                options: pick([
                    { defaultReapInterval: 1 + below(9) },
                    { defaultReapGCKrefs: 1 + below(9) },
                    { snapshotInterval: 5 + below(20) },
                ]),
            });
        },
        upgradeStatic() {
            if (on.static && on.upgrade) {
                const v = pick(vats.filter(w => w.isStatic && w !== boot));
                for (const name of [...v.names.keys()]) {
                    if (!v.kept.has(name)) {
                        v.names.delete(name);
                    }
                }
                push({
                    op: 'upgradeStaticVat',
                    vat: v.name,
                    bundle: pick(['vats-puppet', 'vats-puppet2']),
                    options: { vatParameters: { name: v.name } },
                });
                push({ op: 'run' });
            }
        },
    };
    // everybody knows somebody
    queue(
        boot,
        statics.flatMap(name => {
            const w = vats.find(v => v.name === name);
            w.names.set('bootstrap', { is: 'vat' });
            return [['send', `$${name}`, 'take', ['bootstrap', '$self']]];
        }),
    );
    const rounds = 6 + below(7);
    for (let i = 0; i < rounds; i += 1) {
        hostCalls[
            weighted({
                messages: 10,
                lifecycle: on.dynamic ? 5 : 1,
                resolution: 2,
                restart: 1,
                reap: 0.7,
                snapshot: 0.4,
                change: 0.5,
                upgradeStatic: 0.7,
            })
        ]();
    }
    push({ op: 'run' });
    push({ op: 'send', vat: 'bootstrap', method: 'report' });
    push({ op: 'getStats' });

    // -- config --

    const bundle = name => ({ bundleSpec: `../../bundles/vats-${name}.json` });
    const creation = () => ({
        ...(chance(0.2) ? { reapInterval: 1 + below(5) } : {}),
        ...(chance(0.15) ? { enablePipelining: true } : {}),
        ...(chance(0.1) ? { reapGCKrefs: 1 + below(5) } : {}),
    });
    const config = {
        bootstrap: 'bootstrap',
        defaultManagerType: 'xs-worker',
        pinBootstrapRoot: true,
        zygotes: false,
        addComms: false,
        addVattp: false,
        addTimer: false,
        ...(chance(0.3) ? { defaultReapInterval: 1 + below(8) } : {}),
        ...(chance(0.2) ? { defaultReapGCKrefs: 1 + below(8) } : {}),
        // most without snapshots: they are the better part of a run's time
        ...(chance(0.35)
            ? { snapshotInitial: 2 + below(6), snapshotInterval: 4 + below(20) }
            : { snapshotInitial: 1000 }),
        ...(chance(0.15) ? { limits: { maxVatsOnline: 2 + below(3) } } : {}),
        vats: { bootstrap: bundle('puppet') },
        bundles: { puppet: bundle('puppet'), puppet2: bundle('puppet2') },
    };
    for (const name of statics) {
        const options = creation();
        config.vats[name] = {
            ...bundle('puppet'),
            parameters: { name },
            ...(Object.keys(options).length ? { creationOptions: options } : {}),
        };
    }
    return { config, script };
};

// A call a line, a puppet's act a line.
export const scriptText = script => {
    const lines = script.map(({ args, ...op }) => {
        if (op.method !== 'do' || !args) {
            return `  ${JSON.stringify(args ? { ...op, args } : op)}`;
        }
        const listed = args[0].map(act => `    ${JSON.stringify(act)}`).join(',\n');
        return `  ${JSON.stringify(op).slice(0, -1)},"args":[[\n${listed}]]}`;
    });
    return `[\n${lines.join(',\n')}\n]\n`;
};

export const writeScenario = (dir, { config, script }) => {
    fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync(path.join(dir, 'config.json'), `${JSON.stringify(config, undefined, 2)}\n`);
    fs.writeFileSync(path.join(dir, 'script.json'), scriptText(script));
};

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
    const [seed, dir] = process.argv.slice(2);
    if (!dir || !/^\d+$/.test(seed)) {
        console.error('usage: node tests/conformance/generate.mjs SEED DIR');
        process.exit(2);
    }
    writeScenario(dir, generate(Number(seed)));
}
