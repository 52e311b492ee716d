/* Looking at a kernel: vats, status, dump (kernel.h). */
#include <stdlib.h>

#include "kernel/clist.h"
#include "kernel/device.h"
#include "kernel/fork.h"
#include "kernel/lineage.h"
#include "kernel/object.h"
#include "kernel/promise.h"
#include "kernel/vats.h"
#include "kernel/warehouse.h"
#include "store/snapshot.h"
#include "store/transcript.h"

/* -- vats -------------------------------------------------------------------------------------- */

static void count_rows(struct kernel *k, struct vat_info *v)
{
    struct clist_walk w = { 0 };
    while (clist_next(k, v->vat, "", &w)) v->clist_entries++;
    struct span prefix = key_vat(k, v->vat, "vs."), key = prefix;
    while (state_next_key(k, prefix, &key)) {
        v->vatstore_keys++;
        v->vatstore_bytes += key.n + state_need(k, key).n;
    }
}

static void describe_origin(struct kernel *k, vat_id vat, struct vat_info *out)
{
    struct fork_origin from;
    out->cranks_since = UINT64_MAX;
    out->children = lineage_children(k, vat);
    if (!lineage_origin(k, vat, &from)) return;
    out->forked_from = from.parent;
    out->forked_position = from.position;
    out->forked_incarnation = from.incarnation;
    if (from.crank != UINT64_MAX) {
        out->cranks_since = state_need_u64(k, SPAN("crankNumber")) - from.crank;
    }
    if (from.snapshot.n == SHA256_HEX) memcpy(out->forked_snapshot, from.snapshot.p, SHA256_HEX);
}

static void describe(struct kernel *k, struct arena *a, vat_id vat, struct vat_info *out)
{
    struct span name = span_of_vat(k, vat);
    struct vat_options o = vat_options(k, vat);
    struct transcript_bounds t = { 0 };
    struct snapshot_info s;
    struct span bundle = vat_bundle_id(k, vat);
    transcript_bounds(k->store, name, &t);
    *out = (struct vat_info){
        .vat = vat,
        .name = o.name.p != NULL ? arena_copy(a, o.name) : SPAN(""),
        .is_static = !vat_is_dynamic(k, vat),
        .sealed = vat_is_sealed(k, vat),
        .critical = o.critical,
        .incarnation = t.incarnation,
        .deliveries = t.end,
        .bundle_id = bundle.p != NULL ? arena_copy(a, bundle) : SPAN(""),
        .has_snapshot = snapshot_info(k->store, name, &s),
        .machine = k->warehouse != NULL ? warehouse_machine(k, vat) : NULL,
    };
    out->online = out->machine != NULL;
    if (out->has_snapshot) memcpy(out->snapshot, s.hash, sizeof s.hash);
    describe_origin(k, vat, out);
    count_rows(k, out);
}

size_t kernel_vats(struct kernel *k, struct arena *a, struct vat_info **out)
{
    vat_id *all;
    size_t count = vats_all(k, &all);
    *out = ARENA_ARRAY(a, struct vat_info, count + 1);
    for (size_t i = 0; i < count; i++) describe(k, a, all[i], &(*out)[i]);
    return count;
}

static void describe_gone(struct kernel *k, vat_id vat, struct vat_info *out)
{
    struct transcript_bounds t = { 0 };
    transcript_span_at(k->store, span_of_vat(k, vat), INT64_MAX, &t);
    *out = (struct vat_info){ .vat = vat, .name = SPAN(""), .bundle_id = SPAN(""), .gone = true,
                              .incarnation = t.incarnation, .deliveries = t.end };
    describe_origin(k, vat, out);
}

static int by_number(const void *a, const void *b)
{
    const struct vat_info *x = a, *y = b;
    return (x->vat.n > y->vat.n) - (x->vat.n < y->vat.n);
}

