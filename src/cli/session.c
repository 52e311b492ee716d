/* session.c -- an open store during one command, and what it says meanwhile. */
#include "cli/session.h"

#include <stdio.h>

#include "base/log.h"

static void on_console(void *self, vat_id vat, struct span level, struct span text)
{
    struct session *s = self;
    progress_clear(&s->progress);
    while (text.n > 0 && text.p[text.n - 1] == '\n')
        text.n--;
    if (span_is(level, "debug"))
        log_debug("%s: %.*s", vat_id_text(vat).s, SPAN_ARG(text));
    else
        log_info("%s: %.*s", vat_id_text(vat).s, SPAN_ARG(text));
}

static void on_note(void *self, struct span text)
{
    struct session *s = self;
    progress_clear(&s->progress);
    snprintf(s->note, sizeof s->note, "%.*s", SPAN_ARG(text));
    if (s->notes_verbose)
        log_debug("%.*s", SPAN_ARG(text));
    else
        log_info("%.*s", SPAN_ARG(text));
}

static void on_crank(void *self, uint64_t number, struct span message,
                     const char *crankhash, const char *activityhash)
{
    struct session *s = self;
    (void)number;
    (void)message;
    (void)crankhash;
    (void)activityhash;
    s->progress.cranks++;
    progress_tick(&s->progress);
}

static void on_slog(void *self, const struct slog_event *event)
{
    struct session *s = self;
    if (s->slog != NULL)
        slogger_event(s->slog, event);
    if (s->watch != NULL)
        s->watch(s->watcher, event);
}

static const char *hint_for(const struct err *e)
{
    switch (e->exit) {
    case EXIT_NOT_FOUND:
        return "make a store with `zygote init CONFIG`, or say which with -C";
    case EXIT_BUSY: return "wait for it to end; ps, tree, dump and audit work meanwhile";
    default: return NULL;
    }
}

static int open_session(struct session *s, struct cli *c, enum controller_mode mode,
                        struct err *e)
{
    const char *slog = c->value[OPT_SLOG];
    struct slogger_target to = { .file = slog };
    struct controller_sink sink = { .self = s, .console = on_console, .note = on_note,
                                    .crank = on_crank };
    s->cli = c;
    if (slog != NULL && slogger_open(&to, &s->slog, e) != 0)
        return -1;
    if (s->slog != NULL)
        slogger_init(s->slog, false);
    if (slog != NULL || s->watch != NULL)
        sink.slog = on_slog;
    if (controller_open(c->dir, mode, &sink, &s->controller, e) != 0) {
        slogger_close(s->slog);
        if (c->hint == NULL && (e->exit != EXIT_NOT_FOUND || !controller_exists(c->dir)))
            c->hint = hint_for(e);
        return -1;
    }
    s->kernel = controller_kernel(s->controller);
    if (s->slog != NULL)
        slogger_init(s->slog, true);
    return 0;
}

int session_open(struct session *s, struct cli *c, enum controller_mode mode, struct err *e)
{
    *s = (struct session){ 0 };
    return open_session(s, c, mode, e);
}

int session_open_watched(struct session *s, struct cli *c, session_watch *watch, void *watcher,
                         struct err *e)
{
    *s = (struct session){ .watch = watch, .watcher = watcher };
    return open_session(s, c, CONTROLLER_WRITE, e);
}

void session_close(struct session *s)
{
    progress_clear(&s->progress);
    controller_close(s->controller);
    s->controller = NULL;
    slogger_close(s->slog);
    s->slog = NULL;
}

void session_working(struct session *s, const char *what, uint64_t total)
{
    progress_begin(&s->progress, s->cli->progress, what, total);
}

const char *promise_state_name(enum promise_state state)
{
    switch (state) {
    case PROMISE_UNKNOWN: return "gone";
    case PROMISE_UNRESOLVED: return "unresolved";
    case PROMISE_FULFILLED: return "fulfilled";
    case PROMISE_REJECTED: return "rejected";
    }
    return "gone";
}
