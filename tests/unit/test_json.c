/* Reading and writing JSON: what the header promises.  test_json_node.c asks Node. */
#include "lib/unit.h"

#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "base/utf.h"
#include "lib/gen.h"

static struct arena a;

static int set_up(void **state __attribute__((unused)))
{
    arena_init(&a);
    return 0;
}

static int tear_down(void **state __attribute__((unused)))
{
    arena_fini(&a);
    return 0;
}

static struct jval must(struct span text)
{
    struct jval v = { 0 };
    struct err e = { 0 };
    if (json_parse(&a, text, &v, &e) < 0)
        fail_msg("%.*s: %s", SPAN_ARG(text), e.text);
    return v;
}

static const char *printed(struct span text)
{
    static struct buf b;
    buf_fini(&b);
    json_put_value(&b, must(text));
    buf_putc(&b, '\0');
    return b.p;
}

TEST(values_have_types)
{
    static const struct {
        const char *text;
        enum json_type type;
    } cases[] = {
        { "null", JSON_NULL },  { "true", JSON_TRUE }, { "false", JSON_FALSE },
        { "-1", JSON_NUMBER },  { "0", JSON_NUMBER },  { "\"\"", JSON_STRING },
        { "[]", JSON_ARRAY },   { "{}", JSON_OBJECT }, { " \t\r\n{ \n} ", JSON_OBJECT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(json_type(must(span_of(cases[i].text))), cases[i].type);
}

TEST(none_is_accepted_everywhere)
{
    struct jval none = { 0 };
    uint64_t n;
    double d;
    struct buf b = { 0 };
    assert_int_equal(json_type(none), JSON_NONE);
    assert_null(json_raw(none).p);
    assert_int_equal(json_len(none), 0);
    assert_int_equal(json_type(json_at(none, 0)), JSON_NONE);
    assert_int_equal(json_type(json_get(none, "a")), JSON_NONE);
    assert_int_equal(json_type(json_first(none)), JSON_NONE);
    assert_int_equal(json_type(json_next(none)), JSON_NONE);
    assert_null(json_key_at(none, 0, &a).p);
    assert_null(json_name(none, &a).p);
    assert_null(json_str(none, &a).p);
    assert_false(json_is(none, ""));
    assert_false(json_u64(none, &n));
    assert_false(json_double(none, &d));
    json_put_value(&b, none);
    assert_int_equal(b.n, 0);
}

TEST(elements_and_members)
{
    struct jval v = must(SPAN(" [1, [2,[3]], {\"a\":[4],\"b\":{\"c\":5}}, \"x\"]"));
    assert_int_equal(json_len(v), 4);
    assert_span_is(json_raw(json_at(v, 1)), "[2,[3]]");
    assert_span_is(json_raw(json_at(json_at(v, 1), 1)), "[3]");
    assert_span_is(json_raw(json_at(v, 3)), "\"x\"");
    assert_int_equal(json_type(json_at(v, 4)), JSON_NONE);

    struct jval o = json_at(v, 2);
    assert_int_equal(json_len(o), 2);
    assert_span_is(json_key_at(o, 1, &a), "b");
    assert_span_is(json_raw(json_at(o, 0)), "[4]");
    assert_span_is(json_raw(json_get(json_get(o, "b"), "c")), "5");
    assert_int_equal(json_type(json_get(o, "c")), JSON_NONE);
    assert_int_equal(json_type(json_get(v, "a")), JSON_NONE);

    /* By walking, the same as by index. */
    size_t i = 0;
    for (struct jval m = json_first(v); m.doc != NULL; m = json_next(m), i++) {
        assert_int_equal(m.at, json_at(v, i).at);
        assert_null(json_name(m, &a).p);
    }
    assert_int_equal(i, 4);
    i = 0;
    for (struct jval m = json_first(o); m.doc != NULL; m = json_next(m), i++)
        assert_span(json_name(m, &a), json_key_at(o, i, &a));
    assert_int_equal(i, 2);
    assert_int_equal(json_type(json_next(v)), JSON_NONE);
}

TEST(members_by_name)
{
    struct jval v = must(SPAN("{\"a\":1,\"\\u0061\":2,\"\":3,\"b\\\"\":4,"
                              "\"\\ud83d\\ude00\":5,\"\\ud800\":6,\"a\\u0000b\":7}"));
    assert_span_is(json_raw(json_get(v, "a")), "2");
    assert_span_is(json_raw(json_get(v, "")), "3");
    assert_span_is(json_raw(json_get(v, "b\"")), "4");
    assert_span_is(json_raw(json_get(v, "\xf0\x9f\x98\x80")), "5");
    assert_span_is(json_raw(json_get(v, "\xed\xa0\x80")), "6");
    assert_int_equal(json_type(json_get(v, "b")), JSON_NONE);
    assert_span(json_key_at(v, 6, &a), SPAN("a\0b"));
}

TEST(strings_decode_to_wtf8)
{
    static const struct {
        const char *text;
        struct span want;
    } cases[] = {
        { "\"\"", { "", 0 } },
        { "\"plain\"", { "plain", 5 } },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", { "\"\\/\b\f\n\r\t", 8 } },
        { "\"\\u0000x\"", { "\0x", 2 } },
        { "\"\\u00e4\\u20AC\"", { "\xc3\xa4\xe2\x82\xac", 5 } },
        { "\"\\ud83d\\ude00\"", { "\xf0\x9f\x98\x80", 4 } },
        { "\"\\ud83d\"", { "\xed\xa0\xbd", 3 } },
        { "\"\\ude00\\ud83d\"", { "\xed\xb8\x80\xed\xa0\xbd", 6 } },
        { "\"\\ud83d\\ud83d\\ude00\"", { "\xed\xa0\xbd\xf0\x9f\x98\x80", 7 } },
        { "\"\\ud83dude00\"", { "\xed\xa0\xbdude00", 8 } },
        { "\"\\ud83d\\n\\ude00\"", { "\xed\xa0\xbd\n\xed\xb8\x80", 7 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct jval v = must(span_of(cases[i].text));
        assert_span(json_str(v, &a), cases[i].want);
        if (memchr(cases[i].want.p, 0, cases[i].want.n) == NULL)
            assert_true(json_is(v, arena_copy(&a, cases[i].want).p));
        assert_false(json_is(v, "other"));
    }
    assert_null(json_str(must(SPAN("1")), &a).p);
    assert_true(json_is(must(SPAN("\"\\u0061b\"")), "ab"));
    assert_false(json_is(must(SPAN("\"\\u0061b\"")), "a"));
    assert_false(json_is(must(SPAN("\"\\u0061b\"")), "abc"));
}

TEST(numbers_read)
{
    uint64_t n;
    double d;
    assert_true(json_u64(must(SPAN("9007199254740991")), &n) && n == 9007199254740991);
    assert_true(json_u64(must(SPAN("0")), &n) && n == 0);
    static const char *const not_u64[] = { "9007199254740992", "-0", "-1",  "1.0", "1e3",
                                           "\"1\"",            "[1]", "true" };
    for (size_t i = 0; i < sizeof not_u64 / sizeof *not_u64; i++)
        assert_false(json_u64(must(span_of(not_u64[i])), &n));
    assert_true(json_double(must(SPAN("-1.5e3")), &d) && d == -1500);
    assert_true(json_double(must(SPAN("1e400")), &d) && isinf(d));
    assert_false(json_double(must(SPAN("\"1\"")), &d));

    struct buf b = { 0 };
    buf_puts(&b, "0.");
    for (int i = 0; i < 100000; i++)
        buf_putc(&b, '1');
    assert_true(json_double(must(buf_span(&b)), &d) && d == 1.0 / 9);
    buf_fini(&b);
}

TEST(bad_texts_are_refused_with_a_place)
{
    static const struct {
        struct span text;
        const char *why;
    } cases[] = {
        { { NULL, 0 }, "line 1 column 1: the text ends where a value should be" },
        { { " ", 1 }, "line 1 column 2: the text ends where a value should be" },
        { { "[1,]", 4 }, "line 1 column 4: a value should be here" },
        { { "[1\n,\n 2 3]", 11 }, "line 3 column 4: ',' or ']' should be here" },
        { { "{1:2}", 5 }, "line 1 column 2: a member's name in quotes should be here" },
        { { "{\"a\":1,}", 8 },
          "line 1 column 8: a member's name in quotes should be here" },
        { { "{\"a\" 1}", 7 }, "line 1 column 6: ':' should be here" },
        { { "{\"a\":1]", 7 }, "line 1 column 7: ',' or '}' should be here" },
        { { "[\"\xc3\xa4\" x]", 8 }, "line 1 column 6: ',' or ']' should be here" },
        { { "\"\\x\"", 4 }, "line 1 column 3: unknown escape in a string" },
        { { "\"\\\0\"", 4 }, "line 1 column 3: unknown escape in a string" },
        { { "\"\\", 2 }, "line 1 column 3: unknown escape in a string" },
        { { "\"\\u12g4\"", 8 }, "line 1 column 6: \\u needs four hexadecimal digits" },
        { { "\"abc", 4 }, "line 1 column 5: the text ends inside a string" },
        { { "\"a\nb\"", 5 }, "line 1 column 3: control character in a string" },
        { { "\"\0\"", 3 }, "line 1 column 2: control character in a string" },
        { { "\"\xed\xa0\x80\"", 5 }, "line 1 column 2: bytes that are not UTF-8" },
        { { "\"\xc0\x80\"", 4 }, "line 1 column 2: bytes that are not UTF-8" },
        { { "01", 2 }, "line 1 column 2: something follows the value" },
        { { "1.", 2 }, "line 1 column 3: a number needs a digit here" },
        { { "-", 1 }, "line 1 column 2: a number needs a digit here" },
        { { "1e+", 3 }, "line 1 column 4: a number needs a digit here" },
        { { "+1", 2 }, "line 1 column 1: a value should be here" },
        { { "nul", 3 }, "line 1 column 1: a value should be here" },
        { { "\xef\xbb\xbf{}", 5 }, "line 1 column 1: a value should be here" },
        { { "1\0", 2 }, "line 1 column 2: something follows the value" },
        { { "]", 1 }, "line 1 column 1: a value should be here" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = { 0 };
        struct jval v = { NULL, 77 };
        assert_int_equal(json_parse(&a, cases[i].text, &v, &e), -1);
        assert_int_equal(e.exit, EXIT_USAGE);
        assert_string_equal(e.text, cases[i].why);
        assert_true(v.doc == NULL && v.at == 77);
    }
}

TEST(depth_is_bounded)
{
    for (unsigned kind = 0; kind < 2; kind++) {
        const char *open = kind == 0 ? "[" : "{\"\":", *close = kind == 0 ? "]" : "}";
        for (int depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
            struct buf b = { 0 }, out = { 0 };
            struct jval v;
            struct err e = { 0 };
            for (int i = 0; i < depth; i++)
                buf_puts(&b, open);
            buf_puts(&b, "0");
            for (int i = 0; i < depth; i++)
                buf_puts(&b, close);
            int rc = json_parse(&a, buf_span(&b), &v, &e);
            assert_int_equal(rc, depth <= JSON_DEPTH_MAX ? 0 : -1);
            if (rc == 0) {
                json_put_value(&out, v);
                assert_span(buf_span(&out), buf_span(&b));
            } else {
                assert_non_null(strstr(e.text, "nested too deeply"));
            }
            buf_fini(&b);
            buf_fini(&out);
        }
    }
    struct buf b = { 0 };
    struct jval v;
    struct err e;
    memset(buf_room(&b, 1 << 20), '[', 1 << 20);
    b.n = 1 << 20;
    assert_int_equal(json_parse(&a, buf_span(&b), &v, &e), -1);
    buf_fini(&b);
}

TEST(values_print_as_javascript_does)
{
    static const char *const cases[][2] = {
        { " [ 1 , \"a\" ,null,true,false ] ", "[1,\"a\",null,true,false]" },
        { "{}", "{}" },
        { "[[],{},[{}]]", "[[],{},[{}]]" },
        { "{\"b\":1,\"a\":2,\"b\":3}", "{\"b\":3,\"a\":2}" },
        { "{\"b\":1,\"2\":2,\"a\":3,\"10\":4,\"1\":5}",
          "{\"1\":5,\"2\":2,\"10\":4,\"b\":1,\"a\":3}" },
        { "{\"4294967295\":1,\"x\":2,\"4294967294\":3,\"01\":4,\"-1\":5,\"0\":6}",
          "{\"0\":6,\"4294967294\":3,\"4294967295\":1,\"x\":2,\"01\":4,\"-1\":5}" },
        { "{\"a\":1,\"__proto__\":{\"x\":1},\"\\u005f_proto__\":2}",
          "{\"a\":1,\"__proto__\":2}" },
        { "[-0,1.0,1e21,1e400,-1e400,0.1,9007199254740993,1e-7]",
          "[0,1,1e+21,null,null,0.1,9007199254740992,1e-7]" },
        { "\"\\ud800\"", "\"\\ud800\"" },
        { "\"\\uD83D\\uDE00\\/\\u001f\\u007f\"", "\"\xf0\x9f\x98\x80/\\u001f\x7f\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(printed(span_of(cases[i][0])), cases[i][1]);
}

TEST(doubles_print_as_javascript_does)
{
    static const struct {
        double d;
        const char *want;
    } cases[] = {
        { 0.0, "0" },
        { -0.0, "0" },
        { 1, "1" },
        { -1, "-1" },
        { 0.1, "0.1" },
        { 123456789012345680000.0, "123456789012345680000" },
        { 1e21, "1e+21" },
        { 1e-6, "0.000001" },
        { 1e-7, "1e-7" },
        { 1.5e-10, "1.5e-10" },
        { 5e-324, "5e-324" },
        { 1.7976931348623157e308, "1.7976931348623157e+308" },
        { 0x1p53, "9007199254740992" },
        { 0x1p-44, "5.684341886080802e-14" },
        { 2.2250738585072014e-308, "2.2250738585072014e-308" },
        { 100.25, "100.25" },
        { INFINITY, "null" },
        { -INFINITY, "null" },
        { NAN, "null" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = { 0 };
        json_put_double(&b, cases[i].d);
        assert_span_is(buf_span(&b), cases[i].want);
        buf_fini(&b);
    }
}

/* Texts put together from these, in every order up to four: what is printed is a valid
 * document that stands for the same string, whether the pieces came joined or not. */
TEST(strings_print_and_read_back)
{
    static const struct span pieces[] = {
        { "a", 1 },        { "\"", 1 },           { "\\", 1 },
        { "\0", 1 },       { "\x1f", 1 },         { "\x7f", 1 },
        { "\xc3\xa4", 2 }, { "\xe2\x80\xa8", 3 }, { "\xf0\x9f\x98\x80", 4 },
        { "\xed\xa0\xbd", 3 /* high */ },         { "\xed\xb8\x80", 3 /* low */ },
    };
    struct gen g = { 0 };
    struct buf s = { 0 }, b = { 0 }, joined = { 0 };
    while (gen_next(&g)) {
        buf_reset(&s);
        buf_reset(&b);
        buf_reset(&joined);
        for (unsigned i = 0, n = gen_pick(&g, 4); i < n; i++)
            buf_put(&s, pieces[gen_pick(&g, sizeof pieces / sizeof *pieces - 1)]);
        for (struct span rest = buf_span(&s); rest.n > 0;) {
            uint32_t cp;
            rest = span_from(rest, utf_decode_joined(rest, &cp));
            joined.n += utf_encode(buf_room(&joined, UTF_MAX), cp);
        }
        json_put_string(&b, buf_span(&s));
        arena_reset(&a);
        assert_span(json_str(must(buf_span(&b)), &a), buf_span(&joined));
        assert_int_equal(utf16_cmp(buf_span(&s), buf_span(&joined)), 0);
    }
    buf_fini(&s);
    buf_fini(&b);
    buf_fini(&joined);
}

TEST(bytes_that_are_no_text_still_print_as_json)
{
    for (unsigned x = 0; x < 0x10000; x++) {
        char bytes[] = { 'a', (char)(x >> 8), (char)x, 'b' };
        struct buf b = { 0 };
        json_put_string(&b, (struct span){ bytes, sizeof bytes });
        arena_reset(&a);
        must(buf_span(&b));
        buf_fini(&b);
    }
}

TEST(surrogates_become_replacements)
{
    struct span plain = SPAN("a\0\xc3\xa4\xed\x9f\xbf\xf0\x9f\x98\x80");
    struct span out = wtf8_to_utf8(&a, plain);
    assert_ptr_equal(out.p, plain.p);
    assert_int_equal(out.n, plain.n);
    assert_null(wtf8_to_utf8(&a, SPAN_NONE).p);
    assert_span(wtf8_to_utf8(&a, SPAN("\xed\xa0\x80")), SPAN("\xef\xbf\xbd"));
    assert_span(wtf8_to_utf8(&a, SPAN("x\xed\xbf\xbfy")), SPAN("x\xef\xbf\xbdy"));
    assert_span(wtf8_to_utf8(&a, SPAN("\xed\xa0\xbd\xed\xb8\x80")),
                SPAN("\xf0\x9f\x98\x80"));
    assert_span(wtf8_to_utf8(&a, SPAN("\xed\xb8\x80\xed\xa0\xbd")),
                SPAN("\xef\xbf\xbd\xef\xbf\xbd"));
}

TEST(surrogates_read_back)
{
    struct span plain = SPAN("\xed\x9f\xbf\xed\x9f\xbf\xed");
    assert_ptr_equal(wtf8_read_back(&a, plain).p, plain.p);
    assert_false(utf_has_surrogate(plain));
    assert_null(wtf8_read_back(&a, SPAN_NONE).p);
    assert_false(utf_has_surrogate(SPAN_NONE));
    assert_true(utf_has_surrogate(SPAN("\xed\x9f\xbf\xed\xb0\x80")));
#define THREE "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
    assert_span(wtf8_read_back(&a, SPAN("\xed\xa0\x80")), SPAN(THREE));
    assert_span(wtf8_read_back(&a, SPAN("\xed\x9f\xbf\xed\xbf\xbfy\xed\xa0\x80")),
                SPAN("\xed\x9f\xbf" THREE "y" THREE));
    assert_span(wtf8_read_back(&a, SPAN("\xed\xa0\x80\xf0\x9f\x98\x80")),
                SPAN(THREE "\xf0\x9f\x98\x80"));
}

TEST(utf16_order)
{
    /* In JavaScript's order: above U+FFFF sorts as its surrogates, below U+E000. */
    static const struct span sorted[] = {
        { NULL, 0 },
        { "\0", 1 },
        { "a", 1 },
        { "a\0", 2 },
        { "ab", 2 },
        { "\x7f", 1 },
        { "\xc2\x80", 2 },
        { "\xed\x9f\xbf", 3 },             /* U+D7FF */
        { "\xed\xa0\x80", 3 },             /* U+D800 alone */
        { "\xf0\x90\x80\x80", 4 },         /* U+10000: D800 DC00 */
        { "\xf0\x90\x80\x80z", 5 },
        { "\xf0\x90\x80\x81", 4 },
        { "\xed\xa0\x80\xed\xbf\xbf", 6 }, /* U+103FF in two */
        { "\xed\xa0\x80\xee\x80\x80", 6 }, /* D800 E000 */
        { "\xf4\x8f\xbf\xbf", 4 },
        { "\xed\xb0\x80", 3 },
        { "\xee\x80\x80", 3 },
        { "\xef\xbf\xbf", 3 },
    };
    int n = sizeof sorted / sizeof *sorted;
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < n; k++) {
            int c = utf16_cmp(sorted[i], sorted[k]);
            if ((c > 0) - (c < 0) != (i > k) - (i < k))
                fail_msg("utf16_cmp of %d and %d is %d", i, k, c);
        }
    }
}

/* Every code point, and every malformed neighbour of the limits of table 3-7. */
TEST(utf_is_strict)
{
    char out[UTF_MAX];
    uint32_t back;
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        size_t n = utf_encode(out, cp);
        if (utf_decode((struct span){ out, n }, &back) != n || back != cp)
            fail_msg("U+%04X", (unsigned)cp);
        if (n > 1 && utf_decode((struct span){ out, n - 1 }, &back) != 0)
            fail_msg("U+%04X cut", (unsigned)cp);
    }
    static const char *const bad[] = {
        "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2\x7f", "\xc2\xc0", "\xe0\x9f\xbf",
        "\xe1\x80\x7f", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(utf_decode(span_of(bad[i]), &back), 0);
    assert_int_equal(utf_decode(SPAN_NONE, &back), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(values_have_types),
        T(none_is_accepted_everywhere),
        T(elements_and_members),
        T(members_by_name),
        T(strings_decode_to_wtf8),
        T(numbers_read),
        T(bad_texts_are_refused_with_a_place),
        T(depth_is_bounded),
        T(values_print_as_javascript_does),
        T(doubles_print_as_javascript_does),
        T(strings_print_and_read_back),
        T(bytes_that_are_no_text_still_print_as_json),
        T(surrogates_become_replacements),
        T(surrogates_read_back),
        T(utf16_order),
        T(utf_is_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
