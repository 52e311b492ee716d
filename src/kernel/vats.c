#include "kernel/vats.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "kernel/clist.h"
#include "kernel/object.h"
#include "store/transcript.h"

static const struct span dynamic_key = { "vat.dynamicIDs", 14 };
static const struct span names_key = { "vat.names", 9 };
static const struct span terminated_key = { "vats.terminated", 15 };

static vat_id vat_of(struct span text)
{
    vat_id v = { 0 };
    bool ok = vat_id_parse(text, &v);
    INVARIANT(ok);
    return v;
}

/* -- ids and lists ------------------------------------------------------------------------- */

bool vat_name_valid(struct span name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-') return false;
    }
    return name.n > 0 && name.n < 200;
}

vat_id vat_allocate_id(struct kernel *k)
{
    struct span key = SPAN("vat.nextID");
    uint64_t n = state_need_u64(k, key);
    INVARIANT(n <= UINT32_MAX);
    stats_inc(&k->stats, STAT_VATS);
    state_set_u64(k, key, n + 1);
    return (vat_id){ (uint32_t)n };
}

static struct span name_key(struct kernel *k, struct span name)
{
    return arena_printf(kernel_arena(k), "vat.name.%.*s", SPAN_ARG(name));
}

bool vat_by_name(struct kernel *k, struct span name, vat_id *out)
{
    struct span text;
    if (!kv_get(k->store, name_key(k, name), &text)) return false;
    *out = vat_of(text);
    return true;
}

vat_id vat_allocate_named(struct kernel *k, struct span name)
{
    vat_id v;
    if (vat_by_name(k, name, &v)) return v;
    v = vat_allocate_id(k);
    kv_set(k->store, name_key(k, name), span_of_vat(k, v));
    struct strings names = state_strings(k, names_key);
    names = strings_with(k, &names, name);
    state_set_strings(k, names_key, &names);
    return v;
}

/* The lists of dynamic and of terminated vats grow to thousands and each change is of one, so
 * these work on their text, a JSON array of IDs without white space, and do not take it apart.
 *   change  what the crankhash covers in place of the list; absent: the list, as upstream */
static void change_list(struct kernel *k, struct span key, struct span before, struct span middle,
                        struct span after, struct span change)
{
    struct buf b = { 0 };
    buf_room(&b, before.n + middle.n + after.n);
    buf_put(&b, before);
    buf_put(&b, middle);
    buf_put(&b, after);
    if (change.p != NULL) kv_set_as(k->store, key, buf_span(&b), change);
    else kv_set(k->store, key, buf_span(&b));
    buf_fini(&b);
}

static void list_add(struct kernel *k, struct span key, vat_id vat, struct span change)
{
    struct span ids = state_need(k, key);
    INVARIANT(ids.n >= 2 && ids.p[ids.n - 1] == ']');
    struct span item = span_join(k, ids.n > 2 ? ",\"" : "\"", span_of_vat(k, vat), "\"");
    change_list(k, key, (struct span){ ids.p, ids.n - 1 }, item, SPAN("]"), change);
}

/* False: it was not on the list. */
static bool list_remove(struct kernel *k, struct span key, vat_id vat)
{
    struct span ids = state_need(k, key);
    struct span item = span_join(k, "\"", span_of_vat(k, vat), "\"");
    const char *at = memmem(ids.p, ids.n, item.p, item.n);
    if (at == NULL) return false;
    size_t from = (size_t)(at - ids.p), to = from + item.n;
    if (ids.p[to] == ',') to++; /* the comma behind it goes too; of the last one, that before it */
    else if (ids.p[from - 1] == ',') from--;
    change_list(k, key, (struct span){ ids.p, from }, SPAN(""), span_from(ids, to), SPAN_NONE);
    return true;
}

void vat_add_dynamic(struct kernel *k, vat_id vat)
{
    list_add(k, dynamic_key, vat, SPAN_NONE);
}

void vat_add_forked(struct kernel *k, vat_id vat)
{
    list_add(k, dynamic_key, vat, span_join(k, "add ", SPAN(""), vat_id_text(vat).s));
}

