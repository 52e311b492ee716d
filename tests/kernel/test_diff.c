/* What kernel_diff says of two relatives, and who are relatives (kernel/diff.h). */
#include <stdio.h>

#include "family.h"
#include "kernel/diff.h"

/* One line a difference: "PART KEY A|B". */
static void put_entry(void *ctx, const struct diff_entry *e)
{
    static const char *const parts[DIFF_PARTS] = { "options", "clist", "vatstore" };
    buf_printf(ctx, "%s %.*s %.*s|%.*s\n", parts[e->part], SPAN_ARG(e->key), SPAN_ARG(e->a), SPAN_ARG(e->b));
}

static void differ(struct world *w, vat_id a, vat_id b, const char *want)
{
    struct buf got = { 0 }, before = { 0 }, after = { 0 };
    world_dump(w, &before);
    kernel_diff(w->kernel, a, b, put_entry, &got);
    world_dump(w, &after);
    assert_true(span_eq(buf_span(&before), buf_span(&after)));
    buf_putc(&got, '\0');
    assert_string_equal(got.p, want);
    buf_fini(&got);
    buf_fini(&before);
    buf_fini(&after);
}

/* "ANCESTOR POSITION SINCE-A SINCE-B UP-A UP-B" */
static void kin(struct world *w, vat_id a, vat_id b, const char *want)
{
    struct diff_point p;
    struct err e;
    char got[80];
    if (kernel_kinship(w->kernel, a, b, &p, &e) != 0) fail_msg("%s", e.text);
    snprintf(got, sizeof got, "v%u %d %d %d %u %u", p.ancestor.n, (int)p.position, (int)p.since_a, (int)p.since_b, p.up_a, p.up_b);
    assert_string_equal(got, want);
}

static void strangers(struct world *w, vat_id a, vat_id b, enum exit_code exit, const char *says)
{
    struct diff_point p;
    struct err e = { 0 };
    assert_int_equal(kernel_kinship(w->kernel, a, b, &p, &e), -1);
    assert_int_equal(e.exit, exit);
    assert_non_null(strstr(e.text, says));
}

static uint64_t end_of(struct world *w, vat_id vat)
{
    struct transcript_bounds t;
    assert_true(transcript_bounds(w->store, span_of_vat(w->kernel, vat), &t));
    return t.end;
}

TEST(twins_are_equal_until_one_does_something)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    vat_id c = forked(&f, 0, NULL), d = forked(&f, 0, NULL);
    differ(w, c, d, "");
    poke(w, c, "set k v\nset same 1");
    poke(w, d, "set l w\nset same 1");
    differ(w, c, d, "vatstore k v|\nvatstore l |w\n");
    poke(w, d, "set k x");
    poke(w, c, "delete same");
    differ(w, c, d, "vatstore k v|x\nvatstore l |w\nvatstore same |1\n");
    differ(w, d, c, "vatstore k x|v\nvatstore l w|\nvatstore same 1|\n");
    world_close(w);
}

TEST(rows_that_one_has_alone_or_can_no_longer_reach)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    kref one = exported(&f, "o+1");
    vat_id c = forked(&f, 1, &one), d = forked(&f, 1, &one);
    /* What each exports is its own, and no difference. */
    assert_false(kref_eq(meant(w, c, "o+1"), meant(w, d, "o+1")));
    differ(w, c, d, "");
    differ(w, c, f.p, "");
    poke(w, c, "drop %s", f.b_in_p);
    char want[200];
    snprintf(want, sizeof want, "clist %s _ %s|R %s\n", f.b_in_p, kref_text(root_of(w, f.b)).s, kref_text(root_of(w, f.b)).s);
    differ(w, c, d, want);
    poke(w, c, "retire %s", f.b_in_p);
    snprintf(want, sizeof want, "clist %s |R %s\n", f.b_in_p, kref_text(root_of(w, f.b)).s);
    differ(w, c, d, want);
    world_close(w);
}

TEST(promises_that_each_decides_itself_are_its_own)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    poke(w, f.p, "send %s p+5", f.a_in_p);
    vat_id c = shared(&f);
    assert_false(kref_eq(meant(w, c, "p+5"), meant(w, f.p, "p+5")));
    differ(w, f.p, c, "");
    char want[200];
    snprintf(want, sizeof want, "clist p+5 R %s|\n", kref_text(meant(w, f.p, "p+5")).s);
    poke(w, c, "resolve p+5 %s", f.a_in_p);
    differ(w, f.p, c, want);
    world_close(w);
}

TEST(options_member_by_member)
{
    struct family f;
    open_with(&f, (struct world_setup){ 0 }, "'name':'parent'");
    struct world *w = &f.w;
    vat_id c = device_fork(w, f.p, 0, NULL, "'name':'c','reapInterval':7");
    world_run(w);
    vat_id d = device_fork(w, f.p, 0, NULL, "'reapInterval':'never'");
    world_run(w);
    differ(w, c, d, "options options.reapDirtThreshold {\"deliveries\":7}|{\"deliveries\":\"never\"}\n");
    differ(w, f.p, c, "options options.reapDirtThreshold {}|{\"deliveries\":7}\n");
    device_seal(w, d);
    world_run(w);
    differ(w, c, d, "options options.reapDirtThreshold {\"deliveries\":7}|{\"deliveries\":\"never\"}\noptions sealed |1\n");
    world_close(w);
}

TEST(where_ways_parted)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    vat_id c = forked(&f, 0, NULL);
    uint64_t at = end_of(w, f.p);
    char want[80];
    snprintf(want, sizeof want, "v5 %d 0 1 0 1", (int)at);
    kin(w, f.p, c, want);
    poke(w, f.p, "set k 1");
    poke(w, c, "set k 1");
    poke(w, c, "set k 2");
    snprintf(want, sizeof want, "v5 %d 3 1 1 0", (int)at);
    kin(w, c, f.p, want);
    vat_id later = forked(&f, 0, NULL), grandchild = device_fork(w, c, 0, NULL, "");
    world_run(w);
    /* what c did after c's fork counts for its child, too */
    snprintf(want, sizeof want, "v5 %d %d %d 2 1", (int)at, (int)(end_of(w, c) + 1), (int)(end_of(w, f.p) - at + 1));
    kin(w, grandchild, later, want);
    snprintf(want, sizeof want, "v6 %d 0 1 0 1", (int)end_of(w, c));
    kin(w, c, grandchild, want);
    terminate(w, f.p);
    terminate(w, c);
    struct diff_point p;
    struct err e;
    assert_int_equal(kernel_kinship(w->kernel, grandchild, later, &p, &e), 0);
    assert_int_equal(p.ancestor.n, f.p.n);
    assert_int_equal(p.position, at);
    strangers(w, f.p, later, EXIT_NOT_FOUND, "no vat v5");
    strangers(w, later, later, EXIT_POLICY, "is one vat");
    strangers(w, later, f.a, EXIT_POLICY, "are no relatives");
    strangers(w, later, (vat_id){ 99 }, EXIT_NOT_FOUND, "no vat v99");
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twins_are_equal_until_one_does_something),
        cmocka_unit_test(rows_that_one_has_alone_or_can_no_longer_reach),
        cmocka_unit_test(promises_that_each_decides_itself_are_its_own),
        cmocka_unit_test(options_member_by_member),
        cmocka_unit_test(where_ways_parted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
