#include "laws.h"

#include <stdio.h>
#include <stdlib.h>

#define breach(w, ...)                              \
    do {                                            \
        buf_printf(&(w)->breaches, __VA_ARGS__);    \
        buf_putc(&(w)->breaches, '\n');             \
    } while (0)

/* What a scripted vat sends has this in its body, as JSON keeps it. */
static const char sent[] = "#[\\\"hi\\\"";

/* -- looking ------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t h, struct span bytes)
{
    for (size_t i = 0; i < bytes.n; i++) h = (h ^ (unsigned char)bytes.p[i]) * UINT64_C(1099511628211);
    return (h ^ 0x100) * UINT64_C(1099511628211);
}

static int by_name(const void *a, const void *b)
{
    const kref *x = a, *y = b;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    return x->n < y->n ? -1 : x->n > y->n;
}

static bool holds(const kref *all, size_t count, kref r)
{
    return count > 0 && bsearch(&r, all, count, sizeof r, by_name) != NULL;
}

static void add(kref **all, size_t *count, size_t *room, kref r)
{
    if (*count == *room) {
        *room = *room == 0 ? 16 : *room * 2;
        *all = realloc(*all, *room * sizeof **all);
        assert_non_null(*all);
    }
    (*all)[(*count)++] = r;
}

static unsigned occurrences(struct span text, const char *what)
{
    unsigned count = 0;
    size_t n = strlen(what);
    for (const char *p = text.p, *end = text.p + text.n; (p = memmem(p, (size_t)(end - p), what, n)) != NULL; p += n) count++;
    return count;
}

/* "v7.c.o+3": 7 and "c.o+3". */
static uint32_t vat_of_key(struct span key, struct span *rest)
{
    uint32_t n = 0;
    size_t i = 1;
    for (; i < key.n && key.p[i] >= '0' && key.p[i] <= '9'; i++) n = n * 10 + (uint32_t)(key.p[i] - '0');
    if (i == 1 || i == key.n || key.p[i] != '.') return 0;
    *rest = span_from(key, i + 1);
    return n;
}

static void look_at_keys(struct laws_view *v, struct world *w)
{
    struct span key = SPAN("v"), rest, value;
    while (kv_next_key(w->store, key, &key) && key.p[0] == 'v') {
        uint32_t n = vat_of_key(key, &rest);
        if (n == 0 || span_starts(rest, SPAN("vs.plan.")) || !kv_get(w->store, key, &value)) continue;
        assert_true(n < LAWS_VATS_MAX);
        struct laws_vat *vat = &v->vats[n];
        kref r;
        vat->rows = mix(mix(vat->rows, rest), value);
        bool by_vref = span_starts(rest, SPAN("c.")) && rest.n > 3 && (rest.p[3] == '+' || rest.p[3] == '-');
        if (by_vref && kref_parse(value, &r)) add(&vat->has, &vat->count, &vat->room, r);
    }
}

static void look_at_vat(struct laws_vat *v, struct world *w, vat_id vat)
{
    struct transcript_bounds t;
    struct snapshot_info s;
    struct span name = span_of_vat(w->kernel, vat);
    v->alive = alive(w, vat);
    v->position = 0;
    v->current = vat_is_sealed(w->kernel, vat);
    bool snapshot = snapshot_info(w->store, name, &s);
    if (snapshot) v->rows = mix(v->rows, span_of(s.hash));
    if (transcript_bounds(w->store, name, &t)) {
        v->position = t.end;
        v->rows = mix(v->rows, arena_printf(kernel_arena(w->kernel), "%llu %llu %llu", (unsigned long long)t.start,
                                            (unsigned long long)t.end, (unsigned long long)t.incarnation));
        v->current = v->current || (snapshot && t.end - t.start <= 1);
    }
    if (v->count > 0) qsort(v->has, v->count, sizeof *v->has, by_name);
}

static uint64_t waiting(struct world *w)
{
    struct kernel *k = w->kernel;
    uint64_t count = 0;
    for (enum queue q = QUEUE_ACCEPTANCE; q <= QUEUE_RUN; q++) {
        for (uint64_t i = queue_length(k, q); i-- > 0;) count += occurrences(queue_peek(k, q, i), sent);
    }
    struct span key = SPAN("kp"), value;
    while (kv_next_key(w->store, key, &key) && span_starts(key, SPAN("kp"))) {
        if (memmem(key.p, key.n, ".queue.", 7) != NULL && kv_get(w->store, key, &value)) count += occurrences(value, sent);
    }
    return count;
}

