/* paths.h -- where things are on this machine.
 *
 *   worker   $ZYGOTE_WORKER, else zygote-worker beside the running program, else in PREFIX/bin
 *   bundles  $ZYGOTE_BUNDLES, else bundles/ beside the running program (a build), else
 *            ../share/zygote/bundles from there (an installation), else the same in PREFIX
 *   bundler  $ZYGOTE_BUNDLER, else bundle-source.mjs, looked for like bundles/
 *   node     $ZYGOTE_NODE, else node, as found in $PATH
 *   cache    $ZYGOTE_CACHE, else $XDG_CACHE_HOME/zygote, else ~/.cache/zygote
 *
 * PREFIX is where `make install` puts things: for host programs that are installed elsewhere.
 * An empty environment variable counts as none.  Paths live in the arena.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

/* fails  EXIT_NOT_FOUND, naming what was looked for and where. */
int paths_worker(struct arena *a, const char **out, struct err *e) MUST_CHECK;
int paths_bundles(struct arena *a, const char **out, struct err *e) MUST_CHECK;
int paths_bundler(struct arena *a, const char **out, struct err *e) MUST_CHECK;
const char *paths_node(struct arena *a);
/* The directory is made if it is not there. */
int paths_cache(struct arena *a, const char **out, struct err *e) MUST_CHECK;
