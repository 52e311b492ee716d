/* config.h -- a SwingSet config file, turned into what the kernel starts from.
 *
 * The file is upstream's JSON (loadSwingsetConfigFile and initializeSwingset), with `//`
 * comments allowed between tokens and a few keys of ours:
 *
 *   zygotes                  true   forks: our vat-admin vat; false: upstream's, unmodified
 *   addVatAdmin              true   add the vatAdmin vat and device
 *   addVattp, addTimer       false  add upstream's vattp and timer vats
 *   addComms                 false  add upstream's comms vat, which stands idle here: a message
 *                                   to it ends it
 *   bootstrapArgs            []     the bootstrap vat's parameters.argv, if none are given
 *   keepTranscripts          true   keep what vats were told before their last snapshot
 *   keepSnapshots            false  keep the heaps of earlier snapshots
 *   limits.maxVatsOnline     50     how many vats have a live worker at once
 *   limits.maxVats           none   how many vats there may be (kernel/limits.h)
 *
 * Differences: vats are XS workers (defaultManagerType defaults to xs-worker), and the four
 * system vats but vatAdmin are added only on request.
 *
 * Every key either works or is refused by name, in one line: the file, line and column,
 * the path of the key, what is wrong, what to do.
 *
 * Invariants of a loaded config:
 *   H1  every bundle_id in genesis.vats and genesis.devices is among genesis.bundles.
 *   H2  orders are those of JavaScript objects filled as upstream fills them: integer-like
 *       names first, then [bootstrap, vatAdmin, comms, vattp, timer], then by UTF-16.
 */
#pragma once

#include "base/hash.h"
#include "kernel/kernel.h"

struct config_options {
    const char *bundles_dir; /* where the system's bundles are (paths_bundles) */
    size_t argc;             /* the bootstrap vat's parameters.argv; 0: bootstrapArgs */
    const char *const *argv;
};

struct config {
    struct genesis genesis;    /* spans in the arena */
    const char **bundle_from;  /* where each of genesis.bundles comes from */
    uint64_t vats_online_max;  /* 0: not given */
    bool prune_transcripts, keep_snapshots;
    char hash[SHA256_HEX + 1]; /* of the file */
};

/* The text of a config file, or that a folder of vats stands for (basedir.h).
 * fails  as file_read, basedir_config */
int config_text(struct arena *a, const char *path, struct span *out,
                struct err *e) MUST_CHECK;

/* Read a config file, or a folder of vats, and every bundle and source it names.  Everything lives in `a`.
 * fails  EXIT_USAGE         not JSON, unknown or refused key, wrong type or value
 *        EXIT_NOT_FOUND     no such config or bundle file
 *        EXIT_FAILED        a source that cannot be bundled (bundler.h)
 *        EXIT_INCOMPATIBLE  a bundle that is not endoZipBase64
 *        EXIT_INTEGRITY     a bundle whose `id` is not its own */
int config_load(struct arena *a, const char *path, const struct config_options *o,
                struct config *out, struct err *e) MUST_CHECK;
