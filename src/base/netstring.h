/* netstring.h -- frames of the worker protocol: "LENGTH:BYTES,".
 *
 * The reader is pure and incremental: feed it whatever arrived, in pieces of any size.  It
 * stops right behind the last byte of a frame, so bytes of the next one are never eaten.
 * Every byte is treated as hostile: a length is 1 to 9 decimal digits, nothing else, and
 * memory grows with what has arrived, not with what a length promises.
 *
 * Life of a reader:  zeroed -> LENGTH digits -> BODY -> COMMA -> done (take the frame)
 *                    any refusal is final; netstring_reader_fini() and start over.
 *
 * Calling sequence:
 *     struct netstring_reader r = { .max = LIMIT };
 *     used = netstring_feed(&r, bytes, n, &status);       (repeat while NETSTRING_MORE)
 *     on NETSTRING_DONE: struct buf frame = netstring_take(&r); ... buf_fini(&frame);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { NETSTRING_DIGITS_MAX = 9, NETSTRING_LENGTH_MAX = 999999999 };

enum netstring_status {
    NETSTRING_INVALID = 0,
    NETSTRING_MORE,       /* all bytes eaten, the frame is not complete */
    NETSTRING_DONE,       /* one frame is complete: netstring_take() it */
    NETSTRING_BAD_LENGTH, /* not a digit where the length must start, or too many digits */
    NETSTRING_BAD_COLON,  /* something else than ':' behind the length */
    NETSTRING_BAD_COMMA,  /* something else than ',' behind the body */
    NETSTRING_TOO_LONG,   /* longer than `max` */
};

struct netstring_reader {
    size_t max; /* longest frame accepted; 0 means NETSTRING_LENGTH_MAX */

    enum { NETSTRING_AT_LENGTH = 0, NETSTRING_AT_BODY, NETSTRING_AT_COMMA } at;
    unsigned digits;
    size_t length;
    struct buf body;
};

/* Eat bytes up to the end of one frame.
 *
 * out     *status  never NETSTRING_INVALID.
 * returns how many of the `n` bytes were eaten; all of them on NETSTRING_MORE.
 */
size_t netstring_feed(struct netstring_reader *r, const char *bytes, size_t n,
                      enum netstring_status *status);

/* The frame just completed, with a NUL behind its last byte (not counted in n).
 *
 * owns    the caller, who frees it with buf_fini().
 * call    once, after NETSTRING_DONE; the reader is then ready for the next frame.
 */
struct buf netstring_take(struct netstring_reader *r);

/* Has part of a frame arrived?  Tells an orderly end of file from a cut one. */
bool netstring_pending(const struct netstring_reader *r);

void netstring_reader_fini(struct netstring_reader *r);

/* What is wrong, for a log line. */
const char *netstring_status_text(enum netstring_status status);

/* Append one whole frame. */
void netstring_put(struct buf *out, struct span body);
