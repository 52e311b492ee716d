/* test_store_open.c -- hashes against upstream's goldens; opening, locking, bad files. */
#include "lib/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/export.h"
#include "store/kv.h"

static char dir[64];
static char path[128];

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/zygote-open-XXXXXX");
    if (mkdtemp(dir) == NULL) return -1;
    snprintf(path, sizeof path, "%s/swingstore.sqlite", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static struct store *opened(const char *where, enum store_mode mode)
{
    struct store *s = NULL;
    struct err e = { 0 };
    if (store_open(where, mode, &s, &e) != 0) fail_msg("open: %s", e.text);
    return s;
}

static void refused(enum store_mode mode, enum exit_code code, const char *says)
{
    struct store *s = NULL;
    struct err e = { 0 };
    assert_int_equal(store_open(dir, mode, &s, &e), -1);
    if (strstr(e.text, says) == NULL) fail_msg("'%s' does not say '%s'", e.text, says);
    if (strstr(e.text, dir) == NULL) fail_msg("'%s' does not name the store", e.text);
    assert_null(strchr(e.text, '\n'));
    assert_int_equal(e.exit, code);
}

static void committed(struct store *s)
{
    struct err e;
    if (store_commit(s, &e) != 0) fail_msg("commit: %s", e.text);
}

static void set(struct store *s, const char *key, const char *value)
{
    kv_set(s, span_of(key), span_of(value));
}

/* -- hashes --------------------------------------------------------------------- */

#define STATS_ZERO                                                                       \
    "{\"runQueueLength\":0,\"runQueueLengthUp\":0,\"runQueueLengthDown\":0,"             \
    "\"runQueueLengthMax\":0,\"acceptanceQueueLength\":0,\"acceptanceQueueLengthUp\":0," \
    "\"acceptanceQueueLengthDown\":0,\"acceptanceQueueLengthMax\":0,"                    \
    "\"promiseQueuesLength\":0,\"promiseQueuesLengthUp\":0,"                             \
    "\"promiseQueuesLengthDown\":0,\"promiseQueuesLengthMax\":0}"

static const char *const INITIAL[][2] = {
    { "vat.names", "[]" },
    { "vat.dynamicIDs", "[]" },
    { "vat.nextID", "1" },
    { "vat.nextUpgradeID", "1" },
    { "vats.terminated", "[]" },
    { "device.names", "[]" },
    { "device.nextID", "7" },
    { "ko.nextID", "20" },
    { "kd.nextID", "30" },
    { "kp.nextID", "40" },
    { "meter.nextID", "1" },
    { "gcActions", "[]" },
    { "reapQueue", "[]" },
    { "runQueue", "[1,1]" },
    { "acceptanceQueue", "[1,1]" },
    { "crankNumber", "0" },
    { "kernel.defaultManagerType", "local" },
    { "kernel.defaultReapDirtThreshold",
      "{\"deliveries\":1,\"gcKrefs\":20,\"computrons\":\"never\"}" },
    { "kernel.snapshotInitial", "3" },
    { "kernel.snapshotInterval", "200" },
    { "version", "3" },
    { "kernelStats", STATS_ZERO },
};

/* What upstream's initializeKernel({}) writes, and the hash its tests expect. */
TEST(the_hash_of_an_empty_kernel)
{
    char crank[SHA256_HEX + 1], activity[SHA256_HEX + 1];
    struct store *s = opened(NULL, STORE_CREATE);
    for (size_t i = 0; i < sizeof INITIAL / sizeof INITIAL[0]; i++)
        set(s, INITIAL[i][0], INITIAL[i][1]);
    set(s, "local.kernelStats", "{}");
    store_emit_hashes(s, crank, activity);
    assert_string_equal(crank,
                        "12b70ff75a1745649be4a92d4a8fc1630069e36bb5a8b36bdaa5b07ae7a1aa2a");
    assert_memory_equal(activity, "af359073", 8);
    assert_string_equal(activity + SHA256_HEX - 5, "793af");
    struct span stored;
    assert_true(kv_get(s, SPAN("activityhash"), &stored));
    assert_span_is(stored, activity);
    store_close(s);
}

/* Upstream's "one=1": with the statistics, as emitCrankHashes saves them; and without. */
TEST(the_hash_of_one_write)
{
    char crank[SHA256_HEX + 1], activity[SHA256_HEX + 1];
    struct store *s = opened(NULL, STORE_CREATE);
    set(s, "one", "1");
    set(s, "kernelStats", STATS_ZERO);
    store_emit_hashes(s, crank, activity);
    assert_memory_equal(crank, "136550ff", 8);

    store_start_crank(s);
    set(s, "one", "1");
    store_emit_hashes(s, crank, activity);
    assert_memory_equal(crank, "29dedad4", 8);
    /* Nothing since the emit: the hash of no bytes. */
    store_emit_hashes(s, crank, activity);
    assert_memory_equal(crank, "e3b0c442", 8);
    store_end_crank(s);
    store_close(s);
}

TEST(a_long_value_is_hashed_whole)
{
    char crank[SHA256_HEX + 1], activity[SHA256_HEX + 1], want[SHA256_HEX + 1];
    struct store *s = opened(NULL, STORE_CREATE);
    struct buf value = { 0 }, text = { 0 };
    for (int i = 0; i < 100000; i++)
        buf_putc(&value, (char)('a' + i % 26));
    set(s, "k", "v");
    kv_set(s, SPAN("k"), buf_span(&value));
    kv_set(s, SPAN("k"), SPAN(""));
    kv_delete(s, SPAN("k"));
    store_emit_hashes(s, crank, activity);
    buf_puts(&text, "add\nk\nv\nadd\nk\n");
    buf_put(&text, buf_span(&value));
    buf_puts(&text, "\nadd\nk\n\ndelete\nk\n");
    sha256_hex(buf_span(&text), want);
    assert_string_equal(crank, want);
    buf_fini(&value);
    buf_fini(&text);
    store_close(s);
}

static int add_record(void *ctx, struct span key, struct span value, struct err *e)
{
    (void)e;
    buf_put(ctx, key);
    buf_putc(ctx, '=');
    buf_put(ctx, value);
    buf_putc(ctx, '\n');
    return 0;
}

#define HALF "\xed\xa0\x80"
#define THREE "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"

static void see_halves(struct store *s)
{
    struct span key = SPAN("k"), value;
    assert_true(kv_get(s, SPAN("k" HALF), &value));
    assert_span_is(value, "a" THREE "b");
    assert_true(kv_get(s, SPAN("k\xef\xbf\xbd"), &value));
    assert_span_is(value, "\xf0\x9f\x98\x80");
    assert_true(kv_get(s, SPAN("l"), &value));
    assert_span_is(value, THREE);
    assert_false(kv_get(s, SPAN("k" THREE), NULL));
    assert_true(kv_next_key(s, key, &key));
    assert_span_is(key, "k" HALF);
    assert_true(kv_next_key(s, key, &key));
    assert_span_is(key, "k\xef\xbf\xbd");
}

/* As swing-store 0.10.0 under Node 20 has them: these hashes and this export are its. */
TEST(halves_of_surrogate_pairs)
{
    char crank[SHA256_HEX + 1], activity[SHA256_HEX + 1];
    struct span value;
    struct buf records = { 0 };
    struct err e = { 0 };
    struct store *s = opened(dir, STORE_CREATE);
    store_start_crank(s);
    set(s, "k" HALF, "a\xed\xb0\x80"
                     "b");
    set(s, "k\xef\xbf\xbd", "\xf0\x9f\x98\x80");
    set(s, "l", HALF);
    kv_delete(s, SPAN("l\xed\xbf\xbf"));
    assert_true(kv_get(s, SPAN("l"), &value));
    kv_set(s, SPAN("k"), value);
    see_halves(s);
    store_emit_hashes(s, crank, activity);
    assert_string_equal(crank,
                        "9c48f6caf488e7fcd01731b3d1e94881659f6855e3ca1bff8bc977ab4e6a2197");
    store_end_crank(s);
    committed(s);
    store_close(s);

    s = opened(dir, STORE_READONLY);
    see_halves(s);
    assert_int_equal(store_export_data(s, add_record, &records, &e), 0);
    assert_span_is(buf_span(&records),
                   "kv.activityhash="
                   "3e5fb90f68af4187a82679e5f95d5768e6c93ae227a8d0af9b6b861d06b7e402\n"
                   "kv.k=" THREE "\n"
                   "kv.k" THREE "=a" THREE "b\n"
                   "kv.k\xef\xbf\xbd=\xf0\x9f\x98\x80\n"
                   "kv.l=" THREE "\n");
    buf_fini(&records);
    store_close(s);
}

static void copy_by_hand(struct store *s, struct span from, struct span to)
{
    struct span key = from, value;
    while (kv_next_key(s, key, &key) && span_starts(key, from)) {
        struct buf name = { 0 };
        buf_put(&name, to);
        buf_put(&name, span_from(key, from.n));
        assert_true(kv_get(s, key, &value));
        kv_set(s, buf_span(&name), value);
        buf_fini(&name);
    }
}

/* What it writes, and what of it is hashed, is the same: some keys in SQLite only, some in
 * memory only, some in both and not the same. */
TEST(a_copy_is_as_if_each_key_were_read_and_set)
{
    char crank[2][SHA256_HEX + 1], activity[SHA256_HEX + 1];
    struct span value;
    struct store *s = opened(dir, STORE_CREATE);
    set(s, "v1.vs", "before");
    set(s, "v1.vs.", "");
    set(s, "v1.vs.gone", "1");
    set(s, "v1.vs.k" HALF, "a" HALF "b");
    set(s, "v1.vs.old", "1");
    set(s, "v1.vs.same", "1");
    set(s, "v1.vt", "behind");
    committed(s);
    store_close(s);
    s = opened(dir, STORE_OPEN);
    for (int by_hand = 0; by_hand < 2; by_hand++) {
        store_start_crank(s);
        kv_delete(s, SPAN("v1.vs.gone"));
        set(s, "v1.vs.new", HALF);
        set(s, "v1.vs.old", "2");
        store_emit_hashes(s, crank[by_hand], activity);
        if (by_hand) {
            copy_by_hand(s, SPAN("v1.vs."), SPAN("v20.vs."));
        } else {
            struct kv_copied all = kv_copy(s, SPAN("v1.vs."), SPAN("v20.vs."));
            assert_int_equal(all.keys, 4);
            assert_int_equal(all.bytes, (1 + 3 + 1 + 9 + 1) + (3 + 9) + (3 + 1) + (4 + 1));
        }
        store_emit_hashes(s, crank[by_hand], activity);
        assert_false(kv_get(s, SPAN("v20.vs."), NULL));
        assert_false(kv_get(s, SPAN("v20.vs.gone"), NULL));
        assert_true(kv_get(s, SPAN("v20.vs.k" HALF), &value));
        assert_span_is(value, "a" THREE "b");
        assert_true(kv_get(s, SPAN("v20.vs.old"), &value));
        assert_span_is(value, "2");
        assert_true(kv_get(s, SPAN("v20.vs.new"), &value));
        assert_span_is(value, THREE);
        assert_true(kv_get(s, SPAN("v20.vs.same"), &value));
        assert_span_is(value, "1");
        struct span key = SPAN("v20.vs.");
        while (kv_next_key(s, key, &key) && span_starts(key, SPAN("v20."))) kv_delete(s, key);
        set(s, "v1.vs.gone", "1");
        set(s, "v1.vs.old", "1");
        kv_delete(s, SPAN("v1.vs.new"));
        store_end_crank(s);
    }
    assert_string_equal(crank[0], crank[1]);
    store_close(s);
}

/* -- opening -------------------------------------------------------------------- */

TEST(what_was_committed_comes_back)
{
    struct span value;
    struct store *s = opened(dir, STORE_CREATE);
    set(s, "a", "1");
    kv_host_set(s, SPAN("host.height"), SPAN("7"));
    committed(s);
    set(s, "a", "2");
    set(s, "b", "2");
    store_close(s); /* not committed */
    assert_true(store_exists(dir));
    s = opened(dir, STORE_OPEN);
    assert_true(kv_get(s, SPAN("a"), &value));
    assert_span_is(value, "1");
    assert_true(kv_get(s, SPAN("host.height"), &value));
    assert_false(kv_get(s, SPAN("b"), NULL));
    assert_true(store_disk_bytes(s) > 4096);
    store_close(s);
    refused(STORE_CREATE, EXIT_FAILED, "a store already");
}

TEST(a_missing_store)
{
    assert_false(store_exists(dir));
    refused(STORE_OPEN, EXIT_NOT_FOUND, "no store");
    refused(STORE_READONLY, EXIT_NOT_FOUND, "no store");
    char inner[128];
    snprintf(inner, sizeof inner, "%s/some/where", dir);
    store_close(opened(inner, STORE_CREATE));
    assert_true(store_exists(inner));
}

TEST(an_interrupted_creation_can_be_repeated)
{
    close(open(path, O_CREAT | O_WRONLY, 0666)); /* the file, no tables */
    refused(STORE_OPEN, EXIT_INCOMPATIBLE, "not a swing-store");
    store_close(opened(dir, STORE_CREATE)); /* tables, no rows */
    store_close(opened(dir, STORE_CREATE));
}

TEST(a_second_writer_waits_outside)
{
    char says[64];
    struct store *s = opened(dir, STORE_CREATE);
    snprintf(says, sizeof says, "in use by process %d", (int)getpid());
    refused(STORE_OPEN, EXIT_BUSY, says);
    pid_t child = fork();
    if (child == 0) {
        struct store *other;
        struct err e = { 0 };
        _exit(store_open(dir, STORE_OPEN, &other, &e) == -1 ? (int)e.exit : 99);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), EXIT_BUSY);
    store_close(s);
    store_close(opened(dir, STORE_OPEN));
}

