/* What goes wrong: vats that ask for what they must not, machines that die or babble, vats
 * that cannot be made, critical ones, transcripts that do not replay. */
#include <stdio.h>

#include "world.h"

struct trio {
    struct world w;
    vat_id a, b;
    char a_in_b[16], b_in_a[16];
};

static void open_with(struct trio *t, struct world_setup s)
{
    s.vats[0] = "a";
    s.vats[1] = "b";
    world_open(&t->w, &s);
    t->a = vat_named(&t->w, "a");
    t->b = vat_named(&t->w, "b");
    strcpy(t->b_in_a, name_for(&t->w, t->a, root_of(&t->w, t->b)));
    strcpy(t->a_in_b, name_for(&t->w, t->b, root_of(&t->w, t->a)));
}

static void open_trio(struct trio *t)
{
    open_with(t, (struct world_setup){ 0 });
}

/* Others go on: b still answers. */
static void others_go_on(struct trio *t)
{
    poke(&t->w, t->w.boot, "send %s", name_for(&t->w, t->w.boot, root_of(&t->w, t->b)));
    assert_non_null(strstr(delivery_at(&t->w, t->b, -1), "\"message\""));
}

/* -- illegal syscalls --------------------------------------------------------------------------- */

/* Each plan's last line is a syscall that costs the vat its life.  Before: a knows b's root as
 * o-52, dropped o-53, merely knows (o-54), decides p-60, exports o+1 (reachable by b), and
 * exported o+2 which b dropped. */
static const char *const illegal[] = {
    /* names it does not have */
    "send o-99",
    "send p-99",
    "send o-52 o-99",
    "send o-52 p-99",
    "send o-52 d-99",
    "send o-52 -> p-99",
    "subscribe p-99",
    "subscribe o-52",
    "subscribe o+1",
    "drop o-99",
    "retire o-99",
    "retire-export o+9",
    "abandon o+9",
    "resolve p-99",
    /* what it gave up */
    "send o-53",
    "send o-52 o-53",
    /* not names */
    "send elsewhere",
    "send o-52 x",
    "send o-52 o+",
    "send o-52 o-052",
    "send ko20",
    "drop kp40",
    "send o-52 -> o+5",
    "send o-52 -> what",
    /* names of another kind */
    "send d+1",
    "send o-52 d+1",
    "send d-70",
    "call o-52 m #[]",
    "call p-60 m #[]",
    "call d-99 m #[]",
    "call o+1 m #[]",
    "call d+7 m #[]",
    /* garbage collection out of turn */
    "retire o-52",
    "retire-export o+1",
    "drop o+1",
    "retire o+1",
    "abandon o-52",
    "retire-export o-52",
    "drop p-60",
    "retire p-60",
    "abandon o+1 o+1",
    "retire-export o+2 o+2",
    "retire o-54 o-54",
    "retire-export o+2 o+1",
    "drop o-52 o-99",
    "retire o-54 o-52",
    "abandon o+1 o-52",
    /* promises */
    "resolve o+1",
    "resolve p-61",
    "resolve p-60\nresolve p-60",
    "['resolve',[['p-60',false,{'body':'#1','slots':[]}],['p-60',true,{'body':'#2','slots':[]}]]]",
    "['resolve',[['p-60',false,{'body':'#1','slots':[]}],['p-61',true,{'body':'#2','slots':[]}]]]",
    "['resolve',[['p+7',false,{'body':'#1','slots':[]}],['p+7',false,{'body':'#1','slots':[]}]]]",
    "['resolve',[['p-60',false,{'body':'nonsense','slots':[]}]]]",
    "['resolve',[['p-60',false,{'body':'#\\'$3\\'','slots':[]}]]]",
    "become p-60 p+5",
    "send o-52 -> p-60",
    "send o-52 -> p+5\nsend o-52 -> p+5",
    "send o-52 -> p+5\nresolve p+5",
    "send o-52 p+6\nsend o-52 -> p+6",
    "subscribe p-60\nexit p-99",
    "fail o-99",
    /* shapes */
    "[]",
    "['']",
    "['bake','a cake']",
    "['send']",
    "['send','o-52']",
    "['send','o-52',{}]",
    "['send','o-52',[]]",
    "['send',52,{'methargs':{'body':'#[]','slots':[]}}]",
    "['send','o-52',{'methargs':{'body':1,'slots':[]}}]",
    "['send','o-52',{'methargs':{'body':'#[]','slots':{}}}]",
    "['send','o-52',{'methargs':{'body':'#[]','slots':[1]}}]",
    "['send','o-52',{'methargs':{'body':'#[]'}}]",
    "['send','o-52',{'methargs':{'body':'#[]','slots':[]},'result':5}]",
    "['send','o-52',{'methargs':{'body':'#[]','slots':[]},'result':{}}]",
    "['subscribe']",
    "['subscribe',1]",
    "['resolve']",
    "['resolve','p-60']",
    "['resolve',['p-60']]",
    "['resolve',[['p-60']]]",
    "['resolve',[['p-60',0,{'body':'#1','slots':[]}]]]",
    "['resolve',[['p-60',false,'#1']]]",
    "['resolve',[[60,false,{'body':'#1','slots':[]}]]]",
    "['exit']",
    "['exit',1,{'body':'#1','slots':[]}]",
    "['exit',true]",
    "['vatstoreGet']",
    "['vatstoreGet',1]",
    "['vatstoreSet','k']",
    "['vatstoreSet','k',1]",
    "['vatstoreSet',{},'v']",
    "['vatstoreDelete',null]",
    "['vatstoreGetNextKey']",
    "['dropImports']",
    "['dropImports','o-52']",
    "['dropImports',{'0':'o-52'}]",
    "['dropImports',[52]]",
    "['retireImports',[null]]",
    "['retireExports',[['o+1']]]",
    "['abandonExports',7]",
    "['callNow']",
    "['callNow','d-70','m']",
    "['callNow','d-70',1,{'body':'#[]','slots':[]}]",
    "['callNow','d-70','m',{'body':'#[]','slots':['p-60']}]",
    "['callNow','d-70','m',{'body':'#[]','slots':['nonsense']}]",
    "['callNow','d-70','m',{'body':'#[]','slots':['o-99']}]",
};

