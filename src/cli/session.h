/* session.h -- an open store during one command, and what it says meanwhile.
 *
 * Console lines of vats and notes of the kernel go to stderr, the progress line out of
 * their way.
 */
#pragma once

#include "cli/cli.h"
#include "cli/progress.h"
#include "host/controller.h"
#include "host/slogger.h"

/* Sees every event of the slog, whether a file of it was asked for or not. */
typedef void session_watch(void *watcher, const struct slog_event *event);

struct session {
    struct cli *cli;
    struct controller *controller;
    struct kernel *kernel;
    struct progress progress;
    struct slogger *slog; /* --slog; NULL: not asked for */
    session_watch *watch;   /* NULL: nobody does */
    void *watcher;
    bool notes_verbose; /* the verb itself says what the notes would */
    char note[512];     /* the last one */
};

/* fails  as controller_open, with a hint; as slogger_open. */
int session_open(struct session *s, struct cli *c, enum controller_mode mode,
                 struct err *e) MUST_CHECK;
int session_open_watched(struct session *s, struct cli *c, session_watch *watch, void *watcher,
                         struct err *e) MUST_CHECK; /* CONTROLLER_WRITE */
void session_close(struct session *s);
/* Call before cranks: `what` and `total` are for the progress line. */
void session_working(struct session *s, const char *what, uint64_t total);
/* "unresolved", "fulfilled", "rejected", or "gone". */
const char *promise_state_name(enum promise_state state);
