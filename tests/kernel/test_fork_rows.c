/* Every piece of a vat's state at its fork (fork.md section 4), where test_fork.c and
 * test_fork_share.c have not got it: one test a row. */
#include <stdio.h>
#include <stdlib.h>

#include "family.h"

static void end(struct family *f)
{
    assert_int_equal(world_litter(&f->w), 0);
    world_close(&f->w);
}

static uint64_t incarnation(struct world *w, vat_id vat)
{
    struct transcript_bounds t;
    assert_true(transcript_bounds(w->store, span_of_vat(w->kernel, vat), &t));
    return t.incarnation;
}

/* -- what is copied --------------------------------------------------------------------------- */

TEST(source_options_and_counters_are_the_parents)
{
    struct family f;
    open_with(&f, (struct world_setup){ 0 }, "'reapInterval':9");
    struct world *w = &f.w;
    static const char *const fields[] = { "source", "options", "o.nextID", "p.nextID", "d.nextID", "reapDirt" };
    poke(w, w->boot, "send %s d-70 o+3", f.p_in_boot);
    poke(w, f.a, "send %s p+1 o+2", f.p_in_a);
    poke(w, f.a, "data p+1");
    poke(w, f.p, "subscribe p-6%c", '0' + (int)state_need_u64(w->kernel, key_vat(w->kernel, f.p, "p.nextID")) - 61);
    vat_id c = forked(&f, 0, NULL);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        assert_non_null(key_text(w, "v5.%s", fields[i]));
        assert_string_equal(key_text(w, "v%u.%s", c.n, fields[i]), key_text(w, "v5.%s", fields[i]));
    }
    assert_string_not_equal(key_text(w, "v6.o.nextID"), "50");
    assert_string_not_equal(key_text(w, "v6.p.nextID"), "60");
    assert_string_equal(key_text(w, "v6.d.nextID"), "71");
    assert_non_null(strstr(key_text(w, "v6.options"), bundle_named("lockdown")));
    end(&f);
}

/* The bringOutYourDead before the snapshot cleans both. */
TEST(the_dirt_is_gone_from_both_and_neither_waits_to_be_reaped)
{
    struct family f;
    open_with(&f, (struct world_setup){ 0 }, "'reapInterval':9");
    struct world *w = &f.w;
    for (int i = 0; i < 4; i++) poke(w, w->boot, "send %s", f.p_in_boot);
    assert_non_null(strstr(key_text(w, "v5.reapDirt"), "deliveries"));
    vat_id c = device_fork(w, f.p, 0, NULL, "");
    while (!alive(w, c)) assert_int_equal(world_step(w), 1);
    assert_string_equal(key_text(w, "v5.reapDirt"), "{}");
    assert_string_equal(key_text(w, "v6.reapDirt"), "{}");
    assert_string_equal(key_text(w, "reapQueue"), "[]");
    world_run(w);
    end(&f);
}

/* Fresh objects in the order of their names: every node of a consensus machine has the same. */
TEST(new_objects_are_numbered_by_the_order_of_vrefs)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    static const char *const names[] = { "o+0", "o+1", "o+10", "o+2", "o+d10/1", "o+d10/1:0", "o+d9/1", "o+v10/2" };
    enum { N = sizeof names / sizeof *names };
    kref refs[N];
    for (int i = N - 1; i > 0; i--) refs[i] = exported(&f, names[i]);
    refs[0] = root_of(w, f.p);
    vat_id c = forked(&f, N, refs);
    uint64_t first = meant(w, c, "o+0").n;
    for (int i = 0; i < N; i++) assert_int_equal(meant(w, c, names[i]).n, first + (uint64_t)i);
    end(&f);
}

TEST(the_child_is_at_its_first_incarnation_whatever_its_parents)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    for (int i = 0; i < 2; i++) {
        upgrade(w, f.p, "auto", "'#undefined'", "");
        world_run(w);
    }
    assert_int_equal(incarnation(w, f.p), 2);
    vat_id c = forked(&f, 0, NULL);
    struct fork_origin from;
    assert_int_equal(incarnation(w, c), 0);
    assert_true(fork_origin(w->kernel, c, &from));
    assert_int_equal(from.incarnation, 2);
    upgrade(w, c, "auto", "'#undefined'", "");
    world_run(w);
    assert_true(alive(w, c));
    assert_int_equal(incarnation(w, c), 1);
    assert_int_equal(incarnation(w, f.p), 2);
    end(&f);
}

