// interop.mjs -- our store under npm's swing-store, and its store under ours.
//
//   node tests/store/interop.mjs PATH/TO/make_store
//
// Needs node_modules (with better-sqlite3 built).  Prints one line per check; stops and exits
// 1 at the first difference.
import '@endo/init';
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import {
  initSwingStore,
  openSwingStore,
  importSwingStore,
  makeSwingStoreExporter,
} from '@agoric/swing-store';

const require = createRequire(import.meta.url);
const [, , makeStore] = process.argv;
const top = fs.mkdtempSync(path.join(os.tmpdir(), 'zygote-interop-'));
const dir = name => path.join(top, name);
const ours = (...args) =>
  execFileSync(makeStore, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
let passed = 0;
const ok = what => {
  passed += 1;
  console.log(`ok ${what}`);
};
const sha256 = data => createHash('sha256').update(data).digest('hex');

// -- bundles to put in ----------------------------------------------------------

const lockdown = require.resolve('@agoric/xsnap-lockdown/dist/lockdown.bundle');
const zcfPath = dir('zcf.json');
const zcfSource = fs.readFileSync(
  require.resolve('@agoric/zoe/bundles/bundle-contractFacet.js'),
  'utf8',
);
fs.writeFileSync(
  zcfPath,
  zcfSource.slice(zcfSource.indexOf('{'), zcfSource.lastIndexOf('}') + 1),
);
const zcf = JSON.parse(fs.readFileSync(zcfPath, 'utf8'));
const zcfID = `b1-${zcf.endoZipBase64Sha512}`;
const lockdownText = fs.readFileSync(lockdown, 'utf8');
const lockdownID = `b0-${sha256(lockdownText)}`;

// -- what swing-store reads, as make_store dump prints it ------------------------

const collect = async stream => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
};

const vats = ['v1', 'v10', 'v2', 'v9'];

const dump = async ({ kernelStorage }) => {
  const { kvStore, transcriptStore, snapStore } = kernelStorage;
  const lines = [];
  for (let key = kvStore.getNextKey(''); key; key = kvStore.getNextKey(key)) {
    lines.push(`${key} = ${kvStore.get(key)}`);
  }
  for (const vat of vats) {
    try {
      const b = transcriptStore.getCurrentSpanBounds(vat);
      lines.push(`span ${vat} ${b.startPos} ${b.endPos} ${b.hash} ${b.incarnation}`);
      let pos = b.startPos;
      for (const item of transcriptStore.readSpan(vat)) lines.push(`  ${pos++} ${item}`);
    } catch (e) {
      assert.match(e.message, /no current transcript/);
    }
    const info = snapStore.getSnapshotInfo(vat);
    if (info) {
      const raw = await collect(snapStore.loadSnapshot(vat));
      const { snapPos, hash, uncompressedSize } = info;
      lines.push(`snapshot ${vat} ${snapPos} ${hash} ${uncompressedSize} ${raw.length}`);
    }
  }
  return `${lines.join('\n')}\n`;
};

// Both sides read the same; and it can be exported and imported, which checks hashes.
const agree = async (name, artifactMode) => {
  const store = openSwingStore(dir(name));
  assert.equal(ours('dump', dir(name)), await dump(store));
  for (const id of [zcfID, lockdownID]) {
    if (!store.kernelStorage.bundleStore.hasBundle(id)) continue;
    assert.deepEqual(
      JSON.parse(ours('unbundle', dir(name), id)),
      store.kernelStorage.bundleStore.getBundle(id),
    );
  }
  await store.hostStorage.close();
  const exporter = makeSwingStoreExporter(dir(name), { artifactMode });
  // It closes the exporter.
  const copy = await importSwingStore(exporter, dir(`${name}-copy`), { artifactMode });
  await copy.hostStorage.commit();
  await copy.hostStorage.close();
  const keys = text => text.replace(/^(host|local)\..*\n/gm, '');
  assert.equal(keys(ours('dump', dir(`${name}-copy`))), keys(ours('dump', dir(name))));
  fs.rmSync(dir(`${name}-copy`), { recursive: true });
  ok(`${name}: both sides read the same; exported and imported (${artifactMode})`);
};

const schema = name => {
  const store = openSwingStore(dir(name));
  const db = store.debug.getDatabase();
  const rows = db.prepare('SELECT type, name, tbl_name, sql FROM sqlite_master').all();
  store.hostStorage.close();
  return JSON.stringify(rows);
};

