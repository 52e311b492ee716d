/* xalloc.h -- memory that is there, or the process ends.
 *
 * The kernel does not survive running out of memory: a restart recovers the last commit.
 * Sizes that come from a vat are bounded before they reach this.
 */
#pragma once

#include <stddef.h>

void *xmalloc(size_t n);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
