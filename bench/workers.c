/* workers.c -- machines: from an image, from nothing; and the stock worker beside them.
 *
 * The peer here is the stock xsnap-worker, driven by the very code that drives ours
 * (worker.h with no_images): the same clock, the same pipes, sample by sample in turn, and
 * nothing of Node in its time. */
#include "bench.h"

#include "base/hash.h"
#include "host/file.h"
#include "host/paths.h"
#include "worker/worker.h"

enum { BOOT_COUNT = 2, PIECE_BYTES = 1 << 16, WARM_UPS = 3 };

/* What machines start from: the boot bundles as files, one snapshot in memory. */
struct source {
    struct arena arena;
    struct span boot[BOOT_COUNT]; /* names, which serve as IDs */
    const char *bundles;
    struct buf snapshot;
    char hash[SHA256_HEX + 1];
};

static int give_bundle(void *self, struct span id, struct buf *json_text, struct err *e)
{
    struct source *s = self;
    struct arena a;
    struct span text;
    arena_init(&a);
    struct span file = arena_printf(&a, "%.*s.json", SPAN_ARG(id));
    int failed = file_read(&a, file_join(&a, s->bundles, file.p), &text, e);
    if (!failed) buf_put(json_text, text);
    arena_fini(&a);
    return failed;
}

static int give_snapshot(void *self, const char *hash,
                         int (*sink)(void *ctx, struct span bytes, struct err *e), void *ctx,
                         struct err *e)
{
    struct source *s = self;
    struct span left = buf_span(&s->snapshot);
    INVARIANT(strcmp(hash, s->hash) == 0);
    while (left.n > 0) {
        size_t n = left.n < PIECE_BYTES ? left.n : PIECE_BYTES;
        if (sink(ctx, (struct span){ left.p, n }, e) != 0) return -1;
        left = span_from(left, n);
    }
    return 0;
}

static int take_snapshot(void *ctx, struct span bytes, struct err *e)
{
    (void)e;
    buf_put(ctx, bytes);
    return 0;
}

static int source_open(struct source *s, struct err *e)
{
    *s = (struct source){ .boot = { SPAN("lockdown"), SPAN("supervisor") } };
    arena_init(&s->arena);
    return paths_bundles(&s->arena, &s->bundles, e);
}

static void source_close(struct source *s)
{
    buf_fini(&s->snapshot);
    arena_fini(&s->arena);
}

/* -- one start -------------------------------------------------------------------------- */

/* The port's start() asks the machine whether it is ready ('R', the protocol's trivial
 * command) and returns with the answer. */
static int start_and_stop(const struct vat_port *port, struct source *s, bool loaded,
                          double *ms, struct err *e)
{
    struct vat_source source = { s, give_bundle, give_snapshot };
    struct vat_start from = { .vat = { 1 }, .name = SPAN("bench"), .boot = s->boot,
                              .boot_count = BOOT_COUNT, .source = &source,
                              .snapshot = loaded ? s->hash : NULL };
    struct vat_machine *m;
    uint64_t began = kit_now_us();
    if (port->start(port->self, &from, &m, e) != 0) return -1;
    *ms = (double)(kit_now_us() - began) / 1e3;
    port->stop(port->self, m);
    return 0;
}

/* Snapshot of a machine that has booted, into `out`. */
static int boot_and_save(const struct vat_port *port, struct source *s, struct buf *out,
                         char hash[SHA256_HEX + 1], struct err *e)
{
    struct vat_source source = { s, give_bundle, give_snapshot };
    struct vat_start from = { .vat = { 1 }, .name = SPAN("bench"), .boot = s->boot,
                              .boot_count = BOOT_COUNT, .source = &source };
    struct vat_machine *m;
    if (port->start(port->self, &from, &m, e) != 0) return -1;
    int failed = port->snapshot(port->self, m, take_snapshot, out, e);
    port->stop(port->self, m);
    if (!failed) sha256_hex(buf_span(out), hash);
    return failed;
}

/* -- from an image, from a snapshot ----------------------------------------------------- */

/* The stock worker's snapshot is of the state that our image is of: prove it. */
static int same_state(const struct vat_port *ours, const struct vat_port *stock,
                      struct source *s, struct err *e)
{
    struct buf bytes = { 0 };
    char hash[SHA256_HEX + 1];
    int failed = boot_and_save(stock, s, &s->snapshot, s->hash, e);
    if (!failed) failed = boot_and_save(ours, s, &bytes, hash, e);
    if (!failed && strcmp(hash, s->hash) != 0) {
        failed = err_set(e, EXIT_INTEGRITY, "after the boot bundles the stock worker's state is not ours");
    }
    buf_fini(&bytes);
    return failed;
}

static int alternate(const struct bench *b, const struct vat_port *ours,
                     const struct vat_port *stock, struct source *s, bool loaded,
                     struct figures out[2], struct err *e)
{
    double ms;
    unsigned stock_n = stock == NULL ? 0 : b->stock_n;
    unsigned warm = loaded ? WARM_UPS : 1, done = 0;
    for (unsigned i = 0; i < warm; i++) {
        if (start_and_stop(ours, s, false, &ms, e) != 0) return -1;
        if (stock_n > 0 && start_and_stop(stock, s, loaded, &ms, e) != 0) return -1;
    }
    for (unsigned i = 0; i < b->n; i++) {
        if (start_and_stop(ours, s, false, &ms, e) != 0) return -1;
        figures_add(&out[0], ms);
        /* Spread the peer's samples evenly over ours. */
        for (; done < (i + 1) * stock_n / b->n; done++) {
            if (start_and_stop(stock, s, loaded, &ms, e) != 0) return -1;
            figures_add(&out[1], ms);
        }
    }
    return 0;
}

static int open_stock(const struct bench *b, struct vat_port *out, struct err *e)
{
    struct worker_options o = { .program = b->stock, .no_images = true };
    return worker_port_open(&o, out, e);
}

static int measure(const struct bench *b, const char *id, bool images, struct err *e)
{
    struct source s;
    struct vat_port ours = { 0 }, stock = { 0 };
    struct worker_options o = { .no_images = !images };
    struct figures f[2] = { { 0 }, { 0 } };
    bool peer = b->stock != NULL && b->stock_n > 0;
    int failed = source_open(&s, e);
    if (!failed) failed = paths_worker(&s.arena, &o.program, e);
    if (!failed) failed = worker_port_open(&o, &ours, e);
    if (!failed && peer) failed = open_stock(b, &stock, e);
    if (!failed && peer && images) failed = same_state(&ours, &stock, &s, e);
    if (!failed) failed = alternate(b, &ours, peer ? &stock : NULL, &s, images, f, e);
    if (ours.self != NULL) worker_port_close(&ours);
    if (stock.self != NULL) worker_port_close(&stock);
    source_close(&s);
    bench_emit(id, "ours", &f[0]);
    bench_emit(id, "stock", &f[1]);
    return failed;
}

int bench_worker_start(const struct bench *b, struct err *e)
{
    return measure(b, "worker_start_ms", true, e);
}

int bench_worker_cold(const struct bench *b, struct err *e)
{
    return measure(b, "worker_cold_ms", false, e);
}
