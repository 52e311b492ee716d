/* heap_format.h -- which heap snapshots the engine of this build reads.
 *
 * A snapshot of XS begins with the version of XS, the size of a slot and a signature that
 * stands for the table of host functions.  The engine holds these constants against XS's own
 * (engine/machine.c).
 */
#pragma once

#define HEAP_XS_MAJOR 13
#define HEAP_XS_MINOR 3
#define HEAP_XS_PATCH 0
#define HEAP_SLOT_BYTES 32
#define HEAP_SIGNATURE "xsnap 1"
