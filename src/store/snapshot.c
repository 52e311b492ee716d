/* snapshot.c -- saving, reading, dropping heap snapshots.
 *
 * The statements are upstream's and run alike on the table and on the view that share.c
 * makes of it.
 */
#include "store/snapshot.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/xalloc.h"
#include "store/internal.h"

enum {
    GZIP_WINDOW = 15 + 16, /* the largest window, and gzip's header around it */
    GZIP_LEVEL = 6,        /* Node's default */
    GZIP_MEMORY = 8,
    CHUNK_BYTES = 256 << 10,
};

/* -- what is there -------------------------------------------------------------- */

uint64_t snapshot_users(struct store *s, const char *hash)
{
    sqlite3_stmt *st = stmt_get(s, STMT_SNAP_USERS);
    bind_text(st, 1, span_of(hash));
    uint64_t n = stmt_row(s, st) ? column_u64(st, 0) : 0;
    stmt_done(st);
    return n;
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
    struct buf packed;
    z_stream z;
};

struct snapshot_writer *snapshot_begin(struct store *s)
{
    struct snapshot_writer *w = xcalloc(1, sizeof *w);
    w->store = s;
    w->hash = sha256_new();
    sha256_begin(w->hash);
    INVARIANT(deflateInit2(&w->z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                           Z_DEFAULT_STRATEGY) == Z_OK);
    return w;
}

/* Compress what is at z.next_in; all of it, or all there will ever be. */
static void pack(struct snapshot_writer *w, int flush)
{
    int rc;
    do {
        w->z.next_out = (Bytef *)buf_room(&w->packed, CHUNK_BYTES);
        w->z.avail_out = CHUNK_BYTES;
        rc = deflate(&w->z, flush);
        INVARIANT(rc != Z_STREAM_ERROR);
        w->packed.n += CHUNK_BYTES - w->z.avail_out;
    } while (w->z.avail_out == 0);
    INVARIANT(w->z.avail_in == 0 && (flush != Z_FINISH || rc == Z_STREAM_END));
}

void snapshot_write(struct snapshot_writer *w, struct span bytes)
{
    sha256_update(w->hash, bytes);
    w->raw_bytes += bytes.n;
    while (bytes.n > 0) {
        size_t n = bytes.n < CHUNK_BYTES ? bytes.n : CHUNK_BYTES;
        w->z.next_in = (z_const Bytef *)bytes.p;
        w->z.avail_in = (uInt)n;
        pack(w, Z_NO_FLUSH);
        bytes = span_from(bytes, n);
    }
}

void snapshot_abandon(struct snapshot_writer *w)
{
    deflateEnd(&w->z);
    sha256_free(w->hash);
    buf_fini(&w->packed);
    free(w);
}

void snapshot_finish(struct snapshot_writer *w, struct span vat, uint64_t position,
                     struct snapshot_info *out)
{
    struct store *s = w->store;
    char hash[SHA256_HEX + 1];
    w->z.next_in = NULL;
    w->z.avail_in = 0;
    pack(w, Z_FINISH);
    sha256_peek_hex(w->hash, hash);

    snapshot_stop(s, vat);
    sqlite3_stmt *st = stmt_get(s, STMT_SNAP_SAVE);
    bind_text(st, 1, vat);
    bind_u64(st, 2, position);
    bind_text(st, 3, span_of(hash));
    bind_u64(st, 4, w->raw_bytes);
    bind_u64(st, 5, w->packed.n);
    bind_blob(st, 6, buf_span(&w->packed));
    stmt_run(s, st);
    sqlite3_clear_bindings(st);
    snapshot_abandon(w);
    if (out != NULL) INVARIANT(snapshot_info(s, vat, out));
}

/* -- reading -------------------------------------------------------------------- */

/* Unzip `packed` into `sink`, hashing what comes out.  0 when all of it went well. */
static int unpack(struct span packed, struct sha256 *hash, snapshot_sink *sink, void *ctx,
                  struct err *e)
{
    z_stream z = { 0 };
    char *chunk = xmalloc(CHUNK_BYTES);
    INVARIANT(packed.n <= UINT32_MAX && inflateInit2(&z, GZIP_WINDOW) == Z_OK);
    z.next_in = (z_const Bytef *)packed.p;
    z.avail_in = (uInt)packed.n;
    int rc = Z_OK, told = 0;
    while (rc == Z_OK && told == 0) {
        z.next_out = (Bytef *)chunk;
        z.avail_out = CHUNK_BYTES;
        rc = inflate(&z, Z_NO_FLUSH);
        struct span got = { chunk, CHUNK_BYTES - z.avail_out };
        if (got.n == 0) continue;
        sha256_update(hash, got);
        told = sink(ctx, got, e);
    }
    inflateEnd(&z);
    free(chunk);
    if (told != 0) return -1;
    return rc == Z_STREAM_END ? 0 : err_set(e, EXIT_INTEGRITY, "it does not unzip");
}

static int read_checked(struct span packed, const char *want, snapshot_sink *sink,
                        void *ctx, struct err *e)
{
    struct sha256 *hash = sha256_new();
    char got[SHA256_HEX + 1];
    sha256_begin(hash);
    int rc = unpack(packed, hash, sink, ctx, e);
    sha256_peek_hex(hash, got);
    sha256_free(hash);
    if (rc != 0) return -1;
    if (strcmp(got, want) == 0) return 0;
    return err_set(e, EXIT_INTEGRITY, "its bytes have hash %s", got);
}

int snapshot_read(struct store *s, const char *hash, snapshot_sink *sink, void *ctx,
                  struct err *e)
{
    sqlite3_stmt *st = stmt_take(s, STMT_SNAP_READ);
    int failed;
    bind_text(st, 1, span_of(hash));
    if (stmt_row(s, st)) {
        failed = read_checked(column_span(st, 0), hash, sink, ctx, e);
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
    store_write(s);
    sqlite3_stmt *st = stmt_get(s, STMT_SNAP_STOP);
    bind_text(st, 1, vat);
    stmt_run(s, st);
}

static bool newest(struct store *s, struct span vat, uint64_t *position)
{
    sqlite3_stmt *st = stmt_get(s, STMT_SNAP_NEWEST);
    bind_text(st, 1, vat);
    if (!stmt_row(s, st)) return false;
    *position = column_u64(st, 0);
    stmt_done(st);
    return true;
}

void snapshot_delete(struct store *s, struct span vat, uint64_t budget, uint64_t *cleanups,
                     bool *done)
{
    INVARIANT(budget > 0);
    store_write(s);
    uint64_t n = 0, position = 0;
    while (n < budget && newest(s, vat, &position)) {
        sqlite3_stmt *st = stmt_get(s, STMT_SNAP_DELETE);
        bind_text(st, 1, vat);
        bind_u64(st, 2, position);
        stmt_run(s, st);
        n++;
    }
    *done = !newest(s, vat, &position);
    *cleanups = n;
}
