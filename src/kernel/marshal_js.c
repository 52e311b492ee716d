/* marshal_js.c -- see marshal_js.h. */
#include "kernel/marshal_js.h"

#include <math.h>
#include <stdlib.h>

#include "base/utf.h"

/* -- objects -------------------------------------------------------------------- */

bool js_index_name(struct span name, uint32_t *out)
{
    uint64_t n;
    if (!span_u64(name, &n) || n >= UINT32_MAX) return false;
    *out = (uint32_t)n;
    return true;
}

static int order_cmp(const struct js_prop *a, const struct js_prop *b)
{
    return (a->order > b->order) - (a->order < b->order);
}

static int by_name(const void *x, const void *y)
{
    const struct js_prop *a = x, *b = y;
    int c = span_cmp(a->name, b->name);
    return c != 0 ? c : order_cmp(a, b);
}

static int by_place(const void *x, const void *y)
{
    const struct js_prop *a = x, *b = y;
    if (a->is_index != b->is_index) return a->is_index ? -1 : 1;
    if (a->is_index) return (a->index > b->index) - (a->index < b->index);
    return order_cmp(a, b);
}

size_t js_arrange(struct js_prop *props, size_t count)
{
    size_t kept = 0;
    if (count == 0) return 0;
    for (size_t i = 0; i < count; i++) {
        props[i].order = i;
        props[i].is_index = js_index_name(props[i].name, &props[i].index);
    }
    qsort(props, count, sizeof *props, by_name);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && span_eq(props[kept - 1].name, props[i].name)) {
            props[kept - 1].raw = props[i].raw;
            props[kept - 1].value = props[i].value;
        } else {
            props[kept++] = props[i];
        }
    }
    qsort(props, kept, sizeof *props, by_place);
    return kept;
}

struct js_prop *js_props(struct arena *a, struct jval object, size_t *count)
{
    size_t n = json_len(object), i = 0;
    struct js_prop *props = ARENA_ARRAY(a, struct js_prop, n);
    for (struct jval m = json_first(object); json_type(m) != JSON_NONE; m = json_next(m)) {
        props[i] = (struct js_prop){ .name = json_name(m, a), .raw = m };
        i++;
    }
    *count = js_arrange(props, n);
    return props;
}

const struct pass *js_record(struct arena *a, struct js_prop *props, size_t count)
{
    struct pass *p = pass_new(a, PASS_RECORD, SPAN_NONE);
    p->count = js_arrange(props, count);
    p->items = ARENA_ARRAY(a, const struct pass *, p->count);
    struct span *keys = ARENA_ARRAY(a, struct span, p->count);
    for (size_t i = 0; i < p->count; i++) {
        p->items[i] = props[i].value;
        keys[i] = props[i].name;
    }
    p->keys = keys;
    return p;
}

const struct js_prop *js_find(const struct js_prop *props, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (span_is(props[i].name, name)) return &props[i];
    }
    return NULL;
}

/* -- JSON ----------------------------------------------------------------------- */

/* A surrogate of WTF-8 begins here. */
static bool surrogate_at(struct span s, size_t at, uint32_t *cp)
{
    return (unsigned char)s.p[at] == 0xed && utf_decode(span_from(s, at), cp) == 3
           && utf_is_surrogate(*cp);
}

static bool any_surrogate(struct span s)
{
    uint32_t cp;
    for (size_t at = 0; at < s.n; at++) {
        if (surrogate_at(s, at, &cp)) return true;
    }
    return false;
}

/* A JavaScript string may hold lone surrogates; json_parse() wants UTF-8, and them as
 * escapes.  False if a backslash stands in front of one, which is no JSON, and which an
 * escape behind it would make look like some. */
static bool escape_surrogates(struct arena *a, struct span s, struct span *out)
{
    struct buf b = { 0 };
    bool ok = true, escaping = false;
    for (size_t at = 0; at < s.n && ok;) {
        uint32_t cp;
        if (surrogate_at(s, at, &cp)) {
            buf_printf(&b, "\\u%04x", (unsigned)cp);
            ok = !escaping;
            at += 3;
        } else {
            escaping = s.p[at] == '\\' && !escaping;
            buf_putc(&b, s.p[at++]);
        }
    }
    *out = arena_copy(a, buf_span(&b));
    buf_fini(&b);
    return ok;
}

