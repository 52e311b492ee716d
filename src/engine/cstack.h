/* cstack.h -- the C stack the machine runs on: fixed size, fixed place.
 *
 * XS's parser, regular expressions and garbage collector recurse on the C stack and stop at
 * a limit.  The stock worker derives that limit from the process (environment size,
 * RLIMIT_STACK) and asks /proc for it at every parse; here it is one constant.
 */
#pragma once

/* Run `body` on that stack; returns what it returns.  -1 with errno if it cannot be mapped.
 * call  once per process.  longjmp must not leave `body`. */
int cstack_run(int (*body)(void *), void *arg);
