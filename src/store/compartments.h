/* compartments.h -- is a bundle what its hash says?
 *
 * A bundle's hash is that of its compartment map; the map names every module's file and
 * its hash in turn.  So one hash vouches for all of the archive, if nothing is in it that
 * loading its entry module does not read.  (Upstream: @endo/check-bundle, that is
 * parseArchive() of @endo/compartment-mapper, which does load it.)
 *
 * In two things stricter than upstream: a module must have a hash, and a compartment may
 * not have a policy (bundle-source makes neither the one nor the other).
 */
#pragma once

#include "store/bundle.h"

/* out    *info  entry, modules and size, if `info` is not NULL; in `a`
 * fails  EXIT_INTEGRITY */
int compartments_check(struct span zip, struct span sha512, struct arena *a,
                  struct bundle_info *info, struct err *e) MUST_CHECK;
/* Where its code starts.  The archive need not have been checked. */
int compartments_entry(struct span zip, struct arena *a, struct bundle_entry *out,
                  struct err *e) MUST_CHECK;

/* The archive in a bundle whose moduleFormat is endoZipBase64, checked.
 * out    `zip` the archive's bytes, also on failure; *id in `a`; *info if it is not NULL
 * fails  EXIT_INCOMPATIBLE without its contents or hash; EXIT_INTEGRITY */
int bundle_unpack(struct jval bundle, struct arena *a, struct buf *zip, struct span *id,
                  struct bundle_info *info, struct err *e) MUST_CHECK;
