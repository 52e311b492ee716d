/* process.h -- child processes of the kernel: started, waited for, never left behind.
 *
 * Nothing of the kernel leaks into a child: its descriptors are those listed and no
 * others, its environment is one fixed line, its signals are as after boot, but that it
 * ignores what a terminal sends to a whole group (the kernel ends its workers itself).  It
 * dies with the kernel.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "base/span.h"

enum { PROCESS_FDS_MAX = 16 };

struct process_spec {
    int program;              /* descriptor of the executable: what was opened is what runs,
                                 also when the file was replaced since */
    const char *const *argv;  /* NULL behind the last */
    int fds[PROCESS_FDS_MAX]; /* what the child has as 0, 1, 2, …; -1 is /dev/null */
    unsigned fd_count;
};

/* How a process ended.  Zeroed: it has not. */
struct process_end {
    enum { PROCESS_RUNNING = 0, PROCESS_EXITED, PROCESS_SIGNALLED, PROCESS_LOST } how;
    int code;    /* exit code or signal number */
    bool forced; /* it was us who killed it */
};

struct process_end_text { char s[96]; };

/* Start a program.
 * fails  no process, or exec refused (nothing is left behind). */
int process_spawn(const struct process_spec *spec, pid_t *out, struct err *e) MUST_CHECK;

/* Give a child `grace_ms` to end by itself, then kill it; either way it is waited for. */
struct process_end process_reap(pid_t pid, int grace_ms);

/* Is this a child of ours that nobody has waited for? */
bool process_is_child(pid_t pid);

/* "exit code 17 (too much computation)", "signal 9 (Killed)". */
struct process_end_text process_end_text(struct process_end end);

/* Close a descriptor if there is one, and forget it. */
void process_close_fd(int *fd);
