#include "kernel/lineage.h"

#include "kernel/vats.h"

static struct span key_family(struct kernel *k, vat_id vat)
{
    return arena_printf(kernel_arena(k), "zygote.family.%s", vat_id_text(vat).s);
}

static struct jval family(struct kernel *k, vat_id vat)
{
    struct span key = key_family(k, vat);
    return k->zygotes && state_has(k, key) ? state_json(k, key) : (struct jval){ 0 };
}

static uint64_t children_in(struct jval record)
{
    uint64_t n = 0;
    return json_u64(json_get(record, "children"), &n) ? n : 0;
}

static void put_family(struct kernel *k, vat_id vat, uint64_t children, struct span origin)
{
    struct buf b = { 0 };
    buf_printf(&b, "{\"children\":%llu", (unsigned long long)children);
    if (origin.p != NULL) {
        buf_puts(&b, ",\"forkedFrom\":");
        buf_put(&b, origin);
    }
    buf_putc(&b, '}');
    kv_set(k->store, key_family(k, vat), buf_span(&b));
    buf_fini(&b);
}

void lineage_add_child(struct kernel *k, vat_id parent)
{
    struct span origin = key_vat(k, parent, "forkedFrom");
    put_family(k, parent, children_in(family(k, parent)) + 1,
               state_has(k, origin) ? state_need(k, origin) : SPAN_NONE);
}

uint64_t lineage_children(struct kernel *k, vat_id vat)
{
    return children_in(family(k, vat));
}

bool lineage_is_ancestor(struct kernel *k, vat_id vat)
{
    return lineage_children(k, vat) > 0;
}

size_t lineage_ancestors(struct kernel *k, vat_id **out)
{
    struct span prefix = SPAN("zygote.family."), key = prefix;
    size_t count = 0, n = 0;
    while (k->zygotes && state_next_key(k, prefix, &key)) count++;
    *out = ARENA_ARRAY(kernel_arena(k), vat_id, count + 1);
    key = prefix;
    while (n < count && state_next_key(k, prefix, &key)) {
        if (vat_id_parse(span_from(key, prefix.n), &(*out)[n])) n++;
    }
    return n;
}

bool lineage_origin(struct kernel *k, vat_id vat, struct fork_origin *out)
{
    return fork_origin(k, vat, out) ||
           fork_origin_decode(k, json_get(family(k, vat), "forkedFrom"), out);
}

/* One child fewer.  True if `vat` was gone but for that: then its own parent is to be told. */
static bool lose_child(struct kernel *k, vat_id vat)
{
    struct jval record = family(k, vat);
    uint64_t n = children_in(record);
    if (n > 1) put_family(k, vat, n - 1, json_raw(json_get(record, "forkedFrom")));
    if (n != 1) return false;
    kv_delete(k->store, key_family(k, vat));
    if (vat_is_alive(k, vat)) return false;
    vat_mark_terminated(k, vat); /* cleanup left its transcript, and goes on with that */
    /* If it still has the key, cleanup has yet to come by there. */
    return !state_has(k, key_vat(k, vat, "forkedFrom"));
}

void lineage_release(struct kernel *k, vat_id vat)
{
    struct fork_origin from, above;
    if (!k->zygotes || lineage_is_ancestor(k, vat) || !fork_origin(k, vat, &from)) return;
    for (;;) {
        bool more = lineage_origin(k, from.parent, &above);
        if (!lose_child(k, from.parent) || !more) return;
        from = above;
    }
}
