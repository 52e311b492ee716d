/* test_api_vats.c -- zygote.h: what a host does to vats, and forks. */
#include "fixture.h"

TEST(names)
{
    struct host h;
    struct zygote_id id, root;
    (void)state;
    boot(&h);
    assert_ok(h.z, zygote_vat_name_to_id(h.z, "alice", &id));
    assert_int_equal(id.text[0], 'v');
    assert_ok(h.z, zygote_device_name_to_id(h.z, "vatAdmin", &id));
    assert_int_equal(id.text[0], 'd');
    assert_fails(h.z, zygote_device_name_to_id(h.z, "toaster", &id), ZYGOTE_NOT_FOUND, "toaster");
    assert_fails(h.z, zygote_vat_name_to_id(h.z, NULL, &id), ZYGOTE_MISUSE, "no vat");
    assert_ok(h.z, zygote_pin_vat_root(h.z, "pinned", &root));
    assert_memory_equal(root.text, "ko", 2);
    assert_fails(h.z, zygote_pin_vat_root(h.z, "nobody", &root), ZYGOTE_NOT_FOUND, "nobody");
    host_free(&h);
}

TEST(terminating_a_vat)
{
    struct host h;
    struct zygote_id ignored, kid;
    struct zygote_capdata *reason;
    struct zygote_capdata bad = { "#{", 2, 0, NULL };
    (void)state;
    boot(&h);
    ask(h.z, "alice", "create", "[\"kid\"]");
    kid = vat_id(h.z, "kid");
    assert_ok(h.z, zygote_capdata_from_json(h.z, "[{\"@ref\":\"kid\"}]", &reason));
    assert_fails(h.z, zygote_terminate_vat(h.z, kid.text, reason), ZYGOTE_MISUSE, "references");
    zygote_free(reason);
    assert_fails(h.z, zygote_terminate_vat(h.z, kid.text, NULL), ZYGOTE_MISUSE, "no reason");
    assert_fails(h.z, zygote_terminate_vat(h.z, kid.text, &bad), ZYGOTE_MISUSE, "does not decode");
    assert_ok(h.z, zygote_capdata_from_json(h.z, "1", &reason));
    assert_fails(h.z, zygote_terminate_vat(h.z, "v999", reason), ZYGOTE_NOT_FOUND, "v999");
    assert_fails(h.z, zygote_terminate_vat(h.z, "kid", reason), ZYGOTE_NOT_FOUND, "no ID");
    zygote_free(reason);
    end_vat(h.z, "kid");
    assert_fails(h.z, zygote_vat_name_to_id(h.z, "kid", &ignored), ZYGOTE_NOT_FOUND, "no vat \"kid\"");
    assert_string_equal(ask(h.z, "alice", "doneOf", "[\"kid\"]"), "{\"reason\":\"over\"}");
    host_free(&h);
}

TEST(upgrading_a_static_vat)
{
    struct host h;
    struct zygote_bundle_id id, again;
    struct zygote_id kpid;
    size_t length;
    (void)state;
    boot(&h);
    char *bundle = read_file(text_of("%s/bundles/test-api.json", build), &length);
    assert_ok(h.z, zygote_validate_and_install_bundle(h.z, bundle, length, NULL, &id));
    assert_memory_equal(id.text, "b1-", 3);
    assert_int_equal(strlen(id.text), 131);
    assert_ok(h.z, zygote_upgrade_static_vat(h.z, "friend", false, id.text,
                                             "{\"vatParameters\":{\"new\":true}}", &kpid));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_string_equal(resolution(h.z, kpid.text), "{\"incarnationNumber\":1}");
    assert_string_equal(ask(h.z, "friend", "incarnation", NULL), "[2,{\"new\":true}]");
    assert_fails(h.z, zygote_upgrade_static_vat(h.z, "nobody", false, id.text, NULL, NULL),
                 ZYGOTE_NOT_FOUND, "nobody");
    assert_fails(h.z, zygote_upgrade_static_vat(h.z, "friend", false, "b1-00", NULL, NULL),
                 ZYGOTE_NOT_FOUND, "b1-00");
    assert_fails(h.z, zygote_upgrade_static_vat(h.z, "friend", false, id.text, "[]", NULL),
                 ZYGOTE_MISUSE, "options");
    free(bundle);

    bundle = read_file(text_of("%s/bundles/demo-hello.json", build), &length);
    assert_fails(h.z, zygote_validate_and_install_bundle(h.z, bundle, length, id.text, &again),
                 ZYGOTE_INTEGRITY, "");
    assert_ok(h.z, zygote_validate_and_install_bundle(h.z, bundle, length, NULL, &again));
    assert_string_not_equal(id.text, again.text);
    assert_ok(h.z, zygote_validate_and_install_bundle(h.z, bundle, length, again.text, &id));
    assert_string_equal(id.text, again.text);
    assert_int_not_equal(zygote_validate_and_install_bundle(h.z, bundle, length / 2, NULL, &id), ZYGOTE_OK);
    assert_fails(h.z, zygote_validate_and_install_bundle(h.z, "{\"moduleFormat\":\"getExport\"}", 28, NULL, &id),
                 ZYGOTE_INCOMPATIBLE, "");
    assert_fails(h.z, zygote_validate_and_install_bundle(h.z, NULL, 0, NULL, &id), ZYGOTE_MISUSE, "no bundle");
    free(bundle);
    host_free(&h);
}

