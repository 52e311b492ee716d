/* config_order.h -- the order in which JavaScript lists the keys of an object. */
#pragma once

#include "base/json.h"

/* Is this an array index in canonical decimal ("0", "17", but not "017")?  Such keys come
 * first, by number. */
bool key_is_index(struct span key, uint32_t *index);

/* Order of the keys of an object that was filled in UTF-16 order. */
int key_cmp(struct span a, struct span b);

/* The same, of one filled with `firsts` (absent ones are skipped) before the rest. */
int key_cmp_after(struct span a, struct span b, size_t count, const struct span *firsts);
