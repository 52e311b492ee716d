/* Capdata and marshal: a table of bodies and what becomes of them, and what the kernel
 * makes itself.  test_marshal_node.c compares with upstream on many more. */
#include "lib/unit.h"

#include <math.h>

#include "kernel/marshal.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

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

static struct jval json(const char *text)
{
    struct jval v = { 0 };
    struct err e = { 0 };
    if (json_parse(&a, span_of(text), &v, &e) < 0) fail_msg("%s: %s", text, e.text);
    return v;
}

/* Slots every body below may use. */
static struct vat_capdata capdata(struct span body)
{
    static struct span slots[] = { { "ko20", 4 }, { "kp40", 4 }, { "ko21", 4 } };
    return (struct vat_capdata){ body, COUNT(slots), slots };
}

/* BODY slot slot …, or "! why". */
static struct span round_trip(struct span body)
{
    struct vat_capdata data = capdata(body), again;
    const struct pass *value;
    const char *why = NULL;
    struct buf b = { 0 };
    if (!marshal_decode(&a, &data, &value, &why)) return arena_printf(&a, "! %s", why);
    marshal_encode(&a, value, &again);
    buf_put(&b, again.body);
    for (size_t i = 0; i < again.count; i++) {
        buf_putc(&b, ' ');
        buf_put(&b, again.slots[i]);
    }
    struct span out = arena_copy(&a, buf_span(&b));
    buf_fini(&b);
    return out;
}

struct fate {
    const char *body, *becomes;
};

static void check_fates(const struct fate *fates, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_span_is(round_trip(span_of(fates[i].body)), fates[i].becomes);
    }
}

TEST(smallcaps)
{
    static const struct fate fates[] = {
        { "# { \"b\" : 1.0 , \"a\" : [ null , true , false ] } ",
          "#{\"a\":[null,true,false],\"b\":1}" },
        { "#\"plain\"", "#\"plain\"" },
        { "#\"\"", "#\"\"" },
        { "#\"!-5\"", "#\"!-5\"" },
        { "#\"!plain\"", "#\"plain\"" },
        { "#\"\\ud800\\ude00\\ud800\"", "#\"\xf0\x90\x88\x80\\ud800\"" },
        { "#\"#undefined\"", "#\"#undefined\"" },
        { "#[\"#NaN\",\"#Infinity\",\"#-Infinity\"]",
          "#[\"#NaN\",\"#Infinity\",\"#-Infinity\"]" },
        { "#[-0,1e400,-1e400,9007199254740993]",
          "#[0,\"#Infinity\",\"#-Infinity\",9007199254740992]" },
        { "#[\"+0\",\"-0\",\"+007\",\"-5 \",\"+12345678901234567890\"]",
          "#[\"+0\",\"+0\",\"+7\",\"-5\",\"+12345678901234567890\"]" },
        { "#[\"%foo\",\"%\",\"%@@iterator\",\"%@@@@x\"]",
          "#[\"%foo\",\"%\",\"%@@iterator\",\"%@@@@x\"]" },
        { "#[\"%@@asyncDispose\",\"%@@x\\n\"]",
          "#[\"%nodejs.asyncDispose\",\"%@@@@x\\n\"]" },
        { "#{\"#tag\":\"!#t\",\"payload\":{\"a\":1}}",
          "#{\"#tag\":\"!#t\",\"payload\":{\"a\":1}}" },
        { "#{\"name\":\"TypeError\",\"#error\":\"!#no\",\"errorId\":\"x#1\",\"cause\":1}",
          "#{\"#error\":\"!#no\",\"name\":\"TypeError\"}" },
        { "#{\"#error\":\"m\",\"name\":\"MyError\"}",
          "#{\"#error\":\"m\",\"name\":\"Error\"}" },
        { "#{\"!a\":1,\"a\":2}", "#{\"a\":2}" },
        { "#{\"a\":1,\"a\":2}", "#{\"a\":2}" },
        { "#{\"!#a\":1,\"__proto__\":2}", "#{\"!#a\":1,\"__proto__\":2}" },
    };
    check_fates(fates, COUNT(fates));
}

