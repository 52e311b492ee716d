/* Transcripts that outlive their vats for those that were forked from them (lineage.h), and
 * the replay of a forked vat from genesis (replay.h). */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/lineage.h"
#include "kernel/replay.h"
#include "lib/rng.h"
#include "world.h"

/* p, dynamic, knows a's root; it has had a few snapshots. */
struct clan {
    struct world w;
    vat_id p;
    char a_in_p[16];
};

static void talk_to(struct clan *c, vat_id vat, int deliveries)
{
    for (int i = 0; i < deliveries; i++) poke(&c->w, vat, "send %s o+%d\nset k %d", c->a_in_p, i + 1, i);
}

static void open_clan(struct clan *c, struct world_setup s)
{
    struct world *w = &c->w;
    s.vats[0] = "a";
    s.snapshot_initial = 4;
    s.snapshot_interval = 5;
    world_open(w, &s);
    c->p = create(w, "auto", "");
    introduce(w, vat_named(w, "a"), c->p);
    introduce(w, c->p, vat_named(w, "a"));
    strcpy(c->a_in_p, name_for(w, c->p, root_of(w, vat_named(w, "a"))));
    talk_to(c, c->p, 7);
}

static vat_id fork_of(struct clan *c, vat_id parent)
{
    vat_id child = device_fork(&c->w, parent, 0, NULL, "");
    world_run(&c->w);
    assert_true(alive(&c->w, child));
    return child;
}

static struct span text_of(struct clan *c, vat_id vat)
{
    return span_of_vat(c->w.kernel, vat);
}

static bool has_transcript(struct clan *c, vat_id vat)
{
    struct transcript_bounds t;
    return transcript_span_at(c->w.store, text_of(c, vat), INT64_MAX, &t);
}

static uint64_t end_of(struct clan *c, vat_id vat)
{
    struct transcript_bounds t;
    return transcript_bounds(c->w.store, text_of(c, vat), &t) ? t.end : 0;
}

static size_t keys(struct clan *c, const char *prefix)
{
    struct buf b = { 0 };
    size_t lines = 0;
    world_dump_keys(&c->w, prefix, &b);
    for (size_t i = 0; i < b.n; i++) lines += b.p[i] == '\n';
    buf_fini(&b);
    return lines;
}

static size_t keys_of(struct clan *c, vat_id vat)
{
    char prefix[16];
    snprintf(prefix, sizeof prefix, "v%u.", vat.n);
    return keys(c, prefix);
}

/* -- replay -------------------------------------------------------------------------------------- */

static int replay(struct clan *c, vat_id vat, uint64_t to, struct replay_report *out, struct err *e)
{
    struct replay_request r = { .vat = vat, .to = to, .verify = true, .from_genesis = true };
    unsigned machines = c->w.scripted.machines;
    int failed = kernel_replay(c->w.kernel, &c->w.port, &r, out, e);
    assert_int_equal(c->w.scripted.machines, machines);
    return failed;
}

/* All is well, by way of these vats. */
static void replays(struct clan *c, vat_id vat, const vat_id *way, size_t count)
{
    struct replay_report r;
    struct snapshot_info s;
    struct err e;
    struct buf before = { 0 }, after = { 0 };
    world_dump(&c->w, &before);
    if (replay(c, vat, REPLAY_LATEST, &r, &e) != 0) fail_msg("%s", e.text);
    world_dump(&c->w, &after);
    assert_true(span_eq(buf_span(&before), buf_span(&after)));
    assert_int_equal(r.leg_count, count);
    for (size_t i = 0; i < count; i++) assert_int_equal(r.legs[i].vat.n, way[i].n);
    assert_int_equal(r.start, 0);
    assert_int_equal(r.end, end_of(c, vat));
    if (snapshot_info(c->w.store, text_of(c, vat), &s)) {
        assert_true(r.heap_in_use);
        assert_string_equal(r.heap, s.hash);
    }
    replay_report_fini(&r);
    buf_fini(&before);
    buf_fini(&after);
}

