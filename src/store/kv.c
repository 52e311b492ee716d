/* kv.c -- the kvStore in memory, in front of SQLite.
 *
 * Reads cost a hash probe.  Writes change the record and push what it was (see
 * internal.h on rollback).  SQLite hears of them at commit, and before a range scan, which
 * needs only the keys that may have come or gone: a scan between many updates of the same
 * counters writes none of them.
 */
#include "store/kv.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "store/internal.h"

enum {
    KV_CACHE_BYTES_MAX = 16 << 20, /* beyond it, what was not used lately goes; four times as
                                     much made the ten-thousandth fork a fifth slower */
    HASH_BATCH_BYTES = 16 << 10,   /* one update of the hash per so many bytes */
    SORT_MIN = 32,                 /* fewer rows than this gain nothing from order */
    LOOK_THROUGH_MAX = 256,        /* dirty keys: more are not looked through for a copy */
};

void kv_init(struct kv *kv)
{
    *kv = (struct kv){ 0 };
    map_init(&kv->map);
}

static void drop_undo(struct kv *kv)
{
    for (size_t i = 0; i < kv->undo_n; i++) {
        if (!kv->undo[i].flushed) free(kv->undo[i].value);
    }
    kv->undo_n = 0;
    for (size_t i = 0; i < kv->dead_n; i++)
        free(kv->dead[i]);
    kv->dead_n = 0;
}

void kv_fini(struct kv *kv)
{
    drop_undo(kv);
    for (size_t i = 0; i < kv->map.cap; i++) {
        struct kv_entry *en = (struct kv_entry *)kv->map.slots[i].entry;
        if (en == NULL) continue;
        free(en->value);
        free(en);
    }
    map_fini(&kv->map);
    free(kv->dirty.at);
    free(kv->scan.at);
    free(kv->undo);
    free(kv->dead);
}

/* -- records -------------------------------------------------------------------- */

static struct kv_entry *entry_of(struct kv *kv, struct span key)
{
    uint64_t hash = map_hash(&kv->map, key);
    struct kv_entry *en = (struct kv_entry *)map_find(&kv->map, key, hash);
    if (en != NULL) {
        en->flags |= KV_USED;
        return en;
    }
    en = xmalloc(sizeof *en + key.n + 1);
    char *copy = (char *)(en + 1);
    if (key.n > 0) memcpy(copy, key.p, key.n);
    copy[key.n] = '\0';
    *en = (struct kv_entry){ .m = { { copy, key.n }, hash }, .flags = KV_USED };
    map_insert(&kv->map, &en->m);
    kv->bytes += sizeof *en + key.n;
    return en;
}

static char *value_copy(struct span value)
{
    char *p = xmalloc(value.n + 1);
    if (value.n > 0) memcpy(p, value.p, value.n);
    p[value.n] = '\0';
    return p;
}

static void list_push(struct kv_list *list, struct kv_entry *en)
{
    list->at = array_room(list->at, list->n, &list->cap, sizeof(struct kv_entry *));
    list->at[list->n++] = en;
}

static void mark(struct kv *kv, struct kv_entry *en, uint8_t flags)
{
    en->flags |= flags;
    if ((flags & KV_DIRTY) && !(en->flags & KV_IN_DIRTY)) {
        en->flags |= KV_IN_DIRTY;
        list_push(&kv->dirty, en);
    }
    if ((flags & KV_SCAN) && !(en->flags & KV_IN_SCAN)) {
        en->flags |= KV_IN_SCAN;
        list_push(&kv->scan, en);
    }
}

static void bury(struct kv *kv, char *value)
{
    if (value == NULL) return;
    kv->dead = array_room(kv->dead, kv->dead_n, &kv->dead_cap, sizeof(char *));
    kv->dead[kv->dead_n++] = value;
}

static void undo_push(struct kv *kv, struct kv_entry *en, bool flushed)
{
    kv->undo = array_room(kv->undo, kv->undo_n, &kv->undo_cap, sizeof(struct kv_undo));
    kv->undo[kv->undo_n++] = (struct kv_undo){
        en, en->value, en->value_n, en->state, en->flags & (KV_DIRTY | KV_SCAN), flushed
    };
}

/* Give the entry a new value (taken; NULL: absent).  The old one stays readable. */
static void assign(struct store *s, struct kv_entry *en, char *value, size_t n)
{
    struct kv *kv = &s->kv;
    uint8_t state = value == NULL ? KV_ABSENT : KV_PRESENT;
    bool may_move = en->state != state; /* the key comes, goes, or we do not know */
    INVARIANT(!s->readonly);
    if (s->points_n > 0)
        undo_push(kv, en, false);
    else
        bury(kv, en->value);
    kv->bytes = kv->bytes + n - en->value_n;
    en->value = value;
    en->value_n = n;
    en->state = state;
    mark(kv, en, may_move ? KV_DIRTY | KV_SCAN : KV_DIRTY);
}

