/* test_api.c -- zygote.h through its library: every function, and how each of them fails.
 *
 * Includes nothing of src/.  tests/host/interface.sh holds it against the header.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zygote.h"

#define TEST(name) static void name(void **state)

/* -- a store per test ------------------------------------------------------------------- */

struct host {
    char dir[256], store[300], config[300];
    struct zygote_options options;
    struct zygote *z;
    /* what the callbacks saw */
    char console[256], note[512], crankhash[65], activityhash[65];
    unsigned cranks, exports, broadcasts;
    uint64_t responded;
    bool rejected;
    char response[64], broadcast[64], outbound[64];
    int reentered; /* what a call from a callback returned */
};

static char build[3000];

static char *text_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *text_of(const char *fmt, ...)
{
    static char ring[8][4096];
    static unsigned at;
    char *out = ring[at++ % 8];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out, sizeof ring[0], fmt, ap);
    va_end(ap);
    return out;
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static char *read_file(const char *path, size_t *length)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *length = (size_t)ftell(f);
    rewind(f);
    char *text = malloc(*length + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, *length, f), *length);
    text[*length] = '\0';
    fclose(f);
    return text;
}

static void on_console(void *self, const char *vat, const char *level, const char *text,
                       size_t length)
{
    struct host *h = self;
    uint64_t ignored;
    snprintf(h->console, sizeof h->console, "%s %s %.*s", vat, level, (int)length, text);
    h->reentered = zygote_run(h->z, NULL, &ignored);
}

static void on_note(void *self, const char *text, size_t length)
{
    struct host *h = self;
    snprintf(h->note, sizeof h->note, "%.*s", (int)length, text);
}

static void on_crank(void *self, uint64_t number, const char *crankhash,
                     const char *activityhash)
{
    struct host *h = self;
    (void)number;
    h->cranks++;
    snprintf(h->crankhash, sizeof h->crankhash, "%s", crankhash);
    snprintf(h->activityhash, sizeof h->activityhash, "%s", activityhash);
}

static void on_export(void *self, const char *key, size_t key_length, const char *value,
                      size_t value_length)
{
    struct host *h = self;
    (void)value;
    (void)value_length;
    assert_true(key_length > 0 && key != NULL);
    h->exports++;
}

static int on_outbound(void *self, const char *device, const char *args, size_t length,
                       char **answer)
{
    struct host *h = self;
    snprintf(h->outbound, sizeof h->outbound, "%s %.*s", device, (int)length, args);
    if (strstr(args, "throw") != NULL) return 1;
    if (strstr(args, "nothing") != NULL) return 0;
    *answer = strdup("{\"yes\":[1]}");
    return 0;
}

static void on_broadcast(void *self, const char *device, const char *json, size_t length)
{
    struct host *h = self;
    snprintf(h->broadcast, sizeof h->broadcast, "%s %.*s", device, (int)length, json);
}

static void on_response(void *self, const char *device, uint64_t count, bool rejected,
                        const char *json, size_t length)
{
    struct host *h = self;
    h->responded = count;
    h->rejected = rejected;
    snprintf(h->response, sizeof h->response, "%s %.*s", device, (int)length, json);
}

static char *config_text(const char *more)
{
    return text_of("{ \"bootstrap\": \"alice\", \"pinBootstrapRoot\": true, %s\n"
                   "\"vats\": { \"alice\": { \"bundleName\": \"api\" },\n"
                   "  \"friend\": { \"bundleName\": \"api\", \"parameters\": { \"a\": 1 } },\n"
                   "  \"pinned\": { \"bundleName\": \"api\" },\n"
                   "  \"stranger\": { \"bundleName\": \"api\" },\n"
                   "  \"critical\": { \"bundleName\": \"api\",\n"
                   "    \"creationOptions\": { \"critical\": true } } },\n"
                   "\"bundles\": {\n"
                   "  \"api\": { \"bundleSpec\": \"%s/bundles/test-api.json\" },\n"
                   "  \"counter\": { \"bundleSpec\": \"%s/bundles/demo-counter.json\" } } }",
                   more, build, build);
}

static struct zygote_options options_for(struct host *h)
{
    static char worker[4096], bundles[4096];
    snprintf(worker, sizeof worker, "%s/zygote-worker", build);
    snprintf(bundles, sizeof bundles, "%s/bundles", build);
    return (struct zygote_options){ .self = h,
                                    .console = on_console,
                                    .note = on_note,
                                    .crank = on_crank,
                                    .export_data = on_export,
                                    .bridge_outbound = on_outbound,
                                    .command_broadcast = on_broadcast,
                                    .command_response = on_response,
                                    .worker = worker,
                                    .bundles = bundles };
}

