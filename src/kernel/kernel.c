#include "kernel/kernel.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "kernel/clist.h"
#include "kernel/crank.h"
#include "kernel/device.h"
#include "kernel/external.h"
#include "kernel/fork.h"
#include "kernel/limits.h"
#include "kernel/meter.h"
#include "kernel/object.h"
#include "kernel/promise.h"
#include "kernel/slog.h"
#include "kernel/vats.h"
#include "kernel/warehouse.h"
#include "store/bundle.h"
#include "store/transcript.h"

/* -- what memory holds beyond the store ------------------------------------------------------ */

static void load_stats(struct kernel *k)
{
    struct span text = SPAN("{}");
    struct jval local;
    struct err e;
    kv_get(k->store, SPAN("local.kernelStats"), &text);
    int failed = json_parse(kernel_arena(k), text, &local, &e);
    INVARIANT(failed == 0);
    stats_load(&k->stats, state_json(k, SPAN("kernelStats")), local);
}

static void load_terminated(struct kernel *k)
{
    bool ok = vats_load_terminated(k);
    INVARIANT(ok);
}

void kernel_emit_hashes(struct kernel *k, char crankhash[SHA256_HEX + 1],
                        char activityhash[SHA256_HEX + 1])
{
    struct buf b = { 0 };
    buf_room(&b, 2048); /* what they fill: spares growing there, twice a delivery */
    stats_put(&k->stats, true, &b);
    kv_set(k->store, SPAN("kernelStats"), buf_span(&b));
    buf_reset(&b);
    stats_put(&k->stats, false, &b);
    kv_set(k->store, SPAN("local.kernelStats"), buf_span(&b));
    buf_fini(&b);
    store_emit_hashes(k->store, crankhash, activityhash);
}

void kernel_rollback(struct kernel *k, enum savepoint sp)
{
    store_rollback(k->store, sp);
    load_stats(k);
    load_terminated(k); /* upstream forgets to; a vat would be half dead */
    devices_rolled_back(k);
}

void kernel_reload(struct kernel *k)
{
    kref_set_clear(&k->maybe_free);
    warehouse_stop_all(k);
}

/* -- opening ------------------------------------------------------------------------------------ */

int kernel_open(struct store *s, const struct vat_port *port, const struct kernel_options *o,
                struct kernel **out, struct err *e)
{
    struct span version, root;
    if (!kv_get(s, SPAN("version"), &version) || !span_is(version, "3")) {
        return err_set(e, EXIT_INCOMPATIBLE, "the store holds no kernel of schema version 3"
                       " (zygote store upgrade makes one of an older version)");
    }
    struct kernel *k = xcalloc(1, sizeof *k);
    k->store = s;
    if (port != NULL) k->port = *port;
    k->sink = o->sink;
    if (o->sink.slog != NULL) k->slog = slog_new();
    k->zygotes = kv_get(s, SPAN("zygote.enabled"), NULL);
    if (kv_get(s, SPAN("vatAdminRootKref"), &root)) {
        bool ok = kref_parse(root, &k->vat_admin_root);
        INVARIANT(ok);
    }
    k->warehouse = warehouse_new(o->max_vats_online);
    load_stats(k);
    load_terminated(k);
    if (o->devices != NULL) k->host = *o->devices;
    if (port != NULL && (warehouse_start(k, o->preload, e) != 0 || devices_start(k, e) != 0)) {
        kernel_close(k);
        return -1;
    }
    *out = k;
    return 0;
}

void kernel_close(struct kernel *k)
{
    if (k == NULL) return;
    warehouse_free(k);
    devices_stop(k);
    slog_free(k->slog);
    kref_set_fini(&k->maybe_free);
    free(k->terminated);
    free(k->dead);
    free(k);
}

struct store *kernel_store(struct kernel *k)
{
    return k->store;
}

int kernel_run(struct kernel *k, uint64_t max, uint64_t *cranks, struct err *e)
{
    return kernel_run_by(k, NULL, max, cranks, e);
}

static bool go_on(const struct run_policy *p, const struct crank_report *r)
{
    if (p == NULL) return true;
    bool (*const ask[])(void *self, const struct crank_report *r) = {
        [CRANK_EMPTY] = p->empty_crank,
        [CRANK_DELIVERY] = p->crank_complete,
        [CRANK_CREATE_VAT] = p->vat_created,
        [CRANK_CLEANUP] = p->did_cleanup,
    };
    return ask[r->kind] == NULL || ask[r->kind](p->self, r);
}

int kernel_run_by(struct kernel *k, const struct run_policy *policy, uint64_t max,
                  uint64_t *cranks, struct err *e)
{
    *cranks = 0;
    if (k->panicked) {
        *e = k->panic;
        return -1;
    }
    while (max == 0 || *cranks < max) {
        struct crank_report report;
        bool ran;
        if (crank_run(k, policy, &report, &ran, e) != 0) return -1;
        if (!ran) break;
        ++*cranks;
        if (!go_on(policy, &report)) break;
    }
    return 0;
}

/* -- finding ------------------------------------------------------------------------------------- */

/* A root that everyone has dropped is gone from the vat, or soon will be: to export it
 * again, as upstream's queueToVatRoot does, would kill the vat. */
