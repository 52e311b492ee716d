/* JSON text to tokens: a loop over what may come next, with its own stack. */
#include "base/json_doc.h"
#include "base/utf.h"

enum want {
    WANT_VALUE,
    WANT_VALUE_OR_CLOSE,
    WANT_KEY,
    WANT_KEY_OR_CLOSE,
    WANT_MORE,
    WANT_END
};

/* Room for so many tokens is made at once: texts of a few values are parsed most. */
enum { LIKELY_MAX = 128 };

struct parser {
    struct span text;
    size_t at;
    struct buf toks; /* of struct json_tok */
    struct buf kids; /* of uint32_t */
    struct {
        uint32_t container;
        uint32_t last; /* its newest value, 0 if none */
    } open[JSON_DEPTH_MAX];
    size_t depth;
    const char *wrong; /* what is wrong at `at`, once something is */
    bool too_deep;     /* and it is that */
};

static int wrong(struct parser *ps, const char *what)
{
    ps->wrong = what;
    return -1;
}

static struct json_tok *tok(struct parser *ps, uint32_t i)
{
    return (struct json_tok *)(void *)ps->toks.p + i;
}

static uint32_t tok_add(struct parser *ps, struct json_tok t)
{
    uint32_t i = (uint32_t)(ps->toks.n / sizeof t);
    memcpy(buf_room(&ps->toks, sizeof t), &t, sizeof t);
    ps->toks.n += sizeof t;
    return i;
}

static int peek(const struct parser *ps)
{
    return ps->at < ps->text.n ? (unsigned char)ps->text.p[ps->at] : -1;
}

static void skip_space(struct parser *ps)
{
    for (; ps->at < ps->text.n; ps->at++) {
        char c = ps->text.p[ps->at];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            break;
    }
}

/* -- scalars --------------------------------------------------------------------- */

static int scan_escape(struct parser *ps)
{
    ps->at++;
    int c = peek(ps);
    if (c < 0 || c == 0 || strchr("\"\\/bfnrtu", c) == NULL)
        return wrong(ps, "unknown escape in a string");
    ps->at++;
    for (int i = 0; c == 'u' && i < 4; i++, ps->at++) {
        int h = peek(ps);
        if (!((h >= '0' && h <= '9') || (h >= 'a' && h <= 'f') || (h >= 'A' && h <= 'F')))
            return wrong(ps, "\\u needs four hexadecimal digits");
    }
    return 0;
}

/* Are these eight bytes all plain: ASCII, no control character, no quote or backslash? */
static bool plain8(const char *p)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t w;
    memcpy(&w, p, sizeof w);
    uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
    return ((w | (w - ones * 0x20) | (quote - ones) | (slash - ones)) & tops) == 0;
}

/* `at` is on the opening quote, and is left behind the closing one. */
static int scan_string(struct parser *ps, bool *has_escapes)
{
    const struct span s = ps->text;
    *has_escapes = false;
    ps->at++;
    for (;;) {
        while (s.n - ps->at >= 8 && plain8(s.p + ps->at))
            ps->at += 8;
        int c = peek(ps);
        if (c < 0)
            return wrong(ps, "the text ends inside a string");
        if (c == '"') {
            ps->at++;
            return 0;
        }
        if (c == '\\') {
            *has_escapes = true;
            if (scan_escape(ps) < 0)
                return -1;
        } else if (c < 0x20) {
            return wrong(ps, "control character in a string");
        } else if (c < 0x80) {
            ps->at++;
        } else {
            uint32_t cp;
            size_t n = utf_decode(span_from(s, ps->at), &cp);
            if (n == 0 || utf_is_surrogate(cp))
                return wrong(ps, "bytes that are not UTF-8");
            ps->at += n;
        }
    }
}

static size_t scan_digits(struct parser *ps)
{
    size_t from = ps->at;
    while (peek(ps) >= '0' && peek(ps) <= '9')
        ps->at++;
    return ps->at - from;
}

