#include "conformance/policy.h"

#include <string.h>

enum { VAT_CREATED, CRANK_COMPLETE, CRANK_FAILED, EMPTY_CRANK, DID_CLEANUP };

static const char *const names[POLICY_CALLBACKS] = { "vatCreated", "crankComplete", "crankFailed",
                                                     "emptyCrank", "didCleanup" };

static bool told(struct scenario_policy *p, int which, const struct buf *details)
{
    buf_printf(&p->calls, "%s[\"%s\",{%.*s}]", p->calls.n == 0 ? "" : ",", names[which],
               SPAN_ARG(buf_span(details)));
    return ++p->counts[which] != p->stop[which];
}

static bool ran(struct scenario_policy *p, int which, const struct crank_report *r)
{
    struct buf b = { 0 };
    if (r->computrons != 0) buf_printf(&b, "\"computrons\":%llu", (unsigned long long)r->computrons);
    bool more = told(p, which, &b);
    buf_fini(&b);
    if (which == CRANK_COMPLETE && p->computrons_max != 0) {
        p->computrons += r->computrons;
        if (p->computrons >= p->computrons_max) return false;
    }
    return more;
}

static bool on_created(void *self, const struct crank_report *r)
{
    return ran(self, VAT_CREATED, r);
}

static bool on_complete(void *self, const struct crank_report *r)
{
    return ran(self, CRANK_COMPLETE, r);
}

static bool on_empty(void *self, const struct crank_report *r)
{
    struct buf none = { 0 };
    (void)r;
    return told(self, EMPTY_CRANK, &none);
}

static bool on_cleanup(void *self, const struct crank_report *r)
{
    const struct cleanup_work *w = &r->cleaned;
    struct buf b = { 0 };
    uint64_t total = w->exports + w->imports + w->promises + w->kv + w->snapshots + w->transcripts;
    buf_printf(&b,
               "\"cleanups\":{\"total\":%llu,\"exports\":%llu,\"imports\":%llu,\"promises\":%llu,"
               "\"kv\":%llu,\"snapshots\":%llu,\"transcripts\":%llu}",
               (unsigned long long)total, (unsigned long long)w->exports,
               (unsigned long long)w->imports, (unsigned long long)w->promises,
               (unsigned long long)w->kv, (unsigned long long)w->snapshots,
               (unsigned long long)w->transcripts);
    bool more = told(self, DID_CLEANUP, &b);
    buf_fini(&b);
    return more;
}

static bool on_asked(void *self, struct cleanup_work *budget)
{
    struct scenario_policy *p = self;
    size_t at = p->asked < p->answer_count ? p->asked : p->answer_count - 1;
    p->asked++;
    if (p->answer_count == 0) return true;
    struct jval answer = p->answers[at];
    if (json_type(answer) == JSON_FALSE) return false;
    if (json_type(answer) == JSON_TRUE) return true;
    struct {
        const char *name;
        uint64_t *phase;
    } phases[] = { { "exports", &budget->exports },     { "imports", &budget->imports },
                   { "promises", &budget->promises },   { "kv", &budget->kv },
                   { "snapshots", &budget->snapshots }, { "transcripts", &budget->transcripts } };
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        json_u64(json_get(answer, "default"), phases[i].phase);
        json_u64(json_get(answer, phases[i].name), phases[i].phase);
    }
    return true;
}

static int read_stops(struct scenario_policy *p, struct jval v, struct err *e)
{
    for (struct jval item = json_first(v); json_type(item) != JSON_NONE; item = json_next(item)) {
        int i = 0;
        struct arena a;
        arena_init(&a);
        struct span name = json_name(item, &a);
        while (i < POLICY_CALLBACKS && !span_is(name, names[i])) i++;
        bool sum = span_is(name, "computrons");
        arena_fini(&a);
        if (!sum && i == POLICY_CALLBACKS) return err_set(e, EXIT_USAGE, "policy: no such stop");
        json_u64(item, sum ? &p->computrons_max : &p->stop[i]);
    }
    return 0;
}

int scenario_policy_init(struct scenario_policy *p, struct jval v, struct err *e)
{
    struct jval cleanup = json_get(v, "cleanup");
    size_t known = (json_type(cleanup) != JSON_NONE) + (json_type(json_get(v, "stop")) != JSON_NONE);
    *p = (struct scenario_policy){ .policy = { .allow_cleanup = on_asked,
                                               .vat_created = on_created,
                                               .crank_complete = on_complete,
                                               .empty_crank = on_empty,
                                               .did_cleanup = on_cleanup } };
    p->policy.self = p;
    if (known != json_len(v) || json_len(cleanup) > POLICY_ANSWERS_MAX)
        return err_set(e, EXIT_USAGE, "policy: no such part, or too many answers");
    for (size_t i = 0; i < json_len(cleanup); i++) p->answers[p->answer_count++] = json_at(cleanup, i);
    return read_stops(p, json_get(v, "stop"), e);
}

void scenario_policy_fini(struct scenario_policy *p)
{
    buf_fini(&p->calls);
}
