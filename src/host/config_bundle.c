/* config_bundle.c -- the bundles a config names: read, told apart, sorted. */
#include <stdlib.h>

#include "host/config_order.h"
#include "host/config_reader.h"
#include "host/file.h"

/* -- what a bundle is -------------------------------------------------------------- */

static bool is_hex(struct span s, size_t digits)
{
    if (s.n != digits)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return false;
    }
    return true;
}

static const char *wrong_format(struct arena *a, struct span format)
{
    struct span text =
        arena_printf(a,
                     "moduleFormat \"%.*s\" is not supported: a vat's bundle must be "
                     "endoZipBase64 (what bundle-source makes unless told otherwise)",
                     (int)(format.n < 60 ? format.n : 60), format.p);
    return text.p;
}

/* What is wrong with a bundle, or NULL.  out *id. */
static const char *bundle_examine(struct arena *a, struct jval bundle, struct span *id,
                                  enum exit_code *exit)
{
    *exit = EXIT_INCOMPATIBLE;
    if (json_type(bundle) != JSON_OBJECT)
        return "not a bundle: it must be a JSON object";
    struct span format = json_str(json_get(bundle, "moduleFormat"), a);
    if (format.p == NULL)
        return "not a bundle: it has no moduleFormat";
    if (!span_is(format, "endoZipBase64"))
        return wrong_format(a, format);
    struct span hash = json_str(json_get(bundle, "endoZipBase64Sha512"), a);
    if (!is_hex(hash, SHA512_HEX))
        return "bundle without a proper endoZipBase64Sha512; make it again with a current "
               "@endo/bundle-source";
    if (json_type(json_get(bundle, "endoZipBase64")) != JSON_STRING)
        return "bundle without endoZipBase64, its contents";
    *id = arena_printf(a, "b1-%.*s", SPAN_ARG(hash));
    struct jval own = json_get(bundle, "id");
    if (json_type(own) != JSON_NONE && !span_eq(json_str(own, a), *id)) {
        *exit = EXIT_INTEGRITY;
        return "the bundle's id is not that of its endoZipBase64Sha512";
    }
    return NULL;
}

static void bundles_add(const struct config_reader *r, struct config_bundles *all,
                        struct config_bundle b)
{
    for (size_t i = 0; b.name.p == NULL && i < all->count; i++) {
        if (span_eq(all->list[i].id, b.id))
            return;
    }
    if (all->count == all->room) {
        size_t room = all->room == 0 ? 16 : 2 * all->room;
        struct config_bundle *list = ARENA_ARRAY(r->a, struct config_bundle, room);
        if (all->count > 0)
            memcpy(list, all->list, all->count * sizeof *list);
        all->list = list;
        all->room = room;
    }
    all->list[all->count++] = b;
}

/* -- descriptors ------------------------------------------------------------------- */

static int take_inline(const struct config_reader *r, struct place at,
                       struct config_bundle *out, struct err *e)
{
    enum exit_code exit;
    const char *wrong = bundle_examine(r->a, at.value, &out->id, &exit);
    if (wrong != NULL)
        return config_fail(r, at, exit, e, "%s", wrong);
    out->text = json_raw(at.value);
    out->from = arena_printf(r->a, "%s: %.*s", r->file, SPAN_ARG(at.path)).p;
    return 0;
}

static int take_file(const struct config_reader *r, struct place at, struct span spec,
                     struct config_bundle *out, struct err *e)
{
    const char *path = file_module(r->a, r->dir, spec);
    struct jval bundle;
    struct err why;
    path = path != NULL ? path : file_beside(r->a, r->file, spec);
    if (file_read(r->a, path, &out->text, e) != 0)
        return config_while(r, at, e);
    if (json_parse(r->a, out->text, &bundle, &why) != 0)
        return config_fail(r, at, EXIT_INCOMPATIBLE, e, "%s is not a bundle (%s)", path,
                           why.text);
    enum exit_code exit;
    const char *wrong = bundle_examine(r->a, bundle, &out->id, &exit);
    if (wrong != NULL)
        return config_fail(r, at, exit, e, "%s: %s", path, wrong);
    out->from = path;
    return 0;
}

static int take_named(const struct config_reader *r, struct place at, struct span name,
                      const struct config_bundles *all, struct config_bundle *out,
                      struct err *e)
{
    for (size_t i = 0; i < all->named; i++) {
        if (span_eq(all->list[i].name, name)) {
            *out = all->list[i];
            return 0;
        }
    }
    return config_fail(r, at, EXIT_USAGE, e, "no \"%.*s\" in bundles", SPAN_ARG(name));
}

/* Made from source, or kept from when it was. */
static int take_source(struct config_reader *r, struct place at, struct span spec,
                       struct config_bundle *out, struct err *e)
{
    struct bundler_request q = { spec, r->dir, r->dev };
    struct jval bundle;
    enum exit_code exit;
    if (bundler_make(&r->bundler, r->a, &q, &out->text, e) != 0)
        return config_while(r, at, e);
    INVARIANT(json_parse(r->a, out->text, &bundle, e) == 0); /* it was checked */
    INVARIANT(bundle_examine(r->a, bundle, &out->id, &exit) == NULL);
    out->from = file_beside(r->a, r->file, spec);
    return 0;
}

