/* run.h -- one run of a scenario in our kernel: what its parts share.
 *
 * Calling sequence:  run_open, run_op for each host call of the script, run_close, run_dump.
 *
 * Whatever goes wrong outside a vat ends the process, with a line that says what.
 */
#pragma once

#include <stdio.h>

#include "host/config.h"
#include "kernel/devices.h"
#include "worker/worker.h"

enum { RUN_NAMES_MAX = 64, RUN_SLOTS_MAX = 64 };

struct run_result {
    struct span name;
    kref promise;
    size_t slot_count;
    kref slots[RUN_SLOTS_MAX];
};

/* What reapAllVats said, to be told the next time. */
struct run_positions {
    struct span name;
    const struct vat_position *of;
    size_t count;
};

struct run {
    const char *dir, *store_dir;
    struct config config;
    struct arena arena;
    struct store *store;
    struct kernel *kernel;
    struct vat_port port;
    struct run_result results[RUN_NAMES_MAX];
    size_t result_count;
    struct run_positions positions[RUN_NAMES_MAX];
    size_t position_count;
    struct span last;         /* name of the message queued last */
    struct buf steps, cranks; /* JSON, so far */
    struct buf went_out[3];   /* through devices, during this host call (devices.c) */
    int step;
    FILE *slog;               /* its lines, without times; NULL: not asked for */
    bool preload;
    bool panicked;            /* only a restart is of use now; nothing more is committed */
};

/* A host call: appends members to `out`. */
typedef int run_operate(struct run *r, struct jval op, struct buf *out, struct err *e);
struct run_operation {
    const char *name;
    run_operate *carry_out;
};
extern const struct run_operation run_device_operations[]; /* ends with a NULL name */
struct device_host run_device_host(struct run *r);
/* Members that say what went out through devices since the last time. */
void run_take_out(struct run *r, struct buf *out);

_Noreturn void run_die(const struct err *e);

/* Open the store again, as it was committed last. */
void run_reopen(struct run *r);

/* One host call: its JSON goes in, its result's JSON is appended to r->steps. */
void run_op(struct run *r, struct jval op);

/* Everything, to standard output.  call  after the store was closed. */
void run_dump(struct run *r);
