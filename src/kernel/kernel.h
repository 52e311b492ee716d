/* kernel.h -- the kernel as the host sees it.
 *
 * Calling sequence:
 *
 *   store_open … kernel_genesis            once per store: writes the initial state
 *   store_open … kernel_open               every process
 *     kernel_send, kernel_run, …           any number of times
 *     store_commit                         when the host wants what was done kept
 *   kernel_close                           ends the machines; commits nothing
 *
 * One crank = one delivery: its changes are kept or dropped whole.  One block = what lies
 * between two store_commit calls.
 *
 * Errors: a vat's fault never shows here as an error; the vat is terminated in a normal
 * crank.  An error return is the world's fault, or a kernel panic (a critical vat failed, a
 * promise with policy "panic" was rejected).  The crank it happened in is undone; those
 * before it stand, and may be committed.  Then the host must close.
 */
#pragma once

#include "kernel/marshal.h"
#include "kernel/vat_port.h"
#include "store/store.h"

struct kernel;

/* -- genesis --------------------------------------------------------------------- */

enum { REAP_DEFAULT = -1, REAP_NEVER = -2 };

struct genesis_vat {
    struct span name;
    struct span bundle_id;
    const struct pass *parameters; /* NULL: {} */
    bool critical;
    bool enable_pipelining;
    bool enable_disavow;
    bool never_reap;
    bool comms;              /* upstream's comms vat, which runs in the kernel (comms.h) */
    int64_t reap_interval;   /* deliveries, REAP_NEVER, or REAP_DEFAULT: not given */
    int64_t reap_gc_krefs;   /* likewise */
};

struct genesis_device {
    struct span name;
    struct span bundle_id;
    struct span kind;         /* which native device: "vatAdmin", "timer", …; not recorded */
    struct span options_json; /* dNN.options, as upstream would have it: creationOptions
                                 with deviceParameters; absent: {"deviceParameters":{}} */
};

struct genesis_bundle {
    struct span name;      /* absent: known by its ID only */
    struct span json_text; /* the bundle */
};

/* Everything in the order upstream's initializeSwingset would have put it in. */
struct genesis {
    size_t bundle_count;
    const struct genesis_bundle *bundles; /* every bundle a vat or device names, and named ones */
    size_t vat_count;
    const struct genesis_vat *vats;       /* bootstrap, vatAdmin, comms, vattp, timer, rest sorted */
    size_t device_count;
    const struct genesis_device *devices; /* sorted by name; "vatAdmin" must be among them */
    size_t boot_count;
    struct span boot[4];                  /* JSON texts of the lockdown and supervisor bundles */
    struct span bootstrap;                /* name of the bootstrap vat; may be absent */
    bool pin_bootstrap_root;
    bool relax_durability_rules;
    struct span default_manager_type;     /* recorded as given: "xsnap" */
    int64_t default_reap_interval;        /* deliveries, or REAP_NEVER; REAP_DEFAULT: 1 */
    int64_t default_reap_gc_krefs;        /* REAP_DEFAULT: 20 */
    int64_t snapshot_initial;             /* -1: 3 */
    int64_t snapshot_interval;            /* -1: 200 */
    bool zygotes;                         /* forks enabled: recorded as "zygote.enabled" */
    uint64_t max_vats;                    /* 0: no limit; only with zygotes (limits.h) */
};

/* Is a device of this kind (device_kind.h) built in? */
bool kernel_has_device(struct span kind);

/* Write the initial kernel state and queue bootstrap.
 * out   *result  the promise of bootstrap's result (KREF_INVALID without a bootstrap vat)
 * fails EXIT_FAILED already initialised; EXIT_INTEGRITY, EXIT_INCOMPATIBLE a bad bundle;
 *       EXIT_USAGE a name that is not allowed. */
int kernel_genesis(struct store *s, const struct genesis *g, kref *result, struct err *e) MUST_CHECK;

/* -- running --------------------------------------------------------------------- */

