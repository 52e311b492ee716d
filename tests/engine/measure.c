/* measure.c -- figures of the engine: start, memory, sizes.  Not a test: prints, judges nothing.
 *
 * usage: build/tests/engine/measure [N]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/setup.h"
#include "engine/testkernel.h"

enum { SAMPLES_MAX = 1000 };

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_samples(const char *what, double *ms, int n)
{
    qsort(ms, (size_t)n, sizeof *ms, by_value);
    printf("%-44s n=%d p50 %.2f ms, p99 %.2f ms, best %.2f ms\n", what, n, ms[n / 2],
           ms[n * 99 / 100], ms[0]);
}

static unsigned long pss_kib(pid_t pid, const char *field)
{
    char path[64], line[256];
    unsigned long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    FILE *f = fopen(path, "re");
    if (f == NULL) return 0;
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, field, strlen(field)) == 0) kib = strtoul(line + strlen(field), NULL, 10);
    fclose(f);
    return kib;
}

static void ready(struct driver *d)
{
    struct buf reply;
    if (!driver_command(d, SPAN("R"), &reply)) abort();
    buf_fini(&reply);
}

static void measure_hydrate(int n)
{
    static struct driver d;
    double hydrate[SAMPLES_MAX], save[SAMPLES_MAX];
    for (int i = 0; i < n; i++) {
        double t = now_ms();
        setup_reload(&d, setup_worker(), setup_path("base.xss"));
        ready(&d);
        hydrate[i] = now_ms() - t;
        t = now_ms();
        setup_save(&d, setup_path("m.img"));
        save[i] = now_ms() - t;
        driver_stop(&d);
    }
    print_samples("hydrate base snapshot: exec to first reply", hydrate, n);
    print_samples("save its image", save, n);
}

static void measure_exec(int n)
{
    static struct driver d;
    double ms[SAMPLES_MAX];
    for (int i = 0; i < n; i++) {
        double t = now_ms();
        setup_image(&d, setup_path("base.img"));
        ready(&d);
        ms[i] = now_ms() - t;
        driver_stop(&d);
    }
    print_samples("image by exec to first reply", ms, n);
}

static void measure_forks(int n, int image)
{
    static struct driver d[SAMPLES_MAX];
    double start[SAMPLES_MAX], eval[SAMPLES_MAX];
    struct forks f;
    forks_start(&f, setup_worker());
    for (int i = 0; i < n; i++) {
        double t = now_ms();
        if (forks_spawn(&f, &d[i], "v1", image, 100000000) < 0) abort();
        ready(&d[i]);
        start[i] = now_ms() - t;
        t = now_ms();
        setup_eval(&d[i], "globalThis.n = 1 + 1");
        eval[i] = now_ms() - t;
    }
    print_samples("image by fork server to first reply", start, n);
    print_samples("first eval", eval, n);
    printf("%-44s Pss %lu kB, private dirty %lu kB (of %d alive)\n", "child after one eval",
           pss_kib(d[n / 2].pid, "Pss:"), pss_kib(d[n / 2].pid, "Private_Dirty:"), n);
    for (int i = 0; i < n; i++) driver_stop(&d[i]);
    forks_stop(&f);
}

/* A hydrated vat: its image, its children after one delivery each. */
static void measure_vat(int n)
{
    static struct driver d[SAMPLES_MAX];
    static struct testkernel k[SAMPLES_MAX];
    double start[SAMPLES_MAX], first[SAMPLES_MAX], second[SAMPLES_MAX];
    struct forks f;
    struct stat st;
    char hash[65];
    setup_image(&d[0], setup_path("base.img"));
    testkernel_init(&k[0]);
    testkernel_attach(&k[0], &d[0]);
    testkernel_start_vat(&k[0], "build/bundles/test-engine-parity.json");
    setup_snapshot(&d[0], setup_path("vat.xss"), hash);
    driver_stop(&d[0]);
    testkernel_fini(&k[0]);
    setup_reload(&d[0], setup_worker(), setup_path("vat.xss"));
    setup_save(&d[0], setup_path("vat.img"));
    driver_stop(&d[0]);
    stat(setup_path("vat.img"), &st);
    printf("%-44s %.1f MB, %.1f MB on disk\n", "image of a vat", (double)st.st_size / 1e6,
           (double)st.st_blocks * 512 / 1e6);
    int image = open(setup_path("vat.img"), O_RDONLY | O_CLOEXEC);
    forks_start(&f, setup_worker());
    for (int i = 0; i < n; i++) {
        double t = now_ms();
        if (forks_spawn(&f, &d[i], "v1", image, 100000000) < 0) abort();
        ready(&d[i]);
        start[i] = now_ms() - t;
        testkernel_init(&k[i]);
        testkernel_attach(&k[i], &d[i]);
        t = now_ms();
        testkernel_deliver(&k[i], 1000);
        first[i] = now_ms() - t;
        t = now_ms();
        testkernel_deliver(&k[i], 1000);
        second[i] = now_ms() - t;
    }
    print_samples("vat image by fork server to first reply", start, n);
    print_samples("first delivery (count)", first, n);
    print_samples("second delivery (language)", second, n);
    printf("%-44s Pss %lu kB, private dirty %lu kB (of %d alive)\n", "vat after two deliveries",
           pss_kib(d[n / 2].pid, "Pss:"), pss_kib(d[n / 2].pid, "Private_Dirty:"), n);
    for (int i = 0; i < n; i++) {
        driver_stop(&d[i]);
        testkernel_fini(&k[i]);
    }
    forks_stop(&f);
    close(image);
}

int main(int argc, char **argv)
{
    struct stat st;
    int n = argc > 1 ? atoi(argv[1]) : 100;
    if (n < 1 || n > SAMPLES_MAX) return 1;
    setup_base();
    stat(setup_path("base.img"), &st);
    printf("%-44s %.1f MB, %.1f MB on disk\n", "base image", (double)st.st_size / 1e6,
           (double)st.st_blocks * 512 / 1e6);
    int image = open(setup_path("base.img"), O_RDONLY | O_CLOEXEC);
    measure_hydrate(n < 20 ? n : 20);
    measure_exec(n);
    measure_forks(n, image);
    measure_vat(n);
    close(image);
    return 0;
}
