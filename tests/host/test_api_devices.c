/* test_api_devices.c -- zygote.h: what the host tells devices, and they tell it. */
#include "fixture.h"

static char *device_line(const char *name)
{
    return text_of("\"%s\": { \"sourceSpec\": \"%s/devices/%s/device-%s.js\",\n"
                   "  \"parameters\": { \"senders\": [\"left\", \"right\"] } }",
                   name, getenv("SWINGSET"), name, name);
}

static void boot_with_devices(struct host *h)
{
    static const char *const names[] = { "timer", "mailbox", "bridge", "command", "loopbox" };
    char devices[8192] = "\"devices\": {";
    host_new(h);
    for (size_t i = 0; i < 5; i++) {
        strcat(devices, i > 0 ? ", " : " ");
        strcat(devices, device_line(names[i]));
    }
    strcat(devices, " },");
    write_file(h->config, config_text(devices));
    h->options.loopbox = 1;
    assert_ok(h->z, zygote_create(h->store, h->config, &h->options, &h->z));
    assert_ok(h->z, zygote_run(h->z, NULL, NULL));
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

HOST_TESTS_MAIN(cmocka_unit_test(devices_of_the_host))
