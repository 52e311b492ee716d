/* Forks of vats with promises in flight: promises: 'share' (fork.md section 4), with
 * scripted vats.  One test a row, and one for each way it could go wrong. */
#include <stdio.h>
#include <stdlib.h>

#include "family.h"

/* A message from a to p whose result p does not resolve: what p calls it, in `name`. */
static kref decided_by_p(struct family *f, const char *result, char *name)
{
    struct world *w = &f->w;
    plan(w, f->p, "message", "!keep");
    poke(w, f->a, "send %s -> %s\nsubscribe %s", f->p_in_a, result, result);
    kref p = meant(w, f->a, result);
    strcpy(name, name_for(w, f->p, p));
    return p;
}

/* A promise of a's that p knows; p listens to it. */
static kref awaited_by_p(struct family *f, const char *promise, char *name)
{
    struct world *w = &f->w;
    poke(w, f->a, "send %s %s", f->p_in_a, promise);
    kref p = meant(w, f->a, promise);
    strcpy(name, name_for(w, f->p, p));
    poke(w, f->p, "subscribe %s", name);
    return p;
}

static bool key_is(struct world *w, kref p, const char *field, const char *want)
{
    const char *got = key_text(w, "%s.%s", kref_text(p).s, field);
    bool same = got != NULL && strcmp(got, want) == 0;
    if (!same) print_error("%s.%s is %s, not %s\n", kref_text(p).s, field, got, want);
    return same;
}

/* Every key of a promise. */
static struct buf promise_picture(struct world *w, kref p)
{
    struct buf b = { 0 };
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s.", kref_text(p).s);
    world_dump_keys(w, prefix, &b);
    return b;
}

static void end(struct family *f)
{
    assert_int_equal(world_litter(&f->w), 0);
    world_close(&f->w);
}

/* -- the rows ---------------------------------------------------------------------------------- */

TEST(a_promise_the_parent_decides_has_a_twin_that_the_child_decides)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char given[16];
    kref result = decided_by_p(&f, "p+1", given);
    poke(w, f.p, "send %s p+7", f.a_in_p);
    kref made = meant(w, f.p, "p+7");
    struct buf before = promise_picture(w, result), made_before = promise_picture(w, made);
    vat_id c = shared(&f);
    const char *const names[] = { given, "p+7" };
    for (int i = 0; i < 2; i++) {
        kref twin = meant(w, c, names[i]);
        assert_int_equal(twin.kind, KREF_PROMISE);
        assert_false(kref_eq(twin, meant(w, f.p, names[i])));
        assert_true(key_is(w, twin, "decider", "v6"));
        assert_true(key_is(w, twin, "subscribers", ""));
        assert_true(key_is(w, twin, "refCount", "1"));
        assert_true(key_is(w, twin, "queue.nextID", "0"));
        assert_null(key_text(w, "%s.policy", kref_text(twin).s));
        char row[32];
        snprintf(row, sizeof row, "R %s", names[i]);
        assert_true(row_is(w, c, twin, row));
    }
    assert_true(same_picture(&before, promise_picture(w, result)));
    assert_true(same_picture(&made_before, promise_picture(w, made)));
    assert_true(key_is(w, result, "decider", "v5"));
    /* each settles its own; the world hears of the parent's alone */
    poke(w, c, "data %s\nreject p+7", given);
    assert_true(alive(w, c));
    assert_int_equal(meant(w, c, given).kind, KREF_INVALID);
    assert_int_equal(told(w, f.a, "[\"notify\""), 0);
    poke(w, f.p, "resolve %s o+4", given);
    assert_int_equal(told(w, f.a, "[\"notify\",[[\"p+1\",false"), 1);
    assert_true(kref_eq(meant(w, f.a, "p+7"), (kref){ 0 }));
    end(&f);
}

TEST(a_parent_that_listens_to_its_own_promise_has_a_child_that_listens_to_its_own)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    poke(w, f.p, "send %s p+7\nsubscribe p+7", f.a_in_p);
    vat_id c = shared(&f);
    kref twin = meant(w, c, "p+7");
    assert_true(key_is(w, twin, "subscribers", "v6"));
    assert_true(key_is(w, meant(w, f.p, "p+7"), "subscribers", "v5"));
    poke(w, c, "data p+7");
    poke(w, f.p, "data p+7");
    assert_true(alive(w, c) && alive(w, f.p));
    end(&f);
}

