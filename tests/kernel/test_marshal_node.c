/* Our marshal, and our reading of names, against upstream's, byte by byte, on capdata made
 * from a seed.
 *
 *     ZYGOTE_SEED=7 ZYGOTE_TEXTS=100000 build/tests/kernel/test_marshal_node
 *
 * The questions of one test go to one Node process (marshal-oracle.mjs, found from the root
 * of the repository).
 */
#include "lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/marshal.h"
#include "kernel/marshal_gen.h"

enum { TEXTS = 8000 };

struct quiz {
    struct marshal_gen g;
    struct arena a;       /* of one question */
    struct buf questions; /* lines for the oracle */
    struct buf ours;      /* our answers, the same way */
    size_t refused;
};

static struct quiz quiz_new(uint64_t seed)
{
    return (struct quiz){ .g = { .r = rng_new(rng_seed_from_env(seed)) } };
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

/* Our answer; a text that is absent is a refusal. */
static void answer(struct quiz *q, struct span text)
{
    if (text.p == NULL) {
        q->refused++;
        buf_putc(&q->ours, '!');
    } else {
        put_hex(&q->ours, text);
    }
    buf_putc(&q->ours, '\n');
}

/* The answer is the JSON of a string. */
static void answer_string(struct quiz *q, struct span text)
{
    struct buf b = { 0 };
    json_put_string(&b, text);
    answer(q, buf_span(&b));
    buf_fini(&b);
}

static struct span line_of(struct span *rest)
{
    const char *end = rest->n == 0 ? NULL : memchr(rest->p, '\n', rest->n);
    if (end == NULL) return SPAN_NONE;
    struct span line = { rest->p, (size_t)(end - rest->p) };
    *rest = span_from(*rest, line.n + 1);
    return line;
}

static void print_hex(const char *what, struct span hex)
{
    print_error("%s", what);
    if (span_is(hex, "!")) print_error("(refused)");
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
        if (question.p == NULL) break;
        if (want.p == NULL) fail_msg("Node answered %zu questions only", n);
        n++;
        if (span_eq(got, want) || wrong++ >= 5) continue;
        print_hex("text ", span_from(question, 2));
        print_hex("ours ", got);
        print_hex("node ", want);
    }
    assert_int_equal(theirs.n, 0);
    print_message("%zu texts, %zu refused by us, %zu wrong\n", n, q->refused, wrong);
    if (wrong > 0) fail_msg("ZYGOTE_SEED=%" PRIu64 " brings this back", q->g.r.seed);
}

static void quiz_end(struct quiz *q)
{
    char name[] = "/tmp/zygote-marshal-XXXXXX", command[200];
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    for (struct span rest = buf_span(&q->questions); rest.n > 0;) {
        ssize_t n = write(fd, rest.p, rest.n);
        assert_true(n > 0);
        rest = span_from(rest, (size_t)n);
    }
    close(fd);
    snprintf(command, sizeof command, "node tests/kernel/marshal-oracle.mjs <%s", name);
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
    arena_fini(&q->a);
}

/* -- the tests ---------------------------------------------------------------------- */

static struct vat_capdata question_capdata(struct quiz *q, struct span body)
{
    struct vat_capdata data = { .body = arena_copy(&q->a, body), .count = q->g.count };
    data.slots = ARENA_ARRAY(&q->a, struct span, q->g.count);
    for (size_t i = 0; i < data.count; i++)
        data.slots[i] = span_of(q->g.slots[i]);
    return data;
}

static void ask_capdata(struct quiz *q, char verb, const struct vat_capdata *data)
{
    struct buf json = { 0 };
    vat_capdata_put(&json, data);
    ask(q, verb, buf_span(&json));
    buf_fini(&json);
}

TEST(capdata_comes_out_alike)
{
    struct quiz q = quiz_new(20250101);
    struct buf body = { 0 }, json = { 0 };
    for (int i = 0; i < texts(); i++) {
        const struct pass *value;
        const char *why = NULL;
        struct vat_capdata again;
        gen_slots(&q.g, false);
        gen_body(&q.g, &body);
        struct vat_capdata data = question_capdata(&q, buf_span(&body));
        ask_capdata(&q, 'm', &data);
        if (marshal_decode(&q.a, &data, &value, &why)) {
            buf_reset(&json);
            marshal_encode(&q.a, value, &again);
            vat_capdata_put(&json, &again);
            answer(&q, buf_span(&json));
        } else {
            assert_non_null(why);
            answer(&q, SPAN_NONE);
        }
        arena_reset(&q.a);
    }
    buf_fini(&body);
    buf_fini(&json);
    quiz_end(&q);
}

static bool with_krefs(struct quiz *q, const struct vat_capdata *data, struct capdata *out)
{
    *out =
        (struct capdata){ data->body, data->count, ARENA_ARRAY(&q->a, kref, data->count) };
    for (size_t i = 0; i < data->count; i++) {
        if (!kref_parse(data->slots[i], &out->slots[i])) return false;
    }
    return true;
}

