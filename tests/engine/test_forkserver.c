/* test_forkserver.c -- workers from the fork server are the requester's own children. */
#include "lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/setup.h"

enum { WORKERS = 50, METER_LIMIT = 100000000 };

static int open_base(void)
{
    setup_base();
    int fd = open(setup_path("base.img"), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* How many descriptors a process has open. */
static int count_fds(pid_t pid)
{
    char path[64];
    int n = 0;
    for (int fd = 0; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
        char target[8];
        if (readlink(path, target, sizeof target) >= 0) n++;
    }
    return n;
}

static void assert_proc_file(pid_t pid, const char *name, const char *want)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    close(fd);
    text[strcspn(text, "\n")] = '\0';
    assert_string_equal(text, want);
}

TEST(fifty_workers_live_apart)
{
    static struct driver d[WORKERS];
    struct forks f;
    int image = open_base();
    forks_start(&f, setup_worker());
    for (int i = 0; i < WORKERS; i++)
        assert_true(forks_spawn(&f, &d[i], "v1:worker", image, METER_LIMIT) > 0);
    for (int i = 0; i < WORKERS; i++) {
        char source[64];
        snprintf(source, sizeof source, "globalThis.mine = %d", i);
        setup_eval(&d[i], source);
    }
    for (int i = 0; i < WORKERS; i++) {
        char source[64];
        snprintf(source, sizeof source, "if (mine !== %d) throw Error(mine)", i);
        setup_eval(&d[i], source);
    }
    for (int i = 0; i < WORKERS; i++) assert_int_equal(driver_stop(&d[i]), 0);
    assert_int_equal(forks_stop(&f), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    close(image);
}

TEST(exit_codes_reach_the_requester)
{
    struct driver killed, spent, thrown, ended;
    struct buf reply;
    struct forks f;
    int image = open_base();
    forks_start(&f, setup_worker());
    assert_true(forks_spawn(&f, &killed, "v1", image, METER_LIMIT) > 0);
    assert_true(forks_spawn(&f, &spent, "v2", image, METER_LIMIT) > 0);
    assert_true(forks_spawn(&f, &thrown, "v3", image, METER_LIMIT) > 0);
    assert_true(forks_spawn(&f, &ended, "v4", image, METER_LIMIT) > 0);
    kill(killed.pid, SIGKILL);
    assert_int_equal(driver_wait(&killed), -SIGKILL);
    assert_false(driver_command(&spent, SPAN("efor (;;) {}"), &reply));
    assert_int_equal(driver_wait(&spent), 17);
    assert_true(driver_command(&thrown, SPAN("ethrow 1"), &reply));
    buf_fini(&reply);
    assert_int_equal(driver_stop(&thrown), 15);
    assert_true(driver_send(&ended, SPAN("q")));
    assert_int_equal(driver_wait(&ended), 0);
    assert_int_equal(forks_stop(&f), 0);
    close(image);
}

TEST(workers_outlive_the_server)
{
    struct driver d;
    struct forks f;
    int image = open_base();
    forks_start(&f, setup_worker());
    assert_true(forks_spawn(&f, &d, "v1", image, METER_LIMIT) > 0);
    assert_int_equal(forks_stop(&f), 0);
    setup_eval(&d, "1 + 1");
    assert_int_equal(driver_stop(&d), 0);
    close(image);
}

/* A process that stands for the kernel makes a worker and dies. */
static pid_t kernel_that_dies(int image)
{
    static struct driver d;
    struct forks f;
    int report[2];
    pid_t worker = 0;
    assert_int_equal(pipe(report), 0);
    pid_t kernel = fork();
    if (kernel == 0) {
        forks_start(&f, setup_worker());
        int pid = forks_spawn(&f, &d, "v1", image, METER_LIMIT);
        setup_eval(&d, "1 + 1");
        if (write(report[1], &pid, sizeof pid) < 0) _exit(1);
        pause();
    }
    assert_int_equal(read(report[0], &worker, sizeof worker), (ssize_t)sizeof worker);
    kill(kernel, SIGKILL);
    waitpid(kernel, NULL, 0);
    close(report[0]);
    close(report[1]);
    return worker;
}

TEST(workers_die_with_the_kernel)
{
    int image = open_base();
    pid_t worker = kernel_that_dies(image);
    for (int i = 0; i < 2000 && count_fds(worker) > 0; i++) usleep(1000);
    assert_int_equal(count_fds(worker), 0);
    close(image);
}

TEST(worker_shows_its_name_and_holds_no_descriptors)
{
    struct driver d;
    struct forks f;
    int image = open_base();
    forks_start(&f, setup_worker());
    assert_true(forks_spawn(&f, &d, "v12:counter", image, METER_LIMIT) > 0);
    setup_eval(&d, "1 + 1");
    assert_proc_file(d.pid, "cmdline", "zygote-worker: v12:counter");
    assert_proc_file(d.pid, "comm", "v12:counter");
    assert_int_equal(count_fds(d.pid), 6);
    assert_int_equal(driver_stop(&d), 0);
    assert_int_equal(forks_stop(&f), 0);
    close(image);
}

TEST(snapshot_goes_to_the_save_descriptor)
{
    struct driver d;
    struct forks f;
    struct buf reply;
    char hash[65], base[65];
    int image = open_base();
    int save = open(setup_path("saved.xss"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    forks_start(&f, setup_worker());
    assert_true(forks_spawn_save(&f, &d, "v1", image, save, METER_LIMIT) > 0);
    driver_ok(&d, 'w', SPAN("@7"), &reply);
    buf_fini(&reply);
    setup_hash(setup_path("saved.xss"), hash);
    setup_hash(setup_path("base.xss"), base);
    assert_string_equal(hash, base);
    assert_int_equal(driver_stop(&d), 0);
    assert_int_equal(forks_stop(&f), 0);
    close(save);
    close(image);
}

/* Math.random() of each worker starts where a fresh process does. */
TEST(workers_start_from_fresh_libc_state)
{
    struct driver fresh, forked;
    struct forks f;
    struct buf a, b;
    static const char source[] = "ethrow [Math.random(), Math.random()].join()";
    driver_start(&fresh, setup_worker(), NULL, -1);
    setup_save(&fresh, setup_path("plain.img"));
    assert_true(driver_command(&fresh, span_of(source), &a));
    driver_stop(&fresh);
    int image = open(setup_path("plain.img"), O_RDONLY | O_CLOEXEC);
    forks_start(&f, setup_worker());
    for (int i = 0; i < 2; i++) {
        assert_true(forks_spawn(&f, &forked, "v1", image, 0) > 0);
        assert_true(driver_command(&forked, span_of(source), &b));
        assert_span(buf_span(&b), buf_span(&a));
        buf_fini(&b);
        driver_stop(&forked);
    }
    buf_fini(&a);
    forks_stop(&f);
    close(image);
}

/* -- bad requests --------------------------------------------------------------- */

static struct forkserver_request good_request(void)
{
    return (struct forkserver_request){
        .magic = FORKSERVER_MAGIC,
        .version = FORKSERVER_VERSION,
        .op = FORKSERVER_OP_SPAWN,
        .name = "v1",
    };
}

static void assert_packet(struct forks *f, const struct forkserver_request *r, size_t n,
                          int fd_count, int want)
{
    int fds[12];
    for (int i = 0; i < fd_count; i++) fds[i] = f->control;
    int before = count_fds(f->pid);
    assert_int_equal(forks_packet(f, r, n, fds, fd_count), want);
    assert_int_equal(count_fds(f->pid), before);
}

TEST(garbage_is_refused_and_the_server_lives)
{
    struct forks f;
    struct driver d;
    struct forkserver_request r;
    char noise[2000];
    int image = open_base();
    forks_start(&f, setup_worker());
    assert_true(forks_spawn(&f, &d, "v1", image, METER_LIMIT) > 0); /* it has started */
    memset(noise, 'x', sizeof noise);
    assert_int_equal(forks_packet(&f, noise, sizeof noise, NULL, 0), -EPROTO);
    assert_int_equal(forks_packet(&f, noise, 1, NULL, 0), -EPROTO);
    r = good_request();
    assert_packet(&f, &r, sizeof r, 0, -EBADF);
    assert_packet(&f, &r, sizeof r, 1, -EBADF);
    assert_packet(&f, &r, sizeof r, FORKSERVER_FDS - 1, -EBADF);
    assert_packet(&f, &r, sizeof r, FORKSERVER_FDS + 1, -EBADF);
    assert_packet(&f, &r, sizeof r, 12, -EPROTO);
    assert_packet(&f, &r, sizeof r - 1, FORKSERVER_FDS, -EPROTO);
    r.magic++;
    assert_packet(&f, &r, sizeof r, FORKSERVER_FDS, -EPROTO);
    r = good_request();
    r.version++;
    assert_packet(&f, &r, sizeof r, FORKSERVER_FDS, -EPROTO);
    r = good_request();
    r.op = 7;
    assert_packet(&f, &r, sizeof r, FORKSERVER_FDS, -EPROTO);
    r = good_request();
    r.reserved = 1;
    assert_packet(&f, &r, sizeof r, FORKSERVER_FDS, -EPROTO);
    setup_eval(&d, "1 + 1");
    assert_int_equal(driver_stop(&d), 0);
    assert_true(forks_spawn(&f, &d, "v2", image, METER_LIMIT) > 0);
    setup_eval(&d, "1 + 1");
    assert_int_equal(driver_stop(&d), 0);
    assert_int_equal(forks_stop(&f), 0);
    close(image);
}

TEST(bad_names_are_refused)
{
    struct forks f;
    forks_start(&f, setup_worker());
    assert_int_equal(forks_packet(&f, "x", 1, NULL, 0), -EPROTO); /* it has started */
    struct forkserver_request r = good_request();
    r.name[0] = '\0';
    assert_packet(&f, &r, sizeof r, FORKSERVER_FDS, -EPROTO);
    memset(r.name, 'n', sizeof r.name);
    assert_packet(&f, &r, sizeof r, FORKSERVER_FDS, -EPROTO);
    r = good_request();
    r.name[1] = '\n';
    assert_packet(&f, &r, sizeof r, FORKSERVER_FDS, -EPROTO);
    r = good_request();
    r.name[100] = 'x';
    assert_packet(&f, &r, sizeof r, FORKSERVER_FDS, -EPROTO);
    assert_int_equal(forks_stop(&f), 0);
}

/* Good form, but the descriptors are not what they should be: that worker ends, alone. */
TEST(bad_image_ends_only_its_worker)
{
    struct forks f;
    struct driver d;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    forks_start(&f, setup_worker());
    assert_true(forks_spawn(&f, &d, "v1", null, 0) > 0);
    assert_int_equal(driver_wait(&d), 3);
    assert_true(forks_spawn(&f, &d, "v1", null, 0) > 0);
    assert_int_equal(driver_wait(&d), 3);
    assert_int_equal(forks_stop(&f), 0);
    close(null);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifty_workers_live_apart),
        cmocka_unit_test(exit_codes_reach_the_requester),
        cmocka_unit_test(workers_outlive_the_server),
        cmocka_unit_test(workers_die_with_the_kernel),
        cmocka_unit_test(worker_shows_its_name_and_holds_no_descriptors),
        cmocka_unit_test(snapshot_goes_to_the_save_descriptor),
        cmocka_unit_test(workers_start_from_fresh_libc_state),
        cmocka_unit_test(garbage_is_refused_and_the_server_lives),
        cmocka_unit_test(bad_names_are_refused),
        cmocka_unit_test(bad_image_ends_only_its_worker),
    };
    return cmocka_run_group_tests_name("engine/forkserver", tests, NULL, NULL);
}
