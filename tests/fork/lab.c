#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "host/file.h"
#include "store/kv.h"

#define KEY_BOOTSTRAP SPAN("host.lab.bootstrap")

static _Noreturn void die(const char *doing, const struct err *e)
{
    fprintf(stderr, "lab: %s: %s\n", doing, e->text);
    fflush(NULL);
    abort();
}

static _Noreturn void die_saying(const char *text)
{
    struct err e;
    err_set(&e, EXIT_FAILED, "%s", text);
    die("failed", &e);
}

const char *lab_printf(struct lab *l, const char *fmt, ...)
{
    struct buf b = { 0 };
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    const char *out = arena_copy(&l->arena, buf_span(&b)).p;
    buf_fini(&b);
    return out;
}

/* -- places ---------------------------------------------------------------------------- */

/* What was built stands two folders above this program: BUILD/tests/fork/. */
static const char *built(struct arena *a, const char *variable, const char *name)
{
    char path[PATH_MAX];
    const char *given = getenv(variable);
    if (given != NULL && given[0] != '\0') return given;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) die_saying("no /proc/self/exe");
    path[n] = '\0';
    for (int up = 0; up < 3; up++) {
        char *slash = strrchr(path, '/');
        if (slash != NULL) *slash = '\0';
    }
    return file_join(a, arena_copy(a, span_of(path)).p, name);
}

static const char *bundles_dir(struct arena *a)
{
    const char *dir = built(a, "ZYGOTE_BUNDLES", "bundles");
    return access(file_join(a, dir, "manifest.json"), R_OK) == 0 ? dir : "build/bundles";
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_tree(const char *path)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT) {
        fprintf(stderr, "lab: %s stays behind: %s\n", path, strerror(errno));
    }
}

/* Directories of labs that a failed test did not free go when the program ends. */
enum { DIRS_MAX = 256 };
static char *dirs[DIRS_MAX];
static pid_t owner;

static void remove_dirs(void)
{
    for (size_t i = 0; i < DIRS_MAX && getpid() == owner; i++) {
        if (dirs[i] != NULL) remove_tree(dirs[i]);
    }
}

static void remember_dir(const char *dir)
{
    if (owner == 0) {
        owner = getpid();
        atexit(remove_dirs);
    }
    for (size_t i = 0; i < DIRS_MAX && getpid() == owner; i++) {
        if (dirs[i] != NULL) continue;
        dirs[i] = strdup(dir);
        return;
    }
}

static void forget_dir(const char *dir)
{
    for (size_t i = 0; i < DIRS_MAX; i++) {
        if (dirs[i] == NULL || strcmp(dirs[i], dir) != 0) continue;
        free(dirs[i]);
        dirs[i] = NULL;
    }
}

static void make_dir(struct lab *l)
{
    const char *tmp = getenv("TMPDIR");
    struct err e;
    log_init("lab", LOG_QUIET);
    arena_init(&l->arena);
    snprintf(l->dir, sizeof l->dir, "%s/zygote-lab.XXXXXX", tmp != NULL && *tmp ? tmp : "/tmp");
    if (mkdtemp(l->dir) == NULL) {
        err_sys(&e, "%s", l->dir);
        die("making a directory", &e);
    }
    remember_dir(l->dir);
    l->store_dir = file_join(&l->arena, l->dir, "store");
    l->cache = file_join(&l->arena, l->dir, "cache");
}

/* -- opening and closing ----------------------------------------------------------------- */

void lab_new(struct lab *l, const char *config)
{
    struct err e;
    *l = (struct lab){ .online_max = 0 };
    make_dir(l);
    struct config_options o = { .bundles_dir = bundles_dir(&l->arena) };
    if (config_load(&l->arena, config, &o, &l->config, &e) != 0) die("reading the config", &e);
}

void lab_genesis(struct lab *l)
{
    struct err e;
    kref bootstrap = { 0 };
    struct store *s;
    if (store_open(l->store_dir, STORE_CREATE, &s, &e) != 0 ||
        kernel_genesis(s, &l->config.genesis, &bootstrap, &e) != 0) {
        die("making a store", &e);
    }
    kv_host_set(s, KEY_BOOTSTRAP, span_of(kref_text(bootstrap).s));
    if (store_commit(s, &e) != 0) die("making a store", &e);
    store_close(s);
}

