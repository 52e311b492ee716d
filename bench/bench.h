/* bench.h -- zygote-bench: measures this kernel, one section a run.
 *
 *   main.c      options, what a section prints
 *   workers.c   machines: from an image, from nothing; and the stock worker beside them
 *   vats.c      createVat, fork to first answer, memory, paging in
 *   forks.c     the fork crank, of many forks and of many keys; ten thousand children
 *   cranks.c    ping-pong
 *
 * A section prints one JSON object per quantity on stdout:
 *
 *   {"id":"fork_answer_ms","who":"ours","samples":[9.1,8.7,…]}
 *
 * and bench/run.mjs, which runs sections and peers in turn, does the arithmetic.
 */
#pragma once

#include "kit/figures.h"
#include "kit/kit.h"

struct bench {
    const char *configs; /* folder of bench.json and zoe.json */
    const char *dir;     /* scratch; stores and images go there */
    const char *stock;   /* the stock xsnap-worker, or NULL: no peer in this section */
    unsigned n;          /* samples; of the stock worker, `stock_n` */
    unsigned stock_n;
    unsigned creates;
};

/* Print one quantity and free its samples; none, and nothing is printed. */
void bench_emit(const char *id, const char *who, struct figures *f);
/* A kernel on a fresh store, `DIR/name`, with room for many workers. */
int bench_boot(const struct bench *b, struct kit *k, const char *config, const char *name,
               uint64_t vats_online_max, struct err *e) MUST_CHECK;

int bench_worker_start(const struct bench *b, struct err *e) MUST_CHECK;
int bench_worker_cold(const struct bench *b, struct err *e) MUST_CHECK;
int bench_fork(const struct bench *b, struct err *e) MUST_CHECK;
int bench_forks(const struct bench *b, struct err *e) MUST_CHECK;
int bench_fork_keys(const struct bench *b, struct err *e) MUST_CHECK;
int bench_fork_resolve(const struct bench *b, struct err *e) MUST_CHECK;
int bench_fork_storm(const struct bench *b, struct err *e) MUST_CHECK;
int bench_zcf(const struct bench *b, struct err *e) MUST_CHECK;
int bench_memory(const struct bench *b, struct err *e) MUST_CHECK;
int bench_page_in(const struct bench *b, struct err *e) MUST_CHECK;
int bench_cranks(const struct bench *b, struct err *e) MUST_CHECK;
