/* Kill -9 at each step.
 *
 * A play is a list of messages to the bootstrap vat.  It is played in lives: a life is a
 * process that opens the store, goes on where the last commit was, and kills itself at the
 * N-th labelled step.  Before, the play ran once undisturbed and each commit's whole store
 * was noted, as a hash.
 *
 *   after each life   the store is what one of the undisturbed commits was, no earlier than
 *                     where the life began; its audit is clean; no process is left
 *   at the end        the store is, to the byte, that of the undisturbed run
 *
 * So a child is there whole or not at all, and its readings are what they should be.
 *
 * Lives end at drawn steps.  With "forks", "cranks" or "messages" it is a play of many forks and
 * seals, in which every life ends in the crank of one, or in the commit of that.
 *
 * usage: test_crash [long | forks | cranks | messages]     ZYGOTE_SEED chooses where lives end
 *
 * "long" plays more lives, and with a commit per crank it ends one at every step there is;
 * "forks" ends lives at labels of a fork's crank that are drawn, with both ways of committing;
 * "cranks" and "messages" end twenty lives at each label, where every crank is committed and
 * where every message is.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "lab.h"
#include "lib/rng.h"
#include "store/kv.h"

enum {
    COMMITS_MAX = 4096,
    ORPHANS_SECONDS = 20, /* until workers of a dead kernel must be gone */
    LABELS_MAX = 64,
    FORK_LABELS_MIN = 28,   /* so many are known to pass in a fork, a seal, their commit */
    TIMES = 20,             /* "long": deaths at each label of a fork */
};

struct message {
    const char *method, *args;
};

struct play {
    const char *name, *config;
    const struct message *messages;
    const char *expected; /* somewhere in the last answer */
};

static const struct message demo[] = {
    { "create", "[\"ann\",5]" },
    { "increment", "[\"ann\",2]" },
    { "makeJar", "[\"ann\",\"jam\"]" },
    { "put", "[\"jam\",3]" },
    { "fork", "[\"ann\",\"bob\"]" },
    { "increment", "[\"ann\",10]" },
    { "increment", "[\"bob\",100]" },
    { "forkWith", "[\"ann\",\"cat\",\"jam\",\"jelly\"]" },
    { "put", "[\"jelly\",4]" },
    { "terminate", "[\"bob\",\"enough\"]" },
    { "look", "[\"jam\"]" },
    { "look", "[\"jelly\"]" },
    { "read", "[\"ann\"]" },
    { "read", "[\"cat\"]" },
    { NULL, NULL },
};

static const struct message zygote[] = {
    { "create", "[\"P\",\"state\"]" },
    { "make", "[\"ear\"]" },
    { "ask", "[\"P\",\"fill\",3]" },
    { "ask", "[\"P\",\"keep\",\"ear\",{\"thing\":\"ear\"}]" },
    { "ask", "[\"P\",\"purse\"]" },
    { "ask", "[\"P\",\"box\"]" },
    { "zygotify", "[\"P\"]" },
    { "fork", "[\"P\",\"C\",[\"P.purse\"]]" },
    { "tell", "[\"C.purse\",\"deposit\",5]" },
    { "ask", "[\"C\",\"thin\"]" },
    { "fork", "[\"C\",\"G\",[\"C.purse\"]]" },
    { "terminate", "[\"P\"]" },
    { "ask", "[\"G\",\"talk\",\"ear\",\"G here\"]" },
    { "tell", "[\"G.purse\",\"deposit\",7]" },
    { "heard", "[]" },
    { "tellAll", "[[\"C\",\"G\"],\"purse\",\"look\"]" },
    { NULL, NULL },
};

static const struct play plays[] = {
    { "demo", "js/demo/demo.json", demo, "{\"heap\":17,\"stored\":17}" },
    { "zygote", "tests/fork/state.json", zygote, "[[5,false],[12,false]]" },
};

/* Each round: a parent that has to come to rest first, a seal, a fork of a zygote, a refusal. */
#define BEGIN \
    { "create", "[\"P\",\"state\"]" }, { "make", "[\"ear\"]" }, { "ask", "[\"P\",\"fill\",2]" }, \
    { "ask", "[\"P\",\"keep\",\"ear\",{\"thing\":\"ear\"}]" }, { "ask", "[\"P\",\"purse\"]" }, \
    { "ask", "[\"P\",\"box\"]" }
