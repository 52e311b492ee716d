#include "kernel/fork_clone.h"

#include "kernel/clist.h"
#include "kernel/gc.h"
#include "kernel/lineage.h"
#include "kernel/object.h"
#include "kernel/promise.h"
#include "kernel/slog.h"
#include "kernel/vats.h"
#include "store/snapshot.h"
#include "store/transcript.h"

static void clone_options(struct kernel *k, const struct fork_event *r)
{
    struct vat_options o = vat_options(k, r->parent);
    o.name = r->options.name;
    o.critical = r->options.critical;
    /* No free computrons: what pays for the parent pays for the child, unless somebody else does. */
    if (r->options.meter.p != NULL) o.meter_id = r->options.meter;
    kv_set(k->store, key_vat(k, r->child, "source"), state_need(k, key_vat(k, r->parent, "source")));
    kv_set(k->store, key_vat(k, r->child, "options"), vat_options_text(k, &o));
    if (r->options.reap_interval != REAP_DEFAULT) {
        vat_set_reap_interval(k, r->child, r->options.reap_interval);
    }
}

static void clone_parameters(struct kernel *k, const struct fork_event *r)
{
    struct span key = key_vat(k, r->parent, "vatParameters");
    struct capdata parameters;
    if (!state_has(k, key)) return;
    bool ok = capdata_decode(kernel_arena(k), state_json(k, key), &parameters);
    INVARIANT(ok);
    vat_set_parameters(k, r->child, &parameters);
}

static void clone_counters(struct kernel *k, const struct fork_event *r)
{
    /* The dirt too: where the snapshot was current already, the parent has had deliveries
     * since its last bringOutYourDead, and the child must come to its next as soon. */
    static const char *const fields[] = { "reapDirt", "o.nextID", "p.nextID", "d.nextID" };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        kv_set(k->store, key_vat(k, r->child, fields[i]),
               state_need(k, key_vat(k, r->parent, fields[i])));
    }
}

static void clone_vatstore(struct clone *c)
{
    struct kernel *k = c->k;
    struct kv_copied all = kv_copy(k->store, key_vat(k, c->r->parent, "vs."),
                                   key_vat(k, c->r->child, "vs."));
    c->work.vatstore_keys = all.keys;
    c->work.vatstore_bytes = all.bytes;
}

static void put_row(struct clone *c, kref r, struct clist_row row)
{
    clist_put(c->k, c->r->child, r, row);
    slog_clist(c->k, c->r->child, row.vref.p[1] == '+' ? "export" : "import", r, row.vref);
}

/* A fresh object that only the child's c-list knows.  Whoever is handed it counts it in
 * the same crank; the rest are garbage, and the child is told so before anything else. */
static void clone_export(struct clone *c, struct clist_row row)
{
    kref new = object_add(c->k, c->r->child);
    put_row(c, new, row);
    kref_set_add(&c->k->maybe_free, new);
    if (row.reachable && span_is(row.vref, "o+0")) c->root = new;
}

static void clone_import(struct clone *c, kref o, struct clist_row row)
{
    struct kernel *k = c->k;
    if (o.kind == KREF_OBJECT && !object_exists(k, o)) {
        /* Retired while the parent was sealed: the child will be told. */
        string_list_add(k, &c->retired, gc_action_text(k, c->r->child, GC_RETIRE_IMPORT, o));
    } else {
        ref_inc(k, o, row.reachable ? REF_NORMAL : REF_RECOGNIZABLE);
    }
    put_row(c, o, row);
}

/* -- promises, if they are shared -------------------------------------------------------------- */

/* Is the parent the one to settle it? */
static bool parent_decides(const struct clone *c, kref p)
{
    vat_id decider;
    return promise_state(c->k, p) == PROMISE_UNRESOLVED && promise_decider(c->k, p, &decider) &&
           vat_id_eq(decider, c->r->parent);
}

/* The parent's own gets a twin, for no promise has two deciders.  Whoever waits for the
 * parent's goes on waiting for that one, and so do the messages in its queue. */
static void clone_promise(struct clone *c, kref old, struct clist_row row)
{
    struct kernel *k = c->k;
    kref p = parent_decides(c, old) ? promise_new_for(k, c->r->child) : old;
    ref_inc(k, p, REF_NORMAL);
    put_row(c, p, row);
    if (promise_state(k, old) != PROMISE_UNRESOLVED) {
        c->settled = true;
        return;
    }
    struct strings subscribers = promise_subscribers(k, old);
    if (strings_have(&subscribers, span_of_vat(k, c->r->parent))) kref_set_add(&c->awaited, p);
}

/* Does the event tell `vat` how a promise was settled? */
static bool is_notify_for(struct kernel *k, struct span event, vat_id vat, kref *promise)
{
    struct arena *a = kernel_arena(k);
    struct jval v;
    struct err e;
    vat_id told;
    /* Every event's text begins with its type. */
    if (!span_starts(event, SPAN("{\"type\":\"notify\""))) return false;
    int failed = json_parse(a, event, &v, &e);
    INVARIANT(failed == 0);
    bool ok = vat_id_parse(json_str(json_get(v, "vatID"), a), &told) &&
              kref_parse(json_str(json_get(v, "kpid"), a), promise);
    INVARIANT(ok);
    return vat_id_eq(told, vat);
}

