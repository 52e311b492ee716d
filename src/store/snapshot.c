/* snapshot.c -- saving, reading, dropping heap snapshots.
 *
 * The statements are upstream's and run alike on the table and on the view that share.c
 * makes of it.  Two that drop a row have a second form for what is under the view: through
 * the view SQLite would read the row's blob first, all of it.
 */
#include "store/snapshot.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "store/internal.h"

/* -- what is there -------------------------------------------------------------- */

uint64_t snapshot_users(struct store *s, const char *hash)
{
    sqlite3_stmt *st = stmt_get(s, STMT_SNAP_USERS);
    bind_text(st, 1, span_of(hash));
    uint64_t n = stmt_row(s, st) ? column_u64(st, 0) : 0;
    stmt_done(st);
    return n;
}

bool snapshot_is_shared(struct store *s, const char *hash)
{
    sqlite3_stmt *st = stmt_get(s, STMT_SNAP_OTHER_USER);
    bind_text(st, 1, span_of(hash));
    bool yes = stmt_row(s, st);
    if (yes) stmt_done(st);
    return yes;
}

bool snapshot_info(struct store *s, struct span vat, struct snapshot_info *out)
{
    sqlite3_stmt *st = stmt_get(s, STMT_SNAP_INFO);
    bind_text(st, 1, vat);
    if (!stmt_row(s, st)) return false;
    struct span hash = column_span(st, 1);
    INVARIANT(hash.n == SHA256_HEX);
    *out = (struct snapshot_info){
        .position = column_u64(st, 0),
        .raw_bytes = column_u64(st, 2),
        .packed_bytes = column_u64(st, 3),
    };
    memcpy(out->hash, hash.p, SHA256_HEX);
    stmt_done(st);
    return true;
}

/* -- saving --------------------------------------------------------------------- */

struct snapshot_writer {
    struct store *store;
    struct sha256 *hash;
    uint64_t raw_bytes;
    struct gzip gzip;
};

struct snapshot_writer *snapshot_begin(struct store *s)
{
    struct snapshot_writer *w = xcalloc(1, sizeof *w);
    w->store = s;
    w->hash = sha256_new();
    sha256_begin(w->hash);
    gzip_begin(&w->gzip, s->options.snapshot_level);
    return w;
}

void snapshot_write(struct snapshot_writer *w, struct span bytes)
{
    sha256_update(w->hash, bytes);
    w->raw_bytes += bytes.n;
    gzip_put(&w->gzip, bytes);
}

void snapshot_abandon(struct snapshot_writer *w)
{
    sha256_free(w->hash);
    gzip_fini(&w->gzip);
    free(w);
}

uint64_t snapshot_packed_so_far(const struct snapshot_writer *w)
{
    return w->gzip.packed.n;
}

struct span snapshot_packed(struct snapshot_writer *w, char hash[SHA256_HEX + 1],
                            uint64_t *raw_bytes)
{
    gzip_finish(&w->gzip);
    sha256_peek_hex(w->hash, hash);
    *raw_bytes = w->raw_bytes;
    return buf_span(&w->gzip.packed);
}

void snapshot_finish(struct snapshot_writer *w, struct span vat, uint64_t position,
                     struct snapshot_info *out)
{
    struct store *s = w->store;
    char hash[SHA256_HEX + 1];
    uint64_t raw_bytes;
    struct span packed = snapshot_packed(w, hash, &raw_bytes);

    snapshot_stop(s, vat);
    sqlite3_stmt *st = stmt_get(s, STMT_SNAP_SAVE);
    bind_text(st, 1, vat);
    bind_u64(st, 2, position);
    bind_text(st, 3, span_of(hash));
    bind_u64(st, 4, raw_bytes);
    bind_u64(st, 5, packed.n);
    bind_blob(st, 6, packed);
    stmt_run(s, st);
    sqlite3_clear_bindings(st);
    export_note_snapshot(s, vat, position, span_of(hash), true);
    archive_snapshot(s, vat, position, packed);
    snapshot_abandon(w);
    if (out != NULL) INVARIANT(snapshot_info(s, vat, out));
}

