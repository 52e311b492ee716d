/* make_store.c -- our side of tests/store/interop.mjs.
 *
 *   make_store write DIR BUNDLE…   a new store with something of everything
 *   make_store share DIR           turn its snapshots into the shared form, clone v1 to v9
 *   make_store dump DIR            what our interface reads from a store, as text
 *   make_store unbundle DIR ID     a bundle, as JSON
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "store/bundle.h"
#include "store/kv.h"
#include "store/snapshot.h"
#include "store/transcript.h"

static int fail(const struct err *e)
{
    fprintf(stderr, "make_store: %s\n", e->text);
    return 1;
}

static void save(struct store *s, struct span vat, uint64_t position, unsigned bytes,
                 char fill)
{
    struct snapshot_writer *w = snapshot_begin(s);
    struct buf body = { 0 };
    memset(buf_room(&body, bytes), fill, bytes);
    body.n = bytes;
    snapshot_write(w, buf_span(&body));
    snapshot_finish(w, vat, position, NULL);
    buf_fini(&body);
}

static int add_bundle(struct store *s, const char *path, struct err *e)
{
    struct buf text = { 0 };
    struct span id;
    FILE *f = fopen(path, "r");
    if (f == NULL) return err_sys(e, "%s", path);
    for (size_t n = 1; n > 0; text.n += n)
        n = fread(buf_room(&text, 65536), 1, 65536, f);
    fclose(f);
    int rc = bundle_add(s, buf_span(&text), &id, e);
    buf_fini(&text);
    return rc;
}

static void write_vats(struct store *s)
{
    static const char *const vats[] = { "v1", "v2", "v10" };
    for (int v = 0; v < 3; v++) {
        struct span vat = span_of(vats[v]);
        transcript_init(s, vat);
        for (int i = 0; i < 10 + v; i++) {
            char item[64];
            snprintf(item, sizeof item, "{\"d\":[\"message\",%d],\"sc\":[],\"r\":\"%s\"}",
                     i, i % 2 ? "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" : "plain");
            transcript_add(s, vat, span_of(item));
            if (i == 3 || i == 6) {
                save(s, vat, (uint64_t)i + 1, 100000, (char)('a' + i));
                transcript_rollover(s, vat);
            }
        }
    }
    transcript_rollover_incarnation(s, SPAN("v2"));
    snapshot_stop(s, SPAN("v2"));
    transcript_add(s, SPAN("v2"), SPAN("{}"));
}

static void write_keys(struct store *s)
{
    char key[32], activity[SHA256_HEX + 1], crank[SHA256_HEX + 1];
    kv_set(s, SPAN("version"), SPAN("3"));
    kv_set(s, SPAN("unicode \xc3\xa9"), SPAN("\xe2\x82\xac \xf0\x9f\x98\x80 \"quoted\"\n"));
    kv_set(s, SPAN("empty"), SPAN(""));
    kv_set(s, SPAN("local.kernelStats"), SPAN("{}"));
    kv_host_set(s, SPAN("host.height"), SPAN("17"));
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "v1.vs.vc.%d", i);
        kv_set(s, span_of(key), span_of(key + 3));
    }
    kv_delete(s, SPAN("v1.vs.vc.100"));
    store_emit_hashes(s, crank, activity);
}

static int do_write(const char *dir, char **bundles, struct err *e)
{
    struct store *s;
    if (store_open(dir, STORE_CREATE, &s, e) != 0) return -1;
    store_start_crank(s);
    store_savepoint(s, SAVEPOINT_START);
    write_keys(s);
    store_savepoint(s, SAVEPOINT_DELIVER);
    kv_set(s, SPAN("aborted"), SPAN("1"));
    transcript_init(s, SPAN("v1"));
    transcript_add(s, SPAN("v1"), SPAN("aborted"));
    save(s, SPAN("v1"), 1, 10, 'x');
    store_rollback(s, SAVEPOINT_DELIVER);
    write_vats(s);
    store_end_crank(s);
    int rc = 0;
    while (rc == 0 && *bundles != NULL)
        rc = add_bundle(s, *bundles++, e);
    if (rc == 0) rc = store_commit(s, e);
    store_close(s);
    return rc;
}

static int do_share(const char *dir, struct err *e)
{
    struct store *s;
    if (store_open(dir, STORE_OPEN, &s, e) != 0) return -1;
    snapshot_share(s);
    snapshot_clone(s, SPAN("v1"), SPAN("v9"));
    transcript_init(s, SPAN("v9"));
    transcript_add(s, SPAN("v9"), SPAN("{\"d\":[\"load-snapshot\"]}"));
    int rc = store_commit(s, e);
    store_close(s);
    return rc;
}

/* -- reading -------------------------------------------------------------------- */

static bool print_item(void *ctx, uint64_t position, struct span item)
{
    (void)ctx;
    printf("  %llu %.*s\n", (unsigned long long)position, SPAN_ARG(item));
    return true;
}

static int count(void *ctx, struct span bytes, struct err *e)
{
    (void)e;
    *(size_t *)ctx += bytes.n;
    return 0;
}

static int dump_vat(struct store *s, struct span vat, struct err *e)
{
    struct transcript_bounds b;
    struct snapshot_info info;
    if (transcript_bounds(s, vat, &b)) {
        printf("span %.*s %llu %llu %s %llu\n", SPAN_ARG(vat), (unsigned long long)b.start,
               (unsigned long long)b.end, b.hash, (unsigned long long)b.incarnation);
        transcript_read(s, vat, b.start, b.end, print_item, NULL);
    }
    if (!snapshot_info(s, vat, &info)) return 0;
    size_t n = 0;
    if (snapshot_read(s, info.hash, count, &n, e) != 0) return -1;
    printf("snapshot %.*s %llu %s %llu %zu\n", SPAN_ARG(vat),
           (unsigned long long)info.position, info.hash, (unsigned long long)info.raw_bytes,
           n);
    return 0;
}

static int do_dump(const char *dir, struct err *e)
{
    static const char *const vats[] = { "v1", "v10", "v2", "v9" };
    struct store *s;
    if (store_open(dir, STORE_READONLY, &s, e) != 0) return -1;
    struct span key = SPAN(""), value;
    while (kv_next_key(s, key, &key)) {
        if (kv_get(s, key, &value)) printf("%.*s = %.*s\n", SPAN_ARG(key), SPAN_ARG(value));
    }
    int rc = 0;
    for (int i = 0; rc == 0 && i < 4; i++)
        rc = dump_vat(s, span_of(vats[i]), e);
    store_close(s);
    return rc;
}

static int do_unbundle(const char *dir, const char *id, struct err *e)
{
    struct store *s;
    struct buf text = { 0 };
    if (store_open(dir, STORE_READONLY, &s, e) != 0) return -1;
    int rc = bundle_get(s, span_of(id), &text, e);
    fwrite(text.p, 1, text.n, stdout);
    buf_fini(&text);
    store_close(s);
    return rc;
}

int main(int argc, char **argv)
{
    struct err e = { 0 };
    int rc = 2;
    if (argc > 2 && strcmp(argv[1], "write") == 0) rc = do_write(argv[2], argv + 3, &e);
    if (argc == 3 && strcmp(argv[1], "share") == 0) rc = do_share(argv[2], &e);
    if (argc == 3 && strcmp(argv[1], "dump") == 0) rc = do_dump(argv[2], &e);
    if (argc == 4 && strcmp(argv[1], "unbundle") == 0)
        rc = do_unbundle(argv[2], argv[3], &e);
    return rc == 0 ? 0 : fail(&e);
}
