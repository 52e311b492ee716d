/* fork.h -- new vats from old ones.  (The specification: fork.md.)
 *
 * A fork is an event like create-vat: it is checked, the parent's heap snapshot is made
 * current if it is not, and then the parent's rows are cloned under the child's name:
 * options, vatstore, c-list, a transcript that starts with load-snapshot, and the snapshot
 * by reference.  No machine takes part: the child is paged in at its first delivery.
 *
 *   { type: "fork-vat", vatID: child, parentVatID, oldrefs: [kref…], dynamicOptions }
 *   { type: "zygotify-vat", vatID }
 *
 * (and take-offline, offline.h, which begins like these)
 *
 * Rules for what the child has:
 *   imports        the same kref and vref, flag copied
 *   exports        fresh krefs that the child owns, same vref and flag; those asked for in
 *                  oldrefs, and the root, get a reference in the callback; garbage
 *                  collection tells the child of the others
 *   promises       strict mode, the default: none, a parent that has any is refused.  Shared:
 *     it decides   a fresh promise that the child decides, same vref; the child listens to
 *                  it if the parent listens to its own; nothing waits on it, for messages
 *                  are never doubled
 *     it awaits    the same promise and vref; the child listens if the parent does, so both
 *                  learn the same (results of what the parent sent are such promises)
 *     settled, and the parent not yet told
 *                  the same, and the child is told after the parent
 *   device nodes   the same
 *   meter          the parent's, shared, or the one the fork's options name; so a child of a
 *                  metered parent is unlimited only by an unlimited meter.  A child may have
 *                  a meter though its parent has none: the limit on one delivery is set
 *                  when a machine starts, by the child's own options
 *   critical       only if the options say so, which takes the criticalVatKey
 *
 * A sealed vat (zygote) never runs again: messages to it are rejected, garbage collection
 * passes it by, only forking and termination are left.
 *
 * Invariants:
 *   F1  a child exists whole, or not at all.
 *   F2  no authority: what a child can reach, its parent could, or the forker passed it.
 *       (Whoever shares promises lets the child have what the parent was going to be told.)
 *   F3  forking a vat whose snapshot is current writes nothing to the parent.
 *   F4  no promise that the parent decides at the fork comes into the child's c-list.
 */
#pragma once

#include "kernel/crank.h"

/* Allocate the child's ID and queue the event; counts each object in refs.
 *   host  asked by the host: nobody in the swingset waits for the child */
vat_id fork_queue(struct kernel *k, const struct fork_request *r, bool host);
void zygotify_queue(struct kernel *k, vat_id vat, bool host);

/* The crank of each event.  Refusals are reported to the caller's promise. */
int fork_crank(struct kernel *k, struct jval event, struct crank_result *r, struct err *e);
int zygotify_crank(struct kernel *k, struct jval event, struct crank_result *r, struct err *e);

/* Why `vat` cannot be forked (or sealed, which shares nothing), or SPAN_NONE.  Changes
 * nothing. */
struct span fork_refusal(struct kernel *k, vat_id vat, bool share);

/* Make the vat's snapshot current: nothing but load-snapshot in its span.  A function of
 * the store alone, so that every node of a consensus machine does the same.
 * out  *r    what the run policy is told, if it was not current
 *      *bad  bringOutYourDead failed: what it did must be undone, and the machine stopped */
int fork_make_current(struct kernel *k, vat_id vat, struct crank_result *r, bool *bad,
                      struct err *e) MUST_CHECK;

/* Have vat-admin told method(vat, result), or method(vat, { error }). */
void fork_call_back(struct kernel *k, struct span method, vat_id vat, const struct pass *result,
                    struct crank_result *r);
void fork_report_refusal(struct kernel *k, struct span method, vat_id vat, bool host,
                         struct span why, struct crank_result *r);

/* The parent of a fork, as recorded at the fork. */
struct fork_origin {
    vat_id parent;
    uint64_t incarnation, position;
    uint64_t crank; /* which one forked it; UINT64_MAX: not recorded */
    struct span snapshot;
};
bool fork_origin(struct kernel *k, vat_id vat, struct fork_origin *out);
/* The same of its record, as vNN.forkedFrom has it; false if `record` is none. */
bool fork_origin_decode(struct kernel *k, struct jval record, struct fork_origin *out);