static void load(struct store *s, struct kv_entry *en)
{
    sqlite3_stmt *st = stmt_get(s, STMT_KV_GET);
    bind_text(st, 1, en->m.key);
    en->state = KV_ABSENT;
    if (!stmt_row(s, st)) return;
    struct span value = column_span(st, 0);
    en->value = value_copy(value);
    en->value_n = value.n;
    en->state = KV_PRESENT;
    s->kv.bytes += value.n;
    stmt_done(st);
}

void kv_rollback(struct store *s, size_t to)
{
    struct kv *kv = &s->kv;
    while (kv->undo_n > to) {
        struct kv_undo *u = &kv->undo[--kv->undo_n];
        struct kv_entry *en = u->entry;
        if (!u->flushed) {
            bury(kv, en->value);
            kv->bytes = kv->bytes + u->value_n - en->value_n;
            en->value = u->value;
            en->value_n = u->value_n;
            en->state = u->state;
        }
        en->flags &= (uint8_t)~(KV_DIRTY | KV_SCAN);
        mark(kv, en, u->flags);
    }
}

/* -- writing out ---------------------------------------------------------------- */

static int write_entry(struct store *s, struct kv_entry *en, struct err *e)
{
    sqlite3_stmt *st = stmt_get(s, en->state == KV_PRESENT ? STMT_KV_SET : STMT_KV_DELETE);
    bind_text(st, 1, en->m.key);
    if (en->state == KV_PRESENT) bind_text(st, 2, (struct span){ en->value, en->value_n });
    if (stmt_try(s, st, e) != 0) return -1;
    if (s->points_n > 0) undo_push(&s->kv, en, true);
    en->flags &= (uint8_t)~(KV_DIRTY | KV_SCAN);
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const struct kv_entry *const *x = a, *const *y = b;
    return span_cmp((*x)->m.key, (*y)->m.key);
}

/* Write the listed entries that have `flag`, in key order: neighbours share pages. */
static int flush_list(struct store *s, struct kv_list *list, uint8_t flag, uint8_t listed,
                      struct err *e)
{
    if (list->n == 0) return 0;
    if (list->n >= SORT_MIN) qsort(list->at, list->n, sizeof(struct kv_entry *), by_key);
    bool open = false;
    for (size_t i = 0; i < list->n; i++) {
        struct kv_entry *en = list->at[i];
        en->flags &= (uint8_t)~listed;
        if (!(en->flags & flag)) continue;
        if (!open && sql_begin_write(s, e) != 0) return -1;
        open = true;
        if (write_entry(s, en, e) != 0) return -1;
    }
    list->n = 0;
    return 0;
}

int kv_flush(struct store *s, struct err *e)
{
    if (flush_list(s, &s->kv.dirty, KV_DIRTY, KV_IN_DIRTY, e) != 0) return -1;
    return flush_list(s, &s->kv.scan, KV_SCAN, KV_IN_SCAN, e);
}

void kv_forget(struct store *s)
{
    INVARIANT(s->points_n == 0);
    drop_undo(&s->kv);
}

/* Keep what was used since the last time, or nothing if that is still too much. */
static void evict(struct kv *kv)
{
    struct map old = kv->map;
    size_t used = 0;
    for (size_t i = 0; i < old.cap; i++) {
        struct kv_entry *en = (struct kv_entry *)old.slots[i].entry;
        if (en != NULL && (en->flags & KV_USED))
            used += sizeof *en + en->m.key.n + en->value_n;
    }
    bool keep = used <= KV_CACHE_BYTES_MAX / 2;
    kv->map = (struct map){ .seed = old.seed };
    kv->bytes = 0;
    for (size_t i = 0; i < old.cap; i++) {
        struct kv_entry *en = (struct kv_entry *)old.slots[i].entry;
        if (en == NULL) continue;
        if (keep && (en->flags & KV_USED)) {
            en->flags &= (uint8_t)~KV_USED;
            map_insert(&kv->map, &en->m);
            kv->bytes += sizeof *en + en->m.key.n + en->value_n;
            continue;
        }
        free(en->value);
        free(en);
    }
    map_fini(&old);
}

void kv_trim(struct store *s)
{
    if (s->kv.bytes <= KV_CACHE_BYTES_MAX) return;
    struct err e;
    if (!s->readonly && kv_flush(s, &e) != 0) store_fatal(s, &e);
    evict(&s->kv);
}

/* -- the interface -------------------------------------------------------------- */

static void drain(struct store *s)
{
    sha256_update(s->crankhash, buf_span(&s->unhashed));
    buf_reset(&s->unhashed);
}

static void hash_line(struct store *s, struct span text)
{
    text = wtf8_to_utf8(&s->arena, text);
    if (text.n >= HASH_BATCH_BYTES) {
        drain(s);
        sha256_update(s->crankhash, text);
        buf_putc(&s->unhashed, '\n');
        return;
    }
    char *p = buf_room(&s->unhashed, text.n + 1);
    if (text.n > 0) memcpy(p, text.p, text.n);
    p[text.n] = '\n';
    s->unhashed.n += text.n + 1;
    if (s->unhashed.n >= HASH_BATCH_BYTES) drain(s);
}

