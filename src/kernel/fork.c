#include "kernel/fork.h"

#include "kernel/clist.h"
#include "kernel/delivery.h"
#include "kernel/external.h"
#include "kernel/fork_clone.h"
#include "kernel/gc.h"
#include "kernel/limits.h"
#include "kernel/meter.h"
#include "kernel/object.h"
#include "kernel/promise.h"
#include "kernel/vats.h"
#include "kernel/warehouse.h"
#include "store/snapshot.h"
#include "store/transcript.h"

/* -- asking ---------------------------------------------------------------------------------- */

static void put_options(struct buf *b, const struct fork_options *o)
{
    buf_printf(b, "{\"critical\":%s", o->critical ? "true" : "false");
    if (o->name.p != NULL) {
        buf_puts(b, ",\"name\":");
        json_put_string(b, o->name);
    }
    if (o->meter.p != NULL) {
        buf_puts(b, ",\"meterID\":");
        json_put_string(b, o->meter);
    }
    if (o->share) buf_puts(b, ",\"promises\":\"share\"");
    if (o->reap_interval == REAP_NEVER) buf_puts(b, ",\"reapInterval\":\"never\"");
    if (o->reap_interval >= 0) buf_printf(b, ",\"reapInterval\":%lld", (long long)o->reap_interval);
    buf_putc(b, '}');
}

vat_id fork_queue(struct kernel *k, const struct fork_request *r, bool host)
{
    vat_id child = vat_allocate_id(k);
    struct buf b = { 0 };
    buf_printf(&b, "{\"type\":\"fork-vat\",\"vatID\":\"%s\",\"parentVatID\":\"%s\",\"oldrefs\":[",
               vat_id_text(child).s, vat_id_text(r->vat).s);
    for (size_t i = 0; i < r->ref_count; i++) {
        if (r->refs[i].kind == KREF_OBJECT) ref_inc(k, r->refs[i], REF_NORMAL);
        buf_puts(&b, i > 0 ? ",\"" : "\"");
        if (r->refs[i].kind != KREF_INVALID) buf_puts(&b, kref_text(r->refs[i]).s);
        buf_putc(&b, '"');
    }
    buf_puts(&b, "],\"dynamicOptions\":");
    put_options(&b, &r->options);
    buf_printf(&b, ",\"host\":%s}", host ? "true" : "false");
    queue_put(k, QUEUE_ACCEPTANCE, buf_span(&b));
    buf_fini(&b);
    return child;
}

void zygotify_queue(struct kernel *k, vat_id vat, bool host)
{
    queue_put(k, QUEUE_ACCEPTANCE,
              arena_printf(kernel_arena(k),
                           "{\"type\":\"zygotify-vat\",\"vatID\":\"%s\",\"host\":%s}",
                           vat_id_text(vat).s, host ? "true" : "false"));
}

static struct fork_event decode(struct kernel *k, struct jval event)
{
    struct arena *a = kernel_arena(k);
    struct jval refs = json_get(event, "oldrefs"), o = json_get(event, "dynamicOptions");
    struct jval reap = json_get(o, "reapInterval");
    struct fork_event r = { .count = json_len(refs) };
    bool ok = vat_id_parse(json_str(json_get(event, "vatID"), a), &r.child) &&
              vat_id_parse(json_str(json_get(event, "parentVatID"), a), &r.parent);
    INVARIANT(ok);
    r.oldrefs = ARENA_ARRAY(a, kref, r.count + 1);
    for (size_t i = 0; i < r.count; i++) {
        if (!kref_parse(json_str(json_at(refs, i), a), &r.oldrefs[i])) {
            r.oldrefs[i].kind = KREF_INVALID;
        }
    }
    uint64_t interval;
    r.options = (struct fork_options){
        .name = json_str(json_get(o, "name"), a),
        .meter = json_str(json_get(o, "meterID"), a),
        .critical = json_type(json_get(o, "critical")) == JSON_TRUE,
        .share = json_is(json_get(o, "promises"), "share"),
        .reap_interval = json_is(reap, "never")          ? REAP_NEVER
                         : json_u64(reap, &interval)     ? (int64_t)interval
                                                         : REAP_DEFAULT,
    };
    r.host = json_type(json_get(event, "host")) == JSON_TRUE;
    return r;
}

/* -- refusing ---------------------------------------------------------------------------------- */

/* Unless the forker asks to share them, promises forbid a fork: each child would hold half
 * of a conversation. */
static struct span not_quiescent(struct kernel *k, vat_id vat)
{
    struct clist_walk w = { 0 };
    unsigned decided = 0, subscribed = 0, other = 0;
    struct span name = span_of_vat(k, vat);
    while (clist_next(k, vat, "p", &w)) {
        vat_id decider;
        struct strings subscribers = promise_subscribers(k, w.r);
        if (promise_decider(k, w.r, &decider) && vat_id_eq(decider, vat)) {
            decided++;
        } else if (strings_have(&subscribers, name)) {
            subscribed++;
        } else {
            other++;
        }
    }
    unsigned total = decided + subscribed + other;
    if (total == 0) return SPAN_NONE;
    return arena_printf(kernel_arena(k),
                        "vat is not quiescent: %u promise%s (%u decided, %u subscribed, %u other)",
                        total, total == 1 ? "" : "s", decided, subscribed, other);
}

