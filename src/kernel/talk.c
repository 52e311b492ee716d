#include "kernel/talk.h"

#include "kernel/slog.h"
#include "kernel/syscall.h"
#include "kernel/vats.h"
#include "store/bundle.h"
#include "store/snapshot.h"
#include "store/transcript.h"

/* -- divergence -------------------------------------------------------------------------------- */

void divergence_fini(struct divergence *d)
{
    buf_fini(&d->expected);
    buf_fini(&d->got);
}

enum { CLIP_HEAD = 60, CLIP_BEFORE = 30, CLIP_BYTES = 260 };

/* Not into the middle of a character. */
static size_t boundary(struct span s, size_t at)
{
    if (at >= s.n) return s.n;
    while (at > 0 && ((unsigned char)s.p[at] & 0xc0) == 0x80) at--;
    return at;
}

/* The beginning, and what stands around `at`: what differs in two long texts. */
static void put_clipped(struct buf *b, struct span s, size_t at)
{
    size_t from = at > CLIP_HEAD + CLIP_BEFORE ? boundary(s, at - CLIP_BEFORE) : 0;
    if (from > 0) {
        buf_put(b, (struct span){ s.p, boundary(s, CLIP_HEAD) });
        buf_puts(b, "…");
    }
    size_t to = boundary(s, from + CLIP_BYTES);
    buf_put(b, (struct span){ s.p + from, to - from });
    if (to < s.n) buf_puts(b, "…");
}

static size_t first_difference(struct span a, struct span b)
{
    size_t i = 0;
    while (i < a.n && i < b.n && a.p[i] == b.p[i]) i++;
    return i;
}

int talk_diverged(struct talk *s, const char *what, struct span expected, struct span got,
                     struct err *e)
{
    size_t at = first_difference(expected, got);
    struct buf then = { 0 }, now = { 0 }, which = { 0 };
    put_clipped(&then, expected.n == 0 ? SPAN("none") : expected, at);
    put_clipped(&now, got.n == 0 ? SPAN("none") : got, at);
    buf_printf(&which, strcmp(what, "syscall") == 0 ? "%s %zu" : "%s", what, s->made);
    err_set(e, EXIT_INTEGRITY,
            "replay of %s diverged at transcript position %llu, %.*s: recorded %.*s, now %.*s",
            vat_id_text(s->vat).s, (unsigned long long)s->position, SPAN_ARG(buf_span(&which)),
            SPAN_ARG(buf_span(&then)), SPAN_ARG(buf_span(&now)));
    if (s->divergence != NULL) {
        s->divergence->position = s->position;
        s->divergence->what = what;
        s->divergence->syscall = s->made;
        buf_put(&s->divergence->expected, expected);
        buf_put(&s->divergence->got, got);
    }
    buf_fini(&then);
    buf_fini(&now);
    buf_fini(&which);
    return -1;
}

/* -- what a machine says ------------------------------------------------------------------------ */

/* What one delivery may add to its transcript item; SQLite takes no row beyond 10^9 bytes,
 * and nothing but this limits a vat that reads large values again and again. */
enum { CALLS_BYTES_MAX = 256 << 20 };

static int live_syscall(struct talk *s, struct jval vso, struct buf *reply)
{
    if (s->made++ > 0) buf_putc(&s->calls, ',');
    size_t from = reply->n;
    if (s->calls.n > CALLS_BYTES_MAX) {
        syscall_refuse(s->k, s->vat, vso, "its delivery makes too many, or too large ones", reply);
        return 0;
    }
    syscall_handle(s->k, s->vat, vso, reply);
    buf_puts(&s->calls, "{\"s\":");
    json_put_value(&s->calls, vso);
    buf_puts(&s->calls, ",\"r\":");
    buf_put(&s->calls, span_from(buf_span(reply), from));
    buf_putc(&s->calls, '}');
    return 0;
}

static int replay_syscall(struct talk *s, struct jval vso, struct buf *reply, struct err *e)
{
    struct jval expected = json_at(s->recorded, s->made);
    struct span then = json_raw(json_get(expected, "s")), result = json_raw(json_get(expected, "r"));
    struct buf now = { 0 };
    slog_syscall(s->k, s->vat, SPAN_NONE, vso);
    json_put_value(&now, vso);
    bool same = result.p != NULL && span_eq(buf_span(&now), then);
    if (same) {
        s->made++;
        buf_put(reply, result);
        slog_syscall_result(s->k, s->vat, SPAN_NONE, result);
    } else {
        talk_diverged(s, "syscall", then, buf_span(&now), e);
    }
    buf_fini(&now);
    return same ? 0 : -1;
}

static void console(struct talk *s, struct jval message)
{
    struct kernel *k = s->k;
    slog_console(k, s->vat, message);
    if (k->sink.console == NULL || s->replaying) return;
    struct buf line = { 0 };
    for (size_t i = 3; i < json_len(message); i++) {
        if (i > 3) buf_putc(&line, ' ');
        struct span text = json_str(json_at(message, i), s->arena);
        buf_put(&line, text.p != NULL ? text : json_raw(json_at(message, i)));
    }
    k->sink.console(k->sink.self, s->vat, json_str(json_at(message, 2), s->arena),
                    buf_span(&line));
    buf_fini(&line);
}

