#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"

static unsigned fds_before;
static int stderr_before = -1;

const char *fixture_program(const char *name)
{
    static char paths[2][4096];
    static unsigned calls;
    char *path = paths[calls++ % 2];
    ssize_t n = readlink("/proc/self/exe", path, sizeof paths[0] - 64);
    assert_true(n > 0);
    path[n] = '\0';
    /* BUILD/tests/worker/test_… */
    int up = strcmp(name, "fake_worker") == 0 ? 1 : 3;
    while (up-- > 0) *strrchr(path, '/') = '\0';
    (void)snprintf(path + strlen(path), 64, "/%s", name);
    return path;
}

unsigned fixture_open_fds(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d) != NULL) n++;
    closedir(d);
    return n;
}

static int read_bundle(struct fixture *f, struct span id, struct buf *out, struct err *e)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%.*s", f->bundle_dir, SPAN_ARG(id));
    FILE *file = fopen(path, "re");
    if (file == NULL) return err_sys(e, "%s", path);
    for (size_t n = 1; n > 0;) {
        n = fread(buf_room(out, 65536), 1, 65536, file);
        out->n += n;
    }
    fclose(file);
    return 0;
}

static int give_bundle(void *self, struct span id, struct buf *out, struct err *e)
{
    struct fixture *f = self;
    f->bundles_read++;
    if (f->bundle_dir != NULL) return read_bundle(f, id, out, e);
    if (span_is(id, "missing")) return err_set(e, EXIT_NOT_FOUND, "no such bundle");
    if (span_is(id, "odd")) {
        buf_puts(out, "{\"moduleFormat\":\"odd\",\"source\":\"\"}");
        return 0;
    }
    buf_printf(out, "{\"moduleFormat\":\"getExport\",\"source\":\"%.*s\\u00e9\"}", SPAN_ARG(id));
    return 0;
}

static int give_snapshot(void *self, const char *hash,
                         int (*sink)(void *ctx, struct span bytes, struct err *e), void *ctx,
                         struct err *e)
{
    struct fixture *f = self;
    f->snapshots_read++;
    for (size_t i = 0; i < f->snapshot_count; i++) {
        if (strcmp(f->snapshots[i].hash, hash) != 0) continue;
        struct span s = buf_span(&f->snapshots[i].bytes);
        while (s.n > 0) {
            size_t n = s.n < 100000 ? s.n : 100000;
            if (sink(ctx, (struct span){ s.p, n }, e) != 0) return -1;
            s = span_from(s, n);
        }
        return 0;
    }
    return err_set(e, EXIT_NOT_FOUND, "no such snapshot");
}

static void open_port(struct fixture *f, const struct worker_options *options)
{
    struct err e;
    struct worker_options standard = { .program = fixture_program("fake_worker"),
                                       .image_dir = f->images };
    if (worker_port_open(options == NULL ? &standard : options, &f->port, &e) != 0) {
        fail_msg("%s", e.text);
    }
}

