/* diff.h -- how the states of two relatives differ.
 *
 * Relatives have a common ancestor (or one is it): the vat that both came through, and the
 * position of its transcript where they parted.  What is compared:
 *
 *   options    every key of the vat but those below; of vNN.options each member
 *   c-list     row by row of the same vref: flag and kref.  The krefs of exports, and of
 *              promises that each decides itself, are their own and so differ; that does not
 *              count
 *   vatstore   key by key
 *
 * A vat's ID, its name and where it came from do not count either.  Heaps are compared by
 * who has machines (worker/worker.h), from what a replay of each ends with (replay.h).
 */
#pragma once

#include "kernel/replay.h"

enum diff_part { DIFF_OPTIONS, DIFF_CLIST, DIFF_VATSTORE };
enum { DIFF_PARTS = DIFF_VATSTORE + 1 };

/* Which of the two it is; the other half of an entry is absent. */
struct diff_entry {
    enum diff_part part;
    struct span key;  /* "options.meterID", "o+3", the vat's own name of a vatstore key */
    struct span a, b; /* "R ko12" of a c-list row; SPAN_NONE: not there */
};

/* Where their ways parted. */
struct diff_point {
    vat_id ancestor;
    uint64_t position;     /* of its transcript: the first entry that is not in both pasts */
    uint64_t since_a, since_b; /* transcript entries of each since then, of vats between, too */
    unsigned up_a, up_b;   /* forks between the ancestor and each */
};

/* fails  EXIT_NOT_FOUND no such living vat; EXIT_POLICY they are no relatives, or the same. */
int kernel_kinship(struct kernel *k, vat_id a, vat_id b, struct diff_point *out,
                   struct err *e) MUST_CHECK;
/* `visit` is called once per difference, part by part, in the order of keys; what it gets
 * lives in the store's arena.  Nothing is written.
 * call  with two living vats (kernel_kinship) */
typedef void diff_visit(void *ctx, const struct diff_entry *entry);
void kernel_diff(struct kernel *k, vat_id a, vat_id b, diff_visit *visit, void *ctx);
