#include "kernel/slog.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "kernel/cleanup.h"
#include "kernel/fork.h"
#include "kernel/vats.h"
#include "store/bundle.h"

enum vat_state { VAT_IDLE, VAT_STARTUP, VAT_DELIVERY };

static const char *const state_names[] = { [VAT_IDLE] = "idle",
                                           [VAT_STARTUP] = "startup",
                                           [VAT_DELIVERY] = "delivery" };

/* What the log has to know of one vat. */
struct teller {
    vat_id vat;
    enum vat_state state;
    bool starts;    /* introduced before any machine of its was started */
    bool delivered; /* the numbers below are of a delivery */
    bool replay;
    uint64_t crank, position;
    uint32_t syscalls;
    struct span dispatch, syscall; /* JSON names, of what is under way: in the crank's arena */
};

struct slog {
    struct buf line;
    struct span kd; /* of the coming delivery */
    bool routing;
    struct buf message_type;
    struct teller *tellers; /* sorted by vat */
    size_t count, cap;
};

struct slog *slog_new(void)
{
    return xcalloc(1, sizeof(struct slog));
}

void slog_free(struct slog *s)
{
    if (s == NULL) return;
    buf_fini(&s->line);
    buf_fini(&s->message_type);
    free(s->tellers);
    free(s);
}

/* -- lines ----------------------------------------------------------------------------------- */

static struct buf *begin(struct kernel *k, const char *type)
{
    struct buf *b = &k->slog->line;
    buf_reset(b);
    buf_printf(b, "{\"type\":\"%s\"", type);
    return b;
}

static void put_json(struct buf *b, const char *name, struct span json)
{
    if (json.p == NULL) return;
    buf_printf(b, ",\"%s\":", name);
    buf_put(b, json);
}

static void put_text(struct buf *b, const char *name, struct span text)
{
    if (text.p == NULL) return;
    buf_printf(b, ",\"%s\":", name);
    json_put_string(b, text);
}

static void put_u64(struct buf *b, const char *name, uint64_t n)
{
    buf_printf(b, ",\"%s\":%llu", name, (unsigned long long)n);
}

static void put_vat(struct buf *b, vat_id vat)
{
    buf_printf(b, ",\"vatID\":\"%s\"", vat_id_text(vat).s);
}

static void end(struct kernel *k, enum slog_span span, bool finish)
{
    buf_putc(&k->slog->line, '}');
    k->sink.slog(k->sink.self, &(struct slog_event){ buf_span(&k->slog->line), span, finish });
}

static uint64_t crank_number(struct kernel *k)
{
    return state_need_u64(k, SPAN("crankNumber"));
}

/* -- who is known ---------------------------------------------------------------------------- */

/* Where the vat is, or would go. */
static size_t place(const struct slog *s, vat_id vat)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->tellers[middle].vat.n < vat.n) low = middle + 1;
        else high = middle;
    }
    return low;
}

static struct teller *known(struct slog *s, vat_id vat)
{
    size_t at = place(s, vat);
    return at < s->count && vat_id_eq(s->tellers[at].vat, vat) ? &s->tellers[at] : NULL;
}

static struct teller *add(struct slog *s, vat_id vat)
{
    size_t at = place(s, vat);
    if (s->count == s->cap) {
        s->cap = s->cap == 0 ? 16 : 2 * s->cap;
        s->tellers = xrealloc(s->tellers, s->cap * sizeof *s->tellers);
    }
    memmove(s->tellers + at + 1, s->tellers + at, (s->count - at) * sizeof *s->tellers);
    s->count++;
    s->tellers[at] = (struct teller){ .vat = vat };
    return &s->tellers[at];
}

static struct teller *mention(struct kernel *k, vat_id vat)
{
    struct teller *t = known(k->slog, vat);
    if (t != NULL) return t;
    put_vat(begin(k, "create-vat"), vat);
    end(k, SLOG_POINT, false);
    return add(k->slog, vat);
}

void slog_mention(struct kernel *k, vat_id vat)
{
    if (slogging(k)) mention(k, vat);
}

/* "NAME (from bundleID: ID)", without the white space in front. */
static struct span description(struct kernel *k, struct span name, struct span bundle)
{
    struct buf b = { 0 };
    buf_put(&b, name);
    buf_puts(&b, bundle.p == NULL ? " (from source bundle" : " (from bundleID: ");
    buf_put(&b, bundle);
    buf_putc(&b, ')');
    struct span text = arena_copy(kernel_arena(k), buf_span(&b));
    buf_fini(&b);
    while (text.n > 0 && memchr(" \t\n\v\f\r", text.p[0], 6) != NULL) text = span_from(text, 1);
    return text;
}

