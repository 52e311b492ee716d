/* Upgrades: what the next incarnation of a vat keeps and what it loses, and that one which
 * fails changes nothing.  (Upstream: kernel.js processUpgradeVat.) */
#include <stdio.h>

#include "world.h"

struct duo {
    struct world w;
    vat_id b, d;      /* b is static, d dynamic; they know each other */
    char d_in_b[16], b_in_d[16];
};

static void open_with(struct duo *t, struct world_setup s, const char *options)
{
    s.vats[0] = "b";
    world_open(&t->w, &s);
    t->b = vat_named(&t->w, "b");
    t->d = create(&t->w, "auto", options);
    introduce(&t->w, t->b, t->d);
    introduce(&t->w, t->d, t->b);
    strcpy(t->d_in_b, name_for(&t->w, t->b, root_of(&t->w, t->d)));
    strcpy(t->b_in_d, name_for(&t->w, t->d, root_of(&t->w, t->b)));
}

static void open_duo(struct duo *t)
{
    open_with(t, (struct world_setup){ 0 }, "");
}

static void upgrade_now(struct duo *t, const char *bundle)
{
    upgrade(&t->w, t->d, bundle, "'#undefined'", "");
    world_run(&t->w);
}

static struct transcript_bounds bounds(struct duo *t)
{
    struct transcript_bounds b;
    bool found = transcript_bounds(t->w.store, span_of_vat(t->w.kernel, t->d), &b);
    assert_true(found);
    return b;
}

static unsigned calls_back(struct duo *t, const char *with)
{
    char text[128];
    snprintf(text, sizeof text, "vatUpgradeCallback\\\",[%s", with);
    return told(&t->w, t->w.admin, text);
}

static bool noted(struct duo *t, const char *text)
{
    return memmem(t->w.notes.p, t->w.notes.n, text, strlen(text)) != NULL;
}

static void goes_on(struct duo *t)
{
    unsigned before = told(&t->w, t->d, "[\\\"hi\\\"");
    poke(&t->w, t->b, "send %s", t->d_in_b);
    assert_int_equal(told(&t->w, t->d, "[\\\"hi\\\""), before + 1);
    if (world_litter(&t->w) > 0) fail_msg("%.*s", SPAN_ARG(buf_span(&t->w.breaches)));
}

/* -- upgrades that work ------------------------------------------------------------------- */

TEST(the_next_incarnation_starts_anew_with_the_new_bundle)
{
    struct duo t;
    struct snapshot_info s;
    char source[200];
    open_duo(&t);
    goes_on(&t);
    assert_true(snapshot_info(t.w.store, SPAN("v4"), &s));
    poke(&t.w, t.d, "set keep this");
    uint64_t end = bounds(&t).end;
    const char *dirt = key_text(&t.w, "v4.reapDirt");
    upgrade_now(&t, "puppet");

    assert_int_equal(calls_back(&t, "\\\"up1\\\",true,\\\"#undefined\\\",1]"), 1);
    assert_int_equal(bounds(&t).incarnation, 1);
    assert_false(snapshot_info(t.w.store, SPAN("v4"), &s));
    /* bringOutYourDead, shutdown-worker | initialize-worker, startVat */
    assert_int_equal(bounds(&t).start, end + 2);
    assert_int_equal(bounds(&t).end, end + 4);
    assert_string_equal(delivery_at(&t.w, t.d, -4), "[\"bringOutYourDead\"]");
    assert_string_equal(delivery_at(&t.w, t.d, -3), "[\"shutdown-worker\"]");
    assert_non_null(strstr(delivery_at(&t.w, t.d, -2), "[\"initialize-worker\""));
    assert_non_null(strstr(delivery_at(&t.w, t.d, -2), bundle_named("puppet")));
    assert_string_equal(delivery_at(&t.w, t.d, -1),
                        "[\"startVat\",{\"body\":\"#\\\"#undefined\\\"\",\"slots\":[]}]");
    snprintf(source, sizeof source, "{\"bundleID\":\"%s\"}", bundle_named("puppet"));
    assert_string_equal(key_text(&t.w, "v4.source"), source);
    assert_string_equal(key_text(&t.w, "v4.vatParameters"), "{\"body\":\"#\\\"#undefined\\\"\",\"slots\":[]}");
    assert_string_equal(key_text(&t.w, "v4.vs.keep"), "this");
    assert_string_equal(key_text(&t.w, "v4.reapDirt"), dirt);
    assert_string_equal(key_text(&t.w, "vat.nextUpgradeID"), "2");
    goes_on(&t);
    /* The new code runs: a puppet leaves the result of a message alone. */
    poke(&t.w, t.b, "send %s -> p+5\nsubscribe p+5", t.d_in_b);
    assert_int_equal(kernel_promise_state(t.w.kernel, meant(&t.w, t.b, "p+5")), PROMISE_UNRESOLVED);
    world_close(&t.w);
}

