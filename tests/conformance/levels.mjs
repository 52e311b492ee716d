// levels.mjs -- two runs of a scenario, level by level.
//
// A run is ours (run_scenario), upstream's (upstream.mjs), or what is kept of upstream's
// (stored.mjs).  compare() gives one entry a kind of thing: { kind, ok, count } and, where
// they differ, { at, differ, theirs, ours }: the first difference.
//
//   C1  what every host call returned
//   C2  transcripts, their spans and hashes
//   C3  heap snapshots
//   C4  kvStore but local.*, host.* and activityhash, bundles
//   C5  the kernel's log, where both runs have one
//   C6  crankhash of every crank, activityhash after every step
import { digest } from '../oracle/slog.mjs';
import { HASH_KEPT } from '../oracle/stored.mjs';

const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const byVat = (a, b) => byText(a[0], b[0]) || a[1] - b[1];

// { vat: [row...] } or [[vat, ...row]...]
const rows = table =>
    (Array.isArray(table)
        ? table
        : Object.entries(table).flatMap(([vatID, list]) => list.map(row => [vatID, ...row]))
    ).sort(byVat);
const pairs = table => (Array.isArray(table) ? table : Object.entries(table));
const texts = list => list.map(item => JSON.stringify(item));

const sorted = value => {
    if (Array.isArray(value)) {
        return value.map(sorted);
    }
    if (value && typeof value === 'object') {
        const keys = Object.keys(value).sort();
        return Object.fromEntries(keys.map(key => [key, sorted(value[key])]));
    }
    return value;
};

// That a call failed or the kernel panicked, and not in what words.
const step = ({ activityhash: _a, kvHash: _k, error, panic, ...rest }) =>
    sorted({
        ...rest,
        ...(error === undefined ? {} : { error: true }),
        ...(panic === undefined ? {} : { panic: true }),
    });

// [step, crankNum, first digits of the crankhash]
const crank = it =>
    Array.isArray(it) ? it : [it.step, it.crankNum, it.crankhash.slice(0, HASH_KEPT)];

const bundleIDs = bundles =>
    (Array.isArray(bundles) ? bundles.flat() : Object.keys(bundles)).sort(byText);

// Texts of log entries, or hashes of a crank's entries if one side has only these.
const logs = (a, b) => {
    const isKept = log => typeof log[0] === 'string';
    const to = log => (isKept(log) ? log : digest(log));
    return isKept(a) || isKept(b) ? [to(a), to(b)] : [texts(a), texts(b)];
};

// Every level of a run as a list of texts; the log as it is.
export const normal = run => ({
    steps: texts(run.steps.map(step)),
    transcripts: texts(rows(run.transcripts)),
    spans: texts(rows(run.spans)),
    snapshots: texts(rows(run.snapshots)),
    kvStore: texts(
        pairs(run.kvStore)
            .filter(([key]) => key !== 'activityhash' && !key.startsWith('host.'))
            .sort((p, n) => byText(p[0], n[0])),
    ),
    bundles: bundleIDs(run.bundles),
    cranks: texts(run.cranks.map(crank)),
    activityhashes: run.steps.map(s => s.activityhash || ''),
    slog: run.slog,
    wholeSlog: run.wholeSlog && texts(run.wholeSlog),
});

const titles = {
    steps: 'C1 results of host calls',
    transcripts: 'C2 transcripts',
    spans: 'C2 transcript spans and hashes',
    snapshots: 'C3 heap snapshot hashes',
    kvStore: 'C4 kvStore',
    bundles: 'C4 bundles',
    slog: 'C5 log',
    wholeSlog: 'C5 log, machines too',
    cranks: 'C6 crank hashes',
    activityhashes: 'C6 activityhash after each step',
};

export const compare = (theirs, ours) => {
    const [x, y] = [normal(theirs), normal(ours)];
    const names = Object.keys(titles).filter(name => x[name] && y[name]);
    return names.map(name => {
        const kind = titles[name];
        const [a, b] = name === 'slog' ? logs(x.slog, y.slog) : [x[name], y[name]];
        let at = 0;
        while (at < Math.max(a.length, b.length) && a[at] === b[at]) {
            at += 1;
        }
        if (at === a.length && at === b.length) {
            return { kind, ok: true, count: a.length };
        }
        const differ = a.filter((x, i) => x !== b[i]).length + Math.max(0, b.length - a.length);
        return { kind, ok: false, count: a.length, at, differ, theirs: a[at], ours: b[at] };
    });
};

const clip = text => (text === undefined ? '(nothing)' : text.slice(0, 2000));

// Where two long texts differ, from a little before it.
const sides = (a = '', b = '') => {
    let at = 0;
    while (at < Math.min(a.length, b.length) && a[at] === b[at]) {
        at += 1;
    }
    return at > 300 ? [`…${a.slice(at - 100)}`, `…${b.slice(at - 100)}`] : [a, b];
};

export const report = (results, { verbose = true } = {}) => {
    const lines = [];
    for (const it of results) {
        if (it.ok) {
            if (verbose) {
                lines.push(`ok      ${it.kind}: ${it.count} equal`);
            }
        } else {
            const where = `first difference at ${it.at} of ${it.count} (${it.differ} differ)`;
            lines.push(`FAILED  ${it.kind}: ${where}`);
            const both = it.theirs !== undefined && it.ours !== undefined;
            const [a, b] = both ? sides(it.theirs, it.ours) : [it.theirs, it.ours];
            lines.push(`  upstream: ${clip(a)}`, `  ours:     ${clip(b)}`);
        }
    }
    return lines;
};
