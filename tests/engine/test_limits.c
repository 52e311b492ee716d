/* test_limits.c -- a vat that asks for too much ends as under the stock worker; a kernel
 * that babbles ends the worker; the command line is the stock one. */
#include "lib/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/setup.h"

/* Evaluate in a worker of its own that must end with `code`. */
static void assert_ends(const char *limit, const char *source, int code)
{
    struct driver d;
    struct buf reply, command = { 0 };
    driver_start(&d, setup_worker(), (const char *[]){ "-l", limit, NULL }, -1);
    buf_printf(&command, "e%s", source);
    assert_false(driver_command(&d, buf_span(&command), &reply));
    assert_int_equal(driver_wait(&d), code);
    buf_fini(&command);
}

TEST(endless_loop_ends_with_17)
{
    assert_ends("1000000", "for (;;) {}", 17);
    assert_ends("1000000", "/(a*)*b/.test('a'.repeat(40))", 17);
}

TEST(deep_recursion_ends_with_12)
{
    assert_ends("0", "(function f() { f(); })()", 12);
    assert_ends("0", "let s = '1'; s = '['.repeat(50000) + s; JSON.parse(s)", 12);
}

TEST(memory_bombs_end_with_11)
{
    assert_ends("0", "const a = []; for (;;) a.push('x'.repeat(20000000))", 11);
    assert_ends("0", "new ArrayBuffer(0x7fffffff)", 11);
}

TEST(deep_source_is_an_exception_not_a_crash)
{
    struct driver d;
    struct buf reply, command = { 0 };
    driver_start(&d, setup_worker(), NULL, -1);
    buf_putc(&command, 'e');
    for (int i = 0; i < 100000; i++) buf_putc(&command, '(');
    assert_true(driver_command(&d, buf_span(&command), &reply));
    assert_int_equal(reply.p[0], '!');
    buf_fini(&reply);
    buf_reset(&command);
    buf_puts(&command, "enew RegExp('('.repeat(100000))");
    assert_true(driver_command(&d, buf_span(&command), &reply));
    assert_int_equal(reply.p[0], '!');
    buf_fini(&reply);
    buf_fini(&command);
    setup_eval(&d, "1 + 1");
    assert_int_equal(driver_stop(&d), 0);
}

static void count_upcall(void *context, struct span question, struct buf *answer)
{
    (void)question;
    (void)answer;
    ++*(int *)context;
}

/* How many 50 MB buffers the stock worker made before it ended: the same round. */
TEST(memory_ends_in_the_stock_workers_round)
{
    struct driver d;
    struct buf reply;
    int rounds = 0;
    driver_start(&d, setup_worker(), NULL, -1);
    d.upcall = count_upcall;
    d.context = &rounds;
    assert_false(driver_command(&d, SPAN("econst a = []; for (;;) { a.push(new ArrayBuffer(50000000));"
                                         " issueCommand(new ArrayBuffer(1)); }"), &reply));
    assert_int_equal(driver_wait(&d), 11);
    assert_int_equal(rounds, 20); /* seen with @agoric/xsnap 0.15.0 */
}

/* -- the protocol --------------------------------------------------------------- */

static int end_of(const char *frame_bytes)
{
    struct driver d;
    struct buf reply;
    driver_start(&d, setup_worker(), NULL, -1);
    assert_true(driver_command(&d, SPAN("R"), &reply));
    buf_fini(&reply);
    size_t n = strlen(frame_bytes);
    assert_int_equal(write(d.fd, frame_bytes, n), (ssize_t)n);
    return driver_stop(&d);
}

TEST(babble_ends_with_2)
{
    assert_int_equal(end_of("x"), 2);
    assert_int_equal(end_of("3;abc,"), 2);
    assert_int_equal(end_of("3:abc;"), 2);
    assert_int_equal(end_of("1234567890:"), 2);
    assert_int_equal(end_of("0:,"), 2);
    assert_int_equal(end_of("1:z,"), 2);
    assert_int_equal(end_of("2:/x,"), 2);
    assert_int_equal(end_of("2:.x,"), 2);
}

TEST(end_of_file_ends_with_0)
{
    assert_int_equal(end_of(""), 0);
    assert_int_equal(end_of("1:q,"), 0);
    assert_int_equal(end_of("10:eab"), 0);
}

