// create.mjs -- createVat under the peer: time to the first answer, memory, store.
//
// usage: node create.mjs [--build DIR] [--n N]
import { emit, openKernel, options, weighWorkers } from './lib.mjs';

const { build, n } = options({ n: 20 });
const k = await openKernel({ build, config: 'js/demo/bench.json' });
await k.call('createAndAnswer', 'warm-up');
await k.commit();

const ms = [];
const before = k.storeBytes();
for (let i = 0; i < n; i += 1) {
    const { ms: sample, value } = await k.call('createAndAnswer', `kid-${i}`);
    if (value !== 'pong') {
        throw Error(`unexpected answer: ${value}`);
    }
    ms.push(sample);
    await k.commit();
}
emit('create_answer_ms', ms);
emit('create_store_bytes', [(k.storeBytes() - before) / n]);

const weigh = () =>
    Object.entries(weighWorkers())
        .filter(([name]) => /kid-\d+$/.test(name))
        .map(([_name, kib]) => kib);
emit('child_pss_1_kb', weigh());
for (let i = 0; i < n; i += 1) {
    await k.call('askMany', i + 1, 9); // behind the warm-up
}
emit('child_pss_10_kb', weigh());
await k.close();
