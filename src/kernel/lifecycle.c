#include "kernel/lifecycle.h"

#include "kernel/clist.h"
#include "kernel/delivery.h"
#include "kernel/external.h"
#include "kernel/limits.h"
#include "kernel/meter.h"
#include "kernel/object.h"
#include "kernel/promise.h"
#include "kernel/slog.h"
#include "kernel/vats.h"
#include "kernel/warehouse.h"
#include "store/snapshot.h"
#include "store/transcript.h"

/* -- creating ------------------------------------------------------------------------------- */

bool boot_bundles(struct kernel *k, struct strings *out)
{
    vat_id admin;
    if (!vat_by_name(k, SPAN("vatAdmin"), &admin)) return false;
    *out = vat_options(k, admin).boot;
    return true;
}

/* What an xs-worker vat cannot be, in upstream's words where it has some. */
static const char *unsupported(struct jval v)
{
    struct jval type = json_get(v, "managerType");
    if (json_type(json_get(v, "enableSetup")) == JSON_TRUE) {
        return "Error: xsnap: enableSetup not supported at all";
    }
    if (json_type(json_get(v, "useTranscript")) == JSON_FALSE) {
        return "Error: xsnap: useTranscript=false not supported";
    }
    if (json_type(json_get(v, "nodeOptions")) != JSON_NONE) {
        return "Error: nodeOptions requires managerType 'node-subprocess'";
    }
    if (json_type(type) != JSON_NONE && !json_is(type, "xsnap") && !json_is(type, "xs-worker")) {
        return "Error: only xs-worker vats are supported";
    }
    return NULL;
}

static struct span threshold_text(struct kernel *k, struct jval reap_interval)
{
    if (json_type(reap_interval) == JSON_NONE) return SPAN("{}");
    return span_join(k, "{\"deliveries\":", span_join(k, "", json_raw(reap_interval), "}"), "");
}

static struct vat_options dynamic_options(struct kernel *k, struct jval v, struct strings boot)
{
    return (struct vat_options){
        .name = json_str(json_get(v, "name"), kernel_arena(k)),
        .boot = boot,
        .enable_setup = json_type(json_get(v, "enableSetup")) == JSON_TRUE,
        .enable_pipelining = json_type(json_get(v, "enablePipelining")) == JSON_TRUE,
        .use_transcript = json_type(json_get(v, "useTranscript")) != JSON_FALSE,
        .critical = json_type(json_get(v, "critical")) == JSON_TRUE,
        .meter_id = json_str(json_get(v, "meterID"), kernel_arena(k)),
        .reap_dirt_threshold = threshold_text(k, json_get(v, "reapInterval")),
    };
}

/* Upstream goes on counting the references of vatParameters when creation fails. */
static void release_event(struct kernel *k, const struct capdata *parameters, struct crank_result *r)
{
    if (!k->zygotes) return;
    r->release = parameters->slots;
    r->release_count = parameters->count;
}

static void creation_failed(struct kernel *k, vat_id vat, struct span why,
                            const struct capdata *parameters, struct crank_result *r)
{
    *r = (struct crank_result){ .abort = true, .consume = true, .delivered = true, .vat = vat,
                                .terminate = true, .reject = true };
    slog_say(k, "log", ",{}", "error during createDynamicVat"); /* {}: an Error as JSON */
    marshal_error(kernel_arena(k), why, &r->info);
    release_event(k, parameters, r);
}

int start_vat_crank(struct kernel *k, vat_id vat, const struct capdata *parameters,
                    struct crank_result *r, struct err *e)
{
    if (!vat_is_alive(k, vat)) return 0;
    vat_set_parameters(k, vat, parameters);
    struct span delivery = delivery_start_vat(k, vat, parameters);
    refs_dec(k, parameters);
    if (crank_deliver(k, vat, delivery, DELIVER_DIRTY | DELIVER_METERED, 0, r, e) != 0) return -1;
    r->consume = true;
    return 0;
}

