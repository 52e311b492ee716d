/* marshal_decode.h -- what the two body formats share: private to marshal*.c.
 *
 * Bodies are hostile.  Where upstream throws, decoding ends; what it drops silently (an
 * error's cause, notes and errorId; what an old-style record holds beside what its class
 * needs) is decoded too if upstream decodes it, because that can throw, and because the
 * interface of a slot is the one it has where it is decoded first.
 *
 * Two limits are ours: JSON_DEPTH_MAX (upstream's stack lasts for about 1,700) and
 * JS_BIGINT_BITS_MAX.
 */
#pragma once

#include "kernel/marshal_js.h"

struct decoder {
    struct arena *a;
    const struct vat_capdata *data;
    const struct marshal_names *names; /* NULL: kslot()'s */
    const struct pass **seen; /* by slot: the one node it is; NULL until decoded */
    const char *why;
    /* Something was decoded that is no passable value.  Upstream finds out when it asks for
     * a pass style: of the whole, of a tag's payload, of an error's `errors`. */
    bool impassable;
};

/* A format: upstream calls it a `decodeRecur`.  NULL on what upstream throws at; d->why
 * then says it.  All the others return the same. */
typedef const struct pass *decode_fn(struct decoder *d, struct jval v);

decode_fn decode_smallcaps;
decode_fn decode_qclass;

const struct pass *decode_fail(struct decoder *d, const char *why);

const struct pass *decode_array(struct decoder *d, struct jval v, decode_fn *recur);
const struct pass *decode_number(struct decoder *d, struct jval v);
const struct pass *decode_bigint(struct decoder *d, struct span text);
/* passableSymbolForName(), and nameForPassableSymbol() of what it returns. */
const struct pass *decode_symbol(struct decoder *d, struct span name);
/* decodeSlotCommon(); `iface` absent is JavaScript's undefined. */
const struct pass *decode_slot(struct decoder *d, uint64_t index, struct span iface);
/* makeTagged(tag, payload); an absent payload is undefined. */
const struct pass *decode_tagged(struct decoder *d, struct span tag,
                                 const struct js_prop *payload, decode_fn *recur);
/* decodeErrorCommon().  `message` is one of the `props`, or NULL; the one named `marker`
 * says that this is an error, and is no part of it. */
const struct pass *decode_error(struct decoder *d, const struct js_prop *props,
                                size_t count, const char *marker,
                                const struct js_prop *message, decode_fn *recur);
