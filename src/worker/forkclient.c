#include "worker/forkclient.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/forkserver.h"
#include "base/log.h"
#include "worker/process.h"

enum {
    REPLY_MS = 30000,    /* a clone() takes 0.1 ms; this is for a machine that swaps */
    SERVER_GRACE_MS = 1000,
};

void forkclient_init(struct forkclient *c, int program, const char *argv0)
{
    *c = (struct forkclient){ .program = program, .argv0 = argv0, .control = -1 };
}

static struct process_end stop_server(struct forkclient *c, int grace_ms)
{
    process_close_fd(&c->control); /* the server ends when this does */
    struct process_end end = process_reap(c->pid, grace_ms);
    c->pid = 0;
    return end;
}

void forkclient_fini(struct forkclient *c)
{
    if (c->pid != 0) (void)stop_server(c, SERVER_GRACE_MS);
}

static int start_server(struct forkclient *c, struct err *e)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return err_sys(e, "fork server: socketpair");
    }
    const char *argv[] = { c->argv0, "--fork-server", NULL };
    struct process_spec spec = { .program = c->program,
                                 .argv = argv,
                                 .fds = { -1, STDERR_FILENO, STDERR_FILENO, pair[1] },
                                 .fd_count = FORKSERVER_CONTROL_FD + 1 };
    int result = process_spawn(&spec, &c->pid, e);
    (void)close(pair[1]);
    if (result != 0) {
        (void)close(pair[0]);
        c->pid = 0;
        return err_while(e, "fork server");
    }
    c->control = pair[0];
    return 0;
}

static void fill_request(struct forkserver_request *r, const struct forkclient_worker *w)
{
    memset(r, 0, sizeof *r);
    r->magic = FORKSERVER_MAGIC;
    r->version = FORKSERVER_VERSION;
    r->op = FORKSERVER_OP_SPAWN;
    r->meter_limit = w->meter_limit;
    (void)snprintf(r->name, sizeof r->name, "%s", w->name);
}

/* False if the server is not there any more. */
static bool send_request(int control, const struct forkclient_worker *w)
{
    struct forkserver_request request;
    fill_request(&request, w);
    int fds[FORKSERVER_FDS] = { [FORKSERVER_FD_IMAGE] = w->image,
                                [FORKSERVER_FD_CONNECTION] = w->connection,
                                [FORKSERVER_FD_SAVE] = w->save };
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof fds)];
    } ancillary;
    memset(&ancillary, 0, sizeof ancillary);
    struct iovec iov = { &request, sizeof request };
    struct msghdr m = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = ancillary.bytes,
                        .msg_controllen = sizeof ancillary.bytes };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(c), fds, sizeof fds);

    ssize_t n;
    do n = sendmsg(control, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof request;
}

static bool receive_reply(int control, struct forkserver_reply *out)
{
    struct pollfd p = { .fd = control, .events = POLLIN };
    int ready;
    do ready = poll(&p, 1, REPLY_MS);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0) return false;
    ssize_t n = recv(control, out, sizeof *out, MSG_DONTWAIT | MSG_TRUNC);
    return n == (ssize_t)sizeof *out && out->magic == FORKSERVER_MAGIC;
}

int forkclient_spawn(struct forkclient *c, const struct forkclient_worker *w, pid_t *out,
                     struct err *e)
{
    struct forkserver_reply reply;
    if (c->pid == 0 && start_server(c, e) != 0) return -1;
    if (!send_request(c->control, w)) {
        struct process_end_text how = process_end_text(stop_server(c, SERVER_GRACE_MS));
        log_warn("fork server had ended: %s; starting another", how.s);
        if (start_server(c, e) != 0) return -1;
        (void)send_request(c->control, w); /* if it fails there is no reply either */
    }
    /* No second try from here: there may be a worker already on this connection. */
    if (!receive_reply(c->control, &reply)) {
        struct process_end_text how = process_end_text(stop_server(c, SERVER_GRACE_MS));
        return err_set(e, EXIT_FAILED, "fork server of %s does not answer: %s", c->argv0,
                       how.s);
    }
    if (reply.result < 0) {
        errno = -reply.result;
        return err_sys(e, "fork server refused to make a worker");
    }
    /* Whatever a broken server says, we shall only ever kill our own. */
    if (!process_is_child(reply.result)) {
        return err_set(e, EXIT_FAILED, "fork server named process %d, which is not a worker",
                       reply.result);
    }
    *out = reply.result;
    return 0;
}
