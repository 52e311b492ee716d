/* The pages of two heaps, side by side (worker.h). */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/imagefile.h"
#include "worker/port.h"

/* An image file, mapped. */
struct view {
    const char *bytes;
    size_t size;
    const struct image_header *header;
};

static const char zeros[IMAGE_PAGE];

static int damaged(struct err *e)
{
    return err_set(e, EXIT_FAILED, "the worker wrote what is no image");
}

static bool is_header(const struct image_header *h, size_t size)
{
    if (h->magic != IMAGE_MAGIC || h->version != IMAGE_VERSION || h->file_bytes != size ||
        h->extent_count > IMAGE_EXTENTS_MAX) {
        return false;
    }
    uint64_t free_from = 0;
    for (uint32_t i = 0; i < h->extent_count; i++) {
        const struct image_extent *x = &h->extents[i];
        if (x->offset > size || x->bytes > size - x->offset || x->address < free_from ||
            (x->offset | x->bytes | x->address) % IMAGE_PAGE != 0 ||
            x->address > UINT64_MAX - x->bytes) {
            return false;
        }
        free_from = x->address + x->bytes;
    }
    return true;
}

static int view_open(struct view *v, int fd, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return err_sys(e, "image");
    v->size = (size_t)st.st_size;
    if (v->size < sizeof *v->header) return damaged(e);
    void *p = mmap(NULL, v->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) return err_sys(e, "image");
    v->bytes = p;
    v->header = p;
    return is_header(v->header, v->size) ? 0 : damaged(e);
}

static void view_close(struct view *v)
{
    if (v->bytes != NULL) (void)munmap((void *)v->bytes, v->size);
}

/* A walk over the pages that a file has, by address. */
struct walk {
    const struct view *view;
    uint32_t extent;
    uint64_t at; /* in the extent */
};

static bool walk_page(const struct walk *w, uint64_t *address, const char **page)
{
    if (w->extent == w->view->header->extent_count) return false;
    const struct image_extent *x = &w->view->header->extents[w->extent];
    *address = x->address + w->at;
    *page = w->view->bytes + x->offset + w->at;
    return true;
}

static void walk_next(struct walk *w)
{
    w->at += IMAGE_PAGE;
    if (w->at < w->view->header->extents[w->extent].bytes) return;
    w->extent++;
    w->at = 0;
}

static void count_page(const char *a, const char *b, struct worker_pages *out)
{
    bool in_a = memcmp(a, zeros, IMAGE_PAGE) != 0, in_b = memcmp(b, zeros, IMAGE_PAGE) != 0;
    if (in_a && in_b && memcmp(a, b, IMAGE_PAGE) == 0) out->equal++;
    else if (in_a && in_b) out->different++;
    else if (in_a) out->only_a++;
    else if (in_b) out->only_b++;
}

static void count_pages(const struct view *a, const struct view *b, struct worker_pages *out)
{
    struct walk x = { .view = a }, y = { .view = b };
    for (;;) {
        uint64_t at_x, at_y;
        const char *in_x, *in_y;
        bool more_x = walk_page(&x, &at_x, &in_x), more_y = walk_page(&y, &at_y, &in_y);
        if (!more_x && !more_y) return;
        bool take_x = more_x && (!more_y || at_x <= at_y), take_y = more_y && (!more_x || at_y <= at_x);
        count_page(take_x ? in_x : zeros, take_y ? in_y : zeros, out);
        if (take_x) walk_next(&x);
        if (take_y) walk_next(&y);
    }
}

/* -- hydrating ----------------------------------------------------------------- */

static int no_bundle(void *self, struct span id, struct buf *json_text, struct err *e)
{
    (void)self;
    (void)id;
    (void)json_text;
    return err_set(e, EXIT_FAILED, "a heap snapshot needs no bundles");
}

static int heap_bytes(void *self, const char *hash,
                      int (*sink)(void *ctx, struct span bytes, struct err *e), void *ctx,
                      struct err *e)
{
    const struct worker_heap *heap = self;
    (void)hash;
    return sink(ctx, heap->bytes, e);
}

static int draft(struct worker_port *p, const struct worker_heap *heap, struct image_draft *out,
                 struct err *e)
{
    struct vat_source source = { (void *)heap, no_bundle, heap_bytes };
    struct vat_start start = { .vat = heap->vat, .snapshot = heap->hash, .source = &source };
    return draft_image(p, &start, out, e);
}

static int compare_drafts(const struct image_draft *a, const struct image_draft *b,
                          struct worker_pages *out, struct err *e)
{
    struct view x = { 0 }, y = { 0 };
    int result = view_open(&x, a->fd, e) != 0 || view_open(&y, b->fd, e) != 0 ? -1 : 0;
    *out = (struct worker_pages){ 0 };
    if (result == 0) count_pages(&x, &y, out);
    view_close(&x);
    view_close(&y);
    return result;
}

int worker_port_compare(const struct vat_port *port, const struct worker_heap *a,
                        const struct worker_heap *b, struct worker_pages *out, struct err *e)
{
    struct worker_port *p = port->self;
    struct image_draft x, y;
    if (p->images == NULL) return err_set(e, EXIT_FAILED, "pages are compared in images, and there are none");
    if (draft(p, a, &x, e) != 0) return -1;
    if (draft(p, b, &y, e) != 0) {
        images_abandon(p->images, &x);
        return -1;
    }
    int result = compare_drafts(&x, &y, out, e);
    images_abandon(p->images, &x);
    images_abandon(p->images, &y);
    return result;
}