bool vat_is_dynamic(struct kernel *k, vat_id vat)
{
    struct strings names = state_strings(k, names_key);
    for (size_t i = 0; i < names.count; i++) {
        vat_id named;
        if (vat_by_name(k, names.items[i], &named) && vat_id_eq(named, vat)) return false;
    }
    return true;
}

bool vats_next_static(struct kernel *k, struct span *key, struct span *name, vat_id *vat)
{
    struct span prefix = SPAN("vat.name.");
    if (key->p == NULL) *key = prefix;
    if (!state_next_key(k, prefix, key)) return false;
    *name = span_from(*key, prefix.n);
    *vat = vat_of(state_need(k, *key));
    return true;
}

void vat_delete_id(struct kernel *k, vat_id vat)
{
    if (list_remove(k, dynamic_key, vat)) return;
    struct span key = SPAN_NONE, name;
    vat_id at;
    while (vats_next_static(k, &key, &name, &at)) {
        if (!vat_id_eq(at, vat)) continue;
        kv_delete(k->store, key);
        struct strings names = state_strings(k, names_key);
        names = strings_without(k, &names, name);
        state_set_strings(k, names_key, &names);
        break;
    }
    stats_dec(&k->stats, STAT_VATS, 1); /* upstream: for static vats only */
}

size_t vats_dynamic(struct kernel *k, vat_id **out)
{
    struct strings ids = state_strings(k, dynamic_key);
    *out = ARENA_ARRAY(kernel_arena(k), vat_id, ids.count + 1);
    for (size_t i = 0; i < ids.count; i++) (*out)[i] = vat_of(ids.items[i]);
    return ids.count;
}

size_t vats_all(struct kernel *k, vat_id **out)
{
    vat_id *dynamic;
    size_t dynamic_count = vats_dynamic(k, &dynamic), count = 0;
    struct strings names = state_strings(k, names_key);
    *out = ARENA_ARRAY(kernel_arena(k), vat_id, names.count + dynamic_count + 1);
    struct span key = SPAN_NONE, name;
    vat_id v;
    while (count < names.count && vats_next_static(k, &key, &name, &v)) (*out)[count++] = v;
    for (size_t i = 0; i < dynamic_count; i++) (*out)[count++] = dynamic[i];
    return count;
}

/* Two quotes each, in the text of the dynamic ones. */
uint64_t vats_count(struct kernel *k)
{
    struct span ids = state_need(k, dynamic_key);
    uint64_t quotes = 0;
    for (size_t i = 0; i < ids.n; i++) quotes += ids.p[i] == '"';
    return state_strings(k, names_key).count + quotes / 2 + k->terminated_count;
}

/* -- alive, terminated, sealed --------------------------------------------------------------- */

/* Where `vat` stands among the dead, or would: they are in ascending order, for they are asked
 * about at every turn and there may be thousands. */
static size_t place_among_dead(const struct kernel *k, vat_id vat)
{
    size_t from = 0, to = k->terminated_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (k->dead[middle].n < vat.n) from = middle + 1;
        else to = middle;
    }
    return from;
}

bool vat_is_terminated(struct kernel *k, vat_id vat)
{
    size_t at = place_among_dead(k, vat);
    return at < k->terminated_count && vat_id_eq(k->dead[at], vat);
}

static void *insert(vat_id *list, size_t count, size_t at, vat_id vat)
{
    list = xrealloc(list, (count + 1) * sizeof *list);
    memmove(list + at + 1, list + at, (count - at) * sizeof *list);
    list[at] = vat;
    return list;
}

static void take_out(vat_id *list, size_t count, size_t at)
{
    memmove(list + at, list + at + 1, (count - at - 1) * sizeof *list);
}

/* In memory. */
static void add_terminated(struct kernel *k, vat_id vat)
{
    k->dead = insert(k->dead, k->terminated_count, place_among_dead(k, vat), vat);
    k->terminated = insert(k->terminated, k->terminated_count, k->terminated_count, vat);
    k->terminated_count++;
}

