/* fake_worker.c -- a worker without an engine, that does as it is told, bad things included.
 *
 * It speaks the protocol of zygote-worker in all three ways of starting (fresh, -r, from an
 * image by the fork server).  Its machine is a text: "e" appends to it, "w" and "I" write
 * it, "?" does what the command says:
 *
 *   state            reply the machine's text          echo TEXT       reply TEXT
 *   meter JSON       reply with this meter report      upcall TEXT     upcall, reply its answer
 *   throw TEXT       '!' frame                         raw HEX         these bytes, no frame
 *   exit N           end                               signal N        end by a signal
 *   close            close the connection, live on     deaf            reply, then never read
 *   babble           reply, and speak again            big N           reply of N bytes
 *   lie N            the next "w" says N bytes more    save N          the machine is N bytes
 *   fds              reply the open descriptors
 *
 * The part of its name behind the ':' may be "exit-N" (end at once) or "mute" (never answer).
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/forkserver.h"
#include "base/netstring.h"

#define IMAGE_MAGIC "FAKE IMAGE 1\n"
#define SNAPSHOT_MAGIC "FAKE SNAPSHOT\n"
enum { IMAGE_TEXT_AT = 1 << 20 }; /* a hole in front, as in real ones */

static struct buf state;
static long lie;

static void write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w <= 0) _exit(2);
        p += w;
        n -= (size_t)w;
    }
}

static void say(struct span text)
{
    struct buf frame = { 0 };
    netstring_put(&frame, text);
    write_all(4, frame.p, frame.n);
    buf_fini(&frame);
}

static void say_reply(const char *meter, struct span text)
{
    struct buf b = { 0 };
    buf_putc(&b, '.');
    if (meter != NULL) buf_printf(&b, "%s\1", meter);
    buf_put(&b, text);
    say(buf_span(&b));
    buf_fini(&b);
}

#define METER "{\"currentHeapCount\":1,\"compute\":42,\"allocate\":7,\"timestamps\":[1.5]}"

static void reply(struct span text)
{
    say_reply(METER, text);
}

/* The next frame; false at the end.  We take turns: nothing comes behind a frame. */
static bool hear(struct buf *out)
{
    struct netstring_reader r = { 0 };
    enum netstring_status status = NETSTRING_MORE;
    while (status == NETSTRING_MORE) {
        char bytes[65536];
        ssize_t n = read(3, bytes, sizeof bytes);
        if (n <= 0) return false;
        if (netstring_feed(&r, bytes, (size_t)n, &status) != (size_t)n) _exit(2);
    }
    if (status != NETSTRING_DONE) _exit(2);
    *out = netstring_take(&r);
    return true;
}

/* -- what "?" can ask for ------------------------------------------------------ */

static _Noreturn void sleep_forever(void)
{
    for (;;) pause();
}

static _Noreturn void do_signal(int number)
{
    (void)signal(number, SIG_DFL); /* sanitizers have handlers */
    (void)raise(number);
    sleep_forever();
}

static void do_raw(const char *hex)
{
    char bytes[4096];
    size_t n = 0;
    for (unsigned byte; n < sizeof bytes && sscanf(hex, "%2x", &byte) == 1; hex += 2) {
        bytes[n++] = (char)byte;
    }
    write_all(4, bytes, n);
}

static void do_upcall(const char *text)
{
    struct buf b = { 0 }, answer;
    buf_printf(&b, "?%s", text);
    say(buf_span(&b));
    if (!hear(&answer) || answer.p[0] != '/') _exit(2);
    reply(span_from(buf_span(&answer), 1));
    buf_fini(&answer);
    buf_fini(&b);
}

/* Upcalls that want no answer, then the reply, in one write as the real one does. */
static void do_post(long n)
{
    struct buf b = { 0 };
    while (n-- > 0) netstring_put(&b, SPAN(">posted"));
    netstring_put(&b, SPAN(".ok"));
    write_all(4, b.p, b.n);
    buf_fini(&b);
}

static void do_big(size_t n)
{
    char *p = calloc(1, n + 1);
    memset(p, 'x', n);
    say_reply(NULL, (struct span){ p, n });
    free(p);
}

static void do_fds(void)
{
    struct buf b = { 0 };
    DIR *d = opendir("/proc/self/fd");
    for (struct dirent *f; (f = readdir(d)) != NULL;) {
        if (f->d_name[0] != '.' && atoi(f->d_name) != dirfd(d)) {
            buf_printf(&b, "%s ", f->d_name);
        }
    }
    closedir(d);
    reply(buf_span(&b));
    buf_fini(&b);
}

static const char *argument(const char *text, const char *verb)
{
    size_t n = strlen(verb);
    return strncmp(text, verb, n) == 0 && (text[n] == ' ' || text[n] == '\0')
               ? text + n + (text[n] == ' ')
               : NULL;
}

