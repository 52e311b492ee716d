#include "kit/figures.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/xalloc.h"

void figures_add(struct figures *f, double sample)
{
    if (f->n == f->cap) {
        f->cap = f->cap == 0 ? 64 : f->cap * 2;
        f->at = xrealloc(f->at, f->cap * sizeof *f->at);
    }
    f->at[f->n++] = sample;
}

void figures_fini(struct figures *f)
{
    free(f->at);
    *f = (struct figures){ 0 };
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Samples `i` and `j` in order of size, averaged. */
static double ranked(const struct figures *f, size_t i, size_t j)
{
    INVARIANT(i < f->n && j < f->n);
    double *sorted = xmalloc(f->n * sizeof *sorted);
    memcpy(sorted, f->at, f->n * sizeof *sorted);
    qsort(sorted, f->n, sizeof *sorted, compare);
    double value = (sorted[i] + sorted[j]) / 2;
    free(sorted);
    return value;
}

double figures_p50(const struct figures *f)
{
    INVARIANT(f->n > 0);
    return ranked(f, (f->n - 1) / 2, f->n / 2);
}

double figures_percentile(const struct figures *f, unsigned percent)
{
    INVARIANT(f->n > 0 && percent > 0 && percent <= 100);
    size_t rank = (f->n * percent + 99) / 100; /* counted from 1 */
    return ranked(f, rank - 1, rank - 1);
}

double figures_sum(const struct figures *f)
{
    double sum = 0;
    for (size_t i = 0; i < f->n; i++) sum += f->at[i];
    return sum;
}

struct figures figures_slice(const struct figures *f, size_t from, size_t to)
{
    struct figures part = { 0 };
    for (size_t i = from; i < to && i < f->n; i++) figures_add(&part, f->at[i]);
    return part;
}

void figures_put_json(struct buf *b, const struct figures *f)
{
    if (f->n == 0) {
        buf_puts(b, "null");
        return;
    }
    buf_puts(b, "{\"p50\":");
    json_put_double(b, figures_p50(f));
    buf_puts(b, ",\"p99\":");
    json_put_double(b, figures_percentile(f, 99));
    buf_printf(b, ",\"n\":%zu}", f->n);
}

void figures_put_samples(struct buf *b, const struct figures *f)
{
    buf_putc(b, '[');
    for (size_t i = 0; i < f->n; i++) {
        if (i > 0) buf_putc(b, ',');
        json_put_double(b, f->at[i]);
    }
    buf_putc(b, ']');
}
