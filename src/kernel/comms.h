/* comms.h -- the comms vat, while nobody talks to it.
 *
 * Upstream adds it to every swingset: a setup() vat in the kernel's own process, without
 * liveslots or a transcript.  Until its root is sent a message it does one thing: at startVat
 * it writes its counters to its vatstore.  That much is native here, so that a swingset with
 * upstream's defaults has equal state.  A message to it ends it, and says why.
 * (Upstream: vats/comms/dispatch.js, state.js.)
 */
#pragma once

#include "kernel/warehouse.h"

/* Deliver to the comms vat. */
void comms_deliver(struct kernel *k, vat_id vat, struct span delivery, struct delivered *out);
/* Can the vat run in the kernel's process?  Its worker is of the type "local".
 * fails  EXIT_INCOMPATIBLE  it is not upstream's comms vat. */
int comms_check(struct kernel *k, vat_id vat, struct err *e) MUST_CHECK;