TEST(a_promise_the_parent_awaits_is_the_childs_too)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char heard[16], known[16], lines[128];
    kref awaited = awaited_by_p(&f, "p+1", heard);
    poke(w, f.a, "send %s p+2", f.p_in_a);
    kref other = meant(w, f.a, "p+2");
    strcpy(known, name_for(w, f.p, other));
    assert_true(key_is(w, awaited, "refCount", "2"));
    vat_id c = shared(&f);
    assert_true(kref_eq(meant(w, c, heard), awaited));
    assert_true(kref_eq(meant(w, c, known), other));
    assert_true(key_is(w, awaited, "refCount", "3"));
    assert_true(key_is(w, awaited, "subscribers", "v5,v6"));
    assert_true(key_is(w, awaited, "decider", "v3"));
    assert_true(key_is(w, other, "subscribers", "")); /* p did not listen */
    assert_string_equal(key_text(w, "v%u.p.nextID", c.n), key_text(w, "v%u.p.nextID", f.p.n));
    poke(w, f.a, "resolve p+1 o+3\ndata p+2");
    snprintf(lines, sizeof lines, "[\"notify\",[[\"%s\",false,{\"body\":\"#[\\\"$0", heard);
    assert_int_equal(told(w, f.p, lines), 1);
    assert_int_equal(told(w, c, lines), 1);
    assert_string_equal(delivery_at(w, c, -1), delivery_at(w, f.p, -1)); /* the same names, too */
    assert_int_equal(meant(w, c, heard).kind, KREF_INVALID);
    /* and what neither listened to, each may ask for */
    assert_true(kref_eq(meant(w, c, known), other));
    poke(w, c, "subscribe %s", known);
    assert_int_equal(told(w, c, "[\"notify\""), 2);
    assert_int_equal(told(w, f.p, "[\"notify\""), 1);
    poke(w, f.p, "subscribe %s", known);
    assert_int_equal(promise_state(w->kernel, other), PROMISE_UNKNOWN);
    end(&f);
}

/* v10 comes before v5, as upstream sorts. */
TEST(subscribers_are_sorted_as_texts)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char heard[16];
    kref awaited = awaited_by_p(&f, "p+1", heard);
    for (int i = 0; i < 6; i++) shared(&f);
    assert_true(key_is(w, awaited, "subscribers", "v10,v11,v5,v6,v7,v8,v9"));
    assert_true(key_is(w, awaited, "refCount", "8"));
    poke(w, f.a, "data p+1");
    for (uint32_t n = 5; n <= 11; n++) assert_int_equal(told(w, (vat_id){ n }, "[\"notify\""), 1);
    assert_int_equal(promise_state(w->kernel, awaited), PROMISE_UNKNOWN);
    end(&f);
}

/* It may bring objects of the parent's: to the child they are somebody else's. */
TEST(results_of_the_parents_own_sends_come_to_both)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    plan(w, f.a, "message", "!keep");
    poke(w, f.p, "send %s o+9 -> p+7\nsubscribe p+7", f.a_in_p);
    kref result = meant(w, f.p, "p+7");
    char in_a[16];
    strcpy(in_a, name_for(w, f.a, result));
    vat_id c = shared(&f);
    assert_true(kref_eq(meant(w, c, "p+7"), result));
    assert_true(row_is(w, c, result, "R p+7"));
    assert_true(key_is(w, result, "subscribers", "v5,v6"));
    assert_true(key_is(w, result, "decider", "v3"));
    poke(w, f.a, "resolve %s %s", in_a, f.p_in_a);
    assert_int_equal(told(w, f.p, "[\"notify\",[[\"p+7\",false,{\"body\":\"#[\\\"$0.Alleged: x\\\"]\",\"slots\":[\"o+0\"]}]]]"), 1);
    assert_int_equal(told(w, c, "[\"notify\",[[\"p+7\",false,{\"body\":\"#[\\\"$0.Alleged: x\\\"]\",\"slots\":[\"o-"), 1);
    unsigned messages = told(w, f.p, "[\"message\"");
    poke(w, c, "send %s", name_for(w, c, root_of(w, f.p)));
    assert_int_equal(told(w, f.p, "[\"message\""), messages + 1);
    assert_int_equal(told(w, c, "[\"message\""), 0);
    end(&f);
}

/* -- told, and not yet told -------------------------------------------------------------------------- */

TEST(a_settled_promise_of_which_the_parent_is_not_told_yet)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char one[16], two[16], three[16];
    kref first = awaited_by_p(&f, "p+1", one), second = awaited_by_p(&f, "p+2", two);
    awaited_by_p(&f, "p+3", three);
    /* settled in another order than their names': so they are told of */
    vat_id c = fork_before(&f, "data p+3\nresolve p+1 o+5");
    while (!alive(w, c)) assert_int_equal(world_step(w), 1);
    assert_int_equal(promise_state(w->kernel, first), PROMISE_FULFILLED);
    assert_true(kref_eq(meant(w, c, one), first));
    assert_true(key_is(w, first, "refCount", "4")); /* two rows, two notifies */
    assert_true(key_is(w, second, "subscribers", "v5,v6"));
    assert_int_equal(told(w, f.p, "[\"notify\""), 0);
    world_run(w);
    assert_int_equal(told(w, f.p, "[\"notify\""), 2);
    assert_int_equal(told(w, c, "[\"notify\""), 2);
    assert_string_equal(delivery_at(w, c, -1), delivery_at(w, f.p, -1));
    assert_string_equal(delivery_at(w, c, -2), delivery_at(w, f.p, -2));
    assert_non_null(strstr(delivery_at(w, c, -2), three));
    poke(w, f.a, "data p+2");
    assert_int_equal(told(w, c, "[\"notify\""), 3);
    end(&f);
}