TEST(a_reader_sees_one_commit)
{
    struct span value;
    struct store *s = opened(dir, STORE_CREATE);
    set(s, "a", "1");
    committed(s);
    struct store *reader = opened(dir, STORE_READONLY);
    set(s, "a", "2");
    set(s, "b", "2");
    committed(s);
    assert_true(kv_get(reader, SPAN("a"), &value));
    assert_span_is(value, "1");
    assert_true(kv_next_key(reader, SPAN(""), &value));
    assert_span_is(value, "a");
    assert_false(kv_next_key(reader, SPAN("a"), &value));
    store_forget(reader);
    store_close(reader);
    reader = opened(dir, STORE_READONLY);
    assert_true(kv_get(reader, SPAN("a"), &value));
    assert_span_is(value, "2");
    store_close(reader);
    store_close(s);
}

static void shell(const char *fmt, const char *arg)
{
    char command[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(command, sizeof command, fmt, arg);
#pragma GCC diagnostic pop
    assert_int_equal(system(command), 0);
}

TEST(another_schema_version)
{
    struct store *s = opened(dir, STORE_CREATE);
    set(s, "version", "4");
    committed(s);
    store_close(s);
    refused(STORE_OPEN, EXIT_INCOMPATIBLE, "schema version 4, not 3");
    refused(STORE_READONLY, EXIT_INCOMPATIBLE, "schema version 4, not 3");
}

TEST(a_schema_from_before_versions)
{
    struct store *s = opened(dir, STORE_CREATE);
    set(s, "initialized", "true");
    committed(s);
    store_close(s);
    refused(STORE_OPEN, EXIT_INCOMPATIBLE, "schema version 0, not 3");
}

TEST(a_file_that_is_something_else)
{
    shell("head -c 100000 /dev/zero | tr '\\0' 'x' > %s", path);
    refused(STORE_OPEN, EXIT_INCOMPATIBLE, "not a SQLite file");
    refused(STORE_READONLY, EXIT_INCOMPATIBLE, "not a SQLite file");
    refused(STORE_CREATE, EXIT_INCOMPATIBLE, "not a SQLite file");
    shell("echo hello > %s", path);
    refused(STORE_OPEN, EXIT_INCOMPATIBLE, "not a SQLite file");
}

TEST(a_file_cut_short)
{
    struct store *s = opened(dir, STORE_CREATE);
    char key[16];
    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        set(s, key, "a value of some length, to fill pages");
    }
    committed(s);
    store_close(s);
    shell("truncate -s 20480 %s", path);
    refused(STORE_OPEN, EXIT_INTEGRITY, "malformed");
    shell("truncate -s 50 %s", path);
    refused(STORE_OPEN, EXIT_INTEGRITY, "malformed");
    shell("truncate -s 10 %s", path);
    refused(STORE_OPEN, EXIT_INCOMPATIBLE, "not a SQLite file");
}

