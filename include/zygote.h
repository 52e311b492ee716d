/* zygote.h -- a SwingSet kernel in your program, whose vats can be forked.
 *
 * The C interface of libzygote, in C11 and C++.  What a program of Agoric's does through the
 * controller of @agoric/swingset-vat and the hostStorage of @agoric/swing-store it does here
 * through one handle; each function says which of theirs it is.
 *
 *   zygote_create, or zygote_open       a store, its kernel, its workers
 *     zygote_queue_to_vat_root, …       work for the vats
 *     zygote_run                        cranks, as many as a policy allows
 *     zygote_kp_resolution, …           what came of it
 *     zygote_commit                     all since the last commit is durable, or none
 *   zygote_close                        ends the workers; drops what was not committed
 *
 * Text is UTF-8 and ends with a NUL; where it may hold one its length goes with it.  Vats,
 * objects and promises go by the kernel's names: "v7", "ko12", "kp40".
 *
 * Values go in as JSON.  What JSON lacks is a record with one special key:
 *   {"@ref":"ko12","iface":"purse"}     a reference (iface may be left out); "kp40", a promise
 *   {"@bigint":"7"}  {"@number":"NaN"}  {"@undefined":true}
 *   {"@symbol":"@@iterator"}            Symbol.iterator; without "@@", Symbol.for(…)
 *   {"@error":{"name":"TypeError","message":"no"}}
 * {"#slot":"ko12"} is read as well.  A key of your own that begins with @ or # has that
 * character twice.  They come out as capdata, and zygote_capdata_to_json makes JSON of it.
 *
 * Results.  A function returns ZYGOTE_OK (0), or what went wrong; zygote_error then says it
 * in words.  On failure nothing is written through the pointers it was given, except where
 * stated.  A vat's fault is no failure: the vat is terminated, and the run goes on.  After a
 * failure of zygote_run, zygote_step or zygote_snapshot_all_vats, or a kernel panic, every
 * function that would change something returns that failure again.  Where memory is handed
 * out, it is freed by zygote_free.  A program that is out of memory, or whose disk fails in
 * the middle of a crank, ends: the store is then as of the last commit.
 *
 * Threads: a handle is used by the thread that made it, which also must not end before the
 * handle is closed, for its workers end with it.  Several handles, on several stores, may be
 * used by several threads.  SIGCHLD must not be ignored.  Callbacks may not call functions
 * with the handle they were called from, except zygote_error.
 */
#ifndef ZYGOTE_H
#define ZYGOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ZYGOTE_VERSION_MAJOR 0
#define ZYGOTE_VERSION_MINOR 1
#define ZYGOTE_VERSION_PATCH 0
#define ZYGOTE_VERSION "0.1.0"

/* Of the library that was linked, for comparison with ZYGOTE_VERSION. */
const char *zygote_version(void);

struct zygote;

/* What went wrong.  The numbers are the exit codes of zygote(1). */
enum zygote_kind {
    ZYGOTE_OK = 0,
    ZYGOTE_FAILED = 1,       /* the operation failed: a disk, a process, a pending promise */
    ZYGOTE_MISUSE = 2,       /* wrong arguments, bad JSON, a call out of order */
    ZYGOTE_NOT_FOUND = 3,    /* no such store, vat, object, promise, bundle, program */
    ZYGOTE_VAT = 4,          /* a vat's failure that ended the kernel: a panic */
    ZYGOTE_INTEGRITY = 5,    /* a replay that diverged, a hash that does not match */
    ZYGOTE_BUSY = 6,         /* another process has the store */
    ZYGOTE_UNREACHABLE = 7,
    ZYGOTE_INCOMPATIBLE = 8, /* a store or bundle of another version or format */
    ZYGOTE_REFUSED = 9       /* against a rule: a vat that cannot be forked */
};

/* The name of a vat, device, object or promise; empty: none. */
struct zygote_id {
    char text[32];
};
/* "b1-" and a SHA-512 in hexadecimal. */
struct zygote_bundle_id {
    char text[136];
};

/* -- opening ---------------------------------------------------------------------------- */

