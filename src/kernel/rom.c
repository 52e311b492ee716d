#include "kernel/rom.h"

#include "kernel/clist.h"
#include "kernel/device.h"
#include "kernel/devices/raw.h"
#include "kernel/lifecycle.h"
#include "kernel/limits.h"
#include "kernel/lineage.h"
#include "kernel/meter.h"
#include "kernel/object.h"
#include "kernel/vats.h"
#include "kernel/warehouse.h"
#include "store/bundle.h"
#include "store/snapshot.h"
#include "store/transcript.h"

/* -- saving ---------------------------------------------------------------------------------- */

static int check_at_rest(struct kernel *k, vat_id vat, struct snapshot_info *heap, struct err *e)
{
    struct transcript_bounds t;
    if (!vat_is_alive(k, vat)) {
        return err_set(e, EXIT_NOT_FOUND, "there is no living vat %s", vat_id_text(vat).s);
    }
    struct span why = fork_refusal(k, vat, false);
    if (why.p == NULL && vat_bundle_id(k, vat).p == NULL) {
        why = SPAN("it was not created from an installed bundle");
    }
    if (why.p == NULL && (!transcript_bounds(k->store, span_of_vat(k, vat), &t) ||
                          t.end - t.start > 1 || !snapshot_info(k->store, span_of_vat(k, vat), heap))) {
        why = SPAN("it has run since its last heap snapshot; seal it, or a fork of it, first");
    }
    if (why.p == NULL) return 0;
    return err_set(e, EXIT_POLICY, "%s: %.*s", vat_id_text(vat).s, SPAN_ARG(why));
}

/* What an import is here, for whoever has to find its like elsewhere. */
static struct span described(struct kernel *k, kref r)
{
    struct arena *a = kernel_arena(k);
    struct span text, slot, name = SPAN("device.name."), key = name;
    vat_id owner;
    if (r.kind == KREF_OBJECT) {
        struct clist_row row;
        if (!object_owner(k, r, &owner) || !clist_row(k, owner, r, &row)) return SPAN("nobody's");
        struct span owner_name = vat_options(k, owner).name;
        if (owner_name.p == NULL) owner_name = span_of_vat(k, owner);
        return arena_printf(a, "%.*s of %.*s", SPAN_ARG(row.vref), SPAN_ARG(owner_name));
    }
    device_id d;
    bool ok = device_id_parse(state_need(k, key_kref(k, r, "owner")), &d);
    INVARIANT(ok);
    slot = device_slot(k, d, r);
    if (kv_get(k->store, key_device(k, d, "vs.slot.", slot), &text)) {
        return arena_printf(a, "bundle:%.*s", SPAN_ARG(text));
    }
    while (state_next_key(k, name, &key)) {
        if (span_is(state_need(k, key), device_id_text(d).s)) break;
    }
    return span_is(slot, "d+0") ? span_from(key, name.n)
                                : arena_printf(a, "%.*s of device %.*s", SPAN_ARG(slot),
                                               SPAN_ARG(span_from(key, name.n)));
}

static void save_clist(struct kernel *k, vat_id vat, struct rom *r)
{
    struct clist_walk w = { 0 };
    size_t room = 0;
    while (clist_next(k, vat, "", &w)) room++;
    r->rows = ARENA_ARRAY(kernel_arena(k), struct rom_row, room + 1);
    w = (struct clist_walk){ 0 };
    while (clist_next(k, vat, "", &w)) {
        struct rom_row *row = &r->rows[r->row_count++];
        struct clist_row found = { 0 };
        clist_row(k, vat, w.r, &found);
        *row = (struct rom_row){ .vref = w.vref, .reachable = found.reachable };
        if (!rom_row_is_import(row)) continue;
        struct span was = described(k, w.r);
        /* Cut with room to spare: half a character is written as a whole one. */
        if (was.n > ROM_WAS_MAX - 10) was.n = ROM_WAS_MAX - 10;
        row->was = was;
    }
}