#define ROUND(n) \
    { "ask", "[\"P\",\"add\",1]" }, { "fork", "[\"P\",\"C" n "\",[\"P.purse\"]]" }, \
    { "zygotify", "[\"C" n "\"]" }, { "fork", "[\"C" n "\",\"D" n "\",[\"C" n ".purse\"]]" }, \
    { "fork", "[\"P\",\"X" n "\",[\"ear\"]]" }, { "tell", "[\"D" n ".purse\",\"deposit\",5]" }
#define FOUR(n) ROUND(n "a"), ROUND(n "b"), ROUND(n "c"), ROUND(n "d")
#define END { "askAll", "[[\"P\"],\"read\"]" }, { NULL, NULL }

static const struct message few_forks[] = { BEGIN, ROUND("1"), ROUND("2"), ROUND("3"), END };
static const struct message many_forks[] = { BEGIN, FOUR("1"), FOUR("2"), FOUR("3"), FOUR("4"), FOUR("5"), END };

static const struct play few = { "forks", "tests/fork/state.json", few_forks, "\"heap\":3," };
static const struct play many = { "forks", "tests/fork/state.json", many_forks, "\"heap\":20," };

enum mode { COMMIT_CRANKS, COMMIT_MESSAGES };
static const char *const mode_names[] = { "a commit per crank", "a commit per message" };

/* Shared by the processes of this test. */
struct shared {
    uint64_t steps;        /* passed by the last life */
    bool complete;         /* it came to the end of the play */
    char where[64];        /* the label it died at */
    size_t commits;
    char commit[COMMITS_MAX][SHA256_HEX + 1];
    bool at_rest[COMMITS_MAX]; /* nothing was left to do: also a commit per message's */
    size_t labels;         /* that passed in the crank of a fork or a seal, or in its commit */
    struct {
        char text[64];
        unsigned passed, deaths;
    } label[LABELS_MAX];
};
static struct shared *shared;

/* -- one life, in a process of its own ----------------------------------------------------- */

struct life {
    struct lab *lab;
    const struct play *play;
    enum mode mode;
    uint64_t die_at;  /* 0: never */
    bool note;        /* each commit's store */
    int label;        /* -1; or die where it passes in a fork, from this life's so many-th on: */
    unsigned forks_first;
    /* changing */
    bool in_fork;     /* in the crank of a fork or a seal */
    bool forked;      /* since the last commit */
    unsigned forks;
};

static void die(const char *label)
{
    snprintf(shared->where, sizeof shared->where, "%s", label);
    kill(getpid(), SIGKILL);
}

static size_t label_number(const char *text)
{
    size_t i = 0;
    while (i < shared->labels && strcmp(shared->label[i].text, text) != 0) i++;
    if (i < shared->labels) return i;
    if (i == LABELS_MAX) abort();
    snprintf(shared->label[shared->labels++].text, sizeof shared->label[0].text, "%s", text);
    return i;
}

/* Of a fork: what passes in its crank, and in the commit of the block that had one. */
static void step_of_fork(struct life *life, const char *label)
{
    if (strcmp(label, "fork: taken up") == 0 || strcmp(label, "zygote: taken up") == 0) {
        life->in_fork = life->forked = true;
        life->forks++;
    }
    bool of_commit = life->forked && strncmp(label, "commit", 6) == 0;
    if (life->in_fork || of_commit) {
        size_t i = label_number(label);
        if (life->note) shared->label[i].passed++;
        if ((int)i == life->label && life->forks >= life->forks_first) die(label);
    }
    if (strcmp(label, "crank ended") == 0) life->in_fork = false;
    if (strcmp(label, "committed") == 0) life->forked = false;
}

/* Steps so near to others that only forks are ended there. */
static bool is_fine(const char *label)
{
    static const char *const fine[] = { "references settled", "hashes emitted", "consequences queued", "commit: begun",
                                        "commit: keys written", "commit: spans written", "commit: durable" };
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        if (strcmp(label, fine[i]) == 0) return true;
    }
    return false;
}

static void step(void *self, const char *label)
{
    struct life *life = self;
    if (is_fine(label) && !life->in_fork) return step_of_fork(life, label);
    shared->steps++;
    if (shared->steps == life->die_at) die(label);
    step_of_fork(life, label);
}

