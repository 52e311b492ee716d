/* api_value.c -- zygote.h: values in, values out. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "host/api.h"
#include "host/value.h"

/* -- in ---------------------------------------------------------------------------- */

int api_json(struct zygote *z, const char *what, const char *text, struct jval *out)
{
    if (text == NULL)
        return err_set(&z->err, EXIT_USAGE, "no %s", what);
    if (json_parse(&z->arena, span_of(text), out, &z->err) == 0)
        return 0;
    z->err.exit = EXIT_USAGE;
    return err_while(&z->err, "%s: not JSON", what);
}

int api_value(struct zygote *z, const char *what, const char *text, const struct pass **out)
{
    struct jval v;
    if (api_json(z, what, text, &v) != 0)
        return -1;
    return value_from_json(&z->arena, v, controller_resolve, z->controller, out, &z->err) == 0
               ? 0
               : err_while(&z->err, "%s", what);
}

int api_array(struct zygote *z, const char *what, const char *text, const struct pass **out)
{
    if (api_value(z, what, text == NULL ? "[]" : text, out) != 0)
        return -1;
    return (*out)->style == PASS_ARRAY
               ? 0
               : err_set(&z->err, EXIT_USAGE, "%s: not a JSON array", what);
}

int api_promise(struct zygote *z, const char *kpid, kref *out)
{
    if (kpid != NULL && kref_parse(span_of(kpid), out) && out->kind == KREF_PROMISE &&
        kernel_promise_state(z->kernel, *out) != PROMISE_UNKNOWN)
        return 0;
    return err_set(&z->err, EXIT_NOT_FOUND, "there is no promise %s",
                   kpid == NULL ? "" : kpid);
}

/* -- out --------------------------------------------------------------------------- */

char *api_text(struct span s)
{
    char *text = xmalloc(s.n + 1);
    if (s.n > 0)
        memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return text;
}

struct zygote_id api_id(struct id_text text)
{
    struct zygote_id id = { "" };
    _Static_assert(sizeof id.text == sizeof text.s, "ids are of one length");
    memcpy(id.text, text.s, sizeof id.text);
    return id;
}

void api_put_kref(struct zygote_id *out, kref k)
{
    if (out != NULL)
        *out = k.kind == KREF_INVALID ? (struct zygote_id){ "" } : api_id(kref_text(k));
}

static char *put(char **at, struct span s)
{
    char *text = *at;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    *at += s.n + 1;
    return text;
}

/* The struct, the slots, their texts, the body: one piece of memory. */
struct zygote_capdata *api_capdata(const struct vat_capdata *d)
{
    size_t bytes = sizeof(struct zygote_capdata) + d->count * sizeof(char *) + d->body.n + 1;
    for (size_t i = 0; i < d->count; i++)
        bytes += d->slots[i].n + 1;
    struct zygote_capdata *out = xmalloc(bytes);
    const char **slots = (const char **)(out + 1);
    char *at = (char *)(slots + d->count);
    for (size_t i = 0; i < d->count; i++)
        slots[i] = put(&at, d->slots[i]);
    *out = (struct zygote_capdata){ put(&at, d->body), d->body.n, d->count, slots };
    return out;
}

static int decode(struct zygote *z, const struct zygote_capdata *d, const struct pass **out)
{
    const char *why;
    if (d == NULL || d->body == NULL || (d->slot_count > 0 && d->slots == NULL))
        return err_set(&z->err, EXIT_USAGE, "no capdata");
    struct vat_capdata data = { { d->body, d->body_length }, d->slot_count, NULL };
    data.slots = ARENA_ARRAY(&z->arena, struct span, d->slot_count + 1);
    for (size_t i = 0; i < d->slot_count; i++)
        data.slots[i] = span_of(d->slots[i]);
    return marshal_decode(&z->arena, &data, out, &why)
               ? 0
               : err_set(&z->err, EXIT_FAILED, "capdata that does not decode: %s", why);
}

int zygote_capdata_to_json(struct zygote *z, const struct zygote_capdata *data, char **json)
{
    const struct pass *value;
    if (!api_enter(z, API_LOOK))
        return api_refused(z);
    int failed = decode(z, data, &value);
    if (!failed) {
        struct buf b = { 0 };
        value_put(&b, value);
        *json = api_text(buf_span(&b));
        buf_fini(&b);
    }
    return api_leave(z, failed);
}

int zygote_capdata_from_json(struct zygote *z, const char *json, struct zygote_capdata **out)
{
    const struct pass *value;
    if (!api_enter(z, API_LOOK))
        return api_refused(z);
    int failed = api_value(z, "value", json, &value);
    if (!failed) {
        struct vat_capdata data;
        marshal_encode(&z->arena, value, &data);
        *out = api_capdata(&data);
    }
    return api_leave(z, failed);
}
