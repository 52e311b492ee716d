/* ops.c -- the host calls of a scenario. */
#include <stdio.h>
#include <stdlib.h>

#include "conformance/policy.h"
#include "conformance/run.h"
#include "host/file.h"
#include "host/paths.h"

/* -- arguments ---------------------------------------------------------------------------- */

static _Noreturn void bad_step(struct run *r, const char *problem, struct span what)
{
    struct err e;
    err_set(&e, EXIT_USAGE, "step %d: %s: %.*s", r->step, problem, SPAN_ARG(what));
    run_die(&e);
}

static struct run_result *result_named(struct run *r, struct span name)
{
    for (size_t i = 0; i < r->result_count; i++) {
        if (span_eq(r->results[i].name, name)) return &r->results[i];
    }
    bad_step(r, "no result is called", name);
}

static kref slot_of(struct run *r, struct jval v)
{
    struct arena *a = &r->arena;
    kref k = { 0 };
    struct span of = json_str(json_get(v, "#slotOf"), a);
    if (of.p != NULL) {
        uint64_t index = 0;
        json_u64(json_get(v, "index"), &index);
        struct run_result *res = result_named(r, of);
        if (index >= res->slot_count) bad_step(r, "no such slot of", of);
        return res->slots[index];
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
    struct span symbol = json_str(json_get(v, "#symbol"), a);
    if (symbol.p != NULL) {
        const struct pass *p = pass_symbol(a, symbol);
        if (p == NULL) bad_step(r, "no such symbol", symbol);
        return p;
    }
    struct span message = json_str(json_get(v, "#error"), a);
    if (message.p != NULL) return pass_error(a, SPAN("Error"), message);
    const struct pass **items = ARENA_ARRAY(a, const struct pass *, n + 1);
    struct span *keys = ARENA_ARRAY(a, struct span, n + 1);
    for (size_t i = 0; i < n; i++) {
        items[i] = value_of(r, json_at(v, i));
        if (json_type(v) == JSON_OBJECT) keys[i] = json_key_at(v, i, a);
    }
    return json_type(v) == JSON_ARRAY ? pass_array(a, n, items) : pass_record(a, n, keys, items);
}

static const struct pass *arguments_of(struct run *r, struct jval op)
{
    struct jval args = json_get(op, "args");
    return json_type(args) == JSON_NONE ? pass_array(&r->arena, 0, NULL) : value_of(r, args);
}

/* A promise named by "kpid", or by "of" as the result of a message, or of the last. */
static kref promise_of(struct run *r, struct jval op, struct run_result **named)
{
    struct arena *a = &r->arena;
    struct span of = json_str(json_get(op, "of"), a), kpid = json_str(json_get(op, "kpid"), a);
    kref k = { 0 };
    *named = NULL;
    if (kpid.p != NULL) {
        kref_parse(kpid, &k);
        return k;
    }
    *named = result_named(r, of.p != NULL ? of : r->last);
    return (*named)->promise;
}

/* -- operations: each appends members to `out` ---------------------------------------------- */

/* A run that fails by a vat's doing has panicked. */
static int op_cranks(struct run *r, const struct run_policy *policy, uint64_t max, struct buf *out,
                     struct err *e)
{
    uint64_t cranks;
    if (kernel_run_by(r->kernel, policy, max, &cranks, e) == 0) {
        buf_printf(out, ",\"cranks\":%llu", (unsigned long long)cranks);
        return 0;
    }
    if (e->exit != EXIT_VAT) return -1;
    r->panicked = true;
    buf_puts(out, ",\"panic\":");
    json_put_string(out, span_of(e->text));
    return 0;
}

static int op_run(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    struct jval given = json_get(op, "policy");
    struct scenario_policy p;
    if (json_type(given) == JSON_NONE) return op_cranks(r, NULL, 0, out, e);
    if (scenario_policy_init(&p, given, e) != 0) return -1;
    int failed = op_cranks(r, &p.policy, 0, out, e);
    buf_printf(out, ",\"asked\":%llu,\"calls\":[%.*s]", (unsigned long long)p.asked,
               SPAN_ARG(buf_span(&p.calls)));
    scenario_policy_fini(&p);
    return failed;
}

static int op_step(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    uint64_t count = 1;
    json_u64(json_get(op, "count"), &count);
    return op_cranks(r, NULL, count, out, e);
}

static enum policy result_policy(struct run *r, struct jval op)
{
    static const char *const texts[] = { "ignore", "logAlways", "logFailure", "panic", "none" };
    struct jval given = json_get(op, "resultPolicy");
    if (json_type(given) == JSON_NONE) return POLICY_IGNORE;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (json_is(given, texts[i])) return (enum policy)i;
    }
    bad_step(r, "no such policy", json_raw(given));
}

