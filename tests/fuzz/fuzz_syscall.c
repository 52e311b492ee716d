/* Syscalls from anybody: whatever a worker asks for, the kernel stands, its counts agree, and
 * no other vat is touched.
 *
 * An input is lines.  Each is a syscall's JSON, or what passes for it; after "!" the whole
 * text a worker sends.  The vat "a" makes them all in one delivery, in a world where
 *
 *   o-52   is b's root           o+1  is known to b       d-70  is the vat-admin device
 *   o-53   was dropped           o+2  was, and dropped    d-71  a bundlecap
 *   o-54   is b's, reachable     p+8  was sent to b       p-60  is the result a decides
 *
 *     make fuzz FUZZ=syscall                                   (libFuzzer, clang)
 *     build/tests/fuzz/fuzz_syscall tests/fuzz/corpus/syscall  (with plain.c)
 */
#include "kernel/crank.h"
#include "kernel/delivery.h"
#include "kernel/events.h"
#include "kernel/lifecycle.h"
#include "kernel/route.h"
#include "kernel/world.h"
#include "lib/bundles.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINES_MAX = 100, FOLLOW_MAX = 40 };

static struct world w;
static vat_id a, b;
static struct vat_port inner;
static struct span lines; /* to send instead of the next delivery; absent: deliver it */

/* -- a machine that says what the input says -------------------------------------------------- */

static int say(struct span line, vat_upcall *up, void *ctx, struct err *e)
{
    struct buf text = { 0 }, reply = { 0 };
    bool whole = line.n > 0 && line.p[0] == '!';
    if (!whole) buf_puts(&text, "[\"syscall\",");
    buf_put(&text, whole ? span_from(line, 1) : line);
    if (!whole) buf_putc(&text, ']');
    int failed = up(ctx, buf_span(&text), &reply, e);
    buf_fini(&text);
    buf_fini(&reply);
    return failed;
}

static int command(void *self, struct vat_machine *m, struct span text, vat_upcall *up, void *ctx,
                   struct arena *keep, struct vat_reply *out, struct err *e)
{
    if (lines.p == NULL) return inner.command(self, m, text, up, ctx, keep, out, e);
    struct span rest = lines;
    lines = SPAN_NONE;
    for (unsigned i = 0; i < LINES_MAX && rest.n > 0; i++) {
        const char *stop = memchr(rest.p, '\n', rest.n);
        size_t n = stop == NULL ? rest.n : (size_t)(stop - rest.p);
        if (say((struct span){ rest.p, n }, up, ctx, e) != 0) return -1;
        rest = span_from(rest, stop == NULL ? n : n + 1);
    }
    *out = (struct vat_reply){ .outcome = VAT_REPLIED, .text = SPAN("[\"ok\",null,null]"),
                               .meter = SPAN("{\"compute\":5}"), .computrons = 5 };
    return 0;
}

/* -- the world ---------------------------------------------------------------------------------- */

static void install_bundle(void)
{
    struct sample m;
    struct arena keep;
    struct span id;
    struct err e;
    arena_init(&keep);
    make_sample(&m, false);
    if (kernel_install_bundle(w.kernel, &keep, buf_span(&m.json), SPAN_NONE, &id, &e) != 0) BUG(e.text);
    world_run(&w);
    device_call(&w, "getBundleCap #['%.*s']", SPAN_ARG(id));
    world_run(&w);
    free_sample(&m);
    arena_fini(&keep);
}

