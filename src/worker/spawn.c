#include "worker/spawn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"

enum {
    COMMAND_FD = 3, /* numbers of the stock worker */
    REPLY_FD = 4,
    SAVE_FD = FORKSERVER_SAVE_FD,
    LOAD_FD = 8,
};

void spawn_name(const struct vat_start *from, char out[FORKSERVER_NAME_MAX])
{
    size_t name_max = FORKSERVER_NAME_MAX - ID_TEXT_MAX - 2;
    struct span name = from->name;
    if (name.n > name_max) name.n = name_max;
    (void)snprintf(out, FORKSERVER_NAME_MAX, "%s:%.*s", vat_id_text(from->vat).s,
                   (int)name.n, name.p == NULL ? "" : name.p);
    for (char *c = out; *c != '\0'; c++) {
        *c = shown_char(*c);
    }
}

/* Start the program; `load` is what it reads its snapshot from, or -1. */
static int spawn(struct worker_port *p, const struct spawn_request *r, const char *snapshot,
                 int load, struct vat_machine **out, struct err *e)
{
    struct vat_machine *m;
    struct machine_ends ends;
    if (machine_new(r->name, p->stall_ms, &m, &ends, e) != 0) return -1;
    m->posts = p->images != NULL; /* without images it may be the stock worker */

    char limit[16], from[SHA256_HEX + 16];
    const char *argv[8] = { p->path, m->name };
    int argc = 2;
    if (snapshot != NULL) {
        (void)snprintf(from, sizeof from, "@%d:%s", LOAD_FD, snapshot);
        argv[argc++] = "-r";
        argv[argc++] = from;
    }
    if (r->meter_limit != 0) {
        (void)snprintf(limit, sizeof limit, "%u", (unsigned)r->meter_limit);
        argv[argc++] = "-l";
        argv[argc++] = limit;
    }
    struct process_spec spec = { .program = p->program,
                                 .argv = argv,
                                 .fds = { -1, STDERR_FILENO, STDERR_FILENO, -1, -1, -1, -1,
                                          -1, -1, -1 },
                                 .fd_count = SPAWN_IMAGE_FD + 1 };
    spec.fds[COMMAND_FD] = ends.connection;
    spec.fds[REPLY_FD] = ends.connection;
    spec.fds[SAVE_FD] = ends.save;
    spec.fds[LOAD_FD] = load;
    spec.fds[SPAWN_IMAGE_FD] = r->image;
    int result = process_spawn(&spec, &m->pid, e);
    machine_close_ends(&ends);
    if (result != 0) machine_free(m);
    else *out = m;
    return result;
}

/* -- booting ------------------------------------------------------------------ */

/* The text upstream evaluates: `(${bundle.source}\n)()`.  Its trim() has nothing to do. */
static int bundle_script(const struct vat_source *source, struct span id, struct arena *a,
                         struct span *out, struct err *e)
{
    struct buf json = { 0 };
    struct jval doc;
    int result = source->bundle(source->self, id, &json, e);
    if (result == 0) result = json_parse(a, buf_span(&json), &doc, e);
    if (result == 0) {
        struct jval format = json_get(doc, "moduleFormat");
        struct span text = json_str(json_get(doc, "source"), a);
        if (!json_is(format, "getExport") && !json_is(format, "nestedEvaluate")) {
            result = err_set(e, EXIT_INCOMPATIBLE, "unexpected moduleFormat");
        } else if (text.p == NULL) {
            result = err_set(e, EXIT_INCOMPATIBLE, "no source");
        } else {
            struct buf script = { 0 };
            buf_putc(&script, '(');
            buf_put(&script, wtf8_to_utf8(a, text));
            buf_puts(&script, "\n)()");
            *out = arena_copy(a, buf_span(&script));
            buf_fini(&script);
        }
    }
    buf_fini(&json);
    return result == 0 ? 0 : err_while(e, "bundle %.*s", SPAN_ARG(id));
}

static int boot_one(struct vat_machine *m, const struct vat_source *source, struct span id,
                    struct err *e)
{
    struct arena a;
    arena_init(&a);
    struct machine_command c = { .verb = 'e', .reply_ms = -1 };
    struct vat_reply reply;
    int result = bundle_script(source, id, &a, &c.text, e);
    if (result == 0 && machine_ask(m, &c, &a, &reply, e) != 0) {
        result = err_while(e, "evaluating bundle %.*s", SPAN_ARG(id));
    }
    arena_fini(&a);
    return result;
}

int spawn_booted(struct worker_port *p, const struct spawn_request *r,
                 const struct vat_start *from, struct vat_machine **out, struct err *e)
{
    struct vat_machine *m;
    if (spawn(p, r, NULL, -1, &m, e) != 0) return -1;
    for (size_t i = 0; i < from->boot_count; i++) {
        if (boot_one(m, from->source, from->boot[i], e) != 0) {
            machine_free(m);
            return -1;
        }
    }
    *out = m;
    return 0;
}

/* -- loading ------------------------------------------------------------------ */

struct feed {
    struct sha256 *hash;
    int to;
    int stall_ms;
    bool refused; /* the worker stopped reading: its exit says why, if the bytes are good */
};

static int feed_wait(const struct feed *f, struct err *e)
{
    struct pollfd p = { .fd = f->to, .events = POLLOUT };
    int n;
    do n = poll(&p, 1, f->stall_ms);
    while (n < 0 && errno == EINTR);
    if (n < 0) return err_sys(e, "poll");
    return n > 0 ? 0 : err_set(e, EXIT_FAILED, "worker does not read its snapshot");
}

static int feed_bytes(void *ctx, struct span bytes, struct err *e)
{
    struct feed *f = ctx;
    sha256_update(f->hash, bytes);
    while (bytes.n > 0 && !f->refused) {
        ssize_t n = send(f->to, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) bytes = span_from(bytes, (size_t)n);
        else if (errno == EAGAIN && feed_wait(f, e) != 0) return -1;
        else if (errno == EPIPE || errno == ECONNRESET) f->refused = true;
        else if (errno != EAGAIN && errno != EINTR) return err_sys(e, "feeding the snapshot");
    }
    return 0;
}

static int feed_snapshot(const struct vat_start *from, int to, int stall_ms, struct err *e)
{
    char got[SHA256_HEX + 1];
    struct feed f = { .hash = sha256_new(), .to = to, .stall_ms = stall_ms };
    sha256_begin(f.hash);
    int result = from->source->snapshot(from->source->self, from->snapshot, feed_bytes, &f, e);
    sha256_peek_hex(f.hash, got);
    sha256_free(f.hash);
    if (result != 0) return -1;
    if (strcmp(got, from->snapshot) == 0) return 0;
    return err_set(e, EXIT_INTEGRITY, "its bytes have hash %s", got);
}

int spawn_loading(struct worker_port *p, const struct spawn_request *r,
                  const struct vat_start *from, struct vat_machine **out, struct err *e)
{
    int pair[2];
    struct vat_machine *m = NULL;
    /* A socket rather than a pipe: writing to a dead reader then raises no SIGPIPE. */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return err_sys(e, "worker %s: socketpair", r->name);
    }
    int result = spawn(p, r, from->snapshot, pair[1], &m, e);
    (void)close(pair[1]);
    if (result == 0 && feed_snapshot(from, pair[0], p->stall_ms, e) != 0) {
        machine_free(m);
        result = err_while(e, "vat %s: snapshot %s", r->name, from->snapshot);
    }
    (void)close(pair[0]);
    if (result == 0) *out = m;
    return result;
}
