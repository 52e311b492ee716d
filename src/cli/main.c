/* main.c -- zygote(1). */
#include <stdio.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/out.h"

/* Put the data out; complain if it does not go. */
static int flush_out(const struct cli *c, struct err *e)
{
    if (c->out.n == 0)
        return 0;
    if (fwrite(c->out.p, 1, c->out.n, stdout) != c->out.n || fflush(stdout) != 0)
        return err_sys(e, "cannot write to standard output");
    return 0;
}

static int dispatch(struct cli *c, struct err *e)
{
    if (c->value[OPT_VERSION] != NULL)
        return verb_version(c, e);
    if (c->value[OPT_HELP] != NULL && c->command != NULL)
        help_command(c, c->command, &c->out);
    else if (c->value[OPT_HELP] != NULL)
        help_all(c, &c->out);
    else if (c->command != NULL)
        return c->command->run(c, e);
    else {
        c->hint = "zygote help";
        return err_set(e, EXIT_USAGE, "no verb given");
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct cli c = { 0 };
    struct err e = { 0 }, unwritten;
    log_init("zygote", LOG_NORMAL);
    arena_init(&c.arena);
    int failed = cli_parse(&c, argc, argv, &e);
    if (!failed) {
        log_init("zygote", c.quiet ? LOG_QUIET : c.verbose ? LOG_VERBOSE : LOG_NORMAL);
        failed = dispatch(&c, &e);
    }
    if (flush_out(&c, &unwritten) != 0 && !failed) {
        failed = -1;
        e = unwritten;
    }
    if (failed)
        out_error(&c, &e);
    buf_fini(&c.out);
    arena_fini(&c.arena);
    return failed ? (int)e.exit : c.exit;
}
