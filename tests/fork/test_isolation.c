/* What is done in one vat of a family is not seen in another: three generations, ends,
 * garbage, snapshots stored once, refusals. */
#include "lib/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "lab.h"

static char *cache; /* one for all tests */

static void begin(struct lab *l)
{
    lab_new(l, "tests/fork/state.json");
    lab_share_images(l, &cache);
    lab_boot(l);
    lab_expect(l, "create", "[\"P\",\"state\",{\"vatParameters\":{\"start\":1}}]", "\"created\"");
}

static void end(struct lab *l)
{
    assert_int_equal(lab_audit(l), 0);
    lab_free(l);
}

static long number(struct lab *l, const char *sql)
{
    return strtol(lab_query(l, sql), NULL, 10);
}

/* What `name` counts to, in its heap and in its baggage. */
static void assert_counts(struct lab *l, const char *name, int want)
{
    const char *got = lab_send(l, "ask", lab_printf(l, "[\"%s\",\"read\"]", name));
    const char *heap = lab_printf(l, "\"heap\":%d,", want);
    const char *stored = lab_printf(l, "\"stored\":%d,", want);
    if (strstr(got, heap) != NULL && strstr(got, stored) != NULL) return;
    fprintf(stderr, "%s reads %s, not %d\n", name, got, want);
    fail();
}

static void add(struct lab *l, const char *name, int by)
{
    lab_send(l, "ask", lab_printf(l, "[\"%s\",\"add\",%d]", name, by));
}

/* -- generations -------------------------------------------------------------------------- */

TEST(three_generations_go_their_ways)
{
    struct lab l;
    begin(&l);
    add(&l, "P", 1);
    lab_expect(&l, "fork", "[\"P\",\"C\"]", "0");
    add(&l, "P", 10);
    add(&l, "C", 100);
    lab_expect(&l, "fork", "[\"C\",\"G\"]", "0");
    lab_expect(&l, "fork", "[\"P\",\"S\"]", "0");
    add(&l, "C", 1000);
    add(&l, "G", 10000);
    lab_expect(&l, "fork", "[\"G\",\"H\"]", "0");
    add(&l, "H", 100000);
    lab_restart(&l);
    assert_counts(&l, "P", 12);
    assert_counts(&l, "S", 12);
    assert_counts(&l, "C", 1102);
    assert_counts(&l, "G", 10102);
    assert_counts(&l, "H", 110102);
    assert_int_equal(lab_info(&l, "H").forked_from.n, lab_vat(&l, "G").n);
    assert_int_equal(lab_info(&l, "G").forked_from.n, lab_vat(&l, "C").n);
    assert_int_equal(lab_info(&l, "C").forked_from.n, lab_vat(&l, "P").n);
    end(&l);
}

TEST(collections_and_objects_are_each_ones_own)
{
    struct lab l;
    begin(&l);
    lab_send(&l, "ask", "[\"P\",\"fill\",6]");
    lab_expect(&l, "ask", "[\"P\",\"purse\"]", "\"P.purse\"");
    lab_expect(&l, "ask", "[\"P\",\"box\"]", "\"P.box\"");
    lab_expect(&l, "ask", "[\"P\",\"cell\"]", "\"P.cell\"");
    lab_expect(&l, "fork", "[\"P\",\"C\",[\"P.purse\",\"P.box\",\"P.cell\",\"P.purse\"]]", "4");
    lab_expect(&l, "tell", "[\"C.purse\",\"deposit\",5]", "6");
    lab_expect(&l, "tell", "[\"C.box\",\"put\",7]", "8");
    lab_expect(&l, "tell", "[\"C.cell\",\"add\",9]", "10");
    lab_expect(&l, "tell", "[\"P.purse\",\"look\"]", "[1,false]");
    lab_expect(&l, "tell", "[\"P.box\",\"put\",1]", "2");
    lab_expect(&l, "tell", "[\"P.cell\",\"get\"]", "1");
    lab_expect(&l, "tell", "[\"C.purse\",\"look\"]", "[6,false]");
    lab_send(&l, "ask", "[\"C\",\"thin\"]");
    assert_non_null(strstr(lab_send(&l, "ask", "[\"P\",\"read\"]"), "\"virtual\":6}"));
    assert_non_null(strstr(lab_send(&l, "ask", "[\"C\",\"read\"]"), "\"virtual\":3}"));
    end(&l);
}

