/* spawn.h -- a worker started by itself, not from an image: booted or loaded.
 *
 * What upstream's startXSnap.js does, and what images are made of.
 */
#pragma once

#include "worker/port.h"

enum {
    SPAWN_IMAGE_FD = 9, /* in the worker: where `I@9` writes */
};

struct spawn_request {
    const char *name;
    uint32_t meter_limit;
    int image;           /* becomes SPAWN_IMAGE_FD; -1: none */
};

/* Computrons per crank of a metered vat: upstream's DEFAULT_CRANK_METERING_LIMIT. */
enum { SPAWN_CRANK_LIMIT = 100000000 };

/* A new machine that has evaluated the boot bundles. */
int spawn_booted(struct worker_port *p, const struct spawn_request *r,
                 const struct vat_start *from, struct vat_machine **out,
                 struct err *e) MUST_CHECK;

/* A machine that reads the snapshot `from` names.  It may not have finished reading, and
 * was sent no command.
 * fails  also if the bytes are not those the hash names (EXIT_INTEGRITY). */
int spawn_loading(struct worker_port *p, const struct spawn_request *r,
                  const struct vat_start *from, struct vat_machine **out,
                  struct err *e) MUST_CHECK;

/* "v7:bank" */
void spawn_name(const struct vat_start *from, char out[FORKSERVER_NAME_MAX]);
