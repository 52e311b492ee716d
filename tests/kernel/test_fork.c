/* Forks in strict mode, and zygotes (fork.md section 4), with scripted vats. */
#include <stdio.h>
#include <stdlib.h>

#include "family.h"

/* -- what the child has ------------------------------------------------------------------------ */

TEST(a_child_has_its_own_root_and_its_parents_imports)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    struct refs before = object_refs(w->kernel, root_of(w, f.a));
    vat_id c = forked(&f, 0, NULL);
    assert_true(alive(w, c));
    kref root = root_of(w, c);
    assert_false(kref_eq(root, root_of(w, f.p)));
    assert_true(row_is(w, c, root, "R o+0"));
    assert_string_equal(key_text(w, "%s.owner", kref_text(root).s), vat_id_text(c).s);
    assert_string_equal(name_for(w, c, root_of(w, f.a)), f.a_in_p);
    assert_int_equal(object_refs(w->kernel, root_of(w, f.a)).reachable, before.reachable + 1);
    assert_int_equal(told(w, w->admin, "newVatCallback\\\",[\\\"v6\\\",{\\\"newrefs\\\":[],\\\"rootObject\\\":\\\"$0"), 1);
    struct fork_origin from;
    assert_true(fork_origin(w->kernel, c, &from));
    assert_int_equal(from.parent.n, f.p.n);
    assert_true(starts_with(w, c, 0, "[\"load-snapshot\""));
    assert_string_equal(delivery_at(w, c, 1), ""); /* nothing else: it never ran */
    assert_null(warehouse_machine(w->kernel, c));
    introduce(w, f.a, c);
    poke(w, f.a, "send %s -> p+1\nsubscribe p+1", name_for(w, f.a, root));
    assert_int_equal(told(w, f.a, "[\"notify\",[[\"p+1\",false,{\"body\":\"#\\\"data\\\"\""), 1);
    assert_int_equal(told(w, f.p, "\"p-65\""), 0);
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

TEST(exports_in_oldrefs_are_named_anew_in_order_and_with_duplicates)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    kref one = exported(&f, "o+1"), virtual = exported(&f, "o+v10/3"), facet = exported(&f, "o+d11/7:2");
    kref refs[] = { facet, one, facet, virtual, root_of(w, f.p) };
    vat_id c = forked(&f, 5, refs);
    assert_true(alive(w, c));
    kref c1 = meant(w, c, "o+1"), cv = meant(w, c, "o+v10/3"), cf = meant(w, c, "o+d11/7:2");
    struct buf want = { 0 };
    struct span item = span_of(delivery_at(w, w->admin, -1));
    const char *slots = memmem(item.p, item.n, "\"slots\":", 8);
    assert_non_null(slots);
    buf_printf(&want, "\"slots\":[\"%s\",\"%s\",\"%s\",\"%s\",\"%s\"", name_for(w, w->admin, cf),
               name_for(w, w->admin, c1), name_for(w, w->admin, cf), name_for(w, w->admin, cv),
               name_for(w, w->admin, root_of(w, c)));
    assert_int_equal(strncmp(slots, want.p, want.n), 0);
    assert_true(row_is(w, f.p, one, "R o+1"));
    assert_string_equal(key_text(w, "%s.refCount", kref_text(c1).s), "1,1");
    assert_string_equal(delivery_at(w, c, 1), "");
    assert_int_equal(world_litter(w), 0);
    buf_fini(&want);
    world_close(w);
}

/* R and _ exports that nobody asked for: the child is told before anything else. */
TEST(exports_not_in_oldrefs_are_dropped_and_retired_first)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    kref reached = exported(&f, "o+1"), known = exported(&f, "o+2"), wanted = exported(&f, "o+3");
    poke(w, w->boot, "drop %s", name_for(w, w->boot, known));
    assert_true(row_is(w, f.p, known, "_ o+2"));
    vat_id c = device_fork(w, f.p, 1, &wanted, "");
    plan(w, w->boot, "message", "send %s", f.p_in_boot);
    world_run(w);
    assert_true(row_is(w, f.p, reached, "R o+1"));
    assert_true(row_is(w, f.p, known, "_ o+2"));
    assert_true(starts_with(w, c, 1, "[\"dropExports\",[\"o+1\"]]"));
    assert_true(starts_with(w, c, 2, "[\"retireExports\",[\"o+1\",\"o+2\"]]"));
    assert_string_equal(delivery_at(w, c, 3), "");
    assert_int_equal(meant(w, c, "o+1").kind, KREF_INVALID);
    assert_int_equal(meant(w, c, "o+3").kind, KREF_OBJECT);
    assert_int_equal(told(w, f.p, "dropExports\",[\"o+1"), 0);
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

