#include "kernel/devices/registry.h"

#include "kernel/devices/natives.h"

static bool has_bridge(const struct device_host *host)
{
    return host->bridge_outbound != NULL;
}

static bool has_command(const struct device_host *host)
{
    return host->command_broadcast != NULL && host->command_response != NULL;
}

static bool has_loopbox(const struct device_host *host)
{
    return host->loopbox != LOOPBOX_NONE;
}

static const struct native natives[] = {
    { "vatAdmin", &vat_admin_device, NULL, NULL },
    { "bundle", &bundle_device, NULL, NULL },
    { "timer", NULL, &timer_device, NULL },
    { "mailbox", NULL, &mailbox_device, NULL },
    { "bridge", NULL, &bridge_device, has_bridge },
    { "command", NULL, &command_device, has_command },
    { "loopbox", NULL, &loopbox_device, has_loopbox },
};

const struct native *native_named(struct span kind)
{
    for (size_t i = 0; i < sizeof natives / sizeof *natives; i++) {
        if (span_is(kind, natives[i].name)) return &natives[i];
    }
    return NULL;
}
