/* Forks of vats that wait for promises and have made some, with real workers: callbacks in
 * the heap, durable watchers, messages sent ahead; objects made before and after the fork;
 * exports that are merely recognized. */
#include "lib/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "lab.h"

/* One lab for all tests.  Z is a zygote whose children are the parents of the tests. */
static struct lab l;
static bool all; /* "long" as an argument */

static void say(const char *method, const char *args, const char *want, int line)
{
    lab_expect_at(&l, method, args, want, __FILE__, line);
}
#define SAY(method, args, want) say((method), (args), (want), __LINE__)

#define SHARE ",[],{\"promises\":\"share\"}]"

static void audited(void)
{
    assert_int_equal(lab_audit(&l), 0);
}

static const char *vat_name(const char *name)
{
    return lab_printf(&l, "%s", vat_id_text(lab_vat(&l, name)).s);
}

static long count(const char *name, const char *glob)
{
    return strtol(lab_query(&l, lab_printf(&l, "SELECT count(*) FROM kvStore WHERE key GLOB '%s.%s'",
                                           vat_name(name), glob)), NULL, 10);
}

/* -- promises ---------------------------------------------------------------------------------- */

TEST(callbacks_in_the_heap)
{
    SAY("fork", "[\"Z\",\"A\"]", "0");
    SAY("gate", "[\"g1\"]", "\"g1\"");
    SAY("gate", "[\"g2\"]", "\"g2\"");
    SAY("make", "[\"ear\"]", "\"ear\"");
    SAY("ask", "[\"A\",\"wait\",\"g1\",{\"thing\":\"g1\"}]", "\"waiting\"");
    SAY("later", "[\"A\",\"answer\",\"g1\",{\"thing\":\"g1\"}]", "\"asked\"");
    SAY("ask", "[\"A\",\"pipeline\",\"ahead\",{\"thing\":\"ear\"},\"g2\"]", "\"waiting\"");
    SAY("ask", "[\"A\",\"make\",\"own\"]", "\"made\"");
    SAY("take", "[\"A\",\"own\"]", "\"taken\"");
    SAY("ask", "[\"A\",\"waitOwn\",\"own\"]", "\"waiting\"");
    assert_non_null(strstr(lab_send(&l, "fork", "[\"A\",\"no\"]"), "vat is not quiescent: "));
    SAY("fork", "[\"A\",\"A1\"" SHARE, "0");
    SAY("fork", "[\"A1\",\"A2\"" SHARE, "0");
    lab_restart(&l);
    audited();
    SAY("open", "[\"g1\",7]", "\"opened\"");
    SAY("askAll", "[[\"A\",\"A1\",\"A2\"],\"heard\"]",
        "[[\"g1 gave 7\",\"g1 answers 7\"],[\"g1 gave 7\",\"g1 answers 7\"],[\"g1 gave 7\",\"g1 answers 7\"]]");
    SAY("heard", "[]", "[\"A.answer: 7\"]"); /* once: a message has one answer */
    /* the message that was sent ahead arrives once, and its answer comes to all */
    SAY("open", "[\"g2\",{\"thing\":\"ear\"}]", "\"opened\"");
    SAY("heard", "[]", "[\"A.answer: 7\",\"ahead\"]");
    for (int i = 0; i < 3; i++) {
        const char *name = i == 0 ? "A" : i == 1 ? "A1" : "A2";
        assert_non_null(strstr(lab_send(&l, "ask", lab_printf(&l, "[\"%s\",\"heard\"]", name)), "\"ahead gave 5\""));
    }
    /* each settles its own */
    SAY("ask", "[\"A1\",\"settle\",\"own\",\"one\"]", "\"settled\"");
    SAY("ask", "[\"A2\",\"reject\",\"own\",\"two\"]", "\"rejected\"");
    SAY("heard", "[]", "[\"A.answer: 7\",\"ahead\"]");
    SAY("ask", "[\"A\",\"settle\",\"own\",\"nought\"]", "\"settled\"");
    SAY("heard", "[]", "[\"A.answer: 7\",\"ahead\",\"A.own gave nought\"]");
    assert_non_null(strstr(lab_send(&l, "ask", "[\"A1\",\"heard\"]"), "\"own gave one\"]"));
    assert_non_null(strstr(lab_send(&l, "ask", "[\"A2\",\"heard\"]"), "\"own broke: two\"]"));
    /* nothing is left of it */
    SAY("fork", "[\"A\",\"A3\"]", "0");
    SAY("fork", "[\"A2\",\"A4\"]", "0");
    audited();
}

