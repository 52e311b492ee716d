/* controller.c -- one store, its kernel and its workers, as one thing. */
#include "host/controller.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "host/file.h"
#include "host/paths.h"
#include "host/suggest.h"
#include "store/bundle.h"
#include "store/kv.h"
#include "worker/worker.h"

/* What the host keeps in the store, beside the kernel's state. */
#define KEY_CONFIG    SPAN("host.zygote.config")    /* hash of the config file */
#define KEY_BOOTSTRAP SPAN("host.zygote.bootstrap") /* kref, or empty once taken */
#define KEY_ONLINE    SPAN("host.zygote.maxVatsOnline")
#define KEY_PRUNE     SPAN("host.zygote.pruneTranscripts") /* there, or not */
#define KEY_KEEP      SPAN("host.zygote.keepSnapshots")

struct seen_worker {
    vat_id vat;
    struct controller_memory memory;
};

struct controller {
    enum controller_mode mode;
    struct controller_sink sink;
    struct arena arena; /* paths */
    const char *worker, *cache; /* as given, or NULL */
    struct store *store;
    struct kernel *kernel;
    struct vat_port port;
    bool port_open;
    const char *dir;             /* looking: whose writer's workers are … */
    bool looked_for_workers;
    struct seen_worker *workers; /* … these */
    size_t worker_count;
};

/* -- creating ---------------------------------------------------------------------- */

bool controller_exists(const char *dir)
{
    struct store *s;
    struct err ignored;
    if (!store_exists(dir))
        return false;
    if (store_open(dir, STORE_READONLY, &s, &ignored) != 0)
        return true; /* something is there; whoever opens it will say what */
    bool yes = kv_get(s, SPAN("version"), NULL) || kv_get(s, SPAN("vat.names"), NULL);
    store_close(s);
    return yes;
}

static void keep_host_keys(struct store *s, const struct config *c, kref bootstrap)
{
    kv_host_set(s, KEY_CONFIG, span_of(c->hash));
    if (bootstrap.kind == KREF_PROMISE)
        kv_host_set(s, KEY_BOOTSTRAP, span_of(kref_text(bootstrap).s));
    if (c->vats_online_max > 0) {
        char text[32];
        snprintf(text, sizeof text, "%" PRIu64, c->vats_online_max);
        kv_host_set(s, KEY_ONLINE, span_of(text));
    }
    if (c->prune_transcripts)
        kv_host_set(s, KEY_PRUNE, SPAN("1"));
    if (c->keep_snapshots)
        kv_host_set(s, KEY_KEEP, SPAN("1"));
}

/* Genesis refused a bundle: say which, by trying them one by one. */
static int blame_bundle(const struct config *c, struct err *e)
{
    struct store *scratch;
    struct err why;
    if (store_open(NULL, STORE_CREATE, &scratch, &why) != 0)
        return -1;
    for (size_t i = 0; i < c->genesis.bundle_count; i++) {
        struct span id;
        if (bundle_add(scratch, c->genesis.bundles[i].json_text, &id, &why) != 0) {
            *e = why;
            err_while(e, "%s", c->bundle_from[i]);
            break;
        }
    }
    store_close(scratch);
    return -1;
}

int controller_create(const char *dir, const struct config *config, kref *bootstrap,
                      struct err *e)
{
    struct store *s;
    kref result = { 0 };
    bool had_store = store_exists(dir);
    if (store_open(dir, STORE_CREATE, &s, e) != 0)
        return -1;
    int failed = kernel_genesis(s, &config->genesis, &result, e);
    if (!failed) {
        keep_host_keys(s, config, result);
        failed = store_commit(s, e);
    }
    if (failed && !had_store)
        store_discard(s);
    else
        store_close(s);
    if (failed)
        return e->exit == EXIT_INTEGRITY || e->exit == EXIT_INCOMPATIBLE
                   ? blame_bundle(config, e)
                   : -1;
    *bootstrap = result;
    return 0;
}

/* -- opening ----------------------------------------------------------------------- */

static void on_console(void *self, vat_id vat, struct span level, struct span text)
{
    struct controller *c = self;
    if (c->sink.console != NULL)
        c->sink.console(c->sink.self, vat, level, text);
}

static void on_note(void *self, struct span text)
{
    struct controller *c = self;
    if (c->sink.note != NULL)
        c->sink.note(c->sink.self, text);
}

static void on_forked(void *self, vat_id child, struct span refused)
{
    struct controller *c = self;
    if (c->sink.forked != NULL)
        c->sink.forked(c->sink.self, child, refused);
}