const char *lab_worker(struct lab *l)
{
    return built(&l->arena, "ZYGOTE_WORKER", "zygote-worker");
}

void lab_open(struct lab *l)
{
    struct err e;
    struct worker_options w = { .program = lab_worker(l),
                                .image_dir = l->images == LAB_IMAGES ? l->cache : NULL,
                                .no_images = l->images == LAB_NO_IMAGES };
    struct kernel_options o = { .max_vats_online = l->online_max, .sink = l->sink };
    struct store_options s = { .snapshot_level = l->snapshot_level, .step = l->sink.step, .step_self = l->sink.self };
    if (worker_port_open(&w, &l->port, &e) != 0 ||
        store_open_with(l->store_dir, STORE_OPEN, &s, &l->store, &e) != 0 ||
        kernel_open(l->store, &l->port, &o, &l->kernel, &e) != 0) {
        die("opening", &e);
    }
}

void lab_close(struct lab *l)
{
    if (l->store == NULL) return;
    kernel_close(l->kernel);
    worker_port_close(&l->port);
    store_close(l->store);
    l->store = NULL;
    l->kernel = NULL;
}

void lab_restart(struct lab *l)
{
    lab_close(l);
    lab_open(l);
}

void lab_boot(struct lab *l)
{
    struct err e;
    uint64_t cranks;
    struct span text;
    kref bootstrap;
    lab_genesis(l);
    lab_open(l);
    if (lab_try_run(l, &cranks, &e) != 0) die("bootstrap", &e);
    if (!kv_get(l->store, KEY_BOOTSTRAP, &text) || !kref_parse(text, &bootstrap)) {
        die_saying("the bootstrap promise is not there");
    }
    const char *answer = lab_take(l, bootstrap);
    if (strcmp(answer, "\"ready\"") != 0) die_saying(answer);
}

void lab_forget_images(struct lab *l)
{
    if (l->store != NULL) die_saying("images are forgotten while the lab is open");
    remove_tree(l->cache);
}

void lab_share_images(struct lab *l, char **cache)
{
    if (*cache == NULL) *cache = strdup(l->cache);
    else l->cache = *cache;
}

void lab_drop_images(char **cache)
{
    if (*cache == NULL) return;
    remove_tree(*cache);
    free(*cache);
    *cache = NULL;
}

void lab_free(struct lab *l)
{
    lab_close(l);
    remove_tree(l->dir);
    forget_dir(l->dir);
    arena_fini(&l->arena);
}

