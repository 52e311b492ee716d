/* devices.c -- the host's side of devices, and the host calls to them; tests/oracle/devices.mjs
 * is the same for upstream's kernel, and describes both. */
#include "conformance/run.h"

/* What went out during a host call: the elements of three lists. */
enum { OUT_BRIDGE, OUT_BROADCASTS, OUT_RESPONSES, OUT_KINDS };
static const char *const out_names[OUT_KINDS] = { "bridge", "broadcasts", "responses" };

static void put_name(struct run *r, int kind, struct span device)
{
    struct buf *b = &r->went_out[kind];
    buf_puts(b, b->n == 0 ? "[" : ",[");
    json_put_string(b, device);
    buf_putc(b, ',');
}

static void put_last(struct run *r, int kind, struct span json_text)
{
    buf_put(&r->went_out[kind], json_text);
    buf_putc(&r->went_out[kind], ']');
}

void run_take_out(struct run *r, struct buf *out)
{
    for (int i = 0; i < OUT_KINDS; i++) {
        struct buf *b = &r->went_out[i];
        if (b->n == 0) continue;
        buf_printf(out, ",\"%s\":[", out_names[i]);
        buf_put(out, buf_span(b));
        buf_putc(out, ']');
        buf_reset(b);
    }
}

/* -- the host's side ---------------------------------------------------------------------- */

static int on_bridge(void *self, struct span device, struct span args, struct buf *answer)
{
    struct run *r = self;
    struct jval v;
    struct err e;
    put_name(r, OUT_BRIDGE, device);
    put_last(r, OUT_BRIDGE, args);
    if (json_parse(&r->arena, arena_copy(&r->arena, args), &v, &e) != 0) run_die(&e);
    struct jval first = json_at(v, 0);
    if (json_is(first, "throw")) return -1;
    if (json_is(first, "nothing")) return 0;
    if (json_is(first, "answer")) {
        buf_put(answer, json_raw(json_at(v, 1)));
        return 0;
    }
    buf_puts(answer, "{\"args\":");
    buf_put(answer, args);
    buf_putc(answer, '}');
    return 0;
}

static void on_broadcast(void *self, struct span device, struct span json_text)
{
    struct run *r = self;
    put_name(r, OUT_BROADCASTS, device);
    put_last(r, OUT_BROADCASTS, json_text);
}

static void on_response(void *self, struct span device, uint64_t count, bool rejected,
                        struct span json_text)
{
    struct run *r = self;
    (void)count;
    put_name(r, OUT_RESPONSES, device);
    buf_puts(&r->went_out[OUT_RESPONSES], rejected ? "true" : "false");
    if (json_text.p != NULL) buf_putc(&r->went_out[OUT_RESPONSES], ',');
    put_last(r, OUT_RESPONSES, json_text);
}

static enum loopbox_mode loopbox_mode(struct run *r)
{
    const struct genesis *g = &r->config.genesis;
    for (size_t i = 0; i < g->device_count; i++) {
        struct jval v;
        struct err e;
        if (!span_is(g->devices[i].kind, "loopbox") || g->devices[i].options_json.p == NULL) continue;
        if (json_parse(&r->arena, g->devices[i].options_json, &v, &e) != 0) run_die(&e);
        if (json_is(json_get(json_get(v, "deviceParameters"), "deliverMode"), "immediate"))
            return LOOPBOX_IMMEDIATE;
    }
    return LOOPBOX_QUEUED;
}

struct device_host run_device_host(struct run *r)
{
    return (struct device_host){ .self = r, .bridge_outbound = on_bridge,
                                 .command_broadcast = on_broadcast,
                                 .command_response = on_response, .loopbox = loopbox_mode(r) };
}

/* -- host calls ------------------------------------------------------------------------------ */

static struct span device_of(struct run *r, struct jval op)
{
    return json_str(json_get(op, "device"), &r->arena);
}

static int op_timer(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    uint64_t now = 0;
    bool woke;
    json_u64(json_get(op, "now"), &now);
    if (kernel_timer_poll(r->kernel, device_of(r, op), now, &woke, e) != 0) return -1;
    buf_printf(out, ",\"woke\":%s", woke ? "true" : "false");
    return 0;
}

static int op_mailbox(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    struct arena *a = &r->arena;
    (void)out;
    return kernel_mailbox_deliver(r->kernel, device_of(r, op), json_str(json_get(op, "peer"), a),
                                  pass_from_json(a, json_get(op, "messages")),
                                  pass_from_json(a, json_get(op, "ack")), e);
}

static int op_mailbox_export(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    buf_puts(out, ",\"mailbox\":");
    return kernel_mailbox_export(r->kernel, device_of(r, op), out, e);
}

static int op_bridge(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    (void)out;
    return kernel_bridge_inbound(r->kernel, device_of(r, op), json_raw(json_get(op, "args")), e);
}

/* Upstream only logs that a command could not be sent. */
static int op_command(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    uint64_t count;
    (void)out;
    int failed = kernel_command_inbound(r->kernel, device_of(r, op), json_raw(json_get(op, "body")), &count, e);
    return failed != 0 && e->exit != EXIT_FAILED ? -1 : 0;
}

static int op_loopbox(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    bool passed;
    if (kernel_loopbox_pass(r->kernel, device_of(r, op), &passed, e) != 0) return -1;
    buf_printf(out, ",\"passed\":%s", passed ? "true" : "false");
    return 0;
}

const struct run_operation run_device_operations[] = {
    { "timerPoll", op_timer },
    { "mailboxInbound", op_mailbox },
    { "mailboxExport", op_mailbox_export },
    { "bridgeInbound", op_bridge },
    { "commandInbound", op_command },
    { "loopboxPass", op_loopbox },
    { NULL, NULL },
};
