/* The points that forks must pass (fork.md section 6), each a test with real workers.
 *
 *   8   "test_points long" makes ten thousand forks
 *   9   needs upstream's kernel: tests/fork/upstream.mjs
 *   10  of real Zoe, what concerns a contract's instance: real ZCF with a real contract
 *
 * More of each: 2 test_share and tests/kernel/test_fork*; 3 test_transparency and test_moves;
 * 5 test_crash; 6, 7, 13 test_isolation; 11 tests/kernel/test_limits.  After every test here
 * the store is audited (12). */
#include "lib/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lab.h"
#include "store/snapshot.h"
#include "store/store.h"

static char *cache; /* one for all tests */
static unsigned audits;
static unsigned many = 120; /* forks in point 8 */

static void begin(struct lab *l, const char *config)
{
    lab_new(l, config);
    lab_share_images(l, &cache);
}

static void end(struct lab *l)
{
    assert_int_equal(lab_audit(l), 0);
    audits++;
    lab_free(l);
}

/* A vat P with state (tests/vats/fork-state.js): its store is made once, then copied. */
static struct lab made;

static void begin_state(struct lab *l)
{
    if (made.store_dir == NULL) {
        begin(&made, "tests/fork/state.json");
        lab_boot(&made);
        lab_expect(&made, "create", "[\"P\",\"state\",{\"vatParameters\":{\"start\":1}}]", "\"created\"");
        lab_close(&made);
    }
    lab_copy(l, &made);
    l->cache = cache;
    lab_open(l);
}

/* Puppets: vats that do what they are told to (tests/scenarios/vats/puppet.js). */
static void begin_puppets(struct lab *l, const char *config)
{
    struct err e;
    uint64_t cranks;
    begin(l, config);
    lab_genesis(l);
    lab_open(l);
    assert_int_equal(lab_try_run(l, &cranks, &e), 0);
}

