#include "fixture.h"

char build[3000];

char *text_of(const char *fmt, ...)
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

void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

char *read_file(const char *path, size_t *length)
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

static void on_slog(void *self, const char *json, size_t length)
{
    struct host *h = self;
    assert_int_equal(strlen(json), length);
    h->lines++;
    snprintf(h->line, sizeof h->line, "%s", json);
    if (!h->keep_slog) return;
    h->slog = realloc(h->slog, h->slog_length + length + 2);
    assert_non_null(h->slog);
    h->slog_length += (size_t)sprintf(h->slog + h->slog_length, "%s\n", json);
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

char *config_text(const char *more)
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

struct zygote_options options_for(struct host *h)
{
    static char worker[4096], bundles[4096];
    snprintf(worker, sizeof worker, "%s/zygote-worker", build);
    snprintf(bundles, sizeof bundles, "%s/bundles", build);
    return (struct zygote_options){ .self = h,
                                    .console = on_console,
                                    .note = on_note,
                                    .crank = on_crank,
                                    .slog = on_slog,
                                    .export_data = on_export,
                                    .bridge_outbound = on_outbound,
                                    .command_broadcast = on_broadcast,
                                    .command_response = on_response,
                                    .worker = worker,
                                    .bundles = bundles };
}

void host_new(struct host *h)
{
    const char *tmp = getenv("TMPDIR");
    *h = (struct host){ .options = options_for(h) };
    snprintf(h->dir, sizeof h->dir, "%s/zygote-api-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(h->dir));
    snprintf(h->store, sizeof h->store, "%s/store", h->dir);
    snprintf(h->config, sizeof h->config, "%s/config.json", h->dir);
    write_file(h->config, config_text(""));
}

void host_free(struct host *h)
{
    zygote_close(h->z);
    free(h->slog);
    assert_int_equal(system(text_of("rm -rf '%s'", h->dir)), 0);
}

void assert_returned(struct zygote *z, int got, enum zygote_kind want, const char *text,
                            const char *file, int line)
{
    bool said = want == ZYGOTE_OK ? zygote_error(z)[0] == '\0'
                                  : strstr(zygote_error(z), text) != NULL;
    if (got == (int)want && zygote_error_kind(z) == want && said) return;
    print_error("returned %d (%d): \"%s\"; want %d: \"%s\"\n", got, (int)zygote_error_kind(z),
                zygote_error(z), (int)want, text);
    _fail(file, line);
}

/* -- a store ----------------------------------------------------------------------------- */

static char booted[256]; /* a directory with a store that has run its bootstrap */

int boot_once(void **state)
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

int unboot(void **state)
{
    (void)state;
    return system(text_of("rm -rf '%s'", booted));
}

/* Open a copy of that store. */
void boot(struct host *h)
{
    host_new(h);
    assert_int_equal(system(text_of("cp -R '%s/store' '%s/'", booted, h->dir)), 0);
    assert_ok(h->z, zygote_open(h->store, &h->options, &h->z));
}

void reopen(struct host *h)
{
    zygote_close(h->z);
    assert_ok(h->z, zygote_open(h->store, &h->options, &h->z));
}

/* What a promise came to, as JSON in a buffer of its own. */
const char *resolution(struct zygote *z, const char *kpid)
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

const char *ask(struct zygote *z, const char *vat, const char *method, const char *args)
{
    struct zygote_id kpid;
    assert_ok(z, zygote_queue_to_vat_root(z, vat, method, args, ZYGOTE_IGNORE, &kpid));
    assert_ok(z, zygote_run(z, NULL, NULL));
    return resolution(z, kpid.text);
}

struct zygote_id vat_id(struct zygote *z, const char *name)
{
    struct zygote_id id;
    assert_ok(z, zygote_vat_name_to_id(z, name, &id));
    return id;
}

void end_vat(struct zygote *z, const char *name)
{
    struct zygote_capdata *reason;
    assert_ok(z, zygote_capdata_from_json(
                     z, "{\"@error\":{\"name\":\"Error\",\"message\":\"over\"}}", &reason));
    assert_ok(z, zygote_terminate_vat(z, vat_id(z, name).text, reason));
    zygote_free(reason);
}

void queue_count(struct host *h, unsigned n)
{
    assert_ok(h->z, zygote_queue_to_vat_root(h->z, "alice", "count", text_of("[%u]", n),
                                             ZYGOTE_NONE, NULL));
}

/* -- a policy that counts ----------------------------------------------------------------- */

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

struct zygote_run_policy tally_policy(struct tally *t)
{
    return (struct zygote_run_policy){ t, t_allow, t_created, t_complete, t_failed, t_empty, t_cleaned };
}

/* -- a program of tests ------------------------------------------------------------------- */

int host_find(void)
{
    const char *given = getenv("BUILD");
    char *absolute = realpath(given != NULL ? given : "build", NULL);
    char *swingset = realpath("node_modules/@agoric/swingset-vat/src", NULL);
    int failed = absolute == NULL || swingset == NULL;
    if (failed) {
        fprintf(stderr, "to be run at the top of the repository, after a build\n");
    } else {
        snprintf(build, sizeof build, "%s", absolute);
        setenv("SWINGSET", swingset, 1);
        setenv("ZYGOTE_BUNDLER", text_of("%s/bundle-source.mjs", build), 1);
        setenv("ZYGOTE_CACHE", text_of("%s/test-cache", build), 0);
    }
    free(absolute);
    free(swingset);
    return failed;
}
