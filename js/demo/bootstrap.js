// bootstrap.js -- the counter demo: vats that are made, forked and grow apart.
//
// Every method is for the host: it takes plain values and answers with plain
// values.  Vats are known by name.
//
//   zygote send bootstrap demo                     the whole story in one call
//   zygote send bootstrap create '"ann"'           a counter vat, by createVat
//   zygote send bootstrap increment '"ann"' 3
//   zygote send bootstrap fork '"ann"' '"bob"'     bob starts where ann is now
//   zygote send bootstrap read '"bob"'
//   zygote send bootstrap zygotify '"ann"'         ann becomes a template
import { Fail, q } from '@endo/errors';
import { E, Far } from '@endo/far';

export const buildRootObject = () => {
    let vatAdminSvc;
    const vats = new Map(); // name -> { root, adminNode or undefined, zygote or undefined }
    const things = new Map(); // name -> account or jar, in whichever vat

    const known = (table, name) => table.get(name) || Fail`nothing is called ${q(name)}`;
    const fresh = (table, name) => {
        !table.has(name) || Fail`${q(name)} is taken`;
    };

    const create = async (name, start = 0, bundle = 'counter') => {
        fresh(vats, name);
        const bundlecap = await E(vatAdminSvc).getNamedBundleCap(bundle);
        const options = harden({ name, vatParameters: { start } });
        const { root, adminNode } = await E(vatAdminSvc).createVat(bundlecap, options);
        vats.set(name, { root, adminNode });
        return E(root).read();
    };

    const increment = (name, by) => E(known(vats, name).root).increment(by);
    const read = name => E(known(vats, name).root).read();

    // A vat that was sealed is forked through its handle.
    const fork = async (name, child, options = {}) => {
        fresh(vats, child);
        const { adminNode, zygote } = known(vats, name);
        const answer = await E(zygote || adminNode).fork([], harden({ name: child, ...options }));
        vats.set(child, answer);
        return E(answer.root).read();
    };

    const zygotify = async name => {
        const entry = known(vats, name);
        const zygote = await E(entry.adminNode).zygotify();
        vats.set(name, { ...entry, zygote });
        return `${name} is sealed`;
    };

    // What `name` was to `owner` is `as` to the child: the object with the same
    // place in the child's memory.
    const forkWith = async (owner, child, name, as) => {
        fresh(vats, child);
        fresh(things, as);
        const { adminNode, zygote } = known(vats, owner);
        const oldrefs = harden([known(things, name)]);
        const answer = await E(zygote || adminNode).fork(oldrefs, harden({ name: child }));
        vats.set(child, answer);
        things.set(as, answer.refs[0]);
        return E(answer.refs[0]).look();
    };

    const makeThing = method => async (owner, name) => {
        fresh(things, name);
        const thing = await E(known(vats, owner).root)[method](name);
        things.set(name, thing);
        return E(thing).look();
    };

    return Far('root', {
        async bootstrap(roots, devices) {
            vatAdminSvc = await E(roots.vatAdmin).createVatAdminService(devices.vatAdmin);
            return 'ready';
        },

        create,
        increment,
        read,
        fork,
        zygotify,
        makeAccount: makeThing('makeAccount'),
        makeJar: makeThing('makeJar'),
        forkWith,
        deposit: (name, amount) => E(known(things, name)).deposit(amount),
        put: (name, coins) => E(known(things, name)).put(coins),
        look: name => E(known(things, name)).look(),
        fail: (name, message) => E(known(vats, name).root).fail(message),
        names: () => harden([...vats.keys()]),

        terminate(name, reason) {
            const { adminNode, zygote } = known(vats, name);
            return E(zygote || adminNode)
                .terminateWithFailure(Error(reason))
                .then(() => `${name} was told to end`);
        },
        done(name) {
            const { adminNode, zygote } = known(vats, name);
            return E(zygote || adminNode)
                .done()
                .then(
                    value => harden({ done: value }),
                    reason => harden({ failed: reason.message }),
                );
        },
        forget(name) {
            vats.delete(name);
            return 'forgotten';
        },

        // One counter and two forks of it, taken at different times.
        async demo() {
            await create('parent');
            await increment('parent', 3);
            await fork('parent', 'early');
            await increment('parent', 4);
            await fork('parent', 'late');
            await increment('parent', 10);
            await increment('early', 100);
            await increment('late', 1000);
            const readings = {};
            for (const name of ['parent', 'early', 'late']) {
                // eslint-disable-next-line no-await-in-loop
                readings[name] = await read(name);
            }
            return harden(readings);
        },
    });
};
harden(buildRootObject);
