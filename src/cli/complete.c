/* complete.c -- completion scripts for shells, from the tables. */
#include <stdio.h>

#include "cli/cli.h"

/* Names of vats, for a shell to ask while one types. */
#define VATS_COMMAND "zygote ps --plain 2>/dev/null | cut -f 1,2 | tr '\\t' '\\n'"

#define STORE_ACTIONS "export import repair upgrade"

static const char *words_of(enum operand_kind kind)
{
    switch (kind) {
    case OPERAND_VAT: return "$(" VATS_COMMAND ")";
    case OPERAND_SHELL: return "bash zsh fish";
    case OPERAND_STORE: return STORE_ACTIONS;
    case OPERAND_NONE:
    case OPERAND_FILE:
    case OPERAND_VERB: break;
    }
    return "";
}

static void put_verbs(struct buf *out, const char *between)
{
    for (const struct command *v = cli_commands; v->name != NULL; v++)
        buf_printf(out, "%s%s", v == cli_commands ? "" : between, v->name);
}

/* Options of one verb, or with NULL those of all. */
static void put_options(struct buf *out, const struct command *command)
{
    const char *between = "";
    for (const struct option *o = cli_options; o->name != NULL; o++) {
        bool global = o->id <= OPT_GLOBAL_END;
        if (command == NULL ? !global : global || !command_takes(command, o->id))
            continue;
        buf_printf(out, "%s--%s", between, o->name);
        between = " ";
        if (o->letter != 0)
            buf_printf(out, " -%c", o->letter);
    }
}

static void put_bash(struct buf *out)
{
    buf_puts(out, "# zygote(1) completion for bash\n"
                  "_zygote()\n{\n"
                  "    local cur=${COMP_WORDS[COMP_CWORD]} verb= own= words= w\n"
                  "    COMPREPLY=()\n"
                  "    for w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
                  "        case $w in\n        ");
    put_verbs(out, " | ");
    buf_puts(out, ") verb=$w; break ;;\n        esac\n    done\n    case $verb in\n");
    buf_puts(out, "    '') words='");
    put_verbs(out, " ");
    buf_puts(out, "' ;;\n");
    for (const struct command *v = cli_commands; v->name != NULL; v++) {
        buf_printf(out, "    %s) own='", v->name);
        put_options(out, v);
        buf_puts(out, "'");
        if (v->kind == OPERAND_FILE || v->kind == OPERAND_STORE)
            buf_puts(out, "; COMPREPLY=($(compgen -f -- \"$cur\"))");
        if (v->kind == OPERAND_VERB) {
            buf_puts(out, "; words='");
            put_verbs(out, " ");
            buf_putc(out, '\'');
        }
        if (words_of(v->kind)[0] != '\0')
            buf_printf(out, "; words=\"%s\"", words_of(v->kind));
        buf_puts(out, " ;;\n");
    }
    buf_puts(out, "    esac\n    [[ $cur == -* ]] && words=\"$own ");
    put_options(out, NULL);
    buf_puts(out, "\"\n    COMPREPLY+=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
                  "complete -o filenames -F _zygote zygote\n");
}

static void put_quoted(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            buf_puts(out, "'\\''");
        else if (*text == ':' || *text == '[' || *text == ']')
            buf_printf(out, "\\%c", *text);
        else
            buf_putc(out, *text);
    }
}

static void put_zsh_options(struct buf *out, const struct command *command)
{
    for (const struct option *o = cli_options; o->name != NULL; o++) {
        bool global = o->id <= OPT_GLOBAL_END;
        if (command == NULL ? !global : global || !command_takes(command, o->id))
            continue;
        buf_puts(out, " \\\n            '--");
        buf_printf(out, "%s%s[", o->name, o->value != NULL ? "=" : "");
        put_quoted(out, o->help);
        buf_printf(out, "]%s%s%s'", o->value != NULL ? ":" : "",
                   o->value != NULL ? o->value : "",
                   o->id == OPT_DIR   ? ":_files -/"
                   : o->value != NULL ? ": "
                                      : "");
    }
}

static const char *zsh_operand(enum operand_kind kind)
{
    switch (kind) {
    case OPERAND_VAT: return "'*:vat:(${(f)\"$(" VATS_COMMAND ")\"})'";
    case OPERAND_FILE: return "'*:file:_files'";
    case OPERAND_SHELL: return "'1:shell:(bash zsh fish)'";
    case OPERAND_STORE: return "'1:action:(" STORE_ACTIONS ")' '2:directory:_files -/'";
    case OPERAND_VERB: return "'1:verb:($verbs)'";
    case OPERAND_NONE: break;
    }
    return "";
}

