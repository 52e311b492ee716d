#include "kernel/devices/raw.h"

#include "store/bundle.h"

bool raw_fail(const struct raw_call *c, const char *why)
{
    kernel_note(c->k, "%s device: %s", c->device, why);
    return false;
}

bool raw_answer(const struct raw_call *c, const struct pass *value)
{
    marshal_encode_k(kernel_arena(c->k), value, c->answer);
    return true;
}

bool raw_decode(struct raw_call *c)
{
    const char *why = "arguments are not an array";
    if (marshal_decode_k(kernel_arena(c->k), c->raw, &c->args, &why) && c->args->style == PASS_ARRAY) {
        return true;
    }
    return raw_fail(c, why);
}

const struct pass *raw_arg(const struct raw_call *c, size_t at)
{
    return at < c->args->count ? c->args->items[at] : pass_undefined(kernel_arena(c->k));
}

bool raw_string_arg(const struct raw_call *c, size_t at, struct span *out)
{
    const struct pass *v = raw_arg(c, at);
    if (v->style != PASS_STRING) return false;
    *out = v->text;
    return true;
}

/* -- state ---------------------------------------------------------------------------------- */

static struct span key_of(const struct raw_call *c, const char *field, struct span rest)
{
    return key_device(c->k, c->d, "vs.", span_join(c->k, field, rest, ""));
}

/* Upstream takes '' for nothing, too. */
static bool get(const struct raw_call *c, struct span key, struct span *value)
{
    stats_inc(&c->k->stats, STAT_SYSCALLS);
    stats_inc(&c->k->stats, STAT_SYSCALL_VATSTORE_GET);
    return kv_get(c->k->store, key, value) && value->n > 0;
}

static void set(const struct raw_call *c, struct span key, struct span value)
{
    stats_inc(&c->k->stats, STAT_SYSCALLS);
    stats_inc(&c->k->stats, STAT_SYSCALL_VATSTORE_SET);
    kv_set(c->k->store, key, value);
}

/* -- bundlecaps ------------------------------------------------------------------------------- */

bool raw_is_bundle_id(struct span id)
{
    if (id.n != 3 + SHA512_HEX || !span_starts(id, SPAN("b1-"))) return false;
    for (size_t i = 3; i < id.n; i++) {
        char ch = id.p[i];
        if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f'))) return false;
    }
    return true;
}

bool raw_named_bundle(const struct raw_call *c, struct span *id)
{
    struct span name;
    if (!raw_string_arg(c, 0, &name)) return raw_fail(c, "a bundle name is not a string");
    if (kv_get(c->k->store, span_join(c->k, "namedBundleID.", name, ""), id)) return true;
    kernel_note(c->k, "%s device: unregistered bundle name '%.*s'", c->device, SPAN_ARG(name));
    return false;
}

static struct span allocate_node(const struct raw_call *c)
{
    struct span key = key_of(c, "nextDev", SPAN("")), next = SPAN("1");
    uint64_t n = 0;
    get(c, key, &next);
    bool ok = span_u64(next, &n);
    INVARIANT(ok);
    set(c, key, arena_printf(kernel_arena(c->k), "%llu", (unsigned long long)n + 1));
    return arena_printf(kernel_arena(c->k), "d+%llu", (unsigned long long)n);
}

bool raw_answer_bundlecap(const struct raw_call *c, struct span id)
{
    struct arena *a = kernel_arena(c->k);
    struct span key = key_of(c, "id.", id), cap;
    if (!get(c, key, &cap)) {
        if (!bundle_has(c->k->store, id)) return raw_answer(c, pass_undefined(a));
        cap = allocate_node(c);
        set(c, key, cap);
        set(c, key_of(c, "slot.", cap), id);
    }
    struct span node = span_of_kref(c->k, device_node(c->k, c->d, cap));
    return raw_answer(c, pass_slot(a, node, SPAN("device node")));
}

static bool answer_bundle(const struct raw_call *c, struct span id)
{
    struct arena *a = kernel_arena(c->k);
    struct buf text = { 0 };
    struct jval v;
    struct err e;
    bool ok = bundle_get(c->k->store, id, &text, &e) == 0 &&
              json_parse(a, arena_copy(a, buf_span(&text)), &v, &e) == 0;
    buf_fini(&text);
    return ok ? raw_answer(c, pass_from_json(a, v)) : raw_fail(c, e.text);
}

bool raw_invoke_bundlecap(const struct raw_call *c, struct span method)
{
    struct span id;
    if (!get(c, key_of(c, "slot.", c->slot), &id)) return raw_fail(c, "unknown device node");
    if (span_is(method, "getBundleID")) return raw_answer(c, pass_string(kernel_arena(c->k), id));
    if (span_is(method, "getBundle")) return answer_bundle(c, id);
    return raw_fail(c, "a bundlecap has no such method");
}
