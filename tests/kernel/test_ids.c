/* Names: what parses, what does not, how they print and sort.  test_marshal_node.c compares
 * with upstream's parsers. */
#include "lib/unit.h"

#include "kernel/ids.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

TEST(vrefs_that_parse)
{
    static const struct {
        const char *text;
        enum kref_kind kind;
        bool vat_allocated;
    } cases[] = {
        { "o+0", KREF_OBJECT, true },
        { "o-50", KREF_OBJECT, false },
        { "p+5", KREF_PROMISE, true },
        { "p-60", KREF_PROMISE, false },
        { "d+1", KREF_DEVICE, true },
        { "d-70", KREF_DEVICE, false },
        { "o+d11/3", KREF_OBJECT, true },
        { "o+v11/3", KREF_OBJECT, true },
        { "o+d11/3:1", KREF_OBJECT, true },
        { "o+v6", KREF_OBJECT, true },
        { "o+3:1", KREF_OBJECT, true },
        /* upstream looks at the letter before the type */
        { "p+d3", KREF_PROMISE, true },
        { "o-v3", KREF_OBJECT, false },
        { "d-d3", KREF_DEVICE, false },
        { "o+340282366920938463463374607431768211456", KREF_OBJECT, true },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        vref v = { 0 };
        if (!vref_parse(span_of(cases[i].text), &v)) fail_msg("%s refused", cases[i].text);
        assert_int_equal(v.kind, cases[i].kind);
        assert_int_equal(v.vat_allocated, cases[i].vat_allocated);
        assert_true(v.text.p == cases[i].text);
        assert_span_is(v.text, cases[i].text);
    }
}

TEST(vrefs_that_do_not)
{
    static const char *const cases[] = {
        "", "o", "o+", "o-", "+1", "x+1", "O+1", "o=1", "o+1/2", "o-d1/2", "p+d1/2",
        "d+d1/2", "o+d", "o+v", "o+d1/", "o+d/1", "o+/1", "o+d1/2/3", "o+d1/2:",
        "o+d1/2:3:4", "o+:1", "o+1:", "o+d1:2/3", "ko1", "kp1", "v1", "o+1 ", " o+1",
        "o+-1", "o+1.0", "o+1e3", "o+1n", "o+dd1", "o+dv1",
        /* BigInt() takes these */
        "o+ 1", "o+0x1f", "o+01", "o+00", "o++1", "o+d01/2", "o+d1/02", "o+d1/2:03",
        "o+d1/0x2", "o+1:x",
    };
    vref v = { .kind = KREF_DEVICE };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (vref_parse(span_of(cases[i]), &v)) fail_msg("%s accepted", cases[i]);
    }
    assert_false(vref_parse((struct span){ "o+1\0", 4 }, &v));
    assert_false(vref_parse(SPAN_NONE, &v));
    assert_int_equal(v.kind, KREF_DEVICE);
}

TEST(vrefs_are_bounded)
{
    char text[VREF_MAX + 2];
    vref v;
    memset(text, '1', sizeof text);
    memcpy(text, "o+", 2);
    assert_true(vref_parse((struct span){ text, VREF_MAX }, &v));
    assert_false(vref_parse((struct span){ text, VREF_MAX + 1 }, &v));
}

TEST(krefs_print_as_they_parse)
{
    static const char *const good[] = { "ko0", "ko20", "kp40", "kd30",
                                        "ko9223372036854775807" };
    static const char *const bad[] = { "",      "k",    "ko",   "ko-1",
                                       "ko+1",  "ko01", "ko00", "kx1",
                                       "o1",    "ko1 ", "Ko1",  "ko9223372036854775808",
                                       "ko0x1", "lo1",  "kokp1" };
    kref k = { .kind = KREF_DEVICE, .n = 7 };
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (kref_parse(span_of(bad[i]), &k)) fail_msg("%s accepted", bad[i]);
    }
    assert_true(k.kind == KREF_DEVICE && k.n == 7);
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_true(kref_parse(span_of(good[i]), &k));
        assert_string_equal(kref_text(k).s, good[i]);
    }
    assert_string_equal(kref_text((kref){ KREF_OBJECT, UINT64_MAX }).s,
                        "ko18446744073709551615");
}

TEST(vat_and_device_ids)
{
    static const char *const bad[] = { "",   "v",   "v-1", "v01", "v4294967296",
                                       "x1", "v1 ", "1" };
    vat_id v = { 9 };
    device_id d = { 9 };
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(vat_id_parse(span_of(bad[i]), &v));
    assert_false(device_id_parse(SPAN("v1"), &d));
    assert_false(vat_id_parse(SPAN("d1"), &v));
    assert_true(v.n == 9 && d.n == 9);

    assert_true(vat_id_parse(SPAN("v0"), &v) && v.n == 0);
    assert_true(vat_id_parse(SPAN("v4294967295"), &v));
    assert_string_equal(vat_id_text(v).s, "v4294967295");
    assert_true(device_id_parse(SPAN("d7"), &d));
    assert_string_equal(device_id_text(d).s, "d7");
}

TEST(names_sort_by_text)
{
    static const char *const sorted[] = { "kd9", "ko100", "ko20", "ko3",
                                          "kp1", "kp10",  "kp2" };
    for (size_t i = 0; i < COUNT(sorted); i++) {
        for (size_t j = 0; j < COUNT(sorted); j++) {
            kref a, b;
            assert_true(kref_parse(span_of(sorted[i]), &a));
            assert_true(kref_parse(span_of(sorted[j]), &b));
            int c = kref_cmp(a, b);
            assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
            assert_int_equal(kref_eq(a, b), i == j);
        }
    }
    assert_true(vat_id_cmp((vat_id){ 10 }, (vat_id){ 9 }) < 0);
    assert_true(vat_id_cmp((vat_id){ 1 }, (vat_id){ 10 }) < 0);
    assert_true(vat_id_cmp((vat_id){ 7 }, (vat_id){ 7 }) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vrefs_that_parse),   cmocka_unit_test(vrefs_that_do_not),
        cmocka_unit_test(vrefs_are_bounded),  cmocka_unit_test(krefs_print_as_they_parse),
        cmocka_unit_test(vat_and_device_ids), cmocka_unit_test(names_sort_by_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
