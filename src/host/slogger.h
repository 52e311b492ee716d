/* slogger.h -- the kernel's slog (kernel/slog.h), with times, for a file or a function.
 *
 * One JSON object a line.  The clock is read here, as upstream's controller does: `time` is
 * seconds since 1970, `monotime` seconds since the slogger was opened, `seconds` how long a
 * span took.  A file is appended to, and written at the end of each crank.
 *
 * Of upstream's process events there are kernel-init-start and -finish; there is no kernel
 * bundle here, so bundle-kernel-* and import-kernel-* have no place.
 *
 * A file that cannot be written any more is a warning, once, and the run goes on: the slog is
 * for people, the store is the record.
 */
#pragma once

#include "kernel/kernel.h"

struct slogger;

/* Where lines go: to either, to both. */
struct slogger_target {
    const char *file; /* opened for appending, made if missing; or NULL */
    /* Told of each line, without its end, for this call; or NULL. */
    void (*line)(void *self, struct span text);
    void *self;
};

/* fails  the world's: the file. */
int slogger_open(const struct slogger_target *to, struct slogger **out, struct err *e) MUST_CHECK;
void slogger_close(struct slogger *s);
/* Have all lines written. */
void slogger_flush(struct slogger *s);

/* The kernel's sink: `self` is a struct slogger. */
void slogger_event(void *self, const struct slog_event *event);
/* kernel-init-start, before the kernel is opened; kernel-init-finish after. */
void slogger_init(struct slogger *s, bool finish);
/* An object of the host's own: `type` first, then its other members, then the times, with its
 * `seconds` behind them.  (Upstream: writeSlogObject.)
 * fails  EXIT_USAGE no object, no text as `type`, a `time` or `monotime` of its own, which
 *        upstream's types rule out. */
int slogger_check(struct jval object, struct err *e) MUST_CHECK;
/* call  after slogger_check. */
void slogger_object(struct slogger *s, struct jval object);