bool vats_load_terminated(struct kernel *k)
{
    struct strings ids = state_strings(k, terminated_key);
    k->terminated_count = 0;
    for (size_t i = 0; i < ids.count; i++) {
        vat_id vat;
        if (vat_id_parse(ids.items[i], &vat)) add_terminated(k, vat);
    }
    return k->terminated_count == ids.count;
}

bool vat_is_alive(struct kernel *k, vat_id vat)
{
    return state_has(k, key_vat(k, vat, "o.nextID")) && !vat_is_terminated(k, vat);
}

void vat_mark_terminated(struct kernel *k, vat_id vat)
{
    if (vat_is_terminated(k, vat)) return;
    add_terminated(k, vat);
    list_add(k, terminated_key, vat, SPAN_NONE);
}

void vat_forget_terminated(struct kernel *k, vat_id vat)
{
    size_t at = 0;
    while (at < k->terminated_count && !vat_id_eq(k->terminated[at], vat)) at++;
    bool listed = at < k->terminated_count && list_remove(k, terminated_key, vat);
    INVARIANT(listed);
    take_out(k->terminated, k->terminated_count, at);
    take_out(k->dead, k->terminated_count, place_among_dead(k, vat));
    k->terminated_count--;
}

bool vat_first_terminated(struct kernel *k, vat_id *out)
{
    if (k->terminated_count == 0) return false;
    *out = k->terminated[0];
    return true;
}

bool vat_is_sealed(struct kernel *k, vat_id vat)
{
    return k->zygotes && state_has(k, key_vat(k, vat, "sealed"));
}

/* -- what is recorded of a vat ----------------------------------------------------------------- */

static void put_bool(struct buf *b, const char *name, bool value)
{
    buf_printf(b, ",\"%s\":%s", name, value ? "true" : "false");
}

static void put_worker_options(struct buf *b, const struct vat_options *o)
{
    if (o->local) {
        buf_puts(b, "{\"workerOptions\":{\"type\":\"local\"}");
        return;
    }
    buf_puts(b, "{\"workerOptions\":{\"type\":\"xsnap\",\"bundleIDs\":[");
    for (size_t i = 0; i < o->boot.count; i++) {
        if (i > 0) buf_putc(b, ',');
        json_put_string(b, o->boot.items[i]);
    }
    buf_puts(b, "]}");
}

struct span vat_options_text(struct kernel *k, const struct vat_options *o)
{
    struct buf b = { 0 };
    put_worker_options(&b, o);
    if (o->name.p != NULL) {
        buf_puts(&b, ",\"name\":");
        json_put_string(&b, o->name);
    }
    put_bool(&b, "enableSetup", o->enable_setup);
    put_bool(&b, "enablePipelining", o->enable_pipelining);
    put_bool(&b, "enableDisavow", o->enable_disavow);
    put_bool(&b, "useTranscript", o->use_transcript);
    buf_puts(&b, ",\"reapDirtThreshold\":");
    buf_put(&b, o->reap_dirt_threshold);
    put_bool(&b, "critical", o->critical);
    if (o->meter_id.p != NULL) {
        buf_puts(&b, ",\"meterID\":");
        json_put_string(&b, o->meter_id);
    }
    buf_putc(&b, '}');
    struct span text = arena_copy(kernel_arena(k), buf_span(&b));
    buf_fini(&b);
    return text;
}

struct span vat_source_text(struct kernel *k, struct span bundle_id)
{
    return arena_printf(kernel_arena(k), "{\"bundleID\":\"%.*s\"}", SPAN_ARG(bundle_id));
}

void vat_set_source(struct kernel *k, vat_id vat, struct span source, const struct vat_options *o)
{
    kv_set(k->store, key_vat(k, vat, "source"), source);
    kv_set(k->store, key_vat(k, vat, "options"), vat_options_text(k, o));
}

void vat_create_state(struct kernel *k, vat_id vat, struct span source, const struct vat_options *o)
{
    kv_set(k->store, key_vat(k, vat, "o.nextID"), SPAN("50"));
    kv_set(k->store, key_vat(k, vat, "p.nextID"), SPAN("60"));
    kv_set(k->store, key_vat(k, vat, "d.nextID"), SPAN("70"));
    kv_set(k->store, key_vat(k, vat, "reapDirt"), SPAN("{}"));
    vat_set_source(k, vat, source, o);
    transcript_init(k->store, span_of_vat(k, vat));
}

