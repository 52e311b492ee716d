// build-bundles.mjs -- every bundle that the build, the demos and the tests need.
//
// usage: node js/build-bundles.mjs OUTDIR [NAME...]      (no NAME: all of them)
//
// Writes OUTDIR/<name>.json, one bundle each, and OUTDIR/manifest.json: a list
// of { name, file, bundleID, moduleFormat, bytes } sorted by name.  A bundle is
// made again only when one of the files it was made from has changed: the names
// and hashes of those files are kept in OUTDIR/inputs.json (sizes and times too,
// so that the usual answer, "nothing to do", costs a few stats per file).
//
// The same sources give the same bytes, on any machine and in any folder.
//
// endoZipBase64 bundles are written with their keys in the order in which the
// store hands them out again (moduleFormat, endoZipBase64Sha512, endoZipBase64).
// A b1 bundleID is the hash of the bundle's compartment map.  Lockdown and
// supervisor are the packages' own files, byte for byte: a b0 bundleID is the
// SHA-256 of the file.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const npm = spec => path.join('node_modules', spec);
const swingset = file => npm(path.join('@agoric/swingset-vat/src', file));

// name -> { source: module to bundle }, { copy: file that is a bundle } or
// { exported: module whose default export is a bundle }
const builtin = {
    // what upstream adds to every kernel, bundled from its own sources
    'sys-vatAdmin': { source: swingset('vats/vat-admin/vat-vat-admin.js') },
    'sys-vatAdminDevice': { source: swingset('devices/vat-admin/device-vat-admin.js') },
    ...Object.fromEntries(
        ['bundle', 'timer', 'mailbox', 'bridge', 'command', 'loopbox'].map(name => [
            `sys-${name}Device`,
            { source: swingset(`devices/${name}/device-${name}.js`) },
        ]),
    ),
    'sys-comms': { source: swingset('vats/comms/index.js') },
    'sys-vattp': { source: swingset('vats/vattp/vat-vattp.js') },
    'sys-timer': { source: swingset('vats/timer/vat-timer.js') },
    // ours
    'vat-admin': { source: 'js/vat-admin/vat-admin.js' },
    // what a worker evaluates before any vat
    lockdown: { copy: npm('@agoric/xsnap-lockdown/dist/lockdown.bundle') },
    supervisor: { copy: npm('@agoric/swingset-xsnap-supervisor/dist/supervisor.bundle') },
    // real contracts
    zcf: { exported: npm('@agoric/zoe/bundles/bundle-contractFacet.js') }, // as Zoe ships it
    'contract-automaticRefund': { source: npm('@agoric/zoe/src/contracts/automaticRefund.js') },
    'contract-atomicSwap': { source: npm('@agoric/zoe/src/contracts/atomicSwap.js') },
};

// The JavaScript kernel itself: asked for by name, only by the oracle.
const onRequest = {
    'oracle-kernel': { source: swingset('kernel/kernel.js') },
};

// A new demo vat, test vat or scenario is a new file and nothing else.
const found = () => {
    const out = {};
    const scan = (dir, name) => {
        if (fs.existsSync(path.join(root, dir))) {
            for (const file of fs.readdirSync(path.join(root, dir)).sort()) {
                if (file.endsWith('.js')) {
                    out[name(file.slice(0, -3))] = { source: path.join(dir, file) };
                }
            }
        }
    };
    scan('js/demo', file => `demo-${file}`);
    scan('tests/vats', file => `test-${file}`);
    scan('examples/host', file => `example-${file}`);
    const scenarios = path.join(root, 'tests/scenarios');
    if (fs.existsSync(scenarios)) {
        for (const entry of fs.readdirSync(scenarios, { withFileTypes: true })) {
            if (entry.isDirectory()) {
                scan(path.join('tests/scenarios', entry.name), file => `${entry.name}-${file}`);
            }
        }
    }
    return out;
};

const sha256 = bytes => createHash('sha256').update(bytes).digest('hex');

const writeIfChanged = (file, text) => {
    if (fs.existsSync(file) && fs.readFileSync(file, 'utf8') === text) {
        return;
    }
    const temporary = `${file}.${process.pid}.tmp`;
    fs.writeFileSync(temporary, text);
    fs.renameSync(temporary, file);
};

const readJSON = (file, otherwise) => {
    try {
        return JSON.parse(fs.readFileSync(file, 'utf8'));
    } catch (e) {
        return otherwise;
    }
};

// One entry per input: [path from the root, sha256, size, mtime in ms].
const stamp = file => {
    const absolute = path.join(root, file);
    const { size, mtimeMs } = fs.statSync(absolute);
    return [file, sha256(fs.readFileSync(absolute)), size, mtimeMs];
};

