/* The bundle device: bundlecaps by ID or by name.  After device-bundle.js; a raw device.
 * State: dNN.vs.nextDev, .id.BUNDLEID, .slot.d+N. */
#include "kernel/devices/natives.h"
#include "store/bundle.h"

struct invocation {
    struct kernel *k;
    device_id d;
    const struct pass *args;
    struct capdata *answer;
};

static bool fail(const struct invocation *in, const char *why)
{
    kernel_note(in->k, "bundle device: %s", why);
    return false;
}

static bool answer(const struct invocation *in, const struct pass *value)
{
    marshal_encode_k(kernel_arena(in->k), value, in->answer);
    return true;
}

static struct span key(const struct invocation *in, const char *field, struct span rest)
{
    return key_device(in->k, in->d, "vs.", span_join(in->k, field, rest, ""));
}

/* Reads and writes of the vatstore are syscalls, and are counted. */
static bool get(const struct invocation *in, struct span at, struct span *value)
{
    stats_inc(&in->k->stats, STAT_SYSCALLS);
    stats_inc(&in->k->stats, STAT_SYSCALL_VATSTORE_GET);
    return kv_get(in->k->store, at, value) && value->n > 0;
}

static void set(const struct invocation *in, struct span at, struct span value)
{
    stats_inc(&in->k->stats, STAT_SYSCALLS);
    stats_inc(&in->k->stats, STAT_SYSCALL_VATSTORE_SET);
    kv_set(in->k->store, at, value);
}

static struct span allocate_node(const struct invocation *in)
{
    struct span next = SPAN("1");
    uint64_t n = 0;
    get(in, key(in, "nextDev", SPAN("")), &next);
    bool ok = span_u64(next, &n);
    INVARIANT(ok);
    set(in, key(in, "nextDev", SPAN("")),
        arena_printf(kernel_arena(in->k), "%llu", (unsigned long long)n + 1));
    return arena_printf(kernel_arena(in->k), "d+%llu", (unsigned long long)n);
}

static bool answer_cap(const struct invocation *in, struct span id)
{
    struct arena *a = kernel_arena(in->k);
    struct span cap;
    if (!get(in, key(in, "id.", id), &cap)) {
        if (!bundle_has(in->k->store, id)) return answer(in, pass_undefined(a));
        cap = allocate_node(in);
        set(in, key(in, "id.", id), cap);
        set(in, key(in, "slot.", cap), id);
    }
    struct span node = span_of_kref(in->k, device_node(in->k, in->d, cap));
    return answer(in, pass_slot(a, node, SPAN("device node")));
}

static bool string_arg(const struct invocation *in, struct span *out)
{
    if (in->args->count == 0 || in->args->items[0]->style != PASS_STRING) return false;
    *out = in->args->items[0]->text;
    return true;
}

/* /^b1-[0-9a-f]{128}$/ */
static bool is_bundle_id(struct span id)
{
    if (id.n != 3 + SHA512_HEX || !span_starts(id, SPAN("b1-"))) return false;
    for (size_t i = 3; i < id.n; i++) {
        if (strchr("0123456789abcdef", id.p[i]) == NULL || id.p[i] == '\0') return false;
    }
    return true;
}

static bool invoke_root(const struct invocation *in, struct span method)
{
    struct span given;
    bool by_id = span_is(method, "getBundlecap");
    if (!by_id && !span_is(method, "getNamedBundlecap")) return fail(in, "no such method");
    if (!string_arg(in, &given)) return fail(in, "the argument is not a string");
    if (by_id) return is_bundle_id(given) ? answer_cap(in, given) : fail(in, "not a bundleID");
    struct span id;
    if (!kv_get(in->k->store, span_join(in->k, "namedBundleID.", given, ""), &id)) {
        return fail(in, "unregistered bundle name");
    }
    return answer_cap(in, id);
}

static bool answer_bundle(const struct invocation *in, struct span id)
{
    struct arena *a = kernel_arena(in->k);
    struct buf text = { 0 };
    struct jval v;
    struct err e;
    bool ok = bundle_get(in->k->store, id, &text, &e) == 0 &&
              json_parse(a, arena_copy(a, buf_span(&text)), &v, &e) == 0;
    buf_fini(&text);
    return ok ? answer(in, pass_from_json(a, v)) : fail(in, e.text);
}

static bool invoke_cap(const struct invocation *in, struct span slot, struct span method)
{
    struct span id;
    if (!get(in, key(in, "slot.", slot), &id)) return fail(in, "unknown device node");
    if (span_is(method, "getBundleID")) return answer(in, pass_string(kernel_arena(in->k), id));
    if (span_is(method, "getBundle")) return answer_bundle(in, id);
    return fail(in, "a bundlecap has no such method");
}

/* Objects of vats, and the device's own nodes, are what it can be given. */
static bool may_have(const struct invocation *in, const struct capdata *args)
{
    for (size_t i = 0; i < args->count; i++) {
        if (args->slots[i].kind == KREF_OBJECT) continue;
        if (!span_starts(device_slot(in->k, in->d, args->slots[i]), SPAN("d+"))) return false;
    }
    return true;
}

static bool invoke(struct kernel *k, device_id d, struct span slot, struct span method,
                   const struct capdata *args, struct capdata *out)
{
    struct invocation in = { .k = k, .d = d, .answer = out };
    const char *why = "arguments are not an array";
    if (!may_have(&in, args)) return fail(&in, "it was given another device");
    if (!marshal_decode_k(kernel_arena(k), args, &in.args, &why) || in.args->style != PASS_ARRAY) {
        return fail(&in, why);
    }
    return span_is(slot, "d+0") ? invoke_root(&in, method) : invoke_cap(&in, slot, method);
}

const struct device_ops bundle_device = { "bundle", NULL, invoke };
