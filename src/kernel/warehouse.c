#include "kernel/warehouse.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "kernel/comms.h"
#include "kernel/delivery.h"
#include "kernel/slog.h"
#include "kernel/vats.h"
#include "store/snapshot.h"
#include "store/transcript.h"

/* A vat that is online.  One whose snapshot was just saved rests: it is to go on from that
 * snapshot, but its machine starts only when it is needed. */
struct online {
    vat_id vat;
    struct vat_machine *machine; /* NULL: resting */
    uint64_t snapshot_bytes;     /* raw size of the snapshot it came from; 0: of none */
};

struct warehouse {
    size_t max;
    size_t count;
    struct online *online; /* `max` places, least recently used first */
};

struct warehouse *warehouse_new(size_t max_online)
{
    struct warehouse *w = xcalloc(1, sizeof *w);
    w->max = max_online == 0 ? 50 : max_online;
    w->online = xcalloc(w->max, sizeof *w->online);
    return w;
}

/* `why`: for the slog. */
static void remove_at(struct kernel *k, size_t at, const char *why)
{
    struct warehouse *w = k->warehouse;
    if (w->online[at].machine != NULL) {
        k->port.stop(k->port.self, w->online[at].machine);
        slog_page_out(k, w->online[at].vat, why);
    }
    w->count--;
    memmove(w->online + at, w->online + at + 1, (w->count - at) * sizeof *w->online);
}

void warehouse_stop_all(struct kernel *k)
{
    while (k->warehouse->count > 0) remove_at(k, k->warehouse->count - 1, "shutdown");
}

void warehouse_free(struct kernel *k)
{
    struct warehouse *w = k->warehouse;
    if (w == NULL) return;
    warehouse_stop_all(k);
    free(w->online);
    free(w);
    k->warehouse = NULL;
}

static bool find(const struct warehouse *w, vat_id vat, size_t *at)
{
    for (size_t i = 0; i < w->count; i++) {
        *at = i;
        if (vat_id_eq(w->online[i].vat, vat)) return true;
    }
    return false;
}

void warehouse_stop(struct kernel *k, vat_id vat)
{
    size_t at;
    if (find(k->warehouse, vat, &at)) remove_at(k, at, "stopped");
}

struct vat_machine *warehouse_machine(struct kernel *k, vat_id vat)
{
    size_t at;
    return find(k->warehouse, vat, &at) ? k->warehouse->online[at].machine : NULL;
}

static void make_newest(struct warehouse *w, size_t at)
{
    struct online o = w->online[at];
    memmove(w->online + at, w->online + at + 1, (w->count - 1 - at) * sizeof *w->online);
    w->online[w->count - 1] = o;
}

/* -- transcript items ------------------------------------------------------------------------ */

static void add_item(struct kernel *k, vat_id vat, struct span delivery, struct span calls,
                     struct span result)
{
    struct buf b = { 0 };
    buf_puts(&b, "{\"d\":");
    buf_put(&b, delivery);
    buf_puts(&b, ",\"sc\":[");
    buf_put(&b, calls);
    buf_puts(&b, "],\"r\":");
    buf_put(&b, result);
    buf_putc(&b, '}');
    transcript_add(k->store, span_of_vat(k, vat), buf_span(&b));
    buf_fini(&b);
}

static void add_initialize_worker(struct kernel *k, vat_id vat)
{
    struct jval options = state_json(k, key_vat(k, vat, "options"));
    struct span bundle_id = vat_bundle_id(k, vat);
    struct buf d = { 0 };
    buf_puts(&d, "[\"initialize-worker\",{\"source\":");
    /* A bundle that came without being installed is not recorded: it is in vNN.source. */
    buf_put(&d, bundle_id.p != NULL ? vat_source_text(k, bundle_id) : SPAN("{}"));
    buf_puts(&d, ",\"workerOptions\":");
    buf_put(&d, json_raw(json_get(options, "workerOptions")));
    buf_puts(&d, "}]");
    add_item(k, vat, buf_span(&d), SPAN(""), SPAN("{\"status\":\"ok\"}"));
    buf_fini(&d);
}

static struct transcript_bounds bounds_of(struct kernel *k, vat_id vat)
{
    struct transcript_bounds t;
    bool found = transcript_bounds(k->store, span_of_vat(k, vat), &t);
    INVARIANT(found);
    return t;
}