/* One notify on the run queue, and one that the parent asks for in the fork's own delivery. */
TEST(notifies_on_both_queues_are_told_in_the_parents_order)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char settled[16], awaited[16];
    poke(w, f.a, "send %s p+1", f.p_in_a);
    strcpy(settled, name_for(w, f.p, meant(w, f.a, "p+1")));
    poke(w, f.a, "data p+1");
    awaited_by_p(&f, "p+2", awaited);
    vat_id c = fork_before(&f, "resolve p+2 o+5");
    plan(w, f.p, "bringOutYourDead", "subscribe %s", settled);
    world_run(w);
    assert_int_equal(told(w, f.p, "[\"notify\""), 2);
    assert_non_null(strstr(delivery_at(w, f.p, -1), settled));
    assert_string_equal(delivery_at(w, c, -1), delivery_at(w, f.p, -1));
    assert_string_equal(delivery_at(w, c, -2), delivery_at(w, f.p, -2));
    end(&f);
}

TEST(the_child_is_told_after_the_parent)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char one[16];
    awaited_by_p(&f, "p+1", one);
    vat_id c = fork_before(&f, "data p+1");
    while (told(w, f.p, "[\"notify\"") == 0) {
        assert_int_equal(told(w, c, "[\"notify\""), 0);
        assert_int_equal(world_step(w), 1);
    }
    assert_int_equal(told(w, c, "[\"notify\""), 0);
    world_run(w);
    assert_int_equal(told(w, c, "[\"notify\""), 1);
    end(&f);
}

/* One notify tells of all that its data reaches; a second one finds nothing left to tell. */
TEST(a_batch_that_waits_is_told_to_the_child_whole)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char one[16], two[16];
    awaited_by_p(&f, "p+1", one);
    awaited_by_p(&f, "p+2", two);
    vat_id c = fork_before(&f, "[\"resolve\",[[\"p+1\",false,{\"body\":\"#[\\\"&0\\\",\\\"&1\\\"]\",\"slots\":[\"p+2\",\"p+9\"]}],"
                               "[\"p+2\",false,{\"body\":\"#[\\\"&0\\\"]\",\"slots\":[\"p+1\"]}]]]\ndata p+9");
    world_run(w);
    assert_int_equal(told(w, f.p, "[\"notify\""), 1);
    assert_int_equal(told(w, c, "[\"notify\""), 1);
    assert_string_equal(delivery_at(w, c, -1), delivery_at(w, f.p, -1));
    assert_int_equal(meant(w, c, two).kind, KREF_INVALID);
    end(&f);
}

/* What the parent never asked about, nobody tells the child; it may ask. */
TEST(a_settled_promise_nobody_listens_to_is_a_row_and_no_more)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    poke(w, f.a, "send %s p+1", f.p_in_a);
    kref p = meant(w, f.a, "p+1");
    char name[16];
    strcpy(name, name_for(w, f.p, p));
    poke(w, f.a, "reject p+1");
    vat_id c = shared(&f);
    assert_true(key_is(w, p, "refCount", "2"));
    assert_string_equal(delivery_at(w, c, 1), "");
    poke(w, c, "subscribe %s", name);
    assert_int_equal(told(w, c, "[\"notify\""), 1);
    assert_int_equal(told(w, f.p, "[\"notify\""), 0);
    assert_true(key_is(w, p, "refCount", "1"));
    end(&f);
}

/* -- messages ----------------------------------------------------------------------------------------- */

TEST(messages_that_wait_for_the_parents_promise_stay_with_it)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char given[16];
    kref result = decided_by_p(&f, "p+1", given);
    poke(w, f.a, "send p+1 o+8 -> p+2\nsubscribe p+2");
    assert_true(key_is(w, result, "queue.nextID", "1"));
    vat_id c = shared(&f);
    unsigned p_had = told(w, f.p, "[\"message\"");
    poke(w, c, "become %s o+6", given);
    assert_int_equal(told(w, c, "[\"message\""), 0);
    assert_int_equal(told(w, f.p, "[\"message\""), p_had);
    poke(w, f.p, "become %s o+6", given);
    assert_int_equal(told(w, f.p, "[\"message\",\"o+6\""), 1);
    assert_int_equal(told(w, f.p, "[\"message\""), p_had + 1);
    assert_int_equal(told(w, c, "[\"message\""), 0);
    assert_int_equal(told(w, f.a, "[\"notify\",[[\"p+2\""), 1);
    end(&f);
}

