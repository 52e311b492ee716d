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
 *
 * From genesis: a forked vat's life began in its ancestors'.  Their transcripts are replayed
 * up to the fork, from where the machine that was forked was made (their incarnation then),
 * and then the vat's own, all in one machine's succession: no heap snapshot of the store is
 * used.  At the end the heap must be that of the vat's snapshot in use.
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
    bool from_genesis; /* `from` is not looked at */
    struct buf *heap;  /* NULL, or: put a heap snapshot of the machine as it is at the end here */
    void *self;
    void (*at)(void *self, uint64_t position); /* before each item; may be NULL */
};

/* Part of a replay: positions of one vat's transcript, from start, end not included. */
struct replay_leg {
    vat_id vat;
    uint64_t incarnation, start, end;
};

struct replay_report {
    uint64_t start, end;  /* what was replayed of the vat itself: from start, end not included */
    struct replay_leg *legs; /* from genesis: ancestors, the eldest first, and the vat */
    size_t leg_count;
    char heap[SHA256_HEX + 1]; /* the last snapshot passed or loaded; empty: none */
    bool heap_in_use;     /* it is the vat's in use: the replay ended where the vat would start */
    char now[SHA256_HEX + 1]; /* hash of what was put into the request's `heap` */
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
