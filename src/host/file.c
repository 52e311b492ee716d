/* file.c -- whole files, for the host. */
#include "host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
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

static int write_all(int fd, struct span s)
{
    while (s.n > 0) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        s = span_from(s, (size_t)n);
    }
    return 0;
}

int file_write(struct arena *a, const char *path, struct span content, struct err *e)
{
    const char *temporary = arena_printf(a, "%s.%ld.tmp", path, (long)getpid()).p;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_sys(e, "cannot write %s", path);
    bool written = write_all(fd, content) == 0;
    if (close(fd) == 0 && written && rename(temporary, path) == 0)
        return 0;
    err_sys(e, "cannot write %s", path);
    unlink(temporary);
    return -1;
}

const char *file_beside(struct arena *a, const char *file, struct span name)
{
    const char *slash = strrchr(file, '/');
    if (slash == NULL || span_starts(name, SPAN("/")))
        return arena_copy(a, name).p;
    return arena_printf(a, "%.*s/%.*s", (int)(slash - file), file, SPAN_ARG(name)).p;
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

const char *file_module(struct arena *a, const char *dir, struct span name)
{
    if (name.n == 0 || name.p[0] == '.' || name.p[0] == '/')
        return NULL;
    for (size_t n = strlen(dir);; n--) {
        const char *path =
            arena_printf(a, "%.*s/node_modules/%.*s", (int)n, dir, SPAN_ARG(name)).p;
        if (is_file(path))
            return path;
        while (n > 0 && dir[n - 1] != '/')
            n--;
        if (n == 0)
            return NULL;
    }
}

int file_folder(struct arena *a, const char *file, const char **out, struct err *e)
{
    char here[PATH_MAX];
    const char *slash = strrchr(file, '/');
    struct span dir = { file, slash == NULL ? 0 : slash == file ? 1 : (size_t)(slash - file) };
    if (file[0] == '/') {
        *out = arena_copy(a, dir).p;
        return 0;
    }
    if (getcwd(here, sizeof here) == NULL)
        return err_sys(e, "cannot tell the current folder");
    *out = dir.n == 0 ? arena_copy(a, span_of(here)).p
                      : arena_printf(a, "%s/%.*s", here, SPAN_ARG(dir)).p;
    return 0;
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
