/* test_store_rows.c -- transcripts and snapshots: the cases that have a name. */
#include "lib/unit.h"

#include <stdlib.h>

#include "base/buf.h"
#include "lib/rng.h"
#include "store/snapshot.h"
#include "store/transcript.h"

#define V(lit) SPAN(lit)

static struct store *fresh(void)
{
    struct store *s = NULL;
    struct err e = { 0 };
    if (store_open(NULL, STORE_CREATE, &s, &e) != 0) fail_msg("%s", e.text);
    return s;
}

/* -- transcripts ---------------------------------------------------------------- */

static void bounds_are(struct store *s, struct span vat, uint64_t start, uint64_t end,
                       uint64_t incarnation)
{
    struct transcript_bounds b;
    assert_true(transcript_bounds(s, vat, &b));
    assert_int_equal(b.start, start);
    assert_int_equal(b.end, end);
    assert_int_equal(b.incarnation, incarnation);
}

static bool append(void *ctx, uint64_t position, struct span item)
{
    buf_printf(ctx, "%u=%.*s ", (unsigned)position, SPAN_ARG(item));
    return true;
}

static void items_are(struct store *s, struct span vat, uint64_t from, uint64_t to,
                      const char *want)
{
    struct buf got = { 0 };
    transcript_read(s, vat, from, to, append, &got);
    assert_span_is(buf_span(&got), want);
    buf_fini(&got);
}

TEST(a_transcript_grows_in_spans)
{
    struct store *s = fresh();
    struct transcript_bounds b;
    assert_false(transcript_bounds(s, V("v1"), &b));
    transcript_init(s, V("v1"));
    assert_true(transcript_bounds(s, V("v1"), &b));
    char seed[SHA256_HEX + 1];
    sha256_hex(SPAN("start of transcript span"), seed);
    assert_string_equal(b.hash, seed);
    transcript_add(s, V("v1"), SPAN("one"));
    transcript_add(s, V("v1"), SPAN("two"));
    bounds_are(s, V("v1"), 0, 2, 0);
    transcript_rollover(s, V("v1"));
    bounds_are(s, V("v1"), 2, 2, 0);
    transcript_add(s, V("v1"), SPAN("three"));
    assert_int_equal(transcript_rollover_incarnation(s, V("v1")), 1);
    bounds_are(s, V("v1"), 3, 3, 1);
    transcript_add(s, V("v1"), SPAN("four"));
    items_are(s, V("v1"), 0, UINT64_MAX, "0=one 1=two 2=three 3=four ");
    items_are(s, V("v1"), 1, 3, "1=two 2=three ");
    items_are(s, V("v2"), 0, 9, "");
    transcript_stop(s, V("v1"));
    transcript_stop(s, V("v1"));
    assert_false(transcript_bounds(s, V("v1"), &b));
    store_close(s);
}

TEST(a_span_hash_is_a_chain)
{
    struct store *s = fresh();
    struct transcript_bounds b;
    char want[SHA256_HEX + 1], item[SHA256_HEX + 1];
    struct buf text = { 0 };
    transcript_init(s, V("v1"));
    sha256_hex(SPAN("start of transcript span"), want);
    for (int i = 0; i < 3; i++) {
        transcript_add(s, V("v1"), SPAN("{\"d\":[]}"));
        sha256_hex(SPAN("{\"d\":[]}"), item);
        buf_reset(&text);
        buf_printf(&text, "%s%s", want, item);
        sha256_hex(buf_span(&text), want);
    }
    assert_true(transcript_bounds(s, V("v1"), &b));
    assert_string_equal(b.hash, want);
    buf_fini(&text);
    store_close(s);
}

TEST(spans_are_deleted_newest_first)
{
    struct store *s = fresh();
    bool done = true;
    uint64_t gone;
    transcript_init(s, V("v1"));
    transcript_init(s, V("v10"));
    transcript_add(s, V("v10"), SPAN("other"));
    for (int i = 0; i < 3; i++) {
        transcript_add(s, V("v1"), SPAN("item"));
        if (i < 2) transcript_rollover(s, V("v1"));
    }
    transcript_delete(s, V("v1"), 1, &gone, &done);
    assert_int_equal(gone, 1);
    assert_false(done);
    items_are(s, V("v1"), 0, 9, "0=item 1=item ");
    transcript_delete(s, V("v1"), UINT64_MAX, &gone, &done);
    assert_int_equal(gone, 2);
    assert_true(done);
    transcript_delete(s, V("v1"), 5, &gone, &done);
    assert_int_equal(gone, 0);
    assert_true(done);
    items_are(s, V("v10"), 0, 9, "0=other ");
    transcript_init(s, V("v1"));
    store_close(s);
}