static void ends_of_queue(struct world *w, const char *name, uint64_t *head, uint64_t *tail)
{
    unsigned long long h, t;
    int got = sscanf(key_text(w, "%s", name), "[%llu,%llu]", &h, &t);
    assert_int_equal(got, 2);
    *head = h;
    *tail = t;
}

static void look(struct laws_view *v, struct world *w)
{
    uint64_t unused;
    for (uint32_t n = 0; n < LAWS_VATS_MAX; n++) {
        v->vats[n].rows = UINT64_C(14695981039346656037);
        v->vats[n].count = 0;
    }
    look_at_keys(v, w);
    uint64_t next = state_need_u64(w->kernel, SPAN("vat.nextID"));
    assert_true(next <= LAWS_VATS_MAX);
    for (uint32_t n = 1; n < next; n++) look_at_vat(&v->vats[n], w, (vat_id){ n });
    v->objects = state_need_u64(w->kernel, SPAN("ko.nextID"));
    v->promises = state_need_u64(w->kernel, SPAN("kp.nextID"));
    v->messages = waiting(w);
    ends_of_queue(w, "acceptanceQueue", &unused, &v->accepted);
    ends_of_queue(w, "runQueue", &v->run_head, &unused);
}

/* -- what the next crank may need to know ---------------------------------------------------------- */

static void put_subscribers(struct world *w, kref p, vat_id but, struct buf *out)
{
    struct strings all = promise_subscribers(w->kernel, p);
    for (size_t i = 0; i < all.count; i++) {
        if (!span_is(all.items[i], vat_id_text(but).s)) buf_printf(out, " %.*s", SPAN_ARG(all.items[i]));
    }
}

/* All that is known of the promises before `end`; one vat's waiting is passed over. */
static void put_promises(struct world *w, uint64_t end, vat_id but, struct buf *out)
{
    buf_reset(out);
    for (uint64_t n = 40; n < end; n++) {
        kref p = { KREF_PROMISE, n };
        vat_id decider = { 0 };
        struct span text;
        struct capdata data;
        enum promise_state state = promise_state(w->kernel, p);
        if (state == PROMISE_UNKNOWN) continue;
        buf_printf(out, "kp%llu %d", (unsigned long long)n, (int)state);
        if (state == PROMISE_UNRESOLVED) {
            promise_decider(w->kernel, p, &decider);
            buf_printf(out, " decided by v%u, awaited by", decider.n);
            put_subscribers(w, p, but, out);
            for (uint64_t i = 0; promise_queued(w->kernel, p, i, &text); i++) buf_printf(out, " %.*s", SPAN_ARG(text));
        } else {
            promise_data(w->kernel, p, &data);
            buf_printf(out, " %.*s", SPAN_ARG(data.body));
        }
        buf_putc(out, '\n');
    }
}

static void tell_slots(struct laws *l, const struct capdata *data)
{
    for (size_t i = 0; i < data->count; i++) add(&l->told, &l->told_count, &l->told_room, data->slots[i]);
}

/* A promise, what its data names, and so on. */
static void tell_promise(struct laws *l, struct world *w, kref p)
{
    add(&l->told, &l->told_count, &l->told_room, p);
    for (size_t at = l->told_count - 1; at < l->told_count; at++) {
        kref r = l->told[at];
        struct capdata data;
        size_t seen = 0;
        while (!kref_eq(l->told[seen], r)) seen++;
        enum promise_state state = r.kind == KREF_PROMISE ? promise_state(w->kernel, r) : PROMISE_UNKNOWN;
        if (seen < at || state == PROMISE_UNKNOWN || state == PROMISE_UNRESOLVED) continue;
        promise_data(w->kernel, r, &data);
        tell_slots(l, &data);
    }
}

static struct jval parsed(struct world *w, struct span text)
{
    struct jval v;
    struct err e;
    struct arena *a = kernel_arena(w->kernel);
    int failed = json_parse(a, arena_copy(a, text), &v, &e);
    assert_int_equal(failed, 0);
    return v;
}

static bool is_type(struct jval event, const char *type)
{
    return json_is(json_get(event, "type"), type);
}