static uint64_t position_of(const struct zygote_position *all, size_t n, const char *vat)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(all[i].vat.text, vat) == 0) return all[i].position;
    }
    return 0;
}

TEST(reaping_and_snapshots)
{
    struct host h;
    struct zygote_position *first, *second, *third;
    struct zygote_id *saved, alice;
    size_t n, m, count;
    uint64_t cranks;
    (void)state;
    boot(&h);
    alice = vat_id(h.z, "alice");
    assert_ok(h.z, zygote_reap_all_vats(h.z, NULL, 0, &first, &n));
    assert_true(n >= 6);
    assert_ok(h.z, zygote_run(h.z, NULL, &cranks));
    assert_true(cranks >= n); /* each brought out its dead */
    assert_ok(h.z, zygote_reap_all_vats(h.z, first, n, &second, &m)); /* as they were told */
    assert_int_equal(m, n);
    assert_memory_equal(first, second, n * sizeof *first);
    assert_ok(h.z, zygote_run(h.z, NULL, &cranks));
    assert_int_equal(cranks, 0);
    ask(h.z, "alice", "echo", "[1]");
    assert_ok(h.z, zygote_reap_all_vats(h.z, second, m, &third, &m));
    assert_true(position_of(third, m, alice.text) > position_of(second, n, alice.text));
    assert_true(position_of(third, m, vat_id(h.z, "friend").text) ==
                position_of(second, n, vat_id(h.z, "friend").text));
    assert_ok(h.z, zygote_reap_all_vats(h.z, NULL, 0, NULL, NULL));
    struct zygote_position bad = { { "alice" }, 1 };
    assert_fails(h.z, zygote_reap_all_vats(h.z, &bad, 1, NULL, NULL), ZYGOTE_MISUSE, "position 0");
    zygote_free(first);
    zygote_free(second);
    zygote_free(third);

    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_ok(h.z, zygote_snapshot_all_vats(h.z, &saved, &count));
    assert_true(count >= 6 && saved[0].text[0] == 'v');
    zygote_free(saved);
    assert_ok(h.z, zygote_snapshot_all_vats(h.z, NULL, &count));
    assert_int_equal(count, 0); /* nothing happened since */
    host_free(&h);
}

TEST(options_of_a_kernel_that_runs)
{
    struct host h;
    struct zygote_kernel_options o = { 0 };
    uint64_t before, after;
    (void)state;
    boot(&h);
    queue_count(&h, 3);
    assert_ok(h.z, zygote_run(h.z, NULL, &before));
    o.default_reap_interval = ZYGOTE_NEVER;
    o.snapshot_interval = 1000;
    assert_ok(h.z, zygote_change_kernel_options(h.z, &o));
    ask(h.z, "alice", "create", "[\"kid\"]"); /* whose dead stay */
    o = (struct zygote_kernel_options){ .default_reap_interval = -2 };
    assert_fails(h.z, zygote_change_kernel_options(h.z, &o), ZYGOTE_MISUSE, "positive");
    o = (struct zygote_kernel_options){ .snapshot_interval = -1 };
    assert_fails(h.z, zygote_change_kernel_options(h.z, &o), ZYGOTE_MISUSE, "positive");
    assert_fails(h.z, zygote_change_kernel_options(h.z, NULL), ZYGOTE_MISUSE, "positive");
    struct tally t = { 0 };
    struct zygote_run_policy p = tally_policy(&t);
    assert_ok(h.z, zygote_queue_to_vat_root(h.z, "kid", "increment", "[1]", ZYGOTE_NONE, NULL));
    assert_ok(h.z, zygote_run(h.z, &p, &after));
    assert_int_equal(t.complete, 1); /* no bringOutYourDead behind it */

    assert_ok(h.z, zygote_inject_queued_upgrade_events(h.z)); /* there are none */
    assert_ok(h.z, zygote_run(h.z, NULL, &after));
    assert_int_equal(after, 0);
    host_free(&h);
}

