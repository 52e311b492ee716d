#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"

static const char *const no_name = "o-999";

/* -- texts --------------------------------------------------------------------------------- */

/* A few texts that outlive the kernel's arena. */
static const char *keep(struct span text)
{
    static struct buf ring[16];
    static unsigned at;
    struct buf *b = &ring[at++ % 16];
    buf_reset(b);
    buf_put(b, text);
    buf_putc(b, '\0');
    return b->p;
}

const char *bundle_named(const char *name)
{
    struct buf b = { 0 };
    char hash[SHA256_HEX + 1], id[SHA256_HEX + 4];
    scripted_bundle(name, &b);
    sha256_hex(buf_span(&b), hash);
    buf_fini(&b);
    snprintf(id, sizeof id, "b0-%s", hash);
    return keep(span_of(id));
}

const char *key_text(struct world *w, const char *fmt, ...)
{
    char key[256];
    struct span value;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(key, sizeof key, fmt, ap);
    va_end(ap);
    return kv_get(w->store, span_of(key), &value) ? keep(value) : NULL;
}

/* -- names ---------------------------------------------------------------------------------- */

vat_id vat_named(struct world *w, const char *name)
{
    vat_id vat = { 0 };
    bool found = vat_by_name(w->kernel, span_of(name), &vat);
    assert_true(found);
    return vat;
}

kref meant(struct world *w, vat_id vat, const char *name)
{
    struct span text;
    kref r = { 0 };
    if (kv_get(w->store, key_clist_vref(w->kernel, vat, span_of(name)), &text)) kref_parse(text, &r);
    return r;
}

kref root_of(struct world *w, vat_id vat)
{
    return meant(w, vat, "o+0");
}

const char *name_for(struct world *w, vat_id vat, kref r)
{
    struct clist_row row;
    if (r.kind == KREF_INVALID || !clist_row(w->kernel, vat, r, &row)) return no_name;
    return keep(row.vref);
}

bool row_is(struct world *w, vat_id vat, kref r, const char *want)
{
    struct span text;
    return kv_get(w->store, key_clist_kref(w->kernel, vat, r), &text) && span_is(text, want);
}

bool alive(struct world *w, vat_id vat)
{
    return vat_is_alive(w->kernel, vat);
}

/* -- running -------------------------------------------------------------------------------- */

static void on_note(void *self, struct span text)
{
    struct world *w = self;
    buf_put(&w->notes, text);
    buf_putc(&w->notes, '\n');
}

static void on_breach(void *ctx, const char *text)
{
    struct world *w = ctx;
    buf_puts(&w->breaches, text);
    buf_putc(&w->breaches, '\n');
}

static void on_slog(void *self, const struct slog_event *event)
{
    struct world *w = self;
    struct jval v;
    struct err e;
    struct arena a;
    arena_init(&a);
    if (json_parse(&a, event->json_text, &v, &e) != 0) {
        fail_msg("%s: %.*s", e.text, SPAN_ARG(event->json_text));
    }
    arena_fini(&a);
    if (event->span != SLOG_POINT) {
        assert_int_equal(w->span_open[event->span], event->finish);
        w->span_open[event->span] = !event->finish;
    }
    buf_put(&w->slog, event->json_text);
    buf_putc(&w->slog, '\n');
}

static void on_crank(void *self, uint64_t number, struct span message, const char *crankhash,
                     const char *activityhash)
{
    struct world *w = self;
    (void)number;
    (void)crankhash;
    (void)activityhash;
    buf_reset(&w->event);
    buf_put(&w->event, message);
}

static void open_kernel(struct world *w)
{
    struct kernel_options o = { .max_vats_online = w->setup.online_max,
                                .devices = w->setup.host,
                                .preload = w->setup.preload,
                                .sink = { .self = w, .note = on_note, .crank = on_crank } };
    struct err e;
    if (w->setup.slog) o.sink.slog = on_slog;
    if (kernel_open(w->store, &w->port, &o, &w->kernel, &e) != 0) fail_msg("%s", e.text);
}

void world_restart(struct world *w)
{
    kernel_close(w->kernel);
    assert_int_equal(w->scripted.machines, 0);
    open_kernel(w);
}

