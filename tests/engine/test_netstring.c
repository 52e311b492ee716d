/* test_netstring.c -- the frame reader: any split of the bytes, and hostile bytes. */
#include "lib/unit.h"

#include "base/netstring.h"

static enum netstring_status feed_all(struct netstring_reader *r, struct span s, size_t *eaten)
{
    enum netstring_status status;
    *eaten = netstring_feed(r, s.p, s.n, &status);
    return status;
}

TEST(frames_come_out_however_they_arrive)
{
    static const struct span stream = SPAN("3:abc,0:,5:x\0\1,,,12:hello world!,");
    static const struct span want[] = { SPAN("abc"), SPAN(""), SPAN("x\0\1,,"), SPAN("hello world!") };
    for (size_t step = 1; step <= stream.n; step++) {
        struct netstring_reader r = { 0 };
        size_t at = 0, frames = 0;
        while (at < stream.n) {
            enum netstring_status status;
            size_t n = stream.n - at < step ? stream.n - at : step;
            size_t eaten = netstring_feed(&r, stream.p + at, n, &status);
            at += eaten;
            if (status == NETSTRING_MORE) {
                assert_int_equal(eaten, n);
                continue;
            }
            assert_int_equal(status, NETSTRING_DONE);
            struct buf frame = netstring_take(&r);
            assert_span(buf_span(&frame), want[frames++]);
            assert_int_equal(frame.p[frame.n], 0);
            buf_fini(&frame);
        }
        assert_int_equal(frames, 4);
        assert_false(netstring_pending(&r));
    }
}

TEST(hostile_bytes_are_refused)
{
    static const struct {
        struct span bytes;
        enum netstring_status want;
    } cases[] = {
        { SPAN("x"), NETSTRING_BAD_LENGTH },
        { SPAN(":"), NETSTRING_BAD_LENGTH },
        { SPAN(" 3:abc,"), NETSTRING_BAD_LENGTH },
        { SPAN("-1:"), NETSTRING_BAD_LENGTH },
        { SPAN("+3:abc,"), NETSTRING_BAD_LENGTH },
        { SPAN("1234567890:"), NETSTRING_BAD_LENGTH },
        { SPAN("3;abc,"), NETSTRING_BAD_COLON },
        { SPAN("3 :abc,"), NETSTRING_BAD_COLON },
        { SPAN("3:abc;"), NETSTRING_BAD_COMMA },
        { SPAN("3:abcd,"), NETSTRING_BAD_COMMA },
        { SPAN("11:"), NETSTRING_TOO_LONG },
        { SPAN("999999999:"), NETSTRING_TOO_LONG },
        { SPAN("10:"), NETSTRING_MORE },
        { SPAN("003:ab"), NETSTRING_MORE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct netstring_reader r = { .max = 10 };
        size_t eaten;
        assert_int_equal(feed_all(&r, cases[i].bytes, &eaten), cases[i].want);
        assert_true(strlen(netstring_status_text(cases[i].want)) > 0);
        netstring_reader_fini(&r);
    }
}

/* A length promises 999,999,999 bytes: memory must not follow. */
TEST(memory_follows_what_arrived)
{
    struct netstring_reader r = { 0 };
    size_t eaten;
    assert_int_equal(feed_all(&r, SPAN("999999999:abc"), &eaten), NETSTRING_MORE);
    assert_true(r.body.cap <= 2 << 20);
    netstring_reader_fini(&r);
}

TEST(bytes_behind_a_frame_are_left)
{
    struct netstring_reader r = { 0 };
    size_t eaten;
    assert_int_equal(feed_all(&r, SPAN("1:a,2:bc,"), &eaten), NETSTRING_DONE);
    assert_int_equal(eaten, 4);
    netstring_reader_fini(&r);
}

TEST(what_is_put_can_be_read)
{
    struct netstring_reader r = { 0 };
    struct buf b = { 0 };
    size_t eaten;
    netstring_put(&b, SPAN("any\0bytes"));
    assert_span(buf_span(&b), SPAN("9:any\0bytes,"));
    assert_int_equal(feed_all(&r, buf_span(&b), &eaten), NETSTRING_DONE);
    struct buf frame = netstring_take(&r);
    assert_span(buf_span(&frame), SPAN("any\0bytes"));
    buf_fini(&frame);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_out_however_they_arrive),
        cmocka_unit_test(hostile_bytes_are_refused),
        cmocka_unit_test(memory_follows_what_arrived),
        cmocka_unit_test(bytes_behind_a_frame_are_left),
        cmocka_unit_test(what_is_put_can_be_read),
    };
    return cmocka_run_group_tests_name("base/netstring", tests, NULL, NULL);
}
