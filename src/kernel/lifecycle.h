/* lifecycle.h -- how vats come and go.
 *
 *   create-vat event -> rows, machine, startVat -> newVatCallback, or terminated
 *   terminate        -> off the lists, promises rejected, vat-admin told, machine stopped
 *   cleanup          -> c-list, keys, snapshots, transcript deleted (in a crank of its own)
 */
#pragma once

#include "kernel/crank.h"
#include "kernel/vats.h"

int create_vat_crank(struct kernel *k, struct jval event, struct crank_result *r, struct err *e);
int start_vat_crank(struct kernel *k, vat_id vat, const struct capdata *parameters,
                    struct crank_result *r, struct err *e);

/* End a vat.  Nothing happens to one that is not alive, but vat-admin is told. */
void vat_terminate(struct kernel *k, vat_id vat, bool reject, const struct capdata *info);

/* Delete everything a terminated vat left. */
void cleanup_crank(struct kernel *k, vat_id vat);
