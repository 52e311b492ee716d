/* Every sequence of a few operations in a small world: a owns one object and decides one
 * promise; b and c may come to know them; a may be upgraded.  The operations are the kernel's
 * own, below the queue of messages, in one crank that is rolled back: 19,552 sequences of up to
 * five (the argument says how many). */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/delivery.h"
#include "kernel/cleanup.h"
#include "kernel/lifecycle.h"
#include "kernel/syscall.h"
#include "kernel/upgrade.h"
#include "lib/gen.h"
#include "world.h"

enum op {
    A_TO_B, A_TO_C, B_TO_C,          /* hand over the object */
    B_DROPS, B_RETIRES, C_DROPS, C_RETIRES,
    A_RETIRES, A_ABANDONS,
    P_TO_B, B_SUBSCRIBES, A_RESOLVES, A_REJECTS_WITH_ITSELF, B_IS_NOTIFIED,
    COLLECT,                         /* one group of garbage collection actions */
    A_ENDS, B_ENDS, CLEAN_UP, CLEAN_UP_A_BIT,
    A_IS_UPGRADED,
    OPS
};

static const char *const op_names[OPS] = {
    "a hands o+1 to b", "a hands o+1 to c", "b hands it to c", "b drops it", "b retires it", "c drops it",
    "c retires it", "a retires it", "a abandons it", "a hands p+1 to b", "b subscribes", "a resolves p+1 to it",
    "a rejects p+1 with itself", "b is notified", "garbage is collected", "a ends", "b ends", "the dead are cleaned up",
    "the dead are cleaned up a bit", "a is upgraded",
};

struct small {
    struct world w;
    struct kernel *k;
    vat_id a, b, c;
    kref o, p; /* as a last exported them */
    bool upgraded; /* its machine is ahead of what will be rolled back */
    uint64_t cases;
};

static bool knows(struct small *s, vat_id vat, kref r, char flag)
{
    struct clist_row row;
    if (r.kind == KREF_INVALID || !vat_is_alive(s->k, vat) || !clist_row(s->k, vat, r, &row)) return false;
    return flag == '*' || row.reachable == (flag == 'R');
}

/* Make a syscall; it must be taken. */
static void ask(struct small *s, vat_id vat, const char *fmt, ...)
{
    char text[256];
    struct buf result = { 0 };
    struct jval v;
    struct err e;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    int failed = json_parse(kernel_arena(s->k), arena_copy(kernel_arena(s->k), span_of(text)), &v, &e);
    assert_int_equal(failed, 0);
    memset(&s->k->fate, 0, sizeof s->k->fate);
    syscall_handle(s->k, vat, v, &result);
    if (s->k->fate.illegal) fail_msg("refused: %s", text);
    buf_fini(&result);
}

static bool hand(struct small *s, vat_id from, const char *name, vat_id to, kref *out)
{
    if (!vat_is_alive(s->k, from) || !vat_is_alive(s->k, to)) return false;
    enum clist_result r = clist_to_kernel(s->k, from, span_of(name), CLIST_REACH, out);
    assert_int_equal(r, CLIST_OK);
    clist_to_vat(s->k, to, *out);
    return true;
}

static bool gc_call(struct small *s, vat_id vat, kref r, char flag, const char *call)
{
    if (!knows(s, vat, r, flag)) return false;
    ask(s, vat, "[\"%s\",[\"%s\"]]", call, name_for(&s->w, vat, r));
    return true;
}

static bool decides(struct small *s)
{
    vat_id decider;
    return knows(s, s->a, s->p, 'R') && promise_decider(s->k, s->p, &decider);
}

