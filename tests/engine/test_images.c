/* test_images.c -- images that are not to be trusted are refused: exit 3, one clear line. */
#include "lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/image.h"
#include "engine/setup.h"

enum { BAD_IMAGE = 3 };

/* The good image, in a memory file that may be spoilt. */
static int copy_image(void)
{
    setup_base();
    struct buf b = setup_read(setup_path("base.img"));
    int fd = memfd_create("image", MFD_CLOEXEC);
    assert_int_equal(pwrite(fd, b.p, b.n, 0), (ssize_t)b.n);
    buf_fini(&b);
    return fd;
}

static void read_header(int fd, struct image_header *h)
{
    assert_int_equal(pread(fd, h, sizeof *h, 0), (ssize_t)sizeof *h);
}

/* As somebody who knows the format would: with a right checksum. */
static void write_header(int fd, struct image_header *h)
{
    h->checksum = 0xcbf29ce484222325u;
    const unsigned char *p = (const unsigned char *)h;
    for (size_t i = 0; i < offsetof(struct image_header, checksum); i++)
        h->checksum = (h->checksum ^ p[i]) * 0x100000001b3u;
    assert_int_equal(pwrite(fd, h, sizeof *h, 0), (ssize_t)sizeof *h);
}

/* Start from `fd`: must end with 3 and say `why` in one line.  Closes fd. */
static void assert_refused(int fd, const char *why)
{
    struct driver d;
    char said[512] = "";
    int out = memfd_create("stderr", MFD_CLOEXEC);
    driver_start_stderr(&d, setup_worker(), (const char *[]){ "-m", "9", NULL }, fd, out);
    assert_int_equal(driver_wait(&d), BAD_IMAGE);
    ssize_t n = pread(out, said, sizeof said - 1, 0);
    assert_true(n > 0);
    assert_ptr_equal(strchr(said, '\n'), said + n - 1);
    if (strstr(said, why) == NULL) fail_msg("said %s instead of %s", said, why);
    close(out);
    close(fd);
}

TEST(untouched_copy_is_accepted)
{
    struct driver d;
    int fd = copy_image();
    driver_start(&d, setup_worker(), (const char *[]){ "-m", "9", NULL }, fd);
    setup_eval(&d, "1 + 1");
    assert_int_equal(driver_stop(&d), 0);
    close(fd);
}

