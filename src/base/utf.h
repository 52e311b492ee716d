/* utf.h -- one code point at a time, in WTF-8.
 *
 * WTF-8 is UTF-8 that may also hold surrogates, each as its own three bytes.  Everything
 * else is as strict as Unicode's table 3-7: no overlong forms, nothing above U+10FFFF.
 */
#pragma once

#include "base/span.h"

enum { UTF_MAX = 4, UTF_REPLACEMENT = 0xfffd };

/* Length (1..4) of the code point that `s` begins with; 0 if it begins with none. */
size_t utf_decode(struct span s, uint32_t *cp);
/* Writes 1..4 bytes. */
size_t utf_encode(char out[UTF_MAX], uint32_t cp);

/* As utf_decode(), but two surrogates that make a pair come as the one code point they
 * mean, and a byte that belongs to nothing as U+FFFD; 0 only at the end. */
size_t utf_decode_joined(struct span s, uint32_t *cp);

/* Whether there is a surrogate in it, alone or one of a pair. */
bool utf_has_surrogate(struct span s);

static inline bool utf_is_high(uint32_t cp)
{
    return cp >= 0xd800 && cp < 0xdc00;
}

static inline bool utf_is_low(uint32_t cp)
{
    return cp >= 0xdc00 && cp < 0xe000;
}

static inline bool utf_is_surrogate(uint32_t cp)
{
    return cp >= 0xd800 && cp < 0xe000;
}

static inline uint32_t utf_join(uint32_t high, uint32_t low)
{
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}
