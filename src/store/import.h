/* import.h -- a store made of export data and artifacts; and records put back into one.
 *
 * Calling sequence:
 *
 *   importer_begin
 *     importer_record …           every record; of two with one key the last counts
 *     importer_artifact, importer_bytes …, importer_artifact_end      for each artifact
 *   importer_finish               checks that all is there, and commits
 *   importer_abandon              instead, at any point: nothing is left behind
 *
 * Everything is one transaction: a process killed in between leaves a file without rows,
 * which the next import, or store_open(STORE_CREATE), takes over.
 *
 * Records are the root of trust; artifacts are believed only as far as their hashes agree.
 * Both may come from anybody: shapes, names and sizes are checked before use.  Stricter
 * than upstream in two points: a record's key must agree with its value, and a value must
 * have the types upstream writes.
 *
 * fails  EXIT_INTEGRITY  a record or artifact is not what it should be
 *        EXIT_NOT_FOUND  (importer_finish) an artifact that `mode` needs did not come
 *        and as store_open(STORE_CREATE).   After a failure only importer_abandon is left.
 */
#pragma once

#include "store/export.h"

struct importer;

/* `dir` NULL: in memory, for tests. */
int importer_begin(const char *dir, enum artifact_mode mode, struct importer **out,
                   struct err *e) MUST_CHECK;
/* `value` absent: there is no such record, whatever came before. */
int importer_record(struct importer *im, struct span key, struct span value,
                    struct err *e) MUST_CHECK;
/* A key of the host's own ("host.…"), which is no export data. */
int importer_host(struct importer *im, struct span key, struct span value,
                  struct err *e) MUST_CHECK;
/* out  *wanted  false: `mode` has no use for it; its bytes may be left out */
int importer_artifact(struct importer *im, struct span name, bool *wanted,
                      struct err *e) MUST_CHECK;
int importer_bytes(struct importer *im, struct span bytes, struct err *e) MUST_CHECK;
int importer_artifact_end(struct importer *im, struct err *e) MUST_CHECK;
/* out  *store  the store, open and committed; NULL: close it
 * owns  frees the importer, on success only */
int importer_finish(struct importer *im, struct store **store, struct err *e) MUST_CHECK;
void importer_abandon(struct importer *im);

/* -- repair ------------------------------------------------------------------------- */

/* Put back records of snapshots and spans that a store has lost: begin, every record, then
 * finish or abandon (both free it).  Records that are there must agree; kv records are
 * passed over; a bundle that is not there cannot be put back.  The caller commits.
 * call   on a store just opened, before anything is read from it.
 * fails  EXIT_INTEGRITY a record is bad, or disagrees with the store's
 *        EXIT_NOT_FOUND something a kernel needs is still missing afterwards */
struct repair;
int repair_begin(struct store *s, struct repair **out, struct err *e) MUST_CHECK;
int repair_record(struct repair *r, struct span key, struct span value,
                  struct err *e) MUST_CHECK;
/* out  *added  how many records were put back */
int repair_finish(struct repair *r, uint64_t *added, struct err *e) MUST_CHECK;
void repair_abandon(struct repair *r);