size_t kernel_family(struct kernel *k, struct arena *a, struct vat_info **out)
{
    struct vat_info *living;
    vat_id *ancestors;
    size_t count = kernel_vats(k, a, &living), gone = lineage_ancestors(k, &ancestors);
    *out = ARENA_ARRAY(a, struct vat_info, count + gone + 1);
    memcpy(*out, living, count * sizeof **out);
    for (size_t i = 0; i < gone; i++) {
        if (!vat_is_alive(k, ancestors[i])) describe_gone(k, ancestors[i], &(*out)[count++]);
    }
    qsort(*out, count, sizeof **out, by_number);
    return count;
}

/* Each span but the last was begun (initialize-worker or load-snapshot) and ended (a snapshot
 * or a shutdown); the last was begun, unless it is empty yet. */
static uint64_t deliveries_in(const struct transcript_sizes *t)
{
    if (t->spans == 0) return 0;
    return t->end - 2 * (t->spans - 1) - (t->last_start < t->end ? 1 : 0);
}

void kernel_vat_sizes(struct kernel *k, vat_id vat, struct vat_sizes *out)
{
    struct span name = span_of_vat(k, vat), prefix = key_vat(k, vat, ""), key = prefix;
    struct transcript_sizes t;
    struct snapshot_info s;
    transcript_sizes(k->store, name, &t);
    *out = (struct vat_sizes){ .deliveries = deliveries_in(&t), .transcript_bytes = t.bytes };
    while (state_next_key(k, prefix, &key)) out->kv_bytes += key.n + state_need(k, key).n;
    if (!snapshot_info(k->store, name, &s)) return;
    out->snapshot_bytes = s.packed_bytes;
    out->snapshot_users = snapshot_users(k->store, s.hash);
}

bool kernel_vat(struct kernel *k, struct arena *a, vat_id vat, struct vat_info *out)
{
    if (!vat_is_alive(k, vat)) return false;
    describe(k, a, vat, out);
    return true;
}

bool kernel_vat_exists(struct kernel *k, vat_id vat)
{
    return vat_is_alive(k, vat);
}

bool kernel_find_device(struct kernel *k, struct span name, device_id *out)
{
    return device_by_name(k, name, out);
}

kref kernel_counterpart(struct kernel *k, vat_id parent, kref ref, vat_id child)
{
    struct clist_row row;
    struct span text;
    kref there;
    if (!clist_row(k, parent, ref, &row) ||
        !kv_get(k->store, key_clist_vref(k, child, row.vref), &text) || !kref_parse(text, &there)) {
        return (kref){ 0 };
    }
    return there;
}

struct span kernel_activityhash(struct kernel *k)
{
    struct span hash = SPAN("");
    kv_get(k->store, SPAN("activityhash"), &hash);
    return hash;
}

void kernel_status(struct kernel *k, struct buf *b)
{
    struct span hash = kernel_activityhash(k);
    vat_id *all;
    size_t vats = vats_all(k, &all);
    buf_printf(b, "{\"crankNumber\":%llu,\"acceptanceQueue\":%llu,\"runQueue\":%llu,\"vats\":%zu,"
               "\"terminating\":%zu,\"zygotes\":%s,\"activityhash\":\"%.*s\"}",
               (unsigned long long)state_need_u64(k, SPAN("crankNumber")),
               (unsigned long long)queue_length(k, QUEUE_ACCEPTANCE),
               (unsigned long long)queue_length(k, QUEUE_RUN), vats, k->terminated_count,
               k->zygotes ? "true" : "false", SPAN_ARG(hash));
}

/* -- dump ------------------------------------------------------------------------------------------ */

static void comma(struct buf *b)
{
    char last = b->n == 0 ? '[' : b->p[b->n - 1];
    if (last != '[' && last != '{') buf_putc(b, ',');
}

