/* What a worker can do to the kernel: nothing but get itself killed.
 * A fake worker misbehaves on command, in each of the three ways it can have been started. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "fixture.h"

/* How long a worker may be silent where it must not be; short where it is the point. */
static int stall_ms = 0;
enum { IMPATIENT_MS = 300 };

static struct fixture f;

static int open_plain(void **state)
{
    (void)state;
    struct worker_options o = { .program = fixture_program("fake_worker"), .no_images = true,
                                .stall_ms = stall_ms };
    fixture_open(&f, &o);
    return 0;
}

static int open_mapped(void **state)
{
    (void)state;
    struct worker_options o = { .program = fixture_program("fake_worker"),
                                .stall_ms = stall_ms };
    fixture_open(&f, &o);
    return 0;
}

static int open_plain_impatient(void **state)
{
    stall_ms = IMPATIENT_MS;
    return open_plain(state);
}

static int open_mapped_impatient(void **state)
{
    stall_ms = IMPATIENT_MS;
    return open_mapped(state);
}

static int close_all(void **state)
{
    (void)state;
    stall_ms = 0;
    fixture_close(&f);
    return 0;
}

static int misbehave(const char *text, struct err *e)
{
    struct vat_machine *m = fixture_start(&f, "bad", NULL);
    struct vat_reply reply = { .outcome = VAT_REPLIED };
    int result = fixture_command(&f, m, text, &reply, e);
    if (result != 0) {
        /* It is dead already, and stays refused. */
        struct worker_memory memory;
        struct err again;
        assert_false(worker_port_memory(&f.port, m, &memory));
        assert_int_equal(fixture_command(&f, m, "echo x", &reply, &again), -1);
        assert_non_null(strstr(again.text, "gone"));
    }
    fixture_stop(&f, m);
    return result;
}

static void refused(const char *text, const char *why)
{
    struct err e = { .exit = EXIT_OK, .text = "" };
    assert_int_equal(misbehave(text, &e), -1);
    assert_int_equal(e.exit, EXIT_FAILED);
    assert_non_null(strstr(e.text, "v7:bad"));
    if (strstr(e.text, why) == NULL) fail_msg("\"%s\" lacks \"%s\"", e.text, why);
}

TEST(good_manners)
{
    struct vat_machine *m = fixture_start(&f, "good", NULL);
    struct vat_reply reply;
    struct err e;
    assert_span_is(fixture_ask(&f, m, "state"), "[(A\u00e9\n)()][(B\u00e9\n)()]");
    assert_int_equal(fixture_command(&f, m, "echo hello", &reply, &e), 0);
    assert_span_is(reply.text, "hello");
    assert_int_equal(reply.computrons, 42);
    assert_true(span_starts(reply.meter, SPAN("{\"currentHeapCount\":1")));
    assert_span_is(fixture_ask(&f, m, "upcall syscall"), "\"syscall\"");
    assert_span_is(fixture_ask(&f, m, "echo "), "");
    fixture_stop(&f, m);
}

TEST(big_frames_both_ways)
{
    struct vat_machine *m = fixture_start(&f, "good", NULL);
    struct buf big = { 0 };
    buf_puts(&big, "echo ");
    for (int i = 0; i < 3000000; i++) buf_putc(&big, (char)('a' + i % 26));
    buf_putc(&big, '\0');
    assert_true(span_eq(fixture_ask(&f, m, big.p), (struct span){ big.p + 5, big.n - 6 }));
    assert_int_equal(fixture_ask(&f, m, "big 11999999").n, 11999999);
    buf_fini(&big);
    fixture_stop(&f, m);
    refused("big 12000000", "frame too long");
}