/* Of the replay, and of the next snapshot, only the new incarnation is part. */
TEST(a_restart_replays_the_new_incarnation_alone)
{
    struct duo t;
    struct snapshot_info s;
    open_with(&t, (struct world_setup){ .snapshot_initial = 5 }, "");
    upgrade_now(&t, "puppet");
    uint64_t start = bounds(&t).start;
    unsigned commands = t.w.scripted.commands;
    world_restart(&t.w);
    poke(&t.w, t.d, "set k v");
    /* b's and boot's are not woken: setBundle, startVat, bringOutYourDead */
    assert_int_equal(t.w.scripted.commands, commands + 3);
    assert_int_equal(bounds(&t).start, start);
    for (int i = 0; i < 6; i++) goes_on(&t);
    assert_true(snapshot_info(t.w.store, SPAN("v4"), &s));
    assert_true(s.position > start);
    assert_int_equal(bounds(&t).incarnation, 1);
    world_restart(&t.w);
    goes_on(&t);
    world_close(&t.w);
}

TEST(twice_in_a_row)
{
    struct duo t;
    open_duo(&t);
    char body[1024];
    snprintf(body, sizeof body, "call d-70 upgradeVat #['v4','%s',{},'one']\ncall d-70 upgradeVat #['v4','%s',{},'two']",
             bundle_named("puppet"), bundle_named("auto"));
    /* What the first incarnation began, the second learns the fate of. */
    poke(&t.w, t.d, "send %s p+5", t.b_in_d);
    plan(&t.w, t.d, "startVat", "send %s p+5", t.b_in_d);
    poke(&t.w, t.b, "subscribe %s", name_for(&t.w, t.b, meant(&t.w, t.d, "p+5")));
    poke(&t.w, t.w.boot, "%s", body);
    assert_int_equal(calls_back(&t, "\\\"up1\\\",true,\\\"#undefined\\\",1]"), 1);
    assert_int_equal(calls_back(&t, "\\\"up2\\\",true,\\\"#undefined\\\",2]"), 1);
    assert_int_equal(bounds(&t).incarnation, 2);
    assert_int_equal(told(&t.w, t.b, "\\\"upgradeMessage\\\":\\\"one\\\""), 1);
    assert_int_equal(meant(&t.w, t.d, "p+5").kind, KREF_INVALID);
    goes_on(&t);
    world_close(&t.w);
}

