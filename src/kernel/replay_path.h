/* replay_path.h -- the transcripts that a vat's machine came through, from genesis on.
 *
 * The last leg is the vat's own transcript, all of it.  If that begins with load-snapshot,
 * the vat was forked: the leg before is its parent's, from the start of the incarnation that
 * was forked up to the fork, and so on, until one begins with initialize-worker.
 */
#pragma once

#include "kernel/replay.h"
#include "kernel/state.h"

/* out    *legs   the eldest first; the caller's to free
 * fails  EXIT_NOT_FOUND the vat has no transcript, an ancestor's is gone, items were pruned;
 *        EXIT_INTEGRITY the store says what cannot be. */
int replay_path(struct kernel *k, vat_id vat, struct replay_leg **legs, size_t *count,
                struct err *e) MUST_CHECK;
