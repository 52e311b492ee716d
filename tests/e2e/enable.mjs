// enable.mjs -- zygote enable-forks: vats that another kernel made are forked.
//
// usage: node tests/e2e/enable.mjs [upstream] [long]
//
//   upstream   the store is made, and run until then, by upstream's kernel with the stock
//              worker; otherwise by ours, from a config with "zygotes": false
//   long       more that may happen meanwhile: somebody waits, kills
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { exchangeLab } from './exchange.mjs';

const lab = await exchangeLab(process.argv.includes('upstream'));
const { at, made, ok, refused, send, store, works, zygote } = lab;

const long = process.argv.includes('long') || lab.upstream;
// Fewer vats in the quick test: each takes its time.
const without = ['cat', 'eve', 'new', 'newer', 'ann3', 'ann4', 'bob2'];
const chosen = calls => calls.filter(call => long || !call.some(arg => without.includes(arg)));

// -- before: everything an old admin node may hold ------------------------------------------

await made('all', chosen([
    ['create', 'ann', 5],
    ['create', 'bob', 1, 'meter'],
    ['create', 'cat', 1, 'unlimited'],
    ['create', 'dan', 1],
    ['create', 'eve', 1],
    ['increment', 'ann', 2],
    ['increment', 'bob', 2],
    ['watch', 'cat'],
    ['terminate', 'dan', 'enough'],
]));
assert.match((await made('createBad')).reason, /no root today/);
if (long) {
    await lab.leave('upgradeLater', 'eve'); // upstream: it stays in the queue
}
await lab.close();
works('audit');

refused('a fork before', 9, '"zygotes": false', 'fork', 'ann');

// -- enabling ---------------------------------------------------------------------------------

fs.cpSync(store, at('copy'), { recursive: true });
const done = JSON.parse(works('enable-forks', '--json'));
assert.deepEqual(done, { schema: 1, changed: true, enabled: true, upgraded: true, incarnation: 1 });
works('audit');
ok('enabled');
const after = works('dump');
const again = JSON.parse(works('enable-forks', '--json'));
assert.deepEqual(again, { schema: 1, changed: false, enabled: false, upgraded: false, incarnation: 1 });
assert.equal(works('dump'), after);
assert.match(zygote('enable-forks').err, /^$/);
ok('again: nothing changes');

// -- after: what was there before goes on ---------------------------------------------------------

// [answer, method, argument…]
const expectAll = (...all) => {
    const lines = chosen(all);
    const answers = send('all', lines.map(([_answer, ...call]) => call));
    lines.forEach(([want, ...call], i) => {
        assert.deepEqual(answers[i], want, `${JSON.stringify(call)}: ${JSON.stringify(answers[i])}`);
    });
};
const count = (heap, stored = heap) => ({ heap, stored });
expectAll(
    [{ value: { incarnationNumber: 1 } }, 'watched', 'eve'], // the upgrade in the queue
    [count(7), 'read', 'ann'],
    [count(7), 'fork', 'ann', 'ann2'],
    [count(8), 'increment', 'ann', 1],
    [count(17), 'increment', 'ann2', 10],
    [count(3), 'fork', 'bob', 'bob2'],
    [[true, '5'], 'meter'],
    [{ incarnationNumber: 1 }, 'upgrade', 'ann'],
    [count(1, 8), 'read', 'ann'],
    [null, 'changeOptions', 'ann', { reapInterval: 7 }],
    ['sealed', 'zygotify', 'ann2'],
    [count(17), 'fork', 'ann2', 'ann3'],
    [count(1, 8), 'fork', 'ann', 'ann4'],
    [null, 'terminate', 'cat', 'over'],
    [{ reason: 'vatUpgraded' }, 'watched', 'cat'], // who had asked the old vat-admin is told
    [{ reason: 'vat terminated' }, 'tryFork', 'dan'],
    [null, 'watch', 'bob'],
    [null, 'terminate', 'bob', 'over'],
    [{ reason: 'over' }, 'watched', 'bob'],
    [count(4), 'create', 'new', 4],
    [count(4), 'fork', 'new', 'newer'],
);
assert.match(send('done', 'bob').reason, /non-running vat/);
works('audit');
ok('admin nodes made before: upgrade, changeOptions, done, terminate, fork, zygotify');

// -- ready for upstream's kernel (leave.mjs goes there) -----------------------------------------

const leaving = JSON.parse(works('leave', '--no-run', '--json'));
assert.deepEqual([leaving.ready, leaving.cranks, leaving.events], [true, 0, []]);
assert.deepEqual(leaving.sealed.map(v => v.name), ['ann2']);
assert.match(works('leave', '--dry-run'), /^sealed\tv\d+\tann2\n$/);
assert.match(zygote('leave').err, /1 zygote is sealed: SwingSet's kernel knows no seals/);
ok('a store to leave with: what is sealed is told');

if (!process.argv.includes('long')) {
    lab.finish();
    process.exit(0);
}
works('replay', 'all');

// -- somebody waits for ever ---------------------------------------------------------------------

fs.rmSync(store, { recursive: true });
fs.cpSync(at('copy'), store, { recursive: true });
const bundleID = `b1-${'0'.repeat(128)}`;
send('wait', bundleID);
const waiting = works('dump');
refused('while somebody waits for a bundle', 9, 'still owes somebody an answer', 'enable-forks');
assert.equal(works('dump'), waiting);
assert.deepEqual(send('create', 'after', 4), { heap: 4, stored: 4 }, 'the service is not paused');
works('enable-forks', '--now');
assert.equal(send('waited', bundleID).reason, 'vatUpgraded');
assert.deepEqual(send('fork', 'after', 'afters'), { heap: 4, stored: 4 });
works('audit');
ok('--now: who waits is disconnected');

// -- without our bundles, and killed --------------------------------------------------------------

const reset = () => {
    fs.rmSync(store, { recursive: true });
    fs.cpSync(at('copy'), store, { recursive: true });
};
reset();
lab.env.ZYGOTE_BUNDLES = at('nowhere');
fs.mkdirSync(at('nowhere'));
refused('without our bundle', 3, 'no system bundles', 'enable-forks');
delete lab.env.ZYGOTE_BUNDLES;
const old = works('dump');

let killed = 0;
let finished = false;
for (let ms = 10; !finished; ms += 40) {
    const child = spawn(lab.program, ['-q', '-C', store, 'enable-forks'], { env: lab.env, stdio: 'ignore' });
    // eslint-disable-next-line no-await-in-loop
    const signal = await new Promise(resolve => {
        const timer = setTimeout(() => child.kill('SIGKILL'), ms);
        child.on('exit', (_code, s) => {
            clearTimeout(timer);
            resolve(s);
        });
    });
    works('audit');
    finished = works('dump') !== old;
    assert(finished || signal);
    killed += signal ? 1 : 0;
}
assert.deepEqual(send('fork', 'ann', 'ann2'), { heap: 7, stored: 7 });
ok(`killed ${killed} times: the old store, or the new`);
lab.finish();
