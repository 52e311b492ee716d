/* replay.h -- does a vat still do what its transcript says?
 *
 * A vat's transcript is replayed in a machine of its own, which nothing else sees: every
 * syscall must be the recorded one, every heap snapshot have the recorded hash, and, if
 * asked for, every result and count of computrons.  The store is only read.
 *
 * A replay starts where a machine can: at the start of a span, from its snapshot if the
 * store still has the bytes, else of an earlier one, at worst where the incarnation began.
 * It goes on through snapshots and upgrades as the vat did: at a saved snapshot the machine
 * is started anew from what it wrote itself.
 */
#pragma once

#include "kernel/divergence.h"
#include "kernel/kernel.h"

#define REPLAY_LATEST ((uint64_t)INT64_MAX)

struct replay_request {
    vat_id vat;
    uint64_t from;  /* start at this position or before; REPLAY_LATEST: at the current span */
    uint64_t to;    /* stop before this position; REPLAY_LATEST: at the end */
    bool verify;    /* results and computrons, too */
    void *self;
    void (*at)(void *self, uint64_t position); /* before each item; may be NULL */
};

struct replay_report {
    uint64_t start, end;  /* what was replayed: from start, end not included */
    uint64_t deliveries, syscalls, snapshots; /* replayed and found equal */
    bool diverged;
    struct divergence divergence;
};
void replay_report_fini(struct replay_report *r);

/* out    *out   written on failure, too: how far it came
 * fails  EXIT_INTEGRITY it diverged, or the transcript is damaged; EXIT_NOT_FOUND the vat
 *        has no transcript, or what is needed to start is not in the store any more;
 *        EXIT_USAGE no such positions; the world's.
 * call   with a kernel opened only to look: `port` has its machines. */
int kernel_replay(struct kernel *k, const struct vat_port *port, const struct replay_request *r,
                  struct replay_report *out, struct err *e) MUST_CHECK;