TEST(imports_keep_their_names_flags_and_counts)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    const char *p_in_a = name_for(w, f.a, root_of(w, f.p));
    poke(w, f.a, "send %s o+1 o+2 o+3", p_in_a);
    kref held = meant(w, f.a, "o+1"), known = meant(w, f.a, "o+2"), gone = meant(w, f.a, "o+3");
    char held_in_p[16], known_in_p[16];
    strcpy(held_in_p, name_for(w, f.p, held));
    strcpy(known_in_p, name_for(w, f.p, known));
    poke(w, f.p, "drop %s %s\nretire %s", known_in_p, name_for(w, f.p, gone), name_for(w, f.p, gone));
    vat_id c = forked(&f, 0, NULL);
    assert_string_equal(name_for(w, c, held), held_in_p);
    assert_string_equal(name_for(w, c, known), known_in_p);
    assert_string_equal(name_for(w, c, gone), "o-999");
    assert_string_equal(key_text(w, "%s.refCount", kref_text(held).s), "2,2");
    assert_string_equal(key_text(w, "%s.refCount", kref_text(known).s), "0,2");
    assert_string_equal(key_text(w, "v%u.o.nextID", c.n), key_text(w, "v%u.o.nextID", f.p.n));
    /* each lets go by itself, and each is told of a retirement */
    poke(w, f.p, "drop %s", held_in_p);
    assert_string_equal(key_text(w, "%s.refCount", kref_text(held).s), "1,2");
    poke(w, f.a, "retire-export o+2");
    assert_int_equal(told(w, f.p, "retireImports"), 1);
    assert_int_equal(told(w, c, "retireImports"), 1);
    poke(w, c, "drop %s\nretire %s", held_in_p, held_in_p);
    assert_int_equal(told(w, f.a, "dropExports\",[\"o+1\"]"), 1);
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

TEST(device_nodes_are_shared_and_vatstore_is_copied)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    poke(w, w->boot, "send %s d-70", f.p_in_boot);
    poke(w, f.p, "set vom.x 1\nset A 2\nset zz 3\n[\"vatstoreSet\",\"\\ud800\",\"4\"]");
    vat_id c = forked(&f, 0, NULL);
    kref node = meant(w, f.p, "d-70");
    assert_int_equal(node.kind, KREF_DEVICE);
    assert_string_equal(name_for(w, c, node), "d-70");
    assert_string_equal(key_text(w, "v%u.vs.vom.x", c.n), "1");
    assert_string_equal(key_text(w, "v%u.vs.A", c.n), "2");
    assert_string_equal(key_text(w, "v%u.vs.\xed\xa0\x80", c.n), "4");
    poke(w, c, "set A c\ndelete zz\ncall d-70 getBundleIDByName #['none']");
    assert_true(alive(w, c));
    assert_string_equal(key_text(w, "v%u.vs.A", f.p.n), "2");
    assert_string_equal(key_text(w, "v%u.vs.zz", f.p.n), "3");
    assert_null(key_text(w, "v%u.vs.zz", c.n));
    world_close(w);
}

TEST(vat_parameters_are_copied_and_counted)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    vat_id q = { (uint32_t)state_need_u64(w->kernel, SPAN("vat.nextID")) };
    poke(w, w->boot, "call d-70 createByBundleID #['%s',{'vatParameters':{'x':'$0.Alleged:x'},'name':'q'}] o+5",
         bundle_named("auto"));
    kref x = meant(w, w->boot, "o+5");
    struct refs before = object_refs(w->kernel, x);
    vat_id c = device_fork(w, q, 0, NULL, "'name':'kid'");
    world_run(w);
    assert_int_equal(object_refs(w->kernel, x).reachable, before.reachable + 2); /* and c's import */
    assert_non_null(strstr(key_text(w, "v%u.options", c.n), "\"name\":\"kid\""));
    assert_string_equal(key_text(w, "v%u.vatParameters", c.n), key_text(w, "v%u.vatParameters", q.n));
    terminate(w, q);
    terminate(w, c);
    assert_string_equal(key_text(w, "%s.refCount", kref_text(x).s), "1,1"); /* the device's, for ever */
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

TEST(options_of_the_child)
{
    struct family f;
    open_with(&f, (struct world_setup){ 0 }, "'name':'parent','reapInterval':7");
    struct world *w = &f.w;
    vat_id plain = forked(&f, 0, NULL), never = device_fork(w, f.p, 0, NULL, "'reapInterval':'never'");
    world_run(w);
    vat_id five = device_fork(w, f.p, 0, NULL, "'reapInterval':5,'critical':true");
    world_run(w);
    const char *o = key_text(w, "v%u.options", plain.n);
    assert_non_null(strstr(o, "\"reapDirtThreshold\":{\"deliveries\":7}"));
    assert_null(strstr(o, "\"name\""));
    assert_non_null(strstr(key_text(w, "v%u.options", never.n), "{\"deliveries\":\"never\"}"));
    o = key_text(w, "v%u.options", five.n);
    assert_non_null(strstr(o, "{\"deliveries\":5}"));
    assert_non_null(strstr(o, "\"critical\":true"));
    assert_string_equal(key_text(w, "v%u.source", five.n), key_text(w, "v%u.source", f.p.n));
    world_close(w);
}

