/* The command device: requests of the host with responses, and broadcasts.  After
 * device-command.js and command.js.  State: {inboundHandler}.  What goes wrong on the way
 * out is logged, and the vat does not learn of it, as upstream. */
#include "kernel/devices/handler.h"
#include "kernel/devices/natives.h"
#include "kernel/devices/jsvalue.h"

static bool register_inbound(struct slots_call *c)
{
    handler_set(c->dev, slots_arg(c, 0));
    return true;
}

static bool lost(struct slots_call *c, const char *what)
{
    kernel_note(c->dev->k, "command device %.*s: %s", SPAN_ARG(c->dev->name), what);
    return true;
}

static bool send_response(struct slots_call *c)
{
    const struct device_host *host = &c->dev->k->host;
    uint64_t count;
    struct buf text = { 0 };
    enum jsvalue_json r = jsvalue_to_json(&text, slots_arg(c, 2), false);
    if (r == JSVALUE_JSON_THROWS) {
        lost(c, "a response is not JSON");
    } else if (!jsvalue_u64(slots_arg(c, 0), &count) || count >= *handler_commands(c->dev)) {
        lost(c, "a response to what was not asked");
    } else {
        host->command_response(host->self, c->dev->name, count, jsvalue_truthy(slots_arg(c, 1)),
                               r == JSVALUE_JSON ? buf_span(&text) : SPAN_NONE);
    }
    buf_fini(&text);
    return true;
}

static bool send_broadcast(struct slots_call *c)
{
    const struct device_host *host = &c->dev->k->host;
    struct buf text = { 0 };
    if (jsvalue_to_json(&text, slots_arg(c, 0), false) == JSVALUE_JSON) {
        host->command_broadcast(host->self, c->dev->name, buf_span(&text));
    } else {
        lost(c, "a broadcast is not JSON");
    }
    buf_fini(&text);
    return true;
}

static const struct slots_methods root[] = {
    { "registerInboundHandler", register_inbound },
    { "sendResponse", send_response },
    { "sendBroadcast", send_broadcast },
    { NULL, NULL },
};

const struct slots_ops command_device = { root, handler_build, handler_reload, handler_stop };

int kernel_command_inbound(struct kernel *k, struct span device, struct span json_text,
                           uint64_t *count, struct err *e)
{
    struct device *dev;
    struct arena *a = kernel_arena(k);
    const char *why = "no inbound handler is registered yet";
    if (device_find(k, &command_device, device, &dev, e) != 0) return -1;
    *count = (*handler_commands(dev))++;
    const struct pass *body = jsvalue_from_json(a, json_text);
    if (body == NULL) return err_set(e, EXIT_USAGE, "a command is not JSON");
    const struct pass *args[] = { jsvalue_bigint(a, (natural)*count), body };
    if (jsvalue_truthy(handler_get(dev)) && slots_send(dev, handler_get(dev), "inbound", 2, args, &why)) {
        return 0;
    }
    return err_set(e, EXIT_FAILED, "command device %.*s: %s", SPAN_ARG(dev->name), why);
}