static void on_crank(void *self, uint64_t number, struct span message,
                     const char *crankhash, const char *activityhash)
{
    struct controller *c = self;
    if (c->sink.crank != NULL)
        c->sink.crank(c->sink.self, number, message, crankhash, activityhash);
}

static void on_slog(void *self, const struct slog_event *event)
{
    struct controller *c = self;
    c->sink.slog(c->sink.self, event);
}

static int open_port(struct controller *c, struct err *e)
{
    struct worker_options o = { .program = c->worker, .image_dir = c->cache };
    if ((o.program == NULL && paths_worker(&c->arena, &o.program, e) != 0) ||
        (o.image_dir == NULL && paths_cache(&c->arena, &o.image_dir, e) != 0) ||
        worker_port_open(&o, &c->port, e) != 0)
        return -1;
    c->port_open = true;
    return 0;
}

static uint64_t vats_online_max(struct store *s)
{
    struct span text;
    uint64_t n;
    return kv_get(s, KEY_ONLINE, &text) && span_u64(text, &n) ? n : 0;
}

static int open_all(struct controller *c, const char *dir,
                    const struct controller_options *given, struct err *e)
{
    bool look = c->mode == CONTROLLER_LOOK;
    if (store_open_with(dir, look ? STORE_READONLY : STORE_OPEN, &given->store, &c->store,
                        e) != 0 ||
        (!look && open_port(c, e) != 0))
        return -1;
    store_retain(c->store,
                 given->store.prune_transcripts || kv_get(c->store, KEY_PRUNE, NULL),
                 given->store.keep_snapshots || kv_get(c->store, KEY_KEEP, NULL));
    struct kernel_options o = {
        .max_vats_online = given->max_vats_online > 0 ? given->max_vats_online
                                                      : vats_online_max(c->store),
        .devices = c->sink.devices,
        .sink = { .self = c, .console = on_console, .note = on_note, .forked = on_forked, .crank = on_crank },
    };
    if (c->sink.slog != NULL)
        o.sink.slog = on_slog;
    if (kernel_open(c->store, look ? NULL : &c->port, &o, &c->kernel, e) != 0)
        return err_while(e, "%s", dir);
    return 0;
}

int controller_open_with(const char *dir, enum controller_mode mode,
                         const struct controller_options *options,
                         const struct controller_sink *sink, struct controller **out,
                         struct err *e)
{
    struct controller *c = xcalloc(1, sizeof *c);
    c->mode = mode;
    if (sink != NULL)
        c->sink = *sink;
    c->worker = options->worker;
    c->cache = options->cache;
    arena_init(&c->arena);
    c->dir = arena_copy(&c->arena, span_of(dir)).p;
    if (open_all(c, dir, options, e) != 0) {
        controller_close(c);
        return -1;
    }
    *out = c;
    return 0;
}

int controller_open(const char *dir, enum controller_mode mode,
                    const struct controller_sink *sink, struct controller **out,
                    struct err *e)
{
    struct controller_options defaults = { 0 };
    return controller_open_with(dir, mode, &defaults, sink, out, e);
}

void controller_close(struct controller *c)
{
    if (c == NULL)
        return;
    if (c->kernel != NULL)
        kernel_close(c->kernel);
    if (c->port_open)
        worker_port_close(&c->port);
    if (c->store != NULL)
        store_close(c->store);
    arena_fini(&c->arena);
    free(c->workers);
    free(c);
}

struct kernel *controller_kernel(struct controller *c)
{
    return c->kernel;
}

struct store *controller_store(struct controller *c)
{
    return c->store;
}

/* -- running ----------------------------------------------------------------------- */

int controller_commit(struct controller *c, struct err *e)
{
    return store_commit(c->store, e);
}

int controller_run(struct controller *c, uint64_t max, uint64_t *cranks, bool *quiescent,
                   struct err *e)
{
    uint64_t total = 0, ran = 0, block;
    *quiescent = false;
    do {
        block = max == 0 || max - total > CONTROLLER_BLOCK ? CONTROLLER_BLOCK : max - total;
        int failed = block > 0 && kernel_run(c->kernel, block, &ran, e) != 0;
        *cranks = total += block > 0 ? ran : 0;
        /* A crank that failed is undone; those before it stand. */
        struct err second;
        if (controller_commit(c, failed ? &second : e) != 0 || failed)
            return -1;
        *quiescent = block > 0 && ran < block;
    } while (!*quiescent && (max == 0 || total < max));
    return 0;
}

