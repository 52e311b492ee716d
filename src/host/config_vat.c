/* config_vat.c -- vats and devices of a config. */
#include <inttypes.h>
#include <stdlib.h>

#include "host/config_order.h"
#include "host/config_reader.h"

#define NOT_XS "is what a vat in an XS worker cannot have"

static const struct config_key vat_keys[] = {
    { "bundle", NULL },
    { "bundleSpec", NULL },
    { "sourceSpec", NULL },
    { "bundleName", NULL },
    { "parameters", NULL },
    { "creationOptions", NULL },
    { "setup", "setup() " NOT_XS "; export buildRootObject() from its module" },
    { "bundleID", "not understood; use bundle, bundleSpec or bundleName" },
    { "bundleHash", "not understood; use bundle, bundleSpec or bundleName" },
    { NULL, NULL },
};

static const struct config_key option_keys[] = {
    { "critical", NULL },
    { "enablePipelining", NULL },
    { "enableDisavow", NULL },
    { "enableSetup", NULL },
    { "managerType", NULL },
    { "neverReap", NULL },
    { "reapGCKrefs", NULL },
    { "reapInterval", NULL },
    { "useTranscript", NULL },
    { "nodeOptions", "only node-subprocess workers take it, and vats here are XS workers; "
                     "remove it" },
    { "metered", "static vats are not metered; create the vat through vatAdminService" },
    { "meter", "static vats are not metered; create the vat through vatAdminService" },
    { "name", "a static vat's name is its key in vats" },
    { "vatParameters",
      "a static vat's parameters stand in \"parameters\", beside creationOptions" },
    { "virtualObjectCacheSize", "it does not exist any more; remove it" },
    { NULL, NULL },
};

int config_manager_type(const struct config_reader *r, struct place object, const char *key,
                        struct err *e)
{
    struct span type = SPAN_NONE;
    if (config_string(r, object, key, &type, e) != 0)
        return -1;
    if (type.p == NULL || span_is(type, "xs-worker") || span_is(type, "xsnap"))
        return 0;
    struct place p = config_at(r, object, key);
    if (span_is(type, "local") || span_is(type, "node-subprocess"))
        return config_fail(
            r, p, EXIT_USAGE, e,
            "\"%.*s\" needs Node: vats here are XS workers; use \"xs-worker\"",
            SPAN_ARG(type));
    return config_fail(r, p, EXIT_USAGE, e, "unknown manager type; use \"xs-worker\"");
}

/* Options that say something only in their other value. */
static int read_fixed(const struct config_reader *r, struct place options, struct err *e)
{
    bool setup = false, transcript = true;
    if (config_bool(r, options, "enableSetup", &setup, e) != 0 ||
        config_bool(r, options, "useTranscript", &transcript, e) != 0)
        return -1;
    if (setup)
        return config_fail(r, config_at(r, options, "enableSetup"), EXIT_USAGE, e,
                           "setup() " NOT_XS "; remove it");
    if (!transcript)
        return config_fail(r, config_at(r, options, "useTranscript"), EXIT_USAGE, e,
                           "a vat in an XS worker always has a transcript; remove it");
    return config_manager_type(r, options, "managerType", e);
}

static int read_options(const struct config_reader *r, struct place vat,
                        struct genesis_vat *v, struct err *e)
{
    struct place options = config_at(r, vat, "creationOptions");
    if (config_check_keys(r, options, option_keys, e) != 0 ||
        read_fixed(r, options, e) != 0 ||
        config_bool(r, options, "critical", &v->critical, e) != 0 ||
        config_bool(r, options, "enablePipelining", &v->enable_pipelining, e) != 0 ||
        config_bool(r, options, "enableDisavow", &v->enable_disavow, e) != 0 ||
        config_bool(r, options, "neverReap", &v->never_reap, e) != 0 ||
        config_reap(r, options, "reapInterval", &v->reap_interval, e) != 0 ||
        config_reap(r, options, "reapGCKrefs", &v->reap_gc_krefs, e) != 0)
        return -1;
    return 0;
}

