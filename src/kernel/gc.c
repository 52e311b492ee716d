#include "kernel/gc.h"

#include <stdlib.h>

#include "kernel/clist.h"
#include "kernel/object.h"
#include "kernel/promise.h"
#include "kernel/vats.h"

static const char *const action_names[GC_TYPES] = { "dropExport", "retireExport", "retireImport" };
static const char *const delivery_names[GC_TYPES] = { "dropExports", "retireExports",
                                                      "retireImports" };
static const struct span actions_key = { "gcActions", 9 };

const char *gc_delivery_name(enum gc_type type)
{
    return delivery_names[type];
}

void gc_put_krefs(struct buf *b, const kref *krefs, size_t count)
{
    buf_putc(b, '[');
    for (size_t i = 0; i < count; i++) {
        buf_printf(b, "%s\"%s\"", i > 0 ? "," : "", kref_text(krefs[i]).s);
    }
    buf_putc(b, ']');
}

struct span gc_action_text(struct kernel *k, vat_id vat, enum gc_type type, kref o)
{
    return arena_printf(kernel_arena(k), "%s %s %s", vat_id_text(vat).s, action_names[type],
                        kref_text(o).s);
}

struct action {
    vat_id vat;
    enum gc_type type;
    kref o;
};

static struct action action_parse(struct span text)
{
    struct action a = { .type = GC_TYPES };
    const char *first = memchr(text.p, ' ', text.n);
    INVARIANT(first != NULL);
    struct span vat = { text.p, (size_t)(first - text.p) };
    struct span rest = span_from(text, vat.n + 1);
    const char *second = memchr(rest.p, ' ', rest.n);
    INVARIANT(second != NULL);
    struct span type = { rest.p, (size_t)(second - rest.p) };
    for (unsigned i = 0; i < GC_TYPES; i++) {
        if (span_is(type, action_names[i])) a.type = (enum gc_type)i;
    }
    bool ok = a.type != GC_TYPES && vat_id_parse(vat, &a.vat) &&
              kref_parse(span_from(rest, type.n + 1), &a.o);
    INVARIANT(ok);
    return a;
}

void gc_add_actions(struct kernel *k, const struct strings *more)
{
    struct strings all = state_strings(k, actions_key);
    struct strings merged = { .count = all.count };
    merged.items = ARENA_ARRAY(kernel_arena(k), struct span, all.count + more->count + 1);
    if (all.count > 0) memcpy(merged.items, all.items, all.count * sizeof(struct span));
    for (size_t i = 0; i < more->count; i++) merged.items[merged.count++] = more->items[i];
    strings_sort(&merged);
    size_t kept = 0;
    for (size_t i = 0; i < merged.count; i++) {
        if (kept > 0 && span_eq(merged.items[kept - 1], merged.items[i])) continue;
        merged.items[kept++] = merged.items[i];
    }
    merged.count = kept;
    state_set_strings(k, actions_key, &merged);
}

/* -- at the end of a crank --------------------------------------------------------------------- */

static void settle_promise(struct kernel *k, kref p)
{
    enum promise_state state = promise_state(k, p);
    if (state == PROMISE_UNKNOWN || state_need_u64(k, key_kref(k, p, "refCount")) > 0) return;
    if (state != PROMISE_UNRESOLVED) {
        struct capdata d;
        promise_data(k, p, &d);
        refs_dec(k, &d);
    }
    promise_delete(k, p);
}

static void settle_orphan(struct kernel *k, kref o, struct refs n)
{
    if (n.recognizable > 0) {
        object_retire(k, &o, 1);
    } else {
        object_delete(k, o);
    }
}

