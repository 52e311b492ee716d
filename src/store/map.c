/* map.c -- open addressing, linear probing, at most half full. */
#include "store/map.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/err.h"
#include "base/xalloc.h"

enum { MAP_CAP_MIN = 64 };

void map_init(struct map *m)
{
    *m = (struct map){ 0 };
    /* A failure leaves the seed at 0: slower under attack, never wrong. */
    if (getrandom(&m->seed, sizeof m->seed, GRND_NONBLOCK) != (ssize_t)sizeof m->seed)
        m->seed = 0;
}

void map_fini(struct map *m)
{
    free(m->slots);
    m->slots = NULL;
    m->n = m->cap = 0;
}

/* Multiply to 128 bits and fold: every input bit reaches every output bit. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint64_t load(const char *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

uint64_t map_hash(const struct map *m, struct span key)
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t h = m->seed ^ mix(key.n + odd, UINT64_C(0xd6e8feb86659fd93));
    const char *p = key.p;
    size_t n = key.n;
    for (; n >= 8; p += 8, n -= 8)
        h = mix(h ^ load(p, 8), odd ^ m->seed);
    if (n > 0) h = mix(h ^ load(p, n), odd ^ m->seed);
    return mix(h, UINT64_C(0xa0761d6478bd642f));
}

struct map_entry *map_find(const struct map *m, struct span key, uint64_t hash)
{
    if (m->cap == 0) return NULL;
    size_t mask = m->cap - 1;
    for (size_t i = hash & mask; m->slots[i].entry != NULL; i = (i + 1) & mask) {
        if (m->slots[i].hash == hash && span_eq(m->slots[i].entry->key, key))
            return m->slots[i].entry;
    }
    return NULL;
}

static void place(struct map *m, struct map_entry *entry)
{
    size_t mask = m->cap - 1;
    size_t i = entry->hash & mask;
    while (m->slots[i].entry != NULL)
        i = (i + 1) & mask;
    m->slots[i] = (struct map_slot){ entry->hash, entry };
}

static void grow(struct map *m)
{
    struct map_slot *old = m->slots;
    size_t old_cap = m->cap;
    m->cap = old_cap == 0 ? MAP_CAP_MIN : old_cap * 2;
    m->slots = xcalloc(m->cap, sizeof *m->slots);
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i].entry != NULL) place(m, old[i].entry);
    }
    free(old);
}

void map_insert(struct map *m, struct map_entry *entry)
{
    if ((m->n + 1) * 2 > m->cap) grow(m);
    place(m, entry);
    m->n++;
}
