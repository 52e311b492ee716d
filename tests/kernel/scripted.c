#include "scripted.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/heap_format.h"
#include "base/json.h"
#include "base/xalloc.h"

enum { BEHAVIOUR_MAX = 16, WORDS_MAX = 64 };

struct vat_machine {
    char behaviour[BEHAVIOUR_MAX];
    uint64_t deliveries;
    bool dead, speaking;
    bool zipped; /* its heap has a header as those of XS have */
};

void scripted_bundle(const char *behaviour, struct buf *json_text)
{
    buf_printf(json_text, "{\"moduleFormat\":\"nestedEvaluate\",\"source\":\"%s\"}", behaviour);
}

/* -- one delivery --------------------------------------------------------------------------- */

struct turn {
    struct vat_machine *m;
    struct arena *a;
    struct jval delivery;
    vat_upcall *upcall;
    void *ctx;
    struct err *e;
    struct vat_reply *out;
    uint64_t spent;
    bool kept;     /* the result is not to be resolved */
    bool failed;   /* e is set */
    bool ended;    /* `out` is */
};

static struct span upcall(struct turn *t, struct span text)
{
    struct buf reply = { 0 };
    if (!t->failed && t->upcall(t->ctx, text, &reply, t->e) != 0) t->failed = true;
    struct span kept = arena_copy(t->a, buf_span(&reply));
    buf_fini(&reply);
    return kept;
}

static struct span syscall(struct turn *t, struct buf *vso)
{
    struct buf b = { 0 };
    buf_puts(&b, "[\"syscall\",");
    buf_put(&b, buf_span(vso));
    buf_putc(&b, ']');
    struct span reply = upcall(t, buf_span(&b));
    buf_fini(&b);
    buf_fini(vso);
    return reply;
}

static struct span type_of(const struct turn *t)
{
    return json_str(json_at(t->delivery, 0), t->a);
}

static struct span result_of(const struct turn *t)
{
    return json_str(json_get(json_at(t->delivery, 2), "result"), t->a);
}

/* -- words ---------------------------------------------------------------------------------- */

struct line {
    struct span all;
    size_t count;
    struct span word[WORDS_MAX];
};

static struct span meaning(struct turn *t, struct span word)
{
    uint64_t n;
    if (word.n < 2 || word.p[0] != '@') return word;
    struct jval slots = json_get(json_get(json_at(t->delivery, 2), "methargs"), "slots");
    if (span_is(word, "@result")) return result_of(t);
    return span_u64(span_from(word, 1), &n) ? json_str(json_at(slots, n), t->a) : word;
}

static void split(struct turn *t, struct span text, struct line *out)
{
    *out = (struct line){ .all = text };
    for (size_t i = 0; i < text.n && out->count < WORDS_MAX;) {
        size_t from = i;
        while (i < text.n && text.p[i] != ' ') i++;
        if (i > from) out->word[out->count++] = meaning(t, (struct span){ text.p + from, i - from });
        while (i < text.n && text.p[i] == ' ') i++;
    }
}

static struct span word(const struct line *l, size_t at)
{
    return at < l->count ? l->word[at] : SPAN("?");
}

static void put_words(struct buf *b, const struct line *l, size_t from, size_t to)
{
    buf_putc(b, '[');
    for (size_t i = from; i < to; i++) {
        if (i > from) buf_putc(b, ',');
        json_put_string(b, l->word[i]);
    }
    buf_putc(b, ']');
}

/* {"body":BODY,"slots":[words]} */
static void put_data(struct buf *b, struct span body, const struct line *l, size_t from, size_t to)
{
    buf_puts(b, "{\"body\":");
    json_put_string(b, body);
    buf_puts(b, ",\"slots\":");
    put_words(b, l, from, to);
    buf_putc(b, '}');
}

/* An array of so many references, as smallcaps. */
static struct span slots_body(struct turn *t, const char *before, size_t count, const char *after)
{
    struct buf b = { 0 };
    buf_puts(&b, before);
    for (size_t i = 0; i < count; i++) buf_printf(&b, "%s\"$%zu.Alleged: x\"", i > 0 ? "," : "", i);
    buf_puts(&b, after);
    struct span kept = arena_copy(t->a, buf_span(&b));
    buf_fini(&b);
    return kept;
}

/* -- syscalls in words -------------------------------------------------------------------------- */

static void say_send(struct turn *t, const struct line *l, struct buf *b)
{
    size_t end = l->count;
    struct span result = SPAN_NONE;
    if (l->count > 3 && span_is(l->word[l->count - 2], "->")) {
        end = l->count - 2;
        result = l->word[l->count - 1];
    }
    buf_puts(b, "[\"send\",");
    json_put_string(b, word(l, 1));
    buf_puts(b, ",{\"methargs\":");
    put_data(b, slots_body(t, "#[\"hi\",[", end - 2, "]]"), l, 2, end);
    buf_puts(b, ",\"result\":");
    if (result.p == NULL) buf_puts(b, "null");
    else json_put_string(b, result);
    buf_puts(b, "}]");
}

