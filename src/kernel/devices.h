/* devices.h -- the host's side of the devices (upstream's buildTimer, buildMailbox, …).
 *
 * What a host gives a kernel when it opens it (struct device_host), and what it may call
 * between runs.  Such a call queues messages to vats and changes the device's state at once;
 * it runs no crank, and emits no hashes: run the kernel afterwards, and commit.  `device` is
 * the device's name in the config, or SPAN_NONE for the only one of its kind.
 *
 * An inbound call that fails has upstream's side effects: what it did before stays.
 * fails  EXIT_NOT_FOUND no such device; EXIT_USAGE several, and none named; EXIT_FAILED what
 *        upstream's would throw (no handler is registered, time runs backwards, …).
 */
#pragma once

#include "kernel/kernel.h"

/* Any may be absent: a device without its host side is skipped at start, with a note, and a
 * vat that calls it panics the kernel (as upstream). */
struct device_host {
    void *self;
    /* A vat called the bridge: `args` is a JSON array.  Write the answer's JSON, or nothing
     * (undefined).  Nonzero: it threw, and the vat sees a device error. */
    int (*bridge_outbound)(void *self, struct span device, struct span args, struct buf *answer);
    void (*command_broadcast)(void *self, struct span device, struct span json_text);
    /* Response to command `count`; the text is absent for undefined. */
    void (*command_response)(void *self, struct span device, uint64_t count, bool rejected,
                             struct span json_text);
    /* buildLoopbox(deliverMode); upstream's is for tests, and so is ours. */
    enum loopbox_mode { LOOPBOX_NONE = 0, LOOPBOX_QUEUED, LOOPBOX_IMMEDIATE } loopbox;
};

/* Names of the devices of a kind ("timer") that run; in the store's arena. */
size_t kernel_devices(struct kernel *k, const char *kind, struct span **names);

/* Tell the timer what time it is: never less than before.
 * out  *woke  something is to be woken: run the kernel. */
int kernel_timer_poll(struct kernel *k, struct span device, uint64_t now, bool *woke,
                      struct err *e) MUST_CHECK;

/* Deliver what a peer sent: messages [[num, body]…] and an ack, as they are passed on to
 * vattp (numbers or bigints). */
int kernel_mailbox_deliver(struct kernel *k, struct span device, struct span peer,
                           const struct pass *messages, const struct pass *ack,
                           struct err *e) MUST_CHECK;
/* What is to be sent: {"PEER":{"inboundAck":num,"outbox":[[num,body]…]}…}, exportToData of
 * upstream's buildMailboxStateMap.  It is kept in the store, in keys of the host's space
 * (host.zygote.mailbox.*), and is dropped with a crank that is. */
int kernel_mailbox_export(struct kernel *k, struct span device, struct buf *json_text,
                          struct err *e) MUST_CHECK;

/* Call the bridge's handler with these arguments, a JSON array. */
int kernel_bridge_inbound(struct kernel *k, struct span device, struct span args,
                          struct err *e) MUST_CHECK;

/* Send a command; its response, if any, comes to command_response under *count, which is
 * written also when sending failed.  Counts begin at 0 in each process. */
int kernel_command_inbound(struct kernel *k, struct span device, struct span json_text,
                           uint64_t *count, struct err *e) MUST_CHECK;

/* Move one message that was queued.  out  *passed  there was one. */
int kernel_loopbox_pass(struct kernel *k, struct span device, bool *passed,
                        struct err *e) MUST_CHECK;
