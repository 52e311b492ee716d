/* Our JSON against Node's, byte by byte, on hostile texts made from a seed.
 *
 *     ZYGOTE_SEED=7 ZYGOTE_TEXTS=100000 build/tests/unit/test_json_node
 *
 * The questions of one test go to one Node process (json-oracle.mjs, found from the root
 * of the repository).
 */
#include "lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/utf.h"
#include "lib/rng.h"

enum { TEXTS = 8000 };

/* -- making texts ------------------------------------------------------------------ */

static void put_space(struct rng *r, struct buf *b)
{
    static const char spaces[] = " \t\n\r";
    while (rng_chance(r, 1, 8))
        buf_putc(b, spaces[rng_below(r, 4)]);
}

static void put_literal(struct buf *b, struct span s)
{
    buf_putc(b, '"');
    buf_put(b, s);
    buf_putc(b, '"');
}

/* One piece of the inside of a string; well formed, mostly. */
static void put_piece(struct rng *r, struct buf *b)
{
    static const char *const pieces[] = {
        "a", "b", "0", "1", "z", " ", "/", "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n",
        "\\r", "\\t", "\\u0000", "\\u0022", "\\u005c", "\\u001F", "\\u0061", "\\u00e4",
        "\\u2028", "\\ufffd", "\\uFEFF", "\\ud83d\\ude00", "\\uD83D\\uDE00", "\\ud800",
        "\\udbff", "\\udc00", "\\uDFFF", "\\ud83d", "\\ude00", "\\ue000", "\\uffff", "\x7f",
        "\xc2\x80", "\xc3\xa4", "\xdf\xbf", "\xe0\xa0\x80", "\xe2\x80\xa8", "\xe2\x80\xa9",
        "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbb\xbf", "\xef\xbf\xbd", "\xef\xbf\xbf",
        "\xf0\x90\x80\x80", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf",
    };
    static const char *const bad[] = {
        "\x01", "\x1f", "\n", "\t", "\\", "\"", "\\u", "\\u12", "\\u123g", "\\x41",
        "\\U0041", "\\'", "\\0", "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3",
        "\xe0\x80\x80", "\xe2\x80", "\xed\xa0\x80", "\xed\xa0\xbd\xed\xb8\x80",
        "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x9f\x98", "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80", "\xfe", "\xff",
    };
    if (rng_chance(r, 1, 200))
        buf_puts(b, RNG_PICK(r, bad));
    else if (rng_chance(r, 1, 4))
        buf_printf(b, "\\u%04x", (unsigned)rng_below(r, 0x10000));
    else if (rng_chance(r, 1, 400))
        buf_putc(b, (char)rng_below(r, 256));
    else
        buf_puts(b, RNG_PICK(r, pieces));
}

static void put_text(struct rng *r, struct buf *b)
{
    buf_putc(b, '"');
    if (rng_chance(r, 1, 10))
        for (uint64_t n = rng_below(r, 100); n > 0; n--)
            buf_putc(b, (char)rng_range(r, '#', 'Z')); /* long and plain */
    while (rng_chance(r, 4, 5))
        put_piece(r, b);
    buf_putc(b, '"');
}

static void put_digits(struct rng *r, struct buf *b, uint64_t most)
{
    for (uint64_t n = rng_below(r, most) + 1; n > 0; n--)
        buf_putc(b, (char)('0' + (rng_chance(r, 1, 3) ? 0 : rng_below(r, 10))));
}

