/* export.h -- a store as data that another can be made of.
 *
 * Two parts, as upstream's: *export data*, small records (key, value) that say everything
 * about the state or give its hash; and *artifacts*, the large pieces, by name, which the
 * records vouch for.  (Upstream: exporter.js; docs/data-export.md.)
 *
 *   kv.KEY                 the value; keys "local.…" and "host.…" stay home
 *   snapshot.VAT.POSITION  hash        artifact of the same name: the heap
 *   transcript.VAT.START   hash        artifact transcript.VAT.START.END: an item a line
 *   bundle.ID              ID          artifact of the same name
 *
 * Of a store opened STORE_READONLY: what is seen is one commit, whatever a writer does
 * meanwhile.  A store with forks exports as one without: each vat has its own snapshot.
 *
 * Spans given to a callback are good for that call; nonzero from it ends the walk, with
 * its error.
 */
#pragma once

#include "store/store.h"

/* How much history: which artifacts there are, and must be. */
enum artifact_mode {
    ARTIFACTS_OPERATIONAL = 0, /* to go on: current spans, snapshots in use, bundles */
    ARTIFACTS_REPLAY,          /* and all spans of each vat's incarnation */
    ARTIFACTS_ARCHIVAL,        /* and all spans of each living vat, and of its ancestors */
    ARTIFACTS_DEBUG,           /* whatever is there */
};
const char *artifact_mode_name(enum artifact_mode mode);
/* False: no mode is called so. */
bool artifact_mode_parse(struct span name, enum artifact_mode *out);

/* The artifacts that `mode` asks for are all there (for DEBUG as for OPERATIONAL).
 * fails  EXIT_NOT_FOUND, naming one that is not */
int store_check_complete(struct store *s, enum artifact_mode mode, struct err *e) MUST_CHECK;

typedef int export_record(void *ctx, struct span key, struct span value, struct err *e);
int store_export_data(struct store *s, export_record *each, void *ctx,
                      struct err *e) MUST_CHECK;
/* The host's own keys, which are not export data. */
int store_export_host(struct store *s, export_record *each, void *ctx,
                      struct err *e) MUST_CHECK;

typedef int export_name(void *ctx, struct span name, struct err *e);
/* fails  EXIT_NOT_FOUND before the first name, if the store is not complete (but not for
 *        DEBUG) */
int store_export_names(struct store *s, enum artifact_mode mode, export_name *each,
                       void *ctx, struct err *e) MUST_CHECK;

typedef int export_bytes(void *ctx, struct span bytes, struct err *e);
/* fails  EXIT_USAGE that is no artifact's name; EXIT_NOT_FOUND it is not there, or pruned;
 *        EXIT_INTEGRITY it is not what its record says */
int store_export_artifact(struct store *s, struct span name, export_bytes *sink, void *ctx,
                          struct err *e) MUST_CHECK;
