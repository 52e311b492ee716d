/* open.c -- the files of a store: directory, lock, database, schema. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "store/file.h"
#include "store/internal.h"

enum { BUSY_WAIT_MS = 2000 /* for a checkpoint of another program to end */ };

/* Upstream's statements to the byte, so that sqlite_master reads the same. */
static const char *const SCHEMA[] = {
    "CREATE TABLE pendingExports (\n"
    "      key TEXT,\n"
    "      value TEXT,\n"
    "      PRIMARY KEY (key)\n"
    "    )",

    "CREATE TABLE kvStore (\n"
    "      key TEXT,\n"
    "      value TEXT,\n"
    "      PRIMARY KEY (key)\n"
    "    )",

    "CREATE TABLE transcriptItems (\n"
    "      vatID TEXT,\n"
    "      position INTEGER,\n"
    "      item TEXT,\n"
    "      incarnation INTEGER,\n"
    "      PRIMARY KEY (vatID, position)\n"
    "    )",

    "CREATE TABLE transcriptSpans (\n"
    "      vatID TEXT,\n"
    "      startPos INTEGER, -- inclusive\n"
    "      endPos INTEGER, -- exclusive\n"
    "      hash TEXT, -- cumulative hash of this item and previous cumulative hash\n"
    "      isCurrent INTEGER CHECK (isCurrent = 1),\n"
    "      incarnation INTEGER,\n"
    "      PRIMARY KEY (vatID, startPos),\n"
    "      UNIQUE (vatID, isCurrent)\n"
    "    )",

    "CREATE INDEX currentTranscriptIndex\n"
    "    ON transcriptSpans (vatID, isCurrent)\n"
    "  ",

    "CREATE TABLE snapshots (\n"
    "      vatID TEXT,\n"
    "      snapPos INTEGER,\n"
    "      inUse INTEGER CHECK(inUse = 1),\n"
    "      hash TEXT,\n"
    "      uncompressedSize INTEGER,\n"
    "      compressedSize INTEGER,\n"
    "      compressedSnapshot BLOB,\n"
    "      PRIMARY KEY (vatID, snapPos),\n"
    "      UNIQUE (vatID, inUse)\n"
    "    )",

    "CREATE TABLE bundles (\n"
    "      bundleID TEXT,\n"
    "      bundle BLOB,\n"
    "      PRIMARY KEY (bundleID)\n"
    "    )",
};

enum { SCHEMA_TABLES = 6 };

/* -- directory and lock --------------------------------------------------------- */

bool store_exists(const char *dir)
{
    struct stat st;
    char *path = path_join(dir, "swingstore.sqlite");
    bool yes = stat(path, &st) == 0 && S_ISREG(st.st_mode);
    free(path);
    return yes;
}

/* What the lock file says; 0: nothing. */
static long locked_by(int fd)
{
    char text[32];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    uint64_t pid;
    bool yes = n > 0 && text[n - 1] == '\n' && span_u64((struct span){ text, (size_t)n - 1 }, &pid) &&
               pid <= INT32_MAX;
    return yes ? (long)pid : 0;
}

static int say_busy(const struct store *s, struct err *e)
{
    long pid = locked_by(s->lock_fd);
    return pid > 0 ? err_set(e, EXIT_BUSY, "%s: in use by process %ld", s->dir, pid)
                   : err_set(e, EXIT_BUSY, "%s: in use by another process", s->dir);
}

/* Does the process have this very file open?  (Taking the lock to see would keep others out,
 * and the number in it may be an old one's.) */
