/* lifecycle.h -- how vats come and go.
 *
 *   create-vat event -> rows, machine, startVat -> newVatCallback, or terminated
 *   terminate        -> off the lists, promises rejected, vat-admin told, machine stopped
 *   cleanup          -> what it left is deleted, in cranks of its own (cleanup.h)
 */
#pragma once

#include "kernel/crank.h"
#include "kernel/vats.h"

/* Bundle IDs of lockdown and supervisor that new workers start from: those the vat-admin vat
 * was made with.  False, and nothing written, if it was terminated. */
bool boot_bundles(struct kernel *k, struct strings *out);

int create_vat_crank(struct kernel *k, struct jval event, struct crank_result *r, struct err *e);
int start_vat_crank(struct kernel *k, vat_id vat, const struct capdata *parameters,
                    struct crank_result *r, struct err *e);

/* End a vat.  Nothing happens to one that is not alive, but vat-admin is told. */
void vat_terminate(struct kernel *k, vat_id vat, bool reject, const struct capdata *info);
