/* Fork transparency (fork.md F5): a parent and its children, given the same deliveries
 * after the fork, do the same to the byte: transcripts with kernel-allocated vrefs and
 * computrons, and heap snapshots, by hash. */
#include "lib/unit.h"

#include <stdio.h>

#include "lab.h"

/* P, a fork of it, and a fork of a zygote that was one. */
#define ALL "[\"P\",\"C\",\"D\"]"

static void to_all(struct lab *l, const char *method, const char *args)
{
    const char *got = lab_send(l, "askAll", lab_printf(l, "[" ALL ",\"%s\"%s%s]", method,
                                                       *args ? "," : "", args));
    if (got[0] != '[') {
        fprintf(stderr, "%s: %s\n", method, got);
        fail();
    }
}

enum { STEPS = 16 };

/* What each vat is told after the fork; more than one snapshot interval of it. */
static void step(struct lab *l, int i)
{
    switch (i % STEPS) {
    case 0: to_all(l, "add", "1"); return;
    case 1: to_all(l, "fill", "6"); return;
    case 2: to_all(l, "keep", "\"two\",{\"thing\":\"late\"}"); return;
    case 3: to_all(l, "talk", "\"one\",\"hello\""); return;
    case 4: to_all(l, "recognize", "{\"thing\":\"late\"}"); return;
    case 5: to_all(l, "knows", "{\"thing\":\"weakly\"}"); return;
    case 6: to_all(l, "drop", "\"one\""); return;
    case 7: to_all(l, "thin", ""); return;
    case 8: to_all(l, "turns", "5"); return;
    case 9: to_all(l, "purse", ""); return;
    case 10: lab_send(l, "tellAll", "[" ALL ",\"purse\",\"entrust\",{\"thing\":\"late\"}]"); return;
    case 11: to_all(l, "fail", "\"ouch\""); return;
    case 12: to_all(l, "cell", ""); return;
    case 13: lab_send(l, "tellAll", "[" ALL ",\"box\",\"put\",7]"); return;
    case 14: lab_collect(l, "forget", "[\"P.cell\",\"C.cell\",\"D.cell\"]"); return;
    default: to_all(l, "keep", "\"one\",{\"thing\":\"one\"}"); return;
    }
}

/* A vat with state of every sort, exporting a box and holding imports, and its forks.
 * Every export is among the oldrefs: a child is told of no garbage that is its own. */
static void family(struct lab *l)
{
    lab_send(l, "make", "[\"one\"]");
    lab_send(l, "make", "[\"weakly\"]");
    lab_send(l, "make", "[\"late\"]");
    lab_expect(l, "create", "[\"P\",\"state\",{\"vatParameters\":{\"start\":10}}]", "\"created\"");
    lab_send(l, "ask", "[\"P\",\"fill\",5]");
    lab_send(l, "ask", "[\"P\",\"keep\",\"one\",{\"thing\":\"one\"}]");
    lab_send(l, "ask", "[\"P\",\"recognize\",{\"thing\":\"weakly\"}]");
    lab_send(l, "ask", "[\"P\",\"turns\",3]");
    lab_expect(l, "ask", "[\"P\",\"box\"]", "\"P.box\"");
    lab_send(l, "ask", "[\"P\",\"thin\"]");
    lab_expect(l, "fork", "[\"P\",\"C\",[\"P.box\"]]", "1");
    lab_expect(l, "fork", "[\"P\",\"Z\",[\"P.box\"]]", "1");
    lab_expect(l, "zygotify", "[\"Z\"]", "\"sealed\"");
    lab_expect(l, "fork", "[\"Z\",\"D\",[\"Z.box\"]]", "1");
}

static void assert_same(const char *what, const char *got, const char *want)
{
    assert_true(lab_same(what, got, want));
}

/* How one lab lives; what it does must not depend on it. */
struct life {
    const char *name;
    enum lab_images images;
    int restart_every;       /* steps; 0: never */
    bool forget_images;      /* with each restart */
    size_t online_max;
};

/* What "long" as an argument makes longer. */
static int steps = STEPS + 2;
static bool all;

static struct lab reference; /* lives as the product does, once for all tests */
static const char *expected;