TEST(promises_it_decides_are_rejected_and_no_others)
{
    struct duo t;
    open_duo(&t);
    struct world *w = &t.w;
    /* A message it has not answered. */
    plan(w, t.d, "message", "!keep");
    poke(w, t.b, "send %s p+9 -> p+4\nsubscribe p+4", t.d_in_b);
    kref answer = meant(w, t.b, "p+4"), theirs = meant(w, t.b, "p+9");
    /* One that b listens to, one that d itself does, one that nobody does, and b's. */
    poke(w, t.d, "send %s p+5 p+6 p+7\nsubscribe p+6\nsubscribe %s", t.b_in_d, name_for(w, t.d, theirs));
    kref five = meant(w, t.d, "p+5"), six = meant(w, t.d, "p+6"), seven = meant(w, t.d, "p+7");
    poke(w, t.b, "subscribe %s", name_for(w, t.b, five));
    upgrade_now(&t, "auto");

    static const char why[] = "#{\"incarnationNumber\":0,\"name\":\"vatUpgraded\",\"upgradeMessage\":\"a-reason\"}";
    kref rejected[] = { five, six, seven, answer };
    for (int i = 0; i < 4; i++) {
        bool gone = kernel_promise_state(w->kernel, rejected[i]) == PROMISE_UNKNOWN;
        if (!gone) assert_string_equal(key_text(w, "%s.data.body", kref_text(rejected[i]).s), why);
        assert_string_equal(name_for(w, t.d, rejected[i]), "o-999");
    }
    assert_int_equal(kernel_promise_state(w->kernel, six), PROMISE_REJECTED);
    assert_int_equal(told(w, t.b, "vatUpgraded"), 2);   /* p+5 and its own p+4 */
    assert_int_equal(told(w, t.d, "vatUpgraded"), 1);   /* p+6, after the upgrade */
    assert_int_equal(told(w, t.d, "[\"notify\",[[\"p+6\""), 1);
    /* It goes on listening to b's, as the old incarnation did. */
    assert_int_equal(kernel_promise_state(w->kernel, theirs), PROMISE_UNRESOLVED);
    poke(w, t.b, "data p+9");
    assert_int_equal(told(w, t.d, "[\"notify\""), 2);
    goes_on(&t);
    world_close(w);
}

TEST(messages_that_wait_on_a_promise_of_its_are_rejected)
{
    struct duo t;
    open_duo(&t);
    struct world *w = &t.w;
    poke(w, t.d, "send %s p+5", t.b_in_d);
    poke(w, t.b, "send %s o+7 -> p+3\nsubscribe p+3", name_for(w, t.b, meant(w, t.d, "p+5")));
    upgrade_now(&t, "auto");
    assert_int_equal(told(w, t.b, "vatUpgraded"), 1);
    assert_int_equal(meant(w, t.b, "p+3").kind, KREF_INVALID);
    goes_on(&t);
    world_close(w);
}

/* A result it was to decide waits in its own queue while it is upgraded: it is delivered to
 * the next incarnation. */
TEST(messages_on_the_way_reach_the_next_incarnation)
{
    struct duo t;
    open_duo(&t);
    struct world *w = &t.w;
    upgrade(w, t.d, "auto", "{}", "");
    for (int i = 0; i < 2; i++) assert_int_equal(world_step(w), 1); /* on the run queue */
    queue_poke(w, t.b, "send x");
    plan(w, t.b, "bringOutYourDead", "send %s o+3 -> p+3\nsubscribe p+3", t.d_in_b);
    world_run(w);
    assert_int_equal(calls_back(&t, "\\\"up1\\\",true"), 1);
    assert_int_equal(told(w, t.b, "\"notify\""), 1);
    assert_int_equal(told(w, t.b, "vatUpgraded"), 0);
    goes_on(&t);
    world_close(w);
}

static const char *const kept[] = { "o+d3/4", "o+d3/4:1", "o+d11" };
static const char *const lost[] = { "o+1", "o+22", "o+v1/2", "o+v1/2:1", "o+v9" };