static void host_new(struct host *h)
{
    const char *tmp = getenv("TMPDIR");
    *h = (struct host){ .options = options_for(h) };
    snprintf(h->dir, sizeof h->dir, "%s/zygote-api-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(h->dir));
    snprintf(h->store, sizeof h->store, "%s/store", h->dir);
    snprintf(h->config, sizeof h->config, "%s/config.json", h->dir);
    write_file(h->config, config_text(""));
}

static void host_free(struct host *h)
{
    zygote_close(h->z);
    assert_int_equal(system(text_of("rm -rf '%s'", h->dir)), 0);
}

#define assert_ok(z, call) assert_returned((z), (call), ZYGOTE_OK, "", __FILE__, __LINE__)
#define assert_fails(z, call, kind, text) \
    assert_returned((z), (call), (kind), (text), __FILE__, __LINE__)

static void assert_returned(struct zygote *z, int got, enum zygote_kind want, const char *text,
                            const char *file, int line)
{
    bool said = want == ZYGOTE_OK ? zygote_error(z)[0] == '\0'
                                  : strstr(zygote_error(z), text) != NULL;
    if (got == (int)want && zygote_error_kind(z) == want && said) return;
    print_error("returned %d (%d): \"%s\"; want %d: \"%s\"\n", got, (int)zygote_error_kind(z),
                zygote_error(z), (int)want, text);
    _fail(file, line);
}

static char booted[256]; /* a directory with a store that has run its bootstrap */

static int boot_once(void **state)
{
    struct host h;
    (void)state;
    host_new(&h);
    assert_ok(h.z, zygote_create(h.store, h.config, &h.options, &h.z));
    assert_ok(h.z, zygote_pin_vat_root(h.z, "pinned", NULL));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_ok(h.z, zygote_commit(h.z));
    zygote_close(h.z);
    snprintf(booted, sizeof booted, "%s", h.dir);
    return 0;
}

static int remove_booted(void **state)
{
    (void)state;
    return system(text_of("rm -rf '%s'", booted));
}

/* Open a copy of that store. */
static void boot(struct host *h)
{
    host_new(h);
    assert_int_equal(system(text_of("cp -R '%s/store' '%s/'", booted, h->dir)), 0);
    assert_ok(h->z, zygote_open(h->store, &h->options, &h->z));
}

static void reopen(struct host *h)
{
    zygote_close(h->z);
    assert_ok(h->z, zygote_open(h->store, &h->options, &h->z));
}

/* What a promise came to, as JSON in a buffer of its own. */
static const char *resolution(struct zygote *z, const char *kpid)
{
    struct zygote_capdata *data;
    char *json;
    assert_ok(z, zygote_kp_resolution(z, kpid, true, &data));
    assert_ok(z, zygote_capdata_to_json(z, data, &json));
    const char *out = text_of("%s", json);
    zygote_free(json);
    zygote_free(data);
    return out;
}

static const char *ask(struct zygote *z, const char *vat, const char *method, const char *args)
{
    struct zygote_id kpid;
    assert_ok(z, zygote_queue_to_vat_root(z, vat, method, args, ZYGOTE_IGNORE, &kpid));
    assert_ok(z, zygote_run(z, NULL, NULL));
    return resolution(z, kpid.text);
}

static struct zygote_id vat_id(struct zygote *z, const char *name)
{
    struct zygote_id id;
    assert_ok(z, zygote_vat_name_to_id(z, name, &id));
    return id;
}

static void end_vat(struct zygote *z, const char *name)
{
    struct zygote_capdata *reason;
    assert_ok(z, zygote_capdata_from_json(
                     z, "{\"@error\":{\"name\":\"Error\",\"message\":\"over\"}}", &reason));
    assert_ok(z, zygote_terminate_vat(z, vat_id(z, name).text, reason));
    zygote_free(reason);
}

/* -- opening ---------------------------------------------------------------------------- */

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

/* -- messages --------------------------------------------------------------------------- */

TEST(the_bootstrap_message)
{
    struct host h;
    struct zygote_id kpid, again;
    enum zygote_promise status;
    (void)state;
    host_new(&h);
    h.options.argc = 2;
    h.options.argv = (const char *const[]){ "one", "two" };
    assert_ok(h.z, zygote_create(h.store, h.config, &h.options, &h.z));
    assert_ok(h.z, zygote_bootstrap(h.z, &kpid));
    assert_ok(h.z, zygote_kp_status(h.z, kpid.text, &status));
    assert_int_equal(status, ZYGOTE_UNRESOLVED);
    assert_fails(h.z, zygote_kp_resolution(h.z, kpid.text, true, NULL), ZYGOTE_FAILED, "unresolved");
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_ok(h.z, zygote_kp_status(h.z, kpid.text, &status));
    assert_int_equal(status, ZYGOTE_FULFILLED);
    assert_string_equal(resolution(h.z, kpid.text), "\"ready\"");
    assert_ok(h.z, zygote_bootstrap(h.z, &again));
    assert_string_equal(again.text, "");
    assert_string_equal(ask(h.z, "alice", "incarnation", NULL),
                        "[1,{\"argv\":[\"one\",\"two\"]}]");
    host_free(&h);
}

TEST(values_go_in_and_come_out)
{
    static const char *const values[] = {
        "5", "-7.5", "\"text \\u0000 é\"", "[1,null,true]", "{\"a\":{\"b\":[]}}",
        "{\"@bigint\":\"-12\"}", "{\"@number\":\"NaN\"}", "{\"@undefined\":true}",
        "{\"@error\":{\"name\":\"TypeError\",\"message\":\"no\"}}", "{\"@@ref\":1}",
    };
    struct host h;
    struct zygote_capdata *data;
    char *json;
    (void)state;
    boot(&h);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_string_equal(ask(h.z, "alice", "echo", text_of("[%s]", values[i])), values[i]);
    }
    const char *box = ask(h.z, "alice", "makeBox", "[7]");
    char ko[32];
    assert_int_equal(sscanf(box, "{\"@ref\":\"%31[^\"]\",\"iface\":\"box\"}", ko), 1);
    assert_string_equal(ask(h.z, "alice", "echo", text_of("[{\"#slot\":\"%s\"}]", ko)), box);

    assert_ok(h.z, zygote_capdata_from_json(h.z, text_of("[{\"@ref\":\"%s\",\"iface\":\"box\"}, 1]", ko), &data));
    assert_int_equal(data->slot_count, 1);
    assert_string_equal(data->slots[0], ko);
    assert_int_equal(data->body_length, strlen(data->body));
    assert_ok(h.z, zygote_capdata_to_json(h.z, data, &json));
    assert_string_equal(json, text_of("[%s,1]", box));
    zygote_free(json);
    zygote_free(data);
    struct zygote_capdata bad = { "#[1", 3, 0, NULL };
    assert_fails(h.z, zygote_capdata_to_json(h.z, &bad, &json), ZYGOTE_FAILED, "does not decode");
    assert_fails(h.z, zygote_capdata_to_json(h.z, NULL, &json), ZYGOTE_MISUSE, "no capdata");
    assert_fails(h.z, zygote_capdata_from_json(h.z, "[1", &data), ZYGOTE_MISUSE, "not JSON");
    host_free(&h);
}

