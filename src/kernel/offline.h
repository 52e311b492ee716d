/* offline.h -- a vat is taken offline: its heap is saved, and its machine ends, now.
 *
 *   { type: "take-offline", vatID, host }
 *
 * An event like changeVatOptions.  Where the vat's snapshot is current nothing is written;
 * otherwise it brings out its dead and the snapshot is saved, as before a fork.  The next
 * delivery brings it back, and no vat can tell.
 */
#pragma once

#include "kernel/crank.h"

/* Queue the event.  `host`: nobody in the swingset waits to hear of it. */
void offline_queue(struct kernel *k, vat_id vat, bool host);

/* Why the vat cannot be taken offline, or SPAN_NONE. */
struct span offline_refusal(struct kernel *k, vat_id vat);

/* Its crank.  Vat-admin is told by offlineCallback(vatID, {} or { error }). */
int offline_crank(struct kernel *k, struct jval event, struct crank_result *r, struct err *e);