TEST(exits_of_the_vat)
{
    static const struct { const char *text; enum vat_outcome want; } cases[] = {
        { "exit 11", VAT_OUT_OF_MEMORY },
        { "exit 12", VAT_STACK_OVERFLOW },
        { "exit 17", VAT_TOO_MUCH_COMPUTATION },
    };
    for (size_t i = 0; i < 3; i++) {
        struct vat_machine *m = fixture_start(&f, "poor", NULL);
        struct vat_reply reply = { .outcome = VAT_REPLIED };
        struct err e;
        assert_int_equal(fixture_command(&f, m, cases[i].text, &reply, &e), 0);
        assert_int_equal(reply.outcome, cases[i].want);
        assert_null(reply.text.p);
        fixture_stop(&f, m);
    }
}

TEST(other_ends)
{
    refused("exit 0", "ended unexpectedly: exit code 0");
    refused("exit 1", "exit code 1 (bad usage)");
    refused("exit 2", "exit code 2 (input or output error)");
    refused("exit 3", "exit code 3 (bad image)");
    refused("exit 15", "exit code 15");
    refused("exit 255", "exit code 255");
    refused("signal 9", "signal 9 (Killed)");
    refused("signal 11", "signal 11 (Segmentation fault)");
}

TEST(bad_frames)
{
    refused("raw 2c", "bad length prefix");
    refused("raw 3a2c", "bad length prefix");
    refused("raw 2d313a", "bad length prefix");
    refused("raw 31303030303030303030", "bad length prefix");          /* 1000000000 */
    refused("raw 3939393939393939393a", "frame too long");             /* 999999999: */
    refused("raw 31323030303030313a", "frame too long");               /* 12000001: */
    refused("raw 312e", "no ':'");
    refused("raw 313a2e2e", "no ','");
    refused("raw 303a2c", "empty message");
    refused("raw 333a78797a2c", "unknown message <<xyz>>");
    refused("raw 343a1b5b324a2c", "unknown message <<?[2J>>");
    refused("raw 313a2f2c", "unknown message <</>>");
}

TEST(bad_meters)
{
    static const char *const bad[] = {
        "", "x", "[]", "null", "7", "{", "{\"compute\":-1}", "{\"compute\":1.5}",
        "{\"compute\":4294967296}", "{\"compute\":\"7\"}", "{\"compute\":1e999}",
        "{\"compute\":{}}", "{\"compute\":1}{}", "{\"compute\":18446744073709551616}",
    };
    char text[80];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(text, sizeof text, "meter %s", bad[i]);
        refused(text, "meter report");
    }
}

TEST(good_meters)
{
    static const struct { const char *text; uint64_t want; } good[] = {
        { "meter {}", 0 },
        { "meter {\"compute\":null}", 0 },
        { "meter {\"compute\":0}", 0 },
        { "meter { \"compute\" : 4294967295 }", 4294967295u },
    };
    struct vat_machine *m = fixture_start(&f, "good", NULL);
    for (size_t i = 0; i < 4; i++) {
        struct vat_reply reply;
        struct err e;
        assert_int_equal(fixture_command(&f, m, good[i].text, &reply, &e), 0);
        assert_int_equal(reply.computrons, good[i].want);
        assert_span_is(reply.text, "ok");
    }
    /* A reply without a report: what upstream accepts, we do. */
    struct vat_reply reply;
    struct err e;
    assert_int_equal(fixture_command(&f, m, "raw 333a2e68692c", &reply, &e), 0);
    assert_span_is(reply.text, "hi");
    assert_null(reply.meter.p);
    fixture_stop(&f, m);
}

TEST(exceptions_and_refused_upcalls)
{
    struct err e;
    refused("throw Error: boo\x1b[31m", "Uncaught exception in v7:bad: Error: boo?[31m");
    assert_int_equal(misbehave("upcall refuse", &e), -1);
    assert_int_equal(e.exit, EXIT_VAT);
    assert_non_null(strstr(e.text, "refused"));
}

TEST(babbling)
{
    struct vat_machine *m = fixture_start(&f, "bad", NULL);
    struct vat_reply reply;
    struct err e;
    /* Seen with the reply, or when we next want to speak: it depends on the scheduler. */
    if (fixture_command(&f, m, "babble", &reply, &e) == 0) {
        usleep(100000);
        assert_int_equal(fixture_command(&f, m, "echo x", &reply, &e), -1);
    }
    assert_non_null(strstr(e.text, "spoke out of turn"));
    fixture_stop(&f, m);
    refused("raw 323a2e612c323a2e622c", "spoke out of turn");
}

