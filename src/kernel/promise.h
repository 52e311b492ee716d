/* promise.h -- kernel promises.
 *
 * Keys: kpNN.state, .refCount; while unresolved .decider ('' = the kernel's, or in a queue),
 * .policy (missing = ignore), .subscribers (sorted vat IDs), .queue.nextID, .queue.N;
 * afterwards .data.body, .data.slots.
 *
 * Life:    unresolved --promise_resolve--> fulfilled | rejected --unreferenced--> gone
 *
 * Invariants:
 *   P1  at most one decider; none once resolved.
 *   P2  a settled promise has no queue: its messages went back to the acceptance queue.
 *   P3  refCount = c-list entries (imports and exports) + queue entries, promise data,
 *       vatParameters and the host that name it.
 *   P4  whoever decides or listens to an unresolved one, and lives, has a row of it.
 */
#pragma once

#include "kernel/queue.h"

kref promise_new(struct kernel *k, enum policy policy);
kref promise_new_for(struct kernel *k, vat_id decider);

enum promise_state promise_state(struct kernel *k, kref p); /* UNKNOWN: no such promise */
bool promise_decider(struct kernel *k, kref p, vat_id *decider);
void promise_set_decider(struct kernel *k, kref p, vat_id decider); /* had none */
void promise_clear_decider(struct kernel *k, kref p);               /* had one */
/* Data of a settled promise. */
void promise_data(struct kernel *k, kref p, struct capdata *out);
struct strings promise_subscribers(struct kernel *k, kref p);

/* Tell `vat` how the promise settles: when it does, or soon if it has. */
void promise_subscribe(struct kernel *k, kref p, vat_id vat);
/* Keep a message until the promise settles; the event's references stay counted. */
void promise_queue_message(struct kernel *k, kref p, struct span message);
/* The messages that wait on it, from 0; false after the last. */
bool promise_queued(struct kernel *k, kref p, uint64_t at, struct span *message);
struct span promise_policy(struct kernel *k, kref p); /* of an unresolved one */
/* Put all waiting messages back on the acceptance queue (a lateral move: counts stay). */
void promise_requeue(struct kernel *k, kref p);

/* Settle: subscribers are notified, waiting messages requeued, policy applied.
 * call  the promise is unresolved, and the caller may decide it. */
void promise_resolve(struct kernel *k, kref p, bool rejected, const struct capdata *data);
void promise_reject_with(struct kernel *k, kref p, struct span message);

/* An unreferenced promise goes; its data's references with it. */
void promise_delete(struct kernel *k, kref p);

/* The settled promises a notify of `p` tells of: p, and those its data reaches. */
size_t promise_batch(struct kernel *k, kref p, kref **out);
