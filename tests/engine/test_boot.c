/* test_boot.c -- snapshots equal the stock worker's; images give back the same machine. */
#include "lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/setup.h"

/* Made by the stock worker, @agoric/xsnap 0.15.0, lockdown 0.14.1, supervisor 0.11.0. */
static const char booted_hash[] =
    "3f76f2fa3075cb5f0fa780260dd0ce84f0b402e5ac1dbdcf2bf872253363e839";
enum { BOOTED_BYTES = 7799179 };

TEST(booted_snapshot_equals_stock)
{
    struct stat st;
    char hash[65];
    setup_base();
    setup_hash(setup_path("base.xss"), hash);
    assert_string_equal(hash, booted_hash);
    assert_int_equal(stat(setup_path("base.xss"), &st), 0);
    assert_int_equal(st.st_size, BOOTED_BYTES);
}

/* swingset-vat's test/snapshots/xsnap-store.test.js, with this lockdown. */
TEST(small_golden_snapshots_equal_stock)
{
    struct driver d;
    char hash[65];
    driver_start(&d, setup_worker(), NULL, -1);
    setup_eval(&d, "1 + 1");
    setup_snapshot(&d, setup_path("s.xss"), hash);
    assert_string_equal(hash, "bee3b82eebdde4c5c3774fb95b7efe88382f7dc4afab90b4e0e58add54d6b81c");
    struct buf reply;
    struct buf lockdown = setup_bundle(setup_lockdown);
    driver_ok(&d, 'e', buf_span(&lockdown), &reply);
    buf_fini(&reply);
    buf_fini(&lockdown);
    setup_snapshot(&d, setup_path("s.xss"), hash);
    assert_string_equal(hash, "1be652095ae07e701b1093d11d9d92a367ae794b668225196d3d24760f10e322");
    setup_eval(&d, "globalThis.x = harden({a: 1})");
    setup_snapshot(&d, setup_path("s.xss"), hash);
    assert_string_equal(hash, "50e50f6b4454af574e77ca98aa03f55f67acbeff09815ee018a48c3a67074a5b");
    assert_int_equal(driver_stop(&d), 0);
}

TEST(snapshot_goes_to_a_descriptor)
{
    struct driver d;
    struct buf reply;
    char hash[65], again[65];
    FILE *f = fopen(setup_path("fd.xss"), "we");
    assert_non_null(f);
    driver_start(&d, setup_worker(), NULL, fileno(f));
    setup_eval(&d, "1 + 1");
    driver_ok(&d, 'w', SPAN("@9"), &reply);
    assert_span_is(driver_result(&reply), "168387");
    buf_fini(&reply);
    fclose(f);
    setup_hash(setup_path("fd.xss"), hash);
    setup_snapshot(&d, setup_path("s.xss"), again);
    assert_string_equal(hash, again);
    driver_stop(&d);
}

/* -- images ------------------------------------------------------------------- */

static const char *const probes[] = {
    "globalThis.n = (globalThis.n || 0) + 1",
    "globalThis.list = [...Array(2000).keys()].map(i => ({ i, s: `${i}` }))",
    "globalThis.m = new Map(list.map(o => [o.s, o])); m.get('77').i",
    "JSON.stringify(list).length",
    "'zygote '.repeat(300).match(/go/g).length",
    "(2n ** 2000n).toString().length",
    "harden({ a: [1, { b: 2 }] })",
    "Promise.resolve(7).then(v => { globalThis.later = v; })",
    "globalThis.w = new WeakMap([[list, 1]]); gc(); w.has(list)",
    "[3, 1, 2].sort((a, b) => a - b).join()",
    "globalThis.list = undefined; gc()",
};
enum { PROBES = sizeof probes / sizeof probes[0] };

/* Put the probes to two workers; computrons and final snapshots must be equal. */
static void assert_alike(struct driver *a, struct driver *b)
{
    char hash_a[65], hash_b[65];
    for (int i = 0; i < PROBES; i++)
        assert_int_equal(setup_eval(a, probes[i]), setup_eval(b, probes[i]));
    setup_snapshot(a, setup_path("a.xss"), hash_a);
    setup_snapshot(b, setup_path("b.xss"), hash_b);
    assert_string_equal(hash_a, hash_b);
}