/* A zeroed struct will do.  Texts are copied, except those that last as long as the call. */
struct zygote_options {
    /* What happens meanwhile; each may be NULL.  Texts last as long as the callback, and are
     * as hostile as the vat they come from. */
    void *self; /* passed to each */
    /* A vat wrote to its console; `level` is "log", "warn", …. */
    void (*console)(void *self, const char *vat, const char *level, const char *text,
                    size_t length);
    /* The kernel tells people: "v7 failed: …". */
    void (*note)(void *self, const char *text, size_t length);
    /* A crank ended, with these hashes; `number` counts from the store's beginning. */
    void (*crank)(void *self, uint64_t number, const char *crankhash,
                  const char *activityhash);
    /* Everything that happens, for tools: one JSON object, as upstream's slog has it, with
     * its times.  Many, and long: a delivery whole, then each of its syscalls.
     * Upstream: slogSender. */
    void (*slog)(void *self, const char *json, size_t length);
    /* A record of the store's export data changed (value NULL: it is gone); called at the
     * end of a crank, and by zygote_commit.  Upstream: exportCallback. */
    void (*export_data)(void *self, const char *key, size_t key_length, const char *value,
                        size_t value_length);

    /* The host's side of devices; NULL: it has none, and a vat that calls one makes the
     * kernel panic, as upstream.  `device` is its name in the config.  Upstream: the
     * endowments of buildBridge and buildCommand. */
    /* A vat called the bridge with a JSON array.  Write JSON, allocated by malloc, to
     * *answer, or nothing (undefined).  Nonzero: it threw, and so does the vat's call. */
    int (*bridge_outbound)(void *self, const char *device, const char *args, size_t length,
                           char **answer);
    void (*command_broadcast)(void *self, const char *device, const char *json,
                              size_t length);
    /* The response to zygote_command_inbound's `count`; json NULL: undefined. */
    void (*command_response)(void *self, const char *device, uint64_t count, bool rejected,
                             const char *json, size_t length);
    /* For tests, as upstream's buildLoopbox: 0 none, 1 queued, 2 immediate. */
    int loopbox;

    /* Where things are; NULL: where zygote(1) looks (ENVIRONMENT there), and then where
     * `make install` put them. */
    const char *worker;  /* the program zygote-worker */
    const char *bundles; /* the directory of the system's bundles; zygote_create only */
    const char *cache;   /* a directory for images of machines */
    const char *slog_file; /* has the same lines as `slog` appended, at the end of each crank
                              and by zygote_commit; or NULL */

    /* Look only, beside a writer if there is one: the last commit, no workers. */
    bool read_only;
    uint64_t max_vats_online; /* vats with a worker at once; 0: as the store's config says */

    /* What the store keeps (upstream: keepTranscripts, keepSnapshots, archiveTranscript,
     * archiveSnapshot); not remembered from one opening to the next. */
    bool prune_transcripts, keep_snapshots;
    const char *archive_transcripts, *archive_snapshots; /* directories, or NULL */

    /* The bootstrap vat's parameters.argv; zygote_create only. */
    size_t argc;
    const char *const *argv;
};

/* Make a store in `dir` from a SwingSet config file, and open it; nothing has run yet.
 * `options` may be NULL.  *out is written even on failure, for zygote_error, and must be
 * closed; if making the store failed, nothing of it is left behind.
 * Upstream: initializeSwingset and makeSwingsetController.
 * fails  ZYGOTE_FAILED there is a store already; ZYGOTE_MISUSE, ZYGOTE_NOT_FOUND,
 *        ZYGOTE_INCOMPATIBLE, ZYGOTE_INTEGRITY the config or a bundle in it. */
int zygote_create(const char *dir, const char *config, const struct zygote_options *options,
                  struct zygote **out);
/* Open the store in `dir`.  *out as for zygote_create.
 * Upstream: openSwingStore and makeSwingsetController.
 * fails  ZYGOTE_NOT_FOUND no store, no worker program; ZYGOTE_BUSY, ZYGOTE_INCOMPATIBLE,
 *        ZYGOTE_INTEGRITY the store. */
int zygote_open(const char *dir, const struct zygote_options *options, struct zygote **out);
/* Is there a store with a kernel in `dir`?  Upstream: swingsetIsInitialized. */
bool zygote_exists(const char *dir);
/* End the workers and free the handle; NULL is allowed.  Nothing is committed.
 * Upstream: controller.shutdown and hostStorage.close. */
void zygote_close(struct zygote *z);

/* Make what was done since the last commit durable.  After a failure only zygote_close is
 * left.  Upstream: hostStorage.commit.
 * fails  ZYGOTE_FAILED the disk; ZYGOTE_VAT zygote_terminate_vat has made the kernel panic. */