// -- the checks -----------------------------------------------------------------

const writeTheirs = async name => {
  const store = initSwingStore(dir(name));
  const { kernelStorage, hostStorage } = store;
  const { kvStore, transcriptStore, snapStore, bundleStore } = kernelStorage;
  kernelStorage.startCrank();
  kvStore.set('version', '3');
  kvStore.set('é', '€ 😀\n');
  kvStore.set('gone', '1');
  kvStore.delete('gone');
  kernelStorage.emitCrankHashes();
  for (const vat of ['v1', 'v2']) {
    transcriptStore.initTranscript(vat);
    transcriptStore.addItem(vat, '{"d":["initialize-worker"]}');
    transcriptStore.addItem(vat, '{"d":["é😀"]}');
    await snapStore.saveSnapshot(vat, 2, [Buffer.from(`heap of ${vat}`)]);
    await transcriptStore.rolloverSpan(vat);
    transcriptStore.addItem(vat, '{"d":["load-snapshot"]}');
  }
  kernelStorage.endCrank();
  bundleStore.addBundle(zcfID, zcf);
  bundleStore.addBundle(lockdownID, JSON.parse(lockdownText));
  hostStorage.kvStore.set('host.height', '5');
  await hostStorage.commit();
  await hostStorage.close();
};

// Upstream goes on with a store of shared snapshots: save, replace, stop, delete.
const goOnShared = async name => {
  const { kernelStorage, hostStorage, internal, debug } = openSwingStore(dir(name));
  const { snapStore, transcriptStore } = kernelStorage;
  const blobs = () =>
    debug.getDatabase().prepare('SELECT count(*) FROM snapshotBlobs').pluck().get();
  const shared = snapStore.getSnapshotInfo('v1').hash;
  assert.equal(snapStore.getSnapshotInfo('v9').hash, shared);
  const before = blobs();
  await snapStore.saveSnapshot('v1', 12, [Buffer.from('a new heap')]);
  assert.equal(blobs(), before + 1, 'v9 still holds the old one');
  assert.equal(sha256(await collect(snapStore.loadSnapshot('v9'))), shared);
  await snapStore.saveSnapshot('v1', 12, [Buffer.from('the same place')]);
  assert.equal(blobs(), before + 1);
  snapStore.deleteVatSnapshots('v9');
  transcriptStore.deleteVatTranscripts('v9');
  snapStore.deleteVatSnapshots('v10');
  transcriptStore.deleteVatTranscripts('v10');
  assert.equal(blobs(), 1, 'only what v1 has in use');
  snapStore.stopUsingLastSnapshot('v1');
  assert.equal(blobs(), 0);
  await snapStore.saveSnapshot('v1', 13, [Buffer.from('once more')]);
  snapStore.deleteAllUnusedSnapshots();
  // As its importer does: a row first, the blob later; and the same row twice is refused.
  const { importSnapshotRecord, populateSnapshot } = internal.snapStore;
  const body = Buffer.from('imported');
  const rec = { vatID: 'v77', snapPos: 3, hash: sha256(body), inUse: 1 };
  importSnapshotRecord('snapshot.v77.3', JSON.stringify(rec));
  assert.equal(blobs(), 1);
  assert.throws(() => importSnapshotRecord('snapshot.v77.3', JSON.stringify(rec)), /UNIQUE/);
  await populateSnapshot('snapshot.v77.3', () => [body], { artifactMode: 'operational' });
  assert.equal(blobs(), 2);
  assert.equal(`${await collect(snapStore.loadSnapshot('v77'))}`, 'imported');
  await hostStorage.commit();
  await hostStorage.close();
  ok(`${name}: swing-store saves, replaces, stops and deletes through the view`);
};

try {
  const empty = initSwingStore(dir('empty-theirs'));
  await empty.hostStorage.close();
  ours('write', dir('ours'), zcfPath, lockdown);
  assert.equal(schema('ours'), schema('empty-theirs'));
  ok('the schemas are the same to the byte');
  await agree('ours', 'archival');

  await writeTheirs('theirs');
  await agree('theirs', 'archival');

  ours('share', dir('ours'));
  await agree('ours', 'operational');
  await goOnShared('ours');
  await agree('ours', 'operational');
  fs.rmSync(top, { recursive: true });
} catch (e) {
  console.log(`not ok (left in ${top}):`, e);
  process.exitCode = 1;
}
console.log(`${passed} passed, ${process.exitCode ? 1 : 0} failed`);
