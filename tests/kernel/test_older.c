/* Kernel state of older schemas, by hand: what becomes of it, and that state which is not as
 * an older kernel wrote it is refused.  (Whole stores of upstream's, upgraded by both:
 * upgrade_store.mjs.  Upstream: controller/upgradeSwingset.js.) */
#include "lib/unit.h"

#include <stdio.h>

#include "base/buf.h"
#include "kernel/upgrade_store.h"
#include "store/kv.h"

struct row {
    const char *key, *value; /* NULL: delete */
};

/* Schema 0: two vats, a of the default interval and one that is never reaped; kp40 is settled
 * and its notify is on its way, kp41 is settled and nobody will be told, kp42 is not. */
static const struct row schema_0[] = {
    { "initialized", "true" },
    { "kernel.defaultReapInterval", "100" },
    { "vat.name.a", "v1" },
    { "vat.dynamicIDs", "[\"v2\",\"v3\"]" },
    { "v1.reapInterval", "100" },
    { "v1.reapCountdown", "70" },
    { "v1.options", "{\"name\":\"a\",\"reapInterval\":100}" },
    { "v2.reapInterval", "never" },
    { "v2.reapCountdown", "never" },
    { "v2.options", "{\"reapInterval\":\"never\",\"reapDirtThreshold\":1,\"z\":[1, 2]}" },
    { "v3.reapInterval", "007" },
    { "v3.reapCountdown", "9" },
    { "v3.options", "{}" },
    { "runQueue", "[1,3]" },
    { "runQueue.1", "{\"type\":\"send\"}" },
    { "runQueue.2", "{\"type\":\"notify\",\"vatID\":\"v1\",\"kpid\":\"kp40\"}" },
    { "acceptanceQueue", "[0,1]" },
    { "acceptanceQueue.0", "{\"type\":\"notify\",\"vatID\":\"v1\",\"kpid\":\"kp40\"}" },
    { "v1.c.kp40", "R p-60" },
    { "v1.c.kp41", "R p-61" },
    { "v2.c.kp41", "R p-60" },
    { "v2.c.kp42", "R p-61" },
    { "kp40.state", "fulfilled" },
    { "kp40.refCount", "3" },
    { "kp41.state", "rejected" },
    { "kp41.refCount", "2" },
    { "kp42.state", "unresolved" },
    { "kp42.refCount", "1" },
};

static void apply(struct store *s, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].value != NULL) kv_set(s, span_of(rows[i].key), span_of(rows[i].value));
        else kv_delete(s, span_of(rows[i].key));
    }
}

static struct store *store_of(const struct row *more, size_t count)
{
    struct store *s = NULL;
    struct err e;
    if (store_open(NULL, STORE_CREATE, &s, &e) != 0) fail_msg("%s", e.text);
    apply(s, schema_0, sizeof schema_0 / sizeof *schema_0);
    apply(s, more, count);
    return s;
}

static void expect(struct store *s, const char *key, const char *want)
{
    struct span got;
    bool there = kv_get(s, span_of(key), &got);
    if (want == NULL ? there : !there || !span_is(got, want)) {
        fail_msg("%s: %.*s, not %s", key, there ? (int)got.n : 7, there ? got.p : "nothing", want != NULL ? want : "nothing");
    }
}

static void upgraded(struct store *s, bool want)
{
    struct err e;
    bool modified = !want;
    if (kernel_upgrade_store(s, &modified, &e) != 0) fail_msg("%s", e.text);
    assert_int_equal(modified, want);
    expect(s, "version", "3");
}

TEST(from_the_first_schema)
{
    struct store *s = store_of(NULL, 0);
    upgraded(s, true);
    expect(s, "initialized", NULL);
    expect(s, "kernel.defaultReapInterval", NULL);
    expect(s, "kernel.defaultReapDirtThreshold", "{\"deliveries\":100,\"gcKrefs\":20,\"computrons\":\"never\"}");
    expect(s, "v1.reapInterval", NULL);
    expect(s, "v1.reapCountdown", NULL);
    expect(s, "v1.reapDirt", "{\"deliveries\":30}");
    expect(s, "v1.options", "{\"name\":\"a\",\"reapDirtThreshold\":{}}");
    expect(s, "v2.reapDirt", "{}");
    expect(s, "v2.options", "{\"reapDirtThreshold\":{\"never\":true},\"z\":[1,2]}");
    expect(s, "v3.reapDirt", "{\"deliveries\":0}");
    expect(s, "v3.options", "{\"reapDirtThreshold\":{\"deliveries\":7}}");
    expect(s, "vats.terminated", "[]");
    expect(s, "upgradeEvents", "[{\"type\":\"notify\",\"vatID\":\"v1\",\"kpid\":\"kp41\"},"
                               "{\"type\":\"notify\",\"vatID\":\"v2\",\"kpid\":\"kp41\"}]");
    expect(s, "kp40.refCount", "3");
    expect(s, "kp41.refCount", "4");
    expect(s, "kp42.refCount", "1");
    upgraded(s, false); /* once is enough */
    store_close(s);
}

