/* commands.c -- the verbs and the options. */
#include "cli/cli.h"

#define ANY_NUMBER ((size_t)-1)

const struct option cli_options[] = {
    { OPT_DIR, 'C', "dir", "STORE", false,
      "the store's directory ($ZYGOTE_STORE, else ./zygote-store)" },
    { OPT_JSON, 0, "json", NULL, false, "print JSON; errors too" },
    { OPT_PLAIN, 0, "plain", NULL, false, "print tables tab separated, without a heading" },
    { OPT_QUIET, 'q', "quiet", NULL, false, "only errors and warnings on stderr" },
    { OPT_VERBOSE, 'v', "verbose", NULL, false, "say more on stderr" },
    { OPT_NO_COLOR, 0, "no-color", NULL, false, "no color (also: $NO_COLOR)" },
    { OPT_NO_PROGRESS, 0, "no-progress", NULL, false, "no progress line" },
    { OPT_HELP, 'h', "help", NULL, false, "show help" },
    { OPT_VERSION, 0, "version", NULL, false, "show the version" },

    { OPT_CRANKS, 0, "cranks", "N", false, "run at most N cranks" },
    { OPT_TIME, 0, "time", "SECONDS", false, "what a timer device is told; else the clock" },
    { OPT_RESULT, 0, "result", NULL, false, "also print what bootstrap resolved to, once" },
    { OPT_COUNT, 'n', "count", "COUNT", false, "how many children, or cranks (1)" },
    { OPT_NAME, 0, "name", "PATTERN", false, "name of the new vat; of children %d becomes 1, 2, …" },
    { OPT_REF, 0, "ref", "KREF", true, "an export of the vat that each child has anew" },
    { OPT_PROMISES, 0, "promises", "MODE", false,
      "strict: refuse a vat that has promises (the default); share: fork them, too" },
    { OPT_REAP_INTERVAL, 0, "reap-interval", "N", false,
      "deliveries between a child's bringOutYourDead, or never; else as its parent" },
    { OPT_IMPORT, 0, "import", "NAME=TARGET", true, "what an import of the file is to be here" },
    { OPT_METER, 0, "meter", "METER", false, "the meter of the vat, such as m1, or none" },
    { OPT_NOW, 0, "now", NULL, false, "do not wait for what vat-admin still owes others" },
    { OPT_DRY_RUN, 0, "dry-run", NULL, false, "only say what would be in the way" },
    { OPT_NO_RUN, 0, "no-run", NULL, false, "refuse if something would have to run" },
    { OPT_ALL, 0, "all", NULL, false, "show all of it, however much" },
    { OPT_ARTIFACTS, 0, "artifacts", "MODE", false,
      "how much history: operational, replay, archival or debug" },
    { OPT_OUTPUT, 'o', "output", "FILE", false, "where the bundle goes (standard output)" },
    { OPT_DEV, 0, "dev", NULL, false, "devDependencies count too" },
    { OPT_SLOG, 0, "slog", "FILE", false, "append the log of every event to FILE (see slog)" },
    { OPT_FOLLOW, 'f', "follow", NULL, false, "wait for more at the end of the file" },
    { OPT_VAT, 0, "vat", "VAT", false, "only events of this vat (its ID)" },
    { OPT_TYPE, 0, "type", "TYPE", false, "only events of this type" },
    { OPT_FROM, 0, "from", "POSITION", false, "start at this transcript position (a span's start)" },
    { OPT_TO, 0, "to", "POSITION", false, "stop before this transcript position" },
    { OPT_VERIFY, 0, "verify", NULL, false, "also compare results and computrons" },
    { OPT_FROM_GENESIS, 0, "from-genesis", NULL, false,
      "start where the first of the vat's ancestors was made" },
    { OPT_NONE, 0, NULL, NULL, false, NULL },
};

