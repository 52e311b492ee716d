#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/xalloc.h"

/* Under AddressSanitizer what the arena has not handed out is poisoned, so that a pointer
 * kept past arena_reset() is found. */
#if defined(__has_feature)
#  if __has_feature(address_sanitizer)
#    define ARENA_ASAN 1
#  endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#  define ARENA_ASAN 1
#endif
#ifdef ARENA_ASAN
#  include <sanitizer/asan_interface.h>
#else
#  define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#  define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum {
    ARENA_ALIGN = 16,
    /* A crank's usual needs; larger wishes get a block of their own. */
    ARENA_BLOCK = 64 * 1024,
};

struct arena_block {
    struct arena_block *older;
    size_t cap;
    alignas(ARENA_ALIGN) char bytes[];
};

static struct arena_block *block_new(size_t cap, struct arena_block *older)
{
    struct arena_block *b = xmalloc(sizeof *b + cap);
    b->older = older;
    b->cap = cap;
    ASAN_POISON_MEMORY_REGION(b->bytes, cap);
    return b;
}

static void block_free(struct arena_block *b)
{
    ASAN_UNPOISON_MEMORY_REGION(b->bytes, b->cap);
    free(b);
}

void arena_init(struct arena *a)
{
    *a = (struct arena){ NULL, 0 };
}

void arena_fini(struct arena *a)
{
    while (a->blocks != NULL) {
        struct arena_block *b = a->blocks;
        a->blocks = b->older;
        block_free(b);
    }
    a->used = 0;
}

void arena_reset(struct arena *a)
{
    struct arena_block *keep = a->blocks;
    if (keep == NULL)
        return;
    a->blocks = keep->older;
    if (keep->cap > ARENA_BLOCK) { /* one large crank must not hold on to its memory */
        block_free(keep);
        keep = NULL;
    }
    arena_fini(a);
    if (keep != NULL) {
        keep->older = NULL;
        ASAN_POISON_MEMORY_REGION(keep->bytes, keep->cap);
    }
    a->blocks = keep;
}

/* Unused room for `n` bytes, not zeroed. */
static char *take(struct arena *a, size_t n)
{
    INVARIANT(n <= SIZE_MAX / 2);
    size_t rounded = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    struct arena_block *b = a->blocks;

    if (b != NULL && b->cap - a->used >= rounded) {
        char *p = b->bytes + a->used;
        a->used += rounded;
        ASAN_UNPOISON_MEMORY_REGION(p, n);
        return p;
    }
    if (b != NULL && rounded > ARENA_BLOCK / 4) {
        /* Of its own, behind the newest, whose room stays in use. */
        b->older = block_new(rounded, b->older);
        ASAN_UNPOISON_MEMORY_REGION(b->older->bytes, n);
        return b->older->bytes;
    }
    a->blocks = block_new(rounded > ARENA_BLOCK ? rounded : ARENA_BLOCK, b);
    a->used = rounded;
    ASAN_UNPOISON_MEMORY_REGION(a->blocks->bytes, n);
    return a->blocks->bytes;
}

void *arena_alloc(struct arena *a, size_t n)
{
    char *p = take(a, n);
    return n == 0 ? p : memset(p, 0, n);
}

struct span arena_copy(struct arena *a, struct span s)
{
    if (s.p == NULL)
        return SPAN_NONE;
    char *p = take(a, s.n + 1);
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return (struct span){ p, s.n };
}

struct span arena_u64(struct arena *a, uint64_t n)
{
    char digits[20], *end = digits + sizeof digits, *p = end;
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return arena_copy(a, (struct span){ p, (size_t)(end - p) });
}

struct span arena_printf(struct arena *a, const char *fmt, ...)
{
    char here[128]; /* most are keys: no buffer is made for them */
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(here, sizeof here, fmt, ap);
    va_end(ap);
    INVARIANT(n >= 0);
    char *text = arena_alloc(a, (size_t)n + 1);
    if ((size_t)n < sizeof here) {
        memcpy(text, here, (size_t)n + 1);
    } else {
        vsnprintf(text, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    return (struct span){ text, (size_t)n };
}