int world_step(struct world *w)
{
    uint64_t cranks;
    if (kernel_run_by(w->kernel, w->policy, 1, &cranks, &w->err) != 0) return -1;
    if (!w->setup.no_audit && kernel_audit(w->store, on_breach, w) > 0) return -1;
    return cranks > 0 ? 1 : 0;
}

void world_run(struct world *w)
{
    int ran;
    memset(&w->err, 0, sizeof w->err);
    for (unsigned i = 0; (ran = world_step(w)) > 0; i++) {
        if (i > 10000) fail_msg("the kernel does not come to rest");
    }
    if (w->breaches.n > 0) fail_msg("%.*s", SPAN_ARG(buf_span(&w->breaches)));
    if (ran < 0) fail_msg("%s", w->err.text);
    if (w->scripted.misuse > 0) fail_msg("a machine was misused");
}

/* -- plans ------------------------------------------------------------------------------------- */

static struct span plan_key(struct world *w, vat_id vat, const char *type)
{
    return key_vat_in(w->kernel, vat, "vs.plan.", span_of(type));
}

static void set_plan(struct world *w, vat_id vat, const char *type, char *lines)
{
    for (char *p = lines; *p != '\0'; p++) {
        if (*p == '\'') *p = '"';
    }
    kv_set(w->store, plan_key(w, vat, type), span_of(lines));
}

enum { PLAN_MAX = 4096 };

void plan(struct world *w, vat_id vat, const char *type, const char *lines, ...)
{
    char text[PLAN_MAX];
    va_list ap;
    va_start(ap, lines);
    vsnprintf(text, sizeof text, lines, ap);
    va_end(ap);
    set_plan(w, vat, type, text);
}

void plan_clear(struct world *w, vat_id vat, const char *type)
{
    kv_delete(w->store, plan_key(w, vat, type));
}

void queue_poke(struct world *w, vat_id vat, const char *lines)
{
    char text[PLAN_MAX];
    snprintf(text, sizeof text, "%s", lines);
    set_plan(w, vat, "bringOutYourDead", text);
    vat_schedule_reap(w->kernel, vat);
}

void poke(struct world *w, vat_id vat, const char *lines, ...)
{
    char text[PLAN_MAX];
    va_list ap;
    va_start(ap, lines);
    vsnprintf(text, sizeof text, lines, ap);
    va_end(ap);
    queue_poke(w, vat, text);
    world_run(w);
}

/* -- genesis ------------------------------------------------------------------------------------- */

static struct span bundle_text(struct arena *a, const char *name)
{
    struct buf b = { 0 };
    scripted_bundle(name, &b);
    struct span text = arena_copy(a, buf_span(&b));
    buf_fini(&b);
    return text;
}

static bool is(const char *name, const char *chosen)
{
    return chosen != NULL && strcmp(name, chosen) == 0;
}

static int64_t or_never(int64_t given)
{
    return given == 0 ? REAP_NEVER : given;
}

