/* marshal_encode.c -- kser(): a tree into a smallcaps body and its slots.
 *
 * After encodeToSmallcaps.js and marshal.js.  Members are encoded in the order of their
 * sorted names, which numbers the slots; then JSON.stringify() writes array indices first.
 */
#include <math.h>
#include <stdlib.h>

#include "kernel/marshal_js.h"

/* A slot's node, where it was met first. */
struct seen {
    const struct pass *node;
    size_t index;
};

struct encoder {
    struct arena *a;
    const struct marshal_names *names; /* NULL: errors are not tagged */
    struct buf body;
    struct span *slots;
    size_t count, cap;  /* of slots */
    struct seen *table; /* open addressing by node; twice as long as `cap` */
};

/* -- slots ----------------------------------------------------------------------- */

/* Where `node` is in the table, or goes. */
static struct seen *seen_at(const struct encoder *en, const struct pass *node)
{
    size_t mask = 2 * en->cap - 1;
    size_t at = (size_t)(((uintptr_t)node >> 4) * 0x9e3779b97f4a7c15u >> 20);
    while (en->table[at & mask].node != NULL && en->table[at & mask].node != node)
        at++;
    return &en->table[at & mask];
}

static void slots_grow(struct encoder *en)
{
    struct seen *old = en->table;
    size_t entries = 2 * en->cap;
    struct span *slots = en->slots;

    en->cap = en->cap == 0 ? 8 : 2 * en->cap;
    en->slots = ARENA_ARRAY(en->a, struct span, en->cap);
    en->table = ARENA_ARRAY(en->a, struct seen, 2 * en->cap);
    for (size_t i = 0; i < en->count; i++)
        en->slots[i] = slots[i];
    for (size_t i = 0; i < entries; i++) {
        if (old[i].node != NULL) *seen_at(en, old[i].node) = old[i];
    }
}

static size_t slot_index(struct encoder *en, const struct pass *node, bool *repeat)
{
    if (en->count == en->cap) slots_grow(en);
    struct seen *s = seen_at(en, node);
    *repeat = s->node != NULL;
    if (*repeat) return s->index;
    *s = (struct seen){ node, en->count };
    en->slots[en->count] = node->text;
    return en->count++;
}

/* -- scalars --------------------------------------------------------------------- */

/* JSON of `lead` + `s`, where `lead` (not empty) needs no escapes. */
static void put_led(struct buf *b, const char *lead, struct span s)
{
    size_t n = strlen(lead);
    buf_putc(b, '"');
    buf_put(b, (struct span){ lead, n - 1 });
    size_t at = b->n;
    json_put_string(b, s);
    b->p[at] = lead[n - 1]; /* over its opening quote */
}

static void put_text(struct buf *b, struct span s)
{
    if (s.n > 0 && s.p[0] >= '!' && s.p[0] <= '-')
        put_led(b, "!", s);
    else
        json_put_string(b, s);
}

static void put_number(struct buf *b, double n)
{
    if (isnan(n))
        buf_puts(b, "\"#NaN\"");
    else if (isinf(n))
        buf_puts(b, n < 0 ? "\"#-Infinity\"" : "\"#Infinity\"");
    else
        json_put_double(b, n);
}

static void put_remotable(struct encoder *en, const struct pass *p)
{
    bool repeat;
    size_t index = slot_index(en, p, &repeat);
    buf_printf(&en->body, "\"$%zu", index);
    if (repeat) {
        buf_putc(&en->body, '"');
        return;
    }
    buf_puts(&en->body, p->boolean ? "" : ".Alleged:");
    size_t at = en->body.n;
    json_put_string(&en->body, p->key);
    en->body.p[at] = p->boolean ? '.' : ' '; /* over its opening quote */
}

static void put_promise(struct encoder *en, const struct pass *p)
{
    bool repeat;
    buf_printf(&en->body, "\"&%zu\"", slot_index(en, p, &repeat));
}

/* -- containers ------------------------------------------------------------------ */

static void put(struct encoder *en, const struct pass *p);

static void put_array(struct encoder *en, const struct pass *p)
{
    buf_putc(&en->body, '[');
    for (size_t i = 0; i < p->count; i++) {
        if (i > 0) buf_putc(&en->body, ',');
        put(en, p->items[i]);
    }
    buf_putc(&en->body, ']');
}

struct member {
    struct span name;
    const struct pass *value;
    bool is_index;
    uint32_t index;
    size_t start, end; /* of its text, within the members' */
};

static int by_utf16(const void *x, const void *y)
{
    const struct member *a = x, *b = y;
    return utf16_cmp(a->name, b->name);
}

