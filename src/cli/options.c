/* options.c -- from argv to what was asked for. */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "host/suggest.h"

struct args {
    int argc, at;
    char **argv;
};

static int usage(struct cli *c, const char *code, struct err *e)
{
    c->code = code;
    c->hint = c->command == NULL
                  ? "zygote help"
                  : arena_printf(&c->arena, "zygote help %s", c->command->name).p;
    e->exit = EXIT_USAGE;
    return -1;
}

static void take(struct cli *c, const struct option *o, const char *value)
{
    if (o->repeats)
        c->refs[c->ref_count++] = value;
    c->value[o->id] = value == NULL ? "" : value;
}

/* -- long options ------------------------------------------------------------------ */

static const struct option *long_option(struct span name)
{
    for (const struct option *o = cli_options; o->name != NULL; o++) {
        if (span_is(name, o->name))
            return o;
    }
    return NULL;
}

static int unknown_long(struct cli *c, struct span name, struct err *e)
{
    struct suggest s = suggest_for(name);
    for (const struct option *o = cli_options; o->name != NULL; o++)
        suggest_offer(&s, o->name);
    err_set(e, EXIT_USAGE, "unknown option --%.*s%s%s%s", SPAN_ARG(name),
            s.best != NULL ? "; did you mean --" : "", s.best != NULL ? s.best : "",
            s.best != NULL ? "?" : "");
    return usage(c, "UNKNOWN_OPTION", e);
}

static int no_value(struct cli *c, const struct option *o, struct err *e)
{
    err_set(e, EXIT_USAGE, "--%s needs %s", o->name, o->value);
    return usage(c, "USAGE", e);
}

static int parse_long(struct cli *c, struct args *a, const char *text, struct err *e)
{
    const char *equals = strchr(text, '=');
    struct span name =
        equals == NULL ? span_of(text) : (struct span){ text, (size_t)(equals - text) };
    const struct option *o = long_option(name);
    const char *value = equals == NULL ? NULL : equals + 1;
    if (o == NULL)
        return unknown_long(c, name, e);
    if (o->value == NULL && value != NULL) {
        err_set(e, EXIT_USAGE, "--%s takes no value", o->name);
        return usage(c, "USAGE", e);
    }
    if (o->value != NULL && value == NULL) {
        if (a->at == a->argc)
            return no_value(c, o, e);
        value = a->argv[a->at++];
    }
    take(c, o, value);
    return 0;
}

/* -- short options ----------------------------------------------------------------- */

static const struct option *short_option(char letter)
{
    for (const struct option *o = cli_options; o->name != NULL; o++) {
        if (o->letter == letter)
            return o;
    }
    return NULL;
}

static int parse_short(struct cli *c, struct args *a, const char *letters, struct err *e)
{
    for (const char *p = letters; *p != '\0'; p++) {
        const struct option *o = short_option(*p);
        if (o == NULL) {
            err_set(e, EXIT_USAGE, "unknown option -%c", *p);
            return usage(c, "UNKNOWN_OPTION", e);
        }
        if (o->value == NULL) {
            take(c, o, NULL);
            continue;
        }
        if (p[1] != '\0') {
            take(c, o, p + 1);
        } else if (a->at < a->argc) {
            take(c, o, a->argv[a->at++]);
        } else {
            return no_value(c, o, e);
        }
        return 0;
    }
    return 0;
}

/* -- words ------------------------------------------------------------------------- */

static int parse_verb(struct cli *c, const char *name, struct err *e)
{
    c->command = command_find(name);
    if (c->command != NULL)
        return 0;
    struct suggest s = suggest_for(span_of(name));
    for (const struct command *v = cli_commands; v->name != NULL; v++)
        suggest_offer(&s, v->name);
    err_set(e, EXIT_USAGE, "unknown verb \"%s\"%s%s%s", name,
            s.best != NULL ? "; did you mean \"" : "", s.best != NULL ? s.best : "",
            s.best != NULL ? "\"?" : "");
    return usage(c, "UNKNOWN_VERB", e);
}

/* "-5" and "-.5" are arguments, not options. */
static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0' && word[1] != '.' &&
           !(word[1] >= '0' && word[1] <= '9');
}

