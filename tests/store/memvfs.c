/* memvfs.c -- see memvfs.h. */
#include "store/memvfs.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "lib/rng.h"

enum { FILES_MAX = 16, SECTOR = 512, SHM_REGIONS_MAX = 64 };

/* `now` is what a program reads; `safe` is what was synced.  They differ at most in
 * [from, to). */
struct disk_file {
    char *name; /* NULL: free */
    char *now, *safe;
    size_t now_n, safe_n;
    size_t from, to;
    bool temporary;
};

struct open_file {
    sqlite3_file base;
    struct disk_file *file;
};

static struct disk_file disk[FILES_MAX];
static void *shm[SHM_REGIONS_MAX];
static bool frozen;
static unsigned steps, fail_at;

static struct disk_file *find(const char *name)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (disk[i].name != NULL && strcmp(disk[i].name, name) == 0) return &disk[i];
    }
    return NULL;
}

static void drop(struct disk_file *f)
{
    free(f->name);
    free(f->now);
    free(f->safe);
    *f = (struct disk_file){ 0 };
}

/* Room doubles: it is to the next power of two. */
static size_t room(size_t n)
{
    size_t r = 4096;
    while (r <= n)
        r *= 2;
    return r;
}

static void resize(char **p, size_t *n, size_t to)
{
    if (*p == NULL || room(to) > room(*n)) *p = xrealloc(*p, room(to));
    if (to > *n) memset(*p + *n, 0, to - *n);
    *n = to; /* memory is kept when it shrinks */
}

static bool step_fails(void)
{
    steps++;
    return fail_at != 0 && steps >= fail_at;
}

/* -- files ---------------------------------------------------------------------- */

static int mem_close(sqlite3_file *base)
{
    struct disk_file *f = ((struct open_file *)base)->file;
    if (f->temporary) drop(f);
    return SQLITE_OK;
}

static int mem_read(sqlite3_file *base, void *to, int n, sqlite3_int64 at)
{
    const struct disk_file *f = ((struct open_file *)base)->file;
    size_t have = (size_t)at >= f->now_n ? 0 : f->now_n - (size_t)at;
    if (have > (size_t)n) have = (size_t)n;
    if (have > 0) memcpy(to, f->now + at, have);
    memset((char *)to + have, 0, (size_t)n - have);
    return have == (size_t)n ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int mem_write(sqlite3_file *base, const void *from, int n, sqlite3_int64 at)
{
    struct disk_file *f = ((struct open_file *)base)->file;
    if (step_fails()) return SQLITE_IOERR_WRITE;
    if (frozen) return SQLITE_OK;
    if ((size_t)at + (size_t)n > f->now_n)
        resize(&f->now, &f->now_n, (size_t)at + (size_t)n);
    memcpy(f->now + at, from, (size_t)n);
    if ((size_t)at < f->from) f->from = (size_t)at;
    if ((size_t)at + (size_t)n > f->to) f->to = (size_t)at + (size_t)n;
    return SQLITE_OK;
}

static int mem_truncate(sqlite3_file *base, sqlite3_int64 n)
{
    struct disk_file *f = ((struct open_file *)base)->file;
    if (frozen) return SQLITE_OK;
    resize(&f->now, &f->now_n, (size_t)n);
    if ((size_t)n < f->from) f->from = (size_t)n;
    if (f->safe_n > f->to) f->to = f->safe_n;
    return SQLITE_OK;
}

static int mem_sync(sqlite3_file *base, int flags)
{
    struct disk_file *f = ((struct open_file *)base)->file;
    (void)flags;
    if (step_fails()) return SQLITE_IOERR_FSYNC;
    if (frozen) return SQLITE_OK;
    if (f->safe_n != f->now_n) resize(&f->safe, &f->safe_n, f->now_n);
    if (f->to > f->now_n) f->to = f->now_n;
    if (f->from < f->to) memcpy(f->safe + f->from, f->now + f->from, f->to - f->from);
    f->from = SIZE_MAX;
    f->to = 0;
    return SQLITE_OK;
}

static int mem_size(sqlite3_file *base, sqlite3_int64 *n)
{
    *n = (sqlite3_int64)((struct open_file *)base)->file->now_n;
    return SQLITE_OK;
}

static int mem_lock(sqlite3_file *base, int level)
{
    (void)base, (void)level;
    return SQLITE_OK;
}

static int mem_check_lock(sqlite3_file *base, int *held)
{
    (void)base;
    *held = 0;
    return SQLITE_OK;
}

static int mem_control(sqlite3_file *base, int op, void *arg)
{
    (void)base, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int mem_sector(sqlite3_file *base)
{
    (void)base;
    return SECTOR;
}

static int mem_traits(sqlite3_file *base)
{
    (void)base;
    return 0;
}

static int mem_shm_map(sqlite3_file *base, int i, int n, int extend, void volatile **out)
{
    (void)base;
    assert(i < SHM_REGIONS_MAX);
    if (shm[i] == NULL && extend) shm[i] = xcalloc(1, (size_t)n);
    *out = shm[i];
    return SQLITE_OK;
}

static int mem_shm_lock(sqlite3_file *base, int at, int n, int flags)
{
    (void)base, (void)at, (void)n, (void)flags;
    return SQLITE_OK;
}

static void mem_shm_barrier(sqlite3_file *base)
{
    (void)base;
}

static int mem_shm_unmap(sqlite3_file *base, int discard)
{
    (void)base, (void)discard;
    for (int i = 0; i < SHM_REGIONS_MAX; i++) {
        free(shm[i]);
        shm[i] = NULL;
    }
    return SQLITE_OK;
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 2,
    .xClose = mem_close,
    .xRead = mem_read,
    .xWrite = mem_write,
    .xTruncate = mem_truncate,
    .xSync = mem_sync,
    .xFileSize = mem_size,
    .xLock = mem_lock,
    .xUnlock = mem_lock,
    .xCheckReservedLock = mem_check_lock,
    .xFileControl = mem_control,
    .xSectorSize = mem_sector,
    .xDeviceCharacteristics = mem_traits,
    .xShmMap = mem_shm_map,
    .xShmLock = mem_shm_lock,
    .xShmBarrier = mem_shm_barrier,
    .xShmUnmap = mem_shm_unmap,
};

/* -- the disk ------------------------------------------------------------------- */

static int mem_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *base, int flags,
                    int *out_flags)
{
    (void)vfs;
    struct disk_file *f = name == NULL ? NULL : find(name);
    base->pMethods = NULL;
    if (f == NULL) {
        if (!(flags & SQLITE_OPEN_CREATE)) return SQLITE_CANTOPEN;
        for (f = disk; f->name != NULL; f++)
            assert(f < disk + FILES_MAX - 1);
        *f = (struct disk_file){ .name = xstrdup(name == NULL ? "" : name),
                                 .from = SIZE_MAX,
                                 .temporary = name == NULL };
        resize(&f->now, &f->now_n, 0);
        resize(&f->safe, &f->safe_n, 0);
    }
    ((struct open_file *)base)->file = f;
    base->pMethods = &METHODS;
    if (out_flags != NULL) *out_flags = flags;
    return SQLITE_OK;
}

/* The names of files are taken to be durable at once. */
static int mem_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs, (void)sync;
    struct disk_file *f = find(name);
    if (f == NULL) return SQLITE_IOERR_DELETE_NOENT;
    if (!frozen) drop(f);
    return SQLITE_OK;
}

