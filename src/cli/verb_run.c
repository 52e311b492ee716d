/* verb_run.c -- zygote init, zygote run. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "cli/out.h"
#include "cli/session.h"
#include "host/paths.h"
#include "host/value.h"

/* -- making a store ---------------------------------------------------------------- */

static int create(struct cli *c, struct config *config, struct err *e)
{
    struct config_options o = { .argc = c->operand_count - 1, .argv = c->operands + 1 };
    kref bootstrap;
    if (paths_bundles(&c->arena, &o.bundles_dir, e) != 0 ||
        config_load(&c->arena, c->operands[0], &o, config, e) != 0)
        return -1;
    if (controller_create(c->dir, config, &bootstrap, e) == 0)
        return 0;
    if (e->exit == EXIT_FAILED && controller_exists(c->dir))
        c->hint = "run it with `zygote run`, or choose another place with -C";
    return -1;
}

int verb_init(struct cli *c, struct err *e)
{
    struct config config;
    if (create(c, &config, e) != 0)
        return -1;
    if (c->json) {
        json_begin(&c->out);
        json_member_str(&c->out, "store", span_of(c->dir));
        json_member_u64(&c->out, "vats", config.genesis.vat_count);
        json_member_bool(&c->out, "zygotes", config.genesis.zygotes);
        json_end(&c->out);
    } else {
        log_info("made %s: %zu vats, nothing has run yet", c->dir,
                 config.genesis.vat_count);
    }
    return 0;
}

/* A store is there: the config given now is not what it was made from, or is. */
static void compare_config(struct cli *c, struct session *s)
{
    struct span text, made_from = controller_config_hash(s->controller);
    struct err why;
    char hash[SHA256_HEX + 1];
    if (c->operand_count == 0)
        return;
    if (config_text(&c->arena, c->operands[0], &text, &why) != 0) {
        log_warn("%s (not needed: %s exists)", why.text, c->dir);
        return;
    }
    sha256_hex(text, hash);
    if (made_from.p == NULL || !span_is(made_from, hash))
        log_warn("%s is not what %s was made from; it is not read again", c->operands[0],
                 c->dir);
    else if (c->operand_count > 1)
        log_warn("%s exists: bootstrap had its arguments when it was made", c->dir);
}

/* -- running ----------------------------------------------------------------------- */

struct outcome {
    uint64_t cranks, us;
    size_t timers;
    uint64_t time; /* what they were told */
    bool quiescent;
    kref bootstrap;
    enum promise_state state;
    struct span result; /* JSON; absent if not asked for, or not there */
};

/* With --result: take what bootstrap resolved to. */
static int take_result(struct session *s, struct outcome *o, struct err *e)
{
    struct arena *a = &s->cli->arena;
    struct capdata data;
    const struct pass *value;
    const char *why;
    if (o->state != PROMISE_FULFILLED && o->state != PROMISE_REJECTED)
        return 0;
    if (!kernel_promise_take(s->kernel, o->bootstrap, &data))
        return 0;
    struct buf b = { 0 };
    if (marshal_decode_k(a, &data, &value, &why))
        value_put(&b, value);
    else
        capdata_put(&b, &data);
    o->result = arena_copy(a, buf_span(&b));
    buf_fini(&b);
    controller_forget_bootstrap(s->controller);
    return controller_commit(s->controller, e);
}

static int run(struct session *s, uint64_t max, struct outcome *o, struct err *e)
{
    uint64_t began = clock_us();
    session_working(s, "run", 0);
    if (controller_run(s->controller, max, &o->cranks, &o->quiescent, e) != 0)
        return -1;
    o->us = clock_us() - began;
    o->bootstrap = controller_bootstrap(s->controller);
    if (o->bootstrap.kind == KREF_PROMISE)
        o->state = kernel_promise_state(s->kernel, o->bootstrap);
    return s->cli->value[OPT_RESULT] == NULL ? 0 : take_result(s, o, e);
}

/* Tell timer devices the time.  A clock that was set back tells them nothing. */
static int poll_timers(struct session *s, struct outcome *o, struct err *e)
{
    bool given = s->cli->value[OPT_TIME] != NULL;
    bool woke;
    struct err late;
    if (cli_number(s->cli, OPT_TIME, 0, INT64_MAX, (uint64_t)time(NULL), &o->time, e) != 0)
        return -1;
    if (controller_poll_timers(s->controller, o->time, &o->timers, &woke, given ? e : &late) == 0)
        return 0;
    if (!given)
        log_warn("%s; run on without the time", late.text);
    return given ? -1 : 0;
}

static void print_json(struct cli *c, struct session *s, const struct outcome *o)
{
    json_begin(&c->out);
    json_member_u64(&c->out, "cranks", o->cranks);
    json_member_u64(&c->out, "us", o->us);
    json_member_bool(&c->out, "quiescent", o->quiescent);
    if (o->timers > 0)
        json_member_u64(&c->out, "time", o->time);
    if (o->bootstrap.kind == KREF_PROMISE)
        json_member_str(&c->out, "bootstrap", span_of(promise_state_name(o->state)));
    if (o->result.p != NULL) {
        json_key(&c->out, "result");
        buf_put(&c->out, o->result);
    }
    json_key(&c->out, "status");
    kernel_status(s->kernel, &c->out);
    json_end(&c->out);
}

static void print_text(struct cli *c, const struct outcome *o)
{
    if (o->timers > 0)
        log_info("the timer was told that it is %" PRIu64, o->time);
    log_info("%" PRIu64 " cranks in %.3f s; %s%s%s", o->cranks, (double)o->us / 1e6,
             o->quiescent ? "nothing is left to do" : "there is more to do",
             o->bootstrap.kind == KREF_PROMISE ? "; bootstrap " : "",
             o->bootstrap.kind == KREF_PROMISE ? promise_state_name(o->state) : "");
    if (o->result.p != NULL) {
        buf_put(&c->out, o->result);
        buf_putc(&c->out, '\n');
    }
}

int verb_run(struct cli *c, struct err *e)
{
    struct session s;
    struct config config;
    struct outcome o = { 0 };
    uint64_t max;
    bool existed = controller_exists(c->dir);
    if (cli_number(c, OPT_CRANKS, 1, INT64_MAX, 0, &max, e) != 0)
        return -1;
    if (!existed && c->operand_count > 0 && create(c, &config, e) != 0)
        return -1;
    if (session_open(&s, c, CONTROLLER_WRITE, e) != 0)
        return -1;
    if (existed)
        compare_config(c, &s);
    int failed = poll_timers(&s, &o, e) != 0 || run(&s, max, &o, e) != 0 ? -1 : 0;
    progress_clear(&s.progress);
    if (!failed && c->json)
        print_json(c, &s, &o);
    else if (!failed)
        print_text(c, &o);
    session_close(&s);
    return failed;
}
