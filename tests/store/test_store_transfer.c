/* test_store_transfer.c -- export, import, repair, and telling of changes: what can be seen
 * without another swing-store (tests/store/transfer.mjs and retain.mjs compare with one). */
#include "lib/bundles.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/bundle.h"
#include "store/export_dir.h"
#include "store/file.h"
#include "store/kv.h"
#include "store/snapshot.h"
#include "store/transcript.h"

#define V(lit) SPAN(lit)

static char top[64];

static int make_top(void **state)
{
    (void)state;
    strcpy(top, "/tmp/zygote-transfer-XXXXXX");
    return mkdtemp(top) == NULL ? -1 : 0;
}

static int remove_top(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", top);
    return system(command);
}

/* Good until the eighth call after. */
static const char *at(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *p = paths[next++ % 8];
    snprintf(p, sizeof paths[0], "%s/%s", top, name);
    return p;
}

static bool is_there(const char *name)
{
    struct stat st;
    return lstat(at(name), &st) == 0;
}

static void good(int rc, const struct err *e)
{
    if (rc != 0) fail_msg("%s", e->text);
}

static void refused(int rc, const struct err *e, enum exit_code code, const char *says)
{
    assert_int_equal(rc, -1);
    if (strstr(e->text, says) == NULL) fail_msg("'%s' does not say '%s'", e->text, says);
    assert_int_equal(e->exit, code);
}

/* -- a store with something of everything -------------------------------------------- */

static void save(struct store *s, struct span vat, uint64_t position, struct span bytes)
{
    struct snapshot_writer *w = snapshot_begin(s);
    snapshot_write(w, bytes);
    snapshot_finish(w, vat, position, NULL);
}

static void grow(struct store *s, struct span vat)
{
    for (int i = 0; i < 3; i++) transcript_add(s, vat, SPAN("{\"d\":[\"message\"]}"));
    struct transcript_bounds b;
    assert_true(transcript_bounds(s, vat, &b));
    save(s, vat, b.end, vat);
    transcript_rollover(s, vat);
}

static void fill(struct store *s)
{
    char crank[SHA256_HEX + 1], activity[SHA256_HEX + 1];
    struct err e;
    store_start_crank(s);
    store_savepoint(s, SAVEPOINT_START);
    kv_set(s, SPAN("version"), SPAN("3"));
    kv_set(s, SPAN("gone"), SPAN("1"));
    kv_set(s, SPAN("local.stats"), SPAN("{}"));
    transcript_init(s, V("v1"));
    transcript_init(s, V("v2"));
    grow(s, V("v1"));
    grow(s, V("v2"));
    store_savepoint(s, SAVEPOINT_DELIVER);
    kv_set(s, SPAN("undone"), SPAN("1"));
    grow(s, V("v1"));
    transcript_stop(s, V("v2"));
    store_rollback(s, SAVEPOINT_DELIVER);
    kv_delete(s, SPAN("gone"));
    grow(s, V("v1"));
    transcript_add(s, V("v2"), SPAN("{\"d\":[\"bringOutYourDead\"]}"));
    transcript_rollover_incarnation(s, V("v2"));
    snapshot_stop(s, V("v2"));
    transcript_add(s, V("v2"), SPAN("{}"));
    store_emit_hashes(s, crank, activity);
    store_end_crank(s);
    kv_host_set(s, SPAN("host.height"), SPAN("12"));
    struct sample m;
    struct span id;
    make_sample(&m, false);
    good(bundle_add(s, buf_span(&m.json), &id, &e), &e);
    free_sample(&m);
    good(bundle_add(s, SPAN("{\"moduleFormat\":\"nestedEvaluate\",\"source\":\"1\"}"), &id, &e),
         &e);
}

static void make(const char *name, const struct store_options *o, bool fork)
{
    struct store *s;
    struct err e;
    good(store_open_with(at(name), STORE_CREATE, o, &s, &e), &e);
    fill(s);
    if (fork) {
        snapshot_share(s);
        transcript_init(s, V("v3"));
        snapshot_clone(s, V("v1"), V("v3"));
        transcript_add(s, V("v3"), SPAN("{\"d\":[\"load-snapshot\"]}"));
    }
    good(store_commit(s, &e), &e);
    store_close(s);
}

