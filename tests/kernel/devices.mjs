// devices.mjs -- slots devices of ours beside upstream's own code, at random.
//
// usage: node tests/kernel/devices.mjs BUILD [RUNS] [SEED]
//
// The same operations go to upstream's device under its deviceManager, and to ours
// (device_lines.c); after each, what was answered, the state, the messages sent and what went
// out must be equal.  Ends with "N passed, N failed".
import '@endo/init';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import {
    buildBridge,
    buildCommand,
    buildMailbox,
    buildMailboxStateMap,
    buildTimer,
} from '@agoric/swingset-vat';
import makeDeviceManager from '@agoric/swingset-vat/src/kernel/deviceManager.js';
import { buildLoopbox } from '@agoric/swingset-vat/src/devices/loopbox/loopbox.js';
import * as timer from '@agoric/swingset-vat/src/devices/timer/device-timer.js';
import * as mailbox from '@agoric/swingset-vat/src/devices/mailbox/device-mailbox.js';
import * as bridge from '@agoric/swingset-vat/src/devices/bridge/device-bridge.js';
import * as command from '@agoric/swingset-vat/src/devices/command/device-command.js';
import * as loopbox from '@agoric/swingset-vat/src/devices/loopbox/device-loopbox.js';

const [build = 'build', runs = '200', seed = '1'] = process.argv.slice(2);
const say = text => fs.writeSync(1, `${text}\n`);
for (const stream of [process.stdout, process.stderr]) {
    stream.write = () => true; // devices tell the console of every error
}

// -- chance --

let state;
const below = n => {
    state = createHash('sha256').update(state).digest();
    return state.readUInt32LE() % n;
};
const pick = list => list[below(list.length)];
const chance = n => below(n) === 0;

// -- values: smallcaps, as a vat may have written them --

// of one capdata
const makeValues = () => {
    const slots = [];
    const met = new Map();
    const presence = () => {
        const slot = chance(12) ? pick(['d+0', 'd+1', 'd+9', 'd-20']) : `o-${10 + below(chance(2) ? 3 : 10)}`;
        if (met.has(slot)) {
            return `$${met.get(slot)}`;
        }
        met.set(slot, slots.push(slot) - 1);
        const iface = chance(15)
            ? pick(['', '.', '.Remotable', '.DebugName: d', '.odd', '.Alleged: '])
            : `.Alleged: ${pick(['a', 'b', 'é"'])}`;
        return `$${met.get(slot)}${iface}`;
    };
    const scalar = () =>
        pick([
            () => below(5), () => below(40), () => pick([-1, 0.5, 1e21, 2 ** 53, -0, 4]),
            () => `+${below(40)}`, () => pick(['-3', '+0', '+18446744073709551616', '+1000000000000000000000000000000']),
            () => pick(['', 'x', 'p', 'é', '!#x', '!+1', '0', '1', 'length', 'toString', '\ud83d\ude00', 'throw', 'l', 'r', 'a.b']),
            () => pick(['#undefined', '#NaN', '#Infinity', '#-Infinity']), () => null, () => chance(2), () => '%sym',
        ])();
    const value = (depth = 0) => {
        switch (below(depth > 2 ? 6 : 10)) {
            case 0: case 1: return presence();
            case 6: return Array.from({ length: below(4) }, () => value(depth + 1));
            case 7: return Object.fromEntries(
                Array.from({ length: below(4) }, () => [pick(['a', 'b', '10', '9', '!#', 'toString', '']), value(depth + 1)]));
            case 8: return chance(2) ? { '#error': pick(['e', '']), name: pick(['Error', 'TypeError', 'Odd']), ...(chance(2) && { errorId: 'x' }) }
                : { '#tag': pick(['t', 'copySet']), payload: value(depth + 1) };
            default: return scalar();
        }
    };
    return { slots, presence, scalar, value };
};

// -- operations of each kind --

