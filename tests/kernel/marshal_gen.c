/* marshal_gen.c -- see marshal_gen.h. */
#include "kernel/marshal_gen.h"

#include "base/utf.h"

static bool one_in(struct marshal_gen *g, unsigned n)
{
    return rng_chance(&g->r, 1, n);
}

static bool hostile(struct marshal_gen *g)
{
    return rng_chance(&g->r, g->hostile, 1000);
}

static bool is_promise(const char *slot)
{
    return strchr("p", slot[0]) != NULL || strncmp(slot, "kp", 2) == 0
           || strncmp(slot, "lp", 2) == 0 || strncmp(slot, "rp", 2) == 0;
}

void gen_slots(struct marshal_gen *g, bool krefs)
{
    static const char *const names[] = { "ko20", "kp40", "kd30", "ko1", "kp7", "ko100" };
    static const char *const others[] = { "o+5", "o-7", "p-3", "p+9", "d-2",     "rp1",
                                          "lp2", "ro3", "x",   "",    "o+d1/2:0" };
    g->count = (size_t)rng_below(&g->r, GEN_SLOTS_MAX + 1);
    for (size_t i = 0; i < g->count; i++) {
        bool other = !krefs && one_in(g, 3);
        g->slots[i] = other ? RNG_PICK(&g->r, others) : RNG_PICK(&g->r, names);
    }
}

/* -- texts ------------------------------------------------------------------------- */

/* Insides of JSON strings.  A surrogate may also stand there as itself. */
static void put_piece(struct marshal_gen *g, struct buf *b)
{
    static const char *const pieces[] = {
        "a", "b", "z", "0", "1", "9", " ", ".", "!", "#", "$", "%", "&", "+", "-", "*",
        "@@", "\\\"", "\\\\", "\\/", "\\n", "\\u0000", "\\u001f", "\\u2028", "\\u00e4",
        "\xc3\xa4", "\\uff61", "\xef\xbd\xa1", "\\ud83d\\ude00", "\xf0\x9f\x98\x80",
        "\\ud800", "\\udfff", "\\ud83d", "\\ude00", "\xed\xa0\xbd", "\xed\xb8\x80",
        "\\u007f", "Alleged: ",
    };
    buf_puts(b, RNG_PICK(&g->r, pieces));
}

static void put_plain(struct marshal_gen *g, struct buf *b)
{
    static const char *const first[] = {
        "a", "b", "foo", "Z",       "\\u00e4",      "\\n",
        ".", "/", "0",   "\\ud800", "\xef\xbd\xa1", "\xf0\x9f\x98\x80"
    };
    buf_puts(b, RNG_PICK(&g->r, first));
    while (one_in(g, 2))
        put_piece(g, b);
}

/* What follows "$" or "&": an index, maybe an interface. */
static void put_slot_text(struct marshal_gen *g, struct buf *b, size_t index)
{
    static const char *const ifaces[] = {
        "", ".", ".Foo", ".Alleged: Foo", ".Alleged: Alleged: x", ".Remotable",
        ".undefined", ".a.b", ".Alleged: ", ".\\ud800", ".\\\"q", ".\xc3\xa4",
        ".DebugName: y",
    };
    switch (rng_below(&g->r, 30)) {
    case 0: buf_printf(b, "0x%zx", index); break;
    case 1: buf_printf(b, " %zu\\t", index); break;
    case 2: buf_printf(b, "+%zu", index); break;
    case 3: buf_printf(b, "00%zue0", index); break;
    case 4: buf_printf(b, "%zu00000E-5", index); break;
    case 5: buf_printf(b, "0o%zo\\u3000", index); break;
    case 6: buf_puts(b, index == 0 ? "" : index == 1 ? "0b1" : "2"); break;
    case 7: buf_puts(b, index == 0 ? "-0" : "0B10"); break;
    default: buf_printf(b, "%zu", index); break;
    }
    buf_puts(b, RNG_PICK(&g->r, ifaces));
}

static void put_slot_string(struct marshal_gen *g, struct buf *b)
{
    size_t index = (size_t)rng_below(&g->r, g->count);
    buf_puts(b, is_promise(g->slots[index]) ? "\"&" : "\"$");
    put_slot_text(g, b, index);
    buf_putc(b, '"');
}

