/* store.h -- a swing-store: one SQLite file that holds everything a kernel is.
 *
 * The file is upstream's, to the byte (swing-store 0.10.0: tables kvStore,
 * transcriptItems, transcriptSpans, snapshots, bundles, pendingExports; WAL,
 * synchronous=FULL), so either kernel opens what the other wrote.
 *
 * Calling sequence:
 *
 *   store_open
 *     store_start_crank                       the crankhash starts over
 *       store_savepoint(START)
 *         … kv_, transcript_, snapshot_, bundle_ …
 *       store_savepoint(DELIVER)
 *         …                                   store_rollback(DELIVER or START)
 *       store_emit_hashes                     crankhash into activityhash
 *     store_end_crank                         the crank is kept
 *     … more cranks …
 *   store_commit                              the block is durable
 *   store_close                               what was not committed is gone
 *
 * Writes outside a crank are allowed (upstream's host calls make them); they are hashed
 * only if an emit comes before the next store_start_crank.
 *
 * Invariants:
 *   S1  what a reader sees is the last write, whether or not it reached SQLite.
 *   S2  after store_rollback(X) every kv value, transcript, snapshot and bundle row is
 *       what it was at store_savepoint(X); savepoints made since are gone, X with them.
 *   S3  rollback does not touch the crankhash: writes of aborted deliveries stay hashed.
 *   S4  one process at a time holds a store open for writing.
 *
 * Spans returned by kv_get and friends live in the crank's memory: until
 * store_end_crank, or the next store_start_crank for what is read between cranks.
 *
 * Errors: opening and committing report.  A disk that fails in the middle of a crank
 * ends the process with one line naming the file: nothing was promised yet, and the next
 * open finds the last commit.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"

struct store;

/* Of the process that has the store in `dir` open for writing; 0: none that can be seen. */
long store_writer(const char *dir);

/* What to keep, and whom to tell.  Zeroed: upstream's defaults.  Not kept in the store:
 * each process that opens it says so again. */
enum { STORE_NOT_PACKED = -1 };

struct store_options {
    int snapshot_level;     /* zlib's 1 to 9 for new heap snapshots; 0: 3; or STORE_NOT_PACKED */
    bool prune_transcripts; /* delete the items of a span when it closes; its hash stays
                               (upstream's keepTranscripts: false) */
    bool keep_snapshots;    /* keep the heap of snapshots no longer in use */
    bool any_version;       /* open it whatever the schema version of its kernel state */
    /* Directories to put copies in, gzipped, of each new snapshot and each closed span;
     * NULL: none.  A copy that cannot be written ends the process, as a failing disk. */
    const char *archive_snapshots, *archive_transcripts;
    /* Called with each record of the export data that changed (`value` absent: it is gone),
     * by store_end_crank and store_commit; may not call back into the store. */
    void (*on_export)(void *ctx, struct span key, struct span value);
    void *export_ctx;
    void (*step)(void *self, const char *label); /* crash tests: a point of a commit passed */
    void *step_self;
};

enum store_mode {
    STORE_CREATE,   /* the directory must not hold a store yet */
    STORE_OPEN,     /* it must */
    STORE_READONLY, /* it must; beside a writer, shows one commit; no crank calls */
};

enum savepoint { SAVEPOINT_START = 0, SAVEPOINT_DELIVER };

/* Is there a swingstore.sqlite in `dir`? */
bool store_exists(const char *dir);

/* `dir` is created if missing (STORE_CREATE); NULL makes a store in memory, for tests.
 * fails  EXIT_NOT_FOUND     no store there (STORE_OPEN, STORE_READONLY)
 *        EXIT_FAILED        there is one already (STORE_CREATE), or the disk refuses
 *        EXIT_BUSY          another process has it
 *        EXIT_INCOMPATIBLE  not a swing-store, or of another schema version
 *        EXIT_INTEGRITY     the file is damaged
 * STORE_CREATE takes over tables without a row in them (an interrupted creation). */
int store_open(const char *dir, enum store_mode mode, struct store **out,
               struct err *e) MUST_CHECK;
int store_open_with(const char *dir, enum store_mode mode,
                    const struct store_options *options, struct store **out,
                    struct err *e) MUST_CHECK;
/* Say anew what the options say of it, from here on; between cranks. */
void store_retain(struct store *s, bool prune_transcripts, bool keep_snapshots);
void store_close(struct store *s);
/* Close a store that could not be made, and remove its files: nothing is left behind. */
void store_discard(struct store *s);
/* call between cranks.  After a failure only store_close is left. */
int store_commit(struct store *s, struct err *e) MUST_CHECK;

void store_start_crank(struct store *s);
void store_savepoint(struct store *s, enum savepoint sp);
void store_rollback(struct store *s, enum savepoint sp);
/* Writes `activityhash`; both hashes come back as hex. */
void store_emit_hashes(struct store *s, char crankhash[SHA256_HEX + 1],
                       char activityhash[SHA256_HEX + 1]);
void store_end_crank(struct store *s);

/* Between cranks: what was read so far may go, as if a crank had started.  For programs
 * that read a whole store and run no cranks. */
void store_forget(struct store *s);

/* Memory that lives as long as what the crank reads. */
struct arena *store_arena(struct store *s);
/* Bytes of the database and its log on disk (0 in memory). */
uint64_t store_disk_bytes(struct store *s);