/* The bundle itself: what the vat runs. */
static void put_bundle(struct kernel *k, struct buf *b, vat_id vat, struct span id)
{
    struct buf bundle = { 0 };
    struct err absent;
    if (id.p == NULL) {
        put_json(b, "vatSourceBundle", vat_own_bundle(k, vat));
    } else if (bundle_get(k->store, id, &bundle, &absent) == 0) {
        put_json(b, "vatSourceBundle", buf_span(&bundle));
    }
    buf_fini(&bundle);
}

/* `parent` n == 0: it is no fork. */
static void put_identity(struct kernel *k, struct buf *b, vat_id vat, vat_id parent)
{
    struct jval options = state_json(k, key_vat(k, vat, "options"));
    struct span name = json_str(json_get(options, "name"), kernel_arena(k));
    struct span id = vat_bundle_id(k, vat);
    buf_puts(b, vat_is_dynamic(k, vat) ? ",\"dynamic\":true" : ",\"dynamic\":false");
    put_text(b, "description", description(k, name.p == NULL ? SPAN("") : name, id));
    put_text(b, "name", name);
    put_text(b, "managerType",
             json_str(json_get(json_get(options, "workerOptions"), "type"), kernel_arena(k)));
    if (parent.n != 0) put_text(b, "forkedFrom", span_of_vat(k, parent));
    else put_bundle(k, b, vat, id);
}

static struct teller *introduce(struct kernel *k, vat_id vat, vat_id parent)
{
    struct buf *b = begin(k, "create-vat");
    put_vat(b, vat);
    put_identity(k, b, vat, parent);
    end(k, SLOG_POINT, false);
    struct teller *t = add(k->slog, vat);
    t->starts = true;
    return t;
}

void slog_forked(struct kernel *k, vat_id child, vat_id parent)
{
    if (slogging(k)) introduce(k, child, parent);
}

bool slog_vat(struct kernel *k, vat_id vat, bool startup)
{
    if (!slogging(k)) return false;
    struct teller *t = known(k->slog, vat);
    if (t == NULL) {
        struct fork_origin from;
        vat_id parent = { fork_origin(k, vat, &from) ? from.parent.n : 0 };
        t = introduce(k, vat, parent);
    }
    bool first = t->starts && startup;
    if (startup) t->starts = false;
    return first;
}

/* Upstream's watch over its own callers. */
static void expect(struct kernel *k, const struct teller *t, enum vat_state state, const char *what)
{
    if (t->state == state) return;
    struct buf *b = begin(k, "slogger-confused");
    put_vat(b, t->vat);
    buf_printf(b, ",\"state\":\"%s\",\"exp\":\"%s\",\"msg\":\"%s\"", state_names[t->state],
               state_names[state], what);
    end(k, SLOG_POINT, false);
}

/* -- cranks -------------------------------------------------------------------------------------- */

static void put_crank(struct slog *s, struct buf *b)
{
    buf_puts(b, s->routing ? ",\"crankType\":\"routing\"" : ",\"crankType\":\"delivery\"");
}

void slog_crank_start(struct kernel *k, bool routing, struct span message)
{
    struct jval v;
    struct err e;
    if (!slogging(k)) return;
    struct slog *s = k->slog;
    int failed = json_parse(kernel_arena(k), message, &v, &e);
    INVARIANT(failed == 0); /* the kernel wrote it */
    s->routing = routing;
    buf_reset(&s->message_type);
    buf_put(&s->message_type, json_raw(json_get(v, "type")));
    struct buf *b = begin(k, "crank-start");
    put_crank(s, b);
    put_u64(b, "crankNum", crank_number(k));
    put_json(b, "messageType", buf_span(&s->message_type));
    put_json(b, "message", message);
    end(k, SLOG_CRANK, false);
}

void slog_crank_finish(struct kernel *k, uint64_t number, const char *crankhash,
                       const char *activityhash)
{
    if (!slogging(k)) return;
    struct buf *b = begin(k, "crank-finish");
    put_crank(k->slog, b);
    put_json(b, "messageType", buf_span(&k->slog->message_type));
    put_u64(b, "crankNum", number);
    buf_printf(b, ",\"crankhash\":\"%s\",\"activityhash\":\"%s\"", crankhash, activityhash);
    end(k, SLOG_CRANK, true);
}

/* -- a vat's machine ------------------------------------------------------------------------------ */