static void put_digits(struct marshal_gen *g, struct buf *b)
{
    do
        buf_putc(b, (char)('0' + (one_in(g, 3) ? 0 : rng_below(&g->r, 10))));
    while (!one_in(g, 8));
}

static void put_hostile_string(struct marshal_gen *g, struct buf *b)
{
    static const char *const bad[] = {
        "#", "#foo", "#nan", "#undefined ", "#tag", "#error", "+", "-", "+ 5", "+0x10",
        "-0x1", "+1e3", "+1.0", "--5", "+-5", "-+5", "5n", "$", "&", "$9", "&9", "$-1",
        "$1.5e1", "$x", "$0x", "$0xg", "$0b2", "$0o8", "$e1", "$1e", "$1e+", "$Infinity",
        "$1_0", "$-0x0", "$9007199254740992", "$9007199254740993", "$1e400", "$0.5", "$0e",
        "&-1", "$1e-1", "$0xfffffffffffffffffffff", "%@@bogus", "%@@", "%@@Symbol",
        "%@@prototype", "\\\"x", "'x", "(x", ")", "*", ",", "$0", "&0", "$1", "&1", "$ 0",
        "&.x", "$+", "$0 0", "$\\ufeff0\\u2029",
        "$00000000000000000000000000000000000000000000000000000000000001",
        "$1000000000000000000000000000000000000001e-39", "+5\\u200b", "+\\u00a05",
    };
    buf_putc(b, '"');
    buf_puts(b, RNG_PICK(&g->r, bad));
    buf_putc(b, '"');
}

/* -- smallcaps --------------------------------------------------------------------- */

static void put_string(struct marshal_gen *g, struct buf *b)
{
    static const char *const good[] = {
        "", "!", "!!", "!x", "!#undefined", "!-1", "!\\\"", "! ", "#undefined", "#NaN",
        "#Infinity", "#-Infinity", "%", "%foo", "%@@iterator", "%@@asyncIterator",
        "%@@dispose", "%@@asyncDispose", "%@@unscopables", "%@@@@x", "%@@@@", "%@@bogus\\n",
        "%@@iterator\\u2028", "%@@@@x\\r", "%nodejs.dispose", "%\\ud800", "+0", "-0", "+00",
        "-007", "+5 ", "+5\\ufeff\\n", "-12345678901234567890123", "%@@toStringTag",
        "%@@matchAll", "%!", "Error", "TypeError",
    };
    if (hostile(g)) {
        put_hostile_string(g, b);
        return;
    }
    switch (rng_below(&g->r, 8)) {
    case 0:
    case 1:
    case 2: buf_printf(b, "\"%s\"", RNG_PICK(&g->r, good)); break;
    case 3:
        buf_puts(b, one_in(g, 2) ? "\"+" : "\"-");
        put_digits(g, b);
        buf_putc(b, '"');
        break;
    case 4:
        buf_puts(b, "\"!");
        while (one_in(g, 2))
            put_piece(g, b);
        buf_putc(b, '"');
        break;
    default:
        buf_putc(b, '"');
        put_plain(g, b);
        buf_putc(b, '"');
        break;
    }
}

static void put_number(struct marshal_gen *g, struct buf *b)
{
    static const char *const numbers[] = {
        "0", "-0", "-0.0", "1", "-1", "1.0", "1e400", "-1e400", "1e-400", "1e21", "1e20",
        "0.1", "9007199254740993", "18446744073709551616", "5e-324", "1E5",
        "123456789012345680000", "1.7976931348623157e308", "1e-7", "0.000001",
    };
    buf_puts(b, RNG_PICK(&g->r, numbers));
}