/* Array indices by number, then the others where they are. */
static int by_place(const void *x, const void *y)
{
    const struct member *a = x, *b = y;
    if (a->is_index != b->is_index) return a->is_index ? -1 : 1;
    if (a->is_index) return (a->index > b->index) - (a->index < b->index);
    return (a->start > b->start) - (a->start < b->start);
}

/* The members' text, from `from` on, has the order of the names; give it JavaScript's. */
static void put_in_place(struct encoder *en, struct member *members, size_t count,
                         size_t from)
{
    struct span text = span_from(buf_span(&en->body), from);
    struct span copy = arena_copy(en->a, text);
    qsort(members, count, sizeof *members, by_place);
    en->body.n = from;
    for (size_t i = 0; i < count; i++) {
        const struct member *m = &members[i];
        if (i > 0) buf_putc(&en->body, ',');
        buf_put(&en->body, (struct span){ copy.p + m->start, m->end - m->start });
    }
}

static void put_record(struct encoder *en, const struct pass *p)
{
    struct member *members = ARENA_ARRAY(en->a, struct member, p->count);
    bool any_index = false;
    for (size_t i = 0; i < p->count; i++) {
        members[i] = (struct member){ .name = p->keys[i], .value = p->items[i] };
        members[i].is_index = js_index_name(p->keys[i], &members[i].index);
        any_index = any_index || members[i].is_index;
    }
    if (p->count > 1) qsort(members, p->count, sizeof *members, by_utf16);

    buf_putc(&en->body, '{');
    size_t from = en->body.n;
    for (size_t i = 0; i < p->count; i++) {
        if (i > 0) buf_putc(&en->body, ',');
        members[i].start = en->body.n - from;
        put_text(&en->body, members[i].name);
        buf_putc(&en->body, ':');
        put(en, members[i].value);
        members[i].end = en->body.n - from;
    }
    if (any_index) put_in_place(en, members, p->count, from);
    buf_putc(&en->body, '}');
}

static void put_tagged(struct encoder *en, const struct pass *p)
{
    buf_puts(&en->body, "{\"#tag\":");
    put_text(&en->body, p->text);
    buf_puts(&en->body, ",\"payload\":");
    put(en, p->items[0]);
    buf_putc(&en->body, '}');
}

/* nextErrorId(): every sending of an error is another. */
static void put_error_id(struct encoder *en)
{
    struct buf id = { 0 };
    buf_puts(&id, "error:");
    buf_put(&id, en->names->marshal_name);
    buf_printf(&id, "#%llu", (unsigned long long)++*en->names->error_count);
    buf_puts(&en->body, ",\"errorId\":");
    put_text(&en->body, buf_span(&id));
    buf_fini(&id);
}

static void put_error(struct encoder *en, const struct pass *p)
{
    buf_puts(&en->body, "{\"#error\":");
    put_text(&en->body, p->text);
    if (en->names != NULL) put_error_id(en);
    buf_puts(&en->body, ",\"name\":");
    put_text(&en->body, p->key);
    buf_putc(&en->body, '}');
}

static void put(struct encoder *en, const struct pass *p)
{
    switch (p->style) {
    case PASS_UNDEFINED: buf_puts(&en->body, "\"#undefined\""); break;
    case PASS_NULL: buf_puts(&en->body, "null"); break;
    case PASS_BOOL: buf_puts(&en->body, p->boolean ? "true" : "false"); break;
    case PASS_NUMBER: put_number(&en->body, p->number); break;
    case PASS_BIGINT:
        if (span_starts(p->text, SPAN("-")))
            json_put_string(&en->body, p->text);
        else
            put_led(&en->body, "+", p->text);
        break;
    case PASS_STRING: put_text(&en->body, p->text); break;
    case PASS_SYMBOL: put_led(&en->body, "%", p->text); break;
    case PASS_ARRAY: put_array(en, p); break;
    case PASS_RECORD: put_record(en, p); break;
    case PASS_TAGGED: put_tagged(en, p); break;
    case PASS_ERROR: put_error(en, p); break;
    case PASS_REMOTABLE: put_remotable(en, p); break;
    case PASS_PROMISE: put_promise(en, p); break;
    }
}

void marshal_encode_as(struct arena *a, const struct pass *value,
                       const struct marshal_names *names, struct vat_capdata *out)
{
    struct encoder en = { .a = a, .names = names };
    buf_putc(&en.body, '#');
    put(&en, value);
    out->body = arena_copy(a, buf_span(&en.body));
    out->count = en.count;
    out->slots = en.slots;
    buf_fini(&en.body);
}

void marshal_encode(struct arena *a, const struct pass *value, struct vat_capdata *out)
{
    marshal_encode_as(a, value, NULL, out);
}
