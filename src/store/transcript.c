/* transcript.c -- items go to SQLite as they come; the current span's row waits.
 *
 * A span's row changes with every item (end and hash), so memory keeps it and SQLite gets
 * it at commit or when the span closes.  Rollback is as internal.h says.
 */
#include "store/transcript.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "store/internal.h"

void spans_init(struct spans *sp)
{
    *sp = (struct spans){ 0 };
    map_init(&sp->map);
}

void spans_fini(struct spans *sp)
{
    for (size_t i = 0; i < sp->map.cap; i++)
        free(sp->map.slots[i].entry);
    map_fini(&sp->map);
    free(sp->dirty);
    free(sp->undo);
}

void spans_forget(struct store *s)
{
    s->spans.undo_n = 0;
}

/* -- the cached row ------------------------------------------------------------- */

static struct vat_span *span_get(struct store *s, struct span vat)
{
    struct map *map = &s->spans.map;
    uint64_t hash = map_hash(map, vat);
    struct vat_span *v = (struct vat_span *)map_find(map, vat, hash);
    if (v != NULL) return v;
    v = xmalloc(sizeof *v + vat.n);
    char *copy = (char *)(v + 1);
    memcpy(copy, vat.p, vat.n);
    *v = (struct vat_span){ .m = { { copy, vat.n }, hash } };
    map_insert(map, &v->m);
    return v;
}

static void set_hash(char out[SHA256_HEX + 1], struct span hex)
{
    INVARIANT(hex.n == SHA256_HEX);
    memcpy(out, hex.p, SHA256_HEX);
    out[SHA256_HEX] = '\0';
}

static struct vat_span *span_load(struct store *s, struct span vat)
{
    struct vat_span *v = span_get(s, vat);
    if (v->state != SPAN_UNKNOWN) return v;
    sqlite3_stmt *st = stmt_get(s, STMT_SPAN_CURRENT);
    bind_text(st, 1, vat);
    v->state = SPAN_ABSENT;
    if (!stmt_row(s, st)) return v;
    v->state = SPAN_CURRENT;
    v->start = column_u64(st, 0);
    v->end = column_u64(st, 1);
    set_hash(v->hash, column_span(st, 2));
    v->incarnation = column_u64(st, 3);
    stmt_done(st);
    return v;
}

/* Call before any change of `v`, of its dirty flag too. */
static void touch(struct store *s, struct vat_span *v)
{
    struct spans *sp = &s->spans;
    if (s->points_n == 0) return;
    sp->undo = array_room(sp->undo, sp->undo_n, &sp->undo_cap, sizeof(struct span_undo));
    struct span_undo *u = &sp->undo[sp->undo_n++];
    *u = (struct span_undo){ v, v->start, v->end, v->incarnation, v->state, v->dirty, "" };
    memcpy(u->hash, v->hash, sizeof u->hash);
}

static void set_dirty(struct store *s, struct vat_span *v)
{
    struct spans *sp = &s->spans;
    v->dirty = true;
    if (v->listed) return;
    v->listed = true;
    sp->dirty =
        array_room(sp->dirty, sp->dirty_n, &sp->dirty_cap, sizeof(struct vat_span *));
    sp->dirty[sp->dirty_n++] = v;
}

void spans_rollback(struct store *s, size_t to)
{
    struct spans *sp = &s->spans;
    while (sp->undo_n > to) {
        struct span_undo *u = &sp->undo[--sp->undo_n];
        struct vat_span *v = u->span;
        v->start = u->start;
        v->end = u->end;
        v->incarnation = u->incarnation;
        v->state = u->state;
        memcpy(v->hash, u->hash, sizeof v->hash);
        v->dirty = false;
        if (u->dirty) set_dirty(s, v);
    }
}

/* Write end and hash of `v`, by the statement that keeps it current or closes it. */
static int write_row(struct store *s, struct vat_span *v, enum stmt_id id, struct err *e)
{
    if (sql_begin_write(s, e) != 0) return -1;
    sqlite3_stmt *st = stmt_get(s, id);
    bind_u64(st, 1, v->end);
    bind_text(st, 2, span_of(v->hash));
    bind_text(st, 3, v->m.key);
    if (stmt_try(s, st, e) != 0) return -1;
    touch(s, v);
    v->dirty = false;
    return 0;
}

int spans_flush(struct store *s, struct err *e)
{
    struct spans *sp = &s->spans;
    for (size_t i = 0; i < sp->dirty_n; i++) {
        struct vat_span *v = sp->dirty[i];
        v->listed = false;
        if (v->dirty && write_row(s, v, STMT_SPAN_UPDATE, e) != 0) return -1;
    }
    sp->dirty_n = 0;
    return 0;
}

