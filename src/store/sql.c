/* sql.c -- statements, the block's transaction, and savepoints made as late as can be. */
#include "store/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/xalloc.h"

static const char *const SQL[STMT_COUNT] = {
    [STMT_BEGIN] = "BEGIN IMMEDIATE TRANSACTION",
    [STMT_COMMIT] = "COMMIT",
    [STMT_SAVEPOINT] = "SAVEPOINT t0",
    [STMT_SAVEPOINT + 1] = "SAVEPOINT t1",
    [STMT_ROLLBACK_TO] = "ROLLBACK TO t0",
    [STMT_ROLLBACK_TO + 1] = "ROLLBACK TO t1",
    [STMT_RELEASE] = "RELEASE t0",
    [STMT_RELEASE + 1] = "RELEASE t1",
    [STMT_DATA_VERSION] = "PRAGMA data_version",
    [STMT_KV_GET] = "SELECT value FROM kvStore WHERE key = ?",
    [STMT_KV_NEXT] = "SELECT key FROM kvStore WHERE key > ? ORDER BY key LIMIT 1",
    [STMT_KV_FROM] = "SELECT key, value FROM kvStore WHERE key > ? ORDER BY key",
    [STMT_KV_SET] = "INSERT INTO kvStore (key, value) VALUES (?, ?)"
                    " ON CONFLICT DO UPDATE SET value = excluded.value",
    [STMT_KV_DELETE] = "DELETE FROM kvStore WHERE key = ?",
    [STMT_ITEM_ADD] = "INSERT INTO transcriptItems (vatID, item, position, incarnation)"
                      " VALUES (?, ?, ?, ?)",
    [STMT_ITEM_READ] = "SELECT position, item FROM transcriptItems"
                       " WHERE vatID = ? AND ? <= position AND position < ?"
                       " ORDER BY position",
    [STMT_SPAN_ADD] = "INSERT INTO transcriptSpans"
                      " (vatID, startPos, endPos, hash, isCurrent, incarnation)"
                      " VALUES (?, ?, ?, ?, 1, ?)",
    [STMT_SPAN_CURRENT] = "SELECT startPos, endPos, hash, incarnation FROM transcriptSpans"
                          " WHERE vatID = ? AND isCurrent = 1",
    [STMT_SPAN_UPDATE] = "UPDATE transcriptSpans SET endPos = ?, hash = ?"
                         " WHERE vatID = ? AND isCurrent = 1",
    [STMT_SPAN_CLOSE] = "UPDATE transcriptSpans SET endPos = ?, hash = ?, isCurrent = null"
                        " WHERE vatID = ? AND isCurrent = 1",
    [STMT_SPAN_NEWEST] = "SELECT startPos, endPos, isCurrent FROM transcriptSpans WHERE vatID = ?"
                         " ORDER BY startPos DESC LIMIT 1",
    [STMT_SPAN_AT] = "SELECT startPos, endPos, hash, incarnation FROM transcriptSpans"
                     " WHERE vatID = ? AND startPos <= ? ORDER BY startPos DESC LIMIT 1",
    [STMT_SPAN_COUNT] = "SELECT count(*), max(endPos), max(startPos) FROM transcriptSpans"
                        " WHERE vatID = ?",
    [STMT_ITEM_BYTES] = "SELECT coalesce(sum(length(CAST(item AS BLOB))), 0)"
                        " FROM transcriptItems WHERE vatID = ?",
    [STMT_SPAN_DELETE] = "DELETE FROM transcriptSpans WHERE vatID = ? AND startPos = ?",
    [STMT_ITEM_DELETE] = "DELETE FROM transcriptItems"
                         " WHERE vatID = ? AND position >= ? AND position < ?",
    [STMT_ITEM_DELETE_ALL] = "DELETE FROM transcriptItems WHERE vatID = ?",
    [STMT_SNAP_INFO] = "SELECT snapPos, hash, uncompressedSize, compressedSize"
                       " FROM snapshots WHERE vatID = ? AND inUse = 1",
    [STMT_SNAP_USERS] = "SELECT count(*) FROM snapshots WHERE hash = ? AND inUse = 1",
    [STMT_SNAP_OTHER_USER] = "SELECT 1 FROM snapshots WHERE hash = ? AND inUse = 1"
                             " LIMIT 1 OFFSET 1",
    [STMT_SNAP_READ] = "SELECT compressedSnapshot FROM snapshots"
                       " WHERE hash = ? AND compressedSnapshot IS NOT NULL LIMIT 1",
    [STMT_SNAP_HAS] = "SELECT 1 FROM snapshots"
                      " WHERE hash = ? AND compressedSnapshot IS NOT NULL LIMIT 1",
    [STMT_SNAP_SAVE] = "INSERT OR REPLACE INTO snapshots (vatID, snapPos, inUse, hash,"
                       " uncompressedSize, compressedSize, compressedSnapshot)"
                       " VALUES (?, ?, 1, ?, ?, ?, ?)",
    [STMT_SNAP_STOP] = "UPDATE snapshots SET inUse = null, compressedSnapshot = null"
                       " WHERE inUse = 1 AND vatID = ?",
    [STMT_SNAP_STOP_KEEPING] = "UPDATE snapshots SET inUse = null"
                               " WHERE inUse = 1 AND vatID = ?",
    [STMT_SNAP_STOP_SHARED] = "UPDATE snapshotRows SET inUse = null, present = 0"
                              " WHERE inUse = 1 AND vatID = ?",
    [STMT_SNAP_STOP_KEEPING_SHARED] = "UPDATE snapshotRows SET inUse = null"
                                      " WHERE inUse = 1 AND vatID = ?",
    [STMT_SNAP_NEWEST] = "SELECT snapPos, inUse FROM snapshots WHERE vatID = ?"
                         " ORDER BY snapPos DESC LIMIT 1",
    [STMT_SNAP_DELETE] = "DELETE FROM snapshots WHERE vatID = ? AND snapPos = ?",
    [STMT_SNAP_DELETE_SHARED] = "DELETE FROM snapshotRows WHERE vatID = ? AND snapPos = ?",
    [STMT_SNAP_IS_VIEW] = "SELECT 1 FROM sqlite_master"
                          " WHERE name = 'snapshots' AND type = 'view'",
    [STMT_SNAP_CLONE] = "INSERT INTO snapshotRows (vatID, snapPos, inUse, hash,"
                        " uncompressedSize, compressedSize, present)"
                        " SELECT ?, 0, 1, hash, uncompressedSize, compressedSize, 1"
                        " FROM snapshotRows WHERE vatID = ? AND inUse = 1 AND present",
    [STMT_EXPORT_NOTE] = "INSERT INTO pendingExports (key, value) VALUES (?, ?)"
                         " ON CONFLICT DO UPDATE SET value = excluded.value",
    [STMT_EXPORT_LIST] = "SELECT key, value FROM pendingExports ORDER BY key",
    [STMT_EXPORT_CLEAR] = "DELETE FROM pendingExports",
    [STMT_BUNDLE_HAS] = "SELECT 1 FROM bundles WHERE bundleID = ? AND bundle IS NOT NULL",
    [STMT_BUNDLE_SET] = "INSERT INTO bundles (bundleID, bundle) VALUES (?, ?)"
                        " ON CONFLICT DO UPDATE SET bundle = excluded.bundle",
    [STMT_BUNDLE_GET] = "SELECT bundle FROM bundles WHERE bundleID = ?"
                        " AND bundle IS NOT NULL",
};