static int upcall(void *ctx, struct span text, struct buf *reply, struct err *e)
{
    struct talk *s = ctx;
    struct jval v;
    if (json_parse(s->arena, arena_copy(s->arena, text), &v, e) != 0) {
        if (!s->replaying && e->exit == EXIT_POLICY) { /* JSON, but nested too deeply: the vat's fault */
            syscall_refuse(s->k, s->vat, (struct jval){ 0 }, e->text, reply);
            return 0;
        }
        return err_while(e, "the worker of %s sent what is not JSON", vat_id_text(s->vat).s);
    }
    struct jval kind = json_at(v, 0);
    if (json_is(kind, "syscall")) {
        return s->replaying ? replay_syscall(s, json_at(v, 1), reply, e)
                            : live_syscall(s, json_at(v, 1), reply);
    }
    if (json_is(kind, "sourcedConsole")) {
        console(s, v);
        buf_puts(reply, "[\"ok\"]");
        return 0;
    }
    if (json_is(kind, "testLog")) {
        buf_puts(reply, "[\"OK\"]");
        return 0;
    }
    return err_set(e, EXIT_FAILED, "the worker of %s sent an unknown kind of message",
                   vat_id_text(s->vat).s);
}

/* Send a tagged command; the reply must be an array. */
static int command(struct talk *s, struct vat_machine *m, struct span text,
                   struct vat_reply *raw, struct jval *reply, struct err *e)
{
    if (s->port->command(s->port->self, m, text, upcall, s, s->arena, raw, e) != 0) return -1;
    if (raw->outcome != VAT_REPLIED) return 0;
    if (json_parse(s->arena, raw->text, reply, e) != 0 || json_type(*reply) != JSON_ARRAY) {
        return err_set(e, EXIT_FAILED, "the worker of %s replied with what is not a JSON array",
                       vat_id_text(s->vat).s);
    }
    return 0;
}

/* -- starting ------------------------------------------------------------------------------------- */

static int source_bundle(void *self, struct span id, struct buf *json_text, struct err *e)
{
    struct kernel *k = self;
    return bundle_get(k->store, id, json_text, e);
}

static int source_snapshot(void *self, const char *hash,
                           int (*sink)(void *ctx, struct span bytes, struct err *e), void *ctx,
                           struct err *e)
{
    struct kernel *k = self;
    return snapshot_read(k->store, hash, sink, ctx, e);
}

static int set_bundle(struct talk *s, struct vat_machine *m, const struct talk_start *from,
                      vat_id as, bool disavow, struct err *e)
{
    struct kernel *k = s->k;
    struct buf bundle = { 0 }, b = { 0 };
    if (from->bundle_id.p == NULL) {
        buf_put(&bundle, vat_own_bundle(k, as));
    } else if (bundle_get(k->store, from->bundle_id, &bundle, e) != 0) {
        return -1;
    }
    buf_printf(&b, "[\"setBundle\",\"%s\",", vat_id_text(s->vat).s);
    buf_put(&b, buf_span(&bundle));
    buf_printf(&b, ",{\"enableDisavow\":%s,\"relaxDurabilityRules\":%s}]",
               disavow ? "true" : "false",
               state_has(k, SPAN("kernel.relaxDurabilityRules")) ? "true" : "false");
    struct vat_reply raw = { 0 };
    struct jval reply = { 0 };
    int failed = command(s, m, buf_span(&b), &raw, &reply, e);
    buf_fini(&bundle);
    buf_fini(&b);
    if (failed != 0) return -1;
    if (raw.outcome == VAT_REPLIED && json_is(json_at(reply, 0), "dispatchReady")) return 0;
    struct buf name = { 0 }, message = { 0 };
    json_put_string(&name, json_str(json_at(reply, 1), s->arena));
    json_put_string(&message, json_str(json_at(reply, 2), s->arena));
    err_set(e, EXIT_VAT, "setBundle failed: %.*s: %.*s", SPAN_ARG(buf_span(&name)),
            SPAN_ARG(buf_span(&message)));
    buf_fini(&name);
    buf_fini(&message);
    return -1;
}

int talk_start(struct talk *s, const struct talk_start *from, struct vat_machine **out,
                  struct err *e)
{
    struct kernel *k = s->k;
    vat_id as = from->as.n != 0 ? from->as : s->vat;
    struct vat_options o = vat_options(k, as);
    struct vat_source store = { k, source_bundle, source_snapshot };
    struct vat_start start = { .vat = s->vat, .name = o.name, .metered = o.meter_id.p != NULL,
                               .snapshot = from->snapshot, .shared = from->shared,
                               .boot = from->boot.items, .boot_count = from->boot.count,
                               .source = from->source != NULL ? from->source : &store };
    struct vat_machine *m;
    if (s->port->start(s->port->self, &start, &m, e) != 0) return -1;
    if (from->snapshot == NULL && set_bundle(s, m, from, as, o.enable_disavow, e) != 0) {
        s->port->stop(s->port->self, m);
        return -1;
    }
    *out = m;
    return 0;
}

