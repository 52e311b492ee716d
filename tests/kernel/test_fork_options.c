/* What a fork's child is allowed, and what a fork costs: meters, critical vats, how many
 * vats there may be, what a run policy is told, and vats taken offline. */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/queue.h"
#include "world.h"

/* A dynamic vat p, known to a and boot. */
struct family {
    struct world w;
    vat_id a, p;
    char p_in_a[16];
};

static void open_with(struct family *f, struct world_setup s, const char *meter, const char *options)
{
    s.vats[0] = "a";
    world_open(&f->w, &s);
    struct world *w = &f->w;
    f->a = vat_named(w, "a");
    if (meter != NULL) {
        device_call(w, "%s", meter);
        world_run(w);
    }
    f->p = create(w, "auto", options);
    introduce(w, w->boot, f->p);
    introduce(w, f->a, f->p);
    strcpy(f->p_in_a, name_for(w, f->a, root_of(w, f->p)));
}

static vat_id forked(struct family *f, const char *options)
{
    vat_id c = device_fork(&f->w, f->p, 0, NULL, options);
    world_run(&f->w);
    return c;
}

/* A message to the vat, which then spends so much. */
static void spend(struct family *f, vat_id vat, const char *computrons, const char *then)
{
    struct world *w = &f->w;
    if (name_for(w, f->a, root_of(w, vat))[2] == '9') introduce(w, f->a, vat);
    plan(w, vat, "message", "!spend %s\n%s", computrons, then);
    poke(w, f->a, "send %s", name_for(w, f->a, root_of(w, vat)));
}

static bool option_has(struct world *w, vat_id vat, const char *text)
{
    return strstr(key_text(w, "v%u.options", vat.n), text) != NULL;
}

static unsigned refused(struct world *w, const char *why)
{
    return told(w, w->admin, why);
}

static void expect_left(struct world *w, const char *meter, const char *remaining)
{
    assert_string_equal(key_text(w, "%s.remaining", meter), remaining);
}

/* -- meters ------------------------------------------------------------------------------------ */

