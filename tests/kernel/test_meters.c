/* Meters: what is deducted from them, when, and what follows.  (Upstream: kernelKeeper.js
 * allocateMeter … deductMeter, kernel.js deliveryCrankResults.)
 *
 * A scripted delivery counts 1000 computrons and one for each the machine has had; plans say
 * "!spend N" where the number matters. */
#include <stdio.h>

#include "world.h"

struct metered {
    struct world w;
    vat_id b, d;      /* d has the meter m1 */
    char d_in_b[16];
};

static void call(struct metered *t, const char *text)
{
    device_call(&t->w, "%s", text);
    world_run(&t->w);
}

static void open_with(struct metered *t, const char *make_meter)
{
    world_open(&t->w, &(struct world_setup){ .vats = { "b" } });
    t->b = vat_named(&t->w, "b");
    call(t, make_meter);
    t->d = create(&t->w, "auto", "'meterID':'m1'");
    assert_true(alive(&t->w, t->d));
    introduce(&t->w, t->b, t->d);
    strcpy(t->d_in_b, name_for(&t->w, t->b, root_of(&t->w, t->d)));
}

static void set_meter(struct metered *t, const char *remaining, const char *threshold)
{
    kv_set(t->w.store, SPAN("m1.remaining"), span_of(remaining));
    kv_set(t->w.store, SPAN("m1.threshold"), span_of(threshold));
}

static void expect(struct metered *t, const char *remaining)
{
    assert_string_equal(key_text(&t->w, "m1.remaining"), remaining);
}

/* A message to d, which spends so much on it. */
static void spend(struct metered *t, const char *computrons, const char *then)
{
    plan(&t->w, t->d, "message", "!spend %s\n%s", computrons, then);
    poke(&t->w, t->b, "send %s", t->d_in_b);
}

static unsigned crossings(struct metered *t)
{
    return told(&t->w, t->w.admin, "meterCrossedThreshold");
}

/* -- deducting --------------------------------------------------------------------------- */

TEST(creation_messages_and_notifies_are_deducted)
{
    struct metered t;
    open_with(&t, "createMeter #['+10000','+0']");
    assert_string_equal(key_text(&t.w, "meter.nextID"), "2");
    assert_string_equal(key_text(&t.w, "m1.threshold"), "0");
    assert_non_null(strstr(key_text(&t.w, "v4.options"), "\"meterID\":\"m1\""));
    expect(&t, "8999"); /* startVat: 1001 */
    spend(&t, "7", "");
    expect(&t, "8992");
    plan(&t.w, t.d, "message", "!spend 92");
    poke(&t.w, t.b, "send %s p+3", t.d_in_b);
    plan(&t.w, t.d, "bringOutYourDead", "!spend 4000\nsubscribe %s", name_for(&t.w, t.d, meant(&t.w, t.b, "p+3")));
    vat_schedule_reap(t.w.kernel, t.d);
    world_run(&t.w);
    expect(&t, "8900"); /* bringOutYourDead is free */
    plan(&t.w, t.d, "notify", "!spend 89");
    poke(&t.w, t.b, "data p+3");
    expect(&t, "8811");
    world_close(&t.w);
}

TEST(garbage_collection_is_free)
{
    struct metered t;
    open_with(&t, "createMeter #['+10000','+0']");
    struct world *w = &t.w;
    spend(&t, "1", "");
    plan(w, t.d, "message", "!spend 1\nsend @0 o+4");
    poke(w, t.b, "send %s o+1", t.d_in_b);
    expect(&t, "8997");
    plan(w, t.d, "dropExports", "!spend 5000");
    plan(w, t.d, "retireExports", "!spend 5000");
    poke(w, t.b, "drop %s", name_for(w, t.b, meant(w, t.d, "o+4")));
    assert_int_equal(told(w, t.d, "dropExports"), 1);
    expect(&t, "8997");
    world_close(w);
}

TEST(what_counts_nothing_costs_nothing)
{
    struct metered t;
    open_with(&t, "createMeter #['+10000','+9000']");
    set_meter(&t, "5", "9");
    spend(&t, "0", "");
    expect(&t, "5");
    assert_int_equal(told(&t.w, t.d, "[\\\"hi\\\""), 1);
    world_close(&t.w);
}

TEST(an_unlimited_meter)
{
    struct metered t;
    open_with(&t, "createUnlimitedMeter #[]");
    expect(&t, "unlimited");
    assert_string_equal(key_text(&t.w, "m1.threshold"), "0");
    spend(&t, "999999999", "");
    expect(&t, "unlimited");
    call(&t, "addMeterRemaining #['m1','+5']");
    expect(&t, "unlimited");
    call(&t, "setMeterThreshold #['m1','+5']");
    assert_string_equal(key_text(&t.w, "m1.threshold"), "5");
    spend(&t, "999999999", "");
    assert_int_equal(crossings(&t), 0);
    call(&t, "getMeter #['m1']");
    assert_int_equal(called(&t.w, t.w.boot, "{\\\"remaining\\\":\\\"unlimited\\\",\\\"threshold\\\":\\\"+5\\\"}"), 1);
    world_close(&t.w);
}

