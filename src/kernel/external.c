#include "kernel/external.h"

#include "kernel/object.h"

static const struct span key = { "host.zygote.external", 20 };

struct strings external_all(struct kernel *k)
{
    struct span text = SPAN("");
    kv_get(k->store, key, &text);
    return state_commas(k, text);
}

void external_hold(struct kernel *k, const kref *krefs, size_t count)
{
    struct string_list all = { .of = external_all(k) };
    all.room = all.of.count;
    for (size_t i = 0; i < count; i++) {
        ref_inc(k, krefs[i], REF_NORMAL);
        string_list_add(k, &all, span_of_kref(k, krefs[i]));
    }
    if (count > 0) kv_host_set(k->store, key, strings_commas(k, &all.of));
}

void external_adopt(struct kernel *k, const struct strings *krefs)
{
    struct string_list all = { .of = external_all(k) };
    all.room = all.of.count;
    for (size_t i = 0; i < krefs->count; i++) string_list_add(k, &all, krefs->items[i]);
    if (krefs->count > 0) kv_host_set(k->store, key, strings_commas(k, &all.of));
}

bool external_release(struct kernel *k, kref r)
{
    struct strings all = external_all(k);
    struct span name = span_of_kref(k, r);
    for (size_t i = 0; i < all.count; i++) {
        if (!span_eq(all.items[i], name)) continue;
        all.items[i] = all.items[--all.count];
        kv_host_set(k->store, key, strings_commas(k, &all));
        ref_dec(k, r, REF_NORMAL);
        return true;
    }
    return false;
}
