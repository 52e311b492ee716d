/* The port over the real engine: however a machine came to life, it is the same machine.
 *
 * A small vat (a counter with a virtual collection) under the stock lockdown and supervisor
 * goes through the same deliveries in machines that were mapped, booted, loaded and
 * hydrated, and in the stock xsnap-worker where that was built.  Computrons of every
 * delivery, all syscalls and the final snapshot must be equal.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/json.h"
#include "fixture.h"
#include "worker/images.h"

#define STOCK "node_modules/@agoric/xsnap/xsnap-native/xsnap/build/bin/lin/release/xsnap-worker"
#define BOOT_HASH "3f76f2fa3075cb5f0fa780260dd0ce84f0b402e5ac1dbdcf2bf872253363e839"

static struct fixture f;

/* -- a vat and its vatstore ---------------------------------------------------- */

enum { PAIRS_MAX = 512 };

struct vat {
    struct vat_machine *m;
    struct { char *key, *value; } pairs[PAIRS_MAX];
    size_t count;
    struct buf log;    /* computrons and syscalls, for comparison */
    unsigned upcalls;
    unsigned kill_at;  /* the upcall at which the worker is killed; 0: never */
};

static const char vat_source[] =
    "function getExport() {\n"
    "  'use strict';\n"
    "  const Far = (name, methods) => harden(Object.setPrototypeOf(methods,\n"
    "    harden(Object.create(Object.prototype, {\n"
    "      [Symbol.for('passStyle')]: { value: 'remotable' },\n"
    "      [Symbol.toStringTag]: { value: `Alleged: ${name}` } }))));\n"
    "  const buildRootObject = () => {\n"
    "    let n = 0;\n"
    "    const store = VatData.makeScalarBigMapStore('log');\n"
    "    return Far('root', {\n"
    "      bump: text => { n += 1; store.init(`k${n}`, text); return store.getSize(); },\n"
    "      spin: () => { for (;;) n += 1; },\n"
    "      dive: () => { const down = x => 1 + down(x + 1); return down(0); },\n"
    "    });\n"
    "  };\n"
    "  return harden({ buildRootObject });\n"
    "}\n";

static size_t find_key(const struct vat *v, struct span key)
{
    size_t i = 0;
    while (i < v->count && !span_is(key, v->pairs[i].key)) i++;
    return i;
}