TEST(objects_and_promises_are_targets)
{
    struct host h;
    struct zygote_id box, later, reads, none;
    enum zygote_promise status;
    (void)state;
    boot(&h);
    /* a message to a promise waits for it */
    assert_ok(h.z, zygote_queue_to_vat_root(h.z, "alice", "later", NULL, ZYGOTE_IGNORE, &later));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_ok(h.z, zygote_kp_status(h.z, later.text, &status));
    assert_int_equal(status, ZYGOTE_UNRESOLVED);
    assert_ok(h.z, zygote_queue_to_vat_object(h.z, later.text, "read", NULL, ZYGOTE_IGNORE, &reads));
    assert_ok(h.z, zygote_queue_to_vat_root(h.z, "alice", "makeBox", "[\"in it\"]", ZYGOTE_IGNORE, &box));
    assert_ok(h.z, zygote_queue_to_vat_root(h.z, "alice", "settle",
                                            text_of("[{\"@ref\":\"%s\"}]", box.text),
                                            ZYGOTE_NONE, &none));
    assert_string_equal(none.text, "");
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_string_equal(resolution(h.z, reads.text), "\"in it\"");

    char ko[32];
    assert_int_equal(sscanf(resolution(h.z, box.text), "{\"@ref\":\"%31[^\"]\"", ko), 1);
    assert_ok(h.z, zygote_queue_to_vat_object(h.z, ko, "read", NULL, ZYGOTE_IGNORE, &reads));
    assert_ok(h.z, zygote_kp_register_interest(h.z, reads.text));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_string_equal(resolution(h.z, reads.text), "\"in it\""); /* held twice */
    assert_string_equal(resolution(h.z, reads.text), "\"in it\"");
    assert_fails(h.z, zygote_queue_to_vat_object(h.z, "ko9999", "x", NULL, ZYGOTE_IGNORE, &none),
                 ZYGOTE_NOT_FOUND, "ko9999");
    assert_fails(h.z, zygote_queue_to_vat_object(h.z, "kp9999", "x", NULL, ZYGOTE_IGNORE, &none),
                 ZYGOTE_NOT_FOUND, "kp9999");
    assert_fails(h.z, zygote_queue_to_vat_object(h.z, "alice", "x", NULL, ZYGOTE_IGNORE, &none),
                 ZYGOTE_MISUSE, "no object or promise");
    assert_fails(h.z, zygote_kp_register_interest(h.z, "kp9999"), ZYGOTE_NOT_FOUND, "kp9999");
    assert_fails(h.z, zygote_kp_resolution(h.z, "ko20", true, NULL), ZYGOTE_NOT_FOUND, "ko20");
    assert_ok(h.z, zygote_kp_status(h.z, "nonsense", &status));
    assert_int_equal(status, ZYGOTE_UNKNOWN);
    host_free(&h);
}

