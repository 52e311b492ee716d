#include "kernel/cleanup.h"

#include "kernel/clist.h"
#include "kernel/lineage.h"
#include "kernel/object.h"
#include "kernel/vats.h"
#include "store/snapshot.h"
#include "store/transcript.h"

/* Each phase returns how much it did, at most `budget`. */

static uint64_t orphan_exports(struct kernel *k, vat_id vat, uint64_t budget)
{
    struct clist_walk w = { 0 };
    uint64_t n = 0;
    while (n < budget && clist_next(k, vat, "o+", &w)) {
        object_orphan(k, w.r, vat);
        n++;
    }
    return n;
}

static uint64_t delete_rows(struct kernel *k, vat_id vat, const char *prefix, uint64_t budget)
{
    struct clist_walk w = { 0 };
    uint64_t n = 0;
    while (n < budget && clist_next(k, vat, prefix, &w)) {
        clist_delete(k, vat, w.r);
        n++;
    }
    return n;
}

static uint64_t drop_imports(struct kernel *k, vat_id vat, uint64_t budget)
{
    return delete_rows(k, vat, "o-", budget);
}

static uint64_t forget_promises(struct kernel *k, vat_id vat, uint64_t budget)
{
    return delete_rows(k, vat, "p", budget);
}

/* Upstream leaves the references of vatParameters counted for ever; so do we where stores
 * must be equal. */
static void release_parameters(struct kernel *k, vat_id vat)
{
    struct span key = key_vat(k, vat, "vatParameters");
    struct capdata parameters;
    if (!k->zygotes || !state_has(k, key)) return;
    bool ok = capdata_decode(kernel_arena(k), state_json(k, key), &parameters);
    INVARIANT(ok);
    refs_dec(k, &parameters);
}

/* Upstream deletes what it reads a key as (kv.h), and goes on from there: a key with a lone
 * surrogate stays for ever, and some behind it.  So do ours where stores must be equal. */
static uint64_t delete_keys(struct kernel *k, vat_id vat, uint64_t budget)
{
    struct span prefix = key_vat(k, vat, ""), key = prefix;
    struct span parameters = key_vat(k, vat, "vatParameters");
    struct span origin = key_vat(k, vat, "forkedFrom");
    uint64_t n = 0;
    while (n < budget && state_next_key(k, prefix, &key)) {
        if (span_eq(key, parameters)) release_parameters(k, vat);
        if (span_eq(key, origin)) lineage_release(k, vat);
        if (!k->zygotes) key = wtf8_read_back(kernel_arena(k), key);
        kv_delete(k->store, key);
        n++;
    }
    return n;
}

static uint64_t delete_snapshots(struct kernel *k, vat_id vat, uint64_t budget)
{
    uint64_t n;
    bool done;
    snapshot_delete(k->store, span_of_vat(k, vat), budget, &n, &done);
    return n;
}

/* A phase that has something to do does one thing at least, as upstream's (whose swing-store
 * throws at none for the last two). */
static uint64_t at_least_one(uint64_t budget)
{
    return budget > 0 ? budget : 1;
}

bool cleanup_crank(struct kernel *k, vat_id vat, const struct cleanup_work *budget,
                   struct cleanup_work *work)
{
    const struct {
        uint64_t (*run)(struct kernel *k, vat_id vat, uint64_t budget);
        uint64_t budget, *count;
    } phases[] = {
        { orphan_exports, budget->exports, &work->exports },
        { drop_imports, budget->imports, &work->imports },
        { forget_promises, budget->promises, &work->promises },
        { delete_keys, budget->kv, &work->kv },
        { delete_snapshots, budget->snapshots, &work->snapshots },
    };
    bool done;
    *work = (struct cleanup_work){ 0 };
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        uint64_t most = at_least_one(phases[i].budget);
        *phases[i].count = phases[i].run(k, vat, most);
        if (*phases[i].count == most) return false;
    }
    done = lineage_is_ancestor(k, vat); /* its transcript stays: it is where its children began */
    if (!done) {
        transcript_delete(k->store, span_of_vat(k, vat), at_least_one(budget->transcripts),
                          &work->transcripts, &done);
    }
    if (done) vat_forget_terminated(k, vat);
    return done;
}

/* -- as JSON ----------------------------------------------------------------------------------- */

enum { PHASES = 6 };
static const char *const phase_names[PHASES] = { "exports", "imports",   "promises",
                                                 "kv",      "snapshots", "transcripts" };

static void list(const struct cleanup_work *w, uint64_t out[PHASES])
{
    const uint64_t all[PHASES] = { w->exports, w->imports,   w->promises,
                                   w->kv,      w->snapshots, w->transcripts };
    memcpy(out, all, sizeof all);
}

void cleanup_put_work(struct buf *b, const struct cleanup_work *work)
{
    uint64_t all[PHASES];
    bool first = true;
    list(work, all);
    buf_putc(b, '{');
    for (size_t i = 0; i < PHASES; i++) {
        if (all[i] == 0) continue;
        buf_printf(b, "%s\"%s\":%llu", first ? "" : ",", phase_names[i], (unsigned long long)all[i]);
        first = false;
    }
    buf_putc(b, '}');
}

static uint64_t commonest(const uint64_t all[PHASES])
{
    size_t best = 0, best_count = 0;
    for (size_t i = 0; i < PHASES; i++) {
        size_t count = 0;
        for (size_t j = 0; j < PHASES; j++) count += all[j] == all[i];
        if (count > best_count) {
            best = i;
            best_count = count;
        }
    }
    return all[best];
}

static void put_limit(struct buf *b, const char *name, uint64_t limit)
{
    if (limit == CLEANUP_UNLIMITED) buf_printf(b, "\"%s\":null", name);
    else buf_printf(b, "\"%s\":%llu", name, (unsigned long long)limit);
}

void cleanup_put_budget(struct buf *b, const struct cleanup_work *budget)
{
    uint64_t all[PHASES];
    list(budget, all);
    uint64_t usual = commonest(all);
    buf_putc(b, '{');
    put_limit(b, "default", usual);
    for (size_t i = 0; i < PHASES; i++) {
        if (all[i] == usual) continue;
        buf_putc(b, ',');
        put_limit(b, phase_names[i], all[i]);
    }
    buf_putc(b, '}');
}
