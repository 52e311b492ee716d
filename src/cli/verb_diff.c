/* verb_diff.c -- zygote diff: how two relatives differ. */
#include <inttypes.h>

#include "cli/out.h"
#include "cli/session.h"
#include "kernel/diff.h"

enum {
    SHOWN = 20,      /* differences of a part, unless --all */
    VALUE_SHOWN = 60 /* bytes of a value */
};

/* A difference, kept until the heaps are compared. */
struct entry {
    struct diff_entry d;
    struct entry *next;
};

struct part {
    const char *name;
    uint64_t count;
    struct entry *first, **last;
};

struct diffing {
    struct cli *cli;
    struct session s;
    vat_id vat[2];
    struct span name[2];
    uint64_t end[2]; /* of their transcripts */
    struct diff_point point;
    struct part parts[DIFF_PARTS];
    struct controller_heaps heaps;
    bool heaps_differ, differ;
};

/* -- comparing --------------------------------------------------------------------- */

static bool keeps_all(const struct diffing *d)
{
    return d->cli->json || d->cli->plain || d->cli->value[OPT_ALL] != NULL;
}

static struct span keep(struct diffing *d, struct span s)
{
    return s.p == NULL ? s : arena_copy(&d->cli->arena, s);
}

static void on_entry(void *ctx, const struct diff_entry *e)
{
    struct diffing *d = ctx;
    struct part *p = &d->parts[e->part];
    d->differ = true;
    if (p->count++ >= SHOWN && !keeps_all(d))
        return;
    struct entry *entry = ARENA_NEW(&d->cli->arena, struct entry);
    entry->d = (struct diff_entry){ e->part, keep(d, e->key), keep(d, e->a), keep(d, e->b) };
    *p->last = entry;
    p->last = &entry->next;
}

static int find_both(struct diffing *d, struct err *e)
{
    struct vat_info info;
    for (int i = 0; i < 2; i++) {
        if (controller_find_vat(d->s.controller, d->cli->operands[i], &d->vat[i], e) != 0)
            return -1;
        if (kernel_vat(d->s.kernel, &d->cli->arena, d->vat[i], &info)) {
            d->name[i] = info.name;
            d->end[i] = info.deliveries;
        }
    }
    return kernel_kinship(d->s.kernel, d->vat[0], d->vat[1], &d->point, e);
}

static int compare(struct diffing *d, struct err *e)
{
    static const char *const names[DIFF_PARTS] = { "options", "c-list", "vatstore" };
    for (int i = 0; i < DIFF_PARTS; i++)
        d->parts[i] = (struct part){ .name = names[i], .last = &d->parts[i].first };
    if (find_both(d, e) != 0)
        return -1;
    kernel_diff(d->s.kernel, d->vat[0], d->vat[1], on_entry, d);
    session_working(&d->s, "diff", 0);
    if (controller_compare_heaps(d->s.controller, d->vat[0], d->vat[1], &d->heaps, e) != 0)
        return -1;
    d->heaps_differ = d->heaps.different + d->heaps.only_a + d->heaps.only_b > 0;
    d->differ = d->differ || d->heaps_differ;
    return 0;
}

/* -- saying it --------------------------------------------------------------------- */

/* What the first is to the second. */
static const char *relation(const struct diff_point *p)
{
    if (p->up_a == 0)
        return p->up_b == 1 ? "parent" : "ancestor";
    if (p->up_b == 0)
        return p->up_a == 1 ? "child" : "descendant";
    return p->up_a == 1 && p->up_b == 1 ? "sibling" : "relative";
}

static char sign(const struct diff_entry *e)
{
    return e->b.p == NULL ? '<' : e->a.p == NULL ? '>' : '!';
}

static void put_value(struct buf *b, struct span s, bool whole)
{
    size_t n = s.n;
    if (!whole && n > VALUE_SHOWN) {
        n = VALUE_SHOWN;
        while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80) /* not into a character */
            n--;
    }
    out_tame(b, (struct span){ s.p, n });
    if (n < s.n)
        buf_printf(b, "… (%zu bytes)", s.n);
}

static void put_line(struct buf *b, const struct diff_entry *e, bool whole)
{
    buf_printf(b, "  %c ", sign(e));
    out_tame(b, e->key);
    buf_puts(b, "  ");
    if (e->a.p != NULL)
        put_value(b, e->a, whole);
    if (e->a.p != NULL && e->b.p != NULL)
        buf_puts(b, "  |  ");
    if (e->b.p != NULL)
        put_value(b, e->b, whole);
    buf_putc(b, '\n');
}

static void put_part(struct diffing *d, const struct part *p)
{
    struct buf *b = &d->cli->out;
    if (p->count == 0) {
        buf_printf(b, "%s: equal\n", p->name);
        return;
    }
    buf_printf(b, "%s: %" PRIu64 " difference%s\n", p->name, p->count, p->count == 1 ? "" : "s");
    uint64_t shown = 0;
    for (const struct entry *e = p->first; e != NULL; e = e->next, shown++)
        put_line(b, &e->d, d->cli->verbose);
    if (shown < p->count)
        buf_printf(b, "  … %" PRIu64 " more (--all shows them)\n", p->count - shown);
}

static void put_heaps(struct diffing *d)
{
    struct buf *b = &d->cli->out;
    const struct controller_heaps *h = &d->heaps;
    if (h->same) {
        buf_printf(b, "heap: equal, %" PRIu64 " bytes\n", h->bytes_a);
        return;
    }
    buf_printf(b, "heap: of the 4 KiB pages %" PRIu64 " are equal, %" PRIu64 " differ, %" PRIu64
               " are only in %s, ", h->equal, h->different, h->only_a, vat_id_text(d->vat[0]).s);
    buf_printf(b, "%" PRIu64 " only in %s\n", h->only_b, vat_id_text(d->vat[1]).s);
}

