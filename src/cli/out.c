/* out.c -- tables and JSON on stdout, errors on stderr. */
#include "cli/out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/xalloc.h"

/* -- text -------------------------------------------------------------------------- */

void out_tame(struct buf *b, struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        bool c1 = ch == 0xc2 && i + 1 < s.n && ((unsigned char)s.p[i + 1] & 0xe0) == 0x80;
        if (c1)
            buf_printf(b, "\\x%02x", (unsigned char)s.p[++i]);
        else if (ch < 0x20 || ch == 0x7f)
            buf_printf(b, "\\x%02x", ch);
        else
            buf_putc(b, (char)ch);
    }
}

/* Columns on a terminal, near enough: code points. */
static size_t width(struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

/* -- tables ------------------------------------------------------------------------ */

void table_cell(struct table *t, struct span text)
{
    if (t->count == t->room) {
        t->room = t->room == 0 ? 64 : 2 * t->room;
        t->cells = xrealloc(t->cells, t->room * sizeof *t->cells);
    }
    t->cells[t->count++] = text;
}

void table_number(struct table *t, struct arena *a, uint64_t n)
{
    table_cell(t, arena_printf(a, "%" PRIu64, n));
}

static struct span tamed(struct cli *c, struct span s)
{
    struct buf b = { 0 };
    out_tame(&b, s);
    struct span out = arena_copy(&c->arena, buf_span(&b));
    buf_fini(&b);
    return out;
}

static void print_plain(struct cli *c, const struct table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        out_tame(&c->out, t->cells[i]);
        buf_putc(&c->out, (i + 1) % t->columns == 0 ? '\n' : '\t');
    }
}

static void pad(struct buf *b, size_t n)
{
    while (n-- > 0)
        buf_putc(b, ' ');
}

static void print_row(struct buf *out, const struct table *t, const struct span *cells,
                      const size_t *widths)
{
    for (size_t i = 0; i < t->columns; i++) {
        size_t space = widths[i] - width(cells[i]);
        bool last = i + 1 == t->columns;
        if (t->column[i].right)
            pad(out, space);
        buf_put(out, cells[i]);
        if (!t->column[i].right && !last)
            pad(out, space);
        if (!last)
            buf_puts(out, "  ");
    }
}

static void print_aligned(struct cli *c, struct table *t)
{
    size_t *widths = ARENA_ARRAY(&c->arena, size_t, t->columns);
    struct span *heads = ARENA_ARRAY(&c->arena, struct span, t->columns);
    for (size_t i = 0; i < t->columns; i++) {
        heads[i] = span_of(t->column[i].head);
        widths[i] = heads[i].n;
    }
    for (size_t i = 0; i < t->count; i++) {
        t->cells[i] = tamed(c, t->cells[i]);
        size_t w = width(t->cells[i]), *most = &widths[i % t->columns];
        *most = w > *most ? w : *most;
    }
    buf_puts(&c->out, c->color ? "\033[1m" : "");
    print_row(&c->out, t, heads, widths);
    buf_puts(&c->out, c->color ? "\033[0m\n" : "\n");
    for (size_t i = 0; i + t->columns <= t->count; i += t->columns) {
        print_row(&c->out, t, t->cells + i, widths);
        buf_putc(&c->out, '\n');
    }
}

void table_print(struct cli *c, struct table *t)
{
    if (c->plain)
        print_plain(c, t);
    else
        print_aligned(c, t);
    free(t->cells);
    t->cells = NULL;
    t->count = t->room = 0;
}

/* -- JSON -------------------------------------------------------------------------- */

void json_begin(struct buf *b)
{
    buf_printf(b, "{\"schema\":%d", CLI_SCHEMA);
}

void json_end(struct buf *b)
{
    buf_puts(b, "}\n");
}

void json_key(struct buf *b, const char *key)
{
    if (b->n > 0 && b->p[b->n - 1] != '{')
        buf_putc(b, ',');
    json_put_string(b, span_of(key));
    buf_putc(b, ':');
}

void json_member_str(struct buf *b, const char *key, struct span value)
{
    json_key(b, key);
    if (value.p == NULL)
        buf_puts(b, "null");
    else
        json_put_string(b, value);
}

void json_member_u64(struct buf *b, const char *key, uint64_t value)
{
    json_key(b, key);
    buf_printf(b, "%" PRIu64, value);
}

void json_member_bool(struct buf *b, const char *key, bool value)
{
    json_key(b, key);
    buf_puts(b, value ? "true" : "false");
}

/* `text` is JSON of our own making: only strings need care. */
void json_pretty(struct buf *b, struct span text)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.n; i++) {
        char ch = text.p[i], next = i + 1 < text.n ? text.p[i + 1] : '\0';
        bool open = !in_string && (ch == '{' || ch == '[');
        bool close = !in_string && (ch == '}' || ch == ']');
        bool empty = open && (next == '}' || next == ']');
        bool was_empty = close && i > 0 && (text.p[i - 1] == '{' || text.p[i - 1] == '[');
        depth -= close;
        if (close && !was_empty) {
            buf_putc(b, '\n');
            pad(b, 2 * depth);
        }
        buf_putc(b, ch);
        depth += open;
        if ((open && !empty) || (!in_string && ch == ',')) {
            buf_putc(b, '\n');
            pad(b, 2 * depth);
        }
        if (!in_string && ch == ':')
            buf_putc(b, ' ');
        if (in_string && ch == '\\')
            buf_putc(b, text.p[++i]);
        else if (ch == '"')
            in_string = !in_string;
    }
    buf_putc(b, '\n');
}

/* -- errors ------------------------------------------------------------------------ */

static const char *code_of(enum exit_code exit)
{
    switch (exit) {
    case EXIT_OK: return "OK";
    case EXIT_FAILED: return "FAILED";
    case EXIT_USAGE: return "USAGE";
    case EXIT_NOT_FOUND: return "NOT_FOUND";
    case EXIT_VAT: return "VAT_FAILED";
    case EXIT_INTEGRITY: return "INTEGRITY";
    case EXIT_BUSY: return "BUSY";
    case EXIT_UNREACHABLE: return "UNREACHABLE";
    case EXIT_INCOMPATIBLE: return "INCOMPATIBLE";
    case EXIT_POLICY: return "REFUSED";
    }
    return "FAILED";
}

void out_error(const struct cli *c, const struct err *e)
{
    if (!c->json) {
        log_warn("%s", e->text);
        if (c->hint != NULL)
            fprintf(stderr, "hint: %s\n", c->hint);
        return;
    }
    struct buf b = { 0 };
    buf_puts(&b, "{\"error\":{");
    json_member_str(&b, "code", span_of(c->code != NULL ? c->code : code_of(e->exit)));
    json_member_u64(&b, "exit", (uint64_t)e->exit);
    json_member_str(&b, "message", span_of(e->text));
    if (c->hint != NULL)
        json_member_str(&b, "hint", span_of(c->hint));
    buf_puts(&b, "}}\n");
    fwrite(b.p, 1, b.n, stderr);
    buf_fini(&b);
}
