#include "base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *there(void *p, size_t n)
{
    if (p == NULL) {
        fprintf(stderr, "out of memory (%zu bytes)\n", n);
        abort();
    }
    return p;
}

void *xmalloc(size_t n)
{
    return there(malloc(n == 0 ? 1 : n), n);
}

void *xcalloc(size_t count, size_t size)
{
    if (count == 0 || size == 0)
        count = size = 1;
    return there(calloc(count, size), size); /* calloc refuses a product that overflows */
}

void *xrealloc(void *p, size_t n)
{
    return there(realloc(p, n == 0 ? 1 : n), n);
}

char *xstrdup(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(xmalloc(n), s, n);
}