static void genesis(struct world *w, struct arena *a)
{
    static const char *const behaviours[] = { "auto", "puppet", "broken", "greedy" };
    const struct world_setup *s = &w->setup;
    struct genesis_bundle bundles[4];
    struct genesis_vat vats[WORLD_VATS_MAX + 2];
    struct span bundle = arena_copy(a, span_of(bundle_named("auto")));
    struct genesis_device devices[1 + WORLD_DEVICES_MAX];
    size_t device_count = 0;
    size_t n = 0;
    for (size_t i = 0; i < 4; i++) bundles[i] = (struct genesis_bundle){ .json_text = bundle_text(a, behaviours[i]) };
    const struct genesis_vat plain = { .bundle_id = bundle, .reap_interval = REAP_DEFAULT,
                                       .reap_gc_krefs = REAP_DEFAULT };
    vats[n] = plain;
    vats[n++].name = SPAN("boot");
    vats[n] = plain;
    vats[n++].name = SPAN("vatAdmin");
    for (size_t i = 0; i < WORLD_VATS_MAX && s->vats[i] != NULL; i++, n++) {
        vats[n] = plain;
        vats[n].name = span_of(s->vats[i]);
        vats[n].critical = is(s->vats[i], s->critical);
        vats[n].enable_pipelining = is(s->vats[i], s->pipelining);
        vats[n].comms = vats[n].never_reap = is(s->vats[i], s->comms);
        if (s->puppets) vats[n].bundle_id = arena_copy(a, span_of(bundle_named("puppet")));
    }
    for (; device_count < WORLD_DEVICES_MAX && s->devices[device_count].name != NULL; device_count++) {
        devices[device_count] = (struct genesis_device){
            .name = span_of(s->devices[device_count].name), .bundle_id = bundle };
        const char *options = s->devices[device_count].options;
        if (options != NULL) devices[device_count].options_json = span_of(options);
    }
    devices[device_count++] = (struct genesis_device){ .name = SPAN("vatAdmin"), .bundle_id = bundle };
    struct genesis g = {
        .bundle_count = 4, .bundles = bundles, .vat_count = n, .vats = vats,
        .device_count = device_count, .devices = devices,
        .boot_count = 2, .boot = { bundle_text(a, "lockdown"), bundle_text(a, "supervisor") },
        .bootstrap = SPAN("boot"), .pin_bootstrap_root = true,
        .default_manager_type = SPAN("xsnap"),
        .default_reap_interval = or_never(s->reap_deliveries),
        .default_reap_gc_krefs = or_never(s->reap_gc_krefs),
        .snapshot_initial = s->snapshot_initial == 0 ? -1 : s->snapshot_initial,
        .snapshot_interval = s->snapshot_interval == 0 ? -1 : s->snapshot_interval,
        .zygotes = !s->no_zygotes,
        .max_vats = s->max_vats,
    };
    struct err e;
    if (store_open(NULL, STORE_CREATE, &w->store, &e) != 0 ||
        kernel_genesis(w->store, &g, &w->bootstrap, &e) != 0) {
        fail_msg("%s", e.text);
    }
}

static void introduce_static(struct world *w)
{
    struct buf lines = { 0 };
    vat_id vats[WORLD_VATS_MAX + 1] = { w->admin };
    size_t n = 1;
    for (size_t i = 0; i < WORLD_VATS_MAX && w->setup.vats[i] != NULL; i++) {
        vats[n++] = vat_named(w, w->setup.vats[i]);
    }
    for (size_t i = 0; i < n; i++) {
        buf_printf(&lines, "send %s o+0", name_for(w, w->boot, root_of(w, vats[i])));
        for (size_t j = 0; j < n; j++) {
            if (j != i) buf_printf(&lines, " %s", name_for(w, w->boot, root_of(w, vats[j])));
        }
        buf_putc(&lines, '\n');
    }
    buf_putc(&lines, '\0');
    poke(w, w->boot, "%s", lines.p);
    buf_fini(&lines);
}

void world_open(struct world *w, const struct world_setup *s)
{
    struct arena a;
    arena_init(&a);
    *w = (struct world){ .setup = *s };
    scripted_port(&w->scripted, &w->port);
    genesis(w, &a);
    open_kernel(w);
    w->boot = vat_named(w, "boot");
    w->admin = vat_named(w, "vatAdmin");
    arena_fini(&a);
    world_run(w);
    if (!s->not_introduced) introduce_static(w);
}

void world_close(struct world *w)
{
    kernel_close(w->kernel);
    store_close(w->store);
    buf_fini(&w->notes);
    buf_fini(&w->breaches);
    buf_fini(&w->slog);
    buf_fini(&w->event);
}

/* -- dumps --------------------------------------------------------------------------------------- */

static void dump_keys(struct world *w, struct span prefix, struct buf *out)
{
    struct span key = prefix, value;
    struct arena *a = kernel_arena(w->kernel);
    while (kv_next_key(w->store, arena_copy(a, key), &key) && span_starts(key, prefix)) {
        if (span_starts(key, SPAN("local.")) || !kv_get(w->store, key, &value)) continue;
        buf_put(out, key);
        buf_putc(out, '=');
        buf_put(out, value);
        buf_putc(out, '\n');
    }
}

static bool dump_item(void *ctx, uint64_t position, struct span item)
{
    struct buf *out = ctx;
    buf_printf(out, "  %llu ", (unsigned long long)position);
    buf_put(out, item);
    buf_putc(out, '\n');
    return true;
}

