/* gen.h -- every case of a small space, once each (after TigerBeetle's exhaustigen).
 *
 *     struct gen g = { 0 };
 *     while (gen_next(&g)) { build a case with gen_pick(); check it; }
 *
 * The build may make later choices depend on earlier ones.  gen_print() writes the choices
 * of the case at hand; GEN_REPLAY() runs that one alone.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>

enum { GEN_DEPTH_MAX = 64 };

struct gen {
    bool started, replay;
    unsigned at, used;
    struct {
        unsigned value, bound;
    } c[GEN_DEPTH_MAX];
};

/* A generator of the one case that gen_print() printed: GEN_REPLAY(2, 0, 1). */
#define GEN_REPLAY(...)                                                      \
    gen_replay((const unsigned[]){ __VA_ARGS__ },                            \
               sizeof((const unsigned[]){ __VA_ARGS__ }) / sizeof(unsigned))

static inline struct gen gen_replay(const unsigned *choices, size_t n)
{
    struct gen g = { .replay = true, .used = (unsigned)n };
    assert(n <= GEN_DEPTH_MAX);
    for (size_t i = 0; i < n; i++)
        g.c[i].value = choices[i];
    return g;
}

static inline bool gen_next(struct gen *g)
{
    if (!g->started) {
        g->started = true;
        return true;
    }
    for (unsigned i = g->replay ? 0 : g->used; i-- > 0;) {
        if (g->c[i].value < g->c[i].bound) {
            g->c[i].value++;
            g->used = i + 1;
            g->at = 0;
            return true;
        }
    }
    return false;
}

/* A choice in [0, bound]. */
static inline unsigned gen_pick(struct gen *g, unsigned bound)
{
    assert(g->at < GEN_DEPTH_MAX);
    if (g->at == g->used) {
        g->c[g->used].value = 0;
        g->used++;
    }
    assert(g->c[g->at].value <= bound);
    g->c[g->at].bound = bound;
    return g->c[g->at++].value;
}

static inline void gen_print(const struct gen *g, FILE *f)
{
    for (unsigned i = 0; i < g->at; i++)
        fprintf(f, "%s%u", i == 0 ? "GEN_REPLAY(" : ", ", g->c[i].value);
    fprintf(f, ")\n");
}
