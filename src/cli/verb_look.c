/* verb_look.c -- zygote ps, dump, audit: reading, beside a writer if there is one. */
#include <inttypes.h>

#include "base/log.h"
#include "cli/look.h"
#include "cli/out.h"
#include "cli/session.h"
#include "store/kv.h"

const char *vat_state(const struct seen_vat *v)
{
    return v->info.gone ? "gone" : v->info.sealed ? "sealed" : v->has_worker ? "online" : "offline";
}

size_t see_vats(struct session *s, bool family, struct seen_vat **out)
{
    struct vat_info *all;
    size_t n = family ? kernel_family(s->kernel, &s->cli->arena, &all)
                      : kernel_vats(s->kernel, &s->cli->arena, &all);
    *out = ARENA_ARRAY(&s->cli->arena, struct seen_vat, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct seen_vat *v = &(*out)[i];
        v->info = all[i];
        v->has_worker = controller_memory(s->controller, &v->info, &v->memory);
    }
    return n;
}

/* -- ps ---------------------------------------------------------------------------- */

static void put_origin(struct cli *c, const struct vat_info *v)
{
    json_key(&c->out, "forkedFrom");
    if (v->forked_from.n == 0) {
        buf_puts(&c->out, "null");
        return;
    }
    buf_putc(&c->out, '{');
    json_member_str(&c->out, "vat", span_of(vat_id_text(v->forked_from).s));
    json_member_u64(&c->out, "incarnation", v->forked_incarnation);
    json_member_u64(&c->out, "position", v->forked_position);
    json_member_str(&c->out, "snapshot", span_of(v->forked_snapshot));
    buf_putc(&c->out, '}');
}

static void put_memory(struct cli *c, const struct seen_vat *v)
{
    if (!v->has_worker)
        return;
    json_member_u64(&c->out, "pssKiB", v->memory.pss_kib);
    json_member_u64(&c->out, "privateKiB", v->memory.private_kib);
    json_member_u64(&c->out, "sharedKiB", v->memory.shared_kib);
}

void vat_put_json(struct cli *c, const struct seen_vat *seen)
{
    const struct vat_info *v = &seen->info;
    buf_putc(&c->out, '{');
    json_member_str(&c->out, "vat", span_of(vat_id_text(v->vat).s));
    json_member_str(&c->out, "name", v->name.n > 0 ? v->name : SPAN_NONE);
    json_member_str(&c->out, "state", span_of(vat_state(seen)));
    json_member_bool(&c->out, "static", v->is_static);
    json_member_bool(&c->out, "critical", v->critical);
    json_member_u64(&c->out, "incarnation", v->incarnation);
    json_member_u64(&c->out, "deliveries", v->deliveries);
    put_origin(c, v);
    json_member_u64(&c->out, "clistEntries", v->clist_entries);
    json_member_u64(&c->out, "vatstoreKeys", v->vatstore_keys);
    json_member_u64(&c->out, "vatstoreBytes", v->vatstore_bytes);
    json_member_str(&c->out, "bundleID", v->bundle_id);
    json_member_str(&c->out, "snapshot",
                    v->has_snapshot ? span_of(v->snapshot) : SPAN_NONE);
    put_memory(c, seen);
    buf_putc(&c->out, '}');
}

static void ps_row(struct cli *c, struct table *t, const struct seen_vat *seen)
{
    struct arena *a = &c->arena;
    const struct vat_info *v = &seen->info;
    table_cell(t, arena_copy(a, span_of(vat_id_text(v->vat).s)));
    table_cell(t, v->name.n > 0 ? v->name : SPAN("-"));
    table_cell(t, span_of(vat_state(seen)));
    table_number(t, a, v->deliveries);
    table_cell(t, v->forked_from.n == 0
                      ? SPAN("-")
                      : arena_copy(a, span_of(vat_id_text(v->forked_from).s)));
    table_number(t, a, v->clist_entries);
    table_number(t, a, v->vatstore_keys);
    table_number(t, a, v->vatstore_bytes);
    if (seen->has_worker)
        table_number(t, a, seen->memory.pss_kib);
    else
        table_cell(t, SPAN("-"));
}

static void print_ps(struct cli *c, struct session *s)
{
    static const struct column columns[] = {
        { "VAT", false },       { "NAME", false }, { "STATE", false },
        { "DELIVERIES", true }, { "FROM", false }, { "C-LIST", true },
        { "KEYS", true },       { "BYTES", true }, { "PSS KiB", true },
    };
    struct table t = { .columns = sizeof columns / sizeof columns[0], .column = columns };
    struct seen_vat *vats;
    size_t n = see_vats(s, false, &vats);
    if (!c->json) {
        for (size_t i = 0; i < n; i++)
            ps_row(c, &t, &vats[i]);
        table_print(c, &t);
        return;
    }
    json_begin(&c->out);
    json_key(&c->out, "vats");
    buf_putc(&c->out, '[');
    for (size_t i = 0; i < n; i++) {
        buf_puts(&c->out, i > 0 ? "," : "");
        vat_put_json(c, &vats[i]);
    }
    buf_putc(&c->out, ']');
    json_end(&c->out);
}

int verb_ps(struct cli *c, struct err *e)
{
    struct session s;
    if (session_open(&s, c, CONTROLLER_LOOK, e) != 0)
        return -1;
    print_ps(c, &s);
    session_close(&s);
    return 0;
}

/* -- dump -------------------------------------------------------------------------- */

int verb_dump(struct cli *c, struct err *e)
{
    struct session s;
    struct buf text = { 0 };
    if (session_open(&s, c, CONTROLLER_LOOK, e) != 0)
        return -1;
    kernel_dump(s.kernel, &text);
    session_close(&s);
    if (c->json) {
        json_begin(&c->out);
        json_key(&c->out, "dump");
        buf_put(&c->out, buf_span(&text));
        json_end(&c->out);
    } else {
        json_pretty(&c->out, buf_span(&text));
    }
    buf_fini(&text);
    return 0;
}

/* -- audit ------------------------------------------------------------------------- */

static void on_breach(void *ctx, const char *breach)
{
    struct cli *c = ctx;
    if (c->json) {
        if (c->out.p[c->out.n - 1] != '[')
            buf_putc(&c->out, ',');
        json_put_string(&c->out, span_of(breach));
    } else {
        out_tame(&c->out, span_of(breach));
        buf_putc(&c->out, '\n');
    }
}

static uint64_t audit(struct cli *c, struct store *store)
{
    if (c->json) {
        json_begin(&c->out);
        json_key(&c->out, "breaches");
        buf_putc(&c->out, '[');
    }
    uint64_t n = kernel_audit(store, on_breach, c);
    if (c->json) {
        buf_putc(&c->out, ']');
        json_end(&c->out);
    }
    return n;
}

/* Not through a kernel: a damaged store may not let one open. */
int verb_audit(struct cli *c, struct err *e)
{
    struct store *store;
    if (store_open(c->dir, STORE_READONLY, &store, e) != 0) {
        if (e->exit == EXIT_NOT_FOUND)
            c->hint = "say which store with -C";
        return -1;
    }
    if (!kv_get(store, SPAN("vat.names"), NULL)) {
        store_close(store);
        return err_set(e, EXIT_INCOMPATIBLE, "%s: no kernel was initialised there", c->dir);
    }
    uint64_t n = audit(c, store);
    store_close(store);
    if (n > 0)
        return err_set(e, EXIT_INTEGRITY, "%s: %" PRIu64 " breach%s", c->dir, n,
                       n == 1 ? "" : "es");
    log_info("%s: every reference count is right", c->dir);
    return 0;
}