static void settle_object(struct kernel *k, kref o, struct string_list *actions)
{
    struct refs n = object_refs(k, o);
    if (n.reachable > 0) return;
    vat_id owner;
    if (!object_recorded_owner(k, o, &owner)) {
        settle_orphan(k, o, n);
    } else if (vat_is_terminated(k, owner)) {
        /* Slow deletion would orphan it later: do that now. */
        kv_delete(k->store, key_kref(k, o, "owner"));
        clist_forget(k, owner, o);
        settle_orphan(k, o, n);
    } else if (!vat_is_sealed(k, owner)) {
        if (clist_is_reachable(k, owner, o)) {
            string_list_add(k, actions, gc_action_text(k, owner, GC_DROP_EXPORT, o));
        }
        if (n.recognizable == 0) {
            string_list_add(k, actions, gc_action_text(k, owner, GC_RETIRE_EXPORT, o));
        }
    }
}

static void settle(struct kernel *k, kref r, struct string_list *actions)
{
    if (r.kind == KREF_PROMISE) settle_promise(k, r);
    if (r.kind == KREF_OBJECT) settle_object(k, r, actions);
}

/* Upstream looks at each kref once: one whose last reference goes with a promise that is
 * looked at after it stays for ever.  So in a store that must equal upstream's. */
static void settle_once(struct kernel *k, struct string_list *actions)
{
    for (size_t i = 0; i < k->maybe_free.count; i++) settle(k, k->maybe_free.items[i], actions);
    kref_set_clear(&k->maybe_free);
}

static void settle_all(struct kernel *k, struct string_list *actions)
{
    while (k->maybe_free.count > 0) {
        size_t count = k->maybe_free.count;
        kref *now = ARENA_ARRAY(kernel_arena(k), kref, count);
        memcpy(now, k->maybe_free.items, count * sizeof *now);
        kref_set_clear(&k->maybe_free);
        for (size_t i = 0; i < count; i++) settle(k, now[i], actions);
    }
}

void gc_process_refcounts(struct kernel *k)
{
    struct string_list actions = { 0 };
    if (k->zygotes) {
        settle_all(k, &actions);
    } else {
        settle_once(k, &actions);
    }
    gc_add_actions(k, &actions.of);
}

/* -- before a delivery --------------------------------------------------------------------------- */

static bool still_wanted(struct kernel *k, const struct action *a)
{
    if (vat_is_sealed(k, a->vat)) return false; /* a zygote is never woken */
    bool row = clist_has(k, a->vat, a->o);
    bool exists = object_exists(k, a->o);
    struct refs n = object_refs(k, a->o);
    switch (a->type) {
    case GC_DROP_EXPORT:
        return exists && n.reachable == 0 && row && clist_is_reachable(k, a->vat, a->o);
    case GC_RETIRE_EXPORT:
        return exists && n.reachable == 0 && n.recognizable == 0 && row;
    case GC_RETIRE_IMPORT: return row;
    case GC_TYPES:
    default: BUG("no such GC action");
    }
}

static int compare_krefs(const void *a, const void *b)
{
    return kref_cmp(*(const kref *)a, *(const kref *)b);
}

/* Actions are sorted by text, so those of one vat stand together, its types in
 * alphabetical order, which is their priority: dropExport, retireExport, retireImport. */
enum gc_next gc_next_group(struct kernel *k, struct gc_group *out)
{
    struct strings all = state_strings(k, actions_key);
    size_t at = 0;
    while (at < all.count) {
        struct action first = action_parse(all.items[at]);
        struct gc_group g = { first.vat, first.type, 0, NULL };
        g.krefs = ARENA_ARRAY(kernel_arena(k), kref, all.count - at);
        for (; at < all.count; at++) {
            struct action a = action_parse(all.items[at]);
            if (!vat_id_eq(a.vat, g.vat) || a.type != g.type) break;
            if (still_wanted(k, &a)) g.krefs[g.count++] = a.o;
        }
        if (g.count > 0) {
            qsort(g.krefs, g.count, sizeof(kref), compare_krefs);
            struct strings rest = { all.count - at, all.items + at };
            state_set_strings(k, actions_key, &rest);
            *out = g;
            return GC_DELIVER;
        }
    }
    if (all.count == 0) return GC_NOTHING;
    state_set_strings(k, actions_key, &(struct strings){ 0, NULL });
    return GC_NEGATED;
}
