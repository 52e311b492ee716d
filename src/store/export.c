/* export.c -- reading a store as records and artifacts. */
#include "store/export.h"

#include <stdlib.h>

#include "base/json.h"
#include "store/internal.h"

/* -- records ------------------------------------------------------------------------- */

struct walk {
    struct store *store;
    export_record *each;
    void *ctx;
    struct buf key, value;
    struct arena arena; /* of one row */
};

static int give(struct walk *w, struct err *e)
{
    return w->each(w->ctx, buf_span(&w->key), buf_span(&w->value), e);
}

/* One row at `st`: give what it stands for. */
typedef int walk_row(struct walk *w, sqlite3_stmt *st, struct err *e);

static int walk(struct walk *w, const char *sql, walk_row *each, struct err *e)
{
    sqlite3_stmt *st;
    if (sql_prepare(w->store, sql, &st, e) != 0) return -1;
    bool row = true;
    int rc = 0;
    while (rc == 0 && row) {
        rc = sql_step(w->store, st, &row, e);
        buf_reset(&w->key);
        buf_reset(&w->value);
        arena_reset(&w->arena);
        if (rc == 0 && row) rc = each(w, st, e);
    }
    sqlite3_finalize(st);
    return rc;
}

static int kv_row(struct walk *w, sqlite3_stmt *st, struct err *e)
{
    struct span key = wtf8_read_back(&w->arena, column_span(st, 0));
    if (span_starts(key, SPAN("local.")) || span_starts(key, SPAN("host."))) return 0;
    buf_puts(&w->key, "kv.");
    buf_put(&w->key, key);
    struct span value = wtf8_read_back(&w->arena, column_span(st, 1));
    return w->each(w->ctx, buf_span(&w->key), value, e);
}

static int snapshot_row(struct walk *w, sqlite3_stmt *st, struct err *e)
{
    struct span vat = column_span(st, 0);
    uint64_t position = column_u64(st, 1);
    bool in_use = sqlite3_column_type(st, 3) != SQLITE_NULL;
    record_snapshot_key(&w->key, vat, position);
    record_snapshot_value(&w->value, vat, position, column_span(st, 2), in_use);
    if (give(w, e) != 0) return -1;
    if (!in_use) return 0;
    buf_reset(&w->key);
    buf_reset(&w->value);
    record_snapshot_current_key(&w->key, vat);
    record_snapshot_key(&w->value, vat, position);
    return give(w, e);
}

static int span_row(struct walk *w, sqlite3_stmt *st, struct err *e)
{
    struct span vat = column_span(st, 0);
    struct span_record r = {
        .start = column_u64(st, 1),
        .end = column_u64(st, 2),
        .hash = column_span(st, 3),
        .current = sqlite3_column_type(st, 4) != SQLITE_NULL,
        .incarnation = column_u64(st, 5),
    };
    record_span_key(&w->key, vat, r.start, r.current);
    record_span_value(&w->value, vat, &r);
    return give(w, e);
}

static int bundle_row(struct walk *w, sqlite3_stmt *st, struct err *e)
{
    struct span id = column_span(st, 0);
    buf_puts(&w->key, "bundle.");
    buf_put(&w->key, id);
    return w->each(w->ctx, buf_span(&w->key), id, e);
}

#define SNAPSHOT_ROWS "SELECT vatID, snapPos, hash, inUse FROM snapshots WHERE "

static int walk_all(struct walk *w, struct err *e)
{
    if (walk(w, "SELECT key, value FROM kvStore ORDER BY key", kv_row, e) != 0 ||
        walk(w, SNAPSHOT_ROWS "inUse IS 1 ORDER BY vatID, snapPos", snapshot_row, e) != 0 ||
        walk(w, SNAPSHOT_ROWS "inUse IS NULL ORDER BY vatID, snapPos", snapshot_row, e) != 0)
        return -1;
    if (walk(w, "SELECT vatID, startPos, endPos, hash, isCurrent, incarnation"
                " FROM transcriptSpans ORDER BY vatID, startPos", span_row, e) != 0)
        return -1;
    return walk(w, "SELECT bundleID FROM bundles ORDER BY bundleID", bundle_row, e);
}

int store_export_data(struct store *s, export_record *each, void *ctx, struct err *e)
{
    struct walk w = { .store = s, .each = each, .ctx = ctx };
    arena_init(&w.arena);
    int rc = walk_all(&w, e);
    buf_fini(&w.key);
    buf_fini(&w.value);
    arena_fini(&w.arena);
    return rc;
}

