/* api.h -- what the files of zygote.h's implementation share: the handle, and how a call
 * begins and ends.
 *
 *   int zygote_thing(struct zygote *z, …)
 *   {
 *       if (!api_enter(z, API_WRITE)) return api_refused(z);
 *       int failed = …;                   writes z->err
 *       … results copied out of z->arena and the store's, if it did not fail
 *       return api_leave(z, failed);
 *   }
 *
 * Invariants:
 *   A1  z->inside while a call is under way: a callback that calls in is refused.
 *   A2  once the kernel has failed (z->ended) it is not touched but to look and commit.
 *   A3  z->arena is of the call under way.
 */
#pragma once

#include <pthread.h>

#include "host/controller.h"
#include "host/slogger.h"
#include "kernel/devices.h"
#include "zygote.h"

/* A fork that was asked for. */
struct asked_fork {
    vat_id parent, child;
    size_t ref_count;
    kref *refs;     /* of the parent */
    bool done;      /* its crank has run */
    char why[256];  /* it was refused; empty: there was a child */
};

struct zygote {
    struct zygote_options options; /* texts in `kept` */
    struct controller *controller; /* NULL: it is not open */
    struct kernel *kernel;
    struct slogger *slogger;       /* NULL: nobody asked for a slog */
    struct device_host devices;
    pthread_t thread;
    struct arena kept, arena;
    bool inside;
    bool ended, spoiled;           /* the kernel failed; outside of a crank */
    struct err err, why_ended;
    struct asked_fork *forks; /* of this handle */
    size_t fork_count, fork_room;
};

enum api_need { API_LOOK, API_WRITE, API_COMMIT };

/* False: the call is refused, and api_refused says how. */
bool api_enter(struct zygote *z, enum api_need need);
int api_refused(const struct zygote *z);
int api_leave(struct zygote *z, int failed);
/* The same, of what may leave the kernel unusable. */
int api_leave_run(struct zygote *z, int failed);

/* -- arguments: api_value.c ---------------------------------------------------------- */

/* JSON text; `what` it is, for the error. */
int api_json(struct zygote *z, const char *what, const char *text, struct jval *out) MUST_CHECK;
int api_value(struct zygote *z, const char *what, const char *text,
              const struct pass **out) MUST_CHECK;
/* The same, which must be an array, or NULL for an empty one. */
int api_array(struct zygote *z, const char *what, const char *text,
              const struct pass **out) MUST_CHECK;
int api_promise(struct zygote *z, const char *kpid, kref *out) MUST_CHECK;
/* Absent if NULL. */
static inline struct span api_span(const char *text)
{
    return text == NULL ? SPAN_NONE : span_of(text);
}

/* -- results ------------------------------------------------------------------------------ */

/* Freed by zygote_free. */
char *api_text(struct span s);
struct zygote_capdata *api_capdata(const struct vat_capdata *d);
struct zygote_id api_id(struct id_text text);
void api_put_kref(struct zygote_id *out, kref k); /* empty for KREF_INVALID; out may be NULL */

/* -- callbacks: api_callbacks.c ------------------------------------------------------------- */

/* What the kernel is given to call; both refer to `z`. */
struct controller_sink api_sink(struct zygote *z);
struct device_host api_devices(struct zygote *z);
/* fails  the world's: the file. */
int api_open_slog(struct zygote *z) MUST_CHECK;
/* A fork that this handle may have asked for has had its crank.  (api_forks.c) */
void api_on_forked(void *z, vat_id child, struct span refused);
void api_forget_forks(struct zygote *z);
void api_export_data(void *z, struct span key, struct span value);
