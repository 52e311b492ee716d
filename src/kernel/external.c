#include "kernel/external.h"

#include "kernel/object.h"

static const struct span key = { "host.zygote.external", 20 };

struct strings external_all(struct kernel *k)
{
    struct span text = SPAN("");
    kv_get(k->store, key, &text);
    return state_commas(k, text);
}

void external_hold(struct kernel *k, kref r)
{
    struct strings all = external_all(k);
    ref_inc(k, r, REF_NORMAL);
    all = strings_with(k, &all, span_of_kref(k, r));
    kv_host_set(k->store, key, strings_commas(k, &all));
}

void external_release(struct kernel *k, kref r)
{
    struct strings all = external_all(k);
    struct span name = span_of_kref(k, r);
    for (size_t i = 0; i < all.count; i++) {
        if (!span_eq(all.items[i], name)) continue;
        all.items[i] = all.items[--all.count];
        kv_host_set(k->store, key, strings_commas(k, &all));
        break;
    }
    ref_dec(k, r, REF_NORMAL);
}
