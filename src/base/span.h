/* span.h -- borrowed bytes.
 *
 * A span names bytes that somebody else keeps; it is not NUL terminated.  Who keeps
 * them, and until when, is said where the span is handed over (most often: the crank's
 * arena).  A span whose `p` is NULL is absent, which differs from empty.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *p;
    size_t n;
};

#define SPAN_NONE ((struct span){ NULL, 0 })
/* A span over a string literal. */
#define SPAN(lit) ((struct span){ "" lit, sizeof(lit) - 1 })
/* For printf: "%.*s", SPAN_ARG(s). */
#define SPAN_ARG(s) (int)(s).n, (s).p

static inline struct span span_of(const char *text)
{
    return (struct span){ text, strlen(text) };
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_is(struct span a, const char *text)
{
    return span_eq(a, span_of(text));
}

static inline bool span_starts(struct span a, struct span prefix)
{
    return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

/* Byte order; a proper prefix comes first. */
static inline int span_cmp(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n == 0 ? 0 : memcmp(a.p, b.p, n);
    return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

static inline struct span span_from(struct span a, size_t at)
{
    return (struct span){ a.p + at, a.n - at };
}

/* A byte of text from anybody, fit for a line that people read: '?' for a control character. */
static inline char shown_char(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f ? '?' : c;
}

/* The beginning of such a text. */
enum { SPAN_SHOWN_MAX = 400 };
struct span_shown {
    char s[SPAN_SHOWN_MAX + 1];
};
struct span_shown span_shown(struct span text);

/* A decimal without sign or leading zero that fits in 63 bits, and nothing after it. */
bool span_u64(struct span s, uint64_t *out);
