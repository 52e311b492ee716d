/* rng.h -- random numbers that a printed seed brings back: xoshiro256**, by splitmix64.
 *
 *     struct rng r = rng_new(rng_seed_from_env(1));
 *     if (rng_chance(&r, 1, 4)) op = ops[rng_below(&r, COUNT)];
 *
 * A failing test prints `ZYGOTE_SEED=… command`.
 */
#pragma once

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct rng {
    uint64_t seed; /* what it began with, for the message */
    uint64_t s[4];
};

static inline uint64_t rng_splitmix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline struct rng rng_new(uint64_t seed)
{
    struct rng r = { .seed = seed };
    for (int i = 0; i < 4; i++)
        r.s[i] = rng_splitmix(&seed);
    return r;
}

/* ZYGOTE_SEED (decimal or 0x…), or `otherwise`. */
static inline uint64_t rng_seed_from_env(uint64_t otherwise)
{
    const char *text = getenv("ZYGOTE_SEED");
    return text == NULL || *text == '\0' ? otherwise : strtoull(text, NULL, 0);
}

static inline uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s, x = s[1] * 5, out = (x << 7 | x >> 57) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3] << 45 | s[3] >> 19;
    return out;
}

/* In [0, bound), without bias. */
static inline uint64_t rng_below(struct rng *r, uint64_t bound)
{
    assert(bound > 0);
    uint64_t reject = -bound % bound, x; /* 2^64 mod bound */
    do
        x = rng_u64(r);
    while (x < reject);
    return x % bound;
}

/* In [least, most]. */
static inline int64_t rng_range(struct rng *r, int64_t least, int64_t most)
{
    assert(least <= most);
    uint64_t width = (uint64_t)most - (uint64_t)least + 1;
    return (int64_t)((uint64_t)least + (width == 0 ? rng_u64(r) : rng_below(r, width)));
}

/* True `n` times out of `of`. */
static inline bool rng_chance(struct rng *r, unsigned n, unsigned of)
{
    return rng_below(r, of) < n;
}

static inline void rng_bytes(struct rng *r, void *out, size_t n)
{
    for (size_t at = 0; at < n; at += 8) {
        uint64_t x = rng_u64(r);
        memcpy((char *)out + at, &x, n - at < 8 ? n - at : 8);
    }
}

/* One element of an array (not a pointer). */
#define RNG_PICK(r, array) ((array)[rng_below((r), sizeof(array) / sizeof(array)[0])])
