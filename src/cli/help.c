/* help.c -- help, from the tables. */
#include <stdio.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/out.h"

enum { HELP_COLUMNS = 80, NAME_COLUMN = 22 };

/* -- text -------------------------------------------------------------------------- */

/* Words of `text`, folded, behind `indent` spaces. */
static void put_folded(struct buf *out, const char *text, size_t indent, size_t column)
{
    while (*text != '\0') {
        size_t n = strcspn(text, " ");
        if (column > indent && column + 1 + n > HELP_COLUMNS) {
            buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            buf_putc(out, ' ');
            column++;
        }
        buf_put(out, (struct span){ text, n });
        column += n;
        text += n;
        text += strspn(text, " ");
    }
    buf_putc(out, '\n');
}

/* "  NAME    text", the name on a line of its own if it is long. */
static void put_entry(struct buf *out, const char *name, size_t shown, const char *text)
{
    buf_printf(out, "  %s", name);
    if (shown + 2 > NAME_COLUMN - 2)
        buf_printf(out, "\n%*s", NAME_COLUMN, "");
    else
        buf_printf(out, "%*s", (int)(NAME_COLUMN - 2 - shown), "");
    put_folded(out, text, NAME_COLUMN, NAME_COLUMN);
}

static void put_option(struct cli *c, const struct option *o, struct buf *out)
{
    const char *letter =
        o->letter == 0 ? "    " : arena_printf(&c->arena, "-%c, ", o->letter).p;
    struct span name =
        arena_printf(&c->arena, "%s--%s%s%s", letter, o->name, o->value != NULL ? " " : "",
                     o->value != NULL ? o->value : "");
    put_entry(out, name.p, name.n, o->help);
}

static void put_options(struct cli *c, const struct command *command, struct buf *out)
{
    bool own = false;
    for (const struct option *o = cli_options; o->name != NULL; o++) {
        if (o->id > OPT_GLOBAL_END && command != NULL && command_takes(command, o->id)) {
            buf_puts(out, own ? "" : "\noptions:\n");
            own = true;
            put_option(c, o, out);
        }
    }
    buf_puts(out, own ? "\noptions of every verb:\n" : "\noptions:\n");
    for (const struct option *o = cli_options; o->id != OPT_NONE && o->id <= OPT_GLOBAL_END;
         o++)
        put_option(c, o, out);
}

void help_all(struct cli *c, struct buf *out)
{
    buf_puts(out, "usage: zygote [OPTION…] VERB [ARG…]\n\n"
                  "A vat kernel whose vats can be forked.\n\nverbs:\n");
    for (const struct command *v = cli_commands; v->name != NULL; v++)
        put_entry(out, v->name, strlen(v->name), v->summary);
    put_options(c, NULL, out);
    buf_puts(
        out,
        "\nexit codes: 0 done; 1 failed; 2 usage or config; 3 not found; 4 a vat failed or\n"
        "rejected; 5 integrity; 6 store in use; 8 incompatible; 9 refused\n\n"
        "`zygote help VERB` says more, zygote(1) most.\n");
}

/* One piece of a usage line, which is folded between pieces. */
static void put_piece(struct buf *out, struct span piece, size_t *column)
{
    enum { INDENT = 8 };
    if (*column + 1 + piece.n > HELP_COLUMNS) {
        buf_printf(out, "\n%*s", INDENT, "");
        *column = INDENT;
    } else {
        buf_putc(out, ' ');
        (*column)++;
    }
    buf_put(out, piece);
    *column += piece.n;
}

static void put_usage(struct cli *c, const struct command *command, struct buf *out)
{
    size_t from = out->n;
    buf_printf(out, "usage: zygote %s", command->name);
    size_t column = out->n - from;
    for (const struct option *o = cli_options; o->name != NULL; o++) {
        if (o->id <= OPT_GLOBAL_END || !command_takes(command, o->id))
            continue;
        struct span name = o->letter != 0 ? arena_printf(&c->arena, "-%c", o->letter)
                                          : arena_printf(&c->arena, "--%s", o->name);
        put_piece(out,
                  arena_printf(&c->arena, "[%s%s%s]%s", name.p, o->value != NULL ? " " : "",
                               o->value != NULL ? o->value : "", o->repeats ? "…" : ""),
                  &column);
    }
    if (command->operands[0] != '\0')
        put_piece(out, span_of(command->operands), &column);
    buf_puts(out, "\n\n");
}

void help_command(struct cli *c, const struct command *command, struct buf *out)
{
    put_usage(c, command, out);
    buf_putc(out, (char)(command->summary[0] - 'a' + 'A'));
    buf_printf(out, "%s.\n", command->summary + 1);
    if (command->text != NULL) {
        buf_putc(out, '\n');
        put_folded(out, command->text, 0, 0);
    }
    if (command->example != NULL)
        buf_printf(out, "\nexample:\n  %s\n", command->example);
    put_options(c, command, out);
}

/* -- JSON: the tables themselves --------------------------------------------------- */

static void put_option_json(struct buf *out, const struct option *o)
{
    char letter[2] = { o->letter, '\0' };
    buf_putc(out, '{');
    json_member_str(out, "name", span_of(o->name));
    json_member_str(out, "letter", o->letter == 0 ? SPAN_NONE : span_of(letter));
    json_member_str(out, "value", o->value == NULL ? SPAN_NONE : span_of(o->value));
    json_member_str(out, "help", span_of(o->help));
    buf_putc(out, '}');
}

/* Global options if `command` is NULL, else its own. */
static void put_options_json(struct buf *out, const struct command *command)
{
    bool any = false;
    json_key(out, "options");
    buf_putc(out, '[');
    for (const struct option *o = cli_options; o->name != NULL; o++) {
        bool global = o->id <= OPT_GLOBAL_END;
        if (command == NULL ? !global : global || !command_takes(command, o->id))
            continue;
        buf_puts(out, any ? "," : "");
        put_option_json(out, o);
        any = true;
    }
    buf_putc(out, ']');
}

static void put_json(struct buf *out)
{
    json_begin(out);
    put_options_json(out, NULL);
    json_key(out, "verbs");
    buf_putc(out, '[');
    for (const struct command *v = cli_commands; v->name != NULL; v++) {
        buf_puts(out, v == cli_commands ? "{" : ",{");
        json_member_str(out, "name", span_of(v->name));
        json_member_str(out, "operands", span_of(v->operands));
        json_member_str(out, "summary", span_of(v->summary));
        put_options_json(out, v);
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
    json_end(out);
}

int verb_help(struct cli *c, struct err *e)
{
    if (c->json) {
        put_json(&c->out);
        return 0;
    }
    if (c->operand_count == 0) {
        help_all(c, &c->out);
        return 0;
    }
    const struct command *v = command_find(c->operands[0]);
    if (v == NULL)
        return err_set(e, EXIT_USAGE, "unknown verb \"%s\"", c->operands[0]);
    help_command(c, v, &c->out);
    return 0;
}

int verb_version(struct cli *c, struct err *e)
{
    (void)e;
    if (c->json) {
        json_begin(&c->out);
        json_member_str(&c->out, "version", SPAN(ZYGOTE_VERSION));
        json_end(&c->out);
    } else {
        buf_puts(&c->out, "zygote " ZYGOTE_VERSION "\n");
    }
    return 0;
}