void slog_startup(struct kernel *k, vat_id vat, bool finish)
{
    if (!slogging(k)) return;
    struct teller *t = mention(k, vat);
    expect(k, t, finish ? VAT_STARTUP : VAT_IDLE,
           finish ? "vat-startup-finish called twice?" : "vat-startup called twice?");
    t->state = finish ? VAT_IDLE : VAT_STARTUP;
    put_vat(begin(k, finish ? "vat-startup-finish" : "vat-startup-start"), vat);
    end(k, SLOG_STARTUP, finish);
}

void slog_replay(struct kernel *k, vat_id vat, uint64_t deliveries, bool finish)
{
    if (!slogging(k)) return;
    struct buf *b = begin(k, finish ? "finish-replay" : "start-replay");
    put_vat(b, vat);
    if (!finish) put_u64(b, "deliveries", deliveries);
    end(k, SLOG_REPLAY, finish);
}

void slog_snapshot_load(struct kernel *k, vat_id vat, const struct snapshot_info *info, bool brief)
{
    if (!slogging(k)) return;
    struct buf *b = begin(k, "heap-snapshot-load");
    put_vat(b, vat);
    put_u64(b, "snapPos", info->position);
    put_text(b, "hash", span_of(info->hash));
    if (!brief) {
        put_u64(b, "uncompressedSize", info->raw_bytes);
        put_u64(b, "compressedSize", info->packed_bytes);
    }
    end(k, SLOG_POINT, false);
}

void slog_snapshot_save(struct kernel *k, vat_id vat, const struct snapshot_info *info,
                        uint64_t before)
{
    if (!slogging(k)) return;
    struct buf *b = begin(k, "heap-snapshot-save");
    put_vat(b, vat);
    put_text(b, "snapshotID", span_of(info->hash));
    put_u64(b, "endPosition", info->position);
    put_u64(b, "uncompressedSize", info->raw_bytes);
    put_u64(b, "compressedSize", info->packed_bytes);
    if (before == 0) {
        put_json(b, "uncompressedSizeDelta", SPAN("null"));
    } else {
        buf_printf(b, ",\"uncompressedSizeDelta\":%lld", (long long)(info->raw_bytes - before));
    }
    put_json(b, "restartWorker", SPAN("true"));
    end(k, SLOG_POINT, false);
}

/* Lines that upstream does not have. */
static bool slogging_more(const struct kernel *k)
{
    return slogging(k) && k->zygotes;
}

void slog_page_in(struct kernel *k, vat_id vat, const struct snapshot_info *snapshot)
{
    if (!slogging_more(k)) return;
    struct buf *b = begin(k, "page-in-start");
    put_vat(b, vat);
    if (snapshot != NULL) put_text(b, "snapshotID", span_of(snapshot->hash));
    end(k, SLOG_PAGE_IN, false);
}

void slog_paged_in(struct kernel *k, vat_id vat, const char *from, uint64_t replayed)
{
    if (!slogging_more(k)) return;
    struct buf *b = begin(k, "page-in-finish");
    put_vat(b, vat);
    if (from != NULL) put_text(b, "from", span_of(from));
    put_u64(b, "replayed", replayed);
    end(k, SLOG_PAGE_IN, true);
}

void slog_page_out(struct kernel *k, vat_id vat, const char *why)
{
    if (!slogging_more(k)) return;
    struct buf *b = begin(k, "page-out");
    put_vat(b, vat);
    put_text(b, "reason", span_of(why));
    end(k, SLOG_POINT, false);
}

/* -- a delivery ------------------------------------------------------------------------------------ */

void slog_kernel_delivery(struct kernel *k, struct span kd)
{
    if (slogging(k)) k->slog->kd = kd;
}

/* The members that every line of a delivery begins with. */
static void put_delivery(struct buf *b, const struct teller *t)
{
    if (!t->replay) put_u64(b, "crankNum", t->crank);
    put_vat(b, t->vat);
    put_u64(b, "deliveryNum", t->position);
}

static void put_replay(struct buf *b, const struct teller *t)
{
    buf_puts(b, t->replay ? ",\"replay\":true" : ",\"replay\":false");
}

void slog_deliver(struct kernel *k, vat_id vat, uint64_t position, bool replay,
                  struct span dispatch, struct span vd)
{
    if (!slogging(k)) return;
    struct teller *t = mention(k, vat);
    struct span kd = k->slog->kd.p == NULL ? vd : k->slog->kd;
    expect(k, t, VAT_IDLE, "reentrant delivery?");
    *t = (struct teller){ .vat = vat, .state = VAT_DELIVERY, .delivered = true, .replay = replay,
                          .crank = replay ? 0 : crank_number(k), .position = position,
                          .dispatch = dispatch };
    struct buf *b = begin(k, "deliver");
    put_delivery(b, t);
    put_replay(b, t);
    put_json(b, "dispatch", dispatch);
    if (!replay) {
        put_json(b, "kd", kd);
        k->slog->kd = SPAN_NONE;
    }
    put_json(b, "vd", vd);
    end(k, SLOG_DELIVERY, false);
}

