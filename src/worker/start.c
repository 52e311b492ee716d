#include "worker/spawn.h"

#include <stdio.h>

#include "base/log.h"
#include "worker/exits.h"

static uint32_t meter_limit(const struct vat_start *from)
{
    return from->metered ? SPAWN_CRANK_LIMIT : 0;
}

static int make_ready(struct vat_machine *m, int reply_ms, struct err *e)
{
    struct arena a;
    struct vat_reply reply;
    struct machine_command c = { .verb = 'R', .text = SPAN(""), .reply_ms = reply_ms };
    arena_init(&a);
    int result = machine_ask(m, &c, &a, &reply, e);
    arena_fini(&a);
    return result;
}

/* -- without an image --------------------------------------------------------- */

static int start_plain(struct worker_port *p, const struct vat_start *from,
                       struct vat_machine **out, struct err *e)
{
    char name[FORKSERVER_NAME_MAX];
    spawn_name(from, name);
    struct spawn_request r = { .name = name, .meter_limit = meter_limit(from), .image = -1 };
    struct vat_machine *m;
    if (from->snapshot == NULL) {
        if (spawn_booted(p, &r, from, out, e) != 0) return -1;
        p->counts.booted++;
        (*out)->origin = "bundles";
        return 0;
    }
    if (spawn_loading(p, &r, from, &m, e) != 0) return -1;
    if (make_ready(m, -1, e) != 0) {
        machine_free(m);
        return err_while(e, "snapshot %s", from->snapshot);
    }
    p->counts.loaded++;
    m->origin = "snapshot";
    *out = m;
    return 0;
}

/* -- keys --------------------------------------------------------------------- */

static void snapshot_key(const struct worker_port *p, const char *hash, struct image_key *out)
{
    struct buf text = { 0 };
    buf_printf(&text, "zygote image of snapshot %s, build %s\n", hash, p->build);
    *out = (struct image_key){ .kind = "snap" };
    sha256_hex(buf_span(&text), out->hash);
    buf_fini(&text);
}

/* What a boot bundle's ID says is not believed: another store, with other bytes under the
 * same ID, may use the same directory. */
static int hash_bundles(const struct worker_port *p, const struct vat_start *from,
                        struct image_key *out, struct err *e)
{
    struct buf text = { 0 }, json = { 0 };
    char hash[SHA256_HEX + 1];
    int result = 0;
    buf_printf(&text, "zygote image of boot, build %s\n", p->build);
    for (size_t i = 0; result == 0 && i < from->boot_count; i++) {
        buf_reset(&json);
        result = from->source->bundle(from->source->self, from->boot[i], &json, e);
        sha256_hex(buf_span(&json), hash);
        buf_printf(&text, "%s\n", hash);
    }
    *out = (struct image_key){ .kind = "base" };
    sha256_hex(buf_span(&text), out->hash);
    buf_fini(&text);
    buf_fini(&json);
    return result;
}

static int boot_key(struct worker_port *p, const struct vat_start *from,
                    struct image_key *out, struct err *e)
{
    struct buf ids = { 0 };
    for (size_t i = 0; i < from->boot_count; i++) {
        buf_printf(&ids, "%.*s\n", SPAN_ARG(from->boot[i]));
    }
    int result = 0;
    if (p->boot_key.kind[0] != '\0' && span_eq(buf_span(&ids), buf_span(&p->boot_ids))) {
        *out = p->boot_key;
    } else if ((result = hash_bundles(p, from, out, e)) == 0) {
        p->boot_key = *out;
        buf_reset(&p->boot_ids);
        buf_put(&p->boot_ids, buf_span(&ids));
    }
    buf_fini(&ids);
    return result;
}

/* -- making images ------------------------------------------------------------ */

/* Ask the machine, untouched since it was made, for its image; it ends with that. */
static int write_image(struct vat_machine *m, struct err *e)
{
    char at[8];
    (void)snprintf(at, sizeof at, "@%d", SPAWN_IMAGE_FD);
    struct arena a;
    struct vat_reply reply;
    struct machine_command c = { .verb = 'I', .text = span_of(at), .reply_ms = -1 };
    arena_init(&a);
    int result = machine_ask(m, &c, &a, &reply, e);
    arena_fini(&a);
    /* Gone before the file is hashed: nobody can write to it after that. */
    machine_free(m);
    return result;
}

