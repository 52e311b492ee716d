/* Roms over scripted vats: out of one store, into another, and every way to refuse one. */
#include <stdio.h>

#include "family.h"
#include "kernel/replay.h"
#include "kernel/rom.h"
#include "lib/bundles.h"
#include "store/zip.h"

/* -- a vat that can travel -------------------------------------------------------------------- */

/* A family whose p was made from a zip bundle; p has a's root, b's, and what boot gives it. */
struct home {
    struct family f;
    struct arena keep;
    struct span bundle;
};

static vat_id create_zipped(struct home *h, const char *options, const char *slots)
{
    struct world *w = &h->f.w;
    vat_id vat = { (uint32_t)state_need_u64(w->kernel, SPAN("vat.nextID")) };
    device_call(w, "createByBundleID #['%.*s',{%s}] %s", SPAN_ARG(h->bundle), options, slots);
    world_run(w);
    assert_true(alive(w, vat));
    return vat;
}

static void open_home(struct home *h, struct world_setup s, const char *options)
{
    struct sample m;
    struct err e;
    struct world *w = &h->f.w;
    s.vats[0] = "a";
    s.vats[1] = "b";
    world_open(w, &s);
    h->f.a = vat_named(w, "a");
    h->f.b = vat_named(w, "b");
    arena_init(&h->keep);
    make_sample(&m, false);
    if (kernel_install_bundle(w->kernel, &h->keep, buf_span(&m.json), SPAN_NONE, &h->bundle, &e) != 0) {
        fail_msg("%s", e.text);
    }
    free_sample(&m);
    h->f.p = create_zipped(h, options, name_for(w, w->boot, root_of(w, h->f.a)));
}

static void close_home(struct home *h)
{
    arena_fini(&h->keep);
    world_close(&h->f.w);
}

/* A device node, an import that is held, one that is only recognized, an export, an entry. */
static void furnish(struct home *h)
{
    struct world *w = &h->f.w;
    introduce(w, w->boot, h->f.p);
    introduce(w, h->f.p, h->f.a);
    introduce(w, h->f.p, h->f.b);
    poke(w, w->boot, "call d-70 getBundleCap #['%.*s']", SPAN_ARG(h->bundle));
    poke(w, w->boot, "send %s d-70 d-71", name_for(w, w->boot, root_of(w, h->f.p)));
    poke(w, h->f.p, "send %s o+7\nset k v\nset l w\ndrop %s", name_for(w, h->f.p, root_of(w, h->f.a)),
         name_for(w, h->f.p, root_of(w, h->f.b)));
}

static void seal(struct home *h, vat_id vat)
{
    device_seal(&h->f.w, vat);
    world_run(&h->f.w);
    assert_true(vat_is_sealed(h->f.w.kernel, vat));
}

static void save(struct world *w, vat_id vat, struct buf *out)
{
    struct err e;
    struct buf before = { 0 }, after = { 0 };
    world_dump(w, &before);
    if (kernel_rom_save(w->kernel, vat, out, &e) != 0) fail_msg("%s", e.text);
    world_dump(w, &after);
    assert_true(same_picture(&before, after));
}

static void read_rom(struct home *h, struct buf *file, struct rom *r)
{
    struct err e;
    if (rom_read(&h->keep, buf_span(file), r, &e) != 0) fail_msg("%s", e.text);
}

static void expect_no_save(struct world *w, vat_id vat, enum exit_code exit, const char *why)
{
    struct err e;
    struct buf file = { 0 };
    assert_int_equal(kernel_rom_save(w->kernel, vat, &file, &e), -1);
    assert_int_equal(e.exit, exit);
    if (strstr(e.text, why) == NULL) fail_msg("%s, not %s", e.text, why);
    assert_int_equal(file.n, 0);
    buf_fini(&file);
}

/* -- saving ------------------------------------------------------------------------------------ */

TEST(what_is_saved)
{
    struct home h;
    struct buf file = { 0 }, again = { 0 };
    struct rom r;
    open_home(&h, (struct world_setup){ 0 }, "'name':'ann','vatParameters':{'x':'$0.Alleged:x'}");
    struct world *w = &h.f.w;
    furnish(&h);
    seal(&h, h.f.p);
    save(w, h.f.p, &file);
    save(w, h.f.p, &again);
    assert_true(span_eq(buf_span(&file), buf_span(&again)));
    read_rom(&h, &file, &r);
    assert_true(span_is(r.name, "ann") && span_eq(r.engine, rom_engine_here()));
    assert_true(span_eq(r.bundle_id, h.bundle));
    assert_int_equal(r.boot_count, 2);
    assert_false(r.metered);
    assert_true(r.has_parameters && r.parameters.count == 1 && span_is(r.parameters.slots[0], "o-50"));
    const char *rows[][2] = { { "d-70", "vatAdmin" }, { "d-71", "bundle:b1-" }, { "o+0", NULL }, { "o+7", NULL },
                              { "o-50", "o+0 of a" }, { "o-51", "o+0 of b" } };
    assert_int_equal(r.row_count, 6);
    for (size_t i = 0; i < 6; i++) {
        const struct rom_row *row = rom_find_row(&r, span_of(rows[i][0]));
        assert_ptr_equal(row, &r.rows[i]);
        assert_int_equal(row->was.p != NULL, rows[i][1] != NULL);
        assert_true(rows[i][1] == NULL || span_starts(row->was, span_of(rows[i][1])));
        assert_int_equal(rom_row_is_wanted(row), rows[i][1] != NULL && i != 5);
    }
    assert_null(rom_find_row(&r, SPAN("o+8")));
    assert_int_equal(r.entry_count, 2);
    assert_true(span_is(r.entries[1].key, "l") && span_is(r.entries[1].value, "w"));
    assert_int_equal(r.ancestor_count, 1);
    assert_true(span_is(r.ancestors[0].vat, "v5"));
    buf_fini(&file);
    buf_fini(&again);
    close_home(&h);
}

