/* internal.h -- what the parts of the store share; nobody outside src/store includes it.
 *
 *   open.c        files, lock, schema; store_open, store_close
 *   store.c       cranks, savepoints, hashes, commit
 *   sql.c         statements, the transaction, savepoints as SQLite knows them
 *   kv.c          the kvStore in memory
 *   transcript.c  spans in memory, items in SQLite
 *   snapshot.c    heap snapshots;  share.c  the view over blobs-by-hash
 *   bundle.c      bundles;         bundle_check.c, compartments.c, zip.c  what is inside
 *   zip_write.c    archives of our own
 *   pending.c     telling the host of changes;  archive.c  copies on disk
 *   gzip.c        compressing;     file.c   files and directories
 *   artifact.c    names, completeness;  export.c, import.c, export_dir.c, import_dir.c
 *
 * Rollback, in one paragraph.  Rows of transcripts, snapshots and bundles are written to
 * SQLite at once and rolled back by SQLite's savepoints.  What memory holds in front of
 * SQLite (kv values, span rows) has a journal: before a record changes, and before a
 * dirty record is written out and becomes clean, its old state *with its dirty flag* is
 * pushed.  Going back to a savepoint pops the journal to the mark taken then, which
 * restores for every record the exact state, clean or dirty, that it had when SQLite's
 * savepoint was taken; so "clean means equal to SQLite" holds on both sides again (S2).
 * A SQLite savepoint is made only when something is first written to SQLite after the
 * savepoint was asked for (store_write); until then SQLite has nothing to go back on.
 */
#pragma once

#include <sqlite3.h>
#include <zlib.h>

#include "base/buf.h"
#include "store/map.h"
#include "store/store.h"

/* -- statements ---------------------------------------------------------------- */

enum stmt_id {
    STMT_BEGIN,
    STMT_COMMIT,
    STMT_SAVEPOINT, /* these three: of t0, then of t1 */
    STMT_ROLLBACK_TO = STMT_SAVEPOINT + 2,
    STMT_RELEASE = STMT_ROLLBACK_TO + 2,
    STMT_DATA_VERSION = STMT_RELEASE + 2,
    STMT_KV_GET,
    STMT_KV_NEXT,
    STMT_KV_FROM,
    STMT_KV_SET,
    STMT_KV_DELETE,
    STMT_ITEM_ADD,
    STMT_ITEM_READ,
    STMT_SPAN_ADD,
    STMT_SPAN_CURRENT,
    STMT_SPAN_UPDATE,
    STMT_SPAN_CLOSE,
    STMT_SPAN_NEWEST,
    STMT_SPAN_AT,
    STMT_SPAN_COUNT,
    STMT_ITEM_BYTES,
    STMT_SPAN_DELETE,
    STMT_ITEM_DELETE,
    STMT_ITEM_DELETE_ALL,
    STMT_SNAP_INFO,
    STMT_SNAP_USERS,
    STMT_SNAP_OTHER_USER,
    STMT_SNAP_READ,
    STMT_SNAP_HAS,
    STMT_SNAP_SAVE,
    STMT_SNAP_STOP,
    STMT_SNAP_STOP_KEEPING,
    STMT_SNAP_STOP_SHARED,
    STMT_SNAP_STOP_KEEPING_SHARED,
    STMT_SNAP_NEWEST,
    STMT_SNAP_DELETE,
    STMT_SNAP_DELETE_SHARED,
    STMT_SNAP_IS_VIEW,
    STMT_SNAP_CLONE,
    STMT_BUNDLE_HAS,
    STMT_BUNDLE_SET,
    STMT_BUNDLE_GET,
    STMT_EXPORT_NOTE,
    STMT_EXPORT_LIST,
    STMT_EXPORT_CLEAR,
    STMT_COUNT,
};

/* -- kv ------------------------------------------------------------------------- */

/* Flags of a record.  DIRTY: SQLite has something else.  SCAN: and maybe not even the
 * same key, so a range scan would go wrong.  SCAN is never without DIRTY. */
enum {
    KV_DIRTY = 1,
    KV_SCAN = 2,
    KV_IN_DIRTY = 4, /* listed in kv.dirty; may be listed and clean, not the reverse */
    KV_IN_SCAN = 8,  /* listed in kv.scan; the same */
    KV_USED = 16,    /* since the last eviction */
};

enum kv_state { KV_UNKNOWN = 0, KV_ABSENT, KV_PRESENT };

/* One key.  Invariant: UNKNOWN is never dirty; clean and not UNKNOWN equals SQLite. */
struct kv_entry {
    struct map_entry m; /* first; its key follows the struct */
    char *value;        /* malloc'd when PRESENT */
    size_t value_n;
    uint8_t state;
    uint8_t flags;
};

