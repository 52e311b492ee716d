// run.mjs -- runs the benchmark's sections, ours and the peers' in turn, into bench.json.
//
// usage: node bench/run.mjs [--build DIR] [--out FILE] [--quick | --tiny] [--no-peers]
//                           [--only SECTION[,SECTION…]]
//
//   --quick     ours only, fewer samples, under a minute
//   --tiny      as few samples as there can be: what the test of this script runs
//   --only      of worker, hello, fork, forks, storm, memory, page, cranks, zcf
//
// Exit code 0 only if all of ours was measured.  A peer that cannot be built or run is
// said so in its rows.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { percentile, rows } from './rows.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const usage = text => {
    console.error(`bench/run.mjs: ${text}`);
    process.exit(2);
};

const readOptions = argv => {
    const o = { build: 'build', mode: 'full', peers: true, only: undefined, out: undefined };
    for (let i = 0; i < argv.length; i += 1) {
        const arg = argv[i];
        if (arg === '--quick' || arg === '--tiny') {
            o.mode = arg.slice(2);
            o.peers = false;
        } else if (arg === '--no-peers') {
            o.peers = false;
        } else if (['--build', '--out', '--only'].includes(arg) && i + 1 < argv.length) {
            i += 1;
            o[arg.slice(2)] = arg === '--only' ? argv[i].split(',') : argv[i];
        } else {
            usage(`unexpected argument: ${arg}`);
        }
    }
    o.build = path.resolve(o.build);
    o.out = path.resolve(o.out || path.join(o.build, 'bench.json'));
    return o;
};

// Samples of a round, by mode.
const COUNTS = {
    full: {
        rounds: 2,
        workerStart: 100, stockStart: 20, workerCold: 10, stockCold: 10,
        hello: 10, helloPeer: 5,
        creates: 10, forks: 100, createPeer: 12,
        manyForks: 10_000, committedForks: 1000, keysForks: 20, resolvedForks: 1000, storm: 10_000,
        children: 50, page: 50, pagePeer: 12, cranks: 5, cranksPeer: 3,
        zcfCreates: 3, zcfForks: 50, zcfPeer: 3,
    },
    quick: {
        rounds: 1,
        workerStart: 100, workerCold: 4, hello: 3, creates: 5, forks: 100,
        manyForks: 2000, committedForks: 200, keysForks: 5, resolvedForks: 200,
        children: 50, page: 20, cranks: 2, zcfCreates: 2, zcfForks: 20,
    },
    tiny: {
        rounds: 1,
        workerStart: 4, workerCold: 1, hello: 1, creates: 2, forks: 4,
        manyForks: 40, committedForks: 4, resolvedForks: 4, storm: 4,
        children: 3, page: 4, cranks: 1, zcfCreates: 1, zcfForks: 2,
    },
};

const o = readOptions(process.argv.slice(2));
const count = COUNTS[o.mode];
const stockWorker = path.join(
    root,
    'node_modules/@agoric/xsnap/xsnap-native/xsnap/build/bin/lin/release/xsnap-worker',
);
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'zygote-bench-run-'));
process.on('exit', () => fs.rmSync(scratch, { recursive: true, force: true }));

const say = text => process.stderr.write(`bench: ${text}\n`);

// -- running things ---------------------------------------------------------------

const quantities = {}; // "who id" -> samples, in the order they were taken
const troubles = {}; // "ours" and peer sections -> why

const keep = text => {
    for (const line of text.split('\n').filter(l => l.startsWith('{'))) {
        const { id, who, samples } = JSON.parse(line);
        quantities[`${who} ${id}`] = [...(quantities[`${who} ${id}`] || []), ...samples];
    }
};

const run = (program, args, { env = {}, quiet = false } = {}) => {
    const done = spawnSync(program, args, {
        cwd: root,
        encoding: 'utf8',
        env: { ...process.env, ...env },
        maxBuffer: 1 << 28,
        timeout: 300_000,
        stdio: ['ignore', quiet ? 'ignore' : 'pipe', 'pipe'],
    });
    if (done.error || done.status !== 0) {
        const said = (done.stderr || '').trim().split('\n').at(-1);
        throw Error(done.error ? done.error.message : said || `exit ${done.status}`);
    }
    return done.stdout || '';
};