TEST(a_metered_vat_is_saved)
{
    struct home h;
    struct buf file = { 0 };
    struct rom r;
    open_home(&h, (struct world_setup){ 0 }, "");
    struct world *w = &h.f.w;
    device_call(w, "createMeter #['+10000','+0']");
    world_run(w);
    vat_id metered = create_zipped(&h, "'meterID':'m1','name':'Az_0.9-z'", "");
    seal(&h, metered);
    save(w, metered, &file);
    read_rom(&h, &file, &r);
    assert_true(r.metered && span_is(r.name, "Az_0.9-z"));
    buf_fini(&file);
    close_home(&h);
}

TEST(what_imports_were)
{
    struct home h;
    struct buf file = { 0 };
    struct rom r;
    char options[240], longest[200];
    memset(longest, 'n', 199);
    longest[199] = '\0';
    snprintf(options, sizeof options, "'name':'%s'", longest);
    open_home(&h, (struct world_setup){ 0 }, "");
    struct world *w = &h.f.w;
    vat_id named = create(w, "auto", options), nameless = create(w, "auto", ""), dead = create(w, "auto", "");
    introduce(w, h.f.p, named);    /* o-50 */
    introduce(w, h.f.p, nameless); /* o-51 */
    introduce(w, h.f.p, dead);     /* o-52 */
    terminate(w, dead);
    introduce(w, w->boot, h.f.p);
    poke(w, w->boot, "call d-70 getBundleCap #['%.*s']", SPAN_ARG(h.bundle));
    poke(w, w->boot, "send %s d-71", name_for(w, w->boot, root_of(w, h.f.p)));
    kv_delete(w->store, SPAN("d7.vs.slot.d+1"));
    seal(&h, h.f.p);
    save(w, h.f.p, &file);
    read_rom(&h, &file, &r);
    const struct rom_row *row = rom_find_row(&r, SPAN("o-50"));
    assert_int_equal(row->was.n, ROM_WAS_MAX - 10);
    assert_true(span_starts(row->was, SPAN("o+0 of nnn")));
    assert_true(span_is(rom_find_row(&r, SPAN("o-51"))->was, "o+0 of v7"));
    assert_true(span_is(rom_find_row(&r, SPAN("o-52"))->was, "nobody's"));
    assert_true(span_is(rom_find_row(&r, SPAN("d-70"))->was, "d+1 of device vatAdmin"));
    assert_false(r.has_parameters && r.parameters.count > 0);
    assert_true(r.name.p == NULL);
    buf_fini(&file);
    close_home(&h);
}

TEST(what_is_not_saved)
{
    struct home h;
    open_home(&h, (struct world_setup){ 0 }, "");
    struct world *w = &h.f.w;
    furnish(&h);
    expect_no_save(w, (vat_id){ 77 }, EXIT_NOT_FOUND, "no living vat v77");
    expect_no_save(w, h.f.a, EXIT_POLICY, "vat type cannot be forked");
    expect_no_save(w, h.f.p, EXIT_POLICY, "has run since its last heap snapshot");
    vat_id fresh = create(w, "auto", ""), dead = create_zipped(&h, "", ""), talking = create_zipped(&h, "", "");
    seal(&h, fresh);
    expect_no_save(w, fresh, EXIT_INTEGRITY, "not one of XS");
    terminate(w, dead);
    expect_no_save(w, dead, EXIT_NOT_FOUND, "no living vat");
    introduce(w, talking, h.f.a);
    plan(w, h.f.a, "message", "!keep");
    poke(w, talking, "send o-50 -> p+5");
    expect_no_save(w, talking, EXIT_POLICY, "vat is not quiescent");
    seal(&h, h.f.p);
    kv_set(w->store, key_vat(w->kernel, h.f.p, "source"), SPAN("{\"bundle\":{}}"));
    expect_no_save(w, h.f.p, EXIT_POLICY, "not created from an installed bundle");
    close_home(&h);
}

/* -- loading ------------------------------------------------------------------------------------- */

/* A furnished rom, and a request for it in its own store or in another, which knows all. */
struct trip {
    struct home from, to;
    bool away;
    struct buf file;
    struct rom rom;
    char hash[SHA256_HEX + 1];
    struct rom_import imports[4];
    struct rom_request r;
};

static struct world *there(struct trip *t)
{
    return t->away ? &t->to.f.w : &t->from.f.w;
}

static void open_trip(struct trip *t, bool away, struct world_setup s, const char *options)
{
    struct err e;
    kref code, device;
    *t = (struct trip){ .away = away };
    open_home(&t->from, (struct world_setup){ 0 }, options);
    furnish(&t->from);
    seal(&t->from, t->from.f.p);
    save(&t->from.f.w, t->from.f.p, &t->file);
    read_rom(&t->from, &t->file, &t->rom);
    sha256_hex(buf_span(&t->file), t->hash);
    if (away) open_home(&t->to, s, "");
    struct world *w = there(t);
    struct home *h = away ? &t->to : &t->from;
    if (kernel_bundle_node(w->kernel, h->bundle, &code, &e) != 0 ||
        kernel_device_node(w->kernel, SPAN("vatAdmin"), &device, &e) != 0) {
        fail_msg("%s", e.text);
    }
    t->imports[0] = (struct rom_import){ SPAN("o-50"), root_of(w, vat_named(w, "b")) };
    t->imports[1] = (struct rom_import){ SPAN("d-70"), device };
    t->imports[2] = (struct rom_import){ SPAN("d-71"), code };
    t->r = (struct rom_request){ .rom = &t->rom, .hash = span_of(t->hash), .import_count = 3, .imports = t->imports };
}

