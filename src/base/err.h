/* err.h -- errors that are the world's fault, with the exit code they lead to.
 *
 * Functions that can fail because of the world (disk, processes, files a user wrote)
 * return 0 or -1 and take a `struct err *` last.  It is written only on failure, so calls
 * chain with ||.  A caller that knows more adds context in front with err_while().
 */
#pragma once

#include <stdarg.h>

#define MUST_CHECK __attribute__((warn_unused_result))

/* The exit codes of the command line (stable; see zygote(1)). */
enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,       /* the operation failed */
    EXIT_USAGE = 2,        /* the command line, or a config file, is wrong */
    EXIT_NOT_FOUND = 3,
    EXIT_VAT = 4,          /* a vat failed: rejected, meter, fatal syscall */
    EXIT_INTEGRITY = 5,    /* replay divergence, audit or hash mismatch */
    EXIT_BUSY = 6,         /* another process has the store */
    EXIT_UNREACHABLE = 7,
    EXIT_INCOMPATIBLE = 8, /* store schema, bundle format, build */
    EXIT_POLICY = 9,       /* refused by policy */
};

struct err {
    enum exit_code exit;
    char text[1024];
};

/* Fill `e`; returns -1 so that `return err_set(…)` reads well. */
int err_set(struct err *e, enum exit_code exit, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with ": strerror(errno)" behind. */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Put "context: " in front of what `e` says; returns -1. */
int err_while(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* An invariant of ours is broken: say where, and abort.  Kept in release builds. */
#define INVARIANT(cond) ((cond) ? (void)0 : bug(__FILE__, __LINE__, #cond))
#define BUG(what) bug(__FILE__, __LINE__, what)
_Noreturn void bug(const char *file, int line, const char *what);
