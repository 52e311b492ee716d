#include "family.h"

#include <stdio.h>

void open_with(struct family *f, struct world_setup s, const char *options)
{
    s.vats[0] = "a";
    s.vats[1] = "b";
    world_open(&f->w, &s);
    struct world *w = &f->w;
    f->a = vat_named(w, "a");
    f->b = vat_named(w, "b");
    f->p = create(w, "auto", options);
    introduce(w, w->boot, f->p);
    introduce(w, f->a, f->p);
    introduce(w, f->b, f->p);
    introduce(w, f->p, f->a);
    introduce(w, f->p, f->b);
    strcpy(f->p_in_boot, name_for(w, w->boot, root_of(w, f->p)));
    strcpy(f->p_in_a, name_for(w, f->a, root_of(w, f->p)));
    strcpy(f->p_in_b, name_for(w, f->b, root_of(w, f->p)));
    strcpy(f->a_in_p, name_for(w, f->p, root_of(w, f->a)));
    strcpy(f->b_in_p, name_for(w, f->p, root_of(w, f->b)));
    assert_string_not_equal(f->p_in_boot, "o-999");
}

void open_family(struct family *f)
{
    open_with(f, (struct world_setup){ 0 }, "");
}

kref exported(struct family *f, const char *name)
{
    struct world *w = &f->w;
    introduce(w, f->p, w->boot);
    poke(w, f->p, "send %s %s", name_for(w, f->p, root_of(w, w->boot)), name);
    return meant(w, f->p, name);
}

vat_id forked(struct family *f, size_t count, const kref *refs)
{
    vat_id c = device_fork(&f->w, f->p, count, refs, "");
    world_run(&f->w);
    return c;
}

vat_id shared(struct family *f)
{
    vat_id c = device_fork(&f->w, f->p, 0, NULL, "'promises':'share'");
    world_run(&f->w);
    assert_true(alive(&f->w, c));
    return c;
}

vat_id fork_before(struct family *f, const char *what_a_does)
{
    struct world *w = &f->w;
    vat_id c = device_fork(w, f->p, 0, NULL, "'promises':'share'");
    assert_int_equal(world_step(w), 1); /* the call */
    assert_int_equal(world_step(w), 1); /* accepted */
    queue_poke(w, f->a, what_a_does);
    assert_int_equal(world_step(w), 1); /* before any event */
    return c;
}

bool starts_with(struct world *w, vat_id vat, int at, const char *text)
{
    const char *d = delivery_at(w, vat, at);
    return strncmp(d, text, strlen(text)) == 0;
}

/* -- pictures --------------------------------------------------------------------------------- */

static void put_machine(struct world *w, vat_id vat, struct buf *b)
{
    struct transcript_bounds t;
    struct snapshot_info s;
    if (transcript_bounds(w->store, span_of_vat(w->kernel, vat), &t)) {
        buf_printf(b, "%llu %llu %s\n", (unsigned long long)t.start, (unsigned long long)t.end, t.hash);
    }
    if (snapshot_info(w->store, span_of_vat(w->kernel, vat), &s)) {
        buf_printf(b, "%llu %s\n", (unsigned long long)s.position, s.hash);
    }
}

struct buf picture(struct world *w, vat_id vat)
{
    struct buf b = { 0 };
    char prefix[16];
    snprintf(prefix, sizeof prefix, "v%u.", vat.n);
    world_dump_keys(w, prefix, &b);
    put_machine(w, vat, &b);
    return b;
}

/* Asking costs a vat ID, each side some dirt, and the answer a promise. */
static bool comes_of_asking(struct span line)
{
    static const char *const keys[] = { "activityhash=", "crankNumber=", "kernelStats=", "acceptanceQueue",
                                        "runQueue", "vat.nextID=", "kp.nextID=", "v1.reapDirt=",
                                        "v2.reapDirt=", "v2.p.nextID=" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (span_starts(line, span_of(keys[i]))) return true;
    }
    return false;
}

struct buf panorama(struct world *w)
{
    struct buf all = { 0 }, b = { 0 };
    world_dump_keys(w, "", &all);
    for (size_t at = 0; at < all.n;) {
        const char *stop = memchr(all.p + at, '\n', all.n - at);
        struct span line = { all.p + at, (size_t)(stop - all.p) + 1 - at };
        if (!comes_of_asking(line)) buf_put(&b, line);
        at += line.n;
    }
    buf_fini(&all);
    uint64_t next = state_need_u64(w->kernel, SPAN("vat.nextID"));
    for (uint32_t n = w->admin.n + 1; n < next; n++) put_machine(w, (vat_id){ n }, &b);
    return b;
}

bool same_picture(struct buf *a, struct buf b)
{
    bool same = span_eq(buf_span(a), buf_span(&b));
    if (!same) print_error("was\n%.*s\nis\n%.*s\n", SPAN_ARG(buf_span(a)), SPAN_ARG(buf_span(&b)));
    buf_fini(a);
    buf_fini(&b);
    return same;
}

void expect_refused(struct world *w, vat_id parent, size_t count, const kref *refs, const char *why)
{
    char callback[16];
    bool was_alive = alive(w, parent);
    struct buf before = panorama(w);
    unsigned answers = told(w, w->admin, why);
    vat_id c = device_fork(w, parent, count, refs, "");
    world_run(w);
    if (told(w, w->admin, why) != answers + 1) {
        fail_msg("expected %s, got %s", why, delivery_at(w, w->admin, -1));
    }
    snprintf(callback, sizeof callback, "[\\\"v%u\\\"", c.n);
    assert_int_equal(told(w, w->admin, callback), 1);
    assert_false(alive(w, c));
    assert_int_equal(alive(w, parent), was_alive);
    assert_true(same_picture(&before, panorama(w)));
    assert_int_equal(world_litter(w), 0);
}
