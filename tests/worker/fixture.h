/* fixture.h -- a port, a place for its images, and a source of what machines start from. */
#pragma once

#include "kernel/vat_port.h"
#include "lib/unit.h"
#include "worker/worker.h"

struct fixture_snapshot {
    char hash[65];
    struct buf bytes;
};

struct fixture {
    struct vat_port port;
    char dir[64];              /* removed at the end */
    char images[80];           /* below it */
    struct vat_source source;
    struct fixture_snapshot snapshots[8];
    size_t snapshot_count;
    unsigned bundles_read;
    unsigned snapshots_read;
    unsigned upcalls;
    const char *bundle_dir;    /* where bundle IDs are file names; NULL: made-up bundles */
    struct arena arena;
};

/* Path of a program the build made, "fake_worker" or "zygote-worker". */
const char *fixture_program(const char *name);

/* `options` may be NULL: the fake worker, images in the fixture's directory. */
void fixture_open(struct fixture *f, const struct worker_options *options);
void fixture_reopen(struct fixture *f, const struct worker_options *options);
/* Checks that no process and no descriptor is left. */
void fixture_close(struct fixture *f);

/* Vat v7, named `name`, from bundles A and B or the snapshot. */
struct vat_start fixture_from(struct fixture *f, const char *name, const char *snapshot);
struct vat_machine *fixture_start(struct fixture *f, const char *name, const char *snapshot);

int fixture_command(struct fixture *f, struct vat_machine *m, const char *text,
                    struct vat_reply *out, struct err *e);
/* The reply's text, which must come. */
struct span fixture_ask(struct fixture *f, struct vat_machine *m, const char *text);
/* Save the machine's snapshot into the source; its hash. */
const char *fixture_save(struct fixture *f, struct vat_machine *m);
void fixture_stop(struct fixture *f, struct vat_machine *m);

/* The one image of the directory ("base-…"), or -1. */
int fixture_image_path(const struct fixture *f, const char *kind, char *out, size_t size);
unsigned fixture_image_count(const struct fixture *f);

/* What goes to stderr between the two. */
void fixture_capture(struct fixture *f);
const char *fixture_captured(struct fixture *f);

unsigned fixture_open_fds(void);
