/* counter.c -- a vat with state of its own, and two forks of it, grow apart. */
#include "demo/demo.h"

#include <stdio.h>

#include "host/file.h"

/* What a counter is known to hold: js/demo/counter.js keeps its count twice, in the heap
 * and in the vatstore, and answers with both. */
static int reading(struct kit *k, const char *method, size_t count,
                   const struct pass *const *args, double *out, bool *agree, struct err *e)
{
    struct kit_answer answer;
    if (kit_call(k, method, count, args, &answer, e) != 0) return -1;
    const struct pass *heap = pass_get(answer.value, "heap");
    const struct pass *stored = pass_get(answer.value, "stored");
    if (heap == NULL || stored == NULL || heap->style != PASS_NUMBER) {
        return err_set(e, EXIT_VAT, "%s: no reading of a counter", method);
    }
    *out = heap->number;
    *agree = stored->style == PASS_NUMBER && stored->number == heap->number;
    return 0;
}

enum { COUNTERS = 3 };

static const char *const NAMES[COUNTERS] = { "parent", "early", "late" };

struct counters {
    struct demo *demo;
    struct kit *kit;
    bool there[COUNTERS];
    double expected[COUNTERS]; /* what it must read */
    bool right, agree;         /* so far */
};

/* All that exist, read again after every step: what one does, the others must not see. */
static int show(struct counters *c, const char *what, struct err *e)
{
    char cells[COUNTERS][16];
    for (int i = 0; i < COUNTERS; i++) {
        double now;
        bool agree;
        snprintf(cells[i], sizeof cells[i], "%s", "");
        if (!c->there[i]) continue;
        const struct pass *name = pass_string(&c->kit->arena, span_of(NAMES[i]));
        if (reading(c->kit, "read", 1, &name, &now, &agree, e) != 0) return -1;
        snprintf(cells[i], sizeof cells[i], "%.0f", now);
        c->right = c->right && now == c->expected[i];
        c->agree = c->agree && agree;
    }
    story_say(&c->demo->story, "  %-34s %8s %8s %8s", what, cells[0], cells[1], cells[2]);
    return 0;
}

static int create(struct counters *c, struct err *e)
{
    double now;
    bool agree;
    const struct pass *name = pass_string(&c->kit->arena, SPAN("parent"));
    if (reading(c->kit, "create", 1, &name, &now, &agree, e) != 0) return -1;
    c->there[0] = true;
    return show(c, "createVat", e);
}

static int increment(struct counters *c, int who, int by, struct err *e)
{
    double now;
    bool agree;
    char what[64];
    const struct pass *args[] = { pass_string(&c->kit->arena, span_of(NAMES[who])),
                                  pass_number(&c->kit->arena, by) };
    if (reading(c->kit, "increment", 2, args, &now, &agree, e) != 0) return -1;
    c->expected[who] += by;
    snprintf(what, sizeof what, "%s counts %d", NAMES[who], by);
    return show(c, what, e);
}

static int fork_parent(struct counters *c, int child, struct err *e)
{
    double now;
    bool agree;
    char what[64];
    const struct pass *args[] = { pass_string(&c->kit->arena, SPAN("parent")),
                                  pass_string(&c->kit->arena, span_of(NAMES[child])) };
    if (reading(c->kit, "fork", 2, args, &now, &agree, e) != 0) return -1;
    c->there[child] = true;
    c->expected[child] = c->expected[0]; /* it starts where its parent is */
    snprintf(what, sizeof what, "%s is forked from parent", NAMES[child]);
    return show(c, what, e);
}

static int play(struct counters *c, struct err *e)
{
    story_say(&c->demo->story, "  %-34s %8s %8s %8s", "", NAMES[0], NAMES[1], NAMES[2]);
    if (create(c, e) != 0 || increment(c, 0, 3, e) != 0 || fork_parent(c, 1, e) != 0 ||
        increment(c, 0, 4, e) != 0 || fork_parent(c, 2, e) != 0 ||
        increment(c, 0, 10, e) != 0 || increment(c, 1, 100, e) != 0 ||
        increment(c, 2, 1000, e) != 0) {
        return -1;
    }
    struct story *s = &c->demo->story;
    story_claim(s, c->right, "a fork starts where its parent is, and from then on is its own");
    story_claim(s, c->agree, "heap and vatstore agree in all three: a fork takes both");
    return 0;
}

int demo_counter(struct demo *d, struct err *e)
{
    struct arena a;
    struct kit k;
    arena_init(&a);
    struct kit_options o = { .config = file_join(&a, d->configs, "demo.json"),
                             .dir = file_join(&a, d->dir, "counter") };
    story_chapter(&d->story, "A counter and its forks grow apart");
    story_doing(&d->story, "starting a kernel");
    int failed = kit_boot(&k, &o, e);
    if (!failed) {
        struct counters c = { .demo = d, .kit = &k, .right = true, .agree = true };
        failed = play(&c, e);
        if (!failed) failed = kit_commit(&k, e);
        kit_close(&k);
    }
    arena_fini(&a);
    return failed;
}
