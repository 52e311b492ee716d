/* import_dir.c -- reading an export from a directory that may be anybody's. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "store/export_dir.h"
#include "store/file.h"
#include "store/internal.h"

enum {
    MANIFEST_BYTES_MAX = 256 << 20,
    LINE_BYTES_MAX = 1 << 30,
    TICK_RECORDS = 1000,
};

struct reader {
    const char *from;
    int dir;
    struct arena arena; /* the manifest */
    struct jval manifest;
    export_tick *tick;
    void *tick_ctx;
    struct export_counts counts;
};

static void tick(struct reader *r)
{
    if (r->tick != NULL) r->tick(r->tick_ctx);
}

/* -- files --------------------------------------------------------------------------------- */

static int open_file(struct reader *r, struct span name, struct err *e)
{
    struct stat st;
    char text[256];
    if (!file_name_ok(name))
        return err_set(e, EXIT_INTEGRITY, "%s: the manifest names a file that may not be"
                       " named so", r->from);
    memcpy(text, name.p, name.n);
    text[name.n] = '\0';
    int fd = openat(r->dir, text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return err_set(e, EXIT_NOT_FOUND, "%s/%s: no such file", r->from, text);
    if (fd < 0) return err_sys(e, "%s/%s", r->from, text);
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) return fd;
    close(fd);
    return err_set(e, EXIT_INTEGRITY, "%s/%s: not a regular file", r->from, text);
}

typedef int file_chunk(void *ctx, struct span bytes, struct err *e);

static int read_chunks(struct reader *r, int fd, file_chunk *each, void *ctx, struct err *e)
{
    char *chunk = xmalloc(CHUNK_BYTES);
    int rc = 0;
    for (;;) {
        ssize_t n = read(fd, chunk, CHUNK_BYTES);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) rc = err_sys(e, "%s", r->from);
        if (n <= 0) break;
        rc = each(ctx, (struct span){ chunk, (size_t)n }, e);
        if (rc != 0) break;
    }
    free(chunk);
    return rc;
}

static int read_file(struct reader *r, struct span name, file_chunk *each, void *ctx,
                     struct err *e)
{
    int fd = open_file(r, name, e);
    if (fd < 0) return -1;
    int rc = read_chunks(r, fd, each, ctx, e);
    close(fd);
    return rc;
}

/* -- manifest ------------------------------------------------------------------------------- */

static int keep_chunk(void *ctx, struct span bytes, struct err *e)
{
    struct buf *text = ctx;
    if (bytes.n > MANIFEST_BYTES_MAX - text->n)
        return err_set(e, EXIT_INTEGRITY, "the manifest is too big");
    buf_put(text, bytes);
    return 0;
}

static int bad_manifest(struct reader *r, struct err *e, const char *what)
{
    return err_set(e, EXIT_INTEGRITY, "%s/export-manifest.json: %s", r->from, what);
}

static int read_manifest(struct reader *r, struct err *e)
{
    struct buf text = { 0 };
    int rc = read_file(r, SPAN("export-manifest.json"), keep_chunk, &text, e);
    if (rc == 0) {
        rc = json_parse(&r->arena, arena_copy(&r->arena, buf_span(&text)), &r->manifest, e);
        if (rc != 0) e->exit = EXIT_INTEGRITY;
        if (rc != 0) err_while(e, "%s/export-manifest.json", r->from);
    }
    buf_fini(&text);
    if (rc != 0) return -1;
    if (json_type(json_get(r->manifest, "data")) != JSON_STRING)
        return bad_manifest(r, e, "it names no data");
    if (json_type(json_get(r->manifest, "artifacts")) != JSON_ARRAY)
        return bad_manifest(r, e, "it lists no artifacts");
    return 0;
}

