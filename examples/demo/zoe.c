/* zoe.c -- real ZCF with a real contract as a zygote. */
#include "demo/demo.h"

#include <inttypes.h>
#include <stdio.h>

#include "host/file.h"
#include "store/snapshot.h"

/* One vat is made by createVat as Zoe makes one for a contract instance; it becomes a
 * template; its forks are the instances.  js/demo/zoe.js does the calls. */

struct name { char s[32]; };

static struct name fork_name(unsigned i)
{
    struct name n;
    snprintf(n.s, sizeof n.s, "instance-%u", i + 1);
    return n;
}

/* -- create and seal -------------------------------------------------------------------- */

static bool names_method(const struct pass *methods, const char *name)
{
    for (size_t i = 0; methods->style == PASS_ARRAY && i < methods->count; i++) {
        if (span_is(methods->items[i]->text, name)) return true;
    }
    return false;
}

static int create(struct demo *d, struct kit *k, struct err *e)
{
    struct kit_answer answer;
    story_doing(&d->story, "createVat");
    if (kit_call0(k, "create", &answer, e) != 0) return -1;
    figures_add(&d->create_us, (double)answer.us);
    story_timed(&d->story, answer.us, "createVat: ZCF with the contract, to its first answer");
    story_claim(&d->story, names_method(answer.value, "startZcf"),
                "the vat is a contract facet: its root answers, and has startZcf");
    return kit_store_bytes(k, &d->store_create_bytes, e);
}

/* Others like it, for the comparison only.  The one that is to be the zygote stays as
 * createVat left it. */
static int create_more(struct demo *d, struct kit *k, struct err *e)
{
    struct kit_answer answer;
    for (unsigned i = 1; i < d->creates; i++) {
        char name[32];
        snprintf(name, sizeof name, "created-%u", i + 1);
        story_doing(&d->story, "createVat");
        if (kit_call1(k, "createAndAnswer", name, &answer, e) != 0) return -1;
        figures_add(&d->create_us, (double)answer.us);
        story_timed(&d->story, answer.us, "another one, to compare with");
        /* Its worker may have ended with the heap snapshot: one message brings it back. */
        if (kit_call1(k, "answer", name, &answer, e) != 0) return -1;
        figures_add(&d->pss_created_kib, (double)kit_memory(k, name));
    }
    return kit_commit(k, e);
}

static int seal(struct demo *d, struct kit *k, struct err *e)
{
    struct kit_answer answer;
    uint64_t before;
    if (kit_store_bytes(k, &before, e) != 0 || kit_call0(k, "zygotify", &answer, e) != 0) return -1;
    d->seal_us = answer.us;
    story_timed(&d->story, answer.us, "zygotify: sealed at its heap snapshot");
    story_claim(&d->story, kit_memory(k, "zcf-automaticRefund") == 0,
                "the zygote needs no memory: it has no worker any more");
    if (kit_store_bytes(k, &d->store_seal_bytes, e) != 0) return -1;
    d->store_seal_bytes -= before;
    return 0;
}

/* -- fork ------------------------------------------------------------------------------- */

/* Where the transcripts of the two system vats begin: moves when one takes a snapshot. */
static uint64_t snapshots_due(struct kit *k)
{
    struct snapshot_info s;
    struct store *store = controller_store(k->controller);
    uint64_t positions = 0;
    if (snapshot_info(store, SPAN("v1"), &s)) positions += s.position;
    if (snapshot_info(store, SPAN("v2"), &s)) positions += s.position;
    return positions;
}

static int fork_one(struct demo *d, struct kit *k, unsigned i, bool *answered, struct err *e)
{
    struct kit_answer answer;
    uint64_t before = snapshots_due(k);
    if (kit_call1(k, "forkAndAnswer", fork_name(i).s, &answer, e) != 0) return -1;
    *answered = names_method(answer.value, "startZcf");
    d->forks_delayed += snapshots_due(k) != before;
    figures_add(&d->fork_us, (double)answer.us);
    figures_add(&d->fork_crank_us, (double)k->fork_us);
    return kit_commit(k, e);
}

static int fork_all(struct demo *d, struct kit *k, struct err *e)
{
    unsigned answered = 0;
    uint64_t before, forks = k->forks;
    if (kit_store_bytes(k, &before, e) != 0) return -1;
    for (unsigned i = 0; i < d->forks; i++) {
        bool ok;
        story_progress(&d->story, "forking", i, d->forks);
        if (fork_one(d, k, i, &ok, e) != 0) return -1;
        answered += ok;
    }
    if (kit_store_bytes_each(k, before, d->forks, &d->store_fork_bytes, e) != 0) return -1;
    d->first_fork_us = (uint64_t)d->fork_us.at[0];
    story_timed(&d->story, d->first_fork_us,
                "the first fork: the snapshot becomes an image, once");
    story_timed(&d->story, (uint64_t)figures_sum(&d->fork_us), "all %u forks, each to its first answer",
                d->forks);
    story_claim(&d->story, answered == d->forks && k->forks - forks == d->forks,
                "%u forks of the zygote, and every one of them answers", d->forks);
    kit_weigh_children(k, &d->pss_child_kib);
    return 0;
}

