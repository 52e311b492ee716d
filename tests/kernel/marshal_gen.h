/* marshal_gen.h -- capdata from a seed: all pass styles nested, both formats, hostile ones
 * among them. */
#pragma once

#include "base/buf.h"
#include "kernel/capdata.h"
#include "lib/rng.h"

enum { GEN_SLOTS_MAX = 6 };

struct marshal_gen {
    struct rng r;
    /* How many in a thousand pieces are ones that marshal should refuse. */
    unsigned hostile;
    size_t count;
    const char *slots[GEN_SLOTS_MAX];
};

/* Other slots; only krefs if `krefs`. */
void gen_slots(struct marshal_gen *g, bool krefs);
/* A body that mentions them. */
void gen_body(struct marshal_gen *g, struct buf *body);
/* A body that is a method call, or something like it. */
void gen_call(struct marshal_gen *g, struct buf *body);
