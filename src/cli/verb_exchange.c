/* verb_exchange.c -- zygote enable-forks, zygote leave. */
#include <inttypes.h>

#include "base/log.h"
#include "cli/out.h"
#include "cli/session.h"
#include "host/exchange.h"

int verb_enable_forks(struct cli *c, struct err *e)
{
    struct session s;
    struct exchange_options o = { .now = c->value[OPT_NOW] != NULL };
    struct exchange_done done;
    if (session_open(&s, c, CONTROLLER_WRITE, e) != 0)
        return -1;
    session_working(&s, "enable-forks", 0);
    int failed = exchange_enable(s.controller, &o, &done, e);
    session_close(&s);
    if (failed && e->exit == EXIT_POLICY && !o.now)
        c->hint = "with --now who waits for an answer is told that vat-admin was upgraded";
    if (failed)
        return err_while(e, "%s", c->dir);
    if (c->json) {
        json_begin(&c->out);
        json_member_bool(&c->out, "changed", done.changed);
        json_member_bool(&c->out, "enabled", done.enabled);
        json_member_bool(&c->out, "upgraded", done.upgraded);
        json_member_u64(&c->out, "incarnation", done.incarnation);
        json_end(&c->out);
    } else {
        log_info("%s: %s", c->dir,
                 done.enabled    ? "its vats can be forked now"
                 : done.upgraded ? "vat-admin was brought up to date"
                 : done.changed  ? "what another kernel's host held is recorded"
                                 : "its vats could be forked already");
    }
    return 0;
}

/* -- leaving ------------------------------------------------------------------------ */

static void put_events_json(struct cli *c, const struct exchange_leave *l)
{
    json_key(&c->out, "events");
    buf_putc(&c->out, '[');
    for (size_t i = 0; i < l->event_count; i++) {
        buf_puts(&c->out, i > 0 ? ",{" : "{");
        json_member_str(&c->out, "type", l->events[i].type);
        json_member_str(&c->out, "vat", span_of(vat_id_text(l->events[i].vat).s));
        json_member_bool(&c->out, "accepted", l->events[i].accepted);
        buf_putc(&c->out, '}');
    }
    buf_putc(&c->out, ']');
}

static void put_sealed_json(struct cli *c, const struct vat_info *vats, size_t count)
{
    bool first = true;
    json_key(&c->out, "sealed");
    buf_putc(&c->out, '[');
    for (size_t i = 0; i < count; i++) {
        if (!vats[i].sealed)
            continue;
        buf_puts(&c->out, first ? "{" : ",{");
        json_member_str(&c->out, "vat", span_of(vat_id_text(vats[i].vat).s));
        json_member_str(&c->out, "name", vats[i].name);
        buf_putc(&c->out, '}');
        first = false;
    }
    buf_putc(&c->out, ']');
}

static void print_json(struct cli *c, const struct exchange_leave *l,
                       const struct vat_info *vats, size_t count)
{
    json_begin(&c->out);
    json_member_bool(&c->out, "ready", l->event_count == 0);
    json_member_u64(&c->out, "cranks", l->cranks);
    put_events_json(c, l);
    put_sealed_json(c, vats, count);
    json_end(&c->out);
}

static void print_text(struct cli *c, const struct exchange_leave *l,
                       const struct vat_info *vats, size_t count)
{
    for (size_t i = 0; i < l->event_count; i++)
        buf_printf(&c->out, "queued\t%.*s of %s\n", SPAN_ARG(l->events[i].type),
                   vat_id_text(l->events[i].vat).s);
    for (size_t i = 0; i < count; i++) {
        if (!vats[i].sealed)
            continue;
        buf_printf(&c->out, "sealed\t%s\t", vat_id_text(vats[i].vat).s);
        out_tame(&c->out, vats[i].name.n == 0 ? SPAN("-") : vats[i].name);
        buf_putc(&c->out, '\n');
    }
}

/* What is in the way, and what will be different there. */
static int report(struct cli *c, struct session *s, const struct exchange_leave *l, bool dry,
                  struct err *e)
{
    struct vat_info *vats;
    size_t count = kernel_vats(s->kernel, &c->arena, &vats), sealed = 0;
    for (size_t i = 0; i < count; i++)
        sealed += vats[i].sealed;
    if (c->json)
        print_json(c, l, vats, count);
    else
        print_text(c, l, vats, count);
    if (sealed > 0)
        log_warn("%zu zygote%s sealed: SwingSet's kernel knows no seals, and would deliver "
                 "messages to %s; end %s first if that may not be",
                 sealed, sealed == 1 ? " is" : "s are", sealed == 1 ? "it" : "them",
                 sealed == 1 ? "it" : "them");
    if (l->event_count > 0 && !dry)
        return err_set(e, EXIT_POLICY, "%zu event%s that SwingSet's kernel does not know %s queued",
                       l->event_count, l->event_count == 1 ? "" : "s",
                       l->event_count == 1 ? "is" : "are");
    if (l->event_count == 0)
        log_info("%s: SwingSet's kernel can open it", c->dir);
    return 0;
}

int verb_leave(struct cli *c, struct err *e)
{
    struct session s;
    struct exchange_leave l;
    bool dry = c->value[OPT_DRY_RUN] != NULL, runs = !dry && c->value[OPT_NO_RUN] == NULL;
    if (session_open(&s, c, runs ? CONTROLLER_WRITE : CONTROLLER_LOOK, e) != 0)
        return -1;
    session_working(&s, "leave", 0);
    int failed = exchange_leave(s.controller, runs, &l, e) != 0 ? -1 : report(c, &s, &l, dry, e);
    session_close(&s);
    return failed ? err_while(e, "%s", c->dir) : 0;
}
