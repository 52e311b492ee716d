/* The initial state of a kernel, in upstream's order of writes, which its hashes keep
 * (initializeKernel.js; conformance-notes section 2). */
#include "kernel/clist.h"
#include "kernel/device.h"
#include "kernel/external.h"
#include "kernel/limits.h"
#include "kernel/object.h"
#include "kernel/queue.h"
#include "kernel/vats.h"
#include "store/bundle.h"

/* Genesis under way. */
struct making {
    struct kernel k;
    const struct genesis *g;
    struct strings boot; /* IDs of the lockdown and supervisor bundles, once they are in */
};

static struct span deliveries_text(struct kernel *k, int64_t given, int64_t usual)
{
    if (given == REAP_NEVER) return SPAN("\"never\"");
    return arena_printf(kernel_arena(k), "%lld", (long long)(given == REAP_DEFAULT ? usual : given));
}

static void starting_state(struct making *m)
{
    struct kernel *k = &m->k;
    const struct genesis *g = m->g;
    static const struct {
        struct span key, value;
    } fixed[] = {
#define ROW(key, value) { { key, sizeof(key) - 1 }, { value, sizeof(value) - 1 } }
        ROW("vat.names", "[]"),       ROW("vat.dynamicIDs", "[]"), ROW("vat.nextID", "1"),
        ROW("vat.nextUpgradeID", "1"), ROW("vats.terminated", "[]"), ROW("device.names", "[]"),
        ROW("device.nextID", "7"),    ROW("ko.nextID", "20"),      ROW("kd.nextID", "30"),
        ROW("kp.nextID", "40"),       ROW("meter.nextID", "1"),    ROW("gcActions", "[]"),
        ROW("reapQueue", "[]"),       ROW("runQueue", "[1,1]"),    ROW("acceptanceQueue", "[1,1]"),
        ROW("crankNumber", "0"),
#undef ROW
    };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        kv_set(k->store, fixed[i].key, fixed[i].value);
    }
    kv_set(k->store, SPAN("kernel.defaultManagerType"), g->default_manager_type);
    kv_set(k->store, SPAN("kernel.defaultReapDirtThreshold"),
           arena_printf(kernel_arena(k),
                        "{\"deliveries\":%.*s,\"gcKrefs\":%.*s,\"computrons\":\"never\"}",
                        SPAN_ARG(deliveries_text(k, g->default_reap_interval, 1)),
                        SPAN_ARG(deliveries_text(k, g->default_reap_gc_krefs, 20))));
    state_set_u64(k, SPAN("kernel.snapshotInitial"),
                  g->snapshot_initial < 0 ? 3 : (uint64_t)g->snapshot_initial);
    state_set_u64(k, SPAN("kernel.snapshotInterval"),
                  g->snapshot_interval < 0 ? 200 : (uint64_t)g->snapshot_interval);
    if (g->relax_durability_rules) {
        kv_set(k->store, SPAN("kernel.relaxDurabilityRules"), SPAN("true"));
    }
    if (g->zygotes) {
        kv_set(k->store, SPAN("zygote.enabled"), SPAN("1"));
        limits_set_max_vats(k, g->max_vats);
    }
}

static int add_bundles(struct making *m, struct err *e)
{
    struct kernel *k = &m->k;
    for (size_t i = 0; i < m->g->bundle_count; i++) {
        struct span id;
        if (bundle_add(k->store, m->g->bundles[i].json_text, &id, e) != 0) return -1;
    }
    for (size_t i = 0; i < m->g->bundle_count; i++) {
        const struct genesis_bundle *b = &m->g->bundles[i];
        struct span id;
        if (b->name.p == NULL) continue;
        if (bundle_add(k->store, b->json_text, &id, e) != 0) return -1;
        kv_set(k->store, arena_printf(kernel_arena(k), "namedBundleID.%.*s", SPAN_ARG(b->name)), id);
    }
    return 0;
}

