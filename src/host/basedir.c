/* basedir.c -- a folder of vats as a config. */
#include "host/basedir.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "host/file.h"

#define PREFIX "vat-"
#define SUFFIX ".js"

bool basedir_is(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* "alice" of "vat-alice.js", if that is a regular file. */
static struct span vat_name(struct arena *a, const char *dir, const char *file)
{
    struct span name = span_of(file);
    struct stat st;
    size_t around = sizeof PREFIX SUFFIX - 1;
    if (name.n < around || !span_starts(name, SPAN(PREFIX)) ||
        strcmp(file + name.n - strlen(SUFFIX), SUFFIX) != 0)
        return SPAN_NONE;
    if (lstat(file_join(a, dir, file), &st) != 0 || !S_ISREG(st.st_mode))
        return SPAN_NONE; /* a symbolic link neither, as upstream has it */
    return arena_copy(a, (struct span){ file + strlen(PREFIX), name.n - around });
}

static void put_vat(struct buf *b, struct span name, struct span file)
{
    json_put_string(b, name);
    buf_puts(b, ":{\"sourceSpec\":");
    json_put_string(b, file);
    buf_puts(b, ",\"parameters\":{}}");
}

static int plain(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* By bytes, not by locale: the text is hashed. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int basedir_config(struct arena *a, const char *dir, struct span *text, struct err *e)
{
    struct dirent **entries;
    struct stat st;
    if (stat(file_join(a, dir, "bootstrap.js"), &st) != 0)
        return err_set(e, EXIT_NOT_FOUND, "no bootstrap.js in %s, a folder of vats", dir);
    int n = scandir(dir, &entries, plain, by_name);
    if (n < 0)
        return err_sys(e, "cannot read %s", dir);
    struct buf b = { 0 };
    buf_puts(&b, "{\"bootstrap\":\"bootstrap\",\"vats\":{");
    for (int i = 0; i < n; i++) {
        struct span name = vat_name(a, dir, entries[i]->d_name);
        if (name.p != NULL && !span_is(name, "bootstrap")) { /* bootstrap.js is that one */
            put_vat(&b, name, arena_printf(a, "./%s", entries[i]->d_name));
            buf_puts(&b, ",\n");
        }
        free(entries[i]);
    }
    free(entries);
    put_vat(&b, SPAN("bootstrap"), SPAN("./bootstrap.js"));
    buf_puts(&b, "}}");
    *text = arena_copy(a, buf_span(&b));
    buf_fini(&b);
    return 0;
}
