/* device.h -- devices: natively built things that a vat calls synchronously.
 *
 * A device has a c-list of its own, which never forgets: what a device was once given it
 * holds for ever (it has no garbage collection), and its nodes are never freed.
 * Keys: device.names, device.name.NAME, device.nextID; dNN.{o,d,p}.nextID, dNN.c.*,
 * dNN.vs.*, dNN.source, dNN.options.   (Upstream: deviceKeeper.js, deviceTranslator.js.)
 */
#pragma once

#include "kernel/state.h"

bool device_by_name(struct kernel *k, struct span name, device_id *out);
device_id device_allocate(struct kernel *k, struct span name);
/* The kernel's name of a node ("d+0"), allocated if new. */
kref device_node(struct kernel *k, device_id d, struct span slot);
/* The device's name of a kref; a new one is counted, for ever. */
struct span device_slot(struct kernel *k, device_id d, kref r);

/* Call a method of a device node.  Returns SPAN_NONE and writes `answer`, or the text of
 * the error that the calling vat's D() throws. */
struct span device_invoke(struct kernel *k, kref node, struct span method,
                          const struct capdata *args, struct capdata *answer);

/* What one device does when called.  `slot` is its own name of the node; `args` carries
 * krefs.  A device that fails says why to people (kernel_note) and returns false; what it
 * wrote before stays, as upstream's devices have it. */
struct device_ops {
    const char *name;
    /* Some calls must not put their arguments into the device's c-list. */
    bool (*keeps_no_slots)(struct kernel *k, struct span slot, struct span method);
    bool (*invoke)(struct kernel *k, device_id d, struct span slot, struct span method,
                   const struct capdata *args, struct capdata *answer);
};
extern const struct device_ops vat_admin_device;