/* F7: a root nobody imports was dropped and retired. */
TEST(a_child_of_a_vat_without_a_root_has_none)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    kref root = root_of(w, f.p), one = exported(&f, "o+1");
    vat_id all[] = { w->boot, w->admin, f.a, f.b };
    for (size_t i = 0; i < 4; i++) {
        const char *name = name_for(w, all[i], root);
        poke(w, all[i], "drop %s\nretire %s", name, name);
    }
    assert_int_equal(told(w, f.p, "retireExports\",[\"o+0\"]"), 1);
    vat_id c = forked(&f, 1, &one);
    assert_true(alive(w, c));
    assert_int_equal(root_of(w, c).kind, KREF_INVALID);
    assert_int_equal(told(w, w->admin, "\\\"rootObject\\\":\\\"#undefined\\\""), 1);
    /* dropped but known: a row without reach */
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

TEST(a_root_that_is_only_recognized_is_no_root_for_the_child)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    kref root = root_of(w, f.p);
    vat_id all[] = { w->boot, w->admin, f.a, f.b };
    for (size_t i = 0; i < 4; i++) poke(w, all[i], "drop %s", name_for(w, all[i], root));
    assert_true(row_is(w, f.p, root, "_ o+0"));
    vat_id c = forked(&f, 0, NULL);
    assert_int_equal(told(w, w->admin, "\\\"rootObject\\\":\\\"#undefined\\\""), 1);
    assert_true(starts_with(w, c, 1, "[\"retireExports\",[\"o+0\"]]"));
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

/* -- refusals ---------------------------------------------------------------------------------------- */

TEST(a_vat_with_promises_is_not_quiescent_and_says_how_many)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char p_in_a[16];
    strcpy(p_in_a, name_for(w, f.a, root_of(w, f.p)));
    forked(&f, 0, NULL); /* a current snapshot: refusals write nothing to the parent */
    plan(w, f.p, "message", "!keep");
    poke(w, f.a, "send %s -> p+1", p_in_a);
    kref decided = meant(w, f.a, "p+1");
    expect_refused(w, f.p, 0, NULL, "vat is not quiescent: 1 promise (1 decided, 0 subscribed, 0 other)");
    poke(w, f.p, "send %s -> p+5\nsubscribe p+5", f.a_in_p);
    assert_true(alive(w, f.p));
    poke(w, f.a, "send %s p+2 p+3", p_in_a);
    expect_refused(w, f.p, 0, NULL, "vat is not quiescent: 3 promises (1 decided, 0 subscribed, 2 other)");
    kref p2 = meant(w, f.a, "p+2"), p3 = meant(w, f.a, "p+3");
    poke(w, f.p, "subscribe %s", name_for(w, f.p, p2));
    expect_refused(w, f.p, 0, NULL, "vat is not quiescent: 3 promises (1 decided, 1 subscribed, 1 other)");
    device_seal(w, f.p);
    world_run(w);
    assert_int_equal(told(w, w->admin, "zygoteCallback"), 1);
    assert_false(vat_is_sealed(w->kernel, f.p));
    /* settled, but p was never told: still a row */
    poke(w, f.a, "data p+2");
    poke(w, f.a, "data p+3");
    expect_refused(w, f.p, 0, NULL, "vat is not quiescent: 2 promises (1 decided, 0 subscribed, 1 other)");
    poke(w, f.p, "subscribe %s\ndata %s", name_for(w, f.p, p3), name_for(w, f.p, decided));
    vat_id c = forked(&f, 0, NULL);
    assert_true(alive(w, c));
    world_close(w);
}

