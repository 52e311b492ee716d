/* verb_fork.c -- zygote fork, zygote zygotify. */
#include <inttypes.h>

#include "base/log.h"
#include "cli/out.h"
#include "cli/session.h"

enum { FORKS_MAX = 1000000 }; /* in one command: their IDs are kept to be printed */

struct child {
    vat_id vat;
    struct span name;
    uint64_t us;
    kref root;  /* KREF_INVALID: it has none */
    kref *refs; /* one per --ref */
};

struct forking {
    struct cli *cli;
    struct session s;
    vat_id parent;
    kref *refs;
    struct fork_options options;
    uint64_t wanted, made;
    struct child *children;
    uint64_t uncommitted; /* cranks */
};

/* -- what is asked for ------------------------------------------------------------- */

/* PATTERN with its number: at %d, else at the end, if there are several. */
static struct span child_name(struct cli *c, uint64_t number, uint64_t count)
{
    const char *pattern = c->value[OPT_NAME];
    if (pattern == NULL)
        return SPAN_NONE;
    const char *at = strstr(pattern, "%d");
    if (at != NULL)
        return arena_printf(&c->arena, "%.*s%" PRIu64 "%s", (int)(at - pattern), pattern,
                            number, at + 2);
    if (count > 1)
        return arena_printf(&c->arena, "%s-%" PRIu64, pattern, number);
    return span_of(pattern);
}

static int read_options(struct forking *f, struct err *e)
{
    struct cli *c = f->cli;
    const char *promises = c->value[OPT_PROMISES], *reap = c->value[OPT_REAP_INTERVAL];
    uint64_t interval;
    f->options = (struct fork_options){ .reap_interval = REAP_DEFAULT };
    if (promises != NULL && strcmp(promises, "strict") != 0 && strcmp(promises, "share") != 0)
        return err_set(e, EXIT_USAGE, "--promises must be strict or share, not %s", promises);
    f->options.share = promises != NULL && strcmp(promises, "share") == 0;
    if (c->value[OPT_METER] != NULL)
        f->options.meter = span_of(c->value[OPT_METER]);
    if (reap == NULL)
        return 0;
    if (strcmp(reap, "never") == 0) {
        f->options.reap_interval = REAP_NEVER;
        return 0;
    }
    if (cli_number(c, OPT_REAP_INTERVAL, 1, INT32_MAX, 1, &interval, e) != 0)
        return err_set(e, EXIT_USAGE, "--reap-interval must be a whole number, 1 or more, or never, "
                                      "not %s", reap);
    f->options.reap_interval = (int64_t)interval;
    return 0;
}

static int read_refs(struct forking *f, struct err *e)
{
    struct cli *c = f->cli;
    f->refs = ARENA_ARRAY(&c->arena, kref, c->ref_count + 1);
    for (size_t i = 0; i < c->ref_count; i++) {
        if (controller_find(f->s.controller, c->refs[i], &f->refs[i], e) != 0)
            return err_while(e, "--ref %s", c->refs[i]);
    }
    return 0;
}

/* -- forking ----------------------------------------------------------------------- */

static int commit_block(struct forking *f, uint64_t cranks, struct err *e)
{
    f->uncommitted += cranks;
    if (f->uncommitted < CONTROLLER_BLOCK)
        return 0;
    f->uncommitted = 0;
    return controller_commit(f->s.controller, e);
}

/* The fork's crank ran: is there a child?  If not, the kernel's last note says why. */
static int check_child(struct forking *f, const struct child *child, struct err *e)
{
    if (kernel_vat_exists(f->s.kernel, child->vat))
        return 0;
    const char *why = f->s.note[0] != '\0' ? f->s.note : "the fork was refused";
    return err_set(e, EXIT_POLICY, "%s", why);
}

static int fork_one(struct forking *f, struct child *child, struct err *e)
{
    struct cli *c = f->cli;
    struct fork_request r = {
        .vat = f->parent,
        .options = f->options,
        .ref_count = c->ref_count,
        .refs = f->refs,
    };
    uint64_t began = clock_us(), cranks = 0;
    r.options.name = child->name = child_name(c, f->made + 1, f->wanted);
    f->s.note[0] = '\0';
    if (kernel_fork(f->s.kernel, &r, &child->vat, e) != 0 ||
        kernel_run(f->s.kernel, 0, &cranks, e) != 0)
        return -1;
    child->us = clock_us() - began;
    if (check_child(f, child, e) != 0)
        return -1;
    struct err none;
    if (kernel_find_root(f->s.kernel, child->vat, &child->root, &none) != 0)
        child->root = (kref){ 0 };
    child->refs = ARENA_ARRAY(&c->arena, kref, c->ref_count + 1);
    for (size_t i = 0; i < c->ref_count; i++)
        child->refs[i] =
            kernel_counterpart(f->s.kernel, f->parent, f->refs[i], child->vat);
    return commit_block(f, cranks, e);
}

/* A refusal (EXIT_POLICY, EXIT_NOT_FOUND) leaves what was made before it. */
static int fork_all(struct forking *f, struct err *e)
{
    struct err ignored;
    session_working(&f->s, "fork", f->wanted);
    for (f->made = 0; f->made < f->wanted; f->made++) {
        f->s.progress.done = f->made;
        if (fork_one(f, &f->children[f->made], e) == 0)
            continue;
        if (e->exit == EXIT_POLICY || e->exit == EXIT_NOT_FOUND)
            (void)!controller_commit(f->s.controller, &ignored);
        else
            f->made = 0;
        return err_while(e, "fork %s", f->cli->operands[0]);
    }
    return controller_commit(f->s.controller, e);
}

