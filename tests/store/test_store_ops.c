/* test_store_ops.c -- the store against a naive model, operation by operation.
 *
 *   test_store_ops               every short script of a small alphabet, then 2,000
 *                                random long ones
 *   test_store_ops --random N    N random ones only
 *   test_store_ops FILE          one script
 *
 * On a difference the script so far is printed; saved to a file it reruns the case.
 * ZYGOTE_SEED picks other random scripts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/gen.h"
#include "lib/rng.h"
#include "store/memvfs.h"
#include "store/model.h"

/* The sanitizers make each run four times as long. */
#ifdef __SANITIZE_ADDRESS__
enum { RANDOM_RUNS = 500 };
#else
enum { RANDOM_RUNS = 2000 };
#endif

struct script {
    struct op ops[SCRIPT_MAX];
    unsigned n;
};

static char dir[] = "/tmp/zygote-ops-XXXXXX";

static int failed(const struct run *r, const struct script *sc)
{
    fprintf(stderr, "store and model disagree: %s\n# the script:\n", r->why);
    for (unsigned i = 0; i < sc->n; i++)
        op_print(sc->ops[i], stderr);
    return 1;
}

static bool say(struct run *r, struct script *sc, struct op op)
{
    sc->ops[sc->n++] = op;
    return run_op(r, op);
}

/* -- exhaustive ----------------------------------------------------------------- */

#define MARK_START                     \
    {                                  \
        OP_MARK, SAVEPOINT_START, 0, 0 \
    }
#define MARK_DELIVER                     \
    {                                    \
        OP_MARK, SAVEPOINT_DELIVER, 0, 0 \
    }
#define BACK_START                     \
    {                                  \
        OP_BACK, SAVEPOINT_START, 0, 0 \
    }
#define BACK_DELIVER                     \
    {                                    \
        OP_BACK, SAVEPOINT_DELIVER, 0, 0 \
    }

/* "a" (0) is committed at first, "ab" (2) is not there. */
static const struct op KV_OPS[] = {
    { OP_SET, 0, 1, 0 },    { OP_SET, 0, 2, 0 }, { OP_SET, 2, 3, 0 },
    { OP_DELETE, 0, 0, 0 }, { OP_GET, 0, 0, 0 }, { OP_NEXT, MODEL_KEYS, 0, 0 },
    MARK_DELIVER,           BACK_DELIVER,        BACK_START,
    { OP_CRANK, 0, 0, 0 },  { OP_END, 0, 0, 0 }, MARK_START,
    { OP_COMMIT, 0, 0, 0 },
};
/* "v1.vs.k" (5) is committed at first, "v1.vs.l" (6) and what they are copied to are not there. */
static const struct op COPY_OPS[] = {
    { OP_SET, 5, 2, 0 },    { OP_CHANGE, 6, 3, 0 },  { OP_DELETE, 5, 0, 0 }, { OP_COPY, 0, 0, 0 },
    { OP_DELETE, 8, 0, 0 }, { OP_CHANGE, 8, 4, 0 },  { OP_GET, 8, 0, 0 },    { OP_NEXT, 6, 0, 0 },
    MARK_DELIVER,           BACK_DELIVER,            BACK_START,             { OP_CRANK, 0, 0, 0 },
    { OP_END, 0, 0, 0 },    { OP_COMMIT, 0, 0, 0 },
};
static const struct op ROW_OPS[] = {
    { OP_ADD, 0, 1, 0 },
    { OP_ROLL, 0, 0, 0 },
    { OP_STOP, 0, 0, 0 },
    { OP_WIPE, 0, 0, 0 },
    { OP_SNAP, 0, 1, 1 },
    { OP_SNAP, 0, 2, 1 },
    { OP_UNSNAP, 0, 0, 0 },
    { OP_CLONE, 0, 1, 0 },
    { OP_SWEEP, 0, 0, 0 },
    { OP_SWEEP, 1, 0, 0 },
    MARK_DELIVER,
    BACK_DELIVER,
    BACK_START,
    { OP_END, 0, 0, 0 },
    { OP_COMMIT, 0, 0, 0 },
};
static const struct op CLOSING[] = { { OP_EMIT, 0, 0, 0 },
                                     { OP_END, 0, 0, 0 },
                                     { OP_COMMIT, 0, 0, 0 } };

/* One script: choose `length` operations among the legal ones, then close and compare. */
static int one_case(struct run *r, struct gen *g, const struct op *ops, unsigned ops_n,
                    const struct op *opening, unsigned opening_n, unsigned length)
{
    struct script sc = { .n = 0 };
    run_reset(r);
    bool ok = true;
    for (unsigned i = 0; ok && i < opening_n; i++)
        ok = say(r, &sc, opening[i]);
    for (unsigned i = 0; ok && i < length; i++) {
        unsigned legal[32], n = 0;
        for (unsigned k = 0; k < ops_n; k++) {
            if (op_legal(r, ops[k])) legal[n++] = k;
        }
        if (n == 0) break;
        ok = say(r, &sc, ops[legal[gen_pick(g, n - 1)]]);
    }
    ok = ok && run_check(r);
    for (unsigned i = 0; ok && i < sizeof CLOSING / sizeof CLOSING[0]; i++)
        ok = say(r, &sc, CLOSING[i]);
    return ok ? 0 : failed(r, &sc);
}

static int every_case(const char *what, const struct op *ops, unsigned ops_n,
                      const struct op *opening, unsigned opening_n, unsigned length)
{
    struct run *r = malloc(sizeof *r);
    struct gen g = { 0 };
    unsigned long n = 0;
    int bad = 0;
    memvfs_clear();
    run_start(r, dir);
    for (; bad == 0 && gen_next(&g); n++)
        bad = one_case(r, &g, ops, ops_n, opening, opening_n, length);
    run_fini(r);
    free(r);
    printf("%-22s %lu scripts%s\n", what, n, bad ? ", the last one failed" : "");
    return bad;
}