/* What we remember of the file is worthless then: the block is given up. */
TEST(another_program_wrote_to_it)
{
    struct store *s = opened(dir, STORE_CREATE);
    struct err e = { 0 };
    set(s, "a", "1");
    committed(s);
    /* As upstream would: it knows nothing of our lock. */
    shell("sqlite3 %s \"INSERT INTO kvStore VALUES ('b', '1')\"", path);
    set(s, "a", "2");
    assert_int_equal(store_commit(s, &e), -1);
    assert_int_equal(e.exit, EXIT_BUSY);
    assert_non_null(strstr(e.text, "another program wrote"));
    store_close(s);
}

/* The cache lets go of what it need not hold, and loses nothing. */
TEST(more_than_the_cache_holds)
{
    enum { KEYS = 300, BYTES = 500000 };
    struct store *s = opened(dir, STORE_CREATE);
    char *text = malloc(BYTES), key[16];
    memset(text, 'x', BYTES);
    for (int i = 0; i < KEYS; i++) {
        store_start_crank(s);
        store_savepoint(s, SAVEPOINT_START);
        snprintf(key, sizeof key, "k%d", i);
        snprintf(text, 16, "%d", i);
        kv_set(s, span_of(key), (struct span){ text, BYTES }); /* ends at a NUL early on */
        store_end_crank(s);
    }
    committed(s);
    for (int i = 0; i < KEYS; i++) {
        struct span value;
        store_start_crank(s);
        snprintf(key, sizeof key, "k%d", i);
        snprintf(text, 16, "%d", i);
        assert_true(kv_get(s, span_of(key), &value));
        assert_int_equal(value.n, BYTES);
        assert_string_equal(value.p, text);
        store_end_crank(s);
    }
    free(text);
    store_close(s);
}

#define ON_DISK(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_of_an_empty_kernel),
        cmocka_unit_test(the_hash_of_one_write),
        cmocka_unit_test(a_long_value_is_hashed_whole),
        ON_DISK(halves_of_surrogate_pairs),
        ON_DISK(a_copy_is_as_if_each_key_were_read_and_set),
        ON_DISK(what_was_committed_comes_back),
        ON_DISK(a_missing_store),
        ON_DISK(an_interrupted_creation_can_be_repeated),
        ON_DISK(a_second_writer_waits_outside),
        ON_DISK(a_reader_sees_one_commit),
        ON_DISK(another_schema_version),
        ON_DISK(a_schema_from_before_versions),
        ON_DISK(a_file_that_is_something_else),
        ON_DISK(a_file_cut_short),
        ON_DISK(another_program_wrote_to_it),
        ON_DISK(more_than_the_cache_holds),
    };
    return cmocka_run_group_tests_name("store: opening and hashes", tests, NULL, NULL);
}
