/* What a host may do to a kernel between runs (kernel.h; upstream's controller.js). */
#include "kernel/external.h"
#include "kernel/lifecycle.h"
#include "kernel/limits.h"
#include "kernel/object.h"
#include "kernel/offline.h"
#include "kernel/promise.h"
#include "kernel/queue.h"
#include "kernel/slog.h"
#include "kernel/vats.h"
#include "kernel/warehouse.h"
#include "store/bundle.h"
#include "store/transcript.h"

static void emit(struct kernel *k)
{
    char crankhash[SHA256_HEX + 1], activityhash[SHA256_HEX + 1];
    store_emit_hashes(k->store, crankhash, activityhash); /* statistics unsaved, as upstream */
}

/* -- garbage and snapshots ------------------------------------------------------------------- */

static uint64_t end_of(const struct vat_position *positions, size_t count, vat_id vat)
{
    for (size_t i = 0; i < count; i++) {
        if (vat_id_eq(positions[i].vat, vat)) return positions[i].end;
    }
    return 0;
}

size_t kernel_reap_since(struct kernel *k, const struct vat_position *before, size_t count,
                         struct vat_position **after)
{
    vat_id *all;
    size_t n = 0, vats = vats_all(k, &all);
    struct vat_position *now = ARENA_ARRAY(kernel_arena(k), struct vat_position, vats + 1);
    for (size_t i = 0; i < vats; i++) {
        struct transcript_bounds t;
        /* A vat that never ran, or has no transcript, cannot bring out anything. */
        if (!transcript_bounds(k->store, span_of_vat(k, all[i]), &t) || t.end == 0) continue;
        bool ran = end_of(before, count, all[i]) < t.end;
        if (ran) vat_schedule_reap(k, all[i]);
        now[n++] = (struct vat_position){ all[i], t.end + ran };
    }
    if (after != NULL) *after = now;
    return n;
}

void kernel_reap_all(struct kernel *k)
{
    kernel_reap_since(k, NULL, 0, NULL);
}

/* A vat that fails while it brings out its dead is terminated, though nothing it did since
 * can be undone: this is no crank. */
static int snapshot_one(struct kernel *k, vat_id vat, bool *saved, struct err *e)
{
    struct snapshot_taken taken;
    memset(&k->fate, 0, sizeof k->fate);
    if (warehouse_snapshot(k, vat, 2, &taken, e) != 0) return -1;
    *saved = taken.saved;
    if (!taken.bad) return 0;
    struct capdata info;
    marshal_error(kernel_arena(k), SPAN("vat could not be brought to rest for its snapshot"), &info);
    vat_terminate(k, vat, true, &info);
    return 0;
}

int kernel_snapshot_all(struct kernel *k, vat_id **vats, size_t *count, struct err *e)
{
    vat_id *all;
    size_t n = vats_all(k, &all);
    *vats = ARENA_ARRAY(kernel_arena(k), vat_id, n + 1);
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        bool saved = false;
        if (vat_is_sealed(k, all[i])) continue;
        if (snapshot_one(k, all[i], &saved, e) != 0) return -1;
        if (saved) (*vats)[(*count)++] = all[i];
    }
    return 0;
}

/* -- vats ---------------------------------------------------------------------------------------- */

int kernel_terminate(struct kernel *k, vat_id vat, const struct capdata *reason, struct err *e)
{
    if (!vat_is_alive(k, vat)) {
        return err_set(e, EXIT_NOT_FOUND, "there is no living vat %s", vat_id_text(vat).s);
    }
    if (reason->count > 0) {
        return err_set(e, EXIT_USAGE, "the reason a vat is terminated for may not hold references");
    }
    vat_terminate(k, vat, true, reason);
    slog_say(k, "log", "", "scheduled vatID %s for termination", vat_id_text(vat).s);
    if (!k->panicked) return 0;
    *e = k->panic;
    return -1;
}

