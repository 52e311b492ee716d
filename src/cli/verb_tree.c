/* verb_tree.c -- zygote tree: which vat was forked from which. */
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>

#include "cli/look.h"
#include "cli/out.h"

enum { CHILDREN_SHOWN = 8, CHILDREN_KEPT = 3 };

struct tree {
    struct cli *cli;
    struct session *s;
    size_t count;
    struct vat_info *vats;
    size_t *first, *next; /* child and sibling, index + 1; 0: none */
    bool *is_root;
    const char *branch, *last, *bar;
};

/* -- building ---------------------------------------------------------------------- */

static bool parent_of(const struct tree *t, size_t i, size_t *parent)
{
    if (t->vats[i].forked_from.n == 0)
        return false;
    for (size_t k = 0; k < t->count; k++) {
        if (vat_id_eq(t->vats[k].vat, t->vats[i].forked_from)) {
            *parent = k;
            return true;
        }
    }
    return false; /* it is gone */
}

static void build(struct tree *t)
{
    struct arena *a = &t->cli->arena;
    t->count = kernel_vats(t->s->kernel, a, &t->vats);
    t->first = ARENA_ARRAY(a, size_t, t->count + 1);
    t->next = ARENA_ARRAY(a, size_t, t->count + 1);
    t->is_root = ARENA_ARRAY(a, bool, t->count + 1);
    for (size_t i = t->count; i-- > 0;) {
        size_t parent;
        t->is_root[i] = !parent_of(t, i, &parent);
        if (!t->is_root[i]) {
            t->next[i] = t->first[parent];
            t->first[parent] = i + 1;
        }
    }
}

/* -- text -------------------------------------------------------------------------- */

static void choose_lines(struct tree *t)
{
    setlocale(LC_CTYPE, "");
    bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    t->branch = utf8 ? "├─ " : "|- ";
    t->last = utf8 ? "└─ " : "`- ";
    t->bar = utf8 ? "│  " : "|  ";
}

static void put_vat(struct tree *t, size_t i)
{
    struct buf *out = &t->cli->out;
    const struct vat_info *v = &t->vats[i];
    struct id_text id = vat_id_text(v->vat);
    if (v->name.n > 0) {
        buf_puts(out, t->cli->color ? "\033[1m" : "");
        out_tame(out, v->name);
        buf_puts(out, t->cli->color ? "\033[0m" : "");
        buf_putc(out, ' ');
    }
    buf_puts(out, id.s);
    if (v->sealed)
        buf_puts(out, t->cli->color ? "  \033[36msealed\033[0m" : "  sealed");
    buf_printf(out, "  %" PRIu64 " transcript %s", v->deliveries,
               v->deliveries == 1 ? "entry" : "entries");
    if (v->forked_from.n != 0 && t->is_root[i])
        buf_printf(out, ", from %s, which is gone", vat_id_text(v->forked_from).s);
    else if (v->forked_from.n != 0)
        buf_printf(out, ", from %" PRIu64, v->forked_position);
    buf_putc(out, '\n');
}

static size_t plain_children(const struct tree *t, size_t first)
{
    size_t n = 0;
    for (size_t k = first; k != 0; k = t->next[k - 1])
        n += t->first[k - 1] == 0;
    return n;
}

static void put_children(struct tree *t, size_t parent, const char *indent);

static void put_child(struct tree *t, size_t i, const char *indent, bool last)
{
    buf_puts(&t->cli->out, indent);
    buf_puts(&t->cli->out, last ? t->last : t->branch);
    put_vat(t, i);
    put_children(t, i,
                 arena_printf(&t->cli->arena, "%s%s", indent, last ? "   " : t->bar).p);
}

/* Of many children without children, the first few and a count stand for all. */
static void put_children(struct tree *t, size_t parent, const char *indent)
{
    size_t plain = plain_children(t, t->first[parent]), seen = 0;
    bool fold = plain > CHILDREN_SHOWN && t->cli->value[OPT_ALL] == NULL;
    size_t hidden = fold ? plain - CHILDREN_KEPT : 0;
    for (size_t k = t->first[parent]; k != 0; k = t->next[k - 1]) {
        bool is_plain = t->first[k - 1] == 0;
        seen += is_plain;
        if (!fold || !is_plain || seen <= CHILDREN_KEPT)
            put_child(t, k - 1, indent, t->next[k - 1] == 0 && hidden == 0);
    }
    if (hidden > 0)
        buf_printf(&t->cli->out, "%s%s… %zu more (--all shows them)\n", indent, t->last,
                   hidden);
}

/* -- JSON -------------------------------------------------------------------------- */

static void put_json(struct tree *t, size_t i)
{
    struct buf *out = &t->cli->out;
    vat_put_json(t->cli, t->s, &t->vats[i]);
    out->n--; /* reopen the object */
    json_key(out, "children");
    buf_putc(out, '[');
    for (size_t k = t->first[i]; k != 0; k = t->next[k - 1]) {
        if (k != t->first[i])
            buf_putc(out, ',');
        put_json(t, k - 1);
    }
    buf_puts(out, "]}");
}

static void print_json(struct tree *t)
{
    struct buf *out = &t->cli->out;
    bool any = false;
    json_begin(out);
    json_key(out, "vats");
    buf_putc(out, '[');
    for (size_t i = 0; i < t->count; i++) {
        if (!t->is_root[i])
            continue;
        buf_puts(out, any ? "," : "");
        put_json(t, i);
        any = true;
    }
    buf_putc(out, ']');
    json_end(out);
}

int verb_tree(struct cli *c, struct err *e)
{
    struct session s;
    struct tree t = { .cli = c, .s = &s };
    if (session_open(&s, c, CONTROLLER_LOOK, e) != 0)
        return -1;
    choose_lines(&t);
    build(&t);
    if (c->json)
        print_json(&t);
    for (size_t i = 0; !c->json && i < t.count; i++) {
        if (t.is_root[i]) {
            put_vat(&t, i);
            put_children(&t, i, "");
        }
    }
    session_close(&s);
    return 0;
}
