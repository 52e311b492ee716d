/* Every syscall with every kind of wrong thing in every place: it is fatal to the vat that
 * makes it, and nothing else changes; and with everything that is right there, it is not.
 *
 * The sweep makes each syscall within one crank that is rolled back; that such a vat ends in
 * a normal crank, and others go on, is test_faults.c's.  "test_syscalls large" sends bodies of
 * 100 MB. */
#include <stdio.h>

#include "kernel/syscall.h"
#include "world.h"

/* -- the world --------------------------------------------------------------------------- */

struct bench {
    struct world w;
    vat_id a, b;
    unsigned tried;
};

/* a has: o-52 b's root; o-53 dropped, o-54 reachable, both b's; o+1 known to b, o+2 known and
 * dropped; p+8 given to b; p-60 which it is to resolve; p-61 b's; d-70 the vat-admin device. */
static void open_bench(struct bench *t)
{
    struct world *w = &t->w;
    char a_in_b[16];
    world_open(w, &(struct world_setup){ .vats = { "a", "b" }, .puppets = true, .snapshot_initial = 1000 });
    t->a = vat_named(w, "a");
    t->b = vat_named(w, "b");
    strcpy(a_in_b, name_for(w, t->b, root_of(w, t->a)));
    poke(w, t->b, "send %s o+1 o+2", a_in_b);
    poke(w, t->a, "drop o-53");
    poke(w, t->a, "send o-52 o+1 o+2 p+8");
    poke(w, t->b, "drop %s", name_for(w, t->b, meant(w, t->a, "o+2")));
    poke(w, t->b, "send %s -> p+3", a_in_b);
    poke(w, t->b, "send %s p+4", a_in_b);
    poke(w, w->boot, "send %s d-70", name_for(w, w->boot, root_of(w, t->a)));
    static const char *const names[] = { "o-52", "o-53", "o-54", "o+1", "o+2", "p+8", "p-60", "p-61", "d-70" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (meant(w, t->a, names[i]).kind == KREF_INVALID) fail_msg("a has no %s", names[i]);
    }
}

static void dump_others(struct bench *t, struct buf *out)
{
    static const char *const prefixes[] = { "v1.", "v2.", "v4." };
    buf_reset(out);
    for (int i = 0; i < 3; i++) world_dump_keys(&t->w, prefixes[i], out);
}

/* Is the syscall fatal?  Nothing of it stays. */
static bool is_fatal(struct bench *t, struct span text)
{
    struct kernel *k = t->w.kernel;
    struct buf before = { 0 }, after = { 0 }, result = { 0 };
    struct jval v;
    struct err e;
    store_start_crank(t->w.store);
    store_savepoint(t->w.store, SAVEPOINT_START);
    dump_others(t, &before);
    memset(&k->fate, 0, sizeof k->fate);
    if (json_parse(kernel_arena(k), text, &v, &e) != 0) fail_msg("%.*s: %s", SPAN_ARG(text), e.text);
    syscall_handle(k, t->a, v, &result);
    bool fatal = k->fate.illegal;
    dump_others(t, &after);
    if (!span_eq(buf_span(&before), buf_span(&after))) fail_msg("others changed: %.*s", SPAN_ARG(text));
    if (fatal && !span_starts(buf_span(&result), SPAN("[\"error\","))) fail_msg("%.*s", SPAN_ARG(buf_span(&result)));
    kernel_rollback(k, SAVEPOINT_START);
    kref_set_clear(&k->maybe_free);
    store_end_crank(t->w.store);
    t->tried++;
    buf_fini(&before);
    buf_fini(&after);
    buf_fini(&result);
    return fatal;
}

/* Put `value` in for @, and ' for ". */
static void fill(const char *form, struct span value, struct buf *out)
{
    buf_reset(out);
    for (; *form != '\0'; form++) {
        if (*form == '@') buf_put(out, value);
        else buf_putc(out, *form == '\'' ? '"' : *form);
    }
}

static void check(struct bench *t, const char *form, struct span value, bool fatal)
{
    struct buf text = { 0 };
    fill(form, value, &text);
    if (is_fatal(t, buf_span(&text)) != fatal) {
        fail_msg("%s: %.*s", fatal ? "taken" : "refused", (int)(text.n < 300 ? text.n : 300), text.p);
    }
    buf_fini(&text);
}

