#include "engine/cstack.h"

#include <sys/mman.h>
#include <ucontext.h>

#include "engine/memory.h"
#include "engine/platform.h"

/* As the stock worker's under the usual RLIMIT_STACK, and its margin. */
#define CSTACK_BYTES  (UINT64_C(8) << 20)
#define CSTACK_MARGIN (UINT64_C(128) << 10)
/* Unmapped space below, which no single frame can jump over. */
#define CSTACK_GUARD  (UINT64_C(16) << 20)
#define CSTACK_BASE   (MEMORY_END + MEMORY_GIB + CSTACK_GUARD)

static struct {
    ucontext_t outside;
    ucontext_t inside;
    int (*body)(void *);
    void *arg;
    int result;
} run;

/* XS asks this at every parse and every regular expression. */
char *fxCStackLimit(void)
{
    return (char *)(CSTACK_BASE + CSTACK_MARGIN);
}

static void trampoline(void)
{
    run.result = run.body(run.arg);
}

int cstack_run(int (*body)(void *), void *arg)
{
    void *at = mmap((void *)CSTACK_BASE, CSTACK_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (at != (void *)CSTACK_BASE) return -1;
    if (getcontext(&run.inside) != 0) return -1;
    run.inside.uc_stack.ss_sp = at;
    run.inside.uc_stack.ss_size = CSTACK_BYTES;
    run.inside.uc_link = &run.outside;
    run.body = body;
    run.arg = arg;
    makecontext(&run.inside, trampoline, 0);
    if (swapcontext(&run.outside, &run.inside) != 0) return -1;
    return run.result;
}