static void close_trip(struct trip *t)
{
    buf_fini(&t->file);
    if (t->away) close_home(&t->to);
    close_home(&t->from);
}

static vat_id load(struct trip *t)
{
    struct err e;
    vat_id vat;
    kref handle;
    struct world *w = there(t);
    if (kernel_rom_load(w->kernel, &t->r, &vat, &handle, &e) != 0) fail_msg("%s", e.text);
    assert_int_equal(handle.kind, KREF_PROMISE);
    world_run(w);
    assert_true(alive(w, vat) && vat_is_sealed(w->kernel, vat));
    assert_int_equal(told(w, w->admin, "zygoteLoaded"), 1);
    return vat;
}

/* A child answers, with what its parent had. */
static void expect_child(struct world *w, vat_id vat)
{
    vat_id a = vat_named(w, "a"), c = device_fork(w, vat, 0, NULL, "");
    world_run(w);
    assert_true(alive(w, c));
    introduce(w, a, c);
    unsigned before = told(w, a, "\"notify\"");
    poke(w, a, "send %s -> p+9\nsubscribe p+9", name_for(w, a, root_of(w, c)));
    assert_int_equal(told(w, a, "\"notify\""), before + 1);
    assert_string_equal(key_text(w, "v%u.vs.k", c.n), "v");
}

TEST(loaded_here_and_elsewhere)
{
    for (int away = 0; away < 2; away++) {
        struct trip t;
        kref o;
        open_trip(&t, away, (struct world_setup){ 0 }, "'name':'ann','vatParameters':{'x':'$0.Alleged:x'}");
        struct world *w = there(&t);
        t.r.name = away ? SPAN("bob") : SPAN_NONE;
        vat_id vat = load(&t);
        assert_non_null(strstr(key_text(w, "v%u.options", vat.n), away ? "\"bob\"" : "\"ann\""));
        assert_non_null(strstr(key_text(w, "v%u.loadedFrom", vat.n), t.hash));
        assert_non_null(strstr(key_text(w, "v%u.vatParameters", vat.n), kref_text(t.imports[0].target).s));
        assert_non_null(strstr(key_text(w, "pinnedObjects"), kref_text(root_of(w, vat)).s));
        assert_true(kernel_rom_export(w->kernel, vat, SPAN("o+7"), &o));
        assert_int_equal(o.kind, KREF_OBJECT);
        assert_false(kernel_rom_export(w->kernel, vat, SPAN("o+8"), &o));
        assert_true(row_is(w, vat, t.imports[0].target, "R o-50"));
        assert_false(object_exists(w->kernel, meant(w, vat, "o-51")));
        expect_child(w, vat);
        world_restart(w);
        expect_child(w, vat);
        assert_int_equal(world_litter(w), 0);
        close_trip(&t);
    }
}

/* A vat that gave up what it was made with has nothing to tell of it. */
TEST(parameters_that_were_given_up)
{
    struct trip t;
    open_trip(&t, true, (struct world_setup){ 0 }, "'vatParameters':{'x':'$0.Alleged:x'}");
    vat_id vat = load(&t);
    assert_non_null(key_text(there(&t), "v%u.vatParameters", vat.n));
    close_trip(&t);
    open_trip(&t, true, (struct world_setup){ 0 }, "'vatParameters':{'x':'$0.Alleged:x'}");
    t.rom.parameters.slots[0] = SPAN_NONE;
    vat = load(&t);
    assert_null(key_text(there(&t), "v%u.vatParameters", vat.n));
    expect_child(there(&t), vat);
    close_trip(&t);
}

TEST(saved_parameters_that_were_given_up)
{
    struct home h;
    struct buf file = { 0 };
    struct rom r;
    open_home(&h, (struct world_setup){ 0 }, "'vatParameters':{'x':'$0.Alleged:x'}");
    struct world *w = &h.f.w;
    poke(w, h.f.p, "drop o-50");
    seal(&h, h.f.p);
    save(w, h.f.p, &file);
    read_rom(&h, &file, &r);
    assert_true(r.has_parameters && r.parameters.count == 1);
    assert_null(r.parameters.slots[0].p);
    buf_fini(&file);
    close_home(&h);
}

static void expect_lineage(struct home *h, vat_id vat, size_t count, const char *const *vats)
{
    struct buf file = { 0 };
    struct rom r;
    save(&h->f.w, vat, &file);
    read_rom(h, &file, &r);
    assert_int_equal(r.ancestor_count, count);
    for (size_t i = 0; i < count; i++) assert_true(span_is(r.ancestors[i].vat, vats[i]));
    buf_fini(&file);
}

TEST(lineages)
{
    struct trip t;
    open_trip(&t, false, (struct world_setup){ 0 }, "");
    struct home *h = &t.from;
    struct world *w = &h->f.w;
    vat_id c = device_fork(w, h->f.p, 0, NULL, ""); /* v6 */
    world_run(w);
    seal(h, c);
    expect_lineage(h, c, 2, (const char *const[]){ "v6", "v5" });
    vat_id loaded = load(&t); /* v7 */
    expect_lineage(h, loaded, 2, (const char *const[]){ "v7", "v5" });
    vat_id d = device_fork(w, loaded, 0, NULL, ""); /* v8 */
    world_run(w);
    seal(h, d);
    expect_lineage(h, d, 3, (const char *const[]){ "v8", "v7", "v5" });
    close_trip(&t);
}