TEST(oldrefs_must_be_exports_of_the_parent)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    kref good = exported(&f, "o+1"), orphan = exported(&f, "o+2"), imported = root_of(w, f.a);
    forked(&f, 0, NULL);
    poke(w, f.p, "abandon o+2");
    forked(&f, 0, NULL);
    kref node = meant(w, w->boot, "d-70");
    kref other = root_of(w, f.b), elsewhere = root_of(w, w->admin);
    expect_refused(w, f.p, 1, &imported, "oldrefs[0] is not an export of this vat");
    expect_refused(w, f.p, 1, &other, "oldrefs[0] is not an export of this vat");
    expect_refused(w, f.p, 2, (kref[]){ good, elsewhere }, "oldrefs[1] is not an export of this vat");
    expect_refused(w, f.p, 3, (kref[]){ good, good, node }, "oldrefs[2] is not an export of this vat");
    expect_refused(w, f.p, 1, &orphan, "oldrefs[0] is not an export of this vat");
    /* data, straight through the device */
    poke(w, w->boot, "call d-70 forkVat #['v%u',[1],{}]", f.p.n);
    poke(w, w->boot, "call d-70 forkVat #['v%u',['$0.Alleged:x',null],{}] %s", f.p.n, name_for(w, w->boot, good));
    assert_int_equal(told(w, w->admin, "oldrefs[1] is not an export of this vat"), 2);
    /* promises cannot pass the device at all */
    poke(w, w->boot, "call d-70 forkVat #['v%u',['&0'],{}] p+9", f.p.n);
    assert_false(alive(w, w->boot));
    world_close(w);
}

TEST(the_host_cannot_fork_by_what_was_dropped)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    struct err e;
    vat_id c;
    kref known = exported(&f, "o+2"), found;
    poke(w, w->boot, "drop %s", name_for(w, w->boot, known));
    forked(&f, 0, NULL);
    struct buf before = picture(w, f.p);
    struct fork_request r = { .vat = f.p, .ref_count = 1, .refs = &known,
                              .options.reap_interval = REAP_DEFAULT };
    int failed = kernel_fork(w->kernel, &r, &c, &e);
    if (failed == 0) {
        world_run(w);
        assert_false(alive(w, c));
    }
    assert_true(same_picture(&before, picture(w, f.p)));
    kref imported = root_of(w, f.a);
    r.refs = &imported;
    assert_int_equal(kernel_fork(w->kernel, &r, &c, &e), -1);
    assert_int_equal(e.exit, EXIT_POLICY);
    assert_int_equal(kernel_find(w->kernel, span_of(kref_text(known).s), &found, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

/* Nobody but the host knows a child that it made: it holds the root, till the child ends. */
TEST(the_root_of_a_hosts_child_is_the_hosts)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    struct err e;
    struct fork_request r = { .vat = f.p, .options.reap_interval = REAP_DEFAULT };
    vat_id kids[3];
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(kernel_fork(w->kernel, &r, &kids[i], &e), 0);
        world_run(w); /* audits */
    }
    for (size_t i = 0; i < 3; i++) {
        kref root = root_of(w, kids[i]);
        assert_string_equal(key_text(w, "host.zygote.external.%s", kref_text(root).s), "1");
        assert_string_equal(key_text(w, "%s.refCount", kref_text(root).s), "1,1");
        poke(w, kids[i], "set k v");
        terminate(w, kids[i]);
        assert_null(key_text(w, "host.zygote.external.%s", kref_text(root).s));
        assert_null(key_text(w, "%s.refCount", kref_text(root).s));
    }
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

TEST(vats_that_cannot_be_forked)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    struct err e;
    vat_id c;
    expect_refused(w, f.a, 0, NULL, "vat type cannot be forked");
    vat_id piped = create(w, "auto", "'enablePipelining':true");
    expect_refused(w, piped, 0, NULL, "vat type cannot be forked");
    terminate(w, f.p);
    expect_refused(w, f.p, 0, NULL, "vat terminated");
    expect_refused(w, (vat_id){ 99 }, 0, NULL, "vat terminated");
    struct fork_request r = { .vat = f.p, .options.reap_interval = REAP_DEFAULT };
    assert_int_equal(kernel_fork(w->kernel, &r, &c, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
    r.vat = f.a;
    assert_int_equal(kernel_fork(w->kernel, &r, &c, &e), -1);
    assert_int_equal(e.exit, EXIT_POLICY);
    world_close(w);
    open_with(&f, (struct world_setup){ .no_zygotes = true }, "");
    poke(w, w->boot, "call d-70 forkVat #['v%u',[],{}]\ncall d-70 zygotifyVat #['v%u']", f.p.n, f.p.n);
    assert_int_equal(told(w, w->admin, "newVatCallback"), 1);
    assert_true(alive(w, w->boot));
    r.vat = f.p;
    assert_int_equal(kernel_fork(w->kernel, &r, &c, &e), -1);
    assert_int_equal(e.exit, EXIT_POLICY);
    world_close(w);
}

TEST(a_parent_that_cannot_come_to_rest_lives_on_without_the_child)
{
    static const char *const ends[] = { "set k w\nsend o-99", "set k w\n!error no", "set k w\n!meter", "!stack",
                                        "set k w\nexit o+9", "set k w\nfail o+9" };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct family f;
        open_family(&f);
        struct world *w = &f.w;
        kref one = exported(&f, "o+1");
        poke(w, f.p, "set k v");
        for (int seal = 0; seal < 2; seal++) {
            vat_id c = { 99 };
            struct refs before = object_refs(w->kernel, one);
            if (seal) device_seal(w, f.p);
            else c = device_fork(w, f.p, 1, &one, "");
            while (queue_length(w->kernel, QUEUE_RUN) == 0) assert_int_equal(world_step(w), 1);
            plan(w, f.p, "bringOutYourDead", "%s", ends[i]);
            struct buf parent = picture(w, f.p);
            world_run(w);
            assert_true(same_picture(&parent, picture(w, f.p)));
            plan_clear(w, f.p, "bringOutYourDead");
            assert_int_equal(told(w, w->admin, "could not be brought to rest"), (unsigned)(seal + 1));
            assert_false(alive(w, c));
            assert_false(vat_is_sealed(w->kernel, f.p));
            assert_int_equal(object_refs(w->kernel, one).reachable, before.reachable);
            poke(w, w->boot, "send %s", f.p_in_boot);
            assert_true(starts_with(w, f.p, -1, "[\"message\""));
            assert_string_equal(key_text(w, "v%u.vs.k", f.p.n), "v");
            assert_int_equal(world_litter(w), 0);
        }
        assert_true(alive(w, forked(&f, 1, &one)));
        world_close(w);
    }
}

/* -- the parent's peace -------------------------------------------------------------------------------- */

TEST(forking_a_pristine_parent_writes_nothing_to_it_and_starts_nothing)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    forked(&f, 0, NULL);
    world_restart(w);
    poke(w, w->boot, "set warm 1");
    struct buf before = picture(w, f.p);
    unsigned starts = w->scripted.starts;
    struct snapshot_info p, c;
    struct fork_request r = { .vat = f.p,
                              .options = { .name = SPAN("kid"), .reap_interval = REAP_DEFAULT } };
    vat_id kids[3];
    for (int i = 0; i < 3; i++) {
        struct err e;
        if (kernel_fork(w->kernel, &r, &kids[i], &e) != 0) fail_msg("%s", e.text);
        world_run(w);
        assert_true(alive(w, kids[i]));
        assert_true(snapshot_info(w->store, span_of_vat(w->kernel, kids[i]), &c));
        assert_true(snapshot_info(w->store, span_of_vat(w->kernel, f.p), &p));
        assert_string_equal(c.hash, p.hash);
        assert_int_equal(c.position, 0);
    }
    assert_int_equal(w->scripted.starts, starts);
    assert_true(same_picture(&before, picture(w, f.p)));
    assert_int_equal(told(w, w->admin, "kid"), 0); /* the host asked: nobody is told */
    assert_true(snapshot_users(w->store, p.hash) >= 4);
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

/* Same deliveries, same answers, same snapshots: parent and children cannot be told apart. */
TEST(forks_are_transparent)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    vat_id c1 = forked(&f, 0, NULL), c2 = forked(&f, 0, NULL), three[] = { f.p, c1, c2 };
    struct snapshot_info s[3];
    char last[3][512];
    for (int i = 0; i < 3; i++) {
        for (int n = 0; n < 3; n++) poke(w, three[i], "send %s o+%d\nset k%d v", f.a_in_p, n + 20, n);
        snprintf(last[i], sizeof last[i], "%s", delivery_at(w, three[i], -1));
        device_fork(w, three[i], 0, NULL, ""); /* takes a snapshot */
        world_run(w);
    }
    for (int i = 0; i < 3; i++) {
        assert_true(snapshot_info(w->store, span_of_vat(w->kernel, three[i]), &s[i]));
        assert_string_equal(s[i].hash, s[0].hash);
        assert_string_equal(last[i], last[0]);
    }
    world_close(w);
}