void *array_room(void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap) return p;
    *cap = *cap == 0 ? 64 : *cap * 2;
    return xrealloc(p, *cap * size);
}

/* -- errors --------------------------------------------------------------------- */

void store_fatal(struct store *s, const struct err *e)
{
    (void)s;
    log_warn("%s", e->text);
    exit(e->exit);
}

static enum exit_code exit_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_NOTADB: return EXIT_INCOMPATIBLE;
    case SQLITE_CORRUPT: return EXIT_INTEGRITY;
    case SQLITE_BUSY: return EXIT_BUSY;
    case SQLITE_LOCKED: return EXIT_BUSY;
    default: return EXIT_FAILED;
    }
}

int sql_err(struct store *s, struct err *e, const char *doing)
{
    int code = sqlite3_errcode(s->db);
    const char *says = sqlite3_errmsg(s->db);
    if ((code & 0xff) == SQLITE_NOTADB) says = "not a SQLite file";
    return err_set(e, exit_of(code), "%s: %s%s%s", s->path, doing,
                   doing[0] == '\0' ? "" : ": ", says);
}

int sql_exec(struct store *s, const char *sql, struct err *e)
{
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK) return 0;
    return sql_err(s, e, "");
}

/* -- statements ----------------------------------------------------------------- */

static sqlite3_stmt *prepare(struct store *s, enum stmt_id id)
{
    sqlite3_stmt *st = NULL;
    struct err e;
    if (sqlite3_prepare_v3(s->db, SQL[id], -1, SQLITE_PREPARE_PERSISTENT, &st, NULL) ==
        SQLITE_OK)
        return st;
    sql_err(s, &e, "prepare");
    store_fatal(s, &e);
}

