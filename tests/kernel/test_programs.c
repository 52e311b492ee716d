/* Programs: a small language that drives scripted vats, and random programs in it.
 *
 *   test_programs FILE…        run these programs
 *   test_programs [-n COUNT]   run those in tests/kernel/programs and random ones (ZYGOTE_SEED)
 *   test_programs -s FILE      make a program that fails smaller
 *
 * A random program that fails is printed, made smaller.
 *
 * A line is a verb, a vat, and names as that vat has them (the name of a vat stands for its
 * root).  Static vats: a b c.
 *
 *   vat d                  a new vat                meet d a       d gets to know a's root
 *   send a b o+1 -> p+5    export a o+1 b           subscribe, resolve, become, reject, data,
 *                                                   drop, retire, retire-export, abandon, set,
 *                                                   exit, fail: as in scripted.h
 *   error a                its next delivery fails  reap           all bring out their dead
 *   vat d 5000             … with a meter of its own          vat d m1       … with that one
 *   refill m1 500          more for a meter
 *   fork c d o+1 …         d is a fork of c         zygotify c     terminate c
 *   share c d o+1 …        … that shares its promises
 *   both c d send …        a line of a vat, in each of two, one after the other
 *   same c d               d, a fork of c, was told and did since what c was told and did
 *   upgrade c auto         to that behaviour; "upgrade c auto startVat" fails in startVat,
 *                          with bringOutYourDead in that
 *   budget 3               so much of each phase a crank, of cleaning up; 0: not at all
 *   crank 3                run so many cranks       run            run to the end
 *   restart                the kernel is closed and opened again
 *
 * After each crank the store is audited, and the crank has kept the laws (laws.h).  At the end
 * nothing may be left to collect; each vat started anew does what its transcript says; a run
 * without the restarts must end in the same store; and when every vat is ended, too, nothing
 * but what the host and the devices hold may be left.
 *
 * Random programs close with a fork that has a counterpart of everything its parent exports;
 * the two are made to do the same for a while, and then they cannot be told apart. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/replay.h"
#include "laws.h"
#include "lib/rng.h"

enum { NAMES = 26, WORDS_MAX = 24, LINE_MAX_BYTES = 512, CREATURES_MAX = 10, TWIN_LINES = 14 };

/* -- running a program ------------------------------------------------------------------------ */

struct run {
    struct world w;
    struct laws laws;
    vat_id vats[NAMES]; /* by letter; n == 0: no such vat */
    bool without_restarts;
    struct run_policy policy;
    uint64_t budget;    /* for cleaning up */
};

static struct buf program; /* under way, for whoever reports a failure */
static uint64_t program_seed;

static void say_program(void)
{
    char head[200];
    int n = snprintf(head, sizeof head, "\n--- the program (seed %llu): save it, and run test_programs FILE\n",
                     (unsigned long long)program_seed);
    if (write(1, head, (size_t)n) < 0 || write(1, program.p, program.n) < 0 || write(1, "---\n", 4) < 0) return;
}

static void on_abort(int signal_number)
{
    (void)signal_number;
    say_program();
    _exit(134);
}


static vat_id vat_called(const struct run *r, const char *name)
{
    return strlen(name) == 1 && name[0] >= 'a' && name[0] <= 'z' ? r->vats[name[0] - 'a'] : (vat_id){ 0 };
}

static void steps(struct run *r, unsigned count)
{
    int ran = 1;
    for (unsigned i = 0; i < count && ran > 0; i++) {
        ran = world_step(&r->w);
        if (ran > 0 && !r->without_restarts && !laws_check(&r->laws, &r->w)) break;
    }
    if (r->w.breaches.n > 0) fail_msg("%.*s", SPAN_ARG(buf_span(&r->w.breaches)));
    if (ran < 0) fail_msg("%s", r->w.err.text);
    assert_int_equal(r->w.scripted.misuse, 0);
}

/* Have a vat do a line, and nothing from the run queue before that. */
static void do_in_vat(struct run *r, vat_id vat, const char *line)
{
    if (!alive(&r->w, vat) || vat_is_sealed(r->w.kernel, vat)) return;
    queue_poke(&r->w, vat, line);
    for (unsigned i = 0; i < 3000; i++) {
        if (key_text(&r->w, "v%u.vs.plan.bringOutYourDead", vat.n) == NULL || !alive(&r->w, vat)) return;
        steps(r, 1);
    }
    fail_msg("the vat never gets to its plan");
}