/* -- order ------------------------------------------------------------------------------------------------ */

TEST(messages_queued_before_the_fork_are_the_childs_past_and_later_ones_never_reach_it)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char lines[256];
    plan(w, f.p, "message", "set before yes");
    snprintf(lines, sizeof lines, "send %s\ncall d-70 forkVat #['v%u',[],{}]\nsend %s", f.p_in_boot, f.p.n, f.p_in_boot);
    vat_id c = { (uint32_t)state_need_u64(w->kernel, SPAN("vat.nextID")) };
    unsigned messages = told(w, f.p, "[\"message\"");
    poke(w, w->boot, "%s", lines);
    assert_true(alive(w, c));
    assert_string_equal(key_text(w, "v%u.vs.before", c.n), "yes");
    assert_int_equal(told(w, f.p, "[\"message\""), messages + 2);
    assert_int_equal(told(w, c, "[\"message\""), 0);
    world_close(w);
}

TEST(a_parent_that_dies_before_its_fork_event)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    kref one = exported(&f, "o+1");
    vat_id c = device_fork(w, f.p, 1, &one, "");
    assert_int_equal(world_step(w), 1); /* the call: the event is queued */
    assert_int_equal(kernel_audit(w->store, NULL, NULL), 0);
    char body[64];
    snprintf(body, sizeof body, "call d-70 terminateWithFailure #['v%u','x']", f.p.n);
    queue_poke(w, w->boot, body);
    world_run(w);
    assert_false(alive(w, c));
    assert_false(alive(w, f.p));
    assert_int_equal(told(w, w->admin, "newVatCallback\\\",[\\\"v6"), 1);
    assert_int_equal(told(w, w->admin, "vat terminated"), 1);
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

