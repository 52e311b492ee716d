/* slots.h -- devices whose code deals in values (upstream's deviceSlots.js).
 *
 * What is remembered while the process lives, as upstream, because bytes show it: the
 * value of each slot, with the interface it was first seen with; the nodes the device has
 * exported; how many errors it has serialised.
 *
 * A method gets decoded arguments and gives a value; it fails ("throws") by returning
 * slots_fail(), which the calling vat sees as an error.  What it wrote before stays.
 */
#pragma once

#include "kernel/device.h"

struct slots_methods;

/* One call. */
struct slots_call {
    struct device *dev;
    struct arena *a;           /* until the crank ends */
    void *self;                /* of the node: what slots_export() was given */
    const struct slots_methods *methods; /* of the node */
    const struct pass *node;   /* called */
    size_t count;
    const struct pass *const *args;
    const struct pass *result; /* undefined, unless the method says otherwise */
    const char *why;           /* it failed, for people */
};

typedef bool slots_method(struct slots_call *c);

struct slots_methods {
    const char *name;
    slots_method *call;
};

struct slots_ops {
    const struct slots_methods *root; /* of d+0; ends with a NULL name */
    /* buildRootDeviceNode(): read the state.  False if it throws. */
    bool (*build)(struct device *dev, struct jval parameters, const char **why);
    /* Make memory what the state says again; NULL: there is none. */
    bool (*reload)(struct device *dev, const char **why);
    void (*stop)(struct device *dev); /* free memory; may be NULL */
};

bool slots_fail(struct slots_call *c, const char *why);
/* Argument `at`, or undefined. */
const struct pass *slots_arg(const struct slots_call *c, size_t at);

/* A node of this device with those methods; the next d+N.  `iface` without "Alleged: ". */
const struct pass *slots_export(struct device *dev, const char *iface,
                                const struct slots_methods *methods, void *self);

/* getDeviceState(): *out is NULL if there is none.  False if it does not decode. */
bool slots_state(struct device *dev, const struct pass **out, const char **why);
/* setDeviceState() */
void slots_set_state(struct device *dev, const struct pass *state);

/* SO(target).method(...args): queue a message without a result.
 * fails  `target` is not an object of a vat, or a name is not in the c-list. */
bool slots_send(struct device *dev, const struct pass *target, const char *method, size_t count,
                const struct pass *const *args, const char **why);

/* -- for device.c ------------------------------------------------------------------- */

/* fails  EXIT_INTEGRITY */
int slots_start(struct device *dev, const struct slots_ops *ops, struct jval parameters,
                struct err *e) MUST_CHECK;
void slots_stop(struct device *dev, const struct slots_ops *ops);
void slots_rolled_back(struct device *dev, const struct slots_ops *ops);
/* `args` and `answer` carry the device's names. */
bool slots_invoke(struct device *dev, struct span slot, struct span method,
                  const struct vat_capdata *args, struct vat_capdata *answer, const char **why);