/* What stands above `illegal`. */
static void furnish(struct trio *t)
{
    struct world *w = &t->w;
    poke(w, t->b, "send %s o+1 -> p+1", t->a_in_b);            /* o-53 */
    poke(w, t->b, "send %s o+2 -> p+2", t->a_in_b);            /* o-54 */
    assert_string_equal(name_for(w, t->a, meant(w, t->b, "o+2")), "o-54");
    poke(w, t->a, "drop o-53 o-54");
    poke(w, t->a, "send %s o+1 o+2 p+8", t->b_in_a);
    const char *two = name_for(w, t->b, meant(w, t->a, "o+2"));
    poke(w, t->b, "drop %s", two);
    plan(w, t->a, "message", "!keep");
    poke(w, t->b, "send %s -> p+3", t->a_in_b);                 /* p-NN: a decides it */
    poke(w, w->boot, "send %s d-70", name_for(w, w->boot, root_of(w, t->a)));
}

/* o-52, p-60 … are what the comments call them; put in what they are. */
static void spell(struct trio *t, const char *text, struct buf *out)
{
    struct world *w = &t->w;
    kref decided = meant(w, t->b, "p+3");
    for (const char *p = text; *p != '\0'; p++) {
        if (strncmp(p, "o-52", 4) == 0) {
            buf_puts(out, t->b_in_a);
            p += 3;
        } else if (strncmp(p, "p-60", 4) == 0) {
            buf_puts(out, name_for(w, t->a, decided));
            p += 3;
        } else {
            buf_putc(out, *p);
        }
    }
    buf_putc(out, '\0');
}

