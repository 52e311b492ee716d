/* file.c -- whole files, for the host. */
#include "host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, char *into, size_t n, const char *path, size_t *got,
                    struct err *e)
{
    size_t at = 0;
    while (at < n) {
        ssize_t r = read(fd, into + at, n - at);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_sys(e, "cannot read %s", path);
        if (r == 0)
            break;
        at += (size_t)r;
    }
    *got = at;
    return 0;
}

static int read_open(struct arena *a, int fd, const char *path, struct span *out,
                     struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_sys(e, "cannot read %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, EXIT_FAILED, "%s is not a regular file", path);
    if (st.st_size > FILE_BYTES_MAX)
        return err_set(e, EXIT_FAILED, "%s is too large (%lld bytes, at most %d)", path,
                       (long long)st.st_size, FILE_BYTES_MAX);
    size_t n = (size_t)st.st_size;
    char *bytes = arena_alloc(a, n + 1);
    if (read_all(fd, bytes, n, path, &n, e) != 0)
        return -1;
    *out = (struct span){ bytes, n };
    return 0;
}

int file_read(struct arena *a, const char *path, struct span *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return err_set(e, EXIT_NOT_FOUND, "no such file: %s", path);
    if (fd < 0)
        return err_sys(e, "cannot open %s", path);
    int failed = read_open(a, fd, path, out, e);
    close(fd);
    return failed;
}

const char *file_beside(struct arena *a, const char *file, struct span name)
{
    const char *slash = strrchr(file, '/');
    if (slash == NULL || span_starts(name, SPAN("/")))
        return arena_copy(a, name).p;
    return arena_printf(a, "%.*s/%.*s", (int)(slash - file), file, SPAN_ARG(name)).p;
}

const char *file_join(struct arena *a, const char *dir, const char *name)
{
    return arena_printf(a, "%s/%s", dir, name).p;
}

int file_make_dirs(struct arena *a, const char *dir, unsigned mode, struct err *e)
{
    char *path = (char *)arena_copy(a, span_of(dir)).p;
    for (char *p = path + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(path, mode) != 0 && errno != EEXIST)
            return err_sys(e, "cannot make directory %s", path);
        *p = '/';
    }
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return err_sys(e, "cannot make directory %s", path);
    struct stat st;
    if (stat(path, &st) != 0)
        return err_sys(e, "cannot use directory %s", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, EXIT_FAILED, "%s is not a directory", path);
    return 0;
}
