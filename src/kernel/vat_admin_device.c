/* The vat-admin device: bundlecaps, and the hooks through which vat-admin creates,
 * terminates, changes and forks vats.  (Upstream: device-vat-admin.js, vat-admin-hooks.js;
 * forkVat and zygotifyVat are ours.)  State: dNN.vs.nextDev, .id.BUNDLEID, .slot.d+N. */
#include "base/decimal.h"
#include "kernel/device.h"
#include "kernel/fork.h"
#include "kernel/lifecycle.h"
#include "kernel/meter.h"
#include "kernel/object.h"
#include "kernel/queue.h"
#include "kernel/upgrade.h"
#include "kernel/vats.h"
#include "store/bundle.h"

/* One invocation. */
struct invocation {
    struct kernel *k;
    device_id d;
    struct span slot;
    const struct capdata *raw;
    const struct pass *args; /* the decoded argument array */
    struct capdata *answer;
};

static bool fail(struct invocation *in, const char *why)
{
    kernel_note(in->k, "vat-admin device: %s", why);
    return false;
}

static bool answer(struct invocation *in, const struct pass *value)
{
    marshal_encode_k(kernel_arena(in->k), value, in->answer);
    return true;
}

static bool answer_undefined(struct invocation *in)
{
    return answer(in, pass_undefined(kernel_arena(in->k)));
}

static const struct pass *arg(const struct invocation *in, size_t at)
{
    return at < in->args->count ? in->args->items[at] : pass_undefined(kernel_arena(in->k));
}

static bool string_arg(const struct invocation *in, size_t at, struct span *out)
{
    const struct pass *v = arg(in, at);
    if (v->style != PASS_STRING) return false;
    *out = v->text;
    return true;
}

static bool vat_arg(const struct invocation *in, size_t at, vat_id *out)
{
    struct span text;
    return string_arg(in, at, &text) && vat_id_parse(text, out);
}

/* -- bundlecaps ---------------------------------------------------------------------------- */

static bool is_bundle_id(struct span id)
{
    if (id.n != 3 + SHA512_HEX || !span_starts(id, SPAN("b1-"))) return false;
    for (size_t i = 3; i < id.n; i++) {
        char c = id.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
    }
    return true;
}

static struct span state_key(const struct invocation *in, const char *field, struct span rest)
{
    return key_device(in->k, in->d, "vs.", span_join(in->k, field, rest, ""));
}

/* The device's reads and writes are syscalls, and counted. */
static bool get_state(struct invocation *in, struct span key, struct span *out)
{
    stats_inc(&in->k->stats, STAT_SYSCALLS);
    stats_inc(&in->k->stats, STAT_SYSCALL_VATSTORE_GET);
    return kv_get(in->k->store, key, out);
}

static void set_state(struct invocation *in, struct span key, struct span value)
{
    stats_inc(&in->k->stats, STAT_SYSCALLS);
    stats_inc(&in->k->stats, STAT_SYSCALL_VATSTORE_SET);
    kv_set(in->k->store, key, value);
}

static struct span allocate_node(struct invocation *in)
{
    struct span key = state_key(in, "nextDev", SPAN("")), text = SPAN("1");
    get_state(in, key, &text);
    uint64_t n = 0;
    bool ok = span_u64(text, &n);
    INVARIANT(ok);
    set_state(in, key, arena_printf(kernel_arena(in->k), "%llu", (unsigned long long)n + 1));
    return arena_printf(kernel_arena(in->k), "d+%llu", (unsigned long long)n);
}

static bool answer_bundlecap(struct invocation *in, struct span id)
{
    struct kernel *k = in->k;
    struct span key = state_key(in, "id.", id), cap;
    if (!get_state(in, key, &cap)) {
        if (!bundle_has(k->store, id)) return answer_undefined(in);
        cap = allocate_node(in);
        set_state(in, key, cap);
        set_state(in, state_key(in, "slot.", cap), id);
    }
    struct arena *a = kernel_arena(k);
    return answer(in, pass_slot(a, span_of_kref(k, device_node(k, in->d, cap)),
                                SPAN("device node")));
}

