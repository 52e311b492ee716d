/* Numbers of any size as decimal text: the same as arithmetic on small ones, and as what
 * bc(1) and every schoolbook say on large ones. */
#include "lib/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/decimal.h"
#include "lib/rng.h"

static struct arena a;

static int set_up(void **state)
{
    (void)state;
    arena_init(&a);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&a);
    return 0;
}

TEST(what_is_a_number)
{
    static const char *const good[] = { "0", "1", "9", "10", "123456789012345678901234567890" };
    static const char *const bad[] = { "", "00", "01", "-1", "+1", "1.0", "1e3", " 1", "1 ", "0x1", "1n", "\xd9\xa1", "/", ":" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(decimal_valid(span_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (decimal_valid(span_of(bad[i]))) fail_msg("'%s'", bad[i]);
    }
    assert_false(decimal_valid((struct span){ "1\0", 2 }));
    assert_false(decimal_valid(SPAN_NONE));
}

static struct span text_of(uint64_t n)
{
    return arena_printf(&a, "%llu", (unsigned long long)n);
}

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

static void agree(uint64_t x, uint64_t y)
{
    struct span p = text_of(x), q = text_of(y);
    assert_int_equal(sign(decimal_cmp(p, q)), (x > y) - (x < y));
    assert_span(decimal_add(&a, p, q), text_of(x + y));
    assert_span(decimal_sub(&a, p, q), text_of(x > y ? x - y : 0));
}

TEST(small_ones_agree_with_arithmetic)
{
    for (uint64_t x = 0; x < 130; x++) {
        for (uint64_t y = 0; y < 130; y++) agree(x, y);
    }
    struct rng r = rng_new(rng_seed_from_env(7));
    for (int i = 0; i < 20000; i++) {
        uint64_t x = rng_below(&r, UINT64_MAX / 2) >> rng_below(&r, 62), y = rng_below(&r, UINT64_MAX / 2) >> rng_below(&r, 62);
        agree(x, y);
        agree(x, x + (y & 1));
    }
}

TEST(large_ones)
{
    static const struct {
        const char *x, *y, *sum, *difference;
    } cases[] = {
        { "99999999999999999999999999999999", "1", "100000000000000000000000000000000", "99999999999999999999999999999998" },
        { "100000000000000000000000000000000", "1", "100000000000000000000000000000001", "99999999999999999999999999999999" },
        { "1", "100000000000000000000000000000000", "100000000000000000000000000000001", "0" },
        { "18446744073709551616", "18446744073709551615", "36893488147419103231", "1" },
        { "18446744073709551616", "18446744073709551616", "36893488147419103232", "0" },
        { "10000000000000000000000", "9999999999999999999999", "19999999999999999999999", "1" },
        { "123456789123456789123456789", "0", "123456789123456789123456789", "123456789123456789123456789" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span x = span_of(cases[i].x), y = span_of(cases[i].y);
        assert_span_is(decimal_add(&a, x, y), cases[i].sum);
        assert_span_is(decimal_add(&a, y, x), cases[i].sum);
        assert_span_is(decimal_sub(&a, x, y), cases[i].difference);
    }
}

/* (x + y) - y = x, whatever the size; and it is quick: this is what a vat may ask for. */
TEST(a_million_digits)
{
    enum { DIGITS = 1000000 };
    struct rng r = rng_new(1);
    char *x = arena_alloc(&a, DIGITS), *y = arena_alloc(&a, DIGITS);
    for (size_t i = 0; i < DIGITS; i++) {
        x[i] = (char)('1' + rng_below(&r, 9));
        y[i] = (char)('1' + rng_below(&r, 9));
    }
    struct span p = { x, DIGITS }, q = { y, DIGITS }, sum = decimal_add(&a, p, q);
    assert_true(decimal_valid(sum));
    assert_true(decimal_cmp(sum, p) > 0 && decimal_cmp(sum, q) > 0);
    assert_true(span_eq(decimal_sub(&a, sum, q), p));
    assert_true(span_eq(decimal_sub(&a, sum, p), q));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_a_number),
        cmocka_unit_test_setup_teardown(small_ones_agree_with_arithmetic, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_million_digits, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
