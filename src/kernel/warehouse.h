/* warehouse.h -- which vats have a machine, and bringing one back.
 *
 * A vat comes online from its heap snapshot in use, or from nothing, and its transcript
 * since then is replayed: each syscall must be the recorded one.  At most `max` vats are
 * online; the least recently used goes first, before another starts.  When a span has grown long enough a vat
 * brings out its dead, a snapshot is saved, and the machine is started anew from it
 * (upstream's restartWorkerOnSnapshot; snapshot bytes depend on it).
 * (Upstream: vat-warehouse.js, manager-subprocess-xsnap.js.)
 */
#pragma once

#include "kernel/talk.h"

struct warehouse *warehouse_new(size_t max_online);
void warehouse_free(struct kernel *k);

/* Half of `max` vats, static ones by name and then dynamic ones, are brought online at once
 * if `preload`, as upstream does.  If not, machines are started when they are first needed:
 * all that is done is what the store must show of it (initialize-worker in the transcripts
 * of vats that never ran), and who the vats are is logged.
 * fails  as warehouse_ensure. */
int warehouse_start(struct kernel *k, bool preload, struct err *e) MUST_CHECK;

/* Deliver to a vat, starting its machine if need be; append to its transcript.
 * fails  the world's fault (EXIT_INTEGRITY: the replay diverged); EXIT_VAT: the vat's code
 *        could not be set up, which only its creation may take as the vat's fault. */
int warehouse_deliver(struct kernel *k, vat_id vat, struct span delivery, struct delivered *out,
                      struct err *e) MUST_CHECK;
/* Bring the vat online without delivering. */
int warehouse_ensure(struct kernel *k, vat_id vat, struct err *e) MUST_CHECK;

/* What came of it. */
struct snapshot_taken {
    bool saved;
    bool bad;            /* bringOutYourDead failed, or the vat ended itself in it: nothing was
                            saved, and k->fate has the rest */
    uint64_t computrons; /* of the bringOutYourDead, if there was one */
    uint64_t bytes;      /* of the heap saved */
};
/* Save a snapshot if the span is long enough: `min` entries (0: by the store's settings).
 * call k->fate is reset. */
int warehouse_snapshot(struct kernel *k, vat_id vat, uint64_t min, struct snapshot_taken *out,
                       struct err *e) MUST_CHECK;

/* Which incarnation the vat is in, from 0. */
uint64_t warehouse_incarnation(struct kernel *k, vat_id vat);
/* The next: its machine ends, its heap is forgotten, its transcript starts a new span. */
void warehouse_new_incarnation(struct kernel *k, vat_id vat);

/* End the vat's machine, if it has one. */
void warehouse_stop(struct kernel *k, vat_id vat);
void warehouse_stop_all(struct kernel *k);
struct vat_machine *warehouse_machine(struct kernel *k, vat_id vat);
