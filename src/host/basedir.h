/* basedir.h -- a folder of vats as a config (upstream's loadBasedir).
 *
 * Each regular file vat-NAME.js is the source of a vat NAME, bootstrap.js that of the
 * bootstrap vat.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

bool basedir_is(const char *path);
/* The config, as JSON text in `a`; its paths are seen from the folder.
 * fails  EXIT_NOT_FOUND no bootstrap.js; EXIT_FAILED the folder cannot be read */
int basedir_config(struct arena *a, const char *dir, struct span *text,
                   struct err *e) MUST_CHECK;
