/* snapshot.h -- heap snapshots: XS's portable format, gzipped, named by SHA-256.
 *
 * Upstream keeps one blob per (vatID, snapPos), at most one of them in use.  A store that
 * never forked keeps that table exactly.  snapshot_share() turns `snapshots` into a view
 * over rows and blobs-by-hash with INSTEAD OF triggers, which unmodified swing-store
 * opens and writes like the table; from then on a blob is stored once however many vats
 * start from it, and goes when the last row that holds it goes.
 */
#pragma once

#include "store/store.h"

struct snapshot_info {
    uint64_t position; /* snapPos: transcript position it was taken at */
    char hash[SHA256_HEX + 1];
    uint64_t raw_bytes;
    uint64_t packed_bytes;
};

/* The vat's snapshot in use. */
bool snapshot_info(struct store *s, struct span vat, struct snapshot_info *out);
/* How many vats' snapshot in use has this hash.  cost: grows with the answer; in a store
 * that never forked, with the number of snapshots. */
uint64_t snapshot_users(struct store *s, const char *hash);
/* More than one: cheap, however many. */
bool snapshot_is_shared(struct store *s, const char *hash);

/* Save one: begin, write the raw bytes in pieces, then finish or abandon (which free it).
 * snapshot_finish makes it the vat's snapshot in use and lets the previous one go. */
struct snapshot_writer;
struct snapshot_writer *snapshot_begin(struct store *s);
void snapshot_write(struct snapshot_writer *w, struct span bytes);
void snapshot_finish(struct snapshot_writer *w, struct span vat, uint64_t position,
                     struct snapshot_info *out);
void snapshot_abandon(struct snapshot_writer *w);

/* Are the bytes of a snapshot there?  (Those of one not in use may be gone.) */
bool snapshot_has(struct store *s, const char *hash);
/* Stream the raw bytes of a snapshot, found by hash, to `sink` (0 to go on), checking the
 * hash on the way.
 * fails  EXIT_NOT_FOUND no such snapshot, EXIT_INTEGRITY the bytes do not match. */
typedef int snapshot_sink(void *ctx, struct span bytes, struct err *e);
int snapshot_read(struct store *s, const char *hash, snapshot_sink *sink, void *ctx,
                  struct err *e) MUST_CHECK;

/* No snapshot is in use any more (upgrade, termination).  Idempotent. */
void snapshot_stop(struct store *s, struct span vat);
/* Delete snapshots, newest first, as transcript_delete does spans. */
void snapshot_delete(struct store *s, struct span vat, uint64_t budget, uint64_t *cleanups,
                     bool *done);

/* Turn the table into a view over blobs-by-hash.  Idempotent; done at the first fork. */
void snapshot_share(struct store *s);
/* `to` starts from the snapshot in use of `from`, at position 0.  Costs one small row.
 * call after snapshot_share. */
void snapshot_clone(struct store *s, struct span from, struct span to);
