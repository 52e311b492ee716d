/* Garbage collection: what vats are told, in which order, and when they bring out their dead;
 * termination and what it leaves; the statistics that hashes see. */
#include <stdio.h>

#include "world.h"

struct pair {
    struct world w;
    vat_id a, b;
    char b_in_a[16], a_in_b[16];
};

static void open_pair(struct pair *t, struct world_setup s)
{
    s.vats[0] = "a";
    s.vats[1] = "b";
    struct world *w = &t->w;
    world_open(w, &s);
    t->a = vat_named(w, "a");
    t->b = vat_named(w, "b");
    strcpy(t->b_in_a, name_for(w, t->a, root_of(w, t->b)));
    strcpy(t->a_in_b, name_for(w, t->b, root_of(w, t->a)));
}

static void close_pair(struct pair *t)
{
    assert_int_equal(world_litter(&t->w), 0);
    world_close(&t->w);
}

/* What b calls a's export. */
static const char *import(struct pair *t, const char *export)
{
    return name_for(&t->w, t->b, meant(&t->w, t->a, export));
}

static bool is_delivery(struct world *w, vat_id vat, int at, const char *text)
{
    const char *d = delivery_at(w, vat, at);
    if (strcmp(d, text) == 0) return true;
    print_error("delivery %d: %s\n", at, d);
    return false;
}

/* -- what is told ------------------------------------------------------------------------------- */

TEST(drop_then_retire_of_an_import)
{
    struct pair t;
    open_pair(&t, (struct world_setup){ 0 });
    poke(&t.w, t.a, "send %s o+1 o+2", t.b_in_a);
    kref one = meant(&t.w, t.a, "o+1");
    char name[16];
    strcpy(name, import(&t, "o+1"));
    poke(&t.w, t.b, "drop %s", name);
    assert_true(is_delivery(&t.w, t.a, -1, "[\"dropExports\",[\"o+1\"]]"));
    assert_true(row_is(&t.w, t.a, one, "_ o+1"));
    assert_string_equal(key_text(&t.w, "%s.refCount", kref_text(one).s), "0,1");
    poke(&t.w, t.b, "retire %s", name);
    assert_true(is_delivery(&t.w, t.a, -1, "[\"retireExports\",[\"o+1\"]]"));
    assert_null(key_text(&t.w, "%s.refCount", kref_text(one).s));
    poke(&t.w, t.b, "drop %s\nretire %s", import(&t, "o+2"), import(&t, "o+2"));
    assert_true(is_delivery(&t.w, t.a, -2, "[\"dropExports\",[\"o+2\"]]"));
    assert_true(is_delivery(&t.w, t.a, -1, "[\"retireExports\",[\"o+2\"]]"));
    close_pair(&t);
}

TEST(an_owner_retires_what_others_only_know)
{
    struct pair t;
    open_pair(&t, (struct world_setup){ 0 });
    poke(&t.w, t.a, "send %s o+1 o+2 o+3", t.b_in_a);
    char lines[100], want[100];
    snprintf(lines, sizeof lines, "drop %s %s", import(&t, "o+1"), import(&t, "o+2"));
    snprintf(want, sizeof want, "[\"retireImports\",[\"%s\"]]", import(&t, "o+1"));
    poke(&t.w, t.b, "%s", lines);
    assert_true(is_delivery(&t.w, t.a, -1, "[\"dropExports\",[\"o+1\",\"o+2\"]]"));
    poke(&t.w, t.a, "retire-export o+1");
    assert_true(is_delivery(&t.w, t.b, -1, want));
    assert_int_equal(meant(&t.w, t.a, "o+1").kind, KREF_INVALID);
    assert_int_equal(meant(&t.w, t.a, "o+2").kind, KREF_OBJECT);
    /* the name may come again, for another object */
    poke(&t.w, t.a, "send %s o+1", t.b_in_a);
    assert_string_not_equal(import(&t, "o+1"), "o-999");
    close_pair(&t);
}

