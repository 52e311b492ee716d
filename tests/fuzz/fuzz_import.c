/* Export data and artifacts from anybody, into a store: nothing may do harm, and a store that
 * comes of it exports what makes the same store again.
 *
 * An input: the first byte picks the mode; then lines "KEY<TAB>VALUE" ("KEY" alone takes the
 * record back) up to an empty line; then artifacts, each a line with its name and its bytes
 * up to the next byte 1E.
 *
 *     make build/fuzz/fuzz_import && build/fuzz/fuzz_import NEW-DIR tests/fuzz/corpus/import
 *     build/tests/fuzz/fuzz_import tests/fuzz/corpus/import   (with plain.c: the corpus only)
 */
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "store/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* -- the input --------------------------------------------------------------------- */

static struct span until(struct span *s, char stop)
{
    const char *at = memchr(s->p, stop, s->n);
    size_t n = at == NULL ? s->n : (size_t)(at - s->p);
    struct span part = { s->p, n };
    *s = span_from(*s, at == NULL ? n : n + 1);
    return part;
}

static int feed_records(struct importer *im, struct span *in, struct err *e)
{
    while (in->n > 0) {
        struct span value = until(in, '\n');
        if (value.n == 0) return 0;
        bool gone = memchr(value.p, '\t', value.n) == NULL;
        struct span key = until(&value, '\t');
        if (importer_record(im, key, gone ? SPAN_NONE : value, e) != 0) return -1;
    }
    return 0;
}

/* In pieces, which must not matter. */
static int feed_artifact(struct importer *im, struct span name, struct span bytes, size_t piece,
                         struct err *e)
{
    bool wanted;
    if (importer_artifact(im, name, &wanted, e) != 0) return -1;
    while (bytes.n > 0) {
        size_t n = bytes.n < piece ? bytes.n : piece;
        if (importer_bytes(im, (struct span){ bytes.p, n }, e) != 0) return -1;
        bytes = span_from(bytes, n);
    }
    return importer_artifact_end(im, e);
}

static struct store *import(struct span in, enum artifact_mode mode, size_t piece)
{
    struct importer *im;
    struct store *s;
    struct err e = { 0 };
    int rc = importer_begin(NULL, mode, &im, &e);
    INVARIANT(rc == 0);
    rc = feed_records(im, &in, &e);
    while (rc == 0 && in.n > 0) {
        struct span name = until(&in, '\n');
        rc = feed_artifact(im, name, until(&in, 0x1e), piece, &e);
    }
    if (rc == 0 && importer_finish(im, &s, &e) == 0) return s;
    INVARIANT(e.exit == EXIT_INTEGRITY || e.exit == EXIT_NOT_FOUND);
    for (const char *c = e.text; *c != '\0'; c++)
        INVARIANT((unsigned char)*c >= ' ');
    importer_abandon(im);
    return NULL;
}

/* -- and back ------------------------------------------------------------------------ */

struct back {
    struct store *store;
    struct buf out;
};

/* Keys and values that the format above cannot hold are left out, each time. */
static int put_record(void *ctx, struct span key, struct span value, struct err *e)
{
    struct back *b = ctx;
    (void)e;
    bool plain = key.n > 0 && memchr(key.p, '\t', key.n) == NULL &&
                 memchr(key.p, '\n', key.n) == NULL && memchr(value.p, '\n', value.n) == NULL;
    if (!plain) return 0;
    buf_put(&b->out, key);
    buf_putc(&b->out, '\t');
    buf_put(&b->out, value);
    buf_putc(&b->out, '\n');
    return 0;
}

static int put_bytes(void *ctx, struct span bytes, struct err *e)
{
    struct back *b = ctx;
    (void)e;
    buf_put(&b->out, bytes);
    return 0;
}

static int put_artifact(void *ctx, struct span name, struct err *e)
{
    struct back *b = ctx;
    buf_put(&b->out, name);
    buf_putc(&b->out, '\n');
    int rc = store_export_artifact(b->store, name, put_bytes, b, e);
    INVARIANT(rc == 0);
    buf_putc(&b->out, 0x1e);
    return 0;
}

static struct buf export(struct store *s, enum artifact_mode mode)
{
    struct back b = { .store = s };
    struct err e;
    int rc = store_export_data(s, put_record, &b, &e);
    buf_putc(&b.out, '\n');
    INVARIANT(rc == 0);
    rc = store_export_names(s, mode, put_artifact, &b, &e);
    INVARIANT(rc == 0);
    return b.out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct span in = { (const char *)data + 1, size - 1 };
    enum artifact_mode mode = (enum artifact_mode)(data[0] & 3);
    struct store *s = import(in, mode, 1 + data[0] % 7);
    struct store *whole = import(in, mode, size);
    INVARIANT((s == NULL) == (whole == NULL));
    if (s == NULL) return 0;
    struct buf once = export(s, mode), twice = export(whole, mode);
    INVARIANT(span_eq(buf_span(&once), buf_span(&twice)));
    buf_fini(&twice);
    store_close(s);
    store_close(whole);
    s = import(buf_span(&once), mode, 3);
    INVARIANT(s != NULL);
    twice = export(s, mode);
    INVARIANT(span_eq(buf_span(&once), buf_span(&twice)));
    buf_fini(&once);
    buf_fini(&twice);
    store_close(s);
    return 0;
}
