/* store_script.c -- do to a store what a script says; our side of tests/store/retain.mjs.
 *
 *   store_script DIR [prune] [keep] [tell] [archive=DIR]   <SCRIPT
 *
 * One operation a line, words apart by one space, the last word may hold spaces:
 *
 *   crank | mark start | mark deliver | back start | back deliver | emit | end | commit
 *   set KEY VALUE | delete KEY | host KEY VALUE | get KEY | next KEY
 *   init VAT | add VAT ITEM | roll VAT | upgrade VAT | stop VAT
 *   snap VAT POSITION BYTES | unsnap VAT | wipe VAT BUDGET | sweep VAT BUDGET
 *   bundle FILE
 *
 * Keys and values may be any WTF-8; `next` is read back, as vats are told of it.
 * Prints what deletions and readings answer, and with `tell` each record the store tells of.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json.h"
#include "store/bundle.h"
#include "store/kv.h"
#include "store/snapshot.h"
#include "store/transcript.h"

static struct store *s;

static void die(const char *what)
{
    fprintf(stderr, "store_script: %s\n", what);
    exit(1);
}

static struct span word(struct span *line)
{
    const char *sp = memchr(line->p, ' ', line->n);
    size_t n = sp == NULL ? line->n : (size_t)(sp - line->p);
    struct span w = { line->p, n };
    *line = span_from(*line, sp == NULL ? n : n + 1);
    return w;
}

static uint64_t number(struct span *line)
{
    uint64_t n;
    struct span w = word(line);
    if (span_is(w, "all")) return UINT64_MAX;
    if (!span_u64(w, &n)) die("not a number");
    return n;
}

static void on_export(void *ctx, struct span key, struct span value)
{
    (void)ctx;
    printf("%.*s %s%.*s\n", SPAN_ARG(key), value.p == NULL ? "-" : "=",
           (int)value.n, value.p == NULL ? "" : value.p);
}

static void snap(struct span vat, uint64_t position, struct span bytes)
{
    struct snapshot_writer *w = snapshot_begin(s);
    snapshot_write(w, bytes);
    snapshot_finish(w, vat, position, NULL);
}

static void add_bundle(struct span path)
{
    char name[4096];
    struct buf text = { 0 };
    struct span id;
    struct err e;
    snprintf(name, sizeof name, "%.*s", SPAN_ARG(path));
    FILE *f = fopen(name, "r");
    if (f == NULL) die("no such bundle");
    for (size_t n = 1; n > 0; text.n += n) n = fread(buf_room(&text, 65536), 1, 65536, f);
    fclose(f);
    if (bundle_add(s, buf_span(&text), &id, &e) != 0) die(e.text);
    buf_fini(&text);
}

static bool crank_op(struct span op, struct span rest)
{
    char crank[SHA256_HEX + 1], activity[SHA256_HEX + 1];
    struct err e;
    enum savepoint sp = span_is(rest, "start") ? SAVEPOINT_START : SAVEPOINT_DELIVER;
    if (span_is(op, "crank")) store_start_crank(s);
    else if (span_is(op, "mark")) store_savepoint(s, sp);
    else if (span_is(op, "back")) store_rollback(s, sp);
    else if (span_is(op, "end")) store_end_crank(s);
    else if (span_is(op, "emit")) {
        store_emit_hashes(s, crank, activity);
        printf("hashes %s %s\n", crank, activity);
    } else if (span_is(op, "commit")) {
        if (store_commit(s, &e) != 0) die(e.text);
        printf("committed\n");
    } else return false;
    return true;
}

static void print_read(bool found, struct span text)
{
    if (found)
        printf("read %.*s\n", SPAN_ARG(text));
    else
        printf("nothing\n");
}

static bool row_op(struct span op, struct span rest)
{
    struct span a = word(&rest);
    if (span_is(op, "set")) kv_set(s, a, rest);
    else if (span_is(op, "delete")) kv_delete(s, a);
    else if (span_is(op, "host")) kv_host_set(s, a, rest);
    else if (span_is(op, "get")) print_read(kv_get(s, a, &rest), rest);
    else if (span_is(op, "next")) {
        bool found = kv_next_key(s, a, &rest);
        print_read(found, found ? wtf8_read_back(store_arena(s), rest) : rest);
    } else if (span_is(op, "init")) transcript_init(s, a);
    else if (span_is(op, "add")) transcript_add(s, a, rest);
    else if (span_is(op, "roll")) transcript_rollover(s, a);
    else if (span_is(op, "upgrade")) transcript_rollover_incarnation(s, a);
    else if (span_is(op, "stop")) transcript_stop(s, a);
    else if (span_is(op, "unsnap")) snapshot_stop(s, a);
    else if (span_is(op, "bundle")) add_bundle(a);
    else if (span_is(op, "snap")) {
        uint64_t position = number(&rest);
        snap(a, position, rest);
    } else return false;
    return true;
}

static bool deletion(struct span op, struct span rest)
{
    uint64_t cleanups;
    bool done;
    struct span vat = word(&rest);
    if (span_is(op, "wipe")) transcript_delete(s, vat, number(&rest), &cleanups, &done);
    else if (span_is(op, "sweep")) snapshot_delete(s, vat, number(&rest), &cleanups, &done);
    else return false;
    printf("cleanups %" PRIu64 " %s\n", cleanups, done ? "done" : "more");
    return true;
}

int main(int argc, char **argv)
{
    struct store_options o = { 0 };
    struct err e;
    if (argc < 2) die("which store?");
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "prune") == 0) o.prune_transcripts = true;
        if (strcmp(argv[i], "keep") == 0) o.keep_snapshots = true;
        if (strcmp(argv[i], "tell") == 0) o.on_export = on_export;
        if (strncmp(argv[i], "archive=", 8) == 0)
            o.archive_snapshots = o.archive_transcripts = argv[i] + 8;
    }
    enum store_mode mode = store_exists(argv[1]) ? STORE_OPEN : STORE_CREATE;
    if (store_open_with(argv[1], mode, &o, &s, &e) != 0) die(e.text);
    char *text = NULL;
    size_t cap = 0;
    ssize_t n;
    while ((n = getline(&text, &cap, stdin)) > 0) {
        struct span line = { text, (size_t)n - (text[n - 1] == '\n') };
        struct span rest = line, op = word(&rest);
        if (!crank_op(op, rest) && !row_op(op, rest) && !deletion(op, rest)) die(text);
    }
    free(text);
    store_close(s);
    return 0;
}
