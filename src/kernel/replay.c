#include "kernel/replay.h"

#include <stdlib.h>

#include "kernel/replay_path.h"
#include "kernel/talk.h"
#include "kernel/vats.h"
#include "store/snapshot.h"
#include "store/transcript.h"

/* A replay under way. */
struct replay {
    const struct replay_request *request;
    struct replay_report *report;
    struct talk talk;
    struct arena arena;        /* of one item */
    struct vat_machine *machine; /* NULL: none is running */
    uint64_t next;             /* the position that must come now */
    struct buf heap;           /* the snapshot taken last: what is loaded next is this */
    char heap_hash[SHA256_HEX + 1];
    struct err *e;
    bool failed;
};

void replay_report_fini(struct replay_report *r)
{
    divergence_fini(&r->divergence);
    free(r->legs);
    r->legs = NULL;
}

static struct kernel *kernel_of(struct replay *r)
{
    return r->talk.k;
}

/* The vat whose transcript it is; from genesis, of the leg under way. */
static struct span vat_of(struct replay *r)
{
    return span_of_vat(kernel_of(r), r->talk.vat);
}

static int damaged(struct replay *r, uint64_t position, const char *why)
{
    return err_set(r->e, EXIT_INTEGRITY, "transcript of %s, position %llu: %s",
                   vat_id_text(r->talk.vat).s, (unsigned long long)position, why);
}

/* -- where to start ------------------------------------------------------------------------- */

/* Could a machine start with the item at `position`? */
static bool can_start_at(struct replay *r, uint64_t position)
{
    struct span first;
    struct jval v, d;
    struct err ignored;
    if (!transcript_item(kernel_of(r)->store, vat_of(r), position, &r->arena, &first) ||
        json_parse(&r->arena, first, &v, &ignored) != 0) {
        return false;
    }
    d = json_get(v, "d");
    if (json_is(json_at(d, 0), "initialize-worker")) return true;
    struct span id = json_str(json_get(json_at(d, 1), "snapshotID"), &r->arena);
    return json_is(json_at(d, 0), "load-snapshot") && id.n == SHA256_HEX &&
           snapshot_has(kernel_of(r)->store, arena_copy(&r->arena, id).p);
}

/* The last start at `from` or before it. */
static int find_start(struct replay *r, uint64_t from, uint64_t *out)
{
    struct transcript_bounds t;
    for (uint64_t at = from; transcript_span_at(kernel_of(r)->store, vat_of(r), at, &t);
         at = t.start - 1) {
        bool found = can_start_at(r, t.start);
        arena_reset(&r->arena);
        if (found) {
            *out = t.start;
            return 0;
        }
        if (t.start == 0) break;
    }
    return err_set(r->e, EXIT_NOT_FOUND,
                   "%s cannot be replayed from position %llu: neither a snapshot nor the transcript "
                   "before it is in the store any more",
                   vat_id_text(r->request->vat).s, (unsigned long long)from);
}

/* -- machines -------------------------------------------------------------------------------- */

static void stop(struct replay *r)
{
    if (r->machine != NULL) r->talk.port->stop(r->talk.port->self, r->machine);
    r->machine = NULL;
}

/* The snapshot that was just taken, to the machine that goes on from it. */
static int heap_snapshot(void *self, const char *hash,
                         int (*sink)(void *ctx, struct span bytes, struct err *e), void *ctx,
                         struct err *e)
{
    struct replay *r = self;
    if (strcmp(hash, r->heap_hash) == 0) return sink(ctx, buf_span(&r->heap), e);
    if (!r->request->from_genesis) return snapshot_read(kernel_of(r)->store, hash, sink, ctx, e);
    return err_set(e, EXIT_INTEGRITY, "transcript of %s, position %llu: it goes on from snapshot %.12s…, "
                   "which nothing before has made", vat_id_text(r->talk.vat).s,
                   (unsigned long long)r->next, hash);
}

static int no_bundle(void *self, struct span id, struct buf *json_text, struct err *e)
{
    (void)self;
    (void)id;
    (void)json_text;
    return err_set(e, EXIT_FAILED, "a machine started from a snapshot needs no bundles");
}

/* Whose options a machine is started with: those of an ancestor that is gone are gone, too. */
static vat_id options_of(struct replay *r)
{
    return kernel_vat_exists(kernel_of(r), r->talk.vat) ? r->talk.vat : r->request->vat;
}

/* Who has the bundle that an ancestor was created from, if it was not installed: a child has
 * its parent's, until it is upgraded. */