/* A member's name, without quotes; the same ones often. */
static const char *pick_name(struct marshal_gen *g)
{
    static const char *const names[] = {
        "a", "b", "c", "10", "9", "1", "0", "01", "4294967294", "4294967295", "100", "-0x",
        "__proto__", "toString", "valueOf", "then", "length", "constructor", "name",
        "message", "payload", "A", "", " ", "\\u0061", "\\uff61", "\\ud800\\udc00",
        "\\ud800", "\xc3\xa4", "~", ".", "/", "iface", "index", "toJSON", "\\udc00",
        "\xf0\x9f\x98\x80", "@qclass",
    };
    static const char *const escaped[] = { "!a",       "!1",  "!!",   "!#tag",
                                           "!-1",      "!$0", "!",    "!\\ud800",
                                           "!@qclass", "!10", "!\\\"" };
    static const char *const bad[] = { "#x", "%x", "+1",    "-1",   "$0",     "&0",
                                       "#",  "*",  "\\\"x", "#tag", "#error", "(a" };
    if (hostile(g)) return RNG_PICK(&g->r, bad);
    return one_in(g, 6) ? RNG_PICK(&g->r, escaped) : RNG_PICK(&g->r, names);
}

typedef void put_fn(struct marshal_gen *g, struct buf *b, int depth);

static put_fn put_smallcaps, put_qclass;

static void put_array(struct marshal_gen *g, struct buf *b, int depth, put_fn *recur)
{
    buf_putc(b, '[');
    for (uint64_t n = rng_below(&g->r, 5), i = 0; i < n; i++) {
        if (i > 0) buf_putc(b, ',');
        recur(g, b, depth - 1);
    }
    buf_putc(b, ']');
}

static void put_members(struct marshal_gen *g, struct buf *b, int depth, put_fn *recur)
{
    uint64_t n = rng_below(&g->r, one_in(g, 20) ? 40 : 6);
    buf_putc(b, '{');
    for (uint64_t i = 0; i < n; i++) {
        if (i > 0) buf_putc(b, ',');
        const char *name = pick_name(g);
        buf_printf(b, "\"%s\":", recur == put_qclass && name[0] == '@' ? "q" : name);
        recur(g, b, depth - 1);
    }
    buf_putc(b, '}');
}

static void put_error_name(struct marshal_gen *g, struct buf *b)
{
    static const char *const names[] = {
        "Error",     "EvalError", "RangeError",     "ReferenceError",  "SyntaxError",
        "TypeError", "URIError",  "AggregateError", "AggregateError",  "InternalError",
        "Foo",       "",          "error",          "SuppressedError", "DOMException",
    };
    buf_printf(b, "\"%s\"", RNG_PICK(&g->r, names));
}

/* The members an error may have beside its mark, each with a comma in front. */
static void put_error_members(struct marshal_gen *g, struct buf *b, int depth,
                              put_fn *recur)
{
    static const char *const odd[] = { "stack",       "toString", "__proto__", "1",
                                       "extra",       "zzz",      "cause",     "errors",
                                       "constructor", "fileName" };
    if (!hostile(g)) {
        buf_puts(b, ",\"name\":");
        if (hostile(g))
            recur(g, b, depth - 1);
        else
            put_error_name(g, b);
    }
    if (one_in(g, 3)) {
        buf_puts(b, ",\"errorId\":");
        if (one_in(g, 3))
            recur(g, b, depth - 1);
        else
            buf_puts(b, "\"error:liveSlots:v1#70001\"");
    }
    if (one_in(g, 5)) {
        buf_puts(b, ",\"cause\":");
        recur(g, b, depth - 1);
    }
    if (one_in(g, 4)) {
        buf_puts(b, ",\"errors\":");
        if (hostile(g))
            recur(g, b, depth - 1);
        else
            put_array(g, b, depth - 1, recur);
    }
    while (one_in(g, 5)) {
        buf_printf(b, ",\"%s\":", RNG_PICK(&g->r, odd));
        recur(g, b, depth - 1);
    }
    if (hostile(g)) buf_puts(b, ",\"message\":\"m\"");
}

static void put_smallcaps_special(struct marshal_gen *g, struct buf *b, int depth)
{
    bool error = one_in(g, 2);
    if (error && one_in(g, 8)) {
        buf_puts(b, "{\"a\":1,\"#error\":");
    } else {
        buf_puts(b, error ? "{\"#error\":" : "{\"#tag\":");
    }
    if (hostile(g)) {
        put_string(g, b);
    } else {
        buf_puts(b, one_in(g, 3) ? "\"!" : "\"");
        put_plain(g, b);
        buf_putc(b, '"');
    }
    if (error) {
        put_error_members(g, b, depth, put_smallcaps);
    } else {
        if (!hostile(g)) {
            buf_puts(b, ",\"payload\":");
            put_smallcaps(g, b, depth - 1);
        }
        if (hostile(g)) buf_puts(b, ",\"x\":1");
    }
    buf_putc(b, '}');
}

