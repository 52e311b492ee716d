// ours.mjs -- a scenario in our kernel, from a program that compares.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { comparable, readSlog } from '../oracle/slog.mjs';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const build = path.resolve(root, process.env.BUILD || 'build');
export const bundles = path.join(build, 'bundles');
export const ourWorker = path.join(build, 'zygote-worker');
export const stockWorker = path.join(
    root,
    'node_modules/@agoric/xsnap/xsnap-native/xsnap/build/bin/lin/release/xsnap-worker',
);

const env = {
    ...process.env,
    ZYGOTE_WORKER: ourWorker,
    ZYGOTE_BUNDLES: bundles,
    ZYGOTE_CACHE: path.join(build, 'cache'),
};

// The run, as data; its slog is in STORE.slog.  What the kernel noted for people is in the
// error if it fails.
export const runOurs = (scenario, store, ...options) => {
    const program = path.join(build, 'tests/conformance/run_scenario');
    const slog = `${store}.slog`;
    try {
        const out = execFileSync(program, [scenario, store, '--slog', slog, ...options], {
            env,
            encoding: 'utf8',
            maxBuffer: 2 ** 30,
            stdio: ['ignore', 'pipe', 'pipe'],
        });
        return { ...JSON.parse(out), slog: readSlog(slog, comparable) };
    } catch (e) {
        const said = `${e.stderr || ''}`.trim().split('\n').slice(-20).join('\n');
        throw Error([e.signal || e.status, said].join(': '), { cause: e });
    }
};
