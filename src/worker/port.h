/* port.h -- what worker.c and start.c share: the port's own state. */
#pragma once

#include "worker/forkclient.h"
#include "worker/images.h"
#include "worker/machine.h"
#include "worker/worker.h"

struct worker_port {
    char *path;              /* of the program, as given */
    int program;             /* opened once: one port, one build */
    char build[SHA256_HEX + 1]; /* digest of the program; empty with no_images */
    int stall_ms;
    struct images *images;   /* NULL with no_images */
    struct forkclient fork;
    struct worker_counts counts;
    struct buf boot_ids;     /* the boot bundles last asked for … */
    struct image_key boot_key; /* … and the key of their image */
};

/* An image of a machine that is booted or loaded for it, not yet published. */
int draft_image(struct worker_port *p, const struct vat_start *from, struct image_draft *draft,
                struct err *e) MUST_CHECK;
int start_machine(struct worker_port *p, const struct vat_start *from,
                  struct vat_machine **out, struct err *e) MUST_CHECK;
