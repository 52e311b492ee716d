/* object.h -- kernel objects: who owns them, who still needs them.
 *
 * Keys: koNN.owner = vatID (missing: orphaned), koNN.refCount = "reachable,recognizable".
 *
 * Invariants (kernel_audit recomputes them):
 *   O1  reachable <= recognizable.
 *   O2  reachable = importers that can still reach it + queue entries, promise data,
 *       vatParameters, pins and device c-lists that name it.
 *   O3  recognizable = the same, with importers that merely recognize it.
 *   O4  an owned object is in its owner's c-list.
 *
 * Life:  added 0,0 --referenced--> in use --last reach gone--> dropExport to the owner
 *        --last recognition gone--> retireExport; an orphan is retired by the kernel.
 */
#pragma once

#include "kernel/state.h"

struct refs {
    uint64_t reachable, recognizable;
};

kref object_add(struct kernel *k, vat_id owner);
bool object_exists(struct kernel *k, kref o);
/* The owner, unless the object is orphaned or the owner is terminated. */
bool object_owner(struct kernel *k, kref o, vat_id *owner);
/* The owner as recorded, terminated or not. */
bool object_recorded_owner(struct kernel *k, kref o, vat_id *owner);
struct refs object_refs(struct kernel *k, kref o); /* 0,0 if it is gone */
void object_set_refs(struct kernel *k, kref o, struct refs r);
void object_delete(struct kernel *k, kref o);
/* Delete objects whose owner has retired them; importers are told (retireImport). */
void object_retire(struct kernel *k, const kref *objects, size_t count);
/* The owner lets go without retiring: termination, upgrade, abandonExports. */
void object_orphan(struct kernel *k, kref o, vat_id owner);

/* What kind of reference is counted. */
enum ref_kind {
    REF_NORMAL = 0,       /* reaches */
    REF_EXPORT = 1,       /* from an exporter's c-list: counts for promises only */
    REF_RECOGNIZABLE = 2, /* recognizes, does not reach */
};

/* Promises and objects are counted; devices live for ever. */
void ref_inc(struct kernel *k, kref r, unsigned kind);
void ref_dec(struct kernel *k, kref r, unsigned kind);
/* Everything that capdata names, in its order. */
void refs_inc(struct kernel *k, const struct capdata *data);
void refs_dec(struct kernel *k, const struct capdata *data);

/* Keep an object alive whatever happens (pinnedObjects), or stop doing so. */
void object_pin(struct kernel *k, kref o);
void object_unpin(struct kernel *k, kref o);
