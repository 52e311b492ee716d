/* api_vats.c -- zygote.h: what a host does to vats, and forks. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "host/api.h"

_Static_assert(sizeof((struct zygote_bundle_id *)0)->text > 3 + 128, "\"b1-\" and a SHA-512");

/* -- by name ----------------------------------------------------------------------- */

static int need(struct zygote *z, const char *what, const char *text)
{
    return text != NULL ? 0 : err_set(&z->err, EXIT_USAGE, "no %s", what);
}

static int find_vat(struct zygote *z, const char *vat, vat_id *out)
{
    return need(z, "vat", vat) != 0 ? -1
                                    : controller_find_vat(z->controller, vat, out, &z->err);
}

int zygote_vat_name_to_id(struct zygote *z, const char *name, struct zygote_id *vat)
{
    vat_id id;
    if (!api_enter(z, API_LOOK))
        return api_refused(z);
    int failed = find_vat(z, name, &id);
    if (!failed)
        *vat = api_id(vat_id_text(id));
    return api_leave(z, failed);
}

static int find_device(struct zygote *z, const char *name, device_id *out)
{
    if (need(z, "device", name) != 0)
        return -1;
    return kernel_find_device(z->kernel, span_of(name), out)
               ? 0
               : err_set(&z->err, EXIT_NOT_FOUND, "there is no device %s", name);
}

int zygote_device_name_to_id(struct zygote *z, const char *name, struct zygote_id *device)
{
    device_id id;
    if (!api_enter(z, API_LOOK))
        return api_refused(z);
    int failed = find_device(z, name, &id);
    if (!failed)
        *device = api_id(device_id_text(id));
    return api_leave(z, failed);
}

/* -- one vat ----------------------------------------------------------------------- */

int zygote_pin_vat_root(struct zygote *z, const char *vat, struct zygote_id *root)
{
    kref r;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = need(z, "vat", vat) != 0 ||
                 kernel_pin_root(z->kernel, span_of(vat), &r, &z->err) != 0;
    if (!failed)
        api_put_kref(root, r);
    return api_leave(z, failed);
}

/* Both must be right before anything is done. */
static int read_reason(struct zygote *z, const struct zygote_capdata *d, struct capdata *out)
{
    const struct pass *ignored;
    const char *why;
    if (d == NULL || d->body == NULL)
        return err_set(&z->err, EXIT_USAGE, "no reason");
    *out = (struct capdata){ { d->body, d->body_length }, d->slot_count, NULL };
    if (d->slot_count > 0)
        return 0; /* the kernel refuses it */
    return marshal_decode_k(&z->arena, out, &ignored, &why)
               ? 0
               : err_set(&z->err, EXIT_USAGE, "a reason that does not decode: %s", why);
}

static int terminate(struct zygote *z, const char *vat, const struct zygote_capdata *reason)
{
    vat_id id;
    struct capdata data;
    if (vat == NULL || !vat_id_parse(span_of(vat), &id))
        return err_set(&z->err, EXIT_NOT_FOUND, "\"%s\" is no ID of a vat",
                       vat == NULL ? "" : vat);
    return read_reason(z, reason, &data) != 0
               ? -1
               : kernel_terminate(z->kernel, id, &data, &z->err);
}

int zygote_terminate_vat(struct zygote *z, const char *vat,
                         const struct zygote_capdata *reason)
{
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = terminate(z, vat, reason);
    /* A panic outside of a crank: there is nothing that could undo its half of the work. */
    z->spoiled = failed && z->err.exit == EXIT_VAT;
    return z->spoiled ? api_leave_run(z, failed) : api_leave(z, failed);
}

static int upgrade(struct zygote *z, const char *vat, bool pause_first, const char *bundle_id,
                   const char *options, kref *result)
{
    const struct pass *record = NULL;
    if (need(z, "vat", vat) != 0 || need(z, "bundle ID", bundle_id) != 0 ||
        (options != NULL && api_value(z, "options", options, &record) != 0))
        return -1;
    if (record != NULL && record->style != PASS_RECORD)
        return err_set(&z->err, EXIT_USAGE, "options: not a JSON object");
    return kernel_upgrade_static(z->kernel, span_of(vat), pause_first, span_of(bundle_id),
                                 record, result, &z->err);
}

