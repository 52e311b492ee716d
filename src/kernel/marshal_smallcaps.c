/* marshal_smallcaps.c -- decoding the present format, after encodeToSmallcaps.js. */
#include "kernel/marshal_decode.h"

#include <math.h>

static const struct pass *smallcaps_slot(struct decoder *d, struct span s)
{
    const char *dot = memchr(s.p, '.', s.n);
    struct span number = span_from(s, 1), iface = SPAN_NONE;
    uint64_t index;
    if (dot != NULL) {
        iface = span_from(s, (size_t)(dot - s.p) + 1);
        number.n = (size_t)(dot - number.p);
    }
    if (!js_nat_text(d->a, number, &index)) return decode_fail(d, "malformed slot index");
    const struct pass *p = decode_slot(d, index, iface);
    if (p == NULL) return NULL;
    if (p->style != (s.p[0] == '$' ? PASS_REMOTABLE : PASS_PROMISE)) {
        return decode_fail(d, "a remotable encoded as a promise, or the reverse");
    }
    return p;
}

static const struct pass *smallcaps_constant(struct decoder *d, struct span s)
{
    if (span_is(s, "#undefined")) return pass_undefined(d->a);
    if (span_is(s, "#NaN")) return pass_number(d->a, NAN);
    if (span_is(s, "#Infinity")) return pass_number(d->a, INFINITY);
    if (span_is(s, "#-Infinity")) return pass_number(d->a, -INFINITY);
    return decode_fail(d, "unknown constant");
}

static const struct pass *smallcaps_string(struct decoder *d, struct span s)
{
    if (s.n == 0 || s.p[0] < '!' || s.p[0] > '-') return pass_new(d->a, PASS_STRING, s);
    switch (s.p[0]) {
    case '!': return pass_new(d->a, PASS_STRING, span_from(s, 1));
    case '%': return decode_symbol(d, span_from(s, 1));
    case '#': return smallcaps_constant(d, s);
    case '+':
    case '-': return decode_bigint(d, s);
    case '$':
    case '&': return smallcaps_slot(d, s);
    default: return decode_fail(d, "special character reserved for future use");
    }
}

static const struct pass *smallcaps_tagged(struct decoder *d, const struct js_prop *props,
                                           size_t count, const struct js_prop *tag)
{
    const struct js_prop *payload = js_find(props, count, "payload");
    if (json_type(tag->raw) != JSON_STRING) return decode_fail(d, "a tag must be a string");
    if (count != 2 || payload == NULL) return decode_fail(d, "unexpected #tag properties");
    const struct pass *name = decode_smallcaps(d, tag->raw);
    if (name == NULL) return NULL;
    if (name->style != PASS_STRING) return decode_fail(d, "a tag must be a string");
    return decode_tagged(d, name->text, payload, decode_smallcaps);
}

static const struct pass *smallcaps_object(struct decoder *d, struct jval v)
{
    size_t count;
    struct js_prop *props = js_props(d->a, v, &count);
    const struct js_prop *tag = js_find(props, count, "#tag");
    const struct js_prop *message = js_find(props, count, "#error");

    if (tag != NULL) return smallcaps_tagged(d, props, count, tag);
    if (message != NULL) {
        if (js_find(props, count, "message") != NULL) {
            return decode_fail(d, "unexpected message beside #error");
        }
        return decode_error(d, props, count, "#error", message, decode_smallcaps);
    }
    for (size_t i = 0; i < count; i++) {
        if (span_starts(props[i].name, SPAN("#"))) {
            return decode_fail(d, "unrecognized record type");
        }
        const struct pass *name = smallcaps_string(d, props[i].name);
        if (name == NULL) return NULL;
        if (name->style != PASS_STRING) {
            return decode_fail(d, "a property's name must be a string");
        }
        props[i].name = name->text;
        props[i].value = decode_smallcaps(d, props[i].raw);
        if (props[i].value == NULL) return NULL;
    }
    return js_record(d->a, props, count);
}

const struct pass *decode_smallcaps(struct decoder *d, struct jval v)
{
    switch (json_type(v)) {
    case JSON_NULL: return pass_null(d->a);
    case JSON_FALSE: return pass_bool(d->a, false);
    case JSON_TRUE: return pass_bool(d->a, true);
    case JSON_NUMBER: return decode_number(d, v);
    case JSON_STRING: return smallcaps_string(d, json_str(v, d->a));
    case JSON_ARRAY: return decode_array(d, v, decode_smallcaps);
    case JSON_OBJECT: return smallcaps_object(d, v);
    case JSON_NONE: break;
    }
    return decode_fail(d, "a value is missing");
}
