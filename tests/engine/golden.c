#include "engine/golden.h"

#include <stdio.h>

#include "engine/setup.h"

/* The next line without its end; false when there is none. */
static bool next_line(struct span *text, struct span *line)
{
    if (text->n == 0) return false;
    const char *end = memchr(text->p, '\n', text->n);
    size_t n = end == NULL ? text->n : (size_t)(end - text->p);
    *line = (struct span){ text->p, n };
    size_t eaten = end == NULL ? n : n + 1;
    text->p += eaten;
    text->n -= eaten;
    return true;
}

/* The golden line with the same key, SPAN_NONE if there is none. */
static struct span find_line(struct span golden, struct span line)
{
    const char *space = memchr(line.p, ' ', line.n);
    struct span key = { line.p, space == NULL ? line.n : (size_t)(space - line.p) + 1 };
    struct span candidate;
    while (next_line(&golden, &candidate))
        if (span_starts(candidate, key)) return candidate;
    return SPAN_NONE;
}

/* Around the first byte in which two lines differ. */
static void print_difference(struct span got, struct span want)
{
    size_t at = 0;
    while (at < got.n && at < want.n && got.p[at] == want.p[at]) at++;
    size_t key = 0;
    while (key < got.n && got.p[key] != ' ') key++;
    size_t from = at < 30 ? 0 : at - 30;
    fprintf(stderr, "%.*s differs at byte %zu\n  got  …%.*s\n  want …%.*s\n", (int)key, got.p, at,
            (int)(got.n - from > 90 ? 90 : got.n - from), got.p + from,
            want.n < from ? 0 : (int)(want.n - from > 90 ? 90 : want.n - from),
            want.n < from ? "" : want.p + from);
}

int golden_compare(const char *path, struct span lines)
{
    struct buf golden = setup_read(path);
    struct span line;
    int bad = 0;
    while (next_line(&lines, &line)) {
        struct span want = find_line(buf_span(&golden), line);
        if (want.p != NULL && span_eq(line, want)) continue;
        print_difference(line, want.p == NULL ? SPAN("") : want);
        bad++;
    }
    buf_fini(&golden);
    return bad;
}
