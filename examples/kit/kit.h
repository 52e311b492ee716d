/* kit.h -- one swingset in a program's hands: boot it, call it, time it.
 *
 * The demo and the benchmarks are host programs: they link the kernel, open a store of
 * their own and send messages to the bootstrap vat, as any host would.  What they share is
 * here.
 *
 * Calling sequence:  kit_boot, (kit_call | kit_commit | …)*, kit_close
 *
 * An error is final, as in controller.h: what was not committed is dropped by kit_close.
 */
#pragma once

#include "host/controller.h"
#include "kit/figures.h"

struct kit {
    struct controller *controller;
    struct kernel *kernel;
    char *dir;
    struct arena arena;       /* configuration, answers; ends with the kit */

    uint64_t cranks;          /* since kit_boot */
    uint64_t forks;           /* fork cranks since kit_boot */
    uint64_t fork_us;         /* the last fork crank alone */
    uint64_t step;            /* cranks of the call under way */
    bool fork_seen;           /* in the crank under way */
};

struct kit_options {
    const char *config;       /* path of a config file */
    const char *dir;          /* of the store; must not hold one */
    uint64_t vats_online_max; /* 0: what the config says */
};

/* What a call came to. */
struct kit_answer {
    bool fulfilled;
    const struct pass *value; /* in the kit's arena */
    uint64_t us;              /* from the message to the last crank it caused */
    uint64_t cranks;
};

uint64_t kit_now_us(void); /* monotonic */

/* A fresh store, booted: the bootstrap message has run, and is committed.
 * fails  as config_load, controller_create, controller_open; EXIT_VAT bootstrap rejected. */
int kit_boot(struct kit *k, const struct kit_options *o, struct err *e) MUST_CHECK;
void kit_close(struct kit *k);
int kit_commit(struct kit *k, struct err *e) MUST_CHECK;

/* Send a message, run until nothing is left to do, take the answer.  Nothing is committed.
 * fails  the world's fault; EXIT_FAILED no answer; EXIT_VAT it was rejected. */
int kit_call(struct kit *k, const char *method, size_t count, const struct pass *const *args,
             struct kit_answer *out, struct err *e) MUST_CHECK;
/* The same to any object. */
int kit_send(struct kit *k, kref target, const char *method, size_t count,
             const struct pass *const *args, struct kit_answer *out, struct err *e) MUST_CHECK;
/* The usual calls: without an argument, with a text. */
int kit_call0(struct kit *k, const char *method, struct kit_answer *out, struct err *e) MUST_CHECK;
int kit_call1(struct kit *k, const char *method, const char *text, struct kit_answer *out,
              struct err *e) MUST_CHECK;

/* Proportional share of a vat's memory in KiB; 0: it has no worker now. */
uint64_t kit_memory(struct kit *k, const char *vat);
/* The same of every forked vat that has a worker now, added to `kib`. */
void kit_weigh_children(struct kit *k, struct figures *kib);

/* Commit; bytes in use in the database: pages that hold something. */
int kit_store_bytes(struct kit *k, uint64_t *out, struct err *e) MUST_CHECK;
/* How much more that is than `before`, shared among the `n` that were made since. */
int kit_store_bytes_each(struct kit *k, uint64_t before, unsigned n, double *out,
                         struct err *e) MUST_CHECK;

/* Ask every kit of this process to stop at the next crank; fit for a signal handler. */
void kit_interrupt(void);

/* Remove a directory and everything in it. */
void kit_remove_tree(const char *dir);
