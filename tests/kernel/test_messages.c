/* Where messages go, and what becomes of promises. */
#include <stdio.h>

#include "world.h"

struct trio {
    struct world w;
    vat_id a, b, c;
    char b_in_a[16], c_in_a[16], a_in_b[16], c_in_b[16], a_in_c[16], b_in_c[16];
};

static void open_trio(struct trio *t, struct world_setup s)
{
    s.vats[0] = "a";
    s.vats[1] = "b";
    s.vats[2] = "c";
    s.puppets = true;
    struct world *w = &t->w;
    world_open(w, &s);
    t->a = vat_named(w, "a");
    t->b = vat_named(w, "b");
    t->c = vat_named(w, "c");
    strcpy(t->b_in_a, name_for(w, t->a, root_of(w, t->b)));
    strcpy(t->c_in_a, name_for(w, t->a, root_of(w, t->c)));
    strcpy(t->a_in_b, name_for(w, t->b, root_of(w, t->a)));
    strcpy(t->c_in_b, name_for(w, t->b, root_of(w, t->c)));
    strcpy(t->a_in_c, name_for(w, t->c, root_of(w, t->a)));
    strcpy(t->b_in_c, name_for(w, t->c, root_of(w, t->b)));
}

static void close_trio(struct trio *t)
{
    assert_int_equal(world_litter(&t->w), 0);
    world_close(&t->w);
}

static bool last_is(struct world *w, vat_id vat, const char *text)
{
    const char *d = delivery_at(w, vat, -1);
    if (strncmp(d, text, strlen(text)) == 0) return true;
    print_error("last delivery: %s\n", d);
    return false;
}

/* -- routing ------------------------------------------------------------------------------------- */

TEST(a_message_goes_to_the_owner_and_its_result_comes_back)
{
    struct trio t;
    open_trio(&t, (struct world_setup){ 0 });
    poke(&t.w, t.a, "send %s o+1 -> p+1\nsubscribe p+1", t.b_in_a);
    assert_true(last_is(&t.w, t.b, "[\"message\",\"o+0\",{\"methargs\":{\"body\":\"#[\\\"hi\\\",[\\\"$0.Alleged: x\\\"]]\","
                                    "\"slots\":[\"o-54\"]},\"result\":\"p-60\"}]"));
    poke(&t.w, t.b, "resolve p-60 o-54 o+7");
    assert_true(last_is(&t.w, t.a, "[\"notify\",[[\"p+1\",false,{\"body\":\"#[\\\"$0.Alleged: x\\\",\\\"$1.Alleged: x\\\"]\","
                                    "\"slots\":[\"o+1\",\"o-54\"]}]]]"));
    assert_int_equal(meant(&t.w, t.a, "p+1").kind, KREF_INVALID);
    assert_int_equal(meant(&t.w, t.b, "p-60").kind, KREF_INVALID);
    close_trio(&t);
}

TEST(a_message_to_the_dead_is_rejected)
{
    struct trio t;
    open_trio(&t, (struct world_setup){ 0 });
    terminate(&t.w, t.b);
    poke(&t.w, t.a, "send %s o+1 p+7 -> p+1\nsubscribe p+1\nsend %s", t.b_in_a, t.b_in_a);
    assert_true(last_is(&t.w, t.a, "[\"notify\",[[\"p+1\",true,{\"body\":\"#{\\\"#error\\\":\\\"vat terminated\\\",\\\"name\\\":\\\"Error\\\"}\""));
    assert_int_equal(told(&t.w, t.a, "[\"retireExports\",[\"o+1\"]]"), 1);
    close_trio(&t);
}

/* On the run queue when its target dies. */
TEST(a_message_whose_target_dies_while_it_waits)
{
    struct trio t;
    open_trio(&t, (struct world_setup){ 0 });
    plan(&t.w, t.b, "message", "exit");
    poke(&t.w, t.a, "send %s\nsend %s o+1 -> p+1\nsubscribe p+1", t.b_in_a, t.b_in_a);
    assert_int_equal(told(&t.w, t.a, "vat terminated"), 1);
    close_trio(&t);
}

