/* upgrade_store.c -- kernel state of an older schema made into schema 3.
 *
 * The state is read with care, not with state.h's accessors: it is a file that an older
 * kernel wrote, and one that is not as it should be is the world's fault.  Writes are in
 * upstream's order.
 */
#include "kernel/upgrade_store.h"

#include "base/json.h"
#include "store/kv.h"
#include "store/map.h"

enum { VERSION = 3, GC_KREFS_PER_BOYD = 20 };

struct event {
    struct span kpid, vat;
};

struct upgrade {
    struct store *s;
    struct arena a; /* until the end; what the store hands out lasts until store_forget */
    struct span *vats;
    size_t vat_count;
    uint64_t default_deliveries; /* if the default is not "never" */
    bool default_never;
    struct map notifies; /* "kp40 v1" */
    struct event *events;
    size_t event_count, event_room;
};

/* -- reading ---------------------------------------------------------------------------- */

static int wrong(struct err *e, struct span key, const char *what)
{
    return err_set(e, EXIT_INTEGRITY, "kernel state: %.*s %s",
                   (int)(key.n < 100 ? key.n : 100), key.p, what);
}

static int need(struct upgrade *u, struct span key, struct span *value, struct err *e)
{
    return kv_get(u->s, key, value) ? 0 : wrong(e, key, "is missing");
}

static int need_json(struct upgrade *u, struct span key, enum json_type type,
                     struct jval *out, struct err *e)
{
    struct span text;
    struct err why;
    if (need(u, key, &text, e) != 0) return -1;
    if (json_parse(&u->a, arena_copy(&u->a, text), out, &why) != 0 || json_type(*out) != type)
        return wrong(e, key, "is not the JSON it should be");
    return 0;
}

static int must_not_have(struct upgrade *u, struct span key, struct err *e)
{
    return kv_get(u->s, key, NULL) ? wrong(e, key, "is there already") : 0;
}

/* Decimal digits, leading zeros allowed, as upstream's mustParseInt. */
static int parse_int(struct span key, struct span digits, uint64_t *out, struct err *e)
{
    uint64_t n = 0;
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9' || n >= (UINT64_C(1) << 53) / 10)
            return wrong(e, key, "is not a decimal integer");
        n = n * 10 + (uint64_t)(digits.p[i] - '0');
    }
    *out = n;
    return digits.n > 0 ? 0 : wrong(e, key, "is not a decimal integer");
}

static void add_vat(struct upgrade *u, struct span vat, size_t *room)
{
    if (u->vat_count == *room) {
        *room = *room == 0 ? 64 : 2 * *room;
        struct span *more = ARENA_ARRAY(&u->a, struct span, *room);
        if (u->vat_count > 0) memcpy(more, u->vats, u->vat_count * sizeof *more);
        u->vats = more;
    }
    u->vats[u->vat_count++] = arena_copy(&u->a, vat);
}

/* Static ones in the order of names, then dynamic ones as created. */
static int list_vats(struct upgrade *u, struct err *e)
{
    struct span prefix = SPAN("vat.name."), key = prefix, vat;
    struct jval ids;
    size_t room = 0;
    u->vat_count = 0;
    while (kv_next_key(u->s, key, &key) && span_starts(key, prefix)) {
        if (need(u, key, &vat, e) != 0) return -1;
        add_vat(u, vat, &room);
    }
    key = SPAN("vat.dynamicIDs");
    if (need_json(u, key, JSON_ARRAY, &ids, e) != 0) return -1;
    for (struct jval v = json_first(ids); json_type(v) != JSON_NONE; v = json_next(v)) {
        vat = json_str(v, &u->a);
        if (vat.p == NULL) return wrong(e, key, "is not a list of vats");
        add_vat(u, vat, &room);
    }
    return 0;
}

static struct span vat_key(struct upgrade *u, struct span vat, const char *field)
{
    return arena_printf(&u->a, "%.*s.%s", SPAN_ARG(vat), field);
}

/* -- from 0 to 1 ------------------------------------------------------------------------- */