TEST(reading_adding_and_numbers_of_any_size)
{
    struct metered t;
    open_with(&t, "createMeter #['+100000000000000000000000000000000','+0']");
    expect(&t, "99999999999999999999999999998999");
    call(&t, "addMeterRemaining #['m1','+1001']");
    expect(&t, "100000000000000000000000000000000");
    spend(&t, "1", "");
    expect(&t, "99999999999999999999999999999999");
    call(&t, "addMeterRemaining #['m1','+900000000000000000000000000000000000000000000001']");
    expect(&t, "900000000000000100000000000000000000000000000000");
    call(&t, "setMeterThreshold #['m1','+99999999999999999999999']");
    call(&t, "getMeter #['m1']");
    assert_int_equal(called(&t.w, t.w.boot, "{\\\"remaining\\\":\\\"+900000000000000100000000000000000000000000000000\\\","
                                            "\\\"threshold\\\":\\\"+99999999999999999999999\\\"}"), 1);
    call(&t, "addMeterRemaining #['m1','+0']");
    expect(&t, "900000000000000100000000000000000000000000000000");
    world_close(&t.w);
}

/* -- thresholds ---------------------------------------------------------------------------- */

TEST(a_crossing_is_told_once)
{
    struct metered t;
    open_with(&t, "createMeter #['+10000','+0']");
    set_meter(&t, "1000", "500");
    spend(&t, "500", "");
    assert_int_equal(crossings(&t), 0); /* at it is not below it */
    spend(&t, "1", "");
    assert_int_equal(told(&t.w, t.w.admin, "meterCrossedThreshold\\\",[\\\"m1\\\",\\\"+499\\\"]"), 1);
    spend(&t, "1", "");
    assert_int_equal(crossings(&t), 1);
    call(&t, "addMeterRemaining #['m1','+2']");
    spend(&t, "1", "");
    assert_int_equal(crossings(&t), 2); /* it was above again */
    call(&t, "setMeterThreshold #['m1','+400']");
    spend(&t, "98", "");
    assert_int_equal(crossings(&t), 2); /* 401 */
    spend(&t, "2", "");
    assert_int_equal(told(&t.w, t.w.admin, "meterCrossedThreshold\\\",[\\\"m1\\\",\\\"+399\\\"]"), 1);
    /* Lowering what is left below a higher threshold is no crossing. */
    call(&t, "setMeterThreshold #['m1','+1000']");
    spend(&t, "9", "");
    assert_int_equal(crossings(&t), 3);
    assert_int_equal(world_litter(&t.w), 0);
    world_close(&t.w);
}

TEST(a_crossing_without_a_vat_to_tell)
{
    struct metered t;
    open_with(&t, "createMeter #['+10000','+0']");
    set_meter(&t, "1000", "500");
    t.w.kernel->vat_admin_root = (kref){ KREF_INVALID, 0 };
    spend(&t, "501", "");
    expect(&t, "499");
    assert_int_equal(crossings(&t), 0);
    world_close(&t.w);
}

/* -- underflow ------------------------------------------------------------------------------ */

