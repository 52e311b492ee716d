/* meter.h -- meters: how many computrons the vats that share one may still use.
 *
 * Keys: meter.nextID, mNN.remaining ("unlimited" or a Nat), mNN.threshold.  A meter is never
 * deleted.  Amounts are bigints, so decimal text of any length.
 *
 * After a delivery to a metered vat, aborted or not, its computrons are deducted (never
 * below 0); if there were not enough, the delivery is undone and the vat terminated.
 * (Upstream: kernelKeeper.js allocateMeter … deductMeter.)
 */
#pragma once

#include "kernel/state.h"

/* `remaining`: SPAN("unlimited") or a Nat.  Returns "m1". */
struct span meter_new(struct kernel *k, struct span remaining, struct span threshold);
/* Whether it is "m" and a number: of a meter or of none. */
bool meter_id_valid(struct span meter);
/* False if there is no such meter; either out may be NULL. */
bool meter_get(struct kernel *k, struct span meter, struct span *remaining, struct span *threshold);
void meter_add(struct kernel *k, struct span meter, struct span delta);
void meter_set_threshold(struct kernel *k, struct span meter, struct span threshold);
/* Is there enough for `spent`?  Changes nothing. */
bool meter_covers(struct kernel *k, struct span meter, uint64_t spent);
/* Returns true if this took the meter below its threshold. */
bool meter_deduct(struct kernel *k, struct span meter, uint64_t spent);
