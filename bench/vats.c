/* vats.c -- createVat, fork, memory, paging in. */
#include "bench.h"

#include <stdio.h>

enum {
    ROOMY = 1000,        /* workers at once: nothing is evicted */
    MESSAGES_MORE = 9,   /* after the first: ten in all */
    PAGED_CHILDREN = 5,  /* more of them than have room */
    PAGED_ROOM = 4,
    PAGED_DELIVERIES = 5, /* since the snapshot, to be replayed */
};

/* The vat that forks are made of: created, sealed. */
static int make_zygote(struct kit *k, struct err *e)
{
    struct kit_answer answer;
    if (kit_call0(k, "createTrivial", &answer, e) != 0 ||
        kit_call0(k, "zygotifyTrivial", &answer, e) != 0) {
        return -1;
    }
    return kit_commit(k, e);
}

/* A vat that was made and asked has said what it should: the trivial one "pong", ZCF the
 * names of its methods. */
static bool answered(const char *method, const struct pass *value)
{
    if (strstr(method, "AndAnswer") == NULL) return true;
    return value->style == PASS_STRING ? span_is(value->text, "pong")
                                       : value->style == PASS_ARRAY && value->count > 0;
}

static int time_call(struct kit *k, const char *method, const char *arg, struct figures *ms,
                     struct err *e)
{
    struct kit_answer answer;
    int failed = arg == NULL ? kit_call0(k, method, &answer, e)
                             : kit_call1(k, method, arg, &answer, e);
    if (failed) return -1;
    if (!answered(method, answer.value)) return err_set(e, EXIT_VAT, "%s: not the answer of that vat", method);
    if (ms != NULL) figures_add(ms, (double)answer.us / 1e3);
    return kit_commit(k, e);
}

/* -- create and fork -------------------------------------------------------------------- */

struct fork_figures {
    struct figures create, first, answer;
};

static int time_calls(struct kit *k, unsigned n, const char *method, struct figures *ms, struct err *e)
{
    for (unsigned i = 0; i < n; i++) {
        if (time_call(k, method, NULL, ms, e) != 0) return -1;
    }
    return 0;
}

static int fork_section(const struct bench *b, struct kit *k, struct fork_figures *f, struct err *e)
{
    if (time_call(k, "createAndAnswer", "warm-up", NULL, e) != 0 ||
        time_calls(k, b->creates, "createAndAnswer", &f->create, e) != 0 ||
        make_zygote(k, e) != 0 ||
        time_call(k, "forkAndAnswer", NULL, &f->first, e) != 0) { /* makes the image */
        return -1;
    }
    return time_calls(k, b->n, "forkAndAnswer", &f->answer, e);
}

int bench_fork(const struct bench *b, struct err *e)
{
    struct kit k;
    struct fork_figures f = { 0 };
    if (bench_boot(b, &k, "bench.json", "fork", ROOMY, e) != 0) return -1;
    int failed = fork_section(b, &k, &f, e);
    kit_close(&k);
    if (failed) return -1;
    bench_emit("create_answer_ms", "ours", &f.create);
    bench_emit("fork_first_ms", "ours", &f.first);
    bench_emit("fork_answer_ms", "ours", &f.answer);
    return 0;
}

/* -- a real contract -------------------------------------------------------------------- */

static int zcf_section(const struct bench *b, struct kit *k, struct figures *create,
                       struct figures *answer, struct err *e)
{
    char name[32];
    if (time_call(k, "create", NULL, create, e) != 0) return -1;
    for (unsigned i = 1; i < b->creates; i++) {
        snprintf(name, sizeof name, "created-%u", i);
        if (time_call(k, "createAndAnswer", name, create, e) != 0) return -1;
    }
    if (time_call(k, "zygotify", NULL, NULL, e) != 0 ||
        time_call(k, "forkAndAnswer", "warm-up", NULL, e) != 0) {
        return -1;
    }
    for (unsigned i = 0; i < b->n; i++) {
        snprintf(name, sizeof name, "forked-%u", i);
        if (time_call(k, "forkAndAnswer", name, answer, e) != 0) return -1;
    }
    return 0;
}

int bench_zcf(const struct bench *b, struct err *e)
{
    struct kit k;
    struct figures create = { 0 }, answer = { 0 };
    if (bench_boot(b, &k, "zoe.json", "zcf", ROOMY, e) != 0) return -1;
    int failed = zcf_section(b, &k, &create, &answer, e);
    kit_close(&k);
    if (failed) return -1;
    bench_emit("create_answer_zcf_ms", "ours", &create);
    bench_emit("fork_answer_zcf_ms", "ours", &answer);
    return 0;
}