TEST(exports_are_abandoned_but_for_durable_ones_and_the_root)
{
    struct duo t;
    open_duo(&t);
    struct world *w = &t.w;
    kref old[8], root = root_of(w, t.d);
    poke(w, t.d, "send %s o+1 o+22 o+v1/2 o+v1/2:1 o+v9 o+d3/4 o+d3/4:1 o+d11", t.b_in_d);
    for (int i = 0; i < 5; i++) old[i] = meant(w, t.d, lost[i]);
    for (int i = 0; i < 3; i++) old[5 + i] = meant(w, t.d, kept[i]);
    poke(w, t.b, "drop %s", name_for(w, t.b, old[6])); /* only recognizable: kept all the same */
    upgrade_now(&t, "auto");
    assert_true(kref_eq(root_of(w, t.d), root));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(meant(w, t.d, lost[i]).kind, KREF_INVALID);
        assert_true(object_exists(w->kernel, old[i]));
        assert_null(key_text(w, "%s.owner", kref_text(old[i]).s));
    }
    for (int i = 0; i < 3; i++) assert_true(kref_eq(meant(w, t.d, kept[i]), old[5 + i]));
    /* What is abandoned has nobody to answer for it. */
    poke(w, t.b, "send %s -> p+3\nsubscribe p+3\nsend %s -> p+4\nsubscribe p+4", name_for(w, t.b, old[0]),
         name_for(w, t.b, old[5]));
    assert_int_equal(told(w, t.b, "no vat"), 0);
    assert_int_equal(told(w, t.b, "\"notify\""), 2);
    assert_int_equal(told(w, t.b, "true,{\"body\":\"#{\\\"#error\\\":\\\"vat terminated\\\""), 1);
    /* The same names mean other objects from now on. */
    poke(w, t.d, "send %s o+1", t.b_in_d);
    assert_false(kref_eq(meant(w, t.d, "o+1"), old[0]));
    poke(w, t.b, "drop %s", name_for(w, t.b, old[0]));
    assert_int_equal(told(w, t.b, "retireImports"), 1);
    assert_false(object_exists(w->kernel, old[0]));
    goes_on(&t);
    world_close(w);
}

TEST(parameters_are_counted_and_the_old_ones_let_go)
{
    struct duo t;
    open_duo(&t);
    struct world *w = &t.w;
    poke(w, t.b, "send %s o+1 o+2", name_for(w, t.b, root_of(w, w->boot)));
    kref one = meant(w, t.b, "o+1"), two = meant(w, t.b, "o+2");
    char slot[16];
    strcpy(slot, name_for(w, w->boot, one));
    upgrade(w, t.d, "auto", "{'x':'$0.Alleged:x'}", slot);
    world_run(w);
    assert_non_null(strstr(key_text(w, "v4.vatParameters"), kref_text(one).s));
    strcpy(slot, name_for(w, w->boot, two));
    upgrade(w, t.d, "auto", "['$0.Alleged:x']", slot);
    world_run(w);
    struct refs n = object_refs(w->kernel, one);
    /* boot, the device and d's c-list; no longer the parameters */
    assert_int_equal(n.reachable, 3);
    n = object_refs(w->kernel, two);
    assert_int_equal(n.reachable, 4);
    goes_on(&t);
    world_close(w);
}

struct counts {
    unsigned of[4];
    uint64_t computrons[4];
};

static bool count(void *self, const struct crank_report *r)
{
    struct counts *c = self;
    c->of[r->kind]++;
    c->computrons[r->kind] += r->computrons;
    return true;
}

static struct run_policy counting(struct counts *c)
{
    return (struct run_policy){ .self = c, .vat_created = count, .crank_complete = count,
                                .empty_crank = count, .did_cleanup = count };
}

/* Upstream's policyInput is 'none' for an upgrade that worked, and a crank with its
 * computrons for one that did not. */
TEST(what_a_run_policy_is_told)
{
    for (int bad = 0; bad < 2; bad++) {
        struct duo t;
        struct counts c = { 0 };
        open_duo(&t);
        struct run_policy policy = counting(&c);
        plan(&t.w, t.d, "bringOutYourDead", "!spend 70");
        plan(&t.w, t.d, "startVat", bad ? "!spend 500\nfail" : "!spend 500");
        upgrade(&t.w, t.d, "auto", "{}", "");
        /* the poke, then its event is routed */
        for (int i = 0; i < 2; i++) assert_int_equal(world_step(&t.w), 1);
        t.w.policy = &policy;
        assert_int_equal(world_step(&t.w), 1);
        enum crank_kind kind = bad ? CRANK_DELIVERY : CRANK_EMPTY;
        assert_int_equal(c.of[kind], 1);
        assert_int_equal(c.computrons[kind], 570);
        t.w.policy = NULL;
        world_run(&t.w);
        world_close(&t.w);
    }
}

