// handler.js -- what devices send their messages to: objects that note what they are told.
//
//   E(handler).make(label)   an object with the methods that devices, and vat-timer and
//                            vattp, call; every call goes to the log under its label
//   E(handler).report()      the log, which is then empty
//
// `wake` of a handler made with `fails` throws; `calls` gives one a device to call back at
// every message: [node, method, args], where "$me" among the args is the handler itself.
/* global HandledPromise, harden */

const far = (name, methods) => {
    const tag = {
        [Symbol.for('passStyle')]: { value: 'remotable' },
        [Symbol.toStringTag]: { value: `Alleged: ${name}` },
    };
    const properties = Object.fromEntries(
        Object.entries(methods).map(([key, value]) => [key, { value, enumerable: true }]),
    );
    return harden(Object.create(harden(Object.create(Object.prototype, tag)), properties));
};

const describe = value => {
    if (typeof value === 'bigint') {
        return `${value}n`;
    }
    if (typeof value !== 'object' || value === null) {
        return typeof value === 'symbol' ? String(value) : value;
    }
    if (value instanceof Error) {
        return `${value.name}: ${value.message}`;
    }
    if (Array.isArray(value)) {
        return value.map(describe);
    }
    if (value[Symbol.toStringTag]) {
        return `[${value[Symbol.toStringTag]}]`;
    }
    return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, describe(v)]));
};

const NAMES = [
    'wake', 'inbound', 'deliverInboundMessages', 'deliverInboundAck', 'receive', 'updateState',
];

export const buildRootObject = ({ D }) => {
    let log = [];
    const make = (label, { fails = false, calls } = {}) => {
        const methods = {};
        let me;
        const called = () => {
            const [node, method, args] = calls;
            const given = args.map(arg => (arg === '$me' ? me : arg));
            log.push([label, 'called', describe(D(node)[method](...harden(given)))]);
        };
        for (const name of NAMES) {
            methods[name] = (...args) => {
                log.push([label, name, ...args.map(describe)]);
                if (calls) {
                    called();
                }
                if (fails) {
                    throw Error(`${label} fails`);
                }
            };
        }
        me = far(label, methods);
        return me;
    };
    return far('handlers', {
        make,
        report() {
            const said = log;
            log = [];
            return harden(said);
        },
        // vattp's transmitter, and whatever else: sent from here
        tell: (target, method, args = []) => HandledPromise.applyMethod(target, method, args),
    });
};
