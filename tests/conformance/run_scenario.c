/* run_scenario.c -- a scenario under our kernel.
 *
 * usage: run_scenario SCENARIO_DIR STORE_DIR [--stock PROGRAM] > dump.json
 *
 * A scenario is a folder with config.json and script.json (tests/oracle/run-upstream.mjs
 * describes both).  The dump has the shape of the oracle's: steps, cranks with their
 * hashes, and the tables of the store; compare.mjs lays the two side by side.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "host/config.h"
#include "host/file.h"
#include "host/paths.h"
#include "worker/worker.h"

enum { NAMES_MAX = 64 };

struct result {
    struct span name;
    kref promise;
    size_t slot_count;
    kref slots[16];
};

struct run {
    const char *dir, *store_dir;
    struct config config;
    struct arena arena;
    struct store *store;
    struct kernel *kernel;
    struct vat_port port;
    struct result results[NAMES_MAX];
    size_t result_count;
    struct span last;
    struct buf steps, cranks;
    int step;
};

static _Noreturn void die(const struct err *e)
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
    if (json_parse(&a, message, &v, &e) == 0) buf_put(&r->cranks, json_raw(json_get(v, "type")));
    buf_printf(&r->cranks, ",\"crankhash\":\"%s\",\"activityhash\":\"%s\"}", crankhash, activityhash);
    arena_fini(&a);
}

static void on_note(void *self, struct span text)
{
    (void)self;
    fprintf(stderr, "note: %.*s\n", SPAN_ARG(text));
}

static void open_kernel(struct run *r)
{
    struct err e;
    struct kernel_options o = { .max_vats_online = r->config.vats_online_max,
                                .sink = { .self = r, .crank = on_crank, .note = on_note } };
    if (kernel_open(r->store, &r->port, &o, &r->kernel, &e) != 0) die(&e);
}

static void close_kernel(struct run *r)
{
    struct err e;
    kernel_close(r->kernel);
    if (store_commit(r->store, &e) != 0) die(&e);
    store_close(r->store);
}

static void open_port(struct run *r, const char *stock)
{
    struct err e;
    struct worker_options o = { .program = stock, .no_images = stock != NULL };
    if (stock == NULL && (paths_worker(&r->arena, &o.program, &e) != 0 ||
                          paths_cache(&r->arena, &o.image_dir, &e) != 0)) {
        die(&e);
    }
    if (worker_port_open(&o, &r->port, &e) != 0) die(&e);
}

static void make_store(struct run *r)
{
    struct err e;
    struct config_options o = { 0 };
    kref bootstrap = { 0 };
    if (paths_bundles(&r->arena, &o.bundles_dir, &e) != 0 ||
        config_load(&r->arena, file_join(&r->arena, r->dir, "config.json"), &o, &r->config, &e) != 0 ||
        store_open(r->store_dir, STORE_CREATE, &r->store, &e) != 0 ||
        kernel_genesis(r->store, &r->config.genesis, &bootstrap, &e) != 0 ||
        store_commit(r->store, &e) != 0) {
        die(&e);
    }
    r->results[r->result_count++] = (struct result){ .name = SPAN("bootstrap"), .promise = bootstrap };
    r->last = SPAN("bootstrap");
}

/* -- arguments ---------------------------------------------------------------------------- */

static struct result *result_named(struct run *r, struct span name)
{
    for (size_t i = 0; i < r->result_count; i++) {
        if (span_eq(r->results[i].name, name)) return &r->results[i];
    }
    struct err e;
    err_set(&e, EXIT_USAGE, "step %d: no result is called %.*s", r->step, SPAN_ARG(name));
    die(&e);
}

static kref slot_of(struct run *r, struct jval v)
{
    struct arena *a = &r->arena;
    kref k = { 0 };
    struct span of = json_str(json_get(v, "#slotOf"), a);
    if (of.p != NULL) {
        uint64_t index = 0;
        json_u64(json_get(v, "index"), &index);
        return result_named(r, of)->slots[index];
    }
    kref_parse(json_str(json_get(v, "#slot"), a), &k);
    return k;
}

static const struct pass *value_of(struct run *r, struct jval v)
{
    struct arena *a = &r->arena;
    size_t n = json_len(v);
    if (json_type(v) != JSON_OBJECT && json_type(v) != JSON_ARRAY) return pass_from_json(a, v);
    if (json_type(json_get(v, "#slot")) != JSON_NONE || json_type(json_get(v, "#slotOf")) != JSON_NONE) {
        return pass_slot(a, arena_copy(a, span_of(kref_text(slot_of(r, v)).s)),
                         json_str(json_get(v, "iface"), a));
    }
    struct span big = json_str(json_get(v, "#bigint"), a);
    if (big.p != NULL) {
        struct pass *p = ARENA_NEW(a, struct pass);
        p->style = PASS_BIGINT;
        p->text = big;
        return p;
    }
    const struct pass **items = ARENA_ARRAY(a, const struct pass *, n + 1);
    struct span *keys = ARENA_ARRAY(a, struct span, n + 1);
    for (size_t i = 0; i < n; i++) {
        items[i] = value_of(r, json_at(v, i));
        if (json_type(v) == JSON_OBJECT) keys[i] = json_key_at(v, i, a);
    }
    return json_type(v) == JSON_ARRAY ? pass_array(a, n, items) : pass_record(a, n, keys, items);
}

