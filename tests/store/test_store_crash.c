/* test_store_crash.c -- whatever happens between two commits, the first one is there.
 *
 *   kill      a child runs a script on a real file and dies before step k, for every k
 *   kill*     a child runs random scripts and is killed at a random moment
 *   disk      the n-th write or sync fails, for every n; then the power goes
 *   spill     the disk fails in mid-crank: one line, exit code 1
 *
 * "There" means: the rows are those of the last commit, or, when a commit was under way,
 * of that one.  ZYGOTE_SEED picks other random cases.
 */
#include "lib/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/rng.h"
#include "store/kv.h"
#include "store/memvfs.h"
#include "store/model.h"
#include "store/snapshot.h"

/* What the child tells the parent, over shared memory. */
struct told {
    struct model_state committed, next;
    bool failed;
};

static struct told *told;
static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/zygote-crash-XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int remove_dir(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static void empty_dir(void)
{
    char path[128];
    static const char *const names[] = { "swingstore.sqlite", "swingstore.sqlite-wal",
                                         "swingstore.sqlite-shm" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
}

/* Two blocks of two cranks, a fork in the second one, and a half block. */
static const char *const STORY[] = {
    "set 0 1",      "init 0",       "commit",     "crank",      "mark start", "set 2 5",
    "add 0 1",      "mark deliver", "set 0 2",    "add 0 2",    "snap 0 2 1", "next 8",
    "back deliver", "set 3 9",      "emit",       "end",        "crank",      "mark start",
    "delete 0",     "add 0 3",      "roll 0",     "snap 0 3 1", "emit",       "end",
    "commit",       "crank",        "mark start", "share",      "clone 0 1",  "init 1",
    "add 1 7",      "set 7 1",      "emit",       "end",        "crank",      "mark start",
    "unsnap 0",     "sweep 0",      "wipe 0",     "next 8",     "back start", "end",
    "commit",       "set 0 3",      "upgrade 0",  "snap 1 4 2", "crank",      "mark start",
    "add 1 8",      "emit",
};
enum { STORY_STEPS = sizeof STORY / sizeof STORY[0] };

static void step(struct run *r, struct op op)
{
    if (op.kind == OP_COMMIT && op_legal(r, op)) told->next = r->now;
    if (!run_op(r, op)) {
        fprintf(stderr, "%s\n", r->why);
        told->failed = true;
        _exit(1);
    }
    told->committed = r->committed;
}

static void begin(struct run *r)
{
    run_start(r, dir);
    told->committed = told->next = r->committed;
}

static struct op parsed(const char *line)
{
    struct op op;
    bool some;
    if (!op_parse(line, &op, &some)) abort();
    return op;
}

static bool rows_are(struct store *s, const struct model_state *state, char *why, size_t n)
{
    struct run *r = calloc(1, sizeof *r);
    r->store = s;
    r->now = r->committed = *state;
    bool same = run_check_rows(r) && run_check(r);
    snprintf(why, n, "%s", r->why);
    run_forget_queries(r);
    free(r);
    return same;
}

static void holds_a_commit(const char *what, uint64_t which)
{
    struct store *s = NULL;
    struct err e = { 0 };
    static char why[8192];
    if (store_open(dir, STORE_OPEN, &s, &e) != 0)
        fail_msg("%s %llu: %s", what, (unsigned long long)which, e.text);
    if (!rows_are(s, &told->committed, why, sizeof why) &&
        !rows_are(s, &told->next, why, sizeof why))
        fail_msg("%s %llu: %s", what, (unsigned long long)which, why);
    store_close(s);
}

/* -- kill ----------------------------------------------------------------------- */

static void die_before(unsigned k)
{
    struct run *r = calloc(1, sizeof *r);
    begin(r);
    for (unsigned i = 0; i < k; i++)
        step(r, parsed(STORY[i]));
    raise(SIGKILL);
}

static void reap(pid_t child, unsigned long which)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (told->failed || !WIFSIGNALED(status))
        fail_msg("child of case %lu ended with %x", which, (unsigned)status);
}

TEST(killed_before_each_step)
{
    for (unsigned k = 0; k <= STORY_STEPS; k++) {
        empty_dir();
        pid_t child = fork();
        if (child == 0) die_before(k);
        reap(child, k);
        holds_a_commit("killed before step", k);
    }
}

static void run_for_ever(uint64_t seed)
{
    struct run *r = calloc(1, sizeof *r);
    struct rng rng = rng_new(seed);
    begin(r);
    for (;;) {
        struct op op = { (enum op_kind)rng_below(&rng, OP_COUNT),
                         (unsigned)rng_below(&rng, 99), (unsigned)rng_below(&rng, 99),
                         (unsigned)rng_below(&rng, 99) };
        if (op.kind != OP_CRASH && op.kind != OP_REOPEN) step(r, op);
    }
}

TEST(killed_at_a_random_moment)
{
    struct rng rng = rng_new(rng_seed_from_env(1));
    for (unsigned long i = 0; i < 40; i++) {
        uint64_t seed = rng_u64(&rng);
        empty_dir();
        told->committed.activityhash[0] = 'x'; /* until the child has begun */
        pid_t child = fork();
        if (child == 0) run_for_ever(seed);
        while (*(volatile char *)told->committed.activityhash == 'x')
            usleep(200);
        usleep((useconds_t)rng_below(&rng, 20000));
        kill(child, SIGKILL);
        reap(child, i);
        holds_a_commit("killed, seed", seed);
    }
}

/* -- disk ----------------------------------------------------------------------- */

/* Run the story on the failing disk; true if it never failed. */
static bool story_on_bad_disk(unsigned n)
{
    struct run *r = calloc(1, sizeof *r);
    bool whole = true;
    memvfs_clear();
    begin(r);
    memvfs_countdown(n);
    for (unsigned i = 0; whole && i < STORY_STEPS; i++) {
        struct op op = parsed(STORY[i]);
        struct err e;
        if (op.kind != OP_COMMIT) {
            step(r, op);
            continue;
        }
        told->next = r->now;
        whole = store_commit(r->store, &e) == 0;
        if (whole) {
            r->committed = told->committed = r->now;
            continue;
        }
        assert_int_equal(e.exit, EXIT_FAILED);
        assert_non_null(strstr(e.text, "swingstore.sqlite"));
    }
    memvfs_freeze();
    run_fini(r);
    free(r);
    memvfs_power_cut(n);
    return whole;
}

TEST(each_write_and_sync_fails)
{
    char path[128];
    snprintf(path, sizeof path, "%s/swingstore.sqlite", dir);
    fclose(fopen(path, "w")); /* its name on the real disk; see memvfs.h */
    memvfs_install();
    unsigned n = 1;
    for (bool whole = false; !whole; n++) {
        whole = story_on_bad_disk(n);
        holds_a_commit("failing write", n);
    }
    memvfs_uninstall();
    print_message("%u places to fail\n", n - 2);
    assert_true(n > 20);
}

static void spill(void)
{
    enum { BYTES = 24 << 20 }; /* more than SQLite's cache keeps in memory */
    struct run *r = calloc(1, sizeof *r);
    struct rng rng = rng_new(1);
    char *noise = malloc(BYTES);
    memvfs_install();
    run_start(r, dir);
    rng_bytes(&rng, noise, BYTES);
    memvfs_countdown(1);
    store_start_crank(r->store);
    struct snapshot_writer *w = snapshot_begin(r->store);
    snapshot_write(w, (struct span){ noise, BYTES });
    snapshot_finish(w, SPAN("v1"), 1, NULL);
    kv_get(r->store, SPAN("not reached"), NULL);
    _exit(99);
}

TEST(the_disk_fails_in_mid_crank)
{
    char line[512] = "";
    int fds[2], status;
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(fds[1], 2);
        spill();
    }
    close(fds[1]);
    size_t n = 0;
    for (ssize_t got; (got = read(fds[0], line + n, sizeof line - 1 - n)) > 0;)
        n += (size_t)got;
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), EXIT_FAILED);
    assert_non_null(strstr(line, "swingstore.sqlite"));
    assert_ptr_equal(strchr(line, '\n'), line + n - 1); /* one line */
}

#define ON_DISK(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
    told =
        mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED) return 2;
    const struct CMUnitTest tests[] = {
        ON_DISK(killed_before_each_step),
        ON_DISK(killed_at_a_random_moment),
        ON_DISK(each_write_and_sync_fails),
        ON_DISK(the_disk_fails_in_mid_crank),
    };
    return cmocka_run_group_tests_name("store: crashes", tests, NULL, NULL);
}
