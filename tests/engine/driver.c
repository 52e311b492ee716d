#include "engine/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"

static void check(bool good, const char *what)
{
    if (good) return;
    perror(what);
    abort();
}

/* -- start -------------------------------------------------------------------- */

/* In the new process: put the descriptors where they belong, without stepping on any. */
static void arrange_fds(int connection, int image_fd, int stderr_fd)
{
    enum { ABOVE_ALL = 20 };
    int c = fcntl(connection, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int i = image_fd < 0 ? -1 : fcntl(image_fd, F_DUPFD_CLOEXEC, ABOVE_ALL);
    if (stderr_fd >= 0) dup2(stderr_fd, STDERR_FILENO);
    dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
    dup2(c, 3);
    dup2(c, 4);
    if (i >= 0) dup2(i, DRIVER_IMAGE_FD);
}

static void exec_worker(const char *binary, const char *const *args)
{
    char *argv[DRIVER_ARGS_MAX + 3] = { (char *)(uintptr_t)binary, (char *)(uintptr_t) "test" };
    for (int i = 0; args != NULL && args[i] != NULL && i < DRIVER_ARGS_MAX; i++)
        argv[i + 2] = (char *)(uintptr_t)args[i];
    execv(binary, argv);
    _exit(127);
}

void driver_start_stderr(struct driver *d, const char *binary, const char *const *args,
                         int image_fd, int stderr_fd)
{
    int pair[2];
    signal(SIGPIPE, SIG_IGN);
    *d = (struct driver){ 0 };
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
    d->pid = fork();
    check(d->pid >= 0, "fork");
    if (d->pid == 0) {
        signal(SIGPIPE, SIG_DFL);
        arrange_fds(pair[1], image_fd, stderr_fd);
        exec_worker(binary, args);
    }
    close(pair[1]);
    d->fd = pair[0];
}

void driver_start(struct driver *d, const char *binary, const char *const *args, int image_fd)
{
    int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
    driver_start_stderr(d, binary, args, image_fd, quiet);
    close(quiet);
}

/* -- frames ------------------------------------------------------------------- */

static bool write_all(int fd, struct span s)
{
    while (s.n > 0) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        s.p += n;
        s.n -= (size_t)n;
    }
    return true;
}

bool driver_send(struct driver *d, struct span frame)
{
    struct buf out = { 0 };
    netstring_put(&out, frame);
    bool sent = write_all(d->fd, buf_span(&out));
    buf_fini(&out);
    return sent;
}

bool driver_read(struct driver *d, struct buf *frame)
{
    for (;;) {
        enum netstring_status status;
        d->at += netstring_feed(&d->reader, d->bytes + d->at, d->end - d->at, &status);
        if (status == NETSTRING_DONE) {
            *frame = netstring_take(&d->reader);
            return true;
        }
        if (status != NETSTRING_MORE) return false;
        ssize_t n = read(d->fd, d->bytes, sizeof d->bytes);
        if (n <= 0) return false;
        d->at = 0;
        d->end = (size_t)n;
    }
}

static bool answer_upcall(struct driver *d, const struct buf *frame)
{
    struct buf answer = { 0 };
    buf_putc(&answer, '/');
    struct span question = { frame->p + 1, frame->n - 1 };
    if (d->upcall != NULL) d->upcall(d->context, question, &answer);
    else buf_puts(&answer, "null");
    bool sent = driver_send(d, buf_span(&answer));
    buf_fini(&answer);
    return sent;
}

bool driver_command(struct driver *d, struct span command, struct buf *reply)
{
    if (!driver_send(d, command)) return false;
    while (driver_read(d, reply)) {
        if (reply->n == 0 || reply->p[0] != '?') return true;
        bool sent = answer_upcall(d, reply);
        buf_fini(reply);
        if (!sent) return false;
    }
    return false;
}

