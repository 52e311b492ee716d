/* forks.c -- the fork crank: as the ten-thousandth, with a commit, of a vat with many keys; a
 * fork until its caller has it; and ten thousand children that each answer a message. */
#include "bench.h"

#include <stdio.h>

#include "store/kv.h"

enum {
    KEYS = 100, /* vatstore keys of a zygote, beside its liveslots' own */
    MANY_KEYS = 100000,
    FORKS_PER_BLOCK = 100, /* where commits are not what is measured */
    STORM_ROOM = 200
};

/* Vatstore keys beyond those that the vat has made: written here, since to have the vat make
 * them takes minutes. */
static int add_keys(struct kit *k, vat_id vat, unsigned n, struct err *e)
{
    struct store *s = kernel_store(k->kernel);
    char key[64], value[64];
    store_start_crank(s);
    for (unsigned i = 0; i < n; i++) {
        snprintf(key, sizeof key, "%s.vs.vc.1.smore-%u", vat_id_text(vat).s, i);
        snprintf(value, sizeof value, "{\"body\":\"#%u\",\"slots\":[]}", i);
        kv_set(s, span_of(key), span_of(value));
    }
    store_end_crank(s);
    return kit_commit(k, e);
}

/* A zygote that has filled its baggage; `*zygote` is its vat. */
static int make_filled(struct kit *k, unsigned more_keys, vat_id *zygote, struct err *e)
{
    struct kit_answer answer;
    const struct pass *count = pass_number(&k->arena, KEYS);
    if (kit_call0(k, "createKeys", &answer, e) != 0 ||
        kit_call(k, "fill", 1, &count, &answer, e) != 0 || kit_commit(k, e) != 0) {
        return -1;
    }
    struct arena a;
    struct vat_info *vats;
    arena_init(&a);
    size_t n = kernel_vats(k->kernel, &a, &vats);
    *zygote = vats[n - 1].vat; /* the youngest */
    bool filled = vats[n - 1].vatstore_keys >= KEYS;
    arena_fini(&a);
    if (!filled) return err_set(e, EXIT_FAILED, "the zygote lacks its vatstore keys");
    if (add_keys(k, *zygote, more_keys, e) != 0 || kit_call0(k, "zygotifyTrivial", &answer, e) != 0) {
        return -1;
    }
    return kit_commit(k, e);
}

/* Fork from the host: one crank accepts the event, the next is the fork. */
static int fork_child(struct kit *k, vat_id zygote, vat_id *child, struct figures *us, struct err *e)
{
    struct fork_request r = { .vat = zygote, .options.reap_interval = REAP_DEFAULT };
    uint64_t cranks;
    if (kernel_fork(k->kernel, &r, child, e) != 0 || kernel_run(k->kernel, 1, &cranks, e) != 0) return -1;
    uint64_t began = kit_now_us();
    k->fork_seen = false;
    if (kernel_run(k->kernel, 1, &cranks, e) != 0) return -1;
    figures_add(us, (double)(kit_now_us() - began));
    return k->fork_seen ? 0 : err_set(e, EXIT_FAILED, "no fork was made");
}

static int fork_once(struct kit *k, vat_id zygote, struct figures *us, struct err *e)
{
    vat_id child;
    return fork_child(k, zygote, &child, us, e);
}

/* -- many ------------------------------------------------------------------------------- */

static int many(struct kit *k, unsigned n, struct figures *us, struct err *e)
{
    vat_id zygote;
    if (make_filled(k, 0, &zygote, e) != 0) return -1;
    for (unsigned i = 0; i < n; i++) {
        if (fork_once(k, zygote, us, e) != 0) return -1;
        if ((i + 1) % FORKS_PER_BLOCK == 0 && kit_commit(k, e) != 0) return -1;
    }
    return 0;
}

/* -- with a commit ---------------------------------------------------------------------- */

static int committed(struct kit *k, unsigned n, struct figures *us, struct figures *bytes, struct err *e)
{
    vat_id zygote;
    uint64_t before;
    double each;
    if (make_filled(k, 0, &zygote, e) != 0 || kit_store_bytes(k, &before, e) != 0) return -1;
    for (unsigned i = 0; i < n; i++) {
        if (fork_once(k, zygote, us, e) != 0) return -1;
        uint64_t began = kit_now_us();
        if (kit_commit(k, e) != 0) return -1;
        us->at[us->n - 1] += (double)(kit_now_us() - began);
    }
    if (kit_store_bytes_each(k, before, n, &each, e) != 0) return -1;
    figures_add(bytes, each);
    return 0;
}

