// rom.mjs -- zygote rom: a zygote from one store to another, and every way to refuse one.
//
// usage: node tests/e2e/rom.mjs [--long]     (--long: also children, exports, replays, and
//        loads that are killed)
import { strict as assert } from 'node:assert';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';

const root = fileURLToPath(new URL('../..', import.meta.url));
const build = path.resolve(process.env.BUILD || path.join(root, 'build'));
const bundles = process.env.ZYGOTE_BUNDLES || path.join(build, 'bundles');
const top = fs.mkdtempSync(path.join(os.tmpdir(), 'zygote-rom-'));
process.on('exit', () => fs.rmSync(top, { recursive: true, force: true }));
const env = { ...process.env, ZYGOTE_CACHE: process.env.ZYGOTE_CACHE || `${build}/test-cache` };
const at = name => path.join(top, name);
const program = path.join(build, 'zygote');

const long = process.argv.includes('--long');

let passed = 0;
const ok = what => {
    passed += 1;
    console.log(`ok - ${what}`);
};

// -- running it ------------------------------------------------------------------------

const zygote = (...args) => {
    const run = spawnSync(program, ['-q', ...args], { env, encoding: 'utf8', cwd: top });
    return { exit: run.status, out: run.stdout, err: run.stderr };
};
const works = (...args) => {
    const { exit, out, err } = zygote(...args);
    assert.equal(exit, 0, `zygote ${args.join(' ')}: exit ${exit}: ${err}`);
    return out;
};
const json = (...args) => JSON.parse(works(...args, '--json'));
const send = (store, method, ...args) =>
    JSON.parse(works('-C', store, 'send', 'boot', method, ...args.map(a => JSON.stringify(a))));
const ref = kref => ({ '@ref': kref });
const refused = (what, exit, text, ...args) => {
    const got = zygote(...args);
    assert.equal(got.exit, exit, `${what}: exit ${got.exit}: ${got.err}${got.out}`);
    assert(got.err.includes(text), `${what}: says ${got.err}`);
    assert.equal(got.out, '', what);
    ok(`refused: ${what}`);
};

const config = (name, more = {}) => {
    const bundle = file => ({ bundleSpec: path.join(bundles, `${file}.json`) });
    const text = JSON.stringify({
        bootstrap: 'boot',
        pinBootstrapRoot: true,
        vats: { boot: { ...bundle('test-rom-boot'), parameters: { bank: name } } },
        bundles: { rom: bundle('test-rom-vat'), code: bundle('demo-counter') },
        ...more,
    });
    fs.writeFileSync(at(`${name}.json`), text);
    return at(`${name}.json`);
};
const make = name => {
    works('-C', at(name), 'run', config(name));
    return at(name);
};

// -- a zygote in store one ---------------------------------------------------------------

const one = make('one');
assert.deepEqual(send(one, 'make', 'ann', true), ['one', 7, 7]);
refused('a vat that has run', 9, 'has run since its last heap snapshot', '-C', one, 'rom', 'save', 'ann');
refused('a static vat', 9, 'vat type cannot be forked', '-C', one, 'rom', 'save', 'boot');
refused('no such vat', 3, 'no vat', '-C', one, 'rom', 'save', 'nobody');
send(one, 'seal', 'ann');
const dumped = works('-C', one, 'dump');
const saved = json('-C', one, 'rom', 'save', 'ann');
const rom = at(saved.file);
assert.equal(saved.file, `${saved.rom}.rom`);
const bytes = fs.readFileSync(rom);
assert.equal(createHash('sha256').update(bytes).digest('hex'), saved.rom);
assert.equal(works('-C', one, 'rom', 'save', 'ann'), `${saved.file}\n`, 'again: the same file');
assert.equal(works('-C', one, 'dump'), dumped);
fs.writeFileSync(at('other.rom'), 'mine');
refused('a file of another', 1, 'is there already', '-C', one, 'rom', 'save', 'ann', 'other.rom');
ok('saved, under its hash');

