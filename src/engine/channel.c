#include "engine/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

static struct {
    struct netstring_reader reader;
    enum netstring_status status; /* of the last read */
    size_t at, end;               /* what is left in `bytes` */
    char bytes[16384];
} in;

bool channel_open(void)
{
    return fcntl(CHANNEL_IN_FD, F_GETFD) != -1 && fcntl(CHANNEL_OUT_FD, F_GETFD) != -1;
}

/* More bytes: 1, end of file: 0, failure: -1. */
static int fill(void)
{
    ssize_t n;
    do n = read(CHANNEL_IN_FD, in.bytes, sizeof in.bytes);
    while (n < 0 && errno == EINTR);
    if (n <= 0) return n == 0 ? 0 : -1;
    in.at = 0;
    in.end = (size_t)n;
    return 1;
}

enum channel_result channel_read(struct buf *frame)
{
    for (;;) {
        in.at += netstring_feed(&in.reader, in.bytes + in.at, in.end - in.at, &in.status);
        if (in.status == NETSTRING_DONE) {
            *frame = netstring_take(&in.reader);
            return CHANNEL_OK;
        }
        if (in.status != NETSTRING_MORE) return CHANNEL_BAD_FRAME;
        int got = fill();
        if (got == 0) return CHANNEL_EOF;
        if (got < 0) return CHANNEL_FAILED;
    }
}

/* What was posted and not sent. */
static struct buf posted;
enum { POSTED_BYTES_MAX = 128 * 1024 };

/* Drop the `n` bytes that were written from the front of the list. */
static void advance(struct iovec *v, int count, size_t n)
{
    for (int i = 0; i < count; i++) {
        size_t take = n < v[i].iov_len ? n : v[i].iov_len;
        v[i].iov_base = (char *)v[i].iov_base + take;
        v[i].iov_len -= take;
        n -= take;
    }
}

static enum channel_result write_all(struct iovec *v, int parts)
{
    size_t left = 0;
    for (int i = 0; i < parts; i++) left += v[i].iov_len;
    while (left > 0) {
        ssize_t n = writev(CHANNEL_OUT_FD, v, parts);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return CHANNEL_FAILED;
        advance(v, parts, (size_t)n);
        left -= (size_t)n;
    }
    return CHANNEL_OK;
}

enum channel_result channel_flush(void)
{
    struct iovec all = { posted.p, posted.n };
    enum channel_result r = write_all(&all, 1);
    buf_reset(&posted);
    return r;
}

enum channel_result channel_post(struct span head, struct span body)
{
    char prefix[32];
    int digits = snprintf(prefix, sizeof prefix, "%zu:", head.n + body.n);
    buf_put(&posted, (struct span){ prefix, (size_t)digits });
    buf_put(&posted, head);
    buf_put(&posted, body);
    buf_putc(&posted, ',');
    return posted.n > POSTED_BYTES_MAX ? channel_flush() : CHANNEL_OK;
}

enum channel_result channel_write(struct span head, struct span body)
{
    char prefix[32];
    int digits = snprintf(prefix, sizeof prefix, "%zu:", head.n + body.n);
    struct iovec v[] = {
        { posted.p, posted.n },
        { prefix, (size_t)digits },
        { (void *)(uintptr_t)head.p, head.n },
        { (void *)(uintptr_t)body.p, body.n },
        { (void *)(uintptr_t) ",", 1 },
    };
    enum channel_result r = write_all(v, sizeof v / sizeof v[0]);
    buf_reset(&posted);
    return r;
}

const char *channel_read_error(void)
{
    if (in.status == NETSTRING_MORE) return "Cannot read netstring";
    return netstring_status_text(in.status);
}