TEST(lengths_that_lie_are_refused)
{
    static const struct {
        off_t bytes;
        const char *why;
    } cases[] = {
        { 0, "shorter than a header" },
        { 4095, "shorter than a header" },
        { 4096, "truncated" },
        { 1 << 20, "truncated" },
        { (off_t)1 << 40, "truncated or grown" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = copy_image();
        assert_int_equal(ftruncate(fd, cases[i].bytes), 0);
        assert_refused(fd, cases[i].why);
    }
}

TEST(things_that_are_no_files_are_refused)
{
    int pair[2];
    assert_refused(open("/dev/zero", O_RDONLY | O_CLOEXEC), "not a regular file");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_refused(pair[0], "not a regular file");
    close(pair[1]);
}

TEST(every_damaged_header_byte_is_refused)
{
    unsigned char page[MEMORY_PAGE];
    int fd = copy_image();
    assert_int_equal(pread(fd, page, sizeof page, 0), (ssize_t)sizeof page);
    for (size_t i = 0; i < sizeof page; i += i < 256 ? 37 : 701) {
        page[i] ^= 0x40;
        assert_int_equal(pwrite(fd, page, sizeof page, 0), (ssize_t)sizeof page);
        page[i] ^= 0x40;
        assert_refused(dup(fd), "image");
    }
    close(fd);
}

typedef void spoil(struct image_header *h);

static void other_magic(struct image_header *h) { h->magic++; }
static void other_version(struct image_header *h) { h->version++; }
static void other_build(struct image_header *h) { h->build_id[7] ^= 1; }
static void other_address(struct image_header *h) { h->arena_base += MEMORY_PAGE; }
static void other_size(struct image_header *h) { h->arena_bytes *= 2; }
static void other_slots(struct image_header *h) { h->params.slot_bytes = 16; }
static void other_callbacks(struct image_header *h) { h->params.callbacks--; }
static void other_signature(struct image_header *h) { h->params.signature[6] = '2'; }
static void no_extents(struct image_header *h) { h->extent_count = 0; }
static void many_extents(struct image_header *h) { h->extent_count = UINT32_MAX; }
static void extra_extent(struct image_header *h) { h->extent_count++; }
static void huge_extent(struct image_header *h) { h->extents[0].bytes = UINT64_MAX - 4095; }
static void long_extent(struct image_header *h) { h->extents[1].bytes = MEMORY_BYTES; }
static void odd_extent(struct image_header *h) { h->extents[1].bytes += 8; }
static void odd_address(struct image_header *h) { h->extents[1].address += 8; }
static void low_address(struct image_header *h) { h->extents[1].address = 0x400000; }
static void high_address(struct image_header *h) { h->extents[1].address = MEMORY_END; }
static void wrapped_address(struct image_header *h) { h->extents[1].address = ~UINT64_C(4095); }
static void overlap(struct image_header *h) { h->extents[1].address = h->extents[0].address; }
static void other_offset(struct image_header *h) { h->extents[1].offset += MEMORY_PAGE; }
static void other_length(struct image_header *h) { h->file_bytes += MEMORY_PAGE; }
static void trailing_bytes(struct image_header *h) { h->zero[0] = 1; }
static void trailing_extent(struct image_header *h) { h->extents[IMAGE_EXTENTS_MAX - 1].bytes = 1; }
static void no_machine(struct image_header *h) { h->machine = 0; }
static void machine_outside(struct image_header *h) { h->machine = MEMORY_CHUNKS - 16; }
static void other_machine(struct image_header *h) { h->machine += 16; }

TEST(edited_headers_are_refused)
{
    static const struct {
        spoil *spoil;
        const char *why;
    } cases[] = {
        { other_magic, "not an image" },
        { other_version, "another format version" },
        { other_build, "another build" },
        { other_address, "another address" },
        { other_size, "another address" },
        { other_slots, "another engine" },
        { other_callbacks, "another engine" },
        { other_signature, "another engine" },
        { no_extents, "number of extents" },
        { many_extents, "number of extents" },
        { extra_extent, "not whole pages" },
        { huge_extent, "outside the arena" },
        { long_extent, "outside the arena" },
        { odd_extent, "not whole pages" },
        { odd_address, "not whole pages" },
        { low_address, "out of order" },
        { high_address, "outside the arena" },
        { wrapped_address, "outside the arena" },
        { overlap, "out of order" },
        { other_offset, "wrong offset" },
        { other_length, "lengths disagree" },
        { trailing_bytes, "behind the extents" },
        { trailing_extent, "behind the extents" },
        { no_machine, "machine outside" },
        { machine_outside, "machine outside" },
        { other_machine, "bad control page" },
    };
    struct image_header h;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = copy_image();
        read_header(fd, &h);
        cases[i].spoil(&h);
        write_header(fd, &h);
        assert_refused(fd, cases[i].why);
    }
}

TEST(broken_control_page_is_refused)
{
    struct memory_control c;
    struct image_header h;
    for (int i = 0; i < 4; i++) {
        int fd = copy_image();
        read_header(fd, &h);
        off_t at = (off_t)h.extents[0].offset;
        assert_int_equal(pread(fd, &c, sizeof c, at), (ssize_t)sizeof c);
        if (i == 0) c.magic = 0;
        if (i == 1) c.small_next = MEMORY_END;
        if (i == 2) c.slots_next = 0;
        if (i == 3) c.free_first[9] = 0x400000;
        assert_int_equal(pwrite(fd, &c, sizeof c, at), (ssize_t)sizeof c);
        assert_refused(fd, "bad control page");
    }
}

TEST(descriptor_option_is_checked)
{
    static const char *const bad[] = { "", "x", "9x", "-1", "99999999999" };
    struct driver d;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        driver_start(&d, setup_worker(), (const char *[]){ "-m", bad[i], NULL }, -1);
        assert_int_equal(driver_wait(&d), 1);
    }
    driver_start(&d, setup_worker(), (const char *[]){ "-m", "77", NULL }, -1);
    assert_int_equal(driver_wait(&d), BAD_IMAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(untouched_copy_is_accepted),
        cmocka_unit_test(lengths_that_lie_are_refused),
        cmocka_unit_test(things_that_are_no_files_are_refused),
        cmocka_unit_test(every_damaged_header_byte_is_refused),
        cmocka_unit_test(edited_headers_are_refused),
        cmocka_unit_test(broken_control_page_is_refused),
        cmocka_unit_test(descriptor_option_is_checked),
    };
    return cmocka_run_group_tests_name("engine/images", tests, NULL, NULL);
}