const info = json('rom', 'inspect', rom);
assert.deepEqual(
    info.imports.map(({ vref, wanted }) => [vref, wanted]),
    [
        ['d-70', true],
        ['o-50', true],
        ['o-51', false],
    ],
);
assert.equal(info.imports[1].was, 'o+0 of boot');
assert.match(info.imports[0].was, /^bundle:b1-/);
assert.equal(info.exports.length, 3);
assert.equal(info.metered, true);
assert.match(works('rom', 'inspect', rom), /o-51 +recognized/);
ok('inspected');

if (long) {
    works('-C', one, 'fork', 'ann', '--name', 'kid');
    works('-C', one, 'zygotify', 'kid');
    works('-C', one, 'rom', 'save', 'kid', 'kid.rom');
    const kid = json('rom', 'inspect', at('kid.rom'));
    assert.equal(kid.lineage.length, 2);
    assert.equal(kid.lineage[1].vat, info.lineage[0].vat);
    assert.equal(kid.lineage[1].snapshot, info.lineage[0].snapshot);
    ok('a child, with its lineage');
}

// -- the same with next to nothing in it -----------------------------------------------------

const le = (n, size) => {
    const b = Buffer.alloc(size);
    b.writeUIntLE(n, 0, size);
    return b;
};
// As zygote writes them; `how` deviates.
const zip = (files, how = {}) => {
    const parts = [how.front || Buffer.alloc(0)];
    const directory = [];
    let offset = 0;
    for (const [name, content] of files) {
        const packed = how.pack ? zlib.deflateRawSync(content) : content;
        const both = Buffer.concat([
            le(10, 2), le(0, 2), le(how.pack ? 8 : 0, 2), le(0x210000, 4), le(zlib.crc32(content), 4),
            le(packed.length, 4), le(content.length, 4), le(name.length, 2), le(0, 2),
        ]);
        const local = Buffer.concat([Buffer.from('PK\x03\x04'), both, Buffer.from(name), packed]);
        directory.push(Buffer.concat([
            Buffer.from('PK\x01\x02'), le(10, 2), both, le(0, 4), le(0, 2), le(how.external || 0, 4),
            le(offset, 4), Buffer.from(name),
        ]));
        offset += local.length;
        parts.push(local);
    }
    const index = Buffer.concat(directory);
    return Buffer.concat([
        ...parts, index, Buffer.from('PK\x05\x06'), le(0, 4), le(files.length, 2), le(files.length, 2),
        le(index.length, 4), le(offset, 4), le(0, 2),
    ]);
};
const split = all => {
    const files = [];
    for (let p = 0; all.readUInt32LE(p) === 0x04034b50; ) {
        const [size, name] = [all.readUInt32LE(p + 18), all.readUInt16LE(p + 26)];
        const start = p + 30 + name;
        files.push([all.toString('utf8', p + 30, start), all.subarray(start, start + size)]);
        p = start + size;
    }
    return files;
};
const sha256 = content => createHash('sha256').update(content).digest('hex');
const real = split(bytes);
assert(zip(real).equals(bytes), 'this writes what zygote writes');

const put = (name, content) => {
    fs.writeFileSync(at(name), content);
    return at(name);
};
const edited = (base, f) => {
    const m = JSON.parse(base[0][1]);
    f(m);
    return zip([['manifest.json', Buffer.from(`${JSON.stringify(m)}\n`)], ...base.slice(1)]);
};
// With its new hash in the manifest: the file is right, what is in it is not.
const replaced = (base, name, content, f = () => {}) => {
    const swap = base.map(([n, old]) => [n, n === name ? content : old]);
    return edited(swap, m => {
        const listed = m.members.find(n => n.name === name);
        listed.bytes = content.length;
        listed.sha256 = sha256(content);
        f(m);
    });
};

// Next to no heap and bundle: good enough for all that is refused before they are looked into.
const begin = Buffer.from(real[1][1].subarray(0, 35));
begin.writeUInt32BE(begin.length - 8);
const headless = replaced(real, 'heap', begin, m => (m.lineage[0].snapshotID = sha256(begin)));
const small = replaced(split(headless), 'bundle.json', Buffer.from('{}'));
const files = split(small);
const manifest = files[0][1].toString();
const withManifest = text => zip([['manifest.json', Buffer.from(text)], ...files.slice(1)]);
const edit = f => edited(files, f);
const member = (...args) => replaced(files, ...args);
const light = put('small.rom', small);
assert.deepEqual(json('rom', 'inspect', light).imports, info.imports);

