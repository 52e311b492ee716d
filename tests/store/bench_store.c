/* bench_store.c -- what the store's operations cost, on a real file.
 *
 *   bench_store [DIR]       default: a new directory under /tmp
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "lib/rng.h"
#include "store/kv.h"
#include "store/snapshot.h"
#include "store/transcript.h"

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void say(const char *what, double ns, double count)
{
    printf("%-44s %10.0f ns\n", what, ns / count);
}

static void must_commit(struct store *s)
{
    struct err e;
    if (store_commit(s, &e) != 0) {
        fprintf(stderr, "%s\n", e.text);
        exit(1);
    }
}

enum { KEYS = 10000, ROUNDS = 1000000, CRANKS = 20000, BLOCKS = 50 };

static char keys[KEYS][24];

static struct span key(size_t i)
{
    return span_of(keys[i % KEYS]);
}

static void keys_and_values(struct store *s)
{
    struct span v;
    char text[32];
    double t = now_ns();
    store_start_crank(s);
    store_savepoint(s, SAVEPOINT_START);
    for (size_t i = 0; i < KEYS; i++)
        kv_set(s, key(i), SPAN("{\"body\":\"#1\",\"slots\":[]}"));
    store_end_crank(s);
    say("kv_set of a new key", now_ns() - t, KEYS);
    t = now_ns();
    must_commit(s);
    say("commit, per new key", now_ns() - t, KEYS);

    t = now_ns();
    for (size_t i = 0; i < ROUNDS; i++)
        kv_get(s, key(i * 7919), &v);
    say("kv_get, in memory", now_ns() - t, ROUNDS);

    t = now_ns();
    store_start_crank(s);
    store_savepoint(s, SAVEPOINT_START);
    for (size_t i = 0; i < ROUNDS; i++) {
        text[0] = (char)('a' + i % 20);
        text[1] = (char)('a' + i / KEYS % 20);
        kv_set(s, key(i * 7919), (struct span){ text, 2 });
    }
    say("kv_set, in memory (hashed, undoable)", now_ns() - t, ROUNDS);
    t = now_ns();
    store_rollback(s, SAVEPOINT_START);
    say("rollback, per write", now_ns() - t, ROUNDS);
    store_end_crank(s);

    t = now_ns();
    for (size_t i = 0; i < 100000; i++)
        kv_next_key(s, key(i * 7919), &v);
    say("kv_next_key", now_ns() - t, 100000);
    store_forget(s);
    t = now_ns();
    for (size_t i = 0; i < 20000; i++) {
        kv_set(s, SPAN("counter"), i % 2 ? SPAN("1") : SPAN("2"));
        kv_next_key(s, key(i), &v);
    }
    say("kv_set of a counter, kv_next_key", now_ns() - t, 20000);
}

static void cold_reads(const char *dir)
{
    struct store *s;
    struct err e;
    struct span v;
    if (store_open(dir, STORE_READONLY, &s, &e) != 0) exit(1);
    double t = now_ns();
    for (size_t i = 0; i < KEYS; i++)
        kv_get(s, key(i), &v);
    say("kv_get, from SQLite", now_ns() - t, KEYS);
    store_close(s);
}

/* One delivery as the kernel does it: 20 reads, 15 writes, one item of 300 bytes. */
static void crank(struct store *s, size_t i, bool aborted)
{
    char text[32], h1[SHA256_HEX + 1], h2[SHA256_HEX + 1];
    static const char item[] =
        "{\"d\":[\"message\",\"o+0\",{\"methargs\":{\"body\":\"#[\\\"a\\\",[]]\","
        "\"slots\":[]},\"result\":\"p-60\"}],\"sc\":[],\"r\":{\"status\":"
        "\"ok\",\"metering\":{\"computrons\":39126}}}";
    struct span v;
    store_start_crank(s);
    store_savepoint(s, SAVEPOINT_START);
    kv_set(s, SPAN("runQueue"), span_of(i % 2 ? "[1,2]" : "[2,3]"));
    store_savepoint(s, SAVEPOINT_DELIVER);
    for (size_t k = 0; k < 20; k++)
        kv_get(s, key(i * 31 + k), &v);
    for (size_t k = 0; k < 14; k++) {
        snprintf(text, sizeof text, "%zu", i + k);
        kv_set(s, key(i * 31 + k), span_of(text));
    }
    transcript_add(s, SPAN("v1"), span_of(item));
    if (aborted) store_rollback(s, SAVEPOINT_DELIVER);
    store_emit_hashes(s, h1, h2);
    store_end_crank(s);
}

