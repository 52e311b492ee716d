/* verb_slog.c -- zygote slog: a log of events, for people, or followed as it grows. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "cli/out.h"
#include "host/file.h"

enum { READ_BYTES = 1 << 16, POLL_MS = 100, DETAIL_BYTES = 160 };

struct reader {
    struct cli *cli;
    const char *path;
    int fd;
    uint64_t offset;   /* of what was read */
    struct buf line;   /* begun, its end not read yet */
    uint64_t lines, bad;
};

/* -- a line for people --------------------------------------------------------------- */

static void put_clock(struct buf *b, struct jval time)
{
    double t;
    struct tm tm;
    if (!json_double(time, &t) || t < 0 || t > 1e11)
        return;
    time_t seconds = (time_t)t;
    if (localtime_r(&seconds, &tm) == NULL)
        return;
    buf_printf(b, "%02d:%02d:%02d.%03d", tm.tm_hour, tm.tm_min, tm.tm_sec,
               (int)((t - (double)seconds) * 1000));
}

/* What an event is about: the member that says most, by type. */
static const char *const details[][4] = {
    { "crank-start", "messageType", "message" },
    { "crank-finish", "messageType", "activityhash" },
    { "deliver", "kd", "vd" }, /* in a replay there is only vd */
    { "deliver-result", "dispatch", "dr" },
    { "syscall", "vsc" },
    { "syscall-result", "syscall", "vsr" },
    { "clist", "mode", "kobj", "vobj" },
    { "console", "source", "level", "args" },
    { "create-vat", "name", "description" },
    { "terminate", "shouldReject", "info" },
    { "start-replay", "deliveries" },
    { "heap-snapshot-save", "endPosition", "snapshotID" },
    { "heap-snapshot-load", "snapPos", "hash" },
    { "vat-cleanup", "work" },
    { "slogger-confused", "state", "exp", "msg" },
    { "fork-vat-start", "parentVatID" },
    { "fork-vat-finish", "parentVatID", "error" },
    { "zygotify-vat-finish", "error" },
    { "take-offline-finish", "error" },
    { "page-in-start", "snapshotID" },
    { "page-in-finish", "from", "replayed" },
    { "page-out", "reason" },
};

static void put_detail(struct buf *b, struct jval v, const char *name, struct arena *a)
{
    struct jval m = json_get(v, name);
    struct span text = json_str(m, a);
    if (json_type(m) == JSON_NONE)
        return;
    buf_putc(b, ' ');
    out_tame(b, text.p == NULL ? json_raw(m) : text);
}

static void put_details(struct buf *b, struct jval v, struct arena *a)
{
    struct jval type = json_get(v, "type");
    for (size_t i = 0; i < sizeof details / sizeof details[0]; i++) {
        if (!json_is(type, details[i][0]))
            continue;
        bool both = !json_is(type, "deliver") || json_type(json_get(v, "kd")) == JSON_NONE;
        for (size_t j = 1; j < 4 && details[i][j] != NULL && (j == 1 || both); j++)
            put_detail(b, v, details[i][j], a);
    }
}

/* Cut at a character. */
static void cut(struct buf *b, size_t from)
{
    size_t to = from + DETAIL_BYTES;
    if (b->n <= to)
        return;
    while (to > from && ((unsigned char)b->p[to] & 0xc0) == 0x80)
        to--;
    b->n = to;
    buf_puts(b, "…");
}

static void put_number(struct buf *b, const char *letter, struct jval v)
{
    uint64_t n;
    if (json_u64(v, &n))
        buf_printf(b, " %s%llu", letter, (unsigned long long)n);
}

static void put_legible(struct cli *c, struct jval v, struct arena *a)
{
    struct buf *b = &c->out;
    put_clock(b, json_get(v, "time"));
    put_number(b, "crank ", json_get(v, "crankNum"));
    put_detail(b, v, "vatID", a);
    put_number(b, "d", json_get(v, "deliveryNum"));
    put_number(b, "sc", json_get(v, "syscallNum"));
    buf_puts(b, c->color ? " \033[1m" : "");
    put_detail(b, v, "type", a);
    buf_puts(b, c->color ? "\033[0m" : "");
    if (json_type(json_get(v, "replay")) == JSON_TRUE)
        buf_puts(b, " (replay)");
    size_t from = b->n;
    put_details(b, v, a);
    if (!c->verbose)
        cut(b, from);
    double seconds;
    if (json_double(json_get(v, "seconds"), &seconds))
        buf_printf(b, " %.6fs", seconds);
    buf_putc(b, '\n');
}