static void check(struct lab *l, vat_id p, uint64_t p_from)
{
    const char *parent = lab_transcript(l, p, p_from);
    assert_same("transcript of a fork", lab_transcript(l, lab_vat(l, "C"), 1), parent);
    assert_same("transcript of a zygote's fork", lab_transcript(l, lab_vat(l, "D"), 1), parent);
    /* it was worth comparing */
    assert_non_null(strstr(parent, "bringOutYourDead"));
    assert_non_null(strstr(parent, "save-snapshot"));
    assert_non_null(strstr(parent, "dropExports"));
    assert_non_null(strstr(parent, "computrons"));
    char hash[SHA256_HEX + 1];
    memcpy(hash, lab_info(l, "P").snapshot, sizeof hash);
    assert_string_equal(lab_info(l, "C").snapshot, hash);
    assert_string_equal(lab_info(l, "D").snapshot, hash);
    assert_int_equal(lab_audit(l), 0);
}

/* Returns the whole store at the end. */
static const char *live(struct lab *l, const struct life *life)
{
    lab_new(l, "tests/fork/state.json");
    l->images = life->images;
    l->online_max = life->online_max;
    if (l != &reference && !life->forget_images) l->cache = reference.cache;
    lab_boot(l);
    family(l);
    vat_id p = lab_vat(l, "P");
    uint64_t p_from = lab_transcript_end(l, p);
    for (int i = 0; i < steps; i++) {
        bool restart = life->restart_every > 0 && i % life->restart_every == 0;
        l->restart_after = restart ? 2 + i : 0; /* in the middle of the conversation */
        l->restart_forgets = life->forget_images;
        step(l, i);
    }
    check(l, p, p_from);
    return lab_dump(l);
}

static void compare(const struct life *other)
{
    struct lab l;
    assert_non_null(expected);
    assert_same(other->name, live(&l, other), expected);
    lab_free(&l);
}

TEST(children_do_what_their_parent_does)
{
    expected = live(&reference, &(struct life){ .name = "reference" });
}

TEST(restarts_cannot_be_told)
{
    compare(&(struct life){ .name = "restarted", .restart_every = 4 });
}

TEST(images_cannot_be_told_from_loading)
{
    compare(&(struct life){ .name = "no images", .images = LAB_NO_IMAGES });
}

TEST(images_can_go_at_any_time)
{
    compare(&(struct life){ .name = "cold", .restart_every = 9, .forget_images = true });
}

TEST(paging_cannot_be_told)
{
    if (!all) skip();
    compare(&(struct life){ .name = "two vats online", .online_max = 2 });
}

static int clean_up(void **state)
{
    (void)state;
    if (reference.store_dir != NULL) lab_free(&reference);
    return 0;
}

/* The parent's snapshot happens to be current: it is used as it is, and what the parent was
 * told since its last bringOutYourDead counts for the child too. */
TEST(a_current_snapshot_is_used_as_it_is)
{
    struct lab l;
    char before[SHA256_HEX + 1];
    lab_new(&l, "tests/fork/state.json");
    l.cache = reference.cache;
    lab_boot(&l);
    lab_expect(&l, "create", "[\"P\",\"state\"]", "\"created\"");
    vat_id p = lab_vat(&l, "P");
    while (!lab_info(&l, "P").has_snapshot) lab_send(&l, "ask", "[\"P\",\"add\",1]");
    memcpy(before, lab_info(&l, "P").snapshot, sizeof before);
    uint64_t end = lab_transcript_end(&l, p);
    assert_non_null(strstr(lab_transcript(&l, p, end - 1), "load-snapshot"));
    lab_expect(&l, "fork", "[\"P\",\"C\"]", "0");
    assert_int_equal(lab_transcript_end(&l, p), end);
    assert_string_equal(lab_info(&l, "C").snapshot, before);
    assert_int_equal(lab_info(&l, "P").online, false);
    for (int i = 0; i < 12; i++) lab_send(&l, "askAll", "[[\"P\",\"C\"],\"add\",2]");
    assert_same("transcript", lab_transcript(&l, lab_vat(&l, "C"), 1), lab_transcript(&l, p, end));
    assert_int_equal(lab_audit(&l), 0);
    lab_free(&l);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "long") == 0) {
        steps = 3 * STEPS;
        all = true;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_do_what_their_parent_does),
        cmocka_unit_test(a_current_snapshot_is_used_as_it_is),
        cmocka_unit_test(restarts_cannot_be_told),
        cmocka_unit_test(images_cannot_be_told_from_loading),
        cmocka_unit_test(images_can_go_at_any_time),
        cmocka_unit_test(paging_cannot_be_told),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
