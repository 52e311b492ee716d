/* test_api_run.c -- zygote.h: running by policies, cleanup, panics. */
#include "fixture.h"

TEST(each_crank_is_told_once)
{
    struct host h;
    struct tally t = { 0 };
    uint64_t cranks;
    (void)state;
    boot(&h);
    struct zygote_run_policy p = tally_policy(&t);
    h.cranks = 0;
    queue_count(&h, 5);
    assert_ok(h.z, zygote_queue_to_vat_root(h.z, "alice", "create", "[\"kid\"]", ZYGOTE_NONE, NULL));
    assert_ok(h.z, zygote_run(h.z, &p, &cranks));
    assert_int_equal(t.created, 1);
    assert_true(t.complete >= 7 && t.empty > 0 && t.computrons > 0);
    assert_int_equal(t.failed + t.cleaned, 0);
    assert_int_equal(t.created + t.complete + t.empty, cranks);
    assert_int_equal(h.cranks, cranks);
    assert_ok(h.z, zygote_run(h.z, &p, &cranks));
    assert_int_equal(cranks, 0);
    host_free(&h);
}

TEST(a_policy_stops_the_run)
{
    struct host h;
    struct zygote_policy_state s;
    struct zygote_run_policy p;
    uint64_t cranks, total = 0;
    bool ran;
    (void)state;
    boot(&h);
    queue_count(&h, 10);
    p = zygote_policy_crank_count(&s, 3, 100, true);
    assert_ok(h.z, zygote_run(h.z, &p, &cranks));
    assert_int_equal(cranks, 3);
    assert_ok(h.z, zygote_step(h.z, &ran));
    assert_true(ran);
    p = zygote_policy_crank_count(&s, 2, 100, false); /* two deliveries, and what is between */
    assert_ok(h.z, zygote_run(h.z, &p, &cranks));
    assert_true(cranks >= 2 && s.count == 2);
    p = zygote_policy_wall_clock(&s, 0);
    assert_ok(h.z, zygote_run(h.z, &p, &cranks));
    assert_int_equal(cranks, 1);
    p = zygote_policy_computron_limit(&s, 1, 0);
    assert_ok(h.z, zygote_run(h.z, &p, &cranks));
    assert_true(cranks >= 1 && s.count >= 1);
    do { /* blocks of so many computrons, until one is not filled */
        p = zygote_policy_computron_limit(&s, 100000, 5);
        assert_ok(h.z, zygote_run(h.z, &p, &cranks));
        total++;
    } while (s.count >= 100000);
    assert_true(total > 1);
    p = zygote_policy_forever();
    assert_ok(h.z, zygote_run(h.z, &p, &cranks));
    assert_int_equal(cranks, 0);

    assert_ok(h.z, zygote_queue_to_vat_root(h.z, "alice", "create", "[\"kid\"]", ZYGOTE_NONE, NULL));
    p = zygote_policy_crank_count(&s, 1000, 1, false);
    assert_ok(h.z, zygote_run(h.z, &p, &cranks));
    assert_int_equal(s.vats_count, 1);
    p = zygote_policy_wall_clock(&s, 3600);
    assert_ok(h.z, zygote_run(h.z, &p, &cranks));
    assert_true(cranks > 0);
    assert_ok(h.z, zygote_step(h.z, &ran));
    assert_false(ran);
    host_free(&h);
}

/* -- termination and cleanup ------------------------------------------------------------ */

/* Rows of a vat's c-list, as the dump shows them: of one kind, "o+", "o-", "p". */
static unsigned rows_of(struct zygote *z, const char *vat, const char *kind)
{
    char *json;
    unsigned n = 0;
    char *wanted = text_of("\",\"%s\",\"%s", vat, kind);
    assert_ok(z, zygote_dump(z, &json));
    for (const char *at = json; (at = strstr(at, wanted)) != NULL; at++) n++;
    zygote_free(json);
    return n;
}

static void load_friend(struct host *h)
{
    boot(h);
    assert_string_equal(ask(h->z, "alice", "load", "[\"friend\",12]"), "12");
}

static void clean_friend(struct host *h, struct tally *t)
{
    struct zygote_run_policy p = tally_policy(t);
    load_friend(h);
    end_vat(h->z, "friend");
    assert_ok(h->z, zygote_run(h->z, &p, NULL));
    host_free(h);
}