static int scan_number(struct parser *ps)
{
    if (peek(ps) == '-')
        ps->at++;
    if (peek(ps) == '0')
        ps->at++;
    else if (scan_digits(ps) == 0)
        return wrong(ps, "a number needs a digit here");
    if (peek(ps) == '.') {
        ps->at++;
        if (scan_digits(ps) == 0)
            return wrong(ps, "a number needs a digit here");
    }
    if (peek(ps) == 'e' || peek(ps) == 'E') {
        ps->at++;
        if (peek(ps) == '+' || peek(ps) == '-')
            ps->at++;
        if (scan_digits(ps) == 0)
            return wrong(ps, "a number needs a digit here");
    }
    return 0;
}

static int scan_word(struct parser *ps, struct span word)
{
    if (!span_starts(span_from(ps->text, ps->at), word))
        return wrong(ps, "a value should be here");
    ps->at += word.n;
    return 0;
}

static int scan_scalar(struct parser *ps, bool *has_escapes)
{
    *has_escapes = false;
    switch (peek(ps)) {
    case -1: return wrong(ps, "the text ends where a value should be");
    case '"': return scan_string(ps, has_escapes);
    case 't': return scan_word(ps, SPAN("true"));
    case 'f': return scan_word(ps, SPAN("false"));
    case 'n': return scan_word(ps, SPAN("null"));
    case '-': return scan_number(ps);
    default:
        if (peek(ps) < '0' || peek(ps) > '9')
            return wrong(ps, "a value should be here");
        return scan_number(ps);
    }
}

/* -- structure ------------------------------------------------------------------- */

/* Enter value token `i` into the container that is open. */
static void link_value(struct parser *ps, uint32_t i)
{
    if (ps->depth == 0)
        return;
    uint32_t container = ps->open[ps->depth - 1].container;
    uint32_t *last = &ps->open[ps->depth - 1].last;
    if (*last != 0)
        tok(ps, *last)->next = i;
    *last = i;
    tok(ps, container)->size++;
    tok(ps, i)->is_member = ps->text.p[tok(ps, container)->start] == '{';
}

static enum want after_value(const struct parser *ps)
{
    return ps->depth == 0 ? WANT_END : WANT_MORE;
}

static int open_container(struct parser *ps, enum want *want)
{
    if (ps->depth == JSON_DEPTH_MAX) {
        ps->too_deep = true;
        return wrong(ps, "nested too deeply");
    }
    bool object = peek(ps) == '{';
    uint32_t i = tok_add(ps, (struct json_tok){ .start = (uint32_t)ps->at });
    link_value(ps, i);
    ps->open[ps->depth].container = i;
    ps->open[ps->depth].last = 0;
    ps->depth++;
    ps->at++;
    *want = object ? WANT_KEY_OR_CLOSE : WANT_VALUE_OR_CLOSE;
    return 0;
}

/* `at` is on the closing bracket. */
static void close_container(struct parser *ps, enum want *want)
{
    ps->depth--;
    uint32_t i = ps->open[ps->depth].container;
    struct json_tok *t = tok(ps, i);
    ps->at++;
    t->end = (uint32_t)ps->at;
    t->kids = (uint32_t)(ps->kids.n / sizeof(uint32_t));
    if (t->size > 0) {
        size_t n = t->size * sizeof(uint32_t);
        char *out = buf_room(&ps->kids, n);
        uint32_t kid = i + (ps->text.p[t->start] == '{' ? 2 : 1);
        for (; kid != 0; kid = tok(ps, kid)->next, out += sizeof kid)
            memcpy(out, &kid, sizeof kid);
        ps->kids.n += n;
    }
    *want = after_value(ps);
}