// -- in store two --------------------------------------------------------------------------

const two = make('two');
const imports = ['--import', 'o-50=boot', '--import', 'd-70=bundle:code'];
const load = (file, ...args) => ['-C', two, 'rom', 'load', file, ...args];
const whole = (...args) => load(light, ...imports, '--meter', 'none', ...args);
const before = works('-C', two, 'dump');

refused('nothing said of its imports', 9, 'o-50 (was o+0 of boot)', ...load(light, '--meter', 'none'));
refused('one import missing', 9, 'this import is to be here: o-50', ...load(light, ...imports.slice(2), '--meter', 'none'));
refused('an import that it does not have', 9, 'o-77 is not an import', ...whole('--import', 'o-77=v2'));
refused('an export as an import', 9, 'o+0 is not an import', ...whole('--import', 'o+0=v2'));
refused('what is only recognized', 9, 'only recognizes', ...whole('--import', 'o-51=v2'));
refused('an import twice', 9, 'given twice', ...whole('--import', 'o-50=v2'));
refused('an object for a device', 3, 'no device', ...load(light, '--import', 'd-70=boot', '--import', 'o-50=boot', '--meter', 'none'));
refused('no such object', 3, 'no object ko999', ...load(light, '--import', 'd-70=vatAdmin', '--import', 'o-50=ko999', '--meter', 'none'));
refused('no such bundle', 3, 'no bundle nothing', ...load(light, '--import', 'd-70=bundle:nothing', '--meter', 'none'));
refused('no word of its meter', 9, 'was metered', ...load(light, ...imports));
refused('no such meter', 3, 'no meter m9', ...load(light, ...imports, '--meter', 'm9'));
refused('an import without a target', 2, 'give NAME=TARGET', ...load(light, '--import', 'o-50'));
refused('no such file', 3, 'no such file', ...load(at('nothing')));
refused('--import of save', 2, 'are for rom load', '-C', two, 'rom', 'save', 'boot', '--import', 'o-50=boot');
refused('another action', 2, 'give save, load or inspect', '-C', two, 'rom', 'burn', 'boot');
assert.equal(works('-C', two, 'dump'), before);
ok('all of which changed nothing');

const none = at('none');
works('-C', none, 'init', config('none', { zygotes: false }));
refused('where forks are not enabled', 9, '"zygotes": false', '-C', none, 'rom', 'load', light, ...imports);

const loaded = json(...load(rom, ...imports, '--meter', 'none', '--name', 'template'));
assert.equal(loaded.rom, saved.rom);
assert.equal(loaded.snapshot, info.lineage[0].snapshot);
assert.deepEqual(loaded.exports.map(e => e.vref), ['o+0', 'o+11', 'o+d10/1']);
const vats = json('-C', two, 'ps').vats;
const template = vats.find(v => v.vat === loaded.vat);
assert.equal(template.name, 'template');
assert.equal(template.state, 'sealed');
refused('a message to it', 4, 'vat is a zygote', '-C', two, 'send', loaded.vat, 'work', '1');
works('-C', two, 'audit');
ok('loaded: sealed, under its own name, the same snapshot');

// Its children: through the handle, with references, and by the host.
const { kref: echo } = loaded.exports[1];
const { kref: jar } = loaded.exports[2];
assert.equal(send(two, 'fork', ref(loaded.handle), 'x', ref(echo), ref(jar)), '2 refs');
assert.equal(send(two, 'fork', ref(loaded.handle), 'y', ref(jar)), '1 refs');
works('-C', two, 'fork', 'template', '--name', 'z', '--ref', jar);
assert.deepEqual(send(two, 'ask', 'x', 'work', 1), ['two', 8, 8], 'its bank is that of this store');
assert.deepEqual(send(two, 'ask', 'y', 'work', 10), ['two', 17, 17]);
assert.deepEqual(JSON.parse(works('-C', two, 'send', 'z', 'work', '100')), ['two', 107, 107]);
assert.deepEqual(send(two, 'askRef', 'x', 0, 'echo', 5), [8, 5]);
assert.equal(send(two, 'askRef', 'x', 1, 'put', 1), 4);
assert.equal(send(two, 'askRef', 'y', 0, 'put', 10), 13);
assert.equal(send(two, 'stranger', 'x'), false);
assert.equal(send(two, 'ask', 'x', 'code'), info.imports[0].was.slice('bundle:'.length));
works('-C', two, 'audit');
if (long) {
    works('-C', two, 'replay', 'x', '--verify');
    refused('its life in another store', 3, 'was loaded from a rom', '-C', two, 'replay', 'x', '--from-genesis');
}
ok('three children: they answer, and differ');

