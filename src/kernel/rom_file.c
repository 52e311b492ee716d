#include "kernel/rom_file.h"

#include "base/heap_format.h"
#include "store/zip.h"

enum { MEMBERS = 3, NAME_MAX_BYTES = 199 };

static const char *const member_names[MEMBERS] = { "heap", "vatstore.jsonl", "bundle.json" };

bool rom_row_is_import(const struct rom_row *row)
{
    return row->vref.p[1] == '-';
}

bool rom_row_is_wanted(const struct rom_row *row)
{
    return rom_row_is_import(row) && (row->reachable || row->vref.p[0] == 'd');
}

const struct rom_row *rom_find_row(const struct rom *r, struct span name)
{
    size_t from = 0, to = r->row_count;
    while (from < to) {
        size_t at = from + (to - from) / 2;
        int order = span_cmp(r->rows[at].vref, name);
        if (order == 0) return &r->rows[at];
        if (order < 0) from = at + 1;
        else to = at;
    }
    return NULL;
}

/* -- the heap's own header ------------------------------------------------------------------- */

static size_t length_at(const unsigned char *p)
{
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

/* An atom: its length in network order, a name of four letters, what the length says. */
static struct span atom(struct span *heap, const char *name)
{
    const unsigned char *p = (const unsigned char *)heap->p;
    if (heap->n < 8 || memcmp(p + 4, name, 4) != 0) return SPAN_NONE;
    size_t n = length_at(p);
    if (n < 8 || n > heap->n) return SPAN_NONE;
    struct span content = { heap->p + 8, n - 8 };
    *heap = span_from(*heap, n);
    return content;
}

static bool is_printable(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < ' ' || s.p[i] > '~') return false;
    }
    return true;
}

struct span rom_engine(struct arena *a, struct span heap)
{
    const unsigned char *p = (const unsigned char *)heap.p;
    if (heap.n < 8 || memcmp(p + 4, "XS_M", 4) != 0) return SPAN_NONE;
    size_t rest = length_at(p); /* of the outermost atom: without its own eight bytes */
    if (rest != heap.n - 8) return SPAN_NONE;
    heap = span_from(heap, 8);
    struct span version = atom(&heap, "VERS"), signature = atom(&heap, "SIGN");
    if (version.n != 4 || signature.p == NULL || signature.n > 32 || !is_printable(signature)) {
        return SPAN_NONE;
    }
    const unsigned char *v = (const unsigned char *)version.p;
    return arena_printf(a, "XS %d.%d.%d, %d-byte slots, %.*s", v[0], v[1], v[2], v[3],
                        SPAN_ARG(signature));
}

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

struct span rom_engine_here(void)
{
    return SPAN("XS " TEXT(HEAP_XS_MAJOR) "." TEXT(HEAP_XS_MINOR) "." TEXT(HEAP_XS_PATCH) ", "
                TEXT(HEAP_SLOT_BYTES) "-byte slots, " HEAP_SIGNATURE);
}

/* -- writing -------------------------------------------------------------------------------------- */

static void put_text(struct buf *b, struct span text)
{
    if (text.p == NULL) buf_puts(b, "null");
    else json_put_string(b, text);
}

static void put_texts(struct buf *b, const struct span *texts, size_t count)
{
    buf_putc(b, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buf_putc(b, ',');
        put_text(b, texts[i]);
    }
    buf_putc(b, ']');
}

static void put_u64(struct buf *b, const char *before, uint64_t n)
{
    buf_printf(b, "%s%llu", before, (unsigned long long)n);
}

static void put_parameters(struct buf *b, const struct rom *r)
{
    if (!r->has_parameters) {
        buf_puts(b, "null");
        return;
    }
    buf_puts(b, "{\"body\":");
    put_text(b, r->parameters.body);
    buf_puts(b, ",\"slots\":");
    put_texts(b, r->parameters.slots, r->parameters.count);
    buf_putc(b, '}');
}

static void put_clist(struct buf *b, const struct rom *r)
{
    buf_putc(b, '[');
    for (size_t i = 0; i < r->row_count; i++) {
        const struct rom_row *row = &r->rows[i];
        buf_puts(b, i > 0 ? ",[" : "[");
        put_text(b, row->vref);
        buf_puts(b, row->reachable ? ",\"R\"" : ",\"_\"");
        if (rom_row_is_import(row)) {
            buf_putc(b, ',');
            put_text(b, row->was);
        }
        buf_putc(b, ']');
    }
    buf_putc(b, ']');
}