TEST(abandoned_exports_are_orphans_until_nobody_knows_them)
{
    struct pair t;
    open_pair(&t, (struct world_setup){ 0 });
    poke(&t.w, t.a, "send %s o+1 o+2", t.b_in_a);
    kref one = meant(&t.w, t.a, "o+1"), two = meant(&t.w, t.a, "o+2");
    char one_in_b[16], two_in_b[16];
    strcpy(one_in_b, import(&t, "o+1"));
    strcpy(two_in_b, import(&t, "o+2"));
    poke(&t.w, t.a, "abandon o+1 o+2");
    assert_null(key_text(&t.w, "%s.owner", kref_text(one).s));
    poke(&t.w, t.b, "send %s -> p+1\nsubscribe p+1", one_in_b);
    assert_int_equal(told(&t.w, t.b, "vat terminated"), 1);
    /* it comes home as a stranger's */
    poke(&t.w, t.b, "send %s %s", t.a_in_b, one_in_b);
    assert_string_equal(name_for(&t.w, t.a, one), "o-53");
    poke(&t.w, t.a, "drop o-53");
    poke(&t.w, t.b, "drop %s %s", one_in_b, two_in_b);
    assert_null(key_text(&t.w, "%s.refCount", kref_text(two).s));
    assert_int_equal(told(&t.w, t.b, "retireImports"), 1);
    assert_int_equal(told(&t.w, t.a, "retireImports"), 1);
    assert_null(key_text(&t.w, "%s.refCount", kref_text(one).s));
    close_pair(&t);
}

/* Dropped, and sent again before the owner could be told. */
TEST(an_action_that_is_moot_by_its_time_is_not_delivered)
{
    struct pair t;
    open_pair(&t, (struct world_setup){ 0 });
    struct world *w = &t.w;
    poke(w, t.a, "send %s o+1", t.b_in_a);
    char name[16], lines[100];
    strcpy(name, import(&t, "o+1"));
    snprintf(lines, sizeof lines, "drop %s", name);
    queue_poke(w, t.b, lines);
    assert_int_equal(world_step(w), 1);
    assert_string_not_equal(key_text(w, "gcActions"), "[]");
    kref target = root_of(w, t.b);
    const struct pass *arg = pass_slot(kernel_arena(w->kernel), span_of_kref(w->kernel, meant(w, t.a, "o+1")), SPAN_NONE);
    kernel_send(w->kernel, target, SPAN("again"), pass_array(kernel_arena(w->kernel), 1, &arg));
    world_run(w);
    assert_int_equal(told(w, t.a, "dropExports"), 0);
    assert_string_equal(key_text(w, "gcActions"), "[]");
    assert_true(row_is(w, t.b, meant(w, t.a, "o+1"), "R o-53"));
    close_pair(&t);
}

static void on_crank(void *self, uint64_t number, struct span message, const char *crankhash, const char *activityhash)
{
    (void)number;
    (void)crankhash;
    (void)activityhash;
    buf_put(self, message);
    buf_putc(self, '\n');
}

/* Vats by text (v10 before v2 would be), then dropExport, retireExport, retireImport; krefs
 * by text too; all of it before the run queue. */
TEST(actions_go_by_vat_and_type_and_before_messages)
{
    struct pair t;
    struct buf log = { 0 };
    open_pair(&t, (struct world_setup){ 0 });
    struct world *w = &t.w;
    char lines[256];
    poke(w, t.a, "send %s o+1 o+2 o+3", t.b_in_a);
    poke(w, t.b, "send %s o+1 o+2", t.a_in_b);
    snprintf(lines, sizeof lines, "drop %s\nsend %s", name_for(w, t.a, meant(w, t.b, "o+2")), t.b_in_a);
    queue_poke(w, t.a, lines);
    snprintf(lines, sizeof lines, "drop %s %s %s\nretire %s\nsend %s", import(&t, "o+3"), import(&t, "o+1"), import(&t, "o+2"),
             import(&t, "o+1"), t.a_in_b);
    w->kernel->sink.crank = on_crank;
    w->kernel->sink.self = &log;
    queue_poke(w, t.b, lines);
    world_run(w);
    buf_putc(&log, '\0');
    static const char *const order[] = { "bringOutYourDead\",\"vatID\":\"v3", "dropExports\",\"vatID\":\"v4",
                                         "bringOutYourDead\",\"vatID\":\"v4",
                                         "dropExports\",\"vatID\":\"v3", "retireExports\",\"vatID\":\"v3" };
    const char *at = log.p;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const char *found = strstr(at, order[i]);
        if (found == NULL) fail_msg("%s is not next in\n%s", order[i], log.p);
        at = found;
    }
    assert_int_equal(told(w, t.a, "[\"dropExports\",[\"o+1\",\"o+2\",\"o+3\"]]"), 1);
    assert_non_null(strstr(at, "\"send\"")); /* what was sent waited for all of it */
    buf_fini(&log);
    close_pair(&t);
}

/* -- bringOutYourDead ------------------------------------------------------------------------------- */

static unsigned deaths(struct pair *t)
{
    return told(&t->w, t->b, "bringOutYourDead");
}