TEST(data_is_not_callable)
{
    static const struct {
        const char *settle, *says;
    } cases[] = {
        { "data p-60", "data is not callable, has no method hi" },
        { "resolve p-60", "data is not callable, has no method hi" },
        { "resolve p-60 o+1", "data is not callable, has no method hi" },
        { "reject p-60 o+1", "\"p+2\",true,{\"body\":\"#[\\\"$0.Alleged: x\\\"]\"" },
    };
    for (size_t i = 0; i < 4; i++) {
        struct trio t;
        open_trio(&t, (struct world_setup){ 0 });
        poke(&t.w, t.a, "send %s -> p+1", t.b_in_a);
        if (i % 2 == 0) poke(&t.w, t.b, "%s", cases[i].settle);
        poke(&t.w, t.a, "send p+1 o+1 -> p+2\nsubscribe p+2");
        if (i % 2 == 1) poke(&t.w, t.b, "%s", cases[i].settle);
        if (told(&t.w, t.a, cases[i].says) != 1) fail_msg("%s: %s", cases[i].settle, delivery_at(&t.w, t.a, -1));
        close_trio(&t);
    }
}

TEST(a_message_without_a_readable_method_is_refused_all_the_same)
{
    static const char *const bodies[] = { "#1", "#[]", "#[1,2]", "nonsense", "" };
    for (size_t i = 0; i < 5; i++) {
        struct trio t;
        open_trio(&t, (struct world_setup){ 0 });
        poke(&t.w, t.a, "send %s -> p+1\nsubscribe p+1", t.b_in_a);
        poke(&t.w, t.b, "data p-60");
        poke(&t.w, t.a, "send %s p+9", t.b_in_a);
        poke(&t.w, t.a, "data p+9");
        poke(&t.w, t.b, "['send','p-61',{'methargs':{'body':'%s','slots':[]},'result':'p+5'}]\nsubscribe p+5", bodies[i]);
        if (told(&t.w, t.b, "data is not callable") != 1) fail_msg("%s", delivery_at(&t.w, t.b, -1));
        close_trio(&t);
    }
}

TEST(messages_wait_on_a_promise_and_then_go_where_it_leads_in_order)
{
    struct trio t;
    open_trio(&t, (struct world_setup){ 0 });
    poke(&t.w, t.a, "send %s -> p+1", t.b_in_a);
    poke(&t.w, t.a, "send p+1 o+1 -> p+2\nsend p+1 o+2\nsend p+2 o+3 -> p+3\nsubscribe p+3");
    assert_int_equal(told(&t.w, t.b, "[\"message\""), 2); /* introduction, and the first */
    assert_int_equal(told(&t.w, t.c, "[\"message\""), 1);
    poke(&t.w, t.b, "become p-60 %s", t.c_in_b);
    assert_int_equal(told(&t.w, t.b, "[\"message\""), 2);
    assert_int_equal(told(&t.w, t.c, "[\"message\""), 3);
    assert_true(strstr(delivery_at(&t.w, t.c, -1), "\"result\":null") != NULL);
    assert_int_equal(told(&t.w, t.c, "\"slots\":[\"o-54\"]},\"result\":\"p-60\""), 1);
    poke(&t.w, t.c, "become p-60 o+9");
    assert_true(last_is(&t.w, t.c, "[\"message\",\"o+9\""));
    poke(&t.w, t.c, "reject p-61");
    assert_true(last_is(&t.w, t.a, "[\"notify\",[[\"p+3\",true"));
    close_trio(&t);
}

TEST(a_rejection_runs_down_a_chain_of_messages)
{
    struct trio t;
    open_trio(&t, (struct world_setup){ 0 });
    poke(&t.w, t.a, "send %s -> p+1\nsend p+1 -> p+2\nsend p+2 -> p+3\nsend p+3 o+1 -> p+4\nsubscribe p+4\nsubscribe p+1", t.b_in_a);
    poke(&t.w, t.b, "reject p-60 o+6");
    assert_int_equal(told(&t.w, t.a, "[\"p+1\",true"), 1);
    assert_int_equal(told(&t.w, t.a, "[\"p+4\",true,{\"body\":\"#[\\\"$0.Alleged: x\\\"]\""), 1);
    assert_int_equal(told(&t.w, t.b, "[\"message\""), 2);
    close_trio(&t);
}

