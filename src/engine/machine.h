/* machine.h -- the one XS machine of a process: where it comes from, how it is saved.
 *
 *   machine_create()   an empty one, as the stock worker's
 *   machine_read()     from an XS snapshot ("hydrate")
 *   machine_adopt()    from an image
 *
 * Exactly one of the three is called, once, on the C stack of cstack.h.  An image is taken of
 * an idle machine as it stands: no collection, no host frame.  Three words of a machine
 * point to the C stack or depend on how the process was started; in an image they are zero:
 * stackLimit, firstJump and the meter (which every start sets anew).
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "engine/xs_api.h"

/* Stock default of option -s. */
enum { MACHINE_PARSER_BYTES = 8192 * 1024 };

/* A machine with our globals and nothing else.  NULL: out of memory. */
xsMachine *machine_create(int parser_bytes);

/* The machine of the XS snapshot at `path`, "@FD:anything" for a descriptor.
 * fails  returns NULL, *error is an errno. */
xsMachine *machine_read(const char *path, int *error);

/* The machine of the image in `fd`. */
MUST_CHECK int machine_adopt(int fd, xsMachine **machine, struct err *e);

/* Write an XS snapshot; collects garbage first, as XS does.
 *
 * out   *bytes  its length.
 * returns an errno, 0 on success. */
int machine_write(xsMachine *the, const char *path, int *bytes);

/* Write an image; the machine is as before afterwards.
 *
 * in    path  "@FD" for a descriptor of an empty file, else a file that does not exist. */
MUST_CHECK int machine_save(xsMachine *the, const char *path, uint64_t *bytes, struct err *e);
