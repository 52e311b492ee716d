/* test_api_devices.c -- zygote.h: what the host tells devices, and they tell it. */
#include "fixture.h"

/* Bundled from its source in upstream's package. */
static char *from_source(const char *name)
{
    return text_of("\"%s\": { \"sourceSpec\": \"%s/devices/%s/device-%s.js\" }", name,
                   getenv("SWINGSET"), name, name);
}

static char *from_bundle(const char *name, const char *kind)
{
    return text_of("\"%s\": { \"bundleSpec\": \"%s/bundles/sys-%sDevice.json\",\n"
                   "  \"parameters\": { \"senders\": [\"left\", \"right\"] } }",
                   name, build, kind);
}

static void create(struct host *h, const char *config, int loopbox)
{
    host_new(h);
    write_file(h->config, config);
    h->options.loopbox = loopbox;
    assert_ok(h->z, zygote_create(h->store, h->config, &h->options, &h->z));
    assert_ok(h->z, zygote_run(h->z, NULL, NULL));
}

static void boot_with_devices(struct host *h)
{
    create(h,
           config_text(text_of("\"devices\": { %s, %s, %s, %s, %s },", from_source("bridge"),
                               from_bundle("timer", "timer"), from_bundle("mailbox", "mailbox"),
                               from_bundle("command", "command"),
                               from_bundle("loopbox", "loopbox"))),
           1);
}

TEST(devices_of_the_host)
{
    struct host h;
    uint64_t count = 77;
    bool flag = true;
    char *json;
    (void)state;
    boot_with_devices(&h);
    assert_ok(h.z, zygote_timer_poll(h.z, NULL, 1000, &flag));
    assert_false(flag); /* nobody has set an alarm */
    assert_fails(h.z, zygote_timer_poll(h.z, "timer", 999, &flag), ZYGOTE_FAILED, "");
    assert_fails(h.z, zygote_timer_poll(h.z, "clock", 1001, &flag), ZYGOTE_NOT_FOUND, "clock");
    assert_ok(h.z, zygote_loopbox_pass(h.z, NULL, &flag));
    assert_false(flag);
    assert_ok(h.z, zygote_mailbox_export(h.z, NULL, &json));
    assert_string_equal(json, "{}");
    zygote_free(json);
    assert_fails(h.z, zygote_mailbox_deliver(h.z, NULL, "peer", "[[1,\"x\"]]", "0"), ZYGOTE_FAILED, "");
    assert_fails(h.z, zygote_mailbox_deliver(h.z, NULL, "peer", "{}", "0"), ZYGOTE_MISUSE, "messages");
    assert_fails(h.z, zygote_mailbox_deliver(h.z, NULL, NULL, "[]", "0"), ZYGOTE_MISUSE, "no peer");

    assert_fails(h.z, zygote_bridge_inbound(h.z, NULL, "[1]"), ZYGOTE_FAILED, "no inbound handler");
    assert_fails(h.z, zygote_command_inbound(h.z, NULL, "1", &count), ZYGOTE_FAILED, "no inbound handler");
    assert_int_equal(count, 0);
    ask(h.z, "alice", "listen", NULL);
    assert_fails(h.z, zygote_bridge_inbound(h.z, NULL, "[1"), ZYGOTE_MISUSE, "not JSON");
    assert_fails(h.z, zygote_bridge_inbound(h.z, NULL, "1"), ZYGOTE_MISUSE, "array");
    assert_ok(h.z, zygote_bridge_inbound(h.z, "bridge", "[\"channel\",{\"a\":1}]"));
    assert_string_equal(ask(h.z, "alice", "heard", NULL), "[[\"channel\",{\"a\":1}]]");
    assert_string_equal(ask(h.z, "alice", "callOut", "[\"ask\",1]"), "{\"yes\":[1]}");
    assert_string_equal(h.outbound, "bridge [\"ask\",1]");
    assert_string_equal(ask(h.z, "alice", "callOut", "[\"nothing\"]"), "{\"@undefined\":true}");
    assert_non_null(strstr(ask(h.z, "alice", "callOut", "[\"throw\"]"), "@error"));

    assert_fails(h.z, zygote_command_inbound(h.z, NULL, "{", &count), ZYGOTE_MISUSE, "not JSON");
    assert_ok(h.z, zygote_command_inbound(h.z, NULL, "\"bad\"", &count));
    assert_int_equal(count, 1);
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_true(h.responded == 1 && h.rejected);
    assert_string_equal(h.response, "command {\"re\":\"bad\"}");
    assert_string_equal(h.broadcast, "command {\"heard\":\"bad\"}");
    host_free(&h);
}