/* -- forks ------------------------------------------------------------------------------ */

static bool is_online(struct zygote *z, const char *vat)
{
    char *json;
    assert_ok(z, zygote_get_status(z, &json));
    bool online = strstr(json, text_of("\"id\":\"%s\"", vat_id(z, vat).text)) != NULL;
    zygote_free(json);
    return online;
}

TEST(a_vat_is_taken_offline)
{
    struct host h;
    (void)state;
    boot(&h);
    ask(h.z, "alice", "create", "[\"kid\"]");
    ask(h.z, "kid", "increment", "[3]");
    assert_true(is_online(h.z, "kid"));
    assert_ok(h.z, zygote_take_offline(h.z, "kid"));
    assert_true(is_online(h.z, "kid")); /* not yet */
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_false(is_online(h.z, "kid"));
    assert_string_equal(ask(h.z, "kid", "read", NULL), "{\"heap\":3,\"stored\":3}");
    assert_true(is_online(h.z, "kid"));
    assert_fails(h.z, zygote_take_offline(h.z, "nobody"), ZYGOTE_NOT_FOUND, "nobody");
    end_vat(h.z, "kid");
    assert_fails(h.z, zygote_take_offline(h.z, "kid"), ZYGOTE_NOT_FOUND, "kid");
    host_free(&h);
}

struct told {
    struct zygote_crank made, delivered;
    unsigned count;
};

static bool on_made(void *self, const struct zygote_crank *crank)
{
    struct told *t = self;
    t->made = *crank;
    t->count++;
    return true;
}

static bool on_delivered(void *self, const struct zygote_crank *crank)
{
    struct told *t = self;
    if (crank->forked.snapshot_bytes > 0) t->delivered = *crank;
    return true;
}

TEST(how_many_vats_and_what_forks_cost)
{
    struct host h;
    struct zygote_id child;
    struct told t = { .count = 0 };
    const struct zygote_run_policy p = { .self = &t, .vat_created = on_made, .crank_complete = on_delivered };
    struct zygote_policy_state s;
    uint64_t cranks;
    (void)state;
    boot(&h);
    ask(h.z, "alice", "create", "[\"kid\"]");
    ask(h.z, "kid", "increment", "[1]");
    assert_ok(h.z, zygote_fork(h.z, "kid", NULL, &child));
    assert_ok(h.z, zygote_run(h.z, &p, NULL));
    assert_int_equal(t.count, 1);
    assert_true(t.made.computrons > 0 && t.made.forked.snapshot_bytes > 100000);
    assert_true(t.made.forked.vatstore_keys > 5 && t.made.forked.clist_entries > 0);
    assert_true(t.made.forked.vatstore_bytes > t.made.forked.vatstore_keys);
    uint64_t keys = t.made.forked.vatstore_keys;
    assert_ok(h.z, zygote_fork(h.z, "kid", NULL, &child));
    assert_ok(h.z, zygote_run(h.z, &p, NULL)); /* its snapshot is current */
    assert_true(t.made.computrons == 0 && t.made.forked.snapshot_bytes == 0);
    assert_int_equal(t.made.forked.vatstore_keys, keys);
    ask(h.z, "kid", "increment", "[1]");
    assert_ok(h.z, zygote_zygotify(h.z, "kid"));
    assert_ok(h.z, zygote_run(h.z, &p, NULL));
    assert_true(t.delivered.computrons > 0 && t.delivered.forked.clist_entries == 0);
    /* a computron policy stops behind each, however little its parent computed */
    struct zygote_run_policy few = zygote_policy_computron_limit(&s, 100001, 0);
    for (int i = 0; i < 3; i++) assert_ok(h.z, zygote_fork(h.z, "kid", NULL, &child));
    unsigned runs = 0;
    do {
        few = zygote_policy_computron_limit(&s, 100001, 0);
        assert_ok(h.z, zygote_run(h.z, &few, &cranks));
        runs += cranks > 0;
    } while (cranks > 0);
    assert_true(runs >= 3);

    struct zygote_kernel_options o = { .max_vats = 1 };
    assert_ok(h.z, zygote_change_kernel_options(h.z, &o)); /* there are more already */
    assert_fails(h.z, zygote_fork(h.z, "kid", NULL, &child), ZYGOTE_REFUSED, "too many vats");
    o.max_vats = ZYGOTE_NEVER;
    assert_ok(h.z, zygote_change_kernel_options(h.z, &o));
    assert_ok(h.z, zygote_fork(h.z, "kid", NULL, &child));
    o.max_vats = -2;
    assert_fails(h.z, zygote_change_kernel_options(h.z, &o), ZYGOTE_MISUSE, "max_vats");
    host_free(&h);
}

