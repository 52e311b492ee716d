#include "store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"

enum { NAME_BYTES_MAX = 255 };

char *path_join(const char *dir, const char *name)
{
    struct buf b = { 0 };
    buf_printf(&b, "%s/%s", dir, name);
    buf_putc(&b, '\0');
    return b.p;
}

int dirs_make(const char *dir, struct err *e)
{
    char *path = xstrdup(dir);
    int rc = 0;
    for (char *p = path + 1; rc == 0 && *p != '\0'; p++) {
        if (*p != '/') continue;
        *p = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) rc = err_sys(e, "mkdir %s", path);
        *p = '/';
    }
    if (rc == 0 && mkdir(path, 0777) != 0 && errno != EEXIST)
        rc = err_sys(e, "mkdir %s", path);
    free(path);
    return rc;
}

int dir_sync(const char *dir, struct err *e)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) != 0 ? err_sys(e, "%s", dir) : 0;
    if (fd >= 0) close(fd);
    return rc;
}

int fd_write(int fd, const char *path, struct span bytes, struct err *e)
{
    while (bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_sys(e, "%s", path);
        bytes = span_from(bytes, (size_t)n);
    }
    return 0;
}

static int put_tmp(const char *tmp, struct span bytes, struct err *e)
{
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) return err_sys(e, "%s", tmp);
    int rc = fd_write(fd, tmp, bytes, e);
    if (rc == 0 && fsync(fd) != 0) rc = err_sys(e, "%s", tmp);
    if (close(fd) != 0 && rc == 0) rc = err_sys(e, "%s", tmp);
    return rc;
}

int file_put(const char *dir, const char *name, struct span bytes, struct err *e)
{
    char *path = path_join(dir, name);
    struct buf tmp = { 0 };
    buf_printf(&tmp, "%s/.%s.tmp", dir, name);
    buf_putc(&tmp, '\0');
    int rc = put_tmp(tmp.p, bytes, e);
    if (rc == 0 && rename(tmp.p, path) != 0) rc = err_sys(e, "%s", path);
    if (rc != 0) unlink(tmp.p);
    if (rc == 0) rc = dir_sync(dir, e);
    buf_fini(&tmp);
    free(path);
    return rc;
}

bool file_name_ok(struct span name)
{
    if (name.n == 0 || name.n > NAME_BYTES_MAX || name.p[0] == '.') return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
        if (!ok) return false;
    }
    return true;
}
