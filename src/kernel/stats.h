/* stats.h -- the kernel's counters and gauges.
 *
 * Upstream keeps them in memory, saves them when hashes are emitted and reloads them on a
 * rollback; twelve of them (the queue lengths) are consensus and so part of the hashes,
 * quirks included.  (internal/src/metrics.js, kernel/state/stats.js)
 */
#pragma once

#include "base/json.h"

enum stat {
    /* counters, local */
    STAT_SYSCALLS,
    STAT_SYSCALL_SEND,
    STAT_SYSCALL_CALL_NOW,
    STAT_SYSCALL_SUBSCRIBE,
    STAT_SYSCALL_RESOLVE,
    STAT_SYSCALL_EXIT,
    STAT_SYSCALL_VATSTORE_GET,
    STAT_SYSCALL_VATSTORE_SET,
    STAT_SYSCALL_VATSTORE_GET_NEXT_KEY,
    STAT_SYSCALL_VATSTORE_DELETE,
    STAT_SYSCALL_DROP_IMPORTS,
    STAT_DISPATCHES,
    STAT_DISPATCH_DELIVER,
    STAT_DISPATCH_NOTIFY,
    /* gauges, local */
    STAT_KERNEL_OBJECTS,
    STAT_KERNEL_DEVICES,
    STAT_KERNEL_PROMISES,
    STAT_KP_UNRESOLVED,
    STAT_KP_FULFILLED,
    STAT_KP_REJECTED,
    /* gauges, consensus */
    STAT_RUN_QUEUE_LENGTH,
    STAT_ACCEPTANCE_QUEUE_LENGTH,
    STAT_PROMISE_QUEUES_LENGTH,
    /* gauges, local */
    STAT_CLIST_ENTRIES,
    STAT_VATS,
    STAT_COUNT,
};

struct stat_value {
    int64_t now, up, down, max;
};

struct stats {
    struct stat_value of[STAT_COUNT];
};

void stats_inc(struct stats *s, enum stat which);
void stats_dec(struct stats *s, enum stat which, int64_t by);
/* The two JSON texts, keys in upstream's order. */
void stats_put(const struct stats *s, bool consensus, struct buf *b);
/* Read back; a key that is missing counts from 0. */
void stats_load(struct stats *s, struct jval consensus, struct jval local);
