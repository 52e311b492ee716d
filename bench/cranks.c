/* cranks.c -- ping-pong between two static vats: what a crank costs. */
#include "bench.h"

#include <sys/resource.h>

#include "store/kv.h"

enum { ROUND_TRIPS = 1000, WARM_UP = 200 };

/* Of this process alone: workers are others. */
static double cpu_us(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

/* Deliveries so far, as the kernel counts them. */
static int deliveries(struct kit *k, double *out, struct err *e)
{
    struct arena a;
    struct span text;
    struct jval v;
    uint64_t n = 0;
    arena_init(&a);
    bool ok = kv_get(controller_store(k->controller), SPAN("local.kernelStats"), &text) &&
              json_parse(&a, text, &v, e) == 0 && json_u64(json_get(v, "dispatches"), &n);
    arena_fini(&a);
    *out = (double)n;
    return ok ? 0 : err_set(e, EXIT_FAILED, "the kernel has no count of deliveries");
}

static int sample(struct kit *k, unsigned round_trips, struct figures *per_s, struct figures *cpu,
                  struct err *e)
{
    struct kit_answer answer;
    double from, to, cpu_from = cpu_us();
    const struct pass *count = pass_number(&k->arena, round_trips);
    if (deliveries(k, &from, e) != 0) return -1;
    uint64_t began = kit_now_us();
    if (kit_call(k, "pingPong", 1, &count, &answer, e) != 0 || kit_commit(k, e) != 0) return -1;
    double us = (double)(kit_now_us() - began);
    double cpu_to = cpu_us();
    if (deliveries(k, &to, e) != 0) return -1;
    if (per_s != NULL) {
        figures_add(per_s, (to - from) * 1e6 / us);
        figures_add(cpu, (cpu_to - cpu_from) / (to - from));
    }
    return 0;
}

int bench_cranks(const struct bench *b, struct err *e)
{
    struct kit k;
    struct figures per_s = { 0 }, cpu = { 0 };
    if (bench_boot(b, &k, "bench.json", "cranks", 0, e) != 0) return -1;
    int failed = sample(&k, WARM_UP, NULL, NULL, e);
    for (unsigned i = 0; !failed && i < b->n; i++) failed = sample(&k, ROUND_TRIPS, &per_s, &cpu, e);
    kit_close(&k);
    if (failed) return -1;
    bench_emit("cranks_per_s", "ours", &per_s);
    bench_emit("kernel_us_per_crank", "ours", &cpu);
    return 0;
}