const unchanged = entry => {
    const [file, hash, size, mtimeMs] = entry;
    try {
        const now = fs.statSync(path.join(root, file));
        if (now.size === size && now.mtimeMs === mtimeMs) {
            return true;
        }
        if (sha256(fs.readFileSync(path.join(root, file))) !== hash) {
            return false;
        }
        entry[2] = now.size;
        entry[3] = now.mtimeMs;
        return true;
    } catch (e) {
        return false;
    }
};

// In the order of keys that the store gives back.
const serialise = ({ moduleFormat, endoZipBase64, endoZipBase64Sha512 }) =>
    JSON.stringify({ moduleFormat, endoZipBase64Sha512, endoZipBase64 });

// Returns { text, inputs }: the file to write, and what it was made from.
const make = async ({ source, copy, exported }) => {
    if (copy) {
        return { text: fs.readFileSync(path.join(root, copy), 'utf8'), inputs: [copy] };
    }
    if (exported) {
        const module = await import(pathToFileURL(path.join(root, exported)).href);
        return { text: serialise(module.default), inputs: [exported] };
    }
    // The bundler runs under SES and takes a second to load: only when needed.
    const { loadBundler, bundleFile } = await import('./bundle-source.mjs');
    const notes = { inputs: new Map(), absent: new Set(), links: new Map() };
    const bundle = await bundleFile(await loadBundler(root), path.join(root, source), {}, notes);
    const inputs = [...notes.inputs.keys()].map(file => path.relative(root, file));
    return { text: serialise(bundle), inputs: inputs.sort() };
};

const describe = (name, text) => {
    const { moduleFormat, endoZipBase64Sha512 } = JSON.parse(text);
    const bundleID =
        moduleFormat === 'endoZipBase64' ? `b1-${endoZipBase64Sha512}` : `b0-${sha256(text)}`;
    return { name, file: `${name}.json`, bundleID, moduleFormat, bytes: Buffer.byteLength(text) };
};

// Makes the named bundles, or all.  Returns the manifest: name -> description.
export const buildBundles = async (outDir, names, { say = () => {} } = {}) => {
    const all = { ...builtin, ...found() };
    const known = { ...all, ...onRequest };
    const wanted = names && names.length ? names : Object.keys(all);
    for (const name of wanted) {
        if (!known[name]) {
            throw Error(`no such bundle: ${name}`);
        }
    }
    fs.mkdirSync(outDir, { recursive: true });
    const inputsFile = path.join(outDir, 'inputs.json');
    const manifestFile = path.join(outDir, 'manifest.json');
    const self = ['build-bundles.mjs', 'bundle-source.mjs'].map(file =>
        sha256(fs.readFileSync(path.join(root, 'js', file))),
    );
    const tools = ['@endo/bundle-source', '@endo/compartment-mapper', '@endo/module-source'].map(
        spec => readJSON(path.join(root, npm(spec), 'package.json'), {}).version,
    );
    const recipe = [...self, ...tools].join(' ');
    const old = readJSON(inputsFile, {});
    const made = old.recipe === recipe ? old.made : {};
    const manifest = {};
    for (const entry of old.recipe === recipe ? readJSON(manifestFile, []) : []) {
        if (known[entry.name] && fs.existsSync(path.join(outDir, entry.file))) {
            manifest[entry.name] = entry;
        }
    }
    const save = () => {
        const sorted = Object.values(manifest).sort((p, n) => (p.name < n.name ? -1 : 1));
        writeIfChanged(manifestFile, `${JSON.stringify(sorted, undefined, 1)}\n`);
        writeIfChanged(inputsFile, JSON.stringify({ recipe, made }));
    };
    for (const name of wanted) {
        const fresh = manifest[name] && made[name] && made[name].every(unchanged);
        if (!fresh) {
            // eslint-disable-next-line no-await-in-loop
            const { text, inputs } = await make(known[name]).catch(e => {
                throw Error(`bundling ${name}: ${e.message}`, { cause: e });
            });
            writeIfChanged(path.join(outDir, `${name}.json`), text);
            manifest[name] = describe(name, text);
            made[name] = inputs.map(stamp);
            save();
        }
        const { bundleID, bytes } = manifest[name];
        say(
            `${name.padEnd(28)} ${(bytes / 1024).toFixed(0).padStart(6)} KB  ` +
                `${bundleID.slice(0, 15)}…${fresh ? '' : '  made'}`,
        );
    }
    save();
    return manifest;
};

const main = async ([outDir, ...names]) => {
    if (!outDir || outDir.startsWith('-')) {
        console.error('usage: node js/build-bundles.mjs OUTDIR [NAME...]');
        process.exitCode = 2;
        return;
    }
    await buildBundles(outDir, names, { say: line => console.log(line) });
};

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
    main(process.argv.slice(2)).catch(e => {
        console.error(`build-bundles: ${e.message}`);
        process.exitCode = 1;
    });
}