/* -- operations ------------------------------------------------------------------------------ */

static void op_run(struct run *r, uint64_t max, struct buf *out)
{
    struct err e;
    uint64_t cranks;
    if (kernel_run(r->kernel, max, &cranks, &e) != 0) die(&e);
    buf_printf(out, ",\"cranks\":%llu", (unsigned long long)cranks);
}

static void op_queue(struct run *r, struct jval op, kref target, struct buf *out)
{
    struct arena *a = &r->arena;
    struct span as = json_str(json_get(op, "as"), a);
    struct jval args = json_get(op, "args");
    const struct pass *value = json_type(args) == JSON_NONE ? pass_array(a, 0, NULL) : value_of(r, args);
    kref promise = kernel_send(r->kernel, target, json_str(json_get(op, "method"), a), value);
    struct result res = { .name = as.p != NULL ? as : SPAN("last"), .promise = promise };
    size_t i = 0;
    while (i < r->result_count && !span_eq(r->results[i].name, res.name)) i++;
    r->results[i] = res;
    if (i == r->result_count) r->result_count++;
    r->last = res.name;
    if (out != NULL) buf_printf(out, ",\"kpid\":\"%s\"", kref_text(promise).s);
}

static void op_queue_to_root(struct run *r, struct jval op, struct buf *out)
{
    kref target;
    struct err e;
    if (kernel_find(r->kernel, json_str(json_get(op, "vat"), &r->arena), &target, &e) != 0) die(&e);
    op_queue(r, op, target, out);
}

static void op_resolution(struct run *r, struct span name, struct buf *out)
{
    static const char *const states[] = { "unknown", "unresolved", "fulfilled", "rejected" };
    struct result *res = result_named(r, name);
    struct capdata data;
    enum promise_state state = kernel_promise_state(r->kernel, res->promise);
    buf_printf(out, ",\"kpid\":\"%s\",\"status\":\"%s\"", kref_text(res->promise).s, states[state]);
    if (!kernel_promise_take(r->kernel, res->promise, &data)) return;
    buf_puts(out, ",\"resolution\":");
    capdata_put(out, &data);
    res->slot_count = data.count < 16 ? data.count : 16;
    memcpy(res->slots, data.slots, res->slot_count * sizeof(kref));
}

static void op_restart(struct run *r)
{
    struct err e;
    close_kernel(r);
    if (store_open(r->store_dir, STORE_OPEN, &r->store, &e) != 0) die(&e);
    open_kernel(r);
}

static void op_install(struct run *r, struct jval op, struct buf *out)
{
    struct err e;
    const char *bundles;
    struct span text, id;
    struct span file = arena_printf(&r->arena, "%.*s.json",
                                    SPAN_ARG(json_str(json_get(op, "bundle"), &r->arena)));
    if (paths_bundles(&r->arena, &bundles, &e) != 0 ||
        file_read(&r->arena, file_join(&r->arena, bundles, file.p), &text, &e) != 0 ||
        kernel_install_bundle(r->kernel, &r->arena, text, SPAN_NONE, &id, &e) != 0) {
        die(&e);
    }
    buf_printf(out, ",\"bundleID\":\"%.*s\"", SPAN_ARG(id));
}

static void do_op(struct run *r, struct jval op)
{
    struct buf out = { 0 };
    struct jval name = json_get(op, "op");
    uint64_t count = 1;
    if (json_is(name, "run")) {
        op_run(r, 0, &out);
    } else if (json_is(name, "step")) {
        json_u64(json_get(op, "count"), &count);
        op_run(r, count, &out);
    } else if (json_is(name, "queueToVatRoot")) {
        op_queue_to_root(r, op, &out);
    } else if (json_is(name, "queueToVatObject")) {
        op_queue(r, op, slot_of(r, json_get(op, "target")), &out);
    } else if (json_is(name, "resolution")) {
        struct span of = json_str(json_get(op, "of"), &r->arena);
        op_resolution(r, of.p != NULL ? of : r->last, &out);
    } else if (json_is(name, "send")) {
        op_queue_to_root(r, op, NULL);
        op_run(r, 0, &out);
        op_resolution(r, r->last, &out);
    } else if (json_is(name, "restart")) {
        op_restart(r);
    } else if (json_is(name, "reapAllVats")) {
        kernel_reap_all(r->kernel);
    } else if (json_is(name, "installBundle")) {
        op_install(r, op, &out);
    } else {
        struct err e;
        err_set(&e, EXIT_USAGE, "step %d: no such operation here: %.*s", r->step,
                SPAN_ARG(json_raw(name)));
        die(&e);
    }
    struct err e;
    if (store_commit(r->store, &e) != 0) die(&e);
    struct buf status = { 0 };
    struct jval v;
    kernel_status(r->kernel, &status);
    if (json_parse(&r->arena, arena_copy(&r->arena, buf_span(&status)), &v, &e) != 0) die(&e);
    buf_fini(&status);
    buf_puts(&r->steps, r->step == 0 ? "\n  " : ",\n  ");
    buf_printf(&r->steps, "{\"op\":%.*s%.*s,\"activityhash\":%.*s}", SPAN_ARG(json_raw(name)),
               SPAN_ARG(buf_span(&out)), SPAN_ARG(json_raw(json_get(v, "activityhash"))));
    buf_fini(&out);
}