TEST(posted_upcalls)
{
    struct vat_machine *m = fixture_start(&f, "bad", NULL);
    struct vat_reply reply;
    struct err e;
    bool ours = worker_port_counts(&f.port).mapped > 0;
    if (ours) {
        f.upcalls = 0;
        assert_int_equal(fixture_command(&f, m, "post 20000", &reply, &e), 0);
        assert_int_equal(f.upcalls, 20000);
        assert_span_is(fixture_ask(&f, m, "upcall syscall"), "\"syscall\"");
    }
    fixture_stop(&f, m);
    /* >a, then a wrong length; >a, then ?b, with something behind what wants an answer */
    if (ours) refused("raw 323a3e612c783a", "bad length prefix");
    if (ours) refused("raw 323a3e612c323a3f622c323a3e612c", "spoke out of turn");
    if (!ours) refused("post 1", "none is allowed");
}

TEST(deaf)
{
    struct vat_machine *m = fixture_start(&f, "bad", NULL);
    struct vat_reply reply;
    struct err e;
    assert_int_equal(fixture_command(&f, m, "deaf", &reply, &e), 0);
    char *big = test_malloc(2000001);
    memset(big, 'x', 2000000);
    big[2000000] = '\0';
    assert_int_equal(fixture_command(&f, m, big, &reply, &e), -1);
    assert_non_null(strstr(e.text, "does not read"));
    test_free(big);
    fixture_stop(&f, m);
}

TEST(closed_but_alive)
{
    refused("close", "closed its connection and was killed: signal 9");
}

TEST(cut_frames)
{
    struct vat_machine *m = fixture_start(&f, "bad", NULL);
    struct worker_memory memory;
    struct vat_reply reply;
    struct err e;
    assert_true(worker_port_memory(&f.port, m, &memory));
    assert_true(memory.pss_kib > 0 && memory.rss_kib >= memory.pss_kib);
    /* Killed from outside between two commands. */
    assert_int_equal(kill(memory.pid, SIGKILL), 0);
    assert_int_equal(fixture_command(&f, m, "echo x", &reply, &e), -1);
    assert_non_null(strstr(e.text, "signal 9 (Killed)"));
    char pid[32];
    (void)snprintf(pid, sizeof pid, "(pid %d)", (int)memory.pid);
    assert_non_null(strstr(e.text, pid));
    fixture_stop(&f, m);
}

/* -- snapshots ---------------------------------------------------------------- */

static struct buf sunk;

static int sink(void *ctx, struct span bytes, struct err *e)
{
    if (ctx != NULL) return err_set(e, EXIT_FAILED, "disk full");
    buf_put(&sunk, bytes);
    return 0;
}

TEST(snapshots)
{
    struct vat_machine *m = fixture_start(&f, "good", NULL);
    struct err e;
    buf_reset(&sunk);
    assert_int_equal(f.port.snapshot(f.port.self, m, sink, NULL, &e), 0);
    assert_true(span_starts(buf_span(&sunk), SPAN("FAKE SNAPSHOT\n[(A")));
    (void)fixture_ask(&f, m, "save 5000000");
    buf_reset(&sunk);
    assert_int_equal(f.port.snapshot(f.port.self, m, sink, NULL, &e), 0);
    assert_int_equal(sunk.n, 5000000 + 14);
    assert_span_is(fixture_ask(&f, m, "echo after"), "after");
    fixture_stop(&f, m);
    buf_fini(&sunk);
    sunk = (struct buf){ 0 };
}