static void put_number(struct rng *r, struct buf *b)
{
    static const char *const famous[] = {
        "0", "-0", "0.0", "-0.0", "0e0", "-0e-5", "1.0", "1e400", "-1e400", "1e-400",
        "1e21", "1e20", "123456789012345680000", "1e-6", "1e-7", "0.1", "9007199254740991",
        "9007199254740992", "9007199254740993", "-9007199254740993", "18446744073709551616",
        "5e-324", "2.4703282292062327208e-324", "2.4703282292062328e-324",
        "1.7976931348623157e308", "1.7976931348623159e308", "2.2250738585072011e-308",
        "4.35", "1E5", "1e+5", "1e-5", "1e99999999999999999999", "1e-99999999999999999999",
        "0e99999999999", "100000000000000000000000000000000000000000000000000000000000",
    };
    static const char *const bad[] = {
        "01", "-", "+1", ".5", "5.", "1e", "1e+", "--1", "0x10", "1_000", "NaN", "Infinity",
        "-Infinity", "1.e5", "00", "-01", "1n", "1,5", "\xd9\xa1",
    };
    if (rng_chance(r, 1, 300)) {
        buf_puts(b, RNG_PICK(r, bad));
    } else if (rng_chance(r, 1, 4)) {
        buf_puts(b, RNG_PICK(r, famous));
    } else {
        if (rng_chance(r, 1, 3))
            buf_putc(b, '-');
        if (rng_chance(r, 1, 4)) {
            buf_putc(b, '0');
        } else {
            buf_putc(b, (char)rng_range(r, '1', '9'));
            if (rng_chance(r, 2, 3))
                put_digits(r, b, rng_chance(r, 1, 20) ? 900 : 22);
        }
        if (rng_chance(r, 1, 2)) {
            buf_putc(b, '.');
            put_digits(r, b, rng_chance(r, 1, 20) ? 900 : 22);
        }
        if (rng_chance(r, 1, 3)) {
            buf_putc(b, rng_chance(r, 1, 2) ? 'e' : 'E');
            if (rng_chance(r, 2, 3))
                buf_putc(b, rng_chance(r, 1, 2) ? '+' : '-');
            put_digits(r, b, rng_chance(r, 1, 20) ? 12 : 3);
        }
    }
}

static void put_name(struct rng *r, struct buf *b)
{
    static const char *const names[] = {
        "", "a", "b", "c", "__proto__", "\\u005f_proto__", "constructor", "toString",
        "length", "hasOwnProperty", "toJSON", "0", "1", "2", "10", "9", "00", "01", "-1",
        "-0", "1.0", "1e3", "\\u0030", "\\u0031", "4294967293", "4294967294", "4294967295",
        "4294967296", "9007199254740991", "9007199254740992", "18446744073709551615", " 1",
        "1 ", "\\ud800", "a\\u0000", "a\\u0000b", "\xc3\xa4", "\\u00e4", "\xf0\x9f\x98\x80",
        "\\ud83d\\ude00",
    };
    if (rng_chance(r, 1, 4))
        put_text(r, b);
    else
        put_literal(b, span_of(RNG_PICK(r, names)));
}

static void put_any(struct rng *r, struct buf *b, int depth)
{
    put_space(r, b);
    switch (rng_below(r, depth <= 0 ? 5 : 9)) {
    case 0: buf_puts(b, rng_chance(r, 1, 2) ? "null" : "true"); break;
    case 1: buf_puts(b, "false"); break;
    case 2: put_text(r, b); break;
    case 3:
    case 4: put_number(r, b); break;
    case 5:
    case 6:
        buf_putc(b, '[');
        for (uint64_t n = rng_below(r, 6), i = 0; i < n; i++) {
            if (i > 0)
                buf_putc(b, ',');
            put_any(r, b, depth - 1);
        }
        put_space(r, b);
        buf_putc(b, ']');
        break;
    default:
        buf_putc(b, '{');
        for (uint64_t n = rng_below(r, 12), i = 0; i < n; i++) {
            if (i > 0)
                buf_putc(b, ',');
            put_space(r, b);
            put_name(r, b);
            put_space(r, b);
            buf_putc(b, ':');
            put_any(r, b, depth - 1);
        }
        put_space(r, b);
        buf_putc(b, '}');
        break;
    }
    put_space(r, b);
}

static void put_deep(struct rng *r, struct buf *b)
{
    static char kinds[JSON_DEPTH_MAX];
    size_t depth = (size_t)rng_range(r, 1, JSON_DEPTH_MAX);
    for (size_t i = 0; i < depth; i++) {
        kinds[i] = (char)rng_below(r, 3);
        buf_puts(b, kinds[i] == 0 ? "[" : kinds[i] == 1 ? "[1,[],{}," : "{\"2\":3,\"1\":");
    }
    put_any(r, b, 0);
    for (size_t i = depth; i-- > 0;)
        buf_puts(b, kinds[i] < 2 ? "]" : "}");
}