TEST(a_default_of_never)
{
    static const struct row rows[] = { { "kernel.defaultReapInterval", "never" } };
    struct store *s = store_of(rows, 1);
    upgraded(s, true);
    expect(s, "kernel.defaultReapDirtThreshold", "{\"deliveries\":\"never\",\"gcKrefs\":\"never\",\"computrons\":\"never\"}");
    expect(s, "v1.options", "{\"name\":\"a\",\"reapDirtThreshold\":{\"deliveries\":100}}");
    store_close(s);
}

/* Schemas 1 and 2 differ by vats.terminated; events that wait already go first, and the dead
 * are told of nothing. */
TEST(from_the_second_and_third_schema)
{
    static const struct row one[] = { { "initialized", NULL }, { "version", "1" } };
    struct store *s = store_of(one, 2);
    upgraded(s, true);
    expect(s, "vats.terminated", "[]");
    expect(s, "v1.reapInterval", "100"); /* as it was: no longer its matter */
    expect(s, "kp41.refCount", "4");
    store_close(s);
    static const struct row two[] = { { "initialized", NULL }, { "version", "2" }, { "vats.terminated", "[\"v9\",1,\"v2\"]" },
                                      { "upgradeEvents", "[{\"type\":\"notify\", \"vatID\":\"v7\",\"kpid\":\"kp7\"}]" } };
    s = store_of(two, 4);
    upgraded(s, true);
    expect(s, "upgradeEvents", "[{\"type\":\"notify\",\"vatID\":\"v7\",\"kpid\":\"kp7\"},"
                               "{\"type\":\"notify\",\"vatID\":\"v1\",\"kpid\":\"kp41\"}]");
    expect(s, "kp41.refCount", "3");
    store_close(s);
    static const struct row none[] = { { "initialized", NULL }, { "version", "2" }, { "vats.terminated", "[]" },
                                       { "kp41.state", "unresolved" } };
    s = store_of(none, 4);
    upgraded(s, true);
    expect(s, "upgradeEvents", NULL);
    store_close(s);
}

TEST(many_lost_promises_of_many_vats)
{
    enum { VATS = 70, PROMISES = 100 };
    struct store *s = store_of(NULL, 0);
    struct buf ids = { 0 }, key = { 0 };
    buf_putc(&ids, '[');
    for (int v = 10; v < 10 + VATS; v++) {
        static const struct row rows[] = { { "reapInterval", "100" }, { "reapCountdown", "100" }, { "options", "{}" }, { "c.kp40", "R p-60" } };
        buf_printf(&ids, "%s\"v%d\"", v > 10 ? "," : "", v);
        for (size_t i = 0; i < 4; i++) {
            buf_reset(&key);
            buf_printf(&key, "v%d.%s", v, rows[i].key);
            kv_set(s, buf_span(&key), span_of(rows[i].value));
        }
    }
    buf_putc(&ids, ']');
    kv_set(s, SPAN("vat.dynamicIDs"), buf_span(&ids));
    upgraded(s, true);
    expect(s, "kp40.refCount", "73");
    expect(s, "kp41.refCount", "3");
    buf_fini(&ids);
    buf_fini(&key);
    store_close(s);
}

/* -- state that no older kernel wrote ------------------------------------------------------- */

