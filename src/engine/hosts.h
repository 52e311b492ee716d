/* hosts.h -- the functions a vat's global object has from us.
 *
 * The callback table is part of the snapshot format: a snapshot names host functions by
 * their place in it.  Append only; never reorder.
 */
#pragma once

#include "engine/xs_api.h"

enum { HOSTS_CALLBACKS = 18 };

extern xsCallback hosts_callbacks[HOSTS_CALLBACKS];

/* Give a new machine its globals: setImmediate, gc, print, issueCommand, performance,
 * currentMeterLimit, resetMeter, TextDecoder, TextEncoder, Base64, harden; in this order,
 * which property order and snapshots depend on. */
void hosts_install(xsMachine *machine);

/* XS asks this every so many computrons; false ends the machine. */
xsBooleanValue hosts_meter_callback(xsMachine *the, xsUnsignedValue computrons);

/* Upcalls with a foregone answer do not wait for it (the command was '+'). */
void hosts_set_posting(bool on);

/* print() puts the meter in front (option -p). */
void hosts_set_print_meter(bool on);