static int host_row(struct walk *w, sqlite3_stmt *st, struct err *e)
{
    return w->each(w->ctx, column_span(st, 0), column_span(st, 1), e);
}

int store_export_host(struct store *s, export_record *each, void *ctx, struct err *e)
{
    struct walk w = { .store = s, .each = each, .ctx = ctx };
    arena_init(&w.arena); /* not used: the host's keys go as they are */
    return walk(&w, "SELECT key, value FROM kvStore WHERE key >= 'host.' AND key < 'host/'"
                    " ORDER BY key", host_row, e);
}

/* -- names --------------------------------------------------------------------------- */

struct names {
    export_name *each;
    void *ctx;
};

static int give_name(struct walk *w, struct err *e)
{
    const struct names *n = w->ctx;
    return n->each(n->ctx, buf_span(&w->key), e);
}

static int snapshot_name_row(struct walk *w, sqlite3_stmt *st, struct err *e)
{
    record_snapshot_key(&w->key, column_span(st, 0), column_u64(st, 1));
    return give_name(w, e);
}

static int span_name_row(struct walk *w, sqlite3_stmt *st, struct err *e)
{
    artifact_span_name(&w->key, column_span(st, 0), column_u64(st, 1), column_u64(st, 2));
    return give_name(w, e);
}

static int bundle_name_row(struct walk *w, sqlite3_stmt *st, struct err *e)
{
    buf_puts(&w->key, "bundle.");
    buf_put(&w->key, column_span(st, 0));
    return give_name(w, e);
}

#define SPAN_NAMES "SELECT s.vatID, s.startPos, s.endPos FROM "
#define SNAPSHOT_NAMES \
    "SELECT vatID, snapPos FROM snapshots WHERE compressedSnapshot IS NOT NULL AND "

#define WHOLE_SPAN \
    "s.endPos - s.startPos IS (SELECT count(*) FROM transcriptItems i WHERE i.vatID = s.vatID" \
    " AND i.position >= s.startPos AND i.position < s.endPos)"

/* Archival: what is kept of vats that are gone, for those that were forked from them, goes
 * along (the kernel's lineage.h; upstream's stores have no such keys). */
static const char *const SPANS_OF[] = {
    [ARTIFACTS_OPERATIONAL] = SPAN_NAMES "transcriptSpans s WHERE s.isCurrent = 1"
                                         " ORDER BY s.vatID, s.startPos",
    [ARTIFACTS_REPLAY] = SPAN_NAMES "transcriptSpans c JOIN transcriptSpans s"
                                    " ON s.vatID = c.vatID AND s.incarnation = c.incarnation"
                                    " WHERE c.isCurrent = 1 ORDER BY s.vatID, s.startPos",
    [ARTIFACTS_ARCHIVAL] = SPAN_NAMES "transcriptSpans s WHERE s.vatID IN"
                                      " (SELECT vatID FROM transcriptSpans"
                                      " WHERE isCurrent = 1) OR (EXISTS (SELECT 1 FROM kvStore"
                                      " WHERE key = 'zygote.family.' || s.vatID) AND "
                                      WHOLE_SPAN ") ORDER BY s.vatID, s.startPos",
    [ARTIFACTS_DEBUG] = SPAN_NAMES "transcriptSpans s WHERE " WHOLE_SPAN
                                   " ORDER BY s.vatID, s.startPos",
};

static int walk_names(struct walk *w, enum artifact_mode mode, struct err *e)
{
    if (walk(w, SNAPSHOT_NAMES "inUse IS 1 ORDER BY vatID, snapPos", snapshot_name_row, e) != 0)
        return -1;
    if (mode == ARTIFACTS_DEBUG &&
        walk(w, SNAPSHOT_NAMES "inUse IS NULL ORDER BY vatID, snapPos", snapshot_name_row,
             e) != 0)
        return -1;
    if (walk(w, SPANS_OF[mode], span_name_row, e) != 0) return -1;
    /* Upstream names a bundle that is not there too, in mode debug, and fails at it. */
    return walk(w, "SELECT bundleID FROM bundles WHERE bundle IS NOT NULL"
                   " ORDER BY bundleID", bundle_name_row, e);
}

int store_export_names(struct store *s, enum artifact_mode mode, export_name *each, void *ctx,
                       struct err *e)
{
    if (mode != ARTIFACTS_DEBUG && store_check_complete(s, mode, e) != 0)
        return err_while(e, "%s artifacts", artifact_mode_name(mode));
    struct names n = { each, ctx };
    struct walk w = { .store = s, .ctx = &n };
    int rc = walk_names(&w, mode, e);
    buf_fini(&w.key);
    buf_fini(&w.value);
    return rc;
}