/* -- parameters -------------------------------------------------------------------- */

/* What the command line gives, else the config's bootstrapArgs, else []. */
static const struct pass *argv_pass(const struct config_reader *r, struct place root,
                                    const struct config_options *o)
{
    struct arena *a = r->a;
    struct place given = config_at(r, root, "bootstrapArgs");
    if (o->argc == 0 && config_has(given))
        return pass_from_json(a, given.value);
    const struct pass **items = ARENA_ARRAY(a, const struct pass *, o->argc + 1);
    for (size_t i = 0; i < o->argc; i++)
        items[i] = pass_string(a, span_of(o->argv[i]));
    return pass_array(a, o->argc, items);
}

/* The bootstrap vat's parameters: upstream's `parameters.argv = bootstrapArgs`. */
static const struct pass *with_argv(struct arena *a, const struct pass *given,
                                    const struct pass *argv)
{
    size_t n = given == NULL ? 0 : given->count, used = 0;
    struct span *keys = ARENA_ARRAY(a, struct span, n + 1);
    const struct pass **values = ARENA_ARRAY(a, const struct pass *, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (span_is(given->keys[i], "argv"))
            continue;
        keys[used] = given->keys[i];
        values[used++] = given->items[i];
    }
    keys[used] = SPAN("argv");
    values[used++] = argv;
    return pass_record(a, used, keys, values);
}

/* `argv` is NULL for vats that are not bootstrap. */
static int read_parameters(const struct config_reader *r, struct place vat,
                           const struct pass *argv, struct genesis_vat *v, struct err *e)
{
    struct place p = config_at(r, vat, "parameters");
    enum json_type type = json_type(p.value);
    if (type != JSON_NONE && type != JSON_NULL && type != JSON_OBJECT)
        return config_fail(r, p, EXIT_USAGE, e, "must be an object");
    const struct pass *given = type == JSON_OBJECT ? pass_from_json(r->a, p.value) : NULL;
    v->parameters = argv != NULL ? with_argv(r->a, given, argv) : given;
    return 0;
}

/* -- vats -------------------------------------------------------------------------- */

struct system_vat {
    const char *name, *flag, *bundle;
    bool add;
};

enum { SYSTEM_COMMS = 1, SYSTEM_VATS = 4 };

static void system_vats(const struct config_flags *f, struct system_vat out[SYSTEM_VATS])
{
    out[0] =
        (struct system_vat){ "vatAdmin", "addVatAdmin",
                             f->zygotes ? "vat-admin" : "sys-vatAdmin", f->add_vat_admin };
    out[1] = (struct system_vat){ "comms", "addComms", "sys-comms", f->add_comms };
    out[2] = (struct system_vat){ "vattp", "addVattp", "sys-vattp", f->add_vattp };
    out[3] = (struct system_vat){ "timer", "addTimer", "sys-timer", f->add_timer };
}

static struct genesis_vat plain_vat(struct span name)
{
    return (struct genesis_vat){ .name = name,
                                 .reap_interval = REAP_DEFAULT,
                                 .reap_gc_krefs = REAP_DEFAULT };
}

static int check_vat_name(const struct config_reader *r, const struct member *m,
                          const struct system_vat *system, struct err *e)
{
    if (config_check_name(r, m, "vat", e) != 0)
        return -1;
    for (size_t i = 0; i < SYSTEM_VATS; i++) {
        if (system[i].add && span_is(m->key, system[i].name))
            return config_fail(
                r, m->at, EXIT_USAGE, e,
                "this vat is added by the system; set \"%s\": false to bring your "
                "own",
                system[i].flag);
    }
    return 0;
}