struct nested {
    struct store *s;
    unsigned n;
};

static bool read_again(void *ctx, uint64_t position, struct span item)
{
    struct nested *in = ctx;
    struct buf inner = { 0 };
    (void)position;
    assert_span_is(item, "a");
    transcript_read(in->s, V("v1"), 0, 9, append, &inner);
    assert_span_is(buf_span(&inner), "0=a 1=a ");
    buf_fini(&inner);
    return ++in->n < 2;
}

TEST(reading_while_reading)
{
    struct store *s = fresh();
    transcript_init(s, V("v1"));
    transcript_add(s, V("v1"), SPAN("a"));
    transcript_add(s, V("v1"), SPAN("a"));
    struct nested in = { s, 0 };
    transcript_read(s, V("v1"), 0, 9, read_again, &in);
    assert_int_equal(in.n, 2);
    store_close(s);
}

/* -- snapshots ------------------------------------------------------------------ */

static void save(struct store *s, struct span vat, uint64_t position, struct span body)
{
    struct snapshot_writer *w = snapshot_begin(s);
    struct snapshot_info info;
    size_t half = body.n / 2;
    snapshot_write(w, (struct span){ body.p, half });
    snapshot_write(w, span_from(body, half));
    snapshot_finish(w, vat, position, &info);
    char hash[SHA256_HEX + 1];
    sha256_hex(body, hash);
    assert_string_equal(info.hash, hash);
    assert_int_equal(info.raw_bytes, body.n);
    assert_int_equal(info.position, position);
    assert_true(info.packed_bytes > 0);
}

static int collect(void *ctx, struct span bytes, struct err *e)
{
    (void)e;
    buf_put(ctx, bytes);
    return 0;
}

static void loads(struct store *s, struct span vat, struct span body)
{
    struct snapshot_info info;
    struct err e = { 0 };
    struct buf got = { 0 };
    assert_true(snapshot_info(s, vat, &info));
    if (snapshot_read(s, info.hash, collect, &got, &e) != 0) fail_msg("%s", e.text);
    assert_true(span_eq(buf_span(&got), body));
    buf_fini(&got);
}

static bool is_there(struct store *s, struct span body)
{
    char hash[SHA256_HEX + 1];
    struct buf got = { 0 };
    struct err e = { 0 };
    sha256_hex(body, hash);
    int rc = snapshot_read(s, hash, collect, &got, &e);
    buf_fini(&got);
    if (rc != 0) assert_int_equal(e.exit, EXIT_NOT_FOUND);
    return rc == 0;
}

TEST(a_snapshot_in_use_at_a_time)
{
    struct store *s = fresh();
    struct snapshot_info info;
    assert_false(snapshot_info(s, V("v1"), &info));
    save(s, V("v1"), 3, SPAN("first"));
    save(s, V("v1"), 9, SPAN("second"));
    loads(s, V("v1"), SPAN("second"));
    assert_false(is_there(s, SPAN("first")));
    snapshot_stop(s, V("v1"));
    snapshot_stop(s, V("v1"));
    assert_false(snapshot_info(s, V("v1"), &info));
    bool done;
    uint64_t gone;
    snapshot_delete(s, V("v1"), 1, &gone, &done);
    assert_int_equal(gone, 1);
    assert_false(done);
    snapshot_delete(s, V("v1"), 5, &gone, &done);
    assert_int_equal(gone, 1);
    assert_true(done);
    store_close(s);
}

TEST(a_big_snapshot)
{
    enum { BYTES = 3000000 };
    struct store *s = fresh();
    struct rng r = rng_new(1);
    char *body = malloc(BYTES);
    rng_bytes(&r, body, BYTES); /* half of it noise, half compressible */
    memset(body, 7, BYTES / 2);
    save(s, V("v1"), 1, (struct span){ body, BYTES });
    loads(s, V("v1"), (struct span){ body, BYTES });
    free(body);
    struct snapshot_writer *w = snapshot_begin(s);
    snapshot_write(w, SPAN("never mind"));
    snapshot_abandon(w);
    store_close(s);
}

