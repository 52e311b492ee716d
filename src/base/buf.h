/* buf.h -- bytes that grow.
 *
 * A zeroed struct is an empty buffer.  buf_fini() frees it; buf_reset() empties it and
 * keeps the memory.  The span of a buffer is good until the next buf_ call on it.
 */
#pragma once

#include <stdarg.h>

#include "base/span.h"

struct buf {
    char *p;
    size_t n;
    size_t cap;
};

void buf_fini(struct buf *b);
void buf_reset(struct buf *b);
/* Room for `n` more bytes; returns where they go.  Follow with `b->n += …`. */
char *buf_room(struct buf *b, size_t n);
void buf_put(struct buf *b, struct span s);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_put_i64(struct buf *b, int64_t value); /* decimal */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static inline struct span buf_span(const struct buf *b)
{
    return (struct span){ b->p == NULL ? "" : b->p, b->n };
}
