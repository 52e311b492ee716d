/* bundle_cache.h -- bundles made from source, kept until a source changes.
 *
 * One file per bundle, KEY.json: what the bundler answered, that is the bundle and all it
 * depends on (js/bundle-source.mjs): files with size and SHA-256, names where nothing was
 * found, links with where they led.  An entry is used only if all of that still holds, by
 * content, not by time.  A file is put in place whole, so several processes may share a
 * folder; one that does not read counts as none.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

/* The answer kept under `key`, if it still holds.  `key` is a file name without ending. */
bool bundle_cache_find(struct arena *a, const char *dir, const char *key, struct span *out);
/* fails  the folder or file cannot be written */
int bundle_cache_keep(struct arena *a, const char *dir, const char *key, struct span answer,
                      struct err *e) MUST_CHECK;