struct kv_undo {
    struct kv_entry *entry;
    char *value;
    size_t value_n;
    uint8_t state;
    uint8_t flags; /* DIRTY and SCAN */
    bool flushed;  /* only the flags changed: the value is still the entry's own */
};

struct kv_list {
    struct kv_entry **at;
    size_t n, cap;
};

struct kv {
    struct map map;
    size_t bytes;         /* of entries, keys and values */
    struct kv_list dirty; /* every DIRTY entry, once */
    struct kv_list scan;  /* every SCAN entry, once */
    struct kv_undo *undo;
    size_t undo_n, undo_cap;
    char **dead; /* values no longer current that the crank may still be reading */
    size_t dead_n, dead_cap;
};

/* -- spans ---------------------------------------------------------------------- */

enum span_state { SPAN_UNKNOWN = 0, SPAN_ABSENT, SPAN_CURRENT };

/* A vat's current span.  Invariant: UNKNOWN and ABSENT are never dirty. */
struct vat_span {
    struct map_entry m; /* first; its key follows the struct */
    uint64_t start, end, incarnation;
    enum span_state state;
    bool dirty;  /* end and hash are not in SQLite yet */
    bool listed; /* in spans.dirty */
    char hash[SHA256_HEX + 1];
};

struct span_undo {
    struct vat_span *span;
    uint64_t start, end, incarnation;
    enum span_state state;
    bool dirty;
    char hash[SHA256_HEX + 1];
};

struct spans {
    struct map map;
    struct vat_span **dirty;
    size_t dirty_n, dirty_cap;
    struct span_undo *undo;
    size_t undo_n, undo_cap;
};

/* -- the store ------------------------------------------------------------------ */

struct save_point {
    enum savepoint name;
    bool in_sql; /* SQLite has made it (as t0, t1) */
    size_t kv_mark, span_mark;
};

enum { SAVEPOINTS_MAX = 2 };

struct store {
    char *dir;  /* NULL: in memory */
    char *path; /* of the database; ":memory:" */
    int lock_fd;
    bool readonly;
    bool made_dir; /* by store_open */
    struct store_options options;
    sqlite3 *db;
    sqlite3_stmt *stmts[STMT_COUNT];
    int64_t data_version; /* changes when somebody else writes the file */

    bool in_crank;
    bool failed; /* a commit failed: only store_close is left */
    struct save_point points[SAVEPOINTS_MAX];
    int points_n;

    struct arena arena;
    struct sha256 *crankhash;
    struct buf unhashed; /* on its way into crankhash */
    struct kv kv;
    struct spans spans;
};

/* The disk failed in mid-crank: one line, and the end. */
_Noreturn void store_fatal(struct store *s, const struct err *e);
/* What SQLite just said, as an error. */
int sql_err(struct store *s, struct err *e, const char *doing);
int sql_exec(struct store *s, const char *sql, struct err *e) MUST_CHECK;
/* Call before anything is written to SQLite: transaction and savepoints are there then. */
int sql_begin_write(struct store *s, struct err *e) MUST_CHECK;
void store_write(struct store *s); /* the same, or fatal */
/* Undo in SQLite what came after savepoint `at`, and forget it. */
void sql_rollback_to(struct store *s, int at);
void sql_release(struct store *s);

sqlite3_stmt *stmt_get(struct store *s, enum stmt_id id);
/* The same for a statement that is used while the caller's code runs, and may so be in
 * use already: give it back with stmt_drop. */
sqlite3_stmt *stmt_take(struct store *s, enum stmt_id id);
void stmt_drop(struct store *s, enum stmt_id id, sqlite3_stmt *st);
void bind_text(sqlite3_stmt *st, int at, struct span text);
void bind_blob(sqlite3_stmt *st, int at, struct span bytes);
void bind_u64(sqlite3_stmt *st, int at, uint64_t n);
/* True: a row is there, and stmt_done must follow.  False: no more, already done. */
bool stmt_row(struct store *s, sqlite3_stmt *st);
void stmt_done(sqlite3_stmt *st);
int stmt_try(struct store *s, sqlite3_stmt *st, struct err *e) MUST_CHECK;
void stmt_run(struct store *s, sqlite3_stmt *st);
/* Good until stmt_done. */
struct span column_span(sqlite3_stmt *st, int at);
uint64_t column_u64(sqlite3_stmt *st, int at);

void kv_init(struct kv *kv);
void kv_fini(struct kv *kv);
/* Set without hashing, whatever the key. */
void kv_set_raw(struct store *s, struct span key, struct span value);
int kv_flush(struct store *s, struct err *e) MUST_CHECK;
void kv_rollback(struct store *s, size_t mark);
/* The crank is over: old values go, and so does what the cache holds beyond its cap. */
void kv_forget(struct store *s);
void kv_trim(struct store *s);