TEST(a_child_of_a_fork_is_upgraded_like_any_vat)
{
    struct duo t;
    open_duo(&t);
    struct world *w = &t.w;
    poke(w, t.d, "set k parent\nsend %s o+1 o+d1", t.b_in_d);
    vat_id child = device_fork(w, t.d, 0, NULL, "");
    world_run(w);
    assert_true(alive(w, child));
    uint64_t end = bounds(&t).end;
    upgrade(w, child, "puppet", "{}", "");
    world_run(w);
    assert_int_equal(calls_back(&t, "\\\"up1\\\",true,\\\"#undefined\\\",1]"), 1);
    assert_string_equal(key_text(w, "v%u.vs.k", child.n), "parent");
    assert_int_equal(meant(w, child, "o+1").kind, KREF_INVALID);
    assert_int_equal(meant(w, child, t.b_in_d).kind, KREF_OBJECT);
    assert_int_equal(bounds(&t).end, end); /* the parent saw nothing */
    world_restart(w);
    poke(w, child, "set k child");
    assert_string_equal(key_text(w, "v%u.vs.k", child.n), "child");
    goes_on(&t);
    world_close(w);
}

/* -- upgrades that fail ----------------------------------------------------------------------- */

/* Everything about d but what the request itself changes. */
static void state_of_d(struct duo *t, struct buf *out)
{
    struct transcript_bounds b = bounds(t);
    buf_reset(out);
    world_dump_keys(&t->w, "v4.", out);
    buf_printf(out, "%llu-%llu %s %llu", (unsigned long long)b.start, (unsigned long long)b.end, b.hash,
               (unsigned long long)b.incarnation);
}

static void fails(struct duo *t, const char *bundle, const char *what)
{
    struct buf before = { 0 }, after = { 0 };
    state_of_d(t, &before);
    upgrade_now(t, bundle);
    state_of_d(t, &after);
    if (!alive(&t->w, t->d)) fail_msg("%s: it is terminated", what);
    if (!span_eq(buf_span(&before), buf_span(&after))) {
        fail_msg("%s:\n%.*s\n=====\n%.*s", what, SPAN_ARG(buf_span(&before)), SPAN_ARG(buf_span(&after)));
    }
    if (calls_back(t, "\\\"up1\\\",false,{\\\"#error\\\":\\\"vat-upgrade failure\\\"") != 1) {
        fail_msg("%s: %s", what, delivery_at(&t->w, t->w.admin, -1));
    }
    assert_int_equal(told(&t->w, t->w.admin, "vatTerminated"), 0);
    assert_true(noted(t, "v4 could not be upgraded"));
    assert_null(warehouse_machine(t->w.kernel, t->d));
    buf_fini(&before);
    buf_fini(&after);
    plan_clear(&t->w, t->d, "bringOutYourDead");
    plan_clear(&t->w, t->d, "startVat");
    goes_on(t);
    world_close(&t->w);
}

static const char *const ends[] = { "!error no", "!meter", "!stack", "!memory", "send o-99", "['bake']",
                                    "exit", "exit o+9", "fail", "fail o+9", "['exit',true,{'body':'?','slots':[]}]" };

static void furnish(struct duo *t)
{
    struct world *w = &t->w;
    poke(w, t->d, "send %s o+1 o+v1/2 p+5 p+6\nsubscribe p+6\nset k v", t->b_in_d);
    poke(w, t->b, "subscribe %s", name_for(w, t->b, meant(w, t->d, "p+5")));
}

TEST(a_failing_bring_out_your_dead_undoes_it)
{
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct duo t;
        open_duo(&t);
        furnish(&t);
        plan(&t.w, t.d, "bringOutYourDead", "set k w\nsend %s o+30\n%s", t.b_in_d, ends[i]);
        fails(&t, "puppet", ends[i]);
    }
}

TEST(a_failing_start_undoes_it)
{
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct duo t;
        open_duo(&t);
        furnish(&t);
        plan(&t.w, t.d, "startVat", "set k w\nsend %s o+30\n%s", t.b_in_d, ends[i]);
        fails(&t, "puppet", ends[i]);
    }
}

