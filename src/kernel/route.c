#include "kernel/route.h"

#include "kernel/object.h"
#include "kernel/promise.h"
#include "kernel/vats.h"

void route_decode(struct kernel *k, struct jval event, struct send_event *out)
{
    struct arena *a = kernel_arena(k);
    struct jval m = json_get(event, "msg");
    bool ok = kref_parse(json_str(json_get(event, "target"), a), &out->target) &&
              message_decode(a, m, &out->message);
    INVARIANT(ok);
    out->message_text = json_raw(m);
}

static enum route splat(struct kernel *k, const struct send_event *s, const struct capdata *error)
{
    if (s->message.result.kind != KREF_INVALID) {
        promise_resolve(k, s->message.result, true, error);
    }
    return ROUTE_SPLAT;
}

static enum route splat_saying(struct kernel *k, const struct send_event *s, struct span text)
{
    struct capdata error;
    marshal_error(kernel_arena(k), text, &error);
    return splat(k, s, &error);
}

static enum route to_object(struct kernel *k, const struct send_event *s, kref o, kref *target,
                            vat_id *vat)
{
    if (!object_owner(k, o, vat)) return splat_saying(k, s, SPAN("vat terminated"));
    if (vat_is_sealed(k, *vat)) return splat_saying(k, s, SPAN("vat is a zygote"));
    *target = o;
    return ROUTE_DELIVER;
}

static enum route to_fulfilled(struct kernel *k, const struct send_event *s, kref *target, vat_id *vat)
{
    struct capdata data;
    kref single;
    promise_data(k, s->target, &data);
    if (marshal_single_slot(kernel_arena(k), &data, &single) && single.kind == KREF_OBJECT) {
        return to_object(k, s, single, target, vat);
    }
    struct span method = marshal_method(kernel_arena(k), s->message.methargs.body);
    return splat_saying(k, s, span_join(k, "data is not callable, has no method ", method, ""));
}

static enum route to_unresolved(struct kernel *k, const struct send_event *s, kref *target, vat_id *vat)
{
    *target = s->target;
    if (!promise_decider(k, s->target, vat)) return ROUTE_WAIT;
    if (!vat_is_alive(k, *vat)) return splat_saying(k, s, SPAN("vat terminated"));
    return vat_pipelines(k, *vat) ? ROUTE_DELIVER : ROUTE_WAIT;
}

enum route route_send(struct kernel *k, const struct send_event *s, kref *target, vat_id *vat)
{
    struct capdata error;
    if (s->target.kind == KREF_OBJECT) return to_object(k, s, s->target, target, vat);
    switch (promise_state(k, s->target)) {
    case PROMISE_FULFILLED: return to_fulfilled(k, s, target, vat);
    case PROMISE_UNRESOLVED: return to_unresolved(k, s, target, vat);
    case PROMISE_REJECTED:
        promise_data(k, s->target, &error);
        return splat(k, s, &error);
    case PROMISE_UNKNOWN:
    default: BUG("a message is queued to a promise that is gone");
    }
}

void route_release(struct kernel *k, const struct send_event *s)
{
    ref_dec(k, s->target, REF_NORMAL);
    if (s->message.result.kind != KREF_INVALID) ref_dec(k, s->message.result, REF_NORMAL);
    refs_dec(k, &s->message.methargs);
}

void route_accept(struct kernel *k, struct jval event)
{
    struct send_event s;
    kref target;
    vat_id vat;
    route_decode(k, event, &s);
    enum route route = route_send(k, &s, &target, &vat);
    if (route == ROUTE_SPLAT) {
        route_release(k, &s);
        return;
    }
    if (!kref_eq(target, s.target)) {
        ref_dec(k, s.target, REF_NORMAL);
        ref_inc(k, target, REF_NORMAL);
    }
    if (route == ROUTE_WAIT) {
        promise_queue_message(k, target, s.message_text);
        return;
    }
    struct buf b = { 0 };
    buf_printf(&b, "{\"type\":\"send\",\"target\":\"%s\",\"msg\":", kref_text(target).s);
    buf_put(&b, s.message_text);
    buf_putc(&b, '}');
    queue_put(k, QUEUE_RUN, buf_span(&b));
    buf_fini(&b);
}
