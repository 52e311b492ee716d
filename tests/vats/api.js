// api.js -- the vats of tests/host: what a host program can ask of its vats.
import { E, Far } from '@endo/far';
import { makePromiseKit } from '@endo/promise-kit';
import { makeScalarBigMapStore } from '@agoric/vat-data';

export const buildRootObject = ({ D }, vatParameters, baggage) => {
    let service;
    let hanging;
    let bridge;
    let command;
    const kept = []; // what nobody holds is collected
    const vats = new Map(); // name -> { root, adminNode, done }
    const heard = [];

    const incarnation = baggage.has('incarnation') ? baggage.get('incarnation') + 1 : 1;
    if (incarnation > 1) {
        baggage.set('incarnation', incarnation);
    } else {
        baggage.init('incarnation', incarnation);
    }

    const self = Far('root', {
        async bootstrap(roots, devices) {
            service = await E(roots.vatAdmin).createVatAdminService(devices.vatAdmin);
            kept.push(roots.friend, roots.critical);
            vats.set('friend', { root: roots.friend });
            ({ bridge, command } = devices);
            return 'ready';
        },
        echo: value => value,
        makeBox: content => Far('box', { read: () => content }),
        fail(message) {
            throw TypeError(message);
        },
        later() {
            hanging = makePromiseKit();
            return hanging.promise;
        },
        settle: value => hanging.resolve(value),
        say: text => console.warn(text),
        incarnation: () => harden([incarnation, vatParameters]),

        // `n` messages to a friend, one after the other
        async count(n) {
            for (let i = 0; i < n; i += 1) {
                await E(vats.get('friend').root).echo(i);
            }
            return 'counted';
        },

        // rows of every kind: objects either way, promises, vatstore entries
        async load(name, n) {
            const { root } = vats.get(name);
            for (let i = 0; i < n; i += 1) {
                kept.push(await E(root).makeBox(i), E(root).later());
            }
            const ours = Array.from({ length: n }, (_, i) => Far('ours', { i: () => i }));
            return E(root).hold(harden(ours));
        },
        hold(objects) {
            kept.push(...objects);
            baggage.init('held', makeScalarBigMapStore('held', { durable: true }));
            objects.forEach((_, i) => baggage.get('held').init(i, `value ${i}`));
            return objects.length;
        },

        async create(name) {
            const cap = await E(service).getNamedBundleCap('counter');
            const made = await E(service).createVat(cap, harden({ name }));
            const done = E.when(
                E(made.adminNode).done(),
                value => harden({ value }),
                reason => harden({ reason: reason && reason.message }),
            );
            vats.set(name, { ...made, done });
            return made.root;
        },
        doneOf: name => vats.get(name).done,

        // devices
        listen() {
            const handler = Far('handler', { inbound: (...args) => void heard.push(args) });
            D(bridge).registerInboundHandler(handler);
            D(command).registerInboundHandler(
                Far('handler', {
                    inbound(count, body) {
                        D(command).sendResponse(count, body === 'bad', { re: body });
                        D(command).sendBroadcast({ heard: body });
                    },
                }),
            );
        },
        heard: () => harden([...heard]),
        callOut: (...args) => D(bridge).callOutbound(...args),
    });
    return self;
};
harden(buildRootObject);
