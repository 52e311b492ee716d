/* What bounds forks, with real vats and workers: meters, maxForks, maxVats.  Fork bombs of
 * several kinds are lit; each comes to an end, the kernel's memory and the store stay small,
 * and other vats are served. */
#include "lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab.h"

static struct lab lab;
static struct buf notes; /* what the kernel told people */
static bool all;         /* given "long" */

enum { MAX_VATS = 14 }; /* limits.json */

static void on_note(void *self, struct span text)
{
    (void)self;
    buf_put(&notes, text);
    buf_putc(&notes, '\n');
}

static bool noted(const char *text)
{
    return notes.n > 0 && memmem(notes.p, notes.n, text, strlen(text)) != NULL;
}

static int begin(void **state)
{
    (void)state;
    lab_new(&lab, "tests/fork/limits.json");
    lab.sink.note = on_note;
    lab_boot(&lab);
    lab_expect(&lab, "create", "[\"innocent\",\"bomb\"]", "\"created\"");
    return 0;
}

static int end(void **state)
{
    (void)state;
    lab_free(&lab);
    buf_fini(&notes);
    return 0;
}

#define EXPECT(method, args, want) lab_expect(&lab, method, args, want)

static void expect_rejected(const char *method, const char *args, const char *why)
{
    const char *got = lab_send(&lab, method, args);
    if (got[0] != '!' || strstr(got, why) == NULL) fail_msg("%s%s: %s, not %s", method, args, got, why);
}

static size_t vats(void)
{
    struct arena a;
    struct vat_info *info;
    arena_init(&a);
    size_t n = kernel_vats(lab.kernel, &a, &info);
    arena_fini(&a);
    return n;
}

/* Whoever is not involved is served, and nothing is counted wrong. */
static void others_are_served(void)
{
    static unsigned asked;
    EXPECT("ask", "[\"innocent\",\"next\"]", lab_printf(&lab, "%u", ++asked));
    assert_int_equal(lab_audit(&lab), 0);
}

static bool is_critical(const char *name)
{
    return lab_info(&lab, name).critical;
}

/* The kernel's own resident memory, and the store's files, in KiB. */
static uint64_t resident_kib(void)
{
    char line[256];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    assert_non_null(f);
    while (kib == 0 && fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "VmRSS: %llu kB", &kib) == 1) break;
    }
    fclose(f);
    return kib;
}

static uint64_t store_kib(void)
{
    static const char *const files[] = { "swingstore.sqlite", "swingstore.sqlite-wal" };
    uint64_t bytes = 0;
    for (size_t i = 0; i < 2; i++) {
        struct stat st;
        if (stat(lab_printf(&lab, "%s/%s", lab.store_dir, files[i]), &st) == 0) bytes += (uint64_t)st.st_size;
    }
    return bytes / 1024;
}

static void terminate_all(const char *prefix, unsigned count)
{
    for (unsigned i = 1; i <= count; i++) EXPECT("terminate", lab_printf(&lab, "[\"%s%u\"]", prefix, i), "\"told\"");
}

static size_t workers(void)
{
    pid_t all_of_them[64];
    return lab_descendants(getpid(), all_of_them, 64);
}

/* -- options --------------------------------------------------------------------------------- */

TEST(a_critical_child_takes_the_key)
{
    EXPECT("create", "[\"p\",\"bomb\",{\"critical\":true}]", "\"created\"");
    expect_rejected("fork", "[\"p\",\"c\",{\"critical\":\"forged\"}]", "invalid criticalVatKey");
    EXPECT("fork", "[\"p\",\"c1\"]", "\"forked\"");
    EXPECT("fork", "[\"p\",\"c2\",{\"critical\":true,\"reapInterval\":3}]", "\"forked\"");
    assert_true(is_critical("p") && !is_critical("c1") && is_critical("c2"));
    expect_rejected("fork", "[\"p\",\"a b\"]", "bad vat name");
    EXPECT("terminate", "[\"c1\"]", "\"told\"");
    others_are_served();
}