uint64_t warehouse_incarnation(struct kernel *k, vat_id vat)
{
    return bounds_of(k, vat).incarnation;
}

void warehouse_new_incarnation(struct kernel *k, vat_id vat)
{
    warehouse_stop(k, vat);
    add_item(k, vat, SPAN("[\"shutdown-worker\"]"), SPAN(""), SPAN("{\"status\":\"ok\"}"));
    snapshot_stop(k->store, span_of_vat(k, vat));
    transcript_rollover_incarnation(k->store, span_of_vat(k, vat));
}

/* -- bringing a vat online ------------------------------------------------------------------- */

/* A span being replayed: items come one at a time, whatever its length. */
struct replaying {
    struct talk *s;
    struct vat_machine *m;
    uint64_t start, next; /* next: the position that must come now */
    struct err *e;
    bool failed;
};

/* The first item, initialize-worker or load-snapshot, is the start of the machine. */
static int check_first(struct talk *s, uint64_t position, struct span item, struct err *e)
{
    struct jval v;
    if (json_parse(s->arena, item, &v, e) == 0) {
        struct jval type = json_at(json_get(v, "d"), 0);
        if (json_is(type, "initialize-worker") || json_is(type, "load-snapshot")) return 0;
    }
    return err_set(e, EXIT_INTEGRITY, "the transcript of %s does not start with "
                   "initialize-worker or load-snapshot at position %llu", vat_id_text(s->vat).s,
                   (unsigned long long)position);
}

static bool replay_one(void *ctx, uint64_t position, struct span item)
{
    struct replaying *r = ctx;
    if (position != r->next) return false; /* a gap: told of by who called */
    struct span text = arena_copy(r->s->arena, item);
    int failed = position == r->start ? check_first(r->s, position, text, r->e)
                                      : talk_replay(r->s, r->m, position, text, r->e);
    arena_reset(r->s->arena);
    r->failed = failed != 0;
    r->next++;
    return !r->failed;
}

static int replay(struct kernel *k, vat_id vat, struct vat_machine *m, struct transcript_bounds t,
                  struct err *e)
{
    struct arena a;
    arena_init(&a);
    struct talk s = { .k = k, .port = &k->port, .vat = vat, .arena = &a, .replaying = true };
    struct replaying r = { &s, m, t.start, t.start, e, false };
    transcript_read(k->store, span_of_vat(k, vat), t.start, t.end, replay_one, &r);
    if (!r.failed && r.next != t.end) {
        r.failed = true;
        err_set(e, EXIT_INTEGRITY, "the transcript of %s lacks the item at position %llu",
                vat_id_text(vat).s, (unsigned long long)r.next);
    }
    arena_fini(&a);
    return r.failed ? -1 : 0;
}

static int start_machine(struct kernel *k, vat_id vat, const struct snapshot_info *snapshot,
                         struct vat_machine **out, struct err *e)
{
    struct talk s = { .k = k, .port = &k->port, .vat = vat, .arena = kernel_arena(k),
                         .replaying = true };
    struct talk_start from = {
        .snapshot = snapshot == NULL ? NULL : snapshot->hash,
        .shared = snapshot != NULL && k->zygotes && snapshot_is_shared(k->store, snapshot->hash),
        .boot = vat_options(k, vat).boot,
        .bundle_id = vat_bundle_id(k, vat),
    };
    return talk_start(&s, &from, out, e);
}

