// test_dropin.mjs -- our worker under the stock kernel's own driver (@agoric/xsnap's xsnap.js).
//
// usage: node tests/engine/test_dropin.mjs     (ZYGOTE_WORKER: the worker, or build/zygote-worker)
import '@endo/init';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { xsnap } from '@agoric/xsnap';
import { getLockdownBundle } from '@agoric/xsnap-lockdown';
import { getSupervisorBundle } from '@agoric/swingset-xsnap-supervisor';

const worker = path.resolve(process.env.ZYGOTE_WORKER || 'build/zygote-worker');
const booted = '3f76f2fa3075cb5f0fa780260dd0ce84f0b402e5ac1dbdcf2bf872253363e839';

const start = options =>
    xsnap({
        os: os.type(),
        fs: { ...fs, ...fs.promises },
        spawn: (_bin, args, opts) => spawn(worker, args, opts),
        ...options,
    });

const collect = async stream => {
    const chunks = [];
    for await (const chunk of stream) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
};

const boot = async () => {
    const vat = await start({ name: 'boot' });
    for (const bundle of [await getLockdownBundle(), await getSupervisorBundle()]) {
        await vat.evaluate(`(${bundle.source}\n)()`.trim());
    }
    return vat;
};

let bytes;
const tests = {
    'evaluates, upcalls, closes': async () => {
        const said = [];
        const decoder = new TextDecoder();
        const handleCommand = async message => {
            said.push(decoder.decode(message));
            return new TextEncoder().encode(`re: ${decoder.decode(message)}`);
        };
        const vat = await start({ handleCommand });
        await vat.isReady();
        await vat.evaluate(`
            const send = it => issueCommand(new TextEncoder().encode(it).buffer);
            globalThis.handleCommand = it => {
                const text = new TextDecoder().decode(it);
                return { result: send(text + '?') };
            };
            send('hello');
        `);
        const { reply, meterUsage } = await vat.issueStringCommand('you');
        assert.equal(reply, 're: you?');
        assert.ok(meterUsage.compute > 0 && meterUsage.timestamps.length === 4);
        assert.deepEqual(said, ['hello', 'you?']);
        await assert.rejects(vat.evaluate('null.x'), /cannot coerce null to object/);
        await vat.terminate();
    },
    'streams a snapshot out': async () => {
        const vat = await boot();
        bytes = await collect(vat.makeSnapshotStream('test'));
        assert.equal(createHash('sha256').update(bytes).digest('hex'), booted);
        await vat.close();
    },
    'streams a snapshot in': async () => {
        const vat = await start({ snapshotStream: [bytes], snapshotDescription: 'test' });
        const again = await collect(vat.makeSnapshotStream('again'));
        assert.equal(createHash('sha256').update(again).digest('hex'), booted);
        await vat.close();
    },
    'reports exit codes': async () => {
        const vat = await start({ meteringLimit: 1e6 });
        await assert.rejects(vat.evaluate('for (;;) {}'), /too much computation/);
    },
};

let passed = 0;
let failed = 0;
for (const [name, test] of Object.entries(tests)) {
    try {
        await test();
        passed += 1;
    } catch (e) {
        console.log(`FAILED ${name}:`, e.message, e);
        failed += 1;
    }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
