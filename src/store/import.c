/* import.c -- records first, as rows without their contents; then artifacts fill them. */
#include "store/import.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/utf.h"
#include "base/xalloc.h"
#include "store/compartments.h"
#include "store/file.h"
#include "store/internal.h"
#include "store/snapshot.h"

enum {
    TEXT_BYTES_MAX = 512 << 20,    /* of a key with its value, a transcript item, a bundle */
    PACKED_BYTES_MAX = 1000 << 20, /* of a snapshot; SQLite's blobs end at 1,000,000,000 */
};

/* -- statements -------------------------------------------------------------------- */

enum record_stmt {
    REC_PUT,
    REC_DROP,
    REC_KV_SET,
    REC_KV_DELETE,
    REC_ADD_SNAPSHOT,
    REC_ADD_SPAN,
    REC_ADD_BUNDLE,
    REC_GET_SNAPSHOT,
    REC_GET_SPAN,
    REC_GET_BUNDLE,
    REC_INCARNATION_START,
    REC_SET_SNAPSHOT,
    REC_SET_BUNDLE,
    REC_ADD_ITEM,
    REC_STMTS,
};

/* In importRecords a record keeps its place when its value changes, as in a JavaScript Map. */
static const char *const REC_SQL[REC_STMTS] = {
    [REC_PUT] = "INSERT INTO temp.importRecords (key, value) VALUES (?, ?)"
                " ON CONFLICT DO UPDATE SET value = excluded.value",
    [REC_DROP] = "DELETE FROM temp.importRecords WHERE key = ?",
    [REC_KV_SET] = "INSERT INTO kvStore (key, value) VALUES (?, ?)"
                   " ON CONFLICT DO UPDATE SET value = excluded.value",
    [REC_KV_DELETE] = "DELETE FROM kvStore WHERE key = ?",
    [REC_ADD_SNAPSHOT] = "INSERT INTO snapshots (vatID, snapPos, hash, inUse)"
                         " VALUES (?, ?, ?, ?)",
    [REC_ADD_SPAN] = "INSERT INTO transcriptSpans"
                     " (vatID, startPos, endPos, hash, isCurrent, incarnation)"
                     " VALUES (?, ?, ?, ?, ?, ?)",
    [REC_ADD_BUNDLE] = "INSERT INTO bundles (bundleID, bundle) VALUES (?, NULL)",
    [REC_GET_SNAPSHOT] = "SELECT hash, inUse FROM snapshots WHERE vatID = ? AND snapPos = ?",
    [REC_GET_SPAN] = "SELECT hash, isCurrent, incarnation, endPos FROM transcriptSpans"
                     " WHERE vatID = ? AND startPos = ?",
    [REC_GET_BUNDLE] = "SELECT 1 FROM bundles WHERE bundleID = ?",
    [REC_INCARNATION_START] = "SELECT min(startPos) FROM transcriptSpans WHERE vatID = ?1"
                              " AND incarnation = (SELECT incarnation FROM transcriptSpans"
                              " WHERE vatID = ?1 AND isCurrent = 1)",
    [REC_SET_SNAPSHOT] = "UPDATE snapshots SET uncompressedSize = ?, compressedSize = ?,"
                         " compressedSnapshot = ? WHERE vatID = ? AND snapPos = ?",
    [REC_SET_BUNDLE] = "UPDATE bundles SET bundle = ? WHERE bundleID = ?",
    [REC_ADD_ITEM] = "INSERT INTO transcriptItems (vatID, item, position, incarnation)"
                     " VALUES (?, ?, ?, ?)",
};

struct records {
    struct store *store;
    sqlite3_stmt *st[REC_STMTS];
};

/* Starts the transaction, too. */
static int records_begin(struct records *r, struct store *s, struct err *e)
{
    *r = (struct records){ .store = s };
    if (sql_begin_write(s, e) != 0) return -1;
    if (sql_exec(s, "CREATE TEMP TABLE importRecords (key TEXT PRIMARY KEY, value TEXT)", e))
        return -1;
    for (int i = 0; i < REC_STMTS; i++) {
        if (sql_prepare(s, REC_SQL[i], &r->st[i], e) != 0) return -1;
    }
    return 0;
}

