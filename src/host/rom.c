/* rom.c -- zygotes as files on disk. */
#include "host/rom.h"

#include <unistd.h>

#include "host/file.h"

static const char SUFFIX[] = ".rom";

const char *rom_file_name(struct arena *a, const char *hash)
{
    return arena_printf(a, "%s%s", hash, SUFFIX).p;
}

/* -- saving ------------------------------------------------------------------------ */

/* A file that is there already is left alone: it is this one, or somebody else's. */
static int put_file(struct arena *a, const char *file, struct span bytes, struct err *e)
{
    struct span there;
    if (access(file, F_OK) != 0)
        return file_write(a, file, bytes, e);
    if (file_read(a, file, &there, e) != 0)
        return -1;
    return span_eq(there, bytes)
               ? 0
               : err_set(e, EXIT_FAILED, "%s is there already, and is another", file);
}

int rom_save(struct controller *c, struct arena *a, vat_id vat, const char *file,
             const char **written, char hash[SHA256_HEX + 1], struct err *e)
{
    struct buf b = { 0 };
    int failed = kernel_rom_save(controller_kernel(c), vat, &b, e);
    if (!failed) {
        sha256_hex(buf_span(&b), hash);
        *written = file != NULL ? file : rom_file_name(a, hash);
        failed = put_file(a, *written, buf_span(&b), e);
    }
    buf_fini(&b);
    return failed;
}

/* -- reading ----------------------------------------------------------------------- */

/* A name that is a hash is a promise. */
static int check_name(const char *file, const char *hash, struct err *e)
{
    const char *slash = strrchr(file, '/'), *name = slash == NULL ? file : slash + 1;
    bool hex = strspn(name, "0123456789abcdef") == SHA256_HEX;
    if (!hex || strcmp(name + SHA256_HEX, SUFFIX) != 0 ||
        strncmp(name, hash, SHA256_HEX) == 0)
        return 0;
    return err_set(e, EXIT_INTEGRITY, "%s: its hash is another, %s", file, hash);
}

int rom_open(struct arena *a, const char *file, struct rom *out, char hash[SHA256_HEX + 1],
             struct err *e)
{
    struct span bytes;
    if (file_read(a, file, &bytes, e) != 0)
        return -1;
    sha256_hex(bytes, hash);
    if (check_name(file, hash, e) != 0)
        return -1;
    return rom_read(a, bytes, out, e) == 0 ? 0 : err_while(e, "%s", file);
}

/* -- imports ----------------------------------------------------------------------- */

static int find_target(struct controller *c, struct span name, const char *target, kref *out,
                       struct err *e)
{
    static const char bundle[] = "bundle:";
    struct kernel *k = controller_kernel(c);
    if (name.p[0] != 'd')
        return controller_find(c, target, out, e);
    return strncmp(target, bundle, sizeof bundle - 1) == 0
               ? kernel_bundle_node(k, span_of(target + sizeof bundle - 1), out, e)
               : kernel_device_node(k, span_of(target), out, e);
}

int rom_parse_import(struct controller *c, const char *text, struct rom_import *out,
                     struct err *e)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || equals[1] == '\0')
        return err_set(e, EXIT_USAGE, "%s: give NAME=TARGET, such as o-50=bootstrap", text);
    out->vref = (struct span){ text, (size_t)(equals - text) };
    return find_target(c, out->vref, equals + 1, &out->target, e) == 0
               ? 0
               : err_while(e, "%s", text);
}
