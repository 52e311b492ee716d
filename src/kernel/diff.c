#include "kernel/diff.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "kernel/clist.h"
#include "kernel/lineage.h"
#include "kernel/promise.h"
#include "kernel/vats.h"
#include "store/transcript.h"

struct diff {
    struct kernel *k;
    vat_id a, b;
    diff_visit *visit;
    void *ctx;
};

static void tell(struct diff *d, enum diff_part part, struct span key, struct span a, struct span b)
{
    struct diff_entry entry = { part, key, a, b };
    d->visit(d->ctx, &entry);
}

/* -- kinship ----------------------------------------------------------------------------------- */

/* A vat's ancestors, itself first, each with the position up to which it is its past. */
struct way {
    struct step {
        vat_id vat;
        uint64_t end;
    } *steps;
    size_t count, room;
};

static void add_step(struct way *w, vat_id vat, uint64_t end)
{
    if (w->count == w->room) {
        w->room = w->room == 0 ? 8 : w->room * 2;
        w->steps = xrealloc(w->steps, w->room * sizeof *w->steps);
    }
    w->steps[w->count++] = (struct step){ vat, end };
}

static int way_of(struct kernel *k, vat_id vat, struct way *out, struct err *e)
{
    struct transcript_bounds t = { 0 };
    struct fork_origin from;
    if (!vat_is_alive(k, vat)) return err_set(e, EXIT_NOT_FOUND, "no vat %s", vat_id_text(vat).s);
    transcript_bounds(k->store, span_of_vat(k, vat), &t);
    add_step(out, vat, t.end);
    while (lineage_origin(k, vat, &from)) {
        if (from.parent.n >= vat.n) {
            return err_set(e, EXIT_INTEGRITY, "%s cannot have been forked from %s",
                           vat_id_text(vat).s, vat_id_text(from.parent).s);
        }
        vat = from.parent;
        add_step(out, vat, from.position);
    }
    return 0;
}

static uint64_t since(const struct way *w, size_t ancestor, uint64_t position)
{
    uint64_t n = w->steps[ancestor].end - position;
    for (size_t i = 0; i < ancestor; i++) n += w->steps[i].end;
    return n;
}

/* The youngest step of both.  A parent's ID is lower than its child's. */
static bool meet(const struct way *a, const struct way *b, struct diff_point *out)
{
    size_t i = 0, j = 0;
    while (i < a->count && j < b->count) {
        vat_id x = a->steps[i].vat, y = b->steps[j].vat;
        if (vat_id_eq(x, y)) {
            uint64_t m = a->steps[i].end, n = b->steps[j].end, at = m < n ? m : n;
            *out = (struct diff_point){ x, at, since(a, i, at), since(b, j, at), (unsigned)i, (unsigned)j };
            return true;
        }
        if (x.n > y.n) i++;
        else j++;
    }
    return false;
}

int kernel_kinship(struct kernel *k, vat_id a, vat_id b, struct diff_point *out, struct err *e)
{
    struct way ways[2] = { { 0 } };
    int failed = way_of(k, a, &ways[0], e) != 0 || way_of(k, b, &ways[1], e) != 0 ? -1 : 0;
    if (!failed && vat_id_eq(a, b)) {
        failed = err_set(e, EXIT_POLICY, "%s is one vat", vat_id_text(a).s);
    } else if (!failed && !meet(&ways[0], &ways[1], out)) {
        failed = err_set(e, EXIT_POLICY, "%s and %s are no relatives: neither was forked from the other, "
                         "nor both from a third", vat_id_text(a).s, vat_id_text(b).s);
    }
    free(ways[0].steps);
    free(ways[1].steps);
    return failed;
}

/* -- two lists of keys side by side -------------------------------------------------------------- */

/* The next key of a vat, in byte order, without the vat's own prefix. */
struct keys {
    struct span prefix, key, name; /* name.p == NULL: there is none */
};

static struct keys keys_begin(struct kernel *k, vat_id vat, const char *field)
{
    struct span prefix = key_vat(k, vat, field);
    return (struct keys){ prefix, prefix, SPAN_NONE };
}

static void keys_next(struct kernel *k, struct keys *w)
{
    w->name = state_next_key(k, w->prefix, &w->key) ? span_from(w->key, w->prefix.n) : SPAN_NONE;
}