static bool get_bundle_cap(struct invocation *in)
{
    struct span id;
    if (!string_arg(in, 0, &id) || !is_bundle_id(id)) return fail(in, "getBundleCap() not a bundleID");
    return answer_bundlecap(in, id);
}

static bool named_bundle(struct invocation *in, struct span *id)
{
    struct span name;
    if (!string_arg(in, 0, &name)) return fail(in, "a bundle name is not a string");
    struct span key = span_join(in->k, "namedBundleID.", name, "");
    if (kv_get(in->k->store, key, id)) return true;
    kernel_note(in->k, "vat-admin device: unregistered bundle name '%.*s'", SPAN_ARG(name));
    return false;
}

static bool get_named_bundle_cap(struct invocation *in)
{
    struct span id;
    return named_bundle(in, &id) && answer_bundlecap(in, id);
}

static bool get_bundle_id_by_name(struct invocation *in)
{
    struct span id;
    return named_bundle(in, &id) && answer(in, pass_string(kernel_arena(in->k), id));
}

static bool answer_bundle(struct invocation *in, struct span id)
{
    struct buf text = { 0 };
    struct err e;
    struct jval v;
    struct arena *a = kernel_arena(in->k);
    bool ok = bundle_get(in->k->store, id, &text, &e) == 0 &&
              json_parse(a, arena_copy(a, buf_span(&text)), &v, &e) == 0;
    buf_fini(&text);
    return ok ? answer(in, pass_from_json(a, v)) : fail(in, e.text);
}

static bool invoke_bundlecap(struct invocation *in, struct span method)
{
    struct span id;
    if (!get_state(in, state_key(in, "slot.", in->slot), &id)) {
        return fail(in, "unknown device node");
    }
    if (span_is(method, "getBundleID")) return answer(in, pass_string(kernel_arena(in->k), id));
    if (span_is(method, "getBundle")) return answer_bundle(in, id);
    return fail(in, "a bundlecap has no such method");
}

/* -- vats ------------------------------------------------------------------------------------ */

static bool put_json(struct buf *b, const struct pass *v);

/* What JSON.stringify leaves out of a record, and calls null in an array. */
static bool has_no_text(const struct pass *v)
{
    return v->style == PASS_UNDEFINED || v->style == PASS_SYMBOL;
}

static bool put_json_array(struct buf *b, const struct pass *array)
{
    buf_putc(b, '[');
    for (size_t i = 0; i < array->count; i++) {
        if (i > 0) buf_putc(b, ',');
        if (has_no_text(array->items[i])) {
            buf_puts(b, "null");
        } else if (!put_json(b, array->items[i])) {
            return false;
        }
    }
    buf_putc(b, ']');
    return true;
}

/* But the member called `without`. */
static bool put_json_record(struct buf *b, const struct pass *record, const char *without)
{
    buf_putc(b, '{');
    bool first = true;
    for (size_t i = 0; i < record->count; i++) {
        const struct pass *v = record->items[i];
        if (span_is(record->keys[i], without) || has_no_text(v)) continue;
        if (!first) buf_putc(b, ',');
        first = false;
        json_put_string(b, record->keys[i]);
        buf_putc(b, ':');
        if (!put_json(b, v)) return false;
    }
    buf_putc(b, '}');
    return true;
}

static bool put_json_tagged(struct buf *b, const struct pass *v)
{
    if (has_no_text(v->items[0])) {
        buf_puts(b, "{}");
        return true;
    }
    buf_puts(b, "{\"payload\":");
    bool ok = put_json(b, v->items[0]);
    buf_putc(b, '}');
    return ok;
}

/* JSON.stringify of what upstream's kernel makes of the value; false for a bigint, of which
 * it throws.  The depth is the codec's, which is bounded. */