static vat_id own_bundle_of(struct replay *r)
{
    vat_id vat = options_of(r);
    return vat_bundle_id(kernel_of(r), vat).p == NULL ? vat : r->request->vat;
}

/* ["load-snapshot",{"snapshotID":…}] */
static int load_snapshot(struct replay *r, struct jval d)
{
    struct vat_source source = { r, no_bundle, heap_snapshot };
    struct span id = json_str(json_get(json_at(d, 1), "snapshotID"), &r->arena);
    if (id.n != SHA256_HEX) return damaged(r, r->next, "a malformed load-snapshot");
    struct talk_start from = { .snapshot = arena_copy(&r->arena, id).p, .source = &source };
    from.as = options_of(r);
    stop(r);
    memcpy(r->report->heap, from.snapshot, SHA256_HEX + 1);
    return talk_start(&r->talk, &from, &r->machine, r->e);
}

/* ["initialize-worker",{"source":{"bundleID":…},"workerOptions":{"bundleIDs":[…]}}] */
static int initialize_worker(struct replay *r, struct jval d)
{
    struct kernel *k = kernel_of(r);
    struct jval what = json_at(d, 1), boot = json_get(json_get(what, "workerOptions"), "bundleIDs");
    struct talk_start from = {
        .bundle_id = json_str(json_get(json_get(what, "source"), "bundleID"), &r->arena),
        .boot = { .count = json_len(boot) },
        .as = options_of(r),
    };
    from.boot.items = ARENA_ARRAY(&r->arena, struct span, from.boot.count + 1);
    for (size_t i = 0; i < from.boot.count; i++) {
        from.boot.items[i] = json_str(json_at(boot, i), &r->arena);
        if (from.boot.items[i].p == NULL) return damaged(r, r->next, "a malformed initialize-worker");
    }
    if (from.bundle_id.p == NULL) from.as = own_bundle_of(r);
    if (from.bundle_id.p == NULL && vat_bundle_id(k, from.as).p != NULL) {
        return err_set(r->e, EXIT_NOT_FOUND, "%s was created from a bundle that was never installed, and "
                       "is gone since its upgrade", vat_id_text(r->talk.vat).s);
    }
    r->heap_hash[0] = r->report->heap[0] = '\0';
    stop(r);
    return talk_start(&r->talk, &from, &r->machine, r->e);
}

/* -- snapshots -------------------------------------------------------------------------------- */

struct capture {
    struct buf *heap;
    struct sha256 *hash;
};

static int capture_bytes(void *ctx, struct span bytes, struct err *e)
{
    struct capture *c = ctx;
    (void)e;
    sha256_update(c->hash, bytes);
    buf_put(c->heap, bytes);
    return 0;
}

/* {"d":["save-snapshot"],"sc":[],"r":{"status":"ok","snapshotID":…}} */
static int save_snapshot(struct replay *r, struct jval item)
{
    struct talk *s = &r->talk;
    struct jval recorded = json_get(json_get(item, "r"), "snapshotID");
    struct capture c = { &r->heap, sha256_new() };
    sha256_begin(c.hash);
    buf_reset(&r->heap);
    int failed = s->port->snapshot(s->port->self, r->machine, capture_bytes, &c, r->e);
    sha256_peek_hex(c.hash, r->heap_hash);
    sha256_free(c.hash);
    if (failed != 0) return -1;
    memcpy(r->report->heap, r->heap_hash, sizeof r->heap_hash);
    if (json_is(recorded, r->heap_hash)) {
        r->report->snapshots++;
        return 0;
    }
    s->position = r->next;
    return talk_diverged(s, "snapshot", json_str(recorded, &r->arena), span_of(r->heap_hash), r->e);
}

/* -- items ------------------------------------------------------------------------------------- */

static int replay_item(struct replay *r, struct span text)
{
    struct jval item;
    if (json_parse(&r->arena, text, &item, r->e) != 0) return damaged(r, r->next, "not JSON");
    struct jval d = json_get(item, "d"), type = json_at(d, 0);
    if (json_is(type, "initialize-worker")) return initialize_worker(r, d);
    if (json_is(type, "load-snapshot")) return load_snapshot(r, d);
    if (r->machine == NULL) return damaged(r, r->next, "it comes before any start of a worker");
    if (json_is(type, "save-snapshot")) return save_snapshot(r, item);
    if (json_is(type, "shutdown-worker")) {
        stop(r);
        return 0;
    }
    if (talk_replay(&r->talk, r->machine, r->next, text, r->e) != 0) return -1;
    r->report->deliveries++;
    r->report->syscalls += r->talk.made;
    return 0;
}

