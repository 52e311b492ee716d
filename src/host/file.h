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

/* Put a file in place, whole or not at all. */
int file_write(struct arena *a, const char *path, struct span content,
               struct err *e) MUST_CHECK;

/* `name` as seen from the folder of `file`: itself if absolute. */
const char *file_beside(struct arena *a, const char *file, struct span name);
/* A package's file ("@agoric/vats/bundle.json"), in the nearest node_modules of `dir` or
 * above that has it; NULL if none has, or `name` is a path (./x, /x). */
const char *file_module(struct arena *a, const char *dir, struct span name);
/* The folder a file is in, absolute. */
int file_folder(struct arena *a, const char *file, const char **out, struct err *e) MUST_CHECK;
/* `dir`/`name`. */
const char *file_join(struct arena *a, const char *dir, const char *name);
/* Make a directory and those above it. */
int file_make_dirs(struct arena *a, const char *dir, unsigned mode,
                   struct err *e) MUST_CHECK;
