/* decimal.h -- natural numbers of any size as canonical decimal text ("0", "1200").
 *
 * What a JavaScript bigint that is a Nat prints as.  Everything is linear in the digits, so
 * that a number of a hundred million digits costs what reading it costs.
 */
#pragma once

#include "base/arena.h"

/* Is it one: digits only, no leading zero but "0" itself? */
bool decimal_valid(struct span text);
/* <0, 0, >0 */
int decimal_cmp(struct span a, struct span b);
struct span decimal_add(struct arena *keep, struct span a, struct span b);
/* a - b, or "0" if b is larger. */
struct span decimal_sub(struct arena *keep, struct span a, struct span b);
