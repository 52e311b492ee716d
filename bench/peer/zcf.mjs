// zcf.mjs -- createVat of real ZCF with a real contract under the peer.
//
// usage: node zcf.mjs [--build DIR] [--n N]
import { emit, openKernel, options } from './lib.mjs';

const { build, n } = options({ n: 5 });
const k = await openKernel({ build, config: 'js/demo/zoe.json' });
await k.call('createAndAnswer', 'warm-up');
const ms = [];
for (let i = 0; i < n; i += 1) {
    ms.push((await k.call('createAndAnswer', `kid-${i}`)).ms);
    await k.commit();
}
emit('create_answer_zcf_ms', ms);
await k.close();