void fixture_open(struct fixture *f, const struct worker_options *options)
{
    memset(f, 0, sizeof *f);
    fds_before = fixture_open_fds();
    strcpy(f->dir, "/tmp/zygote-worker-test-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->images, sizeof f->images, "%s/deep/images", f->dir);
    f->source = (struct vat_source){ .self = f, .bundle = give_bundle,
                                     .snapshot = give_snapshot };
    arena_init(&f->arena);
    open_port(f, options);
}

void fixture_reopen(struct fixture *f, const struct worker_options *options)
{
    worker_port_close(&f->port);
    open_port(f, options);
}

void fixture_close(struct fixture *f)
{
    char command[128];
    worker_port_close(&f->port);
    for (size_t i = 0; i < f->snapshot_count; i++) buf_fini(&f->snapshots[i].bytes);
    arena_fini(&f->arena);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", f->dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(fixture_open_fds(), fds_before);
}

struct vat_start fixture_from(struct fixture *f, const char *name, const char *snapshot)
{
    static const struct span boot[] = { { "A", 1 }, { "B", 1 } };
    return (struct vat_start){ .vat = { 7 },
                               .name = span_of(name),
                               .metered = true,
                               .snapshot = snapshot,
                               .boot = boot,
                               .boot_count = 2,
                               .source = &f->source };
}

struct vat_machine *fixture_start(struct fixture *f, const char *name, const char *snapshot)
{
    struct vat_start from = fixture_from(f, name, snapshot);
    struct vat_machine *m = NULL;
    struct err e;
    if (f->port.start(f->port.self, &from, &m, &e) != 0) fail_msg("%s", e.text);
    return m;
}

/* Answers an upcall with what it asked, in quotes. */
static int quote(void *ctx, struct span text, struct buf *reply, struct err *e)
{
    struct fixture *f = ctx;
    f->upcalls++;
    if (span_is(text, "refuse")) return err_set(e, EXIT_VAT, "refused");
    buf_printf(reply, "\"%.*s\"", SPAN_ARG(text));
    return 0;
}

int fixture_command(struct fixture *f, struct vat_machine *m, const char *text,
                    struct vat_reply *out, struct err *e)
{
    return f->port.command(f->port.self, m, span_of(text), quote, f, &f->arena, out, e);
}

struct span fixture_ask(struct fixture *f, struct vat_machine *m, const char *text)
{
    struct vat_reply reply;
    struct err e;
    if (fixture_command(f, m, text, &reply, &e) != 0) fail_msg("%s", e.text);
    assert_int_equal(reply.outcome, VAT_REPLIED);
    return reply.text;
}

static int keep(void *ctx, struct span bytes, struct err *e)
{
    (void)e;
    buf_put(ctx, bytes);
    return 0;
}

const char *fixture_save(struct fixture *f, struct vat_machine *m)
{
    struct err e;
    struct buf bytes = { 0 };
    char hash[65];
    if (f->port.snapshot(f->port.self, m, keep, &bytes, &e) != 0) fail_msg("%s", e.text);
    sha256_hex(buf_span(&bytes), hash);
    for (size_t i = 0; i < f->snapshot_count; i++) {
        if (strcmp(f->snapshots[i].hash, hash) != 0) continue;
        buf_fini(&bytes);
        return f->snapshots[i].hash;
    }
    assert_true(f->snapshot_count < 8);
    struct fixture_snapshot *s = &f->snapshots[f->snapshot_count++];
    s->bytes = bytes;
    strcpy(s->hash, hash);
    return s->hash;
}

void fixture_stop(struct fixture *f, struct vat_machine *m)
{
    f->port.stop(f->port.self, m);
}

int fixture_image_path(const struct fixture *f, const char *kind, char *out, size_t size)
{
    int found = -1;
    DIR *d = opendir(f->images);
    if (d == NULL) return -1;
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        if (strncmp(entry->d_name, kind, strlen(kind)) != 0) continue;
        (void)snprintf(out, size, "%s/%s", f->images, entry->d_name);
        found = 0;
    }
    closedir(d);
    return found;
}

unsigned fixture_image_count(const struct fixture *f)
{
    unsigned n = 0;
    DIR *d = opendir(f->images);
    if (d == NULL) return 0;
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) n += entry->d_name[0] != '.';
    closedir(d);
    return n;
}

void fixture_capture(struct fixture *f)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/stderr", f->dir);
    (void)fflush(stderr);
    stderr_before = fcntl(2, F_DUPFD_CLOEXEC, 10);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(dup2(fd, 2) == 2);
    close(fd);
}

const char *fixture_captured(struct fixture *f)
{
    static char text[65536];
    char path[128];
    (void)fflush(stderr);
    assert_true(dup2(stderr_before, 2) == 2);
    close(stderr_before);
    (void)snprintf(path, sizeof path, "%s/stderr", f->dir);
    FILE *file = fopen(path, "re");
    size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = '\0';
    fclose(file);
    return text;
}
