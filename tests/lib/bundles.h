/* bundles.h -- endoZipBase64 bundles made on the spot: a zip writer, and a small one that is
 * right, for tests that need a bundle or one that is wrong in one way. */
#pragma once

#include "lib/unit.h"

#include <zlib.h>

#include "base/buf.h"
#include "base/hash.h"

/* -- a zip writer --------------------------------------------------------------- */

static inline void le(struct buf *b, uint32_t n, int bytes)
{
    for (int i = 0; i < bytes; i++, n >>= 8)
        buf_putc(b, (char)(n & 255));
}

struct file {
    const char *name;
    struct span content;
    bool deflated;
};

static inline struct span packed_as(const struct file *f, struct buf *tmp)
{
    if (!f->deflated) return f->content;
    z_stream z = { 0 };
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    buf_reset(tmp);
    z.next_in = (z_const Bytef *)f->content.p;
    z.avail_in = (uInt)f->content.n;
    z.avail_out = (uInt)f->content.n + 1000;
    z.next_out = (Bytef *)buf_room(tmp, z.avail_out);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    tmp->n += z.total_out;
    deflateEnd(&z);
    return buf_span(tmp);
}

/* version needed … sizes, name length, extra length */
static inline void common(struct buf *b, const struct file *f, struct span packed)
{
    le(b, 10, 2);
    le(b, 0, 2);
    le(b, f->deflated ? 8 : 0, 2);
    le(b, 0x21, 4); /* time and date */
    le(b, (uint32_t)crc32_z(0, (const Bytef *)f->content.p, f->content.n), 4);
    le(b, (uint32_t)packed.n, 4);
    le(b, (uint32_t)f->content.n, 4);
    le(b, (uint32_t)strlen(f->name), 2);
    le(b, 0, 2);
}

static inline void make_zip(struct buf *zip, const struct file *files, size_t n)
{
    struct buf central = { 0 }, tmp = { 0 };
    for (size_t i = 0; i < n; i++) {
        struct span packed = packed_as(&files[i], &tmp);
        uint32_t at = (uint32_t)zip->n;
        buf_puts(zip, "PK\3\4");
        common(zip, &files[i], packed);
        buf_puts(zip, files[i].name);
        buf_put(zip, packed);
        buf_puts(&central, "PK\1\2");
        le(&central, 10, 2);
        common(&central, &files[i], packed);
        le(&central, 0, 2 + 2 + 2);
        le(&central, 0, 4);
        le(&central, at, 4);
        buf_puts(&central, files[i].name);
    }
    uint32_t at = (uint32_t)zip->n;
    buf_put(zip, buf_span(&central));
    buf_puts(zip, "PK\5\6");
    le(zip, 0, 4);
    le(zip, (uint32_t)n, 2);
    le(zip, (uint32_t)n, 2);
    le(zip, (uint32_t)central.n, 4);
    le(zip, at, 4);
    le(zip, 0, 2);
    buf_fini(&central);
    buf_fini(&tmp);
}

/* -- bundles -------------------------------------------------------------------- */

static inline void put_base64(struct buf *b, struct span s)
{
    static const char abc[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < s.n; i += 3) {
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (i + k < s.n ? (unsigned char)s.p[i + k] : 0);
        for (int k = 0; k < 4; k++)
            buf_putc(b, i + (size_t)k > s.n ? '=' : abc[v >> (18 - 6 * k) & 63]);
    }
}

static inline void bundle_of(struct buf *json, struct span zip, const char *sha512)
{
    buf_puts(json, "{\"moduleFormat\":\"endoZipBase64\",\"endoZipBase64\":\"");
    put_base64(json, zip);
    buf_printf(json, "\",\"endoZipBase64Sha512\":\"%s\"}", sha512);
}

static const char MODULE[] = "export const buildRootObject = () => {};";

/* A compartment map that names a/main.js with this hash. */
static inline void map_of(struct buf *map, const char *module_sha512)
{
    buf_printf(
        map,
        "{\"tags\":[],\"entry\":{\"compartment\":\"a\",\"module\":\"./main.js\"},"
        "\"compartments\":{\"a\":{\"name\":\"a\",\"label\":\"a\",\"location\":\"a\",\"modules\":{"
        "\"./main.js\":{\"location\":\"main.js\",\"parser\":\"text\",\"sha512\":\"%s\"},"
        "\"other\":{\"compartment\":\"a\",\"module\":\"./main.js\"}}}}}",
        module_sha512);
}

struct sample {
    struct buf map, zip, json;
    char sha512[SHA512_HEX + 1];
};

static inline void make_sample(struct sample *m, bool deflated)
{
    char module_hash[SHA512_HEX + 1];
    *m = (struct sample){ 0 };
    sha512_hex(span_of(MODULE), module_hash);
    map_of(&m->map, module_hash);
    sha512_hex(buf_span(&m->map), m->sha512);
    const struct file files[] = { { "compartment-map.json", buf_span(&m->map), deflated },
                                  { "a/main.js", span_of(MODULE), deflated } };
    make_zip(&m->zip, files, 2);
    bundle_of(&m->json, buf_span(&m->zip), m->sha512);
}

static inline void free_sample(struct sample *m)
{
    buf_fini(&m->map);
    buf_fini(&m->zip);
    buf_fini(&m->json);
}
