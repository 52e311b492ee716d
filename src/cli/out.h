/* out.h -- tables and JSON on stdout, errors on stderr. */
#pragma once

#include "cli/cli.h"

/* -- tables ------------------------------------------------------------------------ */

struct column {
    const char *head;
    bool right; /* numbers */
};

/* Cells are put in row by row; their bytes must stay until the table is printed. */
struct table {
    size_t columns;
    const struct column *column;
    size_t count, room;
    struct span *cells;
};

void table_cell(struct table *t, struct span text);
void table_number(struct table *t, struct arena *a, uint64_t n);
/* Aligned with a heading, or tab separated with --plain.  Frees the table. */
void table_print(struct cli *c, struct table *t);

/* -- text -------------------------------------------------------------------------- */

/* Text that a vat or a file chose: control characters become \xNN. */
void out_tame(struct buf *b, struct span s);

/* -- JSON -------------------------------------------------------------------------- */

/* `{"schema":1` and then members, each with its comma; close with json_end(). */
void json_begin(struct buf *b);
void json_end(struct buf *b); /* and a newline */
void json_key(struct buf *b, const char *key);
void json_member_str(struct buf *b, const char *key, struct span value); /* absent: null */
void json_member_u64(struct buf *b, const char *key, uint64_t value);
void json_member_bool(struct buf *b, const char *key, bool value);
/* A JSON text, indented for people. */
void json_pretty(struct buf *b, struct span text);

/* -- errors ------------------------------------------------------------------------ */

void out_error(const struct cli *c, const struct err *e);