static void do_vat_line(struct run *r, char *words[], size_t count)
{
    struct buf line = { 0 };
    vat_id vat = vat_called(r, words[1]);
    bool exporting = strcmp(words[0], "export") == 0;
    if (vat.n == 0) return;
    if (strcmp(words[0], "error") == 0) {
        buf_puts(&line, "!error as told");
    } else if (exporting) {
        buf_printf(&line, "send %s %s", name_for(&r->w, vat, root_of(&r->w, vat_called(r, words[3]))), words[2]);
    } else {
        buf_puts(&line, words[0]);
        for (size_t i = 2; i < count; i++) {
            vat_id other = vat_called(r, words[i]);
            bool symbolic = other.n > 0 && strcmp(words[0], "set") != 0;
            buf_printf(&line, " %s", symbolic ? name_for(&r->w, vat, root_of(&r->w, other)) : words[i]);
        }
    }
    buf_putc(&line, '\0');
    do_in_vat(r, vat, line.p);
    buf_fini(&line);
}

static vat_id next_vat(struct run *r)
{
    return (vat_id){ (uint32_t)state_need_u64(r->w.kernel, SPAN("vat.nextID")) };
}

static void boot_calls(struct run *r, const char *method, const char *body)
{
    char line[LINE_MAX_BYTES];
    snprintf(line, sizeof line, "call d-70 %s %s", method, body);
    do_in_vat(r, r->w.boot, line);
}

static void make_vat_of(struct run *r, char letter, const char *meter)
{
    char body[256], options[64] = "";
    if (meter[0] >= '0' && meter[0] <= '9') {
        snprintf(body, sizeof body, "#['+%s','+1000']", meter);
        boot_calls(r, "createMeter", body);
        uint64_t made = state_need_u64(r->w.kernel, SPAN("meter.nextID")) - 1;
        snprintf(options, sizeof options, "'meterID':'m%llu'", (unsigned long long)made);
    } else if (meter[0] != '\0') {
        snprintf(options, sizeof options, "'meterID':'%s'", meter);
    }
    r->vats[letter - 'a'] = next_vat(r);
    snprintf(body, sizeof body, "#['%s',{%s}]", bundle_named("puppet"), options);
    boot_calls(r, "createByBundleID", body);
}

static void do_upgrade(struct run *r, vat_id vat, const char *bundle, const char *fails_in)
{
    char body[256];
    if (vat.n == 0) return;
    if (fails_in[0] != '\0' && alive(&r->w, vat)) plan(&r->w, vat, fails_in, "!error as told");
    snprintf(body, sizeof body, "#['v%u','%s',{},'upgraded']", vat.n, bundle_named(bundle));
    boot_calls(r, "upgradeVat", body);
}

static bool allow_cleanup(void *self, struct cleanup_work *budget)
{
    const struct run *r = self;
    uint64_t n = r->budget;
    *budget = (struct cleanup_work){ n, n, n, n, n, n };
    return n > 0;
}

static void do_fork(struct run *r, char *words[], size_t count)
{
    kref refs[WORDS_MAX];
    struct err e;
    struct fork_request q = { .vat = vat_called(r, words[1]), .refs = refs,
                              .options = { .reap_interval = REAP_DEFAULT,
                                           .share = strcmp(words[0], "share") == 0 } };
    for (size_t i = 3; i < count; i++) {
        refs[q.ref_count] = meant(&r->w, q.vat, words[i]);
        if (refs[q.ref_count].kind != KREF_INVALID) q.ref_count++;
    }
    if (kernel_fork(r->w.kernel, &q, &r->vats[words[2][0] - 'a'], &e) == 0) steps(r, 1);
}

static void do_both(struct run *r, char *words[], size_t count)
{
    for (int i = 0; i < 2; i++) {
        char *line[WORDS_MAX] = { words[3], words[1 + i] };
        memcpy(line + 2, words + 4, (count - 4) * sizeof *line);
        do_vat_line(r, line, count - 2);
        steps(r, 5000);
    }
}

static bool put_item(void *ctx, uint64_t position, struct span item)
{
    (void)position;
    buf_put(ctx, item);
    buf_putc(ctx, '\n');
    return true;
}

/* What a vat was told and did from a position on, and how it stands. */
static struct buf life_from(struct run *r, vat_id vat, uint64_t from)
{
    struct buf b = { 0 };
    struct snapshot_info s;
    struct transcript_bounds t;
    struct world *w = &r->w;
    struct span name = span_of_vat(w->kernel, vat);
    bool found = transcript_bounds(w->store, name, &t) && snapshot_info(w->store, name, &s);
    assert_true(found);
    transcript_read(w->store, name, from, t.end, put_item, &b);
    buf_printf(&b, "%s %s", s.hash, key_text(w, "v%u.o.nextID", vat.n));
    buf_printf(&b, " %s %s", key_text(w, "v%u.p.nextID", vat.n), key_text(w, "v%u.d.nextID", vat.n));
    buf_printf(&b, " %s", key_text(w, "v%u.reapDirt", vat.n));
    return b;
}

static uint64_t forks, twins; /* of all programs: made; found equal */