/* -- delivering ------------------------------------------------------------------------------------ */

/* The first element of ["message",…], which is a plain string. */
static struct span dispatch_of(struct span delivery)
{
    size_t end = 2;
    while (end < delivery.n && delivery.p[end] != '"') end += delivery.p[end] == '\\' ? 2 : 1;
    return (struct span){ delivery.p + 1, end < delivery.n ? end : 0 };
}

/* The reply: ["ok", whatever] or ["error", problem]. */
static int judge_reply(struct talk *s, const struct vat_reply *raw, struct jval reply,
                       struct delivered *out, struct err *e)
{
    out->metered = raw->meter.p != NULL;
    out->computrons = raw->computrons;
    if (!json_is(json_at(reply, 0), "ok")) {
        out->ok = false;
        out->problem = json_str(json_at(reply, 1), s->arena);
        if (!json_is(json_at(reply, 0), "error") || out->problem.p == NULL) {
            return err_set(e, EXIT_FAILED, "the worker of %s replied neither ok nor error",
                           vat_id_text(s->vat).s);
        }
    }
    slog_deliver_result(s->k, s->vat, out->ok ? "ok" : "error", json_raw(json_at(reply, 1)), raw);
    return 0;
}

int talk_deliver(struct talk *s, struct vat_machine *m, struct span delivery,
                    struct delivered *out, struct err *e)
{
    static const char *const faults[] = { [VAT_TOO_MUCH_COMPUTATION] = "Compute meter exceeded",
                                          [VAT_STACK_OVERFLOW] = "Stack meter exceeded",
                                          [VAT_OUT_OF_MEMORY] = "Allocate meter exceeded" };
    struct buf b = { 0 };
    slog_deliver(s->k, s->vat, s->position, s->replaying, dispatch_of(delivery), delivery);
    buf_puts(&b, "[\"deliver\",");
    buf_put(&b, delivery);
    buf_putc(&b, ']');
    struct vat_reply raw = { 0 };
    struct jval reply = { 0 };
    int failed = command(s, m, buf_span(&b), &raw, &reply, e);
    buf_fini(&b);
    if (failed != 0) return -1;
    *out = (struct delivered){ .ok = raw.outcome == VAT_REPLIED };
    if (out->ok) return judge_reply(s, &raw, reply, out, e);
    out->problem = span_of(faults[raw.outcome]);
    slog_deliver_result(s->k, s->vat, "error",
                        arena_printf(s->arena, "\"%s\"", faults[raw.outcome]), &raw);
    return 0;
}

/* -- replaying ------------------------------------------------------------------------------------- */

struct span talk_result(struct arena *a, const struct delivered *d)
{
    if (!d->ok) return SPAN("{\"status\":\"error\"}");
    if (!d->metered) return SPAN("{\"status\":\"ok\"}");
    return arena_printf(a, "{\"status\":\"ok\",\"metering\":{\"computrons\":%llu}}",
                        (unsigned long long)d->computrons);
}

static int check_result(struct talk *s, struct jval recorded, const struct delivered *d,
                        struct err *e)
{
    struct span then = json_raw(recorded), now = talk_result(s->arena, d);
    bool was_ok = json_is(json_get(recorded, "status"), "ok");
    if (was_ok && !d->ok) return talk_diverged(s, "result", then, d->problem, e);
    if (!s->strict || span_eq(then, now)) return 0;
    return talk_diverged(s, was_ok == d->ok ? "computrons" : "result", then, now, e);
}

int talk_replay(struct talk *s, struct vat_machine *m, uint64_t position, struct span item,
                   struct err *e)
{
    struct jval v, d;
    s->position = position;
    if (json_parse(s->arena, item, &v, e) != 0) {
        e->exit = EXIT_INTEGRITY;
        return err_while(e, "transcript of %s, position %llu", vat_id_text(s->vat).s,
                         (unsigned long long)position);
    }
    d = json_get(v, "d");
    s->recorded = json_get(v, "sc");
    s->made = 0;
    if (json_type(d) != JSON_ARRAY || json_type(json_at(d, 0)) != JSON_STRING ||
        json_type(s->recorded) != JSON_ARRAY) {
        return err_set(e, EXIT_INTEGRITY, "transcript of %s, position %llu: not a delivery",
                       vat_id_text(s->vat).s, (unsigned long long)position);
    }
    struct delivered got;
    if (talk_deliver(s, m, json_raw(d), &got, e) != 0) return -1;
    if (s->made == json_len(s->recorded)) return check_result(s, json_get(v, "r"), &got, e);
    return talk_diverged(s, "syscall",
                            json_raw(json_get(json_at(s->recorded, s->made), "s")), SPAN_NONE, e);
}
