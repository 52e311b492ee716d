#include "kernel/devices/handler.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "kernel/devices/jsvalue.h"

struct handler {
    struct arena arena;
    const struct pass *value; /* a copy in the arena, or a remotable */
    uint64_t commands;
};

static const struct pass none = { .style = PASS_UNDEFINED };

static void remember(struct device *dev, const struct pass *v)
{
    struct handler *old = dev->memory, *h = xcalloc(1, sizeof *h);
    arena_init(&h->arena);
    h->value = jsvalue_copy(&h->arena, v);
    dev->memory = h;
    if (old == NULL) return;
    h->commands = old->commands;
    arena_fini(&old->arena);
    free(old);
}

uint64_t *handler_commands(const struct device *dev)
{
    struct handler *h = dev->memory;
    return &h->commands;
}

const struct pass *handler_get(const struct device *dev)
{
    const struct handler *h = dev->memory;
    return h->value;
}

void handler_set(struct device *dev, const struct pass *v)
{
    remember(dev, v);
    slots_set_state(dev, jsvalue_record1(kernel_arena(dev->k), "inboundHandler", v));
}

void handler_forget(struct device *dev)
{
    remember(dev, &none);
}

bool handler_reload(struct device *dev, const char **why)
{
    const struct pass *state, *v = NULL;
    if (!slots_state(dev, &state, why)) return false;
    if (state != NULL) v = pass_get(state, "inboundHandler");
    remember(dev, v != NULL ? v : &none);
    return true;
}

bool handler_build(struct device *dev, struct jval parameters, const char **why)
{
    (void)parameters;
    return handler_reload(dev, why);
}

void handler_stop(struct device *dev)
{
    struct handler *h = dev->memory;
    if (h == NULL) return;
    arena_fini(&h->arena);
    free(h);
    dev->memory = NULL;
}