/* Acts of the bootstrap puppet, with ' for "; its answer. */
static const char *act(struct lab *l, const char *fmt, ...)
{
    char acts[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(acts, sizeof acts, fmt, ap);
    va_end(ap);
    assert_true(n > 0 && (size_t)n < sizeof acts);
    for (char *p = acts; *p != '\0'; p++) {
        if (*p == '\'') *p = '"';
    }
    return lab_send(l, "do", lab_printf(l, "[[%s]]", acts));
}

static void assert_answer(const char *got, const char *want)
{
    if (strcmp(got, want) == 0) return;
    fprintf(stderr, "got  %s\nwant %s\n", got, want);
    fail();
}

static void assert_says(const char *got, const char *part)
{
    if (strstr(got, part) != NULL) return;
    fprintf(stderr, "%s\nis not in %s\n", part, got);
    fail();
}

static long number(struct lab *l, const char *sql)
{
    return strtol(lab_query(l, sql), NULL, 10);
}

static const char *transcript_of(struct lab *l, const char *name)
{
    return lab_transcript(l, lab_vat(l, name), 0);
}

/* All that is a vat's in the store. */
static const char *rows_of(struct lab *l, const char *name)
{
    const char *v = lab_printf(l, "%s", vat_id_text(lab_vat(l, name)).s);
    return lab_printf(l, "%s--%s--%s--%s",
                      lab_query(l, lab_printf(l, "SELECT key, value FROM kvStore WHERE key GLOB '%s.*' ORDER BY key", v)),
                      lab_query(l, lab_printf(l, "SELECT position, incarnation, item FROM transcriptItems WHERE vatID='%s' "
                                                 "ORDER BY position", v)),
                      lab_query(l, lab_printf(l, "SELECT startPos, endPos, hash, isCurrent, incarnation FROM transcriptSpans "
                                                 "WHERE vatID='%s' ORDER BY startPos", v)),
                      lab_query(l, lab_printf(l, "SELECT snapPos, hash, inUse FROM snapshots WHERE vatID='%s' ORDER BY snapPos", v)));
}

static void collect(struct lab *l)
{
    struct err e;
    uint64_t cranks;
    kernel_reap_all(l->kernel);
    assert_int_equal(lab_try_run(l, &cranks, &e), 0);
}

static void host_fork(struct lab *l, const char *parent, const char *child)
{
    struct err e;
    uint64_t cranks;
    vat_id vat;
    struct fork_request r = { .vat = lab_vat(l, parent),
                              .options = { .name = span_of(child), .reap_interval = REAP_DEFAULT } };
    if (kernel_fork(l->kernel, &r, &vat, &e) != 0 || lab_try_run(l, &cranks, &e) != 0) fail_msg("%s", e.text);
}

/* -- 1 -------------------------------------------------------------------------------------- */

/* Upstream's scenario builds a contract vat, evaluates the contract, starts the instance, and
 * upgrades it; between the last two its bootstrap would clone. */
TEST(point_01_zcf_ish_upgrade_with_a_fork_where_upstream_would_clone)
{
    struct lab l;
    begin(&l, "tests/fork/zcf.json");
    lab_boot(&l);
    lab_expect(&l, "build", "[\"V\"]", "\"version 1, evaluated 1 time\"");
    lab_expect(&l, "fork", "[\"V\",\"A\"]", "\"version 1, evaluated 1 time\"");
    lab_expect(&l, "fork", "[\"V\",\"B\"]", "\"version 1, evaluated 1 time\"");
    lab_expect(&l, "start", "[\"V\"]", "\"V\"");
    lab_expect(&l, "start", "[\"A\"]", "\"A\"");
    lab_expect(&l, "start", "[\"B\"]", "\"B\"");
    lab_expect(&l, "add", "[\"V\",1]", "1");
    lab_expect(&l, "add", "[\"A\",10]", "10");
    lab_expect(&l, "add", "[\"B\",100]", "100");
    lab_expect(&l, "upgrade", "[\"A\"]", "[1,\"version 2\"]");
    lab_expect(&l, "add", "[\"A\",10]", "30");  /* the same facet, the second version */
    lab_expect(&l, "add", "[\"V\",1]", "2");    /* the others are still the first */
    lab_expect(&l, "upgrade", "[\"V\"]", "[1,\"version 2\"]");
    lab_restart(&l);
    lab_expect(&l, "add", "[\"V\",1]", "4");
    lab_expect(&l, "add", "[\"B\",100]", "200");
    lab_expect(&l, "upgrade", "[\"B\"]", "[1,\"version 2\"]");
    lab_expect(&l, "add", "[\"B\",100]", "400");
    lab_expect(&l, "add", "[\"A\",1]", "32");
    end(&l);
}

/* -- 2 -------------------------------------------------------------------------------------- */

/* CHILD.r, CHILD.d, CHILD.a, CHILD.b are the child's of the parent's. */
static const char *fork_puppet(struct lab *l, const char *parent, const char *child, const char *options)
{
    return act(l, "['send','$%s.admin','fork',[['$%s.r','$%s.d','$%s.a','$%s.b'],{'name':'%s'%s}],'f'],['await','$f','g'],"
                  "['pick','$g','root','%s'],['pick','$g','adminNode','%s.admin'],['pick','$g','refs','h'],"
                  "['pick','$h','0','%s.r'],['pick','$h','1','%s.d'],['pick','$h','2','%s.a'],['pick','$h','3','%s.b'],"
                  "['drop','f','g','h'],['return','forked']",
               parent, parent, parent, parent, parent, child, options, child, child, child, child, child, child);
}

static void assert_pokes(struct lab *l, const char *thing, int want)
{
    const char *got = act(l, "['send','$%s','poke',[],'n'],['await','$n','m'],['return','$m']", thing);
    assert_answer(got, lab_printf(l, "%d", want));
}

static const char *report(struct lab *l, const char *vat)
{
    return act(l, "['send','$%s','report',[],'n'],['await','$n','m'],['return','$m']", vat);
}

/* P: exports r (heap), d (durable), a and b (facets of one), all reachable, and w, which the
 * bootstrap puppet only recognizes; it waits for `gate`, and has promised `mine`. */
static void make_parent(struct lab *l)
{
    act(l, "['createVat','P','puppet',{'name':'P','vatParameters':{'name':'P'}}]");
    act(l, "['send','$P','do',[[['make','r','ephemeral'],['make','w','ephemeral'],['make','d','durable'],['keep','d'],"
           "['make','f','durablePair'],['promise','mine'],['keep','f.a'],['keep','f.b']]]]");
    act(l, "['send','$P','give',['r'],'x'],['await','$x','P.r'],['send','$P','give',['d'],'x'],['await','$x','P.d'],"
           "['send','$P','give',['f.a'],'x'],['await','$x','P.a'],['send','$P','give',['f.b'],'x'],['await','$x','P.b'],"
           "['send','$P','give',['w'],'x'],['await','$x','w'],['drop','x']");
    act(l, "['store','weak','weakSet'],['call','$weak','add',['$w']],['drop','w']");
    collect(l);
    const char *w = lab_query(l, lab_printf(l, "SELECT count(*) FROM kvStore WHERE key GLOB '%s.c.ko*' AND value GLOB '_ o+*'",
                                            vat_id_text(lab_vat(l, "P")).s));
    assert_answer(w, "1\n");
}

static void promises_of_parent(struct lab *l)
{
    act(l, "['promise','gate'],['send','$P','take',['gate','$gate']],['send','$P','do',[[['when','$$gate','gate']]]],"
           "['send','$P','give',['mine'],'mine'],['when','$mine','mine']");
}

TEST(point_02_exports_facets_and_promises_through_three_generations)
{
    struct lab l;
    begin_puppets(&l, "tests/fork/puppets.json");
    make_parent(&l);
    assert_answer(fork_puppet(&l, "P", "S", ""), "\"forked\""); /* strict: it has no promises yet */
    promises_of_parent(&l);
    assert_says(fork_puppet(&l, "P", "T", ""), "vat is not quiescent: 2 promises (1 decided, 1 subscribed, 0 other)");
    assert_false(lab_vat_exists(&l, "T"));
    assert_answer(fork_puppet(&l, "P", "C", ",'promises':'share'"), "\"forked\"");
    assert_says(transcript_of(&l, "C"), "\"retireExports\"");
    assert_answer(fork_puppet(&l, "C", "G", ",'promises':'share'"), "\"forked\"");
    const char *names[] = { "P", "S", "C", "G" };
    for (int i = 0; i < 4; i++) { /* facets share a state, vats do not */
        for (int n = 0; n <= i; n++) assert_pokes(&l, lab_printf(&l, "%s.a", names[i]), n + 1);
        assert_pokes(&l, lab_printf(&l, "%s.b", names[i]), i + 2);
        assert_pokes(&l, lab_printf(&l, "%s.d", names[i]), 1);
        assert_pokes(&l, lab_printf(&l, "%s.r", names[i]), 1);
    }
    act(&l, "['resolve','gate','opened']");
    for (int i = 0; i < 4; i++) {
        const char *log = report(&l, names[i]);
        assert_true((strstr(log, "\"opened\"") != NULL) == (i != 1)); /* S was made before */
    }
    act(&l, "['send','$C','do',[[['resolve','mine','of C']]]]");
    assert_null(strstr(lab_send(&l, "report", "[]"), "of C")); /* P decides what was P's */
    act(&l, "['send','$P','do',[[['resolve','mine','of P']]]]");
    assert_says(lab_send(&l, "report", "[]"), "of P");

    act(&l, "['terminate','P','over'],['drop','P','P.admin','P.r','P.d','P.a','P.b','weak']");
    collect(&l);
    lab_restart(&l);
    act(&l, "['upgrade','C','puppet2',{'vatParameters':{'name':'C'}}]");
    assert_says(lab_send(&l, "report", "[]"), "C upgrade");
    assert_pokes(&l, "C.d", 2);
    assert_pokes(&l, "C.b", 5);
    assert_says(act(&l, "['send','$C.r','poke',[],'n'],['await','$n','m']"), "!"); /* it was ephemeral */
    assert_pokes(&l, "G.r", 2);
    assert_pokes(&l, "G.d", 2);
    assert_pokes(&l, "S.d", 2);
    assert_answer(fork_puppet(&l, "G", "H", ",'promises':'share'"), "\"forked\"");
    act(&l, "['terminate','C','over'],['terminate','G','over'],['drop','C','G','C.admin','G.admin']");
    collect(&l);
    lab_restart(&l);
    assert_pokes(&l, "H.a", 6);
    end(&l);
}

/* -- 3 -------------------------------------------------------------------------------------- */

TEST(point_03_a_parent_and_two_forks_cannot_be_told_apart)
{
    struct lab l;
    struct err e;
    vat_id *saved;
    size_t count;
    begin_state(&l);
    lab_send(&l, "ask", "[\"P\",\"fill\",3]");
    lab_expect(&l, "fork", "[\"P\",\"C\"]", "0");
    lab_expect(&l, "fork", "[\"P\",\"D\"]", "0");
    uint64_t parted = lab_transcript_end(&l, lab_vat(&l, "P"));
    static const char *const steps[] = { "\"add\",3", "\"fill\",2", "\"turns\",4", "\"thin\"", "\"fail\",\"no\"" };
    for (int i = 0; i < 5; i++) lab_send(&l, "askAll", lab_printf(&l, "[[\"P\",\"C\",\"D\"],%s]", steps[i]));
    collect(&l);
    assert_int_equal(kernel_snapshot_all(l.kernel, &saved, &count, &e), 0);
    assert_int_equal(store_commit(l.store, &e), 0);
    const char *p = lab_transcript(&l, lab_vat(&l, "P"), parted);
    assert_says(p, "computrons");
    assert_says(p, "save-snapshot");
    assert_true(lab_same("transcript of C", lab_transcript(&l, lab_vat(&l, "C"), 1), p));
    assert_true(lab_same("transcript of D", lab_transcript(&l, lab_vat(&l, "D"), 1), p));
    char hash[SHA256_HEX + 1];
    memcpy(hash, lab_info(&l, "P").snapshot, sizeof hash);
    assert_string_equal(lab_info(&l, "C").snapshot, hash);
    assert_string_equal(lab_info(&l, "D").snapshot, hash);
    end(&l);
}

/* -- 4 -------------------------------------------------------------------------------------- */

TEST(point_04_forking_a_pristine_parent_writes_nothing_to_it_and_starts_nothing)
{
    struct lab l;
    begin_state(&l);
    host_fork(&l, "P", "first"); /* its snapshot is current now */
    lab_restart(&l);
    const char *before = rows_of(&l, "P");
    size_t processes = lab_descendants(getpid(), (pid_t[64]){ 0 }, 64);
    for (int i = 0; i < 5; i++) host_fork(&l, "P", lab_printf(&l, "C%d", i));
    assert_true(lab_same("the parent", rows_of(&l, "P"), before));
    assert_int_equal(lab_descendants(getpid(), (pid_t[64]){ 0 }, 64), processes);
    assert_false(lab_info(&l, "P").online);
    assert_false(lab_info(&l, "C4").online);
    end(&l);
}

/* -- 5 -------------------------------------------------------------------------------------- */

static void kill_at(void *self, const char *label)
{
    if (strcmp(label, self) == 0) kill(getpid(), SIGKILL);
}

static void wait_for_all(void)
{
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) continue;
}

