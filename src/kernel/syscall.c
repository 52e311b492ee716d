#include "kernel/syscall.h"

#include "kernel/clist.h"
#include "kernel/device.h"
#include "kernel/gc.h"
#include "kernel/object.h"
#include "kernel/promise.h"
#include "kernel/slog.h"
#include "kernel/vats.h"

/* How a syscall went; only refusals differ in what is told to people. */
enum outcome {
    DONE = 0, /* the result is written */
    REFUSED,  /* fatal to the vat; nothing is written yet */
};

/* One syscall being handled. */
struct call {
    struct kernel *k;
    vat_id vat;
    struct jval vso;
    struct buf *result;
    const char *why; /* of a refusal, for people */
    bool told;       /* the slog has it */
    struct span kernel_result; /* for the slog; absent: the same as the vat's */
};

static enum outcome refuse(struct call *c, const char *why)
{
    c->why = why;
    return REFUSED;
}

static enum outcome ok_null(struct call *c)
{
    buf_puts(c->result, "[\"ok\",null]");
    return DONE;
}

/* -- the slog: a syscall in the kernel's names, once it is translated ------------------------- */

/* Logs ["NAME",…] whose elements are in `b`. */
static void tell(struct call *c, const char *name, struct buf *b)
{
    struct buf ksc = { 0 };
    buf_printf(&ksc, "[\"%s\",", name);
    buf_put(&ksc, buf_span(b));
    buf_putc(&ksc, ']');
    slog_syscall(c->k, c->vat, buf_span(&ksc), c->vso);
    c->told = true;
    buf_fini(&ksc);
    buf_fini(b);
}

static void tell_send(struct call *c, kref target, const struct message *m)
{
    struct buf b = { 0 };
    if (!slogging(c->k)) return;
    buf_printf(&b, "\"%s\",", kref_text(target).s);
    message_put(&b, m);
    tell(c, "send", &b);
}

static void tell_exit(struct call *c, bool failure, const struct capdata *info)
{
    struct buf b = { 0 };
    if (!slogging(c->k)) return;
    buf_printf(&b, "\"%s\",%s,", vat_id_text(c->vat).s, failure ? "true" : "false");
    capdata_put(&b, info);
    tell(c, "exit", &b);
}

static void tell_subscribe(struct call *c, kref p)
{
    struct buf b = { 0 };
    if (!slogging(c->k)) return;
    buf_printf(&b, "\"%s\",\"%s\"", vat_id_text(c->vat).s, kref_text(p).s);
    tell(c, "subscribe", &b);
}

/* A vatstore syscall with so many arguments, which need no translation. */
static void tell_vatstore(struct call *c, const char *name, size_t args)
{
    struct buf b = { 0 };
    if (!slogging(c->k)) return;
    buf_printf(&b, "\"%s\"", vat_id_text(c->vat).s);
    for (size_t i = 1; i <= args; i++) {
        buf_putc(&b, ',');
        json_put_value(&b, json_at(c->vso, i));
    }
    tell(c, name, &b);
}

static void tell_gc(struct call *c, const char *name, bool with_vat, const kref *krefs, size_t count)
{
    struct buf b = { 0 };
    if (!slogging(c->k)) return;
    if (with_vat) buf_printf(&b, "\"%s\",", vat_id_text(c->vat).s);
    gc_put_krefs(&b, krefs, count);
    tell(c, name, &b);
}

static void tell_invoke(struct call *c, kref device, struct span method, const struct capdata *args)
{
    struct buf b = { 0 };
    if (!slogging(c->k)) return;
    buf_printf(&b, "\"%s\",", kref_text(device).s);
    json_put_string(&b, method);
    buf_putc(&b, ',');
    capdata_put(&b, args);
    tell(c, "invoke", &b);
}