static int upgrade_default_reap(struct upgrade *u, struct err *e)
{
    struct span old_key = SPAN("kernel.defaultReapInterval"), old;
    struct span new_key = SPAN("kernel.defaultReapDirtThreshold"), value;
    if (need(u, old_key, &old, e) != 0 || must_not_have(u, new_key, e) != 0) return -1;
    u->default_never = span_is(old, "never");
    if (u->default_never) {
        value = SPAN("{\"deliveries\":\"never\",\"gcKrefs\":\"never\",\"computrons\":\"never\"}");
    } else {
        if (parse_int(old_key, old, &u->default_deliveries, e) != 0) return -1;
        value = arena_printf(&u->a,
                             "{\"deliveries\":%llu,\"gcKrefs\":%d,\"computrons\":\"never\"}",
                             (unsigned long long)u->default_deliveries, GC_KREFS_PER_BOYD);
    }
    kv_set(u->s, new_key, value);
    kv_delete(u->s, old_key);
    return 0;
}

struct reap {
    bool never;
    uint64_t interval, countdown;
};

static int read_reap(struct upgrade *u, struct span interval_key, struct span countdown_key,
                     struct reap *r, struct err *e)
{
    struct span interval, countdown;
    if (need(u, interval_key, &interval, e) != 0 || need(u, countdown_key, &countdown, e) != 0)
        return -1;
    r->never = span_is(interval, "never");
    if (r->never != span_is(countdown, "never"))
        return wrong(e, countdown_key, "and the interval are not both never");
    if (r->never) return 0;
    if (parse_int(interval_key, interval, &r->interval, e) != 0) return -1;
    return parse_int(countdown_key, countdown, &r->countdown, e);
}

/* The options without reapInterval and with this reapDirtThreshold. */
static struct span new_options(struct upgrade *u, struct jval options, struct span threshold)
{
    struct buf b = { 0 }, out = { 0 };
    bool placed = false;
    json_put_value(&b, options);
    struct jval folded;
    struct err ignored;
    int failed = json_parse(&u->a, arena_copy(&u->a, buf_span(&b)), &folded, &ignored);
    INVARIANT(failed == 0);
    buf_putc(&out, '{');
    for (struct jval v = json_first(folded); json_type(v) != JSON_NONE; v = json_next(v)) {
        struct span name = json_name(v, &u->a);
        bool is_new = span_is(name, "reapDirtThreshold");
        if (span_is(name, "reapInterval")) continue;
        if (out.n > 1) buf_putc(&out, ',');
        json_put_string(&out, name);
        buf_putc(&out, ':');
        buf_put(&out, is_new ? threshold : json_raw(v));
        placed |= is_new;
    }
    if (!placed) {
        buf_puts(&out, out.n > 1 ? ",\"reapDirtThreshold\":" : "\"reapDirtThreshold\":");
        buf_put(&out, threshold);
    }
    buf_putc(&out, '}');
    struct span text = arena_copy(&u->a, buf_span(&out));
    buf_fini(&b);
    buf_fini(&out);
    return text;
}

static int upgrade_vat(struct upgrade *u, struct span vat, struct err *e)
{
    struct span interval_key = vat_key(u, vat, "reapInterval");
    struct span countdown_key = vat_key(u, vat, "reapCountdown");
    struct span dirt_key = vat_key(u, vat, "reapDirt");
    struct span options_key = vat_key(u, vat, "options");
    struct span dirt = SPAN("{}"), threshold = SPAN("{}");
    struct reap r = { 0 };
    struct jval options;
    if (must_not_have(u, dirt_key, e) != 0 ||
        read_reap(u, interval_key, countdown_key, &r, e) != 0 ||
        need_json(u, options_key, JSON_OBJECT, &options, e) != 0)
        return -1;
    if (r.never) {
        threshold = SPAN("{\"never\":true}");
    } else {
        uint64_t deliveries = r.interval > r.countdown ? r.interval - r.countdown : 0;
        dirt = arena_printf(&u->a, "{\"deliveries\":%llu}", (unsigned long long)deliveries);
        if (u->default_never || r.interval != u->default_deliveries)
            threshold = arena_printf(&u->a, "{\"deliveries\":%llu}",
                                     (unsigned long long)r.interval);
    }
    kv_delete(u->s, interval_key);
    kv_delete(u->s, countdown_key);
    kv_set(u->s, dirt_key, dirt);
    kv_set(u->s, options_key, new_options(u, options, threshold));
    return 0;
}