static void check_killed(struct trio *t, const char *lines)
{
    struct world *w = &t->w;
    if (alive(w, t->a)) fail_msg("it lives after: %s", lines);
    assert_int_equal(told(w, w->admin, "vatTerminated"), 1);
    assert_non_null(strstr(w->notes.p, "fatal syscall"));
    others_go_on(t);
}

TEST(each_illegal_syscall_costs_the_vat_its_life_and_nobody_elses)
{
    for (size_t i = 0; i < sizeof illegal / sizeof *illegal; i++) {
        struct trio t;
        struct buf lines = { 0 };
        open_trio(&t);
        furnish(&t);
        assert_true(alive(&t.w, t.a));
        spell(&t, illegal[i], &lines);
        poke(&t.w, t.a, "%s", lines.p);
        buf_putc(&t.w.notes, '\0');
        check_killed(&t, lines.p);
        assert_int_equal(world_litter(&t.w), 0);
        buf_fini(&lines);
        world_close(&t.w);
    }
}

TEST(what_an_illegal_delivery_did_is_undone)
{
    struct trio t;
    open_trio(&t);
    uint64_t promises = state_need_u64(t.w.kernel, SPAN("kp.nextID"));
    poke(&t.w, t.a, "set k v\nsend %s o+7 -> p+7\nsubscribe p+7\nsend o-99\nset k w", t.b_in_a);
    assert_false(alive(&t.w, t.a));
    assert_int_equal(told(&t.w, t.b, "[\\\"hi\\\""), 1); /* the introduction */
    assert_int_equal(state_need_u64(t.w.kernel, SPAN("kp.nextID")), promises + 1); /* vatTerminated's */
    world_close(&t.w);
}

TEST(the_message_that_killed_a_vat_is_rejected)
{
    struct trio t;
    open_trio(&t);
    plan(&t.w, t.a, "message", "send o-99");
    poke(&t.w, t.b, "send %s o+4 -> p+4\nsubscribe p+4", t.a_in_b);
    assert_int_equal(told(&t.w, t.b, "vat terminated"), 1);
    assert_int_equal(world_litter(&t.w), 0);
    world_close(&t.w);
}

/* -- exit ------------------------------------------------------------------------------------------ */

TEST(exit_keeps_what_was_done_and_tells_why)
{
    struct trio t;
    open_trio(&t);
    poke(&t.w, t.a, "send %s o+7\nexit o+8 %s", t.b_in_a, t.b_in_a);
    assert_false(alive(&t.w, t.a));
    assert_int_equal(told(&t.w, t.b, "[\\\"hi\\\""), 2);
    assert_int_equal(told(&t.w, t.w.admin, "vatTerminated\\\",[\\\"v3\\\",false,[\\\"$0"), 1);
    assert_int_equal(world_litter(&t.w), 0);
    world_close(&t.w);
}

TEST(failing_undoes_what_was_done)
{
    struct trio t;
    open_trio(&t);
    poke(&t.w, t.a, "send %s o+7\nfail %s", t.b_in_a, t.b_in_a);
    assert_false(alive(&t.w, t.a));
    assert_int_equal(told(&t.w, t.b, "[\\\"hi\\\""), 1);
    assert_int_equal(told(&t.w, t.w.admin, "vatTerminated\\\",[\\\"v3\\\",true,[\\\"$0"), 1);
    assert_int_equal(world_litter(&t.w), 0);
    world_close(&t.w);
}

/* The reason names what was exported in the very delivery that is undone. */
TEST(failing_with_a_reference_made_in_the_same_delivery)
{
    struct trio t;
    open_trio(&t);
    poke(&t.w, t.a, "fail o+8");
    assert_false(alive(&t.w, t.a));
    assert_int_equal(told(&t.w, t.w.admin, "for a reason undone with its last delivery"), 1);
    poke(&t.w, t.b, "send %s o+5 o+6", name_for(&t.w, t.b, root_of(&t.w, t.w.boot)));
    assert_int_equal(world_litter(&t.w), 0);
    world_close(&t.w);
    open_trio(&t);
    poke(&t.w, t.a, "['exit',true,{'body':'#[\\'&0\\',\\'$1\\']','slots':['p+8','o+3']}]");
    assert_false(alive(&t.w, t.a));
    others_go_on(&t);
    assert_int_equal(world_litter(&t.w), 0);
    world_close(&t.w);
}