static int reader_begin(struct reader *r, const char *from, export_tick *to_tick, void *ctx,
                        struct err *e)
{
    *r = (struct reader){ .from = from, .tick = to_tick, .tick_ctx = ctx };
    arena_init(&r->arena);
    r->dir = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->dir < 0)
        return errno == ENOENT ? err_set(e, EXIT_NOT_FOUND, "%s: no such directory", from)
                               : err_sys(e, "%s", from);
    return read_manifest(r, e);
}

static void reader_end(struct reader *r)
{
    if (r->dir >= 0) close(r->dir);
    arena_fini(&r->arena);
}

/* -- records ----------------------------------------------------------------------------------- */

typedef int record_sink(void *ctx, struct span key, struct span value, struct err *e);

struct lines {
    struct reader *reader;
    record_sink *sink;
    void *ctx;
    struct buf line; /* begun */
    struct arena arena;
};

/* [KEY,VALUE], [KEY,null] or [KEY]. */
static int read_record(struct lines *l, struct span line, struct err *e)
{
    struct jval v;
    arena_reset(&l->arena);
    if (json_parse(&l->arena, line, &v, e) != 0) {
        e->exit = EXIT_INTEGRITY;
        return -1;
    }
    struct span key = json_str(json_at(v, 0), &l->arena), value = SPAN_NONE;
    size_t n = json_type(v) == JSON_ARRAY ? json_len(v) : 0;
    struct jval second = json_at(v, 1);
    if (json_type(second) == JSON_STRING)
        value = json_str(second, &l->arena);
    else if (n == 2 && json_type(second) != JSON_NULL)
        key = SPAN_NONE;
    if (key.p == NULL || n < 1 || n > 2)
        return err_set(e, EXIT_INTEGRITY, "not a record: [\"key\",\"value\"]");
    if (++l->reader->counts.records % TICK_RECORDS == 0) tick(l->reader);
    return l->sink(l->ctx, key, value, e);
}

static int line_chunk(void *ctx, struct span bytes, struct err *e)
{
    struct lines *l = ctx;
    while (bytes.n > 0) {
        const char *nl = memchr(bytes.p, '\n', bytes.n);
        size_t n = nl == NULL ? bytes.n : (size_t)(nl - bytes.p);
        if (n > LINE_BYTES_MAX - l->line.n)
            return err_set(e, EXIT_INTEGRITY, "a line is too long");
        buf_put(&l->line, (struct span){ bytes.p, n });
        if (nl == NULL) return 0;
        if (read_record(l, buf_span(&l->line), e) != 0) return -1;
        buf_reset(&l->line);
        bytes = span_from(bytes, n + 1);
    }
    return 0;
}

static int read_data(struct reader *r, record_sink *sink, void *ctx, struct err *e)
{
    struct lines l = { .reader = r, .sink = sink, .ctx = ctx };
    struct span name = json_str(json_get(r->manifest, "data"), &r->arena);
    arena_init(&l.arena);
    int rc = read_file(r, name, line_chunk, &l, e);
    /* The last line may come without an end. */
    if (rc == 0 && l.line.n > 0) rc = read_record(&l, buf_span(&l.line), e);
    if (rc != 0 && e->exit == EXIT_INTEGRITY)
        err_while(e, "%s: record %llu", r->from, (unsigned long long)r->counts.records + 1);
    arena_fini(&l.arena);
    buf_fini(&l.line);
    return rc;
}

/* -- importing ------------------------------------------------------------------------------------ */

struct importing {
    struct reader *reader;
    struct importer *importer;
};

static int to_importer(void *ctx, struct span key, struct span value, struct err *e)
{
    struct importing *im = ctx;
    return importer_record(im->importer, key, value, e);
}

static int artifact_chunk(void *ctx, struct span bytes, struct err *e)
{
    struct importing *im = ctx;
    im->reader->counts.bytes += bytes.n;
    return importer_bytes(im->importer, bytes, e);
}