static int from_0(struct upgrade *u, struct err *e)
{
    struct span ignored;
    if (need(u, SPAN("initialized"), &ignored, e) != 0) return -1;
    kv_delete(u->s, SPAN("initialized"));
    if (upgrade_default_reap(u, e) != 0 || list_vats(u, e) != 0) return -1;
    for (size_t i = 0; i < u->vat_count; i++) {
        if (upgrade_vat(u, u->vats[i], e) != 0) return -1;
    }
    return 0;
}

/* -- from 1 to 2 --------------------------------------------------------------------------- */

static int from_1(struct upgrade *u, struct err *e)
{
    if (must_not_have(u, SPAN("vats.terminated"), e) != 0) return -1;
    kv_set(u->s, SPAN("vats.terminated"), SPAN("[]"));
    return 0;
}

/* -- from 2 to 3 ---------------------------------------------------------------------------- */

static bool has_notify(struct upgrade *u, struct span kpid, struct span vat)
{
    struct span key = arena_printf(&u->a, "%.*s %.*s", SPAN_ARG(kpid), SPAN_ARG(vat));
    return map_find(&u->notifies, key, map_hash(&u->notifies, key)) != NULL;
}

static void add_notify(struct upgrade *u, struct span kpid, struct span vat)
{
    if (has_notify(u, kpid, vat)) return;
    struct map_entry *en = ARENA_NEW(&u->a, struct map_entry);
    en->key = arena_printf(&u->a, "%.*s %.*s", SPAN_ARG(kpid), SPAN_ARG(vat));
    en->hash = map_hash(&u->notifies, en->key);
    map_insert(&u->notifies, en);
}

static int read_event(struct upgrade *u, struct span key, struct err *e)
{
    struct jval event;
    if (need_json(u, key, JSON_OBJECT, &event, e) != 0) return -1;
    if (!json_is(json_get(event, "type"), "notify")) return 0;
    struct span vat = json_str(json_get(event, "vatID"), &u->a);
    struct span kpid = json_str(json_get(event, "kpid"), &u->a);
    if (vat.n == 0 || kpid.n == 0) return wrong(e, key, "is a notify to nobody");
    add_notify(u, kpid, vat);
    return 0;
}

static int read_queue(struct upgrade *u, const char *name, struct err *e)
{
    struct jval ends;
    uint64_t head, tail;
    struct span key = span_of(name);
    if (need_json(u, key, JSON_ARRAY, &ends, e) != 0) return -1;
    if (!json_u64(json_at(ends, 0), &head) || !json_u64(json_at(ends, 1), &tail))
        return wrong(e, key, "has no ends");
    for (uint64_t i = head; i < tail; i++) {
        key = arena_printf(&u->a, "%s.%llu", name, (unsigned long long)i);
        if (read_event(u, key, e) != 0) return -1;
    }
    return 0;
}

static void add_event(struct upgrade *u, struct span kpid, struct span vat)
{
    if (u->event_count == u->event_room) {
        u->event_room = u->event_room == 0 ? 64 : 2 * u->event_room;
        struct event *more = ARENA_ARRAY(&u->a, struct event, u->event_room);
        if (u->event_count > 0) memcpy(more, u->events, u->event_count * sizeof *more);
        u->events = more;
    }
    u->events[u->event_count++] = (struct event){ arena_copy(&u->a, kpid), vat };
}

/* Settled promises in the vat's c-list that nothing on its way will take out. */
static int check_clist(struct upgrade *u, struct span vat, struct err *e)
{
    struct span prefix = vat_key(u, vat, "c.kp"), key = prefix, state;
    while (kv_next_key(u->s, key, &key) && span_starts(key, prefix)) {
        struct span kpid = span_from(key, prefix.n - 2);
        struct buf name = { 0 };
        buf_put(&name, kpid);
        buf_puts(&name, ".state");
        bool there = kv_get(u->s, buf_span(&name), &state);
        buf_fini(&name);
        if (!there || state.n == 0) return wrong(e, kpid, "has no state");
        if (!span_is(state, "unresolved") && !has_notify(u, kpid, vat))
            add_event(u, kpid, vat);
    }
    store_forget(u->s);
    return 0;
}

