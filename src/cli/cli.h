/* cli.h -- one table of verbs, one table of options, one way of saying things.
 *
 * The tables (commands.c, options.c) are all there is to know about the command line:
 * parsing, --help, `zygote help --json` and the completions are made from them, and a
 * test holds the man page against them.
 *
 * Data goes to stdout, through `out`, once the verb is done; everything else to stderr.
 * A verb returns 0, or -1 with the error (and, where one helps, a hint) filled in; what it
 * has put into `out` by then is printed all the same.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "zygote.h" /* ZYGOTE_VERSION */

enum { CLI_SCHEMA = 1 /* of what --json prints */ };

enum option_id {
    OPT_NONE = 0,
    /* everywhere */
    OPT_DIR,
    OPT_JSON,
    OPT_PLAIN,
    OPT_QUIET,
    OPT_VERBOSE,
    OPT_NO_COLOR,
    OPT_NO_PROGRESS,
    OPT_HELP,
    OPT_VERSION,
    OPT_GLOBAL_END = OPT_VERSION,
    /* of some verbs */
    OPT_CRANKS,
    OPT_TIME,
    OPT_RESULT,
    OPT_COUNT,
    OPT_NAME,
    OPT_REF,
    OPT_PROMISES,
    OPT_REAP_INTERVAL,
    OPT_IMPORT,
    OPT_METER,
    OPT_NOW,
    OPT_DRY_RUN,
    OPT_NO_RUN,
    OPT_ALL,
    OPT_ARTIFACTS,
    OPT_OUTPUT,
    OPT_DEV,
    OPT_SLOG,
    OPT_FOLLOW,
    OPT_VAT,
    OPT_TYPE,
    OPT_FROM,
    OPT_TO,
    OPT_VERIFY,
    OPT_FROM_GENESIS,
    OPTION_IDS,
};

struct option {
    enum option_id id;
    char letter;       /* 0: none */
    const char *name;
    const char *value; /* what it takes, for help; NULL: nothing */
    bool repeats;
    const char *help;
};

/* What the operands of a verb are, for completion. */
enum operand_kind {
    OPERAND_NONE = 0,
    OPERAND_FILE,
    OPERAND_VAT,
    OPERAND_VERB,
    OPERAND_SHELL,
    OPERAND_STORE, /* an action, and a directory */
};

struct cli;
struct command {
    const char *name;
    const char *operands; /* "VAT", "[CONFIG [ARG…]]"; "" for none */
    const char *summary;
    const char *text;     /* a few sentences; may be NULL */
    const char *example;  /* may be NULL */
    size_t least, most;   /* operands */
    enum operand_kind kind;
    enum option_id options[9]; /* its own; ended by OPT_NONE */
    int (*run)(struct cli *c, struct err *e);
};

struct cli {
    /* as asked for */
    const char *dir;
    bool json, plain, quiet, verbose, color, progress;
    const struct command *command;
    size_t operand_count;
    const char **operands;
    const char *value[OPTION_IDS]; /* the last one given; "" for options without one */
    size_t ref_count;
    const char **refs;             /* each --ref, or --import: no verb has both */

    /* meanwhile */
    struct arena arena; /* until the process ends */
    struct buf out;
    const char *code;   /* of the error, for --json; NULL: by exit code */
    const char *hint;   /* what to do about it; may be NULL */
    int exit;           /* with what a verb that did not fail ends; 0 unless it says so */
};

/* -- tables ------------------------------------------------------------------------ */

/* Ended by one without a name. */
extern const struct option cli_options[];
extern const struct command cli_commands[];

const struct command *command_find(const char *name);
const struct option *option_find(enum option_id id);
bool command_takes(const struct command *c, enum option_id id);

/* -- parsing (options.c) ----------------------------------------------------------- */

/* Fill in what was asked for.  `command` stays NULL if no verb was given. */
int cli_parse(struct cli *c, int argc, char **argv, struct err *e) MUST_CHECK;
/* A whole number given as an option's value; `otherwise` if it was not given. */
int cli_number(const struct cli *c, enum option_id id, uint64_t least, uint64_t most,
               uint64_t otherwise, uint64_t *out, struct err *e) MUST_CHECK;

/* -- help (help.c, complete.c) ----------------------------------------------------- */

void help_all(struct cli *c, struct buf *out);
void help_command(struct cli *c, const struct command *command, struct buf *out);
int verb_help(struct cli *c, struct err *e);
int verb_version(struct cli *c, struct err *e);
int verb_completion(struct cli *c, struct err *e);

/* -- verbs ------------------------------------------------------------------------- */

int verb_init(struct cli *c, struct err *e);
int verb_run(struct cli *c, struct err *e);
int verb_step(struct cli *c, struct err *e);
int verb_send(struct cli *c, struct err *e);
int verb_fork(struct cli *c, struct err *e);
int verb_zygotify(struct cli *c, struct err *e);
int verb_ps(struct cli *c, struct err *e);
int verb_tree(struct cli *c, struct err *e);
int verb_dump(struct cli *c, struct err *e);
int verb_audit(struct cli *c, struct err *e);
int verb_store(struct cli *c, struct err *e);
int verb_rom(struct cli *c, struct err *e);
int verb_enable_forks(struct cli *c, struct err *e);
int verb_leave(struct cli *c, struct err *e);
int verb_bundle(struct cli *c, struct err *e);
int verb_slog(struct cli *c, struct err *e);
int verb_replay(struct cli *c, struct err *e);
int verb_diff(struct cli *c, struct err *e);