static bool put_json(struct buf *b, const struct pass *v)
{
    switch (v->style) {
    case PASS_NULL: buf_puts(b, "null"); return true;
    case PASS_BOOL: buf_puts(b, v->boolean ? "true" : "false"); return true;
    case PASS_NUMBER: json_put_double(b, v->number); return true;
    case PASS_STRING: json_put_string(b, v->text); return true;
    case PASS_ARRAY: return put_json_array(b, v);
    case PASS_RECORD: return put_json_record(b, v, "");
    case PASS_TAGGED: return put_json_tagged(b, v);
    case PASS_ERROR: case PASS_REMOTABLE: case PASS_PROMISE: buf_puts(b, "{}"); return true;
    case PASS_UNDEFINED: case PASS_SYMBOL: case PASS_BIGINT:
    default: return false;
    }
}

/* Queue a create-vat event: the source is a member of that name and value.  As upstream, what
 * comes before a part without a JSON text stays done. */
static bool create(struct invocation *in, const char *member, const struct pass *source,
                   const struct pass *options)
{
    struct kernel *k = in->k;
    struct arena *a = kernel_arena(k);
    const struct pass *given = pass_get(options, "vatParameters");
    struct capdata parameters;
    marshal_encode_k(a, given == NULL ? pass_undefined(a) : given, &parameters);
    for (size_t i = 0; i < parameters.count; i++) ref_inc(k, parameters.slots[i], REF_NORMAL);
    vat_id vat = vat_allocate_id(k);
    struct buf b = { 0 };
    buf_printf(&b, "{\"type\":\"create-vat\",\"vatID\":\"%s\",\"source\":{\"%s\":",
               vat_id_text(vat).s, member);
    bool ok = put_json(&b, source);
    buf_puts(&b, "},\"vatParameters\":");
    capdata_put(&b, &parameters);
    buf_puts(&b, ",\"dynamicOptions\":");
    ok = ok && put_json_record(&b, options, "vatParameters");
    buf_putc(&b, '}');
    if (ok) queue_put(k, QUEUE_ACCEPTANCE, buf_span(&b));
    buf_fini(&b);
    return ok ? answer(in, pass_string(a, span_of_vat(k, vat)))
              : fail(in, "a bigint in the bundle or the options of a new vat");
}

static bool create_by_bundle_id(struct invocation *in)
{
    struct span id;
    const struct pass *options = arg(in, 1);
    if (!string_arg(in, 0, &id) || options->style != PASS_RECORD || !bundle_has(in->k->store, id)) {
        return fail(in, "createByBundleID: no such bundle");
    }
    return create(in, "bundleID", arg(in, 0), options);
}

/* The bundle itself, in any format the supervisor's importBundle takes. */
static bool create_by_bundle(struct invocation *in)
{
    const struct pass *options = arg(in, 1);
    if (arg(in, 0)->style != PASS_RECORD || options->style != PASS_RECORD) {
        return fail(in, "createByBundle: bad arguments");
    }
    return create(in, "bundle", arg(in, 0), options);
}

static bool terminate_with_failure(struct invocation *in)
{
    vat_id vat;
    if (in->args->count != 2 || !vat_arg(in, 0, &vat)) {
        return fail(in, "terminateWithFailure: bad arguments");
    }
    if (vat_id_eq(vat, in->k->speaking)) {
        return fail(in, "terminateWithFailure: a vat ends itself by syscall.exit only");
    }
    struct capdata reason;
    marshal_encode_k(kernel_arena(in->k), arg(in, 1), &reason);
    vat_terminate(in->k, vat, true, &reason);
    return answer_undefined(in);
}

static bool change_options(struct invocation *in)
{
    vat_id vat;
    const struct pass *options = arg(in, 1);
    if (in->args->count != 2 || !vat_arg(in, 0, &vat) || options->style != PASS_RECORD ||
        in->raw->count != 0) {
        return fail(in, "changeOptions: bad arguments");
    }
    struct buf b = { 0 };
    buf_printf(&b, "{\"type\":\"changeVatOptions\",\"vatID\":\"%s\",\"options\":",
               vat_id_text(vat).s);
    bool ok = put_json_record(&b, options, "");
    buf_putc(&b, '}');
    if (ok) queue_put(in->k, QUEUE_ACCEPTANCE, buf_span(&b));
    buf_fini(&b);
    return ok ? answer_undefined(in) : fail(in, "changeOptions: an option is not plain data");
}