void kernel_active_vats(struct kernel *k, struct buf *b)
{
    vat_id *all;
    size_t count = vats_all(k, &all);
    buf_putc(b, '[');
    for (size_t i = 0; i < count; i++) {
        if (warehouse_machine(k, all[i]) == NULL) continue;
        comma(b);
        buf_printf(b, "{\"id\":\"%s\",\"options\":", vat_id_text(all[i]).s);
        buf_put(b, state_need(k, key_vat(k, all[i], "options")));
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

/* One line of a c-list, a vat's or a device's. */
struct dump_row {
    struct span kref_text, name;
    kref r;
    const char *holder; /* "v1", "d7" */
    uint32_t number;
};

struct dump_rows {
    struct dump_row *of;
    size_t count, cap;
};

static void add_row(struct kernel *k, struct dump_rows *rows, struct dump_row row)
{
    if (rows->count == rows->cap) {
        size_t cap = rows->cap == 0 ? 64 : rows->cap * 2;
        struct dump_row *more = ARENA_ARRAY(kernel_arena(k), struct dump_row, cap);
        if (rows->count > 0) memcpy(more, rows->of, rows->count * sizeof *more);
        rows->of = more;
        rows->cap = cap;
    }
    rows->of[rows->count++] = row;
}

static int sign(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* As people sort: by what is named, then by who holds it; numbers by value. */
static int compare_rows(const void *a, const void *b)
{
    const struct dump_row *x = a, *y = b;
    int c = sign((uint64_t)(unsigned char)x->kref_text.p[1], (uint64_t)(unsigned char)y->kref_text.p[1]);
    if (c == 0) c = sign(x->r.n, y->r.n);
    if (c == 0) c = sign((uint64_t)x->holder[0], (uint64_t)y->holder[0]);
    return c != 0 ? c : sign(x->number, y->number);
}

static const char *holder_text(struct kernel *k, const char *text)
{
    return arena_printf(kernel_arena(k), "%s", text).p;
}

static void collect_vat_rows(struct kernel *k, vat_id vat, struct dump_rows *rows)
{
    struct clist_walk w = { 0 };
    const char *holder = holder_text(k, vat_id_text(vat).s);
    while (clist_next(k, vat, "", &w)) {
        add_row(k, rows, (struct dump_row){ span_of_kref(k, w.r), arena_copy(kernel_arena(k), w.vref),
                                            w.r, holder, vat.n });
    }
}

static void collect_device_rows(struct kernel *k, device_id d, struct dump_rows *rows)
{
    struct span prefix = key_device(k, d, "c.", SPAN("")), key = prefix;
    const char *holder = holder_text(k, device_id_text(d).s);
    while (state_next_key(k, prefix, &key)) {
        struct span slot = span_from(key, prefix.n);
        struct dump_row row = { state_need(k, key), slot, { 0 }, holder, d.n };
        if (slot.p[0] != 'k' && kref_parse(row.kref_text, &row.r)) add_row(k, rows, row);
    }
}

static void dump_tables(struct kernel *k, struct buf *b)
{
    uint64_t vats = state_need_u64(k, SPAN("vat.nextID")), devices = state_need_u64(k, SPAN("device.nextID"));
    struct dump_rows rows = { 0 };
    for (uint32_t n = 1; n < vats; n++) collect_vat_rows(k, (vat_id){ n }, &rows);
    for (uint32_t n = 7; n < devices; n++) collect_device_rows(k, (device_id){ n }, &rows);
    if (rows.count > 1) qsort(rows.of, rows.count, sizeof *rows.of, compare_rows);
    for (size_t i = 0; i < rows.count; i++) {
        comma(b);
        buf_putc(b, '[');
        json_put_string(b, rows.of[i].kref_text);
        buf_printf(b, ",\"%s\",", rows.of[i].holder);
        json_put_string(b, rows.of[i].name);
        buf_putc(b, ']');
    }
}

static void dump_unresolved(struct kernel *k, struct buf *b, kref p)
{
    vat_id decider;
    struct strings subscribers = promise_subscribers(k, p);
    struct span message;
    if (promise_decider(k, p, &decider)) buf_printf(b, ",\"decider\":\"%s\"", vat_id_text(decider).s);
    buf_puts(b, ",\"policy\":");
    json_put_string(b, promise_policy(k, p));
    buf_puts(b, ",\"subscribers\":[");
    for (size_t i = 0; i < subscribers.count; i++) {
        comma(b);
        json_put_string(b, subscribers.items[i]);
    }
    buf_puts(b, "],\"queue\":[");
    for (uint64_t at = 0; promise_queued(k, p, at, &message); at++) {
        comma(b);
        buf_put(b, message);
    }
    buf_puts(b, "]}");
}

static void dump_promise(struct kernel *k, struct buf *b, kref p)
{
    static const char *const names[] = { "unknown", "unresolved", "fulfilled", "rejected" };
    enum promise_state state = promise_state(k, p);
    comma(b);
    buf_printf(b, "{\"id\":\"%s\",\"state\":\"%s\",\"refCount\":%llu", kref_text(p).s, names[state],
               (unsigned long long)state_need_u64(k, key_kref(k, p, "refCount")));
    if (state == PROMISE_UNRESOLVED) {
        dump_unresolved(k, b, p);
        return;
    }
    struct capdata data;
    promise_data(k, p, &data);
    buf_puts(b, ",\"data\":");
    capdata_put(b, &data);
    buf_putc(b, '}');
}

static void dump_promises(struct kernel *k, struct buf *b)
{
    uint64_t next = state_need_u64(k, SPAN("kp.nextID"));
    for (uint64_t n = 40; n < next; n++) {
        kref p = { KREF_PROMISE, n };
        if (promise_state(k, p) != PROMISE_UNKNOWN) dump_promise(k, b, p);
    }
}

static void dump_objects(struct kernel *k, struct buf *b)
{
    uint64_t next = state_need_u64(k, SPAN("ko.nextID"));
    for (uint64_t n = 20; n < next; n++) {
        kref o = { KREF_OBJECT, n };
        vat_id owner;
        if (!object_exists(k, o)) continue;
        struct refs r = object_refs(k, o);
        comma(b);
        buf_printf(b, "[\"%s\",", kref_text(o).s);
        if (object_recorded_owner(k, o, &owner)) {
            buf_printf(b, "\"%s\"", vat_id_text(owner).s);
        } else {
            buf_puts(b, "null");
        }
        buf_printf(b, ",%llu,%llu]", (unsigned long long)r.reachable, (unsigned long long)r.recognizable);
    }
}

static void dump_queue(struct kernel *k, struct buf *b, enum queue q)
{
    uint64_t n = queue_length(k, q);
    for (uint64_t i = 0; i < n; i++) {
        comma(b);
        buf_put(b, queue_peek(k, q, i));
    }
}

void kernel_stats(struct kernel *k, struct buf *json_text)
{
    struct buf consensus = { 0 };
    stats_put(&k->stats, false, json_text);
    stats_put(&k->stats, true, &consensus);
    json_text->n--; /* one object of two */
    buf_putc(json_text, ',');
    buf_put(json_text, span_from(buf_span(&consensus), 1));
    buf_fini(&consensus);
}

void kernel_dump(struct kernel *k, struct buf *b)
{
    buf_puts(b, "{\"kernelTable\":[");
    dump_tables(k, b);
    buf_puts(b, "],\"promises\":[");
    dump_promises(k, b);
    buf_puts(b, "],\"objects\":[");
    dump_objects(k, b);
    buf_puts(b, "],\"gcActions\":");
    buf_put(b, state_need(k, SPAN("gcActions")));
    buf_puts(b, ",\"reapQueue\":");
    buf_put(b, state_need(k, SPAN("reapQueue")));
    buf_puts(b, ",\"acceptanceQueue\":[");
    dump_queue(k, b, QUEUE_ACCEPTANCE);
    buf_puts(b, "],\"runQueue\":[");
    dump_queue(k, b, QUEUE_RUN);
    buf_puts(b, "]}");
}