/* Its parameters in its own words; what it has given up since has none. */
static void save_parameters(struct kernel *k, vat_id vat, struct rom *r)
{
    struct span key = key_vat(k, vat, "vatParameters");
    struct capdata d;
    if (!state_has(k, key)) return;
    bool ok = capdata_decode(kernel_arena(k), state_json(k, key), &d);
    INVARIANT(ok);
    r->has_parameters = true;
    r->parameters = (struct vat_capdata){ d.body, d.count, NULL };
    r->parameters.slots = ARENA_ARRAY(kernel_arena(k), struct span, d.count + 1);
    for (size_t i = 0; i < d.count; i++) {
        struct clist_row row;
        if (clist_row(k, vat, d.slots[i], &row) && row.reachable) r->parameters.slots[i] = row.vref;
    }
}

static void save_vatstore(struct kernel *k, vat_id vat, struct rom *r)
{
    struct span prefix = key_vat(k, vat, "vs."), key = prefix;
    size_t room = 0;
    while (state_next_key(k, prefix, &key)) room++;
    r->entries = ARENA_ARRAY(kernel_arena(k), struct rom_entry, room + 1);
    for (key = prefix; state_next_key(k, prefix, &key);) {
        r->entries[r->entry_count++] = (struct rom_entry){ span_from(key, prefix.n), state_need(k, key) };
    }
}

static void add_ancestor(struct kernel *k, struct rom *r, struct rom_ancestor n)
{
    if (r->ancestors == NULL) {
        r->ancestors = ARENA_ARRAY(kernel_arena(k), struct rom_ancestor, ROM_LINEAGE_MAX);
    }
    if (r->ancestor_count < ROM_LINEAGE_MAX) r->ancestors[r->ancestor_count++] = n;
}

/* The lineage of the rom that a vat came from, behind that of its forks here. */
static void add_loaded(struct kernel *k, vat_id vat, struct rom *r)
{
    struct span key = key_vat(k, vat, "loadedFrom");
    struct arena *a = kernel_arena(k);
    if (!state_has(k, key)) return;
    struct jval lineage = json_get(state_json(k, key), "lineage");
    for (struct jval v = json_first(lineage); json_type(v) != JSON_NONE; v = json_next(v)) {
        struct rom_ancestor n = { .vat = json_str(json_get(v, "vatID"), a),
                                  .snapshot = json_str(json_get(v, "snapshotID"), a) };
        bool ok = json_u64(json_get(v, "incarnation"), &n.incarnation) &&
                  json_u64(json_get(v, "position"), &n.position);
        INVARIANT(ok);
        add_ancestor(k, r, n);
    }
}

static void save_lineage(struct kernel *k, vat_id vat, const struct snapshot_info *heap, struct rom *r)
{
    struct transcript_bounds t;
    struct fork_origin o;
    bool found = transcript_bounds(k->store, span_of_vat(k, vat), &t);
    INVARIANT(found);
    struct span hash = arena_copy(kernel_arena(k), span_of(heap->hash));
    add_ancestor(k, r, (struct rom_ancestor){ span_of_vat(k, vat), t.incarnation, t.end, hash });
    for (; lineage_origin(k, vat, &o); vat = o.parent) {
        add_ancestor(k, r, (struct rom_ancestor){ span_of_vat(k, o.parent), o.incarnation, o.position,
                                                  o.snapshot });
    }
    add_loaded(k, vat, r);
}

static void save_plain(struct kernel *k, vat_id vat, struct rom *r)
{
    struct vat_options o = vat_options(k, vat);
    r->name = o.name;
    r->boot_count = o.boot.count;
    r->boot = o.boot.items;
    r->bundle_id = vat_bundle_id(k, vat);
    r->metered = o.meter_id.p != NULL;
    r->reap_dirt_threshold = o.reap_dirt_threshold;
    r->reap_dirt = state_need(k, key_vat(k, vat, "reapDirt"));
    r->next_o = state_need_u64(k, key_vat(k, vat, "o.nextID"));
    r->next_p = state_need_u64(k, key_vat(k, vat, "p.nextID"));
    r->next_d = state_need_u64(k, key_vat(k, vat, "d.nextID"));
}

