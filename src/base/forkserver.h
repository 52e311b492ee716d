/* forkserver.h -- what the kernel and the fork server say to each other.
 *
 * The fork server (`zygote-worker --fork-server`) is a small blank process.  Its control
 * socket is fd 3: AF_UNIX, SOCK_SEQPACKET, one request or reply per packet, in order, in
 * host byte order (both ends are one build on one machine).
 *
 *   kernel -> server   struct forkserver_request, with exactly three descriptors attached
 *                      (SCM_RIGHTS): [0] the image file, [1] the worker's connection, one
 *                      end of a stream socketpair used in both directions, [2] the write
 *                      end of a pipe, which the worker has as fd 7 (`w@7` writes there).
 *   server -> kernel   struct forkserver_reply.
 *
 * The worker is a child of the kernel process, not of the server (CLONE_PARENT): the kernel
 * waits for it and sees its exit code.  It dies with the kernel (PR_SET_PDEATHSIG).  A
 * refused request leaves no process and no descriptor behind.  The server ends when the
 * control socket does.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

enum {
    FORKSERVER_CONTROL_FD = 3,
    FORKSERVER_VERSION = 1,
    FORKSERVER_NAME_MAX = 256, /* bytes, the NUL included */
    FORKSERVER_FDS = 3,
    FORKSERVER_FD_IMAGE = 0,
    FORKSERVER_FD_CONNECTION = 1,
    FORKSERVER_FD_SAVE = 2,
    FORKSERVER_SAVE_FD = 7, /* the number FD_SAVE has in the worker, as in the stock one */
};

#define FORKSERVER_MAGIC 0x5a594753u /* "ZYGS" */

enum forkserver_op {
    FORKSERVER_OP_INVALID = 0,
    FORKSERVER_OP_SPAWN = 1, /* start a worker from an image */
};

struct forkserver_request {
    uint32_t magic;       /* FORKSERVER_MAGIC */
    uint16_t version;     /* FORKSERVER_VERSION */
    uint16_t op;          /* enum forkserver_op */
    uint32_t meter_limit; /* computrons per crank, as -l; 0 is unlimited */
    uint32_t reserved;    /* 0 */
    char name[FORKSERVER_NAME_MAX]; /* shown by ps; at least one byte, no control characters,
                                       a NUL behind, and nothing but NULs after it */
};
static_assert(sizeof(struct forkserver_request) == 272, "wire size");

/* `result` is the worker's process id, or -errno:
 *   -EPROTO  wrong packet size, magic, version, op, reserved or name
 *   -EBADF   not exactly FORKSERVER_FDS descriptors
 *   else     what clone() failed with
 */
struct forkserver_reply {
    uint32_t magic;
    int32_t result;
};
static_assert(sizeof(struct forkserver_reply) == 8, "wire size");