/* Pipelined by the parent to a promise it awaits: sent once, its result comes to both. */
TEST(messages_the_parent_pipelined_are_sent_once_and_answered_to_both)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char name[16];
    kref awaited = awaited_by_p(&f, "p+1", name);
    poke(w, f.p, "send %s o+3 -> p+8\nsubscribe p+8", name);
    assert_true(key_is(w, awaited, "queue.nextID", "1"));
    vat_id c = shared(&f);
    assert_true(key_is(w, awaited, "queue.nextID", "1"));
    assert_true(key_is(w, meant(w, f.p, "p+8"), "subscribers", "v5,v6"));
    assert_true(key_is(w, meant(w, f.p, "p+8"), "decider", "")); /* the queue's */
    poke(w, c, "send %s o+4", name); /* the child's own, behind the parent's */
    assert_true(key_is(w, awaited, "queue.nextID", "2"));
    unsigned a_had = told(w, f.a, "[\"message\"");
    poke(w, f.a, "become p+1 o+7");
    assert_int_equal(told(w, f.a, "[\"message\",\"o+7\""), 2);
    assert_int_equal(told(w, f.a, "[\"message\""), a_had + 2);
    assert_int_equal(told(w, f.p, "[\"notify\",[[\"p+8\",false"), 1);
    assert_int_equal(told(w, c, "[\"notify\",[[\"p+8\",false"), 1);
    end(&f);
}

/* A message that comes back to the parent: it decides, and the child hears what it said. */
TEST(a_promise_that_comes_to_be_decided_by_the_parent_after_the_fork)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char name[16];
    awaited_by_p(&f, "p+1", name);
    poke(w, f.p, "send %s -> p+8\nsubscribe p+8", name);
    vat_id c = shared(&f);
    kref result = meant(w, c, "p+8");
    plan(w, f.p, "message", "!keep");
    poke(w, f.a, "become p+1 %s", f.p_in_a);
    assert_true(key_is(w, result, "decider", "v5"));
    assert_true(kref_eq(meant(w, c, "p+8"), result));
    poke(w, c, "data p+8"); /* not the child's to resolve */
    assert_false(alive(w, c));
    vat_id d = shared(&f); /* now it is the parent's, so a child has a twin */
    assert_true(key_is(w, meant(w, d, "p+8"), "decider", vat_id_text(d).s));
    assert_true(key_is(w, meant(w, d, "p+8"), "subscribers", vat_id_text(d).s));
    poke(w, f.p, "data p+8");
    assert_int_equal(promise_state(w->kernel, result), PROMISE_UNKNOWN);
    assert_int_equal(promise_state(w->kernel, meant(w, d, "p+8")), PROMISE_UNRESOLVED);
    end(&f);
}

TEST(results_of_messages_on_their_way_to_the_parent_are_nothing_to_the_child)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char send[64];
    snprintf(send, sizeof send, "send %s -> p+1\nsubscribe p+1", f.p_in_a);
    unsigned had = told(w, f.p, "[\"message\"");
    vat_id c = fork_before(&f, send);
    world_run(w);
    assert_int_equal(told(w, f.p, "[\"message\""), had + 1);
    assert_int_equal(told(w, c, "[\"message\""), 0);
    struct buf left = { 0 };
    world_dump_keys(w, "v6.c.p", &left);
    world_dump_keys(w, "v6.c.kp", &left);
    assert_int_equal(left.n, 0);
    assert_int_equal(told(w, f.a, "[\"notify\",[[\"p+1\""), 1);
    buf_fini(&left);
    end(&f);
}

/* -- the fork's own bringOutYourDead ------------------------------------------------------------------ */

TEST(promises_made_in_the_forks_own_delivery_are_seen)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    plan(w, f.p, "bringOutYourDead", "send %s p+6 -> p+7\nsubscribe p+7\nsubscribe p+6", f.a_in_p);
    vat_id c = device_fork(w, f.p, 0, NULL, "'promises':'share'");
    plan(w, f.a, "message", "!keep");
    world_run(w);
    assert_true(alive(w, c));
    kref result = meant(w, f.p, "p+7");
    assert_true(kref_eq(meant(w, c, "p+7"), result));
    assert_true(key_is(w, result, "subscribers", "v5,v6"));
    assert_true(key_is(w, meant(w, c, "p+6"), "decider", "v6"));
    assert_true(key_is(w, meant(w, f.p, "p+6"), "decider", "v5"));
    end(&f);
    /* where they are not shared, they forbid the fork, and it was never asked to rest */
    open_family(&f);
    exported(&f, "o+1");
    char lines[64];
    snprintf(lines, sizeof lines, "send %s -> p+7\nsubscribe p+7", f.a_in_p);
    c = device_fork(w, f.p, 0, NULL, "");
    assert_int_equal(world_step(w), 1);
    assert_int_equal(world_step(w), 1);
    plan(w, f.p, "bringOutYourDead", "%s", lines);
    struct buf before = panorama(w);
    world_run(w);
    assert_int_equal(told(w, w->admin, "vat is not quiescent: 1 promise (0 decided, 1 subscribed, 0 other)"), 1);
    assert_false(alive(w, c));
    assert_true(same_picture(&before, panorama(w)));
    end(&f);
}