static void put_literal(struct marshal_gen *g, struct buf *b)
{
    static const char *const words[] = { "null", "true", "false" };
    buf_puts(b, RNG_PICK(&g->r, words));
}

static void put_smallcaps(struct marshal_gen *g, struct buf *b, int depth)
{
    if (one_in(g, 12)) buf_putc(b, ' ');
    switch (rng_below(&g->r, depth <= 0 ? 7 : 13)) {
    case 0: put_literal(g, b); break;
    case 1: put_number(g, b); break;
    case 2:
    case 3:
    case 4: put_string(g, b); break;
    case 5:
    case 6:
        if (g->count > 0)
            put_slot_string(g, b);
        else
            put_string(g, b);
        break;
    case 7:
    case 8: put_array(g, b, depth, put_smallcaps); break;
    case 9:
    case 10: put_smallcaps_special(g, b, depth); break;
    default: put_members(g, b, depth, put_smallcaps); break;
    }
}

/* -- @qclass ----------------------------------------------------------------------- */

static void put_text(struct marshal_gen *g, struct buf *b)
{
    buf_putc(b, '"');
    while (one_in(g, 2))
        put_piece(g, b);
    buf_putc(b, '"');
}

static void put_hostile_class(struct marshal_gen *g, struct buf *b)
{
    static const char *const bad[] = {
        "{\"@qclass\":\"ibid\",\"index\":0}", "{\"@qclass\":\"nope\"}", "{\"@qclass\":1}",
        "{\"@qclass\":null}", "{\"@qclass\":\"slot\"}",
        "{\"@qclass\":\"slot\",\"index\":9}", "{\"@qclass\":\"slot\",\"index\":\"0\"}",
        "{\"@qclass\":\"slot\",\"index\":0.5}", "{\"@qclass\":\"slot\",\"index\":-1}",
        "{\"@qclass\":\"slot\",\"index\":null}",
        "{\"@qclass\":\"slot\",\"index\":0,\"x\":1}",
        "{\"@qclass\":\"slot\",\"index\":1e400}",
        "{\"@qclass\":\"slot\",\"index\":0,\"iface\":true}",
        "{\"@qclass\":\"slot\",\"index\":0,\"iface\":7}",
        "{\"@qclass\":\"slot\",\"index\":0,\"iface\":[]}",
        "{\"@qclass\":\"slot\",\"index\":0,\"iface\":{\"startsWith\":1}}",
        "{\"@qclass\":\"bigint\"}", "{\"@qclass\":\"bigint\",\"digits\":5}",
        "{\"@qclass\":\"bigint\",\"digits\":\"0x\"}",
        "{\"@qclass\":\"bigint\",\"digits\":\"-0x1\"}",
        "{\"@qclass\":\"bigint\",\"digits\":\"5n\"}",
        "{\"@qclass\":\"bigint\",\"digits\":\"1 2\"}", "{\"@qclass\":\"symbol\"}",
        "{\"@qclass\":\"symbol\",\"name\":null}",
        "{\"@qclass\":\"symbol\",\"name\":\"@@nope\"}", "{\"@qclass\":\"tagged\"}",
        "{\"@qclass\":\"tagged\",\"tag\":5,\"payload\":1}", "{\"@qclass\":\"hilbert\"}",
        "{\"@qclass\":\"hilbert\",\"original\":1,\"rest\":{}}",
        "{\"@qclass\":\"hilbert\",\"original\":1,\"rest\":null}",
        "{\"@qclass\":\"hilbert\",\"original\":1,\"rest\":\"x\"}",
        "{\"@qclass\":\"hilbert\",\"original\":1,\"rest\":[]}",
        "{\"@qclass\":\"hilbert\",\"original\":1,\"rest\":{\"@qclass\":\"undefined\"}}",
        "{\"@qclass\":\"hilbert\",\"original\":1,"
        "\"rest\":{\"@qclass\":\"slot\",\"index\":0}}",
        "{\"@qclass\":\"hilbert\",\"original\":1,"
        "\"rest\":{\"@qclass\":\"slot\",\"index\":1}}",
        "{\"@qclass\":\"hilbert\",\"original\":1,"
        "\"rest\":{\"@qclass\":\"tagged\",\"tag\":\"x\"}}",
        "{\"@qclass\":\"hilbert\",\"original\":1,"
        "\"rest\":{\"@qclass\":\"error\",\"name\":\"Error\",\"message\":\"\"}}",
        "{\"@qclass\":\"hilbert\",\"original\":1,"
        "\"rest\":{\"@qclass\":\"hilbert\",\"original\":1}}", "{\"@qclass\":\"error\"}",
        "{\"@qclass\":\"error\",\"message\":\"m\"}",
        "{\"@qclass\":\"error\",\"name\":\"E\",\"message\":1}",
    };
    buf_puts(b, RNG_PICK(&g->r, bad));
}

