/* marshal_decode.c -- kunser(): a body and its slots into a tree.
 *
 * After marshal.js; the formats are in marshal_smallcaps.c and marshal_qclass.c.
 */
#include "kernel/marshal_decode.h"

#include <math.h>

const struct pass *decode_fail(struct decoder *d, const char *why)
{
    d->why = why;
    return NULL;
}

/* -- what the formats share -------------------------------------------------------- */

const struct pass *decode_array(struct decoder *d, struct jval v, decode_fn *recur)
{
    struct pass *p = pass_new(d->a, PASS_ARRAY, SPAN_NONE);
    p->items = ARENA_ARRAY(d->a, const struct pass *, json_len(v));
    for (struct jval e = json_first(v); json_type(e) != JSON_NONE; e = json_next(e)) {
        const struct pass *item = recur(d, e);
        if (item == NULL) return NULL;
        p->items[p->count++] = item;
    }
    return p;
}

const struct pass *decode_number(struct decoder *d, struct jval v)
{
    double n;
    return json_double(v, &n) ? pass_number(d->a, n) : decode_fail(d, "malformed number");
}

const struct pass *decode_bigint(struct decoder *d, struct span text)
{
    struct span digits;
    if (!js_bigint(d->a, text, &digits)) return decode_fail(d, "malformed bigint");
    return pass_new(d->a, PASS_BIGINT, digits);
}

/* The symbols on `Symbol` under lockdown.  Node 20 has the last two by polyfill, as
 * registered symbols, and names them so from then on. */
static bool well_known_symbol(struct span suffix, struct span *name)
{
    static const struct {
        const char *suffix, *name;
    } symbols[] = {
        { "asyncIterator", "@@asyncIterator" },
        { "hasInstance", "@@hasInstance" },
        { "isConcatSpreadable", "@@isConcatSpreadable" },
        { "iterator", "@@iterator" },
        { "match", "@@match" },
        { "matchAll", "@@matchAll" },
        { "replace", "@@replace" },
        { "search", "@@search" },
        { "species", "@@species" },
        { "split", "@@split" },
        { "toPrimitive", "@@toPrimitive" },
        { "toStringTag", "@@toStringTag" },
        { "unscopables", "@@unscopables" },
        { "dispose", "nodejs.dispose" },
        { "asyncDispose", "nodejs.asyncDispose" },
    };
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        if (span_is(suffix, symbols[i].suffix)) {
            *name = span_of(symbols[i].name);
            return true;
        }
    }
    return false;
}

static bool has_line_terminator(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        struct span rest = span_from(s, i);
        if (s.p[i] == '\n' || s.p[i] == '\r' || span_starts(rest, SPAN("\xe2\x80\xa8"))
            || span_starts(rest, SPAN("\xe2\x80\xa9"))) {
            return true;
        }
    }
    return false;
}

const struct pass *pass_symbol(struct arena *a, struct span name)
{
    if (!span_starts(name, SPAN("@@"))) return pass_new(a, PASS_SYMBOL, name);
    /* Upstream's pattern is /^@@(.*)$/, and '.' matches no line terminator: such a name is
     * a registered symbol's, whose own name begins with "@@". */
    if (has_line_terminator(name)) {
        char *text = arena_alloc(a, name.n + 2);
        memcpy(text, "@@", 2);
        memcpy(text + 2, name.p, name.n);
        return pass_new(a, PASS_SYMBOL, (struct span){ text, name.n + 2 });
    }
    struct span suffix = span_from(name, 2);
    return span_starts(suffix, SPAN("@@")) || well_known_symbol(suffix, &name)
               ? pass_new(a, PASS_SYMBOL, name)
               : NULL;
}

const struct pass *decode_symbol(struct decoder *d, struct span name)
{
    const struct pass *symbol = pass_symbol(d->a, name);
    return symbol != NULL ? symbol : decode_fail(d, "reserved for well known symbol");
}

const struct pass *decode_slot(struct decoder *d, uint64_t index, struct span iface)
{
    if (index >= d->data->count) return decode_fail(d, "slot index out of range");
    if (d->seen[index] == NULL) {
        struct span slot = d->data->slots[index];
        d->seen[index] = d->names == NULL
                             ? pass_slot(d->a, slot, iface)
                             : d->names->value(d->names->self, slot, iface, &d->why);
    }
    return d->seen[index];
}

/* -- errors ------------------------------------------------------------------------ */

/* getErrorConstructor(name) || Error */
static struct span error_class(struct span name)
{
    static const char *const classes[] = {
        "EvalError", "RangeError", "ReferenceError", "SyntaxError",
        "TypeError", "URIError",   "AggregateError",
    };
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (span_is(name, classes[i])) return span_of(classes[i]);
    }
    return SPAN("Error");
}

/* Does `${value}` work?  It does not for a symbol, nor where a member hides toString(). */
static bool has_text(const struct pass *p)
{
    if (p->style == PASS_SYMBOL) return false;
    if (p->style == PASS_RECORD) return pass_get(p, "toString") == NULL;
    for (size_t i = 0; p->style == PASS_ARRAY && i < p->count; i++) {
        if (!has_text(p->items[i])) return false;
    }
    return true;
}