static int read_vat(struct config_reader *r, const struct member *m,
                    const struct pass *argv, struct config_bundles *bundles,
                    struct genesis_vat *v, struct err *e)
{
    struct config_bundle b;
    *v = plain_vat(m->key);
    if (config_check_keys(r, m->at, vat_keys, e) != 0 ||
        config_read_descriptor(r, m->at, bundles, &b, e) != 0)
        return -1;
    v->bundle_id = b.id;
    if (read_parameters(r, m->at, argv, v, e) != 0 || read_options(r, m->at, v, e) != 0)
        return -1;
    return 0;
}

struct vat_at { /* what is sorted */
    struct genesis_vat vat;
    const struct span *firsts;
};

static int by_vat_order(const void *a, const void *b)
{
    const struct vat_at *x = a, *y = b;
    return key_cmp_after(x->vat.name, y->vat.name, 1 + SYSTEM_VATS, x->firsts);
}

static void sort_vats(const struct config_reader *r, struct vat_at *list, size_t n,
                      struct genesis *g)
{
    struct span firsts[1 + SYSTEM_VATS] = { g->bootstrap, SPAN("vatAdmin"), SPAN("comms"),
                                            SPAN("vattp"), SPAN("timer") };
    struct genesis_vat *out = ARENA_ARRAY(r->a, struct genesis_vat, n + 1);
    for (size_t i = 0; i < n; i++)
        list[i].firsts = firsts;
    qsort(list, n, sizeof *list, by_vat_order);
    for (size_t i = 0; i < n; i++)
        out[i] = list[i].vat;
    g->vats = out;
    g->vat_count = n;
}

/* A bootstrap vat is named, is there, and there is a vat-admin vat. */
static int check_vats(const struct config_reader *r, struct place root,
                      const struct vat_at *list, size_t n, const struct genesis *g,
                      struct err *e)
{
    bool bootstrap = false, admin = false;
    for (size_t i = 0; i < n; i++) {
        bootstrap = bootstrap || span_eq(list[i].vat.name, g->bootstrap);
        admin = admin || span_is(list[i].vat.name, "vatAdmin");
    }
    if (g->bootstrap.p == NULL)
        return config_fail(r, root, EXIT_USAGE, e,
                           "no \"bootstrap\": name the vat that gets the first message");
    if (!bootstrap)
        return config_fail(r, config_at(r, root, "bootstrap"), EXIT_USAGE, e,
                           "no \"%.*s\" in vats", SPAN_ARG(g->bootstrap));
    if (!admin)
        return config_fail(
            r, config_at(r, root, "addVatAdmin"), EXIT_USAGE, e,
            "a vat-admin vat is required: bring a vat \"vatAdmin\", or remove this");
    return 0;
}

int config_read_vats(struct config_reader *r, struct place root,
                     const struct config_options *o, const struct config_flags *flags,
                     struct config_bundles *bundles, struct genesis *g, struct err *e)
{
    struct system_vat system[SYSTEM_VATS];
    struct member *m;
    size_t n, used = 0;
    system_vats(flags, system);
    if (config_members(r, config_at(r, root, "vats"), &m, &n, e) != 0)
        return -1;
    struct vat_at *list = ARENA_ARRAY(r->a, struct vat_at, n + SYSTEM_VATS);
    for (size_t i = 0; i < n; i++) {
        const struct pass *argv =
            span_eq(m[i].key, g->bootstrap) ? argv_pass(r, root, o) : NULL;
        if (check_vat_name(r, &m[i], system, e) != 0 ||
            read_vat(r, &m[i], argv, bundles, &list[used++].vat, e) != 0)
            return -1;
    }
    for (size_t i = 0; i < SYSTEM_VATS; i++) {
        if (!system[i].add)
            continue;
        struct genesis_vat *v = &list[used++].vat;
        *v = plain_vat(span_of(system[i].name));
        v->comms = v->never_reap = v->enable_pipelining = i == SYSTEM_COMMS;
        if (config_system_bundle(r, o->bundles_dir, system[i].bundle, bundles,
                                 &v->bundle_id, e))
            return -1;
    }
    if (check_vats(r, root, list, used, g, e) != 0)
        return -1;
    sort_vats(r, list, used, g);
    return 0;
}