const struct command cli_commands[] = {
    { .name = "init",
      .operands = "CONFIG [ARG…]",
      .summary = "make a store from a SwingSet config file",
      .text = "Reads CONFIG and every bundle it names, bundles the sources it names (with "
              "Node and @endo/bundle-source, if they have changed), and writes the initial "
              "kernel state. CONFIG may be a folder of bootstrap.js and vat-NAME.js. "
              "Nothing runs yet. Each ARG becomes a string in the bootstrap vat's "
              "parameters.argv.",
      .example = "zygote init config.json",
      .least = 1,
      .most = ANY_NUMBER,
      .kind = OPERAND_FILE,
      .run = verb_init },
    { .name = "run",
      .operands = "[CONFIG [ARG…]]",
      .summary = "run until nothing is left to do",
      .text = "Makes the store first if it does not exist, from CONFIG. If it does, CONFIG is "
              "not read again (a warning says so if it has changed). A timer device is told "
              "the time before anything runs: seconds since 1970, or --time.",
      .example = "zygote run config.json",
      .most = ANY_NUMBER,
      .kind = OPERAND_FILE,
      .options = { OPT_CRANKS, OPT_TIME, OPT_RESULT, OPT_SLOG },
      .run = verb_run },
    { .name = "step",
      .operands = "",
      .summary = "run a few cranks and print what they did",
      .text = "A crank is one event routed, or delivered with all that follows from it. With "
              "--json each one is an object: its number, type, vat, delivery, syscalls and "
              "computrons.",
      .example = "zygote step -n 10",
      .options = { OPT_COUNT, OPT_SLOG },
      .run = verb_step },
    { .name = "send",
      .operands = "TARGET METHOD [JSON…]",
      .summary = "send a message and print what it resolves to",
      .text = "TARGET is a vat, by name or ID (its root object gets the message), or a kernel "
              "reference such as ko12. Each argument is JSON; {\"@ref\":\"ko12\"} stands for "
              "a reference, {\"@bigint\":\"7\"} for 7n. The same forms are used in what is "
              "printed. A rejection exits with 4.",
      .example = "zygote send counter increment 5",
      .least = 2,
      .most = ANY_NUMBER,
      .kind = OPERAND_VAT,
      .options = { OPT_SLOG },
      .run = verb_send },
    { .name = "fork",
      .operands = "VAT",
      .summary = "make children of a vat, with all of its state",
      .text = "The vat is snapshotted if it has run since its last snapshot; after that a "
              "child costs a few rows. Without %d in PATTERN several children are called "
              "PATTERN-1, PATTERN-2, … A child has its parent's meter, if no other is named. "
              "Printed are each child's ID, its root (- if the parent's was dropped), and what "
              "it calls each --ref.",
      .example = "zygote fork counter -n 100 --name 'counter-%d'",
      .least = 1,
      .most = 1,
      .kind = OPERAND_VAT,
      .options = { OPT_COUNT, OPT_NAME, OPT_REF, OPT_PROMISES, OPT_METER, OPT_REAP_INTERVAL,
                   OPT_SLOG },
      .run = verb_fork },
    { .name = "zygotify",
      .operands = "VAT",
      .summary = "seal a vat: a template to fork, never again a participant",
      .text = "Messages to a sealed vat are rejected; it can be forked and terminated.",
      .example = "zygote zygotify counter",
      .least = 1,
      .most = 1,
      .kind = OPERAND_VAT,
      .options = { OPT_SLOG },
      .run = verb_zygotify },
    { .name = "ps", .operands = "", .summary = "list the vats", .run = verb_ps },
    { .name = "tree",
      .operands = "",
      .summary = "show which vat was forked from which",
      .text = "More than eight children without children of their own are shown as a few and "
              "a count, unless --all is given.",
      .options = { OPT_ALL },
      .run = verb_tree },
    { .name = "diff",
      .operands = "A B",
      .summary = "show how two relatives differ",
      .text = "A and B are a vat and one it was forked from, or two that come from a third. "
              "Compared are options, c-lists, vatstores, and heaps, page by page, as they are "
              "now: each vat is replayed from its snapshot in a worker of its own. A line "
              "begins with < if only A has it, > if only B, ! if they differ. More than "
              "twenty of a kind are shown as a few and a count, unless --all is given. "
              "Nothing is changed. Exits with 0 if they are equal, 1 if not.",
      .example = "zygote diff counter-1 counter-2",
      .least = 2,
      .most = 2,
      .kind = OPERAND_VAT,
      .options = { OPT_ALL },
      .run = verb_diff },
    { .name = "dump",
      .operands = "",
      .summary = "print the kernel's tables, queues and promises as JSON",
      .run = verb_dump },
    { .name = "audit",
      .operands = "",
      .summary = "recompute every reference count from the whole store",
      .text = "Prints each breach, and exits with 5 if there is one.",
      .run = verb_audit },
    { .name = "store",
      .operands = "ACTION [DIR]",
      .summary = "export, import, repair or upgrade a store",
      .text = "export DIR writes the store's data and artifacts into a new directory; import "
              "DIR makes a store of them; repair DIR puts back records of snapshots and "
              "transcripts that the store has lost; upgrade brings the kernel state of an "
              "older SwingSet up to date.",
      .example = "zygote store export backup",
      .least = 1,
      .most = 2,
      .kind = OPERAND_STORE,
      .options = { OPT_ARTIFACTS },
      .run = verb_store },
    { .name = "rom",
      .operands = "save VAT [FILE] | load|inspect FILE",
      .summary = "take a zygote from one store to another, as a file",
      .text = "save writes a sealed vat, or one that has not run since its last heap "
              "snapshot, to a file called after its SHA-256 unless FILE is given; nothing in "
              "the store changes. inspect shows what is in a file, and which imports it "
              "wants. load makes a sealed vat of it, each import being what an --import says: "
              "o-50=bootstrap or o-50=ko23 for an object, d-70=vatAdmin for a device, "
              "d-70=bundle:ID for a bundle. It prints the vat and the handle that "
              "E(handle).fork() is asked of. A file is code: load one as you would run one.",
      .example = "zygote rom load counter.rom --import o-50=bootstrap",
      .least = 2,
      .most = 3,
      .kind = OPERAND_FILE,
      .options = { OPT_IMPORT, OPT_NAME, OPT_METER, OPT_SLOG },
      .run = verb_rom },
    { .name = "enable-forks",
      .operands = "",
      .summary = "let the vats of a store be forked that another kernel made",
      .text = "For a store made by SwingSet's own kernel, or with \"zygotes\": false: runs what "
              "is queued, upgrades the vat-admin vat to one that can fork, and marks the store. "
              "All of it is done, or nothing. In a store whose vat-admin is older than this "
              "program's, it is brought up to date.",
      .example = "zygote enable-forks -C chain-store",
      .options = { OPT_NOW, OPT_SLOG },
      .run = verb_enable_forks },
    { .name = "leave",
      .operands = "",
      .summary = "get a store with forks ready for SwingSet's own kernel",
      .text = "Runs until no event is queued that SwingSet's kernel does not know: forks, seals, "
              "vats to be taken offline. Prints those that are left, and the zygotes that are "
              "sealed, for which SwingSet has no notion: it delivers messages to them. Its calls "
              "of fork() fail there. To come back: enable-forks.",
      .example = "zygote leave --dry-run",
      .options = { OPT_DRY_RUN, OPT_NO_RUN, OPT_SLOG },
      .run = verb_leave },
    { .name = "bundle",
      .operands = "check|inspect|install|make FILE [ID]",
      .summary = "check a bundle, look into it, install it, or make one",
      .text = "check prints the bundle's ID if its contents have its hash; inspect also lists "
              "its modules, the largest first; install puts it into the store, for vats "
              "to be created of it. With ID it must be that one. make bundles FILE, "
              "a module, from source, with Node and the nearest @endo/bundle-source, unless "
              "nothing has changed since the last time.",
      .example = "zygote bundle make src/vat.js -o vat.json",
      .least = 2,
      .most = 3,
      .kind = OPERAND_FILE,
      .options = { OPT_OUTPUT, OPT_DEV },
      .run = verb_bundle },
    { .name = "replay",
      .operands = "VAT|all",
      .summary = "replay a vat's transcript and compare every syscall",
      .text = "Starts a worker of its own from the vat's last heap snapshot (or, with --from, "
              "at the last place before POSITION where one can be started), tells it what the "
              "vat was told, and compares every syscall, and every heap snapshot, with what is "
              "recorded. Nothing is changed. A difference is shown, both sides of it, and "
              "exits with 5. --from 0 is the vat's whole life, as far as the store has it. "
              "With --from-genesis a forked vat is rebuilt from the transcripts of its "
              "ancestors, up to each fork, and its own, with no snapshot of the store; the "
              "heap must end as that of the vat's snapshot in use.",
      .example = "zygote replay all --from 0 --verify",
      .least = 1,
      .most = 1,
      .kind = OPERAND_VAT,
      .options = { OPT_FROM, OPT_TO, OPT_VERIFY, OPT_FROM_GENESIS },
      .run = verb_replay },
    { .name = "slog",
      .operands = "FILE",
      .summary = "print a log of events, as --slog writes it",
      .text = "One line an event: time, crank, vat, type, and what it is about, cut to fit. "
              "With --json the lines are printed as they are: upstream's tools read them. "
              "- is standard input.",
      .example = "zygote slog -f run.slog --vat v7 --type deliver",
      .least = 1,
      .most = 1,
      .kind = OPERAND_FILE,
      .options = { OPT_FOLLOW, OPT_VAT, OPT_TYPE },
      .run = verb_slog },
    { .name = "version",
      .operands = "",
      .summary = "show the version",
      .run = verb_version },
    { .name = "help",
      .operands = "[VERB]",
      .summary = "show help",
      .most = 1,
      .kind = OPERAND_VERB,
      .run = verb_help },
    { .name = "completion",
      .operands = "SHELL",
      .summary = "print a completion script for bash, zsh or fish",
      .example = "source <(zygote completion bash)",
      .least = 1,
      .most = 1,
      .kind = OPERAND_SHELL,
      .run = verb_completion },
    { .name = NULL },
};

const struct command *command_find(const char *name)
{
    for (const struct command *c = cli_commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0)
            return c;
    }
    return NULL;
}

const struct option *option_find(enum option_id id)
{
    for (const struct option *o = cli_options; o->name != NULL; o++) {
        if (o->id == id)
            return o;
    }
    BUG("an option without a row");
}

bool command_takes(const struct command *c, enum option_id id)
{
    for (size_t i = 0; c->options[i] != OPT_NONE; i++) {
        if (c->options[i] == id)
            return true;
    }
    return id <= OPT_GLOBAL_END;
}