static bool has_open(long pid, const struct stat *file)
{
    char path[64], name[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%ld/fd", pid);
    DIR *d = opendir(path);
    bool found = false;
    if (d == NULL) return false;
    for (struct dirent *f; !found && (f = readdir(d)) != NULL;) {
        struct stat st;
        snprintf(name, sizeof name, "%s/%s", path, f->d_name);
        found = stat(name, &st) == 0 && st.st_dev == file->st_dev && st.st_ino == file->st_ino;
    }
    closedir(d);
    return found;
}

long store_writer(const char *dir)
{
    char *path = path_join(dir, "zygote.lock");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    free(path);
    if (fd < 0) return 0;
    long pid = fstat(fd, &st) == 0 ? locked_by(fd) : 0;
    close(fd);
    return pid > 0 && has_open(pid, &st) ? pid : 0;
}

static int take_lock(struct store *s, struct err *e)
{
    char *path = path_join(s->dir, "zygote.lock");
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (s->lock_fd < 0) {
        err_sys(e, "%s", path);
        free(path);
        return -1;
    }
    free(path);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? say_busy(s, e) : err_sys(e, "%s: lock", s->dir);
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* The pid is a courtesy; the lock is what counts. */
    if (ftruncate(s->lock_fd, 0) != 0 || pwrite(s->lock_fd, text, (size_t)n, 0) != n)
        return 0;
    return 0;
}

/* -- database ------------------------------------------------------------------- */

static int open_db(struct store *s, enum store_mode mode, struct err *e)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= mode == STORE_READONLY ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    if (mode == STORE_CREATE) flags |= SQLITE_OPEN_CREATE;
    if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK)
        return s->db == NULL ? err_set(e, EXIT_FAILED, "%s: out of memory", s->path)
                             : sql_err(s, e, "open");
    sqlite3_busy_timeout(s->db, BUSY_WAIT_MS);
    /* A reader sees one commit from here to its end, whatever a writer does. */
    if (s->readonly) return sql_exec(s, "BEGIN; SELECT count(*) FROM sqlite_master", e);
    /* 16 MiB of pages: with SQLite's usual 2 MiB a block of many cranks spills to disk, and
     * each further fork costs more. */
    return sql_exec(s, "PRAGMA journal_mode=wal; PRAGMA synchronous=full; "
                       "PRAGMA cache_size=-16384", e);
}

/* One number out of the database; -1 with `e` on failure. */
static int64_t ask(struct store *s, const char *sql, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int64_t n = -1;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        n = sqlite3_column_int64(st, 0);
    else
        sql_err(s, e, "");
    sqlite3_finalize(st);
    return n;
}

static int64_t count_tables(struct store *s, struct err *e)
{
    return ask(
        s,
        "SELECT count(*) FROM sqlite_master WHERE type IN ('table', 'view') AND name IN"
        " ('pendingExports', 'kvStore', 'transcriptItems', 'transcriptSpans',"
        " 'snapshots', 'bundles')",
        e);
}

/* Kernels before schema 1 wrote `initialized` and no version.  Neither key: no kernel has
 * been here yet. */
static int check_version(struct store *s, struct err *e)
{
    static const char sql[] = "SELECT CASE key WHEN 'version' THEN value ELSE '0' END"
                              " FROM kvStore WHERE key IN ('version', 'initialized')"
                              " ORDER BY key DESC LIMIT 1";
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(st);
    int failed = 0;
    if (rc == SQLITE_ROW) {
        struct span version = column_span(st, 0);
        uint64_t n;
        bool old = span_u64(version, &n) && n < 3;
        if (!span_is(version, "3"))
            failed = err_set(e, EXIT_INCOMPATIBLE,
                             "%s: its kernel state has schema version %.*s, not 3%s", s->path,
                             (int)(version.n < 20 ? version.n : 20), version.p,
                             old ? ": run zygote store upgrade" : "");
    } else if (rc != SQLITE_DONE) {
        failed = sql_err(s, e, "");
    }
    sqlite3_finalize(st);
    return failed;
}

static int check_schema(struct store *s, struct err *e)
{
    int64_t n = count_tables(s, e);
    if (n < 0) return -1;
    if (n != SCHEMA_TABLES)
        return err_set(e, EXIT_INCOMPATIBLE, "%s: a SQLite file, but not a swing-store",
                       s->path);
    return s->options.any_version ? 0 : check_version(s, e);
}

/* Make the tables.  A file left without a single row by an interrupted creation is as
 * good as none. */