static void set_up(void)
{
    char a_in_b[16], b_in_a[16];
    world_open(&w, &(struct world_setup){ .vats = { "a", "b" }, .snapshot_initial = 1000 });
    a = vat_named(&w, "a");
    b = vat_named(&w, "b");
    strcpy(a_in_b, name_for(&w, b, root_of(&w, a)));
    strcpy(b_in_a, name_for(&w, a, root_of(&w, b)));
    poke(&w, b, "send %s o+1 -> p+1", a_in_b);
    poke(&w, b, "send %s o+2 -> p+2", a_in_b);
    poke(&w, a, "drop o-53");
    poke(&w, a, "send %s o+1 o+2 p+8", b_in_a);
    poke(&w, b, "drop %s", name_for(&w, b, meant(&w, a, "o+2")));
    plan(&w, a, "message", "!keep");
    poke(&w, b, "send %s -> p+3", a_in_b);
    install_bundle();
    poke(&w, w.boot, "send %s d-70 d-71", name_for(&w, w.boot, root_of(&w, a)));
    INVARIANT(strcmp(b_in_a, "o-52") == 0 && meant(&w, a, "o-53").kind != KREF_INVALID &&
              meant(&w, a, "p-60").kind == KREF_INVALID && meant(&w, a, "d-71").kind == KREF_DEVICE);
    inner = w.port;
    w.kernel->port.command = command;
}

/* -- one delivery, and what follows from it ------------------------------------------------------- */

static void others(struct buf *out)
{
    static const char *const prefixes[] = { "v1.", "v2.", "v4." };
    for (int i = 0; i < 3; i++) world_dump_keys(&w, prefixes[i], out);
}

static void on_breach(void *ctx, const char *text)
{
    (void)ctx;
    print_error("%s\n", text);
}

static void audit(const char *when)
{
    gc_process_refcounts(w.kernel);
    if (kernel_audit(w.store, on_breach, NULL) > 0) BUG(when);
}

/* The crank's end, as crank.c has it. */
static void finish(const struct crank_result *r, struct buf *before)
{
    struct kernel *k = w.kernel;
    struct buf after = { 0 };
    struct capdata info = r->info;
    if (r->abort) {
        kernel_rollback(k, SAVEPOINT_DELIVER);
        marshal_error(kernel_arena(k), SPAN("undone"), &info);
    }
    if (r->terminate) vat_terminate(k, a, r->reject, &info);
    others(&after);
    if (!span_eq(buf_span(before), buf_span(&after))) BUG("another vat was touched");
    buf_fini(&after);
    audit("after the delivery");
}

/* Route and deliver what it queued. */
static void follow_up(void)
{
    struct kernel *k = w.kernel;
    struct span text;
    struct jval event;
    struct err e;
    for (int i = 0; i < FOLLOW_MAX && queue_take(k, QUEUE_ACCEPTANCE, &text); i++) {
        if (json_parse(kernel_arena(k), text, &event, &e) != 0) BUG("a queued event is not JSON");
        if (json_is(json_get(event, "type"), "send")) route_accept(k, event);
        else queue_put(k, QUEUE_RUN, text);
    }
    for (int i = 0; i < FOLLOW_MAX && queue_take(k, QUEUE_RUN, &text); i++) {
        struct crank_result r = { 0 };
        if (json_parse(kernel_arena(k), text, &event, &e) != 0) BUG("a queued event is not JSON");
        /* These cannot be undone here, being several in a crank. */
        if (json_is(json_get(event, "type"), "create-vat") || json_is(json_get(event, "type"), "upgrade-vat") ||
            json_is(json_get(event, "type"), "fork-vat")) {
            return;
        }
        if (event_run(k, event, &r, &e) != 0) BUG(e.text);
        if (r.abort) BUG("a vat that does as it is told is to be undone");
    }
    audit("after what followed");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct crank_result r = { 0 };
    struct buf before = { 0 };
    struct err e;
    if (w.kernel == NULL) set_up();
    struct kernel *k = w.kernel;
    if (warehouse_ensure(k, a, &e) != 0) BUG(e.text);
    buf_reset(&w.notes);
    store_start_crank(w.store);
    store_savepoint(w.store, SAVEPOINT_START);
    store_savepoint(w.store, SAVEPOINT_DELIVER);
    others(&before);
    lines = (struct span){ (const char *)data, size };
    if (size > 0 && crank_deliver(k, a, delivery_bring_out_your_dead(), DELIVER_FREE, 0, &r, &e) == 0) {
        finish(&r, &before);
        follow_up();
    }
    lines = SPAN_NONE;
    kernel_rollback(k, SAVEPOINT_START);
    kernel_reload(k);
    devices_rolled_back(k);
    store_end_crank(w.store);
    buf_fini(&before);
    return 0;
}