static void note(struct lab *l)
{
    if (shared->commits == COMMITS_MAX) abort();
    lab_hash(l, shared->commit[shared->commits++]);
}

static void commit(struct life *life)
{
    struct err e;
    step(life, "before the commit");
    if (store_commit(life->lab->store, &e) != 0) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    step(life, "committed");
    if (life->note) note(life->lab);
}

/* How many messages were queued: kept in the commit that queued them. */
static uint64_t sent(struct lab *l)
{
    struct span text;
    uint64_t n = 0;
    if (kv_get(l->store, SPAN("host.test.sent"), &text)) span_u64(text, &n);
    return n;
}

static void queue(struct life *life, uint64_t i)
{
    const struct message *m = &life->play->messages[i];
    kref promise = lab_queue(life->lab, m->method, m->args);
    char number[24];
    snprintf(number, sizeof number, "%llu", (unsigned long long)(i + 1));
    kv_host_set(life->lab->store, SPAN("host.test.sent"), span_of(number));
    kv_host_set(life->lab->store, SPAN("host.test.promise"), span_of(kref_text(promise).s));
    step(life, "queued");
}

static void live(struct life *life)
{
    struct err e;
    uint64_t ran;
    shared->steps = 0;
    shared->complete = false;
    life->lab->sink = (struct kernel_sink){ .self = life, .step = step };
    lab_open(life->lab);
    step(life, "opened");
    for (;;) {
        uint64_t next = sent(life->lab);
        if (kernel_run(life->lab->kernel, life->mode == COMMIT_CRANKS, &ran, &e) != 0) {
            fprintf(stderr, "%s\n", e.text);
            abort();
        }
        if (ran == 0 && life->note) shared->at_rest[shared->commits - 1] = true;
        if (ran > 0) {
            commit(life);
        } else if (life->play->messages[next].method == NULL) {
            break;
        } else {
            queue(life, next); /* committed with its first crank: statistics are saved there */
        }
    }
    shared->complete = true;
    lab_close(life->lab);
}

/* -- the process that looks on --------------------------------------------------------------- */

static _Noreturn void fail(const struct life *life, const char *what)
{
    fprintf(stderr, "ZYGOTE_SEED=%llu: %s, %s, killed at step %llu (\"%s\"): %s\n",
            (unsigned long long)rng_seed_from_env(1), life->play->name, mode_names[life->mode],
            (unsigned long long)life->die_at, shared->where, what);
    exit(1);
}

static void too_long(int signal)
{
    (void)signal;
    static const char text[] = "workers outlive their kernel\n";
    pid_t all[64];
    size_t n = lab_descendants(getpid(), all, 64); /* we were only waiting */
    for (size_t i = 0; i < n; i++) kill(all[i], SIGKILL);
    if (write(2, text, sizeof text - 1) < 0) _exit(2);
    _exit(1);
}

/* What the dead left behind is given to us: it must end by itself. */
static void await_orphans(void)
{
    alarm(ORPHANS_SECONDS);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) continue;
    alarm(0);
}

/* True if it was killed where it should be; false if it came to the end before that. */
static bool play_life(struct life *life)
{
    int status;
    shared->where[0] = '\0';
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        live(life);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) fail(life, strerror(errno));
    await_orphans();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && shared->complete) return false;
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) fail(life, "it died by itself");
    return true;
}

/* Which commit the store is at; no earlier than `from`.  Looks at a copy: the next life
 * recovers the store itself. */
static size_t look(const struct life *life, size_t from)
{
    char hash[SHA256_HEX + 1];
    struct lab copy;
    lab_copy(&copy, life->lab);
    lab_hash(&copy, hash);
    uint64_t breaches = lab_audit(&copy);
    lab_free(&copy);
    if (breaches != 0) fail(life, "the audit found breaches");
    for (size_t i = from; i < shared->commits; i++) {
        if (life->mode == COMMIT_MESSAGES && i > 0 && !shared->at_rest[i]) continue;
        if (strcmp(shared->commit[i], hash) == 0) return i;
    }
    fail(life, "the store is what it never was in an undisturbed run");
}

static void make(struct lab *l, const struct play *play)
{
    lab_new(l, play->config);
    lab_genesis(l);
}

