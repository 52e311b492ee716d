/* Writing as JSON.stringify does. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_doc.h"
#include "base/utf.h"

/* -- strings ----------------------------------------------------------------------- */

static void put_escaped(struct buf *b, uint32_t cp)
{
    static const char shorts[] = "\bb\tt\nn\ff\rr\"\"\\\\";
    for (const char *s = shorts; *s != '\0'; s += 2) {
        if (cp == (unsigned char)*s) {
            buf_putc(b, '\\');
            buf_putc(b, s[1]);
            return;
        }
    }
    buf_printf(b, "\\u%04x", (unsigned)cp);
}

void json_put_string(struct buf *b, struct span s)
{
    size_t from = 0, at = 0; /* s[from, at) goes out as it is */
    buf_putc(b, '"');
    while (at < s.n) {
        unsigned char c = (unsigned char)s.p[at];
        uint32_t cp = c;
        size_t took = 1, utf8 = 1;
        if (c >= 0x80) {
            took = utf_decode_joined(span_from(s, at), &cp);
            utf8 = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
        }
        bool escape = cp < 0x20 || cp == '"' || cp == '\\' || utf_is_surrogate(cp);
        if (!escape && took == utf8) {
            at += took;
            continue;
        }
        if (at > from)
            buf_put(b, (struct span){ s.p + from, at - from });
        if (escape)
            put_escaped(b, cp);
        else
            b->n += utf_encode(buf_room(b, UTF_MAX), cp); /* a joined pair, or U+FFFD */
        at += took;
        from = at;
    }
    if (at > from)
        buf_put(b, (struct span){ s.p + from, at - from });
    buf_putc(b, '"');
}

/* -- numbers ----------------------------------------------------------------------- */

/* Decimal digits without a trailing zero: 0.DIGITS times ten to the `point`. */
struct decimal {
    char digits[24];
    int n;
    int point;
};

/* `d` (positive, finite) rounded to `n` digits. */
static struct decimal decimal_round(double d, int n)
{
    char text[40];
    struct decimal dec = { .n = 0 };
    snprintf(text, sizeof text, "%.*e", n - 1, d);
    const char *p = text;
    for (; *p != 'e'; p++)
        if (*p != '.')
            dec.digits[dec.n++] = *p;
    dec.point = atoi(p + 1) + 1;
    while (dec.n > 1 && dec.digits[dec.n - 1] == '0')
        dec.n--;
    return dec;
}

static bool decimal_is(const struct decimal *dec, double d)
{
    char text[48];
    snprintf(text, sizeof text, "0.%.*se%d", dec->n, dec->digits, dec->point);
    return strtod(text, NULL) == d;
}

/* The next decimal of `n` digits above. */
static void decimal_up(struct decimal *dec, int n)
{
    while (dec->n < n)
        dec->digits[dec->n++] = '0';
    int i = n;
    while (i > 0 && dec->digits[i - 1] == '9')
        i--;
    if (i == 0) {
        dec->digits[0] = '1';
        dec->n = 1;
        dec->point++;
        return;
    }
    dec->digits[i - 1]++;
    dec->n = i;
}

/* The fewest digits that read back as `d`, and of those the nearest to it. */
static struct decimal decimal_shortest(double d)
{
    /* What has at most 15 digits comes back from the 15 digits nearest to the double,
     * with zeros behind; only a subnormal has room for fewer. */
    for (int n = d < DBL_MIN ? 1 : DBL_DIG; n < DBL_DECIMAL_DIG; n++) {
        struct decimal dec = decimal_round(d, n);
        if (decimal_is(&dec, d))
            return dec;
        /* Above a power of two doubles are twice as far apart as below: the nearest
         * decimal may be just outside below while the next one above is inside. */
        int exponent;
        if (frexp(d, &exponent) == 0.5) {
            decimal_up(&dec, n);
            if (decimal_is(&dec, d))
                return dec;
        }
    }
    return decimal_round(d, DBL_DECIMAL_DIG);
}

static void put_zeros(struct buf *b, int n)
{
    while (n-- > 0)
        buf_putc(b, '0');
}

/* ECMA-262 Number::toString: `k` and `n` there are dec->n and dec->point here. */
static void put_decimal(struct buf *b, const struct decimal *dec)
{
    struct span digits = { dec->digits, (size_t)dec->n };
    int point = dec->point;
    if (dec->n <= point && point <= 21) {
        buf_put(b, digits);
        put_zeros(b, point - dec->n);
    } else if (0 < point && point <= 21) {
        buf_put(b, (struct span){ digits.p, (size_t)point });
        buf_putc(b, '.');
        buf_put(b, span_from(digits, (size_t)point));
    } else if (-6 < point && point <= 0) {
        buf_puts(b, "0.");
        put_zeros(b, -point);
        buf_put(b, digits);
    } else {
        buf_putc(b, digits.p[0]);
        if (dec->n > 1) {
            buf_putc(b, '.');
            buf_put(b, span_from(digits, 1));
        }
        buf_printf(b, "e%+d", point - 1);
    }
}

