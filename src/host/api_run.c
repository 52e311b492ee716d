/* api_run.c -- zygote.h: running, and ready-made policies (upstream: runPolicies.js). */
#include <time.h>

#include "host/api.h"

_Static_assert(ZYGOTE_UNLIMITED == CLEANUP_UNLIMITED, "no limit is no limit");

/* -- between the kernel's policy and the host's ------------------------------------ */

static struct zygote_crank crank_of(const struct crank_report *r)
{
    const struct cleanup_work *c = &r->cleaned;
    const struct fork_work *f = &r->forked;
    return (struct zygote_crank){
        r->computrons,
        { c->exports, c->imports, c->promises, c->kv, c->snapshots, c->transcripts },
        { f->vatstore_keys, f->vatstore_bytes, f->clist_entries, f->snapshot_bytes },
    };
}

static uint64_t at_least_one(uint64_t n)
{
    return n == 0 ? 1 : n;
}

static bool ask_cleanup(void *self, struct cleanup_work *budget)
{
    const struct zygote_run_policy *p = self;
    const uint64_t all = ZYGOTE_UNLIMITED;
    struct zygote_cleanup b = { all, all, all, all, all, all };
    if (p->allow_cleanup == NULL)
        return true;
    if (!p->allow_cleanup(p->self, &b))
        return false;
    *budget = (struct cleanup_work){ at_least_one(b.exports),   at_least_one(b.imports),
                                     at_least_one(b.promises),  at_least_one(b.kv),
                                     at_least_one(b.snapshots), at_least_one(b.transcripts) };
    return true;
}

typedef bool ask(void *self, const struct zygote_crank *crank);

static bool ask_with(ask *f, void *self, const struct crank_report *r)
{
    struct zygote_crank c = crank_of(r);
    return f == NULL || f(self, &c);
}

static bool ask_created(void *self, const struct crank_report *r)
{
    const struct zygote_run_policy *p = self;
    return ask_with(p->vat_created, p->self, r);
}

static bool ask_complete(void *self, const struct crank_report *r)
{
    const struct zygote_run_policy *p = self;
    return ask_with(p->crank_complete, p->self, r);
}

static bool ask_cleaned(void *self, const struct crank_report *r)
{
    const struct zygote_run_policy *p = self;
    return ask_with(p->did_cleanup, p->self, r);
}

static bool ask_empty(void *self, const struct crank_report *r)
{
    const struct zygote_run_policy *p = self;
    (void)r;
    return p->empty_crank == NULL || p->empty_crank(p->self);
}

/* -- running ----------------------------------------------------------------------- */

int zygote_run(struct zygote *z, const struct zygote_run_policy *policy, uint64_t *cranks)
{
    uint64_t ran = 0;
    struct zygote_run_policy p = policy != NULL ? *policy : zygote_policy_forever();
    struct run_policy asked = { &p, ask_cleanup, ask_created, ask_complete, ask_empty,
                                ask_cleaned };
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = kernel_run_by(z->kernel, &asked, 0, &ran, &z->err);
    if (failed)
        (void)ask_with(p.crank_failed, p.self, &(struct crank_report){ 0 });
    if (cranks != NULL)
        *cranks = ran;
    return api_leave_run(z, failed);
}

int zygote_step(struct zygote *z, bool *ran)
{
    uint64_t cranks = 0;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = kernel_run(z->kernel, 1, &cranks, &z->err);
    if (!failed && ran != NULL)
        *ran = cranks > 0;
    return api_leave_run(z, failed);
}

/* -- policies ---------------------------------------------------------------------- */

static bool under(uint64_t count, uint64_t limit)
{
    return count < limit;
}

/* Sums stop at the largest number. */
static void add(uint64_t *sum, uint64_t n)
{
    *sum = *sum > UINT64_MAX - n ? UINT64_MAX : *sum + n;
}

static bool budgeted(void *self, struct zygote_cleanup *budget)
{
    const struct zygote_policy_state *s = self;
    uint64_t n = s->cleanup_budget;
    *budget = (struct zygote_cleanup){ n, n, n, n, n, n };
    return true;
}

struct zygote_run_policy zygote_policy_forever(void)
{
    return (struct zygote_run_policy){ 0 };
}

static bool count_crank(void *self, const struct zygote_crank *crank)
{
    struct zygote_policy_state *s = self;
    (void)crank;
    add(&s->count, 1);
    return under(s->count, s->limit);
}

static bool count_empty(void *self)
{
    struct zygote_policy_state *s = self;
    add(&s->count, s->count_empty ? 1 : 0);
    return under(s->count, s->limit);
}

