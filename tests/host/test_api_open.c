/* test_api_open.c -- zygote.h: opening, making, closing; who may. */
#include "fixture.h"

#include <pthread.h>
#include <unistd.h>

TEST(handles_of_stores_that_are_not_there)
{
    struct host h;
    struct zygote_id id;
    char hash[65];
    (void)state;
    host_new(&h);
    assert_string_equal(zygote_version(), ZYGOTE_VERSION);
    assert_false(zygote_exists(h.store));
    assert_false(zygote_exists(NULL));
    assert_fails(h.z, zygote_open(h.store, NULL, &h.z), ZYGOTE_NOT_FOUND, "no store there");
    assert_non_null(h.z);
    assert_fails(h.z, zygote_commit(h.z), ZYGOTE_MISUSE, "not open");
    assert_fails(h.z, zygote_bootstrap(h.z, &id), ZYGOTE_MISUSE, "not open");
    assert_fails(h.z, zygote_get_activityhash(h.z, hash), ZYGOTE_MISUSE, "not open");
    zygote_close(h.z);
    assert_fails(h.z, zygote_open(NULL, NULL, &h.z), ZYGOTE_MISUSE, "no directory");
    assert_int_equal(zygote_run(NULL, NULL, NULL), ZYGOTE_MISUSE);
    assert_int_equal(zygote_error_kind(NULL), ZYGOTE_MISUSE);
    zygote_close(NULL);
    zygote_free(NULL);
    host_free(&h);
}

TEST(making_a_store_or_nothing)
{
    struct host h;
    const char *none;
    (void)state;
    host_new(&h);
    none = text_of("%s/none.json", h.dir);
    assert_fails(h.z, zygote_create(h.store, none, &h.options, &h.z), ZYGOTE_NOT_FOUND, "none.json");
    zygote_close(h.z);
    assert_fails(h.z, zygote_create(h.store, NULL, &h.options, &h.z), ZYGOTE_MISUSE, "no config");
    zygote_close(h.z);
    write_file(h.config, "{ \"bootstrap\": ");
    assert_fails(h.z, zygote_create(h.store, h.config, &h.options, &h.z), ZYGOTE_MISUSE, "config.json");
    zygote_close(h.z);
    write_file(h.config, config_text("\"bogus\": 1,"));
    assert_fails(h.z, zygote_create(h.store, h.config, &h.options, &h.z), ZYGOTE_MISUSE, "bogus");
    zygote_close(h.z);
    assert_int_not_equal(access(h.store, F_OK), 0);

    write_file(h.config, config_text(""));
    h.options.read_only = true;
    assert_fails(h.z, zygote_create(h.store, h.config, &h.options, &h.z), ZYGOTE_MISUSE, "looking only");
    zygote_close(h.z);
    h.options.read_only = false;
    h.options.worker = "/nowhere/zygote-worker";
    assert_int_equal(zygote_create(h.store, h.config, &h.options, &h.z), ZYGOTE_FAILED);
    assert_non_null(strstr(zygote_error(h.z), "/nowhere/zygote-worker"));
    zygote_close(h.z);
    assert_true(zygote_exists(h.store)); /* made, but not to be opened */
    h.options = options_for(&h);
    assert_fails(h.z, zygote_create(h.store, h.config, &h.options, &h.z), ZYGOTE_FAILED, "already");
    zygote_close(h.z);
    assert_ok(h.z, zygote_open(h.store, &h.options, &h.z));
    host_free(&h);
}

static void *from_another_thread(void *z)
{
    static int result;
    result = zygote_commit(z);
    return &result;
}

TEST(one_writer_many_readers)
{
    struct host h;
    struct zygote *other;
    struct zygote_options look = { .read_only = true };
    struct zygote_id kpid;
    char before[65], after[65], *json;
    pthread_t thread;
    void *result;
    (void)state;
    boot(&h);
    assert_fails(other, zygote_open(h.store, &h.options, &other), ZYGOTE_BUSY, "");
    zygote_close(other);

    assert_ok(h.z, zygote_get_activityhash(h.z, before));
    assert_int_equal(strlen(before), 64);
    assert_string_equal(ask(h.z, "alice", "echo", "[1]"), "1");
    assert_int_equal(strlen(h.crankhash), 64);
    assert_true(h.exports > 0);
    assert_ok(h.z, zygote_get_activityhash(h.z, after));
    assert_string_not_equal(before, after);
    assert_int_equal(strlen(h.activityhash), 64);

    assert_ok(other, zygote_open(h.store, &look, &other)); /* sees the last commit */
    assert_ok(other, zygote_get_activityhash(other, after));
    assert_string_equal(before, after);
    assert_ok(other, zygote_dump(other, &json));
    assert_non_null(strstr(json, "\"kernelTable\""));
    zygote_free(json);
    assert_ok(other, zygote_get_status(other, &json));
    assert_non_null(strstr(json, "\"activeVats\":[]"));
    zygote_free(json);
    assert_fails(other, zygote_queue_to_vat_root(other, "alice", "echo", NULL, ZYGOTE_IGNORE, &kpid),
                 ZYGOTE_MISUSE, "looking only");
    assert_fails(other, zygote_commit(other), ZYGOTE_MISUSE, "looking only");
    zygote_close(other);

    pthread_create(&thread, NULL, from_another_thread, h.z);
    pthread_join(thread, &result);
    assert_int_equal(*(int *)result, ZYGOTE_MISUSE);

    reopen(&h); /* nothing was committed */
    assert_ok(h.z, zygote_get_activityhash(h.z, after));
    assert_string_equal(before, after);
    assert_string_equal(ask(h.z, "alice", "echo", "[1]"), "1");
    assert_ok(h.z, zygote_commit(h.z));
    reopen(&h);
    assert_ok(h.z, zygote_get_activityhash(h.z, after));
    assert_string_not_equal(before, after);
    assert_ok(h.z, zygote_get_stats(h.z, &json));
    assert_non_null(strstr(json, "\"clistEntries\""));
    zygote_free(json);
    host_free(&h);
}

static unsigned logged;

static void count_log(void *self, const char *text, size_t length)
{
    assert_ptr_equal(self, &logged);
    assert_non_null(memmem(text, length, "was open to others", 18));
    logged++;
}

TEST(warnings_go_where_they_are_wanted)
{
    struct host h;
    (void)state;
    host_new(&h);
    h.options.cache = text_of("%s/cache", h.dir);
    assert_int_equal(system(text_of("mkdir -m 755 '%s'", h.options.cache)), 0);
    zygote_set_log(count_log, &logged);
    assert_ok(h.z, zygote_create(h.store, h.config, &h.options, &h.z));
    zygote_set_log(NULL, NULL);
    assert_int_equal(logged, 1);
    host_free(&h);
}

HOST_TESTS_MAIN(cmocka_unit_test(handles_of_stores_that_are_not_there),
                cmocka_unit_test(making_a_store_or_nothing),
                cmocka_unit_test(one_writer_many_readers),
                cmocka_unit_test(warnings_go_where_they_are_wanted))
