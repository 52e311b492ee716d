#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "worker/port.h"

enum { STALL_MS = 60000 };

static int worker_start(void *self, const struct vat_start *from, struct vat_machine **out,
                        struct err *e)
{
    return start_machine(self, from, out, e);
}

static int worker_command(void *self, struct vat_machine *m, struct span text,
                          vat_upcall *upcall, void *ctx, struct arena *a,
                          struct vat_reply *out, struct err *e)
{
    (void)self;
    struct machine_command c = { .verb = '?', .text = text, .upcall = upcall, .ctx = ctx,
                                 .reply_ms = -1 };
    return machine_exchange(m, &c, a, out, e);
}

static int worker_snapshot(void *self, struct vat_machine *m,
                           int (*sink)(void *ctx, struct span bytes, struct err *e),
                           void *ctx, struct err *e)
{
    (void)self;
    return machine_save(m, sink, ctx, e);
}

static void worker_stop(void *self, struct vat_machine *m)
{
    (void)self;
    machine_free(m);
}

static const char *worker_origin(void *self, const struct vat_machine *m)
{
    (void)self;
    return m->origin;
}

int worker_port_open(const struct worker_options *options, struct vat_port *out,
                     struct err *e)
{
    struct worker_port *p = xcalloc(1, sizeof *p);
    p->path = xstrdup(options->program);
    p->stall_ms = options->stall_ms > 0 ? options->stall_ms : STALL_MS;
    p->program = open(p->path, O_RDONLY | O_CLOEXEC);
    forkclient_init(&p->fork, p->program, p->path);
    struct vat_port port = { .self = p,
                             .start = worker_start,
                             .command = worker_command,
                             .snapshot = worker_snapshot,
                             .stop = worker_stop,
                             .origin = worker_origin };
    int result = p->program < 0 ? err_sys(e, "worker program %s", p->path) : 0;
    /* The digest of the whole program: whatever differs makes other images. */
    if (result == 0 && !options->no_images &&
        ((result = image_digest(p->program, p->build, e)) != 0 ||
         (result = images_open(options->image_dir, &p->images, e)) != 0)) {
        p->images = NULL;
    }
    if (result != 0) worker_port_close(&port);
    else *out = port;
    return result;
}

void worker_port_close(struct vat_port *port)
{
    struct worker_port *p = port->self;
    if (p == NULL) return;
    forkclient_fini(&p->fork);
    images_close(p->images);
    process_close_fd(&p->program);
    buf_fini(&p->boot_ids);
    free(p->path);
    free(p);
    *port = (struct vat_port){ .self = NULL };
}

struct worker_counts worker_port_counts(const struct vat_port *port)
{
    const struct worker_port *p = port->self;
    return p->counts;
}
