/* What a worker sends, from anybody: the first byte of an input says in what pieces the
 * rest arrives; how it is cut must not matter, and no byte may do harm.
 *
 *     make fuzz FUZZ=frame                                  (libFuzzer, clang)
 *     build/tests/fuzz/fuzz_frame tests/fuzz/corpus/frame   (with plain.c: the corpus only)
 */
#include "base/netstring.h"
#include "worker/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 4096, FRAMES_MAX = 64 };

/* Everything that came out of one stream, as one digest of bytes. */
static void transcribe(const uint8_t *data, size_t size, size_t piece, struct buf *out)
{
    struct netstring_reader reader = { .max = MAX };
    enum netstring_status status = NETSTRING_MORE;
    unsigned frames = 0;
    size_t at = 0;
    while (at < size && frames < FRAMES_MAX) {
        size_t n = size - at < piece ? size - at : piece;
        /* Its own memory, so that reading past a piece is seen. */
        char *copy = __builtin_malloc(n);
        memcpy(copy, data + at, n);
        size_t used = netstring_feed(&reader, copy, n, &status);
        __builtin_free(copy);
        INVARIANT(used <= n && (status != NETSTRING_MORE || used == n));
        at += used;
        if (status == NETSTRING_MORE) continue;
        if (status != NETSTRING_DONE) break;

        struct buf message = netstring_take(&reader);
        struct arena a;
        struct frame f = { .kind = FRAME_INVALID };
        struct err e;
        arena_init(&a);
        INVARIANT(message.n <= MAX);
        int result = frame_decode(buf_span(&message), &a, &f, &e);
        INVARIANT((result == 0) == (f.kind != FRAME_INVALID));
        INVARIANT(f.text.n <= message.n && f.meter.n <= message.n);
        INVARIANT(f.computrons <= UINT32_MAX);
        struct span_shown shown = span_shown(buf_span(&message));
        for (const char *c = shown.s; *c != '\0'; c++) INVARIANT((unsigned char)*c >= ' ');
        buf_printf(out, "%d %llu %zu:", (int)f.kind, (unsigned long long)f.computrons,
                   f.text.n);
        if (result == 0) buf_put(out, f.text);
        arena_fini(&a);
        buf_fini(&message);
        frames++;
    }
    buf_printf(out, "end %d %zu %s", (int)status, at, netstring_status_text(status));
    netstring_reader_fini(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct buf whole = { 0 }, cut = { 0 };
    transcribe(data + 1, size - 1, size, &whole);
    transcribe(data + 1, size - 1, 1 + data[0] % 17, &cut);
    INVARIANT(span_eq(buf_span(&whole), buf_span(&cut)));
    buf_fini(&whole);
    buf_fini(&cut);
    return 0;
}