static int to_buf(void *ctx, struct span bytes, struct err *e)
{
    (void)e;
    buf_put(ctx, bytes);
    return 0;
}

static int save_large(struct kernel *k, const struct snapshot_info *info, struct rom *r,
                      struct buf *heap, struct buf *bundle, struct err *e)
{
    if (snapshot_read(k->store, info->hash, to_buf, heap, e) != 0 ||
        bundle_get(k->store, r->bundle_id, bundle, e) != 0) {
        return -1;
    }
    r->heap = buf_span(heap);
    r->bundle = buf_span(bundle);
    r->engine = rom_engine(kernel_arena(k), r->heap);
    if (r->engine.p != NULL) return 0;
    return err_set(e, EXIT_INTEGRITY, "the heap snapshot %s is not one of XS", info->hash);
}

int kernel_rom_save(struct kernel *k, vat_id vat, struct buf *out, struct err *e)
{
    struct snapshot_info info;
    struct rom r = { 0 };
    struct buf heap = { 0 }, bundle = { 0 };
    if (check_at_rest(k, vat, &info, e) != 0) return -1;
    save_plain(k, vat, &r);
    save_clist(k, vat, &r);
    save_parameters(k, vat, &r);
    save_vatstore(k, vat, &r);
    save_lineage(k, vat, &info, &r);
    int failed = save_large(k, &info, &r, &heap, &bundle, e);
    if (failed == 0) failed = rom_write(&r, out, e);
    buf_fini(&heap);
    buf_fini(&bundle);
    return failed;
}

/* -- what imports are given -------------------------------------------------------------------- */

int kernel_device_node(struct kernel *k, struct span name, kref *out, struct err *e)
{
    device_id d;
    if (!device_by_name(k, name, &d)) {
        return err_set(e, EXIT_NOT_FOUND, "there is no device %s", span_shown(name).s);
    }
    *out = device_node(k, d, SPAN("d+0"));
    return 0;
}

int kernel_bundle_node(struct kernel *k, struct span bundle, kref *out, struct err *e)
{
    device_id d;
    struct capdata answer;
    struct span id = bundle;
    kv_get(k->store, span_join(k, "namedBundleID.", bundle, ""), &id);
    if (!device_by_name(k, SPAN("vatAdmin"), &d)) {
        return err_set(e, EXIT_NOT_FOUND, "there is no vatAdmin device, so there are no bundlecaps");
    }
    if (!raw_is_bundle_id(id) || !bundle_has(k->store, id)) {
        return err_set(e, EXIT_NOT_FOUND, "there is no bundle %s in this store", span_shown(bundle).s);
    }
    struct raw_call c = { .k = k, .d = d, .device = "vat-admin", .slot = SPAN("d+0"), .answer = &answer };
    bool ok = raw_answer_bundlecap(&c, id);
    INVARIANT(ok && answer.count == 1);
    *out = answer.slots[0];
    return 0;
}

/* -- what may be refused ------------------------------------------------------------------------- */

static const struct rom_import *import_for(const struct rom_request *r, struct span name)
{
    for (size_t i = 0; i < r->import_count; i++) {
        if (span_eq(r->imports[i].vref, name)) return &r->imports[i];
    }
    return NULL;
}

