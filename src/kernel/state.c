#include "kernel/state.h"

#include <stdlib.h>

#include "base/xalloc.h"

/* -- sets of krefs ------------------------------------------------------------------ */

static size_t kref_hash(kref k)
{
    uint64_t h = (k.n * 4 + (uint64_t)k.kind) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(h >> 32);
}

static bool slot_find(const struct kref_set *s, kref k, size_t *at)
{
    size_t i = kref_hash(k) & (s->slot_count - 1);
    for (;; i = (i + 1) & (s->slot_count - 1)) {
        uint32_t index = s->slots[i];
        *at = i;
        if (index == 0) return false;
        if (kref_eq(s->items[index - 1], k)) return true;
    }
}

static void set_grow(struct kref_set *s)
{
    s->cap = s->cap == 0 ? 32 : s->cap * 2;
    s->items = xrealloc(s->items, s->cap * sizeof(kref));
    free(s->slots);
    s->slot_count = s->cap * 2;
    s->slots = xcalloc(s->slot_count, sizeof(uint32_t));
    for (size_t i = 0; i < s->count; i++) {
        size_t at;
        slot_find(s, s->items[i], &at);
        s->slots[at] = (uint32_t)i + 1;
    }
}

bool kref_set_add(struct kref_set *s, kref k)
{
    if (s->count == s->cap) set_grow(s);
    size_t at;
    if (slot_find(s, k, &at)) return false;
    s->items[s->count++] = k;
    s->slots[at] = (uint32_t)s->count;
    return true;
}

void kref_set_clear(struct kref_set *s)
{
    if (s->count > 0) memset(s->slots, 0, s->slot_count * sizeof(uint32_t));
    s->count = 0;
}

void kref_set_fini(struct kref_set *s)
{
    free(s->items);
    free(s->slots);
    *s = (struct kref_set){ 0 };
}

/* -- telling -------------------------------------------------------------------------- */

struct arena *kernel_arena(struct kernel *k)
{
    return store_arena(k->store);
}

void kernel_note_text(struct kernel *k, struct span text)
{
    if (k->sink.note != NULL) k->sink.note(k->sink.self, text);
}

void kernel_step_label(struct kernel *k, const char *label)
{
    if (k->sink.step != NULL) k->sink.step(k->sink.self, label);
}

/* -- keys ----------------------------------------------------------------------------- */

/* Every key, and every text with a vat's bytes in it, is five parts put together. */
static struct span join(struct kernel *k, const char *a, const char *b, const char *c,
                        struct span rest, const char *tail)
{
    const char *const parts[] = { a, b, c };
    size_t lengths[3], n = rest.n + strlen(tail);
    for (size_t i = 0; i < 3; i++) n += lengths[i] = strlen(parts[i]);
    char *text = arena_alloc(kernel_arena(k), n + 1), *p = text;
    for (size_t i = 0; i < 3; p += lengths[i++]) memcpy(p, parts[i], lengths[i]);
    if (rest.n > 0) memcpy(p, rest.p, rest.n);
    memcpy(p + rest.n, tail, strlen(tail));
    return (struct span){ text, n };
}

struct span span_join(struct kernel *k, const char *head, struct span middle, const char *tail)
{
    return join(k, head, "", "", middle, tail);
}

struct span key_vat(struct kernel *k, vat_id v, const char *field)
{
    return join(k, vat_id_text(v).s, ".", field, SPAN(""), "");
}

struct span key_vat_in(struct kernel *k, vat_id v, const char *field, struct span rest)
{
    return join(k, vat_id_text(v).s, ".", field, rest, "");
}

struct span key_clist_kref(struct kernel *k, vat_id v, kref r)
{
    return join(k, vat_id_text(v).s, ".c.", kref_text(r).s, SPAN(""), "");
}

struct span key_clist_vref(struct kernel *k, vat_id v, struct span name)
{
    return join(k, vat_id_text(v).s, ".c.", "", name, "");
}

struct span key_kref(struct kernel *k, kref r, const char *field)
{
    return join(k, kref_text(r).s, ".", field, SPAN(""), "");
}

struct span key_device(struct kernel *k, device_id d, const char *field, struct span rest)
{
    return join(k, device_id_text(d).s, ".", field, rest, "");
}

/* -- values ---------------------------------------------------------------------------- */

bool state_has(struct kernel *k, struct span key)
{
    return kv_get(k->store, key, NULL);
}

struct span state_need(struct kernel *k, struct span key)
{
    struct span value;
    if (!kv_get(k->store, key, &value)) {
        kernel_note(k, "the store lacks the key %.*s", SPAN_ARG(key));
        BUG("a required key is missing from the store");
    }
    return value;
}

uint64_t state_need_u64(struct kernel *k, struct span key)
{
    uint64_t n = 0;
    bool ok = span_u64(state_need(k, key), &n);
    INVARIANT(ok);
    return n;
}

void state_set_u64(struct kernel *k, struct span key, uint64_t value)
{
    kv_set(k->store, key, arena_u64(kernel_arena(k), value));
}

