// Makes vats and ends them.
import { E, Far } from '@endo/far';

export const buildRootObject = () => {
    let vatAdminSvc;
    const kids = new Map(); // name -> { root, adminNode, done, things }

    const settle = p =>
        E.when(
            p,
            value => harden({ fulfilled: value }),
            reason => harden({ rejected: reason && reason.message ? reason.message : reason }),
        );

    const adopt = (name, { root, adminNode }) => {
        kids.set(name, { root, adminNode, done: settle(E(adminNode).done()), things: [] });
        return name;
    };

    const self = Far('root', {
        async bootstrap(vats, devices) {
            vatAdminSvc = await E(vats.vatAdmin).createVatAdminService(devices.vatAdmin);
            return 'booted';
        },

        async create(name, parameters, options = {}) {
            const bundlecap = await E(vatAdminSvc).getNamedBundleCap('kid');
            const vatParameters = harden({ ...parameters, friend: self });
            return settle(
                E.when(
                    E(vatAdminSvc).createVat(bundlecap, harden({ name, vatParameters, ...options })),
                    made => adopt(name, made),
                ),
            );
        },
        // without parameters, and by the older way
        createByName: name =>
            settle(
                E.when(E(vatAdminSvc).createVatByName('kid'), made => adopt(name, made)),
            ),
        // refused by the service
        createWith: options =>
            settle(
                E.when(E(vatAdminSvc).getNamedBundleCap('kid'), bundlecap =>
                    E(vatAdminSvc).createVat(bundlecap, options),
                ),
            ),
        noBundle: name => settle(E(vatAdminSvc).getNamedBundleCap(name)),
        notACap: () => settle(E(vatAdminSvc).createVat(self)),
        badID: id => settle(E(vatAdminSvc).getBundleCap(id)),
        bundleID: async () => {
            const id = await E(vatAdminSvc).getBundleIDByName('kid');
            const cap = await E(vatAdminSvc).getBundleCap(id);
            const again = await E(vatAdminSvc).waitForBundleCap(id);
            return harden([id, cap === again]);
        },

        increment: (name, by) => E(kids.get(name).root).increment(by),
        read: name => settle(E(kids.get(name).root).read()),
        isFriend: async name => (await E(kids.get(name).root).friend()) === self,
        async takeThing(name, thing) {
            const { root, things } = kids.get(name);
            things.push(await E(root).makeThing(thing));
            return things.length;
        },
        nameThings: name =>
            Promise.all(kids.get(name).things.map(thing => settle(E(thing).label()))),

        // a message that is never answered, and what becomes of its promise
        hang(name) {
            const { root } = kids.get(name);
            kids.get(name).hanging = settle(E(root).never());
            return 'waiting';
        },
        hanging: name => kids.get(name).hanging,

        exit: (name, value) => settle(E(kids.get(name).root).exit(value)),
        fail: (name, message) => settle(E(kids.get(name).root).fail(message)),
        terminate: (name, message) =>
            settle(E(kids.get(name).adminNode).terminateWithFailure(Error(message))),
        done: name => kids.get(name).done,
        doneNow: name => settle(E(kids.get(name).adminNode).done()),
        changeReapInterval: (name, reapInterval) =>
            settle(E(kids.get(name).adminNode).changeOptions(harden({ reapInterval }))),
        forget(name) {
            kids.delete(name);
            return kids.size;
        },
    });
    return self;
};
harden(buildRootObject);