static void records_fini(struct records *r)
{
    for (int i = 0; i < REC_STMTS; i++)
        sqlite3_finalize(r->st[i]);
    *r = (struct records){ .store = r->store };
}

/* Run a statement that gives no row.  A row that cannot be is the data's fault. */
static int run(struct records *r, enum record_stmt id, struct err *e)
{
    bool row;
    int rc = sql_step(r->store, r->st[id], &row, e);
    if (rc != 0 && (sqlite3_errcode(r->store->db) & 0xff) == SQLITE_CONSTRAINT)
        e->exit = EXIT_INTEGRITY;
    sqlite3_reset(r->st[id]);
    sqlite3_clear_bindings(r->st[id]);
    return rc;
}

static void bind_flag(sqlite3_stmt *st, int at, bool yes)
{
    if (yes)
        bind_u64(st, at, 1);
    else
        sqlite3_bind_null(st, at);
}

/* -- text from anybody --------------------------------------------------------------- */

static int bad(struct err *e, const char *what)
{
    return err_set(e, EXIT_INTEGRITY, "%s", what);
}

static bool is_utf8(struct span s)
{
    while (s.n > 0) {
        uint32_t cp;
        size_t n = utf_decode(s, &cp);
        if (n == 0 || utf_is_surrogate(cp)) return false;
        s = span_from(s, n);
    }
    return true;
}

static bool is_sha256(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
    }
    return s.n == SHA256_HEX;
}

/* What an error says a record or artifact is called; and what is said may quote it. */
static int in(struct err *e, struct span name)
{
    for (char *c = e->text; *c != '\0'; c++) {
        *c = shown_char(*c);
    }
    return err_while(e, "%s", span_shown(name).s);
}

static int check_text(struct span key, struct span value, struct err *e)
{
    if (key.n > TEXT_BYTES_MAX || value.n > TEXT_BYTES_MAX - key.n)
        return bad(e, "a record is too big");
    if (!is_utf8(key) || !is_utf8(value)) return bad(e, "it is not UTF-8");
    return 0;
}

/* -- what a record says ---------------------------------------------------------------- */

struct record {
    enum artifact_kind kind;
    bool pointer; /* snapshot.VAT.current: says nothing of its own */
    struct span id;
    uint64_t start, end, incarnation;
    struct span hash;
    bool current;
};

static bool read_flag(struct jval v, bool *out)
{
    uint64_t n;
    enum json_type t = json_type(v);
    *out = t == JSON_TRUE;
    if (t == JSON_TRUE || t == JSON_FALSE) return true;
    if (!json_u64(v, &n) || n > 1) return false;
    *out = n == 1;
    return true;
}

static int read_snapshot(struct jval v, struct span at, struct record *r, struct err *e)
{
    uint64_t position;
    if (!json_u64(json_get(v, "snapPos"), &r->start)) return bad(e, "no snapPos");
    if (!read_flag(json_get(v, "inUse"), &r->current)) return bad(e, "no inUse");
    if (span_u64(at, &position) && position == r->start) return 0;
    return bad(e, "the key names another position than the record");
}

static int read_span(struct jval v, struct span at, struct record *r, struct err *e)
{
    uint64_t start;
    if (!json_u64(json_get(v, "startPos"), &r->start)) return bad(e, "no startPos");
    if (!json_u64(json_get(v, "endPos"), &r->end)) return bad(e, "no endPos");
    if (!json_u64(json_get(v, "incarnation"), &r->incarnation))
        return bad(e, "no incarnation");
    if (!read_flag(json_get(v, "isCurrent"), &r->current)) return bad(e, "no isCurrent");
    if (r->end < r->start) return bad(e, "it ends before it starts");
    if (span_is(at, "current") != r->current)
        return bad(e, "key and record differ about which span is current");
    if (r->current || (span_u64(at, &start) && start == r->start)) return 0;
    return bad(e, "the key names another position than the record");
}

static int read_bundle(struct span key, struct span value, struct record *r, struct err *e)
{
    r->id = span_from(key, sizeof "bundle." - 1);
    if (!file_name_ok(r->id) || memchr(r->id.p, '.', r->id.n) != NULL)
        return bad(e, "that is no bundle ID");
    return span_eq(r->id, value) ? 0 : bad(e, "it names another bundle");
}

