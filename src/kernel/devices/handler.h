/* handler.h -- devices whose whole state is {inboundHandler}: bridge, command, mailbox.
 *
 * The handler is whatever a vat registered; that it is an object of a vat shows only when
 * a message is sent to it. */
#pragma once

#include "kernel/devices/slots.h"

bool handler_build(struct device *dev, struct jval parameters, const char **why);
bool handler_reload(struct device *dev, const char **why);
void handler_stop(struct device *dev);

/* undefined if there is none */
const struct pass *handler_get(const struct device *dev);
/* Remember it, and save. */
void handler_set(struct device *dev, const struct pass *v);
/* How many commands the host has sent in this process. */
uint64_t *handler_commands(const struct device *dev);
/* Forget it until the kernel is opened again. */
void handler_forget(struct device *dev);