int zygote_commit(struct zygote *z);

/* The last call's failure, in words; "" if it succeeded.  Lasts until the next call. */
const char *zygote_error(const struct zygote *z);
/* The same, as its number. */
enum zygote_kind zygote_error_kind(const struct zygote *z);
/* Free what a function handed out; NULL is allowed. */
void zygote_free(void *memory);

/* Hand what the library would warn of on standard error to a function; NULL: standard error
 * again.  For the whole process, and to be called before any handle is made. */
void zygote_set_log(void (*log)(void *self, const char *text, size_t length), void *self);

/* -- messages --------------------------------------------------------------------------- */

/* What is to happen when the result of a message is rejected. */
enum zygote_result_policy {
    ZYGOTE_IGNORE = 0,  /* nothing */
    ZYGOTE_LOG_ALWAYS,  /* the kernel's note says what became of it, either way */
    ZYGOTE_LOG_FAILURE,
    ZYGOTE_PANIC,       /* the run fails with ZYGOTE_VAT */
    ZYGOTE_NONE         /* the message has no result promise */
};

/* Queue a message to a vat's root object.  `vat` is a name, of a static vat or of a living
 * dynamic one, or an ID; `method` the name of a method, or {"@symbol":"@@asyncIterator"} for
 * one that a symbol names; `args` a JSON array, or NULL for none.
 * out    *kpid  the result promise, held for the host until zygote_kp_resolution; empty with
 *               ZYGOTE_NONE.  May be NULL.
 * Upstream: controller.queueToVatRoot.
 * fails  ZYGOTE_NOT_FOUND no such vat or reference, or nobody holds the vat's root any more;
 *        ZYGOTE_MISUSE bad JSON, several vats of that name. */
int zygote_queue_to_vat_root(struct zygote *z, const char *vat, const char *method,
                             const char *args, enum zygote_result_policy policy,
                             struct zygote_id *kpid);
/* The same to an object ("ko12") or promise ("kp40").
 * Upstream: controller.queueToVatObject. */
int zygote_queue_to_vat_object(struct zygote *z, const char *target, const char *method,
                               const char *args, enum zygote_result_policy policy,
                               struct zygote_id *kpid);
/* The result promise of the bootstrap message; empty once zygote_kp_resolution has given it,
 * or if there never was one.  Upstream: what initializeSwingset returns. */
int zygote_bootstrap(struct zygote *z, struct zygote_id *kpid);

enum zygote_promise {
    ZYGOTE_UNKNOWN = 0, /* there is no such promise, or none any more */
    ZYGOTE_UNRESOLVED,
    ZYGOTE_FULFILLED,
    ZYGOTE_REJECTED
};
/* Upstream: controller.kpStatus. */
int zygote_kp_status(struct zygote *z, const char *kpid, enum zygote_promise *out);

/* A value as the kernel has it: a body, and the references that it mentions by number. */
struct zygote_capdata {
    const char *body;
    size_t body_length;
    size_t slot_count;
    const char *const *slots;
};
/* What a promise was resolved to.  The host lets go of the promise and, if `hold`, holds
 * what the value refers to instead.
 * out    *out  to be freed, by one zygote_free.  May be NULL.
 * Upstream: controller.kpResolution; `hold` is its option incref, there true.
 * fails  ZYGOTE_NOT_FOUND no such promise; ZYGOTE_FAILED it is unresolved. */
int zygote_kp_resolution(struct zygote *z, const char *kpid, bool hold,
                         struct zygote_capdata **out);
/* Hold a promise once more: it is kept until zygote_kp_resolution was called as often as it
 * is held.  Upstream: controller.kpRegisterInterest.
 * fails  ZYGOTE_NOT_FOUND */
int zygote_kp_register_interest(struct zygote *z, const char *kpid);

/* Capdata as readable JSON; errors as {"@error":…}, see above.
 * out    *json  to be freed
 * Upstream: kunser.
 * fails  ZYGOTE_FAILED it does not decode. */
int zygote_capdata_to_json(struct zygote *z, const struct zygote_capdata *data, char **json);
/* JSON as capdata.  Upstream: kser.
 * out    *out  to be freed
 * fails  ZYGOTE_MISUSE bad JSON; ZYGOTE_NOT_FOUND a reference in it. */
