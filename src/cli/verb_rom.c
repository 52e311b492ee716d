/* verb_rom.c -- zygote rom save, load, inspect: zygotes as files. */
#include <inttypes.h>

#include "base/log.h"
#include "cli/out.h"
#include "cli/session.h"
#include "host/rom.h"

/* -- save -------------------------------------------------------------------------- */

static int save(struct cli *c, struct err *e)
{
    struct session s;
    char hash[SHA256_HEX + 1];
    const char *file = c->operand_count > 2 ? c->operands[2] : NULL;
    vat_id vat;
    if (session_open(&s, c, CONTROLLER_LOOK, e) != 0)
        return -1;
    int failed = controller_find_vat(s.controller, c->operands[1], &vat, e) != 0 ||
                 rom_save(s.controller, &c->arena, vat, file, &file, hash, e) != 0;
    session_close(&s);
    if (failed)
        return err_while(e, "rom save %s", c->operands[1]);
    if (c->json) {
        json_begin(&c->out);
        json_member_str(&c->out, "file", span_of(file));
        json_member_str(&c->out, "rom", span_of(hash));
        json_end(&c->out);
    } else {
        buf_printf(&c->out, "%s\n", file);
    }
    return 0;
}

/* -- load -------------------------------------------------------------------------- */

struct loading {
    struct cli *cli;
    struct session s;
    struct rom rom;
    char hash[SHA256_HEX + 1];
    vat_id vat;
    kref handle; /* KREF_INVALID: vat-admin knows of none */
};

static int read_imports(struct loading *l, struct rom_request *r, struct err *e)
{
    struct cli *c = l->cli;
    struct rom_import *imports = ARENA_ARRAY(&c->arena, struct rom_import, c->ref_count + 1);
    for (size_t i = 0; i < c->ref_count; i++) {
        if (rom_parse_import(l->s.controller, c->refs[i], &imports[i], e) != 0)
            return err_while(e, "--import");
    }
    r->import_count = c->ref_count;
    r->imports = imports;
    return 0;
}

/* An answer is one reference; a vat-admin that is not ours, or is older, has none to give. */
static void take_handle(struct loading *l, kref promise)
{
    struct capdata answer;
    bool good = kernel_promise_state(l->s.kernel, promise) == PROMISE_FULFILLED;
    if (kernel_promise_take(l->s.kernel, promise, &answer) && good && answer.count == 1)
        l->handle = answer.slots[0];
    else
        log_warn("vat-admin has no handle of it: it can be forked by zygote fork only");
}

static int load_rom(struct loading *l, struct err *e)
{
    struct cli *c = l->cli;
    const char *name = c->value[OPT_NAME], *meter = c->value[OPT_METER];
    struct rom_request r = {
        .rom = &l->rom,
        .hash = span_of(l->hash),
        .name = name == NULL ? SPAN_NONE : span_of(name),
        .meter = meter == NULL ? SPAN_NONE : span_of(meter),
    };
    kref promise;
    uint64_t cranks;
    if (read_imports(l, &r, e) != 0)
        return -1;
    session_working(&l->s, "load", 0);
    if (kernel_rom_load(l->s.kernel, &r, &l->vat, &promise, e) != 0 ||
        kernel_run(l->s.kernel, 0, &cranks, e) != 0)
        return -1;
    take_handle(l, promise);
    return controller_commit(l->s.controller, e);
}

static void print_exports(struct loading *l, struct buf *b)
{
    bool first = true;
    for (size_t i = 0; i < l->rom.row_count; i++) {
        const struct rom_row *row = &l->rom.rows[i];
        kref k;
        if (rom_row_is_import(row) || !row->reachable ||
            !kernel_rom_export(l->s.kernel, l->vat, row->vref, &k))
            continue;
        buf_puts(b, first ? "{" : ",{");
        json_member_str(b, "vref", row->vref);
        json_member_str(b, "kref", span_of(kref_text(k).s));
        buf_putc(b, '}');
        first = false;
    }
}

static void print_loaded(struct loading *l)
{
    struct cli *c = l->cli;
    struct span handle = SPAN_NONE;
    if (l->handle.kind != KREF_INVALID)
        handle = arena_copy(&c->arena, span_of(kref_text(l->handle).s));
    if (!c->json) {
        buf_printf(&c->out, "%s", vat_id_text(l->vat).s);
        if (handle.p != NULL)
            buf_printf(&c->out, "\t%.*s", SPAN_ARG(handle));
        buf_putc(&c->out, '\n');
        return;
    }
    json_begin(&c->out);
    json_member_str(&c->out, "vat", span_of(vat_id_text(l->vat).s));
    json_member_str(&c->out, "rom", span_of(l->hash));
    json_member_str(&c->out, "snapshot", l->rom.ancestors[0].snapshot);
    json_member_str(&c->out, "handle", handle);
    json_key(&c->out, "exports");
    buf_putc(&c->out, '[');
    print_exports(l, &c->out);
    buf_putc(&c->out, ']');
    json_end(&c->out);
}

static int load(struct cli *c, struct err *e)
{
    struct loading l = { .cli = c };
    const char *file = c->operands[1];
    if (c->operand_count > 2)
        return err_set(e, EXIT_USAGE, "rom load takes one FILE");
    if (rom_open(&c->arena, file, &l.rom, l.hash, e) != 0 ||
        session_open(&l.s, c, CONTROLLER_WRITE, e) != 0)
        return -1;
    l.s.notes_verbose = true;
    int failed = load_rom(&l, e);
    if (!failed)
        print_loaded(&l);
    else
        err_while(e, "rom load %s", file);
    session_close(&l.s);
    return failed;
}