struct span fork_refusal(struct kernel *k, vat_id vat, bool share)
{
    if (!vat_is_alive(k, vat)) return SPAN("vat terminated");
    struct vat_options o = vat_options(k, vat);
    bool xs_worker = o.boot.count > 0; /* others have no heap snapshot */
    if (!vat_is_dynamic(k, vat) || !xs_worker || o.enable_setup || o.enable_pipelining ||
        o.enable_disavow || !o.use_transcript) {
        return SPAN("vat type cannot be forked");
    }
    return share ? SPAN_NONE : not_quiescent(k, vat);
}

static bool is_export(struct kernel *k, vat_id vat, kref o)
{
    vat_id owner;
    struct clist_row row;
    return o.kind == KREF_OBJECT && object_owner(k, o, &owner) && vat_id_eq(owner, vat) &&
           clist_row(k, vat, o, &row) && row.reachable;
}

static struct span options_refusal(struct kernel *k, const struct fork_event *r)
{
    struct span meter = r->options.meter;
    if (meter.p != NULL && !meter_get(k, meter, NULL, NULL)) return SPAN("there is no such meter");
    return r->child.n != 0 ? limits_refusal(k) : SPAN_NONE; /* a seal makes no vat */
}

static struct span refusal(struct kernel *k, const struct fork_event *r)
{
    struct span why = fork_refusal(k, r->parent, r->options.share);
    if (why.p == NULL) why = options_refusal(k, r);
    for (size_t i = 0; why.p == NULL && i < r->count; i++) {
        if (!is_export(k, r->parent, r->oldrefs[i])) {
            why = arena_printf(kernel_arena(k), "oldrefs[%zu] is not an export of this vat", i);
        }
    }
    return why;
}

/* -- answering ----------------------------------------------------------------------------------- */

void fork_call_back(struct kernel *k, struct span method, vat_id vat, const struct pass *result,
                    struct crank_result *r)
{
    struct arena *a = kernel_arena(k);
    const struct pass *args[] = { pass_string(a, span_of_vat(k, vat)), result };
    r->admin_method = method;
    r->admin_args = pass_array(a, 2, args);
}

void fork_report_refusal(struct kernel *k, struct span method, vat_id vat, bool host,
                         struct span why, struct crank_result *r)
{
    struct arena *a = kernel_arena(k);
    kernel_note(k, "%s: %.*s", vat_id_text(vat).s, SPAN_ARG(why));
    r->refused = why;
    if (host) return;
    struct span key = SPAN("error");
    const struct pass *error = pass_error(a, SPAN("Error"), why);
    fork_call_back(k, method, vat, pass_record(a, 1, &key, &error), r);
}

/* -- a current snapshot ------------------------------------------------------------------------------ */

static void release_oldrefs(struct kernel *k, const struct fork_event *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->oldrefs[i].kind == KREF_OBJECT) ref_dec(k, r->oldrefs[i], REF_NORMAL);
    }
}

int fork_make_current(struct kernel *k, vat_id vat, struct crank_result *r, bool *bad,
                      struct err *e)
{
    struct snapshot_taken taken;
    struct transcript_bounds t;
    struct snapshot_info have;
    struct span name = span_of_vat(k, vat);
    bool found = transcript_bounds(k->store, name, &t);
    INVARIANT(found);
    *bad = false;
    if (t.end - t.start == 1 && snapshot_info(k->store, name, &have)) return 0;
    memset(&k->fate, 0, sizeof k->fate);
    if (warehouse_snapshot(k, vat, 1, &taken, e) != 0) return -1;
    *bad = taken.bad;
    r->counts_as = CRANK_DELIVERY;
    r->computrons = taken.computrons;
    r->forked.snapshot_bytes = taken.bytes;
    return 0;
}

/* Check the request and bring the parent to rest.  A refusal that comes after the parent
 * has brought out its dead undoes that: the vat goes on as it was.
 * out  *why  SPAN_NONE: go on.  Otherwise everything is settled but for telling. */
static int prepare(struct kernel *k, const struct fork_event *r, struct span *why,
                   struct crank_result *out, struct err *e)
{
    bool bad;
    *why = refusal(k, r);
    if (why->p == NULL && !vat_is_sealed(k, r->parent)) {
        kernel_step_label(k, "fork: checked");
        if (fork_make_current(k, r->parent, out, &bad, e) != 0) return -1;
        *why = bad ? SPAN("vat could not be brought to rest for its snapshot") : refusal(k, r);
    }
    if (why->p == NULL) return 0;
    if (out->counts_as != CRANK_EMPTY) {
        out->abort = out->consume = true;
        out->release = r->oldrefs;
        out->release_count = r->count;
        warehouse_stop(k, r->parent);
    } else {
        release_oldrefs(k, r);
    }
    return 0;
}

/* -- the crank ------------------------------------------------------------------------------------------------ */