TEST(snapshots_that_lie)
{
    static const char *const lies[] = { "lie 1", "lie -1", "lie 999999999", "lie -15" };
    for (size_t i = 0; i < 4; i++) {
        struct vat_machine *m = fixture_start(&f, "bad", NULL);
        struct err e;
        (void)fixture_ask(&f, m, lies[i]);
        (void)fixture_ask(&f, m, "save 1");
        assert_int_equal(f.port.snapshot(f.port.self, m, sink, NULL, &e), -1);
        assert_non_null(strstr(e.text, "snapshot size"));
        fixture_stop(&f, m);
    }
    buf_fini(&sunk);
    sunk = (struct buf){ 0 };
}

TEST(snapshot_sink_fails)
{
    struct vat_machine *m = fixture_start(&f, "good", NULL);
    struct err e;
    (void)fixture_ask(&f, m, "save 5000000");
    assert_int_equal(f.port.snapshot(f.port.self, m, sink, &f, &e), -1);
    assert_non_null(strstr(e.text, "disk full"));
    fixture_stop(&f, m);
}

/* -- starting ----------------------------------------------------------------- */

TEST(starts_that_fail)
{
    static const char *const names[] = { "exit-0", "exit-1", "exit-17", "exit-2" };
    for (size_t i = 0; i < 4; i++) {
        struct vat_start from = fixture_from(&f, names[i], NULL);
        struct vat_machine *m = NULL;
        struct err e;
        assert_int_equal(f.port.start(f.port.self, &from, &m, &e), -1);
        assert_null(m);
        assert_int_equal(e.exit, EXIT_FAILED);
        assert_non_null(strstr(e.text, "exit code"));
    }
}

TEST(mute)
{
    struct vat_start from = fixture_from(&f, "mute", NULL);
    struct vat_machine *m = NULL;
    struct err e;
    assert_int_equal(f.port.start(f.port.self, &from, &m, &e), -1);
    assert_non_null(strstr(e.text, "does not answer"));
}

