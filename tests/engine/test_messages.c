/* test_messages.c -- error texts that a vat can see equal the stock worker's. */
#include "lib/unit.h"

#include "engine/golden.h"
#include "engine/probes.h"
#include "engine/setup.h"

TEST(messages_equal_stock)
{
    struct buf lines = { 0 };
    assert_true(probes_count() >= 20);
    probes_run(setup_worker(), &lines);
    assert_int_equal(golden_compare("tests/engine/golden/messages.txt", buf_span(&lines)), 0);
    buf_fini(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(messages_equal_stock) };
    return cmocka_run_group_tests_name("engine/messages", tests, NULL, NULL);
}
