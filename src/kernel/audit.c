/* Recompute every reference count and cross-link from the whole store (kernel.h).
 *
 * First everything that holds a reference is counted into a table; then the table and the
 * recorded counts are laid side by side.  In a store without forks a count may be higher
 * than what is found: upstream's kernel leaks the vatParameters of vats that failed to
 * start or were cleaned up, and byte equality keeps the leak. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "kernel/clist.h"
#include "kernel/device.h"
#include "kernel/external.h"
#include "kernel/lineage.h"
#include "kernel/object.h"
#include "kernel/promise.h"
#include "kernel/vats.h"
#include "store/transcript.h"

struct found {
    kref r; /* KREF_INVALID: an empty place */
    uint64_t reachable, recognizable;
};

struct audit {
    struct kernel *k;
    struct found *table;
    size_t places, used;
    audit_report *report;
    void *ctx;
    uint64_t breaches;
    bool settling; /* what nobody here holds is the host's, whatever is recorded */
    bool recording, recorded; /* that is being written down; something was not so before */
};

#define breach(a, ...)                                                                        \
    do {                                                                                      \
        (a)->breaches++;                                                                      \
        (a)->report((a)->ctx, arena_printf(kernel_arena((a)->k), __VA_ARGS__).p);             \
    } while (0)

/* -- the table ---------------------------------------------------------------------------------- */

static struct found *place_of(struct found *table, size_t places, kref r)
{
    size_t i = (size_t)((r.n * 4 + (uint64_t)r.kind) * UINT64_C(0x9E3779B97F4A7C15) >> 20);
    for (i &= places - 1; table[i].r.kind != KREF_INVALID; i = (i + 1) & (places - 1)) {
        if (kref_eq(table[i].r, r)) break;
    }
    return &table[i];
}

static struct found *count_of(struct audit *a, kref r)
{
    if (a->used * 2 >= a->places) {
        size_t places = a->places == 0 ? 1024 : a->places * 2;
        struct found *table = xcalloc(places, sizeof *table);
        for (size_t i = 0; i < a->places; i++) {
            if (a->table[i].r.kind != KREF_INVALID) {
                *place_of(table, places, a->table[i].r) = a->table[i];
            }
        }
        free(a->table);
        a->table = table;
        a->places = places;
    }
    struct found *f = place_of(a->table, a->places, r);
    if (f->r.kind == KREF_INVALID) {
        f->r = r;
        a->used++;
    }
    return f;
}

static void hold_times(void *audit, kref r, uint64_t times)
{
    struct found *f = count_of(audit, r);
    f->reachable += times;
    f->recognizable += times;
}

static void hold(struct audit *a, kref r)
{
    hold_times(a, r, 1);
}

static void hold_all(struct audit *a, const struct capdata *d)
{
    for (size_t i = 0; i < d->count; i++) hold(a, d->slots[i]);
}

/* -- c-lists --------------------------------------------------------------------------------------- */

static void see_export(struct audit *a, vat_id vat, kref o, struct span name)
{
    vat_id owner;
    if (!object_recorded_owner(a->k, o, &owner) || !vat_id_eq(owner, vat)) {
        breach(a, "%s exports %s as %.*s but does not own it", vat_id_text(vat).s, kref_text(o).s,
               SPAN_ARG(name));
    }
}

static void see_import(struct audit *a, kref o, bool reachable)
{
    struct found *f = count_of(a, o);
    f->recognizable++;
    f->reachable += reachable;
}

static void see_row(struct audit *a, vat_id vat, const struct clist_walk *w)
{
    struct clist_row row;
    if (!clist_row(a->k, vat, w->r, &row) || !span_eq(row.vref, w->vref)) {
        breach(a, "%s: c-list row %.*s -> %s has no way back", vat_id_text(vat).s, SPAN_ARG(w->vref),
               kref_text(w->r).s);
        return;
    }
    if (w->r.kind == KREF_PROMISE) {
        hold(a, w->r);
        if (promise_state(a->k, w->r) == PROMISE_UNKNOWN) {
            breach(a, "%s: %.*s is the promise %s, which is gone", vat_id_text(vat).s,
                   SPAN_ARG(w->vref), kref_text(w->r).s);
        }
    } else if (w->r.kind == KREF_OBJECT && row.vref.p[1] == '+') {
        see_export(a, vat, w->r, row.vref);
    } else if (w->r.kind == KREF_OBJECT && object_exists(a->k, w->r)) {
        see_import(a, w->r, row.reachable);
    }
}