static void report_child(struct clone *c, struct crank_result *out)
{
    struct kernel *k = c->k;
    struct arena *a = kernel_arena(k);
    const struct pass **refs = ARENA_ARRAY(a, const struct pass *, c->r->count + 1);
    for (size_t i = 0; i < c->r->count; i++) {
        refs[i] = pass_slot(a, span_of_kref(k, clone_of(c, c->r->oldrefs[i])), SPAN_NONE);
    }
    if (c->r->host) { /* nobody else would hold them */
        kref *held = ARENA_ARRAY(a, kref, c->r->count + 1);
        for (size_t i = 0; i < c->r->count; i++) held[i] = clone_of(c, c->r->oldrefs[i]);
        external_hold(k, held, c->r->count);
        if (c->root.kind != KREF_INVALID) external_hold(k, &c->root, 1);
        return;
    }
    struct span keys[] = { SPAN("newrefs"), SPAN("rootObject") };
    const struct pass *values[] = { pass_array(a, c->r->count, refs), pass_undefined(a) };
    if (c->root.kind != KREF_INVALID) values[1] = pass_slot(a, span_of_kref(k, c->root), SPAN_NONE);
    fork_call_back(k, SPAN("newVatCallback"), c->r->child, pass_record(a, 2, keys, values), out);
}

static void tell_host(struct kernel *k, vat_id child, struct span refused)
{
    if (k->sink.forked != NULL) k->sink.forked(k->sink.self, child, refused);
}

int fork_crank(struct kernel *k, struct jval event, struct crank_result *out, struct err *e)
{
    struct fork_event r = decode(k, event);
    struct span why;
    kernel_step_label(k, "fork: taken up");
    if (prepare(k, &r, &why, out, e) != 0) return -1;
    if (why.p != NULL) {
        fork_report_refusal(k, SPAN("newVatCallback"), r.child, r.host, why, out);
        tell_host(k, r.child, why);
        kernel_step_label(k, "fork: refused");
        return 0;
    }
    kernel_step_label(k, "fork: snapshot current");
    struct clone c = { .k = k, .r = &r };
    clone_rows(&c);
    out->counts_as = CRANK_CREATE_VAT;
    out->forked.vatstore_keys = c.work.vatstore_keys;
    out->forked.vatstore_bytes = c.work.vatstore_bytes;
    out->forked.clist_entries = c.work.clist_entries;
    report_child(&c, out);
    kernel_step_label(k, "fork: child reported");
    release_oldrefs(k, &r);
    kernel_step_label(k, "fork: oldrefs released");
    tell_host(k, r.child, SPAN_NONE);
    kernel_note(k, "forked %s from %s", vat_id_text(r.child).s, vat_id_text(r.parent).s);
    return 0;
}

/* From here on nothing changes the vat but its end; its root is held for its children. */
static void seal(struct kernel *k, vat_id vat)
{
    struct span text;
    kref root;
    kv_set(k->store, key_vat(k, vat, "sealed"), SPAN("1"));
    kernel_step_label(k, "zygote: marked");
    if (kv_get(k->store, key_clist_vref(k, vat, SPAN("o+0")), &text) && kref_parse(text, &root)) {
        object_pin(k, root);
    }
    kernel_step_label(k, "zygote: pinned");
    warehouse_stop(k, vat);
}

int zygotify_crank(struct kernel *k, struct jval event, struct crank_result *out, struct err *e)
{
    struct fork_event r = { 0 };
    struct span why, method = SPAN("zygoteCallback");
    bool host = json_type(json_get(event, "host")) == JSON_TRUE;
    bool ok = vat_id_parse(json_str(json_get(event, "vatID"), kernel_arena(k)), &r.parent);
    INVARIANT(ok);
    kernel_step_label(k, "zygote: taken up");
    if (prepare(k, &r, &why, out, e) != 0) return -1;
    if (why.p != NULL) {
        fork_report_refusal(k, method, r.parent, host, why, out);
        return 0;
    }
    seal(k, r.parent);
    kernel_step_label(k, "zygote: sealed");
    kernel_note(k, "sealed %s as a zygote", vat_id_text(r.parent).s);
    if (!host) fork_call_back(k, method, r.parent, pass_record(kernel_arena(k), 0, NULL, NULL), out);
    return 0;
}

bool fork_origin_decode(struct kernel *k, struct jval v, struct fork_origin *out)
{
    if (json_type(v) != JSON_OBJECT) return false;
    bool ok = vat_id_parse(json_str(json_get(v, "vatID"), kernel_arena(k)), &out->parent) &&
              json_u64(json_get(v, "incarnation"), &out->incarnation) &&
              json_u64(json_get(v, "position"), &out->position);
    INVARIANT(ok);
    if (!json_u64(json_get(v, "crank"), &out->crank)) out->crank = UINT64_MAX;
    out->snapshot = json_str(json_get(v, "snapshotID"), kernel_arena(k));
    return true;
}

bool fork_origin(struct kernel *k, vat_id vat, struct fork_origin *out)
{
    struct span key = key_vat(k, vat, "forkedFrom");
    return k->zygotes && state_has(k, key) && fork_origin_decode(k, state_json(k, key), out);
}