TEST(a_pipelining_vat_gets_messages_to_its_unresolved_promises)
{
    struct trio t;
    open_trio(&t, (struct world_setup){ .pipelining = "b" });
    poke(&t.w, t.a, "send %s -> p+1\nsend p+1 o+1 -> p+2\nsubscribe p+2", t.b_in_a);
    assert_true(last_is(&t.w, t.b, "[\"message\",\"p-60\",{\"methargs\""));
    poke(&t.w, t.b, "send %s -> p-61", t.c_in_b); /* passes the promise on */
    assert_true(last_is(&t.w, t.c, "[\"message\",\"o+0\""));
    poke(&t.w, t.b, "data p-60");
    poke(&t.w, t.c, "data p-60");
    assert_true(last_is(&t.w, t.a, "[\"notify\",[[\"p+2\",false"));
    close_trio(&t);
}

/* b gets messages to a promise of its own; those still there when it dies are rejected. */
TEST(a_pipelining_vat_that_dies)
{
    struct trio t;
    open_trio(&t, (struct world_setup){ .pipelining = "b" });
    poke(&t.w, t.a, "send %s -> p+1\nsubscribe p+1\nsend p+1 -> p+2\nsubscribe p+2", t.b_in_a);
    queue_poke(&t.w, t.a, "send p+1 o+1 -> p+3\nsubscribe p+3");
    assert_int_equal(world_step(&t.w), 1);
    queue_poke(&t.w, t.b, "exit");
    world_run(&t.w);
    assert_int_equal(told(&t.w, t.a, "vat terminated"), 3);
    close_trio(&t);
}

/* -- promises --------------------------------------------------------------------------------------- */

TEST(a_notify_tells_of_all_settled_promises_its_data_reaches_cycles_included)
{
    struct trio t;
    open_trio(&t, (struct world_setup){ 0 });
    poke(&t.w, t.a, "send %s p+1 p+2 p+3 p+4", t.b_in_a);
    poke(&t.w, t.b, "subscribe p-60");
    poke(&t.w, t.a, "['resolve',[['p+1',false,{'body':'#[\\'&0\\',\\'&1\\']','slots':['p+2','p+4']}],"
                    "['p+2',true,{'body':'#[\\'&0\\',\\'&1\\']','slots':['p+3','p+2']}],"
                    "['p+3',false,{'body':'#[\\'&0\\']','slots':['p+1']}]]]");
    assert_true(last_is(&t.w, t.b, "[\"notify\",[[\"p-60\",false,{\"body\":\"#[\\\"&0\\\",\\\"&1\\\"]\",\"slots\":[\"p-61\",\"p-63\"]}],"
                                    "[\"p-61\",true,{\"body\":\"#[\\\"&0\\\",\\\"&1\\\"]\",\"slots\":[\"p-62\",\"p-61\"]}],"
                                    "[\"p-62\",false,{\"body\":\"#[\\\"&0\\\"]\",\"slots\":[\"p-60\"]}]]]"));
    assert_int_equal(meant(&t.w, t.b, "p-60").kind, KREF_INVALID);
    assert_int_equal(meant(&t.w, t.b, "p-62").kind, KREF_INVALID);
    assert_int_equal(meant(&t.w, t.b, "p-63").kind, KREF_PROMISE);
    poke(&t.w, t.a, "data p+4");
    world_close(&t.w);
}

TEST(a_long_chain_of_promises_is_told_in_one_notify)
{
    enum { LENGTH = 20 };
    struct trio t;
    struct buf send = { 0 }, resolve = { 0 };
    open_trio(&t, (struct world_setup){ 0 });
    buf_puts(&resolve, "[\"resolve\",[");
    for (int i = 0; i < LENGTH; i++) {
        buf_printf(&send, " p+%d", i + 1);
        buf_printf(&resolve, "%s[\"p+%d\",false,{\"body\":\"#[\\\"&0\\\"]\",\"slots\":[\"p+%d\"]}]", i > 0 ? "," : "", i + 1,
                   i + 2);
    }
    buf_puts(&resolve, "]]");
    buf_putc(&send, '\0');
    buf_putc(&resolve, '\0');
    poke(&t.w, t.a, "send %s%s", t.b_in_a, send.p);
    poke(&t.w, t.b, "subscribe p-60");
    poke(&t.w, t.a, "%s", resolve.p);
    poke(&t.w, t.a, "data p+%d", LENGTH + 1);
    assert_int_equal(told(&t.w, t.b, "[\"notify\",[[\"p-60\""), 1);
    assert_int_equal(told(&t.w, t.b, "[\"p-79\",false"), 1);
    buf_fini(&send);
    buf_fini(&resolve);
    close_trio(&t);
}