static void say_settle(const struct line *l, bool rejected, struct span body, size_t to, struct buf *b)
{
    buf_puts(b, "[\"resolve\",[[");
    json_put_string(b, word(l, 1));
    buf_puts(b, rejected ? ",true," : ",false,");
    put_data(b, body, l, 2, to);
    buf_puts(b, "]]]");
}

static void say_list(const struct line *l, const char *name, struct buf *b)
{
    buf_printf(b, "[\"%s\",", name);
    put_words(b, l, 1, l->count);
    buf_putc(b, ']');
}

static void say_strings(const struct line *l, const char *name, size_t count, struct buf *b)
{
    buf_printf(b, "[\"%s\"", name);
    for (size_t i = 1; i <= count; i++) {
        buf_putc(b, ',');
        json_put_string(b, word(l, i));
    }
    buf_putc(b, ']');
}

static void say_exit(struct turn *t, const struct line *l, bool failure, struct buf *b)
{
    buf_printf(b, "[\"exit\",%s,", failure ? "true" : "false");
    put_data(b, slots_body(t, "#[", l->count - 1, "]"), l, 1, l->count);
    buf_putc(b, ']');
}

static void say_call(const struct line *l, struct buf *b)
{
    say_strings(l, "callNow", 2, b);
    b->n--;
    buf_putc(b, ',');
    put_data(b, word(l, 3), l, 4 < l->count ? 4 : l->count, l->count);
    buf_putc(b, ']');
}

static bool say(struct turn *t, const struct line *l, struct buf *b)
{
    struct span verb = word(l, 0);
    size_t slots = l->count > 2 ? l->count - 2 : 0;
    if (span_is(verb, "send")) say_send(t, l, b);
    else if (span_is(verb, "resolve")) say_settle(l, false, slots_body(t, "#[", slots, "]"), l->count, b);
    else if (span_is(verb, "become")) {
        bool promise = word(l, 2).p[0] == 'p';
        say_settle(l, false, promise ? SPAN("#\"&0\"") : SPAN("#\"$0.Alleged: x\""), l->count, b);
    }
    else if (span_is(verb, "reject")) say_settle(l, true, slots_body(t, "#[", slots, "]"), l->count, b);
    else if (span_is(verb, "data")) say_settle(l, false, SPAN("#\"data\""), 2, b);
    else if (span_is(verb, "subscribe")) say_strings(l, "subscribe", 1, b);
    else if (span_is(verb, "drop")) say_list(l, "dropImports", b);
    else if (span_is(verb, "retire")) say_list(l, "retireImports", b);
    else if (span_is(verb, "retire-export")) say_list(l, "retireExports", b);
    else if (span_is(verb, "abandon")) say_list(l, "abandonExports", b);
    else if (span_is(verb, "set")) say_strings(l, "vatstoreSet", 2, b);
    else if (span_is(verb, "get")) say_strings(l, "vatstoreGet", 1, b);
    else if (span_is(verb, "delete")) say_strings(l, "vatstoreDelete", 1, b);
    else if (span_is(verb, "next")) say_strings(l, "vatstoreGetNextKey", 1, b);
    else if (span_is(verb, "exit")) say_exit(t, l, false, b);
    else if (span_is(verb, "fail")) say_exit(t, l, true, b);
    else if (span_is(verb, "call")) say_call(l, b);
    else if (l->all.p[0] == '[') buf_put(b, l->all);
    else return false;
    return true;
}

/* -- ends ---------------------------------------------------------------------------------------- */

static void reply(struct turn *t, struct span text)
{
    t->ended = true;
    t->out->outcome = VAT_REPLIED;
    t->out->text = text;
    t->out->computrons = t->spent;
    if (t->spent == 0) return;
    t->out->meter = arena_printf(t->a, "{\"compute\":%llu}", (unsigned long long)t->out->computrons);
}

static void limit(struct turn *t, enum vat_outcome outcome)
{
    t->ended = true;
    t->m->dead = true;
    t->out->outcome = outcome;
}