static int read_value(struct arena *a, struct span value, struct span at, struct record *r,
                      struct err *e)
{
    struct jval v;
    if (json_parse(a, value, &v, e) != 0) {
        e->exit = EXIT_INTEGRITY;
        return -1;
    }
    struct span vat = json_str(json_get(v, "vatID"), a);
    if (vat.p == NULL || !span_eq(vat, r->id)) return bad(e, "key and record differ in vatID");
    r->hash = json_str(json_get(v, "hash"), a);
    if (r->hash.p == NULL || !is_sha256(r->hash)) return bad(e, "no hash");
    return r->kind == ARTIFACT_SNAPSHOT ? read_snapshot(v, at, r, e)
                                        : read_span(v, at, r, e);
}

/* In the arena, or in key and value. */
static int record_read(struct arena *a, struct span key, struct span value, struct record *r,
                       struct err *e)
{
    struct span part[SPLIT_MAX];
    size_t n = split_dots(key, part);
    *r = (struct record){ 0 };
    if (n == 2 && span_is(part[0], "bundle")) {
        r->kind = ARTIFACT_BUNDLE;
        return read_bundle(key, value, r, e);
    }
    if (n == 3 && span_is(part[0], "snapshot")) r->kind = ARTIFACT_SNAPSHOT;
    if (n == 3 && span_is(part[0], "transcript")) r->kind = ARTIFACT_SPAN;
    if (r->kind == 0) return bad(e, "unknown kind of record");
    r->id = part[1];
    if (!vat_name_ok(r->id)) return bad(e, "that is no vat's ID");
    if (r->kind == ARTIFACT_SNAPSHOT && span_is(part[2], "current")) {
        r->pointer = true;
        return 0;
    }
    return read_value(a, value, part[2], r, e);
}

/* -- keeping records until all are there ------------------------------------------------ */

static bool is_kv(struct span key)
{
    return span_is(key, "kv") || span_starts(key, SPAN("kv."));
}

static int records_put(struct records *r, struct span key, struct span value, struct err *e)
{
    enum record_stmt id = value.p == NULL ? REC_DROP : REC_PUT;
    bind_text(r->st[id], 1, key);
    if (value.p != NULL) bind_text(r->st[id], 2, value);
    return run(r, id, e);
}

typedef int record_visit(void *ctx, const struct record *r, struct err *e);

/* In the order they first came. */
static int records_each(struct records *r, record_visit *visit, void *ctx, struct err *e)
{
    sqlite3_stmt *st;
    struct arena a;
    bool row = true;
    int rc = sql_prepare(r->store,
                         "SELECT key, value FROM temp.importRecords ORDER BY rowid", &st, e);
    if (rc != 0) return -1;
    arena_init(&a);
    while (rc == 0 && row) {
        struct record rec;
        rc = sql_step(r->store, st, &row, e);
        if (rc != 0 || !row) break;
        struct span key = column_span(st, 0);
        arena_reset(&a);
        rc = record_read(&a, key, column_span(st, 1), &rec, e);
        if (rc == 0 && !rec.pointer) rc = visit(ctx, &rec, e);
        if (rc != 0) in(e, key);
    }
    sqlite3_finalize(st);
    arena_fini(&a);
    return rc;
}

/* The row that a record stands for, its contents to come. */
static int add_row(struct records *r, const struct record *rec, struct err *e)
{
    enum record_stmt id = rec->kind == ARTIFACT_BUNDLE     ? REC_ADD_BUNDLE
                          : rec->kind == ARTIFACT_SNAPSHOT ? REC_ADD_SNAPSHOT
                                                           : REC_ADD_SPAN;
    sqlite3_stmt *st = r->st[id];
    bind_text(st, 1, rec->id);
    if (rec->kind == ARTIFACT_SNAPSHOT) {
        bind_u64(st, 2, rec->start);
        bind_text(st, 3, rec->hash);
        bind_flag(st, 4, rec->current);
    } else if (rec->kind == ARTIFACT_SPAN) {
        bind_u64(st, 2, rec->start);
        bind_u64(st, 3, rec->end);
        bind_text(st, 4, rec->hash);
        bind_flag(st, 5, rec->current);
        bind_u64(st, 6, rec->incarnation);
    }
    return run(r, id, e);
}

/* -- importing ---------------------------------------------------------------------------- */