/* One line of the slog (kernel/slog.h): a JSON object without the members that take a clock.
 * Whoever writes it adds `time` and `monotime` at the end, and behind them `seconds`, since
 * the start of the same span, to an event that finishes one.  No span is open twice. */
enum slog_span {
    SLOG_POINT = 0, SLOG_CRANK, SLOG_STARTUP, SLOG_REPLAY, SLOG_DELIVERY, SLOG_SYSCALL,
    SLOG_FORK, SLOG_PAGE_IN,
};
enum { SLOG_SPANS = SLOG_PAGE_IN + 1 };
struct slog_event {
    struct span json_text; /* good for this call */
    enum slog_span span;   /* SLOG_POINT: of no duration */
    bool finish;           /* it ends the span; otherwise it starts it */
};

/* What the kernel has to say while it runs; any may be NULL. */
struct kernel_sink {
    void *self;
    void (*console)(void *self, vat_id vat, struct span level, struct span text);
    void (*note)(void *self, struct span text);      /* "terminated v7: …", for people */
    /* A fork's crank has run: there is the child, or why not.  It may be undone by a panic. */
    void (*forked)(void *self, vat_id child, struct span refused);
    void (*crank)(void *self, uint64_t number, struct span message, const char *crankhash,
                  const char *activityhash);         /* after each crank */
    void (*step)(void *self, const char *label);     /* crash tests: a labelled point passed */
    void (*slog)(void *self, const struct slog_event *event);
};

struct device_host; /* kernel/devices.h */

struct kernel_options {
    size_t max_vats_online;  /* 0: 50 */
    const struct device_host *devices; /* the host's side of devices; NULL: it has none */
    struct kernel_sink sink;
    /* Bring half of max_vats_online online at once, as upstream does, and not each vat when
     * it is first needed.  Only the slog can tell the difference. */
    bool preload;
};

/* `port` NULL: only to look (the functions under "looking", kernel_find of what exists);
 * the store may be read only.
 * fails EXIT_INCOMPATIBLE no kernel state in the store, or of another version; a device that
 *       is not built in; with `preload`, what bringing a vat online can fail with. */
int kernel_open(struct store *s, const struct vat_port *port, const struct kernel_options *o,
                struct kernel **out, struct err *e) MUST_CHECK;
void kernel_close(struct kernel *k);
struct store *kernel_store(struct kernel *k);

/* Run cranks until the queues are empty, or `max` were run (0: no limit).
 * out  *cranks  how many ran (written also on failure). */
int kernel_run(struct kernel *k, uint64_t max, uint64_t *cranks, struct err *e) MUST_CHECK;

/* Rows of a dead vat, by the phases of its deletion, in their order. */
struct cleanup_work {
    uint64_t exports, imports, promises, kv, snapshots, transcripts;
};
#define CLEANUP_UNLIMITED UINT64_MAX /* a phase's budget */

enum crank_kind {
    CRANK_EMPTY = 0, /* no delivery: routing, a dead letter, an upgrade that worked */
    CRANK_DELIVERY,
    CRANK_CREATE_VAT,
    CRANK_CLEANUP,
};

/* What a crank that forked, sealed or took offline a vat wrote, beside a delivery's: rows of
 * a child, and its parent's heap, if that had to be saved first. */
struct fork_work {
    uint64_t vatstore_keys, vatstore_bytes; /* names and values */
    uint64_t clist_entries;
    uint64_t snapshot_bytes;                /* as they come from the machine, unpacked */
};

/* What a crank did, for a run policy.  A fork that made a child is a CRANK_CREATE_VAT; one
 * that was refused after its parent brought out its dead, and a seal, a CRANK_DELIVERY: the
 * computrons are those of the bringOutYourDead. */
struct crank_report {
    enum crank_kind kind;
    uint64_t computrons;         /* 0: none were counted */
    struct cleanup_work cleaned; /* CRANK_CLEANUP */
    struct fork_work forked;
};

