/* The slog, where no scenario beside upstream goes: what a line must be is taken from
 * upstream's slogger.js.  (That whole runs are equal, line by line: tests/conformance.) */
#include <stdio.h>

#include "world.h"

/* Lines from here on. */
static void forget(struct world *w)
{
    buf_reset(&w->slog);
}

static bool has(struct world *w, const char *text)
{
    return memmem(w->slog.p, w->slog.n, text, strlen(text)) != NULL;
}

/* The lines must begin so, one after the other, with others between them or not. */
static void expect_in_order(struct world *w, size_t count, const char *const *lines)
{
    struct span rest = buf_span(&w->slog);
    for (size_t i = 0; i < count; i++) {
        const char *found = memmem(rest.p, rest.n, lines[i], strlen(lines[i]));
        if (found == NULL) {
            fail_msg("not there, or not in order: %s\nin:\n%.*s", lines[i],
                     SPAN_ARG(buf_span(&w->slog)));
        }
        size_t at = (size_t)(found - rest.p) + strlen(lines[i]);
        rest = span_from(rest, at);
    }
}
#define EXPECT(w, ...)                                                                           \
    do {                                                                                         \
        static const char *const lines[] = { __VA_ARGS__ };                                      \
        expect_in_order((w), sizeof lines / sizeof *lines, lines);                               \
    } while (0)

static unsigned count(struct world *w, const char *text)
{
    unsigned n = 0;
    struct span rest = buf_span(&w->slog);
    const char *p;
    while ((p = memmem(rest.p, rest.n, text, strlen(text))) != NULL) {
        rest = span_from(rest, (size_t)(p - rest.p) + 1);
        n++;
    }
    return n;
}

static void open_pair(struct world *w, struct world_setup s)
{
    s.vats[0] = "a";
    s.vats[1] = "b";
    s.puppets = true;
    s.slog = true;
    world_open(w, &s);
}

/* -- one message ---------------------------------------------------------------------------------- */

TEST(a_message_in_both_its_names)
{
    struct world w;
    open_pair(&w, (struct world_setup){ 0 });
    vat_id a = vat_named(&w, "a"), b = vat_named(&w, "b");
    char b_in_a[16];
    snprintf(b_in_a, sizeof b_in_a, "%s", name_for(&w, a, root_of(&w, b)));
    assert_string_equal(b_in_a, "o-52");
    assert_int_equal(a.n, 3);
    assert_int_equal(root_of(&w, b).n, 22);
    forget(&w);
    poke(&w, a, "send o-52 o+1 -> p+1\nsubscribe p+1");
    EXPECT(&w,
        "{\"type\":\"crank-start\",\"crankType\":\"delivery\",\"crankNum\":",
        "\"messageType\":\"bringOutYourDead\",\"message\":{\"type\":\"bringOutYourDead\",\"vatID\":\"v3\"}}\n",
        "\"replay\":false,\"dispatch\":\"bringOutYourDead\",\"kd\":[\"bringOutYourDead\"],\"vd\":[\"bringOutYourDead\"]}\n",
        "\"mode\":\"export\",\"vatID\":\"v3\",\"kobj\":\"ko24\",\"vobj\":\"o+1\"}\n",
        "\"mode\":\"export\",\"vatID\":\"v3\",\"kobj\":\"kp",
        "\"replay\":false,\"syscall\":\"send\",\"ksc\":[\"send\",\"ko22\",{\"methargs\":"
            "{\"body\":\"#[\\\"hi\\\",[\\\"$0.Alleged: x\\\"]]\",\"slots\":[\"ko24\"]},\"result\":\"kp",
        "\"vsc\":[\"send\",\"o-52\",{\"methargs\":{\"body\":\"#[\\\"hi\\\",[\\\"$0.Alleged: x\\\"]]\","
            "\"slots\":[\"o+1\"]},\"result\":\"p+1\"}]}\n",
        "{\"type\":\"syscall-result\"", "\"syscall\":\"send\",\"ksr\":[\"ok\",null],\"vsr\":[\"ok\",null]}\n",
        "\"syscall\":\"subscribe\",\"ksc\":[\"subscribe\",\"v3\",\"kp", "\"vsc\":[\"subscribe\",\"p+1\"]}\n",
        "{\"type\":\"deliver-result\"", "\"dr\":[\"ok\",", "{\"meterType\":\"xs-meter-36\",\"compute\":",
        "{\"type\":\"crank-finish\",\"crankType\":\"delivery\",\"messageType\":\"bringOutYourDead\",\"crankNum\":",
        "\"crankhash\":\"", "\"activityhash\":\"",
        "{\"type\":\"crank-start\",\"crankType\":\"routing\"", "\"messageType\":\"send\",\"message\":{\"type\":\"send\",\"target\":\"ko22\"",
        "\"mode\":\"import\",\"vatID\":\"v4\",\"kobj\":\"ko24\",\"vobj\":\"o-",
        "{\"type\":\"deliver\",\"crankNum\":", "\"dispatch\":\"message\",\"kd\":[\"message\",\"ko22\",",
        "\"vd\":[\"message\",\"o+0\",");
    forget(&w);
    poke(&w, b, "resolve %s", name_for(&w, b, meant(&w, a, "p+1")));
    EXPECT(&w, "\"mode\":\"drop\",\"vatID\":\"v4\",\"kobj\":\"kp",
        "\"ksc\":[\"resolve\",\"v4\",[[\"kp", ",false,{\"body\":\"#[]\",\"slots\":[]}]]],\"vsc\":",
        "\"mode\":\"drop\",\"vatID\":\"v3\",\"kobj\":\"kp",
        "\"dispatch\":\"notify\",\"kd\":[\"notify\",[[\"kp", "{\"state\":\"fulfilled\",\"data\":{\"body\":\"#[]\",\"slots\":[]}}]]]",
        "\"vd\":[\"notify\",[[\"p+1\",false,");
    assert_false(has(&w, "slogger-confused"));
    world_close(&w);
}