TEST(durable_watchers)
{
    SAY("fork", "[\"Z\",\"B\"]", "0");
    static const char *const gates[] = { "w1", "w2", "w3" };
    for (int i = 0; i < 3; i++) {
        lab_send(&l, "gate", lab_printf(&l, "[\"%s\"]", gates[i]));
        SAY("ask", lab_printf(&l, "[\"B\",\"watch\",\"%s\",{\"thing\":\"%s\"}]", gates[i], gates[i]), "\"watching\"");
    }
    SAY("ask", "[\"B\",\"make\",\"own\"]", "\"made\"");
    SAY("ask", "[\"B\",\"watchOwn\",\"own\"]", "\"watching\"");
    SAY("fork", "[\"B\",\"B1\"" SHARE, "0");
    SAY("fork", "[\"B\",\"B2\"" SHARE, "0");
    SAY("open", "[\"w1\",1]", "\"opened\"");
    audited();
    /* B1 has a new incarnation: its own promise is cut off, what it awaits is not */
    SAY("upgrade", "[\"B1\",\"promises\"]", "1");
    SAY("ask", "[\"B1\",\"notes\"]", "[\"w1 gave 1\",\"own broke: vatUpgraded, vat upgraded\"]");
    SAY("ask", "[\"B2\",\"notes\"]", "[\"w1 gave 1\"]");
    SAY("shut", "[\"w2\",\"no more\"]", "\"shut\"");
    SAY("ask", "[\"B1\",\"notes\"]", "[\"w1 gave 1\",\"own broke: vatUpgraded, vat upgraded\",\"w2 broke: no more\"]");
    SAY("ask", "[\"B2\",\"settle\",\"own\",\"two\"]", "\"settled\"");
    SAY("ask", "[\"B2\",\"notes\"]", "[\"w1 gave 1\",\"w2 broke: no more\",\"own gave two\"]");
    SAY("ask", "[\"B\",\"notes\"]", "[\"w1 gave 1\",\"w2 broke: no more\"]");
    /* the parent's, after the children's; and its end, which is not theirs */
    SAY("upgrade", "[\"B\",\"promises\"]", "1");
    SAY("ask", "[\"B\",\"notes\"]", "[\"w1 gave 1\",\"w2 broke: no more\",\"own broke: vatUpgraded, vat upgraded\"]");
    SAY("terminate", "[\"B\"]", "\"told\"");
    lab_restart(&l);
    SAY("open", "[\"w3\",{\"thing\":\"B1.root\"}]", "\"opened\"");
    assert_non_null(strstr(lab_send(&l, "ask", "[\"B1\",\"notes\"]"), "\"w3 gave an object\"]"));
    assert_non_null(strstr(lab_send(&l, "ask", "[\"B2\",\"notes\"]"), "\"w3 gave an object\"]"));
    /* all is settled: no promise is left */
    SAY("fork", "[\"B1\",\"B3\"]", "0");
    SAY("zygotify", "[\"B2\"]", "\"sealed\"");
    audited();
}