static int order(struct span a, struct span b)
{
    if (a.p == NULL || b.p == NULL) return (a.p == NULL) - (b.p == NULL);
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n == 0 ? 0 : memcmp(a.p, b.p, n);
    return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

/* Not what has a part of its own, nor who it is. */
static bool is_option(struct span name)
{
    return !span_starts(name, SPAN("c.")) && !span_starts(name, SPAN("vs.")) &&
           !span_is(name, "forkedFrom") && !span_is(name, "loadedFrom");
}

static void options_next(struct diff *d, struct keys *w)
{
    do keys_next(d->k, w);
    while (w->name.p != NULL && !is_option(w->name));
}

static struct span value_of(struct diff *d, const struct keys *w, bool there)
{
    return there ? state_need(d->k, w->key) : SPAN_NONE;
}

/* -- options ----------------------------------------------------------------------------------------- */

static void compare_member(struct diff *d, struct span name, struct span a, struct span b)
{
    if (span_is(name, "name") || (a.p != NULL && b.p != NULL && span_eq(a, b))) return;
    tell(d, DIFF_OPTIONS, span_join(d->k, "options.", name, ""), a, b);
}

/* Members of vNN.options; those of `a` in its order, then those that only `b` has. */
static void compare_members(struct diff *d)
{
    struct arena *a = kernel_arena(d->k);
    struct jval of_a = state_json(d->k, key_vat(d->k, d->a, "options"));
    struct jval of_b = state_json(d->k, key_vat(d->k, d->b, "options"));
    for (size_t i = 0; i < json_len(of_a); i++) {
        struct span name = json_key_at(of_a, i, a);
        struct jval other = json_get(of_b, arena_copy(a, name).p);
        compare_member(d, name, json_raw(json_at(of_a, i)),
                       json_type(other) == JSON_NONE ? SPAN_NONE : json_raw(other));
    }
    for (size_t i = 0; i < json_len(of_b); i++) {
        struct span name = json_key_at(of_b, i, a);
        if (json_type(json_get(of_a, arena_copy(a, name).p)) != JSON_NONE) continue;
        compare_member(d, name, SPAN_NONE, json_raw(json_at(of_b, i)));
    }
}

static void compare_options(struct diff *d)
{
    struct keys a = keys_begin(d->k, d->a, ""), b = keys_begin(d->k, d->b, "");
    options_next(d, &a);
    options_next(d, &b);
    while (a.name.p != NULL || b.name.p != NULL) {
        int c = order(a.name, b.name);
        struct span name = c <= 0 ? a.name : b.name;
        struct span x = value_of(d, &a, c <= 0), y = value_of(d, &b, c >= 0);
        if (span_is(name, "options")) compare_members(d);
        else if (c != 0 || !span_eq(x, y)) tell(d, DIFF_OPTIONS, name, x, y);
        if (c <= 0) options_next(d, &a);
        if (c >= 0) options_next(d, &b);
    }
}

/* -- c-lists ------------------------------------------------------------------------------------------- */

static struct span row_text(struct diff *d, vat_id vat, kref r, bool *reachable)
{
    struct clist_row row;
    bool found = clist_row(d->k, vat, r, &row);
    *reachable = found && row.reachable;
    return arena_printf(kernel_arena(d->k), "%s %s", *reachable ? "R" : "_", kref_text(r).s);
}

static bool decides(struct diff *d, vat_id vat, kref r)
{
    vat_id decider;
    return r.kind == KREF_PROMISE && promise_state(d->k, r) == PROMISE_UNRESOLVED &&
           promise_decider(d->k, r, &decider) && vat_id_eq(decider, vat);
}

/* Each one's own: a fork gives the child names of its own for these. */
static bool are_their_own(struct diff *d, const struct clist_walk *a, const struct clist_walk *b)
{
    if (span_starts(a->vref, SPAN("o+"))) return true;
    return decides(d, d->a, a->r) && decides(d, d->b, b->r);
}

static void compare_rows(struct diff *d, const struct clist_walk *a, const struct clist_walk *b)
{
    bool reach_a = false, reach_b = false;
    struct span x = a == NULL ? SPAN_NONE : row_text(d, d->a, a->r, &reach_a);
    struct span y = b == NULL ? SPAN_NONE : row_text(d, d->b, b->r, &reach_b);
    bool same = a != NULL && b != NULL && reach_a == reach_b &&
                (kref_eq(a->r, b->r) || are_their_own(d, a, b));
    if (!same) tell(d, DIFF_CLIST, a != NULL ? a->vref : b->vref, x, y);
}

static void compare_clists(struct diff *d)
{
    struct clist_walk a = { 0 }, b = { 0 };
    bool more_a = clist_next(d->k, d->a, "", &a), more_b = clist_next(d->k, d->b, "", &b);
    while (more_a || more_b) {
        int c = order(more_a ? a.vref : SPAN_NONE, more_b ? b.vref : SPAN_NONE);
        compare_rows(d, c <= 0 ? &a : NULL, c >= 0 ? &b : NULL);
        if (c <= 0) more_a = clist_next(d->k, d->a, "", &a);
        if (c >= 0) more_b = clist_next(d->k, d->b, "", &b);
    }
}

/* -- vatstores ----------------------------------------------------------------------------------------- */

static void compare_vatstores(struct diff *d)
{
    struct keys a = keys_begin(d->k, d->a, "vs."), b = keys_begin(d->k, d->b, "vs.");
    keys_next(d->k, &a);
    keys_next(d->k, &b);
    while (a.name.p != NULL || b.name.p != NULL) {
        int c = order(a.name, b.name);
        struct span x = value_of(d, &a, c <= 0), y = value_of(d, &b, c >= 0);
        if (c != 0 || !span_eq(x, y)) tell(d, DIFF_VATSTORE, c <= 0 ? a.name : b.name, x, y);
        if (c <= 0) keys_next(d->k, &a);
        if (c >= 0) keys_next(d->k, &b);
    }
}

void kernel_diff(struct kernel *k, vat_id a, vat_id b, diff_visit *visit, void *ctx)
{
    struct diff d = { k, a, b, visit, ctx };
    compare_options(&d);
    compare_clists(&d);
    compare_vatstores(&d);
}