TEST(messages_that_are_not_sent)
{
    struct host h;
    struct zygote_id kpid = { "untouched" };
    (void)state;
    boot(&h);
    struct {
        const char *vat, *method, *args;
        int policy;
        enum zygote_kind kind;
        const char *text;
    } cases[] = {
        { "alcie", "echo", NULL, ZYGOTE_IGNORE, ZYGOTE_NOT_FOUND, "did you mean \"alice\"" },
        { NULL, "echo", NULL, ZYGOTE_IGNORE, ZYGOTE_MISUSE, "no vat" },
        { "stranger", "echo", NULL, ZYGOTE_IGNORE, ZYGOTE_NOT_FOUND, "root object of stranger" },
        { "alice", NULL, NULL, ZYGOTE_IGNORE, ZYGOTE_MISUSE, "no method" },
        { "alice", "echo", "[1", ZYGOTE_IGNORE, ZYGOTE_MISUSE, "args: not JSON" },
        { "alice", "echo", "{}", ZYGOTE_IGNORE, ZYGOTE_MISUSE, "not a JSON array" },
        { "alice", "echo", "[{\"@what\":1}]", ZYGOTE_IGNORE, ZYGOTE_MISUSE, "unknown form" },
        { "alice", "echo", "[{\"@ref\":\"ko9999\"}]", ZYGOTE_IGNORE, ZYGOTE_NOT_FOUND, "ko9999" },
        { "alice", "echo", NULL, 5, ZYGOTE_MISUSE, "no such result policy" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_fails(h.z, zygote_queue_to_vat_root(h.z, cases[i].vat, cases[i].method, cases[i].args,
                                                   (enum zygote_result_policy)cases[i].policy, &kpid),
                     cases[i].kind, cases[i].text);
    }
    assert_string_equal(kpid.text, "untouched");
    bool ran = true;
    assert_ok(h.z, zygote_step(h.z, &ran));
    assert_false(ran); /* none of them left anything behind */
    assert_string_equal(ask(h.z, "pinned", "echo", "[2]"), "2"); /* which nobody else holds */
    host_free(&h);
}

TEST(what_vats_and_the_kernel_say)
{
    struct host h;
    struct zygote_id kpid;
    (void)state;
    boot(&h);
    ask(h.z, "alice", "say", "[\"hello\"]");
    assert_string_equal(h.console, text_of("%s warn hello", vat_id(h.z, "alice").text));
    assert_int_equal(h.reentered, ZYGOTE_MISUSE);
    assert_ok(h.z, zygote_queue_to_vat_root(h.z, "alice", "fail", "[\"oops\"]", ZYGOTE_LOG_FAILURE, &kpid));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_non_null(strstr(h.note, "oops"));
    assert_string_equal(resolution(h.z, kpid.text),
                        "{\"@error\":{\"name\":\"TypeError\",\"message\":\"oops\"}}");
    host_free(&h);
}

/* -- running ---------------------------------------------------------------------------- */

struct tally {
    unsigned created, complete, failed, empty, cleaned, asked;
    uint64_t computrons;
    struct zygote_cleanup sum, budget;
    bool limited, exceeded;
};

static bool t_created(void *self, const struct zygote_crank *c)
{
    (void)c;
    ((struct tally *)self)->created++;
    return true;
}

static bool t_complete(void *self, const struct zygote_crank *c)
{
    struct tally *t = self;
    t->complete++;
    t->computrons += c->computrons;
    return true;
}

static bool t_failed(void *self, const struct zygote_crank *c)
{
    (void)c;
    ((struct tally *)self)->failed++;
    return true;
}

static bool t_empty(void *self)
{
    ((struct tally *)self)->empty++;
    return true;
}

static bool t_allow(void *self, struct zygote_cleanup *budget)
{
    struct tally *t = self;
    t->asked++;
    assert_true(budget->kv == ZYGOTE_UNLIMITED);
    if (t->limited) *budget = t->budget;
    return true;
}

static bool t_cleaned(void *self, const struct zygote_crank *c)
{
    struct tally *t = self;
    const struct zygote_cleanup *n = &c->cleaned, *b = &t->budget;
    t->cleaned++;
    t->sum.exports += n->exports;
    t->sum.imports += n->imports;
    t->sum.promises += n->promises;
    t->sum.kv += n->kv;
    t->sum.snapshots += n->snapshots;
    t->sum.transcripts += n->transcripts;
    if (n->exports > b->exports || n->imports > b->imports || n->promises > b->promises ||
        n->kv > b->kv || n->snapshots > b->snapshots || n->transcripts > b->transcripts) {
        t->exceeded = true;
    }
    return true;
}

static struct zygote_run_policy tally_policy(struct tally *t)
{
    return (struct zygote_run_policy){ t, t_allow, t_created, t_complete, t_failed, t_empty, t_cleaned };
}

static void queue_count(struct host *h, unsigned n)
{
    assert_ok(h->z, zygote_queue_to_vat_root(h->z, "alice", "count", text_of("[%u]", n),
                                             ZYGOTE_NONE, NULL));
}

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

TEST(terminating_a_vat)
{
    struct host h;
    struct zygote_id ignored, kid;
    struct zygote_capdata *reason;
    struct zygote_capdata bad = { "#{", 2, 0, NULL };
    (void)state;
    boot(&h);
    ask(h.z, "alice", "create", "[\"kid\"]");
    kid = vat_id(h.z, "kid");
    assert_ok(h.z, zygote_capdata_from_json(h.z, "[{\"@ref\":\"kid\"}]", &reason));
    assert_fails(h.z, zygote_terminate_vat(h.z, kid.text, reason), ZYGOTE_MISUSE, "references");
    zygote_free(reason);
    assert_fails(h.z, zygote_terminate_vat(h.z, kid.text, NULL), ZYGOTE_MISUSE, "no reason");
    assert_fails(h.z, zygote_terminate_vat(h.z, kid.text, &bad), ZYGOTE_MISUSE, "does not decode");
    assert_ok(h.z, zygote_capdata_from_json(h.z, "1", &reason));
    assert_fails(h.z, zygote_terminate_vat(h.z, "v999", reason), ZYGOTE_NOT_FOUND, "v999");
    assert_fails(h.z, zygote_terminate_vat(h.z, "kid", reason), ZYGOTE_NOT_FOUND, "no ID");
    zygote_free(reason);
    end_vat(h.z, "kid");
    assert_fails(h.z, zygote_vat_name_to_id(h.z, "kid", &ignored), ZYGOTE_NOT_FOUND, "no vat \"kid\"");
    assert_string_equal(ask(h.z, "alice", "doneOf", "[\"kid\"]"), "{\"reason\":\"over\"}");
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

/* -- what a host does to vats ----------------------------------------------------------- */

TEST(names)
{
    struct host h;
    struct zygote_id id, root;
    (void)state;
    boot(&h);
    assert_ok(h.z, zygote_vat_name_to_id(h.z, "alice", &id));
    assert_int_equal(id.text[0], 'v');
    assert_ok(h.z, zygote_device_name_to_id(h.z, "vatAdmin", &id));
    assert_int_equal(id.text[0], 'd');
    assert_fails(h.z, zygote_device_name_to_id(h.z, "toaster", &id), ZYGOTE_NOT_FOUND, "toaster");
    assert_fails(h.z, zygote_vat_name_to_id(h.z, NULL, &id), ZYGOTE_MISUSE, "no vat");
    assert_ok(h.z, zygote_pin_vat_root(h.z, "pinned", &root));
    assert_memory_equal(root.text, "ko", 2);
    assert_fails(h.z, zygote_pin_vat_root(h.z, "nobody", &root), ZYGOTE_NOT_FOUND, "nobody");
    host_free(&h);
}

TEST(upgrading_a_static_vat)
{
    struct host h;
    struct zygote_bundle_id id, again;
    struct zygote_id kpid;
    size_t length;
    (void)state;
    boot(&h);
    char *bundle = read_file(text_of("%s/bundles/test-api.json", build), &length);
    assert_ok(h.z, zygote_validate_and_install_bundle(h.z, bundle, length, NULL, &id));
    assert_memory_equal(id.text, "b1-", 3);
    assert_int_equal(strlen(id.text), 131);
    assert_ok(h.z, zygote_upgrade_static_vat(h.z, "friend", false, id.text,
                                             "{\"vatParameters\":{\"new\":true}}", &kpid));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_string_equal(resolution(h.z, kpid.text), "{\"incarnationNumber\":1}");
    assert_string_equal(ask(h.z, "friend", "incarnation", NULL), "[2,{\"new\":true}]");
    assert_fails(h.z, zygote_upgrade_static_vat(h.z, "nobody", false, id.text, NULL, NULL),
                 ZYGOTE_NOT_FOUND, "nobody");
    assert_fails(h.z, zygote_upgrade_static_vat(h.z, "friend", false, "b1-00", NULL, NULL),
                 ZYGOTE_NOT_FOUND, "b1-00");
    assert_fails(h.z, zygote_upgrade_static_vat(h.z, "friend", false, id.text, "[]", NULL),
                 ZYGOTE_MISUSE, "options");
    free(bundle);

    bundle = read_file(text_of("%s/bundles/demo-hello.json", build), &length);
    assert_fails(h.z, zygote_validate_and_install_bundle(h.z, bundle, length, id.text, &again),
                 ZYGOTE_INTEGRITY, "");
    assert_ok(h.z, zygote_validate_and_install_bundle(h.z, bundle, length, NULL, &again));
    assert_string_not_equal(id.text, again.text);
    assert_ok(h.z, zygote_validate_and_install_bundle(h.z, bundle, length, again.text, &id));
    assert_string_equal(id.text, again.text);
    assert_int_not_equal(zygote_validate_and_install_bundle(h.z, bundle, length / 2, NULL, &id), ZYGOTE_OK);
    assert_fails(h.z, zygote_validate_and_install_bundle(h.z, "{\"moduleFormat\":\"getExport\"}", 28, NULL, &id),
                 ZYGOTE_INCOMPATIBLE, "");
    assert_fails(h.z, zygote_validate_and_install_bundle(h.z, NULL, 0, NULL, &id), ZYGOTE_MISUSE, "no bundle");
    free(bundle);
    host_free(&h);
}

static uint64_t position_of(const struct zygote_position *all, size_t n, const char *vat)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(all[i].vat.text, vat) == 0) return all[i].position;
    }
    return 0;
}