/* Settled while the fork waits in the queue: the child, too, is told. */
TEST(told_behind_the_parent)
{
    SAY("fork", "[\"Z\",\"C\"]", "0");
    SAY("gate", "[\"q1\"]", "\"q1\"");
    SAY("ask", "[\"C\",\"watch\",\"q1\",{\"thing\":\"q1\"}]", "\"watching\"");
    struct err e;
    uint64_t cranks;
    vat_id c;
    struct fork_request r = { .vat = lab_vat(&l, "C"),
                              .options = { .name = SPAN("C1"), .share = true, .reap_interval = REAP_DEFAULT } };
    kref opened = lab_queue(&l, "open", "[\"q1\",1]");
    assert_int_equal(kernel_fork(l.kernel, &r, &c, &e), 0); /* behind open, before its notify */
    assert_int_equal(lab_try_run(&l, &cranks, &e), 0);
    assert_string_equal(lab_take(&l, opened), "\"opened\"");
    assert_int_equal(lab_vat(&l, "C1").n, c.n);
    const char *child = lab_transcript(&l, c, 1);
    assert_non_null(strstr(child, "[\"notify\","));
    assert_non_null(strstr(child, "q1 gave 1"));
    audited();
}

/* Parent and child are told the same: all that they do with it is the same. */
TEST(what_both_hear_makes_the_same_of_both)
{
    SAY("fork", "[\"Z\",\"D\"]", "0");
    SAY("gate", "[\"t1\"]", "\"t1\"");
    SAY("gate", "[\"t2\"]", "\"t2\"");
    SAY("ask", "[\"D\",\"watch\",\"t1\",{\"thing\":\"t1\"}]", "\"watching\"");
    SAY("ask", "[\"D\",\"pipeline\",\"t2\",{\"thing\":\"ear\"},\"t2\"]", "\"waiting\"");
    SAY("ask", "[\"D\",\"make\",\"own\"]", "\"made\"");
    SAY("ask", "[\"D\",\"watchOwn\",\"own\"]", "\"watching\"");
    SAY("fork", "[\"D\",\"D1\"" SHARE, "0");
    uint64_t from = lab_transcript_end(&l, lab_vat(&l, "D"));
    SAY("open", "[\"t2\",{\"thing\":\"ear\"}]", "\"opened\"");
    SAY("open", "[\"t1\",{\"thing\":\"ear\"}]", "\"opened\"");
    SAY("askAll", "[[\"D\",\"D1\"],\"settle\",\"own\",3]", "[\"settled\",\"settled\"]");
    for (int i = 0; i < 18; i++) lab_send(&l, "askAll", "[[\"D\",\"D1\"],\"string\",1]");
    const char *parent = lab_transcript(&l, lab_vat(&l, "D"), from);
    assert_non_null(strstr(parent, "[\"notify\","));
    assert_non_null(strstr(parent, "save-snapshot"));
    assert_true(lab_same("transcript", lab_transcript(&l, lab_vat(&l, "D1"), 1), parent));
    assert_string_equal(lab_info(&l, "D1").snapshot, lab_info(&l, "D").snapshot);
    audited();
}

/* -- objects --------------------------------------------------------------------------------------- */

/* The names that a vat exports durable objects by, and the kernel's names of them. */
static const char *exports(const char *name, const char *what)
{
    return lab_query(&l, lab_printf(&l, "SELECT %s FROM kvStore WHERE key GLOB '%s.c.o+d*' ORDER BY key",
                                    what, vat_name(name)));
}

static void assert_same_vatstore(const char *parent, const char *child)
{
    const char *p = vat_name(parent), *c = vat_name(child);
    assert_int_equal(count(parent, "vs.*"), count(child, "vs.*"));
    const char *others = lab_query(&l, lab_printf(&l, "SELECT p.key FROM kvStore p LEFT JOIN kvStore c "
        "ON c.key = '%s' || substr(p.key, %zu) WHERE p.key GLOB '%s.vs.*' AND c.value IS NOT p.value",
        c, strlen(p) + 1, p));
    assert_string_equal(others, "");
}