TEST(vatstore_and_gc_syscalls)
{
    struct world w;
    open_pair(&w, (struct world_setup){ 0 });
    forget(&w);
    poke(&w, vat_named(&w, "a"), "set k v\nget k\nnext j\ndelete k\ndrop o-52\nretire o-52\nsend o-51 o+7");
    EXPECT(&w, "\"ksc\":[\"vatstoreSet\",\"v3\",\"k\",\"v\"],\"vsc\":[\"vatstoreSet\",\"k\",\"v\"]",
        "\"ksc\":[\"vatstoreGet\",\"v3\",\"k\"]", "\"ksr\":[\"ok\",\"v\"],\"vsr\":[\"ok\",\"v\"]}",
        "\"ksc\":[\"vatstoreGetNextKey\",\"v3\",\"j\"]", "\"ksr\":[\"ok\",\"k\"],\"vsr\":[\"ok\",\"k\"]}",
        "\"ksc\":[\"vatstoreDelete\",\"v3\",\"k\"]",
        "\"ksc\":[\"dropImports\",[\"ko22\"]],\"vsc\":[\"dropImports\",[\"o-52\"]]",
        "{\"type\":\"clist\"", "\"mode\":\"drop\"", "\"ksc\":[\"retireImports\",[\"ko22\"]]");
    forget(&w);
    poke(&w, vat_named(&w, "a"), "abandon o+7\nexit");
    EXPECT(&w, "\"ksc\":[\"abandonExports\",\"v3\",[\"ko24\"]]",
        "\"ksc\":[\"exit\",\"v3\",false,{\"body\":\"#[]\",\"slots\":[]}],\"vsc\":[\"exit\",false,",
        "{\"type\":\"terminate\",\"vatID\":\"v3\",\"shouldReject\":false,\"info\":{\"body\":\"#[]\",\"slots\":[]}}\n",
        "\"args\":[\"kernel terminating vat v3 (failure=false)\"]", "{\"type\":\"crank-finish\"");
    world_close(&w);
}

TEST(a_fatal_syscall_has_no_kernel_form)
{
    struct world w;
    open_pair(&w, (struct world_setup){ 0 });
    forget(&w);
    poke(&w, vat_named(&w, "a"), "drop o-99");
    EXPECT(&w, "{\"type\":\"console\",\"source\":\"kernel\",\"level\":\"log\",\"args\":[\"error during syscall translation:\",{}]}\n",
        "\"syscall\":\"dropImports\",\"vsc\":[\"dropImports\",[\"o-99\"]]}\n",
        "\"syscall\":\"dropImports\",\"ksr\":[\"error\",\"syscall translation error: prepare to die\"],"
            "\"vsr\":[\"error\",\"syscall translation error: prepare to die\"]}\n",
        "{\"type\":\"deliver-result\"", "{\"type\":\"terminate\",\"vatID\":\"v3\",\"shouldReject\":true");
    forget(&w);
    poke(&w, vat_named(&w, "b"), "[\"abandonExports\",[\"o+0\",\"o+0\"]]");
    assert_int_equal(count(&w, "\"type\":\"syscall\",") , count(&w, "\"type\":\"syscall-result\","));
    world_close(&w);
}

