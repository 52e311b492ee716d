/* device_kind.h -- which of upstream's devices a bundle is.
 *
 * A device's code is never run here: it is native.  What stands in the store as its source
 * is upstream's bundle of the same device, so that a store means the same to both.  What a
 * bundle is, its entry module says; what the device is called says nothing.
 */
#pragma once

#include "base/span.h"
#include "store/bundle.h"

/* "vatAdmin", "timer", "bundle", "mailbox", "bridge", "command", "loopbox"; or NULL, and
 * `why` is what the bundle is instead, without a subject ("is not …").  Whether this
 * kernel has such a device is another question (kernel_has_device). */
const char *device_kind(const struct bundle_entry *entry, const char **why);