/* What callNow returned, in the kernel's names. */
static void tell_answer(struct call *c, const struct capdata *answer)
{
    struct buf b = { 0 };
    if (!slogging(c->k)) return;
    buf_puts(&b, "[\"ok\",");
    capdata_put(&b, answer);
    buf_putc(&b, ']');
    c->kernel_result = arena_copy(kernel_arena(c->k), buf_span(&b));
    buf_fini(&b);
}

/* -- decoding ------------------------------------------------------------------------------- */

static bool string_arg(const struct call *c, size_t at, struct span *out)
{
    *out = json_str(json_at(c->vso, at), kernel_arena(c->k));
    return out->p != NULL;
}

static const char *clist_problem(enum clist_result r)
{
    switch (r) {
    case CLIST_OK: return "";
    case CLIST_BAD_VREF: return "a slot is not a vref";
    case CLIST_NOT_FOUND: return "a vref is not in the c-list";
    case CLIST_NOT_REACHABLE: return "an import was dropped earlier";
    case CLIST_NOT_NEW: return "a result promise is not new";
    case CLIST_NOT_EXPORTABLE: return "a vat cannot export device nodes";
    default: return "";
    }
}

/* One name through the c-list. */
static bool map(struct call *c, struct span name, enum clist_mode mode, kref *out)
{
    enum clist_result r = clist_to_kernel(c->k, c->vat, name, mode, out);
    if (r != CLIST_OK) c->why = clist_problem(r);
    return r == CLIST_OK;
}

static bool map_data(struct call *c, const struct vat_capdata *in, struct capdata *out)
{
    struct capdata d = { .body = in->body, .count = in->count };
    d.slots = ARENA_ARRAY(kernel_arena(c->k), kref, in->count + 1);
    for (size_t i = 0; i < in->count; i++) {
        if (!map(c, in->slots[i], CLIST_REACH, &d.slots[i])) return false;
    }
    *out = d;
    return true;
}

/* -- send, exit, subscribe --------------------------------------------------------------------- */

static enum outcome do_send(struct call *c)
{
    struct kernel *k = c->k;
    struct span target_name;
    struct vat_capdata methargs;
    struct jval m = json_at(c->vso, 2), result = json_get(m, "result");
    if (!string_arg(c, 1, &target_name) ||
        !vat_capdata_decode(kernel_arena(k), json_get(m, "methargs"), &methargs)) {
        return refuse(c, "malformed send");
    }
    kref target;
    struct message out = { 0 };
    if (!map(c, target_name, CLIST_REACH, &target) || !map_data(c, &methargs, &out.methargs)) {
        return REFUSED;
    }
    enum json_type type = json_type(result);
    if (type != JSON_STRING && type != JSON_NULL && type != JSON_FALSE && type != JSON_NONE) {
        return refuse(c, "malformed send");
    }
    struct span result_name = json_str(result, kernel_arena(k));
    if (result_name.n > 0) {
        vref parsed;
        if (!vref_parse(result_name, &parsed) || parsed.kind != KREF_PROMISE) {
            return refuse(c, "a result is not a promise");
        }
        bool pipelining = vat_pipelines(k, c->vat);
        if (!map(c, result_name, pipelining ? CLIST_REACH : CLIST_NEW, &out.result)) {
            return REFUSED;
        }
        vat_id decider;
        if (promise_state(k, out.result) != PROMISE_UNRESOLVED ||
            !promise_decider(k, out.result, &decider) || !vat_id_eq(decider, c->vat)) {
            return refuse(c, "a result promise is not the vat's to give");
        }
        promise_clear_decider(k, out.result);
    }
    if (target.kind == KREF_DEVICE) return refuse(c, "cannot send to a device node");
    tell_send(c, target, &out);
    stats_inc(&k->stats, STAT_SYSCALLS);
    stats_inc(&k->stats, STAT_SYSCALL_SEND);
    queue_send(k, target, &out);
    return ok_null(c);
}

