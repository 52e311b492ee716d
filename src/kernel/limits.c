#include "kernel/limits.h"

#include "kernel/vats.h"

static const struct span max_key = { "zygote.maxVats", 14 };

uint64_t limits_max_vats(struct kernel *k)
{
    return k->zygotes && state_has(k, max_key) ? state_need_u64(k, max_key) : 0;
}

void limits_set_max_vats(struct kernel *k, uint64_t max)
{
    if (max == 0) kv_delete(k->store, max_key);
    else state_set_u64(k, max_key, max);
}

struct span limits_refusal(struct kernel *k)
{
    uint64_t max = limits_max_vats(k);
    return max > 0 && vats_count(k) >= max ? SPAN("too many vats") : SPAN_NONE;
}
