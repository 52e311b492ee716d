/* route.h -- where a message goes.
 *
 * A message is routed twice: when it leaves the acceptance queue, and when it leaves the run
 * queue, since its target may have settled, moved or died meanwhile.  Routing counts
 * nothing; whoever takes the event off a queue gives its references back, or passes them on.
 * (Upstream: kernel.js routeSendEvent.)
 */
#pragma once

#include "kernel/queue.h"

enum route {
    ROUTE_SPLAT,   /* the message is over; its result was rejected */
    ROUTE_DELIVER, /* to `vat`, at `target` */
    ROUTE_WAIT,    /* on the promise `target` */
};

struct send_event {
    kref target;
    struct message message;
    struct span message_text;
};

void route_decode(struct kernel *k, struct jval event, struct send_event *out);

/* out  *target  (DELIVER, WAIT) what the message is for now: a promise may have become an
 *      object;  *vat (DELIVER) whose it is. */
enum route route_send(struct kernel *k, const struct send_event *s, kref *target, vat_id *vat);

/* Give back the references that the event held. */
void route_release(struct kernel *k, const struct send_event *s);

/* Take a send from the acceptance queue to where it goes: the run queue, a promise, its end. */
void route_accept(struct kernel *k, struct jval event);