/* Remember a message's result under its name, and as the last. */
static void remember(struct run *r, struct jval op, kref promise, struct buf *out)
{
    struct span as = json_str(json_get(op, "as"), &r->arena);
    struct run_result res = { .name = as.p != NULL ? as : SPAN("last"), .promise = promise };
    size_t i = 0;
    while (i < r->result_count && !span_eq(r->results[i].name, res.name)) i++;
    if (i == RUN_NAMES_MAX) bad_step(r, "too many names", as);
    r->results[i] = res;
    if (i == r->result_count) r->result_count++;
    r->last = res.name;
    if (out == NULL) return;
    if (promise.kind == KREF_INVALID) {
        buf_puts(out, ",\"kpid\":null");
    } else {
        buf_printf(out, ",\"kpid\":\"%s\"", kref_text(promise).s);
    }
}

static int queue(struct run *r, struct jval op, kref target, struct buf *out)
{
    const struct pass *method = value_of(r, json_get(op, "method"));
    remember(r, op,
             kernel_call(r->kernel, target, method, arguments_of(r, op), result_policy(r, op)), out);
    return 0;
}

static int queue_to_root(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    kref target;
    if (kernel_find(r->kernel, json_str(json_get(op, "vat"), &r->arena), &target, e) != 0) return -1;
    return queue(r, op, target, out);
}

static int op_queue_to_object(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    (void)e;
    return queue(r, op, slot_of(r, json_get(op, "target")), out);
}

static void put_status(struct run *r, kref promise, struct buf *out)
{
    static const char *const states[] = { "unknown", "unresolved", "fulfilled", "rejected" };
    buf_printf(out, ",\"kpid\":\"%s\",\"status\":\"%s\"", kref_text(promise).s,
               states[kernel_promise_state(r->kernel, promise)]);
}

static int op_status(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    struct run_result *named;
    (void)e;
    put_status(r, promise_of(r, op, &named), out);
    return 0;
}

static int op_interest(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    struct run_result *named;
    kref promise = promise_of(r, op, &named);
    if (kernel_promise_state(r->kernel, promise) == PROMISE_UNKNOWN) {
        return err_set(e, EXIT_NOT_FOUND, "there is no promise %s", kref_text(promise).s);
    }
    kernel_promise_hold(r->kernel, promise);
    buf_printf(out, ",\"kpid\":\"%s\"", kref_text(promise).s);
    return 0;
}

static int op_resolution(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    struct run_result *named;
    struct capdata data;
    kref promise = promise_of(r, op, &named);
    (void)e;
    bool hold = json_type(json_get(op, "incref")) != JSON_FALSE;
    put_status(r, promise, out);
    if (!kernel_promise_take_as(r->kernel, promise, hold, &data)) return 0;
    buf_puts(out, ",\"resolution\":");
    capdata_put(out, &data);
    if (named == NULL) return 0;
    named->slot_count = data.count < RUN_SLOTS_MAX ? data.count : RUN_SLOTS_MAX;
    memcpy(named->slots, data.slots, named->slot_count * sizeof(kref));
    return 0;
}

/* Queue, run, resolution. */
static int op_send(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    struct jval none = { 0 };
    if (queue_to_root(r, op, NULL, e) != 0 || op_cranks(r, NULL, 0, out, e) != 0) return -1;
    return r->panicked ? 0 : op_resolution(r, none, out, e);
}

static int op_restart(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    (void)op, (void)out, (void)e;
    run_reopen(r);
    return 0;
}

/* -- what a host does to vats ------------------------------------------------------------------ */

static struct run_positions *positions_named(struct run *r, struct span name)
{
    for (size_t i = 0; i < r->position_count; i++) {
        if (span_eq(r->positions[i].name, name)) return &r->positions[i];
    }
    return NULL;
}

static void keep_positions(struct run *r, struct span name, const struct vat_position *of, size_t n)
{
    struct run_positions *p = positions_named(r, name);
    if (p == NULL) {
        if (r->position_count == RUN_NAMES_MAX) bad_step(r, "too many names", name);
        p = &r->positions[r->position_count++];
    }
    struct vat_position *copy = ARENA_ARRAY(&r->arena, struct vat_position, n + 1);
    if (n > 0) memcpy(copy, of, n * sizeof *of);
    *p = (struct run_positions){ .name = name, .of = copy, .count = n };
}