static int check_import(struct kernel *k, const struct rom_request *r, size_t at, struct err *e)
{
    const struct rom_import *n = &r->imports[at];
    const struct rom_row *row = rom_find_row(r->rom, n->vref);
    struct span_shown name = span_shown(n->vref);
    if (row == NULL || !rom_row_is_import(row)) {
        return err_set(e, EXIT_POLICY, "%s is not an import of this rom", name.s);
    }
    if (!rom_row_is_wanted(row)) {
        return err_set(e, EXIT_POLICY, "%s is an import that the vat only recognizes: nothing can be it",
                       name.s);
    }
    for (size_t i = 0; i < at; i++) {
        if (span_eq(r->imports[i].vref, n->vref)) {
            return err_set(e, EXIT_POLICY, "%s is given twice", name.s);
        }
        if (kref_eq(r->imports[i].target, n->target)) {
            return err_set(e, EXIT_POLICY, "%s and %s are one thing here, and were two",
                           span_shown(r->imports[i].vref).s, name.s);
        }
    }
    bool fits = row->vref.p[0] == 'd' ? n->target.kind == KREF_DEVICE
                                      : n->target.kind == KREF_OBJECT && object_exists(k, n->target);
    if (fits) return 0;
    return err_set(e, EXIT_POLICY, "%s cannot be %s: %s", name.s, kref_text(n->target).s,
                   row->vref.p[0] == 'd' ? "it is a device node" : "it is an object");
}

/* All that are missing are named at once. */
static int check_missing(const struct rom_request *r, struct err *e)
{
    struct buf b = { 0 };
    unsigned missing = 0;
    for (size_t i = 0; i < r->rom->row_count; i++) {
        const struct rom_row *row = &r->rom->rows[i];
        if (!rom_row_is_wanted(row) || import_for(r, row->vref) != NULL) continue;
        buf_printf(&b, "%s%s (was %s)", missing++ > 0 ? ", " : "", span_shown(row->vref).s,
                   span_shown(row->was).s);
    }
    int failed = missing == 0 ? 0
                              : err_set(e, EXIT_POLICY, "not said what %s to be here: %s",
                                        missing == 1 ? "this import is" : "these imports are",
                                        span_shown(buf_span(&b)).s);
    buf_fini(&b);
    return failed;
}

static int check_boot(struct kernel *k, const struct rom *r, struct err *e)
{
    static const char *const names[] = { "lockdown", "supervisor" };
    struct strings here = { 0 };
    boot_bundles(k, &here);
    bool same = here.count == r->boot_count;
    for (size_t i = 0; i < r->boot_count; i++) {
        if (same && span_eq(here.items[i], r->boot[i])) continue;
        return err_set(e, EXIT_INCOMPATIBLE, "this store does not have its vats' %s bundle, %s",
                       i < 2 ? names[i] : "boot", span_shown(r->boot[i]).s);
    }
    if (same) return 0;
    return err_set(e, EXIT_INCOMPATIBLE, "this store's vats start from other lockdown and supervisor bundles");
}

static int check_meter(struct kernel *k, const struct rom_request *r, struct err *e)
{
    bool none = span_is(r->meter, "none");
    if (r->meter.p == NULL && r->rom->metered) {
        return err_set(e, EXIT_POLICY, "the vat was metered: name the meter for it here, or say that"
                       " it is to have none");
    }
    if (r->meter.p == NULL || none) return 0;
    if (meter_id_valid(r->meter) && meter_get(k, r->meter, NULL, NULL)) return 0;
    return err_set(e, EXIT_NOT_FOUND, "there is no meter %s", span_shown(r->meter).s);
}

static int check_request(struct kernel *k, const struct rom_request *r, struct err *e)
{
    const struct rom *rom = r->rom;
    struct bundle_info bundle;
    if (!k->zygotes) {
        return err_set(e, EXIT_POLICY, "this store was made with \"zygotes\": false; it can have no zygotes"
                       " (zygote enable-forks changes that)");
    }
    if (!span_eq(rom->engine, rom_engine_here())) {
        return err_set(e, EXIT_INCOMPATIBLE, "its heap is for %s; this engine is %s",
                       span_shown(rom->engine).s, rom_engine_here().p);
    }
    struct span full = limits_refusal(k);
    if (full.p != NULL) return err_set(e, EXIT_POLICY, "%.*s", SPAN_ARG(full));
    if (check_boot(k, rom, e) != 0 || check_meter(k, r, e) != 0) return -1;
    for (size_t i = 0; i < r->import_count; i++) {
        if (check_import(k, r, i, e) != 0) return -1;
    }
    if (check_missing(r, e) != 0) return -1;
    return bundle_check(rom->bundle, true, rom->bundle_id, kernel_arena(k), &bundle, e) != 0
               ? err_while(e, "its bundle")
               : 0;
}