TEST(forks)
{
    struct host h;
    struct zygote_id child, there, kpid;
    char account[32];
    (void)state;
    boot(&h);
    ask(h.z, "alice", "create", "[\"kid\"]");
    ask(h.z, "kid", "increment", "[3]");
    assert_int_equal(sscanf(ask(h.z, "kid", "makeAccount", "[\"ann\"]"), "{\"@ref\":\"%31[^\"]\"", account), 1);
    const char *refs[] = { account };
    struct zygote_fork_options o = { .name = "twin", .ref_count = 1, .refs = refs };
    assert_ok(h.z, zygote_fork(h.z, "kid", &o, &child));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_string_equal(vat_id(h.z, "twin").text, child.text);
    assert_string_equal(ask(h.z, "twin", "increment", "[1]"), "{\"heap\":4,\"stored\":4}");
    assert_string_equal(ask(h.z, "kid", "read", NULL), "{\"heap\":3,\"stored\":3}");
    assert_ok(h.z, zygote_counterpart(h.z, "kid", account, "twin", &there));
    assert_string_not_equal(there.text, account);
    assert_ok(h.z, zygote_queue_to_vat_object(h.z, there.text, "deposit", "[5]", ZYGOTE_IGNORE, &kpid));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_string_equal(resolution(h.z, kpid.text), "5");
    assert_fails(h.z, zygote_counterpart(h.z, "kid", "ko9999", "twin", &there), ZYGOTE_NOT_FOUND, "ko9999");
    assert_fails(h.z, zygote_counterpart(h.z, "kid", "what", "twin", &there), ZYGOTE_MISUSE, "what");

    assert_ok(h.z, zygote_zygotify(h.z, "kid"));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_fails(h.z, zygote_zygotify(h.z, "kid"), ZYGOTE_REFUSED, "zygote already");
    assert_ok(h.z, zygote_fork(h.z, "kid", NULL, &child));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_string_equal(ask(h.z, child.text, "read", NULL), "{\"heap\":3,\"stored\":3}");
    assert_fails(h.z, zygote_fork(h.z, "friend", NULL, &child), ZYGOTE_REFUSED, "");
    assert_fails(h.z, zygote_fork(h.z, "nobody", NULL, &child), ZYGOTE_NOT_FOUND, "nobody");
    refs[0] = "ko9999";
    assert_fails(h.z, zygote_fork(h.z, "twin", &o, &child), ZYGOTE_NOT_FOUND, "ko9999");
    host_free(&h);
}