static void do_query(const char *text)
{
    const char *arg;
    if ((arg = argument(text, "echo"))) reply(span_of(arg));
    else if ((arg = argument(text, "state"))) reply(buf_span(&state));
    else if ((arg = argument(text, "meter"))) say_reply(arg, SPAN("ok"));
    else if ((arg = argument(text, "upcall"))) do_upcall(arg);
    else if ((arg = argument(text, "post"))) do_post(atol(arg));
    else if ((arg = argument(text, "raw"))) do_raw(arg);
    else if ((arg = argument(text, "exit"))) _exit(atoi(arg));
    else if ((arg = argument(text, "signal"))) do_signal(atoi(arg));
    else if ((arg = argument(text, "big"))) do_big((size_t)atol(arg));
    else if ((arg = argument(text, "fds"))) do_fds();
    else if ((arg = argument(text, "lie"))) lie = atol(arg), reply(SPAN("ok"));
    else if ((arg = argument(text, "throw"))) {
        struct buf b = { 0 };
        buf_printf(&b, "!%s", arg);
        say(buf_span(&b));
        buf_fini(&b);
    } else if ((arg = argument(text, "save"))) {
        buf_reset(&state);
        for (long n = atol(arg); n > 0; n--) buf_putc(&state, (char)('a' + n % 26));
        reply(SPAN("ok"));
    } else if ((arg = argument(text, "close"))) {
        close(3);
        close(4);
        sleep_forever();
    } else if ((arg = argument(text, "deaf"))) {
        reply(SPAN("ok"));
        sleep_forever();
    } else if ((arg = argument(text, "babble"))) {
        reply(SPAN("ok"));
        reply(SPAN("and another thing"));
    } else {
        reply(SPAN("what?"));
    }
}

/* -- commands ------------------------------------------------------------------ */

static void save(const char *path)
{
    char size[32];
    int fd = atoi(path + 1);
    write_all(fd, SNAPSHOT_MAGIC, strlen(SNAPSHOT_MAGIC));
    write_all(fd, state.p, state.n);
    (void)snprintf(size, sizeof size, "%ld", (long)(strlen(SNAPSHOT_MAGIC) + state.n) + lie);
    reply(span_of(size));
}

static void write_image(const char *path)
{
    int fd = atoi(path + 1);
    write_all(fd, IMAGE_MAGIC, strlen(IMAGE_MAGIC));
    if (lseek(fd, IMAGE_TEXT_AT, SEEK_SET) < 0) _exit(2);
    write_all(fd, state.p, state.n);
    reply(SPAN("1"));
}

static int serve(void)
{
    struct buf frame;
    while (hear(&frame)) {
        switch (frame.p[0]) {
        case 'R': say(SPAN(".")); break;
        case 'e': buf_printf(&state, "[%s]", frame.p + 1); reply(SPAN("")); break;
        case '+':
        case '?': do_query(frame.p + 1); break;
        case 'w': save(frame.p + 1); break;
        case 'I': write_image(frame.p + 1); break;
        default: return 2;
        }
        buf_fini(&frame);
    }
    return 0;
}

static void obey_name(const char *name)
{
    const char *script = strchr(name, ':');
    if (script == NULL) return;
    if (strncmp(script, ":exit-", 6) == 0) _exit(atoi(script + 6));
    if (strcmp(script, ":mute") == 0) sleep_forever();
}

static void read_rest(int fd)
{
    char bytes[4096];
    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;) {
        buf_put(&state, (struct span){ bytes, (size_t)n });
    }
}

static bool drop_magic(const char *magic)
{
    size_t n = strlen(magic);
    if (state.n < n || memcmp(state.p, magic, n) != 0) return false;
    memmove(state.p, state.p + n, state.n -= n);
    return true;
}

/* -- the fork server ----------------------------------------------------------- */

/* The offset of an image's descriptor is everybody's: never read() it. */
static int run_image(const char *name, int image)
{
    char bytes[4096] = "";
    if (pread(image, bytes, sizeof bytes, 0) < 0) return 3;
    if (memcmp(bytes, IMAGE_MAGIC, strlen(IMAGE_MAGIC)) != 0) return 3;
    off_t at = IMAGE_TEXT_AT;
    for (ssize_t n; (n = pread(image, bytes, sizeof bytes, at)) > 0; at += n) {
        buf_put(&state, (struct span){ bytes, (size_t)n });
    }
    close(image);
    obey_name(name);
    return serve();
}

static int become_worker(const struct forkserver_request *r, const int *fds)
{
    int high[FORKSERVER_FDS];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < FORKSERVER_FDS; i++) high[i] = dup2(fds[i], 40 + i);
    dup2(high[FORKSERVER_FD_CONNECTION], 3);
    dup2(high[FORKSERVER_FD_CONNECTION], 4);
    dup2(high[FORKSERVER_FD_SAVE], FORKSERVER_SAVE_FD);
    dup2(high[FORKSERVER_FD_IMAGE], 5);
    close_range(8, ~0u, 0);
    close(6);
    return run_image(r->name, 5);
}

static int fork_server(void)
{
    for (;;) {
        struct forkserver_request request;
        union {
            struct cmsghdr align;
            char bytes[CMSG_SPACE(FORKSERVER_FDS * sizeof(int))];
        } control;
        struct iovec iov = { &request, sizeof request };
        struct msghdr m = { .msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control };
        if (recvmsg(FORKSERVER_CONTROL_FD, &m, 0) <= 0) return 0;
        int fds[FORKSERVER_FDS];
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        if (c == NULL || c->cmsg_len != CMSG_LEN(sizeof fds)) return 2;
        memcpy(fds, CMSG_DATA(c), sizeof fds);
        pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
        if (pid == 0) return become_worker(&request, fds);
        for (int i = 0; i < FORKSERVER_FDS; i++) close(fds[i]);
        struct forkserver_reply answer = { FORKSERVER_MAGIC, pid };
        (void)send(FORKSERVER_CONTROL_FD, &answer, sizeof answer, 0);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) return 1;
    if (strcmp(argv[1], "--fork-server") == 0) return fork_server();
    obey_name(argv[1]);
    for (int i = 2; i + 1 < argc; i++) {
        if (strcmp(argv[i], "-r") != 0) continue;
        read_rest(atoi(argv[i + 1] + 1));
        if (!drop_magic(SNAPSHOT_MAGIC)) return 2;
    }
    return serve();
}