/* -- lines ---------------------------------------------------------------------------- */

static bool wanted(const struct cli *c, struct jval v)
{
    const char *vat = c->value[OPT_VAT], *type = c->value[OPT_TYPE];
    return (vat == NULL || json_is(json_get(v, "vatID"), vat)) &&
           (type == NULL || json_is(json_get(v, "type"), type));
}

static void take_line(struct reader *r, struct span line)
{
    struct arena a;
    struct jval v;
    struct err ignored;
    if (line.n == 0)
        return;
    arena_init(&a);
    r->lines++;
    if (json_parse(&a, line, &v, &ignored) != 0 || json_type(v) != JSON_OBJECT) {
        r->bad++;
    } else if (wanted(r->cli, v) && r->cli->json) {
        buf_put(&r->cli->out, line);
        buf_putc(&r->cli->out, '\n');
    } else if (wanted(r->cli, v)) {
        put_legible(r->cli, v, &a);
    }
    arena_fini(&a);
}

static void take_bytes(struct reader *r, struct span bytes)
{
    while (bytes.n > 0) {
        const char *end = memchr(bytes.p, '\n', bytes.n);
        size_t n = end == NULL ? bytes.n : (size_t)(end - bytes.p);
        buf_put(&r->line, (struct span){ bytes.p, n });
        if (end == NULL)
            return;
        take_line(r, buf_span(&r->line));
        buf_reset(&r->line);
        bytes = span_from(bytes, n + 1);
    }
}

/* What there is so far goes out at once: whoever follows wants to see it. */
static int put_out(struct cli *c, struct err *e)
{
    bool ok = fwrite(c->out.p == NULL ? "" : c->out.p, 1, c->out.n, stdout) == c->out.n &&
              fflush(stdout) == 0;
    buf_reset(&c->out);
    return ok ? 0 : err_sys(e, "cannot write to standard output");
}

static int read_all(struct reader *r, struct err *e)
{
    char bytes[READ_BYTES];
    ssize_t n;
    while ((n = read(r->fd, bytes, sizeof bytes)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "cannot read %s", r->path);
        r->offset += (uint64_t)n;
        take_bytes(r, (struct span){ bytes, (size_t)n });
        if (put_out(r->cli, e) != 0)
            return -1;
    }
    return 0;
}

/* A file that became shorter was begun anew. */
static void notice_truncation(struct reader *r)
{
    struct stat st;
    if (fstat(r->fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size < r->offset) {
        lseek(r->fd, 0, SEEK_SET);
        r->offset = 0;
        buf_reset(&r->line);
    }
}

static int follow(struct reader *r, struct err *e)
{
    const struct timespec pause = { 0, POLL_MS * 1000000L };
    for (;;) { /* until a signal ends the process */
        notice_truncation(r);
        if (read_all(r, e) != 0)
            return -1;
        nanosleep(&pause, NULL);
    }
}

int verb_slog(struct cli *c, struct err *e)
{
    struct reader r = { .cli = c, .path = c->operands[0], .fd = STDIN_FILENO };
    bool standard = strcmp(r.path, "-") == 0;
    if (!standard && (r.fd = open(r.path, O_RDONLY | O_CLOEXEC)) < 0) {
        bool absent = errno == ENOENT;
        err_sys(e, "cannot read %s", r.path);
        if (absent)
            e->exit = EXIT_NOT_FOUND;
        return -1;
    }
    int failed = read_all(&r, e);
    if (!failed && c->value[OPT_FOLLOW] != NULL)
        failed = follow(&r, e);
    if (!failed)
        take_line(&r, buf_span(&r.line));
    if (r.bad > 0)
        log_warn("%s: %llu of %llu lines are not events", r.path, (unsigned long long)r.bad,
                 (unsigned long long)r.lines);
    buf_fini(&r.line);
    if (!standard)
        close(r.fd);
    return failed;
}
