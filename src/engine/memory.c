#include "engine/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* In front of every small block.  16 bytes keep what follows aligned. */
struct small_header {
    uint64_t size_class;
    uint64_t next_free; /* address of the next free block's header, while free */
};
static_assert(sizeof(struct small_header) == 16, "alignment of small blocks");

int memory_reserve(void)
{
    if (sysconf(_SC_PAGESIZE) != MEMORY_PAGE) {
        errno = ENOTSUP;
        return -1;
    }
    void *at = mmap((void *)MEMORY_BASE, MEMORY_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (at == MAP_FAILED) return -1;
    if (at == (void *)MEMORY_BASE) return 0;
    munmap(at, MEMORY_BYTES); /* a kernel older than MAP_FIXED_NOREPLACE */
    errno = EEXIST;
    return -1;
}

void memory_init(void)
{
    *memory_control() = (struct memory_control){
        .magic = MEMORY_MAGIC,
        .small_next = MEMORY_SMALL,
        .chunks_next = MEMORY_CHUNKS,
        .slots_next = MEMORY_SLOTS,
    };
}

static bool within(uint64_t p, uint64_t from, uint64_t to)
{
    return p >= from && p <= to;
}

bool memory_check(const struct memory_control *c)
{
    if (c->magic != MEMORY_MAGIC) return false;
    if (!within(c->small_next, MEMORY_SMALL, MEMORY_CHUNKS)) return false;
    if (!within(c->chunks_next, MEMORY_CHUNKS, MEMORY_SLOTS)) return false;
    if (!within(c->slots_next, MEMORY_SLOTS, MEMORY_END)) return false;
    if (!within(c->machine, MEMORY_SMALL, c->small_next)) return false;
    for (int i = 0; i <= MEMORY_CLASS_MAX; i++) {
        uint64_t p = c->free_first[i];
        if (p == 0) continue;
        if (p % 16 != 0 || !within(p, MEMORY_SMALL, c->small_next - 16)) return false;
    }
    return true;
}

/* The smallest class that holds `n` bytes and the header, 0 if none does. */
static unsigned class_of(size_t n)
{
    if (n > (UINT64_C(1) << MEMORY_CLASS_MAX) - sizeof(struct small_header)) return 0;
    unsigned c = MEMORY_CLASS_MIN;
    while ((UINT64_C(1) << c) < n + sizeof(struct small_header)) c++;
    return c;
}

void *memory_alloc(size_t n)
{
    struct memory_control *a = memory_control();
    unsigned c = class_of(n);
    if (c == 0) return NULL;
    struct small_header *h = (struct small_header *)a->free_first[c];
    if (h != NULL) {
        a->free_first[c] = h->next_free;
    } else {
        if (MEMORY_CHUNKS - a->small_next < (UINT64_C(1) << c)) return NULL;
        h = (struct small_header *)a->small_next;
        a->small_next += UINT64_C(1) << c;
    }
    *h = (struct small_header){ .size_class = c };
    return h + 1;
}

void *memory_zalloc(size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n)) return NULL;
    void *p = memory_alloc(n);
    if (p != NULL) memset(p, 0, n);
    return p;
}

void memory_free(void *p)
{
    struct memory_control *a = memory_control();
    struct small_header *h = (struct small_header *)p - 1;
    h->next_free = a->free_first[h->size_class];
    a->free_first[h->size_class] = (uint64_t)h;
}

void *memory_realloc(void *p, size_t n)
{
    if (p == NULL) return memory_alloc(n);
    const struct small_header *h = (struct small_header *)p - 1;
    size_t room = (UINT64_C(1) << h->size_class) - sizeof *h;
    if (n <= room) return p;
    void *q = memory_alloc(n);
    if (q == NULL) return NULL;
    memcpy(q, p, room);
    memory_free(p);
    return q;
}

void *memory_slots(size_t n)
{
    struct memory_control *a = memory_control();
    uint64_t need = (n + MEMORY_PAGE - 1) / MEMORY_PAGE * MEMORY_PAGE + MEMORY_PAGE;
    if (n > MEMORY_BYTES || MEMORY_END - a->slots_next < need) return NULL;
    void *at = (void *)a->slots_next;
    a->slots_next += need;
    return at;
}

int memory_chunks_extend(uint64_t end)
{
    if (!within(end, MEMORY_CHUNKS, MEMORY_SLOTS)) return -1;
    if (end > memory_control()->chunks_next) memory_control()->chunks_next = end;
    return 0;
}