static bool count_vat(void *self, const struct zygote_crank *crank)
{
    struct zygote_policy_state *s = self;
    (void)crank;
    add(&s->vats_count, 1);
    return under(s->vats_count, s->vats_limit);
}

struct zygote_run_policy zygote_policy_crank_count(struct zygote_policy_state *state,
                                                   uint64_t max_cranks, uint64_t max_vats,
                                                   bool including_empty)
{
    *state = (struct zygote_policy_state){ .limit = max_cranks,
                                           .vats_limit = max_vats,
                                           .cleanup_budget = 100,
                                           .count_empty = including_empty };
    return (struct zygote_run_policy){ .self = state,
                                       .allow_cleanup = budgeted,
                                       .vat_created = count_vat,
                                       .crank_complete = count_crank,
                                       .crank_failed = count_crank,
                                       .empty_crank = count_empty };
}

/* A vat and a failure count what they do upstream.  A row is worth about the time that a
 * hundred computrons take, and so are some 400 bytes of a heap. */
enum {
    COMPUTRONS_OF_A_VAT = 100000,
    COMPUTRONS_OF_A_FAILURE = 1000000,
    COMPUTRONS_OF_A_ROW = 100,
    BYTES_OF_A_COMPUTRON = 4,
};

static uint64_t worth(const struct zygote_crank *crank)
{
    const struct zygote_forked *f = &crank->forked;
    return (f->vatstore_keys + f->clist_entries) * COMPUTRONS_OF_A_ROW +
           (f->vatstore_bytes + f->snapshot_bytes) / BYTES_OF_A_COMPUTRON;
}

static bool count_computrons(void *self, const struct zygote_crank *crank)
{
    struct zygote_policy_state *s = self;
    add(&s->count, crank->computrons + worth(crank));
    return under(s->count, s->limit);
}

static bool count_created(void *self, const struct zygote_crank *crank)
{
    struct zygote_policy_state *s = self;
    /* Upstream leaves out those of a vat's start. */
    uint64_t computrons = crank->forked.snapshot_bytes > 0 ? crank->computrons : 0;
    add(&s->count, COMPUTRONS_OF_A_VAT + computrons + worth(crank));
    return under(s->count, s->limit);
}

static bool count_failed(void *self, const struct zygote_crank *crank)
{
    struct zygote_policy_state *s = self;
    (void)crank;
    add(&s->count, COMPUTRONS_OF_A_FAILURE);
    return under(s->count, s->limit);
}

struct zygote_run_policy zygote_policy_computron_limit(struct zygote_policy_state *state,
                                                       uint64_t computrons,
                                                       uint64_t cleanup_budget)
{
    *state = (struct zygote_policy_state){
        .limit = computrons, .cleanup_budget = cleanup_budget > 0 ? cleanup_budget : 100
    };
    return (struct zygote_run_policy){ .self = state,
                                       .allow_cleanup = budgeted,
                                       .vat_created = count_created,
                                       .crank_complete = count_computrons,
                                       .crank_failed = count_failed };
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool in_time(void *self, const struct zygote_crank *crank)
{
    const struct zygote_policy_state *s = self;
    (void)crank;
    return under(now_ms(), s->limit);
}

static bool in_time_empty(void *self)
{
    return in_time(self, NULL);
}

struct zygote_run_policy zygote_policy_wall_clock(struct zygote_policy_state *state,
                                                  double seconds)
{
    uint64_t ms = seconds > 0 ? seconds < 1e15 ? (uint64_t)(seconds * 1000) : UINT64_MAX : 0;
    *state = (struct zygote_policy_state){ .limit = now_ms() };
    add(&state->limit, ms);
    return (struct zygote_run_policy){ .self = state,
                                       .vat_created = in_time,
                                       .crank_complete = in_time,
                                       .crank_failed = in_time,
                                       .empty_crank = in_time_empty };
}

static bool never(void *self, struct zygote_cleanup *budget)
{
    (void)self;
    (void)budget;
    return false;
}

struct zygote_run_policy zygote_policy_no_cleanup(void)
{
    return (struct zygote_run_policy){ .allow_cleanup = never };
}

static bool budgeted_once(void *self, struct zygote_cleanup *budget)
{
    struct zygote_policy_state *s = self;
    bool first = s->once;
    s->once = false;
    return first && budgeted(self, budget);
}

struct zygote_run_policy zygote_policy_some_cleanup(struct zygote_policy_state *state,
                                                    uint64_t budget)
{
    *state = (struct zygote_policy_state){ .cleanup_budget = budget, .once = true };
    return (struct zygote_run_policy){ .self = state, .allow_cleanup = budgeted_once };
}
