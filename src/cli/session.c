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

static void on_crank(void *self, uint64_t number)
{
    struct session *s = self;
    (void)number;
    s->progress.cranks++;
    progress_tick(&s->progress);
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

int session_open(struct session *s, struct cli *c, enum controller_mode mode, struct err *e)
{
    *s = (struct session){ .cli = c };
    struct controller_sink sink = { s, on_console, on_note, on_crank };
    if (controller_open(c->dir, mode, &sink, &s->controller, e) != 0) {
        if (c->hint == NULL && (e->exit != EXIT_NOT_FOUND || !controller_exists(c->dir)))
            c->hint = hint_for(e);
        return -1;
    }
    s->kernel = controller_kernel(s->controller);
    return 0;
}

void session_close(struct session *s)
{
    progress_clear(&s->progress);
    controller_close(s->controller);
    s->controller = NULL;
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
