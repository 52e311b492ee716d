/* The vat-admin device: bundlecaps, and the hooks through which vat-admin creates,
 * terminates, changes and forks vats.  (Upstream: device-vat-admin.js, vat-admin-hooks.js;
 * forkVat, zygotifyVat and takeOffline are ours.) */
#include "base/decimal.h"
#include "kernel/devices/raw.h"
#include "kernel/fork.h"
#include "kernel/lifecycle.h"
#include "kernel/meter.h"
#include "kernel/object.h"
#include "kernel/offline.h"
#include "kernel/queue.h"
#include "kernel/upgrade.h"
#include "kernel/vats.h"
#include "store/bundle.h"

static bool answer_undefined(const struct raw_call *c)
{
    return raw_answer(c, pass_undefined(kernel_arena(c->k)));
}

static bool vat_arg(const struct raw_call *c, size_t at, vat_id *out)
{
    struct span text;
    return raw_string_arg(c, at, &text) && vat_id_parse(text, out);
}

/* -- bundlecaps ---------------------------------------------------------------------------- */

static bool get_bundle_cap(const struct raw_call *c)
{
    struct span id;
    if (!raw_string_arg(c, 0, &id) || !raw_is_bundle_id(id)) return raw_fail(c, "getBundleCap() not a bundleID");
    return raw_answer_bundlecap(c, id);
}

static bool get_named_bundle_cap(const struct raw_call *c)
{
    struct span id;
    return raw_named_bundle(c, &id) && raw_answer_bundlecap(c, id);
}