TEST(point_05_a_kill_in_a_fork_leaves_no_child_or_a_whole_one)
{
    static const struct {
        const char *label;
        bool whole;
    } deaths[] = { { "fork: vatstore cloned", false }, { "fork: machine cloned", false },
                   { "commit: spans written", false }, { "commit: durable", true } };
    struct lab l;
    begin_state(&l);
    lab_close(&l);
    for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++) {
        const char *name = lab_printf(&l, "C%zu", i);
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            l.sink = (struct kernel_sink){ .self = (void *)deaths[i].label, .step = kill_at };
            lab_open(&l);
            host_fork(&l, "P", name);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        wait_for_all();
        lab_open(&l);
        assert_int_equal(lab_audit(&l), 0);
        assert_int_equal(lab_vat_exists(&l, name), deaths[i].whole);
        if (!deaths[i].whole) host_fork(&l, "P", name);
        assert_true(lab_info(&l, name).has_snapshot);
        lab_close(&l);
    }
    lab_open(&l);
    end(&l);
}

/* -- 6 -------------------------------------------------------------------------------------- */

TEST(point_06_what_was_queued_before_is_past_and_what_comes_later_is_not_the_childs)
{
    struct lab l;
    struct err e;
    uint64_t cranks;
    kref root;
    vat_id c;
    begin_state(&l);
    struct fork_request r = { .vat = lab_vat(&l, "P"), .options = { .name = SPAN("C"), .reap_interval = REAP_DEFAULT } };
    assert_int_equal(kernel_find(l.kernel, span_of(vat_id_text(r.vat).s), &root, &e), 0);
    const struct pass *ten = pass_number(&l.arena, 10), *more = pass_number(&l.arena, 100);
    kref before = kernel_send(l.kernel, root, SPAN("add"), pass_array(&l.arena, 1, &ten));
    assert_int_equal(kernel_fork(l.kernel, &r, &c, &e), 0);
    kref after = kernel_send(l.kernel, root, SPAN("add"), pass_array(&l.arena, 1, &more));
    assert_int_equal(lab_try_run(&l, &cranks, &e), 0);
    assert_says(lab_take(&l, before), "\"heap\":11,");
    assert_says(lab_take(&l, after), "\"heap\":111,");
    assert_null(strstr(transcript_of(&l, "C"), "\"message\""));
    assert_int_equal(kernel_find(l.kernel, span_of(vat_id_text(c).s), &root, &e), 0);
    kref read = kernel_send(l.kernel, root, SPAN("read"), pass_array(&l.arena, 0, NULL));
    assert_int_equal(lab_try_run(&l, &cranks, &e), 0);
    assert_says(lab_take(&l, read), "\"heap\":11,");
    end(&l);
}