TEST(a_limit_met_has_no_meter)
{
    struct world w;
    open_pair(&w, (struct world_setup){ 0 });
    forget(&w);
    poke(&w, vat_named(&w, "a"), "set k v\n!meter");
    EXPECT(&w, "\"dr\":[\"error\",\"Compute meter exceeded\",null]}\n", "{\"type\":\"terminate\"");
    assert_false(has(&w, "slogger-confused"));
    world_close(&w);
}

/* -- machines ---------------------------------------------------------------------------------------- */

static void play(struct world *w)
{
    vat_id a = vat_named(w, "a"), b = vat_named(w, "b");
    poke(w, a, "set k v\nsend o-52 o+1 -> p+1\nsubscribe p+1");
    poke(w, b, "resolve p-60");
    for (int i = 0; i < 4; i++) poke(w, a, "set k %d", i);
    world_restart(w);
    poke(w, a, "set k w");
    poke(w, b, "set k w");
}

TEST(replays_and_snapshots)
{
    struct world w;
    open_pair(&w, (struct world_setup){ .preload = true, .snapshot_interval = 6 });
    EXPECT(&w, "{\"type\":\"create-vat\",\"vatID\":\"v3\",\"dynamic\":false,\"description\":\"a (from bundleID: b0-",
        "\"name\":\"a\",\"managerType\":\"xsnap\",\"vatSourceBundle\":{\"moduleFormat\":",
        "{\"type\":\"vat-startup-start\",\"vatID\":\"v3\"}\n{\"type\":\"vat-startup-finish\",\"vatID\":\"v3\"}\n"
            "{\"type\":\"start-replay\",\"vatID\":\"v3\",\"deliveries\":1}\n{\"type\":\"finish-replay\",\"vatID\":\"v3\"}\n",
        "\"vatID\":\"v4\"", "{\"type\":\"crank-start\",\"crankType\":\"routing\",\"crankNum\":0,",
        "{\"type\":\"heap-snapshot-save\"", "\"uncompressedSizeDelta\":null,\"restartWorker\":true}\n{\"type\":\"heap-snapshot-load\"");
    forget(&w);
    play(&w);
    EXPECT(&w, "\"uncompressedSizeDelta\":", "{\"type\":\"create-vat\",\"vatID\":\"v3\",\"dynamic\":false,", "{\"type\":\"vat-startup-start\",\"vatID\":\"v3\"}\n",
        "{\"type\":\"heap-snapshot-load\",\"vatID\":\"v3\",\"snapPos\":", "\"uncompressedSize\":", "{\"type\":\"vat-startup-finish\"",
        "{\"type\":\"start-replay\",\"vatID\":\"v3\",\"deliveries\":",
        "{\"type\":\"deliver\",\"vatID\":\"v3\",\"deliveryNum\":", "\"replay\":true,\"dispatch\":\"bringOutYourDead\",\"vd\":",
        "{\"type\":\"syscall\",\"vatID\":\"v3\",", "\"syscallNum\":0,\"replay\":true,\"syscall\":\"vatstoreGet\",\"vsc\":",
        "{\"type\":\"syscall-result\"", "\"syscall\":\"vatstoreGet\",\"vsr\":", "{\"type\":\"deliver-result\",\"vatID\":\"v3\"",
        "{\"type\":\"finish-replay\",\"vatID\":\"v3\"}\n");
    assert_false(has(&w, "\"uncompressedSizeDelta\":null")); /* no first snapshots any more */
    assert_false(has(&w, "slogger-confused"));
    world_close(&w);
}

/* Beyond the half that is brought online at start, a vat is only mentioned. */
TEST(vats_are_introduced_as_upstream_would)
{
    struct world w;
    open_pair(&w, (struct world_setup){ .online_max = 3 });
    EXPECT(&w, "{\"type\":\"create-vat\",\"vatID\":\"v3\",\"dynamic\":false,", "{\"type\":\"create-vat\",\"vatID\":\"v4\",\"dynamic\":false,",
           "{\"type\":\"create-vat\",\"vatID\":\"v1\"}\n", "{\"type\":\"create-vat\",\"vatID\":\"v2\"}\n");
    assert_int_equal(count(&w, "\"type\":\"create-vat\""), 4);
    assert_int_equal(count(&w, "\"type\":\"vat-startup-start\""), 2);
    forget(&w);
    vat_id kid = create(&w, "puppet", "'name':''");
    world_run(&w);
    assert_true(alive(&w, kid));
    EXPECT(&w, "\"vatID\":\"v5\",\"dynamic\":true,\"description\":\"(from bundleID: ", "\"name\":\"\",",
           "{\"type\":\"vat-startup-start\",\"vatID\":\"v5\"}", "{\"type\":\"vat-startup-finish\",\"vatID\":\"v5\"}");
    assert_false(has(&w, "slogger-confused"));
    world_close(&w);
}

