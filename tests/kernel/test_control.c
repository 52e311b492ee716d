/* What a host may do between runs (kernel.h; upstream's controller.js), how a kernel is made
 * and opened, and what it tells. */
#include "lib/bundles.h"

#include <stdio.h>

#include "world.h"

struct duo {
    struct world w;
    vat_id a, b;
    char a_in_b[16], b_in_a[16];
};

static void open_with(struct duo *t, struct world_setup s)
{
    s.vats[0] = "a";
    s.vats[1] = "b";
    world_open(&t->w, &s);
    t->a = vat_named(&t->w, "a");
    t->b = vat_named(&t->w, "b");
    if (s.not_introduced) return;
    strcpy(t->b_in_a, name_for(&t->w, t->a, root_of(&t->w, t->b)));
    strcpy(t->a_in_b, name_for(&t->w, t->b, root_of(&t->w, t->a)));
}

static void open_duo(struct duo *t)
{
    open_with(t, (struct world_setup){ 0 });
}

static void close_duo(struct duo *t)
{
    world_run(&t->w);
    if (world_litter(&t->w) > 0) fail_msg("%.*s", SPAN_ARG(buf_span(&t->w.breaches)));
    world_close(&t->w);
}

static bool noted(struct world *w, const char *text)
{
    return w->notes.n > 0 && memmem(w->notes.p, w->notes.n, text, strlen(text)) != NULL;
}

static const struct pass *no_args(struct world *w)
{
    return pass_array(kernel_arena(w->kernel), 0, NULL);
}

static struct transcript_bounds bounds(struct world *w, vat_id vat)
{
    struct transcript_bounds b = { 0 };
    transcript_bounds(w->store, span_of_vat(w->kernel, vat), &b);
    return b;
}

/* -- terminating --------------------------------------------------------------------------- */