/* AggregateError(errors || []): iterable, or falsy. */
static bool may_aggregate(const struct pass *errors)
{
    switch (errors->style) {
    case PASS_UNDEFINED:
    case PASS_NULL:
    case PASS_STRING:
    case PASS_ARRAY: return true;
    case PASS_BOOL: return !errors->boolean;
    case PASS_NUMBER: return errors->number == 0 || isnan(errors->number);
    case PASS_BIGINT: return span_is(errors->text, "0");
    case PASS_SYMBOL:
    case PASS_RECORD:
    case PASS_TAGGED:
    case PASS_ERROR:
    case PASS_REMOTABLE:
    case PASS_PROMISE: break;
    }
    return false;
}

/* Decode what upstream decodes, looks at, and does not pass on. */
static bool decode_errors(struct decoder *d, struct jval v, struct span class,
                          decode_fn *recur)
{
    bool outside = d->impassable;
    if (js_falsy(v)) return true;
    d->impassable = false;
    const struct pass *errors = recur(d, v);
    if (errors == NULL) return false;
    if (span_is(class, "AggregateError") && !may_aggregate(errors)) {
        return decode_fail(d, "errors of an AggregateError that are not iterable") != NULL;
    }
    if (errors->style == PASS_ARRAY && d->impassable) {
        return decode_fail(d, "errors that are not passable") != NULL;
    }
    d->impassable = outside;
    return true;
}

static bool decode_and_drop(struct decoder *d, struct jval v, decode_fn *recur,
                            const struct pass **out)
{
    bool outside = d->impassable;
    *out = NULL;
    if (js_falsy(v)) return true;
    *out = recur(d, v);
    d->impassable = outside;
    return *out != NULL;
}

static const struct pass *decode_text(struct decoder *d, const struct js_prop *prop,
                                      decode_fn *recur, const char *why)
{
    if (prop == NULL) return decode_fail(d, why);
    const struct pass *p = recur(d, prop->raw);
    if (p == NULL) return NULL;
    return p->style == PASS_STRING ? p : decode_fail(d, why);
}

/* In upstream's order. */
const struct pass *decode_error(struct decoder *d, const struct js_prop *props,
                                size_t count, const char *marker,
                                const struct js_prop *message, decode_fn *recur)
{
    const struct pass *dropped;
    const struct js_prop *id = js_find(props, count, "errorId");
    const struct js_prop *cause = js_find(props, count, "cause");
    const struct js_prop *errors = js_find(props, count, "errors");
    const struct js_prop *name = js_find(props, count, "name");

    const struct pass *name_text = decode_text(d, name, recur, "invalid error name");
    if (name_text == NULL) return NULL;
    const struct pass *text = decode_text(d, message, recur, "invalid error message");
    if (text == NULL) return NULL;
    if (id != NULL) {
        if (!decode_and_drop(d, id->raw, recur, &dropped)) return NULL;
        if (dropped != NULL && !has_text(dropped)) return decode_fail(d, "invalid errorId");
    }
    struct span class = error_class(name_text->text);
    if (cause != NULL && !decode_and_drop(d, cause->raw, recur, &dropped)) return NULL;
    if (errors != NULL && !decode_errors(d, errors->raw, class, recur)) return NULL;
    for (size_t i = 0; i < count; i++) {
        const struct js_prop *p = &props[i];
        bool outside = d->impassable;
        if (p == id || p == cause || p == errors || p == name || p == message) continue;
        if (span_is(p->name, marker)) continue;
        if (recur(d, p->raw) == NULL) return NULL;
        d->impassable = outside;
    }
    struct pass *p = pass_new(d->a, PASS_ERROR, text->text);
    p->key = class;
    return p;
}

const struct pass *decode_tagged(struct decoder *d, struct span tag,
                                 const struct js_prop *payload, decode_fn *recur)
{
    struct pass *p = pass_new(d->a, PASS_TAGGED, tag);
    bool outside = d->impassable;
    d->impassable = false;
    const struct pass *item =
        payload == NULL ? pass_undefined(d->a) : recur(d, payload->raw);
    if (item == NULL) return NULL;
    if (d->impassable) return decode_fail(d, "payload is not passable");
    d->impassable = outside;
    p->count = 1;
    p->items = ARENA_ARRAY(d->a, const struct pass *, 1);
    p->items[0] = item;
    return p;
}

/* -- the whole ------------------------------------------------------------------------- */

bool marshal_decode_as(struct arena *a, const struct vat_capdata *data,
                       const struct marshal_names *names, const struct pass **out,
                       const char **why)
{
    struct decoder d = { .a = a, .data = data, .names = names };
    struct span body = arena_copy(a, data->body); /* the tree's texts point into it */
    bool is_smallcaps = span_starts(body, SPAN("#"));
    const struct pass *p;
    struct jval v;

    d.seen = ARENA_ARRAY(a, const struct pass *, data->count);
    if (!js_parse(a, is_smallcaps ? span_from(body, 1) : body, &v)) {
        p = decode_fail(&d, "body is not JSON");
    } else {
        p = is_smallcaps ? decode_smallcaps(&d, v) : decode_qclass(&d, v);
    }
    if (p != NULL && d.impassable) p = decode_fail(&d, "value is not passable");
    if (p == NULL) {
        *why = d.why;
        return false;
    }
    *out = p;
    return true;
}

bool marshal_decode(struct arena *a, const struct vat_capdata *data,
                    const struct pass **out, const char **why)
{
    return marshal_decode_as(a, data, NULL, out, why);
}
