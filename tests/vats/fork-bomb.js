// fork-bomb.js -- a vat that forks itself without end, once it is given its own admin facet.
import { E, Far } from '@endo/far';

export const buildRootObject = () => {
    let count = 0;
    let waste = 0;
    const kept = [];
    const share = harden({ promises: 'share' });

    return Far('root', {
        next() {
            count += 1;
            return count;
        },
        // computrons, as many as there are
        burn(turns) {
            for (let i = 0; i < turns; i += 1) {
                waste = (waste * 3 + i) % 1000003;
            }
            return waste;
        },

        // A volley: nobody waits for the children.
        spray(adminNode, times) {
            for (let i = 0; i < times; i += 1) {
                E(adminNode).fork().catch(() => {});
            }
            return 'sprayed';
        },
        // A loop that each child goes on with, at the point where it was forked.
        async storm(adminNode) {
            try {
                for (;;) {
                    // eslint-disable-next-line no-await-in-loop
                    await E(adminNode).fork([], share);
                }
            } catch (e) {
                return e.message;
            }
        },
        // Each child is sent its own facet, and does the same.
        async chain(adminNode) {
            try {
                const child = await E(adminNode).fork([], share);
                kept.push(child);
                E(child.root).chain(child.adminNode).catch(() => {});
                return 'lit';
            } catch (e) {
                return e.message;
            }
        },
    });
};
harden(buildRootObject);