// Out again: the same vat by another name.
if (long) {
    works('-C', two, 'rom', 'save', 'template', 'again.rom');
    const again = json('rom', 'inspect', at('again.rom'));
    assert.equal(again.lineage[0].snapshot, info.lineage[0].snapshot);
    assert.equal(again.lineage[1].snapshot, info.lineage[0].snapshot);
    assert.equal(again.lineage[1].position, info.lineage[0].position);
    assert.equal(again.vatstoreKeys, info.vatstoreKeys);
    ok('saved from there, it remembers where it came from');
}

if (long) {
    works('-C', two, 'store', 'export', at('export'));
    works('-C', at('imported'), 'store', 'import', at('export'));
    works('-C', at('imported'), 'audit');
    assert.deepEqual(JSON.parse(works('-C', at('imported'), 'send', 'z', 'work', '1')), ['two', 108, 108]);
}
assert.equal(send(two, 'end', ref(loaded.handle)), 'told');
works('-C', two, 'run');
works('-C', two, 'audit');
assert.deepEqual(send(two, 'ask', 'y', 'work', 1), ['two', 18, 18], 'its children go on');
refused('a fork of the ended', 3, 'no vat', '-C', two, 'fork', 'template');
ok('ended, its children going on');

// -- files that are not right ---------------------------------------------------------------

const damaged = (what, text, content, exit = 5) =>
    refused(what, exit, text, 'rom', 'inspect', put('bad.rom', content));
assert(edit(() => {}).equals(small));

damaged('an empty file', 'not enough of it', '');
damaged('what is no zip', 'no directory', 'x'.repeat(100));
for (const part of [0.1, 0.5, 0.9, 0.999]) {
    damaged(`cut off at ${part}`, 'bad zip', small.subarray(0, small.length * part));
}
damaged('one byte more', 'no directory', Buffer.concat([small, Buffer.from('x')]));
const flipped = Buffer.from(small);
flipped[small.length - 1000] ^= 1;
damaged('one bit of it', 'bad zip', flipped);
damaged('bytes in front', 'not written as zygote writes it', zip(files, { front: Buffer.from('#!') }));
damaged('attributes', 'not written as zygote writes it', zip(files, { external: 1 }));
damaged('compressed files', 'bad zip', zip(files, { pack: true }));
damaged('a file twice', 'not written as zygote writes it', zip([...files, files[2]]));
damaged('a file more', 'more files', zip([...files, ['more', Buffer.from('x')]]));
damaged('a file less', 'no file bundle.json', zip(files.slice(0, 3)));
damaged('another order of files', 'not written as', zip([files[0], files[2], files[1], files[3]]));
refused('a name that is another hash', 5, 'its hash is another', 'rom', 'inspect', put(`${'0'.repeat(64)}.rom`, small));

