#include "worker/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/exits.h"

enum {
    FDS_ABOVE = 64, /* sources are moved up here first, out of the way of the targets */
    SIGNALS_MAX = 64,
};

/* Vats can see the time zone; the length of the environment moves the C stack. */
static char *const environment[] = { "TZ=UTC0", NULL };

/* A terminal, or a service manager, signals all processes of a group.  Workers hold
 * nothing that needs an orderly end, and the kernel still needs them for its own. */
static const int ignored[] = { SIGINT, SIGHUP, SIGTERM };

static void reset_signals(const sigset_t *mask)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    for (int s = 1; s <= SIGNALS_MAX; s++) {
        if (s != SIGKILL && s != SIGSTOP) (void)sigaction(s, &action, NULL);
    }
    action.sa_handler = SIG_IGN;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        (void)sigaction(ignored[i], &action, NULL);
    }
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
}

/* Runs in the child of a vfork(), in the parent's memory: system calls and locals only. */
static _Noreturn void child_exec(const struct process_spec *spec, int null, pid_t parent,
                                 const sigset_t *mask, volatile int *failure)
{
    int high[PROCESS_FDS_MAX];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127); /* it died before we asked */
    int program = fcntl(spec->program, F_DUPFD_CLOEXEC, FDS_ABOVE);
    bool good = program >= 0;
    for (unsigned i = 0; good && i < spec->fd_count; i++) {
        high[i] = fcntl(spec->fds[i] >= 0 ? spec->fds[i] : null, F_DUPFD_CLOEXEC, FDS_ABOVE);
        good = high[i] >= 0;
    }
    for (unsigned i = 0; good && i < spec->fd_count; i++) {
        good = dup2(high[i], (int)i) >= 0;
    }
    if (good && close_range(spec->fd_count, ~0u, CLOSE_RANGE_CLOEXEC) == 0) {
        reset_signals(mask);
        (void)execveat(program, "", (char *const *)spec->argv, environment, AT_EMPTY_PATH);
    }
    *failure = errno;
    _exit(127);
}

static pid_t spawn_blocked(const struct process_spec *spec, int null, const sigset_t *mask,
                           volatile int *failure)
{
    pid_t parent = getpid();
    /* Not fork(): the kernel may be large, and page tables are what a fork costs. */
    pid_t pid = vfork();
    if (pid == 0) child_exec(spec, null, parent, mask, failure);
    return pid;
}

int process_spawn(const struct process_spec *spec, pid_t *out, struct err *e)
{
    INVARIANT(spec->fd_count <= PROCESS_FDS_MAX);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return err_sys(e, "/dev/null");

    /* A handler of ours must not run in the child, which shares our memory until exec. */
    sigset_t all, mask;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &mask);
    volatile int failure = 0;
    pid_t pid = spawn_blocked(spec, null, &mask, &failure);
    int spawn_errno = errno;
    (void)sigprocmask(SIG_SETMASK, &mask, NULL);
    (void)close(null);

    if (pid < 0) {
        errno = spawn_errno;
        return err_sys(e, "cannot start a process for %s", spec->argv[0]);
    }
    if (failure != 0) {
        (void)process_reap(pid, -1);
        errno = failure;
        return err_sys(e, "cannot execute %s", spec->argv[0]);
    }
    *out = pid;
    return 0;
}

static bool try_wait(pid_t pid, int flags, struct process_end *end)
{
    int status = 0;
    pid_t got;
    do got = waitpid(pid, &status, flags);
    while (got < 0 && errno == EINTR);
    if (got == 0) return false;
    if (got < 0) {
        end->how = PROCESS_LOST; /* somebody else waited, or SIGCHLD is ignored */
    } else if (WIFSIGNALED(status)) {
        end->how = PROCESS_SIGNALLED;
        end->code = WTERMSIG(status);
    } else {
        end->how = PROCESS_EXITED;
        end->code = WEXITSTATUS(status);
    }
    return true;
}

/* Sleep until the process ends or the time is over, whichever is first. */
static void await_end(pid_t pid, int ms)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) return;
    struct pollfd p = { .fd = fd, .events = POLLIN };
    (void)poll(&p, 1, ms); /* a signal cuts the grace short, no more */
    (void)close(fd);
}

struct process_end process_reap(pid_t pid, int grace_ms)
{
    struct process_end end = { PROCESS_RUNNING, 0, false };
    if (grace_ms < 0) {
        (void)try_wait(pid, 0, &end);
        return end;
    }
    if (grace_ms > 0) {
        if (try_wait(pid, WNOHANG, &end)) return end;
        await_end(pid, grace_ms);
        if (try_wait(pid, WNOHANG, &end)) return end;
    }
    end.forced = true;
    (void)kill(pid, SIGKILL);
    (void)try_wait(pid, 0, &end);
    return end;
}

bool process_is_child(pid_t pid)
{
    siginfo_t info;
    return pid > 1 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static const char *exit_meaning(int code)
{
    switch (code) {
    case WORKER_EXIT_USAGE: return "bad usage";
    case WORKER_EXIT_IO: return "input or output error";
    case WORKER_EXIT_IMAGE: return "bad image";
    case WORKER_EXIT_MEMORY: return "not enough memory";
    case WORKER_EXIT_STACK: return "stack overflow";
    case WORKER_EXIT_EXCEPTION: return "unhandled exception";
    case WORKER_EXIT_KEYS: return "no more keys";
    case WORKER_EXIT_COMPUTATION: return "too much computation";
    default: return "unknown";
    }
}

struct process_end_text process_end_text(struct process_end end)
{
    struct process_end_text t;
    const char *name = NULL;
    switch (end.how) {
    case PROCESS_RUNNING: (void)snprintf(t.s, sizeof t.s, "still running"); break;
    case PROCESS_LOST: (void)snprintf(t.s, sizeof t.s, "ended, exit code unknown"); break;
    case PROCESS_EXITED:
        if (end.code == 0) (void)snprintf(t.s, sizeof t.s, "exit code 0");
        else (void)snprintf(t.s, sizeof t.s, "exit code %d (%s)", end.code,
                            exit_meaning(end.code));
        break;
    case PROCESS_SIGNALLED:
        name = sigdescr_np(end.code);
        (void)snprintf(t.s, sizeof t.s, "signal %d (%s)", end.code,
                       name == NULL ? "unknown" : name);
        break;
    }
    return t;
}

void process_close_fd(int *fd)
{
    if (*fd >= 0) (void)close(*fd);
    *fd = -1;
}
