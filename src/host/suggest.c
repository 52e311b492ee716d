/* suggest.c -- edit distance with neighbouring letters swapped counted as one slip. */
#include "host/suggest.h"

enum { SUGGEST_LEN_MAX = 32 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Optimal string alignment distance, letter case aside. */
static size_t distance(struct span a, struct span b)
{
    size_t d[SUGGEST_LEN_MAX + 1][SUGGEST_LEN_MAX + 1];
    for (size_t i = 0; i <= a.n; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= b.n; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        for (size_t j = 1; j <= b.n; j++) {
            char x = lower(a.p[i - 1]), y = lower(b.p[j - 1]);
            d[i][j] =
                least(least(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b.p[j - 2]) && lower(a.p[i - 2]) == y)
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[a.n][b.n];
}

void suggest_offer(struct suggest *s, const char *name)
{
    struct span candidate = span_of(name);
    if (s->typed.n == 0 || s->typed.n > SUGGEST_LEN_MAX || candidate.n > SUGGEST_LEN_MAX)
        return;
    size_t far = distance(s->typed, candidate);
    size_t longer = s->typed.n > candidate.n ? s->typed.n : candidate.n;
    bool near = far <= 1 + longer / 5 && far < longer;
    if (near && (s->best == NULL || far < s->distance)) {
        s->best = name;
        s->distance = far;
    }
}
