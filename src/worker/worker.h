/* worker.h -- vats in worker processes: the product's struct vat_port.
 *
 * One process per machine, an XS engine each, spoken to in the stock xsnap-worker's
 * protocol.  How a machine comes to life is decided here and shows nowhere else:
 *
 *   no snapshot                      mapped from the base image: the machine after its boot
 *                                    bundles, made once per build and set of bundles
 *   snapshot, met before or shared   mapped from an image of the hydrated snapshot
 *   snapshot, met for the first time loaded from its bytes, as upstream does
 *   no_images                        booted, or loaded, every time
 *
 * Images are a cache (worker/images.h): a start falls back to what upstream does where
 * one cannot be made.
 *
 * Calling sequence:  worker_port_open, then the port's functions from one thread (workers
 * die with the thread that started them), stop for each machine started,
 * worker_port_close.
 */
#pragma once

#include <sys/types.h>

#include "kernel/vat_port.h"

struct worker_options {
    const char *program;   /* path of zygote-worker; with no_images the stock one will do */
    const char *image_dir; /* made if missing; NULL: images live in memory only */
    bool no_images;
    int stall_ms;          /* how long a worker may not read its commands; 0: a minute */
};

/* What the port has done so far. */
struct worker_counts {
    uint64_t booted;    /* machines that evaluated their boot bundles themselves */
    uint64_t loaded;    /* machines that read their snapshot themselves */
    uint64_t mapped;    /* machines that mapped an image */
    uint64_t bases;     /* base images made */
    uint64_t hydrated;  /* images made of snapshots */
};

struct worker_memory {
    pid_t pid;
    uint64_t rss_kib;
    uint64_t pss_kib;     /* its share of what it shares, and all it does not */
    uint64_t private_kib;
    uint64_t shared_kib;  /* with other workers, and the program's own file */
};

/* fails  the program is not there, or the image directory is not ours. */
int worker_port_open(const struct worker_options *options, struct vat_port *out,
                     struct err *e) MUST_CHECK;
/* call  after every machine was stopped. */
void worker_port_close(struct vat_port *port);

/* False if the machine is gone. */
bool worker_port_memory(const struct vat_port *port, const struct vat_machine *m,
                        struct worker_memory *out);

/* The workers that another process of this user has, a port's or upstream's kernel's, as ps
 * would show them. */
typedef void worker_visit(void *ctx, vat_id vat, const struct worker_memory *memory);
void worker_processes(pid_t kernel, worker_visit *visit, void *ctx);

/* A heap snapshot in memory. */
struct worker_heap {
    vat_id vat;
    const char *hash;
    struct span bytes;
};
/* Pages of 4 KiB that are not all zero, of two machines that loaded a snapshot each and did
 * nothing else.  A machine's memory lies at the same addresses in every process, and loading
 * lays it out by the snapshot alone; so equal pages are equal parts of the heap. */
struct worker_pages {
    uint64_t equal, different, only_a, only_b;
};
/* fails  there are no images (no_images); the worker's fault. */
int worker_port_compare(const struct vat_port *port, const struct worker_heap *a,
                        const struct worker_heap *b, struct worker_pages *out,
                        struct err *e) MUST_CHECK;

struct worker_counts worker_port_counts(const struct vat_port *port);
