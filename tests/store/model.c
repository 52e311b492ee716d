/* model.c -- see model.h. */
#include "store/model.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "store/bundle.h"
#include "store/internal.h"
#include "store/kv.h"
#include "store/memvfs.h"
#include "store/snapshot.h"
#include "store/transcript.h"

/* In byte order.  One is not hashed; one is a prefix of the next. */
const char *const KEYS[MODEL_KEYS] = {
    "a", "aa", "ab", "b", "local.x", "v1.vs.k", "v1.vs.l", "v2", "v3.vs.k", "v3.vs.l", "z"
};
static const char *const VATS[MODEL_VATS] = { "v1", "v10", "v2" };
static const char *const BODIES[MODEL_BODIES] = { "", "one body", "another" };
static const char *const NAMES[OP_COUNT] = {
    "crank", "mark",   "back", "emit",   "end",   "commit", "reopen", "crash",
    "set",   "change", "delete", "get",  "next",  "copy",   "init",   "add",
    "roll",  "upgrade", "stop", "wipe",  "snap",  "unsnap", "sweep",  "share",  "clone",
};
static const unsigned ARGS[OP_COUNT] = {
    [OP_MARK] = 1,  [OP_BACK] = 1,    [OP_CRASH] = 1, [OP_SET] = 2,  [OP_DELETE] = 1,
    [OP_CHANGE] = 2,
    [OP_GET] = 1,   [OP_NEXT] = 1,    [OP_INIT] = 1,  [OP_ADD] = 2,  [OP_ROLL] = 1,
    [OP_STOP] = 1,  [OP_UPGRADE] = 1, [OP_WIPE] = 1,  [OP_SNAP] = 3, [OP_UNSNAP] = 1,
    [OP_SWEEP] = 1, [OP_CLONE] = 2,
};
/* Arguments are taken modulo these, so that any number means something. */
static const unsigned BOUNDS[OP_COUNT][3] = {
    [OP_MARK] = { 2 },
    [OP_BACK] = { 2 },
    [OP_CRASH] = { 1U << 30 },
    [OP_SET] = { MODEL_KEYS, 1000 },
    [OP_CHANGE] = { MODEL_KEYS, 1000 },
    [OP_DELETE] = { MODEL_KEYS },
    [OP_GET] = { MODEL_KEYS },
    [OP_NEXT] = { MODEL_KEYS + 1 }, /* the last one: from the start */
    [OP_INIT] = { MODEL_VATS },
    [OP_ADD] = { MODEL_VATS, 1000 },
    [OP_ROLL] = { MODEL_VATS },
    [OP_UPGRADE] = { MODEL_VATS },
    [OP_STOP] = { MODEL_VATS },
    [OP_WIPE] = { MODEL_VATS },
    [OP_SNAP] = { MODEL_VATS, 4, MODEL_BODIES },
    [OP_UNSNAP] = { MODEL_VATS },
    [OP_SWEEP] = { MODEL_VATS },
    [OP_CLONE] = { MODEL_VATS, MODEL_VATS },
};

#define FAIL(r, ...) run_fail((r), __VA_ARGS__)

__attribute__((format(printf, 2, 3))) static bool run_fail(struct run *r, const char *fmt,
                                                           ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->why, sizeof r->why, fmt, ap);
    va_end(ap);
    return false;
}

/* -- the model ------------------------------------------------------------------ */

static void clear_state(struct model_state *st)
{
    memset(st, 0, sizeof *st);
    for (int i = 0; i < MODEL_KEYS; i++)
        st->kv[i] = -1;
}

static struct model_span *current(struct model_vat *v)
{
    for (unsigned i = 0; i < v->spans_n; i++) {
        if (v->spans[i].current) return &v->spans[i];
    }
    return NULL;
}

static struct model_snap *in_use(struct model_vat *v)
{
    for (unsigned i = 0; i < v->snaps_n; i++) {
        if (v->snaps[i].in_use) return &v->snaps[i];
    }
    return NULL;
}

static void new_span(struct model_vat *v, unsigned start, unsigned incarnation)
{
    struct model_span *sp = &v->spans[v->spans_n++];
    *sp = (struct model_span){ start, start, incarnation, true, "" };
    sha256_hex(SPAN("start of transcript span"), sp->hash);
}

