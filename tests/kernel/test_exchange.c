/* Stores that change over between upstream's kernel and ours, with scripted vats. */
#include "family.h"

#include "kernel/offline.h"

static void ignore(void *ctx, const char *breach)
{
    (void)ctx;
    (void)breach;
}

static uint64_t breaches(struct world *w)
{
    return kernel_audit(w->store, ignore, NULL);
}

/* -- to upstream's: events it does not know ------------------------------------------------------ */

static void expect_event(struct world *w, const char *type, vat_id vat, bool accepted)
{
    struct event_info *events;
    assert_int_equal(kernel_own_events(w->kernel, &events), 1);
    assert_true(span_is(events[0].type, type));
    assert_true(vat_id_eq(events[0].vat, vat));
    assert_int_equal(events[0].accepted, accepted);
}

static void expect_none(struct world *w)
{
    struct event_info *events;
    assert_int_equal(kernel_own_events(w->kernel, &events), 0);
}

/* Queued, accepted, done. */
static void follow(struct world *w, const char *type, vat_id vat)
{
    expect_event(w, type, vat, false);
    assert_int_equal(world_step(w), 1);
    expect_event(w, type, vat, true);
    world_run(w);
    expect_none(w);
}

TEST(events_that_upstream_does_not_know)
{
    struct family f;
    struct err e;
    open_family(&f);
    struct world *w = &f.w;
    expect_none(w);
    struct fork_request r = { .vat = f.p, .options.reap_interval = REAP_DEFAULT };
    vat_id child;
    assert_int_equal(kernel_fork(w->kernel, &r, &child, &e), 0);
    follow(w, "fork-vat", f.p);
    offline_queue(w->kernel, f.p, true);
    follow(w, "take-offline", f.p);
    assert_int_equal(kernel_zygotify(w->kernel, f.p, &e), 0);
    follow(w, "zygotify-vat", f.p);

    kernel_send(w->kernel, root_of(w, f.a), SPAN("m"), pass_array(kernel_arena(w->kernel), 0, NULL));
    expect_none(w); /* a message is everybody's */
    world_run(w);
    world_close(w);
}

/* -- to ours: what nobody here holds is the host's -------------------------------------------------- */

static void open_old(struct family *f)
{
    open_with(f, (struct world_setup){ .no_zygotes = true, .no_audit = true }, "");
}

struct holding {
    kref r;
    uint64_t times;
};

static void look_for(void *ctx, kref r, uint64_t times)
{
    struct holding *h = ctx;
    if (kref_eq(r, h->r)) h->times += times;
}

/* How often the host is recorded to hold it. */
static uint64_t held(struct world *w, kref r)
{
    struct holding h = { .r = r };
    external_each(w->kernel, look_for, &h);
    return h.times;
}

TEST(enabling_is_done_once)
{
    struct family f;
    struct err e;
    bool changed;
    open_old(&f);
    struct world *w = &f.w;
    assert_false(kernel_forks_enabled(w->kernel));
    assert_int_equal(kernel_enable_forks(w->kernel, &changed, &e), 0);
    assert_true(changed && kernel_forks_enabled(w->kernel));
    assert_string_equal(key_text(w, "zygote.enabled"), "1");
    struct buf before = { 0 }, after = { 0 };
    world_dump(w, &before);
    assert_int_equal(kernel_enable_forks(w->kernel, &changed, &e), 0);
    assert_false(changed);
    world_dump(w, &after);
    assert_true(span_eq(buf_span(&before), buf_span(&after)));
    buf_fini(&before);
    buf_fini(&after);
    world_restart(w);
    assert_true(kernel_forks_enabled(w->kernel));
    vat_id child = device_fork(w, f.p, 0, NULL, "");
    world_run(w);
    assert_true(alive(w, child));
    assert_int_equal(breaches(w), 0);
    world_close(w);
}

/* As upstream counts what its host holds: nowhere but in the counts. */
static kref hold_unrecorded(struct family *f, unsigned times)
{
    kref o = exported(f, "o+7");
    for (unsigned i = 0; i < times; i++) ref_inc(f->w.kernel, o, REF_NORMAL);
    return o;
}

TEST(what_is_counted_and_not_held_becomes_the_hosts)
{
    struct family f;
    struct err e;
    bool changed;
    open_old(&f);
    struct world *w = &f.w;
    kref o = hold_unrecorded(&f, 2);
    struct refs counted = object_refs(w->kernel, o);
    assert_int_equal(kernel_enable_forks(w->kernel, &changed, &e), 0);
    assert_int_equal(held(w, o), 2);
    assert_int_equal(object_refs(w->kernel, o).reachable, counted.reachable);
    assert_int_equal(object_refs(w->kernel, o).recognizable, counted.recognizable);
    assert_int_equal(breaches(w), 0);
    assert_true(external_release(w->kernel, o) && external_release(w->kernel, o));
    assert_false(external_release(w->kernel, o));
    assert_int_equal(breaches(w), 0);
    world_close(w);
}

/* Upstream's host took and let go of things while it ran the store. */
TEST(coming_back_settles_what_the_other_host_held)
{
    struct family f;
    struct err e;
    bool changed;
    open_with(&f, (struct world_setup){ .no_audit = true }, "");
    struct world *w = &f.w;
    kref gone = exported(&f, "o+8"), more = exported(&f, "o+9");
    external_hold(w->kernel, &gone, 1);
    assert_int_equal(kernel_enable_forks(w->kernel, &changed, &e), 0);
    assert_false(changed);
    ref_dec(w->kernel, gone, REF_NORMAL);
    ref_inc(w->kernel, more, REF_NORMAL);
    assert_int_not_equal(breaches(w), 0);
    assert_int_equal(kernel_enable_forks(w->kernel, &changed, &e), 0);
    assert_true(changed);
    assert_int_equal(breaches(w), 0);
    assert_int_equal(held(w, gone), 0);
    assert_int_equal(held(w, more), 1);
    world_close(w);
}

TEST(a_store_that_is_wrong_is_refused)
{
    struct family f;
    struct err e;
    bool changed;
    for (int wrong = 0; wrong < 2; wrong++) {
        open_old(&f);
        struct world *w = &f.w;
        kref o = exported(&f, "o+7");
        struct refs n = object_refs(w->kernel, o);
        /* One too few; or a count that no holder explains, since it is only half of one. */
        if (wrong == 0) n.reachable = n.recognizable = 0;
        else n.recognizable++;
        object_set_refs(w->kernel, o, n);
        assert_int_equal(kernel_enable_forks(w->kernel, &changed, &e), -1);
        assert_int_equal(e.exit, EXIT_INTEGRITY);
        assert_non_null(strstr(e.text, kref_text(o).s));
        assert_false(kernel_forks_enabled(w->kernel));
        assert_false(kv_get(w->store, SPAN("zygote.enabled"), NULL));
        world_close(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_that_upstream_does_not_know),
        cmocka_unit_test(enabling_is_done_once),
        cmocka_unit_test(what_is_counted_and_not_held_becomes_the_hosts),
        cmocka_unit_test(coming_back_settles_what_the_other_host_held),
        cmocka_unit_test(a_store_that_is_wrong_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
