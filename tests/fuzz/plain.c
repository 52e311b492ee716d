/* Runs a fuzz target without libFuzzer: over files and directories, the corpus as a test; or,
 * where there is no clang, over what becomes of them by chance.
 * Linked with one LLVMFuzzerTestOneInput.
 *
 *     fuzz_X FILE-OR-DIRECTORY…
 *     fuzz_X -t SECONDS FILE-OR-DIRECTORY…     then changed ones, seeded by ZYGOTE_SEED, for
 *                                              so long; one that crashes is in fuzz_X.last
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KEPT_MAX = 4096, GROWN_MAX = 1 << 16 };

static unsigned long inputs;
static struct input {
    uint8_t *data;
    size_t n;
} kept[KEPT_MAX];
static size_t kept_count;

static void run_file(const char *path, FILE *f)
{
    size_t n = 0, cap = 1 << 16;
    uint8_t *data = malloc(cap);
    for (size_t got; data != NULL && (got = fread(data + n, 1, cap - n, f)) > 0;) {
        n += got;
        if (n == cap)
            data = realloc(data, cap *= 2);
    }
    /* Exactly as long as it is, for the address sanitizer. */
    uint8_t *exact = data == NULL ? NULL : realloc(data, n == 0 ? 1 : n);
    if (exact == NULL)
        abort();
    fprintf(stderr, "%s\n", path); /* the last line names the input that crashed */
    LLVMFuzzerTestOneInput(exact, n);
    if (kept_count < KEPT_MAX) kept[kept_count++] = (struct input){ exact, n };
    else free(exact);
    inputs++;
}

static int run(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        FILE *f = fopen(path, "rb");
        if (f == NULL) {
            perror(path);
            return -1;
        }
        run_file(path, f);
        fclose(f);
        return 0;
    }
    int rc = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char below[4096];
        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) >=
            (int)sizeof below)
            abort();
        if (run(below) < 0)
            rc = -1;
    }
    closedir(dir);
    return rc;
}

/* -- by chance ------------------------------------------------------------------------- */

static size_t below(struct rng *g, size_t n)
{
    return n == 0 ? 0 : (size_t)rng_below(g, n);
}

/* Put `n` bytes in at `at`, in place of `gone` of them. */
static void put_in(struct input *in, size_t at, size_t gone, const uint8_t *bytes, size_t n)
{
    if (in->n - gone + n > GROWN_MAX) return;
    memmove(in->data + at + n, in->data + at + gone, in->n - at - gone);
    memcpy(in->data + at, bytes, n);
    in->n += n - gone;
}

static void change(struct rng *g, struct input *in)
{
    static const char *const odd[] = { "0", "-1", "9007199254740993", "18446744073709551616", "1e999", "null", "[", "]",
                                       "{", "}", "\"", "\\", ",", ":", "\\ud800", "\xff", "\xed\xa0\x80", "#", "$0", "&1" };
    const struct input *other = &kept[below(g, kept_count)];
    size_t at = below(g, in->n + 1), rest = in->n - at, some = below(g, rest < 16 ? rest + 1 : 16);
    uint8_t byte = (uint8_t)below(g, 256);
    const char *text = RNG_PICK(g, odd);
    size_t from = below(g, other->n + 1);
    switch (below(g, 7)) {
    case 0: if (rest > 0) in->data[at] ^= (uint8_t)(1u << below(g, 8)); break;
    case 1: put_in(in, at, 0, &byte, 1); break;
    case 2: put_in(in, at, some, NULL, 0); break;
    case 3: put_in(in, at, some, (const uint8_t *)text, strlen(text)); break;
    case 4: put_in(in, at, rest > 0, &byte, 1); break;
    case 5: put_in(in, at, below(g, rest + 1), other->data + from, other->n - from); break;
    default: put_in(in, at, 0, other->data + from, below(g, other->n - from + 1)); break;
    }
}

/* What runs, for whoever is told of the crash. */
static const char *program;
static struct input running;

static void on_crash(int number)
{
    char path[4096];
    snprintf(path, sizeof path, "%s.last", program);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd >= 0 && write(fd, running.data, running.n) == (ssize_t)running.n) {
        fprintf(stderr, "the input is in %s\n", path);
    }
    signal(number, SIG_DFL);
    raise(number);
}

static void run_changed(unsigned long seconds)
{
    struct rng g = rng_new(rng_seed_from_env(1));
    time_t end = time(NULL) + (time_t)seconds;
    uint8_t *room = malloc(GROWN_MAX);
    if (room == NULL || kept_count == 0) abort();
    signal(SIGABRT, on_crash);
    signal(SIGSEGV, on_crash);
    signal(SIGALRM, on_crash); /* an input that takes too long */
    while (time(NULL) < end) {
        const struct input *base = &kept[below(&g, kept_count)];
        struct input in = { room, base->n < GROWN_MAX ? base->n : GROWN_MAX };
        memcpy(room, base->data, in.n);
        for (size_t i = below(&g, 6) + 1; i > 0; i--) change(&g, &in);
        uint8_t *exact = malloc(in.n + 1);
        if (exact == NULL) abort();
        memcpy(exact, room, in.n);
        running = (struct input){ exact, in.n };
        alarm(20);
        LLVMFuzzerTestOneInput(exact, in.n);
        free(exact);
        inputs++;
    }
    alarm(0);
    free(room);
}

int main(int argc, char **argv)
{
    int failed = 0, first = 1;
    program = argv[0];
    if (argc > 2 && strcmp(argv[1], "-t") == 0) first = 3;
    for (int i = first; i < argc; i++)
        if (run(argv[i]) < 0)
            failed++;
    if (first == 3) run_changed(strtoul(argv[2], NULL, 10));
    for (size_t i = 0; i < kept_count; i++) free(kept[i].data);
    printf("%lu passed, %d failed\n", inputs, failed);
    return failed > 0 || inputs == 0;
}
