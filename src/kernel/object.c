#include "kernel/object.h"

#include "kernel/clist.h"
#include "kernel/gc.h"
#include "kernel/vats.h"

kref object_add(struct kernel *k, vat_id owner)
{
    kref o = { KREF_OBJECT, state_next(k, SPAN("ko.nextID")) };
    kv_set(k->store, key_kref(k, o, "owner"), span_of_vat(k, owner));
    object_set_refs(k, o, (struct refs){ 0, 0 });
    stats_inc(&k->stats, STAT_KERNEL_OBJECTS);
    return o;
}

bool object_exists(struct kernel *k, kref o)
{
    return state_has(k, key_kref(k, o, "refCount"));
}

bool object_recorded_owner(struct kernel *k, kref o, vat_id *owner)
{
    struct span value;
    if (!kv_get(k->store, key_kref(k, o, "owner"), &value) || value.n == 0) return false;
    bool ok = vat_id_parse(value, owner);
    INVARIANT(ok);
    return true;
}

bool object_owner(struct kernel *k, kref o, vat_id *owner)
{
    return object_recorded_owner(k, o, owner) && !vat_is_terminated(k, *owner);
}

struct refs object_refs(struct kernel *k, kref o)
{
    struct refs r = { 0, 0 };
    struct span value;
    if (!kv_get(k->store, key_kref(k, o, "refCount"), &value)) return r;
    struct strings parts = state_commas(k, value);
    bool ok = parts.count == 2 && span_u64(parts.items[0], &r.reachable) &&
              span_u64(parts.items[1], &r.recognizable);
    INVARIANT(ok && r.reachable <= r.recognizable);
    return r;
}

void object_set_refs(struct kernel *k, kref o, struct refs r)
{
    INVARIANT(r.reachable <= r.recognizable);
    kv_set(k->store, key_kref(k, o, "refCount"),
           arena_printf(kernel_arena(k), "%llu,%llu", (unsigned long long)r.reachable,
                        (unsigned long long)r.recognizable));
}

void object_delete(struct kernel *k, kref o)
{
    kv_delete(k->store, key_kref(k, o, "owner"));
    kv_delete(k->store, key_kref(k, o, "refCount"));
    stats_dec(&k->stats, STAT_KERNEL_OBJECTS, 1);
}

void object_retire(struct kernel *k, const kref *objects, size_t count)
{
    vat_id *vats;
    size_t vat_count = vats_all(k, &vats);
    struct string_list actions = { 0 };
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < vat_count; j++) {
            if (!clist_imports(k, vats[j], objects[i])) continue;
            string_list_add(k, &actions, gc_action_text(k, vats[j], GC_RETIRE_IMPORT, objects[i]));
        }
        object_delete(k, objects[i]);
    }
    gc_add_actions(k, &actions.of);
}

void object_orphan(struct kernel *k, kref o, vat_id owner)
{
    vat_id recorded;
    bool owned = object_recorded_owner(k, o, &recorded);
    INVARIANT(owned && vat_id_eq(recorded, owner));
    kv_delete(k->store, key_kref(k, o, "owner"));
    clist_forget(k, owner, o);
    kref_set_add(&k->maybe_free, o);
}

/* -- counting ---------------------------------------------------------------------------- */

static void promise_count(struct kernel *k, kref p, int step)
{
    struct span key = key_kref(k, p, "refCount");
    uint64_t n = state_need_u64(k, key);
    INVARIANT(step > 0 || n > 0);
    n = step > 0 ? n + 1 : n - 1;
    state_set_u64(k, key, n);
    if (step < 0 && n == 0) kref_set_add(&k->maybe_free, p);
}

void ref_inc(struct kernel *k, kref r, unsigned kind)
{
    if (r.kind == KREF_PROMISE) promise_count(k, r, 1);
    if (r.kind != KREF_OBJECT || (kind & REF_EXPORT) != 0) return;
    struct refs n = object_refs(k, r);
    if ((kind & REF_RECOGNIZABLE) == 0) n.reachable++;
    n.recognizable++;
    object_set_refs(k, r, n);
}

void ref_dec(struct kernel *k, kref r, unsigned kind)
{
    if (r.kind == KREF_PROMISE) promise_count(k, r, -1);
    if (r.kind != KREF_OBJECT || (kind & REF_EXPORT) != 0 || !object_exists(k, r)) return;
    struct refs n = object_refs(k, r);
    if ((kind & REF_RECOGNIZABLE) == 0) {
        INVARIANT(n.reachable > 0);
        n.reachable--;
    }
    INVARIANT(n.recognizable > 0);
    n.recognizable--;
    if (n.reachable == 0 || n.recognizable == 0) kref_set_add(&k->maybe_free, r);
    object_set_refs(k, r, n);
}

/* -- pins -------------------------------------------------------------------------------- */

static const struct span pins_key = { "pinnedObjects", 13 };

void refs_inc(struct kernel *k, const struct capdata *data)
{
    for (size_t i = 0; i < data->count; i++) ref_inc(k, data->slots[i], REF_NORMAL);
}

void refs_dec(struct kernel *k, const struct capdata *data)
{
    for (size_t i = 0; i < data->count; i++) ref_dec(k, data->slots[i], REF_NORMAL);
}

void object_pin(struct kernel *k, kref o)
{
    struct span text = SPAN("");
    kv_get(k->store, pins_key, &text);
    struct strings pins = state_commas(k, text);
    struct span name = span_of_kref(k, o);
    if (!strings_insert(k, &pins, name)) return;
    ref_inc(k, o, REF_NORMAL);
    kv_set(k->store, pins_key, strings_commas(k, &pins));
}

void object_unpin(struct kernel *k, kref o)
{
    struct span text = SPAN("");
    kv_get(k->store, pins_key, &text);
    struct strings pins = state_commas(k, text);
    struct span name = span_of_kref(k, o);
    if (!strings_have(&pins, name)) return;
    pins = strings_without(k, &pins, name);
    kv_set(k->store, pins_key, strings_commas(k, &pins));
    ref_dec(k, o, REF_NORMAL);
}