static void item_text(unsigned item, char out[32])
{
    snprintf(out, 32, "{\"d\":[%u]}", item);
}

static void model_add(struct model_vat *v, unsigned item)
{
    struct model_span *sp = current(v);
    char text[32], both[2 * SHA256_HEX + 1];
    item_text(item, text);
    v->items[v->items_n].position = sp->end++;
    v->items[v->items_n].incarnation = sp->incarnation;
    v->items[v->items_n++].item = item;
    strcpy(both, sp->hash);
    sha256_hex(span_of(text), both + SHA256_HEX);
    sha256_hex(span_of(both), sp->hash);
}

static void model_roll(struct model_vat *v, unsigned step)
{
    struct model_span *sp = current(v);
    sp->current = false;
    new_span(v, sp->end, sp->incarnation + step);
}

/* Drop the newest span and its items. */
static void model_wipe(struct model_vat *v)
{
    if (v->spans_n == 0) return;
    struct model_span gone = v->spans[--v->spans_n];
    while (v->items_n > 0 && v->items[v->items_n - 1].position >= gone.start)
        v->items_n--;
}

static void model_unsnap(struct model_vat *v)
{
    struct model_snap *sn = in_use(v);
    if (sn != NULL) sn->in_use = sn->present = false;
}

static void put_snap(struct model_vat *v, unsigned position, unsigned body)
{
    unsigned i = 0;
    while (i < v->snaps_n && v->snaps[i].position < position)
        i++;
    if (i == v->snaps_n || v->snaps[i].position != position) {
        memmove(&v->snaps[i + 1], &v->snaps[i], (v->snaps_n - i) * sizeof v->snaps[0]);
        v->snaps_n++;
    }
    v->snaps[i] = (struct model_snap){ position, body, true, true };
}

/* -- legality ------------------------------------------------------------------- */

static int find_mark(const struct run *r, enum savepoint name)
{
    for (int i = 0; i < r->marks_n; i++) {
        if (r->mark_names[i] == name) return i;
    }
    return -1;
}

static bool vat_legal(const struct run *r, struct op op)
{
    if (op.kind < OP_INIT || op.kind == OP_SHARE) return true; /* op.a is no vat */
    struct model_vat *v = (struct model_vat *)&r->now.vats[op.a];
    switch (op.kind) {
    case OP_INIT: return v->spans_n == 0;
    case OP_ADD: return current(v) != NULL && v->items_n < MODEL_ITEMS;
    case OP_ROLL:
    case OP_UPGRADE:
        /* Two spans cannot start at one position. */
        return current(v) != NULL && v->spans_n < MODEL_ROWS &&
               current(v)->end > current(v)->start;
    case OP_CLONE: {
        struct model_vat *to = (struct model_vat *)&r->now.vats[op.b];
        bool taken = in_use(to) != NULL || (to->snaps_n > 0 && to->snaps[0].position == 0);
        return r->now.shared && in_use(v) != NULL && !taken;
    }
    default: return true;
    }
}

bool op_legal(const struct run *r, struct op op)
{
    switch (op.kind) {
    case OP_CRANK: return !r->in_crank;
    case OP_MARK: return r->in_crank && find_mark(r, op.a) < 0;
    case OP_BACK: return r->in_crank && find_mark(r, op.a) >= 0;
    case OP_END: return r->in_crank;
    case OP_COMMIT:
    case OP_REOPEN: return !r->in_crank;
    case OP_CHANGE: return strncmp(KEYS[op.a], "local.", 6) != 0;
    case OP_COPY:
        for (unsigned i = 0; i < MODEL_COPIED; i++) {
            if (r->now.kv[MODEL_COPY_TO + i] >= 0) return false;
        }
        return true;
    case OP_SNAP: return r->now.vats[op.a].snaps_n < MODEL_ROWS;
    default: return vat_legal(r, op);
    }
}

/* -- doing it ------------------------------------------------------------------- */

static void open_store(struct run *r, enum store_mode mode)
{
    struct err e;
    if (store_open(r->dir, mode, &r->store, &e) != 0) {
        fprintf(stderr, "open: %s\n", e.text);
        abort();
    }
}

