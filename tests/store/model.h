/* model.h -- what a store should do, said naively, and a language to say what to do.
 *
 * A script is a list of operations, one a line; '#' starts a comment:
 *
 *     crank | mark start | mark deliver | back start | back deliver | emit | end
 *     commit | reopen | crash SEED
 *     set K V | change K V | delete K | get K       K, V: small numbers, see KEYS
 *     next K | copy                                 copy: of v1's vatstore to v3
 *     init VAT | add VAT ITEM | roll VAT | upgrade VAT | stop VAT | wipe VAT
 *     snap VAT POS BODY | unsnap VAT | sweep VAT | share | clone FROM TO
 *
 * run_op() does one to a real store and to the model and compares what can be seen.  An
 * operation that the calling sequence does not allow at that point is skipped, so every
 * list of operations is a script.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "store/store.h"

enum op_kind {
    OP_CRANK,
    OP_MARK,
    OP_BACK,
    OP_EMIT,
    OP_END,
    OP_COMMIT,
    OP_REOPEN,
    OP_CRASH,
    OP_SET,
    OP_CHANGE,
    OP_DELETE,
    OP_GET,
    OP_NEXT,
    OP_COPY,
    OP_INIT,
    OP_ADD,
    OP_ROLL,
    OP_UPGRADE,
    OP_STOP,
    OP_WIPE,
    OP_SNAP,
    OP_UNSNAP,
    OP_SWEEP,
    OP_SHARE,
    OP_CLONE,
    OP_COUNT,
};

struct op {
    enum op_kind kind;
    unsigned a, b, c;
};

enum {
    MODEL_KEYS = 11,
    MODEL_COPY_FROM = 5, /* the first of MODEL_COPIED keys that are copied, and where to */
    MODEL_COPY_TO = 8,
    MODEL_COPIED = 2,
    MODEL_VATS = 3,
    MODEL_ROWS = 12,
    MODEL_ITEMS = 40,
    MODEL_BODIES = 3
};
extern const char *const KEYS[MODEL_KEYS];

struct model_span {
    unsigned start, end, incarnation;
    bool current;
    char hash[SHA256_HEX + 1];
};

struct model_snap {
    unsigned position, body;
    bool in_use, present;
};

struct model_vat {
    struct model_span spans[MODEL_ROWS];
    unsigned spans_n;
    struct {
        unsigned position, item, incarnation;
    } items[MODEL_ITEMS];
    unsigned items_n;
    struct model_snap snaps[MODEL_ROWS];
    unsigned snaps_n;
};

/* All that a rollback or a crash brings back: copied whole. */
struct model_state {
    int kv[MODEL_KEYS]; /* the value; -1: absent */
    char activityhash[SHA256_HEX + 1];
    struct model_vat vats[MODEL_VATS];
    bool shared;
};

enum { SCRIPT_MAX = 256, PROMISES_MAX = SCRIPT_MAX };

struct run {
    const char *dir;
    struct store *store;
    struct model_state now, committed, marks[2];
    enum savepoint mark_names[2];
    int marks_n;
    bool in_crank;
    struct buf hashed; /* what the crankhash covers */
    struct {
        struct span value; /* as kv_get gave it: must stay good until the crank ends */
        int number;
    } promises[PROMISES_MAX];
    unsigned promises_n;
    void *queries[2]; /* prepared, for run_check_rows */
    char why[8192];   /* of a failure */
};

/* A fresh store in `dir` (run_start) and its end. */
void run_start(struct run *r, const char *dir);
void run_fini(struct run *r);
/* Empty the store and the model, by means of the store; cheaper than a fresh one. */
void run_reset(struct run *r);

bool op_legal(const struct run *r, struct op op);
/* False: store and model disagree; r->why says how. */
bool run_op(struct run *r, struct op op);
/* Compare all that can be read through the interface. */
bool run_check(struct run *r);
/* Compare the rows in SQLite with the committed state; right after a commit or open. */
bool run_check_rows(struct run *r);
/* Before the store is closed by other means than run_fini. */
void run_forget_queries(struct run *r);

void op_print(struct op op, FILE *f);
/* False at a line that is no operation; a blank or comment line gives *some = false. */
bool op_parse(const char *line, struct op *op, bool *some);

/* The text of the rows that `st` should have left in SQLite. */
void model_dump(const struct model_state *st, struct buf *out);
