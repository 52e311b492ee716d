#include "kernel/promise.h"

#include "kernel/object.h"
#include "kernel/slog.h"

static const char *const policy_text[] = { "ignore", "logAlways", "logFailure", "panic" };

kref promise_new(struct kernel *k, enum policy policy)
{
    kref p = { KREF_PROMISE, state_next(k, SPAN("kp.nextID")) };
    kv_set(k->store, key_kref(k, p, "state"), SPAN("unresolved"));
    kv_set(k->store, key_kref(k, p, "subscribers"), SPAN(""));
    kv_set(k->store, key_kref(k, p, "queue.nextID"), SPAN("0"));
    kv_set(k->store, key_kref(k, p, "refCount"), SPAN("0"));
    kv_set(k->store, key_kref(k, p, "decider"), SPAN(""));
    if (policy != POLICY_IGNORE) {
        kv_set(k->store, key_kref(k, p, "policy"), span_of(policy_text[policy]));
    }
    stats_inc(&k->stats, STAT_KERNEL_PROMISES);
    stats_inc(&k->stats, STAT_KP_UNRESOLVED);
    return p;
}

kref promise_new_for(struct kernel *k, vat_id decider)
{
    kref p = promise_new(k, POLICY_IGNORE);
    kv_set(k->store, key_kref(k, p, "decider"), span_of_vat(k, decider));
    return p;
}

enum promise_state promise_state(struct kernel *k, kref p)
{
    struct span text;
    if (!kv_get(k->store, key_kref(k, p, "state"), &text)) return PROMISE_UNKNOWN;
    if (span_is(text, "unresolved")) return PROMISE_UNRESOLVED;
    if (span_is(text, "fulfilled")) return PROMISE_FULFILLED;
    if (span_is(text, "rejected")) return PROMISE_REJECTED;
    BUG("a promise is in no known state");
}

bool promise_decider(struct kernel *k, kref p, vat_id *decider)
{
    struct span text;
    if (!kv_get(k->store, key_kref(k, p, "decider"), &text) || text.n == 0) return false;
    bool ok = vat_id_parse(text, decider);
    INVARIANT(ok);
    return true;
}

void promise_set_decider(struct kernel *k, kref p, vat_id decider)
{
    vat_id old;
    INVARIANT(promise_state(k, p) == PROMISE_UNRESOLVED && !promise_decider(k, p, &old));
    kv_set(k->store, key_kref(k, p, "decider"), span_of_vat(k, decider));
}

void promise_clear_decider(struct kernel *k, kref p)
{
    vat_id old;
    INVARIANT(promise_state(k, p) == PROMISE_UNRESOLVED && promise_decider(k, p, &old));
    kv_set(k->store, key_kref(k, p, "decider"), SPAN(""));
}

void promise_data(struct kernel *k, kref p, struct capdata *out)
{
    struct strings slots = state_commas(k, state_need(k, key_kref(k, p, "data.slots")));
    struct capdata d = { .body = state_need(k, key_kref(k, p, "data.body")),
                         .count = slots.count };
    d.slots = ARENA_ARRAY(kernel_arena(k), kref, slots.count + 1);
    for (size_t i = 0; i < slots.count; i++) {
        bool ok = kref_parse(slots.items[i], &d.slots[i]);
        INVARIANT(ok);
    }
    *out = d;
}

struct strings promise_subscribers(struct kernel *k, kref p)
{
    struct span text = SPAN("");
    kv_get(k->store, key_kref(k, p, "subscribers"), &text);
    return state_commas(k, text);
}

void promise_subscribe(struct kernel *k, kref p, vat_id vat)
{
    if (promise_state(k, p) != PROMISE_UNRESOLVED) {
        queue_notify(k, vat, p);
        return;
    }
    struct strings subscribers = promise_subscribers(k, p);
    strings_insert(k, &subscribers, span_of_vat(k, vat));
    kv_set(k->store, key_kref(k, p, "subscribers"), strings_commas(k, &subscribers));
}

/* -- the queue of an unresolved promise ---------------------------------------------------- */

