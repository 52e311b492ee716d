/* crank.h -- one delivery, one set of changes, kept or dropped whole.
 *
 * Order of work (upstream's kernel.js): the acceptance queue is routed first, one event a
 * crank; then a terminated vat is cleaned up, then garbage collection is delivered, then
 * vats that are due bring out their dead, then the run queue is served.
 *
 * A crank:   savepoint START, take the event; savepoint DELIVER, deliver;
 *            abort?  roll back to DELIVER (event consumed) or START (tried again)
 *            else    maybe save a heap snapshot
 *            then    deduct the meter, count dirt, terminate, call vat-admin, settle counts,
 *                    step the crank number, emit hashes.
 */
#pragma once

#include "kernel/state.h"

/* What a delivery asks of the end of its crank. */
struct crank_result {
    bool abort;          /* undo what the delivery did */
    bool consume;        /* and do not try the event again */
    bool delivered;      /* to `vat` */
    vat_id vat;
    uint64_t computrons; /* 0: none were counted */
    struct span meter;   /* to deduct them from; SPAN_NONE: none */
    bool measure_dirt;
    uint64_t gc_krefs;
    bool terminate;      /* `vat` */
    bool reject;
    struct capdata info;
    struct span admin_method; /* to call on vat-admin; SPAN_NONE: none */
    const struct pass *admin_args;
    kref *release;       /* references the event held, to give back after an abort */
    size_t release_count;
    struct cleanup_work cleaned; /* of a dead vat */
    enum crank_kind counts_as;   /* for the run policy, where `delivered` does not tell */
    struct fork_work forked;
    struct span refused;         /* why a fork and such was, for the slog; or SPAN_NONE */
};

/* Run one crank.  `policy` (NULL: unlimited) is asked only whether to clean up.
 * out   *ran     false: nothing to do.
 * fails the world's fault, or a panic: this crank is undone; earlier ones stand. */
int crank_run(struct kernel *k, const struct run_policy *policy, struct crank_report *report,
              bool *ran, struct err *e) MUST_CHECK;

/* What a delivery costs its vat. */
enum {
    DELIVER_FREE = 0,
    DELIVER_DIRTY = 1,   /* it counts towards bringOutYourDead */
    DELIVER_METERED = 2, /* its computrons are deducted from the vat's meter */
};

/* One delivery to a vat's machine, and what follows from how it went. */
int crank_deliver(struct kernel *k, vat_id vat, struct span delivery, unsigned cost,
                  uint64_t gc_krefs, struct crank_result *r, struct err *e) MUST_CHECK;