static void dump_transcript(struct world *w, vat_id vat, struct buf *out)
{
    struct transcript_bounds t;
    struct snapshot_info s;
    if (!transcript_bounds(w->store, span_of_vat(w->kernel, vat), &t)) return;
    buf_printf(out, "transcript of v%u: %llu-%llu %s\n", vat.n, (unsigned long long)t.start,
               (unsigned long long)t.end, t.hash);
    transcript_read(w->store, span_of_vat(w->kernel, vat), 0, t.end, dump_item, out);
    if (snapshot_info(w->store, span_of_vat(w->kernel, vat), &s)) {
        buf_printf(out, "snapshot at %llu: %s\n", (unsigned long long)s.position, s.hash);
    }
}

void world_dump_keys(struct world *w, const char *prefix, struct buf *out)
{
    dump_keys(w, span_of(prefix), out);
}

void world_dump(struct world *w, struct buf *out)
{
    dump_keys(w, SPAN(""), out);
    uint64_t next = state_need_u64(w->kernel, SPAN("vat.nextID"));
    for (uint32_t n = 1; n < next; n++) dump_transcript(w, (vat_id){ n }, out);
}

/* -- transcripts ----------------------------------------------------------------------------------- */

struct search {
    struct world *w;
    const char *text;
    bool in_calls;
    unsigned count;
    int64_t at, end;
    const char *found;
};

static struct span part_of(struct world *w, struct span item, const char *part)
{
    struct jval v;
    struct err e;
    struct arena *a = kernel_arena(w->kernel);
    int failed = json_parse(a, arena_copy(a, item), &v, &e);
    assert_int_equal(failed, 0);
    return json_raw(json_get(v, part));
}

static bool look(void *ctx, uint64_t position, struct span item)
{
    struct search *s = ctx;
    struct span d = part_of(s->w, item, s->in_calls ? "sc" : "d");
    if (s->text != NULL && memmem(d.p, d.n, s->text, strlen(s->text)) != NULL) s->count++;
    if (s->text == NULL && (int64_t)position == s->at) s->found = keep(d);
    return true;
}

static void search(struct world *w, vat_id vat, struct search *s)
{
    struct transcript_bounds t;
    struct span name = span_of_vat(w->kernel, vat);
    s->found = "";
    if (!transcript_bounds(w->store, name, &t)) return;
    if (s->at < 0) s->at += (int64_t)t.end;
    transcript_read(w->store, name, 0, t.end, look, s);
}

unsigned told(struct world *w, vat_id vat, const char *text)
{
    struct search s = { .w = w, .text = text };
    search(w, vat, &s);
    return s.count;
}

unsigned called(struct world *w, vat_id vat, const char *text)
{
    struct search s = { .w = w, .text = text, .in_calls = true };
    search(w, vat, &s);
    return s.count;
}

const char *delivery_at(struct world *w, vat_id vat, int at)
{
    struct search s = { .w = w, .at = at };
    search(w, vat, &s);
    return s.found;
}

const char *calls_at(struct world *w, vat_id vat, int at)
{
    struct search s = { .w = w, .at = at, .in_calls = true };
    search(w, vat, &s);
    return s.found;
}

/* -- the vat-admin device --------------------------------------------------------------------------- */

static vat_id next_vat(struct world *w)
{
    return (vat_id){ (uint32_t)state_need_u64(w->kernel, SPAN("vat.nextID")) };
}

void device_call(struct world *w, const char *fmt, ...)
{
    char text[PLAN_MAX] = "call d-70 ";
    size_t n = strlen(text);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text + n, sizeof text - n, fmt, ap);
    va_end(ap);
    queue_poke(w, w->boot, text);
}

static void call_device(struct world *w, const char *method, const char *body, const char *slots)
{
    device_call(w, "%s %s%s", method, body, slots);
}

void upgrade(struct world *w, vat_id vat, const char *bundle, const char *parameters,
             const char *slots)
{
    device_call(w, "upgradeVat #['v%u','%s',%s,'a-reason'] %s", vat.n, bundle_named(bundle),
                parameters, slots);
}

