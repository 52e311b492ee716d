/* Roms from anybody: zip -> manifest -> c-list, vatstore, heap.  What is taken holds what its
 * header says, and is written back as it came; what is refused says why.
 *
 * An input is taken as a file.  And since a file is mostly checksums, it is also taken as what
 * goes into one: the manifest, the heap, the vatstore and the bundle, each up to the next byte
 * 1E, in whose manifest #1 to #3 stand for the sizes and $1 to $3 for the hashes of the others.
 *
 *     make build/fuzz/fuzz_rom && build/fuzz/fuzz_rom NEW-DIR tests/fuzz/corpus/rom
 *     build/tests/fuzz/fuzz_rom tests/fuzz/corpus/rom      (the corpus only)
 */
#include <stdlib.h>

#include "kernel/rom_file.h"
#include "store/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rows(const struct rom *r)
{
    for (size_t i = 0; i < r->row_count; i++) {
        const struct rom_row *row = &r->rows[i];
        vref name;
        INVARIANT(vref_parse(row->vref, &name) && name.kind != KREF_PROMISE);
        INVARIANT(i == 0 || span_cmp(r->rows[i - 1].vref, row->vref) < 0);
        INVARIANT(rom_row_is_import(row) == (row->was.p != NULL));
        INVARIANT(rom_row_is_import(row) == !name.vat_allocated);
    }
}

static void check(struct span file, const struct rom *r)
{
    struct buf again = { 0 };
    struct err e;
    char hash[SHA256_HEX + 1];
    check_rows(r);
    sha256_hex(r->heap, hash);
    INVARIANT(r->ancestor_count > 0 && span_is(r->ancestors[0].snapshot, hash));
    for (size_t i = 1; i < r->entry_count; i++)
        INVARIANT(span_cmp(r->entries[i - 1].key, r->entries[i].key) < 0);
    int rc = rom_write(r, &again, &e);
    INVARIANT(rc == 0 && span_eq(buf_span(&again), file));
    buf_fini(&again);
}

static void try_file(struct span file)
{
    struct arena a;
    struct rom r;
    struct err e = { 0 };
    arena_init(&a);
    if (rom_read(&a, file, &r, &e) == 0) {
        check(file, &r);
    } else {
        INVARIANT(e.exit == EXIT_INTEGRITY || e.exit == EXIT_INCOMPATIBLE);
        for (const char *c = e.text; *c != '\0'; c++)
            INVARIANT((unsigned char)*c >= ' ');
    }
    arena_fini(&a);
}

static struct span until(struct span *s, char stop)
{
    const char *at = s->n == 0 ? NULL : memchr(s->p, stop, s->n);
    size_t n = at == NULL ? s->n : (size_t)(at - s->p);
    struct span part = { s->p, n };
    *s = span_from(*s, at == NULL ? n : n + 1);
    return part;
}

static void put_manifest(struct buf *b, struct span text, const struct span part[3])
{
    char hash[SHA256_HEX + 1];
    for (size_t i = 0; i < text.n; i++) {
        bool mark = i + 1 < text.n && (text.p[i] == '#' || text.p[i] == '$') && text.p[i + 1] >= '1' &&
                    text.p[i + 1] <= '3';
        if (!mark) {
            buf_putc(b, text.p[i]);
            continue;
        }
        struct span what = part[text.p[i + 1] - '1'];
        sha256_hex(what, hash);
        if (text.p[i++] == '$') buf_puts(b, hash);
        else buf_printf(b, "%zu", what.n);
    }
}

static void try_parts(struct span in)
{
    static const char *const names[] = { "heap", "vatstore.jsonl", "bundle.json" };
    struct span text = until(&in, 0x1e), part[3];
    struct buf manifest = { 0 }, file = { 0 };
    struct zip_writer w = { .out = &file };
    for (size_t i = 0; i < 3; i++) part[i] = until(&in, 0x1e);
    put_manifest(&manifest, text, part);
    bool ok = zip_put(&w, SPAN("manifest.json"), buf_span(&manifest));
    for (size_t i = 0; i < 3; i++) ok = ok && zip_put(&w, span_of(names[i]), part[i]);
    zip_finish(&w);
    INVARIANT(ok);
    try_file(buf_span(&file));
    buf_fini(&manifest);
    buf_fini(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = { (const char *)data, size };
    try_file(input);
    try_parts(input);
    return 0;
}