static void close_bench(struct bench *t)
{
    print_message("%u syscalls\n", t->tried);
    world_run(&t->w);
    poke(&t->w, t->a, "set k v"); /* it is none the worse */
    assert_string_equal(key_text(&t->w, "v3.vs.k"), "v");
    world_close(&t->w);
}

/* -- references in each place --------------------------------------------------------------- */

enum place { TARGET = 1, SLOT = 2, RESULT = 4, SUBSCRIBED = 8, RESOLVED = 16, DEVICE = 32, DEVICE_SLOT = 64,
             DROPPED = 128, RETIRED = 256, EXPORT_RETIRED = 512, ABANDONED = 1024 };

static const struct {
    const char *form;
    enum place place;
} places[] = {
    { "['send',@,{'methargs':{'body':'#[]','slots':[]},'result':null}]", TARGET },
    { "['send','o-52',{'methargs':{'body':'#[]','slots':[@]},'result':null}]", SLOT },
    { "['send','o-52',{'methargs':{'body':'#[]','slots':['o+7',@,'o+8']}}]", SLOT },
    { "['send','o-52',{'methargs':{'body':'#[]','slots':[]},'result':@}]", RESULT },
    { "['subscribe',@]", SUBSCRIBED },
    { "['resolve',[[@,false,{'body':'#[]','slots':[]}]]]", RESOLVED },
    { "['resolve',[[@,true,{'body':'?','slots':[]}]]]", RESOLVED },
    { "['resolve',[['p+9',true,{'body':'#[]','slots':[]}],[@,false,{'body':'#[]','slots':[]}]]]", RESOLVED },
    { "['resolve',[['p-60',false,{'body':'#[]','slots':[@]}]]]", SLOT },
    { "['resolve',[['p-60',true,{'body':'#[]','slots':[@]}]]]", SLOT },
    { "['exit',false,{'body':'#[]','slots':[@]}]", SLOT },
    { "['exit',true,{'body':'#[]','slots':[@]}]", SLOT },
    { "['callNow',@,'getMeter',{'body':'#[]','slots':[]}]", DEVICE },
    { "['callNow','d-70','none',{'body':'#[]','slots':[@]}]", DEVICE_SLOT },
    { "['dropImports',[@]]", DROPPED },
    { "['dropImports',['o-54',@]]", DROPPED },
    { "['retireImports',[@]]", RETIRED },
    { "['retireExports',[@]]", EXPORT_RETIRED },
    { "['abandonExports',[@]]", ABANDONED },
};

/* What is right in which places, and so wrong in all others. */
static const struct {
    const char *name;
    unsigned right;
} names[] = {
    { "o-52", TARGET | SLOT | DEVICE_SLOT | DROPPED },
    { "o-54", TARGET | SLOT | DEVICE_SLOT | DROPPED },
    { "o-53", DROPPED | RETIRED },
    { "o+1", TARGET | SLOT | DEVICE_SLOT | ABANDONED },
    { "o+2", TARGET | SLOT | DEVICE_SLOT | ABANDONED | EXPORT_RETIRED },
    { "o+0", TARGET | SLOT | DEVICE_SLOT | ABANDONED },
    { "o+99", TARGET | SLOT | DEVICE_SLOT }, /* a new export */
    { "o+d9/1", TARGET | SLOT | DEVICE_SLOT },
    { "o+v9/1:2", TARGET | SLOT | DEVICE_SLOT },
    { "p-60", TARGET | SLOT | SUBSCRIBED | RESOLVED },
    { "p+8", TARGET | SLOT | SUBSCRIBED | RESOLVED },
    { "p-61", TARGET | SLOT | SUBSCRIBED }, /* another's to resolve */
    { "p+99", TARGET | SLOT | SUBSCRIBED | RESOLVED | RESULT }, /* a new one of its own */
    { "d-70", SLOT | DEVICE | DEVICE_SLOT },
    /* not in the c-list */
    { "o-99", 0 }, { "p-99", 0 }, { "d-99", 0 }, { "d+1", 0 }, { "d+0", 0 },
    /* of the kernel's, of no kind, or no names at all */
    { "ko20", 0 }, { "kp40", 0 }, { "kd30", 0 }, { "v3", 0 }, { "m1", 0 }, { "x", 0 }, { "o", 0 }, { "o+", 0 }, { "o-", 0 },
    { "o52", 0 }, { "O-52", 0 }, { "o-52 ", 0 }, { " o-52", 0 }, { "o--52", 0 }, { "o-+52", 0 }, { "o-0x34", 0 }, { "o-5e1", 0 },
    { "o-52.0", 0 }, { "o-52\\u0000", 0 }, { "\\u0000", 0 }, { "\\ud800", 0 }, { "o-\\u0665", 0 }, { "p*", 0 }, { "o-52/1", 0 },
    { "o+d", 0 }, { "o+v/", 0 }, { "p+d1/2", 0 }, { "d-70/1", 0 },
    /* numbers too large */
    { "o-18446744073709551615", 0 }, { "o-18446744073709551616", 0 }, { "o-99999999999999999999999999999999999999", 0 },
    { "p-340282366920938463463374607431768211456", 0 }, { "d-4294967366", 0 },
};