vat_id create(struct world *w, const char *bundle, const char *options)
{
    char body[512];
    vat_id vat = next_vat(w);
    snprintf(body, sizeof body, "#['%s',{%s}]", bundle_named(bundle), options);
    call_device(w, "createByBundleID", body, "");
    world_run(w);
    return vat;
}

void terminate(struct world *w, vat_id vat)
{
    char body[64];
    snprintf(body, sizeof body, "#['v%u','because']", vat.n);
    call_device(w, "terminateWithFailure", body, "");
    world_run(w);
}

vat_id device_fork(struct world *w, vat_id parent, size_t count, const kref *refs, const char *options)
{
    struct buf body = { 0 }, slots = { 0 };
    vat_id child = next_vat(w);
    buf_printf(&body, "#['v%u',[", parent.n);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&body, "%s'$%zu.Alleged:x'", i > 0 ? "," : "", i);
        buf_printf(&slots, " %s", name_for(w, w->boot, refs[i]));
    }
    buf_printf(&body, "],{%s}]", options);
    buf_putc(&body, '\0');
    buf_putc(&slots, '\0');
    call_device(w, "forkVat", body.p, slots.p);
    buf_fini(&body);
    buf_fini(&slots);
    return child;
}

void device_seal(struct world *w, vat_id vat)
{
    char body[64];
    snprintf(body, sizeof body, "#['v%u']", vat.n);
    call_device(w, "zygotifyVat", body, "");
}

void introduce(struct world *w, vat_id who, vat_id to)
{
    poke(w, w->admin, "send %s %s", name_for(w, w->admin, root_of(w, who)),
         name_for(w, w->admin, root_of(w, to)));
}

/* -- litter ------------------------------------------------------------------------------------------- */

#define litter(w, n, ...) ((n)++, buf_printf(&(w)->breaches, __VA_ARGS__), buf_putc(&(w)->breaches, '\n'))

static unsigned litter_object(struct world *w, kref o)
{
    struct kernel *k = w->kernel;
    struct refs n = object_refs(k, o);
    vat_id owner;
    unsigned found = 0;
    if (!object_owner(k, o, &owner)) {
        if (n.reachable == 0) litter(w, found, "litter: the orphan %s (0,%llu)", kref_text(o).s, (unsigned long long)n.recognizable);
    } else if (!vat_is_sealed(k, owner)) {
        if (n.reachable == 0 && clist_is_reachable(k, owner, o)) {
            litter(w, found, "litter: nobody told v%u to drop %s", owner.n, kref_text(o).s);
        }
        if (n.recognizable == 0) litter(w, found, "litter: nobody told v%u to retire %s", owner.n, kref_text(o).s);
    }
    return found;
}

static unsigned litter_rows(struct world *w, vat_id vat)
{
    struct clist_walk walk = { 0 };
    unsigned found = 0;
    while (clist_next(w->kernel, vat, "o-", &walk)) {
        bool reachable = clist_is_reachable(w->kernel, vat, walk.r);
        if (object_exists(w->kernel, walk.r) || (!reachable && vat_is_sealed(w->kernel, vat))) continue;
        litter(w, found, "litter: v%u has %s, which is gone", vat.n, kref_text(walk.r).s);
    }
    return found;
}

unsigned world_litter(struct world *w)
{
    struct kernel *k = w->kernel;
    unsigned found = 0;
    uint64_t objects = state_need_u64(k, SPAN("ko.nextID")), promises = state_need_u64(k, SPAN("kp.nextID"));
    for (uint64_t n = 20; n < objects; n++) {
        kref o = { KREF_OBJECT, n };
        if (object_exists(k, o)) found += litter_object(w, o);
    }
    for (uint64_t n = 40; n < promises; n++) {
        kref p = { KREF_PROMISE, n };
        if (promise_state(k, p) == PROMISE_UNKNOWN) continue;
        if (state_need_u64(k, key_kref(k, p, "refCount")) == 0) litter(w, found, "litter: kp%llu", (unsigned long long)n);
    }
    vat_id *all;
    size_t count = vats_all(k, &all);
    for (size_t i = 0; i < count; i++) found += litter_rows(w, all[i]);
    return found;
}