static void message_b(struct pair *t, unsigned count)
{
    for (unsigned i = 0; i < count; i++) poke(&t->w, t->a, "send %s", t->b_in_a);
}

TEST(deliveries_make_a_vat_due)
{
    struct pair t;
    open_pair(&t, (struct world_setup){ .reap_deliveries = 3, .snapshot_initial = 1000, .snapshot_interval = 1000 });
    poke(&t.w, t.b, "set k v"); /* clean */
    unsigned before = deaths(&t);
    message_b(&t, 2);
    assert_int_equal(deaths(&t), before);
    assert_non_null(strstr(key_text(&t.w, "v4.reapDirt"), "{\"deliveries\":2}"));
    message_b(&t, 1);
    assert_int_equal(deaths(&t), before + 1);
    assert_string_equal(key_text(&t.w, "v4.reapDirt"), "{}");
    message_b(&t, 7);
    assert_int_equal(deaths(&t), before + 3);
    close_pair(&t);
}

TEST(collected_objects_make_a_vat_due)
{
    struct pair t;
    open_pair(&t, (struct world_setup){ .reap_gc_krefs = 4, .snapshot_initial = 1000, .snapshot_interval = 1000 });
    poke(&t.w, t.b, "send %s o+1 o+2 o+3", t.a_in_b);
    unsigned before = deaths(&t);
    char lines[64];
    const char *o1 = name_for(&t.w, t.a, meant(&t.w, t.b, "o+1")), *o2 = name_for(&t.w, t.a, meant(&t.w, t.b, "o+2")),
               *o3 = name_for(&t.w, t.a, meant(&t.w, t.b, "o+3"));
    snprintf(lines, sizeof lines, "drop %s %s %s\nretire %s", o1, o2, o3, o1);
    message_b(&t, 5);
    assert_int_equal(deaths(&t), before);
    queue_poke(&t.w, t.a, lines);
    world_run(&t.w); /* three dropped, one retired */
    assert_int_equal(deaths(&t), before + 1);
    close_pair(&t);
}

TEST(an_interval_can_be_changed_or_never)
{
    struct pair t;
    open_pair(&t, (struct world_setup){ .reap_deliveries = 1, .snapshot_initial = 1000, .snapshot_interval = 1000 });
    poke(&t.w, t.w.boot, "call d-70 changeOptions #['v4',{'reapInterval':2}]");
    message_b(&t, 1);
    unsigned before = deaths(&t);
    message_b(&t, 4);
    assert_int_equal(deaths(&t), before + 2);
    poke(&t.w, t.w.boot, "call d-70 changeOptions #['v4',{'reapInterval':'never'}]");
    before = deaths(&t);
    message_b(&t, 6);
    assert_int_equal(deaths(&t), before);
    poke(&t.w, t.w.boot, "call d-70 changeOptions #['v4',{'reapInterval':'soon'}]");
    assert_non_null(memmem(t.w.notes.p, t.w.notes.n, "invalid reapInterval", 20));
    poke(&t.w, t.w.boot, "call d-70 changeOptions #['v99',{'reapInterval':1}]");
    close_pair(&t);
}

TEST(reaping_all_reaches_those_who_ran_and_asks_each_once)
{
    struct pair t;
    open_pair(&t, (struct world_setup){ .snapshot_initial = 1000, .snapshot_interval = 1000 });
    unsigned before = deaths(&t);
    kernel_reap_all(t.w.kernel);
    kernel_reap_all(t.w.kernel);
    assert_string_equal(key_text(&t.w, "reapQueue"), "[\"v3\",\"v4\",\"v1\",\"v2\"]");
    world_run(&t.w);
    assert_int_equal(deaths(&t), before + 1);
    close_pair(&t);
}

/* -- termination --------------------------------------------------------------------------------------- */