int draft_image(struct worker_port *p, const struct vat_start *from, struct image_draft *draft,
                struct err *e)
{
    if (images_draft(p->images, draft, e) != 0) return -1;
    struct vat_machine *m;
    struct spawn_request r = { .name = from->snapshot == NULL ? "boot" : "hydrate",
                               .image = draft->fd };
    /* No 'R' in between: the machine must be as loading left it. */
    if ((from->snapshot == NULL ? spawn_booted(p, &r, from, &m, e)
                                : spawn_loading(p, &r, from, &m, e)) != 0 ||
        write_image(m, e) != 0) {
        images_abandon(p->images, draft);
        return -1;
    }
    return 0;
}

static int make_image(struct worker_port *p, const struct vat_start *from,
                      const struct image_key *key, struct err *e)
{
    struct image_draft draft;
    if (draft_image(p, from, &draft, e) != 0) return -1;
    int fd = images_publish(p->images, key, &draft, e);
    if (fd < 0) return -1;
    if (from->snapshot == NULL) p->counts.bases++;
    else p->counts.hydrated++;
    return fd;
}

/* -- from an image ------------------------------------------------------------ */

static int start_mapped(struct worker_port *p, const struct vat_start *from, int image,
                        struct vat_machine **out, bool *refused, struct err *e)
{
    char name[FORKSERVER_NAME_MAX];
    struct vat_machine *m;
    struct machine_ends ends;
    spawn_name(from, name);
    if (machine_new(name, p->stall_ms, &m, &ends, e) != 0) return -1;
    m->posts = p->images != NULL; /* without images it may be the stock worker */
    struct forkclient_worker w = { .name = m->name,
                                   .meter_limit = meter_limit(from),
                                   .image = image,
                                   .connection = ends.connection,
                                   .save = ends.save };
    int result = forkclient_spawn(&p->fork, &w, &m->pid, e);
    machine_close_ends(&ends);
    if (result == 0) result = make_ready(m, p->stall_ms, e);
    if (result != 0) {
        *refused = m->end.how == PROCESS_EXITED && m->end.code == WORKER_EXIT_IMAGE;
        machine_free(m);
        return -1;
    }
    p->counts.mapped++;
    m->origin = "image";
    *out = m;
    return 0;
}

/* Is an image worth making?  It costs a start and half a one more. */
static bool worth_image(struct worker_port *p, const struct vat_start *from,
                        const struct image_key *key)
{
    return from->snapshot == NULL || images_seen(p->images, key) > 0 || from->shared;
}

/* -1 where the machine is to start without an image. */
static int provide_image(struct worker_port *p, const struct vat_start *from,
                         const struct image_key *key)
{
    struct err why;
    bool worth = worth_image(p, from, key);
    int image = images_find(p->images, key);
    if (image >= 0 || !worth || images_given_up(p->images, key)) return image;
    image = make_image(p, from, key, &why);
    if (image < 0) {
        log_warn("no image for vat %s: %s", vat_id_text(from->vat).s, why.text);
        images_give_up(p->images, key);
    }
    return image;
}

int start_machine(struct worker_port *p, const struct vat_start *from,
                  struct vat_machine **out, struct err *e)
{
    struct image_key key;
    if (p->images == NULL) return start_plain(p, from, out, e);
    if (from->snapshot != NULL) snapshot_key(p, from->snapshot, &key);
    else if (boot_key(p, from, &key, e) != 0) return -1;

    for (int attempt = 0; attempt < 2; attempt++) {
        bool refused = false;
        int image = provide_image(p, from, &key);
        if (image < 0) break;
        if (start_mapped(p, from, image, out, &refused, e) == 0) return 0;
        if (!refused) return -1;
        images_discard(p->images, &key, "was refused by the worker");
        if (attempt > 0) images_give_up(p->images, &key);
    }
    return start_plain(p, from, out, e);
}
