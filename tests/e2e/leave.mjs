// leave.mjs -- zygote leave: a store with forks goes to upstream's kernel, runs, and comes back.
//
// usage: node tests/e2e/leave.mjs
import { strict as assert } from 'node:assert';
import fs from 'node:fs';
import { exchangeLab } from './exchange.mjs';

const lab = await exchangeLab(true, { tour: true });
const { made, ok, refused, send, store, works, zygote } = lab;

// -- with our events in the queue -------------------------------------------------------------

// The tour of exchange-boot.js forks, takes offline and seals: stopped before each of these is
// routed, and before it is done.
const types = () => JSON.parse(works('leave', '--dry-run', '--json')).events;
const seen = new Set();
for (let cranks = 0; cranks < 200; cranks += 1) {
    const before = works('dump');
    const events = types();
    assert.equal(works('dump'), before);
    if (events.length) {
        const [{ type, accepted, vat }] = events;
        assert.equal(events.length, 1);
        assert.match(vat, /^v\d+$/);
        if (!seen.has(`${type} ${accepted}`)) {
            seen.add(`${type} ${accepted}`);
            const got = zygote('leave', '--no-run', '--json');
            assert.equal(got.exit, 9);
            assert.equal(JSON.parse(got.out).events[0].type, type);
            assert.equal(works('dump'), before);
            fs.cpSync(store, lab.at('kept'), { recursive: true });
            const ran = JSON.parse(works('leave', '--json'));
            assert.deepEqual([ran.ready, ran.events], [true, []]);
            assert(ran.cranks === (accepted ? 1 : 2), `${ran.cranks} cranks for ${type}`);
            works('audit');
            fs.rmSync(store, { recursive: true });
            fs.renameSync(lab.at('kept'), store);
        }
    }
    if (seen.size === 6) {
        break;
    }
    works('step', '-n', '1');
}
assert.deepEqual([...seen].sort(), [
    'fork-vat false',
    'fork-vat true',
    'take-offline false',
    'take-offline true',
    'zygotify-vat false',
    'zygotify-vat true',
]);
ok('refused, or run, at every event of ours');

// -- there ---------------------------------------------------------------------------------------

works('run');
assert.deepEqual(send('increment', 'bob', 2), { heap: 7, stored: 7 });
// A child of a zygote that came from a file goes along, too.
works('rom', 'save', 'ann', lab.at('ann.rom'));
const loaded = JSON.parse(works('rom', 'load', lab.at('ann.rom'), '--name', 'rom', '--json'));
const root = loaded.exports.find(x => x.vref === 'o+0').kref;
const { children } = JSON.parse(works('fork', 'rom', '--name', 'eve', '--ref', root, '--json'));
send('adopt', 'eve', { '@ref': children[0].refs[0] });
const left = JSON.parse(works('leave', '--json'));
assert.equal(left.ready, true);
assert.deepEqual(left.sealed.map(v => v.name), ['ann', 'rom']);
await lab.open();
assert.deepEqual(await made('increment', 'bob', 3), { heap: 10, stored: 10 });
assert.deepEqual(await made('create', 'cat', 1), { heap: 1, stored: 1 });
assert.deepEqual(await made('increment', 'eve', 2), { heap: 7, stored: 7 });
const { reason } = await made('tryFork', 'bob');
assert.match(reason, /^this kernel cannot do forkVat\(\)/);
ok(`a fork under upstream's kernel is rejected: ${reason}`);
// It does not know the seal.
assert.deepEqual(await made('increment', 'ann', 1), { heap: 6, stored: 6 });
ok('what was sealed is not there');
assert.deepEqual(await made('upgrade', 'bob'), { incarnationNumber: 1 });
await made('watch', 'cat');
await made('terminate', 'cat', 'over');
assert.equal((await made('watched', 'cat')).reason, 'over');
await lab.raw('give', 'bob'); // held by that host, which writes nothing down
await lab.close();
ok('upgraded and ended there, by our vat-admin');

// -- and back ---------------------------------------------------------------------------------------

refused('by the audit: what the other host held', 5, 'breach', 'audit');
const back = JSON.parse(works('enable-forks', '--json'));
assert.deepEqual([back.changed, back.enabled, back.upgraded], [true, false, false]);
works('audit');
assert.equal(JSON.parse(works('enable-forks', '--json')).changed, false);
assert.deepEqual(send('increment', 'eve', 2), { heap: 9, stored: 9 });
assert.equal(send('read', 'bob').stored, 10);
assert.equal(send('fork', 'bob', 'bob2').stored, 10);
assert.equal(send('increment', 'bob2', 5).stored, 15);
assert.deepEqual(send('create', 'dan', 1), { heap: 1, stored: 1 });
assert.deepEqual(send('fork', 'dan', 'dan2'), { heap: 1, stored: 1 });
works('audit');
works('replay', 'all');
ok('back: what was held there is recorded, and vats are forked again');
lab.finish();
