/* report.c -- what it all came to. */
#include "demo/demo.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"

enum { CHILDREN_SHOWN = 3 };

/* -- the table -------------------------------------------------------------------------- */

static void row(const char *what, const char *created, const char *forked, const char *worst)
{
    printf("  %-36s %13s %13s %13s\n", what, created, forked, worst);
}

static const char *rule(const struct demo *d)
{
    return d->story.utf8 ? "─" : "-";
}

static void put_rule(const struct demo *d)
{
    printf("  ");
    for (int i = 0; i < 78; i++) printf("%s", rule(d));
    putchar('\n');
}

static void put_times(const struct demo *d)
{
    row("to the first answer", time_text(figures_p50(&d->create_us)).s,
        time_text(figures_p50(&d->fork_us)).s, time_text(figures_percentile(&d->fork_us, 99)).s);
    row("  of it the kernel's fork crank", "", time_text(figures_p50(&d->fork_crank_us)).s,
        time_text(figures_percentile(&d->fork_crank_us, 99)).s);
}

static void put_sizes(const struct demo *d)
{
    struct amount_text child = { "no worker" }, worst = { "" };
    if (d->pss_child_kib.n > 0) {
        child = bytes_text(figures_p50(&d->pss_child_kib) * 1024);
        worst = bytes_text(figures_percentile(&d->pss_child_kib, 99) * 1024);
    }
    row("memory (PSS), one message answered", bytes_text(figures_p50(&d->pss_created_kib) * 1024).s,
        child.s, worst.s);
    row("store", bytes_text((double)d->store_create_bytes).s, bytes_text(d->store_fork_bytes).s, "");
}

void report_table(struct demo *d)
{
    if (d->story.silent) return;
    char heads[3][32];
    double create = figures_p50(&d->create_us), forks = figures_sum(&d->fork_us);
    snprintf(heads[0], sizeof heads[0], "createVat");
    snprintf(heads[1], sizeof heads[1], "fork p50");
    snprintf(heads[2], sizeof heads[2], "fork p99");
    story_chapter(&d->story, "What it cost");
    row("", heads[0], heads[1], heads[2]);
    put_rule(d);
    put_times(d);
    put_sizes(d);
    put_rule(d);
    printf("  createVat: median of %zu; fork: of %zu; memory: of %zu made by createVat and %zu forked,\n"
           "  those that have a worker now. Once per zygote: sealing %s, the first fork %s.\n",
           d->create_us.n, d->fork_us.n, d->pss_created_kib.n, d->pss_child_kib.n,
           time_text((double)d->seal_us).s, time_text((double)d->first_fork_us).s);
    if (d->forks_delayed > 0) {
        printf("  %u of the forks waited for a heap snapshot that bootstrap or vatAdmin had to take;\n"
               "  the slowest took %s.\n", d->forks_delayed,
               time_text(figures_percentile(&d->fork_us, 100)).s);
    }
    printf("\n  %u createVats at that pace would have taken %s; the %u forks took %s: ", d->forks,
           time_text(create * d->forks).s, d->forks, time_text(forks).s);
    printf(d->story.color ? "\033[1m%.0f times\033[0m less.\n" : "%.0f times less.\n",
           create * d->forks / forks);
}

/* -- the tree --------------------------------------------------------------------------- */

struct family {
    size_t count;
    struct vat_info *vats;
    const char *branch, *last, *bar, *dots;
};

static void put_vat(struct buf *b, const struct vat_info *v)
{
    buf_printf(b, "%.*s %s", SPAN_ARG(v->name), vat_id_text(v->vat).s);
    if (v->sealed) buf_puts(b, "  zygote");
    buf_printf(b, "  %" PRIu64 " transcript %s", v->deliveries, v->deliveries == 1 ? "entry" : "entries");
    buf_puts(b, v->online ? "" : ", offline");
    buf_putc(b, '\n');
}

static size_t children_of(const struct family *f, vat_id parent)
{
    size_t n = 0;
    for (size_t i = 0; i < f->count; i++) n += vat_id_eq(f->vats[i].forked_from, parent);
    return n;
}

/* The first few, and a count for the others. */
static void put_children(struct buf *b, const struct family *f, vat_id parent)
{
    size_t total = children_of(f, parent), seen = 0;
    for (size_t i = 0; i < f->count && seen < CHILDREN_SHOWN; i++) {
        if (!vat_id_eq(f->vats[i].forked_from, parent)) continue;
        seen++;
        buf_printf(b, "  %s", seen == total ? f->last : f->branch);
        put_vat(b, &f->vats[i]);
    }
    if (total > seen) buf_printf(b, "  %s%s and %zu more\n", f->last, f->dots, total - seen);
}

void report_tree(struct demo *d, struct kit *k)
{
    struct arena a;
    bool utf8 = d->story.utf8;
    struct family f = { .branch = utf8 ? "├─ " : "|- ", .last = utf8 ? "└─ " : "`- ",
                        .dots = utf8 ? "…" : "..." };
    arena_init(&a);
    f.count = kernel_vats(k->kernel, &a, &f.vats);
    for (size_t i = 0; i < f.count; i++) {
        if (f.vats[i].forked_from.n != 0) continue;
        buf_puts(&d->tree, "  ");
        put_vat(&d->tree, &f.vats[i]);
        put_children(&d->tree, &f, f.vats[i].vat);
    }
    arena_fini(&a);
}

/* -- JSON ------------------------------------------------------------------------------- */

static void put_figures(struct buf *b, const char *key, const struct figures *f)
{
    buf_printf(b, ",\n \"%s\":", key);
    figures_put_json(b, f);
}

static void put_number(struct buf *b, const char *key, double n)
{
    buf_printf(b, ",\n \"%s\":", key);
    json_put_double(b, n);
}

void report_json(const struct demo *d, struct buf *b)
{
    buf_printf(b, "{\"schema\":1,\n \"forks\":%u", d->forks);
    put_number(b, "boot_us", (double)d->boot_us);
    put_figures(b, "create_us", &d->create_us);
    put_number(b, "seal_us", (double)d->seal_us);
    put_number(b, "first_fork_us", (double)d->first_fork_us);
    put_figures(b, "fork_us", &d->fork_us);
    buf_puts(b, ",\n \"fork_us_samples\":");
    figures_put_samples(b, &d->fork_us);
    put_figures(b, "fork_crank_us", &d->fork_crank_us);
    put_number(b, "forks_delayed", d->forks_delayed);
    put_figures(b, "pss_created_kib", &d->pss_created_kib);
    put_figures(b, "pss_child_kib", &d->pss_child_kib);
    put_number(b, "store_create_bytes", (double)d->store_create_bytes);
    put_number(b, "store_seal_bytes", (double)d->store_seal_bytes);
    put_number(b, "store_fork_bytes", d->store_fork_bytes);
    buf_puts(b, ",\n \"claims\":[");
    for (unsigned i = 0; i < d->story.claim_count; i++) {
        const struct claim *c = &d->story.claims[i];
        buf_printf(b, "%s\n  {\"holds\":%s,\"claim\":", i == 0 ? "" : ",", c->holds ? "true" : "false");
        json_put_string(b, span_of(c->text));
        buf_putc(b, '}');
    }
    buf_puts(b, "]}\n");
}