/* Cut, flip, drop, double or insert. */
static void damage(struct rng *r, struct buf *b)
{
    static const char *const scraps[] = {
        "\xef\xbb\xbf", "\x00", "\v", "\f", "\xc2\xa0", "\xe2\x80\xa8", ",", ":", "[", "]",
        "{", "}", "\"", "\\", "//x\n", "/**/", "'", "tru", "nul", "undefined",
        "\xed\xa0\x80", "1", "-",
    };
    size_t at = (size_t)rng_below(r, b->n + 1), span = (size_t)rng_below(r, 4) + 1;
    if (span > b->n - at)
        span = b->n - at;
    struct buf out = { 0 };
    struct span all = buf_span(b);
    buf_put(&out, (struct span){ all.p, at });
    switch (rng_below(r, 6)) {
    case 0: span = b->n - at; break;
    case 1:
        for (size_t i = 0; i < span; i++)
            buf_putc(&out, (char)(all.p[at + i] ^ 1 << rng_below(r, 8)));
        break;
    case 2: break;
    case 3:
        buf_put(&out, (struct span){ all.p + at, span });
        buf_put(&out, (struct span){ all.p + at, span });
        break;
    default: {
        const char *scrap = RNG_PICK(r, scraps);
        buf_put(&out, (struct span){ scrap, *scrap == '\0' ? 1 : strlen(scrap) });
        span = 0;
    }
    }
    buf_put(&out, span_from(all, at + span));
    buf_fini(b);
    *b = out;
}

/* -- asking Node -------------------------------------------------------------------- */

struct quiz {
    struct rng r;
    struct buf questions; /* lines for the oracle */
    struct buf ours;      /* our answers, the same way; "?": do not compare */
    size_t refused;
};

static struct quiz quiz_new(uint64_t seed)
{
    return (struct quiz){ .r = rng_new(rng_seed_from_env(seed)) };
}

static int texts(void)
{
    const char *n = getenv("ZYGOTE_TEXTS");
    return n == NULL ? TEXTS : atoi(n);
}

static void put_hex(struct buf *b, struct span s)
{
    static const char digits[] = "0123456789abcdef";
    char *out = buf_room(b, 2 * s.n);
    for (size_t i = 0; i < s.n; i++) {
        *out++ = digits[(unsigned char)s.p[i] >> 4];
        *out++ = digits[(unsigned char)s.p[i] & 15];
    }
    b->n += 2 * s.n;
}

static void ask(struct quiz *q, char verb, struct span text)
{
    buf_putc(&q->questions, verb);
    buf_putc(&q->questions, ' ');
    put_hex(&q->questions, text);
    buf_putc(&q->questions, '\n');
}

static struct span line_of(struct span *rest)
{
    const char *end = rest->n == 0 ? NULL : memchr(rest->p, '\n', rest->n);
    if (end == NULL)
        return SPAN_NONE;
    struct span line = { rest->p, (size_t)(end - rest->p) };
    *rest = span_from(*rest, line.n + 1);
    return line;
}

static void print_hex(const char *what, struct span hex)
{
    print_error("%s", what);
    for (size_t i = 0; i + 1 < hex.n; i += 2) {
        unsigned c;
        sscanf(hex.p + i, "%2x", &c);
        if (c >= 0x20 && c < 0x7f)
            print_error("%c", (int)c);
        else
            print_error("<%02x>", c);
    }
    print_error("\n");
}

static void compare(struct quiz *q, struct span theirs)
{
    struct span questions = buf_span(&q->questions), ours = buf_span(&q->ours);
    size_t n = 0, wrong = 0;
    for (;;) {
        struct span question = line_of(&questions), got = line_of(&ours);
        struct span want = line_of(&theirs);
        if (question.p == NULL)
            break;
        assert_non_null(got.p);
        if (want.p == NULL)
            fail_msg("Node answered %zu questions only", n);
        n++;
        if (span_is(got, "?") || span_eq(got, want) || wrong++ >= 5)
            continue;
        print_hex("text ", question.n < 2 ? question : span_from(question, 2));
        print_hex("ours ", got);
        print_hex("node ", want);
    }
    assert_int_equal(theirs.n, 0);
    print_message("%zu texts, %zu refused by both, %zu wrong\n", n, q->refused, wrong);
    if (wrong > 0)
        fail_msg("ZYGOTE_SEED=%" PRIu64 " brings this back", q->r.seed);
}

static void quiz_end(struct quiz *q)
{
    char name[] = "/tmp/zygote-json-XXXXXX", command[200];
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    for (struct span rest = buf_span(&q->questions); rest.n > 0;) {
        ssize_t n = write(fd, rest.p, rest.n);
        assert_true(n > 0);
        rest = span_from(rest, (size_t)n);
    }
    close(fd);
    snprintf(command, sizeof command, "node tests/unit/json-oracle.mjs <%s", name);
    FILE *node = popen(command, "r");
    assert_non_null(node);
    struct buf theirs = { 0 };
    for (size_t n; (n = fread(buf_room(&theirs, 65536), 1, 65536, node)) > 0;)
        theirs.n += n;
    assert_int_equal(pclose(node), 0);
    unlink(name);
    compare(q, buf_span(&theirs));
    buf_fini(&theirs);
    buf_fini(&q->questions);
    buf_fini(&q->ours);
}

