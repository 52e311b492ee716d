/* Random programs with forks, in real workers: what is forked cannot be told from its parent,
 * from its siblings, or from a machine started cold; and what a child does its parent's store
 * does not show.
 *
 *   test_moves [COUNT [PART OF [heaps]]]     seeds; ZYGOTE_SEED is the first
 *
 * A seed is a past and a future, each a list of puppet's acts (tests/scenarios/vats/puppet.js).
 * Twenty seeds have a past in common: a vat P is forked off a sealed template and lives it.  For
 * each future P, sealed in some, is forked twice, in some once more from the first fork; all
 * are made to do the future, the kernel may be started anew, all end.  Then
 *
 *   transparency  their transcripts are the same, computrons and all, and after the last future
 *                 of a past, which P does as well, so are the hashes of their heaps ("heaps":
 *                 after each)
 *   isolation     P's keys, transcript and snapshot are what they were when it was first forked
 *   cold start    the transcripts from the template's on, run by a new machine without any
 *                 snapshot, end in the heap that the last fork has
 *   references    the store is audited after each past
 *
 * Everything that P exports is asked for in every fork, so nothing is garbage to a child alone.
 * In half of the pasts it waits for a promise, and forks share it.  What failed is printed. */
#include "lib/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernel/replay.h"
#include "lab.h"
#include "lib/rng.h"
#include "store/kv.h"
#include "store/snapshot.h"
#include "store/transcript.h"

enum { FUTURES = 20, TEXT_MAX = 6000 };

static struct lab lab;
static struct rng rng;
static uint64_t first_seed = 1, seeds = 20, part = 0, parts = 1;
static bool all_heaps;
static uint64_t pasts, forks;

/* What is under way, for whoever reports a failure. */
static struct {
    uint64_t seed;
    bool share, sealed;
    struct buf past, future;
} now;

static int say_if_failed(void **state)
{
    (void)state;
    if (now.past.n == 0) return 0;
    fprintf(stderr, "ZYGOTE_SEED=%llu test_moves 1%s%s\npast   [%.*s]\nfuture [%.*s]\n", (unsigned long long)now.seed,
            now.share ? ", promises shared" : "", now.sealed ? ", P sealed" : "", SPAN_ARG(buf_span(&now.past)),
            SPAN_ARG(buf_span(&now.future)));
    return 0;
}

/* -- acts ------------------------------------------------------------------------------------ */

static bool chance(unsigned n, unsigned of)
{
    return rng_chance(&rng, n, of);
}

/* A thing that an act may name: it may be gone, or never have been; then the act fails. */
static unsigned thing(void)
{
    return (unsigned)rng_below(&rng, 8);
}

static void put_value(struct buf *b)
{
    switch (rng_below(&rng, 5)) {
    case 0: buf_printf(b, "%d", (int)rng_below(&rng, 1000)); break;
    case 1: buf_puts(b, "{\"@bigint\":\"77\"}"); break;
    case 2: buf_printf(b, "[\"$x%u\",\"text\"]", thing()); break;
    default: buf_printf(b, "\"$x%u\"", thing()); break;
    }
}

/* One act.  What it sends goes to the bootstrap puppet, which is called boot. */
static void put_act(struct buf *b)
{
    static const char *const kinds[] = { "ephemeral", "virtual", "durable", "virtual", "durable" };
    static const char *const stores[] = { "map", "weakMap" };
    unsigned x = thing();
    switch (rng_below(&rng, 13)) {
    case 0: case 1: buf_printf(b, "[\"make\",\"x%u\",\"%s\"]", x, RNG_PICK(&rng, kinds)); break;
    case 2: buf_printf(b, "[\"store\",\"s%u\",\"%s\",{\"durable\":%s}]", x, RNG_PICK(&rng, stores), chance(1, 2) ? "true" : "false"); break;
    case 3:
        buf_printf(b, "[\"call\",\"$s%u\",\"init\",[\"$x%u\",", x, thing());
        put_value(b);
        buf_puts(b, "]]");
        break;
    case 4: buf_printf(b, "[\"call\",\"$s%u\",\"%s\",[\"$x%u\"],\"r\"]", x, chance(1, 2) ? "has" : "delete", thing()); break;
    case 5: buf_printf(b, "[\"keep\",\"x%u\"]", x); break;
    case 6: buf_printf(b, "[\"drop\",\"%c%u\"]", chance(1, 4) ? 's' : 'x', x); break;
    case 7:
        buf_puts(b, "[\"send\",\"$boot\",\"echo\",[");
        put_value(b);
        buf_printf(b, "],\"p%u\"]", x);
        break;
    case 8: buf_printf(b, "[\"%s\",\"$p%u\",\"w\"]", chance(1, 3) ? "watch" : "when", x); break;
    case 9: buf_printf(b, "[\"send\",\"$x%u\",\"poke\",[2],\"p%u\"]", x, x); break;
    case 10: buf_printf(b, "[\"call\",\"$x%u\",\"hold\",[\"$x%u\"]]", x, thing()); break;
    case 11: buf_printf(b, "[\"promise\",\"q%u\"],[\"resolve\",\"q%u\",\"$x%u\"]", x, x, thing()); break;
    default: buf_printf(b, "[\"repeat\",%u,[\"make\",\"x#\",\"%s\"]]", 1 + (unsigned)rng_below(&rng, 5), RNG_PICK(&rng, kinds)); break;
    }
}

