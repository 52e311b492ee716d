/* machine.h -- one worker process and the conversation with it.
 *
 * The kernel speaks first and they take turns: a command, any number of upcalls each with
 * its answer, one reply.  Our own worker need not wait for answers that are foregone (a send,
 * a vatstoreSet): it posts those upcalls in front of what it says next.  A worker that says anything out of turn has broken the protocol.
 * So has one that does not read while it is its turn to listen (`stall_ms`); how long it
 * computes is nobody's business here (the meter bounds it).
 *
 * Life:  machine_new -> (machine_exchange)* -> machine_free
 *
 * Invariants:
 *   M1  pid != 0 <=> the process exists and nobody has waited for it.
 *   M2  failed => pid == 0: a machine that died or misbehaved is killed at once, and every
 *       further command is refused.
 */
#pragma once

#include <sys/types.h>

#include "base/forkserver.h"
#include "kernel/vat_port.h"
#include "worker/process.h"

struct vat_machine {
    char name[FORKSERVER_NAME_MAX]; /* "v7:bank", as ps shows it */
    int stall_ms;

    pid_t pid;
    int connection; /* stream socket, both directions */
    int save;       /* read end of the pipe that is the worker's fd 7, or -1 */
    bool posts;     /* it knows '+': it is ours */
    const char *origin; /* what it started from: a word */
    bool failed;
    struct process_end end; /* once pid is 0 */
};

/* The worker's ends of a machine's channels, to be handed over and closed. */
struct machine_ends {
    int connection;
    int save;
};

/* What `w@7` writes, on its way out. */
struct machine_save {
    int (*sink)(void *ctx, struct span bytes, struct err *e);
    void *ctx;
    uint64_t bytes; /* so far */
};

struct machine_command {
    char verb;         /* 'R', 'e', '?', 'w', 'I' */
    struct span text;
    vat_upcall *upcall; /* NULL: an upcall is a breach of protocol */
    void *ctx;
    int reply_ms;      /* longest silence before the reply; -1 is no limit */
    struct machine_save *save; /* drained while the reply is awaited, or NULL */
};

/* A machine without a process yet: channels only. */
int machine_new(const char *name, int stall_ms, struct vat_machine **out,
                struct machine_ends *ends, struct err *e) MUST_CHECK;
void machine_close_ends(struct machine_ends *ends);

/* Give a command, serve its upcalls, take its reply.
 *
 * out    as vat_port.h; `text` and `meter` in the arena.
 * fails  as vat_port.h; the machine has failed.
 */
int machine_exchange(struct vat_machine *m, const struct machine_command *c, struct arena *a,
                     struct vat_reply *out, struct err *e) MUST_CHECK;

/* The same where death has no meaning but failure. */
int machine_ask(struct vat_machine *m, const struct machine_command *c, struct arena *a,
                struct vat_reply *out, struct err *e) MUST_CHECK;

/* Write the machine's snapshot to a sink. */
int machine_save(struct vat_machine *m,
                 int (*sink)(void *ctx, struct span bytes, struct err *e), void *ctx,
                 struct err *e) MUST_CHECK;

/* Kill the process and put "vat NAME (pid N): " in front of `e`; returns -1. */
int machine_fail(struct vat_machine *m, struct err *e);

/* Kill the process, without a word. */
void machine_kill(struct vat_machine *m);

/* End it and free it. */
void machine_free(struct vat_machine *m);
