#include "kernel/device.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "kernel/device_kind.h"
#include "kernel/devices/natives.h"
#include "kernel/devices/registry.h"
#include "kernel/object.h"
#include "kernel/slog.h"

/* -- names and c-lists ----------------------------------------------------------------- */

bool device_by_name(struct kernel *k, struct span name, device_id *out)
{
    struct span text;
    struct span key = arena_printf(kernel_arena(k), "device.name.%.*s", SPAN_ARG(name));
    if (!kv_get(k->store, key, &text)) return false;
    bool ok = device_id_parse(text, out);
    INVARIANT(ok);
    return true;
}

device_id device_allocate(struct kernel *k, struct span name)
{
    device_id d;
    if (device_by_name(k, name, &d)) return d;
    d.n = (uint32_t)state_next(k, SPAN("device.nextID"));
    kv_set(k->store, arena_printf(kernel_arena(k), "device.name.%.*s", SPAN_ARG(name)),
           span_of(device_id_text(d).s));
    struct span names_key = SPAN("device.names");
    struct strings names = state_strings(k, names_key);
    names = strings_with(k, &names, name);
    state_set_strings(k, names_key, &names);
    kv_set(k->store, key_device(k, d, "o.nextID", SPAN("")), SPAN("10"));
    kv_set(k->store, key_device(k, d, "d.nextID", SPAN("")), SPAN("20"));
    kv_set(k->store, key_device(k, d, "p.nextID", SPAN("")), SPAN("30"));
    return d;
}

static struct span row_key(struct kernel *k, device_id d, struct span name)
{
    return key_device(k, d, "c.", name);
}

static bool known_kref(struct kernel *k, device_id d, struct span slot, kref *out)
{
    struct span text;
    if (!kv_get(k->store, row_key(k, d, slot), &text)) return false;
    bool ok = kref_parse(text, out);
    INVARIANT(ok);
    return true;
}

kref device_node(struct kernel *k, device_id d, struct span slot)
{
    kref node;
    if (known_kref(k, d, slot, &node)) return node;
    node = (kref){ KREF_DEVICE, state_next(k, SPAN("kd.nextID")) };
    kv_set(k->store, key_kref(k, node, "owner"), span_of(device_id_text(d).s));
    stats_inc(&k->stats, STAT_KERNEL_DEVICES);
    kv_set(k->store, row_key(k, d, span_of_kref(k, node)), slot);
    kv_set(k->store, row_key(k, d, slot), span_of_kref(k, node));
    return node;
}

bool device_kref(struct kernel *k, device_id d, struct span slot, kref *out)
{
    if (known_kref(k, d, slot, out)) return true;
    if (!span_starts(slot, SPAN("d+"))) return false;
    *out = device_node(k, d, slot);
    return true;
}

struct span device_slot(struct kernel *k, device_id d, kref r)
{
    struct span name = span_of_kref(k, r), slot;
    if (kv_get(k->store, row_key(k, d, name), &slot)) return slot;
    char letter = r.kind == KREF_OBJECT ? 'o' : r.kind == KREF_DEVICE ? 'd' : 'p';
    char field[] = "?.nextID";
    field[0] = letter;
    uint64_t n = state_next(k, key_device(k, d, field, SPAN("")));
    ref_inc(k, r, REF_NORMAL);
    slot = arena_printf(kernel_arena(k), "%c-%llu", letter, (unsigned long long)n);
    kv_set(k->store, row_key(k, d, slot), name);
    kv_set(k->store, row_key(k, d, name), slot);
    return slot;
}

/* -- starting ---------------------------------------------------------------------------- */

/* The native device that an entry's bundle stands for.  A nestedEvaluate bundle does not say
 * what is in it, and upstream makes no device of one: it goes by the device's name. */