void span_hash_begin(char hash[SHA256_HEX + 1])
{
    sha256_hex(SPAN("start of transcript span"), hash);
}

void span_hash_add(char hash[SHA256_HEX + 1], struct span item)
{
    char both[2 * SHA256_HEX + 1];
    memcpy(both, hash, SHA256_HEX);
    sha256_hex(item, both + SHA256_HEX);
    sha256_hex((struct span){ both, 2 * SHA256_HEX }, hash);
}

/* -- the interface -------------------------------------------------------------- */

static void note(struct store *s, const struct vat_span *v, bool current)
{
    if (!exports_wanted(s)) return;
    struct span_record r = { v->start, v->end, v->incarnation, span_of(v->hash), current };
    export_note_span(s, v->m.key, &r);
}

/* A new current span from `start`; there is none now. */
static void span_begin(struct store *s, struct vat_span *v, uint64_t start,
                       uint64_t incarnation)
{
    store_write(s);
    char seed[SHA256_HEX + 1];
    span_hash_begin(seed);
    sqlite3_stmt *st = stmt_get(s, STMT_SPAN_ADD);
    bind_text(st, 1, v->m.key);
    bind_u64(st, 2, start);
    bind_u64(st, 3, start);
    bind_text(st, 4, span_of(seed));
    bind_u64(st, 5, incarnation);
    stmt_run(s, st);
    touch(s, v);
    v->start = v->end = start;
    v->incarnation = incarnation;
    memcpy(v->hash, seed, sizeof v->hash);
    v->state = SPAN_CURRENT;
    note(s, v, true);
}

static void delete_items(struct store *s, struct span vat, uint64_t start, uint64_t end)
{
    sqlite3_stmt *st = stmt_get(s, STMT_ITEM_DELETE);
    bind_text(st, 1, vat);
    bind_u64(st, 2, start);
    bind_u64(st, 3, end);
    stmt_run(s, st);
}

static void span_close(struct store *s, struct vat_span *v)
{
    struct err e;
    note(s, v, false);
    if (write_row(s, v, STMT_SPAN_CLOSE, &e) != 0) store_fatal(s, &e);
    archive_transcript(s, v->m.key, v->start, v->end);
    if (s->options.prune_transcripts) delete_items(s, v->m.key, v->start, v->end);
    touch(s, v);
    v->state = SPAN_ABSENT;
}

void transcript_init(struct store *s, struct span vat)
{
    struct vat_span *v = span_load(s, vat);
    INVARIANT(v->state == SPAN_ABSENT);
    span_begin(s, v, 0, 0);
}

bool transcript_bounds(struct store *s, struct span vat, struct transcript_bounds *out)
{
    const struct vat_span *v = span_load(s, vat);
    if (v->state != SPAN_CURRENT) return false;
    *out = (struct transcript_bounds){ v->start, v->end, v->incarnation, "" };
    memcpy(out->hash, v->hash, sizeof out->hash);
    return true;
}

bool transcript_span_at(struct store *s, struct span vat, uint64_t position,
                        struct transcript_bounds *out)
{
    sqlite3_stmt *st = stmt_get(s, STMT_SPAN_AT);
    bind_text(st, 1, vat);
    bind_u64(st, 2, position > INT64_MAX ? INT64_MAX : position);
    if (!stmt_row(s, st)) return false;
    out->start = column_u64(st, 0);
    out->end = column_u64(st, 1);
    set_hash(out->hash, column_span(st, 2));
    out->incarnation = column_u64(st, 3);
    stmt_done(st);
    return true;
}

void transcript_sizes(struct store *s, struct span vat, struct transcript_sizes *out)
{
    sqlite3_stmt *st = stmt_get(s, STMT_SPAN_COUNT);
    *out = (struct transcript_sizes){ 0 };
    bind_text(st, 1, vat);
    if (stmt_row(s, st)) {
        out->spans = column_u64(st, 0);
        out->end = out->spans == 0 ? 0 : column_u64(st, 1);
        out->last_start = out->spans == 0 ? 0 : column_u64(st, 2);
        stmt_done(st);
    }
    st = stmt_get(s, STMT_ITEM_BYTES);
    bind_text(st, 1, vat);
    if (stmt_row(s, st)) {
        out->bytes = column_u64(st, 0);
        stmt_done(st);
    }
}