TEST(objects_made_before_and_after)
{
    SAY("fork", "[\"Z\",\"E\"]", "0");
    SAY("ask", "[\"E\",\"coin\",5]", "\"E.coin\"");
    SAY("ask", "[\"E\",\"bead\",\"red\"]", "\"E.bead\"");
    SAY("ask", "[\"E\",\"string\",4]", "4");
    SAY("ask", "[\"E\",\"keep\",\"first\",{\"thing\":\"E.coin\"}]", "1");
    SAY("fork", "[\"E\",\"E1\",[\"E.coin\",\"E.bead\"],{\"promises\":\"share\"}]", "2");
    assert_same_vatstore("E", "E1");
    /* those of before live on in both, each with its own state */
    SAY("tell", "[\"E1.coin\",\"polish\"]", "6");
    SAY("tell", "[\"E.coin\",\"worth\"]", "5");
    SAY("tell", "[\"E.bead\",\"dye\",\"grey\"]", "\"grey\"");
    SAY("tell", "[\"E1.bead\",\"colour\"]", "\"red\"");
    /* new ones are called the same, and are not the same */
    lab_send(&l, "ask", "[\"E\",\"coin\",1]");
    lab_send(&l, "ask", "[\"E1\",\"coin\",2]");
    const char *vrefs = exports("E", "substr(key, instr(key, '.c.'))");
    assert_string_equal(exports("E1", "substr(key, instr(key, '.c.'))"), vrefs);
    assert_string_not_equal(exports("E1", "value"), exports("E", "value"));
    SAY("tell", "[\"E.coin\",\"worth\"]", "1");
    SAY("tell", "[\"E1.coin\",\"worth\"]", "2");
    /* and each goes when its own vat has no more use for it */
    long e = count("E", "vs.vom.o+*"), e1 = count("E1", "vs.vom.o+*");
    assert_int_equal(e, e1);
    lab_send(&l, "release", "[]");
    lab_collect(&l, "forget", "[\"E1.coin\",\"E1.bead\"]");
    assert_int_equal(count("E1", "vs.vom.o+*"), e1 - 2); /* the second coin, the bead; the first is kept */
    assert_int_equal(count("E", "vs.vom.o+*"), e);
    lab_collect(&l, "ask", "[\"E1\",\"lose\",\"first\"]");
    lab_collect(&l, "ask", "[\"E\",\"unstring\"]");
    assert_int_equal(count("E1", "vs.vom.o+*"), e1 - 3);
    assert_int_equal(count("E", "vs.vom.o+*"), e - 4);
    SAY("tell", "[\"E.coin\",\"worth\"]", "1");
    SAY("ask", "[\"E1\",\"string\",1]", "5");
    audited();
}

/* F1: a durable object, a virtual one and one of the heap that somebody merely recognizes. */
TEST(exports_that_are_merely_recognized)
{
    SAY("fork", "[\"Z\",\"F\"]", "0");
    SAY("fork", "[\"Z\",\"G\"]", "0");
    static const char *const kinds[] = { "coin", "bead", "trinket" };
    for (int i = 0; i < 3; i++) {
        SAY("ask", lab_printf(&l, "[\"F\",\"%s\"]", kinds[i]), lab_printf(&l, "\"F.%s\"", kinds[i]));
        SAY("ask", lab_printf(&l, "[\"G\",\"recognize\",{\"thing\":\"F.%s\"}]", kinds[i]), "true");
    }
    SAY("ask", "[\"F\",\"keep\",\"coin\",{\"thing\":\"F.coin\"}]", "1");
    lab_send(&l, "release", "[]");
    lab_collect(&l, "forget", "[\"F.coin\",\"F.bead\",\"F.trinket\"]");
    lab_collect(&l, "heard", "[]");
    const char *f = vat_name("F");
    const char *recognized = lab_query(&l, lab_printf(&l, "SELECT substr(value, 1, 4) FROM kvStore WHERE key GLOB "
                                                          "'%s.c.ko*' AND value GLOB '_ o+*'", f));
    assert_true(strlen(recognized) >= 5); /* the coin, which F keeps */
    SAY("fork", "[\"F\",\"F1\"]", "0");
    SAY("ask", "[\"F1\",\"string\",2]", "2");
    lab_collect(&l, "ask", "[\"F1\",\"lose\",\"coin\"]");
    lab_collect(&l, "ask", "[\"F1\",\"coin\",3]");
    assert_true(lab_vat_exists(&l, "F1"));
    assert_non_null(strstr(lab_transcript(&l, lab_vat(&l, "F1"), 1), "[\"retireExports\",["));
    SAY("ask", "[\"F\",\"lose\",\"coin\"]", "0");
    lab_collect(&l, "heard", "[]");
    SAY("ask", "[\"F\",\"string\",1]", "1");
    audited();
}

