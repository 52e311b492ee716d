/* worker.h -- one process, one vat: get a machine, serve until the kernel is done.
 *
 * The process must be as a fresh one: libc's rand() untouched (Math.random), no machine yet.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct worker_options {
    const char *snapshot;   /* -r: PATH or "@FD:note"; NULL for none */
    int image_fd;           /* -m: -1 for none; closed once mapped */
    uint32_t meter_limit;   /* -l: computrons per crank, 0 for none */
    uint32_t meter_interval; /* -i */
    int parser_bytes;       /* -s: parser buffer of a new machine */
    bool print_meter;       /* -p */
};

/* Returns the exit code of the process (exits.h); says on stderr why it is not 0. */
int worker_run(const struct worker_options *options);
