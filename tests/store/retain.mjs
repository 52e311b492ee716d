// retain.mjs -- what is kept, what is told, what is archived: as swing-store does it.
//
//   node tests/store/retain.mjs PATH/TO/store_script
//
// Runs the same scripts on npm's swing-store and on ours, under every combination of
// options, and compares every row, what deletions answer, the records told to the host in
// their order, and the archived files.  ZYGOTE_SEED picks other random scripts.
import '@endo/init';
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { openSwingStore } from '@agoric/swing-store';

const [, , program] = process.argv;
const top = fs.mkdtempSync(path.join(os.tmpdir(), 'zygote-retain-'));
process.on('exit', () => fs.rmSync(top, { recursive: true, force: true }));

// -- scripts --------------------------------------------------------------------------

let seed = Number(process.env.ZYGOTE_SEED || 1);
const random = n => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * n);
};
const pick = list => list[random(list.length)];

// Lone surrogates among them, and what they are read as.
const keys = ['a', 'ab', 'local.x', 'é', 'a\ud800', 'a\ufffd', 'a\ufffd\ufffd\ufffd', 'a\udfffb', 'a\ue000'];

// A string's bytes as native code gets them: of a lone surrogate, the bits of its number.
const wtf8 = text =>
  Buffer.concat(
    [...text].map(ch => {
      const cp = ch.codePointAt(0);
      return cp >= 0xd800 && cp < 0xe000
        ? Buffer.from([0xe0 | (cp >> 12), 0x80 | ((cp >> 6) & 0x3f), 0x80 | (cp & 0x3f)])
        : Buffer.from(ch);
    }),
  );

// Writes of one delivery; `st` is what a vat has, so that calls are legal.
const vats = ['v1', 'v2', 'v10'];
const operation = st => {
  const vat = pick(vats);
  const v = st[vat];
  const alive = v.end !== undefined;
  switch (random(13)) {
    case 0:
      return `set ${pick(keys)} ${pick(['1', 'two words', '€', '\ud800', 'x\udc00\ud800\u{1f600}'])}`;
    case 1:
      return `delete ${pick([...keys, 'nothing'])}`;
    case 12:
      return `${pick(['get', 'next'])} ${pick([...keys, 'nothing'])}`;
    case 2:
      if (alive && v.end > v.start) {
        v.start = v.end;
        return `roll ${vat}`;
      }
      break;
    case 3:
      if (alive && v.end > v.start) {
        v.start = v.end;
        return `upgrade ${vat}`;
      }
      break;
    case 4:
      if (alive && random(3) === 0) {
        v.end = undefined;
        return `stop ${vat}`;
      }
      break;
    case 5:
    case 6:
      if (alive) return `snap ${vat} ${v.end} heap ${random(4)} ${'x'.repeat(random(9999))}`;
      break;
    case 7:
      return `unsnap ${vat}`;
    case 8:
      return `sweep ${vat} ${pick(['1', '2', '5', 'all'])}`;
    case 9:
      if (alive || random(2)) break;
      return `wipe ${vat} ${pick(['1', '2', 'all'])}`;
    default:
      break;
  }
  if (!alive) {
    if (v.used) return `wipe ${vat} ${pick(['1', '3', 'all'])}`;
    v.start = v.end = 0;
    v.used = true;
    return `init ${vat}`;
  }
  v.end += 1;
  return `add ${vat} {"d":["message",${random(9)}],"é":"${random(99)}"}`;
};

const script = () => {
  const lines = [];
  let st = Object.fromEntries(vats.map(v => [v, {}]));
  for (let block = 0; block < 4; block += 1) {
    for (let crank = 0; crank < 4; crank += 1) {
      lines.push('crank', 'mark start');
      const before = structuredClone(st);
      for (let i = random(5); i > 0; i -= 1) lines.push(operation(st));
      lines.push('mark deliver');
      const middle = structuredClone(st);
      for (let i = random(12); i > 0; i -= 1) lines.push(operation(st));
      if (random(5) === 0) {
        lines.push('back deliver');
        st = middle;
      }
      if (random(9) === 0) {
        lines.push('back start');
        st = before;
      }
      lines.push('emit', 'end');
    }
    lines.push(`host host.height ${block}`, 'set between cranks', 'commit');
  }
  return `${lines.join('\n')}\n`;
};

// -- the same, with swing-store ---------------------------------------------------------