/* -- ends ------------------------------------------------------------------------------------------- */

/* A parent ends with much in flight; what it decided is rejected, its child goes on. */
TEST(a_parent_that_ends_while_both_wait)
{
    if (!all) skip();
    SAY("fork", "[\"Z\",\"H\"]", "0");
    SAY("gate", "[\"e1\"]", "\"e1\"");
    SAY("ask", "[\"H\",\"make\",\"own\"]", "\"made\"");
    SAY("take", "[\"H\",\"own\"]", "\"taken\"");
    SAY("ask", "[\"H\",\"watch\",\"e1\",{\"thing\":\"e1\"}]", "\"watching\"");
    SAY("later", "[\"H\",\"answer\",\"e1\",{\"thing\":\"e1\"}]", "\"asked\"");
    SAY("fork", "[\"H\",\"H1\"" SHARE, "0");
    SAY("terminate", "[\"H\"]", "\"told\"");
    const char *heard = lab_collect(&l, "heard", "[]");
    assert_non_null(strstr(heard, "\"H.own broke: vat terminated\""));
    assert_non_null(strstr(heard, "\"H.answer broke: vat terminated\""));
    lab_restart(&l);
    SAY("open", "[\"e1\",9]", "\"opened\"");
    SAY("ask", "[\"H1\",\"notes\"]", "[\"e1 gave 9\"]");
    SAY("ask", "[\"H1\",\"heard\"]", "[\"e1 answers 9\"]");
    SAY("ask", "[\"H1\",\"settle\",\"own\",1]", "\"settled\"");
    assert_string_equal(lab_send(&l, "heard", "[]"), heard);
    audited();
}

TEST(a_child_that_ends_while_both_wait)
{
    if (!all) skip();
    SAY("fork", "[\"Z\",\"I\"]", "0");
    SAY("gate", "[\"e2\"]", "\"e2\"");
    SAY("ask", "[\"I\",\"watch\",\"e2\",{\"thing\":\"e2\"}]", "\"watching\"");
    SAY("later", "[\"I\",\"answer\",\"e2\",{\"thing\":\"e2\"}]", "\"asked\"");
    SAY("fork", "[\"I\",\"I1\"" SHARE, "0");
    SAY("fork", "[\"I\",\"I2\"" SHARE, "0");
    SAY("terminate", "[\"I1\"]", "\"told\"");
    lab_collect(&l, "release", "[]");
    SAY("open", "[\"e2\",9]", "\"opened\"");
    SAY("askAll", "[[\"I\",\"I2\"],\"notes\"]", "[[\"e2 gave 9\"],[\"e2 gave 9\"]]");
    assert_non_null(strstr(lab_send(&l, "heard", "[]"), "\"I.answer: 9\"]"));
    audited();
}

/* -- the service ------------------------------------------------------------------------------------ */

static void tell_vat_admin(const char *method)
{
    struct err e;
    uint64_t cranks;
    kref admin;
    assert_int_equal(kernel_find(l.kernel, SPAN("vatAdmin"), &admin, &e), 0);
    kernel_send(l.kernel, admin, span_of(method), pass_array(&l.arena, 0, NULL));
    assert_int_equal(lab_try_run(&l, &cranks, &e), 0);
}

