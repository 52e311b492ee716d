/* api_look.c -- zygote.h: looking, and a word of the host's in the slog. */
#include "host/api.h"

typedef void putter(struct kernel *k, struct buf *json_text);

static int look(struct zygote *z, putter *put, char **json)
{
    struct buf b = { 0 };
    if (!api_enter(z, API_LOOK))
        return api_refused(z);
    put(z->kernel, &b);
    *json = api_text(buf_span(&b));
    buf_fini(&b);
    return api_leave(z, 0);
}

int zygote_dump(struct zygote *z, char **json)
{
    return look(z, kernel_dump, json);
}

int zygote_get_stats(struct zygote *z, char **json)
{
    return look(z, kernel_stats, json);
}

static void put_status(struct kernel *k, struct buf *b)
{
    struct buf rest = { 0 };
    kernel_status(k, &rest);
    buf_puts(b, "{\"activeVats\":");
    kernel_active_vats(k, b);
    buf_putc(b, ',');
    buf_put(b, span_from(buf_span(&rest), 1)); /* one object of two */
    buf_fini(&rest);
}

int zygote_get_status(struct zygote *z, char **json)
{
    return look(z, put_status, json);
}

int zygote_write_slog_object(struct zygote *z, const char *json)
{
    struct jval object;
    if (!api_enter(z, API_LOOK))
        return api_refused(z);
    int failed = api_json(z, "object", json, &object) != 0 ||
                 (slogger_check(object, &z->err) != 0 && err_while(&z->err, "object") != 0);
    if (!failed && z->slogger != NULL)
        slogger_object(z->slogger, object);
    return api_leave(z, failed);
}

int zygote_get_activityhash(struct zygote *z, char out[65])
{
    if (!api_enter(z, API_LOOK))
        return api_refused(z);
    struct span hash = kernel_activityhash(z->kernel);
    INVARIANT(hash.n <= 64);
    memcpy(out, hash.p, hash.n);
    out[hash.n] = '\0';
    return api_leave(z, 0);
}