TEST(zygotes_as_files)
{
    struct host h;
    struct zygote_id vat, kpid, child;
    char *hash;
    (void)state;
    boot(&h);
    ask(h.z, "alice", "create", "[\"kid\"]");
    ask(h.z, "kid", "increment", "[1]");
    char file[300];
    snprintf(file, sizeof file, "%s/kid.rom", h.dir);
    assert_fails(h.z, zygote_rom_save(h.z, "kid", file, NULL), ZYGOTE_REFUSED, "has run since");
    assert_fails(h.z, zygote_rom_save(h.z, "nobody", file, NULL), ZYGOTE_NOT_FOUND, "nobody");
    assert_fails(h.z, zygote_rom_save(h.z, NULL, file, NULL), ZYGOTE_MISUSE, "no vat");
    assert_ok(h.z, zygote_zygotify(h.z, "kid"));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_ok(h.z, zygote_rom_save(h.z, "kid", file, &hash));
    assert_int_equal(strlen(hash), 64);
    zygote_free(hash);

    const char *imports[] = { "o-50=alice" };
    struct zygote_rom_options o = { .name = "again", .import_count = 1, .imports = imports };
    assert_fails(h.z, zygote_rom_load(h.z, NULL, NULL, &vat, &kpid), ZYGOTE_MISUSE, "no file");
    assert_fails(h.z, zygote_rom_load(h.z, "/nowhere", NULL, &vat, &kpid), ZYGOTE_NOT_FOUND, "no such file");
    assert_fails(h.z, zygote_rom_load(h.z, file, &o, &vat, &kpid), ZYGOTE_REFUSED, "not an import");
    imports[0] = "alice";
    assert_fails(h.z, zygote_rom_load(h.z, file, &o, &vat, &kpid), ZYGOTE_MISUSE, "NAME=TARGET");
    o.import_count = 0;
    assert_ok(h.z, zygote_rom_load(h.z, file, &o, &vat, &kpid));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_non_null(strstr(resolution(h.z, kpid.text), "\"@ref\""));
    assert_ok(h.z, zygote_fork(h.z, "again", NULL, &child));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_ok(h.z, zygote_commit(h.z));
    assert_string_equal(ask(h.z, child.text, "increment", "[2]"), "{\"heap\":3,\"stored\":3}");
    host_free(&h);
}

TEST(what_a_fork_came_to)
{
    struct host h;
    struct zygote_id child, other, late;
    struct zygote_child *made;
    char account[32];
    (void)state;
    boot(&h);
    ask(h.z, "alice", "create", "[\"kid\"]");
    assert_int_equal(sscanf(ask(h.z, "kid", "makeAccount", "[\"ann\"]"), "{\"@ref\":\"%31[^\"]\"", account), 1);
    const char *refs[] = { account, account };
    struct zygote_fork_options o = { .name = "twin", .ref_count = 2, .refs = refs, .reap_interval = ZYGOTE_NEVER,
                                     .promises = ZYGOTE_SHARE, .critical = true };
    assert_ok(h.z, zygote_fork(h.z, "kid", &o, &child));
    assert_fails(h.z, zygote_forked(h.z, child.text, &made), ZYGOTE_FAILED, "run the kernel");
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_ok(h.z, zygote_forked(h.z, child.text, &made));
    assert_int_equal(made->ref_count, 2);
    assert_string_equal(made->refs[0].text, made->refs[1].text);
    assert_string_not_equal(made->refs[0].text, account);
    assert_ok(h.z, zygote_queue_to_vat_object(h.z, made->root.text, "increment", "[2]", ZYGOTE_IGNORE, &late));
    zygote_free(made);
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_string_equal(resolution(h.z, late.text), "{\"heap\":2,\"stored\":2}");

    /* What was well when it was asked for, and is not when its turn comes. */
    assert_ok(h.z, zygote_fork(h.z, "kid", NULL, &other));
    end_vat(h.z, "kid");
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_fails(h.z, zygote_forked(h.z, other.text, NULL), ZYGOTE_REFUSED, "vat terminated");
    assert_fails(h.z, zygote_forked(h.z, "v999", NULL), ZYGOTE_NOT_FOUND, "v999");
    assert_fails(h.z, zygote_forked(h.z, NULL, NULL), ZYGOTE_NOT_FOUND, "no fork");
    assert_ok(h.z, zygote_forked(h.z, child.text, NULL));

    o = (struct zygote_fork_options){ .reap_interval = -7 };
    assert_fails(h.z, zygote_fork(h.z, "twin", &o, &other), ZYGOTE_MISUSE, "reap_interval");
    o = (struct zygote_fork_options){ .promises = (enum zygote_fork_promises)7 };
    assert_fails(h.z, zygote_fork(h.z, "twin", &o, &other), ZYGOTE_MISUSE, "promises");
    o = (struct zygote_fork_options){ .meter = "m77" };
    assert_fails(h.z, zygote_fork(h.z, "twin", &o, &other), ZYGOTE_NOT_FOUND, "m77");
    o = (struct zygote_fork_options){ .name = "two words" };
    assert_fails(h.z, zygote_fork(h.z, "twin", &o, &other), ZYGOTE_MISUSE, "two words");
    assert_fails(h.z, zygote_fork(h.z, NULL, NULL, &other), ZYGOTE_MISUSE, "no vat");
    host_free(&h);
}