/* A rom whose lineage is full: the oldest make room. */
TEST(a_lineage_that_is_too_long)
{
    static struct rom_ancestor line[ROM_LINEAGE_MAX + 1];
    struct trip t;
    struct buf file = { 0 }, long_file = { 0 };
    struct rom r;
    struct err e;
    open_trip(&t, true, (struct world_setup){ 0 }, "");
    for (size_t i = 0; i <= ROM_LINEAGE_MAX; i++) {
        line[i] = t.rom.ancestors[0];
        line[i].position = i;
    }
    t.rom.ancestors = line;
    t.rom.ancestor_count = ROM_LINEAGE_MAX + 1;
    assert_int_equal(rom_write(&t.rom, &long_file, &e), 0);
    assert_int_equal(rom_read(&t.to.keep, buf_span(&long_file), &r, &e), -1);
    assert_non_null(strstr(e.text, "no list of a decent length"));
    t.rom.ancestor_count = ROM_LINEAGE_MAX;
    vat_id vat = load(&t);
    save(there(&t), vat, &file);
    read_rom(&t.to, &file, &r);
    assert_int_equal(r.ancestor_count, ROM_LINEAGE_MAX);
    assert_true(span_is(r.ancestors[0].vat, vat_id_text(vat).s));
    assert_int_equal(r.ancestors[ROM_LINEAGE_MAX - 1].position, ROM_LINEAGE_MAX - 2);
    buf_fini(&file);
    buf_fini(&long_file);
    close_trip(&t);
}

/* A child is replayed from the heap that came in the rom; what was before is elsewhere. */
TEST(replays_of_what_was_loaded)
{
    struct trip t;
    struct err e;
    struct replay_report report;
    open_trip(&t, true, (struct world_setup){ 0 }, "");
    vat_id vat = load(&t), child = device_fork(there(&t), vat, 0, NULL, "");
    struct world *w = there(&t);
    world_run(w);
    poke(w, child, "set k v");
    struct replay_request q = { .vat = child, .to = REPLAY_LATEST, .verify = true };
    if (kernel_replay(w->kernel, &w->port, &q, &report, &e) != 0) fail_msg("%s", e.text);
    assert_false(report.diverged);
    assert_int_equal(report.start, 0);
    assert_true(report.end > 1);
    replay_report_fini(&report);
    q.from_genesis = true;
    const vat_id both[] = { vat, child };
    for (size_t i = 0; i < 2; i++) {
        q.vat = both[i];
        assert_int_equal(kernel_replay(w->kernel, &w->port, &q, &report, &e), -1);
        assert_int_equal(e.exit, EXIT_NOT_FOUND);
        assert_non_null(strstr(e.text, "was loaded from a rom"));
        replay_report_fini(&report);
    }
    close_trip(&t);
}

static void expect_no_load(struct trip *t, enum exit_code exit, const char *why)
{
    struct err e;
    vat_id vat;
    kref handle;
    struct world *w = there(t);
    struct buf before = { 0 }, after = { 0 };
    world_dump(w, &before);
    assert_int_equal(kernel_rom_load(w->kernel, &t->r, &vat, &handle, &e), -1);
    if (strstr(e.text, why) == NULL) fail_msg("%s, not %s", e.text, why);
    assert_int_equal(e.exit, exit);
    world_dump(w, &after);
    assert_true(same_picture(&before, after));
}