static void assert_answers(const char *method, const char *args, const char *what)
{
    const char *got = lab_send(&l, method, args);
    if (got[0] == '!' && strstr(got, what) != NULL) return;
    fprintf(stderr, "%s%s: %s\n", method, args, got);
    fail();
}

TEST(a_service_that_is_paused)
{
    SAY("fork", "[\"Z\",\"J\"]", "0");
    tell_vat_admin("pauseService");
    uint64_t next = strtoull(lab_kv(&l, "vat.nextID"), NULL, 10);
    assert_answers("fork", "[\"J\",\"J1\"]", "service not available, try again later");
    assert_answers("fork", "[\"Z\",\"J1\"]", "service not available, try again later");
    assert_answers("zygotify", "[\"J\"]", "service not available, try again later");
    assert_int_equal(strtoull(lab_kv(&l, "vat.nextID"), NULL, 10), next);
    tell_vat_admin("resumeService");
    SAY("fork", "[\"J\",\"J1\"]", "0");
    audited();
}

/* The answer is lost with the incarnation that was asked; the child is there, and managed. */
TEST(a_service_that_is_upgraded_while_a_fork_waits)
{
    struct err e;
    uint64_t cranks;
    struct jval source;
    kref upgraded;
    const char *admin = vat_name("vatAdmin");
    struct span text = span_of(lab_kv(&l, lab_printf(&l, "%s.source", admin)));
    assert_int_equal(json_parse(&l.arena, text, &source, &e), 0);
    kref asked = lab_queue(&l, "fork", "[\"Z\",\"K\"]");
    assert_int_equal(kernel_upgrade_static(l.kernel, SPAN("vatAdmin"), false,
                                           json_str(json_get(source, "bundleID"), &l.arena), NULL, &upgraded, &e), 0);
    assert_int_equal(lab_try_run(&l, &cranks, &e), 0);
    assert_non_null(strstr(lab_take(&l, asked), "vatUpgraded"));
    assert_non_null(strstr(lab_take(&l, upgraded), "vatUpgraded")); /* likewise */
    assert_int_equal(lab_info(&l, "vatAdmin").incarnation, 1);
    assert_true(lab_vat_exists(&l, "K"));
    assert_non_null(strstr(lab_query(&l, lab_printf(&l, "SELECT key FROM kvStore WHERE key GLOB '%s.vs.vc.*.s%s'",
                                                    admin, vat_name("K"))), "vc."));
    SAY("fork", "[\"Z\",\"L\"]", "0"); /* handles outlive the service's incarnation */
    SAY("ask", "[\"L\",\"string\",1]", "1");
    audited();
}

static int set_up(void **state)
{
    (void)state;
    lab_new(&l, "tests/fork/state.json");
    lab_boot(&l);
    SAY("create", "[\"Z\",\"promises\"]", "\"created\"");
    SAY("zygotify", "[\"Z\"]", "\"sealed\"");
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    lab_free(&l);
    return 0;
}

int main(int argc, char **argv)
{
    all = argc == 2 && strcmp(argv[1], "long") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callbacks_in_the_heap),
        cmocka_unit_test(durable_watchers),
        cmocka_unit_test(told_behind_the_parent),
        cmocka_unit_test(what_both_hear_makes_the_same_of_both),
        cmocka_unit_test(objects_made_before_and_after),
        cmocka_unit_test(exports_that_are_merely_recognized),
        cmocka_unit_test(a_service_that_is_paused),
        cmocka_unit_test(a_service_that_is_upgraded_while_a_fork_waits),
        cmocka_unit_test(a_parent_that_ends_while_both_wait),
        cmocka_unit_test(a_child_that_ends_while_both_wait),
    };
    return cmocka_run_group_tests(tests, set_up, clean_up);
}