static void do_same(struct run *r, char *words[])
{
    vat_id p = vat_called(r, words[1]), c = vat_called(r, words[2]);
    struct fork_origin from;
    if (!alive(&r->w, p) || !alive(&r->w, c) || !fork_origin(r->w.kernel, c, &from)) return;
    struct buf of_p = life_from(r, p, from.position), of_c = life_from(r, c, 1);
    if (!span_eq(buf_span(&of_p), buf_span(&of_c))) {
        fail_msg("a parent and its fork differ:\n%.*s\n--\n%.*s", SPAN_ARG(buf_span(&of_p)), SPAN_ARG(buf_span(&of_c)));
    }
    if (!r->without_restarts) twins++;
    buf_fini(&of_p);
    buf_fini(&of_c);
}

static void do_meet(struct run *r, char *words[])
{
    char line[64];
    kref who = root_of(&r->w, vat_called(r, words[1])), to = root_of(&r->w, vat_called(r, words[2]));
    snprintf(line, sizeof line, "send %s %s", name_for(&r->w, r->w.admin, who), name_for(&r->w, r->w.admin, to));
    if (strstr(line, "o-999") == NULL) do_in_vat(r, r->w.admin, line);
}

/* How many words a line has at least. */
static size_t least_words(const char *verb)
{
    static const char *const alone[] = { "run", "reap", "restart" };
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(verb, alone[i]) == 0) return 1;
    }
    if (strcmp(verb, "export") == 0) return 4;
    if (strcmp(verb, "both") == 0) return 4;
    static const char *const three[] = { "fork", "share", "same", "meet", "refill", "upgrade" };
    for (size_t i = 0; i < 6; i++) {
        if (strcmp(verb, three[i]) == 0) return 3;
    }
    return 2;
}

static void do_words(struct run *r, char *words[], size_t count)
{
    if (count < least_words(words[0])) fail_msg("too few words after %s", words[0]);
    char body[128];
    const char *verb = words[0];
    vat_id vat = vat_called(r, count > 1 ? words[1] : "");
    struct err e;
    if (strcmp(verb, "vat") == 0) {
        make_vat_of(r, words[1][0], count > 2 ? words[2] : "");
    } else if (strcmp(verb, "refill") == 0) {
        snprintf(body, sizeof body, "#['%s','+%s']", words[1], words[2]);
        boot_calls(r, "addMeterRemaining", body);
    } else if (strcmp(verb, "upgrade") == 0) {
        do_upgrade(r, vat, words[2], count > 3 ? words[3] : "");
    } else if (strcmp(verb, "budget") == 0) {
        r->budget = strtoull(words[1], NULL, 10);
    } else if (strcmp(verb, "meet") == 0) {
        do_meet(r, words);
    } else if (strcmp(verb, "fork") == 0 || strcmp(verb, "share") == 0) {
        do_fork(r, words, count);
    } else if (strcmp(verb, "both") == 0) {
        do_both(r, words, count);
    } else if (strcmp(verb, "same") == 0) {
        do_same(r, words);
    } else if (strcmp(verb, "zygotify") == 0) {
        if (kernel_zygotify(r->w.kernel, vat, &e) == 0) steps(r, 1);
    } else if (strcmp(verb, "terminate") == 0) {
        snprintf(body, sizeof body, "#['v%u','over']", vat.n);
        boot_calls(r, "terminateWithFailure", body);
    } else if (strcmp(verb, "reap") == 0) {
        kernel_reap_all(r->w.kernel);
    } else if (strcmp(verb, "crank") == 0) {
        steps(r, (unsigned)atoi(words[1]));
    } else if (strcmp(verb, "run") == 0) {
        steps(r, 5000);
    } else if (strcmp(verb, "restart") == 0) {
        if (!r->without_restarts) world_restart(&r->w);
    } else {
        do_vat_line(r, words, count);
    }
}

static void do_line(struct run *r, struct span text)
{
    char line[LINE_MAX_BYTES], *words[WORDS_MAX] = { NULL }, *rest = line;
    size_t count = 0;
    assert_true(text.n < sizeof line);
    memcpy(line, text.p, text.n);
    line[text.n] = '\0';
    for (char *word; count < WORDS_MAX && (word = strtok_r(rest, " ", &rest)) != NULL;) words[count++] = word;
    if (count > 0 && words[0][0] != '#') do_words(r, words, count);
}

static void do_text(struct run *r, struct span text)
{
    for (size_t at = 0; at < text.n;) {
        const char *stop = memchr(text.p + at, '\n', text.n - at);
        size_t n = stop == NULL ? text.n - at : (size_t)(stop - text.p) - at;
        do_line(r, (struct span){ text.p + at, n });
        at += n + 1;
    }
}

