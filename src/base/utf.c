#include "base/utf.h"

#include "base/arena.h"
#include "base/json.h"

size_t utf_decode(struct span s, uint32_t *cp)
{
    const unsigned char *p = (const unsigned char *)s.p;
    if (s.n == 0)
        return 0;
    if (p[0] < 0x80) {
        *cp = p[0];
        return 1;
    }
    size_t n = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    if (n == 0 || s.n < n)
        return 0;
    /* The second byte also keeps out overlong forms and what is above U+10FFFF. */
    unsigned char least = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char most = p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < least || p[1] > most)
        return 0;
    uint32_t c = p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    *cp = c;
    return n;
}

size_t utf_encode(char out[UTF_MAX], uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (cp & 0x3f));
        cp >>= 6;
    }
    out[0] = (char)((0xf00u >> n & 0xff) | cp);
    return n;
}

size_t utf_decode_joined(struct span s, uint32_t *cp)
{
    if (s.n == 0)
        return 0;
    size_t n = utf_decode(s, cp);
    if (n == 0) {
        *cp = UTF_REPLACEMENT;
        return 1;
    }
    uint32_t low;
    if (utf_is_high(*cp) && utf_decode(span_from(s, n), &low) == 3 && utf_is_low(low)) {
        *cp = utf_join(*cp, low);
        return 6;
    }
    return n;
}

/* -- comparing as UTF-16 ------------------------------------------------------- */

/* Code units from the front of `s`; a code point above U+FFFF leaves its second one in
 * `*low`.  -1 at the end. */
static int32_t next_unit(struct span *s, uint32_t *low)
{
    uint32_t cp;
    if (*low != 0) {
        cp = *low;
        *low = 0;
        return (int32_t)cp;
    }
    size_t n = utf_decode_joined(*s, &cp);
    if (n == 0)
        return -1;
    *s = span_from(*s, n);
    if (cp < 0x10000)
        return (int32_t)cp;
    *low = 0xdc00 + ((cp - 0x10000) & 0x3ff);
    return (int32_t)(0xd800 + ((cp - 0x10000) >> 10));
}

int utf16_cmp(struct span a, struct span b)
{
    size_t same = 0, shorter = a.n < b.n ? a.n : b.n;
    while (same < shorter && a.p[same] == b.p[same])
        same++;
    if (same == a.n && same == b.n)
        return 0;
    /* Back to where the code point begins that differs. */
    while (same > 0 && same < shorter && ((unsigned char)a.p[same] & 0xc0) == 0x80)
        same--;
    if (same > 0) {
        a = span_from(a, same);
        b = span_from(b, same);
    }

    uint32_t alow = 0, blow = 0;
    for (;;) {
        int32_t x = next_unit(&a, &alow), y = next_unit(&b, &blow);
        if (x != y)
            return x < y ? -1 : 1;
        if (x < 0)
            return 0;
    }
}

/* -- what Node makes of surrogates ------------------------------------------------ */

/* Where the first surrogate is; s.n if there is none.  Only ED A0..BF begins one. */
static size_t find_surrogate(struct span s)
{
    size_t at = 0;
    while (at + 1 < s.n) {
        const char *p = memchr(s.p + at, 0xed, s.n - 1 - at);
        if (p == NULL)
            break;
        if ((unsigned char)p[1] >= 0xa0)
            return (size_t)(p - s.p);
        at = (size_t)(p - s.p) + 1;
    }
    return s.n;
}

bool utf_has_surrogate(struct span s)
{
    return find_surrogate(s) < s.n;
}

/* `s` with `times` U+FFFD for each lone surrogate, from `at` on; there is one. */
static struct span replace_surrogates(struct arena *a, struct span s, size_t at, size_t times)
{
    /* U+FFFD has as many bytes as the surrogate it stands for; a pair gets shorter. */
    char *out = arena_alloc(a, at + (s.n - at) * times + 1);
    memcpy(out, s.p, at);
    size_t n = at;
    while (at < s.n) {
        uint32_t cp;
        size_t took = utf_decode_joined(span_from(s, at), &cp);
        if (took == 1 && cp == UTF_REPLACEMENT) {
            out[n++] = s.p[at]; /* not WTF-8: not ours to mend */
        } else if (utf_is_surrogate(cp)) {
            for (size_t i = 0; i < times; i++)
                n += utf_encode(out + n, UTF_REPLACEMENT);
        } else {
            n += utf_encode(out + n, cp);
        }
        at += took;
    }
    return (struct span){ out, n };
}

struct span wtf8_to_utf8(struct arena *a, struct span s)
{
    size_t at = find_surrogate(s);
    return at == s.n ? s : replace_surrogates(a, s, at, 1);
}

struct span wtf8_read_back(struct arena *a, struct span s)
{
    size_t at = find_surrogate(s);
    return at == s.n ? s : replace_surrogates(a, s, at, 3);
}
