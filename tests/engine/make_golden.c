/* make_golden.c -- ask the stock worker, write tests/engine/golden/.
 *
 * usage: STOCK_WORKER=PATH build/tests/engine/make_golden      (from the top directory)
 *
 * PATH is xsnap-worker as `npm run build:from-env` makes it in a copy of @agoric/xsnap.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "engine/flows.h"
#include "engine/probes.h"
#include "engine/setup.h"

static void write_golden(const char *path, struct buf *lines)
{
    FILE *f = fopen(path, "we");
    if (f == NULL) {
        perror(path);
        exit(1);
    }
    fprintf(f, "# Answers of the stock xsnap-worker, @agoric/xsnap 0.15.0 (lockdown 0.14.1,\n"
               "# supervisor 0.11.0).  Made by tests/engine/make_golden.c; see tests.mk.\n");
    fwrite(lines->p, 1, lines->n, f);
    if (fclose(f) != 0) {
        perror(path);
        exit(1);
    }
    buf_fini(lines);
}

static void make_flows(const char *stock, const struct flow_size *size, const char *path)
{
    struct buf lines = { 0 };
    for (int i = 0; i < FLOW_STOCK; i++) {
        fprintf(stderr, "%s %s\n", flow_stock[i].name, size->name);
        flow_run(&flow_stock[i], size, stock, &lines);
    }
    write_golden(path, &lines);
}

int main(void)
{
    const char *stock = getenv("STOCK_WORKER");
    if (stock == NULL) {
        fprintf(stderr, "set STOCK_WORKER to the path of a stock xsnap-worker\n");
        return 1;
    }
    struct buf lines = { 0 };
    probes_run(stock, &lines);
    write_golden("tests/engine/golden/messages.txt", &lines);
    make_flows(stock, &flow_short, "tests/engine/golden/parity-short.txt");
    make_flows(stock, &flow_long, "tests/engine/golden/parity-long.txt");
    return 0;
}