/* Upstream's run policy (docs/run-policy.md): asked after each crank whether to go on.  Any
 * function may be NULL: go on, and clean up without limit.  A crank that fails is an error
 * of the run, as it is upstream, where crankFailed is never called. */
struct run_policy {
    void *self;
    /* May a dead vat be cleaned up now, and how much of it?  False: not now.  `budget` comes
     * in unlimited; each phase in turn ends the crank when its budget is spent.
     * call  every phase's budget is at least 1. */
    bool (*allow_cleanup)(void *self, struct cleanup_work *budget);
    bool (*vat_created)(void *self, const struct crank_report *r);
    bool (*crank_complete)(void *self, const struct crank_report *r);
    bool (*empty_crank)(void *self, const struct crank_report *r);
    bool (*did_cleanup)(void *self, const struct crank_report *r);
};

/* Run cranks until the queues are empty, `max` were run (0: no limit), or the policy says
 * stop (NULL: it never does). */
int kernel_run_by(struct kernel *k, const struct run_policy *policy, uint64_t max,
                  uint64_t *cranks, struct err *e) MUST_CHECK;

/* -- what a host may do between runs (upstream's controller) ------------------------ */

/* Where each vat's transcript ended. */
struct vat_position {
    vat_id vat;
    uint64_t end;
};
/* Have every vat that ran since `before` (NULL: ever) bring out its dead.
 * out  *after  positions to pass next time; in the store's arena.  May be NULL. */
void kernel_reap_all(struct kernel *k);
size_t kernel_reap_since(struct kernel *k, const struct vat_position *before, size_t count,
                         struct vat_position **after);

/* Save a heap snapshot of every vat that did anything since its last.
 * out  *vats  which they were; in the store's arena */
int kernel_snapshot_all(struct kernel *k, vat_id **vats, size_t *count, struct err *e) MUST_CHECK;

/* End a vat, now; its deletion is the next cranks' work.
 * fails  EXIT_NOT_FOUND no such vat; EXIT_USAGE the reason holds references; EXIT_VAT the
 *        vat was critical: the kernel has panicked. */
int kernel_terminate(struct kernel *k, vat_id vat, const struct capdata *reason,
                     struct err *e) MUST_CHECK;

/* Upgrade a static vat to an installed bundle: a message to vat-admin, whose result is
 * *result.  `options` is a record (vatParameters, upgradeMessage) or NULL.
 * fails  EXIT_NOT_FOUND no such vat, bundle, or vat-admin. */
int kernel_upgrade_static(struct kernel *k, struct span name, bool pause_first,
                          struct span bundle_id, const struct pass *options, kref *result,
                          struct err *e) MUST_CHECK;

/* Keep a static vat's root for ever.  fails  EXIT_NOT_FOUND */
int kernel_pin_root(struct kernel *k, struct span name, kref *root, struct err *e) MUST_CHECK;

/* Change what is -1 (REAP_DEFAULT) in none of these; REAP_NEVER is 'never'. */
struct kernel_changes {
    int64_t default_reap_interval, default_reap_gc_krefs, snapshot_interval;
    int64_t max_vats; /* 0: as it is; -1: no limit.  Only in a store with forks */
};
int kernel_change_options(struct kernel *k, const struct kernel_changes *c, struct err *e) MUST_CHECK;

/* Queue what upgrading the store's schema left to be done. */
void kernel_inject_upgrade_events(struct kernel *k);

/* -- messages -------------------------------------------------------------------- */

/* How the kernel takes an eventual rejection of a message nobody in a vat sent; NONE: the
 * message has no result promise at all. */
enum policy { POLICY_IGNORE = 0, POLICY_LOG_ALWAYS, POLICY_LOG_FAILURE, POLICY_PANIC, POLICY_NONE };

/* Upstream's queueToKref as the controller calls it: the result promise is registered for
 * the host ("external"), hashes are emitted. */
kref kernel_send(struct kernel *k, kref target, struct span method, const struct pass *args);
kref kernel_send_as(struct kernel *k, kref target, struct span method, const struct pass *args,
                    enum policy policy);
