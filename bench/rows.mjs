// rows.mjs -- what each row of the benchmark is.
//
// `from` is the quantity that a section printed, where it is not the row's own id, and
// `derived` what run.mjs makes of it;
// `peer` says what is laid beside it, `peerFrom` the peer's quantity.  A `target` is
// this release's, on a 2-core machine, for ours at p50.  Rows with `skipped` are not
// measured yet, and say why.
export const rows = [
    {
        id: 'worker_start_ms',
        unit: 'ms',
        better: 'lower',
        what: 'ask the fork server for a worker on the base image, until it has answered a trivial command',
        peer: 'xsnap VERSION, -r on the snapshot of the same state',
        peerWho: 'stock',
        target: 2,
    },
    {
        id: 'worker_cold_ms',
        unit: 'ms',
        better: 'lower',
        what: 'a worker from nothing: spawn, lockdown, supervisor',
        peer: 'xsnap VERSION, the same',
        peerWho: 'stock',
    },
    {
        id: 'hello_ms',
        unit: 'ms',
        better: 'lower',
        what: '`zygote run` of a two-vat config on a fresh store, process start to exit; base image there already',
        target: 500,
        reason: 'nearly all of it is the start of two vats, in XS; the peer of the same run tells how fast the machine was',
        peer: 'the same config in a fresh Node process',
    },
    {
        id: 'create_answer_ms',
        unit: 'ms',
        better: 'lower',
        what: '`createVat` of a trivial vat to the first answer of its root',
        peer: 'swingset-vat VERSION createVat',
    },
    {
        id: 'fork_answer_ms',
        unit: 'ms',
        better: 'lower',
        what: '`E(zygote).fork()` of the same vat to the first answer of the child',
        peer: 'swingset-vat VERSION createVat',
        peerFrom: 'create_answer_ms',
        target: 30,
    },
    {
        id: 'fork_answer_zcf_ms',
        unit: 'ms',
        better: 'lower',
        what: 'the same, the zygote being real ZCF with a real contract (automaticRefund) evaluated; snapshots on',
        peer: 'swingset-vat VERSION createVat of the same',
        peerFrom: 'create_answer_zcf_ms',
    },
    {
        id: 'create_answer_zcf_ms',
        unit: 'ms',
        better: 'lower',
        what: '`createVat` of real ZCF with the contract, to its first answer; snapshots on',
        peer: 'swingset-vat VERSION createVat of the same',
    },
    {
        id: 'fork_first_ms',
        unit: 'ms',
        better: 'lower',
        what: 'the first fork of a zygote to the first answer: its image is made then',
    },
    {
        id: 'fork_resolve_ms',
        unit: 'ms',
        better: 'lower',
        what:
            '`E(zygote).fork()` to its resolution in the caller, all cranks, of a zygote with 100 vatstore ' +
            'keys; 1,000 of them by one vat, which keeps every child it is given',
        target: 15,
    },
    {
        id: 'fork_resolve_late_ms',
        unit: 'ms',
        better: 'lower',
        what: 'the last hundred of those',
        from: 'fork_resolve_ms',
        derived: 'late',
        target: 15,
        reason:
            'the caller keeps every child it is given, and XS, whose heap grows only when a collection frees ' +
            'nothing, collects ever more often in the caller and in vat-admin; the fork crank is as quick as at first',
    },
    {
        id: 'fork_crank_us',
        unit: 'us',
        better: 'lower',
        what:
            'the fork crank alone, of a sealed zygote with 100 vatstore keys: 10,000 times in one store, ' +
            'asked for by the host; a commit every hundred, not clocked',
        target: 1000,
    },
    {
        id: 'fork_crank_commit_us',
        unit: 'us',
        better: 'lower',
        what: 'the fork crank and a commit of its own behind it, 1,000 times, same zygote',
        target: 3000,
    },
    {
        id: 'fork_flat',
        unit: 'ratio',
        better: 'lower',
        what: 'p50 of the last hundred of those fork cranks without commit over p50 of the 11th to the 110th',
        from: 'fork_crank_us',
        derived: 'flat',
        target: 1.2,
    },
    {
        id: 'fork_crank_100k_ms',
        unit: 'ms',
        better: 'lower',
        what:
            'the fork crank alone, of a zygote with 100,000 vatstore keys (all but a hundred written by the ' +
            'benchmark)',
        target: 100,
    },
    {
        id: 'fork_commit_100k_ms',
        unit: 'ms',
        better: 'lower',
        what: 'the commit behind it',
    },
    {
        id: 'fork_store_bytes',
        unit: 'bytes',
        better: 'lower',
        what: 'growth of the store per fork of that zygote of 100 keys, over 1,000 forks',
        peer: 'swingset-vat VERSION, per createVat of a trivial vat and first answer',
        peerFrom: 'create_store_bytes',
        target: 16384,
    },
    {
        id: 'fork_storm_s',
        unit: 's',
        better: 'lower',
        what:
            '10,000 children of that zygote, forked by the host, one message to each and its answer, 200 vats ' +
            'online at most, a commit every hundred',
    },
    {
        id: 'child_pss_1_kb',
        unit: 'KiB',
        better: 'lower',
        what: 'PSS per live child after one message',
        peer: 'xsnap worker of a vat made by createVat, same message',
        target: 3072,
    },
    {
        id: 'child_pss_10_kb',
        unit: 'KiB',
        better: 'lower',
        what: 'PSS per live child after ten messages',
        peer: 'xsnap worker of a vat made by createVat, same messages',
    },
    {
        id: 'page_in_ms',
        unit: 'ms',
        better: 'lower',
        what: 'message to an offline child to its answer: snapshot, five or six deliveries replayed, another vat evicted',
        peer: 'swingset-vat VERSION, vat made by createVat, the same',
    },
    {
        id: 'cranks_per_s',
        unit: '1/s',
        better: 'higher',
        what: 'ping-pong between two static vats: deliveries a second, 1,000 round trips a commit',
        peer: 'swingset-vat VERSION',
    },
    {
        id: 'kernel_us_per_crank',
        unit: 'us',
        better: 'lower',
        what: 'CPU time of the kernel’s process per delivery, with the crank that routes it, in that run',
        target: 100,
        reason:
            'a delivery is two cranks here, routed and delivered; of their instructions (callgrind) a fifth ' +
            'is JSON, a sixth SHA-256 of what is written, a tenth the statistics that upstream saves at ' +
            'each crank; of the time about half is the system’s, passing messages between processes',
        peer: 'Node process of swingset-vat VERSION',
    },
    {
        id: 'child_pss_gc_kb',
        skipped: 'pages are not shared again after a collection in this release',
    },
    { id: 'delivery_ms', skipped: 'there is no driver yet that paces a recorded transcript' },
    { id: 'delivery_cpu_ms', skipped: 'there is no driver yet that paces a recorded transcript' },
    { id: 'zoe_start_ms', skipped: 'real Zoe does not use zygotes in this release' },
    { id: 'zoe_start_nozygote_ms', skipped: 'real Zoe does not use zygotes in this release' },
    { id: 'zoe_instance_pss_kb', skipped: 'real Zoe does not use zygotes in this release' },
    { id: 'zoe_instance_bytes', skipped: 'real Zoe does not use zygotes in this release' },
];

// Median: the mean of the middle two; any other percentile by nearest rank.
export const percentile = (samples, percent) => {
    const sorted = [...samples].sort((a, b) => a - b);
    const n = sorted.length;
    if (percent === 50) {
        return (sorted[Math.floor((n - 1) / 2)] + sorted[Math.floor(n / 2)]) / 2;
    }
    return sorted[Math.ceil((n * percent) / 100) - 1];
};
