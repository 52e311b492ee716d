/* span, err, xalloc, arena, buf, hash, log; and the generators of tests/lib. */
#include "lib/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/span.h"
#include "base/xalloc.h"
#include "lib/gen.h"
#include "lib/rng.h"

TEST(spans_compare)
{
    assert_true(span_eq(SPAN_NONE, SPAN("")));
    assert_true(span_eq(SPAN("a\0b"), SPAN("a\0b")));
    assert_false(span_eq(SPAN("a\0b"), SPAN("a\0c")));
    assert_true(span_is(SPAN("abc"), "abc"));
    assert_false(span_is(SPAN("ab"), "abc"));
    assert_true(span_starts(SPAN("abc"), SPAN("ab")));
    assert_true(span_starts(SPAN("abc"), SPAN("")));
    assert_false(span_starts(SPAN("a"), SPAN("ab")));
    assert_true(span_cmp(SPAN("a"), SPAN("ab")) < 0);
    assert_true(span_cmp(SPAN("b"), SPAN("ab")) > 0);
    assert_true(span_cmp(SPAN("\xff"), SPAN("a")) > 0);
    assert_int_equal(span_cmp(SPAN_NONE, SPAN("")), 0);
}

TEST(span_u64_is_strict)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t n;
    } cases[] = {
        { "0", true, 0 },
        { "7", true, 7 },
        { "10", true, 10 },
        { "4294967296", true, 4294967296 },
        { "9223372036854775807", true, INT64_MAX },
        { "9223372036854775808", false, 0 },
        { "18446744073709551616", false, 0 },
        { "99999999999999999999999", false, 0 },
        { "", false, 0 },
        { "00", false, 0 },
        { "01", false, 0 },
        { "-1", false, 0 },
        { "+1", false, 0 },
        { " 1", false, 0 },
        { "1 ", false, 0 },
        { "1a", false, 0 },
        { "0x1", false, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t n = 42;
        bool ok = span_u64(span_of(cases[i].text), &n);
        if (ok != cases[i].ok || n != (ok ? cases[i].n : 42))
            fail_msg("span_u64(\"%s\")", cases[i].text);
    }
}