TEST(a_reason_that_does_not_decode_is_replaced)
{
    struct trio t;
    open_trio(&t);
    poke(&t.w, t.a, "['exit',true,{'body':'{nonsense','slots':[]}]");
    assert_int_equal(told(&t.w, t.w.admin, "reason does not decode"), 1);
    world_close(&t.w);
}

/* -- meters and errors ---------------------------------------------------------------------------------- */

TEST(a_vat_that_meets_a_limit_is_terminated_and_its_delivery_undone)
{
    static const struct {
        const char *how, *why;
    } ends[] = { { "!meter", "Compute meter exceeded" }, { "!stack", "Stack meter exceeded" },
                 { "!memory", "Allocate meter exceeded" }, { "!error no handler", "no handler" } };
    for (size_t i = 0; i < 4; i++) {
        struct trio t;
        open_trio(&t);
        poke(&t.w, t.a, "set k v\nsend %s\n%s", t.b_in_a, ends[i].how);
        assert_false(alive(&t.w, t.a));
        assert_int_equal(told(&t.w, t.w.admin, ends[i].why), 1);
        assert_int_equal(told(&t.w, t.b, "[\\\"hi\\\""), 1);
        others_go_on(&t);
        world_close(&t.w);
    }
}

/* The delivery before a snapshot's bringOutYourDead was fine; that one is not. */
TEST(a_vat_that_fails_in_the_delivery_before_a_snapshot_is_terminated)
{
    static const char *const ends[] = { "!meter", "!stack", "!memory", "!error", "send o-99",
                                        "retire-export o+1 o+2", "exit o+9", "fail o+9",
                                        "exit\n!meter" };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct trio t;
        open_with(&t, (struct world_setup){ .snapshot_initial = 3, .snapshot_interval = 4 });
        struct world *w = &t.w;
        struct transcript_bounds before, now;
        struct buf lines = { 0 };
        poke(w, t.a, "send %s o+1 o+2", t.b_in_a);
        poke(w, t.b, "drop %s", name_for(w, t.b, meant(w, t.a, "o+1")));
        transcript_bounds(w->store, SPAN("v3"), &before);
        assert_true(before.end - before.start < 4);
        for (uint64_t n = before.end - before.start; n < 4; n++) {
            if (n == 3) plan(w, t.a, "bringOutYourDead", "%s", ends[i]);
            poke(w, w->boot, "send %s", name_for(w, w->boot, root_of(w, t.a)));
        }
        bool found = transcript_bounds(w->store, SPAN("v3"), &now);
        assert_false(found && alive(w, t.a));
        others_go_on(&t);
        assert_int_equal(world_litter(w), 0);
        buf_fini(&lines);
        world_close(w);
    }
}

/* -- machines that fail --------------------------------------------------------------------------------- */

static void expect_undone(struct world *w, const char *what)
{
    struct buf before = { 0 }, after = { 0 };
    world_dump(w, &before);
    int ran = world_step(w);
    if (ran >= 0) fail_msg("%s: the crank went through", what);
    world_dump(w, &after);
    if (!span_eq(buf_span(&before), buf_span(&after))) {
        fail_msg("%s: the store differs:\n%.*s\n=====\n%.*s", what, SPAN_ARG(buf_span(&before)), SPAN_ARG(buf_span(&after)));
    }
    assert_int_equal(w->scripted.misuse, 0);
    assert_int_equal(w->scripted.machines, 0);
    buf_fini(&before);
    buf_fini(&after);
}

