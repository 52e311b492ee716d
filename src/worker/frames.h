/* frames.h -- what a worker says, decoded.  Pure; every byte is hostile.
 *
 *   .{meter json}\1TEXT   the reply to a command (the meter part may be absent)
 *   !TEXT                 the command threw: TEXT is the exception
 *   ?TEXT                 an upcall: wants an answer before the reply can come
 *   >TEXT                 a posted upcall, only in a command that allows it ('+', ours): its
 *                         answer is foregone, and not sent
 *
 * A frame is one netstring (base/netstring.h).
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

/* Upstream's NETSTRING_MAX_CHUNK_SIZE: what it refuses, we must refuse. */
enum { FRAME_BYTES_MAX = 12000000 };

enum frame_kind { FRAME_INVALID = 0, FRAME_REPLY, FRAME_EXCEPTION, FRAME_UPCALL, FRAME_POSTED };

struct frame {
    enum frame_kind kind;
    struct span text;
    struct span meter;   /* of a reply: JSON, or absent */
    uint64_t computrons; /* of a reply: `compute`, 0 if the meter does not say */
};

/* Decode one message.
 *
 * in     a    for the meter's JSON; nothing of it is needed afterwards.
 * out    *out borrows `message`.
 * fails  EXIT_FAILED, naming what is wrong with the message.
 */
int frame_decode(struct span message, struct arena *a, struct frame *out,
                 struct err *e) MUST_CHECK;
