#include "worker/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/netstring.h"
#include "base/xalloc.h"
#include "worker/exits.h"
#include "worker/frames.h"

enum {
    READ_BYTES = 64 * 1024,
    /* A worker whose connection is closed has ended, or is about to. */
    END_GRACE_MS = 5000,
    /* XS counts the bytes of a snapshot in an int. */
    SAVE_BYTES_MAX = INT32_MAX,
};

/* How an attempt to send or receive went. */
enum talk { TALK_OK = 1, TALK_ENDED, TALK_FAILED, TALK_THREW };

/* -- life --------------------------------------------------------------------- */

int machine_new(const char *name, int stall_ms, struct vat_machine **out,
                struct machine_ends *ends, struct err *e)
{
    int pair[2], save[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return err_sys(e, "worker %s: socketpair", name);
    }
    if (pipe2(save, O_CLOEXEC) != 0) {
        (void)err_sys(e, "worker %s: pipe", name);
        (void)close(pair[0]);
        (void)close(pair[1]);
        return -1;
    }
    struct vat_machine *m = xcalloc(1, sizeof *m);
    (void)snprintf(m->name, sizeof m->name, "%s", name);
    m->stall_ms = stall_ms;
    m->connection = pair[0];
    m->save = save[0];
    *ends = (struct machine_ends){ .connection = pair[1], .save = save[1] };
    *out = m;
    return 0;
}

void machine_close_ends(struct machine_ends *ends)
{
    process_close_fd(&ends->connection);
    process_close_fd(&ends->save);
}

static void machine_end(struct vat_machine *m, int grace_ms)
{
    process_close_fd(&m->connection);
    process_close_fd(&m->save);
    if (m->pid != 0) m->end = process_reap(m->pid, grace_ms);
    m->pid = 0;
}

void machine_kill(struct vat_machine *m)
{
    m->failed = true;
    machine_end(m, 0);
}

int machine_fail(struct vat_machine *m, struct err *e)
{
    pid_t pid = m->pid;
    machine_kill(m);
    return err_while(e, "vat %s (pid %d)", m->name, (int)pid);
}

void machine_free(struct vat_machine *m)
{
    /* A vat's end has nothing to finish: no need to ask with 'q' and wait. */
    machine_end(m, 0);
    free(m);
}

/* -- sending ------------------------------------------------------------------ */

/* Wait until the worker can be written to; it must not speak meanwhile. */
static enum talk await_listener(const struct vat_machine *m, struct err *e)
{
    struct pollfd p = { .fd = m->connection, .events = POLLIN | POLLOUT };
    int n;
    do n = poll(&p, 1, m->stall_ms);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        (void)err_sys(e, "poll");
        return TALK_FAILED;
    }
    if (n == 0) {
        (void)err_set(e, EXIT_FAILED, "worker does not read its commands");
        return TALK_FAILED;
    }
    if ((p.revents & (POLLHUP | POLLERR)) != 0) return TALK_ENDED;
    if ((p.revents & POLLIN) != 0) {
        (void)err_set(e, EXIT_FAILED, "worker spoke out of turn");
        return TALK_FAILED;
    }
    return TALK_OK;
}

static void iov_advance(struct iovec *iov, int count, size_t n)
{
    for (int i = 0; i < count; i++) {
        size_t take = n < iov[i].iov_len ? n : iov[i].iov_len;
        iov[i].iov_base = (char *)iov[i].iov_base + take;
        iov[i].iov_len -= take;
        n -= take;
    }
}

static enum talk send_all(const struct vat_machine *m, struct iovec *iov, int count,
                          size_t left, struct err *e)
{
    while (left > 0) {
        struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)count };
        ssize_t n = sendmsg(m->connection, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            iov_advance(iov, count, (size_t)n);
            left -= (size_t)n;
        } else if (errno == EAGAIN) {
            enum talk t = await_listener(m, e);
            if (t != TALK_OK) return t;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return TALK_ENDED;
        } else if (errno != EINTR) {
            (void)err_sys(e, "cannot write to the worker");
            return TALK_FAILED;
        }
    }
    return TALK_OK;
}