static int op_reap(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    struct span previous = json_str(json_get(op, "previous"), &r->arena);
    struct span as = json_str(json_get(op, "as"), &r->arena);
    const struct run_positions *before = previous.p != NULL ? positions_named(r, previous) : NULL;
    struct vat_position *after;
    (void)e;
    if (previous.p != NULL && before == NULL) bad_step(r, "no positions are called", previous);
    size_t n = kernel_reap_since(r->kernel, before != NULL ? before->of : NULL,
                                 before != NULL ? before->count : 0, &after);
    buf_puts(out, ",\"positions\":{");
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s\"%s\":%llu", i == 0 ? "" : ",", vat_id_text(after[i].vat).s,
                   (unsigned long long)after[i].end);
    buf_puts(out, "}");
    keep_positions(r, as.p != NULL ? as : SPAN("last"), after, n);
    return 0;
}

static int op_snapshot(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    vat_id *vats;
    size_t n;
    (void)op;
    if (kernel_snapshot_all(r->kernel, &vats, &n, e) != 0) return -1;
    buf_puts(out, ",\"vats\":[");
    for (size_t i = 0; i < n; i++) buf_printf(out, "%s\"%s\"", i == 0 ? "" : ",", vat_id_text(vats[i]).s);
    buf_puts(out, "]");
    return 0;
}

static int op_pin(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    kref root;
    if (kernel_pin_root(r->kernel, json_str(json_get(op, "vat"), &r->arena), &root, e) != 0) return -1;
    buf_printf(out, ",\"kref\":\"%s\"", kref_text(root).s);
    return 0;
}

static int op_terminate(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    vat_id vat = { 0 };
    struct capdata reason;
    marshal_encode_k(&r->arena, value_of(r, json_get(op, "reason")), &reason);
    vat_id_parse(json_str(json_get(op, "vatID"), &r->arena), &vat);
    (void)out;
    return kernel_terminate(r->kernel, vat, &reason, e);
}

static struct span read_bundle(struct run *r, struct jval op)
{
    const char *bundles;
    struct span text;
    struct err e;
    struct span file = arena_printf(&r->arena, "%.*s.json",
                                    SPAN_ARG(json_str(json_get(op, "bundle"), &r->arena)));
    if (paths_bundles(&r->arena, &bundles, &e) != 0 ||
        file_read(&r->arena, file_join(&r->arena, bundles, file.p), &text, &e) != 0) {
        run_die(&e);
    }
    return text;
}

/* The ID that a good bundle says it has. */
static struct span bundle_id(struct run *r, struct jval op)
{
    struct span given = json_str(json_get(op, "bundleID"), &r->arena);
    struct jval v;
    struct err e;
    if (given.p != NULL) return given;
    if (json_parse(&r->arena, read_bundle(r, op), &v, &e) != 0) run_die(&e);
    return arena_printf(&r->arena, "b1-%.*s",
                        SPAN_ARG(json_str(json_get(v, "endoZipBase64Sha512"), &r->arena)));
}

static int op_upgrade_static(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    struct jval options = json_get(op, "options");
    kref result;
    if (kernel_upgrade_static(r->kernel, json_str(json_get(op, "vat"), &r->arena),
                              json_type(json_get(op, "pauseFirst")) == JSON_TRUE, bundle_id(r, op),
                              json_type(options) == JSON_NONE ? NULL : value_of(r, options), &result,
                              e) != 0) {
        return -1;
    }
    remember(r, op, result, out);
    return 0;
}

static void read_reap(struct jval v, int64_t *out)
{
    double d;
    if (json_is(v, "never")) *out = REAP_NEVER;
    if (json_double(v, &d)) *out = (int64_t)d;
}

static int op_change_options(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    struct jval options = json_get(op, "options");
    struct kernel_changes c = { REAP_DEFAULT, REAP_DEFAULT, -1, 0 };
    uint64_t interval;
    (void)out;
    read_reap(json_get(options, "defaultReapInterval"), &c.default_reap_interval);
    read_reap(json_get(options, "defaultReapGCKrefs"), &c.default_reap_gc_krefs);
    if (json_u64(json_get(options, "snapshotInterval"), &interval)) c.snapshot_interval = (int64_t)interval;
    return kernel_change_options(r->kernel, &c, e);
}

static int op_inject(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    (void)op, (void)out, (void)e;
    kernel_inject_upgrade_events(r->kernel);
    return 0;
}