/* -- memory ----------------------------------------------------------------------------- */

static int weigh(struct kit *k, unsigned expected, struct figures *kib, struct err *e)
{
    kit_weigh_children(k, kib);
    return kib->n == expected ? 0
                              : err_set(e, EXIT_FAILED, "%zu of %u children are alive", kib->n, expected);
}

static int memory_section(const struct bench *b, struct kit *k, struct figures kib[2], struct err *e)
{
    struct kit_answer answer;
    if (make_zygote(k, e) != 0) return -1;
    for (unsigned i = 0; i < b->n; i++) {
        if (time_call(k, "forkAndAnswer", NULL, NULL, e) != 0) return -1;
    }
    if (weigh(k, b->n, &kib[0], e) != 0) return -1;
    for (unsigned i = 0; i < b->n; i++) {
        const struct pass *args[] = { pass_number(&k->arena, i), pass_number(&k->arena, MESSAGES_MORE) };
        if (kit_call(k, "askMany", 2, args, &answer, e) != 0) return -1;
    }
    return weigh(k, b->n, &kib[1], e);
}

int bench_memory(const struct bench *b, struct err *e)
{
    struct kit k;
    struct figures kib[2] = { { 0 }, { 0 } };
    if (bench_boot(b, &k, "bench.json", "memory", ROOMY, e) != 0) return -1;
    int failed = memory_section(b, &k, kib, e);
    kit_close(&k);
    if (failed) return -1;
    bench_emit("child_pss_1_kb", "ours", &kib[0]);
    bench_emit("child_pss_10_kb", "ours", &kib[1]);
    return 0;
}

/* -- paging in -------------------------------------------------------------------------- */

static size_t find_children(struct kit *k, vat_id out[PAGED_CHILDREN])
{
    struct arena a;
    struct vat_info *vats;
    size_t found = 0;
    arena_init(&a);
    size_t n = kernel_vats(k->kernel, &a, &vats);
    for (size_t i = 0; i < n && found < PAGED_CHILDREN; i++) {
        if (vats[i].forked_from.n != 0) out[found++] = vats[i].vat;
    }
    arena_fini(&a);
    return found;
}

/* Five children take turns and four vats have room: each message finds its vat offline,
 * and evicts another.  With every message the transcript grows by one, so the children
 * are made anew when theirs has grown too long. */
static int page_round(struct kit *k, unsigned n, struct figures *ms, struct err *e)
{
    vat_id vats[PAGED_CHILDREN];
    kref roots[PAGED_CHILDREN];
    struct kit_answer answer;
    if (find_children(k, vats) != PAGED_CHILDREN) return err_set(e, EXIT_FAILED, "children are missing");
    for (int c = 0; c < PAGED_CHILDREN; c++) {
        if (kernel_find(k->kernel, span_of(vat_id_text(vats[c]).s), &roots[c], e) != 0) return -1;
        for (int i = 0; i < PAGED_DELIVERIES; i++) {
            if (kit_send(k, roots[c], "ping", 0, NULL, &answer, e) != 0) return -1;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (kit_send(k, roots[i % PAGED_CHILDREN], "ping", 0, NULL, &answer, e) != 0) return -1;
        figures_add(ms, (double)answer.us / 1e3);
        if (kit_commit(k, e) != 0) return -1;
    }
    return 0;
}

static int page_store(const struct bench *b, unsigned round, unsigned n, struct figures *ms, struct err *e)
{
    struct kit k;
    char name[32];
    snprintf(name, sizeof name, "page-in-%u", round);
    if (bench_boot(b, &k, "bench.json", name, PAGED_ROOM, e) != 0) return -1;
    int failed = make_zygote(&k, e);
    for (int i = 0; !failed && i < PAGED_CHILDREN; i++) {
        failed = time_call(&k, "fork", NULL, NULL, e);
    }
    if (!failed) failed = page_round(&k, n, ms, e);
    kit_close(&k);
    return failed;
}

int bench_page_in(const struct bench *b, struct err *e)
{
    struct figures ms = { 0 };
    unsigned each = 2 * PAGED_CHILDREN; /* a message each, twice: 5 or 6 deliveries to replay */
    for (unsigned done = 0, round = 0; done < b->n; done += each, round++) {
        unsigned n = b->n - done < each ? b->n - done : each;
        if (page_store(b, round, n, &ms, e) != 0) return -1;
    }
    bench_emit("page_in_ms", "ours", &ms);
    return 0;
}