static void make_acts(struct buf *b, unsigned most)
{
    buf_reset(b);
    for (unsigned i = 0, n = 2 + (unsigned)rng_below(&rng, most); i < n; i++) {
        buf_puts(b, i > 0 ? ",[\"try\"," : "[\"try\",");
        put_act(b);
        buf_putc(b, ']');
    }
}

/* -- telling puppets, forking ------------------------------------------------------------------- */

/* The vats of the moment: P, C, D, G; from T, the template. */
struct vat {
    const char *name;
    vat_id id;
    kref root;
};
static struct vat template = { .name = "T" };

/* Commits are few: they are most of the time. */
static void run(void)
{
    struct err e;
    uint64_t cranks;
    if (kernel_run(lab.kernel, 0, &cranks, &e) != 0) fail_msg("%s", e.text);
}

static void commit(void)
{
    struct err e;
    if (store_commit(lab.store, &e) != 0) fail_msg("%s", e.text);
}

static const char *text_of(struct buf *b)
{
    buf_putc(b, '\0');
    const char *text = arena_copy(&lab.arena, buf_span(b)).p;
    buf_fini(b);
    return text;
}

static void ask(kref target, const char *method, const struct pass *args)
{
    struct capdata data = { 0 };
    kref promise = kernel_send(lab.kernel, target, span_of(method), args);
    run();
    enum promise_state state = kernel_promise_state(lab.kernel, promise);
    bool settled = kernel_promise_take(lab.kernel, promise, &data);
    if (!settled || state != PROMISE_FULFILLED) fail_msg("%s: %.*s", method, SPAN_ARG(data.body));
}

/* A puppet does these acts. */
static void have_do(kref puppet, struct span acts)
{
    struct jval v;
    struct err e;
    const char *text = lab_printf(&lab, "[[%.*s]]", SPAN_ARG(acts));
    if (json_parse(&lab.arena, span_of(text), &v, &e) != 0) fail_msg("%s: %s", e.text, text);
    ask(puppet, "do", pass_from_json(&lab.arena, v));
}

static kref bootstrap(void)
{
    struct err e;
    kref root;
    int failed = kernel_find(lab.kernel, SPAN("bootstrap"), &root, &e);
    assert_int_equal(failed, 0);
    return root;
}