void run_start(struct run *r, const char *dir)
{
    memset(r, 0, sizeof *r);
    r->dir = dir;
    clear_state(&r->now);
    r->committed = r->now;
    open_store(r, STORE_CREATE);
}

void run_forget_queries(struct run *r)
{
    for (int i = 0; i < 2; i++) {
        sqlite3_finalize(r->queries[i]);
        r->queries[i] = NULL;
    }
}

static void close_store(struct run *r)
{
    run_forget_queries(r);
    store_close(r->store);
}

void run_fini(struct run *r)
{
    close_store(r);
    buf_fini(&r->hashed);
}

static void restart(struct run *r)
{
    r->now = r->committed;
    r->marks_n = 0;
    r->in_crank = false;
    r->promises_n = 0;
    buf_reset(&r->hashed);
    open_store(r, STORE_OPEN);
}

void run_reset(struct run *r)
{
    struct store *s = r->store;
    struct err e;
    bool done;
    uint64_t gone;
    if (r->in_crank) run_op(r, (struct op){ .kind = OP_END });
    for (int i = 0; i < MODEL_KEYS; i++)
        kv_delete(s, span_of(KEYS[i]));
    kv_delete(s, SPAN("activityhash"));
    for (int i = 0; i < MODEL_VATS; i++) {
        transcript_delete(s, span_of(VATS[i]), UINT64_MAX, &gone, &done);
        snapshot_delete(s, span_of(VATS[i]), UINT64_MAX, &gone, &done);
    }
    if (store_commit(s, &e) != 0) abort();
    bool shared = r->now.shared;
    clear_state(&r->now);
    r->now.shared = shared;
    r->committed = r->now;
    /* A crank empties the hash, as after opening. */
    store_start_crank(s);
    store_end_crank(s);
    buf_reset(&r->hashed);
}

static void hash_write(struct run *r, const char *verb, unsigned key, const char *value)
{
    if (strncmp(KEYS[key], "local.", 6) == 0) return;
    buf_printf(&r->hashed, "%s\n%s\n", verb, KEYS[key]);
    if (value != NULL) buf_printf(&r->hashed, "%s\n", value);
}

static bool do_set(struct run *r, struct op op)
{
    char value[16];
    snprintf(value, sizeof value, "%u", op.b);
    hash_write(r, "add", op.a, value);
    kv_set(r->store, span_of(KEYS[op.a]), span_of(value));
    r->now.kv[op.a] = (int)op.b;
    return true;
}

static bool do_change(struct run *r, struct op op)
{
    char value[16], change[16];
    snprintf(value, sizeof value, "%u", op.b);
    snprintf(change, sizeof change, "to %u", op.b);
    hash_write(r, "change", op.a, change);
    kv_set_as(r->store, span_of(KEYS[op.a]), span_of(value), span_of(change));
    r->now.kv[op.a] = (int)op.b;
    return true;
}

static bool do_copy(struct run *r)
{
    kv_copy(r->store, SPAN("v1.vs."), SPAN("v3.vs."));
    for (unsigned i = 0; i < MODEL_COPIED; i++) {
        int number = r->now.kv[MODEL_COPY_FROM + i];
        char value[16];
        snprintf(value, sizeof value, "%d", number);
        if (number >= 0) hash_write(r, "add", MODEL_COPY_TO + i, value);
        r->now.kv[MODEL_COPY_TO + i] = number;
    }
    return true;
}

static bool do_delete(struct run *r, struct op op)
{
    hash_write(r, "delete", op.a, NULL);
    kv_delete(r->store, span_of(KEYS[op.a]));
    r->now.kv[op.a] = -1;
    return true;
}

static bool value_is(struct span value, int number)
{
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    return span_is(value, text);
}

static bool do_get(struct run *r, unsigned key)
{
    struct span value = SPAN_NONE;
    bool there = kv_get(r->store, span_of(KEYS[key]), &value);
    int want = r->now.kv[key];
    if (there != (want >= 0))
        return FAIL(r, "get %s: there %d, want %d", KEYS[key], there, want);
    if (there && !value_is(value, want))
        return FAIL(r, "get %s: %.*s, want %d", KEYS[key], SPAN_ARG(value), want);
    if (there && r->promises_n < PROMISES_MAX) {
        r->promises[r->promises_n].value = value;
        r->promises[r->promises_n++].number = want;
    }
    return true;
}