int zygote_capdata_from_json(struct zygote *z, const char *json, struct zygote_capdata **out);

/* -- running ---------------------------------------------------------------------------- */

/* How many rows of a terminated vat; as a budget, how many at most.  In the order in which
 * they are deleted. */
struct zygote_cleanup {
    uint64_t exports, imports, promises, kv, snapshots, transcripts;
};
#define ZYGOTE_UNLIMITED UINT64_MAX

/* What a fork wrote: rows of the child, and the parent's heap, if its snapshot was not
 * current.  Nothing of it is in the computrons. */
struct zygote_forked {
    uint64_t vatstore_keys, vatstore_bytes; /* names and values */
    uint64_t clist_entries;
    uint64_t snapshot_bytes;                /* not compressed */
};

struct zygote_crank {
    uint64_t computrons;           /* 0: none were counted */
    struct zygote_cleanup cleaned; /* did_cleanup */
    struct zygote_forked forked;   /* vat_created, of a fork; crank_complete, of a seal, of a vat
                                      taken offline, or of a fork that was refused late */
};

/* Asked after each crank whether to go on.  A function that is NULL says yes, and allows
 * cleanup without limit.  Upstream: a RunPolicy (docs/run-policy.md). */
struct zygote_run_policy {
    void *self; /* passed to each */
    /* May a terminated vat be cleaned up now?  `budget` comes in unlimited, and limits each
     * phase of the next crank (0 counts as 1). */
    bool (*allow_cleanup)(void *self, struct zygote_cleanup *budget);
    /* Also of a fork, whose computrons are those of its parent's bringOutYourDead. */
    bool (*vat_created)(void *self, const struct zygote_crank *crank);
    bool (*crank_complete)(void *self, const struct zygote_crank *crank);
    /* The run has failed, and is over whatever the answer. */
    bool (*crank_failed)(void *self, const struct zygote_crank *crank);
    bool (*empty_crank)(void *self); /* nothing was delivered: a message was routed, … */
    bool (*did_cleanup)(void *self, const struct zygote_crank *crank);
};

/* Run until nothing is left to do, or the policy (NULL: no limit) says to stop.
 * out    *cranks  how many ran, also on failure.  May be NULL.
 * Upstream: controller.run.
 * fails  ZYGOTE_VAT the kernel panicked; otherwise the world's fault.  The crank that failed
 *        is undone; those before it stand, and can be committed. */
int zygote_run(struct zygote *z, const struct zygote_run_policy *policy, uint64_t *cranks);
/* Run one crank.
 * out    *ran  false: nothing is left to do.  May be NULL.
 * Upstream: controller.step.  fails as zygote_run. */
int zygote_step(struct zygote *z, bool *ran);

/* What a ready-made policy counts with; yours to keep while the policy is in use.  Make the
 * policy anew to start over. */
struct zygote_policy_state {
    uint64_t limit, count, vats_limit, vats_count, cleanup_budget;
    bool count_empty, once;
};
/* No limit.  Upstream: foreverPolicy. */
struct zygote_run_policy zygote_policy_forever(void);
/* So many cranks, so many new vats.  `count_empty`: cranks that deliver nothing count, too.
 * A vat's cleanup is done 100 rows of each phase at a time.  Upstream: crankCounter. */
struct zygote_run_policy zygote_policy_crank_count(struct zygote_policy_state *state,
                                                   uint64_t max_cranks, uint64_t max_vats,
                                                   bool count_empty);
/* So many computrons; a new vat counts 100,000, and what a fork wrote as many as take about
 * the same time (100 a row, 1 for 4 bytes).  `cleanup_budget` rows of each phase at a time;
 * 0: 100.  Upstream: computronCounter. */
struct zygote_run_policy zygote_policy_computron_limit(struct zygote_policy_state *state,
                                                       uint64_t computrons,
                                                       uint64_t cleanup_budget);
/* Until so many seconds from now have passed.  Upstream: wallClockWaiter. */
struct zygote_run_policy zygote_policy_wall_clock(struct zygote_policy_state *state,
                                                  double seconds);
/* No limit, but terminated vats stay.  Upstream: noCleanup. */
struct zygote_run_policy zygote_policy_no_cleanup(void);
/* No limit, but one crank of cleanup, of so many rows a phase.  Upstream: someCleanup. */
struct zygote_run_policy zygote_policy_some_cleanup(struct zygote_policy_state *state,
                                                    uint64_t budget);