int create_vat_crank(struct kernel *k, struct jval event, struct crank_result *r, struct err *e)
{
    struct arena *a = kernel_arena(k);
    vat_id vat;
    struct capdata parameters;
    bool ok = vat_id_parse(json_str(json_get(event, "vatID"), a), &vat) &&
              capdata_decode(a, json_get(event, "vatParameters"), &parameters);
    INVARIANT(ok);
    struct jval given = json_get(event, "dynamicOptions");
    struct strings boot;
    if (limits_refusal(k).p != NULL) {
        creation_failed(k, vat, limits_refusal(k), &parameters, r);
        return 0;
    }
    vat_add_dynamic(k, vat);
    if (!boot_bundles(k, &boot)) {
        creation_failed(k, vat, SPAN("Error: vat-admin is gone"), &parameters, r);
        return 0;
    }
    struct vat_options options = dynamic_options(k, given, boot);
    vat_create_state(k, vat, json_raw(json_get(event, "source")), &options);
    if (options.meter_id.p != NULL && !meter_get(k, options.meter_id, NULL, NULL)) {
        creation_failed(k, vat, SPAN("Error: there is no such meter"), &parameters, r);
        return 0;
    }
    if (unsupported(given) != NULL) {
        if (slog_vat(k, vat, true)) slog_startup(k, vat, false); /* upstream gets so far */
        creation_failed(k, vat, span_of(unsupported(given)), &parameters, r);
        return 0;
    }
    if (warehouse_ensure(k, vat, e) != 0) {
        if (e->exit != EXIT_VAT) return -1;
        creation_failed(k, vat, span_join(k, "Error: ", span_of(e->text), ""), &parameters, r);
        return 0;
    }
    if (start_vat_crank(k, vat, &parameters, r, e) != 0) return -1;
    release_event(k, &parameters, r);
    if (r->terminate) return 0;
    struct span root = span_of_kref(k, vat_root(k, vat)), key = SPAN("rootObject");
    const struct pass *slot = pass_slot(a, root, SPAN_NONE);
    const struct pass *args[] = { pass_string(a, span_of_vat(k, vat)),
                                  pass_record(a, 1, &key, &slot) };
    r->admin_method = SPAN("newVatCallback");
    r->admin_args = pass_array(a, 2, args);
    return 0;
}

/* -- terminating ------------------------------------------------------------------------------- */

static void reject_promises_of(struct kernel *k, vat_id vat)
{
    struct clist_walk w = { 0 };
    while (clist_next(k, vat, "p", &w)) {
        vat_id decider;
        if (promise_state(k, w.r) == PROMISE_UNRESOLVED && promise_decider(k, w.r, &decider) &&
            vat_id_eq(decider, vat)) {
            promise_reject_with(k, w.r, SPAN("vat terminated"));
        }
    }
}

/* A zygote's root is pinned; that of a child the host made is held by the host. */
static void let_go_of_root(struct kernel *k, vat_id vat)
{
    struct span text;
    kref root;
    if (!k->zygotes || !kv_get(k->store, key_clist_vref(k, vat, SPAN("o+0")), &text) ||
        !kref_parse(text, &root)) {
        return;
    }
    object_unpin(k, root);
    external_release(k, root);
}

static void tell_vat_admin(struct kernel *k, vat_id vat, bool reject, const struct capdata *info)
{
    struct arena *a = kernel_arena(k);
    const struct pass *reason;
    const char *why;
    if (k->vat_admin_root.kind == KREF_INVALID) return;
    if (!marshal_decode_k(a, info, &reason, &why)) {
        /* Upstream would panic; the vat chose these bytes. */
        reason = pass_error(a, SPAN("Error"), SPAN("the termination reason does not decode"));
    }
    const struct pass *args[] = { pass_string(a, span_of_vat(k, vat)), pass_bool(a, reject), reason };
    queue_to_kref(k, k->vat_admin_root, SPAN("vatTerminated"), pass_array(a, 3, args),
                  POLICY_LOG_FAILURE);
}

void vat_terminate(struct kernel *k, vat_id vat, bool reject, const struct capdata *info)
{
    bool critical = false;
    struct span why = marshal_describe(kernel_arena(k), info);
    kernel_note(k, "%s %s: %.*s", vat_id_text(vat).s, reject ? "failed" : "ended", SPAN_ARG(why));
    slog_say(k, "log", "", "kernel terminating vat %s (failure=%s)", vat_id_text(vat).s,
             reject ? "true" : "false");
    if (vat_is_alive(k, vat)) {
        critical = vat_options(k, vat).critical;
        if (vat_is_dynamic(k, vat)) let_go_of_root(k, vat);
        vat_delete_id(k, vat);
        vat_mark_terminated(k, vat);
        snapshot_stop(k->store, span_of_vat(k, vat));
        transcript_stop(k->store, span_of_vat(k, vat));
        reject_promises_of(k, vat);
    }
    if (critical) {
        slog_say(k, "error", "", "##### KERNEL PANIC: critical vat %s failed #####", vat_id_text(vat).s);
        kernel_panic(k, EXIT_VAT, "critical vat %s failed: %.*s", vat_id_text(vat).s,
                     SPAN_ARG(why));
    } else {
        tell_vat_admin(k, vat, reject, info);
    }
    warehouse_stop(k, vat);
}
