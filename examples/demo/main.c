/* main.c -- options, a place for the stores, the order of things. */
#include "demo/demo.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "host/file.h"

enum { COUNT_MAX = 1000, CREATES = 3 };

static const char USAGE[] =
    "usage: zygote-demo [options]\n"
    "\n"
    "Creates a vat of real ZCF and a real contract, makes it a zygote, forks it, uses the\n"
    "forks, and tells what that cost. Then a counter and its forks grow apart.\n"
    "Exits with 0 only if everything it claims turned out true.\n"
    "\n"
    "  --forks N      how many forks (100)\n"
    "  --creates N    how many createVats to compare with (3)\n"
    "  --keep DIR     make the stores in DIR and keep them, to look at with zygote(1)\n"
    "  --configs DIR  where zoe.json and demo.json are (js/demo)\n"
    "  --json         print the figures as JSON, and nothing else\n"
    "  --help\n";

struct options {
    const char *keep;
    bool json, help;
};

static int read_count(const char *text, unsigned min, unsigned *out)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9' || n < min || n > COUNT_MAX) {
        fprintf(stderr, "zygote-demo: a number from %u to %u, not \"%s\"\n", min,
                COUNT_MAX, text);
        return -1;
    }
    *out = (unsigned)n;
    return 0;
}

static int read_options(int argc, char **argv, struct demo *d, struct options *o)
{
    static const struct option longs[] = {
        { "forks", required_argument, NULL, 'f' },  { "creates", required_argument, NULL, 'c' },
        { "keep", required_argument, NULL, 'k' },   { "configs", required_argument, NULL, 'd' },
        { "json", no_argument, NULL, 'j' },         { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int opt, bad = 0;
    while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (opt) {
        case 'f': bad |= read_count(optarg, 1, &d->forks); break;
        case 'c': bad |= read_count(optarg, 2, &d->creates); break;
        case 'k': o->keep = optarg; break;
        case 'd': d->configs = optarg; break;
        case 'j': o->json = true; break;
        case 'h': o->help = true; break;
        default: bad = -1;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "zygote-demo: unexpected argument \"%s\"\n", argv[optind]);
        bad = -1;
    }
    return bad;
}

static void on_signal(int number)
{
    (void)number;
    kit_interrupt();
}

/* Images go beside the stores, so that every run starts from nothing. */
static int choose_place(struct arena *a, const struct options *o, const char **out, struct err *e)
{
    static char made[4096];
    const char *dir = o->keep, *tmp = getenv("TMPDIR");
    if (dir == NULL) {
        snprintf(made, sizeof made, "%s/zygote-demo-XXXXXX",
                 tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
        if (mkdtemp(made) == NULL) return err_sys(e, "%s", made);
        dir = made;
    } else if (file_make_dirs(a, dir, 0777, e) != 0) {
        return -1;
    }
    if (setenv("ZYGOTE_CACHE", file_join(a, dir, "images"), 1) != 0) return err_sys(e, "setenv");
    *out = dir;
    return 0;
}

static void tell_the_end(struct demo *d, const struct options *o, uint64_t us)
{
    struct story *s = &d->story;
    report_table(d);
    story_chapter(s, "The family");
    story_say(s, "%.*s", (int)d->tree.n - 1, d->tree.p);
    if (o->keep != NULL) story_say(s, "\nKept: look with  zygote -C %s/zoe tree", o->keep);
    story_say(s, "\n%u of %u claims hold; the demo took %s.", s->claim_count - s->false_count,
              s->claim_count, time_text((double)us).s);
}

static int play(struct demo *d, const struct options *o, struct err *e)
{
    uint64_t began = kit_now_us();
    if (demo_zoe(d, e) != 0 || demo_counter(d, e) != 0) return -1;
    if (o->json) {
        struct buf json = { 0 };
        report_json(d, &json);
        fwrite(json.p, 1, json.n, stdout);
        buf_fini(&json);
    }
    tell_the_end(d, o, kit_now_us() - began);
    return 0;
}

int main(int argc, char **argv)
{
    struct demo d = { .configs = "js/demo", .forks = 100, .creates = CREATES };
    struct options o = { 0 };
    struct arena a;
    struct err e;
    if (read_options(argc, argv, &d, &o) != 0) {
        fputs(USAGE, stderr);
        return EXIT_USAGE;
    }
    if (o.help) {
        fputs(USAGE, stdout);
        return 0;
    }
    log_init("zygote-demo", LOG_NORMAL);
    story_open(&d.story, o.json);
    struct sigaction stop = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);

    arena_init(&a);
    int failed = choose_place(&a, &o, &d.dir, &e);
    if (!failed) failed = play(&d, &o, &e);
    if (failed) fprintf(stderr, "zygote-demo: %s\n", e.text);
    if (o.keep == NULL && d.dir != NULL) kit_remove_tree(d.dir);
    arena_fini(&a);
    return failed ? (int)e.exit : d.story.false_count > 0 ? EXIT_FAILED : 0;
}