#define COUNT(array) (unsigned)(sizeof(array) / sizeof(array)[0])

/* How many of the three failed. */
static int exhaustive(void)
{
    static const struct op kv_opening[] = {
        { OP_SET, 0, 1, 0 }, { OP_COMMIT, 0, 0, 0 }, { OP_CRANK, 0, 0, 0 }, MARK_START
    };
    static const struct op row_opening[] = { { OP_SHARE, 0, 0, 0 },
                                             { OP_INIT, 0, 0, 0 },
                                             { OP_ADD, 0, 7, 0 },
                                             { OP_SNAP, 0, 1, 1 },
                                             { OP_COMMIT, 0, 0, 0 },
                                             { OP_CRANK, 0, 0, 0 },
                                             MARK_START };
    static const struct op copy_opening[] = {
        { OP_SET, 5, 1, 0 }, { OP_COMMIT, 0, 0, 0 }, { OP_CRANK, 0, 0, 0 }, MARK_START
    };
    return every_case("copies and savepoints", COPY_OPS, COUNT(COPY_OPS), copy_opening,
                      COUNT(copy_opening), 4) +
           every_case("keys and savepoints", KV_OPS, COUNT(KV_OPS), kv_opening,
                      COUNT(kv_opening), 5) +
           every_case("rows and savepoints", ROW_OPS, COUNT(ROW_OPS), row_opening,
                      COUNT(row_opening), 4);
}

/* -- random --------------------------------------------------------------------- */

/* Weights: some features are off in each run, so that others get long sequences. */
static struct op random_op(struct rng *rng, uint32_t off)
{
    struct op op;
    do
        op.kind = (enum op_kind)rng_below(rng, OP_COUNT);
    while (off >> op.kind & 1 ||
           ((op.kind == OP_REOPEN || op.kind == OP_CRASH) && !rng_chance(rng, 1, 6)));
    op.a = (unsigned)rng_below(rng, 1U << 30);
    op.b = (unsigned)rng_below(rng, 1U << 30);
    op.c = (unsigned)rng_below(rng, 1U << 30);
    return op;
}

static int one_random(struct rng *rng)
{
    struct run *r = malloc(sizeof *r);
    struct script sc = { .n = 0 };
    uint32_t off = (uint32_t)rng_u64(rng) & (uint32_t)rng_u64(rng);
    unsigned length = (unsigned)rng_range(rng, 10, 120);
    off &=
        ~(1U << OP_CRANK | 1U << OP_MARK | 1U << OP_BACK | 1U << OP_END | 1U << OP_COMMIT);
    memvfs_clear();
    run_start(r, dir);
    bool ok = true;
    while (ok && sc.n < length) {
        ok = say(r, &sc, random_op(rng, off));
        if (ok && rng_chance(rng, 1, 10)) ok = run_check(r);
    }
    ok = ok && run_check(r);
    ok = ok && say(r, &sc, (struct op){ .kind = OP_CRASH, .a = 5 }) && run_check(r);
    int bad = ok ? 0 : failed(r, &sc);
    run_fini(r);
    free(r);
    return bad;
}

static int random_runs(unsigned long runs)
{
    struct rng rng = rng_new(rng_seed_from_env(1));
    for (unsigned long i = 0; i < runs; i++) {
        if (one_random(&rng) != 0) {
            fprintf(stderr, "ZYGOTE_SEED=%" PRIu64 ", run %lu\n", rng.seed, i);
            return 1;
        }
    }
    printf("%-22s %lu scripts\n", "random", runs);
    return 0;
}

/* -- a script from a file ------------------------------------------------------- */

static int from_file(const char *path)
{
    char line[128];
    struct script sc = { .n = 0 };
    FILE *f = fopen(path, "r");
    if (f == NULL) return perror(path), 1;
    struct run *r = malloc(sizeof *r);
    run_start(r, dir);
    bool ok = true, some = false;
    while (ok && sc.n < SCRIPT_MAX && fgets(line, sizeof line, f) != NULL) {
        struct op op;
        if (!op_parse(line, &op, &some)) return fprintf(stderr, "what is: %s", line), 1;
        if (some) ok = say(r, &sc, op) && run_check(r);
    }
    fclose(f);
    int bad = ok ? 0 : failed(r, &sc);
    run_fini(r);
    free(r);
    printf("%s: %s\n", path, bad ? "differs" : "as the model says");
    return bad;
}

int main(int argc, char **argv)
{
    if (mkdtemp(dir) == NULL) return perror(dir), 2;
    /* The store looks for the file's name on the real disk; SQLite's is in memory. */
    char lock[64], db[64];
    snprintf(lock, sizeof lock, "%s/zygote.lock", dir);
    snprintf(db, sizeof db, "%s/swingstore.sqlite", dir);
    fclose(fopen(db, "w"));
    memvfs_install();
    int of = 1, bad;
    if (argc > 2 && strcmp(argv[1], "--random") == 0) {
        bad = random_runs(strtoul(argv[2], NULL, 10));
    } else if (argc > 1) {
        bad = from_file(argv[1]);
    } else {
        of = 4;
        bad = exhaustive() + random_runs(RANDOM_RUNS);
    }
    printf("%d passed, %d failed\n", of - bad, bad);
    memvfs_uninstall();
    unlink(lock);
    unlink(db);
    rmdir(dir);
    return bad != 0;
}