static enum outcome do_exit(struct call *c)
{
    struct vat_capdata info;
    enum json_type failure = json_type(json_at(c->vso, 1));
    if ((failure != JSON_TRUE && failure != JSON_FALSE) ||
        !vat_capdata_decode(kernel_arena(c->k), json_at(c->vso, 2), &info)) {
        return refuse(c, "malformed exit");
    }
    struct capdata mapped;
    if (!map_data(c, &info, &mapped)) return REFUSED;
    tell_exit(c, failure == JSON_TRUE, &mapped);
    stats_inc(&c->k->stats, STAT_SYSCALLS);
    stats_inc(&c->k->stats, STAT_SYSCALL_EXIT);
    c->k->fate.exiting = true;
    c->k->fate.exit_reject = failure == JSON_TRUE;
    c->k->fate.exit_info = mapped;
    return ok_null(c);
}

static enum outcome do_subscribe(struct call *c)
{
    struct span name;
    kref p;
    if (!string_arg(c, 1, &name)) return refuse(c, "malformed subscribe");
    if (!map(c, name, CLIST_REACH, &p)) return REFUSED;
    if (p.kind != KREF_PROMISE || promise_state(c->k, p) == PROMISE_UNKNOWN) {
        return refuse(c, "cannot subscribe to what is not a promise");
    }
    tell_subscribe(c, p);
    stats_inc(&c->k->stats, STAT_SYSCALLS);
    stats_inc(&c->k->stats, STAT_SYSCALL_SUBSCRIBE);
    promise_subscribe(c->k, p, c->vat);
    return ok_null(c);
}

/* -- resolve ----------------------------------------------------------------------------------- */

struct resolution {
    kref promise;
    bool rejected;
    struct capdata data;
};

/* Fulfilling with a promise would be a redirect, which there is not. */
static bool resolves_to_promise(struct call *c, const struct vat_capdata *data, bool *out)
{
    const struct pass *value;
    const char *why;
    if (!marshal_decode(kernel_arena(c->k), data, &value, &why)) {
        c->why = why;
        return false;
    }
    *out = value->style == PASS_PROMISE;
    return true;
}

static bool decode_resolution(struct call *c, struct jval v, struct resolution *out)
{
    struct kernel *k = c->k;
    struct span name = json_str(json_at(v, 0), kernel_arena(k));
    enum json_type rejected = json_type(json_at(v, 1));
    struct vat_capdata data;
    vref parsed;
    c->why = "malformed resolve";
    if (json_type(v) != JSON_ARRAY || name.p == NULL || (rejected != JSON_TRUE && rejected != JSON_FALSE) ||
        !vat_capdata_decode(kernel_arena(k), json_at(v, 2), &data)) {
        return false;
    }
    c->why = "cannot resolve what is not a promise";
    if (!vref_parse(name, &parsed) || parsed.kind != KREF_PROMISE) return false;
    out->rejected = rejected == JSON_TRUE;
    bool to_promise = false;
    if (!out->rejected && !resolves_to_promise(c, &data, &to_promise)) return false;
    c->why = "cannot resolve to a promise";
    if (to_promise) return false;
    return map(c, name, CLIST_REACH, &out->promise) && map_data(c, &data, &out->data);
}

static bool may_resolve(struct call *c, kref p)
{
    vat_id decider;
    c->why = "a promise is not the vat's to resolve";
    return promise_state(c->k, p) == PROMISE_UNRESOLVED && promise_decider(c->k, p, &decider) &&
           vat_id_eq(decider, c->vat);
}

static bool may_resolve_all(struct call *c, const struct resolution *all, size_t count)
{
    struct kref_set seen = { 0 };
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        ok = may_resolve(c, all[i].promise);
        if (ok && !kref_set_add(&seen, all[i].promise)) {
            c->why = "a promise is resolved twice";
            ok = false;
        }
    }
    kref_set_fini(&seen);
    return ok;
}

