/* marshal_js.h -- the JavaScript under @endo/marshal: private to marshal*.c.
 *
 * marshal is written over JSON.parse, Object.entries, Number(text) and BigInt(text), and
 * what these do with odd input is part of what it accepts and of the bytes it writes.
 */
#pragma once

#include "kernel/marshal.h"

struct pass *pass_new(struct arena *a, enum pass_style style, struct span text);

/* A property on its way to its place: of parsed JSON (`raw`) or of a value (`value`). */
struct js_prop {
    struct span name;
    struct jval raw;
    const struct pass *value;
    size_t order;   /* when it was added */
    uint32_t index; /* of an array index name */
    bool is_index;
};

/* Is it an array index ("0" to "4294967294", written plainly)?  Those come first. */
bool js_index_name(struct span name, uint32_t *out);
/* Give `count` properties (`name`, and a value) the order Object.entries() has: array
 * indices, then the others as added; of one name the first place and the last value.
 * Returns how many are left. */
size_t js_arrange(struct js_prop *props, size_t count);
/* The members of a JSON object, arranged. */
struct js_prop *js_props(struct arena *a, struct jval object, size_t *count);
/* Names and values as a record, as Object.fromEntries(); the names stay where they are. */
const struct pass *js_record(struct arena *a, struct js_prop *props, size_t count);
/* NULL if there is none of that name. */
const struct js_prop *js_find(const struct js_prop *props, size_t count, const char *name);

/* JSON.parse(text), where a text may hold lone surrogates; false if it throws, or the
 * nesting is deeper than JSON_DEPTH_MAX.  The value borrows `text`. */
bool js_parse(struct arena *a, struct span text, struct jval *out);
/* Is the JavaScript value falsy?  (An absent one is undefined.) */
bool js_falsy(struct jval v);
/* `${v}` of a JSON value; false if it throws. */
bool js_put_text(struct arena *a, struct buf *b, struct jval v);

/* Number(Nat(n)): an integer from 0 to 2^53 - 1. */
bool js_nat(double n, uint64_t *out);
/* Nat(Number(text)), for a text without '.'. */
bool js_nat_text(struct arena *a, struct span text, uint64_t *out);
/* String(BigInt(text)); false if it throws, or is not decimal and of more than
 * JS_BIGINT_BITS_MAX bits (Node takes 2^30; liveslots writes decimal only). */
enum { JS_BIGINT_BITS_MAX = 64 * 1024 };
bool js_bigint(struct arena *a, struct span text, struct span *out);