/* -- generations -------------------------------------------------------------------------------------------- */

TEST(three_generations_whose_elders_die)
{
    struct family f;
    open_with(&f, (struct world_setup){ .snapshot_interval = 5 }, "");
    struct world *w = &f.w;
    kref one = exported(&f, "o+1");
    poke(w, f.p, "set line p");
    vat_id c = forked(&f, 1, &one);
    introduce(w, w->boot, c);
    poke(w, w->admin, "send %s %s", name_for(w, w->admin, root_of(w, w->boot)), name_for(w, w->admin, meant(w, c, "o+1")));
    kref two = meant(w, c, "o+1");
    poke(w, c, "set line c");
    vat_id g = device_fork(w, c, 1, &two, "");
    world_run(w);
    poke(w, g, "set line g");
    assert_string_equal(key_text(w, "v%u.vs.line", f.p.n), "p");
    assert_string_equal(key_text(w, "v%u.vs.line", c.n), "c");
    terminate(w, f.p);
    world_restart(w);
    poke(w, c, "get line\nset more 1");
    assert_string_equal(key_text(w, "v%u.vs.more", c.n), "1");
    terminate(w, c);
    world_restart(w);
    vat_id h = device_fork(w, g, 0, NULL, "");
    world_run(w);
    terminate(w, g);
    world_restart(w);
    poke(w, h, "set more 1");
    assert_string_equal(key_text(w, "v%u.vs.line", h.n), "g");
    assert_string_equal(key_text(w, "v%u.vs.more", h.n), "1");
    struct fork_origin from;
    assert_true(fork_origin(w->kernel, h, &from));
    assert_int_equal(from.parent.n, g.n);
    assert_int_equal(world_litter(w), 0);
    terminate(w, h);
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

TEST(a_parent_is_terminated_and_collected_before_its_child_is_ever_online)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    vat_id c = forked(&f, 0, NULL);
    terminate(w, f.p);
    struct buf left = { 0 };
    world_dump_keys(w, "v5.", &left);
    assert_int_equal(left.n, 0);
    poke(w, c, "set k v\nsend %s o+4", f.a_in_p);
    assert_true(alive(w, c));
    assert_string_equal(key_text(w, "v%u.vs.k", c.n), "v");
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

TEST(a_child_dies_alone)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    struct refs before = object_refs(w->kernel, root_of(w, f.a));
    kref one = exported(&f, "o+1");
    vat_id c = forked(&f, 1, &one), d = forked(&f, 1, &one);
    poke(w, c, "exit");
    assert_false(alive(w, c));
    assert_true(alive(w, d));
    assert_true(row_is(w, f.p, one, "R o+1"));
    poke(w, d, "send o-99");
    assert_false(alive(w, d));
    poke(w, f.p, "set k v");
    assert_string_equal(key_text(w, "v%u.vs.k", f.p.n), "v");
    assert_int_equal(object_refs(w->kernel, root_of(w, f.a)).reachable, before.reachable);
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

TEST(a_child_the_host_made_keeps_its_root_until_it_ends)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    struct fork_request r = { .vat = f.p, .options.reap_interval = REAP_DEFAULT };
    struct err e;
    vat_id c;
    assert_int_equal(kernel_fork(w->kernel, &r, &c, &e), 0);
    world_run(w);
    kref root = root_of(w, c);
    assert_string_equal(key_text(w, "%s.refCount", kref_text(root).s), "1,1");
    assert_string_equal(delivery_at(w, c, 1), "");
    kref p = kernel_send(w->kernel, root, SPAN("hello"), pass_array(kernel_arena(w->kernel), 0, NULL));
    world_run(w);
    assert_int_equal(kernel_promise_state(w->kernel, p), PROMISE_FULFILLED);
    terminate(w, c);
    assert_null(key_text(w, "%s.refCount", kref_text(root).s));
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

/* -- zygotes -------------------------------------------------------------------------------------------------- */

static void seal(struct family *f)
{
    device_seal(&f->w, f->p);
    world_run(&f->w);
    assert_true(vat_is_sealed(f->w.kernel, f->p));
}

TEST(a_zygote_refuses_messages_and_is_never_woken)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    kref one = exported(&f, "o+1");
    char p_in_a[16];
    strcpy(p_in_a, name_for(w, f.a, root_of(w, f.p)));
    seal(&f);
    assert_int_equal(told(w, w->admin, "zygoteCallback\\\",[\\\"v5\\\",{}]"), 1);
    assert_null(warehouse_machine(w->kernel, f.p));
    struct buf before = picture(w, f.p);
    poke(w, f.a, "send %s o+1 -> p+1\nsubscribe p+1", p_in_a);
    assert_int_equal(told(w, f.a, "vat is a zygote"), 1);
    poke(w, w->boot, "drop %s\nretire %s", name_for(w, w->boot, one), name_for(w, w->boot, one));
    kernel_reap_all(w->kernel);
    world_run(w);
    poke(w, w->boot, "call d-70 changeOptions #['v%u',{'reapInterval':1}]", f.p.n);
    assert_null(warehouse_machine(w->kernel, f.p));
    seal(&f); /* again: the same answer */
    assert_int_equal(told(w, w->admin, "zygoteCallback\\\",[\\\"v5\\\",{}]"), 2);
    struct buf after = picture(w, f.p);
    /* only what the sender's own garbage did may differ: nothing does */
    if (!span_eq(buf_span(&before), buf_span(&after)) && strstr(after.p, "\"deliveries\":1") == NULL) {
        fail_msg("%.*s", SPAN_ARG(buf_span(&after)));
    }
    buf_fini(&before);
    buf_fini(&after);
    world_close(w);
}

