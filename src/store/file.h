/* file.h -- files that appear whole, and names that stay inside their directory. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* mkdir -p. */
int dirs_make(const char *dir, struct err *e) MUST_CHECK;
/* What was made or removed in `dir` survives a power cut from here on. */
int dir_sync(const char *dir, struct err *e) MUST_CHECK;
/* "DIR/NAME", malloc'd. */
char *path_join(const char *dir, const char *name);
/* Write DIR/NAME by way of DIR/.NAME.tmp, so that it is there whole or not at all; on
 * disk when this returns. */
int file_put(const char *dir, const char *name, struct span bytes, struct err *e) MUST_CHECK;
/* All of `bytes` into `fd`. */
int fd_write(int fd, const char *path, struct span bytes, struct err *e) MUST_CHECK;
/* May a file in a directory we were given be called so?  Letters, digits, '.', '_', '-',
 * at most 255, and no dot in front. */
bool file_name_ok(struct span name);