static int parse_words(struct cli *c, struct args *a, struct err *e)
{
    bool options = true;
    while (a->at < a->argc) {
        const char *word = a->argv[a->at++];
        int failed = 0;
        if (options && strcmp(word, "--") == 0)
            options = false;
        else if (options && strncmp(word, "--", 2) == 0)
            failed = parse_long(c, a, word + 2, e);
        else if (options && is_option(word))
            failed = parse_short(c, a, word + 1, e);
        else if (c->command == NULL)
            failed = parse_verb(c, word, e);
        else
            c->operands[c->operand_count++] = word;
        if (failed)
            return -1;
    }
    return 0;
}

/* -- all of it --------------------------------------------------------------------- */

static int check(struct cli *c, struct err *e)
{
    if (c->value[OPT_JSON] != NULL && c->value[OPT_PLAIN] != NULL) {
        err_set(e, EXIT_USAGE, "--json and --plain exclude each other");
        return usage(c, "USAGE", e);
    }
    if (c->command == NULL || c->value[OPT_HELP] != NULL || c->value[OPT_VERSION] != NULL)
        return 0;
    for (enum option_id id = OPT_NONE + 1; id < OPTION_IDS; id++) {
        if (c->value[id] != NULL && !command_takes(c->command, id)) {
            err_set(e, EXIT_USAGE, "--%s is not an option of %s", option_find(id)->name,
                    c->command->name);
            return usage(c, "UNKNOWN_OPTION", e);
        }
    }
    if (c->operand_count < c->command->least || c->operand_count > c->command->most) {
        err_set(e, EXIT_USAGE, "%s: %s arguments; usage: zygote %s %s", c->command->name,
                c->operand_count < c->command->least ? "too few" : "too many",
                c->command->name, c->command->operands);
        return usage(c, "USAGE", e);
    }
    return 0;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0';
}

static void settle(struct cli *c)
{
    const char *term = getenv("TERM");
    bool dumb = term == NULL || strcmp(term, "dumb") == 0;
    c->dir = c->value[OPT_DIR];
    if (c->dir == NULL)
        c->dir = is_set("ZYGOTE_STORE") ? getenv("ZYGOTE_STORE") : "zygote-store";
    c->json = c->value[OPT_JSON] != NULL;
    c->plain = c->value[OPT_PLAIN] != NULL;
    c->quiet = c->value[OPT_QUIET] != NULL;
    c->verbose = c->value[OPT_VERBOSE] != NULL;
    c->color = !c->json && !c->plain && !dumb && c->value[OPT_NO_COLOR] == NULL &&
               !is_set("NO_COLOR") && isatty(STDOUT_FILENO);
    c->progress = !c->json && !c->quiet && !dumb && c->value[OPT_NO_PROGRESS] == NULL &&
                  isatty(STDERR_FILENO);
}

int cli_parse(struct cli *c, int argc, char **argv, struct err *e)
{
    struct args a = { .argc = argc, .at = 1, .argv = argv };
    c->operands = ARENA_ARRAY(&c->arena, const char *, (size_t)argc + 1);
    c->refs = ARENA_ARRAY(&c->arena, const char *, (size_t)argc + 1);
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        c->json = c->json || strcmp(argv[i], "--json") == 0; /* for errors met on the way */
    if (parse_words(c, &a, e) != 0 || check(c, e) != 0)
        return -1;
    settle(c);
    return 0;
}

int cli_number(const struct cli *c, enum option_id id, uint64_t least, uint64_t most,
               uint64_t otherwise, uint64_t *out, struct err *e)
{
    uint64_t n = otherwise;
    const char *text = c->value[id], *name = option_find(id)->name;
    if (text != NULL && (!span_u64(span_of(text), &n) || n < least))
        return err_set(e, EXIT_USAGE,
                       "--%s must be a whole number, %" PRIu64 " or more, not %s", name,
                       least, text[0] == '\0' ? "\"\"" : text);
    if (n > most)
        return err_set(e, EXIT_USAGE, "--%s must be at most %" PRIu64, name, most);
    *out = n;
    return 0;
}
