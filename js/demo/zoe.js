// zoe.js -- real ZCF and a real contract as a zygote.
//
// The vat made here is what Zoe makes for every contract instance: the contract
// facet of @agoric/zoe, given the contract's bundlecap, Zoe and the invitation
// issuer, which evaluates the contract before it answers.  Everything that is
// particular to an instance comes later, in startZcf(): so the vat can be
// sealed before, and one fork of it is one instance.
//
// Stand-ins: zoeService, invitationIssuer and the instance's admin object are
// plain objects of this vat.  They do what ZCF needs for a contract that moves
// no assets; they are not Zoe.
//
//   create, zygotify, then for each child: fork, start, offer
import { Fail, q } from '@endo/errors';
import { E, Far } from '@endo/far';

export const buildRootObject = () => {
    let vatAdminSvc;
    let parent; // { root, adminNode, zygote or undefined }
    const children = new Map(); // name -> { root, adminNode, invitations, ... }

    const brand = Far('Zoe Invitation brand', {
        isMyIssuer: issuer => issuer === invitationIssuer,
        getAllegedName: () => 'Zoe Invitation',
        getDisplayInfo: () => harden({ assetKind: 'set' }),
    });
    const invitationIssuer = Far('Zoe Invitation issuer', {
        getBrand: () => brand,
        getAssetKind: () => 'set',
        getDisplayInfo: () => harden({ assetKind: 'set' }),
    });
    const zoeService = Far('zoeService', { getInvitationIssuer: () => invitationIssuer });

    const child = name => children.get(name) || Fail`no instance is called ${q(name)}`;

    const createZCF = async (name, contract) => {
        const [zcfBundleCap, contractBundleCap] = await Promise.all([
            E(vatAdminSvc).getNamedBundleCap('zcf'),
            E(vatAdminSvc).getNamedBundleCap(contract),
        ]);
        return E(vatAdminSvc).createVat(
            zcfBundleCap,
            harden({ name, vatParameters: { contractBundleCap, zoeService, invitationIssuer } }),
        );
    };

    // The least that proves that the machine runs: liveslots answers for the root.
    const ask = async root => {
        const methods = await E(root).__getMethodNames__();
        return harden(methods.filter(method => typeof method === 'string'));
    };

    const forkChild = async name => {
        !children.has(name) || Fail`${q(name)} is taken`;
        parent || Fail`create first`;
        const { root, adminNode } = await E(parent.zygote || parent.adminNode).fork(
            [],
            harden({ name }),
        );
        children.set(name, { root, adminNode, invitations: [] });
        return root;
    };

    // What Zoe hands to an instance: its way to talk back.
    const makeInstanceAdmin = (name, invitations) =>
        Far('zoeInstanceAdmin', {
            makeInvitation(handle, description) {
                invitations.push(handle);
                return Far('Zoe Invitation payment', { getDescription: () => description });
            },
            exitSeat: () => {},
            failSeat: () => {},
            exitAllSeats: () => {},
            failAllSeats: () => {},
            stopAcceptingOffers: () => {},
        });

    return Far('root', {
        async bootstrap(roots, devices) {
            vatAdminSvc = await E(roots.vatAdmin).createVatAdminService(devices.vatAdmin);
            return 'ready';
        },

        async create(contract = 'automaticRefund') {
            !parent || Fail`created already`;
            parent = await createZCF(`zcf-${contract}`, contract);
            return ask(parent.root);
        },

        async zygotify() {
            parent || Fail`create first`;
            const zygote = await E(parent.adminNode).zygotify();
            parent = { ...parent, zygote };
            return 'sealed';
        },

        async fork(name) {
            await forkChild(name);
            return name;
        },

        async forkAndAnswer(name) {
            return ask(await forkChild(name));
        },

        // The same vat without zygotes, to compare.
        async createAndAnswer(name, contract = 'automaticRefund') {
            !children.has(name) || Fail`${q(name)} is taken`;
            const { root, adminNode } = await createZCF(name, contract);
            children.set(name, { root, adminNode, invitations: [] });
            return ask(root);
        },

        answer: name => ask(child(name).root),

        // Starts the contract instance in a child.
        async start(name) {
            const entry = child(name);
            !entry.facets || Fail`${q(name)} is started already`;
            const instanceRecord = harden({
                installation: Far('Installation', {}),
                instance: Far('InstanceHandle', {}),
                terms: { issuers: {}, brands: {} },
            });
            const facets = await E(entry.root).startZcf(
                makeInstanceAdmin(name, entry.invitations),
                instanceRecord,
                harden([]),
            );
            children.set(name, { ...entry, facets });
            return harden({ started: name, facets: Object.keys(facets).sort() });
        },

        // Makes one offer, with nothing in it, on an invitation of the contract.
        async offer(name) {
            const { facets, invitations } = child(name);
            facets || Fail`start ${q(name)} first`;
            if (invitations.length === 0) {
                await E(facets.publicFacet).makeInvitation();
            }
            const handle = invitations.shift();
            const { offerResultPromise } = await E(facets.handleOfferObj).handleOffer(
                handle,
                harden({
                    proposal: { want: {}, give: {}, exit: { onDemand: null } },
                    initialAllocation: {},
                    seatHandle: Far('SeatHandle', {}),
                }),
            );
            const result = await offerResultPromise;
            const offers = await E(facets.publicFacet).getOffersCount();
            return harden({ result, offers: Number(offers) });
        },

        async offers(name) {
            const { facets } = child(name);
            facets || Fail`start ${q(name)} first`;
            return Number(await E(facets.publicFacet).getOffersCount());
        },

        terminate: name =>
            E(child(name).adminNode)
                .terminateWithFailure(Error('no longer needed'))
                .then(() => `${name} was told to end`),

        names: () => harden([...children.keys()]),
    });
};
harden(buildRootObject);
