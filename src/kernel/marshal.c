/* marshal.c -- making values, and the few questions the kernel asks of capdata. */
#include "kernel/marshal.h"

#include "base/err.h"
#include "base/utf.h"
#include "kernel/marshal_js.h"

/* -- values ---------------------------------------------------------------------- */

struct pass *pass_new(struct arena *a, enum pass_style style, struct span text)
{
    struct pass *p = ARENA_NEW(a, struct pass);
    p->style = style;
    p->text = text;
    return p;
}

const struct pass *pass_undefined(struct arena *a)
{
    return pass_new(a, PASS_UNDEFINED, SPAN_NONE);
}

const struct pass *pass_null(struct arena *a)
{
    return pass_new(a, PASS_NULL, SPAN_NONE);
}

const struct pass *pass_bool(struct arena *a, bool value)
{
    struct pass *p = pass_new(a, PASS_BOOL, SPAN_NONE);
    p->boolean = value;
    return p;
}

const struct pass *pass_number(struct arena *a, double value)
{
    struct pass *p = pass_new(a, PASS_NUMBER, SPAN_NONE);
    p->number = value;
    return p;
}

const struct pass *pass_string(struct arena *a, struct span text)
{
    return pass_new(a, PASS_STRING, arena_copy(a, text));
}

const struct pass *pass_bigint(struct arena *a, struct span digits)
{
    return pass_new(a, PASS_BIGINT, arena_copy(a, digits));
}

const struct pass *pass_error(struct arena *a, struct span name, struct span message)
{
    struct pass *p = pass_new(a, PASS_ERROR, arena_copy(a, message));
    p->key = arena_copy(a, name);
    return p;
}

const struct pass *pass_slot(struct arena *a, struct span slot, struct span iface)
{
    bool promise = span_starts(slot, SPAN("p")) || span_starts(slot, SPAN("kp"))
                   || span_starts(slot, SPAN("lp")) || span_starts(slot, SPAN("rp"));
    enum pass_style style = promise ? PASS_PROMISE : PASS_REMOTABLE;
    struct pass *p = pass_new(a, style, arena_copy(a, slot));
    if (promise) return p;
    if (iface.p == NULL) iface = SPAN("undefined");
    if (span_starts(iface, SPAN("Alleged: "))) iface = span_from(iface, 9);
    p->key = arena_copy(a, iface);
    return p;
}

const struct pass *pass_array(struct arena *a, size_t count,
                              const struct pass *const *items)
{
    struct pass *p = pass_new(a, PASS_ARRAY, SPAN_NONE);
    p->count = count;
    p->items = ARENA_ARRAY(a, const struct pass *, count);
    for (size_t i = 0; i < count; i++)
        p->items[i] = items[i];
    return p;
}

const struct pass *pass_record(struct arena *a, size_t count, const struct span *keys,
                               const struct pass *const *values)
{
    struct js_prop *props = ARENA_ARRAY(a, struct js_prop, count);
    for (size_t i = 0; i < count; i++) {
        props[i].name = arena_copy(a, keys[i]);
        props[i].value = values[i];
    }
    return js_record(a, props, count);
}

const struct pass *pass_get(const struct pass *record, const char *key)
{
    if (record->style != PASS_RECORD) return NULL;
    for (size_t i = 0; i < record->count; i++) {
        if (span_is(record->keys[i], key)) return record->items[i];
    }
    return NULL;
}

static const struct pass *array_from_json(struct arena *a, struct jval v)
{
    struct pass *p = pass_new(a, PASS_ARRAY, SPAN_NONE);
    p->items = ARENA_ARRAY(a, const struct pass *, json_len(v));
    for (struct jval e = json_first(v); json_type(e) != JSON_NONE; e = json_next(e)) {
        p->items[p->count++] = pass_from_json(a, e);
    }
    return p;
}

static const struct pass *record_from_json(struct arena *a, struct jval v)
{
    size_t count;
    struct js_prop *props = js_props(a, v, &count);
    for (size_t i = 0; i < count; i++) {
        props[i].name = arena_copy(a, props[i].name);
        props[i].value = pass_from_json(a, props[i].raw);
    }
    return js_record(a, props, count);
}

const struct pass *pass_from_json(struct arena *a, struct jval v)
{
    double n = 0;
    switch (json_type(v)) {
    case JSON_NULL: return pass_null(a);
    case JSON_FALSE: return pass_bool(a, false);
    case JSON_TRUE: return pass_bool(a, true);
    case JSON_NUMBER:
        INVARIANT(json_double(v, &n));
        return pass_number(a, n);
    case JSON_STRING: return pass_string(a, json_str(v, a));
    case JSON_ARRAY: return array_from_json(a, v);
    case JSON_OBJECT: return record_from_json(a, v);
    case JSON_NONE: break;
    }
    return pass_undefined(a);
}

/* -- over the kernel's capdata ------------------------------------------------------ */

