/* progress.h -- one line on stderr for what takes longer than half a second. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool on;          /* a terminal is there and nobody said no */
    const char *what; /* "run" */
    uint64_t total;   /* of steps; 0: unknown */

    uint64_t began_us, shown_us;
    uint64_t done, cranks;
    bool visible;
};

uint64_t clock_us(void); /* monotonic */

void progress_begin(struct progress *p, bool on, const char *what, uint64_t total);
/* Something happened: show it if it is time to. */
void progress_tick(struct progress *p);
/* Take the line away, before something else is written, or for good. */
void progress_clear(struct progress *p);
