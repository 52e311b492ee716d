/* fixture.h -- what the tests of zygote.h share: a store per test, and what its callbacks saw.
 *
 * They include nothing of src/, and link the library alone.  tests/host/interface.sh holds
 * them against the header: every function is called by one of them.
 *
 *   host_new(&h) …      a directory, a config, options; no store yet
 *   boot(&h) …          a store that has run its bootstrap, made once per program, and opened
 *   host_free(&h)       closes the handle h.z, removes the directory
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zygote.h"

#define TEST(name) static void name(void **state)

struct host {
    char dir[256], store[300], config[300];
    struct zygote_options options;
    struct zygote *z;
    /* what the callbacks saw */
    char console[256], note[512], crankhash[65], activityhash[65];
    unsigned cranks, exports, broadcasts;
    uint64_t responded;
    bool rejected;
    char response[64], broadcast[64], outbound[64];
    unsigned lines;       /* of the slog */
    char line[512];       /* the last, or how it begins */
    char *slog;           /* all of them, if `keep_slog`; freed by host_free */
    size_t slog_length;
    bool keep_slog;
    int reentered; /* what a call from a callback returned */
};

extern char build[3000]; /* the build directory, absolute */

/* Good for a few more calls. */
char *text_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void write_file(const char *path, const char *text);
/* To be freed. */
char *read_file(const char *path, size_t *length);

#define assert_ok(z, call) assert_returned((z), (call), ZYGOTE_OK, "", __FILE__, __LINE__)
#define assert_fails(z, call, kind, text) \
    assert_returned((z), (call), (kind), (text), __FILE__, __LINE__)
/* `text` is in what zygote_error says. */
void assert_returned(struct zygote *z, int got, enum zygote_kind want, const char *text,
                     const char *file, int line);

/* -- a store ------------------------------------------------------------------------------ */

/* Five vats of tests/vats/api.js; `more` members in front of them, each with its comma. */
char *config_text(const char *more);
struct zygote_options options_for(struct host *h);
void host_new(struct host *h);
void host_free(struct host *h);
/* Open a copy of the store that was made once. */
void boot(struct host *h);
void reopen(struct host *h);

/* What a promise came to, as JSON. */
const char *resolution(struct zygote *z, const char *kpid);
/* A message to a root, a run, its answer. */
const char *ask(struct zygote *z, const char *vat, const char *method, const char *args);
struct zygote_id vat_id(struct zygote *z, const char *name);
void end_vat(struct zygote *z, const char *name);
/* Have alice send `n` messages, one after the other. */
void queue_count(struct host *h, unsigned n);

/* -- a policy that counts ----------------------------------------------------------------- */

struct tally {
    unsigned created, complete, failed, empty, cleaned, asked;
    uint64_t computrons;
    struct zygote_cleanup sum, budget;
    bool limited, exceeded;
};

struct zygote_run_policy tally_policy(struct tally *t);

/* -- a program of tests ------------------------------------------------------------------- */

#define HOST_TESTS_MAIN(...)                                                                 \
    int main(void)                                                                           \
    {                                                                                        \
        const struct CMUnitTest tests[] = { __VA_ARGS__ };                                   \
        return host_find() != 0 ? 1 : cmocka_run_group_tests(tests, boot_once, unboot);      \
    }
/* Where everything is.  Nonzero: it is not there, as was said. */
int host_find(void);
int boot_once(void **state);
int unboot(void **state);