TEST(every_kind_of_reference_in_every_place)
{
    struct bench t = { 0 };
    open_bench(&t);
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            char quoted[128];
            snprintf(quoted, sizeof quoted, "\"%s\"", names[n].name);
            check(&t, places[p].form, span_of(quoted), !(names[n].right & places[p].place));
        }
    }
    close_bench(&t);
}

/* A GC syscall may name each thing once. */
TEST(lists_with_something_twice)
{
    struct bench t = { 0 };
    open_bench(&t);
    check(&t, "['retireImports',['o-53','o-53']]", SPAN(""), true);
    check(&t, "['retireExports',['o+2','o+2']]", SPAN(""), true);
    check(&t, "['abandonExports',['o+1','o+1']]", SPAN(""), true);
    check(&t, "['abandonExports',['o+1','o+2']]", SPAN(""), false);
    check(&t, "['dropImports',['o-54','o-54']]", SPAN(""), false); /* as upstream */
    check(&t, "['dropImports',[]]", SPAN(""), false);
    check(&t, "['resolve',[]]", SPAN(""), false);
    check(&t, "['resolve',[['p+8',true,{'body':'','slots':[]}],['p+8',true,{'body':'','slots':[]}]]]", SPAN(""), true);
    check(&t, "['send','o-52',{'methargs':{'body':'','slots':['o+9','o+9','p+9','p+9']}}]", SPAN(""), false);
    close_bench(&t);
}

/* -- types --------------------------------------------------------------------------------------- */

static const char *const types[] = { "null", "true", "false", "0", "-1", "52", "1e400", "9007199254740993", "18446744073709551616",
                                     "0.5", "[]", "{}", "[[]]", "['o-52']", "{'0':'o-52','length':1}", "{'body':'#[]','slots':[]}" };

/* Where a string, a list or a record must be, nothing else may; `but` are those that may be in
 * this one place. */