/* -- the store's tables -------------------------------------------------------------------------- */

static void put_column(struct buf *b, sqlite3_stmt *st, int i)
{
    if (sqlite3_column_type(st, i) == SQLITE_NULL) {
        buf_puts(b, "null");
    } else if (sqlite3_column_type(st, i) == SQLITE_INTEGER) {
        buf_printf(b, "%lld", (long long)sqlite3_column_int64(st, i));
    } else {
        struct span text = { (const char *)sqlite3_column_blob(st, i), (size_t)sqlite3_column_bytes(st, i) };
        json_put_string(b, text.n == 0 ? SPAN("") : text);
    }
}

static void dump_rows(sqlite3 *db, const char *name, const char *sql)
{
    struct buf b = { 0 };
    sqlite3_stmt *st;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK) {
        fprintf(stderr, "run_scenario: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
    buf_printf(&b, ",\n\"%s\":[", name);
    for (int row = 0; sqlite3_step(st) == SQLITE_ROW; row++) {
        buf_puts(&b, row == 0 ? "\n  [" : ",\n  [");
        for (int i = 0; i < sqlite3_column_count(st); i++) {
            if (i > 0) buf_putc(&b, ',');
            put_column(&b, st, i);
        }
        buf_putc(&b, ']');
    }
    buf_puts(&b, "]");
    fwrite(b.p, 1, b.n, stdout);
    sqlite3_finalize(st);
    buf_fini(&b);
}

static void dump(struct run *r)
{
    sqlite3 *db;
    if (sqlite3_open(file_join(&r->arena, r->store_dir, "swingstore.sqlite"), &db) != SQLITE_OK) exit(1);
    printf("{\"kernel\":\"zygote\",\n\"steps\":[%.*s],\n\"cranks\":[%.*s]", SPAN_ARG(buf_span(&r->steps)),
           SPAN_ARG(buf_span(&r->cranks)));
    dump_rows(db, "kvStore", "SELECT key, value FROM kvStore WHERE key NOT LIKE 'local.%' "
                             "AND key NOT LIKE 'host.%' ORDER BY key");
    dump_rows(db, "transcripts", "SELECT vatID, position, incarnation, item FROM transcriptItems "
                                 "ORDER BY vatID, position");
    dump_rows(db, "spans", "SELECT vatID, startPos, endPos, hash, isCurrent, incarnation "
                           "FROM transcriptSpans ORDER BY vatID, startPos");
    dump_rows(db, "snapshots", "SELECT vatID, snapPos, hash, inUse, uncompressedSize FROM snapshots "
                               "ORDER BY vatID, snapPos");
    dump_rows(db, "bundles", "SELECT bundleID FROM bundles ORDER BY bundleID");
    printf("}\n");
    sqlite3_close(db);
}

int main(int argc, char **argv)
{
    static struct run r;
    struct span text;
    struct jval script;
    struct err e;
    const char *stock = argc == 5 && strcmp(argv[3], "--stock") == 0 ? argv[4] : NULL;
    if (argc != 3 && stock == NULL) {
        fprintf(stderr, "usage: run_scenario SCENARIO_DIR STORE_DIR [--stock PROGRAM]\n");
        return EXIT_USAGE;
    }
    log_init("run_scenario", LOG_NORMAL);
    arena_init(&r.arena);
    r.dir = argv[1];
    r.store_dir = argv[2];
    open_port(&r, stock);
    make_store(&r);
    open_kernel(&r);
    if (file_read(&r.arena, file_join(&r.arena, r.dir, "script.json"), &text, &e) != 0 ||
        json_parse(&r.arena, text, &script, &e) != 0) {
        die(&e);
    }
    for (size_t i = 0; i < json_len(script); i++) {
        r.step = (int)i;
        do_op(&r, json_at(script, i));
    }
    close_kernel(&r);
    worker_port_close(&r.port);
    dump(&r);
    return 0;
}
