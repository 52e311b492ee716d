/* rom.h -- zygotes as files on disk (kernel/rom.h). */
#pragma once

#include "host/controller.h"
#include "kernel/rom.h"

/* What a zygote of such a hash is called if nobody says: its SHA-256 and ".rom".  A file of
 * such a name must have that hash to be loaded. */
const char *rom_file_name(struct arena *a, const char *hash);

/* Write a vat at rest to `file` (NULL: rom_file_name in the current directory), whole or not
 * at all.
 * out    *written  its path, in `a`
 * fails  as kernel_rom_save; EXIT_FAILED the disk's fault, or the file is there and is
 *        another. */
int rom_save(struct controller *c, struct arena *a, vat_id vat, const char *file,
             const char **written, char hash[SHA256_HEX + 1], struct err *e) MUST_CHECK;

/* Read a file and check it in itself; `out` and the bytes live in `a`.
 * fails  as rom_read; EXIT_NOT_FOUND no such file; EXIT_INTEGRITY its name is another hash. */
int rom_open(struct arena *a, const char *file, struct rom *out, char hash[SHA256_HEX + 1],
             struct err *e) MUST_CHECK;

/* "o-50=TARGET": a vat (its root) or an object; "d-70=DEVICE", or "d-70=bundle:ID or name".
 * fails  EXIT_USAGE; EXIT_NOT_FOUND no such thing. */
int rom_parse_import(struct controller *c, const char *text, struct rom_import *out,
                     struct err *e) MUST_CHECK;