static void echo(void *context, struct span question, struct buf *answer)
{
    (void)context;
    buf_put(answer, question);
}

TEST(upcalls_carry_bytes_both_ways)
{
    struct driver d;
    struct buf reply;
    driver_start(&d, setup_worker(), NULL, -1);
    d.upcall = echo;
    setup_eval(&d, "globalThis.handleCommand = b => { const r = issueCommand(b); return { result: r }; }");
    assert_true(driver_command(&d, SPAN("?\0one\1two\xff"), &reply));
    assert_span(driver_result(&reply), SPAN("\0one\1two\xff"));
    buf_fini(&reply);
    assert_int_equal(driver_stop(&d), 0);
}

TEST(files_are_run_as_programs_and_modules)
{
    struct driver d;
    struct buf reply;
    FILE *f = fopen(setup_path("program.js"), "we");
    fputs("globalThis.ran = (globalThis.ran || 0) + 1;", f);
    fclose(f);
    f = fopen(setup_path("module.mjs"), "we");
    fputs("import './other.mjs'; globalThis.ran += 10;", f);
    fclose(f);
    f = fopen(setup_path("other.mjs"), "we");
    fputs("globalThis.ran += 100;", f);
    fclose(f);
    driver_start(&d, setup_worker(), NULL, -1);
    driver_ok(&d, 's', span_of(setup_path("program.js")), &reply);
    buf_fini(&reply);
    driver_ok(&d, 'm', span_of(setup_path("module.mjs")), &reply);
    buf_fini(&reply);
    setup_eval(&d, "if (ran !== 111) throw Error(ran)");
    assert_true(driver_command(&d, SPAN("s/nonexistent.js"), &reply));
    assert_span_is(buf_span(&reply), "!");
    buf_fini(&reply);
    assert_int_equal(driver_stop(&d), 15);
}

TEST(timers_run_in_order_behind_promises)
{
    struct driver d;
    driver_start(&d, setup_worker(), NULL, -1);
    setup_eval(&d, "globalThis.t = []; setImmediate(() => { t.push(1); Promise.resolve().then(() => t.push(2)); });"
                   "setImmediate(() => t.push(3)); Promise.resolve().then(() => t.push(0)); gc()");
    setup_eval(&d, "if (t.join() !== '0,1,2,3') throw Error(t.join())");
    assert_int_equal(driver_stop(&d), 0);
}

/* -- the command line ------------------------------------------------------------ */

static int run_with(const char *const *args)
{
    struct driver d;
    driver_start(&d, setup_worker(), args, -1);
    return driver_stop(&d);
}

TEST(command_line_is_the_stock_one)
{
    assert_int_equal(run_with((const char *[]){ "-h", NULL }), 0);
    assert_int_equal(run_with((const char *[]){ "-v", NULL }), 0);
    assert_int_equal(run_with((const char *[]){ "-n", NULL }), 0);
    assert_int_equal(run_with((const char *[]){ "-l", NULL }), 1);
    assert_int_equal(run_with((const char *[]){ "-z", NULL }), 1);
    assert_int_equal(run_with((const char *[]){ "-r", "/nonexistent", NULL }), 2);
    assert_int_equal(run_with((const char *[]){ "-r", "/dev/null", NULL }), 2);
    assert_int_equal(run_with((const char *[]){ "-r", "build/zygote-worker", NULL }), 2);
    assert_int_equal(run_with((const char *[]){ "-i", "10", "-s", "1024", NULL }), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endless_loop_ends_with_17),
        cmocka_unit_test(deep_recursion_ends_with_12),
        cmocka_unit_test(memory_bombs_end_with_11),
        cmocka_unit_test(memory_ends_in_the_stock_workers_round),
        cmocka_unit_test(deep_source_is_an_exception_not_a_crash),
        cmocka_unit_test(babble_ends_with_2),
        cmocka_unit_test(end_of_file_ends_with_0),
        cmocka_unit_test(upcalls_carry_bytes_both_ways),
        cmocka_unit_test(files_are_run_as_programs_and_modules),
        cmocka_unit_test(timers_run_in_order_behind_promises),
        cmocka_unit_test(command_line_is_the_stock_one),
    };
    return cmocka_run_group_tests_name("engine/limits", tests, NULL, NULL);
}