void spans_init(struct spans *sp);
void spans_fini(struct spans *sp);
int spans_flush(struct store *s, struct err *e) MUST_CHECK;
void spans_rollback(struct store *s, size_t mark);
void spans_forget(struct store *s);

/* -- export data: records, and telling of their changes (pending.c) ---------------- */

struct span_record {
    uint64_t start, end, incarnation;
    struct span hash;
    bool current;
};

void record_span_key(struct buf *b, struct span vat, uint64_t start, bool current);
void record_span_value(struct buf *b, struct span vat, const struct span_record *r);
void record_snapshot_key(struct buf *b, struct span vat, uint64_t position);
void record_snapshot_current_key(struct buf *b, struct span vat);
void record_snapshot_value(struct buf *b, struct span vat, uint64_t position,
                           struct span hash, bool in_use);
/* transcript.VAT.START.END; a snapshot's is its key. */
void artifact_span_name(struct buf *b, struct span vat, uint64_t start, uint64_t end);

/* The record `key` is now `value`, or gone (absent). */
void export_note(struct store *s, struct span key, struct span value);
void export_note_kv(struct store *s, struct span key, struct span value);
void export_note_span(struct store *s, struct span vat, const struct span_record *r);
void export_note_span_gone(struct store *s, struct span vat, uint64_t start, bool current);
/* And the pointer to the vat's snapshot in use, which this one is, or was. */
void export_note_snapshot(struct store *s, struct span vat, uint64_t position,
                          struct span hash, bool in_use);
void export_note_snapshot_gone(struct store *s, struct span vat, uint64_t position);
void export_note_snapshot_current_gone(struct store *s, struct span vat);
bool exports_wanted(const struct store *s);
void exports_flush(struct store *s);

/* Is each blob kept once (snapshot_share)? */
bool snapshots_shared(struct store *s);

/* What was written, gzipped, with its hash; the writer still has to be abandoned. */
struct snapshot_writer;
uint64_t snapshot_packed_so_far(const struct snapshot_writer *w);
struct span snapshot_packed(struct snapshot_writer *w, char hash[SHA256_HEX + 1],
                            uint64_t *raw_bytes);
/* Unzip into `sink`, checking the hash on the way.   fails  EXIT_INTEGRITY */
int snapshot_unpack(struct span packed, struct span want,
                    int (*sink)(void *ctx, struct span bytes, struct err *e), void *ctx,
                    struct err *e) MUST_CHECK;

void archive_snapshot(struct store *s, struct span vat, uint64_t position, struct span packed);
void archive_transcript(struct store *s, struct span vat, uint64_t start, uint64_t end);

/* -- artifacts (artifact.c) --------------------------------------------------------- */

enum artifact_kind { ARTIFACT_BUNDLE = 1, ARTIFACT_SNAPSHOT, ARTIFACT_SPAN };

struct artifact {
    enum artifact_kind kind;
    struct span name;
    struct span id;      /* of the bundle, or the vat's */
    uint64_t start, end; /* of a span; `start` is a snapshot's position */
};
/* fails  EXIT_USAGE */
int artifact_parse(struct span name, struct artifact *out, struct err *e) MUST_CHECK;

enum { SPLIT_MAX = 4, VAT_NAME_MAX = 64 };
/* Cut at dots; how many parts there are, of which the first SPLIT_MAX are given. */
size_t split_dots(struct span name, struct span part[SPLIT_MAX]);
bool vat_name_ok(struct span vat);

/* The running hash of a span, as hex. */
void span_hash_begin(char hash[SHA256_HEX + 1]);
void span_hash_add(char hash[SHA256_HEX + 1], struct span item);

/* A statement of one use, to be finalised by the caller. */
int sql_prepare(struct store *s, const char *sql, sqlite3_stmt **out,
                struct err *e) MUST_CHECK;
/* Another row, or no more; unlike stmt_row it reports what fails. */
int sql_step(struct store *s, sqlite3_stmt *st, bool *row, struct err *e) MUST_CHECK;

/* -- gzip -------------------------------------------------------------------------- */

enum { CHUNK_BYTES = 256 << 10 };

struct gzip {
    z_stream z;
    struct buf packed;
};
void gzip_begin(struct gzip *g, int level); /* as store_options.snapshot_level */
void gzip_put(struct gzip *g, struct span bytes);
void gzip_finish(struct gzip *g);
void gzip_fini(struct gzip *g);
/* Unzip into `sink` (0 to go on).
 * fails  EXIT_INTEGRITY; as `sink` did. */
int gunzip(struct span packed, int (*sink)(void *ctx, struct span bytes, struct err *e),
           void *ctx, struct err *e) MUST_CHECK;

/* Grow a malloc'd array so that one more fits. */
void *array_room(void *p, size_t n, size_t *cap, size_t size);
