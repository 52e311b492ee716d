/* Devices, called by a vat and by the host: state, messages, what fails, what a restart and an
 * undone crank leave.  (Equality with upstream is the scenarios' part: device-*.) */
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

/* What the host's side was told, a line each. */
struct host {
    struct device_host side;
    struct buf log;
    const char *answer; /* of the bridge; NULL: it throws */
};

static int on_bridge(void *self, struct span device, struct span args, struct buf *answer)
{
    struct host *h = self;
    buf_printf(&h->log, "%.*s %.*s\n", SPAN_ARG(device), SPAN_ARG(args));
    if (h->answer == NULL) return -1;
    buf_puts(answer, h->answer);
    return 0;
}

static void on_broadcast(void *self, struct span device, struct span text)
{
    struct host *h = self;
    buf_printf(&h->log, "%.*s all %.*s\n", SPAN_ARG(device), SPAN_ARG(text));
}

static void on_response(void *self, struct span device, uint64_t count, bool rejected, struct span text)
{
    struct host *h = self;
    buf_printf(&h->log, "%.*s %llu %s %.*s\n", SPAN_ARG(device), (unsigned long long)count,
               rejected ? "no" : "yes", text.p != NULL ? (int)text.n : 9, text.p != NULL ? text.p : "undefined");
}

static void open_with(struct world *w, struct host *h, const char *device, const char *options)
{
    *h = (struct host){ .side = { .self = h, .bridge_outbound = on_bridge,
                                  .command_broadcast = on_broadcast, .command_response = on_response,
                                  .loopbox = LOOPBOX_QUEUED } };
    world_open(w, &(struct world_setup){ .vats = { "a" }, .devices = { { device, options } },
                                         .host = &h->side });
}

static void close_all(struct world *w, struct host *h)
{
    world_close(w);
    buf_fini(&h->log);
}

/* The boot vat calls node `node`: ' stands for " in the body. */
static void call_line(char *out, size_t room, const char *node, const char *method, const char *body,
                      const char *slots)
{
    size_t n = (size_t)snprintf(out, room, "['callNow','%s','%s',{'body':'#", node, method);
    for (const char *p = body; *p != '\0'; p++) {
        n += (size_t)snprintf(out + n, room - n, *p == '\'' ? "\\'" : "%c", *p);
    }
    snprintf(out + n, room - n, "','slots':[%s]}]", slots);
}

static void call(struct world *w, const char *method, const char *body, const char *slots)
{
    char line[1024];
    call_line(line, sizeof line, "d-70", method, body, slots);
    poke(w, w->boot, "%s", line);
}

#define THROWS "[\"error\",\"device.invoke failed, see logs for details\"]"

/* The result of the vat's last call, as its transcript has it. */
static const char *result(struct world *w)
{
    const char *at = calls_at(w, w->boot, -1), *r = NULL;
    while ((at = strstr(at, ",\"r\":[")) != NULL) r = at += 5;
    assert_non_null(r);
    return r;
}

#define assert_result(w, text) \
    assert_int_equal(strncmp(result(w), "[\"ok\",{\"body\":\"" text, strlen("[\"ok\",{\"body\":\"" text)), 0)
#define assert_throws(w) assert_int_equal(strncmp(result(w), THROWS, strlen(THROWS)), 0)

static const char *state(struct world *w)
{
    return key_text(w, "d7.deviceState");
}

static bool poll(struct world *w, uint64_t now)
{
    bool woke = false;
    struct err e;
    if (kernel_timer_poll(w->kernel, SPAN_NONE, now, &woke, &e) != 0) fail_msg("%s", e.text);
    return woke;
}

/* -- the timer ----------------------------------------------------------------------------- */

#define TIMER(polled, next, repeaters, deadlines, slots) \
    "{\"body\":\"#{\\\"deadlines\\\":[" deadlines "],\\\"lastPolled\\\":\\\"+" polled \
    "\\\",\\\"nextRepeater\\\":" next ",\\\"repeaters\\\":[" repeaters "]}\",\"slots\":[" slots "]}"
#define AT(time, handlers) "{\\\"handlers\\\":[" handlers "],\\\"time\\\":\\\"+" time "\\\"}"
#define WAKE(slot) "{\\\"handler\\\":\\\"" slot "\\\"}"