static int take_value(struct parser *ps, enum want *want)
{
    if (peek(ps) == '{' || peek(ps) == '[')
        return open_container(ps, want);
    struct json_tok t = { .start = (uint32_t)ps->at };
    bool has_escapes;
    if (scan_scalar(ps, &has_escapes) < 0)
        return -1;
    t.end = (uint32_t)ps->at;
    t.has_escapes = has_escapes;
    link_value(ps, tok_add(ps, t));
    *want = after_value(ps);
    return 0;
}

static int take_key(struct parser *ps, enum want *want)
{
    struct json_tok t = { .start = (uint32_t)ps->at };
    bool has_escapes;
    if (peek(ps) != '"')
        return wrong(ps, "a member's name in quotes should be here");
    if (scan_string(ps, &has_escapes) < 0)
        return -1;
    t.end = (uint32_t)ps->at;
    t.has_escapes = has_escapes;
    tok_add(ps, t);
    skip_space(ps);
    if (peek(ps) != ':')
        return wrong(ps, "':' should be here");
    ps->at++;
    *want = WANT_VALUE;
    return 0;
}

static int take_more(struct parser *ps, enum want *want)
{
    uint32_t container = ps->open[ps->depth - 1].container;
    bool object = ps->text.p[tok(ps, container)->start] == '{';
    if (peek(ps) == (object ? '}' : ']')) {
        close_container(ps, want);
        return 0;
    }
    if (peek(ps) != ',')
        return wrong(ps, object ? "',' or '}' should be here"
                                : "',' or ']' should be here");
    ps->at++;
    *want = object ? WANT_KEY : WANT_VALUE;
    return 0;
}

static int parse(struct parser *ps)
{
    if (ps->text.n > JSON_BYTES_MAX)
        return wrong(ps, "too long");
    for (enum want want = WANT_VALUE;;) {
        int rc = 0;
        skip_space(ps);
        switch (want) {
        case WANT_VALUE_OR_CLOSE:
            if (peek(ps) == ']') {
                close_container(ps, &want);
                break;
            }
            rc = take_value(ps, &want);
            break;
        case WANT_VALUE: rc = take_value(ps, &want); break;
        case WANT_KEY_OR_CLOSE:
            if (peek(ps) == '}') {
                close_container(ps, &want);
                break;
            }
            rc = take_key(ps, &want);
            break;
        case WANT_KEY: rc = take_key(ps, &want); break;
        case WANT_MORE: rc = take_more(ps, &want); break;
        case WANT_END:
            return ps->at == ps->text.n ? 0 : wrong(ps, "something follows the value");
        }
        if (rc < 0)
            return -1;
    }
}

/* Lines and columns count from 1, columns in code points. */
static int say_where(const struct parser *ps, struct err *e)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < ps->at && i < ps->text.n; i++) {
        unsigned char c = (unsigned char)ps->text.p[i];
        if (c == '\n') {
            line++;
            column = 1;
        } else if ((c & 0xc0) != 0x80) {
            column++;
        }
    }
    return err_set(e, ps->too_deep ? EXIT_POLICY : EXIT_USAGE, "line %zu column %zu: %s", line, column, ps->wrong);
}

int json_parse(struct arena *a, struct span text, struct jval *out, struct err *e)
{
    struct parser ps = { .text = text };
    size_t likely = text.n / 16 < LIKELY_MAX ? text.n / 16 + 8 : LIKELY_MAX;
    buf_room(&ps.toks, likely * sizeof(struct json_tok));
    int rc = parse(&ps);
    if (rc < 0) {
        rc = say_where(&ps, e);
    } else {
        struct json_doc *doc = ARENA_NEW(a, struct json_doc);
        doc->text = text.p;
        doc->toks = (const void *)arena_copy(a, buf_span(&ps.toks)).p;
        doc->kids = (const void *)arena_copy(a, buf_span(&ps.kids)).p;
        *out = (struct jval){ doc, 0 };
    }
    buf_fini(&ps.toks);
    buf_fini(&ps.kids);
    return rc;
}
