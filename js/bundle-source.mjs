// bundle-source.mjs -- bundles modules for zygote(1), by the @endo/bundle-source of the
// project that asks.
//
// usage: node bundle-source.mjs     one request a line on standard input, one answer a
//                                   line on standard output, until the input ends
//
// A request:  { "spec": MODULE, "from": FOLDER, "dev": BOOLEAN }
//   MODULE is a path, or a package's module ("@agoric/swingset-vat/src/…"), seen from
//   FOLDER; a module that no package has is a path, as upstream has it.
// An answer:  { "bundle": BUNDLE, "inputs": [[FILE, BYTES, SHA256]…], "absent": [FILE…],
//               "links": [[FILE, FILE]…] }
//   all that the bundle depends on: what was read, what was looked for and is not there,
//   where symbolic links led.  Or { "error": TEXT, "missing": TRUE if bundle-source is }.
//
// The bundler is looked for from FOLDER upwards, then from the folder of this file.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';
import url, { fileURLToPath, pathToFileURL } from 'node:url';
import crypto from 'node:crypto';

const own = path.dirname(fileURLToPath(import.meta.url));
const sha256 = bytes => createHash('sha256').update(bytes).digest('hex');

const find = (from, spec) => {
    try {
        return createRequire(path.join(from, '_')).resolve(spec);
    } catch (e) {
        if (e.code === 'MODULE_NOT_FOUND') {
            return undefined;
        }
        throw e;
    }
};

// Where a package is looked for, nearest first.
const places = (from, name) => {
    const out = [];
    for (let dir = from; ; dir = path.dirname(dir)) {
        if (path.basename(dir) !== 'node_modules') {
            out.push(path.join(dir, 'node_modules', name));
        }
        if (dir === path.dirname(dir)) {
            return out;
        }
    }
};

const packageName = spec => spec.split('/').slice(0, spec.startsWith('@') ? 2 : 1).join('/');

const load = async location => {
    const require = createRequire(location);
    const part = spec => import(pathToFileURL(require.resolve(spec)).href);
    if (typeof globalThis.harden !== 'function') {
        await part('@endo/init');
    }
    const [{ default: bundleSource }, { makeReadPowers }] = await Promise.all([
        import(pathToFileURL(location).href),
        part('@endo/compartment-mapper/node-powers.js'),
    ]);
    return { bundleSource, powers: makeReadPowers({ fs, url, crypto }) };
};

const bundlers = new Map();

// The bundler nearest to a folder.
export const loadBundler = async from => {
    const location = find(from, '@endo/bundle-source') || find(own, '@endo/bundle-source');
    if (!location) {
        throw Object.assign(Error(`no @endo/bundle-source in ${from} or above, or in ${own}`), {
            missing: true,
        });
    }
    if (!bundlers.has(location)) {
        bundlers.set(location, await load(location));
    }
    return { location, ...bundlers.get(location) };
};

// Bundle a file, noting each file read, each looked for in vain, each link.
export const bundleFile = async ({ bundleSource, powers }, file, options, notes) => {
    const { inputs, absent, links } = notes;
    const local = location =>
        location.startsWith('file:') ? fileURLToPath(location) : location;
    const read = async location => {
        const bytes = await powers.read(location);
        inputs.set(local(location), bytes);
        return bytes;
    };
    const maybeRead = async location => {
        const bytes = await powers.maybeRead(location);
        if (bytes === undefined) {
            absent.add(local(location));
        } else {
            inputs.set(local(location), bytes);
        }
        return bytes;
    };
    const canonical = async location => {
        const to = await powers.canonical(location);
        const [a, b] = [local(location), local(to)].map(name => name.replace(/(.)\/+$/, '$1'));
        if (a !== b) {
            links.set(a, b);
        }
        return to;
    };
    return bundleSource(
        file,
        { format: 'endoZipBase64', ...options },
        { ...powers, read, maybeRead, canonical },
    );
};

// What a specifier in a config means; where else its package might have been.
const resolve = (spec, from, notes) => {
    const bare = !/^(\.{0,2}\/|\.{1,2}$|file:)/.test(spec) && !isBuiltin(spec);
    if (!bare) {
        return spec.startsWith('file:') ? fileURLToPath(spec) : path.resolve(from, spec);
    }
    const found = find(from, spec);
    for (const place of places(from, packageName(spec))) {
        if (fs.existsSync(place)) {
            break;
        }
        notes.absent.add(place);
    }
    return found || path.resolve(from, spec);
};

// The bundler itself is an input: its packages, by version.
const noteBundler = (location, from, notes) => {
    for (const spec of ['@endo/bundle-source', '@endo/compartment-mapper', '@endo/module-source']) {
        const file = find(path.dirname(location), `${spec}/package.json`);
        if (file) {
            notes.inputs.set(file, fs.readFileSync(file));
        }
    }
    for (const place of places(from, '@endo/bundle-source')) {
        if (fs.existsSync(place)) {
            break;
        }
        notes.absent.add(place);
    }
};

const answer = async ({ spec, from, dev }) => {
    const notes = { inputs: new Map(), absent: new Set(), links: new Map() };
    const file = resolve(spec, from, notes);
    if (!fs.existsSync(file)) {
        return { error: `no such file: ${file}`, absent: true };
    }
    const bundler = await loadBundler(from);
    noteBundler(bundler.location, from, notes);
    const real = fs.realpathSync(file);
    if (real !== file) {
        notes.links.set(file, real);
    }
    const bundle = await bundleFile(bundler, file, { dev }, notes);
    return {
        bundle,
        inputs: [...notes.inputs].map(([name, bytes]) => [name, bytes.length, sha256(bytes)]),
        absent: [...notes.absent],
        links: [...notes.links],
    };
};

const main = async () => {
    // Bundles are answers; whatever else is said goes to standard error.
    console.log = console.info = console.debug = console.warn;
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const reply = await Promise.resolve(line)
            .then(text => answer(JSON.parse(text)))
            .catch(e => ({ error: `${(e && e.message) || e}`, missing: !!(e && e.missing) }));
        process.stdout.write(`${JSON.stringify(reply)}\n`);
    }
};

if (process.argv[1] && import.meta.url === pathToFileURL(fs.realpathSync(process.argv[1])).href) {
    main();
}