static bool get_bundle_id_by_name(const struct raw_call *c)
{
    struct span id;
    return raw_named_bundle(c, &id) && raw_answer(c, pass_string(kernel_arena(c->k), id));
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
static bool create(const struct raw_call *c, const char *member, const struct pass *source,
                   const struct pass *options)
{
    struct kernel *k = c->k;
    struct arena *a = kernel_arena(k);
    const struct pass *given = pass_get(options, "vatParameters");
    struct capdata parameters;
    marshal_encode_k(a, given == NULL ? pass_undefined(a) : given, &parameters);
    refs_inc(k, &parameters);
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
    return ok ? raw_answer(c, pass_string(a, span_of_vat(k, vat)))
              : raw_fail(c, "a bigint in the bundle or the options of a new vat");
}

static bool create_by_bundle_id(const struct raw_call *c)
{
    struct span id;
    const struct pass *options = raw_arg(c, 1);
    if (!raw_string_arg(c, 0, &id) || options->style != PASS_RECORD || !bundle_has(c->k->store, id)) {
        return raw_fail(c, "createByBundleID: no such bundle");
    }
    return create(c, "bundleID", raw_arg(c, 0), options);
}

/* The bundle itself, in any format the supervisor's importBundle takes. */
static bool create_by_bundle(const struct raw_call *c)
{
    const struct pass *options = raw_arg(c, 1);
    if (raw_arg(c, 0)->style != PASS_RECORD || options->style != PASS_RECORD) {
        return raw_fail(c, "createByBundle: bad arguments");
    }
    return create(c, "bundle", raw_arg(c, 0), options);
}

static bool terminate_with_failure(const struct raw_call *c)
{
    vat_id vat;
    if (c->args->count != 2 || !vat_arg(c, 0, &vat)) {
        return raw_fail(c, "terminateWithFailure: bad arguments");
    }
    if (vat_id_eq(vat, c->k->speaking)) {
        return raw_fail(c, "terminateWithFailure: a vat ends itself by syscall.exit only");
    }
    struct capdata reason;
    marshal_encode_k(kernel_arena(c->k), raw_arg(c, 1), &reason);
    vat_terminate(c->k, vat, true, &reason);
    return answer_undefined(c);
}

static bool change_options(const struct raw_call *c)
{
    vat_id vat;
    const struct pass *options = raw_arg(c, 1);
    if (c->args->count != 2 || !vat_arg(c, 0, &vat) || options->style != PASS_RECORD ||
        c->raw->count != 0) {
        return raw_fail(c, "changeOptions: bad arguments");
    }
    struct buf b = { 0 };
    buf_printf(&b, "{\"type\":\"changeVatOptions\",\"vatID\":\"%s\",\"options\":",
               vat_id_text(vat).s);
    bool ok = put_json_record(&b, options, "");
    buf_putc(&b, '}');
    if (ok) queue_put(c->k, QUEUE_ACCEPTANCE, buf_span(&b));
    buf_fini(&b);
    return ok ? answer_undefined(c) : raw_fail(c, "changeOptions: an option is not plain data");
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

static bool share_of(const struct pass *v, bool *out)
{
    *out = v != NULL && v->style == PASS_STRING && span_is(v->text, "share");
    return *out || v == NULL || v->style == PASS_UNDEFINED ||
           (v->style == PASS_STRING && span_is(v->text, "strict"));
}

static bool fork_options_of(const struct pass *v, struct fork_options *out)
{
    *out = (struct fork_options){ .reap_interval = REAP_DEFAULT };
    if (v->style != PASS_RECORD) return v->style == PASS_UNDEFINED;
    const struct pass *name = pass_get(v, "name"), *critical = pass_get(v, "critical"),
                      *reap = pass_get(v, "reapInterval"), *meter = pass_get(v, "meterID");
    if (name != NULL && name->style == PASS_STRING) {
        if (!vat_name_valid(name->text)) return false;
        out->name = name->text;
    }
    out->critical = critical != NULL && critical->style == PASS_BOOL && critical->boolean;
    if (meter != NULL && meter->style == PASS_STRING) out->meter = meter->text;
    return reap_interval_of(reap, &out->reap_interval) && share_of(pass_get(v, "promises"), &out->share) &&
           (meter == NULL || meter->style == PASS_STRING || meter->style == PASS_UNDEFINED);
}

static bool fork_vat(const struct raw_call *c)
{
    struct kernel *k = c->k;
    vat_id parent;
    struct fork_options options;
    const struct pass *refs = raw_arg(c, 1);
    if (!k->zygotes) return raw_fail(c, "forkVat: this store has forks disabled (\"zygotes\": false)");
    if (!vat_arg(c, 0, &parent) || refs->style != PASS_ARRAY) return raw_fail(c, "forkVat: bad arguments");
    if (!fork_options_of(raw_arg(c, 2), &options)) return raw_fail(c, "forkVat: bad options");
    kref *krefs = ARENA_ARRAY(kernel_arena(k), kref, refs->count + 1);
    for (size_t i = 0; i < refs->count; i++) {
        /* What is no reference at all stays KREF_INVALID, and is refused in the crank. */
        if (refs->items[i]->style == PASS_REMOTABLE) kref_parse(refs->items[i]->text, &krefs[i]);
    }
    struct fork_request r = { parent, options, refs->count, krefs };
    vat_id child = fork_queue(k, &r, false);
    return raw_answer(c, pass_string(kernel_arena(k), span_of_vat(k, child)));
}

static bool zygotify_vat(const struct raw_call *c)
{
    vat_id vat;
    if (!c->k->zygotes) return raw_fail(c, "zygotifyVat: this store has forks disabled (\"zygotes\": false)");
    if (!vat_arg(c, 0, &vat)) return raw_fail(c, "zygotifyVat: bad arguments");
    zygotify_queue(c->k, vat, false);
    return answer_undefined(c);
}

static bool take_offline(const struct raw_call *c)
{
    vat_id vat;
    if (!c->k->zygotes) return raw_fail(c, "takeOffline: this store has forks disabled (\"zygotes\": false)");
    if (!vat_arg(c, 0, &vat)) return raw_fail(c, "takeOffline: bad arguments");
    offline_queue(c->k, vat, false);
    return answer_undefined(c);
}

/* -- upgrades ----------------------------------------------------------------------------------- */

static bool upgrade_vat(const struct raw_call *c)
{
    struct kernel *k = c->k;
    struct arena *a = kernel_arena(k);
    vat_id vat;
    struct span bundle_id, message;
    struct capdata parameters;
    if (c->args->count != 4 || !vat_arg(c, 0, &vat) || !raw_string_arg(c, 1, &bundle_id) ||
        !raw_string_arg(c, 3, &message)) {
        return raw_fail(c, "upgradeVat: bad arguments");
    }
    marshal_encode_k(a, raw_arg(c, 2), &parameters);
    return raw_answer(c, pass_string(a, upgrade_queue(k, vat, bundle_id, &parameters, message)));
}

/* -- meters ------------------------------------------------------------------------------------- */

/* A bigint that is not negative. */
static bool nat_arg(const struct raw_call *c, size_t at, struct span *out)
{
    const struct pass *v = raw_arg(c, at);
    *out = v->text;
    return v->style == PASS_BIGINT && decimal_valid(v->text);
}

static bool create_meter(const struct raw_call *c)
{
    struct span remaining, threshold;
    if (!nat_arg(c, 0, &remaining) || !nat_arg(c, 1, &threshold)) {
        return raw_fail(c, "createMeter: remaining and threshold must be bigints, not negative");
    }
    return raw_answer(c, pass_string(kernel_arena(c->k), meter_new(c->k, remaining, threshold)));
}

static bool create_unlimited_meter(const struct raw_call *c)
{
    return raw_answer(c, pass_string(kernel_arena(c->k),
                                  meter_new(c->k, SPAN("unlimited"), SPAN("0"))));
}

static bool meter_arg(const struct raw_call *c, struct span *meter)
{
    return raw_string_arg(c, 0, meter) && meter_get(c->k, *meter, NULL, NULL);
}

static bool add_meter_remaining(const struct raw_call *c)
{
    struct span meter, delta;
    if (!meter_arg(c, &meter) || !nat_arg(c, 1, &delta)) {
        return raw_fail(c, "addMeterRemaining: no such meter, or not a bigint");
    }
    meter_add(c->k, meter, delta);
    return answer_undefined(c);
}

/* As upstream, of a meter that there may not be (vat-admin knows only those that there are). */
static bool set_meter_threshold(const struct raw_call *c)
{
    struct span meter, threshold;
    if (!raw_string_arg(c, 0, &meter) || !meter_id_valid(meter) || !nat_arg(c, 1, &threshold)) {
        return raw_fail(c, "setMeterThreshold: not a meter's ID, or not a bigint");
    }
    meter_set_threshold(c->k, meter, threshold);
    return answer_undefined(c);
}

static bool get_meter(const struct raw_call *c)
{
    struct arena *a = kernel_arena(c->k);
    struct span meter, remaining, threshold;
    if (!meter_arg(c, &meter)) return raw_fail(c, "getMeter: no such meter");
    meter_get(c->k, meter, &remaining, &threshold);
    bool unlimited = span_is(remaining, "unlimited");
    const struct span keys[] = { SPAN("remaining"), SPAN("threshold") };
    const struct pass *values[] = { unlimited ? pass_string(a, remaining) : pass_bigint(a, remaining),
                                    pass_bigint(a, threshold) };
    return raw_answer(c, pass_record(a, 2, keys, values));
}

/* -- the table ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    bool (*invoke)(const struct raw_call *c);
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
    { "takeOffline", take_offline },
};

static bool keeps_no_slots(struct kernel *k, struct span slot, struct span method)
{
    return k->zygotes && span_is(slot, "d+0") && span_is(method, "forkVat");
}

static bool invoke(struct kernel *k, device_id d, struct span slot, struct span method,
                   const struct capdata *args, struct capdata *out)
{
    struct raw_call c = { .k = k, .d = d, .device = "vat-admin", .slot = slot, .raw = args, .answer = out };
    if (!raw_decode(&c)) return false;
    if (!span_is(slot, "d+0")) return raw_invoke_bundlecap(&c, method);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (span_is(method, methods[i].name)) return methods[i].invoke(&c);
    }
    return raw_fail(&c, "no such method");
}

const struct device_ops vat_admin_device = { "vatAdmin", keeps_no_slots, invoke };
