/* main.c -- options, and what a section prints. */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "host/file.h"

struct section {
    const char *name;
    int (*run)(const struct bench *b, struct err *e);
    unsigned n, stock_n, creates; /* when the command line does not say */
};

static const struct section SECTIONS[] = {
    { "worker-start", bench_worker_start, 100, 20, 0 },
    { "worker-cold", bench_worker_cold, 20, 20, 0 },
    { "fork", bench_fork, 100, 0, 20 },
    { "forks", bench_forks, 10000, 0, 1000 },
    { "fork-keys", bench_fork_keys, 10, 0, 0 },
    { "fork-resolve", bench_fork_resolve, 1000, 0, 0 },
    { "fork-storm", bench_fork_storm, 10000, 0, 0 },
    { "zcf", bench_zcf, 50, 0, 5 },
    { "memory", bench_memory, 50, 0, 0 },
    { "page-in", bench_page_in, 100, 0, 0 },
    { "cranks", bench_cranks, 5, 0, 0 },
};
enum { SECTION_COUNT = sizeof SECTIONS / sizeof SECTIONS[0] };

void bench_emit(const char *id, const char *who, struct figures *f)
{
    struct buf b = { 0 };
    if (f->n > 0) {
        buf_printf(&b, "{\"id\":\"%s\",\"who\":\"%s\",\"samples\":", id, who);
        figures_put_samples(&b, f);
        buf_puts(&b, "}\n");
        fwrite(b.p, 1, b.n, stdout);
        fflush(stdout);
        buf_fini(&b);
    }
    figures_fini(f);
}

int bench_boot(const struct bench *b, struct kit *k, const char *config, const char *name,
               uint64_t vats_online_max, struct err *e)
{
    struct arena a;
    arena_init(&a);
    struct kit_options o = { .config = file_join(&a, b->configs, config),
                             .dir = file_join(&a, b->dir, name),
                             .vats_online_max = vats_online_max };
    int failed = kit_boot(k, &o, e);
    arena_fini(&a);
    return failed;
}

/* -- the command line ------------------------------------------------------------------- */

static int usage(FILE *to, int code)
{
    fputs("usage: zygote-bench SECTION [--n N] [--creates N] [--configs DIR]\n"
          "                    [--stock PROGRAM] [--stock-n N]\n"
          "sections:", to);
    for (int i = 0; i < SECTION_COUNT; i++) fprintf(to, " %s", SECTIONS[i].name);
    fputc('\n', to);
    return code;
}

static int read_count(const char *text, unsigned *out)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9' || n > 100000) {
        fprintf(stderr, "zygote-bench: not a count: %s\n", text);
        return -1;
    }
    *out = (unsigned)n;
    return 0;
}

static int read_options(int argc, char **argv, struct bench *b)
{
    static const struct option longs[] = {
        { "n", required_argument, NULL, 'n' },       { "creates", required_argument, NULL, 'c' },
        { "configs", required_argument, NULL, 'd' }, { "stock", required_argument, NULL, 's' },
        { "stock-n", required_argument, NULL, 'm' }, { NULL, 0, NULL, 0 },
    };
    int opt, bad = 0;
    while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (opt) {
        case 'n': bad |= read_count(optarg, &b->n); break;
        case 'c': bad |= read_count(optarg, &b->creates); break;
        case 'd': b->configs = optarg; break;
        case 's': b->stock = optarg; break;
        case 'm': bad |= read_count(optarg, &b->stock_n); break;
        default: bad = -1;
        }
    }
    return bad;
}

static const struct section *section_named(const char *name)
{
    for (int i = 0; i < SECTION_COUNT; i++) {
        if (strcmp(SECTIONS[i].name, name) == 0) return &SECTIONS[i];
    }
    return NULL;
}

static void on_signal(int number)
{
    (void)number;
    kit_interrupt();
}

/* Scratch of its own, images included: nothing is left of earlier runs, or for later ones. */
static int in_scratch(struct bench *b, const struct section *s, struct err *e)
{
    static char dir[4096];
    struct arena a;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/zygote-bench-XXXXXX", tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL) return err_sys(e, "%s", dir);
    b->dir = dir;
    arena_init(&a);
    int failed = setenv("ZYGOTE_CACHE", file_join(&a, dir, "images"), 1) != 0
                     ? err_sys(e, "setenv") : s->run(b, e);
    arena_fini(&a);
    kit_remove_tree(dir);
    return failed;
}

int main(int argc, char **argv)
{
    struct err e;
    const struct section *s = argc < 2 ? NULL : section_named(argv[1]);
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return usage(stdout, 0);
    if (s == NULL) return usage(stderr, EXIT_USAGE);
    struct bench b = { .configs = "js/demo", .n = s->n, .stock_n = s->stock_n, .creates = s->creates };
    if (read_options(argc - 1, argv + 1, &b) != 0) return usage(stderr, EXIT_USAGE);
    log_init("zygote-bench", LOG_NORMAL);
    struct sigaction stop = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    if (in_scratch(&b, s, &e) == 0) return 0;
    fprintf(stderr, "zygote-bench: %s: %s\n", s->name, e.text);
    return (int)e.exit;
}
