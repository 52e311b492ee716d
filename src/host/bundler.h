/* bundler.h -- bundles made from source, by @endo/bundle-source under Node.
 *
 * Node runs only when a bundle must be made anew (bundle_cache.h), once for all that one
 * bundler is asked for.  What it answers is not trusted: who asks checks the bundle.
 *
 *   bundler_init … bundler_make, any number of times … bundler_fini
 */
#pragma once

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

struct bundler {
    const char *cache; /* folder of kept bundles; NULL: none are kept */
    pid_t pid;         /* Node, once it runs; 0 before */
    int fd;            /* its standard input and output */
    int err_fd;        /* what it wrote to standard error */
};

/* `cache` NULL: in the user's cache (paths_cache), if there is one. */
void bundler_init(struct bundler *b, struct arena *a, const char *cache);
void bundler_fini(struct bundler *b);

struct bundler_request {
    struct span spec; /* a path, or a package's module */
    const char *from; /* absolute folder that `spec` is seen from */
    bool dev;         /* devDependencies count */
};

/* The bundle of a module and what it imports, as JSON text in `a`.
 * fails  EXIT_NOT_FOUND  no such module; no Node; no @endo/bundle-source
 *        EXIT_FAILED     a module does not parse, or imports what is not there */
int bundler_make(struct bundler *b, struct arena *a, const struct bundler_request *r,
                 struct span *bundle, struct err *e) MUST_CHECK;
