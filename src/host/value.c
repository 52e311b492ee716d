/* value.c -- passable data as readable JSON, and back. */
#include "host/value.h"

#include <math.h>

/* Of a key: it begins as those of a form do. */
static bool is_marked(struct span key)
{
    return key.n > 0 && (key.p[0] == '@' || key.p[0] == '#');
}

/* -- writing ----------------------------------------------------------------------- */

static void put_number(struct buf *b, double d)
{
    if (isnan(d))
        buf_puts(b, "{\"@number\":\"NaN\"}");
    else if (isinf(d))
        buf_puts(b, d > 0 ? "{\"@number\":\"Infinity\"}" : "{\"@number\":\"-Infinity\"}");
    else if (d == 0 && signbit(d))
        buf_puts(b, "-0");
    else
        json_put_double(b, d);
}

static void put_form(struct buf *b, const char *form, struct span text)
{
    buf_printf(b, "{\"%s\":", form);
    json_put_string(b, text);
    buf_putc(b, '}');
}

static void put_items(struct buf *b, const struct pass *value)
{
    buf_putc(b, '[');
    for (size_t i = 0; i < value->count; i++) {
        if (i > 0)
            buf_putc(b, ',');
        value_put(b, value->items[i]);
    }
    buf_putc(b, ']');
}

static void put_key(struct buf *b, struct span key)
{
    if (!is_marked(key)) {
        json_put_string(b, key);
        return;
    }
    struct buf escaped = { 0 };
    buf_putc(&escaped, key.p[0]);
    buf_put(&escaped, key);
    json_put_string(b, buf_span(&escaped));
    buf_fini(&escaped);
}

static void put_record(struct buf *b, const struct pass *value)
{
    buf_putc(b, '{');
    for (size_t i = 0; i < value->count; i++) {
        if (i > 0)
            buf_putc(b, ',');
        put_key(b, value->keys[i]);
        buf_putc(b, ':');
        value_put(b, value->items[i]);
    }
    buf_putc(b, '}');
}

static void put_remotable(struct buf *b, const struct pass *value)
{
    buf_puts(b, "{\"@ref\":");
    json_put_string(b, value->text);
    if (value->key.p != NULL) {
        buf_puts(b, ",\"iface\":");
        json_put_string(b, value->key);
    }
    buf_putc(b, '}');
}

static void put_error(struct buf *b, const struct pass *value)
{
    buf_puts(b, "{\"@error\":{\"name\":");
    json_put_string(b, value->key);
    buf_puts(b, ",\"message\":");
    json_put_string(b, value->text);
    buf_puts(b, "}}");
}

static void put_tagged(struct buf *b, const struct pass *value)
{
    buf_puts(b, "{\"@tagged\":");
    json_put_string(b, value->text);
    buf_puts(b, ",\"payload\":");
    value_put(b, value->items[0]);
    buf_putc(b, '}');
}

void value_put(struct buf *b, const struct pass *value)
{
    switch (value->style) {
    case PASS_UNDEFINED: buf_puts(b, "{\"@undefined\":true}"); break;
    case PASS_NULL: buf_puts(b, "null"); break;
    case PASS_BOOL: buf_puts(b, value->boolean ? "true" : "false"); break;
    case PASS_NUMBER: put_number(b, value->number); break;
    case PASS_BIGINT: put_form(b, "@bigint", value->text); break;
    case PASS_STRING: json_put_string(b, value->text); break;
    case PASS_SYMBOL: put_form(b, "@symbol", value->text); break;
    case PASS_ARRAY: put_items(b, value); break;
    case PASS_RECORD: put_record(b, value); break;
    case PASS_TAGGED: put_tagged(b, value); break;
    case PASS_ERROR: put_error(b, value); break;
    case PASS_REMOTABLE: put_remotable(b, value); break;
    case PASS_PROMISE: put_form(b, "@ref", value->text); break;
    }
}

void value_put_reason(struct buf *b, const struct pass *value)
{
    if (value->style != PASS_ERROR) {
        value_put(b, value);
        return;
    }
    buf_put(b, value->key);
    if (value->key.n > 0 && value->text.n > 0)
        buf_puts(b, ": ");
    buf_put(b, value->text);
}

/* -- reading ----------------------------------------------------------------------- */

struct reading {
    struct arena *a;
    value_resolve *resolve;
    void *ctx;
};

static int read_value(const struct reading *r, struct jval v, const struct pass **out,
                      struct err *e);

static int read_ref(const struct reading *r, struct jval v, struct jval ref,
                    const struct pass **out, struct err *e)
{
    struct span text = json_str(ref, r->a), name;
    if (text.p == NULL || text.n == 0)
        return err_set(e, EXIT_USAGE,
                       "\"@ref\" takes a reference, as in {\"@ref\":\"ko12\"}");
    if (r->resolve(r->ctx, r->a, text, &name, e) != 0)
        return -1;
    *out = pass_slot(r->a, name, json_str(json_get(v, "iface"), r->a));
    return 0;
}

static bool is_bigint(struct span s)
{
    size_t at = s.n > 0 && s.p[0] == '-' ? 1 : 0;
    if (s.n == at || (s.p[at] == '0' && s.n > 1))
        return false;
    for (size_t i = at; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    }
    return true;
}