TEST(a_child_runs_on_its_parents_meter)
{
    struct family f;
    open_with(&f, (struct world_setup){ 0 }, "createMeter #['+10000','+2000']", "'meterID':'m1'");
    struct world *w = &f.w;
    expect_left(w, "m1", "8999");
    vat_id c = forked(&f, ""), d = device_fork(w, c, 0, NULL, "");
    world_run(w);
    assert_true(option_has(w, c, "\"meterID\":\"m1\""));
    assert_true(option_has(w, d, "\"meterID\":\"m1\""));
    expect_left(w, "m1", "8999"); /* bringOutYourDead is free */
    spend(&f, f.p, "999", "");
    spend(&f, c, "2000", "");
    spend(&f, d, "3000", "");
    expect_left(w, "m1", "3000");
    assert_int_equal(refused(w, "meterCrossedThreshold"), 0);
    spend(&f, c, "1001", "");
    assert_int_equal(refused(w, "meterCrossedThreshold"), 1);
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

/* Whoever uses up the meter goes; the others go when they are next spoken to, or live on if
 * the meter is filled before. */
TEST(a_child_that_uses_up_the_meter_goes_alone)
{
    struct family f;
    open_with(&f, (struct world_setup){ 0 }, "createMeter #['+10000','+0']", "'meterID':'m1'");
    struct world *w = &f.w;
    vat_id c = forked(&f, ""), d = forked(&f, "");
    spend(&f, c, "9000", "set k v");
    assert_false(alive(w, c));
    expect_left(w, "m1", "0");
    assert_int_equal(refused(w, "meter underflow, vat terminated"), 1);
    assert_true(alive(w, f.p));
    assert_true(alive(w, d));
    assert_int_equal(world_litter(w), 0);
    device_call(w, "addMeterRemaining #['m1','+500']");
    world_run(w);
    spend(&f, f.p, "300", "");
    expect_left(w, "m1", "200");
    spend(&f, d, "201", "");
    assert_false(alive(w, d));
    assert_true(alive(w, f.p));
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

TEST(a_meter_of_its_own)
{
    struct family f;
    open_with(&f, (struct world_setup){ 0 }, "createMeter #['+10000','+0']", "'meterID':'m1'");
    struct world *w = &f.w;
    device_call(w, "createMeter #['+500','+0']");
    world_run(w);
    vat_id c = forked(&f, "'meterID':'m2'"), d = device_fork(w, c, 0, NULL, "");
    world_run(w);
    assert_true(option_has(w, c, "\"meterID\":\"m2\""));
    assert_true(option_has(w, d, "\"meterID\":\"m2\"")); /* the grandchild: its parent's */
    spend(&f, c, "100", "");
    expect_left(w, "m2", "400");
    expect_left(w, "m1", "8999");
    spend(&f, d, "401", "");
    assert_false(alive(w, d));
    expect_left(w, "m2", "0");
    spend(&f, f.p, "1000", "");
    expect_left(w, "m1", "7999");
    world_close(w);
}

/* There is no way to a child that runs for nothing, but an unlimited meter that was asked
 * for; and its deliveries go on being limited one by one. */
TEST(a_child_of_a_metered_parent_is_metered)
{
    struct family f;
    open_with(&f, (struct world_setup){ 0 }, "createMeter #['+10000','+0']", "'meterID':'m1'");
    struct world *w = &f.w;
    device_call(w, "createUnlimitedMeter #[]");
    world_run(w);
    vat_id plain = forked(&f, "'meterID':'#undefined'"), free = forked(&f, "'meterID':'m2'");
    assert_true(option_has(w, plain, "\"meterID\":\"m1\""));
    assert_true(option_has(w, free, "\"meterID\":\"m2\""));
    spend(&f, free, "999999999", "");
    assert_true(alive(w, free));
    expect_left(w, "m2", "unlimited");
    expect_left(w, "m1", "8999");
    /* what is no meter */
    unsigned calls = called(w, w->boot, "device.invoke failed");
    poke(w, w->boot, "call d-70 forkVat #['v%u',[],{'meterID':null}]", f.p.n);
    poke(w, w->boot, "call d-70 forkVat #['v%u',[],{'meterID':7}]", f.p.n);
    assert_int_equal(called(w, w->boot, "device.invoke failed"), calls + 2);
    static const char *const none[] = { "m3", "m0", "m", "", "m2.remaining", "v1" };
    for (unsigned i = 0; i < sizeof none / sizeof *none; i++) {
        char options[64];
        snprintf(options, sizeof options, "'meterID':'%s'", none[i]);
        vat_id c = forked(&f, options);
        assert_false(alive(w, c));
        assert_int_equal(refused(w, "there is no such meter"), i + 1);
    }
    struct err e;
    vat_id c;
    struct fork_request r = { .vat = f.p, .options = { .meter = SPAN("m3"), .reap_interval = REAP_DEFAULT } };
    assert_int_equal(kernel_fork(w->kernel, &r, &c, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
    r.options.meter = SPAN("m2");
    assert_int_equal(kernel_fork(w->kernel, &r, &c, &e), 0);
    world_run(w);
    assert_true(option_has(w, c, "\"meterID\":\"m2\""));
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

/* The limit of a delivery is the worker's, not the heap's: it is set each time a vat comes
 * online, by whether the vat itself has a meter. */
TEST(each_machine_of_a_metered_vat_is_limited_and_no_other)
{
    for (int parent = 0; parent < 2; parent++) {
        struct family f;
        open_with(&f, (struct world_setup){ .snapshot_interval = 4 }, "createMeter #['+1000000','+0']",
                  parent ? "'meterID':'m1'" : "");
        struct world *w = &f.w;
        device_call(w, "createMeter #['+1000000','+0']");
        world_run(w);
        vat_id own = forked(&f, "'meterID':'m2'"), same = forked(&f, "");
        assert_int_equal(option_has(w, same, "meterID"), parent);
        const struct {
            vat_id vat;
            bool limited;
        } all[] = { { f.p, parent }, { own, true }, { same, parent } };
        for (size_t i = 0; i < 9; i++) {
            vat_id vat = all[i % 3].vat;
            world_restart(w);
            poke(w, w->admin, "set warm %zu", i);
            if (i < 3) spend(&f, vat, "5", "");
            warehouse_stop(w->kernel, vat);
            unsigned starts = w->scripted.starts, metered = w->scripted.metered;
            for (int n = 0; n < 3; n++) poke(w, vat, "set k %d", n); /* takes a snapshot */
            assert_true(w->scripted.starts > starts);
            assert_int_equal(w->scripted.metered - metered,
                             all[i % 3].limited ? w->scripted.starts - starts : 0);
        }
        expect_left(w, "m1", parent ? "998989" : "1000000");
        expect_left(w, "m2", "999995");
        world_close(w);
    }
}

/* -- critical vats ----------------------------------------------------------------------------- */

TEST(a_child_is_critical_only_if_it_was_asked_for)
{
    static const char *const ends[] = { "fail", "exit", "!meter" };
    for (size_t i = 0; i < 3; i++) {
        struct family f;
        open_with(&f, (struct world_setup){ 0 }, NULL, "'critical':true");
        struct world *w = &f.w;
        vat_id plain = forked(&f, ""), critical = forked(&f, "'critical':true"), orphan = { 0 };
        assert_true(option_has(w, f.p, "\"critical\":true"));
        assert_true(option_has(w, plain, "\"critical\":false"));
        assert_true(option_has(w, critical, "\"critical\":true"));
        orphan = device_fork(w, critical, 0, NULL, "");
        world_run(w);
        assert_true(option_has(w, orphan, "\"critical\":false"));
        poke(w, plain, "%s", ends[i]);
        poke(w, orphan, "%s", ends[i]);
        assert_false(alive(w, plain));
        struct buf before = { 0 }, after = { 0 };
        queue_poke(w, critical, ends[i]);
        world_dump(w, &before);
        int ran;
        while ((ran = world_step(w)) > 0) continue;
        assert_int_equal(ran, -1);
        assert_int_equal(w->err.exit, EXIT_VAT);
        char want[64];
        snprintf(want, sizeof want, "critical vat v%u failed", critical.n);
        assert_non_null(strstr(w->err.text, want));
        world_dump(w, &after);
        assert_true(span_eq(buf_span(&before), buf_span(&after)));
        buf_fini(&before);
        buf_fini(&after);
        world_close(w);
    }
}

/* -- names ------------------------------------------------------------------------------------- */

TEST(what_a_child_may_be_called)
{
    static const char *const bad[] = { "", "a+b", "a/b", "caf\xc3\xa9", "a:b", "$" };
    struct family f;
    open_with(&f, (struct world_setup){ 0 }, NULL, "'name':'parent'");
    struct world *w = &f.w;
    struct err e;
    vat_id c;
    char longest[200];
    memset(longest, 'n', 199);
    longest[199] = '\0';
    struct fork_request r = { .vat = f.p, .options = { .name = span_of(longest), .reap_interval = REAP_DEFAULT } };
    assert_int_equal(kernel_fork(w->kernel, &r, &c, &e), 0);
    world_run(w);
    assert_true(option_has(w, c, longest));
    unsigned refusals = called(w, w->boot, "device.invoke failed");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r.options.name = span_of(bad[i]);
        assert_int_equal(kernel_fork(w->kernel, &r, &c, &e), -1);
        assert_int_equal(e.exit, EXIT_USAGE);
        poke(w, w->boot, "call d-70 forkVat #['v%u',[],{'name':'%s'}]", f.p.n, bad[i]);
        assert_int_equal(called(w, w->boot, "device.invoke failed"), refusals + i + 1);
    }
    r.options.name = SPAN("a b");
    assert_int_equal(kernel_fork(w->kernel, &r, &c, &e), -1);
    poke(w, w->boot, "call d-70 forkVat #['v%u',[],{'name':'n%s'}]", f.p.n, longest);
    assert_int_equal(called(w, w->boot, "device.invoke failed"), refusals + 7);
    assert_true(alive(w, forked(&f, "'name':'Az09._-'")));
    world_close(w);
}

/* -- how many vats ----------------------------------------------------------------------------- */

TEST(too_many_vats)
{
    struct family f;
    open_with(&f, (struct world_setup){ .max_vats = 6 }, NULL, ""); /* three static ones, and p */
    struct world *w = &f.w;
    assert_string_equal(key_text(w, "zygote.maxVats"), "6");
    vat_id c = forked(&f, ""), made = create(w, "auto", "");
    assert_true(alive(w, c) && alive(w, made));
    for (unsigned i = 1; i < 3; i++) {
        assert_false(alive(w, forked(&f, "")));
        assert_int_equal(refused(w, "{\\\"error\\\":{\\\"#error\\\":\\\"too many vats\\\""), i); /* newVatCallback */
        assert_false(alive(w, create(w, "auto", "'vatParameters':{'x':1}")));
        assert_int_equal(refused(w, "{\\\"#error\\\":\\\"too many vats\\\""), 2 * i);
    }
    assert_int_equal(world_litter(w), 0);
    struct err e;
    vat_id host;
    struct fork_request r = { .vat = f.p, .options.reap_interval = REAP_DEFAULT };
    assert_int_equal(kernel_fork(w->kernel, &r, &host, &e), -1);
    assert_int_equal(e.exit, EXIT_POLICY);
    terminate(w, made);
    device_seal(w, f.p); /* sealing makes no vat */
    world_run(w);
    assert_true(vat_is_sealed(w->kernel, f.p));
    assert_int_equal(kernel_fork(w->kernel, &r, &host, &e), 0); /* two at once: the later is refused */
    vat_id late = device_fork(w, f.p, 0, NULL, "");
    world_run(w);
    assert_true(alive(w, host));
    assert_false(alive(w, late));
    struct kernel_changes more = { REAP_DEFAULT, REAP_DEFAULT, -1, 7 };
    assert_int_equal(kernel_change_options(w->kernel, &more, &e), 0);
    assert_true(alive(w, forked(&f, "")));
    assert_false(alive(w, forked(&f, "")));
    more.max_vats = -1;
    assert_int_equal(kernel_change_options(w->kernel, &more, &e), 0);
    assert_null(key_text(w, "zygote.maxVats"));
    assert_true(alive(w, forked(&f, "")));
    world_close(w);
}

static bool never(void *self, struct cleanup_work *budget)
{
    (void)self;
    (void)budget;
    return false;
}

/* The dead take room until they are cleaned up. */
TEST(vats_that_die_at_once_do_not_get_around_the_limit)
{
    struct family f;
    open_with(&f, (struct world_setup){ .max_vats = 6 }, NULL, "");
    struct world *w = &f.w;
    const struct run_policy policy = { .allow_cleanup = never };
    w->policy = &policy;
    for (int i = 0; i < 6; i++) {
        vat_id c = forked(&f, "");
        assert_int_equal(alive(w, c), i < 2);
        if (i < 2) terminate(w, c);
    }
    assert_int_equal(refused(w, "too many vats"), 4);
    w->policy = NULL;
    world_run(w);
    assert_true(alive(w, forked(&f, "")));
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

TEST(a_store_without_forks_has_no_limit)
{
    struct family f;
    open_with(&f, (struct world_setup){ .max_vats = 4, .no_zygotes = true }, NULL, "");
    struct world *w = &f.w;
    struct err e;
    assert_null(key_text(w, "zygote.maxVats"));
    assert_true(alive(w, create(w, "auto", "")));
    struct kernel_changes some = { REAP_DEFAULT, REAP_DEFAULT, -1, 4 };
    assert_int_equal(kernel_change_options(w->kernel, &some, &e), -1);
    assert_int_equal(e.exit, EXIT_USAGE);
    poke(w, w->boot, "call d-70 takeOffline #['v%u']", f.p.n);
    assert_int_equal(refused(w, "offlineCallback"), 0);
    assert_int_equal(kernel_take_offline(w->kernel, f.p, &e), -1);
    assert_int_equal(e.exit, EXIT_POLICY);
    world_close(w);
}

/* -- what the run policy is told ----------------------------------------------------------------- */

struct reports {
    struct crank_report last[CRANK_CLEANUP + 1];
    unsigned count[CRANK_CLEANUP + 1];
};

static bool note(void *self, const struct crank_report *r)
{
    struct reports *s = self;
    s->last[r->kind] = *r;
    s->count[r->kind]++;
    return true;
}

/* Only the crank of the event itself, of the vats' that are next. */
static struct reports watched(struct world *w)
{
    struct reports s = { 0 };
    const struct run_policy policy = { .self = &s, .vat_created = note, .crank_complete = note,
                                       .empty_crank = note, .did_cleanup = note };
    while (queue_length(w->kernel, QUEUE_RUN) == 0) assert_int_equal(world_step(w), 1);
    w->policy = &policy;
    assert_int_equal(world_step(w), 1);
    w->policy = NULL;
    world_run(w);
    return s;
}

static void expect_work(struct fork_work got, struct fork_work want)
{
    assert_int_equal(got.vatstore_keys, want.vatstore_keys);
    assert_int_equal(got.vatstore_bytes, want.vatstore_bytes);
    assert_int_equal(got.clist_entries, want.clist_entries);
    assert_int_equal(got.snapshot_bytes, want.snapshot_bytes);
}

static uint64_t heap_bytes(struct world *w, vat_id vat)
{
    struct snapshot_info s;
    return snapshot_info(w->store, span_of_vat(w->kernel, vat), &s) ? s.raw_bytes : 0;
}

TEST(a_run_policy_is_told_what_a_fork_wrote)
{
    struct family f;
    open_with(&f, (struct world_setup){ 0 }, NULL, "");
    struct world *w = &f.w;
    poke(w, f.p, "set abc 12345\nset d \xc3\xa9"); /* and its first snapshot is saved */
    poke(w, f.p, "get abc");
    device_fork(w, f.p, 0, NULL, "");
    plan(w, f.p, "bringOutYourDead", "!spend 70");
    struct reports s = watched(w);
    assert_int_equal(s.count[CRANK_CREATE_VAT], 1);
    struct crank_report *r = &s.last[CRANK_CREATE_VAT];
    assert_int_equal(r->computrons, 70);
    assert_true(heap_bytes(w, f.p) > 0);
    expect_work(r->forked, (struct fork_work){ 2, 11, 1, heap_bytes(w, f.p) });
    /* the snapshot is current: rows only */
    device_fork(w, f.p, 0, NULL, "");
    s = watched(w);
    assert_int_equal(s.count[CRANK_CREATE_VAT], 1);
    assert_int_equal(r->computrons, 0);
    expect_work(r->forked, (struct fork_work){ 2, 11, 1, 0 });
    /* refused */
    device_fork(w, w->admin, 0, NULL, "");
    s = watched(w);
    assert_int_equal(s.count[CRANK_EMPTY], 1);
    /* refused when the dead are out */
    poke(w, f.p, "set abc 2");
    device_fork(w, f.p, 0, NULL, "");
    plan(w, f.p, "bringOutYourDead", "!spend 33\nexit");
    s = watched(w);
    plan_clear(w, f.p, "bringOutYourDead");
    assert_int_equal(s.count[CRANK_DELIVERY], 1);
    assert_int_equal(s.last[CRANK_DELIVERY].computrons, 33);
    expect_work(s.last[CRANK_DELIVERY].forked, (struct fork_work){ 0, 0, 0, 0 });
    /* sealing */
    device_seal(w, f.p);
    plan(w, f.p, "bringOutYourDead", "!spend 44");
    s = watched(w);
    assert_int_equal(s.count[CRANK_DELIVERY], 1);
    assert_int_equal(s.last[CRANK_DELIVERY].computrons, 44);
    expect_work(s.last[CRANK_DELIVERY].forked, (struct fork_work){ 0, 0, 0, heap_bytes(w, f.p) });
    /* a delivery has nothing of it */
    poke(w, f.a, "set k v");
    plan(w, w->boot, "message", "set k v");
    kernel_send_as(w->kernel, root_of(w, w->boot), SPAN("x"), pass_array(kernel_arena(w->kernel), 0, NULL), POLICY_NONE);
    s = watched(w);
    assert_int_equal(s.count[CRANK_DELIVERY], 1);
    expect_work(s.last[CRANK_DELIVERY].forked, (struct fork_work){ 0, 0, 0, 0 });
    world_close(w);
}

/* -- offline ------------------------------------------------------------------------------------- */

static void take_offline(struct world *w, vat_id vat)
{
    device_call(w, "takeOffline #['v%u']", vat.n);
}

static bool is_current(struct world *w, vat_id vat)
{
    struct transcript_bounds t;
    struct snapshot_info s;
    return transcript_bounds(w->store, span_of_vat(w->kernel, vat), &t) && t.end - t.start == 1 &&
           snapshot_info(w->store, span_of_vat(w->kernel, vat), &s);
}

TEST(a_vat_is_taken_offline_and_comes_back_when_it_is_needed)
{
    struct family f;
    open_with(&f, (struct world_setup){ 0 }, NULL, "");
    struct world *w = &f.w;
    poke(w, f.p, "set k v"); /* and its first snapshot is saved */
    poke(w, f.p, "get k");
    assert_non_null(warehouse_machine(w->kernel, f.p));
    take_offline(w, f.p);
    struct reports s = watched(w);
    assert_int_equal(s.count[CRANK_DELIVERY], 1);
    expect_work(s.last[CRANK_DELIVERY].forked, (struct fork_work){ 0, 0, 0, heap_bytes(w, f.p) });
    assert_null(warehouse_machine(w->kernel, f.p));
    assert_true(is_current(w, f.p));
    assert_int_equal(refused(w, "offlineCallback\\\",[\\\"v4\\\",{}]"), 1);
    unsigned starts = w->scripted.starts;
    poke(w, f.a, "send %s", f.p_in_a);
    assert_int_equal(w->scripted.starts, starts + 1);
    assert_non_null(warehouse_machine(w->kernel, f.p));
    assert_string_equal(key_text(w, "v%u.vs.k", f.p.n), "v");
    /* promises are no hindrance */
    plan(w, f.p, "message", "!keep");
    poke(w, f.a, "send %s -> p+1\nsubscribe p+1", f.p_in_a);
    take_offline(w, f.p);
    world_run(w);
    assert_null(warehouse_machine(w->kernel, f.p));
    poke(w, f.p, "data %s", name_for(w, f.p, meant(w, f.a, "p+1")));
    assert_int_equal(told(w, f.a, "[\"notify\",[[\"p+1\",false"), 1);
    /* offline already, snapshot current: nothing is written, and nothing starts */
    take_offline(w, f.p);
    world_run(w);
    struct buf before = { 0 }, after = { 0 };
    char keys[16];
    snprintf(keys, sizeof keys, "v%u.", f.p.n);
    starts = w->scripted.starts;
    world_dump_keys(w, keys, &before);
    uint64_t end = state_need_u64(w->kernel, SPAN("crankNumber"));
    take_offline(w, f.p);
    s = watched(w);
    assert_int_equal(s.count[CRANK_EMPTY], 1);
    assert_true(state_need_u64(w->kernel, SPAN("crankNumber")) > end);
    world_dump_keys(w, keys, &after);
    assert_true(span_eq(buf_span(&before), buf_span(&after)));
    assert_int_equal(w->scripted.starts, starts);
    assert_int_equal(refused(w, "offlineCallback\\\",[\\\"v4\\\",{}]"), 4);
    assert_int_equal(world_litter(w), 0);
    buf_fini(&before);
    buf_fini(&after);
    world_close(w);
}

TEST(a_vat_that_pipelines_can_go_offline_too)
{
    struct family f;
    open_with(&f, (struct world_setup){ 0 }, NULL, "'enablePipelining':true");
    struct world *w = &f.w;
    take_offline(w, f.p);
    world_run(w);
    assert_true(is_current(w, f.p));
    assert_int_equal(refused(w, "offlineCallback"), 1);
    /* static ones: whoever has the device can */
    take_offline(w, f.a);
    world_run(w);
    assert_null(warehouse_machine(w->kernel, f.a));
    /* what is not there */
    take_offline(w, (vat_id){ 99 });
    world_run(w);
    terminate(w, f.p);
    take_offline(w, f.p);
    world_run(w);
    assert_int_equal(refused(w, "{\\\"error\\\":{\\\"#error\\\":\\\"vat terminated\\\""), 2);
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

TEST(a_vat_in_the_kernels_process_cannot_go_offline)
{
    struct world w;
    world_open(&w, &(struct world_setup){ .vats = { "a", "comms" }, .comms = "comms", .not_introduced = true });
    take_offline(&w, vat_named(&w, "comms"));
    world_run(&w);
    assert_int_equal(refused(&w, "vat type has no snapshot"), 1);
    struct err e;
    assert_int_equal(kernel_take_offline(w.kernel, vat_named(&w, "comms"), &e), -1);
    assert_int_equal(e.exit, EXIT_POLICY);
    assert_int_equal(kernel_take_offline(w.kernel, (vat_id){ 99 }, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
    assert_int_equal(kernel_take_offline(w.kernel, vat_named(&w, "a"), &e), 0);
    world_run(&w);
    assert_null(warehouse_machine(w.kernel, vat_named(&w, "a")));
    assert_int_equal(refused(&w, "offlineCallback"), 1); /* the host asked: nobody else is told */
    assert_true(alive(&w, vat_named(&w, "comms")));
    world_close(&w);
}

TEST(a_zygote_is_offline_already)
{
    struct family f;
    open_with(&f, (struct world_setup){ 0 }, NULL, "");
    struct world *w = &f.w;
    device_seal(w, f.p);
    world_run(w);
    unsigned starts = w->scripted.starts;
    take_offline(w, f.p);
    world_run(w);
    assert_int_equal(refused(w, "offlineCallback\\\",[\\\"v4\\\",{}]"), 1);
    assert_int_equal(w->scripted.starts, starts);
    assert_true(vat_is_sealed(w->kernel, f.p));
    world_close(w);
}

TEST(a_vat_that_cannot_come_to_rest_stays_as_it_was)
{
    static const char *const ends[] = { "set k w\nsend o-99", "set k w\n!error no", "!meter", "set k w\nexit o+9" };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct family f;
        open_with(&f, (struct world_setup){ 0 }, NULL, "");
        struct world *w = &f.w;
        poke(w, f.p, "set k v");
        poke(w, f.p, "get k");
        struct transcript_bounds before, after;
        take_offline(w, f.p);
        while (queue_length(w->kernel, QUEUE_RUN) == 0) assert_int_equal(world_step(w), 1);
        assert_true(transcript_bounds(w->store, SPAN("v4"), &before));
        plan(w, f.p, "bringOutYourDead", "%s", ends[i]);
        world_run(w);
        plan_clear(w, f.p, "bringOutYourDead");
        assert_int_equal(refused(w, "could not be brought to rest"), 1);
        assert_true(alive(w, f.p));
        assert_string_equal(key_text(w, "v%u.vs.k", f.p.n), "v");
        assert_true(transcript_bounds(w->store, SPAN("v4"), &after));
        assert_string_equal(after.hash, before.hash);
        assert_int_equal(after.end, before.end);
        poke(w, f.a, "send %s -> p+1\nsubscribe p+1", f.p_in_a);
        assert_int_equal(told(w, f.a, "[\"notify\",[[\"p+1\",false"), 1);
        assert_int_equal(world_litter(w), 0);
        world_close(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_runs_on_its_parents_meter),
        cmocka_unit_test(a_child_that_uses_up_the_meter_goes_alone),
        cmocka_unit_test(a_meter_of_its_own),
        cmocka_unit_test(a_child_of_a_metered_parent_is_metered),
        cmocka_unit_test(each_machine_of_a_metered_vat_is_limited_and_no_other),
        cmocka_unit_test(a_child_is_critical_only_if_it_was_asked_for),
        cmocka_unit_test(what_a_child_may_be_called),
        cmocka_unit_test(too_many_vats),
        cmocka_unit_test(vats_that_die_at_once_do_not_get_around_the_limit),
        cmocka_unit_test(a_store_without_forks_has_no_limit),
        cmocka_unit_test(a_run_policy_is_told_what_a_fork_wrote),
        cmocka_unit_test(a_vat_is_taken_offline_and_comes_back_when_it_is_needed),
        cmocka_unit_test(a_vat_that_pipelines_can_go_offline_too),
        cmocka_unit_test(a_vat_in_the_kernels_process_cannot_go_offline),
        cmocka_unit_test(a_zygote_is_offline_already),
        cmocka_unit_test(a_vat_that_cannot_come_to_rest_stays_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