/* -- vats ------------------------------------------------------------------------------- */

/* The ID of a living vat.  Upstream: controller.vatNameToID, of static vats only.
 * fails  ZYGOTE_NOT_FOUND, naming the nearest; ZYGOTE_MISUSE several vats have the name. */
int zygote_vat_name_to_id(struct zygote *z, const char *name, struct zygote_id *vat);
/* Upstream: controller.deviceNameToID.  fails ZYGOTE_NOT_FOUND */
int zygote_device_name_to_id(struct zygote *z, const char *name, struct zygote_id *device);

/* Keep a static vat's root for ever.
 * out    *root  its name.  May be NULL.
 * Upstream: controller.pinVatRoot.  fails ZYGOTE_NOT_FOUND */
int zygote_pin_vat_root(struct zygote *z, const char *vat, struct zygote_id *root);
/* End a vat, given by its ID; it is deleted by the next cranks.  `reason`, which its admin
 * node's done() is rejected with, may not hold references.
 * Upstream: controller.terminateVat.
 * fails  ZYGOTE_NOT_FOUND no such vat; ZYGOTE_MISUSE the reason; ZYGOTE_VAT it was critical:
 *        the kernel has panicked, and nothing can be committed any more. */
int zygote_terminate_vat(struct zygote *z, const char *vat,
                         const struct zygote_capdata *reason);
/* Upgrade a static vat to an installed bundle.  `options` is a JSON record of vatParameters
 * and upgradeMessage, or NULL; `pause_first` has the vat's root asked to pauseService first.
 * out    *kpid  promise of the result, as of a message.  May be NULL.
 * Upstream: controller.upgradeStaticVat.
 * fails  ZYGOTE_NOT_FOUND no such vat or bundle, no vat-admin; ZYGOTE_MISUSE bad JSON. */
int zygote_upgrade_static_vat(struct zygote *z, const char *vat, bool pause_first,
                              const char *bundle_id, const char *options,
                              struct zygote_id *kpid);
/* Check and install a bundle, given as JSON.  `alleged` is what you take its ID to be, or
 * NULL.  Upstream: controller.validateAndInstallBundle.
 * fails  ZYGOTE_MISUSE not JSON; ZYGOTE_INCOMPATIBLE not an endoZipBase64 bundle with its
 *        hash; ZYGOTE_INTEGRITY hash and contents disagree, or it is another bundle. */
int zygote_validate_and_install_bundle(struct zygote *z, const char *json, size_t length,
                                       const char *alleged, struct zygote_bundle_id *id);

/* Where a vat's transcript ended. */
struct zygote_position {
    struct zygote_id vat;
    uint64_t position;
};
/* Have every vat bring out its dead that ran since `before` (NULL: ever).
 * out    *after  positions to pass next time, to be freed.  May be NULL, with its count.
 * Upstream: controller.reapAllVats. */
int zygote_reap_all_vats(struct zygote *z, const struct zygote_position *before,
                         size_t before_count, struct zygote_position **after,
                         size_t *after_count);
/* Save a heap snapshot of every vat that did something since its last.
 * out    *vats  which they were, to be freed.  May be NULL, with its count.
 * Upstream: controller.snapshotAllVats. */
int zygote_snapshot_all_vats(struct zygote *z, struct zygote_id **vats, size_t *count);

#define ZYGOTE_NEVER (-1)
/* 0 leaves an option as it is. */
struct zygote_kernel_options {
    int64_t default_reap_interval;  /* deliveries, or ZYGOTE_NEVER */
    int64_t default_reap_gc_krefs;  /* likewise */
    int64_t snapshot_interval;      /* transcript entries between snapshots */
    int64_t max_vats;               /* how many there may be: the config's limits.maxVats; or
                                       ZYGOTE_NEVER, no limit.  Not with "zygotes": false */
};
/* Upstream: controller.changeKernelOptions, but for max_vats.
 * fails  ZYGOTE_MISUSE a number out of range */
int zygote_change_kernel_options(struct zygote *z, const struct zygote_kernel_options *options);
/* Queue what an upgrade of the store's schema left to be done.
 * Upstream: controller.injectQueuedUpgradeEvents. */
int zygote_inject_queued_upgrade_events(struct zygote *z);

/* -- forks ------------------------------------------------------------------------------- */