static vat_id vat_in(struct world *w, struct jval event, const char *member)
{
    vat_id vat = { 0 };
    vat_id_parse(json_str(json_get(event, member), kernel_arena(w->kernel)), &vat);
    return vat;
}

static void look_ahead(struct laws *l, struct world *w)
{
    kref p;
    l->told_count = 0;
    buf_reset(&l->before.known);
    if (queue_length(w->kernel, QUEUE_RUN) == 0) return;
    struct jval next = parsed(w, queue_peek(w->kernel, QUEUE_RUN, 0));
    if (is_type(next, "notify") && kref_parse(json_str(json_get(next, "kpid"), kernel_arena(w->kernel)), &p)) {
        tell_promise(l, w, p);
    } else if (is_type(next, "fork-vat")) {
        put_promises(w, l->before.promises, (vat_id){ 0 }, &l->before.known);
    }
}

/* -- the crank ---------------------------------------------------------------------------------------- */

struct crank {
    struct laws *l;
    struct world *w;
    const struct laws_view *before, *after;
    struct jval event;
    bool forking;
    vat_id vat, parent; /* the event's; of a message: who it was delivered to */
};

static bool is_own(const struct crank *c, uint32_t n)
{
    return n == c->vat.n || (c->forking && n == c->parent.n);
}

/* A message's vat is known by its transcript, which grew. */
static void find_vat(struct crank *c)
{
    if (!is_type(c->event, "send")) {
        c->vat = vat_in(c->w, c->event, "vatID");
        c->parent = vat_in(c->w, c->event, "parentVatID");
        return;
    }
    for (uint32_t n = 1; n < LAWS_VATS_MAX; n++) {
        if (c->after->vats[n].position == c->before->vats[n].position || !c->after->vats[n].alive) continue;
        if (c->vat.n != 0) breach(c->w, "isolation: a message went to v%u and to v%u", c->vat.n, n);
        c->vat.n = n;
    }
}

static void check_isolation(struct crank *c)
{
    for (uint32_t n = 1; n < LAWS_VATS_MAX; n++) {
        const struct laws_vat *was = &c->before->vats[n], *is = &c->after->vats[n];
        if (was->rows == is->rows || !is->alive) continue; /* the dead decay */
        if (!is_own(c, n)) breach(c->w, "isolation: a crank of v%u changed v%u", c->vat.n, n);
        if (c->forking && n == c->parent.n && was->current) {
            breach(c->w, "isolation: a fork of v%u, whose snapshot was current, changed it", n);
        }
    }
}

static void list_given(struct crank *c)
{
    struct arena *a = kernel_arena(c->w->kernel);
    struct message m;
    struct capdata parameters;
    kref target;
    struct laws *l = c->l;
    if (!is_type(c->event, "notify")) l->told_count = 0;
    if (is_type(c->event, "send") && message_decode(a, json_get(c->event, "msg"), &m)) {
        tell_slots(l, &m.methargs);
        add(&l->told, &l->told_count, &l->told_room, m.result);
        if (kref_parse(json_str(json_get(c->event, "target"), a), &target)) add(&l->told, &l->told_count, &l->told_room, target);
    }
    if (capdata_decode(a, json_get(c->event, "vatParameters"), &parameters)) tell_slots(l, &parameters);
    if (l->told_count > 0) qsort(l->told, l->told_count, sizeof *l->told, by_name);
}

static bool owns(struct crank *c, vat_id vat, kref o)
{
    vat_id owner;
    return object_recorded_owner(c->w->kernel, o, &owner) && vat_id_eq(owner, vat);
}

static bool decides(struct crank *c, vat_id vat, kref p)
{
    vat_id decider;
    return promise_decider(c->w->kernel, p, &decider) && vat_id_eq(decider, vat);
}

static bool is_fresh(const struct crank *c, kref r)
{
    return (r.kind == KREF_OBJECT && r.n >= c->before->objects) || (r.kind == KREF_PROMISE && r.n >= c->before->promises);
}

static bool may_child_have(struct crank *c, kref r)
{
    const struct laws_vat *parent = &c->after->vats[c->parent.n];
    if (holds(parent->has, parent->count, r)) {
        return r.kind == KREF_OBJECT    ? !owns(c, c->parent, r) && !owns(c, c->vat, r)
               : r.kind == KREF_PROMISE ? !decides(c, c->parent, r) && !decides(c, c->vat, r)
                                        : true;
    }
    return is_fresh(c, r) && (r.kind == KREF_OBJECT ? owns(c, c->vat, r) : decides(c, c->vat, r));
}