/* -- forks -------------------------------------------------------------------------------------------- */

TEST(the_life_of_a_fork)
{
    struct world w;
    open_pair(&w, (struct world_setup){ .online_max = 4 });
    vat_id p = create(&w, "auto", "'name':'p'");
    vat_id a = vat_named(&w, "a");
    introduce(&w, p, a);
    poke(&w, p, "set abc 12345");
    forget(&w);
    vat_id c = device_fork(&w, p, 0, NULL, "'name':'kid'");
    world_run(&w);
    assert_int_equal(c.n, 6);
    EXPECT(&w, "{\"type\":\"fork-vat-start\",\"crankNum\":", "\"vatID\":\"v6\",\"parentVatID\":\"v5\"}\n",
        "\"dispatch\":\"bringOutYourDead\"",
        "{\"type\":\"heap-snapshot-save\",\"vatID\":\"v5\"", "{\"type\":\"heap-snapshot-load\",\"vatID\":\"v5\"",
        "{\"type\":\"page-out\",\"vatID\":\"v5\",\"reason\":\"saved\"}\n",
        "{\"type\":\"create-vat\",\"vatID\":\"v6\",\"dynamic\":true,\"description\":\"kid (from bundleID: ",
        "\"name\":\"kid\",\"managerType\":\"xsnap\",\"forkedFrom\":\"v5\"}\n",
        "\"mode\":\"export\",\"vatID\":\"v6\",\"kobj\":\"ko", "\"vobj\":\"o+0\"}\n",
        "\"mode\":\"import\",\"vatID\":\"v6\",\"kobj\":\"ko", "\"vobj\":\"o-",
        "{\"type\":\"fork-vat-finish\",\"crankNum\":", "\"vatID\":\"v6\",\"parentVatID\":\"v5\","
            "\"vatstoreKeys\":1,\"vatstoreBytes\":8,\"clistEntries\":2,\"snapshotBytes\":",
        "{\"type\":\"crank-finish\"");
    assert_int_equal(count(&w, "\"mode\":\"export\",\"vatID\":\"v6\""), 1);
    assert_false(has(&w, "{\"type\":\"page-in-start\",\"vatID\":\"v6\""));
    forget(&w);
    poke(&w, c, "set k v");
    EXPECT(&w, "{\"type\":\"page-in-start\",\"vatID\":\"v6\",\"snapshotID\":\"",
        "{\"type\":\"vat-startup-start\",\"vatID\":\"v6\"}\n",
        "{\"type\":\"heap-snapshot-load\",\"vatID\":\"v6\",\"snapPos\":0,",
        "{\"type\":\"vat-startup-finish\",\"vatID\":\"v6\"}\n",
        "{\"type\":\"page-in-finish\",\"vatID\":\"v6\",\"replayed\":1}\n",
        "{\"type\":\"deliver\"");
    assert_int_equal(count(&w, "\"type\":\"create-vat\""), 0);
    for (vat_id vat = { 1 }; vat.n < 6; vat.n++) poke(&w, vat, "set k v"); /* four places for six */
    EXPECT(&w, "{\"type\":\"page-out\",\"vatID\":\"v6\",\"reason\":\"evicted\"}\n");
    assert_int_equal(count(&w, "\"type\":\"page-in-start\""), count(&w, "\"type\":\"page-in-finish\""));
    forget(&w);
    device_fork(&w, a, 0, NULL, "");
    world_run(&w);
    EXPECT(&w, "{\"type\":\"fork-vat-start\"", "\"vatID\":\"v7\",\"parentVatID\":\"v3\",\"error\":"
           "\"vat type cannot be forked\",\"snapshotBytes\":0,\"computrons\":0}\n");
    assert_false(has(&w, "{\"type\":\"create-vat\",\"vatID\":\"v7\""));
    forget(&w);
    device_seal(&w, c);
    world_run(&w);
    device_call(&w, "takeOffline #['v5']");
    world_run(&w);
    EXPECT(&w, "{\"type\":\"zygotify-vat-start\",\"crankNum\":", "\"vatID\":\"v6\"}\n", "\"reason\":\"saved\"}\n",
        "{\"type\":\"zygotify-vat-finish\",\"crankNum\":", "\"vatID\":\"v6\",\"snapshotBytes\":",
        "{\"type\":\"take-offline-start\"", "{\"type\":\"take-offline-finish\",\"crankNum\":", "\"vatID\":\"v5\",\"snapshotBytes\":");
    forget(&w);
    unsigned machines = w.scripted.machines;
    assert_true(machines > 0);
    world_restart(&w);
    assert_int_equal(count(&w, "\"reason\":\"shutdown\"}"), machines);
    assert_false(has(&w, "slogger-confused"));
    world_close(&w);
}

