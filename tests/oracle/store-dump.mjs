// store-dump.mjs -- everything that two kernels must agree on, read from a swing-store.
//
// usage: node tests/oracle/store-dump.mjs STORE_DIR [OUT.json[.gz]]
//
// STORE_DIR holds swingstore.sqlite.  The dump is canonical: keys sorted by
// code unit, rows by vat and position, texts exactly as stored.
//
//   kvStore        key -> value, without local.*
//   transcripts    vatID -> [[position, incarnation, item], ...]
//   spans          vatID -> [[startPos, endPos, hash, isCurrent, incarnation], ...]
//   snapshots      vatID -> [[snapPos, hash, inUse, uncompressedSize], ...]
//   bundles        bundleID -> SHA-256 of the stored bytes
import { createHash } from 'node:crypto';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import { writeDump } from './stored.mjs';

const byCodeUnit = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

// 'v2' before 'v10'
const byVat = (a, b) => Number(a.slice(1)) - Number(b.slice(1));

const grouped = (rows, columns) => {
    const groups = {};
    for (const row of rows) {
        groups[row.vatID] ||= [];
        groups[row.vatID].push(columns(row));
    }
    const out = {};
    for (const vatID of Object.keys(groups).sort(byVat)) {
        out[vatID] = groups[vatID];
    }
    return out;
};

export const dumpKV = db => {
    const rows = db.prepare('SELECT key, value FROM kvStore').raw().all();
    const out = {};
    for (const [key, value] of rows.sort((a, b) => byCodeUnit(a[0], b[0]))) {
        if (!key.startsWith('local.')) {
            out[key] = value;
        }
    }
    return out;
};

// `db` is an open better-sqlite3 database.
export const dumpDatabase = db => {
    const all = sql => db.prepare(sql).all();
    const bundles = {};
    for (const { bundleID, bundle } of all('SELECT * FROM bundles ORDER BY bundleID')) {
        bundles[bundleID] = bundle && createHash('sha256').update(bundle).digest('hex');
    }
    return {
        kvStore: dumpKV(db),
        transcripts: grouped(
            all('SELECT * FROM transcriptItems ORDER BY position'),
            ({ position, incarnation, item }) => [position, incarnation, item],
        ),
        spans: grouped(
            all('SELECT * FROM transcriptSpans ORDER BY startPos'),
            row => [row.startPos, row.endPos, row.hash, row.isCurrent, row.incarnation],
        ),
        snapshots: grouped(
            all('SELECT vatID, snapPos, hash, inUse, uncompressedSize FROM snapshots ORDER BY snapPos'),
            row => [row.snapPos, row.hash, row.inUse, row.uncompressedSize],
        ),
        bundles,
    };
};

export const dumpStore = dir => {
    const db = new Database(path.join(dir, 'swingstore.sqlite'), {
        readonly: true,
        fileMustExist: true,
    });
    try {
        return dumpDatabase(db);
    } finally {
        db.close();
    }
};

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
    const [dir, out = '/dev/stdout'] = process.argv.slice(2);
    if (!dir) {
        console.error('usage: node tests/oracle/store-dump.mjs STORE_DIR [OUT.json[.gz]]');
        process.exit(2);
    }
    writeDump(out, dumpStore(dir));
}
