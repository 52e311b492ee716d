/* Deleting what a dead vat left, under budgets and run policies.  (Upstream: kernelKeeper.js
 * cleanupAfterTerminatedVat, docs/run-policy.md.) */
#include <stdio.h>

#include "world.h"

enum { PHASES = 6 };

/* What a policy allows, and what it saw. */
struct cleaner {
    struct run_policy policy;
    struct cleanup_work budget;
    bool refuses;
    unsigned asked, cleanups, cranks; /* calls of each */
    struct cleanup_work sum;
    struct cleanup_work last;
};

struct dead {
    struct world w;
    struct cleaner c;
    vat_id b, d;
};

static uint64_t *phase(struct cleanup_work *w, int i)
{
    uint64_t *const all[PHASES] = { &w->exports, &w->imports, &w->promises, &w->kv, &w->snapshots, &w->transcripts };
    return all[i];
}

static struct cleanup_work all_of(uint64_t n)
{
    return (struct cleanup_work){ n, n, n, n, n, n };
}

static bool allow(void *self, struct cleanup_work *budget)
{
    struct cleaner *c = self;
    c->asked++;
    for (int i = 0; i < PHASES; i++) assert_true(*phase(budget, i) == CLEANUP_UNLIMITED);
    *budget = c->budget;
    return !c->refuses;
}

static bool cleaned(void *self, const struct crank_report *r)
{
    struct cleaner *c = self;
    assert_int_equal(r->kind, CRANK_CLEANUP);
    assert_int_equal(r->computrons, 0);
    c->cleanups++;
    c->last = r->cleaned;
    for (int i = 0; i < PHASES; i++) {
        struct cleanup_work done = r->cleaned;
        assert_true(*phase(&done, i) <= *phase(&c->budget, i));
        *phase(&c->sum, i) += *phase(&done, i);
    }
    return true;
}

static bool crank(void *self, const struct crank_report *r)
{
    (void)r;
    ((struct cleaner *)self)->cranks++;
    return true;
}

/* d exports five objects, imports four, knows six promises, has vatstore keys, a device node,
 * snapshots and spans, and parameters with a reference in them. */
static void furnish(struct dead *t, const char *key)
{
    struct world *w = &t->w;
    char b_in_d[16];
    t->b = vat_named(w, "b");
    poke(w, w->boot, "call d-70 createByBundleID #['%s',{'vatParameters':{'x':'$0.Alleged:x'}}] o+5", bundle_named("auto"));
    t->d = (vat_id){ 4 };
    introduce(w, t->b, t->d);
    introduce(w, t->d, t->b);
    strcpy(b_in_d, name_for(w, t->d, root_of(w, t->b)));
    poke(w, w->admin, "send %s %s", name_for(w, w->admin, root_of(w, w->boot)), name_for(w, w->admin, root_of(w, t->d)));
    poke(w, w->boot, "send %s d-70", name_for(w, w->boot, root_of(w, t->d)));
    plan(w, t->b, "message", "send @0 o+1 o+2 o+3 p+9");
    poke(w, t->d, "send %s o+0 o+1 o+2 o+v1/2 o+d1/2 p+5 p+6 p+7\nsubscribe p+6", b_in_d);
    poke(w, t->d, "send %s o+3 -> p+8\nsubscribe p+8\nset k v\n[\"vatstoreSet\",\"%s\",\"w\"]",
         b_in_d, key);
    for (int i = 0; i < 6; i++) poke(w, t->d, "set n %d", i);
    poke(w, t->b, "drop %s", name_for(w, t->b, meant(w, t->d, "o+1")));
    poke(w, t->b, "subscribe %s", name_for(w, t->b, meant(w, t->d, "p+5")));
}

static void open_dead(struct dead *t, struct world_setup s)
{
    *t = (struct dead){ 0 };
    s.vats[0] = "b";
    s.vats[1] = NULL;
    s.snapshot_initial = 2;
    s.snapshot_interval = 4;
    world_open(&t->w, &s);
    /* Where stores must be equal a key with a lone surrogate would stay, as upstream's does
     * (the scenario "surrogates"). */
    furnish(t, s.no_zygotes ? "l" : "l\\ud800");
    t->c = (struct cleaner){ .budget = all_of(CLEANUP_UNLIMITED),
                             .policy = { .self = &t->c, .allow_cleanup = allow, .vat_created = crank,
                                         .crank_complete = crank, .empty_crank = crank, .did_cleanup = cleaned } };
    t->w.policy = &t->c.policy;
}

static void kill(struct dead *t)
{
    terminate(&t->w, t->d);
}