static void copy_file(struct lab *l, const char *from, const char *to, const char *name)
{
    struct err e;
    char block[1 << 16];
    ssize_t n;
    int in = open(file_join(&l->arena, from, name), O_RDONLY | O_CLOEXEC);
    if (in < 0 && errno == ENOENT) return;
    int out = open(file_join(&l->arena, to, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (in >= 0 && out >= 0 && (n = read(in, block, sizeof block)) > 0) {
        if (write(out, block, (size_t)n) != n) break;
    }
    if (in < 0 || out < 0 || n != 0) {
        err_sys(&e, "%s", name);
        die("copying a store", &e);
    }
    close(in);
    close(out);
}

void lab_copy(struct lab *l, const struct lab *from)
{
    struct config config = from->config;
    *l = (struct lab){ .images = from->images, .online_max = from->online_max };
    make_dir(l);
    l->config = config; /* lives in `from`; needed by lab_genesis only */
    if (mkdir(l->store_dir, 0700) != 0) die_saying("mkdir");
    copy_file(l, from->store_dir, l->store_dir, "swingstore.sqlite");
    copy_file(l, from->store_dir, l->store_dir, "swingstore.sqlite-wal");
}

/* -- messages ------------------------------------------------------------------------------ */

int lab_try_run(struct lab *l, uint64_t *cranks, struct err *e)
{
    if (kernel_run(l->kernel, 0, cranks, e) != 0) return -1;
    return store_commit(l->store, e);
}

kref lab_queue(struct lab *l, const char *method, const char *args)
{
    struct err e;
    struct jval v;
    kref target;
    if (json_parse(&l->arena, span_of(lab_printf(l, "%s", args)), &v, &e) != 0) die(args, &e);
    if (kernel_find(l->kernel, SPAN("bootstrap"), &target, &e) != 0) die("bootstrap", &e);
    return kernel_send(l->kernel, target, span_of(method), pass_from_json(&l->arena, v));
}

const char *lab_take(struct lab *l, kref promise)
{
    struct capdata data;
    struct err e;
    enum promise_state state = kernel_promise_state(l->kernel, promise);
    if (!kernel_promise_take(l->kernel, promise, &data)) return "?";
    struct span body = data.body.n > 0 && data.body.p[0] == '#' ? span_from(data.body, 1) : data.body;
    const char *text = lab_printf(l, "%s%.*s", state == PROMISE_REJECTED ? "! " : "", SPAN_ARG(body));
    if (store_commit(l->store, &e) != 0) die("commit", &e);
    return text;
}

static void interrupt(struct lab *l)
{
    struct err e;
    uint64_t cranks, max = l->restart_after;
    l->restart_after = 0;
    if (kernel_run(l->kernel, max, &cranks, &e) != 0 || store_commit(l->store, &e) != 0) {
        die("before a restart", &e);
    }
    lab_close(l);
    if (l->restart_forgets) lab_forget_images(l);
    lab_open(l);
}

const char *lab_send(struct lab *l, const char *method, const char *args)
{
    struct err e;
    uint64_t cranks;
    kref promise = lab_queue(l, method, args);
    if (l->restart_after > 0) interrupt(l);
    if (lab_try_run(l, &cranks, &e) != 0) die(method, &e);
    return lab_take(l, promise);
}

const char *lab_collect(struct lab *l, const char *method, const char *args)
{
    struct err e;
    uint64_t cranks;
    const char *answer = lab_send(l, method, args);
    kernel_reap_all(l->kernel);
    if (lab_try_run(l, &cranks, &e) != 0) die("collecting", &e);
    return answer;
}

void lab_expect_at(struct lab *l, const char *method, const char *args, const char *want,
                   const char *file, int line)
{
    const char *got = lab_send(l, method, args);
    if (strcmp(got, want) == 0) return;
    fprintf(stderr, "%s:%d: %s%s\n  got  %s\n  want %s\n", file, line, method, args, got, want);
    abort();
}

/* -- looking -------------------------------------------------------------------------------- */

static bool find_vat(struct lab *l, const char *name, struct vat_info *out)
{
    struct vat_info *all;
    size_t n = kernel_vats(l->kernel, &l->arena, &all);
    for (size_t i = 0; i < n; i++) {
        if (!span_is(all[i].name, name)) continue;
        *out = all[i];
        return true;
    }
    return false;
}

bool lab_vat_exists(struct lab *l, const char *name)
{
    struct vat_info info;
    return find_vat(l, name, &info);
}

struct vat_info lab_info(struct lab *l, const char *name)
{
    struct vat_info info;
    if (!find_vat(l, name, &info)) die_saying(lab_printf(l, "there is no vat %s", name));
    return info;
}

vat_id lab_vat(struct lab *l, const char *name)
{
    return lab_info(l, name).vat;
}

static void print_breach(void *ctx, const char *breach)
{
    (void)ctx;
    fprintf(stderr, "audit: %s\n", breach);
}

uint64_t lab_audit(struct lab *l)
{
    struct store *s;
    struct err e;
    if (store_open(l->store_dir, STORE_READONLY, &s, &e) != 0) die("auditing", &e);
    uint64_t breaches = kernel_audit(s, print_breach, NULL);
    store_close(s);
    return breaches;
}

static void put_row(struct buf *b, sqlite3_stmt *st)
{
    for (int i = 0; i < sqlite3_column_count(st); i++) {
        const void *p = sqlite3_column_blob(st, i);
        if (i > 0) buf_putc(b, '|');
        if (p != NULL) buf_put(b, (struct span){ p, (size_t)sqlite3_column_bytes(st, i) });
    }
    buf_putc(b, '\n');
}

static void put_query(struct lab *l, struct buf *b, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *st = NULL;
    const char *file = file_join(&l->arena, l->store_dir, "swingstore.sqlite");
    if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(db, 10000) != SQLITE_OK ||
        sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK) {
        die_saying(sqlite3_errmsg(db));
    }
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) put_row(b, st);
    if (rc != SQLITE_DONE) die_saying(sqlite3_errmsg(db));
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static const char *keep(struct lab *l, struct buf *b)
{
    const char *text = arena_copy(&l->arena, buf_span(b)).p;
    buf_fini(b);
    return text;
}

const char *lab_query(struct lab *l, const char *sql)
{
    struct buf b = { 0 };
    put_query(l, &b, sql);
    return keep(l, &b);
}

static struct buf dump(struct lab *l)
{
    static const char *const queries[] = {
        "SELECT key, value FROM kvStore WHERE key NOT LIKE 'local.%' "
        "AND key NOT LIKE 'host.%' ORDER BY key",
        "SELECT vatID, position, incarnation, item FROM transcriptItems ORDER BY vatID, position",
        "SELECT vatID, startPos, endPos, hash, isCurrent, incarnation FROM transcriptSpans "
        "ORDER BY vatID, startPos",
        "SELECT vatID, snapPos, hash, inUse, uncompressedSize FROM snapshots "
        "ORDER BY vatID, snapPos",
        "SELECT bundleID FROM bundles ORDER BY bundleID",
    };
    struct buf b = { 0 };
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) put_query(l, &b, queries[i]);
    return b;
}

