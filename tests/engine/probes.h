/* probes.h -- programs whose error text a vat can see, from as many corners as possible. */
#pragma once

#include "base/buf.h"

/* Put every probe to a fresh `binary`; append lines "message.N TEXT" with the reply escaped
 * as JSON. */
void probes_run(const char *binary, struct buf *lines);
/* How many there are. */
int probes_count(void);