static bool is_true(struct jval record, const char *key)
{
    return json_type(json_get(record, key)) == JSON_TRUE;
}

struct vat_options vat_options(struct kernel *k, vat_id vat)
{
    struct arena *a = kernel_arena(k);
    struct jval v = state_json(k, key_vat(k, vat, "options"));
    struct jval boot = json_get(json_get(v, "workerOptions"), "bundleIDs");
    struct vat_options o = {
        .name = json_str(json_get(v, "name"), a),
        .local = json_is(json_get(json_get(v, "workerOptions"), "type"), "local"),
        .enable_setup = is_true(v, "enableSetup"),
        .enable_pipelining = is_true(v, "enablePipelining"),
        .enable_disavow = is_true(v, "enableDisavow"),
        .use_transcript = is_true(v, "useTranscript"),
        .critical = is_true(v, "critical"),
        .reap_dirt_threshold = json_raw(json_get(v, "reapDirtThreshold")),
        .meter_id = json_str(json_get(v, "meterID"), a),
        .boot = { .count = json_len(boot) },
    };
    o.boot.items = ARENA_ARRAY(a, struct span, o.boot.count + 1);
    for (size_t i = 0; i < o.boot.count; i++) o.boot.items[i] = json_str(json_at(boot, i), a);
    return o;
}

/* Where the text behind `member` begins in the vat's options; NULL if it is not there.  Quotes
 * in a JSON string are escaped, so none of a name's can look like a member. */
static const char *find_option(struct span options, struct span member)
{
    const char *at = memmem(options.p, options.n, member.p, member.n);
    return at == NULL ? NULL : at + member.n;
}

bool vat_pipelines(struct kernel *k, vat_id vat)
{
    struct span options = state_need(k, key_vat(k, vat, "options"));
    return find_option(options, SPAN("\"enablePipelining\":true")) != NULL;
}

struct span vat_reap_threshold(struct kernel *k, vat_id vat)
{
    struct span options = state_need(k, key_vat(k, vat, "options"));
    const char *at = find_option(options, SPAN("\"reapDirtThreshold\":"));
    if (at == NULL) return SPAN("{}");
    const char *end = memchr(at, '}', options.n - (size_t)(at - options.p));
    INVARIANT(end != NULL); /* a flat record of numbers, "never" and true */
    return (struct span){ at, (size_t)(end + 1 - at) };
}

struct span vat_meter(struct kernel *k, vat_id vat)
{
    struct span options = state_need(k, key_vat(k, vat, "options"));
    const char *at = find_option(options, SPAN("\"meterID\":\""));
    if (at == NULL) return SPAN_NONE;
    const char *end = memchr(at, '"', options.n - (size_t)(at - options.p));
    INVARIANT(end != NULL);
    return (struct span){ at, (size_t)(end - at) };
}

struct span vat_bundle_id(struct kernel *k, vat_id vat)
{
    struct jval v = state_json(k, key_vat(k, vat, "source"));
    return json_str(json_get(v, "bundleID"), kernel_arena(k));
}

struct span vat_own_bundle(struct kernel *k, vat_id vat)
{
    return json_raw(json_get(state_json(k, key_vat(k, vat, "source")), "bundle"));
}

void vat_set_parameters(struct kernel *k, vat_id vat, const struct capdata *parameters)
{
    struct span key = key_vat(k, vat, "vatParameters");
    refs_inc(k, parameters);
    struct capdata old;
    if (state_has(k, key)) {
        bool ok = capdata_decode(kernel_arena(k), state_json(k, key), &old);
        INVARIANT(ok);
        refs_dec(k, &old);
    }
    struct buf b = { 0 };
    capdata_put(&b, parameters);
    kv_set(k->store, key, buf_span(&b));
    buf_fini(&b);
}

kref vat_root(struct kernel *k, vat_id vat)
{
    kref root;
    enum clist_result r = clist_to_kernel(k, vat, SPAN("o+0"), CLIST_REACH, &root);
    INVARIANT(r == CLIST_OK);
    return root;
}
