/* verb_tree.c -- zygote tree: which vat was forked from which, and what each weighs. */
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>

#include "cli/look.h"
#include "cli/out.h"

enum { CHILDREN_SHOWN = 8, CHILDREN_KEPT = 3 };

struct node {
    struct seen_vat *seen;
    struct vat_sizes sizes;
    size_t first, next, last; /* child, sibling, last child: index + 1; 0: none */
    bool is_root;
    bool skipped;             /* one of many */
};

struct tree {
    struct cli *cli;
    struct session s;
    size_t count;
    struct node *nodes; /* by number */
    const char *branch, *last, *bar;
};

/* -- building ---------------------------------------------------------------------- */

static const struct vat_info *info(const struct tree *t, size_t i)
{
    return &t->nodes[i].seen->info;
}

/* Vats are in order of number. */
static bool find(const struct tree *t, vat_id vat, size_t *out)
{
    size_t from = 0, to = t->count;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (info(t, mid)->vat.n < vat.n)
            from = mid + 1;
        else
            to = mid;
    }
    *out = from;
    return from < t->count && vat_id_eq(info(t, from)->vat, vat);
}

static void hang(struct tree *t, size_t parent, size_t child)
{
    struct node *p = &t->nodes[parent];
    if (p->last == 0)
        p->first = child + 1;
    else
        t->nodes[p->last - 1].next = child + 1;
    p->last = child + 1;
}

static bool is_plain(const struct tree *t, size_t i)
{
    return t->nodes[i].first == 0;
}

/* Of many children without children, the first few stand for all. */
static void fold(struct tree *t, size_t parent)
{
    size_t plain = 0, seen = 0;
    for (size_t k = t->nodes[parent].first; k != 0; k = t->nodes[k - 1].next)
        plain += is_plain(t, k - 1);
    for (size_t k = t->nodes[parent].first; k != 0 && plain > CHILDREN_SHOWN;
         k = t->nodes[k - 1].next) {
        if (is_plain(t, k - 1))
            t->nodes[k - 1].skipped = ++seen > CHILDREN_KEPT;
    }
}

static void build(struct tree *t)
{
    struct seen_vat *vats;
    t->count = see_vats(&t->s, true, &vats);
    t->nodes = ARENA_ARRAY(&t->cli->arena, struct node, t->count + 1);
    for (size_t i = 0; i < t->count; i++)
        t->nodes[i].seen = &vats[i];
    for (size_t i = 0; i < t->count; i++) {
        size_t parent;
        vat_id from = info(t, i)->forked_from;
        t->nodes[i].is_root = from.n == 0 || !find(t, from, &parent) || parent >= i;
        if (!t->nodes[i].is_root)
            hang(t, parent, i);
    }
    bool folds = t->cli->value[OPT_ALL] == NULL && !t->cli->json && !t->cli->plain;
    for (size_t i = 0; i < t->count && folds; i++)
        fold(t, i);
    for (size_t i = 0; i < t->count; i++) {
        if (!t->nodes[i].skipped)
            kernel_vat_sizes(t->s.kernel, info(t, i)->vat, &t->nodes[i].sizes);
    }
}

/* What would go with the vat, and what others have, too: a snapshot they start from. */
static uint64_t own_bytes(const struct vat_sizes *z)
{
    return z->kv_bytes + z->transcript_bytes + (z->snapshot_users == 1 ? z->snapshot_bytes : 0);
}