TEST(cleanup_keeps_to_its_budget)
{
    struct host h;
    const uint64_t all = ZYGOTE_UNLIMITED;
    struct tally whole = { .budget = { all, all, all, all, all, all } };
    struct tally slow = { .limited = true, .budget = { 5, 4, 3, 7, 1, 1 } };
    unsigned exports, imports, promises;
    (void)state;
    load_friend(&h);
    struct zygote_id friend = vat_id(h.z, "friend");
    exports = rows_of(h.z, friend.text, "o+");
    imports = rows_of(h.z, friend.text, "o-");
    promises = rows_of(h.z, friend.text, "p");
    assert_true(exports > 12 && imports >= 12 && promises >= 12);
    host_free(&h);

    clean_friend(&h, &whole);
    clean_friend(&h, &slow);
    assert_true(whole.cleaned == 1 && slow.cleaned > 3 && slow.asked >= slow.cleaned);
    assert_false(slow.exceeded);
    assert_memory_equal(&whole.sum, &slow.sum, sizeof whole.sum);
    assert_int_equal(slow.sum.exports, exports);
    assert_int_equal(slow.sum.imports, imports);
    assert_true(slow.sum.promises <= promises && slow.sum.promises + 1 >= promises);
    assert_true(slow.sum.kv > 12 && slow.sum.transcripts > 0);
}

TEST(cleanup_can_wait)
{
    struct host h;
    struct zygote_policy_state s;
    struct zygote_run_policy p = zygote_policy_no_cleanup();
    struct zygote_id friend;
    unsigned before, between;
    (void)state;
    load_friend(&h);
    friend = vat_id(h.z, "friend");
    end_vat(h.z, "friend");
    before = rows_of(h.z, friend.text, "o+");
    assert_ok(h.z, zygote_run(h.z, &p, NULL));
    assert_int_equal(rows_of(h.z, friend.text, "o+"), before);
    p = zygote_policy_some_cleanup(&s, 3);
    assert_ok(h.z, zygote_run(h.z, &p, NULL));
    between = rows_of(h.z, friend.text, "o+");
    assert_int_equal(between, before - 3);
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_int_equal(rows_of(h.z, friend.text, "o+"), 0);
    host_free(&h);
}

/* -- panics ----------------------------------------------------------------------------- */

TEST(a_critical_vat_that_is_terminated)
{
    struct host h;
    struct zygote_capdata *reason;
    (void)state;
    boot(&h);
    assert_ok(h.z, zygote_capdata_from_json(h.z, "\"why\"", &reason));
    assert_fails(h.z, zygote_terminate_vat(h.z, vat_id(h.z, "critical").text, reason), ZYGOTE_VAT, "critical");
    zygote_free(reason);
    assert_fails(h.z, zygote_run(h.z, NULL, NULL), ZYGOTE_VAT, "critical");
    assert_fails(h.z, zygote_commit(h.z), ZYGOTE_VAT, "critical");
    reopen(&h);
    assert_string_equal(ask(h.z, "critical", "echo", "[1]"), "1"); /* none of it happened */
    host_free(&h);
}

TEST(a_result_that_must_not_be_rejected)
{
    struct host h;
    struct tally t = { 0 };
    uint64_t cranks = 99;
    char *json;
    (void)state;
    boot(&h);
    struct zygote_run_policy p = tally_policy(&t);
    assert_ok(h.z, zygote_queue_to_vat_root(h.z, "alice", "fail", "[\"no\"]", ZYGOTE_PANIC, NULL));
    assert_fails(h.z, zygote_run(h.z, &p, &cranks), ZYGOTE_VAT, "no");
    assert_int_equal(t.failed, 1);
    assert_true(cranks < 99);
    assert_fails(h.z, zygote_step(h.z, NULL), ZYGOTE_VAT, "no");
    assert_fails(h.z, zygote_reap_all_vats(h.z, NULL, 0, NULL, NULL), ZYGOTE_VAT, "no");
    assert_ok(h.z, zygote_get_stats(h.z, &json)); /* looking goes on */
    zygote_free(json);
    assert_ok(h.z, zygote_commit(h.z)); /* the cranks before it stand */
    host_free(&h);
}

HOST_TESTS_MAIN(cmocka_unit_test(each_crank_is_told_once),
                cmocka_unit_test(a_policy_stops_the_run),
                cmocka_unit_test(cleanup_keeps_to_its_budget),
                cmocka_unit_test(cleanup_can_wait),
                cmocka_unit_test(a_critical_vat_that_is_terminated),
                cmocka_unit_test(a_result_that_must_not_be_rejected))
