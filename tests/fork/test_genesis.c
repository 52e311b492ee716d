/* Archival replay: a forked vat is rebuilt from its ancestors' transcripts alone, in real
 * workers, and ends with the heap that the store has of it. */
#include "lib/unit.h"

#include <stdio.h>

#include "kernel/replay.h"
#include "lab.h"

static struct lab lab;

/* Replays beside a kernel that may go on meanwhile. */
struct past {
    struct store *store;
    struct kernel *kernel;
    struct vat_port port;
};

static void open_past(struct past *p, const struct lab *l, bool images)
{
    struct err e;
    struct worker_options w = { .program = lab_worker(&lab),
                                .image_dir = images ? lab.cache : NULL,
                                .no_images = !images };
    struct kernel_options o = { 0 };
    if (store_open(l->store_dir, STORE_READONLY, &p->store, &e) != 0 ||
        kernel_open(p->store, NULL, &o, &p->kernel, &e) != 0 ||
        worker_port_open(&w, &p->port, &e) != 0) {
        fail_msg("%s", e.text);
    }
}

static void close_past(struct past *p)
{
    kernel_close(p->kernel);
    worker_port_close(&p->port);
    store_close(p->store);
}

/* `way`: the legs, as "v3/0 v4/0": vat and incarnation. */
static void replays(struct past *p, const char *name, const char *way)
{
    struct vat_info info = lab_info(&lab, name);
    struct replay_request q = { .vat = info.vat, .to = REPLAY_LATEST, .verify = true, .from_genesis = true };
    struct replay_report r;
    struct err e;
    struct buf legs = { 0 };
    if (kernel_replay(p->kernel, &p->port, &q, &r, &e) != 0) fail_msg("%s: %s", name, e.text);
    for (size_t i = 0; i < r.leg_count; i++) {
        buf_printf(&legs, "%s%s/%d", i > 0 ? " " : "", vat_id_text(r.legs[i].vat).s, (int)r.legs[i].incarnation);
    }
    if (!span_is(buf_span(&legs), way)) fail_msg("%s: by way of %.*s", name, SPAN_ARG(buf_span(&legs)));
    assert_true(info.has_snapshot);
    assert_string_equal(r.heap, info.snapshot);
    assert_true(r.heap_in_use);
    assert_true(r.deliveries > 0 && r.snapshots > 0);
    buf_fini(&legs);
    replay_report_fini(&r);
}

enum { ADDS_MAX = 16 };

static void adds(const char *name, int n)
{
    kref answers[ADDS_MAX];
    uint64_t cranks;
    struct err e;
    assert_true(n <= ADDS_MAX);
    for (int i = 0; i < n; i++) answers[i] = lab_queue(&lab, "ask", lab_printf(&lab, "[\"%s\",\"add\",1]", name));
    assert_int_equal(lab_try_run(&lab, &cranks, &e), 0);
    for (int i = 0; i < n; i++) assert_non_null(strstr(lab_take(&lab, answers[i]), "\"stored\":"));
}

static void fork_it(const char *parent, const char *child)
{
    lab_expect(&lab, "fork", lab_printf(&lab, "[\"%s\",\"%s\"]", parent, child), "0");
}

/* P (v3) -> C (v4, with snapshots of its own) -> G (v5)
 *        -> Z (v6, sealed) -> D (v7, never ran)
 * then P is upgraded        -> L (v8) */