/* Code that cannot be set up: upstream's kernel panics; here it is one more failed upgrade. */
TEST(a_bundle_that_does_not_run_undoes_it)
{
    static const char *const bundles[] = { "broken", "greedy", "missing" };
    for (size_t i = 0; i < sizeof bundles / sizeof *bundles; i++) {
        struct duo t;
        open_duo(&t);
        furnish(&t);
        fails(&t, bundles[i], bundles[i]);
    }
}

TEST(a_critical_vat_survives_a_failed_upgrade)
{
    struct duo t;
    open_with(&t, (struct world_setup){ 0 }, "'critical':true");
    plan(&t.w, t.d, "startVat", "fail");
    fails(&t, "puppet", "critical");
}

/* What its parameters held is let go, and another upgrade can be tried. */
TEST(after_a_failed_upgrade_another_may_work)
{
    struct duo t;
    open_duo(&t);
    struct world *w = &t.w;
    poke(w, t.b, "send %s o+1", name_for(w, t.b, root_of(w, w->boot)));
    kref one = meant(w, t.b, "o+1");
    char slot[16];
    strcpy(slot, name_for(w, w->boot, one));
    plan(w, t.d, "startVat", "fail");
    upgrade(w, t.d, "auto", "{'x':'$0.Alleged:x'}", slot);
    world_run(w);
    assert_int_equal(object_refs(w->kernel, one).reachable, 2); /* boot and the device */
    plan_clear(w, t.d, "startVat");
    upgrade_now(&t, "puppet");
    assert_int_equal(calls_back(&t, "\\\"up2\\\",true,\\\"#undefined\\\",1]"), 1);
    goes_on(&t);
    world_close(w);
}

/* The meter pays for the start, with what bringOutYourDead counted; also when it fails. */
TEST(a_meter_that_runs_dry_in_the_start)
{
    struct duo t;
    world_open(&t.w, &(struct world_setup){ .vats = { "b" } });
    struct world *w = &t.w;
    device_call(w, "createMeter #['+100000','+0']");
    world_run(w);
    t.b = vat_named(w, "b");
    t.d = create(w, "auto", "'meterID':'m1'");
    introduce(w, t.b, t.d);
    strcpy(t.d_in_b, name_for(w, t.b, root_of(w, t.d)));
    kv_set(w->store, SPAN("m1.remaining"), SPAN("2000"));
    plan(w, t.d, "bringOutYourDead", "!spend 500");
    plan(w, t.d, "startVat", "!spend 2001");
    upgrade_now(&t, "auto");
    assert_int_equal(calls_back(&t, "\\\"up1\\\",false"), 1);
    assert_true(alive(w, t.d));
    assert_true(noted(&t, "meter underflow"));
    assert_string_equal(key_text(w, "m1.remaining"), "0");
    /* Exactly enough for the start; bringOutYourDead's share is deducted, never asked for. */
    kv_set(w->store, SPAN("m1.remaining"), SPAN("2001"));
    upgrade_now(&t, "auto");
    assert_int_equal(calls_back(&t, "\\\"up2\\\",true"), 1);
    assert_string_equal(key_text(w, "m1.remaining"), "0");
    kv_set(w->store, SPAN("m1.remaining"), SPAN("9000"));
    plan(w, t.d, "bringOutYourDead", "!spend 500");
    plan(w, t.d, "startVat", "!spend 2000");
    upgrade_now(&t, "auto");
    assert_string_equal(key_text(w, "m1.remaining"), "6500");
    /* A bringOutYourDead that fails is not paid for. */
    plan(w, t.d, "bringOutYourDead", "!spend 500\n!error no");
    upgrade_now(&t, "auto");
    assert_int_equal(calls_back(&t, "\\\"up4\\\",false"), 1);
    assert_string_equal(key_text(w, "m1.remaining"), "6500");
    world_close(w);
}

/* -- whom nobody can upgrade ------------------------------------------------------------------- */