/* What becomes of a parent's promises. */
enum zygote_fork_promises {
    ZYGOTE_STRICT = 0, /* a parent that has any is refused */
    ZYGOTE_SHARE       /* the child decides its own of those that the parent decides, and hears
                          with the parent of those that it waits for */
};
/* A zeroed struct is a child without a name, with all the rest as its parent. */
struct zygote_fork_options {
    const char *name; /* of the child, or NULL */
    size_t ref_count;
    const char *const *refs; /* objects of the parent that the child is to have exported, too */
    enum zygote_fork_promises promises;
    const char *meter;     /* of the child, by ID; NULL: its parent's, if it has one */
    bool critical;         /* its end is the kernel's */
    int64_t reap_interval; /* deliveries between bringOutYourDead, or ZYGOTE_NEVER; 0: as its
                              parent */
};
/* Fork a vat, given by name or ID: run the kernel to have it done, and ask zygote_forked what
 * came of it.  `options` may be NULL.
 * out    *child  its ID
 * Upstream has no such function; agoric-sdk #2268 asks for it.
 * fails  ZYGOTE_NOT_FOUND no such vat, object or meter; ZYGOTE_MISUSE the options;
 *        ZYGOTE_REFUSED it cannot be forked. */
int zygote_fork(struct zygote *z, const char *vat, const struct zygote_fork_options *options,
                struct zygote_id *child);

struct zygote_child {
    struct zygote_id root;        /* empty: its parent's was dropped before */
    size_t ref_count;
    const struct zygote_id *refs; /* what the child calls each of the refs of its fork */
};
/* What became of a fork that this handle asked for.  The host holds the child's root, and
 * what is in `refs`, until the child ends.
 * out    *out  to be freed, by one zygote_free; may be NULL
 * fails  ZYGOTE_NOT_FOUND no such fork was asked for, or the child has ended; ZYGOTE_FAILED the kernel has to run first;
 *        ZYGOTE_REFUSED there is no child, and why: what zygote_fork did not refuse may have
 *        changed until its turn came. */
int zygote_forked(struct zygote *z, const char *child, struct zygote_child **out);
/* Seal a vat, by the next run: it becomes a template, to be forked and nothing else.
 * fails  as zygote_fork. */
int zygote_zygotify(struct zygote *z, const char *vat);
/* Save a vat's heap and end its worker, by the next run; the next message brings it back.
 * fails  as zygote_fork. */
int zygote_take_offline(struct zygote *z, const char *vat);
/* What a fork's child calls an object of its parent, once it exists.
 * fails  ZYGOTE_NOT_FOUND no such vat; the child does not have it. */
int zygote_counterpart(struct zygote *z, const char *parent, const char *ref,
                       const char *child, struct zygote_id *out);

/* -- zygotes as files -------------------------------------------------------------------- */

/* Write a vat that is sealed, or has not run since its last heap snapshot, to a file: whole,
 * or not at all.  `file` NULL: its SHA-256 and ".rom".  The store is not changed.
 * out    *hash  SHA-256 of the file, to be freed.  May be NULL.
 * fails  ZYGOTE_NOT_FOUND no such vat; ZYGOTE_REFUSED it could not be forked, or is not at
 *        rest; ZYGOTE_FAILED the disk, or the file is there already and is another. */
int zygote_rom_save(struct zygote *z, const char *vat, const char *file, char **hash);

struct zygote_rom_options {
    const char *name;  /* of the vat; NULL: that in the file */
    const char *meter; /* "m1", or "none"; must be said of a vat that was metered */
    size_t import_count;
    const char *const *imports; /* "o-50=bootstrap", "o-50=ko23", "d-70=vatAdmin",
                                   "d-70=bundle:ID or name" */
};
/* Make a sealed vat of such a file.  Each import of it must be said what it is to be here;
 * zygote(1)'s `rom inspect` lists them.  A file is code: load one as you would run one.
 * `options` may be NULL.
 * out    *vat   its ID
 *        *kpid  promise of the handle that E(handle).fork() is asked of, as of a message.
 *               May be NULL.
 * fails  ZYGOTE_NOT_FOUND no such file, or what an import names; ZYGOTE_INTEGRITY the file is
 *        damaged, or its heap does not start; ZYGOTE_INCOMPATIBLE it is for another engine,
 *        or other lockdown and supervisor bundles; ZYGOTE_REFUSED imports that are missing,
 *        too many or twice the same, a meter that is not said; ZYGOTE_MISUSE an import that
 *        is not NAME=TARGET.  After a failure do not commit. */
