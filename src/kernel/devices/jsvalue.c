#include "kernel/devices/jsvalue.h"

#include <math.h>

#include "kernel/marshal_js.h"

/* -- questions ----------------------------------------------------------------------- */

bool jsvalue_truthy(const struct pass *v)
{
    switch (v->style) {
    case PASS_UNDEFINED:
    case PASS_NULL: return false;
    case PASS_BOOL: return v->boolean;
    case PASS_NUMBER: return v->number != 0 && !isnan(v->number);
    case PASS_BIGINT: return !span_is(v->text, "0");
    case PASS_STRING: return v->text.n > 0;
    case PASS_SYMBOL:
    case PASS_ARRAY:
    case PASS_RECORD:
    case PASS_TAGGED:
    case PASS_ERROR:
    case PASS_REMOTABLE:
    case PASS_PROMISE: break;
    }
    return true;
}

bool jsvalue_same(const struct pass *a, const struct pass *b)
{
    if (a->style != b->style) return false;
    switch (a->style) {
    case PASS_UNDEFINED:
    case PASS_NULL: return true;
    case PASS_BOOL: return a->boolean == b->boolean;
    case PASS_NUMBER: return a->number == b->number;
    case PASS_BIGINT:
    case PASS_STRING:
    case PASS_SYMBOL: return span_eq(a->text, b->text);
    case PASS_ARRAY:
    case PASS_RECORD:
    case PASS_TAGGED:
    case PASS_ERROR:
    case PASS_REMOTABLE:
    case PASS_PROMISE: break;
    }
    return a == b;
}

/* -- as text --------------------------------------------------------------------------- */

static bool put_text(struct buf *b, const struct pass *v);

static bool put_joined(struct buf *b, const struct pass *array)
{
    for (size_t i = 0; i < array->count; i++) {
        const struct pass *v = array->items[i];
        if (i > 0) buf_putc(b, ',');
        if (v->style != PASS_UNDEFINED && v->style != PASS_NULL && !put_text(b, v)) return false;
    }
    return true;
}

static void put_object(struct buf *b, const char *alleged, struct span tag)
{
    buf_puts(b, "[object ");
    buf_puts(b, alleged);
    buf_put(b, tag);
    buf_putc(b, ']');
}

static void put_error(struct buf *b, const struct pass *v)
{
    buf_put(b, v->key);
    if (v->key.n > 0 && v->text.n > 0) buf_puts(b, ": ");
    buf_put(b, v->text);
}

static void put_number(struct buf *b, double n)
{
    if (isnan(n))
        buf_puts(b, "NaN");
    else if (isinf(n))
        buf_puts(b, n < 0 ? "-Infinity" : "Infinity");
    else
        json_put_double(b, n);
}

static bool put_text(struct buf *b, const struct pass *v)
{
    switch (v->style) {
    case PASS_UNDEFINED: buf_puts(b, "undefined"); break;
    case PASS_NULL: buf_puts(b, "null"); break;
    case PASS_BOOL: buf_puts(b, v->boolean ? "true" : "false"); break;
    case PASS_NUMBER: put_number(b, v->number); break;
    case PASS_BIGINT:
    case PASS_STRING: buf_put(b, v->text); break;
    case PASS_SYMBOL: return false;
    case PASS_ARRAY: return put_joined(b, v);
    case PASS_RECORD: /* a member of that name hides the method, and is none */
        if (pass_get(v, "toString") != NULL) return false;
        buf_puts(b, "[object Object]");
        break;
    case PASS_TAGGED: put_object(b, "", v->text); break;
    case PASS_ERROR: put_error(b, v); break;
    case PASS_REMOTABLE: put_object(b, v->boolean ? "" : "Alleged: ", v->key); break;
    case PASS_PROMISE: buf_puts(b, "[object Promise]"); break;
    }
    return true;
}

bool jsvalue_text(struct arena *a, const struct pass *v, struct span *out)
{
    struct buf b = { 0 };
    bool ok = put_text(&b, v);
    if (ok) *out = arena_copy(a, buf_span(&b));
    buf_fini(&b);
    return ok;
}

/* -- numbers ----------------------------------------------------------------------------- */

#define NATURAL_END ((natural)1 << 120)

static bool nat_of_digits(struct span s, natural *out)
{
    natural n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false; /* a minus sign */
        n = n * 10 + (s.p[i] - '0');
        if (n >= NATURAL_END) return false;
    }
    *out = n;
    return s.n > 0;
}

bool jsvalue_nat(const struct pass *v, natural *out)
{
    uint64_t n;
    if (v->style == PASS_BIGINT) return nat_of_digits(v->text, out);
    if (v->style != PASS_NUMBER || !js_nat(v->number, &n)) return false;
    *out = (natural)n;
    return true;
}

bool jsvalue_u64(const struct pass *v, uint64_t *out)
{
    natural n;
    if (!jsvalue_nat(v, &n) || n > (natural)UINT64_MAX) return false;
    *out = (uint64_t)n;
    return true;
}

const struct pass *jsvalue_bigint(struct arena *a, natural n)
{
    char digits[40];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + (int)(n % 10));
        n /= 10;
    } while (n > 0);
    struct span text = { digits + at, sizeof digits - at };
    return pass_new(a, PASS_BIGINT, arena_copy(a, text));
}

/* -- JSON --------------------------------------------------------------------------------- */

