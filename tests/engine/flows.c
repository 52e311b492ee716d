#include "engine/flows.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "engine/setup.h"
#include "engine/testkernel.h"

static const char bundle[] = "build/bundles/test-engine-parity.json";

const struct flow_size flow_short = { "short", 60, 20, 40 };
const struct flow_size flow_long = { "long", 300, 50, 150 };

const struct flow flow_stock[FLOW_STOCK] = {
    { "continuing", FLOW_BOOT, FLOW_GO_ON },
    { "after-snapshot", FLOW_BOOT, FLOW_WRITE },
    { "reloaded", FLOW_BOOT, FLOW_RELOAD },
    { "base-reloaded", FLOW_BASE, FLOW_GO_ON },
    { "base-reloaded-reloaded", FLOW_BASE, FLOW_RELOAD },
};

/* A worker that may have been made by a fork server of its own. */
struct life {
    struct driver worker;
    struct forks forks;
    bool forked;
};

static void end_worker(struct life *l)
{
    int code = driver_stop(&l->worker);
    if (l->forked) forks_stop(&l->forks);
    l->forked = false;
    if (code == 0) return;
    fprintf(stderr, "worker ended with %d\n", code);
    abort();
}

static void begin_image(struct life *l, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    forks_start(&l->forks, setup_worker());
    int result = forks_spawn(&l->forks, &l->worker, "parity", fd, 100000000);
    close(fd);
    if (fd < 0 || result < 0) abort();
    l->forked = true;
}

static void begin_life(struct life *l, enum flow_begin begin, const char *binary)
{
    switch (begin) {
    case FLOW_BOOT: setup_boot(&l->worker, binary); break;
    case FLOW_BASE:
        setup_base();
        setup_reload(&l->worker, binary, setup_path("base.xss"));
        break;
    case FLOW_BASE_IMAGE:
        setup_base();
        begin_image(l, setup_path("base.img"));
        break;
    case FLOW_BOOT_IMAGE:
        setup_boot(&l->worker, binary);
        setup_save(&l->worker, setup_path("booted.img"));
        end_worker(l);
        begin_image(l, setup_path("booted.img"));
        break;
    }
}

static void middle_of_life(struct life *l, enum flow_middle middle, const char *binary)
{
    char hash[65];
    if (middle == FLOW_GO_ON) return;
    setup_snapshot(&l->worker, setup_path("middle.xss"), hash);
    if (middle == FLOW_WRITE) return;
    end_worker(l);
    setup_reload(&l->worker, binary, setup_path("middle.xss"));
    if (middle == FLOW_RELOAD) return;
    setup_save(&l->worker, setup_path("middle.img"));
    end_worker(l);
    begin_image(l, setup_path("middle.img"));
}

static void put_line(struct buf *lines, const struct flow *f, const struct flow_size *size,
                     const char *what, const char *value, size_t n)
{
    buf_printf(lines, "%s.%s.%s %.*s\n", f->name, size->name, what, (int)n, value);
}

static void put_results(const struct flow *f, const struct flow_size *size,
                        struct testkernel *k, const char *snapshot, struct buf *lines)
{
    char syscalls[65];
    sha256_peek_hex(k->syscalls, syscalls);
    put_line(lines, f, size, "snapshot", snapshot, 64);
    put_line(lines, f, size, "syscalls", syscalls, 64);
    put_line(lines, f, size, "computrons", k->computrons.p, k->computrons.n - 1);
    put_line(lines, f, size, "heap", k->heap.p, k->heap.n - 1);
}

void flow_run(const struct flow *f, const struct flow_size *size, const char *binary,
              struct buf *lines)
{
    static struct life l;
    struct testkernel k;
    char hash[65];
    testkernel_init(&k);
    begin_life(&l, f->begin, binary);
    testkernel_attach(&k, &l.worker);
    testkernel_start_vat(&k, bundle);
    while (k.delivered < size->deliveries) {
        testkernel_deliver(&k, size->boyd_every);
        if (k.delivered != size->middle_at) continue;
        middle_of_life(&l, f->middle, binary);
        testkernel_attach(&k, &l.worker);
    }
    setup_snapshot(&l.worker, setup_path("end.xss"), hash);
    put_results(f, size, &k, hash, lines);
    end_worker(&l);
    testkernel_fini(&k);
}