static char *copy_text(struct span s)
{
    char *p = malloc(s.n + 1);
    memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

static void drop_pair(struct vat *v, size_t i)
{
    if (i == v->count) return;
    free(v->pairs[i].key);
    free(v->pairs[i].value);
    v->pairs[i] = v->pairs[--v->count];
}

static void set_pair(struct vat *v, struct span key, struct span value)
{
    drop_pair(v, find_key(v, key));
    assert_true(v->count < PAIRS_MAX);
    v->pairs[v->count].key = copy_text(key);
    v->pairs[v->count++].value = copy_text(value);
}

static const char *next_key(const struct vat *v, struct span prior)
{
    const char *best = NULL;
    for (size_t i = 0; i < v->count; i++) {
        const char *key = v->pairs[i].key;
        if (span_cmp(span_of(key), prior) > 0 && (best == NULL || strcmp(key, best) < 0)) {
            best = key;
        }
    }
    return best;
}

static void answer(struct buf *reply, const char *text)
{
    buf_puts(reply, "[\"ok\",");
    if (text == NULL) buf_puts(reply, "null");
    else json_put_string(reply, span_of(text));
    buf_putc(reply, ']');
}

static int serve_vat(void *ctx, struct span text, struct buf *reply, struct err *e)
{
    struct vat *v = ctx;
    struct jval doc;
    struct worker_memory memory;
    if (++v->upcalls == v->kill_at) {
        assert_true(worker_port_memory(&f.port, v->m, &memory));
        (void)kill(memory.pid, SIGKILL);
    }
    if (json_parse(&f.arena, text, &doc, e) != 0) return -1;
    struct jval call = json_at(doc, 1);
    struct jval verb = json_at(call, 0);
    struct span key = json_str(json_at(call, 1), &f.arena);
    buf_put(&v->log, text);
    buf_putc(&v->log, '\n');
    if (json_is(verb, "vatstoreGet")) {
        size_t i = find_key(v, key);
        answer(reply, i < v->count ? v->pairs[i].value : NULL);
    } else if (json_is(verb, "vatstoreGetNextKey")) {
        answer(reply, next_key(v, key));
    } else {
        if (json_is(verb, "vatstoreSet")) {
            set_pair(v, key, json_str(json_at(call, 2), &f.arena));
        } else if (json_is(verb, "vatstoreDelete")) {
            drop_pair(v, find_key(v, key));
        }
        answer(reply, NULL);
    }
    return 0;
}

static int tell(struct vat *v, const char *text, struct vat_reply *reply, struct err *e)
{
    return f.port.command(f.port.self, v->m, span_of(text), serve_vat, v, &f.arena, reply, e);
}

static void deliver(struct vat *v, const char *text)
{
    struct vat_reply reply;
    struct err e;
    if (tell(v, text, &reply, &e) != 0) fail_msg("%s", e.text);
    assert_int_equal(reply.outcome, VAT_REPLIED);
    buf_printf(&v->log, "%.*s %llu\n", SPAN_ARG(reply.text),
               (unsigned long long)reply.computrons);
    if (!span_starts(reply.text, SPAN("[\"ok\"")) &&
        !span_starts(reply.text, SPAN("[\"dispatchReady\""))) {
        fail_msg("%.*s", SPAN_ARG(reply.text));
    }
}


static void vat_set_up(struct vat *v)
{
    struct buf b = { 0 };
    buf_puts(&b, "[\"setBundle\",\"v7\",{\"moduleFormat\":\"getExport\",\"source\":");
    json_put_string(&b, span_of(vat_source));
    buf_puts(&b, "},{}]");
    buf_putc(&b, '\0');
    deliver(v, b.p);
    deliver(v, "[\"deliver\",[\"startVat\",{\"body\":\"#{}\",\"slots\":[]}]]");
    buf_fini(&b);
}

static const char *call_text(const char *method, int i)
{
    static char text[256];
    (void)snprintf(text, sizeof text,
                   "[\"deliver\",[\"message\",\"o+0\",{\"methargs\":{\"body\":\"#[\\\"%s\\\","
                   "[\\\"text %d\\\"]]\",\"slots\":[]},\"result\":\"p-%d\"}]]",
                   method, i, 60 + i);
    return text;
}

static void vat_run(struct vat *v, int from, int to)
{
    for (int i = from; i < to; i++) deliver(v, call_text("bump", i));
    deliver(v, "[\"deliver\",[\"bringOutYourDead\"]]");
}

static void vat_end(struct vat *v)
{
    fixture_stop(&f, v->m);
    while (v->count > 0) drop_pair(v, 0);
    buf_fini(&v->log);
}

/* The same store, for another machine. */
static void vat_copy_store(struct vat *to, const struct vat *from)
{
    for (size_t i = 0; i < from->count; i++) {
        set_pair(to, span_of(from->pairs[i].key), span_of(from->pairs[i].value));
    }
}

/* -- ports ---------------------------------------------------------------------- */

static struct worker_options ours(void)
{
    return (struct worker_options){ .program = fixture_program("zygote-worker"),
                                    .image_dir = f.images };
}

static void use_engine(void)
{
    struct worker_options o = ours();
    fixture_reopen(&f, &o);
}

static void use_plain(const char *program)
{
    struct worker_options o = { .program = program, .no_images = true };
    fixture_reopen(&f, &o);
}

static int open_engine(void **state)
{
    (void)state;
    fixture_open(&f, NULL);
    f.bundle_dir = "node_modules/@agoric";
    use_engine();
    return 0;
}

static int close_engine(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static struct vat_start real_from(const char *snapshot)
{
    static const struct span boot[] = {
        { "xsnap-lockdown/dist/lockdown.bundle", 35 },
        { "swingset-xsnap-supervisor/dist/supervisor.bundle", 48 },
    };
    struct vat_start from = fixture_from(&f, "real", snapshot);
    from.boot = boot;
    return from;
}

static struct vat_machine *start_real(const char *snapshot)
{
    struct vat_start from = real_from(snapshot);
    struct vat_machine *m;
    struct err e;
    if (f.port.start(f.port.self, &from, &m, &e) != 0) fail_msg("%s", e.text);
    return m;
}

/* -- the cases ------------------------------------------------------------------ */

TEST(boot_snapshot)
{
    for (int i = 0; i < 2; i++) {
        struct vat_machine *m = start_real(NULL);
        assert_string_equal(fixture_save(&f, m), BOOT_HASH);
        fixture_stop(&f, m);
    }
    assert_int_equal(worker_port_counts(&f.port).bases, 1);
    assert_int_equal(worker_port_counts(&f.port).mapped, 2);
    use_plain(fixture_program("zygote-worker"));
    struct vat_machine *m = start_real(NULL);
    assert_string_equal(fixture_save(&f, m), BOOT_HASH);
    fixture_stop(&f, m);
    assert_int_equal(worker_port_counts(&f.port).booted, 1);
}

/* Set up, 20 deliveries; the log into `log`, the snapshot's hash returned. */
static const char *life(struct buf *log, struct vat *keep)
{
    struct vat v = { .m = start_real(NULL) };
    vat_set_up(&v);
    vat_run(&v, 0, 20);
    const char *hash = fixture_save(&f, v.m);
    buf_reset(log);
    buf_put(log, buf_span(&v.log));
    if (keep != NULL) vat_copy_store(keep, &v);
    vat_end(&v);
    return hash;
}

TEST(mapped_is_booted)
{
    struct buf mapped = { 0 }, plain = { 0 };
    const char *hash = life(&mapped, NULL);
    use_plain(fixture_program("zygote-worker"));
    assert_string_equal(life(&plain, NULL), hash);
    assert_true(span_eq(buf_span(&mapped), buf_span(&plain)));
    if (access(STOCK, X_OK) == 0) {
        use_plain(STOCK);
        assert_string_equal(life(&plain, NULL), hash);
        assert_true(span_eq(buf_span(&mapped), buf_span(&plain)));
    } else {
        print_message("no stock xsnap-worker: not compared\n");
    }
    buf_fini(&mapped);
    buf_fini(&plain);
}

/* From the snapshot: 20 deliveries more. */
static const char *afterlife(const char *hash, const struct vat *store, struct buf *log)
{
    struct vat v = { .m = start_real(hash) };
    vat_copy_store(&v, store);
    vat_run(&v, 20, 40);
    const char *end = fixture_save(&f, v.m);
    buf_reset(log);
    buf_put(log, buf_span(&v.log));
    vat_end(&v);
    return end;
}

TEST(hydrated_is_loaded)
{
    struct buf log = { 0 }, loaded = { 0 };
    struct vat store = { .m = NULL };
    const char *hash = life(&log, &store);
    const char *end = afterlife(hash, &store, &loaded);
    assert_int_equal(worker_port_counts(&f.port).loaded, 1);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(afterlife(hash, &store, &log), end);
        assert_true(span_eq(buf_span(&log), buf_span(&loaded)));
    }
    assert_int_equal(worker_port_counts(&f.port).loaded, 1);
    assert_int_equal(worker_port_counts(&f.port).hydrated, 1);
    assert_int_equal(worker_port_counts(&f.port).mapped, 3);
    if (access(STOCK, X_OK) == 0) {
        use_plain(STOCK);
        assert_string_equal(afterlife(hash, &store, &log), end);
        assert_true(span_eq(buf_span(&log), buf_span(&loaded)));
    }
    while (store.count > 0) drop_pair(&store, 0);
    buf_fini(&log);
    buf_fini(&loaded);
}

/* -- damage ---------------------------------------------------------------------- */

static void image_path(char out[512])
{
    assert_int_equal(fixture_image_path(&f, "base-", out, 512), 0);
}

static void recovers(const char *path, const char *why)
{
    fixture_capture(&f);
    use_engine();
    struct vat_machine *m = start_real(NULL);
    const char *said = fixture_captured(&f);
    assert_non_null(strstr(said, path));
    if (strstr(said, why) == NULL) fail_msg("\"%s\" lacks \"%s\"", said, why);
    assert_string_equal(fixture_save(&f, m), BOOT_HASH);
    fixture_stop(&f, m);
    assert_int_equal(worker_port_counts(&f.port).bases, 1);
    assert_int_equal(worker_port_counts(&f.port).mapped, 1);
    assert_int_equal(fixture_image_count(&f), 1);
}

static void flip(const char *path, off_t at)
{
    char byte;
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte = (char)(byte ^ 1);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

TEST(damaged_images)
{
    char path[512], name[512], digest[SHA256_HEX + 1];
    struct stat st;
    struct err e;
    fixture_stop(&f, start_real(NULL));
    image_path(path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size / 2), 0);
    recovers(path, "truncated or edited");
    image_path(path);
    flip(path, st.st_size / 2);
    recovers(path, "truncated or edited");
    /* Whole, well named, but of another build: the id in its header differs. */
    image_path(path);
    flip(path, 20);
    int fd = open(path, O_RDONLY);
    assert_int_equal(image_digest(fd, digest, &e), 0);
    close(fd);
    strcpy(name, path);
    memcpy(name + strlen(name) - strlen(".image") - SHA256_HEX, digest, SHA256_HEX);
    assert_int_equal(rename(path, name), 0);
    recovers(name, "refused by the worker");
}

/* -- ends ------------------------------------------------------------------------ */

TEST(killed_at_each_upcall)
{
    for (unsigned k = 1;; k++) {
        struct vat v = { .m = start_real(NULL) };
        struct vat_reply reply;
        struct err e;
        vat_set_up(&v);
        v.upcalls = 0;
        v.kill_at = k;
        int result = tell(&v, call_text("bump", 0), &reply, &e);
        bool reached = v.upcalls >= k;
        if (!reached) {
            vat_end(&v);
            assert_int_equal(result, 0);
            assert_true(k > 2);
            break;
        }
        /* It may have posted the upcall and be done; then the next command finds it dead. */
        if (result == 0) result = tell(&v, call_text("bump", 0), &reply, &e);
        vat_end(&v);
        assert_int_equal(result, -1);
        assert_int_equal(e.exit, EXIT_FAILED);
        assert_non_null(strstr(e.text, "v7:real"));
        assert_non_null(strstr(e.text, "signal 9 (Killed)"));
    }
}

TEST(meters)
{
    static const struct { const char *method; enum vat_outcome want; } cases[] = {
        { "spin", VAT_TOO_MUCH_COMPUTATION },
        { "dive", VAT_STACK_OVERFLOW },
    };
    for (size_t i = 0; i < 2; i++) {
        struct vat v = { .m = start_real(NULL) };
        struct vat_reply reply;
        struct err e;
        vat_set_up(&v);
        if (tell(&v, call_text(cases[i].method, 0), &reply, &e) != 0) fail_msg("%s", e.text);
        assert_int_equal(reply.outcome, cases[i].want);
        vat_end(&v);
    }
}

TEST(many_starts)
{
    struct worker_memory memory;
    for (int i = 0; i < 100; i++) {
        struct vat_machine *m = start_real(NULL);
        assert_true(worker_port_memory(&f.port, m, &memory));
        fixture_stop(&f, m);
    }
    print_message("last of 100: %llu KiB PSS, %llu KiB private\n",
                  (unsigned long long)memory.pss_kib, (unsigned long long)memory.private_kib);
    assert_int_equal(worker_port_counts(&f.port).mapped, 100);
}

/* Images do not work with a program that makes none; vats do. */
TEST(stock_worker_with_images)
{
    if (access(STOCK, X_OK) != 0) skip();
    struct worker_options o = { .program = STOCK, .image_dir = f.images };
    fixture_capture(&f);
    fixture_reopen(&f, &o);
    struct vat_machine *m = start_real(NULL);
    fixture_stop(&f, m);
    fixture_stop(&f, start_real(NULL));
    const char *said = fixture_captured(&f);
    assert_non_null(strstr(said, "no image for vat v7"));
    assert_int_equal(worker_port_counts(&f.port).booted, 2);
    assert_int_equal(fixture_image_count(&f), 0);
}

#define CASE(t) { #t, t, open_engine, close_engine, NULL }

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(boot_snapshot), CASE(mapped_is_booted), CASE(hydrated_is_loaded),
        CASE(damaged_images), CASE(killed_at_each_upcall), CASE(meters), CASE(many_starts),
        CASE(stock_worker_with_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
