// vat-admin.js -- the vat through which other vats make, fork and end vats.
//
// It is the only vat that holds the vat-admin device.  Data goes down to the
// kernel by D(device); the kernel answers later, by messages to the root object
// below.  The service, the meters and the admin nodes are what other vats see.
//
// It replaces the vat-admin vat of @agoric/swingset-vat, and offers the same
// service, the same device calls and the same kernel messages, with the same
// durable kinds under the same baggage keys, so that a store made with that vat
// can be upgraded to this one:
//
//   criticalVatKey, meter, unlimitedMeter, adminNode, vatAdminService   kinds
//   managedVats    set of the vatIDs made here and not yet ended
//   meterByID      meterID -> { meter }
//   vatAdminDev    the device node
//
// What is new lives under keys of its own:
//
//   zygote         kind: the handle of a sealed vat, { vatID }
//   zygotes        vatID -> its handle
//   forkLimits, forkBudgets, nextForkBudget    see limits.js
//
// Fork, in three steps: fork() checks what can be checked without the kernel
// and calls D(device).forkVat(), which names the child at once; the kernel
// clones the parent in a crank of its own; newVatCallback() brings the child's
// root and the objects that correspond to `oldrefs`, or an error.  zygotify()
// is the same dance with zygotifyVat() and zygoteCallback(), and takeOffline() with
// offlineCallback().
import { b, Fail, q } from '@endo/errors';
import { E, Far, passStyleOf } from '@endo/far';
import { isNat, Nat } from '@endo/nat';
import { makePromiseKit } from '@endo/promise-kit';
import {
    makeScalarBigMapStore,
    makeScalarBigSetStore,
    prepareKind,
    prepareSingleton,
    provide,
} from './durable.js';
import { checkLimitOptions, prepareLimits } from './limits.js';

const { hasOwn } = Object;

const MANAGER_TYPES = ['local', 'node-subprocess', 'xsnap', 'xs-worker'];
const VAT_NAME = /^[A-Za-z0-9._-]+$/;
const VAT_NAME_LIMIT = 200;

// A false value passes: that is how absent options look.
const checkType = (name, value, type) => {
    if (value) {
        // eslint-disable-next-line valid-typeof
        typeof value === type || Fail`CreateVatOptions(${name})`;
    }
};

// The name is shown by ps and may become an argument of the worker process.
const checkName = (who, name) => {
    name.length < VAT_NAME_LIMIT || Fail`${b(who)}: oversized vat name ${q(name)}`;
    VAT_NAME.test(name) || Fail`${b(who)}: bad vat name ${q(name)}`;
};

const checkNoMore = (rest, complain) => {
    const unknown = Object.keys(rest).join(',');
    if (unknown) {
        complain(unknown);
    }
};

// Only settled references can be named: a device call takes no promises, and
// data has no counterpart in the child.  Whether the vat being forked owns the
// objects is for the kernel to say, in the same words.
const checkOldrefs = oldrefs => {
    Array.isArray(oldrefs) || Fail`fork: oldrefs must be an array`;
    oldrefs.forEach((ref, i) => {
        passStyleOf(ref) === 'remotable' ||
            Fail`oldrefs[${b(i)}] is not an export of this vat`;
    });
};