/* The same; the method is a string or a symbol. */
kref kernel_call(struct kernel *k, kref target, const struct pass *method,
                 const struct pass *args, enum policy policy);
/* Find a target: "vatname", "v7", "ko12", … ; a vat's root is exported if need be.
 * fails  EXIT_NOT_FOUND */
int kernel_find(struct kernel *k, struct span target, kref *out, struct err *e) MUST_CHECK;
/* The root of a living vat.
 * fails  EXIT_NOT_FOUND  no such vat; nobody holds its root any more, so it is gone */
int kernel_find_root(struct kernel *k, vat_id vat, kref *out, struct err *e) MUST_CHECK;

enum promise_state { PROMISE_UNKNOWN = 0, PROMISE_UNRESOLVED, PROMISE_FULFILLED, PROMISE_REJECTED };
enum promise_state kernel_promise_state(struct kernel *k, kref promise);
/* Data of a settled promise: the host's hold moves from it to what its data names
 * (upstream's kpResolution). */
bool kernel_promise_take(struct kernel *k, kref promise, struct capdata *out);
/* The same; `hold` false: the host takes no hold of what the data names (incref: false). */
bool kernel_promise_take_as(struct kernel *k, kref promise, bool hold, struct capdata *out);
/* Count one more hold of the host's on a promise (kpRegisterInterest). */
void kernel_promise_hold(struct kernel *k, kref promise);

/* Install a bundle in a running kernel (upstream's validateAndInstallBundle).  `alleged` is
 * what the caller takes its ID to be, or absent; `id` lives in `keep`.
 * fails  as bundle_check(strictly); nothing is installed */
int kernel_install_bundle(struct kernel *k, struct arena *keep, struct span json_text,
                          struct span alleged, struct span *id, struct err *e) MUST_CHECK;

/* -- forks, from the host (fork.md section 1) ------------------------------------- */

/* Queue a fork, or a seal, of `vat` as if its admin facet had asked; run the kernel to
 * have it done.  A fork's child is known at once; it exists after its crank.
 * `notify` false: nobody in the swingset asked, so vat-admin learns of the child but no
 * promise of its waits.
 * fails EXIT_NOT_FOUND no such vat or meter; EXIT_USAGE a name no vat may have; EXIT_POLICY
 * refused, with the reason. */
struct fork_options {
    struct span name;       /* SPAN_NONE: none; the parent's is not inherited */
    struct span meter;      /* a meter's ID, or SPAN_NONE: the parent's meter, if it has one */
    bool critical;
    bool share;             /* promises: 'share'; otherwise the parent must hold none */
    int64_t reap_interval;  /* deliveries, REAP_NEVER, or REAP_DEFAULT: the parent's */
};

struct fork_request {
    vat_id vat;
    struct fork_options options;
    size_t ref_count;
    const kref *refs;       /* exports of the parent to be renamed in the child */
};
int kernel_fork(struct kernel *k, const struct fork_request *r, vat_id *child, struct err *e) MUST_CHECK;
int kernel_zygotify(struct kernel *k, vat_id vat, struct err *e) MUST_CHECK;
/* Queue that a vat be taken offline (offline.h).  fails  likewise */
int kernel_take_offline(struct kernel *k, vat_id vat, struct err *e) MUST_CHECK;

/* Let the vats of a store be forked that was made with "zygotes": false, or by upstream, or
 * that upstream has run meanwhile: its vat-admin vat is to run our bundle by now.
 * out    *changed  false: all was so already
 * fails  EXIT_INTEGRITY  a reference count that is wrong by more than upstream's leaks; the
 *        first is named. */
int kernel_enable_forks(struct kernel *k, bool *changed, struct err *e) MUST_CHECK;
/* Events in the queues that upstream's kernel does not know; in the store's arena. */
struct event_info {
    bool accepted;    /* it is on the run queue */
    struct span type; /* "fork-vat" */
    vat_id vat;       /* of which */
};
size_t kernel_own_events(struct kernel *k, struct event_info **out);
bool kernel_forks_enabled(const struct kernel *k);
/* What a static vat runs, by ID; absent: there is no such vat. */
struct span kernel_static_bundle(struct kernel *k, struct span name);

