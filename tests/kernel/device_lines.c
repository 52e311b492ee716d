/* device_lines.c -- one slots device in our kernel, driven by lines of JSON: for devices.mjs.
 *
 * usage: device_lines KIND OPTIONS < operations      (OPTIONS: dNN.options; "immediate" after
 *                                                     it: the loopbox's mode)
 *
 * An operation is {"op":"invoke","slot","method","args"}, with capdata in the device's names,
 * or poll, bridge, command, mailbox, pass, restart.  The device knows o-10 to o-19.  For each
 * a line is printed: {"r":…,"state":…,"sends":[[target,capdata]…],"out":[…]}.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/devices/slots.h"
#include "kernel/queue.h"
#include "world.h"

enum { FIRST = 10, END = 20, KREF_OF = 900 };

struct bench {
    struct world w;
    struct device *dev;
    struct device_host host;
    struct buf out;
    uint64_t queued;
};

/* -- the host's side --------------------------------------------------------------------- */

static void put_out(struct bench *b, const char *head, struct span json_text)
{
    buf_puts(&b->out, b->out.n > 0 ? "," : "");
    buf_puts(&b->out, head);
    buf_put(&b->out, json_text.p != NULL ? json_text : SPAN("null"));
    buf_putc(&b->out, ']');
}

static int on_bridge(void *self, struct span device, struct span args, struct buf *answer)
{
    struct bench *b = self;
    (void)device;
    put_out(b, "[\"bridge\",", args);
    if (memmem(args.p, args.n, "throw", 5) != NULL) return -1;
    if (args.n > 2) buf_put(answer, args);
    return 0;
}

static void on_broadcast(void *self, struct span device, struct span text)
{
    (void)device;
    put_out(self, "[\"all\",", text);
}

static void on_response(void *self, struct span device, uint64_t count, bool rejected, struct span text)
{
    char head[64];
    (void)device;
    snprintf(head, sizeof head, "[%llu,%s,%s,", (unsigned long long)count, rejected ? "true" : "false",
             text.p != NULL ? "true" : "false");
    put_out(self, head, text);
}

/* -- names ----------------------------------------------------------------------------------- */

static void know_objects(struct bench *b)
{
    struct kernel *k = b->w.kernel;
    struct arena *a = kernel_arena(k);
    for (unsigned n = FIRST; n < END; n++) {
        kref o = { KREF_OBJECT, KREF_OF + n };
        struct span name = span_of_kref(k, o), slot = arena_printf(a, "o-%u", n);
        kv_set(k->store, key_kref(k, o, "owner"), SPAN("v1"));
        kv_set(k->store, key_kref(k, o, "refCount"), SPAN("1,1"));
        kv_set(k->store, key_device(k, b->dev->id, "c.", name), slot);
        kv_set(k->store, key_device(k, b->dev->id, "c.", slot), name);
    }
    state_set_u64(k, key_device(k, b->dev->id, "o.nextID", SPAN("")), END);
}

static struct vat_capdata in_devices_names(struct bench *b, const struct capdata *data)
{
    struct vat_capdata out = { .body = data->body, .count = data->count };
    out.slots = ARENA_ARRAY(kernel_arena(b->w.kernel), struct span, data->count + 1);
    for (size_t i = 0; i < data->count; i++) out.slots[i] = device_slot(b->w.kernel, b->dev->id, data->slots[i]);
    return out;
}

static void put_sends(struct bench *b)
{
    struct kernel *k = b->w.kernel;
    uint64_t end = queue_length(k, QUEUE_ACCEPTANCE);
    printf(",\"sends\":[");
    for (uint64_t at = b->queued; at < end; at++) {
        struct jval v;
        struct err e;
        struct message m;
        kref target = { 0 };
        struct buf text = { 0 };
        if (json_parse(kernel_arena(k), queue_peek(k, QUEUE_ACCEPTANCE, at), &v, &e) != 0 ||
            !message_decode(kernel_arena(k), json_get(v, "msg"), &m)) abort();
        kref_parse(json_str(json_get(v, "target"), kernel_arena(k)), &target);
        struct vat_capdata data = in_devices_names(b, &m.methargs);
        vat_capdata_put(&text, &data);
        printf("%s[\"%.*s\",%.*s]", at > b->queued ? "," : "",
               SPAN_ARG(device_slot(k, b->dev->id, target)), SPAN_ARG(buf_span(&text)));
        buf_fini(&text);
    }
    printf("]");
    b->queued = end;
}

