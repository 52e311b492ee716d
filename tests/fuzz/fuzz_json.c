/* JSON from anybody: parse -> print -> parse -> print is a fixed point, and every reader
 * agrees with every other.
 *
 *     make fuzz FUZZ=json                                    (libFuzzer, clang)
 *     build/tests/fuzz/fuzz_json tests/fuzz/corpus/json      (with plain.c: the corpus only)
 */
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* By index, by walking and by name: the same. */
static void check_readers(struct jval v, struct arena *a)
{
    size_t i = 0;
    for (struct jval m = json_first(v); m.doc != NULL; m = json_next(m), i++) {
        INVARIANT(json_at(v, i).at == m.at);
        struct span name = json_name(m, a);
        INVARIANT((name.p != NULL) == (json_type(v) == JSON_OBJECT));
        if (name.p != NULL) {
            name = arena_copy(a, name);
            INVARIANT(span_eq(json_key_at(v, i, a), name));
            if (strlen(name.p) == name.n && i < 50)
                INVARIANT(json_get(v, name.p).at >= m.at);
        }
        check_readers(m, a);
    }
    INVARIANT(i == json_len(v));

    uint64_t n;
    double d;
    if (json_u64(v, &n))
        INVARIANT(json_double(v, &d) && (uint64_t)d == n);
    struct span s = json_str(v, a);
    if (s.p != NULL) {
        s = arena_copy(a, s);
        INVARIANT(json_is(v, s.p) == (strlen(s.p) == s.n));
        INVARIANT(utf16_cmp(s, s) == 0);
        struct span utf8 = wtf8_to_utf8(a, s);
        INVARIANT(span_eq(wtf8_to_utf8(a, utf8), utf8));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct buf once = { 0 }, twice = { 0 };
    struct jval v, again;
    struct err e;
    arena_init(&a);

    /* Any bytes at all make a string that can be read back. */
    struct span bytes = { (const char *)data, size };
    json_put_string(&once, bytes);
    if (json_parse(&a, buf_span(&once), &v, &e) < 0)
        BUG("a printed string does not parse");
    json_put_string(&twice, json_str(v, &a));
    INVARIANT(span_eq(buf_span(&once), buf_span(&twice)));

    if (json_parse(&a, bytes, &v, &e) == 0) {
        check_readers(v, &a);
        buf_reset(&once);
        buf_reset(&twice);
        json_put_value(&once, v);
        if (json_parse(&a, buf_span(&once), &again, &e) < 0)
            BUG("a printed value does not parse");
        json_put_value(&twice, again);
        INVARIANT(span_eq(buf_span(&once), buf_span(&twice)));
    }
    buf_fini(&once);
    buf_fini(&twice);
    arena_fini(&a);
    return 0;
}
