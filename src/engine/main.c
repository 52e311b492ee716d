/* main.c -- zygote-worker: one vat's process, or the fork server that makes them.
 *
 * The command line is the stock xsnap-worker's, plus -m (--image) and --fork-server.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/exits.h"
#include "engine/forkserver.h"
#include "engine/machine.h"
#include "engine/title.h"
#include "engine/worker.h"
#include "engine/xs_platform.h"

/* For `strings zygote-worker | grep xsnap_version`, as in the stock worker. */
__attribute__((used)) static const char version_text[] = "xsnap_version: " XSNAP_VERSION;

enum parsed { PARSED_RUN, PARSED_FORK_SERVER, PARSED_EXIT };

struct command_line {
    struct worker_options worker;
    enum parsed what;
    int exit_code; /* of PARSED_EXIT */
};

static void print_usage(void)
{
    printf("zygote-worker [NAME] [-h] [-i <interval>] [-l <limit>] [-s <size>]"
           " [-r <snapshot> | -m <fd>] [-p] [-v]\n"
           "zygote-worker --fork-server\n"
           "\t-h: print this help message\n"
           "\t-i <interval>: metering interval (default to 1)\n"
           "\t-l <limit>: metering limit (default to none)\n"
           "\t-s <size>: parser buffer size, in kB (default to 8192)\n"
           "\t-r <snapshot>: read snapshot to create the XS machine, @<fd>: from a descriptor\n"
           "\t-m <fd>, --image <fd>: map an image to create the XS machine\n"
           "\t-p: print the meter in front of each print()\n"
           "\t-v: print XS version\n"
           "\t--fork-server: make workers on request from fd 3\n");
}

static void print_version(void)
{
    char version[16];
    fxVersion(version, sizeof version);
    printf("xsnap %s (XS %s)\n", XSNAP_VERSION, version);
}

static void stop(struct command_line *c, int exit_code)
{
    c->what = PARSED_EXIT;
    c->exit_code = exit_code;
}

/* -m wants a whole number: it decides what memory becomes, so no guessing as for -l. */
static bool parse_fd(const char *text, int *fd)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || n < 0 || n > 1 << 20) return false;
    *fd = (int)n;
    return true;
}

/* As the stock worker's 1024 * atoi(), without its overflow. */
static int parse_kib(const char *text)
{
    return (int)(1024U * (unsigned)atoi(text));
}

/* An option with a value; false if there is no such option. */
static bool parse_valued(struct command_line *c, const char *option, const char *value)
{
    struct worker_options *w = &c->worker;
    if (strcmp(option, "-i") == 0) w->meter_interval = (uint32_t)atoi(value);
    else if (strcmp(option, "-l") == 0) w->meter_limit = (uint32_t)atoi(value);
    else if (strcmp(option, "-s") == 0) w->parser_bytes = parse_kib(value);
    else if (strcmp(option, "-r") == 0) w->snapshot = value;
    else if (strcmp(option, "-m") == 0 || strcmp(option, "--image") == 0)
        return parse_fd(value, &w->image_fd);
    else return false;
    return true;
}

/* An option without a value; false if there is no such option. */
static bool parse_flag(struct command_line *c, const char *option)
{
    if (strcmp(option, "-h") == 0) {
        print_usage();
        stop(c, EXITS_OK);
    } else if (strcmp(option, "-v") == 0) {
        print_version();
        stop(c, EXITS_OK);
    } else if (strcmp(option, "-n") == 0) {
        printf("deprecated\n");
        stop(c, EXITS_OK);
    } else if (strcmp(option, "-p") == 0) {
        c->worker.print_meter = true;
    } else if (strcmp(option, "--fork-server") == 0) {
        c->what = PARSED_FORK_SERVER;
    } else {
        return false;
    }
    return true;
}

/* Words without a dash are names for ps, and otherwise ignored. */
static void parse(struct command_line *c, int argc, char **argv)
{
    for (int i = 1; i < argc && c->what != PARSED_EXIT; i++) {
        if (argv[i][0] != '-' || parse_flag(c, argv[i])) continue;
        if (i + 1 < argc && parse_valued(c, argv[i], argv[i + 1])) {
            i++;
            continue;
        }
        print_usage();
        stop(c, EXITS_USAGE);
    }
}

int main(int argc, char **argv)
{
    struct command_line c = {
        .worker = { .image_fd = -1, .parser_bytes = MACHINE_PARSER_BYTES },
        .what = PARSED_RUN,
    };
    parse(&c, argc, argv);
    switch (c.what) {
    case PARSED_EXIT: return c.exit_code;
    case PARSED_FORK_SERVER: title_init(argc, argv); return forkserver_run();
    case PARSED_RUN: return worker_run(&c.worker);
    }
    return EXITS_USAGE;
}
