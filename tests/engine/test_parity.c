/* test_parity.c -- a vat's whole life equals the stock worker's, however it is interrupted.
 *
 * Compared in every flow: the snapshot at the end, every syscall, computrons and heap
 * figures of every delivery.  usage: test_parity [long]
 */
#include "lib/unit.h"

#include <stdio.h>

#include "engine/flows.h"
#include "engine/golden.h"
#include "engine/setup.h"

static const struct flow_size *size = &flow_short;

static void check_flow(const char *golden, enum flow_begin begin, enum flow_middle middle)
{
    char path[80];
    struct buf lines = { 0 };
    struct flow f = { golden, begin, middle };
    flow_run(&f, size, setup_worker(), &lines);
    snprintf(path, sizeof path, "tests/engine/golden/parity-%s.txt", size->name);
    assert_int_equal(golden_compare(path, buf_span(&lines)), 0);
    buf_fini(&lines);
}

TEST(continuing)
{
    check_flow("continuing", FLOW_BOOT, FLOW_GO_ON);
}

TEST(after_a_snapshot)
{
    check_flow("after-snapshot", FLOW_BOOT, FLOW_WRITE);
}

TEST(reloaded)
{
    check_flow("reloaded", FLOW_BOOT, FLOW_RELOAD);
}

TEST(base_reloaded)
{
    check_flow("base-reloaded", FLOW_BASE, FLOW_GO_ON);
}

TEST(image_of_hydrated_base)
{
    check_flow("base-reloaded", FLOW_BASE_IMAGE, FLOW_GO_ON);
}

TEST(image_of_hydrated_snapshot)
{
    check_flow("reloaded", FLOW_BOOT, FLOW_IMAGE);
}

TEST(images_all_the_way)
{
    check_flow("base-reloaded-reloaded", FLOW_BASE_IMAGE, FLOW_IMAGE);
}

TEST(image_of_booted_machine)
{
    check_flow("continuing", FLOW_BOOT_IMAGE, FLOW_GO_ON);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(continuing),
        cmocka_unit_test(after_a_snapshot),
        cmocka_unit_test(reloaded),
        cmocka_unit_test(base_reloaded),
        cmocka_unit_test(image_of_hydrated_base),
        cmocka_unit_test(image_of_hydrated_snapshot),
        cmocka_unit_test(images_all_the_way),
        cmocka_unit_test(image_of_booted_machine),
    };
    if (argc > 1 && strcmp(argv[1], "long") == 0) size = &flow_long;
    return cmocka_run_group_tests_name("engine/parity", tests, NULL, NULL);
}
