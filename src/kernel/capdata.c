/* capdata.c -- see capdata.h. */
#include "kernel/capdata.h"

/* json_str() may point into the document's text; what is decoded here outlives it. */
static struct span keep_string(struct arena *a, struct jval v)
{
    struct span raw = json_raw(v), s = json_str(v, a);
    uintptr_t at = (uintptr_t)s.p, from = (uintptr_t)raw.p;
    if (s.p == NULL) return SPAN_NONE;
    return at >= from && at <= from + raw.n ? arena_copy(a, s) : s;
}

bool vat_capdata_decode(struct arena *a, struct jval v, struct vat_capdata *out)
{
    struct jval body = json_get(v, "body"), list = json_get(v, "slots");
    if (json_type(v) != JSON_OBJECT || json_type(body) != JSON_STRING
        || json_type(list) != JSON_ARRAY) {
        return false;
    }
    size_t count = json_len(list), i = 0;
    struct span *slots = ARENA_ARRAY(a, struct span, count);
    for (struct jval s = json_first(list); json_type(s) != JSON_NONE; s = json_next(s)) {
        if (json_type(s) != JSON_STRING) return false;
        slots[i++] = keep_string(a, s);
    }
    *out = (struct vat_capdata){ keep_string(a, body), count, slots };
    return true;
}

bool capdata_decode(struct arena *a, struct jval v, struct capdata *out)
{
    struct jval body = json_get(v, "body"), list = json_get(v, "slots");
    if (json_type(v) != JSON_OBJECT || json_type(body) != JSON_STRING
        || json_type(list) != JSON_ARRAY) {
        return false;
    }
    size_t count = json_len(list), i = 0;
    kref *slots = ARENA_ARRAY(a, kref, count);
    for (struct jval s = json_first(list); json_type(s) != JSON_NONE; s = json_next(s)) {
        if (json_type(s) != JSON_STRING || !kref_parse(json_str(s, a), &slots[i++])) {
            return false;
        }
    }
    *out = (struct capdata){ keep_string(a, body), count, slots };
    return true;
}

void vat_capdata_put(struct buf *b, const struct vat_capdata *d)
{
    buf_puts(b, "{\"body\":");
    json_put_string(b, d->body);
    buf_puts(b, ",\"slots\":[");
    for (size_t i = 0; i < d->count; i++) {
        if (i > 0) buf_putc(b, ',');
        json_put_string(b, d->slots[i]);
    }
    buf_puts(b, "]}");
}

void capdata_put(struct buf *b, const struct capdata *d)
{
    buf_puts(b, "{\"body\":");
    json_put_string(b, d->body);
    buf_puts(b, ",\"slots\":[");
    for (size_t i = 0; i < d->count; i++) {
        struct id_text t = kref_text(d->slots[i]);
        if (i > 0) buf_putc(b, ',');
        buf_putc(b, '"');
        buf_puts(b, t.s);
        buf_putc(b, '"');
    }
    buf_puts(b, "]}");
}
