/* api_rom.c -- zygote.h: zygotes as files. */
#include "host/api.h"
#include "host/rom.h"

/* -- saving ------------------------------------------------------------------------ */

static int save(struct zygote *z, const char *vat, const char *file, char hash[SHA256_HEX + 1])
{
    const char *written;
    vat_id id;
    if (vat == NULL)
        return err_set(&z->err, EXIT_USAGE, "no vat");
    return controller_find_vat(z->controller, vat, &id, &z->err) != 0
               ? -1
               : rom_save(z->controller, &z->arena, id, file, &written, hash, &z->err);
}

int zygote_rom_save(struct zygote *z, const char *vat, const char *file, char **hash)
{
    char text[SHA256_HEX + 1];
    if (!api_enter(z, API_LOOK))
        return api_refused(z);
    int failed = save(z, vat, file, text);
    if (!failed && hash != NULL)
        *hash = api_text(span_of(text));
    return api_leave(z, failed);
}

/* -- loading ----------------------------------------------------------------------- */

static int read_imports(struct zygote *z, const struct zygote_rom_options *o,
                        struct rom_request *r)
{
    struct rom_import *imports = ARENA_ARRAY(&z->arena, struct rom_import, o->import_count + 1);
    for (size_t i = 0; i < o->import_count; i++) {
        if (rom_parse_import(z->controller, o->imports[i], &imports[i], &z->err) != 0)
            return -1;
    }
    r->import_count = o->import_count;
    r->imports = imports;
    return 0;
}

static int load(struct zygote *z, const char *file, const struct zygote_rom_options *o,
                vat_id *vat, kref *handle)
{
    struct rom rom;
    char hash[SHA256_HEX + 1];
    if (file == NULL)
        return err_set(&z->err, EXIT_USAGE, "no file");
    if (rom_open(&z->arena, file, &rom, hash, &z->err) != 0)
        return -1;
    struct rom_request r = { .rom = &rom,
                             .hash = span_of(hash),
                             .name = api_span(o->name),
                             .meter = api_span(o->meter) };
    return read_imports(z, o, &r) != 0 ? -1
                                       : kernel_rom_load(z->kernel, &r, vat, handle, &z->err);
}

int zygote_rom_load(struct zygote *z, const char *file, const struct zygote_rom_options *options,
                    struct zygote_id *vat, struct zygote_id *kpid)
{
    const struct zygote_rom_options none = { 0 };
    vat_id id;
    kref handle;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = load(z, file, options != NULL ? options : &none, &id, &handle);
    if (!failed) {
        *vat = api_id(vat_id_text(id));
        api_put_kref(kpid, handle);
    }
    return api_leave(z, failed);
}