/* How the world is set up is drawn from the seed, too. */
static void open_run(struct run *r, uint64_t seed)
{
    *r = (struct run){ 0 };
    struct rng g = rng_new(seed);
    struct world_setup s = { .vats = { "a", "b", "c" }, .puppets = true };
    s.snapshot_interval = 4 + (int64_t)rng_below(&g, 30);
    s.reap_deliveries = rng_chance(&g, 1, 2) ? 0 : 1 + (int64_t)rng_below(&g, 4);
    s.reap_gc_krefs = rng_chance(&g, 1, 2) ? 0 : 1 + (int64_t)rng_below(&g, 6);
    s.online_max = rng_chance(&g, 1, 2) ? 0 : 1 + rng_below(&g, 4);
    s.pipelining = rng_chance(&g, 1, 4) ? "c" : NULL;
    world_open(&r->w, &s);
    r->budget = CLEANUP_UNLIMITED;
    r->policy = (struct run_policy){ .self = r, .allow_cleanup = allow_cleanup };
    r->w.policy = &r->policy;
    for (int i = 0; i < 3; i++) r->vats[i] = vat_named(&r->w, s.vats[i]);
    laws_watch(&r->laws, &r->w);
}

static void check_litter(struct run *r)
{
    if (r->budget == 0) r->budget = 2;
    steps(r, 5000);
    if (world_litter(&r->w) > 0) fail_msg("%.*s", SPAN_ARG(buf_span(&r->w.breaches)));
}

/* Cold: each vat's whole past in a machine of its own; of a fork, from its ancestors' on. */
static void check_pasts(struct run *r)
{
    uint32_t next = next_vat(r).n;
    for (uint32_t n = 1; n < next; n++) {
        struct replay_report report;
        struct err e = { 0 };
        struct replay_request q = { .vat = { n }, .to = REPLAY_LATEST, .verify = true, .from_genesis = true };
        if (!alive(&r->w, q.vat)) continue;
        if (kernel_replay(r->w.kernel, &r->w.port, &q, &report, &e) != 0) fail_msg("v%u started anew: %s", n, e.text);
        replay_report_fini(&report);
    }
}

/* End every vat but boot: what is left is what the host, boot and the device hold. */
static void end_all(struct run *r)
{
    char body[64];
    uint32_t next = next_vat(r).n;
    for (uint32_t n = r->w.admin.n + 1; n < next; n++) {
        if (!alive(&r->w, (vat_id){ n })) continue;
        snprintf(body, sizeof body, "#['v%u','over']", n);
        boot_calls(r, "terminateWithFailure", body);
    }
    check_litter(r);
    for (uint32_t n = r->w.admin.n + 1; n < next; n++) assert_false(alive(&r->w, (vat_id){ n }));
    assert_string_equal(key_text(&r->w, "vat.dynamicIDs"), "[]");
}

static void again_without_restarts(struct span text, uint64_t seed, struct buf *want)
{
    struct run r;
    struct buf got = { 0 };
    open_run(&r, seed);
    r.without_restarts = true;
    do_text(&r, text);
    if (r.budget == 0) r.budget = 2;
    steps(&r, 5000);
    world_dump(&r.w, &got);
    if (!span_eq(buf_span(&got), buf_span(want))) {
        size_t at = 0;
        while (at < got.n && at < want->n && got.p[at] == want->p[at]) at++;
        size_t from = at > 60 ? at - 60 : 0;
        fail_msg("with restarts: %.200s\nwithout: %.200s", want->p + from, got.p + from);
    }
    buf_fini(&got);
    laws_fini(&r.laws);
    world_close(&r.w);
}

static void finish_run(struct run *r, uint64_t seed)
{
    struct buf end = { 0 };
    check_litter(r);
    check_pasts(r);
    world_dump(&r->w, &end);
    buf_putc(&end, '\0');
    end.n--;
    if (memmem(program.p, program.n, "restart", 7) != NULL) again_without_restarts(buf_span(&program), seed, &end);
    end_all(r);
    buf_fini(&end);
    laws_fini(&r->laws);
    world_close(&r->w);
    buf_reset(&program);
}

/* -- making programs up ---------------------------------------------------------------------------- */

struct maker {
    struct run *r;
    struct rng g;
    unsigned weight[32]; /* of each kind of line; some are off */
    char line[LINE_MAX_BYTES];
    vat_id vat;          /* who acts */
    char letter;
};

static bool chance(struct maker *m, unsigned n, unsigned of)
{
    return rng_chance(&m->g, n, of);
}

static bool pick_vat(struct maker *m)
{
    for (int tries = 0; tries < 40; tries++) {
        int i = (int)rng_below(&m->g, CREATURES_MAX);
        vat_id v = m->r->vats[i];
        if (v.n == 0 || !alive(&m->r->w, v)) continue;
        m->vat = v;
        m->letter = (char)('a' + i);
        return true;
    }
    return false;
}

