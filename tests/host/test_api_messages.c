/* test_api_messages.c -- zygote.h: messages, values, promises, and what is said meanwhile. */
#include "fixture.h"

TEST(the_bootstrap_message)
{
    struct host h;
    struct zygote_id kpid, again;
    enum zygote_promise status;
    (void)state;
    host_new(&h);
    h.options.argc = 2;
    h.options.argv = (const char *const[]){ "one", "two" };
    assert_ok(h.z, zygote_create(h.store, h.config, &h.options, &h.z));
    assert_ok(h.z, zygote_bootstrap(h.z, &kpid));
    assert_ok(h.z, zygote_kp_status(h.z, kpid.text, &status));
    assert_int_equal(status, ZYGOTE_UNRESOLVED);
    assert_fails(h.z, zygote_kp_resolution(h.z, kpid.text, true, NULL), ZYGOTE_FAILED, "unresolved");
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_ok(h.z, zygote_kp_status(h.z, kpid.text, &status));
    assert_int_equal(status, ZYGOTE_FULFILLED);
    assert_string_equal(resolution(h.z, kpid.text), "\"ready\"");
    assert_ok(h.z, zygote_bootstrap(h.z, &again));
    assert_string_equal(again.text, "");
    assert_string_equal(ask(h.z, "alice", "incarnation", NULL),
                        "[1,{\"argv\":[\"one\",\"two\"]}]");
    host_free(&h);
}

TEST(values_go_in_and_come_out)
{
    static const char *const values[] = {
        "5", "-7.5", "\"text \\u0000 é\"", "[1,null,true]", "{\"a\":{\"b\":[]}}",
        "{\"@bigint\":\"-12\"}", "{\"@number\":\"NaN\"}", "{\"@undefined\":true}",
        "{\"@error\":{\"name\":\"TypeError\",\"message\":\"no\"}}", "{\"@@ref\":1}",
        "{\"@symbol\":\"@@iterator\"}", "{\"@symbol\":\"own\"}", "[{\"@symbol\":\"@@@@own\"}]",
    };
    struct host h;
    struct zygote_capdata *data;
    char *json;
    (void)state;
    boot(&h);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_string_equal(ask(h.z, "alice", "echo", text_of("[%s]", values[i])), values[i]);
    }
    const char *box = ask(h.z, "alice", "makeBox", "[7]");
    char ko[32];
    assert_int_equal(sscanf(box, "{\"@ref\":\"%31[^\"]\",\"iface\":\"box\"}", ko), 1);
    assert_string_equal(ask(h.z, "alice", "echo", text_of("[{\"#slot\":\"%s\"}]", ko)), box);

    assert_ok(h.z, zygote_capdata_from_json(h.z, text_of("[{\"@ref\":\"%s\",\"iface\":\"box\"}, 1]", ko), &data));
    assert_int_equal(data->slot_count, 1);
    assert_string_equal(data->slots[0], ko);
    assert_int_equal(data->body_length, strlen(data->body));
    assert_ok(h.z, zygote_capdata_to_json(h.z, data, &json));
    assert_string_equal(json, text_of("[%s,1]", box));
    zygote_free(json);
    zygote_free(data);
    struct zygote_capdata bad = { "#[1", 3, 0, NULL };
    assert_fails(h.z, zygote_capdata_to_json(h.z, &bad, &json), ZYGOTE_FAILED, "does not decode");
    assert_fails(h.z, zygote_capdata_to_json(h.z, NULL, &json), ZYGOTE_MISUSE, "no capdata");
    assert_fails(h.z, zygote_capdata_from_json(h.z, "[1", &data), ZYGOTE_MISUSE, "not JSON");
    host_free(&h);
}