static int mem_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs, (void)flags;
    *out = find(name) != NULL;
    return SQLITE_OK;
}

static int mem_full_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    sqlite3_snprintf(n, out, "%s", name);
    return SQLITE_OK;
}

static int mem_random(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    memset(out, 7, (size_t)n); /* the WAL's salts: the same in every run */
    return n;
}

static int mem_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

static int mem_time(sqlite3_vfs *vfs, double *out)
{
    (void)vfs;
    *out = 2460000.5;
    return SQLITE_OK;
}

static int mem_last_error(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs, (void)n, (void)out;
    return 0;
}

static sqlite3_vfs VFS = {
    .iVersion = 1,
    .szOsFile = sizeof(struct open_file),
    .mxPathname = 1024,
    .zName = "mem",
    .xOpen = mem_open,
    .xDelete = mem_delete,
    .xAccess = mem_access,
    .xFullPathname = mem_full_path,
    .xRandomness = mem_random,
    .xSleep = mem_sleep,
    .xCurrentTime = mem_time,
    .xGetLastError = mem_last_error,
};

void memvfs_install(void)
{
    sqlite3_vfs_register(&VFS, 1);
}

void memvfs_uninstall(void)
{
    sqlite3_vfs_unregister(&VFS);
    memvfs_clear();
}

void memvfs_clear(void)
{
    for (int i = 0; i < FILES_MAX; i++)
        drop(&disk[i]);
    frozen = false;
    steps = fail_at = 0;
}

void memvfs_freeze(void)
{
    frozen = true;
}

/* Each sector that differs: the old one, the new one, or noise. */
static void settle(struct disk_file *f, struct rng *r)
{
    if (rng_chance(r, 1, 2)) resize(&f->safe, &f->safe_n, f->now_n); /* the length, too */
    for (size_t at = 0; at < f->safe_n; at += SECTOR) {
        size_t n = f->safe_n - at < SECTOR ? f->safe_n - at : SECTOR;
        if (at + n > f->now_n || memcmp(f->safe + at, f->now + at, n) == 0) continue;
        unsigned what = (unsigned)rng_below(r, 5);
        if (what < 2)
            memcpy(f->safe + at, f->now + at, n);
        else if (what == 2)
            rng_bytes(r, f->safe + at, n);
    }
    resize(&f->now, &f->now_n, f->safe_n);
    if (f->safe_n > 0) memcpy(f->now, f->safe, f->safe_n);
}

void memvfs_power_cut(uint64_t seed)
{
    struct rng r = rng_new(seed);
    for (int i = 0; i < FILES_MAX; i++) {
        if (disk[i].name != NULL) settle(&disk[i], &r);
    }
    frozen = false;
    fail_at = 0;
}

void memvfs_countdown(unsigned n)
{
    fail_at = n == 0 ? 0 : steps + n;
}

unsigned memvfs_steps(void)
{
    return steps;
}