/* The crank is undone; the kernel can be opened again and goes on. */
TEST(a_machine_that_dies_or_babbles_costs_its_crank_only)
{
    static const struct {
        const char *how, *says;
    } ends[] = {
        { "!die", "the machine died" },
        { "!babble", "what is not JSON" },
        { "!strange", "an unknown kind of message" },
        { "!reply nonsense", "not a JSON array" },
        { "!reply {}", "not a JSON array" },
        { "!reply []", "neither ok nor error" },
        { "!reply ['maybe']", "neither ok nor error" },
        { "!reply ['error']", "neither ok nor error" },
        { "!reply ['error',5]", "neither ok nor error" },
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct trio t;
        char lines[256];
        open_trio(&t);
        snprintf(lines, sizeof lines, "set k v\nsend %s o+7 -> p+7\nsubscribe p+7\n%s", t.b_in_a, ends[i].how);
        queue_poke(&t.w, t.a, lines);
        expect_undone(&t.w, ends[i].how);
        if (strstr(t.w.err.text, ends[i].says) == NULL) fail_msg("%s: %s", ends[i].how, t.w.err.text);
        assert_non_null(strstr(t.w.err.text, "delivering to v3"));
        expect_undone(&t.w, ends[i].how); /* it would happen again */
        plan(&t.w, t.a, "bringOutYourDead", "send %s o+7", t.b_in_a);
        if (i % 2 == 0) world_restart(&t.w);
        world_run(&t.w);
        assert_true(alive(&t.w, t.a));
        assert_int_equal(told(&t.w, t.b, "[\\\"hi\\\""), 2);
        others_go_on(&t);
        world_close(&t.w);
    }
}

TEST(a_machine_that_cannot_be_started_or_saved)
{
    struct trio t;
    open_with(&t, (struct world_setup){ .snapshot_interval = 4 });
    struct world *w = &t.w;
    world_restart(w);
    queue_poke(w, t.a, "set k v");
    w->scripted.fail_start = true;
    expect_undone(w, "start");
    assert_int_equal(w->err.exit, EXIT_FAILED);
    assert_non_null(strstr(w->err.text, "bringing v3 online"));
    w->scripted.fail_start = false;
    world_run(w);
    assert_string_equal(key_text(w, "v3.vs.k"), "v");
    w->scripted.fail_snapshot = true;
    int ran = 1;
    for (unsigned i = 0; i < 5 && ran > 0; i++) {
        struct buf before = { 0 }, after = { 0 };
        queue_poke(w, t.a, "set k w");
        world_dump(w, &before);
        ran = world_step(w);
        world_dump(w, &after);
        if (ran < 0) assert_true(span_eq(buf_span(&before), buf_span(&after)));
        buf_fini(&before);
        buf_fini(&after);
    }
    assert_int_equal(ran, -1);
    assert_non_null(strstr(w->err.text, "saving a heap snapshot of v3"));
    w->scripted.fail_snapshot = false;
    world_run(w);
    assert_true(alive(w, t.a));
    world_close(w);
}

/* -- critical vats ----------------------------------------------------------------------------------------- */

TEST(a_critical_vat_takes_the_kernel_with_it_and_the_crank_is_undone)
{
    static const char *const ends[] = { "exit", "fail", "send o-99", "!meter", "!error oh" };
    for (size_t i = 0; i < 5; i++) {
        struct trio t;
        open_with(&t, (struct world_setup){ .critical = "a" });
        queue_poke(&t.w, t.a, ends[i]);
        expect_undone(&t.w, ends[i]);
        assert_int_equal(t.w.err.exit, EXIT_VAT);
        assert_non_null(strstr(t.w.err.text, "critical vat v3 failed"));
        world_restart(&t.w);
        assert_true(alive(&t.w, t.a));
        plan_clear(&t.w, t.a, "bringOutYourDead");
        world_run(&t.w);
        others_go_on(&t);
        world_close(&t.w);
    }
}

