#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int err_set(struct err *e, enum exit_code exit, const char *fmt, ...)
{
    /* By way of a copy: the arguments may point into `e`. */
    char text[sizeof e->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    memcpy(e->text, text, sizeof text);
    e->exit = exit;
    return -1;
}

int err_sys(struct err *e, const char *fmt, ...)
{
    int saved = errno;
    char text[sizeof e->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    char reason[128];
    /* The GNU strerror_r: it may or may not use the buffer. */
    const char *why = strerror_r(saved, reason, sizeof reason);
    err_set(e, EXIT_FAILED, "%s: %s", text, why);
    errno = saved;
    return -1;
}

int err_while(struct err *e, const char *fmt, ...)
{
    char context[sizeof e->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(context, sizeof context, fmt, ap);
    va_end(ap);
    return err_set(e, e->exit, "%s: %s", context, e->text);
}

_Noreturn void bug(const char *file, int line, const char *what)
{
    fprintf(stderr, "BUG: %s:%d: %s\n", file, line, what);
    abort();
}
