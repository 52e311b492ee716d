/* external.h -- what the host holds.
 *
 * Upstream counts a reference for each result promise and resolution it hands to the host,
 * and remembers nowhere that it did.  We write them down, in a key of the host's own space
 * (host.zygote.external: unhashed, unseen by upstream), so that an audit can account for
 * every count.
 */
#pragma once

#include "kernel/state.h"

/* Count a reference of the host to each, a kref as often as it is given. */
void external_hold(struct kernel *k, const kref *krefs, size_t count);
/* The host holds what was counted for it, but not written down. */
void external_adopt(struct kernel *k, const struct strings *krefs);
/* The host lets go of one.  False, and nothing happens, if it held none. */
bool external_release(struct kernel *k, kref r);
/* Everything held, a kref as often as it is counted. */
struct strings external_all(struct kernel *k);
