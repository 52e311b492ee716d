/* image.h -- an arena as a file.
 *
 * One header page, then the pages of the arena that are not all zero, in address order:
 *
 *   offset 0     struct image_header
 *   offset 4096  extent 0, extent 1, …, each a run of whole pages, behind one another
 *
 * An extent may hold some zero pages; they are holes in the file.  What no extent covers is
 * zero.  The bytes of a file depend on nothing but the arena and the build.
 *
 * Images are code: they hold function addresses.  The header is checked byte by byte, so a
 * damaged, truncated or foreign file is refused; the contents are trusted, and whoever
 * opens an image first verifies its hash (the kernel does).
 *
 * Invariants of a header (image_check() tests each):
 *   I1  magic, version, build id, arena address and size, and the machine's parameters are
 *       those of this program.
 *   I2  extents are whole pages, ascending, apart, inside the arena; the first starts at
 *       MEMORY_BASE; their file offsets follow one another from 4096 on.
 *   I3  the file is a regular file and ends with the last extent.
 *   I4  everything behind the last extent's entry is zero; the checksum is right.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/imagefile.h"
#include "engine/memory.h"
#include "engine/build_id.h"

static_assert((int)IMAGE_PAGE == (int)MEMORY_PAGE && (int)IMAGE_BUILD_BYTES == (int)BUILD_ID_BYTES,
              "image format");

uint64_t image_checksum(const struct image_header *h);

/* Write the arena to `fd`, an empty file open for writing.
 *
 * out     *bytes  its length.
 * fails   the file is not empty, or the disk's fault; the file is then no image, because the
 *         header goes last.
 * cost    reads every page handed out so far; writes those that are not zero.
 */
MUST_CHECK int image_write(int fd, const struct image_params *params, uint64_t *bytes,
                           struct err *e);

/* Is this the header of an image of this program, in a file of `file_bytes`? */
MUST_CHECK int image_check(const struct image_header *h, const struct image_params *params,
                           uint64_t file_bytes, struct err *e);

/* Reserve the arena and map the image in `fd` there, privately.  The descriptor is not
 * needed afterwards; the file must never change.
 *
 * fails  as image_check(), or mmap's fault.  The process is then of no further use. */
MUST_CHECK int image_map(int fd, const struct image_params *params, struct err *e);
