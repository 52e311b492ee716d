#include "kernel/delivery.h"

#include "kernel/clist.h"
#include "kernel/object.h"
#include "kernel/promise.h"
#include "kernel/slog.h"
#include "kernel/vats.h"

static struct span text_of(struct kernel *k, struct buf *b)
{
    struct span text = arena_copy(kernel_arena(k), buf_span(b));
    buf_fini(b);
    return text;
}

/* The data's slots in the vat's names, allocated in order. */
static struct vat_capdata data_for(struct kernel *k, vat_id vat, const struct capdata *d)
{
    struct vat_capdata out = { .body = d->body, .count = d->count };
    out.slots = ARENA_ARRAY(kernel_arena(k), struct span, d->count + 1);
    for (size_t i = 0; i < d->count; i++) out.slots[i] = clist_to_vat(k, vat, d->slots[i]);
    return out;
}

/* -- the same in the kernel's names, when the slog wants it ------------------------------------ */

static void tell_message(struct kernel *k, kref target, struct span message)
{
    struct buf b = { 0 };
    if (!slogging(k)) return;
    buf_printf(&b, "[\"message\",\"%s\",", kref_text(target).s);
    buf_put(&b, message);
    buf_putc(&b, ']');
    slog_kernel_delivery(k, text_of(k, &b));
}

static void tell_notify(struct kernel *k, const kref *promises, size_t count)
{
    struct buf b = { 0 };
    if (!slogging(k)) return;
    buf_puts(&b, "[\"notify\",[");
    for (size_t i = 0; i < count; i++) {
        struct capdata data;
        promise_data(k, promises[i], &data);
        bool rejected = promise_state(k, promises[i]) == PROMISE_REJECTED;
        buf_printf(&b, "%s[\"%s\",{\"state\":\"%s\",\"data\":", i > 0 ? "," : "",
                   kref_text(promises[i]).s, rejected ? "rejected" : "fulfilled");
        capdata_put(&b, &data);
        buf_puts(&b, "}]");
    }
    buf_puts(&b, "]]");
    slog_kernel_delivery(k, text_of(k, &b));
}

static void tell_gc(struct kernel *k, const struct gc_group *g)
{
    struct buf b = { 0 };
    if (!slogging(k)) return;
    buf_printf(&b, "[\"%s\",", gc_delivery_name(g->type));
    gc_put_krefs(&b, g->krefs, g->count);
    buf_putc(&b, ']');
    slog_kernel_delivery(k, text_of(k, &b));
}

static void tell_start_vat(struct kernel *k, const struct capdata *parameters)
{
    struct buf b = { 0 };
    if (!slogging(k)) return;
    buf_puts(&b, "[\"startVat\",");
    capdata_put(&b, parameters);
    buf_putc(&b, ']');
    slog_kernel_delivery(k, text_of(k, &b));
}

/* -- translating --------------------------------------------------------------------------------- */

struct span delivery_message(struct kernel *k, vat_id vat, kref target, const struct message *m,
                             struct span message_text)
{
    tell_message(k, target, message_text);
    struct span name = clist_to_vat(k, vat, target);
    INVARIANT(target.kind == KREF_PROMISE || name.p[1] == '+'); /* routed to the owner */
    struct vat_capdata methargs = data_for(k, vat, &m->methargs);
    struct span result = SPAN_NONE;
    if (m->result.kind != KREF_INVALID) {
        result = clist_to_vat(k, vat, m->result);
        promise_set_decider(k, m->result, vat);
    }
    struct buf b = { 0 };
    buf_puts(&b, "[\"message\",");
    json_put_string(&b, name);
    buf_puts(&b, ",{\"methargs\":");
    vat_capdata_put(&b, &methargs);
    buf_puts(&b, ",\"result\":");
    if (result.p == NULL) {
        buf_puts(&b, "null");
    } else {
        json_put_string(&b, result);
    }
    buf_puts(&b, "}]");
    return text_of(k, &b);
}

struct span delivery_notify(struct kernel *k, vat_id vat, const kref *promises, size_t count)
{
    struct buf b = { 0 };
    tell_notify(k, promises, count);
    buf_puts(&b, "[\"notify\",[");
    for (size_t i = 0; i < count; i++) {
        struct capdata data;
        promise_data(k, promises[i], &data);
        struct span name = clist_to_vat(k, vat, promises[i]);
        struct vat_capdata mine = data_for(k, vat, &data);
        buf_puts(&b, i > 0 ? ",[" : "[");
        json_put_string(&b, name);
        buf_puts(&b, promise_state(k, promises[i]) == PROMISE_REJECTED ? ",true," : ",false,");
        vat_capdata_put(&b, &mine);
        buf_putc(&b, ']');
    }
    buf_puts(&b, "]]");
    for (size_t i = 0; i < count; i++) {
        clist_to_vat(k, vat, promises[i]);
        clist_delete(k, vat, promises[i]);
    }
    return text_of(k, &b);
}

/* Drops look every name up before they clear a flag; retirements do one at a time. */
struct span delivery_gc(struct kernel *k, const struct gc_group *g)
{
    struct buf b = { 0 };
    tell_gc(k, g);
    buf_printf(&b, "[\"%s\",[", gc_delivery_name(g->type));
    for (size_t i = 0; i < g->count; i++) {
        if (i > 0) buf_putc(&b, ',');
        json_put_string(&b, clist_vref(k, g->vat, g->krefs[i]));
        if (g->type != GC_DROP_EXPORT) clist_delete(k, g->vat, g->krefs[i]);
    }
    buf_puts(&b, "]]");
    for (size_t i = 0; g->type == GC_DROP_EXPORT && i < g->count; i++) {
        clist_clear_reachable(k, g->vat, g->krefs[i]);
    }
    return text_of(k, &b);
}

struct span delivery_start_vat(struct kernel *k, vat_id vat, const struct capdata *parameters)
{
    tell_start_vat(k, parameters);
    struct vat_capdata mine = data_for(k, vat, parameters);
    struct buf b = { 0 };
    buf_puts(&b, "[\"startVat\",");
    vat_capdata_put(&b, &mine);
    buf_putc(&b, ']');
    return text_of(k, &b);
}

struct span delivery_change_options(struct kernel *k, struct span options)
{
    return span_join(k, "[\"changeVatOptions\",", options, "]");
}

struct span delivery_bring_out_your_dead(void)
{
    return SPAN("[\"bringOutYourDead\"]");
}