/* One frame: the verb and the text. */
static enum talk say(const struct vat_machine *m, char verb, struct span text, struct err *e)
{
    if (text.n >= NETSTRING_LENGTH_MAX) {
        (void)err_set(e, EXIT_FAILED, "command of %zu bytes is too long", text.n);
        return TALK_FAILED;
    }
    char head[32];
    int head_bytes = snprintf(head, sizeof head, "%zu:%c", text.n + 1, verb);
    char comma = ',';
    struct iovec iov[3] = { { head, (size_t)head_bytes },
                            { (void *)(uintptr_t)text.p, text.n },
                            { &comma, 1 } };
    return send_all(m, iov, 3, (size_t)head_bytes + text.n + 1, e);
}

/* Nothing must be waiting to be read when we begin to speak. */
static enum talk check_silence(const struct vat_machine *m, struct err *e)
{
    char byte;
    ssize_t n = recv(m->connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno == ECONNRESET)) return TALK_ENDED;
    if (n > 0) {
        (void)err_set(e, EXIT_FAILED, "worker spoke out of turn");
        return TALK_FAILED;
    }
    return TALK_OK;
}

/* -- receiving ---------------------------------------------------------------- */

/* Move what is in the save pipe to its sink; `*ended` when the writers are gone. */
static int drain(const struct vat_machine *m, struct machine_save *save, bool *ended,
                 struct err *e)
{
    char bytes[READ_BYTES];
    ssize_t n;
    do n = read(m->save, bytes, sizeof bytes);
    while (n < 0 && errno == EINTR);
    if (n < 0) return err_sys(e, "cannot read the snapshot");
    if (n == 0) *ended = true;
    save->bytes += (uint64_t)n;
    if (save->bytes > SAVE_BYTES_MAX) {
        return err_set(e, EXIT_FAILED, "snapshot is longer than %d bytes", SAVE_BYTES_MAX);
    }
    return n == 0 ? 0 : save->sink(save->ctx, (struct span){ bytes, (size_t)n }, e);
}

/* Wait until there is something to receive. */
static enum talk await_speaker(const struct vat_machine *m, const struct machine_command *c,
                               struct err *e)
{
    if (c->save == NULL && c->reply_ms < 0) return TALK_OK; /* recv() waits as well */
    bool ended = false;
    for (;;) {
        struct pollfd p[2] = { { .fd = m->connection, .events = POLLIN },
                               { .fd = c->save == NULL || ended ? -1 : m->save,
                                 .events = POLLIN } };
        int n;
        do n = poll(p, 2, c->reply_ms);
        while (n < 0 && errno == EINTR);
        if (n < 0) {
            (void)err_sys(e, "poll");
            return TALK_FAILED;
        }
        if (n == 0) {
            (void)err_set(e, EXIT_FAILED, "worker does not answer");
            return TALK_FAILED;
        }
        if (p[1].revents != 0 && drain(m, c->save, &ended, e) != 0) return TALK_FAILED;
        if (p[0].revents != 0) return TALK_OK;
    }
}

/* What was received and not yet heard: posted upcalls come several at a time. */
struct inbox {
    size_t at, end;
    char bytes[READ_BYTES];
};

static enum talk receive(const struct vat_machine *m, const struct machine_command *c,
                         struct inbox *in, struct err *e)
{
    for (;;) {
        enum talk talk = await_speaker(m, c, e);
        if (talk != TALK_OK) return talk;
        ssize_t n = recv(m->connection, in->bytes, sizeof in->bytes, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0 || (n < 0 && errno == ECONNRESET)) return TALK_ENDED;
        if (n < 0) {
            (void)err_sys(e, "cannot read from the worker");
            return TALK_FAILED;
        }
        in->at = 0;
        in->end = (size_t)n;
        return TALK_OK;
    }
}

