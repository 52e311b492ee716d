/* upgrade_store.h -- kernel state of an older schema made into schema 3.
 *
 * (Upstream: controller/upgradeSwingset.js; the schemas: kernelKeeper.js.)
 *
 *   0 -> 1  `initialized` becomes `version`; reap intervals and countdowns become dirt and
 *           its thresholds
 *   1 -> 2  `vats.terminated`
 *   2 -> 3  promises that a vat's c-list kept although they were settled, and whose notify
 *           was lost, get one: they wait in `upgradeEvents`, counted, until
 *           kernel_inject_upgrade_events
 */
#pragma once

#include "base/err.h"
#include "store/store.h"

/* call   between cranks, on a store opened with any_version, before kernel_open; the caller
 *        commits.
 * out    *modified  false: it was of schema 3 already, and nothing was written
 * fails  EXIT_INCOMPATIBLE no kernel state, or of a newer schema; EXIT_INTEGRITY it is not
 *        what its schema says.  The store must then be closed without a commit. */
int kernel_upgrade_store(struct store *s, bool *modified, struct err *e) MUST_CHECK;
