/* run_scenario.c -- a scenario under our kernel.
 *
 * usage: run_scenario SCENARIO_DIR STORE_DIR [--stock PROGRAM]
 *                     [--steps FROM TO --state FILE] [--slog FILE] [--preload] > dump.json
 *
 *   --stock    drive this worker program, the stock xsnap-worker, instead of ours
 *   --steps    only these host calls, FROM and not TO; from another than the first the store
 *              is opened as another kernel left it.  What later calls need to know of
 *              earlier ones (names of promises) goes through FILE.
 *
 *   --slog     the kernel's log, one JSON object a line, without times
 *   --preload  bring vats online at start, as upstream does: the log tells of it
 *
 * README.md describes scenarios.  The dump has the shape of the oracle's: steps, cranks with
 * their hashes, and the tables of the store.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "conformance/run.h"
#include "host/file.h"
#include "host/paths.h"

struct arguments {
    const char *scenario, *store, *stock, *state, *slog;
    bool preload;
    size_t from, to;
};

void run_die(const struct err *e)
{
    fprintf(stderr, "run_scenario: %s\n", e->text);
    exit(e->exit);
}

/* -- opening and closing ---------------------------------------------------------------- */

static void on_crank(void *self, uint64_t number, struct span message, const char *crankhash,
                     const char *activityhash)
{
    struct run *r = self;
    struct jval v;
    struct err e;
    struct arena a;
    arena_init(&a);
    buf_puts(&r->cranks, r->cranks.n == 0 ? "\n  " : ",\n  ");
    buf_printf(&r->cranks, "{\"step\":%d,\"crankNum\":%llu,\"message\":", r->step,
               (unsigned long long)number);
    bool parsed = json_parse(&a, message, &v, &e) == 0;
    buf_put(&r->cranks, parsed ? json_raw(json_get(v, "type")) : SPAN("null"));
    buf_printf(&r->cranks, ",\"crankhash\":\"%s\",\"activityhash\":\"%s\"}", crankhash,
               activityhash);
    arena_fini(&a);
}

static void on_note(void *self, struct span text)
{
    (void)self;
    fprintf(stderr, "note: %.*s\n", SPAN_ARG(text));
}

static void on_slog(void *self, const struct slog_event *event)
{
    struct run *r = self;
    fprintf(r->slog, "%.*s\n", SPAN_ARG(event->json_text));
}

static void open_kernel(struct run *r)
{
    struct err e;
    struct device_host devices = run_device_host(r);
    struct kernel_options o = { .max_vats_online = r->config.vats_online_max,
                                .devices = &devices,
                                .preload = r->preload,
                                .sink = { .self = r, .crank = on_crank, .note = on_note } };
    if (r->slog != NULL) o.sink.slog = on_slog;
    if (kernel_open(r->store, &r->port, &o, &r->kernel, &e) != 0) run_die(&e);
}

static void close_kernel(struct run *r)
{
    struct err e;
    kernel_close(r->kernel);
    if (!r->panicked && store_commit(r->store, &e) != 0) run_die(&e);
    store_close(r->store);
}

/* How well snapshots are packed is not compared, and was a third of a scenario's time. */
static const struct store_options quick = { .snapshot_level = STORE_NOT_PACKED };

static void open_store(struct run *r)
{
    struct err e;
    if (store_open_with(r->store_dir, STORE_OPEN, &quick, &r->store, &e) != 0) run_die(&e);
}

void run_reopen(struct run *r)
{
    close_kernel(r);
    r->panicked = false;
    open_store(r);
    open_kernel(r);
}

static void open_port(struct run *r, const char *stock)
{
    struct err e;
    struct worker_options o = { .program = stock, .no_images = stock != NULL };
    if (stock == NULL && (paths_worker(&r->arena, &o.program, &e) != 0 ||
                          paths_cache(&r->arena, &o.image_dir, &e) != 0)) {
        run_die(&e);
    }
    if (worker_port_open(&o, &r->port, &e) != 0) run_die(&e);
}

static void read_config(struct run *r)
{
    struct err e;
    struct config_options o = { 0 };
    if (paths_bundles(&r->arena, &o.bundles_dir, &e) != 0 ||
        config_load(&r->arena, file_join(&r->arena, r->dir, "config.json"), &o, &r->config, &e) != 0) {
        run_die(&e);
    }
}

static void make_store(struct run *r)
{
    struct err e;
    kref bootstrap = { 0 };
    if (store_open_with(r->store_dir, STORE_CREATE, &quick, &r->store, &e) != 0 ||
        kernel_genesis(r->store, &r->config.genesis, &bootstrap, &e) != 0 ||
        store_commit(r->store, &e) != 0) {
        run_die(&e);
    }
    r->results[r->result_count++] = (struct run_result){ .name = SPAN("bootstrap"),
                                                         .promise = bootstrap };
    r->last = SPAN("bootstrap");
}

