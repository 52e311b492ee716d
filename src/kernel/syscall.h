/* syscall.h -- what a vat asks for.
 *
 * A syscall arrives as JSON in the vat's names: it is decoded, translated through the
 * c-list (which may refuse), and carried out.  A refusal is fatal: the vat learns that it
 * is about to die, its delivery is undone, and it is terminated.
 *
 * Differences from upstream, on purpose: a malformed syscall, or resolving a promise that
 * is not the vat's to decide, panics upstream's kernel; here it terminates the vat
 * (conformance-notes section 8).  Liveslots does neither.
 *
 * (Upstream: vatTranslator.js, kernelSyscall.js, kernel.js buildVatSyscallHandler.)
 */
#pragma once

#include "kernel/state.h"

/* Carry out the syscall `vso` of `vat`; append its result's JSON to `result`.
 * Fatal ones also mark k->fate. */
void syscall_handle(struct kernel *k, vat_id vat, struct jval vso, struct buf *result);

/* Refuse a syscall, fatally, for a reason that people are told.  `vso` may be absent. */
void syscall_refuse(struct kernel *k, vat_id vat, struct jval vso, const char *why,
                    struct buf *result);
