/* A model of forks, promises and queues, and every short history of it beside the real kernel.
 *
 *   test_fork_model [DEPTH]
 *
 * The scope: a vat P that can be forked, another, Q, and P's fork C; a promise that P makes and
 * one that Q makes, the results of messages, three messages at most; one fork, strict or sharing,
 * asked for at any point.  A step is something a vat does (hands its promise to the other, calls
 * a promise, waits for one, settles one), the request for the fork, or one event of the run queue.
 *
 * The model is written from the specification (fork.md, and upstream's rules for promises), and
 * shares nothing with the kernel.  After every step of every history the two are laid side by
 * side: who has which promise in its c-list, and nothing else there; who decides; who waits; what
 * is queued, where, in which order; what was delivered to whom; whether there is a child, and
 * otherwise no row of one.  The real store is audited after each crank, and the laws kept (laws.h).
 *
 * Histories of DEPTH steps begin with nothing, and again with both promises handed over.  They
 * are a tree: each branch is a process of its own, forked off with the kernel and its store in
 * memory as they are.  From a state of the model that was met before, with as many steps to go,
 * nothing is tried again; in every eighth the kernel is started anew.  A history that fails is
 * printed. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "laws.h"

/* In the order of their IDs, in which subscribers are told. */
enum { Q, P, C, VATS, NOBODY = VATS };
static const char *const vat_names[] = { "Q", "P", "C" };

enum { PROMISES_MAX = 12, MESSAGES_MAX = 3, EVENTS_MAX = 40, STEPS_MAX = 32, NONE = 255 };

/* -- the model ----------------------------------------------------------------------------- */

enum state { OPEN, DATA, OBJECT };

struct promise {
    uint8_t state, object_of, decider;
    uint8_t waiting, has, asked; /* sets of vats: subscribers, c-lists, who ever subscribed */
    uint8_t queue[MESSAGES_MAX], queued;
};

struct message_sent {
    uint8_t to_vat, to_promise, slot, result;
};

enum what { A_MESSAGE, A_NOTIFY, A_FORK };

struct event {
    uint8_t what, vat, message, promise;
};

struct model {
    struct promise promises[PROMISES_MAX];
    struct message_sent messages[MESSAGES_MAX];
    struct event accepted[EVENTS_MAX], run[EVENTS_MAX];
    uint8_t promise_count, message_count, accepted_count, run_count;
    uint8_t delivered[VATS], notified[VATS];
    uint8_t handed;     /* a set of vats */
    uint8_t fork;       /* 0: not asked for, 1: queued, 2: done, 3: refused */
    uint8_t share;
    uint8_t copy_of[PROMISES_MAX]; /* NONE, or the parent's */
};

static uint8_t new_promise(struct model *m, uint8_t decider, uint8_t has)
{
    INVARIANT(m->promise_count < PROMISES_MAX);
    m->promises[m->promise_count] = (struct promise){ .decider = decider, .has = has };
    m->copy_of[m->promise_count] = NONE;
    return m->promise_count++;
}

static void put(struct event *list, uint8_t *count, struct event e)
{
    INVARIANT(*count < EVENTS_MAX);
    list[(*count)++] = e;
}

static struct event take(struct event *list, uint8_t *count)
{
    struct event first = list[0];
    memmove(list, list + 1, --*count * sizeof *list);
    list[*count] = (struct event){ 0 };
    return first;
}

static void settle(struct model *m, uint8_t p, uint8_t state, uint8_t object_of)
{
    struct promise *x = &m->promises[p];
    for (uint8_t v = 0; v < VATS; v++) {
        if (x->waiting & 1 << v) put(m->accepted, &m->accepted_count, (struct event){ A_NOTIFY, v, 0, p });
    }
    for (uint8_t i = 0; i < x->queued; i++) put(m->accepted, &m->accepted_count, (struct event){ A_MESSAGE, 0, x->queue[i], 0 });
    memset(x->queue, 0, sizeof x->queue);
    x->queued = x->waiting = 0;
    x->state = state;
    x->object_of = object_of;
    x->decider = NOBODY;
}

