/* slog.h -- the kernel's log of everything, for tools: upstream's slog.
 *
 * One event, one JSON object, with upstream's types, members, order and values
 * (slogger.js, and whoever calls it), but for what only a clock can tell: the sink stamps
 * `time`, `monotime` and `seconds` at the end of each (kernel.h, struct slog_event).
 *
 *   create-vat  vat-startup-start/-finish  start-replay/finish-replay
 *   crank-start/-finish  deliver/deliver-result  syscall/syscall-result  clist
 *   console  terminate  heap-snapshot-save/-load  vat-cleanup/-complete  slogger-confused
 *
 * and in stores with forks, ours, in upstream's manner (with "zygotes": false there is none of
 * them, and the log is upstream's to the event):
 *
 *   fork-vat-start/-finish  zygotify-vat-start/-finish  take-offline-start/-finish
 *   page-in-start/-finish  page-out            a machine starts, and ends
 *   create-vat of a fork has forkedFrom, and no vatSourceBundle: it is its parent's
 *
 * Life of a vat's log, which console lines tell of and slogger-confused watches over:
 *
 *   unknown --create-vat--> idle <--startup--> starting
 *                           idle <--delivery--> delivering (syscalls only here)
 *
 * A vat that is first heard of in passing (its c-list changes, it is delivered to) gets a
 * create-vat of its ID alone, as upstream's does.
 *
 * Cost: with nobody listening (sink.slog NULL) k->slog is NULL, and each call here is one
 * test of that; whoever must build something for an event asks slogging() first.
 */
#pragma once

#include "kernel/state.h"
#include "store/snapshot.h"

struct slog *slog_new(void);
void slog_free(struct slog *s);

static inline bool slogging(const struct kernel *k)
{
    return k->slog != NULL;
}

/* -- cranks -------------------------------------------------------------------------------- */

/* `message`: JSON of the event that is routed or delivered. */
void slog_crank_start(struct kernel *k, bool routing, struct span message);
void slog_crank_finish(struct kernel *k, uint64_t number, const char *crankhash,
                       const char *activityhash);

/* -- a vat's machine ------------------------------------------------------------------------ */

/* Say who a vat is, once.  `startup`: a machine is starting; true if the caller is to log
 * how it goes, since it is the first one. */
bool slog_vat(struct kernel *k, vat_id vat, bool startup);
/* The vat is heard of in passing. */
void slog_mention(struct kernel *k, vat_id vat);
void slog_startup(struct kernel *k, vat_id vat, bool finish);
void slog_replay(struct kernel *k, vat_id vat, uint64_t deliveries, bool finish);
/* `brief`: the machine that was just saved goes on from its own snapshot. */
void slog_snapshot_load(struct kernel *k, vat_id vat, const struct snapshot_info *info, bool brief);
/* `before`: raw bytes of the snapshot the machine came from, 0 if it came from none. */
void slog_snapshot_save(struct kernel *k, vat_id vat, const struct snapshot_info *info,
                        uint64_t before);

/* A machine starts for the vat, and is ready: `replayed` entries of its transcript later.
 * `from`: what the port says it came from, or NULL. */
void slog_page_in(struct kernel *k, vat_id vat, const struct snapshot_info *snapshot);
void slog_paged_in(struct kernel *k, vat_id vat, const char *from, uint64_t replayed);
/* It could not be started, or replayed: paged in from nothing, and out. */
void slog_not_paged_in(struct kernel *k, vat_id vat);
/* It ends.  `why`: "evicted", "saved" (it goes on from the snapshot just saved when it is
 * needed), "stopped", "shutdown". */
void slog_page_out(struct kernel *k, vat_id vat, const char *why);

/* -- a delivery ------------------------------------------------------------------------------ */

/* The coming delivery in the kernel's names; without this both forms are the same. */
void slog_kernel_delivery(struct kernel *k, struct span kd);
/* `dispatch`: its first element, as JSON. */
void slog_deliver(struct kernel *k, vat_id vat, uint64_t position, bool replay,
                  struct span dispatch, struct span vd);
/* `value`: JSON of the reply's second element, or of what stands for it; `reply` NULL: the
 * vat runs in the kernel's process. */
void slog_deliver_result(struct kernel *k, vat_id vat, const char *status, struct span value,
                         const struct vat_reply *reply);

/* `ksc` is absent in a replay, and if the syscall could not be translated. */
void slog_syscall(struct kernel *k, vat_id vat, struct span ksc, struct jval vso);
void slog_syscall_result(struct kernel *k, vat_id vat, struct span ksr, struct span vsr);

/* `message`: ["sourcedConsole", source, level, args...]. */
void slog_console(struct kernel *k, vat_id vat, struct jval message);

/* -- the kernel's own doings ------------------------------------------------------------------- */

void slog_clist(struct kernel *k, vat_id vat, const char *mode, kref r, struct span name);
void slog_terminate(struct kernel *k, vat_id vat, bool reject, const struct capdata *info);

/* An event of ours, by its type; `parent` n == 0: none. */
void slog_fork_start(struct kernel *k, struct span type, vat_id vat, vat_id parent);
/* `refused`: why, or SPAN_NONE; `computrons`: of a bringOutYourDead, or 0. */
void slog_fork_finish(struct kernel *k, struct span type, vat_id vat, vat_id parent,
                      struct span refused, const struct fork_work *work, uint64_t computrons);
/* Say who a child is, before anything else is said of it. */
void slog_forked(struct kernel *k, vat_id child, vat_id parent);

/* What a cleanup crank deleted; `done`: the vat is forgotten. */
void slog_cleanup(struct kernel *k, vat_id vat, const struct cleanup_work *work, bool done);

/* A line of upstream's kernel console; `more` is the JSON of further arguments, with a
 * comma before each, or "". */
void slog_say_text(struct kernel *k, const char *level, struct span text, const char *more);
#define slog_say(k, level, more, ...)                                                            \
    (slogging(k) ? slog_say_text((k), level, arena_printf(kernel_arena(k), __VA_ARGS__), more)   \
                 : (void)0)
