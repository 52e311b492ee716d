/* Workers that die in the middle of a crank: a clean error, a store as before the crank,
 * and the next run succeeds.  (Kernels that die: test_crash.c.) */
#include "lib/unit.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "lab.h"

/* Kill the process called so at the N-th step with this label. */
struct murder {
    const char *label;
    unsigned countdown;
    const char *victim; /* a prefix of its name */
    bool done;
};

static bool is_called(pid_t pid, const char *prefix)
{
    char path[64], name[64] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL) return false;
    bool read = fgets(name, sizeof name, f) != NULL;
    fclose(f);
    return read && strncmp(name, prefix, strlen(prefix)) == 0;
}

static void step(void *self, const char *label)
{
    struct murder *m = self;
    pid_t all[64];
    if (m->done || strcmp(label, m->label) != 0 || --m->countdown > 0) return;
    size_t n = lab_descendants(getpid(), all, 64);
    for (size_t i = 0; i < n; i++) {
        if (!is_called(all[i], m->victim)) continue;
        assert_int_equal(kill(all[i], SIGKILL), 0);
        m->done = true;
    }
    if (!m->done) m->countdown = 1; /* not there yet */
}

static struct lab lab;
static struct murder murder;

static int begin(void **state)
{
    (void)state;
    lab_new(&lab, "tests/fork/state.json");
    lab.sink = (struct kernel_sink){ .self = &murder, .step = step };
    murder.done = true;
    lab_boot(&lab);
    lab_expect(&lab, "create", "[\"P\",\"state\"]", "\"created\"");
    lab_expect(&lab, "fork", "[\"P\",\"C\"]", "0");
    lab_send(&lab, "askAll", "[[\"P\",\"C\"],\"add\",1]");
    return 0;
}

static int end(void **state)
{
    (void)state;
    lab_free(&lab);
    return 0;
}

/* A message is sent and somebody dies; then it is sent again. */
static void survive(const char *victim, const char *label, unsigned at, const char *method,
                    const char *args, const char *want)
{
    struct err e = { 0 };
    uint64_t cranks;
    const char *before = lab_dump(&lab);
    murder = (struct murder){ .label = label, .countdown = at, .victim = victim };
    lab_queue(&lab, method, args);
    int failed = lab_try_run(&lab, &cranks, &e);
    assert_true(murder.done);
    assert_int_not_equal(failed, 0);
    assert_int_not_equal(e.exit, 0);
    assert_null(strchr(e.text, '\n'));
    if (strstr(e.text, victim) == NULL && strstr(e.text, "signal 9") == NULL) {
        fprintf(stderr, "does not say who died, or how: %s\n", e.text);
        fail();
    }
    lab_close(&lab);
    assert_int_equal(lab_descendants(getpid(), &(pid_t){ 0 }, 1), 0);
    assert_true(lab_same("the store after a worker died", lab_dump(&lab), before));
    assert_int_equal(lab_audit(&lab), 0);
    lab_open(&lab);
    lab_expect(&lab, method, args, want);
    assert_int_equal(lab_audit(&lab), 0);
}

#define READS(n) \
    "{\"cell\":\"none\",\"durable\":0,\"heap\":" #n ",\"kept\":[],\"log\":" #n \
    ",\"stored\":" #n ",\"virtual\":0}"

TEST(dies_in_the_middle_of_a_delivery)
{
    survive("v3", "syscall", 9, "ask", "[\"P\",\"add\",1]", READS(2));
}

TEST(dies_before_it_is_asked)
{
    survive("v3", "delivering", 1, "ask", "[\"P\",\"add\",1]", READS(3));
}

TEST(child_dies_in_the_middle_of_a_delivery)
{
    survive("v4", "syscall", 9, "ask", "[\"C\",\"add\",1]", READS(2));
}

TEST(dies_in_the_fork)
{
    lab_send(&lab, "ask", "[\"P\",\"read\"]"); /* so its snapshot is not current */
    lab_restart(&lab);
    survive("v3", "vat online", 1, "fork", "[\"P\",\"D\"]", "0");
    assert_true(lab_vat_exists(&lab, "D"));
}

TEST(vat_admin_dies_in_the_fork)
{
    survive("v2", "syscall", 8, "fork", "[\"P\",\"E\"]", "0");
}

TEST(dies_before_it_is_sealed)
{
    lab_send(&lab, "ask", "[\"P\",\"read\"]");
    lab_restart(&lab);
    survive("v3", "vat online", 1, "zygotify", "[\"P\"]", "\"sealed\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dies_in_the_middle_of_a_delivery),
        cmocka_unit_test(dies_before_it_is_asked),
        cmocka_unit_test(child_dies_in_the_middle_of_a_delivery),
        cmocka_unit_test(dies_in_the_fork),
        cmocka_unit_test(vat_admin_dies_in_the_fork),
        cmocka_unit_test(dies_before_it_is_sealed),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
