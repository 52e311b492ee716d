/* Replaying a vat beside its kernel (kernel/replay.h): where it may start, what it follows, and
 * how it says what differs. */
#include <stdio.h>

#include "kernel/replay.h"
#include "world.h"

struct past {
    struct world w;
    vat_id d;
    char b_in_d[16];
    uint64_t end;
};

/* d: created, four messages, a snapshot or two, an upgrade, three more messages. */
static void open_past(struct past *t, bool upgraded)
{
    struct world *w = &t->w;
    struct transcript_bounds b;
    world_open(w, &(struct world_setup){ .vats = { "b" }, .snapshot_initial = 4, .snapshot_interval = 5 });
    vat_id v = vat_named(w, "b");
    t->d = create(w, "auto", "");
    introduce(w, v, t->d);
    introduce(w, t->d, v);
    strcpy(t->b_in_d, name_for(w, t->d, root_of(w, v)));
    for (int i = 0; i < 6; i++) poke(w, t->d, "send %s o+%d", t->b_in_d, i + 1);
    if (upgraded) {
        upgrade(w, t->d, "puppet", "{}", "");
        world_run(w);
        for (int i = 0; i < 2; i++) poke(w, t->d, "set k %d", i);
    }
    transcript_bounds(w->store, span_of_vat(w->kernel, t->d), &b);
    t->end = b.end;
}

static void on_item(void *self, uint64_t position)
{
    (void)position;
    ++*(uint64_t *)self;
}

static int replay(struct past *t, uint64_t from, uint64_t to, bool verify, struct replay_report *out, struct err *e)
{
    uint64_t items = 0;
    struct replay_request r = { .vat = t->d, .from = from, .to = to, .verify = verify, .self = &items, .at = on_item };
    unsigned machines = t->w.scripted.machines;
    int failed = kernel_replay(t->w.kernel, &t->w.port, &r, out, e);
    assert_int_equal(t->w.scripted.machines, machines); /* its own are ended */
    assert_int_equal(t->w.scripted.misuse, 0);
    if (failed == 0) assert_int_equal(items, out->end - out->start);
    return failed;
}

TEST(all_of_it_from_every_position_to_every_other)
{
    for (int upgraded = 0; upgraded < 2; upgraded++) {
        struct past t;
        struct replay_report r;
        struct err e;
        struct buf before = { 0 }, after = { 0 };
        open_past(&t, upgraded);
        world_dump(&t.w, &before);
        for (uint64_t from = 0; from < t.end; from++) {
            for (uint64_t to = from + 1; to <= t.end; to++) {
                if (replay(&t, from, to, true, &r, &e) != 0) fail_msg("%llu-%llu: %s", (unsigned long long)from, (unsigned long long)to, e.text);
                assert_true(r.start <= from && r.end == to && !r.diverged);
                replay_report_fini(&r);
            }
        }
        assert_int_equal(replay(&t, 0, REPLAY_LATEST, true, &r, &e), 0);
        assert_int_equal(r.start, 0);
        assert_int_equal(r.end, t.end);
        assert_true(r.snapshots >= 1 && r.deliveries >= 8 && r.syscalls > r.deliveries);
        replay_report_fini(&r);
        assert_int_equal(replay(&t, REPLAY_LATEST, REPLAY_LATEST, false, &r, &e), 0);
        assert_true(r.start > 0);
        replay_report_fini(&r);
        world_dump(&t.w, &after);
        assert_true(span_eq(buf_span(&before), buf_span(&after))); /* it only looks */
        buf_fini(&before);
        buf_fini(&after);
        world_close(&t.w);
    }
}

static void refused(struct past *t, uint64_t from, uint64_t to, enum exit_code exit, const char *says)
{
    struct replay_report r;
    struct err e = { 0 };
    assert_int_equal(replay(t, from, to, true, &r, &e), -1);
    if (e.exit != exit || strstr(e.text, says) == NULL) fail_msg("%s: exit %d, %s", says, (int)e.exit, e.text);
    replay_report_fini(&r);
}

TEST(what_cannot_be_replayed)
{
    struct past t;
    open_past(&t, false);
    refused(&t, t.end, REPLAY_LATEST, EXIT_USAGE, "there is nothing from");
    refused(&t, 5, 5, EXIT_USAGE, "there is nothing from");
    refused(&t, 7, 3, EXIT_USAGE, "there is nothing from");
    vat_id d = t.d;
    t.d = (vat_id){ 99 };
    refused(&t, 0, 1, EXIT_NOT_FOUND, "v99 has no transcript");
    t.d = d;
    terminate(&t.w, d);
    refused(&t, 0, 1, EXIT_NOT_FOUND, "v4 has no transcript");
    world_close(&t.w);
}

static void add(struct past *t, const char *item)
{
    char text[512];
    size_t n = 0;
    for (; item[n] != '\0'; n++) text[n] = item[n] == '\'' ? '"' : item[n];
    text[n] = '\0';
    transcript_add(t->w.store, span_of_vat(t->w.kernel, t->d), span_of(text));
}