/* Nothing of d is left, anywhere. */
static void check_gone(struct dead *t)
{
    struct buf left = { 0 };
    struct transcript_bounds b;
    struct snapshot_info s;
    uint64_t n;
    bool done;
    world_dump_keys(&t->w, "v4.", &left);
    if (left.n > 0) fail_msg("left:\n%.*s", SPAN_ARG(buf_span(&left)));
    assert_string_equal(key_text(&t->w, "vats.terminated"), "[]");
    assert_false(transcript_bounds(t->w.store, SPAN("v4"), &b));
    assert_false(snapshot_info(t->w.store, SPAN("v4"), &s));
    snapshot_delete(t->w.store, SPAN("v4"), UINT64_MAX, &n, &done);
    assert_int_equal(n, 0);
    transcript_delete(t->w.store, SPAN("v4"), UINT64_MAX, &n, &done);
    assert_int_equal(n, 0);
    if (world_litter(&t->w) > 0) fail_msg("%.*s", SPAN_ARG(buf_span(&t->w.breaches)));
    buf_fini(&left);
}

/* What must not depend on how the work was cut up. */
static void dump_outcome(struct dead *t, struct buf *out)
{
    static const char *const prefixes[] = { "d", "gcActions", "ko", "kp", "m", "pinned", "v", "host." };
    buf_reset(out);
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) world_dump_keys(&t->w, prefixes[i], out);
}

/* The work there is, and the outcome, without any limit. */
static void unlimited(struct world_setup s, struct cleanup_work *work, struct buf *outcome)
{
    struct dead t;
    open_dead(&t, s);
    kill(&t);
    assert_int_equal(t.c.cleanups, 1);
    check_gone(&t);
    *work = t.c.sum;
    dump_outcome(&t, outcome);
    world_close(&t.w);
}

static void check_equal(const struct cleanup_work *a, const struct cleanup_work *b, const char *what)
{
    for (int i = 0; i < PHASES; i++) {
        struct cleanup_work x = *a, y = *b;
        if (*phase(&x, i) != *phase(&y, i)) {
            fail_msg("%s, phase %d: %llu, not %llu", what, i, (unsigned long long)*phase(&x, i),
                     (unsigned long long)*phase(&y, i));
        }
    }
}

static void limited(struct world_setup s, struct cleanup_work budget, const struct cleanup_work *work,
                    const struct buf *outcome, uint64_t cranks, bool restarts, const char *what)
{
    struct dead t;
    struct buf mine = { 0 };
    open_dead(&t, s);
    t.c.budget = budget;
    device_call(&t.w, "terminateWithFailure #['v4','because']");
    for (int ran = 1; ran > 0;) {
        ran = world_step(&t.w);
        if (t.w.breaches.n > 0) fail_msg("%s: %.*s", what, SPAN_ARG(buf_span(&t.w.breaches)));
        assert_true(ran >= 0);
        if (restarts) world_restart(&t.w);
    }
    check_gone(&t);
    check_equal(&t.c.sum, work, what);
    if (cranks > 0 && t.c.cleanups != cranks) fail_msg("%s: %u cranks, not %llu", what, t.c.cleanups, (unsigned long long)cranks);
    dump_outcome(&t, &mine);
    if (!span_eq(buf_span(&mine), buf_span(outcome))) {
        fail_msg("%s:\n%.*s\n=====\n%.*s", what, SPAN_ARG(buf_span(&mine)), SPAN_ARG(buf_span(outcome)));
    }
    buf_fini(&mine);
    world_close(&t.w);
}

/* -- budgets ------------------------------------------------------------------------------- */

TEST(each_phase_alone_under_each_budget)
{
    struct cleanup_work work;
    struct buf outcome = { 0 };
    unlimited((struct world_setup){ 0 }, &work, &outcome);
    for (int i = 0; i < PHASES; i++) {
        uint64_t n = *phase(&work, i);
        assert_true(n >= 2); /* there is something to budget */
        for (uint64_t budget = 1; budget <= n + 1; budget++) {
            char what[64];
            struct cleanup_work limits = all_of(CLEANUP_UNLIMITED);
            *phase(&limits, i) = budget;
            snprintf(what, sizeof what, "phase %d, %llu of %llu", i, (unsigned long long)budget, (unsigned long long)n);
            /* A spent budget ends the crank, even if nothing was left; but in the last phase. */
            uint64_t cranks = n / budget + 1;
            if (i == PHASES - 1 && n % budget == 0) cranks--;
            if (i == 3 && budget > 3 && budget < n) continue; /* many keys: enough is enough */
            limited((struct world_setup){ 0 }, limits, &work, &outcome, cranks, budget == 2, what);
        }
    }
    buf_fini(&outcome);
}