static void a_wakeup_is_saved_and_comes_after_its_time(void **unused)
{
    struct world w;
    struct host h;
    (void)unused;
    open_with(&w, &h, "timer", NULL);
    assert_null(state(&w));
    call(&w, "setWakeup", "['+5','$0.Alleged: h']", "'o+7'");
    assert_result(&w, "#\\\"+5\\\"");
    assert_string_equal(state(&w), TIMER("0", "0", "", AT("5", WAKE("$0.Alleged: h")), "\"o-10\""));
    /* numbers are times as well; another interface does not change what the first one was */
    call(&w, "setWakeup", "[3,'$0.Alleged: other']", "'o+7'");
    assert_result(&w, "#\\\"+3\\\"");
    assert_string_equal(state(&w), TIMER("0", "0", "", AT("3", WAKE("$0.Alleged: h")) "," AT("5", WAKE("$0")),
                                         "\"o-10\""));
    assert_false(poll(&w, 2));
    assert_true(poll(&w, 3));
    assert_string_equal(state(&w), TIMER("3", "0", "", AT("5", WAKE("$0.Alleged: h")), "\"o-10\""));
    world_run(&w);
    assert_int_equal(told(&w, w.boot, "[\\\"wake\\\",[\\\"+3\\\"]]"), 1);
    world_restart(&w);
    assert_true(poll(&w, 100));
    world_run(&w);
    assert_int_equal(told(&w, w.boot, "[\\\"wake\\\",[\\\"+5\\\"]]"), 1);
    assert_string_equal(state(&w), TIMER("100", "0", "", "", ""));
    close_all(&w, &h);
}

