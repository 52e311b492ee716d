#include "kernel/crank.h"

#include "kernel/cleanup.h"
#include "kernel/events.h"
#include "kernel/lifecycle.h"
#include "kernel/meter.h"
#include "kernel/object.h"
#include "kernel/queue.h"
#include "kernel/route.h"
#include "kernel/slog.h"
#include "kernel/vats.h"
#include "kernel/warehouse.h"

/* -- a delivery and its consequences -------------------------------------------------------- */

static void undo_and_terminate(struct kernel *k, struct crank_result *r, struct span problem)
{
    r->abort = r->terminate = r->reject = true;
    marshal_error(kernel_arena(k), problem, &r->info);
}

/* In order of precedence: a fatal syscall, a failed delivery, an empty meter, the vat's wish
 * to go. */
static void judge(struct kernel *k, const struct delivered *d, struct crank_result *r)
{
    if (k->fate.illegal) {
        r->abort = r->terminate = r->reject = true;
        r->info = k->fate.illegal_info;
    } else if (!d->ok) {
        undo_and_terminate(k, r, d->problem);
    } else if (r->meter.p != NULL && !meter_covers(k, r->meter, r->computrons)) {
        undo_and_terminate(k, r, SPAN("meter underflow, vat terminated"));
    } else if (k->fate.exiting) {
        r->abort = k->fate.exit_reject;
        r->terminate = true;
        r->reject = k->fate.exit_reject;
        r->info = k->fate.exit_info;
    }
}

int crank_deliver(struct kernel *k, vat_id vat, struct span delivery, unsigned cost,
                  uint64_t gc_krefs, struct crank_result *r, struct err *e)
{
    struct delivered d;
    struct span meter = cost & DELIVER_METERED ? vat_meter(k, vat) : SPAN_NONE;
    memset(&k->fate, 0, sizeof k->fate);
    if (warehouse_deliver(k, vat, delivery, &d, e) != 0) return -1;
    if (!d.ok) warehouse_stop(k, vat);
    *r = (struct crank_result){ .delivered = true, .vat = vat, .computrons = d.computrons,
                                .meter = d.computrons > 0 ? meter : SPAN_NONE,
                                .gc_krefs = gc_krefs };
    judge(k, &d, r);
    r->measure_dirt = (cost & DELIVER_DIRTY) && !r->abort && !r->terminate;
    return 0;
}

/* -- the acceptance queue ---------------------------------------------------------------------------- */

static void finish(struct kernel *k, struct span event)
{
    char crankhash[SHA256_HEX + 1], activityhash[SHA256_HEX + 1];
    gc_process_refcounts(k);
    kernel_step_label(k, "references settled");
    uint64_t number = state_next(k, SPAN("crankNumber"));
    kernel_emit_hashes(k, crankhash, activityhash);
    kernel_step_label(k, "hashes emitted");
    slog_crank_finish(k, number, crankhash, activityhash);
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
    slog_crank_start(k, true, text);
    if (json_is(json_get(event, "type"), "send")) {
        route_accept(k, event);
    } else {
        queue_put(k, QUEUE_RUN, text);
    }
    finish(k, text);
}

/* -- choosing, and the end of a delivery crank ------------------------------------------------------------------ */

enum work { WORK_NONE, WORK_ACCEPT, WORK_CLEANUP, WORK_GC, WORK_GC_NEGATED, WORK_REAP, WORK_EVENT };

struct job {
    enum work work;
    struct span text; /* ACCEPT, EVENT; for the sink otherwise */
    vat_id vat;       /* CLEANUP, REAP */
    struct gc_group gc;
    struct cleanup_work budget; /* CLEANUP */
};

static struct span job_text(struct kernel *k, const char *type, vat_id vat)
{
    return arena_printf(kernel_arena(k), "{\"type\":\"%s\",\"vatID\":\"%s\"}", type,
                        vat_id_text(vat).s);
}

static struct span gc_text(struct kernel *k, const struct gc_group *g)
{
    struct buf krefs = { 0 };
    gc_put_krefs(&krefs, g->krefs, g->count);
    struct span text = arena_printf(kernel_arena(k), "{\"type\":\"%s\",\"vatID\":\"%s\",\"krefs\":%.*s}",
                                    gc_delivery_name(g->type), vat_id_text(g->vat).s,
                                    SPAN_ARG(buf_span(&krefs)));
    buf_fini(&krefs);
    return text;
}

static struct span cleanup_text(struct kernel *k, vat_id vat, const struct cleanup_work *budget)
{
    struct buf b = { 0 };
    buf_printf(&b, "{\"type\":\"cleanup-terminated-vat\",\"vatID\":\"%s\",\"budget\":",
               vat_id_text(vat).s);
    cleanup_put_budget(&b, budget);
    buf_putc(&b, '}');
    struct span text = arena_copy(kernel_arena(k), buf_span(&b));
    buf_fini(&b);
    return text;
}