static void end(struct turn *t, const struct line *l)
{
    struct span how = word(l, 0);
    struct span rest = span_from(l->all, how.n < l->all.n ? how.n + 1 : how.n);
    if (span_is(how, "!keep")) {
        t->kept = true;
    } else if (span_is(how, "!spend")) {
        bool ok = span_u64(rest, &t->spent);
        INVARIANT(ok);
    } else if (span_is(how, "!say")) {
        upcall(t, arena_printf(t->a, "[\"sourcedConsole\",\"vat\",\"log\",\"%.*s\",[1]]", SPAN_ARG(rest)));
    } else if (span_is(how, "!upcall")) {
        upcall(t, rest);
    } else if (span_is(how, "!testlog")) {
        upcall(t, SPAN("[\"testLog\",\"x\"]"));
    } else if (span_is(how, "!error")) {
        reply(t, arena_printf(t->a, "[\"error\",\"%.*s\"]", SPAN_ARG(rest)));
    } else if (span_is(how, "!reply")) {
        reply(t, rest);
    } else if (span_is(how, "!meter")) {
        limit(t, VAT_TOO_MUCH_COMPUTATION);
    } else if (span_is(how, "!stack")) {
        limit(t, VAT_STACK_OVERFLOW);
    } else if (span_is(how, "!memory")) {
        limit(t, VAT_OUT_OF_MEMORY);
    } else if (span_is(how, "!babble")) {
        upcall(t, SPAN("[\"syscall\",[\"send\""));
    } else if (span_is(how, "!strange")) {
        upcall(t, SPAN("[\"strange\"]"));
    } else if (span_is(how, "!die")) {
        t->m->dead = t->failed = true;
        err_set(t->e, EXIT_FAILED, "the machine died");
    } else {
        BUG("a plan says what no vat can");
    }
}

/* -- plans ------------------------------------------------------------------------------------------ */

/* The plan for this delivery, taken; SPAN_NONE if there is none. */
static struct span take_plan(struct turn *t)
{
    struct buf b = { 0 };
    struct jval v;
    struct err e;
    struct span type = type_of(t);
    buf_printf(&b, "[\"vatstoreGet\",\"plan.%.*s\"]", SPAN_ARG(type));
    struct span text = syscall(t, &b);
    if (t->failed || json_parse(t->a, text, &v, &e) != 0) return SPAN_NONE;
    struct span lines = json_str(json_at(v, 1), t->a);
    if (lines.p == NULL) return SPAN_NONE;
    buf_printf(&b, "[\"vatstoreDelete\",\"plan.%.*s\"]", SPAN_ARG(type));
    syscall(t, &b);
    return lines;
}

static void do_line(struct turn *t, struct span text)
{
    struct line l;
    struct buf b = { 0 };
    split(t, text, &l);
    if (l.count == 0) return;
    if (say(t, &l, &b)) {
        for (size_t i = 0; i < l.count; i++) t->kept |= result_of(t).p != NULL && span_eq(l.word[i], result_of(t));
        syscall(t, &b);
    } else {
        end(t, &l);
    }
}

static void do_plan(struct turn *t, struct span lines)
{
    for (size_t at = 0; at < lines.n && !t->failed && !t->ended;) {
        const char *stop = memchr(lines.p + at, '\n', lines.n - at);
        size_t n = stop == NULL ? lines.n - at : (size_t)(stop - lines.p) - at;
        do_line(t, (struct span){ lines.p + at, n });
        at += n + 1;
    }
}

static void deliver(struct turn *t)
{
    struct span lines = take_plan(t), result = result_of(t);
    t->spent = 1000 + ++t->m->deliveries;
    if (lines.p != NULL) do_plan(t, lines);
    if (t->failed || t->ended) return;
    if (result.p != NULL && !t->kept && strcmp(t->m->behaviour, "auto") == 0) {
        do_line(t, arena_printf(t->a, "data %.*s", SPAN_ARG(result)));
    }
    reply(t, SPAN("[\"ok\",null,null]"));
}

static void set_bundle(struct turn *t, struct jval bundle)
{
    struct span name = json_str(json_get(bundle, "source"), t->a);
    t->m->zipped = name.p == NULL && json_is(json_get(bundle, "moduleFormat"), "endoZipBase64");
    if (t->m->zipped) name = SPAN("auto");
    INVARIANT(name.n > 0 && name.n < BEHAVIOUR_MAX);
    memcpy(t->m->behaviour, name.p, name.n);
    if (span_is(name, "greedy")) {
        limit(t, VAT_TOO_MUCH_COMPUTATION);
    } else if (span_is(name, "broken")) {
        reply(t, SPAN("[\"setBundleFailed\",\"Error\",\"no buildRootObject\"]"));
    } else {
        reply(t, SPAN("[\"dispatchReady\"]"));
    }
}

/* -- the port ------------------------------------------------------------------------------------------ */