const json = depth => pick([() => below(9), () => pick(['x', '#', '+5', '']), () => null, () => true, () => 1.5e-7,
    () => (depth > 2 ? 0 : Array.from({ length: below(3) }, () => json(depth + 1))),
    () => (depth > 2 ? 0 : Object.fromEntries(Array.from({ length: below(3) }, () => [pick(['z', 'a', '5', '!']), json(depth + 1)])))])();

let now = 0;
const kinds = {
    timer: {
        methods: {
            setWakeup: v => [chance(4) ? v.scalar() : pick([1, '+1'])  && (chance(2) ? below(60) : `+${below(60)}`), chance(6) ? v.value() : v.presence()],
            removeWakeup: v => [chance(6) ? v.value() : v.presence()],
            getLastPolled: () => [],
            makeRepeater: v => (chance(6) ? [v.scalar(), v.scalar()] : [`+${below(20)}`, `+${below(9)}`]),
            deleteRepeater: v => [chance(4) ? v.value() : below(3)],
            schedule: v => [chance(4) ? v.value() : below(3), chance(6) ? v.value() : v.presence()],
        },
        host() {
            now = chance(8) ? below(60) : now + below(9);
            return { op: 'poll', now };
        },
    },
    mailbox: {
        methods: {
            registerInboundHandler: v => [chance(3) ? v.value() : v.presence()],
            unregisterInboundHander: () => [],
            add: v => [v.value(), chance(2) ? v.scalar() : below(9), v.value()],
            remove: v => [v.value(), v.scalar()],
            ackInbound: v => [v.value(), v.scalar()],
        },
        host: () => ({
            op: 'mailbox', peer: pick(['p', 'é', '+1']),
            messages: Array.from({ length: below(3) }, () => [chance(9) ? -1 : below(9), chance(9) ? 5 : pick(['x', '#y', ''])]),
            ack: chance(9) ? 1.5 : below(9),
        }),
    },
    bridge: {
        methods: {
            registerInboundHandler: v => [chance(3) ? v.value() : v.presence()],
            unregisterInboundHandler: () => [],
            callOutbound: v => Array.from({ length: below(4) }, () => v.value()),
        },
        host: () => ({ op: 'bridge', args: Array.from({ length: below(3) }, () => json(0)) }),
    },
    command: {
        methods: {
            registerInboundHandler: v => [chance(3) ? v.value() : v.presence()],
            sendResponse: v => [chance(2) ? below(4) : v.scalar(), v.value(), v.value()],
            sendBroadcast: v => [v.value()],
        },
        host: () => ({ op: 'command', body: json(0) }),
    },
    loopbox: {
        parameters: { senders: ['l', 'r', '10', 'l'] },
        methods: {
            registerInboundHandler: v => [chance(4) ? v.value() : pick(['l', 'r', '10', 'toString']), chance(4) ? v.value() : v.presence()],
            getSender: v => [chance(3) ? v.value() : pick(['l', 'r', '10'])],
        },
        senders: {
            add: v => [chance(4) ? v.value() : pick(['l', 'r', '10']), 1, v.value()],
            remove: v => [v.value()],
            ackInbound: () => [],
        },
        host: () => ({ op: 'pass' }),
    },
};
const everywhere = { toString: () => [], valueOf: () => [], __getMethodNames__: () => [], noSuch: v => [v.value()] };

const operation = kind => {
    if (chance(4)) {
        return kind.host();
    }
    if (chance(15)) {
        return { op: 'restart' };
    }
    const slot = kind.senders && chance(2) ? `d+${1 + below(5)}` : 'd+0';
    const methods = slot === 'd+0' ? kind.methods : kind.senders;
    const all = chance(20) ? everywhere : methods;
    const method = pick(Object.keys(all));
    const v = makeValues();
    const args = all[method](v);
    return { op: 'invoke', slot, method, args: { body: `#${JSON.stringify(args)}`, slots: v.slots } };
};

// -- upstream --