/* -- reading -------------------------------------------------------------------- */

struct hashing {
    struct sha256 *hash;
    snapshot_sink *sink;
    void *ctx;
};

static int hash_and_pass(void *ctx, struct span bytes, struct err *e)
{
    struct hashing *h = ctx;
    sha256_update(h->hash, bytes);
    return h->sink(h->ctx, bytes, e);
}

int snapshot_unpack(struct span packed, struct span want, snapshot_sink *sink, void *ctx,
                    struct err *e)
{
    struct hashing h = { sha256_new(), sink, ctx };
    char got[SHA256_HEX + 1];
    sha256_begin(h.hash);
    int rc = gunzip(packed, hash_and_pass, &h, e);
    sha256_peek_hex(h.hash, got);
    sha256_free(h.hash);
    if (rc != 0) return -1;
    if (span_is(want, got)) return 0;
    return err_set(e, EXIT_INTEGRITY, "its bytes have hash %s", got);
}

bool snapshot_has(struct store *s, const char *hash)
{
    sqlite3_stmt *st = stmt_get(s, STMT_SNAP_HAS);
    bind_text(st, 1, span_of(hash));
    bool found = stmt_row(s, st);
    if (found) stmt_done(st);
    return found;
}

int snapshot_read(struct store *s, const char *hash, snapshot_sink *sink, void *ctx,
                  struct err *e)
{
    sqlite3_stmt *st = stmt_take(s, STMT_SNAP_READ);
    int failed;
    bind_text(st, 1, span_of(hash));
    if (stmt_row(s, st)) {
        failed = snapshot_unpack(column_span(st, 0), span_of(hash), sink, ctx, e);
        if (failed != 0) err_while(e, "snapshot %.12s", hash);
    } else {
        failed = err_set(e, EXIT_NOT_FOUND, "no snapshot %s", hash);
    }
    stmt_drop(s, STMT_SNAP_READ, st);
    return failed;
}

/* -- dropping ------------------------------------------------------------------- */

void snapshot_stop(struct store *s, struct span vat)
{
    struct snapshot_info old;
    store_write(s);
    if (!snapshot_info(s, vat, &old)) return;
    export_note_snapshot(s, vat, old.position, span_of(old.hash), false);
    static const enum stmt_id stop[2][2] = {
        { STMT_SNAP_STOP, STMT_SNAP_STOP_KEEPING },
        { STMT_SNAP_STOP_SHARED, STMT_SNAP_STOP_KEEPING_SHARED },
    };
    sqlite3_stmt *st = stmt_get(s, stop[snapshots_shared(s)][s->options.keep_snapshots]);
    bind_text(st, 1, vat);
    stmt_run(s, st);
}

static bool newest(struct store *s, struct span vat, uint64_t *position, bool *in_use)
{
    sqlite3_stmt *st = stmt_get(s, STMT_SNAP_NEWEST);
    bind_text(st, 1, vat);
    if (!stmt_row(s, st)) return false;
    *position = column_u64(st, 0);
    *in_use = sqlite3_column_type(st, 1) != SQLITE_NULL;
    stmt_done(st);
    return true;
}

void snapshot_delete(struct store *s, struct span vat, uint64_t budget, uint64_t *cleanups,
                     bool *done)
{
    INVARIANT(budget > 0);
    store_write(s);
    enum stmt_id delete = snapshots_shared(s) ? STMT_SNAP_DELETE_SHARED : STMT_SNAP_DELETE;
    uint64_t n = 0, position = 0;
    bool in_use, current_gone = budget == UINT64_MAX;
    while (n < budget && newest(s, vat, &position, &in_use)) {
        current_gone |= in_use;
        export_note_snapshot_gone(s, vat, position);
        sqlite3_stmt *st = stmt_get(s, delete);
        bind_text(st, 1, vat);
        bind_u64(st, 2, position);
        stmt_run(s, st);
        n++;
    }
    if (current_gone) export_note_snapshot_current_gone(s, vat);
    *done = !newest(s, vat, &position, &in_use);
    *cleanups = n;
}
