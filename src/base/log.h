/* log.h -- lines for people, on stderr; never data, never part of the record.
 *
 * One process tag in front ("zygote: …").  Levels: quiet < normal < verbose.
 */
#pragma once

#include <stddef.h>

enum log_level { LOG_QUIET = 0, LOG_NORMAL, LOG_VERBOSE };

void log_init(const char *tag, enum log_level level);
/* Hand lines to `sink` instead, without tag or newline; NULL: to stderr again.  For the
 * whole process. */
void log_divert(void (*sink)(void *self, const char *text, size_t length), void *self);
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
