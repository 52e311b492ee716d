#include "kernel/comms.h"

#include "kernel/device_kind.h"
#include "kernel/devices/jsvalue.h"
#include "kernel/slog.h"
#include "kernel/syscall.h"
#include "kernel/vats.h"

int comms_check(struct kernel *k, vat_id vat, struct err *e)
{
    struct bundle_entry entry;
    struct span id = vat_bundle_id(k, vat);
    struct vat_options o = vat_options(k, vat);
    bool comms = span_starts(id, SPAN("b0-")) && span_is(o.name, "comms"); /* tells nothing of itself */
    if (!comms && id.p != NULL && bundle_entry_module(k->store, id, kernel_arena(k), &entry, e) == 0) {
        comms = span_is(entry.package, "@agoric/swingset-vat") &&
                span_is(entry.module, "./src/vats/comms/index.js");
    }
    if (comms && o.enable_setup && !o.use_transcript) return 0;
    return err_set(e, EXIT_INCOMPATIBLE,
                   "vat %s (%.*s) has a local worker, which only upstream's comms vat can have here",
                   vat_id_text(vat).s, SPAN_ARG(o.name));
}

/* A syscall as any vat makes it. */
static void make_syscall(struct kernel *k, vat_id vat, struct span vso, struct buf *result)
{
    struct jval v;
    struct err e;
    int failed = json_parse(kernel_arena(k), vso, &v, &e);
    INVARIANT(failed == 0);
    syscall_handle(k, vat, v, result);
}

/* Neither key nor value need an escape. */
static void set(struct kernel *k, vat_id vat, const char *key, struct span value)
{
    struct buf ignored = { 0 };
    make_syscall(k, vat, arena_printf(kernel_arena(k), "[\"vatstoreSet\",\"%s\",\"%.*s\"]", key,
                                      SPAN_ARG(value)), &ignored);
    buf_fini(&ignored);
}

static bool is_initialized(struct kernel *k, vat_id vat)
{
    struct buf result = { 0 };
    make_syscall(k, vat, SPAN("[\"vatstoreGet\",\"initialized\"]"), &result);
    bool yes = !span_is(buf_span(&result), "[\"ok\",null]");
    buf_fini(&result);
    return yes;
}

static void set_number(struct kernel *k, vat_id vat, const char *key, uint64_t n)
{
    set(k, vat, key, arena_printf(kernel_arena(k), "%llu", (unsigned long long)n));
}

static void initialize(struct kernel *k, vat_id vat, uint64_t base)
{
    if (is_initialized(k, vat)) return;
    set_number(k, vat, "identifierBase", base);
    set(k, vat, "sendExplicitSeqNums", SPAN("1"));
    set_number(k, vat, "lo.nextID", base + 10);
    set_number(k, vat, "lp.nextID", base + 20);
    set_number(k, vat, "o.nextID", base + 30);
    set_number(k, vat, "p.nextID", base + 40);
    set(k, vat, "r.nextID", SPAN("1"));
    set(k, vat, "initialized", SPAN("true"));
    set(k, vat, "meta.o+0", SPAN("true"));
}

static bool start(struct kernel *k, vat_id vat, struct jval data)
{
    struct arena *a = kernel_arena(k);
    struct vat_capdata parameters;
    const struct pass *value, *v;
    const char *why;
    uint64_t base = 0;
    if (!vat_capdata_decode(a, data, &parameters) || parameters.count > 0 ||
        !marshal_decode(a, &parameters, &value, &why)) {
        return false;
    }
    v = pass_get(value, "identifierBase");
    if (v != NULL && (v->style != PASS_NUMBER || !jsvalue_u64(v, &base))) return false;
    initialize(k, vat, base);
    v = pass_get(value, "sendExplicitSeqNums");
    if (v != NULL && v->style != PASS_UNDEFINED) {
        set(k, vat, "sendExplicitSeqNums", jsvalue_truthy(v) ? SPAN("1") : SPAN("0"));
    }
    return true;
}

/* Of its root, which is all it has exported, and it ignores. */
static bool is_idle(struct jval type)
{
    return json_is(type, "dropExports") || json_is(type, "retireExports") ||
           json_is(type, "bringOutYourDead");
}

void comms_deliver(struct kernel *k, vat_id vat, struct span delivery, struct delivered *out)
{
    struct jval d;
    struct err e;
    int failed = json_parse(kernel_arena(k), delivery, &d, &e);
    INVARIANT(failed == 0);
    struct jval type = json_at(d, 0);
    *out = (struct delivered){ .ok = true };
    slog_deliver(k, vat, 0, false, json_raw(type), delivery); /* it has no transcript */
    if (json_is(type, "startVat")) {
        out->ok = start(k, vat, json_at(d, 1));
        out->problem = SPAN("the comms vat does not take these parameters");
    } else if (!is_idle(type)) {
        out->ok = false;
        out->problem = SPAN("the comms vat is not in this release: it stands idle, and cannot be talked to");
    }
    struct span problem = arena_printf(kernel_arena(k), "\"%.*s\"", SPAN_ARG(out->problem));
    slog_deliver_result(k, vat, out->ok ? "ok" : "error", out->ok ? SPAN_NONE : problem, NULL);
}
