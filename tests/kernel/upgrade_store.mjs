// upgrade_store.mjs -- kernel state of older schemas: upstream's upgradeSwingset and ours must
// leave equal stores, or both refuse.
//
//   node tests/kernel/upgrade_store.mjs BUILD
//
// The states are made up from a seed (ZYGOTE_SEED), as upstream's kernels of schema 0, 1 and
// 2 wrote them; and one is that of a real kernel, with its keys put back into the old form,
// which must go on running after the upgrade.
import '@endo/init';
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { initSwingStore, openSwingStore } from '@agoric/swing-store';
import { upgradeSwingset } from '@agoric/swingset-vat/src/controller/upgradeSwingset.js';

const build = path.resolve(process.argv[2] || 'build');
const top = fs.mkdtempSync(path.join(os.tmpdir(), 'zygote-upgrade-'));
process.on('exit', () => fs.rmSync(top, { recursive: true, force: true }));
const at = name => path.join(top, name);
const runs = Number(process.env.ZYGOTE_RUNS || 60);

let seed = Number(process.env.ZYGOTE_SEED || 1);
const below = n => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * n);
};
const pick = list => list[below(list.length)];
const chance = n => below(n) === 0;

let passed = 0;
const ok = what => {
  passed += 1;
  console.log(`ok ${what}`);
};

// -- states ----------------------------------------------------------------------------

const STATES = ['unresolved', 'fulfilled', 'rejected'];

const make = (set, version) => {
  const never = chance(6);
  const interval = pick([1, 2, 20, 1000, 0]);
  const statics = ['bootstrap', 'zoe', 'a.b', 'é', '0'].slice(0, 1 + below(5));
  const vats = [];
  let nextVat = 1;
  for (const name of statics) {
    const id = `v${nextVat++}`;
    set(`vat.name.${name}`, id);
    vats.push(id);
  }
  const dynamics = Array.from({ length: below(8) }, () => `v${nextVat++}`);
  set('vat.names', JSON.stringify(statics));
  set('vat.dynamicIDs', JSON.stringify(dynamics));
  vats.push(...dynamics);
  const terminated = version >= 2 ? vats.filter(() => chance(6)) : [];
  if (version >= 2) set('vats.terminated', JSON.stringify(terminated));

  if (version === 0) {
    set('initialized', 'true');
    set('kernel.defaultReapInterval', never ? 'never' : `${interval}`);
  } else {
    set('version', `${version}`);
    set('kernel.defaultReapDirtThreshold', JSON.stringify({ deliveries: interval, gcKrefs: 20, computrons: 'never' }));
  }
  for (const vat of vats) {
    const options = { workerOptions: { type: 'xsnap', bundleIDs: ['b0-1'] }, name: pick(['x', '"é']), enablePipelining: false };
    const own = chance(3) ? 'never' : `${pick([interval, interval + 1, 7])}`;
    if (version === 0) {
      set(`${vat}.reapInterval`, own);
      // It may have been set down since.
      set(`${vat}.reapCountdown`, own === 'never' ? 'never' : `${below(9)}`);
      if (!chance(4)) options.reapInterval = chance(2) ? own : 1;
      if (chance(9)) options.reapDirtThreshold = { odd: 1 };
    } else {
      set(`${vat}.reapDirt`, '{}');
      options.reapDirtThreshold = {};
    }
    options.critical = chance(2);
    if (chance(5)) options[pick(['12', '3'])] = [1, { z: -0, a: 1e21 }];
    set(`${vat}.options`, chance(4) ? JSON.stringify(options, null, 1) : JSON.stringify(options));
    set(`${vat}.c.o+0`, 'ko20');
    set(`${vat}.c.ko20`, 'R o+0');
  }

  const promises = Array.from({ length: below(30) }, (_, i) => `kp${40 + i * (chance(3) ? 3 : 1)}`);
  const notifies = [];
  for (const kpid of new Set(promises)) {
    set(`${kpid}.state`, pick(STATES));
    set(`${kpid}.refCount`, `${1 + below(4)}`);
    for (const vat of vats) {
      if (!chance(2)) continue;
      set(`${vat}.c.${kpid}`, `R p-${below(99)}`);
      if (chance(3)) notifies.push({ type: 'notify', vatID: vat, kpid });
    }
  }
  for (const name of ['runQueue', 'acceptanceQueue']) {
    const head = 1 + below(20);
    const events = notifies.filter(() => chance(2)).concat(chance(2) ? [{ type: 'send', target: 'ko20', msg: {} }] : []);
    events.forEach((event, i) => set(`${name}.${head + i}`, JSON.stringify(event)));
    set(name, JSON.stringify([head, head + events.length]));
  }
  if (chance(3)) set('upgradeEvents', JSON.stringify([{ type: 'notify', vatID: 'v1', kpid: 'kp39' }], null, chance(2) ? 2 : 0));
};

