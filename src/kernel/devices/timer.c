/* The timer: wakes handlers after a time, once or at intervals.  After device-timer.js.
 *
 * State: {lastPolled, nextRepeater, repeaters, deadlines}, saved whole after every change;
 * memory is the same, but that a save which throws leaves it ahead, as upstream.  Times are
 * bigints, whatever the host counts in; here they are below 2^120.
 *
 * What upstream does with odd indices is kept: `repeaters` is a JavaScript array, in which
 * deleteRepeater() may leave holes, and an array with holes cannot be saved.  (At an index of
 * billions upstream's looks for the hole for hours; this one knows.) */
#include <math.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "kernel/devices/natives.h"
#include "kernel/devices/jsvalue.h"
#include "kernel/marshal_js.h"

struct wake {
    const struct pass *handler; /* a remotable; or a copy of whatever was given, in `own` */
    struct arena *own;
    bool has_index;
    double index;
};

struct deadline {
    natural time;
    struct wake *wakes;
    size_t count;
};

/* An element that is there. */
struct repeater {
    uint32_t index;
    bool live; /* false: undefined */
    natural start, interval;
};

struct timer {
    natural last_polled;
    double next_repeater;
    struct repeater *repeaters; /* by index */
    size_t repeater_count;
    uint32_t length;            /* of the array; more than repeater_count: it has holes */
    struct deadline *deadlines; /* by time */
    size_t deadline_count;
};

/* -- memory -------------------------------------------------------------------------------- */

static struct wake wake_of(const struct pass *handler, const struct pass *index)
{
    struct wake w = { .handler = handler };
    if (index != NULL && index->style == PASS_NUMBER) {
        w.has_index = true;
        w.index = index->number;
    }
    if (handler->style != PASS_REMOTABLE) {
        w.own = xmalloc(sizeof *w.own);
        arena_init(w.own);
        w.handler = jsvalue_copy(w.own, handler);
    }
    return w;
}

static void wake_free(struct wake *w)
{
    if (w->own == NULL) return;
    arena_fini(w->own);
    free(w->own);
}

static void deadline_free(struct deadline *d)
{
    for (size_t i = 0; i < d->count; i++) wake_free(&d->wakes[i]);
    free(d->wakes);
}

static void timer_free(struct timer *t)
{
    if (t == NULL) return;
    for (size_t i = 0; i < t->deadline_count; i++) deadline_free(&t->deadlines[i]);
    free(t->deadlines);
    free(t->repeaters);
    free(t);
}

static void stop(struct device *dev)
{
    timer_free(dev->memory);
    dev->memory = NULL;
}

/* -- deadlines ------------------------------------------------------------------------------- */

static struct deadline *deadline_at(struct timer *t, natural time)
{
    size_t at = 0;
    while (at < t->deadline_count && t->deadlines[at].time < time) at++;
    if (at < t->deadline_count && t->deadlines[at].time == time) return &t->deadlines[at];
    t->deadlines = xrealloc(t->deadlines, (t->deadline_count + 1) * sizeof *t->deadlines);
    memmove(t->deadlines + at + 1, t->deadlines + at, (t->deadline_count - at) * sizeof *t->deadlines);
    t->deadline_count++;
    t->deadlines[at] = (struct deadline){ .time = time };
    return &t->deadlines[at];
}

static void deadline_add(struct timer *t, natural time, struct wake w)
{
    struct deadline *d = deadline_at(t, time);
    d->wakes = xrealloc(d->wakes, (d->count + 1) * sizeof *d->wakes);
    d->wakes[d->count++] = w;
}

static void deadlines_drop(struct timer *t, size_t at, size_t count)
{
    t->deadline_count -= count;
    memmove(t->deadlines + at, t->deadlines + at + count, (t->deadline_count - at) * sizeof *t->deadlines);
}

/* -- repeaters ------------------------------------------------------------------------------- */

