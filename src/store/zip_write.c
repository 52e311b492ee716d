/* zip_write.c -- an archive of stored files, without dates (zip.h). */
#include "store/zip.h"

#include <zlib.h>

enum {
    VERSION = 10, /* needed to extract: 1.0 */
    NO_DATE = 0x21, /* the first of January 1980, midnight */
    HEADERS_MAX = 256, /* beside names: both headers of a file, and the end */
};

static void put(struct buf *b, uint32_t n, int bytes)
{
    for (; bytes > 0; bytes--, n >>= 8) buf_putc(b, (char)(n & 255));
}

/* What both headers of a file have. */
static void put_common(struct buf *b, struct span name, struct span content)
{
    put(b, VERSION, 2);
    put(b, 0, 4); /* flags, method */
    put(b, NO_DATE << 16, 4);
    put(b, (uint32_t)crc32_z(0, (const Bytef *)content.p, content.n), 4);
    put(b, (uint32_t)content.n, 4);
    put(b, (uint32_t)content.n, 4);
    put(b, (uint32_t)name.n, 2);
    put(b, 0, 2);
}

bool zip_put(struct zip_writer *w, struct span name, struct span content)
{
    size_t used = w->out->n + w->directory.n + 2 * name.n + HEADERS_MAX;
    if (w->count + 1 >= UINT16_MAX || name.n > UINT16_MAX || used >= UINT32_MAX ||
        content.n >= UINT32_MAX - used)
        return false;
    uint32_t at = (uint32_t)w->out->n;
    buf_puts(w->out, "PK\3\4");
    put_common(w->out, name, content);
    buf_put(w->out, name);
    buf_put(w->out, content);
    buf_puts(&w->directory, "PK\1\2");
    put(&w->directory, VERSION, 2);
    put_common(&w->directory, name, content);
    put(&w->directory, 0, 4);
    put(&w->directory, 0, 2);
    put(&w->directory, 0, 4);
    put(&w->directory, at, 4);
    buf_put(&w->directory, name);
    w->count++;
    return true;
}

void zip_finish(struct zip_writer *w)
{
    uint32_t at = (uint32_t)w->out->n;
    buf_put(w->out, buf_span(&w->directory));
    buf_puts(w->out, "PK\5\6");
    put(w->out, 0, 4);
    put(w->out, w->count, 2);
    put(w->out, w->count, 2);
    put(w->out, (uint32_t)w->directory.n, 4);
    put(w->out, at, 4);
    put(w->out, 0, 2);
    buf_fini(&w->directory);
}