TEST(imports_that_do_not_fit)
{
    struct trip t;
    open_trip(&t, true, (struct world_setup){ 0 }, "");
    struct world *w = there(&t);
    const struct rom_import good[4] = { t.imports[0], t.imports[1], t.imports[2] };
    kref a = root_of(w, vat_named(w, "a"));
    t.r.import_count = 2;
    expect_no_load(&t, EXIT_POLICY, "this import is to be here: d-71 (was bundle:b1-");
    t.r.import_count = 1;
    expect_no_load(&t, EXIT_POLICY, "these imports are to be here: d-70 (was vatAdmin), d-71");
    const struct {
        size_t at;
        const char *vref;
        kref target;
        const char *why;
    } bad[] = {
        { 3, "o-77", a, "o-77 is not an import" },
        { 3, "o+7", a, "o+7 is not an import" },
        { 3, "o-51", a, "only recognizes" },
        { 3, "o-50", a, "o-50 is given twice" },
        { 1, "d-70", good[2].target, "d-70 and d-71 are one thing here" },
        { 1, "d-70", a, "it is a device node" },
        { 0, "o-50", good[1].target, "it is an object" },
        { 0, "o-50", { KREF_OBJECT, 9999 }, "it is an object" },
        { 0, "o-50", { KREF_PROMISE, 40 }, "it is an object" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memcpy(t.imports, good, sizeof good);
        t.imports[bad[i].at] = (struct rom_import){ span_of(bad[i].vref), bad[i].target };
        t.r.import_count = bad[i].at == 3 ? 4 : 3;
        expect_no_load(&t, EXIT_POLICY, bad[i].why);
    }
    memcpy(t.imports, good, sizeof good);
    t.r.import_count = 3;
    load(&t);
    close_trip(&t);
}

TEST(meters_of_roms)
{
    struct trip t;
    open_trip(&t, true, (struct world_setup){ 0 }, "");
    struct world *w = there(&t);
    device_call(w, "createMeter #['+10000','+0']");
    world_run(w);
    t.rom.metered = true;
    expect_no_load(&t, EXIT_POLICY, "the vat was metered");
    static const char *const none[] = { "m9", "m", "", "v1" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        t.r.meter = span_of(none[i]);
        expect_no_load(&t, EXIT_NOT_FOUND, "there is no meter");
    }
    t.r.meter = SPAN("m1");
    vat_id vat = load(&t);
    assert_non_null(strstr(key_text(w, "v%u.options", vat.n), "\"meterID\":\"m1\""));
    expect_child(w, vat);
    close_trip(&t);
    open_trip(&t, true, (struct world_setup){ 0 }, "");
    t.rom.metered = true;
    t.r.meter = SPAN("none");
    vat = load(&t);
    assert_null(strstr(key_text(there(&t), "v%u.options", vat.n), "meterID"));
    close_trip(&t);
}

TEST(other_engines_and_bundles)
{
    struct trip t;
    open_trip(&t, true, (struct world_setup){ 0 }, "");
    const struct rom good = t.rom;
    struct span boot[3] = { good.boot[0], good.boot[1], good.boot[1] };
    t.rom.engine = SPAN("XS 1.2.3, 32-byte slots, xsnap 1");
    expect_no_load(&t, EXIT_INCOMPATIBLE, "its heap is for XS 1.2.3");
    t.rom = good;
    t.rom.boot = boot;
    boot[1] = good.boot[0];
    expect_no_load(&t, EXIT_INCOMPATIBLE, "supervisor bundle");
    boot[1] = good.boot[1];
    boot[0] = good.boot[1];
    expect_no_load(&t, EXIT_INCOMPATIBLE, "lockdown bundle");
    boot[0] = good.boot[0];
    t.rom.boot_count = 3;
    expect_no_load(&t, EXIT_INCOMPATIBLE, "bundle");
    t.rom.boot_count = 0;
    expect_no_load(&t, EXIT_INCOMPATIBLE, "start from other");
    t.rom = good;
    t.rom.bundle = SPAN("{}");
    expect_no_load(&t, EXIT_INCOMPATIBLE, "its bundle");
    t.rom = good;
    char id[3 + SHA512_HEX + 1] = "b1-";
    memset(id + 3, '0', SHA512_HEX);
    t.rom.bundle_id = span_of(id);
    expect_no_load(&t, EXIT_INTEGRITY, "its bundle");
    close_trip(&t);
}

TEST(stores_that_take_none)
{
    struct trip t;
    open_trip(&t, true, (struct world_setup){ .no_zygotes = true }, "");
    expect_no_load(&t, EXIT_POLICY, "\"zygotes\": false");
    close_trip(&t);
    open_trip(&t, true, (struct world_setup){ .max_vats = 5 }, "");
    expect_no_load(&t, EXIT_POLICY, "too many vats");
    close_trip(&t);
}

TEST(a_heap_that_does_not_start)
{
    struct trip t;
    struct err e;
    vat_id vat;
    kref handle;
    open_trip(&t, true, (struct world_setup){ 0 }, "");
    struct world *w = there(&t);
    w->scripted.fail_start = true;
    assert_int_equal(kernel_rom_load(w->kernel, &t.r, &vat, &handle, &e), -1);
    assert_int_equal(e.exit, EXIT_INTEGRITY);
    assert_non_null(strstr(e.text, "its heap does not start"));
    assert_int_equal(told(w, w->admin, "zygoteLoaded"), 0);
    close_trip(&t);
}

TEST(nodes_for_imports)
{
    struct home h;
    struct err e;
    kref r, again;
    open_home(&h, (struct world_setup){ 0 }, "");
    struct kernel *k = h.f.w.kernel;
    struct store *s = h.f.w.store;
    char unknown[3 + SHA512_HEX + 1] = "b1-";
    memset(unknown + 3, '0', SHA512_HEX);
    assert_int_equal(kernel_bundle_node(k, h.bundle, &r, &e), 0);
    assert_int_equal(r.kind, KREF_DEVICE);
    kv_set(s, SPAN("namedBundleID.code"), h.bundle);
    assert_int_equal(kernel_bundle_node(k, SPAN("code"), &again, &e), 0);
    assert_true(kref_eq(r, again));
    const char *const none[] = { "nothing", unknown, "" };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(kernel_bundle_node(k, span_of(none[i]), &r, &e), -1);
        assert_int_equal(e.exit, EXIT_NOT_FOUND);
        assert_non_null(strstr(e.text, "there is no bundle"));
    }
    assert_int_equal(kernel_device_node(k, SPAN("vatAdmin"), &r, &e), 0);
    assert_int_equal(r.kind, KREF_DEVICE);
    assert_int_equal(kernel_device_node(k, SPAN("toaster"), &r, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
    kv_delete(s, SPAN("device.name.vatAdmin"));
    assert_int_equal(kernel_bundle_node(k, h.bundle, &r, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
    assert_non_null(strstr(e.text, "no vatAdmin device"));
    close_home(&h);
}

/* -- damaged files ---------------------------------------------------------------------------------- */

#define B0 "b0-0000000000000000000000000000000000000000000000000000000000000000"
#define Z128 "0000000000000000000000000000000000000000000000000000000000000000" \
             "0000000000000000000000000000000000000000000000000000000000000000"
#define GOOD_HEAP "\0\0\0\x1bXS_M\0\0\0\x0cVERS\x0d\x03\x00\x20\0\0\0\x0fSIGNxsnap 1"

/* One of everything; what it points to is static, so a test may have one. */
static struct rom sample_rom(void)
{
    static char hash[SHA256_HEX + 1];
    static struct span boot[] = { { B0, 67 }, { B0, 67 } };
    static struct span slots[] = { { "o-50", 4 }, { NULL, 0 } };
    static struct rom_row rows[4];
    static struct rom_ancestor line[1];
    static struct rom_entry entries[2];
    const struct span heap = { GOOD_HEAP, sizeof GOOD_HEAP - 1 };
    sha256_hex(heap, hash);
    rows[0] = (struct rom_row){ SPAN("d-70"), true, SPAN("timer") };
    rows[1] = (struct rom_row){ SPAN("o+0"), true, SPAN_NONE };
    rows[2] = (struct rom_row){ SPAN("o+d9/1"), false, SPAN_NONE };
    rows[3] = (struct rom_row){ SPAN("o-50"), true, SPAN("o+0 of a") };
    line[0] = (struct rom_ancestor){ SPAN("v5"), 0, 9, span_of(hash) };
    entries[0] = (struct rom_entry){ SPAN("k"), SPAN("v") };
    entries[1] = (struct rom_entry){ SPAN("l"), SPAN("w") };
    return (struct rom){ .name = SPAN("ann"), .engine = rom_engine_here(), .boot_count = 2, .boot = boot,
                         .bundle_id = SPAN("b1-" Z128),
                         .reap_dirt_threshold = SPAN("{\"deliveries\":7,\"gcKrefs\":\"never\",\"never\":true}"),
                         .reap_dirt = SPAN("{\"deliveries\":1}"), .next_o = 51, .next_p = 60, .next_d = 71,
                         .has_parameters = true, .parameters = { SPAN("#{}"), 2, slots },
                         .row_count = 4, .rows = rows, .ancestor_count = 1, .ancestors = line,
                         .entry_count = 2, .entries = entries, .heap = heap, .bundle = SPAN("{}") };
}

static void expect_bad_file(struct span file, enum exit_code exit, const char *why, const char *case_name)
{
    struct arena a;
    struct rom r;
    struct err e = { 0 };
    arena_init(&a);
    if (rom_read(&a, file, &r, &e) == 0) fail_msg("%s: taken", case_name);
    if (strstr(e.text, why) == NULL) fail_msg("%s: %s, not %s", case_name, e.text, why);
    assert_int_equal(e.exit, exit);
    arena_fini(&a);
}

static void expect_bad_rom(const struct rom *r, const char *why)
{
    struct buf file = { 0 };
    struct err e;
    assert_int_equal(rom_write(r, &file, &e), 0);
    expect_bad_file(buf_span(&file), EXIT_INTEGRITY, why, why);
    buf_fini(&file);
}

static const char *const names[] = { "manifest.json", "heap", "vatstore.jsonl", "bundle.json" };

struct parts {
    struct buf file;
    struct zip z;
    struct span part[4];
};

static void take_apart(struct parts *p, const struct rom *r)
{
    struct err e;
    *p = (struct parts){ 0 };
    if (rom_write(r, &p->file, &e) != 0 || zip_open(&p->z, buf_span(&p->file), &e) != 0) fail_msg("%s", e.text);
    for (size_t i = 0; i < 4; i++) assert_int_equal(zip_read(&p->z, span_of(names[i]), &p->part[i], &e), 0);
}

static void drop_parts(struct parts *p)
{
    zip_close(&p->z);
    buf_fini(&p->file);
}

/* The manifest with `old`, which must be in it, spelled otherwise. */
static void expect_edit(const struct parts *p, const char *old, const char *new, const char *why)
{
    struct buf manifest = { 0 }, file = { 0 };
    struct zip_writer w = { .out = &file };
    const char *at = memmem(p->part[0].p, p->part[0].n, old, strlen(old));
    if (at == NULL) fail_msg("nothing is %s", old);
    buf_put(&manifest, (struct span){ p->part[0].p, (size_t)(at - p->part[0].p) });
    buf_puts(&manifest, new);
    buf_put(&manifest, span_from(p->part[0], (size_t)(at - p->part[0].p) + strlen(old)));
    bool ok = zip_put(&w, span_of(names[0]), buf_span(&manifest));
    for (size_t i = 1; i < 4; i++) ok = ok && zip_put(&w, span_of(names[i]), p->part[i]);
    assert_true(ok);
    zip_finish(&w);
    expect_bad_file(buf_span(&file), strstr(why, "of schema") ? EXIT_INCOMPATIBLE : EXIT_INTEGRITY, why, new);
    buf_fini(&manifest);
    buf_fini(&file);
}

TEST(manifests_that_are_wrong)
{
    static const struct {
        const char *old, *new, *why;
    } edits[] = {
        { "{\"schema\"", "[\"schema\"", "its manifest" },
        { "zygote-rom", "zygote-ram", "of something else" },
        { "\"schema\":1", "\"schema\":\"1\"", "of something else" },
        { "\"schema\":1", "\"schema\":2", "of schema 2" },
        { "\"name\":\"ann\",", "", "unknown member \"engine\"" },
        { "\"name\":\"ann\"", "\"name\":\"ann\",\"name\":\"bob\"", "unknown member \"name\"" },
        { "}]}\n", "}],\"more\":1}\n", "unknown member \"more\"" },
        { ",\"members\"", ",\"memberz\"", "unknown member \"memberz\"" },
        { "\"ann\"", "7", "the vat's name" },
        { "\"ann\"", "\"\"", "the vat's name" },
        { "\"ann\"", "\"a b\"", "the vat's name" },
        { "\"ann\"", "\"a[b\"", "the vat's name" },
        { "\"ann\"", "\"a~b\"", "the vat's name" },
        { "\"ann\"", "\"Ann.0_9-Z\",\"x\":1", "unknown member" },
        { "\"XS ", "\"\\u0007", "the engine's name" },
        { "\"XS ", "\"\\u00e9", "the engine's name" },
        { "\"XS ", "\"" Z128, "the engine's name" },
        { "\"engine\":\"", "\"engine\":null,\"e\":\"", "unknown member" },
        { "XS 13", "XS 12", "not of the engine that it names" },
        { "\"boot\":[", "\"boot\":[1,", "no bundle's ID" },
        { "\"boot\":[", "\"boot\":[1,2,3,", "no short list" },
        { B0, "b0-0", "no bundle's ID" },
        { B0, "b1-0", "no bundle's ID" },
        { "\"b1-0", "\"b1-A", "the bundle's ID" },
        { "\"b1-0", "\"b1-g", "the bundle's ID" },
        { "\"b1-0", "\"b1-/", "the bundle's ID" },
        { "\"b1-0", "\"b0-0", "the bundle's ID" },
        { "\"metered\":false", "\"metered\":null", "metered is neither" },
        { "\"deliveries\":7", "\"deliveries\":-7", "when it is reaped" },
        { "\"deliveries\":7", "\"deliveries\": 7", "when it is reaped" },
        { "\"deliveries\":7", "\"deliveries\":1000000000000000", "when it is reaped" },
        { "\"deliveries\":7", "\"gcKrefs\":7", "when it is reaped" },
        { "\"deliveries\":7", "\"other\":7", "when it is reaped" },
        { "\"never\":true", "\"never\":7", "when it is reaped" },
        { "{\"deliveries\":1}", "{\"never\":true}", "when it is reaped" },
        { "{\"deliveries\":1}", "{\"deliveries\":\"never\"}", "when it is reaped" },
        { "{\"deliveries\":1}", "[]", "when it is reaped" },
        { "\"nextIDs\":{\"o\":51,", "\"nextIDs\":{", "nextIDs has an unknown member" },
        { ",\"d\":71}", "}", "nextIDs has no member \"d\"" },
        { "\"o\":51", "\"o\":\"51\"", "nextIDs are no counts" },
        { "\"p\":60", "\"p\":-1", "nextIDs are no counts" },
        { "\"d\":71", "\"d\":281474976710656", "nextIDs are no counts" },
        { "\"nextIDs\":{\"o\":51,\"p\":60,\"d\":71}", "\"nextIDs\":[]", "nextIDs is no object" },
        { "\"o\":51", "\"o\":50", "never allocated" },
        { "\"d\":71", "\"d\":70", "never allocated" },
        { "\"body\":\"#{}\"", "\"body\":7", "no capdata" },
        { "\"slots\":[\"o-50\",null]", "\"slots\":{}", "no capdata" },
        { "\"slots\":[\"o-50\"", "\"slots\":[7", "what the vat does not have" },
        { "\"slots\":[\"o-50\"", "\"slots\":[\"o-49\"", "what the vat does not have" },
        { "\"slots\":[\"o-50\"", "\"slots\":[\"o+d9/1\"", "what the vat does not have" },
        { "{\"body\"", "{\"bodi\"", "vatParameters has an unknown" },
        { "[\"o+0\",\"R\"]", "[\"o+0\",\"S\"]", "has no flag" },
        { "[\"o+0\",\"R\"]", "7", "has no flag" },
        { "[\"o+0\",\"R\"]", "[\"o+0\",\"R\",\"x\"]", "too long" },
        { "[\"o+0\",\"R\"]", "[7,\"R\"]", "has no name" },
        { "[\"o+0\",\"R\"]", "[\"o+x\",\"R\"]", "has no name" },
        { "[\"o+0\",\"R\"]", "[\"p-60\",\"R\"]", "has a promise" },
        { "[\"o+0\",\"R\"]", "[\"d+0\",\"R\"]", "never allocated" },
        { "[\"o+0\",\"R\"]", "[\"o+0\",\"R\"],[\"o+0\",\"R\"]", "out of order" },
        { "[\"o-50\",\"R\",\"o+0 of a\"]", "[\"o-50\",\"R\",7]", "what an import was" },
        { "[\"o-50\",\"R\",\"o+0 of a\"]", "[\"o-50\",\"R\"]", "too short" },
        { "\"o+0 of a\"", "\"" Z128 Z128 "\"", "what an import was" },
        { "\"clist\":[", "\"clist\":7,\"c\":[", "unknown member" },
        { "\"lineage\":[{\"vatID\"", "\"lineage\":[{\"vat\"", "a vat of the lineage has an unknown" },
        { "\"vatID\":\"v5\"", "\"vatID\":\"w5\"", "is not described" },
        { "\"incarnation\":0", "\"incarnation\":-1", "is not described" },
        { "\"position\":9", "\"position\":\"9\"", "is not described" },
        { "\"snapshotID\":\"", "\"snapshotID\":\"0", "is not described" },
        { "\"name\":\"heap\"", "\"name\":\"heep\"", "members are not what" },
        { "\"name\":\"heap\",\"bytes\":35", "\"name\":\"heap\",\"bytes\":null", "members are not what" },
        { "\"name\":\"heap\",\"bytes\":35", "\"name\":\"heap\",\"bytes\":36", "heap has 35 bytes, not 36" },
        { "\"bytes\":35,\"sha256\":\"", "\"bytes\":35,\"sha256\":\"x", "heap has another hash" },
        { "{\"name\":\"heap\"", "{\"nam\":\"heap\"", "a file in members has an unknown" },
        { "\"members\":[", "\"members\":[{},", "members are not what" },
        { "}]}\n", "}]}", "not written as zygote writes it" },
        { "\"ann\"", "\"\\u0061nn\"", "not written as zygote writes it" },
        { "\"schema\":1,\"kind\":\"zygote-rom\"", "\"kind\":\"zygote-rom\",\"schema\":1", "unknown member \"kind\"" },
    };
    struct rom r = sample_rom();
    struct parts p;
    take_apart(&p, &r);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        expect_edit(&p, edits[i].old, edits[i].new, edits[i].why);
    }
    drop_parts(&p);
}

/* Lists that are none, where what follows has to stay an object. */
TEST(lists_that_are_none)
{
    static const struct {
        const char *name, *why;
    } lists[] = { { "boot", "no short list" }, { "clist", "clist is no list" },
                  { "lineage", "no list of a decent length" }, { "members", "members are not what" } };
    struct rom r = sample_rom();
    r.has_parameters = false;
    struct parts p;
    take_apart(&p, &r);
    for (size_t i = 0; i < 4; i++) {
        char key[32];
        snprintf(key, sizeof key, "\"%s\":", lists[i].name);
        const char *at = memmem(p.part[0].p, p.part[0].n, key, strlen(key));
        const char *end = at + strlen(key);
        int depth = 0;
        do {
            depth += *end == '[' ? 1 : *end == ']' ? -1 : 0;
            end++;
        } while (depth > 0);
        char old[4096], new[64];
        snprintf(old, sizeof old, "%.*s", (int)(end - at), at);
        snprintf(new, sizeof new, "%s7", key);
        expect_edit(&p, old, new, lists[i].why);
        snprintf(new, sizeof new, "%s[]", key);
        if (i >= 2) expect_edit(&p, old, new, lists[i].why);
    }
    drop_parts(&p);
}

TEST(members_that_are_wrong)
{
    struct rom r = sample_rom();
    struct parts p;
    take_apart(&p, &r);
    expect_bad_file(SPAN(""), EXIT_INTEGRITY, "not a good rom", "nothing");
    for (size_t n = 1; n < p.file.n; n += 97) {
        expect_bad_file((struct span){ p.file.p, n }, EXIT_INTEGRITY, "not a good rom", "cut off");
    }
    /* One file left out; two in another order; one more. */
    for (size_t how = 0; how < 6; how++) {
        struct buf file = { 0 };
        struct zip_writer w = { .out = &file };
        bool ok = true;
        for (size_t i = 0; i < 4; i++) {
            size_t at = how == 4 ? 3 - i : i;
            if (i != how) ok = ok && zip_put(&w, span_of(names[at]), p.part[at]);
        }
        if (how == 5) ok = ok && zip_put(&w, SPAN("more"), SPAN("x"));
        assert_true(ok);
        zip_finish(&w);
        expect_bad_file(buf_span(&file), EXIT_INTEGRITY,
                        how < 4 ? names[how] : how == 4 ? "not written as zygote" : "more files in it", "members");
        buf_fini(&file);
    }
    drop_parts(&p);
}

TEST(vatstores_that_are_wrong)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        { "[\"a\",\"1\"]", "is cut off" },          { "[\"a\",\"1\"\n", "a line of" }, { "{}\n", "a line of" },
        { "[\"a\"]\n", "a line of" },               { "[\"a\",1]\n", "a line of" },    { "[1,\"a\"]\n", "a line of" },
        { "[\"b\",\"1\"]\n[\"a\",\"1\"]\n", "out of order" }, { "[\"b\",\"1\"]\n[\"b\",\"1\"]\n", "out of order" },
        { "\n", "a line of" },                      { "[ \"a\",\"1\"]\n", "not written as zygote" },
    };
    struct rom r = sample_rom();
    r.entry_count = 0;
    struct parts p;
    take_apart(&p, &r);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char none[SHA256_HEX + 1], hash[SHA256_HEX + 1], old[128], new[128];
        sha256_hex(SPAN(""), none);
        sha256_hex(span_of(bad[i].text), hash);
        snprintf(old, sizeof old, "\"bytes\":0,\"sha256\":\"%s", none);
        snprintf(new, sizeof new, "\"bytes\":%zu,\"sha256\":\"%s", strlen(bad[i].text), hash);
        p.part[2] = span_of(bad[i].text);
        expect_edit(&p, old, new, bad[i].why);
    }
    drop_parts(&p);
}