/* -- 7 -------------------------------------------------------------------------------------- */

/* Everything but what the asking itself leaves with who asks and with vat-admin. */
static const char *standing(struct lab *l)
{
    return lab_printf(l, "%s--%s--%s--%s",
                      lab_query(l, "SELECT key, value FROM kvStore WHERE (key GLOB 'v[3-9].*' OR key GLOB 'v[1-9][0-9]*.*' "
                                   "OR key = 'vat.dynamicIDs' OR key = 'vats.terminated' OR key GLOB 'm[0-9]*') ORDER BY key"),
                      lab_query(l, "SELECT * FROM transcriptItems WHERE vatID NOT IN ('v1','v2') ORDER BY vatID, position"),
                      lab_query(l, "SELECT vatID, snapPos, hash, inUse FROM snapshots WHERE vatID NOT IN ('v1','v2') ORDER BY vatID"),
                      lab_query(l, "SELECT hash FROM snapshotBlobs WHERE hash IN (SELECT hash FROM snapshotRows "
                                   "WHERE vatID NOT IN ('v1','v2')) ORDER BY hash"));
}

static void refused(struct lab *l, const char *method, const char *args, const char *why)
{
    const char *before = standing(l), *got = lab_send(l, method, args);
    if (got[0] != '!' || strstr(got, why) == NULL) {
        fprintf(stderr, "%s%s: %s\n", method, args, got);
        fail();
    }
    assert_true(lab_same(why, standing(l), before));
    assert_int_equal(lab_audit(l), 0);
}

