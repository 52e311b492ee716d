/* raw.h -- what raw devices share: one call of theirs, and bundlecaps.
 *
 * A raw device (upstream's buildDevice()) gets krefs and keeps its state in dNN.vs.*, which it
 * reads and writes by syscalls, counted as a vat's.  A bundlecap is a device node that stands
 * for an installed bundle: dNN.vs.id.BUNDLEID = d+N, dNN.vs.slot.d+N = BUNDLEID, numbers from
 * dNN.vs.nextDev.  (Upstream: device-bundle.js, device-vat-admin.js.)
 */
#pragma once

#include "kernel/device.h"

struct raw_call {
    struct kernel *k;
    device_id d;
    const char *device;        /* its kind, for people */
    struct span slot;          /* the node called: "d+0" is the root */
    const struct capdata *raw;
    const struct pass *args;   /* the decoded argument array */
    struct capdata *answer;
};

/* False, so that a method may return it: the caller's D() throws. */
bool raw_fail(const struct raw_call *c, const char *why);
bool raw_answer(const struct raw_call *c, const struct pass *value);
/* Decode the arguments.  False, with the reason told, if they are no array. */
bool raw_decode(struct raw_call *c);

const struct pass *raw_arg(const struct raw_call *c, size_t at); /* undefined, if too few */
bool raw_string_arg(const struct raw_call *c, size_t at, struct span *out);

/* Is it /^b1-[0-9a-f]{128}$/ ? */
bool raw_is_bundle_id(struct span id);
/* The ID that a config gave a name to; false, with the reason told, if none did. */
bool raw_named_bundle(const struct raw_call *c, struct span *id);
/* Answer the cap of a bundle, undefined if it is not installed. */
bool raw_answer_bundlecap(const struct raw_call *c, struct span id);
/* A call of a bundlecap: getBundleID() or getBundle(). */
bool raw_invoke_bundlecap(const struct raw_call *c, struct span method);
