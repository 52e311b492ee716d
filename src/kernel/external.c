#include "kernel/external.h"

#include "kernel/object.h"

static const struct span prefix = { "host.zygote.external.", 21 };
static const struct span list_key = { "host.zygote.external", 20 };

static struct span key_of(struct kernel *k, kref r)
{
    return span_join(k, prefix.p, SPAN(""), kref_text(r).s);
}

static uint64_t held(struct kernel *k, struct span key)
{
    struct span text;
    uint64_t n = 0;
    bool ok = !kv_get(k->store, key, &text) || span_u64(text, &n);
    INVARIANT(ok);
    return n;
}

static void set_held(struct kernel *k, struct span key, uint64_t n)
{
    if (n == 0) kv_host_delete(k->store, key);
    else kv_host_set(k->store, key, arena_u64(kernel_arena(k), n));
}

void external_hold(struct kernel *k, const kref *krefs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct span key = key_of(k, krefs[i]);
        ref_inc(k, krefs[i], REF_NORMAL);
        set_held(k, key, held(k, key) + 1);
    }
}

/* What a release of before wrote: one key, a list. */
static struct strings listed(struct kernel *k)
{
    struct span text = SPAN("");
    kv_get(k->store, list_key, &text);
    return state_commas(k, text);
}

static bool unlist(struct kernel *k, kref r)
{
    struct strings all = listed(k);
    struct span name = span_of_kref(k, r);
    for (size_t i = 0; i < all.count; i++) {
        if (!span_eq(all.items[i], name)) continue;
        all.items[i] = all.items[--all.count];
        if (all.count > 0) kv_host_set(k->store, list_key, strings_commas(k, &all));
        else kv_host_delete(k->store, list_key);
        return true;
    }
    return false;
}

bool external_record(struct kernel *k, kref r, uint64_t times)
{
    struct strings all = listed(k);
    struct span key = key_of(k, r), name = span_of_kref(k, r);
    uint64_t now = held(k, key);
    for (size_t i = 0; i < all.count; i++) now += span_eq(all.items[i], name);
    if (now == times) return false;
    while (unlist(k, r)) continue;
    set_held(k, key, times);
    return true;
}

bool external_release(struct kernel *k, kref r)
{
    struct span key = key_of(k, r);
    uint64_t n = held(k, key);
    if (n > 0) set_held(k, key, n - 1);
    else if (!unlist(k, r)) return false;
    ref_dec(k, r, REF_NORMAL);
    return true;
}

void external_each(struct kernel *k, external_visit *visit, void *ctx)
{
    struct strings all = listed(k);
    struct span key = prefix;
    kref r;
    for (size_t i = 0; i < all.count; i++) {
        if (kref_parse(all.items[i], &r)) visit(ctx, r, 1);
    }
    while (state_next_key(k, prefix, &key)) {
        if (kref_parse(span_from(key, prefix.n), &r)) visit(ctx, r, held(k, key));
    }
}