TEST(objects_and_promises_are_targets)
{
    struct host h;
    struct zygote_id box, later, reads, none;
    enum zygote_promise status;
    (void)state;
    boot(&h);
    /* a message to a promise waits for it */
    assert_ok(h.z, zygote_queue_to_vat_root(h.z, "alice", "later", NULL, ZYGOTE_IGNORE, &later));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_ok(h.z, zygote_kp_status(h.z, later.text, &status));
    assert_int_equal(status, ZYGOTE_UNRESOLVED);
    assert_ok(h.z, zygote_queue_to_vat_object(h.z, later.text, "read", NULL, ZYGOTE_IGNORE, &reads));
    assert_ok(h.z, zygote_queue_to_vat_root(h.z, "alice", "makeBox", "[\"in it\"]", ZYGOTE_IGNORE, &box));
    assert_ok(h.z, zygote_queue_to_vat_root(h.z, "alice", "settle",
                                            text_of("[{\"@ref\":\"%s\"}]", box.text),
                                            ZYGOTE_NONE, &none));
    assert_string_equal(none.text, "");
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_string_equal(resolution(h.z, reads.text), "\"in it\"");

    char ko[32];
    assert_int_equal(sscanf(resolution(h.z, box.text), "{\"@ref\":\"%31[^\"]\"", ko), 1);
    assert_ok(h.z, zygote_queue_to_vat_object(h.z, ko, "read", NULL, ZYGOTE_IGNORE, &reads));
    assert_ok(h.z, zygote_kp_register_interest(h.z, reads.text));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_string_equal(resolution(h.z, reads.text), "\"in it\""); /* held twice */
    assert_string_equal(resolution(h.z, reads.text), "\"in it\"");
    assert_fails(h.z, zygote_queue_to_vat_object(h.z, "ko9999", "x", NULL, ZYGOTE_IGNORE, &none),
                 ZYGOTE_NOT_FOUND, "ko9999");
    assert_fails(h.z, zygote_queue_to_vat_object(h.z, "kp9999", "x", NULL, ZYGOTE_IGNORE, &none),
                 ZYGOTE_NOT_FOUND, "kp9999");
    assert_fails(h.z, zygote_queue_to_vat_object(h.z, "alice", "x", NULL, ZYGOTE_IGNORE, &none),
                 ZYGOTE_MISUSE, "no object or promise");
    assert_fails(h.z, zygote_kp_register_interest(h.z, "kp9999"), ZYGOTE_NOT_FOUND, "kp9999");
    assert_fails(h.z, zygote_kp_resolution(h.z, "ko20", true, NULL), ZYGOTE_NOT_FOUND, "ko20");
    assert_ok(h.z, zygote_kp_status(h.z, "nonsense", &status));
    assert_int_equal(status, ZYGOTE_UNKNOWN);
    host_free(&h);
}

static const char *call_root(struct zygote *z, const char *method)
{
    return ask(z, "bootstrap", method, "[1]");
}