TEST(to_spend_all_is_allowed_and_one_more_is_not)
{
    struct metered t;
    open_with(&t, "createMeter #['+10000','+0']");
    struct world *w = &t.w;
    set_meter(&t, "500", "100");
    spend(&t, "500", "set k v");
    expect(&t, "0");
    assert_true(alive(w, t.d));
    assert_string_equal(key_text(w, "v4.vs.k"), "v");
    assert_int_equal(crossings(&t), 1);
    call(&t, "addMeterRemaining #['m1','+500']");
    unsigned before = told(w, t.b, "[\\\"hi\\\"");
    plan(w, t.d, "message", "!spend 501\nset k w\nsend @0 o+3");
    poke(w, t.b, "send %s o+7 -> p+5\nsubscribe p+5", t.d_in_b);
    assert_false(alive(w, t.d));
    expect(&t, "0"); /* deducted though the delivery is undone, and never below 0 */
    assert_int_equal(told(w, t.b, "vat terminated"), 1);
    assert_int_equal(told(w, w->admin, "meter underflow, vat terminated"), 1);
    assert_int_equal(told(w, t.b, "[\\\"hi\\\""), before);
    assert_int_equal(crossings(&t), 2);
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

TEST(a_delivery_that_is_undone_is_paid_for)
{
    static const struct {
        const char *how, *left;
        bool lives;
    } ends[] = {
        { "!error no", "9700", false }, { "send o-99", "9700", false }, { "fail", "9700", false },
        { "exit", "9700", false },      { "set k v", "9700", true },
        { "!meter", "10000", false }, /* the machine is gone, and its count with it */
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct metered t;
        open_with(&t, "createMeter #['+10000','+0']");
        set_meter(&t, "10000", "0");
        spend(&t, "300", ends[i].how);
        if (strcmp(key_text(&t.w, "m1.remaining"), ends[i].left) != 0) fail_msg("%s: %s", ends[i].how, key_text(&t.w, "m1.remaining"));
        assert_int_equal(alive(&t.w, t.d), ends[i].lives);
        world_close(&t.w);
    }
}

/* A fatal syscall goes before an empty meter, and that before the vat's own wish. */
TEST(an_empty_meter_among_other_reasons)
{
    static const struct {
        const char *how, *why;
    } ends[] = { { "send o-99", "fatal syscall" }, { "!error no", "\\\"#error\\\":\\\"no\\\"" },
                 { "exit", "meter underflow" }, { "fail", "meter underflow" } };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct metered t;
        open_with(&t, "createMeter #['+10000','+0']");
        set_meter(&t, "10", "0");
        spend(&t, "11", ends[i].how);
        assert_false(alive(&t.w, t.d));
        expect(&t, "0");
        bool said = memmem(t.w.notes.p, t.w.notes.n, ends[i].why, strlen(ends[i].why)) != NULL ||
                    told(&t.w, t.w.admin, ends[i].why) == 1;
        if (!said) fail_msg("%s: %.*s", ends[i].how, SPAN_ARG(buf_span(&t.w.notes)));
        world_close(&t.w);
    }
}

TEST(a_creation_that_cannot_be_paid)
{
    struct world w;
    world_open(&w, &(struct world_setup){ .vats = { "b" } });
    device_call(&w, "createMeter #['+1000','+500']");
    world_run(&w);
    vat_id d = create(&w, "auto", "'meterID':'m1'");
    assert_false(alive(&w, d));
    assert_null(key_text(&w, "v4.options"));
    assert_string_equal(key_text(&w, "m1.remaining"), "0");
    assert_int_equal(told(&w, w.admin, "meter underflow, vat terminated"), 1);
    assert_int_equal(told(&w, w.admin, "newVatCallback"), 0);
    assert_int_equal(told(&w, w.admin, "meterCrossedThreshold"), 1);
    assert_int_equal(world_litter(&w), 0);
    world_close(&w);
}

/* -- sharing ---------------------------------------------------------------------------------- */

TEST(vats_share_a_meter)
{
    struct metered t;
    open_with(&t, "createMeter #['+10000','+0']");
    struct world *w = &t.w;
    vat_id other = create(w, "auto", "'meterID':'m1'"), free = create(w, "auto", "");
    introduce(w, t.b, other);
    introduce(w, t.b, free);
    expect(&t, "7998");
    set_meter(&t, "300", "0");
    plan(w, other, "message", "!spend 200");
    poke(w, t.b, "send %s", name_for(w, t.b, root_of(w, other)));
    expect(&t, "100");
    poke(w, t.b, "send %s", name_for(w, t.b, root_of(w, free)));
    expect(&t, "100");
    spend(&t, "101", "");
    assert_false(alive(w, t.d));
    assert_true(alive(w, other));
    poke(w, t.b, "send %s", name_for(w, t.b, root_of(w, other)));
    assert_false(alive(w, other)); /* whoever shares it goes next */
    assert_true(alive(w, free));
    assert_string_equal(key_text(w, "m1.remaining"), "0"); /* a meter is never deleted */
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

TEST(a_meter_outlives_a_restart)
{
    struct metered t;
    open_with(&t, "createMeter #['+10000','+0']");
    set_meter(&t, "400", "300");
    world_restart(&t.w);
    spend(&t, "101", "");
    expect(&t, "299");
    assert_int_equal(crossings(&t), 1);
    world_close(&t.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creation_messages_and_notifies_are_deducted),
        cmocka_unit_test(garbage_collection_is_free),
        cmocka_unit_test(what_counts_nothing_costs_nothing),
        cmocka_unit_test(an_unlimited_meter),
        cmocka_unit_test(reading_adding_and_numbers_of_any_size),
        cmocka_unit_test(a_crossing_is_told_once),
        cmocka_unit_test(a_crossing_without_a_vat_to_tell),
        cmocka_unit_test(to_spend_all_is_allowed_and_one_more_is_not),
        cmocka_unit_test(a_delivery_that_is_undone_is_paid_for),
        cmocka_unit_test(an_empty_meter_among_other_reasons),
        cmocka_unit_test(a_creation_that_cannot_be_paid),
        cmocka_unit_test(vats_share_a_meter),
        cmocka_unit_test(a_meter_outlives_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
