#include "kernel/crank.h"

#include "kernel/clist.h"
#include "kernel/delivery.h"
#include "kernel/fork.h"
#include "kernel/gc.h"
#include "kernel/lifecycle.h"
#include "kernel/object.h"
#include "kernel/promise.h"
#include "kernel/vats.h"
#include "kernel/warehouse.h"

/* -- a delivery and its consequences -------------------------------------------------------- */

static void undo_and_terminate(struct kernel *k, struct crank_result *r, struct span problem)
{
    r->abort = r->terminate = r->reject = true;
    marshal_error(kernel_arena(k), problem, &r->info);
}

/* In order of precedence: a fatal syscall, a failed delivery, the vat's wish to go. */
static void judge(struct kernel *k, const struct delivered *d, struct crank_result *r)
{
    if (k->fate.illegal) {
        r->abort = r->terminate = r->reject = true;
        r->info = k->fate.illegal_info;
    } else if (!d->ok) {
        undo_and_terminate(k, r, d->problem);
    } else if (k->fate.exiting) {
        r->abort = k->fate.exit_reject;
        r->terminate = true;
        r->reject = k->fate.exit_reject;
        r->info = k->fate.exit_info;
    }
}

int crank_deliver(struct kernel *k, vat_id vat, struct span delivery, bool dirt,
                  uint64_t gc_krefs, struct crank_result *r, struct err *e)
{
    struct delivered d;
    memset(&k->fate, 0, sizeof k->fate);
    if (warehouse_deliver(k, vat, delivery, &d, e) != 0) return -1;
    if (!d.ok) warehouse_stop(k, vat);
    *r = (struct crank_result){ .delivered = true, .vat = vat, .computrons = d.computrons,
                                .gc_krefs = gc_krefs };
    judge(k, &d, r);
    r->measure_dirt = dirt && !r->abort && !r->terminate;
    return 0;
}

/* -- routing -------------------------------------------------------------------------------------- */

enum route {
    ROUTE_SPLAT,   /* the message is over; its result was rejected */
    ROUTE_DELIVER, /* to `vat`, at `target` */
    ROUTE_WAIT,    /* on the promise `target` */
};

struct send_event {
    kref target;
    struct message message;
    struct span message_text;
};

static void decode_send(struct kernel *k, struct jval event, struct send_event *out)
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
    return vat_options(k, *vat).enable_pipelining ? ROUTE_DELIVER : ROUTE_WAIT;
}

static enum route route_send(struct kernel *k, const struct send_event *s, kref *target, vat_id *vat)
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

static void release_send(struct kernel *k, const struct send_event *s)
{
    ref_dec(k, s->target, REF_NORMAL);
    if (s->message.result.kind != KREF_INVALID) ref_dec(k, s->message.result, REF_NORMAL);
    for (size_t i = 0; i < s->message.methargs.count; i++) {
        ref_dec(k, s->message.methargs.slots[i], REF_NORMAL);
    }
}

/* -- the acceptance queue ---------------------------------------------------------------------------- */

