/* Dirt and the reap queue: when a vat is due for bringOutYourDead (vats.h). */
#include "kernel/vats.h"

static const struct span default_key = { "kernel.defaultReapDirtThreshold", 31 };
static const struct span reap_key = { "reapQueue", 9 };

void vat_schedule_reap(struct kernel *k, vat_id vat)
{
    struct strings queue = state_strings(k, reap_key);
    struct span name = span_of_vat(k, vat);
    if (strings_have(&queue, name)) return;
    queue = strings_with(k, &queue, name);
    state_set_strings(k, reap_key, &queue);
}

bool vat_next_reap(struct kernel *k, vat_id *vat)
{
    struct strings queue = state_strings(k, reap_key);
    if (queue.count == 0) return false;
    bool ok = vat_id_parse(queue.items[0], vat);
    INVARIANT(ok);
    struct strings rest = { queue.count - 1, queue.items + 1 };
    state_set_strings(k, reap_key, &rest);
    return true;
}

void vat_clear_dirt(struct kernel *k, vat_id vat)
{
    kv_set(k->store, key_vat(k, vat, "reapDirt"), SPAN("{}"));
}

/* What kinds of dirt there are, in the order a delivery reports them. */
enum { DIRT_KINDS = 3 };
static const char *const dirt_names[DIRT_KINDS] = { "deliveries", "computrons", "gcKrefs" };

/* Dirt so far: members keep the order they first appeared in, as in a JavaScript object. */
struct dirt {
    size_t count;
    struct {
        struct span name;
        double amount;
    } of[DIRT_KINDS + 1];
};

static struct dirt dirt_of(struct kernel *k, vat_id vat)
{
    struct dirt d = { 0 };
    struct jval v = state_json(k, key_vat(k, vat, "reapDirt"));
    size_t n = json_len(v);
    INVARIANT(n <= DIRT_KINDS);
    for (size_t i = 0; i < n; i++) {
        d.of[i].name = json_key_at(v, i, kernel_arena(k));
        json_double(json_at(v, i), &d.of[i].amount);
    }
    d.count = n;
    return d;
}

static double dirt_add(struct dirt *d, const char *name, double more)
{
    for (size_t i = 0; i < d->count; i++) {
        if (span_is(d->of[i].name, name)) return d->of[i].amount += more;
    }
    INVARIANT(d->count < DIRT_KINDS);
    d->of[d->count].name = span_of(name);
    d->of[d->count].amount = more;
    return d->of[d->count++].amount;
}

static void dirt_save(struct kernel *k, vat_id vat, const struct dirt *d)
{
    struct buf b = { 0 };
    buf_putc(&b, '{');
    for (size_t i = 0; i < d->count; i++) {
        if (i > 0) buf_putc(&b, ',');
        json_put_string(&b, d->of[i].name);
        buf_putc(&b, ':');
        json_put_double(&b, d->of[i].amount);
    }
    buf_putc(&b, '}');
    kv_set(k->store, key_vat(k, vat, "reapDirt"), buf_span(&b));
    buf_fini(&b);
}

/* The vat's own threshold if it has one, else the kernel's. */
static struct jval threshold_of(struct jval own, struct jval usual, const char *name)
{
    struct jval v = json_get(own, name);
    return json_type(v) != JSON_NONE ? v : json_get(usual, name);
}

void vat_add_dirt(struct kernel *k, vat_id vat, uint64_t computrons, uint64_t gc_krefs)
{
    double more[DIRT_KINDS] = { 1, (double)computrons, (double)gc_krefs };
    struct dirt d = dirt_of(k, vat);
    struct jval usual = state_json(k, default_key), own;
    struct err e;
    int failed = json_parse(kernel_arena(k), vat_reap_threshold(k, vat), &own, &e);
    INVARIANT(failed == 0);
    bool reap = false;
    for (size_t i = 0; i < DIRT_KINDS; i++) {
        double limit;
        if (more[i] == 0 || !json_double(threshold_of(own, usual, dirt_names[i]), &limit) ||
            limit == 0) {
            continue; /* 'never', or nothing of this kind */
        }
        reap |= dirt_add(&d, dirt_names[i], more[i]) >= limit;
    }
    if (json_type(threshold_of(own, usual, "never")) == JSON_TRUE) return;
    dirt_save(k, vat, &d);
    if (reap) vat_schedule_reap(k, vat);
}

void threshold_with(struct kernel *k, struct jval old, const char *name, int64_t value, struct buf *b)
{
    bool written = false;
    size_t n = json_len(old);
    struct span text = value == REAP_NEVER
                           ? SPAN("\"never\"")
                           : arena_printf(kernel_arena(k), "%lld", (long long)value);
    buf_putc(b, '{');
    for (size_t i = 0; i < n; i++) {
        struct span key = json_key_at(old, i, kernel_arena(k));
        bool this = span_is(key, name);
        if (i > 0) buf_putc(b, ',');
        json_put_string(b, key);
        buf_putc(b, ':');
        buf_put(b, this ? text : json_raw(json_at(old, i)));
        written |= this;
    }
    if (!written) {
        if (n > 0) buf_putc(b, ',');
        json_put_string(b, span_of(name));
        buf_putc(b, ':');
        buf_put(b, text);
    }
    buf_putc(b, '}');
}

void vat_set_reap_interval(struct kernel *k, vat_id vat, int64_t deliveries)
{
    struct vat_options o = vat_options(k, vat);
    struct jval own = json_get(state_json(k, key_vat(k, vat, "options")), "reapDirtThreshold");
    struct buf b = { 0 };
    threshold_with(k, own, "deliveries", deliveries, &b);
    o.reap_dirt_threshold = arena_copy(kernel_arena(k), buf_span(&b));
    buf_fini(&b);
    kv_set(k->store, key_vat(k, vat, "options"), vat_options_text(k, &o));
}
