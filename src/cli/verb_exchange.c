/* verb_exchange.c -- zygote enable-forks. */
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
        json_member_u64(&c->out, "incarnation", done.incarnation);
        json_end(&c->out);
    } else {
        log_info("%s: %s", c->dir,
                 done.enabled   ? "its vats can be forked now"
                 : done.changed ? "vat-admin was brought up to date"
                                : "its vats could be forked already");
    }
    return 0;
}