uint64_t state_next(struct kernel *k, struct span key)
{
    uint64_t n = state_need_u64(k, key);
    state_set_u64(k, key, n + 1);
    return n;
}

struct jval state_json(struct kernel *k, struct span key)
{
    struct jval v;
    struct err e;
    int failed = json_parse(kernel_arena(k), state_need(k, key), &v, &e);
    INVARIANT(failed == 0);
    return v;
}

struct strings state_strings(struct kernel *k, struct span key)
{
    struct jval v = state_json(k, key);
    struct strings s = { .count = json_len(v) };
    s.items = ARENA_ARRAY(kernel_arena(k), struct span, s.count + 1);
    size_t i = 0;
    for (struct jval at = json_first(v); json_type(at) != JSON_NONE; at = json_next(at)) {
        s.items[i++] = json_str(at, kernel_arena(k));
    }
    return s;
}

void state_set_strings(struct kernel *k, struct span key, const struct strings *s)
{
    struct buf b = { 0 };
    buf_putc(&b, '[');
    for (size_t i = 0; i < s->count; i++) {
        if (i > 0) buf_putc(&b, ',');
        json_put_string(&b, s->items[i]);
    }
    buf_putc(&b, ']');
    kv_set(k->store, key, buf_span(&b));
    buf_fini(&b);
}

void string_list_add(struct kernel *k, struct string_list *l, struct span item)
{
    if (l->of.count == l->room) {
        l->room = l->room < 8 ? 16 : l->room * 2;
        struct span *grown = ARENA_ARRAY(kernel_arena(k), struct span, l->room);
        if (l->of.count > 0) memcpy(grown, l->of.items, l->of.count * sizeof *grown);
        l->of.items = grown;
    }
    l->of.items[l->of.count++] = item;
}

struct strings strings_with(struct kernel *k, const struct strings *s, struct span more)
{
    struct strings out = { .count = s->count + 1 };
    out.items = ARENA_ARRAY(kernel_arena(k), struct span, out.count);
    if (s->count > 0) memcpy(out.items, s->items, s->count * sizeof(struct span));
    out.items[s->count] = more;
    return out;
}

struct strings strings_without(struct kernel *k, const struct strings *s, struct span gone)
{
    struct strings out = { 0 };
    out.items = ARENA_ARRAY(kernel_arena(k), struct span, s->count + 1);
    for (size_t i = 0; i < s->count; i++) {
        if (!span_eq(s->items[i], gone)) out.items[out.count++] = s->items[i];
    }
    return out;
}

bool strings_have(const struct strings *s, struct span item)
{
    for (size_t i = 0; i < s->count; i++) {
        if (span_eq(s->items[i], item)) return true;
    }
    return false;
}

static int compare_strings(const void *a, const void *b)
{
    return utf16_cmp(*(const struct span *)a, *(const struct span *)b);
}

bool strings_insert(struct kernel *k, struct strings *sorted, struct span item)
{
    size_t at = 0, end = sorted->count;
    while (at < end) {
        size_t middle = at + (end - at) / 2;
        if (utf16_cmp(sorted->items[middle], item) < 0) at = middle + 1;
        else end = middle;
    }
    if (at < sorted->count && span_eq(sorted->items[at], item)) return false;
    size_t after = sorted->count - at;
    *sorted = strings_with(k, sorted, item);
    memmove(sorted->items + at + 1, sorted->items + at, after * sizeof(struct span));
    sorted->items[at] = item;
    return true;
}

void strings_sort(struct strings *s)
{
    if (s->count > 1) qsort(s->items, s->count, sizeof(struct span), compare_strings);
}

struct strings state_commas(struct kernel *k, struct span text)
{
    struct strings s = { 0 };
    if (text.n == 0) return s;
    size_t parts = 1;
    for (size_t i = 0; i < text.n; i++) parts += text.p[i] == ',';
    s.items = ARENA_ARRAY(kernel_arena(k), struct span, parts);
    size_t from = 0;
    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && text.p[i] != ',') continue;
        s.items[s.count++] = (struct span){ text.p + from, i - from };
        from = i + 1;
    }
    return s;
}

struct span strings_commas(struct kernel *k, const struct strings *s)
{
    struct buf b = { 0 };
    for (size_t i = 0; i < s->count; i++) {
        if (i > 0) buf_putc(&b, ',');
        buf_put(&b, s->items[i]);
    }
    struct span out = arena_copy(kernel_arena(k), buf_span(&b));
    buf_fini(&b);
    return out;
}

struct span span_of_vat(struct kernel *k, vat_id v)
{
    return arena_copy(kernel_arena(k), span_of(vat_id_text(v).s));
}

struct span span_of_kref(struct kernel *k, kref r)
{
    return arena_copy(kernel_arena(k), span_of(kref_text(r).s));
}

bool state_next_key(struct kernel *k, struct span prefix, struct span *key)
{
    struct span next;
    if (!kv_next_key(k->store, *key, &next) || !span_starts(next, prefix)) return false;
    *key = next;
    return true;
}