static const struct native *native_of(struct device *dev, struct span bundle, struct err *e)
{
    struct bundle_entry entry;
    const struct native *native = NULL;
    const char *why = "is not built in";
    if (span_starts(bundle, SPAN("b0-"))) {
        native = native_named(dev->name);
    } else if (bundle_entry_module(dev->k->store, bundle, kernel_arena(dev->k), &entry, e) != 0) {
        err_while(e, "device %.*s (%s)", SPAN_ARG(dev->name), device_id_text(dev->id).s);
        return NULL;
    } else {
        const char *kind = device_kind(&entry, &why);
        if (kind != NULL) native = native_named(span_of(kind));
    }
    if (native == NULL) {
        err_set(e, EXIT_INCOMPATIBLE, "device %.*s (%s): its bundle %.*s %s", SPAN_ARG(dev->name),
                device_id_text(dev->id).s, SPAN_ARG(bundle), why);
    }
    return native;
}

static int start(struct device *dev, struct err *e)
{
    struct kernel *k = dev->k;
    struct jval source = state_json(k, key_device(k, dev->id, "source", SPAN("")));
    struct jval options = state_json(k, key_device(k, dev->id, "options", SPAN("")));
    struct span bundle = json_str(json_get(source, "bundleID"), kernel_arena(k));
    dev->native = native_of(dev, bundle, e);
    if (dev->native == NULL) return -1;
    if (dev->native->endowed != NULL && !dev->native->endowed(&k->host)) {
        kernel_note(k, "device %.*s (%s, a %s) is skipped: this host has no side for it",
                    SPAN_ARG(dev->name), device_id_text(dev->id).s, dev->native->name);
        return 0;
    }
    if (dev->native->slots != NULL &&
        slots_start(dev, dev->native->slots, json_get(options, "deviceParameters"), e) != 0) {
        return -1;
    }
    dev->started = true;
    return 0;
}

static struct device *add(struct kernel *k, struct span name, device_id id)
{
    k->devices = xrealloc(k->devices, (k->device_count + 1) * sizeof *k->devices);
    struct device *dev = k->devices[k->device_count++] = xcalloc(1, sizeof *dev);
    dev->k = k;
    dev->id = id;
    arena_init(&dev->arena);
    dev->name = arena_copy(&dev->arena, name);
    return dev;
}

int devices_start(struct kernel *k, struct err *e)
{
    struct span prefix = SPAN("device.name."), key = prefix;
    while (state_next_key(k, prefix, &key)) {
        device_id d;
        bool ok = device_id_parse(state_need(k, key), &d);
        INVARIANT(ok);
        if (start(add(k, span_from(key, prefix.n), d), e) != 0) return -1;
    }
    return 0;
}

void devices_stop(struct kernel *k)
{
    for (size_t i = 0; i < k->device_count; i++) {
        struct device *dev = k->devices[i];
        if (dev->slots != NULL) slots_stop(dev, dev->native->slots);
        arena_fini(&dev->arena);
        free(dev);
    }
    free(k->devices);
    k->devices = NULL;
    k->device_count = 0;
}

void devices_rolled_back(struct kernel *k)
{
    if (!k->zygotes) return;
    for (size_t i = 0; i < k->device_count; i++) {
        struct device *dev = k->devices[i];
        if (dev->touched) slots_rolled_back(dev, dev->native->slots);
        dev->touched = false;
    }
}

bool kernel_has_device(struct span kind)
{
    return native_named(kind) != NULL;
}

size_t kernel_devices(struct kernel *k, const char *kind, struct span **names)
{
    size_t n = 0;
    *names = ARENA_ARRAY(kernel_arena(k), struct span, k->device_count + 1);
    for (size_t i = 0; i < k->device_count; i++) {
        const struct device *dev = k->devices[i];
        if (dev->started && strcmp(dev->native->name, kind) == 0) (*names)[n++] = dev->name;
    }
    return n;
}

