/* map.h -- a hash table from text to records that carry their own key.
 *
 * A record starts with a struct map_entry whose key it keeps alive; the map owns neither.
 * Keys come from vats in part, so the hash is seeded per process.  Nothing may depend on
 * the order of the slots.  There is no removal: who evicts builds a new map.
 */
#pragma once

#include "base/span.h"

struct map_entry {
    struct span key;
    uint64_t hash;
};

struct map_slot {
    uint64_t hash;
    struct map_entry *entry; /* NULL: free */
};

struct map {
    uint64_t seed;
    size_t n;
    size_t cap; /* a power of two, or 0 */
    struct map_slot *slots;
};

void map_init(struct map *m);
void map_fini(struct map *m);

uint64_t map_hash(const struct map *m, struct span key);
/* NULL if it is not there. */
struct map_entry *map_find(const struct map *m, struct span key, uint64_t hash);
/* `entry` must not be there yet; its key and hash are set. */
void map_insert(struct map *m, struct map_entry *entry);
