/* vats.h -- which vats there are, and what is recorded of each.
 *
 * Keys: vat.names, vat.name.NAME, vat.dynamicIDs, vat.nextID, vats.terminated;
 * vNN.source, .options, .vatParameters, .reapDirt, .{o,p,d}.nextID, .vs.*, .c.*;
 * ours, only in stores with forks: vNN.forkedFrom, vNN.sealed, vNN.loadedFrom (rom.h);
 * zygote.maxVats (limits.h).
 *
 * Life:  allocated (an ID) --vat_create_state--> alive --terminate--> terminated
 *        --cleaned up--> gone;     alive --zygotify--> sealed --terminate--> …
 */
#pragma once

#include "kernel/state.h"

struct vat_options {
    struct span name; /* SPAN_NONE: none */
    struct strings boot; /* bundle IDs of lockdown and supervisor */
    bool local;          /* its worker is of the type "local", and no XS worker (comms.h) */
    bool enable_setup, enable_pipelining, enable_disavow, use_transcript, critical;
    struct span reap_dirt_threshold; /* JSON text of the record */
    struct span meter_id;            /* SPAN_NONE: unmetered */
};

/* May a vat be called so?  (Upstream's rule for dynamic vats: vat-admin.) */
bool vat_name_valid(struct span name);
vat_id vat_allocate_id(struct kernel *k);
/* A static vat's ID, allocated if the name is new. */
vat_id vat_allocate_named(struct kernel *k, struct span name);
void vat_add_dynamic(struct kernel *k, vat_id vat);
/* The same for the child of a fork: the crankhash covers its ID and not the whole list. */
void vat_add_forked(struct kernel *k, vat_id vat);
bool vat_by_name(struct kernel *k, struct span name, vat_id *out);
/* Not a static vat.  call  with a vat that there is, or that is being made. */
bool vat_is_dynamic(struct kernel *k, vat_id vat);
/* Take it off the list it is on; a static vat's name goes too. */
void vat_delete_id(struct kernel *k, vat_id vat);

bool vat_is_alive(struct kernel *k, vat_id vat);
bool vat_is_terminated(struct kernel *k, vat_id vat);
void vat_mark_terminated(struct kernel *k, vat_id vat);
/* call  for a terminated vat. */
void vat_forget_terminated(struct kernel *k, vat_id vat);
/* From the store into memory.  False: not all on the list are IDs. */
bool vats_load_terminated(struct kernel *k);
bool vat_first_terminated(struct kernel *k, vat_id *out);
bool vat_is_sealed(struct kernel *k, vat_id vat);

/* All that take room: the living, and the dead that are not cleaned up yet. */
uint64_t vats_count(struct kernel *k);
/* Living vats in upstream's order of enumeration: static by name, then dynamic. */
size_t vats_all(struct kernel *k, vat_id **out);
size_t vats_dynamic(struct kernel *k, vat_id **out);
/* Visit static vats by name; start with a zeroed key. */
bool vats_next_static(struct kernel *k, struct span *key, struct span *name, vat_id *vat);

/* The first rows of a vat, and its transcript. */
void vat_create_state(struct kernel *k, vat_id vat, struct span source, const struct vat_options *o);
/* What it runs: {"bundleID":…}, or {"bundle":…} with the bundle itself. */
void vat_set_source(struct kernel *k, vat_id vat, struct span source, const struct vat_options *o);
struct span vat_options_text(struct kernel *k, const struct vat_options *o);
struct vat_options vat_options(struct kernel *k, vat_id vat);
/* Three of them, which every delivery asks for, without taking the others apart. */
struct span vat_reap_threshold(struct kernel *k, vat_id vat); /* JSON text of the record */
bool vat_pipelines(struct kernel *k, vat_id vat);
struct span vat_meter(struct kernel *k, vat_id vat); /* SPAN_NONE: unmetered */
struct span vat_bundle_id(struct kernel *k, vat_id vat); /* SPAN_NONE: it has the bundle itself */
/* JSON of the bundle a vat without bundle_id was created from. */
struct span vat_own_bundle(struct kernel *k, vat_id vat);
struct span vat_source_text(struct kernel *k, struct span bundle_id);
void vat_set_parameters(struct kernel *k, vat_id vat, const struct capdata *parameters);

/* Dirt: what makes a vat due for bringOutYourDead. */
void vat_add_dirt(struct kernel *k, vat_id vat, uint64_t computrons, uint64_t gc_krefs);
void vat_clear_dirt(struct kernel *k, vat_id vat);
void vat_schedule_reap(struct kernel *k, vat_id vat);
bool vat_next_reap(struct kernel *k, vat_id *vat);
/* {...old, name: value}; REAP_NEVER is "never". */
void threshold_with(struct kernel *k, struct jval old, const char *name, int64_t value, struct buf *b);
void vat_set_reap_interval(struct kernel *k, vat_id vat, int64_t deliveries);

/* The kref of a vat's root, exported if it is not. */
kref vat_root(struct kernel *k, vat_id vat);