TEST(single_slots_are_found_alike)
{
    struct quiz q = quiz_new(20250102);
    struct buf body = { 0 };
    for (int i = 0; i < texts() / 2; i++) {
        struct capdata data;
        kref found;
        gen_slots(&q.g, true);
        gen_body(&q.g, &body);
        if (q.g.count > 0 && rng_chance(&q.g.r, 1, 2)) {
            static const char *const bodies[] = {
                "#\"$0\"",   "#\"&0\"",  "#\"$0.x\"",
                "#[\"$0\"]", "#\"!$0\"", "{\"@qclass\":\"slot\",\"index\":0}"
            };
            buf_reset(&body);
            buf_puts(&body, RNG_PICK(&q.g.r, bodies));
        }
        struct vat_capdata text = question_capdata(&q, buf_span(&body));
        assert_true(with_krefs(&q, &text, &data));
        ask_capdata(&q, 's', &text);
        if (!marshal_single_slot(&q.a, &data, &found)) {
            answer(&q, SPAN_NONE);
        } else if (found.kind == KREF_INVALID) {
            answer_string(&q, SPAN(""));
        } else {
            struct id_text t = kref_text(found);
            answer_string(&q, span_of(t.s));
        }
        arena_reset(&q.a);
    }
    buf_fini(&body);
    quiz_end(&q);
}

TEST(methods_are_named_alike)
{
    struct quiz q = quiz_new(20250103);
    struct buf body = { 0 };
    for (int i = 0; i < texts() / 2; i++) {
        gen_slots(&q.g, true);
        gen_call(&q.g, &body);
        struct vat_capdata text = question_capdata(&q, buf_span(&body));
        ask_capdata(&q, 'e', &text);
        answer_string(&q, marshal_method(&q.a, text.body));
        arena_reset(&q.a);
    }
    buf_fini(&body);
    quiz_end(&q);
}

static void put_name(struct rng *r, struct buf *b, const char *prefixes)
{
    static const char *const pieces[] = { "0",
                                          "1", "7", "10", "007", "12345678901234567890",
                                          "9223372036854775807", "9223372036854775808", "",
                                          " ", "0x1", "-", "+", "/", ":", "d", "v", "o",
                                          "\n", "e1", "\xc2\xa0", "1n",
                                          "_" };
    static const char *const shapes[] = { "1",    "d1/2", "v10/33:0", "d5/6:1",
                                          "12:3", "d7",   "1/2",      "d1/2:3:4",
                                          "d/2",  "d1/",  "d1/2:",    "1:x" };
    const char *signs = "+-+-+-0";
    buf_reset(b);
    buf_putc(b, prefixes[rng_below(r, strlen(prefixes))]);
    buf_putc(b, signs[rng_below(r, strlen(signs))]);
    if (rng_chance(r, 1, 2)) buf_puts(b, RNG_PICK(r, shapes));
    while (rng_chance(r, 1, 2))
        buf_puts(b, RNG_PICK(r, pieces));
    if (rng_chance(r, 1, 50)) {
        for (uint64_t n = rng_range(r, 240, 260); b->n < n;)
            buf_putc(b, '1');
    }
}

static const char *const kinds[] = { "", "object", "promise", "device" };

TEST(vrefs_are_read_alike)
{
    struct quiz q = quiz_new(20250104);
    struct buf name = { 0 };
    for (int i = 0; i < texts(); i++) {
        vref v;
        put_name(&q.g.r, &name, "oooppdx");
        ask(&q, 'v', buf_span(&name));
        if (vref_parse(buf_span(&name), &v)) {
            assert_span(v.text, buf_span(&name));
            answer_string(&q, arena_printf(&q.a, "%s %c", kinds[v.kind],
                                           v.vat_allocated ? '+' : '-'));
        } else {
            answer(&q, SPAN_NONE);
        }
        arena_reset(&q.a);
    }
    buf_fini(&name);
    quiz_end(&q);
}

TEST(krefs_are_read_alike)
{
    struct quiz q = quiz_new(20250105);
    struct buf name = { 0 };
    for (int i = 0; i < texts(); i++) {
        kref k;
        put_name(&q.g.r, &name, "k");
        name.p[1] = "opdopdkx"[rng_below(&q.g.r, 8)];
        ask(&q, 'k', buf_span(&name));
        if (kref_parse(buf_span(&name), &k)) {
            struct id_text t = kref_text(k);
            assert_span(span_of(t.s), buf_span(&name));
            answer_string(&q, span_of(kinds[k.kind]));
        } else {
            answer(&q, SPAN_NONE);
        }
    }
    buf_fini(&name);
    quiz_end(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capdata_comes_out_alike),
        cmocka_unit_test(single_slots_are_found_alike),
        cmocka_unit_test(methods_are_named_alike),
        cmocka_unit_test(vrefs_are_read_alike),
        cmocka_unit_test(krefs_are_read_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