static int stop_at_once(void *ctx, struct span bytes, struct err *e)
{
    (void)ctx, (void)bytes;
    return err_set(e, EXIT_FAILED, "the reader went away");
}

TEST(a_sink_may_stop_the_reading)
{
    struct store *s = fresh();
    struct snapshot_info info;
    struct err e = { 0 };
    save(s, V("v1"), 1, SPAN("body"));
    assert_true(snapshot_info(s, V("v1"), &info));
    assert_int_equal(snapshot_read(s, info.hash, stop_at_once, NULL, &e), -1);
    assert_int_equal(e.exit, EXIT_FAILED);
    assert_non_null(strstr(e.text, "the reader went away"));
    store_close(s);
}

/* The parent goes; the children still start from its blob; the last one takes it along. */
static void family(struct store *s)
{
    struct snapshot_info info;
    bool done;
    uint64_t gone;
    save(s, V("v1"), 5, SPAN("the parent's heap"));
    save(s, V("v7"), 5, SPAN("the parent's heap")); /* by chance the same */
    snapshot_share(s);
    snapshot_share(s);
    loads(s, V("v1"), SPAN("the parent's heap"));
    snapshot_clone(s, V("v1"), V("v2"));
    snapshot_clone(s, V("v2"), V("v3"));
    assert_true(snapshot_info(s, V("v3"), &info));
    assert_int_equal(info.position, 0);
    assert_int_equal(snapshot_users(s, info.hash), 4);
    assert_true(snapshot_is_shared(s, info.hash));

    snapshot_stop(s, V("v7"));
    snapshot_stop(s, V("v1"));
    snapshot_delete(s, V("v1"), UINT64_MAX, &gone, &done);
    loads(s, V("v2"), SPAN("the parent's heap"));
    loads(s, V("v3"), SPAN("the parent's heap"));

    save(s, V("v2"), 4, SPAN("gone its own way"));
    loads(s, V("v3"), SPAN("the parent's heap"));
    assert_int_equal(snapshot_users(s, info.hash), 1);
    assert_false(snapshot_is_shared(s, info.hash));
    snapshot_delete(s, V("v3"), UINT64_MAX, &gone, &done);
    assert_false(is_there(s, SPAN("the parent's heap")));
    loads(s, V("v2"), SPAN("gone its own way"));
    /* Row 4 of v2 replaced by another body, and by the same one again. */
    save(s, V("v2"), 4, SPAN("and another"));
    save(s, V("v2"), 4, SPAN("and another"));
    loads(s, V("v2"), SPAN("and another"));
    assert_false(is_there(s, SPAN("gone its own way")));
}

TEST(blobs_go_with_their_last_vat)
{
    struct store *s = fresh();
    family(s);
    store_close(s);
}

TEST(sharing_is_undone_by_a_rollback)
{
    struct store *s = fresh();
    struct snapshot_info info;
    save(s, V("v1"), 5, SPAN("heap"));
    for (int i = 0; i < 2; i++) {
        store_start_crank(s);
        store_savepoint(s, SAVEPOINT_START);
        snapshot_share(s);
        snapshot_clone(s, V("v1"), V("v2"));
        assert_true(snapshot_info(s, V("v2"), &info));
        store_rollback(s, SAVEPOINT_START);
        assert_false(snapshot_info(s, V("v2"), &info));
        loads(s, V("v1"), SPAN("heap"));
        save(s, V("v1"), 6 + (uint64_t)i, SPAN("heap"));
        store_end_crank(s);
    }
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transcript_grows_in_spans),
        cmocka_unit_test(a_span_hash_is_a_chain),
        cmocka_unit_test(spans_are_deleted_newest_first),
        cmocka_unit_test(reading_while_reading),
        cmocka_unit_test(a_snapshot_in_use_at_a_time),
        cmocka_unit_test(a_big_snapshot),
        cmocka_unit_test(a_sink_may_stop_the_reading),
        cmocka_unit_test(blobs_go_with_their_last_vat),
        cmocka_unit_test(sharing_is_undone_by_a_rollback),
    };
    return cmocka_run_group_tests_name("store: rows", tests, NULL, NULL);
}