/* -- exports ------------------------------------------------------------------------------------ */

TEST(facets_of_one_object_are_asked_for_one_by_one)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    kref one = exported(&f, "o+d11/3:0"), two = exported(&f, "o+d11/3:1");
    vat_id c = forked(&f, 1, &two);
    assert_true(starts_with(w, c, 1, "[\"dropExports\",[\"o+d11/3:0\"]]"));
    assert_true(starts_with(w, c, 2, "[\"retireExports\",[\"o+d11/3:0\"]]"));
    assert_true(row_is(w, c, meant(w, c, "o+d11/3:1"), "R o+d11/3:1"));
    assert_true(row_is(w, f.p, one, "R o+d11/3:0"));
    assert_true(row_is(w, f.p, two, "R o+d11/3:1"));
    end(&f);
}

/* Once handed over, a child's export is like any other. */
TEST(the_caller_lets_go_of_what_it_was_given)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    kref one = exported(&f, "o+1");
    vat_id c = forked(&f, 1, &one);
    char root[16], ref[16];
    strcpy(root, name_for(w, w->admin, root_of(w, c)));
    strcpy(ref, name_for(w, w->admin, meant(w, c, "o+1")));
    poke(w, w->admin, "drop %s", ref);
    assert_true(starts_with(w, c, 1, "[\"dropExports\",[\"o+1\"]]"));
    poke(w, w->admin, "retire %s\ndrop %s\nretire %s", ref, root, root);
    assert_int_equal(told(w, c, "[\"retireExports\",[\"o+0\",\"o+1\"]]"), 1);
    assert_int_equal(told(w, f.p, "retireExports"), 0);
    assert_int_equal(told(w, f.p, "dropExports"), 0);
    end(&f);
}

/* F9: what a device imports it keeps for ever; what is asked for in a fork it does not import. */
TEST(the_device_keeps_no_oldrefs)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    kref good = exported(&f, "o+1"), foreign = root_of(w, f.a);
    struct buf before = { 0 }, after = { 0 };
    world_dump_keys(w, "d7.", &before);
    vat_id c = forked(&f, 1, &good);
    forked(&f, 1, &foreign);
    world_dump_keys(w, "d7.", &after);
    assert_true(same_picture(&before, after));
    const char *name = name_for(w, w->boot, good);
    poke(w, w->boot, "drop %s\nretire %s", name, name);
    assert_int_equal(told(w, f.p, "[\"retireExports\",[\"o+1\"]]"), 1);
    assert_true(alive(w, c));
    end(&f);
}

TEST(abandoned_and_retired_exports_are_in_neither_table)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    exported(&f, "o+1");
    kref two = exported(&f, "o+2");
    poke(w, f.p, "abandon o+1");
    const char *name = name_for(w, w->boot, two);
    poke(w, w->boot, "drop %s\nretire %s", name, name);
    vat_id c = forked(&f, 0, NULL);
    assert_int_equal(meant(w, c, "o+1").kind, KREF_INVALID);
    assert_int_equal(meant(w, c, "o+2").kind, KREF_INVALID);
    assert_string_equal(delivery_at(w, c, 1), "");
    /* both may use the names again */
    poke(w, c, "send %s o+1", f.a_in_p);
    poke(w, f.p, "send %s o+1", f.a_in_p);
    assert_true(alive(w, c) && alive(w, f.p));
    assert_false(kref_eq(meant(w, c, "o+1"), meant(w, f.p, "o+1")));
    end(&f);
}

/* A root that was dropped, named all the same. */
TEST(a_dropped_root_cannot_be_listed)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    struct err e;
    vat_id c, all[] = { w->boot, w->admin, f.a, f.b };
    kref root = root_of(w, f.p);
    for (size_t i = 0; i < 4; i++) poke(w, all[i], "drop %s", name_for(w, all[i], root));
    forked(&f, 0, NULL);
    struct buf before = panorama(w);
    struct fork_request r = { .vat = f.p, .ref_count = 1, .refs = &root, .options.reap_interval = REAP_DEFAULT };
    if (kernel_fork(w->kernel, &r, &c, &e) == 0) {
        world_run(w);
        assert_non_null(memmem(w->notes.p, w->notes.n, "oldrefs[0] is not an export of this vat", 39));
        assert_false(alive(w, c));
    }
    assert_true(same_picture(&before, panorama(w)));
    end(&f);
}

