/* build_id.h -- which build of the worker this is: the linker's SHA-1 of the program. */
#pragma once

#include <stdbool.h>

enum { BUILD_ID_BYTES = 20 };

/* False if the program was linked without -Wl,--build-id=sha1. */
bool build_id_get(unsigned char id[BUILD_ID_BYTES]);
