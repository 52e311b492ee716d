/* config.c -- a SwingSet config file, turned into what the kernel starts from. */
#include "host/config.h"

#include "host/basedir.h"
#include "host/config_reader.h"
#include "host/file.h"

static const struct config_key root_keys[] = {
    { "addComms", NULL },
    { "addTimer", NULL },
    { "addVatAdmin", NULL },
    { "addVattp", NULL },
    { "bootstrap", NULL },
    { "bootstrapArgs", NULL },
    { "bundleCachePath", NULL },
    { "bundleFormat", NULL },
    { "bundles", NULL },
    { "defaultManagerType", NULL },
    { "defaultReapGCKrefs", NULL },
    { "defaultReapInterval", NULL },
    { "devices", NULL },
    { "includeDevDependencies", NULL },
    { "keepSnapshots", NULL },
    { "keepTranscripts", NULL },
    { "limits", NULL },
    { "pinBootstrapRoot", NULL },
    { "relaxDurabilityRules", NULL },
    { "snapshotInitial", NULL },
    { "snapshotInterval", NULL },
    { "vats", NULL },
    { "zygotes", NULL },
    { "maxVatsOnline", "it stands in limits: \"limits\": { \"maxVatsOnline\": 50 }" },
    { "daemon", "not in this release; remove it" },
    { "grants", "not in this release; remove it" },
    { "cluster", "not in this release; remove it" },
    { "coreProposals", "belongs to Agoric's cosmic-swingset; remove it" },
    { "exportStorageSubtrees", "belongs to Agoric's cosmic-swingset; remove it" },
    { NULL, NULL },
};

static const struct config_key limit_keys[] = {
    { "maxVatsOnline", NULL },
    { "maxVats", NULL },
    { "maxForks", "it is said of each vat: createVat(cap, { maxForks: 3 })" },
    { NULL, NULL },
};

/* How sources are bundled.  A format that no vat could be loaded from is refused. */
static int read_bundling(struct config_reader *r, struct place root, struct err *e)
{
    struct span format = SPAN_NONE, cache = SPAN_NONE;
    if (config_bool(r, root, "includeDevDependencies", &r->dev, e) != 0 ||
        config_string(r, root, "bundleFormat", &format, e) != 0 ||
        config_string(r, root, "bundleCachePath", &cache, e) != 0)
        return -1;
    if (format.p != NULL && !span_is(format, "endoZipBase64"))
        return config_fail(
            r, config_at(r, root, "bundleFormat"), EXIT_INCOMPATIBLE, e,
            "\"%.*s\" is not supported: a vat's bundle must be endoZipBase64",
            SPAN_ARG(format));
    /* As upstream has it, from where the program runs. */
    bundler_init(&r->bundler, r->a, cache.p == NULL ? NULL : arena_copy(r->a, cache).p);
    return 0;
}

static int read_flags(const struct config_reader *r, struct place root,
                      struct config_flags *f, struct err *e)
{
    *f = (struct config_flags){ .zygotes = true, .add_vat_admin = true };
    if (config_bool(r, root, "zygotes", &f->zygotes, e) != 0 ||
        config_bool(r, root, "addVatAdmin", &f->add_vat_admin, e) != 0 ||
        config_bool(r, root, "addComms", &f->add_comms, e) != 0 ||
        config_bool(r, root, "addVattp", &f->add_vattp, e) != 0 ||
        config_bool(r, root, "addTimer", &f->add_timer, e) != 0)
        return -1;
    return 0;
}

static int read_numbers(const struct config_reader *r, struct place root, struct genesis *g,
                        struct err *e)
{
    g->default_reap_interval = REAP_DEFAULT;
    g->default_reap_gc_krefs = REAP_DEFAULT;
    g->snapshot_initial = -1;
    g->snapshot_interval = -1;
    if (config_reap(r, root, "defaultReapInterval", &g->default_reap_interval, e) != 0 ||
        config_reap(r, root, "defaultReapGCKrefs", &g->default_reap_gc_krefs, e) != 0 ||
        config_count(r, root, "snapshotInitial", 1, &g->snapshot_initial, e) != 0 ||
        config_count(r, root, "snapshotInterval", 1, &g->snapshot_interval, e) != 0)
        return -1;
    return 0;
}

static int read_limits(const struct config_reader *r, struct place root, struct config *out,
                       struct err *e)
{
    struct place limits = config_at(r, root, "limits");
    int64_t online = 0, vats = 0;
    if (config_check_keys(r, limits, limit_keys, e) != 0 ||
        config_count(r, limits, "maxVatsOnline", 1, &online, e) != 0 ||
        config_count(r, limits, "maxVats", 1, &vats, e) != 0)
        return -1;
    out->vats_online_max = (uint64_t)online;
    out->genesis.max_vats = (uint64_t)vats;
    return 0;
}

/* A store like upstream's to the byte has no such limit; and one that its own vats exceed
 * would never make another. */