TEST(reaping_and_snapshots)
{
    struct host h;
    struct zygote_position *first, *second, *third;
    struct zygote_id *saved, alice;
    size_t n, m, count;
    uint64_t cranks;
    (void)state;
    boot(&h);
    alice = vat_id(h.z, "alice");
    assert_ok(h.z, zygote_reap_all_vats(h.z, NULL, 0, &first, &n));
    assert_true(n >= 6);
    assert_ok(h.z, zygote_run(h.z, NULL, &cranks));
    assert_true(cranks >= n); /* each brought out its dead */
    assert_ok(h.z, zygote_reap_all_vats(h.z, first, n, &second, &m)); /* as they were told */
    assert_int_equal(m, n);
    assert_memory_equal(first, second, n * sizeof *first);
    assert_ok(h.z, zygote_run(h.z, NULL, &cranks));
    assert_int_equal(cranks, 0);
    ask(h.z, "alice", "echo", "[1]");
    assert_ok(h.z, zygote_reap_all_vats(h.z, second, m, &third, &m));
    assert_true(position_of(third, m, alice.text) > position_of(second, n, alice.text));
    assert_true(position_of(third, m, vat_id(h.z, "friend").text) ==
                position_of(second, n, vat_id(h.z, "friend").text));
    assert_ok(h.z, zygote_reap_all_vats(h.z, NULL, 0, NULL, NULL));
    struct zygote_position bad = { { "alice" }, 1 };
    assert_fails(h.z, zygote_reap_all_vats(h.z, &bad, 1, NULL, NULL), ZYGOTE_MISUSE, "position 0");
    zygote_free(first);
    zygote_free(second);
    zygote_free(third);

    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_ok(h.z, zygote_snapshot_all_vats(h.z, &saved, &count));
    assert_true(count >= 6 && saved[0].text[0] == 'v');
    zygote_free(saved);
    assert_ok(h.z, zygote_snapshot_all_vats(h.z, NULL, &count));
    assert_int_equal(count, 0); /* nothing happened since */
    host_free(&h);
}

