/* platform.h -- XS's view of the machine it runs on (XSPLATFORM).
 *
 * XS includes this from its own xsPlatform.h.  It names the platform, the extra fields of a
 * machine, and where memory comes from.
 *
 * Where memory comes from is decided per XS source file, on its command line (engine.mk):
 *   (nothing)           inside the arena: safe for whatever may outlive a command.
 *   -DENGINE_TRANSIENT  libc's heap: files whose blocks never outlive a command (parser,
 *                       code generator, JSON text, number printing, regular expressions,
 *                       interpreter jumps).  Their many megabytes stay out of images.
 *   -DENGINE_CALLOC_OUTSIDE   xsAtomics.c: its one calloc is the process's cluster (mutexes,
 *                       thread id), its malloc are shared buffers, which belong to a machine.
 *   -DENGINE_CALLOC_MACHINE   xsSnapshot.c: while there is no machine its calloc makes one;
 *                       afterwards they are the writer's index arrays.
 * free and realloc look at the address.
 */
#pragma once

#undef mxLittleEndian
#define mxLittleEndian 1
#undef mxLinux
#define mxLinux 1
#define mxExport extern
#define mxImport extern
#define XS_FUNCTION_NORETURN __attribute__((noreturn))

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* XS sources use these without including them. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/memory.h"

typedef int txSocket;
#define mxNoSocket              (-1)
#define mxUseGCCAtomics         1
#define mxUsePOSIXThreads       1
#define mxUseDefaultBuildKeys   1
#define mxUseDefaultParseScript 1
#define mxUseDefaultSharedChunks 1
#define mx32bitID               1
#define mxCESU8                 1

/* connection: no debugger, always mxNoSocket.  abortStatus: why the machine was left.
 * promiseJobs: jobs are queued.  timerJobs: setImmediate.  waiter*: xsAtomics.c. */
#define mxMachinePlatform    \
    txSocket connection;     \
    int abortStatus;         \
    int promiseJobs;         \
    void *timerJobs;         \
    void *waiterCondition;   \
    void *waiterData;        \
    void *waiterLink;        \
    size_t allocationLimit;  \
    size_t allocatedSpace;

static inline void engine_free(void *p)
{
    if (memory_holds(p)) memory_free(p);
    else free(p);
}

static inline void *engine_realloc(void *p, size_t n)
{
    return memory_holds(p) ? memory_realloc(p, n) : realloc(p, n);
}

static inline void *engine_calloc_machine(size_t count, size_t size)
{
    return memory_control()->machine == 0 ? memory_zalloc(count, size) : calloc(count, size);
}

#if defined(ENGINE_TRANSIENT)
#define c_malloc malloc
#define c_calloc calloc
#else
#define c_malloc memory_alloc
#if defined(ENGINE_CALLOC_OUTSIDE)
#define c_calloc calloc
#elif defined(ENGINE_CALLOC_MACHINE)
#define c_calloc engine_calloc_machine
#else
#define c_calloc memory_zalloc
#endif
#endif
#define c_realloc       engine_realloc
#define c_free          engine_free
#define c_malloc_uint32 c_malloc
#define c_free_uint32   c_free

char *fxCStackLimit(void);