int kernel_find_root(struct kernel *k, vat_id vat, kref *out, struct err *e)
{
    struct span text;
    if (!vat_is_alive(k, vat)) {
        return err_set(e, EXIT_NOT_FOUND, "there is no living vat %s", vat_id_text(vat).s);
    }
    bool known = kv_get(k->store, key_clist_vref(k, vat, SPAN("o+0")), &text);
    if (known && kref_parse(text, out) && clist_is_reachable(k, vat, *out)) {
        if (k->port.start != NULL) clist_set_reachable(k, vat, *out); /* as upstream does */
        return 0;
    }
    struct span name = vat_options(k, vat).name;
    if (name.p == NULL) name = span_of_vat(k, vat);
    return err_set(e, EXIT_NOT_FOUND,
                   "nobody holds the root object of %.*s any more, so it is gone; bootstrap must "
                   "keep a reference to it", SPAN_ARG(name));
}

/* What only recognizers still know, its vat has let go of. */
static int find_object(struct kernel *k, kref o, struct err *e)
{
    vat_id owner;
    if (!object_exists(k, o)) {
        return err_set(e, EXIT_NOT_FOUND, "there is no object %s", kref_text(o).s);
    }
    if (object_owner(k, o, &owner) && !clist_is_reachable(k, owner, o)) {
        return err_set(e, EXIT_NOT_FOUND, "the object %s was dropped by everyone", kref_text(o).s);
    }
    return 0;
}

int kernel_find(struct kernel *k, struct span target, kref *out, struct err *e)
{
    vat_id vat;
    if (kref_parse(target, out) && out->kind == KREF_OBJECT) return find_object(k, *out, e);
    if (!vat_by_name(k, target, &vat) && !vat_id_parse(target, &vat)) {
        return err_set(e, EXIT_NOT_FOUND, "there is no vat named %.*s", SPAN_ARG(target));
    }
    return kernel_find_root(k, vat, out, e);
}

static void bundle_installed(struct kernel *k, struct span id)
{
    const struct pass *arg = pass_string(kernel_arena(k), id);
    if (k->vat_admin_root.kind == KREF_INVALID) return;
    queue_to_kref(k, k->vat_admin_root, SPAN("bundleInstalled"),
                  pass_array(kernel_arena(k), 1, &arg), POLICY_LOG_FAILURE);
}

int kernel_install_bundle(struct kernel *k, struct arena *keep, struct span json_text,
                          struct span alleged, struct span *id, struct err *e)
{
    char crankhash[SHA256_HEX + 1], activityhash[SHA256_HEX + 1];
    struct bundle_info info;
    int failed = 0;
    if (bundle_check(json_text, true, alleged, keep, &info, e) != 0) return -1;
    store_start_crank(k->store);
    if (!bundle_has(k->store, info.id) &&
        (failed = bundle_add(k->store, json_text, &info.id, e)) == 0) {
        bundle_installed(k, info.id);
        kernel_emit_hashes(k, crankhash, activityhash);
    }
    if (failed == 0) *id = arena_copy(keep, info.id);
    store_end_crank(k->store);
    return failed;
}

/* -- forks from the host ------------------------------------------------------------------------------ */

static int refuse(struct kernel *k, vat_id vat, bool share, struct err *e)
{
    if (!vat_is_alive(k, vat)) {
        return err_set(e, EXIT_NOT_FOUND, "there is no living vat %s", vat_id_text(vat).s);
    }
    if (!k->zygotes) {
        return err_set(e, EXIT_POLICY, "this store was made with \"zygotes\": false; its vats cannot be forked"
                                    " (zygote enable-forks changes that)");
    }
    struct span why = fork_refusal(k, vat, share);
    if (why.p == NULL) return 0;
    return err_set(e, EXIT_POLICY, "%s: %.*s", vat_id_text(vat).s, SPAN_ARG(why));
}

int kernel_fork(struct kernel *k, const struct fork_request *r, vat_id *child, struct err *e)
{
    if (refuse(k, r->vat, r->options.share, e) != 0) return -1;
    for (size_t i = 0; i < r->ref_count; i++) {
        vat_id owner;
        if (r->refs[i].kind != KREF_OBJECT || !object_owner(k, r->refs[i], &owner) ||
            !vat_id_eq(owner, r->vat)) {
            return err_set(e, EXIT_POLICY, "%s is not an export of %s", kref_text(r->refs[i]).s,
                           vat_id_text(r->vat).s);
        }
    }
    if (r->options.name.p != NULL && !vat_name_valid(r->options.name)) {
        return err_set(e, EXIT_USAGE, "no vat may be called \"%.*s\": up to 199 of A-Z a-z 0-9 . _ -",
                       SPAN_ARG(r->options.name));
    }
    if (r->options.meter.p != NULL && !meter_get(k, r->options.meter, NULL, NULL)) {
        return err_set(e, EXIT_NOT_FOUND, "there is no meter %.*s", SPAN_ARG(r->options.meter));
    }
    if (limits_refusal(k).p != NULL) {
        return err_set(e, EXIT_POLICY, "too many vats: the store may have %llu",
                       (unsigned long long)limits_max_vats(k));
    }
    *child = fork_queue(k, r, true);
    return 0;
}

int kernel_zygotify(struct kernel *k, vat_id vat, struct err *e)
{
    if (refuse(k, vat, false, e) != 0) return -1;
    if (vat_is_sealed(k, vat)) {
        return err_set(e, EXIT_POLICY, "%s is a zygote already", vat_id_text(vat).s);
    }
    zygotify_queue(k, vat, true);
    return 0;
}