static bool do_next(struct run *r, unsigned from)
{
    struct span prev = from == MODEL_KEYS ? SPAN("") : span_of(KEYS[from]), got = SPAN("");
    bool there = kv_next_key(r->store, prev, &got);
    /* activityhash sorts between "ab" and "b". */
    const char *want = NULL;
    for (int i = MODEL_KEYS; i-- > 0;) {
        if (r->now.kv[i] >= 0 && span_cmp(span_of(KEYS[i]), prev) > 0) want = KEYS[i];
    }
    if (r->now.activityhash[0] != '\0' && span_cmp(SPAN("activityhash"), prev) > 0 &&
        (want == NULL || strcmp("activityhash", want) < 0))
        want = "activityhash";
    if (there != (want != NULL) || (there && !span_is(got, want)))
        return FAIL(r, "next %.*s: %.*s, want %s", SPAN_ARG(prev), SPAN_ARG(got),
                    want == NULL ? "nothing" : want);
    return true;
}

static bool keep_promises(struct run *r)
{
    for (unsigned i = 0; i < r->promises_n; i++) {
        if (!value_is(r->promises[i].value, r->promises[i].number))
            return FAIL(r, "a value read in this crank changed under its reader");
    }
    r->promises_n = 0;
    return true;
}

static bool do_emit(struct run *r)
{
    char crank[SHA256_HEX + 1], activity[SHA256_HEX + 1], want[SHA256_HEX + 1];
    store_emit_hashes(r->store, crank, activity);
    sha256_hex(buf_span(&r->hashed), want);
    buf_reset(&r->hashed);
    if (strcmp(crank, want) != 0) return FAIL(r, "crankhash %s, want %s", crank, want);
    buf_printf(&r->hashed, "activityhash\n%s\n%s\n", r->now.activityhash, want);
    sha256_hex(buf_span(&r->hashed), want);
    buf_reset(&r->hashed);
    if (strcmp(activity, want) != 0)
        return FAIL(r, "activityhash %s, want %s", activity, want);
    strcpy(r->now.activityhash, want);
    return true;
}

static bool do_crank_op(struct run *r, struct op op)
{
    struct store *s = r->store;
    struct err e;
    int at;
    switch (op.kind) {
    case OP_CRANK:
        r->promises_n = 0;
        store_start_crank(s);
        buf_reset(&r->hashed);
        r->in_crank = true;
        return true;
    case OP_MARK:
        store_savepoint(s, op.a);
        r->mark_names[r->marks_n] = op.a;
        r->marks[r->marks_n++] = r->now;
        return true;
    case OP_BACK:
        store_rollback(s, op.a);
        at = find_mark(r, op.a);
        r->now = r->marks[at];
        r->marks_n = at;
        return true;
    case OP_END:
        if (!keep_promises(r)) return false;
        store_end_crank(s);
        r->marks_n = 0;
        r->in_crank = false;
        return true;
    case OP_COMMIT:
        if (store_commit(s, &e) != 0) return FAIL(r, "commit: %s", e.text);
        r->committed = r->now;
        return run_check_rows(r);
    default: return false;
    }
}

static bool do_reopen(struct run *r)
{
    close_store(r);
    restart(r);
    return run_check_rows(r);
}

static bool do_crash(struct run *r, unsigned seed)
{
    memvfs_freeze();
    close_store(r);
    memvfs_power_cut(seed);
    restart(r);
    return run_check_rows(r);
}

static bool do_snap(struct run *r, struct op op)
{
    struct model_vat *v = &r->now.vats[op.a];
    struct snapshot_writer *w = snapshot_begin(r->store);
    struct snapshot_info info;
    snapshot_write(w, span_of(BODIES[op.c]));
    snapshot_finish(w, span_of(VATS[op.a]), op.b, &info);
    model_unsnap(v);
    put_snap(v, op.b, op.c);
    if (info.position != op.b || info.raw_bytes != strlen(BODIES[op.c]))
        return FAIL(r, "snapshot_finish: position %u", (unsigned)info.position);
    return true;
}

