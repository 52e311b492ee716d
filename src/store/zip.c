/* zip.c -- is this archive what its hash says?
 *
 * A bundle's hash is that of its compartment map; the map names every module's file and
 * its hash in turn.  So one hash vouches for all of the archive, if nothing is in it that
 * the map does not name.  (Upstream: @endo/zip and @endo/check-bundle; as there, no
 * zip64, no comment at the end, no encryption, and the two headers of a file must agree.)
 *
 * The bytes are hostile.  Every offset is checked against the length before it is used;
 * inflated sizes are bounded before memory is asked for.
 */
#include <stdlib.h>
#include <zlib.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/xalloc.h"
#include "store/bundle.h"
#include "store/internal.h"

enum {
    END_BYTES = 22, /* end of central directory, without comment */
    CENTRAL_BYTES = 46,
    LOCAL_BYTES = 30,
    COMMON_BYTES = 20, /* version … sizes: what both headers of a file repeat */
    METHOD_STORE = 0,
    METHOD_DEFLATE = 8,
    FLAG_ENCRYPTED = 1,
    ATTRIBUTE_DIRECTORY = 0x10,
    INFLATED_BYTES_MAX = 256 << 20, /* of all files together; real bundles have a few MB */
};

struct zip_file {
    struct map_entry m; /* key: name */
    struct span packed;
    struct span content; /* once read; in the arena */
    uint32_t crc, size;
    uint16_t method;
    bool read;
};

struct zip {
    struct span bytes;
    struct arena arena;
    struct map files;
    size_t unread;   /* files whose content nobody asked for yet */
    size_t inflated; /* bytes so far */
};

