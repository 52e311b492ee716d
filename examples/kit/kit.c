#include "kit/kit.h"

#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "host/file.h"
#include "host/paths.h"

static volatile sig_atomic_t interrupted;

void kit_interrupt(void)
{
    interrupted = 1;
}

uint64_t kit_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* -- what the kernel says --------------------------------------------------------------- */

static void on_console(void *self, vat_id vat, struct span level, struct span text)
{
    (void)self;
    (void)level;
    log_debug("%s: %.*s", vat_id_text(vat).s, SPAN_ARG(text));
}

static void on_note(void *self, struct span text)
{
    struct kit *k = self;
    if (span_starts(text, SPAN("forked "))) k->fork_seen = true;
    if (span_starts(text, SPAN("terminated "))) log_warn("%.*s", SPAN_ARG(text));
    else log_debug("%.*s", SPAN_ARG(text));
}

/* -- opening and closing ---------------------------------------------------------------- */

static int take_bootstrap(struct kit *k, struct err *e)
{
    struct capdata data;
    kref promise = controller_bootstrap(k->controller);
    enum promise_state state = kernel_promise_state(k->kernel, promise);
    if (state == PROMISE_FULFILLED && kernel_promise_take(k->kernel, promise, &data)) {
        controller_forget_bootstrap(k->controller);
        return 0;
    }
    return err_set(e, EXIT_VAT, "the bootstrap message was not answered");
}

static int boot(struct kit *k, const struct kit_options *o, struct err *e)
{
    struct config_options co = { 0 };
    struct config config;
    struct controller_sink sink = { .self = k, .console = on_console, .note = on_note };
    kref bootstrap;
    bool quiescent;
    if (paths_bundles(&k->arena, &co.bundles_dir, e) != 0 ||
        config_load(&k->arena, o->config, &co, &config, e) != 0) {
        return -1;
    }
    if (o->vats_online_max > 0) config.vats_online_max = o->vats_online_max;
    if (controller_create(k->dir, &config, &bootstrap, e) != 0 ||
        controller_open(k->dir, CONTROLLER_WRITE, &sink, &k->controller, e) != 0) {
        return -1;
    }
    k->kernel = controller_kernel(k->controller);
    if (controller_run(k->controller, 0, &k->cranks, &quiescent, e) != 0 ||
        take_bootstrap(k, e) != 0) {
        return -1;
    }
    return kit_commit(k, e);
}

int kit_boot(struct kit *k, const struct kit_options *o, struct err *e)
{
    *k = (struct kit){ .dir = xstrdup(o->dir) };
    arena_init(&k->arena);
    if (boot(k, o, e) == 0) return 0;
    kit_close(k);
    return err_while(e, "%s", o->config);
}

void kit_close(struct kit *k)
{
    controller_close(k->controller);
    arena_fini(&k->arena);
    free(k->dir);
    *k = (struct kit){ 0 };
}

int kit_commit(struct kit *k, struct err *e)
{
    return controller_commit(k->controller, e);
}

/* -- calling ---------------------------------------------------------------------------- */

/* One crank; a fork crank has its own clock. */
static int step(struct kit *k, bool *ran, struct err *e)
{
    uint64_t cranks, began = kit_now_us();
    k->fork_seen = false;
    if (kernel_run(k->kernel, 1, &cranks, e) != 0) return -1;
    k->cranks += cranks;
    *ran = cranks > 0;
    if (!k->fork_seen) return 0;
    k->forks++;
    k->fork_us = kit_now_us() - began;
    return 0;
}

static int run(struct kit *k, struct err *e)
{
    for (bool ran = true; ran;) {
        if (interrupted) return err_set(e, EXIT_FAILED, "interrupted");
        if (step(k, &ran, e) != 0) return -1;
    }
    return 0;
}

static int take(struct kit *k, kref promise, struct kit_answer *out, struct err *e)
{
    struct capdata data;
    const char *why;
    enum promise_state state = kernel_promise_state(k->kernel, promise);
    if (!kernel_promise_take(k->kernel, promise, &data)) {
        return err_set(e, EXIT_FAILED, "no answer: nothing is left to do");
    }
    out->fulfilled = state == PROMISE_FULFILLED;
    struct capdata kept = { arena_copy(&k->arena, data.body), data.count, NULL };
    kept.slots = ARENA_ARRAY(&k->arena, kref, data.count + 1);
    for (size_t i = 0; i < data.count; i++) kept.slots[i] = data.slots[i];
    if (!marshal_decode_k(&k->arena, &kept, &out->value, &why)) {
        return err_set(e, EXIT_FAILED, "an answer that does not decode: %s", why);
    }
    if (out->fulfilled) return 0;
    struct span text = out->value->style == PASS_ERROR ? out->value->text : kept.body;
    return err_set(e, EXIT_VAT, "rejected: %.*s", SPAN_ARG(text));
}