static uint64_t shared_bytes(const struct vat_sizes *z)
{
    return z->snapshot_users > 1 ? z->snapshot_bytes : 0;
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

static void put_bytes(struct buf *b, uint64_t bytes)
{
    if (bytes < 1000)
        buf_printf(b, "%" PRIu64 " B", bytes);
    else if (bytes < 1000000)
        buf_printf(b, "%.1f kB", (double)bytes / 1e3);
    else
        buf_printf(b, "%.1f MB", (double)bytes / 1e6);
}

static void put_count(struct buf *b, uint64_t n, const char *what)
{
    buf_printf(b, "%" PRIu64 " %s%s", n, what, n == 1 ? "" : "s");
}

static void put_word(struct tree *t, const char *word)
{
    buf_printf(&t->cli->out, t->cli->color ? "  \033[36m%s\033[0m" : "  %s", word);
}

static void put_past(struct buf *b, const struct node *n)
{
    const struct vat_info *v = &n->seen->info;
    uint64_t deliveries = n->sizes.deliveries;
    buf_printf(b, "  %" PRIu64 " deliver%s", deliveries, deliveries == 1 ? "y" : "ies");
    if (v->forked_from.n == 0)
        return;
    if (n->is_root)
        buf_printf(b, " since its fork from %s, which is unknown here", vat_id_text(v->forked_from).s);
    else
        buf_printf(b, " since its fork at %" PRIu64, v->forked_position);
    if (v->cranks_since != UINT64_MAX) {
        buf_puts(b, ", ");
        put_count(b, v->cranks_since, "crank");
        buf_puts(b, " ago");
    }
}

static void put_weight(struct buf *b, const struct node *n)
{
    buf_puts(b, "; store ");
    put_bytes(b, own_bytes(&n->sizes));
    if (shared_bytes(&n->sizes) > 0) {
        buf_puts(b, " + ");
        put_bytes(b, shared_bytes(&n->sizes));
        buf_puts(b, " shared");
    }
    if (!n->seen->has_worker)
        return;
    buf_puts(b, "; memory ");
    put_bytes(b, n->seen->memory.private_kib * 1024);
    buf_puts(b, " + ");
    put_bytes(b, n->seen->memory.shared_kib * 1024);
    buf_puts(b, " shared");
}

static void put_vat(struct tree *t, size_t i)
{
    struct buf *out = &t->cli->out;
    const struct vat_info *v = info(t, i);
    if (v->name.n > 0) {
        buf_puts(out, t->cli->color ? "\033[1m" : "");
        out_tame(out, v->name);
        buf_puts(out, t->cli->color ? "\033[0m" : "");
        buf_putc(out, ' ');
    }
    buf_puts(out, vat_id_text(v->vat).s);
    if (v->sealed || v->gone)
        put_word(t, vat_state(t->nodes[i].seen));
    put_past(out, &t->nodes[i]);
    put_weight(out, &t->nodes[i]);
    buf_putc(out, '\n');
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

static void put_children(struct tree *t, size_t parent, const char *indent)
{
    size_t hidden = 0;
    for (size_t k = t->nodes[parent].first; k != 0; k = t->nodes[k - 1].next)
        hidden += t->nodes[k - 1].skipped;
    for (size_t k = t->nodes[parent].first; k != 0; k = t->nodes[k - 1].next) {
        if (!t->nodes[k - 1].skipped)
            put_child(t, k - 1, indent, t->nodes[k - 1].next == 0 && hidden == 0);
    }
    if (hidden > 0)
        buf_printf(&t->cli->out, "%s%s… %zu more (--all shows them)\n", indent, t->last,
                   hidden);
}

static void print_text(struct tree *t)
{
    choose_lines(t);
    for (size_t i = 0; i < t->count; i++) {
        if (!t->nodes[i].is_root)
            continue;
        put_vat(t, i);
        put_children(t, i, "");
    }
}

/* -- tables ------------------------------------------------------------------------ */

static void number_or_dash(struct table *t, struct arena *a, bool known, uint64_t n)
{
    if (known)
        table_number(t, a, n);
    else
        table_cell(t, SPAN("-"));
}

static void put_row(struct tree *t, struct table *table, size_t i)
{
    struct arena *a = &t->cli->arena;
    const struct node *n = &t->nodes[i];
    const struct vat_info *v = &n->seen->info;
    bool forked = v->forked_from.n != 0;
    table_cell(table, arena_copy(a, span_of(vat_id_text(v->vat).s)));
    table_cell(table, v->name.n > 0 ? v->name : SPAN("-"));
    table_cell(table, span_of(vat_state(n->seen)));
    table_cell(table, forked ? arena_copy(a, span_of(vat_id_text(v->forked_from).s)) : SPAN("-"));
    number_or_dash(table, a, forked, v->forked_position);
    number_or_dash(table, a, v->cranks_since != UINT64_MAX, v->cranks_since);
    table_number(table, a, n->sizes.deliveries);
    table_number(table, a, own_bytes(&n->sizes));
    table_number(table, a, shared_bytes(&n->sizes));
    number_or_dash(table, a, n->seen->has_worker, n->seen->memory.private_kib);
    number_or_dash(table, a, n->seen->has_worker, n->seen->memory.shared_kib);
}

static void print_plain(struct tree *t)
{
    static const struct column columns[] = {
        { "VAT", false },       { "NAME", false },  { "STATE", false }, { "FROM", false },
        { "POSITION", true },   { "CRANKS", true }, { "DELIVERIES", true },
        { "STORE", true },      { "SHARED", true }, { "PRIVATE KiB", true },
        { "SHARED KiB", true },
    };
    struct table table = { .columns = sizeof columns / sizeof columns[0], .column = columns };
    for (size_t i = 0; i < t->count; i++)
        put_row(t, &table, i);
    table_print(t->cli, &table);
}

/* -- JSON -------------------------------------------------------------------------- */

static void put_own(struct buf *out, const struct node *n)
{
    const struct vat_sizes *z = &n->sizes;
    json_key(out, "own");
    buf_putc(out, '{');
    json_member_u64(out, "deliveries", z->deliveries);
    json_key(out, "cranksSinceFork");
    if (n->seen->info.cranks_since == UINT64_MAX)
        buf_puts(out, "null");
    else
        buf_printf(out, "%" PRIu64, n->seen->info.cranks_since);
    json_member_u64(out, "stateBytes", z->kv_bytes);
    json_member_u64(out, "transcriptBytes", z->transcript_bytes);
    json_member_u64(out, "snapshotBytes", z->snapshot_bytes);
    json_member_u64(out, "snapshotUsers", z->snapshot_users);
    json_member_u64(out, "storeBytes", own_bytes(z));
    json_member_u64(out, "sharedBytes", shared_bytes(z));
    buf_putc(out, '}');
}

static void put_json(struct tree *t, size_t i)
{
    struct buf *out = &t->cli->out;
    vat_put_json(t->cli, t->nodes[i].seen);
    out->n--; /* reopen the object */
    put_own(out, &t->nodes[i]);
    json_key(out, "children");
    buf_putc(out, '[');
    for (size_t k = t->nodes[i].first; k != 0; k = t->nodes[k - 1].next) {
        if (k != t->nodes[i].first)
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
        if (!t->nodes[i].is_root)
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
    struct tree t = { .cli = c };
    if (session_open(&t.s, c, CONTROLLER_LOOK, e) != 0)
        return -1;
    build(&t);
    session_close(&t.s);
    if (c->json)
        print_json(&t);
    else if (c->plain)
        print_plain(&t);
    else
        print_text(&t);
    return 0;
}