static void route(struct model *m, uint8_t message)
{
    struct message_sent *s = &m->messages[message];
    struct promise *x = s->to_promise == NONE ? NULL : &m->promises[s->to_promise];
    if (x == NULL || x->state == OBJECT) {
        uint8_t vat = x == NULL ? s->to_vat : x->object_of;
        put(m->run, &m->run_count, (struct event){ A_MESSAGE, vat, message, 0 });
    } else if (x->state == OPEN) {
        x->queue[x->queued++] = message;
    } else if (s->result != NONE) { /* data cannot be called */
        settle(m, s->result, DATA, 0);
    }
}

static void accept_all(struct model *m)
{
    while (m->accepted_count > 0) {
        struct event e = take(m->accepted, &m->accepted_count);
        if (e.what == A_MESSAGE) route(m, e.message);
        else put(m->run, &m->run_count, e);
    }
}

static bool has_any(const struct model *m, uint8_t vat)
{
    for (uint8_t i = 0; i < m->promise_count; i++) {
        if (m->promises[i].has & 1 << vat) return true;
    }
    return false;
}

/* The child has a name for every promise its parent has one for. */
static void do_fork(struct model *m)
{
    uint8_t count = m->promise_count;
    if (!m->share && has_any(m, P)) {
        m->fork = 3;
        return;
    }
    m->fork = 2;
    for (uint8_t i = 0; i < count; i++) {
        struct promise *x = &m->promises[i];
        if (!(x->has & 1 << P)) continue;
        bool waits = x->waiting & 1 << P;
        if (x->state == OPEN && x->decider == P) {
            uint8_t copy = new_promise(m, C, 1 << C);
            m->copy_of[copy] = i;
            if (waits) m->promises[copy].waiting = 1 << C;
        } else {
            x->has |= 1 << C;
            if (waits) x->waiting |= 1 << C;
        }
    }
    for (uint8_t i = 0, n = m->run_count; i < n; i++) { /* told soon, as the parent */
        struct event e = m->run[i];
        if (e.what != A_NOTIFY || e.vat != P || !(m->promises[e.promise].has & 1 << C)) continue;
        put(m->accepted, &m->accepted_count, (struct event){ A_NOTIFY, C, 0, e.promise });
    }
    accept_all(m);
}

static void do_event(struct model *m)
{
    struct event e = take(m->run, &m->run_count);
    if (e.what == A_FORK) {
        do_fork(m);
    } else if (e.what == A_NOTIFY) {
        struct promise *x = &m->promises[e.promise];
        if (x->has & 1 << e.vat) m->notified[e.vat]++;
        x->has &= (uint8_t)~(1 << e.vat);
    } else {
        struct message_sent *s = &m->messages[e.message];
        if (s->slot != NONE) m->promises[s->slot].has |= (uint8_t)(1 << e.vat);
        if (s->result != NONE) {
            m->promises[s->result].decider = e.vat;
            m->promises[s->result].has |= (uint8_t)(1 << e.vat);
        }
        m->delivered[e.vat]++;
    }
}

static void send(struct model *m, uint8_t to_vat, uint8_t to_promise, uint8_t slot, uint8_t result)
{
    m->messages[m->message_count] = (struct message_sent){ to_vat, to_promise, slot, result };
    put(m->accepted, &m->accepted_count, (struct event){ A_MESSAGE, 0, m->message_count++, 0 });
    accept_all(m);
}

/* -- steps ----------------------------------------------------------------------------------- */

enum verb { RUNS, FORK_STRICT, FORK_SHARE, HANDS, CALLS, ASKS, SETTLES, BECOMES, VERBS };

struct step {
    uint8_t verb, vat, promise;
};

static bool exists(const struct model *m, uint8_t vat)
{
    return vat != C || m->fork == 2;
}

static bool makes_sense(const struct model *m, struct step s)
{
    const struct promise *x = &m->promises[s.promise];
    bool known = s.promise < m->promise_count && exists(m, s.vat) && (x->has & 1 << s.vat);
    bool decides = known && x->state == OPEN && x->decider == s.vat;
    switch ((enum verb)s.verb) {
    case RUNS: return m->run_count > 0;
    case FORK_STRICT: case FORK_SHARE: return m->fork == 0;
    case HANDS: return s.vat != C && !(m->handed & 1 << s.vat) && m->message_count < MESSAGES_MAX;
    case CALLS: return known && m->message_count < MESSAGES_MAX;
    case ASKS: return known && !(x->asked & 1 << s.vat);
    case SETTLES: case BECOMES: return decides;
    case VERBS:
    default: return false;
    }
}

