// bench.js -- the bootstrap vat of the benchmarks.
//
// One host message, one thing to time.  Nothing here depends on zygotes but the
// methods that say so: the same vat runs under the peer kernel.
import { E, Far } from '@endo/far';

export const buildRootObject = () => {
    let vatAdminSvc;
    let peer; // the static vat to play ping-pong with
    let parent;
    let zygote;
    const kept = []; // the root and admin node of every vat made, in order

    const create = async (name, bundle = 'trivial') => {
        const bundlecap = await E(vatAdminSvc).getNamedBundleCap(bundle);
        return E(vatAdminSvc).createVat(bundlecap, harden({ name }));
    };
    const forkOne = () => E(zygote || parent.adminNode).fork([], harden({}));

    return Far('root', {
        async bootstrap(roots, devices) {
            vatAdminSvc = await E(roots.vatAdmin).createVatAdminService(devices.vatAdmin);
            peer = roots.peer;
            return 'ready';
        },

        // ---- any kernel -----------------------------------------------------
        async createTrivial() {
            parent = await create('parent');
            return 'created';
        },
        async createAndAnswer(name = 'kid') {
            const made = await create(name);
            kept.push(made);
            return E(made.root).ping();
        },
        // a vat with vatstore keys, given more of them with each `fill`
        async createKeys() {
            parent = await create('keys', 'keys');
            return 'created';
        },
        fill: count => E(parent.root).fill(count),
        // a vat to be talked to from outside: its root
        async createAndShow(name) {
            const made = await create(name);
            kept.push(made);
            await E(made.root).ping();
            return made.root;
        },
        ask: async (index = kept.length - 1) => E(kept[index].root).ping(),
        askMany: async (index, count) => {
            let answer;
            for (let i = 0; i < count; i += 1) {
                // eslint-disable-next-line no-await-in-loop
                answer = await E(kept[index].root).ping();
            }
            return answer;
        },
        // `count` round trips between two static vats
        pingPong: async count => {
            for (let i = 0; i < count; i += 1) {
                // eslint-disable-next-line no-await-in-loop
                await E(peer).ping();
            }
            return count;
        },
        ping: () => 'pong',
        kept: () => kept.length,

        // ---- zygotes --------------------------------------------------------
        async zygotifyTrivial() {
            zygote = await E(parent.adminNode).zygotify();
            return 'sealed';
        },
        async forkAndAnswer() {
            const made = await forkOne();
            kept.push(made);
            return E(made.root).ping();
        },
        async fork() {
            kept.push(await forkOne());
            return kept.length - 1;
        },
        // keeps nothing: what grows is the kernel's, not this vat's
        async forkAndForget() {
            const { root } = await forkOne();
            return E(root).ping();
        },
    });
};
harden(buildRootObject);
