// policy.mjs -- a run policy as data, for scripts of host calls.
//
//   { "stop": { "crankComplete": 3, "computrons": 100000 }, "cleanup": [{ "default": 5 }] }
//
// stop      a callback answers "stop" when it is called for the N-th time: vatCreated,
//           crankComplete, crankFailed, emptyCrank, didCleanup; or, of crankComplete, when
//           the computrons reach a sum
// cleanup   what allowCleanup answers, in turn: true, false, or a budget per phase; the
//           last one from then on.  Left out: true.
//
// What the kernel told the policy comes back in `calls`, and how often it asked in `asked`.

const names = ['vatCreated', 'crankComplete', 'crankFailed', 'emptyCrank', 'didCleanup'];

const plain = value =>
    JSON.parse(JSON.stringify(value, (_k, v) => (typeof v === 'bigint' ? Number(v) : v)));

export const makePolicy = ({ stop = {}, cleanup = [true], ...rest }) => {
    for (const key of [...Object.keys(rest), ...Object.keys(stop)]) {
        if (!names.includes(key) && key !== 'computrons') {
            throw Error(`policy: no such part: ${key}`);
        }
    }
    const calls = [];
    let asked = 0;
    let computrons = 0;
    const counts = {};
    const policy = {
        allowCleanup() {
            const answer = cleanup[Math.min(asked, cleanup.length - 1)];
            asked += 1;
            return answer;
        },
    };
    for (const name of names) {
        policy[name] = details => {
            const told = details === undefined ? {} : plain(details);
            calls.push([name, told]);
            counts[name] = (counts[name] || 0) + 1;
            if (name === 'crankComplete' && stop.computrons !== undefined) {
                computrons += told.computrons || 0;
                if (computrons >= stop.computrons) {
                    return false;
                }
            }
            return counts[name] !== stop[name];
        };
    }
    return { policy, result: () => ({ asked, calls }) };
};
