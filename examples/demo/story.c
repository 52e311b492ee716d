#include "demo/story.h"

#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RIGHT_EDGE = 78 };

void story_open(struct story *s, bool silent)
{
    *s = (struct story){ .silent = silent, .progress = isatty(STDERR_FILENO) == 1 };
    const char *no_color = getenv("NO_COLOR");
    s->color = isatty(STDOUT_FILENO) == 1 && (no_color == NULL || no_color[0] == '\0');
    setlocale(LC_CTYPE, "");
    s->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    setvbuf(stdout, NULL, _IOLBF, 0); /* in order with stderr, also into a file */
}

void story_say(struct story *s, const char *fmt, ...)
{
    story_progress_end(s);
    if (s->silent) return;
    va_list ap;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

void story_chapter(struct story *s, const char *text)
{
    story_progress_end(s);
    if (s->silent) return;
    printf(s->color ? "\n\033[1m%s\033[0m\n" : "\n%s\n", text);
}

void story_timed(struct story *s, uint64_t us, const char *fmt, ...)
{
    story_progress_end(s);
    if (s->silent) return;
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    int width = RIGHT_EDGE - 2 - (int)strlen(text);
    printf("  %s%*s\n", text, width < 10 ? 10 : width, time_text((double)us).s);
}

void story_claim(struct story *s, bool holds, const char *fmt, ...)
{
    INVARIANT(s->claim_count < CLAIMS_MAX);
    struct claim *c = &s->claims[s->claim_count++];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->text, sizeof c->text, fmt, ap);
    va_end(ap);
    c->holds = holds;
    story_progress_end(s);
    if (!holds) {
        s->false_count++;
        fprintf(stderr, "zygote-demo: NOT TRUE: %s\n", c->text);
    } else if (!s->silent) {
        printf("  %s %s\n", s->utf8 ? "✓" : "ok:", c->text);
    }
}

void story_doing(struct story *s, const char *what)
{
    if (!s->progress) return;
    fprintf(stderr, "\r\033[K  %s %s", what, s->utf8 ? "…" : "...");
    fflush(stderr);
    s->doing = true;
}

void story_progress(struct story *s, const char *what, unsigned done, unsigned total)
{
    if (!s->progress) return;
    fprintf(stderr, "\r\033[K  %s: %u of %u", what, done, total);
    fflush(stderr);
    s->doing = true;
}

void story_progress_end(struct story *s)
{
    if (!s->doing) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    s->doing = false;
}

/* Three digits that mean something. */
static struct amount_text amount(double n, const char *unit)
{
    struct amount_text t;
    int decimals = n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2;
    snprintf(t.s, sizeof t.s, "%.*f %s", decimals, n, unit);
    return t;
}

struct amount_text time_text(double us)
{
    if (us < 1e3) return amount(us, "us");
    if (us < 1e6) return amount(us / 1e3, "ms");
    return amount(us / 1e6, "s");
}

struct amount_text bytes_text(double bytes)
{
    if (bytes < 1024) return amount(bytes, "bytes");
    if (bytes < 1024 * 1024) return amount(bytes / 1024, "KiB");
    return amount(bytes / (1024 * 1024), "MiB");
}