/* One frame. */
static enum talk hear(const struct vat_machine *m, const struct machine_command *c,
                      struct inbox *in, struct buf *frame, struct err *e)
{
    struct netstring_reader reader = { .max = FRAME_BYTES_MAX };
    enum netstring_status status = NETSTRING_MORE;
    enum talk talk = TALK_OK;
    while (talk == TALK_OK && status == NETSTRING_MORE) {
        if (in->at == in->end) talk = receive(m, c, in, e);
        if (talk != TALK_OK) break;
        in->at += netstring_feed(&reader, in->bytes + in->at, in->end - in->at, &status);
    }
    if (talk == TALK_OK && status != NETSTRING_DONE) {
        (void)err_set(e, EXIT_FAILED, "bad frame: %s", netstring_status_text(status));
        talk = TALK_FAILED;
    }
    if (talk == TALK_OK) *frame = netstring_take(&reader);
    netstring_reader_fini(&reader);
    return talk;
}

/* -- exchanges ---------------------------------------------------------------- */

/* The connection is closed: ask the process why.  Three exits are the vat's own doing. */
static int conclude(struct vat_machine *m, struct vat_reply *out, struct err *e)
{
    pid_t pid = m->pid;
    m->failed = true;
    machine_end(m, m->stall_ms < END_GRACE_MS ? m->stall_ms : END_GRACE_MS);
    enum vat_outcome outcome = VAT_REPLIED;
    if (m->end.how == PROCESS_EXITED && !m->end.forced) {
        if (m->end.code == WORKER_EXIT_COMPUTATION) outcome = VAT_TOO_MUCH_COMPUTATION;
        if (m->end.code == WORKER_EXIT_STACK) outcome = VAT_STACK_OVERFLOW;
        if (m->end.code == WORKER_EXIT_MEMORY) outcome = VAT_OUT_OF_MEMORY;
    }
    if (outcome == VAT_REPLIED) {
        return err_set(e, EXIT_FAILED, "vat %s (pid %d): worker %s%s", m->name, (int)pid,
                       m->end.forced ? "closed its connection and was killed: "
                                     : "ended unexpectedly: ",
                       process_end_text(m->end).s);
    }
    *out = (struct vat_reply){ .outcome = outcome, .text = SPAN_NONE, .meter = SPAN_NONE };
    return 0;
}

/* What is to be done about one frame that is not the reply. */
static enum talk attend(const struct vat_machine *m, const struct machine_command *c,
                        const struct inbox *in, const struct frame *f, struct buf *reply,
                        struct err *e)
{
    bool posted = f->kind == FRAME_POSTED;
    if (c->upcall == NULL || (posted && !m->posts)) {
        (void)err_set(e, EXIT_FAILED, "worker made an upcall where none is allowed");
        return TALK_FAILED;
    }
    buf_reset(reply);
    if (!posted && in->at < in->end) {
        (void)err_set(e, EXIT_FAILED, "worker spoke out of turn");
        return TALK_FAILED;
    }
    if (c->upcall(c->ctx, f->text, reply, e) != 0) return TALK_FAILED;
    return posted ? TALK_OK : say(m, '/', buf_span(reply), e);
}

static int decode_in_arena(const struct buf *message, struct arena *a, struct frame *f,
                           struct err *e)
{
    struct span s = buf_span(message);
    /* An upcall lives as long as it is answered; a reply as long as the caller's arena. */
    if (s.n > 0 && s.p[0] == '.') s = arena_copy(a, s);
    return frame_decode(s, a, f, e);
}

