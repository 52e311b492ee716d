/* queue.h -- the acceptance queue and the run queue.
 *
 * Events wait on the acceptance queue until they are routed (in a crank of their own),
 * then on the run queue until they are delivered.  An event is a JSON text; every kref it
 * names is counted while it waits.
 *
 * Keys: QUEUE = [head,tail], QUEUE.N = event.  (Upstream: kernelKeeper.js enqueue.)
 */
#pragma once

#include "kernel/state.h"

enum queue { QUEUE_ACCEPTANCE, QUEUE_RUN };

void queue_put(struct kernel *k, enum queue q, struct span event);
/* Take the event at the head; false if there is none. */
bool queue_take(struct kernel *k, enum queue q, struct span *event);
uint64_t queue_length(struct kernel *k, enum queue q);
/* Look without taking, 0 = head. */
struct span queue_peek(struct kernel *k, enum queue q, uint64_t at);

/* A message: methargs and a promise for the result (KREF_INVALID: none wanted). */
struct message {
    struct capdata methargs;
    kref result;
    bool bare; /* the result member is left out, not null: of POLICY_NONE */
};

/* {"methargs":…,"result":…}; the result is null when there is no promise. */
void message_put(struct buf *b, const struct message *m);
bool message_decode(struct arena *a, struct jval v, struct message *out);

/* Queue a send, counting every reference in it (upstream's doSend). */
void queue_send(struct kernel *k, kref target, const struct message *m);
/* Queue a notify (counts the promise). */
void queue_notify(struct kernel *k, vat_id vat, kref promise);

/* Send a message from nowhere (upstream's queueToKref); returns the result promise
 * (KREF_INVALID with POLICY_NONE). */
kref queue_to_kref(struct kernel *k, kref target, struct span method,
                   const struct pass *args, enum policy policy);
/* The same; the method is a string or a symbol. */
kref queue_call(struct kernel *k, kref target, const struct pass *method,
                const struct pass *args, enum policy policy);