/* The other direction: every kref row leads to a vref row.  Only of a device node may a dead
 * vat have half, its rows being deleted key by key. */
static void see_back_rows(struct audit *a, vat_id vat)
{
    bool dying = vat_is_terminated(a->k, vat);
    struct span prefix = key_vat(a->k, vat, "c.k"), key = prefix;
    while (state_next_key(a->k, prefix, &key)) {
        struct span value = state_need(a->k, key), back;
        struct span name = span_from(key, prefix.n - 1);
        struct span forward = key_clist_vref(a->k, vat, span_from(value, 2));
        if (dying && span_starts(name, SPAN("kd"))) continue;
        if (!kv_get(a->k->store, forward, &back) || !span_eq(back, name)) {
            breach(a, "%s: c-list row %.*s -> %.*s has no way back", vat_id_text(vat).s,
                   SPAN_ARG(name), SPAN_ARG(value));
        }
    }
}

static void see_vat(struct audit *a, vat_id vat)
{
    struct kernel *k = a->k;
    struct clist_walk w = { 0 };
    struct transcript_bounds t;
    struct capdata parameters;
    while (clist_next(k, vat, "", &w)) see_row(a, vat, &w);
    see_back_rows(a, vat);
    struct span key = key_vat(k, vat, "vatParameters");
    if (state_has(k, key) && capdata_decode(kernel_arena(k), state_json(k, key), &parameters)) {
        hold_all(a, &parameters);
    }
    if (vat_is_alive(k, vat) && !transcript_bounds(k->store, span_of_vat(k, vat), &t)) {
        breach(a, "%s has no transcript", vat_id_text(vat).s);
    }
}

static void see_vats(struct audit *a)
{
    uint64_t next = state_need_u64(a->k, SPAN("vat.nextID"));
    for (uint32_t n = 1; n < next; n++) {
        see_vat(a, (vat_id){ n });
    }
}

/* An ancestor with too few children counted would lose its transcript before they do.  (Too
 * many: another kernel, that knows no forks, has deleted some.) */
static void see_families(struct audit *a)
{
    uint64_t next = state_need_u64(a->k, SPAN("vat.nextID"));
    uint64_t *children = xcalloc(next + 1, sizeof *children);
    struct fork_origin from;
    for (uint32_t n = 1; n < next; n++) {
        vat_id vat = { n };
        if (!lineage_origin(a->k, vat, &from)) continue;
        if (from.parent.n < n) {
            children[from.parent.n]++;
        } else {
            breach(a, "%s was forked from %s, which is younger", vat_id_text(vat).s,
                   vat_id_text(from.parent).s);
        }
    }
    for (uint32_t n = 1; n < next; n++) {
        uint64_t recorded = lineage_children(a->k, (vat_id){ n });
        if (recorded < children[n]) {
            breach(a, "%s: %llu children are recorded but %llu found", vat_id_text((vat_id){ n }).s,
                   (unsigned long long)recorded, (unsigned long long)children[n]);
        }
    }
    free(children);
}

static void see_devices(struct audit *a)
{
    uint64_t next = state_need_u64(a->k, SPAN("device.nextID"));
    for (uint32_t n = 7; n < next; n++) {
        struct span prefix = key_device(a->k, (device_id){ n }, "c.o-", SPAN("")), key = prefix;
        while (state_next_key(a->k, prefix, &key)) {
            kref o;
            if (kref_parse(state_need(a->k, key), &o)) hold(a, o);
        }
    }
}

/* -- queues ------------------------------------------------------------------------------------------- */

static void see_message(struct audit *a, struct jval v)
{
    struct message m;
    if (!message_decode(kernel_arena(a->k), v, &m)) {
        breach(a, "a queued message does not decode");
        return;
    }
    hold_all(a, &m.methargs);
    if (m.result.kind != KREF_INVALID) hold(a, m.result);
}

static void see_kref(struct audit *a, struct jval v)
{
    kref r;
    if (kref_parse(json_str(v, kernel_arena(a->k)), &r) && r.kind != KREF_DEVICE) hold(a, r);
}