/* -- use the forks ---------------------------------------------------------------------- */

static int offers_of(struct kit *k, const char *name, double *out, struct err *e)
{
    struct kit_answer answer;
    if (kit_call1(k, "offers", name, &answer, e) != 0) return -1;
    *out = answer.value->number;
    return 0;
}

/* Start the contract in one child and make some offers. */
static int use(struct demo *d, struct kit *k, unsigned i, unsigned offers, struct err *e)
{
    struct kit_answer answer;
    struct name text = fork_name(i);
    const char *name = text.s;
    unsigned accepted = 0;
    if (kit_call1(k, "start", name, &answer, e) != 0) return -1;
    uint64_t us = answer.us;
    for (unsigned n = 0; n < offers; n++) {
        if (kit_call1(k, "offer", name, &answer, e) != 0) return -1;
        const struct pass *result = pass_get(answer.value, "result");
        accepted += result != NULL && span_is(result->text, "The offer was accepted");
        us += answer.us;
    }
    story_timed(&d->story, us, "%s: startZcf, then %u offer%s", name, offers, offers == 1 ? "" : "s");
    story_claim(&d->story, accepted == offers, "the contract in %s accepted %s", name,
                offers == 1 ? "it" : "them");
    return kit_commit(k, e);
}

/* Three instances in all, or as many as there are; each counts its own offers. */
static int use_some(struct demo *d, struct kit *k, struct err *e)
{
    unsigned chosen[3] = { 0, d->forks / 2, d->forks - 1 };
    unsigned count = d->forks < 3 ? 1 : 3;
    bool own = true;
    for (unsigned i = 0; i < count; i++) {
        if (use(d, k, chosen[i], i + 1, e) != 0) return -1;
    }
    for (unsigned i = 0; i < count; i++) {
        double offers;
        if (offers_of(k, fork_name(chosen[i]).s, &offers, e) != 0) return -1;
        own = own && offers == i + 1;
    }
    story_claim(&d->story, own, "each instance has counted its own offers and nobody else's");
    return 0;
}

/* -- the books -------------------------------------------------------------------------- */

static void on_breach(void *ctx, const char *text)
{
    (void)ctx;
    fprintf(stderr, "zygote-demo: audit: %s\n", text);
}

static int check_books(struct demo *d, struct kit *k, struct err *e)
{
    story_doing(&d->story, "audit");
    if (kit_commit(k, e) != 0) return -1;
    uint64_t breaches = kernel_audit(controller_store(k->controller), on_breach, NULL);
    story_claim(&d->story, breaches == 0,
                "audit: every reference count of the store, recomputed, is right");
    return 0;
}

static int play(struct demo *d, struct kit *k, struct err *e)
{
    story_timed(&d->story, d->boot_us, "a kernel on a fresh store, and the image that vats start from");
    if (kit_store_bytes(k, &d->store_boot_bytes, e) != 0 || create(d, k, e) != 0) return -1;
    d->store_create_bytes -= d->store_boot_bytes;
    if (create_more(d, k, e) != 0 || seal(d, k, e) != 0) return -1;
    story_chapter(&d->story, "Forks");
    if (fork_all(d, k, e) != 0) return -1;
    story_chapter(&d->story, "The forks are contract instances");
    if (use_some(d, k, e) != 0 || check_books(d, k, e) != 0) return -1;
    report_tree(d, k);
    return 0;
}

int demo_zoe(struct demo *d, struct err *e)
{
    struct arena a;
    struct kit k;
    arena_init(&a);
    struct kit_options o = { .config = file_join(&a, d->configs, "zoe.json"),
                             .dir = file_join(&a, d->dir, "zoe") };
    story_chapter(&d->story, "A contract's vat");
    story_say(&d->story, "  ZCF and the contract automaticRefund are the real ones of @agoric/zoe. Zoe itself is\n"
                         "  not running: zoeService, invitationIssuer and the instances' admin objects are\n"
                         "  stand-ins, plain objects of the demo's bootstrap vat. bringOutYourDead comes every\n"
                         "  1,000 deliveries here, not after each as by default: it would unshare memory.");
    story_doing(&d->story, "starting a kernel");
    uint64_t began = kit_now_us();
    int failed = kit_boot(&k, &o, e);
    if (!failed) {
        d->boot_us = kit_now_us() - began;
        failed = play(d, &k, e);
        kit_close(&k);
    }
    story_progress_end(&d->story);
    arena_fini(&a);
    return failed;
}