static void expect_bad_heap(struct span heap, const char *why)
{
    struct rom r = sample_rom();
    char hash[SHA256_HEX + 1];
    sha256_hex(heap, hash);
    r.heap = heap;
    r.ancestors[0].snapshot = span_of(hash);
    expect_bad_rom(&r, why);
}

TEST(heaps_that_are_wrong)
{
    static const char why[] = "not of the engine that it names";
    static const size_t bytes[] = { 0, 3, 4, 11, 12, 16, 20, 23, 27, 28 };
    char heap[sizeof GOOD_HEAP - 1];
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        memcpy(heap, GOOD_HEAP, sizeof heap);
        heap[bytes[i]] = 1;
        expect_bad_heap((struct span){ heap, sizeof heap }, why);
    }
    memcpy(heap, GOOD_HEAP, sizeof heap);
    heap[23] = 16; /* longer than what is there */
    expect_bad_heap((struct span){ heap, sizeof heap }, why);
    expect_bad_heap(SPAN(""), why);
    expect_bad_heap((struct span){ "\0\0\0\1XS_Mx", 9 }, why);
    expect_bad_heap((struct span){ "\0\0\0\x0cXS_M\0\0\0\x0cVERS\x0d\x03\x00\x20", 20 }, why);
    /* a signature that is too long */
    expect_bad_heap((struct span){ "\0\0\0\x34XS_M\0\0\0\x0cVERS\x0d\x03\x00\x20"
                                   "\0\0\0\x28SIGN01234567890123456789012345678901", 60 }, why);
    struct rom r = sample_rom();
    r.ancestors[0].snapshot = SPAN("0000000000000000000000000000000000000000000000000000000000000000");
    expect_bad_rom(&r, "not that of its lineage");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved),
        cmocka_unit_test(a_metered_vat_is_saved),
        cmocka_unit_test(what_imports_were),
        cmocka_unit_test(what_is_not_saved),
        cmocka_unit_test(loaded_here_and_elsewhere),
        cmocka_unit_test(parameters_that_were_given_up),
        cmocka_unit_test(saved_parameters_that_were_given_up),
        cmocka_unit_test(lineages),
        cmocka_unit_test(a_lineage_that_is_too_long),
        cmocka_unit_test(replays_of_what_was_loaded),
        cmocka_unit_test(imports_that_do_not_fit),
        cmocka_unit_test(meters_of_roms),
        cmocka_unit_test(other_engines_and_bundles),
        cmocka_unit_test(stores_that_take_none),
        cmocka_unit_test(a_heap_that_does_not_start),
        cmocka_unit_test(nodes_for_imports),
        cmocka_unit_test(manifests_that_are_wrong),
        cmocka_unit_test(lists_that_are_none),
        cmocka_unit_test(members_that_are_wrong),
        cmocka_unit_test(vatstores_that_are_wrong),
        cmocka_unit_test(heaps_that_are_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