static void refused(struct clan *c, vat_id vat, enum exit_code exit, const char *says)
{
    struct replay_report r;
    struct err e = { 0 };
    assert_int_equal(replay(c, vat, REPLAY_LATEST, &r, &e), -1);
    if (e.exit != exit || strstr(e.text, says) == NULL) {
        fail_msg("%s: exit %d, %s", says, (int)e.exit, e.text);
    }
    replay_report_fini(&r);
}

/* -- what is kept ---------------------------------------------------------------------------------- */

TEST(a_parents_transcript_stays_until_its_last_descendant_goes)
{
    struct clan c;
    open_clan(&c, (struct world_setup){ 0 });
    struct world *w = &c.w;
    assert_int_equal(keys(&c, "zygote.family."), 0);
    vat_id kid = fork_of(&c, c.p), other = fork_of(&c, c.p);
    talk_to(&c, kid, 7);
    assert_string_equal(key_text(w, "zygote.family.v%u", c.p.n), "{\"children\":2}");
    terminate(w, c.p);
    assert_int_equal(keys_of(&c, c.p), 0);
    assert_string_equal(key_text(w, "vats.terminated"), "[]");
    assert_true(has_transcript(&c, c.p));
    assert_int_equal(end_of(&c, c.p), 0); /* it has no current span */
    terminate(w, other);
    assert_false(has_transcript(&c, other));
    assert_string_equal(key_text(w, "zygote.family.v%u", c.p.n), "{\"children\":1}");
    world_restart(w);
    replays(&c, kid, (vat_id[]){ c.p, kid }, 2);
    terminate(w, kid);
    assert_false(has_transcript(&c, kid));
    assert_false(has_transcript(&c, c.p));
    assert_int_equal(keys(&c, "zygote.family."), 0);
    assert_string_equal(key_text(w, "vats.terminated"), "[]");
    world_close(w);
}

TEST(a_living_parent_loses_its_children_and_later_its_transcript)
{
    struct clan c;
    open_clan(&c, (struct world_setup){ 0 });
    vat_id kid = fork_of(&c, c.p);
    terminate(&c.w, kid);
    assert_int_equal(keys(&c, "zygote.family."), 0);
    assert_true(alive(&c.w, c.p));
    talk_to(&c, c.p, 2);
    replays(&c, c.p, &c.p, 1);
    terminate(&c.w, c.p);
    assert_false(has_transcript(&c, c.p));
    world_close(&c.w);
}

TEST(grandparents_are_kept_through_parents_that_are_gone)
{
    struct clan c;
    open_clan(&c, (struct world_setup){ 0 });
    struct world *w = &c.w;
    vat_id kid = fork_of(&c, c.p);
    talk_to(&c, kid, 3);
    vat_id grandchild = fork_of(&c, kid);
    talk_to(&c, grandchild, 6);
    terminate(w, kid);
    terminate(w, c.p);
    world_restart(w);
    assert_int_equal(keys_of(&c, kid), 0);
    assert_true(has_transcript(&c, kid) && has_transcript(&c, c.p));
    replays(&c, grandchild, (vat_id[]){ c.p, kid, grandchild }, 3);
    /* a great-grandchild of which nothing ran */
    vat_id last = fork_of(&c, grandchild);
    terminate(w, grandchild);
    replays(&c, last, (vat_id[]){ c.p, kid, grandchild, last }, 4);
    terminate(w, last);
    assert_int_equal(keys(&c, "zygote.family."), 0);
    assert_false(has_transcript(&c, kid) || has_transcript(&c, c.p) || has_transcript(&c, last) ||
                 has_transcript(&c, grandchild));
    world_close(w);
}

TEST(nothing_is_kept_where_nothing_is_forked)
{
    struct clan c;
    for (int without = 0; without < 2; without++) {
        open_clan(&c, (struct world_setup){ .no_zygotes = without == 1 });
        terminate(&c.w, c.p);
        assert_int_equal(keys(&c, "zygote.family."), 0);
        assert_false(has_transcript(&c, c.p));
        world_close(&c.w);
    }
}

/* -- budgets ----------------------------------------------------------------------------------------- */