/* -- forks ------------------------------------------------------------------------------------ */

static bool reap_interval_of(const struct pass *v, int64_t *out)
{
    if (v == NULL || v->style == PASS_UNDEFINED) return true;
    if (v->style == PASS_STRING) {
        *out = REAP_NEVER;
        return span_is(v->text, "never");
    }
    if (v->style != PASS_NUMBER || !(v->number >= 0 && v->number < 9007199254740992.0)) return false;
    *out = (int64_t)v->number;
    return (double)*out == v->number;
}

static bool fork_options_of(const struct pass *v, struct fork_options *out)
{
    *out = (struct fork_options){ .reap_interval = REAP_DEFAULT };
    if (v->style != PASS_RECORD) return v->style == PASS_UNDEFINED;
    const struct pass *name = pass_get(v, "name"), *critical = pass_get(v, "critical"),
                      *reap = pass_get(v, "reapInterval");
    if (name != NULL && name->style == PASS_STRING) out->name = name->text;
    out->critical = critical != NULL && critical->style == PASS_BOOL && critical->boolean;
    return reap_interval_of(reap, &out->reap_interval) && pass_get(v, "meterID") == NULL;
}

static bool fork_vat(struct invocation *in)
{
    struct kernel *k = in->k;
    vat_id parent;
    struct fork_options options;
    const struct pass *refs = arg(in, 1);
    if (!k->zygotes) return fail(in, "forkVat: this store has forks disabled (\"zygotes\": false)");
    if (!vat_arg(in, 0, &parent) || refs->style != PASS_ARRAY) return fail(in, "forkVat: bad arguments");
    if (!fork_options_of(arg(in, 2), &options)) return fail(in, "forkVat: bad options");
    kref *krefs = ARENA_ARRAY(kernel_arena(k), kref, refs->count + 1);
    for (size_t i = 0; i < refs->count; i++) {
        /* What is no reference at all stays KREF_INVALID, and is refused in the crank. */
        if (refs->items[i]->style == PASS_REMOTABLE) kref_parse(refs->items[i]->text, &krefs[i]);
    }
    vat_id child = fork_queue(k, parent, krefs, refs->count, &options);
    return answer(in, pass_string(kernel_arena(k), span_of_vat(k, child)));
}

static bool zygotify_vat(struct invocation *in)
{
    vat_id vat;
    if (!in->k->zygotes) return fail(in, "zygotifyVat: this store has forks disabled (\"zygotes\": false)");
    if (!vat_arg(in, 0, &vat)) return fail(in, "zygotifyVat: bad arguments");
    zygotify_queue(in->k, vat, false);
    return answer_undefined(in);
}

/* -- upgrades ----------------------------------------------------------------------------------- */

static bool upgrade_vat(struct invocation *in)
{
    struct kernel *k = in->k;
    struct arena *a = kernel_arena(k);
    vat_id vat;
    struct span bundle_id, message;
    struct capdata parameters;
    if (in->args->count != 4 || !vat_arg(in, 0, &vat) || !string_arg(in, 1, &bundle_id) ||
        !string_arg(in, 3, &message)) {
        return fail(in, "upgradeVat: bad arguments");
    }
    marshal_encode_k(a, arg(in, 2), &parameters);
    return answer(in, pass_string(a, upgrade_queue(k, vat, bundle_id, &parameters, message)));
}

/* -- meters ------------------------------------------------------------------------------------- */

/* A bigint that is not negative. */
static bool nat_arg(const struct invocation *in, size_t at, struct span *out)
{
    const struct pass *v = arg(in, at);
    *out = v->text;
    return v->style == PASS_BIGINT && decimal_valid(v->text);
}