static void apply(struct model *m, struct step s)
{
    struct promise *x = &m->promises[s.promise];
    switch ((enum verb)s.verb) {
    case RUNS: do_event(m); break;
    case FORK_STRICT: case FORK_SHARE:
        m->fork = 1;
        m->share = s.verb == FORK_SHARE;
        put(m->run, &m->run_count, (struct event){ A_FORK, P, 0, 0 });
        break;
    case HANDS:
        m->handed |= (uint8_t)(1 << s.vat);
        send(m, s.vat == P ? Q : P, NONE, new_promise(m, s.vat, (uint8_t)(1 << s.vat)), NONE);
        break;
    case CALLS: send(m, 0, s.promise, NONE, new_promise(m, NOBODY, (uint8_t)(1 << s.vat))); break;
    case ASKS:
        x->asked |= (uint8_t)(1 << s.vat);
        if (x->state == OPEN) x->waiting |= (uint8_t)(1 << s.vat);
        else put(m->run, &m->run_count, (struct event){ A_NOTIFY, s.vat, 0, s.promise });
        break;
    case SETTLES: case BECOMES:
        x->has &= (uint8_t)~(1 << s.vat);
        settle(m, s.promise, s.verb == SETTLES ? DATA : OBJECT, s.vat);
        accept_all(m);
        break;
    case VERBS:
    default: break;
    }
}

/* -- the real thing ------------------------------------------------------------------------------ */

struct real {
    struct world w;
    struct laws laws;
    vat_id vats[VATS];
    kref promises[PROMISES_MAX];
    uint64_t seen[VATS]; /* messages before the history began */
    struct step history[STEPS_MAX];
    unsigned steps;
};

static struct real real;

static void say_step(struct step s)
{
    static const char *const verbs[VERBS] = { "an event is run", "a strict fork is asked for", "a sharing fork is asked for",
                                              "hands its promise to the other", "calls", "waits for", "settles", "settles" };
    bool by_vat = s.verb >= HANDS, of_promise = s.verb >= CALLS;
    fprintf(stderr, "  %s%s%s", by_vat ? vat_names[s.vat] : "", by_vat ? " " : "", verbs[s.verb]);
    if (of_promise) fprintf(stderr, " promise %u", s.promise);
    fprintf(stderr, "%s\n", s.verb == BECOMES ? " to its root" : "");
}

static _Noreturn void differ(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "after\n");
    for (unsigned i = 0; i < real.steps; i++) say_step(real.history[i]);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n%.*s", SPAN_ARG(buf_span(&real.w.breaches)));
    va_end(ap);
    exit(2);
}

static void one_crank(void)
{
    int ran = world_step(&real.w);
    if (ran > 0 && !real.w.setup.no_audit && !laws_check(&real.laws, &real.w)) ran = -1;
    if (ran < 0) differ("%s", real.w.err.text);
}

static bool is_pending(const char *key)
{
    const char *text = key_text(&real.w, "%s", key);
    return text != NULL && strcmp(text, "[]") != 0;
}

/* What comes before any event of the run queue. */
static void come_to_events(void)
{
    while (queue_length(real.w.kernel, QUEUE_ACCEPTANCE) > 0 || is_pending("gcActions") || is_pending("reapQueue")) one_crank();
}

static const char *name_of(uint8_t vat, uint8_t promise)
{
    return name_for(&real.w, real.vats[vat], real.promises[promise]);
}

