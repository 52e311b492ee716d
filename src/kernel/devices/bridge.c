/* The bridge: function calls between vats and the host, JSON both ways.  After
 * device-bridge.js and bridge.js.  State: {inboundHandler}. */
#include "kernel/devices/handler.h"
#include "kernel/devices/natives.h"
#include "kernel/devices/jsvalue.h"

static bool register_inbound(struct slots_call *c)
{
    if (jsvalue_truthy(handler_get(c->dev))) return slots_fail(c, "inboundHandler already registered");
    handler_set(c->dev, slots_arg(c, 0));
    return true;
}

static bool unregister_inbound(struct slots_call *c)
{
    handler_set(c->dev, pass_undefined(c->a));
    return true;
}

static bool answered(struct slots_call *c, struct span text)
{
    if (text.n == 0) return true;
    c->result = jsvalue_from_json(c->a, arena_copy(c->a, text));
    return c->result != NULL || slots_fail(c, "the host's answer is not JSON");
}

static bool call_outbound(struct slots_call *c)
{
    const struct device_host *host = &c->dev->k->host;
    struct buf args = { 0 }, answer = { 0 };
    bool ok = jsvalue_to_json(&args, pass_array(c->a, c->count, c->args), true) == JSVALUE_JSON;
    INVARIANT(ok);
    ok = host->bridge_outbound(host->self, c->dev->name, buf_span(&args), &answer) == 0;
    ok = ok ? answered(c, buf_span(&answer)) : slots_fail(c, "callOutbound: the host's side failed");
    buf_fini(&args);
    buf_fini(&answer);
    return ok;
}

static const struct slots_methods root[] = {
    { "registerInboundHandler", register_inbound },
    { "unregisterInboundHandler", unregister_inbound },
    { "callOutbound", call_outbound },
    { NULL, NULL },
};

const struct slots_ops bridge_device = { root, handler_build, handler_reload, handler_stop };

int kernel_bridge_inbound(struct kernel *k, struct span device, struct span args, struct err *e)
{
    struct device *dev;
    const char *why = "";
    if (device_find(k, &bridge_device, device, &dev, e) != 0) return -1;
    const struct pass *handler = handler_get(dev), *given = jsvalue_from_json(kernel_arena(k), args);
    if (!jsvalue_truthy(handler)) {
        return err_set(e, EXIT_FAILED, "bridge device %.*s: no inbound handler is registered yet",
                       SPAN_ARG(dev->name));
    }
    if (given == NULL || given->style != PASS_ARRAY) {
        return err_set(e, EXIT_USAGE, "bridge device %.*s: the arguments are not a JSON array",
                       SPAN_ARG(dev->name));
    }
    if (!slots_send(dev, handler, "inbound", given->count, given->items, &why)) {
        kernel_note(k, "bridge device %.*s: inbound: %s", SPAN_ARG(dev->name), why); /* upstream logs it */
    }
    return 0;
}
