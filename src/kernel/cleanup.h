/* cleanup.h -- deleting what a terminated vat left, a budget's worth at a time.
 *
 * Phases, in order: exports are orphaned, imports dropped, promises forgotten, then all its
 * other keys, its snapshots and its transcript spans (newest first) deleted.  A phase that
 * spends its whole budget ends the crank, and the next one goes on where it stopped.  The
 * transcript of a vat that others were forked from stays until they are gone (lineage.h).
 * (Upstream: kernelKeeper.js cleanupAfterTerminatedVat.)
 */
#pragma once

#include "kernel/state.h"

/* Do one crank's worth; *work says what was done.
 * Returns true when nothing of the vat is left and it has been forgotten. */
bool cleanup_crank(struct kernel *k, vat_id vat, const struct cleanup_work *budget,
                   struct cleanup_work *work);

/* As JSON: {"exports":3,…} without what is 0; and as a policy gives a budget,
 * {"default":N,…} with the phases that have another (null: unlimited). */
void cleanup_put_work(struct buf *b, const struct cleanup_work *work);
void cleanup_put_budget(struct buf *b, const struct cleanup_work *budget);
