/* zip.c -- the files of an archive in memory.
 *
 * The bytes are hostile.  Every offset is checked against the length before it is used.
 */
#include "store/zip.h"

#include <zlib.h>

enum {
    END_BYTES = 22,     /* end of central directory, without comment */
    CENTRAL_BYTES = 46, /* up to the name */
    LOCAL_BYTES = 26,   /* likewise, without the signature */
    SIGNATURE_BYTES = 4,
    FLAG_ENCRYPTED = 1,
    ATTRIBUTE_DIRECTORY = 0x10,
    METHOD_STORE = 0,
};

static uint16_t u16(const char *at)
{
    const unsigned char *p = (const unsigned char *)at;
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t u32(const char *at)
{
    return (uint32_t)u16(at) | (uint32_t)u16(at + 2) << 16;
}

static int bad(struct err *e, const char *what)
{
    return err_set(e, EXIT_INTEGRITY, "bad zip: %s", what);
}

/* -- reading ---------------------------------------------------------------------- */

/* Positions count from `skipped`, the bytes in front of the archive proper.  As upstream's
 * reader has it, they may not reach the last `skipped` bytes either. */
struct reader {
    struct span bytes;
    size_t skipped, at;
};

static bool can_seek(const struct reader *r, size_t at)
{
    return 2 * r->skipped <= r->bytes.n && at <= r->bytes.n - 2 * r->skipped;
}

/* The next `n` bytes, or NULL. */
static const char *take(struct reader *r, size_t n)
{
    if (n > r->bytes.n || !can_seek(r, r->at + n)) return NULL;
    const char *p = r->bytes.p + r->skipped + r->at;
    r->at += n;
    return p;
}

static bool expect(struct reader *r, const char *signature)
{
    size_t at = r->skipped + r->at;
    if (at > r->bytes.n || r->bytes.n - at < SIGNATURE_BYTES ||
        memcmp(r->bytes.p + at, signature, SIGNATURE_BYTES) != 0)
        return false;
    r->at += SIGNATURE_BYTES;
    return true;
}

static int read_end(struct reader *r, size_t *count, struct err *e)
{
    if (r->bytes.n < END_BYTES) return bad(e, "not enough of it");
    size_t end = r->bytes.n - END_BYTES;
    const char *p = r->bytes.p + end;
    if (memcmp(p, "PK\5\6", SIGNATURE_BYTES) != 0 || u16(p + 20) != 0)
        return bad(e, "no directory at its end");
    uint32_t size = u32(p + 12), offset = u32(p + 16);
    if (u16(p + 4) == UINT16_MAX || u16(p + 6) == UINT16_MAX || u16(p + 8) == UINT16_MAX ||
        u16(p + 10) == UINT16_MAX || size == UINT32_MAX || offset == UINT32_MAX)
        return bad(e, "zip64");
    if ((uint64_t)size + offset > end) return bad(e, "the directory is cut off");
    r->skipped = end - size - offset;
    r->at = offset;
    *count = u16(p + 10);
    return can_seek(r, offset) ? 0 : bad(e, "the directory is cut off");
}

/* -- files ------------------------------------------------------------------------ */

/* What the directory says of a file.  The first fields both headers have; they stand at
 * `common`: flags, method, time, checksum, sizes. */
struct entry {
    struct span name;
    const char *common;
    uint32_t attributes, start;
};

static int read_central(struct reader *r, struct entry *out, struct err *e)
{
    const char *p = take(r, CENTRAL_BYTES - SIGNATURE_BYTES);
    if (p == NULL) return bad(e, "the directory is cut off");
    struct entry n = { .common = p + 4, .attributes = u32(p + 34), .start = u32(p + 38) };
    n.name = (struct span){ take(r, u16(p + 24)), u16(p + 24) };
    if (n.name.p == NULL || take(r, (size_t)u16(p + 26) + u16(p + 28)) == NULL)
        return bad(e, "the directory is cut off");
    if (u32(n.common + 12) == UINT32_MAX || u32(n.common + 16) == UINT32_MAX ||
        n.start == UINT32_MAX)
        return bad(e, "zip64");
    *out = n;
    return 0;
}

/* A directory may write \ for the / of the file's own header. */
static bool same_name(struct span central, struct span local)
{
    if (central.n != local.n) return false;
    for (size_t i = 0; i < central.n; i++) {
        if ((central.p[i] == '\\' ? '/' : central.p[i]) != local.p[i]) return false;
    }
    return true;
}

/* The file itself, whose header must repeat what the directory says. */
static int read_local(struct reader *r, const struct entry *n, struct span *out,
                      struct err *e)
{
    enum { TIME = 4, CRC = 8 };
    r->at = n->start;
    if (!can_seek(r, r->at)) return bad(e, "a file is cut off");
    (void)expect(r, "PK\3\4"); /* upstream reads on without it; what follows must fit */
    const char *p = take(r, LOCAL_BYTES);
    if (p == NULL) return bad(e, "a file is cut off");
    const char *common = p + 2;
    struct span name = { take(r, u16(p + 22)), u16(p + 22) };
    if (name.p == NULL || take(r, u16(p + 24)) == NULL) return bad(e, "a file is cut off");
    if (!same_name(n->name, name))
        return bad(e, "a file's name differs from the directory");
    if (memcmp(common, n->common, TIME) != 0 || memcmp(common + CRC, n->common + CRC, 12) != 0)
        return bad(e, "a file's header differs from the directory");
    struct span content = { take(r, u32(common + 12)), u32(common + 12) };
    if (content.p == NULL) return bad(e, "a file is cut off");
    if (crc32_z(0, (const Bytef *)content.p, content.n) != u32(common + CRC))
        return bad(e, "a file's checksum is wrong");
    if (u16(common) & FLAG_ENCRYPTED) return bad(e, "a file is encrypted");
    *out = content;
    return 0;
}

static void add_file(struct zip *z, struct span name, struct span content)
{
    uint64_t hash = map_hash(&z->files, name);
    struct zip_file *f = (struct zip_file *)map_find(&z->files, name, hash);
    if (f == NULL) {
        f = ARENA_NEW(&z->arena, struct zip_file);
        *f = (struct zip_file){ .m = { name, hash } };
        map_insert(&z->files, &f->m);
        z->unread++;
    }
    f->content = content;
}

static int read_files(struct zip *z, struct reader *r, size_t count, struct err *e)
{
    size_t budget = r->bytes.n, seen = 0;
    struct reader directory = *r;
    for (; expect(&directory, "PK\1\2"); seen++) {
        struct entry n = { 0 };
        struct span content = SPAN_NONE;
        if (read_central(&directory, &n, e) != 0) return -1;
        if (u32(n.common + 12) > budget) return bad(e, "its files overlap");
        budget -= u32(n.common + 12);
        if (read_local(r, &n, &content, e) != 0) return -1;
        if (n.attributes & ATTRIBUTE_DIRECTORY) continue;
        if (u16(n.common + 2) != METHOD_STORE) return bad(e, "a file is compressed");
        add_file(z, n.name, content);
    }
    return seen == count ? 0 : bad(e, "the directory is cut off");
}

int zip_open(struct zip *z, struct span bytes, struct err *e)
{
    struct reader r = { .bytes = bytes };
    size_t count = 0;
    *z = (struct zip){ 0 };
    arena_init(&z->arena);
    map_init(&z->files);
    return read_end(&r, &count, e) != 0 ? -1 : read_files(z, &r, count, e);
}

void zip_close(struct zip *z)
{
    map_fini(&z->files);
    arena_fini(&z->arena);
}

int zip_read(struct zip *z, struct span name, struct span *content, struct err *e)
{
    struct zip_file *f =
        (struct zip_file *)map_find(&z->files, name, map_hash(&z->files, name));
    if (f == NULL)
        return err_set(e, EXIT_INTEGRITY, "bad zip: no file %s", span_shown(name).s);
    z->unread -= !f->read;
    f->read = true;
    *content = f->content;
    return 0;
}