/* `resting`: the slog was told already how the machine goes on. */
static int bring_online(struct kernel *k, vat_id vat, bool resting, struct online *out, struct err *e)
{
    struct transcript_bounds t = bounds_of(k, vat);
    if (t.start == t.end) {
        add_initialize_worker(k, vat);
        t = bounds_of(k, vat);
    }
    struct snapshot_info info, *snapshot = NULL;
    if (snapshot_info(k->store, span_of_vat(k, vat), &info)) snapshot = &info;
    bool quiet = resting && t.end - t.start == 1;
    bool startup = !quiet && slog_vat(k, vat, true);
    slog_page_in(k, vat, snapshot);
    if (startup) slog_startup(k, vat, false);
    if (snapshot != NULL && !quiet) slog_snapshot_load(k, vat, snapshot, false);
    struct vat_machine *m;
    if (start_machine(k, vat, snapshot, &m, e) != 0) {
        slog_not_paged_in(k, vat);
        return -1;
    }
    if (startup) slog_startup(k, vat, true);
    if (!quiet) slog_replay(k, vat, t.end - t.start, false);
    if (replay(k, vat, m, t, e) != 0) {
        k->port.stop(k->port.self, m);
        slog_not_paged_in(k, vat);
        return -1;
    }
    if (!quiet) slog_replay(k, vat, 0, true);
    slog_paged_in(k, vat, k->port.origin == NULL ? NULL : k->port.origin(k->port.self, m),
                  t.end - t.start);
    *out = (struct online){ vat, m, snapshot == NULL ? 0 : snapshot->raw_bytes };
    return 0;
}

static int online(struct kernel *k, vat_id vat, struct vat_machine **out, struct err *e)
{
    struct warehouse *w = k->warehouse;
    size_t at;
    bool listed = find(w, vat, &at);
    if (listed && w->online[at].machine != NULL) {
        *out = w->online[at].machine;
        make_newest(w, at);
        return 0;
    }
    struct online o;
    if (listed) remove_at(k, at, "saved");
    else if (w->count == w->max) remove_at(k, 0, "evicted");
    if (bring_online(k, vat, listed, &o, e) != 0) {
        /* EXIT_VAT: what the vat is told when its creation fails; upstream's words alone. */
        return e->exit == EXIT_VAT ? -1 : err_while(e, "bringing %s online", vat_id_text(vat).s);
    }
    w->online[w->count++] = o;
    *out = o.machine;
    kernel_step_label(k, "vat online");
    return 0;
}

/* A vat that runs in the kernel's process has no machine, but takes a place as if it had. */
static void local_online(struct kernel *k, vat_id vat)
{
    struct warehouse *w = k->warehouse;
    size_t at;
    if (find(w, vat, &at)) {
        make_newest(w, at);
        return;
    }
    if (w->count == w->max) remove_at(k, 0, "evicted");
    w->online[w->count++] = (struct online){ .vat = vat };
    if (slog_vat(k, vat, true)) {
        slog_startup(k, vat, false);
        slog_startup(k, vat, true);
    }
}

int warehouse_ensure(struct kernel *k, vat_id vat, struct err *e)
{
    struct vat_machine *m;
    return online(k, vat, &m, e);
}

static int start_one(struct kernel *k, vat_id vat, bool preload, struct err *e)
{
    if (vat_options(k, vat).local) {
        local_online(k, vat);
        return 0;
    }
    if (preload) return warehouse_ensure(k, vat, e);
    struct transcript_bounds t = bounds_of(k, vat);
    if (t.start == t.end) add_initialize_worker(k, vat);
    slog_vat(k, vat, false);
    return 0;
}

int warehouse_start(struct kernel *k, bool preload, struct err *e)
{
    struct span key = SPAN_NONE, name;
    vat_id vat, *dynamic;
    size_t n = 0, max = (k->warehouse->max + 1) / 2, count = vats_dynamic(k, &dynamic);
    for (; n < max && vats_next_static(k, &key, &name, &vat); n++) {
        if (start_one(k, vat, preload, e) != 0) return -1;
    }
    for (size_t i = 0; i < count && n < max; i++, n++) {
        if (start_one(k, dynamic[i], preload, e) != 0) return -1;
    }
    return 0;
}

/* -- delivering --------------------------------------------------------------------------------------- */

int warehouse_deliver(struct kernel *k, vat_id vat, struct span delivery, struct delivered *out,
                      struct err *e)
{
    struct vat_machine *m;
    slog_mention(k, vat);
    if (warehouse_machine(k, vat) == NULL && vat_options(k, vat).local) {
        if (comms_check(k, vat, e) != 0) return -1;
        local_online(k, vat);
        comms_deliver(k, vat, delivery, out);
        return 0;
    }
    if (online(k, vat, &m, e) != 0) return -1;
    struct talk s = { .k = k, .port = &k->port, .vat = vat, .arena = kernel_arena(k),
                         .position = bounds_of(k, vat).end };
    struct delivered d;
    k->speaking = vat;
    int failed = talk_deliver(&s, m, delivery, &d, e);
    k->speaking = (vat_id){ 0 };
    if (failed != 0) {
        buf_fini(&s.calls);
        warehouse_stop(k, vat);
        return err_while(e, "delivering to %s", vat_id_text(vat).s);
    }
    add_item(k, vat, delivery, buf_span(&s.calls), talk_result(kernel_arena(k), &d));
    buf_fini(&s.calls);
    if (span_eq(delivery, delivery_bring_out_your_dead())) vat_clear_dirt(k, vat);
    *out = d;
    return 0;
}

