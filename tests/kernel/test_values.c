/* What JavaScript does with a value (kernel/devices/jsvalue.h): true or not, as text, as JSON;
 * and which bundle is which device (kernel/device_kind.h).  The table is what @endo/marshal and
 * Node make of the same bodies. */
#include "lib/unit.h"

#include <stdio.h>

#include "kernel/device_kind.h"
#include "kernel/devices/jsvalue.h"

#define THROWS    "throws"
#define UNDEFINED "none"

static const struct {
    const char *body;
    bool truthy;
    const char *text; /* NULL: it throws */
    const char *json;
} rows[] = {
    { "#\"#undefined\"", false, "undefined", UNDEFINED },
    { "#null", false, "null", "null" },
    { "#true", true, "true", "true" },
    { "#false", false, "false", "false" },
    { "#0", false, "0", "0" },
    { "#1.5", true, "1.5", "1.5" },
    { "#-2", true, "-2", "-2" },
    { "#\"#NaN\"", false, "NaN", "null" },
    { "#\"#Infinity\"", true, "Infinity", "null" },
    { "#\"#-Infinity\"", true, "-Infinity", "null" },
    { "#\"+0\"", false, "0", THROWS },
    { "#\"+12345678901234567890\"", true, "12345678901234567890", THROWS },
    { "#\"-7\"", true, "-7", THROWS },
    { "#\"\"", false, "", "\"\"" },
    { "#\"a\\\"b\"", true, "a\"b", "\"a\\\"b\"" },
    { "#\"%async\"", true, NULL, UNDEFINED },
    { "#[]", true, "", "[]" },
    { "#[1,\"#undefined\",null,[2,3]]", true, "1,,,2,3", "[1,null,null,[2,3]]" },
    { "#[\"#undefined\",\"%async\"]", true, NULL, "[null,null]" },
    { "#[\"+5\"]", true, "5", THROWS },
    { "#{}", true, "[object Object]", "{}" },
    { "#{\"b\":1,\"a\":\"#undefined\",\"c\":\"%async\",\"d\":[{}]}", true, "[object Object]", "{\"b\":1,\"d\":[{}]}" },
    { "#{\"n\":\"+5\"}", true, "[object Object]", THROWS },
    { "#{\"toString\":1}", true, NULL, "{\"toString\":1}" },
    { "#{\"#error\":\"m\",\"name\":\"TypeError\"}", true, "TypeError: m", "{}" },
    { "#{\"#error\":\"\",\"name\":\"Error\"}", true, "Error", "{}" },
    { "#{\"#tag\":\"t\",\"payload\":[1]}", true, "[object t]", "{\"payload\":[1]}" },
    { "#{\"#tag\":\"t\",\"payload\":\"#undefined\"}", true, "[object t]", "{}" },
    { "#{\"#tag\":\"t\",\"payload\":\"+5\"}", true, "[object t]", THROWS },
    { "#\"$0.Alleged: thing\"", true, "[object Alleged: thing]", "{}" },
    { "#[\"$0.Alleged: thing\"]", true, "[object Alleged: thing]", "[{}]" },
};

static struct arena a;

static int set_up(void **state)
{
    (void)state;
    arena_init(&a);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&a);
    return 0;
}

static const struct pass *decode(const char *body)
{
    static struct span slots[] = { { "o-1", 3 }, { "p-1", 3 } };
    const struct vat_capdata data = { .body = span_of(body), .count = 2, .slots = slots };
    const struct pass *v;
    const char *why;
    if (!marshal_decode(&a, &data, &v, &why)) fail_msg("%s: %s", body, why);
    return v;
}

TEST(as_javascript_has_them)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct pass *v = decode(rows[i].body), *copy = jsvalue_copy(&a, v);
        struct span text = SPAN_NONE;
        struct buf b = { 0 };
        if (jsvalue_truthy(v) != rows[i].truthy) fail_msg("%s is %s", rows[i].body, rows[i].truthy ? "true" : "false");
        bool ok = jsvalue_text(&a, v, &text);
        if (ok != (rows[i].text != NULL) || (ok && !span_is(text, rows[i].text))) {
            fail_msg("%s: text %.*s, not %s", rows[i].body, SPAN_ARG(text), rows[i].text != NULL ? rows[i].text : "thrown");
        }
        for (int copied = 0; copied < 2; copied++) {
            buf_reset(&b);
            enum jsvalue_json how = jsvalue_to_json(&b, copied ? copy : v, false);
            const char *want = how == JSVALUE_JSON_THROWS ? THROWS : how == JSVALUE_JSON_UNDEFINED ? UNDEFINED : NULL;
            bool same = want != NULL ? strcmp(rows[i].json, want) == 0 : span_is(buf_span(&b), rows[i].json);
            if (!same) fail_msg("%s: JSON %d %.*s, not %s", rows[i].body, (int)how, SPAN_ARG(buf_span(&b)), rows[i].json);
        }
        buf_fini(&b);
    }
}