struct frugal {
    uint64_t most, spent;
};

static bool allow(void *self, struct cleanup_work *budget)
{
    const struct frugal *f = self;
    uint64_t n = f->most;
    *budget = (struct cleanup_work){ n, n, n, n, n, n };
    return n > 0;
}

static bool cleaned(void *self, const struct crank_report *r)
{
    struct frugal *f = self;
    const struct cleanup_work *d = &r->cleaned;
    assert_true(d->exports <= f->most && d->imports <= f->most && d->promises <= f->most &&
                d->kv <= f->most && d->snapshots <= f->most && d->transcripts <= f->most);
    f->spent += d->transcripts;
    return true;
}

TEST(an_ancestors_transcript_is_deleted_within_the_budget)
{
    struct clan c;
    open_clan(&c, (struct world_setup){ 0 });
    vat_id kid = fork_of(&c, c.p);
    talk_to(&c, c.p, 20);
    terminate(&c.w, c.p);
    struct frugal f = { 1, 0 };
    struct run_policy policy = { .self = &f, .allow_cleanup = allow, .did_cleanup = cleaned };
    c.w.policy = &policy;
    terminate(&c.w, kid);
    assert_true(f.spent >= 5); /* spans of both, one a crank */
    assert_false(has_transcript(&c, c.p) || has_transcript(&c, kid));
    assert_int_equal(keys(&c, "zygote.family."), 0);
    world_close(&c.w);
}

enum { FAMILY_MAX = 12 };

/* Which vats' transcripts must be there: the living, and those with descendants who live. */
struct truth {
    vat_id vat[FAMILY_MAX];
    int parent[FAMILY_MAX];
    bool lives[FAMILY_MAX], needed[FAMILY_MAX];
    int count;
};

static void find_needed(struct truth *t)
{
    memset(t->needed, 0, sizeof t->needed);
    for (int i = 0; i < t->count; i++) {
        for (int at = i; t->lives[i] && at >= 0; at = t->parent[at]) t->needed[at] = true;
    }
}

static void check_truth(struct clan *c, struct truth *t, uint64_t seed)
{
    find_needed(t);
    for (int i = 0; i < t->count; i++) {
        if (has_transcript(c, t->vat[i]) != t->needed[i]) {
            fail_msg("seed %llu: the transcript of %s is %s", (unsigned long long)seed,
                     vat_id_text(t->vat[i]).s, t->needed[i] ? "gone" : "still there");
        }
    }
}

static void random_life(uint64_t seed)
{
    struct clan c;
    struct rng r = rng_new(seed);
    open_clan(&c, (struct world_setup){ 0 });
    struct frugal f = { 0, 0 };
    struct run_policy policy = { .self = &f, .allow_cleanup = allow, .did_cleanup = cleaned };
    struct truth t = { .vat = { c.p }, .parent = { -1 }, .lives = { true }, .count = 1 };
    c.w.policy = &policy;
    for (int step = 0; step < 24; step++) {
        int who = (int)rng_below(&r, (uint64_t)t.count);
        f.most = rng_below(&r, 3); /* 0: no cleanup in this step */
        if (t.lives[who] && t.count < FAMILY_MAX && rng_chance(&r, 1, 2)) {
            t.vat[t.count] = fork_of(&c, t.vat[who]);
            t.parent[t.count] = who;
            t.lives[t.count++] = true;
        } else if (t.lives[who] && rng_chance(&r, 1, 2)) {
            terminate(&c.w, t.vat[who]);
            t.lives[who] = false;
        } else if (rng_chance(&r, 1, 4)) {
            world_restart(&c.w);
        }
        for (int cranks = (int)rng_below(&r, 4); cranks > 0; cranks--) world_step(&c.w);
        if (f.most == 0 && rng_chance(&r, 1, 2)) continue;
        f.most = 1 + rng_below(&r, 3);
        world_run(&c.w);
        check_truth(&c, &t, seed);
    }
    for (int i = 0; i < t.count; i++) {
        struct replay_report report;
        struct err e;
        if (!t.lives[i]) continue;
        if (replay(&c, t.vat[i], REPLAY_LATEST, &report, &e) != 0) fail_msg("seed %llu: %s", (unsigned long long)seed, e.text);
        replay_report_fini(&report);
        terminate(&c.w, t.vat[i]);
        t.lives[i] = false;
    }
    f.most = 2;
    world_run(&c.w);
    check_truth(&c, &t, seed);
    assert_int_equal(keys(&c, "zygote.family."), 0);
    world_close(&c.w);
}