/* -- looking --------------------------------------------------------------------- */

struct vat_info {
    vat_id vat;
    struct span name;            /* may be empty */
    bool is_static, sealed, critical, online;
    bool gone;                   /* terminated, but its transcript is its descendants' past */
    vat_id forked_from;          /* n == 0: not a fork */
    uint64_t forked_position;    /* the parent's transcript position then */
    uint64_t forked_incarnation; /* the parent's */
    uint64_t cranks_since;       /* the fork; UINT64_MAX: not known, or not a fork */
    char forked_snapshot[SHA256_HEX + 1];
    uint64_t children;           /* forked from it, and not gone with all their own */
    uint64_t incarnation, deliveries; /* transcript end position */
    uint64_t clist_entries, vatstore_keys, vatstore_bytes;
    struct span bundle_id;
    bool has_snapshot;
    char snapshot[SHA256_HEX + 1];
    struct vat_machine *machine; /* NULL unless online in this process */
};
/* Living vats: static ones by name, then dynamic ones in creation order. */
size_t kernel_vats(struct kernel *k, struct arena *a, struct vat_info **out);
/* One of them; false if it does not live. */
bool kernel_vat(struct kernel *k, struct arena *a, vat_id vat, struct vat_info *out);
/* Living vats, and those that are gone but for their transcript (lineage.h), by number. */
size_t kernel_family(struct kernel *k, struct arena *a, struct vat_info **out);

/* What a vat weighs in the store, as of the last commit.
 * cost  reads all of the vat's rows */
struct vat_sizes {
    uint64_t deliveries;       /* in its own transcript: since it was created, or forked */
    uint64_t kv_bytes, transcript_bytes; /* rows that only it has: names and values */
    uint64_t snapshot_bytes;   /* of the snapshot in use, as stored */
    uint64_t snapshot_users;   /* how many vats have that snapshot in use; 0: there is none */
};
void kernel_vat_sizes(struct kernel *k, vat_id vat, struct vat_sizes *out);
bool kernel_vat_exists(struct kernel *k, vat_id vat); /* it lives, sealed or not */
/* Upstream's deviceNameToID. */
bool kernel_find_device(struct kernel *k, struct span name, device_id *out);
/* What the child of a fork calls `ref`, an export of its parent; KREF_INVALID if the child
 * does not have it any more. */
kref kernel_counterpart(struct kernel *k, vat_id parent, kref ref, vat_id child);
/* Empty before the first crank. */
struct span kernel_activityhash(struct kernel *k);
/* The vats with a worker in this process, as upstream's getStatus lists them:
 * [{"id":"v1","options":{…}},…] */
void kernel_active_vats(struct kernel *k, struct buf *json_text);
/* Queue lengths, crank number and such, as one JSON object. */
void kernel_status(struct kernel *k, struct buf *json_text);
/* Upstream's getStats(): every counter and gauge, one JSON object. */
void kernel_stats(struct kernel *k, struct buf *json_text);
/* Upstream's controller.dump(), as JSON: kernelTable, promises, objects, queues. */
void kernel_dump(struct kernel *k, struct buf *json_text);

/* Recompute every reference count and cross-link from the whole store.
 * `report` is called once per breach.  Returns how many there were. */
typedef void audit_report(void *ctx, const char *breach);
uint64_t kernel_audit(struct store *s, audit_report *report, void *ctx);
/* The same; but what is counted and nobody in the store holds is the host's: upstream's kernel
 * leaks some references, and writes nothing down of what its host holds.  If nothing else is
 * wrong, that is recorded.
 * out  *settled  it was not recorded so before */
uint64_t kernel_audit_settling(struct store *s, bool *settled, audit_report *report, void *ctx);
