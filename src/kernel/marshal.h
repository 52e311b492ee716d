/* marshal.h -- the little of @endo/marshal that a kernel must understand.
 *
 * Almost all capdata passes through the kernel unread.  In a few places upstream decodes
 * it and encodes it again (vatParameters, options, termination reasons, bootstrap
 * arguments, device arguments, deciding whether a resolution is one reference), and its
 * bytes are then those of kmarshal 0.2.0: smallcaps, record keys sorted, slots numbered by
 * first use, "Alleged: " in front of interfaces, errors as name and message only.  This
 * codec does what kmarshal's kunser and kser do, byte for byte, and is fuzzed against it.
 *
 * Values are immutable trees in an arena.  References inside them are text (krefs, or a
 * device's slots: the codec does not care).  A remotable or promise is its node, as it is
 * an object's identity in JavaScript: one node in two places is one slot, two nodes of the
 * same text (pass_slot() called twice) are two.
 */
#pragma once

#include "kernel/capdata.h"

enum pass_style {
    PASS_UNDEFINED = 0,
    PASS_NULL,
    PASS_BOOL,
    PASS_NUMBER,    /* `number`; NaN, infinities and -0 included */
    PASS_BIGINT,    /* `text`: canonical decimal, "-" in front of negative ones */
    PASS_STRING,    /* `text`: WTF-8 */
    PASS_SYMBOL,    /* `text`: the passable symbol's encoded name */
    PASS_ARRAY,     /* `items` */
    PASS_RECORD,    /* `items`, and their names beside them in `keys` */
    PASS_TAGGED,    /* `text` the tag, one item the payload */
    PASS_ERROR,     /* `key` the name, `text` the message */
    PASS_REMOTABLE, /* `text` the slot, `key` the interface, without "Alleged: ";
                       `boolean`: all of it ("Remotable", "DebugName: x") */
    PASS_PROMISE,   /* `text` the slot */
};

struct pass {
    enum pass_style style;
    bool boolean;
    double number;
    struct span key;  /* error name; interface */
    struct span text;
    size_t count;
    const struct pass **items;
    const struct span *keys; /* of a record: its names, `count`, in JavaScript's order */
};

/* kunser: smallcaps bodies ("#…") and the older @qclass form.
 * fails  false on anything marshal would throw at; `why` then says it in a few words. */
bool marshal_decode(struct arena *a, const struct vat_capdata *data,
                    const struct pass **out, const char **why);
/* kser: always smallcaps.  Record keys come out sorted. */
void marshal_encode(struct arena *a, const struct pass *value, struct vat_capdata *out);

/* makeMarshal() with another's converters: whose slots these are, and how its errors are
 * tagged.  (A device's: deviceSlots.js.) */
struct marshal_names {
    void *self;
    /* convertSlotToVal: a remotable or promise that stays the same node for as long as the
     * slot has that value; NULL if it throws, and `why` says it. */
    const struct pass *(*value)(void *self, struct span slot, struct span iface,
                                const char **why);
    struct span marshal_name; /* errors go out as "error:NAME#50001", counting on */
    uint64_t *error_count;
};
bool marshal_decode_as(struct arena *a, const struct vat_capdata *data,
                       const struct marshal_names *names, const struct pass **out,
                       const char **why);
void marshal_encode_as(struct arena *a, const struct pass *value,
                       const struct marshal_names *names, struct vat_capdata *out);

/* The same over the kernel's capdata. */
bool marshal_decode_k(struct arena *a, const struct capdata *data, const struct pass **out,
                      const char **why);
void marshal_encode_k(struct arena *a, const struct pass *value, struct capdata *out);

/* A plain JSON value as the JavaScript value JSON.parse would make of it. */
const struct pass *pass_from_json(struct arena *a, struct jval v);

const struct pass *pass_undefined(struct arena *a);
const struct pass *pass_null(struct arena *a);
const struct pass *pass_bool(struct arena *a, bool value);
const struct pass *pass_number(struct arena *a, double value);
const struct pass *pass_string(struct arena *a, struct span text);
const struct pass *pass_bigint(struct arena *a, struct span digits); /* canonical */
/* passableSymbolForName: "@@iterator" is Symbol.iterator, "x" Symbol.for("x"), "@@@@x"
 * Symbol.for("@@x"); NULL for any other name that begins with "@@".  `name` is kept. */
const struct pass *pass_symbol(struct arena *a, struct span name);
const struct pass *pass_error(struct arena *a, struct span name, struct span message);
/* kslot(kref, iface): a promise if the slot is one, else a remotable; an absent interface
 * is JavaScript's 'undefined'. */
const struct pass *pass_slot(struct arena *a, struct span slot, struct span iface);
const struct pass *pass_array(struct arena *a, size_t count,
                              const struct pass *const *items);
/* Keys and values side by side. */
const struct pass *pass_record(struct arena *a, size_t count, const struct span *keys,
                               const struct pass *const *values);

/* Member of a record; NULL if absent or not a record. */
const struct pass *pass_get(const struct pass *record, const char *key);

/* {body: '#{"#error":MESSAGE,"name":"Error"}', slots: []}: upstream's makeError. */
void marshal_error(struct arena *a, struct span message, struct capdata *out);
/* The kref, if the data is exactly one remotable or promise; else KREF_INVALID.
 * (Upstream's extractSingleSlot.)  False if the body does not decode. */
bool marshal_single_slot(struct arena *a, const struct capdata *data, kref *out);
/* The method name of ["method",[args]], as upstream's error texts print it. */
struct span marshal_method(struct arena *a, struct span body);
/* What was thrown, for people: "TypeError: no such thing", or the body if it is no error. */
struct span marshal_describe(struct arena *a, const struct capdata *data);