static bool do_transcript_op(struct run *r, struct op op)
{
    struct store *s = r->store;
    struct model_vat *v = &r->now.vats[op.a];
    struct span vat = span_of(VATS[op.a]);
    char text[32];
    switch (op.kind) {
    case OP_INIT:
        transcript_init(s, vat);
        new_span(v, 0, 0);
        return true;
    case OP_ADD:
        item_text(op.b, text);
        transcript_add(s, vat, span_of(text));
        model_add(v, op.b);
        return true;
    case OP_ROLL:
        transcript_rollover(s, vat);
        model_roll(v, 0);
        return true;
    case OP_UPGRADE: {
        uint64_t n = transcript_rollover_incarnation(s, vat);
        model_roll(v, 1);
        return n == current(v)->incarnation ? true : FAIL(r, "upgrade: incarnation");
    }
    case OP_STOP:
        transcript_stop(s, vat);
        if (current(v) != NULL) current(v)->current = false;
        return true;
    default: return false;
    }
}

static bool do_deletion(struct run *r, struct op op)
{
    struct store *s = r->store;
    struct model_vat *v = &r->now.vats[op.a];
    struct span vat = span_of(VATS[op.a]);
    bool done = false;
    uint64_t n;
    if (op.kind == OP_WIPE) {
        unsigned had = v->spans_n;
        transcript_delete(s, vat, 1, &n, &done);
        model_wipe(v);
        return n == had - v->spans_n && done == (v->spans_n == 0) ? true : FAIL(r, "wipe");
    }
    unsigned had = v->snaps_n;
    snapshot_delete(s, vat, 1, &n, &done);
    if (v->snaps_n > 0) v->snaps_n--;
    return n == had - v->snaps_n && done == (v->snaps_n == 0) ? true : FAIL(r, "sweep");
}

static bool do_snapshot_op(struct run *r, struct op op)
{
    struct store *s = r->store;
    struct model_vat *v = &r->now.vats[op.a]; /* SHARE: whichever */
    switch (op.kind) {
    case OP_SNAP: return do_snap(r, op);
    case OP_UNSNAP:
        snapshot_stop(s, span_of(VATS[op.a]));
        model_unsnap(v);
        return true;
    case OP_SHARE:
        snapshot_share(s);
        r->now.shared = true;
        return true;
    case OP_CLONE:
        snapshot_clone(s, span_of(VATS[op.a]), span_of(VATS[op.b]));
        put_snap(&r->now.vats[op.b], 0, in_use(v)->body);
        return true;
    default: return false;
    }
}

bool run_op(struct run *r, struct op op)
{
    if (op.kind >= OP_COUNT) return FAIL(r, "no such operation");
    op.a %= BOUNDS[op.kind][0] == 0 ? 1 : BOUNDS[op.kind][0];
    op.b %= BOUNDS[op.kind][1] == 0 ? 1 : BOUNDS[op.kind][1];
    op.c %= BOUNDS[op.kind][2] == 0 ? 1 : BOUNDS[op.kind][2];
    if (!op_legal(r, op)) return true;
    switch (op.kind) {
    case OP_CRANK:
    case OP_MARK:
    case OP_BACK:
    case OP_END:
    case OP_COMMIT: return do_crank_op(r, op);
    case OP_EMIT: return do_emit(r);
    case OP_REOPEN: return do_reopen(r);
    case OP_CRASH: return do_crash(r, op.a);
    case OP_SET: return do_set(r, op);
    case OP_CHANGE: return do_change(r, op);
    case OP_COPY: return do_copy(r);
    case OP_DELETE: return do_delete(r, op);
    case OP_GET: return do_get(r, op.a);
    case OP_NEXT: return do_next(r, op.a);
    case OP_INIT:
    case OP_ADD:
    case OP_ROLL:
    case OP_UPGRADE:
    case OP_STOP: return do_transcript_op(r, op);
    case OP_WIPE:
    case OP_SWEEP: return do_deletion(r, op);
    case OP_SNAP:
    case OP_UNSNAP:
    case OP_SHARE:
    case OP_CLONE: return do_snapshot_op(r, op);
    case OP_COUNT: break;
    }
    return false;
}

/* -- comparing what can be read ------------------------------------------------- */

struct reading {
    struct model_vat *vat;
    unsigned at;
    bool same;
};

