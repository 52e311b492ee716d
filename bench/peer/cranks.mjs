// cranks.mjs -- ping-pong between two static vats under the peer.
//
// usage: node cranks.mjs [--build DIR] [--n N]
import { emit, now, openKernel, options } from './lib.mjs';

const { build, n } = options({ n: 5 });
const ROUND_TRIPS = 1000;
const k = await openKernel({ build, config: 'js/demo/bench.json', maxVatsOnline: 50 });
const deliveries = () => k.controller.getStats().dispatches;
const sample = async roundTrips => {
    const from = deliveries();
    const cpu = process.cpuUsage();
    const began = now();
    await k.call('pingPong', roundTrips);
    await k.commit();
    const ms = now() - began;
    const { user, system } = process.cpuUsage(cpu);
    const count = deliveries() - from;
    return { perSecond: (count * 1000) / ms, cpu: (user + system) / count };
};
await sample(200);
const samples = [];
for (let i = 0; i < n; i += 1) {
    samples.push(await sample(ROUND_TRIPS));
}
emit('cranks_per_s', samples.map(s => s.perSecond));
emit('kernel_us_per_crank', samples.map(s => s.cpu));
await k.close();