static int read_bigint(const struct reading *r, struct jval digits, const struct pass **out,
                       struct err *e)
{
    struct span text = json_str(digits, r->a);
    if (!is_bigint(text))
        return err_set(e, EXIT_USAGE,
                       "\"@bigint\" takes digits, as in {\"@bigint\":\"-12\"}");
    struct pass *p = ARENA_NEW(r->a, struct pass);
    p->style = PASS_BIGINT;
    p->text = text;
    *out = p;
    return 0;
}

static int read_number(const struct reading *r, struct jval v, const struct pass **out,
                       struct err *e)
{
    static const struct {
        const char *name;
        double number;
    } known[] = {
        { "NaN", (double)NAN },
        { "Infinity", HUGE_VAL },
        { "-Infinity", -HUGE_VAL },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (json_is(v, known[i].name)) {
            *out = pass_number(r->a, known[i].number);
            return 0;
        }
    }
    return err_set(e, EXIT_USAGE,
                   "\"@number\" takes \"NaN\", \"Infinity\" or \"-Infinity\"");
}

static int read_symbol(struct arena *a, struct jval v, const struct pass **out,
                       struct err *e)
{
    struct span name = json_str(v, a);
    const struct pass *symbol = name.p != NULL ? pass_symbol(a, name) : NULL;
    if (symbol == NULL)
        return err_set(e, EXIT_USAGE,
                       "\"@symbol\" takes a name, as in {\"@symbol\":\"@@asyncIterator\"}");
    *out = symbol;
    return 0;
}

static int read_error(const struct reading *r, struct jval error, const struct pass **out,
                      struct err *e)
{
    struct span name = json_str(json_get(error, "name"), r->a);
    struct span message = json_str(json_get(error, "message"), r->a);
    if (name.p == NULL || message.p == NULL)
        return err_set(e, EXIT_USAGE,
                       "\"@error\" takes a record of \"name\" and \"message\"");
    *out = pass_error(r->a, name, message);
    return 0;
}

static int read_form(const struct reading *r, struct jval v, struct span key,
                     struct jval first, const struct pass **out, struct err *e)
{
    struct span form = span_from(key, 1);
    if (span_is(form, "ref") || span_is(form, "slot"))
        return read_ref(r, v, first, out, e);
    if (span_is(form, "bigint"))
        return read_bigint(r, first, out, e);
    if (span_is(form, "number"))
        return read_number(r, first, out, e);
    if (span_is(form, "symbol"))
        return read_symbol(r->a, first, out, e);
    if (span_is(form, "error"))
        return read_error(r, first, out, e);
    if (!span_is(form, "undefined"))
        return err_set(e, EXIT_USAGE,
                       "\"%.*s\": unknown form; a key that begins with %c is written "
                       "with %c%c",
                       SPAN_ARG(key), key.p[0], key.p[0], key.p[0]);
    *out = pass_undefined(r->a);
    return 0;
}

static int read_record(const struct reading *r, struct jval v, const struct pass **out,
                       struct err *e)
{
    size_t n = json_len(v), used = 0;
    struct span *keys = ARENA_ARRAY(r->a, struct span, n + 1);
    const struct pass **values = ARENA_ARRAY(r->a, const struct pass *, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct span key = json_key_at(v, i, r->a);
        size_t at = 0;
        if (is_marked(key) && key.n > 1 && key.p[1] == key.p[0])
            key = span_from(key, 1);
        else if (is_marked(key))
            return read_form(r, v, key, json_at(v, i), out, e);
        while (at < used && !span_eq(keys[at], key))
            at++;
        if (read_value(r, json_at(v, i), &values[at], e) != 0)
            return -1;
        keys[at] = key;
        used = at == used ? used + 1 : used;
    }
    *out = pass_record(r->a, used, keys, values);
    return 0;
}

static int read_array(const struct reading *r, struct jval v, const struct pass **out,
                      struct err *e)
{
    size_t n = json_len(v), i = 0;
    const struct pass **items = ARENA_ARRAY(r->a, const struct pass *, n + 1);
    for (struct jval m = json_first(v); i < n; m = json_next(m)) {
        if (read_value(r, m, &items[i++], e) != 0)
            return -1;
    }
    *out = pass_array(r->a, n, items);
    return 0;
}

static int read_value(const struct reading *r, struct jval v, const struct pass **out,
                      struct err *e)
{
    enum json_type type = json_type(v);
    if (type == JSON_ARRAY)
        return read_array(r, v, out, e);
    if (type == JSON_OBJECT)
        return read_record(r, v, out, e);
    *out = pass_from_json(r->a, v);
    return 0;
}

int value_from_json(struct arena *a, struct jval v, value_resolve *resolve, void *ctx,
                    const struct pass **out, struct err *e)
{
    struct reading r = { a, resolve, ctx };
    return read_value(&r, v, out, e);
}

int value_method(struct arena *a, struct span text, const struct pass **out, struct err *e)
{
    struct jval v;
    if (!span_starts(text, SPAN("{\"@symbol\""))) {
        *out = pass_string(a, text);
        return 0;
    }
    if (json_parse(a, text, &v, e) != 0) {
        e->exit = EXIT_USAGE;
        return err_while(e, "method: not JSON");
    }
    if (json_len(v) != 1)
        return err_set(e, EXIT_USAGE, "method: a symbol is one \"@symbol\" and nothing else");
    return read_symbol(a, json_first(v), out, e) == 0 ? 0 : err_while(e, "method");
}