TEST(slots)
{
    static const struct fate fates[] = {
        { "#\"$0\"", "#\"$0.Alleged: undefined\" ko20" },
        { "#\"$2.Foo\"", "#\"$0.Alleged: Foo\" ko21" },
        { "#\"$0.Alleged: Foo\"", "#\"$0.Alleged: Foo\" ko20" },
        { "#\"$0.Remotable\"", "#\"$0.Alleged: Remotable\" ko20" },
        { "#\"$0.\"", "#\"$0.Alleged: \" ko20" },
        { "#\"&1.Foo\"", "#\"&0\" kp40" },
        { "#[\"$2.A\",\"&1\",\"$2.B\",\"&1\",\"$0\"]",
          "#[\"$0.Alleged: A\",\"&1\",\"$0\",\"&1\",\"$2.Alleged: undefined\"]"
          " ko21 kp40 ko20" },
        /* numbered by sorted name, printed with indices first */
        { "#{\"9\":\"$0.x\",\"10\":\"$2.y\",\"a\":\"&1\"}",
          "#{\"9\":\"$1.Alleged: x\",\"10\":\"$0.Alleged: y\",\"a\":\"&2\"}"
          " ko21 ko20 kp40" },
        /* the interface that is decoded first: that of the index "1", and of the errorId */
        { "#{\"b\":\"$0.B\",\"1\":\"$0.One\"}",
          "#{\"1\":\"$0.Alleged: One\",\"b\":\"$0\"} ko20" },
        { "#[{\"#error\":\"\",\"name\":\"\",\"z\":\"$0.Z\",\"errorId\":\"$0.Id\"},"
          "\"$0.Later\"]",
          "#[{\"#error\":\"\",\"name\":\"Error\"},\"$0.Alleged: Id\"] ko20" },
        { "#\"$ 0x0 .q\"", "#\"$0.Alleged: q\" ko20" },
        { "#\"$.q\"", "#\"$0.Alleged: q\" ko20" },
        { "#\"$2e0\"", "#\"$0.Alleged: undefined\" ko21" },
        { "#\"$3\"", "! slot index out of range" },
        { "#\"$-1\"", "! malformed slot index" },
        { "#\"$1\"", "! a remotable encoded as a promise, or the reverse" },
        { "#\"&0\"", "! a remotable encoded as a promise, or the reverse" },
    };
    check_fates(fates, COUNT(fates));
}

TEST(qclass)
{
    static const struct fate fates[] = {
        { "{\"b\":\"#x\",\"a\":-0.0}", "#{\"a\":0,\"b\":\"!#x\"}" },
        { "[{\"@qclass\":\"undefined\"},{\"@qclass\":\"NaN\"},{\"@qclass\":\"-Infinity\"}]",
          "#[\"#undefined\",\"#NaN\",\"#-Infinity\"]" },
        { "{\"@qclass\":\"bigint\",\"digits\":\"\"}", "#\"+0\"" },
        { "{\"@qclass\":\"bigint\",\"digits\":\" -007\"}", "#\"-7\"" },
        { "{\"@qclass\":\"bigint\",\"digits\":\"0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\"}",
          "#\"+340282366920938463463374607431768211455\"" },
        { "{\"@qclass\":\"bigint\",\"digits\":\"0b0\"}", "#\"+0\"" },
        { "{\"@qclass\":\"@@asyncIterator\"}", "#\"%@@asyncIterator\"" },
        { "{\"@qclass\":\"symbol\",\"name\":\"foo\"}", "#\"%foo\"" },
        { "{\"@qclass\":\"slot\",\"index\":1}", "#\"&0\" kp40" },
        { "{\"@qclass\":\"slot\",\"index\":0,\"iface\":\"Alleged: f\"}",
          "#\"$0.Alleged: f\" ko20" },
        { "{\"@qclass\":\"slot\",\"index\":0,\"iface\":null}",
          "#\"$0.Alleged: null\" ko20" },
        { "{\"@qclass\":\"slot\",\"index\":0,\"iface\":-0}", "#\"$0.Alleged: 0\" ko20" },
        { "{\"@qclass\":\"tagged\",\"tag\":\"#t\"}",
          "#{\"#tag\":\"!#t\",\"payload\":\"#undefined\"}" },
        { "{\"@qclass\":\"error\",\"name\":\"URIError\",\"message\":\"$m\"}",
          "#{\"#error\":\"!$m\",\"name\":\"URIError\"}" },
        { "{\"@qclass\":\"hilbert\",\"original\":1,\"rest\":{\"z\":2,\"1\":3}}",
          "#{\"1\":3,\"@qclass\":1,\"z\":2}" },
        { "{\"@qclass\":\"hilbert\",\"original\":1,\"rest\":{\"@qclass\":\"NaN\"}}",
          "#{\"@qclass\":1}" },
        { "{\"@qclass\":\"hilbert\",\"original\":1,\"rest\":[]}",
          "! value is not passable" },
        { "{\"@qclass\":\"error\",\"name\":\"\",\"message\":\"\",\"x\":"
          "{\"@qclass\":\"hilbert\",\"original\":1,\"rest\":[]}}",
          "#{\"#error\":\"\",\"name\":\"Error\"}" },
        { "{\"@qclass\":\"tagged\",\"tag\":\"\",\"payload\":"
          "{\"@qclass\":\"hilbert\",\"original\":1,\"rest\":[]}}",
          "! payload is not passable" },
        { "{\"@qclass\":\"slot\",\"index\":0,\"iface\":1}", "! invalid interface" },
        { "{\"@qclass\":\"slot\",\"index\":0,\"x\":1}",
          "! unexpected encoded slot properties" },
        { "{\"@qclass\":\"ibid\",\"index\":0}", "! unrecognized @qclass" },
        { "{\"@qclass\":1}", "! unrecognized @qclass" },
    };
    check_fates(fates, COUNT(fates));
}