static void put_who(struct diffing *d, int i)
{
    struct buf *b = &d->cli->out;
    out_tame(b, d->name[i]);
    buf_printf(b, "%s%s", d->name[i].n > 0 ? " " : "", vat_id_text(d->vat[i]).s);
}

static void put_text(struct diffing *d)
{
    struct buf *b = &d->cli->out;
    const struct diff_point *p = &d->point;
    put_who(d, 0);
    buf_printf(b, ", %s of ", relation(p));
    put_who(d, 1);
    buf_printf(b, "; they parted at position %" PRIu64 " of %s", p->position,
               vat_id_text(p->ancestor).s);
    buf_printf(b, "\ntranscript: %" PRIu64 " %s of %s since then, ", p->since_a,
               p->since_a == 1 ? "entry" : "entries", vat_id_text(d->vat[0]).s);
    buf_printf(b, "%" PRIu64 " of %s\n", p->since_b, vat_id_text(d->vat[1]).s);
    for (int i = 0; i < DIFF_PARTS; i++)
        put_part(d, &d->parts[i]);
    put_heaps(d);
}

/* Part, sign, key, what A has, what B has. */
static void put_plain(struct diffing *d)
{
    static const struct column columns[5] = { { "PART", false }, { "", false }, { "KEY", false },
                                              { "A", false },    { "B", false } };
    struct table t = { .columns = 5, .column = columns };
    struct arena *a = &d->cli->arena;
    for (int i = 0; i < DIFF_PARTS; i++) {
        for (const struct entry *e = d->parts[i].first; e != NULL; e = e->next) {
            table_cell(&t, span_of(d->parts[i].name));
            table_cell(&t, arena_printf(a, "%c", sign(&e->d)));
            table_cell(&t, e->d.key);
            table_cell(&t, e->d.a.p == NULL ? SPAN("") : e->d.a);
            table_cell(&t, e->d.b.p == NULL ? SPAN("") : e->d.b);
        }
    }
    if (d->heaps_differ) {
        const struct controller_heaps *h = &d->heaps;
        table_cell(&t, SPAN("heap"));
        table_cell(&t, SPAN("!"));
        table_cell(&t, arena_printf(a, "%" PRIu64 " of %" PRIu64 " pages", h->different + h->only_a + h->only_b,
                                    h->equal + h->different + h->only_a + h->only_b));
        table_number(&t, a, h->bytes_a);
        table_number(&t, a, h->bytes_b);
    }
    table_print(d->cli, &t);
}

/* -- JSON -------------------------------------------------------------------------- */

static void put_json_part(struct buf *b, const char *name, const struct part *p)
{
    json_key(b, name);
    buf_putc(b, '[');
    for (const struct entry *e = p->first; e != NULL; e = e->next) {
        buf_puts(b, e == p->first ? "{" : ",{");
        json_member_str(b, "key", e->d.key);
        json_member_str(b, "a", e->d.a);
        json_member_str(b, "b", e->d.b);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void put_json_vat(struct diffing *d, const char *name, int i, uint64_t since)
{
    struct buf *b = &d->cli->out;
    json_key(b, name);
    buf_putc(b, '{');
    json_member_str(b, "vat", span_of(vat_id_text(d->vat[i]).s));
    json_member_str(b, "name", d->name[i].n > 0 ? d->name[i] : SPAN_NONE);
    json_member_u64(b, "position", d->end[i]);
    json_member_u64(b, "since", since);
    buf_putc(b, '}');
}

static void put_json_heap(struct buf *b, const struct controller_heaps *h)
{
    json_key(b, "heap");
    buf_putc(b, '{');
    json_member_bool(b, "same", h->same);
    json_member_u64(b, "bytesA", h->bytes_a);
    json_member_u64(b, "bytesB", h->bytes_b);
    if (!h->same) {
        json_key(b, "pages");
        buf_putc(b, '{');
        json_member_u64(b, "equal", h->equal);
        json_member_u64(b, "different", h->different);
        json_member_u64(b, "onlyA", h->only_a);
        json_member_u64(b, "onlyB", h->only_b);
        buf_putc(b, '}');
    }
    buf_putc(b, '}');
}

static void put_json(struct diffing *d)
{
    struct buf *b = &d->cli->out;
    json_begin(b);
    json_member_bool(b, "equal", !d->differ);
    json_member_str(b, "relation", span_of(relation(&d->point)));
    put_json_vat(d, "a", 0, d->point.since_a);
    put_json_vat(d, "b", 1, d->point.since_b);
    json_key(b, "parted");
    buf_putc(b, '{');
    json_member_str(b, "vat", span_of(vat_id_text(d->point.ancestor).s));
    json_member_u64(b, "position", d->point.position);
    buf_putc(b, '}');
    put_json_part(b, "options", &d->parts[DIFF_OPTIONS]);
    put_json_part(b, "clist", &d->parts[DIFF_CLIST]);
    put_json_part(b, "vatstore", &d->parts[DIFF_VATSTORE]);
    put_json_heap(b, &d->heaps);
    json_end(b);
}

int verb_diff(struct cli *c, struct err *e)
{
    struct diffing d = { .cli = c };
    if (session_open(&d.s, c, CONTROLLER_LOOK, e) != 0)
        return -1;
    int failed = compare(&d, e);
    session_close(&d.s);
    if (failed)
        return -1;
    if (c->json)
        put_json(&d);
    else if (c->plain)
        put_plain(&d);
    else
        put_text(&d);
    c->exit = d.differ ? EXIT_FAILED : 0;
    return 0;
}
