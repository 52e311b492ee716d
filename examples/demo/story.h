/* story.h -- what the demo says, and the claims it makes while it says it.
 *
 * Data and story go to stdout; progress, and what went wrong, to stderr.  With --json the
 * story is silent, and stdout holds one JSON document at the end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct claim {
    bool holds;
    char text[160];
};

enum { CLAIMS_MAX = 64 };

struct story {
    bool silent;   /* --json */
    bool progress; /* stderr is a terminal */
    bool color, utf8;
    bool doing;    /* a line of progress is visible */
    struct claim claims[CLAIMS_MAX];
    unsigned claim_count, false_count;
};

void story_open(struct story *s, bool silent);

void story_say(struct story *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A heading of its own. */
void story_chapter(struct story *s, const char *text);
/* A line with a figure at its right edge. */
void story_timed(struct story *s, uint64_t us, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Something the demo promises: told, and counted against it if it does not hold. */
void story_claim(struct story *s, bool holds, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* What goes on now, on stderr if that is a terminal, until the next line of the story:
 * "createVat …", "forking: 37 of 100". */
void story_doing(struct story *s, const char *what);
void story_progress(struct story *s, const char *what, unsigned done, unsigned total);
void story_progress_end(struct story *s);

/* "1.62 s", "14.2 ms", "870 us"; "48.1 MB", "3.4 KB". */
struct amount_text { char s[32]; };
struct amount_text time_text(double us);
struct amount_text bytes_text(double bytes);