TEST(a_zygote_forks_at_no_cost_to_itself)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    kref one = exported(&f, "o+1"), two = exported(&f, "o+2");
    seal(&f);
    struct buf before = picture(w, f.p);
    world_restart(w);
    poke(w, w->boot, "set warm 1");
    unsigned starts = w->scripted.starts;
    vat_id c = forked(&f, 1, &one);
    assert_true(alive(w, c));
    assert_false(vat_is_sealed(w->kernel, c));
    assert_int_equal(w->scripted.starts, starts + 2); /* vat-admin, told; c, told of o+2 */
    assert_int_equal(told(w, c, "dropExports\",[\"o+2\"]"), 1);
    assert_true(row_is(w, f.p, two, "R o+2"));
    assert_true(same_picture(&before, picture(w, f.p)));
    introduce(w, f.a, c);
    poke(w, f.a, "send %s -> p+1\nsubscribe p+1", name_for(w, f.a, root_of(w, c)));
    assert_int_equal(told(w, f.a, "\"#\\\"data\\\"\""), 1);
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

/* Nobody holds the root any more, but the zygote's does not go. */
TEST(a_zygotes_root_is_pinned_until_it_ends)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    kref root = root_of(w, f.p);
    seal(&f);
    vat_id all[] = { w->boot, w->admin, f.a, f.b };
    for (size_t i = 0; i < 4; i++) {
        const char *name = name_for(w, all[i], root);
        poke(w, all[i], "drop %s\nretire %s", name, name);
    }
    assert_string_equal(key_text(w, "%s.refCount", kref_text(root).s), "1,1");
    assert_non_null(strstr(key_text(w, "pinnedObjects"), kref_text(root).s));
    vat_id c = forked(&f, 0, NULL);
    assert_int_equal(root_of(w, c).kind, KREF_OBJECT);
    terminate(w, f.p);
    assert_null(strstr(key_text(w, "pinnedObjects"), kref_text(root).s));
    assert_null(key_text(w, "%s.refCount", kref_text(root).s));
    poke(w, c, "set k v");
    assert_true(alive(w, c));
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

/* An import is retired while the zygote sleeps: its children hear of it. */
TEST(an_import_retired_under_a_zygote)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    poke(w, f.a, "send %s o+1 o+2", name_for(w, f.a, root_of(w, f.p)));
    kref known = meant(w, f.a, "o+1"), held = meant(w, f.a, "o+2");
    char known_in_p[16], held_in_p[16];
    strcpy(known_in_p, name_for(w, f.p, known));
    strcpy(held_in_p, name_for(w, f.p, held));
    poke(w, f.p, "drop %s", known_in_p);
    seal(&f);
    poke(w, f.a, "retire-export o+1");
    assert_null(key_text(w, "%s.refCount", kref_text(known).s));
    assert_int_equal(told(w, f.p, "retireImports"), 0);
    assert_true(row_is(w, f.p, held, key_text(w, "v%u.c.%s", f.p.n, kref_text(held).s)));
    for (int i = 0; i < 2; i++) {
        vat_id c = forked(&f, 0, NULL);
        assert_true(starts_with(w, c, 1, "[\"retireImports\""));
        assert_string_equal(delivery_at(w, c, 2), "");
        assert_string_equal(name_for(w, c, held), held_in_p);
        assert_true(alive(w, c));
    }
    terminate(w, f.a); /* held is orphaned, and still reached */
    vat_id d = forked(&f, 0, NULL);
    poke(w, d, "send %s -> p+9\nsubscribe p+9", held_in_p);
    assert_int_equal(told(w, d, "vat terminated"), 1);
    assert_int_equal(world_litter(w), 0);
    terminate(w, f.p);
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