static struct span queue_item_key(struct kernel *k, kref p, uint64_t at)
{
    return arena_printf(kernel_arena(k), "%s.queue.%llu", kref_text(p).s,
                        (unsigned long long)at);
}

void promise_queue_message(struct kernel *k, kref p, struct span message)
{
    INVARIANT(promise_state(k, p) == PROMISE_UNRESOLVED);
    uint64_t at = state_next(k, key_kref(k, p, "queue.nextID"));
    kv_set(k->store, queue_item_key(k, p, at), message);
    stats_inc(&k->stats, STAT_PROMISE_QUEUES_LENGTH);
}

bool promise_queued(struct kernel *k, kref p, uint64_t at, struct span *message)
{
    return kv_get(k->store, queue_item_key(k, p, at), message);
}

struct span promise_policy(struct kernel *k, kref p)
{
    struct span policy = SPAN("ignore");
    kv_get(k->store, key_kref(k, p, "policy"), &policy);
    return policy;
}

static void delete_queue(struct kernel *k, kref p)
{
    for (uint64_t at = 0; state_has(k, queue_item_key(k, p, at)); at++) {
        kv_delete(k->store, queue_item_key(k, p, at));
    }
}

void promise_requeue(struct kernel *k, kref p)
{
    INVARIANT(promise_state(k, p) == PROMISE_UNRESOLVED);
    struct span message;
    uint64_t n = 0, count = state_need_u64(k, key_kref(k, p, "queue.nextID"));
    for (; n < count && kv_get(k->store, queue_item_key(k, p, n), &message); n++) {
        struct buf b = { 0 };
        buf_printf(&b, "{\"type\":\"send\",\"target\":\"%s\",\"msg\":", kref_text(p).s);
        buf_put(&b, message);
        buf_putc(&b, '}');
        queue_put(k, QUEUE_ACCEPTANCE, buf_span(&b));
        buf_fini(&b);
    }
    stats_dec(&k->stats, STAT_PROMISE_QUEUES_LENGTH, (int64_t)n);
    if (count > 0) delete_queue(k, p);
    kv_set(k->store, key_kref(k, p, "queue.nextID"), SPAN("0"));
}

/* -- settling -------------------------------------------------------------------------------- */

static void delete_state(struct kernel *k, kref p)
{
    kv_delete(k->store, key_kref(k, p, "state"));
    kv_delete(k->store, key_kref(k, p, "decider"));
    kv_delete(k->store, key_kref(k, p, "subscribers"));
    kv_delete(k->store, key_kref(k, p, "policy"));
    delete_queue(k, p);
    kv_delete(k->store, key_kref(k, p, "queue.nextID"));
    kv_delete(k->store, key_kref(k, p, "data.body"));
    kv_delete(k->store, key_kref(k, p, "data.slots"));
}

static void settle(struct kernel *k, kref p, bool rejected, const struct capdata *data)
{
    struct strings slots = { data->count, NULL };
    slots.items = ARENA_ARRAY(kernel_arena(k), struct span, data->count + 1);
    for (size_t i = 0; i < data->count; i++) {
        ref_inc(k, data->slots[i], REF_NORMAL);
        slots.items[i] = span_of_kref(k, data->slots[i]);
    }
    promise_requeue(k, p);
    delete_state(k, p);
    stats_dec(&k->stats, STAT_KP_UNRESOLVED, 1);
    stats_inc(&k->stats, rejected ? STAT_KP_REJECTED : STAT_KP_FULFILLED);
    kv_set(k->store, key_kref(k, p, "state"), rejected ? SPAN("rejected") : SPAN("fulfilled"));
    kv_set(k->store, key_kref(k, p, "data.body"), data->body);
    kv_set(k->store, key_kref(k, p, "data.slots"), strings_commas(k, &slots));
}

