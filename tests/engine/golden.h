/* golden.h -- what the stock worker answered, kept in tests/engine/golden/.
 *
 * Lines "KEY VALUE" below a comment that names the version and the program that made them
 * (tests/engine/make_golden.c).  Never made by our own worker.
 */
#pragma once

#include "base/buf.h"

/* Compare lines "KEY VALUE…" with the golden file: prints each line that differs or that the
 * file lacks; returns how many. */
int golden_compare(const char *path, struct span lines);