export function buildRootObject(vatPowers, _vatParameters, baggage) {
    const { D } = vatPowers;
    const criticalVatKey = prepareSingleton(baggage, 'criticalVatKey', {});

    let vatAdminDev = baggage.has('vatAdminDev') ? baggage.get('vatAdminDev') : undefined;

    // ---- what runs ----------------------------------------------------------

    const managedVats = provide(baggage, 'managedVats', () =>
        makeScalarBigSetStore('managedVats', { durable: true }),
    );

    // vatID -> promise kit of its end, once somebody has asked for it.  Nothing in this
    // heap grows with the number of vats that only run: there may be ten thousand.
    const endings = new Map();
    // vats that were told to end and have not answered yet
    const exitingVats = new Set();

    const noteVat = vatID => managedVats.add(vatID);

    // Assigned below, after the collections of old.
    let limits;

    const forgetVat = vatID => {
        limits.forget(vatID);
        endings.delete(vatID);
        exitingVats.delete(vatID);
        if (managedVats.has(vatID)) {
            managedVats.delete(vatID);
        }
    };

    const isRunning = vatID => managedVats.has(vatID) && !exitingVats.has(vatID);

    const assertRunning = (vatID, operation, exitingOK = false) => {
        (exitingOK ? managedVats.has(vatID) : isRunning(vatID)) ||
            Fail`vatAdminService rejecting attempt to perform ${q(operation)}() on non-running vat ${q(vatID)}`;
    };

    // ---- what waits for the kernel ------------------------------------------

    const pendingVats = new Map(); // child vatID -> { succeed(results), fail(error) }
    const pendingZygotes = new Map(); // vatID -> promise kit
    const pendingOffline = new Map(); // vatID -> promise kits, in the order of their events
    const pendingBundles = new Map(); // bundleID -> promise kit
    const pendingUpgrades = new Map(); // upgradeID -> promise kit

    // pauseService() refuses new requests and answers true when none is
    // waiting any more, so that whoever asked may upgrade or stop this vat.
    // The kit is there while the service is paused.
    let quiescence;
    let isQuiescent = false;

    const insistNotPaused = () => {
        !quiescence || Fail`service not available, try again later`;
    };

    const checkForQuiescence = () => {
        const waiting =
            pendingVats.size +
            pendingZygotes.size +
            pendingOffline.size +
            pendingBundles.size +
            pendingUpgrades.size +
            exitingVats.size;
        if (quiescence && waiting === 0) {
            isQuiescent = true;
            quiescence.resolve(true);
        }
    };

    // Removes and returns what waits under `key`.
    const takePending = (table, key) => {
        const found = table.get(key);
        table.delete(key);
        return found;
    };

    // ---- meters -------------------------------------------------------------

    const meterIDByMeter = new WeakMap();
    // The makers below run only after meterByID exists.
    let meterByID;
    const finishMeter = ({ state, self }) => {
        meterByID.init(state.meterID, harden({ meter: self }));
        meterIDByMeter.set(self, state.meterID);
    };
    const noNotifier = () => Fail`not implemented, see #7234`;

    const makeMeter = prepareKind(
        baggage,
        'meter',
        (remaining, threshold) => ({
            meterID: D(vatAdminDev).createMeter(Nat(remaining), Nat(threshold)),
        }),
        {
            addRemaining({ state }, delta) {
                D(vatAdminDev).addMeterRemaining(state.meterID, Nat(delta));
            },
            setThreshold({ state }, threshold) {
                D(vatAdminDev).setMeterThreshold(state.meterID, Nat(threshold));
            },
            get({ state }) {
                return D(vatAdminDev).getMeter(state.meterID);
            },
            getNotifier: noNotifier,
        },
        { finish: finishMeter },
    );

    const makeUnlimitedMeter = prepareKind(
        baggage,
        'unlimitedMeter',
        () => ({ meterID: D(vatAdminDev).createUnlimitedMeter() }),
        {
            addRemaining() {},
            setThreshold() {},
            get: () => harden({ remaining: 'unlimited', threshold: 0 }),
            getNotifier: noNotifier,
        },
        { finish: finishMeter },
    );

    meterByID = provide(baggage, 'meterByID', () =>
        makeScalarBigMapStore('meterByID', { durable: true }),
    );
    for (const [meterID, { meter }] of meterByID.entries()) {
        meterIDByMeter.set(meter, meterID);
    }

    // ---- what admin nodes and zygote handles do -------------------------------

    const terminateWithFailure = (vatID, reason) => {
        insistNotPaused();
        assertRunning(vatID, 'terminateWithFailure');
        exitingVats.add(vatID);
        D(vatAdminDev).terminateWithFailure(vatID, reason);
    };

    // How a vat ended is not remembered: who asks afterwards is refused.
    const done = vatID => {
        assertRunning(vatID, 'done', true);
        let kit = endings.get(vatID);
        if (!kit) {
            kit = makePromiseKit();
            kit.promise.catch(() => {});
            endings.set(vatID, kit);
        }
        return kit.promise;
    };

    const upgradeVat = async (vatID, bundleID, options = {}) => {
        assert(vatAdminDev, 'vatAdmin device not configured');
        const { vatParameters, upgradeMessage = 'vat upgraded', ...rest } = options;
        checkNoMore(rest, bad => Fail`upgrade() received unknown options: ${q(bad)}`);
        assert.typeof(upgradeMessage, 'string', 'upgradeMessage not a string');
        const upgradeID = D(vatAdminDev).upgradeVat(
            vatID,
            bundleID,
            vatParameters,
            upgradeMessage,
        );
        const kit = makePromiseKit();
        pendingUpgrades.set(upgradeID, kit);
        return kit.promise;
    };

    // Fork options, checked, as the device takes them: absent ones left out.
    const convertForkOptions = options => {
        const style = passStyleOf(options);
        style === 'copyRecord' || Fail`fork: options must be a record, not ${q(style)}`;
        const { name, meter, critical, reapInterval, promises, forkable, maxForks, ...rest } =
            options;
        checkNoMore(rest, bad => Fail`fork() received unknown options: ${q(bad)}`);
        checkLimitOptions('fork', { forkable, maxForks });
        const out = {};
        if (name !== undefined) {
            typeof name === 'string' || Fail`fork: name must be a string`;
            checkName('fork', name);
            out.name = name;
        }
        if (meter !== undefined) {
            out.meterID = meterIDByMeter.get(meter);
            out.meterID || Fail`fork: meter is not a meter of this service`;
        }
        if (critical) {
            critical === criticalVatKey || Fail`invalid criticalVatKey`;
            out.critical = true;
        }
        if (reapInterval !== undefined) {
            reapInterval === 'never' ||
                (typeof reapInterval === 'number' && isNat(reapInterval)) ||
                Fail`invalid reapInterval value`;
            out.reapInterval = reapInterval;
        }
        if (promises !== undefined) {
            promises === 'strict' ||
                promises === 'share' ||
                Fail`fork: promises must be "strict" or "share", not ${q(promises)}`;
            out.promises = promises;
        }
        return harden(out);
    };

    // Assigned below: the kinds and the functions here name each other.
    let makeAdminNode;
    let makeZygote;
    let zygotes; // vatID -> its handle

    // Upstream's device has no such calls, and does not say so.
    const askForks = (method, ...args) => {
        try {
            return D(vatAdminDev)[method](...args);
        } catch (e) {
            throw Error(`this kernel cannot do ${method}(): ${e.message}`);
        }
    };

    const forkVat = (vatID, oldrefs = harden([]), options = harden({})) => {
        insistNotPaused();
        isRunning(vatID) || Fail`vat terminated`;
        limits.insistForkable(vatID, 'fork');
        checkOldrefs(oldrefs);
        const converted = convertForkOptions(options);
        limits.insistAffordable(vatID, options);
        const childID = askForks('forkVat', vatID, oldrefs, converted);
        noteVat(childID);
        limits.charge(vatID, childID, options);
        const { promise, resolve, reject } = makePromiseKit();
        pendingVats.set(childID, {
            succeed: ({ rootObject: root, newrefs: refs = [] }) =>
                resolve(harden({ adminNode: makeAdminNode(childID), root, refs })),
            fail: error => {
                forgetVat(childID);
                limits.refund(vatID, options);
                reject(error instanceof Error ? error : Error(`${error}`));
            },
        });
        return promise;
    };

    const assertNoZygote = vatID => {
        !zygotes.has(vatID) || Fail`vat is a zygote`;
    };

    // A vat is sealed once; asking again gives the same handle.
    const zygotify = vatID => {
        insistNotPaused();
        isRunning(vatID) || Fail`vat terminated`;
        limits.insistForkable(vatID, 'zygotify');
        if (zygotes.has(vatID)) {
            return zygotes.get(vatID);
        }
        if (!pendingZygotes.has(vatID)) {
            askForks('zygotifyVat', vatID);
            pendingZygotes.set(vatID, makePromiseKit());
        }
        return pendingZygotes.get(vatID).promise;
    };

    // Each request is an event, and each event is answered in its turn.
    const takeOffline = vatID => {
        insistNotPaused();
        isRunning(vatID) || Fail`vat terminated`;
        askForks('takeOffline', vatID);
        const kit = makePromiseKit();
        pendingOffline.set(vatID, [...(pendingOffline.get(vatID) || []), kit]);
        return kit.promise;
    };

    makeAdminNode = prepareKind(baggage, 'adminNode', vatID => ({ vatID }), {
        terminateWithFailure({ state }, reason) {
            terminateWithFailure(state.vatID, reason);
        },
        done({ state }) {
            return done(state.vatID);
        },
        upgrade({ state }, bundlecap, options) {
            insistNotPaused();
            assertRunning(state.vatID, 'upgrade');
            assertNoZygote(state.vatID);
            let bundleID;
            try {
                bundleID = D(bundlecap).getBundleID();
            } catch (e) {
                Fail`vatAdmin.upgrade() requires a bundlecap: ${e}`;
            }
            return upgradeVat(state.vatID, bundleID, options);
        },
        changeOptions({ state }, options) {
            insistNotPaused();
            assertRunning(state.vatID, 'changeOptions');
            assertNoZygote(state.vatID);
            for (const option of Object.getOwnPropertyNames(options)) {
                option === 'reapInterval' || Fail`invalid option ${q(option)}`;
                const value = options[option];
                value === 'never' || isNat(value) || Fail`invalid reapInterval value`;
            }
            D(vatAdminDev).changeOptions(state.vatID, options);
        },
        fork({ state }, oldrefs, options) {
            return forkVat(state.vatID, oldrefs, options);
        },
        zygotify({ state }) {
            return zygotify(state.vatID);
        },
        takeOffline({ state }) {
            return takeOffline(state.vatID);
        },
    });

    // ---- the service ----------------------------------------------------------

    const convertCreateOptions = options => {
        const {
            name,
            meter, // a capability, told to the kernel as meterID
            managerType,
            nodeOptions,
            vatParameters, // the only one that may hold references
            enableSetup,
            enablePipelining,
            useTranscript,
            reapInterval,
            critical, // a capability, told to the kernel as a boolean
            forkable, // these two are for finishCreation()
            maxForks,
            ...rest
        } = options;
        checkType('name', name, 'string');
        if (name !== undefined) {
            checkName('CreateVatOptions', name);
        }
        checkType('managerType', managerType, 'string');
        if (managerType) {
            MANAGER_TYPES.includes(managerType) ||
                Fail`CreateVatOptions: bad managerType ${managerType}`;
        }
        if (nodeOptions && managerType !== 'node-subprocess') {
            Fail`CreateVatOptions: nodeOptions requires managerType='node-subprocess'`;
        }
        checkType('enableSetup', enableSetup, 'boolean');
        checkType('enablePipelining', enablePipelining, 'boolean');
        checkType('useTranscript', useTranscript, 'boolean');
        checkType('reapInterval', reapInterval, 'number');
        checkNoMore(rest, bad => Fail`CreateVatOptions: unknown options ${q(bad)}`);
        checkLimitOptions('CreateVatOptions', { forkable, maxForks });
        if (critical) {
            critical === criticalVatKey || Fail`invalid criticalVatKey`;
        }
        return harden({
            name,
            meterID: meter ? meterIDByMeter.get(meter) : undefined,
            managerType,
            vatParameters,
            enableSetup,
            enablePipelining,
            useTranscript,
            reapInterval,
            critical: !!critical,
        });
    };

    const finishCreation = (vatID, options) => {
        const { promise, resolve, reject } = makePromiseKit();
        noteVat(vatID);
        limits.limit(vatID, options);
        const adminNode = makeAdminNode(vatID);
        pendingVats.set(vatID, {
            succeed: ({ rootObject: root }) => resolve(root),
            fail: error => reject(Error(`Vat Creation Error: ${error}`)),
        });
        return E.when(promise, root => harden({ adminNode, root }));
    };

    const bundleIDOf = bundlecap => {
        let bundleID;
        try {
            bundleID = D(bundlecap).getBundleID();
        } catch (e) {
            throw Error('Vat Creation Error: createVat() requires a bundlecap');
        }
        typeof bundleID === 'string' || Fail`createVat() no bundleID`;
        return bundleID;
    };

    const vatAdminService = prepareSingleton(baggage, 'vatAdminService', {
        waitForBundleCap(bundleID) {
            insistNotPaused();
            const bundlecap = D(vatAdminDev).getBundleCap(bundleID);
            if (bundlecap) {
                return bundlecap;
            }
            if (!pendingBundles.has(bundleID)) {
                pendingBundles.set(bundleID, makePromiseKit());
            }
            return pendingBundles.get(bundleID).promise;
        },
        getBundleCap(bundleID) {
            const bundlecap = D(vatAdminDev).getBundleCap(bundleID);
            if (!bundlecap) {
                throw Error(`bundleID not yet installed: ${bundleID}`);
            }
            return bundlecap;
        },
        getNamedBundleCap(name) {
            return D(vatAdminDev).getNamedBundleCap(name);
        },
        getBundleIDByName(name) {
            return D(vatAdminDev).getBundleIDByName(name);
        },
        createMeter(remaining, threshold) {
            return makeMeter(remaining, threshold);
        },
        createUnlimitedMeter() {
            return makeUnlimitedMeter();
        },
        createVat(bundleOrCap, options = {}) {
            insistNotPaused();
            const converted = convertCreateOptions(options);
            if (passStyleOf(bundleOrCap) === 'remotable') {
                const bundleID = bundleIDOf(bundleOrCap);
                const vatID = D(vatAdminDev).createByBundleID(bundleID, converted);
                return finishCreation(vatID, options);
            }
            // a whole bundle in a message: kept because the service always took it
            bundleOrCap.moduleFormat ||
                Fail`createVat(bundle) does not look like a bundle`;
            return finishCreation(D(vatAdminDev).createByBundle(bundleOrCap, converted), options);
        },
        createVatByName(name, options = {}) {
            insistNotPaused();
            typeof name === 'string' ||
                Fail`createVatByName() requires bundleName to be a string`;
            const converted = convertCreateOptions(options);
            const bundlecap = D(vatAdminDev).getNamedBundleCap(name);
            const bundleID = D(bundlecap).getBundleID();
            const vatID = D(vatAdminDev).createByBundleID(bundleID, converted);
            return finishCreation(vatID, options);
        },
    });

    // ---- zygotes: after the kinds of old, whose numbers stay what they were -----

    makeZygote = prepareKind(baggage, 'zygote', vatID => ({ vatID }), {
        fork({ state }, oldrefs, options) {
            return forkVat(state.vatID, oldrefs, options);
        },
        terminateWithFailure({ state }, reason) {
            terminateWithFailure(state.vatID, reason);
        },
        done({ state }) {
            return done(state.vatID);
        },
    });

    zygotes = provide(baggage, 'zygotes', () =>
        makeScalarBigMapStore('zygotes', { durable: true }),
    );

    limits = prepareLimits(baggage);

    // ---- messages from the kernel, and from whoever holds the root -------------

    return Far('root', {
        createVatAdminService(device) {
            if (baggage.has('vatAdminDev')) {
                baggage.set('vatAdminDev', device);
            } else {
                baggage.init('vatAdminDev', device);
            }
            vatAdminDev = device;
            return vatAdminService;
        },

        getCriticalVatKey() {
            return criticalVatKey;
        },

        // A bundle was installed; somebody may be waiting for it.
        bundleInstalled(bundleID) {
            if (!vatAdminDev || !pendingBundles.has(bundleID)) {
                return;
            }
            const bundlecap = D(vatAdminDev).getBundleCap(bundleID);
            if (!bundlecap) {
                console.log(`bundle ${bundleID} missing, hoping for reinstall`);
                return;
            }
            takePending(pendingBundles, bundleID).resolve(bundlecap);
            checkForQuiescence();
        },

        // A vat was created or forked, or could not be.  After an upgrade of
        // this vat nobody waits for the answer to what was asked before it.
        newVatCallback(vatID, results) {
            const failed = hasOwn(results, 'error');
            const pending = takePending(pendingVats, vatID);
            if (!pending) {
                console.log(`no pending creation of ${vatID}; vatAdmin upgrade in progress?`);
                if (failed) {
                    forgetVat(vatID);
                }
                return;
            }
            if (failed) {
                pending.fail(results.error);
            } else {
                pending.succeed(results);
            }
            checkForQuiescence();
        },

        // A vat was sealed, or could not be.
        zygoteCallback(vatID, results) {
            const kit = takePending(pendingZygotes, vatID);
            if (hasOwn(results, 'error')) {
                kit?.reject(results.error);
            } else if (managedVats.has(vatID)) {
                if (!zygotes.has(vatID)) {
                    zygotes.init(vatID, makeZygote(vatID));
                }
                kit?.resolve(zygotes.get(vatID));
            }
            checkForQuiescence();
        },

        // A vat was taken offline, or could not be.
        offlineCallback(vatID, results) {
            const [kit, ...others] = takePending(pendingOffline, vatID) || [];
            if (others.length) {
                pendingOffline.set(vatID, others);
            }
            if (hasOwn(results, 'error')) {
                kit?.reject(results.error);
            } else {
                kit?.resolve(undefined);
            }
            checkForQuiescence();
        },

        // The host has loaded a zygote from a file.  The answer is its handle.
        zygoteLoaded(vatID) {
            if (!zygotes.has(vatID)) {
                noteVat(vatID);
                zygotes.init(vatID, makeZygote(vatID));
            }
            return zygotes.get(vatID);
        },

        vatUpgradeCallback(upgradeID, success, error, incarnationNumber) {
            const kit = takePending(pendingUpgrades, upgradeID);
            if (!kit) {
                console.log(
                    `no pendingUpgrades entry for upgradeID ${upgradeID}; vatAdmin upgrade in progress?`,
                );
                return;
            }
            if (success) {
                kit.resolve({ incarnationNumber });
            } else {
                kit.reject(error);
            }
            checkForQuiescence();
        },

        // A vat ended.  When it ended in its startVat, the answer to its
        // creation was undone with that crank: this message stands in for it.
        vatTerminated(vatID, shouldReject, info) {
            const running = managedVats.has(vatID);
            const kit = endings.get(vatID);
            takePending(pendingVats, vatID)?.fail(info);
            takePending(pendingZygotes, vatID)?.reject(Error('vat terminated'));
            takePending(pendingOffline, vatID)?.forEach(({ reject }) =>
                reject(Error('vat terminated')),
            );
            if (zygotes.has(vatID)) {
                zygotes.delete(vatID);
            }
            if (!running) {
                console.log(`DANGER: static or non-running vat ${vatID} terminated`);
            }
            forgetVat(vatID);
            checkForQuiescence();
            if (shouldReject) {
                kit?.reject(info);
            } else {
                kit?.resolve(info);
            }
        },

        // Told by the kernel; there is nobody to tell it to until notifiers are durable.
        meterCrossedThreshold(_meterID, _remaining) {},

        pauseService() {
            if (!quiescence) {
                quiescence = makePromiseKit();
            }
            checkForQuiescence();
            return quiescence.promise;
        },

        resumeService() {
            if (quiescence && !isQuiescent) {
                quiescence.reject(Error('shutdown cancelled'));
            }
            quiescence = undefined;
            isQuiescent = false;
        },

        async upgradeStaticVat(vatID, pauseTarget, bundleID, options) {
            await null;
            const tell = method =>
                pauseTarget ? E(pauseTarget)[method]().catch(() => true) : undefined;
            await tell('pauseService');
            try {
                return await upgradeVat(vatID, bundleID, options);
            } catch (e) {
                await tell('resumeService');
                throw e;
            }
        },
    });
}
