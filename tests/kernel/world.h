/* world.h -- a kernel over a store in memory, with scripted vats (scripted.h), for tests.
 *
 *     struct world w;
 *     world_open(&w, &(struct world_setup){ .vats = { "a", "b" } });
 *     poke(&w, vat_named(&w, "a"), "send o-50 o+1 -> p+5");
 *     world_close(&w);
 *
 * Beside those asked for there are "boot", which holds every root and the vat-admin device,
 * and "vatAdmin", which only listens (its transcript tells of what).  Every crank is audited.
 */
#pragma once

#include "lib/unit.h"

#include "kernel/clist.h"
#include "kernel/device.h"
#include "kernel/external.h"
#include "kernel/fork.h"
#include "kernel/gc.h"
#include "kernel/object.h"
#include "kernel/promise.h"
#include "kernel/vats.h"
#include "kernel/warehouse.h"
#include "scripted.h"
#include "store/bundle.h"
#include "store/kv.h"
#include "store/snapshot.h"
#include "store/transcript.h"

enum { WORLD_VATS_MAX = 8, WORLD_DEVICES_MAX = 4 };

/* A device, beside vatAdmin: its name says what it is. */
struct world_device {
    const char *name;    /* "timer" */
    const char *options; /* dNN.options; NULL: no parameters */
};

struct world_setup {
    const char *vats[WORLD_VATS_MAX]; /* static ones, beside boot and vatAdmin */
    bool puppets;              /* they leave results alone */
    bool no_zygotes;
    uint64_t max_vats;         /* 0: no limit */
    bool not_introduced;       /* they do not know each other's roots */
    const char *critical;      /* one of them */
    const char *pipelining;    /* one of them */
    const char *comms;         /* one of them, called so: it runs in the kernel */
    int64_t reap_deliveries;   /* 0: never */
    int64_t reap_gc_krefs;     /* 0: never */
    int64_t snapshot_initial;  /* 0: 3 */
    int64_t snapshot_interval; /* 0: 200 */
    size_t online_max;
    struct world_device devices[WORLD_DEVICES_MAX]; /* by name, before "vatAdmin" */
    const struct device_host *host;
    bool no_audit;
    bool slog;                 /* into w->slog */
    bool preload;
};

struct world {
    struct world_setup setup;
    struct store *store;
    struct kernel *kernel;
    struct scripted scripted;
    struct vat_port port;
    const struct run_policy *policy; /* what world_step asks; NULL: nothing */
    struct err err;      /* of the last world_step that failed */
    struct buf notes;    /* what the kernel said to people */
    struct buf breaches; /* what audits found, one a line */
    struct buf slog;     /* its lines; that spans nest is checked as they come */
    struct buf event;    /* of the last crank */
    bool span_open[SLOG_SPANS];
    vat_id boot, admin;
    kref bootstrap;
};

/* Genesis, bootstrap, and everybody introduced to everybody. */
void world_open(struct world *w, const struct world_setup *s);
void world_close(struct world *w);
/* Close the kernel and open it again over the same store. */
void world_restart(struct world *w);

/* One crank, audited.  1: it ran; 0: nothing to do; -1: see w->err or w->breaches. */
int world_step(struct world *w);
/* Until nothing is left to do; fails the test on an error or a breach. */
void world_run(struct world *w);
/* At quiescence nothing may be left for the garbage collector: returns how much is. */
unsigned world_litter(struct world *w);
/* Every key of the kernel, and the transcripts: two equal dumps are two equal stores. */
void world_dump(struct world *w, struct buf *out);
/* The same of the keys that start with `prefix` alone. */
void world_dump_keys(struct world *w, const char *prefix, struct buf *out);

/* What the vat does at its next delivery of the type. */
void plan(struct world *w, vat_id vat, const char *type, const char *lines, ...)
    __attribute__((format(printf, 4, 5)));
void plan_clear(struct world *w, vat_id vat, const char *type);
/* A delivery (bringOutYourDead) in which the vat does this. */
void queue_poke(struct world *w, vat_id vat, const char *lines);
/* The same, and run. */
void poke(struct world *w, vat_id vat, const char *lines, ...)
    __attribute__((format(printf, 3, 4)));

/* Names.  Texts are good for the next dozen calls. */
vat_id vat_named(struct world *w, const char *name);
kref root_of(struct world *w, vat_id vat);
kref meant(struct world *w, vat_id vat, const char *name);          /* KREF_INVALID: nothing */
const char *name_for(struct world *w, vat_id vat, kref r);          /* "o-999": none */
bool row_is(struct world *w, vat_id vat, kref r, const char *row);  /* "R o-50" */
const char *key_text(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *bundle_named(const char *name);                         /* its ID */

/* Through the vat-admin device, as the boot vat. */
/* "METHOD ARGUMENTS SLOT…", ' for "; queues only. */
void device_call(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Queues only; `parameters` as smallcaps ("'#undefined'"), `slots` as the boot vat names them. */
void upgrade(struct world *w, vat_id vat, const char *bundle, const char *parameters,
             const char *slots);
vat_id create(struct world *w, const char *bundle, const char *options); /* run afterwards */
void terminate(struct world *w, vat_id vat);
vat_id device_fork(struct world *w, vat_id parent, size_t count, const kref *refs,
                   const char *options);
void device_seal(struct world *w, vat_id vat);
/* `who` gets to know the root of a dynamic vat (which vat-admin holds). */
void introduce(struct world *w, vat_id who, vat_id to);

/* How often the deliveries in a vat's transcript have `text` in them. */
unsigned told(struct world *w, vat_id vat, const char *text);
/* How often its syscalls, with their results, do. */
unsigned called(struct world *w, vat_id vat, const char *text);
/* Delivery `at` of a vat, negative from the end ("" if there is none). */
const char *delivery_at(struct world *w, vat_id vat, int at);
/* The syscalls of that delivery, and their results. */
const char *calls_at(struct world *w, vat_id vat, int at);
bool alive(struct world *w, vat_id vat);
