/* test_api_slog.c -- zygote.h: the slog, and what a host writes into it. */
#include "fixture.h"

/* Each line is one object that ends with its times; returns how many have the type. */
static unsigned count_lines(const char *slog, const char *type)
{
    unsigned n = 0;
    double last = -1, time, monotime;
    for (const char *at = slog, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        const char *line = text_of("%.*s", end - at < 300 ? (int)(end - at) : 300, at);
        const char *tail = end - at < 80 ? at : end - 80;
        while (strncmp(tail, ",\"time\":", 8) != 0 && tail < end) tail++;
        assert_int_equal(sscanf(tail, ",\"time\":%lf,\"monotime\":%lf", &time, &monotime), 2);
        assert_true(time > 1.6e9 && monotime >= last && end[-1] == '}');
        last = monotime;
        n += strstr(line, text_of("{\"type\":\"%s\"", type)) == line;
    }
    return n;
}

TEST(every_event_is_a_line)
{
    struct host h;
    uint64_t cranks;
    size_t length;
    char path[300];
    (void)state;
    boot(&h);
    zygote_close(h.z);
    snprintf(path, sizeof path, "%s/slog", h.dir);
    h.keep_slog = true;
    h.options.slog_file = path;
    assert_ok(h.z, zygote_open(h.store, &h.options, &h.z));
    assert_int_equal(count_lines(h.slog, "kernel-init-start"), 1);
    assert_int_equal(count_lines(h.slog, "kernel-init-finish"), 1);
    assert_ok(h.z, zygote_queue_to_vat_root(h.z, "alice", "say", "[\"hello\"]", ZYGOTE_NONE, NULL));
    assert_ok(h.z, zygote_run(h.z, NULL, &cranks));
    assert_true(cranks > 1);
    assert_int_equal(count_lines(h.slog, "crank-start"), cranks);
    assert_int_equal(count_lines(h.slog, "crank-finish"), cranks);
    assert_int_equal(count_lines(h.slog, "deliver"), count_lines(h.slog, "deliver-result"));
    assert_true(count_lines(h.slog, "deliver") > 0);
    assert_non_null(strstr(h.slog, ",\"level\":\"warn\",\"args\":[\"hello\"],\"time\":"));
    assert_non_null(strstr(h.line, text_of("\"activityhash\":\"%s\"", h.activityhash)));

    char *file = read_file(path, &length); /* as far as the last crank */
    assert_string_equal(file, h.slog);
    free(file);
    assert_ok(h.z, zygote_write_slog_object(h.z, "{\"type\":\"end\"}"));
    zygote_close(h.z);
    assert_ok(h.z, zygote_open(h.store, &h.options, &h.z)); /* one file, appended to */
    file = read_file(path, &length);
    assert_string_equal(file, h.slog);
    free(file);
    host_free(&h);
}

/* What was written, without the times. */
static const char *written(struct host *h, const char *json)
{
    static char out[512];
    double time, monotime;
    int used;
    h->line[0] = '\0';
    assert_ok(h->z, zygote_write_slog_object(h->z, json));
    char *tail = strstr(h->line, ",\"time\":");
    assert_non_null(tail);
    assert_int_equal(sscanf(tail, ",\"time\":%lf,\"monotime\":%lf%n", &time, &monotime, &used), 2);
    assert_true(time > 1.6e9 && monotime >= 0 && monotime < 3600);
    snprintf(out, sizeof out, "%.*s%s", (int)(tail - h->line), h->line, tail + used);
    return out;
}

TEST(objects_of_the_host)
{
    struct host h;
    struct zygote *quiet;
    (void)state;
    boot(&h);
    assert_string_equal(written(&h, " { \"type\" : \"cosmic-swingset-begin-block\", \"blockHeight\": 7 } "),
                        "{\"type\":\"cosmic-swingset-begin-block\",\"blockHeight\":7}");
    /* as {type, ...props, ...timings} comes out of JSON.stringify */
    assert_string_equal(written(&h, "{\"b\":1.0,\"seconds\":0.5,\"a\":{\"@ref\":\"ko1\"},\"type\":\"t\",\"b\":[2]}"),
                        "{\"type\":\"t\",\"b\":[2],\"a\":{\"@ref\":\"ko1\"},\"seconds\":0.5}");
    assert_string_equal(written(&h, "{\"x\":1,\"10\":2,\"type\":\"t\",\"9\":3}"),
                        "{\"9\":3,\"10\":2,\"type\":\"t\",\"x\":1}");
    unsigned lines = h.lines;
    assert_fails(h.z, zygote_write_slog_object(h.z, NULL), ZYGOTE_MISUSE, "no object");
    assert_fails(h.z, zygote_write_slog_object(h.z, "{"), ZYGOTE_MISUSE, "not JSON");
    assert_fails(h.z, zygote_write_slog_object(h.z, "[]"), ZYGOTE_MISUSE, "not a JSON object");
    assert_fails(h.z, zygote_write_slog_object(h.z, "{\"a\":1}"), ZYGOTE_MISUSE, "type");
    assert_fails(h.z, zygote_write_slog_object(h.z, "{\"type\":1}"), ZYGOTE_MISUSE, "type");
    assert_fails(h.z, zygote_write_slog_object(h.z, "{\"type\":\"t\",\"time\":1}"), ZYGOTE_MISUSE, "time");
    assert_fails(h.z, zygote_write_slog_object(h.z, "{\"type\":\"t\",\"monotime\":1}"), ZYGOTE_MISUSE, "time");
    assert_int_equal(h.lines, lines);

    struct zygote_options look = { .read_only = true };
    assert_ok(quiet, zygote_open(h.store, &look, &quiet)); /* nobody asked for a slog */
    assert_ok(quiet, zygote_write_slog_object(quiet, "{\"type\":\"t\"}"));
    assert_fails(quiet, zygote_write_slog_object(quiet, "1"), ZYGOTE_MISUSE, "not a JSON object");
    zygote_close(quiet);
    look.slog_file = text_of("%s/none/slog", h.dir);
    assert_fails(quiet, zygote_open(h.store, &look, &quiet), ZYGOTE_FAILED, "none/slog");
    zygote_close(quiet);
    host_free(&h);
}

static unsigned warnings;

static void count_warning(void *self, const char *text, size_t length)
{
    (void)self;
    assert_non_null(memmem(text, length, "no more is logged there", 23));
    warnings++;
}

TEST(a_file_that_cannot_be_written)
{
    struct host h;
    (void)state;
    boot(&h);
    zygote_close(h.z);
    zygote_set_log(count_warning, NULL);
    h.options.slog_file = "/dev/full";
    assert_ok(h.z, zygote_open(h.store, &h.options, &h.z));
    assert_int_equal(warnings, 1);
    assert_string_equal(ask(h.z, "alice", "echo", "[1]"), "1");
    assert_string_equal(written(&h, "{\"type\":\"still\"}"), "{\"type\":\"still\"}"); /* by the function */
    assert_int_equal(warnings, 1);
    zygote_set_log(NULL, NULL);
    host_free(&h);
}

HOST_TESTS_MAIN(cmocka_unit_test(every_event_is_a_line),
                cmocka_unit_test(objects_of_the_host),
                cmocka_unit_test(a_file_that_cannot_be_written))