/* Take the next notify; other events stay out of the way. */
static bool notify_b(struct small *s)
{
    struct span event;
    struct jval v;
    struct err e;
    while (queue_take(s->k, QUEUE_ACCEPTANCE, &event)) {
        assert_int_equal(json_parse(kernel_arena(s->k), event, &v, &e), 0);
        struct message m;
        kref p;
        if (json_is(json_get(v, "type"), "send")) { /* to vat-admin: given back what it holds */
            assert_true(message_decode(kernel_arena(s->k), json_get(v, "msg"), &m));
            ref_dec(s->k, s->k->vat_admin_root, REF_NORMAL);
            ref_dec(s->k, m.result, REF_NORMAL);
            continue;
        }
        assert_true(kref_parse(json_str(json_get(v, "kpid"), kernel_arena(s->k)), &p));
        ref_dec(s->k, p, REF_NORMAL);
        if (!knows(s, s->b, p, '*')) return true;
        kref *batch;
        size_t count = promise_batch(s->k, p, &batch);
        delivery_notify(s->k, s->b, batch, count);
        return true;
    }
    return false;
}

static bool collect(struct small *s)
{
    struct gc_group g;
    gc_process_refcounts(s->k);
    enum gc_next next = gc_next_group(s->k, &g);
    if (next != GC_DELIVER || !vat_is_alive(s->k, g.vat)) return next != GC_NOTHING;
    for (size_t i = 0; g.type == GC_RETIRE_EXPORT && i < g.count; i++) object_delete(s->k, g.krefs[i]);
    delivery_gc(s->k, &g);
    return true;
}

static bool end(struct small *s, vat_id vat)
{
    struct capdata why;
    if (!vat_is_alive(s->k, vat)) return false;
    marshal_error(kernel_arena(s->k), SPAN("over"), &why);
    vat_terminate(s->k, vat, true, &why);
    return true;
}

static bool clean_up(struct small *s, uint64_t most)
{
    vat_id vat;
    if (!vat_first_terminated(s->k, &vat)) return false;
    const struct cleanup_work budget = { most, most, most, most, most, most };
    struct cleanup_work work;
    cleanup_crank(s->k, vat, &budget, &work);
    return true;
}

static bool upgrade_a(struct small *s)
{
    struct crank_result r = { 0 };
    struct jval event;
    struct err e;
    if (!vat_is_alive(s->k, s->a)) return false;
    struct arena *a = kernel_arena(s->k);
    struct span text = arena_printf(a, "{\"vatID\":\"%s\",\"upgradeID\":\"up1\",\"bundleID\":\"%s\",\"vatParameters\":"
                                    "{\"body\":\"#[]\",\"slots\":[]},\"upgradeMessage\":\"m\"}", vat_id_text(s->a).s,
                                    bundle_named("auto"));
    assert_int_equal(json_parse(a, text, &event, &e), 0);
    if (upgrade_crank(s->k, event, &r, &e) != 0) fail_msg("%s", e.text);
    if (r.abort) fail_msg("the upgrade failed");
    s->upgraded = true;
    return true;
}

static bool settle(struct small *s, bool rejected)
{
    if (!decides(s)) return false;
    if (rejected) {
        ask(s, s->a, "[\"resolve\",[[\"p+1\",true,{\"body\":\"#[\\\"&0\\\"]\",\"slots\":[\"p+1\"]}]]]");
    } else {
        ask(s, s->a, "[\"resolve\",[[\"p+1\",false,{\"body\":\"#\\\"$0.Alleged: x\\\"\",\"slots\":[\"o+1\"]}]]]");
        s->o = meant(&s->w, s->a, "o+1");
    }
    return true;
}

