/* config_order.c -- upstream's sortObjectProperties(). */
#include "host/config_order.h"

bool key_is_index(struct span key, uint32_t *index)
{
    uint64_t n;
    if (key.n == 0 || key.n > 10 || (key.n > 1 && key.p[0] == '0'))
        return false;
    if (!span_u64(key, &n) || n >= UINT32_MAX)
        return false;
    *index = (uint32_t)n;
    return true;
}

static size_t rank(struct span key, size_t count, const struct span *firsts)
{
    for (size_t i = 0; i < count; i++) {
        if (firsts[i].p != NULL && span_eq(firsts[i], key))
            return i;
    }
    return count;
}

int key_cmp_after(struct span a, struct span b, size_t count, const struct span *firsts)
{
    uint32_t na, nb;
    bool ia = key_is_index(a, &na), ib = key_is_index(b, &nb);
    if (ia && ib)
        return (na > nb) - (na < nb);
    if (ia != ib)
        return ia ? -1 : 1;
    size_t ra = rank(a, count, firsts), rb = rank(b, count, firsts);
    if (ra != rb)
        return ra < rb ? -1 : 1;
    return utf16_cmp(a, b);
}

int key_cmp(struct span a, struct span b)
{
    return key_cmp_after(a, b, 0, NULL);
}
