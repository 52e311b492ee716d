// check_demo.mjs -- the demo with few forks: what it claims, and how it behaves.
//
// usage: node tests/demo/check_demo.mjs       (BUILD: build)
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const build = path.resolve(root, process.env.BUILD || 'build');
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'check-demo-'));
process.on('exit', () => fs.rmSync(scratch, { recursive: true, force: true }));

let passed = 0;
let failed = 0;
const check = (what, holds, detail = '') => {
    passed += holds ? 1 : 0;
    failed += holds ? 0 : 1;
    console.log(`${holds ? 'ok' : 'FAILED'}: ${what}${holds || !detail ? '' : `\n${detail}`}`);
};
const demo = (args, env = {}) =>
    spawnSync(path.join(build, 'zygote-demo'), args, {
        cwd: root,
        encoding: 'utf8',
        env: { ...process.env, TMPDIR: scratch, LC_ALL: 'C.UTF-8', ...env },
        timeout: 120_000,
    });

// -- the story ---------------------------------------------------------------------
const kept = path.join(scratch, 'kept');
const told = demo(['--forks', '5', '--creates', '2', '--keep', kept]);
check('exits with 0', told.status === 0, told.stderr);
check('says nothing on stderr', told.stderr === '', told.stderr);
check('says that Zoe is stood in for', /stand-ins/.test(told.stdout));
const claims = told.stdout.match(/^ {2}✓ .*$/gm) || [];
check('makes ten claims and all hold', claims.length === 10 && /^10 of 10 claims hold/m.test(told.stdout), told.stdout);
for (const [what, pattern] of [
    ['table: time', /^ {2}to the first answer +[\d.]+ \w+ +[\d.]+ \w+ +[\d.]+ \w+$/m],
    ['table: fork crank', /fork crank +[\d.]+ \w+ +[\d.]+ \w+$/m],
    ['table: memory', /^ {2}memory \(PSS\), one message answered +[\d.]+ MiB +[\d.]+ [KM]iB/m],
    ['table: store', /^ {2}store +[\d.]+ [KM]iB +[\d.]+ [KM]?i?B/m],
    ['what createVats would have taken', /^ {2}5 createVats at that pace would have taken [\d.]+ \w+; the 5 forks took/m],
    ['the counters diverge', /^ {2}late counts 1000 +17 +103 +1007$/m],
    ['the family tree', /zygote .*\n {2}├─ instance-1 v\d+ .*\n {2}├─ instance-2 .*\n {2}├─ instance-3 .*\n {2}└─ … and 2 more/],
]) {
    check(what, pattern.test(told.stdout), told.stdout);
}

// -- what it leaves: stores that the command line reads ------------------------------
const zygote = (...args) =>
    spawnSync(path.join(build, 'zygote'), ['-C', path.join(kept, 'zoe'), ...args], { encoding: 'utf8' });
const tree = JSON.parse(zygote('tree', '--json').stdout);
const sealed = tree.vats.filter(vat => vat.state === 'sealed');
check('--keep: five children of one zygote', sealed.length === 1 && sealed[0].children.length === 5);
const audit = zygote('audit');
check('--keep: the audit agrees', audit.status === 0, audit.stderr);
fs.rmSync(kept, { recursive: true });

// -- as figures ----------------------------------------------------------------------
const json = demo(['--forks', '2', '--creates', '2', '--json']);
check('--json exits with 0', json.status === 0, json.stderr);
const figures = JSON.parse(json.stdout);
check('--json: as many forks as asked for', figures.forks === 2 && figures.fork_us.n === 2);
check('--json: every claim holds', figures.claims.length > 0 && figures.claims.every(c => c.holds));
check('--json: figures are figures', figures.create_us.p50 > 0 && figures.pss_child_kib.p50 > 0 && figures.store_fork_bytes > 0);
check('a fork is cheaper than a createVat', figures.fork_us_samples.at(-1) < figures.create_us.p50);
check('nothing is left behind', fs.readdirSync(scratch).length === 0, fs.readdirSync(scratch).join());

// -- bad input -------------------------------------------------------------------------
const bad = demo(['--forks', 'many']);
check('a bad count: exit 2', bad.status === 2 && /not "many"/.test(bad.stderr), bad.stderr);
const lost = demo(['--configs', path.join(scratch, 'nowhere')]);
check('no configs: exit 3, one line that names the file', lost.status === 3 && /zoe\.json/.test(lost.stderr), lost.stderr);
const broken = demo(['--forks', '1'], { ZYGOTE_WORKER: path.join(scratch, 'no-worker') });
check('no worker program: not 0, and nothing left behind', broken.status !== 0 && fs.readdirSync(scratch).length === 0, broken.stderr);

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
