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

/* Where `make install` puts things, unless the program was moved. */
#define INSTALLED_BIN   PREFIX "/bin"
#define INSTALLED_SHARE PREFIX "/share/zygote"

/* Some file or folder, looked for in several places. */
struct search {
    const char *what; /* with a word of place behind it */
    const char *variable;
    const char *probe; /* what must be there, below the place; "": the place itself */
    int mode;
    size_t count;
    const char *places[3];
    const char *advice;
};

static bool is_there(struct arena *a, const struct search *s, const char *place)
{
    return access(s->probe[0] == '\0' ? place : file_join(a, place, s->probe), s->mode) == 0;
}

static int search(struct arena *a, const struct search *s, const char **out, struct err *e)
{
    const char *given = environment(s->variable);
    if (given != NULL && !is_there(a, s, given))
        return err_set(e, EXIT_NOT_FOUND, "no %s %s ($%s)", s->what, given, s->variable);
    *out = given;
    for (size_t i = 0; *out == NULL && i < s->count; i++) {
        if (is_there(a, s, s->places[i]))
            *out = s->places[i];
    }
    return *out != NULL ? 0
                        : err_set(e, EXIT_NOT_FOUND, "no %s %s; %s", s->what, s->places[0],
                                  s->advice);
}

int paths_worker(struct arena *a, const char **out, struct err *e)
{
    const char *dir;
    if (program_dir(a, &dir, e) != 0)
        return -1;
    struct search s = { .what = "worker program at",
                        .variable = "ZYGOTE_WORKER",
                        .probe = "",
                        .mode = X_OK,
                        .count = 2,
                        .places = { file_join(a, dir, "zygote-worker"),
                                    INSTALLED_BIN "/zygote-worker" },
                        .advice = "set ZYGOTE_WORKER to its path" };
    return search(a, &s, out, e);
}

int paths_bundles(struct arena *a, const char **out, struct err *e)
{
    const char *dir;
    if (program_dir(a, &dir, e) != 0)
        return -1;
    struct search s = { .what = "system bundles in",
                        .variable = "ZYGOTE_BUNDLES",
                        .probe = "manifest.json",
                        .mode = R_OK,
                        .count = 3,
                        .places = { file_join(a, dir, "bundles"),
                                    file_join(a, dir, "../share/zygote/bundles"),
                                    INSTALLED_SHARE "/bundles" },
                        .advice = "build them with `make bundles`, or set ZYGOTE_BUNDLES" };
    return search(a, &s, out, e);
}

int paths_bundler(struct arena *a, const char **out, struct err *e)
{
    const char *dir;
    if (program_dir(a, &dir, e) != 0)
        return -1;
    struct search s = { .what = "bundler at",
                        .variable = "ZYGOTE_BUNDLER",
                        .probe = "",
                        .mode = R_OK,
                        .count = 3,
                        .places = { file_join(a, dir, "bundle-source.mjs"),
                                    file_join(a, dir, "../share/zygote/bundle-source.mjs"),
                                    INSTALLED_SHARE "/bundle-source.mjs" },
                        .advice = "set ZYGOTE_BUNDLER to bundle-source.mjs" };
    return search(a, &s, out, e);
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
