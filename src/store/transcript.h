/* transcript.h -- what each vat was told and did, in spans.
 *
 * A vat's transcript is a row of items at positions 0, 1, 2 …, cut into spans; one span
 * is current and grows.  A span carries a running hash: h = sha256(h' + sha256hex(item)),
 * from sha256("start of transcript span").  (Upstream: transcriptStore.js.)
 *
 * Calls for a vat without a transcript are bugs of the caller, but for
 * transcript_bounds, which tells.
 */
#pragma once

#include "store/store.h"

struct transcript_bounds {
    uint64_t start;       /* of the current span, inclusive */
    uint64_t end;         /* exclusive: where the next item goes */
    uint64_t incarnation;
    char hash[SHA256_HEX + 1];
};

void transcript_init(struct store *s, struct span vat);
/* False if the vat has no current span. */
bool transcript_bounds(struct store *s, struct span vat, struct transcript_bounds *out);
/* The last span that starts at `position` or before, as it stands in the database: the end
 * and hash of the current one are those of the last commit.  False if there is none. */
bool transcript_span_at(struct store *s, struct span vat, uint64_t position,
                        struct transcript_bounds *out);
/* How much there is of a vat's transcript, whether it has a current span or not; as it stands
 * in the database, so of the last commit.
 * cost  reads the items */
struct transcript_sizes {
    uint64_t spans, end, last_start;
    uint64_t bytes; /* of the items that are there */
};
void transcript_sizes(struct store *s, struct span vat, struct transcript_sizes *out);
void transcript_add(struct store *s, struct span vat, struct span item);
/* Close the current span and open the next one.  Items of the closed span are deleted
 * if the store's options say so. */
void transcript_rollover(struct store *s, struct span vat);
/* The same, into a new incarnation; returns its number. */
uint64_t transcript_rollover_incarnation(struct store *s, struct span vat);
/* A terminated vat: no current span any more.  Idempotent. */
void transcript_stop(struct store *s, struct span vat);

/* Visit the items of [from, to) that are there, in order, until `visit` returns false.
 * `item` is good for that one call. */
typedef bool transcript_visit(void *ctx, uint64_t position, struct span item);
void transcript_read(struct store *s, struct span vat, uint64_t from, uint64_t to,
                     transcript_visit *visit, void *ctx);
/* One item, copied to the arena; false if it is not there.  `arena` NULL: only whether it is. */
bool transcript_item(struct store *s, struct span vat, uint64_t position, struct arena *arena,
                     struct span *item);

/* Delete spans and their items, newest first, at most `budget` of them; UINT64_MAX: all
 * that the vat has, at once.
 * out  *cleanups  how many spans went    *done  nothing is left */
void transcript_delete(struct store *s, struct span vat, uint64_t budget,
                       uint64_t *cleanups, bool *done);