TEST(a_terminated_vat_leaves_nothing_but_orphans)
{
    struct pair t;
    open_pair(&t, (struct world_setup){ 0 });
    struct world *w = &t.w;
    vat_id d = create(w, "puppet", "'name':'d'");
    introduce(w, t.a, d);
    introduce(w, d, t.a);
    introduce(w, d, t.b);
    poke(w, d, "set k v\nsend %s o+1 o+2 p+1 -> p+2\nsubscribe p+2", name_for(w, d, root_of(w, t.a)));
    kref o1 = meant(w, d, "o+1"), o2 = meant(w, d, "o+2"), p1 = meant(w, d, "p+1");
    poke(w, t.a, "subscribe %s\ndrop %s", name_for(w, t.a, p1), name_for(w, t.a, o2));
    struct buf left = { 0 };
    terminate(w, d);
    assert_int_equal(told(w, t.a, "vat terminated"), 1);
    assert_int_equal(told(w, w->admin, "\\\"because\\\""), 1);
    assert_int_equal(told(w, w->admin, "vatTerminated\\\",[\\\"v5\\\",true"), 1);
    assert_int_equal(told(w, t.a, "retireImports"), 1); /* o+2, which a merely knew */
    assert_null(key_text(w, "%s.owner", kref_text(o1).s));
    assert_string_equal(key_text(w, "%s.refCount", kref_text(o1).s), "1,1");
    assert_null(key_text(w, "%s.refCount", kref_text(o2).s));
    world_dump_keys(w, "v5.", &left);
    assert_int_equal(left.n, 0);
    struct snapshot_info s;
    struct transcript_bounds b;
    assert_false(snapshot_info(w->store, SPAN("v5"), &s));
    assert_false(transcript_bounds(w->store, SPAN("v5"), &b));
    assert_string_equal(key_text(w, "vats.terminated"), "[]");
    assert_null(warehouse_machine(w->kernel, d));
    terminate(w, d); /* told again, nothing else */
    assert_int_equal(told(w, w->admin, "vatTerminated"), 2);
    poke(w, t.a, "drop %s", name_for(w, t.a, o1));
    assert_null(key_text(w, "%s.refCount", kref_text(o1).s));
    close_pair(&t);
}

TEST(a_static_vat_can_be_terminated_and_its_name_goes)
{
    struct pair t;
    open_pair(&t, (struct world_setup){ 0 });
    kref root;
    struct err e;
    terminate(&t.w, t.b);
    assert_null(key_text(&t.w, "vat.name.b"));
    assert_string_equal(key_text(&t.w, "vat.names"), "[\"boot\",\"vatAdmin\",\"a\"]");
    assert_int_equal(kernel_find(t.w.kernel, SPAN("b"), &root, &e), -1);
    world_restart(&t.w);
    poke(&t.w, t.a, "send %s -> p+1\nsubscribe p+1", t.b_in_a);
    assert_int_equal(told(&t.w, t.a, "vat terminated"), 1);
    close_pair(&t);
}

TEST(two_vats_that_hold_each_other_go_together)
{
    struct pair t;
    open_pair(&t, (struct world_setup){ 0 });
    struct world *w = &t.w;
    uint64_t objects = 0;
    vat_id d = create(w, "puppet", ""), f = create(w, "puppet", "");
    introduce(w, d, f);
    introduce(w, f, d);
    poke(w, d, "send %s o+1 p+1 -> p+2\nsubscribe p+2", name_for(w, d, root_of(w, f)));
    poke(w, f, "send %s o+1 p+1 -> p+2\nsubscribe p+2", name_for(w, f, root_of(w, d)));
    char body[256];
    snprintf(body, sizeof body, "call d-70 terminateWithFailure #['v%u',1]\ncall d-70 terminateWithFailure #['v%u',2]", d.n, f.n);
    poke(w, w->boot, "%s", body);
    poke(w, w->admin, "drop o-53 o-54\nretire o-53 o-54");
    for (uint64_t n = 20; n < state_need_u64(w->kernel, SPAN("ko.nextID")); n++) {
        objects += object_exists(w->kernel, (kref){ KREF_OBJECT, n });
    }
    assert_int_equal(objects, 4); /* the roots of boot, vatAdmin, a, b */
    close_pair(&t);
}

/* -- machines come and go --------------------------------------------------------------------------------- */

TEST(at_most_so_many_machines_are_online_and_the_rest_come_back)
{
    struct pair t;
    open_pair(&t, (struct world_setup){ .online_max = 2 });
    for (int i = 0; i < 10; i++) {
        poke(&t.w, t.a, "set k%d v\nsend %s o+1", i, t.b_in_a);
        poke(&t.w, t.b, "set k%d v\nsend %s o+1", i, t.a_in_b);
        assert_true(t.w.scripted.machines <= 2);
    }
    assert_true(alive(&t.w, t.a) && alive(&t.w, t.b));
    close_pair(&t);
}

