#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/xalloc.h"

void buf_fini(struct buf *b)
{
    free(b->p);
    *b = (struct buf){ NULL, 0, 0 };
}

void buf_reset(struct buf *b)
{
    b->n = 0;
}

char *buf_room(struct buf *b, size_t n)
{
    if (b->p == NULL || b->cap - b->n < n) {
        INVARIANT(n <= SIZE_MAX / 4 && b->n <= SIZE_MAX / 4);
        size_t cap = b->cap < 64 ? 64 : b->cap * 2;
        if (cap < b->n + n)
            cap = b->n + n;
        b->p = xrealloc(b->p, cap);
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_put(struct buf *b, struct span s)
{
    if (s.n == 0)
        return;
    memcpy(buf_room(b, s.n), s.p, s.n);
    b->n += s.n;
}

void buf_puts(struct buf *b, const char *s)
{
    buf_put(b, span_of(s));
}

void buf_putc(struct buf *b, char c)
{
    *buf_room(b, 1) = c;
    b->n++;
}

void buf_put_i64(struct buf *b, int64_t value)
{
    char digits[20], *end = digits + sizeof digits, *p = end;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) buf_putc(b, '-');
    buf_put(b, (struct span){ p, (size_t)(end - p) });
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    char *p = buf_room(b, 64);
    size_t room = b->cap - b->n;
    int n = vsnprintf(p, room, fmt, ap);
    INVARIANT(n >= 0);
    if ((size_t)n >= room)
        vsnprintf(buf_room(b, (size_t)n + 1), (size_t)n + 1, fmt, again);
    va_end(again);
    b->n += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}