TEST(any_order_of_births_and_deaths)
{
    uint64_t first = rng_seed_from_env(1);
    for (uint64_t i = 0; i < 30; i++) random_life(first + i);
}

/* -- what cannot be replayed --------------------------------------------------------------------------- */

TEST(to_a_position_of_its_own)
{
    struct clan c;
    struct replay_report r;
    struct err e;
    open_clan(&c, (struct world_setup){ 0 });
    vat_id kid = fork_of(&c, c.p);
    talk_to(&c, kid, 9);
    if (replay(&c, kid, 3, &r, &e) != 0) fail_msg("%s", e.text);
    assert_int_equal(r.end, 3);
    assert_int_equal(r.leg_count, 2);
    assert_false(r.heap_in_use);
    replay_report_fini(&r);
    world_close(&c.w);
}

TEST(an_older_incarnation_of_the_parent)
{
    struct clan c;
    open_clan(&c, (struct world_setup){ 0 });
    struct world *w = &c.w;
    vat_id early = fork_of(&c, c.p);
    upgrade(w, c.p, "puppet", "{}", "");
    world_run(w);
    for (int i = 0; i < 6; i++) poke(w, c.p, "set k %d", i);
    vat_id late = fork_of(&c, c.p);
    struct replay_report r;
    struct err e;
    replays(&c, early, (vat_id[]){ c.p, early }, 2);
    replays(&c, late, (vat_id[]){ c.p, late }, 2);
    assert_int_equal(replay(&c, late, REPLAY_LATEST, &r, &e), 0);
    assert_int_equal(r.legs[0].incarnation, 1);
    assert_true(r.legs[0].start > 10);
    replay_report_fini(&r);
    upgrade(w, early, "puppet", "{}", "");
    world_run(w);
    poke(w, early, "set k 2");
    replays(&c, early, (vat_id[]){ c.p, early }, 2);
    /* A vat that was upgraded is made anew: its children need nothing from before that. */
    vat_id fresh = fork_of(&c, early);
    replays(&c, fresh, (vat_id[]){ early, fresh }, 2);
    world_close(w);
}

TEST(pruned_items_are_named)
{
    struct clan c;
    open_clan(&c, (struct world_setup){ 0 });
    store_retain(c.w.store, true, false);
    talk_to(&c, c.p, 12);
    vat_id kid = fork_of(&c, c.p);
    struct transcript_bounds t;
    assert_true(transcript_span_at(c.w.store, text_of(&c, c.p), 11, &t));
    refused(&c, kid, EXIT_NOT_FOUND, "of the transcript of v4 were pruned; a store keeps them with keepTranscripts");
    refused(&c, c.p, EXIT_NOT_FOUND, "positions ");
    talk_to(&c, kid, 12);
    refused(&c, kid, EXIT_NOT_FOUND, "of the transcript of v5 were pruned");
    world_close(&c.w);
}

TEST(an_ancestor_that_another_kernel_deleted)
{
    struct clan c;
    uint64_t n;
    bool done;
    open_clan(&c, (struct world_setup){ 0 });
    vat_id kid = fork_of(&c, c.p), grandchild = fork_of(&c, kid);
    terminate(&c.w, c.p);
    transcript_delete(c.w.store, text_of(&c, c.p), UINT64_MAX, &n, &done);
    refused(&c, kid, EXIT_NOT_FOUND, "v4, from which v5 was forked, is gone, and its transcript with it");
    refused(&c, grandchild, EXIT_NOT_FOUND, "v4, from which v5 was forked, is gone");
    terminate(&c.w, kid);
    terminate(&c.w, grandchild);
    assert_int_equal(keys(&c, "zygote.family."), 0);
    world_close(&c.w);
}

