/* upgrade.h -- giving a vat new code, and a new heap, over its durable state.
 *
 *   { type: "upgrade-vat", vatID, upgradeID, bundleID, vatParameters, upgradeMessage }
 *
 * In one crank: the old incarnation brings out its dead; the promises it decides are
 * rejected with { name: "vatUpgraded", upgradeMessage, incarnationNumber }; its exports
 * that are not durable are abandoned, but for the root; the transcript rolls over into the
 * next incarnation, without a snapshot; the new code is started with the new parameters.
 * If bringing out the dead or starting fails, all of it is undone and the vat goes on as it
 * was.  vat-admin hears of either.  (Upstream: kernel.js processUpgradeVat.)
 */
#pragma once

#include "kernel/crank.h"

/* Queue the event, counting what the parameters name.  Returns the upgrade's ID, "up1". */
struct span upgrade_queue(struct kernel *k, vat_id vat, struct span bundle_id,
                          const struct capdata *parameters, struct span message);

int upgrade_crank(struct kernel *k, struct jval event, struct crank_result *r, struct err *e);