struct importer {
    struct store *store;
    enum artifact_mode mode;
    struct records records;
    bool settled; /* records are rows now: no more of them */

    /* the artifact under way; kind 0: none */
    enum artifact_kind kind;
    bool wanted;
    struct buf name;
    struct artifact at; /* in `name` */
    char want[SHA256_HEX + 1];
    uint64_t incarnation;
    struct snapshot_writer *snapshot;
    struct buf bytes;  /* of a bundle; the line begun, of a span */
    uint64_t position; /* of the next item */
    char hash[SHA256_HEX + 1];
};

int importer_begin(const char *dir, enum artifact_mode mode, struct importer **out,
                   struct err *e)
{
    struct importer *im = xcalloc(1, sizeof *im);
    im->mode = mode;
    struct store_options o = { .any_version = true };
    if (store_open_with(dir, STORE_CREATE, &o, &im->store, e) != 0) {
        free(im);
        return -1;
    }
    if (records_begin(&im->records, im->store, e) != 0) {
        importer_abandon(im);
        return -1;
    }
    *out = im;
    return 0;
}

static void artifact_fini(struct importer *im)
{
    if (im->snapshot != NULL) snapshot_abandon(im->snapshot);
    im->snapshot = NULL;
    buf_reset(&im->bytes);
    im->kind = 0;
}

static void importer_free(struct importer *im)
{
    artifact_fini(im);
    buf_fini(&im->bytes);
    buf_fini(&im->name);
    free(im);
}

void importer_abandon(struct importer *im)
{
    if (im == NULL) return;
    records_fini(&im->records);
    store_discard(im->store);
    importer_free(im);
}

static int set_kv(struct importer *im, struct span key, struct span value, struct err *e)
{
    enum record_stmt id = value.p == NULL ? REC_KV_DELETE : REC_KV_SET;
    bind_text(im->records.st[id], 1, key);
    if (value.p != NULL) bind_text(im->records.st[id], 2, value);
    return run(&im->records, id, e);
}

int importer_record(struct importer *im, struct span key, struct span value, struct err *e)
{
    INVARIANT(!im->settled);
    if (check_text(key, value, e) != 0) return in(e, key);
    if (!is_kv(key)) return records_put(&im->records, key, value, e);
    struct span sub = span_is(key, "kv") ? SPAN("") : span_from(key, 3);
    if (!span_starts(sub, SPAN("host."))) return set_kv(im, sub, value, e);
    bad(e, "the host's own keys are no export data");
    return in(e, key);
}

int importer_host(struct importer *im, struct span key, struct span value, struct err *e)
{
    if (check_text(key, value, e) != 0) return in(e, key);
    if (span_starts(key, SPAN("host."))) return set_kv(im, key, value, e);
    bad(e, "that is no key of the host's own");
    return in(e, key);
}

static int settle_one(void *ctx, const struct record *r, struct err *e)
{
    return add_row(ctx, r, e);
}

static int settle(struct importer *im, struct err *e)
{
    if (im->settled) return 0;
    im->settled = true;
    return records_each(&im->records, settle_one, &im->records, e);
}

/* -- which artifact ------------------------------------------------------------------------ */

static int set_want(struct importer *im, sqlite3_stmt *st, struct err *e)
{
    struct span hash = column_span(st, 0);
    if (hash.n != SHA256_HEX) return bad(e, "its record has no hash");
    memcpy(im->want, hash.p, SHA256_HEX);
    im->want[SHA256_HEX] = '\0';
    return 0;
}

/* Of the spans of an old incarnation, `replay` has no use; of a vat without a current span,
 * neither (where upstream's importer fails). */
static int replay_wants(struct importer *im, struct err *e)
{
    sqlite3_stmt *st = im->records.st[REC_INCARNATION_START];
    bool row;
    bind_text(st, 1, im->at.id);
    int rc = sql_step(im->store, st, &row, e);
    if (rc == 0)
        im->wanted = row && sqlite3_column_type(st, 0) != SQLITE_NULL &&
                     im->at.start >= column_u64(st, 0);
    sqlite3_reset(st);
    return rc;
}

