/* events.h -- what each kind of event does in its crank.
 *
 * Each brings one vat its delivery, or finds that there is none to make (the vat is dead,
 * the promise was told of already), and says in the crank's result what follows.
 * (Upstream: kernel.js deliverRunQueueEvent and the process… functions.)
 */
#pragma once

#include "kernel/crank.h"
#include "kernel/gc.h"

/* An event of the run queue: send, notify, create-vat, startVat, upgrade-vat,
 * changeVatOptions, and ours:
 * fork-vat, zygotify-vat, take-offline.
 * fails  EXIT_INCOMPATIBLE an event that only another release can do; the world's faults. */
int event_run(struct kernel *k, struct jval event, struct crank_result *r, struct err *e) MUST_CHECK;

/* dropExports, retireExports or retireImports. */
int event_collect(struct kernel *k, const struct gc_group *g, struct crank_result *r,
                  struct err *e) MUST_CHECK;

/* bringOutYourDead. */
int event_reap(struct kernel *k, vat_id vat, struct crank_result *r, struct err *e) MUST_CHECK;