/* A row of the acting vat whose vref starts so, and is so reachable ('R', '_', or '*'). */
static const char *row(struct maker *m, const char *prefix, char flag)
{
    struct clist_walk w = { 0 };
    const char *found = NULL;
    unsigned seen = 0;
    while (clist_next(m->r->w.kernel, m->vat, prefix, &w)) {
        bool reachable = clist_is_reachable(m->r->w.kernel, m->vat, w.r);
        if (flag != '*' && reachable != (flag == 'R')) continue;
        if (rng_below(&m->g, ++seen) == 0) found = name_for(&m->r->w, m->vat, w.r);
    }
    return found;
}

/* A promise the acting vat decides. */
static const char *decided(struct maker *m)
{
    struct clist_walk w = { 0 };
    const char *found = NULL;
    unsigned seen = 0;
    while (clist_next(m->r->w.kernel, m->vat, "p", &w)) {
        vat_id decider;
        if (!promise_decider(m->r->w.kernel, w.r, &decider) || !vat_id_eq(decider, m->vat)) continue;
        if (rng_below(&m->g, ++seen) == 0) found = name_for(&m->r->w, m->vat, w.r);
    }
    return found;
}

/* Abandoned by an upgrade, or not. */
static const char *new_export(struct maker *m)
{
    static const char *const names[] = { "o+v1/2", "o+v1/3:1", "o+d1/2", "o+d7", "o+d1/2:1" };
    return RNG_PICK(&m->g, names);
}

/* Something it can pass on: an import, an export old or new, a promise. */
static const char *anything(struct maker *m)
{
    static char fresh[16];
    const char *name = NULL;
    switch (rng_below(&m->g, 6)) {
    case 0: case 1: name = row(m, "o-", 'R'); break;
    case 2: name = row(m, "p", '*'); break;
    case 3: name = row(m, "o+", 'R'); break;
    default: break;
    }
    if (name != NULL) return name;
    if (chance(m, 1, 4)) return new_export(m);
    snprintf(fresh, sizeof fresh, "%s+%u", chance(m, 1, 5) ? "p" : "o", 1 + (unsigned)rng_below(&m->g, 5));
    if (fresh[0] == 'p') snprintf(fresh, sizeof fresh, "p+%u", 1000 + (unsigned)rng_below(&m->g, 1u << 30));
    return fresh;
}

static void put(struct maker *m, const char *verb, const char *rest)
{
    snprintf(m->line, sizeof m->line, "%s %c%s%s", verb, m->letter, rest[0] != '\0' ? " " : "", rest);
}

static bool make_send(struct maker *m)
{
    char rest[200];
    const char *to = chance(m, 1, 4) ? row(m, "p", '*') : row(m, "o-", 'R');
    if (to == NULL) return false;
    int n = snprintf(rest, sizeof rest, "%s", to);
    for (uint64_t i = rng_below(&m->g, 4); i > 0; i--) n += snprintf(rest + n, sizeof rest - (size_t)n, " %s", anything(m));
    if (chance(m, 1, 2)) snprintf(rest + n, sizeof rest - (size_t)n, " -> p+%u", 1000 + (unsigned)rng_below(&m->g, 1u << 30));
    put(m, "send", rest);
    return true;
}

static bool make_with(struct maker *m, const char *verb, const char *name)
{
    if (name == NULL) return false;
    put(m, verb, name);
    return true;
}

static bool make_resolve(struct maker *m)
{
    static const char *const verbs[] = { "resolve", "become", "reject", "data" };
    char rest[200];
    const char *p = decided(m), *verb = RNG_PICK(&m->g, verbs);
    if (p == NULL) return false;
    int n = snprintf(rest, sizeof rest, "%s", p);
    if (strcmp(verb, "become") == 0) {
        const char *to = row(m, "o-", 'R');
        snprintf(rest + n, sizeof rest - (size_t)n, " %s", to != NULL ? to : "o+3");
    } else if (strcmp(verb, "data") != 0) {
        for (uint64_t i = rng_below(&m->g, 3); i > 0; i--) n += snprintf(rest + n, sizeof rest - (size_t)n, " %s", anything(m));
    }
    put(m, verb, rest);
    return true;
}

/* Several promises in one batch, the first ones' data naming the others. */
static bool make_settle_twice(struct maker *m)
{
    char rest[64];
    const char *p = decided(m);
    if (p == NULL) return false;
    snprintf(rest, sizeof rest, "%s %s", p, p); /* resolved to itself: a cycle */
    put(m, "resolve", rest);
    return true;
}

static bool make_vat(struct maker *m)
{
    for (int i = 3; i < CREATURES_MAX; i++) {
        if (m->r->vats[i].n > 0 && alive(&m->r->w, m->r->vats[i])) continue;
        if (chance(m, 1, 3)) snprintf(m->line, sizeof m->line, "vat %c %u", 'a' + i, 900 + (unsigned)rng_below(&m->g, 9000));
        else if (chance(m, 1, 6)) snprintf(m->line, sizeof m->line, "vat %c m%u", 'a' + i, 1 + (unsigned)rng_below(&m->g, 3));
        else snprintf(m->line, sizeof m->line, "vat %c", 'a' + i);
        return true;
    }
    return false;
}