TEST(a_promise_settled_by_the_parent_in_the_forks_own_delivery_is_gone_for_both)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char given[16];
    decided_by_p(&f, "p+1", given);
    plan(w, f.p, "bringOutYourDead", "data %s", given);
    vat_id c = shared(&f);
    assert_int_equal(meant(w, c, given).kind, KREF_INVALID);
    assert_int_equal(told(w, f.a, "[\"notify\",[[\"p+1\""), 1);
    end(&f);
}

/* -- ends ------------------------------------------------------------------------------------------------ */

TEST(a_child_that_ends_takes_its_own_promises_along)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char given[16], heard[16];
    kref result = decided_by_p(&f, "p+1", given), awaited = awaited_by_p(&f, "p+2", heard);
    poke(w, f.p, "subscribe %s", given);
    vat_id c = shared(&f), d = shared(&f);
    kref twin = meant(w, c, given);
    introduce(w, c, f.b);
    poke(w, c, "send %s %s", name_for(w, c, root_of(w, f.b)), given); /* b knows c's */
    char in_b[16];
    strcpy(in_b, name_for(w, f.b, twin));
    poke(w, f.b, "subscribe %s", in_b);
    poke(w, c, "fail");
    assert_false(alive(w, c));
    assert_int_equal(told(w, f.b, "vat terminated"), 1);
    assert_int_equal(promise_state(w->kernel, twin), PROMISE_UNKNOWN);
    assert_int_equal(promise_state(w->kernel, result), PROMISE_UNRESOLVED);
    assert_true(key_is(w, awaited, "refCount", "3"));
    poke(w, f.a, "data p+2");
    assert_int_equal(told(w, f.p, "[\"notify\""), 1);
    assert_int_equal(told(w, d, "[\"notify\""), 1);
    poke(w, f.p, "data %s", given);
    assert_int_equal(told(w, f.a, "[\"notify\",[[\"p+1\",false"), 1);
    terminate(w, d);
    terminate(w, f.p);
    end(&f);
}

TEST(a_parent_that_ends_leaves_the_child_its_promises)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char given[16], heard[16];
    decided_by_p(&f, "p+1", given);
    kref awaited = awaited_by_p(&f, "p+2", heard);
    vat_id c = shared(&f);
    kref twin = meant(w, c, given);
    terminate(w, f.p);
    assert_int_equal(told(w, f.a, "vat terminated"), 1);
    assert_true(key_is(w, twin, "state", "unresolved"));
    assert_true(key_is(w, awaited, "refCount", "2"));
    world_restart(w);
    poke(w, f.a, "resolve p+2 o+6");
    assert_int_equal(told(w, c, "[\"notify\""), 1);
    poke(w, c, "data %s", given);
    assert_true(alive(w, c));
    end(&f);
}

/* Between its call and its crank the parent fails: no child, no promise touched. */
TEST(a_parent_that_ends_before_its_fork)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char given[16], heard[16];
    decided_by_p(&f, "p+1", given);
    kref awaited = awaited_by_p(&f, "p+2", heard);
    vat_id c = device_fork(w, f.p, 0, NULL, "'promises':'share'");
    assert_int_equal(world_step(w), 1);
    assert_int_equal(world_step(w), 1);
    queue_poke(w, f.p, "fail");
    world_run(w);
    assert_false(alive(w, c));
    assert_int_equal(told(w, w->admin, "newVatCallback\\\",[\\\"v6"), 1);
    assert_true(key_is(w, awaited, "refCount", "1"));
    end(&f);
}

TEST(one_who_decides_for_both_ends)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char heard[16];
    awaited_by_p(&f, "p+2", heard);
    vat_id c = shared(&f);
    terminate(w, f.a);
    assert_int_equal(told(w, f.p, "vat terminated"), 1);
    assert_string_equal(delivery_at(w, c, -1), delivery_at(w, f.p, -1));
    end(&f);
}

/* -- upgrades ---------------------------------------------------------------------------------------------- */