static int check_max_vats(const struct config_reader *r, struct place root,
                          const struct genesis *g, struct err *e)
{
    struct place p = config_at(r, config_at(r, root, "limits"), "maxVats");
    if (g->max_vats > 0 && !g->zygotes)
        return config_fail(r, p, EXIT_USAGE, e,
                           "is for stores whose vats can be forked; remove it, or \"zygotes\": false");
    if (g->max_vats > 0 && g->max_vats < g->vat_count)
        return config_fail(r, p, EXIT_USAGE, e, "is too few: the config itself has %zu vats",
                           g->vat_count);
    return 0;
}

/* Upstream's hosts say these when they open the store. */
static int read_retention(const struct config_reader *r, struct place root,
                          struct config *out, struct err *e)
{
    bool keep_transcripts = true;
    if (config_bool(r, root, "keepTranscripts", &keep_transcripts, e) != 0 ||
        config_bool(r, root, "keepSnapshots", &out->keep_snapshots, e) != 0)
        return -1;
    out->prune_transcripts = !keep_transcripts;
    return 0;
}

/* What a worker evaluates before any vat. */
static int read_boot(const struct config_reader *r, const struct config_options *o,
                     struct genesis *g, struct err *e)
{
    static const char *const names[] = { "lockdown", "supervisor" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *path = arena_printf(r->a, "%s/%s.json", o->bundles_dir, names[i]).p;
        if (file_read(r->a, path, &g->boot[i], e) != 0)
            return err_while(e, "system bundle %s", names[i]);
    }
    g->boot_count = sizeof names / sizeof names[0];
    return 0;
}

static int check_arguments(const struct config_reader *r, struct place root, struct err *e)
{
    struct place p = config_at(r, root, "bootstrapArgs");
    if (config_has(p) && json_type(p.value) != JSON_ARRAY)
        return config_fail(r, p, EXIT_USAGE, e, "must be an array");
    return 0;
}

static int read_root(struct config_reader *r, struct place root,
                     const struct config_options *o, struct config *out, struct err *e)
{
    struct genesis *g = &out->genesis;
    struct config_flags flags;
    struct config_bundles bundles = { 0 };
    if (config_check_keys(r, root, root_keys, e) != 0 || read_bundling(r, root, e) != 0 ||
        read_flags(r, root, &flags, e) != 0 || read_numbers(r, root, g, e) != 0 ||
        read_limits(r, root, out, e) != 0 || read_retention(r, root, out, e) != 0 ||
        check_arguments(r, root, e) != 0 ||
        config_manager_type(r, root, "defaultManagerType", e) != 0 ||
        config_string(r, root, "bootstrap", &g->bootstrap, e) != 0 ||
        config_bool(r, root, "pinBootstrapRoot", &g->pin_bootstrap_root, e) != 0 ||
        config_bool(r, root, "relaxDurabilityRules", &g->relax_durability_rules, e) != 0)
        return -1;
    g->default_manager_type = SPAN("xsnap");
    g->zygotes = flags.zygotes;
    if (config_read_named_bundles(r, config_at(r, root, "bundles"), &bundles, e) != 0 ||
        config_read_vats(r, root, o, &flags, &bundles, g, e) != 0 ||
        check_max_vats(r, root, g, e) != 0 ||
        config_read_devices(r, root, o, &flags, &bundles, g, e) != 0 ||
        read_boot(r, o, g, e) != 0)
        return -1;
    config_sort_bundles(r, &bundles, out);
    return 0;
}

int config_text(struct arena *a, const char *path, struct span *out, struct err *e)
{
    return basedir_is(path) ? basedir_config(a, path, out, e) : file_read(a, path, out, e);
}

int config_load(struct arena *a, const char *path, const struct config_options *o,
                struct config *out, struct err *e)
{
    struct config_reader r = { .a = a, .file = path, .bundler = { .fd = -1, .err_fd = -1 } };
    struct config c = { 0 };
    struct span text;
    struct jval root;
    const char *inside = basedir_is(path) ? file_join(a, path, "") : path;
    if (config_text(a, path, &text, e) != 0 || file_folder(a, inside, &r.dir, e) != 0)
        return err_while(e, "config");
    r.file = inside;
    sha256_hex(text, c.hash);
    char *blanked = (char *)arena_copy(a, text).p;
    config_blank_comments(blanked, text.n);
    r.text = (struct span){ blanked, text.n };
    if (json_parse(a, r.text, &root, e) != 0)
        return err_while(e, "%s", path);
    struct place top = { root, SPAN("") };
    if (json_type(root) != JSON_OBJECT)
        return config_fail(&r, top, EXIT_USAGE, e, "a config must be a JSON object");
    int failed = read_root(&r, top, o, &c, e);
    bundler_fini(&r.bundler);
    if (!failed)
        *out = c;
    return failed;
}