TEST(refusals)
{
    static const struct fate fates[] = {
        { "", "! body is not JSON" },
        { "#", "! body is not JSON" },
        { "##1", "! body is not JSON" },
        { "#[1,]", "! body is not JSON" },
        { "#\"\\\xed\xa0\x80\"", "! body is not JSON" },
        { "#\"#foo\"", "! unknown constant" },
        { "#\"(x\"", "! special character reserved for future use" },
        { "#\"+\"", "! malformed bigint" },
        { "#\"+0x10\"", "! malformed bigint" },
        { "#\"+1.5\"", "! malformed bigint" },
        { "#\"%@@foo\"", "! reserved for well known symbol" },
        { "#{\"#x\":1}", "! unrecognized record type" },
        { "#{\"%x\":1}", "! a property's name must be a string" },
        { "#{\"#tag\":1,\"payload\":1}", "! a tag must be a string" },
        { "#{\"#tag\":\"%x\",\"payload\":1}", "! a tag must be a string" },
        { "#{\"#tag\":\"x\"}", "! unexpected #tag properties" },
        { "#{\"#tag\":\"x\",\"payload\":1,\"y\":1}", "! unexpected #tag properties" },
        { "#{\"#error\":\"x\"}", "! invalid error name" },
        { "#{\"#error\":1,\"name\":\"x\"}", "! invalid error message" },
        { "#{\"#error\":\"x\",\"name\":\"x\",\"message\":1}",
          "! unexpected message beside #error" },
        { "#{\"#error\":\"x\",\"name\":\"x\",\"errorId\":\"%s\"}", "! invalid errorId" },
        { "#{\"#error\":\"x\",\"name\":\"AggregateError\",\"errors\":1}",
          "! errors of an AggregateError that are not iterable" },
        { "#{\"#error\":\"x\",\"name\":\"x\",\"dropped\":\"#nope\"}",
          "! unknown constant" },
    };
    check_fates(fates, COUNT(fates));
}

TEST(surrogates_in_the_body_itself)
{
    assert_span_is(round_trip(SPAN("#\"\xed\xa0\x80\"")), "#\"\\ud800\"");
    assert_span_is(round_trip(SPAN("#\"\\\\\xed\xa0\x80\"")), "#\"\\\\\\ud800\"");
    assert_span_is(round_trip(SPAN("#\"\xed\xa0\xbd\\ude00\"")), "#\"\xf0\x9f\x98\x80\"");
    assert_span_is(round_trip(SPAN("#{\"\xed\xa0\x80\":1}")), "#{\"\\ud800\":1}");
    assert_span_is(round_trip(SPAN("#1 \xed\xa0\x80")), "! body is not JSON");
}

