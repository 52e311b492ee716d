/* suggest.h -- "did you mean …?" */
#pragma once

#include <stddef.h>

#include "base/span.h"

/* The name nearest to what was typed, or NULL if none is near. */
struct suggest {
    struct span typed;
    const char *best;
    size_t distance;
};

static inline struct suggest suggest_for(struct span typed)
{
    return (struct suggest){ typed, NULL, 0 };
}

/* Offer one candidate. */
void suggest_offer(struct suggest *s, const char *name);