/* Until the reply: frames of the worker, upcalls answered. */
static enum talk converse(const struct vat_machine *m, const struct machine_command *c,
                          struct arena *a, struct frame *out, struct err *e)
{
    struct buf message = { 0 }, reply = { 0 };
    struct inbox in;
    in.at = in.end = 0;
    enum talk talk = say(m, c->verb == '?' && m->posts ? '+' : c->verb, c->text, e);
    struct frame f = { .kind = FRAME_UPCALL };
    while (talk == TALK_OK && (f.kind == FRAME_UPCALL || f.kind == FRAME_POSTED)) {
        buf_fini(&message);
        talk = hear(m, c, &in, &message, e);
        if (talk != TALK_OK) break;
        if (decode_in_arena(&message, a, &f, e) != 0) talk = TALK_FAILED;
        else if (f.kind == FRAME_UPCALL || f.kind == FRAME_POSTED) talk = attend(m, c, &in, &f, &reply, e);
    }
    if (talk == TALK_OK && in.at < in.end) {
        (void)err_set(e, EXIT_FAILED, "worker spoke out of turn");
        talk = TALK_FAILED;
    }
    if (talk == TALK_OK && f.kind == FRAME_EXCEPTION) {
        (void)err_set(e, EXIT_FAILED, "Uncaught exception in %s: %s", m->name, span_shown(f.text).s);
        talk = TALK_THREW;
    }
    buf_fini(&message);
    buf_fini(&reply);
    if (talk == TALK_OK) *out = f;
    return talk;
}

int machine_exchange(struct vat_machine *m, const struct machine_command *c, struct arena *a,
                     struct vat_reply *out, struct err *e)
{
    if (m->failed) return err_set(e, EXIT_FAILED, "vat %s: worker is gone", m->name);
    struct frame f = { .kind = FRAME_INVALID };
    enum talk talk = check_silence(m, e);
    if (talk == TALK_OK) talk = converse(m, c, a, &f, e);
    if (talk == TALK_FAILED) return machine_fail(m, e);
    if (talk == TALK_ENDED) return conclude(m, out, e);
    if (talk == TALK_THREW) {
        machine_kill(m);
        return -1;
    }
    *out = (struct vat_reply){ .outcome = VAT_REPLIED,
                               .text = f.text,
                               .meter = f.meter,
                               .computrons = f.computrons };
    return 0;
}

int machine_ask(struct vat_machine *m, const struct machine_command *c, struct arena *a,
                struct vat_reply *out, struct err *e)
{
    if (machine_exchange(m, c, a, out, e) != 0) return -1;
    if (out->outcome == VAT_REPLIED) return 0;
    return err_set(e, EXIT_FAILED, "vat %s: worker ended: %s", m->name,
                   process_end_text(m->end).s);
}

/* -- snapshots ---------------------------------------------------------------- */

/* The worker wrote before it replied, so what is not in the pipe now was never written. */
static int drain_rest(const struct vat_machine *m, struct machine_save *save, uint64_t expected,
                      struct err *e)
{
    bool ended = false;
    for (;;) {
        struct pollfd p = { .fd = m->save, .events = POLLIN };
        int n;
        do n = poll(&p, 1, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0) return err_sys(e, "poll");
        if (n == 0 || ended) break;
        if (drain(m, save, &ended, e) != 0) return -1;
    }
    if (save->bytes == expected) return 0;
    return err_set(e, EXIT_FAILED, "snapshot size does not match: said %llu, wrote %llu",
                   (unsigned long long)expected, (unsigned long long)save->bytes);
}

int machine_save(struct vat_machine *m,
                 int (*sink)(void *ctx, struct span bytes, struct err *e), void *ctx,
                 struct err *e)
{
    struct machine_save save = { .sink = sink, .ctx = ctx };
    struct machine_command c = { .verb = 'w', .text = SPAN("@7"), .reply_ms = -1,
                                 .save = &save };
    struct vat_reply reply;
    uint64_t said = 0;
    struct arena a;
    arena_init(&a);
    int result = machine_ask(m, &c, &a, &reply, e);
    if (result == 0 && !span_u64(reply.text, &said)) {
        (void)err_set(e, EXIT_FAILED, "snapshot size is no number");
        result = machine_fail(m, e);
    }
    if (result == 0 && drain_rest(m, &save, said, e) != 0) result = machine_fail(m, e);
    arena_fini(&a);
    return result;
}