bool marshal_decode_k(struct arena *a, const struct capdata *data, const struct pass **out,
                      const char **why)
{
    struct vat_capdata text = { .body = data->body, .count = data->count };
    text.slots = ARENA_ARRAY(a, struct span, data->count);
    for (size_t i = 0; i < data->count; i++) {
        struct id_text t = kref_text(data->slots[i]);
        text.slots[i] = arena_copy(a, span_of(t.s));
    }
    return marshal_decode(a, &text, out, why);
}

void marshal_encode_k(struct arena *a, const struct pass *value, struct capdata *out)
{
    struct vat_capdata text;
    marshal_encode(a, value, &text);
    kref *slots = ARENA_ARRAY(a, kref, text.count);
    for (size_t i = 0; i < text.count; i++)
        INVARIANT(kref_parse(text.slots[i], &slots[i]));
    *out = (struct capdata){ text.body, text.count, slots };
}

void marshal_error(struct arena *a, struct span message, struct capdata *out)
{
    marshal_encode_k(a, pass_error(a, SPAN("Error"), message), out);
}

bool marshal_single_slot(struct arena *a, const struct capdata *data, kref *out)
{
    const struct pass *p;
    const char *why;
    if (!marshal_decode_k(a, data, &p, &why)) return false;
    *out = (kref){ .kind = KREF_INVALID };
    if (p->style == PASS_REMOTABLE || p->style == PASS_PROMISE) {
        INVARIANT(kref_parse(p->text, out));
    }
    return true;
}

/* -- the name of a method, for people ------------------------------------------------ */

/* After swingset-vat's kdebug.js. */
static const struct span unintelligible = { "<unintelligible method>", 23 };

static struct span bracketed(struct arena *a, struct span s)
{
    char *p = arena_alloc(a, s.n + 2);
    p[0] = '[';
    memcpy(p + 1, s.p, s.n);
    p[1 + s.n] = ']';
    return (struct span){ p, s.n + 2 };
}

static struct span method_of_string(struct arena *a, struct span s, bool smallcaps)
{
    if (!smallcaps || s.n == 0) return s;
    switch (s.p[0]) {
    case '%': return bracketed(a, span_from(s, 1));
    case '#': return span_is(s, "#undefined") ? SPAN("<funcall>") : unintelligible;
    case '!': return span_from(s, 1);
    case '+':
    case '-':
    case '$':
    case '&': return unintelligible;
    default: return s;
    }
}

static struct span method_of_object(struct arena *a, struct jval v)
{
    struct jval class = json_get(v, "@qclass");
    if (json_is(class, "undefined")) return SPAN("<funcall>");
    if (json_is(class, "@@asyncIterator")) return SPAN("[Symbol.asyncIterator]");
    if (!json_is(class, "symbol")) return SPAN("<invalid method type>");

    struct buf b = { 0 };
    struct span out = unintelligible;
    if (js_put_text(a, &b, json_get(v, "name"))) out = bracketed(a, buf_span(&b));
    buf_fini(&b);
    return out;
}

static struct span method_of(struct arena *a, struct jval v, bool smallcaps)
{
    switch (json_type(v)) {
    case JSON_NONE: return SPAN("<funcall>");
    case JSON_STRING: return method_of_string(a, json_str(v, a), smallcaps);
    case JSON_ARRAY:
    case JSON_OBJECT: return smallcaps ? unintelligible : method_of_object(a, v);
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
    case JSON_NUMBER: break;
    }
    return unintelligible;
}

/* "text"[0]: a UTF-16 code unit, maybe half of a pair. */
static struct span first_unit(struct arena *a, struct span s)
{
    uint32_t cp;
    size_t n = utf_decode(s, &cp);
    if (n < 4) return (struct span){ s.p, n };
    char *p = arena_alloc(a, UTF_MAX);
    return (struct span){ p, utf_encode(p, 0xd800 + ((cp - 0x10000) >> 10)) };
}

struct span marshal_method(struct arena *a, struct span body)
{
    struct jval v;
    bool smallcaps = span_starts(body, SPAN("#"));
    body = arena_copy(a, smallcaps ? span_from(body, 1) : body);
    if (!js_parse(a, body, &v)) return SPAN("<unknown>");
    switch (json_type(v)) { /* JSON.parse(body)[0] */
    case JSON_NONE:
    case JSON_NULL: return SPAN("<unknown>");
    case JSON_FALSE:
    case JSON_TRUE:
    case JSON_NUMBER: break;
    case JSON_STRING:
        if (json_str(v, a).n == 0) break;
        return method_of_string(a, first_unit(a, json_str(v, a)), smallcaps);
    case JSON_ARRAY: return method_of(a, json_at(v, 0), smallcaps);
    case JSON_OBJECT: return method_of(a, json_get(v, "0"), smallcaps);
    }
    return SPAN("<funcall>");
}

struct span marshal_describe(struct arena *a, const struct capdata *data)
{
    const struct pass *value;
    const char *why;
    if (!marshal_decode_k(a, data, &value, &why) || value->style != PASS_ERROR) return data->body;
    return arena_printf(a, "%.*s: %.*s", SPAN_ARG(value->key), SPAN_ARG(value->text));
}