TEST(an_upgrade_of_the_child_disconnects_its_own_promises_alone)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char given[16], heard[16];
    kref result = decided_by_p(&f, "p+1", given), awaited = awaited_by_p(&f, "p+2", heard);
    poke(w, f.p, "send %s p+7\nsubscribe p+7", f.a_in_p);
    vat_id c = shared(&f);
    kref twin = meant(w, c, given), own = meant(w, c, "p+7");
    upgrade(w, c, "auto", "'#undefined'", "");
    world_run(w);
    assert_true(alive(w, c));
    assert_int_equal(told(w, c, "vatUpgraded"), 1); /* of p+7, to which it listens */
    assert_int_equal(told(w, c, "[\"notify\",[[\"p+7\",true"), 1);
    assert_int_equal(promise_state(w->kernel, twin), PROMISE_UNKNOWN);
    assert_int_equal(promise_state(w->kernel, own), PROMISE_UNKNOWN);
    assert_int_equal(told(w, f.a, "vatUpgraded"), 0);
    assert_int_equal(told(w, f.p, "vatUpgraded"), 0);
    assert_int_equal(promise_state(w->kernel, result), PROMISE_UNRESOLVED);
    assert_true(kref_eq(meant(w, c, heard), awaited)); /* what it awaits stays */
    poke(w, f.a, "data p+2");
    assert_int_equal(told(w, c, "[\"notify\",[[\"p-"), 1);
    poke(w, f.p, "data %s\ndata p+7", given);
    end(&f);
}

TEST(an_upgrade_of_the_parent_disconnects_its_own_promises_alone)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char given[16], heard[16];
    decided_by_p(&f, "p+1", given);
    awaited_by_p(&f, "p+2", heard);
    vat_id c = shared(&f);
    kref twin = meant(w, c, given);
    upgrade(w, f.p, "auto", "'#undefined'", "");
    world_run(w);
    assert_int_equal(told(w, f.a, "vatUpgraded"), 1);
    assert_int_equal(told(w, c, "vatUpgraded"), 0);
    assert_true(key_is(w, twin, "state", "unresolved"));
    poke(w, f.a, "data p+2");
    assert_int_equal(told(w, c, "[\"notify\""), 1);
    poke(w, c, "data %s", given);
    end(&f);
}

/* The upgrade's notify waits in the queue when the new incarnation is forked. */
TEST(a_fork_between_an_upgrade_and_what_it_tells)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char lines[512];
    poke(w, f.p, "send %s p+7\nsubscribe p+7", f.a_in_p);
    snprintf(lines, sizeof lines, "call d-70 upgradeVat #['v5','%s','#undefined','why']\n"
             "call d-70 forkVat #['v5',[],{'promises':'share'}]", bundle_named("auto"));
    vat_id c = { (uint32_t)state_need_u64(w->kernel, SPAN("vat.nextID")) };
    poke(w, w->boot, "%s", lines);
    assert_true(alive(w, c));
    assert_int_equal(told(w, f.p, "[\"notify\",[[\"p+7\",true"), 1);
    assert_int_equal(told(w, c, "[\"notify\",[[\"p+7\",true"), 1);
    struct transcript_bounds t;
    assert_true(transcript_bounds(w->store, SPAN("v6"), &t));
    assert_int_equal(t.incarnation, 0);
    end(&f);
}

/* -- generations, seals ------------------------------------------------------------------------------------- */

TEST(three_generations_share_what_they_await_and_each_decides_its_own)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char given[16], heard[16];
    decided_by_p(&f, "p+1", given);
    kref awaited = awaited_by_p(&f, "p+2", heard);
    vat_id c = shared(&f);
    introduce(w, w->boot, c);
    vat_id g = device_fork(w, c, 0, NULL, "'promises':'share'");
    world_run(w);
    assert_true(key_is(w, awaited, "subscribers", "v5,v6,v7"));
    assert_true(key_is(w, meant(w, c, given), "decider", "v6"));
    assert_true(key_is(w, meant(w, g, given), "decider", "v7"));
    terminate(w, c);
    world_restart(w);
    poke(w, f.a, "data p+2");
    assert_int_equal(told(w, f.p, "[\"notify\""), 1);
    assert_int_equal(told(w, g, "[\"notify\""), 1);
    poke(w, g, "data %s", given);
    poke(w, f.p, "data %s", given);
    end(&f);
}

TEST(a_zygote_has_no_promises_to_share)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char given[16];
    decided_by_p(&f, "p+1", given);
    device_seal(w, f.p);
    world_run(w);
    assert_int_equal(told(w, w->admin, "vat is not quiescent: 1 promise (1 decided, 0 subscribed, 0 other)"), 1);
    assert_false(vat_is_sealed(w->kernel, f.p));
    poke(w, f.p, "data %s", given);
    device_seal(w, f.p);
    world_run(w);
    struct buf before = picture(w, f.p);
    vat_id c = shared(&f);
    assert_true(alive(w, c));
    assert_true(same_picture(&before, picture(w, f.p)));
    end(&f);
}

/* A vat that holds its own admin node asks for its own fork: both are told of the child. */
TEST(the_answer_to_ones_own_request_comes_to_both)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    introduce(w, f.p, w->admin);
    char admin_in_p[16], in_admin[16];
    strcpy(admin_in_p, name_for(w, f.p, root_of(w, w->admin)));
    plan(w, w->admin, "message", "!keep");
    poke(w, f.p, "send %s -> p+9\nsubscribe p+9", admin_in_p);
    strcpy(in_admin, name_for(w, w->admin, meant(w, f.p, "p+9")));
    vat_id c = shared(&f);
    poke(w, w->admin, "resolve %s %s", in_admin, name_for(w, w->admin, root_of(w, c)));
    assert_int_equal(told(w, f.p, "\"slots\":[\"o-"), 1 + told(w, f.p, "[\"message\""));
    assert_int_equal(told(w, c, "[\"notify\",[[\"p+9\",false,{\"body\":\"#[\\\"$0.Alleged: x\\\"]\",\"slots\":[\"o+0\"]}]]]"), 1);
    end(&f);
}