/* What the parent is about to be told the child is told too: behind it, in the same order. */
static void clone_notifies(struct clone *c)
{
    static const enum queue queues[] = { QUEUE_RUN, QUEUE_ACCEPTANCE };
    struct kernel *k = c->k;
    for (size_t q = 0; q < sizeof queues / sizeof *queues; q++) {
        uint64_t length = queue_length(k, queues[q]);
        for (uint64_t i = 0; i < length; i++) {
            kref p;
            if (!is_notify_for(k, queue_peek(k, queues[q], i), c->r->parent, &p)) continue;
            if (clist_has(k, c->r->child, p)) queue_notify(k, c->r->child, p);
        }
    }
}

static void clone_subscriptions(struct clone *c)
{
    for (size_t i = 0; i < c->awaited.count; i++) {
        promise_subscribe(c->k, c->awaited.items[i], c->r->child);
    }
    kref_set_fini(&c->awaited);
    if (c->settled) clone_notifies(c);
}

/* -- the c-list ------------------------------------------------------------------------------- */

/* What the parent names, in order of vrefs.  A walk makes the store write out the keys that
 * are new, so this one is done before there are any. */
static kref *parents_krefs(struct clone *c, size_t *count)
{
    struct clist_walk w = { 0 };
    size_t room = 32, n = 0;
    kref *all = ARENA_ARRAY(kernel_arena(c->k), kref, room);
    while (clist_next(c->k, c->r->parent, "", &w)) {
        if (n == room) {
            kref *grown = ARENA_ARRAY(kernel_arena(c->k), kref, room *= 2);
            memcpy(grown, all, n * sizeof *all);
            all = grown;
        }
        all[n++] = w.r;
    }
    *count = n;
    return all;
}

static void clone_clist(struct clone *c, const kref *krefs, size_t count)
{
    struct kernel *k = c->k;
    for (size_t i = 0; i < count; i++) {
        kref r = krefs[i];
        struct clist_row row;
        bool found = clist_row(k, c->r->parent, r, &row);
        INVARIANT(found && (r.kind != KREF_PROMISE || c->r->options.share));
        stats_inc(&k->stats, STAT_CLIST_ENTRIES);
        c->work.clist_entries++;
        if (r.kind == KREF_PROMISE) {
            clone_promise(c, r, row);
        } else if (r.kind == KREF_OBJECT && row.vref.p[1] == '+') {
            clone_export(c, row);
        } else {
            clone_import(c, r, row);
        }
    }
    if (c->retired.of.count > 0) gc_add_actions(k, &c->retired.of);
}

static void record_origin(struct kernel *k, const struct fork_event *r, const struct snapshot_info *s)
{
    struct transcript_bounds t;
    bool found = transcript_bounds(k->store, span_of_vat(k, r->parent), &t);
    INVARIANT(found);
    kv_set(k->store, key_vat(k, r->child, "forkedFrom"),
           arena_printf(kernel_arena(k),
                        "{\"vatID\":\"%s\",\"incarnation\":%llu,\"position\":%llu,\"snapshotID\":\"%s\","
                        "\"crank\":%llu}",
                        vat_id_text(r->parent).s, (unsigned long long)t.incarnation,
                        (unsigned long long)t.end, s->hash,
                        (unsigned long long)state_need_u64(k, SPAN("crankNumber"))));
    lineage_add_child(k, r->parent);
}

static void clone_machine(struct kernel *k, const struct fork_event *r)
{
    struct span parent = span_of_vat(k, r->parent), child = span_of_vat(k, r->child);
    struct snapshot_info s;
    bool found = snapshot_info(k->store, parent, &s);
    INVARIANT(found);
    record_origin(k, r, &s);
    kernel_step_label(k, "fork: origin recorded");
    transcript_init(k->store, child);
    transcript_add(k->store, child,
                   arena_printf(kernel_arena(k),
                                "{\"d\":[\"load-snapshot\",{\"snapshotID\":\"%s\"}],\"sc\":[],"
                                "\"r\":{\"status\":\"ok\"}}", s.hash));
    kernel_step_label(k, "fork: transcript begun");
    snapshot_share(k->store);
    snapshot_clone(k->store, parent, child);
}

void clone_rows(struct clone *c)
{
    struct kernel *k = c->k;
    size_t count;
    kref *krefs = parents_krefs(c, &count);
    vat_add_forked(k, c->r->child);
    kernel_step_label(k, "fork: child listed");
    clone_options(k, c->r);
    slog_forked(k, c->r->child, c->r->parent);
    kernel_step_label(k, "fork: options cloned");
    clone_parameters(k, c->r);
    kernel_step_label(k, "fork: parameters cloned");
    clone_counters(k, c->r);
    kernel_step_label(k, "fork: counters cloned");
    clone_vatstore(c);
    kernel_step_label(k, "fork: vatstore cloned");
    clone_clist(c, krefs, count);
    clone_subscriptions(c);
    kernel_step_label(k, "fork: c-list cloned");
    clone_machine(k, c->r);
    kernel_step_label(k, "fork: machine cloned");
}

kref clone_of(const struct clone *c, kref old)
{
    struct span name = clist_vref(c->k, c->r->parent, old);
    kref new;
    bool ok = kref_parse(state_need(c->k, key_clist_vref(c->k, c->r->child, name)), &new);
    INVARIANT(ok);
    return new;
}