static int add_boot_bundles(struct making *m, struct err *e)
{
    m->boot.items = ARENA_ARRAY(kernel_arena(&m->k), struct span, m->g->boot_count + 1);
    for (size_t i = 0; i < m->g->boot_count; i++) {
        struct span id;
        if (bundle_add(m->k.store, m->g->boot[i], &id, e) != 0) {
            return err_while(e, "the lockdown and supervisor bundles");
        }
        m->boot.items[m->boot.count++] = arena_copy(kernel_arena(&m->k), id);
    }
    return 0;
}

/* reapInterval, reapGCKrefs, neverReap, in the order upstream sets them. */
static struct span reap_threshold(struct kernel *k, const struct genesis_vat *v)
{
    struct buf b = { 0 };
    buf_putc(&b, '{');
    if (v->reap_interval != REAP_DEFAULT) {
        buf_puts(&b, "\"deliveries\":");
        buf_put(&b, deliveries_text(k, v->reap_interval, 0));
    }
    if (v->reap_gc_krefs != REAP_DEFAULT) {
        buf_puts(&b, b.n > 1 ? ",\"gcKrefs\":" : "\"gcKrefs\":");
        buf_put(&b, deliveries_text(k, v->reap_gc_krefs, 0));
    }
    if (v->never_reap) buf_puts(&b, b.n > 1 ? ",\"never\":true" : "\"never\":true");
    buf_putc(&b, '}');
    struct span text = arena_copy(kernel_arena(k), buf_span(&b));
    buf_fini(&b);
    return text;
}

static void queue_start_vat(struct kernel *k, vat_id vat, const struct pass *parameters)
{
    struct capdata data;
    struct buf b = { 0 };
    marshal_encode_k(kernel_arena(k), parameters, &data);
    buf_printf(&b, "{\"type\":\"startVat\",\"vatID\":\"%s\",\"vatParameters\":", vat_id_text(vat).s);
    capdata_put(&b, &data);
    buf_putc(&b, '}');
    queue_put(k, QUEUE_ACCEPTANCE, buf_span(&b));
    buf_fini(&b);
}

static int add_vat(struct making *m, const struct genesis_vat *v, struct err *e)
{
    struct kernel *k = &m->k;
    if (!bundle_has(k->store, v->bundle_id)) {
        return err_set(e, EXIT_NOT_FOUND, "vat %.*s: its bundle %.*s is not among the bundles",
                       SPAN_ARG(v->name), SPAN_ARG(v->bundle_id));
    }
    vat_id vat = vat_allocate_named(k, v->name);
    if (!v->comms && m->boot.count == 0 && add_boot_bundles(m, e) != 0) return -1;
    struct vat_options o = { .name = v->name,
                             .boot = m->boot,
                             .local = v->comms,
                             .enable_setup = v->comms,
                             .enable_pipelining = v->enable_pipelining,
                             .enable_disavow = v->enable_disavow,
                             .use_transcript = !v->comms,
                             .critical = v->critical,
                             .reap_dirt_threshold = reap_threshold(k, v) };
    vat_create_state(k, vat, vat_source_text(k, v->bundle_id), &o);
    queue_start_vat(k, vat, v->parameters != NULL ? v->parameters
                                                  : pass_record(kernel_arena(k), 0, NULL, NULL));
    if (span_is(v->name, "vatAdmin")) {
        kref root = vat_root(k, vat);
        object_pin(k, root);
        kv_set(k->store, SPAN("vatAdminRootKref"), span_of_kref(k, root));
    }
    return 0;
}

static void add_device(struct making *m, const struct genesis_device *d)
{
    struct kernel *k = &m->k;
    device_id id = device_allocate(k, d->name);
    kv_set(k->store, key_device(k, id, "source", SPAN("")), vat_source_text(k, d->bundle_id));
    kv_set(k->store, key_device(k, id, "options", SPAN("")),
           d->options_json.p != NULL ? d->options_json : SPAN("{\"deviceParameters\":{}}"));
}