static void see_event(struct audit *a, struct jval v)
{
    struct capdata d;
    struct jval type = json_get(v, "type");
    if (json_is(type, "send")) {
        see_kref(a, json_get(v, "target"));
        see_message(a, json_get(v, "msg"));
    } else if (json_is(type, "notify")) {
        see_kref(a, json_get(v, "kpid"));
    } else if (json_is(type, "create-vat") || json_is(type, "upgrade-vat")) {
        if (capdata_decode(kernel_arena(a->k), json_get(v, "vatParameters"), &d)) hold_all(a, &d);
    } else if (json_is(type, "fork-vat")) {
        struct jval refs = json_get(v, "oldrefs");
        for (size_t i = 0; i < json_len(refs); i++) see_kref(a, json_at(refs, i));
    }
}

static void see_queued(struct audit *a, struct span text)
{
    struct jval v;
    struct err e;
    if (json_parse(kernel_arena(a->k), text, &v, &e) == 0) see_event(a, v);
    else breach(a, "a queued event is not JSON: %s", e.text);
}

static void see_queues(struct audit *a)
{
    for (enum queue q = QUEUE_ACCEPTANCE; q <= QUEUE_RUN; q++) {
        uint64_t n = queue_length(a->k, q);
        for (uint64_t i = 0; i < n; i++) see_queued(a, queue_peek(a->k, q, i));
    }
}

/* What upgrading the store's schema left to be queued. */
static void see_upgrade_events(struct audit *a)
{
    struct span key = SPAN("upgradeEvents");
    struct jval events = state_has(a->k, key) ? state_json(a->k, key) : (struct jval){ 0 };
    for (size_t i = 0; i < json_len(events); i++) see_event(a, json_at(events, i));
}

/* -- promises, pins, the host -------------------------------------------------------------------------- */

/* A vat's row of a promise outlives its subscription, unless the vat dies. */
static void see_subscribers(struct audit *a, kref p)
{
    struct strings subscribers = promise_subscribers(a->k, p);
    for (size_t i = 0; i < subscribers.count; i++) {
        vat_id vat;
        if (!vat_id_parse(subscribers.items[i], &vat)) {
            breach(a, "%s is listened to by %.*s, which is no vat", kref_text(p).s, SPAN_ARG(subscribers.items[i]));
        } else if (vat_is_alive(a->k, vat) && !clist_has(a->k, vat, p)) {
            breach(a, "%s is listened to by %s, which does not know it", kref_text(p).s, vat_id_text(vat).s);
        }
    }
}

static void see_promise(struct audit *a, kref p)
{
    struct kernel *k = a->k;
    struct capdata data;
    vat_id decider;
    if (promise_state(k, p) != PROMISE_UNRESOLVED) {
        promise_data(k, p, &data);
        hold_all(a, &data);
        return;
    }
    see_subscribers(a, p);
    struct span waiting;
    uint64_t n = 0;
    while (promise_queued(k, p, n, &waiting)) n++;
    for (uint64_t i = 0; i < n; i++) {
        struct span key = arena_printf(kernel_arena(k), "%s.queue.%llu", kref_text(p).s,
                                       (unsigned long long)i);
        hold(a, p);
        see_message(a, state_json(k, key));
    }
    if (promise_decider(k, p, &decider) && !vat_is_terminated(k, decider) &&
        !clist_has(k, decider, p)) {
        breach(a, "%s is decided by %s, which does not know it", kref_text(p).s, vat_id_text(decider).s);
    }
}

static void see_promises(struct audit *a)
{
    uint64_t next = state_need_u64(a->k, SPAN("kp.nextID"));
    for (uint64_t n = 40; n < next; n++) {
        kref p = { KREF_PROMISE, n };
        if (promise_state(a->k, p) != PROMISE_UNKNOWN) see_promise(a, p);
    }
}

static void see_list(struct audit *a, const struct strings *list)
{
    for (size_t i = 0; i < list->count; i++) {
        kref r;
        if (kref_parse(list->items[i], &r)) hold(a, r);
    }
}

static void see_pins_and_host(struct audit *a)
{
    struct span text = SPAN("");
    kv_get(a->k->store, SPAN("pinnedObjects"), &text);
    struct strings pins = state_commas(a->k, text);
    see_list(a, &pins);
    if (!a->settling) external_each(a->k, hold_times, a);
}

/* -- side by side -------------------------------------------------------------------------------------------- */

static bool counts_agree(const struct audit *a, uint64_t recorded, uint64_t found)
{
    return recorded == found || ((a->settling || !a->k->zygotes) && recorded > found);
}

/* Counted oftener than it is held here: so the host holds it. */
static void settle(struct audit *a, kref r, uint64_t recorded, uint64_t found)
{
    if (a->recording && external_record(a->k, r, recorded - found)) a->recorded = true;
}