/* The worker's report, and how upstream's xsnap package calls that. */
static void put_meter(struct buf *b, struct span meter)
{
    struct arena a;
    struct jval v;
    struct err e;
    arena_init(&a);
    buf_puts(b, "{\"meterType\":\"xs-meter-36\"");
    if (meter.p == NULL || json_parse(&a, meter, &v, &e) != 0) {
        buf_puts(b, ",\"compute\":null,\"allocate\":null,\"currentHeapCount\":null,\"timestamps\":[]");
    } else {
        for (struct jval m = json_first(v); json_type(m) != JSON_NONE; m = json_next(m)) {
            buf_putc(b, ',');
            json_put_string(b, json_name(m, &a));
            buf_putc(b, ':');
            json_put_value(b, m);
        }
    }
    buf_putc(b, '}');
    arena_fini(&a);
}

static bool is_falsy(struct span json)
{
    return json.p == NULL || span_is(json, "false") || span_is(json, "\"\"") || span_is(json, "0");
}

void slog_deliver_result(struct kernel *k, vat_id vat, const char *status, struct span value,
                         const struct vat_reply *reply)
{
    if (!slogging(k)) return;
    struct teller *t = mention(k, vat);
    expect(k, t, VAT_DELIVERY, "deliver-result called twice?");
    t->state = VAT_IDLE;
    struct buf *b = begin(k, "deliver-result");
    put_delivery(b, t);
    put_replay(b, t);
    put_json(b, "dispatch", t->dispatch);
    buf_printf(b, ",\"dr\":[\"%s\",", status);
    buf_put(b, is_falsy(value) ? SPAN("null") : value);
    buf_putc(b, ',');
    if (reply != NULL && reply->outcome == VAT_REPLIED) put_meter(b, reply->meter);
    else buf_puts(b, "null");
    buf_putc(b, ']');
    end(k, SLOG_DELIVERY, true);
}

static void put_syscall(struct buf *b, const struct teller *t, uint32_t number)
{
    put_delivery(b, t);
    put_u64(b, "syscallNum", number);
    put_replay(b, t);
    put_json(b, "syscall", t->syscall);
}

void slog_syscall(struct kernel *k, vat_id vat, struct span ksc, struct jval vso)
{
    if (!slogging(k)) return;
    struct teller *t = mention(k, vat);
    expect(k, t, VAT_DELIVERY, "syscall invoked outside of delivery");
    t->syscall = json_raw(json_at(vso, 0));
    struct buf *b = begin(k, "syscall");
    put_syscall(b, t, t->syscalls++);
    put_json(b, "ksc", ksc);
    if (json_type(vso) != JSON_NONE) {
        buf_puts(b, ",\"vsc\":");
        json_put_value(b, vso);
    }
    end(k, SLOG_SYSCALL, false);
}

void slog_syscall_result(struct kernel *k, vat_id vat, struct span ksr, struct span vsr)
{
    if (!slogging(k)) return;
    struct teller *t = mention(k, vat);
    expect(k, t, VAT_DELIVERY, "syscall finished after delivery?");
    struct buf *b = begin(k, "syscall-result");
    put_syscall(b, t, t->syscalls - 1);
    put_json(b, "ksr", ksr);
    put_json(b, "vsr", vsr);
    end(k, SLOG_SYSCALL, true);
}

/* -- consoles --------------------------------------------------------------------------------------- */

static void put_args(struct buf *b, struct jval message, size_t from)
{
    buf_puts(b, ",\"args\":[");
    for (size_t i = from; i < json_len(message); i++) {
        if (i > from) buf_putc(b, ',');
        json_put_value(b, json_at(message, i));
    }
    buf_putc(b, ']');
}

static bool is_level(struct jval v)
{
    return json_is(v, "debug") || json_is(v, "log") || json_is(v, "info") || json_is(v, "warn") ||
           json_is(v, "error");
}

