/* export_dir.c -- writing an export into a directory. */
#include "store/export_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "store/file.h"
#include "store/internal.h"

enum { TICK_RECORDS = 1000 };

struct writer {
    struct store *store;
    const char *dir;
    enum artifact_mode mode;
    export_tick *tick;
    void *tick_ctx;
    struct export_counts *counts;
    struct buf names; /* of artifacts, each with a NUL */
    int fd;           /* the file being written; -1: none */
    char *path;
    struct buf pending; /* not in the file yet */
};

static void tick(struct writer *w)
{
    if (w->tick != NULL) w->tick(w->tick_ctx);
}

/* -- one file ---------------------------------------------------------------------------- */

static int file_begin(struct writer *w, const char *name, struct err *e)
{
    w->path = path_join(w->dir, name);
    w->fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return w->fd < 0 ? err_sys(e, "%s", w->path) : 0;
}

static int file_flush(struct writer *w, size_t least, struct err *e)
{
    if (w->pending.n < least) return 0;
    int rc = fd_write(w->fd, w->path, buf_span(&w->pending), e);
    buf_reset(&w->pending);
    return rc;
}

static int file_end(struct writer *w, struct err *e)
{
    int rc = file_flush(w, 0, e);
    if (close(w->fd) != 0 && rc == 0) rc = err_sys(e, "%s", w->path);
    w->fd = -1;
    free(w->path);
    w->path = NULL;
    return rc;
}

/* -- records ------------------------------------------------------------------------------- */

static void put_pair(struct buf *b, struct span key, struct span value)
{
    buf_putc(b, '[');
    json_put_string(b, key);
    buf_putc(b, ',');
    json_put_string(b, value);
    buf_putc(b, ']');
}

static int put_record(void *ctx, struct span key, struct span value, struct err *e)
{
    struct writer *w = ctx;
    put_pair(&w->pending, key, value);
    buf_putc(&w->pending, '\n');
    if (++w->counts->records % TICK_RECORDS == 0) tick(w);
    return file_flush(w, CHUNK_BYTES, e);
}

static int write_data(struct writer *w, struct err *e)
{
    if (file_begin(w, "export-data.jsonl", e) != 0) return -1;
    if (store_export_data(w->store, put_record, w, e) != 0) return -1;
    return file_end(w, e);
}

/* -- artifacts ------------------------------------------------------------------------------ */

static int put_bytes(void *ctx, struct span bytes, struct err *e)
{
    struct writer *w = ctx;
    w->counts->bytes += bytes.n;
    buf_put(&w->pending, bytes);
    return file_flush(w, CHUNK_BYTES, e);
}

static int write_artifact(void *ctx, struct span name, struct err *e)
{
    struct writer *w = ctx;
    if (!file_name_ok(name))
        return err_set(e, EXIT_INCOMPATIBLE, "an artifact's name is no file's name");
    size_t at = w->names.n;
    buf_put(&w->names, name);
    buf_putc(&w->names, '\0');
    w->counts->artifacts++;
    tick(w);
    if (file_begin(w, w->names.p + at, e) != 0) return -1;
    if (store_export_artifact(w->store, name, put_bytes, w, e) != 0) return -1;
    return file_end(w, e);
}

/* -- manifest ------------------------------------------------------------------------------- */

struct host_keys {
    struct buf json;
    uint64_t height;
};

static int put_host_key(void *ctx, struct span key, struct span value, struct err *e)
{
    struct host_keys *h = ctx;
    (void)e;
    uint64_t n;
    if (span_is(key, "host.height") && span_u64(value, &n)) h->height = n;
    buf_puts(&h->json, h->json.n == 0 ? "\n    " : ",\n    ");
    put_pair(&h->json, key, value);
    return 0;
}

static void put_artifacts(const struct writer *w, struct buf *b)
{
    const char *p = w->names.p, *end = p + w->names.n;
    for (const char *between = "\n    "; p < end; p += strlen(p) + 1) {
        buf_puts(b, between);
        put_pair(b, span_of(p), span_of(p));
        between = ",\n    ";
    }
}

static int write_manifest(struct writer *w, struct err *e)
{
    struct host_keys host = { 0 };
    struct buf text = { 0 };
    int rc = store_export_host(w->store, put_host_key, &host, e);
    if (rc == 0) {
        buf_printf(&text, "{\n  \"blockHeight\": %llu,\n  \"artifactMode\": \"%s\",\n"
                          "  \"data\": \"export-data.jsonl\",\n  \"artifacts\": [",
                   (unsigned long long)host.height, artifact_mode_name(w->mode));
        put_artifacts(w, &text);
        buf_puts(&text, "\n  ],\n  \"host\": [");
        buf_put(&text, buf_span(&host.json));
        buf_puts(&text, "\n  ]\n}\n");
        rc = file_put(w->dir, "export-manifest.json", buf_span(&text), e);
    }
    buf_fini(&text);
    buf_fini(&host.json);
    return rc;
}

/* -- all of it ------------------------------------------------------------------------------- */

/* One call for all files, instead of one for each of perhaps very many. */
static int sync_all(const char *dir, struct err *e)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || syncfs(fd) != 0 ? err_sys(e, "%s", dir) : 0;
    if (fd >= 0) close(fd);
    return rc;
}

static int write_all(struct writer *w, struct err *e)
{
    if (write_data(w, e) != 0) return -1;
    if (store_export_names(w->store, w->mode, write_artifact, w, e) != 0) return -1;
    return sync_all(w->dir, e) != 0 ? -1 : write_manifest(w, e);
}

static void remove_one(const char *dir, const char *name)
{
    char *path = path_join(dir, name);
    unlink(path);
    free(path);
}

static void remove_all(struct writer *w)
{
    const char *p = w->names.p, *end = p + w->names.n;
    for (; p < end; p += strlen(p) + 1)
        remove_one(w->dir, p);
    remove_one(w->dir, "export-data.jsonl");
    remove_one(w->dir, "export-manifest.json");
    rmdir(w->dir);
}

int export_dir(struct store *s, const char *dir, enum artifact_mode mode, export_tick *to_tick,
               void *ctx, struct export_counts *counts, struct err *e)
{
    struct writer w = { .store = s, .dir = dir, .mode = mode, .tick = to_tick,
                        .tick_ctx = ctx, .counts = counts, .fd = -1 };
    *counts = (struct export_counts){ 0 };
    if (mkdir(dir, 0777) != 0) return err_sys(e, "mkdir %s", dir);
    int rc = write_all(&w, e);
    if (w.fd >= 0) close(w.fd);
    if (rc != 0) remove_all(&w);
    free(w.path);
    buf_fini(&w.names);
    buf_fini(&w.pending);
    return rc;
}