static void accept_send(struct kernel *k, struct jval event)
{
    struct send_event s;
    kref target;
    vat_id vat;
    decode_send(k, event, &s);
    enum route route = route_send(k, &s, &target, &vat);
    if (route == ROUTE_SPLAT) {
        release_send(k, &s);
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

static void finish(struct kernel *k, struct span event)
{
    char crankhash[SHA256_HEX + 1], activityhash[SHA256_HEX + 1];
    gc_process_refcounts(k);
    uint64_t number = state_next(k, SPAN("crankNumber"));
    kernel_emit_hashes(k, crankhash, activityhash);
    if (k->sink.crank != NULL) k->sink.crank(k->sink.self, number, event, crankhash, activityhash);
}

static struct jval parse_event(struct kernel *k, struct span text)
{
    struct jval v;
    struct err e;
    int failed = json_parse(kernel_arena(k), text, &v, &e);
    INVARIANT(failed == 0);
    return v;
}

static void accept(struct kernel *k, struct span text)
{
    struct jval event = parse_event(k, text);
    if (json_is(json_get(event, "type"), "send")) {
        accept_send(k, event);
    } else {
        queue_put(k, QUEUE_RUN, text);
    }
    finish(k, text);
}

/* -- the run queue --------------------------------------------------------------------------------------- */

static int send_crank(struct kernel *k, struct jval event, struct crank_result *r, struct err *e)
{
    struct send_event s;
    kref target;
    vat_id vat;
    decode_send(k, event, &s);
    switch (route_send(k, &s, &target, &vat)) {
    case ROUTE_SPLAT: release_send(k, &s); return 0;
    case ROUTE_WAIT: promise_queue_message(k, target, s.message_text); return 0;
    case ROUTE_DELIVER:
    default: break;
    }
    release_send(k, &s);
    stats_inc(&k->stats, STAT_DISPATCHES);
    stats_inc(&k->stats, STAT_DISPATCH_DELIVER);
    struct span delivery = delivery_message(k, vat, target, &s.message);
    if (s.message.result.kind != KREF_INVALID && vat_options(k, vat).enable_pipelining) {
        promise_requeue(k, s.message.result);
    }
    return crank_deliver(k, vat, delivery, true, 0, r, e);
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
    return crank_deliver(k, vat, delivery, true, 0, r, e);
}

static int start_crank(struct kernel *k, struct jval event, struct crank_result *r, struct err *e)
{
    struct capdata parameters;
    bool ok = capdata_decode(kernel_arena(k), json_get(event, "vatParameters"), &parameters);
    INVARIANT(ok);
    return start_vat_crank(k, event_vat(k, event), &parameters, r, e);
}

/* Only reapInterval can be changed; vat-admin lets nothing else through. */
static int options_crank(struct kernel *k, struct jval event, struct crank_result *r, struct err *e)
{
    (void)r;
    (void)e;
    vat_id vat = event_vat(k, event);
    struct jval interval = json_get(json_get(event, "options"), "reapInterval");
    uint64_t n;
    if (!vat_is_alive(k, vat) || vat_is_sealed(k, vat) || json_type(interval) == JSON_NONE) return 0;
    if (json_is(interval, "never")) {
        vat_set_reap_interval(k, vat, REAP_NEVER);
    } else if (json_u64(interval, &n)) {
        vat_set_reap_interval(k, vat, (int64_t)n);
    } else {
        kernel_note(k, "%s: invalid reapInterval ignored", vat_id_text(vat).s);
    }
    return 0;
}

static const struct {
    const char *type;
    int (*run)(struct kernel *k, struct jval event, struct crank_result *r, struct err *e);
} events[] = {
    { "send", send_crank },
    { "notify", notify_crank },
    { "create-vat", create_vat_crank },
    { "startVat", start_crank },
    { "changeVatOptions", options_crank },
    { "fork-vat", fork_crank },
    { "zygotify-vat", zygotify_crank },
};

static int run_event(struct kernel *k, struct span text, struct crank_result *r, struct err *e)
{
    struct jval event = parse_event(k, text), type = json_get(event, "type");
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        if (json_is(type, events[i].type)) return events[i].run(k, event, r, e);
    }
    return err_set(e, EXIT_INCOMPATIBLE, "the run queue holds an event this release cannot do: %.*s",
                   SPAN_ARG(json_raw(type)));
}

/* -- garbage collection deliveries --------------------------------------------------------------------------- */

static int gc_crank(struct kernel *k, const struct gc_group *g, struct crank_result *r, struct err *e)
{
    if (!vat_is_alive(k, g->vat)) return 0;
    for (size_t i = 0; g->type == GC_RETIRE_EXPORT && i < g->count; i++) {
        object_delete(k, g->krefs[i]);
    }
    return crank_deliver(k, g->vat, delivery_gc(k, g), true, g->count, r, e);
}

static int reap_crank(struct kernel *k, vat_id vat, struct crank_result *r, struct err *e)
{
    if (!vat_is_alive(k, vat) || vat_is_sealed(k, vat)) return 0;
    return crank_deliver(k, vat, delivery_bring_out_your_dead(), false, 0, r, e);
}

/* -- choosing, and the end of a delivery crank ------------------------------------------------------------------ */

enum work { WORK_NONE, WORK_ACCEPT, WORK_CLEANUP, WORK_GC, WORK_GC_NEGATED, WORK_REAP, WORK_EVENT };

struct job {
    enum work work;
    struct span text; /* ACCEPT, EVENT; for the sink otherwise */
    vat_id vat;       /* CLEANUP, REAP */
    struct gc_group gc;
};

static struct span job_text(struct kernel *k, const char *type, vat_id vat)
{
    return arena_printf(kernel_arena(k), "{\"type\":\"%s\",\"vatID\":\"%s\"}", type,
                        vat_id_text(vat).s);
}

static struct job choose(struct kernel *k)
{
    struct job j = { .work = WORK_NONE };
    if (queue_take(k, QUEUE_ACCEPTANCE, &j.text)) {
        j.work = WORK_ACCEPT;
    } else if (vat_first_terminated(k, &j.vat)) {
        j.work = WORK_CLEANUP;
        j.text = job_text(k, "cleanup-terminated-vat", j.vat);
    } else {
        enum gc_next gc = gc_next_group(k, &j.gc);
        if (gc == GC_DELIVER) {
            j.work = WORK_GC;
            j.text = job_text(k, gc_delivery_name(j.gc.type), j.gc.vat);
        } else if (gc == GC_NEGATED) {
            j.work = WORK_GC_NEGATED;
            j.text = SPAN("{\"type\":\"negated-gc-action\"}");
        } else if (vat_next_reap(k, &j.vat)) {
            j.work = WORK_REAP;
            j.text = job_text(k, "bringOutYourDead", j.vat);
        } else if (queue_take(k, QUEUE_RUN, &j.text)) {
            j.work = WORK_EVENT;
        }
    }
    return j;
}

static int do_job(struct kernel *k, const struct job *j, struct crank_result *r, struct err *e)
{
    switch (j->work) {
    case WORK_CLEANUP: cleanup_crank(k, j->vat); return 0;
    case WORK_GC: return gc_crank(k, &j->gc, r, e);
    case WORK_REAP: return reap_crank(k, j->vat, r, e);
    case WORK_EVENT: return run_event(k, j->text, r, e);
    case WORK_NONE: case WORK_ACCEPT: case WORK_GC_NEGATED:
    default: return 0;
    }
}

/* A vat that fails, or ends itself, in the bringOutYourDead before a snapshot does so as in
 * any delivery. */
static int save_snapshot(struct kernel *k, struct crank_result *r, struct err *e)
{
    bool bad;
    if (!r->delivered) return 0;
    memset(&k->fate, 0, sizeof k->fate);
    if (warehouse_snapshot(k, r->vat, 0, NULL, &bad, e) != 0) return -1;
    if (!bad) return 0;
    judge(k, &(struct delivered){ .ok = k->fate.exiting,
                                  .problem = SPAN("vat could not be brought to rest for its snapshot") }, r);
    r->measure_dirt = false;
    r->admin_method = SPAN_NONE;
    return 0;
}

static bool still_there(struct kernel *k, const struct capdata *data)
{
    for (size_t i = 0; i < data->count; i++) {
        kref r = data->slots[i];
        if (!state_has(k, key_kref(k, r, r.kind == KREF_DEVICE ? "owner" : "refCount"))) return false;
    }
    return true;
}

static int keep_or_undo(struct kernel *k, struct crank_result *r, struct err *e)
{
    if (!r->abort && save_snapshot(k, r, e) != 0) return -1;
    if (!r->abort) return 0;
    kernel_rollback(k, r->consume ? SAVEPOINT_DELIVER : SAVEPOINT_START);
    /* What follows may panic, and is then undone in its turn. */
    if (!r->consume) store_savepoint(k->store, SAVEPOINT_START);
    for (size_t i = 0; i < r->release_count; i++) ref_dec(k, r->release[i], REF_NORMAL);
    if (r->terminate && !still_there(k, &r->info)) {
        marshal_error(kernel_arena(k), SPAN("vat failed, for a reason undone with its last delivery"), &r->info);
    }
    return 0;
}

static int deliver(struct kernel *k, const struct job *j, struct err *e)
{
    struct crank_result r = { 0 };
    memset(&k->fate, 0, sizeof k->fate);
    store_savepoint(k->store, SAVEPOINT_DELIVER);
    kernel_step_label(k, "delivering");
    if (do_job(k, j, &r, e) != 0) return -1;
    kernel_step_label(k, "delivered");
    if (keep_or_undo(k, &r, e) != 0) return -1;
    if (r.measure_dirt) vat_add_dirt(k, r.vat, r.computrons, r.gc_krefs);
    if (r.terminate) vat_terminate(k, r.vat, r.reject, &r.info);
    if (r.admin_method.p != NULL) {
        queue_to_kref(k, k->vat_admin_root, r.admin_method, r.admin_args, POLICY_LOG_FAILURE);
    }
    finish(k, j->text);
    return 0;
}

int crank_run(struct kernel *k, bool *ran, struct err *e)
{
    store_start_crank(k->store);
    store_savepoint(k->store, SAVEPOINT_START);
    struct job j = choose(k);
    int failed = 0;
    if (j.work == WORK_ACCEPT) {
        accept(k, j.text);
    } else if (j.work != WORK_NONE) {
        failed = deliver(k, &j, e);
    }
    *ran = j.work != WORK_NONE;
    if (failed == 0 && k->panicked) {
        *e = k->panic;
        failed = -1;
    }
    if (failed != 0) {
        kernel_rollback(k, SAVEPOINT_START);
        kernel_reload(k);
    }
    store_end_crank(k->store);
    kernel_step_label(k, "crank ended");
    return failed;
}
