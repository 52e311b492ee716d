/* figures.h -- samples of one quantity, and what is told of them.
 *
 * A zeroed struct holds none.  p50 is the median (the mean of the middle two of an even
 * number), any other percentile the smallest sample that so many per cent do not exceed.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"

struct figures {
    double *at;
    size_t n, cap;
};

void figures_add(struct figures *f, double sample);
void figures_fini(struct figures *f);
/* call  with at least one sample. */
double figures_p50(const struct figures *f);
double figures_percentile(const struct figures *f, unsigned percent);
double figures_sum(const struct figures *f);
/* The samples [from, to) by themselves. */
struct figures figures_slice(const struct figures *f, size_t from, size_t to);

/* {"p50":…,"p99":…,"n":…} */
void figures_put_json(struct buf *b, const struct figures *f);
/* [1.25,3,…], in the order they came. */
void figures_put_samples(struct buf *b, const struct figures *f);