/* In upstream's words, for the slog. */
static void log_policy(struct kernel *k, kref p, struct span policy, bool rejected,
                       const struct capdata *data)
{
    struct buf b = { 0 };
    bool panic = span_is(policy, "panic");
    if (!slogging(k)) return;
    buf_printf(&b, "%s%s.policy %.*s: %s ", panic ? "##### KERNEL PANIC: " : "", kref_text(p).s,
               SPAN_ARG(policy), rejected ? "rejected" : "fulfilled");
    capdata_put(&b, data);
    if (panic) buf_puts(&b, " #####");
    slog_say_text(k, panic ? "error" : "log", buf_span(&b), "");
    buf_fini(&b);
}

static void apply_policy(struct kernel *k, kref p, struct span policy, bool rejected,
                         const struct capdata *data)
{
    bool tell = span_is(policy, "logAlways") || (rejected && span_is(policy, "logFailure"));
    bool panic = rejected && span_is(policy, "panic");
    if (!tell && !panic) return;
    log_policy(k, p, policy, rejected, data);
    struct span what = marshal_describe(kernel_arena(k), data);
    if (tell) {
        kernel_note(k, "a message of the kernel's own (%s) was %s: %.*s", kref_text(p).s,
                    rejected ? "rejected" : "fulfilled", SPAN_ARG(what));
    } else {
        kernel_panic(k, EXIT_VAT, "bootstrap failed: %.*s", SPAN_ARG(what));
    }
}

void promise_resolve(struct kernel *k, kref p, bool rejected, const struct capdata *data)
{
    struct strings subscribers = promise_subscribers(k, p);
    struct span policy = promise_policy(k, p);
    for (size_t i = 0; i < subscribers.count; i++) {
        vat_id vat;
        bool ok = vat_id_parse(subscribers.items[i], &vat);
        INVARIANT(ok);
        queue_notify(k, vat, p);
    }
    settle(k, p, rejected, data);
    apply_policy(k, p, policy, rejected, data);
}

void promise_reject_with(struct kernel *k, kref p, struct span message)
{
    struct capdata error;
    marshal_error(kernel_arena(k), message, &error);
    promise_resolve(k, p, true, &error);
}

void promise_delete(struct kernel *k, kref p)
{
    static const enum stat gauge[] = { [PROMISE_UNRESOLVED] = STAT_KP_UNRESOLVED,
                                       [PROMISE_FULFILLED] = STAT_KP_FULFILLED,
                                       [PROMISE_REJECTED] = STAT_KP_REJECTED };
    enum promise_state state = promise_state(k, p);
    INVARIANT(state != PROMISE_UNKNOWN);
    stats_dec(&k->stats, gauge[state], 1);
    stats_dec(&k->stats, STAT_KERNEL_PROMISES, 1);
    delete_state(k, p);
    kv_delete(k->store, key_kref(k, p, "refCount"));
}

/* Depth first, in slot order, as upstream's getKpidsToRetire: iterative, since a chain of
 * promises is as long as a vat likes. */
size_t promise_batch(struct kernel *k, kref p, kref **out)
{
    struct frame {
        struct capdata data;
        size_t next;
    } *stack = NULL;
    size_t depth = 0, room = 0;
    struct kref_set seen = { 0 };
    kref at = p;
    for (;;) {
        if (kref_set_add(&seen, at)) {
            if (depth == room) {
                size_t grown = room == 0 ? 16 : room * 2;
                struct frame *more = ARENA_ARRAY(kernel_arena(k), struct frame, grown);
                if (room > 0) memcpy(more, stack, room * sizeof *more);
                stack = more;
                room = grown;
            }
            stack[depth].next = 0;
            promise_data(k, at, &stack[depth++].data);
        }
        bool found = false;
        while (depth > 0 && !found) {
            struct frame *f = &stack[depth - 1];
            if (f->next == f->data.count) {
                depth--;
                continue;
            }
            at = f->data.slots[f->next++];
            found = at.kind == KREF_PROMISE && promise_state(k, at) != PROMISE_UNRESOLVED;
        }
        if (!found) break;
    }
    *out = ARENA_ARRAY(kernel_arena(k), kref, seen.count + 1);
    memcpy(*out, seen.items, seen.count * sizeof(kref));
    size_t count = seen.count;
    kref_set_fini(&seen);
    return count;
}