int controller_poll_timers(struct controller *c, uint64_t now, size_t *timers, bool *woke,
                           struct err *e)
{
    struct span *names;
    bool one;
    *timers = kernel_devices(c->kernel, "timer", &names);
    *woke = false;
    for (size_t i = 0; i < *timers; i++) {
        if (kernel_timer_poll(c->kernel, names[i], now, &one, e) != 0)
            return -1;
        *woke = *woke || one;
    }
    return 0;
}

kref controller_bootstrap(struct controller *c)
{
    struct span text;
    kref k = { 0 };
    if (!kv_get(c->store, KEY_BOOTSTRAP, &text) || !kref_parse(text, &k))
        return (kref){ 0 };
    return k;
}

void controller_forget_bootstrap(struct controller *c)
{
    kv_host_set(c->store, KEY_BOOTSTRAP, SPAN(""));
}

struct span controller_config_hash(struct controller *c)
{
    struct span text = SPAN_NONE;
    return kv_get(c->store, KEY_CONFIG, &text) ? text : SPAN_NONE;
}

/* -- looking ----------------------------------------------------------------------- */

/* Looking for a name among vats, of which there may be many: names are in their options. */
struct name_search {
    struct controller *c;
    struct arena arena;
    struct span wanted;
    vat_id found, another; /* n == 0: none */
    struct suggest near;
    bool suggesting; /* nothing was found: what is near? */
};

static struct span vat_name(struct name_search *n, struct span vat)
{
    struct span text;
    struct jval options;
    struct err ignored;
    if (!kv_get(n->c->store, arena_printf(&n->arena, "%.*s.options", SPAN_ARG(vat)), &text))
        return SPAN_NONE;
    if (!n->suggesting && memmem(text.p, text.n, n->wanted.p, n->wanted.n) == NULL)
        return SPAN_NONE;
    if (json_parse(&n->arena, text, &options, &ignored) != 0)
        return SPAN_NONE;
    return json_str(json_get(options, "name"), &n->arena);
}

static void visit_vat(struct name_search *n, struct span vat)
{
    struct span name = vat_name(n, vat);
    vat_id id;
    if (name.p == NULL || !vat_id_parse(vat, &id))
        return;
    if (n->suggesting)
        suggest_offer(&n->near, arena_copy(&n->arena, name).p);
    else if (span_eq(name, n->wanted) && n->found.n == 0)
        n->found = id;
    else if (span_eq(name, n->wanted))
        n->another = id;
}

static struct jval list_of(struct name_search *n, struct span key)
{
    struct span text;
    struct jval list = { NULL, 0 };
    struct err ignored;
    if (kv_get(n->c->store, key, &text))
        (void)!json_parse(&n->arena, arena_copy(&n->arena, text), &list, &ignored);
    return list;
}

static void visit_all(struct name_search *n)
{
    struct jval names = list_of(n, SPAN("vat.names")),
                ids = list_of(n, SPAN("vat.dynamicIDs"));
    struct span vat;
    for (struct jval v = json_first(names); v.doc != NULL; v = json_next(v)) {
        struct span name = json_str(v, &n->arena);
        struct span key = arena_printf(&n->arena, "vat.name.%.*s", SPAN_ARG(name));
        if (kv_get(n->c->store, key, &vat))
            visit_vat(n, arena_copy(&n->arena, vat));
    }
    for (struct jval v = json_first(ids); v.doc != NULL; v = json_next(v))
        visit_vat(n, json_str(v, &n->arena));
}

static int search_result(struct name_search *n, const char *name, vat_id *out,
                         struct err *e)
{
    if (n->another.n != 0)
        return err_set(e, EXIT_USAGE, "several vats are called \"%s\": %s, %s; use the ID",
                       name, vat_id_text(n->found).s, vat_id_text(n->another).s);
    if (n->found.n != 0) {
        *out = n->found;
        return 0;
    }
    n->suggesting = true;
    visit_all(n);
    const char *best = n->near.best;
    return err_set(e, EXIT_NOT_FOUND, "no vat \"%s\"%s%s%s", name,
                   best != NULL ? "; did you mean \"" : "", best != NULL ? best : "",
                   best != NULL ? "\"?" : "");
}

int controller_find_vat(struct controller *c, const char *name, vat_id *out, struct err *e)
{
    struct span wanted = span_of(name);
    vat_id id;
    if (vat_id_parse(wanted, &id) && kernel_vat_exists(c->kernel, id)) {
        *out = id;
        return 0;
    }
    struct name_search n = { .c = c, .wanted = wanted, .near = suggest_for(wanted) };
    arena_init(&n.arena);
    visit_all(&n);
    int failed = search_result(&n, name, out, e);
    arena_fini(&n.arena);
    return failed;
}

