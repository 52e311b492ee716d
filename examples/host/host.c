/* host.c -- a host program: everything it knows of Zygote is zygote.h.
 *
 *   cc host.c $(pkg-config --cflags --libs zygote) -o host
 *   ./host STORE CONFIG LEDGER-BUNDLE
 *
 * Makes a store, runs it in blocks of so many computrons, talks to vats, upgrades one,
 * terminates another and forks a third, commits, and finds all that again when it opens the
 * store anew.
 */
#include <stdio.h>
#include <stdlib.h>
#include <zygote.h>

enum { COMPUTRONS_PER_BLOCK = 1000000 };

/* What any call returned; a host that cannot go on says why and ends. */
static void must(struct zygote *z, int result)
{
    if (result == ZYGOTE_OK) return;
    fprintf(stderr, "host: %s\n", zygote_error(z));
    exit(result);
}

/* Run to the end, a commit after every block: a crash loses one block at most. */
static unsigned run_blocks(struct zygote *z)
{
    unsigned blocks = 0;
    struct zygote_policy_state counter;
    do {
        struct zygote_run_policy policy =
            zygote_policy_computron_limit(&counter, COMPUTRONS_PER_BLOCK, 50);
        must(z, zygote_run(z, &policy, NULL));
        must(z, zygote_commit(z));
        blocks++;
    } while (counter.count >= COMPUTRONS_PER_BLOCK);
    return blocks;
}

static void print_answer(struct zygote *z, const char *what, const char *kpid)
{
    static const char *const states[] = { "unknown", "unresolved", "fulfilled", "rejected" };
    enum zygote_promise state;
    struct zygote_capdata *data;
    char *json;
    must(z, zygote_kp_status(z, kpid, &state));
    must(z, zygote_kp_resolution(z, kpid, true, &data));
    must(z, zygote_capdata_to_json(z, data, &json));
    printf("%s: %s %s\n", what, states[state], json);
    zygote_free(json);
    zygote_free(data);
}

static void ask(struct zygote *z, const char *vat, const char *method, const char *args)
{
    struct zygote_id kpid;
    must(z, zygote_queue_to_vat_root(z, vat, method, args, ZYGOTE_IGNORE, &kpid));
    run_blocks(z);
    print_answer(z, method, kpid.text);
}

static char *read_bundle(const char *path, size_t *length)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    long size = -1;
    if (f != NULL && fseek(f, 0, SEEK_END) == 0) size = ftell(f);
    if (size > 0) text = malloc((size_t)size);
    if (text == NULL || fseek(f, 0, SEEK_SET) != 0 || fread(text, 1, (size_t)size, f) != (size_t)size) {
        fprintf(stderr, "host: cannot read %s\n", path);
        exit(1);
    }
    fclose(f);
    *length = (size_t)size;
    return text;
}

/* From now on a deposit costs 1. */
static void upgrade_ledger(struct zygote *z, const char *path)
{
    size_t length;
    char *bundle = read_bundle(path, &length);
    struct zygote_bundle_id id;
    struct zygote_id kpid;
    must(z, zygote_validate_and_install_bundle(z, bundle, length, NULL, &id));
    free(bundle);
    must(z, zygote_upgrade_static_vat(z, "ledger", false, id.text,
                                      "{\"vatParameters\":{\"fee\":{\"@bigint\":\"1\"}}}", &kpid));
    run_blocks(z);
    print_answer(z, "upgrade", kpid.text);
}

static void terminate_greeter(struct zygote *z)
{
    struct zygote_id vat;
    struct zygote_capdata *reason;
    must(z, zygote_vat_name_to_id(z, "greeter", &vat));
    must(z, zygote_capdata_from_json(z, "\"no longer needed\"", &reason));
    must(z, zygote_terminate_vat(z, vat.text, reason));
    zygote_free(reason);
    run_blocks(z);
    printf("greeter: %s\n", zygote_vat_name_to_id(z, "greeter", &vat) == ZYGOTE_NOT_FOUND
                                ? zygote_error(z) : "still there");
}

/* Every branch of the bank starts as the first one was when it was sealed. */
static void fork_branches(struct zygote *z)
{
    static const char *const names[] = { "north", "south" };
    struct zygote_relative *all;
    struct zygote_id child;
    struct zygote_child *made;
    size_t count;
    ask(z, "bootstrap", "open", "[\"branch\"]");
    ask(z, "branch", "deposit", "[{\"@bigint\":\"100\"}]");
    must(z, zygote_zygotify(z, "branch"));
    run_blocks(z);
    for (size_t i = 0; i < 2; i++) {
        struct zygote_fork_options o = { .name = names[i] };
        must(z, zygote_fork(z, "branch", &o, &child));
        run_blocks(z);
        must(z, zygote_forked(z, child.text, &made));
        printf("%s: %s\n", names[i], made->root.text[0] != '\0' ? "has a root" : "has none");
        zygote_free(made);
    }
    ask(z, "north", "deposit", "[{\"@bigint\":\"1\"}]");
    ask(z, "south", "deposit", "[{\"@bigint\":\"2\"}]");
    must(z, zygote_family(z, &all, &count));
    for (size_t i = 0; i < count; i++) {
        if (all[i].parent.text[0] != '\0')
            printf("%s is a child of %s\n", all[i].name, all[i].parent.text);
    }
    zygote_free(all);
}

static void on_console(void *self, const char *vat, const char *level, const char *text,
                       size_t length)
{
    (void)self;
    fprintf(stderr, "%s %s: %.*s\n", vat, level, (int)length, text);
}

int main(int argc, char **argv)
{
    struct zygote_options options = { .console = on_console };
    struct zygote *z;
    struct zygote_id kpid;
    char before[65], after[65];
    if (argc != 4) {
        fprintf(stderr, "usage: host STORE CONFIG LEDGER-BUNDLE\n");
        return 2;
    }
    printf("zygote %s\n", zygote_version());
    must(z, zygote_create(argv[1], argv[2], &options, &z));
    must(z, zygote_bootstrap(z, &kpid));
    printf("more than one block: %s\n", run_blocks(z) > 1 ? "yes" : "no");
    print_answer(z, "bootstrap", kpid.text);
    ask(z, "greeter", "greet", "[\"world\"]");
    ask(z, "ledger", "deposit", "[{\"@bigint\":\"10\"}]");
    ask(z, "ledger", "deposit", "[\"a lot\"]");
    upgrade_ledger(z, argv[3]);
    terminate_greeter(z);
    fork_branches(z);
    must(z, zygote_commit(z));
    must(z, zygote_get_activityhash(z, before));
    zygote_close(z);

    must(z, zygote_open(argv[1], &options, &z));
    must(z, zygote_get_activityhash(z, after));
    for (int i = 0; i < 65; i++) {
        if (before[i] != after[i]) return 1;
    }
    ask(z, "ledger", "deposit", "[{\"@bigint\":\"5\"}]");
    zygote_close(z);
    return 0;
}