TEST(all_phases_under_the_same_or_mixed_budgets)
{
    struct cleanup_work work;
    struct buf outcome = { 0 };
    unlimited((struct world_setup){ 0 }, &work, &outcome);
    for (uint64_t n = 1; n < 8; n++) {
        limited((struct world_setup){ 0 }, all_of(n), &work, &outcome, 0, n == 3, "the same");
    }
    limited((struct world_setup){ 0 }, (struct cleanup_work){ 1, 2, 3, 4, 5, 6 }, &work, &outcome, 0, false, "rising");
    limited((struct world_setup){ 0 }, (struct cleanup_work){ 6, 5, 4, 3, 2, 1 }, &work, &outcome, 0, true, "falling");
    limited((struct world_setup){ 0 }, work, &work, &outcome, 0, false, "exactly what there is");
    buf_fini(&outcome);
}

TEST(a_store_without_forks_ends_the_same_too)
{
    struct cleanup_work work;
    struct buf outcome = { 0 };
    const struct world_setup s = { .no_zygotes = true };
    unlimited(s, &work, &outcome);
    limited(s, all_of(1), &work, &outcome, 0, false, "one by one");
    limited(s, all_of(3), &work, &outcome, 0, true, "three by three");
    buf_fini(&outcome);
}

/* Snapshots go newest first, one a crank; so do transcript spans. */
TEST(snapshots_and_spans_go_one_by_one)
{
    struct dead t;
    open_dead(&t, (struct world_setup){ 0 });
    t.c.budget.snapshots = t.c.budget.transcripts = 1;
    kill(&t);
    assert_true(t.c.sum.snapshots >= 1 && t.c.sum.transcripts >= 2);
    assert_int_equal(t.c.cleanups, t.c.sum.snapshots + t.c.sum.transcripts);
    check_gone(&t);
    world_close(&t.w);
}

/* -- policies ------------------------------------------------------------------------------- */

TEST(while_a_policy_refuses_other_work_goes_on)
{
    struct dead t;
    open_dead(&t, (struct world_setup){ 0 });
    struct world *w = &t.w;
    t.c.refuses = true;
    kill(&t);
    assert_int_equal(t.c.cleanups, 0);
    assert_true(t.c.asked > 0);
    assert_string_equal(key_text(w, "vats.terminated"), "[\"v4\"]");
    assert_non_null(key_text(w, "v4.options"));
    /* Dead is dead: what it decided is rejected, what is sent to it is, too. */
    poke(w, t.b, "send %s -> p+40\nsubscribe p+40", name_for(w, t.b, root_of(w, t.d)));
    assert_int_equal(told(w, t.b, "vat terminated"), 2);
    vat_schedule_reap(w->kernel, t.d);
    device_call(w, "changeOptions #['v4',{'reapInterval':3}]");
    world_run(w);
    assert_int_equal(t.c.cleanups, 0);
    world_restart(w);
    world_run(w);
    t.c.refuses = false;
    world_run(w);
    assert_int_equal(t.c.cleanups, 1);
    check_gone(&t);
    world_close(w);
}

TEST(a_run_under_a_policy_ends_at_its_most)
{
    struct dead t;
    open_dead(&t, (struct world_setup){ 0 });
    uint64_t ran;
    struct err e;
    t.c.budget = all_of(4);
    device_call(&t.w, "terminateWithFailure #['v4','because']");
    assert_int_equal(kernel_run_by(t.w.kernel, &t.c.policy, 2, &ran, &e), 0);
    assert_int_equal(ran, 2);
    world_run(&t.w);
    check_gone(&t);
    world_close(&t.w);
}

static bool stop(void *self, const struct crank_report *r)
{
    *(enum crank_kind *)self = r->kind;
    return false;
}