/* May a dead vat be cleaned up now?  The policy is asked before anyone looks for one. */
static bool choose_cleanup(struct kernel *k, const struct run_policy *policy, struct job *j)
{
    const uint64_t all = CLEANUP_UNLIMITED;
    j->budget = (struct cleanup_work){ all, all, all, all, all, all };
    bool allowed = policy == NULL || policy->allow_cleanup == NULL ||
                   policy->allow_cleanup(policy->self, &j->budget);
    return allowed && vat_first_terminated(k, &j->vat);
}

static struct job choose(struct kernel *k, const struct run_policy *policy)
{
    struct job j = { .work = WORK_NONE };
    if (queue_take(k, QUEUE_ACCEPTANCE, &j.text)) {
        j.work = WORK_ACCEPT;
    } else if (choose_cleanup(k, policy, &j)) {
        j.work = WORK_CLEANUP;
        j.text = cleanup_text(k, j.vat, &j.budget);
    } else {
        enum gc_next gc = gc_next_group(k, &j.gc);
        if (gc == GC_DELIVER) {
            j.work = WORK_GC;
            j.text = gc_text(k, &j.gc);
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
    case WORK_CLEANUP: {
        bool done = cleanup_crank(k, j->vat, &j->budget, &r->cleaned);
        slog_cleanup(k, j->vat, &r->cleaned, done);
        return 0;
    }
    case WORK_GC: return event_collect(k, &j->gc, r, e);
    case WORK_REAP: return event_reap(k, j->vat, r, e);
    case WORK_EVENT: return event_run(k, parse_event(k, j->text), r, e);
    case WORK_NONE: case WORK_ACCEPT: case WORK_GC_NEGATED:
    default: return 0;
    }
}

/* A vat that fails, or ends itself, in the bringOutYourDead before a snapshot does so as in
 * any delivery. */
static int save_snapshot(struct kernel *k, struct crank_result *r, struct err *e)
{
    struct snapshot_taken taken;
    if (!r->delivered) return 0;
    memset(&k->fate, 0, sizeof k->fate);
    if (warehouse_snapshot(k, r->vat, 0, &taken, e) != 0) return -1;
    if (!taken.bad) return 0;
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

/* vat-admin hears, once, that a meter has sunk below its threshold. */
static void deduct(struct kernel *k, struct span meter, uint64_t computrons)
{
    struct arena *a = kernel_arena(k);
    struct span remaining;
    if (!meter_deduct(k, meter, computrons) || k->vat_admin_root.kind == KREF_INVALID) return;
    meter_get(k, meter, &remaining, NULL);
    const struct pass *args[] = { pass_string(a, meter), pass_bigint(a, remaining) };
    queue_to_kref(k, k->vat_admin_root, SPAN("meterCrossedThreshold"), pass_array(a, 2, args),
                  POLICY_LOG_FAILURE);
}

static enum crank_kind kind_of(const struct job *j, const struct crank_result *r)
{
    if (j->work == WORK_CLEANUP) return CRANK_CLEANUP;
    if (r->counts_as != CRANK_EMPTY) return r->counts_as;
    if (!r->delivered) return CRANK_EMPTY;
    /* Every event's text begins with its type. */
    bool create = j->work == WORK_EVENT && span_starts(j->text, SPAN("{\"type\":\"create-vat\""));
    return create ? CRANK_CREATE_VAT : CRANK_DELIVERY;
}

static int deliver(struct kernel *k, const struct job *j, struct crank_report *report, struct err *e)
{
    struct crank_result r = { 0 };
    memset(&k->fate, 0, sizeof k->fate);
    slog_crank_start(k, false, j->text);
    store_savepoint(k->store, SAVEPOINT_DELIVER);
    kernel_step_label(k, "delivering");
    if (do_job(k, j, &r, e) != 0) return -1;
    kernel_step_label(k, "delivered");
    if (keep_or_undo(k, &r, e) != 0) return -1;
    *report = (struct crank_report){ kind_of(j, &r), r.computrons, r.cleaned, r.forked };
    if (r.meter.p != NULL) deduct(k, r.meter, r.computrons);
    if (r.measure_dirt) vat_add_dirt(k, r.vat, r.computrons, r.gc_krefs);
    if (r.terminate) {
        slog_terminate(k, r.vat, r.reject, &r.info);
        vat_terminate(k, r.vat, r.reject, &r.info);
    }
    if (r.admin_method.p != NULL) {
        queue_to_kref(k, k->vat_admin_root, r.admin_method, r.admin_args, POLICY_LOG_FAILURE);
    }
    kernel_step_label(k, "consequences queued");
    finish(k, j->text);
    return 0;
}

int crank_run(struct kernel *k, const struct run_policy *policy, struct crank_report *report,
              bool *ran, struct err *e)
{
    *report = (struct crank_report){ .kind = CRANK_EMPTY };
    store_start_crank(k->store);
    store_savepoint(k->store, SAVEPOINT_START);
    struct job j = choose(k, policy);
    int failed = 0;
    if (j.work == WORK_ACCEPT) {
        accept(k, j.text);
    } else if (j.work != WORK_NONE) {
        failed = deliver(k, &j, report, e);
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
