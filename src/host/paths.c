/* paths.c -- where things are on this machine. */
#include "host/paths.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/file.h"

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The folder of the running program. */
static int program_dir(struct arena *a, const char **out, struct err *e)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        return err_sys(e, "cannot find the running program (/proc/self/exe)");
    while (n > 1 && path[n - 1] != '/')
        n--;
    *out = arena_copy(a, (struct span){ path, (size_t)(n > 1 ? n - 1 : n) }).p;
    return 0;
}

int paths_worker(struct arena *a, const char **out, struct err *e)
{
    const char *given = environment("ZYGOTE_WORKER");
    const char *dir;
    if (given == NULL && program_dir(a, &dir, e) != 0)
        return -1;
    const char *path = given != NULL ? given : file_join(a, dir, "zygote-worker");
    if (access(path, X_OK) != 0)
        return err_set(e, EXIT_NOT_FOUND, "no worker program at %s%s", path,
                       given != NULL ? " ($ZYGOTE_WORKER)"
                                     : "; set ZYGOTE_WORKER to its path");
    *out = path;
    return 0;
}

static bool has_manifest(struct arena *a, const char *dir)
{
    return access(file_join(a, dir, "manifest.json"), R_OK) == 0;
}

int paths_bundles(struct arena *a, const char **out, struct err *e)
{
    const char *given = environment("ZYGOTE_BUNDLES");
    if (given != NULL && !has_manifest(a, given))
        return err_set(e, EXIT_NOT_FOUND, "no system bundles in %s ($ZYGOTE_BUNDLES)",
                       given);
    const char *dir;
    if (given == NULL && program_dir(a, &dir, e) != 0)
        return -1;
    const char *built = given != NULL ? given : file_join(a, dir, "bundles");
    if (given != NULL || has_manifest(a, built)) {
        *out = built;
        return 0;
    }
    const char *installed = file_join(a, dir, "../share/zygote/bundles");
    if (!has_manifest(a, installed))
        return err_set(e, EXIT_NOT_FOUND,
                       "no system bundles in %s or %s; build them with "
                       "`node js/build-bundles.mjs %s`, or set ZYGOTE_BUNDLES",
                       built, installed, built);
    *out = installed;
    return 0;
}

int paths_bundler(struct arena *a, const char **out, struct err *e)
{
    const char *given = environment("ZYGOTE_BUNDLER"), *dir;
    if (given == NULL && program_dir(a, &dir, e) != 0)
        return -1;
    const char *path = given != NULL ? given : file_join(a, dir, "bundle-source.mjs");
    if (given == NULL && access(path, R_OK) != 0)
        path = file_join(a, dir, "../share/zygote/bundle-source.mjs");
    if (access(path, R_OK) != 0)
        return err_set(e, EXIT_NOT_FOUND, "no bundler at %s%s", path,
                       given != NULL ? " ($ZYGOTE_BUNDLER)"
                                     : "; set ZYGOTE_BUNDLER to bundle-source.mjs");
    *out = path;
    return 0;
}

const char *paths_node(struct arena *a)
{
    const char *given = environment("ZYGOTE_NODE");
    return arena_copy(a, span_of(given != NULL ? given : "node")).p;
}

int paths_cache(struct arena *a, const char **out, struct err *e)
{
    const char *given = environment("ZYGOTE_CACHE");
    const char *xdg = environment("XDG_CACHE_HOME");
    const char *home = environment("HOME");
    const char *dir = given;
    if (dir == NULL && xdg != NULL && xdg[0] == '/') /* a relative one is to be ignored */
        dir = file_join(a, xdg, "zygote");
    if (dir == NULL && home != NULL)
        dir = file_join(a, home, ".cache/zygote");
    if (dir == NULL)
        return err_set(e, EXIT_NOT_FOUND, "no place for a cache: set ZYGOTE_CACHE or HOME");
    if (file_make_dirs(a, dir, 0700, e) != 0)
        return -1;
    *out = dir;
    return 0;
}