/* -- devices that vats use ---------------------------------------------------------------- */

/* The vats of tests/scenarios: the bootstrap puppet does what it is told (puppet.js), and
 * the objects of "handlers" write down how devices call them (handler.js).  What is expected
 * of them is what upstream's kernel did in the scenarios of the same steps: device-timer,
 * device-mailbox, device-loopbox, device-loopbox-now. */
static void boot_puppet(struct host *h, char *device, int loopbox)
{
    create(h,
           text_of("{ \"bootstrap\": \"bootstrap\", \"pinBootstrapRoot\": true,\n"
                   "\"vats\": {\n"
                   "  \"bootstrap\": { \"bundleSpec\": \"%s/bundles/vats-puppet.json\",\n"
                   "    \"parameters\": { \"plain\": true } },\n"
                   "  \"handlers\": { \"bundleSpec\": \"%s/bundles/vats-handler.json\" } },\n"
                   "\"devices\": { %s } }",
                   build, build, device),
           loopbox);
}

static void act(struct host *h, const char *acts)
{
    assert_string_equal(ask(h->z, "bootstrap", "do", acts), "{\"@undefined\":true}");
}

#define assert_heard(h, json) assert_string_equal(ask((h)->z, "handlers", "report", NULL), (json))

#define HANDLER(name) \
    "[\"send\",\"$handlers\",\"make\",[\"" name "\"],\"p\"],[\"await\",\"$p\",\"" name "\"],"

TEST(a_timer_wakes_who_set_an_alarm)
{
    struct host h;
    bool woke = true;
    (void)state;
    boot_puppet(&h, from_bundle("clock", "timer"), 0);
    act(&h, "[[" HANDLER("a") HANDLER("b")
            "[\"device\",\"$device.clock\",\"setWakeup\",[{\"@@bigint\":\"5\"},\"$a\"]],"
            "[\"device\",\"$device.clock\",\"setWakeup\",[3,\"$b\"]],"
            "[\"device\",\"$device.clock\",\"setWakeup\",[{\"@@bigint\":\"5\"},\"$b\"]]]]");
    assert_ok(h.z, zygote_timer_poll(h.z, NULL, 2, &woke));
    assert_false(woke);
    assert_heard(&h, "[]");
    assert_ok(h.z, zygote_timer_poll(h.z, "clock", 4, &woke));
    assert_true(woke);
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_heard(&h, "[[\"b\",\"wake\",\"3n\"]]");
    assert_fails(h.z, zygote_timer_poll(h.z, NULL, 3, &woke), ZYGOTE_FAILED, "");
    assert_ok(h.z, zygote_timer_poll(h.z, NULL, 4, &woke));
    assert_false(woke);
    assert_ok(h.z, zygote_commit(h.z));
    reopen(&h); /* alarms are kept */
    assert_ok(h.z, zygote_timer_poll(h.z, NULL, 100, &woke));
    assert_true(woke);
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_heard(&h, "[[\"a\",\"wake\",\"5n\"],[\"b\",\"wake\",\"5n\"]]");
    host_free(&h);
}

/* One peer's; the members come in no promised order. */
static void assert_outbox(struct host *h, const char *outbox, const char *ack)
{
    char *json;
    assert_ok(h->z, zygote_mailbox_export(h->z, NULL, &json));
    assert_int_equal(strlen(json), strlen("{\"p\":{,}}") + strlen(outbox) + strlen(ack));
    assert_memory_equal(json, "{\"p\":{\"", 7);
    assert_non_null(strstr(json, outbox));
    assert_non_null(strstr(json, ack));
    zygote_free(json);
}

