/* api_message.c -- zygote.h: messages, and the promises of their results. */
#include "base/xalloc.h"
#include "host/api.h"
#include "host/value.h"

_Static_assert(ZYGOTE_IGNORE == (int)POLICY_IGNORE &&
                   ZYGOTE_LOG_ALWAYS == (int)POLICY_LOG_ALWAYS &&
                   ZYGOTE_LOG_FAILURE == (int)POLICY_LOG_FAILURE &&
                   ZYGOTE_PANIC == (int)POLICY_PANIC && ZYGOTE_NONE == (int)POLICY_NONE,
               "result policies are the kernel's");
_Static_assert(ZYGOTE_UNKNOWN == (int)PROMISE_UNKNOWN &&
                   ZYGOTE_UNRESOLVED == (int)PROMISE_UNRESOLVED &&
                   ZYGOTE_FULFILLED == (int)PROMISE_FULFILLED &&
                   ZYGOTE_REJECTED == (int)PROMISE_REJECTED,
               "promise states are the kernel's");

/* -- queueing ---------------------------------------------------------------------- */

struct message {
    const char *method, *args;
    enum zygote_result_policy policy;
};

static int send(struct zygote *z, kref target, const struct message *m, kref *result)
{
    const struct pass *method, *args;
    if (m->method == NULL || (unsigned)m->policy > ZYGOTE_NONE)
        return err_set(&z->err, EXIT_USAGE, m->method == NULL ? "no method"
                                                              : "no such result policy");
    if (value_method(&z->arena, span_of(m->method), &method, &z->err) != 0 ||
        api_array(z, "args", m->args, &args) != 0)
        return -1;
    *result = kernel_call(z->kernel, target, method, args, (enum policy)m->policy);
    return 0;
}

static int find_root(struct zygote *z, const char *vat, kref *out)
{
    vat_id id;
    if (vat == NULL)
        return err_set(&z->err, EXIT_USAGE, "no vat");
    return controller_find_vat(z->controller, vat, &id, &z->err) == 0
               ? kernel_find_root(z->kernel, id, out, &z->err)
               : -1;
}

int zygote_queue_to_vat_root(struct zygote *z, const char *vat, const char *method,
                             const char *args, enum zygote_result_policy policy,
                             struct zygote_id *kpid)
{
    struct message m = { method, args, policy };
    kref target, result;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = find_root(z, vat, &target) != 0 || send(z, target, &m, &result) != 0;
    if (!failed)
        api_put_kref(kpid, result);
    return api_leave(z, failed);
}

static int find_target(struct zygote *z, const char *target, kref *out)
{
    struct span text = target == NULL ? SPAN("") : span_of(target);
    if (!kref_parse(text, out) || out->kind == KREF_DEVICE)
        return err_set(&z->err, EXIT_USAGE, "\"%.*s\" is no object or promise", SPAN_ARG(text));
    return out->kind == KREF_PROMISE ? api_promise(z, target, out)
                                     : kernel_find(z->kernel, text, out, &z->err);
}

int zygote_queue_to_vat_object(struct zygote *z, const char *target, const char *method,
                               const char *args, enum zygote_result_policy policy,
                               struct zygote_id *kpid)
{
    struct message m = { method, args, policy };
    kref object, result;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = find_target(z, target, &object) != 0 || send(z, object, &m, &result) != 0;
    if (!failed)
        api_put_kref(kpid, result);
    return api_leave(z, failed);
}

/* -- results ----------------------------------------------------------------------- */

int zygote_bootstrap(struct zygote *z, struct zygote_id *kpid)
{
    if (!api_enter(z, API_LOOK))
        return api_refused(z);
    api_put_kref(kpid, controller_bootstrap(z->controller));
    return api_leave(z, 0);
}

int zygote_kp_status(struct zygote *z, const char *kpid, enum zygote_promise *out)
{
    kref k = { 0 };
    if (!api_enter(z, API_LOOK))
        return api_refused(z);
    bool named = kpid != NULL && kref_parse(span_of(kpid), &k);
    *out = named ? (enum zygote_promise)kernel_promise_state(z->kernel, k) : ZYGOTE_UNKNOWN;
    return api_leave(z, 0);
}

static int take(struct zygote *z, const char *kpid, bool hold, struct capdata *out)
{
    kref k;
    if (api_promise(z, kpid, &k) != 0)
        return -1;
    if (!kernel_promise_take_as(z->kernel, k, hold, out))
        return err_set(&z->err, EXIT_FAILED, "%s is unresolved", kpid);
    if (kref_eq(controller_bootstrap(z->controller), k))
        controller_forget_bootstrap(z->controller);
    return 0;
}

static struct zygote_capdata *capdata_of(struct zygote *z, const struct capdata *d)
{
    struct vat_capdata named = { d->body, d->count, NULL };
    named.slots = ARENA_ARRAY(&z->arena, struct span, d->count + 1);
    for (size_t i = 0; i < d->count; i++)
        named.slots[i] = arena_copy(&z->arena, span_of(kref_text(d->slots[i]).s));
    return api_capdata(&named);
}

int zygote_kp_resolution(struct zygote *z, const char *kpid, bool hold,
                         struct zygote_capdata **out)
{
    struct capdata data;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = take(z, kpid, hold, &data);
    if (!failed && out != NULL)
        *out = capdata_of(z, &data);
    return api_leave(z, failed);
}

int zygote_kp_register_interest(struct zygote *z, const char *kpid)
{
    kref k;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = api_promise(z, kpid, &k);
    if (!failed)
        kernel_promise_hold(z->kernel, k);
    return api_leave(z, failed);
}