TEST(a_message_on_its_way_when_its_vat_is_sealed)
{
    struct family f;
    open_family(&f);
    struct world *w = &f.w;
    char lines[256];
    unsigned messages = told(w, f.p, "[\"message\"");
    snprintf(lines, sizeof lines, "call d-70 zygotifyVat #['v%u']\nsend %s o+8 -> p+8\nsubscribe p+8", f.p.n, f.p_in_boot);
    poke(w, w->boot, "%s", lines);
    assert_true(vat_is_sealed(w->kernel, f.p));
    assert_int_equal(told(w, w->boot, "vat is a zygote"), 1);
    assert_int_equal(told(w, f.p, "[\"message\""), messages);
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

TEST(a_world_of_forks_shares_one_snapshot_and_ends_empty)
{
    struct family f;
    open_with(&f, (struct world_setup){ .online_max = 4, .no_audit = true }, "");
    struct world *w = &f.w;
    vat_id kids[60];
    struct snapshot_info s;
    seal(&f);
    for (size_t i = 0; i < 60; i++) kids[i] = forked(&f, 0, NULL);
    assert_true(snapshot_info(w->store, SPAN("v5"), &s));
    assert_int_equal(snapshot_users(w->store, s.hash), 61);
    for (size_t i = 0; i < 60; i++) poke(w, kids[i], "send %s o+1", f.a_in_p);
    assert_true(w->scripted.machines <= 4);
    for (size_t i = 0; i < 60; i += 2) terminate(w, kids[i]);
    terminate(w, f.p);
    for (size_t i = 1; i < 60; i += 2) poke(w, kids[i], "set k v");
    for (size_t i = 1; i < 60; i += 2) terminate(w, kids[i]);
    w->setup.no_audit = false;
    world_run(w);
    assert_string_equal(key_text(w, "vat.dynamicIDs"), "[]");
    assert_int_equal(world_litter(w), 0);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_has_its_own_root_and_its_parents_imports),
        cmocka_unit_test(exports_in_oldrefs_are_named_anew_in_order_and_with_duplicates),
        cmocka_unit_test(exports_not_in_oldrefs_are_dropped_and_retired_first),
        cmocka_unit_test(imports_keep_their_names_flags_and_counts),
        cmocka_unit_test(device_nodes_are_shared_and_vatstore_is_copied),
        cmocka_unit_test(vat_parameters_are_copied_and_counted),
        cmocka_unit_test(options_of_the_child),
        cmocka_unit_test(a_child_of_a_vat_without_a_root_has_none),
        cmocka_unit_test(a_root_that_is_only_recognized_is_no_root_for_the_child),
        cmocka_unit_test(a_vat_with_promises_is_not_quiescent_and_says_how_many),
        cmocka_unit_test(oldrefs_must_be_exports_of_the_parent),
        cmocka_unit_test(the_host_cannot_fork_by_what_was_dropped),
        cmocka_unit_test(the_root_of_a_hosts_child_is_the_hosts),
        cmocka_unit_test(vats_that_cannot_be_forked),
        cmocka_unit_test(a_parent_that_cannot_come_to_rest_lives_on_without_the_child),
        cmocka_unit_test(forking_a_pristine_parent_writes_nothing_to_it_and_starts_nothing),
        cmocka_unit_test(forks_are_transparent),
        cmocka_unit_test(messages_queued_before_the_fork_are_the_childs_past_and_later_ones_never_reach_it),
        cmocka_unit_test(a_parent_that_dies_before_its_fork_event),
        cmocka_unit_test(three_generations_whose_elders_die),
        cmocka_unit_test(a_parent_is_terminated_and_collected_before_its_child_is_ever_online),
        cmocka_unit_test(a_child_dies_alone),
        cmocka_unit_test(a_child_the_host_made_keeps_its_root_until_it_ends),
        cmocka_unit_test(a_zygote_refuses_messages_and_is_never_woken),
        cmocka_unit_test(a_zygote_forks_at_no_cost_to_itself),
        cmocka_unit_test(a_zygotes_root_is_pinned_until_it_ends),
        cmocka_unit_test(an_import_retired_under_a_zygote),
        cmocka_unit_test(a_message_on_its_way_when_its_vat_is_sealed),
        cmocka_unit_test(a_world_of_forks_shares_one_snapshot_and_ends_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
