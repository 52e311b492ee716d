/* Random conversations before and after a fork that shares promises, in their midst: what the
 * parent hears the child hears, and they do the same about it. */
#include <stdio.h>

#include "family.h"

enum { CHAT_MAX = 64 };

/* a and p talk; a decides `theirs` (by a's names), p decides `own`. */
struct chat {
    struct family f;
    uint64_t state;
    vat_id c; /* n == 0: not forked yet */
    kref theirs[CHAT_MAX], own[CHAT_MAX];
    size_t their_count, own_count;
    unsigned made; /* names so far */
};

static unsigned pick(struct chat *t, unsigned bound)
{
    t->state = t->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(t->state >> 33) % bound;
}

/* Words for a to settle something that it decides; "" if it decides nothing. */
static void settling(struct chat *t, char *out, size_t room)
{
    struct world *w = &t->f.w;
    size_t first = t->their_count == 0 ? 0 : pick(t, (unsigned)t->their_count);
    out[0] = '\0';
    for (size_t i = 0; i < t->their_count; i++) {
        kref p = t->theirs[(first + i) % t->their_count];
        vat_id decider;
        if (promise_state(w->kernel, p) != PROMISE_UNRESOLVED || !promise_decider(w->kernel, p, &decider) ||
            !vat_id_eq(decider, t->f.a)) {
            continue;
        }
        const char *name = name_for(w, t->f.a, p);
        unsigned fresh = 200 + t->made++;
        switch (pick(t, 5)) {
        case 0: snprintf(out, room, "data %s", name); return;
        case 1: snprintf(out, room, "reject %s o+%u", name, fresh); return;
        case 2: snprintf(out, room, "become %s o+%u", name, fresh); return;
        case 3: snprintf(out, room, "resolve %s o+%u p+%u", name, fresh, fresh); return;
        default: snprintf(out, room, "resolve %s p+%u\ndata p+%u", name, fresh, fresh); return;
        }
    }
}

/* Words for p, and after the fork for its child, too; "" if there is nothing to say. */
static void saying(struct chat *t, char *out, size_t room)
{
    struct world *w = &t->f.w;
    unsigned fresh = 200 + t->made++;
    const char *listen = pick(t, 3) > 0 ? "\nsubscribe p+" : "\nset x ";
    kref some = t->their_count > 0 ? t->theirs[pick(t, (unsigned)t->their_count)] : (kref){ 0 };
    const char *name = name_for(w, t->f.p, some);
    bool known = strcmp(name, "o-999") != 0;
    out[0] = '\0';
    switch (pick(t, 5)) {
    case 0:
        snprintf(out, room, "send %s -> p+%u%s%u", t->f.a_in_p, fresh, listen, fresh);
        return;
    case 1:
        snprintf(out, room, "send %s p+%u%s%u", t->f.a_in_p, fresh, listen, fresh);
        return;
    case 2:
        if (known) snprintf(out, room, "subscribe %s", name);
        return;
    case 3:
        if (known) snprintf(out, room, "send %s -> p+%u%s%u", name, fresh, listen, fresh);
        return;
    default:
        if (t->own_count == 0) return;
        name = name_for(w, t->f.p, t->own[pick(t, (unsigned)t->own_count)]);
        if (strcmp(name, "o-999") != 0) snprintf(out, room, "%s %s", pick(t, 2) > 0 ? "data" : "reject", name);
    }
}

/* What p has made is remembered by who decides it. */
static void remember(struct chat *t)
{
    struct clist_walk walk = { 0 };
    t->own_count = t->their_count = 0;
    while (clist_next(t->f.w.kernel, t->f.p, "p", &walk)) {
        vat_id decider;
        bool own = promise_state(t->f.w.kernel, walk.r) == PROMISE_UNRESOLVED &&
                   promise_decider(t->f.w.kernel, walk.r, &decider) && vat_id_eq(decider, t->f.p);
        if (own && t->own_count < CHAT_MAX) t->own[t->own_count++] = walk.r;
        if (!own && t->their_count < CHAT_MAX) t->theirs[t->their_count++] = walk.r;
    }
}

static void step(struct chat *t)
{
    struct world *w = &t->f.w;
    char text[128];
    remember(t);
    switch (pick(t, t->c.n == 0 ? 5 : 4)) {
    case 0:
        settling(t, text, sizeof text);
        if (text[0] != '\0') poke(w, t->f.a, "%s", text);
        return;
    case 1:
    case 2:
    case 3:
        saying(t, text, sizeof text);
        if (text[0] == '\0') return;
        if (t->c.n == 0 && pick(t, 2) > 0) plan(w, t->f.a, "message", "!keep");
        poke(w, t->f.p, "%s", text);
        if (t->c.n != 0) poke(w, t->c, "%s", text);
        return;
    default: poke(w, t->f.a, "send %s p+%u", t->f.p_in_a, 200 + t->made++);
    }
}

/* With things queued behind the event, and things p does in the fork's own delivery. */
static void fork_in_mid_chat(struct chat *t)
{
    struct world *w = &t->f.w;
    char behind[128], own[128];
    plan_clear(w, t->f.a, "message");
    remember(t);
    settling(t, behind, sizeof behind);
    saying(t, own, sizeof own);
    vat_id c = fork_before(&t->f, behind);
    if (pick(t, 2) > 0) plan(w, t->f.p, "bringOutYourDead", "%s", own);
    while (!alive(w, c)) assert_int_equal(world_step(w), 1);
    t->c = c;
}

TEST(whatever_is_said_parent_and_child_hear_the_same)
{
    unsigned notifies = 0;
    for (unsigned seed = 1; seed <= 60; seed++) {
        struct chat t = { .state = seed };
        struct transcript_bounds from;
        open_with(&t.f, (struct world_setup){ .snapshot_initial = 190 }, "");
        struct world *w = &t.f.w;
        for (unsigned i = 0; i < 14; i++) step(&t);
        fork_in_mid_chat(&t);
        assert_true(transcript_bounds(w->store, SPAN("v5"), &from));
        world_run(w);
        if (pick(&t, 3) == 0) world_restart(w);
        for (unsigned i = 0; i < 14; i++) step(&t);
        for (int at = 0;; at++) {
            const char *p = delivery_at(w, t.f.p, (int)from.end + at), *c = delivery_at(w, t.c, 1 + at);
            if (strcmp(p, c) != 0 || strcmp(calls_at(w, t.f.p, (int)from.end + at), calls_at(w, t.c, 1 + at)) != 0) {
                fail_msg("seed %u: the parent heard\n%s\nthe child\n%s", seed, p, c);
            }
            if (p[0] == '\0') break;
            notifies += strncmp(p, "[\"notify\"", 9) == 0;
        }
        assert_true(alive(w, t.f.p) && alive(w, t.c));
        terminate(w, pick(&t, 2) > 0 ? t.f.p : t.c);
        assert_int_equal(world_litter(w), 0);
        world_close(w);
    }
    assert_true(notifies > 100); /* they had something to hear */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_said_parent_and_child_hear_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