/* -- the tests ---------------------------------------------------------------------- */

/* Our answer to `j text`. */
static void answer_text(struct quiz *q, struct span text)
{
    struct arena a;
    struct jval v;
    struct err e = { 0 };
    struct buf out = { 0 };
    /* Exactly as long as it is, for the address sanitizer. */
    char *copy = malloc(text.n + 1);
    memcpy(copy, text.p, text.n);
    char *exact = realloc(copy, text.n == 0 ? 1 : text.n);
    arena_init(&a);
    ask(q, 'j', text);
    if (json_parse(&a, (struct span){ exact, text.n }, &v, &e) == 0) {
        json_put_value(&out, v);
        put_hex(&q->ours, buf_span(&out));
    } else {
        q->refused++;
        buf_putc(&q->ours, strstr(e.text, "nested too deeply") == NULL ? '!' : '?');
    }
    buf_putc(&q->ours, '\n');
    arena_fini(&a);
    buf_fini(&out);
    free(exact);
}

TEST(texts_print_alike)
{
    struct quiz q = quiz_new(20250101);
    for (int i = 0; i < texts(); i++) {
        struct buf b = { 0 };
        if (rng_chance(&q.r, 1, 100))
            put_deep(&q.r, &b);
        else
            put_any(&q.r, &b, (int)rng_below(&q.r, 5));
        while (rng_chance(&q.r, 1, 3))
            damage(&q.r, &b);
        answer_text(&q, buf_span(&b));
        buf_fini(&b);
    }
    quiz_end(&q);
}

/* Each prefix of one text that has everything, and each byte of it set to each of some. */
TEST(every_cut_and_flip)
{
    static const struct span whole = SPAN(
        " {\"a\\u0000\\ud83d\\ude00\\ud800\":[-0.5e+3,10,true,false,null,\"\xc3\xa4"
        "\xe2\x82\xac\xf0\x9f\x98\x80\\\"\\\\\\/\"],\"1\" : { } , \"0\":[[]]}\n");
    static const unsigned char other[] = { 0,    ' ',  '"',  '\\', '0',  '1',  '9',
                                           '-',  '.',  'e',  'u',  ',',  ':',  '[',
                                           ']',  '{',  '}',  0x7f, 0x80, 0xc0, 0xed };
    struct quiz q = quiz_new(1);
    char text[256];
    assert_true(whole.n <= sizeof text);
    for (size_t n = 0; n <= whole.n; n++)
        answer_text(&q, (struct span){ whole.p, n });
    for (size_t i = 0; i < whole.n; i++) {
        for (size_t k = 0; k < sizeof other; k++) {
            memcpy(text, whole.p, whole.n);
            text[i] = (char)other[k];
            answer_text(&q, (struct span){ text, whole.n });
        }
    }
    quiz_end(&q);
}

/* Every sequence of one to three bytes from the borders of table 3-7, in a string. */
TEST(every_border_of_utf8)
{
    static const unsigned char borders[] = {
        'a',  0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
        0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
    };
    enum { N = sizeof borders };
    struct quiz q = quiz_new(1);
    for (unsigned i = 0; i < N * N * N; i++) {
        char text[] = { '"', (char)borders[i / N / N], (char)borders[i / N % N],
                        (char)borders[i % N], (char)0x80, '"' };
        answer_text(&q, (struct span){ text, sizeof text });
        text[4] = '"';
        answer_text(&q, (struct span){ text, sizeof text - 1 });
    }
    quiz_end(&q);
}

static void put_units(struct buf *b, struct span s)
{
    while (s.n > 0) {
        uint32_t cp;
        size_t n = utf_decode(s, &cp);
        assert_true(n > 0); /* proper WTF-8, and pairs are joined: */
        assert_true(utf_decode_joined(s, &cp) == n);
        s = span_from(s, n);
        if (cp >= 0x10000)
            buf_printf(b, "%04x%04x", (unsigned)(0xd800 + ((cp - 0x10000) >> 10)),
                       (unsigned)(0xdc00 + (cp & 0x3ff)));
        else
            buf_printf(b, "%04x", (unsigned)cp);
    }
}

