#include "kernel/devices/slots.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "kernel/devices/jsvalue.h"
#include "kernel/marshal_js.h"
#include "kernel/queue.h"

enum { FIRST_IMPORT = 10, ERROR_ID_START = 50000 }; /* deviceKeeper.js, deviceSlots.js */

struct exported {
    const struct pass *value;
    const struct slots_methods *methods;
    void *self;
};

struct slots {
    struct marshal_names names;
    uint64_t error_count;
    const struct pass **imports; /* "o-10" first; NULL: not met in this process */
    size_t import_count;
    struct exported *exports; /* "d+0" first */
    size_t export_count;
};

bool slots_fail(struct slots_call *c, const char *why)
{
    c->why = why;
    return false;
}

const struct pass *slots_arg(const struct slots_call *c, size_t at)
{
    return at < c->count ? c->args[at] : pass_undefined(c->a);
}

/* -- slots and values ------------------------------------------------------------------- */

static bool slot_number(vref name, uint64_t *out)
{
    return span_u64(span_from(name.text, 2), out);
}

static const struct exported *exported_at(const struct slots *s, vref name)
{
    uint64_t n;
    if (name.kind != KREF_DEVICE || !name.vat_allocated || !slot_number(name, &n)) return NULL;
    return n < s->export_count ? &s->exports[n] : NULL;
}

/* An interface as Remotable() takes it. */
static bool is_interface(struct span iface)
{
    return span_is(iface, "Remotable") || span_starts(iface, SPAN("Alleged: ")) ||
           span_starts(iface, SPAN("DebugName: "));
}

static const struct pass *new_remotable(struct arena *a, struct span slot, struct span iface)
{
    struct pass *p = pass_new(a, PASS_REMOTABLE, arena_copy(a, slot));
    p->boolean = !span_starts(iface, SPAN("Alleged: "));
    p->key = arena_copy(a, p->boolean ? iface : span_from(iface, 9));
    return p;
}

/* Where the value of "o-N" is kept; NULL if the c-list cannot have it. */
static const struct pass **import_at(struct device *dev, uint64_t n)
{
    struct slots *s = dev->slots;
    if (n < FIRST_IMPORT) return NULL;
    size_t at = (size_t)(n - FIRST_IMPORT);
    if (at < s->import_count) return &s->imports[at];
    if (n >= state_need_u64(dev->k, key_device(dev->k, dev->id, "o.nextID", SPAN("")))) return NULL;
    size_t count = at + 1 + s->import_count / 2;
    s->imports = xrealloc(s->imports, count * sizeof *s->imports);
    memset(s->imports + s->import_count, 0, (count - s->import_count) * sizeof *s->imports);
    s->import_count = count;
    return &s->imports[at];
}

/* Seen first without an interface, an object is none that can be passed, ever after. */
static const struct pass not_passable = { .style = PASS_UNDEFINED };

static const struct pass *import_value(struct device *dev, uint64_t n, struct span slot,
                                       struct span iface, const char **why)
{
    const struct pass **at = import_at(dev, n);
    if (at == NULL) {
        *why = "an object that the device was never given";
        return NULL;
    }
    if (*at == NULL && iface.p == NULL) *at = &not_passable;
    if (*at == NULL && is_interface(iface)) *at = new_remotable(&dev->arena, slot, iface);
    if (*at != NULL && *at != &not_passable) return *at;
    *why = "an object without a proper interface";
    return NULL;
}

/* convertSlotToVal() */
static const struct pass *value_of_slot(void *self, struct span slot, struct span iface,
                                        const char **why)
{
    struct device *dev = self;
    vref name;
    uint64_t n;
    if (vref_parse(slot, &name)) {
        const struct exported *x = exported_at(dev->slots, name);
        if (x != NULL) return x->value;
        if (name.kind == KREF_OBJECT && !name.vat_allocated && slot_number(name, &n)) {
            return import_value(dev, n, slot, iface, why);
        }
    }
    *why = "a device can be given objects of vats, and nodes of its own, only";
    return NULL;
}

