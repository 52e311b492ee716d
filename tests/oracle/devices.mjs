// devices.mjs -- devices of a scenario, under upstream's kernel: endowments and host calls.
//
// Which device an entry of the config is, the name of its bundle says (sys-timerDevice).
// tests/conformance/devices.c is the same for our kernel: the host behaves alike in both.
//
//   bridge    answers callOutbound(...args) with { args }; throws if args[0] is "throw",
//             answers undefined if it is "nothing", and args[1] if it is "answer"
//   loopbox   deliverMode is the config's parameters.deliverMode, or "queued"
//
// What went out during a host call is added to its result: bridge, broadcasts, responses.
import path from 'node:path';
import {
    buildBridge,
    buildCommand,
    buildMailbox,
    buildMailboxStateMap,
    buildTimer,
} from '@agoric/swingset-vat';
import { buildLoopbox } from '@agoric/swingset-vat/src/devices/loopbox/loopbox.js';
import {
    exportMailboxData,
    makeEphemeralMailboxStorage,
} from '@agoric/swingset-vat/src/devices/mailbox/mailbox.js';

const kindOf = ({ bundleSpec = '' }) => {
    const found = /^sys-(\w+)Device\.json$/.exec(path.basename(bundleSpec));
    return found ? found[1] : 'unknown';
};

// `stores` gives the kernelStorage of now.
export const makeDevices = (config, stores) => {
    const described = Object.entries(config.devices || {});
    const kinds = Object.fromEntries(described.map(([name, desc]) => [name, kindOf(desc)]));
    const mailboxes = {}; // name -> its state, which outlives a kernel
    let parts = {}; // name -> what build… gave, of the kernel of now
    let out = {};
    const note = (kind, ...entry) => {
        out[kind] ||= [];
        out[kind].push(entry);
    };

    const makers = {
        timer: () => buildTimer(),
        mailbox(name) {
            mailboxes[name] ||= makeEphemeralMailboxStorage({});
            return buildMailbox(buildMailboxStateMap(mailboxes[name]));
        },
        bridge: name =>
            buildBridge((...args) => {
                note('bridge', name, args);
                if (args[0] === 'throw') {
                    throw Error('the bridge is closed');
                }
                if (args[0] === 'nothing') {
                    return undefined;
                }
                return args[0] === 'answer' ? args[1] : { args };
            }),
        command: name => buildCommand(obj => note('broadcasts', name, obj)),
        loopbox(name) {
            const { parameters = {} } = config.devices[name];
            const { loopboxEndowments, passOneMessage } = buildLoopbox(parameters.deliverMode || 'queued');
            return { endowments: loopboxEndowments, passOneMessage };
        },
        bundle() {
            const { bundleStore, kvStore } = stores();
            const getNamedBundleID = name => {
                const id = kvStore.get(`namedBundleID.${name}`);
                if (!id) {
                    throw Error(`no bundle ${name}`);
                }
                return id;
            };
            const { hasBundle, getBundle } = bundleStore;
            return { endowments: { hasBundle, getBundle, getNamedBundleID } };
        },
    };
    // For each new kernel.
    const endowments = () => {
        parts = {};
        for (const [name, kind] of Object.entries(kinds)) {
            if (makers[kind] && !config.devices[name].unendowed) {
                parts[name] = makers[kind](name);
            }
        }
        return Object.fromEntries(Object.entries(parts).map(([name, it]) => [name, it.endowments]));
    };
    const part = (kind, name) => {
        const [only] = Object.keys(kinds).filter(it => kinds[it] === kind);
        return parts[name || only];
    };

    const ops = {
        timerPoll: ({ device, now }) => ({ woke: part('timer', device).poll(now) }),
        mailboxInbound({ device, peer, messages, ack }) {
            part('mailbox', device).deliverInbound(peer, messages, ack);
            return {};
        },
        mailboxExport({ device }) {
            const [only] = Object.keys(kinds).filter(it => kinds[it] === 'mailbox');
            return { mailbox: exportMailboxData(mailboxes[device || only]) };
        },
        bridgeInbound({ device, args }) {
            part('bridge', device).deliverInbound(...args);
            return {};
        },
        commandInbound({ device, body }) {
            const name = device || Object.keys(kinds).find(it => kinds[it] === 'command');
            const settled = rejected => value =>
                note('responses', name, rejected, ...(value === undefined ? [] : [value]));
            part('command', device).inboundCommand(body).then(settled(false), settled(true));
            return {};
        },
        loopboxPass: ({ device }) => ({ passed: part('loopbox', device).passOneMessage() }),
    };
    // What went out since it was last asked.
    const takeOut = () => {
        const taken = out;
        out = {};
        return JSON.parse(JSON.stringify(taken));
    };
    return { endowments, ops, takeOut };
};