static void cranks(struct store *s)
{
    char h1[SHA256_HEX + 1], h2[SHA256_HEX + 1];
    transcript_init(s, SPAN("v1"));
    double t = now_ns();
    for (size_t i = 0; i < CRANKS; i++) {
        store_start_crank(s);
        store_savepoint(s, SAVEPOINT_START);
        store_savepoint(s, SAVEPOINT_DELIVER);
        store_emit_hashes(s, h1, h2);
        store_end_crank(s);
    }
    say("an empty crank, hashes and all", now_ns() - t, CRANKS);
    t = now_ns();
    for (size_t i = 0; i < CRANKS; i++)
        crank(s, i, false);
    say("a delivery: 20 reads, 15 writes, one item", now_ns() - t, CRANKS);
    t = now_ns();
    must_commit(s);
    say("commit of all these, per delivery", now_ns() - t, CRANKS);
    t = now_ns();
    for (size_t i = 0; i < CRANKS; i++)
        crank(s, i, true);
    say("the same delivery, aborted", now_ns() - t, CRANKS);
    t = now_ns();
    for (size_t i = 0; i < BLOCKS; i++) {
        crank(s, i, false);
        must_commit(s);
    }
    say("a block of one delivery, to disk", now_ns() - t, BLOCKS);
}

static int ignore(void *ctx, struct span bytes, struct err *e)
{
    (void)ctx, (void)bytes, (void)e;
    return 0;
}

/* Bytes that compress about as well as a heap: small numbers, some noise. */
static void snapshots(struct store *s)
{
    enum { BYTES = 2400000, FORKS = 1000 };
    struct rng r = rng_new(1);
    struct snapshot_info info;
    struct err e;
    char *heap = calloc(1, BYTES), vat[24];
    for (size_t i = 0; i < BYTES; i += 8)
        heap[i] = heap[i + 3] = (char)rng_below(&r, 64);
    double t = now_ns();
    struct snapshot_writer *w = snapshot_begin(s);
    snapshot_write(w, (struct span){ heap, BYTES });
    snapshot_finish(w, SPAN("v1"), 1, &info);
    say("save a snapshot of 2.4 MB", now_ns() - t, 1);
    t = now_ns();
    if (snapshot_read(s, info.hash, ignore, NULL, &e) != 0) exit(1);
    say("read it", now_ns() - t, 1);
    t = now_ns();
    snapshot_share(s);
    say("snapshot_share", now_ns() - t, 1);
    t = now_ns();
    for (int i = 0; i < FORKS; i++) {
        snprintf(vat, sizeof vat, "v%d", 100 + i);
        snapshot_clone(s, SPAN("v1"), span_of(vat));
        transcript_init(s, span_of(vat));
        snapshot_info(s, span_of(vat), &info);
    }
    say("clone it, start a transcript, look", now_ns() - t, FORKS);
    must_commit(s);
    uint64_t before = store_disk_bytes(s);
    printf("%-44s %10.1f MB\n", "database with 1,000 clones", (double)before / 1e6);
    free(heap);
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/zygote-bench-XXXXXX";
    const char *dir = argc > 1 ? argv[1] : mkdtemp(made);
    struct store *s;
    struct err e;
    for (size_t i = 0; i < KEYS; i++)
        snprintf(keys[i], sizeof keys[i], "v%zu.c.ko%zu", i % 50, i);
    if (dir == NULL || store_open(dir, STORE_CREATE, &s, &e) != 0) return 1;
    keys_and_values(s);
    cold_reads(dir);
    cranks(s);
    snapshots(s);
    store_close(s);
    if (argc == 1) {
        char command[64];
        snprintf(command, sizeof command, "rm -rf %s", made);
        return system(command);
    }
    return 0;
}