TEST(a_mailbox_takes_in_and_gives_out)
{
    static const char outbox[] = "\"outbox\":[[2,\"two\"],[10,\"ten\"]]";
    static const char ack[] = "\"inboundAck\":3";
    struct host h;
    (void)state;
    boot_puppet(&h, from_bundle("mailbox", "mailbox"), 0);
    act(&h, "[[" HANDLER("a")
            "[\"device\",\"$device.mailbox\",\"add\",[\"p\",1,\"one\"]],"
            "[\"device\",\"$device.mailbox\",\"add\",[\"p\",2,\"two\"]],"
            "[\"device\",\"$device.mailbox\",\"add\",[\"p\",{\"@@bigint\":\"10\"},\"ten\"]],"
            "[\"device\",\"$device.mailbox\",\"ackInbound\",[\"p\",3]],"
            "[\"device\",\"$device.mailbox\",\"remove\",[\"p\",1]],"
            "[\"device\",\"$device.mailbox\",\"registerInboundHandler\",[\"$a\"]]]]");
    assert_outbox(&h, outbox, ack);
    assert_ok(h.z, zygote_mailbox_deliver(h.z, NULL, "p", "[[1,\"hello\"],[2,\"#world\"]]", "7"));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_heard(&h, "[[\"a\",\"deliverInboundMessages\",\"p\",[[1,\"hello\"],[2,\"#world\"]]],"
                     "[\"a\",\"deliverInboundAck\",\"p\",7]]");
    assert_ok(h.z, zygote_mailbox_deliver(h.z, "mailbox", "p", NULL, "8"));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_heard(&h, "[[\"a\",\"deliverInboundAck\",\"p\",8]]");
    assert_fails(h.z, zygote_mailbox_deliver(h.z, NULL, "p", "[[-1,\"x\"]]", "0"), ZYGOTE_MISUSE, "number, body");
    assert_fails(h.z, zygote_mailbox_deliver(h.z, NULL, "p", "[[1,5]]", "0"), ZYGOTE_MISUSE, "number, body");
    assert_ok(h.z, zygote_commit(h.z));
    reopen(&h);
    assert_outbox(&h, outbox, ack);
    host_free(&h);
}

/* "left" sends "right" a message. */
static void pass_right(struct host *h)
{
    act(h, "[[" HANDLER("hl") HANDLER("hr")
           "[\"device\",\"$device.loopbox\",\"registerInboundHandler\",[\"left\",\"$hl\"]],"
           "[\"device\",\"$device.loopbox\",\"registerInboundHandler\",[\"right\",\"$hr\"]],"
           "[\"device\",\"$device.loopbox\",\"getSender\",[\"left\"],\"sl\"],"
           "[\"device\",\"$sl\",\"add\",[\"right\",1,\"to the right\"]]]]");
}

static const char to_the_right[] = "[[\"hr\",\"deliverInboundMessages\",\"left\",[[1,\"to the right\"]]]]";

TEST(a_loopbox_passes_when_it_is_told)
{
    struct host h;
    bool passed = false;
    (void)state;
    boot_puppet(&h, from_bundle("loopbox", "loopbox"), 1);
    pass_right(&h);
    assert_heard(&h, "[]");
    assert_ok(h.z, zygote_loopbox_pass(h.z, "loopbox", &passed));
    assert_true(passed);
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_heard(&h, to_the_right);
    assert_ok(h.z, zygote_loopbox_pass(h.z, NULL, &passed));
    assert_false(passed);
    host_free(&h);
}

TEST(a_loopbox_passes_at_once)
{
    struct host h;
    bool passed = true;
    (void)state;
    boot_puppet(&h, from_bundle("loopbox", "loopbox"), 2);
    pass_right(&h);
    assert_heard(&h, to_the_right);
    assert_ok(h.z, zygote_loopbox_pass(h.z, NULL, &passed));
    assert_false(passed);
    host_free(&h);
}

/* None of these starts from the store that the other programs' tests start from. */
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_of_the_host),
        cmocka_unit_test(a_timer_wakes_who_set_an_alarm),
        cmocka_unit_test(a_mailbox_takes_in_and_gives_out),
        cmocka_unit_test(a_loopbox_passes_when_it_is_told),
        cmocka_unit_test(a_loopbox_passes_at_once),
    };
    return host_find() != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