static void set(struct clan *c, const char *key, const char *value)
{
    kv_set(c->w.store, span_of(key), span_of(value));
}

TEST(what_the_store_cannot_say)
{
    static const struct {
        const char *origin, *says;
    } cases[] = {
        { "{\"vatID\":\"v5\",\"incarnation\":0,\"position\":3,\"snapshotID\":\"\"}", "v5 cannot have been forked from v5" },
        { "{\"vatID\":\"v9\",\"incarnation\":0,\"position\":3,\"snapshotID\":\"\"}", "v5 cannot have been forked from v9" },
        { "{\"vatID\":\"v4\",\"incarnation\":0,\"position\":0,\"snapshotID\":\"\"}", "v5 cannot have been forked from v4 at position 0" },
        { "{\"vatID\":\"v4\",\"incarnation\":1,\"position\":6,\"snapshotID\":\"\"}", "which is not in its transcript" },
        { "{\"vatID\":\"v4\",\"incarnation\":0,\"position\":999,\"snapshotID\":\"\"}", "which is not in its transcript" },
        { "{\"vatID\":\"v4\",\"incarnation\":0,\"position\":3,\"snapshotID\":\"\"}", "which nothing before has made" },
    };
    struct clan c;
    open_clan(&c, (struct world_setup){ .no_audit = true });
    vat_id kid = fork_of(&c, c.p);
    assert_int_equal(kid.n, 5);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set(&c, "v5.forkedFrom", cases[i].origin);
        refused(&c, kid, EXIT_INTEGRITY, cases[i].says);
    }
    kv_delete(c.w.store, SPAN("v5.forkedFrom"));
    refused(&c, kid, EXIT_INTEGRITY, "nothing says which vat it was forked from");
    refused(&c, (vat_id){ 77 }, EXIT_NOT_FOUND, "v77 has no transcript");
    world_close(&c.w);
}

static void to_text(void *ctx, const char *breach)
{
    buf_puts(ctx, breach);
}

TEST(the_audit_misses_children)
{
    struct clan c;
    struct buf b = { 0 };
    open_clan(&c, (struct world_setup){ 0 });
    fork_of(&c, c.p);
    fork_of(&c, c.p);
    assert_int_equal(kernel_audit(c.w.store, to_text, &b), 0);
    set(&c, "zygote.family.v4", "{\"children\":1}");
    assert_int_equal(kernel_audit(c.w.store, to_text, &b), 1);
    assert_non_null(memmem(b.p, b.n, "v4: 1 children are recorded but 2 found", 39));
    set(&c, "zygote.family.v4", "{\"children\":2}");
    set(&c, "v5.forkedFrom", "{\"vatID\":\"v6\",\"incarnation\":0,\"position\":3,\"snapshotID\":\"\"}");
    buf_reset(&b);
    assert_int_equal(kernel_audit(c.w.store, to_text, &b), 1);
    assert_non_null(memmem(b.p, b.n, "v5 was forked from v6, which is younger", 39));
    buf_fini(&b);
    c.w.setup.no_audit = true;
    world_close(&c.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parents_transcript_stays_until_its_last_descendant_goes),
        cmocka_unit_test(a_living_parent_loses_its_children_and_later_its_transcript),
        cmocka_unit_test(grandparents_are_kept_through_parents_that_are_gone),
        cmocka_unit_test(nothing_is_kept_where_nothing_is_forked),
        cmocka_unit_test(an_ancestors_transcript_is_deleted_within_the_budget),
        cmocka_unit_test(any_order_of_births_and_deaths),
        cmocka_unit_test(to_a_position_of_its_own),
        cmocka_unit_test(an_older_incarnation_of_the_parent),
        cmocka_unit_test(pruned_items_are_named),
        cmocka_unit_test(an_ancestor_that_another_kernel_deleted),
        cmocka_unit_test(what_the_store_cannot_say),
        cmocka_unit_test(the_audit_misses_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
