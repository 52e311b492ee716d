#include "engine/setup.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/json.h"

const char setup_lockdown[] = "node_modules/@agoric/xsnap-lockdown/dist/lockdown.bundle";
const char setup_supervisor[] =
    "node_modules/@agoric/swingset-xsnap-supervisor/dist/supervisor.bundle";

const char *setup_worker(void)
{
    const char *named = getenv("ZYGOTE_WORKER");
    return named != NULL ? named : "build/zygote-worker";
}

struct buf setup_read(const char *path)
{
    struct buf b = { 0 };
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        perror(path);
        exit(1);
    }
    for (;;) {
        char *room = buf_room(&b, 65536);
        size_t n = fread(room, 1, 65535, f);
        b.n += n;
        if (n == 0) break;
    }
    fclose(f);
    *buf_room(&b, 1) = '\0';
    return b;
}

void setup_hash(const char *path, char hex[65])
{
    struct buf b = setup_read(path);
    sha256_hex(buf_span(&b), hex);
    buf_fini(&b);
}

/* -- scratch directory -------------------------------------------------------- */

static char scratch[256];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_scratch(void)
{
    nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *setup_path(const char *name)
{
    static char paths[8][320];
    static unsigned next;
    if (scratch[0] == '\0') {
        const char *tmp = getenv("TMPDIR");
        snprintf(scratch, sizeof scratch, "%s/zygote-engine-XXXXXX", tmp != NULL ? tmp : "/tmp");
        if (mkdtemp(scratch) == NULL) {
            perror(scratch);
            exit(1);
        }
        atexit(remove_scratch);
    }
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

/* -- bundles and machines ------------------------------------------------------ */

struct buf setup_bundle(const char *path)
{
    struct arena a;
    struct jval v;
    struct err e;
    struct buf text = setup_read(path);
    struct buf out = { 0 };
    arena_init(&a);
    if (json_parse(&a, buf_span(&text), &v, &e)) {
        fprintf(stderr, "%s: %s\n", path, e.text);
        exit(1);
    }
    buf_putc(&out, '(');
    buf_put(&out, json_str(json_get(v, "source"), &a));
    buf_puts(&out, "\n)()");
    arena_fini(&a);
    buf_fini(&text);
    return out;
}

static void eval_bundle(struct driver *d, const char *path)
{
    struct buf reply;
    struct buf source = setup_bundle(path);
    driver_ok(d, 'e', buf_span(&source), &reply);
    buf_fini(&reply);
    buf_fini(&source);
}

void setup_boot(struct driver *d, const char *binary)
{
    driver_start(d, binary, (const char *[]){ "-l", "100000000", NULL }, -1);
    eval_bundle(d, setup_lockdown);
    eval_bundle(d, setup_supervisor);
}

void setup_reload(struct driver *d, const char *binary, const char *path)
{
    driver_start(d, binary, (const char *[]){ "-l", "100000000", "-r", path, NULL }, -1);
}

void setup_image(struct driver *d, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        perror(path);
        exit(1);
    }
    driver_start(d, setup_worker(), (const char *[]){ "-l", "100000000", "-m", "9", NULL }, fd);
    close(fd);
}

uint64_t setup_eval(struct driver *d, const char *source)
{
    struct buf reply;
    driver_ok(d, 'e', span_of(source), &reply);
    uint64_t computrons = driver_meter(&reply, "compute");
    buf_fini(&reply);
    return computrons;
}

void setup_snapshot(struct driver *d, const char *path, char hex[65])
{
    struct buf reply;
    unlink(path);
    driver_ok(d, 'w', span_of(path), &reply);
    buf_fini(&reply);
    setup_hash(path, hex);
}

void setup_save(struct driver *d, const char *path)
{
    struct buf reply;
    unlink(path);
    driver_ok(d, 'I', span_of(path), &reply);
    buf_fini(&reply);
}

void setup_base(void)
{
    static struct driver d;
    static bool done;
    char hex[65];
    if (done) return;
    done = true;
    setup_boot(&d, setup_worker());
    setup_snapshot(&d, setup_path("base.xss"), hex);
    driver_stop(&d);
    setup_reload(&d, setup_worker(), setup_path("base.xss"));
    setup_save(&d, setup_path("base.img"));
    driver_stop(&d);
}