TEST(subscribers_are_told_once_each_late_ones_too)
{
    struct trio t;
    open_trio(&t, (struct world_setup){ 0 });
    poke(&t.w, t.a, "send %s p+1\nsend %s p+1\nsubscribe p+1\nsubscribe p+1", t.b_in_a, t.c_in_a);
    poke(&t.w, t.b, "subscribe p-60\nsubscribe p-60");
    poke(&t.w, t.a, "resolve p+1 o+1");
    assert_int_equal(told(&t.w, t.b, "[\"notify\""), 1);
    assert_int_equal(told(&t.w, t.c, "[\"notify\""), 0);
    assert_int_equal(told(&t.w, t.a, "[\"notify\""), 0); /* who resolves knows */
    poke(&t.w, t.c, "subscribe p-60\nsubscribe p-60");
    assert_int_equal(told(&t.w, t.c, "[\"notify\""), 1);
    close_trio(&t);
}

TEST(promises_of_the_dead_are_rejected)
{
    struct trio t;
    open_trio(&t, (struct world_setup){ 0 });
    poke(&t.w, t.a, "send %s p+1 p+2 -> p+3\nsubscribe p+3", t.b_in_a);
    poke(&t.w, t.b, "subscribe p-60\nsend p-61 o+1 -> p+1\nsubscribe p+1");
    terminate(&t.w, t.a);
    assert_int_equal(told(&t.w, t.b, "vat terminated"), 2);
    poke(&t.w, t.b, "subscribe p-61\ndata p-62");
    assert_int_equal(told(&t.w, t.b, "vat terminated"), 3);
    close_trio(&t);
}

TEST(the_host_sends_and_takes_the_answer)
{
    struct trio t;
    open_trio(&t, (struct world_setup){ 0 });
    struct world *w = &t.w;
    struct capdata data;
    struct err e;
    kref root;
    assert_int_equal(kernel_find(w->kernel, SPAN("b"), &root, &e), 0);
    assert_int_equal(kernel_find(w->kernel, SPAN("nobody"), &root, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
    assert_int_equal(kernel_find(w->kernel, SPAN("v99"), &root, &e), -1);
    assert_int_equal(kernel_find(w->kernel, SPAN("ko999"), &root, &e), -1);
    assert_int_equal(kernel_find(w->kernel, SPAN("v4"), &root, &e), 0);
    kref p = kernel_send(w->kernel, root, SPAN("ask"), pass_array(kernel_arena(w->kernel), 0, NULL));
    world_run(w);
    assert_false(kernel_promise_take(w->kernel, p, &data));
    assert_int_equal(kernel_promise_state(w->kernel, p), PROMISE_UNRESOLVED);
    poke(w, t.b, "resolve p-60 o+4");
    assert_true(kernel_promise_take(w->kernel, p, &data));
    assert_int_equal(data.count, 1);
    kref held = data.slots[0];
    world_run(w);
    poke(w, t.b, "set k v");
    assert_int_equal(kernel_promise_state(w->kernel, p), PROMISE_UNKNOWN);
    assert_string_equal(key_text(w, "%s.refCount", kref_text(held).s), "1,1");
    close_trio(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_goes_to_the_owner_and_its_result_comes_back),
        cmocka_unit_test(a_message_to_the_dead_is_rejected),
        cmocka_unit_test(a_message_whose_target_dies_while_it_waits),
        cmocka_unit_test(data_is_not_callable),
        cmocka_unit_test(a_message_without_a_readable_method_is_refused_all_the_same),
        cmocka_unit_test(messages_wait_on_a_promise_and_then_go_where_it_leads_in_order),
        cmocka_unit_test(a_rejection_runs_down_a_chain_of_messages),
        cmocka_unit_test(a_pipelining_vat_gets_messages_to_its_unresolved_promises),
        cmocka_unit_test(a_pipelining_vat_that_dies),
        cmocka_unit_test(a_notify_tells_of_all_settled_promises_its_data_reaches_cycles_included),
        cmocka_unit_test(a_long_chain_of_promises_is_told_in_one_notify),
        cmocka_unit_test(subscribers_are_told_once_each_late_ones_too),
        cmocka_unit_test(promises_of_the_dead_are_rejected),
        cmocka_unit_test(the_host_sends_and_takes_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