/* What the parent lets go of in the fork's own bringOutYourDead is its own affair; the child
 * derives what concerns it from its own table. */
TEST(garbage_of_the_forks_own_delivery_is_the_parents_alone)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    poke(w, f.a, "send %s o+7", f.p_in_a);
    kref seven = meant(w, f.a, "o+7");
    const char *name = name_for(w, f.p, seven);
    /* and o+4, which only a promise's data reaches */
    plan(w, f.p, "bringOutYourDead", "send %s p+5\nresolve p+5 o+4\ndrop %s\nretire %s", f.a_in_p, name, name);
    kref promise = { .kind = KREF_PROMISE };
    vat_id c = device_fork(w, f.p, 0, NULL, "");
    while (meant(w, f.p, "o+4").kind == KREF_INVALID) {
        promise.n = state_need_u64(w->kernel, SPAN("kp.nextID"));
        assert_int_equal(world_step(w), 1);
    }
    world_run(w);
    assert_true(alive(w, c));
    assert_string_equal(name_for(w, c, seven), "o-999");
    assert_int_equal(told(w, f.a, "dropExports\",[\"o+7\"]"), 1);
    assert_int_equal(told(w, f.a, "retireExports\",[\"o+7\"]"), 1);
    assert_true(starts_with(w, c, 1, "[\"dropExports\",[\"o+4\"]]"));
    assert_true(starts_with(w, c, 2, "[\"retireExports\",[\"o+4\"]]"));
    assert_int_equal(told(w, f.p, "dropExports"), 0);
    /* the parent hears of its own when whoever has it lets go */
    kref four = meant(w, f.p, "o+4");
    poke(w, f.a, "subscribe %s", name_for(w, f.a, promise));
    name = name_for(w, f.a, four);
    poke(w, f.a, "drop %s\nretire %s", name, name);
    assert_int_equal(told(w, f.p, "dropExports\",[\"o+4\"]"), 1);
    assert_int_equal(told(w, c, "dropExports"), 1);
    end(&f);
}

/* -- upgrades -------------------------------------------------------------------------------------- */

/* The upgrade's event stands before the fork's. */
static void upgrade_then_fork(struct family *f, const char *oldref)
{
    struct world *w = &f->w;
    char lines[512];
    snprintf(lines, sizeof lines, "call d-70 upgradeVat #['v5','%s','#undefined','why']\n"
             "call d-70 forkVat #['v5',['$0.Alleged:x'],{}] %s", bundle_named("auto"), oldref);
    poke(w, w->boot, "%s", lines);
}

TEST(an_upgrade_before_the_event_orphans_ephemeral_and_virtual_oldrefs)
{
    static const char *const names[] = { "o+1", "o+v10/3", "o+v10/3:1" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct family f;
        open_family(&f);
        struct world *w = &f.w;
        kref o = exported(&f, names[i]);
        upgrade_then_fork(&f, name_for(w, w->boot, o));
        assert_false(alive(w, (vat_id){ 6 }));
        assert_int_equal(incarnation(w, f.p), 1);
        assert_int_equal(told(w, w->admin, "oldrefs[0] is not an export of this vat"), 1);
        assert_string_equal(key_text(w, "%s.refCount", kref_text(o).s), "1,1"); /* boot's */
        end(&f);
    }
}

TEST(an_upgrade_before_the_event_leaves_durable_oldrefs_and_the_root)
{
    static const char *const names[] = { "o+d11/3:0", "o+d11/4", "o+0" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct family f;
        open_family(&f);
        struct world *w = &f.w;
        kref o = i == 2 ? root_of(w, f.p) : exported(&f, names[i]);
        upgrade_then_fork(&f, name_for(w, w->boot, o));
        vat_id c = { 6 };
        assert_true(alive(w, c));
        assert_int_equal(incarnation(w, c), 0);
        assert_int_equal(incarnation(w, f.p), 1);
        assert_true(row_is(w, f.p, o, i == 0 ? "R o+d11/3:0" : i == 1 ? "R o+d11/4" : "R o+0"));
        assert_int_equal(meant(w, c, names[i]).kind, KREF_OBJECT);
        end(&f);
    }
}

