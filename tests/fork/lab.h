/* lab.h -- a whole product in one test: store, kernel, real worker processes.
 *
 * A lab has a directory of its own below $TMPDIR, with the store in store/ and images in
 * cache/; lab_free removes it.  Messages go to the bootstrap vat's root, by name and JSON
 * arguments, and are run to quiescence and committed.
 *
 * Nothing here returns errors: what should not fail and does, aborts with one line, which
 * cmocka reports as a failed test.  The lab_try_ functions are for what may.
 *
 * Calling sequence:  lab_new … lab_boot, then lab_send and lab_restart as one likes,
 * lab_free.
 */
#pragma once

#include "host/config.h"
#include "kernel/kernel.h"
#include "worker/worker.h"

enum lab_images {
    LAB_IMAGES = 0, /* as the product does: images in a directory */
    LAB_NO_IMAGES,  /* every machine boots, or loads its snapshot */
};

struct lab {
    /* set between lab_new and lab_boot, if at all */
    enum lab_images images;
    const char *cache;       /* images kept here instead: shared by several labs */
    size_t online_max;
    int snapshot_level;      /* of the store's options */
    struct kernel_sink sink;
    /* may change: the next lab_send commits after so many cranks, reopens, and goes on */
    uint64_t restart_after;  /* 0: not */
    bool restart_forgets;    /* the images, in between */

    struct arena arena;
    char dir[512];
    const char *store_dir;
    struct config config;
    struct store *store;     /* NULL: closed */
    struct kernel *kernel;
    struct vat_port port;
};

/* A lab that runs `config` (a path below the working directory). */
void lab_new(struct lab *l, const char *config);
/* Make the store, open everything, run bootstrap. */
void lab_boot(struct lab *l);
void lab_free(struct lab *l);

/* Make the store; commits genesis. */
void lab_genesis(struct lab *l);
void lab_open(struct lab *l);
/* Close everything; what was not committed is gone. */
void lab_close(struct lab *l);
void lab_restart(struct lab *l);
/* Path of the worker program. */
const char *lab_worker(struct lab *l);
/* Delete all images: nothing may notice.  call while closed. */
void lab_forget_images(struct lab *l);
/* One directory of images for several labs: the first one's, *cache from then on; deleted by
 * the last call, which may come if there is none.  call between lab_new and lab_boot */
void lab_share_images(struct lab *l, char **cache);
void lab_drop_images(char **cache);
/* A second lab over a copy of the first one's store.  call while `from` is closed. */
void lab_copy(struct lab *l, const struct lab *from);

/* What a message to the bootstrap vat resolved to: the body of its data (smallcaps,
 * without "#"); "! " in front if it was rejected; "?" if it was not settled. */
const char *lab_send(struct lab *l, const char *method, const char *args);
int lab_try_run(struct lab *l, uint64_t *cranks, struct err *e);
kref lab_queue(struct lab *l, const char *method, const char *args);
const char *lab_take(struct lab *l, kref promise);
#define lab_expect(l, method, args, want) \
    lab_expect_at((l), (method), (args), (want), __FILE__, __LINE__)
void lab_expect_at(struct lab *l, const char *method, const char *args, const char *want,
                   const char *file, int line);

/* The same, and then every vat brings out its dead. */
const char *lab_collect(struct lab *l, const char *method, const char *args);

/* The vat called `name`; aborts if there is none. */
vat_id lab_vat(struct lab *l, const char *name);
bool lab_vat_exists(struct lab *l, const char *name);
struct vat_info lab_info(struct lab *l, const char *name);

/* Breaches the audit finds in the last commit, each printed. */
uint64_t lab_audit(struct lab *l);

/* Rows of SELECT, fields joined by '|', one row a line; read beside the writer, so as of
 * the last commit. */
const char *lab_query(struct lab *l, const char *sql);
/* Every row the two kernels agree on, as a text. */
const char *lab_dump(struct lab *l);
void lab_hash(struct lab *l, char out[SHA256_HEX + 1]); /* of that text */
/* Items of a vat's transcript from `from` on, one a line. */
const char *lab_transcript(struct lab *l, vat_id vat, uint64_t from);
uint64_t lab_transcript_end(struct lab *l, vat_id vat);
/* Value of a key, or "". */
const char *lab_kv(struct lab *l, const char *key);

/* Texts that should be equal: where they are not, shows the first line that differs. */
bool lab_same(const char *what, const char *got, const char *want);

/* Living descendants of this process, workers and image servers: how many, and which. */
size_t lab_descendants(pid_t root, pid_t *out, size_t room);

const char *lab_printf(struct lab *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
