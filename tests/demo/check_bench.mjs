// check_bench.mjs -- the benchmark, tiny: bench.json's schema, and the report of it.
//
// usage: node tests/demo/check_bench.mjs      (BUILD: build)
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { percentile, rows } from '../../bench/rows.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const build = path.resolve(root, process.env.BUILD || 'build');
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'check-bench-'));
process.on('exit', () => fs.rmSync(scratch, { recursive: true, force: true }));

let passed = 0;
let failed = 0;
const check = (what, holds, detail = '') => {
    passed += holds ? 1 : 0;
    failed += holds ? 0 : 1;
    console.log(`${holds ? 'ok' : 'FAILED'}: ${what}${holds || !detail ? '' : `\n${detail}`}`);
};
const node = (...args) =>
    spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', timeout: 200_000, env: { ...process.env, TMPDIR: scratch } });
const at = name => path.join(scratch, name);

// -- arithmetic --------------------------------------------------------------------
const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
check('p50 is the median', percentile([3, 1, 2], 50) === 2 && percentile([4, 1, 2, 3], 50) === 2.5);
check('p99 by nearest rank', percentile(hundred, 99) === 99 && percentile([7], 99) === 7);

// -- a tiny run ----------------------------------------------------------------------
const out = at('bench.json');
const ran = node('bench/run.mjs', '--build', build, '--tiny', '--out', out);
check('a tiny run exits with 0', ran.status === 0, ran.stderr);
const bench = JSON.parse(fs.readFileSync(out, 'utf8'));
check('schema 1, commit, date, machine',
    bench.schema === 1 && typeof bench.commit === 'string' && !Number.isNaN(Date.parse(bench.date)) && /kernel/.test(bench.machine));
check('every row of rows.mjs, in order', bench.rows.map(r => r.id).join() === rows.map(r => r.id).join());
const wrong = bench.rows.filter(row => {
    if (row.skipped !== undefined) {
        return typeof row.skipped !== 'string' || row.skipped === '' || row.ours;
    }
    const { ours, peers = [] } = row;
    const sound = ours.p50 > 0 && ours.n > 0 && (ours.p99 === undefined || ours.p99 >= ours.p50);
    const peersSound = peers.every(p => p.name && !/VERSION/.test(p.name) && (p.skipped || p.p50 > 0));
    return !sound || !peersSound || !['lower', 'higher'].includes(row.better) || !row.unit;
});
check('each row has figures, or says why not', wrong.length === 0, JSON.stringify(wrong));
check('what this release promises is measured',
    ['worker_start_ms', 'fork_answer_ms', 'create_answer_ms', 'child_pss_1_kb', 'fork_flat', 'fork_resolve_late_ms', 'fork_crank_commit_us', 'fork_store_bytes', 'fork_storm_s'].every(id => bench.rows.find(r => r.id === id).ours));
const pss = bench.rows.find(r => r.id === 'child_pss_1_kb').ours;
check('as many children weighed as asked for', pss.n === 3);
check('nothing else is left', fs.readdirSync(scratch).join() === 'bench.json', fs.readdirSync(scratch).join());

// -- the report ------------------------------------------------------------------------
const report = node('bench/report.mjs', out, at('BENCHMARKS.md'));
check('the report is made', report.status === 0, report.stderr);
const text = fs.readFileSync(at('BENCHMARKS.md'), 'utf8');
check('it names every row', rows.every(row => text.includes(`\`${row.id}\``)));
check('it holds no path of this machine', !text.includes(root) && !text.includes(os.homedir() + path.sep));

// -- what goes wrong is said -------------------------------------------------------------
const broken = node('bench/run.mjs', '--build', at('no-build'), '--tiny', '--only', 'worker', '--out', at('broken.json'));
const rowsOf = JSON.parse(fs.readFileSync(at('broken.json'), 'utf8')).rows;
check('without the program: exit 1, rows skipped with the reason',
    broken.status === 1 && /ENOENT/.test(rowsOf.find(r => r.id === 'worker_start_ms').skipped), broken.stderr);
const bad = node('bench/run.mjs', '--loud');
check('a bad option: exit 2', bad.status === 2, bad.stderr);

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