TEST(strings_decode_alike)
{
    struct quiz q = quiz_new(3);
    for (int i = 0; i < texts(); i++) {
        struct buf b = { 0 };
        struct arena a;
        struct jval v;
        struct err e;
        arena_init(&a);
        put_text(&q.r, &b);
        ask(&q, 'u', buf_span(&b));
        ask(&q, 'f', buf_span(&b));
        ask(&q, 'r', buf_span(&b));
        if (json_parse(&a, buf_span(&b), &v, &e) == 0) {
            struct span s = json_str(v, &a);
            put_units(&q.ours, s);
            buf_putc(&q.ours, '\n');
            put_hex(&q.ours, wtf8_to_utf8(&a, s));
            buf_putc(&q.ours, '\n');
            put_hex(&q.ours, wtf8_read_back(&a, s));
            buf_putc(&q.ours, '\n');
        } else {
            q.refused++;
            buf_puts(&q.ours, "!\n!\n!\n");
        }
        arena_fini(&a);
        buf_fini(&b);
    }
    quiz_end(&q);
}

static int by_utf16(const void *x, const void *y)
{
    return utf16_cmp(*(const struct span *)x, *(const struct span *)y);
}

TEST(strings_sort_alike)
{
    struct quiz q = quiz_new(4);
    for (int i = 0; i < texts() / 10; i++) {
        struct buf b = { 0 }, out = { 0 };
        struct arena a;
        struct jval v = { 0 };
        struct err e;
        struct span s[40];
        size_t n = (size_t)rng_below(&q.r, 40);
        arena_init(&a);
        buf_putc(&b, '[');
        for (size_t k = 0; k < n; k++) {
            if (k > 0)
                buf_putc(&b, ',');
            put_text(&q.r, &b);
        }
        buf_putc(&b, ']');
        ask(&q, 's', buf_span(&b));
        if (json_parse(&a, buf_span(&b), &v, &e) < 0) {
            q.refused++;
            buf_putc(&q.ours, '!');
        } else if (json_len(v) == n) {
            for (size_t k = 0; k < n; k++)
                s[k] = json_str(json_at(v, k), &a);
            qsort(s, n, sizeof *s, by_utf16);
            buf_putc(&out, '[');
            for (size_t k = 0; k < n; k++) {
                if (k > 0)
                    buf_putc(&out, ',');
                json_put_string(&out, s[k]);
            }
            buf_putc(&out, ']');
            put_hex(&q.ours, buf_span(&out));
        } else {
            buf_putc(&q.ours, '?'); /* a stray quote made other values */
        }
        buf_putc(&q.ours, '\n');
        arena_fini(&a);
        buf_fini(&b);
        buf_fini(&out);
    }
    quiz_end(&q);
}

static void answer_double(struct quiz *q, uint64_t bits)
{
    unsigned char big_endian[8];
    struct buf out = { 0 };
    double d;
    memcpy(&d, &bits, sizeof d);
    for (int i = 0; i < 8; i++)
        big_endian[i] = (unsigned char)(bits >> (56 - 8 * i));
    ask(q, 'd', (struct span){ (const char *)big_endian, 8 });
    json_put_double(&out, d);
    put_hex(&q->ours, buf_span(&out));
    buf_putc(&q->ours, '\n');
    buf_fini(&out);
}

static uint64_t bits_of(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

/* All powers of two and of ten with their neighbours, and random ones of several kinds. */
TEST(doubles_print_alike)
{
    struct quiz q = quiz_new(5);
    for (uint64_t exponent = 0; exponent < 2048; exponent++)
        for (uint64_t near = 0; near < 5; near++)
            answer_double(&q, (exponent << 52) + near - 2);
    for (uint64_t bit = 0; bit < 52; bit++)
        answer_double(&q, (uint64_t)1 << bit); /* subnormal powers of two */
    for (int ten = -324; ten <= 308; ten++) {
        char text[16];
        snprintf(text, sizeof text, "1e%d", ten);
        for (uint64_t near = 0; near < 5; near++)
            answer_double(&q, bits_of(strtod(text, NULL)) + near - 2);
    }
    for (int i = 0; i < texts(); i++) {
        answer_double(&q, rng_u64(&q.r));
        answer_double(&q, rng_below(&q.r, (uint64_t)1 << rng_range(&q.r, 1, 52)));
        answer_double(&q, bits_of((double)rng_range(&q.r, -(1 << 30), 1 << 30) / 1000));
        answer_double(&q, bits_of((double)(int64_t)rng_u64(&q.r)));
    }
    quiz_end(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_print_alike),    cmocka_unit_test(every_cut_and_flip),
        cmocka_unit_test(every_border_of_utf8), cmocka_unit_test(strings_decode_alike),
        cmocka_unit_test(strings_sort_alike),   cmocka_unit_test(doubles_print_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
