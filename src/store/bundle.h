/* bundle.h -- code, by content.
 *
 * "b1-<sha512>" is an endoZipBase64 bundle, stored as the bytes of its zip; "b0-<sha256>"
 * is a nestedEvaluate bundle, stored as its JSON text (lockdown, supervisor).
 * (Upstream: bundleStore.js.)
 */
#pragma once

#include "base/json.h"
#include "store/store.h"

bool bundle_has(struct store *s, struct span id);
/* Add a bundle given as its JSON text, under its own id, which comes back in `id`.
 * Checks the format and that the contents match the id.  Adding twice is fine.
 * fails  EXIT_INCOMPATIBLE  unknown or unsupported moduleFormat, named
 *        EXIT_INTEGRITY     hash and contents disagree */
int bundle_add(struct store *s, struct span json_text, struct span *id, struct err *e) MUST_CHECK;
/* The bundle as upstream would JSON.stringify it: for b1 {"moduleFormat":"endoZipBase64",
 * "endoZipBase64Sha512":…,"endoZipBase64":…}, for b0 the text as stored.
 * fails  EXIT_NOT_FOUND */
int bundle_get(struct store *s, struct span id, struct buf *json_text, struct err *e) MUST_CHECK;

/* -- looking into bundles ----------------------------------------------------------- */

/* Where the code of an endoZipBase64 bundle starts: its entry module, in its package.  By
 * this the kernel tells which of upstream's devices a bundle is. */
struct bundle_entry {
    struct span package; /* "@agoric/swingset-vat" */
    struct span version; /* "0.33.0"; absent if the compartment is not called so */
    struct span module;  /* "./src/devices/timer/device-timer.js" */
};
/* Of a bundle in the store.  Spans in `a`.
 * fails  EXIT_NOT_FOUND     no such bundle
 *        EXIT_INCOMPATIBLE  not an endoZipBase64 bundle
 *        EXIT_INTEGRITY     its zip or compartment map does not read */
int bundle_entry_module(struct store *s, struct span id, struct arena *a,
                        struct bundle_entry *out, struct err *e) MUST_CHECK;

struct bundle_module {
    struct span file; /* in the archive: "a-v1.0.0/src/main.js" */
    struct span parser;
    size_t bytes;
};

/* All in the arena that bundle_check was given. */
struct bundle_info {
    struct span id;
    size_t zip_bytes;
    struct bundle_entry entry;
    size_t module_count; /* those that its entry module leads to: all there are */
    const struct bundle_module *modules;
};

/* Check an endoZipBase64 bundle given as its JSON text: that its contents match its hash
 * (compartments.h).  `strictly` as validateAndInstallBundle() does it at run time: nothing else
 * may stand in it; in a config upstream allows more.  `alleged` is what the caller takes
 * its ID to be, or absent.
 * out    *info  if it is not NULL
 * fails  EXIT_INCOMPATIBLE  not an endoZipBase64 bundle
 *        EXIT_INTEGRITY     hash and contents disagree, or the ID is not the alleged one */
int bundle_check(struct span json_text, bool strictly, struct span alleged, struct arena *a,
                 struct bundle_info *info, struct err *e) MUST_CHECK;
