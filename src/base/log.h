/* log.h -- lines for people, on stderr; never data, never part of the record.
 *
 * One process tag in front ("zygote: …").  Levels: quiet < normal < verbose.
 */
#pragma once

enum log_level { LOG_QUIET = 0, LOG_NORMAL, LOG_VERBOSE };

void log_init(const char *tag, enum log_level level);
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