static void tell_resolve(struct call *c, const struct resolution *all, size_t count)
{
    struct buf b = { 0 };
    if (!slogging(c->k)) return;
    buf_printf(&b, "\"%s\",[", vat_id_text(c->vat).s);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&b, "%s[\"%s\",%s,", i > 0 ? "," : "", kref_text(all[i].promise).s,
                   all[i].rejected ? "true" : "false");
        capdata_put(&b, &all[i].data);
        buf_putc(&b, ']');
    }
    buf_putc(&b, ']');
    tell(c, "resolve", &b);
}

static enum outcome do_resolve(struct call *c)
{
    struct kernel *k = c->k;
    struct jval list = json_at(c->vso, 1);
    size_t count = json_len(list);
    if (json_type(list) != JSON_ARRAY) return refuse(c, "malformed resolve");
    struct resolution *all = ARENA_ARRAY(kernel_arena(k), struct resolution, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (!decode_resolution(c, json_at(list, i), &all[i])) return REFUSED;
    }
    if (!may_resolve_all(c, all, count)) return REFUSED;
    for (size_t i = 0; i < count; i++) {
        clist_to_vat(k, c->vat, all[i].promise);
        clist_delete(k, c->vat, all[i].promise);
    }
    tell_resolve(c, all, count);
    stats_inc(&k->stats, STAT_SYSCALLS);
    stats_inc(&k->stats, STAT_SYSCALL_RESOLVE);
    for (size_t i = 0; i < count; i++) {
        promise_resolve(k, all[i].promise, all[i].rejected, &all[i].data);
    }
    return ok_null(c);
}

/* -- vatstore ------------------------------------------------------------------------------------ */

static bool vatstore_key(struct call *c, struct span *out)
{
    struct span name;
    if (!string_arg(c, 1, &name)) {
        c->why = "malformed vatstore key";
        return false;
    }
    *out = key_vat_in(c->k, c->vat, "vs.", name);
    return true;
}

static void ok_string_or_null(struct call *c, struct span text)
{
    if (text.n == 0) { /* upstream maps '' to null, too */
        ok_null(c);
        return;
    }
    buf_puts(c->result, "[\"ok\",");
    json_put_string(c->result, text);
    buf_putc(c->result, ']');
}

static enum outcome do_vatstore_get(struct call *c)
{
    struct span key, value = SPAN_NONE;
    if (!vatstore_key(c, &key)) return REFUSED;
    tell_vatstore(c, "vatstoreGet", 1);
    stats_inc(&c->k->stats, STAT_SYSCALLS);
    stats_inc(&c->k->stats, STAT_SYSCALL_VATSTORE_GET);
    kv_get(c->k->store, key, &value);
    ok_string_or_null(c, value);
    return DONE;
}

static enum outcome do_vatstore_set(struct call *c)
{
    struct span key, value;
    if (!vatstore_key(c, &key)) return REFUSED;
    if (!string_arg(c, 2, &value)) return refuse(c, "malformed vatstore value");
    tell_vatstore(c, "vatstoreSet", 2);
    stats_inc(&c->k->stats, STAT_SYSCALLS);
    stats_inc(&c->k->stats, STAT_SYSCALL_VATSTORE_SET);
    kv_set(c->k->store, key, value);
    return ok_null(c);
}

static enum outcome do_vatstore_next_key(struct call *c)
{
    struct span key, prefix = key_vat(c->k, c->vat, "vs.");
    if (!vatstore_key(c, &key)) return REFUSED;
    tell_vatstore(c, "vatstoreGetNextKey", 1);
    stats_inc(&c->k->stats, STAT_SYSCALLS);
    stats_inc(&c->k->stats, STAT_SYSCALL_VATSTORE_GET_NEXT_KEY);
    struct span next = SPAN_NONE;
    if (state_next_key(c->k, prefix, &key))
        next = wtf8_read_back(kernel_arena(c->k), span_from(key, prefix.n));
    ok_string_or_null(c, next);
    return DONE;
}