#define GET "{'s':['vatstoreGet','plan.bringOutYourDead'],'r':['ok',null]}"

TEST(what_differs_is_named_with_both_sides)
{
    static const struct {
        const char *item, *what, *expected, *got;
        bool only_if_verified;
    } cases[] = {
        { "{'d':['bringOutYourDead'],'sc':[{'s':['vatstoreGet','other'],'r':['ok',null]}],'r':{'status':'ok'}}", "syscall",
          "[\"vatstoreGet\",\"other\"]", "[\"vatstoreGet\",\"plan.bringOutYourDead\"]", false },
        { "{'d':['bringOutYourDead'],'sc':[],'r':{'status':'ok'}}", "syscall", "", "[\"vatstoreGet\",\"plan.bringOutYourDead\"]", false },
        { "{'d':['bringOutYourDead'],'sc':[" GET "," GET "],'r':{'status':'ok'}}", "syscall",
          "[\"vatstoreGet\",\"plan.bringOutYourDead\"]", "", false },
        { "{'d':['bringOutYourDead'],'sc':[" GET "],'r':{'status':'ok','metering':{'computrons':7}}}", "computrons",
          "{\"status\":\"ok\",\"metering\":{\"computrons\":7}}", "{\"status\":\"ok\",\"metering\":{\"computrons\":", true },
        { "{'d':['bringOutYourDead'],'sc':[" GET "],'r':{'status':'error'}}", "result", "{\"status\":\"error\"}", "{\"status\":\"ok\"", true },
        { "{'d':['save-snapshot'],'sc':[],'r':{'status':'ok','snapshotID':'00'}}", "snapshot", "00", "", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct past t;
        struct replay_report r;
        struct err e = { 0 };
        open_past(&t, i % 2 == 0);
        add(&t, cases[i].item);
        int failed = replay(&t, REPLAY_LATEST, REPLAY_LATEST, false, &r, &e);
        assert_int_equal(failed, cases[i].only_if_verified ? 0 : -1);
        replay_report_fini(&r);
        assert_int_equal(replay(&t, REPLAY_LATEST, REPLAY_LATEST, true, &r, &e), -1);
        assert_int_equal(e.exit, EXIT_INTEGRITY);
        assert_true(r.diverged);
        assert_string_equal(r.divergence.what, cases[i].what);
        assert_int_equal(r.divergence.position, t.end);
        assert_int_equal(r.end, t.end); /* how far it came */
        assert_span_is(buf_span(&r.divergence.expected), cases[i].expected);
        assert_true(span_starts(buf_span(&r.divergence.got), span_of(cases[i].got)));
        replay_report_fini(&r);
        world_close(&t.w);
    }
}

TEST(a_transcript_that_is_damaged)
{
    static const struct {
        const char *item, *says;
    } cases[] = {
        { "nonsense", "position" },
        { "{'d':1,'sc':[]}", "not a delivery" },
        { "{'d':[1],'sc':[]}", "not a delivery" },
        { "{'d':['bringOutYourDead']}", "not a delivery" },
        { "{'d':['load-snapshot',{'snapshotID':'12'}],'sc':[]}", "load-snapshot" },
        { "{'d':['initialize-worker',{'source':{'bundleID':'b0-1'},'workerOptions':{'bundleIDs':[1]}}],'sc':[]}", "initialize-worker" },
        { "{'d':['initialize-worker',{'source':{},'workerOptions':{'bundleIDs':[]}}],'sc':[]}", "never installed" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct past t;
        struct replay_report r;
        struct err e = { 0 };
        open_past(&t, false);
        add(&t, cases[i].item);
        assert_int_equal(replay(&t, REPLAY_LATEST, REPLAY_LATEST, true, &r, &e), -1);
        if (strstr(e.text, cases[i].says) == NULL) fail_msg("%s: %s", cases[i].item, e.text);
        assert_false(r.diverged);
        replay_report_fini(&r);
        world_close(&t.w);
    }
}

TEST(a_machine_that_does_not_start)
{
    struct past t;
    struct replay_report r;
    struct err e;
    open_past(&t, false);
    t.w.scripted.fail_start = true;
    assert_int_equal(replay(&t, 0, REPLAY_LATEST, true, &r, &e), -1);
    assert_int_equal(e.exit, EXIT_FAILED);
    t.w.scripted.fail_start = false;
    t.w.scripted.fail_snapshot = true;
    assert_int_equal(replay(&t, 0, REPLAY_LATEST, true, &r, &e), -1);
    assert_int_equal(e.exit, EXIT_FAILED);
    t.w.scripted.fail_snapshot = false;
    world_close(&t.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_from_every_position_to_every_other),
        cmocka_unit_test(what_cannot_be_replayed),
        cmocka_unit_test(what_differs_is_named_with_both_sides),
        cmocka_unit_test(a_transcript_that_is_damaged),
        cmocka_unit_test(a_machine_that_does_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