/* What stands in an array where JSON.stringify() leaves something out. */
static enum jsvalue_json put_element(struct buf *b, const struct pass *v, bool bigints)
{
    enum jsvalue_json r = jsvalue_to_json(b, v, bigints);
    if (r != JSVALUE_JSON_UNDEFINED) return r;
    buf_puts(b, "null");
    return JSVALUE_JSON;
}

static enum jsvalue_json put_array(struct buf *b, const struct pass *v, bool bigints)
{
    buf_putc(b, '[');
    for (size_t i = 0; i < v->count; i++) {
        if (i > 0) buf_putc(b, ',');
        if (put_element(b, v->items[i], bigints) != JSVALUE_JSON) return JSVALUE_JSON_THROWS;
    }
    buf_putc(b, ']');
    return JSVALUE_JSON;
}

/* A member, or nothing at all. */
static enum jsvalue_json put_member(struct buf *b, struct span key, const struct pass *v, bool bigints)
{
    size_t before = b->n;
    if (b->p[b->n - 1] != '{') buf_putc(b, ',');
    json_put_string(b, key);
    buf_putc(b, ':');
    enum jsvalue_json r = jsvalue_to_json(b, v, bigints);
    if (r == JSVALUE_JSON_UNDEFINED) b->n = before;
    return r;
}

static enum jsvalue_json put_record(struct buf *b, const struct pass *v, bool bigints)
{
    size_t start = b->n;
    buf_putc(b, '{');
    for (size_t i = 0; i < v->count; i++) {
        /* A member's own text never ends in an open brace: only the first follows one. */
        if (put_member(b, v->keys[i], v->items[i], bigints) == JSVALUE_JSON_THROWS) {
            b->n = start;
            return JSVALUE_JSON_THROWS;
        }
    }
    buf_putc(b, '}');
    return JSVALUE_JSON;
}

static enum jsvalue_json put_tagged_json(struct buf *b, const struct pass *v, bool bigints)
{
    buf_putc(b, '{');
    if (put_member(b, SPAN("payload"), v->items[0], bigints) == JSVALUE_JSON_THROWS) {
        return JSVALUE_JSON_THROWS;
    }
    buf_putc(b, '}');
    return JSVALUE_JSON;
}

enum jsvalue_json jsvalue_to_json(struct buf *b, const struct pass *v, bool bigints)
{
    switch (v->style) {
    case PASS_UNDEFINED:
    case PASS_SYMBOL: return JSVALUE_JSON_UNDEFINED;
    case PASS_NULL: buf_puts(b, "null"); break;
    case PASS_BOOL: buf_puts(b, v->boolean ? "true" : "false"); break;
    case PASS_NUMBER: json_put_double(b, v->number); break;
    case PASS_BIGINT:
        if (!bigints) return JSVALUE_JSON_THROWS;
        json_put_string(b, v->text);
        break;
    case PASS_STRING: json_put_string(b, v->text); break;
    case PASS_ARRAY: return put_array(b, v, bigints);
    case PASS_RECORD: return put_record(b, v, bigints);
    case PASS_TAGGED: return put_tagged_json(b, v, bigints);
    case PASS_ERROR:     /* their members do not enumerate */
    case PASS_REMOTABLE: /* its methods are no JSON */
    case PASS_PROMISE: buf_puts(b, "{}"); break;
    }
    return JSVALUE_JSON;
}

const struct pass *jsvalue_from_json(struct arena *a, struct span text)
{
    struct jval v;
    if (!js_parse(a, text, &v)) return NULL;
    return pass_from_json(a, v);
}

/* -- making ------------------------------------------------------------------------------- */

const struct pass *jsvalue_copy(struct arena *a, const struct pass *v)
{
    if (v->style == PASS_REMOTABLE || v->style == PASS_PROMISE) return v;
    struct pass *p = pass_new(a, v->style, v->text.p == NULL ? SPAN_NONE : arena_copy(a, v->text));
    p->boolean = v->boolean;
    p->number = v->number;
    if (v->key.p != NULL) p->key = arena_copy(a, v->key);
    p->count = v->count;
    p->items = ARENA_ARRAY(a, const struct pass *, v->count + 1);
    for (size_t i = 0; i < v->count; i++) p->items[i] = jsvalue_copy(a, v->items[i]);
    if (v->keys == NULL) return p;
    struct span *keys = ARENA_ARRAY(a, struct span, v->count + 1);
    for (size_t i = 0; i < v->count; i++) keys[i] = arena_copy(a, v->keys[i]);
    p->keys = keys;
    return p;
}

const struct pass *jsvalue_record1(struct arena *a, const char *key, const struct pass *value)
{
    struct span name = span_of(key);
    return pass_record(a, 1, &name, &value);
}

const struct pass *jsvalue_with(struct arena *a, const struct pass *record, struct span key,
                              const struct pass *value)
{
    struct js_prop *props = ARENA_ARRAY(a, struct js_prop, record->count + 1);
    for (size_t i = 0; i < record->count; i++) {
        props[i] = (struct js_prop){ .name = record->keys[i], .value = record->items[i] };
    }
    props[record->count] = (struct js_prop){ .name = key, .value = value };
    return js_record(a, props, record->count + 1);
}

const struct pass *jsvalue_member(const struct pass *record, struct span key)
{
    for (size_t i = 0; i < record->count; i++) {
        if (span_eq(record->keys[i], key)) return record->items[i];
    }
    return NULL;
}
