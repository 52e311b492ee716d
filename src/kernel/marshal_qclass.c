/* marshal_qclass.c -- decoding the older format, records with "@qclass", after
 * encodeToCapData.js.  kunser() takes it wherever a body does not begin with '#'. */
#include "kernel/marshal_decode.h"

#include <math.h>

/* kslot()'s `iface` is what JSON holds: it calls startsWith() on what is not falsy, and
 * prints what is. */
static bool qclass_iface(struct decoder *d, const struct js_prop *prop, struct span *out)
{
    *out = SPAN_NONE;
    if (prop == NULL) return true;
    switch (json_type(prop->raw)) {
    case JSON_STRING: *out = json_str(prop->raw, d->a); return true;
    case JSON_NULL: *out = SPAN("null"); return true;
    case JSON_FALSE: *out = SPAN("false"); return true;
    case JSON_NUMBER: *out = SPAN("0"); return js_falsy(prop->raw);
    case JSON_NONE:
    case JSON_TRUE:
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    return false;
}

static const struct pass *qclass_slot(struct decoder *d, const struct js_prop *props,
                                      size_t count)
{
    const struct js_prop *at = js_find(props, count, "index");
    const struct js_prop *iface = js_find(props, count, "iface");
    struct span text;
    uint64_t index;
    double n;

    if (count != 1 + (size_t)(at != NULL) + (size_t)(iface != NULL)) {
        return decode_fail(d, "unexpected encoded slot properties");
    }
    if (at == NULL || !json_double(at->raw, &n) || !js_nat(n, &index)) {
        return decode_fail(d, "malformed slot index");
    }
    if (index < d->data->count && d->seen[index] != NULL) return d->seen[index];
    if (!qclass_iface(d, iface, &text)) return decode_fail(d, "invalid interface");
    return decode_slot(d, index, text);
}

static bool hilbert_rest(struct decoder *d, struct jval v, const struct pass **rest)
{
    bool object =
        json_type(v) == JSON_ARRAY || (json_type(v) == JSON_OBJECT && json_len(v) > 0);
    if (!object) return decode_fail(d, "rest must be a non-empty object") != NULL;
    *rest = decode_qclass(d, v);
    if (*rest == NULL) return false;
    switch ((*rest)->style) {
    case PASS_RECORD:
        if (pass_get(*rest, "@qclass") == NULL) return true;
        return decode_fail(d, "rest must not contain its own @qclass") != NULL;
    case PASS_UNDEFINED:
    case PASS_NULL: return decode_fail(d, "rest is not an object") != NULL;
    case PASS_ARRAY: /* their own properties make no record */
    case PASS_TAGGED:
    case PASS_ERROR:
    case PASS_REMOTABLE:
    case PASS_PROMISE: d->impassable = true; break;
    case PASS_BOOL: /* no properties of their own */
    case PASS_NUMBER:
    case PASS_BIGINT:
    case PASS_STRING:
    case PASS_SYMBOL: break;
    }
    *rest = NULL;
    return true;
}

/* A record with a member that is itself called "@qclass". */
static const struct pass *qclass_hilbert(struct decoder *d, const struct js_prop *props,
                                         size_t count)
{
    const struct js_prop *original = js_find(props, count, "original");
    const struct js_prop *others = js_find(props, count, "rest");
    const struct pass *rest = NULL;

    if (original == NULL) return decode_fail(d, "invalid Hilbert Hotel encoding");
    const struct pass *first = decode_qclass(d, original->raw);
    if (first == NULL) return NULL;
    if (others != NULL && !hilbert_rest(d, others->raw, &rest)) return NULL;

    size_t more = rest == NULL ? 0 : rest->count;
    struct js_prop *all = ARENA_ARRAY(d->a, struct js_prop, 1 + more);
    all[0] = (struct js_prop){ .name = SPAN("@qclass"), .value = first };
    for (size_t i = 0; i < more; i++) {
        all[1 + i] = (struct js_prop){ .name = rest->keys[i], .value = rest->items[i] };
    }
    return js_record(d->a, all, 1 + more);
}

static const struct pass *qclass_bigint(struct decoder *d, const struct js_prop *digits)
{
    if (digits == NULL || json_type(digits->raw) != JSON_STRING) {
        return decode_fail(d, "invalid digits");
    }
    return decode_bigint(d, json_str(digits->raw, d->a));
}

static const struct pass *qclass_symbol(struct decoder *d, const struct js_prop *name)
{
    if (name == NULL || json_type(name->raw) != JSON_STRING) {
        return decode_fail(d, "a symbol's name must be a string");
    }
    return decode_symbol(d, json_str(name->raw, d->a));
}

/* Upstream decodes the payload before it looks at the tag; either way it throws. */
static const struct pass *qclass_tagged(struct decoder *d, const struct js_prop *tag,
                                        const struct js_prop *payload)
{
    if (tag == NULL || json_type(tag->raw) != JSON_STRING) {
        return decode_fail(d, "a tag must be a string");
    }
    return decode_tagged(d, json_str(tag->raw, d->a), payload, decode_qclass);
}

static const struct pass *qclass_special(struct decoder *d, struct jval class,
                                         const struct js_prop *props, size_t count)
{
    if (json_is(class, "slot")) return qclass_slot(d, props, count);
    if (json_is(class, "undefined")) return pass_undefined(d->a);
    if (json_is(class, "bigint")) return qclass_bigint(d, js_find(props, count, "digits"));
    if (json_is(class, "error")) {
        return decode_error(d, props, count, "@qclass", js_find(props, count, "message"),
                            decode_qclass);
    }
    if (json_is(class, "tagged")) {
        return qclass_tagged(d, js_find(props, count, "tag"),
                             js_find(props, count, "payload"));
    }
    if (json_is(class, "symbol")) return qclass_symbol(d, js_find(props, count, "name"));
    if (json_is(class, "@@asyncIterator")) return decode_symbol(d, SPAN("@@asyncIterator"));
    if (json_is(class, "hilbert")) return qclass_hilbert(d, props, count);
    if (json_is(class, "NaN")) return pass_number(d->a, NAN);
    if (json_is(class, "Infinity")) return pass_number(d->a, INFINITY);
    if (json_is(class, "-Infinity")) return pass_number(d->a, -INFINITY);
    return decode_fail(d, "unrecognized @qclass");
}

static const struct pass *qclass_object(struct decoder *d, struct jval v)
{
    size_t count;
    struct js_prop *props = js_props(d->a, v, &count);
    const struct js_prop *class = js_find(props, count, "@qclass");

    if (class != NULL) return qclass_special(d, class->raw, props, count);
    for (size_t i = 0; i < count; i++) {
        props[i].value = decode_qclass(d, props[i].raw);
        if (props[i].value == NULL) return NULL;
    }
    return js_record(d->a, props, count);
}

const struct pass *decode_qclass(struct decoder *d, struct jval v)
{
    switch (json_type(v)) {
    case JSON_NULL: return pass_null(d->a);
    case JSON_FALSE: return pass_bool(d->a, false);
    case JSON_TRUE: return pass_bool(d->a, true);
    case JSON_NUMBER: return decode_number(d, v);
    case JSON_STRING: return pass_new(d->a, PASS_STRING, json_str(v, d->a));
    case JSON_ARRAY: return decode_array(d, v, decode_qclass);
    case JSON_OBJECT: return qclass_object(d, v);
    case JSON_NONE: break;
    }
    return decode_fail(d, "a value is missing");
}
