#include "kernel/replay_path.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "kernel/lineage.h"
#include "kernel/vats.h"
#include "store/transcript.h"

struct path {
    struct kernel *k;
    struct replay_leg *legs; /* the youngest first, until all are found */
    size_t count, room;
    struct err *e;
};

static unsigned long long ull(uint64_t n)
{
    return n;
}

/* The span of a position, as it is now. */
static bool span_at(struct path *p, vat_id vat, uint64_t position, struct transcript_bounds *out)
{
    struct span name = span_of_vat(p->k, vat);
    return (transcript_bounds(p->k->store, name, out) && out->start <= position) ||
           transcript_span_at(p->k->store, name, position, out);
}

/* -- one item ---------------------------------------------------------------------------------- */

static bool has_item(struct path *p, vat_id vat, uint64_t position)
{
    return transcript_item(p->k->store, span_of_vat(p->k, vat), position, NULL, NULL);
}

static bool begins_with_fork(struct path *p, const struct replay_leg *leg)
{
    struct arena *a = kernel_arena(p->k);
    struct span first;
    struct jval v;
    struct err ignored;
    return transcript_item(p->k->store, span_of_vat(p->k, leg->vat), leg->start, a, &first) &&
           json_parse(a, first, &v, &ignored) == 0 &&
           json_is(json_at(json_get(v, "d"), 0), "load-snapshot");
}

/* -- what is missing --------------------------------------------------------------------------- */

/* Items go a span at a time when they are pruned: name the first run of spans without any. */
static int check_items(struct path *p, const struct replay_leg *leg)
{
    struct transcript_bounds t;
    uint64_t from = 0, to = 0;
    for (uint64_t at = leg->end; at > leg->start; at = t.start) {
        if (!span_at(p, leg->vat, at - 1, &t)) break;
        if (has_item(p, leg->vat, t.start)) continue;
        if (t.end != from) to = t.end; /* not the same run as the one behind it */
        from = t.start;
    }
    if (to == 0) return 0;
    return err_set(p->e, EXIT_NOT_FOUND,
                   "positions %llu to %llu of the transcript of %s were pruned; a store keeps them "
                   "with keepTranscripts (for a host program: without prune_transcripts)",
                   ull(from), ull(to) - 1, vat_id_text(leg->vat).s);
}

/* -- legs --------------------------------------------------------------------------------------- */

static int add_leg(struct path *p, struct replay_leg leg)
{
    if (p->count == p->room) {
        p->room = p->room == 0 ? 4 : p->room * 2;
        p->legs = xrealloc(p->legs, p->room * sizeof *p->legs);
    }
    p->legs[p->count++] = leg;
    return check_items(p, &leg);
}

/* The parent's part: the whole incarnation that was forked, up to the fork. */
static int parent_leg(struct path *p, vat_id child, const struct fork_origin *from)
{
    struct replay_leg leg = { from->parent, from->incarnation, 0, from->position };
    struct transcript_bounds t, before;
    if (from->parent.n >= child.n || from->position == 0) {
        return err_set(p->e, EXIT_INTEGRITY, "%s cannot have been forked from %s at position %llu",
                       vat_id_text(child).s, vat_id_text(from->parent).s, ull(from->position));
    }
    if (!span_at(p, from->parent, from->position - 1, &t)) {
        return err_set(p->e, EXIT_NOT_FOUND, "%s, from which %s was forked, is gone, and its transcript "
                       "with it", vat_id_text(from->parent).s, vat_id_text(child).s);
    }
    if (t.end < from->position || t.incarnation != from->incarnation) {
        return err_set(p->e, EXIT_INTEGRITY, "%s was forked from %s, incarnation %llu, at position %llu, "
                       "which is not in its transcript", vat_id_text(child).s,
                       vat_id_text(from->parent).s, ull(from->incarnation), ull(from->position));
    }
    while (t.start > 0 && span_at(p, from->parent, t.start - 1, &before) &&
           before.incarnation == t.incarnation) {
        t = before;
    }
    leg.start = t.start;
    return add_leg(p, leg);
}

static int find_legs(struct path *p, vat_id vat)
{
    struct transcript_bounds t;
    struct fork_origin from;
    if (!transcript_bounds(p->k->store, span_of_vat(p->k, vat), &t) || t.end == 0) {
        return err_set(p->e, EXIT_NOT_FOUND, "%s has no transcript", vat_id_text(vat).s);
    }
    int failed = add_leg(p, (struct replay_leg){ vat, t.incarnation, 0, t.end });
    while (!failed && begins_with_fork(p, &p->legs[p->count - 1])) {
        vat = p->legs[p->count - 1].vat;
        if (state_has(p->k, key_vat(p->k, vat, "loadedFrom"))) {
            return err_set(p->e, EXIT_NOT_FOUND, "%s was loaded from a rom: what was before that is in "
                           "another store", vat_id_text(vat).s);
        }
        if (!lineage_origin(p->k, vat, &from) && !vat_is_alive(p->k, vat)) {
            return err_set(p->e, EXIT_NOT_FOUND, "%s is gone, and nothing says any more what it was made "
                           "from", vat_id_text(vat).s);
        }
        if (!fork_origin(p->k, vat, &from) && vat_is_alive(p->k, vat)) {
            return err_set(p->e, EXIT_INTEGRITY, "the transcript of %s begins with a heap snapshot, but "
                           "nothing says which vat it was forked from", vat_id_text(vat).s);
        }
        failed = parent_leg(p, vat, &from);
    }
    return failed;
}

int replay_path(struct kernel *k, vat_id vat, struct replay_leg **legs, size_t *count, struct err *e)
{
    struct path p = { .k = k, .e = e };
    int failed = find_legs(&p, vat);
    for (size_t i = 0; i < p.count / 2; i++) {
        struct replay_leg leg = p.legs[i];
        p.legs[i] = p.legs[p.count - 1 - i];
        p.legs[p.count - 1 - i] = leg;
    }
    *legs = p.legs;
    *count = p.count;
    return failed;
}