/* -- operations --------------------------------------------------------------------------------- */

static void reopen(struct bench *b)
{
    b->dev = NULL;
    for (size_t i = 0; i < b->w.kernel->device_count; i++) {
        if (b->w.kernel->devices[i]->slots != NULL) b->dev = b->w.kernel->devices[i];
    }
    if (b->dev == NULL) abort();
}

static void invoke(struct bench *b, struct jval op)
{
    struct arena *a = kernel_arena(b->w.kernel);
    struct vat_capdata args, answer;
    const char *why = "";
    struct buf text = { 0 };
    if (!vat_capdata_decode(a, json_get(op, "args"), &args)) abort();
    bool ok = slots_invoke(b->dev, json_str(json_get(op, "slot"), a), json_str(json_get(op, "method"), a),
                           &args, &answer, &why);
    if (ok) vat_capdata_put(&text, &answer);
    printf("{\"r\":[\"%s\"%s%.*s]", ok ? "ok" : "error", ok ? "," : "", SPAN_ARG(buf_span(&text)));
    fprintf(stderr, "%s", ok ? "" : why);
    buf_fini(&text);
}

static int host_call(struct bench *b, struct jval op, bool *said, struct err *e)
{
    struct kernel *k = b->w.kernel;
    struct arena *a = kernel_arena(k);
    struct jval name = json_get(op, "op");
    uint64_t n = 0;
    *said = true;
    if (json_is(name, "poll")) {
        json_u64(json_get(op, "now"), &n);
        return kernel_timer_poll(k, SPAN_NONE, n, said, e);
    }
    if (json_is(name, "pass")) return kernel_loopbox_pass(k, SPAN_NONE, said, e);
    if (json_is(name, "bridge")) return kernel_bridge_inbound(k, SPAN_NONE, json_raw(json_get(op, "args")), e);
    if (json_is(name, "command")) { /* upstream only logs that it failed */
        (void)!kernel_command_inbound(k, SPAN_NONE, json_raw(json_get(op, "body")), &n, e);
        return 0;
    }
    return kernel_mailbox_deliver(k, SPAN_NONE, json_str(json_get(op, "peer"), a),
                                  pass_from_json(a, json_get(op, "messages")),
                                  pass_from_json(a, json_get(op, "ack")), e);
}

static void carry_out(struct bench *b, struct jval op)
{
    struct err e;
    bool said = true;
    if (json_is(json_get(op, "op"), "invoke")) {
        invoke(b, op);
    } else if (json_is(json_get(op, "op"), "restart")) {
        world_restart(&b->w);
        reopen(b);
        printf("{\"r\":true");
    } else {
        bool failed = host_call(b, op, &said, &e) != 0;
        printf("{\"r\":%s", failed ? "\"error\"" : said ? "true" : "false");
    }
    struct buf state = { 0 };
    struct span text;
    bool any = kv_get(b->w.store, key_device(b->w.kernel, b->dev->id, "deviceState", SPAN("")), &text);
    if (any) json_put_string(&state, text);
    printf(",\"state\":%.*s", any ? (int)state.n : 4, any ? state.p : "null");
    put_sends(b);
    printf(",\"out\":[%.*s]}\n", SPAN_ARG(buf_span(&b->out)));
    buf_fini(&state);
    buf_reset(&b->out);
}

int main(int argc, char **argv)
{
    static struct bench b;
    char *line = NULL;
    size_t room = 0;
    if (argc < 3) return 2;
    b.host = (struct device_host){ .self = &b, .bridge_outbound = on_bridge,
                                   .command_broadcast = on_broadcast, .command_response = on_response,
                                   .loopbox = argc > 3 ? LOOPBOX_IMMEDIATE : LOOPBOX_QUEUED };
    world_open(&b.w, &(struct world_setup){ .devices = { { argv[1], argv[2] } }, .host = &b.host,
                                            .no_zygotes = true });
    reopen(&b);
    know_objects(&b);
    for (ssize_t n; (n = getline(&line, &room, stdin)) > 0;) {
        struct jval op;
        struct err e;
        struct arena *a = kernel_arena(b.w.kernel);
        if (json_parse(a, arena_copy(a, (struct span){ line, (size_t)n }), &op, &e) != 0) {
            fprintf(stderr, "device_lines: %s\n", e.text);
            return 2;
        }
        carry_out(&b, op);
    }
    free(line);
    world_close(&b.w);
    buf_fini(&b.out);
    return 0;
}
