#include "kernel/offline.h"

#include "kernel/fork.h"
#include "kernel/queue.h"
#include "kernel/vats.h"
#include "kernel/warehouse.h"

void offline_queue(struct kernel *k, vat_id vat, bool host)
{
    queue_put(k, QUEUE_ACCEPTANCE,
              arena_printf(kernel_arena(k), "{\"type\":\"take-offline\",\"vatID\":\"%s\",\"host\":%s}",
                           vat_id_text(vat).s, host ? "true" : "false"));
}

struct span offline_refusal(struct kernel *k, vat_id vat)
{
    if (!vat_is_alive(k, vat)) return SPAN("vat terminated");
    struct vat_options o = vat_options(k, vat);
    return o.local || !o.use_transcript ? SPAN("vat type has no snapshot") : SPAN_NONE;
}

int offline_crank(struct kernel *k, struct jval event, struct crank_result *r, struct err *e)
{
    vat_id vat;
    bool bad = false;
    bool ok = vat_id_parse(json_str(json_get(event, "vatID"), kernel_arena(k)), &vat);
    INVARIANT(ok);
    bool host = json_type(json_get(event, "host")) == JSON_TRUE;
    struct span why = offline_refusal(k, vat), method = SPAN("offlineCallback");
    kernel_step_label(k, "offline: taken up");
    if (why.p == NULL && !vat_is_sealed(k, vat)) {
        if (fork_make_current(k, vat, r, &bad, e) != 0) return -1;
        if (bad) {
            why = SPAN("vat could not be brought to rest for its snapshot");
            r->abort = r->consume = true;
        }
        warehouse_stop(k, vat);
        kernel_step_label(k, "offline: stopped");
    }
    if (why.p != NULL) {
        fork_report_refusal(k, method, vat, host, why, r);
    } else if (!host) {
        fork_call_back(k, method, vat, pass_record(kernel_arena(k), 0, NULL, NULL), r);
    }
    return 0;
}