/* -- snapshots ------------------------------------------------------------------------------------------ */

static int to_writer(void *ctx, struct span bytes, struct err *e)
{
    (void)e;
    snapshot_write(ctx, bytes);
    return 0;
}

static bool is_due(struct kernel *k, vat_id vat, uint64_t min)
{
    struct transcript_bounds t = bounds_of(k, vat);
    struct snapshot_info have;
    uint64_t entries = t.end - t.start;
    if (entries == 0) return false; /* a vat without a transcript */
    if (entries >= state_need_u64(k, SPAN("kernel.snapshotInitial")) &&
        !snapshot_info(k->store, span_of_vat(k, vat), &have)) {
        return true;
    }
    return entries >= (min > 0 ? min : state_need_u64(k, SPAN("kernel.snapshotInterval")));
}

/* Go on from the snapshot just saved: a reloaded heap is laid out differently, and later
 * snapshots must be those of a machine that was reloaded. */
static void rest(struct kernel *k, vat_id vat, const struct snapshot_info *info)
{
    size_t at;
    bool found = find(k->warehouse, vat, &at);
    INVARIANT(found);
    struct online *o = &k->warehouse->online[at];
    slog_snapshot_save(k, vat, info, o->snapshot_bytes);
    k->port.stop(k->port.self, o->machine);
    o->machine = NULL;
    o->snapshot_bytes = info->raw_bytes;
    slog_snapshot_load(k, vat, info, true);
    slog_page_out(k, vat, "saved");
}

static int save(struct kernel *k, vat_id vat, struct snapshot_taken *out, struct err *e)
{
    struct vat_machine *m;
    if (online(k, vat, &m, e) != 0) return -1;
    struct span name = span_of_vat(k, vat);
    uint64_t position = bounds_of(k, vat).end;
    struct snapshot_writer *w = snapshot_begin(k->store);
    if (k->port.snapshot(k->port.self, m, to_writer, w, e) != 0) {
        snapshot_abandon(w);
        warehouse_stop(k, vat);
        return err_while(e, "saving a heap snapshot of %s", vat_id_text(vat).s);
    }
    kernel_step_label(k, "snapshot written");
    struct snapshot_info info;
    snapshot_finish(w, name, position, &info);
    kernel_step_label(k, "snapshot recorded");
    rest(k, vat, &info);
    add_item(k, vat, SPAN("[\"save-snapshot\"]"), SPAN(""),
             arena_printf(kernel_arena(k), "{\"status\":\"ok\",\"snapshotID\":\"%s\"}", info.hash));
    transcript_rollover(k->store, name);
    kernel_step_label(k, "span closed");
    add_item(k, vat, arena_printf(kernel_arena(k), "[\"load-snapshot\",{\"snapshotID\":\"%s\"}]", info.hash),
             SPAN(""), SPAN("{\"status\":\"ok\"}"));
    kernel_step_label(k, "snapshot saved");
    out->saved = true;
    out->bytes = info.raw_bytes;
    return 0;
}

int warehouse_snapshot(struct kernel *k, vat_id vat, uint64_t min, struct snapshot_taken *out,
                       struct err *e)
{
    *out = (struct snapshot_taken){ .saved = false };
    if (!is_due(k, vat, min)) return 0;
    struct delivered d;
    if (warehouse_deliver(k, vat, delivery_bring_out_your_dead(), &d, e) != 0) return -1;
    out->computrons = d.computrons;
    if (!d.ok || k->fate.illegal || k->fate.exiting) {
        k->fate.exiting &= d.ok;
        out->bad = true;
        return 0;
    }
    kernel_step_label(k, "brought to rest");
    return save(k, vat, out, e);
}
