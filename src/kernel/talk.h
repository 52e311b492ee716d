/* talk.h -- one vat's machine, talked to: started, delivered to, replayed.
 *
 * Live, a delivery's syscalls are carried out and recorded.  In a replay the machine is
 * told what a transcript item says it was told; each syscall must be the recorded one, and
 * is answered from the record.  A machine that says anything else has diverged, which names
 * the first syscall that differs, and both sides of it.
 * (Upstream: manager-subprocess-xsnap.js, vat-warehouse.js.)
 */
#pragma once

#include "kernel/divergence.h"
#include "kernel/state.h"

struct talk {
    struct kernel *k;
    const struct vat_port *port;
    vat_id vat;
    struct arena *arena; /* what one delivery reads and builds */

    struct buf calls;       /* live: the syscalls so far, as transcripts keep them */
    size_t made;            /* how many */

    bool replaying;
    bool strict;            /* results must be the recorded ones, too */
    uint64_t position;      /* of the item; live: where it will go */
    struct jval recorded;   /* the item's syscalls */
    struct divergence *divergence; /* filled in when there is one; may be NULL */
};

/* What a machine starts from. */
struct talk_start {
    const char *snapshot;      /* hex SHA-256, or NULL: boot, then the vat's bundle */
    bool shared;               /* a hint: other vats start from this snapshot too */
    const struct vat_source *source; /* NULL: the kernel's store */
    struct strings boot;       /* IDs of lockdown and supervisor */
    struct span bundle_id;     /* SPAN_NONE: the vat's own, which was not installed */
    vat_id as;                 /* whose options and own bundle; n == 0: the vat's */
};
/* fails  the world's; EXIT_VAT the bundle cannot be set up, in upstream's words. */
int talk_start(struct talk *s, const struct talk_start *from, struct vat_machine **out,
                  struct err *e) MUST_CHECK;

struct delivered {
    bool ok;
    struct span problem; /* if not ok */
    bool metered;        /* a meter report came */
    uint64_t computrons;
};

/* Tell the machine `delivery` and serve it until it answers.
 * fails  the world's; EXIT_INTEGRITY a replay diverged. */
int talk_deliver(struct talk *s, struct vat_machine *m, struct span delivery,
                    struct delivered *out, struct err *e) MUST_CHECK;

/* How a transcript item keeps a result: {"status":…}. */
struct span talk_result(struct arena *a, const struct delivered *d);

/* Replay one transcript item, which must be a delivery.
 * fails  as talk_deliver; EXIT_INTEGRITY the item is damaged. */
int talk_replay(struct talk *s, struct vat_machine *m, uint64_t position, struct span item,
                   struct err *e) MUST_CHECK;

/* Say that the machine did not do what the record says: fills `e` and s->divergence. */
int talk_diverged(struct talk *s, const char *what, struct span expected, struct span got,
                     struct err *e);
