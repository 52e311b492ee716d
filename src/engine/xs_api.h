/* xs_api.h -- the one door to XS's headers, for our own C files.
 *
 * XS's include directories are system directories (engine.mk), so its headers and the code
 * in its macros do not have to meet our warnings.
 */
#pragma once

#include <xsAll.h>
#include <xsScript.h>
#include <xsSnapshot.h>
/* The embedder's names for the same things. */
#include <xs.h>
