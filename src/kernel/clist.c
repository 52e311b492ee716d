#include "kernel/clist.h"

#include "kernel/object.h"
#include "kernel/promise.h"
#include "kernel/slog.h"

/* -- rows --------------------------------------------------------------------------------- */

bool clist_row(struct kernel *k, vat_id vat, kref r, struct clist_row *out)
{
    struct span value;
    if (!kv_get(k->store, key_clist_kref(k, vat, r), &value)) return false;
    INVARIANT(value.n > 2 && value.p[1] == ' ' && (value.p[0] == 'R' || value.p[0] == '_'));
    *out = (struct clist_row){ value.p[0] == 'R', span_from(value, 2) };
    return true;
}

static struct clist_row row_of(struct kernel *k, vat_id vat, kref r)
{
    struct clist_row row = { false, SPAN_NONE };
    bool found = clist_row(k, vat, r, &row);
    INVARIANT(found);
    return row;
}

static void put_forward(struct kernel *k, vat_id vat, kref r, struct clist_row row)
{
    kv_set(k->store, key_clist_kref(k, vat, r),
           arena_printf(kernel_arena(k), "%c %.*s", row.reachable ? 'R' : '_',
                        SPAN_ARG(row.vref)));
}

void clist_put(struct kernel *k, vat_id vat, kref r, struct clist_row row)
{
    put_forward(k, vat, r, row);
    kv_set(k->store, key_clist_vref(k, vat, row.vref), span_of_kref(k, r));
}

static bool allocated_by_vat(struct span name)
{
    return name.n > 1 && name.p[1] == '+';
}

bool clist_has(struct kernel *k, vat_id vat, kref r)
{
    return state_has(k, key_clist_kref(k, vat, r));
}

bool clist_imports(struct kernel *k, vat_id vat, kref r)
{
    struct clist_row row;
    return clist_row(k, vat, r, &row) && !allocated_by_vat(row.vref);
}

bool clist_is_reachable(struct kernel *k, vat_id vat, kref r)
{
    return row_of(k, vat, r).reachable;
}

struct span clist_vref(struct kernel *k, vat_id vat, kref r)
{
    return row_of(k, vat, r).vref;
}

/* -- reachability: an import's flag is half of what its row counts --------------------------- */

void clist_set_reachable(struct kernel *k, vat_id vat, kref r)
{
    struct clist_row row = row_of(k, vat, r);
    bool was = row.reachable;
    row.reachable = true;
    put_forward(k, vat, r, row);
    if (was || r.kind != KREF_OBJECT || allocated_by_vat(row.vref)) return;
    struct refs n = object_refs(k, r);
    n.reachable++;
    object_set_refs(k, r, n);
}

void clist_clear_reachable(struct kernel *k, vat_id vat, kref r)
{
    struct clist_row row = row_of(k, vat, r);
    bool was = row.reachable;
    row.reachable = false;
    put_forward(k, vat, r, row);
    if (!was || r.kind != KREF_OBJECT || allocated_by_vat(row.vref)) return;
    if (!object_exists(k, r)) return;
    struct refs n = object_refs(k, r);
    INVARIANT(n.reachable > 0);
    n.reachable--;
    object_set_refs(k, r, n);
    if (n.reachable == 0) kref_set_add(&k->maybe_free, r);
}

/* -- vat to kernel --------------------------------------------------------------------------- */

static enum clist_result export_new(struct kernel *k, vat_id vat, vref name)
{
    kref r;
    switch (name.kind) {
    case KREF_OBJECT: r = object_add(k, vat); break;
    case KREF_PROMISE: r = promise_new_for(k, vat); break;
    case KREF_DEVICE: return CLIST_NOT_EXPORTABLE;
    case KREF_INVALID:
    default: return CLIST_BAD_VREF;
    }
    ref_inc(k, r, REF_EXPORT | REF_RECOGNIZABLE);
    stats_inc(&k->stats, STAT_CLIST_ENTRIES);
    clist_put(k, vat, r, (struct clist_row){ false, name.text });
    slog_clist(k, vat, "export", r, name.text);
    return CLIST_OK;
}

