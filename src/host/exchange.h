/* exchange.h -- stores that change over between upstream's kernel and ours.
 *
 * A change is one commit: what is queued in the store runs first, and then the static
 * vat-admin vat is upgraded to the other bundle, all in one transaction, which a failure
 * drops whole.
 */
#pragma once

#include "host/controller.h"

struct exchange_options {
    const char *bundles; /* where the bundles are; NULL: see host/paths.h */
    bool now; /* do not wait until vat-admin owes nobody an answer: who waits is disconnected */
};

struct exchange_done {
    bool changed;         /* something was: false, and nothing is written */
    bool enabled;         /* forks were not enabled before */
    bool upgraded;        /* vat-admin was */
    uint64_t incarnation; /* of vat-admin, now */
    uint64_t cranks;
};

/* Our vat-admin instead of upstream's (or an older one of ours), and forks enabled.
 * fails  EXIT_POLICY   vat-admin owes an answer that it cannot give (somebody waits for a
 *                      bundle), and `now` was not said; or will not be upgraded
 *        EXIT_NOT_FOUND  there is no vat-admin vat; no bundle of ours
 *        EXIT_INTEGRITY  as kernel_enable_forks; as controller_run
 *        After a failure only controller_close is left. */
int exchange_enable(struct controller *c, const struct exchange_options *o,
                    struct exchange_done *done, struct err *e) MUST_CHECK;

struct exchange_leave {
    uint64_t cranks;    /* how many had to run */
    size_t event_count; /* of ours, still queued */
    const struct event_info *events; /* in the store's arena */
};

/* Get a store ready for upstream's kernel, which panics at an event of ours: run until none is
 * queued, and commit.  `may_run` false: look only; the store may be read only.
 * fails  as controller_run */
int exchange_leave(struct controller *c, bool may_run, struct exchange_leave *out,
                   struct err *e) MUST_CHECK;
