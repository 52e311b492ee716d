/* pending.c -- telling the host what changed in the export data.
 *
 * With a callback in the options, every change notes the record it makes or removes in the
 * table pendingExports, where a later change of the same record takes its place and a
 * rollback takes it back; at the end of a crank and at commit the host is told, in the order
 * of keys, and the table is empty again.  Without a callback nothing is noted.
 * (Upstream: swingStore.js noteExport, flushPendingExports.)
 */
#include "base/json.h"
#include "store/internal.h"

/* -- records --------------------------------------------------------------------- */

void record_span_key(struct buf *b, struct span vat, uint64_t start, bool current)
{
    buf_puts(b, "transcript.");
    buf_put(b, vat);
    if (current)
        buf_puts(b, ".current");
    else
        buf_printf(b, ".%llu", (unsigned long long)start);
}

void record_span_value(struct buf *b, struct span vat, const struct span_record *r)
{
    buf_puts(b, "{\"vatID\":");
    json_put_string(b, vat);
    buf_printf(b, ",\"startPos\":%llu,\"endPos\":%llu,\"hash\":", (unsigned long long)r->start,
               (unsigned long long)r->end);
    json_put_string(b, r->hash);
    buf_printf(b, ",\"isCurrent\":%d,\"incarnation\":%llu}", r->current,
               (unsigned long long)r->incarnation);
}

void record_snapshot_key(struct buf *b, struct span vat, uint64_t position)
{
    buf_puts(b, "snapshot.");
    buf_put(b, vat);
    buf_printf(b, ".%llu", (unsigned long long)position);
}

void record_snapshot_current_key(struct buf *b, struct span vat)
{
    buf_puts(b, "snapshot.");
    buf_put(b, vat);
    buf_puts(b, ".current");
}

void record_snapshot_value(struct buf *b, struct span vat, uint64_t position,
                           struct span hash, bool in_use)
{
    buf_puts(b, "{\"vatID\":");
    json_put_string(b, vat);
    buf_printf(b, ",\"snapPos\":%llu,\"hash\":", (unsigned long long)position);
    json_put_string(b, hash);
    buf_printf(b, ",\"inUse\":%d}", in_use);
}

void artifact_span_name(struct buf *b, struct span vat, uint64_t start, uint64_t end)
{
    buf_puts(b, "transcript.");
    buf_put(b, vat);
    buf_printf(b, ".%llu.%llu", (unsigned long long)start, (unsigned long long)end);
}

/* -- noting ----------------------------------------------------------------------- */

bool exports_wanted(const struct store *s)
{
    return s->options.on_export != NULL;
}

void export_note(struct store *s, struct span key, struct span value)
{
    if (!exports_wanted(s)) return;
    store_write(s);
    sqlite3_stmt *st = stmt_get(s, STMT_EXPORT_NOTE);
    bind_text(st, 1, key);
    if (value.p == NULL)
        sqlite3_bind_null(st, 2);
    else
        bind_text(st, 2, value);
    stmt_run(s, st);
    sqlite3_clear_bindings(st);
}

void export_note_kv(struct store *s, struct span key, struct span value)
{
    if (!exports_wanted(s)) return;
    struct buf name = { 0 };
    buf_puts(&name, "kv.");
    buf_put(&name, key);
    export_note(s, buf_span(&name), value);
    buf_fini(&name);
}

void export_note_span(struct store *s, struct span vat, const struct span_record *r)
{
    if (!exports_wanted(s)) return;
    struct buf key = { 0 }, value = { 0 };
    record_span_key(&key, vat, r->start, r->current);
    record_span_value(&value, vat, r);
    export_note(s, buf_span(&key), buf_span(&value));
    buf_fini(&key);
    buf_fini(&value);
}

void export_note_span_gone(struct store *s, struct span vat, uint64_t start, bool current)
{
    if (!exports_wanted(s)) return;
    struct buf key = { 0 };
    record_span_key(&key, vat, start, current);
    export_note(s, buf_span(&key), SPAN_NONE);
    buf_fini(&key);
}

void export_note_snapshot(struct store *s, struct span vat, uint64_t position,
                          struct span hash, bool in_use)
{
    if (!exports_wanted(s)) return;
    struct buf key = { 0 }, value = { 0 };
    record_snapshot_key(&key, vat, position);
    record_snapshot_value(&value, vat, position, hash, in_use);
    export_note(s, buf_span(&key), buf_span(&value));
    buf_reset(&value);
    buf_put(&value, buf_span(&key));
    buf_reset(&key);
    record_snapshot_current_key(&key, vat);
    export_note(s, buf_span(&key), in_use ? buf_span(&value) : SPAN_NONE);
    buf_fini(&key);
    buf_fini(&value);
}

void export_note_snapshot_gone(struct store *s, struct span vat, uint64_t position)
{
    if (!exports_wanted(s)) return;
    struct buf key = { 0 };
    record_snapshot_key(&key, vat, position);
    export_note(s, buf_span(&key), SPAN_NONE);
    buf_fini(&key);
}

void export_note_snapshot_current_gone(struct store *s, struct span vat)
{
    if (!exports_wanted(s)) return;
    struct buf key = { 0 };
    record_snapshot_current_key(&key, vat);
    export_note(s, buf_span(&key), SPAN_NONE);
    buf_fini(&key);
}

/* -- telling ---------------------------------------------------------------------- */

void exports_flush(struct store *s)
{
    if (!exports_wanted(s)) return;
    sqlite3_stmt *st = stmt_get(s, STMT_EXPORT_LIST);
    bool any = false;
    while (stmt_row(s, st)) {
        any = true;
        bool gone = sqlite3_column_type(st, 1) == SQLITE_NULL;
        struct span value = gone ? SPAN_NONE : wtf8_read_back(&s->arena, column_span(st, 1));
        s->options.on_export(s->options.export_ctx,
                             wtf8_read_back(&s->arena, column_span(st, 0)), value);
    }
    if (!any) return;
    store_write(s);
    stmt_run(s, stmt_get(s, STMT_EXPORT_CLEAR));
}