/* Which of the four ways names the bundle. */
static int descriptor_mode(const struct config_reader *r, struct place descriptor,
                           struct place *mode, const char **name, struct err *e)
{
    static const char *const modes[] = { "bundle", "bundleSpec", "sourceSpec",
                                         "bundleName" };
    unsigned found = 0;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct place p = config_at(r, descriptor, modes[i]);
        if (config_has(p)) {
            found++;
            *mode = p;
            *name = modes[i];
        }
    }
    if (found != 1)
        return config_fail(r, descriptor, EXIT_USAGE, e,
                           "needs exactly one of bundle, bundleSpec, sourceSpec, bundleName; "
                           "it has %s",
                           found == 0 ? "none" : "several");
    return 0;
}

static int read_bundle(struct config_reader *r, struct place descriptor,
                       const struct config_bundles *all, struct config_bundle *out,
                       struct err *e)
{
    struct place at;
    const char *mode = "";
    struct span text = SPAN_NONE;
    if (descriptor_mode(r, descriptor, &at, &mode, e) != 0)
        return -1;
    if (strcmp(mode, "bundle") == 0)
        return take_inline(r, at, out, e);
    if (config_string(r, descriptor, mode, &text, e) != 0)
        return -1;
    if (strcmp(mode, "bundleSpec") == 0)
        return take_file(r, at, text, out, e);
    if (strcmp(mode, "bundleName") == 0)
        return take_named(r, at, text, all, out, e);
    return take_source(r, at, text, out, e);
}

int config_read_descriptor(struct config_reader *r, struct place descriptor,
                           struct config_bundles *all, struct config_bundle *out,
                           struct err *e)
{
    struct config_bundle b = { 0 };
    if (read_bundle(r, descriptor, all, &b, e) != 0)
        return -1;
    b.name = SPAN_NONE;
    bundles_add(r, all, b);
    *out = b;
    return 0;
}

static const struct config_key bundle_keys[] = {
    { "bundle", NULL },
    { "bundleSpec", NULL },
    { "sourceSpec", NULL },
    { "bundleName", "a bundle cannot name another one; use bundleSpec" },
    { NULL, NULL },
};

int config_read_named_bundles(struct config_reader *r, struct place bundles,
                              struct config_bundles *all, struct err *e)
{
    struct member *m;
    size_t n;
    if (config_members(r, bundles, &m, &n, e) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct config_bundle b = { 0 };
        if (config_check_keys(r, m[i].at, bundle_keys, e) != 0 ||
            read_bundle(r, m[i].at, all, &b, e) != 0)
            return -1;
        b.name = m[i].key;
        bundles_add(r, all, b);
    }
    all->named = all->count;
    return 0;
}

int config_system_bundle(const struct config_reader *r, const char *dir, const char *name,
                         struct config_bundles *all, struct span *id, struct err *e)
{
    struct config_bundle b = { 0 };
    const char *path = arena_printf(r->a, "%s/%s.json", dir, name).p;
    struct jval bundle;
    if (file_read(r->a, path, &b.text, e) != 0 || json_parse(r->a, b.text, &bundle, e) != 0)
        return err_while(e, "system bundle %s", path);
    enum exit_code exit;
    const char *wrong = bundle_examine(r->a, bundle, &b.id, &exit);
    if (wrong != NULL)
        return err_set(e, exit, "system bundle %s: %s", path, wrong);
    b.from = path;
    bundles_add(r, all, b);
    *id = b.id;
    return 0;
}

/* -- order ------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    const struct config_bundle *x = a, *y = b;
    return utf16_cmp(x->id, y->id);
}

static int by_name(const void *a, const void *b)
{
    const struct config_bundle *x = a, *y = b;
    return key_cmp(x->name, y->name);
}

/* Each bundle once, without a name, by ID; then the named ones, by name. */
static size_t sorted(const struct config_bundles *all, struct config_bundle *out)
{
    size_t n = 0;
    for (size_t i = 0; i < all->count; i++) {
        bool seen = false;
        for (size_t k = 0; k < n && !seen; k++)
            seen = span_eq(out[k].id, all->list[i].id);
        if (seen)
            continue;
        out[n] = all->list[i];
        out[n++].name = SPAN_NONE;
    }
    qsort(out, n, sizeof *out, by_id);
    if (all->named > 0)
        memcpy(out + n, all->list, all->named * sizeof *out);
    qsort(out + n, all->named, sizeof *out, by_name);
    return n + all->named;
}

void config_sort_bundles(const struct config_reader *r, const struct config_bundles *all,
                         struct config *out)
{
    size_t room = all->count + all->named + 1;
    struct config_bundle *list = ARENA_ARRAY(r->a, struct config_bundle, room);
    struct genesis_bundle *bundles = ARENA_ARRAY(r->a, struct genesis_bundle, room);
    const char **from = ARENA_ARRAY(r->a, const char *, room);
    size_t n = sorted(all, list);
    for (size_t i = 0; i < n; i++) {
        bundles[i] = (struct genesis_bundle){ list[i].name, list[i].text };
        from[i] = list[i].from;
    }
    out->genesis.bundles = bundles;
    out->genesis.bundle_count = n;
    out->bundle_from = from;
}
