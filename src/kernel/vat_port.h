/* vat_port.h -- what the kernel needs of machines that run vats.
 *
 * A plain struct of functions that the kernel defines and somebody above fills: our
 * worker processes (src/worker), a scripted vat (tests), the stock xsnap-worker
 * (conformance).  Images and pools hide behind start and stop: how a vat came back makes no
 * difference to the kernel, which asks only for the slog.
 *
 * A machine is spoken to in commands: a JSON text, answered by a JSON text, with any
 * number of upcalls (syscalls, console lines) in between.  Texts are those of upstream's
 * manager-subprocess-xsnap.js: ["setBundle",…], ["deliver",…] down, ["syscall",…] up.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "kernel/ids.h"

struct vat_machine; /* owned by the port; one running vat */

/* Where a port finds what a machine starts from; filled by the kernel over its store. */
struct vat_source {
    void *self;
    /* Text of a bundle (as JSON) by its ID: the lockdown and supervisor bundles. */
    int (*bundle)(void *self, struct span id, struct buf *json_text, struct err *e);
    /* Raw bytes of a heap snapshot by hash, in pieces. */
    int (*snapshot)(void *self, const char *hash,
                    int (*sink)(void *ctx, struct span bytes, struct err *e), void *ctx,
                    struct err *e);
};

struct vat_start {
    vat_id vat;
    struct span name;         /* for ps; may be empty */
    bool metered;             /* per-crank computron limit, as upstream's xsnap */
    const char *snapshot;     /* hex SHA-256, or NULL: start from lockdown + supervisor */
    bool shared;              /* a hint: other vats start from this snapshot too */
    const struct span *boot;  /* bundle IDs evaluated, in order, when there is no snapshot */
    size_t boot_count;
    const struct vat_source *source;
};

enum vat_outcome {
    VAT_REPLIED = 0,
    VAT_TOO_MUCH_COMPUTATION, /* the machine is gone: exit 17 */
    VAT_STACK_OVERFLOW,       /* exit 12 */
    VAT_OUT_OF_MEMORY,        /* exit 11 */
};

struct vat_reply {
    enum vat_outcome outcome;
    struct span text;    /* JSON; in the caller's arena */
    struct span meter;   /* JSON of the meter report, or absent */
    uint64_t computrons; /* `compute` of the meter report */
};

/* Answers an upcall: reads `text`, appends the reply's JSON.  Nonzero ends the command
 * with that error (a babbling machine: the world's fault). */
typedef int vat_upcall(void *ctx, struct span text, struct buf *reply, struct err *e);

struct vat_port {
    void *self;

    /* A machine ready for commands.
     * fails  the world's: no process, bad snapshot bytes, a boot script that throws. */
    int (*start)(void *self, const struct vat_start *from, struct vat_machine **out,
                 struct err *e);

    /* Send a command and wait for its reply.
     * fails  the machine died in a way the vat cannot cause deterministically, or it does
     *        not keep to the protocol: the machine must be stopped, the crank given up. */
    int (*command)(void *self, struct vat_machine *m, struct span text, vat_upcall *upcall,
                   void *ctx, struct arena *a, struct vat_reply *out, struct err *e);

    /* Write the machine's heap snapshot (raw bytes) to `sink`. */
    int (*snapshot)(void *self, struct vat_machine *m,
                    int (*sink)(void *ctx, struct span bytes, struct err *e), void *ctx,
                    struct err *e);

    /* End the machine; `m` is gone.  Never fails. */
    void (*stop)(void *self, struct vat_machine *m);

    /* What the machine started from, in a word: "image", "snapshot", "bundles".  May be NULL. */
    const char *(*origin)(void *self, const struct vat_machine *m);
};