int bench_forks(const struct bench *b, struct err *e)
{
    struct kit k;
    struct figures us = { 0 }, commit_us = { 0 }, store_bytes = { 0 };
    if (bench_boot(b, &k, "bench.json", "forks", 0, e) != 0) return -1;
    int failed = many(&k, b->n, &us, e);
    kit_close(&k);
    if (failed || bench_boot(b, &k, "bench.json", "forks-committed", 0, e) != 0) return -1;
    failed = committed(&k, b->creates, &commit_us, &store_bytes, e);
    kit_close(&k);
    if (failed) return -1;
    bench_emit("fork_crank_us", "ours", &us);
    bench_emit("fork_crank_commit_us", "ours", &commit_us);
    bench_emit("fork_store_bytes", "ours", &store_bytes);
    return 0;
}

/* -- of a vat with many keys -------------------------------------------------------------- */

int bench_fork_keys(const struct bench *b, struct err *e)
{
    struct kit k;
    struct figures us = { 0 }, ms = { 0 }, commit_ms = { 0 };
    vat_id zygote;
    if (bench_boot(b, &k, "bench.json", "fork-keys", 0, e) != 0) return -1;
    int failed = make_filled(&k, MANY_KEYS - KEYS, &zygote, e);
    for (unsigned i = 0; !failed && i < b->n; i++) {
        failed = fork_once(&k, zygote, &us, e);
        if (failed) break;
        figures_add(&ms, us.at[i] / 1e3);
        uint64_t began = kit_now_us();
        failed = kit_commit(&k, e);
        figures_add(&commit_ms, (double)(kit_now_us() - began) / 1e3);
    }
    kit_close(&k);
    figures_fini(&us);
    if (failed) return -1;
    bench_emit("fork_crank_100k_ms", "ours", &ms);
    bench_emit("fork_commit_100k_ms", "ours", &commit_ms);
    return 0;
}

/* -- to the resolution in the caller ------------------------------------------------------ */

/* E(zygote).fork() by the bootstrap vat, which keeps every child it is given. */
int bench_fork_resolve(const struct bench *b, struct err *e)
{
    struct kit k;
    struct figures ms = { 0 };
    vat_id zygote;
    if (bench_boot(b, &k, "bench.json", "fork-resolve", 0, e) != 0) return -1;
    int failed = make_filled(&k, 0, &zygote, e);
    for (unsigned i = 0; !failed && i < b->n; i++) {
        struct kit_answer answer;
        failed = kit_call0(&k, "fork", &answer, e) != 0 || kit_commit(&k, e) != 0;
        if (!failed) figures_add(&ms, (double)answer.us / 1e3);
    }
    kit_close(&k);
    if (failed) return -1;
    bench_emit("fork_resolve_ms", "ours", &ms);
    return 0;
}

/* -- a storm ------------------------------------------------------------------------------ */

static int storm(struct kit *k, unsigned n, struct figures *seconds, struct err *e)
{
    struct figures us = { 0 };
    struct kit_answer answer;
    vat_id zygote, child;
    kref root;
    if (make_filled(k, 0, &zygote, e) != 0) return -1;
    int failed = 0;
    uint64_t began = kit_now_us();
    for (unsigned i = 0; !failed && i < n; i++) {
        failed = fork_child(k, zygote, &child, &us, e) != 0 ||
                 kernel_find_root(k->kernel, child, &root, e) != 0 ||
                 kit_send(k, root, "ping", 0, NULL, &answer, e) != 0;
        if (!failed && (i + 1) % FORKS_PER_BLOCK == 0) failed = kit_commit(k, e);
    }
    figures_add(seconds, (double)(kit_now_us() - began) / 1e6);
    figures_fini(&us);
    return failed ? -1 : 0;
}

int bench_fork_storm(const struct bench *b, struct err *e)
{
    struct kit k;
    struct figures seconds = { 0 };
    if (bench_boot(b, &k, "bench.json", "fork-storm", STORM_ROOM, e) != 0) return -1;
    int failed = storm(&k, b->n, &seconds, e);
    kit_close(&k);
    if (failed) return -1;
    bench_emit("fork_storm_s", "ours", &seconds);
    return 0;
}