static void put_lineage(struct buf *b, const struct rom *r)
{
    buf_putc(b, '[');
    for (size_t i = 0; i < r->ancestor_count; i++) {
        const struct rom_ancestor *n = &r->ancestors[i];
        buf_puts(b, i > 0 ? ",{\"vatID\":" : "{\"vatID\":");
        put_text(b, n->vat);
        put_u64(b, ",\"incarnation\":", n->incarnation);
        put_u64(b, ",\"position\":", n->position);
        buf_puts(b, ",\"snapshotID\":");
        put_text(b, n->snapshot);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void put_members(struct buf *b, const struct span contents[MEMBERS])
{
    char hash[SHA256_HEX + 1];
    buf_putc(b, '[');
    for (size_t i = 0; i < MEMBERS; i++) {
        sha256_hex(contents[i], hash);
        buf_printf(b, "%s{\"name\":\"%s\",\"bytes\":%llu,\"sha256\":\"%s\"}", i > 0 ? "," : "",
                   member_names[i], (unsigned long long)contents[i].n, hash);
    }
    buf_putc(b, ']');
}

static void put_manifest(struct buf *b, const struct rom *r, const struct span contents[MEMBERS])
{
    buf_printf(b, "{\"schema\":%d,\"kind\":\"zygote-rom\",\"name\":", ROM_SCHEMA);
    put_text(b, r->name);
    buf_puts(b, ",\"engine\":");
    put_text(b, r->engine);
    buf_puts(b, ",\"boot\":");
    put_texts(b, r->boot, r->boot_count);
    buf_puts(b, ",\"bundle\":");
    put_text(b, r->bundle_id);
    buf_printf(b, ",\"metered\":%s,\"reapDirtThreshold\":", r->metered ? "true" : "false");
    buf_put(b, r->reap_dirt_threshold);
    buf_puts(b, ",\"reapDirt\":");
    buf_put(b, r->reap_dirt);
    put_u64(b, ",\"nextIDs\":{\"o\":", r->next_o);
    put_u64(b, ",\"p\":", r->next_p);
    put_u64(b, ",\"d\":", r->next_d);
    buf_puts(b, "},\"vatParameters\":");
    put_parameters(b, r);
    buf_puts(b, ",\"clist\":");
    put_clist(b, r);
    buf_puts(b, ",\"lineage\":");
    put_lineage(b, r);
    buf_puts(b, ",\"members\":");
    put_members(b, contents);
    buf_puts(b, "}\n");
}

static void put_vatstore(struct buf *b, const struct rom *r)
{
    for (size_t i = 0; i < r->entry_count; i++) {
        buf_putc(b, '[');
        put_text(b, r->entries[i].key);
        buf_putc(b, ',');
        put_text(b, r->entries[i].value);
        buf_puts(b, "]\n");
    }
}

int rom_write(const struct rom *r, struct buf *out, struct err *e)
{
    struct buf manifest = { 0 }, vatstore = { 0 };
    struct zip_writer w = { .out = out };
    put_vatstore(&vatstore, r);
    const struct span contents[MEMBERS] = { r->heap, buf_span(&vatstore), r->bundle };
    put_manifest(&manifest, r, contents);
    bool ok = zip_put(&w, SPAN("manifest.json"), buf_span(&manifest));
    for (size_t i = 0; i < MEMBERS; i++) {
        ok = ok && zip_put(&w, span_of(member_names[i]), contents[i]);
    }
    zip_finish(&w);
    buf_fini(&manifest);
    buf_fini(&vatstore);
    return ok ? 0 : err_set(e, EXIT_FAILED, "the vat is too large for one file");
}

/* -- reading ---------------------------------------------------------------------------------------- */

/* A file under examination. */
struct reading {
    struct arena *a;
    struct rom *r;
    struct err *e;
};

static int bad(struct reading *x, const char *what)
{
    return err_set(x->e, EXIT_INTEGRITY, "not a good rom: %s", what);
}

static int bad_member(struct reading *x, const char *where, struct span name)
{
    return err_set(x->e, EXIT_INTEGRITY, "not a good rom: %s has an unknown member \"%s\"", where,
                   span_shown(name).s);
}

/* An object with these members, once each, in this order. */
static int members_are(struct reading *x, struct jval v, const char *where,
                       const char *const *names, size_t count)
{
    if (json_type(v) != JSON_OBJECT) {
        return err_set(x->e, EXIT_INTEGRITY, "not a good rom: %s is no object", where);
    }
    size_t at = 0;
    for (struct jval m = json_first(v); json_type(m) != JSON_NONE; m = json_next(m)) {
        struct span name = json_name(m, x->a);
        if (at == count || !span_is(name, names[at])) return bad_member(x, where, name);
        at++;
    }
    return at == count ? 0
                       : err_set(x->e, EXIT_INTEGRITY, "not a good rom: %s has no member \"%s\"",
                                 where, names[at]);
}
#define MEMBERS_ARE(x, v, where, ...)                                                         \
    members_are((x), (v), (where), (const char *const[]){ __VA_ARGS__ },                      \
                sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static bool is_hex(struct span s, size_t n)
{
    if (s.n != n) return false;
    for (size_t i = 0; i < n; i++) {
        char c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
    }
    return true;
}

static bool is_bundle_id(struct span s, const char *format, size_t digits)
{
    return span_starts(s, span_of(format)) && is_hex(span_from(s, 3), digits);
}

/* As vat-admin's VAT_NAME. */
static bool is_name(struct span s)
{
    if (s.n == 0 || s.n > NAME_MAX_BYTES) return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '.' || c == '_' || c == '-';
        if (!ok) return false;
    }
    return true;
}

/* A count that can be counted on from: far below what a JavaScript number holds. */
static bool read_count(struct jval v, uint64_t *out)
{
    return json_u64(v, out) && *out < UINT64_C(1) << 48;
}

static bool is_count(struct jval v)
{
    uint64_t n;
    return read_count(v, &n);
}

/* What dirt is counted in, and how much of it is enough.  It is kept as it stands, so it must
 * stand there as the kernel would have written it. */
static bool is_dirt(struct reading *x, struct jval v, bool threshold)
{
    static const char *const names[] = { "deliveries", "gcKrefs", "computrons", "never" };
    unsigned seen = 0;
    if (json_type(v) != JSON_OBJECT) return false;
    for (struct jval m = json_first(v); json_type(m) != JSON_NONE; m = json_next(m)) {
        struct span name = json_name(m, x->a);
        size_t at = 0;
        while (at < 4 && !span_is(name, names[at])) at++;
        bool never = at == 3;
        if (at == 4 || (seen & 1u << at) != 0 || (never && !threshold)) return false;
        seen |= 1u << at;
        bool flag = json_type(m) == JSON_TRUE || json_type(m) == JSON_FALSE;
        if (never ? !flag : !is_count(m) && !(threshold && json_is(m, "never"))) return false;
    }
    struct buf again = { 0 };
    json_put_value(&again, v);
    bool same = span_eq(buf_span(&again), json_raw(v));
    buf_fini(&again);
    return same;
}

static int read_next_ids(struct reading *x, struct jval v)
{
    if (MEMBERS_ARE(x, v, "nextIDs", "o", "p", "d") != 0) return -1;
    bool ok = read_count(json_get(v, "o"), &x->r->next_o) && read_count(json_get(v, "p"), &x->r->next_p) &&
              read_count(json_get(v, "d"), &x->r->next_d);
    return ok ? 0 : bad(x, "nextIDs are no counts");
}

static int read_boot(struct reading *x, struct jval v)
{
    struct rom *r = x->r;
    r->boot_count = json_len(v);
    if (json_type(v) != JSON_ARRAY || r->boot_count > 4) return bad(x, "boot is no short list");
    r->boot = ARENA_ARRAY(x->a, struct span, r->boot_count + 1);
    for (size_t i = 0; i < r->boot_count; i++) {
        r->boot[i] = json_str(json_at(v, i), x->a);
        if (!is_bundle_id(r->boot[i], "b0-", SHA256_HEX)) return bad(x, "boot has what is no bundle's ID");
    }
    return 0;
}

/* -- the c-list */

/* What the kernel names has been counted by nextIDs: a name at or beyond it would be given to
 * something else. */
static bool vref_is_allocated(const struct rom *r, vref v)
{
    uint64_t n;
    if (v.vat_allocated) return v.kind == KREF_OBJECT;
    return span_u64(span_from(v.text, 2), &n) && n < (v.kind == KREF_OBJECT ? r->next_o : r->next_d);
}

static int read_row(struct reading *x, struct jval v, const struct rom_row *before, struct rom_row *out)
{
    vref name;
    struct rom_row row = { .vref = json_str(json_at(v, 0), x->a) };
    struct jval flag = json_at(v, 1);
    row.reachable = json_is(flag, "R");
    if (!row.reachable && !json_is(flag, "_")) return bad(x, "a row of clist has no flag");
    if (row.vref.p == NULL || !vref_parse(row.vref, &name)) return bad(x, "a row of clist has no name");
    if (name.kind == KREF_PROMISE) return bad(x, "clist has a promise");
    if (!vref_is_allocated(x->r, name)) return bad(x, "clist has a name that was never allocated");
    if (before != NULL && span_cmp(before->vref, row.vref) >= 0) return bad(x, "clist is out of order");
    bool import = rom_row_is_import(&row);
    if (json_len(v) != (import ? 3 : 2)) return bad(x, "a row of clist is too long, or too short");
    if (import) {
        row.was = json_str(json_at(v, 2), x->a);
        if (row.was.p == NULL || row.was.n > ROM_WAS_MAX) return bad(x, "clist does not say what an import was");
    }
    *out = row;
    return 0;
}

static int read_clist(struct reading *x, struct jval v)
{
    struct rom *r = x->r;
    if (json_type(v) != JSON_ARRAY) return bad(x, "clist is no list");
    r->rows = ARENA_ARRAY(x->a, struct rom_row, json_len(v) + 1);
    for (struct jval row = json_first(v); json_type(row) != JSON_NONE; row = json_next(row)) {
        const struct rom_row *before = r->row_count > 0 ? &r->rows[r->row_count - 1] : NULL;
        if (read_row(x, row, before, &r->rows[r->row_count]) != 0) return -1;
        r->row_count++;
    }
    return 0;
}

static bool clist_reaches(const struct rom *r, struct span name)
{
    const struct rom_row *row = rom_find_row(r, name);
    return row != NULL && row->reachable;
}

static int read_parameters(struct reading *x, struct jval v)
{
    struct vat_capdata *p = &x->r->parameters;
    if (json_type(v) == JSON_NULL) return 0;
    if (MEMBERS_ARE(x, v, "vatParameters", "body", "slots") != 0) return -1;
    struct jval slots = json_get(v, "slots");
    p->body = json_str(json_get(v, "body"), x->a);
    if (p->body.p == NULL || json_type(slots) != JSON_ARRAY) return bad(x, "vatParameters are no capdata");
    p->slots = ARENA_ARRAY(x->a, struct span, json_len(slots) + 1);
    for (struct jval s = json_first(slots); json_type(s) != JSON_NONE; s = json_next(s)) {
        struct span name = json_str(s, x->a);
        bool known = json_type(s) == JSON_NULL || (name.p != NULL && clist_reaches(x->r, name));
        if (!known) return bad(x, "vatParameters name what the vat does not have");
        p->slots[p->count++] = name;
    }
    x->r->has_parameters = true;
    return 0;
}

/* -- the rest of the manifest */

static int read_ancestor(struct reading *x, struct jval v, struct rom_ancestor *out)
{
    vat_id vat;
    if (MEMBERS_ARE(x, v, "a vat of the lineage", "vatID", "incarnation", "position", "snapshotID") != 0) {
        return -1;
    }
    *out = (struct rom_ancestor){ .vat = json_str(json_get(v, "vatID"), x->a),
                                  .snapshot = json_str(json_get(v, "snapshotID"), x->a) };
    bool ok = vat_id_parse(out->vat, &vat) && is_hex(out->snapshot, SHA256_HEX) &&
              json_u64(json_get(v, "incarnation"), &out->incarnation) &&
              json_u64(json_get(v, "position"), &out->position);
    return ok ? 0 : bad(x, "a vat of the lineage is not described");
}

static int read_lineage(struct reading *x, struct jval v)
{
    struct rom *r = x->r;
    size_t count = json_len(v);
    if (json_type(v) != JSON_ARRAY || count == 0 || count > ROM_LINEAGE_MAX) {
        return bad(x, "the lineage is no list of a decent length");
    }
    r->ancestors = ARENA_ARRAY(x->a, struct rom_ancestor, count);
    for (struct jval n = json_first(v); json_type(n) != JSON_NONE; n = json_next(n)) {
        if (read_ancestor(x, n, &r->ancestors[r->ancestor_count]) != 0) return -1;
        r->ancestor_count++;
    }
    return 0;
}

static int check_member(struct reading *x, struct zip *z, struct jval v, const char *name,
                        struct span *content)
{
    char hash[SHA256_HEX + 1];
    uint64_t bytes;
    if (MEMBERS_ARE(x, v, "a file in members", "name", "bytes", "sha256") != 0) return -1;
    if (!json_is(json_get(v, "name"), name) || !json_u64(json_get(v, "bytes"), &bytes)) {
        return bad(x, "members are not what they should be");
    }
    if (zip_read(z, span_of(name), content, x->e) != 0) return -1;
    if (content->n != bytes) {
        return err_set(x->e, EXIT_INTEGRITY, "not a good rom: %s has %zu bytes, not %llu", name,
                       content->n, (unsigned long long)bytes);
    }
    sha256_hex(*content, hash);
    if (json_is(json_get(v, "sha256"), hash)) return 0;
    return err_set(x->e, EXIT_INTEGRITY, "not a good rom: %s has another hash, %s", name, hash);
}

static int check_members(struct reading *x, struct zip *z, struct jval v, struct span contents[MEMBERS])
{
    if (json_type(v) != JSON_ARRAY || json_len(v) != MEMBERS) return bad(x, "members are not what they should be");
    for (size_t i = 0; i < MEMBERS; i++) {
        if (check_member(x, z, json_at(v, i), member_names[i], &contents[i]) != 0) return -1;
    }
    return z->unread == 0 ? 0 : bad(x, "there are more files in it");
}

static int check_schema(struct reading *x, struct jval m)
{
    uint64_t schema;
    if (!json_is(json_get(m, "kind"), "zygote-rom") || !json_u64(json_get(m, "schema"), &schema)) {
        return bad(x, "its manifest is of something else");
    }
    if (schema == ROM_SCHEMA) return 0;
    return err_set(x->e, EXIT_INCOMPATIBLE, "a rom of schema %llu; this program knows schema %d",
                   (unsigned long long)schema, ROM_SCHEMA);
}

static int read_plain(struct reading *x, struct jval m)
{
    struct rom *r = x->r;
    struct jval name = json_get(m, "name"), metered = json_get(m, "metered");
    r->name = json_str(name, x->a);
    r->engine = json_str(json_get(m, "engine"), x->a);
    r->bundle_id = json_str(json_get(m, "bundle"), x->a);
    r->metered = json_type(metered) == JSON_TRUE;
    r->reap_dirt_threshold = json_raw(json_get(m, "reapDirtThreshold"));
    r->reap_dirt = json_raw(json_get(m, "reapDirt"));
    if (json_type(name) != JSON_NULL && (r->name.p == NULL || !is_name(r->name))) return bad(x, "the vat's name");
    if (r->engine.p == NULL || r->engine.n > 100 || !is_printable(r->engine)) return bad(x, "the engine's name");
    if (!is_bundle_id(r->bundle_id, "b1-", SHA512_HEX)) return bad(x, "the bundle's ID");
    if (!r->metered && json_type(metered) != JSON_FALSE) return bad(x, "metered is neither true nor false");
    if (!is_dirt(x, json_get(m, "reapDirtThreshold"), true) || !is_dirt(x, json_get(m, "reapDirt"), false)) {
        return bad(x, "the rules of when it is reaped");
    }
    return 0;
}

static int read_manifest(struct reading *x, struct jval m)
{
    if (check_schema(x, m) != 0 ||
        MEMBERS_ARE(x, m, "the manifest", "schema", "kind", "name", "engine", "boot", "bundle",
                    "metered", "reapDirtThreshold", "reapDirt", "nextIDs", "vatParameters", "clist",
                    "lineage", "members") != 0) {
        return -1;
    }
    if (read_plain(x, m) != 0 || read_boot(x, json_get(m, "boot")) != 0) return -1;
    if (read_next_ids(x, json_get(m, "nextIDs")) != 0 || read_clist(x, json_get(m, "clist")) != 0) return -1;
    return read_parameters(x, json_get(m, "vatParameters")) != 0 ? -1
                                                                 : read_lineage(x, json_get(m, "lineage"));
}

/* -- the other files */

static int read_entry(struct reading *x, struct span line, struct rom_entry *out)
{
    struct jval v;
    struct err why;
    if (json_parse(x->a, line, &v, &why) != 0 || json_type(v) != JSON_ARRAY || json_len(v) != 2) {
        return bad(x, "a line of vatstore.jsonl");
    }
    *out = (struct rom_entry){ json_str(json_at(v, 0), x->a), json_str(json_at(v, 1), x->a) };
    return out->key.p != NULL && out->value.p != NULL ? 0 : bad(x, "a line of vatstore.jsonl");
}

static int read_vatstore(struct reading *x, struct span text)
{
    struct rom *r = x->r;
    size_t lines = 0;
    for (size_t i = 0; i < text.n; i++) lines += text.p[i] == '\n';
    if (text.n > 0 && text.p[text.n - 1] != '\n') return bad(x, "vatstore.jsonl is cut off");
    r->entries = ARENA_ARRAY(x->a, struct rom_entry, lines + 1);
    while (text.n > 0) {
        const char *end = memchr(text.p, '\n', text.n);
        struct rom_entry *entry = &r->entries[r->entry_count];
        size_t n = (size_t)(end - text.p);
        if (read_entry(x, (struct span){ text.p, n }, entry) != 0) return -1;
        if (r->entry_count > 0 && span_cmp(entry[-1].key, entry->key) >= 0) {
            return bad(x, "vatstore.jsonl is out of order");
        }
        r->entry_count++;
        text = span_from(text, n + 1);
    }
    return 0;
}

static int read_heap(struct reading *x)
{
    struct rom *r = x->r;
    char hash[SHA256_HEX + 1];
    sha256_hex(r->heap, hash);
    if (!span_is(r->ancestors[0].snapshot, hash)) return bad(x, "its heap is not that of its lineage");
    struct span engine = rom_engine(x->a, r->heap);
    return engine.p != NULL && span_eq(engine, r->engine)
               ? 0
               : bad(x, "its heap is not of the engine that it names");
}

static int read_files(struct reading *x, struct zip *z)
{
    struct span manifest, contents[MEMBERS];
    struct jval m;
    struct err why;
    if (zip_read(z, SPAN("manifest.json"), &manifest, x->e) != 0) return -1;
    if (json_parse(x->a, manifest, &m, &why) != 0) {
        return err_set(x->e, EXIT_INTEGRITY, "not a good rom: its manifest: %s", why.text);
    }
    if (read_manifest(x, m) != 0 || check_members(x, z, json_get(m, "members"), contents) != 0) return -1;
    x->r->heap = contents[0];
    x->r->bundle = contents[2];
    return read_vatstore(x, contents[1]) != 0 ? -1 : read_heap(x);
}

/* One rom, one spelling. */
static int check_spelling(struct reading *x, struct span file)
{
    struct buf again = { 0 };
    int failed = rom_write(x->r, &again, x->e);
    bool same = failed == 0 && span_eq(buf_span(&again), file);
    buf_fini(&again);
    if (failed != 0) return -1;
    return same ? 0 : bad(x, "it is not written as zygote writes it");
}

int rom_read(struct arena *a, struct span file, struct rom *out, struct err *e)
{
    struct rom r = { 0 };
    struct reading x = { a, &r, e };
    struct zip z;
    int failed = zip_open(&z, file, e) != 0 ? err_while(e, "not a good rom") : read_files(&x, &z);
    zip_close(&z);
    if (failed != 0 || check_spelling(&x, file) != 0) return -1;
    *out = r;
    return 0;
}
