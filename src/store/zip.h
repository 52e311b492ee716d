/* zip.h -- the files of an archive in memory.
 *
 * As strict, and as lenient, as the reader upstream checks bundles with (@endo/zip): only
 * stored files, no zip64, no comment at the end, no encryption; the two headers of a file
 * must agree, and its checksum must be right; of two files of one name the last counts.
 * In one thing stricter: files may not overlap, so that reading costs no more than the
 * archive is long.
 *
 * What is written is the plainest archive there is, a function of names and contents alone.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "store/map.h"

struct zip_file {
    struct map_entry m; /* key: name */
    struct span content;
    bool read; /* zip_read was asked for it */
};

struct zip {
    struct arena arena;
    struct map files;
    size_t unread; /* files that nobody asked for yet */
};

/* `bytes` must outlive it.  Must be closed also if this fails.
 * fails  EXIT_INTEGRITY */
int zip_open(struct zip *z, struct span bytes, struct err *e) MUST_CHECK;
void zip_close(struct zip *z);

/* fails  EXIT_INTEGRITY no such file */
int zip_read(struct zip *z, struct span name, struct span *content, struct err *e) MUST_CHECK;

/* -- writing ---------------------------------------------------------------------- */

/* A zeroed one is an archive without files.  Fewer than 2^16 files, below 4 GiB in all:
 * zip_put is false, and nothing is done, beyond that. */
struct zip_writer {
    struct buf *out; /* where the archive goes; the caller's */
    struct buf directory;
    unsigned count;
};
bool zip_put(struct zip_writer *w, struct span name, struct span content);
/* The end of the archive, and of the writer. */
void zip_finish(struct zip_writer *w);