static bool may_have(struct crank *c, vat_id vat, kref r)
{
    if (c->forking && vat_id_eq(vat, c->vat)) return may_child_have(c, r);
    if (is_fresh(c, r)) return r.kind == KREF_PROMISE || owns(c, vat, r);
    if (r.kind == KREF_DEVICE && vat_id_eq(vat, c->w->boot)) return true; /* what a device answers */
    return holds(c->l->told, c->l->told_count, r);
}

static void check_authority(struct crank *c)
{
    list_given(c);
    for (uint32_t n = 1; n < LAWS_VATS_MAX; n++) {
        const struct laws_vat *was = &c->before->vats[n], *is = &c->after->vats[n];
        for (size_t i = 0; i < is->count; i++) {
            if (holds(was->has, was->count, is->has[i]) || may_have(c, (vat_id){ n }, is->has[i])) continue;
            breach(c->w, "authority: v%u got %s from nobody", n, kref_text(is->has[i]).s);
        }
    }
}

/* -- forks --------------------------------------------------------------------------------------------------- */

/* The child whole: every name its parent has it has, as reachable; and every key. */
static void check_child(struct crank *c)
{
    struct kernel *k = c->w->kernel;
    struct clist_walk walk = { 0 };
    struct clist_row mine, theirs;
    if (c->after->vats[c->vat.n].count != c->after->vats[c->parent.n].count) {
        breach(c->w, "fork: v%u has not as many names as v%u", c->vat.n, c->parent.n);
    }
    while (clist_next(k, c->parent, "", &walk)) {
        const char *name = arena_copy(kernel_arena(k), walk.vref).p;
        kref r = meant(c->w, c->vat, name);
        if (r.kind != walk.r.kind || !clist_row(k, c->vat, r, &mine) || !clist_row(k, c->parent, walk.r, &theirs) ||
            mine.reachable != theirs.reachable) {
            breach(c->w, "fork: v%u has not the %s of v%u", c->vat.n, name, c->parent.n);
        }
    }
    char of_child[16], of_parent[16];
    struct buf b = { 0 }, p = { 0 };
    snprintf(of_child, sizeof of_child, "v%u.vs.", c->vat.n);
    snprintf(of_parent, sizeof of_parent, "v%u.vs.", c->parent.n);
    world_dump_keys(c->w, of_child, &b);
    world_dump_keys(c->w, of_parent, &p);
    if (occurrences(buf_span(&b), of_child) != occurrences(buf_span(&p), of_parent) ||
        b.n - strlen(of_child) * occurrences(buf_span(&b), of_child) !=
            p.n - strlen(of_parent) * occurrences(buf_span(&p), of_parent)) {
        breach(c->w, "fork: the vatstore of v%u is not that of v%u", c->vat.n, c->parent.n);
    }
    buf_fini(&b);
    buf_fini(&p);
}

static void check_promises(struct crank *c)
{
    struct buf now = { 0 };
    struct span text;
    put_promises(c->w, c->before->promises, c->vat, &now);
    if (!span_eq(buf_span(&now), buf_span(&c->before->known))) {
        breach(c->w, "promises: a fork changed what was\n%.*sto\n%.*s", SPAN_ARG(buf_span(&c->before->known)),
               SPAN_ARG(buf_span(&now)));
    }
    buf_fini(&now);
    for (uint64_t n = c->before->promises; n < c->after->promises; n++) {
        kref p = { KREF_PROMISE, n };
        vat_id decider;
        if (promise_state(c->w->kernel, p) == PROMISE_UNKNOWN) continue;
        bool foreign = promise_decider(c->w->kernel, p, &decider) && !vat_id_eq(decider, c->vat);
        if (foreign || promise_queued(c->w->kernel, p, 0, &text)) breach(c->w, "promises: the fork made a strange %s", kref_text(p).s);
    }
}