static int span_record_of(struct importer *im, sqlite3_stmt *st, struct err *e)
{
    bool current = sqlite3_column_type(st, 1) != SQLITE_NULL;
    im->incarnation = column_u64(st, 2);
    im->position = im->at.start;
    span_hash_begin(im->hash);
    im->wanted = im->mode != ARTIFACTS_OPERATIONAL || current;
    if (column_u64(st, 3) != im->at.end) return bad(e, "its record ends elsewhere");
    if (set_want(im, st, e) != 0) return -1;
    return im->mode == ARTIFACTS_REPLAY ? replay_wants(im, e) : 0;
}

static int snapshot_record_of(struct importer *im, sqlite3_stmt *st, struct err *e)
{
    bool in_use = sqlite3_column_type(st, 1) != SQLITE_NULL;
    im->wanted = im->mode == ARTIFACTS_DEBUG || in_use;
    return set_want(im, st, e);
}

static int find_record(struct importer *im, struct err *e)
{
    enum record_stmt id = im->at.kind == ARTIFACT_BUNDLE     ? REC_GET_BUNDLE
                          : im->at.kind == ARTIFACT_SNAPSHOT ? REC_GET_SNAPSHOT
                                                             : REC_GET_SPAN;
    sqlite3_stmt *st = im->records.st[id];
    bool row;
    bind_text(st, 1, im->at.id);
    if (im->at.kind != ARTIFACT_BUNDLE) bind_u64(st, 2, im->at.start);
    int rc = sql_step(im->store, st, &row, e);
    if (rc == 0 && !row) rc = bad(e, "no record speaks of it");
    im->wanted = true;
    if (rc == 0 && im->at.kind == ARTIFACT_SNAPSHOT) rc = snapshot_record_of(im, st, e);
    if (rc == 0 && im->at.kind == ARTIFACT_SPAN) rc = span_record_of(im, st, e);
    sqlite3_reset(st);
    return rc;
}

int importer_artifact(struct importer *im, struct span name, bool *wanted, struct err *e)
{
    INVARIANT(im->kind == 0);
    if (settle(im, e) != 0) return -1;
    buf_reset(&im->name);
    buf_put(&im->name, name);
    if (artifact_parse(buf_span(&im->name), &im->at, e) != 0) {
        e->exit = EXIT_INTEGRITY;
        return -1;
    }
    if (find_record(im, e) != 0) return in(e, name);
    im->kind = im->at.kind;
    if (im->kind == ARTIFACT_SNAPSHOT && im->wanted) im->snapshot = snapshot_begin(im->store);
    *wanted = im->wanted;
    return 0;
}

/* -- its bytes ----------------------------------------------------------------------------- */

static int add_item(struct importer *im, struct span item, struct err *e)
{
    static const char space[] = "\t\n\v\f\r ";
    while (item.n > 0 && memchr(space, item.p[item.n - 1], sizeof space - 1) != NULL)
        item.n--;
    if (im->position == im->at.end) return bad(e, "it has too many items");
    if (!is_utf8(item)) return bad(e, "an item is not UTF-8");
    sqlite3_stmt *st = im->records.st[REC_ADD_ITEM];
    bind_text(st, 1, im->at.id);
    bind_text(st, 2, item);
    bind_u64(st, 3, im->position);
    bind_u64(st, 4, im->incarnation);
    span_hash_add(im->hash, item);
    im->position++;
    return run(&im->records, REC_ADD_ITEM, e);
}

static int more_lines(struct importer *im, struct span bytes, struct err *e)
{
    while (bytes.n > 0) {
        const char *nl = memchr(bytes.p, '\n', bytes.n);
        size_t n = nl == NULL ? bytes.n : (size_t)(nl - bytes.p);
        if (n > TEXT_BYTES_MAX - im->bytes.n) return bad(e, "an item is too big");
        struct span line = { bytes.p, n };
        bool whole = im->bytes.n == 0;
        if (!whole || nl == NULL) buf_put(&im->bytes, line);
        if (nl == NULL) return 0;
        if (add_item(im, whole ? line : buf_span(&im->bytes), e) != 0) return -1;
        buf_reset(&im->bytes);
        bytes = span_from(bytes, n + 1);
    }
    return 0;
}