TEST(bad_boots)
{
    struct span odd[] = { SPAN("A"), SPAN("odd") }, missing[] = { SPAN("missing") };
    struct vat_start from = fixture_from(&f, "x", NULL);
    struct vat_machine *m = NULL;
    struct err e;
    from.boot = odd;
    fixture_capture(&f);
    int result = f.port.start(f.port.self, &from, &m, &e);
    (void)fixture_captured(&f);
    assert_int_equal(result, -1);
    assert_int_equal(e.exit, EXIT_INCOMPATIBLE);
    assert_non_null(strstr(e.text, "bundle odd: unexpected moduleFormat"));
    from.boot = missing;
    from.boot_count = 1;
    assert_int_equal(f.port.start(f.port.self, &from, &m, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
}

TEST(loading)
{
    struct vat_machine *m = fixture_start(&f, "a", NULL);
    (void)fixture_ask(&f, m, "save 3000000");
    const char *hash = fixture_save(&f, m);
    fixture_stop(&f, m);
    m = fixture_start(&f, "b", hash);
    assert_int_equal(fixture_ask(&f, m, "state").n, 3000000);
    assert_string_equal(fixture_save(&f, m), hash);
    fixture_stop(&f, m);
    assert_int_equal(worker_port_counts(&f.port).loaded, 1);
}

TEST(bad_snapshots)
{
    struct vat_machine *m = fixture_start(&f, "a", NULL);
    const char *hash = fixture_save(&f, m);
    fixture_stop(&f, m);
    struct vat_start from = fixture_from(&f, "b", hash);
    struct err e;
    /* The store's bytes are not what their hash says. */
    f.snapshots[0].bytes.p[20] ^= 1;
    m = NULL;
    assert_int_equal(f.port.start(f.port.self, &from, &m, &e), -1);
    assert_int_equal(e.exit, EXIT_INTEGRITY);
    assert_non_null(strstr(e.text, hash));
    /* The bytes are right, but no snapshot. */
    f.snapshots[0].bytes.n = 0;
    buf_puts(&f.snapshots[0].bytes, "garbage");
    sha256_hex(SPAN("garbage"), f.snapshots[0].hash);
    from.snapshot = f.snapshots[0].hash;
    fixture_capture(&f);
    int result = f.port.start(f.port.self, &from, &m, &e);
    (void)fixture_captured(&f);
    assert_int_equal(result, -1);
    assert_int_equal(e.exit, EXIT_FAILED);
    assert_non_null(strstr(e.text, "exit code 2"));
    /* No such snapshot at all. */
    from.snapshot = "0000000000000000000000000000000000000000000000000000000000000000";
    assert_int_equal(f.port.start(f.port.self, &from, &m, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
}

TEST(what_a_worker_inherits)
{
    int leak = dup(2); /* not close-on-exec */
    struct vat_machine *m = fixture_start(&f, "a", NULL);
    struct span fds = fixture_ask(&f, m, "fds");
    /* 0 to 9 of a spawned one; a mapped fake closes 5, 6, 8 and up. */
    bool mapped = worker_port_counts(&f.port).mapped > 0;
    assert_span_is(fds, mapped ? "0 1 2 3 4 7 " : "0 1 2 3 4 5 6 7 8 9 ");
    close(leak);
    fixture_stop(&f, m);
}

TEST(many)
{
    for (int i = 0; i < 100; i++) {
        struct vat_machine *m = fixture_start(&f, "one-of-many", NULL);
        assert_span_is(fixture_ask(&f, m, "echo x"), "x");
        unsigned fds = fixture_open_fds();
        fixture_stop(&f, m);
        assert_int_equal(fixture_open_fds(), fds - 2);
    }
    for (int i = 0; i < 5; i++) {
        struct vat_machine *m[20];
        for (int k = 0; k < 20; k++) m[k] = fixture_start(&f, "crowd", NULL);
        for (int k = 0; k < 20; k++) assert_span_is(fixture_ask(&f, m[k], "echo y"), "y");
        for (int k = 0; k < 20; k++) fixture_stop(&f, m[(k * 7) % 20]);
    }
}

TEST(no_such_program)
{
    struct worker_options o = { .program = "/no/such/program", .no_images = true };
    struct vat_port port;
    struct err e;
    assert_int_equal(worker_port_open(&o, &port, &e), -1);
    assert_non_null(strstr(e.text, "/no/such/program"));
    o.program = "/etc/passwd"; /* there, but no program */
    assert_int_equal(worker_port_open(&o, &port, &e), 0);
    struct vat_start from = fixture_from(&f, "x", NULL);
    struct vat_machine *m;
    assert_int_equal(port.start(port.self, &from, &m, &e), -1);
    assert_non_null(strstr(e.text, "/etc/passwd"));
    worker_port_close(&port);
}

#define BOTH(t)                                                       \
    { #t " (spawned)", t, open_plain, close_all, NULL },              \
    { #t " (mapped)", t, open_mapped, close_all, NULL }
#define PLAIN(t) { #t, t, open_plain, close_all, NULL }
#define IMPATIENT(t)                                                  \
    { #t " (spawned)", t, open_plain_impatient, close_all, NULL },    \
    { #t " (mapped)", t, open_mapped_impatient, close_all, NULL }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(good_manners),
        BOTH(big_frames_both_ways),
        BOTH(exits_of_the_vat),
        BOTH(other_ends),
        BOTH(bad_frames),
        PLAIN(bad_meters),
        BOTH(good_meters),
        BOTH(exceptions_and_refused_upcalls),
        BOTH(babbling),
        BOTH(posted_upcalls),
        IMPATIENT(deaf),
        IMPATIENT(closed_but_alive),
        BOTH(cut_frames),
        BOTH(snapshots),
        BOTH(snapshots_that_lie),
        BOTH(snapshot_sink_fails),
        BOTH(starts_that_fail),
        { "mute", mute, open_mapped_impatient, close_all, NULL },
        BOTH(bad_boots),
        BOTH(loading),
        BOTH(bad_snapshots),
        BOTH(what_a_worker_inherits),
        BOTH(many),
        PLAIN(no_such_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
