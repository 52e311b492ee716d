#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "worker/images.h"

enum {
    PAGE_BYTES = 4096,
    BATCH_BYTES = 256 * PAGE_BYTES,
};

static void put_u64(struct sha256 *h, uint64_t n)
{
    char bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (char)(n >> (8 * i));
    sha256_update(h, (struct span){ bytes, sizeof bytes });
}

static bool all_zero(const char *p, size_t n)
{
    return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* Pages that are all zero do not count, so a hole equals the zeros it stands for. */
static void digest_pages(struct sha256 *h, const char *p, size_t n, off_t at)
{
    for (size_t i = 0; i < n; i += PAGE_BYTES) {
        size_t page = n - i < PAGE_BYTES ? n - i : PAGE_BYTES;
        if (all_zero(p + i, page)) continue;
        put_u64(h, (uint64_t)at + i);
        sha256_update(h, (struct span){ p + i, page });
    }
}

static int read_whole(int fd, char *p, size_t n, off_t at)
{
    for (size_t got = 0; got < n;) {
        ssize_t r = pread(fd, p + got, n - got, at + (off_t)got);
        if (r < 0 && errno == EINTR) continue;
        if (r == 0) errno = EIO; /* shorter than fstat said */
        if (r <= 0) return -1;
        got += (size_t)r;
    }
    return 0;
}

static int digest_range(struct sha256 *h, int fd, off_t from, off_t to, char *batch)
{
    while (from < to) {
        size_t n = to - from < BATCH_BYTES ? (size_t)(to - from) : BATCH_BYTES;
        if (read_whole(fd, batch, n, from) != 0) return -1;
        digest_pages(h, batch, n, from);
        from += (off_t)n;
    }
    return 0;
}

/* The next range of data at or behind `at`, whole pages; empty at the end. */
static int next_range(int fd, off_t at, off_t size, off_t *from, off_t *to)
{
    *from = lseek(fd, at, SEEK_DATA);
    if (*from < 0 && errno == ENXIO) {
        *from = *to = size;
        return 0;
    }
    if (*from < 0) return -1;
    *to = lseek(fd, *from, SEEK_HOLE);
    if (*to < 0) return -1;
    *from -= *from % PAGE_BYTES;
    if (*from < at) *from = at;
    *to += (PAGE_BYTES - *to % PAGE_BYTES) % PAGE_BYTES;
    if (*to > size) *to = size;
    return 0;
}

int image_digest(int fd, char out[SHA256_HEX + 1], struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return err_sys(e, "image");
    struct sha256 *h = sha256_new();
    char *batch = xmalloc(BATCH_BYTES);
    sha256_begin(h);
    sha256_update(h, SPAN("zygote image digest 1\n"));
    put_u64(h, (uint64_t)st.st_size);
    int result = 0;
    for (off_t at = 0, from = 0, to = 0; result == 0 && at < st.st_size; at = to) {
        result = next_range(fd, at, st.st_size, &from, &to);
        if (result == 0) result = digest_range(h, fd, from, to, batch);
        if (result != 0) (void)err_sys(e, "image");
    }
    if (result == 0) sha256_peek_hex(h, out);
    free(batch);
    sha256_free(h);
    return result;
}
