/* limits.h -- how many vats a store may have.
 *
 * Key: zygote.maxVats (a number; absent: no limit), only in stores with forks, so that a
 * store with "zygotes": false stays upstream's.
 *
 * Counted are all vats that take room: the living, and the dead whose rows are not deleted
 * yet; or a fork bomb whose children end themselves would never meet the limit.
 */
#pragma once

#include "kernel/state.h"

/* 0: no limit. */
uint64_t limits_max_vats(struct kernel *k);
void limits_set_max_vats(struct kernel *k, uint64_t max);

/* Why no vat can be made now ("too many vats"), or SPAN_NONE. */
struct span limits_refusal(struct kernel *k);