int zygote_rom_load(struct zygote *z, const char *file, const struct zygote_rom_options *options,
                    struct zygote_id *vat, struct zygote_id *kpid);

/* A vat, and where it came from. */
struct zygote_relative {
    struct zygote_id vat;
    const char *name;           /* "": none */
    bool sealed;
    bool gone;                  /* terminated; its transcript is kept for its descendants */
    uint64_t children;          /* forked from it, that are not gone with all of their own */
    struct zygote_id parent;    /* empty: it is no fork; else its parent, … */
    uint64_t incarnation, position; /* … that one's incarnation and transcript position then, */
    char snapshot[65];          /* … and the heap snapshot both start from */
    uint64_t cranks;            /* since then; UINT64_MAX: not known, or it is no fork */
    char heap[65];              /* its own snapshot in use; empty: none */
};
/* All vats, and those that are gone but for their transcript, in the order they were made.
 * out    *out    to be freed, by one zygote_free
 *        *count  how many */
int zygote_family(struct zygote *z, struct zygote_relative **out, size_t *count);

/* -- devices ----------------------------------------------------------------------------- */

/* What the host tells its devices between runs.  `device` is the name of one in the config,
 * or NULL for the only one of its kind.  Messages to vats are queued: run the kernel
 * afterwards, and commit.  What a call that fails did before stays done.
 * fails, each  ZYGOTE_NOT_FOUND no such device; ZYGOTE_MISUSE several, and none named, or bad
 *              JSON; ZYGOTE_FAILED what upstream's throws: no handler, time runs backwards. */

/* Tell the timer what time it is.
 * out    *woke  somebody is to be woken.  May be NULL.
 * Upstream: buildTimer's poll. */
int zygote_timer_poll(struct zygote *z, const char *device, uint64_t now, bool *woke);
/* Deliver what a peer sent: `messages` a JSON array of [number, body], `ack` a JSON number.
 * Upstream: buildMailbox's deliverInbound. */
int zygote_mailbox_deliver(struct zygote *z, const char *device, const char *peer,
                           const char *messages, const char *ack);
/* What is to be sent, as JSON: {PEER: {"inboundAck": number, "outbox": [[number, body], …]}}.
 * out    *json  to be freed
 * Upstream: exportMailboxData. */
int zygote_mailbox_export(struct zygote *z, const char *device, char **json);
/* Call the bridge's handler with a JSON array of arguments.
 * Upstream: buildBridge's deliverInbound. */
int zygote_bridge_inbound(struct zygote *z, const char *device, const char *args);
/* Send a command, which is JSON; command_response gets its answer, under *count.
 * out    *count  also if sending failed.  May be NULL.
 * Upstream: buildCommand's inboundCommand. */
int zygote_command_inbound(struct zygote *z, const char *device, const char *json,
                           uint64_t *count);
/* Move one message that a loopbox has queued.
 * out    *passed  there was one.  May be NULL.
 * Upstream: buildLoopbox's passOneMessage. */
int zygote_loopbox_pass(struct zygote *z, const char *device, bool *passed);

/* -- looking ----------------------------------------------------------------------------- */

/* Each gives one JSON object, to be freed. */

/* The kernel's tables, promises, objects and queues.  Upstream: controller.dump. */
int zygote_dump(struct zygote *z, char **json);
/* Counters and gauges.  Upstream: controller.getStats. */
int zygote_get_stats(struct zygote *z, char **json);
/* activeVats, the vats with a worker: [{"id":…,"options":…}]; and the lengths of the queues,
 * how many vats there are, the crank's number.  Upstream: controller.getStatus, which has
 * activeVats only. */
int zygote_get_status(struct zygote *z, char **json);
/* Write an object of your own to the slog, which must have a text "type", and no "time" or
 * "monotime": those are added to it.  Its JSON is taken as it is; nothing is written if
 * nobody asked for a slog.  Upstream: controller.writeSlogObject.
 * fails  ZYGOTE_MISUSE bad JSON, or another object. */
int zygote_write_slog_object(struct zygote *z, const char *json);

/* 64 hexadecimal digits; empty before the first crank.
 * Upstream: controller.getActivityhash. */
int zygote_get_activityhash(struct zygote *z, char out[65]);

#ifdef __cplusplus
}
#endif

#endif
