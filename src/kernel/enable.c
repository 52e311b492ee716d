/* Making a store's vats forkable (kernel.h). */
#include "kernel/vats.h"
#include "store/snapshot.h"

static void keep_first(void *ctx, const char *breach)
{
    struct err *e = ctx;
    if (e->text[0] == '\0') err_set(e, EXIT_INTEGRITY, "%s", breach);
}

int kernel_enable_forks(struct kernel *k, struct err *e)
{
    char crankhash[SHA256_HEX + 1], activityhash[SHA256_HEX + 1];
    struct err first = { .text = "" };
    if (k->zygotes) return 0;
    store_start_crank(k->store);
    bool good = kernel_audit_adopting(k->store, keep_first, &first) == 0;
    if (good) {
        k->zygotes = true;
        kv_set(k->store, SPAN("zygote.enabled"), SPAN("1"));
        snapshot_share(k->store);
        kernel_emit_hashes(k, crankhash, activityhash);
    }
    store_end_crank(k->store);
    if (good) return 0;
    *e = first;
    return -1;
}

bool kernel_forks_enabled(const struct kernel *k)
{
    return k->zygotes;
}

struct span kernel_static_bundle(struct kernel *k, struct span name)
{
    vat_id vat;
    if (!vat_by_name(k, name, &vat) || !vat_is_alive(k, vat)) return SPAN_NONE;
    struct span id = vat_bundle_id(k, vat);
    return id.p != NULL ? id : SPAN("");
}