const char *lab_dump(struct lab *l)
{
    struct buf b = dump(l);
    return keep(l, &b);
}

void lab_hash(struct lab *l, char out[SHA256_HEX + 1])
{
    struct buf b = dump(l);
    sha256_hex(buf_span(&b), out);
    buf_fini(&b);
}

const char *lab_transcript(struct lab *l, vat_id vat, uint64_t from)
{
    return lab_query(l, lab_printf(l, "SELECT item FROM transcriptItems WHERE vatID = '%s' "
                                      "AND position >= %" PRIu64 " ORDER BY position",
                                   vat_id_text(vat).s, from));
}

uint64_t lab_transcript_end(struct lab *l, vat_id vat)
{
    const char *text = lab_query(l, lab_printf(l, "SELECT max(endPos) FROM transcriptSpans "
                                                  "WHERE vatID = '%s'", vat_id_text(vat).s));
    return strtoull(text, NULL, 10);
}

const char *lab_kv(struct lab *l, const char *key)
{
    const char *text = lab_query(l, lab_printf(l, "SELECT value FROM kvStore WHERE key = '%s'", key));
    size_t n = strlen(text);
    return n == 0 ? "" : arena_copy(&l->arena, (struct span){ text, n - 1 }).p;
}

bool lab_same(const char *what, const char *got, const char *want)
{
    const char *g = got, *w = want;
    if (strcmp(got, want) == 0) return true;
    for (int line = 1;; line++) {
        size_t gn = strcspn(g, "\n"), wn = strcspn(w, "\n");
        if (gn != wn || memcmp(g, w, gn) != 0) {
            fprintf(stderr, "%s differs at line %d\n  got  %.*s\n  want %.*s\n", what, line,
                    (int)(gn > 600 ? 600 : gn), g, (int)(wn > 600 ? 600 : wn), w);
            return false;
        }
        g += gn + (g[gn] == '\n');
        w += wn + (w[wn] == '\n');
    }
}

/* -- processes --------------------------------------------------------------------------------- */

size_t lab_descendants(pid_t root, pid_t *out, size_t room)
{
    size_t n = 0;
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)root, (int)root);
    FILE *f = fopen(path, "re");
    if (f == NULL) return 0;
    size_t got = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[got] = '\0';
    char *at = text, *end;
    for (long pid; (pid = strtol(at, &end, 10)) > 0 && end != at; at = end) {
        if (n < room) out[n++] = (pid_t)pid;
        n += lab_descendants((pid_t)pid, out + n, room - n);
    }
    return n;
}