TEST(the_host_ends_a_vat)
{
    struct duo t;
    struct err e;
    open_duo(&t);
    const struct capdata why = { .body = SPAN("#{\"#error\":\"enough\",\"name\":\"Error\"}") };
    poke(&t.w, t.a, "send %s p+5", t.b_in_a);
    poke(&t.w, t.b, "subscribe %s", name_for(&t.w, t.b, meant(&t.w, t.a, "p+5")));
    assert_non_null(warehouse_machine(t.w.kernel, t.a));
    assert_int_equal(kernel_terminate(t.w.kernel, t.a, &why, &e), 0);
    assert_false(alive(&t.w, t.a));
    assert_null(warehouse_machine(t.w.kernel, t.a));
    world_run(&t.w);
    assert_int_equal(told(&t.w, t.w.admin, "vatTerminated\\\",[\\\"v3\\\",true,{\\\"#error\\\":\\\"enough\\\""), 1);
    assert_int_equal(told(&t.w, t.b, "vat terminated"), 1);
    assert_null(key_text(&t.w, "v3.options"));
    assert_int_equal(kernel_terminate(t.w.kernel, t.a, &why, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
    assert_int_equal(kernel_terminate(t.w.kernel, (vat_id){ 99 }, &why, &e), -1);
    close_duo(&t);
}

TEST(the_reason_may_not_hold_references)
{
    struct duo t;
    struct err e;
    open_duo(&t);
    kref root = root_of(&t.w, t.b);
    const struct capdata why = { .body = SPAN("#\"$0\""), .count = 1, .slots = &root };
    assert_int_equal(kernel_terminate(t.w.kernel, t.a, &why, &e), -1);
    assert_int_equal(e.exit, EXIT_USAGE);
    assert_true(alive(&t.w, t.a));
    close_duo(&t);
}

TEST(to_end_a_critical_vat_is_a_panic)
{
    struct duo t;
    struct err e;
    uint64_t ran;
    open_with(&t, (struct world_setup){ .critical = "a" });
    const struct capdata why = { .body = SPAN("#\"enough\"") };
    assert_int_equal(kernel_terminate(t.w.kernel, t.a, &why, &e), -1);
    assert_int_equal(e.exit, EXIT_VAT);
    assert_non_null(strstr(e.text, "critical vat v3 failed"));
    memset(&e, 0, sizeof e);
    assert_int_equal(kernel_run(t.w.kernel, 0, &ran, &e), -1); /* it stays panicked */
    assert_int_equal(ran, 0);
    assert_int_equal(e.exit, EXIT_VAT);
    world_close(&t.w);
}

/* -- garbage and snapshots -------------------------------------------------------------------- */

TEST(reaping_those_that_ran_since)
{
    struct duo t;
    struct vat_position *first, *second, *third;
    open_duo(&t);
    struct world *w = &t.w;
    size_t n = kernel_reap_since(w->kernel, NULL, 0, &first);
    assert_int_equal(n, 4);
    struct vat_position kept[4];
    memcpy(kept, first, sizeof kept);
    for (int i = 0; i < 4; i++) assert_int_equal(kept[i].end, bounds(w, kept[i].vat).end + 1);
    world_run(w);
    /* What was foretold came true, unless a snapshot followed. */
    for (int i = 0; i < 4; i++) assert_true(kept[i].end <= bounds(w, kept[i].vat).end);
    for (int i = 0; i < 4; i++) kept[i].end = bounds(w, kept[i].vat).end;
    unsigned a = told(w, t.a, "bringOutYourDead"), b = told(w, t.b, "bringOutYourDead");
    assert_int_equal(kernel_reap_since(w->kernel, kept, 4, &second), 4);
    world_run(w);
    assert_int_equal(told(w, t.a, "bringOutYourDead"), a);
    vat_id d = create(w, "auto", "");
    poke(w, t.b, "send %s", t.a_in_b);
    a = told(w, t.a, "bringOutYourDead");
    b = told(w, t.b, "bringOutYourDead");
    assert_int_equal(kernel_reap_since(w->kernel, kept, 4, &third), 5);
    assert_true(vat_id_eq(third[4].vat, d));
    world_run(w);
    assert_int_equal(told(w, t.a, "bringOutYourDead"), a + 1);
    assert_int_equal(told(w, t.b, "bringOutYourDead"), b + 1); /* its poke was a delivery */
    assert_true(told(w, d, "bringOutYourDead") >= 1);
    kernel_reap_since(w->kernel, NULL, 0, NULL);
    close_duo(&t);
}

TEST(snapshots_of_all)
{
    struct duo t;
    struct err e;
    vat_id *vats;
    size_t count;
    open_with(&t, (struct world_setup){ .snapshot_initial = 100 });
    struct world *w = &t.w;
    vat_id d = create(w, "auto", ""), z = create(w, "auto", "");
    device_seal(w, z);
    world_run(w);
    assert_int_equal(kernel_snapshot_all(w->kernel, &vats, &count, &e), 0);
    assert_int_equal(count, 5); /* a, b, boot, vatAdmin, d: static by name, then dynamic */
    assert_true(vat_id_eq(vats[0], t.a) && vat_id_eq(vats[1], t.b) && vat_id_eq(vats[4], d));
    assert_int_equal(bounds(w, t.a).end - bounds(w, t.a).start, 1); /* load-snapshot */
    assert_int_equal(kernel_snapshot_all(w->kernel, &vats, &count, &e), 0);
    assert_int_equal(count, 0);
    world_restart(w);
    poke(w, t.b, "set k v");
    assert_int_equal(kernel_snapshot_all(w->kernel, &vats, &count, &e), 0);
    assert_int_equal(count, 1);
    assert_true(vat_id_eq(vats[0], t.b));
    close_duo(&t);
}

TEST(a_vat_that_fails_before_its_snapshot_is_ended_and_the_others_are_saved)
{
    static const char *const ends[] = { "!error no", "!meter", "send o-99", "exit", "fail" };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct duo t;
        struct err e;
        vat_id *vats;
        size_t count;
        open_with(&t, (struct world_setup){ .snapshot_initial = 100 });
        plan(&t.w, t.a, "bringOutYourDead", "%s", ends[i]);
        assert_int_equal(kernel_snapshot_all(t.w.kernel, &vats, &count, &e), 0);
        if (count != 3) fail_msg("%s: %zu of 3", ends[i], count);
        assert_false(alive(&t.w, t.a));
        world_run(&t.w);
        assert_int_equal(told(&t.w, t.w.admin, "vatTerminated"), 1);
        close_duo(&t);
    }
}

TEST(a_snapshot_that_cannot_be_saved_is_the_worlds_fault)
{
    struct duo t;
    struct err e;
    vat_id *vats;
    size_t count;
    open_with(&t, (struct world_setup){ .snapshot_initial = 100 });
    t.w.scripted.fail_snapshot = true;
    assert_int_equal(kernel_snapshot_all(t.w.kernel, &vats, &count, &e), -1);
    assert_int_equal(e.exit, EXIT_FAILED);
    t.w.scripted.fail_snapshot = false;
    world_run(&t.w);
    assert_true(alive(&t.w, t.a));
    close_duo(&t);
}

/* -- options ------------------------------------------------------------------------------------ */

static struct kernel_changes changes(int64_t interval, int64_t krefs, int64_t snapshots)
{
    return (struct kernel_changes){ interval, krefs, snapshots, 0 };
}

TEST(changing_the_kernels_options)
{
    static const struct {
        int64_t interval, krefs, snapshots;
        const char *threshold, *every;
    } cases[] = {
        { -1, -1, -1, "{\"deliveries\":\"never\",\"gcKrefs\":\"never\",\"computrons\":\"never\"}", "200" },
        { 7, -1, -1, "{\"deliveries\":7,\"gcKrefs\":\"never\",\"computrons\":\"never\"}", "200" },
        { -1, 9, -1, "{\"deliveries\":7,\"gcKrefs\":9,\"computrons\":\"never\"}", "200" },
        { REAP_NEVER, 10, 50, "{\"deliveries\":\"never\",\"gcKrefs\":10,\"computrons\":\"never\"}", "50" },
        { 1, REAP_NEVER, 0, "{\"deliveries\":1,\"gcKrefs\":\"never\",\"computrons\":\"never\"}", "0" },
    };
    struct duo t;
    struct err e;
    open_duo(&t);
    uint64_t crank = state_need_u64(t.w.kernel, SPAN("crankNumber"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kernel_changes c = changes(cases[i].interval, cases[i].krefs, cases[i].snapshots);
        assert_int_equal(kernel_change_options(t.w.kernel, &c, &e), 0);
        assert_string_equal(key_text(&t.w, "kernel.defaultReapDirtThreshold"), cases[i].threshold);
        assert_string_equal(key_text(&t.w, "kernel.snapshotInterval"), cases[i].every);
    }
    const struct kernel_changes bad[] = { { 0, -1, -1, 0 }, { -1, 0, -1, 0 }, { -3, -1, -1, 0 }, { 5, -9, -1, 0 } };
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(kernel_change_options(t.w.kernel, &bad[i], &e), -1);
        assert_int_equal(e.exit, EXIT_USAGE);
        assert_string_equal(key_text(&t.w, "kernel.defaultReapDirtThreshold"), cases[4].threshold);
    }
    assert_int_equal(state_need_u64(t.w.kernel, SPAN("crankNumber")), crank);
    struct kernel_changes usual = changes(3, -1, 200);
    assert_int_equal(kernel_change_options(t.w.kernel, &usual, &e), 0);
    unsigned before = told(&t.w, t.a, "bringOutYourDead");
    for (int i = 0; i < 3; i++) poke(&t.w, t.b, "send %s", t.a_in_b);
    assert_true(told(&t.w, t.a, "bringOutYourDead") > before); /* it takes effect at once */
    close_duo(&t);
}

TEST(events_of_a_schema_upgrade_are_queued_as_they_are)
{
    struct duo t;
    char events[512];
    open_duo(&t);
    struct world *w = &t.w;
    kernel_inject_upgrade_events(w->kernel); /* none */
    assert_int_equal(queue_length(w->kernel, QUEUE_ACCEPTANCE), 0);
    /* A notify, as upgradeSwingset() queues them: the promise is counted for it. */
    poke(w, t.a, "send %s p+5", t.b_in_a);
    kref p = meant(w, t.a, "p+5");
    poke(w, t.a, "resolve p+5 o+3");
    poke(w, t.a, "send %s o+4 -> p+6", t.b_in_a);
    kref o = meant(w, t.a, "o+4");
    if (promise_state(w->kernel, p) == PROMISE_UNKNOWN) p = meant(w, t.a, "p+6");
    ref_inc(w->kernel, p, REF_NORMAL);
    ref_inc(w->kernel, root_of(w, t.b), REF_NORMAL);
    ref_inc(w->kernel, o, REF_NORMAL);
    snprintf(events, sizeof events,
             "[{\"type\":\"notify\",\"vatID\":\"v4\",\"kpid\":\"%s\"},{\"type\":\"send\",\"target\":\"%s\","
             "\"msg\":{\"methargs\":{\"body\":\"#[\\\"injected\\\",[\\\"$0\\\"]]\",\"slots\":[\"%s\"]},\"result\":null}}]",
             kref_text(p).s, kref_text(root_of(w, t.b)).s, kref_text(o).s);
    kv_set(w->store, SPAN("upgradeEvents"), span_of(events));
    poke(w, t.a, "set k v"); /* audited: the list holds what its events name */
    kernel_inject_upgrade_events(w->kernel);
    assert_null(key_text(w, "upgradeEvents"));
    assert_int_equal(queue_length(w->kernel, QUEUE_ACCEPTANCE), 2);
    world_run(w);
    assert_int_equal(told(w, t.b, "injected"), 1);
    close_duo(&t);
}

/* -- messages and promises ------------------------------------------------------------------------ */

TEST(each_policy_for_the_result_of_a_message)
{
    static const struct {
        enum policy policy;
        const char *key, *answer;
        bool noted, panics;
    } cases[] = {
        { POLICY_IGNORE, NULL, "reject", false, false },     { POLICY_IGNORE, NULL, "data", false, false },
        { POLICY_LOG_ALWAYS, "logAlways", "data", true, false },
        { POLICY_LOG_ALWAYS, "logAlways", "reject", true, false },
        { POLICY_LOG_FAILURE, "logFailure", "data", false, false },
        { POLICY_LOG_FAILURE, "logFailure", "reject", true, false },
        { POLICY_PANIC, "panic", "data", false, false },     { POLICY_PANIC, "panic", "reject", false, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct duo t;
        open_duo(&t);
        struct world *w = &t.w;
        kref p = kernel_send_as(w->kernel, root_of(w, t.a), SPAN("ask"), no_args(w), cases[i].policy);
        assert_int_equal(p.kind, KREF_PROMISE);
        const char *policy = key_text(w, "%s.policy", kref_text(p).s);
        if (cases[i].key != NULL) assert_string_equal(policy, cases[i].key);
        else assert_null(policy);
        plan(w, t.a, "message", "%s @result", cases[i].answer);
        buf_reset(&w->notes);
        int ran = 1;
        while (ran > 0) ran = world_step(w);
        assert_int_equal(ran, cases[i].panics ? -1 : 0);
        if (cases[i].panics) assert_int_equal(w->err.exit, EXIT_VAT);
        assert_int_equal(noted(w, "a message of the kernel's own"), cases[i].noted);
        world_close(w);
    }
}

TEST(a_message_without_a_result)
{
    struct duo t;
    open_duo(&t);
    kref p = kernel_send_as(t.w.kernel, root_of(&t.w, t.a), SPAN("tell"), no_args(&t.w), POLICY_NONE);
    assert_int_equal(p.kind, KREF_INVALID);
    world_run(&t.w);
    assert_string_equal(delivery_at(&t.w, t.a, -1), "[\"message\",\"o+0\",{\"methargs\":{\"body\":\"#[\\\"tell\\\",[]]\","
                                                    "\"slots\":[]},\"result\":null}]");
    close_duo(&t);
}

TEST(what_a_host_may_take_and_hold)
{
    struct duo t;
    struct capdata data;
    open_with(&t, (struct world_setup){ .puppets = true });
    struct world *w = &t.w;
    assert_int_equal(kernel_promise_state(w->kernel, root_of(w, t.a)), PROMISE_UNKNOWN);
    assert_false(kernel_promise_take(w->kernel, root_of(w, t.a), &data));
    assert_false(kernel_promise_take(w->kernel, (kref){ KREF_PROMISE, 9999 }, &data));
    kref p[3];
    for (int i = 0; i < 3; i++) p[i] = kernel_send(w->kernel, root_of(w, t.a), SPAN("ask"), no_args(w));
    plan(w, t.a, "message", "resolve @result o+4");
    world_run(w);
    assert_false(kernel_promise_take(w->kernel, p[1], &data)); /* unresolved */
    /* Without a hold of what it names, which goes with it. */
    kref named;
    assert_true(kernel_promise_take_as(w->kernel, p[0], false, &data));
    named = data.slots[0];
    poke(w, t.b, "set k v");
    assert_int_equal(kernel_promise_state(w->kernel, p[0]), PROMISE_UNKNOWN);
    assert_false(object_exists(w->kernel, named));
    /* With one; held twice, the promise stays until it was taken twice. */
    kernel_promise_hold(w->kernel, p[1]);
    poke(w, t.a, "reject %s o+5", name_for(w, t.a, p[1]));
    assert_true(kernel_promise_take(w->kernel, p[1], &data));
    named = data.slots[0];
    poke(w, t.b, "set k v");
    assert_int_equal(kernel_promise_state(w->kernel, p[1]), PROMISE_REJECTED);
    assert_true(kernel_promise_take(w->kernel, p[1], &data));
    poke(w, t.b, "set k v");
    assert_int_equal(kernel_promise_state(w->kernel, p[1]), PROMISE_UNKNOWN);
    assert_int_equal(object_refs(w->kernel, named).reachable, 2);
    /* One it never held is only looked at. */
    poke(w, t.a, "send %s p+7", t.b_in_a);
    kref theirs = meant(w, t.a, "p+7");
    poke(w, t.b, "subscribe %s\nsend %s o+1 %s", name_for(w, t.b, theirs), t.a_in_b, name_for(w, t.b, theirs));
    plan(w, t.b, "notify", "!keep");
    poke(w, t.a, "resolve %s o+6", name_for(w, t.a, p[2]));
    assert_true(kernel_promise_take(w->kernel, p[2], &data));
    world_close(w);
}

/* Where upstream's kernel may have written the store, the host's word is all there is. */
TEST(a_store_of_upstreams_does_not_say_what_its_host_holds)
{
    struct duo t;
    struct capdata data;
    open_with(&t, (struct world_setup){ .no_zygotes = true });
    struct world *w = &t.w;
    plan(w, t.a, "message", "resolve @result o+4");
    kref p = kernel_send(w->kernel, root_of(w, t.a), SPAN("ask"), no_args(w));
    world_run(w);
    kv_host_delete(w->store, arena_printf(kernel_arena(w->kernel), "host.zygote.external.%s", kref_text(p).s));
    assert_true(kernel_promise_take(w->kernel, p, &data));
    kref named = data.slots[0];
    poke(w, t.b, "set k v");
    assert_int_equal(kernel_promise_state(w->kernel, p), PROMISE_UNKNOWN);
    assert_int_equal(object_refs(w->kernel, named).reachable, 1);
    world_close(w);
}

/* Releases of before kept one list; what is on it is found, and counted by the audit. */
TEST(what_the_host_holds_was_once_a_list)
{
    struct duo t;
    struct capdata data;
    open_with(&t, (struct world_setup){ 0 });
    struct world *w = &t.w;
    plan(w, t.a, "message", "resolve @result #7");
    kref p[2];
    for (size_t i = 0; i < 2; i++) {
        p[i] = kernel_send(w->kernel, root_of(w, t.a), SPAN("ask"), no_args(w));
        kv_host_delete(w->store, arena_printf(kernel_arena(w->kernel), "host.zygote.external.%s", kref_text(p[i]).s));
    }
    kv_host_set(w->store, SPAN("host.zygote.external"),
                arena_printf(kernel_arena(w->kernel), "%s,%s", kref_text(p[0]).s, kref_text(p[1]).s));
    kernel_promise_hold(w->kernel, p[0]);
    world_run(w); /* audits */
    assert_true(kernel_promise_take(w->kernel, p[0], &data));
    assert_true(kernel_promise_take(w->kernel, p[1], &data));
    assert_null(key_text(w, "host.zygote.external.%s", kref_text(p[0]).s));
    assert_string_equal(key_text(w, "host.zygote.external"), kref_text(p[0]).s);
    poke(w, t.b, "set k v");
    assert_int_not_equal(kernel_promise_state(w->kernel, p[0]), PROMISE_UNKNOWN);
    assert_int_equal(kernel_promise_state(w->kernel, p[1]), PROMISE_UNKNOWN);
    assert_true(kernel_promise_take(w->kernel, p[0], &data));
    assert_null(key_text(w, "host.zygote.external"));
    poke(w, t.b, "set k v");
    assert_int_equal(kernel_promise_state(w->kernel, p[0]), PROMISE_UNKNOWN);
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

/* -- finding, pinning, upgrading ------------------------------------------------------------------ */

TEST(finding_what_is_not_there_any_more)
{
    struct duo t;
    struct err e;
    kref r;
    open_with(&t, (struct world_setup){ .not_introduced = true });
    struct world *w = &t.w;
    kref a = root_of(w, t.a), b = root_of(w, t.b);
    assert_int_equal(kernel_find(w->kernel, span_of(kref_text(a).s), &r, &e), 0);
    assert_int_equal(kernel_pin_root(w->kernel, SPAN("a"), &r, &e), 0);
    assert_true(kref_eq(r, a));
    assert_int_equal(kernel_pin_root(w->kernel, SPAN("a"), &r, &e), 0); /* once is enough */
    assert_int_equal(kernel_pin_root(w->kernel, SPAN("nobody"), &r, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
    /* boot lets go of both roots, and of b's altogether. */
    poke(w, w->boot, "drop %s %s", name_for(w, w->boot, a), name_for(w, w->boot, b));
    assert_int_equal(kernel_find(w->kernel, SPAN("a"), &r, &e), 0);
    assert_int_equal(kernel_find(w->kernel, SPAN("b"), &r, &e), -1);
    if (strstr(e.text, "nobody holds the root") == NULL) fail_msg("%s", e.text);
    assert_int_equal(kernel_find(w->kernel, span_of(kref_text(b).s), &r, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
    assert_int_equal(kernel_find(w->kernel, SPAN("kp40"), &r, &e), -1);
    assert_int_equal(kernel_find(w->kernel, SPAN("kd30"), &r, &e), -1);
    const struct capdata why = { .body = SPAN("#\"enough\"") };
    assert_int_equal(kernel_terminate(w->kernel, t.a, &why, &e), 0);
    assert_int_equal(kernel_find(w->kernel, SPAN("v3"), &r, &e), -1);
    assert_int_equal(kernel_find(w->kernel, SPAN("a"), &r, &e), -1);
    world_close(w);
}

/* An object that others only know, and one nobody owns. */
TEST(finding_objects)
{
    struct duo t;
    struct err e;
    kref r;
    open_duo(&t);
    struct world *w = &t.w;
    poke(w, t.a, "send %s o+1 o+2", t.b_in_a);
    kref one = meant(w, t.a, "o+1"), two = meant(w, t.a, "o+2");
    assert_int_equal(kernel_find(w->kernel, span_of(kref_text(one).s), &r, &e), 0);
    poke(w, t.b, "drop %s", name_for(w, t.b, one));
    assert_int_equal(kernel_find(w->kernel, span_of(kref_text(one).s), &r, &e), -1);
    assert_non_null(strstr(e.text, "dropped by everyone"));
    poke(w, t.a, "abandon o+2");
    assert_int_equal(kernel_find(w->kernel, span_of(kref_text(two).s), &r, &e), 0);
    kref p = kernel_send(w->kernel, two, SPAN("ask"), no_args(w));
    world_run(w);
    assert_int_equal(kernel_promise_state(w->kernel, p), PROMISE_REJECTED);
    close_duo(&t);
}

TEST(upgrading_a_static_vat_is_a_message_to_vat_admin)
{
    struct duo t;
    struct err e;
    kref p;
    char want[512];
    open_duo(&t);
    struct world *w = &t.w;
    struct arena own, *a = &own;
    arena_init(a);
    struct span puppet = arena_copy(a, span_of(bundle_named("puppet")));
    assert_int_equal(kernel_upgrade_static(w->kernel, SPAN("a"), false, puppet, NULL, &p, &e), 0);
    world_run(w);
    snprintf(want, sizeof want, "#[\\\"upgradeStaticVat\\\",[\\\"v3\\\",null,\\\"%s\\\",{\\\"upgradeMessage\\\":\\\"vat a upgraded\\\"}]]",
             bundle_named("puppet"));
    assert_int_equal(told(w, w->admin, want), 1);
    assert_int_equal(kernel_promise_state(w->kernel, p), PROMISE_FULFILLED);
    /* With options; an empty message is none. */
    const struct span keys[] = { SPAN("upgradeMessage"), SPAN("vatParameters") };
    const struct pass *values[] = { pass_string(a, SPAN("why")), pass_number(a, 3) };
    assert_int_equal(kernel_upgrade_static(w->kernel, SPAN("a"), true, puppet, pass_record(a, 2, keys, values), &p, &e), 0);
    values[0] = pass_string(a, SPAN(""));
    assert_int_equal(kernel_upgrade_static(w->kernel, SPAN("b"), true, puppet, pass_record(a, 2, keys, values), &p, &e), 0);
    values[0] = pass_number(a, 1);
    assert_int_equal(kernel_upgrade_static(w->kernel, SPAN("b"), false, puppet, pass_record(a, 1, keys, values), &p, &e), 0);
    world_run(w);
    assert_int_equal(told(w, w->admin, "{\\\"upgradeMessage\\\":\\\"why\\\",\\\"vatParameters\\\":3}"), 1);
    assert_int_equal(told(w, w->admin, "{\\\"upgradeMessage\\\":\\\"vat b upgraded\\\",\\\"vatParameters\\\":3}"), 1);
    assert_int_equal(told(w, w->admin, "{\\\"upgradeMessage\\\":\\\"vat b upgraded\\\"}"), 1);
    assert_int_equal(told(w, w->admin, "\\\"$0.Alleged: undefined\\\""), 2); /* whom to pause */
    assert_int_equal(kernel_upgrade_static(w->kernel, SPAN("nobody"), false, puppet, NULL, &p, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
    assert_int_equal(kernel_upgrade_static(w->kernel, SPAN("a"), false, SPAN("b1-none"), NULL, &p, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
    const struct capdata why = { .body = SPAN("#\"enough\"") };
    assert_int_equal(kernel_terminate(w->kernel, w->admin, &why, &e), 0);
    assert_int_equal(kernel_upgrade_static(w->kernel, SPAN("a"), false, puppet, NULL, &p, &e), -1);
    arena_fini(a);
    world_close(w);
}

/* -- bundles, and the device that hands them out --------------------------------------------------- */

TEST(installing_bundles_while_it_runs)
{
    struct duo t;
    struct arena keep;
    struct err e;
    struct span id = SPAN("untouched"), again;
    struct sample m;
    char want[256];
    arena_init(&keep);
    open_duo(&t);
    struct world *w = &t.w;
    make_sample(&m, false);
    uint64_t crank = state_need_u64(w->kernel, SPAN("crankNumber"));
    assert_int_equal(kernel_install_bundle(w->kernel, &keep, SPAN("nonsense"), SPAN_NONE, &id, &e), -1);
    assert_int_equal(kernel_install_bundle(w->kernel, &keep, SPAN("{\"moduleFormat\":\"tar\"}"), SPAN_NONE, &id, &e), -1);
    assert_span_is(id, "untouched");
    if (kernel_install_bundle(w->kernel, &keep, buf_span(&m.json), SPAN_NONE, &id, &e) != 0) fail_msg("%s", e.text);
    snprintf(want, sizeof want, "b1-%s", m.sha512);
    assert_span_is(id, want);
    assert_int_equal(kernel_install_bundle(w->kernel, &keep, buf_span(&m.json), id, &again, &e), 0);
    assert_span(again, id);
    assert_int_equal(state_need_u64(w->kernel, SPAN("crankNumber")), crank);
    world_run(w);
    assert_int_equal(told(w, w->admin, "bundleInstalled"), 1); /* once */
    world_close(w);
    open_duo(&t); /* the same without a vat to tell */
    w->kernel->vat_admin_root = (kref){ KREF_INVALID, 0 };
    assert_int_equal(kernel_install_bundle(w->kernel, &keep, buf_span(&m.json), SPAN_NONE, &again, &e), 0);
    assert_int_equal(queue_length(w->kernel, QUEUE_ACCEPTANCE), 0);
    free_sample(&m);
    arena_fini(&keep);
    world_close(w);
}

static void device(struct world *w, const char *call)
{
    device_call(w, "%s", call);
    world_run(w);
}

TEST(bundlecaps)
{
    struct duo t;
    struct arena keep;
    struct err e;
    struct span id;
    struct sample m;
    char call[512];
    arena_init(&keep);
    open_duo(&t);
    struct world *w = &t.w;
    make_sample(&m, false);
    assert_int_equal(kernel_install_bundle(w->kernel, &keep, buf_span(&m.json), SPAN_NONE, &id, &e), 0);
    world_run(w);
    snprintf(call, sizeof call, "getBundleCap #['%.*s']", SPAN_ARG(id));
    device(w, call);
    assert_int_equal(called(w, w->boot, "\"$0.Alleged: device node\\\"\",\"slots\":[\"d-71\"]"), 1);
    device(w, call);
    assert_int_equal(called(w, w->boot, "\"slots\":[\"d-71\"]"), 2); /* the same node */
    call[sizeof "getBundleCap #['b1-" - 1] ^= 1;
    device(w, call); /* well formed, but there is none */
    assert_int_equal(called(w, w->boot, "[\"ok\",{\"body\":\"#\\\"#undefined\\\"\",\"slots\":[]}]"), 1);
    snprintf(call, sizeof call, "getBundleCap #['b1-%0128d']", 0);
    call[sizeof "getBundleCap #['b1-" - 1] = 'x';
    unsigned errors = called(w, w->boot, "device.invoke failed");
    device(w, call);
    call[sizeof "getBundleCap #['b1-" - 1] = '/';
    device(w, call);
    device(w, "getBundleCap #['b2-']");
    device(w, "getBundleCap #[1]");
    assert_int_equal(called(w, w->boot, "device.invoke failed"), errors + 4);
    /* By name. */
    kv_set(w->store, SPAN("namedBundleID.it"), id);
    device(w, "getNamedBundleCap #['it']");
    assert_int_equal(called(w, w->boot, "\"slots\":[\"d-71\"]"), 3);
    device(w, "getBundleIDByName #['it']");
    snprintf(call, sizeof call, "#\\\"%.*s\\\"", SPAN_ARG(id));
    assert_int_equal(called(w, w->boot, call), 1);
    device(w, "getNamedBundleCap #[1]");
    device(w, "getBundleIDByName #['that']");
    assert_int_equal(called(w, w->boot, "device.invoke failed"), errors + 6);
    /* What the node itself can do. */
    poke(w, w->boot, "call d-71 getBundleID #[]\ncall d-71 getBundle #[]\ncall d-71 dance #[]");
    assert_int_equal(called(w, w->boot, call), 2);
    assert_int_equal(called(w, w->boot, "\\\"moduleFormat\\\":\\\"endoZipBase64\\\""), 1);
    assert_int_equal(called(w, w->boot, "device.invoke failed"), errors + 7);
    kv_delete(w->store, SPAN("d7.vs.slot.d+1"));
    poke(w, w->boot, "call d-71 getBundleID #[]");
    assert_int_equal(called(w, w->boot, "device.invoke failed"), errors + 8);
    free_sample(&m);
    arena_fini(&keep);
    world_close(w);
}

TEST(a_vat_from_a_bundle_itself)
{
    struct duo t;
    open_duo(&t);
    struct world *w = &t.w;
    vat_id d = { 5 };
    device(w, "createByBundle #[{'moduleFormat':'nestedEvaluate','source':'puppet','n':1.5,'list':[1,'#undefined','x',null,true,'%s'],"
              "'no':'#undefined','s':'%async','e':{'#error':'m','name':'Error'},'t':{'#tag':'t','payload':1}},{'name':'dee','critical':false,'gone':'#undefined'}]");
    assert_true(alive(w, d));
    assert_string_equal(key_text(w, "v5.source"), "{\"bundle\":{\"moduleFormat\":\"nestedEvaluate\",\"source\":\"puppet\",\"n\":1.5,"
                                                  "\"list\":[1,null,\"x\",null,true,null],\"e\":{},\"t\":{\"payload\":1}}}");
    assert_non_null(strstr(key_text(w, "v5.options"), "\"name\":\"dee\""));
    world_restart(w);
    poke(w, d, "set k v");
    assert_string_equal(key_text(w, "v5.vs.k"), "v");
    struct vat_info *vats;
    size_t n = kernel_vats(w->kernel, kernel_arena(w->kernel), &vats);
    assert_span_is(vats[n - 1].bundle_id, "");
    /* What JSON.stringify throws at. */
    static const char *const bad[] = {
        "createByBundle #[{'n':'+5'},{}]",      "createByBundle #[{'l':['+5']},{}]", "createByBundle #[{'a':{'b':'-5'}},{}]",
        "changeOptions #['v5',{'n':'+5'}]",
    };
    unsigned errors = called(w, w->boot, "device.invoke failed");
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        device(w, bad[i]);
        if (called(w, w->boot, "device.invoke failed") != errors + i + 1) fail_msg("%s", bad[i]);
    }
    char call[512];
    snprintf(call, sizeof call, "createByBundleID #['%s',{'n':'+5'}]", bundle_named("auto"));
    device(w, call);
    assert_int_equal(called(w, w->boot, "device.invoke failed"), errors + sizeof bad / sizeof *bad + 1);
    assert_string_equal(key_text(w, "vat.dynamicIDs"), "[\"v5\"]");
    close_duo(&t);
}

TEST(changing_a_vats_options)
{
    struct duo t;
    open_duo(&t);
    struct world *w = &t.w;
    vat_id d = create(w, "auto", "'reapInterval':4");
    assert_non_null(strstr(key_text(w, "v%u.options", d.n), "\"reapDirtThreshold\":{\"deliveries\":4}"));
    static const struct {
        const char *options, *threshold;
    } cases[] = { { "'reapInterval':7", "{\"deliveries\":7}" }, { "'reapInterval':'never'", "{\"deliveries\":\"never\"}" },
                  { "'other':1", "{\"deliveries\":\"never\"}" }, { "'reapInterval':'often'", "{\"deliveries\":\"never\"}" },
                  { "'reapInterval':1.5", "{\"deliveries\":\"never\"}" }, { "'reapInterval':1", "{\"deliveries\":1}" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        device_call(w, "changeOptions #['v%u',{%s}]", d.n, cases[i].options);
        world_run(w);
        if (strstr(key_text(w, "v%u.options", d.n), cases[i].threshold) == NULL) fail_msg("%s: %s", cases[i].options, key_text(w, "v%u.options", d.n));
    }
    assert_true(noted(w, "invalid reapInterval"));
    unsigned errors = called(w, w->boot, "device.invoke failed");
    device_call(w, "changeOptions #['v%u',{'a':'$0.Alleged:x'}] o+5", d.n);
    world_run(w);
    device(w, "changeOptions #['v5',1]");
    assert_int_equal(called(w, w->boot, "device.invoke failed"), errors + 2);
    device_call(w, "terminateWithFailure #['v%u','x']", d.n);
    world_run(w);
    device_call(w, "changeOptions #['v%u',{'reapInterval':3}]", d.n); /* too late */
    world_run(w);
    close_duo(&t);
}

/* -- genesis and opening ----------------------------------------------------------------------------- */

static struct span bundle_text(struct buf *b, const char *name)
{
    buf_reset(b);
    scripted_bundle(name, b);
    return buf_span(b);
}

static struct span id_of(struct buf *b, const char *name)
{
    buf_reset(b);
    buf_puts(b, bundle_named(name));
    return buf_span(b);
}

struct making {
    struct buf text[2], boot[2], id;
    struct genesis_bundle bundles[2];
    struct genesis_vat vats[2];
    struct genesis_device device;
    struct genesis g;
};

static void make(struct making *m)
{
    *m = (struct making){ 0 };
    m->bundles[0].json_text = bundle_text(&m->text[0], "auto");
    m->bundles[1] = (struct genesis_bundle){ SPAN("it"), bundle_text(&m->text[1], "puppet") };
    m->vats[0] = (struct genesis_vat){ .name = SPAN("boot"), .bundle_id = id_of(&m->id, "auto"),
                                       .reap_interval = REAP_DEFAULT, .reap_gc_krefs = REAP_DEFAULT };
    m->vats[1] = m->vats[0];
    m->vats[1].name = SPAN("vatAdmin");
    m->device = (struct genesis_device){ .name = SPAN("vatAdmin"), .bundle_id = m->vats[0].bundle_id };
    m->g = (struct genesis){ .bundle_count = 2, .bundles = m->bundles, .vat_count = 2, .vats = m->vats,
                             .device_count = 1, .devices = &m->device, .boot_count = 2,
                             .boot = { bundle_text(&m->boot[0], "lockdown"), bundle_text(&m->boot[1], "supervisor") },
                             .bootstrap = SPAN("boot"), .default_manager_type = SPAN("xsnap"),
                             .default_reap_interval = REAP_DEFAULT, .default_reap_gc_krefs = REAP_DEFAULT,
                             .snapshot_initial = -1, .snapshot_interval = -1, .zygotes = true };
}

static void unmake(struct making *m)
{
    for (int i = 0; i < 2; i++) {
        buf_fini(&m->text[i]);
        buf_fini(&m->boot[i]);
    }
    buf_fini(&m->id);
}

static struct store *fresh(void)
{
    struct store *s = NULL;
    struct err e;
    if (store_open(NULL, STORE_CREATE, &s, &e) != 0) fail_msg("%s", e.text);
    return s;
}

static void cannot_be_made(struct making *m, enum exit_code exit, const char *says)
{
    struct store *s = fresh();
    struct err e = { 0 };
    kref result;
    assert_int_equal(kernel_genesis(s, &m->g, &result, &e), -1);
    if (strstr(e.text, says) == NULL || e.exit != exit) fail_msg("%d %s", (int)e.exit, e.text);
    store_close(s);
    unmake(m);
}

TEST(what_a_kernel_cannot_be_made_of)
{
    struct making m;
    make(&m);
    m.bundles[0].json_text = SPAN("{\"moduleFormat\":\"tar\"}");
    cannot_be_made(&m, EXIT_INCOMPATIBLE, "tar");
    make(&m);
    m.vats[1].bundle_id = SPAN("b0-none");
    cannot_be_made(&m, EXIT_NOT_FOUND, "vat vatAdmin: its bundle b0-none is not among");
    make(&m);
    m.g.boot[1] = SPAN("{}");
    cannot_be_made(&m, EXIT_INCOMPATIBLE, "the lockdown and supervisor bundles");
    make(&m);
    m.g.bootstrap = SPAN("nobody");
    cannot_be_made(&m, EXIT_USAGE, "nobody");
}

TEST(what_a_kernel_is_made_of)
{
    struct making m;
    struct store *s = fresh();
    struct err e;
    kref result;
    make(&m);
    struct arena a;
    arena_init(&a);
    m.vats[0].reap_interval = 5;
    m.vats[0].reap_gc_krefs = REAP_NEVER;
    m.vats[0].never_reap = true;
    m.vats[1].reap_gc_krefs = 7;
    m.vats[1].parameters = pass_string(&a, SPAN("given"));
    m.g.relax_durability_rules = true;
    m.g.pin_bootstrap_root = false;
    m.device.options_json = SPAN("{\"deviceParameters\":{\"x\":1}}");
    assert_int_equal(kernel_genesis(s, &m.g, &result, &e), 0);
    struct span v;
    assert_true(kv_get(s, SPAN("v1.options"), &v));
    assert_non_null(memmem(v.p, v.n, "\"reapDirtThreshold\":{\"deliveries\":5,\"gcKrefs\":\"never\",\"never\":true}", 66));
    assert_true(kv_get(s, SPAN("v2.options"), &v));
    assert_non_null(memmem(v.p, v.n, "\"reapDirtThreshold\":{\"gcKrefs\":7}", 33));
    assert_true(kv_get(s, SPAN("kernel.relaxDurabilityRules"), &v));
    assert_true(kv_get(s, SPAN("namedBundleID.it"), &v));
    assert_span_is(v, bundle_named("puppet"));
    assert_true(kv_get(s, SPAN("d7.options"), &v));
    assert_span_is(v, "{\"deviceParameters\":{\"x\":1}}");
    assert_true(kv_get(s, SPAN("kernel.defaultReapDirtThreshold"), &v));
    assert_span_is(v, "{\"deliveries\":1,\"gcKrefs\":20,\"computrons\":\"never\"}");
    /* Not twice. */
    assert_int_equal(kernel_genesis(s, &m.g, &result, &e), -1);
    assert_int_equal(e.exit, EXIT_FAILED);
    arena_fini(&a);
    store_close(s);
    unmake(&m);
}

TEST(a_kernel_without_vats)
{
    struct making m;
    struct store *s = fresh();
    struct scripted machines = { 0 };
    struct vat_port port;
    struct kernel *k;
    struct err e;
    kref result;
    uint64_t ran;
    struct buf text = { 0 };
    make(&m);
    m.g.vat_count = m.g.device_count = m.g.boot_count = 0;
    m.g.bootstrap = SPAN_NONE;
    assert_int_equal(kernel_genesis(s, &m.g, &result, &e), 0);
    assert_int_equal(result.kind, KREF_INVALID);
    scripted_port(&machines, &port);
    assert_int_equal(kernel_open(s, &port, &(struct kernel_options){ 0 }, &k, &e), 0);
    assert_int_equal(kernel_run(k, 0, &ran, &e), 0);
    assert_int_equal(ran, 0);
    kernel_status(k, &text);
    kernel_dump(k, &text);
    kernel_stats(k, &text);
    struct vat_info *vats;
    assert_int_equal(kernel_vats(k, kernel_arena(k), &vats), 0);
    buf_fini(&text);
    kernel_close(k);
    kernel_close(NULL);
    store_close(s);
    unmake(&m);
}

TEST(opening_what_holds_no_kernel)
{
    struct store *s = fresh();
    struct kernel *k = NULL;
    struct err e;
    assert_int_equal(kernel_open(s, NULL, &(struct kernel_options){ 0 }, &k, &e), -1);
    assert_int_equal(e.exit, EXIT_INCOMPATIBLE);
    kv_set(s, SPAN("version"), SPAN("2"));
    assert_int_equal(kernel_open(s, NULL, &(struct kernel_options){ 0 }, &k, &e), -1);
    assert_int_equal(e.exit, EXIT_INCOMPATIBLE);
    store_close(s);
}

/* Without machines a kernel can be looked at, and is not changed. */
TEST(only_to_look)
{
    struct duo t;
    struct err e;
    struct buf before = { 0 }, after = { 0 }, text = { 0 };
    kref r;
    open_duo(&t);
    struct world *w = &t.w;
    vat_id d = create(w, "auto", "'name':'dee'"), child = device_fork(w, d, 0, NULL, "");
    world_run(w);
    kernel_close(w->kernel);
    assert_int_equal(kernel_open(w->store, NULL, &(struct kernel_options){ 0 }, &w->kernel, &e), 0);
    world_dump(w, &before);
    assert_int_equal(kernel_find(w->kernel, SPAN("a"), &r, &e), 0);
    struct vat_info *vats;
    size_t n = kernel_vats(w->kernel, kernel_arena(w->kernel), &vats);
    assert_int_equal(n, 6);
    assert_span_is(vats[0].name, "a");
    assert_true(vats[0].is_static && !vats[4].is_static);
    assert_span_is(vats[4].name, "dee");
    assert_false(vats[0].online);
    assert_int_equal(vats[5].vat.n, child.n);
    assert_int_equal(vats[5].forked_from.n, d.n);
    assert_true(vats[0].clist_entries > 0);
    kernel_status(w->kernel, &text);
    kernel_dump(w->kernel, &text);
    kernel_stats(w->kernel, &text);
    assert_non_null(memmem(text.p, text.n, "\"kernelPromises\"", 16));
    world_dump(w, &after);
    assert_true(span_eq(buf_span(&before), buf_span(&after)));
    buf_fini(&before);
    buf_fini(&after);
    buf_fini(&text);
    world_close(w);
}

/* The vats that have a machine, a child's name of what its parent exports, and a dump of what
 * waits. */
TEST(looking_around_while_it_runs)
{
    struct duo t;
    struct buf text = { 0 };
    struct jval v;
    struct err e;
    device_id dev;
    open_duo(&t);
    struct world *w = &t.w;
    vat_id d = create(w, "auto", "");
    introduce(w, d, t.b);
    poke(w, d, "send %s o+1 o+2", name_for(w, d, root_of(w, t.b)));
    kref one = meant(w, d, "o+1"), two = meant(w, d, "o+2");
    vat_id child = device_fork(w, d, 0, NULL, "");
    world_run(w);
    struct fork_request q = { .vat = d, .refs = &one, .ref_count = 1 };
    vat_id second;
    assert_int_equal(kernel_fork(w->kernel, &q, &second, &e), 0);
    world_run(w);
    kref there = kernel_counterpart(w->kernel, d, one, second);
    assert_true(there.kind == KREF_OBJECT && !kref_eq(there, one));
    assert_string_equal(name_for(w, second, there), "o+1");
    assert_int_equal(kernel_counterpart(w->kernel, d, two, second).kind, KREF_INVALID); /* not asked for, so dropped */
    assert_int_equal(kernel_counterpart(w->kernel, d, root_of(w, t.a), second).kind, KREF_INVALID);
    assert_true(kernel_vat_exists(w->kernel, child));
    assert_false(kernel_vat_exists(w->kernel, (vat_id){ 99 }));
    assert_true(kernel_find_device(w->kernel, SPAN("vatAdmin"), &dev));
    assert_false(kernel_find_device(w->kernel, SPAN("none"), &dev));
    assert_int_equal(kernel_activityhash(w->kernel).n, SHA256_HEX);
    world_restart(w);
    poke(w, t.a, "send %s p+5 p+6\nsubscribe p+5\nsend p+5 o+3 -> p+7\nabandon o+0", t.b_in_a);
    poke(w, t.b, "subscribe %s", name_for(w, t.b, meant(w, t.a, "p+5")));
    kernel_active_vats(w->kernel, &text);
    assert_int_equal(json_parse(kernel_arena(w->kernel), buf_span(&text), &v, &e), 0);
    assert_true(json_len(v) >= 2);
    assert_true(json_is(json_get(json_at(v, 0), "id"), "v3"));
    buf_reset(&text);
    kernel_dump(w->kernel, &text);
    assert_int_equal(json_parse(kernel_arena(w->kernel), buf_span(&text), &v, &e), 0);
    assert_non_null(memmem(text.p, text.n, "\"v3\",\"v4\"", 9)); /* p+5's subscribers */
    buf_fini(&text);
    world_close(w);
}

/* A parent that is gone is still in the tree; what a vat weighs, and who shares its snapshot. */
TEST(families_and_what_they_weigh)
{
    struct duo t;
    struct vat_info *all, one;
    struct vat_sizes s;
    struct err e;
    open_duo(&t);
    struct world *w = &t.w;
    struct arena *a = kernel_arena(w->kernel);
    vat_id p = create(w, "auto", ""), c = device_fork(w, p, 0, NULL, ""), lone;
    world_run(w);
    kernel_vat_sizes(w->kernel, c, &s);
    assert_int_equal(s.deliveries, 0);
    assert_int_equal(s.snapshot_users, 2);
    assert_true(s.snapshot_bytes > 0 && s.kv_bytes > 0 && s.transcript_bytes > 0);
    poke(w, c, "set key value");
    assert_int_equal(store_commit(w->store, &e), 0); /* what is read is what is durable */
    uint64_t bytes = s.kv_bytes;
    kernel_vat_sizes(w->kernel, c, &s);
    assert_int_equal(s.deliveries, 1);
    assert_true(s.kv_bytes >= bytes + strlen("key") + strlen("value"));
    lone = create(w, "auto", "");
    kernel_vat_sizes(w->kernel, lone, &s); /* too young for a snapshot */
    assert_int_equal(s.snapshot_bytes + s.snapshot_users, 0);
    terminate(w, p);
    kernel_vat_sizes(w->kernel, (vat_id){ 99 }, &s);
    assert_int_equal(s.deliveries + s.kv_bytes + s.transcript_bytes, 0);
    size_t living = kernel_vats(w->kernel, a, &all), count = kernel_family(w->kernel, a, &all);
    assert_int_equal(count, living + 1);
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || all[i - 1].vat.n < all[i].vat.n);
        assert_int_equal(all[i].gone, vat_id_eq(all[i].vat, p));
        if (all[i].gone) assert_int_equal(all[i].children, 1);
    }
    assert_true(kernel_vat(w->kernel, a, c, &one));
    assert_true(vat_id_eq(one.forked_from, p) && one.has_snapshot);
    assert_int_equal(strlen(one.forked_snapshot), SHA256_HEX);
    assert_false(kernel_vat(w->kernel, a, p, &one));
    world_close(w);
}

/* -- what it tells while it runs --------------------------------------------------------------------- */

struct heard {
    struct buf lines;
    unsigned cranks, steps;
    uint64_t last;
};

static void on_console(void *self, vat_id vat, struct span level, struct span text)
{
    struct heard *h = self;
    buf_printf(&h->lines, "v%u %.*s: %.*s\n", vat.n, SPAN_ARG(level), SPAN_ARG(text));
}

static void on_crank(void *self, uint64_t number, struct span message, const char *crankhash, const char *activityhash)
{
    struct heard *h = self;
    if (h->cranks++ > 0) assert_int_equal(number, h->last + 1);
    h->last = number;
    assert_true(message.n > 0);
    assert_int_equal(strlen(crankhash), SHA256_HEX);
    assert_int_equal(strlen(activityhash), SHA256_HEX);
}

static void on_step(void *self, const char *label)
{
    assert_true(strlen(label) > 0);
    ((struct heard *)self)->steps++;
}

TEST(sinks_hear_consoles_cranks_and_steps)
{
    struct duo t;
    struct heard h = { 0 };
    struct err e;
    open_duo(&t);
    struct world *w = &t.w;
    poke(w, t.b, "!say to nobody\n!testlog");
    kernel_close(w->kernel);
    struct kernel_options o = { .sink = { .self = &h, .console = on_console, .crank = on_crank, .step = on_step } };
    assert_int_equal(kernel_open(w->store, &w->port, &o, &w->kernel, &e), 0);
    poke(w, t.a, "!say hello\n!say again");
    assert_non_null(h.lines.p);
    assert_span_is(buf_span(&h.lines), "v3 log: hello [1]\nv3 log: again [1]\n");
    assert_int_equal(h.cranks, 1);
    assert_true(h.steps > 0);
    /* A replay is silent. */
    kernel_close(w->kernel);
    assert_int_equal(kernel_open(w->store, &w->port, &o, &w->kernel, &e), 0);
    poke(w, t.a, "!say anew");
    assert_span_is(span_from(buf_span(&h.lines), h.lines.n - 17), "v3 log: anew [1]\n");
    assert_int_equal(h.lines.n, 18 + 18 + 17);
    buf_fini(&h.lines);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_ends_a_vat),
        cmocka_unit_test(the_reason_may_not_hold_references),
        cmocka_unit_test(to_end_a_critical_vat_is_a_panic),
        cmocka_unit_test(reaping_those_that_ran_since),
        cmocka_unit_test(snapshots_of_all),
        cmocka_unit_test(a_vat_that_fails_before_its_snapshot_is_ended_and_the_others_are_saved),
        cmocka_unit_test(a_snapshot_that_cannot_be_saved_is_the_worlds_fault),
        cmocka_unit_test(changing_the_kernels_options),
        cmocka_unit_test(events_of_a_schema_upgrade_are_queued_as_they_are),
        cmocka_unit_test(each_policy_for_the_result_of_a_message),
        cmocka_unit_test(a_message_without_a_result),
        cmocka_unit_test(what_a_host_may_take_and_hold),
        cmocka_unit_test(a_store_of_upstreams_does_not_say_what_its_host_holds),
        cmocka_unit_test(what_the_host_holds_was_once_a_list),
        cmocka_unit_test(finding_what_is_not_there_any_more),
        cmocka_unit_test(finding_objects),
        cmocka_unit_test(upgrading_a_static_vat_is_a_message_to_vat_admin),
        cmocka_unit_test(installing_bundles_while_it_runs),
        cmocka_unit_test(bundlecaps),
        cmocka_unit_test(a_vat_from_a_bundle_itself),
        cmocka_unit_test(changing_a_vats_options),
        cmocka_unit_test(what_a_kernel_cannot_be_made_of),
        cmocka_unit_test(what_a_kernel_is_made_of),
        cmocka_unit_test(a_kernel_without_vats),
        cmocka_unit_test(opening_what_holds_no_kernel),
        cmocka_unit_test(only_to_look),
        cmocka_unit_test(looking_around_while_it_runs),
        cmocka_unit_test(families_and_what_they_weigh),
        cmocka_unit_test(sinks_hear_consoles_cranks_and_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