static int command(void *self, struct vat_machine *m, struct span text, vat_upcall *up, void *ctx,
                   struct arena *a, struct vat_reply *out, struct err *e)
{
    struct scripted *s = self;
    struct jval v;
    struct turn t = { .m = m, .a = a, .upcall = up, .ctx = ctx, .e = e, .out = out };
    s->commands++;
    if (m->dead) {
        s->misuse++;
        return err_set(e, EXIT_FAILED, "a dead machine was spoken to");
    }
    if (json_parse(a, arena_copy(a, text), &v, e) != 0) return -1;
    *out = (struct vat_reply){ 0 };
    m->speaking = true;
    if (json_is(json_at(v, 0), "setBundle")) {
        set_bundle(&t, json_at(v, 2));
    } else {
        t.delivery = json_at(v, 1);
        deliver(&t);
    }
    m->speaking = false;
    return t.failed ? -1 : 0;
}

/* As XS begins a heap: an atom of all, in it the version and the signature. */
static const char heap_header[] = { 'X', 'S', '_', 'M', 0, 0, 0, 12, 'V', 'E', 'R', 'S', HEAP_XS_MAJOR, HEAP_XS_MINOR,
                                    HEAP_XS_PATCH, HEAP_SLOT_BYTES, 0, 0, 0, 8 + sizeof HEAP_SIGNATURE - 1,
                                    'S', 'I', 'G', 'N' };
enum { HEAP_FRONT = 4 + sizeof heap_header + sizeof HEAP_SIGNATURE - 1 };

static size_t put_heap_front(char *out, size_t rest)
{
    size_t n = HEAP_FRONT - 8 + rest;
    const char length[] = { 0, 0, (char)(n >> 8), (char)n };
    memcpy(out, length, 4);
    memcpy(out + 4, heap_header, sizeof heap_header);
    memcpy(out + 4 + sizeof heap_header, HEAP_SIGNATURE, sizeof HEAP_SIGNATURE - 1);
    return HEAP_FRONT;
}

static int snapshot(void *self, struct vat_machine *m,
                    int (*sink)(void *ctx, struct span bytes, struct err *e), void *ctx,
                    struct err *e)
{
    struct scripted *s = self;
    char text[BEHAVIOUR_MAX + 64], heap[HEAP_FRONT + sizeof text];
    if (m->dead) s->misuse++;
    if (m->dead || s->fail_snapshot) return err_set(e, EXIT_FAILED, "no snapshot of this machine");
    int n = snprintf(text, sizeof text, "%s %llu", m->behaviour, (unsigned long long)m->deliveries);
    size_t front = m->zipped ? put_heap_front(heap, (size_t)n) : 0;
    memcpy(heap + front, text, (size_t)n);
    return sink(ctx, (struct span){ heap, front + (size_t)n }, e);
}

static int to_buf(void *ctx, struct span bytes, struct err *e)
{
    (void)e;
    buf_put(ctx, bytes);
    return 0;
}

static int from_snapshot(struct vat_machine *m, const struct vat_start *from, struct err *e)
{
    struct buf b = { 0 };
    int failed = from->source->snapshot(from->source->self, from->snapshot, to_buf, &b, e);
    buf_putc(&b, '\0');
    m->zipped = b.n > HEAP_FRONT && memcmp(b.p + 4, "XS_M", 4) == 0;
    const char *text = m->zipped ? b.p + HEAP_FRONT : b.p, *space = failed == 0 ? strchr(text, ' ') : NULL;
    if (failed == 0 && (space == NULL || space - text >= BEHAVIOUR_MAX)) {
        failed = err_set(e, EXIT_INTEGRITY, "not a snapshot of a scripted vat");
    } else if (failed == 0) {
        memcpy(m->behaviour, text, (size_t)(space - text));
        m->deliveries = strtoull(space + 1, NULL, 10);
    }
    buf_fini(&b);
    return failed;
}

static int from_bundles(const struct vat_start *from, struct err *e)
{
    for (size_t i = 0; i < from->boot_count; i++) {
        struct buf b = { 0 };
        int failed = from->source->bundle(from->source->self, from->boot[i], &b, e);
        buf_fini(&b);
        if (failed != 0) return -1;
    }
    return 0;
}

static int start(void *self, const struct vat_start *from, struct vat_machine **out, struct err *e)
{
    struct scripted *s = self;
    if (s->fail_start) return err_set(e, EXIT_FAILED, "no machine can be started");
    struct vat_machine *m = xcalloc(1, sizeof *m);
    int failed = from->snapshot != NULL ? from_snapshot(m, from, e) : from_bundles(from, e);
    if (failed != 0) {
        free(m);
        return -1;
    }
    s->starts++;
    s->metered += from->metered;
    s->machines++;
    *out = m;
    return 0;
}

static void stop(void *self, struct vat_machine *m)
{
    struct scripted *s = self;
    s->machines--;
    if (m->speaking) {
        s->misuse++; /* whoever called it will still use it */
        return;
    }
    free(m);
}

void scripted_port(struct scripted *s, struct vat_port *out)
{
    *out = (struct vat_port){ s, start, command, snapshot, stop, NULL };
}
