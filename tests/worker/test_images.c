/* The image cache: made once, found again, never believed, never missed. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "worker/images.h"

static struct fixture f;

static int open_fixture(void **state)
{
    (void)state;
    fixture_open(&f, NULL);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static struct worker_counts counts(void)
{
    return worker_port_counts(&f.port);
}

/* Start, look, stop: the machine is what its boot bundles make. */
static void start_and_check(void)
{
    struct vat_machine *m = fixture_start(&f, "x", NULL);
    assert_span_is(fixture_ask(&f, m, "state"), "[(A\u00e9\n)()][(B\u00e9\n)()]");
    fixture_stop(&f, m);
}

static void base_path(char out[512])
{
    assert_int_equal(fixture_image_path(&f, "base-", out, 512), 0);
}

static unsigned lines(const char *text)
{
    unsigned n = 0;
    for (; *text != '\0'; text++) n += *text == '\n';
    return n;
}

TEST(made_once)
{
    struct stat st;
    char path[512];
    start_and_check();
    start_and_check();
    assert_int_equal(counts().bases, 1);
    assert_int_equal(counts().mapped, 2);
    assert_int_equal(counts().booted, 0);
    assert_int_equal(f.bundles_read, 4);
    assert_int_equal(fixture_image_count(&f), 1);
    base_path(path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(f.images, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    /* Another process finds it. */
    fixture_reopen(&f, NULL);
    start_and_check();
    assert_int_equal(counts().bases, 0);
    assert_int_equal(counts().mapped, 1);
}

TEST(other_bundles_other_image)
{
    start_and_check();
    struct span one[] = { SPAN("B") };
    struct vat_start from = fixture_from(&f, "x", NULL);
    from.boot = one;
    from.boot_count = 1;
    struct vat_machine *m;
    struct err e;
    assert_int_equal(f.port.start(f.port.self, &from, &m, &e), 0);
    assert_span_is(fixture_ask(&f, m, "state"), "[(B\u00e9\n)()]");
    fixture_stop(&f, m);
    start_and_check();
    assert_int_equal(counts().bases, 2);
    assert_int_equal(fixture_image_count(&f), 2);
}

/* After `path` was tampered with: one line that names it, and all is well again. */
static void recovers(const char *path, const char *why)
{
    fixture_capture(&f);
    fixture_reopen(&f, NULL);
    start_and_check();
    const char *said = fixture_captured(&f);
    assert_int_equal(lines(said), 1);
    assert_non_null(strstr(said, path));
    if (strstr(said, why) == NULL) fail_msg("\"%s\" lacks \"%s\"", said, why);
    assert_int_equal(counts().bases, 1);
    assert_int_equal(counts().mapped, 1);
    assert_int_equal(fixture_image_count(&f), 1);
    fixture_reopen(&f, NULL);
    start_and_check();
    assert_int_equal(counts().bases, 0);
}

static void poke(const char *path, off_t at, char byte)
{
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

TEST(truncated)
{
    char path[512];
    struct stat st;
    start_and_check();
    base_path(path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 1), 0);
    recovers(path, "truncated or edited");
    base_path(path);
    assert_int_equal(truncate(path, 0), 0);
    recovers(path, "truncated or edited");
}

TEST(edited)
{
    char path[512];
    struct stat st;
    start_and_check();
    base_path(path);
    assert_int_equal(stat(path, &st), 0);
    poke(path, 3, '!');
    recovers(path, "truncated or edited");
    base_path(path);
    poke(path, 500000, '!'); /* in the hole */
    recovers(path, "truncated or edited");
    base_path(path);
    poke(path, st.st_size, '\0'); /* one zero byte more */
    recovers(path, "truncated or edited");
}

TEST(zeros_are_holes)
{
    char path[512];
    start_and_check();
    base_path(path);
    poke(path, 500000, '\0');
    fixture_reopen(&f, NULL);
    start_and_check();
    assert_int_equal(counts().bases, 0);
}

TEST(not_private)
{
    char path[512], aside[512];
    start_and_check();
    base_path(path);
    assert_int_equal(chmod(path, 0640), 0);
    recovers(path, "open to others");
    base_path(path);
    (void)snprintf(aside, sizeof aside, "%s/aside", f.dir);
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(symlink(aside, path), 0);
    recovers(path, "cannot be opened");
    base_path(path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    recovers(path, "is no file");
}

TEST(of_another_build)
{
    char path[512], name[512], digest[SHA256_HEX + 1];
    struct err e;
    start_and_check();
    base_path(path);
    /* Whole and well named, but not an image this worker takes. */
    poke(path, 0, 'f');
    int fd = open(path, O_RDONLY);
    assert_int_equal(image_digest(fd, digest, &e), 0);
    close(fd);
    strcpy(name, path);
    memcpy(name + strlen(name) - strlen(".image") - SHA256_HEX, digest, SHA256_HEX);
    assert_int_equal(rename(path, name), 0);
    recovers(name, "refused by the worker");
}

TEST(directory_removed_while_running)
{
    char command[128];
    struct vat_machine *m = fixture_start(&f, "x", NULL);
    const char *hash = fixture_save(&f, m);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", f.images);
    assert_int_equal(system(command), 0);
    assert_span_is(fixture_ask(&f, m, "echo on"), "on");
    start_and_check(); /* the descriptor is kept */
    assert_int_equal(counts().bases, 1);
    struct vat_start from = fixture_from(&f, "y", hash);
    from.shared = true;
    struct vat_machine *child;
    struct err e;
    assert_int_equal(f.port.start(f.port.self, &from, &child, &e), 0);
    assert_int_equal(counts().hydrated, 1);
    assert_int_equal(fixture_image_count(&f), 1); /* in a new directory */
    fixture_stop(&f, child);
    fixture_stop(&f, m);
}

TEST(directory_unusable)
{
    char command[256];
    fixture_capture(&f);
    (void)snprintf(command, sizeof command, "rm -rf '%s' && touch '%s'", f.images, f.images);
    assert_int_equal(system(command), 0);
    start_and_check();
    start_and_check();
    assert_non_null(strstr(fixture_captured(&f), "keeping the image in memory"));
    assert_int_equal(counts().bases, 1);
    assert_int_equal(counts().mapped, 2);

    struct worker_options o = { .program = fixture_program("fake_worker"),
                                .image_dir = f.images };
    struct vat_port port;
    struct err e;
    assert_int_equal(worker_port_open(&o, &port, &e), -1);
    assert_non_null(strstr(e.text, f.images));
}

TEST(directory_open_to_others)
{
    struct stat st;
    start_and_check();
    assert_int_equal(chmod(f.images, 0755), 0);
    fixture_capture(&f);
    fixture_reopen(&f, NULL);
    assert_non_null(strstr(fixture_captured(&f), "made private"));
    assert_int_equal(stat(f.images, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    start_and_check();

    if (geteuid() != 0) return;
    assert_int_equal(chown(f.images, 12345, 12345), 0);
    struct worker_options o = { .program = fixture_program("fake_worker"),
                                .image_dir = f.images };
    struct vat_port port;
    struct err e;
    assert_int_equal(worker_port_open(&o, &port, &e), -1);
    assert_int_equal(e.exit, EXIT_POLICY);
}

TEST(in_memory)
{
    struct worker_options o = { .program = fixture_program("fake_worker") };
    start_and_check();
    fixture_reopen(&f, &o);
    start_and_check();
    start_and_check();
    assert_int_equal(counts().bases, 1);
    assert_int_equal(counts().mapped, 2);
}

TEST(second_sight_of_a_snapshot)
{
    struct vat_machine *m = fixture_start(&f, "x", NULL);
    (void)fixture_ask(&f, m, "save 100");
    const char *hash = fixture_save(&f, m);
    fixture_stop(&f, m);
    for (unsigned i = 0; i < 4; i++) {
        m = fixture_start(&f, "y", hash);
        assert_int_equal(fixture_ask(&f, m, "state").n, 100);
        assert_string_equal(fixture_save(&f, m), hash);
        fixture_stop(&f, m);
        assert_int_equal(counts().loaded, 1);
        assert_int_equal(counts().hydrated, i > 0);
        assert_int_equal(counts().mapped, 1 + i);
    }
    assert_int_equal(f.snapshots_read, 2);
    /* Another process maps it the first time. */
    fixture_reopen(&f, NULL);
    m = fixture_start(&f, "z", hash);
    assert_int_equal(counts().mapped, 1);
    fixture_stop(&f, m);
}

TEST(two_at_once)
{
    pid_t pids[4];
    for (int i = 0; i < 4; i++) {
        pids[i] = fork();
        if (pids[i] != 0) continue;
        struct worker_options o = { .program = fixture_program("fake_worker"),
                                    .image_dir = f.images };
        struct err e;
        for (int k = 0; k < 10; k++) {
            struct vat_machine *m;
            struct vat_start from = fixture_from(&f, "x", NULL);
            if (worker_port_open(&o, &f.port, &e) != 0) _exit(1);
            if (f.port.start(f.port.self, &from, &m, &e) != 0) _exit(2);
            fixture_stop(&f, m);
            worker_port_close(&f.port);
            char path[512]; /* so that there is always something to race for */
            if (fixture_image_path(&f, "base-", path, sizeof path) == 0) (void)unlink(path);
        }
        _exit(0);
    }
    for (int i = 0; i < 4; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    start_and_check();
    assert_int_equal(fixture_image_count(&f), 1); /* and no drafts */
}

TEST(stale_drafts)
{
    char stale[128], fresh[128];
    (void)snprintf(stale, sizeof stale, "%s/draft-1-1", f.images);
    (void)snprintf(fresh, sizeof fresh, "%s/draft-1-2", f.images);
    close(open(stale, O_CREAT | O_WRONLY, 0600));
    close(open(fresh, O_CREAT | O_WRONLY, 0600));
    struct timeval old[2] = { { 1, 0 }, { 1, 0 } };
    assert_int_equal(utimes(stale, old), 0);
    fixture_reopen(&f, NULL);
    assert_int_equal(access(stale, F_OK), -1);
    assert_int_equal(access(fresh, F_OK), 0);
}

static pid_t fork_server_pid(void)
{
    char path[64], line[64] = "";
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(line, sizeof line, file) == NULL) line[0] = '\0';
    if (file != NULL) fclose(file);
    return (pid_t)atoi(line);
}

TEST(fork_server_killed)
{
    struct vat_machine *m = fixture_start(&f, "x", NULL);
    struct vat_machine *before = fixture_start(&f, "y", NULL);
    fixture_stop(&f, m);
    pid_t server = fork_server_pid(); /* the older of two children */
    assert_true(server > 0);
    assert_int_equal(kill(server, SIGKILL), 0);
    usleep(100000);
    fixture_capture(&f);
    start_and_check();
    assert_non_null(strstr(fixture_captured(&f), "fork server had ended: signal 9"));
    assert_span_is(fixture_ask(&f, before, "echo still here"), "still here");
    fixture_stop(&f, before);
}

TEST(room_for_256)
{
    struct images *im;
    struct err e;
    unsigned fds = fixture_open_fds();
    assert_int_equal(images_open(NULL, &im, &e), 0);
    for (int i = 0; i < 300; i++) {
        struct image_key key = { .kind = "snap" };
        (void)snprintf(key.hash, sizeof key.hash, "%064d", i);
        struct image_draft d;
        assert_int_equal(images_draft(im, &d, &e), 0);
        assert_int_equal(write(d.fd, &i, sizeof i), sizeof i);
        assert_true(images_publish(im, &key, &d, &e) >= 0);
        int got;
        int fd = images_find(im, &key);
        assert_int_equal(pread(fd, &got, sizeof got, 0), sizeof got);
        assert_int_equal(got, i);
        assert_int_equal(pwrite(fd, &got, sizeof got, 0), -1); /* sealed */
    }
    assert_true(fixture_open_fds() <= fds + 256);
    images_close(im);
    assert_int_equal(fixture_open_fds(), fds);
}

#define CASE(t) { #t, t, open_fixture, close_fixture, NULL }

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(made_once), CASE(other_bundles_other_image), CASE(truncated), CASE(edited),
        CASE(zeros_are_holes), CASE(not_private), CASE(of_another_build),
        CASE(directory_removed_while_running), CASE(directory_unusable),
        CASE(directory_open_to_others), CASE(in_memory), CASE(second_sight_of_a_snapshot),
        CASE(two_at_once), CASE(stale_drafts), CASE(fork_server_killed), CASE(room_for_256),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
