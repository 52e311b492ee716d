#include "host/slog_file.h"

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

struct slog_file {
    int fd;
    bool failed;
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

static void flush(struct slog_file *f)
{
    size_t done = 0;
    while (!f->failed && done < f->lines.n) {
        ssize_t n = write(f->fd, f->lines.p + done, f->lines.n - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            log_warn("%s: %s; no more is logged there", f->path, strerror(errno));
            f->failed = true;
        } else {
            done += (size_t)n;
        }
    }
    buf_reset(&f->lines);
}

/* What a killed process left of a line must not run into the next one. */
static void end_torn_line(struct slog_file *f)
{
    struct stat st;
    char last;
    if (fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
        pread(f->fd, &last, 1, st.st_size - 1) == 1 && last != '\n')
        buf_putc(&f->lines, '\n');
}

int slog_file_open(const char *path, struct slog_file **out, struct err *e)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 && (errno == EACCES || errno == ENXIO))
        fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC); /* a pipe, or ours to write only */
    if (fd < 0)
        return err_sys(e, "cannot write %s", path);
    struct slog_file *f = xcalloc(1, sizeof *f);
    f->fd = fd;
    f->path = xmalloc(strlen(path) + 1);
    strcpy(f->path, path);
    f->opened = now(CLOCK_MONOTONIC);
    end_torn_line(f);
    *out = f;
    return 0;
}

void slog_file_close(struct slog_file *f)
{
    if (f == NULL)
        return;
    flush(f);
    close(f->fd);
    buf_fini(&f->lines);
    free(f->path);
    free(f);
}

static void put_time(struct buf *b, const char *name, int64_t us)
{
    buf_printf(b, ",\"%s\":", name);
    json_put_double(b, (double)us / 1e6);
}

/* `object` with the times behind its members; `took` below 0: no time. */
static void put_line(struct slog_file *f, struct span object, int64_t monotonic, int64_t took)
{
    struct buf *b = &f->lines;
    buf_put(b, (struct span){ object.p, object.n - 1 });
    put_time(b, "time", now(CLOCK_REALTIME));
    put_time(b, "monotime", monotonic - f->opened);
    if (took >= 0)
        put_time(b, "seconds", took);
    buf_puts(b, "}\n");
}

void slog_file_event(void *self, const struct slog_event *event)
{
    struct slog_file *f = self;
    int64_t t = now(CLOCK_MONOTONIC);
    if (f->failed)
        return;
    bool timed = event->span != SLOG_POINT;
    put_line(f, event->json_text, t,
             timed && event->finish ? t - f->began[event->span] : -1);
    if (timed && !event->finish)
        f->began[event->span] = t;
    if (f->lines.n > FLUSH_BYTES || (event->span == SLOG_CRANK && event->finish))
        flush(f);
}

void slog_file_init(struct slog_file *f, bool finish)
{
    int64_t t = now(CLOCK_MONOTONIC);
    put_line(f, finish ? SPAN("{\"type\":\"kernel-init-finish\"}")
                       : SPAN("{\"type\":\"kernel-init-start\"}"),
             t, finish ? t - f->init_began : -1);
    f->init_began = t;
    flush(f);
}