static void put_class_bigint(struct marshal_gen *g, struct buf *b)
{
    static const char *const digits[] = {
        "",      " ",       "0",     "-0",   "+5",
        " 7\\n", "0x1F",    "0b101", "0o17", "0XfFfFfFfFfFfFfFfFfFfF",
        "000",   "\\u30005"
    };
    buf_puts(b, "{\"@qclass\":\"bigint\",\"digits\":\"");
    switch (rng_below(&g->r, 4)) {
    case 0: buf_puts(b, RNG_PICK(&g->r, digits)); break;
    case 1:
        buf_puts(b, one_in(g, 2) ? "0x" : "0o");
        for (int n = 1 + (int)rng_below(&g->r, 90); n > 0; n--) {
            buf_putc(b, (char)('0' + rng_below(&g->r, 8)));
        }
        break;
    default:
        buf_puts(b, one_in(g, 2) ? "-" : "");
        put_digits(g, b);
        break;
    }
    buf_puts(b, "\"}");
}

static void put_class_slot(struct marshal_gen *g, struct buf *b)
{
    static const char *const ifaces[] = {
        "\"Foo\"", "\"Alleged: Foo\"", "\"\"",        "null", "false", "0",
        "-0",      "\"Remotable\"",    "\"\\ud800\"", "0e5"
    };
    size_t index = (size_t)rng_below(&g->r, g->count);
    buf_printf(b, "{\"@qclass\":\"slot\",");
    if (one_in(g, 2)) buf_printf(b, "\"iface\":%s,", RNG_PICK(&g->r, ifaces));
    buf_printf(b, one_in(g, 5) ? "\"index\":%zu.0e0}" : "\"index\":%zu}", index);
}

static void put_class(struct marshal_gen *g, struct buf *b, int depth)
{
    static const char *const simple[] = { "undefined", "NaN", "Infinity", "-Infinity",
                                          "@@asyncIterator" };
    static const char *const symbols[] = { "foo", "@@iterator", "@@@@x",
                                           "",    "@@x\\n",     "@@asyncDispose" };
    switch (rng_below(&g->r, g->count > 0 ? 8 : 6)) {
    case 0:
        buf_printf(b, "{\"@qclass\":\"%s\",\"x\":{\"@qclass\":7}}",
                   RNG_PICK(&g->r, simple));
        break;
    case 1: put_class_bigint(g, b); break;
    case 2:
        buf_printf(b, "{\"@qclass\":\"symbol\",\"name\":\"%s\"}", RNG_PICK(&g->r, symbols));
        break;
    case 3:
        buf_puts(b, "{\"@qclass\":\"tagged\",\"tag\":");
        put_text(g, b);
        if (!one_in(g, 5)) {
            buf_puts(b, ",\"payload\":");
            put_qclass(g, b, depth - 1);
        }
        buf_putc(b, '}');
        break;
    case 4:
        buf_puts(b, "{\"@qclass\":\"hilbert\",\"original\":");
        put_qclass(g, b, depth - 1);
        if (one_in(g, 2)) {
            buf_puts(b, ",\"rest\":");
            if (hostile(g))
                put_qclass(g, b, depth - 1);
            else if (one_in(g, 6))
                buf_puts(b, "{\"@qclass\":\"NaN\"}");
            else
                buf_puts(b, "{\"z\":1,\"10\":2,\"a\":null}");
        }
        buf_putc(b, '}');
        break;
    case 5:
        buf_puts(b, "{\"@qclass\":\"error\",\"message\":");
        put_text(g, b);
        put_error_members(g, b, depth, put_qclass);
        buf_putc(b, '}');
        break;
    default: put_class_slot(g, b); break;
    }
}

