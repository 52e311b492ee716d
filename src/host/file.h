/* file.h -- whole files, for the host. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

/* A whole regular file, in the arena.
 * fails  EXIT_NOT_FOUND no such file; EXIT_FAILED it cannot be read, or is larger than
 *        FILE_BYTES_MAX. */
enum { FILE_BYTES_MAX = 1 << 29 };
int file_read(struct arena *a, const char *path, struct span *out,
              struct err *e) MUST_CHECK;

/* `name` as seen from the folder of `file`: itself if absolute. */
const char *file_beside(struct arena *a, const char *file, struct span name);
/* `dir`/`name`. */
const char *file_join(struct arena *a, const char *dir, const char *name);
/* Make a directory and those above it. */
int file_make_dirs(struct arena *a, const char *dir, unsigned mode,
                   struct err *e) MUST_CHECK;