TEST(names_sort_by_utf16)
{
    /* U+FF61 comes behind the surrogates of U+1F600 there, and in front of it in UTF-8 */
    assert_span_is(round_trip(SPAN("#{\"\xef\xbd\xa1\":1,\"\xf0\x9f\x98\x80\":2,\"~\":3}")),
                   "#{\"~\":3,\"\xf0\x9f\x98\x80\":2,\"\xef\xbd\xa1\":1}");
    assert_span_is(
        round_trip(SPAN("#{\"4294967295\":1,\"4294967294\":2,\"01\":3,\"2\":4}")),
        "#{\"2\":4,\"4294967294\":2,\"01\":3,\"4294967295\":1}");
}

TEST(depth_is_bounded)
{
    struct buf b = { 0 };
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        buf_reset(&b);
        buf_putc(&b, '#');
        for (size_t i = 0; i < depth; i++)
            buf_putc(&b, '[');
        for (size_t i = 0; i < depth; i++)
            buf_putc(&b, ']');
        struct span got = round_trip(buf_span(&b));
        if (depth == JSON_DEPTH_MAX)
            assert_span(got, buf_span(&b));
        else
            assert_span_is(got, "! body is not JSON");
    }
    buf_fini(&b);
}

TEST(many_slots_keep_their_numbers)
{
    enum { MANY = 5000 };
    struct buf b = { 0 };
    struct vat_capdata data, again;
    const struct pass *value;
    const char *why;
    data.count = MANY;
    data.slots = ARENA_ARRAY(&a, struct span, MANY);
    buf_puts(&b, "#[");
    for (size_t i = 0; i < MANY; i++) {
        data.slots[MANY - 1 - i] = arena_printf(&a, "ko%zu", i);
        buf_printf(&b, "%s\"$%zu\",\"$%zu\"", i == 0 ? "" : ",", MANY - 1 - i,
                   MANY - 1 - i / 2);
    }
    buf_putc(&b, ']');
    data.body = arena_copy(&a, buf_span(&b));
    buf_reset(&b);
    buf_puts(&b, "#[");
    for (size_t i = 0; i < MANY; i++) {
        buf_printf(&b, "%s\"$%zu.Alleged: undefined\",\"$%zu\"", i == 0 ? "" : ",", i,
                   i / 2);
    }
    buf_putc(&b, ']');
    assert_true(marshal_decode(&a, &data, &value, &why));
    marshal_encode(&a, value, &again);
    assert_span(again.body, buf_span(&b));
    assert_int_equal(again.count, MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_span(again.slots[i], arena_printf(&a, "ko%zu", i));
    }
    buf_fini(&b);
}

static void assert_encodes(const struct pass *value, const char *want)
{
    struct capdata data;
    struct buf b = { 0 };
    marshal_encode_k(&a, value, &data);
    capdata_put(&b, &data);
    assert_span_is(buf_span(&b), want);
    buf_fini(&b);
}

