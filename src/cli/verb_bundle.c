/* verb_bundle.c -- zygote bundle: what a bundle is, where it comes from, where it goes. */
#include <stdlib.h>

#include "base/log.h"
#include "cli/out.h"
#include "cli/session.h"
#include "host/bundler.h"
#include "host/file.h"
#include "store/bundle.h"

/* The bundle that the second operand names, checked; the third is what its ID should be. */
static int read_checked(struct cli *c, struct span *text, struct bundle_info *info,
                        struct err *e)
{
    struct span alleged = c->operand_count > 2 ? span_of(c->operands[2]) : SPAN_NONE;
    if (file_read(&c->arena, c->operands[1], text, e) != 0)
        return -1;
    if (bundle_check(*text, true, alleged, &c->arena, info, e) != 0)
        return err_while(e, "%s", c->operands[1]);
    return 0;
}

static void put_info(struct cli *c, const struct bundle_info *info)
{
    json_member_str(&c->out, "bundleID", info->id);
    json_member_u64(&c->out, "bytes", info->zip_bytes);
    json_member_str(&c->out, "package", info->entry.package);
    json_member_str(&c->out, "version", info->entry.version);
    json_member_str(&c->out, "entry", info->entry.module);
}

static void put_id(struct cli *c, struct span id)
{
    buf_put(&c->out, id);
    buf_putc(&c->out, '\n');
}

/* -- check ------------------------------------------------------------------------- */

static int check(struct cli *c, struct err *e)
{
    struct span text;
    struct bundle_info info;
    if (read_checked(c, &text, &info, e) != 0)
        return -1;
    if (!c->json) {
        put_id(c, info.id);
        return 0;
    }
    json_begin(&c->out);
    put_info(c, &info);
    json_end(&c->out);
    return 0;
}

/* -- inspect ----------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const struct bundle_module *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return span_cmp(x->file, y->file);
}

static void print_modules(struct cli *c, const struct bundle_module *list, size_t n)
{
    static const struct column columns[] = { { "BYTES", true },
                                             { "PARSER", false },
                                             { "MODULE", false } };
    struct table t = { .columns = sizeof columns / sizeof *columns, .column = columns };
    for (size_t i = 0; i < n; i++) {
        table_number(&t, &c->arena, list[i].bytes);
        table_cell(&t, list[i].parser);
        table_cell(&t, list[i].file);
    }
    table_print(c, &t);
}

static void put_modules(struct cli *c, const struct bundle_info *info,
                        const struct bundle_module *list)
{
    json_begin(&c->out);
    put_info(c, info);
    json_key(&c->out, "modules");
    buf_putc(&c->out, '[');
    for (size_t i = 0; i < info->module_count; i++) {
        buf_puts(&c->out, i == 0 ? "{" : ",{");
        json_member_str(&c->out, "module", list[i].file);
        json_member_str(&c->out, "parser", list[i].parser);
        json_member_u64(&c->out, "bytes", list[i].bytes);
        buf_putc(&c->out, '}');
    }
    buf_putc(&c->out, ']');
    json_end(&c->out);
}

static int inspect(struct cli *c, struct err *e)
{
    struct span text;
    struct bundle_info info;
    if (read_checked(c, &text, &info, e) != 0)
        return -1;
    struct bundle_module *list =
        ARENA_ARRAY(&c->arena, struct bundle_module, info.module_count + 1);
    if (info.module_count > 0)
        memcpy(list, info.modules, info.module_count * sizeof *list);
    qsort(list, info.module_count, sizeof *list, by_size);
    if (c->json) {
        put_modules(c, &info, list);
        return 0;
    }
    log_info("%.*s", SPAN_ARG(info.id));
    log_info("%.*s %.*s, %.*s: %zu modules, %zu bytes", SPAN_ARG(info.entry.package),
             SPAN_ARG(info.entry.version), SPAN_ARG(info.entry.module), info.module_count,
             info.zip_bytes);
    print_modules(c, list, info.module_count);
    return 0;
}

/* -- install ----------------------------------------------------------------------- */

static int install(struct cli *c, struct err *e)
{
    struct span text, id;
    struct bundle_info info;
    struct session s;
    if (read_checked(c, &text, &info, e) != 0 ||
        session_open(&s, c, CONTROLLER_WRITE, e) != 0)
        return -1;
    bool had = bundle_has(controller_store(s.controller), info.id);
    int failed =
        kernel_install_bundle(s.kernel, &c->arena, text, info.id, &id, e) != 0 ||
        controller_commit(s.controller, e) != 0;
    session_close(&s);
    if (failed)
        return -1;
    if (had)
        log_info("it was there already");
    if (c->json) {
        json_begin(&c->out);
        put_info(c, &info);
        json_member_bool(&c->out, "installed", !had);
        json_end(&c->out);
    } else {
        put_id(c, id);
    }
    return 0;
}

/* -- make -------------------------------------------------------------------------- */

static int bundle(struct cli *c, struct span *text, struct err *e)
{
    struct bundler b;
    struct bundler_request q = { .spec = span_of(c->operands[1]),
                                 .dev = c->value[OPT_DEV] != NULL };
    if (file_folder(&c->arena, "", &q.from, e) != 0)
        return -1;
    bundler_init(&b, &c->arena, NULL);
    int failed = bundler_make(&b, &c->arena, &q, text, e);
    bundler_fini(&b);
    return failed;
}

static int make(struct cli *c, struct err *e)
{
    struct span text;
    struct bundle_info info;
    const char *output = c->value[OPT_OUTPUT];
    if (bundle(c, &text, e) != 0 ||
        bundle_check(text, true, SPAN_NONE, &c->arena, &info, e) != 0)
        return -1;
    if (output == NULL) {
        put_id(c, text);
        return 0;
    }
    if (file_write(&c->arena, output, text, e) != 0)
        return -1;
    if (c->json) {
        json_begin(&c->out);
        put_info(c, &info);
        json_end(&c->out);
    } else {
        put_id(c, info.id);
    }
    return 0;
}

/* -- the verb ---------------------------------------------------------------------- */

int verb_bundle(struct cli *c, struct err *e)
{
    static const struct {
        const char *name;
        size_t most;
        int (*run)(struct cli *c, struct err *e);
    } actions[] = {
        { "check", 3, check }, { "inspect", 3, inspect }, { "install", 3, install }, { "make", 2, make },
    };
    c->hint = "zygote help bundle";
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(c->operands[0], actions[i].name) != 0)
            continue;
        if (c->operand_count > actions[i].most)
            return err_set(e, EXIT_USAGE, "bundle %s: too many arguments", actions[i].name);
        if (actions[i].run != make &&
            (c->value[OPT_OUTPUT] != NULL || c->value[OPT_DEV] != NULL))
            return err_set(e, EXIT_USAGE, "bundle %s: --output and --dev are for make",
                           actions[i].name);
        c->hint = NULL;
        return actions[i].run(c, e);
    }
    return err_set(e, EXIT_USAGE, "bundle %s: it can check, inspect, install and make",
                   c->operands[0]);
}