static bool visit(void *ctx, uint64_t position, struct span item)
{
    struct replay *r = ctx;
    if (position != r->next) return false;
    if (r->request->at != NULL) r->request->at(r->request->self, position);
    r->failed = replay_item(r, arena_copy(&r->arena, item)) != 0;
    arena_reset(&r->arena);
    if (r->failed) return false;
    r->report->end = ++r->next;
    return true;
}

static int run(struct replay *r, struct replay_leg leg)
{
    r->talk.vat = leg.vat;
    r->next = r->report->start = r->report->end = leg.start;
    transcript_read(kernel_of(r)->store, vat_of(r), leg.start, leg.end, visit, r);
    if (r->failed) return -1;
    return r->next == leg.end ? 0 : damaged(r, r->next, "there is no such item");
}

static int choose(struct replay *r, struct replay_leg *leg)
{
    const struct replay_request *q = r->request;
    struct transcript_bounds t;
    bool found = transcript_bounds(kernel_of(r)->store, vat_of(r), &t);
    if (!found || t.end == 0) {
        return err_set(r->e, EXIT_NOT_FOUND, "%s has no transcript", vat_id_text(q->vat).s);
    }
    uint64_t from = q->from_genesis ? 0 : q->from == REPLAY_LATEST ? t.start : q->from;
    *leg = (struct replay_leg){ q->vat, t.incarnation, from, q->to < t.end ? q->to : t.end };
    if (from >= leg->end) {
        return err_set(r->e, EXIT_USAGE, "there is nothing from %llu to %llu: the transcript of %s has "
                       "positions 0 to %llu", (unsigned long long)from, (unsigned long long)leg->end,
                       vat_id_text(q->vat).s, (unsigned long long)t.end - 1);
    }
    return q->from_genesis ? 0 : find_start(r, from, &leg->start);
}

/* After all of a vat's life: is the heap that came of it the one the store has? */
static int check_heap(struct replay *r)
{
    struct snapshot_info in_use;
    bool has = snapshot_info(kernel_of(r)->store, vat_of(r), &in_use);
    r->report->heap_in_use = has && strcmp(in_use.hash, r->report->heap) == 0;
    if (!has || r->report->heap_in_use) return 0;
    r->talk.position = r->report->end;
    return talk_diverged(&r->talk, "snapshot", span_of(in_use.hash), span_of(r->report->heap), r->e);
}

static int run_all(struct replay *r)
{
    struct replay_report *out = r->report;
    struct replay_leg last;
    if (choose(r, &last) != 0) return -1;
    if (!r->request->from_genesis) return run(r, last);
    if (replay_path(kernel_of(r), last.vat, &out->legs, &out->leg_count, r->e) != 0) return -1;
    bool to_the_end = out->legs[out->leg_count - 1].end == last.end;
    out->legs[out->leg_count - 1] = last;
    for (size_t i = 0; i < out->leg_count; i++) {
        if (run(r, out->legs[i]) != 0) return -1;
    }
    return to_the_end ? check_heap(r) : 0;
}

/* The heap as it is now, which need not be that of any snapshot in the store. */
static int put_heap(struct replay *r, struct buf *heap)
{
    struct talk *s = &r->talk;
    if (heap == NULL) return 0;
    if (r->machine == NULL) return damaged(r, r->next, "no worker is running there");
    struct capture c = { heap, sha256_new() };
    sha256_begin(c.hash);
    int failed = s->port->snapshot(s->port->self, r->machine, capture_bytes, &c, r->e);
    sha256_peek_hex(c.hash, r->report->now);
    sha256_free(c.hash);
    return failed;
}

int kernel_replay(struct kernel *k, const struct vat_port *port, const struct replay_request *q,
                  struct replay_report *out, struct err *e)
{
    struct replay r = { .request = q, .report = out, .e = e };
    *out = (struct replay_report){ 0 };
    arena_init(&r.arena);
    r.talk = (struct talk){ .k = k, .port = port, .vat = q->vat, .arena = &r.arena,
                                  .replaying = true, .strict = q->verify,
                                  .divergence = &out->divergence };
    int failed = run_all(&r) != 0 || put_heap(&r, q->heap) != 0 ? -1 : 0;
    out->diverged = out->divergence.what != NULL;
    stop(&r);
    buf_fini(&r.heap);
    arena_fini(&r.arena);
    return failed;
}