static void put_zsh(struct buf *out)
{
    buf_puts(out, "#compdef zygote\n# zygote(1) completion for zsh\n_zygote()\n{\n"
                  "    local -a verbs=(");
    put_verbs(out, " ");
    buf_puts(out, ")\n    local verb= w\n"
                  "    for w in ${words[2,CURRENT-1]}; do\n"
                  "        if (( ${verbs[(Ie)$w]} )); then verb=$w; break; fi\n    done\n"
                  "    if [[ -z $verb ]]; then\n"
                  "        _arguments -S '1:verb:((");
    for (const struct command *v = cli_commands; v->name != NULL; v++) {
        buf_printf(out, "%s%s\\:\"", v == cli_commands ? "" : " ", v->name);
        put_quoted(out, v->summary);
        buf_putc(out, '"');
    }
    buf_puts(out, "))'");
    put_zsh_options(out, NULL);
    buf_puts(out, "\n        return\n    fi\n"
                  "    shift words; (( CURRENT-- ))\n    case $verb in\n");
    for (const struct command *v = cli_commands; v->name != NULL; v++) {
        buf_printf(out, "    %s)\n        _arguments -S %s", v->name, zsh_operand(v->kind));
        put_zsh_options(out, v);
        put_zsh_options(out, NULL);
        buf_puts(out, " ;;\n");
    }
    buf_puts(out, "    esac\n}\ncompdef _zygote zygote\n");
}

static void put_fish_option(struct buf *out, const struct option *o, const char *condition)
{
    buf_printf(out, "complete -c zygote%s -l %s", condition, o->name);
    if (o->letter != 0)
        buf_printf(out, " -s %c", o->letter);
    buf_puts(out, o->value != NULL ? " -r -d '" : " -d '");
    for (const char *p = o->help; *p != '\0'; p++)
        buf_printf(out, *p == '\'' ? "\\%c" : "%c", *p);
    buf_puts(out, "'\n");
}

static const char *fish_operand(enum operand_kind kind)
{
    switch (kind) {
    case OPERAND_VAT: return " -f -a \"(" VATS_COMMAND ")\"";
    case OPERAND_FILE: return " -F";
    case OPERAND_SHELL: return " -f -a 'bash zsh fish'";
    case OPERAND_STORE: return " -F -a '" STORE_ACTIONS "'";
    case OPERAND_NONE:
    case OPERAND_VERB: break;
    }
    return " -f";
}

static void put_fish(struct buf *out)
{
    buf_puts(out, "# zygote(1) completion for fish\n");
    for (const struct option *o = cli_options; o->id != OPT_NONE && o->id <= OPT_GLOBAL_END;
         o++)
        put_fish_option(out, o, "");
    for (const struct command *v = cli_commands; v->name != NULL; v++) {
        buf_printf(out, "complete -c zygote -n __fish_use_subcommand -f -a %s -d '",
                   v->name);
        for (const char *p = v->summary; *p != '\0'; p++)
            buf_printf(out, *p == '\'' ? "\\%c" : "%c", *p);
        char condition[64];
        snprintf(condition, sizeof condition, " -n '__fish_seen_subcommand_from %s'",
                 v->name);
        buf_printf(out, "'\ncomplete -c zygote%s%s\n", condition, fish_operand(v->kind));
        if (v->kind == OPERAND_VERB) {
            buf_printf(out, "complete -c zygote%s -f -a '", condition);
            put_verbs(out, " ");
            buf_puts(out, "'\n");
        }
        for (const struct option *o = cli_options; o->name != NULL; o++) {
            if (o->id > OPT_GLOBAL_END && command_takes(v, o->id))
                put_fish_option(out, o, condition);
        }
    }
}

int verb_completion(struct cli *c, struct err *e)
{
    const char *shell = c->operands[0];
    if (strcmp(shell, "bash") == 0)
        put_bash(&c->out);
    else if (strcmp(shell, "zsh") == 0)
        put_zsh(&c->out);
    else if (strcmp(shell, "fish") == 0)
        put_fish(&c->out);
    else
        return err_set(e, EXIT_USAGE,
                       "no completion for %s; there is one for bash, zsh and fish", shell);
    return 0;
}