/* -- what segments of a run tell each other -------------------------------------------------- */

static struct jval read_json(struct run *r, const char *path)
{
    struct span text;
    struct jval v;
    struct err e;
    if (file_read(&r->arena, path, &text, &e) != 0 || json_parse(&r->arena, text, &v, &e) != 0)
        run_die(&e);
    return v;
}

static void load_state(struct run *r, const char *path)
{
    struct jval v = read_json(r, path), results = json_get(v, "results");
    r->last = json_str(json_get(v, "last"), &r->arena);
    for (size_t i = 0; i < json_len(results) && i < RUN_NAMES_MAX; i++) {
        struct run_result *res = &r->results[r->result_count++];
        struct jval slots = json_get(json_at(results, i), "slots");
        res->name = json_str(json_get(json_at(results, i), "name"), &r->arena);
        kref_parse(json_str(json_get(json_at(results, i), "kpid"), &r->arena), &res->promise);
        for (size_t j = 0; j < json_len(slots) && j < RUN_SLOTS_MAX; j++)
            kref_parse(json_str(json_at(slots, j), &r->arena), &res->slots[res->slot_count++]);
    }
}

static void save_state(const struct run *r, const char *path)
{
    struct buf b = { 0 };
    buf_puts(&b, "{\"last\":");
    json_put_string(&b, r->last);
    buf_puts(&b, ",\"results\":[");
    for (size_t i = 0; i < r->result_count; i++) {
        const struct run_result *res = &r->results[i];
        buf_puts(&b, i == 0 ? "{\"name\":" : ",{\"name\":");
        json_put_string(&b, res->name);
        buf_printf(&b, ",\"kpid\":\"%s\",\"slots\":[", kref_text(res->promise).s);
        for (size_t j = 0; j < res->slot_count; j++)
            buf_printf(&b, "%s\"%s\"", j == 0 ? "" : ",", kref_text(res->slots[j]).s);
        buf_puts(&b, "]}");
    }
    buf_puts(&b, "]}\n");
    FILE *f = fopen(path, "w");
    if (f == NULL || fwrite(b.p, 1, b.n, f) != b.n || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
    buf_fini(&b);
}

/* -- the whole ------------------------------------------------------------------------------- */

static bool parse_arguments(int argc, char **argv, struct arguments *out)
{
    *out = (struct arguments){ .to = SIZE_MAX };
    int i = 3;
    if (argc < i) return false;
    out->scenario = argv[1];
    out->store = argv[2];
    while (i < argc) {
        if (strcmp(argv[i], "--stock") == 0 && i + 1 < argc) {
            out->stock = argv[i + 1];
            i += 2;
        } else if (strcmp(argv[i], "--steps") == 0 && i + 2 < argc) {
            out->from = strtoul(argv[i + 1], NULL, 10);
            out->to = strtoul(argv[i + 2], NULL, 10);
            i += 3;
        } else if (strcmp(argv[i], "--state") == 0 && i + 1 < argc) {
            out->state = argv[i + 1];
            i += 2;
        } else if (strcmp(argv[i], "--slog") == 0 && i + 1 < argc) {
            out->slog = argv[i + 1];
            i += 2;
        } else if (strcmp(argv[i], "--preload") == 0) {
            out->preload = true;
            i += 1;
        } else {
            return false;
        }
    }
    return out->from == 0 || out->state != NULL;
}

static void run_steps(struct run *r, const struct arguments *a)
{
    struct jval script = read_json(r, file_join(&r->arena, r->dir, "script.json"));
    for (size_t i = a->from; i < json_len(script) && i < a->to; i++) {
        r->step = (int)i;
        run_op(r, json_at(script, i));
    }
}

int main(int argc, char **argv)
{
    static struct run r;
    struct arguments a;
    if (!parse_arguments(argc, argv, &a)) {
        fprintf(stderr, "usage: run_scenario SCENARIO_DIR STORE_DIR [--stock PROGRAM] "
                        "[--steps FROM TO --state FILE] [--slog FILE] [--preload]\n");
        return EXIT_USAGE;
    }
    log_init("run_scenario", LOG_NORMAL);
    arena_init(&r.arena);
    r.dir = a.scenario;
    r.store_dir = a.store;
    r.preload = a.preload;
    if (a.slog != NULL && (r.slog = fopen(a.slog, "w")) == NULL) {
        perror(a.slog);
        return 1;
    }
    open_port(&r, a.stock);
    read_config(&r);
    if (a.from == 0) {
        make_store(&r);
    } else {
        load_state(&r, a.state);
        open_store(&r);
    }
    open_kernel(&r);
    run_steps(&r, &a);
    close_kernel(&r);
    worker_port_close(&r.port);
    if (a.state != NULL) save_state(&r, a.state);
    if (r.slog != NULL && fclose(r.slog) != 0) {
        perror(a.slog);
        return 1;
    }
    run_dump(&r);
    return 0;
}
