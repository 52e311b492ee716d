/* controller.h -- one store, its kernel and its workers, as one thing.
 *
 * Calling sequence:
 *
 *   controller_create                    once per store
 *   controller_open                      every process
 *     controller_run, _send, _fork, …    cranks; committed every CONTROLLER_BLOCK cranks
 *     controller_commit                  what was done since is durable
 *   controller_close                     ends the workers; commits nothing
 *
 * An error is final: controller_run has committed the cranks before the one that failed;
 * what else was not committed is dropped by controller_close.
 *
 * CONTROLLER_LOOK opens the store read only, beside a writer if there is one: it sees the
 * last commit, starts no worker and changes nothing.
 */
#pragma once

#include "host/config.h"
#include "kernel/devices.h"
#include "kernel/replay.h"

struct controller;

enum controller_mode { CONTROLLER_LOOK, CONTROLLER_WRITE };
enum { CONTROLLER_BLOCK = 1000 /* cranks per commit */ };

/* What happens meanwhile; any function may be NULL.  `text` is as hostile as its vat. */
struct controller_sink {
    void *self;
    void (*console)(void *self, vat_id vat, struct span level, struct span text);
    void (*note)(void *self, struct span text);
    void (*forked)(void *self, vat_id child, struct span refused); /* as the kernel's */
    void (*crank)(void *self, uint64_t number, struct span message, const char *crankhash,
                  const char *activityhash);
    void (*slog)(void *self, const struct slog_event *event); /* as the kernel's */
    const struct device_host *devices; /* the host's side of devices (kernel/devices.h) */
};

/* How to open; zeroed, as the command line does. */
struct controller_options {
    const char *worker, *cache; /* NULL: see host/paths.h; kept */
    uint64_t max_vats_online;   /* 0: what the config said */
    struct store_options store;
};

/* Is there a store that a kernel was initialised in? */
bool controller_exists(const char *dir);

/* Make a store from a config.  Nothing is left behind if that fails.
 * out    *bootstrap  promise of the bootstrap message's result
 * fails  as store_open(STORE_CREATE) and kernel_genesis; a bad bundle is named. */
int controller_create(const char *dir, const struct config *config, kref *bootstrap,
                      struct err *e) MUST_CHECK;

/* fails  as store_open and kernel_open; EXIT_NOT_FOUND no worker program. */
int controller_open(const char *dir, enum controller_mode mode,
                    const struct controller_sink *sink, struct controller **out,
                    struct err *e) MUST_CHECK;
int controller_open_with(const char *dir, enum controller_mode mode,
                         const struct controller_options *options,
                         const struct controller_sink *sink, struct controller **out,
                         struct err *e) MUST_CHECK;
void controller_close(struct controller *c);

struct kernel *controller_kernel(struct controller *c);
struct store *controller_store(struct controller *c);

/* Run to quiescence, or until `max` cranks ran (0: no limit), committing on the way.
 * out    *cranks     how many ran
 *        *quiescent  nothing is left to do */
int controller_run(struct controller *c, uint64_t max, uint64_t *cranks, bool *quiescent,
                   struct err *e) MUST_CHECK;
int controller_commit(struct controller *c, struct err *e) MUST_CHECK;

/* Tell every timer device what time it is.  Other devices are the kernel's: their host calls
 * (kernel/devices.h) go to controller_kernel().
 * out    *timers  how many there are;  *woke  something is to be woken: run
 * fails  as kernel_timer_poll: EXIT_FAILED, it was later already */
int controller_poll_timers(struct controller *c, uint64_t now, size_t *timers, bool *woke,
                           struct err *e) MUST_CHECK;

/* The bootstrap message's result promise, until it is taken; KREF_INVALID after that. */
kref controller_bootstrap(struct controller *c);
void controller_forget_bootstrap(struct controller *c);
/* SHA-256 of the config file the store was made from (absent: another program made it). */
struct span controller_config_hash(struct controller *c);

/* Find a living vat by name or "v7".
 * fails  EXIT_NOT_FOUND, naming the nearest name; EXIT_USAGE several vats have the name. */
int controller_find_vat(struct controller *c, const char *name, vat_id *out,
                        struct err *e) MUST_CHECK;
/* The same, its root (EXIT_NOT_FOUND too if it was collected); or an object, by "ko12". */
int controller_find(struct controller *c, const char *target, kref *out,
                    struct err *e) MUST_CHECK;
/* A reference in an argument: what controller_find finds, or a promise.  A value_resolve
 * (host/value.h), whose context is the controller. */
int controller_resolve(void *controller, struct arena *a, struct span ref, struct span *text,
                       struct err *e) MUST_CHECK;
/* Replay a vat (kernel/replay.h) in a worker of its own.
 * call   with CONTROLLER_LOOK: nothing is changed.
 * fails  as kernel_replay; EXIT_NOT_FOUND no worker program. */
int controller_replay(struct controller *c, const struct replay_request *r,
                      struct replay_report *out, struct err *e) MUST_CHECK;
/* Two vats' heaps as they are now: each vat is replayed from its snapshot in a worker of its
 * own, its heap is written, and what was written is loaded anew to count the pages.
 * call   with CONTROLLER_LOOK: nothing is changed. */
struct controller_heaps {
    bool same;              /* the same snapshot came of both: no page differs, none was counted */
    uint64_t bytes_a, bytes_b;
    uint64_t equal, different, only_a, only_b; /* pages of 4 KiB */
};
int controller_compare_heaps(struct controller *c, vat_id a, vat_id b,
                             struct controller_heaps *out, struct err *e) MUST_CHECK;
/* What a vat's worker weighs; false if it has none now.  Looking, of the process that has the
 * store open for writing, as it was when first asked. */
struct controller_memory {
    uint64_t pss_kib;     /* its share of what it shares, and all it does not */
    uint64_t private_kib, shared_kib;
};
bool controller_memory(struct controller *c, const struct vat_info *vat,
                       struct controller_memory *out);