/* -- transparency, books -------------------------------------------------------------------------------------- */

TEST(what_both_are_told_reads_the_same)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char one[16], two[16];
    awaited_by_p(&f, "p+1", one);
    awaited_by_p(&f, "p+2", two);
    vat_id c = shared(&f);
    plan(w, f.p, "notify", "send %s p+11\nsubscribe p+11\nset heard yes", f.b_in_p);
    plan(w, c, "notify", "send %s p+11\nsubscribe p+11\nset heard yes", f.b_in_p);
    poke(w, f.a, "resolve p+2 o+1 p+1 o+2");
    poke(w, f.a, "data p+1");
    for (int at = -2; at < 0; at++) {
        assert_string_equal(delivery_at(w, c, at), delivery_at(w, f.p, at));
        assert_string_equal(calls_at(w, c, at), calls_at(w, f.p, at));
    }
    assert_false(kref_eq(meant(w, c, "p+11"), meant(w, f.p, "p+11")));
    end(&f);
}

/* What the kernel counts, counted anew.  As upstream's, it goes on counting the rows of the
 * exports that a vat `left` behind when it ended. */
static void assert_stats(struct world *w, uint64_t left)
{
    uint64_t objects = 0, promises = 0, unresolved = 0, rows = 0, waiting = 0;
    struct kernel *k = w->kernel;
    for (uint64_t n = 20; n < state_need_u64(k, SPAN("ko.nextID")); n++) {
        objects += object_exists(k, (kref){ KREF_OBJECT, n });
    }
    for (uint64_t n = 40; n < state_need_u64(k, SPAN("kp.nextID")); n++) {
        kref p = { KREF_PROMISE, n };
        struct span message;
        promises += promise_state(k, p) != PROMISE_UNKNOWN;
        if (promise_state(k, p) != PROMISE_UNRESOLVED) continue;
        unresolved++;
        for (uint64_t i = 0; promise_queued(k, p, i, &message); i++) waiting++;
    }
    vat_id *all;
    size_t vats = vats_all(k, &all);
    for (size_t i = 0; i < vats; i++) {
        struct clist_walk walk = { 0 };
        while (clist_next(k, all[i], "", &walk)) rows++;
    }
    assert_int_equal(k->stats.of[STAT_KERNEL_OBJECTS].now, objects);
    assert_int_equal(k->stats.of[STAT_KERNEL_PROMISES].now, promises);
    assert_int_equal(k->stats.of[STAT_KP_UNRESOLVED].now, unresolved);
    assert_int_equal(k->stats.of[STAT_PROMISE_QUEUES_LENGTH].now, waiting);
    assert_int_equal(k->stats.of[STAT_CLIST_ENTRIES].now, rows + left);
}

TEST(the_kernels_statistics_count_the_child)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char given[16], heard[16];
    decided_by_p(&f, "p+1", given);
    awaited_by_p(&f, "p+2", heard);
    poke(w, f.p, "send %s o+3 -> p+8\nsubscribe p+8", heard);
    exported(&f, "o+4");
    assert_stats(w, 0);
    int64_t vats = w->kernel->stats.of[STAT_VATS].now;
    vat_id c = device_fork(w, f.p, 0, NULL, "'promises':'share'");
    while (!alive(w, c)) assert_int_equal(world_step(w), 1);
    assert_stats(w, 0);
    world_run(w);
    assert_stats(w, 0);
    assert_int_equal(w->kernel->stats.of[STAT_VATS].now, vats + 1);
    terminate(w, f.p);
    assert_stats(w, 3); /* o+0, o+3, o+4 */
    terminate(w, c);
    assert_stats(w, 4);
    end(&f);
}

/* -- asking ------------------------------------------------------------------------------------------------------ */

TEST(the_device_takes_strict_and_share_and_nothing_else)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char given[16];
    decided_by_p(&f, "p+1", given);
    static const char *const strict[] = { "'promises':'strict'", "'promises':'#undefined'", "" };
    for (int i = 0; i < 3; i++) {
        vat_id c = device_fork(w, f.p, 0, NULL, strict[i]);
        world_run(w);
        assert_false(alive(w, c));
        assert_int_equal(told(w, w->admin, "vat is not quiescent: 1 promise"), (unsigned)i + 1);
    }
    static const char *const bad[] = { "'promises':'halve'", "'promises':true", "'promises':null" };
    for (int i = 0; i < 3; i++) {
        unsigned answers = told(w, w->admin, "newVatCallback");
        uint64_t next = state_need_u64(w->kernel, SPAN("vat.nextID"));
        device_fork(w, f.p, 0, NULL, bad[i]);
        world_run(w);
        assert_int_equal(state_need_u64(w->kernel, SPAN("vat.nextID")), next);
        assert_int_equal(told(w, w->admin, "newVatCallback"), answers);
        assert_true(alive(w, w->boot));
    }
    end(&f);
}