static size_t repeater_place(const struct timer *t, uint32_t index)
{
    size_t low = 0, high = t->repeater_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->repeaters[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void repeater_set(struct timer *t, struct repeater r)
{
    size_t at = repeater_place(t, r.index);
    if (at == t->repeater_count || t->repeaters[at].index != r.index) {
        t->repeaters = xrealloc(t->repeaters, (t->repeater_count + 1) * sizeof *t->repeaters);
        memmove(t->repeaters + at + 1, t->repeaters + at, (t->repeater_count - at) * sizeof *t->repeaters);
        t->repeater_count++;
    }
    t->repeaters[at] = r;
    if (r.index >= t->length) t->length = r.index + 1;
}

/* The property name that a value is, where it is an array index. */
static bool index_of(struct arena *a, const struct pass *v, uint32_t *out)
{
    struct span text;
    return v->style != PASS_SYMBOL && jsvalue_text(a, v, &text) && js_index_name(text, out);
}

/* repeaters[v]; NULL: undefined, or something that is no repeater. */
static const struct repeater *repeater_at(struct arena *a, const struct timer *t, const struct pass *v)
{
    uint32_t index;
    if (!index_of(a, v, &index)) return NULL;
    size_t at = repeater_place(t, index);
    if (at == t->repeater_count || t->repeaters[at].index != index) return NULL;
    return t->repeaters[at].live ? &t->repeaters[at] : NULL;
}

/* The first of start + N * interval after the last poll. */
static bool next_time(const struct timer *t, const struct repeater *r, natural *out)
{
    if (r == NULL || r->interval == 0) return false;
    *out = t->last_polled + r->interval - (t->last_polled - r->start) % r->interval;
    return true;
}

/* -- state -------------------------------------------------------------------------------------- */

static const struct pass *repeater_value(struct arena *a, const struct repeater *r)
{
    if (!r->live) return pass_undefined(a);
    const struct span keys[] = { SPAN("startTime"), SPAN("interval") };
    const struct pass *values[] = { jsvalue_bigint(a, r->start), jsvalue_bigint(a, r->interval) };
    return pass_record(a, 2, keys, values);
}

static const struct pass *wake_value(struct arena *a, const struct wake *w)
{
    const struct span keys[] = { SPAN("handler"), SPAN("index") };
    const struct pass *values[] = { w->handler, pass_number(a, w->index) };
    return pass_record(a, w->has_index ? 2 : 1, keys, values);
}

static const struct pass *deadline_value(struct arena *a, const struct deadline *d)
{
    const struct pass **wakes = ARENA_ARRAY(a, const struct pass *, d->count + 1);
    for (size_t i = 0; i < d->count; i++) wakes[i] = wake_value(a, &d->wakes[i]);
    const struct span keys[] = { SPAN("time"), SPAN("handlers") };
    const struct pass *values[] = { jsvalue_bigint(a, d->time), pass_array(a, d->count, wakes) };
    return pass_record(a, 2, keys, values);
}

static bool save(struct device *dev)
{
    const struct timer *t = dev->memory;
    struct arena *a = kernel_arena(dev->k);
    if (t->length > t->repeater_count) return false;
    const struct pass **repeaters = ARENA_ARRAY(a, const struct pass *, t->repeater_count + 1);
    const struct pass **deadlines = ARENA_ARRAY(a, const struct pass *, t->deadline_count + 1);
    for (size_t i = 0; i < t->repeater_count; i++) repeaters[i] = repeater_value(a, &t->repeaters[i]);
    for (size_t i = 0; i < t->deadline_count; i++) deadlines[i] = deadline_value(a, &t->deadlines[i]);
    const struct span keys[] = { SPAN("lastPolled"), SPAN("nextRepeater"), SPAN("repeaters"),
                                 SPAN("deadlines") };
    const struct pass *values[] = { jsvalue_bigint(a, t->last_polled), pass_number(a, t->next_repeater),
                                    pass_array(a, t->repeater_count, repeaters),
                                    pass_array(a, t->deadline_count, deadlines) };
    slots_set_state(dev, pass_record(a, 4, keys, values));
    return true;
}

static bool saved(struct slots_call *c)
{
    return save(c->dev) || slots_fail(c, "an array of repeaters with holes cannot be saved");
}

static const struct pass none = { .style = PASS_UNDEFINED };

static const struct pass *member(const struct pass *record, const char *key)
{
    const struct pass *v = pass_get(record, key);
    return v != NULL ? v : &none;
}

static bool load_repeater(struct timer *t, uint32_t index, const struct pass *v)
{
    struct repeater r = { .index = index, .live = v->style != PASS_UNDEFINED };
    bool ok = !r.live || (jsvalue_nat(member(v, "startTime"), &r.start) &&
                          jsvalue_nat(member(v, "interval"), &r.interval));
    if (ok) repeater_set(t, r);
    return ok;
}

static bool load_deadline(struct timer *t, const struct pass *v)
{
    natural time;
    const struct pass *wakes = member(v, "handlers");
    if (!jsvalue_nat(member(v, "time"), &time) || wakes->style != PASS_ARRAY) return false;
    for (size_t i = 0; i < wakes->count; i++) {
        deadline_add(t, time, wake_of(member(wakes->items[i], "handler"),
                                      pass_get(wakes->items[i], "index")));
    }
    return true;
}

static bool load(struct timer *t, const struct pass *state)
{
    const struct pass *repeaters = member(state, "repeaters"), *deadlines = member(state, "deadlines"),
                      *next = member(state, "nextRepeater");
    bool ok = jsvalue_nat(member(state, "lastPolled"), &t->last_polled) && next->style == PASS_NUMBER &&
              repeaters->style == PASS_ARRAY && deadlines->style == PASS_ARRAY;
    t->next_repeater = next->number;
    for (size_t i = 0; ok && i < repeaters->count; i++) ok = load_repeater(t, (uint32_t)i, repeaters->items[i]);
    for (size_t i = 0; ok && i < deadlines->count; i++) ok = load_deadline(t, deadlines->items[i]);
    return ok;
}

static bool reload(struct device *dev, const char **why)
{
    const struct pass *state;
    if (!slots_state(dev, &state, why)) return false;
    struct timer *t = xcalloc(1, sizeof *t);
    if (state != NULL && !load(t, state)) {
        timer_free(t);
        *why = "its state is not a timer's";
        return false;
    }
    stop(dev);
    dev->memory = t;
    return true;
}

static bool build(struct device *dev, struct jval parameters, const char **why)
{
    (void)parameters;
    return reload(dev, why);
}

/* -- methods --------------------------------------------------------------------------------------- */

static bool set_wakeup(struct slots_call *c)
{
    natural time;
    if (!jsvalue_nat(slots_arg(c, 0), &time)) return slots_fail(c, "a time is not a natural number");
    deadline_add(c->dev->memory, time, wake_of(slots_arg(c, 1), NULL));
    c->result = jsvalue_bigint(c->a, time);
    return saved(c);
}

/* Take a handler's wakes, last first, out of one deadline. */
static void remove_from(struct slots_call *c, struct deadline *d, const struct pass *handler,
                        struct pass *times)
{
    for (size_t i = d->count; i-- > 0;) {
        if (!jsvalue_same(d->wakes[i].handler, handler)) continue;
        wake_free(&d->wakes[i]);
        d->count--;
        memmove(d->wakes + i, d->wakes + i + 1, (d->count - i) * sizeof *d->wakes);
        times->items[times->count++] = jsvalue_bigint(c->a, d->time);
    }
}

static bool remove_wakeup(struct slots_call *c)
{
    struct timer *t = c->dev->memory;
    struct pass *times = pass_new(c->a, PASS_ARRAY, SPAN_NONE);
    size_t all = 0;
    for (size_t i = 0; i < t->deadline_count; i++) all += t->deadlines[i].count;
    times->items = ARENA_ARRAY(c->a, const struct pass *, all + 1);
    for (size_t i = 0; i < t->deadline_count;) {
        remove_from(c, &t->deadlines[i], slots_arg(c, 0), times);
        if (t->deadlines[i].count > 0) {
            i++;
            continue;
        }
        deadline_free(&t->deadlines[i]);
        deadlines_drop(t, i, 1);
    }
    c->result = times;
    return saved(c);
}

static bool get_last_polled(struct slots_call *c)
{
    const struct timer *t = c->dev->memory;
    c->result = jsvalue_bigint(c->a, t->last_polled);
    return true;
}

static bool make_repeater(struct slots_call *c)
{
    struct timer *t = c->dev->memory;
    struct repeater r = { .index = t->length, .live = true };
    if (!jsvalue_nat(slots_arg(c, 0), &r.start) || !jsvalue_nat(slots_arg(c, 1), &r.interval)) {
        return slots_fail(c, "a time is not a natural number");
    }
    if (t->length == UINT32_MAX) return slots_fail(c, "too many repeaters");
    repeater_set(t, r);
    c->result = pass_number(c->a, t->next_repeater);
    t->next_repeater += 1;
    return saved(c);
}

static bool delete_repeater(struct slots_call *c)
{
    const struct pass *v = slots_arg(c, 0);
    struct span text;
    uint32_t index;
    if (v->style != PASS_SYMBOL && !jsvalue_text(c->a, v, &text)) return slots_fail(c, "no index");
    if (v->style != PASS_SYMBOL && span_is(text, "length")) return slots_fail(c, "invalid array length");
    if (index_of(c->a, v, &index)) repeater_set(c->dev->memory, (struct repeater){ .index = index });
    c->result = v;
    return saved(c);
}

static bool schedule(struct slots_call *c)
{
    struct timer *t = c->dev->memory;
    natural time;
    if (!next_time(t, repeater_at(c->a, t, slots_arg(c, 0)), &time)) {
        return slots_fail(c, "no such repeater");
    }
    deadline_add(t, time, wake_of(slots_arg(c, 1), slots_arg(c, 0)));
    c->result = jsvalue_bigint(c->a, time);
    return saved(c);
}

static const struct slots_methods root[] = {
    { "setWakeup", set_wakeup },         { "removeWakeup", remove_wakeup },
    { "getLastPolled", get_last_polled }, { "makeRepeater", make_repeater },
    { "deleteRepeater", delete_repeater }, { "schedule", schedule },
    { NULL, NULL },
};

const struct slots_ops timer_device = { root, build, reload, stop };

/* -- polling ------------------------------------------------------------------------------------------ */

static bool wake_one(struct device *dev, natural time, const struct wake *w, const char **why)
{
    struct timer *t = dev->memory;
    struct arena *a = kernel_arena(dev->k);
    const struct pass *when = jsvalue_bigint(a, time);
    if (!slots_send(dev, w->handler, "wake", 1, &when, why)) return false;
    if (!w->has_index) return true;
    const struct pass *index = pass_number(a, w->index);
    const struct repeater *r = repeater_at(a, t, index);
    natural next;
    if (r == NULL) return true;
    *why = "a repeater without an interval";
    if (!next_time(t, r, &next)) return false;
    deadline_add(t, next, wake_of(w->handler, index));
    return true;
}

/* Deadlines that have passed are taken out first: a wake that throws loses those behind it. */
static bool wake_passed(struct device *dev, natural now, bool *woke, const char **why)
{
    struct timer *t = dev->memory;
    size_t count = 0;
    while (count < t->deadline_count && t->deadlines[count].time <= now) count++;
    if (count == 0) return true;
    struct deadline *passed = xcalloc(count, sizeof *passed);
    memcpy(passed, t->deadlines, count * sizeof *passed);
    deadlines_drop(t, 0, count);
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; ok && j < passed[i].count; j++) {
            ok = wake_one(dev, passed[i].time, &passed[i].wakes[j], why);
            *woke = *woke || ok;
        }
        deadline_free(&passed[i]);
    }
    free(passed);
    return ok;
}

static bool poll(struct device *dev, natural now, bool *woke, const char **why)
{
    struct timer *t = dev->memory;
    *why = "time cannot run backwards";
    if (now < t->last_polled) return false;
    t->last_polled = now;
    *why = "an array of repeaters with holes cannot be saved";
    if (!save(dev)) return false;
    if (!wake_passed(dev, now, woke, why)) return false;
    *why = "an array of repeaters with holes cannot be saved";
    return !*woke || save(dev);
}

int kernel_timer_poll(struct kernel *k, struct span device, uint64_t now, bool *woke, struct err *e)
{
    struct device *dev;
    const char *why = "";
    bool any = false;
    if (device_find(k, &timer_device, device, &dev, e) != 0) return -1;
    if (!poll(dev, (natural)now, &any, &why)) {
        return err_set(e, EXIT_FAILED, "timer device %.*s: %s", SPAN_ARG(dev->name), why);
    }
    *woke = any;
    return 0;
}