static bool visit_item(void *ctx, uint64_t position, struct span item)
{
    struct reading *g = ctx;
    char text[32];
    if (g->at >= g->vat->items_n) return g->same = false;
    item_text(g->vat->items[g->at].item, text);
    g->same = position == g->vat->items[g->at].position && span_is(item, text);
    g->at++;
    return g->same;
}

static bool check_transcript(struct run *r, unsigned i)
{
    struct model_vat *v = &r->now.vats[i];
    struct model_span *sp = current(v);
    struct transcript_bounds b;
    bool there = transcript_bounds(r->store, span_of(VATS[i]), &b);
    if (there != (sp != NULL)) return FAIL(r, "%s: has a span: %d", VATS[i], there);
    if (there && (b.start != sp->start || b.end != sp->end ||
                  b.incarnation != sp->incarnation || strcmp(b.hash, sp->hash) != 0))
        return FAIL(r, "%s: span %u-%u %s, want %u-%u %s", VATS[i], (unsigned)b.start,
                    (unsigned)b.end, b.hash, sp->start, sp->end, sp->hash);
    struct reading g = { v, 0, true };
    transcript_read(r->store, span_of(VATS[i]), 0, UINT64_MAX, visit_item, &g);
    if (!g.same || g.at != v->items_n) return FAIL(r, "%s: item %u differs", VATS[i], g.at);
    return true;
}

static int collect(void *ctx, struct span bytes, struct err *e)
{
    (void)e;
    buf_put(ctx, bytes);
    return 0;
}

static bool check_snapshot(struct run *r, unsigned i)
{
    struct model_snap *sn = in_use(&r->now.vats[i]);
    struct snapshot_info info;
    struct err e = { 0 };
    bool there = snapshot_info(r->store, span_of(VATS[i]), &info);
    if (there != (sn != NULL)) return FAIL(r, "%s: has a snapshot: %d", VATS[i], there);
    if (!there) return true;
    struct buf raw = { 0 };
    int rc = snapshot_read(r->store, info.hash, collect, &raw, &e);
    bool same = rc == 0 && span_is(buf_span(&raw), BODIES[sn->body]) &&
                info.position == sn->position;
    buf_fini(&raw);
    return same ? true : FAIL(r, "%s: snapshot: %s", VATS[i], e.text);
}

bool run_check(struct run *r)
{
    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        if (!do_get(r, i) || !do_next(r, i)) return false;
    }
    if (!do_next(r, MODEL_KEYS)) return false;
    for (unsigned i = 0; i < MODEL_VATS; i++) {
        if (!check_transcript(r, i) || !check_snapshot(r, i)) return false;
    }
    return true;
}

/* -- comparing rows ------------------------------------------------------------- */

static void dump_vat(const struct model_vat *v, const char *name, struct buf *spans,
                     struct buf *items, struct buf *snaps)
{
    for (unsigned i = 0; i < v->spans_n; i++) {
        const struct model_span *sp = &v->spans[i];
        buf_printf(spans, "span %s %u %u %s %u %u\n", name, sp->start, sp->end, sp->hash,
                   sp->current, sp->incarnation);
    }
    for (unsigned i = 0; i < v->items_n; i++) {
        char text[32];
        item_text(v->items[i].item, text);
        buf_printf(items, "item %s %u %s %u\n", name, v->items[i].position, text,
                   v->items[i].incarnation);
    }
    for (unsigned i = 0; i < v->snaps_n; i++) {
        const struct model_snap *sn = &v->snaps[i];
        char hash[SHA256_HEX + 1];
        sha256_hex(span_of(BODIES[sn->body]), hash);
        buf_printf(snaps, "snap %s %u %u %s %zu %u\n", name, sn->position, sn->in_use, hash,
                   strlen(BODIES[sn->body]), sn->present);
    }
}

void model_dump(const struct model_state *st, struct buf *out)
{
    struct buf items = { 0 }, snaps = { 0 };
    bool told = st->activityhash[0] == '\0';
    for (int i = 0; i < MODEL_KEYS; i++) {
        if (!told && strcmp("activityhash", KEYS[i]) < 0) {
            buf_printf(out, "kv activityhash %s\n", st->activityhash);
            told = true;
        }
        if (st->kv[i] >= 0) buf_printf(out, "kv %s %d\n", KEYS[i], st->kv[i]);
    }
    for (int i = 0; i < MODEL_VATS; i++)
        dump_vat(&st->vats[i], VATS[i], out, &items, &snaps);
    buf_put(out, buf_span(&items));
    buf_put(out, buf_span(&snaps));
    buf_fini(&items);
    buf_fini(&snaps);
}