TEST(values_the_kernel_makes)
{
    const struct pass *root = pass_slot(&a, SPAN("ko25"), SPAN_NONE);
    const struct pass *same = pass_slot(&a, SPAN("ko25"), SPAN("Alleged: vat"));
    const struct pass *kp = pass_slot(&a, SPAN("kp3"), SPAN_NONE);
    assert_int_equal(kp->style, PASS_PROMISE);

    const struct pass *inner =
        pass_record(&a, 1, (const struct span[]){ SPAN("rootObject") },
                    (const struct pass *[]){ root });
    const struct pass *args =
        pass_array(&a, 2, (const struct pass *[]){ pass_string(&a, SPAN("v4")), inner });
    assert_encodes(pass_array(&a, 2,
                              (const struct pass *[]){
                                  pass_string(&a, SPAN("newVatCallback")), args }),
                   "{\"body\":\"#[\\\"newVatCallback\\\",[\\\"v4\\\",{\\\"rootObject\\\":"
                   "\\\"$0.Alleged: undefined\\\"}]]\",\"slots\":[\"ko25\"]}");

    /* one node is one slot, two of a text are two: as kslot() called twice */
    assert_encodes(pass_array(&a, 4, (const struct pass *[]){ root, same, root, kp }),
                   "{\"body\":\"#[\\\"$0.Alleged: undefined\\\",\\\"$1.Alleged: vat\\\","
                   "\\\"$0\\\",\\\"&2\\\"]\",\"slots\":[\"ko25\",\"ko25\",\"kp3\"]}");

    assert_encodes(pass_undefined(&a), "{\"body\":\"#\\\"#undefined\\\"\",\"slots\":[]}");
    assert_encodes(
        pass_error(&a, SPAN("TypeError"), SPAN("-x")),
        "{\"body\":\"#{\\\"#error\\\":\\\"!-x\\\",\\\"name\\\":\\\"TypeError\\\"}\","
        "\"slots\":[]}");
    assert_encodes(pass_array(&a, 3,
                              (const struct pass *[]){ pass_null(&a), pass_bool(&a, true),
                                                       pass_number(&a, -0.0) }),
                   "{\"body\":\"#[null,true,0]\",\"slots\":[]}");
    assert_encodes(pass_array(&a, 0, NULL), "{\"body\":\"#[]\",\"slots\":[]}");
    assert_encodes(pass_record(&a, 0, NULL, NULL), "{\"body\":\"#{}\",\"slots\":[]}");
}

TEST(errors_the_kernel_makes)
{
    struct capdata data;
    marshal_error(&a, SPAN("vat terminated"), &data);
    assert_span_is(data.body, "#{\"#error\":\"vat terminated\",\"name\":\"Error\"}");
    assert_int_equal(data.count, 0);
}

TEST(values_from_json)
{
    const struct pass *p =
        pass_from_json(&a, json("{\"b\":[1.0,null,\"#x\"],\"1\":true,\"b\":{\"c\":-0}}"));
    assert_int_equal(p->style, PASS_RECORD);
    assert_int_equal(p->count, 2);
    assert_span_is(p->keys[0], "1");
    assert_int_equal(pass_get(p, "b")->style, PASS_RECORD);
    assert_null(pass_get(p, "z"));
    assert_null(pass_get(pass_null(&a), "z"));
    assert_encodes(p,
                   "{\"body\":\"#{\\\"1\\\":true,\\\"b\\\":{\\\"c\\\":0}}\",\"slots\":[]}");
    assert_int_equal(pass_from_json(&a, (struct jval){ 0 })->style, PASS_UNDEFINED);
}

TEST(numbers_keep_their_sign)
{
    struct vat_capdata data = capdata(SPAN("#-0"));
    const struct pass *value;
    const char *why;
    assert_true(marshal_decode(&a, &data, &value, &why));
    assert_true(value->style == PASS_NUMBER && value->number == 0
                && signbit(value->number));
}

TEST(single_slots)
{
    kref slots[] = { { KREF_OBJECT, 20 }, { KREF_PROMISE, 40 } };
    static const struct {
        const char *body, *slot;
    } cases[] = {
        { "#\"$0.Alleged: x\"", "ko20" },
        { "#\"&1\"", "kp40" },
        { "{\"@qclass\":\"slot\",\"index\":0}", "ko20" },
        { "#[\"$0\"]", NULL },
        { "#\"!$0\"", NULL },
        { "#\"#undefined\"", NULL },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct capdata data = { span_of(cases[i].body), COUNT(slots), slots };
        kref k = { .kind = KREF_DEVICE };
        assert_true(marshal_single_slot(&a, &data, &k));
        if (cases[i].slot == NULL)
            assert_int_equal(k.kind, KREF_INVALID);
        else
            assert_string_equal(kref_text(k).s, cases[i].slot);
    }
    struct capdata bad = { SPAN("#\"$7\""), COUNT(slots), slots };
    kref k;
    assert_false(marshal_single_slot(&a, &bad, &k));
}

