/* external.h -- what the host holds.
 *
 * Upstream counts a reference for each result promise and resolution it hands to the host,
 * and remembers nowhere that it did.  We write them down, in keys of the host's own space
 * (host.zygote.external.KREF: how often; unhashed, unseen by upstream), so that an audit can
 * account for every count.  A key each: a host may hold the roots of ten thousand forks.
 */
#pragma once

#include "kernel/state.h"

/* Count a reference of the host to each, a kref as often as it is given. */
void external_hold(struct kernel *k, const kref *krefs, size_t count);
/* Write down that the host holds `r` so often; no count changes.  False: that is what is written
 * already. */
bool external_record(struct kernel *k, kref r, uint64_t times);
/* The host lets go of one.  False, and nothing happens, if it held none. */
bool external_release(struct kernel *k, kref r);
/* Everything held, and how often. */
typedef void external_visit(void *ctx, kref r, uint64_t times);
void external_each(struct kernel *k, external_visit *visit, void *ctx);
