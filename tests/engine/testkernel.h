/* testkernel.h -- just enough of a kernel to run one vat, the same for every worker.
 *
 * Delivers a fixed script of messages, notifications and bring-out-your-deads to the vat of
 * tests/vats/engine-parity.js, answers its syscalls from memory, and keeps what two workers
 * must agree on.
 */
#pragma once

#include "engine/driver.h"

struct sha256;

struct testkernel_row {
    char *key;
    char *value;
};

struct testkernel {
    struct driver *worker;

    struct testkernel_row *rows; /* the vatstore, by key */
    size_t row_count, row_cap;
    struct buf unsettled;        /* promises the vat waits for, "p+5\n" each */
    unsigned notified;           /* bytes of `unsettled` dealt with */
    unsigned delivered;

    struct sha256 *syscalls; /* over every upcall, in order */
    struct buf computrons;   /* "12 34 …", one per delivery */
    struct buf heap;         /* "currentHeapCount/allocate …", one per delivery */
};

void testkernel_init(struct testkernel *k);
void testkernel_fini(struct testkernel *k);

/* Send everything to this worker from now on. */
void testkernel_attach(struct testkernel *k, struct driver *worker);

/* setBundle and startVat. */
void testkernel_start_vat(struct testkernel *k, const char *bundle_path);

/* Delivery number k->delivered of the script; a bringOutYourDead follows every `boyd_every`. */
void testkernel_deliver(struct testkernel *k, unsigned boyd_every);