/* -- loading: the rows, in the order of a fork's (fork_clone.c) ------------------------------------ */

struct loading {
    struct kernel *k;
    const struct rom_request *q;
    const struct rom *r;
    vat_id vat;
};

static void load_options(struct loading *l)
{
    struct kernel *k = l->k;
    const struct rom *r = l->r;
    struct vat_options o = { .name = l->q->name.p != NULL ? l->q->name : r->name,
                             .boot = { r->boot_count, r->boot },
                             .use_transcript = true,
                             .reap_dirt_threshold = r->reap_dirt_threshold };
    if (l->q->meter.p != NULL && !span_is(l->q->meter, "none")) o.meter_id = l->q->meter;
    kv_set(k->store, key_vat(k, l->vat, "source"), vat_source_text(k, r->bundle_id));
    kv_set(k->store, key_vat(k, l->vat, "options"), vat_options_text(k, &o));
}

static void load_counters(struct loading *l)
{
    struct kernel *k = l->k;
    kv_set(k->store, key_vat(k, l->vat, "reapDirt"), l->r->reap_dirt);
    state_set_u64(k, key_vat(k, l->vat, "o.nextID"), l->r->next_o);
    state_set_u64(k, key_vat(k, l->vat, "p.nextID"), l->r->next_p);
    state_set_u64(k, key_vat(k, l->vat, "d.nextID"), l->r->next_d);
}

/* An import that is only recognized gets the name of an object that never was: the children
 * are told that it was retired, as of any that is gone. */
static kref load_row(struct loading *l, const struct rom_row *row)
{
    struct kernel *k = l->k;
    const struct rom_import *n = import_for(l->q, row->vref);
    if (!rom_row_is_import(row)) return object_add(k, l->vat);
    if (n == NULL) return (kref){ KREF_OBJECT, state_next(k, SPAN("ko.nextID")) };
    ref_inc(k, n->target, REF_NORMAL);
    return n->target;
}

static void load_clist(struct loading *l)
{
    struct kernel *k = l->k;
    for (size_t i = 0; i < l->r->row_count; i++) {
        const struct rom_row *row = &l->r->rows[i];
        kref r = load_row(l, row);
        stats_inc(&k->stats, STAT_CLIST_ENTRIES);
        clist_put(k, l->vat, r, (struct clist_row){ row->reachable, row->vref });
        if (row->reachable && span_is(row->vref, "o+0")) object_pin(k, r);
    }
}

/* Without what the vat had given up there is nothing true to record. */
static void load_parameters(struct loading *l)
{
    struct kernel *k = l->k;
    const struct vat_capdata *p = &l->r->parameters;
    struct capdata d = { p->body, p->count, ARENA_ARRAY(kernel_arena(k), kref, p->count + 1) };
    if (!l->r->has_parameters) return;
    for (size_t i = 0; i < p->count; i++) {
        if (p->slots[i].p == NULL) return;
        bool ok = kref_parse(state_need(k, key_clist_vref(k, l->vat, p->slots[i])), &d.slots[i]);
        INVARIANT(ok);
    }
    vat_set_parameters(k, l->vat, &d);
}

static void load_vatstore(struct loading *l)
{
    struct kernel *k = l->k;
    for (size_t i = 0; i < l->r->entry_count; i++) {
        const struct rom_entry *n = &l->r->entries[i];
        kv_set(k->store, key_vat_in(k, l->vat, "vs.", n->key), n->value);
    }
}

