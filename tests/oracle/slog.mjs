// slog.mjs -- upstream's log of what the kernel did, made comparable.
//
// Left out: what depends on the clock (time, monotime, seconds), on sizes, on allocation;
// what a kernel says to people in its own words (console of the kernel and controller); how
// the JavaScript kernel itself is loaded; and when machines are brought online and replay,
// which is a matter of caches and not of the kernel's state.
import { createHash } from 'node:crypto';
import fs from 'node:fs';

const loading = /^(bundle-kernel|import-kernel|kernel-init)-(start|finish)$/;
const warehouse = /^(vat-startup-(start|finish)|(start|finish)-replay|heap-snapshot-load|create-vat)$/;
const unstable = /^(time|monotime|seconds|.*Seconds|.*Size|.*ByteCount)$/;

const number = (_key, value) => (typeof value === 'bigint' ? Number(value) : value);

// The entry to compare, or undefined.
export const comparable = entry => {
    const { type } = entry;
    if (loading.test(type) || warehouse.test(type) || entry.replay) {
        return undefined;
    }
    if (type === 'console' && (entry.source === 'kernel' || entry.source === 'controller')) {
        return undefined;
    }
    const out = {};
    for (const [key, value] of Object.entries(entry)) {
        if (!unstable.test(key) && value !== undefined) {
            out[key] = value;
        }
    }
    if (type === 'deliver-result' && out.dr && out.dr[2]) {
        const [status, problem, { compute }] = out.dr;
        out.dr = [status, problem, { compute }];
    }
    return JSON.parse(JSON.stringify(out, number));
};

// The entry for a comparison of whole logs, machines and consoles too: without clocks, the
// size that zlib made of a snapshot, and how the JavaScript kernel is loaded.
export const whole = entry => {
    if (loading.test(entry.type)) {
        return undefined;
    }
    const out = {};
    for (const [key, value] of Object.entries(entry)) {
        if (!/^(time|monotime|.*[sS]econds|compressedSize)$/.test(key) && value !== undefined) {
            out[key] = value;
        }
    }
    if (out.dr && out.dr[2]) {
        const [status, problem, { timestamps: _t, ...usage }] = out.dr;
        out.dr = [status, problem, usage];
    }
    return out;
};

// The lines of a slog, each through `pick`.
export const readSlog = (file, pick) =>
    fs
        .readFileSync(file, 'utf8')
        .split('\n')
        .filter(line => line)
        .map(line => pick(JSON.parse(line)))
        .filter(entry => entry);

// One short hash for the entries up to and with each crank-finish: [count, hash].
export const digest = entries => {
    const groups = [];
    let count = 0;
    let hash = createHash('sha256');
    const end = () => {
        groups.push(`${count} ${hash.digest('hex').slice(0, 8)}`);
        count = 0;
        hash = createHash('sha256');
    };
    for (const entry of entries) {
        hash.update(`${JSON.stringify(entry)}\n`);
        count += 1;
        if (entry.type === 'crank-finish') {
            end();
        }
    }
    if (count) {
        end();
    }
    return groups;
};