TEST(image_child_answers_as_the_hydrated_machine)
{
    struct driver parent, child;
    setup_base();
    setup_reload(&parent, setup_worker(), setup_path("base.xss"));
    setup_image(&child, setup_path("base.img"));
    assert_alike(&parent, &child);
    assert_int_equal(driver_stop(&parent), 0);
    assert_int_equal(driver_stop(&child), 0);
}

TEST(image_of_a_running_machine_goes_on_as_it)
{
    struct driver parent, child;
    setup_boot(&parent, setup_worker());
    for (int i = 0; i < PROBES; i++) setup_eval(&parent, probes[i]);
    setup_save(&parent, setup_path("live.img"));
    setup_image(&child, setup_path("live.img"));
    assert_alike(&parent, &child);
    assert_int_equal(driver_stop(&parent), 0);
    assert_int_equal(driver_stop(&child), 0);
}

TEST(image_child_snapshot_equals_stock)
{
    struct driver child;
    char hash[65];
    setup_base();
    setup_image(&child, setup_path("base.img"));
    setup_snapshot(&child, setup_path("c.xss"), hash);
    assert_string_equal(hash, booted_hash);
    assert_int_equal(driver_stop(&child), 0);
}

/* The process's cluster is not part of an image; shared buffers are. */
TEST(shared_buffers_and_threads_survive_an_image)
{
    struct driver d;
    struct buf reply;
    driver_start(&d, setup_worker(), NULL, -1);
    setup_eval(&d, "globalThis.a = new Int32Array(new SharedArrayBuffer(8)); a[1] = 5;");
    setup_save(&d, setup_path("shared.img"));
    driver_stop(&d);
    setup_image(&d, setup_path("shared.img"));
    assert_true(driver_command(&d, SPAN("eAtomics.wait(a, 0, 0)"), &reply));
    assert_span_is(buf_span(&reply), "!TypeError: Atomics.wait: main thread cannot wait");
    buf_fini(&reply);
    setup_eval(&d, "if (Atomics.add(a, 1, 2) !== 5) throw Error(a[1]); a = null; gc()");
    assert_int_equal(driver_stop(&d), 0);
}

TEST(images_are_deterministic)
{
    struct driver d;
    char first[65], second[65];
    setup_base();
    setup_hash(setup_path("base.img"), first);
    setenv("ZYGOTE_TEST_PADDING", "another environment, another C stack", 1);
    driver_start(&d, setup_worker(), (const char *[]){ "-r", setup_path("base.xss"), NULL }, -1);
    setup_save(&d, setup_path("again.img"));
    driver_stop(&d);
    setup_hash(setup_path("again.img"), second);
    assert_string_equal(first, second);
    setup_image(&d, setup_path("base.img"));
    setup_save(&d, setup_path("child.img"));
    driver_stop(&d);
    setup_hash(setup_path("child.img"), second);
    assert_string_equal(first, second);
}

TEST(image_is_refused_over_an_existing_file)
{
    struct driver d;
    struct buf reply, command = { 0 };
    setup_base();
    setup_image(&d, setup_path("base.img"));
    buf_printf(&command, "I%s", setup_path("base.xss"));
    assert_true(driver_command(&d, buf_span(&command), &reply));
    assert_int_equal(reply.p[0], '!');
    buf_fini(&reply);
    buf_fini(&command);
    setup_eval(&d, "1 + 1");
    assert_int_equal(driver_stop(&d), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(booted_snapshot_equals_stock),
        cmocka_unit_test(small_golden_snapshots_equal_stock),
        cmocka_unit_test(snapshot_goes_to_a_descriptor),
        cmocka_unit_test(image_child_answers_as_the_hydrated_machine),
        cmocka_unit_test(image_of_a_running_machine_goes_on_as_it),
        cmocka_unit_test(image_child_snapshot_equals_stock),
        cmocka_unit_test(shared_buffers_and_threads_survive_an_image),
        cmocka_unit_test(images_are_deterministic),
        cmocka_unit_test(image_is_refused_over_an_existing_file),
    };
    return cmocka_run_group_tests_name("engine/boot", tests, NULL, NULL);
}
