#include "engine/testkernel.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/xalloc.h"
#include "engine/setup.h"

void testkernel_init(struct testkernel *k)
{
    *k = (struct testkernel){ .syscalls = sha256_new() };
    sha256_begin(k->syscalls);
}

void testkernel_fini(struct testkernel *k)
{
    for (size_t i = 0; i < k->row_count; i++) {
        free(k->rows[i].key);
        free(k->rows[i].value);
    }
    free(k->rows);
    sha256_free(k->syscalls);
    buf_fini(&k->unsettled);
    buf_fini(&k->computrons);
    buf_fini(&k->heap);
}

/* -- the vatstore --------------------------------------------------------------- */

/* The first row whose key is not below `key`. */
static size_t find_row(const struct testkernel *k, const char *key)
{
    size_t from = 0, to = k->row_count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (strcmp(k->rows[middle].key, key) < 0) from = middle + 1;
        else to = middle;
    }
    return from;
}

static struct testkernel_row *row_of(struct testkernel *k, const char *key)
{
    size_t i = find_row(k, key);
    return i < k->row_count && strcmp(k->rows[i].key, key) == 0 ? &k->rows[i] : NULL;
}

static void set_row(struct testkernel *k, const char *key, const char *value)
{
    struct testkernel_row *row = row_of(k, key);
    if (row != NULL) {
        free(row->value);
        row->value = xstrdup(value);
        return;
    }
    if (k->row_count == k->row_cap) {
        k->row_cap = k->row_cap * 2 + 64;
        k->rows = xrealloc(k->rows, k->row_cap * sizeof *k->rows);
    }
    size_t i = find_row(k, key);
    memmove(&k->rows[i + 1], &k->rows[i], (k->row_count - i) * sizeof *k->rows);
    k->rows[i] = (struct testkernel_row){ xstrdup(key), xstrdup(value) };
    k->row_count++;
}

static void delete_row(struct testkernel *k, const char *key)
{
    struct testkernel_row *row = row_of(k, key);
    if (row == NULL) return;
    free(row->key);
    free(row->value);
    k->row_count--;
    memmove(row, row + 1, (size_t)(k->rows + k->row_count - row) * sizeof *row);
}

static const char *next_key(struct testkernel *k, const char *key)
{
    size_t i = find_row(k, key);
    if (i < k->row_count && strcmp(k->rows[i].key, key) == 0) i++;
    return i < k->row_count ? k->rows[i].key : NULL;
}

/* -- syscalls ----------------------------------------------------------------- */

static void put_ok(struct buf *answer, const char *text)
{
    if (text == NULL) {
        buf_puts(answer, "[\"ok\",null]");
        return;
    }
    buf_puts(answer, "[\"ok\",");
    json_put_string(answer, span_of(text));
    buf_putc(answer, ']');
}

/* Decoded text with a NUL behind; the script has no other NULs. */
static const char *text_of(struct jval v, struct arena *a)
{
    struct span s = json_str(v, a);
    return s.p == NULL ? "" : arena_copy(a, s).p;
}

static void answer_syscall(struct testkernel *k, struct jval call, struct arena *a,
                           struct buf *answer)
{
    struct jval name = json_at(call, 0);
    const char *key = text_of(json_at(call, 1), a);
    const char *result = NULL;
    if (json_is(name, "vatstoreGet")) {
        const struct testkernel_row *row = row_of(k, key);
        result = row == NULL ? NULL : row->value;
    } else if (json_is(name, "vatstoreGetNextKey")) {
        result = next_key(k, key);
    } else if (json_is(name, "vatstoreSet")) {
        set_row(k, key, text_of(json_at(call, 2), a));
    } else if (json_is(name, "vatstoreDelete")) {
        delete_row(k, key);
    } else if (json_is(name, "subscribe")) {
        buf_printf(&k->unsettled, "%s\n", key);
    }
    put_ok(answer, result);
}

static void upcall(void *context, struct span question, struct buf *answer)
{
    struct testkernel *k = context;
    struct arena a;
    struct jval v;
    struct err e;
    sha256_update(k->syscalls, question);
    sha256_update(k->syscalls, SPAN("\n"));
    arena_init(&a);
    if (json_parse(&a, question, &v, &e)) {
        fprintf(stderr, "upcall: %s\n", e.text);
        abort();
    }
    if (json_is(json_at(v, 0), "syscall")) {
        answer_syscall(k, json_at(v, 1), &a, answer);
    } else {
        buf_puts(answer, "[\"ok\"]");
    }
    arena_fini(&a);
}

void testkernel_attach(struct testkernel *k, struct driver *worker)
{
    k->worker = worker;
    worker->upcall = upcall;
    worker->context = k;
}

/* -- deliveries --------------------------------------------------------------- */