TEST(a_machine_that_does_not_start)
{
    struct world w;
    open_pair(&w, (struct world_setup){ 0 });
    forget(&w);
    create(&w, "broken", "");
    EXPECT(&w, "{\"type\":\"page-in-start\",\"vatID\":\"v5\"}\n", "{\"type\":\"page-in-finish\",\"vatID\":\"v5\",\"replayed\":0}\n"
           "{\"type\":\"page-out\",\"vatID\":\"v5\",\"reason\":\"failed\"}\n");
    world_close(&w);
}

TEST(a_store_without_forks_has_upstreams_lines_only)
{
    struct world w;
    open_pair(&w, (struct world_setup){ .no_zygotes = true, .online_max = 3, .snapshot_interval = 5 });
    play(&w);
    create(&w, "broken", "");
    world_restart(&w);
    assert_false(has(&w, "\"type\":\"page-"));
    assert_false(has(&w, "forkedFrom"));
    world_close(&w);
}

/* Who listens must not change what is done, and when vats come online neither. */
TEST(a_run_with_a_slog_is_the_run_without)
{
    struct buf dumps[3] = { 0 };
    for (int i = 0; i < 3; i++) {
        struct world w;
        struct world_setup s = { .vats = { "a", "b" }, .puppets = true, .slog = i > 0,
                                 .preload = i > 1, .online_max = 3, .snapshot_interval = 5 };
        world_open(&w, &s);
        play(&w);
        world_dump(&w, &dumps[i]);
        world_close(&w);
    }
    for (int i = 1; i < 3; i++) {
        assert_int_equal(dumps[i].n, dumps[0].n);
        assert_memory_equal(dumps[i].p, dumps[0].p, dumps[0].n);
    }
    for (int i = 0; i < 3; i++) buf_fini(&dumps[i]);
}

/* -- consoles -------------------------------------------------------------------------------------- */

/* Upstream's makeSourcedConsole: five levels, liveslots by its name, and nothing of a replay. */
TEST(consoles_by_level_and_source)
{
    struct world w;
    static const char *const levels[] = { "debug", "log", "info", "warn", "error" };
    open_pair(&w, (struct world_setup){ .snapshot_initial = 100 });
    vat_id a = vat_named(&w, "a");
    forget(&w);
    for (int i = 0; i < 5; i++) poke(&w, a, "!upcall ['sourcedConsole','vat','%s','x',{'y':[1]}]", levels[i]);
    for (int i = 0; i < 5; i++) {
        char text[128];
        snprintf(text, sizeof text, "\"level\":\"%s\",\"args\":[\"x\",{\"y\":[1]}]", levels[i]);
        assert_int_equal(count(&w, text), 1);
    }
    assert_int_equal(count(&w, "\"source\":\"vat\""), 5);
    assert_int_equal(count(&w, "\"type\":\"console\""), 5);
    poke(&w, a, "!upcall ['sourcedConsole','ls','log']\n!upcall ['sourcedConsole','vat','shout','x']\n!upcall ['sourcedConsole']");
    assert_int_equal(count(&w, "\"source\":\"liveslots\""), 1);
    assert_int_equal(count(&w, "\"bad sourcedConsole level\",\"shout\""), 1);
    assert_int_equal(count(&w, "bad sourcedConsole level"), 2);
    forget(&w);
    world_restart(&w);
    poke(&w, a, "set k v");
    assert_int_equal(count(&w, "\"level\":\"info\""), 0);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_in_both_its_names),
        cmocka_unit_test(vatstore_and_gc_syscalls),
        cmocka_unit_test(a_fatal_syscall_has_no_kernel_form),
        cmocka_unit_test(a_limit_met_has_no_meter),
        cmocka_unit_test(replays_and_snapshots),
        cmocka_unit_test(vats_are_introduced_as_upstream_would),
        cmocka_unit_test(consoles_by_level_and_source),
        cmocka_unit_test(the_life_of_a_fork),
        cmocka_unit_test(a_machine_that_does_not_start),
        cmocka_unit_test(a_store_without_forks_has_upstreams_lines_only),
        cmocka_unit_test(a_run_with_a_slog_is_the_run_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