TEST(a_rejected_bootstrap_stops_the_kernel)
{
    struct world w;
    world_open(&w, &(struct world_setup){ .vats = { "a" } });
    kref p = queue_to_kref(w.kernel, root_of(&w, vat_named(&w, "a")), SPAN("x"),
                           pass_array(kernel_arena(w.kernel), 0, NULL), POLICY_PANIC);
    external_hold(w.kernel, &p, 1);
    plan(&w, vat_named(&w, "a"), "message", "reject @result");
    assert_int_equal(world_step(&w), 1);
    expect_undone(&w, "bootstrap");
    assert_int_equal(w.err.exit, EXIT_VAT);
    assert_non_null(strstr(w.err.text, "bootstrap failed"));
    world_close(&w);
}

/* -- making vats ------------------------------------------------------------------------------------------- */

TEST(a_vat_that_cannot_be_made_leaves_nothing)
{
    static const struct {
        const char *bundle, *options, *why;
    } bad[] = {
        { "broken", "", "no buildRootObject" },
        { "greedy", "", "setBundle failed" },
        { "auto", "'enableSetup':true", "xsnap: enableSetup not supported at all" },
        { "auto", "'useTranscript':false", "xsnap: useTranscript=false not supported" },
        { "auto", "'meterID':'m1'", "there is no such meter" },
        { "auto", "'managerType':'local'", "only xs-worker vats are supported" },
        { "auto", "'nodeOptions':'x'", "nodeOptions requires managerType" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (int with = 0; with < 2; with++) {
            struct trio t;
            char body[1024];
            open_trio(&t);
            struct world *w = &t.w;
            vat_id vat = { (uint32_t)state_need_u64(w->kernel, SPAN("vat.nextID")) };
            snprintf(body, sizeof body, "call d-70 createByBundleID #['%s',{%s%s%s}]%s",
                     bundle_named(bad[i].bundle), bad[i].options,
                     with && bad[i].options[0] != '\0' ? "," : "",
                     with ? "'vatParameters':{'x':'$0.Alleged:x'}" : "", with ? " o+5" : "");
            poke(w, w->boot, "%s", body);
            assert_false(alive(w, vat));
            assert_int_equal(told(w, w->admin, "vatTerminated"), 1);
            assert_int_equal(told(w, w->admin, "newVatCallback"), 0);
            if (told(w, w->admin, bad[i].why) != 1) fail_msg("%s: %s", bad[i].why, delivery_at(w, w->admin, -1));
            assert_string_equal(key_text(w, "vat.dynamicIDs"), "[]");
            assert_null(key_text(w, "v%u.options", vat.n));
            world_close(w);
        }
    }
}

TEST(a_vat_that_fails_to_start_leaves_nothing)
{
    static const char *const ends[] = { "!error no", "!meter", "send o-99", "fail o+3", "exit", "fail" };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct trio t;
        open_trio(&t);
        struct world *w = &t.w;
        vat_id vat = { (uint32_t)state_need_u64(w->kernel, SPAN("vat.nextID")) };
        char body[1024];
        snprintf(body, sizeof body, "call d-70 createByBundleID #['%s',{'vatParameters':{'x':'$0.Alleged:x'}}] o+5",
                 bundle_named("auto"));
        kv_set(w->store, key_vat_in(w->kernel, vat, "vs.plan.", SPAN("startVat")), span_of(ends[i]));
        poke(w, w->boot, "%s", body);
        assert_false(alive(w, vat));
        assert_int_equal(told(w, w->admin, "vatTerminated"), 1);
        assert_int_equal(told(w, w->admin, "newVatCallback"), 0);
        assert_null(warehouse_machine(w->kernel, vat));
        assert_string_equal(key_text(w, "vat.dynamicIDs"), "[]");
        world_close(w);
    }
}

