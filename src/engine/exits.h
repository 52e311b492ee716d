/* exits.h -- exit codes of zygote-worker: the stock worker's, and one of our own. */
#pragma once

enum exits {
    EXITS_OK = 0,
    EXITS_USAGE = 1,
    EXITS_IO_ERROR = 2,   /* channel, or a snapshot that cannot be read or written */
    EXITS_BAD_IMAGE = 3,  /* ours: an image that is not ours, damaged, or of another build */
    EXITS_NOT_ENOUGH_MEMORY = 11,
    EXITS_STACK_OVERFLOW = 12,
    EXITS_UNHANDLED_EXCEPTION = 15, /* the last command before the end had thrown */
    EXITS_NO_MORE_KEYS = 16,
    EXITS_TOO_MUCH_COMPUTATION = 17,
    EXITS_UNKNOWN = 255, /* -1 in the stock worker: any other abort */
};