static bool is_terminated(struct jval terminated, struct span vat, struct arena *a)
{
    for (struct jval v = json_first(terminated); json_type(v) != JSON_NONE; v = json_next(v)) {
        struct span id = json_str(v, a);
        if (id.p != NULL && span_eq(id, vat)) return true;
    }
    return false;
}

static int find_lost(struct upgrade *u, struct err *e)
{
    struct jval terminated;
    if (need_json(u, SPAN("vats.terminated"), JSON_ARRAY, &terminated, e) != 0 ||
        list_vats(u, e) != 0 || read_queue(u, "runQueue", e) != 0 ||
        read_queue(u, "acceptanceQueue", e) != 0)
        return -1;
    for (size_t i = 0; i < u->vat_count; i++) {
        if (is_terminated(terminated, u->vats[i], &u->a)) continue;
        if (check_clist(u, u->vats[i], e) != 0) return -1;
    }
    return 0;
}

static int count_promise(struct upgrade *u, struct span kpid, struct err *e)
{
    struct span key = vat_key(u, kpid, "refCount"), text;
    uint64_t n;
    if (need(u, key, &text, e) != 0 || parse_int(key, text, &n, e) != 0) return -1;
    kv_set(u->s, key, arena_printf(&u->a, "%llu", (unsigned long long)n + 1));
    return 0;
}

static int from_2(struct upgrade *u, struct err *e)
{
    if (find_lost(u, e) != 0) return -1;
    for (size_t i = 0; i < u->event_count; i++) {
        if (count_promise(u, u->events[i].kpid, e) != 0) return -1;
    }
    return 0;
}

/* -- the whole -------------------------------------------------------------------------------- */

/* Behind those that wait there already. */
static int keep_events(struct upgrade *u, struct err *e)
{
    struct span key = SPAN("upgradeEvents");
    struct jval old = { 0 };
    struct buf b = { 0 };
    if (u->event_count == 0) return 0;
    if (kv_get(u->s, key, NULL) && need_json(u, key, JSON_ARRAY, &old, e) != 0) return -1;
    buf_putc(&b, '[');
    for (struct jval v = json_first(old); json_type(v) != JSON_NONE; v = json_next(v)) {
        buf_puts(&b, b.n > 1 ? "," : "");
        json_put_value(&b, v);
    }
    for (size_t i = 0; i < u->event_count; i++) {
        buf_puts(&b, b.n > 1 ? ",{\"type\":\"notify\",\"vatID\":" : "{\"type\":\"notify\",\"vatID\":");
        json_put_string(&b, u->events[i].vat);
        buf_puts(&b, ",\"kpid\":");
        json_put_string(&b, u->events[i].kpid);
        buf_putc(&b, '}');
    }
    buf_putc(&b, ']');
    kv_set(u->s, key, buf_span(&b));
    buf_fini(&b);
    return 0;
}

static int upgrade_from(struct upgrade *u, uint64_t version, struct err *e)
{
    if (version < 1 && from_0(u, e) != 0) return -1;
    if (version < 2 && from_1(u, e) != 0) return -1;
    if (from_2(u, e) != 0 || keep_events(u, e) != 0) return -1;
    kv_set(u->s, SPAN("version"), SPAN("3"));
    return 0;
}

int kernel_upgrade_store(struct store *s, bool *modified, struct err *e)
{
    struct span text;
    uint64_t version = 0;
    bool has_version = kv_get(s, SPAN("version"), &text);
    if (!has_version && !kv_get(s, SPAN("initialized"), NULL))
        return err_set(e, EXIT_INCOMPATIBLE, "no kernel was initialised there");
    if (has_version && (!span_u64(text, &version) || version > VERSION))
        return err_set(e, EXIT_INCOMPATIBLE, "its kernel state has schema version %.*s, not"
                       " %d or older", (int)(text.n < 20 ? text.n : 20), text.p, VERSION);
    *modified = version < VERSION;
    if (!*modified) return 0;
    struct upgrade u = { .s = s };
    arena_init(&u.a);
    map_init(&u.notifies);
    int rc = upgrade_from(&u, version, e);
    map_fini(&u.notifies);
    arena_fini(&u.a);
    return rc;
}