TEST(snapshots_come_at_their_intervals)
{
    struct pair t;
    open_pair(&t, (struct world_setup){ .snapshot_initial = 5, .snapshot_interval = 8 });
    struct snapshot_info s;
    struct transcript_bounds b;
    uint64_t last = 0, seen = 0;
    for (int i = 0; i < 30; i++) {
        poke(&t.w, t.a, "set k %d", i);
        assert_true(transcript_bounds(t.w.store, SPAN("v3"), &b));
        assert_true(b.end - b.start < 8);
        if (snapshot_info(t.w.store, SPAN("v3"), &s) && s.position != last) {
            seen++;
            last = s.position;
        }
    }
    assert_true(seen >= 3);
    close_pair(&t);
}

/* -- statistics --------------------------------------------------------------------------------------------- */

static int64_t consensus(struct world *w, const char *name)
{
    struct jval v;
    struct err e;
    double d = -99;
    if (json_parse(kernel_arena(w->kernel), span_of(key_text(w, "kernelStats")), &v, &e) == 0) json_double(json_get(v, name), &d);
    return (int64_t)d;
}

/* A crank undone to where its event was already taken: upstream reloads the statistics of
 * before, and so counts that event for ever. */
TEST(a_failed_creation_leaves_the_run_queue_one_too_long_as_upstream_has_it)
{
    struct pair t;
    open_pair(&t, (struct world_setup){ .no_zygotes = true });
    assert_int_equal(consensus(&t.w, "runQueueLength"), 0);
    create(&t.w, "broken", "");
    assert_int_equal(queue_length(t.w.kernel, QUEUE_RUN), 0);
    assert_int_equal(consensus(&t.w, "runQueueLength"), 1);
    create(&t.w, "auto", "");
    assert_int_equal(consensus(&t.w, "runQueueLength"), 1);
    world_close(&t.w);
}

TEST(a_restart_between_a_send_and_its_crank_loses_the_count_as_upstream_has_it)
{
    struct pair t;
    open_pair(&t, (struct world_setup){ 0 });
    kernel_send(t.w.kernel, root_of(&t.w, t.a), SPAN("x"), pass_array(kernel_arena(t.w.kernel), 0, NULL));
    world_restart(&t.w);
    world_run(&t.w);
    assert_int_equal(consensus(&t.w, "acceptanceQueueLength"), -1);
    close_pair(&t);
}

TEST(the_status_and_the_dump_are_json_at_any_moment)
{
    struct pair t;
    open_pair(&t, (struct world_setup){ 0 });
    struct world *w = &t.w;
    poke(w, t.a, "send %s o+1 -> p+1\nsend p+1 o+2 -> p+2\nsubscribe p+2", t.b_in_a);
    queue_poke(w, t.a, "send o-52 o+4 -> p+5");
    do {
        struct buf b = { 0 };
        struct jval v;
        struct err e;
        struct vat_info *vats;
        kernel_status(w->kernel, &b);
        assert_int_equal(json_parse(kernel_arena(w->kernel), buf_span(&b), &v, &e), 0);
        buf_reset(&b);
        kernel_dump(w->kernel, &b);
        assert_int_equal(json_parse(kernel_arena(w->kernel), buf_span(&b), &v, &e), 0);
        assert_int_equal(kernel_vats(w->kernel, kernel_arena(w->kernel), &vats), 4);
        buf_fini(&b);
    } while (world_step(w) > 0);
    close_pair(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drop_then_retire_of_an_import),
        cmocka_unit_test(an_owner_retires_what_others_only_know),
        cmocka_unit_test(abandoned_exports_are_orphans_until_nobody_knows_them),
        cmocka_unit_test(an_action_that_is_moot_by_its_time_is_not_delivered),
        cmocka_unit_test(actions_go_by_vat_and_type_and_before_messages),
        cmocka_unit_test(deliveries_make_a_vat_due),
        cmocka_unit_test(collected_objects_make_a_vat_due),
        cmocka_unit_test(an_interval_can_be_changed_or_never),
        cmocka_unit_test(reaping_all_reaches_those_who_ran_and_asks_each_once),
        cmocka_unit_test(a_terminated_vat_leaves_nothing_but_orphans),
        cmocka_unit_test(a_static_vat_can_be_terminated_and_its_name_goes),
        cmocka_unit_test(two_vats_that_hold_each_other_go_together),
        cmocka_unit_test(at_most_so_many_machines_are_online_and_the_rest_come_back),
        cmocka_unit_test(snapshots_come_at_their_intervals),
        cmocka_unit_test(a_failed_creation_leaves_the_run_queue_one_too_long_as_upstream_has_it),
        cmocka_unit_test(a_restart_between_a_send_and_its_crank_loses_the_count_as_upstream_has_it),
        cmocka_unit_test(the_status_and_the_dump_are_json_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