/* -- artifacts ------------------------------------------------------------------------- */

/* A statement with the artifact's vat, or bundle ID, bound, and `start`; at its row. */
static int find_row(struct store *s, const char *sql, const struct artifact *a,
                    sqlite3_stmt **out, struct err *e)
{
    sqlite3_stmt *st;
    bool row;
    if (sql_prepare(s, sql, &st, e) != 0) return -1;
    bind_text(st, 1, a->id);
    if (sqlite3_bind_parameter_count(st) > 1) bind_u64(st, 2, a->start);
    int rc = sql_step(s, st, &row, e);
    if (rc == 0 && !row) rc = err_set(e, EXIT_NOT_FOUND, "there is none");
    if (rc == 0 && sqlite3_column_type(st, 0) == SQLITE_NULL)
        rc = err_set(e, EXIT_NOT_FOUND, "it was pruned");
    if (rc != 0) {
        sqlite3_finalize(st);
        return -1;
    }
    *out = st;
    return 0;
}

static int export_snapshot(struct store *s, const struct artifact *a, export_bytes *sink,
                           void *ctx, struct err *e)
{
    sqlite3_stmt *st;
    if (find_row(s, "SELECT compressedSnapshot, hash FROM snapshots"
                    " WHERE vatID = ? AND snapPos = ?", a, &st, e) != 0)
        return -1;
    int rc = snapshot_unpack(column_span(st, 0), column_span(st, 1), sink, ctx, e);
    sqlite3_finalize(st);
    return rc;
}

static int export_bundle(struct store *s, const struct artifact *a, export_bytes *sink,
                         void *ctx, struct err *e)
{
    sqlite3_stmt *st;
    if (find_row(s, "SELECT bundle FROM bundles WHERE bundleID = ?", a, &st, e) != 0)
        return -1;
    int rc = sink(ctx, column_span(st, 0), e);
    sqlite3_finalize(st);
    return rc;
}

/* The items of [start, end), which must all be there and hash to `hash`. */
static int export_items(struct store *s, const struct artifact *a, struct span hash,
                        export_bytes *sink, void *ctx, struct err *e)
{
    sqlite3_stmt *st;
    char got[SHA256_HEX + 1];
    bool row = true;
    uint64_t next = a->start;
    int rc = sql_prepare(s, "SELECT position, item FROM transcriptItems WHERE vatID = ?"
                            " AND position >= ? AND position < ? ORDER BY position", &st, e);
    if (rc != 0) return -1;
    bind_text(st, 1, a->id);
    bind_u64(st, 2, a->start);
    bind_u64(st, 3, a->end);
    span_hash_begin(got);
    while (rc == 0 && next < a->end) {
        rc = sql_step(s, st, &row, e);
        if (rc != 0) break;
        if (!row || column_u64(st, 0) != next) {
            rc = err_set(e, EXIT_NOT_FOUND, "item %llu was pruned", (unsigned long long)next);
            break;
        }
        struct span item = column_span(st, 1);
        span_hash_add(got, item);
        next++;
        rc = sink(ctx, item, e) != 0 ? -1 : sink(ctx, SPAN("\n"), e);
    }
    sqlite3_finalize(st);
    if (rc == 0 && !span_is(hash, got))
        return err_set(e, EXIT_INTEGRITY, "its items have hash %s", got);
    return rc;
}

static int export_span(struct store *s, const struct artifact *a, export_bytes *sink,
                       void *ctx, struct err *e)
{
    sqlite3_stmt *st;
    if (find_row(s, "SELECT endPos, hash FROM transcriptSpans"
                    " WHERE vatID = ? AND startPos = ?", a, &st, e) != 0)
        return -1;
    int rc = column_u64(st, 0) == a->end
                 ? export_items(s, a, column_span(st, 1), sink, ctx, e)
                 : err_set(e, EXIT_NOT_FOUND, "there is none that ends there");
    sqlite3_finalize(st);
    return rc;
}

int store_export_artifact(struct store *s, struct span name, export_bytes *sink, void *ctx,
                          struct err *e)
{
    struct artifact a;
    if (artifact_parse(name, &a, e) != 0) return -1;
    int rc = a.kind == ARTIFACT_BUNDLE     ? export_bundle(s, &a, sink, ctx, e)
             : a.kind == ARTIFACT_SNAPSHOT ? export_snapshot(s, &a, sink, ctx, e)
                                           : export_span(s, &a, sink, ctx, e);
    return rc == 0 ? 0 : err_while(e, "%s", span_shown(name).s);
}