let failures = 0;
const ours = (section, counts) => {
    const args = Object.entries(counts).flatMap(([name, value]) => [`--${name}`, `${value}`]);
    say(`ours: ${section}`);
    try {
        keep(run(path.join(o.build, 'zygote-bench'), [section, ...args]));
    } catch (e) {
        failures += 1;
        troubles.ours = { ...troubles.ours, [section]: e.message };
        say(`${section} FAILED: ${e.message}`);
    }
};

let noPeers = o.peers ? undefined : `measured ours only (${o.mode})`;
const peer = (script, n) => {
    if (noPeers || troubles[script]) {
        return;
    }
    say(`peer: ${script}`);
    try {
        keep(run(process.execPath, [`bench/peer/${script}.mjs`, '--build', o.build, '--n', `${n}`]));
    } catch (e) {
        troubles[script] = e.message;
        say(`peer ${script} cannot be measured: ${e.message}`);
    }
};

// -- sections ----------------------------------------------------------------------

const clockMs = f => {
    const began = process.hrtime.bigint();
    f();
    return Number(process.hrtime.bigint() - began) / 1e6;
};

const helloOurs = i => {
    const store = path.join(scratch, `hello-${i}`);
    const ms = clockMs(() =>
        run(path.join(o.build, 'zygote'), ['-C', store, 'run', 'js/demo/hello.json'], {
            env: { ZYGOTE_CACHE: path.join(scratch, 'images') },
            quiet: true,
        }),
    );
    fs.rmSync(store, { recursive: true });
    return ms;
};
const helloPeer = () =>
    clockMs(() => run(process.execPath, ['bench/peer/hello.mjs', '--build', o.build], { quiet: true }));

const hello = () => {
    say('ours and peer: hello');
    const add = (who, ms) => keep(JSON.stringify({ id: 'hello_ms', who, samples: [ms] }));
    try {
        helloOurs('warm-up');
        for (let i = 0; i < count.hello; i += 1) {
            add('ours', helloOurs(i));
            if (!noPeers && !troubles.hello && i < count.helloPeer) {
                try {
                    add('peer', helloPeer());
                } catch (e) {
                    troubles.hello = e.message;
                }
            }
        }
    } catch (e) {
        failures += 1;
        troubles.ours = { ...troubles.ours, hello: e.message };
        say(`hello FAILED: ${e.message}`);
    }
};

const stock = n => (noPeers || troubles.stock ? {} : { stock: stockWorker, 'stock-n': n });

const sections = {
    worker() {
        ours('worker-start', { n: count.workerStart, ...stock(count.stockStart) });
        ours('worker-cold', { n: count.workerCold, ...stock(count.stockCold) });
    },
    hello,
    fork() {
        ours('fork', { n: count.forks, creates: count.creates });
        peer('create', count.createPeer);
    },
    forks(round) {
        if (round === 0) {
            ours('forks', { n: count.manyForks, creates: count.committedForks });
            count.keysForks && ours('fork-keys', { n: count.keysForks });
            ours('fork-resolve', { n: count.resolvedForks });
        }
    },
    // the full number or none: the row says how many
    storm: round => round === 0 && count.storm && ours('fork-storm', { n: count.storm }),
    memory: round => round === 0 && ours('memory', { n: count.children }),
    page() {
        ours('page-in', { n: count.page });
        peer('page', count.pagePeer);
    },
    cranks() {
        ours('cranks', { n: count.cranks });
        peer('cranks', count.cranksPeer);
    },
    zcf() {
        ours('zcf', { n: count.zcfForks, creates: count.zcfCreates });
        peer('zcf', count.zcfPeer);
    },
};

// -- from samples to rows ------------------------------------------------------------

const round = x => Number(x.toPrecision(4));
const summary = samples => ({
    p50: round(percentile(samples, 50)),
    p99: round(percentile(samples, 99)),
    n: samples.length,
});

// The last hundred samples, and of the first those that come ten later; of a short run
// as many as there are for both.
const ends = samples => {
    const n = Math.min(100, Math.floor((samples.length - 10) / 2));
    return n > 0 && { n, early: samples.slice(10, 10 + n), late: samples.slice(-n) };
};
const derived = {
    flat(samples) {
        const { n, early, late } = ends(samples);
        return n && { p50: round(percentile(late, 50) / percentile(early, 50)), n };
    },
    late: samples => summary(samples.slice(-100)),
};

const versionOf = name =>
    JSON.parse(fs.readFileSync(path.join(root, 'node_modules', name, 'package.json'), 'utf8')).version;
