#include "kernel/upgrade.h"

#include "kernel/clist.h"
#include "kernel/delivery.h"
#include "kernel/lifecycle.h"
#include "kernel/object.h"
#include "kernel/promise.h"
#include "kernel/queue.h"
#include "kernel/slog.h"
#include "kernel/vats.h"
#include "kernel/warehouse.h"
#include "store/bundle.h"

struct span upgrade_queue(struct kernel *k, vat_id vat, struct span bundle_id,
                          const struct capdata *parameters, struct span message)
{
    refs_inc(k, parameters);
    uint64_t n = state_next(k, SPAN("vat.nextUpgradeID"));
    struct span id = arena_printf(kernel_arena(k), "up%llu", (unsigned long long)n);
    struct buf b = { 0 };
    buf_printf(&b, "{\"type\":\"upgrade-vat\",\"vatID\":\"%s\",\"upgradeID\":\"%.*s\",\"bundleID\":",
               vat_id_text(vat).s, SPAN_ARG(id));
    json_put_string(&b, bundle_id);
    buf_puts(&b, ",\"vatParameters\":");
    capdata_put(&b, parameters);
    buf_puts(&b, ",\"upgradeMessage\":");
    json_put_string(&b, message);
    buf_putc(&b, '}');
    queue_put(k, QUEUE_ACCEPTANCE, buf_span(&b));
    buf_fini(&b);
    return id;
}

/* The event, taken apart. */
struct upgrade {
    vat_id vat;
    struct span id, bundle_id, message;
    struct capdata parameters;
};

static struct upgrade decode(struct kernel *k, struct jval event)
{
    struct arena *a = kernel_arena(k);
    struct upgrade u = { .id = json_str(json_get(event, "upgradeID"), a),
                         .bundle_id = json_str(json_get(event, "bundleID"), a),
                         .message = json_str(json_get(event, "upgradeMessage"), a) };
    bool ok = vat_id_parse(json_str(json_get(event, "vatID"), a), &u.vat) &&
              capdata_decode(a, json_get(event, "vatParameters"), &u.parameters);
    INVARIANT(ok);
    return u;
}

/* Undo what the crank did, keep the vat, and tell vat-admin, which is told no details. */
static void fail(struct kernel *k, const struct upgrade *u, struct span why, uint64_t computrons,
                 struct crank_result *r)
{
    struct arena *a = kernel_arena(k);
    kernel_note(k, "%s could not be upgraded: %.*s", vat_id_text(u->vat).s, SPAN_ARG(why));
    warehouse_stop(k, u->vat);
    r->abort = r->consume = true;
    r->terminate = r->measure_dirt = false;
    r->computrons = computrons;
    const struct pass *args[] = { pass_string(a, u->id), pass_bool(a, false),
                                  pass_error(a, SPAN("Error"), SPAN("vat-upgrade failure")) };
    r->admin_method = SPAN("vatUpgradeCallback");
    r->admin_args = pass_array(a, 3, args);
    if (!k->zygotes) return; /* upstream goes on counting these */
    r->release = u->parameters.slots;
    r->release_count = u->parameters.count;
}

/* What the old incarnation's promises are rejected with. */
static void disconnection(struct kernel *k, const struct upgrade *u, uint64_t incarnation,
                          struct capdata *out)
{
    struct arena *a = kernel_arena(k);
    const struct span keys[] = { SPAN("name"), SPAN("upgradeMessage"), SPAN("incarnationNumber") };
    const struct pass *values[] = { pass_string(a, SPAN("vatUpgraded")), pass_string(a, u->message),
                                    pass_number(a, (double)incarnation) };
    marshal_encode_k(a, pass_record(a, 3, keys, values), out);
}

/* No promise survives its decider's upgrade.  A vat that listens to its own promise gets a
 * notify, which deletes the c-list entry; otherwise nobody else would. */
static void reject_promises(struct kernel *k, vat_id vat, const struct capdata *reason)
{
    struct clist_walk w = { 0 };
    while (clist_next(k, vat, "p", &w)) {
        vat_id decider;
        if (promise_state(k, w.r) != PROMISE_UNRESOLVED || !promise_decider(k, w.r, &decider) ||
            !vat_id_eq(decider, vat)) {
            continue;
        }
        struct strings subscribers = promise_subscribers(k, w.r);
        bool listens = strings_have(&subscribers, span_of_vat(k, vat));
        promise_resolve(k, w.r, true, reason);
        if (listens) continue;
        clist_to_vat(k, vat, w.r); /* upstream's lookup writes the entry once more */
        clist_delete(k, vat, w.r);
    }
}