TEST(a_vat_that_is_gone_is_not_upgraded)
{
    struct duo t;
    open_duo(&t);
    struct world *w = &t.w;
    poke(w, t.b, "send %s o+1", name_for(w, t.b, root_of(w, w->boot)));
    kref one = meant(w, t.b, "o+1");
    poke(w, t.d, "send %s p+5", t.b_in_d);
    poke(w, w->boot, "call d-70 terminateWithFailure #['v4','x']\ncall d-70 upgradeVat #['v4','%s',['$0.Alleged:x'],'m'] %s",
         bundle_named("auto"), name_for(w, w->boot, one));
    assert_false(alive(w, t.d));
    assert_int_equal(told(w, w->admin, "vatUpgradeCallback"), 0); /* vat-admin knows */
    assert_int_equal(object_refs(w->kernel, one).reachable, 2);
    /* Nor one that never was. */
    device_call(w, "upgradeVat #['v77','%s',{},'m']", bundle_named("auto"));
    world_run(w);
    assert_int_equal(told(w, w->admin, "vatUpgradeCallback"), 0);
    if (world_litter(w) > 0) fail_msg("%.*s", SPAN_ARG(buf_span(&w->breaches)));
    world_close(w);
}

TEST(a_zygote_is_not_upgraded)
{
    struct duo t;
    open_duo(&t);
    struct world *w = &t.w;
    device_seal(w, t.d);
    world_run(w);
    assert_true(vat_is_sealed(w->kernel, t.d));
    struct buf before = { 0 }, after = { 0 };
    state_of_d(&t, &before);
    upgrade_now(&t, "auto");
    state_of_d(&t, &after);
    assert_true(span_eq(buf_span(&before), buf_span(&after)));
    assert_int_equal(calls_back(&t, "\\\"up1\\\",false"), 1);
    assert_true(noted(&t, "zygote"));
    buf_fini(&before);
    buf_fini(&after);
    world_close(w);
}

/* -- stores without forks: upstream's leaks are kept ------------------------------------------------ */

TEST(parameters_of_an_upgrade_that_failed_stay_counted_as_upstream)
{
    struct duo t;
    open_with(&t, (struct world_setup){ .no_zygotes = true }, "");
    struct world *w = &t.w;
    poke(w, t.b, "send %s o+1", name_for(w, t.b, root_of(w, w->boot)));
    kref one = meant(w, t.b, "o+1");
    char slot[16];
    strcpy(slot, name_for(w, w->boot, one));
    plan(w, t.d, "startVat", "fail");
    upgrade(w, t.d, "auto", "['$0.Alleged:x']", slot);
    world_run(w);
    assert_int_equal(object_refs(w->kernel, one).reachable, 3);
    poke(w, w->boot, "call d-70 terminateWithFailure #['v4','x']\ncall d-70 upgradeVat #['v4','%s',['$0.Alleged:x'],'m'] %s",
         bundle_named("auto"), slot);
    assert_int_equal(object_refs(w->kernel, one).reachable, 4);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_incarnation_starts_anew_with_the_new_bundle),
        cmocka_unit_test(a_restart_replays_the_new_incarnation_alone),
        cmocka_unit_test(twice_in_a_row),
        cmocka_unit_test(promises_it_decides_are_rejected_and_no_others),
        cmocka_unit_test(messages_that_wait_on_a_promise_of_its_are_rejected),
        cmocka_unit_test(messages_on_the_way_reach_the_next_incarnation),
        cmocka_unit_test(exports_are_abandoned_but_for_durable_ones_and_the_root),
        cmocka_unit_test(parameters_are_counted_and_the_old_ones_let_go),
        cmocka_unit_test(what_a_run_policy_is_told),
        cmocka_unit_test(a_child_of_a_fork_is_upgraded_like_any_vat),
        cmocka_unit_test(a_failing_bring_out_your_dead_undoes_it),
        cmocka_unit_test(a_failing_start_undoes_it),
        cmocka_unit_test(a_bundle_that_does_not_run_undoes_it),
        cmocka_unit_test(a_critical_vat_survives_a_failed_upgrade),
        cmocka_unit_test(after_a_failed_upgrade_another_may_work),
        cmocka_unit_test(a_meter_that_runs_dry_in_the_start),
        cmocka_unit_test(a_vat_that_is_gone_is_not_upgraded),
        cmocka_unit_test(a_zygote_is_not_upgraded),
        cmocka_unit_test(parameters_of_an_upgrade_that_failed_stay_counted_as_upstream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