void transcript_add(struct store *s, struct span vat, struct span item)
{
    struct vat_span *v = span_load(s, vat);
    INVARIANT(v->state == SPAN_CURRENT);
    store_write(s);
    sqlite3_stmt *st = stmt_get(s, STMT_ITEM_ADD);
    bind_text(st, 1, vat);
    bind_text(st, 2, item);
    bind_u64(st, 3, v->end);
    bind_u64(st, 4, v->incarnation);
    stmt_run(s, st);
    touch(s, v);
    v->end++;
    span_hash_add(v->hash, item);
    set_dirty(s, v);
    note(s, v, true);
}

static uint64_t rollover(struct store *s, struct span vat, uint64_t step)
{
    struct vat_span *v = span_load(s, vat);
    INVARIANT(v->state == SPAN_CURRENT);
    uint64_t end = v->end, incarnation = v->incarnation + step;
    span_close(s, v);
    span_begin(s, v, end, incarnation);
    return incarnation;
}

void transcript_rollover(struct store *s, struct span vat)
{
    rollover(s, vat, 0);
}

uint64_t transcript_rollover_incarnation(struct store *s, struct span vat)
{
    return rollover(s, vat, 1);
}

void transcript_stop(struct store *s, struct span vat)
{
    struct vat_span *v = span_load(s, vat);
    if (v->state != SPAN_CURRENT) return;
    span_close(s, v);
    export_note_span_gone(s, vat, 0, true);
}

void transcript_read(struct store *s, struct span vat, uint64_t from, uint64_t to,
                     transcript_visit *visit, void *ctx)
{
    sqlite3_stmt *st = stmt_take(s, STMT_ITEM_READ);
    bind_text(st, 1, vat);
    bind_u64(st, 2, from > INT64_MAX ? INT64_MAX : from);
    bind_u64(st, 3, to > INT64_MAX ? INT64_MAX : to);
    while (stmt_row(s, st) && visit(ctx, column_u64(st, 0), column_span(st, 1)))
        continue;
    stmt_drop(s, STMT_ITEM_READ, st);
}

struct wanted_item {
    struct arena *arena;
    struct span *text;
    bool found;
};

static bool take_item(void *ctx, uint64_t position, struct span item)
{
    struct wanted_item *w = ctx;
    (void)position;
    w->found = true;
    if (w->arena != NULL) *w->text = arena_copy(w->arena, item);
    return false;
}

bool transcript_item(struct store *s, struct span vat, uint64_t position, struct arena *arena,
                     struct span *item)
{
    struct wanted_item w = { arena, item, false };
    transcript_read(s, vat, position, position + 1, take_item, &w);
    return w.found;
}

/* -- deletion ------------------------------------------------------------------- */

static bool newest_span(struct store *s, struct span vat, struct span_record *r)
{
    sqlite3_stmt *st = stmt_get(s, STMT_SPAN_NEWEST);
    bind_text(st, 1, vat);
    if (!stmt_row(s, st)) return false;
    *r = (struct span_record){ .start = column_u64(st, 0), .end = column_u64(st, 1) };
    r->current = sqlite3_column_type(st, 2) != SQLITE_NULL;
    stmt_done(st);
    return true;
}

static void delete_span(struct store *s, struct span vat, const struct span_record *r)
{
    export_note_span_gone(s, vat, r->start, r->current);
    sqlite3_stmt *st = stmt_get(s, STMT_SPAN_DELETE);
    bind_text(st, 1, vat);
    bind_u64(st, 2, r->start);
    stmt_run(s, st);
    delete_items(s, vat, r->start, r->end);
}

/* What lies outside of every span too, which only a damaged history can have. */
static void delete_stray_items(struct store *s, struct span vat)
{
    sqlite3_stmt *st = stmt_get(s, STMT_ITEM_DELETE_ALL);
    bind_text(st, 1, vat);
    stmt_run(s, st);
}

void transcript_delete(struct store *s, struct span vat, uint64_t budget,
                       uint64_t *cleanups, bool *done)
{
    struct vat_span *v = span_load(s, vat);
    INVARIANT(budget > 0);
    store_write(s);
    struct err e;
    /* The row must say where its items end before it can say which ones go. */
    if (v->dirty && write_row(s, v, STMT_SPAN_UPDATE, &e) != 0) store_fatal(s, &e);
    touch(s, v);
    v->state = SPAN_UNKNOWN;
    uint64_t n = 0;
    struct span_record r;
    while (n < budget && newest_span(s, vat, &r)) {
        delete_span(s, vat, &r);
        n++;
    }
    *done = !newest_span(s, vat, &r);
    if (budget == UINT64_MAX) delete_stray_items(s, vat);
    *cleanups = n;
}
