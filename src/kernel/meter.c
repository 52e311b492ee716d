#include "kernel/meter.h"

#include "base/decimal.h"

static struct span key_meter(struct kernel *k, struct span meter, const char *field)
{
    return span_join(k, "", meter, field);
}

static struct span decimal_of(struct kernel *k, uint64_t n)
{
    return arena_printf(kernel_arena(k), "%llu", (unsigned long long)n);
}

struct span meter_new(struct kernel *k, struct span remaining, struct span threshold)
{
    uint64_t n = state_next(k, SPAN("meter.nextID"));
    struct span meter = arena_printf(kernel_arena(k), "m%llu", (unsigned long long)n);
    kv_set(k->store, key_meter(k, meter, ".remaining"), remaining);
    kv_set(k->store, key_meter(k, meter, ".threshold"), threshold);
    return meter;
}

bool meter_id_valid(struct span meter)
{
    uint64_t n;
    return meter.n >= 2 && meter.p[0] == 'm' && span_u64(span_from(meter, 1), &n);
}

bool meter_get(struct kernel *k, struct span meter, struct span *remaining, struct span *threshold)
{
    return meter_id_valid(meter) && kv_get(k->store, key_meter(k, meter, ".remaining"), remaining) &&
           kv_get(k->store, key_meter(k, meter, ".threshold"), threshold);
}

static bool limit_of(struct kernel *k, struct span meter, struct span *remaining)
{
    *remaining = state_need(k, key_meter(k, meter, ".remaining"));
    return !span_is(*remaining, "unlimited");
}

void meter_add(struct kernel *k, struct span meter, struct span delta)
{
    struct span remaining;
    if (!limit_of(k, meter, &remaining)) return;
    kv_set(k->store, key_meter(k, meter, ".remaining"),
           decimal_add(kernel_arena(k), remaining, delta));
}

void meter_set_threshold(struct kernel *k, struct span meter, struct span threshold)
{
    kv_set(k->store, key_meter(k, meter, ".threshold"), threshold);
}

bool meter_covers(struct kernel *k, struct span meter, uint64_t spent)
{
    struct span remaining;
    return !limit_of(k, meter, &remaining) || decimal_cmp(remaining, decimal_of(k, spent)) >= 0;
}

bool meter_deduct(struct kernel *k, struct span meter, uint64_t spent)
{
    struct span before;
    if (!limit_of(k, meter, &before)) return false;
    struct span threshold = state_need(k, key_meter(k, meter, ".threshold"));
    struct span left = decimal_sub(kernel_arena(k), before, decimal_of(k, spent));
    kv_set(k->store, key_meter(k, meter, ".remaining"), left);
    /* Told once per crossing. */
    return decimal_cmp(left, threshold) < 0 && decimal_cmp(before, threshold) >= 0;
}