TEST(what_the_child_was_not_given_is_garbage_to_it_alone)
{
    struct lab l;
    begin(&l);
    lab_expect(&l, "ask", "[\"P\",\"purse\"]", "\"P.purse\"");
    lab_expect(&l, "ask", "[\"P\",\"box\"]", "\"P.box\"");
    lab_expect(&l, "fork", "[\"P\",\"C\"]", "0");
    lab_collect(&l, "heard", "[]");
    const char *c = vat_id_text(lab_vat(&l, "C")).s;
    const char *told = lab_transcript(&l, lab_vat(&l, "C"), 1);
    assert_non_null(strstr(told, "dropExports"));
    assert_int_equal(number(&l, lab_printf(&l, "SELECT count(*) FROM kvStore WHERE key GLOB "
                                               "'%s.c.o+*' AND key != '%s.c.o+0'", c, c)), 0);
    lab_expect(&l, "tell", "[\"P.purse\",\"deposit\",1]", "2");
    lab_expect(&l, "tell", "[\"P.box\",\"put\",1]", "2");
    assert_counts(&l, "C", 1);
    end(&l);
}

TEST(imports_are_shared_and_dropped_one_by_one)
{
    struct lab l;
    begin(&l);
    lab_send(&l, "make", "[\"ear\"]");
    lab_send(&l, "ask", "[\"P\",\"keep\",\"ear\",{\"thing\":\"ear\"}]");
    lab_send(&l, "ask", "[\"P\",\"recognize\",{\"thing\":\"ear\"}]");
    lab_expect(&l, "fork", "[\"P\",\"C\"]", "0");
    lab_expect(&l, "ask", "[\"C\",\"talk\",\"ear\",\"C was here\"]", "\"C was here\"");
    lab_expect(&l, "heard", "[]", "[\"C was here\"]");
    lab_send(&l, "ask", "[\"P\",\"drop\",\"ear\"]");
    lab_collect(&l, "heard", "[]");
    lab_expect(&l, "ask", "[\"C\",\"talk\",\"ear\",\"still\"]", "\"still\"");
    lab_send(&l, "ask", "[\"C\",\"drop\",\"ear\"]");
    lab_collect(&l, "forget", "[\"ear\"]");
    lab_collect(&l, "heard", "[]");
    assert_counts(&l, "P", 1);
    assert_counts(&l, "C", 1);
    end(&l);
}

/* -- ends ------------------------------------------------------------------------------------ */

TEST(a_child_outlives_its_parent)
{
    struct lab l;
    begin(&l);
    lab_send(&l, "ask", "[\"P\",\"fill\",4]");
    lab_expect(&l, "ask", "[\"P\",\"box\"]", "\"P.box\"");
    lab_expect(&l, "fork", "[\"P\",\"C\",[\"P.box\"]]", "1");
    const char *p = lab_printf(&l, "%s", vat_id_text(lab_vat(&l, "P")).s);
    lab_expect(&l, "terminate", "[\"P\"]", "\"told\"");
    assert_false(lab_vat_exists(&l, "P"));
    lab_collect(&l, "forget", "[\"P\",\"P.root\",\"P.box\"]");
    lab_collect(&l, "heard", "[]");
    assert_int_equal(number(&l, lab_printf(&l, "SELECT count(*) FROM snapshots WHERE vatID='%s'", p)), 0);
    assert_int_equal(number(&l, lab_printf(&l, "SELECT count(*) FROM kvStore WHERE key GLOB "
                                               "'%s.*'", p)), 0);
    lab_close(&l);
    lab_forget_images(&l); /* so C comes from what the store holds */
    lab_open(&l);
    assert_counts(&l, "C", 1);
    lab_expect(&l, "tell", "[\"C.box\",\"put\",2]", "3");
    assert_int_equal(number(&l, "SELECT count(*) FROM snapshotBlobs WHERE hash NOT IN "
                                "(SELECT hash FROM snapshotRows)"), 0);
    end(&l);
}

TEST(the_end_of_a_child_is_its_own)
{
    struct lab l;
    begin(&l);
    lab_expect(&l, "fork", "[\"P\",\"C\"]", "0");
    lab_expect(&l, "fork", "[\"C\",\"G\"]", "0");
    kref done = lab_queue(&l, "done", "[\"C\"]");
    lab_expect(&l, "terminate", "[\"C\",\"enough\"]", "\"told\"");
    lab_collect(&l, "heard", "[]");
    assert_string_equal(lab_take(&l, done), "[\"failed\",\"enough\"]");
    lab_restart(&l);
    assert_counts(&l, "P", 1);
    assert_counts(&l, "G", 1);
    assert_int_equal(lab_info(&l, "G").forked_position > 0, true);
    end(&l);
}

static long blobs(struct lab *l, const char *hash)
{
    return number(l, lab_printf(l, "SELECT count(*) FROM snapshotBlobs WHERE hash = '%s'", hash));
}

static long users(struct lab *l, const char *hash)
{
    return number(l, lab_printf(l, "SELECT count(*) FROM snapshotRows WHERE present AND "
                                   "hash = '%s'", hash));
}

