/* The bundle device: bundlecaps by ID or by name.  After device-bundle.js; a raw device. */
#include "kernel/devices/natives.h"
#include "kernel/devices/raw.h"

static bool invoke_root(const struct raw_call *c, struct span method)
{
    struct span id;
    if (span_is(method, "getBundlecap")) {
        bool ok = raw_string_arg(c, 0, &id) && raw_is_bundle_id(id);
        return ok ? raw_answer_bundlecap(c, id) : raw_fail(c, "not a bundleID");
    }
    if (!span_is(method, "getNamedBundlecap")) return raw_fail(c, "no such method");
    return raw_named_bundle(c, &id) && raw_answer_bundlecap(c, id);
}

/* Objects of vats, and the device's own nodes, are what it can be given. */
static bool may_have(const struct raw_call *c)
{
    for (size_t i = 0; i < c->raw->count; i++) {
        if (c->raw->slots[i].kind == KREF_OBJECT) continue;
        if (!span_starts(device_slot(c->k, c->d, c->raw->slots[i]), SPAN("d+"))) return false;
    }
    return true;
}

static bool invoke(struct kernel *k, device_id d, struct span slot, struct span method,
                   const struct capdata *args, struct capdata *out)
{
    struct raw_call c = { .k = k, .d = d, .device = "bundle", .slot = slot, .raw = args, .answer = out };
    if (!may_have(&c)) return raw_fail(&c, "it was given another device");
    if (!raw_decode(&c)) return false;
    return span_is(slot, "d+0") ? invoke_root(&c, method) : raw_invoke_bundlecap(&c, method);
}

const struct device_ops bundle_device = { "bundle", NULL, invoke };