TEST(bigints_may_be_written_as_strings)
{
    struct buf b = { 0 };
    assert_int_equal(jsvalue_to_json(&b, decode("#{\"a\":\"+5\",\"l\":[\"-7\"]}"), true), JSVALUE_JSON);
    assert_span_is(buf_span(&b), "{\"a\":\"5\",\"l\":[\"-7\"]}");
    buf_fini(&b);
}

/* Of primitives the value is compared, of others the identity. */
TEST(strict_equality)
{
    static const char *const primitives[] = { "#\"#undefined\"", "#null", "#true", "#false", "#1", "#\"#NaN\"", "#\"+1\"", "#\"1\"", "#\"%async\"" };
    static const char *const others[] = { "#[]", "#{}", "#{\"#tag\":\"t\",\"payload\":1}", "#{\"#error\":\"\",\"name\":\"Error\"}" };
    for (size_t i = 0; i < sizeof primitives / sizeof *primitives; i++) {
        for (size_t j = 0; j < sizeof primitives / sizeof *primitives; j++) {
            bool nan = strstr(primitives[i], "NaN") != NULL;
            assert_int_equal(jsvalue_same(decode(primitives[i]), decode(primitives[j])), i == j && !nan);
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const struct pass *v = decode(others[i]);
        assert_true(jsvalue_same(v, v));
        assert_false(jsvalue_same(v, decode(others[i])));
    }
}

TEST(natural_numbers)
{
    static const struct {
        const char *body;
        bool nat, u64;
    } cases[] = {
        { "#0", true, true }, { "#9007199254740991", true, true }, { "#9007199254740992", false, false }, { "#-1", false, false },
        { "#1.5", false, false }, { "#\"#NaN\"", false, false }, { "#\"+0\"", true, true }, { "#\"-1\"", false, false },
        { "#\"+18446744073709551615\"", true, true }, { "#\"+18446744073709551616\"", true, false },
        { "#\"+1329227995784915872903807060280344575\"", true, false }, /* 2^120 - 1 */
        { "#\"+1329227995784915872903807060280344576\"", false, false }, { "#\"5\"", false, false }, { "#null", false, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        natural n;
        uint64_t u;
        const struct pass *v = decode(cases[i].body);
        if (jsvalue_nat(v, &n) != cases[i].nat || jsvalue_u64(v, &u) != cases[i].u64) fail_msg("%s", cases[i].body);
        if (cases[i].nat && v->style == PASS_BIGINT) assert_span(jsvalue_bigint(&a, n)->text, v->text);
    }
}

TEST(which_device_a_bundle_is)
{
    static const struct {
        const char *package, *version, *module, *kind, *why;
    } cases[] = {
        { "@agoric/swingset-vat", "0.33.0", "./src/devices/timer/device-timer.js", "timer", "" },
        { "@agoric/swingset-vat", "0.33.0", "./src/devices/vat-admin/device-vat-admin.js", "vatAdmin", "" },
        { "@agoric/swingset-vat", "0.33.0", "./src/devices/loopbox/device-loopbox.js", "loopbox", "" },
        { "@agoric/swingset-vat", "0.32.0", "./src/devices/timer/device-timer.js", NULL, "another version" },
        { "@agoric/vats", "0.33.0", "./src/devices/timer/device-timer.js", NULL, "is not a device of" },
        { "@agoric/swingset-vat", "0.33.0", "./src/devices/plugin/device-plugin.js", NULL, "the plugin device" },
        { "@agoric/swingset-vat", "0.33.0", "./src/index.js", NULL, "is not a device of" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct bundle_entry entry = { span_of(cases[i].package), span_of(cases[i].version), span_of(cases[i].module) };
        const char *why, *kind = device_kind(&entry, &why);
        if (cases[i].kind != NULL) assert_string_equal(kind, cases[i].kind);
        else if (kind != NULL || strstr(why, cases[i].why) == NULL) fail_msg("%s: %s", cases[i].module, why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(as_javascript_has_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bigints_may_be_written_as_strings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strict_equality, set_up, tear_down),
        cmocka_unit_test_setup_teardown(natural_numbers, set_up, tear_down),
        cmocka_unit_test(which_device_a_bundle_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