TEST(methods)
{
    static const struct {
        const char *body, *method;
    } cases[] = {
        { "#[\"foo\",[]]", "foo" },
        { "#[\"!-foo\",[]]", "-foo" },
        { "#[\"%@@iterator\",[]]", "[@@iterator]" },
        { "#[\"#undefined\",[]]", "<funcall>" },
        { "#[\"$0\",[]]", "<unintelligible method>" },
        { "#[{},[]]", "<unintelligible method>" },
        { "#[]", "<funcall>" },
        { "#5", "<funcall>" },
        { "#null", "<unknown>" },
        { "#[", "<unknown>" },
        { "#\"abc\"", "a" },
        { "#{\"0\":\"x\"}", "x" },
        { "[\"$foo\",[]]", "$foo" },
        { "[{\"@qclass\":\"undefined\"},[]]", "<funcall>" },
        { "[{\"@qclass\":\"symbol\",\"name\":\"s\"},[]]", "[s]" },
        { "[{\"@qclass\":\"symbol\",\"name\":[1,null,[{}]]},[]]", "[1,,[object Object]]" },
        { "[{\"@qclass\":\"@@asyncIterator\"},[]]", "[Symbol.asyncIterator]" },
        { "[{},[]]", "<invalid method type>" },
        { "[null,[]]", "<unintelligible method>" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_span_is(marshal_method(&a, span_of(cases[i].body)), cases[i].method);
    }
}

TEST(capdata_decodes)
{
    struct capdata data;
    struct vat_capdata text;
    struct buf b = { 0 };
    const char *good =
        "{\"slots\":[\"ko1\",\"kp2\"],\"x\":1,\"body\":\"#\\\"\\ud800\\u0007\\\"\"}";
    assert_true(capdata_decode(&a, json(good), &data));
    capdata_put(&b, &data);
    assert_span_is(buf_span(&b),
                   "{\"body\":\"#\\\"\\ud800\\u0007\\\"\",\"slots\":[\"ko1\",\"kp2\"]}");
    buf_reset(&b);
    assert_true(vat_capdata_decode(&a, json(good), &text));
    vat_capdata_put(&b, &text);
    assert_span_is(buf_span(&b),
                   "{\"body\":\"#\\\"\\ud800\\u0007\\\"\",\"slots\":[\"ko1\",\"kp2\"]}");
    buf_fini(&b);

    static const char *const bad[] = {
        "null", "[]", "{}", "{\"body\":\"\"}", "{\"slots\":[]}",
        "{\"body\":1,\"slots\":[]}", "{\"body\":\"\",\"slots\":{}}",
        "{\"body\":\"\",\"slots\":[1]}",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(capdata_decode(&a, json(bad[i]), &data));
        assert_false(vat_capdata_decode(&a, json(bad[i]), &text));
    }
    assert_false(capdata_decode(&a, json("{\"body\":\"\",\"slots\":[\"o+1\"]}"), &data));
    assert_true(vat_capdata_decode(&a, json("{\"body\":\"\",\"slots\":[\"o+1\"]}"), &text));
}

TEST(what_is_decoded_outlives_its_text)
{
    char text[] = "{\"body\":\"#\\\"$0.x\\\"\",\"slots\":[\"o+1\"]}",
         plain[] = "#[\"abc\"]";
    struct jval v = json(text);
    struct vat_capdata data, again;
    const struct pass *value, *parsed;
    const char *why;
    assert_true(vat_capdata_decode(&a, v, &data));
    parsed = pass_from_json(&a, v);
    memset(text, '?', sizeof text - 1);
    assert_span_is(data.slots[0], "o+1");
    assert_span_is(pass_get(parsed, "body")->text, "#\"$0.x\"");

    data.body = span_of(plain);
    assert_true(marshal_decode(&a, &data, &value, &why));
    memset(plain, '?', sizeof plain - 1);
    marshal_encode(&a, value, &again);
    assert_span_is(again.body, "#[\"abc\"]");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(smallcaps),
        CASE(slots),
        CASE(qclass),
        CASE(refusals),
        CASE(surrogates_in_the_body_itself),
        CASE(names_sort_by_utf16),
        CASE(depth_is_bounded),
        CASE(many_slots_keep_their_numbers),
        CASE(values_the_kernel_makes),
        CASE(errors_the_kernel_makes),
        CASE(values_from_json),
        CASE(numbers_keep_their_sign),
        CASE(single_slots),
        CASE(methods),
        CASE(capdata_decodes),
        CASE(what_is_decoded_outlives_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