/* -- inspect ----------------------------------------------------------------------- */

static void print_clist_json(struct cli *c, const struct rom *r, bool imports)
{
    bool first = true;
    json_key(&c->out, imports ? "imports" : "exports");
    buf_putc(&c->out, '[');
    for (size_t i = 0; i < r->row_count; i++) {
        const struct rom_row *row = &r->rows[i];
        if (rom_row_is_import(row) != imports)
            continue;
        buf_puts(&c->out, first ? "{" : ",{");
        json_member_str(&c->out, "vref", row->vref);
        json_member_bool(&c->out, "reachable", row->reachable);
        if (imports) {
            json_member_bool(&c->out, "wanted", rom_row_is_wanted(row));
            json_member_str(&c->out, "was", row->was);
        }
        buf_putc(&c->out, '}');
        first = false;
    }
    buf_putc(&c->out, ']');
}

static void print_lineage_json(struct cli *c, const struct rom *r)
{
    json_key(&c->out, "lineage");
    buf_putc(&c->out, '[');
    for (size_t i = 0; i < r->ancestor_count; i++) {
        const struct rom_ancestor *n = &r->ancestors[i];
        buf_puts(&c->out, i > 0 ? ",{" : "{");
        json_member_str(&c->out, "vat", n->vat);
        json_member_u64(&c->out, "incarnation", n->incarnation);
        json_member_u64(&c->out, "position", n->position);
        json_member_str(&c->out, "snapshot", n->snapshot);
        buf_putc(&c->out, '}');
    }
    buf_putc(&c->out, ']');
}

static void inspect_json(struct cli *c, const struct rom *r, const char *hash)
{
    json_begin(&c->out);
    json_member_str(&c->out, "rom", span_of(hash));
    json_member_str(&c->out, "name", r->name);
    json_member_str(&c->out, "engine", r->engine);
    json_member_str(&c->out, "bundleID", r->bundle_id);
    json_key(&c->out, "boot");
    buf_putc(&c->out, '[');
    for (size_t i = 0; i < r->boot_count; i++) {
        if (i > 0)
            buf_putc(&c->out, ',');
        json_put_string(&c->out, r->boot[i]);
    }
    buf_putc(&c->out, ']');
    json_member_bool(&c->out, "metered", r->metered);
    json_member_u64(&c->out, "heapBytes", r->heap.n);
    json_member_u64(&c->out, "vatstoreKeys", r->entry_count);
    json_member_u64(&c->out, "bundleBytes", r->bundle.n);
    print_clist_json(c, r, true);
    print_clist_json(c, r, false);
    print_lineage_json(c, r);
    json_end(&c->out);
}

static void say(struct cli *c, const char *what, struct span text)
{
    buf_printf(&c->out, "%-10s", what);
    out_tame(&c->out, text.p == NULL ? SPAN("-") : text);
    buf_putc(&c->out, '\n');
}

static void inspect_text(struct cli *c, const struct rom *r, const char *hash)
{
    static const struct column columns[] = { { "NAME", false }, { "IS", false }, { "WAS", false } };
    struct table t = { .columns = sizeof columns / sizeof *columns, .column = columns };
    say(c, "rom", span_of(hash));
    say(c, "name", r->name);
    say(c, "engine", r->engine);
    say(c, "bundle", r->bundle_id);
    for (size_t i = 0; i < r->boot_count; i++)
        say(c, "boot", r->boot[i]);
    say(c, "meter", r->metered ? SPAN("yes") : SPAN("no"));
    say(c, "heap", arena_printf(&c->arena, "%.*s, %zu bytes", SPAN_ARG(r->ancestors[0].snapshot),
                                r->heap.n));
    say(c, "vatstore", arena_printf(&c->arena, "%zu keys", r->entry_count));
    buf_putc(&c->out, '\n');
    for (size_t i = 0; i < r->row_count; i++) {
        const struct rom_row *row = &r->rows[i];
        table_cell(&t, row->vref);
        table_cell(&t, !rom_row_is_import(row)  ? SPAN("an export")
                       : rom_row_is_wanted(row) ? SPAN("wanted")
                                                : SPAN("recognized"));
        table_cell(&t, rom_row_is_import(row) ? row->was : SPAN("-"));
    }
    table_print(c, &t);
}

static int inspect(struct cli *c, struct err *e)
{
    struct rom r;
    char hash[SHA256_HEX + 1];
    if (c->operand_count > 2)
        return err_set(e, EXIT_USAGE, "rom inspect takes one FILE");
    if (rom_open(&c->arena, c->operands[1], &r, hash, e) != 0)
        return -1;
    if (c->json)
        inspect_json(c, &r, hash);
    else
        inspect_text(c, &r, hash);
    return 0;
}

/* -- the verb ---------------------------------------------------------------------- */

int verb_rom(struct cli *c, struct err *e)
{
    const char *action = c->operands[0];
    bool loads = strcmp(action, "load") == 0;
    if (!loads && (c->ref_count > 0 || c->value[OPT_NAME] != NULL || c->value[OPT_METER] != NULL))
        return err_set(e, EXIT_USAGE, "--import, --name and --meter are for rom load");
    if (loads)
        return load(c, e);
    if (strcmp(action, "save") == 0)
        return save(c, e);
    if (strcmp(action, "inspect") == 0)
        return inspect(c, e);
    return err_set(e, EXIT_USAGE, "rom %s: give save, load or inspect", action);
}