TEST(a_vat_that_is_not_forkable)
{
    EXPECT("create", "[\"fixed1\",\"bomb\",{\"forkable\":false}]", "\"created\"");
    expect_rejected("fork", "[\"fixed1\",\"x\"]", "adminNode.fork: vat not forkable");
    expect_rejected("zygotify", "[\"fixed1\"]", "adminNode.zygotify: vat not forkable");
    EXPECT("light", "[\"fixed1\",\"storm\"]", "\"adminNode.fork: vat not forkable\"");
    EXPECT("fork", "[\"p\",\"fixed2\",{\"forkable\":false}]", "\"forked\"");
    EXPECT("light", "[\"fixed2\",\"chain\"]", "\"adminNode.fork: vat not forkable\"");
    terminate_all("fixed", 2);
    others_are_served();
}

TEST(a_vat_offline_has_no_worker_until_it_is_needed)
{
    EXPECT("fork", "[\"p\",\"o1\"]", "\"forked\"");
    EXPECT("ask", "[\"o1\",\"next\"]", "1");
    assert_true(lab_info(&lab, "o1").online);
    size_t before = workers();
    EXPECT("takeOffline", "[\"o1\"]", "\"offline\"");
    assert_false(lab_info(&lab, "o1").online);
    assert_int_equal(workers(), before - 1);
    EXPECT("takeOffline", "[\"o1\"]", "\"offline\"");
    EXPECT("fork", "[\"o1\",\"o2\"]", "\"forked\"");
    assert_false(lab_info(&lab, "o1").online); /* its snapshot is current */
    EXPECT("ask", "[\"o1\",\"next\"]", "2");
    EXPECT("ask", "[\"o2\",\"next\"]", "2");
    terminate_all("o", 2);
    others_are_served();
}

/* -- meters ---------------------------------------------------------------------------------- */

/* What a delivery may compute is limited by the worker: also of a child whose parent is not
 * metered, and whose heap comes out of the same image. */
TEST(a_metered_child_of_an_unmetered_parent_is_limited)
{
    EXPECT("meter", "[\"endless\",\"unlimited\"]", "\"made\"");
    if (!all) skip(); /* a hundred million computrons */
    EXPECT("fork", "[\"p\",\"free\"]", "\"forked\"");
    EXPECT("fork", "[\"free\",\"bound1\",{\"meter\":\"endless\"}]", "\"forked\"");
    EXPECT("fork", "[\"free\",\"bound2\",{\"meter\":\"endless\"}]", "\"forked\"");
    EXPECT("ask", "[\"bound2\",\"next\"]", "1");
    buf_reset(&notes);
    expect_rejected("ask", "[\"bound1\",\"burn\",100000000]", "vat terminated");
    assert_true(noted("Compute meter exceeded"));
    EXPECT("ask", "[\"free\",\"next\"]", "1");
    /* a later load, and one more generation */
    EXPECT("fork", "[\"bound2\",\"bound3\"]", "\"forked\"");
    EXPECT("takeOffline", "[\"bound2\"]", "\"offline\"");
    lab_restart(&lab);
    for (unsigned i = 2; i < 4; i++) {
        buf_reset(&notes);
        expect_rejected("ask", lab_printf(&lab, "[\"bound%u\",\"burn\",100000000]", i), "vat terminated");
        assert_true(noted("Compute meter exceeded"));
    }
    const char *got = lab_send(&lab, "ask", "[\"free\",\"burn\",8000000]"); /* over the limit */
    assert_true(got[0] >= '0' && got[0] <= '9');
    EXPECT("terminate", "[\"free\"]", "\"told\"");
    others_are_served();
}

/* -- bombs ----------------------------------------------------------------------------------- */

/* All that take part draw on one meter.  Who finds it too low goes; those that are not spoken
 * to any more stay, and do nothing. */
