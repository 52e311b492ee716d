// stored.mjs -- runs of upstream as files: whole, or as what is kept in the tree.
//
// What is kept is small, and enough to tell where two runs first differ: results, transcripts
// and the store's tables as they are; of crank hashes the first 12 digits; of the log a hash
// for every crank.  What an activityhash after each step says about a crank is not said again.
// The versions that made a run stand in it.
import fs from 'node:fs';
import zlib from 'node:zlib';
import { digest } from './slog.mjs';

export const HASH_KEPT = 12;

export const kept = run => {
    const { initialActivityhash: _i, cranks, slog, spans, bundles, ...rest } = run;
    return {
        ...rest,
        cranks: cranks.map(({ step, crankNum, crankhash }) => [
            step,
            crankNum,
            crankhash.slice(0, HASH_KEPT),
        ]),
        slog: digest(slog),
        spans,
        bundles: Object.keys(bundles),
    };
};

// One line per entry of each section: fit for diff, and it compresses well.
const layout = dump => {
    const part = (value, depth) => {
        const inner = '\n' + ' '.repeat(depth + 1);
        const outer = '\n' + ' '.repeat(depth);
        if (depth > 1 || value === null || typeof value !== 'object') {
            return JSON.stringify(value);
        }
        if (Array.isArray(value)) {
            const items = value.map(item => JSON.stringify(item));
            return items.length ? `[${inner}${items.join(`,${inner}`)}${outer}]` : '[]';
        }
        const entries = Object.entries(value).filter(([, item]) => item !== undefined);
        const items = entries.map(
            ([key, item]) => `${JSON.stringify(key)}: ${part(item, depth + 1)}`,
        );
        return items.length ? `{${inner}${items.join(`,${inner}`)}${outer}}` : '{}';
    };
    return `${part(dump, 0)}\n`;
};

export const writeDump = (file, dump) => {
    const text = layout(dump);
    // no name and no time in the gzip header: the same dump is the same file
    fs.writeFileSync(file, file.endsWith('.gz') ? zlib.gzipSync(text, { level: 9 }) : text);
};

export const writeRun = (file, run) => writeDump(file, file.endsWith('.gz') ? kept(run) : run);

export const readDump = file => {
    const bytes = fs.readFileSync(file);
    return JSON.parse(file.endsWith('.gz') ? zlib.gunzipSync(bytes) : bytes);
};
