#include "host/slogger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/xalloc.h"

struct slogger {
    struct slogger_target to;
    int fd; /* -1: no file, or it failed */
    char *path;
    int64_t opened; /* these on the monotonic clock, in microseconds */
    int64_t began[SLOG_SPANS];
    int64_t init_began;
    struct buf lines; /* not written yet */
};

enum { FLUSH_BYTES = 1 << 18 };

static int64_t now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void slogger_flush(struct slogger *s)
{
    size_t done = 0;
    while (s->fd >= 0 && done < s->lines.n) {
        ssize_t n = write(s->fd, s->lines.p + done, s->lines.n - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            log_warn("%s: %s; no more is logged there", s->path, strerror(errno));
            close(s->fd);
            s->fd = -1;
        } else {
            done += (size_t)n;
        }
    }
    buf_reset(&s->lines);
}

/* What a killed process left of a line must not run into the next one. */
static void end_torn_line(struct slogger *s)
{
    struct stat st;
    char last;
    if (fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
        pread(s->fd, &last, 1, st.st_size - 1) == 1 && last != '\n')
        buf_putc(&s->lines, '\n');
}

static int open_file(const char *path, struct err *e)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 && (errno == EACCES || errno == ENXIO))
        fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC); /* a pipe, or ours to write only */
    return fd < 0 ? err_sys(e, "cannot write %s", path) : fd;
}

int slogger_open(const struct slogger_target *to, struct slogger **out, struct err *e)
{
    int fd = to->file != NULL ? open_file(to->file, e) : -1;
    if (to->file != NULL && fd < 0)
        return -1;
    struct slogger *s = xcalloc(1, sizeof *s);
    s->to = *to;
    s->to.file = NULL; /* the caller's, as long as this call */
    s->fd = fd;
    s->opened = now(CLOCK_MONOTONIC);
    if (fd >= 0) {
        s->path = xstrdup(to->file);
        end_torn_line(s);
    }
    *out = s;
    return 0;
}

void slogger_close(struct slogger *s)
{
    if (s == NULL)
        return;
    slogger_flush(s);
    if (s->fd >= 0)
        close(s->fd);
    buf_fini(&s->lines);
    free(s->path);
    free(s);
}

/* -- lines ------------------------------------------------------------------------- */

static void put_time(struct buf *b, const char *name, int64_t us)
{
    buf_printf(b, ",\"%s\":", name);
    json_put_double(b, (double)us / 1e6);
}

static void put_times(struct slogger *s, int64_t monotonic)
{
    put_time(&s->lines, "time", now(CLOCK_REALTIME));
    put_time(&s->lines, "monotime", monotonic - s->opened);
}

/* Of the line that begins at `from`. */
static void end_line(struct slogger *s, size_t from)
{
    struct buf *b = &s->lines;
    if (s->to.line != NULL) {
        buf_putc(b, '\0'); /* for C's functions, which may be at the other end */
        s->to.line(s->to.self, (struct span){ b->p + from, b->n - 1 - from });
        b->n--;
    }
    buf_putc(b, '\n');
    if (b->n > FLUSH_BYTES)
        slogger_flush(s);
}

/* `object` with the times behind its members; `took` below 0: no time. */
static void put_line(struct slogger *s, struct span object, int64_t monotonic, int64_t took)
{
    size_t from = s->lines.n;
    buf_put(&s->lines, (struct span){ object.p, object.n - 1 });
    put_times(s, monotonic);
    if (took >= 0)
        put_time(&s->lines, "seconds", took);
    buf_putc(&s->lines, '}');
    end_line(s, from);
}

/* Nobody is there to read it. */
static bool is_idle(const struct slogger *s)
{
    return s->fd < 0 && s->to.line == NULL;
}

void slogger_event(void *self, const struct slog_event *event)
{
    struct slogger *s = self;
    int64_t t = now(CLOCK_MONOTONIC);
    if (is_idle(s))
        return;
    bool timed = event->span != SLOG_POINT;
    put_line(s, event->json_text, t,
             timed && event->finish ? t - s->began[event->span] : -1);
    if (timed && !event->finish)
        s->began[event->span] = t;
    if (event->span == SLOG_CRANK && event->finish)
        slogger_flush(s);
}

void slogger_init(struct slogger *s, bool finish)
{
    int64_t t = now(CLOCK_MONOTONIC);
    put_line(s, finish ? SPAN("{\"type\":\"kernel-init-finish\"}")
                       : SPAN("{\"type\":\"kernel-init-start\"}"),
             t, finish ? t - s->init_began : -1);
    s->init_began = t;
    slogger_flush(s);
}

/* -- an object of the host's ------------------------------------------------------- */

int slogger_check(struct jval object, struct err *e)
{
    if (json_type(object) != JSON_OBJECT)
        return err_set(e, EXIT_USAGE, "not a JSON object");
    if (json_type(json_get(object, "type")) != JSON_STRING)
        return err_set(e, EXIT_USAGE, "no \"type\" that is a text");
    if (json_type(json_get(object, "time")) != JSON_NONE ||
        json_type(json_get(object, "monotime")) != JSON_NONE)
        return err_set(e, EXIT_USAGE, "\"time\" and \"monotime\" are added to it");
    return 0;
}

/* The members of `v` that are in a given place of the line; `v` is in JavaScript's order,
 * where names that are integers come before all others, and so before `type`. */
enum place { IN_FRONT, BEHIND };

static void put_members(struct buf *b, struct jval v, enum place place, struct arena *a)
{
    for (struct jval m = json_first(v); json_type(m) != JSON_NONE; m = json_next(m)) {
        struct span name = json_name(m, a);
        uint64_t index;
        bool is_index = span_u64(name, &index) && index < UINT32_MAX;
        if (span_is(name, "type") || span_is(name, "seconds") || is_index != (place == IN_FRONT))
            continue;
        if (b->p[b->n - 1] != '{')
            buf_putc(b, ',');
        json_put_string(b, name);
        buf_putc(b, ':');
        buf_put(b, json_raw(m));
    }
}

static void put_object(struct slogger *s, struct jval v, struct arena *a)
{
    struct buf *b = &s->lines;
    struct jval seconds = json_get(v, "seconds");
    buf_putc(b, '{');
    put_members(b, v, IN_FRONT, a);
    buf_puts(b, b->p[b->n - 1] == '{' ? "\"type\":" : ",\"type\":");
    buf_put(b, json_raw(json_get(v, "type")));
    put_members(b, v, BEHIND, a);
    put_times(s, now(CLOCK_MONOTONIC));
    if (json_type(seconds) != JSON_NONE) {
        buf_puts(b, ",\"seconds\":");
        buf_put(b, json_raw(seconds));
    }
    buf_putc(b, '}');
}

void slogger_object(struct slogger *s, struct jval object)
{
    struct arena a;
    struct buf text = { 0 };
    struct jval v;
    struct err e;
    size_t from = s->lines.n;
    if (is_idle(s))
        return;
    arena_init(&a);
    json_put_value(&text, object);
    int failed = json_parse(&a, buf_span(&text), &v, &e);
    INVARIANT(failed == 0); /* it was just written */
    put_object(s, v, &a);
    end_line(s, from);
    slogger_flush(s);
    buf_fini(&text);
    arena_fini(&a);
}
