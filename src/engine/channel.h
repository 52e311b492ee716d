/* channel.h -- frames between the worker and the kernel: in on fd 3, out on fd 4.
 *
 * One per process, blocking.  What arrives is hostile (base/netstring.h); what leaves is
 * written whole, one writev() per frame where the kernel takes it.
 */
#pragma once

#include "base/netstring.h"

enum { CHANNEL_IN_FD = 3, CHANNEL_OUT_FD = 4 };

enum channel_result {
    CHANNEL_OK = 0,
    CHANNEL_EOF,       /* the other end is gone, in a frame or between two */
    CHANNEL_BAD_FRAME, /* not a netstring */
    CHANNEL_FAILED,    /* read or write failed: errno */
};

/* Are fds 3 and 4 open?  False with errno. */
bool channel_open(void);

/* Wait for a frame.
 *
 * out     *frame  on CHANNEL_OK: the caller frees it with buf_fini(); a NUL follows it.
 */
enum channel_result channel_read(struct buf *frame);

/* Send `head` and `body` as one frame, behind what was posted. */
enum channel_result channel_write(struct span head, struct span body);

/* Have a frame leave in front of the next one that is written: nobody waits for an answer, so
 * nobody need be woken for it. */
enum channel_result channel_post(struct span head, struct span body);
/* Send what was posted. */
enum channel_result channel_flush(void);

/* Why the last channel_read() said CHANNEL_BAD_FRAME or CHANNEL_FAILED. */
const char *channel_read_error(void);