TEST(point_07_each_refusal_leaves_the_store_as_it_was)
{
    struct lab l;
    struct err e;
    vat_id c;
    begin_state(&l);
    lab_send(&l, "make", "[\"ear\"]");
    lab_expect(&l, "create", "[\"Q\",\"state\"]", "\"created\"");
    lab_expect(&l, "ask", "[\"Q\",\"box\"]", "\"Q.box\"");
    lab_expect(&l, "fork", "[\"P\",\"first\"]", "0"); /* P and Q are current: nothing is to be done before */
    lab_expect(&l, "fork", "[\"Q\",\"second\",[\"Q.box\"]]", "1");
    refused(&l, "fork", "[\"P\",\"C\",[\"ear\"]]", "oldrefs[0] is not an export of this vat");
    refused(&l, "fork", "[\"P\",\"C\",[\"P.root\",\"Q.box\"]]", "oldrefs[1] is not an export of this vat");
    refused(&l, "fork", "[\"P\",\"C\",[],{\"shape\":\"round\"}]", "unknown options");
    refused(&l, "fork", "[\"P\",\"not a name!\"]", "bad vat name");
    refused(&l, "fork", "[\"P\",\"C\",[],{\"critical\":true}]", "invalid criticalVatKey");
    refused(&l, "fork", "[\"P\",\"C\",[],{\"meter\":7}]", "meter");
    refused(&l, "fork", "[\"P\",\"C\",[],{\"promises\":\"lend\"}]", "promises");
    refused(&l, "fork", "[\"P\",\"C\",[],{\"reapInterval\":-1}]", "reapInterval");
    lab_send(&l, "ask", "[\"P\",\"keep\",\"ear\",{\"thing\":\"ear\"}]");
    lab_expect(&l, "ask", "[\"P\",\"hang\",\"ear\"]", "\"hung\"");
    lab_expect(&l, "fork", "[\"P\",\"third\",[],{\"promises\":\"share\"}]", "0"); /* current again */
    refused(&l, "fork", "[\"P\",\"C\"]", "vat is not quiescent: 1 promise");
    refused(&l, "zygotify", "[\"P\"]", "vat is not quiescent: 1 promise");
    lab_expect(&l, "zygotify", "[\"Q\"]", "\"sealed\"");
    refused(&l, "upgrade", "[\"Q\",\"state\"]", "zygote");
    lab_expect(&l, "terminate", "[\"Q\"]", "\"told\"");
    refused(&l, "fork", "[\"Q\",\"C\"]", "");
    struct fork_request r = { .vat = lab_vat(&l, "bootstrap"), .options.reap_interval = REAP_DEFAULT };
    const char *before = lab_dump(&l);
    assert_int_equal(kernel_fork(l.kernel, &r, &c, &e), -1); /* a static vat */
    assert_int_equal(e.exit, EXIT_POLICY);
    assert_int_equal(store_commit(l.store, &e), 0);
    assert_true(lab_same("a static vat", lab_dump(&l), before));
    end(&l);
}