static const struct {
    const char *form, *but[6];
} typed[] = {
    { "[@]", { 0 } },
    { "[@,'o-52']", { 0 } },
    { "['send',@,{'methargs':{'body':'#[]','slots':[]}}]", { 0 } },
    { "['send','o-52',@]", { 0 } },
    { "['send','o-52',{'methargs':@}]", { "{'body':'#[]','slots':[]}" } },
    { "['send','o-52',{'methargs':{'body':@,'slots':[]}}]", { 0 } },
    { "['send','o-52',{'methargs':{'body':'#[]','slots':@}}]", { "[]", "['o-52']" } },
    { "['send','o-52',{'methargs':{'body':'#[]','slots':[@]}}]", { 0 } },
    { "['send','o-52',{'methargs':{'body':'#[]','slots':[]},'result':@}]", { "null", "false" } },
    { "['callNow',@,'m',{'body':'#[]','slots':[]}]", { 0 } },
    { "['callNow','d-70',@,{'body':'#[]','slots':[]}]", { 0 } },
    { "['callNow','d-70','m',@]", { "{'body':'#[]','slots':[]}" } },
    { "['callNow','d-70','m',{'body':@,'slots':[]}]", { 0 } },
    { "['callNow','d-70','m',{'body':'#[]','slots':@}]", { "[]", "['o-52']" } },
    { "['callNow','d-70','m',{'body':'#[]','slots':[@]}]", { 0 } },
    { "['subscribe',@]", { 0 } },
    { "['resolve',@]", { "[]" } },
    { "['resolve',[@]]", { 0 } },
    { "['resolve',[{'0':'p-60','1':true,'2':{'body':'','slots':[]},'3':@}]]", { 0 } },
    { "['resolve',[[@,false,{'body':'#[]','slots':[]}]]]", { 0 } },
    { "['resolve',[['p-60',@,{'body':'#[]','slots':[]}]]]", { "true", "false" } },
    { "['resolve',[['p-60',true,@]]]", { "{'body':'#[]','slots':[]}" } },
    { "['resolve',[['p-60',false,@]]]", { "{'body':'#[]','slots':[]}" } },
    { "['resolve',[['p-60',true,{'body':@,'slots':[]}]]]", { 0 } },
    { "['resolve',[['p-60',true,{'body':'#[]','slots':@}]]]", { "[]", "['o-52']" } },
    { "['resolve',[['p-60',true,{'body':'#[]','slots':[@]}]]]", { 0 } },
    { "['exit',@,{'body':'#[]','slots':[]}]", { "true", "false" } },
    { "['exit',true,@]", { "{'body':'#[]','slots':[]}" } },
    { "['exit',true,{'body':@,'slots':[]}]", { 0 } },
    { "['exit',true,{'body':'#[]','slots':@}]", { "[]", "['o-52']" } },
    { "['vatstoreGet',@]", { 0 } },
    { "['vatstoreSet',@,'v']", { 0 } },
    { "['vatstoreSet','k',@]", { 0 } },
    { "['vatstoreGetNextKey',@]", { 0 } },
    { "['vatstoreDelete',@]", { 0 } },
    { "['dropImports',@]", { "[]", "['o-52']" } },
    { "['dropImports',[@]]", { 0 } },
    { "['retireImports',@]", { "[]" } },
    { "['retireImports',[@]]", { 0 } },
    { "['retireExports',@]", { "[]" } },
    { "['retireExports',[@]]", { 0 } },
    { "['abandonExports',@]", { "[]" } },
    { "['abandonExports',[@]]", { 0 } },
};

static bool is_among(const char *what, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n && list[i] != NULL; i++) {
        if (strcmp(list[i], what) == 0) return true;
    }
    return false;
}

TEST(every_type_in_every_place)
{
    struct bench t = { 0 };
    struct buf value = { 0 };
    open_bench(&t);
    for (size_t f = 0; f < sizeof typed / sizeof *typed; f++) {
        for (size_t v = 0; v < sizeof types / sizeof *types; v++) {
            fill(types[v], SPAN(""), &value);
            check(&t, typed[f].form, buf_span(&value), !is_among(types[v], typed[f].but, 6));
        }
    }
    static const char *const whole[] = { "null", "1", "'send'", "{}", "{'0':'vatstoreGet','1':'k'}", "[]", "['Send','o-52']", "['send ']",
                                         "['constructor']", "['__proto__','x']", "['toString']", "['']", "[['send']]", "['send\\u0000']" };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) check(&t, whole[i], SPAN(""), true);
    buf_fini(&value);
    close_bench(&t);
}

/* Each syscall with fewer arguments than it has. */
TEST(syscalls_cut_short)
{
    static const char *const whole[] = {
        "'send','o-52',{'methargs':{'body':'','slots':[]}}", "'callNow','d-70','m',{'body':'','slots':[]}", "'subscribe','p+8'",
        "'resolve',[]", "'exit',true,{'body':'','slots':[]}", "'vatstoreGet','k'", "'vatstoreSet','k','v'", "'vatstoreGetNextKey','k'",
        "'vatstoreDelete','k'", "'dropImports',[]", "'retireImports',[]", "'retireExports',[]", "'abandonExports',[]",
    };
    struct bench t = { 0 };
    open_bench(&t);
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        struct buf form = { 0 };
        int depth = 0;
        buf_printf(&form, "[%s]", whole[i]);
        buf_putc(&form, '\0');
        check(&t, form.p, SPAN(""), false);
        for (const char *p = whole[i]; *p != '\0'; p++) {
            depth += *p == '{' || *p == '[';
            depth -= *p == '}' || *p == ']';
            if (*p != ',' || depth > 0) continue;
            buf_reset(&form);
            buf_printf(&form, "[%.*s]", (int)(p - whole[i]), whole[i]);
            buf_putc(&form, '\0');
            check(&t, form.p, SPAN(""), true);
        }
        buf_fini(&form);
    }
    close_bench(&t);
}

