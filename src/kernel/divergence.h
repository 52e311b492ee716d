/* divergence.h -- where a replay stopped being what was recorded. */
#pragma once

#include "base/buf.h"

struct divergence {
    uint64_t position;         /* of the transcript item */
    const char *what;          /* "syscall", "result", "computrons", "snapshot" */
    size_t syscall;            /* which one */
    struct buf expected, got;  /* JSON; one of them may be empty: missing, extra */
};
void divergence_fini(struct divergence *d);