/* -- 8 -------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Processor time of a fork's cranks: the median of so many; the children's IDs, if wanted. */
static double cost_of_forks(struct lab *l, vat_id parent, unsigned count, vat_id *children)
{
    static double us[10000];
    struct err e;
    uint64_t cranks;
    assert_true(count <= 10000);
    for (unsigned i = 0; i < count; i++) {
        struct timespec from, to;
        vat_id child;
        struct fork_request r = { .vat = parent, .options.reap_interval = REAP_DEFAULT };
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
        if (kernel_fork(l->kernel, &r, &child, &e) != 0 || kernel_run(l->kernel, 0, &cranks, &e) != 0) fail_msg("%s", e.text);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
        assert_int_equal(store_commit(l->store, &e), 0);
        us[i] = (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
        if (children != NULL) children[i] = child;
    }
    qsort(us, count, sizeof *us, by_size);
    return us[count / 2];
}

static long resident_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
    }
    if (f != NULL) fclose(f);
    return kib;
}

enum { CLEAN_AT_ONCE = 5 };
static uint64_t most_cleaned, cleanings;

static bool allow(void *self, struct cleanup_work *budget)
{
    (void)self;
    uint64_t n = CLEAN_AT_ONCE;
    *budget = (struct cleanup_work){ n, n, n, n, n, n };
    return true;
}

static bool cleaned(void *self, const struct crank_report *r)
{
    (void)self;
    const struct cleanup_work *w = &r->cleaned;
    uint64_t n = w->exports + w->imports + w->promises + w->kv + w->snapshots + w->transcripts;
    if (n > most_cleaned) most_cleaned = n;
    cleanings++;
    return true;
}

TEST(point_08_many_forks)
{
    enum { ONLINE = 4, SOME = 20 };
    struct lab l;
    struct err e;
    uint64_t cranks;
    begin_state(&l);
    l.online_max = ONLINE;
    lab_restart(&l);
    lab_send(&l, "ask", "[\"P\",\"fill\",3]");
    lab_expect(&l, "zygotify", "[\"P\"]", "\"sealed\"");
    vat_id p = lab_vat(&l, "P"), early[SOME], late[SOME];
    cost_of_forks(&l, p, SOME, NULL); /* warm */
    double first = cost_of_forks(&l, p, SOME, early);
    long memory = resident_kib();
    cost_of_forks(&l, p, many - 3 * SOME, NULL);
    double last = cost_of_forks(&l, p, SOME, late);
    assert_true(last < 3 * first + 200);
    assert_true(resident_kib() - memory < 40 * 1024);
    char hash[SHA256_HEX + 1];
    memcpy(hash, lab_info(&l, "P").snapshot, sizeof hash);
    assert_int_equal(number(&l, lab_printf(&l, "SELECT count(*) FROM snapshotBlobs WHERE hash='%s'", hash)), 1);
    assert_int_equal(snapshot_users(l.store, hash), many + 1); /* and P itself */
    printf("           %u forks: %.0f us of processor time each at first, %.0f at last\n", many, first, last);

    /* Who talks to them has so many machines and no more. */
    for (unsigned i = 0; i < 3 * ONLINE; i++) {
        kref root;
        assert_int_equal(kernel_find(l.kernel, span_of(vat_id_text(early[i]).s), &root, &e), 0);
        kernel_send(l.kernel, root, SPAN("read"), pass_array(&l.arena, 0, NULL));
        assert_int_equal(lab_try_run(&l, &cranks, &e), 0);
        assert_true(lab_descendants(getpid(), (pid_t[64]){ 0 }, 64) <= ONLINE + 2); /* and servers of images */
    }

    /* Each end is the work of many small cranks. */
    struct run_policy policy = { .allow_cleanup = allow, .did_cleanup = cleaned };
    struct capdata why = { .body = SPAN("#\"over\"") };
    assert_int_equal(kernel_terminate(l.kernel, p, &why, &e), 0);
    assert_int_equal(kernel_terminate(l.kernel, late[0], &why, &e), 0);
    assert_int_equal(kernel_terminate(l.kernel, early[SOME - 1], &why, &e), 0);
    assert_int_equal(kernel_run_by(l.kernel, &policy, 0, &cranks, &e), 0);
    assert_int_equal(store_commit(l.store, &e), 0);
    assert_true(cleanings > 10);
    assert_true(most_cleaned > 0 && most_cleaned <= 6 * CLEAN_AT_ONCE);
    assert_int_equal(snapshot_users(l.store, hash), many + 1 - 3);
    end(&l);
}

