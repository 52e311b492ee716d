/* The comms vat (kernel/comms.h): its parameters, and who may be it.  How it stands idle, and
 * ends, is in test_devices.c. */
#include <stdio.h>

#include "kernel/comms.h"
#include "world.h"

struct idle {
    struct world w;
    vat_id comms;
};

static void open_idle(struct idle *t)
{
    *t = (struct idle){ 0 };
    world_open(&t->w, &(struct world_setup){ .vats = { "a", "comms" }, .comms = "comms", .not_introduced = true });
    t->comms = vat_named(&t->w, "comms");
}

static void expect(struct idle *t, const char *key, const char *want)
{
    const char *got = key_text(&t->w, "v%u.vs.%s", t->comms.n, key);
    if (got == NULL || strcmp(got, want) != 0) fail_msg("%s: %s, not %s", key, got != NULL ? got : "nothing", want);
}

/* Another startVat, with these parameters, as if its vatstore were empty. */
static bool start_with(struct idle *t, const char *parameters)
{
    struct delivered out;
    char text[512];
    size_t n = (size_t)snprintf(text, sizeof text, "[\"startVat\",%s]", parameters);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\'') text[i] = '"';
    }
    kv_delete(t->w.store, key_vat_in(t->w.kernel, t->comms, "vs.", SPAN("initialized")));
    comms_deliver(t->w.kernel, t->comms, span_of(text), &out);
    return out.ok;
}

TEST(what_it_is_given_at_its_start)
{
    static const struct {
        const char *parameters, *base, *explicit_seqs;
    } cases[] = {
        { "{'body':'#{\\'identifierBase\\':1000}','slots':[]}", "1000", "1" },
        { "{'body':'#{\\'identifierBase\\':5,\\'sendExplicitSeqNums\\':false}','slots':[]}", "5", "0" },
        { "{'body':'#{\\'sendExplicitSeqNums\\':true}','slots':[]}", "0", "1" },
        { "{'body':'#{\\'sendExplicitSeqNums\\':\\'#undefined\\'}','slots':[]}", "0", "1" },
        { "{'body':'#{\\'sendExplicitSeqNums\\':\\'\\'}','slots':[]}", "0", "0" },
    };
    static const char *const bad[] = { "{}", "{'body':'nonsense','slots':[]}", "{'body':'#{}','slots':['o-1']}",
                                       "{'body':'#{\\'identifierBase\\':\\'x\\'}','slots':[]}", "{'body':'#{\\'identifierBase\\':-1}','slots':[]}" };
    struct idle t;
    open_idle(&t);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(start_with(&t, cases[i].parameters));
        expect(&t, "identifierBase", cases[i].base);
        expect(&t, "sendExplicitSeqNums", cases[i].explicit_seqs);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (start_with(&t, bad[i])) fail_msg("%s", bad[i]);
    }
    world_close(&t.w);
}

/* Its root, dropped by the only vat that had it. */
TEST(nobody_holds_its_root)
{
    struct idle t;
    open_idle(&t);
    poke(&t.w, t.w.boot, "drop %s", name_for(&t.w, t.w.boot, root_of(&t.w, t.comms)));
    assert_true(alive(&t.w, t.comms));
    world_close(&t.w);
}

TEST(only_upstreams_may_be_local)
{
    struct idle t;
    struct err e;
    open_idle(&t);
    struct kernel *k = t.w.kernel;
    assert_int_equal(comms_check(k, t.comms, &e), 0);
    assert_int_equal(comms_check(k, vat_named(&t.w, "a"), &e), -1);
    assert_int_equal(e.exit, EXIT_INCOMPATIBLE);
    struct span key = key_vat(k, t.comms, "source");
    kv_set(t.w.store, key, SPAN("{\"bundleID\":\"b1-none\"}"));
    assert_int_equal(comms_check(k, t.comms, &e), -1);
    kv_set(t.w.store, key, SPAN("{\"bundle\":{}}"));
    assert_int_equal(comms_check(k, t.comms, &e), -1);
    world_close(&t.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_is_given_at_its_start),
        cmocka_unit_test(nobody_holds_its_root),
        cmocka_unit_test(only_upstreams_may_be_local),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