TEST(options_of_a_kernel_that_runs)
{
    struct host h;
    struct zygote_kernel_options o = { 0 };
    uint64_t before, after;
    (void)state;
    boot(&h);
    queue_count(&h, 3);
    assert_ok(h.z, zygote_run(h.z, NULL, &before));
    o.default_reap_interval = ZYGOTE_NEVER;
    o.snapshot_interval = 1000;
    assert_ok(h.z, zygote_change_kernel_options(h.z, &o));
    ask(h.z, "alice", "create", "[\"kid\"]"); /* whose dead stay */
    o = (struct zygote_kernel_options){ .default_reap_interval = -2 };
    assert_fails(h.z, zygote_change_kernel_options(h.z, &o), ZYGOTE_MISUSE, "positive");
    o = (struct zygote_kernel_options){ .snapshot_interval = -1 };
    assert_fails(h.z, zygote_change_kernel_options(h.z, &o), ZYGOTE_MISUSE, "positive");
    assert_fails(h.z, zygote_change_kernel_options(h.z, NULL), ZYGOTE_MISUSE, "positive");
    struct tally t = { 0 };
    struct zygote_run_policy p = tally_policy(&t);
    assert_ok(h.z, zygote_queue_to_vat_root(h.z, "kid", "increment", "[1]", ZYGOTE_NONE, NULL));
    assert_ok(h.z, zygote_run(h.z, &p, &after));
    assert_int_equal(t.complete, 1); /* no bringOutYourDead behind it */

    assert_ok(h.z, zygote_inject_queued_upgrade_events(h.z)); /* there are none */
    assert_ok(h.z, zygote_run(h.z, NULL, &after));
    assert_int_equal(after, 0);
    host_free(&h);
}

