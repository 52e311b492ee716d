/* verb_store.c -- zygote store export, import, repair, upgrade. */
#include <inttypes.h>

#include "base/log.h"
#include "cli/out.h"
#include "cli/session.h"
#include "kernel/upgrade_store.h"
#include "store/export_dir.h"
#include "store/kv.h"

struct working {
    struct cli *cli;
    struct progress progress;
};

static void on_tick(void *ctx)
{
    struct working *w = ctx;
    w->progress.done++;
    progress_tick(&w->progress);
}

static void begin(struct working *w, struct cli *c, const char *what)
{
    *w = (struct working){ .cli = c };
    progress_begin(&w->progress, c->progress, what, 0);
}

static int open_store(struct cli *c, enum store_mode mode, struct store **s, struct err *e)
{
    struct store_options o = { .any_version = true };
    if (store_open_with(c->dir, mode, &o, s, e) == 0)
        return 0;
    if (e->exit == EXIT_NOT_FOUND)
        c->hint = "say which store with -C";
    return -1;
}

static int mode_asked(struct cli *c, const enum artifact_mode **out, enum artifact_mode *mode,
                      struct err *e)
{
    const char *name = c->value[OPT_ARTIFACTS];
    *out = NULL;
    if (name == NULL)
        return 0;
    if (!artifact_mode_parse(span_of(name), mode))
        return err_set(e, EXIT_USAGE,
                       "--artifacts %s: give operational, replay, archival or debug", name);
    *out = mode;
    return 0;
}

static void print_counts(struct cli *c, const char *did, const char *dir,
                         const struct export_counts *n)
{
    if (!c->json) {
        log_info("%s: %s %" PRIu64 " records and %" PRIu64 " artifacts of %" PRIu64 " bytes",
                 dir, did, n->records, n->artifacts, n->bytes);
        return;
    }
    json_begin(&c->out);
    json_member_u64(&c->out, "records", n->records);
    json_member_u64(&c->out, "artifacts", n->artifacts);
    json_member_u64(&c->out, "bytes", n->bytes);
    json_end(&c->out);
}

/* -- the actions ------------------------------------------------------------------- */

static int run_export(struct cli *c, const char *dir, struct err *e)
{
    struct store *s;
    struct working w;
    struct export_counts n;
    enum artifact_mode mode = ARTIFACTS_OPERATIONAL;
    const enum artifact_mode *asked;
    if (mode_asked(c, &asked, &mode, e) != 0 || open_store(c, STORE_READONLY, &s, e) != 0)
        return -1;
    begin(&w, c, "export");
    int failed = export_dir(s, dir, mode, on_tick, &w, &n, e);
    progress_clear(&w.progress);
    store_close(s);
    if (!failed)
        print_counts(c, "exported", dir, &n);
    return failed;
}

static int run_import(struct cli *c, const char *from, struct err *e)
{
    struct working w;
    struct export_counts n;
    enum artifact_mode mode;
    const enum artifact_mode *asked;
    if (mode_asked(c, &asked, &mode, e) != 0)
        return -1;
    bool there = store_exists(c->dir);
    begin(&w, c, "import");
    int failed = import_dir(from, c->dir, asked, on_tick, &w, &n, e);
    progress_clear(&w.progress);
    if (failed && there)
        c->hint = "say with -C where the new store goes";
    if (!failed)
        print_counts(c, "imported", c->dir, &n);
    return failed;
}

static int run_repair(struct cli *c, const char *from, struct err *e)
{
    struct store *s;
    struct working w;
    uint64_t added;
    if (open_store(c, STORE_OPEN, &s, e) != 0)
        return -1;
    begin(&w, c, "repair");
    int failed = repair_from_dir(s, from, on_tick, &w, &added, e);
    if (!failed)
        failed = store_commit(s, e);
    progress_clear(&w.progress);
    store_close(s);
    if (failed)
        return -1;
    if (c->json) {
        json_begin(&c->out);
        json_member_u64(&c->out, "added", added);
        json_end(&c->out);
    } else {
        log_info("%s: %" PRIu64 " record%s put back", c->dir, added, added == 1 ? "" : "s");
    }
    return 0;
}

/* The events that the upgrade queued are for the kernel to take up. */
static int inject_events(struct cli *c, struct err *e)
{
    struct session s;
    if (session_open(&s, c, CONTROLLER_WRITE, e) != 0)
        return -1;
    kernel_inject_upgrade_events(s.kernel);
    int failed = controller_commit(s.controller, e);
    session_close(&s);
    return failed;
}

static int run_upgrade(struct cli *c, struct err *e)
{
    struct store *s;
    bool modified;
    if (open_store(c, STORE_OPEN, &s, e) != 0)
        return -1;
    int failed = kernel_upgrade_store(s, &modified, e);
    bool waiting = false;
    if (!failed) {
        waiting = kv_get(s, SPAN("upgradeEvents"), NULL);
        failed = store_commit(s, e);
    }
    store_close(s);
    if (failed)
        return err_while(e, "%s", c->dir);
    if (waiting && inject_events(c, e) != 0)
        return err_while(e, "upgraded, but its notifications wait still");
    if (c->json) {
        json_begin(&c->out);
        json_member_bool(&c->out, "modified", modified);
        json_end(&c->out);
    } else {
        log_info("%s: %s", c->dir, modified ? "upgraded" : "up to date already");
    }
    return 0;
}

int verb_store(struct cli *c, struct err *e)
{
    static const struct {
        const char *name;
        int (*run)(struct cli *c, const char *dir, struct err *e);
    } actions[] = { { "export", run_export }, { "import", run_import },
                    { "repair", run_repair } };
    const char *action = c->operands[0];
    bool has_dir = c->operand_count == 2;
    if (strcmp(action, "upgrade") == 0)
        return has_dir ? err_set(e, EXIT_USAGE, "store upgrade takes no directory")
                       : run_upgrade(c, e);
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(action, actions[i].name) != 0)
            continue;
        return has_dir ? actions[i].run(c, c->operands[1], e)
                       : err_set(e, EXIT_USAGE, "store %s: which directory?", action);
    }
    return err_set(e, EXIT_USAGE, "store %s: give export, import, repair or upgrade", action);
}
