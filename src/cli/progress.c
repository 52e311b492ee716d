/* progress.c -- one line on stderr for what takes longer than half a second. */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { FIRST_US = 500 * 1000, EVERY_US = 100 * 1000 };

uint64_t clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void progress_begin(struct progress *p, bool on, const char *what, uint64_t total)
{
    *p =
        (struct progress){ .on = on, .what = what, .total = total, .began_us = clock_us() };
}

static void show(struct progress *p, uint64_t now)
{
    double seconds = (double)(now - p->began_us) / 1e6;
    fprintf(stderr, "\r\033[K%s: ", p->what);
    if (p->total > 0)
        fprintf(stderr, "%" PRIu64 " of %" PRIu64 ", ", p->done, p->total);
    fprintf(stderr, "%" PRIu64 " cranks, %.0f/s, %.1f s", p->cranks,
            (double)p->cranks / seconds, seconds);
    if (p->total > p->done && p->done > 0)
        fprintf(stderr, ", %.0f s to go",
                seconds / (double)p->done * (double)(p->total - p->done));
    fflush(stderr);
    p->visible = true;
    p->shown_us = now;
}

void progress_tick(struct progress *p)
{
    if (!p->on)
        return;
    uint64_t now = clock_us();
    if (now - p->began_us >= FIRST_US && now - p->shown_us >= EVERY_US)
        show(p, now);
}

void progress_clear(struct progress *p)
{
    if (!p->visible)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    p->visible = false;
    p->shown_us = 0;
}