static void have_vat_do(uint8_t vat, const char *fmt, ...)
{
    char line[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    queue_poke(&real.w, real.vats[vat], line);
    come_to_events();
    if (!alive(&real.w, real.vats[vat])) differ("%s is dead", vat_names[vat]);
}

/* As vat-admin's device asks: what is refused is refused in the fork's own crank. */
static void ask_for_fork(bool share)
{
    struct fork_request r = { .vat = real.vats[P], .options = { .reap_interval = REAP_DEFAULT, .share = share } };
    real.vats[C] = fork_queue(real.w.kernel, &r, true);
    come_to_events();
}

/* `m` is the model before the step. */
static void do_real(const struct model *m, struct step s)
{
    kref root;
    switch ((enum verb)s.verb) {
    case RUNS:
        one_crank();
        come_to_events();
        break;
    case FORK_STRICT: case FORK_SHARE: ask_for_fork(s.verb == FORK_SHARE); break;
    case HANDS:
        root = root_of(&real.w, real.vats[s.vat == P ? Q : P]);
        have_vat_do(s.vat, "send %s p+7", name_for(&real.w, real.vats[s.vat], root));
        real.promises[m->promise_count] = meant(&real.w, real.vats[s.vat], "p+7");
        break;
    case CALLS: {
        char result[16];
        snprintf(result, sizeof result, "p+%u", 20u + m->message_count);
        have_vat_do(s.vat, "send %s -> %s", name_of(s.vat, s.promise), result);
        real.promises[m->promise_count] = meant(&real.w, real.vats[s.vat], result);
        if (real.promises[m->promise_count].kind == KREF_INVALID) differ("no result promise");
        break;
    }
    case ASKS: have_vat_do(s.vat, "subscribe %s", name_of(s.vat, s.promise)); break;
    case SETTLES: have_vat_do(s.vat, "data %s", name_of(s.vat, s.promise)); break;
    case BECOMES: have_vat_do(s.vat, "become %s o+0", name_of(s.vat, s.promise)); break;
    case VERBS:
    default: break;
    }
}

/* -- side by side ------------------------------------------------------------------------------------ */

/* The child's own promise is what it calls as its parent calls the copied one. */
static void find_copies(const struct model *before, const struct model *m)
{
    for (uint8_t i = before->promise_count; i < m->promise_count; i++) {
        if (m->copy_of[i] == NONE) continue;
        real.promises[i] = meant(&real.w, real.vats[C], name_of(P, m->copy_of[i]));
        for (uint8_t j = 0; j < i; j++) {
            if (kref_eq(real.promises[i], real.promises[j])) differ("promise %u is not the child's own", m->copy_of[i]);
        }
    }
}

static void compare_clist(const struct model *m, uint8_t vat)
{
    struct clist_walk walk = { 0 };
    unsigned rows = 0, expected = 0;
    while (clist_next(real.w.kernel, real.vats[vat], "p", &walk)) rows++;
    for (uint8_t i = 0; i < m->promise_count; i++) {
        if (!(m->promises[i].has & 1 << vat)) continue;
        expected++;
        if (strcmp(name_of(vat, i), "o-999") == 0) differ("%s should have promise %u", vat_names[vat], i);
    }
    if (rows != expected) differ("%s has %u promises, not %u", vat_names[vat], rows, expected);
}

static uint8_t vat_number(vat_id vat)
{
    for (uint8_t v = 0; v < VATS; v++) {
        if (vat_id_eq(vat, real.vats[v])) return v;
    }
    return NOBODY;
}

static kref result_in(struct span text)
{
    struct jval v;
    struct err e;
    kref r = { 0 };
    struct arena *a = kernel_arena(real.w.kernel);
    if (json_parse(a, arena_copy(a, text), &v, &e) != 0) differ("not JSON: %.*s", SPAN_ARG(text));
    struct jval m = json_get(v, "msg");
    kref_parse(json_str(json_get(json_type(m) == JSON_OBJECT ? m : v, "result"), a), &r);
    return r;
}

static bool is_message(const struct model *m, struct span text, uint8_t message)
{
    uint8_t result = m->messages[message].result;
    kref found = result_in(text), slot = { 0 };
    if (m->messages[message].slot != NONE) slot = real.promises[m->messages[message].slot];
    if (slot.kind != KREF_INVALID && memmem(text.p, text.n, kref_text(slot).s, strlen(kref_text(slot).s)) == NULL) return false;
    return result == NONE ? found.kind == KREF_INVALID : kref_eq(found, real.promises[result]);
}

static void compare_open(const struct model *m, uint8_t i)
{
    const struct promise *x = &m->promises[i];
    struct kernel *k = real.w.kernel;
    kref p = real.promises[i];
    struct span text;
    vat_id vat = { 0 };
    uint8_t n = 0, decider = promise_decider(k, p, &vat) ? vat_number(vat) : NOBODY, waiting = 0;
    if (promise_state(k, p) != PROMISE_UNRESOLVED) differ("promise %u should be open", i);
    if (decider != x->decider) differ("promise %u is decided by %u, not %u", i, decider, x->decider);
    struct strings all = promise_subscribers(k, p);
    for (size_t s = 0; s < all.count; s++) {
        if (vat_id_parse(all.items[s], &vat)) waiting |= (uint8_t)(1 << vat_number(vat));
    }
    if (waiting != x->waiting) differ("promise %u is awaited by %x, not %x", i, waiting, x->waiting);
    for (; promise_queued(k, p, n, &text); n++) {
        if (n >= x->queued || !is_message(m, text, x->queue[n])) differ("promise %u: message %u of its queue is another", i, n);
    }
    if (n != x->queued) differ("promise %u has %u messages waiting, not %u", i, n, x->queued);
}

/* A settled promise that nobody has, and nothing names, is gone. */
static void compare_promise(const struct model *m, uint8_t i)
{
    const struct promise *x = &m->promises[i];
    enum promise_state state = promise_state(real.w.kernel, real.promises[i]);
    if (x->state == OPEN && (x->has != 0 || state != PROMISE_UNKNOWN)) compare_open(m, i);
    if (x->state != OPEN && state == PROMISE_UNRESOLVED) differ("promise %u should be settled", i);
    if (x->state != OPEN && x->has != 0 && state == PROMISE_UNKNOWN) differ("promise %u is gone, and somebody has it", i);
}

static void compare_event(const struct model *m, uint8_t i)
{
    struct jval v;
    struct err e;
    kref r;
    vat_id vat;
    struct arena *a = kernel_arena(real.w.kernel);
    struct span text = queue_peek(real.w.kernel, QUEUE_RUN, i);
    struct event want = m->run[i];
    bool same = json_parse(a, arena_copy(a, text), &v, &e) == 0;
    if (want.what == A_FORK) {
        same = same && json_is(json_get(v, "type"), "fork-vat");
    } else if (want.what == A_NOTIFY) {
        same = same && json_is(json_get(v, "type"), "notify") && vat_id_parse(json_str(json_get(v, "vatID"), a), &vat) &&
               vat_number(vat) == want.vat && kref_parse(json_str(json_get(v, "kpid"), a), &r) &&
               kref_eq(r, real.promises[want.promise]);
    } else {
        same = same && json_is(json_get(v, "type"), "send") && kref_parse(json_str(json_get(v, "target"), a), &r) &&
               object_owner(real.w.kernel, r, &vat) && vat_number(vat) == want.vat && is_message(m, text, want.message);
    }
    if (!same) differ("event %u of the run queue is %.*s", i, SPAN_ARG(text));
}

static void compare(const struct model *m)
{
    bool child = real.vats[C].n != 0 && alive(&real.w, real.vats[C]);
    if (child != (m->fork == 2)) differ("there is %s child", child ? "a" : "no");
    for (uint8_t v = 0; v < VATS; v++) {
        if (!exists(m, v)) continue;
        compare_clist(m, v);
        if (told(&real.w, real.vats[v], "[\"message\"") - real.seen[v] != m->delivered[v]) {
            differ("%s was not told %u messages", vat_names[v], m->delivered[v]);
        }
    }
    if (real.vats[C].n != 0 && !child) {
        char prefix[16];
        struct buf half = { 0 };
        snprintf(prefix, sizeof prefix, "v%u.", real.vats[C].n);
        world_dump_keys(&real.w, prefix, &half);
        if (half.n > 0) differ("half a child:\n%.*s", SPAN_ARG(buf_span(&half)));
    }
    for (uint8_t i = 0; i < m->promise_count; i++) compare_promise(m, i);
    if (queue_length(real.w.kernel, QUEUE_RUN) != m->run_count) {
        differ("%u events are to be run, not %u", (unsigned)queue_length(real.w.kernel, QUEUE_RUN), m->run_count);
    }
    for (uint8_t i = 0; i < m->run_count; i++) compare_event(m, i);
}

/* -- every history ---------------------------------------------------------------------------------------- */

enum { PLACES = 1 << 22, RESTART_EVERY = 8 };

/* Shared by all branches. */
struct found {
    uint64_t steps, states, forks, refusals;
    struct {
        uint64_t hash;
        uint8_t to_go;
    } table[PLACES];
};
static struct found *found;

static uint64_t hash_of(const struct model *m)
{
    const unsigned char *p = (const unsigned char *)m;
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < sizeof *m; i++) h = (h ^ p[i]) * UINT64_C(1099511628211);
    return h == 0 ? 1 : h;
}

