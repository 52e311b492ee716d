/* upgrade_store.c -- our side of tests/kernel/upgrade_store.mjs.
 *
 *   upgrade_store DIR   bring its kernel state up to date, commit, say whether it changed;
 *                       exit as the command line would, and commit nothing, on an error
 */
#include <stdio.h>

#include "kernel/upgrade_store.h"

static int upgrade(const char *dir, bool *modified, struct err *e)
{
    struct store *s;
    struct store_options o = { .any_version = true };
    if (store_open_with(dir, STORE_OPEN, &o, &s, e) != 0) return -1;
    int rc = kernel_upgrade_store(s, modified, e);
    if (rc == 0) rc = store_commit(s, e);
    store_close(s);
    return rc;
}

int main(int argc, char **argv)
{
    bool modified;
    struct err e;
    if (argc != 2) return 99;
    if (upgrade(argv[1], &modified, &e) != 0) {
        fprintf(stderr, "%s\n", e.text);
        return (int)e.exit;
    }
    printf("%s\n", modified ? "modified" : "unchanged");
    return 0;
}