/* -- 10 ------------------------------------------------------------------------------------- */

/* What an instance answers, from its start on. */
static const char *instance(struct lab *l, const char *name)
{
    const char *args = lab_printf(l, "[\"%s\"]", name);
    const char *methods = lab_send(l, "answer", args), *started = lab_send(l, "start", args);
    const char *one = lab_send(l, "offer", args), *two = lab_send(l, "offer", args);
    const char *count = lab_send(l, "offers", args), *facets = strstr(started, "\"facets\"");
    assert_int_equal(methods[0], '[');
    assert_non_null(facets);
    return facets == NULL ? "" : lab_printf(l, "%s %.*s %s %s %s", methods, (int)strcspn(facets, "]"), facets, one, two, count);
}

TEST(point_10_a_forked_instance_of_real_zcf_gives_the_results_of_a_created_one)
{
    struct lab l;
    begin(&l, "js/demo/zoe.json");
    lab_boot(&l);
    lab_send(&l, "createAndAnswer", "[\"created\"]");
    const char *created = instance(&l, "created");
    assert_says(created, "The offer was accepted");
    lab_send(&l, "create", "[]");
    lab_expect(&l, "zygotify", "[]", "\"sealed\"");
    lab_expect(&l, "fork", "[\"one\"]", "\"one\"");
    assert_true(lab_same("an instance", instance(&l, "one"), created));
    lab_expect(&l, "fork", "[\"two\"]", "\"two\"");
    lab_expect(&l, "start", "[\"two\"]",
               "{\"facets\":[\"creatorFacet\",\"creatorInvitation\",\"handleOfferObj\",\"publicFacet\"],\"started\":\"two\"}");
    lab_expect(&l, "offers", "[\"one\"]", "2");
    lab_expect(&l, "offers", "[\"two\"]", "0");
    end(&l);
}

/* -- 11 ------------------------------------------------------------------------------------- */

static long vats(struct lab *l)
{
    return number(l, "SELECT count(*) FROM kvStore WHERE key GLOB 'v[0-9]*.source'");
}

/* A vat that was given its own admin facet, and forks itself over and over. */
static void set_off(struct lab *l, const char *name, const char *options, int times)
{
    act(l, "['createVat','%s','puppet',{'name':'%s','vatParameters':{'name':'%s'}%s}],"
           "['send','$%s','take',['admin','$%s.admin']]", name, name, name, options, name, name);
    for (int i = 0; i < times; i++) {
        act(l, "['send','$%s','do',[[['send','$$admin','fork',[[],{'promises':'share'}],'k'],['when','$$k','fork']]]]", name);
    }
}

TEST(point_11_a_fork_bomb_is_stopped)
{
    struct lab l;
    begin_puppets(&l, "tests/fork/bombs.json");
    act(&l, "['createVat','V','puppet',{'name':'V','vatParameters':{'name':'V'}}],['send','$V','do',[[['make','r','durable']]]],"
            "['send','$V','give',['r'],'x'],['await','$x','V.r']");
    long before = vats(&l);
    set_off(&l, "limited", ",'maxForks':2", 3);
    assert_int_equal(vats(&l), before + 1 + 2);
    assert_says(report(&l, "limited"), "too many vats: maxForks");
    set_off(&l, "unlimited", "", 2);
    assert_int_equal(vats(&l), 8); /* limits.maxVats */
    assert_says(report(&l, "unlimited"), "too many vats");
    assert_pokes(&l, "V.r", 1);
    end(&l);

    begin_puppets(&l, "tests/fork/puppets.json");
    act(&l, "['createVat','V','puppet',{'name':'V','vatParameters':{'name':'V'}}],['send','$V','do',[[['make','r','durable']]]],"
            "['send','$V','give',['r'],'x'],['await','$x','V.r'],['meter','meter','60000000','1000']");
    act(&l, "['createVat','metered','puppet',{'name':'metered','vatParameters':{'name':'metered'},'meter':'$meter'}],"
            "['send','$metered','take',['admin','$metered.admin']]");
    int rounds = 0;
    for (; lab_vat_exists(&l, "metered") && rounds < 200; rounds++) {
        act(&l, "['send','$metered','do',[[['send','$$admin','fork',[[],{'promises':'share'}],'k'],['spin',1000000]]]]");
    }
    printf("           a metered bomb went off %d times\n", rounds);
    assert_true(rounds > 1 && rounds < 200);
    assert_pokes(&l, "V.r", 1);
    end(&l);
}