// What is wrong with a state, sometimes.
const SPOIL = [
  ['an initialized key is missing', 0, db => db.delete('initialized')],
  ['the default is missing', 0, db => db.delete('kernel.defaultReapInterval')],
  ['the new default is there', 0, db => db.set('kernel.defaultReapDirtThreshold', '{}')],
  ['the default is no number', 0, db => db.set('kernel.defaultReapInterval', '1x')],
  ['a vat without an interval', 0, db => db.delete('v1.reapInterval')],
  ['a vat without a countdown', 0, db => db.delete('v1.reapCountdown')],
  ['one never, one not', 0, db => (db.set('v1.reapInterval', 'never'), db.set('v1.reapCountdown', '3'))],
  ['an interval that is no number', 0, db => (db.set('v1.reapInterval', '-1'), db.set('v1.reapCountdown', '3'))],
  ['a vat with dirt', 0, db => db.set('v1.reapDirt', '{}')],
  ['a vat without options', 0, db => db.delete('v1.options')],
  ['options that are no JSON', 0, db => db.set('v1.options', '{')],
  ['no dynamic vats', 0, db => db.delete('vat.dynamicIDs')],
  ['terminated vats before their time', 1, db => db.set('vats.terminated', '[]')],
  ['terminated vats missing', 2, db => db.delete('vats.terminated')],
  ['no run queue', 2, db => db.delete('runQueue')],
  ['a hole in the queue', 2, db => db.set('acceptanceQueue', '[100,102]')],
  ['a promise without a state', 2, db => db.set('v1.c.kp9999', 'R p-1')],
  ['a promise without a count', 2, db => (db.set('v1.c.kp9999', 'R p-1'), db.set('kp9999.state', 'rejected'))],
  ['a notify to nobody', 2, db => (db.set('runQueue', '[1,2]'), db.set('runQueue.1', '{"type":"notify","kpid":"kp40"}'))],
];

// -- comparing ---------------------------------------------------------------------------

const kv = dir => {
  const db = new Database(path.join(dir, 'swingstore.sqlite'));
  const rows = db.prepare('SELECT key, value FROM kvStore ORDER BY key').all();
  db.close();
  return rows;
};

const quietly = f => {
  const { write } = process.stdout;
  process.stdout.write = () => true;
  try {
    return f();
  } finally {
    process.stdout.write = write;
  }
};

const theirs = async dir => {
  const store = openSwingStore(dir);
  try {
    const { modified } = quietly(() => upgradeSwingset(store.kernelStorage));
    await store.hostStorage.commit();
    return modified ? 'modified' : 'unchanged';
  } catch (e) {
    return e;
  } finally {
    await store.hostStorage.close();
  }
};

const ours = dir => spawnSync(path.join(build, 'tests/kernel/upgrade_store'), [dir], { encoding: 'utf8' });

const compare = async (what, wants) => {
  fs.cpSync(at('theirs'), at('ours'), { recursive: true });
  const before = kv(at('theirs'));
  const want = await theirs(at('theirs'));
  const got = ours(at('ours'));
  if (want instanceof Error) {
    assert.ok(wants !== 'upgrade', `${what}: ${want}`);
    assert.ok(got.status === 5 || got.status === 8, `${what}: exit ${got.status}, ${got.stderr}`);
    assert.deepEqual(kv(at('ours')), before, `${what}: something was written`);
  } else {
    assert.ok(wants !== 'refusal', `${what}: upstream upgrades it`);
    assert.equal(got.status, 0, `${what}: ${got.signal} ${got.stderr}`);
    assert.equal(got.stdout, `${want}\n`, what);
    assert.deepEqual(kv(at('ours')), kv(at('theirs')), what);
    assert.equal(ours(at('ours')).stdout, 'unchanged\n', what);
  }
  for (const side of ['theirs', 'ours']) fs.rmSync(at(side), { recursive: true });
  return want;
};

const write = async (version, spoil) => {
  const store = initSwingStore(at('theirs'));
  make(store.kernelStorage.kvStore.set, version);
  if (spoil) spoil(store.kernelStorage.kvStore);
  await store.hostStorage.commit();
  await store.hostStorage.close();
};