/* False if the operation makes no sense here. */
static bool apply(struct small *s, enum op op)
{
    kref r;
    switch (op) {
    case A_TO_B: return hand(s, s->a, "o+1", s->b, &s->o);
    case A_TO_C: return hand(s, s->a, "o+1", s->c, &s->o);
    case B_TO_C: return knows(s, s->b, s->o, 'R') && hand(s, s->b, name_for(&s->w, s->b, s->o), s->c, &r);
    case B_DROPS: return gc_call(s, s->b, s->o, 'R', "dropImports");
    case B_RETIRES: return gc_call(s, s->b, s->o, '_', "retireImports");
    case C_DROPS: return gc_call(s, s->c, s->o, 'R', "dropImports");
    case C_RETIRES: return gc_call(s, s->c, s->o, '_', "retireImports");
    case A_RETIRES: return gc_call(s, s->a, s->o, '_', "retireExports");
    case A_ABANDONS: return gc_call(s, s->a, s->o, '*', "abandonExports");
    case P_TO_B: return hand(s, s->a, "p+1", s->b, &s->p);
    case B_SUBSCRIBES:
        if (!knows(s, s->b, s->p, '*')) return false;
        ask(s, s->b, "[\"subscribe\",\"%s\"]", name_for(&s->w, s->b, s->p));
        return true;
    case A_RESOLVES: return settle(s, false);
    case A_REJECTS_WITH_ITSELF: return settle(s, true);
    case B_IS_NOTIFIED: return notify_b(s);
    case COLLECT: return collect(s);
    case A_ENDS: return end(s, s->a);
    case B_ENDS: return end(s, s->b);
    case CLEAN_UP: return clean_up(s, CLEANUP_UNLIMITED);
    case CLEAN_UP_A_BIT: return clean_up(s, 2);
    case A_IS_UPGRADED: return upgrade_a(s);
    case OPS:
    default: return false;
    }
}

static void on_breach(void *ctx, const char *text)
{
    (void)ctx;
    print_error("%s\n", text);
}

static void report(const struct gen *g, const enum op *ops, unsigned count)
{
    for (unsigned i = 0; i < count; i++) print_error("  %s\n", op_names[ops[i]]);
    gen_print(g, stderr);
}

/* Whatever was done, collecting everything leaves nothing. */
static bool ends_clean(struct small *s)
{
    for (unsigned i = 0; i < 100; i++) {
        bool worked = clean_up(s, CLEANUP_UNLIMITED);
        if (!worked) worked = collect(s);
        if (!worked) worked = notify_b(s);
        if (!worked) break;
    }
    gc_process_refcounts(s->k);
    return kernel_audit(s->w.store, on_breach, NULL) == 0 && world_litter(&s->w) == 0;
}

static void one_case(struct small *s, struct gen *g, unsigned most)
{
    enum op ops[16];
    unsigned count = 1 + gen_pick(g, most - 1), i = 0;
    bool sense = true;
    s->o = s->p = (kref){ KREF_INVALID, 0 };
    store_start_crank(s->w.store);
    store_savepoint(s->w.store, SAVEPOINT_START);
    for (; i < count && sense; i++) {
        ops[i] = (enum op)gen_pick(g, OPS - 1);
        sense = apply(s, ops[i]);
    }
    if (sense) { /* what came before the last operation is another case */
        s->cases++;
        bool right = kernel_audit(s->w.store, on_breach, NULL) == 0 && ends_clean(s);
        if (!right) {
            report(g, ops, count);
            fail_msg("%.*s", SPAN_ARG(buf_span(&s->w.breaches)));
        }
    }
    if (s->upgraded) warehouse_stop(s->k, s->a);
    s->upgraded = false;
    kernel_rollback(s->k, SAVEPOINT_START);
    kref_set_clear(&s->k->maybe_free);
    store_end_crank(s->w.store);
}

static unsigned depth = 5;

TEST(every_short_life_of_an_object_and_a_promise)
{
    struct small s = { 0 };
    struct gen g = { 0 };
    world_open(&s.w, &(struct world_setup){ .vats = { "a", "b", "c" }, .not_introduced = true });
    s.k = s.w.kernel;
    s.a = vat_named(&s.w, "a");
    s.b = vat_named(&s.w, "b");
    s.c = vat_named(&s.w, "c");
    while (gen_next(&g)) one_case(&s, &g, depth);
    print_message("%llu cases of at most %u operations\n", (unsigned long long)s.cases, depth);
    world_run(&s.w); /* nothing of it stayed */
    poke(&s.w, s.a, "set k v");
    world_close(&s.w);
}

int main(int argc, char **argv)
{
    if (argc > 1) depth = (unsigned)atoi(argv[1]);
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_short_life_of_an_object_and_a_promise) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