void json_put_double(struct buf *b, double d)
{
    if (!isfinite(d)) {
        buf_puts(b, "null");
        return;
    }
    if (d == 0) { /* and -0 */
        buf_putc(b, '0');
        return;
    }
    if (d < 0) {
        buf_putc(b, '-');
        d = -d;
    }
    if (d < 0x1p53 && d == floor(d)) {
        buf_printf(b, "%llu", (unsigned long long)d);
        return;
    }
    struct decimal dec = decimal_shortest(d);
    put_decimal(b, &dec);
}

static void put_number(struct buf *b, struct span text)
{
    uint64_t n;
    if (span_u64(text, &n) && n < (uint64_t)1 << 53)
        buf_put(b, text);
    else
        json_put_double(b, json_number(text));
}

/* -- whole values ------------------------------------------------------------------ */

/* A member on its way to its place. */
struct member {
    struct span name;
    struct jval value;
    uint32_t order; /* in the text; of duplicates the first one's */
    uint32_t index; /* of an array-index name */
    bool is_index;  /* "0" to "4294967294", written plainly */
};

static int by_name(const void *x, const void *y)
{
    const struct member *a = x, *b = y;
    int c = span_cmp(a->name, b->name);
    return c != 0 ? c : (a->order > b->order) - (a->order < b->order);
}

static int by_place(const void *x, const void *y)
{
    const struct member *a = x, *b = y;
    if (a->is_index != b->is_index)
        return a->is_index ? -1 : 1;
    if (a->is_index)
        return (a->index > b->index) - (a->index < b->index);
    return (a->order > b->order) - (a->order < b->order);
}

/* The members of an object as JavaScript enumerates them; returns how many. */
static size_t arrange(struct jval v, struct member *members, struct arena *a)
{
    size_t n = 0;
    for (struct jval m = json_first(v); m.doc != NULL; m = json_next(m), n++) {
        uint64_t index = 0;
        struct span name = json_name(m, a);
        bool is_index = span_u64(name, &index) && index < UINT32_MAX;
        members[n] = (struct member){ name, m, (uint32_t)n, (uint32_t)index, is_index };
    }
    qsort(members, n, sizeof *members, by_name);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && span_eq(members[kept - 1].name, members[i].name))
            members[kept - 1].value = members[i].value;
        else
            members[kept++] = members[i];
    }
    qsort(members, kept, sizeof *members, by_place);
    return kept;
}

/* `v` is inside `depth` others: JSON_DEPTH_MAX bounds the recursion. */
static void put_value(struct buf *b, struct jval v, struct arena *scratch);

static void put_object(struct buf *b, struct jval v, struct arena *scratch)
{
    struct member *members = ARENA_ARRAY(scratch, struct member, json_len(v));
    size_t n = json_len(v) == 0 ? 0 : arrange(v, members, scratch);
    buf_putc(b, '{');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(b, ',');
        json_put_string(b, members[i].name);
        buf_putc(b, ':');
        put_value(b, members[i].value, scratch);
    }
    buf_putc(b, '}');
}

static void put_array(struct buf *b, struct jval v, struct arena *scratch)
{
    buf_putc(b, '[');
    for (struct jval m = json_first(v); m.doc != NULL; m = json_next(m)) {
        if (m.at != v.at + 1)
            buf_putc(b, ',');
        put_value(b, m, scratch);
    }
    buf_putc(b, ']');
}

static void put_value(struct buf *b, struct jval v, struct arena *scratch)
{
    switch (json_type(v)) {
    case JSON_NONE: break;
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE: buf_put(b, json_raw(v)); break;
    case JSON_NUMBER: put_number(b, json_raw(v)); break;
    case JSON_STRING:
        if (v.doc->toks[v.at].has_escapes)
            json_put_string(b, json_str(v, scratch));
        else
            buf_put(b, json_raw(v)); /* nothing in it needs an escape */
        break;
    case JSON_ARRAY: put_array(b, v, scratch); break;
    case JSON_OBJECT: put_object(b, v, scratch); break;
    }
}

void json_put_value(struct buf *b, struct jval v)
{
    struct arena scratch;
    arena_init(&scratch);
    put_value(b, v, &scratch);
    arena_fini(&scratch);
}
