/* Reading parsed JSON. */
#include <stdlib.h>

#include "base/json_doc.h"
#include "base/utf.h"
#include "base/xalloc.h"

static const struct json_tok *tok(struct jval v)
{
    return &v.doc->toks[v.at];
}

enum json_type json_type(struct jval v)
{
    if (v.doc == NULL)
        return JSON_NONE;
    switch (v.doc->text[tok(v)->start]) {
    case 'n': return JSON_NULL;
    case 'f': return JSON_FALSE;
    case 't': return JSON_TRUE;
    case '"': return JSON_STRING;
    case '[': return JSON_ARRAY;
    case '{': return JSON_OBJECT;
    default: return JSON_NUMBER;
    }
}

struct span json_raw(struct jval v)
{
    return v.doc == NULL ? SPAN_NONE : json_tok_span(v.doc, tok(v));
}

/* -- elements and members ---------------------------------------------------------- */

size_t json_len(struct jval v)
{
    return v.doc == NULL ? 0 : tok(v)->size;
}

struct jval json_at(struct jval v, size_t i)
{
    if (i >= json_len(v))
        return (struct jval){ NULL, 0 };
    return (struct jval){ v.doc, v.doc->kids[tok(v)->kids + i] };
}

struct jval json_first(struct jval v)
{
    return json_at(v, 0);
}

struct jval json_next(struct jval v)
{
    if (v.doc == NULL || tok(v)->next == 0)
        return (struct jval){ NULL, 0 };
    return (struct jval){ v.doc, tok(v)->next };
}

struct span json_name(struct jval v, struct arena *a)
{
    if (v.doc == NULL || !tok(v)->is_member)
        return SPAN_NONE;
    return json_tok_str(v.doc, tok(v) - 1, a);
}

struct span json_key_at(struct jval v, size_t i, struct arena *a)
{
    return json_name(json_at(v, i), a);
}

/* -- strings ----------------------------------------------------------------------- */

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

/* The code point a (well formed) escape stands for; returns the escape's length. */
static size_t unescape(struct span s, uint32_t *cp)
{
    switch (s.p[1]) {
    case 'b': *cp = '\b'; return 2;
    case 'f': *cp = '\f'; return 2;
    case 'n': *cp = '\n'; return 2;
    case 'r': *cp = '\r'; return 2;
    case 't': *cp = '\t'; return 2;
    case 'u': break;
    default: *cp = (unsigned char)s.p[1]; return 2;
    }
    *cp = hex4(s.p + 2);
    if (utf_is_high(*cp) && s.n >= 12 && s.p[6] == '\\' && s.p[7] == 'u') {
        uint32_t low = hex4(s.p + 8);
        if (utf_is_low(low)) {
            *cp = utf_join(*cp, low);
            return 12;
        }
    }
    return 6;
}

/* Between the quotes. */
static struct span inside(const struct json_doc *doc, const struct json_tok *t)
{
    return (struct span){ doc->text + t->start + 1, t->end - t->start - 2 };
}

struct span json_tok_str(const struct json_doc *doc, const struct json_tok *t,
                         struct arena *a)
{
    struct span s = inside(doc, t);
    if (!t->has_escapes)
        return s;
    char *out = arena_alloc(a, s.n + 1); /* no escape is shorter than what it stands for */
    size_t n = 0;
    while (s.n > 0) {
        const char *slash = memchr(s.p, '\\', s.n);
        size_t plain = slash == NULL ? s.n : (size_t)(slash - s.p);
        memcpy(out + n, s.p, plain);
        n += plain;
        s = span_from(s, plain);
        if (s.n > 0) {
            uint32_t cp;
            s = span_from(s, unescape(s, &cp));
            n += utf_encode(out + n, cp);
        }
    }
    return (struct span){ out, n };
}

/* Does a string or name token stand for `want`? */
static bool tok_is(const struct json_doc *doc, const struct json_tok *t, struct span want)
{
    struct span s = inside(doc, t);
    if (!t->has_escapes)
        return span_eq(s, want);
    while (s.n > 0) {
        char bytes[UTF_MAX];
        size_t n = 1, took = 1;
        bytes[0] = s.p[0];
        if (s.p[0] == '\\') {
            uint32_t cp;
            took = unescape(s, &cp);
            n = utf_encode(bytes, cp);
        }
        if (!span_starts(want, (struct span){ bytes, n }))
            return false;
        want = span_from(want, n);
        s = span_from(s, took);
    }
    return want.n == 0;
}

struct jval json_get(struct jval v, const char *key)
{
    struct jval found = { NULL, 0 };
    if (json_type(v) != JSON_OBJECT)
        return found;
    struct span want = span_of(key);
    for (struct jval m = json_first(v); m.doc != NULL; m = json_next(m))
        if (tok_is(m.doc, tok(m) - 1, want))
            found = m;
    return found;
}

struct span json_str(struct jval v, struct arena *a)
{
    return json_type(v) == JSON_STRING ? json_tok_str(v.doc, tok(v), a) : SPAN_NONE;
}

bool json_is(struct jval v, const char *text)
{
    return json_type(v) == JSON_STRING && tok_is(v.doc, tok(v), span_of(text));
}

/* -- numbers ----------------------------------------------------------------------- */

bool json_u64(struct jval v, uint64_t *out)
{
    uint64_t n;
    if (json_type(v) != JSON_NUMBER || !span_u64(json_raw(v), &n) || n >= (uint64_t)1 << 53)
        return false;
    *out = n;
    return true;
}

double json_number(struct span text)
{
    /* strtod() wants a NUL, and rounds correctly at any length. */
    char near[64], *copy = text.n < sizeof near ? near : xmalloc(text.n + 1);
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    double d = strtod(copy, NULL);
    if (copy != near)
        free(copy);
    return d;
}

bool json_double(struct jval v, double *out)
{
    if (json_type(v) != JSON_NUMBER)
        return false;
    *out = json_number(json_raw(v));
    return true;
}
