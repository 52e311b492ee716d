/* memory.h -- the arena: all memory of one XS machine, in one range at a fixed address.
 *
 * Pointers inside a machine are absolute.  Because the range is at the same address in
 * every process, and the program is linked at a fixed address too, the range can be written
 * to a file, mapped somewhere else, and goes on working.
 *
 *   MEMORY_BASE   control page   struct memory_control
 *                small          the machine record, key and name tables, timer jobs, shared
 *                               buffers: a size-class allocator
 *                chunks         XS chunks: one block that grows in place, 1 GiB as in the
 *                               stock worker
 *                slots          XS slot heaps and the XS stack: never freed, never touching
 *                               (XS would merge two touching heaps, and snapshots differ)
 *
 * Invariants:
 *   A1  what outlives a command lies inside; what does not lies outside (malloc).
 *   A2  nothing inside depends on the process: no C stack address, no libc heap address.
 *   A3  the allocator's own state lies in the control page, so it travels with the memory.
 *   A4  memory above small_next, chunks_next and slots_next was never written.
 *
 * Out of memory is NULL; XS turns it into its own abort.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MEMORY_PAGE = 4096,
    MEMORY_CLASS_MIN = 6,  /* 64 bytes, the header included */
    MEMORY_CLASS_MAX = 30, /* 1 GiB */
};

#define MEMORY_GIB    (UINT64_C(1) << 30)
/* Below what the kernel hands out by itself, above AddressSanitizer's shadow. */
#define MEMORY_BASE   UINT64_C(0x200000000000)
#define MEMORY_SMALL  (MEMORY_BASE + MEMORY_PAGE)
#define MEMORY_CHUNKS (MEMORY_BASE + 2 * MEMORY_GIB)
/* allocationLimit is 2 GiB; gaps and the XS stack come on top. */
#define MEMORY_SLOTS  (MEMORY_CHUNKS + MEMORY_GIB)
#define MEMORY_END    (MEMORY_SLOTS + 3 * MEMORY_GIB)
#define MEMORY_BYTES  (MEMORY_END - MEMORY_BASE)

#define MEMORY_MAGIC UINT64_C(0x414e4552415a0001)

struct memory_control {
    uint64_t magic;
    uint64_t machine;     /* the XS machine, 0 before there is one */
    uint64_t small_next;  /* first address never handed out, of each part */
    uint64_t chunks_next;
    uint64_t slots_next;
    uint64_t free_first[MEMORY_CLASS_MAX + 1]; /* free small blocks by class */
};
static_assert(sizeof(struct memory_control) <= MEMORY_PAGE, "fits the control page");

static inline struct memory_control *memory_control(void)
{
    return (struct memory_control *)MEMORY_BASE;
}

static inline bool memory_holds(const void *p)
{
    return (uintptr_t)p - MEMORY_BASE < MEMORY_BYTES;
}

/* Reserve the whole range, zero filled on demand.  0, or -1 with errno. */
int memory_reserve(void);
/* Write the control page of an empty arena. */
void memory_init(void);
/* Is the control page one that memory_init() and the allocator can have left? */
bool memory_check(const struct memory_control *c);

/* One malloc block of the small part. */
void *memory_alloc(size_t n);
void *memory_zalloc(size_t count, size_t size);
void *memory_realloc(void *p, size_t n);
void memory_free(void *p);

/* `n` bytes of slots, page aligned, with a gap behind. */
void *memory_slots(size_t n);

/* Make the chunk part reach `end`, an address in it.  0, or -1 when 1 GiB is spent. */
int memory_chunks_extend(uint64_t end);
