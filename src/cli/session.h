/* session.h -- an open store during one command, and what it says meanwhile.
 *
 * Console lines of vats and notes of the kernel go to stderr, the progress line out of
 * their way.
 */
#pragma once

#include "cli/cli.h"
#include "cli/progress.h"
#include "host/controller.h"

struct session {
    struct cli *cli;
    struct controller *controller;
    struct kernel *kernel;
    struct progress progress;
    bool notes_verbose; /* the verb itself says what the notes would */
    char note[512];     /* the last one */
};

/* fails  as controller_open, with a hint. */
int session_open(struct session *s, struct cli *c, enum controller_mode mode,
                 struct err *e) MUST_CHECK;
void session_close(struct session *s);
/* Call before cranks: `what` and `total` are for the progress line. */
void session_working(struct session *s, const char *what, uint64_t total);
/* "unresolved", "fulfilled", "rejected", or "gone". */
const char *promise_state_name(enum promise_state state);