TEST(each_callback_can_end_the_run)
{
    static const struct {
        struct run_policy policy;
        enum crank_kind kind;
        const char *call;
    } cases[] = {
        { { .empty_crank = stop }, CRANK_EMPTY, "terminateWithFailure #['v4','x']" },
        { { .crank_complete = stop }, CRANK_DELIVERY, "terminateWithFailure #['v4','x']" },
        { { .did_cleanup = stop }, CRANK_CLEANUP, "terminateWithFailure #['v4','x']" },
        { { .vat_created = stop }, CRANK_CREATE_VAT, "createByBundleID #['%s',{}]" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dead t;
        char call[512];
        enum crank_kind seen = CRANK_EMPTY;
        struct run_policy policy = cases[i].policy;
        uint64_t ran, rest;
        struct err e;
        open_dead(&t, (struct world_setup){ 0 });
        const char *at = strchr(cases[i].call, '%');
        snprintf(call, sizeof call, "%.*s%s%s", (int)(at ? at - cases[i].call : (long)strlen(cases[i].call)), cases[i].call,
                 at ? bundle_named("auto") : "", at ? at + 2 : "");
        device_call(&t.w, "%s", call);
        policy.self = &seen;
        assert_int_equal(kernel_run_by(t.w.kernel, &policy, 0, &ran, &e), 0);
        assert_int_equal(seen, cases[i].kind);
        assert_int_equal(kernel_run(t.w.kernel, 0, &rest, &e), 0);
        assert_true(ran > 0 && rest > 0); /* it stopped before the end */
        assert_int_equal(kernel_run_by(t.w.kernel, &policy, 0, &ran, &e), 0);
        assert_int_equal(ran, 0);
        t.w.policy = NULL;
        world_run(&t.w);
        world_close(&t.w);
    }
}

/* The order in which dead vats are cleaned up is that in which they died. */
TEST(vats_that_die_meanwhile_wait_for_their_turn)
{
    struct dead t;
    open_dead(&t, (struct world_setup){ 0 });
    struct world *w = &t.w;
    vat_id second = create(w, "auto", ""), third = create(w, "auto", "");
    introduce(w, second, t.b);
    introduce(w, third, second);
    t.c.budget = all_of(2);
    device_call(w, "terminateWithFailure #['v4','x']");
    for (int i = 0; t.c.cleanups < 2; i++) assert_int_equal(world_step(w), 1);
    poke(w, third, "exit");
    assert_false(alive(w, third));
    check_gone(&t); /* with everything */
    world_close(w);

    open_dead(&t, (struct world_setup){ 0 });
    second = create(w, "auto", "");
    third = create(w, "auto", "");
    introduce(w, third, second);
    t.c.refuses = true;
    terminate(w, third);
    terminate(w, t.d);
    terminate(w, second);
    char list[64];
    snprintf(list, sizeof list, "[\"v%u\",\"v4\",\"v%u\"]", third.n, second.n);
    assert_string_equal(key_text(w, "vats.terminated"), list);
    t.c.refuses = false;
    t.c.budget = all_of(3);
    snprintf(list, sizeof list, "[\"v4\",\"v%u\"]", second.n);
    bool seen = false;
    while (world_step(w) == 1) seen |= strcmp(key_text(w, "vats.terminated"), list) == 0;
    assert_true(seen);
    check_gone(&t);
    world_close(w);
}

/* What others do with its objects while it is half gone. */
TEST(objects_of_a_vat_half_deleted)
{
    for (uint64_t stop_at = 1; stop_at < 30; stop_at += 2) {
        struct dead t;
        open_dead(&t, (struct world_setup){ 0 });
        struct world *w = &t.w;
        t.c.budget = all_of(1);
        char two[16], five[16];
        strcpy(two, name_for(w, t.b, meant(w, t.d, "o+2")));
        strcpy(five, name_for(w, t.b, meant(w, t.d, "p+7")));
        kref root = root_of(w, t.d);
        device_call(w, "terminateWithFailure #['v4','x']");
        while (t.c.cleanups < stop_at && world_step(w) == 1) {}
        t.c.refuses = true;
        /* Call, hand on, drop, listen. */
        poke(w, t.b, "send %s -> p+50\nsubscribe p+50\nsend %s %s %s\ndrop %s\nsubscribe %s", name_for(w, t.b, root),
             name_for(w, t.b, root_of(w, w->boot)), two, name_for(w, t.b, root), two, five);
        assert_true(alive(w, t.b));
        t.c.refuses = false;
        t.c.budget = all_of(2);
        world_run(w);
        check_gone(&t);
        world_close(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_phase_alone_under_each_budget),
        cmocka_unit_test(all_phases_under_the_same_or_mixed_budgets),
        cmocka_unit_test(a_store_without_forks_ends_the_same_too),
        cmocka_unit_test(snapshots_and_spans_go_one_by_one),
        cmocka_unit_test(while_a_policy_refuses_other_work_goes_on),
        cmocka_unit_test(a_run_under_a_policy_ends_at_its_most),
        cmocka_unit_test(each_callback_can_end_the_run),
        cmocka_unit_test(vats_that_die_meanwhile_wait_for_their_turn),
        cmocka_unit_test(objects_of_a_vat_half_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