TEST(an_upgrade_of_the_child_abandons_its_own_exports_alone)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    kref refs[] = { exported(&f, "o+1"), exported(&f, "o+v10/2"), exported(&f, "o+d11/3") };
    vat_id c = forked(&f, 3, refs);
    kref one = meant(w, c, "o+1"), durable = meant(w, c, "o+d11/3");
    poke(w, c, "set kept yes");
    upgrade(w, c, "auto", "'#undefined'", "");
    world_run(w);
    assert_true(alive(w, c));
    assert_null(key_text(w, "%s.owner", kref_text(one).s));
    assert_int_equal(meant(w, c, "o+v10/2").kind, KREF_INVALID);
    assert_true(row_is(w, c, durable, "R o+d11/3"));
    assert_true(row_is(w, c, root_of(w, c), "R o+0"));
    assert_true(row_is(w, f.p, refs[0], "R o+1"));
    assert_true(row_is(w, f.p, refs[1], "R o+v10/2"));
    assert_string_equal(key_text(w, "v6.vs.kept"), "yes");
    world_restart(w);
    vat_id g = device_fork(w, c, 0, NULL, "");
    world_run(w);
    assert_string_equal(key_text(w, "v%u.vs.kept", g.n), "yes");
    end(&f);
}

/* -- refusals ------------------------------------------------------------------------------------------ */

TEST(vats_without_a_heap_of_our_workers_cannot_be_forked)
{
    static const char *const changes[][2] = {
        { "\"enableSetup\":false", "\"enableSetup\":true " },
        { "\"enableDisavow\":false", "\"enableDisavow\":true " },
        { "\"useTranscript\":true", "\"useTranscript\":false" },
        { "{\"type\":\"xsnap\",", "{\"type\":\"local\"},\"was\":{" },
        { "{\"type\":\"xsnap\",", "{\"type\":\"node-subprocess\"},\"was\":{" },
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct family f;
        open_family(&f);
        struct world *w = &f.w;
        const char *text = key_text(w, "v5.options"), *at = strstr(text, changes[i][0]);
        assert_non_null(at);
        struct buf b = { 0 };
        buf_put(&b, (struct span){ text, (size_t)(at - text) });
        buf_puts(&b, changes[i][1]);
        buf_puts(&b, at + strlen(changes[i][0]));
        kv_set(w->store, SPAN("v5.options"), buf_span(&b));
        buf_fini(&b);
        expect_refused(w, f.p, 0, NULL, "vat type cannot be forked");
        end(&f);
    }
}

/* Each refusal of an oldref, in a list with a good one, leaves the whole store as it was. */
TEST(refused_oldrefs_change_nothing)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    kref good = exported(&f, "o+1"), orphan = exported(&f, "o+d11/2"), foreign = root_of(w, f.a);
    poke(w, f.p, "abandon o+d11/2");
    vat_id c = forked(&f, 1, &good);
    kref childs = meant(w, c, "o+1");
    introduce(w, w->boot, c);
    poke(w, w->admin, "send %s %s", name_for(w, w->admin, root_of(w, w->boot)), name_for(w, w->admin, childs));
    expect_refused(w, f.p, 2, (kref[]){ good, orphan }, "oldrefs[1] is not an export of this vat");
    expect_refused(w, f.p, 2, (kref[]){ foreign, good }, "oldrefs[0] is not an export of this vat");
    expect_refused(w, f.p, 3, (kref[]){ good, good, meant(w, w->boot, "d-70") }, "oldrefs[2] is not an export of this vat");
    /* the child's are not the parent's, nor the parent's the child's */
    expect_refused(w, f.p, 1, &childs, "oldrefs[0] is not an export of this vat");
    expect_refused(w, c, 1, &good, "oldrefs[0] is not an export of this vat");
    vat_id g = device_fork(w, c, 2, (kref[]){ childs, childs }, "");
    world_run(w);
    assert_true(alive(w, g));
    assert_int_equal(meant(w, g, "o+1").kind, KREF_OBJECT);
    /* what belongs to a dead vat is nobody's */
    terminate(w, c);
    expect_refused(w, f.p, 1, &childs, "oldrefs[0] is not an export of this vat");
    end(&f);
}

/* The world's fault, not the vat's: the crank is undone, and goes right the next time. */
TEST(a_snapshot_that_cannot_be_saved_stops_the_run_and_leaves_nothing)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    vat_id c = device_fork(w, f.p, 0, NULL, "");
    assert_int_equal(world_step(w), 1);
    assert_int_equal(world_step(w), 1);
    struct buf before = { 0 }, after = { 0 };
    world_dump(w, &before);
    w->scripted.fail_snapshot = true;
    assert_int_equal(world_step(w), -1);
    assert_int_equal(w->err.exit, EXIT_FAILED);
    world_dump(w, &after);
    assert_true(same_picture(&before, after));
    w->scripted.fail_snapshot = false;
    world_restart(w);
    world_run(w);
    assert_true(alive(w, c));
    end(&f);
}