static void put_command(struct testkernel *k, struct span command, const char *expect)
{
    struct buf reply;
    driver_ok(k->worker, '?', command, &reply);
    struct span result = driver_result(&reply);
    if (!span_starts(result, span_of(expect))) {
        fprintf(stderr, "%.*s\n -> %.*s\n", (int)(command.n < 200 ? command.n : 200),
                command.p, (int)result.n, result.p);
        abort();
    }
    buf_printf(&k->computrons, "%llu ", (unsigned long long)driver_meter(&reply, "compute"));
    buf_printf(&k->heap, "%llu/%llu ",
               (unsigned long long)driver_meter(&reply, "currentHeapCount"),
               (unsigned long long)driver_meter(&reply, "allocate"));
    buf_fini(&reply);
}

void testkernel_start_vat(struct testkernel *k, const char *bundle_path)
{
    struct buf bundle = setup_read(bundle_path);
    struct buf command = { 0 };
    buf_puts(&command, "[\"setBundle\",\"v1\",");
    buf_put(&command, buf_span(&bundle));
    buf_puts(&command, ",{\"enableDisavow\":false,\"relaxDurabilityRules\":false}]");
    put_command(k, buf_span(&command), "[\"dispatchReady\"]");
    put_command(k, SPAN("[\"deliver\",[\"startVat\","
                        "{\"body\":\"#{\\\"name\\\":\\\"parity\\\"}\",\"slots\":[]}]]"),
                "[\"ok\"");
    buf_fini(&command);
    buf_fini(&bundle);
}

/* Call a method of the root: `args` is smallcaps JSON inside a JSON string. */
static void deliver_message(struct testkernel *k, const char *method, const char *args,
                            const char *slot)
{
    struct buf body = { 0 }, command = { 0 };
    buf_printf(&body, "#[\"%s\",[%s]]", method, args);
    buf_puts(&command, "[\"deliver\",[\"message\",\"o+0\",{\"methargs\":{\"body\":");
    json_put_string(&command, buf_span(&body));
    buf_printf(&command, ",\"slots\":[%s]},\"result\":\"p-%u\"}]]", slot, 60 + k->delivered);
    put_command(k, buf_span(&command), "[\"ok\"");
    buf_fini(&body);
    buf_fini(&command);
}

/* Settle the oldest promise the vat waits for, if any. */
static void deliver_notify(struct testkernel *k)
{
    const char *from = k->unsettled.p + k->notified;
    size_t left = k->unsettled.n - k->notified;
    const char *end = left == 0 ? NULL : memchr(from, '\n', left);
    if (end == NULL) return;
    struct buf command = { 0 };
    buf_printf(&command, "[\"deliver\",[\"notify\",[[\"%.*s\",%s,{\"body\":\"#%u\",\"slots\":[]}]]]]",
               (int)(end - from), from, k->delivered % 3 == 0 ? "true" : "false", k->delivered);
    k->notified += (unsigned)(end - from) + 1;
    put_command(k, buf_span(&command), "[\"ok\"");
    buf_fini(&command);
}

static void deliver_scripted(struct testkernel *k)
{
    char args[120], slot[40];
    unsigned n = k->delivered;
    snprintf(args, sizeof args, "%u", n);
    snprintf(slot, sizeof slot, "\"o-%u\"", 60 + n % 17);
    switch (n % 14) {
    case 1:
    case 8: deliver_message(k, "language", args, ""); break;
    case 2: deliver_message(k, "keep", "\"$0.Alleged: thing\"", slot); break;
    case 3: deliver_message(k, "grow", "20000", ""); break;
    case 4:
        snprintf(args, sizeof args, "\"key%u\",{\"n\":%u,\"s\":\"value %u\"}", n % 23, n, n);
        deliver_message(k, "put", args, "");
        break;
    case 5: deliver_message(k, "make", "\"thing\"", ""); break;
    case 6:
    case 11:
        snprintf(args, sizeof args, "\"$0.Alleged: peer\",\"question %u\"", n);
        deliver_message(k, "ask", args, slot);
        break;
    case 7: deliver_message(k, "cell", args, ""); break;
    case 9: deliver_message(k, "text", "3000000", ""); break;
    case 10: deliver_message(k, "fail", "\"do that\"", ""); break;
    case 12: deliver_notify(k); break;
    case 13: deliver_message(k, "parameters", "", ""); break;
    default: deliver_message(k, "count", args, ""); break;
    }
}

void testkernel_deliver(struct testkernel *k, unsigned boyd_every)
{
    deliver_scripted(k);
    k->delivered++;
    if (k->delivered % boyd_every == 0)
        put_command(k, SPAN("[\"deliver\",[\"bringOutYourDead\"]]"), "[\"ok\"");
}