static int create_schema(struct store *s, struct err *e)
{
    int64_t n = ask(s, "SELECT count(*) FROM sqlite_master", e);
    if (n < 0) return -1;
    if (n > 0) {
        if (check_schema(s, e) != 0) return -1;
        n = ask(s, "SELECT (SELECT count(*) FROM kvStore) + (SELECT count(*) FROM bundles)",
                e);
        if (n < 0) return -1;
        return n == 0 ? 0 : err_set(e, EXIT_FAILED, "%s: there is a store already", s->dir);
    }
    if (sql_exec(s, "BEGIN IMMEDIATE TRANSACTION", e) != 0) return -1;
    for (size_t i = 0; i < sizeof SCHEMA / sizeof SCHEMA[0]; i++) {
        if (sql_exec(s, SCHEMA[i], e) != 0) return -1;
    }
    if (sql_exec(s, "COMMIT", e) != 0) return -1;
    return s->dir == NULL ? 0 : dir_sync(s->dir, e);
}

/* -- opening and closing -------------------------------------------------------- */

static char *copy_of(const char *text)
{
    return text == NULL ? NULL : xstrdup(text);
}

static struct store *store_new(const char *dir, enum store_mode mode,
                               const struct store_options *options)
{
    struct store *s = xcalloc(1, sizeof *s);
    if (options != NULL) s->options = *options;
    s->options.archive_snapshots = copy_of(s->options.archive_snapshots);
    s->options.archive_transcripts = copy_of(s->options.archive_transcripts);
    s->dir = copy_of(dir);
    s->path = dir == NULL ? xstrdup(":memory:") : path_join(dir, "swingstore.sqlite");
    s->lock_fd = -1;
    s->readonly = mode == STORE_READONLY;
    s->crankhash = sha256_new();
    sha256_begin(s->crankhash);
    arena_init(&s->arena);
    kv_init(&s->kv);
    spans_init(&s->spans);
    return s;
}

static int open_all(struct store *s, enum store_mode mode, struct err *e)
{
    struct stat st;
    s->made_dir = mode == STORE_CREATE && s->dir != NULL && stat(s->dir, &st) != 0;
    if (mode == STORE_CREATE && s->dir != NULL && dirs_make(s->dir, e) != 0) return -1;
    if (mode != STORE_CREATE && !store_exists(s->dir))
        return err_set(e, EXIT_NOT_FOUND, "%s: no store there", s->dir);
    if (!s->readonly && s->dir != NULL && take_lock(s, e) != 0) return -1;
    if (open_db(s, mode, e) != 0) return -1;
    if (mode == STORE_CREATE ? create_schema(s, e) : check_schema(s, e)) return -1;
    s->data_version = ask(s, "PRAGMA data_version", e);
    return s->data_version < 0 ? -1 : 0;
}

int store_open(const char *dir, enum store_mode mode, struct store **out, struct err *e)
{
    return store_open_with(dir, mode, NULL, out, e);
}

int store_open_with(const char *dir, enum store_mode mode,
                    const struct store_options *options, struct store **out, struct err *e)
{
    INVARIANT(dir != NULL || mode == STORE_CREATE);
    struct store *s = store_new(dir, mode, options);
    if (open_all(s, mode, e) != 0) {
        store_close(s);
        return -1;
    }
    *out = s;
    return 0;
}

void store_close(struct store *s)
{
    if (s == NULL) return;
    for (int i = 0; i < STMT_COUNT; i++)
        sqlite3_finalize(s->stmts[i]);
    if (s->db != NULL) sqlite3_close(s->db); /* rolls back what is open */
    if (s->lock_fd >= 0) close(s->lock_fd);
    kv_fini(&s->kv);
    spans_fini(&s->spans);
    arena_fini(&s->arena);
    buf_fini(&s->unhashed);
    sha256_free(s->crankhash);
    free((char *)s->options.archive_snapshots);
    free((char *)s->options.archive_transcripts);
    free(s->path);
    free(s->dir);
    free(s);
}

void store_discard(struct store *s)
{
    static const char *const names[] = { "swingstore.sqlite", "swingstore.sqlite-wal",
                                         "swingstore.sqlite-shm", "zygote.lock" };
    char *dir = copy_of(s->dir);
    bool made_dir = s->made_dir;
    /* While the lock is held. */
    for (size_t i = 0; dir != NULL && i < sizeof names / sizeof names[0]; i++) {
        char *path = path_join(dir, names[i]);
        unlink(path);
        free(path);
    }
    store_close(s);
    if (made_dir) rmdir(dir);
    free(dir);
}
