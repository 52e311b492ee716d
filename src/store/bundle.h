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

/* Where the code of an endoZipBase64 bundle starts: its entry module, in its package.  By
 * this the kernel tells which of upstream's devices a bundle is. */
struct bundle_entry {
    struct span package; /* "@agoric/swingset-vat" */
    struct span version; /* "0.33.0" */
    struct span module;  /* "./src/devices/timer/device-timer.js" */
};
/* Of a bundle in the store.  Spans in `a`.
 * fails  EXIT_NOT_FOUND     no such bundle
 *        EXIT_INCOMPATIBLE  not an endoZipBase64 bundle
 *        EXIT_INTEGRITY     its zip or compartment map does not read */
int bundle_entry_module(struct store *s, struct span id, struct arena *a,
                        struct bundle_entry *out, struct err *e) MUST_CHECK;