static const struct {
    struct row row;
    enum exit_code exit;
    const char *says;
} wounds[] = {
    { { "initialized", NULL }, EXIT_INCOMPATIBLE, "no kernel was initialised" },
    { { "version", "4" }, EXIT_INCOMPATIBLE, "schema version 4" },
    { { "version", "x" }, EXIT_INCOMPATIBLE, "schema version x" },
    { { "kernel.defaultReapInterval", NULL }, EXIT_INTEGRITY, "kernel.defaultReapInterval is missing" },
    { { "kernel.defaultReapInterval", "often" }, EXIT_INTEGRITY, "kernel.defaultReapInterval is not a decimal" },
    { { "kernel.defaultReapInterval", "" }, EXIT_INTEGRITY, "kernel.defaultReapInterval is not a decimal" },
    { { "kernel.defaultReapInterval", "99999999999999999999" }, EXIT_INTEGRITY, "kernel.defaultReapInterval is not a decimal" },
    { { "kernel.defaultReapDirtThreshold", "{}" }, EXIT_INTEGRITY, "kernel.defaultReapDirtThreshold is there already" },
    { { "vat.dynamicIDs", NULL }, EXIT_INTEGRITY, "vat.dynamicIDs is missing" },
    { { "vat.dynamicIDs", "{" }, EXIT_INTEGRITY, "vat.dynamicIDs is not the JSON" },
    { { "vat.dynamicIDs", "{}" }, EXIT_INTEGRITY, "vat.dynamicIDs is not the JSON" },
    { { "vat.dynamicIDs", "[1]" }, EXIT_INTEGRITY, "vat.dynamicIDs is not a list of vats" },
    { { "v1.reapDirt", "{}" }, EXIT_INTEGRITY, "v1.reapDirt is there already" },
    { { "v1.reapInterval", NULL }, EXIT_INTEGRITY, "v1.reapInterval is missing" },
    { { "v1.reapInterval", "x" }, EXIT_INTEGRITY, "v1.reapInterval is not a decimal" },
    { { "v1.reapInterval", "never" }, EXIT_INTEGRITY, "v1.reapCountdown and the interval are not both never" },
    { { "v1.reapCountdown", NULL }, EXIT_INTEGRITY, "v1.reapCountdown is missing" },
    { { "v1.reapCountdown", "-1" }, EXIT_INTEGRITY, "v1.reapCountdown is not a decimal" },
    { { "v1.reapCountdown", "never" }, EXIT_INTEGRITY, "v1.reapCountdown and the interval are not both never" },
    { { "v1.options", NULL }, EXIT_INTEGRITY, "v1.options is missing" },
    { { "v1.options", "[]" }, EXIT_INTEGRITY, "v1.options is not the JSON" },
    { { "vats.terminated", "[]" }, EXIT_INTEGRITY, "vats.terminated is there already" },
    { { "runQueue", NULL }, EXIT_INTEGRITY, "runQueue is missing" },
    { { "runQueue", "[1]" }, EXIT_INTEGRITY, "runQueue has no ends" },
    { { "runQueue", "[null,1]" }, EXIT_INTEGRITY, "runQueue has no ends" },
    { { "runQueue", "[1,9]" }, EXIT_INTEGRITY, "runQueue.3 is missing" },
    { { "runQueue.1", "1" }, EXIT_INTEGRITY, "runQueue.1 is not the JSON" },
    { { "runQueue.1", "{\"type\":\"notify\",\"vatID\":\"v1\"}" }, EXIT_INTEGRITY, "runQueue.1 is a notify to nobody" },
    { { "runQueue.1", "{\"type\":\"notify\",\"kpid\":\"kp40\"}" }, EXIT_INTEGRITY, "runQueue.1 is a notify to nobody" },
    { { "acceptanceQueue", NULL }, EXIT_INTEGRITY, "acceptanceQueue is missing" },
    { { "acceptanceQueue.0", NULL }, EXIT_INTEGRITY, "acceptanceQueue.0 is missing" },
    { { "kp42.state", NULL }, EXIT_INTEGRITY, "kp42 has no state" },
    { { "kp42.state", "" }, EXIT_INTEGRITY, "kp42 has no state" },
    { { "kp41.refCount", NULL }, EXIT_INTEGRITY, "kp41.refCount is missing" },
    { { "kp41.refCount", "1,1" }, EXIT_INTEGRITY, "kp41.refCount is not a decimal" },
    { { "upgradeEvents", "{}" }, EXIT_INTEGRITY, "upgradeEvents is not the JSON" },
};

TEST(state_that_is_not_as_it_should_be_is_refused)
{
    for (size_t i = 0; i < sizeof wounds / sizeof *wounds; i++) {
        struct store *s = store_of(&wounds[i].row, 1);
        struct err e = { 0 };
        bool modified;
        assert_int_equal(kernel_upgrade_store(s, &modified, &e), -1);
        if (e.exit != wounds[i].exit || strstr(e.text, wounds[i].says) == NULL) {
            fail_msg("%s: exit %d, %s", wounds[i].says, (int)e.exit, e.text);
        }
        store_close(s);
    }
    static const struct row two[] = { { "initialized", NULL }, { "version", "2" } };
    struct store *s = store_of(two, 2);
    struct err e = { 0 };
    bool modified;
    assert_int_equal(kernel_upgrade_store(s, &modified, &e), -1);
    assert_non_null(strstr(e.text, "vats.terminated is missing"));
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_the_first_schema),
        cmocka_unit_test(a_default_of_never),
        cmocka_unit_test(from_the_second_and_third_schema),
        cmocka_unit_test(many_lost_promises_of_many_vats),
        cmocka_unit_test(state_that_is_not_as_it_should_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