static bool make_meet(struct maker *m)
{
    char rest[8] = { m->letter };
    char first = m->letter;
    if (!pick_vat(m) || m->letter == first) return false;
    snprintf(rest, sizeof rest, "%c", first);
    put(m, "meet", rest);
    return true;
}

static bool make_fork(struct maker *m)
{
    if (!vat_is_dynamic(m->r->w.kernel, m->vat) && chance(m, 9, 10)) return false; /* refused */
    for (int i = 3; i < CREATURES_MAX; i++) {
        char rest[100];
        if (m->r->vats[i].n > 0 && alive(&m->r->w, m->r->vats[i])) continue;
        int n = snprintf(rest, sizeof rest, "%c", 'a' + i);
        for (uint64_t j = rng_below(&m->g, 3); j > 0; j--) {
            const char *name = row(m, "o+", '*');
            if (name != NULL) n += snprintf(rest + n, sizeof rest - (size_t)n, " %s", name);
        }
        put(m, chance(m, 1, 2) ? "share" : "fork", rest);
        return true;
    }
    return false;
}

/* Nobody near is metered: who answers one of two equal messages may fail at the other. */
static bool all_unmetered(struct maker *m)
{
    for (int i = 0; i < CREATURES_MAX; i++) {
        vat_id v = m->r->vats[i];
        if (v.n > 0 && alive(&m->r->w, v) && vat_meter(m->r->w.kernel, v).p != NULL) return false;
    }
    return true;
}

/* A fork of the acting vat that has all it exports, if all can be asked for. */
static bool make_twin(struct maker *m, char twin)
{
    struct clist_walk w = { 0 };
    struct kernel *k = m->r->w.kernel;
    char rest[LINE_MAX_BYTES - 16];
    int n = snprintf(rest, sizeof rest, "%c", twin);
    if (!vat_is_dynamic(k, m->vat) || vat_is_sealed(k, m->vat) || !all_unmetered(m)) return false;
    for (unsigned count = 0; clist_next(k, m->vat, "o+", &w);) {
        if (!clist_is_reachable(k, m->vat, w.r) || ++count > WORDS_MAX - 4) return false;
        if (!span_is(w.vref, "o+0")) n += snprintf(rest + n, sizeof rest - (size_t)n, " %.*s", SPAN_ARG(w.vref));
    }
    put(m, chance(m, 1, 2) ? "share" : "fork", rest);
    return true;
}

static bool make_illegal(struct maker *m)
{
    static const char *const bad[] = { "o-999", "p-999", "o+1", "p-61", "d-70", "o-50", "nonsense" };
    static const char *const verbs[] = { "send", "subscribe", "resolve", "drop", "retire", "retire-export", "abandon" };
    put(m, RNG_PICK(&m->g, verbs), RNG_PICK(&m->g, bad));
    return true;
}

static bool make_upgrade(struct maker *m)
{
    static const char *const to[] = { "puppet", "puppet", "auto", "puppet startVat", "auto bringOutYourDead", "broken" };
    put(m, "upgrade", RNG_PICK(&m->g, to));
    return true;
}

static bool make_refill(struct maker *m)
{
    char text[16];
    snprintf(text, sizeof text, "m%u", 1 + (unsigned)rng_below(&m->g, 3));
    if (key_text(&m->r->w, "%s.remaining", text) == NULL) return false;
    snprintf(m->line, sizeof m->line, "refill %s %u", text, 1 + (unsigned)rng_below(&m->g, 4000));
    return true;
}

static bool make_budget(struct maker *m)
{
    snprintf(m->line, sizeof m->line, "budget %u", (unsigned)rng_below(&m->g, 5));
    return true;
}

static bool make_plain(struct maker *m, const char *verb, unsigned most)
{
    snprintf(m->line, sizeof m->line, most > 0 ? "%s %u" : "%s", verb, 1 + (unsigned)rng_below(&m->g, most + 1));
    return true;
}

enum kind { SEND, SUBSCRIBE, RESOLVE, CYCLE, DROP, RETIRE, RETIRE_EXPORT, ABANDON, SET, VAT, MEET, FORK, SEAL,
            TERMINATE, EXIT, FAIL, ERROR, ILLEGAL, REAP, CRANK, RUN, RESTART,
            UPGRADE, REFILL, BUDGET, KINDS };

