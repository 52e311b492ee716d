/* api_callbacks.c -- zygote.h: from the kernel's callbacks to the host's. */
#include <stdio.h>
#include <stdlib.h>

#include "host/api.h"

/* A span that ends with a NUL.  The arena is reset at the end of the call under way. */
static const char *terminated(struct zygote *z, struct span s)
{
    return s.p == NULL ? NULL : arena_copy(&z->arena, s).p;
}

static void on_console(void *self, vat_id vat, struct span level, struct span text)
{
    struct zygote *z = self;
    char name[16];
    snprintf(name, sizeof name, "%.*s", level.n < sizeof name ? (int)level.n : 15, level.p);
    z->options.console(z->options.self, vat_id_text(vat).s, name, text.p, text.n);
}

static void on_note(void *self, struct span text)
{
    struct zygote *z = self;
    z->options.note(z->options.self, text.p, text.n);
}

static void on_crank(void *self, uint64_t number, struct span message, const char *crankhash,
                     const char *activityhash)
{
    struct zygote *z = self;
    (void)message;
    z->options.crank(z->options.self, number, crankhash, activityhash);
}

static void on_slog(void *self, const struct slog_event *event)
{
    struct zygote *z = self;
    slogger_event(z->slogger, event);
}

static void on_line(void *self, struct span text)
{
    struct zygote *z = self;
    z->options.slog(z->options.self, text.p, text.n);
}

int api_open_slog(struct zygote *z)
{
    const struct zygote_options *o = &z->options;
    struct slogger_target to = { o->slog_file, o->slog != NULL ? on_line : NULL, z };
    return o->slog == NULL && o->slog_file == NULL ? 0 : slogger_open(&to, &z->slogger, &z->err);
}

struct controller_sink api_sink(struct zygote *z)
{
    const struct zygote_options *o = &z->options;
    return (struct controller_sink){ .self = z,
                                     .console = o->console != NULL ? on_console : NULL,
                                     .note = o->note != NULL ? on_note : NULL,
                                     .forked = api_on_forked,
                                     .crank = o->crank != NULL ? on_crank : NULL,
                                     .slog = z->slogger != NULL ? on_slog : NULL };
}

void api_export_data(void *ctx, struct span key, struct span value)
{
    struct zygote *z = ctx;
    z->options.export_data(z->options.self, key.p, key.n, value.p, value.n);
}

/* -- devices ----------------------------------------------------------------------- */

static int on_bridge(void *self, struct span device, struct span args, struct buf *answer)
{
    struct zygote *z = self;
    char *text = NULL;
    int threw = z->options.bridge_outbound(z->options.self, terminated(z, device), args.p,
                                           args.n, &text);
    if (threw == 0 && text != NULL)
        buf_puts(answer, text);
    free(text);
    return threw;
}

static void on_broadcast(void *self, struct span device, struct span json_text)
{
    struct zygote *z = self;
    z->options.command_broadcast(z->options.self, terminated(z, device), json_text.p,
                                 json_text.n);
}

static void on_response(void *self, struct span device, uint64_t count, bool rejected,
                        struct span json_text)
{
    struct zygote *z = self;
    z->options.command_response(z->options.self, terminated(z, device), count, rejected,
                                json_text.p, json_text.n);
}

struct device_host api_devices(struct zygote *z)
{
    const struct zygote_options *o = &z->options;
    struct device_host h = { .self = z };
    h.bridge_outbound = o->bridge_outbound != NULL ? on_bridge : NULL;
    h.command_broadcast = o->command_broadcast != NULL ? on_broadcast : NULL;
    h.command_response = o->command_response != NULL ? on_response : NULL;
    if (o->loopbox == 1)
        h.loopbox = LOOPBOX_QUEUED;
    else if (o->loopbox == 2)
        h.loopbox = LOOPBOX_IMMEDIATE;
    return h;
}
