/* device.h -- devices: natively built things that a vat calls synchronously.
 *
 * A device has a c-list of its own, which never forgets: what a device was once given it
 * holds for ever (it has no garbage collection), and its nodes are never freed.
 * Keys: device.names, device.name.NAME, device.nextID; dNN.{o,d,p}.nextID, dNN.c.*,
 * dNN.vs.*, dNN.deviceState, dNN.source, dNN.options.   (Upstream: deviceKeeper.js,
 * deviceTranslator.js, deviceManager.js.)
 *
 * Which native device an entry of the config is, its bundle tells (device_kind.h): a
 * store that upstream made runs, whatever its devices are called.
 *
 * There are two frameworks, as upstream.  A "raw" device (vatAdmin, bundle) sees krefs and
 * keeps its state in dNN.vs.*.  A "slots" device (devices/slots.h) sees values, keeps its
 * state in dNN.deviceState, and remembers things while the process lives.
 */
#pragma once

#include "kernel/state.h"

struct slots;

/* A device of this process. */
struct device {
    struct kernel *k;
    device_id id;
    struct span name;               /* in `arena` */
    const struct native *native;   
    bool started;                   /* false: the host has no side for it */
    bool touched;                   /* called since a rollback: its memory may be ahead */
    struct arena arena;             /* as long as the kernel is open */
    struct slots *slots;            /* NULL: a raw device */
    void *memory;                   /* the kind's own */
};

/* Make every device of the store (upstream's kernel.start()), in the order of their names;
 * some write to the store then.
 * fails  EXIT_INCOMPATIBLE  a device that is not built into this kernel
 *        EXIT_INTEGRITY     a device's state does not read */
int devices_start(struct kernel *k, struct err *e) MUST_CHECK;
void devices_stop(struct kernel *k);
/* After a rollback: what the undone crank made a device remember is forgotten.  Upstream's
 * devices keep it, though their c-lists may then give the same name to another object; so do
 * ours where stores must be equal ("zygotes": false). */
void devices_rolled_back(struct kernel *k);

bool device_by_name(struct kernel *k, struct span name, device_id *out);
device_id device_allocate(struct kernel *k, struct span name);
/* The kernel's name of a node ("d+0"), allocated if new. */
kref device_node(struct kernel *k, device_id d, struct span slot);
/* The device's name of a kref; a new one is counted, for ever. */
struct span device_slot(struct kernel *k, device_id d, kref r);
/* What a device's name stands for; false if it made the name up. */
bool device_kref(struct kernel *k, device_id d, struct span slot, kref *out);

/* Call a method of a device node.  Returns SPAN_NONE and writes `answer`, or the text of
 * the error that the calling vat's D() throws. */
struct span device_invoke(struct kernel *k, kref node, struct span method,
                          const struct capdata *args, struct capdata *answer);

/* What one raw device does when called.  `slot` is its own name of the node; `args` carries
 * krefs.  A device that fails says why to people (kernel_note) and returns false; what it
 * wrote before stays, as upstream's devices have it. */
struct device_ops {
    const char *name;
    /* Some calls must not put their arguments into the device's c-list. */
    bool (*keeps_no_slots)(struct kernel *k, struct span slot, struct span method);
    bool (*invoke)(struct kernel *k, device_id d, struct span slot, struct span method,
                   const struct capdata *args, struct capdata *answer);
};
