/* Stores that change over between upstream's kernel and ours (kernel.h). */
#include "kernel/queue.h"
#include "kernel/vats.h"
#include "store/snapshot.h"

/* -- to ours --------------------------------------------------------------------------------- */

static void keep_first(void *ctx, const char *breach)
{
    struct err *e = ctx;
    if (e->text[0] == '\0') err_set(e, EXIT_INTEGRITY, "%s", breach);
}

int kernel_enable_forks(struct kernel *k, bool *changed, struct err *e)
{
    char crankhash[SHA256_HEX + 1], activityhash[SHA256_HEX + 1];
    struct err first = { .text = "" };
    if (kernel_audit_settling(k->store, changed, keep_first, &first) != 0) {
        *e = first;
        return -1;
    }
    if (k->zygotes) return 0;
    *changed = k->zygotes = true;
    store_start_crank(k->store);
    kv_set(k->store, SPAN("zygote.enabled"), SPAN("1"));
    snapshot_share(k->store);
    kernel_emit_hashes(k, crankhash, activityhash);
    store_end_crank(k->store);
    return 0;
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

/* -- to upstream's ----------------------------------------------------------------------------- */

/* The types of events that upstream's kernel panics at, and the vat each is about. */
static bool is_own(struct kernel *k, struct span event, struct event_info *out)
{
    static const struct {
        const char *type, *vat;
    } own[] = {
        { "fork-vat", "parentVatID" },
        { "zygotify-vat", "vatID" },
        { "take-offline", "vatID" },
    };
    struct jval v;
    struct err ignored;
    bool ok = json_parse(kernel_arena(k), event, &v, &ignored) == 0;
    INVARIANT(ok);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (!json_is(json_get(v, "type"), own[i].type)) continue;
        out->type = span_of(own[i].type);
        return vat_id_parse(json_str(json_get(v, own[i].vat), kernel_arena(k)), &out->vat);
    }
    return false;
}

size_t kernel_own_events(struct kernel *k, struct event_info **out)
{
    size_t count = 0;
    uint64_t most = queue_length(k, QUEUE_ACCEPTANCE) + queue_length(k, QUEUE_RUN);
    *out = ARENA_ARRAY(kernel_arena(k), struct event_info, most + 1);
    for (enum queue q = QUEUE_ACCEPTANCE; q <= QUEUE_RUN; q++) {
        uint64_t n = queue_length(k, q);
        for (uint64_t i = 0; i < n; i++) {
            struct event_info *info = &(*out)[count];
            info->accepted = q == QUEUE_RUN;
            if (is_own(k, queue_peek(k, q, i), info)) count++;
        }
    }
    return count;
}