static int take_bytes(struct importer *im, struct span bytes, struct err *e)
{
    switch (im->kind) {
    case ARTIFACT_SNAPSHOT:
        snapshot_write(im->snapshot, bytes);
        return snapshot_packed_so_far(im->snapshot) <= PACKED_BYTES_MAX
                   ? 0
                   : bad(e, "it is too big");
    case ARTIFACT_BUNDLE:
        if (bytes.n > TEXT_BYTES_MAX - im->bytes.n) return bad(e, "it is too big");
        buf_put(&im->bytes, bytes);
        return 0;
    case ARTIFACT_SPAN: return more_lines(im, bytes, e);
    }
    BUG("bytes of no artifact");
}

int importer_bytes(struct importer *im, struct span bytes, struct err *e)
{
    if (!im->wanted) return 0;
    return take_bytes(im, bytes, e) == 0 ? 0 : in(e, im->at.name);
}

/* -- its end --------------------------------------------------------------------------------- */

static int end_span(struct importer *im, struct err *e)
{
    if (im->bytes.n > 0 && add_item(im, buf_span(&im->bytes), e) != 0) return -1;
    if (im->position != im->at.end) return bad(e, "it has too few items");
    if (strcmp(im->hash, im->want) == 0) return 0;
    return err_set(e, EXIT_INTEGRITY, "its items have hash %s, its record says %s", im->hash,
                   im->want);
}

static int end_snapshot(struct importer *im, struct err *e)
{
    char hash[SHA256_HEX + 1];
    uint64_t raw_bytes;
    struct span packed = snapshot_packed(im->snapshot, hash, &raw_bytes);
    if (strcmp(hash, im->want) != 0)
        return err_set(e, EXIT_INTEGRITY, "it has hash %s, its record says %s", hash, im->want);
    if (packed.n > (uint64_t)sqlite3_limit(im->store->db, SQLITE_LIMIT_LENGTH, -1))
        return bad(e, "it is too big");
    sqlite3_stmt *st = im->records.st[REC_SET_SNAPSHOT];
    bind_u64(st, 1, raw_bytes);
    bind_u64(st, 2, packed.n);
    bind_blob(st, 3, packed);
    bind_text(st, 4, im->at.id);
    bind_u64(st, 5, im->at.start);
    return run(&im->records, REC_SET_SNAPSHOT, e);
}

static int set_bundle(struct importer *im, struct span bytes, bool is_text, struct err *e)
{
    sqlite3_stmt *st = im->records.st[REC_SET_BUNDLE];
    if (is_text)
        bind_text(st, 1, bytes);
    else
        bind_blob(st, 1, bytes);
    bind_text(st, 2, im->at.id);
    return run(&im->records, REC_SET_BUNDLE, e);
}

/* {"moduleFormat":…,"source":…,"sourceMap":…}: those three, and nothing else that came. */
static void put_nested(struct buf *out, struct jval bundle)
{
    static const char *const members[] = { "moduleFormat", "source", "sourceMap" };
    buf_putc(out, '{');
    for (int i = 0; i < 3; i++) {
        struct jval v = json_get(bundle, members[i]);
        if (json_type(v) == JSON_NONE) continue;
        buf_printf(out, "%s\"%s\":", out->n > 1 ? "," : "", members[i]);
        json_put_value(out, v);
    }
    buf_putc(out, '}');
}

static int end_nested(struct importer *im, struct err *e)
{
    struct arena a;
    struct buf text = { 0 };
    struct jval bundle;
    char hash[SHA256_HEX + 1];
    arena_init(&a);
    int rc = json_parse(&a, buf_span(&im->bytes), &bundle, e);
    if (rc == 0) {
        put_nested(&text, bundle);
        sha256_hex(buf_span(&text), hash);
        rc = span_is(span_from(im->at.id, 3), hash)
                 ? set_bundle(im, buf_span(&text), true, e)
                 : bad(e, "it is not the bundle its ID says");
    } else {
        e->exit = EXIT_INTEGRITY;
    }
    buf_fini(&text);
    arena_fini(&a);
    return rc;
}

static int end_bundle(struct importer *im, struct err *e)
{
    struct span id = im->at.id;
    if (span_starts(id, SPAN("b0-"))) return end_nested(im, e);
    if (!span_starts(id, SPAN("b1-"))) return bad(e, "unsupported kind of bundle");
    struct arena a;
    arena_init(&a);
    int rc = compartments_check(buf_span(&im->bytes), span_from(id, 3), &a, NULL, e);
    arena_fini(&a);
    return rc == 0 ? set_bundle(im, buf_span(&im->bytes), false, e) : -1;
}