/* Who asked is told of nothing but the child's. */
static void check_answer(struct crank *c)
{
    struct kernel *k = c->w->kernel;
    struct message m;
    uint64_t fresh = c->after->accepted - c->before->accepted, length = queue_length(k, QUEUE_ACCEPTANCE);
    assert_true(fresh <= length);
    for (uint64_t i = length - fresh; i < length; i++) {
        struct jval event = parsed(c->w, queue_peek(k, QUEUE_ACCEPTANCE, i));
        if (!is_type(event, "send") || !message_decode(kernel_arena(k), json_get(event, "msg"), &m)) continue;
        for (size_t j = 0; j < m.methargs.count; j++) {
            if (!owns(c, c->vat, m.methargs.slots[j])) {
                breach(c->w, "authority: the fork hands out %s", kref_text(m.methargs.slots[j]).s);
            }
        }
    }
}

static void check_fork(struct crank *c)
{
    bool made = c->after->vats[c->vat.n].alive;
    c->l->forks += made;
    check_promises(c);
    check_answer(c);
    if (made) check_child(c);
    else if (c->after->vats[c->vat.n].rows != c->before->vats[c->vat.n].rows) breach(c->w, "fork: half of v%u", c->vat.n);
}

/* -- messages --------------------------------------------------------------------------------------------------- */

static bool count_sends(void *ctx, uint64_t position, struct span item)
{
    struct crank *c = ((void **)ctx)[0];
    uint64_t *count = ((void **)ctx)[1];
    (void)position;
    *count += occurrences(json_raw(json_get(parsed(c->w, item), "sc")), sent);
    return true;
}

static uint64_t sends(struct crank *c)
{
    uint64_t count = 0;
    void *ctx[] = { c, &count };
    for (uint32_t n = 1; n < LAWS_VATS_MAX; n++) {
        uint64_t from = c->before->vats[n].position, to = c->after->vats[n].position;
        if (to <= from || !is_own(c, n) || (c->forking && n == c->vat.n)) continue;
        transcript_read(c->w->store, span_of_vat(c->w->kernel, (vat_id){ n }), from, to, count_sends, ctx);
    }
    return count;
}

static bool is_settled_or_none(struct crank *c)
{
    struct message m;
    if (!message_decode(kernel_arena(c->w->kernel), json_get(c->event, "msg"), &m)) return false;
    return m.result.kind == KREF_INVALID || promise_state(c->w->kernel, m.result) != PROMISE_UNRESOLVED;
}

static void check_messages(struct crank *c)
{
    bool dead = c->vat.n != 0 && !c->after->vats[c->vat.n].alive; /* its transcript may be gone */
    uint64_t expected = c->before->messages + sends(c);
    if (c->after->messages == expected || dead) return;
    bool ours = occurrences(buf_span(&c->w->event), sent) == 1 && is_type(c->event, "send");
    if (!ours || c->after->messages + 1 != expected) {
        breach(c->w, "messages: %llu are waiting, there should be %llu", (unsigned long long)c->after->messages,
               (unsigned long long)expected);
    } else if (c->vat.n == 0 && !is_settled_or_none(c)) {
        breach(c->w, "messages: one was neither delivered nor rejected");
    }
}

/* -- all of them --------------------------------------------------------------------------------------------------- */

void laws_watch(struct laws *l, struct world *w)
{
    look(&l->before, w);
    look_ahead(l, w);
}

bool laws_check(struct laws *l, struct world *w)
{
    struct crank c = { .l = l, .w = w, .before = &l->before, .after = &l->after };
    size_t breaches = w->breaches.n;
    look(&l->after, w);
    c.event = parsed(w, buf_span(&w->event));
    c.forking = is_type(c.event, "fork-vat") && l->after.run_head != l->before.run_head;
    find_vat(&c);
    check_isolation(&c);
    check_authority(&c);
    check_messages(&c);
    if (c.forking) check_fork(&c);
    if (w->breaches.n > breaches) buf_printf(&w->breaches, "in the crank of %.*s\n", SPAN_ARG(buf_span(&w->event)));
    struct laws_view last = l->before;
    l->before = l->after;
    l->after = last;
    l->cranks++;
    look_ahead(l, w);
    return w->breaches.n == breaches;
}

static void view_fini(struct laws_view *v)
{
    for (uint32_t n = 0; n < LAWS_VATS_MAX; n++) free(v->vats[n].has);
    buf_fini(&v->known);
}

void laws_fini(struct laws *l)
{
    view_fini(&l->before);
    view_fini(&l->after);
    free(l->told);
    *l = (struct laws){ 0 };
}