void slog_console(struct kernel *k, vat_id vat, struct jval message)
{
    struct jval source = json_at(message, 1), level = json_at(message, 2);
    if (!slogging(k)) return;
    struct teller *t = mention(k, vat);
    if (!is_level(level)) {
        struct buf *b = begin(k, "console");
        buf_puts(b, ",\"source\":\"kernel\",\"level\":\"error\",\"args\":[\"bad sourcedConsole level\",");
        if (json_type(level) == JSON_NONE) buf_puts(b, "null");
        else json_put_value(b, level);
        buf_putc(b, ']');
        end(k, SLOG_POINT, false);
        return;
    }
    if (t->replay) return; /* it was logged the first time */
    struct buf *b = begin(k, "console");
    if (json_is(source, "ls")) {
        put_json(b, "source", SPAN("\"liveslots\""));
    } else if (json_type(source) != JSON_NONE) {
        buf_puts(b, ",\"source\":");
        json_put_value(b, source);
    }
    buf_printf(b, ",\"state\":\"%s\"", state_names[t->state]);
    if (t->delivered) put_u64(b, "crankNum", t->crank);
    put_vat(b, vat);
    if (t->delivered) put_u64(b, "deliveryNum", t->position);
    put_json(b, "level", json_raw(level));
    put_args(b, message, 3);
    end(k, SLOG_POINT, false);
}

void slog_say_text(struct kernel *k, const char *level, struct span text, const char *more)
{
    if (!slogging(k)) return;
    struct buf *b = begin(k, "console");
    buf_printf(b, ",\"source\":\"kernel\",\"level\":\"%s\",\"args\":[", level);
    json_put_string(b, text);
    buf_puts(b, more);
    buf_putc(b, ']');
    end(k, SLOG_POINT, false);
}

/* -- the kernel's own doings -------------------------------------------------------------------------- */

void slog_clist(struct kernel *k, vat_id vat, const char *mode, kref r, struct span name)
{
    if (!slogging(k)) return;
    mention(k, vat);
    struct buf *b = begin(k, "clist");
    put_u64(b, "crankNum", crank_number(k));
    buf_printf(b, ",\"mode\":\"%s\"", mode);
    put_vat(b, vat);
    buf_printf(b, ",\"kobj\":\"%s\"", kref_text(r).s);
    put_text(b, "vobj", name);
    end(k, SLOG_POINT, false);
}

void slog_terminate(struct kernel *k, vat_id vat, bool reject, const struct capdata *info)
{
    if (!slogging(k)) return;
    mention(k, vat);
    struct buf *b = begin(k, "terminate");
    put_vat(b, vat);
    buf_printf(b, ",\"shouldReject\":%s,\"info\":", reject ? "true" : "false");
    capdata_put(b, info);
    end(k, SLOG_POINT, false);
}

void slog_not_paged_in(struct kernel *k, vat_id vat)
{
    slog_paged_in(k, vat, NULL, 0);
    slog_page_out(k, vat, "failed");
}

static struct buf *begin_fork(struct kernel *k, struct span type, const char *end, vat_id vat,
                              vat_id parent)
{
    struct buf *b = begin(k, span_join(k, "", type, end).p);
    put_u64(b, "crankNum", crank_number(k));
    put_vat(b, vat);
    if (parent.n != 0) put_text(b, "parentVatID", span_of_vat(k, parent));
    return b;
}

void slog_fork_start(struct kernel *k, struct span type, vat_id vat, vat_id parent)
{
    if (!slogging_more(k)) return;
    begin_fork(k, type, "-start", vat, parent);
    end(k, SLOG_FORK, false);
}

void slog_fork_finish(struct kernel *k, struct span type, vat_id vat, vat_id parent,
                      struct span refused, const struct fork_work *work, uint64_t computrons)
{
    if (!slogging_more(k)) return;
    struct buf *b = begin_fork(k, type, "-finish", vat, parent);
    put_text(b, "error", refused);
    if (parent.n != 0 && refused.p == NULL) {
        put_u64(b, "vatstoreKeys", work->vatstore_keys);
        put_u64(b, "vatstoreBytes", work->vatstore_bytes);
        put_u64(b, "clistEntries", work->clist_entries);
    }
    put_u64(b, "snapshotBytes", work->snapshot_bytes);
    put_u64(b, "computrons", computrons);
    end(k, SLOG_FORK, true);
}

void slog_cleanup(struct kernel *k, vat_id vat, const struct cleanup_work *work, bool done)
{
    if (!slogging(k)) return;
    struct buf *b = begin(k, "vat-cleanup");
    put_vat(b, vat);
    buf_puts(b, ",\"work\":");
    cleanup_put_work(b, work);
    end(k, SLOG_POINT, false);
    if (!done) return;
    put_vat(begin(k, "vat-cleanup-complete"), vat);
    end(k, SLOG_POINT, false);
}