TEST(snapshots_do_not_disturb_each_other)
{
    struct lab l;
    begin(&l);
    lab_expect(&l, "fork", "[\"P\",\"C\"]", "0");
    lab_expect(&l, "fork", "[\"P\",\"D\"]", "0");
    char first[SHA256_HEX + 1];
    memcpy(first, lab_info(&l, "P").snapshot, sizeof first);
    assert_int_equal(blobs(&l, first), 1);
    assert_int_equal(users(&l, first), 3);
    int p = 1, c = 1;
    while (strcmp(lab_info(&l, "C").snapshot, first) == 0) add(&l, "C", 1), c++;
    assert_int_equal(users(&l, first), 2);
    while (strcmp(lab_info(&l, "P").snapshot, first) == 0) add(&l, "P", 2), p += 2;
    assert_int_equal(users(&l, first), 1);
    assert_int_equal(blobs(&l, first), 1);
    lab_close(&l);
    lab_forget_images(&l);
    lab_open(&l);
    assert_counts(&l, "D", 1);
    assert_counts(&l, "C", c);
    assert_counts(&l, "P", p);
    lab_expect(&l, "terminate", "[\"D\"]", "\"told\"");
    assert_int_equal(blobs(&l, first), 0);
    lab_restart(&l);
    assert_counts(&l, "C", c);
    assert_counts(&l, "P", p);
    end(&l);
}

TEST(a_machine_that_dies_takes_only_its_vat_along)
{
    struct lab l;
    begin(&l);
    lab_expect(&l, "fork", "[\"P\",\"C\"]", "0");
    lab_expect(&l, "fork", "[\"C\",\"G\"]", "0");
    kref done = lab_queue(&l, "done", "[\"C\"]");
    const char *got = lab_send(&l, "ask", "[\"C\",\"overflow\"]");
    assert_int_equal(got[0], '!');
    assert_false(lab_vat_exists(&l, "C"));
    assert_non_null(strstr(lab_take(&l, done), "[\"failed\","));
    add(&l, "P", 1);
    assert_counts(&l, "P", 2);
    assert_counts(&l, "G", 1);
    lab_expect(&l, "fork", "[\"P\",\"D\"]", "0");
    assert_counts(&l, "D", 2);
    end(&l);
}

/* -- zygotes ------------------------------------------------------------------------------------ */

TEST(a_sealed_vat_forks_and_nothing_else)
{
    struct lab l;
    begin(&l);
    lab_expect(&l, "ask", "[\"P\",\"box\"]", "\"P.box\"");
    lab_expect(&l, "ask", "[\"P\",\"purse\"]", "\"P.purse\"");
    lab_expect(&l, "zygotify", "[\"P\"]", "\"sealed\"");
    assert_non_null(strstr(lab_send(&l, "ask", "[\"P\",\"read\"]"), "vat is a zygote"));
    assert_non_null(strstr(lab_send(&l, "tell", "[\"P.box\",\"put\",1]"), "vat is a zygote"));
    uint64_t sealed_at = lab_transcript_end(&l, lab_vat(&l, "P"));
    lab_restart(&l);
    lab_expect(&l, "fork", "[\"P\",\"A\",[\"P.purse\"]]", "1");
    lab_expect(&l, "fork", "[\"P\",\"B\",[\"P.box\",\"P.root\"]]", "2");
    assert_false(lab_info(&l, "P").online);
    assert_int_equal(lab_transcript_end(&l, lab_vat(&l, "P")), sealed_at);
    lab_expect(&l, "tell", "[\"A.purse\",\"deposit\",2]", "3");
    lab_expect(&l, "tell", "[\"B.box\",\"put\",2]", "3");
    lab_collect(&l, "forget", "[\"P.purse\",\"P.box\",\"P.root\"]");
    lab_expect(&l, "fork", "[\"P\",\"E\"]", "0"); /* the root is held by the seal */
    add(&l, "A", 1);
    add(&l, "E", 2);
    assert_counts(&l, "A", 2);
    assert_counts(&l, "B", 1);
    assert_counts(&l, "E", 3);
    lab_expect(&l, "terminate", "[\"P\"]", "\"told\"");
    lab_collect(&l, "heard", "[]");
    lab_restart(&l);
    assert_counts(&l, "A", 2);
    end(&l);
}

/* -- order, refusals ------------------------------------------------------------------------------ */

static void queue_add(struct lab *l, kref root, int by)
{
    const struct pass *amount = pass_number(&l->arena, by);
    kernel_send(l->kernel, root, SPAN("add"), pass_array(&l->arena, 1, &amount));
}

