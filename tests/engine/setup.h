/* setup.h -- what every engine test starts from: bundles, booted workers, images. */
#pragma once

#include "engine/driver.h"

/* The worker under test: $ZYGOTE_WORKER, else build/zygote-worker. */
const char *setup_worker(void);

/* A whole file.  Ends the program if it is not there. */
struct buf setup_read(const char *path);
/* SHA-256 of a file, as hex. */
void setup_hash(const char *path, char hex[65]);

/* A path in this test program's own directory below $TMPDIR, removed at exit.
 * Borrowed until eight calls later. */
const char *setup_path(const char *name);

/* "(SOURCE\n)()" of a getExport or nestedEvaluate bundle file, as upstream evaluates it. */
struct buf setup_bundle(const char *path);
extern const char setup_lockdown[], setup_supervisor[];

/* Start `binary`, -l 100000000; evaluate lockdown and supervisor. */
void setup_boot(struct driver *d, const char *binary);
/* Start `binary` from the XS snapshot at `path`. */
void setup_reload(struct driver *d, const char *binary, const char *path);
/* Start our worker from an image, by exec. */
void setup_image(struct driver *d, const char *path);

/* Make setup_path("base.xss") and setup_path("base.img") with our worker: booted, written,
 * hydrated, saved.  Once per program. */
void setup_base(void);

/* Evaluate; the reply must be '.'.  Returns computrons. */
uint64_t setup_eval(struct driver *d, const char *source);
/* Write an XS snapshot to `path` (replacing it) and hash it. */
void setup_snapshot(struct driver *d, const char *path, char hex[65]);
/* Save an image to `path`, replacing it. */
void setup_save(struct driver *d, const char *path);
