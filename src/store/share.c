/* share.c -- one blob, many vats: `snapshots` as a view.
 *
 * snapshotRows has upstream's columns with `present` in place of the blob; snapshotBlobs
 * has each blob once.  The view puts them together, and INSTEAD OF triggers take apart
 * what unmodified swing-store writes to it.  Two triggers on the rows keep the invariant:
 *
 *   a blob is there exactly while some row with its hash is present.
 *
 * Conflict rules: an outer INSERT OR REPLACE imposes REPLACE on the statements of the
 * trigger, a plain INSERT leaves them at ABORT, so the rows behave as the table did.
 * REPLACE deletes rows without firing triggers; so the insert first lets go of the blob
 * of any row it may replace (undone with the statement if it then fails).
 */
#include <stddef.h>

#include "store/internal.h"
#include "store/snapshot.h"

static const char *const SHARE[] = {
    "CREATE TABLE snapshotBlobs (hash TEXT PRIMARY KEY, compressedSnapshot BLOB NOT NULL)",

    "CREATE TABLE snapshotRows (\n"
    "  vatID TEXT,\n"
    "  snapPos INTEGER,\n"
    "  inUse INTEGER CHECK(inUse = 1),\n"
    "  hash TEXT,\n"
    "  uncompressedSize INTEGER,\n"
    "  compressedSize INTEGER,\n"
    "  present INTEGER NOT NULL, -- 1: the blob of this hash is this row's\n"
    "  PRIMARY KEY (vatID, snapPos),\n"
    "  UNIQUE (vatID, inUse)\n"
    ")",

    "INSERT INTO snapshotBlobs SELECT hash, compressedSnapshot FROM snapshots"
    " WHERE compressedSnapshot IS NOT NULL GROUP BY hash",

    "INSERT INTO snapshotRows SELECT vatID, snapPos, inUse, hash, uncompressedSize,"
    " compressedSize, compressedSnapshot IS NOT NULL FROM snapshots",

    "DROP TABLE snapshots",

    "CREATE INDEX snapshotRowsByHash ON snapshotRows (hash, present, inUse)",

    "CREATE VIEW snapshots AS\n"
    "  SELECT vatID, snapPos, inUse, hash, uncompressedSize, compressedSize,\n"
    "    (SELECT b.compressedSnapshot FROM snapshotBlobs b\n"
    "      WHERE r.present AND b.hash = r.hash) AS compressedSnapshot\n"
    "  FROM snapshotRows r",

    "CREATE TRIGGER snapshotRowsLetGo AFTER UPDATE OF hash, present ON snapshotRows\n"
    "  WHEN OLD.present AND (NOT NEW.present OR NEW.hash IS NOT OLD.hash)\n"
    "BEGIN\n"
    "  DELETE FROM snapshotBlobs WHERE hash = OLD.hash AND NOT EXISTS\n"
    "    (SELECT 1 FROM snapshotRows WHERE hash = OLD.hash AND present);\n"
    "END",

    "CREATE TRIGGER snapshotRowsGone AFTER DELETE ON snapshotRows\n"
    "  WHEN OLD.present\n"
    "BEGIN\n"
    "  DELETE FROM snapshotBlobs WHERE hash = OLD.hash AND NOT EXISTS\n"
    "    (SELECT 1 FROM snapshotRows WHERE hash = OLD.hash AND present);\n"
    "END",

    "CREATE TRIGGER snapshotsInsert INSTEAD OF INSERT ON snapshots\n"
    "BEGIN\n"
    "  SELECT RAISE(ABORT, 'a snapshot needs a hash')\n"
    "    WHERE NEW.hash IS NULL AND NEW.compressedSnapshot IS NOT NULL;\n"
    "  UPDATE snapshotRows SET present = 0 WHERE vatID = NEW.vatID\n"
    "    AND (snapPos = NEW.snapPos OR inUse = NEW.inUse);\n"
    "  INSERT INTO snapshotBlobs SELECT NEW.hash, NEW.compressedSnapshot\n"
    "    WHERE NEW.compressedSnapshot IS NOT NULL AND NOT EXISTS\n"
    "      (SELECT 1 FROM snapshotBlobs WHERE hash = NEW.hash);\n"
    "  INSERT INTO snapshotRows VALUES (NEW.vatID, NEW.snapPos, NEW.inUse, NEW.hash,\n"
    "    NEW.uncompressedSize, NEW.compressedSize, NEW.compressedSnapshot IS NOT NULL);\n"
    "END",

    "CREATE TRIGGER snapshotsUpdate INSTEAD OF UPDATE ON snapshots\n"
    "BEGIN\n"
    "  SELECT RAISE(ABORT, 'a snapshot needs a hash')\n"
    "    WHERE NEW.hash IS NULL AND NEW.compressedSnapshot IS NOT NULL;\n"
    "  INSERT INTO snapshotBlobs SELECT NEW.hash, NEW.compressedSnapshot\n"
    "    WHERE NEW.compressedSnapshot IS NOT NULL AND NOT EXISTS\n"
    "      (SELECT 1 FROM snapshotBlobs WHERE hash = NEW.hash);\n"
    "  UPDATE snapshotRows SET vatID = NEW.vatID, snapPos = NEW.snapPos,\n"
    "    inUse = NEW.inUse, hash = NEW.hash, uncompressedSize = NEW.uncompressedSize,\n"
    "    compressedSize = NEW.compressedSize,\n"
    "    present = NEW.compressedSnapshot IS NOT NULL\n"
    "    WHERE vatID = OLD.vatID AND snapPos = OLD.snapPos;\n"
    "END",

    "CREATE TRIGGER snapshotsDelete INSTEAD OF DELETE ON snapshots\n"
    "BEGIN\n"
    "  DELETE FROM snapshotRows WHERE vatID = OLD.vatID AND snapPos = OLD.snapPos;\n"
    "END",
};

bool snapshots_shared(struct store *s)
{
    sqlite3_stmt *st = stmt_get(s, STMT_SNAP_IS_VIEW);
    bool yes = stmt_row(s, st);
    if (yes) stmt_done(st);
    return yes;
}

void snapshot_share(struct store *s)
{
    if (snapshots_shared(s)) return;
    store_write(s);
    struct err e;
    for (size_t i = 0; i < sizeof SHARE / sizeof SHARE[0]; i++) {
        if (sql_exec(s, SHARE[i], &e) != 0) store_fatal(s, &e);
    }
}

void snapshot_clone(struct store *s, struct span from, struct span to)
{
    store_write(s);
    sqlite3_stmt *st = stmt_get(s, STMT_SNAP_CLONE);
    bind_text(st, 1, to);
    bind_text(st, 2, from);
    stmt_run(s, st);
    INVARIANT(sqlite3_changes(s->db) == 1);
    struct snapshot_info info;
    if (exports_wanted(s) && snapshot_info(s, to, &info))
        export_note_snapshot(s, to, info.position, span_of(info.hash), true);
}
