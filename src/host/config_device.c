/* config_device.c -- devices of a config.
 *
 * A device is one of upstream's, by its bundle (kernel/device_kind.h); its code is recorded,
 * not run.
 */
#include <stdlib.h>

#include "host/config_order.h"
#include "host/config_reader.h"
#include "kernel/device_kind.h"

static const struct config_key device_keys[] = {
    { "bundle", NULL },
    { "bundleSpec", NULL },
    { "sourceSpec", NULL },
    { "bundleName", NULL },
    { "parameters", NULL },
    { "creationOptions", NULL },
    { NULL, NULL },
};

static const struct config_key option_keys[] = {
    { "unendowed", NULL },
    { "deviceParameters", NULL }, /* overwritten by parameters, but it keeps its place */
    { NULL, NULL },
};

static void put_parameters(struct buf *b, struct place parameters)
{
    buf_puts(b, "\"deviceParameters\":");
    if (config_has(parameters))
        json_put_value(b, parameters.value);
    else
        buf_puts(b, "{}");
}

/* What upstream records: creationOptions, with deviceParameters set in them. */
static int read_options(const struct config_reader *r, struct place device,
                        struct genesis_device *d, struct err *e)
{
    struct place options = config_at(r, device, "creationOptions");
    struct place parameters = config_at(r, device, "parameters");
    struct member *m;
    size_t n;
    bool unendowed = false, put = false;
    if (config_check_keys(r, options, option_keys, e) != 0 ||
        config_bool(r, options, "unendowed", &unendowed, e) != 0 ||
        config_members(r, options, &m, &n, e) != 0)
        return -1;
    struct buf b = { 0 };
    buf_putc(&b, '{');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(&b, ',');
        if (span_is(m[i].key, "unendowed")) {
            buf_puts(&b, unendowed ? "\"unendowed\":true" : "\"unendowed\":false");
        } else {
            put_parameters(&b, parameters);
            put = true;
        }
    }
    if (!put && n > 0)
        buf_putc(&b, ',');
    if (!put)
        put_parameters(&b, parameters);
    buf_putc(&b, '}');
    d->options_json = arena_copy(r->a, buf_span(&b));
    buf_fini(&b);
    return 0;
}

/* Is it a device that is built in, and may it have this name? */
static int check_kind(const struct config_reader *r, struct place at,
                      const struct config_bundle *b, struct genesis_device *d,
                      struct err *e)
{
    struct bundle_info info;
    const char *why;
    if (bundle_check(b->text, false, b->id, r->a, &info, e) != 0)
        return config_while(r, at, e);
    const char *kind = device_kind(&info.entry, &why);
    if (kind == NULL)
        return config_fail(r, at, EXIT_USAGE, e, "%.*s%s%.*s (%.*s) %s",
                           SPAN_ARG(info.entry.package),
                           info.entry.version.p == NULL ? "" : " ",
                           SPAN_ARG(info.entry.version), SPAN_ARG(info.entry.module), why);
    d->kind = span_of(kind);
    if (!kernel_has_device(d->kind))
        return config_fail(r, at, EXIT_USAGE, e,
                           "the %s device is not in this release; remove it", kind);
    if (strcmp(kind, "vatAdmin") == 0 && !span_is(d->name, "vatAdmin"))
        return config_fail(r, at, EXIT_USAGE, e,
                           "the vat-admin device works only by the name of vatAdmin");
    if (span_is(d->name, "vatAdmin") && strcmp(kind, "vatAdmin") != 0)
        return config_fail(r, at, EXIT_USAGE, e, "that is the %s device", kind);
    return 0;
}

static int read_device(struct config_reader *r, const struct member *m, bool added,
                       struct config_bundles *bundles, struct genesis_device *d,
                       struct err *e)
{
    struct config_bundle b;
    if (config_check_name(r, m, "device", e) != 0)
        return -1;
    if (added && span_is(m->key, "vatAdmin"))
        return config_fail(
            r, m->at, EXIT_USAGE, e,
            "this device is added by the system; set \"addVatAdmin\": false to "
            "bring your own");
    *d = (struct genesis_device){ .name = m->key };
    if (config_check_keys(r, m->at, device_keys, e) != 0 ||
        config_read_descriptor(r, m->at, bundles, &b, e) != 0 ||
        check_kind(r, m->at, &b, d, e) != 0)
        return -1;
    d->bundle_id = b.id;
    return read_options(r, m->at, d, e);
}

static int add_vat_admin(const struct config_reader *r, const struct config_options *o,
                         struct config_bundles *bundles, struct genesis_device *d,
                         struct err *e)
{
    *d = (struct genesis_device){ .name = SPAN("vatAdmin"), .kind = SPAN("vatAdmin") };
    return config_system_bundle(r, o->bundles_dir, "sys-vatAdminDevice", bundles,
                                &d->bundle_id, e);
}

static int by_name(const void *a, const void *b)
{
    const struct genesis_device *x = a, *y = b;
    return key_cmp(x->name, y->name);
}

int config_read_devices(struct config_reader *r, struct place root,
                        const struct config_options *o, const struct config_flags *flags,
                        struct config_bundles *bundles, struct genesis *g, struct err *e)
{
    struct member *m;
    size_t n, used = 0;
    bool admin = flags->add_vat_admin;
    if (config_members(r, config_at(r, root, "devices"), &m, &n, e) != 0)
        return -1;
    struct genesis_device *list = ARENA_ARRAY(r->a, struct genesis_device, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (read_device(r, &m[i], flags->add_vat_admin, bundles, &list[used++], e) != 0)
            return -1;
        admin = admin || span_is(m[i].key, "vatAdmin");
    }
    if (!admin)
        return config_fail(
            r, config_at(r, root, "addVatAdmin"), EXIT_USAGE, e,
            "a vat-admin device is required: bring a device \"vatAdmin\", or "
            "remove this");
    if (flags->add_vat_admin && add_vat_admin(r, o, bundles, &list[used++], e) != 0)
        return -1;
    qsort(list, used, sizeof *list, by_name);
    g->devices = list;
    g->device_count = used;
    return 0;
}