TEST(errors_carry_context)
{
    struct err e = { EXIT_OK, "untouched" };
    assert_int_equal(err_set(&e, EXIT_BUSY, "store %d", 3), -1);
    assert_int_equal(e.exit, EXIT_BUSY);
    assert_string_equal(e.text, "store 3");
    assert_int_equal(err_while(&e, "opening %s", "x"), -1);
    assert_int_equal(e.exit, EXIT_BUSY);
    assert_string_equal(e.text, "opening x: store 3");

    errno = ENOENT;
    assert_int_equal(err_sys(&e, "open %s", "f"), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(e.exit, EXIT_FAILED);
    assert_string_equal(e.text, "open f: No such file or directory");

    /* What does not fit is cut, and an error may be made of itself. */
    for (int i = 0; i < 200; i++)
        err_while(&e, "context %d", i);
    assert_true(strlen(e.text) == sizeof e.text - 1);
    err_set(&e, EXIT_FAILED, "again: %.20s", e.text);
    assert_string_equal(e.text, "again: context 199: context");
}

/* Run `f` in a child, its stderr into `out`; returns its wait status. */
static int in_child(void (*f)(void), char *out, size_t size)
{
    int fds[2], status;
    assert_int_equal(pipe(fds), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        f();
        _exit(0);
    }
    close(fds[1]);
    size_t n = 0;
    for (ssize_t got; (got = read(fds[0], out + n, size - 1 - n)) > 0;)
        n += (size_t)got;
    out[n] = '\0';
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void break_invariant(void)
{
    int one = 1;
    INVARIANT(one == 1);
    INVARIANT(one == 2);
}

static void log_some(void)
{
    log_init("test", LOG_NORMAL);
    errno = EAGAIN;
    log_warn("vat %s", "v1");
    if (errno != EAGAIN)
        _exit(1);
    log_info("two\nzygote: lines \x1b[2J\x7f \xc2\x9b \xc3\xa4");
    log_debug("not shown");
    log_init("q", LOG_QUIET);
    log_info("not shown");
    log_warn("%s", "");
}

TEST(bug_aborts)
{
    char said[4096];
    int status = in_child(break_invariant, said, sizeof said);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(said, "BUG: "));
    assert_non_null(strstr(said, "one == 2"));
}

TEST(log_lines_are_tame)
{
    char said[4096];
    int status = in_child(log_some, said, sizeof said);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_string_equal(said, "test: vat v1\n"
                              "test: two\n    zygote: lines \\x1b[2J\\x7f \\x9b \xc3\xa4\n"
                              "q: \n");
}

TEST(xalloc_gives_something)
{
    char *p = xmalloc(0);
    assert_non_null(p);
    p = xrealloc(p, 0);
    assert_non_null(p);
    free(p);
    p = xcalloc(0, 8);
    assert_non_null(p);
    free(p);
    p = xcalloc(3, 5);
    for (int i = 0; i < 15; i++)
        assert_int_equal(p[i], 0);
    free(p);
    p = xstrdup("text");
    assert_string_equal(p, "text");
    free(p);
}

/* Random sizes: aligned, zeroed, and nothing overlaps. */
TEST(arena_memory_is_separate)
{
    struct rng r = rng_new(rng_seed_from_env(1));
    struct arena a;
    arena_init(&a);
    for (int round = 0; round < 20; round++) {
        unsigned char *p[200];
        size_t n[200];
        for (unsigned i = 0; i < 200; i++) {
            n[i] = rng_below(&r, rng_chance(&r, 1, 20) ? 200000 : 300);
            p[i] = arena_alloc(&a, n[i]);
            assert_int_equal((uintptr_t)p[i] % 16, 0);
            for (size_t k = 0; k < n[i]; k++)
                assert_int_equal(p[i][k], 0);
            memset(p[i], (int)i + 1, n[i]);
        }
        for (unsigned i = 0; i < 200; i++)
            for (size_t k = 0; k < n[i]; k++)
                assert_int_equal(p[i][k], (unsigned char)(i + 1));
        if (rng_chance(&r, 1, 2))
            arena_reset(&a);
    }
    arena_fini(&a);
    arena_fini(&a);
    arena_reset(&a);
    assert_null(a.blocks);
}

TEST(arena_keeps_one_block)
{
    struct arena a;
    arena_init(&a);
    void *first = arena_alloc(&a, 100);
    arena_reset(&a);
    assert_ptr_equal(arena_alloc(&a, 100), first);
    arena_alloc(&a, 1 << 20);
    /* The large one did not push out the block in use. */
    assert_ptr_equal(arena_alloc(&a, 16), (char *)first + 112);
    arena_fini(&a);
}

TEST(arena_copies_text)
{
    struct arena a;
    arena_init(&a);
    struct span s = arena_copy(&a, SPAN("a\0b"));
    assert_span(s, SPAN("a\0b"));
    assert_int_equal(s.p[3], '\0');
    assert_null(arena_copy(&a, SPAN_NONE).p);
    s = arena_copy(&a, SPAN(""));
    assert_non_null(s.p);
    assert_int_equal(s.n, 0);
    s = arena_printf(&a, "%s %d", "v", 12);
    assert_span_is(s, "v 12");
    assert_int_equal(s.p[s.n], '\0');
    s = arena_printf(&a, "%0*d", 200000, 7);
    assert_int_equal(s.n, 200000);
    assert_int_equal(s.p[199999], '7');
    arena_fini(&a);
}

TEST(buf_grows)
{
    struct buf b = { 0 };
    assert_non_null(buf_span(&b).p);
    assert_int_equal(buf_span(&b).n, 0);
    buf_put(&b, SPAN_NONE);
    buf_put(&b, SPAN("a\0"));
    buf_puts(&b, "bc");
    buf_putc(&b, 'd');
    buf_printf(&b, "%d-%s", 12, "x");
    assert_span(buf_span(&b), SPAN("a\0bcd12-x"));
    buf_reset(&b);
    assert_int_equal(b.n, 0);
    for (int i = 0; i < 2000; i++)
        buf_printf(&b, "%0*d", i % 150, i % 10);
    size_t at = 0;
    for (int i = 0; i < 2000; i++) {
        size_t width = i % 150 == 0 ? 1 : (size_t)(i % 150);
        assert_int_equal(b.p[at + width - 1], '0' + i % 10);
        at += width;
    }
    assert_int_equal(at, b.n);
    memset(buf_room(&b, 1 << 20), 'x', 1 << 20);
    b.n += 1 << 20;
    buf_fini(&b);
    assert_null(b.p);
    buf_fini(&b);
}

TEST(hashes_are_known)
{
    char h256[SHA256_HEX + 1], h512[SHA512_HEX + 1];
    sha256_hex(SPAN_NONE, h256);
    assert_string_equal(h256, "e3b0c44298fc1c149afbf4c8996fb924"
                              "27ae41e4649b934ca495991b7852b855");
    sha256_hex(SPAN("abc"), h256);
    assert_string_equal(h256, "ba7816bf8f01cfea414140de5dae2223"
                              "b00361a396177a9cb410ff61f20015ad");
    sha512_hex(SPAN("abc"), h512);
    assert_string_equal(h512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea2"
                              "0a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
                              "454d4423643ce80e2a9ac94fa54ca49f");
}

TEST(hash_streams_and_peeks)
{
    struct sha256 *h = sha256_new();
    char got[SHA256_HEX + 1], want[SHA256_HEX + 1];
    for (int round = 0; round < 2; round++) {
        sha256_begin(h);
        struct buf all = { 0 };
        for (int i = 0; i < 100; i++) {
            struct buf piece = { 0 };
            buf_printf(&piece, "%0*d", i, i);
            sha256_update(h, buf_span(&piece));
            sha256_update(h, SPAN_NONE);
            buf_put(&all, buf_span(&piece));
            buf_fini(&piece);
            sha256_peek_hex(h, got);
            sha256_hex(buf_span(&all), want);
            assert_string_equal(got, want);
        }
        buf_fini(&all);
    }
    sha256_free(h);
    sha256_free(NULL);
}

TEST(rng_is_the_published_one)
{
    uint64_t state = 1234567; /* from the splitmix64 test vectors */
    assert_true(rng_splitmix(&state) == 6457827717110365317u);
    assert_true(rng_splitmix(&state) == 3203168211198807973u);
    struct rng r = { .s = { 1, 2, 3, 4 } }; /* from xoshiro256**'s */
    assert_true(rng_u64(&r) == 11520 && rng_u64(&r) == 0 && rng_u64(&r) == 1509978240);

    struct rng a = rng_new(7), b = rng_new(7);
    for (int i = 0; i < 1000; i++) {
        assert_true(rng_u64(&a) == rng_u64(&b));
        assert_true(rng_below(&a, 3) < 3);
        int64_t x = rng_range(&a, -2, 2);
        assert_true(x >= -2 && x <= 2);
        b = a;
    }
    assert_true(rng_range(&a, INT64_MIN, INT64_MAX) != rng_range(&a, INT64_MIN, INT64_MAX));
}

/* Every sequence of up to three of four letters: 1 + 4 + 16 + 64. */
TEST(gen_visits_each_case_once)
{
    struct gen g = { 0 };
    bool seen[4][64] = { 0 };
    unsigned cases = 0;
    while (gen_next(&g)) {
        unsigned n = gen_pick(&g, 3), code = 0;
        for (unsigned i = 0; i < n; i++)
            code = code * 4 + gen_pick(&g, 3);
        assert_false(seen[n][code]);
        seen[n][code] = true;
        cases++;
    }
    assert_int_equal(cases, 85);

    struct gen one = GEN_REPLAY(2, 3, 1);
    cases = 0;
    while (gen_next(&one)) {
        assert_int_equal(gen_pick(&one, 3), 2);
        assert_int_equal(gen_pick(&one, 3), 3);
        assert_int_equal(gen_pick(&one, 3), 1);
        cases++;
    }
    assert_int_equal(cases, 1);
}

TEST(text_from_anybody_is_shown_without_controls)
{
    char all[SPAN_SHOWN_MAX + 3];
    struct span_shown shown = span_shown(SPAN("a\0\x1b[2J\n\x7f \xc3\xa9~"));
    assert_string_equal(shown.s, "a??[2J?? \xc3\xa9~");
    assert_string_equal(span_shown(SPAN_NONE).s, "");
    memset(all, 'x', sizeof all);
    assert_int_equal(strlen(span_shown((struct span){ all, sizeof all }).s), SPAN_SHOWN_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_compare),
        cmocka_unit_test(span_u64_is_strict),
        cmocka_unit_test(text_from_anybody_is_shown_without_controls),
        cmocka_unit_test(errors_carry_context),
        cmocka_unit_test(bug_aborts),
        cmocka_unit_test(log_lines_are_tame),
        cmocka_unit_test(xalloc_gives_something),
        cmocka_unit_test(arena_memory_is_separate),
        cmocka_unit_test(arena_keeps_one_block),
        cmocka_unit_test(arena_copies_text),
        cmocka_unit_test(buf_grows),
        cmocka_unit_test(hashes_are_known),
        cmocka_unit_test(hash_streams_and_peeks),
        cmocka_unit_test(rng_is_the_published_one),
        cmocka_unit_test(gen_visits_each_case_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
