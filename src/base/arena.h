/* arena.h -- memory with one lifetime.
 *
 * Everything allocated from an arena ends together, at arena_reset() or arena_fini().
 * The kernel has one per crank: what a crank reads and builds lives until the crank ends.
 */
#pragma once

#include "base/span.h"

struct arena_block;
struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used;                /* of the newest block */
};

void arena_init(struct arena *a);
void arena_fini(struct arena *a);
/* Forget everything, keep one block for reuse. */
void arena_reset(struct arena *a);

/* Zeroed, aligned to 16. */
void *arena_alloc(struct arena *a, size_t n);
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_alloc((a), sizeof(type) * (count)))

/* A copy that lives as long as the arena (NUL terminated behind its end). */
struct span arena_copy(struct arena *a, struct span s);
/* A number in decimal. */
struct span arena_u64(struct arena *a, uint64_t n);
struct span arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
