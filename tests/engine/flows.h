/* flows.h -- one vat's life, in every way a worker can be stopped and brought back. */
#pragma once

#include "base/buf.h"

enum flow_begin {
    FLOW_BOOT,        /* lockdown, supervisor, then the vat */
    FLOW_BASE,        /* the snapshot after lockdown and supervisor, reloaded, then the vat */
    FLOW_BASE_IMAGE,  /* the image of that, through the fork server */
    FLOW_BOOT_IMAGE,  /* the image of a booted machine, through the fork server */
};

enum flow_middle {
    FLOW_GO_ON,
    FLOW_WRITE,   /* write a snapshot, go on in the same process */
    FLOW_RELOAD,  /* write a snapshot, go on in a process that reads it */
    FLOW_IMAGE,   /* write, hydrate, image, go on in a child of the image */
};

struct flow {
    const char *name; /* of the golden: what the stock worker calls this life */
    enum flow_begin begin;
    enum flow_middle middle;
};

struct flow_size {
    const char *name;
    unsigned deliveries, boyd_every, middle_at;
};

extern const struct flow_size flow_short, flow_long;

/* The lives a stock worker can have: one golden each. */
extern const struct flow flow_stock[];
enum { FLOW_STOCK = 5 };

/* Live it with `binary`.  Appends lines "NAME.SIZE.WHAT VALUE" for WHAT = snapshot,
 * syscalls, computrons, heap. */
void flow_run(const struct flow *f, const struct flow_size *size, const char *binary,
              struct buf *lines);