static const struct zygote_relative *relative(const struct zygote_relative *all, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(all[i].name, name) == 0 || strcmp(all[i].vat.text, name) == 0) return &all[i];
    }
    fail_msg("%s is not in the family", name);
    return NULL;
}

/* Who looks from another process sees the workers of this one. */
TEST(looked_at_from_outside)
{
    struct host h;
    struct zygote_id child;
    char line[1024], *fields[11];
    bool online = false;
    (void)state;
    boot(&h);
    ask(h.z, "alice", "create", "[\"kid\"]");
    assert_ok(h.z, zygote_fork(h.z, "kid", NULL, &child));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    ask(h.z, child.text, "read", NULL);
    ask(h.z, "kid", "read", NULL); /* pages are shared once two have them */
    assert_ok(h.z, zygote_commit(h.z));
    FILE *f = popen(text_of("%s/zygote -C %s tree --plain", build, h.store), "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        size_t n = 0;
        for (char *at = strtok(line, "\t\n"); at != NULL && n < 11; at = strtok(NULL, "\t\n")) fields[n++] = at;
        assert_int_equal(n, 11);
        if (strcmp(fields[1], "alice") == 0) assert_string_equal(fields[2], "online");
        if (strcmp(fields[1], "friend") == 0) assert_string_equal(fields[9], "-"); /* nobody has spoken to it */
        if (strcmp(fields[0], child.text) != 0) continue;
        online = strcmp(fields[2], "online") == 0;
        assert_true(atoi(fields[9]) > 500 && atoi(fields[10]) > 500); /* KiB */
    }
    assert_int_equal(pclose(f), 0);
    assert_true(online);
    host_free(&h);
}

TEST(the_family)
{
    struct host h;
    struct zygote_id kid, twin, grandchild;
    struct zygote_relative *all;
    struct zygote_fork_options o = { .name = "twin" };
    size_t count;
    (void)state;
    boot(&h);
    ask(h.z, "alice", "create", "[\"kid\"]");
    kid = vat_id(h.z, "kid");
    assert_ok(h.z, zygote_fork(h.z, "kid", &o, &twin));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_ok(h.z, zygote_zygotify(h.z, "twin"));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_ok(h.z, zygote_fork(h.z, "twin", NULL, &grandchild));
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    end_vat(h.z, "kid");
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_ok(h.z, zygote_commit(h.z));
    reopen(&h);
    assert_ok(h.z, zygote_family(h.z, &all, &count));
    const struct zygote_relative *k = relative(all, count, kid.text), *t = relative(all, count, "twin"),
                                 *g = relative(all, count, grandchild.text);
    assert_true(k->gone && !k->sealed && k->children == 1 && k->parent.text[0] == '\0' && k->cranks == UINT64_MAX);
    assert_true(!t->gone && t->sealed && t->children == 1 && t->cranks > g->cranks && g->cranks > 0);
    assert_string_equal(t->parent.text, kid.text);
    assert_string_equal(g->parent.text, twin.text);
    assert_true(k < t && t < g && t->position > 0 && t->incarnation == 0 && g->position > 0);
    assert_string_equal(g->snapshot, t->heap);
    assert_int_equal(strlen(t->snapshot), 64);
    assert_false(relative(all, count, "alice")->gone);
    zygote_free(all);

    /* A zygote ends as any vat does, and with its last descendant its ancestors are forgotten. */
    end_vat(h.z, "twin");
    end_vat(h.z, grandchild.text);
    assert_ok(h.z, zygote_run(h.z, NULL, NULL));
    assert_ok(h.z, zygote_family(h.z, &all, &count));
    for (size_t i = 0; i < count; i++) assert_true(!all[i].gone && all[i].parent.text[0] == '\0');
    zygote_free(all);
    host_free(&h);
}

HOST_TESTS_MAIN(cmocka_unit_test(names),
                cmocka_unit_test(terminating_a_vat),
                cmocka_unit_test(upgrading_a_static_vat),
                cmocka_unit_test(reaping_and_snapshots),
                cmocka_unit_test(options_of_a_kernel_that_runs),
                cmocka_unit_test(a_vat_is_taken_offline),
                cmocka_unit_test(how_many_vats_and_what_forks_cost),
                cmocka_unit_test(forks),
                cmocka_unit_test(what_a_fork_came_to),
                cmocka_unit_test(looked_at_from_outside),
                cmocka_unit_test(the_family),
                cmocka_unit_test(zygotes_as_files))
