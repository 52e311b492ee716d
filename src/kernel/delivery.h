/* delivery.h -- what a vat is told, in its own names.
 *
 * Each function translates one kind of delivery for one vat and returns its JSON text, as
 * transcripts keep it.  Translating changes c-lists: imports are allocated, the result
 * promise gets its decider, GC deliveries clear or delete rows.
 * (Upstream: vatTranslator.js, makeTranslateKernelDeliveryToVatDelivery.)
 */
#pragma once

#include "kernel/gc.h"
#include "kernel/queue.h"

/* `message_text`: the message as it was queued. */
struct span delivery_message(struct kernel *k, vat_id vat, kref target, const struct message *m,
                             struct span message_text);
/* The promises are settled; their rows go once the text is made. */
struct span delivery_notify(struct kernel *k, vat_id vat, const kref *promises, size_t count);
struct span delivery_gc(struct kernel *k, const struct gc_group *g);
struct span delivery_start_vat(struct kernel *k, vat_id vat, const struct capdata *parameters);
struct span delivery_bring_out_your_dead(void);
/* `options`: a JSON record. */
struct span delivery_change_options(struct kernel *k, struct span options);
