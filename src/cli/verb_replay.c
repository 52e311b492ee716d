/* verb_replay.c -- zygote replay: does a vat still do what its transcript says? */
#include <inttypes.h>

#include "base/log.h"
#include "cli/out.h"
#include "cli/session.h"

struct replays {
    struct cli *cli;
    struct session session;
    struct replay_request request;
    uint64_t replayed, diverged;
    struct err first; /* of those that diverged */
};

static void on_position(void *self, uint64_t position)
{
    struct replays *r = self;
    (void)position;
    r->session.progress.cranks++;
    progress_tick(&r->session.progress);
}

static void put_side(struct buf *b, const char *name, struct span text)
{
    json_member_str(b, name, text.n == 0 ? SPAN_NONE : text);
}

static void put_divergence(struct buf *b, const struct divergence *d)
{
    json_key(b, "divergence");
    if (d->what == NULL) {
        buf_puts(b, "null");
        return;
    }
    buf_putc(b, '{');
    json_member_u64(b, "position", d->position);
    json_member_str(b, "what", span_of(d->what));
    if (strcmp(d->what, "syscall") == 0)
        json_member_u64(b, "syscall", d->syscall);
    put_side(b, "recorded", buf_span(&d->expected));
    put_side(b, "now", buf_span(&d->got));
    buf_putc(b, '}');
}

static void put_legs(struct buf *b, const struct replay_report *report)
{
    json_key(b, "legs");
    buf_putc(b, '[');
    for (size_t i = 0; i < report->leg_count; i++) {
        const struct replay_leg *leg = &report->legs[i];
        buf_puts(b, i > 0 ? ",{" : "{");
        json_member_str(b, "vat", span_of(vat_id_text(leg->vat).s));
        json_member_u64(b, "incarnation", leg->incarnation);
        json_member_u64(b, "start", leg->start);
        json_member_u64(b, "end", leg->end);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void put_json(struct buf *b, bool first, vat_id vat, const struct replay_report *report)
{
    buf_puts(b, first ? "{" : ",{");
    json_member_str(b, "vat", span_of(vat_id_text(vat).s));
    json_member_u64(b, "start", report->start);
    json_member_u64(b, "end", report->end);
    json_member_u64(b, "deliveries", report->deliveries);
    json_member_u64(b, "syscalls", report->syscalls);
    json_member_u64(b, "snapshots", report->snapshots);
    put_legs(b, report);
    json_member_str(b, "heap", report->heap[0] != '\0' ? span_of(report->heap) : SPAN_NONE);
    json_member_bool(b, "heapInUse", report->heap_in_use);
    put_divergence(b, &report->divergence);
    buf_putc(b, '}');
}

static void put_positions(struct buf *b, vat_id vat, uint64_t start, uint64_t end)
{
    buf_printf(b, "%s: positions %" PRIu64 " to %" PRIu64, vat_id_text(vat).s, start,
               end == 0 ? 0 : end - 1);
}

static void put_ancestors(struct buf *b, const struct replay_report *report)
{
    for (size_t i = 0; i + 1 < report->leg_count; i++) {
        put_positions(b, report->legs[i].vat, report->legs[i].start, report->legs[i].end);
        buf_puts(b, ", then ");
    }
}

static void put_text(struct replays *r, vat_id vat, const struct replay_report *report)
{
    struct buf *b = &r->cli->out;
    put_ancestors(b, report);
    put_positions(b, vat, report->start, report->end);
    buf_printf(b, ": %" PRIu64 " deliveries, %" PRIu64 " syscalls, %" PRIu64 " snapshots %s\n",
               report->deliveries, report->syscalls, report->snapshots,
               report->diverged ? "equal, then it diverged" : "equal");
    if (report->leg_count > 0 && report->heap_in_use)
        buf_printf(b, "%s: its heap from genesis is that of its snapshot, %s\n",
                   vat_id_text(vat).s, report->heap);
}

/* One vat.  A divergence is told of, and does not end the command. */
static int replay_one(struct replays *r, vat_id vat, struct err *e)
{
    struct replay_report report;
    r->request.vat = vat;
    session_working(&r->session, arena_printf(&r->cli->arena, "replay %s", vat_id_text(vat).s).p, 0);
    int failed = controller_replay(r->session.controller, &r->request, &report, e);
    progress_clear(&r->session.progress);
    if (failed && !report.diverged) {
        replay_report_fini(&report);
        return -1;
    }
    if (r->cli->json)
        put_json(&r->cli->out, r->replayed == 0, vat, &report);
    else
        put_text(r, vat, &report);
    if (failed && r->diverged++ == 0)
        r->first = *e;
    else if (failed)
        log_warn("%s", e->text);
    r->replayed++;
    replay_report_fini(&report);
    return 0;
}

/* Every living vat that has a transcript; the comms vat has none. */
static int replay_all(struct replays *r, struct err *e)
{
    struct vat_info *vats;
    size_t count = kernel_vats(r->session.kernel, &r->cli->arena, &vats);
    for (size_t i = 0; i < count; i++) {
        if (vats[i].deliveries > 0 && replay_one(r, vats[i].vat, e) != 0)
            return -1;
    }
    return 0;
}

static int replay(struct replays *r, struct err *e)
{
    const char *name = r->cli->operands[0];
    vat_id vat;
    if (strcmp(name, "all") == 0)
        return replay_all(r, e);
    return controller_find_vat(r->session.controller, name, &vat, e) != 0
               ? -1
               : replay_one(r, vat, e);
}

static int outcome(struct replays *r, struct err *e)
{
    if (r->diverged == 0)
        return 0;
    *e = r->first;
    if (r->replayed > 1)
        err_while(e, "%" PRIu64 " of %" PRIu64 " vats diverged; the first", r->diverged, r->replayed);
    return -1;
}

int verb_replay(struct cli *c, struct err *e)
{
    struct replays r = { .cli = c };
    if (c->value[OPT_FROM] != NULL && c->value[OPT_FROM_GENESIS] != NULL)
        return err_set(e, EXIT_USAGE, "--from and --from-genesis: only one of them");
    if (cli_number(c, OPT_FROM, 0, INT64_MAX, REPLAY_LATEST, &r.request.from, e) != 0 ||
        cli_number(c, OPT_TO, 1, INT64_MAX, REPLAY_LATEST, &r.request.to, e) != 0 ||
        session_open(&r.session, c, CONTROLLER_LOOK, e) != 0)
        return -1;
    r.request.verify = c->value[OPT_VERIFY] != NULL;
    r.request.from_genesis = c->value[OPT_FROM_GENESIS] != NULL;
    r.request.self = &r;
    r.request.at = on_position;
    if (c->json) {
        json_begin(&c->out);
        json_key(&c->out, "vats");
        buf_putc(&c->out, '[');
    }
    int failed = replay(&r, e);
    if (c->json) {
        buf_putc(&c->out, ']');
        json_end(&c->out);
    }
    session_close(&r.session);
    return failed ? -1 : outcome(&r, e);
}
