/* exits.h -- exit codes of a worker: the stock xsnap-worker's, and one of ours. */
#pragma once

enum worker_exit {
    WORKER_EXIT_USAGE = 1,
    WORKER_EXIT_IO = 2,
    WORKER_EXIT_IMAGE = 3, /* ours: truncated, edited, or of another build */
    WORKER_EXIT_MEMORY = 11,
    WORKER_EXIT_STACK = 12,
    WORKER_EXIT_EXCEPTION = 15,
    WORKER_EXIT_KEYS = 16,
    WORKER_EXIT_COMPUTATION = 17,
};
