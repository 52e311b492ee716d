/* The mailbox: messages to and from peers, acknowledged.  After device-mailbox.js and
 * mailbox.js.  State: {inboundHandler}.
 *
 * What is to be sent is the host's: upstream's hosts keep it where they like, ours in keys of
 * the host's space, one a message:
 *
 *   host.zygote.mailbox.dNN.ack.PEER             number
 *   host.zygote.mailbox.dNN.out.PEER.NUMBER      body; NUMBER of 37 digits, for the order
 */
#include <stdlib.h>

#include "kernel/devices/handler.h"
#include "kernel/devices/natives.h"
#include "kernel/devices/jsvalue.h"

enum { NUMBER_DIGITS = 37 }; /* of a natural */

/* -- what is to be sent ------------------------------------------------------------------- */

static struct span outbox_key(struct device *dev, const char *part, struct span peer, const char *tail)
{
    struct kernel *k = dev->k;
    struct span head = arena_printf(kernel_arena(k), "host.zygote.mailbox.%s.%s.",
                                    device_id_text(dev->id).s, part);
    return span_join(k, head.p, wtf8_to_utf8(kernel_arena(k), peer), tail);
}

static struct span message_key(struct device *dev, struct span peer, natural n)
{
    char tail[NUMBER_DIGITS + 2] = ".";
    struct span digits = jsvalue_bigint(kernel_arena(dev->k), n)->text;
    memset(tail + 1, '0', NUMBER_DIGITS);
    memcpy(tail + 1 + NUMBER_DIGITS - digits.n, digits.p, digits.n);
    return outbox_key(dev, "out", peer, tail);
}

static void set_ack(struct device *dev, struct span peer, natural n)
{
    kv_host_set(dev->k->store, outbox_key(dev, "ack", peer, ""),
                jsvalue_bigint(kernel_arena(dev->k), n)->text);
}

/* A peer is there from the first it is named. */
static void provide_peer(struct device *dev, struct span peer)
{
    if (!state_has(dev->k, outbox_key(dev, "ack", peer, ""))) set_ack(dev, peer, 0);
}

/* `${peer}`, Nat(msgnum) */
static bool addressed(struct slots_call *c, struct span *peer, natural *n)
{
    if (!jsvalue_text(c->a, slots_arg(c, 0), peer)) return slots_fail(c, "a peer has no name");
    return jsvalue_nat(slots_arg(c, 1), n) || slots_fail(c, "a message's number is not one");
}

static bool add(struct slots_call *c)
{
    struct span peer, body;
    natural n;
    if (!addressed(c, &peer, &n)) return false;
    if (!jsvalue_text(c->a, slots_arg(c, 2), &body)) return slots_fail(c, "a message has no text");
    provide_peer(c->dev, peer);
    kv_host_set(c->dev->k->store, message_key(c->dev, peer, n), wtf8_to_utf8(c->a, body));
    return true;
}

static bool remove_message(struct slots_call *c)
{
    struct span peer;
    natural n;
    if (!addressed(c, &peer, &n)) return false;
    provide_peer(c->dev, peer);
    kv_host_delete(c->dev->k->store, message_key(c->dev, peer, n));
    return true;
}

static bool ack_inbound(struct slots_call *c)
{
    struct span peer;
    natural n;
    if (!addressed(c, &peer, &n)) return false;
    set_ack(c->dev, peer, n);
    return true;
}

/* Number(n), as upstream's exportMailbox() has it. */
static void put_number(struct arena *a, struct buf *b, struct span digits)
{
    json_put_double(b, strtod(arena_copy(a, digits).p, NULL));
}