static void put_qclass(struct marshal_gen *g, struct buf *b, int depth)
{
    if (hostile(g)) {
        put_hostile_class(g, b);
        return;
    }
    switch (rng_below(&g->r, depth <= 0 ? 4 : 10)) {
    case 0: put_literal(g, b); break;
    case 1: put_number(g, b); break;
    case 2:
    case 3: put_text(g, b); break;
    case 4:
    case 5: put_array(g, b, depth, put_qclass); break;
    case 6: put_members(g, b, depth, put_qclass); break;
    default: put_class(g, b, depth); break;
    }
}

/* -- bodies ------------------------------------------------------------------------ */

/* As a JavaScript string can be: surrogates alone, no pairs of them. */
static bool well_formed(struct span s)
{
    uint32_t cp, last = 0;
    for (size_t n; s.n > 0; s = span_from(s, n), last = cp) {
        n = utf_decode(s, &cp);
        if (n == 0 || (utf_is_high(last) && utf_is_low(cp))) return false;
    }
    return true;
}

/* Take something out, or put something in; not where that leaves no text. */
static void damage(struct marshal_gen *g, struct buf *body)
{
    static const char *const scraps[] = {
        "\"",           "\\",           "{",  "}", "[", "]", ",", ":", "#", "0",
        "\xed\xa0\x80", "\xef\xbb\xbf", "\n", "$", "!", "-"
    };
    struct span all = buf_span(body);
    size_t at = (size_t)rng_below(&g->r, all.n + 1), skip = 0;
    struct buf out = { 0 };
    buf_put(&out, (struct span){ all.p, at });
    if (one_in(g, 2))
        skip = (size_t)rng_below(&g->r, all.n - at + 1) % 4;
    else
        buf_puts(&out, RNG_PICK(&g->r, scraps));
    buf_put(&out, span_from(all, at + skip));
    if (well_formed(buf_span(&out))) {
        struct buf old = *body;
        *body = out;
        out = old;
    }
    buf_fini(&out);
}

/* One odd piece, in a place where it may matter or not. */
static void put_odd(struct marshal_gen *g, struct buf *b)
{
    static const char *const smallcaps[][2] = {
        { "", "" },
        { "[[", "]]" },
        { "{\"a\":", "}" },
        { "{\"#tag\":\"t\",\"payload\":", "}" },
        { "{\"#tag\":", ",\"payload\":1}" },
        { "{\"#error\":\"m\",\"name\":", "}" },
        { "{\"#error\":", ",\"name\":\"n\"}" },
        { "{\"#error\":\"m\",\"name\":\"n\",\"errorId\":", "}" },
        { "{\"#error\":\"m\",\"name\":\"n\",\"errorId\":[null,[", "]]}" },
        { "{\"#error\":\"m\",\"name\":\"n\",\"errorId\":{\"a\":", "}}" },
        { "{\"#error\":\"m\",\"name\":\"n\",\"cause\":", "}" },
        { "{\"#error\":\"m\",\"name\":\"n\",\"stack\":", "}" },
        { "{\"#error\":\"m\",\"name\":\"AggregateError\",\"errors\":", "}" },
        { "{\"#error\":\"m\",\"name\":\"AggregateError\",\"errors\":[", "]}" },
    };
    static const char *const qclasses[][2] = {
        { "", "" },
        { "[[", "]]" },
        { "{\"a\":", "}" },
        { "{\"@qclass\":\"tagged\",\"tag\":\"t\",\"payload\":", "}" },
        { "{\"@qclass\":\"hilbert\",\"original\":", "}" },
        { "{\"@qclass\":\"hilbert\",\"original\":1,\"rest\":", "}" },
        { "{\"@qclass\":\"hilbert\",\"original\":1,\"rest\":{\"b\":1,\"a\":", "}}" },
        { "{\"@qclass\":\"error\",\"message\":\"m\",\"name\":", "}" },
        { "{\"@qclass\":\"error\",\"name\":\"n\",\"message\":", "}" },
        { "{\"@qclass\":\"error\",\"message\":\"m\",\"name\":\"n\",\"errorId\":", "}" },
        { "{\"@qclass\":\"error\",\"message\":\"m\",\"name\":\"n\",\"errorId\":[", "]}" },
        { "{\"@qclass\":\"error\",\"message\":\"m\",\"name\":\"n\",\"cause\":", "}" },
        { "{\"@qclass\":\"error\",\"message\":\"m\",\"name\":\"n\",\"errors\":[", "]}" },
        { "{\"@qclass\":\"error\",\"message\":\"m\",\"name\":\"n\",\"x\":", "}" },
        { "{\"@qclass\":\"error\",\"message\":\"m\",\"name\":\"AggregateError\","
          "\"errors\":",
          "}" },
    };
    bool old = one_in(g, 2);
    const char *const *around =
        old ? RNG_PICK(&g->r, qclasses) : RNG_PICK(&g->r, smallcaps);
    buf_puts(b, old ? "" : "#");
    buf_puts(b, around[0]);
    if (one_in(g, 3)) {
        if (old)
            put_qclass(g, b, 1);
        else
            put_smallcaps(g, b, 1);
    } else {
        if (old)
            put_hostile_class(g, b);
        else
            put_string(g, b);
    }
    buf_puts(b, around[1]);
}