static void load_origin(struct loading *l)
{
    struct kernel *k = l->k;
    struct buf b = { 0 };
    buf_printf(&b, "{\"rom\":\"%.*s\",\"lineage\":[", SPAN_ARG(l->q->hash));
    for (size_t i = 0; i < l->r->ancestor_count; i++) {
        const struct rom_ancestor *n = &l->r->ancestors[i];
        buf_printf(&b, "%s{\"vatID\":\"%.*s\",\"incarnation\":%llu,\"position\":%llu,\"snapshotID\":\"%.*s\"}",
                   i > 0 ? "," : "", SPAN_ARG(n->vat), (unsigned long long)n->incarnation,
                   (unsigned long long)n->position, SPAN_ARG(n->snapshot));
    }
    buf_puts(&b, "]}");
    kv_set(k->store, key_vat(k, l->vat, "loadedFrom"), buf_span(&b));
    buf_fini(&b);
}

static void load_machine(struct loading *l)
{
    struct kernel *k = l->k;
    struct span name = span_of_vat(k, l->vat);
    struct snapshot_info info;
    transcript_init(k->store, name);
    transcript_add(k->store, name,
                   arena_printf(kernel_arena(k),
                                "{\"d\":[\"load-snapshot\",{\"snapshotID\":\"%.*s\"}],\"sc\":[],"
                                "\"r\":{\"status\":\"ok\"}}", SPAN_ARG(l->r->ancestors[0].snapshot)));
    struct snapshot_writer *w = snapshot_begin(k->store);
    snapshot_write(w, l->r->heap);
    snapshot_finish(w, name, 0, &info);
    INVARIANT(span_is(l->r->ancestors[0].snapshot, info.hash));
}

static void load_rows(struct loading *l)
{
    struct kernel *k = l->k;
    l->vat = vat_allocate_id(k);
    vat_add_dynamic(k, l->vat);
    load_options(l);
    load_counters(l);
    load_vatstore(l);
    kernel_step_label(k, "rom: vatstore loaded");
    load_clist(l);
    load_parameters(l);
    load_origin(l);
    load_machine(l);
    kv_set(k->store, key_vat(k, l->vat, "sealed"), SPAN("1"));
    kernel_step_label(k, "rom: loaded");
}

/* Hostile bytes go no further than a worker: one that does not start is all that comes of them. */
static int try_machine(struct kernel *k, vat_id vat, struct err *e)
{
    int failed = warehouse_ensure(k, vat, e);
    if (failed == 0) warehouse_stop(k, vat);
    if (failed == 0) return 0;
    e->exit = EXIT_INTEGRITY;
    return err_while(e, "its heap does not start");
}

static kref ask_vat_admin(struct kernel *k, vat_id vat)
{
    const struct pass *arg = pass_string(kernel_arena(k), span_of_vat(k, vat));
    if (k->vat_admin_root.kind == KREF_INVALID) return (kref){ KREF_INVALID, 0 };
    return kernel_send(k, k->vat_admin_root, SPAN("zygoteLoaded"), pass_array(kernel_arena(k), 1, &arg));
}

static int install(struct kernel *k, const struct rom *r, struct err *e)
{
    struct arena a;
    struct span id;
    arena_init(&a);
    int failed = kernel_install_bundle(k, &a, r->bundle, r->bundle_id, &id, e);
    arena_fini(&a);
    return failed;
}

int kernel_rom_load(struct kernel *k, const struct rom_request *r, vat_id *vat, kref *handle,
                    struct err *e)
{
    char crankhash[SHA256_HEX + 1], activityhash[SHA256_HEX + 1];
    struct loading l = { .k = k, .q = r, .r = r->rom };
    if (check_request(k, r, e) != 0 || install(k, r->rom, e) != 0) return -1;
    store_start_crank(k->store);
    load_rows(&l);
    kernel_emit_hashes(k, crankhash, activityhash);
    store_end_crank(k->store);
    if (try_machine(k, l.vat, e) != 0) return -1;
    *handle = ask_vat_admin(k, l.vat);
    *vat = l.vat;
    kernel_note(k, "loaded %s from rom %.*s", vat_id_text(l.vat).s, SPAN_ARG(r->hash));
    return 0;
}

bool kernel_rom_export(struct kernel *k, vat_id vat, struct span name, kref *out)
{
    struct span text;
    return kv_get(k->store, key_clist_vref(k, vat, name), &text) && kref_parse(text, out);
}
