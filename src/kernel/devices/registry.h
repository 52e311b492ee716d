/* registry.h -- the devices that are built in. */
#pragma once

#include "kernel/device.h"
#include "kernel/devices/slots.h"

struct native {
    const char *name; /* its kind: device_kind.h */
    const struct device_ops *raw;    /* one of the two */
    const struct slots_ops *slots;
    /* Has the host a side for it?  NULL: none is needed. */
    bool (*endowed)(const struct device_host *host);
};

/* NULL: there is none. */
const struct native *native_named(struct span kind);