static uint16_t u16(struct span s, size_t at)
{
    const unsigned char *p = (const unsigned char *)s.p + at;
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t u32(struct span s, size_t at)
{
    return (uint32_t)u16(s, at) | (uint32_t)u16(s, at + 2) << 16;
}

static int bad(struct err *e, const char *what)
{
    return err_set(e, EXIT_INTEGRITY, "bad zip: %s", what);
}

/* `n` bytes at `at`, or SPAN_NONE if they are not there. */
static struct span slice(struct span s, size_t at, size_t n)
{
    if (at > s.n || n > s.n - at) return SPAN_NONE;
    return (struct span){ s.p + at, n };
}

static bool has_signature(struct span header, const char sig[4])
{
    return header.p != NULL && memcmp(header.p, sig, 4) == 0;
}

/* -- the directory -------------------------------------------------------------- */

/* The file's own header, which must repeat what the directory says. */
static int read_local(struct zip *z, struct span central, struct zip_file *f, struct err *e)
{
    size_t at = u32(central, 42);
    struct span local = slice(z->bytes, at, LOCAL_BYTES);
    if (!has_signature(local, "PK\3\4")) return bad(e, "a file header is missing");
    if (memcmp(local.p + 6, central.p + 8, COMMON_BYTES) != 0)
        return bad(e, "a file's header differs from the directory");
    at += LOCAL_BYTES;
    struct span name = slice(z->bytes, at, u16(local, 26));
    if (name.p == NULL || !span_eq(name, f->m.key))
        return bad(e, "a file's name differs from the directory");
    f->packed = slice(z->bytes, at + name.n + u16(local, 28), u32(central, 20));
    return f->packed.p == NULL ? bad(e, "a file is cut off") : 0;
}

/* One entry of the directory at *at. */
static int read_entry(struct zip *z, size_t *at, size_t end, struct err *e)
{
    struct span all = { z->bytes.p, end };
    struct span central = slice(all, *at, CENTRAL_BYTES);
    if (!has_signature(central, "PK\1\2")) return bad(e, "the directory is cut off");
    struct span name = slice(all, *at + CENTRAL_BYTES, u16(central, 28));
    if (name.p == NULL) return bad(e, "the directory is cut off");
    *at += CENTRAL_BYTES + name.n + u16(central, 30) + u16(central, 32);
    if (u16(central, 8) & FLAG_ENCRYPTED) return bad(e, "a file is encrypted");

    struct zip_file *f = ARENA_NEW(&z->arena, struct zip_file);
    f->m = (struct map_entry){ name, map_hash(&z->files, name) };
    f->method = u16(central, 10);
    f->crc = u32(central, 16);
    f->size = u32(central, 24);
    if (read_local(z, central, f, e) != 0) return -1;
    if (u32(central, 38) & ATTRIBUTE_DIRECTORY) return 0;
    if (map_find(&z->files, name, f->m.hash) != NULL)
        return bad(e, "two files of one name");
    map_insert(&z->files, &f->m);
    z->unread++;
    return 0;
}

static int read_directory(struct zip *z, struct err *e)
{
    struct span end = z->bytes.n < END_BYTES
                          ? SPAN_NONE
                          : slice(z->bytes, z->bytes.n - END_BYTES, END_BYTES);
    if (!has_signature(end, "PK\5\6") || u16(end, 20) != 0)
        return bad(e, "no directory at its end");
    size_t n = u16(end, 10), at = u32(end, 16), stop = z->bytes.n - END_BYTES;
    if (u16(end, 4) != 0 || u16(end, 6) != 0 || u16(end, 8) != n || n == UINT16_MAX)
        return bad(e, "several disks, or zip64");
    if (at > stop || u32(end, 12) != stop - at)
        return bad(e, "the directory is not where it should be");
    for (size_t i = 0; i < n; i++) {
        if (read_entry(z, &at, stop, e) != 0) return -1;
    }
    return at == stop ? 0 : bad(e, "something follows the directory");
}

/* -- contents ------------------------------------------------------------------- */

static int inflate_file(struct zip *z, struct zip_file *f, struct err *e)
{
    z_stream s = { 0 };
    if (f->size > INFLATED_BYTES_MAX - z->inflated) return bad(e, "it unpacks to too much");
    z->inflated += f->size;
    char *out = arena_alloc(&z->arena, (size_t)f->size + 1);
    INVARIANT(inflateInit2(&s, -15) == Z_OK);
    s.next_in = (z_const Bytef *)f->packed.p;
    s.avail_in = (uInt)f->packed.n;
    s.next_out = (Bytef *)out;
    s.avail_out = (uInt)f->size + 1; /* one more than it may use */
    int rc = inflate(&s, Z_FINISH);
    bool whole = rc == Z_STREAM_END && s.total_out == f->size && s.avail_in == 0;
    inflateEnd(&s);
    f->content = (struct span){ out, f->size };
    return whole ? 0 : bad(e, "a file does not unpack");
}

static int read_content(struct zip *z, struct zip_file *f, struct err *e)
{
    f->content = f->packed;
    if (f->method == METHOD_DEFLATE) {
        if (inflate_file(z, f, e) != 0) return -1;
    } else if (f->method != METHOD_STORE) {
        return bad(e, "unknown compression method");
    } else if (f->size != f->packed.n) {
        return bad(e, "a file's sizes differ");
    }
    if (crc32_z(0, (const Bytef *)f->content.p, f->content.n) != f->crc)
        return bad(e, "a file's checksum is wrong");
    f->read = true;
    z->unread--;
    return 0;
}

static int get_file(struct zip *z, struct span name, struct span *content, struct err *e)
{
    uint64_t hash = map_hash(&z->files, name);
    struct zip_file *f = (struct zip_file *)map_find(&z->files, name, hash);
    if (f == NULL)
        return err_set(e, EXIT_INTEGRITY, "bad zip: no file %.*s",
                       (int)(name.n < 200 ? name.n : 200), name.p);
    if (!f->read && read_content(z, f, e) != 0) return -1;
    *content = f->content;
    return 0;
}

/* -- the compartment map -------------------------------------------------------- */

static int check_module(struct zip *z, struct span compartment, struct jval module,
                        struct err *e)
{
    struct span location = json_str(json_get(module, "location"), &z->arena);
    struct span want = json_str(json_get(module, "sha512"), &z->arena);
    if (location.p == NULL) return 0; /* a link to another module: nothing of its own */
    struct buf name = { 0 };
    buf_put(&name, compartment);
    buf_putc(&name, '/');
    buf_put(&name, location);
    struct span path = arena_copy(&z->arena, buf_span(&name)), content;
    buf_fini(&name);
    if (get_file(z, path, &content, e) != 0) return -1;
    char got[SHA512_HEX + 1];
    sha512_hex(content, got);
    if (want.p != NULL && span_is(want, got)) return 0;
    return err_set(e, EXIT_INTEGRITY, "module %.*s does not have the hash the map gives it",
                   (int)(path.n < 200 ? path.n : 200), path.p);
}

static int check_modules(struct zip *z, struct span map_text, struct err *e)
{
    struct jval map;
    if (json_parse(&z->arena, map_text, &map, e) != 0) {
        e->exit = EXIT_INTEGRITY;
        return err_while(e, "compartment-map.json");
    }
    struct jval compartments = json_get(map, "compartments");
    size_t i = 0;
    for (struct jval c = json_first(compartments); json_type(c) != JSON_NONE;
         c = json_next(c)) {
        struct span name = json_key_at(compartments, i++, &z->arena);
        struct jval modules = json_get(c, "modules");
        for (struct jval m = json_first(modules); json_type(m) != JSON_NONE;
             m = json_next(m)) {
            if (check_module(z, name, m, e) != 0) return -1;
        }
    }
    return z->unread == 0 ? 0 : bad(e, "a file in it is not named by its compartment map");
}

static int check(struct zip *z, struct span sha512, struct err *e)
{
    struct span map_text;
    char got[SHA512_HEX + 1];
    if (read_directory(z, e) != 0) return -1;
    if (get_file(z, SPAN("compartment-map.json"), &map_text, e) != 0) return -1;
    sha512_hex(map_text, got);
    if (!span_is(sha512, got))
        return err_set(e, EXIT_INTEGRITY,
                       "its compartment map has the hash %.12s…, not %.*s…", got,
                       (int)(sha512.n < 12 ? sha512.n : 12), sha512.p);
    return check_modules(z, map_text, e);
}

/* "@agoric/swingset-vat-v0.33.0" is "@agoric/swingset-vat" at "0.33.0"; a second copy of
 * the same version has "-n1" behind it. */
static struct span version_of(struct span compartment, struct span package)
{
    struct span v = compartment;
    if (!span_starts(v, package)) return SPAN_NONE;
    v = span_from(v, package.n);
    if (!span_starts(v, SPAN("-v"))) return SPAN_NONE;
    v = span_from(v, 2);
    size_t end = v.n;
    while (end > 0 && v.p[end - 1] >= '0' && v.p[end - 1] <= '9')
        end--;
    if (end < v.n && end > 2 && memcmp(v.p + end - 2, "-n", 2) == 0) v.n = end - 2;
    return v;
}

static struct span string_of(struct jval object, const char *key, struct arena *a)
{
    struct span s = json_str(json_get(object, key), a);
    return s.p == NULL ? s : arena_copy(a, s);
}

static struct jval member_named(struct jval object, struct span name, struct arena *a)
{
    for (size_t i = json_len(object); i-- > 0;) {
        if (span_eq(json_key_at(object, i, a), name)) return json_at(object, i);
    }
    return (struct jval){ 0 };
}

static int find_entry(struct zip *z, struct arena *a, struct bundle_entry *out, struct err *e)
{
    struct span text;
    struct jval map;
    if (read_directory(z, e) != 0 ||
        get_file(z, SPAN("compartment-map.json"), &text, e) != 0)
        return -1;
    if (json_parse(&z->arena, text, &map, e) != 0) {
        e->exit = EXIT_INTEGRITY;
        return err_while(e, "compartment-map.json");
    }
    struct jval entry = json_get(map, "entry");
    struct span compartment = json_str(json_get(entry, "compartment"), &z->arena);
    struct jval home = compartment.p == NULL
                           ? (struct jval){ 0 }
                           : member_named(json_get(map, "compartments"), compartment, &z->arena);
    struct bundle_entry found = { .package = string_of(home, "name", a),
                                  .module = string_of(entry, "module", a) };
    if (found.package.p == NULL || found.module.p == NULL)
        return err_set(e, EXIT_INTEGRITY, "its compartment map has no entry");
    found.version = version_of(arena_copy(a, compartment), found.package);
    *out = found;
    return 0;
}

int zip_entry(struct span zip, struct arena *a, struct bundle_entry *out, struct err *e)
{
    struct zip z = { .bytes = zip };
    arena_init(&z.arena);
    map_init(&z.files);
    int rc = find_entry(&z, a, out, e);
    map_fini(&z.files);
    arena_fini(&z.arena);
    return rc;
}

int zip_check_bundle(struct span zip, struct span sha512, struct err *e)
{
    struct zip z = { .bytes = zip };
    arena_init(&z.arena);
    map_init(&z.files);
    int rc = check(&z, sha512, e);
    map_fini(&z.files);
    arena_fini(&z.arena);
    return rc;
}