static int begin(void **state)
{
    (void)state;
    lab_new(&lab, "tests/fork/state.json");
    lab.snapshot_level = STORE_NOT_PACKED;
    lab_boot(&lab);
    lab_expect(&lab, "create", "[\"P\",\"state\"]", "\"created\"");
    lab_send(&lab, "ask", "[\"P\",\"fill\",3]");
    adds("P", 3);
    fork_it("P", "C");
    adds("C", 15);
    fork_it("C", "G");
    adds("G", 2);
    adds("P", 1);
    fork_it("P", "Z");
    adds("Z", 1);
    lab_expect(&lab, "zygotify", "[\"Z\"]", "\"sealed\"");
    fork_it("Z", "D");
    lab_expect(&lab, "upgrade", "[\"P\",\"state\"]", "1");
    lab_send(&lab, "ask", "[\"P\",\"read\"]");
    fork_it("P", "L");
    adds("L", 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    lab_free(&lab);
    return 0;
}

/* (G and its grandparents: below.) */
TEST(children_of_vats_zygotes_and_incarnations)
{
    struct past p;
    open_past(&p, &lab, true);
    replays(&p, "C", "v3/0 v4/0");
    replays(&p, "D", "v3/0 v6/0 v7/0");
    replays(&p, "L", "v3/1 v8/0");
    close_past(&p);
}

/* The elders end, and every heap snapshot is spoiled: only transcripts are left. */
TEST(from_transcripts_alone_when_the_elders_are_gone)
{
    struct past p;
    struct lab spoiled;
    for (int i = 0; i < 3; i++) {
        lab_expect(&lab, "terminate", lab_printf(&lab, "[\"%c\"]", "PCZ"[i]), "\"told\"");
        assert_false(lab_vat_exists(&lab, lab_printf(&lab, "%c", "PCZ"[i])));
    }
    assert_int_equal(lab_audit(&lab), 0);
    fork_it("G", "H");
    assert_string_equal(lab_query(&lab, "SELECT DISTINCT vatID FROM transcriptSpans WHERE vatID IN "
                                        "('v3','v4','v6') ORDER BY vatID"), "v3\nv4\nv6\n");
    lab_close(&lab);
    lab_copy(&spoiled, &lab);
    lab_open(&lab);
    lab_query(&spoiled, "UPDATE snapshotBlobs SET compressedSnapshot = x'00'");
    open_past(&p, &spoiled, false);
    replays(&p, "H", "v3/0 v4/0 v5/0 v9/0");
    close_past(&p);
    lab_free(&spoiled);
}

/* Whoever changes an ancestor's past is found out. */
TEST(an_ancestors_past_was_altered)
{
    struct past p;
    struct lab altered;
    struct replay_report r;
    struct err e;
    struct replay_request q = { .vat = lab_vat(&lab, "D"), .to = REPLAY_LATEST, .from_genesis = true };
    lab_close(&lab);
    lab_copy(&altered, &lab);
    lab_open(&lab);
    assert_string_equal(lab_query(&altered,
        "UPDATE transcriptItems SET item = replace(item, '\\\"add\\\",[1]', '\\\"add\\\",[2]') "
        "WHERE vatID = 'v3' AND position = (SELECT max(position) FROM transcriptItems WHERE vatID = 'v3' "
        "AND incarnation = 0 AND item LIKE '%add%') RETURNING item LIKE '%[2]%'"), "1\n");
    open_past(&p, &altered, true);
    assert_int_equal(kernel_replay(p.kernel, &p.port, &q, &r, &e), -1);
    assert_int_equal(e.exit, EXIT_INTEGRITY);
    assert_true(r.diverged);
    assert_non_null(strstr(e.text, "replay of v3 diverged"));
    replay_report_fini(&r);
    close_past(&p);
    lab_free(&altered);
}

TEST(the_archive_goes_with_the_last_descendant)
{
    const char *const last[] = { "D", "H", "G", "L" };
    for (size_t i = 0; i < 4; i++) {
        lab_expect(&lab, "terminate", lab_printf(&lab, "[\"%s\"]", last[i]), "\"told\"");
    }
    assert_string_equal(lab_query(&lab, "SELECT vatID FROM transcriptSpans WHERE vatID NOT IN ('v1','v2')"), "");
    assert_string_equal(lab_query(&lab, "SELECT vatID FROM transcriptItems WHERE vatID NOT IN ('v1','v2')"), "");
    assert_string_equal(lab_query(&lab, "SELECT key FROM kvStore WHERE key LIKE 'zygote.family%'"), "");
    assert_int_equal(lab_audit(&lab), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_of_vats_zygotes_and_incarnations),
        cmocka_unit_test(from_transcripts_alone_when_the_elders_are_gone),
        cmocka_unit_test(an_ancestors_past_was_altered),
        cmocka_unit_test(the_archive_goes_with_the_last_descendant),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