/* -- 12 ------------------------------------------------------------------------------------- */

TEST(point_12_the_audit_sees_a_reference_too_many_and_one_too_few)
{
    struct lab l;
    begin_state(&l);
    lab_expect(&l, "fork", "[\"P\",\"C\"]", "0");
    const char *root = lab_kv(&l, lab_printf(&l, "%s.c.o+0", vat_id_text(lab_vat(&l, "C")).s));
    const char *count = lab_kv(&l, lab_printf(&l, "%s.refCount", root));
    lab_close(&l);
    for (int i = 0; i < 2; i++) {
        lab_query(&l, lab_printf(&l, "UPDATE kvStore SET value='%d,%d' WHERE key='%s.refCount'", i * 9, i * 9, root));
        assert_int_not_equal(lab_audit(&l), 0);
    }
    lab_query(&l, lab_printf(&l, "UPDATE kvStore SET value='%s' WHERE key='%s.refCount'", count, root));
    lab_open(&l);
    end(&l);
}

/* -- 13 ------------------------------------------------------------------------------------- */

TEST(point_13_a_parent_ends_and_is_collected_before_its_child_is_paged_in)
{
    struct lab l;
    begin_state(&l);
    lab_send(&l, "ask", "[\"P\",\"fill\",4]");
    lab_expect(&l, "fork", "[\"P\",\"C\"]", "0");
    const char *p = lab_printf(&l, "%s", vat_id_text(lab_vat(&l, "P")).s);
    assert_false(lab_info(&l, "C").online);
    lab_expect(&l, "terminate", "[\"P\"]", "\"told\"");
    lab_send(&l, "forget", "[\"P\",\"P.root\"]");
    collect(&l);
    assert_int_equal(number(&l, lab_printf(&l, "SELECT count(*) FROM kvStore WHERE key GLOB '%s.*'", p)), 0);
    assert_int_equal(number(&l, lab_printf(&l, "SELECT count(*) FROM snapshots WHERE vatID='%s'", p)), 0);
    lab_restart(&l);
    assert_says(lab_send(&l, "ask", "[\"C\",\"add\",5]"), "\"heap\":6,\"kept\":[],\"log\":");
    assert_says(lab_send(&l, "ask", "[\"C\",\"read\"]"), "\"virtual\":4");
    end(&l);
}

static int clean_up(void **state)
{
    (void)state;
    if (made.store_dir != NULL) lab_free(&made);
    lab_drop_images(&cache);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "long") == 0) many = 10000;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(point_01_zcf_ish_upgrade_with_a_fork_where_upstream_would_clone),
        cmocka_unit_test(point_02_exports_facets_and_promises_through_three_generations),
        cmocka_unit_test(point_03_a_parent_and_two_forks_cannot_be_told_apart),
        cmocka_unit_test(point_04_forking_a_pristine_parent_writes_nothing_to_it_and_starts_nothing),
        cmocka_unit_test(point_05_a_kill_in_a_fork_leaves_no_child_or_a_whole_one),
        cmocka_unit_test(point_06_what_was_queued_before_is_past_and_what_comes_later_is_not_the_childs),
        cmocka_unit_test(point_07_each_refusal_leaves_the_store_as_it_was),
        cmocka_unit_test(point_08_many_forks),
        cmocka_unit_test(point_10_a_forked_instance_of_real_zcf_gives_the_results_of_a_created_one),
        cmocka_unit_test(point_11_a_fork_bomb_is_stopped),
        cmocka_unit_test(point_12_the_audit_sees_a_reference_too_many_and_one_too_few),
        cmocka_unit_test(point_13_a_parent_ends_and_is_collected_before_its_child_is_paged_in),
    };
    int failed = cmocka_run_group_tests(tests, NULL, clean_up);
    INVARIANT(failed > 0 || audits >= sizeof tests / sizeof *tests);
    return failed;
}
