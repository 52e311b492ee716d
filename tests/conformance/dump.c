/* dump.c -- what a run left behind, in the shape of the oracle's dump. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "conformance/run.h"
#include "host/file.h"

/* -- the store's tables -------------------------------------------------------------------------- */

/* As the oracle reads it, lone surrogates and all. */
static void put_column(struct buf *b, sqlite3_stmt *st, int i)
{
    if (sqlite3_column_type(st, i) == SQLITE_NULL) {
        buf_puts(b, "null");
    } else if (sqlite3_column_type(st, i) == SQLITE_INTEGER) {
        buf_printf(b, "%lld", (long long)sqlite3_column_int64(st, i));
    } else {
        struct span text = { (const char *)sqlite3_column_blob(st, i), (size_t)sqlite3_column_bytes(st, i) };
        struct arena a;
        arena_init(&a);
        json_put_string(b, text.n == 0 ? SPAN("") : wtf8_read_back(&a, text));
        arena_fini(&a);
    }
}

static void dump_rows(sqlite3 *db, const char *name, const char *sql)
{
    struct buf b = { 0 };
    sqlite3_stmt *st;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK) {
        fprintf(stderr, "run_scenario: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
    buf_printf(&b, ",\n\"%s\":[", name);
    for (int row = 0; sqlite3_step(st) == SQLITE_ROW; row++) {
        buf_puts(&b, row == 0 ? "\n  [" : ",\n  [");
        for (int i = 0; i < sqlite3_column_count(st); i++) {
            if (i > 0) buf_putc(&b, ',');
            put_column(&b, st, i);
        }
        buf_putc(&b, ']');
    }
    buf_puts(&b, "]");
    fwrite(b.p, 1, b.n, stdout);
    sqlite3_finalize(st);
    buf_fini(&b);
}

void run_dump(struct run *r)
{
    sqlite3 *db;
    if (sqlite3_open(file_join(&r->arena, r->store_dir, "swingstore.sqlite"), &db) != SQLITE_OK) exit(1);
    printf("{\"kernel\":\"zygote\",\n\"steps\":[%.*s],\n\"cranks\":[%.*s]", SPAN_ARG(buf_span(&r->steps)),
           SPAN_ARG(buf_span(&r->cranks)));
    dump_rows(db, "kvStore", "SELECT key, value FROM kvStore WHERE key NOT LIKE 'local.%' "
                             "AND key NOT LIKE 'host.%' ORDER BY key");
    dump_rows(db, "transcripts", "SELECT vatID, position, incarnation, item FROM transcriptItems "
                                 "ORDER BY vatID, position");
    dump_rows(db, "spans", "SELECT vatID, startPos, endPos, hash, isCurrent, incarnation "
                           "FROM transcriptSpans ORDER BY vatID, startPos");
    dump_rows(db, "snapshots", "SELECT vatID, snapPos, hash, inUse, uncompressedSize FROM snapshots "
                               "ORDER BY vatID, snapPos");
    dump_rows(db, "bundles", "SELECT bundleID FROM bundles ORDER BY bundleID");
    printf("}\n");
    sqlite3_close(db);
}