/* [NAME,FILE] of the manifest. */
static int read_artifact(struct importing *im, struct jval pair, struct err *e)
{
    struct reader *r = im->reader;
    struct span name = json_str(json_at(pair, 0), &r->arena);
    struct span file = json_str(json_at(pair, 1), &r->arena);
    bool wanted;
    if (json_type(pair) != JSON_ARRAY || name.p == NULL || file.p == NULL)
        return bad_manifest(r, e, "an artifact is not [\"name\",\"file\"]");
    if (importer_artifact(im->importer, name, &wanted, e) != 0) return -1;
    if (wanted && read_file(r, file, artifact_chunk, im, e) != 0) return -1;
    r->counts.artifacts += wanted;
    tick(r);
    return importer_artifact_end(im->importer, e);
}

static int read_host_key(struct importing *im, struct jval pair, struct err *e)
{
    struct reader *r = im->reader;
    struct span key = json_str(json_at(pair, 0), &r->arena);
    struct span value = json_str(json_at(pair, 1), &r->arena);
    if (json_type(pair) != JSON_ARRAY || key.p == NULL || value.p == NULL)
        return bad_manifest(r, e, "a host's key is not [\"key\",\"value\"]");
    return importer_host(im->importer, key, value, e);
}

static int read_all(struct importing *im, struct err *e)
{
    struct jval manifest = im->reader->manifest;
    if (read_data(im->reader, to_importer, im, e) != 0) return -1;
    struct jval list = json_get(manifest, "host");
    for (struct jval v = json_first(list); json_type(v) != JSON_NONE; v = json_next(v)) {
        if (read_host_key(im, v, e) != 0) return -1;
    }
    list = json_get(manifest, "artifacts");
    for (struct jval v = json_first(list); json_type(v) != JSON_NONE; v = json_next(v)) {
        if (read_artifact(im, v, e) != 0) return -1;
    }
    return 0;
}

static int mode_of(struct reader *r, enum artifact_mode *mode, struct err *e)
{
    struct jval v = json_get(r->manifest, "artifactMode");
    struct span name = json_str(v, &r->arena);
    *mode = ARTIFACTS_OPERATIONAL;
    if (json_type(v) == JSON_NONE) return 0;
    if (name.p != NULL && artifact_mode_parse(name, mode)) return 0;
    return bad_manifest(r, e, "unknown artifactMode");
}

static int import_from(struct reader *r, const char *dir, const enum artifact_mode *mode,
                       struct err *e)
{
    struct importing im = { .reader = r };
    enum artifact_mode as;
    if (mode_of(r, &as, e) != 0) return -1;
    if (importer_begin(dir, mode == NULL ? as : *mode, &im.importer, e) != 0) return -1;
    if (read_all(&im, e) == 0 && importer_finish(im.importer, NULL, e) == 0) return 0;
    importer_abandon(im.importer);
    return -1;
}

int import_dir(const char *from, const char *dir, const enum artifact_mode *mode,
               export_tick *to_tick, void *ctx, struct export_counts *counts, struct err *e)
{
    struct reader r;
    int rc = reader_begin(&r, from, to_tick, ctx, e);
    if (rc == 0) rc = import_from(&r, dir, mode, e);
    *counts = r.counts;
    reader_end(&r);
    return rc;
}

/* -- repairing -------------------------------------------------------------------------------------- */

static int to_repair(void *ctx, struct span key, struct span value, struct err *e)
{
    return repair_record(ctx, key, value, e);
}

int repair_from_dir(struct store *s, const char *from, export_tick *to_tick, void *ctx,
                    uint64_t *added, struct err *e)
{
    struct reader r;
    struct repair *repair = NULL;
    int rc = reader_begin(&r, from, to_tick, ctx, e);
    if (rc == 0) rc = repair_begin(s, &repair, e);
    if (rc == 0) {
        rc = read_data(&r, to_repair, repair, e);
        if (rc == 0)
            rc = repair_finish(repair, added, e);
        else
            repair_abandon(repair);
    }
    reader_end(&r);
    return rc;
}
