/* bundle.c -- adding and giving back bundles; what is inside is compartments.c's. */
#include "store/compartments.h"

#include "store/internal.h"

/* -- base64 --------------------------------------------------------------------- */

static void base64_encode(struct span bytes, struct buf *out)
{
    static const char ALPHABET[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *to = buf_room(out, (bytes.n + 2) / 3 * 4);
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = bytes.n - i;
        uint32_t v = (uint32_t)(unsigned char)bytes.p[i] << 16;
        if (left > 1) v |= (uint32_t)(unsigned char)bytes.p[i + 1] << 8;
        if (left > 2) v |= (uint32_t)(unsigned char)bytes.p[i + 2];
        *to++ = ALPHABET[v >> 18 & 63];
        *to++ = ALPHABET[v >> 12 & 63];
        *to++ = left > 1 ? ALPHABET[v >> 6 & 63] : '=';
        *to++ = left > 2 ? ALPHABET[v & 63] : '=';
        out->n += 4;
    }
}

/* -- rows ----------------------------------------------------------------------- */

bool bundle_has(struct store *s, struct span id)
{
    sqlite3_stmt *st = stmt_get(s, STMT_BUNDLE_HAS);
    bind_text(st, 1, id);
    bool yes = stmt_row(s, st);
    if (yes) stmt_done(st);
    return yes;
}

/* Text for b0, bytes for b1, as upstream binds them. */
static void put_row(struct store *s, struct span id, struct span content, bool is_text)
{
    if (bundle_has(s, id)) return;
    store_write(s);
    sqlite3_stmt *st = stmt_get(s, STMT_BUNDLE_SET);
    bind_text(st, 1, id);
    if (is_text)
        bind_text(st, 2, content);
    else
        bind_blob(st, 2, content);
    stmt_run(s, st);
    sqlite3_clear_bindings(st);
    if (!exports_wanted(s)) return;
    struct buf key = { 0 };
    buf_puts(&key, "bundle.");
    buf_put(&key, id);
    export_note(s, buf_span(&key), id);
    buf_fini(&key);
}

/* -- adding --------------------------------------------------------------------- */

static int add_zip(struct store *s, struct jval bundle, struct arena *a, struct span *id,
                   struct err *e)
{
    struct buf zip = { 0 };
    struct span found;
    int rc = bundle_unpack(bundle, a, &zip, &found, NULL, e);
    if (rc == 0) {
        *id = arena_copy(&s->arena, found);
        put_row(s, *id, buf_span(&zip), false);
    }
    buf_fini(&zip);
    return rc;
}

static int add_nested(struct store *s, struct jval bundle, struct span *id)
{
    struct buf text = { 0 };
    char hash[SHA256_HEX + 1];
    json_put_value(&text, bundle);
    sha256_hex(buf_span(&text), hash);
    *id = arena_printf(&s->arena, "b0-%s", hash);
    put_row(s, *id, buf_span(&text), true);
    buf_fini(&text);
    return 0;
}

static int add(struct store *s, struct span json_text, struct arena *a, struct span *id,
               struct err *e)
{
    struct jval bundle;
    if (json_parse(a, json_text, &bundle, e) != 0) return err_while(e, "bundle");
    struct span format = json_str(json_get(bundle, "moduleFormat"), a);
    if (format.p == NULL)
        return err_set(e, EXIT_INCOMPATIBLE, "bundle: no moduleFormat: not a bundle");
    if (span_is(format, "endoZipBase64")) return add_zip(s, bundle, a, id, e);
    if (span_is(format, "nestedEvaluate")) return add_nested(s, bundle, id);
    return err_set(e, EXIT_INCOMPATIBLE, "bundle: unsupported moduleFormat '%.*s'",
                   (int)(format.n < 80 ? format.n : 80), format.p);
}

int bundle_add(struct store *s, struct span json_text, struct span *id, struct err *e)
{
    struct arena a;
    arena_init(&a);
    int rc = add(s, json_text, &a, id, e);
    arena_fini(&a);
    return rc;
}

/* -- giving back ---------------------------------------------------------------- */

static void put_zip_bundle(struct buf *out, struct span id, struct span zip)
{
    buf_puts(out, "{\"moduleFormat\":\"endoZipBase64\",\"endoZipBase64Sha512\":\"");
    buf_put(out, span_from(id, 3));
    buf_puts(out, "\",\"endoZipBase64\":\"");
    base64_encode(zip, out);
    buf_puts(out, "\"}");
}

int bundle_get(struct store *s, struct span id, struct buf *json_text, struct err *e)
{
    sqlite3_stmt *st = stmt_get(s, STMT_BUNDLE_GET);
    bind_text(st, 1, id);
    if (!stmt_row(s, st))
        return err_set(e, EXIT_NOT_FOUND, "no bundle %.*s", (int)(id.n < 140 ? id.n : 140),
                       id.p);
    if (span_starts(id, SPAN("b1-")))
        put_zip_bundle(json_text, id, column_span(st, 0));
    else
        buf_put(json_text, column_span(st, 0));
    stmt_done(st);
    return 0;
}

int bundle_entry_module(struct store *s, struct span id, struct arena *a,
                        struct bundle_entry *out, struct err *e)
{
    struct span shown = { id.p, id.n < 140 ? id.n : 140 };
    sqlite3_stmt *st = stmt_get(s, STMT_BUNDLE_GET);
    bind_text(st, 1, id);
    if (!stmt_row(s, st))
        return err_set(e, EXIT_NOT_FOUND, "no bundle %.*s", SPAN_ARG(shown));
    int rc = span_starts(id, SPAN("b1-"))
                 ? compartments_entry(column_span(st, 0), a, out, e)
                 : err_set(e, EXIT_INCOMPATIBLE, "not an endoZipBase64 bundle");
    stmt_done(st);
    return rc == 0 ? 0 : err_while(e, "bundle %.*s", SPAN_ARG(shown));
}
