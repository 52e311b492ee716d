#include "kernel/events.h"

#include "kernel/clist.h"
#include "kernel/delivery.h"
#include "kernel/fork.h"
#include "kernel/lifecycle.h"
#include "kernel/object.h"
#include "kernel/offline.h"
#include "kernel/promise.h"
#include "kernel/route.h"
#include "kernel/slog.h"
#include "kernel/upgrade.h"
#include "kernel/vats.h"

/* -- what stands on the run queue ------------------------------------------------------------ */

static int send_crank(struct kernel *k, struct jval event, struct crank_result *r, struct err *e)
{
    struct send_event s;
    kref target;
    vat_id vat;
    route_decode(k, event, &s);
    switch (route_send(k, &s, &target, &vat)) {
    case ROUTE_SPLAT: route_release(k, &s); return 0;
    case ROUTE_WAIT: promise_queue_message(k, target, s.message_text); return 0;
    case ROUTE_DELIVER:
    default: break;
    }
    route_release(k, &s);
    stats_inc(&k->stats, STAT_DISPATCHES);
    stats_inc(&k->stats, STAT_DISPATCH_DELIVER);
    struct span delivery = delivery_message(k, vat, target, &s.message, s.message_text);
    if (s.message.result.kind != KREF_INVALID && vat_pipelines(k, vat)) {
        promise_requeue(k, s.message.result);
    }
    return crank_deliver(k, vat, delivery, DELIVER_DIRTY | DELIVER_METERED, 0, r, e);
}

static vat_id event_vat(struct kernel *k, struct jval event)
{
    vat_id vat = { 0 };
    bool ok = vat_id_parse(json_str(json_get(event, "vatID"), kernel_arena(k)), &vat);
    INVARIANT(ok);
    return vat;
}

static int notify_crank(struct kernel *k, struct jval event, struct crank_result *r, struct err *e)
{
    vat_id vat = event_vat(k, event);
    kref p;
    bool ok = kref_parse(json_str(json_get(event, "kpid"), kernel_arena(k)), &p);
    INVARIANT(ok);
    ref_dec(k, p, REF_NORMAL);
    stats_inc(&k->stats, STAT_DISPATCHES);
    if (!vat_is_alive(k, vat)) return 0;
    stats_inc(&k->stats, STAT_DISPATCH_NOTIFY);
    if (!clist_has(k, vat, p)) return 0; /* an earlier batch told it already */
    kref *batch;
    size_t count = promise_batch(k, p, &batch);
    struct span delivery = delivery_notify(k, vat, batch, count);
    return crank_deliver(k, vat, delivery, DELIVER_DIRTY | DELIVER_METERED, 0, r, e);
}

static int start_crank(struct kernel *k, struct jval event, struct crank_result *r, struct err *e)
{
    struct capdata parameters;
    bool ok = capdata_decode(kernel_arena(k), json_get(event, "vatParameters"), &parameters);
    INVARIANT(ok);
    return start_vat_crank(k, event_vat(k, event), &parameters, r, e);
}

static void change_reap_interval(struct kernel *k, vat_id vat, struct jval interval)
{
    uint64_t n;
    if (json_is(interval, "never")) {
        vat_set_reap_interval(k, vat, REAP_NEVER);
    } else if (json_u64(interval, &n)) {
        vat_set_reap_interval(k, vat, (int64_t)n);
    } else {
        kernel_note(k, "%s: invalid reapInterval ignored", vat_id_text(vat).s);
    }
}

/* The vat hears of options that are none of the kernel's.  Vat-admin lets none through, but
 * its device does. */
static int options_crank(struct kernel *k, struct jval event, struct crank_result *r, struct err *e)
{
    vat_id vat = event_vat(k, event);
    struct jval options = json_get(event, "options");
    struct buf rest = { 0 };
    if (!vat_is_alive(k, vat) || vat_is_sealed(k, vat)) return 0;
    for (size_t i = 0; i < json_len(options); i++) {
        struct span key = json_key_at(options, i, kernel_arena(k));
        if (span_is(key, "reapInterval")) {
            change_reap_interval(k, vat, json_at(options, i));
            continue;
        }
        buf_putc(&rest, rest.n == 0 ? '{' : ',');
        json_put_string(&rest, key);
        buf_putc(&rest, ':');
        buf_put(&rest, json_raw(json_at(options, i)));
    }
    if (rest.n == 0) return 0;
    buf_putc(&rest, '}');
    struct span delivery = delivery_change_options(k, buf_span(&rest));
    buf_fini(&rest);
    if (crank_deliver(k, vat, delivery, DELIVER_FREE, 0, r, e) != 0) return -1;
    r->consume = true;
    return 0;
}

typedef int run_event(struct kernel *k, struct jval event, struct crank_result *r, struct err *e);

static const struct {
    const char *type;
    run_event *run;
    bool ours; /* upstream has no such event */
} events[] = {
    { "send", send_crank, false },
    { "notify", notify_crank, false },
    { "create-vat", create_vat_crank, false },
    { "startVat", start_crank, false },
    { "changeVatOptions", options_crank, false },
    { "upgrade-vat", upgrade_crank, false },
    { "fork-vat", fork_crank, true },
    { "zygotify-vat", zygotify_crank, true },
    { "take-offline", offline_crank, true },
};

static int run_ours(struct kernel *k, struct span type, run_event *run, struct jval event,
                    struct crank_result *r, struct err *e)
{
    vat_id vat = event_vat(k, event), parent = { 0 };
    vat_id_parse(json_str(json_get(event, "parentVatID"), kernel_arena(k)), &parent);
    slog_fork_start(k, type, vat, parent);
    if (run(k, event, r, e) != 0) return -1;
    slog_fork_finish(k, type, vat, parent, r->refused, &r->forked, r->computrons);
    return 0;
}

int event_run(struct kernel *k, struct jval event, struct crank_result *r, struct err *e)
{
    struct jval type = json_get(event, "type");
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        if (!json_is(type, events[i].type)) continue;
        if (!events[i].ours) return events[i].run(k, event, r, e);
        return run_ours(k, span_of(events[i].type), events[i].run, event, r, e);
    }
    return err_set(e, EXIT_INCOMPATIBLE, "the run queue holds an event this release cannot do: %.*s",
                   SPAN_ARG(json_raw(type)));
}

/* -- garbage collection deliveries --------------------------------------------------------------------------- */

int event_collect(struct kernel *k, const struct gc_group *g, struct crank_result *r, struct err *e)
{
    if (!vat_is_alive(k, g->vat)) return 0;
    for (size_t i = 0; g->type == GC_RETIRE_EXPORT && i < g->count; i++) {
        object_delete(k, g->krefs[i]);
    }
    return crank_deliver(k, g->vat, delivery_gc(k, g), DELIVER_DIRTY, g->count, r, e);
}

int event_reap(struct kernel *k, vat_id vat, struct crank_result *r, struct err *e)
{
    if (!vat_is_alive(k, vat) || vat_is_sealed(k, vat)) return 0;
    return crank_deliver(k, vat, delivery_bring_out_your_dead(), DELIVER_FREE, 0, r, e);
}