static enum outcome do_vatstore_delete(struct call *c)
{
    struct span key;
    if (!vatstore_key(c, &key)) return REFUSED;
    tell_vatstore(c, "vatstoreDelete", 1);
    stats_inc(&c->k->stats, STAT_SYSCALLS);
    stats_inc(&c->k->stats, STAT_SYSCALL_VATSTORE_DELETE);
    kv_delete(c->k->store, key);
    return ok_null(c);
}

/* -- garbage ------------------------------------------------------------------------------------- */

/* What each of the four GC syscalls does to one object. */
enum gc_call { DROP_IMPORT, RETIRE_IMPORT, RETIRE_EXPORT, ABANDON_EXPORT };

static const char *const gc_call_names[] = { [DROP_IMPORT] = "dropImports",
                                             [RETIRE_IMPORT] = "retireImports",
                                             [RETIRE_EXPORT] = "retireExports",
                                             [ABANDON_EXPORT] = "abandonExports" };

static bool gc_one(struct call *c, enum gc_call what, struct span name, kref *out)
{
    vref parsed;
    bool exported = what == RETIRE_EXPORT || what == ABANDON_EXPORT;
    c->why = "a GC syscall names something else";
    if (name.p == NULL || !vref_parse(name, &parsed) || parsed.kind != KREF_OBJECT ||
        parsed.vat_allocated != exported) {
        return false;
    }
    if (!map(c, name, CLIST_REQUIRED, out)) return false;
    c->why = "retiring what is still reachable";
    switch (what) {
    case DROP_IMPORT: clist_clear_reachable(c->k, c->vat, *out); return true;
    case ABANDON_EXPORT: return true;
    case RETIRE_IMPORT:
    case RETIRE_EXPORT:
    default:
        if (clist_is_reachable(c->k, c->vat, *out)) return false;
        clist_delete(c->k, c->vat, *out);
        return true;
    }
}

static enum outcome do_gc(struct call *c, enum gc_call what)
{
    struct kernel *k = c->k;
    struct jval list = json_at(c->vso, 1);
    if (json_type(list) != JSON_ARRAY) return refuse(c, "malformed GC syscall");
    size_t count = json_len(list);
    kref *krefs = ARENA_ARRAY(kernel_arena(k), kref, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (!gc_one(c, what, json_str(json_at(list, i), kernel_arena(k)), &krefs[i])) {
            return REFUSED;
        }
    }
    tell_gc(c, gc_call_names[what], what == ABANDON_EXPORT, krefs, count);
    if (what == RETIRE_EXPORT) object_retire(k, krefs, count);
    for (size_t i = 0; what == ABANDON_EXPORT && i < count; i++) {
        vat_id owner;
        if (!object_recorded_owner(k, krefs[i], &owner) || !vat_id_eq(owner, c->vat)) {
            return refuse(c, "abandoning twice"); /* the same vref listed again */
        }
        object_orphan(k, krefs[i], c->vat);
    }
    return ok_null(c);
}

/* -- callNow --------------------------------------------------------------------------------------- */

static enum outcome do_call_now(struct call *c)
{
    struct kernel *k = c->k;
    struct span target, method;
    struct vat_capdata args;
    kref device;
    if (!string_arg(c, 1, &target) || !string_arg(c, 2, &method) ||
        !vat_capdata_decode(kernel_arena(k), json_at(c->vso, 3), &args)) {
        return refuse(c, "malformed callNow");
    }
    if (!map(c, target, CLIST_REACH, &device)) return REFUSED;
    if (device.kind != KREF_DEVICE) return refuse(c, "callNow to what is not a device");
    for (size_t i = 0; i < args.count; i++) {
        vref parsed;
        if (!vref_parse(args.slots[i], &parsed) || parsed.kind == KREF_PROMISE) {
            return refuse(c, "callNow arguments cannot include promises");
        }
    }
    struct capdata mapped, answer;
    if (!map_data(c, &args, &mapped)) return REFUSED;
    tell_invoke(c, device, method, &mapped);
    stats_inc(&k->stats, STAT_SYSCALLS);
    stats_inc(&k->stats, STAT_SYSCALL_CALL_NOW);
    struct span problem = device_invoke(k, device, method, &mapped, &answer);
    if (problem.p != NULL) {
        buf_puts(c->result, "[\"error\",");
        json_put_string(c->result, problem);
        buf_putc(c->result, ']');
        return DONE;
    }
    tell_answer(c, &answer);
    struct vat_capdata mine = { .body = answer.body, .count = answer.count };
    mine.slots = ARENA_ARRAY(kernel_arena(k), struct span, answer.count + 1);
    for (size_t i = 0; i < answer.count; i++) {
        mine.slots[i] = clist_to_vat(k, c->vat, answer.slots[i]);
    }
    buf_puts(c->result, "[\"ok\",");
    vat_capdata_put(c->result, &mine);
    buf_putc(c->result, ']');
    return DONE;
}