static const unsigned usual[KINDS] = { [SEND] = 30, [SUBSCRIBE] = 10, [RESOLVE] = 16, [CYCLE] = 2, [DROP] = 12,
    [RETIRE] = 8, [RETIRE_EXPORT] = 8, [ABANDON] = 2, [SET] = 2, [VAT] = 8, [MEET] = 6, [FORK] = 20, [SEAL] = 2,
    [TERMINATE] = 1, [EXIT] = 1, [FAIL] = 1, [ERROR] = 1, [ILLEGAL] = 1, [REAP] = 2, [CRANK] = 25, [RUN] = 6,
    [RESTART] = 3, [UPGRADE] = 6, [REFILL] = 2, [BUDGET] = 2 };

static bool make_line(struct maker *m, enum kind kind)
{
    switch (kind) {
    case SEND: return make_send(m);
    case SUBSCRIBE: return make_with(m, "subscribe", row(m, "p", '*'));
    case RESOLVE: return make_resolve(m);
    case CYCLE: return make_settle_twice(m);
    case DROP: return make_with(m, "drop", row(m, "o-", 'R'));
    case RETIRE: return make_with(m, "retire", row(m, "o-", '_'));
    case RETIRE_EXPORT: return make_with(m, "retire-export", row(m, "o+", '_'));
    case ABANDON: return make_with(m, "abandon", row(m, "o+", '*'));
    case SET: return make_with(m, "set", chance(m, 1, 2) ? "k 1" : "l 2");
    case VAT: return make_vat(m);
    case MEET: return make_meet(m);
    case FORK: return make_fork(m);
    case SEAL: return make_with(m, "zygotify", "");
    case TERMINATE: return make_with(m, "terminate", "");
    case EXIT: return make_with(m, "exit", anything(m));
    case FAIL: return make_with(m, "fail", anything(m));
    case ERROR: return make_with(m, "error", "");
    case ILLEGAL: return make_illegal(m);
    case REAP: return make_plain(m, "reap", 0);
    case CRANK: return make_plain(m, "crank", 5);
    case RUN: return make_plain(m, "run", 0);
    case RESTART: return make_plain(m, "restart", 0);
    case UPGRADE: return make_upgrade(m);
    case REFILL: return make_refill(m);
    case BUDGET: return make_budget(m);
    case KINDS:
    default: return false;
    }
}

static enum kind draw(struct maker *m)
{
    unsigned total = 0, at;
    for (int i = 0; i < KINDS; i++) total += m->weight[i];
    at = (unsigned)rng_below(&m->g, total);
    for (int i = 0; i < KINDS; i++) {
        if (at < m->weight[i]) return (enum kind)i;
        at -= m->weight[i];
    }
    return CRANK;
}

static void do_made(struct maker *m)
{
    buf_printf(&program, "%s\n", m->line);
    do_line(m->r, span_of(m->line));
}

static void do_one(struct maker *m, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(m->line, sizeof m->line, fmt, ap);
    va_end(ap);
    do_made(m);
}

/* What both of two can do: lines about what each has of its own. */
static bool make_common(struct maker *m)
{
    static const enum kind kinds[] = { SEND, SEND, SEND, SUBSCRIBE, RESOLVE, CYCLE, DROP, RETIRE, SET };
    return make_line(m, RNG_PICK(&m->g, kinds));
}

static void end_with_twins(struct maker *m)
{
    char twin = 'a' + CREATURES_MAX, rest[LINE_MAX_BYTES];
    do_one(m, "budget 9");
    do_one(m, "run");
    for (int tries = 0; tries < 10; tries++) {
        if (!pick_vat(m) || !make_twin(m, twin)) continue;
        do_made(m);
        do_one(m, "run");
        if (alive(&m->r->w, vat_called(m->r, (char[]){ twin, '\0' }))) break;
    }
    if (!alive(&m->r->w, m->r->vats[CREATURES_MAX])) return;
    for (int i = 0; i < TWIN_LINES; i++) {
        if (!make_common(m)) continue;
        const char *space = strchr(m->line, ' ');
        snprintf(rest, sizeof rest, "both %c %c %.*s%s", m->letter, twin, (int)(space - m->line), m->line, space + 2);
        do_one(m, "%s", rest);
    }
    do_one(m, "same %c %c", m->letter, twin);
}

static void random_program(uint64_t seed, unsigned lines)
{
    static struct run r;
    struct maker m = { .r = &r, .g = rng_new(seed ^ 0x9e3779b97f4a7c15u) };
    program_seed = seed;
    buf_reset(&program);
    buf_printf(&program, "# seed %llu\n", (unsigned long long)seed);
    open_run(&r, seed);
    for (int i = 0; i < KINDS; i++) m.weight[i] = i != CRANK && i != SEND && chance(&m, 1, 5) ? 0 : usual[i];
    for (unsigned made = 0, tries = 0; made < lines && tries < lines * 10; tries++) {
        if (!pick_vat(&m) || !make_line(&m, draw(&m))) continue;
        do_made(&m);
        made++;
    }
    end_with_twins(&m);
    forks += r.laws.forks;
    finish_run(&r, seed);
}

