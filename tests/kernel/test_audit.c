/* The audit finds what is wrong with a store, each kind of it, and nothing in one that is
 * right. */
#include <stdio.h>

#include "world.h"

struct sick {
    struct world w;
    vat_id a, b;
    struct buf found;
    /* as a knows things */
    kref export, import, promise, settled;
};

static void open_sick(struct sick *t, struct world_setup s)
{
    *t = (struct sick){ 0 };
    s.vats[0] = "a";
    s.vats[1] = "b";
    s.puppets = true;
    struct world *w = &t->w;
    world_open(w, &s);
    t->a = vat_named(w, "a");
    t->b = vat_named(w, "b");
    char b_in_a[16];
    strcpy(b_in_a, name_for(w, t->a, root_of(w, t->b)));
    poke(w, t->a, "send %s o+1 p+1 p+2 -> p+3\nsend p+1 o+1\nsubscribe p+3", b_in_a);
    poke(w, t->b, "send %s o+1 -> p+1", name_for(w, t->b, root_of(w, t->a)));
    poke(w, t->a, "resolve p+2 o+1");
    t->export = meant(w, t->a, "o+1");
    t->import = meant(w, t->b, "o+1");
    t->promise = meant(w, t->a, "p+1");
    t->settled = meant(w, t->a, "p+3");
    struct span waiting;
    assert_true(promise_queued(w->kernel, t->promise, 0, &waiting));
}

static void on_breach(void *ctx, const char *text)
{
    buf_puts(ctx, text);
    buf_putc(ctx, '\n');
}

/* The audit says so, and of whom. */
static void expect(struct sick *t, const char *says)
{
    uint64_t n = kernel_audit(t->w.store, on_breach, &t->found);
    buf_putc(&t->found, '\0');
    if (n == 0 || strstr(t->found.p, says) == NULL) fail_msg("%s: found %llu:\n%s", says, (unsigned long long)n, t->found.p);
}

static void close_sick(struct sick *t)
{
    buf_fini(&t->found);
    world_close(&t->w);
}

/* Keys and texts: % stands for the export's kref, & for the import's, ? for the promise's, ! for
 * the settled promise's. */
static void spell(const struct sick *t, const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '%': buf_puts(out, kref_text(t->export).s); break;
        case '&': buf_puts(out, kref_text(t->import).s); break;
        case '?': buf_puts(out, kref_text(t->promise).s); break;
        default: buf_putc(out, *text);
        }
    }
}

static const struct {
    const char *key, *value; /* NULL: deleted */
    const char *says;
} wounds[] = {
    /* c-lists */
    { "%.owner", "v4", "v3 exports % as o+1 but does not own it" },
    { "%.owner", NULL, "v3 exports % as o+1 but does not own it" },
    { "v3.c.%", NULL, "v3: c-list row o+1 -> % has no way back" },
    { "v3.c.%", "R o+9", "v3: c-list row o+1 -> % has no way back" },
    { "v3.c.o+1", NULL, "v3: c-list row % -> R o+1 has no way back" },
    { "v3.c.o+1", "&", "v3: c-list row % -> R o+1 has no way back" },
    { "v3.c.o+77", "ko99", "v3: c-list row o+77 -> ko99 has no way back" },
    { "v3.c.ko99", "R o+77", "v3: c-list row ko99 -> R o+77 has no way back" },
    { "?.state", NULL, "v3: p+1 is the promise ?, which is gone" },
    /* counts */
    { "%.refCount", "9,9", "%: refCount says 9,9 but" },
    { "%.refCount", "1,9", "%: refCount says 1,9 but" },
    { "%.refCount", "0,0", "%: refCount says 0,0 but" },
    { "%.refCount", NULL, "% is named but does not exist" },
    { "?.refCount", "77", "?: refCount says 77 but" },
    { "?.refCount", "0", "?: refCount says 0 but" },
    { "ko.nextID", "21", "is named but was never allocated" },
    { "kp.nextID", "40", "is named but was never allocated" },
    { "pinnedObjects", "%,%", "%: refCount says" },
    { "pinnedObjects", "nonsense", "refCount says" },
    { "v4.vatParameters", "{\"body\":\"#[]\",\"slots\":[\"%\"]}", "%: refCount says" },
    { "d7.c.o-10", "%", "%: refCount says" },
    { "?.queue.0", "{\"methargs\":{\"body\":\"#[]\",\"slots\":[\"&\"]}}", "refCount says" },
    { "?.queue.0", "{}", "a queued message does not decode" },
    { "?.queue.0", "{\"methargs\":{\"body\":\"#[]\",\"slots\":[]},\"result\":\"nonsense\"}", "a queued message does not decode" },
    { "?.decider", "v2", "? is decided by v2, which does not know it" },
    { "runQueue", "[1,2]", "a queued event is not JSON" },
    /* events that hold what they should not */
    { "upgradeEvents", "[{\"type\":\"send\",\"target\":\"%\",\"msg\":{\"methargs\":{\"body\":\"\",\"slots\":[]}}}]", "%: refCount says" },
    { "upgradeEvents", "[{\"type\":\"notify\",\"vatID\":\"v3\",\"kpid\":\"?\"}]", "?: refCount says" },
    { "upgradeEvents", "[{\"type\":\"create-vat\",\"vatParameters\":{\"body\":\"\",\"slots\":[\"%\"]}}]", "%: refCount says" },
    { "upgradeEvents", "[{\"type\":\"upgrade-vat\",\"vatParameters\":{\"body\":\"\",\"slots\":[\"%\"]}}]", "%: refCount says" },
    { "upgradeEvents", "[{\"type\":\"fork-vat\",\"oldrefs\":[\"%\"]}]", "%: refCount says" },
};