static void time_does_not_run_backwards(void **unused)
{
    struct world w;
    struct host h;
    struct err e;
    bool woke;
    (void)unused;
    open_with(&w, &h, "timer", NULL);
    assert_false(poll(&w, 9));
    assert_false(poll(&w, 9));
    assert_int_equal(kernel_timer_poll(w.kernel, SPAN_NONE, 8, &woke, &e), -1);
    assert_int_equal(e.exit, EXIT_FAILED);
    call(&w, "getLastPolled", "[]", "");
    assert_result(&w, "#\\\"+9\\\"");
    assert_int_equal(kernel_timer_poll(w.kernel, SPAN("clock"), 10, &woke, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
    close_all(&w, &h);
}

static void a_repeater_comes_again_until_it_is_deleted(void **unused)
{
    struct world w;
    struct host h;
    (void)unused;
    open_with(&w, &h, "timer", NULL);
    call(&w, "makeRepeater", "['+1','+10']", "");
    assert_result(&w, "#0\"");
    call(&w, "schedule", "[0,'$0.Alleged: h']", "'o+7'");
    assert_result(&w, "#\\\"+11\\\""); /* 0 + 10 - (0 - 1) % 10 */
    assert_true(poll(&w, 25));
    call(&w, "deleteRepeater", "[0]", "");
    assert_string_equal(state(&w), TIMER("25", "1", "\\\"#undefined\\\"",
                                         AT("31", "{\\\"handler\\\":\\\"$0.Alleged: h\\\",\\\"index\\\":0}"), "\"o-10\""));
    assert_true(poll(&w, 40));
    assert_string_equal(state(&w), TIMER("40", "1", "\\\"#undefined\\\"", "", ""));
    world_run(&w);
    call(&w, "schedule", "[0,'$0.Alleged: h']", "'o+7'");
    assert_throws(&w);
    call(&w, "schedule", "[7,'$0.Alleged: h']", "'o+7'");
    assert_throws(&w);
    close_all(&w, &h);
}

static void a_handler_is_removed_wherever_it_waits(void **unused)
{
    struct world w;
    struct host h;
    (void)unused;
    open_with(&w, &h, "timer", NULL);
    call(&w, "setWakeup", "['+5','$0.Alleged: h']", "'o+7'");
    call(&w, "setWakeup", "['+5','$0.Alleged: i']", "'o+8'");
    call(&w, "setWakeup", "['+9','$0.Alleged: h']", "'o+7'");
    call(&w, "setWakeup", "['+5','$0.Alleged: h']", "'o+7'");
    call(&w, "removeWakeup", "['$0.Alleged: h']", "'o+7'");
    assert_result(&w, "#[\\\"+5\\\",\\\"+5\\\",\\\"+9\\\"]");
    assert_string_equal(state(&w), TIMER("0", "0", "", AT("5", WAKE("$0.Alleged: i")), "\"o-11\""));
    close_all(&w, &h);
}

static void bad_arguments_throw_and_say_why(void **unused)
{
    static const char *const bad[][2] = {
        { "setWakeup", "['-5',1]" },      { "setWakeup", "[1.5,1]" },      { "setWakeup", "[]" },
        { "setWakeup", "[-1]" },          { "setWakeup", "['soon']" },     { "makeRepeater", "[1]" },
        { "makeRepeater", "[1,'+x']" },   { "schedule", "[]" },            { "nothing", "[]" },
        { "deleteRepeater", "['length']" }, { "setWakeup", "{'length':2}" },
        { "setWakeup", "['+99999999999999999999999999999999999999',1]" },
    };
    struct world w;
    struct host h;
    (void)unused;
    open_with(&w, &h, "timer", NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_reset(&w.notes);
        call(&w, bad[i][0], bad[i][1], "");
        assert_throws(&w);
        buf_putc(&w.notes, '\0');
        assert_non_null(strstr(w.notes.p, "device timer: "));
    }
    assert_null(state(&w));
    close_all(&w, &h);
}

static void an_array_of_repeaters_with_holes_is_never_saved(void **unused)
{
    struct world w;
    struct host h;
    (void)unused;
    open_with(&w, &h, "timer", NULL);
    call(&w, "makeRepeater", "['+1','+10']", "");
    const char *before = strdup(state(&w));
    call(&w, "deleteRepeater", "[4294967294]", "");
    assert_throws(&w);
    call(&w, "setWakeup", "['+5','$0.Alleged: h']", "'o+7'");
    assert_throws(&w);
    assert_string_equal(state(&w), before);
    world_restart(&w);
    call(&w, "makeRepeater", "['+1','+10']", "");
    assert_result(&w, "#1\"");
    free((void *)before);
    close_all(&w, &h);
}

static void what_no_object_is_woken_by_is_lost_with_those_behind_it(void **unused)
{
    struct world w;
    struct host h;
    struct err e;
    bool woke;
    (void)unused;
    open_with(&w, &h, "timer", NULL);
    call(&w, "setWakeup", "['+5',['not an object']]", "");
    call(&w, "setWakeup", "['+6','$0.Alleged: h']", "'o+7'");
    assert_int_equal(kernel_timer_poll(w.kernel, SPAN_NONE, 7, &woke, &e), -1);
    assert_false(poll(&w, 8));
    assert_string_equal(state(&w), TIMER("8", "0", "", "", ""));
    close_all(&w, &h);
}

static void what_an_undone_crank_asked_for_is_forgotten(void **unused)
{
    struct world w;
    struct host h;
    char line[1024];
    (void)unused;
    open_with(&w, &h, "timer", NULL);
    plan(&w, vat_named(&w, "a"), "message", "send o-50 o+3");
    /* a learns of the device from boot, calls it, and then dies of an illegal syscall */
    plan(&w, vat_named(&w, "a"), "message", "subscribe p-99");
    call_line(line, sizeof line, "d-70", "setWakeup", "['+5','$0.Alleged: h']", "'o+9'");
    plan(&w, vat_named(&w, "a"), "message", "%s\nsubscribe p-99", line);
    poke(&w, w.boot, "send %s d-70", name_for(&w, w.boot, root_of(&w, vat_named(&w, "a"))));
    assert_int_equal(vat_is_alive(w.kernel, (vat_id){ 3 }), false);
    assert_null(state(&w));
    assert_string_equal(key_text(&w, "d7.o.nextID"), "10");
    assert_false(poll(&w, 6));
    /* the name it had goes to another object, of another interface */
    call(&w, "setWakeup", "['+7','$0.Alleged: mine']", "'o+7'");
    assert_string_equal(state(&w), TIMER("6", "0", "", AT("7", WAKE("$0.Alleged: mine")), "\"o-10\""));
    assert_true(poll(&w, 7));
    world_run(&w);
    assert_int_equal(told(&w, w.boot, "[\\\"wake\\\",[\\\"+7\\\"]]"), 1);
    close_all(&w, &h);
}

/* -- values, of any slots device -------------------------------------------------------------- */

static void a_device_is_given_objects_only(void **unused)
{
    struct world w;
    struct host h;
    (void)unused;
    open_with(&w, &h, "timer", NULL);
    call(&w, "setWakeup", "['+5','$0.Alleged: d']", "'d-71'"); /* the vat-admin device */
    assert_throws(&w);
    assert_string_equal(key_text(&w, "d7.d.nextID"), "21"); /* it has a name all the same */
    call(&w, "setWakeup", "['+5','$0.whatever']", "'o+7'");
    assert_throws(&w);
    call(&w, "setWakeup", "['+5','$0.Remotable']", "'o+7'"); /* that was not its interface */
    assert_string_equal(state(&w), TIMER("0", "0", "", AT("5", WAKE("$0.Remotable")), "\"o-10\""));
    call(&w, "setWakeup", "['+5','$0']", "'o+8'"); /* now it has none, and never will */
    assert_throws(&w);
    call(&w, "setWakeup", "['+5','$0.Alleged: x']", "'o+8'");
    assert_throws(&w);
    world_restart(&w);
    call(&w, "setWakeup", "['+5','$0.Alleged: x']", "'o+8'");
    assert_result(&w, "#\\\"+5\\\"");
    close_all(&w, &h);
}

static void nodes_have_what_every_far_object_has(void **unused)
{
    struct world w;
    struct host h;
    (void)unused;
    open_with(&w, &h, "bridge", NULL);
    call(&w, "__getMethodNames__", "[]", "");
    assert_result(&w, "#[\\\"__getMethodNames__\\\",\\\"callOutbound\\\",\\\"registerInboundHandler\\\","
                      "\\\"unregisterInboundHandler\\\"]");
    call(&w, "toString", "[]", "");
    assert_result(&w, "#\\\"[object Alleged: root]\\\"");
    call(&w, "valueOf", "[]", "");
    assert_result(&w, "#\\\"$0.Alleged: root\\\"\",\"slots\":[\"d-70\"]");
    close_all(&w, &h);
}

static void errors_in_a_state_are_counted_as_they_are_sent(void **unused)
{
    struct world w;
    struct host h;
    (void)unused;
    open_with(&w, &h, "command", NULL);
    call(&w, "registerInboundHandler", "[{'#error':'no','name':'TypeError','errorId':'x'}]", "");
    assert_string_equal(state(&w), "{\"body\":\"#{\\\"inboundHandler\\\":{\\\"#error\\\":\\\"no\\\",\\\"errorId\\\":"
                                   "\\\"error:device:command#50001\\\",\\\"name\\\":\\\"TypeError\\\"}}\",\"slots\":[]}");
    call(&w, "registerInboundHandler", "[['$0.Alleged: h',{'#error':'no','name':'Odd'}]]", "'o+7'");
    assert_non_null(strstr(state(&w), "\\\"errorId\\\":\\\"error:device:command#50002\\\",\\\"name\\\":\\\"Error\\\""));
    close_all(&w, &h);
}

/* -- the others ------------------------------------------------------------------------------------ */

static void a_bridge_calls_both_ways(void **unused)
{
    struct world w;
    struct host h;
    struct err e;
    (void)unused;
    open_with(&w, &h, "bridge", NULL);
    assert_int_equal(kernel_bridge_inbound(w.kernel, SPAN_NONE, SPAN("[1]"), &e), -1);
    h.answer = "{\"b\":[1.50,null],\"a\":\"#\"}";
    call(&w, "callOutbound", "['+7','#undefined','$0.Alleged: x',{'a':'#undefined','b':'#NaN'},'%sym']", "'o+7'");
    assert_result(&w, "#{\\\"a\\\":\\\"!#\\\",\\\"b\\\":[1.5,null]}\"");
    h.answer = "";
    call(&w, "callOutbound", "[]", "");
    assert_result(&w, "#\\\"#undefined\\\"");
    h.answer = "{";
    call(&w, "callOutbound", "[]", "");
    assert_throws(&w);
    h.answer = NULL;
    call(&w, "callOutbound", "[]", "");
    assert_throws(&w);
    buf_putc(&h.log, '\0');
    assert_string_equal(h.log.p, "bridge [\"7\",null,{},{\"b\":null},null]\nbridge []\nbridge []\nbridge []\n");

    call(&w, "registerInboundHandler", "['$0.Alleged: h']", "'o+7'");
    assert_string_equal(state(&w), "{\"body\":\"#{\\\"inboundHandler\\\":\\\"$0.Alleged: x\\\"}\",\"slots\":[\"o-10\"]}");
    call(&w, "registerInboundHandler", "['$0.Alleged: h']", "'o+7'");
    assert_throws(&w);
    world_restart(&w);
    assert_int_equal(kernel_bridge_inbound(w.kernel, SPAN_NONE, SPAN("{}"), &e), -1);
    assert_int_equal(kernel_bridge_inbound(w.kernel, SPAN_NONE, SPAN("[{\"b\":1,\"a\":\"+\"}]"), &e), 0);
    world_run(&w);
    assert_int_equal(told(&w, w.boot, "[\\\"inbound\\\",[{\\\"a\\\":\\\"!+\\\",\\\"b\\\":1}]]"), 1);
    call(&w, "unregisterInboundHandler", "[]", "");
    assert_string_equal(state(&w), "{\"body\":\"#{\\\"inboundHandler\\\":\\\"#undefined\\\"}\",\"slots\":[]}");
    close_all(&w, &h);
}

static void commands_are_counted_and_answered(void **unused)
{
    struct world w;
    struct host h;
    struct err e;
    uint64_t count = 9;
    (void)unused;
    open_with(&w, &h, "command", NULL);
    assert_int_equal(kernel_command_inbound(w.kernel, SPAN_NONE, SPAN("1"), &count, &e), -1);
    assert_int_equal(count, 0);
    call(&w, "registerInboundHandler", "['$0.Alleged: h']", "'o+7'");
    assert_int_equal(kernel_command_inbound(w.kernel, SPAN_NONE, SPAN("{\"x\":1}"), &count, &e), 0);
    assert_int_equal(count, 1);
    world_run(&w);
    assert_int_equal(told(&w, w.boot, "[\\\"inbound\\\",[\\\"+1\\\",{\\\"x\\\":1}]]"), 1);
    call(&w, "sendResponse", "[1,false,{'y':[2]}]", "");
    call(&w, "sendResponse", "['+1','yes']", "");
    call(&w, "sendResponse", "[2,false,1]", "");     /* never asked */
    call(&w, "sendResponse", "['x',false,1]", "");
    call(&w, "sendResponse", "[1,false,'+5']", "");  /* no JSON */
    call(&w, "sendBroadcast", "[[1,'$0.Alleged: x']]", "'o+7'");
    call(&w, "sendBroadcast", "[]", "");
    assert_result(&w, "#\\\"#undefined\\\"");
    buf_putc(&h.log, '\0');
    assert_string_equal(h.log.p, "command 1 yes {\"y\":[2]}\ncommand 1 no undefined\ncommand all [1,{}]\n");
    close_all(&w, &h);
}

static const char *exported(struct world *w)
{
    static struct buf b;
    struct err e;
    buf_reset(&b);
    if (kernel_mailbox_export(w->kernel, SPAN_NONE, &b, &e) != 0) fail_msg("%s", e.text);
    buf_putc(&b, '\0');
    return b.p;
}

static void a_mailbox_keeps_what_is_to_be_sent(void **unused)
{
    struct world w;
    struct host h;
    (void)unused;
    open_with(&w, &h, "mailbox", NULL);
    assert_string_equal(exported(&w), "{}");
    call(&w, "add", "['p',2,'two']", "");
    call(&w, "add", "['p','+10','ten']", "");
    call(&w, "add", "['p',1,[1,'#undefined',['x']]]", "");
    call(&w, "add", "['p.q',3,true]", "");
    call(&w, "ackInbound", "['p',7]", "");
    call(&w, "remove", "['r',1]", "");
    static const char all[] = "{\"p\":{\"inboundAck\":7,\"outbox\":[[1,\"1,,x\"],[2,\"two\"],[10,\"ten\"]]},"
                              "\"p.q\":{\"inboundAck\":0,\"outbox\":[[3,\"true\"]]},"
                              "\"r\":{\"inboundAck\":0,\"outbox\":[]}}";
    assert_string_equal(exported(&w), all);
    call(&w, "add", "['p',-1,'x']", "");
    assert_throws(&w);
    call(&w, "add", "['p',1,'%sym']", "");
    assert_throws(&w);
    world_restart(&w);
    assert_string_equal(exported(&w), all);
    call(&w, "remove", "['p',1]", "");
    call(&w, "remove", "['p',2]", "");
    call(&w, "remove", "['p',10]", "");
    call(&w, "remove", "['p',11]", "");
    assert_int_equal(strncmp(exported(&w), "{\"p\":{\"inboundAck\":7,\"outbox\":[]}", 30), 0);
    assert_null(state(&w));
    close_all(&w, &h);
}

static int deliver(struct world *w, const char *messages, const char *ack)
{
    struct arena *a = kernel_arena(w->kernel);
    struct jval m, n;
    struct err e;
    assert_int_equal(json_parse(a, span_of(messages), &m, &e), 0);
    assert_int_equal(json_parse(a, span_of(ack), &n, &e), 0);
    return kernel_mailbox_deliver(w->kernel, SPAN_NONE, SPAN("p"), pass_from_json(a, m), pass_from_json(a, n), &e);
}

static void a_mailbox_hands_in_what_peers_sent(void **unused)
{
    struct world w;
    struct host h;
    (void)unused;
    open_with(&w, &h, "mailbox", NULL);
    assert_int_equal(deliver(&w, "[[1,\"x\"]]", "0"), -1);
    call(&w, "registerInboundHandler", "['$0.Alleged: h']", "'o+7'");
    call(&w, "registerInboundHandler", "['$0.Alleged: h']", "'o+8'");
    assert_throws(&w);
    assert_int_equal(deliver(&w, "[[-1,\"x\"]]", "0"), -1);
    assert_int_equal(deliver(&w, "[[1,2]]", "0"), -1);
    assert_int_equal(deliver(&w, "[[1,\"x\"]]", "-1"), -1);
    assert_int_equal(deliver(&w, "[[1,\"x\"],[2,\"y\"]]", "5"), 0);
    assert_int_equal(deliver(&w, "[]", "6"), 0);
    world_run(&w);
    assert_int_equal(told(&w, w.boot, "[\\\"deliverInboundMessages\\\",[\\\"p\\\",[[1,\\\"x\\\"],[2,\\\"y\\\"]]]]"), 1);
    assert_int_equal(told(&w, w.boot, "[\\\"deliverInboundMessages\\\""), 1);
    assert_int_equal(told(&w, w.boot, "[\\\"deliverInboundAck\\\",[\\\"p\\\",5]]"), 1);
    assert_int_equal(told(&w, w.boot, "[\\\"deliverInboundAck\\\",[\\\"p\\\",6]]"), 1);
    /* forgotten in this process; the state still has it */
    call(&w, "unregisterInboundHander", "[]", "");
    assert_int_equal(deliver(&w, "[]", "7"), -1);
    world_restart(&w);
    assert_int_equal(deliver(&w, "[]", "7"), 0);
    close_all(&w, &h);
}

static void what_an_undone_crank_would_send_is_not_sent(void **unused)
{
    struct world w;
    struct host h;
    char line[1024];
    (void)unused;
    open_with(&w, &h, "mailbox", NULL);
    call_line(line, sizeof line, "d-70", "add", "['p',1,'x']", "");
    plan(&w, vat_named(&w, "a"), "message", "%s\nsubscribe p-99", line);
    poke(&w, w.boot, "send %s d-70", name_for(&w, w.boot, root_of(&w, vat_named(&w, "a"))));
    assert_int_equal(called(&w, (vat_id){ 3 }, "add"), 0);
    assert_string_equal(exported(&w), "{}");
    close_all(&w, &h);
}

#define BOX(counts, handlers, queue, slots) \
    "{\"body\":\"#{\\\"counts\\\":{\\\"l\\\":" counts ",\\\"r\\\":1},\\\"inboundHandlers\\\":{" handlers "}," \
    "\\\"queuedMessages\\\":[" queue "]}\",\"slots\":[" slots "]}"

static void a_loopbox_queues_until_it_passes(void **unused)
{
    struct world w;
    struct host h;
    struct err e;
    bool passed;
    (void)unused;
    open_with(&w, &h, "loopbox", "{\"deviceParameters\":{\"senders\":[\"l\",\"r\"]}}");
    assert_string_equal(state(&w), BOX("1", "", "", ""));
    call(&w, "registerInboundHandler", "['r','$0.Alleged: h']", "'o+7'");
    call(&w, "registerInboundHandler", "['r','$0.Alleged: h']", "'o+8'");
    assert_throws(&w);
    call(&w, "registerInboundHandler", "['toString','$0.Alleged: h']", "'o+8'");
    assert_throws(&w);
    call(&w, "getSender", "['l']", "");
    assert_result(&w, "#\\\"$0.Alleged: sender\\\"\",\"slots\":[\"d-72\"]");
    call(&w, "getSender", "['x']", "");
    assert_result(&w, "#\\\"#undefined\\\"");
    poke(&w, w.boot, "call d-72 add #['r',5,'body']");
    poke(&w, w.boot, "call d-72 add #['l',5,'body']");
    assert_throws(&w);
    poke(&w, w.boot, "call d-72 ackInbound #['l',5]");
    assert_result(&w, "#\\\"#undefined\\\"");
    assert_string_equal(state(&w), BOX("2", "\\\"r\\\":\\\"$0.Alleged: h\\\"", "[\\\"$0\\\",\\\"l\\\",1,\\\"body\\\"]", "\"o-10\""));
    world_restart(&w);
    assert_int_equal(kernel_loopbox_pass(w.kernel, SPAN_NONE, &passed, &e), 0);
    assert_true(passed);
    assert_int_equal(kernel_loopbox_pass(w.kernel, SPAN_NONE, &passed, &e), 0);
    assert_false(passed);
    world_run(&w);
    assert_int_equal(told(&w, w.boot, "[\\\"deliverInboundMessages\\\",[\\\"l\\\",[[1,\\\"body\\\"]]]]"), 1);
    world_restart(&w);
    poke(&w, w.boot, "call d-72 add #['r',6,'again']"); /* the node is the same after a restart */
    assert_result(&w, "#\\\"#undefined\\\"");
    close_all(&w, &h);
}

/* -- which device is which --------------------------------------------------------------------------- */

/* In its other mode a message is handed on at once; peers without a name, and a state that is
 * not a loopbox's, are refused. */
static void a_loopbox_that_delivers_at_once(void **unused)
{
    struct world w;
    struct host h;
    struct err e;
    bool passed;
    (void)unused;
    h = (struct host){ .side = { .self = &h, .loopbox = LOOPBOX_IMMEDIATE } };
    world_open(&w, &(struct world_setup){ .vats = { "a" }, .host = &h.side,
                                         .devices = { { "loopbox", "{\"deviceParameters\":{\"senders\":[\"l\"]}}" } } });
    call(&w, "registerInboundHandler", "['r','$0.Alleged: h']", "'o+7'");
    call(&w, "registerInboundHandler", "['n',5]", "");
    call(&w, "registerInboundHandler", "['%async',5]", "");
    assert_throws(&w);
    call(&w, "getSender", "['l']", "");
    poke(&w, w.boot, "call d-72 add #['r',5,'body']");
    assert_int_equal(told(&w, w.boot, "[\\\"deliverInboundMessages\\\",[\\\"l\\\",[[1,\\\"body\\\"]]]]"), 1);
    poke(&w, w.boot, "call d-72 add #['n',5,'body']"); /* a handler that is no object */
    assert_throws(&w);
    poke(&w, w.boot, "call d-72 add #['%%async',5,'body']");
    assert_throws(&w);
    poke(&w, w.boot, "call d-72 remove #['r',5]");
    assert_result(&w, "#\\\"#undefined\\\"");
    static const char *const states[] = {
        "{\"body\":\"#{}\",\"slots\":[]}",
        "{\"body\":\"#{\\\"inboundHandlers\\\":{},\\\"queuedMessages\\\":5,\\\"senderCounts\\\":{}}\",\"slots\":[]}",
        "{\"body\":\"nonsense\",\"slots\":[]}",
    };
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        kv_set(w.store, SPAN("d7.deviceState"), span_of(states[i]));
        assert_int_equal(kernel_loopbox_pass(w.kernel, SPAN_NONE, &passed, &e), -1);
        assert_int_equal(e.exit, EXIT_FAILED);
        call(&w, "registerInboundHandler", "['q',5]", "");
        assert_throws(&w);
    }
    assert_int_equal(kernel_loopbox_pass(w.kernel, SPAN("none"), &passed, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
    world_close(&w);
    buf_fini(&h.log);
}

static void a_device_without_a_host_is_skipped_and_calling_it_is_the_hosts_fault(void **unused)
{
    struct world w;
    uint64_t cranks;
    struct err e;
    (void)unused;
    world_open(&w, &(struct world_setup){ .vats = { "a" }, .devices = { { "bridge", NULL } } });
    buf_putc(&w.notes, '\0');
    assert_non_null(strstr(w.notes.p, "device bridge (d7, a bridge) is skipped"));
    struct span *names;
    assert_int_equal(kernel_devices(w.kernel, "bridge", &names), 0);
    queue_poke(&w, w.boot, "call d-70 callOutbound #[]");
    assert_int_equal(kernel_run(w.kernel, 0, &cranks, &e), -1);
    assert_non_null(strstr(e.text, "this host has no side for it"));
    world_close(&w);
}

static void a_device_that_is_not_built_in_is_refused_by_name(void **unused)
{
    struct world w;
    struct host h;
    struct kernel *k;
    struct kernel_options o = { 0 };
    struct err e;
    (void)unused;
    open_with(&w, &h, "timer", NULL);
    kv_set(w.store, SPAN("device.name.toaster"), SPAN("d9"));
    kv_set(w.store, SPAN("d9.source"), span_of(key_text(&w, "d7.source")));
    kv_set(w.store, SPAN("d9.options"), SPAN("{}"));
    kernel_close(w.kernel);
    assert_int_equal(kernel_open(w.store, &w.port, &o, &k, &e), -1);
    assert_int_equal(e.exit, EXIT_INCOMPATIBLE);
    assert_non_null(strstr(e.text, "device toaster (d9)"));
    assert_int_equal(kernel_open(w.store, NULL, &o, &w.kernel, &e), 0); /* looking is allowed */
    close_all(&w, &h);
}

static void bundlecaps_are_made_once_and_work(void **unused)
{
    struct world w;
    struct host h;
    (void)unused;
    open_with(&w, &h, "bundle", NULL);
    call(&w, "getBundlecap", "['b0-x']", "");
    assert_throws(&w);
    char id[160] = "['b1-";
    for (size_t n = strlen(id); n < 5 + 128; n++) id[n] = '0', id[n + 1] = '\0';
    strcat(id, "']");
    call(&w, "getBundlecap", id, "");
    assert_result(&w, "#\\\"#undefined\\\"");
    kv_set(w.store, SPAN("namedBundleID.it"), span_of(bundle_named("auto")));
    call(&w, "getNamedBundlecap", "['nope']", "");
    assert_throws(&w);
    call(&w, "getNamedBundlecap", "['it']", "");
    assert_result(&w, "#\\\"$0.Alleged: device node\\\"\",\"slots\":[\"d-72\"]");
    call(&w, "getNamedBundlecap", "['it']", "");
    assert_result(&w, "#\\\"$0.Alleged: device node\\\"\",\"slots\":[\"d-72\"]");
    assert_string_equal(key_text(&w, "d7.vs.nextDev"), "2");
    poke(&w, w.boot, "call d-72 getBundleID #[]");
    assert_result(&w, "#\\\"b0-");
    poke(&w, w.boot, "call d-72 getBundle #[]");
    assert_result(&w, "#{");
    poke(&w, w.boot, "call d-72 getBundlecap #[]");
    assert_throws(&w);
    close_all(&w, &h);
}

/* Arguments that are not what a bundle device takes, and state that was lost. */
static void a_bundle_device_refuses_what_it_cannot_do(void **unused)
{
    struct world w;
    struct host h;
    (void)unused;
    open_with(&w, &h, "bundle", NULL);
    static const struct {
        const char *method, *body, *slots;
    } bad[] = {
        { "getBundlecap", "[]", "" }, { "getBundlecap", "[5]", "" }, { "getBundlecap", "{}", "" }, { "getBundlecap", "nonsense", "" },
        { "getBundlecap", "['b1-0']", "" }, { "getNamedBundlecap", "[]", "" }, { "getNamedBundlecap", "['$0']", "'o+7'" },
        { "dance", "['x']", "" }, { "getBundlecap", "['$0']", "'d-71'" }, /* another device */
    };
    poke(&w, w.boot, "send %s o+1", name_for(&w, w.boot, root_of(&w, w.admin)));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        call(&w, bad[i].method, bad[i].body, bad[i].slots);
        assert_throws(&w);
    }
    static const char *const ids[] = { "b2-", "b1-" };
    for (size_t i = 0; i < 2; i++) { /* the right length, and not one */
        char id[160];
        snprintf(id, sizeof id, "['%s%0127dx']", ids[i], 0);
        call(&w, "getBundlecap", id, "");
        assert_throws(&w);
    }
    kv_set(w.store, SPAN("namedBundleID.it"), span_of(bundle_named("auto")));
    call(&w, "getNamedBundlecap", "['it']", "");
    call(&w, "getBundlecap", "['$0']", "'d-72'"); /* its own node it may have */
    assert_throws(&w);
    kv_set(w.store, SPAN("d7.vs.slot.d+1"), SPAN("b0-none"));
    poke(&w, w.boot, "call d-72 getBundle #[]");
    assert_throws(&w);
    kv_delete(w.store, SPAN("d7.vs.slot.d+1"));
    poke(&w, w.boot, "call d-72 getBundleID #[]");
    assert_throws(&w);
    close_all(&w, &h);
}

/* -- the comms vat ------------------------------------------------------------------------------------- */

static void comms_stands_idle_until_it_is_told_something(void **unused)
{
    struct world w;
    (void)unused;
    world_open(&w, &(struct world_setup){ .vats = { "comms" }, .comms = "comms", .not_introduced = true });
    vat_id comms = vat_named(&w, "comms");
    struct transcript_bounds t;
    assert_string_equal(key_text(&w, "v%u.vs.lp.nextID", comms.n), "20");
    assert_string_equal(key_text(&w, "v%u.vs.meta.o+0", comms.n), "true");
    assert_true(transcript_bounds(w.store, span_of_vat(w.kernel, comms), &t) && t.end == 0);
    assert_string_equal(key_text(&w, "v%u.reapDirt", comms.n), "{}");
    world_restart(&w);
    kernel_reap_all(w.kernel);
    world_run(&w);
    assert_true(alive(&w, comms));
    poke(&w, w.boot, "send %s", name_for(&w, w.boot, root_of(&w, comms)));
    assert_false(alive(&w, comms));
    buf_putc(&w.notes, '\0');
    assert_non_null(strstr(w.notes.p, "the comms vat is not in this release"));
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wakeup_is_saved_and_comes_after_its_time),
        cmocka_unit_test(time_does_not_run_backwards),
        cmocka_unit_test(a_repeater_comes_again_until_it_is_deleted),
        cmocka_unit_test(a_handler_is_removed_wherever_it_waits),
        cmocka_unit_test(bad_arguments_throw_and_say_why),
        cmocka_unit_test(an_array_of_repeaters_with_holes_is_never_saved),
        cmocka_unit_test(what_no_object_is_woken_by_is_lost_with_those_behind_it),
        cmocka_unit_test(what_an_undone_crank_asked_for_is_forgotten),
        cmocka_unit_test(a_device_is_given_objects_only),
        cmocka_unit_test(nodes_have_what_every_far_object_has),
        cmocka_unit_test(errors_in_a_state_are_counted_as_they_are_sent),
        cmocka_unit_test(a_bridge_calls_both_ways),
        cmocka_unit_test(commands_are_counted_and_answered),
        cmocka_unit_test(a_mailbox_keeps_what_is_to_be_sent),
        cmocka_unit_test(a_mailbox_hands_in_what_peers_sent),
        cmocka_unit_test(what_an_undone_crank_would_send_is_not_sent),
        cmocka_unit_test(a_loopbox_queues_until_it_passes),
        cmocka_unit_test(a_device_without_a_host_is_skipped_and_calling_it_is_the_hosts_fault),
        cmocka_unit_test(a_device_that_is_not_built_in_is_refused_by_name),
        cmocka_unit_test(bundlecaps_are_made_once_and_work),
        cmocka_unit_test(a_bundle_device_refuses_what_it_cannot_do),
        cmocka_unit_test(a_loopbox_that_delivers_at_once),
        cmocka_unit_test(comms_stands_idle_until_it_is_told_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
