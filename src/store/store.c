/* store.c -- cranks, savepoints, hashes, commit. */
#include "store/store.h"

#include <stdio.h>
#include <sys/stat.h>

#include "store/internal.h"
#include "store/kv.h"

static void crank_memory_ends(struct store *s)
{
    kv_forget(s);
    spans_forget(s);
    arena_reset(&s->arena);
}

static void crankhash_restart(struct store *s)
{
    buf_reset(&s->unhashed);
    sha256_begin(s->crankhash);
}

void store_start_crank(struct store *s)
{
    INVARIANT(!s->in_crank && !s->readonly && !s->failed);
    crank_memory_ends(s);
    kv_trim(s);
    crankhash_restart(s);
    s->in_crank = true;
}

void store_savepoint(struct store *s, enum savepoint sp)
{
    INVARIANT(s->in_crank && s->points_n < SAVEPOINTS_MAX);
    for (int i = 0; i < s->points_n; i++)
        INVARIANT(s->points[i].name != sp);
    s->points[s->points_n++] = (struct save_point){
        .name = sp,
        .kv_mark = s->kv.undo_n,
        .span_mark = s->spans.undo_n,
    };
}

static int find_point(const struct store *s, enum savepoint sp)
{
    for (int i = 0; i < s->points_n; i++) {
        if (s->points[i].name == sp) return i;
    }
    BUG("rollback to a savepoint that was not made");
}

void store_rollback(struct store *s, enum savepoint sp)
{
    INVARIANT(s->in_crank);
    int at = find_point(s, sp);
    sql_rollback_to(s, at);
    kv_rollback(s, s->points[at].kv_mark);
    spans_rollback(s, s->points[at].span_mark);
    s->points_n = at;
}

void store_emit_hashes(struct store *s, char crankhash[SHA256_HEX + 1],
                       char activityhash[SHA256_HEX + 1])
{
    sha256_update(s->crankhash, buf_span(&s->unhashed));
    sha256_peek_hex(s->crankhash, crankhash);

    struct span old = SPAN("");
    kv_get(s, SPAN("activityhash"), &old);
    struct buf text = { 0 };
    buf_puts(&text, "activityhash\n");
    buf_put(&text, old);
    buf_printf(&text, "\n%s\n", crankhash);
    sha256_hex(buf_span(&text), activityhash);
    buf_fini(&text);

    kv_set_raw(s, SPAN("activityhash"), span_of(activityhash));
    export_note_kv(s, SPAN("activityhash"), span_of(activityhash));
    crankhash_restart(s);
}

void store_end_crank(struct store *s)
{
    INVARIANT(s->in_crank);
    sql_release(s);
    s->points_n = 0;
    exports_flush(s);
    crank_memory_ends(s);
    s->in_crank = false;
}

void store_retain(struct store *s, bool prune_transcripts, bool keep_snapshots)
{
    INVARIANT(!s->in_crank);
    s->options.prune_transcripts = prune_transcripts;
    s->options.keep_snapshots = keep_snapshots;
}

void store_forget(struct store *s)
{
    INVARIANT(!s->in_crank);
    crank_memory_ends(s);
    kv_trim(s);
}

static void step(struct store *s, const char *label)
{
    if (s->options.step != NULL) s->options.step(s->options.step_self, label);
}

static int commit(struct store *s, struct err *e)
{
    exports_flush(s);
    step(s, "commit: begun");
    if (kv_flush(s, e) != 0) return -1;
    step(s, "commit: keys written");
    if (spans_flush(s, e) != 0) return -1;
    step(s, "commit: spans written");
    if (sqlite3_get_autocommit(s->db)) return 0;
    if (stmt_try(s, stmt_get(s, STMT_COMMIT), e) != 0) return -1;
    step(s, "commit: durable");
    return 0;
}

int store_commit(struct store *s, struct err *e)
{
    INVARIANT(!s->in_crank && !s->readonly && !s->failed);
    if (commit(s, e) == 0) return 0;
    s->failed = true;
    return err_while(e, "commit");
}

struct arena *store_arena(struct store *s)
{
    return &s->arena;
}

static uint64_t file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
}

uint64_t store_disk_bytes(struct store *s)
{
    if (s->dir == NULL) return 0;
    struct buf wal = { 0 };
    buf_printf(&wal, "%s-wal", s->path);
    buf_putc(&wal, '\0');
    uint64_t n = file_bytes(s->path) + file_bytes(wal.p);
    buf_fini(&wal);
    return n;
}
