/* bundle_cache.c -- bundles made from source, kept until a source changes. */
#include "host/bundle_cache.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/json.h"
#include "host/file.h"

static const char *entry_path(struct arena *a, const char *dir, const char *key)
{
    return arena_printf(a, "%s/%s.json", dir, key).p;
}

/* A string as a path; NULL if it cannot be one. */
static const char *path_of(struct jval v, struct arena *a)
{
    struct span s = json_str(v, a);
    if (s.p == NULL || memchr(s.p, '\0', s.n) != NULL)
        return NULL;
    return arena_copy(a, s).p;
}

/* [file, bytes, sha256]: is it as it was? */
static bool input_holds(struct jval input, struct arena *a)
{
    const char *path = path_of(json_at(input, 0), a);
    uint64_t bytes;
    struct stat st;
    struct span text;
    struct err why;
    char hash[SHA256_HEX + 1];
    if (path == NULL || !json_u64(json_at(input, 1), &bytes))
        return false;
    if (stat(path, &st) != 0 || (uint64_t)st.st_size != bytes)
        return false;
    if (file_read(a, path, &text, &why) != 0)
        return false;
    sha256_hex(text, hash);
    return json_is(json_at(input, 2), hash);
}

static bool inputs_hold(struct jval inputs)
{
    struct arena a;
    bool hold = json_len(inputs) > 0; /* a bundle of nothing is none of ours */
    for (struct jval v = json_first(inputs); hold && json_type(v) != JSON_NONE;
         v = json_next(v)) {
        arena_init(&a); /* one file at a time in memory */
        hold = input_holds(v, &a);
        arena_fini(&a);
    }
    return hold;
}

static bool still_absent(struct jval absent, struct arena *a)
{
    for (struct jval v = json_first(absent); json_type(v) != JSON_NONE; v = json_next(v)) {
        const char *path = path_of(v, a);
        if (path == NULL || access(path, F_OK) == 0)
            return false;
    }
    return true;
}

static bool links_hold(struct jval links, struct arena *a)
{
    for (struct jval v = json_first(links); json_type(v) != JSON_NONE; v = json_next(v)) {
        char real[PATH_MAX];
        const char *path = path_of(json_at(v, 0), a);
        if (path == NULL || realpath(path, real) == NULL || !json_is(json_at(v, 1), real))
            return false;
    }
    return true;
}

bool bundle_cache_find(struct arena *a, const char *dir, const char *key, struct span *out)
{
    struct span text;
    struct jval entry;
    struct err why;
    if (file_read(a, entry_path(a, dir, key), &text, &why) != 0 ||
        json_parse(a, text, &entry, &why) != 0)
        return false;
    if (!inputs_hold(json_get(entry, "inputs")) ||
        !still_absent(json_get(entry, "absent"), a) ||
        !links_hold(json_get(entry, "links"), a))
        return false;
    *out = text;
    return true;
}

int bundle_cache_keep(struct arena *a, const char *dir, const char *key, struct span answer,
                      struct err *e)
{
    if (file_make_dirs(a, dir, 0700, e) != 0)
        return -1;
    return file_write(a, entry_path(a, dir, key), answer, e);
}