const theirs = async (dir, options, text) => {
  const out = [];
  const note = entries => {
    for (const [key, value] of entries)
      out.push(`${key} ${value === null ? '-' : '='}${value === null ? '' : value}`);
  };
  const archived = {};
  const store = openSwingStore(dir, {
    keepTranscripts: !options.includes('prune'),
    keepSnapshots: options.includes('keep'),
    ...(options.includes('tell') ? { exportCallback: note } : {}),
    archiveSnapshot: async (name, data) => {
      archived[name] = zlib.gunzipSync(data).toString();
    },
    archiveTranscript: async (name, entries) => {
      archived[name] = Buffer.concat([...entries]).toString();
    },
  });
  const { kernelStorage: k, hostStorage } = store;
  const { kvStore, transcriptStore: t, snapStore } = k;
  const deletion = ({ cleanups, done }) =>
    out.push(`cleanups ${cleanups} ${done ? 'done' : 'more'}`);
  const budget = word => (word === 'all' ? undefined : Number(word));
  for (const line of text.trimEnd().split('\n')) {
    const [op, a, ...more] = line.split(' ');
    const rest = more.join(' ');
    switch (op) {
      case 'crank': k.startCrank(); break;
      case 'mark': k.establishCrankSavepoint(a); break;
      case 'back': k.rollbackCrank(a); break;
      case 'end': k.endCrank(); break;
      case 'emit': {
        const { crankhash, activityhash } = k.emitCrankHashes();
        out.push(`hashes ${crankhash} ${activityhash}`);
        break;
      }
      case 'commit': await hostStorage.commit(); out.push('committed'); break;
      case 'set': kvStore.set(a, rest); break;
      case 'delete': kvStore.delete(a); break;
      case 'get':
      case 'next': {
        const got = op === 'get' ? kvStore.get(a) : kvStore.getNextKey(a);
        out.push(got === undefined ? 'nothing' : `read ${got}`);
        break;
      }
      case 'host': hostStorage.kvStore.set(a, rest); break;
      case 'init': t.initTranscript(a); break;
      case 'add': t.addItem(a, rest); break;
      case 'roll': await t.rolloverSpan(a); break;
      case 'upgrade': await t.rolloverIncarnation(a); break;
      case 'stop': await t.stopUsingTranscript(a); break;
      case 'unsnap': snapStore.stopUsingLastSnapshot(a); break;
      case 'snap': {
        const bytes = rest.slice(more[0].length + 1);
        await snapStore.saveSnapshot(a, Number(more[0]), [Buffer.from(bytes)]);
        break;
      }
      case 'wipe': deletion(t.deleteVatTranscripts(a, budget(more[0]))); break;
      case 'sweep': deletion(snapStore.deleteVatSnapshots(a, budget(more[0]))); break;
      default: throw Error(line);
    }
  }
  await hostStorage.close();
  return { out, archived };
};

// -- comparing ---------------------------------------------------------------------------

const rows = dir => {
  const store = openSwingStore(dir, { readonly: false });
  const db = store.debug.getDatabase();
  const all = {};
  for (const table of ['kvStore', 'transcriptItems', 'transcriptSpans', 'snapshots', 'bundles', 'pendingExports']) {
    all[table] = db.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all();
  }
  all.bytes = db.prepare('SELECT hex(key) AS k, hex(value) FROM kvStore ORDER BY k').all();
  for (const row of all.snapshots) {
    // The bytes are zlib's, whose version is not ours to choose.
    if (row.compressedSnapshot) row.compressedSnapshot = zlib.gunzipSync(row.compressedSnapshot).toString();
    if (row.compressedSize !== null) row.compressedSize = 'some';
  }
  store.hostStorage.close();
  return all;
};

const archivedFiles = dir => {
  const all = {};
  for (const file of fs.existsSync(dir) ? fs.readdirSync(dir) : []) {
    assert.match(file, /^[^.].*\.gz$/, 'nothing but archives');
    all[file.slice(0, -3)] = zlib.gunzipSync(fs.readFileSync(path.join(dir, file))).toString();
  }
  return all;
};

let passed = 0;
let halves = 0;
for (const prune of [[], ['prune']]) {
  for (const keep of [[], ['keep']]) {
    for (const tell of [[], ['tell']]) {
      const options = [...prune, ...keep, ...tell];
      const name = options.join('-') || 'defaults';
      for (let run = 0; run < 6; run += 1) {
        const text = script();
        const [a, b, c] = ['theirs', 'ours', 'archive'].map(x => path.join(top, `${name}-${run}-${x}`));
        const want = await theirs(a, options, text);
        const got = execFileSync(program, [b, ...options, `archive=${c}`], { input: wtf8(text), encoding: 'utf8', maxBuffer: 1 << 28 });
        try {
          assert.deepEqual(got.trimEnd().split('\n'), want.out);
          assert.deepEqual(rows(b), rows(a));
          assert.deepEqual(archivedFiles(c), want.archived);
        } catch (e) {
          console.log(`the script:\n${text}`);
          throw e;
        }
        // Something was at stake.
        if (/^set \S*[\ud800-\udfff]/mu.test(text)) halves += 1;
        assert.ok(text.includes('snap ') && Object.keys(want.archived).length > 0);
        if (tell.length) assert.ok(want.out.some(line => line.startsWith('transcript.')));
      }
      passed += 1;
      console.log(`ok ${name}: rows, answers, what is told and what is archived are equal`);
    }
  }
}
assert.ok(halves > 0, 'keys with lone surrogates were among them');
console.log(`${passed} passed, 0 failed`);
