/* exchange.c -- stores that change over between upstream's kernel and ours. */
#include "host/exchange.h"

#include "host/file.h"
#include "host/paths.h"
#include "store/bundle.h"

struct exchange {
    struct controller *c;
    struct kernel *k;
    const struct exchange_options *o;
    struct exchange_done *done;
    struct arena arena;
};

static int run(struct exchange *x, struct err *e)
{
    uint64_t cranks;
    int failed = kernel_run(x->k, 0, &cranks, e);
    x->done->cranks += cranks;
    return failed;
}

/* -- the other vat-admin ------------------------------------------------------------ */

static int read_bundle(struct exchange *x, const char *name, struct span *text,
                       struct bundle_info *info, struct err *e)
{
    const char *dir = x->o->bundles;
    if (dir == NULL && paths_bundles(&x->arena, &dir, e) != 0)
        return -1;
    const char *file = arena_printf(&x->arena, "%s/%s.json", dir, name).p;
    if (file_read(&x->arena, file, text, e) != 0)
        return -1;
    return bundle_check(*text, true, SPAN_NONE, &x->arena, info, e) == 0
               ? 0
               : err_while(e, "%s", file);
}

/* The answer is lost with the incarnation that was asked for it, so what counts is what runs. */
static int upgrade(struct exchange *x, struct span id, struct err *e)
{
    kref result;
    struct capdata ignored;
    if (kernel_upgrade_static(x->k, SPAN("vatAdmin"), !x->o->now, id, NULL, &result, e) != 0 ||
        run(x, e) != 0)
        return -1;
    enum promise_state state = kernel_promise_state(x->k, result);
    kernel_promise_take_as(x->k, result, false, &ignored);
    if (span_eq(kernel_static_bundle(x->k, SPAN("vatAdmin")), id))
        return 0;
    return state == PROMISE_UNRESOLVED
               ? err_set(e, EXIT_POLICY,
                         "vat-admin still owes somebody an answer (about a bundle that is not "
                         "installed, most likely), and may not be upgraded before")
               : err_set(e, EXIT_POLICY, "vat-admin could not be upgraded");
}

static int replace(struct exchange *x, const char *name, bool *replaced, struct err *e)
{
    struct span text, id, here = kernel_static_bundle(x->k, SPAN("vatAdmin"));
    struct bundle_info info;
    if (here.p == NULL)
        return err_set(e, EXIT_NOT_FOUND, "this store has no vat-admin vat");
    if (read_bundle(x, name, &text, &info, e) != 0)
        return -1;
    *replaced = !span_eq(here, info.id);
    if (!*replaced)
        return 0;
    return kernel_install_bundle(x->k, &x->arena, text, info.id, &id, e) != 0 ||
                   run(x, e) != 0 || upgrade(x, id, e) != 0
               ? -1
               : 0;
}

static uint64_t incarnation_of(struct exchange *x, struct span name)
{
    struct vat_info *all;
    size_t n = kernel_vats(x->k, &x->arena, &all);
    for (size_t i = 0; i < n; i++) {
        if (all[i].is_static && span_eq(all[i].name, name))
            return all[i].incarnation;
    }
    return 0;
}

static void begin(struct exchange *x, struct controller *c, const struct exchange_options *o,
                  struct exchange_done *done)
{
    *x = (struct exchange){ .c = c, .k = controller_kernel(c), .o = o, .done = done };
    *done = (struct exchange_done){ 0 };
    arena_init(&x->arena);
}

/* -- enabling ----------------------------------------------------------------------- */

static int enable(struct exchange *x, struct err *e)
{
    bool marked = false;
    x->done->enabled = !kernel_forks_enabled(x->k);
    if (replace(x, "vat-admin", &x->done->upgraded, e) != 0 ||
        kernel_enable_forks(x->k, &marked, e) != 0)
        return -1;
    x->done->changed = x->done->upgraded || marked;
    x->done->incarnation = incarnation_of(x, SPAN("vatAdmin"));
    return x->done->changed ? controller_commit(x->c, e) : 0;
}

int exchange_enable(struct controller *c, const struct exchange_options *o,
                    struct exchange_done *done, struct err *e)
{
    struct exchange x;
    begin(&x, c, o, done);
    int failed = enable(&x, e);
    arena_fini(&x.arena);
    return failed;
}

/* -- leaving ------------------------------------------------------------------------ */

static size_t own_events(struct exchange *x, struct exchange_leave *out)
{
    struct event_info *events;
    out->event_count = kernel_own_events(x->k, &events);
    out->events = events;
    return out->event_count;
}

/* One after the other, so that no more is done than has to be. */
static int run_own_events(struct exchange *x, struct exchange_leave *out, struct err *e)
{
    uint64_t ran = 1;
    while (own_events(x, out) > 0 && ran > 0) {
        if (kernel_run(x->k, 1, &ran, e) != 0)
            return -1;
        out->cranks += ran;
    }
    return out->cranks > 0 ? controller_commit(x->c, e) : 0;
}

int exchange_leave(struct controller *c, bool may_run, struct exchange_leave *out,
                   struct err *e)
{
    struct exchange x = { .c = c, .k = controller_kernel(c) };
    *out = (struct exchange_leave){ 0 };
    if (may_run && run_own_events(&x, out, e) != 0)
        return -1;
    own_events(&x, out);
    return 0;
}
