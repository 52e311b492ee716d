/* artifact.c -- names of artifacts, and whether those a store needs are there. */
#include "store/file.h"
#include "store/internal.h"
#include "store/export.h"

static const char *const MODES[] = { "operational", "replay", "archival", "debug" };

const char *artifact_mode_name(enum artifact_mode mode)
{
    return MODES[mode];
}

bool artifact_mode_parse(struct span name, enum artifact_mode *out)
{
    for (int i = 0; i < (int)(sizeof MODES / sizeof MODES[0]); i++) {
        if (!span_is(name, MODES[i])) continue;
        *out = (enum artifact_mode)i;
        return true;
    }
    return false;
}

/* -- names ------------------------------------------------------------------------- */

size_t split_dots(struct span name, struct span part[SPLIT_MAX])
{
    size_t n = 0;
    for (;;) {
        const char *dot = memchr(name.p, '.', name.n);
        size_t len = dot == NULL ? name.n : (size_t)(dot - name.p);
        if (n < SPLIT_MAX) part[n] = (struct span){ name.p, len };
        n++;
        if (dot == NULL) return n;
        name = span_from(name, len + 1);
    }
}

/* Letters, digits, '_' and '-': kernels say v12, others may call their vats otherwise. */
bool vat_name_ok(struct span vat)
{
    return file_name_ok(vat) && vat.n <= VAT_NAME_MAX && memchr(vat.p, '.', vat.n) == NULL;
}

int artifact_parse(struct span name, struct artifact *out, struct err *e)
{
    struct span part[SPLIT_MAX];
    size_t n = name.p == NULL ? 0 : split_dots(name, part);
    *out = (struct artifact){ .name = name };
    if (n == 2 && span_is(part[0], "bundle")) {
        out->kind = ARTIFACT_BUNDLE;
        out->id = part[1];
        if (file_name_ok(part[1])) return 0;
    } else if (n == 3 && span_is(part[0], "snapshot")) {
        out->kind = ARTIFACT_SNAPSHOT;
        out->id = part[1];
        if (vat_name_ok(part[1]) && span_u64(part[2], &out->start)) return 0;
    } else if (n == 4 && span_is(part[0], "transcript")) {
        out->kind = ARTIFACT_SPAN;
        out->id = part[1];
        if (vat_name_ok(part[1]) && span_u64(part[2], &out->start) &&
            span_u64(part[3], &out->end))
            return 0;
    }
    return err_set(e, EXIT_USAGE, "'%s' is no artifact's name", span_shown(name).s);
}

/* -- statements of one use ---------------------------------------------------------- */

int sql_prepare(struct store *s, const char *sql, sqlite3_stmt **out, struct err *e)
{
    INVARIANT(!s->failed);
    *out = NULL;
    if (sqlite3_prepare_v2(s->db, sql, -1, out, NULL) == SQLITE_OK) return 0;
    return sql_err(s, e, "");
}

int sql_step(struct store *s, sqlite3_stmt *st, bool *row, struct err *e)
{
    int rc = sqlite3_step(st);
    *row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) return 0;
    sql_err(s, e, "");
    sqlite3_reset(st);
    return -1;
}

/* -- completeness -------------------------------------------------------------------- */

/* `sql` finds what is missing: a text to name it by. */
static int check_none(struct store *s, const char *sql, const char *what, struct err *e)
{
    sqlite3_stmt *st;
    bool row;
    if (sql_prepare(s, sql, &st, e) != 0) return -1;
    int rc = sql_step(s, st, &row, e);
    if (rc == 0 && row) {
        rc = err_set(e, EXIT_NOT_FOUND, "%s %s", what, span_shown(column_span(st, 0)).s);
    }
    sqlite3_finalize(st);
    return rc;
}

/* From where on every item of a living vat must be there. */
static const char *const COMPLETE_SPANS[] = {
    [ARTIFACTS_OPERATIONAL] =
        "SELECT c.vatID FROM transcriptSpans c WHERE c.isCurrent = 1"
        " AND c.endPos - c.startPos IS NOT (SELECT count(*) FROM transcriptItems i"
        " WHERE i.vatID = c.vatID AND i.position >= c.startPos AND i.position < c.endPos)"
        " ORDER BY c.vatID LIMIT 1",
    [ARTIFACTS_REPLAY] =
        "SELECT c.vatID FROM (SELECT vatID, endPos, (SELECT min(startPos)"
        " FROM transcriptSpans f WHERE f.vatID = d.vatID AND f.incarnation = d.incarnation)"
        " AS least FROM transcriptSpans d WHERE d.isCurrent = 1) c"
        " WHERE c.endPos - c.least IS NOT (SELECT count(*) FROM transcriptItems i"
        " WHERE i.vatID = c.vatID AND i.position >= c.least AND i.position < c.endPos)"
        " ORDER BY c.vatID LIMIT 1",
    [ARTIFACTS_ARCHIVAL] =
        "SELECT c.vatID FROM transcriptSpans c WHERE c.isCurrent = 1"
        " AND c.endPos IS NOT (SELECT count(*) FROM transcriptItems i"
        " WHERE i.vatID = c.vatID AND i.position >= 0 AND i.position < c.endPos)"
        " ORDER BY c.vatID LIMIT 1",
};

int store_check_complete(struct store *s, enum artifact_mode mode, struct err *e)
{
    static const char *const missing[] = {
        [ARTIFACTS_OPERATIONAL] = "items are missing from the current transcript span of",
        [ARTIFACTS_REPLAY] = "items are missing from the current incarnation of",
        [ARTIFACTS_ARCHIVAL] = "items are missing from the whole transcript of",
    };
    if (mode == ARTIFACTS_DEBUG) mode = ARTIFACTS_OPERATIONAL;
    if (check_none(s, "SELECT bundleID FROM bundles WHERE bundle IS NULL"
                      " ORDER BY bundleID LIMIT 1", "missing bundle", e) != 0)
        return -1;
    if (check_none(s, COMPLETE_SPANS[mode], missing[mode], e) != 0) return -1;
    return check_none(s, "SELECT vatID FROM snapshots"
                         " WHERE inUse = 1 AND compressedSnapshot IS NULL"
                         " ORDER BY vatID LIMIT 1", "missing the current snapshot of", e);
}
