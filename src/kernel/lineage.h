/* lineage.h -- what outlives a vat for the sake of those that were forked from it.
 *
 * A child's life begins in its parent's transcript.  So a parent's transcript stays when the
 * parent is terminated and cleaned up, until the last of its descendants is; then it is
 * deleted as it would have been, within cleanup's budgets.
 *
 *   zygote.family.vNN   {"children":2}, and "forkedFrom" as in vNN.forkedFrom if it has one:
 *                       how many vats were forked from it that are not gone (nor their
 *                       children); deleted with the last
 *
 * Nothing of this is written where nothing is forked.  The terminated parent's crank writes
 * no key that upstream's would not.  A kernel that knows of no forks deletes the transcript;
 * its descendants live on, and only lack the archive.
 */
#pragma once

#include "kernel/fork.h"

/* One more child.  call  in the fork's crank, with the parent alive */
void lineage_add_child(struct kernel *k, vat_id parent);
/* Is the vat's transcript part of some other vat's past? */
bool lineage_is_ancestor(struct kernel *k, vat_id vat);
/* Children counted; 0: none. */
uint64_t lineage_children(struct kernel *k, vat_id vat);
/* All that are ancestors, living or not.
 * out  *out  in the kernel's arena */
size_t lineage_ancestors(struct kernel *k, vat_id **out);
/* As fork_origin; also of a vat that is gone, but remembered as an ancestor. */
bool lineage_origin(struct kernel *k, vat_id vat, struct fork_origin *out);

/* A terminated vat is losing its keys: if it was forked, and no child of its own needs it, its
 * parent has one child fewer.  An ancestor that this leaves without any, and is gone but for
 * its transcript, is up for cleanup once more.
 * call  before its vNN.forkedFrom is deleted */
void lineage_release(struct kernel *k, vat_id vat);
