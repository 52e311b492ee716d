/* slog_file.h -- the kernel's slog (kernel/slog.h), with times, in a file.
 *
 * One JSON object a line, appended.  The clock is read here, as upstream's controller does:
 * `time` is seconds since 1970, `monotime` seconds since the file was opened, `seconds` how
 * long a span took.  Lines are written out at the end of each crank.
 *
 * Of upstream's process events there are kernel-init-start and -finish; there is no kernel
 * bundle here, so bundle-kernel-* and import-kernel-* have no place.
 *
 * A file that cannot be written any more is a warning, once, and the run goes on: the slog is
 * for people, the store is the record.
 */
#pragma once

#include "kernel/kernel.h"

struct slog_file;

/* Opens for appending; made if missing.  fails  the world's. */
int slog_file_open(const char *path, struct slog_file **out, struct err *e) MUST_CHECK;
void slog_file_close(struct slog_file *f);

/* The kernel's sink: `self` is a struct slog_file. */
void slog_file_event(void *self, const struct slog_event *event);
/* kernel-init-start, before the kernel is opened; kernel-init-finish after. */
void slog_file_init(struct slog_file *f, bool finish);