static int end_artifact(struct importer *im, struct err *e)
{
    switch (im->kind) {
    case ARTIFACT_SNAPSHOT: return end_snapshot(im, e);
    case ARTIFACT_BUNDLE: return end_bundle(im, e);
    case ARTIFACT_SPAN: return end_span(im, e);
    }
    BUG("the end of no artifact");
}

int importer_artifact_end(struct importer *im, struct err *e)
{
    if (im->wanted && end_artifact(im, e) != 0) return in(e, im->at.name);
    artifact_fini(im);
    return 0;
}

/* -- all there -------------------------------------------------------------------------------- */

int importer_finish(struct importer *im, struct store **store, struct err *e)
{
    INVARIANT(im->kind == 0);
    struct store *s = im->store;
    if (settle(im, e) != 0 || store_check_complete(s, im->mode, e) != 0) return -1;
    records_fini(&im->records);
    if (sql_exec(s, "DROP TABLE temp.importRecords; COMMIT", e) != 0) return -1;
    if (s->dir != NULL && dir_sync(s->dir, e) != 0) return -1;
    importer_free(im);
    if (store != NULL)
        *store = s;
    else
        store_close(s);
    return 0;
}

/* -- repair ------------------------------------------------------------------------------------ */

struct repair {
    struct records records;
    uint64_t added;
};

int repair_begin(struct store *s, struct repair **out, struct err *e)
{
    INVARIANT(s->spans.map.n == 0);
    struct repair *r = xcalloc(1, sizeof *r);
    if (records_begin(&r->records, s, e) != 0) {
        repair_abandon(r);
        return -1;
    }
    *out = r;
    return 0;
}

int repair_record(struct repair *r, struct span key, struct span value, struct err *e)
{
    if (is_kv(key)) return 0;
    if (check_text(key, value, e) != 0) return in(e, key);
    return records_put(&r->records, key, value, e);
}

static bool agrees(const struct record *rec, sqlite3_stmt *st)
{
    if (rec->kind == ARTIFACT_BUNDLE) return true;
    bool current = sqlite3_column_type(st, 1) != SQLITE_NULL;
    if (!span_eq(column_span(st, 0), rec->hash) || current != rec->current) return false;
    return rec->kind == ARTIFACT_SNAPSHOT ||
           (column_u64(st, 2) == rec->incarnation && column_u64(st, 3) == rec->end);
}

static int repair_one(void *ctx, const struct record *rec, struct err *e)
{
    struct repair *r = ctx;
    enum record_stmt id = rec->kind == ARTIFACT_BUNDLE     ? REC_GET_BUNDLE
                          : rec->kind == ARTIFACT_SNAPSHOT ? REC_GET_SNAPSHOT
                                                           : REC_GET_SPAN;
    sqlite3_stmt *st = r->records.st[id];
    bool row;
    bind_text(st, 1, rec->id);
    if (rec->kind != ARTIFACT_BUNDLE) bind_u64(st, 2, rec->start);
    int rc = sql_step(r->records.store, st, &row, e);
    bool same = rc == 0 && row && agrees(rec, st);
    sqlite3_reset(st);
    if (rc != 0) return -1;
    if (row) return same ? 0 : bad(e, "the store's record differs");
    if (rec->kind == ARTIFACT_BUNDLE) return bad(e, "the store has no such bundle");
    r->added++;
    return add_row(&r->records, rec, e);
}

static int repair_all(struct repair *r, struct err *e)
{
    if (records_each(&r->records, repair_one, r, e) != 0) return -1;
    if (store_check_complete(r->records.store, ARTIFACTS_OPERATIONAL, e) != 0) return -1;
    records_fini(&r->records);
    return sql_exec(r->records.store, "DROP TABLE temp.importRecords", e);
}

int repair_finish(struct repair *r, uint64_t *added, struct err *e)
{
    int rc = repair_all(r, e);
    *added = r->added;
    repair_abandon(r);
    return rc;
}

void repair_abandon(struct repair *r)
{
    if (r == NULL) return;
    records_fini(&r->records);
    free(r);
}
