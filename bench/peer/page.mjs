// page.mjs -- a message to an evicted vat under the peer.
//
// Five vats with a heap snapshot take turns and four have room: each message finds
// its vat offline, and evicts another (as vats.c does with ours).  Each vat has
// five deliveries, or some more, to replay.
//
// usage: node page.mjs [--build DIR] [--n N]
import { emit, openKernel, options } from './lib.mjs';

const { build, n } = options({ n: 20 });
const k = await openKernel({
    build,
    config: 'js/demo/bench.json',
    maxVatsOnline: 4,
    snapshotInitial: 3,
    snapshotInterval: 1_000_000_000,
});
const roots = [];
for (let i = 0; i < 5; i += 1) {
    const { value } = await k.call('createAndShow', `kid-${i}`);
    roots.push(value);
}
for (const root of roots) {
    for (let i = 0; i < 5; i += 1) {
        await k.send(root, 'ping');
    }
}
await k.commit();
const ms = [];
for (let i = 0; i < n; i += 1) {
    ms.push((await k.send(roots[i % roots.length], 'ping')).ms);
    await k.commit();
}
emit('page_in_ms', ms);
await k.close();
