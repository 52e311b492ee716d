/* family.h -- a world with a dynamic vat that is forked, for the tests of forks.
 *
 * v1 is boot, v2 vatAdmin, v3 and v4 are a and b, p is v5 and its first child v6.  p is known
 * to a, b, boot and vatAdmin; it knows a's and b's roots.
 */
#pragma once

#include "world.h"

struct family {
    struct world w;
    vat_id a, b, p;
    char p_in_boot[16], p_in_a[16], p_in_b[16], a_in_p[16], b_in_p[16];
};

void open_family(struct family *f);
/* With another world, and p's options ("'name':'parent'"). */
void open_with(struct family *f, struct world_setup s, const char *options);

/* p exports `name` to boot; its kref. */
kref exported(struct family *f, const char *name);
/* A child of p, strict, and one that shares p's promises. */
vat_id forked(struct family *f, size_t count, const kref *refs);
vat_id shared(struct family *f);

/* Queue a fork behind which comes what a does: a's delivery is run, the fork's crank is next
 * but for accepting what a sent. */
vat_id fork_before(struct family *f, const char *what_a_does);

/* Does a vat's delivery `at` (delivery_at) begin so? */
bool starts_with(struct world *w, vat_id vat, int at, const char *text);

/* What a vat is in the store: its keys, transcript, snapshot. */
struct buf picture(struct world *w, vat_id vat);
/* The whole store, but for what asking and answering leave: counters, queues, and what boot
 * and vatAdmin heard. */
struct buf panorama(struct world *w);
/* Shows both if they differ; frees both. */
bool same_picture(struct buf *a, struct buf b);

/* A refused fork: told why, no child, and nothing in the whole store changed. */
void expect_refused(struct world *w, vat_id parent, size_t count, const kref *refs, const char *why);