static struct store *look(const char *name)
{
    struct store *s;
    struct err e;
    good(store_open(at(name), STORE_READONLY, &s, &e), &e);
    return s;
}

/* -- all of an export, as text ---------------------------------------------------------- */

struct text {
    struct store *store;
    struct buf out;
};

static int put_record(void *ctx, struct span key, struct span value, struct err *e)
{
    (void)e;
    buf_printf(ctx, "%.*s = %.*s\n", SPAN_ARG(key), SPAN_ARG(value));
    return 0;
}

static int put_bytes(void *ctx, struct span bytes, struct err *e)
{
    (void)e;
    buf_put(ctx, bytes);
    return 0;
}

static int put_artifact(void *ctx, struct span name, struct err *e)
{
    struct text *t = ctx;
    buf_put(&t->out, name);
    buf_putc(&t->out, '\n');
    return store_export_artifact(t->store, name, put_bytes, &t->out, e);
}

static struct buf whole(const char *name, enum artifact_mode mode)
{
    struct text t = { .store = look(name) };
    struct err e;
    good(store_export_data(t.store, put_record, &t.out, &e), &e);
    good(store_export_names(t.store, mode, put_artifact, &t, &e), &e);
    store_close(t.store);
    return t.out;
}

static void same(const char *a, const char *b, enum artifact_mode mode)
{
    struct buf one = whole(a, mode), other = whole(b, mode);
    assert_true(one.n > 1000);
    assert_span(buf_span(&other), buf_span(&one));
    buf_fini(&one);
    buf_fini(&other);
}

static int export_to(const char *name, const char *dir, enum artifact_mode mode, struct err *e)
{
    struct store *s = look(name);
    struct export_counts n;
    int rc = export_dir(s, at(dir), mode, NULL, NULL, &n, e);
    store_close(s);
    return rc;
}

static int import_to(const char *dir, const char *name, struct err *e)
{
    struct export_counts n;
    return import_dir(at(dir), at(name), NULL, NULL, NULL, &n, e);
}

/* -- there and back ---------------------------------------------------------------------- */

static void there_and_back(bool fork, enum artifact_mode mode)
{
    struct store_options keep = { .keep_snapshots = true };
    struct err e;
    make("from", &keep, fork);
    good(export_to("from", "out", mode, &e), &e);
    good(import_to("out", "to", &e), &e);
    same("from", "to", mode);
    refused(export_to("from", "out", mode, &e), &e, EXIT_FAILED, "out");
    refused(import_to("out", "to", &e), &e, EXIT_FAILED, "there is a store already");
    struct store *s = look("to");
    struct span height;
    assert_true(kv_get(s, SPAN("host.height"), &height));
    assert_span_is(height, "12");
    assert_false(kv_get(s, SPAN("local.stats"), NULL));
    store_close(s);
}

TEST(an_operational_export_makes_the_store_again)
{
    there_and_back(false, ARTIFACTS_OPERATIONAL);
}

TEST(a_replay_export_makes_the_store_again)
{
    there_and_back(false, ARTIFACTS_REPLAY);
}

TEST(an_archival_export_makes_the_store_again)
{
    there_and_back(false, ARTIFACTS_ARCHIVAL);
}

TEST(a_debug_export_makes_the_store_again)
{
    there_and_back(false, ARTIFACTS_DEBUG);
}

