#include "kernel/warehouse.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "kernel/comms.h"
#include "kernel/delivery.h"
#include "kernel/syscall.h"
#include "kernel/vats.h"
#include "store/bundle.h"
#include "store/snapshot.h"
#include "store/transcript.h"

/* Vats with a machine, least recently used first. */
struct online {
    vat_id vat;
    struct vat_machine *machine;
};

struct warehouse {
    size_t max;
    size_t count;
    struct online *online; /* `max` + 1 places */
};

struct warehouse *warehouse_new(size_t max_online)
{
    struct warehouse *w = xcalloc(1, sizeof *w);
    w->max = max_online == 0 ? 50 : max_online;
    w->online = xcalloc(w->max + 1, sizeof *w->online);
    return w;
}

static void remove_at(struct kernel *k, size_t at)
{
    struct warehouse *w = k->warehouse;
    k->port.stop(k->port.self, w->online[at].machine);
    w->count--;
    memmove(w->online + at, w->online + at + 1, (w->count - at) * sizeof *w->online);
}

void warehouse_stop_all(struct kernel *k)
{
    while (k->warehouse->count > 0) remove_at(k, k->warehouse->count - 1);
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
    if (find(k->warehouse, vat, &at)) remove_at(k, at);
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

static void admit(struct kernel *k, vat_id vat, struct vat_machine *machine)
{
    struct warehouse *w = k->warehouse;
    w->online[w->count++] = (struct online){ vat, machine };
    if (w->count > w->max) remove_at(k, 0);
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

void warehouse_start(struct kernel *k)
{
    struct span key = SPAN_NONE, name;
    vat_id vat;
    size_t n = 0, preload = (k->warehouse->max + 1) / 2;
    for (; n < preload && vats_next_static(k, &key, &name, &vat); n++) {
        struct transcript_bounds t = bounds_of(k, vat);
        if (t.start == t.end && !vat_options(k, vat).local) add_initialize_worker(k, vat);
    }
}

/* -- what a machine says ---------------------------------------------------------------------- */

/* One delivery under way, live or replayed. */
struct session {
    struct kernel *k;
    vat_id vat;
    struct buf calls;       /* live: the syscalls so far, as transcripts keep them */
    struct jval recorded;   /* replay: the item's syscalls */
    size_t made;
    uint64_t position;      /* replay: of the item */
    bool replaying;
};

/* What one delivery may add to its transcript item; SQLite takes no row beyond 10^9 bytes,
 * and nothing but this limits a vat that reads large values again and again. */
enum { CALLS_BYTES_MAX = 256 << 20 };

static int live_syscall(struct session *s, struct jval vso, struct buf *reply)
{
    if (s->made++ > 0) buf_putc(&s->calls, ',');
    size_t from = reply->n;
    if (s->calls.n > CALLS_BYTES_MAX) {
        syscall_refuse(s->k, s->vat, "its delivery makes too many, or too large ones", reply);
        return 0;
    }
    syscall_handle(s->k, s->vat, vso, reply);
    buf_puts(&s->calls, "{\"s\":");
    json_put_value(&s->calls, vso);
    buf_puts(&s->calls, ",\"r\":");
    buf_put(&s->calls, span_from(buf_span(reply), from));
    buf_putc(&s->calls, '}');
    return 0;
}

static int replay_syscall(struct session *s, struct jval vso, struct buf *reply, struct err *e)
{
    struct jval expected = json_at(s->recorded, s->made);
    struct buf now = { 0 };
    json_put_value(&now, vso);
    struct span then = json_raw(json_get(expected, "s"));
    bool same = span_eq(buf_span(&now), then);
    if (same) {
        buf_put(reply, json_raw(json_get(expected, "r")));
    } else {
        err_set(e, EXIT_INTEGRITY,
                "replay of %s diverged at transcript position %llu, syscall %zu: recorded "
                "%.200s, now %.200s", vat_id_text(s->vat).s, (unsigned long long)s->position,
                s->made, then.p == NULL ? "none" : arena_copy(kernel_arena(s->k), then).p,
                arena_copy(kernel_arena(s->k), buf_span(&now)).p);
    }
    s->made++;
    buf_fini(&now);
    return same ? 0 : -1;
}

static void console(struct session *s, struct jval message)
{
    struct kernel *k = s->k;
    if (k->sink.console == NULL || s->replaying) return;
    struct buf line = { 0 };
    for (size_t i = 3; i < json_len(message); i++) {
        if (i > 3) buf_putc(&line, ' ');
        struct span text = json_str(json_at(message, i), kernel_arena(k));
        buf_put(&line, text.p != NULL ? text : json_raw(json_at(message, i)));
    }
    k->sink.console(k->sink.self, s->vat, json_str(json_at(message, 2), kernel_arena(k)),
                    buf_span(&line));
    buf_fini(&line);
}

static int upcall(void *ctx, struct span text, struct buf *reply, struct err *e)
{
    struct session *s = ctx;
    struct jval v;
    if (json_parse(kernel_arena(s->k), arena_copy(kernel_arena(s->k), text), &v, e) != 0) {
        if (!s->replaying && e->exit == EXIT_POLICY) { /* JSON, but nested too deeply: the vat's fault */
            syscall_refuse(s->k, s->vat, e->text, reply);
            return 0;
        }
        return err_while(e, "the worker of %s sent what is not JSON", vat_id_text(s->vat).s);
    }
    struct jval kind = json_at(v, 0);
    if (json_is(kind, "syscall")) {
        return s->replaying ? replay_syscall(s, json_at(v, 1), reply, e)
                            : live_syscall(s, json_at(v, 1), reply);
    }
    if (json_is(kind, "sourcedConsole")) {
        console(s, v);
        buf_puts(reply, "[\"ok\"]");
        return 0;
    }
    if (json_is(kind, "testLog")) {
        buf_puts(reply, "[\"OK\"]");
        return 0;
    }
    return err_set(e, EXIT_FAILED, "the worker of %s sent an unknown kind of message",
                   vat_id_text(s->vat).s);
}

/* Send a tagged command; the reply must be an array. */
static int command(struct session *s, struct vat_machine *m, struct span text,
                   struct vat_reply *raw, struct jval *reply, struct err *e)
{
    struct kernel *k = s->k;
    if (k->port.command(k->port.self, m, text, upcall, s, kernel_arena(k), raw, e) != 0) return -1;
    if (raw->outcome != VAT_REPLIED) return 0;
    if (json_parse(kernel_arena(k), raw->text, reply, e) != 0 || json_type(*reply) != JSON_ARRAY) {
        return err_set(e, EXIT_FAILED, "the worker of %s replied with what is not a JSON array",
                       vat_id_text(s->vat).s);
    }
    return 0;
}

static int send_delivery(struct session *s, struct vat_machine *m, struct span delivery,
                         struct delivered *out, struct err *e)
{
    static const char *const faults[] = { [VAT_TOO_MUCH_COMPUTATION] = "Compute meter exceeded",
                                          [VAT_STACK_OVERFLOW] = "Stack meter exceeded",
                                          [VAT_OUT_OF_MEMORY] = "Allocate meter exceeded" };
    struct buf b = { 0 };
    buf_puts(&b, "[\"deliver\",");
    buf_put(&b, delivery);
    buf_putc(&b, ']');
    struct vat_reply raw = { 0 };
    struct jval reply = { 0 };
    int failed = command(s, m, buf_span(&b), &raw, &reply, e);
    buf_fini(&b);
    if (failed != 0) return -1;
    *out = (struct delivered){ .ok = true };
    if (raw.outcome != VAT_REPLIED) {
        *out = (struct delivered){ .problem = span_of(faults[raw.outcome]) };
        return 0;
    }
    out->metered = raw.meter.p != NULL;
    out->computrons = raw.computrons;
    if (json_is(json_at(reply, 0), "ok")) return 0;
    out->ok = false;
    out->problem = json_str(json_at(reply, 1), kernel_arena(s->k));
    if (!json_is(json_at(reply, 0), "error") || out->problem.p == NULL) {
        return err_set(e, EXIT_FAILED, "the worker of %s replied neither ok nor error",
                       vat_id_text(s->vat).s);
    }
    return 0;
}

/* -- bringing a vat online ------------------------------------------------------------------------ */

static int source_bundle(void *self, struct span id, struct buf *json_text, struct err *e)
{
    struct kernel *k = self;
    return bundle_get(k->store, id, json_text, e);
}

static int source_snapshot(void *self, const char *hash,
                           int (*sink)(void *ctx, struct span bytes, struct err *e), void *ctx,
                           struct err *e)
{
    struct kernel *k = self;
    return snapshot_read(k->store, hash, sink, ctx, e);
}

/* The code: an installed bundle, or the one the vat was created from. */
static int vat_bundle(struct kernel *k, vat_id vat, struct buf *text, struct err *e)
{
    struct span id = vat_bundle_id(k, vat);
    if (id.p != NULL) return bundle_get(k->store, id, text, e);
    buf_put(text, json_raw(json_get(state_json(k, key_vat(k, vat, "source")), "bundle")));
    return 0;
}

static int set_bundle(struct session *s, struct vat_machine *m, const struct vat_options *o,
                      struct err *e)
{
    struct kernel *k = s->k;
    struct buf bundle = { 0 }, b = { 0 };
    if (vat_bundle(k, s->vat, &bundle, e) != 0) return -1;
    buf_printf(&b, "[\"setBundle\",\"%s\",", vat_id_text(s->vat).s);
    buf_put(&b, buf_span(&bundle));
    buf_printf(&b, ",{\"enableDisavow\":%s,\"relaxDurabilityRules\":%s}]",
               o->enable_disavow ? "true" : "false",
               state_has(k, SPAN("kernel.relaxDurabilityRules")) ? "true" : "false");
    struct vat_reply raw = { 0 };
    struct jval reply = { 0 };
    int failed = command(s, m, buf_span(&b), &raw, &reply, e);
    buf_fini(&bundle);
    buf_fini(&b);
    if (failed != 0) return -1;
    if (raw.outcome == VAT_REPLIED && json_is(json_at(reply, 0), "dispatchReady")) return 0;
    struct arena *a = kernel_arena(k);
    struct buf name = { 0 }, message = { 0 };
    json_put_string(&name, json_str(json_at(reply, 1), a));
    json_put_string(&message, json_str(json_at(reply, 2), a));
    err_set(e, EXIT_VAT, "setBundle failed: %.*s: %.*s", SPAN_ARG(buf_span(&name)),
            SPAN_ARG(buf_span(&message)));
    buf_fini(&name);
    buf_fini(&message);
    return -1;
}

/* Reading a span visits rows of the database; deliveries write to it.  So collect first. */
struct items {
    struct kernel *k;
    struct strings of;
    size_t room;
};

static bool collect(void *ctx, uint64_t position, struct span item)
{
    struct items *items = ctx;
    (void)position;
    if (items->of.count == items->room) return false;
    items->of.items[items->of.count++] = arena_copy(kernel_arena(items->k), item);
    return true;
}

static int replay_item(struct session *s, struct vat_machine *m, struct span text, struct err *e)
{
    struct jval item;
    if (json_parse(kernel_arena(s->k), text, &item, e) != 0) {
        return err_while(e, "transcript of %s, position %llu", vat_id_text(s->vat).s,
                         (unsigned long long)s->position);
    }
    s->recorded = json_get(item, "sc");
    s->made = 0;
    struct delivered d;
    if (send_delivery(s, m, json_raw(json_get(item, "d")), &d, e) != 0) return -1;
    if (!d.ok && json_is(json_get(json_get(item, "r"), "status"), "ok")) {
        return err_set(e, EXIT_INTEGRITY,
                       "replay of %s diverged at transcript position %llu: recorded ok, now failed: "
                       "%.*s", vat_id_text(s->vat).s, (unsigned long long)s->position,
                       SPAN_ARG(d.problem));
    }
    if (s->made == json_len(s->recorded)) return 0;
    return err_set(e, EXIT_INTEGRITY,
                   "replay of %s diverged at transcript position %llu: %zu syscalls recorded, "
                   "%zu made now", vat_id_text(s->vat).s, (unsigned long long)s->position,
                   json_len(s->recorded), s->made);
}

/* The span starts with initialize-worker or load-snapshot, which start() already did. */
static int replay(struct session *s, struct vat_machine *m, struct err *e)
{
    struct kernel *k = s->k;
    struct transcript_bounds t = bounds_of(k, s->vat);
    struct items items = { .k = k, .room = (size_t)(t.end - t.start) };
    items.of.items = ARENA_ARRAY(kernel_arena(k), struct span, items.room + 1);
    transcript_read(k->store, span_of_vat(k, s->vat), t.start, t.end, collect, &items);
    if (items.of.count != items.room) {
        return err_set(e, EXIT_INTEGRITY, "transcript items of %s are missing", vat_id_text(s->vat).s);
    }
    for (size_t i = 1; i < items.of.count; i++) {
        s->position = t.start + i;
        if (replay_item(s, m, items.of.items[i], e) != 0) return -1;
    }
    return 0;
}

static int bring_online(struct kernel *k, vat_id vat, struct vat_machine **out, struct err *e)
{
    struct transcript_bounds t = bounds_of(k, vat);
    if (t.start == t.end) add_initialize_worker(k, vat);
    struct vat_options o = vat_options(k, vat);
    struct snapshot_info snapshot;
    bool has_snapshot = snapshot_info(k->store, span_of_vat(k, vat), &snapshot);
    struct vat_source source = { k, source_bundle, source_snapshot };
    struct vat_start from = { .vat = vat, .name = o.name, .metered = o.meter_id.p != NULL,
                              .snapshot = has_snapshot ? snapshot.hash : NULL,
                              .shared = has_snapshot && k->zygotes &&
                                        snapshot_users(k->store, snapshot.hash) > 1,
                              .boot = o.boot.items, .boot_count = o.boot.count,
                              .source = &source };
    struct vat_machine *m;
    if (k->port.start(k->port.self, &from, &m, e) != 0) return -1;
    struct session s = { .k = k, .vat = vat, .replaying = true };
    if ((!has_snapshot && set_bundle(&s, m, &o, e) != 0) || replay(&s, m, e) != 0) {
        k->port.stop(k->port.self, m);
        return -1;
    }
    *out = m;
    return 0;
}

static int online(struct kernel *k, vat_id vat, struct vat_machine **out, struct err *e)
{
    size_t at;
    if (find(k->warehouse, vat, &at)) {
        *out = k->warehouse->online[at].machine;
        make_newest(k->warehouse, at);
        return 0;
    }
    if (bring_online(k, vat, out, e) != 0) {
        /* EXIT_VAT: what the vat is told when its creation fails; upstream's words alone. */
        return e->exit == EXIT_VAT ? -1 : err_while(e, "bringing %s online", vat_id_text(vat).s);
    }
    admit(k, vat, *out);
    kernel_step_label(k, "vat online");
    return 0;
}

int warehouse_ensure(struct kernel *k, vat_id vat, struct err *e)
{
    struct vat_machine *m;
    return online(k, vat, &m, e);
}

/* -- delivering --------------------------------------------------------------------------------------- */

int warehouse_deliver(struct kernel *k, vat_id vat, struct span delivery, struct delivered *out,
                      struct err *e)
{
    struct vat_machine *m;
    if (warehouse_machine(k, vat) == NULL && vat_options(k, vat).local) {
        if (comms_check(k, vat, e) != 0) return -1;
        comms_deliver(k, vat, delivery, out);
        return 0;
    }
    if (online(k, vat, &m, e) != 0) return -1;
    struct session s = { .k = k, .vat = vat };
    struct delivered d;
    k->speaking = vat;
    int failed = send_delivery(&s, m, delivery, &d, e);
    k->speaking = (vat_id){ 0 };
    if (failed != 0) {
        buf_fini(&s.calls);
        warehouse_stop(k, vat);
        return err_while(e, "delivering to %s", vat_id_text(vat).s);
    }
    struct span result = SPAN("{\"status\":\"error\"}");
    if (d.ok) {
        result = !d.metered ? SPAN("{\"status\":\"ok\"}")
                            : arena_printf(kernel_arena(k),
                                           "{\"status\":\"ok\",\"metering\":{\"computrons\":%llu}}",
                                           (unsigned long long)d.computrons);
    }
    add_item(k, vat, delivery, buf_span(&s.calls), result);
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
    if (!snapshot_info(k->store, span_of_vat(k, vat), &have) &&
        entries >= state_need_u64(k, SPAN("kernel.snapshotInitial"))) {
        return true;
    }
    return entries >= (min > 0 ? min : state_need_u64(k, SPAN("kernel.snapshotInterval")));
}

static int save(struct kernel *k, vat_id vat, struct err *e)
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
    add_item(k, vat, SPAN("[\"save-snapshot\"]"), SPAN(""),
             arena_printf(kernel_arena(k), "{\"status\":\"ok\",\"snapshotID\":\"%s\"}", info.hash));
    transcript_rollover(k->store, name);
    add_item(k, vat, arena_printf(kernel_arena(k), "[\"load-snapshot\",{\"snapshotID\":\"%s\"}]", info.hash),
             SPAN(""), SPAN("{\"status\":\"ok\"}"));
    /* Go on from the snapshot: a reloaded heap is laid out differently, and later
     * snapshots must be those of a machine that was. */
    warehouse_stop(k, vat);
    kernel_step_label(k, "snapshot saved");
    return 0;
}

int warehouse_snapshot(struct kernel *k, vat_id vat, uint64_t min, bool *saved, bool *bad,
                       struct err *e)
{
    if (saved != NULL) *saved = false;
    if (bad != NULL) *bad = false;
    if (!is_due(k, vat, min)) return 0;
    struct delivered d;
    if (warehouse_deliver(k, vat, delivery_bring_out_your_dead(), &d, e) != 0) return -1;
    if (bad != NULL && (!d.ok || k->fate.illegal || k->fate.exiting)) {
        k->fate.exiting &= d.ok;
        *bad = true;
        return 0;
    }
    if (save(k, vat, e) != 0) return -1;
    if (saved != NULL) *saved = true;
    return 0;
}
