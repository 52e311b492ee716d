// report.mjs -- bench.json as BENCHMARKS.md.  Every figure in it comes from the file.
//
// usage: node bench/report.mjs BENCH.json OUT.md
import fs from 'node:fs';
import { rows as descriptions } from './rows.mjs';

const [input, output] = process.argv.slice(2);
if (!input || !output) {
    console.error('usage: node bench/report.mjs BENCH.json OUT.md');
    process.exit(2);
}
const bench = JSON.parse(fs.readFileSync(input, 'utf8'));
const about = new Map(descriptions.map(row => [row.id, row]));
const measured = bench.rows.filter(row => row.ours);
const skipped = bench.rows.filter(row => row.skipped);

const figure = n =>
    n >= 1000 ? Math.round(n).toLocaleString('en-US') : `${Number(n.toPrecision(3))}`;
const reached = row =>
    row.better === 'lower' ? row.ours.p50 <= row.target : row.ours.p50 >= row.target;

const peerCells = row => {
    const [peer] = row.peers || [];
    if (!peer) {
        return ['–', '–', '–'];
    }
    return peer.skipped
        ? ['not measured', '', '']
        : [figure(peer.p50), `${peer.n}`, `${figure(row.ratio)} ×`];
};
const line = row => {
    const { p50, p99, n } = row.ours;
    const target = row.target === undefined ? '' : `${figure(row.target)}${reached(row) ? '' : ' **missed**'}`;
    const cells = [`\`${row.id}\``, row.unit, figure(p50), p99 === undefined ? '–' : figure(p99), `${n}`, target];
    return `| ${[...cells, ...peerCells(row)].join(' | ')} |`;
};

const out = [];
out.push(
    '# Benchmarks',
    '',
    `Made by \`make bench\` from \`bench.json\`; do not edit. ${bench.date.slice(0, 10)}, commit ${bench.commit}.`,
    '',
    `Machine: ${bench.machine}. Others were using it too: load averages ${bench.load.join(' before and ')} after; the run took ${bench.seconds} s.`,
    '',
    '| row | unit | ours, p50 | p99 | n | target | peer, p50 | n | better by |',
    '| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...measured.map(line),
    '',
    '## What a row is',
    '',
    ...measured.map(row => {
        const [peer] = row.peers || [];
        const beside = peer ? ` Peer: ${peer.name}${peer.skipped ? `, not measured: ${peer.skipped}` : ''}.` : '';
        return `- \`${row.id}\`: ${about.get(row.id).what}.${beside}`;
    }),
    '',
    '## Method',
    '',
    '`bench/run.mjs` runs sections of `build/zygote-bench` (C, the kernel linked in) and scripts of',
    '`bench/peer` (upstream\'s kernel in Node, from this repository\'s `node_modules`) in turn, in rounds, on',
    'fresh stores. Both kernels are given the same configs and bundles, on disk, with bringOutYourDead and',
    'heap snapshots off unless the row says otherwise. A sample is clocked from the message until nothing',
    'is left to do; commits are outside of it, except where the row names them. The stock worker is driven by',
    'the same C code as ours, sample by sample in turn, so that nothing of Node is in its time; that its',
    'snapshot is of the state our image is of is checked first. Warm-ups are dropped. Wall time is by the',
    'monotonic clock, memory PSS from `smaps_rollup`, store size by pages in use after a commit. p50 is the',
    'median, p99 by nearest rank; no figure comes from an earlier run.',
    '',
    '## What is not reached',
    '',
);
const missed = measured.filter(row => row.target !== undefined && !reached(row));
out.push(
    ...missed.map(row => {
        const { reason } = descriptions.find(({ id }) => id === row.id);
        const why = reason === undefined ? '' : ` Why: ${reason}.`;
        return `- \`${row.id}\`: ${figure(row.ours.p50)} ${row.unit}, the target is ${figure(row.target)}.${why}`;
    }),
    ...(missed.length === 0 ? ['Every target of this release was reached in this run.'] : []),
    '',
    'Not measured:',
    '',
    ...skipped.map(row => `- \`${row.id}\`: ${row.skipped}.`),
);
fs.writeFileSync(output, `${out.join('\n')}\n`);