for (const version of [0, 1, 2]) {
  let events = 0;
  for (let run = 0; run < runs; run += 1) {
    const start = seed;
    await write(version);
    events += kv(at('theirs')).some(({ key }) => key === 'upgradeEvents');
    await compare(`version ${version}, seed ${start}`, 'upgrade');
  }
  ok(`${runs} states of schema ${version} (${events} with events waiting) upgrade alike`);
}
await write(3);
assert.equal(await compare('version 3', 'upgrade'), 'unchanged');
ok('a state of schema 3 is left alone');
for (const [what, version, spoil] of SPOIL) {
  await write(version, spoil);
  await compare(what, 'refusal');
}
ok(`${SPOIL.length} broken states are refused by both, and nothing is written`);

// -- a real kernel's -----------------------------------------------------------------------

const zygote = (...args) => {
  const r = spawnSync(path.join(build, 'zygote'), ['-C', at('real'), ...args], { encoding: 'utf8' });
  assert.equal(r.status, 0, `zygote ${args.join(' ')}: ${r.stderr}`);
  return r.stdout;
};
const bundle = name => path.join(build, 'bundles', `${name}.json`);
fs.writeFileSync(
  at('config.json'),
  JSON.stringify({
    bootstrap: 'alice',
    pinBootstrapRoot: true,
    defaultReapInterval: 5,
    vats: {
      alice: { bundleSpec: bundle('test-cli') },
      friend: { bundleSpec: bundle('test-cli'), creationOptions: { reapInterval: 3 } },
    },
  }),
);
zygote('run', at('config.json'));

// Back to schema 0: what upgradeSwingset makes of it, undone.
const downgrade = dir => {
  const db = new Database(path.join(dir, 'swingstore.sqlite'));
  const get = key => db.prepare('SELECT value FROM kvStore WHERE key = ?').pluck().get(key);
  const set = (key, value) => db.prepare('INSERT OR REPLACE INTO kvStore VALUES (?, ?)').run(key, value);
  const del = key => db.prepare('DELETE FROM kvStore WHERE key = ?').run(key);
  assert.equal(get('version'), '3');
  const vats = [
    ...db.prepare("SELECT value FROM kvStore WHERE key GLOB 'vat.name.*'").pluck().all(),
    ...JSON.parse(get('vat.dynamicIDs')),
  ];
  const { deliveries } = JSON.parse(get('kernel.defaultReapDirtThreshold'));
  for (const vat of vats) {
    const options = JSON.parse(get(`${vat}.options`));
    const { never, deliveries: mine = deliveries } = options.reapDirtThreshold;
    const interval = never ? 'never' : mine;
    const dirt = JSON.parse(get(`${vat}.reapDirt`));
    delete options.reapDirtThreshold;
    options.reapInterval = interval;
    set(`${vat}.options`, JSON.stringify(options));
    set(`${vat}.reapInterval`, `${interval}`);
    set(`${vat}.reapCountdown`, never ? 'never' : `${interval - (dirt.deliveries || 0)}`);
    del(`${vat}.reapDirt`);
  }
  set('kernel.defaultReapInterval', `${deliveries}`);
  del('kernel.defaultReapDirtThreshold');
  del('vats.terminated');
  del('version');
  set('initialized', 'true');
  // Bug 9039: a promise settled, its notify lost.
  const lost = 'kp9039';
  set(`${lost}.state`, 'rejected');
  set(`${lost}.data.body`, '#"disconnected"');
  set(`${lost}.data.slots`, '');
  set(`${lost}.refCount`, '1');
  const alice = get('vat.name.alice');
  set(`${alice}.c.${lost}`, 'R p-9039');
  set(`${alice}.c.p-9039`, lost);
  db.close();
};
downgrade(at('real'));
fs.cpSync(at('real'), at('theirs'), { recursive: true });
const refused = spawnSync(path.join(build, 'zygote'), ['-C', at('real'), 'ps'], { encoding: 'utf8' });
assert.equal(refused.status, 8);
assert.match(refused.stderr, /version 0, not 3: run zygote store upgrade/);
await compare('a real kernel', 'upgrade');
ok('a real kernel’s state, put back into schema 0, upgrades alike');

assert.equal(JSON.parse(zygote('store', 'upgrade', '--json')).modified, true);
zygote('run');
zygote('audit');
const left = kv(at('real')).filter(({ key }) => key.includes('9039') || key === 'upgradeEvents');
assert.deepEqual(left, [], 'the lost promise is gone');
assert.match(zygote('send', 'alice', 'echo', '7'), /7/);
assert.equal(JSON.parse(zygote('store', 'upgrade', '--json')).modified, false);
ok('and goes on running: the lost promise is cleared away, every count is right');

console.log(`${passed} passed, 0 failed`);
