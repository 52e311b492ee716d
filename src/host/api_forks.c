/* api_forks.c -- zygote.h: forks, and who came from whom. */
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "host/api.h"

static int find_vat(struct zygote *z, const char *vat, vat_id *out)
{
    if (vat == NULL)
        return err_set(&z->err, EXIT_USAGE, "no vat");
    return controller_find_vat(z->controller, vat, out, &z->err);
}

/* -- forks that were asked for ------------------------------------------------------ */

static void remember_fork(struct zygote *z, const struct fork_request *r, vat_id child)
{
    if (z->fork_count == z->fork_room) {
        z->fork_room = z->fork_room == 0 ? 8 : z->fork_room * 2;
        z->forks = xrealloc(z->forks, z->fork_room * sizeof *z->forks);
    }
    struct asked_fork *f = &z->forks[z->fork_count++];
    *f = (struct asked_fork){ .parent = r->vat, .child = child, .ref_count = r->ref_count };
    f->refs = xcalloc(r->ref_count + 1, sizeof *f->refs);
    if (r->ref_count > 0)
        memcpy(f->refs, r->refs, r->ref_count * sizeof *f->refs);
}

/* Children are numbered in the order they were asked for. */
static struct asked_fork *find_fork(struct zygote *z, vat_id child)
{
    size_t from = 0, to = z->fork_count;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (z->forks[mid].child.n < child.n)
            from = mid + 1;
        else
            to = mid;
    }
    return from < z->fork_count && vat_id_eq(z->forks[from].child, child) ? &z->forks[from] : NULL;
}

void api_forget_forks(struct zygote *z)
{
    for (size_t i = 0; i < z->fork_count; i++)
        free(z->forks[i].refs);
    free(z->forks);
    z->forks = NULL;
    z->fork_count = z->fork_room = 0;
}

void api_on_forked(void *self, vat_id child, struct span refused)
{
    struct asked_fork *f = find_fork(self, child);
    if (f == NULL)
        return;
    f->done = true;
    snprintf(f->why, sizeof f->why, "%.*s", SPAN_ARG(refused));
}

/* -- forking ----------------------------------------------------------------------- */

static int read_options(struct zygote *z, const struct zygote_fork_options *o,
                        struct fork_options *out)
{
    if (o->promises != ZYGOTE_STRICT && o->promises != ZYGOTE_SHARE)
        return err_set(&z->err, EXIT_USAGE, "promises: neither strict nor share");
    if (o->reap_interval < 0 && o->reap_interval != ZYGOTE_NEVER)
        return err_set(&z->err, EXIT_USAGE, "reap_interval: a negative number");
    *out = (struct fork_options){
        .name = api_span(o->name),
        .meter = api_span(o->meter),
        .critical = o->critical,
        .share = o->promises == ZYGOTE_SHARE,
        .reap_interval = o->reap_interval == 0              ? REAP_DEFAULT
                         : o->reap_interval == ZYGOTE_NEVER ? REAP_NEVER
                                                            : o->reap_interval,
    };
    return 0;
}

static int fork_vat(struct zygote *z, const char *vat, const struct zygote_fork_options *o,
                    vat_id *child)
{
    struct fork_request r = { .ref_count = o->ref_count };
    kref *refs = ARENA_ARRAY(&z->arena, kref, o->ref_count + 1);
    for (size_t i = 0; i < o->ref_count; i++) {
        if (kernel_find(z->kernel, span_of(o->refs[i]), &refs[i], &z->err) != 0)
            return -1;
    }
    r.refs = refs;
    if (read_options(z, o, &r.options) != 0 || find_vat(z, vat, &r.vat) != 0 ||
        kernel_fork(z->kernel, &r, child, &z->err) != 0)
        return -1;
    remember_fork(z, &r, *child);
    return 0;
}

int zygote_fork(struct zygote *z, const char *vat, const struct zygote_fork_options *options,
                struct zygote_id *child)
{
    const struct zygote_fork_options none = { 0 };
    vat_id id;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = fork_vat(z, vat, options != NULL ? options : &none, &id);
    if (!failed)
        *child = api_id(vat_id_text(id));
    return api_leave(z, failed);
}