void gen_body(struct marshal_gen *g, struct buf *body)
{
    int depth = (int)rng_below(&g->r, 6);
    g->hostile = one_in(g, 3) ? 60 : 2;
    do {
        buf_reset(body);
        if (one_in(g, 4)) {
            g->hostile = 300;
            put_odd(g, body);
        } else if (one_in(g, 3)) {
            put_qclass(g, body, depth);
        } else {
            buf_putc(body, '#');
            put_smallcaps(g, body, depth);
        }
    } while (!well_formed(buf_span(body)));
    while (one_in(g, 12))
        damage(g, body);
}

void gen_call(struct marshal_gen *g, struct buf *body)
{
    static const char *const names[] = {
        "{\"@qclass\":\"symbol\",\"name\":[1,null,[2,\"x\"],-0,1e400]}",
        "{\"@qclass\":\"symbol\",\"name\":{\"toString\":1}}",
        "{\"@qclass\":\"symbol\",\"name\":{\"valueOf\":1}}",
        "{\"@qclass\":\"symbol\",\"name\":[{}]}", "{\"@qclass\":\"symbol\"}",
        "{\"@qclass\":\"symbol\",\"name\":true}", "{\"@qclass\":\"symbol\",\"name\":1.50}",
        "{\"@qclass\":\"@@asyncIterator\"}", "{\"@qclass\":\"undefined\"}",
        "{\"@qclass\":[\"undefined\"]}", "{}", "[]", "null", "5", "\"foo\"", "\"%foo\"",
        "\"!foo\"", "\"#undefined\"", "\"#x\"", "\"$0\"", "\"&0\"", "\"\"", "\"+1\"",
        "\"-1\"", "\"'\"",
    };
    g->hostile = 20;
    do {
        buf_reset(body);
        buf_puts(body, one_in(g, 2) ? "#" : "");
        switch (rng_below(&g->r, 8)) {
        case 0: put_smallcaps(g, body, 2); break;
        case 1: put_qclass(g, body, 2); break;
        case 2: put_text(g, body); break;
        case 3:
            buf_puts(body, "{\"1\":1,\"0\":");
            put_smallcaps(g, body, 1);
            buf_putc(body, '}');
            break;
        default:
            buf_putc(body, '[');
            if (one_in(g, 2))
                buf_puts(body, RNG_PICK(&g->r, names));
            else if (one_in(g, 2))
                put_smallcaps(g, body, 1);
            else
                put_qclass(g, body, 1);
            buf_puts(body, ",[]]");
            break;
        }
    } while (!well_formed(buf_span(body)));
    while (one_in(g, 12))
        damage(g, body);
}
