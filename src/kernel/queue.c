#include "kernel/queue.h"

#include "kernel/object.h"
#include "kernel/promise.h"

static const char *const queue_key[] = { "acceptanceQueue", "runQueue" };
static const enum stat queue_stat[] = { STAT_ACCEPTANCE_QUEUE_LENGTH, STAT_RUN_QUEUE_LENGTH };

struct ends {
    uint64_t head, tail;
};

static struct ends ends_of(struct kernel *k, enum queue q)
{
    struct jval v = state_json(k, span_of(queue_key[q]));
    struct ends e;
    bool ok = json_u64(json_at(v, 0), &e.head) && json_u64(json_at(v, 1), &e.tail);
    INVARIANT(ok && e.head <= e.tail);
    return e;
}

static void set_ends(struct kernel *k, enum queue q, struct ends e)
{
    kv_set(k->store, span_of(queue_key[q]),
           arena_printf(kernel_arena(k), "[%llu,%llu]", (unsigned long long)e.head,
                        (unsigned long long)e.tail));
}

static struct span item_key(struct kernel *k, enum queue q, uint64_t at)
{
    return arena_printf(kernel_arena(k), "%s.%llu", queue_key[q], (unsigned long long)at);
}

void queue_put(struct kernel *k, enum queue q, struct span event)
{
    struct ends e = ends_of(k, q);
    kv_set(k->store, item_key(k, q, e.tail), event);
    e.tail++;
    set_ends(k, q, e);
    stats_inc(&k->stats, queue_stat[q]);
}

bool queue_take(struct kernel *k, enum queue q, struct span *event)
{
    struct ends e = ends_of(k, q);
    if (e.head == e.tail) return false;
    struct span key = item_key(k, q, e.head);
    *event = state_need(k, key);
    kv_delete(k->store, key);
    e.head++;
    set_ends(k, q, e);
    stats_dec(&k->stats, queue_stat[q], 1);
    return true;
}

uint64_t queue_length(struct kernel *k, enum queue q)
{
    struct ends e = ends_of(k, q);
    return e.tail - e.head;
}

struct span queue_peek(struct kernel *k, enum queue q, uint64_t at)
{
    return state_need(k, item_key(k, q, ends_of(k, q).head + at));
}

/* -- messages -------------------------------------------------------------------------- */

void message_put(struct buf *b, const struct message *m)
{
    buf_puts(b, "{\"methargs\":");
    capdata_put(b, &m->methargs);
    if (m->result.kind != KREF_INVALID) {
        buf_printf(b, ",\"result\":\"%s\"", kref_text(m->result).s);
    } else if (!m->bare) {
        buf_puts(b, ",\"result\":null");
    }
    buf_putc(b, '}');
}

bool message_decode(struct arena *a, struct jval v, struct message *out)
{
    struct message m = { 0 };
    if (!capdata_decode(a, json_get(v, "methargs"), &m.methargs)) return false;
    struct jval result = json_get(v, "result");
    if (json_type(result) == JSON_STRING) {
        if (!kref_parse(json_str(result, a), &m.result)) return false;
    }
    *out = m;
    return true;
}

void queue_send(struct kernel *k, kref target, const struct message *m)
{
    ref_inc(k, target, REF_NORMAL);
    if (m->result.kind != KREF_INVALID) ref_inc(k, m->result, REF_NORMAL);
    refs_inc(k, &m->methargs);
    struct buf b = { 0 };
    buf_printf(&b, "{\"type\":\"send\",\"target\":\"%s\",\"msg\":", kref_text(target).s);
    message_put(&b, m);
    buf_putc(&b, '}');
    queue_put(k, QUEUE_ACCEPTANCE, buf_span(&b));
    buf_fini(&b);
}

void queue_notify(struct kernel *k, vat_id vat, kref promise)
{
    ref_inc(k, promise, REF_NORMAL);
    queue_put(k, QUEUE_ACCEPTANCE,
              arena_printf(kernel_arena(k),
                           "{\"type\":\"notify\",\"vatID\":\"%s\",\"kpid\":\"%s\"}",
                           vat_id_text(vat).s, kref_text(promise).s));
}

kref queue_to_kref(struct kernel *k, kref target, struct span method,
                   const struct pass *args, enum policy policy)
{
    return queue_call(k, target, pass_string(kernel_arena(k), method), args, policy);
}

kref queue_call(struct kernel *k, kref target, const struct pass *method,
                const struct pass *args, enum policy policy)
{
    struct arena *a = kernel_arena(k);
    const struct pass *both[] = { method, args };
    struct message m = { .bare = policy == POLICY_NONE };
    marshal_encode_k(a, pass_array(a, 2, both), &m.methargs);
    m.result = policy == POLICY_NONE ? (kref){ KREF_INVALID, 0 } : promise_new(k, policy);
    stats_inc(&k->stats, STAT_SYSCALLS);
    stats_inc(&k->stats, STAT_SYSCALL_SEND);
    queue_send(k, target, &m);
    return m.result;
}