const upstream = (name, mode) => {
    let text;
    let sends = [];
    let out = [];
    let part;
    let manager;
    let commands;
    const endow = {
        timer: () => buildTimer(),
        mailbox: () => buildMailbox(buildMailboxStateMap()),
        bridge: () => buildBridge((...args) => {
            out.push(['bridge', args]);
            if (JSON.stringify(args).includes('throw')) {
                throw Error('no');
            }
            return args.length ? args : undefined;
        }),
        command() {
            const it = buildCommand(obj => out.push(['all', obj]));
            const { deliverResponse } = it.endowments;
            // what the host would be told, in the order in which it is
            const known = (count, isReject, response) => {
                deliverResponse(count, isReject, response);
                out.push([Number(count), Boolean(isReject), response !== undefined,
                    response === undefined ? null : JSON.parse(response)]);
            };
            return { ...it, endowments: { ...it.endowments, deliverResponse: known } };
        },
        loopbox() {
            const { loopboxEndowments, passOneMessage } = buildLoopbox(mode);
            return { endowments: loopboxEndowments, passOneMessage };
        },
    };
    const open = () => {
        part = endow[name]();
        commands = [];
        manager = makeDeviceManager(
            name,
            { timer, mailbox, bridge, command, loopbox }[name],
            { get: () => text && JSON.parse(text), set: v => { text = JSON.stringify(v); } },
            part.endowments,
            () => {},
            kinds[name].parameters || {},
            ([type, target, methargs]) => {
                if (type !== 'sendOnly') throw Error(type);
                sends.push([target, methargs]);
                return undefined;
            },
        );
    };
    const host = {
        poll: op => part.poll(op.now),
        pass: () => part.passOneMessage(),
        bridge: op => part.deliverInbound(...op.args),
        mailbox: op => part.deliverInbound(op.peer, op.messages, op.ack),
        command: op => {
            const p = part.inboundCommand(op.body);
            p.catch(() => {});
            commands.push(p);
        },
    };
    open();
    return op => {
        let r;
        if (op.op === 'invoke') {
            r = manager.invoke([op.slot, op.method, harden(op.args)]);
            r = r[0] === 'ok' ? r : ['error'];
        } else if (op.op === 'restart') {
            open();
            r = true;
        } else {
            try {
                const said = host[op.op](op);
                r = said === undefined ? true : said;
                r = typeof r === 'boolean' ? r : true;
            } catch (e) {
                r = 'error';
            }
        }
        const line = { r, state: text === undefined ? null : text, sends, out };
        sends = [];
        out = [];
        return JSON.parse(JSON.stringify(line));
    };
};

// -- side by side --

let passed = 0;
let failed = 0;
for (let run = 0; run < Number(runs); run += 1) {
    const name = Object.keys(kinds)[run % 5];
    const mode = run % 10 === 4 ? 'immediate' : 'queued';
    state = Buffer.from(`${seed} ${run}`);
    now = 0;
    const theirs = upstream(name, mode);
    const ops = [];
    const want = [];
    let stuck = false;
    for (let i = 0; i < 60 && !stuck; i += 1) {
        const op = operation(kinds[name]);
        let line;
        try {
            line = theirs(op);
        } catch (e) {
            stuck = true; // its own state does not read: it will never start again
        }
        if (line) {
            ops.push(op);
            want.push(line);
        }
    }
    const parameters = JSON.stringify({ deviceParameters: kinds[name].parameters || {} });
    const args = [name, parameters, ...(mode === 'immediate' ? [mode] : [])];
    const ours = spawnSync(`${build}/tests/kernel/device_lines`, args, {
        input: ops.map(op => `${JSON.stringify(op)}\n`).join(''),
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
    });
    const got = ours.stdout.trimEnd().split('\n');
    const at = want.findIndex((line, i) => !got[i] || JSON.stringify(line) !== JSON.stringify(JSON.parse(got[i])));
    if (at < 0 && ours.status === 0) {
        passed += 1;
    } else {
        failed += 1;
        say(`not ok - ${name}, run ${run} of seed ${seed}: operation ${at} of ${ops.length}, exit ${ours.status}`);
        say(`  ${JSON.stringify(ops[at])}`);
        say(`  upstream: ${JSON.stringify(want[at])}`);
        say(`  ours:     ${got[at]}`);
    }
}
say(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