void driver_ok(struct driver *d, char command, struct span text, struct buf *reply)
{
    struct buf frame = { 0 };
    buf_putc(&frame, command);
    buf_put(&frame, text);
    bool alive = driver_command(d, buf_span(&frame), reply);
    check(alive, "worker is gone");
    if (reply->n == 0 || reply->p[0] != '.') {
        fprintf(stderr, "%c%.*s: %.*s\n", command, (int)(text.n > 200 ? 200 : text.n), text.p,
                (int)reply->n, reply->p);
        abort();
    }
    buf_fini(&frame);
}

struct span driver_result(const struct buf *reply)
{
    const char *end = reply->p + reply->n;
    const char *one = memchr(reply->p, 1, reply->n);
    const char *from = one == NULL ? reply->p + 1 : one + 1;
    return (struct span){ from, (size_t)(end - from) };
}

uint64_t driver_meter(const struct buf *reply, const char *name)
{
    char key[40];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(reply->p, key);
    check(at != NULL, name);
    return strtoull(at + strlen(key), NULL, 10);
}

/* -- end ---------------------------------------------------------------------- */

static int wait_for(pid_t pid)
{
    int status;
    pid_t got;
    do got = waitpid(pid, &status, 0);
    while (got < 0 && errno == EINTR);
    check(got == pid, "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int driver_wait(struct driver *d)
{
    int code = wait_for(d->pid);
    if (d->fd >= 0) close(d->fd);
    d->fd = -1;
    netstring_reader_fini(&d->reader);
    return code;
}

int driver_stop(struct driver *d)
{
    close(d->fd);
    d->fd = -1;
    return driver_wait(d);
}

/* -- fork server -------------------------------------------------------------- */

void forks_start(struct forks *f, const char *binary)
{
    int pair[2];
    signal(SIGPIPE, SIG_IGN);
    check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
    f->pid = fork();
    check(f->pid >= 0, "fork");
    if (f->pid == 0) {
        int c = fcntl(pair[1], F_DUPFD_CLOEXEC, 20);
        dup2(c, FORKSERVER_CONTROL_FD);
        execl(binary, binary, "--fork-server", (char *)NULL);
        _exit(127);
    }
    close(pair[1]);
    f->control = pair[0];
}

int forks_packet(struct forks *f, const void *bytes, size_t n, const int *fds, int fd_count)
{
    enum { FDS_MAX = 16 };
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control = { 0 };
    struct iovec v = { (void *)(uintptr_t)bytes, n };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
    if (fd_count > 0) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE((size_t)fd_count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){ CMSG_LEN((size_t)fd_count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(c), fds, (size_t)fd_count * sizeof(int));
    }
    if (sendmsg(f->control, &m, MSG_NOSIGNAL) < 0) return -EPIPE;
    struct forkserver_reply reply;
    if (recv(f->control, &reply, sizeof reply, 0) != sizeof reply) return -EPIPE;
    check(reply.magic == FORKSERVER_MAGIC, "reply magic");
    return reply.result;
}

int forks_spawn_save(struct forks *f, struct driver *d, const char *name, int image_fd,
                     int save_fd, uint32_t meter_limit)
{
    int pair[2];
    struct forkserver_request r = {
        .magic = FORKSERVER_MAGIC,
        .version = FORKSERVER_VERSION,
        .op = FORKSERVER_OP_SPAWN,
        .meter_limit = meter_limit,
    };
    snprintf(r.name, sizeof r.name, "%s", name);
    *d = (struct driver){ .fd = -1 };
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
    int save = save_fd >= 0 ? save_fd : open("/dev/null", O_WRONLY | O_CLOEXEC);
    const int fds[] = { image_fd, pair[1], save };
    int result = forks_packet(f, &r, sizeof r, fds, FORKSERVER_FDS);
    if (save_fd < 0) close(save);
    close(pair[1]);
    if (result < 0) {
        close(pair[0]);
        return result;
    }
    d->pid = result;
    d->fd = pair[0];
    return result;
}

int forks_spawn(struct forks *f, struct driver *d, const char *name, int image_fd,
                uint32_t meter_limit)
{
    return forks_spawn_save(f, d, name, image_fd, -1, meter_limit);
}

int forks_stop(struct forks *f)
{
    close(f->control);
    return wait_for(f->pid);
}