/* -- showing it -------------------------------------------------------------------- */

static struct span ref_text(struct cli *c, kref k)
{
    return k.kind == KREF_INVALID ? SPAN_NONE
                                  : arena_copy(&c->arena, span_of(kref_text(k).s));
}

static void print_child_json(struct cli *c, const struct child *child)
{
    buf_putc(&c->out, '{');
    json_member_str(&c->out, "vat", span_of(vat_id_text(child->vat).s));
    json_member_str(&c->out, "name", child->name);
    json_member_u64(&c->out, "us", child->us);
    json_member_str(&c->out, "root", ref_text(c, child->root));
    json_key(&c->out, "refs");
    buf_putc(&c->out, '[');
    for (size_t i = 0; i < c->ref_count; i++) {
        struct span text = ref_text(c, child->refs[i]);
        buf_printf(&c->out, text.p == NULL ? "%snull" : "%s\"%.*s\"", i > 0 ? "," : "",
                   SPAN_ARG(text));
    }
    buf_puts(&c->out, "]}");
}

static void print_json(struct cli *c, const struct forking *f)
{
    json_begin(&c->out);
    json_member_str(&c->out, "parent", span_of(vat_id_text(f->parent).s));
    json_key(&c->out, "children");
    buf_putc(&c->out, '[');
    for (uint64_t i = 0; i < f->made; i++) {
        buf_puts(&c->out, i > 0 ? "," : "");
        print_child_json(c, &f->children[i]);
    }
    buf_putc(&c->out, ']');
    json_end(&c->out);
}

static struct span refs_cell(struct cli *c, const struct child *child)
{
    struct buf b = { 0 };
    for (size_t i = 0; i < c->ref_count; i++) {
        struct span text = ref_text(c, child->refs[i]);
        buf_printf(&b, "%s%.*s", i > 0 ? "," : "", text.p == NULL ? 1 : (int)text.n,
                   text.p == NULL ? "-" : text.p);
    }
    struct span out = arena_copy(&c->arena, buf_span(&b));
    buf_fini(&b);
    return out;
}

static void print_table(struct cli *c, const struct forking *f)
{
    static const struct column columns[] = {
        { "VAT", false },
        { "NAME", false },
        { "µs", true },
        { "ROOT", false },
        { "REFS", false },
    };
    struct table t = { .columns = c->ref_count > 0 ? 5 : 4, .column = columns };
    for (uint64_t i = 0; i < f->made; i++) {
        const struct child *child = &f->children[i];
        table_cell(&t, arena_copy(&c->arena, span_of(vat_id_text(child->vat).s)));
        table_cell(&t, child->name.p == NULL ? SPAN("-") : child->name);
        table_number(&t, &c->arena, child->us);
        table_cell(&t, child->root.kind == KREF_INVALID ? SPAN("-") : ref_text(c, child->root));
        if (c->ref_count > 0)
            table_cell(&t, refs_cell(c, child));
    }
    table_print(c, &t);
}

int verb_fork(struct cli *c, struct err *e)
{
    struct forking f = { .cli = c };
    if (cli_number(c, OPT_COUNT, 1, FORKS_MAX, 1, &f.wanted, e) != 0 || read_options(&f, e) != 0 ||
        session_open(&f.s, c, CONTROLLER_WRITE, e) != 0)
        return -1;
    f.s.notes_verbose = true;
    f.children = ARENA_ARRAY(&c->arena, struct child, f.wanted);
    int failed = controller_find_vat(f.s.controller, c->operands[0], &f.parent, e) ||
                 read_refs(&f, e) || fork_all(&f, e);
    session_close(&f.s);
    if (f.made > 0 && c->json)
        print_json(c, &f);
    else if (f.made > 0)
        print_table(c, &f);
    return failed ? -1 : 0;
}

/* -- sealing ----------------------------------------------------------------------- */

static int seal(struct session *s, struct vat_info *out, struct err *e)
{
    const char *name = s->cli->operands[0];
    uint64_t cranks;
    bool quiescent;
    vat_id vat;
    if (controller_find_vat(s->controller, name, &vat, e) != 0)
        return -1;
    session_working(s, "zygotify", 0);
    if (kernel_zygotify(s->kernel, vat, e) != 0 ||
        controller_run(s->controller, 0, &cranks, &quiescent, e) != 0)
        return err_while(e, "zygotify %s", name);
    if (!kernel_vat(s->kernel, &s->cli->arena, vat, out) || !out->sealed)
        return err_set(e, EXIT_POLICY, "zygotify %s: %s", name,
                       s->note[0] != '\0' ? s->note : "it was refused");
    return 0;
}

int verb_zygotify(struct cli *c, struct err *e)
{
    struct session s;
    struct vat_info vat = { 0 };
    if (session_open(&s, c, CONTROLLER_WRITE, e) != 0)
        return -1;
    s.notes_verbose = true;
    int failed = seal(&s, &vat, e);
    struct id_text id = vat_id_text(vat.vat);
    if (!failed && c->json) {
        json_begin(&c->out);
        json_member_str(&c->out, "vat", span_of(id.s));
        json_member_bool(&c->out, "sealed", true);
        json_member_str(&c->out, "snapshot",
                        vat.has_snapshot ? span_of(vat.snapshot) : SPAN_NONE);
        json_end(&c->out);
    }
    session_close(&s);
    if (!failed)
        log_info("%s (%s) is a zygote now", c->operands[0], id.s);
    return failed;
}
