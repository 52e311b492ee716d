#include "kernel/stats.h"

struct stat_name {
    const char *key;
    bool gauge, consensus;
};

static const struct stat_name names[STAT_COUNT] = {
    [STAT_SYSCALLS] = { "syscalls", false, false },
    [STAT_SYSCALL_SEND] = { "syscallSend", false, false },
    [STAT_SYSCALL_CALL_NOW] = { "syscallCallNow", false, false },
    [STAT_SYSCALL_SUBSCRIBE] = { "syscallSubscribe", false, false },
    [STAT_SYSCALL_RESOLVE] = { "syscallResolve", false, false },
    [STAT_SYSCALL_EXIT] = { "syscallExit", false, false },
    [STAT_SYSCALL_VATSTORE_GET] = { "syscallVatstoreGet", false, false },
    [STAT_SYSCALL_VATSTORE_SET] = { "syscallVatstoreSet", false, false },
    [STAT_SYSCALL_VATSTORE_GET_NEXT_KEY] = { "syscallVatstoreGetNextKey", false, false },
    [STAT_SYSCALL_VATSTORE_DELETE] = { "syscallVatstoreDelete", false, false },
    [STAT_SYSCALL_DROP_IMPORTS] = { "syscallDropImports", false, false },
    [STAT_DISPATCHES] = { "dispatches", false, false },
    [STAT_DISPATCH_DELIVER] = { "dispatchDeliver", false, false },
    [STAT_DISPATCH_NOTIFY] = { "dispatchNotify", false, false },
    [STAT_KERNEL_OBJECTS] = { "kernelObjects", true, false },
    [STAT_KERNEL_DEVICES] = { "kernelDevices", true, false },
    [STAT_KERNEL_PROMISES] = { "kernelPromises", true, false },
    [STAT_KP_UNRESOLVED] = { "kpUnresolved", true, false },
    [STAT_KP_FULFILLED] = { "kpFulfilled", true, false },
    [STAT_KP_REJECTED] = { "kpRejected", true, false },
    [STAT_RUN_QUEUE_LENGTH] = { "runQueueLength", true, true },
    [STAT_ACCEPTANCE_QUEUE_LENGTH] = { "acceptanceQueueLength", true, true },
    [STAT_PROMISE_QUEUES_LENGTH] = { "promiseQueuesLength", true, true },
    [STAT_CLIST_ENTRIES] = { "clistEntries", true, false },
    [STAT_VATS] = { "vats", true, false },
};

void stats_inc(struct stats *s, enum stat which)
{
    struct stat_value *v = &s->of[which];
    v->now++;
    v->up++;
    if (v->now > v->max) v->max = v->now;
}

void stats_dec(struct stats *s, enum stat which, int64_t by)
{
    s->of[which].now -= by;
    s->of[which].down += by;
}

/* Some fifty of them are written twice a delivery: printf was a fifth of the kernel's time. */
static void put_number(struct buf *b, const char *key, const char *suffix, int64_t value)
{
    buf_puts(b, b->p[b->n - 1] != '{' ? ",\"" : "\"");
    buf_puts(b, key);
    buf_puts(b, suffix);
    buf_puts(b, "\":");
    buf_put_i64(b, value);
}

void stats_put(const struct stats *s, bool consensus, struct buf *b)
{
    buf_putc(b, '{');
    for (size_t i = 0; i < STAT_COUNT; i++) {
        if (names[i].consensus != consensus) continue;
        put_number(b, names[i].key, "", s->of[i].now);
        if (!names[i].gauge) continue;
        put_number(b, names[i].key, "Up", s->of[i].up);
        put_number(b, names[i].key, "Down", s->of[i].down);
        put_number(b, names[i].key, "Max", s->of[i].max);
    }
    buf_putc(b, '}');
}

static int64_t number_of(struct jval from, const char *key, const char *suffix)
{
    char name[64];
    size_t n = strlen(key), m = strlen(suffix);
    memcpy(name, key, n);
    memcpy(name + n, suffix, m + 1);
    double d;
    return json_double(json_get(from, name), &d) ? (int64_t)d : 0;
}

void stats_load(struct stats *s, struct jval consensus, struct jval local)
{
    for (size_t i = 0; i < STAT_COUNT; i++) {
        struct jval from = names[i].consensus ? consensus : local;
        struct stat_value *v = &s->of[i];
        v->now = number_of(from, names[i].key, "");
        v->up = number_of(from, names[i].key, "Up");
        v->down = number_of(from, names[i].key, "Down");
        v->max = number_of(from, names[i].key, "Max");
    }
}
