/* The loopbox: a mailbox whose peers are in the same kernel; for tests.  After
 * device-loopbox.js and loopbox.js.
 *
 * State: {counts, inboundHandlers, queuedMessages}, read anew each time.  At every start it
 * is written twice: first the senders, which numbers their nodes d+1, d+2, …, then itself. */
#include "kernel/devices/natives.h"
#include "kernel/devices/jsvalue.h"
#include "kernel/marshal_js.h"

struct loopbox {
    size_t count;
    struct span *names;
    const struct pass **senders;
};

/* -- state ---------------------------------------------------------------------------------- */

struct box {
    const struct pass *state, *counts, *handlers, *queue;
};

static bool read_box(struct device *dev, struct box *b, const char **why)
{
    if (!slots_state(dev, &b->state, why)) return false;
    *why = "the state is not a loopbox's";
    if (b->state == NULL) return false;
    b->counts = pass_get(b->state, "counts");
    b->handlers = pass_get(b->state, "inboundHandlers");
    b->queue = pass_get(b->state, "queuedMessages");
    return b->counts != NULL && b->counts->style == PASS_RECORD && b->handlers != NULL &&
           b->handlers->style == PASS_RECORD && b->queue != NULL && b->queue->style == PASS_ARRAY;
}

static void write_box(struct device *dev, const struct box *b)
{
    const struct span keys[] = { SPAN("queuedMessages"), SPAN("counts"), SPAN("inboundHandlers") };
    const struct pass *values[] = { b->queue, b->counts, b->handlers };
    slots_set_state(dev, pass_record(kernel_arena(dev->k), 3, keys, values));
}

/* What every record inherits is there under its name, is true, and is no handler. */
static bool is_inherited(struct span name)
{
    static const char *const names[] = {
        "constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable",
        "toLocaleString", "toString", "valueOf", "__defineGetter__", "__defineSetter__",
        "__lookupGetter__", "__lookupSetter__", "__proto__",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (span_is(name, names[i])) return true;
    }
    return false;
}

/* The registered handler of a name; NULL: none. */
static const struct pass *handler_of(const struct box *b, struct span name)
{
    const struct pass *h = jsvalue_member(b->handlers, name);
    return h != NULL && jsvalue_truthy(h) ? h : NULL;
}

static const struct pass *append(struct arena *a, const struct pass *array, const struct pass *v)
{
    struct pass *p = pass_new(a, PASS_ARRAY, SPAN_NONE);
    p->items = ARENA_ARRAY(a, const struct pass *, array->count + 1);
    for (size_t i = 0; i < array->count; i++) p->items[p->count++] = array->items[i];
    p->items[p->count++] = v;
    return p;
}

/* -- delivering --------------------------------------------------------------------------------- */

/* SO(handler).deliverInboundMessages(sender, [[count, body]]) */
static bool deliver(struct device *dev, const struct pass *handler, const struct pass *sender,
                    const struct pass *count, const struct pass *body, const char **why)
{
    struct arena *a = kernel_arena(dev->k);
    const struct pass *both[] = { count, body };
    const struct pass *message = pass_array(a, 2, both);
    const struct pass *args[] = { sender, pass_array(a, 1, &message) };
    return slots_send(dev, handler, "deliverInboundMessages", 2, args, why);
}

static bool sender_add(struct slots_call *c)
{
    const struct span *name = c->self;
    struct box b;
    struct span peer;
    if (!read_box(c->dev, &b, &c->why)) return false;
    if (!jsvalue_text(c->a, slots_arg(c, 0), &peer)) return slots_fail(c, "a peer has no name");
    const struct pass *handler = handler_of(&b, peer), *count = jsvalue_member(b.counts, *name);
    if (handler == NULL || count == NULL) return slots_fail(c, "unregistered peer");
    const struct pass *sender = pass_string(c->a, *name), *body = slots_arg(c, 2);
    if (c->dev->k->host.loopbox == LOOPBOX_IMMEDIATE) {
        if (!deliver(c->dev, handler, sender, count, body, &c->why)) return false;
    } else {
        const struct pass *item[] = { handler, sender, count, body };
        b.queue = append(c->a, b.queue, pass_array(c->a, 4, item));
    }
    b.counts = jsvalue_with(c->a, b.counts, *name, pass_number(c->a, count->number + 1));
    write_box(c->dev, &b);
    return true;
}

static bool sender_nothing(struct slots_call *c)
{
    (void)c;
    return true;
}

