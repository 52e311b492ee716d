#include "engine/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/channel.h"
#include "engine/cstack.h"
#include "engine/exits.h"
#include "engine/hosts.h"
#include "engine/machine.h"
#include "engine/meter.h"
#include "engine/serve.h"

static void die_of_sigpipe(int signal_number)
{
    static const char text[] = "Caught SIGPIPE. Has parent died?\n";
    (void)signal_number;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(EXITS_IO_ERROR);
    _exit(EXITS_IO_ERROR);
}

/* Local time is UTC for every vat, wherever the process runs. */
static void fix_time_zone(void)
{
    setenv("TZ", "UTC0", 1);
    tzset();
}

static int adopt(int fd, xsMachine **machine)
{
    struct err e;
    int result = machine_adopt(fd, machine, &e);
    close(fd);
    if (result == 0) return EXITS_OK;
    fprintf(stderr, "zygote-worker: bad image: %s\n", e.text);
    return EXITS_BAD_IMAGE;
}

static int hydrate(const char *path, xsMachine **machine)
{
    int error = 0;
    *machine = machine_read(path, &error);
    if (*machine != NULL) return EXITS_OK;
    fprintf(stderr, "cannot read snapshot %s: %s\n", path, strerror(error));
    return EXITS_IO_ERROR;
}

static int get_machine(const struct worker_options *o, xsMachine **machine)
{
    if (o->image_fd >= 0) return adopt(o->image_fd, machine);
    if (o->snapshot != NULL) return hydrate(o->snapshot, machine);
    *machine = machine_create(o->parser_bytes);
    if (*machine != NULL) return EXITS_OK;
    fprintf(stderr, "zygote-worker: cannot create a machine\n");
    return EXITS_NOT_ENOUGH_MEMORY;
}

static int run_on_cstack(void *arg)
{
    const struct worker_options *o = arg;
    xsMachine *machine;
    int failed = get_machine(o, &machine);
    if (failed != EXITS_OK) return failed;
    signal(SIGPIPE, die_of_sigpipe);
    if (!channel_open()) {
        fprintf(stderr, "zygote-worker: fds 3 and 4 are not open\n");
        return EXITS_IO_ERROR;
    }
    return serve(machine, o->meter_interval);
}

int worker_run(const struct worker_options *options)
{
    struct worker_options own = *options;
    fix_time_zone();
    srand(1);
    meter_set_crank_limit(own.meter_limit);
    hosts_set_print_meter(own.print_meter);
    int code = cstack_run(run_on_cstack, &own);
    if (code >= 0) return code;
    perror("zygote-worker: cannot map a stack");
    return EXITS_IO_ERROR;
}
