/* fork_clone.h -- the rows of a forked vat: step 3 of the fork crank (fork.h).
 *
 * Everything that may refuse has been asked before: cloning does not fail.
 */
#pragma once

#include "kernel/fork.h"

/* A fork-vat event, decoded. */
struct fork_event {
    vat_id child, parent;
    size_t count;
    kref *oldrefs;
    struct fork_options options;
    bool host; /* asked by the host */
};

/* A child in the making; what it points to lives in the kernel's arena. */
struct clone {
    struct kernel *k;
    const struct fork_event *r;
    struct fork_work work;
    kref root; /* the child's; KREF_INVALID if the parent's was dropped */
    struct kref_set awaited; /* promises that the child listens to; freed by clone_rows */
    bool settled;            /* there are settled promises in its c-list */
    struct string_list retired; /* retireImport actions: objects gone while the parent slept */
};

/* Write the child's rows, in the canonical order (fork.md section 3). */
void clone_rows(struct clone *c);
/* The child's object for an export of the parent that was asked for.  call after clone_rows */
kref clone_of(const struct clone *c, kref old);