/* Acts of the bootstrap puppet, with ' for ". */
static void act(const char *fmt, ...)
{
    char acts[TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(acts, sizeof acts, fmt, ap);
    va_end(ap);
    for (char *p = acts; *p != '\0'; p++) {
        if (*p == '\'') *p = '"';
    }
    have_do(bootstrap(), span_of(acts));
}

/* `who` gets an object, by that name. */
static void hand(kref who, const char *name, kref object)
{
    struct arena *a = &lab.arena;
    const struct pass *args[] = { pass_string(a, span_of(name)), pass_slot(a, span_of(kref_text(object).s), SPAN_NONE) };
    ask(who, "take", pass_array(a, 2, args));
}

/* All it exports but its root. */
static size_t exports_of(const struct vat *v, kref *out, size_t room)
{
    size_t count = 0;
    char id[32];
    snprintf(id, sizeof id, "v%u.c.o+", v->id.n);
    struct span key = span_of(id), value;
    while (kv_next_key(lab.store, key, &key) && span_starts(key, span_of(id))) {
        if (span_is(span_from(key, strlen(id)), "0") || !kv_get(lab.store, key, &value)) continue;
        assert_true(count < room && kref_parse(value, &out[count++]));
    }
    return count;
}

static struct vat fork_of(const struct vat *parent, const char *name)
{
    struct err e;
    kref refs[200];
    struct vat child = { .name = name };
    struct fork_request r = { .vat = parent->id, .refs = refs, .ref_count = exports_of(parent, refs, 200),
                              .options = { .name = span_of(name), .reap_interval = REAP_DEFAULT, .share = now.share } };
    if (kernel_fork(lab.kernel, &r, &child.id, &e) != 0) fail_msg("fork of %s: %s", parent->name, e.text);
    run();
    if (kernel_find_root(lab.kernel, child.id, &child.root, &e) != 0) fail_msg("fork of %s: %s", parent->name, e.text);
    forks++;
    return child;
}

static void end_vat(const struct vat *v)
{
    struct err e;
    struct capdata why = { .body = SPAN("#\"over\"") };
    assert_int_equal(kernel_terminate(lab.kernel, v->id, &why, &e), 0);
    run();
}

/* -- looking -------------------------------------------------------------------------------------- */

static void heap_of(const struct vat *v, char out[SHA256_HEX + 1])
{
    struct snapshot_info s;
    bool found = snapshot_info(lab.store, span_of(vat_id_text(v->id).s), &s);
    assert_true(found);
    memcpy(out, s.hash, SHA256_HEX + 1);
}

static bool put_item(void *ctx, uint64_t position, struct span item)
{
    (void)position;
    buf_put(ctx, item);
    buf_putc(ctx, '\n');
    return true;
}

static uint64_t end_of(const struct vat *v)
{
    struct transcript_bounds t;
    bool found = transcript_bounds(lab.store, span_of(vat_id_text(v->id).s), &t);
    assert_true(found);
    return t.end;
}

static const char *life_of(const struct vat *v, uint64_t from)
{
    struct buf b = { 0 };
    transcript_read(lab.store, span_of(vat_id_text(v->id).s), from, end_of(v), put_item, &b);
    return text_of(&b);
}

/* All that is a vat's in the store. */
static const char *rows_of(const struct vat *v)
{
    struct buf b = { 0 };
    char id[32], hash[SHA256_HEX + 1];
    snprintf(id, sizeof id, "v%u.", v->id.n);
    struct span key = span_of(id), value;
    while (kv_next_key(lab.store, key, &key) && span_starts(key, span_of(id))) {
        if (!kv_get(lab.store, key, &value)) continue;
        buf_printf(&b, "%.*s=%.*s\n", SPAN_ARG(key), SPAN_ARG(value));
    }
    heap_of(v, hash);
    buf_printf(&b, "%llu %s\n%s", (unsigned long long)end_of(v), hash, life_of(v, 0));
    return text_of(&b);
}

static void assert_same_life(const struct vat *a, uint64_t a_from, const struct vat *b, bool heaps)
{
    char what[64], hash[SHA256_HEX + 1], other[SHA256_HEX + 1];
    snprintf(what, sizeof what, "transcript of %s, beside %s,", a->name, b->name);
    const char *got = life_of(a, a_from), *want = life_of(b, 1);
    assert_non_null(strstr(want, "computrons"));
    assert_true(lab_same(what, got, want));
    if (!heaps) return;
    heap_of(a, hash);
    heap_of(b, other);
    assert_string_equal(hash, other);
}

static void assert_starts_cold(const struct vat *v)
{
    struct replay_report report;
    struct err e;
    char hash[SHA256_HEX + 1];
    struct replay_request q = { .vat = v->id, .to = REPLAY_LATEST, .verify = true, .from_genesis = true };
    if (kernel_replay(lab.kernel, &lab.port, &q, &report, &e) != 0) fail_msg("%s started cold: %s", v->name, e.text);
    heap_of(v, hash);
    assert_true(report.heap_in_use);
    assert_string_equal(report.heap, hash);
    replay_report_fini(&report);
}

/* -- lives ------------------------------------------------------------------------------------------- */

/* The template knows the bootstrap puppet, and is sealed. */
static void begin(void)
{
    struct err e;
    lab_new(&lab, "tests/fork/puppets.json");
    lab.snapshot_level = 1; /* the fastest of all, disk and all */
    lab_genesis(&lab);
    lab_open(&lab);
    run();
    act("['createVat','T','puppet',{'name':'T','vatParameters':{'name':'T'}}],['send','$T','take',['boot','$self']],"
        "['send','$T','do',[[['make','a','ephemeral'],['make','b','durable'],['keep','b']]],'d'],['await','$d'],"
        "['send','$T','give',['a'],'g'],['await','$g','T.a'],['send','$T','give',['b'],'g'],['await','$g','T.b'],['drop','d','g'],"
        "['send','$T.admin','zygotify',[],'z'],['await','$z','T.admin'],['drop','z']");
    template.id = lab_vat(&lab, "T");
    assert_int_equal(kernel_find_root(lab.kernel, template.id, &template.root, &e), 0);
}

static struct vat have_past(void)
{
    struct err e;
    now.share = false; /* the template waits for nothing */
    struct vat p = fork_of(&template, "P");
    now.share = chance(1, 2);
    now.sealed = !now.share && chance(1, 3);
    make_acts(&now.past, 9);
    have_do(p.root, buf_span(&now.past));
    if (now.share) {
        hand(bootstrap(), "P", p.root);
        act("['promise','gate'],['send','$P','take',['gate','$gate']],['send','$P','do',[[['when','$$gate','gate']]],'d'],"
            "['await','$d'],['drop','d','P']");
    }
    if (now.sealed) {
        assert_int_equal(kernel_zygotify(lab.kernel, p.id, &e), 0);
        run();
    }
    pasts++;
    return p;
}

/* A fork makes a heap snapshot of a vat, and of no other. */
static void rest(const struct vat *v)
{
    struct vat more = fork_of(v, "more");
    end_vat(&more);
}

/* P takes part in the last future. */
static void have_future(const struct vat *p, bool last, const char *p_rows, uint64_t parted)
{
    struct vat vats[4] = { fork_of(p, "C"), fork_of(p, "D") };
    size_t count = 2;
    bool with_parent = last && !now.sealed, heaps = last || all_heaps;
    if (chance(1, 4)) vats[count++] = fork_of(&vats[0], "G"); /* at once: it is what C is */
    if (with_parent) {
        assert_true(lab_same("the parent, after others lived", rows_of(p), p_rows));
        vats[count++] = *p;
    }
    make_acts(&now.future, 6);
    for (size_t i = 0; i < count; i++) have_do(vats[i].root, buf_span(&now.future));
    if (chance(1, 12)) {
        commit();
        lab_restart(&lab);
    }
    if (now.share && last) act("['resolve','gate','open'],['drop','gate']");
    for (size_t i = 0; i < count && heaps; i++) rest(&vats[i]);
    for (size_t i = 1; i < count; i++) {
        assert_same_life(&vats[i], vats[i].id.n == p->id.n ? parted : 1, &vats[0], heaps);
    }
    if (last) assert_starts_cold(&vats[1]);
    for (size_t i = 0; i < count; i++) {
        if (vats[i].id.n != p->id.n) end_vat(&vats[i]);
    }
}

/* Seeds that have a past in common. */
static void live(uint64_t seed, uint64_t count)
{
    now.seed = seed;
    rng = rng_new(seed);
    struct vat p = have_past();
    rest(&p); /* from here on it is current */
    const char *rows = rows_of(&p);
    uint64_t parted = end_of(&p);
    for (uint64_t i = 0; i < count; i++) have_future(&p, i + 1 == count, rows, parted);
    if (now.sealed) assert_true(lab_same("the zygote", rows_of(&p), rows));
    end_vat(&p);
    commit();
    assert_int_equal(lab_audit(&lab), 0);
    buf_reset(&now.past);
}

TEST(forks_cannot_be_told_apart_nor_seen)
{
    begin();
    for (uint64_t at = 0; at < seeds; at += FUTURES) {
        if (at / FUTURES % parts != part) continue;
        struct arena kept = lab.arena; /* what is read of one past is not kept */
        arena_init(&lab.arena);
        live(first_seed + at, seeds - at < FUTURES ? seeds - at : FUTURES);
        arena_fini(&lab.arena);
        lab.arena = kept;
    }
    printf("           %llu pasts, %llu forks\n", (unsigned long long)pasts, (unsigned long long)forks);
    lab_free(&lab);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(forks_cannot_be_told_apart_nor_seen, say_if_failed),
    };
    first_seed = rng_seed_from_env(1);
    if (argc > 1) seeds = strtoull(argv[1], NULL, 10);
    if (argc > 3) {
        part = strtoull(argv[2], NULL, 10) - 1;
        parts = strtoull(argv[3], NULL, 10);
    }
    all_heaps = argc > 4 && strcmp(argv[4], "heaps") == 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