/* -- forks ------------------------------------------------------------------------------ */

TEST(forks)
{
    struct host h;
    struct zygote_id child, there, kpid;
    char account[32];
    (void)state;
    boot(&h);
    ask(h.z, "alice", "create", "[\"kid\"]");
    ask(h.z, "kid", "increment", "[3]");
    assert_int_equal(sscanf(ask(h.z, "kid", "makeAccount", "[\"ann\"]"), "{\"@ref\":\"%31[^\"]\"", account), 1);
    const char *refs[] = { account };
    struct zygote_fork_options o = { "twin", 1, refs };
    assert_ok(h.z, zygote_fork(h.z, "kid", &o, &child));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_string_equal(vat_id(h.z, "twin").text, child.text);
    assert_string_equal(ask(h.z, "twin", "increment", "[1]"), "{\"heap\":4,\"stored\":4}");
    assert_string_equal(ask(h.z, "kid", "read", NULL), "{\"heap\":3,\"stored\":3}");
    assert_ok(h.z, zygote_counterpart(h.z, "kid", account, "twin", &there));
    assert_string_not_equal(there.text, account);
    assert_ok(h.z, zygote_queue_to_vat_object(h.z, there.text, "deposit", "[5]", ZYGOTE_IGNORE, &kpid));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_string_equal(resolution(h.z, kpid.text), "5");
    assert_fails(h.z, zygote_counterpart(h.z, "kid", "ko9999", "twin", &there), ZYGOTE_NOT_FOUND, "ko9999");
    assert_fails(h.z, zygote_counterpart(h.z, "kid", "what", "twin", &there), ZYGOTE_MISUSE, "what");

    assert_ok(h.z, zygote_zygotify(h.z, "kid"));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_fails(h.z, zygote_zygotify(h.z, "kid"), ZYGOTE_REFUSED, "zygote already");
    assert_ok(h.z, zygote_fork(h.z, "kid", NULL, &child));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_string_equal(ask(h.z, child.text, "read", NULL), "{\"heap\":3,\"stored\":3}");
    assert_fails(h.z, zygote_fork(h.z, "friend", NULL, &child), ZYGOTE_REFUSED, "");
    assert_fails(h.z, zygote_fork(h.z, "nobody", NULL, &child), ZYGOTE_NOT_FOUND, "nobody");
    refs[0] = "ko9999";
    assert_fails(h.z, zygote_fork(h.z, "twin", &o, &child), ZYGOTE_NOT_FOUND, "ko9999");
    host_free(&h);
}

/* -- devices ---------------------------------------------------------------------------- */

static char *device_line(const char *name)
{
    return text_of("\"%s\": { \"sourceSpec\": \"%s/devices/%s/device-%s.js\",\n"
                   "  \"parameters\": { \"senders\": [\"left\", \"right\"] } }",
                   name, getenv("SWINGSET"), name, name);
}

static void boot_with_devices(struct host *h)
{
    static const char *const names[] = { "timer", "mailbox", "bridge", "command", "loopbox" };
    char devices[8192] = "\"devices\": {";
    host_new(h);
    for (size_t i = 0; i < 5; i++) {
        strcat(devices, i > 0 ? ", " : " ");
        strcat(devices, device_line(names[i]));
    }
    strcat(devices, " },");
    write_file(h->config, config_text(devices));
    h->options.loopbox = 1;
    assert_ok(h->z, zygote_create(h->store, h->config, &h->options, &h->z));
    assert_ok(h->z, zygote_run(h->z, NULL, NULL));
}