static const char ROWS[] =
    "SELECT 1 AS part, key AS k, 0 AS p, 'kv ' || key || ' ' || value FROM kvStore"
    " UNION ALL SELECT 2, vatID, startPos, 'span ' || vatID || ' ' || startPos || ' ' ||"
    " endPos || ' ' || hash || ' ' || ifnull(isCurrent, 0) || ' ' || incarnation"
    " FROM transcriptSpans"
    " UNION ALL SELECT 3, vatID, position, 'item ' || vatID || ' ' || position || ' ' ||"
    " item || ' ' || incarnation FROM transcriptItems"
    " UNION ALL SELECT 4, vatID, snapPos, 'snap ' || vatID || ' ' || snapPos || ' ' ||"
    " ifnull(inUse, 0) || ' ' || hash || ' ' || uncompressedSize || ' ' ||"
    " (compressedSnapshot IS NOT NULL) FROM snapshots ORDER BY part, k, p";

/* Blobs are there exactly while a present row has their hash. */
static const char STRAY[] =
    "SELECT count(*) FROM (SELECT hash FROM snapshotBlobs UNION SELECT hash FROM snapshotRows"
    " WHERE present) WHERE hash NOT IN (SELECT hash FROM snapshotRows WHERE present)"
    " OR hash NOT IN (SELECT hash FROM snapshotBlobs)";

static sqlite3_stmt *query(struct run *r, int which)
{
    sqlite3_stmt *st = r->queries[which];
    if (st == NULL && sqlite3_prepare_v2(r->store->db, which == 0 ? ROWS : STRAY, -1, &st,
                                         NULL) != SQLITE_OK)
        abort();
    return r->queries[which] = st;
}

static bool check_strays(struct run *r)
{
    sqlite3_stmt *st = query(r, 1);
    sqlite3_step(st);
    int n = sqlite3_column_int(st, 0);
    sqlite3_reset(st);
    return n == 0 ? true : FAIL(r, "%d snapshot blobs too many or too few", n);
}

bool run_check_rows(struct run *r)
{
    struct buf want = { 0 }, got = { 0 };
    sqlite3_stmt *st = query(r, 0);
    model_dump(&r->committed, &want);
    while (sqlite3_step(st) == SQLITE_ROW)
        buf_printf(&got, "%s\n", (const char *)sqlite3_column_text(st, 3));
    sqlite3_reset(st);
    bool same = span_eq(buf_span(&want), buf_span(&got));
    if (!same)
        FAIL(r, "rows in SQLite:\n%.*swant:\n%.*s", SPAN_ARG(buf_span(&got)),
             SPAN_ARG(buf_span(&want)));
    buf_fini(&want);
    buf_fini(&got);
    return same && (!r->committed.shared || check_strays(r));
}

/* -- scripts -------------------------------------------------------------------- */

void op_print(struct op op, FILE *f)
{
    const unsigned args[3] = { op.a, op.b, op.c };
    fprintf(f, "%s", NAMES[op.kind]);
    if (op.kind == OP_MARK || op.kind == OP_BACK)
        fprintf(f, " %s", op.a == SAVEPOINT_START ? "start" : "deliver");
    else
        for (unsigned i = 0; i < ARGS[op.kind]; i++)
            fprintf(f, " %u", args[i]);
    fprintf(f, "\n");
}

bool op_parse(const char *line, struct op *op, bool *some)
{
    char name[16] = "", arg[16] = "";
    unsigned n[3] = { 0 };
    *some = sscanf(line, " %15s", name) == 1 && name[0] != '#';
    if (!*some) return true;
    if (sscanf(line, " %*s %u %u %u", &n[0], &n[1], &n[2]) < 1 &&
        sscanf(line, " %*s %15s", arg) == 1)
        n[0] = strcmp(arg, "deliver") == 0;
    for (unsigned i = 0; i < OP_COUNT; i++) {
        if (strcmp(name, NAMES[i]) != 0) continue;
        *op = (struct op){ i, n[0], n[1], n[2] };
        return true;
    }
    return false;
}