/* What comes back is what upstream's kernel gets in the scenario host-symbols. */
TEST(methods_that_symbols_name)
{
    static const char *const bad[] = { "{\"@symbol\"", "{\"@symbol\":1}", "{\"@symbol\":\"own\",\"x\":1}",
                                       "{\"@symbol\":\"@@nonsense\"}" };
    struct host h;
    (void)state;
    host_new(&h);
    write_file(h.config, text_of("{ \"bootstrap\": \"bootstrap\", \"pinBootstrapRoot\": true,\n"
                                 "\"vats\": { \"bootstrap\": { \"bundleSpec\":\n"
                                 "  \"%s/bundles/host-symbols-vat.json\" } } }", build));
    assert_ok(h.z, zygote_create(h.store, h.config, &h.options, &h.z));
    assert_string_equal(call_root(h.z, "{\"@symbol\":\"@@asyncIterator\"}"), "[\"Symbol.asyncIterator\",1]");
    assert_string_equal(call_root(h.z, "@@asyncIterator"), "[\"the text @@asyncIterator\",1]");
    assert_string_equal(call_root(h.z, "{\"@symbol\":\"@@@@asyncIterator\"}"),
                        "[\"Symbol.for(\\\"@@asyncIterator\\\")\",1]");
    assert_string_equal(call_root(h.z, "{\"@symbol\":\"own\"}"), "[\"Symbol.for(\\\"own\\\")\",1]");
    assert_string_equal(call_root(h.z, "own"), "[\"the text own\",1]");
    assert_non_null(strstr(call_root(h.z, "{\"@symbol\":\"absent\"}"), "[Symbol(absent)]"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_fails(h.z, zygote_queue_to_vat_root(h.z, "bootstrap", bad[i], NULL, ZYGOTE_NONE, NULL),
                     ZYGOTE_MISUSE, "method");
    }
    host_free(&h);
}

TEST(messages_that_are_not_sent)
{
    struct host h;
    struct zygote_id kpid = { "untouched" };
    (void)state;
    boot(&h);
    struct {
        const char *vat, *method, *args;
        int policy;
        enum zygote_kind kind;
        const char *text;
    } cases[] = {
        { "alcie", "echo", NULL, ZYGOTE_IGNORE, ZYGOTE_NOT_FOUND, "did you mean \"alice\"" },
        { NULL, "echo", NULL, ZYGOTE_IGNORE, ZYGOTE_MISUSE, "no vat" },
        { "stranger", "echo", NULL, ZYGOTE_IGNORE, ZYGOTE_NOT_FOUND, "root object of stranger" },
        { "alice", NULL, NULL, ZYGOTE_IGNORE, ZYGOTE_MISUSE, "no method" },
        { "alice", "echo", "[1", ZYGOTE_IGNORE, ZYGOTE_MISUSE, "args: not JSON" },
        { "alice", "echo", "{}", ZYGOTE_IGNORE, ZYGOTE_MISUSE, "not a JSON array" },
        { "alice", "echo", "[{\"@what\":1}]", ZYGOTE_IGNORE, ZYGOTE_MISUSE, "unknown form" },
        { "alice", "echo", "[{\"@ref\":\"ko9999\"}]", ZYGOTE_IGNORE, ZYGOTE_NOT_FOUND, "ko9999" },
        { "alice", "echo", NULL, 5, ZYGOTE_MISUSE, "no such result policy" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_fails(h.z, zygote_queue_to_vat_root(h.z, cases[i].vat, cases[i].method, cases[i].args,
                                                   (enum zygote_result_policy)cases[i].policy, &kpid),
                     cases[i].kind, cases[i].text);
    }
    assert_string_equal(kpid.text, "untouched");
    bool ran = true;
    assert_ok(h.z, zygote_step(h.z, &ran));
    assert_false(ran); /* none of them left anything behind */
    assert_string_equal(ask(h.z, "pinned", "echo", "[2]"), "2"); /* which nobody else holds */
    host_free(&h);
}

TEST(what_vats_and_the_kernel_say)
{
    struct host h;
    struct zygote_id kpid;
    (void)state;
    boot(&h);
    ask(h.z, "alice", "say", "[\"hello\"]");
    assert_string_equal(h.console, text_of("%s warn hello", vat_id(h.z, "alice").text));
    assert_int_equal(h.reentered, ZYGOTE_MISUSE);
    assert_ok(h.z, zygote_queue_to_vat_root(h.z, "alice", "fail", "[\"oops\"]", ZYGOTE_LOG_FAILURE, &kpid));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_non_null(strstr(h.note, "oops"));
    assert_string_equal(resolution(h.z, kpid.text),
                        "{\"@error\":{\"name\":\"TypeError\",\"message\":\"oops\"}}");
    host_free(&h);
}

HOST_TESTS_MAIN(cmocka_unit_test(the_bootstrap_message),
                cmocka_unit_test(values_go_in_and_come_out),
                cmocka_unit_test(objects_and_promises_are_targets),
                cmocka_unit_test(methods_that_symbols_name),
                cmocka_unit_test(messages_that_are_not_sent),
                cmocka_unit_test(what_vats_and_the_kernel_say))
