#include "kernel/device_kind.h"

/* The package whose devices are native here, and the version they are equal to. */
#define PACKAGE "@agoric/swingset-vat"
#define VERSION "0.33.0"

static const struct {
    const char *module, *kind;
} known[] = {
    { "./src/devices/vat-admin/device-vat-admin.js", "vatAdmin" },
    { "./src/devices/bridge/device-bridge.js", "bridge" },
    { "./src/devices/bundle/device-bundle.js", "bundle" },
    { "./src/devices/command/device-command.js", "command" },
    { "./src/devices/loopbox/device-loopbox.js", "loopbox" },
    { "./src/devices/mailbox/device-mailbox.js", "mailbox" },
    { "./src/devices/timer/device-timer.js", "timer" },
};

const char *device_kind(const struct bundle_entry *entry, const char **why)
{
    *why = "is not a device of " PACKAGE " " VERSION ", and others, which are JavaScript, "
           "cannot run here (known: bridge, bundle, command, loopbox, mailbox, timer, "
           "vatAdmin)";
    if (!span_is(entry->package, PACKAGE)) return NULL;
    if (!span_is(entry->version, VERSION)) {
        *why = "is of another version of " PACKAGE " than " VERSION ", whose devices are "
               "the ones built in";
        return NULL;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (span_is(entry->module, known[i].module)) return known[i].kind;
    }
    if (span_is(entry->module, "./src/devices/plugin/device-plugin.js")) {
        *why = "is the plugin device, whose plugins are JavaScript in the host process: "
               "it cannot run here";
    }
    return NULL;
}