sqlite3_stmt *stmt_get(struct store *s, enum stmt_id id)
{
    INVARIANT(!s->failed);
    if (s->stmts[id] == NULL) s->stmts[id] = prepare(s, id);
    return s->stmts[id];
}

sqlite3_stmt *stmt_take(struct store *s, enum stmt_id id)
{
    sqlite3_stmt *st = stmt_get(s, id);
    return sqlite3_stmt_busy(st) ? prepare(s, id) : st;
}

void stmt_drop(struct store *s, enum stmt_id id, sqlite3_stmt *st)
{
    if (st == s->stmts[id])
        stmt_done(st);
    else
        sqlite3_finalize(st);
}

/* Bindings are borrowed: the caller's bytes outlive the step. */
void bind_text(sqlite3_stmt *st, int at, struct span text)
{
    INVARIANT(sqlite3_bind_text64(st, at, text.p == NULL ? "" : text.p, text.n,
                                  SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK);
}

void bind_blob(sqlite3_stmt *st, int at, struct span bytes)
{
    INVARIANT(sqlite3_bind_blob64(st, at, bytes.p == NULL ? "" : bytes.p, bytes.n,
                                  SQLITE_STATIC) == SQLITE_OK);
}

void bind_u64(sqlite3_stmt *st, int at, uint64_t n)
{
    INVARIANT(n <= INT64_MAX && sqlite3_bind_int64(st, at, (int64_t)n) == SQLITE_OK);
}

void stmt_done(sqlite3_stmt *st)
{
    sqlite3_reset(st);
}

bool stmt_row(struct store *s, sqlite3_stmt *st)
{
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) return true;
    if (rc != SQLITE_DONE) {
        struct err e;
        sql_err(s, &e, "read");
        store_fatal(s, &e);
    }
    stmt_done(st);
    return false;
}

int stmt_try(struct store *s, sqlite3_stmt *st, struct err *e)
{
    int rc = sqlite3_step(st);
    if (rc == SQLITE_DONE || rc == SQLITE_ROW) {
        stmt_done(st);
        return 0;
    }
    sql_err(s, e, "write");
    stmt_done(st);
    return -1;
}

void stmt_run(struct store *s, sqlite3_stmt *st)
{
    struct err e;
    if (stmt_try(s, st, &e) != 0) store_fatal(s, &e);
}

struct span column_span(sqlite3_stmt *st, int at)
{
    const char *p = sqlite3_column_blob(st, at);
    int n = sqlite3_column_bytes(st, at);
    return (struct span){ p == NULL ? "" : p, n < 0 ? 0 : (size_t)n };
}

uint64_t column_u64(sqlite3_stmt *st, int at)
{
    int64_t n = sqlite3_column_int64(st, at);
    return n < 0 ? 0 : (uint64_t)n;
}

/* -- transaction and savepoints ------------------------------------------------- */

/* Upstream's programs know nothing of our lock.  If one wrote the file since we last
 * looked, what we remember of it is worthless. */
static int begin(struct store *s, struct err *e)
{
    if (stmt_try(s, stmt_get(s, STMT_BEGIN), e) != 0)
        return err_while(e, "cannot start a transaction");
    sqlite3_stmt *st = stmt_get(s, STMT_DATA_VERSION);
    int64_t now = stmt_row(s, st) ? sqlite3_column_int64(st, 0) : s->data_version;
    stmt_done(st);
    if (now == s->data_version) return 0;
    return err_set(e, EXIT_BUSY, "%s: another program wrote to it while it was open",
                   s->path);
}

int sql_begin_write(struct store *s, struct err *e)
{
    INVARIANT(!s->readonly);
    if (sqlite3_get_autocommit(s->db) && begin(s, e) != 0) return -1;
    for (int i = 0; i < s->points_n; i++) {
        if (s->points[i].in_sql) continue;
        if (stmt_try(s, stmt_get(s, STMT_SAVEPOINT + i), e) != 0) return -1;
        s->points[i].in_sql = true;
    }
    return 0;
}

void store_write(struct store *s)
{
    struct err e;
    if (sql_begin_write(s, &e) != 0) store_fatal(s, &e);
}

void sql_rollback_to(struct store *s, int at)
{
    if (!s->points[at].in_sql) return;
    stmt_run(s, stmt_get(s, STMT_ROLLBACK_TO + at));
    stmt_run(s, stmt_get(s, STMT_RELEASE + at));
}

void sql_release(struct store *s)
{
    if (s->points_n > 0 && s->points[0].in_sql) stmt_run(s, stmt_get(s, STMT_RELEASE));
}