/* -- tests -------------------------------------------------------------------------------------------- */

static unsigned program_count = 200;

TEST(random_programs)
{
    uint64_t seed = rng_seed_from_env(20241);
    for (unsigned i = 0; i < program_count; i++) random_program(seed + i, 60);
    print_message("%llu forks, %llu twins\n", (unsigned long long)forks, (unsigned long long)twins);
    if (program_count >= 200) assert_true(forks >= program_count && twins >= program_count / 8);
}

/* The seed a program names in its first line sets its world up. */
static void run_program(void)
{
    static struct run r;
    buf_putc(&program, '\0');
    program.n--;
    program_seed = strncmp(program.p, "# seed ", 7) == 0 ? strtoull(program.p + 7, NULL, 10) : 1;
    open_run(&r, program_seed);
    do_text(&r, buf_span(&program));
    finish_run(&r, program_seed);
}

static void read_program(const char *path)
{
    char bytes[4096];
    size_t n;
    FILE *f = fopen(path, "r");
    if (f == NULL) fail_msg("cannot open %s", path);
    buf_reset(&program);
    while ((n = fread(bytes, 1, sizeof bytes, f)) > 0) buf_put(&program, (struct span){ bytes, n });
    fclose(f);
}

static void run_file(const char *path)
{
    read_program(path);
    run_program();
}

static char **files;

TEST(programs_in_files)
{
    char path[512];
    struct dirent *d;
    if (files != NULL) {
        for (char **f = files; *f != NULL; f++) run_file(*f);
        return;
    }
    DIR *dir = opendir("tests/kernel/programs");
    if (dir == NULL) skip();
    while ((d = readdir(dir)) != NULL) {
        size_t length = strlen(d->d_name);
        if (length < 5 || strcmp(d->d_name + length - 4, ".txt") != 0) continue;
        snprintf(path, sizeof path, "tests/kernel/programs/%s", d->d_name);
        run_file(path);
    }
    closedir(dir);
}

/* -- making one smaller ---------------------------------------------------------------------------------- */

/* Does it still fail?  Tried in a process of its own, which says nothing. */
static bool still_fails(void)
{
    char path[64];
    int status = 0, fd = memfd_create("program", 0);
    if (fd < 0 || write(fd, program.p, program.n) != (ssize_t)program.n) return false;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        if (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL) _exit(0);
        execl("/proc/self/exe", "test_programs", "-q", path, (char *)NULL);
        _exit(0);
    }
    close(fd);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status != 0;
}

/* The program without some of its lines; false if there are none so far on. */
static bool without(struct buf *out, const struct buf *from, size_t first, size_t count)
{
    size_t line = 0;
    buf_reset(out);
    for (size_t at = 0; at < from->n; line++) {
        size_t n = (size_t)((char *)memchr(from->p + at, '\n', from->n - at) - (from->p + at)) + 1;
        if (line < first || line >= first + count) buf_put(out, (struct span){ from->p + at, n });
        at += n;
    }
    return first < line;
}

static size_t lines_of(const struct buf *b)
{
    size_t lines = 0;
    for (size_t i = 0; i < b->n; i++) lines += b->p[i] == '\n';
    return lines;
}

static void shrink(void)
{
    struct buf whole = { 0 };
    for (size_t many = lines_of(&program) / 2; many > 0; many = many > 1 ? many / 2 : 0) {
        for (size_t at = 1;;) { /* behind the seed */
            buf_reset(&whole);
            buf_put(&whole, buf_span(&program));
            if (!without(&program, &whole, at, many)) break;
            if (still_fails()) continue;
            buf_reset(&program);
            buf_put(&program, buf_span(&whole));
            at += many;
        }
        buf_reset(&program);
        buf_put(&program, buf_span(&whole));
    }
    buf_fini(&whole);
}

static int say_if_failed(void **state)
{
    (void)state;
    if (program.n > 0 && still_fails()) shrink();
    if (program.n > 0) say_program();
    buf_reset(&program);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "-s") == 0) {
        read_program(argv[2]);
        shrink();
        say_program();
        return 0;
    }
    bool quiet = argc == 3 && strcmp(argv[1], "-q") == 0; /* told only by the exit status */
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    if (quiet) argv++, argc--;
    if (argc == 3 && strcmp(argv[1], "-n") == 0) {
        program_count = (unsigned)atoi(argv[2]);
        argc = 1;
    }
    files = argc > 1 ? argv + 1 : NULL;
    const struct CMUnitTest silent[] = { cmocka_unit_test(programs_in_files) };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(programs_in_files, say_if_failed),
        cmocka_unit_test_teardown(random_programs, say_if_failed),
    };
    if (quiet) return _cmocka_run_group_tests("quiet", silent, 1, NULL, NULL);
    if (argc > 1) return _cmocka_run_group_tests("files", tests, 1, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
