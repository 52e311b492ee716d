/* archive.c -- copies on disk of what a store may let go: snapshots, closed spans.
 *
 * A file DIR/NAME.gz appears whole or not at all.  It is written when the snapshot is saved
 * or the span is closed, before that is committed, and stays if it is rolled back; the next
 * attempt replaces it.  (Upstream: archiver.js.)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "store/file.h"
#include "store/internal.h"
#include "store/transcript.h"

static void write_archive(struct store *s, const char *dir, struct span name,
                          struct span packed)
{
    struct err e;
    struct buf file = { 0 };
    buf_put(&file, name);
    buf_puts(&file, ".gz");
    buf_putc(&file, '\0');
    if (dirs_make(dir, &e) != 0 || file_put(dir, file.p, packed, &e) != 0) {
        err_while(&e, "archive");
        store_fatal(s, &e);
    }
    buf_fini(&file);
}

void archive_snapshot(struct store *s, struct span vat, uint64_t position, struct span packed)
{
    if (s->options.archive_snapshots == NULL) return;
    struct buf name = { 0 };
    record_snapshot_key(&name, vat, position);
    write_archive(s, s->options.archive_snapshots, buf_span(&name), packed);
    buf_fini(&name);
}

static bool pack_item(void *ctx, uint64_t position, struct span item)
{
    (void)position;
    gzip_put(ctx, item);
    gzip_put(ctx, SPAN("\n"));
    return true;
}

void archive_transcript(struct store *s, struct span vat, uint64_t start, uint64_t end)
{
    if (s->options.archive_transcripts == NULL) return;
    struct gzip g;
    struct buf name = { 0 };
    gzip_begin(&g, 0);
    transcript_read(s, vat, start, end, pack_item, &g);
    gzip_finish(&g);
    artifact_span_name(&name, vat, start, end);
    write_archive(s, s->options.archive_transcripts, buf_span(&name), buf_span(&g.packed));
    buf_fini(&name);
    gzip_fini(&g);
}