static int static_vat(struct kernel *k, struct span name, vat_id *vat, struct err *e)
{
    if (vat_by_name(k, name, vat) && vat_is_alive(k, *vat)) return 0;
    return err_set(e, EXIT_NOT_FOUND, "there is no static vat named %.*s", SPAN_ARG(name));
}

/* The options as given, with an upgradeMessage. */
static const struct pass *upgrade_options(struct kernel *k, struct span name,
                                          const struct pass *given)
{
    struct arena *a = kernel_arena(k);
    const struct pass *message = given != NULL ? pass_get(given, "upgradeMessage") : NULL;
    if (message != NULL && message->style == PASS_STRING && message->text.n > 0) return given;
    size_t n = given != NULL ? given->count : 0, used = 0;
    struct span *keys = ARENA_ARRAY(a, struct span, n + 1);
    const struct pass **values = ARENA_ARRAY(a, const struct pass *, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (span_is(given->keys[i], "upgradeMessage")) continue;
        keys[used] = given->keys[i];
        values[used++] = given->items[i];
    }
    keys[used] = SPAN("upgradeMessage");
    values[used++] = pass_string(a, span_join(k, "vat ", name, " upgraded"));
    return pass_record(a, used, keys, values);
}

int kernel_upgrade_static(struct kernel *k, struct span name, bool pause_first,
                          struct span bundle_id, const struct pass *options, kref *result,
                          struct err *e)
{
    struct arena *a = kernel_arena(k);
    vat_id vat, admin;
    if (static_vat(k, name, &vat, e) != 0 || static_vat(k, SPAN("vatAdmin"), &admin, e) != 0) return -1;
    if (!bundle_has(k->store, bundle_id)) {
        return err_set(e, EXIT_NOT_FOUND, "the bundle %.*s is not installed", SPAN_ARG(bundle_id));
    }
    const struct pass *pause = pass_null(a);
    if (pause_first) pause = pass_slot(a, span_of_kref(k, vat_root(k, vat)), SPAN_NONE);
    const struct pass *args[] = { pass_string(a, span_of_vat(k, vat)), pause,
                                  pass_string(a, bundle_id), upgrade_options(k, name, options) };
    *result = kernel_send(k, vat_root(k, admin), SPAN("upgradeStaticVat"), pass_array(a, 4, args));
    return 0;
}

int kernel_pin_root(struct kernel *k, struct span name, kref *root, struct err *e)
{
    vat_id vat;
    if (static_vat(k, name, &vat, e) != 0) return -1;
    *root = vat_root(k, vat);
    object_pin(k, *root);
    emit(k);
    return 0;
}

int kernel_take_offline(struct kernel *k, vat_id vat, struct err *e)
{
    if (!vat_is_alive(k, vat)) {
        return err_set(e, EXIT_NOT_FOUND, "there is no living vat %s", vat_id_text(vat).s);
    }
    struct span why = k->zygotes ? offline_refusal(k, vat)
                                 : SPAN("this store has forks disabled (\"zygotes\": false)");
    if (why.p != NULL) return err_set(e, EXIT_POLICY, "%s: %.*s", vat_id_text(vat).s, SPAN_ARG(why));
    offline_queue(k, vat, true);
    return 0;
}

/* -- messages -------------------------------------------------------------------------------------- */

kref kernel_send(struct kernel *k, kref target, struct span method, const struct pass *args)
{
    return kernel_send_as(k, target, method, args, POLICY_IGNORE);
}

kref kernel_send_as(struct kernel *k, kref target, struct span method, const struct pass *args,
                    enum policy policy)
{
    return kernel_call(k, target, pass_string(kernel_arena(k), method), args, policy);
}

kref kernel_call(struct kernel *k, kref target, const struct pass *method,
                 const struct pass *args, enum policy policy)
{
    kref result = queue_call(k, target, method, args, policy);
    if (result.kind != KREF_INVALID) kernel_promise_hold(k, result);
    emit(k);
    return result;
}