static int op_stats(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    (void)op, (void)e;
    buf_puts(out, ",\"stats\":");
    kernel_stats(r->kernel, out);
    return 0;
}

static int op_dump(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    (void)op, (void)e;
    buf_puts(out, ",\"dump\":");
    kernel_dump(r->kernel, out);
    return 0;
}

/* A bundle with some members replaced. */
static struct span edited(struct run *r, struct span text, struct jval edit)
{
    struct jval v;
    struct err e;
    struct buf b = { 0 };
    if (json_type(edit) == JSON_NONE) return text;
    if (json_parse(&r->arena, text, &v, &e) != 0) run_die(&e);
    for (size_t i = 0; i < json_len(v); i++) {
        struct span key = json_key_at(v, i, &r->arena);
        struct jval other = json_get(edit, arena_printf(&r->arena, "%.*s", SPAN_ARG(key)).p);
        buf_putc(&b, i == 0 ? '{' : ',');
        json_put_string(&b, key);
        buf_putc(&b, ':');
        buf_put(&b, json_raw(json_type(other) == JSON_NONE ? json_at(v, i) : other));
    }
    buf_putc(&b, '}');
    struct span out = arena_copy(&r->arena, buf_span(&b));
    buf_fini(&b);
    return out;
}

static int op_install(struct run *r, struct jval op, struct buf *out, struct err *e)
{
    struct span text = edited(r, read_bundle(r, op), json_get(op, "edit")), id;
    struct span alleged = json_str(json_get(op, "id"), &r->arena);
    if (kernel_install_bundle(r->kernel, &r->arena, text, alleged, &id, e) != 0) return -1;
    buf_printf(out, ",\"bundleID\":\"%.*s\"", SPAN_ARG(id));
    return 0;
}

static const struct run_operation operations[] = {
    { "run", op_run },
    { "step", op_step },
    { "queueToVatRoot", queue_to_root },
    { "queueToVatObject", op_queue_to_object },
    { "send", op_send },
    { "resolution", op_resolution },
    { "kpStatus", op_status },
    { "restart", op_restart },
    { "kpRegisterInterest", op_interest },
    { "pinVatRoot", op_pin },
    { "terminateVat", op_terminate },
    { "reapAllVats", op_reap },
    { "snapshotAllVats", op_snapshot },
    { "changeKernelOptions", op_change_options },
    { "injectQueuedUpgradeEvents", op_inject },
    { "getStats", op_stats },
    { "dump", op_dump },
    { "installBundle", op_install },
    { "upgradeStaticVat", op_upgrade_static },
};

static run_operate *find(struct run *r, struct jval name)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (json_is(name, operations[i].name)) return operations[i].carry_out;
    }
    for (const struct run_operation *o = run_device_operations; o->name != NULL; o++) {
        if (json_is(name, o->name)) return o->carry_out;
    }
    bad_step(r, "no such operation here", json_raw(name));
}

static void put_activityhash(struct run *r, struct buf *out)
{
    struct buf status = { 0 };
    struct jval v;
    struct err e;
    kernel_status(r->kernel, &status);
    if (json_parse(&r->arena, arena_copy(&r->arena, buf_span(&status)), &v, &e) != 0) run_die(&e);
    buf_printf(out, ",\"activityhash\":%.*s", SPAN_ARG(json_raw(json_get(v, "activityhash"))));
    buf_fini(&status);
}

void run_op(struct run *r, struct jval op)
{
    struct buf out = { 0 };
    struct jval name = json_get(op, "op");
    struct err e;
    bool fails = json_type(json_get(op, "fails")) != JSON_NONE;
    if (r->panicked && !json_is(name, "restart")) bad_step(r, "after a panic", json_raw(name));
    if (find(r, name)(r, op, &out, &e) != 0) {
        if (!fails) {
            fprintf(stderr, "run_scenario: step %d (%.*s)\n", r->step, SPAN_ARG(json_raw(name)));
            run_die(&e);
        }
        buf_puts(&out, ",\"error\":");
        json_put_string(&out, span_of(e.text));
    } else if (fails) {
        bad_step(r, "should fail, and did not", json_raw(name));
    }
    run_take_out(r, &out);
    if (!r->panicked) {
        if (store_commit(r->store, &e) != 0) run_die(&e);
        put_activityhash(r, &out);
    }
    buf_puts(&r->steps, r->steps.n == 0 ? "\n  " : ",\n  ");
    buf_printf(&r->steps, "{\"op\":%.*s%.*s}", SPAN_ARG(json_raw(name)), SPAN_ARG(buf_span(&out)));
    buf_fini(&out);
}