/* Undisturbed, each commit noted; then the answer to the last message. */
static uint64_t rehearse(const struct play *play, const char *cache)
{
    struct lab l;
    make(&l, play);
    l.cache = cache;
    struct life life = { .lab = &l, .play = play, .mode = COMMIT_CRANKS, .note = true, .label = -1 };
    shared->commits = shared->labels = 0;
    memset(shared->label, 0, sizeof shared->label);
    memset(shared->at_rest, 0, sizeof shared->at_rest);
    note(&l);
    if (play_life(&life)) fail(&life, "the undisturbed run was killed");
    const char *last = lab_kv(&l, "host.test.promise");
    const char *answer = lab_kv(&l, lab_printf(&l, "%s.data.body", last));
    if (strstr(answer, play->expected) == NULL) fail(&life, answer);
    lab_free(&l);
    return shared->steps;
}

/* -- sweeps -------------------------------------------------------------------------------------- */

static unsigned lives;

/* Every step of every block: lives begin at a commit and end at its first step, its second,
 * …, until one got to the next commit and past it. */
static void every_step(struct life *life)
{
    size_t at = 0;
    for (life->die_at = 1; play_life(life); lives++) {
        size_t now = look(life, at);
        life->die_at = now > at ? 1 : life->die_at + 1;
        at = now;
    }
}

/* Some: how far a life gets is drawn, and a life that got nowhere lets the next get further. */
static void some_steps(struct life *life, struct rng *rng, uint64_t steps, unsigned wanted)
{
    size_t at = 0;
    uint64_t reach = 1 + 2 * steps / wanted;
    for (unsigned stuck = 1;; lives++) {
        life->die_at = 1 + rng_below(rng, reach * stuck);
        if (!play_life(life)) return;
        size_t now = look(life, at);
        stuck = now > at ? 1 : stuck * 2;
        at = now;
    }
}

static unsigned how_many(enum mode mode, bool all)
{
    if (all) return 200;
    return mode == COMMIT_CRANKS ? 10 : 4;
}

static void sweep(const struct play *play, enum mode mode, uint64_t steps, struct rng *rng,
                  bool all, const char *images)
{
    struct lab l;
    make(&l, play);
    l.cache = images;
    struct life life = { .lab = &l, .play = play, .mode = mode, .label = -1 };
    lives = 0;
    if (all && mode == COMMIT_CRANKS) every_step(&life);
    else some_steps(&life, rng, steps, how_many(mode, all));
    if (look(&life, 0) != shared->commits - 1) fail(&life, "it ended at an earlier commit");
    printf("[       OK ] %s, %s: %u lives, %llu steps, %zu commits\n", play->name,
           mode_names[mode], lives, (unsigned long long)steps, shared->commits);
    fflush(stdout);
    lab_free(&l);
}

/* -- in the cranks of forks ------------------------------------------------------------------------ */

/* A play in which every life ends in a fork: at `label`, or if that is -1 at a drawn one.  Where
 * a life left its fork undone, the next does that one again and ends in a later. */
static void end_in_forks(const struct play *play, enum mode mode, int label, struct rng *rng, const char *images)
{
    struct lab l;
    size_t at = 0;
    make(&l, play);
    l.cache = images;
    struct life life = { .lab = &l, .play = play, .mode = mode, .forks_first = 1 };
    for (;; lives++) {
        bool enough = label >= 0 && shared->label[label].deaths >= TIMES;
        life.label = enough ? LABELS_MAX : label >= 0 ? label : (int)rng_below(rng, shared->labels);
        if (!play_life(&life)) break;
        shared->label[life.label].deaths++;
        bool kept = strcmp(shared->where, "commit: durable") == 0 || strcmp(shared->where, "committed") == 0;
        life.forks_first = kept ? 1 : 2;
        at = look(&life, at);
    }
    if (look(&life, at) != shared->commits - 1) fail(&life, "it ended at an earlier commit");
    lab_free(&l);
}

