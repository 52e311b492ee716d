#include "engine/forkserver.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/forkserver.h"
#include "engine/channel.h"
#include "engine/exits.h"
#include "engine/title.h"
#include "engine/worker.h"

/* More descriptors than a good request has, so that a bad one is seen and closed. */
enum { FDS_MAX = 8 };

struct packet {
    struct forkserver_request request;
    ssize_t bytes; /* as received; a longer packet shows as more than a request */
    int fds[FDS_MAX];
    int fd_count;
    bool cut; /* there were more descriptors or bytes than fit */
};

/* -- receiving ---------------------------------------------------------------- */

static void take_fds(struct packet *p, struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n && p->fd_count < FDS_MAX; i++)
            memcpy(&p->fds[p->fd_count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
}

/* One packet: 1, end of the control socket: 0, failure: -1. */
static int receive(struct packet *p)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    *p = (struct packet){ 0 };
    struct iovec v = { &p->request, sizeof p->request };
    struct msghdr m = {
        .msg_iov = &v,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    do p->bytes = recvmsg(FORKSERVER_CONTROL_FD, &m, MSG_CMSG_CLOEXEC);
    while (p->bytes < 0 && errno == EINTR);
    if (p->bytes < 0) return -1;
    take_fds(p, &m);
    p->cut = (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    return p->bytes == 0 && p->fd_count == 0 && !p->cut ? 0 : 1;
}

static void close_fds(struct packet *p)
{
    for (int i = 0; i < p->fd_count; i++) close(p->fds[i]);
    p->fd_count = 0;
}

/* -- checking ----------------------------------------------------------------- */

static bool name_is_good(const char *name)
{
    size_t n = strnlen(name, FORKSERVER_NAME_MAX);
    if (n == 0 || n == FORKSERVER_NAME_MAX) return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f) return false;
    for (size_t i = n; i < FORKSERVER_NAME_MAX; i++)
        if (name[i] != '\0') return false;
    return true;
}

/* 0, or the -errno to reply. */
static int check_packet(const struct packet *p)
{
    const struct forkserver_request *r = &p->request;
    if (p->cut || p->bytes != sizeof *r) return -EPROTO;
    if (r->magic != FORKSERVER_MAGIC || r->version != FORKSERVER_VERSION) return -EPROTO;
    if (r->op != FORKSERVER_OP_SPAWN || r->reserved != 0) return -EPROTO;
    if (!name_is_good(r->name)) return -EPROTO;
    return p->fd_count == FORKSERVER_FDS ? 0 : -EBADF;
}

/* -- the worker's side of the fork ---------------------------------------------- */

/* Die with the kernel.  If it died before we could say so, we have another parent now. */
static bool bind_to_kernel(pid_t kernel)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == kernel;
}

/* The connection becomes fds 3 and 4, the image 5, the pipe for snapshots 7; all others
 * but 0, 1, 2 are closed. */
static int arrange_fds(const struct packet *p)
{
    enum { ABOVE_ALL = 16, IMAGE_FD = 5 };
    int connection = fcntl(p->fds[FORKSERVER_FD_CONNECTION], F_DUPFD_CLOEXEC, ABOVE_ALL);
    int image = fcntl(p->fds[FORKSERVER_FD_IMAGE], F_DUPFD_CLOEXEC, ABOVE_ALL);
    int save = fcntl(p->fds[FORKSERVER_FD_SAVE], F_DUPFD_CLOEXEC, ABOVE_ALL);
    if (connection < 0 || image < 0 || save < 0) return -1;
    if (dup3(connection, CHANNEL_IN_FD, O_CLOEXEC) < 0) return -1;
    if (dup3(connection, CHANNEL_OUT_FD, O_CLOEXEC) < 0) return -1;
    if (dup3(image, IMAGE_FD, O_CLOEXEC) < 0) return -1;
    if (dup3(save, FORKSERVER_SAVE_FD, O_CLOEXEC) < 0) return -1;
    if (close_range(IMAGE_FD + 1, FORKSERVER_SAVE_FD - 1, 0) != 0) return -1;
    if (close_range(FORKSERVER_SAVE_FD + 1, ~0U, 0) != 0) return -1;
    return IMAGE_FD;
}

static int become_worker(const struct packet *p, pid_t kernel)
{
    if (!bind_to_kernel(kernel)) return EXITS_IO_ERROR;
    signal(SIGPIPE, SIG_DFL);
    struct worker_options options = {
        .image_fd = arrange_fds(p),
        .meter_limit = p->request.meter_limit,
    };
    if (options.image_fd < 0) {
        perror("zygote-worker: descriptors");
        return EXITS_IO_ERROR;
    }
    title_set(p->request.name);
    return worker_run(&options);
}

/* -- the server ----------------------------------------------------------------- */

static int send_reply(int32_t result)
{
    struct forkserver_reply reply = { FORKSERVER_MAGIC, result };
    ssize_t n;
    do n = send(FORKSERVER_CONTROL_FD, &reply, sizeof reply, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == sizeof reply ? 0 : -1;
}

/* fork(), but the new process is our parent's child.  Plain system call: there are no
 * threads and no atfork handlers. */
static pid_t fork_sibling(void)
{
    return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
}

/* Answer one request.  In the new process: true, and *code is its exit code at the end. */
static bool answer(struct packet *p, pid_t kernel, int *code)
{
    int32_t result = check_packet(p);
    if (result == 0) {
        pid_t pid = fork_sibling();
        if (pid == 0) {
            *code = become_worker(p, kernel);
            return true;
        }
        result = pid < 0 ? -errno : pid;
    }
    close_fds(p);
    if (send_reply(result) != 0) *code = EXITS_IO_ERROR;
    return false;
}

int forkserver_run(void)
{
    pid_t kernel = getppid();
    struct packet packet;
    int code = EXITS_OK;
    signal(SIGPIPE, SIG_IGN);
    fcntl(FORKSERVER_CONTROL_FD, F_SETFD, FD_CLOEXEC);
    prctl(PR_SET_NAME, "zygote-forks", 0, 0, 0);
    for (;;) {
        int got = receive(&packet);
        if (got == 0) return EXITS_OK;
        if (got < 0) break;
        if (answer(&packet, kernel, &code)) return code;
        if (code != EXITS_OK) return EXITS_OK; /* nobody there to hear the reply */
    }
    perror("zygote-worker: control socket");
    return EXITS_IO_ERROR;
}