static const struct slots_methods sender_methods[] = {
    { "add", sender_add },
    { "remove", sender_nothing },
    { "ackInbound", sender_nothing },
    { NULL, NULL },
};

int kernel_loopbox_pass(struct kernel *k, struct span device, bool *passed, struct err *e)
{
    struct device *dev;
    struct box b;
    const char *why = "";
    if (device_find(k, &loopbox_device, device, &dev, e) != 0) return -1;
    bool ok = read_box(dev, &b, &why);
    *passed = ok && b.queue->count > 0;
    if (*passed) {
        const struct pass *m = b.queue->items[0];
        why = "a queued message is none";
        ok = m->style == PASS_ARRAY && m->count == 4 &&
             deliver(dev, m->items[0], m->items[1], m->items[2], m->items[3], &why);
        b.queue = pass_array(kernel_arena(k), b.queue->count - 1, b.queue->items + 1);
        if (ok) write_box(dev, &b);
    }
    if (ok) return 0;
    return err_set(e, EXIT_FAILED, "loopbox device %.*s: %s", SPAN_ARG(dev->name), why);
}

/* -- the root --------------------------------------------------------------------------------------- */

static bool register_inbound(struct slots_call *c)
{
    struct box b;
    struct span name;
    if (!read_box(c->dev, &b, &c->why)) return false;
    if (!jsvalue_text(c->a, slots_arg(c, 0), &name)) return slots_fail(c, "a peer has no name");
    if (is_inherited(name) || handler_of(&b, name) != NULL) return slots_fail(c, "already registered");
    b.handlers = jsvalue_with(c->a, b.handlers, name, slots_arg(c, 1));
    write_box(c->dev, &b);
    return true;
}

static bool get_sender(struct slots_call *c)
{
    const struct loopbox *l = c->dev->memory;
    const struct pass *v = slots_arg(c, 0);
    for (size_t i = l->count; i-- > 0;) {
        if (v->style != PASS_STRING || !span_eq(v->text, l->names[i])) continue;
        c->result = l->senders[i];
        return true;
    }
    return true;
}

static const struct slots_methods root[] = {
    { "registerInboundHandler", register_inbound },
    { "getSender", get_sender },
    { NULL, NULL },
};

/* -- starting ----------------------------------------------------------------------------------------- */

static bool read_senders(struct device *dev, struct jval parameters, const char **why)
{
    struct jval list = json_get(parameters, "senders");
    struct loopbox *l = dev->memory = ARENA_NEW(&dev->arena, struct loopbox);
    *why = "deviceParameters.senders is not a list of names";
    if (json_type(list) != JSON_ARRAY) return false;
    l->names = ARENA_ARRAY(&dev->arena, struct span, json_len(list) + 1);
    l->senders = ARENA_ARRAY(&dev->arena, const struct pass *, json_len(list) + 1);
    for (size_t i = 0; i < json_len(list); i++) {
        struct span name = json_str(json_at(list, i), &dev->arena);
        if (name.p == NULL || is_inherited(name)) return false;
        l->names[i] = arena_copy(&dev->arena, name);
        l->senders[i] = slots_export(dev, "sender", sender_methods, &l->names[i]);
        l->count++;
    }
    return true;
}

static const struct pass *first_state(struct arena *a, const struct loopbox *l)
{
    const struct pass *one = pass_number(a, 1);
    const struct pass **ones = ARENA_ARRAY(a, const struct pass *, l->count + 1);
    for (size_t i = 0; i < l->count; i++) ones[i] = one;
    const struct span keys[] = { SPAN("queuedMessages"), SPAN("counts"), SPAN("inboundHandlers") };
    const struct pass *values[] = { pass_array(a, 0, NULL), pass_record(a, l->count, l->names, ones),
                                    pass_record(a, 0, NULL, NULL) };
    return pass_record(a, 3, keys, values);
}

static bool build(struct device *dev, struct jval parameters, const char **why)
{
    struct arena *a = kernel_arena(dev->k);
    const struct pass *state;
    if (!read_senders(dev, parameters, why) || !slots_state(dev, &state, why)) return false;
    const struct loopbox *l = dev->memory;
    slots_set_state(dev, pass_array(a, l->count, l->senders));
    slots_set_state(dev, state != NULL ? state : first_state(a, l));
    return true;
}

const struct slots_ops loopbox_device = { root, build, NULL, NULL };