TEST(messages_before_the_fork_are_in_the_past_later_ones_never_arrive)
{
    struct lab l;
    begin(&l);
    struct err e;
    uint64_t cranks;
    vat_id c;
    kref root, child;
    struct fork_request r = { .vat = lab_vat(&l, "P"),
                              .options = { .name = SPAN("C"), .reap_interval = REAP_DEFAULT } };
    assert_int_equal(kernel_find(l.kernel, span_of(vat_id_text(r.vat).s), &root, &e), 0);
    queue_add(&l, root, 10);
    assert_int_equal(kernel_fork(l.kernel, &r, &c, &e), 0);
    queue_add(&l, root, 100);
    assert_int_equal(lab_try_run(&l, &cranks, &e), 0);
    assert_int_equal(lab_vat(&l, "C").n, c.n);
    assert_int_equal(kernel_find(l.kernel, span_of(vat_id_text(c).s), &child, &e), 0);
    queue_add(&l, child, 1000);
    assert_int_equal(lab_try_run(&l, &cranks, &e), 0);
    assert_non_null(strstr(lab_transcript(&l, c, 0), "\"heap\\\":1011,"));
    assert_null(strstr(lab_transcript(&l, c, 0), "100]"));
    assert_counts(&l, "P", 111);
    end(&l);
}

static void assert_refused(struct lab *l, const char *method, const char *args, const char *why)
{
    long vats = number(l, "SELECT count(*) FROM kvStore WHERE key GLOB 'v*.source'");
    const char *got = lab_send(l, method, args);
    if (got[0] != '!' || strstr(got, why) == NULL) {
        fprintf(stderr, "%s%s: %s\n", method, args, got);
        fail();
    }
    assert_int_equal(number(l, "SELECT count(*) FROM kvStore WHERE key GLOB 'v*.source'"), vats);
    assert_int_equal(lab_audit(l), 0);
}

TEST(refusals_leave_nothing)
{
    struct lab l;
    begin(&l);
    lab_send(&l, "make", "[\"ear\"]");
    lab_expect(&l, "create", "[\"Q\",\"state\"]", "\"created\"");
    lab_expect(&l, "ask", "[\"Q\",\"box\"]", "\"Q.box\"");
    assert_refused(&l, "fork", "[\"P\",\"C\",[\"ear\"]]", "oldrefs[0] is not an export of this vat");
    assert_refused(&l, "fork", "[\"P\",\"C\",[\"P.root\",\"Q.box\"]]",
                   "oldrefs[1] is not an export of this vat");
    assert_refused(&l, "fork", "[\"P\",\"C\",[],{\"shape\":\"round\"}]", "unknown options");
    assert_refused(&l, "fork", "[\"P\",\"not a name!\"]", "name");
    lab_send(&l, "ask", "[\"P\",\"keep\",\"ear\",{\"thing\":\"ear\"}]");
    lab_expect(&l, "ask", "[\"P\",\"hang\",\"ear\"]", "\"hung\"");
    assert_refused(&l, "fork", "[\"P\",\"C\"]", "vat is not quiescent: 1 promise");
    assert_refused(&l, "zygotify", "[\"P\"]", "vat is not quiescent: 1 promise");
    assert_counts(&l, "P", 1);
    lab_expect(&l, "terminate", "[\"Q\"]", "\"told\"");
    assert_refused(&l, "fork", "[\"Q\",\"C\"]", "vat terminated");
    end(&l);
}

TEST(a_vat_that_cannot_start_leaves_nothing)
{
    struct lab l;
    begin(&l);
    assert_refused(&l, "create", "[\"T\",\"throws\"]", "Vat Creation Error");
    lab_restart(&l);
    assert_refused(&l, "fork", "[\"T\",\"C\"]", "no vat is called");
    assert_counts(&l, "P", 1);
    end(&l);
}

static int clean_up(void **state)
{
    (void)state;
    lab_drop_images(&cache);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_generations_go_their_ways),
        cmocka_unit_test(collections_and_objects_are_each_ones_own),
        cmocka_unit_test(what_the_child_was_not_given_is_garbage_to_it_alone),
        cmocka_unit_test(imports_are_shared_and_dropped_one_by_one),
        cmocka_unit_test(a_child_outlives_its_parent),
        cmocka_unit_test(the_end_of_a_child_is_its_own),
        cmocka_unit_test(snapshots_do_not_disturb_each_other),
        cmocka_unit_test(a_machine_that_dies_takes_only_its_vat_along),
        cmocka_unit_test(a_sealed_vat_forks_and_nothing_else),
        cmocka_unit_test(messages_before_the_fork_are_in_the_past_later_ones_never_arrive),
        cmocka_unit_test(refusals_leave_nothing),
        cmocka_unit_test(a_vat_that_cannot_start_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
