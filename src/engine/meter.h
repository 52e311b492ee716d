/* meter.h -- computrons per crank, and the times a crank's messages passed. */
#pragma once

#include <stdint.h>

#include "base/span.h"

/* -- computrons ---------------------------------------------------------------- */

/* The limit of every crank of this process, 0 for none (command line, fork request). */
void meter_set_crank_limit(uint32_t computrons);
uint32_t meter_crank_limit(void);

/* The limit in force; 0 is none.  Between cranks there is none; vat code may change it
 * through resetMeter(). */
void meter_set_limit(uint32_t computrons);
uint32_t meter_limit(void);

/* -- times --------------------------------------------------------------------- */

enum { METER_TIMES_MAX = 502 }; /* 250 syscalls, and the delivery */

void meter_times_reset(void);
/* Note the present time; the 503rd and later ones are dropped. */
void meter_times_note(void);
/* "[1700000000.000001,…]".  Borrowed until the next call. */
struct span meter_times_render(void);