TEST(a_bomb_is_stopped_by_its_meter)
{
    EXPECT("meter", "[\"small\",\"120000\"]", "\"made\"");
    EXPECT("fork", "[\"p\",\"metered\",{\"meter\":\"small\"}]", "\"forked\"");
    buf_reset(&notes);
    const char *got = lab_send(&lab, "light", "[\"metered\",\"storm\"]");
    if (strstr(got, "vat terminated") == NULL) fail_msg("%s", got);
    assert_true(noted("meter underflow"));
    EXPECT("left", "[\"small\"]", "\"0\"");
    assert_true(vats() < MAX_VATS);
    unsigned children = 0;
    for (struct span rest = buf_span(&notes); rest.n >= 7; rest = span_from(rest, 1)) {
        children += memcmp(rest.p, "forked ", 7) == 0;
    }
    assert_true(children >= 2 && children < 12);
    others_are_served();
}

TEST(a_bomb_is_stopped_by_maxForks)
{
    static const char *const ways[] = { "chain", "storm" };
    for (size_t i = 0; i < 2; i++) {
        size_t before = vats();
        buf_reset(&notes);
        EXPECT("fork", lab_printf(&lab, "[\"p\",\"few%zu\",{\"maxForks\":2}]", i), "\"forked\"");
        const char *got = lab_send(&lab, "light", lab_printf(&lab, "[\"few%zu\",\"%s\"]", i, ways[i]));
        assert_true(i == 0 ? strcmp(got, "\"lit\"") == 0 : strstr(got, "too many vats: maxForks leaves 0") != NULL);
        assert_int_equal(vats(), before + 3); /* it and two more, however they are related */
        expect_rejected("fork", lab_printf(&lab, "[\"few%zu\",\"x\"]", i), "too many vats: maxForks leaves 0");
    }
    others_are_served();
}

TEST(a_bomb_is_stopped_by_maxVats)
{
    assert_true(vats() <= MAX_VATS - 3);
    EXPECT("fork", "[\"p\",\"wild1\"]", "\"forked\"");
    EXPECT("fork", "[\"p\",\"wild2\"]", "\"forked\"");
    EXPECT("zygotify", "[\"wild2\"]", "\"sealed\"");
    uint64_t resident = resident_kib(), store = store_kib();
    EXPECT("light", "[\"wild1\",\"storm\"]", "\"too many vats\"");
    assert_int_equal(vats(), MAX_VATS);
    EXPECT("light", "[\"wild1\",\"chain\"]", "\"too many vats\"");
    /* a volley, at a zygote: each fork would cost next to nothing */
    EXPECT("light", "[\"innocent\",\"spray\",\"wild2\",40]", "\"sprayed\"");
    assert_int_equal(vats(), MAX_VATS);
    expect_rejected("create", "[\"late\",\"bomb\"]", "too many vats");
    print_message("memory +%lld KiB, store +%lld KiB\n", (long long)(resident_kib() - resident),
                  (long long)(store_kib() - store));
    assert_true(resident_kib() < resident + 16 * 1024);
    assert_true(store_kib() < store + 16 * 1024);
    others_are_served();
    lab_restart(&lab);
    others_are_served();
    EXPECT("terminate", "[\"wild1\"]", "\"told\"");
    EXPECT("fork", "[\"p\",\"again\"]", "\"forked\"");
    others_are_served();
}

int main(int argc, char **argv)
{
    all = argc > 1 && strcmp(argv[1], "long") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_critical_child_takes_the_key),
        cmocka_unit_test(a_vat_that_is_not_forkable),
        cmocka_unit_test(a_vat_offline_has_no_worker_until_it_is_needed),
        cmocka_unit_test(a_metered_child_of_an_unmetered_parent_is_limited),
        cmocka_unit_test(a_bomb_is_stopped_by_its_meter),
        cmocka_unit_test(a_bomb_is_stopped_by_maxForks),
        cmocka_unit_test(a_bomb_is_stopped_by_maxVats),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