TEST(the_device_refuses_what_it_cannot_do)
{
    static const char *const calls[] = {
        "createMeter #['+1','-1']", "createMeter #['+1',1]", "getMeter #['m1']", "getMeter #[1]",
        "addMeterRemaining #['m1','+1']", "setMeterThreshold #['m','+1']",
        "upgradeVat #['v3','b1',{}]", "upgradeVat #['v3',1,{},'why']", "upgradeVat #['x','b1',{},'why']",
        "createByBundle #['x',{}]", "createByBundle #[{},1]", "createByBundleID #['b0-none',{}]", "createByBundleID #[1,{}]",
        "createByBundleID #[]", "terminateWithFailure #['v3']", "terminateWithFailure #['x',1]",
        "changeOptions #['v3']", "getBundleCap #['b0-x']", "getNamedBundleCap #['none']",
        "forkVat #['v3']", "forkVat #['x',[],{}]", "forkVat #['v3',[],1]",
        "forkVat #['v3',[],{'meterID':7}]", "takeOffline #[]", "takeOffline #['x']", "zygotifyVat #[]", "zygotifyVat #['x']",
        "nonsense #[]", "getBundleCap nonsense", "getBundleCap #{}", "forkVat #['v3','$0.Alleged:x',{}] o+9",
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct trio t;
        open_trio(&t);
        uint64_t vats = state_need_u64(t.w.kernel, SPAN("vat.nextID"));
        poke(&t.w, t.w.boot, "call d-70 %s", calls[i]);
        assert_true(alive(&t.w, t.w.boot));
        assert_true(alive(&t.w, t.a));
        assert_int_equal(state_need_u64(t.w.kernel, SPAN("vat.nextID")), vats);
        buf_putc(&t.w.notes, '\0');
        if (strstr(t.w.notes.p, "vat-admin device") == NULL) fail_msg("%s: %s", calls[i], t.w.notes.p);
        if (world_litter(&t.w) > 0) fail_msg("%s: %.*s", calls[i], SPAN_ARG(buf_span(&t.w.breaches)));
        world_close(&t.w);
    }
}

/* -- a vat that ends vats ------------------------------------------------------------------------------------ */

TEST(a_vat_cannot_end_itself_through_the_device)
{
    struct trio t;
    open_trio(&t);
    poke(&t.w, t.w.boot, "call d-70 terminateWithFailure #['v1','me']\nset k v\nsend %s",
         name_for(&t.w, t.w.boot, root_of(&t.w, t.b)));
    assert_true(alive(&t.w, t.w.boot));
    assert_string_equal(key_text(&t.w, "v1.vs.k"), "v");
    others_go_on(&t);
    world_close(&t.w);
}