/* -- bootstrap ---------------------------------------------------------------------------------- */

/* A record of names and references, growing. */
struct entries {
    struct kernel *k;
    size_t count, room;
    struct span *names;
    const struct pass **values;
};

static void entries_add(struct entries *n, struct span name, kref r, const char *iface)
{
    struct arena *a = kernel_arena(n->k);
    if (n->count == n->room) {
        size_t room = n->room == 0 ? 16 : n->room * 2;
        struct span *names = ARENA_ARRAY(a, struct span, room);
        const struct pass **values = ARENA_ARRAY(a, const struct pass *, room);
        if (n->count > 0) {
            memcpy(names, n->names, n->count * sizeof *names);
            memcpy(values, n->values, n->count * sizeof *values);
        }
        n->names = names;
        n->values = values;
        n->room = room;
    }
    n->names[n->count] = name;
    n->values[n->count++] = pass_slot(a, span_of_kref(n->k, r), span_of(iface));
}

static const struct pass *vat_roots(struct kernel *k)
{
    struct entries n = { .k = k };
    struct span key = SPAN_NONE, name;
    vat_id vat;
    while (vats_next_static(k, &key, &name, &vat)) entries_add(&n, name, vat_root(k, vat), "root");
    return pass_record(kernel_arena(k), n.count, n.names, n.values);
}

static const struct pass *device_nodes(struct kernel *k)
{
    struct entries n = { .k = k };
    struct span prefix = SPAN("device.name."), key = prefix;
    while (state_next_key(k, prefix, &key)) {
        device_id d;
        bool ok = device_id_parse(state_need(k, key), &d);
        INVARIANT(ok);
        entries_add(&n, span_from(key, prefix.n), device_node(k, d, SPAN("d+0")), "device");
    }
    return pass_record(kernel_arena(k), n.count, n.names, n.values);
}

static int queue_bootstrap(struct making *m, kref *result, struct err *e)
{
    struct kernel *k = &m->k;
    vat_id vat;
    if (!vat_by_name(k, m->g->bootstrap, &vat)) {
        return err_set(e, EXIT_USAGE, "the bootstrap vat %.*s is not among the vats",
                       SPAN_ARG(m->g->bootstrap));
    }
    const struct pass *args[2];
    args[0] = vat_roots(k);
    args[1] = device_nodes(k);
    *result = queue_to_kref(k, vat_root(k, vat), SPAN("bootstrap"),
                            pass_array(kernel_arena(k), 2, args), POLICY_PANIC);
    external_hold(k, result, 1);
    if (m->g->pin_bootstrap_root) object_pin(k, vat_root(k, vat));
    return 0;
}

static int make(struct making *m, kref *result, struct err *e)
{
    starting_state(m);
    if (add_bundles(m, e) != 0) return -1;
    for (size_t i = 0; i < m->g->vat_count; i++) {
        if (add_vat(m, &m->g->vats[i], e) != 0) return -1;
    }
    for (size_t i = 0; i < m->g->device_count; i++) add_device(m, &m->g->devices[i]);
    if (m->g->bootstrap.p != NULL && queue_bootstrap(m, result, e) != 0) return -1;
    kv_set(m->k.store, SPAN("version"), SPAN("3"));
    char crankhash[SHA256_HEX + 1], activityhash[SHA256_HEX + 1];
    kernel_emit_hashes(&m->k, crankhash, activityhash);
    return 0;
}

int kernel_genesis(struct store *s, const struct genesis *g, kref *result, struct err *e)
{
    struct making m = { .k = { .store = s, .zygotes = g->zygotes }, .g = g };
    if (state_has(&m.k, SPAN("version"))) {
        return err_set(e, EXIT_FAILED, "this store already holds a kernel");
    }
    *result = (kref){ KREF_INVALID, 0 };
    int failed = make(&m, result, e);
    kref_set_fini(&m.k.maybe_free);
    return failed;
}