TEST(forks_come_back_as_vats_with_a_snapshot_each)
{
    there_and_back(true, ARTIFACTS_DEBUG);
    sqlite3 *db;
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_open(at("to/swingstore.sqlite"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT (SELECT count(*) FROM sqlite_master WHERE"
                                            " type IN ('view', 'trigger')),"
                                            " (SELECT count(*) FROM snapshots"
                                            "  WHERE compressedSnapshot IS NOT NULL)",
                                        -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(st, 0), 0);
    assert_int_equal(sqlite3_column_int(st, 1), 4); /* v1 twice, v2, v3 */
    sqlite3_finalize(st);
    sqlite3_close(db);
}

TEST(what_was_pruned_is_missed)
{
    struct store_options prune = { .prune_transcripts = true };
    struct err e;
    make("from", &prune, false);
    refused(export_to("from", "out", ARTIFACTS_REPLAY, &e), &e, EXIT_NOT_FOUND, "v1");
    refused(export_to("from", "out", ARTIFACTS_ARCHIVAL, &e), &e, EXIT_NOT_FOUND, "v1");
    assert_false(is_there("out"));
    good(export_to("from", "out", ARTIFACTS_DEBUG, &e), &e);
    struct store *s = look("from");
    struct buf ignored = { 0 };
    refused(store_export_artifact(s, SPAN("transcript.v1.0.3"), put_bytes, &ignored, &e), &e,
            EXIT_NOT_FOUND, "pruned");
    refused(store_export_artifact(s, SPAN("snapshot.v1.3"), put_bytes, &ignored, &e), &e,
            EXIT_NOT_FOUND, "pruned");
    refused(store_export_artifact(s, SPAN("snapshot.v9.3"), put_bytes, &ignored, &e), &e,
            EXIT_NOT_FOUND, "there is none");
    refused(store_export_artifact(s, SPAN("transcript.v1.0.4"), put_bytes, &ignored, &e), &e,
            EXIT_NOT_FOUND, "there is none");
    refused(store_export_artifact(s, SPAN("heap.v1"), put_bytes, &ignored, &e), &e, EXIT_USAGE,
            "no artifact's name");
    buf_fini(&ignored);
    store_close(s);
}

/* -- what the host is told ----------------------------------------------------------------- */

struct shadow {
    struct {
        struct span key, value;
    } at[64];
    size_t n;
    struct arena arena;
};

/* Keep a copy of the export data, as a host does. */
static void on_export(void *ctx, struct span key, struct span value)
{
    struct shadow *sh = ctx;
    size_t i = 0;
    while (i < sh->n && !span_eq(sh->at[i].key, key)) i++;
    if (value.p == NULL) {
        if (i < sh->n) sh->at[i] = sh->at[--sh->n];
        return;
    }
    if (i == sh->n) {
        assert_in_range(i, 0, 63);
        sh->at[sh->n++].key = arena_copy(&sh->arena, key);
    }
    sh->at[i].value = arena_copy(&sh->arena, value);
}

static int check_shadow(void *ctx, struct span key, struct span value, struct err *e)
{
    struct shadow *sh = ctx;
    (void)e;
    for (size_t i = 0; i < sh->n; i++) {
        if (!span_eq(sh->at[i].key, key)) continue;
        assert_span(sh->at[i].value, value);
        sh->at[i] = sh->at[--sh->n];
        return 0;
    }
    fail_msg("the host was not told of %.*s", SPAN_ARG(key));
    return -1;
}

TEST(what_the_host_is_told_adds_up_to_the_export_data)
{
    struct shadow sh = { 0 };
    arena_init(&sh.arena);
    struct store_options o = { .on_export = on_export, .export_ctx = &sh };
    struct err e;
    make("told", &o, true);
    struct store *s = look("told");
    assert_true(sh.n > 15);
    good(store_export_data(s, check_shadow, &sh, &e), &e);
    assert_int_equal(sh.n, 0);
    store_close(s);
    arena_fini(&sh.arena);
}

TEST(the_host_is_told_of_copies_and_changes)
{
    struct shadow sh = { 0 };
    arena_init(&sh.arena);
    struct store_options o = { .on_export = on_export, .export_ctx = &sh };
    struct err e;
    struct store *s;
    make("copied", &o, true);
    good(store_open_with(at("copied"), STORE_OPEN, &o, &s, &e), &e);
    store_start_crank(s);
    store_savepoint(s, SAVEPOINT_START);
    kv_set(s, SPAN("v8.vs.a"), SPAN("1"));
    kv_set(s, SPAN("v8.vs.b"), SPAN("2"));
    kv_copy(s, SPAN("v8.vs."), SPAN("v9.vs."));
    store_rollback(s, SAVEPOINT_START);
    kv_set(s, SPAN("v8.vs.a"), SPAN("3"));
    kv_copy(s, SPAN("v8.vs."), SPAN("v9.vs."));
    kv_set_as(s, SPAN("v9.list"), SPAN("[1,2,3]"), SPAN("add 3"));
    store_end_crank(s);
    good(store_commit(s, &e), &e);
    store_close(s);
    s = look("copied");
    good(store_export_data(s, check_shadow, &sh, &e), &e);
    assert_int_equal(sh.n, 0);
    store_close(s);
    arena_fini(&sh.arena);
}

/* -- bad input ------------------------------------------------------------------------------- */

#define H64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SPAN_OF_V1(start, end, current) \
    "{\"vatID\":\"v1\",\"startPos\":" start ",\"endPos\":" end ",\"hash\":\"" H64 \
    "\",\"isCurrent\":" current ",\"incarnation\":0}"

static const struct {
    const char *key, *value, *says;
} BAD[] = {
    { "kv.host.height", "1", "no export data" },
    { "heap.v1", "1", "unknown kind of record" },
    { "snapshot", "1", "unknown kind of record" },
    { "snapshot.v1.1.1", "1", "unknown kind of record" },
    { "transcript.v1", "1", "unknown kind of record" },
    { "bundle.b0.1", "b0.1", "unknown kind of record" },
    { "bundle.b0-1", "b0-2", "another bundle" },
    { "bundle.../x", "../x", "unknown kind of record" },
    { "bundle.a/b", "a/b", "no bundle ID" },
    { "snapshot..1", "{}", "no vat's ID" },
    { "snapshot./etc.1", "{}", "no vat's ID" },
    { "snapshot.v1.1", "", "" },
    { "snapshot.v1.1", "[]", "vatID" },
    { "snapshot.v1.1", "{\"vatID\":\"v2\"}", "vatID" },
    { "snapshot.v1.1", "{\"vatID\":\"v1\",\"snapPos\":1,\"inUse\":1}", "no hash" },
    { "snapshot.v1.1", "{\"vatID\":\"v1\",\"hash\":\"" H64 "\",\"inUse\":1}", "no snapPos" },
    { "snapshot.v1.1", "{\"vatID\":\"v1\",\"hash\":\"" H64 "\",\"snapPos\":1}", "no inUse" },
    { "snapshot.v1.1", "{\"vatID\":\"v1\",\"hash\":\"" H64 "\",\"snapPos\":2,\"inUse\":1}",
      "another position" },
    { "snapshot.v1.1", "{\"vatID\":\"v1\",\"hash\":\"" H64 "\",\"snapPos\":1,\"inUse\":2}",
      "no inUse" },
    { "snapshot.v1.1", "{\"vatID\":\"v1\",\"hash\":\"x" H64 "\",\"snapPos\":1,\"inUse\":1}",
      "no hash" },
    { "transcript.v1.0", SPAN_OF_V1("1", "2", "0"), "another position" },
    { "transcript.v1.01", SPAN_OF_V1("1", "2", "0"), "another position" },
    { "transcript.v1.1", SPAN_OF_V1("1", "2", "1"), "current" },
    { "transcript.v1.current", SPAN_OF_V1("1", "2", "0"), "current" },
    { "transcript.v1.3", SPAN_OF_V1("3", "2", "0"), "ends before it starts" },
    { "transcript.v1.0", SPAN_OF_V1("0", "1.5", "0"), "no endPos" },
    { "transcript.v1.0", SPAN_OF_V1("0", "-1", "0"), "no endPos" },
    { "transcript.v1.0", SPAN_OF_V1("0", "9007199254740993", "0"), "no endPos" },
};

TEST(a_bad_record_is_refused_and_nothing_is_left_behind)
{
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct importer *im;
        struct err e = { 0 };
        good(importer_begin(at("new/store"), ARTIFACTS_OPERATIONAL, &im, &e), &e);
        int rc = importer_record(im, span_of(BAD[i].key), span_of(BAD[i].value), &e);
        if (rc == 0) rc = importer_finish(im, NULL, &e);
        refused(rc, &e, EXIT_INTEGRITY, BAD[i].says);
        importer_abandon(im);
        assert_false(is_there("new/store"));
    }
}

TEST(an_import_that_is_abandoned_leaves_a_directory_that_was_there)
{
    struct importer *im;
    struct err e;
    assert_int_equal(mkdir(at("mine"), 0777), 0);
    good(importer_begin(at("mine"), ARTIFACTS_OPERATIONAL, &im, &e), &e);
    good(importer_record(im, SPAN("kv.a"), SPAN("1"), &e), &e);
    importer_abandon(im);
    assert_true(is_there("mine"));
    assert_int_equal(rmdir(at("mine")), 0);
}

TEST(a_record_that_comes_again_counts_as_it_came_last)
{
    struct importer *im;
    struct store *s;
    struct err e;
    struct span value;
    good(importer_begin(NULL, ARTIFACTS_OPERATIONAL, &im, &e), &e);
    good(importer_record(im, SPAN("kv.a"), SPAN("1"), &e), &e);
    good(importer_record(im, SPAN("kv.a"), SPAN("2"), &e), &e);
    good(importer_record(im, SPAN("kv.b"), SPAN("1"), &e), &e);
    good(importer_record(im, SPAN("kv.b"), SPAN_NONE, &e), &e);
    good(importer_record(im, SPAN("bundle.b0-1"), SPAN("b0-1"), &e), &e);
    good(importer_record(im, SPAN("bundle.b0-1"), SPAN_NONE, &e), &e);
    good(importer_finish(im, &s, &e), &e);
    assert_true(kv_get(s, SPAN("a"), &value));
    assert_span_is(value, "2");
    assert_false(kv_get(s, SPAN("b"), NULL));
    store_close(s);
}

/* -- repair ------------------------------------------------------------------------------------ */

static void damage(const char *name, const char *sql)
{
    sqlite3 *db;
    char path[300];
    snprintf(path, sizeof path, "%s/swingstore.sqlite", at(name));
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int mend(const char *name, const char *from, uint64_t *added, struct err *e)
{
    struct store *s;
    good(store_open(at(name), STORE_OPEN, &s, e), e);
    int rc = repair_from_dir(s, at(from), NULL, NULL, added, e);
    if (rc == 0) good(store_commit(s, e), e);
    store_close(s);
    return rc;
}

TEST(lost_records_are_put_back)
{
    struct err e;
    uint64_t added;
    make("from", NULL, false);
    good(export_to("from", "out", ARTIFACTS_ARCHIVAL, &e), &e);
    struct buf before = whole("from", ARTIFACTS_ARCHIVAL);
    damage("from", "DELETE FROM transcriptSpans WHERE isCurrent IS NULL AND vatID = 'v1';"
                   "DELETE FROM snapshots WHERE inUse IS NULL");
    good(mend("from", "out", &added, &e), &e);
    assert_int_equal(added, 4);
    struct buf after = whole("from", ARTIFACTS_ARCHIVAL);
    assert_span(buf_span(&after), buf_span(&before));
    damage("from", "UPDATE transcriptSpans SET endPos = 2 WHERE vatID = 'v1' AND startPos = 0");
    refused(mend("from", "out", &added, &e), &e, EXIT_INTEGRITY, "transcript.v1.0");
    buf_fini(&before);
    buf_fini(&after);
}

/* -- small things --------------------------------------------------------------------------------- */

TEST(file_names_stay_in_their_directory)
{
    static const char *const no[] = { "", ".", "..", ".x", "a/b", "/", "a b", "a\n", "\xc3\xa9" };
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_false(file_name_ok(span_of(no[i])));
    assert_true(file_name_ok(SPAN("transcript.v1.0.3")));
    char longest[300];
    memset(longest, 'a', sizeof longest);
    assert_true(file_name_ok((struct span){ longest, 255 }));
    assert_false(file_name_ok((struct span){ longest, 256 }));
    assert_false(file_name_ok((struct span){ "a\0b", 3 }));
}

TEST(modes_have_names)
{
    enum artifact_mode mode;
    assert_true(artifact_mode_parse(SPAN("replay"), &mode));
    assert_int_equal(mode, ARTIFACTS_REPLAY);
    assert_string_equal(artifact_mode_name(ARTIFACTS_DEBUG), "debug");
    assert_false(artifact_mode_parse(SPAN("Replay"), &mode));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_top, remove_top)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_operational_export_makes_the_store_again),
        CASE(a_replay_export_makes_the_store_again),
        CASE(an_archival_export_makes_the_store_again),
        CASE(a_debug_export_makes_the_store_again),
        CASE(forks_come_back_as_vats_with_a_snapshot_each),
        CASE(what_was_pruned_is_missed),
        CASE(what_the_host_is_told_adds_up_to_the_export_data),
        CASE(the_host_is_told_of_copies_and_changes),
        CASE(a_bad_record_is_refused_and_nothing_is_left_behind),
        CASE(an_import_that_is_abandoned_leaves_a_directory_that_was_there),
        CASE(a_record_that_comes_again_counts_as_it_came_last),
        CASE(lost_records_are_put_back),
        cmocka_unit_test(file_names_stay_in_their_directory),
        cmocka_unit_test(modes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