static void in_forks(enum mode mode, bool all, struct rng *rng, const char *images)
{
    unsigned times = 0;
    lives = 0;
    for (size_t i = 0; i < shared->labels; i++) shared->label[i].deaths = 0;
    if (!all) end_in_forks(&few, mode, -1, rng, images);
    for (size_t i = 0; all && i < shared->labels; i++) {
        while (shared->label[i].deaths < TIMES) end_in_forks(&many, mode, (int)i, rng, images);
        printf("           %u times at \"%s\"\n", shared->label[i].deaths, shared->label[i].text);
        fflush(stdout);
    }
    for (size_t i = 0; i < shared->labels; i++) times += shared->label[i].deaths > 0;
    printf("[       OK ] in forks, %s: %u lives, at %u of %zu labels\n", mode_names[mode], lives, times,
           shared->labels);
    fflush(stdout);
}

/* `mode`: 20 times at each label, with that way of committing; "forks": a sample of both. */
static void kill_in_forks(const char *mode, struct rng *rng, const char *images)
{
    bool all = strcmp(mode, "forks") != 0;
    rehearse(all ? &many : &few, images);
    if (shared->labels < FORK_LABELS_MIN) {
        fprintf(stderr, "only %zu labels pass in a fork\n", shared->labels);
        exit(1);
    }
    if (!all || strcmp(mode, "cranks") == 0) in_forks(COMMIT_CRANKS, all, rng, images);
    if (!all || strcmp(mode, "messages") == 0) in_forks(COMMIT_MESSAGES, all, rng, images);
}

/* -- a worker that does not listen ------------------------------------------------------------------ */

/* Processor time a process used, in ticks; 0 if it is gone. */
static unsigned long ticks(pid_t pid)
{
    char path[64], text[1024] = "";
    unsigned long user = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL) return 0;
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    char *behind = strrchr(text, ')'); /* the name may hold anything */
    if (behind == NULL) return 0;
    sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu", &user);
    return user;
}

static void spin(struct lab *l)
{
    struct err e;
    uint64_t cranks;
    lab_boot(l);
    lab_send(l, "create", "[\"P\",\"state\"]");
    lab_queue(l, "ask", "[\"P\",\"spin\"]");
    shared->complete = true; /* from here on */
    (void)!lab_try_run(l, &cranks, &e);
}

/* Most workers end because their channel does.  One in the middle of a delivery does not
 * read it. */
static void kill_while_busy(const char *images)
{
    struct lab l;
    pid_t all[64];
    unsigned long most = 0, before = 0;
    const struct timespec pause = { .tv_nsec = 5000000 };
    lab_new(&l, plays[1].config);
    l.cache = images;
    shared->complete = false;
    fflush(NULL);
    pid_t kernel = fork();
    if (kernel == 0) {
        spin(&l);
        _exit(1);
    }
    while (!shared->complete) nanosleep(&pause, NULL);
    while (most == 0 || most < before + sysconf(_SC_CLK_TCK)) { /* a second of computing */
        size_t n = lab_descendants(kernel, all, 64);
        most = 0;
        for (size_t i = 0; i < n; i++) {
            unsigned long t = ticks(all[i]);
            if (t > most) most = t;
        }
        if (before == 0) before = most;
        nanosleep(&pause, NULL);
    }
    kill(kernel, SIGKILL);
    waitpid(kernel, NULL, 0);
    await_orphans();
    lab_free(&l);
    printf("[       OK ] a busy worker ends with its kernel\n");
}

static void kill_anywhere(bool all, struct rng *rng, const char *images)
{
    for (size_t i = 0; i < sizeof plays / sizeof *plays; i++) {
        uint64_t steps = rehearse(&plays[i], images);
        sweep(&plays[i], COMMIT_CRANKS, steps, rng, all, images);
        sweep(&plays[i], COMMIT_MESSAGES, steps, rng, all, images);
    }
    kill_while_busy(images);
}

int main(int argc, char **argv)
{
    bool all = argc == 2 && strcmp(argv[1], "long") == 0;
    const char *forks = argc == 2 && !all ? argv[1] : NULL;
    struct rng rng = rng_new(rng_seed_from_env(1));
    int count = forks == NULL ? 5 : strcmp(forks, "forks") == 0 ? 2 : 1;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return 1;
    signal(SIGALRM, too_long);
    printf("[==========] Running %d test(s).\n", count);
    struct lab images; /* made once for all */
    lab_new(&images, plays[0].config);
    if (forks == NULL) kill_anywhere(all, &rng, images.cache);
    else kill_in_forks(forks, &rng, images.cache);
    lab_free(&images);
    printf("[==========] %d test(s) run.\n", count);
    return 0;
}