static int forked(struct zygote *z, const char *child, struct asked_fork **out)
{
    vat_id id;
    if (child == NULL || !vat_id_parse(span_of(child), &id) || (*out = find_fork(z, id)) == NULL)
        return err_set(&z->err, EXIT_NOT_FOUND, "no fork was asked for whose child is \"%s\"",
                       child == NULL ? "" : child);
    if (!(*out)->done)
        return err_set(&z->err, EXIT_FAILED, "%s is not there yet: run the kernel", child);
    if ((*out)->why[0] != '\0')
        return err_set(&z->err, EXIT_POLICY, "%s: %s", child, (*out)->why);
    return kernel_vat_exists(z->kernel, id)
               ? 0
               : err_set(&z->err, EXIT_NOT_FOUND, "%s has ended since", child);
}

static struct zygote_child *child_of(struct zygote *z, const struct asked_fork *f)
{
    struct zygote_child *out = xcalloc(1, sizeof *out + f->ref_count * sizeof *out->refs);
    struct zygote_id *refs = (struct zygote_id *)(out + 1);
    struct err none;
    kref root;
    if (kernel_find_root(z->kernel, f->child, &root, &none) == 0)
        api_put_kref(&out->root, root);
    for (size_t i = 0; i < f->ref_count; i++)
        api_put_kref(&refs[i], kernel_counterpart(z->kernel, f->parent, f->refs[i], f->child));
    out->ref_count = f->ref_count;
    out->refs = refs;
    return out;
}

int zygote_forked(struct zygote *z, const char *child, struct zygote_child **out)
{
    struct asked_fork *f;
    if (!api_enter(z, API_LOOK))
        return api_refused(z);
    int failed = forked(z, child, &f);
    if (!failed && out != NULL)
        *out = child_of(z, f);
    return api_leave(z, failed);
}

int zygote_zygotify(struct zygote *z, const char *vat)
{
    vat_id id;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    return api_leave(z, find_vat(z, vat, &id) != 0 ||
                            kernel_zygotify(z->kernel, id, &z->err) != 0);
}

int zygote_take_offline(struct zygote *z, const char *vat)
{
    vat_id id;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    return api_leave(z, find_vat(z, vat, &id) != 0 ||
                            kernel_take_offline(z->kernel, id, &z->err) != 0);
}

static int counterpart(struct zygote *z, const char *parent, const char *ref,
                       const char *child, kref *out)
{
    vat_id from, to;
    kref k;
    if (find_vat(z, parent, &from) != 0 || find_vat(z, child, &to) != 0)
        return -1;
    if (ref == NULL || !kref_parse(span_of(ref), &k))
        return err_set(&z->err, EXIT_USAGE, "\"%s\" is no reference", ref == NULL ? "" : ref);
    *out = kernel_counterpart(z->kernel, from, k, to);
    return out->kind != KREF_INVALID
               ? 0
               : err_set(&z->err, EXIT_NOT_FOUND, "%s has nothing that is to it what %s is to %s",
                         child, ref, parent);
}

int zygote_counterpart(struct zygote *z, const char *parent, const char *ref,
                       const char *child, struct zygote_id *out)
{
    kref k;
    if (!api_enter(z, API_LOOK))
        return api_refused(z);
    int failed = counterpart(z, parent, ref, child, &k);
    if (!failed)
        api_put_kref(out, k);
    return api_leave(z, failed);
}

/* -- the family -------------------------------------------------------------------- */

static void put_relative(const struct vat_info *v, struct zygote_relative *out, char **names)
{
    *out = (struct zygote_relative){
        .vat = api_id(vat_id_text(v->vat)),
        .name = *names,
        .sealed = v->sealed,
        .gone = v->gone,
        .children = v->children,
        .incarnation = v->forked_incarnation,
        .position = v->forked_position,
        .cranks = v->cranks_since,
    };
    if (v->forked_from.n != 0)
        out->parent = api_id(vat_id_text(v->forked_from));
    memcpy(out->snapshot, v->forked_snapshot, sizeof out->snapshot);
    if (v->has_snapshot)
        memcpy(out->heap, v->snapshot, sizeof out->heap);
    memcpy(*names, v->name.p, v->name.n);
    *names += v->name.n + 1;
}

int zygote_family(struct zygote *z, struct zygote_relative **out, size_t *count)
{
    struct vat_info *all;
    size_t bytes = 0;
    if (!api_enter(z, API_LOOK))
        return api_refused(z);
    size_t n = kernel_family(z->kernel, &z->arena, &all);
    for (size_t i = 0; i < n; i++)
        bytes += all[i].name.n + 1;
    *out = xcalloc(1, (n + 1) * sizeof **out + bytes);
    char *names = (char *)(*out + n + 1);
    for (size_t i = 0; i < n; i++)
        put_relative(&all[i], &(*out)[i], &names);
    *count = n;
    return api_leave(z, 0);
}