const struct pass *slots_export(struct device *dev, const char *iface,
                                const struct slots_methods *methods, void *self)
{
    struct slots *s = dev->slots;
    struct pass *p = pass_new(&dev->arena, PASS_REMOTABLE, SPAN_NONE);
    p->text = arena_printf(&dev->arena, "d+%zu", s->export_count);
    p->key = span_of(iface);
    s->exports = xrealloc(s->exports, (s->export_count + 1) * sizeof *s->exports);
    s->exports[s->export_count++] = (struct exported){ p, methods, self };
    return p;
}

/* -- state ---------------------------------------------------------------------------------- */

static struct span state_key(struct device *dev)
{
    return key_device(dev->k, dev->id, "deviceState", SPAN(""));
}

bool slots_state(struct device *dev, const struct pass **out, const char **why)
{
    struct arena *a = kernel_arena(dev->k);
    struct vat_capdata data;
    *out = NULL;
    if (!state_has(dev->k, state_key(dev))) return true;
    *why = "the state is not capdata";
    return vat_capdata_decode(a, state_json(dev->k, state_key(dev)), &data) &&
           marshal_decode_as(a, &data, &dev->slots->names, out, why);
}

void slots_set_state(struct device *dev, const struct pass *state)
{
    struct arena *a = kernel_arena(dev->k);
    struct vat_capdata data;
    struct buf b = { 0 };
    marshal_encode_as(a, state, &dev->slots->names, &data);
    vat_capdata_put(&b, &data);
    kv_set(dev->k->store, state_key(dev), buf_span(&b));
    buf_fini(&b);
}

/* -- sending ------------------------------------------------------------------------------------ */

static bool to_kernel(struct device *dev, const struct vat_capdata *data, struct capdata *out)
{
    *out = (struct capdata){ .body = data->body, .count = data->count };
    out->slots = ARENA_ARRAY(kernel_arena(dev->k), kref, data->count + 1);
    for (size_t i = 0; i < data->count; i++) {
        if (!device_kref(dev->k, dev->id, data->slots[i], &out->slots[i])) return false;
    }
    return true;
}

bool slots_send(struct device *dev, const struct pass *target, const char *method, size_t count,
                const struct pass *const *args, const char **why)
{
    struct kernel *k = dev->k;
    struct arena *a = kernel_arena(k);
    struct vat_capdata data;
    struct message m = { 0 };
    vref name;
    kref to;
    *why = "the handler is no object of a vat";
    if (target->style != PASS_REMOTABLE || !vref_parse(target->text, &name) ||
        name.kind != KREF_OBJECT) {
        return false;
    }
    const struct pass *both[] = { pass_string(a, span_of(method)), pass_array(a, count, args) };
    marshal_encode_as(a, pass_array(a, 2, both), &dev->slots->names, &data);
    *why = "a name is not in the device's c-list";
    if (!device_kref(k, dev->id, target->text, &to) || !to_kernel(dev, &data, &m.methargs)) return false;
    stats_inc(&k->stats, STAT_SYSCALLS);
    stats_inc(&k->stats, STAT_SYSCALL_SEND);
    queue_send(k, to, &m);
    return true;
}

/* -- what every node can do ------------------------------------------------------------------------ */

static int by_text(const void *x, const void *y)
{
    const char *const *a = x, *const *b = y;
    return strcmp(*a, *b);
}

/* Far() adds this one. */
#define GET_METHOD_NAMES "__getMethodNames__"

static bool method_names(struct slots_call *c)
{
    size_t n = 0, used = 0;
    while (c->methods[n].name != NULL) n++;
    const char **names = ARENA_ARRAY(c->a, const char *, n + 1);
    const struct pass **items = ARENA_ARRAY(c->a, const struct pass *, n + 1);
    names[used++] = GET_METHOD_NAMES;
    for (size_t i = 0; i < n; i++) names[used++] = c->methods[i].name;
    qsort(names, used, sizeof *names, by_text);
    for (size_t i = 0; i < used; i++) items[i] = pass_string(c->a, span_of(names[i]));
    c->result = pass_array(c->a, used, items);
    return true;
}