TEST(each_kind_of_wound_is_found)
{
    for (size_t i = 0; i < sizeof wounds / sizeof *wounds; i++) {
        struct sick t;
        struct buf key = { 0 }, value = { 0 }, says = { 0 };
        open_sick(&t, (struct world_setup){ 0 });
        assert_int_equal(kernel_audit(t.w.store, on_breach, &t.found), 0);
        spell(&t, wounds[i].key, &key);
        spell(&t, wounds[i].says, &says);
        buf_putc(&says, '\0');
        if (wounds[i].value != NULL) {
            spell(&t, wounds[i].value, &value);
            kv_set(t.w.store, buf_span(&key), buf_span(&value));
        } else {
            kv_delete(t.w.store, buf_span(&key));
        }
        if (strcmp(wounds[i].key, "runQueue") == 0) kv_set(t.w.store, SPAN("runQueue.1"), SPAN("nonsense"));
        expect(&t, says.p);
        buf_fini(&key);
        buf_fini(&value);
        buf_fini(&says);
        close_sick(&t);
    }
}

TEST(a_vat_without_a_transcript)
{
    struct sick t;
    open_sick(&t, (struct world_setup){ 0 });
    transcript_stop(t.w.store, SPAN("v4"));
    expect(&t, "v4 has no transcript");
    close_sick(&t);
}

/* A vat's parameters that do not decode hold nothing; that is somebody else's to find. */
TEST(what_cannot_be_read_is_passed_over)
{
    struct sick t;
    open_sick(&t, (struct world_setup){ 0 });
    kv_set(t.w.store, SPAN("v4.vatParameters"), SPAN("{}"));
    kv_set(t.w.store, SPAN("d7.c.o-99"), SPAN("nonsense"));
    kv_set(t.w.store, SPAN("upgradeEvents"), SPAN("[{\"type\":\"create-vat\",\"vatParameters\":{}},{\"type\":\"changeVatOptions\"},"
                                                  "{\"type\":\"notify\",\"kpid\":1}]"));
    kv_set(t.w.store, SPAN("vats.terminated"), SPAN("[\"nonsense\"]"));
    assert_int_equal(kernel_audit(t.w.store, on_breach, &t.found), 0);
    close_sick(&t);
}

/* Where stores must equal upstream's, more may be counted than is found, and never less. */
TEST(in_a_store_without_forks_counts_may_be_higher)
{
    struct sick t;
    open_sick(&t, (struct world_setup){ .no_zygotes = true });
    struct buf key = { 0 };
    spell(&t, "%.refCount", &key);
    kv_set(t.w.store, buf_span(&key), SPAN("9,9"));
    assert_int_equal(kernel_audit(t.w.store, on_breach, &t.found), 0);
    kv_set(t.w.store, buf_span(&key), SPAN("0,9"));
    expect(&t, "refCount says 0,9");
    buf_fini(&key);
    close_sick(&t);
}

/* More references than the table has room for at first. */
TEST(a_large_store)
{
    struct sick t;
    struct buf lines = { 0 };
    open_sick(&t, (struct world_setup){ 0 });
    kref boot = root_of(&t.w, t.w.boot);
    for (unsigned from = 100; from < 3100; from += 50) {
        buf_reset(&lines);
        buf_printf(&lines, "send %s", name_for(&t.w, t.b, boot));
        for (unsigned i = 0; i < 50; i++) buf_printf(&lines, " o+%u", from + i);
        buf_putc(&lines, '\0');
        plan(&t.w, t.b, "bringOutYourDead", "%s", lines.p);
        vat_schedule_reap(t.w.kernel, t.b);
        uint64_t ran;
        struct err e;
        assert_int_equal(kernel_run(t.w.kernel, 0, &ran, &e), 0);
    }
    assert_int_equal(kernel_audit(t.w.store, on_breach, &t.found), 0);
    kv_set(t.w.store, SPAN("ko2000.refCount"), SPAN("5,5"));
    expect(&t, "ko2000: refCount says 5,5 but 1,1");
    buf_fini(&lines);
    close_sick(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_wound_is_found),
        cmocka_unit_test(a_vat_without_a_transcript),
        cmocka_unit_test(what_cannot_be_read_is_passed_over),
        cmocka_unit_test(in_a_store_without_forks_counts_may_be_higher),
        cmocka_unit_test(a_large_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
