/* verb_send.c -- zygote send: a message, and what it resolves to. */
#include <stdio.h>

#include "cli/out.h"
#include "cli/session.h"
#include "host/value.h"

struct answer {
    kref promise;
    enum promise_state state;
    struct capdata data;      /* in the command's arena */
    const struct pass *value; /* NULL: the data does not decode */
    uint64_t cranks;
};

/* -- the message ------------------------------------------------------------------- */

static int read_argument(struct session *s, size_t i, const struct pass **out,
                         struct err *e)
{
    struct cli *c = s->cli;
    struct jval v;
    if (json_parse(&c->arena, span_of(c->operands[i]), &v, e) != 0) {
        c->hint = "a string needs its quotes: '\"text\"'";
        err_while(e, "not JSON: %.60s", c->operands[i]);
        return err_while(e, "argument %zu", i - 1);
    }
    return value_from_json(&c->arena, v, controller_resolve, s->controller, out, e) == 0
               ? 0
               : err_while(e, "argument %zu", i - 1);
}

static int read_arguments(struct session *s, const struct pass **out, struct err *e)
{
    struct cli *c = s->cli;
    size_t n = c->operand_count - 2;
    const struct pass **items = ARENA_ARRAY(&c->arena, const struct pass *, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (read_argument(s, i + 2, &items[i], e) != 0)
            return -1;
    }
    *out = pass_array(&c->arena, n, items);
    return 0;
}

/* -- the answer -------------------------------------------------------------------- */

static struct capdata keep(struct arena *a, const struct capdata *d)
{
    struct capdata copy = { arena_copy(a, d->body), d->count, NULL };
    copy.slots = ARENA_ARRAY(a, kref, d->count + 1);
    for (size_t i = 0; i < d->count; i++)
        copy.slots[i] = d->slots[i];
    return copy;
}

static int await(struct session *s, struct answer *out, struct err *e)
{
    struct arena *a = &s->cli->arena;
    bool quiescent;
    struct capdata data;
    const char *why;
    session_working(s, "send", 0);
    if (controller_run(s->controller, 0, &out->cranks, &quiescent, e) != 0)
        return -1;
    out->state = kernel_promise_state(s->kernel, out->promise);
    if (out->state != PROMISE_FULFILLED && out->state != PROMISE_REJECTED)
        return 0;
    if (!kernel_promise_take(s->kernel, out->promise, &data))
        return err_set(e, EXIT_FAILED, "the answer of %s is gone",
                       kref_text(out->promise).s);
    out->data = keep(a, &data);
    if (!marshal_decode_k(a, &out->data, &out->value, &why))
        out->value = NULL;
    return controller_commit(s->controller, e);
}

static int send_and_wait(struct session *s, struct answer *out, struct err *e)
{
    struct cli *c = s->cli;
    const struct pass *method, *args;
    kref target;
    if (value_method(&c->arena, span_of(c->operands[1]), &method, e) != 0 ||
        controller_find(s->controller, c->operands[0], &target, e) != 0 ||
        read_arguments(s, &args, e) != 0)
        return -1;
    out->promise = kernel_call(s->kernel, target, method, args, POLICY_IGNORE);
    return await(s, out, e);
}

/* -- showing it -------------------------------------------------------------------- */

static void print_json(struct cli *c, const struct answer *r)
{
    bool settled = r->state == PROMISE_FULFILLED || r->state == PROMISE_REJECTED;
    json_begin(&c->out);
    json_member_str(&c->out, "promise", span_of(kref_text(r->promise).s));
    json_member_str(&c->out, "state", span_of(promise_state_name(r->state)));
    if (settled) {
        json_key(&c->out, "capdata");
        capdata_put(&c->out, &r->data);
    }
    json_member_u64(&c->out, "cranks", r->cranks);
    json_end(&c->out);
}

static void print_value(struct cli *c, const struct answer *r)
{
    if (r->value == NULL)
        capdata_put(&c->out, &r->data);
    else if (r->value->style == PASS_UNDEFINED)
        buf_puts(&c->out, "undefined");
    else
        value_put(&c->out, r->value);
    buf_putc(&c->out, '\n');
}

static int fail_rejected(struct cli *c, const struct answer *r, struct err *e)
{
    struct buf b = { 0 };
    if (r->value != NULL)
        value_put_reason(&b, r->value);
    else
        capdata_put(&b, &r->data);
    buf_putc(&b, '\0');
    err_set(e, EXIT_VAT, "rejected: %.900s", b.p);
    buf_fini(&b);
    c->code = "REJECTED";
    return -1;
}

static int show(struct cli *c, const struct answer *r, struct err *e)
{
    if (c->json)
        print_json(c, r);
    if (r->state == PROMISE_REJECTED)
        return fail_rejected(c, r, e);
    if (r->state != PROMISE_FULFILLED) {
        c->code = "UNRESOLVED";
        return err_set(e, EXIT_FAILED,
                       "no answer: nothing is left to do, and %s is unresolved",
                       kref_text(r->promise).s);
    }
    if (!c->json)
        print_value(c, r);
    return 0;
}

int verb_send(struct cli *c, struct err *e)
{
    struct session s;
    struct answer answer = { 0 };
    if (session_open(&s, c, CONTROLLER_WRITE, e) != 0)
        return -1;
    int failed = send_and_wait(&s, &answer, e);
    session_close(&s);
    return failed ? -1 : show(c, &answer, e);
}