int kit_send(struct kit *k, kref target, const char *method, size_t count,
             const struct pass *const *args, struct kit_answer *out, struct err *e)
{
    struct kit_answer answer = { 0 };
    uint64_t before = k->cranks, began = kit_now_us();
    kref promise = kernel_send(k->kernel, target, span_of(method),
                               pass_array(&k->arena, count, args));
    if (run(k, e) != 0) return -1;
    answer.us = kit_now_us() - began;
    answer.cranks = k->cranks - before;
    if (take(k, promise, &answer, e) != 0) return err_while(e, "%s", method);
    *out = answer;
    return 0;
}

int kit_call(struct kit *k, const char *method, size_t count, const struct pass *const *args,
             struct kit_answer *out, struct err *e)
{
    kref target;
    if (kernel_find(k->kernel, SPAN("bootstrap"), &target, e) != 0) return -1;
    return kit_send(k, target, method, count, args, out, e);
}

int kit_call0(struct kit *k, const char *method, struct kit_answer *out, struct err *e)
{
    return kit_call(k, method, 0, NULL, out, e);
}

int kit_call1(struct kit *k, const char *method, const char *text, struct kit_answer *out,
              struct err *e)
{
    const struct pass *arg = pass_string(&k->arena, arena_copy(&k->arena, span_of(text)));
    return kit_call(k, method, 1, &arg, out, e);
}

/* -- memory ----------------------------------------------------------------------------- */

typedef bool chosen(const struct vat_info *vat, const char *name);

static bool is_named(const struct vat_info *vat, const char *name)
{
    return span_is(vat->name, name);
}

static bool is_child(const struct vat_info *vat, const char *name)
{
    (void)name;
    return vat->forked_from.n != 0;
}

static void weigh(struct kit *k, chosen *which, const char *name, struct figures *kib)
{
    struct arena a;
    struct vat_info *vats;
    struct controller_memory memory;
    arena_init(&a);
    size_t n = kernel_vats(k->kernel, &a, &vats);
    for (size_t i = 0; i < n; i++) {
        if (which(&vats[i], name) && controller_memory(k->controller, &vats[i], &memory))
            figures_add(kib, (double)memory.pss_kib);
    }
    arena_fini(&a);
}

uint64_t kit_memory(struct kit *k, const char *vat)
{
    struct figures kib = { 0 };
    weigh(k, is_named, vat, &kib);
    uint64_t pss = kib.n > 0 ? (uint64_t)kib.at[0] : 0;
    figures_fini(&kib);
    return pss;
}

void kit_weigh_children(struct kit *k, struct figures *kib)
{
    weigh(k, is_child, NULL, kib);
}

/* -- the store -------------------------------------------------------------------------- */

static int64_t pragma(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t n = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW) {
        n = sqlite3_column_int64(st, 0);
    }
    sqlite3_finalize(st);
    return n;
}

/* By a reader of its own, so that what is counted is what was committed. */
int kit_store_bytes(struct kit *k, uint64_t *out, struct err *e)
{
    if (kit_commit(k, e) != 0) return -1;
    sqlite3 *db = NULL;
    const char *path = file_join(&k->arena, k->dir, "swingstore.sqlite");
    int64_t pages = -1, unused = -1, size = -1;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK) {
        pages = pragma(db, "PRAGMA page_count");
        unused = pragma(db, "PRAGMA freelist_count");
        size = pragma(db, "PRAGMA page_size");
    }
    sqlite3_close(db);
    if (pages < 0 || unused < 0 || size < 0) {
        return err_set(e, EXIT_FAILED, "%s: cannot be measured", path);
    }
    *out = (uint64_t)((pages - unused) * size);
    return 0;
}

int kit_store_bytes_each(struct kit *k, uint64_t before, unsigned n, double *out, struct err *e)
{
    uint64_t after;
    if (kit_store_bytes(k, &after, e) != 0) return -1;
    *out = ((double)after - (double)before) / n;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    (void)remove(path);
    return 0;
}

void kit_remove_tree(const char *dir)
{
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
