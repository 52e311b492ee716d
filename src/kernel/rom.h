/* rom.h -- zygotes that travel: a vat at rest out of one store, a sealed vat in another.
 *
 * Saving changes nothing.  The vat must be one that could be forked now, and at rest: sealed,
 * or with nothing in its transcript since its heap snapshot.
 *
 * Loading makes a dynamic vat, sealed, with an ID of its own:
 *
 *   exports   fresh objects; the root is pinned, the others stay as a zygote's do
 *   imports   what the loader says each one is: no authority comes with a rom
 *   vatstore, counters, dirt, heap   as they were
 *   meter     none, or the one that is named; a rom of a metered vat needs to be told
 *   critical  never
 *
 * Kept with it: vNN.loadedFrom = {"rom": SHA-256 of the file, "lineage": […]}.
 *
 * Whoever can give somebody a rom to load can run code in a machine of its own, like whoever
 * gives a bundle, and then some: the heap goes to XS as it is, which the worker's own sandbox
 * has to contain.
 */
#pragma once

#include "kernel/rom_file.h"
#include "kernel/kernel.h"

/* Append the file to `out`.
 * fails  EXIT_NOT_FOUND no such vat; EXIT_POLICY it cannot be forked, or is not at rest;
 *        EXIT_FAILED it is too large. */
int kernel_rom_save(struct kernel *k, vat_id vat, struct buf *out, struct err *e) MUST_CHECK;

/* What an import of the rom is to be in this store. */
struct rom_import {
    struct span vref; /* "o-50", "d-70" */
    kref target;      /* an object or a device node */
};

struct rom_request {
    const struct rom *rom;  /* as rom_read gave it */
    struct span hash;       /* SHA-256 of the file */
    struct span name;       /* SPAN_NONE: the rom's */
    struct span meter;      /* "m1", or "none"; SPAN_NONE: not said */
    size_t import_count;
    const struct rom_import *imports;
};

/* A cap of an installed bundle, of the device that `vat-admin` has, for an import.
 * fails  EXIT_NOT_FOUND no such bundle, by ID or by name; no such device. */
int kernel_bundle_node(struct kernel *k, struct span bundle, kref *out, struct err *e) MUST_CHECK;
int kernel_device_node(struct kernel *k, struct span name, kref *out, struct err *e) MUST_CHECK;

/* Make a sealed vat of it, start its machine once to see that there is one, and tell
 * vat-admin, whose answer is the handle that E(handle).fork() is asked of.
 * out    *handle  promise of it, held for the host
 * fails  EXIT_POLICY forks are not enabled here; imports that are missing, too many, or two
 *        of one thing; a meter that is wanted, or not.
 *        EXIT_INCOMPATIBLE made by another engine, or other lockdown and supervisor bundles.
 *        EXIT_INTEGRITY its bundle is none, or its heap does not start.
 *        After a failure nothing may be committed. */
int kernel_rom_load(struct kernel *k, const struct rom_request *r, vat_id *vat, kref *handle,
                    struct err *e) MUST_CHECK;
/* The object that a loaded vat exports by that name; false if there is none. */
bool kernel_rom_export(struct kernel *k, vat_id vat, struct span name, kref *out);