int device_find(struct kernel *k, const struct slots_ops *kind, struct span name,
                struct device **out, struct err *e)
{
    struct device *found = NULL;
    for (size_t i = 0; i < k->device_count; i++) {
        struct device *dev = k->devices[i];
        if (!dev->started || dev->native->slots != kind) continue;
        if (name.p != NULL && !span_eq(name, dev->name)) continue;
        if (found != NULL) {
            return err_set(e, EXIT_USAGE, "there are several such devices (%.*s, %.*s); name one",
                           SPAN_ARG(found->name), SPAN_ARG(dev->name));
        }
        found = dev;
    }
    if (found == NULL) {
        return err_set(e, EXIT_NOT_FOUND, "there is no such device%s%.*s",
                       name.p != NULL ? " called " : "", SPAN_ARG(name));
    }
    *out = found;
    return 0;
}

/* -- calling -------------------------------------------------------------------------------- */

static struct span failed(void)
{
    return SPAN("device.invoke failed, see logs for details");
}

static struct device *device_of(struct kernel *k, device_id d)
{
    for (size_t i = 0; i < k->device_count; i++) {
        if (k->devices[i]->id.n == d.n) return k->devices[i];
    }
    return NULL;
}

/* Arguments in the device's names, each of which it now holds for ever. */
static struct vat_capdata to_device(struct device *dev, const struct capdata *args)
{
    struct vat_capdata out = { .body = args->body, .count = args->count };
    out.slots = ARENA_ARRAY(kernel_arena(dev->k), struct span, args->count + 1);
    for (size_t i = 0; i < args->count; i++) out.slots[i] = device_slot(dev->k, dev->id, args->slots[i]);
    return out;
}

static bool from_device(struct device *dev, const struct vat_capdata *answer, struct capdata *out)
{
    *out = (struct capdata){ .body = answer->body, .count = answer->count };
    out->slots = ARENA_ARRAY(kernel_arena(dev->k), kref, answer->count + 1);
    for (size_t i = 0; i < answer->count; i++) {
        if (!device_kref(dev->k, dev->id, answer->slots[i], &out->slots[i])) return false;
    }
    return true;
}

static struct span invoke_slots(struct device *dev, struct span slot, struct span method,
                                const struct capdata *args, struct capdata *answer)
{
    struct vat_capdata given = to_device(dev, args), back;
    const char *why = "";
    dev->touched = true;
    if (!slots_invoke(dev, slot, method, &given, &back, &why)) {
        kernel_note(dev->k, "device %.*s: %.*s(): %s", SPAN_ARG(dev->name), SPAN_ARG(method), why);
        return failed();
    }
    bool ok = from_device(dev, &back, answer);
    INVARIANT(ok);
    return SPAN_NONE;
}

static struct span invoke_raw(struct device *dev, struct span slot, struct span method,
                              const struct capdata *args, struct capdata *answer)
{
    struct kernel *k = dev->k;
    const struct device_ops *ops = dev->native->raw;
    if (ops->keeps_no_slots == NULL || !ops->keeps_no_slots(k, slot, method)) {
        (void)to_device(dev, args);
    } else {
        for (size_t i = 0; i < args->count; i++) {
            kref_set_add(&k->maybe_free, args->slots[i]); /* nobody else may count it */
        }
    }
    return ops->invoke(k, dev->id, slot, method, args, answer) ? SPAN_NONE : failed();
}

struct span device_invoke(struct kernel *k, kref node, struct span method,
                          const struct capdata *args, struct capdata *answer)
{
    device_id d;
    bool ok = device_id_parse(state_need(k, key_kref(k, node, "owner")), &d);
    INVARIANT(ok);
    struct device *dev = device_of(k, d);
    if (dev == NULL || !dev->started) {
        /* Upstream panics too: not the vat's fault, but that of a host which lacks a part. */
        kernel_panic(k, EXIT_FAILED, "device %s was called, and this host has no side for it",
                     device_id_text(d).s);
        return failed();
    }
    struct span slot = device_slot(k, d, node);
    struct span problem = dev->native->slots != NULL ? invoke_slots(dev, slot, method, args, answer)
                                                     : invoke_raw(dev, slot, method, args, answer);
    if (problem.p != NULL) {
        slog_say(k, "log", ",{}", "dm.invoke failed, informing calling vat"); /* {}: an Error as JSON */
    }
    return problem;
}
