// hello.mjs -- the peer's `zygote run`: one config, fresh store, to exit.
//
// usage: node hello.mjs [--build DIR]
import { openKernel, options } from './lib.mjs';

const { build } = options({});
const k = await openKernel({ build, config: 'js/demo/hello.json', maxVatsOnline: 50 });
await k.close();