enum clist_result clist_to_kernel(struct kernel *k, vat_id vat, struct span text,
                                  enum clist_mode mode, kref *out)
{
    vref name;
    if (!vref_parse(text, &name)) return CLIST_BAD_VREF;
    struct span key = key_clist_vref(k, vat, text), value;
    if (!kv_get(k->store, key, &value)) {
        if (mode == CLIST_REQUIRED || !name.vat_allocated) return CLIST_NOT_FOUND;
        enum clist_result r = export_new(k, vat, name);
        if (r != CLIST_OK) return r;
        value = state_need(k, key);
    } else if (mode == CLIST_NEW) {
        return CLIST_NOT_NEW;
    }
    kref r;
    bool ok = kref_parse(value, &r);
    INVARIANT(ok);
    if (mode != CLIST_REQUIRED) {
        if (name.vat_allocated) {
            clist_set_reachable(k, vat, r);
        } else if (!clist_is_reachable(k, vat, r)) {
            return CLIST_NOT_REACHABLE;
        }
    }
    *out = r;
    return CLIST_OK;
}

/* -- kernel to vat --------------------------------------------------------------------------- */

static void import_new(struct kernel *k, vat_id vat, kref r)
{
    static const char letters[] = { [KREF_OBJECT] = 'o', [KREF_PROMISE] = 'p', [KREF_DEVICE] = 'd' };
    char letter = letters[r.kind];
    char field[] = "?.nextID";
    field[0] = letter;
    uint64_t n = state_next(k, key_vat(k, vat, field));
    ref_inc(k, r, REF_RECOGNIZABLE);
    struct span name =
        arena_printf(kernel_arena(k), "%c-%llu", letter, (unsigned long long)n);
    stats_inc(&k->stats, STAT_CLIST_ENTRIES);
    kv_set(k->store, key_clist_vref(k, vat, name), span_of_kref(k, r));
    put_forward(k, vat, r, (struct clist_row){ false, name });
    slog_clist(k, vat, "import", r, name);
}

struct span clist_to_vat(struct kernel *k, vat_id vat, kref r)
{
    if (!clist_has(k, vat, r)) import_new(k, vat, r);
    struct clist_row row = row_of(k, vat, r);
    if (!allocated_by_vat(row.vref)) {
        clist_set_reachable(k, vat, r);
    } else {
        INVARIANT(row.reachable); /* we never send an export home that its vat has dropped */
    }
    return row.vref;
}

/* -- deleting -------------------------------------------------------------------------------- */

void clist_delete(struct kernel *k, vat_id vat, kref r)
{
    struct span name = row_of(k, vat, r).vref;
    slog_clist(k, vat, "drop", r, name);
    clist_clear_reachable(k, vat, r);
    ref_dec(k, r, REF_RECOGNIZABLE | (allocated_by_vat(name) ? REF_EXPORT : 0u));
    stats_dec(&k->stats, STAT_CLIST_ENTRIES, 1);
    kv_delete(k->store, key_clist_kref(k, vat, r));
    kv_delete(k->store, key_clist_vref(k, vat, name));
}

void clist_forget(struct kernel *k, vat_id vat, kref r)
{
    struct span name = row_of(k, vat, r).vref;
    kv_delete(k->store, key_clist_kref(k, vat, r));
    kv_delete(k->store, key_clist_vref(k, vat, name));
}

/* -- walking --------------------------------------------------------------------------------- */

bool clist_next(struct kernel *k, vat_id vat, const char *prefix, struct clist_walk *w)
{
    struct span start = key_vat_in(k, vat, "c.", span_of(prefix));
    if (w->key.p == NULL) w->key = start;
    while (state_next_key(k, start, &w->key)) {
        w->vref = span_from(w->key, start.n - strlen(prefix));
        if (w->vref.p[0] == 'k') continue; /* the other direction */
        bool ok = kref_parse(state_need(k, w->key), &w->r);
        INVARIANT(ok);
        return true;
    }
    return false;
}