void kernel_promise_hold(struct kernel *k, kref promise)
{
    external_hold(k, &promise, 1);
}

enum promise_state kernel_promise_state(struct kernel *k, kref promise)
{
    return promise.kind == KREF_PROMISE ? promise_state(k, promise) : PROMISE_UNKNOWN;
}

bool kernel_promise_take(struct kernel *k, kref promise, struct capdata *out)
{
    return kernel_promise_take_as(k, promise, true, out);
}

/* Upstream's host writes nothing down of what it holds.  Where stores are passed from one
 * kernel to the other the host's word is all there is; elsewhere the promise is not the
 * host's to trade in. */
static bool release_unrecorded(struct kernel *k, kref promise)
{
    if (k->zygotes || state_need_u64(k, key_kref(k, promise, "refCount")) == 0) return false;
    ref_dec(k, promise, REF_NORMAL);
    return true;
}

bool kernel_promise_take_as(struct kernel *k, kref promise, bool hold, struct capdata *out)
{
    enum promise_state state = kernel_promise_state(k, promise);
    if (state != PROMISE_FULFILLED && state != PROMISE_REJECTED) return false;
    promise_data(k, promise, out);
    if (!external_release(k, promise) && !release_unrecorded(k, promise)) return true;
    if (hold) external_hold(k, out->slots, out->count);
    emit(k);
    return true;
}

/* -- options ----------------------------------------------------------------------------------------- */

static void change_threshold(struct kernel *k, const char *name, int64_t value)
{
    struct span key = SPAN("kernel.defaultReapDirtThreshold");
    struct buf b = { 0 };
    threshold_with(k, state_json(k, key), name, value, &b);
    kv_set(k->store, key, buf_span(&b));
    buf_fini(&b);
}

static bool bad_threshold(int64_t v)
{
    return v == 0 || v < REAP_NEVER;
}

static int apply_changes(struct kernel *k, const struct kernel_changes *c, struct err *e)
{
    if (bad_threshold(c->default_reap_interval) || bad_threshold(c->default_reap_gc_krefs)) {
        return err_set(e, EXIT_USAGE, "a default for reaping is a positive number, or 'never'");
    }
    if (c->max_vats != 0 && !k->zygotes) {
        return err_set(e, EXIT_USAGE, "maxVats is for stores with forks, and this one has \"zygotes\": false");
    }
    if (c->default_reap_interval != REAP_DEFAULT) {
        change_threshold(k, "deliveries", c->default_reap_interval);
    }
    if (c->default_reap_gc_krefs != REAP_DEFAULT) {
        change_threshold(k, "gcKrefs", c->default_reap_gc_krefs);
    }
    if (c->snapshot_interval >= 0) {
        state_set_u64(k, SPAN("kernel.snapshotInterval"), (uint64_t)c->snapshot_interval);
    }
    if (c->max_vats != 0) limits_set_max_vats(k, c->max_vats < 0 ? 0 : (uint64_t)c->max_vats);
    return 0;
}

int kernel_change_options(struct kernel *k, const struct kernel_changes *c, struct err *e)
{
    char crankhash[SHA256_HEX + 1], activityhash[SHA256_HEX + 1];
    store_start_crank(k->store);
    int failed = apply_changes(k, c, e);
    kernel_emit_hashes(k, crankhash, activityhash); /* of a refusal too, as upstream */
    store_end_crank(k->store);
    return failed;
}

void kernel_inject_upgrade_events(struct kernel *k)
{
    struct span key = SPAN("upgradeEvents");
    struct jval events = state_has(k, key) ? state_json(k, key) : (struct jval){ 0 };
    kv_delete(k->store, key);
    for (size_t i = 0; i < json_len(events); i++) {
        queue_put(k, QUEUE_ACCEPTANCE, json_raw(json_at(events, i)));
    }
}
