/* gc.h -- telling vats what nobody needs any more.
 *
 * Counts that reach zero during a crank put krefs on a set; at the crank's end
 * gc_process_refcounts() looks at each: settled promises without references go at once,
 * objects become "GC actions" for their owners and importers, kept in `gcActions` and
 * delivered, one vat and type at a time, before any other delivery.
 * (Upstream: kernelKeeper.js processRefcounts, gc-actions.js.)
 */
#pragma once

#include "kernel/state.h"

enum gc_type { GC_DROP_EXPORT = 0, GC_RETIRE_EXPORT, GC_RETIRE_IMPORT, GC_TYPES };

/* "v3 dropExport ko21" */
struct span gc_action_text(struct kernel *k, vat_id vat, enum gc_type type, kref o);
/* Add to the durable set; always writes it, as upstream does. */
void gc_add_actions(struct kernel *k, const struct strings *more);
void gc_process_refcounts(struct kernel *k);

enum gc_next {
    GC_NOTHING = 0,
    GC_NEGATED,  /* actions were found moot and removed: a crank of their own records it */
    GC_DELIVER,  /* one vat, one type, sorted krefs */
};
struct gc_group {
    vat_id vat;
    enum gc_type type;
    size_t count;
    kref *krefs;
};
enum gc_next gc_next_group(struct kernel *k, struct gc_group *out);
/* "dropExports", … */
const char *gc_delivery_name(enum gc_type type);
/* ["ko20",…] */
void gc_put_krefs(struct buf *b, const kref *krefs, size_t count);
