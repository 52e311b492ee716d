/* verb_step.c -- zygote step: some cranks, and what each did. */
#include <inttypes.h>

#include "base/log.h"
#include "cli/out.h"
#include "cli/session.h"

/* One crank, put together from the events of the slog. */
struct crank {
    struct span number, kind, event, vat, delivery, computrons; /* as in the events */
    uint64_t syscalls;
    bool ended; /* its vat was terminated */
};

struct steps {
    struct cli *cli;
    struct arena *arena;
    struct table table;
    struct buf json;
    struct crank now;
};

static struct span member(struct steps *s, struct jval v, const char *name)
{
    struct jval m = json_get(v, name);
    struct span text = json_str(m, s->arena);
    if (text.p == NULL && json_type(m) != JSON_NONE)
        text = json_raw(m);
    return text.p == NULL ? SPAN_NONE : arena_copy(s->arena, text);
}

static struct span or_dash(struct span s)
{
    return s.p == NULL ? SPAN("-") : s;
}

static void add_row(struct steps *s, const struct crank *k)
{
    table_cell(&s->table, k->number);
    table_cell(&s->table, k->kind);
    table_cell(&s->table, k->event);
    table_cell(&s->table, or_dash(k->vat));
    table_cell(&s->table, k->ended ? SPAN("ended") : or_dash(k->delivery));
    table_number(&s->table, s->arena, k->syscalls);
    table_cell(&s->table, or_dash(k->computrons));
}

static void add_json(struct steps *s, const struct crank *k)
{
    struct buf *b = &s->json;
    buf_puts(b, b->n == 0 ? "{" : ",{");
    json_key(b, "crank");
    buf_put(b, k->number);
    json_member_str(b, "kind", k->kind);
    json_member_str(b, "event", k->event);
    json_member_str(b, "vat", k->vat);
    json_member_str(b, "delivery", k->delivery);
    json_member_u64(b, "syscalls", k->syscalls);
    json_key(b, "computrons");
    buf_put(b, k->computrons.p == NULL ? SPAN("null") : k->computrons);
    json_member_bool(b, "terminated", k->ended);
    buf_putc(b, '}');
}

static void see(struct steps *s, struct jval v)
{
    struct crank *k = &s->now;
    struct jval type = json_get(v, "type"), message = json_get(v, "message");
    bool live = json_type(json_get(v, "replay")) != JSON_TRUE;
    if (json_is(type, "crank-start")) {
        *k = (struct crank){ .number = member(s, v, "crankNum"), .kind = member(s, v, "crankType"),
                             .event = member(s, v, "messageType") };
        k->vat = member(s, message, "vatID");
    } else if (json_is(type, "deliver") && live && k->delivery.p == NULL) {
        /* Another one in the same crank brings out its dead for a snapshot, or starts anew. */
        k->vat = member(s, v, "vatID");
        k->delivery = member(s, v, "dispatch");
    } else if (json_is(type, "syscall") && live) {
        k->syscalls++;
    } else if (json_is(type, "deliver-result") && live && k->computrons.p == NULL) {
        k->computrons = member(s, json_at(json_get(v, "dr"), 2), "compute");
    } else if (json_is(type, "terminate")) {
        k->ended = true;
    } else if (json_is(type, "crank-finish")) {
        if (s->cli->json)
            add_json(s, k);
        else
            add_row(s, k);
    }
}

static void on_slog(void *watcher, const struct slog_event *event)
{
    struct arena a;
    struct jval v;
    struct err ignored;
    arena_init(&a);
    if (json_parse(&a, event->json_text, &v, &ignored) == 0)
        see(watcher, v);
    arena_fini(&a);
}

static void print(struct cli *c, struct steps *s, uint64_t cranks, bool quiescent)
{
    if (c->json) {
        json_begin(&c->out);
        json_member_u64(&c->out, "cranks", cranks);
        json_member_bool(&c->out, "quiescent", quiescent);
        json_key(&c->out, "ran");
        buf_putc(&c->out, '[');
        buf_put(&c->out, buf_span(&s->json));
        buf_putc(&c->out, ']');
        json_end(&c->out);
        return;
    }
    if (cranks > 0)
        table_print(c, &s->table);
    if (quiescent)
        log_info("nothing is left to do");
}

int verb_step(struct cli *c, struct err *e)
{
    static const struct column columns[] = {
        { "CRANK", true }, { "KIND", false },     { "EVENT", false },     { "VAT", false },
        { "DELIVERY", false }, { "SYSCALLS", true }, { "COMPUTRONS", true },
    };
    struct session session;
    struct steps s = { .cli = c, .arena = &c->arena };
    s.table = (struct table){ .columns = sizeof columns / sizeof columns[0], .column = columns };
    uint64_t max, cranks = 0;
    bool quiescent = false;
    if (cli_number(c, OPT_COUNT, 1, INT64_MAX, 1, &max, e) != 0 ||
        session_open_watched(&session, c, on_slog, &s, e) != 0)
        return -1;
    session_working(&session, "step", 0);
    int failed = controller_run(session.controller, max, &cranks, &quiescent, e);
    progress_clear(&session.progress);
    print(c, &s, cranks, quiescent); /* also those before one that failed */
    buf_fini(&s.json);
    session_close(&session);
    return failed;
}