/* True if so much of what follows was seen already; else it will be. */
static bool seen(const struct model *m, unsigned to_go)
{
    uint64_t h = hash_of(m);
    size_t at = (size_t)(h >> 20) & (PLACES - 1);
    while (found->table[at].hash != 0 && found->table[at].hash != h) at = (at + 1) & (PLACES - 1);
    if (found->table[at].hash == h && found->table[at].to_go >= to_go) return true;
    found->states += found->table[at].hash == 0;
    INVARIANT(found->states < PLACES / 2);
    found->table[at].hash = h;
    found->table[at].to_go = (uint8_t)to_go;
    return false;
}

static void explore(const struct model *m, unsigned to_go);

static void branch(const struct model *before, struct step s, unsigned to_go)
{
    struct model m = *before;
    apply(&m, s);
    found->steps++;
    bool known = seen(&m, to_go - 1); /* but not by this step */
    found->forks += m.fork == 2 && before->fork != 2;
    found->refusals += m.fork == 3 && before->fork != 3;
    fflush(NULL);
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        real.history[real.steps++] = s;
        real.w.setup.no_audit = known; /* its like was audited */
        do_real(before, s);
        find_copies(before, &m);
        compare(&m);
        if (known) _exit(0);
        if (hash_of(&m) % RESTART_EVERY == 0) world_restart(&real.w);
        explore(&m, to_go - 1);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) exit(2);
}