damaged('a manifest that is not JSON', 'its manifest', withManifest('{'));
damaged('a manifest with white space', 'not written as', withManifest(`${manifest} `));
damaged('a manifest of something else', 'of something else', edit(m => (m.kind = 'image')));
damaged('another schema', 'schema 2', edit(m => (m.schema = 2)), 8);
damaged('an unknown member', 'unknown member "more"', edit(m => (m.more = 1)));
damaged('a member missing', 'has an unknown member "lineage"', edit(m => delete m.clist));
damaged('a bad name', "the vat's name", edit(m => (m.name = 'a b')));
damaged('a bad bundle ID', "bundle's ID", edit(m => (m.bundle = 'b1-00')));
damaged('an odd threshold', 'reaped', edit(m => (m.reapDirtThreshold = { deliveries: -1 })));
damaged('dirt beyond all counting', 'reaped', edit(m => (m.reapDirt = { deliveries: 2 ** 52 })));
damaged('a counter beyond all counting', 'nextIDs', edit(m => (m.nextIDs.p = 2 ** 52)));
damaged('a promise', 'clist has a promise', edit(m => m.clist.push(['p-60', 'R', ''])));
damaged('a c-list out of order', 'out of order', edit(m => m.clist.reverse()));
damaged('a row twice', 'out of order', edit(m => m.clist.splice(1, 0, m.clist[1])));
damaged('a name beyond the counter', 'never allocated', edit(m => (m.nextIDs.o = 51)));
damaged('parameters with what is not there', 'does not have', edit(m => (m.vatParameters.slots[0] = 'o-59')));
damaged('a huge c-list entry', 'what an import was', edit(m => (m.clist[0][2] = 'x'.repeat(1000))));
damaged('no lineage', 'lineage', edit(m => (m.lineage = [])));
damaged('another hash of a member', 'another hash', edit(m => (m.members[1].sha256 = '0'.repeat(64))));
damaged('another size of a member', 'has ', edit(m => (m.members[1].bytes += 1)));
damaged('a heap that is not of its lineage', 'not that of its lineage', member('heap', files[1][1].subarray(1)));
damaged('a vatstore out of order', 'out of order', member('vatstore.jsonl', Buffer.from('["b",""]\n["a",""]\n')));
damaged('a key twice', 'out of order', member('vatstore.jsonl', Buffer.from('["a",""]\n["a",""]\n')));
damaged('a vatstore that is cut off', 'cut off', member('vatstore.jsonl', Buffer.from('["a","')));
damaged('a vatstore of numbers', 'a line of', member('vatstore.jsonl', Buffer.from('["a",1]\n')));

// What only the store can tell.
const after = works('-C', two, 'dump');
const strange = (what, exit, text, content) =>
    refused(what, exit, text, ...load(put('bad.rom', content), ...imports, '--meter', 'none'));
const older = Buffer.from(begin);
older[17] = 2; // the minor version of XS
strange('another XS', 8, 'its heap is for XS 13.2.0', member('heap', older, m => {
    m.engine = m.engine.replace('13.3', '13.2');
    m.lineage[0].snapshotID = sha256(older);
}));
damaged('another XS than it says', 'engine that it names', member('heap', older, m => {
    m.lineage[0].snapshotID = sha256(older);
}));
strange('another supervisor', 8, `supervisor bundle, b0-${'0'.repeat(64)}`, edit(m => (m.boot[1] = `b0-${'0'.repeat(64)}`)));
strange('a bundle that is none', 8, 'its bundle', small);
const counter = fs.readFileSync(path.join(bundles, 'demo-counter.json'));
strange('another bundle', 5, 'its bundle', member('bundle.json', counter));
strange('a heap that XS cannot read', 5, 'its heap does not start', headless);
assert.equal(works('-C', two, 'dump'), after);
works('-C', two, 'audit');
ok('none of which changed anything');

// -- killed ------------------------------------------------------------------------------------

if (long) {
    const three = make('three');
    const args = ['-q', '-C', three, 'rom', 'load', rom, ...imports, '--meter', 'none'];
    let vatsThere = json('-C', three, 'ps').vats.length;
    let killed = 0;
    let done = 0;
    for (let ms = 20; done < 3; ms += 20) {
        const child = spawn(program, args, { env, stdio: 'ignore' });
        // eslint-disable-next-line no-await-in-loop
        const signal = await new Promise(resolve => {
            const timer = setTimeout(() => child.kill('SIGKILL'), ms);
            child.on('exit', (_code, s) => {
                clearTimeout(timer);
                resolve(s);
            });
        });
        works('-C', three, 'audit');
        const now = json('-C', three, 'ps').vats.length;
        assert(now === vatsThere || now === vatsThere + 1, 'a whole vat, or none');
        assert(signal || now === vatsThere + 1);
        vatsThere = now;
        killed += signal ? 1 : 0;
        done += signal ? 0 : 1;
    }
    const last = json('-C', three, 'ps').vats.at(-1).vat;
    works('-C', three, 'fork', last, '--name', 'kid');
    assert.deepEqual(JSON.parse(works('-C', three, 'send', 'kid', 'work', '1')), ['three', 8, 8]);
    ok(`killed ${killed} times, at different moments`);
}
console.log(`${passed} passed, 0 failed`);