/* -- capdata ----------------------------------------------------------------------------------------- */

/* Bodies that are no capdata (upstream's kunser refuses each of them).  Only what is fulfilled must decode; a rejection, a message and
 * a reason are passed on as they are, as upstream. */
TEST(bodies_that_do_not_decode)
{
    static const char *const bodies[] = {
        "", "#", "nonsense", "{", "#{", "#[1,]", "#'", "#\\'unterminated", "#nul", "#01", "#{\\'a\\':1,}", "#\\'$x\\'", "#\\'$1\\'",
        "#\\'$-1\\'", "#\\'$99999999999999999999\\'", "#\\'&1\\'", "#\\'+\\'", "#\\'+1x\\'", "#\\'-\\'", "#\\'#nothing\\'", "#\\'*x\\'",
        "#{\\'#tag\\':1}", "#{\\'#error\\':1}", "#{\\'#what\\':1}", "{\\'@qclass\\':\\'slot\\',\\'index\\':7}", "{\\'@qclass\\':\\'none\\'}",
        "{\\'@qclass\\':5}", "{\\'@qclass\\':\\'bigint\\',\\'digits\\':\\'x\\'}", "#1 2", "\\u0000", "#\\u0000",
    };
    struct bench t = { 0 };
    open_bench(&t);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct buf body = { 0 };
        /* \' is the body's own ", escaped in JSON */
        for (const char *p = bodies[i]; *p != '\0'; p++) {
            if (p[0] == '\\' && p[1] == '\'') buf_puts(&body, "\\\""), p++;
            else buf_putc(&body, *p);
        }
        check(&t, "['resolve',[['p-60',false,{'body':'@','slots':['o-52']}]]]", buf_span(&body), true);
        check(&t, "['resolve',[['p-60',true,{'body':'@','slots':['o-52']}]]]", buf_span(&body), false);
        check(&t, "['send','o-52',{'methargs':{'body':'@','slots':['o-52']}}]", buf_span(&body), false);
        check(&t, "['exit',true,{'body':'@','slots':['o-52']}]", buf_span(&body), false);
        check(&t, "['callNow','d-70','getMeter',{'body':'@','slots':['o-52']}]", buf_span(&body), false);
        buf_fini(&body);
    }
    close_bench(&t);
}

/* Bodies nested as deep as JSON may be here, and deeper than capdata may. */
TEST(bodies_that_are_deep)
{
    struct bench t = { 0 };
    open_bench(&t);
    for (size_t depth = 1; depth < 200000; depth = depth * 3 + 1) {
        struct buf body = { 0 };
        buf_putc(&body, '#');
        for (size_t i = 0; i < depth; i++) buf_putc(&body, '[');
        for (size_t i = 0; i < depth; i++) buf_putc(&body, ']');
        check(&t, "['resolve',[['p-60',false,{'body':'@','slots':[]}]]]", buf_span(&body), depth > 512);
        check(&t, "['callNow','d-70','createByBundle',{'body':'@','slots':[]}]", buf_span(&body), false);
        check(&t, "['exit',true,{'body':'@','slots':[]}]", buf_span(&body), false);
        buf_fini(&body);
    }
    close_bench(&t);
}

/* -- whole cranks: too deep, too much --------------------------------------------------------------------- */

static void ends_alone(struct bench *t)
{
    struct world *w = &t->w;
    world_run(w);
    assert_false(alive(w, t->a));
    assert_int_equal(told(w, w->admin, "vatTerminated"), 1);
    assert_true(memmem(w->notes.p, w->notes.n, "fatal syscall", 13) != NULL);
    poke(w, t->b, "set k v");
    assert_string_equal(key_text(w, "v4.vs.k"), "v");
    world_close(w);
}