static void explore(const struct model *m, unsigned to_go)
{
    if (to_go == 0) return;
    for (uint8_t verb = 0; verb < VERBS; verb++) {
        for (uint8_t vat = 0; vat < (verb >= HANDS ? VATS : 1); vat++) {
            for (uint8_t p = 0; p < (verb >= CALLS ? m->promise_count : 1); p++) {
                struct step s = { verb, vat, p };
                if (makes_sense(m, s)) branch(m, s, to_go);
            }
        }
    }
}

static void begin(void)
{
    struct world *w = &real.w;
    world_open(w, &(struct world_setup){ .vats = { "q" }, .puppets = true });
    real.vats[Q] = vat_named(w, "q");
    real.vats[P] = create(w, "puppet", "");
    introduce(w, real.vats[P], real.vats[Q]);
    introduce(w, real.vats[Q], real.vats[P]);
    for (uint8_t v = Q; v <= P; v++) real.seen[v] = told(w, real.vats[v], "[\"message\"");
    laws_watch(&real.laws, w);
}

/* Without branches: what all histories from here on have in common. */
static void go(struct model *m, struct step s)
{
    struct model before = *m;
    INVARIANT(makes_sense(m, s));
    apply(m, s);
    real.history[real.steps++] = s;
    do_real(&before, s);
    find_copies(&before, m);
    compare(m);
}

int main(int argc, char **argv)
{
    unsigned depth = argc > 1 ? (unsigned)atoi(argv[1]) : 4;
    struct model m;
    memset(&m, 0, sizeof m);
    found = mmap(NULL, sizeof *found, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (found == MAP_FAILED || depth + 4 > STEPS_MAX) return 1;
    printf("[==========] Running 1 test(s).\n");
    begin();
    explore(&m, depth);
    static const struct step both[] = { { HANDS, P, 0 }, { HANDS, Q, 0 }, { RUNS, 0, 0 }, { RUNS, 0, 0 } };
    for (size_t i = 0; i < sizeof both / sizeof *both; i++) go(&m, both[i]);
    explore(&m, depth);
    printf("           histories of %u steps: %llu states, %llu steps, %llu forks, %llu refused\n", depth,
           (unsigned long long)found->states, (unsigned long long)found->steps, (unsigned long long)found->forks,
           (unsigned long long)found->refusals);
    if (depth >= 4 && (found->forks < 50 || found->refusals < 50)) {
        printf("1 passed, 1 failed\n");
        return 1;
    }
    printf("1 passed, 0 failed\n");
    laws_fini(&real.laws);
    world_close(&real.w);
    return 0;
}
