/* natives.h -- the devices themselves, one file each (timer.c, mailbox.c, …), after the
 * module of the same name under upstream's src/devices. */
#pragma once

#include "kernel/device.h"
#include "kernel/devices/slots.h"

extern const struct device_ops vat_admin_device;
extern const struct device_ops bundle_device;

extern const struct slots_ops timer_device;
extern const struct slots_ops mailbox_device;
extern const struct slots_ops bridge_device;
extern const struct slots_ops command_device;
extern const struct slots_ops loopbox_device;

/* The device of that name, or (name absent) the only one of the kind.
 * fails  EXIT_NOT_FOUND; EXIT_USAGE there are several. */
int device_find(struct kernel *k, const struct slots_ops *kind, struct span name,
                struct device **out, struct err *e) MUST_CHECK;