TEST(devices_of_the_host)
{
    struct host h;
    uint64_t count = 77;
    bool flag = true;
    char *json;
    (void)state;
    boot_with_devices(&h);
    assert_ok(h.z, zygote_timer_poll(h.z, NULL, 1000, &flag));
    assert_false(flag); /* nobody has set an alarm */
    assert_fails(h.z, zygote_timer_poll(h.z, "timer", 999, &flag), ZYGOTE_FAILED, "");
    assert_fails(h.z, zygote_timer_poll(h.z, "clock", 1001, &flag), ZYGOTE_NOT_FOUND, "clock");
    assert_ok(h.z, zygote_loopbox_pass(h.z, NULL, &flag));
    assert_false(flag);
    assert_ok(h.z, zygote_mailbox_export(h.z, NULL, &json));
    assert_string_equal(json, "{}");
    zygote_free(json);
    assert_fails(h.z, zygote_mailbox_deliver(h.z, NULL, "peer", "[[1,\"x\"]]", "0"), ZYGOTE_FAILED, "");
    assert_fails(h.z, zygote_mailbox_deliver(h.z, NULL, "peer", "{}", "0"), ZYGOTE_MISUSE, "messages");
    assert_fails(h.z, zygote_mailbox_deliver(h.z, NULL, NULL, "[]", "0"), ZYGOTE_MISUSE, "no peer");

    assert_fails(h.z, zygote_bridge_inbound(h.z, NULL, "[1]"), ZYGOTE_FAILED, "no inbound handler");
    assert_fails(h.z, zygote_command_inbound(h.z, NULL, "1", &count), ZYGOTE_FAILED, "no inbound handler");
    assert_int_equal(count, 0);
    ask(h.z, "alice", "listen", NULL);
    assert_fails(h.z, zygote_bridge_inbound(h.z, NULL, "[1"), ZYGOTE_MISUSE, "not JSON");
    assert_fails(h.z, zygote_bridge_inbound(h.z, NULL, "1"), ZYGOTE_MISUSE, "array");
    assert_ok(h.z, zygote_bridge_inbound(h.z, "bridge", "[\"channel\",{\"a\":1}]"));
    assert_string_equal(ask(h.z, "alice", "heard", NULL), "[[\"channel\",{\"a\":1}]]");
    assert_string_equal(ask(h.z, "alice", "callOut", "[\"ask\",1]"), "{\"yes\":[1]}");
    assert_string_equal(h.outbound, "bridge [\"ask\",1]");
    assert_string_equal(ask(h.z, "alice", "callOut", "[\"nothing\"]"), "{\"@undefined\":true}");
    assert_non_null(strstr(ask(h.z, "alice", "callOut", "[\"throw\"]"), "@error"));

    assert_fails(h.z, zygote_command_inbound(h.z, NULL, "{", &count), ZYGOTE_MISUSE, "not JSON");
    assert_ok(h.z, zygote_command_inbound(h.z, NULL, "\"bad\"", &count));
    assert_int_equal(count, 1);
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_true(h.responded == 1 && h.rejected);
    assert_string_equal(h.response, "command {\"re\":\"bad\"}");
    assert_string_equal(h.broadcast, "command {\"heard\":\"bad\"}");
    host_free(&h);
}

int main(void)
{
    const char *given = getenv("BUILD");
    char *absolute = realpath(given != NULL ? given : "build", NULL);
    char *swingset = realpath("node_modules/@agoric/swingset-vat/src", NULL);
    if (absolute == NULL || swingset == NULL) {
        fprintf(stderr, "test_api: to be run at the top of the repository, after a build\n");
        return 1;
    }
    snprintf(build, sizeof build, "%s", absolute);
    setenv("SWINGSET", swingset, 1);
    setenv("ZYGOTE_BUNDLER", text_of("%s/bundle-source.mjs", build), 1);
    setenv("ZYGOTE_CACHE", text_of("%s/test-cache", build), 0);
    free(absolute);
    free(swingset);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handles_of_stores_that_are_not_there),
        cmocka_unit_test(making_a_store_or_nothing),
        cmocka_unit_test(one_writer_many_readers),
        cmocka_unit_test(warnings_go_where_they_are_wanted),
        cmocka_unit_test(the_bootstrap_message),
        cmocka_unit_test(values_go_in_and_come_out),
        cmocka_unit_test(objects_and_promises_are_targets),
        cmocka_unit_test(messages_that_are_not_sent),
        cmocka_unit_test(what_vats_and_the_kernel_say),
        cmocka_unit_test(each_crank_is_told_once),
        cmocka_unit_test(a_policy_stops_the_run),
        cmocka_unit_test(cleanup_keeps_to_its_budget),
        cmocka_unit_test(cleanup_can_wait),
        cmocka_unit_test(terminating_a_vat),
        cmocka_unit_test(a_critical_vat_that_is_terminated),
        cmocka_unit_test(a_result_that_must_not_be_rejected),
        cmocka_unit_test(names),
        cmocka_unit_test(upgrading_a_static_vat),
        cmocka_unit_test(reaping_and_snapshots),
        cmocka_unit_test(options_of_a_kernel_that_runs),
        cmocka_unit_test(forks),
        cmocka_unit_test(devices_of_the_host),
    };
    return cmocka_run_group_tests(tests, boot_once, remove_booted);
}