TEST(the_host_can_share_too)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char given[16], heard[16];
    struct err e;
    vat_id c;
    decided_by_p(&f, "p+1", given);
    kref awaited = awaited_by_p(&f, "p+2", heard);
    struct fork_request r = { .vat = f.p, .options.reap_interval = REAP_DEFAULT };
    assert_int_equal(kernel_fork(w->kernel, &r, &c, &e), -1);
    assert_int_equal(e.exit, EXIT_POLICY);
    assert_non_null(strstr(e.text, "vat is not quiescent: 2 promises (1 decided, 1 subscribed, 0 other)"));
    r.options.share = true;
    assert_int_equal(kernel_fork(w->kernel, &r, &c, &e), 0);
    world_run(w);
    assert_true(alive(w, c));
    assert_true(key_is(w, awaited, "subscribers", "v5,v6"));
    assert_int_equal(kernel_zygotify(w->kernel, f.p, &e), -1);
    assert_int_equal(e.exit, EXIT_POLICY);
    end(&f);
}

/* The audit would say so if a fork left a listener, or a decider, without a row. */
TEST(the_audit_knows_listeners_without_a_row)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char heard[16];
    kref awaited = awaited_by_p(&f, "p+1", heard);
    kv_set(w->store, key_kref(w->kernel, awaited, "subscribers"), SPAN("v4,v5"));
    w->setup.no_audit = false;
    queue_poke(w, f.b, "set k v");
    assert_int_equal(world_step(w), -1);
    assert_non_null(memmem(w->breaches.p, w->breaches.n, "is listened to by v4, which does not know it", 44));
    kv_set(w->store, key_kref(w->kernel, awaited, "subscribers"), SPAN("v5"));
    buf_reset(&w->breaches);
    world_run(w);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_promise_the_parent_decides_has_a_twin_that_the_child_decides),
        cmocka_unit_test(a_parent_that_listens_to_its_own_promise_has_a_child_that_listens_to_its_own),
        cmocka_unit_test(a_promise_the_parent_awaits_is_the_childs_too),
        cmocka_unit_test(subscribers_are_sorted_as_texts),
        cmocka_unit_test(results_of_the_parents_own_sends_come_to_both),
        cmocka_unit_test(a_settled_promise_of_which_the_parent_is_not_told_yet),
        cmocka_unit_test(notifies_on_both_queues_are_told_in_the_parents_order),
        cmocka_unit_test(the_child_is_told_after_the_parent),
        cmocka_unit_test(a_batch_that_waits_is_told_to_the_child_whole),
        cmocka_unit_test(a_settled_promise_nobody_listens_to_is_a_row_and_no_more),
        cmocka_unit_test(messages_that_wait_for_the_parents_promise_stay_with_it),
        cmocka_unit_test(messages_the_parent_pipelined_are_sent_once_and_answered_to_both),
        cmocka_unit_test(a_promise_that_comes_to_be_decided_by_the_parent_after_the_fork),
        cmocka_unit_test(results_of_messages_on_their_way_to_the_parent_are_nothing_to_the_child),
        cmocka_unit_test(promises_made_in_the_forks_own_delivery_are_seen),
        cmocka_unit_test(a_promise_settled_by_the_parent_in_the_forks_own_delivery_is_gone_for_both),
        cmocka_unit_test(a_child_that_ends_takes_its_own_promises_along),
        cmocka_unit_test(a_parent_that_ends_leaves_the_child_its_promises),
        cmocka_unit_test(a_parent_that_ends_before_its_fork),
        cmocka_unit_test(one_who_decides_for_both_ends),
        cmocka_unit_test(an_upgrade_of_the_child_disconnects_its_own_promises_alone),
        cmocka_unit_test(an_upgrade_of_the_parent_disconnects_its_own_promises_alone),
        cmocka_unit_test(a_fork_between_an_upgrade_and_what_it_tells),
        cmocka_unit_test(three_generations_share_what_they_await_and_each_decides_its_own),
        cmocka_unit_test(a_zygote_has_no_promises_to_share),
        cmocka_unit_test(the_answer_to_ones_own_request_comes_to_both),
        cmocka_unit_test(what_both_are_told_reads_the_same),
        cmocka_unit_test(the_kernels_statistics_count_the_child),
        cmocka_unit_test(the_device_takes_strict_and_share_and_nothing_else),
        cmocka_unit_test(the_host_can_share_too),
        cmocka_unit_test(the_audit_knows_listeners_without_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