int zygote_upgrade_static_vat(struct zygote *z, const char *vat, bool pause_first,
                              const char *bundle_id, const char *options,
                              struct zygote_id *kpid)
{
    kref result;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = upgrade(z, vat, pause_first, bundle_id, options, &result);
    if (!failed)
        api_put_kref(kpid, result);
    return api_leave(z, failed);
}

int zygote_validate_and_install_bundle(struct zygote *z, const char *json, size_t length,
                                       const char *alleged, struct zygote_bundle_id *id)
{
    struct span installed;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = need(z, "bundle", json) != 0 ||
                 kernel_install_bundle(z->kernel, &z->arena, (struct span){ json, length },
                                       api_span(alleged), &installed, &z->err) != 0;
    if (!failed) {
        *id = (struct zygote_bundle_id){ "" };
        INVARIANT(installed.n < sizeof id->text);
        memcpy(id->text, installed.p, installed.n);
    }
    return api_leave(z, failed);
}

/* -- all vats ---------------------------------------------------------------------- */

static int read_positions(struct zygote *z, const struct zygote_position *given, size_t count,
                          struct vat_position **out)
{
    *out = ARENA_ARRAY(&z->arena, struct vat_position, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct span text = { given[i].vat.text, strnlen(given[i].vat.text, ID_TEXT_MAX) };
        if (!vat_id_parse(text, &(*out)[i].vat))
            return err_set(&z->err, EXIT_USAGE, "position %zu: not an ID of a vat", i);
        (*out)[i].end = given[i].position;
    }
    return 0;
}

static struct zygote_position *positions_of(const struct vat_position *all, size_t count)
{
    struct zygote_position *out = xcalloc(count + 1, sizeof *out);
    for (size_t i = 0; i < count; i++)
        out[i] = (struct zygote_position){ api_id(vat_id_text(all[i].vat)), all[i].end };
    return out;
}

int zygote_reap_all_vats(struct zygote *z, const struct zygote_position *before,
                         size_t before_count, struct zygote_position **after,
                         size_t *after_count)
{
    struct vat_position *was, *is;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = read_positions(z, before, before != NULL ? before_count : 0, &was);
    if (!failed) {
        size_t n = kernel_reap_since(z->kernel, was, before != NULL ? before_count : 0, &is);
        if (after != NULL)
            *after = positions_of(is, n);
        if (after_count != NULL)
            *after_count = n;
    }
    return api_leave(z, failed);
}

int zygote_snapshot_all_vats(struct zygote *z, struct zygote_id **vats, size_t *count)
{
    vat_id *saved;
    size_t n;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = kernel_snapshot_all(z->kernel, &saved, &n, &z->err);
    if (!failed && vats != NULL) {
        *vats = xcalloc(n + 1, sizeof **vats);
        for (size_t i = 0; i < n; i++)
            (*vats)[i] = api_id(vat_id_text(saved[i]));
    }
    if (!failed && count != NULL)
        *count = n;
    return api_leave_run(z, failed);
}

static int64_t reap_of(int64_t given)
{
    if (given == 0)
        return REAP_DEFAULT;
    return given == ZYGOTE_NEVER ? REAP_NEVER : given;
}

static int change(struct zygote *z, const struct zygote_kernel_options *o)
{
    if (o == NULL || o->default_reap_interval < ZYGOTE_NEVER ||
        o->default_reap_gc_krefs < ZYGOTE_NEVER || o->snapshot_interval < 0 ||
        o->max_vats < ZYGOTE_NEVER)
        return err_set(&z->err, EXIT_USAGE,
                       "options are positive numbers; those about reaping, and max_vats, also ZYGOTE_NEVER");
    struct kernel_changes c = {
        .default_reap_interval = reap_of(o->default_reap_interval),
        .default_reap_gc_krefs = reap_of(o->default_reap_gc_krefs),
        .snapshot_interval = o->snapshot_interval == 0 ? -1 : o->snapshot_interval,
        .max_vats = o->max_vats,
    };
    return kernel_change_options(z->kernel, &c, &z->err);
}

int zygote_change_kernel_options(struct zygote *z, const struct zygote_kernel_options *options)
{
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    return api_leave(z, change(z, options));
}

int zygote_inject_queued_upgrade_events(struct zygote *z)
{
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    kernel_inject_upgrade_events(z->kernel);
    return api_leave(z, 0);
}
