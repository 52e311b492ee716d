/* demo.h -- the main job, as a program: a vat is created once and forked a hundred times.
 *
 *   main.c     options, a place for the stores, the order of things
 *   zoe.c      real ZCF with a real contract: create, seal, fork, use the forks
 *   counter.c  a parent and its forks grow apart
 *   report.c   the table, the family tree, the JSON
 *   story.c    what is said meanwhile, and which claims were made
 */
#pragma once

#include "demo/story.h"
#include "kit/figures.h"
#include "kit/kit.h"

struct demo {
    struct story story;
    const char *configs;   /* folder of zoe.json and demo.json */
    const char *dir;       /* where the stores go */
    unsigned forks;
    unsigned creates;      /* createVats to compare with, the zygote's own included */

    struct figures create_us;
    struct figures fork_us;        /* E(zygote).fork() to the first answer of the child */
    struct figures fork_crank_us;  /* of it the kernel's fork crank */
    uint64_t boot_us, seal_us, first_fork_us;
    unsigned forks_delayed;        /* by a heap snapshot that bootstrap or vatAdmin took */
    struct figures pss_created_kib; /* of vats that createVat made, after a message */
    struct figures pss_child_kib;  /* of every child with a worker, after its answer */
    uint64_t store_boot_bytes, store_create_bytes, store_seal_bytes;
    double store_fork_bytes;       /* per fork */
    struct buf tree;               /* text */
};

int demo_zoe(struct demo *d, struct err *e) MUST_CHECK;
int demo_counter(struct demo *d, struct err *e) MUST_CHECK;

/* The vats of a kit as a family tree, into d->tree. */
void report_tree(struct demo *d, struct kit *k);
void report_table(struct demo *d);
void report_json(const struct demo *d, struct buf *out);
