/* export_dir.h -- export data and artifacts as a directory of files.
 *
 *   export-manifest.json   {"blockHeight":…,"artifactMode":…,"data":"export-data.jsonl",
 *                           "artifacts":[[NAME,FILE],…],"host":[[KEY,VALUE],…]}
 *   export-data.jsonl      a record a line: [KEY,VALUE]; [KEY] or [KEY,null] takes it back
 *   NAME                   an artifact, its file called as it is
 *
 * The layout of the swing-store exports of Agoric's chain, whose programs pass over "host":
 * the host's own keys, which are no export data, but which a store that goes on elsewhere
 * needs.  The manifest is written last: a directory without it is no export.
 *
 * A directory to import from may come from anybody: files are plain names in it, never
 * links, and their contents are checked as import.h says.
 */
#pragma once

#include "store/import.h"

struct export_counts {
    uint64_t records, artifacts, bytes; /* bytes: of artifacts */
};

/* Called now and then, while work goes on.  May be NULL. */
typedef void export_tick(void *ctx);

/* Make `dir`, and write an export of `s` (STORE_READONLY) into it.
 * fails  EXIT_FAILED `dir` exists; as store_export_*.   Nothing is left behind. */
int export_dir(struct store *s, const char *dir, enum artifact_mode mode, export_tick *tick,
               void *ctx, struct export_counts *counts, struct err *e) MUST_CHECK;

/* Make the store `dir` of the export in `from`.  `mode` NULL: that of the export.
 * fails  EXIT_NOT_FOUND no export there; as importer_*.   Nothing is left behind. */
int import_dir(const char *from, const char *dir, const enum artifact_mode *mode,
               export_tick *tick, void *ctx, struct export_counts *counts,
               struct err *e) MUST_CHECK;

/* Put records of the export in `from` back into `s`, as import.h says of repair.
 * out  *added  how many */
int repair_from_dir(struct store *s, const char *from, export_tick *tick, void *ctx,
                    uint64_t *added, struct err *e) MUST_CHECK;