static bool create_meter(struct invocation *in)
{
    struct span remaining, threshold;
    if (!nat_arg(in, 0, &remaining) || !nat_arg(in, 1, &threshold)) {
        return fail(in, "createMeter: remaining and threshold must be bigints, not negative");
    }
    return answer(in, pass_string(kernel_arena(in->k), meter_new(in->k, remaining, threshold)));
}

static bool create_unlimited_meter(struct invocation *in)
{
    return answer(in, pass_string(kernel_arena(in->k),
                                  meter_new(in->k, SPAN("unlimited"), SPAN("0"))));
}

static bool meter_arg(const struct invocation *in, struct span *meter)
{
    return string_arg(in, 0, meter) && meter_get(in->k, *meter, NULL, NULL);
}

static bool add_meter_remaining(struct invocation *in)
{
    struct span meter, delta;
    if (!meter_arg(in, &meter) || !nat_arg(in, 1, &delta)) {
        return fail(in, "addMeterRemaining: no such meter, or not a bigint");
    }
    meter_add(in->k, meter, delta);
    return answer_undefined(in);
}

static bool set_meter_threshold(struct invocation *in)
{
    struct span meter, threshold;
    if (!meter_arg(in, &meter) || !nat_arg(in, 1, &threshold)) {
        return fail(in, "setMeterThreshold: no such meter, or not a bigint");
    }
    meter_set_threshold(in->k, meter, threshold);
    return answer_undefined(in);
}

static bool get_meter(struct invocation *in)
{
    struct arena *a = kernel_arena(in->k);
    struct span meter, remaining, threshold;
    if (!meter_arg(in, &meter)) return fail(in, "getMeter: no such meter");
    meter_get(in->k, meter, &remaining, &threshold);
    bool unlimited = span_is(remaining, "unlimited");
    const struct span keys[] = { SPAN("remaining"), SPAN("threshold") };
    const struct pass *values[] = { unlimited ? pass_string(a, remaining) : pass_bigint(a, remaining),
                                    pass_bigint(a, threshold) };
    return answer(in, pass_record(a, 2, keys, values));
}

/* -- the table ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    bool (*invoke)(struct invocation *in);
} methods[] = {
    { "getBundleCap", get_bundle_cap },
    { "getNamedBundleCap", get_named_bundle_cap },
    { "getBundleIDByName", get_bundle_id_by_name },
    { "createByBundleID", create_by_bundle_id },
    { "createByBundle", create_by_bundle },
    { "terminateWithFailure", terminate_with_failure },
    { "changeOptions", change_options },
    { "upgradeVat", upgrade_vat },
    { "createMeter", create_meter },
    { "createUnlimitedMeter", create_unlimited_meter },
    { "addMeterRemaining", add_meter_remaining },
    { "setMeterThreshold", set_meter_threshold },
    { "getMeter", get_meter },
    { "forkVat", fork_vat },
    { "zygotifyVat", zygotify_vat },
};

static bool keeps_no_slots(struct kernel *k, struct span slot, struct span method)
{
    return k->zygotes && span_is(slot, "d+0") && span_is(method, "forkVat");
}

static bool invoke(struct kernel *k, device_id d, struct span slot, struct span method,
                   const struct capdata *args, struct capdata *out)
{
    struct invocation in = { .k = k, .d = d, .slot = slot, .raw = args, .answer = out };
    const char *why = "arguments are not an array";
    if (!marshal_decode_k(kernel_arena(k), args, &in.args, &why) || in.args->style != PASS_ARRAY) {
        return fail(&in, why);
    }
    if (!span_is(slot, "d+0")) return invoke_bundlecap(&in, method);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (span_is(method, methods[i].name)) return methods[i].invoke(&in);
    }
    return fail(&in, "no such method");
}

const struct device_ops vat_admin_device = { "vatAdmin", keeps_no_slots, invoke };
