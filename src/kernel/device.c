#include "kernel/device.h"

#include "kernel/object.h"

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

kref device_node(struct kernel *k, device_id d, struct span slot)
{
    struct span text;
    kref node;
    if (!kv_get(k->store, row_key(k, d, slot), &text)) {
        node = (kref){ KREF_DEVICE, state_next(k, SPAN("kd.nextID")) };
        kv_set(k->store, key_kref(k, node, "owner"), span_of(device_id_text(d).s));
        stats_inc(&k->stats, STAT_KERNEL_DEVICES);
        kv_set(k->store, row_key(k, d, span_of_kref(k, node)), slot);
        kv_set(k->store, row_key(k, d, slot), span_of_kref(k, node));
        return node;
    }
    bool ok = kref_parse(text, &node);
    INVARIANT(ok);
    return node;
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

/* Devices that are built in; others are refused when a config names them. */
static const struct device_ops *const devices[] = { &vat_admin_device };

bool kernel_has_device(struct span kind)
{
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        if (span_is(kind, devices[i]->name)) return true;
    }
    return false;
}

static const struct device_ops *ops_of(struct kernel *k, device_id d)
{
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        device_id named;
        if (device_by_name(k, span_of(devices[i]->name), &named) && named.n == d.n) {
            return devices[i];
        }
    }
    return NULL;
}

static struct span failed(void)
{
    return SPAN("device.invoke failed, see logs for details");
}

struct span device_invoke(struct kernel *k, kref node, struct span method,
                          const struct capdata *args, struct capdata *answer)
{
    device_id d;
    bool ok = device_id_parse(state_need(k, key_kref(k, node, "owner")), &d);
    INVARIANT(ok);
    const struct device_ops *ops = ops_of(k, d);
    if (ops == NULL) {
        kernel_note(k, "device %s is not built into this kernel", device_id_text(d).s);
        return failed();
    }
    struct span slot = device_slot(k, d, node);
    for (size_t i = 0; i < args->count; i++) {
        if (!ops->keeps_no_slots(k, slot, method)) {
            device_slot(k, d, args->slots[i]);
        } else {
            kref_set_add(&k->maybe_free, args->slots[i]); /* nobody else may count it */
        }
    }
    return ops->invoke(k, d, slot, method, args, answer) ? SPAN_NONE : failed();
}
