/* json.h -- reading JSON as spans, and writing it as JSON.stringify does.
 *
 * No C JSON library reproduces JavaScript: lone surrogates, NUL, -0, 1.0, 1e400, key
 * order.  So text is tokenised in place, spans are spliced as they came, and what is
 * written anew goes through a small writer that is tested against Node byte by byte.
 *
 * Strings decode to WTF-8: UTF-8 in which a lone surrogate \ud800 stands as its own three
 * bytes ED A0 80.  json_put_string() turns it back into the escape.  The store keeps it as
 * it is, but it is not what is hashed and read: see store/kv.h.
 *
 * A document is hostile until parsed: depth, size and every byte are checked (RFC 8259,
 * strictly; a byte order mark, a comment, a trailing comma are errors, and so is UTF-8
 * that is not well formed).
 *
 * Not by jsmn, as first planned: it accepts what JSON.parse refuses ({1:2}, "\x", 01).
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum json_type {
    JSON_NONE = 0, /* absent: no such member, no such element */
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

enum { JSON_DEPTH_MAX = 512 };

struct json_doc; /* in the arena it was parsed into; borrows the text */

/* One value of a document.  A zeroed one is JSON_NONE, and every reader accepts it. */
struct jval {
    const struct json_doc *doc;
    uint32_t at;
};

/* Parse a whole text (white space around it allowed).
 * fails  EXIT_USAGE with "line L column C: …", EXIT_POLICY if it is nested too deeply;
 *        nothing is kept. */
int json_parse(struct arena *a, struct span text, struct jval *out, struct err *e) MUST_CHECK;

enum json_type json_type(struct jval v);
/* The bytes of a value as they stand in the text. */
struct span json_raw(struct jval v);

/* Elements of an array, or members of an object (0 for anything else). */
size_t json_len(struct jval v);
/* Element `i` of an array, or the value of member `i` of an object. */
struct jval json_at(struct jval v, size_t i);
/* Name of member `i` of an object, decoded. */
struct span json_key_at(struct jval v, size_t i, struct arena *a);
/* Member by name; the last one wins, as in JavaScript. */
struct jval json_get(struct jval v, const char *key);
/* Walk an array or object in order without the cost of json_at from the start. */
struct jval json_first(struct jval v);
struct jval json_next(struct jval v); /* of an array element or a member's value */
/* Name of the member whose value `v` is, decoded; SPAN_NONE if `v` is not a member's. */
struct span json_name(struct jval v, struct arena *a);

/* Decoded text of a string; SPAN_NONE for anything else.  Without escapes it is a span of
 * the text that was parsed, with them one of `a`. */
struct span json_str(struct jval v, struct arena *a);
bool json_is(struct jval v, const char *text);
/* A non-negative integer below 2^53, written plainly. */
bool json_u64(struct jval v, uint64_t *out);
/* Any number, as a double. */
bool json_double(struct jval v, double *out);

/* -- writing ----------------------------------------------------------------- */

/* `s` (WTF-8) as JSON.stringify writes a string.  Bytes that are not WTF-8 come out as
 * U+FFFD: what is written is JSON whatever came in. */
void json_put_string(struct buf *b, struct span s);
/* A double as JavaScript's Number.prototype.toString; NaN and infinities as null. */
void json_put_double(struct buf *b, double d);
/* JSON.stringify(JSON.parse(text of v)): numbers reprinted, integer-like keys first in
 * numeric order, duplicate keys folded, white space gone. */
void json_put_value(struct buf *b, struct jval v);

/* WTF-8 to UTF-8 as Node writes a string to a file or a hash: a lone surrogate becomes one
 * U+FFFD.  Returns `s` itself if it has none. */
struct span wtf8_to_utf8(struct arena *a, struct span s);
/* As Node reads bytes: to a UTF-8 decoder a lone surrogate is three bytes that belong to
 * nothing, so it becomes three U+FFFD.  Returns `s` itself if it has none. */
struct span wtf8_read_back(struct arena *a, struct span s);
/* Compare by UTF-16 code units, as JavaScript's < and Array.prototype.sort() do. */
int utf16_cmp(struct span a, struct span b);