static void compare_object(struct audit *a, kref o)
{
    struct refs r = object_refs(a->k, o);
    struct found f = *count_of(a, o);
    vat_id owner;
    bool odd = a->settling && r.recognizable - f.recognizable != r.reachable - f.reachable;
    if (odd || !counts_agree(a, r.reachable, f.reachable) ||
        !counts_agree(a, r.recognizable, f.recognizable)) {
        breach(a, "%s: refCount says %llu,%llu but %llu,%llu references are found", kref_text(o).s,
               (unsigned long long)r.reachable, (unsigned long long)r.recognizable,
               (unsigned long long)f.reachable, (unsigned long long)f.recognizable);
    } else {
        settle(a, o, r.reachable, f.reachable);
    }
    if (object_recorded_owner(a->k, o, &owner) && !clist_has(a->k, owner, o)) {
        breach(a, "%s is owned by %s but not in its c-list", kref_text(o).s, vat_id_text(owner).s);
    }
}

static void compare_promise(struct audit *a, kref p)
{
    uint64_t recorded = state_need_u64(a->k, key_kref(a->k, p, "refCount"));
    uint64_t found = count_of(a, p)->reachable;
    if (!counts_agree(a, recorded, found)) {
        breach(a, "%s: refCount says %llu but %llu references are found", kref_text(p).s,
               (unsigned long long)recorded, (unsigned long long)found);
    } else {
        settle(a, p, recorded, found);
    }
}

/* Names beyond the counters: left of what was undone. */
static void compare_unborn(struct audit *a, uint64_t objects, uint64_t promises)
{
    for (size_t i = 0; i < a->places; i++) {
        kref r = a->table[i].r;
        if ((r.kind == KREF_OBJECT && r.n >= objects) || (r.kind == KREF_PROMISE && r.n >= promises)) {
            breach(a, "%s is named but was never allocated", kref_text(r).s);
        }
    }
}

static void compare(struct audit *a)
{
    uint64_t objects = state_need_u64(a->k, SPAN("ko.nextID"));
    uint64_t promises = state_need_u64(a->k, SPAN("kp.nextID"));
    for (uint64_t n = 20; n < objects; n++) {
        kref o = { KREF_OBJECT, n };
        if (object_exists(a->k, o)) {
            compare_object(a, o);
        } else if (count_of(a, o)->recognizable > 0) {
            breach(a, "%s is named but does not exist", kref_text(o).s);
        }
    }
    for (uint64_t n = 40; n < promises; n++) {
        kref p = { KREF_PROMISE, n };
        if (promise_state(a->k, p) != PROMISE_UNKNOWN) {
            compare_promise(a, p);
        } else if (count_of(a, p)->reachable > 0) {
            breach(a, "%s is named but does not exist", kref_text(p).s);
        }
    }
    compare_unborn(a, objects, promises);
}

/* What the host is recorded to hold, and is gone. */
static void forget_gone(void *audit, kref r, uint64_t times)
{
    struct audit *a = audit;
    (void)times;
    bool there = r.kind == KREF_PROMISE ? promise_state(a->k, r) != PROMISE_UNKNOWN
                                        : object_exists(a->k, r);
    if (!there && r.kind != KREF_DEVICE && external_record(a->k, r, 0)) a->recorded = true;
}

static bool record_host(struct audit *a)
{
    a->recording = true;
    external_each(a->k, forget_gone, a);
    compare(a);
    return a->recorded;
}

static uint64_t audit(struct store *s, audit_report *report, void *ctx, bool *settled)
{
    struct kernel k = { .store = s };
    struct audit a = { .k = &k, .report = report, .ctx = ctx, .settling = settled != NULL };
    k.zygotes = state_has(&k, SPAN("zygote.enabled"));
    (void)vats_load_terminated(&k);
    see_vats(&a);
    if (k.zygotes) see_families(&a);
    see_devices(&a);
    see_queues(&a);
    see_upgrade_events(&a);
    see_promises(&a);
    see_pins_and_host(&a);
    compare(&a);
    if (settled != NULL) *settled = a.breaches == 0 && record_host(&a);
    free(a.table);
    free(k.terminated);
    free(k.dead);
    return a.breaches;
}

uint64_t kernel_audit(struct store *s, audit_report *report, void *ctx)
{
    return audit(s, report, ctx, NULL);
}

uint64_t kernel_audit_settling(struct store *s, bool *settled, audit_report *report, void *ctx)
{
    return audit(s, report, ctx, settled);
}