/* -- the table ------------------------------------------------------------------------------------- */

static enum outcome do_drop_imports(struct call *c) { return do_gc(c, DROP_IMPORT); }
static enum outcome do_retire_imports(struct call *c) { return do_gc(c, RETIRE_IMPORT); }
static enum outcome do_retire_exports(struct call *c) { return do_gc(c, RETIRE_EXPORT); }
static enum outcome do_abandon_exports(struct call *c) { return do_gc(c, ABANDON_EXPORT); }

static const struct {
    const char *name;
    enum outcome (*handle)(struct call *c);
} calls[] = {
    { "send", do_send },
    { "callNow", do_call_now },
    { "subscribe", do_subscribe },
    { "resolve", do_resolve },
    { "exit", do_exit },
    { "vatstoreGet", do_vatstore_get },
    { "vatstoreSet", do_vatstore_set },
    { "vatstoreGetNextKey", do_vatstore_next_key },
    { "vatstoreDelete", do_vatstore_delete },
    { "dropImports", do_drop_imports },
    { "retireImports", do_retire_imports },
    { "retireExports", do_retire_exports },
    { "abandonExports", do_abandon_exports },
};

static void doom(struct call *c)
{
    static const struct span problem = { "syscall translation error: prepare to die", 41 };
    struct kernel *k = c->k;
    kernel_note(k, "%s made a fatal syscall: %s", vat_id_text(c->vat).s, c->why);
    slog_say(k, "log", ",{}", "error during syscall translation:"); /* {}: an Error as JSON */
    k->fate.illegal = true;
    marshal_error(kernel_arena(k), problem, &k->fate.illegal_info);
    buf_printf(c->result, "[\"error\",\"%s\"]", problem.p);
    if (!c->told) slog_syscall(k, c->vat, SPAN_NONE, c->vso);
}

/* `from`: where this syscall's result begins. */
static void tell_result(const struct call *c, size_t from)
{
    struct span result = span_from(buf_span(c->result), from);
    slog_syscall_result(c->k, c->vat, c->kernel_result.p == NULL ? result : c->kernel_result, result);
}

void syscall_refuse(struct kernel *k, vat_id vat, struct jval vso, const char *why,
                    struct buf *result)
{
    struct call c = { .k = k, .vat = vat, .vso = vso, .result = result, .why = why };
    size_t from = result->n;
    doom(&c);
    tell_result(&c, from);
}

void syscall_handle(struct kernel *k, vat_id vat, struct jval vso, struct buf *result)
{
    struct call c = { .k = k, .vat = vat, .vso = vso, .result = result,
                      .why = "an unknown syscall" };
    enum outcome outcome = REFUSED;
    size_t from = result->n;
    kernel_step_label(k, "syscall");
    /* An object's members can be counted, too. */
    bool array = json_type(vso) == JSON_ARRAY;
    for (size_t i = 0; array && i < sizeof calls / sizeof *calls; i++) {
        if (json_is(json_at(vso, 0), calls[i].name)) {
            outcome = calls[i].handle(&c);
            break;
        }
    }
    if (outcome != DONE) doom(&c);
    tell_result(&c, from);
}
