/* clist.h -- what one vat can reach, and what it calls it.
 *
 * A c-list maps the names one vat uses (vref "o+3") to the names the kernel uses (kref
 * "ko12").  It is the whole of a vat's authority: a vat can name a thing only if a row
 * here says so.
 *
 * Keys: vNN.c.KREF = "R VREF" or "_ VREF" (reachable, merely recognizable),
 *       vNN.c.VREF = KREF.  (Upstream: vatKeeper.js.)
 *
 * Invariants (kernel_audit):
 *   C1  (vat, vref) <-> kref is one to one.
 *   C2  an import's row counts 1 recognizable, and 1 reachable while it is "R".
 *   C3  an export's row names an object its vat owns; a promise's row counts 1.
 *
 * Life of a row:  absent --import/export--> R <--> _ --retire--> absent
 */
#pragma once

#include "kernel/state.h"

enum clist_result {
    CLIST_OK = 0,
    CLIST_BAD_VREF,      /* not a vref at all                        the vat's fault */
    CLIST_NOT_FOUND,     /* the vat made the name up, or gave it up  the vat's fault */
    CLIST_NOT_REACHABLE, /* it dropped this import earlier           the vat's fault */
    CLIST_NOT_NEW,       /* the name is taken                        the vat's fault */
    CLIST_NOT_EXPORTABLE /* a vat cannot export device nodes         the vat's fault */
};

enum clist_mode {
    CLIST_REACH = 0,    /* allocate exports; mark exports reachable, insist imports are */
    CLIST_NEW = 1,      /* the row must not exist yet */
    CLIST_REQUIRED = 2, /* the row must exist; reachability is not looked at */
};

/* What `vat` means by a vref.  Allocates a kernel object or promise for a new export. */
enum clist_result clist_to_kernel(struct kernel *k, vat_id vat, struct span text,
                                  enum clist_mode mode, kref *out);
/* What `vat` calls a kref; a new import is allocated and made reachable. */
struct span clist_to_vat(struct kernel *k, vat_id vat, kref r);
/* The same for a row that must exist, leaving reachability alone. */
struct span clist_vref(struct kernel *k, vat_id vat, kref r);

bool clist_has(struct kernel *k, vat_id vat, kref r);
bool clist_imports(struct kernel *k, vat_id vat, kref r);
bool clist_is_reachable(struct kernel *k, vat_id vat, kref r);
void clist_set_reachable(struct kernel *k, vat_id vat, kref r);
void clist_clear_reachable(struct kernel *k, vat_id vat, kref r);
/* Delete a row and what it counts. */
void clist_delete(struct kernel *k, vat_id vat, kref r);
/* Delete the keys of a row only: the caller settles what it counted. */
void clist_forget(struct kernel *k, vat_id vat, kref r);

/* A row as stored. */
struct clist_row {
    bool reachable;
    struct span vref;
};
bool clist_row(struct kernel *k, vat_id vat, kref r, struct clist_row *out);
/* Write both keys of a row, as they are: for a fork's child. */
void clist_put(struct kernel *k, vat_id vat, kref r, struct clist_row row);

/* Walk the vat's rows whose vref starts with `prefix` ("o+", "p", …), in byte order of the
 * vref; start with a zeroed struct.  Rows may be deleted meanwhile. */
struct clist_walk {
    struct span key;
    struct span vref;
    kref r;
};
bool clist_next(struct kernel *k, vat_id vat, const char *prefix, struct clist_walk *w);