static void put_outbox(struct device *dev, struct span peer, struct buf *b)
{
    struct span prefix = outbox_key(dev, "out", peer, "."), key = prefix;
    bool first = true;
    buf_puts(b, "\"outbox\":[");
    while (state_next_key(dev->k, prefix, &key)) {
        struct span digits = span_from(key, prefix.n);
        if (digits.n != NUMBER_DIGITS || memchr(digits.p, '.', digits.n) != NULL) continue; /* peer "PEER.x" */
        buf_puts(b, first ? "[" : ",[");
        first = false;
        put_number(kernel_arena(dev->k), b, digits);
        buf_putc(b, ',');
        json_put_string(b, state_need(dev->k, key));
        buf_putc(b, ']');
    }
    buf_putc(b, ']');
}

int kernel_mailbox_export(struct kernel *k, struct span device, struct buf *b, struct err *e)
{
    struct device *dev;
    if (device_find(k, &mailbox_device, device, &dev, e) != 0) return -1;
    struct span prefix = outbox_key(dev, "ack", SPAN(""), ""), key = prefix;
    bool first = true;
    buf_putc(b, '{');
    while (state_next_key(k, prefix, &key)) {
        struct span peer = span_from(key, prefix.n);
        if (!first) buf_putc(b, ',');
        first = false;
        json_put_string(b, peer);
        buf_puts(b, ":{\"inboundAck\":");
        put_number(kernel_arena(k), b, state_need(k, key));
        buf_putc(b, ',');
        put_outbox(dev, peer, b);
        buf_putc(b, '}');
    }
    buf_putc(b, '}');
    return 0;
}

/* -- what comes in ---------------------------------------------------------------------------- */

static bool register_inbound(struct slots_call *c)
{
    if (jsvalue_truthy(handler_get(c->dev))) return slots_fail(c, "already registered");
    handler_set(c->dev, slots_arg(c, 0));
    return true;
}

static bool unregister_inbound(struct slots_call *c)
{
    handler_forget(c->dev);
    return true;
}

static const struct slots_methods root[] = {
    { "registerInboundHandler", register_inbound },
    { "unregisterInboundHander", unregister_inbound }, /* upstream's spelling */
    { "add", add },
    { "remove", remove_message },
    { "ackInbound", ack_inbound },
    { NULL, NULL },
};

const struct slots_ops mailbox_device = { root, handler_build, handler_reload, handler_stop };

static bool are_messages(const struct pass *messages)
{
    natural n;
    if (messages->style != PASS_ARRAY) return false;
    for (size_t i = 0; i < messages->count; i++) {
        const struct pass *m = messages->items[i];
        if (m->style != PASS_ARRAY || m->count < 2 || !jsvalue_nat(m->items[0], &n) ||
            m->items[1]->style != PASS_STRING) {
            return false;
        }
    }
    return true;
}

static void deliver(struct device *dev, const char *method, struct span peer, const struct pass *what)
{
    const char *why = "";
    const struct pass *args[] = { pass_string(kernel_arena(dev->k), peer), what };
    if (slots_send(dev, handler_get(dev), method, 2, args, &why)) return;
    kernel_note(dev->k, "mailbox device %.*s: %s: %s", SPAN_ARG(dev->name), method, why); /* as upstream */
}

int kernel_mailbox_deliver(struct kernel *k, struct span device, struct span peer,
                           const struct pass *messages, const struct pass *ack, struct err *e)
{
    struct device *dev;
    natural n;
    if (device_find(k, &mailbox_device, device, &dev, e) != 0) return -1;
    if (!are_messages(messages) || !jsvalue_nat(ack, &n)) {
        return err_set(e, EXIT_USAGE, "mailbox device %.*s: messages are [[number, body]…], and an ack "
                       "is a number", SPAN_ARG(dev->name));
    }
    if (!jsvalue_truthy(handler_get(dev))) {
        return err_set(e, EXIT_FAILED, "mailbox device %.*s: no inbound handler is registered yet",
                       SPAN_ARG(dev->name));
    }
    if (messages->count > 0) deliver(dev, "deliverInboundMessages", peer, messages);
    deliver(dev, "deliverInboundAck", peer, ack);
    return 0;
}