bool js_parse(struct arena *a, struct span text, struct jval *out)
{
    struct err ignored;
    if (any_surrogate(text) && !escape_surrogates(a, text, &text)) return false;
    return json_parse(a, text, out, &ignored) == 0;
}

bool js_falsy(struct jval v)
{
    double n;
    switch (json_type(v)) {
    case JSON_NONE:
    case JSON_NULL:
    case JSON_FALSE: return true;
    case JSON_NUMBER: return json_double(v, &n) && n == 0;
    case JSON_STRING: return json_raw(v).n == 2;
    case JSON_TRUE:
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    return false;
}

static bool put_joined(struct arena *a, struct buf *b, struct jval array)
{
    bool first = true;
    for (struct jval v = json_first(array); json_type(v) != JSON_NONE; v = json_next(v)) {
        if (!first) buf_putc(b, ',');
        first = false;
        if (json_type(v) != JSON_NULL && !js_put_text(a, b, v)) return false;
    }
    return true;
}

bool js_put_text(struct arena *a, struct buf *b, struct jval v)
{
    double n;
    switch (json_type(v)) {
    case JSON_NONE: buf_puts(b, "undefined"); break;
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE: buf_put(b, json_raw(v)); break;
    case JSON_STRING: buf_put(b, json_str(v, a)); break;
    case JSON_ARRAY: return put_joined(a, b, v);
    case JSON_NUMBER:
        if (!json_double(v, &n)) return false;
        if (isinf(n))
            buf_puts(b, n < 0 ? "-Infinity" : "Infinity");
        else
            json_put_double(b, n);
        break;
    case JSON_OBJECT: /* a member of that name hides the method, and is none */
        if (json_type(json_get(v, "toString")) != JSON_NONE) return false;
        buf_puts(b, "[object Object]");
        break;
    }
    return true;
}

/* -- numbers in text ------------------------------------------------------------ */

/* WhiteSpace and LineTerminator of ECMA-262. */
static bool is_space(uint32_t cp)
{
    return (cp >= 0x09 && cp <= 0x0d) || cp == 0x20 || cp == 0xa0 || cp == 0x1680
           || (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 || cp == 0x202f
           || cp == 0x205f || cp == 0x3000 || cp == 0xfeff;
}

static struct span trim(struct span s)
{
    uint32_t cp;
    size_t n, end = 0;
    while ((n = utf_decode(s, &cp)) > 0 && is_space(cp))
        s = span_from(s, n);
    for (size_t at = 0; at < s.n; at += n) {
        n = utf_decode(span_from(s, at), &cp);
        bool space = n > 0 && is_space(cp);
        if (n == 0) n = 1;
        if (!space) end = at + n;
    }
    return (struct span){ s.p, end };
}

static bool all_digits(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    }
    return s.n > 0;
}

/* Bits per digit after "0x", "0o" or "0b"; 0 if `s` does not begin so.  `s` moves on. */
static unsigned take_radix(struct span *s)
{
    unsigned bits = 0;
    if (s->n < 2 || s->p[0] != '0') return 0;
    switch (s->p[1]) {
    case 'x':
    case 'X': bits = 4; break;
    case 'o':
    case 'O': bits = 3; break;
    case 'b':
    case 'B': bits = 1; break;
    default: return 0;
    }
    *s = span_from(*s, 2);
    return bits;
}

static bool digit_of(char c, unsigned bits, unsigned *out)
{
    unsigned d;
    if (c >= '0' && c <= '9')
        d = (unsigned)(c - '0');
    else if (c >= 'a' && c <= 'f')
        d = (unsigned)(c - 'a') + 10;
    else if (c >= 'A' && c <= 'F')
        d = (unsigned)(c - 'A') + 10;
    else
        return false;
    *out = d;
    return d < 1u << bits;
}

static bool take_sign(struct span *s)
{
    bool minus = s->n > 0 && s->p[0] == '-';
    if (minus || (s->n > 0 && s->p[0] == '+')) *s = span_from(*s, 1);
    return minus;
}

bool js_nat(double n, uint64_t *out)
{
    if (!(n >= 0 && n < 0x1p53) || n != floor(n)) return false;
    *out = (uint64_t)n;
    return true;
}

/* What Number() would round is 2^53 or more. */
static bool nat_of_radix(struct span digits, unsigned bits, uint64_t *out)
{
    uint64_t n = 0;
    if (digits.n == 0) return false;
    for (size_t i = 0; i < digits.n; i++) {
        unsigned d;
        if (!digit_of(digits.p[i], bits, &d)) return false;
        n = n << bits | d;
        if (n >> 53 != 0) return false;
    }
    *out = n;
    return true;
}

bool js_nat_text(struct arena *a, struct span text, uint64_t *out)
{
    struct span s = trim(text), whole = s, exponent;
    if (s.n == 0) {
        *out = 0;
        return true;
    }
    unsigned bits = take_radix(&s);
    if (bits != 0) return nat_of_radix(s, bits, out);

    (void)take_sign(&s);
    size_t digits = 0;
    while (digits < s.n && s.p[digits] != 'e' && s.p[digits] != 'E')
        digits++;
    if (!all_digits((struct span){ s.p, digits })) return false;
    if (digits < s.n) {
        exponent = span_from(s, digits + 1);
        (void)take_sign(&exponent);
        if (!all_digits(exponent)) return false;
    }
    return js_nat(strtod(arena_copy(a, whole).p, NULL), out);
}

/* -- bigints -------------------------------------------------------------------- */

/* `limbs` (base 10^9, the lowest first) times 2^bits, plus `add`. */
static size_t limbs_push(uint32_t *limbs, size_t count, unsigned bits, unsigned add)
{
    uint64_t carry = add;
    for (size_t i = 0; i < count; i++) {
        carry += (uint64_t)limbs[i] << bits;
        limbs[i] = (uint32_t)(carry % 1000000000);
        carry /= 1000000000;
    }
    if (carry > 0) limbs[count++] = (uint32_t)carry;
    return count;
}

static bool bigint_of_radix(struct arena *a, struct span digits, unsigned bits,
                            struct span *out)
{
    if (digits.n == 0 || digits.n > JS_BIGINT_BITS_MAX / bits) return false;
    uint32_t *limbs = ARENA_ARRAY(a, uint32_t, digits.n * bits / 29 + 2);
    size_t count = 0;
    unsigned chunk = 0, chunk_bits = 0;
    for (size_t i = 0; i < digits.n; i++) {
        unsigned d;
        if (!digit_of(digits.p[i], bits, &d)) return false;
        chunk = chunk << bits | d;
        chunk_bits += bits;
        if (chunk_bits + bits > 29 || i + 1 == digits.n) {
            count = limbs_push(limbs, count, chunk_bits, chunk);
            chunk = chunk_bits = 0;
        }
    }
    struct buf b = { 0 };
    buf_printf(&b, "%u", count == 0 ? 0 : (unsigned)limbs[count - 1]);
    while (count > 1)
        buf_printf(&b, "%09u", (unsigned)limbs[--count - 1]);
    *out = arena_copy(a, buf_span(&b));
    buf_fini(&b);
    return true;
}

bool js_bigint(struct arena *a, struct span text, struct span *out)
{
    struct span s = trim(text), digits = s;
    if (s.n == 0) {
        *out = SPAN("0");
        return true;
    }
    unsigned bits = take_radix(&s);
    if (bits != 0) return bigint_of_radix(a, s, bits, out);

    bool minus = take_sign(&digits);
    if (!all_digits(digits)) return false;
    while (digits.n > 1 && digits.p[0] == '0')
        digits = span_from(digits, 1);
    if (!minus || span_is(digits, "0")) {
        *out = digits;
        return true;
    }
    char *p = arena_alloc(a, digits.n + 1);
    p[0] = '-';
    memcpy(p + 1, digits.p, digits.n);
    *out = (struct span){ p, digits.n + 1 };
    return true;
}