int controller_find(struct controller *c, const char *target, kref *out, struct err *e)
{
    kref k;
    vat_id vat;
    if (kref_parse(span_of(target), &k))
        return kernel_find(c->kernel, span_of(target), out, e);
    return controller_find_vat(c, target, &vat, e) == 0
               ? kernel_find_root(c->kernel, vat, out, e)
               : -1;
}

int controller_resolve(void *controller, struct arena *a, struct span ref, struct span *text,
                       struct err *e)
{
    struct controller *c = controller;
    kref k;
    bool promise = kref_parse(ref, &k) && k.kind == KREF_PROMISE;
    if (promise && kernel_promise_state(c->kernel, k) == PROMISE_UNKNOWN)
        return err_set(e, EXIT_NOT_FOUND, "there is no promise %.*s", SPAN_ARG(ref));
    if (!promise && controller_find(c, arena_copy(a, ref).p, &k, e) != 0)
        return -1;
    *text = arena_copy(a, span_of(kref_text(k).s));
    return 0;
}

int controller_replay(struct controller *c, const struct replay_request *r,
                      struct replay_report *out, struct err *e)
{
    INVARIANT(c->mode == CONTROLLER_LOOK);
    *out = (struct replay_report){ 0 };
    if (!c->port_open && open_port(c, e) != 0)
        return -1;
    return kernel_replay(c->kernel, &c->port, r, out, e);
}

struct heap {
    struct buf bytes;
    struct replay_report report;
};

static int take_heap(struct controller *c, vat_id vat, struct heap *h, struct err *e)
{
    struct replay_request r = { .vat = vat, .from = REPLAY_LATEST, .to = REPLAY_LATEST, .heap = &h->bytes };
    return controller_replay(c, &r, &h->report, e) != 0
               ? err_while(e, "the heap of %s", vat_id_text(vat).s)
               : 0;
}

static int compare_heaps(struct controller *c, vat_id vat_a, vat_id vat_b, struct heap *a,
                         struct heap *b, struct controller_heaps *out, struct err *e)
{
    struct worker_pages pages = { 0 };
    if (take_heap(c, vat_a, a, e) != 0 || take_heap(c, vat_b, b, e) != 0)
        return -1;
    *out = (struct controller_heaps){
        .same = strcmp(a->report.now, b->report.now) == 0,
        .bytes_a = a->bytes.n,
        .bytes_b = b->bytes.n,
    };
    if (out->same)
        return 0;
    struct worker_heap x = { vat_a, a->report.now, buf_span(&a->bytes) },
                       y = { vat_b, b->report.now, buf_span(&b->bytes) };
    if (worker_port_compare(&c->port, &x, &y, &pages, e) != 0)
        return err_while(e, "comparing pages");
    out->equal = pages.equal;
    out->different = pages.different;
    out->only_a = pages.only_a;
    out->only_b = pages.only_b;
    return 0;
}

int controller_compare_heaps(struct controller *c, vat_id vat_a, vat_id vat_b,
                             struct controller_heaps *out, struct err *e)
{
    struct heap a = { 0 }, b = { 0 };
    int failed = compare_heaps(c, vat_a, vat_b, &a, &b, out, e);
    replay_report_fini(&a.report);
    replay_report_fini(&b.report);
    buf_fini(&a.bytes);
    buf_fini(&b.bytes);
    return failed;
}

static struct controller_memory memory_of(const struct worker_memory *m)
{
    return (struct controller_memory){ m->pss_kib, m->private_kib, m->shared_kib };
}

static void on_worker(void *self, vat_id vat, const struct worker_memory *memory)
{
    struct controller *c = self;
    c->workers = xrealloc(c->workers, (c->worker_count + 1) * sizeof *c->workers);
    c->workers[c->worker_count++] = (struct seen_worker){ vat, memory_of(memory) };
}

static bool writers_memory(struct controller *c, vat_id vat, struct controller_memory *out)
{
    if (!c->looked_for_workers) {
        long pid = store_writer(c->dir);
        if (pid > 0)
            worker_processes((pid_t)pid, on_worker, c);
        c->looked_for_workers = true;
    }
    for (size_t i = 0; i < c->worker_count; i++) {
        if (!vat_id_eq(c->workers[i].vat, vat))
            continue;
        *out = c->workers[i].memory;
        return true;
    }
    return false;
}

bool controller_memory(struct controller *c, const struct vat_info *vat,
                       struct controller_memory *out)
{
    struct worker_memory m;
    if (c->mode == CONTROLLER_LOOK)
        return writers_memory(c, vat->vat, out);
    if (vat->machine == NULL || !worker_port_memory(&c->port, vat->machine, &m))
        return false;
    *out = memory_of(&m);
    return true;
}
