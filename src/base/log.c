#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/buf.h"

static const char *log_tag = "zygote";
static enum log_level log_level = LOG_NORMAL;
static void (*log_sink)(void *self, const char *text, size_t length);
static void *log_self;

void log_init(const char *tag, enum log_level level)
{
    log_tag = tag;
    log_level = level;
}

void log_divert(void (*sink)(void *self, const char *text, size_t length), void *self)
{
    log_sink = sink;
    log_self = self;
}

/* What a vat wrote may be in a message: nothing in it may move the cursor, or start a
 * line that looks like one of ours.  Further lines are indented. */
static void put_tame(struct buf *line, struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool c1 = c == 0xc2 && i + 1 < s.n && ((unsigned char)s.p[i + 1] & 0xe0) == 0x80;
        if (c1)
            buf_printf(line, "\\x%02x", (unsigned char)s.p[++i]);
        else if (c == '\n')
            buf_puts(line, "\n    ");
        else if ((c < 0x20 && c != '\t') || c == 0x7f)
            buf_printf(line, "\\x%02x", c);
        else
            buf_putc(line, (char)c);
    }
}

/* In one write, so that lines of several processes do not mix. */
static void write_line(struct span rest)
{
    while (rest.n > 0) {
        ssize_t n = write(STDERR_FILENO, rest.p, rest.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* nobody to tell */
        rest = span_from(rest, (size_t)n);
    }
}

__attribute__((format(printf, 1, 0))) static void say(const char *fmt, va_list ap)
{
    int saved = errno;
    struct buf text = { 0 }, line = { 0 };
    buf_vprintf(&text, fmt, ap);
    if (log_sink == NULL)
        buf_printf(&line, "%s: ", log_tag);
    put_tame(&line, buf_span(&text));
    if (log_sink != NULL) {
        log_sink(log_self, buf_span(&line).p, line.n);
    } else {
        buf_putc(&line, '\n');
        write_line(buf_span(&line));
    }
    buf_fini(&text);
    buf_fini(&line);
    errno = saved;
}

#define LOG_AT(level)            \
    do {                         \
        if (log_level < (level)) \
            return;              \
        va_list ap;              \
        va_start(ap, fmt);       \
        say(fmt, ap);            \
        va_end(ap);              \
    } while (0)

void log_warn(const char *fmt, ...)
{
    LOG_AT(LOG_QUIET);
}

void log_info(const char *fmt, ...)
{
    LOG_AT(LOG_NORMAL);
}

void log_debug(const char *fmt, ...)
{
    LOG_AT(LOG_VERBOSE);
}