/* -- zygotes ---------------------------------------------------------------------------------------------- */

TEST(a_zygote_is_not_upgraded)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    device_seal(w, f.p);
    world_run(w);
    struct buf before = picture(w, f.p);
    upgrade(w, f.p, "auto", "'#undefined'", "");
    world_run(w);
    assert_int_equal(told(w, w->admin, "vatUpgradeCallback\\\",[\\\"up1\\\",false"), 1);
    assert_true(same_picture(&before, picture(w, f.p)));
    vat_id c = forked(&f, 0, NULL);
    upgrade(w, c, "auto", "'#undefined'", ""); /* but its children are */
    world_run(w);
    assert_int_equal(incarnation(w, c), 1);
    end(&f);
}

/* An upgrade on its way when the vat is sealed comes too late. */
TEST(an_upgrade_on_its_way_when_its_vat_is_sealed)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    poke(w, w->boot, "call d-70 zygotifyVat #['v5']\ncall d-70 upgradeVat #['v5','%s','#undefined','why']",
         bundle_named("auto"));
    assert_true(vat_is_sealed(w->kernel, f.p));
    assert_int_equal(incarnation(w, f.p), 0);
    assert_int_equal(told(w, w->admin, "vatUpgradeCallback\\\",[\\\"up1\\\",false"), 1);
    end(&f);
}

/* Zygote, child, zygote, grandchild: what each adds, those below it have. */
TEST(zygotes_of_zygotes)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    poke(w, f.p, "set level zcf");
    device_seal(w, f.p);
    world_run(w);
    vat_id c = forked(&f, 0, NULL);
    poke(w, c, "set level contract\nset code yes");
    introduce(w, w->boot, c);
    kref root = root_of(w, c);
    device_seal(w, c);
    world_run(w);
    assert_true(vat_is_sealed(w->kernel, c));
    vat_id g[3];
    for (int i = 0; i < 3; i++) {
        g[i] = device_fork(w, c, 1, &root, "");
        world_run(w);
        poke(w, g[i], "set level instance%d", i);
    }
    terminate(w, f.p);
    terminate(w, c);
    world_restart(w);
    for (int i = 0; i < 3; i++) {
        char level[32];
        snprintf(level, sizeof level, "instance%d", i);
        poke(w, g[i], "get code\nset more 1");
        assert_string_equal(key_text(w, "v%u.vs.level", g[i].n), level);
        assert_string_equal(key_text(w, "v%u.vs.code", g[i].n), "yes");
    }
    for (int i = 0; i < 3; i++) terminate(w, g[i]);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_options_and_counters_are_the_parents),
        cmocka_unit_test(the_dirt_is_gone_from_both_and_neither_waits_to_be_reaped),
        cmocka_unit_test(new_objects_are_numbered_by_the_order_of_vrefs),
        cmocka_unit_test(the_child_is_at_its_first_incarnation_whatever_its_parents),
        cmocka_unit_test(facets_of_one_object_are_asked_for_one_by_one),
        cmocka_unit_test(the_caller_lets_go_of_what_it_was_given),
        cmocka_unit_test(the_device_keeps_no_oldrefs),
        cmocka_unit_test(abandoned_and_retired_exports_are_in_neither_table),
        cmocka_unit_test(a_dropped_root_cannot_be_listed),
        cmocka_unit_test(garbage_of_the_forks_own_delivery_is_the_parents_alone),
        cmocka_unit_test(an_upgrade_before_the_event_orphans_ephemeral_and_virtual_oldrefs),
        cmocka_unit_test(an_upgrade_before_the_event_leaves_durable_oldrefs_and_the_root),
        cmocka_unit_test(an_upgrade_of_the_child_abandons_its_own_exports_alone),
        cmocka_unit_test(vats_without_a_heap_of_our_workers_cannot_be_forked),
        cmocka_unit_test(refused_oldrefs_change_nothing),
        cmocka_unit_test(a_snapshot_that_cannot_be_saved_stops_the_run_and_leaves_nothing),
        cmocka_unit_test(a_zygote_is_not_upgraded),
        cmocka_unit_test(an_upgrade_on_its_way_when_its_vat_is_sealed),
        cmocka_unit_test(zygotes_of_zygotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