/* The syscall's own JSON: not even an array that can be looked at. */
TEST(a_syscall_too_deep_to_parse_ends_its_vat)
{
    static const char *const forms[] = { "['vatstoreSet','k',@]", "['send','o-52',{'methargs':{'body':'#[]','slots':[@]}}]", "[@]",
                                         "['resolve',[@]]" };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct bench t = { 0 };
        struct buf deep = { 0 }, text = { 0 };
        open_bench(&t);
        for (int n = 0; n < 100000; n++) buf_putc(&deep, '[');
        for (int n = 0; n < 100000; n++) buf_putc(&deep, ']');
        fill(forms[i], buf_span(&deep), &text);
        kv_set(t.w.store, SPAN("v3.vs.plan.bringOutYourDead"), buf_span(&text));
        vat_schedule_reap(t.w.kernel, t.a);
        ends_alone(&t);
        buf_fini(&deep);
        buf_fini(&text);
    }
}

/* A value, read again and again: what it makes of its transcript is bounded. */
TEST(a_delivery_that_fills_its_transcript_ends_its_vat)
{
    enum { VALUE = 8 << 20 };
    struct bench t = { 0 };
    struct buf text = { 0 };
    open_bench(&t);
    buf_room(&text, VALUE);
    memset(text.p, 'x', VALUE);
    text.n = VALUE;
    kv_set(t.w.store, SPAN("v3.vs.large"), buf_span(&text));
    buf_reset(&text);
    for (int i = 0; i < 34; i++) buf_puts(&text, "get large\n");
    kv_set(t.w.store, SPAN("v3.vs.plan.bringOutYourDead"), buf_span(&text));
    vat_schedule_reap(t.w.kernel, t.a);
    buf_fini(&text);
    ends_alone(&t);
}

/* 100 MB in a body: carried where it may go, and undone where it may not. */
static void with_body(struct bench *t, const char *form, bool lives)
{
    enum { BODY = 100 << 20 };
    struct buf body = { 0 }, text = { 0 };
    open_bench(t);
    buf_puts(&body, "#\\\"");
    memset(buf_room(&body, BODY), 'x', BODY);
    body.n += BODY;
    buf_puts(&body, "\\\"");
    fill(form, buf_span(&body), &text);
    buf_fini(&body);
    kv_set(t->w.store, SPAN("v3.vs.plan.bringOutYourDead"), buf_span(&text));
    buf_fini(&text);
    vat_schedule_reap(t->w.kernel, t->a);
    world_run(&t->w);
    assert_int_equal(alive(&t->w, t->a), lives);
    poke(&t->w, t->b, "set k v");
    assert_string_equal(key_text(&t->w, "v4.vs.k"), "v");
    world_close(&t->w);
}

TEST(bodies_of_100_MB)
{
    struct bench t = { 0 };
    with_body(&t, "['send','o-52',{'methargs':{'body':'@','slots':[]}}]", true);
    with_body(&t, "['send','o-99',{'methargs':{'body':'@','slots':[]}}]", false);
    with_body(&t, "['resolve',[['p-60',false,{'body':'@','slots':[]}]]]", true);
    with_body(&t, "['resolve',[['p-61',false,{'body':'@','slots':[]}]]]", false);
    with_body(&t, "['exit',true,{'body':'@','slots':[]}]", false);
    with_body(&t, "['callNow','d-70','terminateWithFailure',{'body':'@','slots':[]}]", true);
    with_body(&t, "['vatstoreSet','k','@']", true);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_reference_in_every_place),
        cmocka_unit_test(lists_with_something_twice),
        cmocka_unit_test(every_type_in_every_place),
        cmocka_unit_test(syscalls_cut_short),
        cmocka_unit_test(bodies_that_do_not_decode),
        cmocka_unit_test(bodies_that_are_deep),
        cmocka_unit_test(a_syscall_too_deep_to_parse_ends_its_vat),
        cmocka_unit_test(a_delivery_that_fills_its_transcript_ends_its_vat),
    };
    const struct CMUnitTest large[] = { cmocka_unit_test(bodies_of_100_MB) };
    if (argc > 1 && strcmp(argv[1], "large") == 0) return cmocka_run_group_tests(large, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
