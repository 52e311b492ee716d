/* forkclient.h -- the kernel's end of the fork server.
 *
 * One blank process, started at the first request, that makes workers from images in
 * well under a millisecond.  The workers are children of ours.  If the server dies, the
 * next request starts another; workers it made do not notice.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "base/span.h"

struct forkclient {
    int program;        /* descriptor of zygote-worker; borrowed */
    const char *argv0;  /* borrowed */
    pid_t pid;          /* 0: not running */
    int control;        /* -1: not running */
};

struct forkclient_worker {
    const char *name;     /* shown by ps */
    uint32_t meter_limit; /* 0 is unlimited */
    int image;            /* readable, never writable */
    int connection;       /* the worker's end */
    int save;             /* write end of a pipe */
};

void forkclient_init(struct forkclient *c, int program, const char *argv0);
void forkclient_fini(struct forkclient *c);

/* Make a worker.  The descriptors stay the caller's. */
int forkclient_spawn(struct forkclient *c, const struct forkclient_worker *w, pid_t *out,
                     struct err *e) MUST_CHECK;