const peerName = row =>
    row.peer.replace(
        'VERSION',
        versionOf(row.peer.startsWith('xsnap') ? '@agoric/xsnap' : '@agoric/swingset-vat'),
    );

const whyNot = (row, who) => {
    if (who === 'ours') {
        const said = Object.entries(troubles.ours || {}).map(([section, why]) => `${section}: ${why}`);
        return said.length > 0 ? said.join('; ') : 'not among the sections of this run';
    }
    const said = Object.entries(troubles).filter(([name]) => name !== 'ours');
    return noPeers || said.map(([name, why]) => `${name}: ${why}`).join('; ') || 'not among the sections of this run';
};

const rowOf = row => {
    if (row.skipped) {
        return { id: row.id, skipped: row.skipped };
    }
    const { id, unit, better, target } = row;
    const samples = quantities[`ours ${row.from || id}`];
    const measured = samples && (derived[row.derived] || summary)(samples);
    if (!measured) {
        return { id, unit, better, skipped: whyNot(row, 'ours') };
    }
    const out = { id, unit, better, ours: measured };
    if (target !== undefined) {
        out.target = target;
    }
    if (row.peer) {
        const theirs = quantities[`${row.peerWho || 'peer'} ${row.peerFrom || id}`];
        out.peers = [
            { name: peerName(row), ...(theirs ? summary(theirs) : { skipped: whyNot(row, 'peer') }) },
        ];
        if (theirs) {
            const [a, b] = [measured.p50, out.peers[0].p50];
            out.ratio = round(better === 'lower' ? b / a : a / b);
        }
    }
    return out;
};

// -- the whole ------------------------------------------------------------------------

const git = (...args) => {
    const done = spawnSync('git', ['--no-optional-locks', ...args], { cwd: root, encoding: 'utf8' });
    return done.status === 0 ? done.stdout.trim() : '';
};
const commit = () => {
    const id = git('rev-parse', 'HEAD') || 'unknown';
    return git('status', '--porcelain', '--untracked-files=no') ? `${id} with changes` : id;
};
const machine = () => {
    const cpus = os.cpus();
    const memory = Math.round(os.totalmem() / (1 << 30));
    return `${cpus.length} × ${cpus[0].model.trim()}, ${memory} GiB, kernel ${os.release()}, Node ${process.version}`;
};

const main = () => {
    const known = Object.keys(sections);
    const wanted = o.only || known;
    wanted.every(name => known.includes(name)) || usage(`--only takes ${known.join(', ')}`);
    if (!noPeers) {
        say('building the peers, if they are not');
        try {
            run('sh', ['tests/oracle/setup.sh']);
            run(process.execPath, ['js/build-bundles.mjs', path.join(o.build, 'bundles'), 'oracle-kernel']);
        } catch (e) {
            noPeers = `the peer cannot be built: ${e.message}`;
            say(noPeers);
        }
    }
    const began = Date.now();
    const load = [os.loadavg()[0]];
    for (let i = 0; i < count.rounds; i += 1) {
        for (const name of known.filter(n => wanted.includes(n))) {
            sections[name](i);
        }
    }
    load.push(os.loadavg()[0]);
    const result = {
        schema: 1,
        commit: commit(),
        date: new Date(began).toISOString(),
        machine: machine(),
        mode: o.mode,
        seconds: Math.round((Date.now() - began) / 1000),
        load: load.map(l => Number(l.toFixed(2))), // one-minute averages, before and after
        rows: rows.map(rowOf),
    };
    fs.mkdirSync(path.dirname(o.out), { recursive: true });
    fs.writeFileSync(o.out, `${JSON.stringify(result, undefined, 1)}\n`);
    say(`${result.seconds} s; ${path.relative(process.cwd(), o.out)} written`);
    for (const { id, unit, ours: figures, ratio, peers, skipped } of result.rows) {
        const theirs = peers && peers[0].p50 !== undefined ? `  peer ${peers[0].p50}, ${ratio} times` : '';
        console.log(
            skipped
                ? `${id.padEnd(24)} skipped: ${skipped}`
                : `${id.padEnd(24)} ${`${figures.p50}`.padStart(8)} ${unit}  (p99 ${figures.p99 ?? '–'}, n ${figures.n})${theirs}`,
        );
    }
    process.exitCode = failures > 0 ? 1 : 0;
};
main();
