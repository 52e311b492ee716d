/* sql.c -- run SQL on a store behind the kernel's back: sql STORE-DIRECTORY SQL
 *
 * Rows are printed tab separated.
 */
#include <sqlite3.h>
#include <stdio.h>

static int print_row(void *unused, int n, char **values, char **names)
{
    (void)unused;
    (void)names;
    for (int i = 0; i < n; i++)
        printf("%s%s", values[i] == NULL ? "" : values[i], i + 1 < n ? "\t" : "\n");
    return 0;
}

int main(int argc, char **argv)
{
    sqlite3 *db;
    char path[4096], *why = NULL;
    if (argc != 3) {
        fputs("usage: sql STORE-DIRECTORY SQL\n", stderr);
        return 2;
    }
    snprintf(path, sizeof path, "%s/swingstore.sqlite", argv[1]);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_exec(db, argv[2], print_row, NULL, &why) != SQLITE_OK) {
        fprintf(stderr, "sql: %s: %s\n", path, why != NULL ? why : sqlite3_errmsg(db));
        return 1;
    }
    sqlite3_close(db);
    return 0;
}
