#include "engine/title.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/xalloc.h"

static struct {
    char *start;
    size_t room;
    char **environment; /* where it is now */
} title;

static size_t count(char **strings)
{
    size_t n = 0;
    while (strings[n] != NULL) n++;
    return n;
}

/* The environment strings follow the arguments; getenv() gets copies. */
static void move_environment(size_t n)
{
    char **moved = xcalloc(n + 1, sizeof *moved);
    for (size_t i = 0; i < n; i++) moved[i] = xstrdup(environ[i]);
    environ = title.environment = moved;
}

void title_init(int argc, char **argv)
{
    size_t strings = count(environ);
    char *end = argv[0];
    for (int i = 0; i < argc && argv[i] == end; i++) end += strlen(end) + 1;
    for (size_t i = 0; i < strings && environ[i] == end; i++) end += strlen(end) + 1;
    title.start = argv[0];
    title.room = (size_t)(end - argv[0]);
    move_environment(strings);
}

void title_set(const char *name)
{
    prctl(PR_SET_NAME, name, 0, 0, 0);
    if (title.room < 2) return;
    /* A byte that is not NUL at the old end of the arguments makes ps read one string. */
    memset(title.start, ' ', title.room - 1);
    int n = snprintf(title.start, title.room, "zygote-worker: %s", name);
    if ((size_t)n < title.room - 1) memset(title.start + n, 0, title.room - (size_t)n);
}