/* It ends another, and then its own delivery is undone: so is that. */
TEST(ending_a_vat_is_undone_with_the_delivery_that_asked_for_it)
{
    struct trio t;
    open_trio(&t);
    struct world *w = &t.w;
    vat_id d = create(w, "auto", "");
    poke(w, w->boot, "call d-70 terminateWithFailure #['v%u','x']\nsend o-99", d.n);
    assert_false(alive(w, w->boot));
    assert_true(alive(w, d));
    poke(w, d, "set k v");
    assert_string_equal(key_text(w, "v%u.vs.k", d.n), "v");
    poke(w, t.b, "send %s o+3", t.a_in_b);
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

/* -- replay ------------------------------------------------------------------------------------------------- */

/* Rewrite a's history: what it is told it asked for then is not what it asks for now. */
static void rewrite(struct world *w, vat_id vat, const char *item)
{
    transcript_add(w->store, span_of_vat(w->kernel, vat), span_of(item));
}

TEST(a_replay_that_diverges_is_an_integrity_error_naming_both_syscalls)
{
    static const struct {
        const char *item, *says, *says_too;
    } bad[] = {
        { "{\"d\":[\"bringOutYourDead\"],\"sc\":[{\"s\":[\"vatstoreGet\",\"other\"],\"r\":[\"ok\",null]}],"
          "\"r\":{\"status\":\"ok\"}}", "vatstoreGet\",\"other", "vatstoreGet\",\"plan.bringOutYourDead" },
        { "{\"d\":[\"bringOutYourDead\"],\"sc\":[],\"r\":{\"status\":\"ok\"}}", "recorded none",
          "plan.bringOutYourDead" },
        { "{\"d\":[\"bringOutYourDead\"],\"sc\":[{\"s\":[\"vatstoreGet\",\"plan.bringOutYourDead\"],"
          "\"r\":[\"ok\",null]},{\"s\":[\"subscribe\",\"p-60\"],\"r\":[\"ok\",null]}],"
          "\"r\":{\"status\":\"ok\"}}", "recorded [\"subscribe\",\"p-60\"]", "now none" },
        { "{\"d\":[\"bringOutYourDead\"],\"sc\":[{\"s\":[\"vatstoreGet\",\"plan.bringOutYourDead\"],"
          "\"r\":[\"ok\",\"!meter\"]},{\"s\":[\"vatstoreDelete\",\"plan.bringOutYourDead\"],"
          "\"r\":[\"ok\",null]}],\"r\":{\"status\":\"ok\"}}", "result: recorded {\"status\":\"ok\"}", "now Compute meter exceeded" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct trio t;
        struct transcript_bounds b;
        char position[32];
        open_trio(&t);
        struct world *w = &t.w;
        poke(w, t.a, "set k v");
        kernel_close(w->kernel);
        w->kernel = NULL;
        struct kernel_options o = { 0 };
        transcript_bounds(w->store, SPAN("v3"), &b);
        int failed = kernel_open(w->store, &w->port, &o, &w->kernel, &w->err);
        assert_int_equal(failed, 0);
        rewrite(w, t.a, bad[i].item);
        queue_poke(w, t.a, "set k w");
        expect_undone(w, bad[i].says);
        assert_int_equal(w->err.exit, EXIT_INTEGRITY);
        snprintf(position, sizeof position, "position %llu", (unsigned long long)b.end);
        if (strstr(w->err.text, bad[i].says) == NULL || strstr(w->err.text, bad[i].says_too) == NULL ||
            strstr(w->err.text, position) == NULL) {
            fail_msg("%s", w->err.text);
        }
        world_close(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_illegal_syscall_costs_the_vat_its_life_and_nobody_elses),
        cmocka_unit_test(what_an_illegal_delivery_did_is_undone),
        cmocka_unit_test(the_message_that_killed_a_vat_is_rejected),
        cmocka_unit_test(exit_keeps_what_was_done_and_tells_why),
        cmocka_unit_test(failing_undoes_what_was_done),
        cmocka_unit_test(failing_with_a_reference_made_in_the_same_delivery),
        cmocka_unit_test(a_reason_that_does_not_decode_is_replaced),
        cmocka_unit_test(a_vat_that_meets_a_limit_is_terminated_and_its_delivery_undone),
        cmocka_unit_test(a_vat_that_fails_in_the_delivery_before_a_snapshot_is_terminated),
        cmocka_unit_test(a_machine_that_dies_or_babbles_costs_its_crank_only),
        cmocka_unit_test(a_machine_that_cannot_be_started_or_saved),
        cmocka_unit_test(a_critical_vat_takes_the_kernel_with_it_and_the_crank_is_undone),
        cmocka_unit_test(a_rejected_bootstrap_stops_the_kernel),
        cmocka_unit_test(a_vat_that_cannot_be_made_leaves_nothing),
        cmocka_unit_test(a_vat_that_fails_to_start_leaves_nothing),
        cmocka_unit_test(the_device_refuses_what_it_cannot_do),
        cmocka_unit_test(a_vat_cannot_end_itself_through_the_device),
        cmocka_unit_test(ending_a_vat_is_undone_with_the_delivery_that_asked_for_it),
        cmocka_unit_test(a_replay_that_diverges_is_an_integrity_error_naming_both_syscalls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
