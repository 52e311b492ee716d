#include "kernel/stats.h"

struct stat_name {
    struct span key;
    bool gauge, consensus;
};

#define NAME(text) { text, sizeof text - 1 }

static const struct stat_name names[STAT_COUNT] = {
    [STAT_SYSCALLS] = { NAME("syscalls"), false, false },
    [STAT_SYSCALL_SEND] = { NAME("syscallSend"), false, false },
    [STAT_SYSCALL_CALL_NOW] = { NAME("syscallCallNow"), false, false },
    [STAT_SYSCALL_SUBSCRIBE] = { NAME("syscallSubscribe"), false, false },
    [STAT_SYSCALL_RESOLVE] = { NAME("syscallResolve"), false, false },
    [STAT_SYSCALL_EXIT] = { NAME("syscallExit"), false, false },
    [STAT_SYSCALL_VATSTORE_GET] = { NAME("syscallVatstoreGet"), false, false },
    [STAT_SYSCALL_VATSTORE_SET] = { NAME("syscallVatstoreSet"), false, false },
    [STAT_SYSCALL_VATSTORE_GET_NEXT_KEY] = { NAME("syscallVatstoreGetNextKey"), false, false },
    [STAT_SYSCALL_VATSTORE_DELETE] = { NAME("syscallVatstoreDelete"), false, false },
    [STAT_SYSCALL_DROP_IMPORTS] = { NAME("syscallDropImports"), false, false },
    [STAT_DISPATCHES] = { NAME("dispatches"), false, false },
    [STAT_DISPATCH_DELIVER] = { NAME("dispatchDeliver"), false, false },
    [STAT_DISPATCH_NOTIFY] = { NAME("dispatchNotify"), false, false },
    [STAT_KERNEL_OBJECTS] = { NAME("kernelObjects"), true, false },
    [STAT_KERNEL_DEVICES] = { NAME("kernelDevices"), true, false },
    [STAT_KERNEL_PROMISES] = { NAME("kernelPromises"), true, false },
    [STAT_KP_UNRESOLVED] = { NAME("kpUnresolved"), true, false },
    [STAT_KP_FULFILLED] = { NAME("kpFulfilled"), true, false },
    [STAT_KP_REJECTED] = { NAME("kpRejected"), true, false },
    [STAT_RUN_QUEUE_LENGTH] = { NAME("runQueueLength"), true, true },
    [STAT_ACCEPTANCE_QUEUE_LENGTH] = { NAME("acceptanceQueueLength"), true, true },
    [STAT_PROMISE_QUEUES_LENGTH] = { NAME("promiseQueuesLength"), true, true },
    [STAT_CLIST_ENTRIES] = { NAME("clistEntries"), true, false },
    [STAT_VATS] = { NAME("vats"), true, false },
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
static void put_number(struct buf *b, struct span key, struct span suffix, int64_t value)
{
    if (b->p[b->n - 1] != '{') buf_putc(b, ',');
    buf_putc(b, '"');
    buf_put(b, key);
    buf_put(b, suffix);
    buf_put(b, SPAN("\":"));
    buf_put_i64(b, value);
}

void stats_put(const struct stats *s, bool consensus, struct buf *b)
{
    buf_putc(b, '{');
    for (size_t i = 0; i < STAT_COUNT; i++) {
        if (names[i].consensus != consensus) continue;
        put_number(b, names[i].key, SPAN(""), s->of[i].now);
        if (!names[i].gauge) continue;
        put_number(b, names[i].key, SPAN("Up"), s->of[i].up);
        put_number(b, names[i].key, SPAN("Down"), s->of[i].down);
        put_number(b, names[i].key, SPAN("Max"), s->of[i].max);
    }
    buf_putc(b, '}');
}

static int64_t number_of(struct jval from, struct span key, const char *suffix)
{
    char name[64];
    size_t n = key.n, m = strlen(suffix);
    memcpy(name, key.p, n);
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