static bool to_string(struct slots_call *c)
{
    struct span text;
    bool ok = jsvalue_text(c->a, c->node, &text);
    INVARIANT(ok);
    c->result = pass_string(c->a, text);
    return true;
}

static bool value_of(struct slots_call *c)
{
    c->result = c->node;
    return true;
}

/* Object.prototype's, so far as they come to something for a vat. */
static const struct slots_methods inherited[] = {
    { GET_METHOD_NAMES, method_names }, { "toString", to_string }, { "toLocaleString", to_string },
    { "valueOf", value_of },            { NULL, NULL },
};

static slots_method *find_method(const struct slots_methods *methods, struct span name)
{
    for (; methods->name != NULL; methods++) {
        if (span_is(name, methods->name)) return methods->call;
    }
    return NULL;
}

/* A method that is not there is noticed before the arguments are looked at. */
bool slots_invoke(struct device *dev, struct span slot, struct span method,
                  const struct vat_capdata *args, struct vat_capdata *answer, const char **why)
{
    struct arena *a = kernel_arena(dev->k);
    const struct exported *x;
    const struct pass *given;
    vref name;
    if (!vref_parse(slot, &name) || (x = exported_at(dev->slots, name)) == NULL) {
        *why = "unknown device node";
        return false;
    }
    slots_method *call = find_method(x->methods, method);
    if (call == NULL) call = find_method(inherited, method);
    if (call == NULL) {
        *why = "no such method";
        return false;
    }
    if (!marshal_decode_as(a, args, &dev->slots->names, &given, why)) return false;
    if (given->style != PASS_ARRAY) {
        *why = "arguments are not an array";
        return false;
    }
    struct slots_call c = { .dev = dev, .a = a, .self = x->self, .methods = x->methods,
                            .node = x->value, .count = given->count, .args = given->items,
                            .result = pass_undefined(a), .why = "" };
    if (!call(&c)) {
        *why = c.why;
        return false;
    }
    marshal_encode_as(a, c.result, &dev->slots->names, answer);
    return true;
}

/* -- life ------------------------------------------------------------------------------------------- */

int slots_start(struct device *dev, const struct slots_ops *ops, struct jval parameters,
                struct err *e)
{
    const char *why = "";
    struct slots *s = dev->slots = xcalloc(1, sizeof *s);
    s->error_count = ERROR_ID_START;
    s->names = (struct marshal_names){ .self = dev, .value = value_of_slot, .error_count = &s->error_count };
    s->names.marshal_name = arena_printf(&dev->arena, "device:%.*s", SPAN_ARG(dev->name));
    slots_export(dev, "root", ops->root, NULL);
    if (ops->build(dev, parameters, &why)) return 0;
    return err_set(e, EXIT_INTEGRITY, "device %.*s (%s) cannot be started: %s", SPAN_ARG(dev->name),
                   device_id_text(dev->id).s, why);
}

void slots_stop(struct device *dev, const struct slots_ops *ops)
{
    if (dev->slots == NULL) return;
    if (ops->stop != NULL) ops->stop(dev);
    free(dev->slots->imports);
    free(dev->slots->exports);
    free(dev->slots);
    dev->slots = NULL;
}

void slots_rolled_back(struct device *dev, const struct slots_ops *ops)
{
    struct slots *s = dev->slots;
    const char *why = "";
    uint64_t next = state_need_u64(dev->k, key_device(dev->k, dev->id, "o.nextID", SPAN("")));
    INVARIANT(next >= FIRST_IMPORT);
    if (next - FIRST_IMPORT < s->import_count) s->import_count = (size_t)(next - FIRST_IMPORT);
    if (ops->reload == NULL) return;
    bool ok = ops->reload(dev, &why);
    INVARIANT(ok);
}