/* Ephemeral exports, then virtual ones; durable ones and the root stay. */
static void abandon_exports(struct kernel *k, vat_id vat)
{
    struct clist_walk ephemeral = { 0 }, virtual = { 0 };
    while (clist_next(k, vat, "o+", &ephemeral)) {
        if (span_cmp(ephemeral.vref, SPAN("o+d")) >= 0) break;
        if (!span_is(ephemeral.vref, "o+0")) object_orphan(k, ephemeral.r, vat);
    }
    while (clist_next(k, vat, "o+v", &virtual)) object_orphan(k, virtual.r, vat);
}

static void begin_incarnation(struct kernel *k, const struct upgrade *u)
{
    struct vat_options options = vat_options(k, u->vat);
    warehouse_new_incarnation(k, u->vat);
    boot_bundles(k, &options.boot);
    vat_set_source(k, u->vat, vat_source_text(k, u->bundle_id), &options);
    vat_set_parameters(k, u->vat, &u->parameters);
}

static void succeed(struct kernel *k, const struct upgrade *u, uint64_t incarnation,
                    struct crank_result *r)
{
    struct arena *a = kernel_arena(k);
    const struct pass *args[] = { pass_string(a, u->id), pass_bool(a, true), pass_undefined(a),
                                  pass_number(a, (double)incarnation) };
    /* Not counted as a delivery: no snapshot follows, and no dirt. */
    r->delivered = r->measure_dirt = false;
    r->admin_method = SPAN("vatUpgradeCallback");
    r->admin_args = pass_array(a, 4, args);
}

static struct span refusal(struct kernel *k, const struct upgrade *u)
{
    if (vat_is_sealed(k, u->vat)) return SPAN("it is a zygote, which never runs");
    if (!bundle_has(k->store, u->bundle_id)) return SPAN("its new bundle is not installed");
    return SPAN_NONE;
}

/* In upstream's words, for the slog. */
static void say_failed(struct kernel *k, const struct upgrade *u, uint64_t incarnation,
                       const char *where)
{
    slog_say(k, "log", "", "WARNING: vat %s failed to upgrade from incarnation %llu (%s)",
             vat_id_text(u->vat).s, (unsigned long long)incarnation, where);
}

int upgrade_crank(struct kernel *k, struct jval event, struct crank_result *r, struct err *e)
{
    struct upgrade u = decode(k, event);
    struct capdata reason;
    if (!vat_is_alive(k, u.vat)) {
        if (k->zygotes) refs_dec(k, &u.parameters); /* upstream forgets them */
        return 0;
    }
    if (refusal(k, &u).p != NULL) {
        *r = (struct crank_result){ .vat = u.vat };
        fail(k, &u, refusal(k, &u), 0, r);
        return 0;
    }
    uint64_t old = warehouse_incarnation(k, u.vat);
    disconnection(k, &u, old, &reason);
    slog_say(k, "log", "", "attempting to upgrade vat %s from incarnation %llu to source %.*s",
             vat_id_text(u.vat).s, (unsigned long long)old, SPAN_ARG(u.bundle_id));
    if (crank_deliver(k, u.vat, delivery_bring_out_your_dead(), DELIVER_FREE, 0, r, e) != 0) return -1;
    uint64_t computrons = r->computrons;
    if (r->terminate) {
        say_failed(k, &u, old, "BOYD");
        fail(k, &u, marshal_describe(kernel_arena(k), &r->info), computrons, r);
        return 0;
    }
    reject_promises(k, u.vat, &reason);
    abandon_exports(k, u.vat);
    begin_incarnation(k, &u);
    struct span delivery = delivery_start_vat(k, u.vat, &u.parameters);
    refs_dec(k, &u.parameters);
    if (crank_deliver(k, u.vat, delivery, DELIVER_METERED, 0, r, e) != 0) {
        if (e->exit != EXIT_VAT) return -1;
        /* Code that cannot be set up is as bad as code that does not start. */
        fail(k, &u, span_of(e->text), computrons, r);
        return 0;
    }
    r->computrons += computrons;
    if (r->terminate) {
        say_failed(k, &u, old, "startVat");
        fail(k, &u, marshal_describe(kernel_arena(k), &r->info), r->computrons, r);
    } else {
        slog_say(k, "log", "", "vat %s upgraded from incarnation %llu to %llu with source %.*s",
                 vat_id_text(u.vat).s, (unsigned long long)old, (unsigned long long)old + 1,
                 SPAN_ARG(u.bundle_id));
        succeed(k, &u, old + 1, r);
    }
    return 0;
}