static bool is_consensus(struct span key)
{
    INVARIANT(!span_starts(key, SPAN("host.")));
    return !span_starts(key, SPAN("local."));
}

bool kv_get(struct store *s, struct span key, struct span *value)
{
    struct kv_entry *en = entry_of(&s->kv, key);
    if (en->state == KV_UNKNOWN) load(s, en);
    if (en->state != KV_PRESENT) return false;
    if (value != NULL)
        *value = wtf8_read_back(&s->arena, (struct span){ en->value, en->value_n });
    return true;
}

void kv_set_raw(struct store *s, struct span key, struct span value)
{
    struct kv_entry *en = entry_of(&s->kv, key);
    if (en->state == KV_PRESENT && span_eq((struct span){ en->value, en->value_n }, value))
        return;
    assign(s, en, value_copy(value), value.n);
}

void kv_set(struct store *s, struct span key, struct span value)
{
    if (is_consensus(key)) {
        export_note_kv(s, key, value.p == NULL ? SPAN("") : value);
        hash_line(s, SPAN("add"));
        hash_line(s, key);
        hash_line(s, value);
    }
    kv_set_raw(s, key, value);
}

void kv_set_as(struct store *s, struct span key, struct span value, struct span change)
{
    INVARIANT(is_consensus(key));
    export_note_kv(s, key, value);
    hash_line(s, SPAN("change"));
    hash_line(s, key);
    hash_line(s, change);
    kv_set_raw(s, key, value);
}

static void delete_raw(struct store *s, struct span key)
{
    struct kv_entry *en = entry_of(&s->kv, key);
    if (en->state != KV_ABSENT) assign(s, en, NULL, 0);
}

void kv_delete(struct store *s, struct span key)
{
    if (is_consensus(key)) {
        export_note_kv(s, key, SPAN_NONE);
        hash_line(s, SPAN("delete"));
        hash_line(s, key);
    }
    delete_raw(s, key);
}

bool kv_next_key(struct store *s, struct span prev, struct span *key)
{
    struct err e;
    if (flush_list(s, &s->kv.scan, KV_SCAN, KV_IN_SCAN, &e) != 0) store_fatal(s, &e);
    sqlite3_stmt *st = stmt_get(s, STMT_KV_NEXT);
    bind_text(st, 1, prev);
    if (!stmt_row(s, st)) return false;
    *key = arena_copy(&s->arena, column_span(st, 0));
    stmt_done(st);
    return true;
}

/* Is there anything in memory that SQLite has otherwise, among keys that start with `from`?
 * True also where looking would take too long. */
static bool may_differ(const struct kv *kv, struct span from)
{
    if (kv->dirty.n > LOOK_THROUGH_MAX) return true;
    for (size_t i = 0; i < kv->dirty.n; i++) {
        if ((kv->dirty.at[i]->flags & KV_DIRTY) && span_starts(kv->dirty.at[i]->m.key, from)) return true;
    }
    return false;
}

/* What a key of SQLite's has now: memory knows better, if it knows it at all. */
static struct span value_now(struct store *s, struct span key, struct span in_sql)
{
    const struct map *map = &s->kv.map;
    const struct kv_entry *en = (const struct kv_entry *)map_find(map, key, map_hash(map, key));
    bool known = en != NULL && en->state == KV_PRESENT;
    return wtf8_read_back(&s->arena, known ? (struct span){ en->value, en->value_n } : in_sql);
}

struct kv_copied kv_copy(struct store *s, struct span from, struct span to)
{
    struct err e;
    struct buf name = { 0 };
    struct kv_copied all = { 0, 0 };
    if (flush_list(s, &s->kv.scan, KV_SCAN, KV_IN_SCAN, &e) != 0) store_fatal(s, &e);
    if (exports_wanted(s)) store_write(s); /* each key notes a record while the query runs */
    bool differ = may_differ(&s->kv, from);
    sqlite3_stmt *st = stmt_take(s, STMT_KV_FROM);
    bind_text(st, 1, from);
    buf_put(&name, to);
    while (stmt_row(s, st)) {
        struct span key = column_span(st, 0);
        if (!span_starts(key, from)) break;
        struct span value = column_span(st, 1);
        value = differ ? value_now(s, key, value) : wtf8_read_back(&s->arena, value);
        name.n = to.n;
        buf_put(&name, span_from(key, from.n));
        kv_set(s, buf_span(&name), value);
        all.keys++;
        all.bytes += key.n - from.n + value.n;
    }
    stmt_drop(s, STMT_KV_FROM, st);
    buf_fini(&name);
    return all;
}

void kv_host_set(struct store *s, struct span key, struct span value)
{
    INVARIANT(span_starts(key, SPAN("host.")));
    kv_set_raw(s, key, value);
}

void kv_host_delete(struct store *s, struct span key)
{
    INVARIANT(span_starts(key, SPAN("host.")));
    delete_raw(s, key);
}
