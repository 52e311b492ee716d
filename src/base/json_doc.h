/* json_doc.h -- a parsed text inside: private to json_*.c.
 *
 * One token per value and per member name, in the order of the text; token 0 is the whole.
 * A member's name is the token right before its value.  The type of a token is what its
 * first byte says.
 */
#pragma once

#include "base/json.h"

/* Offsets are 32 bits, and a container cannot have more children than half its bytes. */
#define JSON_BYTES_MAX 0x7fffffffu

struct json_tok {
    uint32_t start, end;      /* offsets into the text */
    uint32_t next;            /* the next value in the same container; 0 at its end */
    uint32_t kids;            /* containers: where its children begin in doc->kids */
    unsigned size : 30;       /* containers: number of elements or members */
    unsigned is_member : 1;   /* a value, with its name right before it */
    unsigned has_escapes : 1; /* a string or a name */
};

struct json_doc {
    const char *text;
    const struct json_tok *toks;
    /* The values of each container in a row, so that json_at() need not walk. */
    const uint32_t *kids;
};

static inline struct span json_tok_span(const struct json_doc *doc,
                                        const struct json_tok *t)
{
    return (struct span){ doc->text + t->start, t->end - t->start };
}

/* Decoded text of a string or name token; as it stands in the text if it has no escapes. */
struct span json_tok_str(const struct json_doc *doc, const struct json_tok *t,
                         struct arena *a);

/* A number's text, as a double: correctly rounded, beyond the range an infinity. */
double json_number(struct span text);
